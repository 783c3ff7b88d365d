// Package debian locks toolchains and sysroots out of an archive in Debian's format, through mirrors: the exact files
// that a suite's index names for a package and what it depends on.
//
// Trust: InRelease is verified with the embedded keys, every index by the hash that it names, every package later by
// the hash that the index names.
package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"xbuild/internal/archive"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
)

// Kind is the kind of archive.
type Kind struct{}

// Unpack puts the files of a package where they lie on a system; an upstream source lies below one directory of its
// own.
func (Kind) Unpack(ctx context.Context, file string, f lock.File, dir string, opt archive.UnpackOptions) error {
	if f.Arch == origin.SourceArch {
		return archive.UnpackTarFile(ctx, file, dir, archive.UnpackOptions{Keep: opt.Keep, Drop: opt.Drop, Strip: 1})
	}
	return archive.UnpackFile(ctx, file, dir, opt)
}

// An Archive is read through mirrors. Indexes are kept in the store by hash.
type Archive struct {
	*origin.Client
	Mirrors []string // base URLs, the best first
	// Snapshot is the base URL of the archive of what mirrors no longer carry, by the date of a Release; "" for none.
	Snapshot string
	Keyring  openpgp.EntityList // nil: the embedded keys
	// AllowExpired takes Releases whose time is over (Valid-Until), and says so.
	AllowExpired bool
	// Standing are mirrors that the host's own apt takes such Releases from.
	Standing []string

	indexes origin.Memo[*dated]

	mu     sync.Mutex
	recent []*dated        // whose indexes are in memory, the one asked for last at the end
	have   map[string]bool // SHA-256 of files that mirrors were found to have
}

// A dated is one index of a suite and an architecture, and the date of the Release that names it. Its file is looked up
// once, and read again where it was let go meanwhile.
type dated struct {
	path, sum string // the file and its SHA-256
	date      time.Time

	mu    sync.Mutex
	index *archive.Index // nil where it is not in memory
	err   error          // why it cannot be read
}

// inMemory is how many indexes are held beside those that are in use: a project for eleven platforms asks some twenty.
const inMemory = 3

// URLs are where a file can be fetched. What no mirror has any more, the snapshot of its entry's date has.
func (a *Archive) URLs(_ context.Context, f lock.File, date string) ([]string, error) {
	return a.urls(f, date), nil
}

func (a *Archive) urls(f lock.File, date string) []string {
	var urls []string
	for _, m := range a.Mirrors {
		urls = append(urls, m+"/"+f.Path)
	}
	if a.Snapshot != "" && date != "" {
		urls = append(urls, a.Snapshot+"/"+date+"/"+f.Path)
	}
	return urls
}

// upstream is the version that a semver constraint is held against: Debian's without epoch, revision and what the
// packager added (deb-version(7)).
var upstream = lazyregexp.New(`^(?:[0-9]+:)?([0-9]+(?:\.[0-9]+){0,2})`)

// Upstream returns the upstream version of a Debian version, at most three numbers.
func Upstream(debian string) string {
	m := upstream.FindStringSubmatch(debian)
	if m == nil {
		return debian
	}
	return m[1]
}

// Toolchain locks what a suite has of a toolchain: its version, the date of the Release and the files. Where the
// constraint does not admit the version, that is all that comes back; a suite without the package has none.
func (a *Archive) Toolchain(ctx context.Context, t origin.Toolchain) (e lock.Toolchain, has string, err error) {
	def, suite, arch := t.Def, t.Source().Suite, t.Host.Debian
	var version string
	files, date, err := a.served(ctx, suite, arch, func(ix *archive.Index) ([]lock.File, error) {
		pkgs, err := ix.Lookup(def.Package)
		if errors.Is(err, archive.ErrNoPackage) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		version = Upstream(pkgs[0].Version)
		if ok, err := t.Admits(version); err != nil || !ok {
			return nil, err
		}
		return closure(ix, def.Packages, archive.ResolveOptions{Skip: def.Skip, Suite: suite, Arch: arch})
	})
	if err != nil || files == nil {
		return e, version, err
	}
	return lock.Toolchain{Version: version, Date: stamp(date), Files: files}, version, nil
}

// orig matches the name of a source package's upstream source (deb-src-control(5)).
var orig = lazyregexp.New(`\.orig\.tar\.(gz|xz|bz2|zst)$`)

// source locks the upstream source of a source package, in the version that the request names.
func (a *Archive) source(ctx context.Context, r origin.Sysroot) (lock.Sysroot, error) {
	path, date, err := a.File(ctx, r.Suite, func(rel *archive.Release) (string, archive.FileHash, error) {
		_, byHash, hash, err := rel.SourceIndex("main")
		return byHash, hash, err
	})
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: %w", r.Def.Name, r.Where, err)
	}
	ix, err := archive.ReadSources(ctx, path)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: %w", r.Def.Name, r.Where, err)
	}
	pkgs, err := ix.Lookup(r.Def.Source)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: source package %s of %s: %w",
			r.Def.Name, r.Where, r.Def.Source, r.Suite, err)
	}
	var versions []string
	for _, p := range pkgs {
		version := Upstream(p.Version)
		versions = append(versions, version)
		if r.Version != "" && version != r.Version {
			continue
		}
		for _, f := range p.Files {
			if orig.MatchString(f.Name) {
				file := lock.File{
					Name:    p.Name,
					Version: p.Version,
					Arch:    origin.SourceArch,
					Path:    p.Directory + "/" + f.Name,
					Size:    f.Size,
					SHA256:  f.SHA256,
				}
				return lock.Sysroot{
					Name:    r.Def.Name,
					Arch:    origin.SourceArch,
					Suite:   r.Suite,
					Date:    stamp(date),
					Version: version,
					Archive: "debian",
					Roots:   []string{},
					Files:   []lock.File{file},
				}, nil
			}
		}
		return lock.Sysroot{}, fmt.Errorf("%s for %s: source package %s %s of %s has no .orig.tar",
			r.Def.Name, r.Where, p.Name, p.Version, r.Suite)
	}
	return lock.Sysroot{}, hint.Add(
		fmt.Errorf("%s for %s: source package %s of %s is %s now, while %s %s is locked",
			r.Def.Name, r.Where, r.Def.Source, r.Suite, strings.Join(versions, ", "), r.Def.Of, r.Version),
		"run \"xbuild lock --update\"")
}

// stamp is a time as the snapshot archive writes it into its URLs.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

func closure(ix *archive.Index, roots []string, opt archive.ResolveOptions) ([]lock.File, error) {
	pkgs, err := archive.Resolve(ix, roots, opt)
	return locked(pkgs), err
}

// locked are packages as files of a lock.
func locked(pkgs []archive.Package) []lock.File {
	files := make([]lock.File, len(pkgs))
	for i, p := range pkgs {
		files[i] = lock.File{
			Name:    p.Name,
			Version: p.Version,
			Arch:    p.Architecture,
			Path:    p.Filename,
			Size:    p.Size,
			SHA256:  p.SHA256,
		}
	}
	return files
}

// served returns what choose takes from the index of a suite and architecture, and the date of the Release that names
// it. Where mirrors lack a file that the newest Release names (a mirror in the midst of an update has the indexes of
// some architectures before their packages), an older Release serves whose files are all there. Where there is none,
// the newest's files come back: one that is missing today may never be fetched on this host, and whoever fetches it is
// told.
func (a *Archive) served(
	ctx context.Context, suite, arch string, choose func(*archive.Index) ([]lock.File, error),
) ([]lock.File, time.Time, error) {
	choice := func(before time.Time) (files, gone []lock.File, date time.Time, err error) {
		ix, date, err := a.index(ctx, suite, arch, before)
		if err != nil {
			return nil, nil, date, err
		}
		if files, err = choose(ix); err != nil {
			return nil, nil, date, fmt.Errorf("suite %s: %w", suite, err)
		}
		gone, err = a.gone(ctx, files, date)
		return files, gone, date, err
	}
	files, gone, date, err := choice(time.Time{})
	if err != nil || len(gone) == 0 {
		return files, date, err
	}
	what := fmt.Sprintf("%s for %s: no mirror has %s %s", suite, arch, gone[0].Name, gone[0].Version)
	if n := len(gone) - 1; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	what += fmt.Sprintf(" of the Release of %s (a mirror in the middle of an update?)", date.UTC().Format(time.RFC3339))
	for before := date; ; {
		older, gone, at, err := choice(before)
		if ctx.Err() != nil {
			return nil, date, ctx.Err()
		}
		if fetch.Local(err) {
			return nil, date, err
		}
		if err != nil {
			a.Say("%s, and there is no older one with all files", what)
			return files, date, nil
		}
		if len(gone) == 0 {
			a.Say("%s; the Release of %s serves", what, at.UTC().Format(time.RFC3339))
			return older, at, nil
		}
		before = at
	}
}

// Runtime locks the libraries that a toolchain of another archive runs with, and returns the date of their Release.
func (a *Archive) Runtime(ctx context.Context, t origin.Toolchain) ([]lock.File, string, error) {
	suite, arch := t.Source().Runtime, t.Host.Debian
	files, date, err := a.served(ctx, suite, arch, func(ix *archive.Index) ([]lock.File, error) {
		return closure(ix, t.Def.Runtime, archive.ResolveOptions{Skip: t.Def.Skip, Suite: suite, Arch: arch})
	})
	return files, stamp(date), err
}

// gone are the files that no mirror has. One that the store has is not asked for.
func (a *Archive) gone(ctx context.Context, files []lock.File, date time.Time) ([]lock.File, error) {
	if a.Fetch.Offline {
		return nil, nil
	}
	var items []fetch.Item
	a.mu.Lock()
	for _, f := range files {
		if a.have[f.SHA256] {
			continue
		}
		items = append(items, fetch.Item{Name: f.Name, URLs: a.urls(f, stamp(date)), SHA256: f.SHA256, Size: f.Size})
	}
	a.mu.Unlock()
	missing, err := fetch.Gone(ctx, a.Store, items, a.Fetch)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	for _, it := range missing {
		gone[it.SHA256] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.have == nil {
		a.have = map[string]bool{}
	}
	var out []lock.File
	for _, f := range files {
		if gone[f.SHA256] {
			out = append(out, f)
		} else {
			a.have[f.SHA256] = true
		}
	}
	return out, nil
}

// Sysroot locks the packages of a sysroot with their dependencies.
func (a *Archive) Sysroot(ctx context.Context, r origin.Sysroot) (lock.Sysroot, error) {
	suite, ok := r.Def.Suite(r.Suite)
	if !ok {
		return lock.Sysroot{}, fmt.Errorf("%s: sysroot %s has no suite %q", r.Where, r.Def.Name, r.Suite)
	}
	index, roots := r.Arch, r.Roots()
	if r.Def.Source != "" {
		if suite.Package == "" {
			return a.source(ctx, r)
		}
		index = "amd64" // every architecture's index has the packages that are for all
	}
	version := cmp.Or(suite.Glibc, suite.Version)
	named := r.Def.Package
	if r.Def.Of != "" {
		named = roots[0]
	}
	var programs []string
	files, date, err := a.served(ctx, r.Suite, index, func(ix *archive.Index) ([]lock.File, error) {
		if named != "" {
			pkgs, err := ix.Lookup(named)
			if err != nil {
				return nil, err
			}
			version = Upstream(pkgs[0].Version)
		}
		pkgs, err := archive.Resolve(ix, roots, archive.ResolveOptions{Skip: r.Def.Skip, Suite: r.Suite, Arch: index})
		if r.Def.HostPackages != nil && err == nil {
			programs, err = onHost(pkgs, roots, r.Def.HostPackages.Skip)
		}
		return locked(pkgs), err
	})
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("sysroot of %s (%s): %w", r.Where, r.Arch, err)
	}
	if !r.Admits(version) {
		return lock.Sysroot{}, fmt.Errorf("%s: %w of %s: %s of %s is %s now, which %s does not admit",
			r.Where, origin.ErrNoVersion, r.Def.Name, named, r.Suite, version, strings.Join(r.Constraints, ", "))
	}
	if r.Version != "" && version != r.Version {
		return lock.Sysroot{}, hint.Add(
			fmt.Errorf("%s of %s: %s of %s is %s now, while %s %s is locked",
				r.Def.Name, r.Where, roots[0], r.Suite, version, r.Def.Of, r.Version),
			"run \"xbuild lock --update\"")
	}
	return lock.Sysroot{
		Name:    r.Def.Name,
		Arch:    r.Arch,
		Suite:   r.Suite,
		Date:    stamp(date),
		Version: version,
		Archive: "debian",
		Roots:   roots,

		Programs: programs,
		Files:    files,
	}, nil
}

// onHost are the packages of a closure whose programs are the host's, but for those that are left out there.
func onHost(closure []archive.Package, roots, skip []string) ([]string, error) {
	var out []string
	for _, name := range archive.Programs(closure, roots) {
		skipped := false
		for _, pattern := range skip {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("skip pattern %q: %w", pattern, err)
			}
			skipped = skipped || ok
		}
		if !skipped {
			out = append(out, name)
		}
	}
	return out, nil
}
