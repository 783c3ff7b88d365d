// Package lock keeps xbuild.lock: the exact files, with size and SHA-256, that stand behind every definition in use.
// What was resolved goes in; a build takes its files from there and asks no index. A lock holds nothing of the machine
// or the moment that it was written at: its hosts are platforms that toolchains run on, its dates those of the
// archive's releases, its paths those in the archive. The same content is the same bytes.
package lock

import (
	"cmp"
	"slices"
)

// FileName is the name of a project's lock.
const FileName = "xbuild.lock"

// Version is the version of the format that this package writes and reads.
const Version = 1

// A Lock is the content of an xbuild.lock.
type Lock struct {
	Version    int         `toml:"version"`
	Toolchains []Toolchain `toml:"toolchain"`
	Sysroots   []Sysroot   `toml:"sysroot"`
}

// A File is one file of an archive.
type File struct {
	Name    string `toml:"name"`
	Version string `toml:"version"`
	Arch    string `toml:"arch"`
	Path    string `toml:"path"` // in the archive's pool, relative to its root
	Size    int64  `toml:"size"`
	SHA256  string `toml:"sha256"`
	Archive string `toml:"archive"` // the archive that has it, where that is not its entry's
}

// A Toolchain is what one toolchain resolved to for one host.
type Toolchain struct {
	Name       string   `toml:"name"`
	Platform   string   `toml:"platform"` // the one that it compiles for; "" for all that have no entry of their own
	Version    string   `toml:"version"`
	Host       string   `toml:"host"`       // the platform that it runs on, such as linux/amd64
	Constraint string   `toml:"constraint"` // what the project asked for
	Archive    string   `toml:"archive"`
	Suite      string   `toml:"suite"`
	Date       string   `toml:"date"`  // of the suite's Release, as the snapshot archive spells it: 20261121T091544Z
	Roots      []string `toml:"roots"` // the packages that the definition asks for
	Files      []File   `toml:"files"`
}

// A Sysroot is what one sysroot resolved to for one architecture.
type Sysroot struct {
	Name    string   `toml:"name"`    // of the definition
	Arch    string   `toml:"arch"`    // as the archive spells it
	Version string   `toml:"version"` // of the libc
	Archive string   `toml:"archive"`
	Suite   string   `toml:"suite"`
	Date    string   `toml:"date"`  // as in Toolchain
	Roots   []string `toml:"roots"` // the packages that the definition and the project ask for
	// Programs are those packages among Files that builds run programs of, which are the host's then.
	Programs []string `toml:"programs"`
	Files    []File   `toml:"files"`
}

// FindToolchain finds what was locked for exactly this request. An entry for
// another constraint or other roots does not answer it.
func (l *Lock) FindToolchain(name, host, constraint string, roots []string) (Toolchain, bool) {
	for _, t := range l.Toolchains {
		if t.Name == name && t.Platform == "" && t.Host == host {
			return t, t.Constraint == constraint && sameSet(t.Roots, roots)
		}
	}
	return Toolchain{}, false
}

// Toolchain finds what was locked for a toolchain, whatever was asked for.
func (l *Lock) Toolchain(name, host string) (Toolchain, bool) {
	for _, t := range l.Toolchains {
		if t.Name == name && t.Platform == "" && t.Host == host {
			return t, true
		}
	}
	return Toolchain{}, false
}

// FindSysroot finds what was locked for exactly this request. One project may
// have several sysroots of an architecture, with different packages.
func (l *Lock) FindSysroot(name, arch, suite string, roots []string) (Sysroot, bool) {
	for _, s := range l.Sysroots {
		if s.Name == name && s.Arch == arch && s.Suite == suite && sameSet(s.Roots, roots) {
			return s, true
		}
	}
	return Sysroot{}, false
}

// PutToolchain puts an entry in the place of the one with its name, platform and host.
func (l *Lock) PutToolchain(t Toolchain) {
	t = t.ordered()
	l.Toolchains = put(l.Toolchains, t, compareToolchains)
}

// PutSysroot puts an entry in the place of the one with its name,
// architecture, suite and roots.
func (l *Lock) PutSysroot(s Sysroot) {
	s = s.ordered()
	l.Sysroots = put(l.Sysroots, s, compareSysroots)
}

// put leaves the list that others may hold as it is.
func put[T any](list []T, entry T, compare func(a, b T) int) []T {
	list = slices.DeleteFunc(slices.Clone(list), func(other T) bool { return compare(entry, other) == 0 })
	list = append(list, entry)
	slices.SortStableFunc(list, compare)
	return list
}

// Equal says whether two locks are the same but for order.
func (l *Lock) Equal(other *Lock) bool {
	return string(l.encode()) == string(other.encode())
}

// Files are all files of the lock, each once.
func (l *Lock) Files() []File {
	var files []File
	for _, t := range l.Toolchains {
		files = append(files, t.Files...)
	}
	for _, s := range l.Sysroots {
		files = append(files, s.Files...)
	}
	slices.SortFunc(files, compareFiles)
	return slices.Compact(files)
}

// ordered is a copy of the lock in the order of the file.
func (l *Lock) ordered() Lock {
	c := Lock{Version: Version}
	for _, t := range l.Toolchains {
		c.Toolchains = append(c.Toolchains, t.ordered())
	}
	for _, s := range l.Sysroots {
		c.Sysroots = append(c.Sysroots, s.ordered())
	}
	slices.SortStableFunc(c.Toolchains, compareToolchains)
	slices.SortStableFunc(c.Sysroots, compareSysroots)
	return c
}

func (t Toolchain) ordered() Toolchain {
	t.Roots, t.Files = sortedSet(t.Roots), sortedFiles(t.Files)
	return t
}

func (s Sysroot) ordered() Sysroot {
	s.Roots, s.Programs, s.Files = sortedSet(s.Roots), sortedSet(s.Programs), sortedFiles(s.Files)
	return s
}

func sortedSet(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func sameSet(a, b []string) bool { return slices.Equal(sortedSet(a), sortedSet(b)) }

func sortedFiles(files []File) []File {
	return slices.Compact(slices.SortedFunc(slices.Values(files), compareFiles))
}

func compareFiles(a, b File) int {
	return cmp.Or(
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version),
		cmp.Compare(a.Path, b.Path), cmp.Compare(a.SHA256, b.SHA256), cmp.Compare(a.Size, b.Size),
		cmp.Compare(a.Archive, b.Archive),
	)
}

func compareToolchains(a, b Toolchain) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Host, b.Host))
}

func compareSysroots(a, b Sysroot) int {
	return cmp.Or(
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Suite, b.Suite),
		slices.Compare(sortedSet(a.Roots), sortedSet(b.Roots)),
	)
}
