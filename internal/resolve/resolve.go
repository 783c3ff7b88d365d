// Package resolve turns requests (a toolchain by version constraint, a sysroot by suite) into lock entries: the exact
// files with their hashes, chosen by archives of several kinds. It says what is asked for and which of several sources
// answers; what an archive's index is, why it is trusted, and how it is read, its package below origin knows.
package resolve

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/origin/debian"
	"xbuild/internal/origin/rust"
	"xbuild/internal/platform"
	"xbuild/internal/store"
)

// Hosts are the platforms that xbuild runs on; the lock holds the toolchains of each, so that it is the same whoever
// writes it.
var Hosts = []string{"linux/amd64", "linux/arm64"}

// A ToolchainRequest asks for a toolchain on every host.
type ToolchainRequest struct {
	Def        *catalog.Toolchain
	Constraint string // semver; "" takes the definition's first source
	// Only is the platform that it is for, and which versions serve that; nil for all of which the definition says
	// none.
	Only *catalog.Only
	// Platform is the one that it is for, where the definition's packages compile for one machine each; "" where for all.
	Platform string
	Where    string // file:line of the constraint, for errors
	Hint     string // what else can be done where nothing satisfies it
	// Open says that the project names no release, at most the least one: what is locked stays with the constraint that
	// it was chosen by.
	Open bool
}

// For names the platform that the toolchain is asked for; "" where any that the definition says nothing of.
func (r ToolchainRequest) For() string {
	if r.Platform != "" || r.Only == nil {
		return r.Platform
	}
	return r.Only.Platform
}

// String names what is asked for.
func (r ToolchainRequest) String() string {
	if r.For() == "" {
		return "toolchain " + r.Def.Name
	}
	return "toolchain " + r.Def.Name + " of " + r.For()
}

// Admits tells whether a version satisfies the project's constraint and the platform's.
func (r ToolchainRequest) Admits(version string) (bool, error) {
	ok, err := Admits(r.Constraint, version)
	if err != nil || !ok || r.Only == nil {
		return ok, err
	}
	return Admits(r.Only.Versions, version)
}

// fault is an error about the request, with where it was made and what else can be done.
func (r ToolchainRequest) fault(err error, way string) error {
	if r.Where != "" {
		err = fmt.Errorf("%s: %w", r.Where, err)
	}
	if way == "" {
		return err
	}
	return hint.Add(err, "%s", way)
}

// without is what can be done where no version serves both the project and the platform.
func (r ToolchainRequest) without() string {
	if r.Only == nil {
		return ""
	}
	way := "leave " + r.Only.Platform + " out of platforms"
	if r.Constraint != "" {
		way += fmt.Sprintf(", or write %s = %q in [toolchains]: %s alone gets what comes second",
			r.Def.Name, r.Constraint+" || "+r.Only.Versions, r.Only.Platform)
	}
	return way
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
type SysrootRequest = origin.Sysroot

// A PartRequest asks for the library that a toolchain brings for a platform, in the suite and version that the
// toolchain is locked to.
type PartRequest struct {
	Def *catalog.Sysroot
	// asked in turn where Def's suite has none for the target; the last may be the source that it is built from
	From   []*catalog.Sysroot
	Of     ToolchainRequest
	Target string // the compiler's name of the platform
	// Promised are the features of the platform's baseline: a library that uses others is none for it.
	Promised []string
	Where    string // the platform, for errors
}

// Requests are all that a project needs.
type Requests struct {
	Toolchains   []ToolchainRequest
	Sysroots     []SysrootRequest
	Parts        []PartRequest
	HostPackages []HostPackagesRequest
}

// In returns the request for the sysroot that a part is, where the lock holds its toolchain. The first host's entry
// decides: the lock is the same whoever writes it.
func (r PartRequest) In(l *lock.Lock) (SysrootRequest, error) {
	t, ok := FindToolchain(l, r.Of, Hosts[0])
	if !ok {
		return SysrootRequest{}, fmt.Errorf("toolchain %s is not locked", r.Of.Def.Name)
	}
	if k, ok := released(t.Archive); ok {
		return r.inRelease(l, t, k)
	}
	var beyond error
	for _, d := range append([]*catalog.Sysroot{r.Def}, r.From...) {
		suite, ok := d.Suite(t.Suite)
		arch := suite.Targets[r.Target]
		if ok && d.Source != "" {
			arch = origin.SourceArch
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
	return SysrootRequest{}, fmt.Errorf("%w %s of %s %s (%s)", origin.ErrNoTarget, r.Target, t.Name, t.Version, t.Suite)
}

// hasParts tells whether the archive that a toolchain is from has every part of it, of those that are requested.
func hasParts(t lock.Toolchain, parts []PartRequest) bool {
	if _, ok := released(t.Archive); ok {
		return true // its release alone knows, and nothing stands behind it
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
		if ok, err := Admits(versions, debian.Upstream(t.Version)); err != nil || !ok {
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
			return hint.Add(fmt.Errorf("the standard library of %s %s (%s) uses %s, which %s does not promise, %s",
				t.Name, t.Version, t.Suite, f, r.Where, why),
				"promise it: [platform.%q] features = [%q]; or name another version in [toolchains]", r.Where, f)
		}
	}
	return nil
}

// An Archive is the archives of all kinds, through their mirrors. Indexes are kept in the store by hash.
type Archive struct {
	Store    *store.Store
	Mirrors  []string // base URLs of the Debian archive, the best first
	Snapshot string   // base URL of the archive of what mirrors no longer carry, by the date of a Release; "" for none
	NPM      []string // registries of npm, the same
	Rust     []string // servers of Rust's distribution, the same
	PyPI     []string // indexes of Python packages, the same
	Fetch    fetch.Options
	Keyring  openpgp.EntityList // nil: the embedded keys
	RustKeys openpgp.EntityList // nil: the embedded key
	// AllowExpired takes Releases whose time is over (Valid-Until), and says so.
	AllowExpired bool
	// Standing are mirrors that the host's own apt takes such Releases from.
	Standing []string
	Notice   func(string) // takes remarks for the user, several at once

	mu     sync.Mutex
	client *origin.Client
	opened map[string]origin.Archive // by kind
}

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
				return fault(sysrootKey(r), err)
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
			return x.For() == "" && x.Def.Name == r.Def.Name
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
	if err := a.hostPackages(ctx, old, out, req.HostPackages, update, &faults); err != nil {
		return nil, err
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
		if in := def.On(host).In(s); s.Suite == e.Suite && s.Archive == e.Archive &&
			slices.Equal(slices.Sorted(slices.Values(in.Packages)), slices.Sorted(slices.Values(e.Roots))) {
			return in, true
		}
	}
	return nil, false
}

// FindSysroot returns the lock's entry that answers a request.
func FindSysroot(l *lock.Lock, r SysrootRequest) (lock.Sysroot, bool) {
	_, ok := r.Def.Suite(r.Suite)
	if !ok && len(r.Def.Suites) > 0 {
		return lock.Sysroot{}, false
	}
	roots := r.Roots()
	for _, e := range l.Sysroots {
		if e.Name == r.Def.Name && e.Arch == r.Arch && e.Suite == r.Suite && (r.Version == "" || e.Version == r.Version) &&
			r.Admits(e.Version) && sameRelease(e, r.Release) && slices.Equal(slices.Sorted(slices.Values(e.Roots)), roots) {
			return e, true
		}
	}
	return lock.Sysroot{}, false
}

// Admits tells whether a version satisfies a semver constraint; an empty one admits all.
func Admits(constraint, version string) (bool, error) {
	if c, ok := rust.ParseChannel(constraint); ok {
		return c == rust.Channel{Name: rust.Stable}, nil // a suite has releases alone
	}
	return origin.Admits(constraint, version)
}

// admits tells whether a locked toolchain satisfies what is asked for.
func (r ToolchainRequest) admits(e lock.Toolchain) (bool, error) {
	if k, ok := Kind(e.Archive).(origin.Naming); ok {
		if is, named := k.Named(r.Constraint, e); named {
			return is, nil
		}
	}
	return r.Admits(e.Version)
}

// Toolchain chooses the first source that serves the host with a version that the constraint admits, and that has the
// parts of the toolchain, where one of its own archive has them all. Where none has, it is the first by its version:
// the part that it lacks is told of by itself.
func (a *Archive) Toolchain(ctx context.Context, r ToolchainRequest, host string,
	parts ...PartRequest) (lock.Toolchain, error) {
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
		want := origin.Toolchain{Def: def, Host: on, Constraint: r.Constraint, Admits: r.Admits}
		e, has, err := a.archive(s.Archive).Toolchain(ctx, want)
		if err == nil && e.Files != nil && len(def.Runtime) > 0 {
			err = a.runtime(ctx, want, &e)
		}
		if err != nil {
			if first.Files != nil {
				break
			}
			return lock.Toolchain{}, r.fault(fmt.Errorf("%s for host %s%s: %w", r, host, lacks(r, seen), err), r.Hint)
		}
		if e.Files != nil {
			e.Name, e.Platform, e.Host, e.Archive, e.Suite, e.Constraint = r.Def.Name, r.For(), host, s.Archive,
				s.Suite, r.Constraint
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
	err = fmt.Errorf("%w of %s for host %s satisfies %s; there are %s",
		origin.ErrNoVersion, r.Def.Name, host, r.wants(), strings.Join(seen, ", "))
	return lock.Toolchain{}, r.fault(err, cmp.Or(r.Hint, r.without()))
}

// runtime adds the Debian packages that the programs of a toolchain from elsewhere run with.
func (a *Archive) runtime(ctx context.Context, t origin.Toolchain, e *lock.Toolchain) error {
	files, date, err := a.Debian().Runtime(ctx, t)
	if err != nil {
		return fmt.Errorf("libraries that %s %s runs with: %w", t.Def.Name, e.Version, err)
	}
	for _, f := range files {
		f.Archive = catalog.Debian
		e.Files = append(e.Files, f)
	}
	e.Date = date
	return nil
}

// Sysroot locks the packages of a sysroot with their dependencies.
func (a *Archive) Sysroot(ctx context.Context, r SysrootRequest) (lock.Sysroot, error) {
	from, ok := a.archive(cmp.Or(r.Def.Archive, catalog.Debian)).(origin.Sysroots)
	if !ok {
		return lock.Sysroot{}, fmt.Errorf("%s: an archive of the kind %q has no sysroots", r.Where, r.Def.Archive)
	}
	return from.Sysroot(ctx, r)
}

// lacks says which versions were no choice before something failed.
func lacks(r ToolchainRequest, seen []string) string {
	if len(seen) == 0 {
		return ""
	}
	return fmt.Sprintf(" (none of %s satisfies %s)", strings.Join(seen, ", "), r.wants())
}
