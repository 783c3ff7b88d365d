// Package resolve turns requests (a toolchain by version constraint, a sysroot by suite) into lock entries: the exact
// files with their hashes, chosen from signed indexes of an archive. It downloads indexes, never packages; but an npm
// registry says neither the size nor the SHA-256 of a package, so that each one chosen there is downloaded to be
// locked.
//
// Trust: InRelease is verified with the embedded keys, every index by the hash that it names, every package later by
// the hash that the index names. A registry of npm is trusted as npm itself does: its document, fetched over TLS, names
// the SHA-512 of the package; from then on the lock's SHA-256 decides. A channel manifest of Rust's distribution is
// verified with Rust's embedded key, every component later by the hash that the manifest names.
package resolve

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/rustdist"
	"xbuild/internal/store"
)

// Hosts are the platforms that xbuild runs on; the lock holds the toolchains of each, so that it is the same whoever
// writes it.
var Hosts = []string{"linux/amd64", "linux/arm64"}

// aliases are the names by which an archive serves a suite beside its codename. They move at each Debian release: the
// signed Codename decides.
var aliases = []string{"stable", "oldstable", "testing", "oldoldstable"}

// maxRelease bounds an InRelease file; Debian's are under 200 kB.
const maxRelease = 8 << 20

// A ToolchainRequest asks for a toolchain on every host.
type ToolchainRequest struct {
	Def        *catalog.Toolchain
	Constraint string // semver; "" takes the definition's first source
	// Only is the platform that it is for, and which versions serve that; nil for all of which the definition says
	// none.
	Only  *catalog.Only
	Where string // file:line of the constraint, for errors
	Hint  string // what else can be done where nothing satisfies it
	// Open says that the project names no release, at most the least one: what is locked stays with the constraint that
	// it was chosen by.
	Open bool
}

// For names the platform that the toolchain is asked for; "" where any that the definition says nothing of.
func (r ToolchainRequest) For() string {
	if r.Only == nil {
		return ""
	}
	return r.Only.Platform
}

// String names what is asked for.
func (r ToolchainRequest) String() string {
	if r.Only == nil {
		return "toolchain " + r.Def.Name
	}
	return "toolchain " + r.Def.Name + " of " + r.Only.Platform
}

// Admits tells whether a version satisfies the project's constraint and the platform's.
func (r ToolchainRequest) Admits(version string) (bool, error) {
	ok, err := Admits(r.Constraint, version)
	if err != nil || !ok || r.Only == nil {
		return ok, err
	}
	return Admits(r.Only.Versions, version)
}

// place is what goes in front of and behind an error about the request: where it was made, and what else can be done.
func (r ToolchainRequest) place() (where, hint string) {
	if r.Where != "" {
		where = r.Where + ": "
	}
	if r.Hint != "" {
		hint = "\nhint: " + r.Hint
	}
	return where, hint
}

// without is what can be done where no version serves both the project and the platform.
func (r ToolchainRequest) without() string {
	if r.Only == nil {
		return ""
	}
	hint := "\nhint: leave " + r.Only.Platform + " out of platforms"
	if r.Constraint != "" {
		hint += fmt.Sprintf(", or write %s = %q in [toolchains]: %s alone gets what comes second",
			r.Def.Name, r.Constraint+" || "+r.Only.Versions, r.Only.Platform)
	}
	return hint
}

// wants is what a version has to satisfy.
func (r ToolchainRequest) wants() string {
	switch {
	case r.Only == nil:
		return strconv.Quote(r.Constraint)
	case r.Constraint == "":
		return fmt.Sprintf("%q, which %s needs: %s", r.Only.Versions, r.Only.Platform, r.Only.Why)
	}
	return fmt.Sprintf("both %q and %q, which %s needs: %s", r.Constraint, r.Only.Versions, r.Only.Platform, r.Only.Why)
}

// A SysrootRequest asks for a sysroot.
type SysrootRequest struct {
	Def      *catalog.Sysroot
	Arch     string // Debian's name
	Suite    string
	Packages []string // beyond the definition's
	Version  string   // exactly this one; "" for any
	// Constraints (semver) are what its version has to satisfy beside what Suite says.
	Constraints []string
	Release     string // of Rust's distribution: the date of the release that it is of; "" for any
	Where       string // the platform and what asks for it, for errors
}

// A PartRequest asks for the library that a toolchain brings for a platform, in the suite and version that the
// toolchain is locked to.
type PartRequest struct {
	Def    *catalog.Sysroot
	From   []*catalog.Sysroot // asked in turn where Def's suite has none for the target; the last may be the source that it is built from
	Of     ToolchainRequest
	Target string // the compiler's name of the platform
	// Promised are the features of the platform's baseline: a library that uses others is none for it.
	Promised []string
	Where    string // the platform, for errors
}

// Requests are all that a project needs.
type Requests struct {
	Toolchains []ToolchainRequest
	Sysroots   []SysrootRequest
	Parts      []PartRequest
}

// SourceArch stands where a source package has no architecture, as in the archive's own index names.
const SourceArch = "source"

// ErrNoTarget says that the suite of a toolchain has no library for a target.
var ErrNoTarget = errors.New("no library for the target")

// In returns the request for the sysroot that a part is, where the lock holds its toolchain. The first host's entry
// decides: the lock is the same whoever writes it.
func (r PartRequest) In(l *lock.Lock) (SysrootRequest, error) {
	t, ok := FindToolchain(l, r.Of, Hosts[0])
	if !ok {
		return SysrootRequest{}, fmt.Errorf("toolchain %s is not locked", r.Of.Def.Name)
	}
	if t.Archive == catalog.Rust {
		return r.inRustDist(l, t)
	}
	var beyond error
	for _, d := range append([]*catalog.Sysroot{r.Def}, r.From...) {
		suite, ok := d.Suite(t.Suite)
		arch := suite.Targets[r.Target]
		if ok && d.Source != "" {
			arch = SourceArch
		}
		if arch == "" {
			continue
		}
		if err := r.beyond(t, suite, d); err != nil {
			beyond = err
			continue
		}
		return SysrootRequest{Def: d, Arch: arch, Suite: t.Suite, Version: t.Version, Where: r.Where}, nil
	}
	if beyond != nil {
		return SysrootRequest{}, beyond
	}
	return SysrootRequest{}, fmt.Errorf("%w %s of %s %s (%s)", ErrNoTarget, r.Target, t.Name, t.Version, t.Suite)
}

// hasParts tells whether the archive that a toolchain is from has every part of it, of those that are requested.
func hasParts(t lock.Toolchain, parts []PartRequest) bool {
	if t.Archive == catalog.Rust {
		return true // its manifest alone knows, and nothing stands behind it
	}
	t.Host = Hosts[0]
	return !slices.ContainsFunc(parts, func(p PartRequest) bool {
		if p.Def.Of != t.Name {
			return false
		}
		_, err := p.In(&lock.Lock{Toolchains: []lock.Toolchain{t}})
		return err != nil
	})
}

// beyond is the error where a library is not built for what the platform promises.
func (r PartRequest) beyond(t lock.Toolchain, suite catalog.Suite, d *catalog.Sysroot) error {
	for _, entry := range suite.Beyond[r.Target] {
		f, versions, _ := strings.Cut(entry, " ")
		if ok, err := Admits(versions, Upstream(t.Version)); err != nil || !ok {
			if err != nil {
				return fmt.Errorf("%s: suite %s: beyond %q: %w", d.Name, suite.Name, entry, err)
			}
			continue
		}
		if !slices.Contains(r.Promised, f) {
			why := "and there is no source of it to build it from"
			if d.Source != "" {
				why = "and cannot be built without it"
			}
			return fmt.Errorf("the standard library of %s %s (%s) uses %s, which %s does not promise, %s\nhint: promise it: [platform.%q] features = [%q]; or name another version in [toolchains]",
				t.Name, t.Version, t.Suite, f, r.Where, why, r.Where, f)
		}
	}
	return nil
}

// An Archive reads the indexes of a Debian-format archive, the documents of an npm registry and the manifests of Rust's
// distribution, through mirrors. Indexes are kept in the store by hash.
type Archive struct {
	Store    *store.Store
	Mirrors  []string // base URLs, the best first
	Snapshot string   // base URL of the archive of what mirrors no longer carry, by the date of a Release; "" for none
	NPM      []string // registries of npm, the same
	Rust     []string // servers of Rust's distribution, the same
	Fetch    fetch.Options
	Keyring  openpgp.EntityList // nil: the embedded keys
	RustKeys openpgp.EntityList // nil: the embedded key
	// AllowExpired takes Releases whose time is over (Valid-Until), and says so.
	AllowExpired bool
	// Standing are mirrors that the host's own apt takes such Releases from.
	Standing []string
	Notice   func(string) // takes remarks for the user, several at once

	mu         sync.Mutex
	indexes    map[string]*indexOnce
	packuments map[string]*packumentOnce
	manifests  map[string]*manifestOnce
	recent     []*indexOnce    // whose indexes are in memory, the one asked for last at the end
	have       map[string]bool // SHA-256 of files that mirrors were found to have
}

// An indexOnce is one index of a suite and an architecture: its file is looked up once, and read again where it was let
// go meanwhile.
type indexOnce struct {
	once      sync.Once
	path, sum string // the file and its SHA-256
	date      time.Time
	err       error

	mu    sync.Mutex
	index *archive.Index // nil where it is not in memory
	fault error          // why it cannot be read
}

// inMemory is how many indexes are held beside those that are in use. One takes 30 MB, and a project for eleven platforms
// asks some twenty.
const inMemory = 3

// Update returns the lock with an entry for every request. Entries that are there stay; with update they are all chosen
// anew. Entries that no request asks for are dropped where prune is set. Where there are requests that nothing can
// answer, the error is Faults, which tells them from the others.
func (a *Archive) Update(ctx context.Context, old *lock.Lock, req Requests, update, prune bool) (*lock.Lock, error) {
	out := &lock.Lock{Version: old.Version}
	if !prune {
		*out = *old
		out.Toolchains, out.Sysroots = slices.Clone(old.Toolchains), slices.Clone(old.Sysroots)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	var mu sync.Mutex
	var faults Faults
	fault := func(key string, err error) error {
		mu.Lock()
		defer mu.Unlock()
		return faults.put(key, err)
	}
	for _, r := range req.Toolchains {
		for _, host := range Hosts {
			if r.Only != nil {
				continue // below
			}
			if e, ok := FindToolchain(old, r, host); ok && !update {
				mu.Lock()
				out.PutToolchain(e)
				mu.Unlock()
				continue
			}
			g.Go(func() error {
				e, err := a.Toolchain(gctx, r, host, req.Parts...)
				if err != nil {
					return fault(r.key(), err)
				}
				mu.Lock()
				defer mu.Unlock()
				out.PutToolchain(e)
				return nil
			})
		}
	}
	for _, r := range req.Sysroots {
		if e, ok := FindSysroot(old, r); ok && !update {
			mu.Lock()
			out.PutSysroot(e)
			mu.Unlock()
			continue
		}
		g.Go(func() error {
			e, err := a.Sysroot(gctx, r)
			if err != nil {
				return fault(r.key(), err)
			}
			mu.Lock()
			defer mu.Unlock()
			out.PutSysroot(e)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// What all other platforms have serves one with versions of its own too, where it is one of these.
	for _, r := range req.Toolchains {
		if r.Only == nil {
			continue
		}
		general := slices.ContainsFunc(req.Toolchains, func(x ToolchainRequest) bool {
			return x.Only == nil && x.Def.Name == r.Def.Name
		})
		for _, host := range Hosts {
			if e, ok := FindToolchain(out, r, host); ok && e.Platform == "" && general {
				continue
			}
			e, ok := FindToolchain(old, r, host)
			if !ok || update {
				var err error
				if e, err = a.Toolchain(ctx, r, host); err != nil {
					return nil, err
				}
			}
			e.Platform = r.For()
			out.PutToolchain(e)
		}
	}
	// Parts follow the toolchains that they belong to.
	for _, p := range req.Parts {
		if faults.of[p.Of.key()] != nil {
			continue // there is no toolchain to follow
		}
		r, err := p.In(out)
		if err != nil {
			faults.add(p.key(), fmt.Errorf("%s: %w", p.Where, err))
			continue
		}
		e, ok := FindSysroot(old, r)
		if !ok || update {
			if e, err = a.part(ctx, p, r); err != nil {
				if err := fault(p.key(), err); err != nil {
					return nil, err
				}
				continue
			}
		}
		out.PutSysroot(e)
	}
	if len(faults.order) > 0 {
		return nil, &faults
	}
	return out, nil
}

// FindToolchain returns the lock's entry that answers a request: same definition, a version that the constraint admits,
// the packages of one of its sources. An entry of the platform itself comes before one that is for all.
func FindToolchain(l *lock.Lock, r ToolchainRequest, host string) (lock.Toolchain, bool) {
	found := func(of string) (lock.Toolchain, bool) {
		for _, e := range l.Toolchains {
			if e.Name != r.Def.Name || e.Platform != of || e.Host != host {
				continue
			}
			if _, ok := SourceOf(r.Def, e); !ok {
				continue
			}
			if ok, err := r.admits(e); err != nil || !ok {
				continue
			}
			if !r.Open || !strings.HasPrefix(e.Constraint, ">=") {
				e.Constraint = r.Constraint
			}
			return e, true
		}
		return lock.Toolchain{}, false
	}
	if e, ok := found(r.For()); ok || r.Only == nil {
		return e, ok
	}
	return found("")
}

// SourceOf returns the definition filled in for the source that a locked toolchain came from.
func SourceOf(def *catalog.Toolchain, e lock.Toolchain) (*catalog.Toolchain, bool) {
	host, err := platform.Parse(e.Host)
	if err != nil {
		return nil, false
	}
	for _, s := range def.Sources {
		if in := def.On(host).In(s); s.Suite == e.Suite && s.Archive == e.Archive && slices.Equal(slices.Sorted(slices.Values(in.Packages)), slices.Sorted(slices.Values(e.Roots))) {
			return in, true
		}
	}
	return nil, false
}

// FindSysroot returns the lock's entry that answers a request.
func FindSysroot(l *lock.Lock, r SysrootRequest) (lock.Sysroot, bool) {
	suite, ok := r.Def.Suite(r.Suite)
	if !ok && r.Def.Archive != catalog.NPM {
		return lock.Sysroot{}, false
	}
	roots := rootsOf(r, suite)
	for _, e := range l.Sysroots {
		if e.Name == r.Def.Name && e.Arch == r.Arch && e.Suite == r.Suite && (r.Version == "" || e.Version == r.Version) && r.admits(e.Version) && sameRelease(e, r.Release) && slices.Equal(slices.Sorted(slices.Values(e.Roots)), roots) {
			return e, true
		}
	}
	return lock.Sysroot{}, false
}

// admits tells whether a version satisfies the request's constraints; one that is no constraint nothing satisfies.
func (r SysrootRequest) admits(version string) bool {
	return !slices.ContainsFunc(r.Constraints, func(c string) bool {
		ok, err := Admits(c, version)
		return err != nil || !ok
	})
}

func rootsOf(r SysrootRequest, suite catalog.Suite) []string {
	roots := append(r.Def.Roots(suite), r.Packages...)
	slices.Sort(roots)
	return slices.Compact(roots)
}

// upstream is the version that a semver constraint is held against: Debian's without epoch, revision and what the
// packager added (deb-version(7)).
var upstream = regexp.MustCompile(`^(?:[0-9]+:)?([0-9]+(?:\.[0-9]+){0,2})`)

// Upstream returns the upstream version of a Debian version, at most three numbers.
func Upstream(debian string) string {
	m := upstream.FindStringSubmatch(debian)
	if m == nil {
		return debian
	}
	return m[1]
}

// Admits tells whether a version satisfies a semver constraint; an empty one admits all.
func Admits(constraint, version string) (bool, error) {
	if constraint == "" {
		return true, nil
	}
	if c, ok := rustdist.ParseChannel(constraint); ok {
		return c == rustdist.Channel{Name: rustdist.Stable}, nil // a suite has releases alone
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false, fmt.Errorf("constraint %q: %w", constraint, err)
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false, fmt.Errorf("version %q: %w", version, err)
	}
	return c.Check(v), nil
}

// ErrNoVersion says that no source of a toolchain has a version that the constraint admits.
var ErrNoVersion = errors.New("no such version")

// Toolchain chooses the first source that serves the host with a version that the constraint admits, and that has the
// parts of the toolchain, where one of its own archive has them all. Where none has, it is the first by its version:
// the part that it lacks is told of by itself.
func (a *Archive) Toolchain(ctx context.Context, r ToolchainRequest, host string, parts ...PartRequest) (lock.Toolchain, error) {
	on, err := platform.Parse(host)
	if err != nil {
		return lock.Toolchain{}, err
	}
	var seen []string
	var first lock.Toolchain
	for _, s := range r.Def.Sources {
		if first.Files != nil && !s.Own() {
			break
		}
		def := r.Def.On(on).In(s)
		from := a.debian
		switch s.Archive {
		case catalog.NPM:
			from = a.npm
		case catalog.Rust:
			from = a.rustDist
		}
		e, has, err := from(ctx, def, r, on)
		if err != nil {
			if first.Files != nil {
				break
			}
			where, hint := r.place()
			return lock.Toolchain{}, fmt.Errorf("%s%s for host %s%s: %w%s", where, r, host, lacks(r, seen), err, hint)
		}
		if e.Files != nil {
			e.Name, e.Platform, e.Host, e.Archive, e.Suite, e.Constraint = r.Def.Name, r.For(), host, s.Archive, s.Suite, r.Constraint
			e.Roots = slices.Sorted(slices.Values(def.Packages))
			if hasParts(e, parts) {
				return e, nil
			}
			if first.Files == nil {
				first = e
			}
			continue
		}
		if has != "" {
			seen = append(seen, has+" ("+s.Suite+")")
		}
	}
	if first.Files != nil {
		return first, nil
	}
	where, hint := r.place()
	return lock.Toolchain{}, fmt.Errorf("%s%w of %s for host %s satisfies %s; there are %s%s", where, ErrNoVersion, r.Def.Name, host, r.wants(), strings.Join(seen, ", "), cmp.Or(hint, r.without()))
}

// debian locks what a suite has of a toolchain: its version, the date of the Release and the files. Where the
// constraint does not admit the version, that is all that comes back; a suite without the package has none.
func (a *Archive) debian(ctx context.Context, def *catalog.Toolchain, r ToolchainRequest, host platform.Platform) (e lock.Toolchain, has string, err error) {
	suite := def.Sources[0].Suite
	var version string
	files, date, err := a.served(ctx, suite, host.Debian, func(ix *archive.Index) ([]lock.File, error) {
		pkgs, err := ix.Lookup(def.Package)
		if errors.Is(err, archive.ErrNoPackage) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		version = Upstream(pkgs[0].Version)
		if ok, err := r.Admits(version); err != nil || !ok {
			return nil, err
		}
		return closure(ix, def.Packages, archive.ResolveOptions{Skip: def.Skip, Suite: suite, Arch: host.Debian})
	})
	if err != nil || files == nil {
		return e, version, err
	}
	return lock.Toolchain{Version: version, Date: stamp(date), Files: files}, version, nil
}

// Sysroot locks the packages of a sysroot with their dependencies.
func (a *Archive) Sysroot(ctx context.Context, r SysrootRequest) (lock.Sysroot, error) {
	if r.Def.Archive == catalog.NPM {
		return a.npmSysroot(ctx, r)
	}
	if r.Def.Archive == catalog.Rust {
		return a.rustDistPart(ctx, r)
	}
	suite, ok := r.Def.Suite(r.Suite)
	if !ok {
		return lock.Sysroot{}, fmt.Errorf("%s: sysroot %s has no suite %q", r.Where, r.Def.Name, r.Suite)
	}
	index, roots := r.Arch, rootsOf(r, suite)
	if r.Def.Source != "" {
		if suite.Package == "" {
			return a.source(ctx, r)
		}
		host, err := platform.Parse(Hosts[0]) // every architecture's index has the packages that are for all
		if err != nil {
			return lock.Sysroot{}, err
		}
		index = host.Debian
	}
	version := cmp.Or(suite.Glibc, suite.Version)
	named := r.Def.Package
	if r.Def.Of != "" {
		named = roots[0]
	}
	files, date, err := a.served(ctx, r.Suite, index, func(ix *archive.Index) ([]lock.File, error) {
		if named != "" {
			pkgs, err := ix.Lookup(named)
			if err != nil {
				return nil, err
			}
			version = Upstream(pkgs[0].Version)
		}
		return closure(ix, roots, archive.ResolveOptions{Skip: r.Def.Skip, Suite: r.Suite, Arch: index})
	})
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("sysroot of %s (%s): %w", r.Where, r.Arch, err)
	}
	if !r.admits(version) {
		return lock.Sysroot{}, fmt.Errorf("%s: %w of %s: %s of %s is %s now, which %s does not admit", r.Where, ErrNoVersion, r.Def.Name, named, r.Suite, version, strings.Join(r.Constraints, ", "))
	}
	if r.Version != "" && version != r.Version {
		return lock.Sysroot{}, fmt.Errorf("%s of %s: %s of %s is %s now, while %s %s is locked\nhint: run \"xbuild lock --update\"", r.Def.Name, r.Where, roots[0], r.Suite, version, r.Def.Of, r.Version)
	}
	return lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Date: stamp(date), Version: version, Archive: "debian", Roots: roots, Files: files}, nil
}

// orig matches the name of a source package's upstream source (deb-src-control(5)).
var orig = regexp.MustCompile(`\.orig\.tar\.(gz|xz|bz2|zst)$`)

// source locks the upstream source of a source package, in the version that the request names.
func (a *Archive) source(ctx context.Context, r SysrootRequest) (lock.Sysroot, error) {
	path, date, err := a.File(ctx, r.Suite, func(rel *archive.Release) (string, archive.FileHash, error) {
		_, byHash, hash, err := rel.SourceIndex("main")
		return byHash, hash, err
	})
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: %w", r.Def.Name, r.Where, err)
	}
	ix, err := archive.ReadSources(path)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: %w", r.Def.Name, r.Where, err)
	}
	pkgs, err := ix.Lookup(r.Def.Source)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s for %s: source package %s of %s: %w", r.Def.Name, r.Where, r.Def.Source, r.Suite, err)
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
				file := lock.File{Name: p.Name, Version: p.Version, Arch: SourceArch, Path: p.Directory + "/" + f.Name, Size: f.Size, SHA256: f.SHA256}
				return lock.Sysroot{Name: r.Def.Name, Arch: SourceArch, Suite: r.Suite, Date: stamp(date), Version: version, Archive: "debian", Roots: []string{}, Files: []lock.File{file}}, nil
			}
		}
		return lock.Sysroot{}, fmt.Errorf("%s for %s: source package %s %s of %s has no .orig.tar", r.Def.Name, r.Where, p.Name, p.Version, r.Suite)
	}
	return lock.Sysroot{}, fmt.Errorf("%s for %s: source package %s of %s is %s now, while %s %s is locked\nhint: run \"xbuild lock --update\"",
		r.Def.Name, r.Where, r.Def.Source, r.Suite, strings.Join(versions, ", "), r.Def.Of, r.Version)
}

// stamp is a time as the snapshot archive writes it into its URLs.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

func closure(ix *archive.Index, roots []string, opt archive.ResolveOptions) ([]lock.File, error) {
	pkgs, err := archive.Resolve(ix, roots, opt)
	if err != nil {
		return nil, err
	}
	files := make([]lock.File, len(pkgs))
	for i, p := range pkgs {
		files[i] = lock.File{Name: p.Name, Version: p.Version, Arch: p.Architecture, Path: p.Filename, Size: p.Size, SHA256: p.SHA256}
	}
	return files, nil
}

// served returns what choose takes from the index of a suite and architecture, and the date of the Release that names
// it. Where mirrors lack a file that the newest Release names (a mirror in the midst of an update has the indexes of
// some architectures before their packages), an older Release serves whose files are all there. Where there is none,
// the newest's files come back: one that is missing today may never be fetched on this host, and whoever fetches it is
// told.
func (a *Archive) served(ctx context.Context, suite, arch string, choose func(*archive.Index) ([]lock.File, error)) ([]lock.File, time.Time, error) {
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
			a.say("%s, and there is no older one with all files", what)
			return files, date, nil
		}
		if len(gone) == 0 {
			a.say("%s; the Release of %s serves", what, at.UTC().Format(time.RFC3339))
			return older, at, nil
		}
		before = at
	}
}

// runtime chooses the archive's libraries that a toolchain from elsewhere runs with.
func (a *Archive) runtime(ctx context.Context, def *catalog.Toolchain, host platform.Platform) ([]lock.File, time.Time, error) {
	suite := def.Sources[0].Runtime
	return a.served(ctx, suite, host.Debian, func(ix *archive.Index) ([]lock.File, error) {
		return closure(ix, def.Runtime, archive.ResolveOptions{Skip: def.Skip, Suite: suite, Arch: host.Debian})
	})
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
		it := fetch.Item{Name: f.Name, SHA256: f.SHA256, Size: f.Size}
		for _, m := range a.Mirrors {
			it.URLs = append(it.URLs, m+"/"+f.Path)
		}
		if a.Snapshot != "" {
			it.URLs = append(it.URLs, a.Snapshot+"/"+stamp(date)+"/"+f.Path)
		}
		items = append(items, it)
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

// Index returns the verified package index of a suite and architecture and the date of the Release that names it, read
// once.
func (a *Archive) Index(ctx context.Context, suite, arch string) (*archive.Index, time.Time, error) {
	return a.index(ctx, suite, arch, time.Time{})
}

// packages reads a package index. What is used of it is kept in the store in a form that takes a tenth of the time to
// read: every new project locks out of the same indexes.
func (a *Archive) packages(ctx context.Context, file, sum string) (*archive.Index, error) {
	const name = "Packages.zst"
	var ix *archive.Index
	dir, err := a.Store.Tree(ctx, "packages-"+sum[:16], func(tmp, _ string) (err error) {
		if ix, err = archive.ReadPackages(file); err != nil {
			return err
		}
		out, err := os.Create(filepath.Join(tmp, name))
		if err != nil {
			return err
		}
		defer out.Close()
		z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(z, 1<<20)
		if err := errors.Join(ix.Write(w), w.Flush(), z.Close()); err != nil {
			return err
		}
		return out.Close()
	})
	if err != nil || ix != nil {
		return ix, err
	}
	return archive.ReadPackages(filepath.Join(dir, name))
}

// index is Index, of Releases before a time where one is given.
func (a *Archive) index(ctx context.Context, suite, arch string, before time.Time) (*archive.Index, time.Time, error) {
	key := fmt.Sprintf("%s/%s/%d", suite, arch, before.Unix())
	a.mu.Lock()
	if a.indexes == nil {
		a.indexes = map[string]*indexOnce{}
	}
	o := a.indexes[key]
	if o == nil {
		o = &indexOnce{}
		a.indexes[key] = o
	}
	a.mu.Unlock()
	o.once.Do(func() {
		o.path, o.date, o.err = a.file(ctx, suite, before, func(r *archive.Release) (string, archive.FileHash, error) {
			_, byHash, hash, err := r.Index("main", arch)
			o.sum = hash.SHA256
			return byHash, hash, err
		})
	})
	if o.err != nil {
		return nil, o.date, o.err
	}
	o.mu.Lock()
	if o.index == nil && o.fault == nil {
		o.index, o.fault = a.packages(ctx, o.path, o.sum)
	}
	ix, err := o.index, o.fault
	o.mu.Unlock()
	a.holds(o)
	return ix, o.date, err
}

// holds lets the index go that was asked for longest ago, where there are too many.
func (a *Archive) holds(o *indexOnce) {
	a.mu.Lock()
	a.recent = append(slices.DeleteFunc(a.recent, func(r *indexOnce) bool { return r == o }), o)
	var old *indexOnce
	if len(a.recent) > inMemory {
		old, a.recent = a.recent[0], a.recent[1:]
	}
	a.mu.Unlock()
	if old != nil {
		old.mu.Lock()
		old.index = nil
		old.mu.Unlock()
	}
}

// File fetches a file that a suite's Release names by hash, trying each mirror, and on each the suite's alias where the
// Release of that name cannot be used: a mirror in the midst of an update serves a Release whose indexes it does not
// have yet.
func (a *Archive) File(ctx context.Context, suite string, pick func(*archive.Release) (path string, hash archive.FileHash, err error)) (string, time.Time, error) {
	return a.file(ctx, suite, time.Time{}, pick)
}

// file is File, of Releases before a time where one is given.
func (a *Archive) file(ctx context.Context, suite string, before time.Time, pick func(*archive.Release) (path string, hash archive.FileHash, err error)) (string, time.Time, error) {
	keyring := a.Keyring
	if keyring == nil {
		var err error
		if keyring, err = archive.Keyring(); err != nil {
			return "", time.Time{}, err
		}
	}
	newest := a.seen(suite)
	var faults []error
	type old struct {
		base, name string
		release    *archive.Release
	}
	var olds []old
	use := func(base, name string, r *archive.Release) (string, error) {
		path, hash, err := pick(r)
		if err != nil {
			return "", fmt.Errorf("%s/dists/%s: Release of %s: %w", base, name, r.Date.UTC().Format(time.RFC3339), err)
		}
		path = "dists/" + name + "/" + path
		if err := fetch.Files(ctx, a.Store, []fetch.Item{{Name: suite + " index", URLs: []string{base + "/" + path}, SHA256: hash.SHA256, Size: hash.Size}}, a.Fetch); err != nil {
			if fetch.Local(err) {
				return "", err
			}
			return "", fmt.Errorf("%s/dists/%s: its Release of %s names %s, which is not to be had (the mirror is in the middle of an update?): %w",
				base, name, r.Date.UTC().Format(time.RFC3339), path, err)
		}
		file, ok := a.Store.File(hash.SHA256)
		if !ok {
			return "", fmt.Errorf("index %s vanished from the store", hash.SHA256)
		}
		a.remember(suite, r.Date)
		return file, nil
	}
	// What is wrong with one mirror is told, and the next is asked. In the end all of it is said anyway.
	fault := func(err error) {
		faults = append(faults, err)
	}
	told := func() {
		for _, err := range faults {
			if before.IsZero() && !errors.Is(err, fetch.ErrNotFound) {
				a.say("%v; another mirror serves", err)
			}
		}
	}
	for _, base := range a.Mirrors {
		for _, name := range append([]string{suite}, aliases...) {
			if err := ctx.Err(); err != nil {
				return "", time.Time{}, err
			}
			data, url, err := a.Fetch.Bytes(ctx, a.Store, []string{base + "/dists/" + name + "/InRelease"}, maxRelease)
			if fetch.Local(err) {
				return "", time.Time{}, err
			}
			if err != nil {
				fault(err)
				if !errors.Is(err, fetch.ErrNotFound) {
					break // the mirror itself does not answer: another name on it would not either
				}
				continue
			}
			r, err := release(keyring, data)
			if err != nil {
				fault(fmt.Errorf("%s: %w", url, err))
				break // a mirror that is not what it says is asked for nothing else
			}
			if r.Codename != suite {
				if name == suite {
					fault(fmt.Errorf("%s: codename is %q, want %q", url, r.Codename, suite))
					break
				}
				continue
			}
			if err := a.current(base, r); err != nil {
				fault(fmt.Errorf("%s: %w", url, err))
				continue
			}
			if !before.IsZero() && !r.Date.Before(before) {
				continue
			}
			if r.Date.Before(newest) {
				olds = append(olds, old{base, name, r})
				continue
			}
			path, err := use(base, name, r)
			if err == nil {
				told()
				return path, r.Date, nil
			}
			if fetch.Local(err) {
				return "", time.Time{}, err
			}
			fault(err)
		}
	}
	// A Release older than one seen before may be a replayed one: taken only where no newer one can be used, and said.
	for _, o := range olds {
		path, err := use(o.base, o.name, o.release)
		if err == nil {
			if before.IsZero() { // else whoever asks for an older one says why
				a.say("%s/dists/%s: Release of %s is older than one seen before (%s), and no newer one can be used", o.base, o.name,
					o.release.Date.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
			}
			told()
			return path, o.release.Date, nil
		}
		if fetch.Local(err) {
			return "", time.Time{}, err
		}
		fault(err)
	}
	if len(a.Mirrors) == 0 {
		return "", time.Time{}, errors.New("no mirror of the debian archive is configured; set XBUILD_DEBIAN_MIRROR or [mirrors] debian")
	}
	return "", time.Time{}, fmt.Errorf("suite %s: no mirror serves a usable index; name another with XBUILD_DEBIAN_MIRROR or [mirrors] debian, or try later:\n%w", suite, errors.Join(faults...))
}

// release reads an InRelease that is signed by one of the keys.
func release(keyring openpgp.EntityList, data []byte) (*archive.Release, error) {
	text, err := archive.VerifyInRelease(keyring, data)
	if err != nil {
		return nil, err
	}
	return archive.ParseRelease(text)
}

// dated is the date in the address of a mirror that has the archive as it was (…/archive/debian/20260102T030405Z/…).
var dated = regexp.MustCompile(`/(\d{8}T\d{6}Z)(?:/|$)`)

// current refuses a Release whose time is over (Valid-Until), which hides what came after it, and one whose time has
// not come, beside which all honest ones would look old. On a mirror of a certain day it is that day.
func (a *Archive) current(base string, r *archive.Release) error {
	now := time.Now()
	if r.Date.After(now.Add(24 * time.Hour)) {
		return fmt.Errorf("its Release is of %s, and today is %s: is this machine's clock right?", r.Date.UTC().Format(time.RFC3339), now.UTC().Format(time.DateOnly))
	}
	if m := dated.FindStringSubmatch(base); m != nil {
		if day, err := time.Parse("20060102T150405Z", m[1]); err == nil {
			now = day
		}
	}
	if r.ValidUntil.IsZero() || !now.After(r.ValidUntil) {
		return nil
	}
	if slices.Contains(a.Standing, base) {
		return nil
	}
	if a.AllowExpired {
		a.say("%s: the Release of %s expired on %s", base, r.Codename, r.ValidUntil.UTC().Format(time.RFC3339))
		return nil
	}
	return fmt.Errorf("its Release of %s expired on %s: the mirror is not kept up to date, or somebody withholds newer ones; --allow-expired takes it all the same", r.Date.UTC().Format(time.RFC3339), r.ValidUntil.UTC().Format(time.RFC3339))
}

// The newest Release seen of each suite is kept in the store, beside the trees: it is what tells a downgrade.
func (a *Archive) seenFile() string { return filepath.Join(a.Store.Dir(), "releases.json") }

func (a *Archive) seen(suite string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	date := a.readSeen()[suite]
	if date.After(time.Now().Add(24 * time.Hour)) {
		return time.Time{} // of a clock that was wrong: see current
	}
	return date
}

func (a *Archive) readSeen() map[string]time.Time {
	m := map[string]time.Time{}
	data, err := os.ReadFile(a.seenFile())
	if err == nil && json.Unmarshal(data, &m) != nil {
		return map[string]time.Time{}
	}
	return m
}

func (a *Archive) remember(suite string, date time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.readSeen()
	if !date.After(m[suite]) && !m[suite].After(time.Now().Add(24*time.Hour)) {
		return
	}
	m[suite] = date
	data, err := json.Marshal(m)
	if err != nil {
		return
	}
	tmp := fmt.Sprintf("%s.%d", a.seenFile(), os.Getpid())
	if os.WriteFile(tmp, data, 0o644) == nil {
		os.Rename(tmp, a.seenFile())
	}
}
