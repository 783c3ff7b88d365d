package plan

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// A Requirement is what the lock has to hold for one target on one platform, or why it cannot be built there.
type Requirement struct {
	Target   string
	Platform string // the name
	resolve.Requests
	Err error
}

// Requirements says what the lock has to hold for a selection, one a target and platform. What is wrong with one stops
// no other.
func (pl *Planner) Requirements(sel Selection) ([]Requirement, error) {
	targets, err := pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	var out []Requirement
	for _, t := range targets {
		for _, p := range t.Platforms {
			r := Requirement{Target: t.Name, Platform: p.Name}
			if t.Host {
				r.Platform = onHost
				r.Err = pl.requireOnHost(&r.Requests, t.Target)
			} else {
				r.Err = pl.require(&r.Requests, t.Target, p)
			}
			if r.Err != nil {
				r.Err = fmt.Errorf("%s:%d: target %q: %w", pl.Project.File, t.Line, t.Name, r.Err)
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// Require says what the lock has to hold for a selection, in which nothing may be wrong.
func (pl *Planner) Require(sel Selection) (resolve.Requests, error) {
	all, err := pl.Requirements(sel)
	if err != nil {
		return resolve.Requests{}, err
	}
	for _, r := range all {
		if r.Err != nil {
			return resolve.Requests{}, r.Err
		}
	}
	return Merged(all), nil
}

// Merged is all that requirements in which nothing is wrong request, each request once.
func Merged(all []Requirement) resolve.Requests {
	var out resolve.Requests
	for _, r := range all {
		if r.Err != nil {
			continue
		}
		for _, t := range r.Toolchains {
			putToolchain(&out, t)
		}
		for _, s := range r.Sysroots {
			putSysroot(&out, s)
		}
		for _, p := range r.Parts {
			putPart(&out, p)
		}
	}
	return out
}

// require asks for what one target needs for one platform.
func (pl *Planner) require(req *resolve.Requests, t project.Target, p platform.Platform) error {
	t = t.For(p)
	for _, n := range t.Needs {
		if err := pl.missing(t, p, n); err != nil {
			return err
		}
	}
	p, err := pl.withLibc(p)
	if err != nil {
		return err
	}
	if libc := pl.libc(p); libc == "musl" && t.Static != nil && !*t.Static {
		return fmt.Errorf("static = false: programs for %s are always linked statically", libc)
	}
	if why, refused := pl.Catalog.Recipe(t.Recipe).Refuse[p.Name]; refused {
		return fmt.Errorf("recipe %s does not build for %s: %s\nhint: name the target's platforms without it: platforms = […]", t.Recipe, p.Name, why)
	}
	if err := pl.manager(t); err != nil {
		return err
	}
	vars := pl.vars(t, p)
	for _, r := range pl.Catalog.Recipe(t.Recipe).Refusals {
		if refused, err := r.Of(vars, t.Env); err != nil {
			return fmt.Errorf("recipes/%s.toml: %w", t.Recipe, err)
		} else if refused && slices.Contains(r.Platforms, p.Name) {
			return fmt.Errorf("recipe %s does not build this for %s: %s\n"+
				"hint: name the target's platforms without it: platforms = […]", t.Recipe, p.Name, r.Why)
		}
	}
	needs, err := pl.needs(t, vars)
	if err != nil {
		return err
	}
	for _, need := range needs {
		if err := pl.requireNeed(req, need, p, vars, fmt.Sprintf("%s:%d: target %q", pl.Project.File, t.Line, t.Name)); err != nil {
			return err
		}
		for _, name := range need.Toolchains {
			if def := pl.Catalog.Toolchain(name); def.Dialect != nil {
				if _, _, err := pl.spelled(def, t, p, vars["static"].(bool)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// bringsLibc tells whether rustc links for a platform by itself, with the C library that its standard library holds:
// there is no C compiler then.
func bringsLibc(need catalog.Need, p platform.Platform) bool {
	return p.RustLinker != "" && slices.Contains(need.Toolchains, "rust")
}

// requireNeed asks for all that a recipe needs for a platform.
func (pl *Planner) requireNeed(req *resolve.Requests, need catalog.Need, p platform.Platform, vars catalog.Vars, where string) error {
	for _, name := range need.Toolchains {
		if err := pl.requireToolchain(req, name, p); err != nil {
			return err
		}
	}
	if need.Sysroot && !bringsLibc(need, p) {
		if err := pl.requireSysroot(req, p); err != nil {
			return err
		}
	}
	if need.Host {
		if err := pl.requireHost(req, p); err != nil {
			return err
		}
	}
	for _, name := range need.Parts {
		if def := pl.Catalog.Part(name); def != nil && def.Archive == catalog.NPM {
			for _, version := range vars[need.Versions].([]string) {
				if _, err := semver.NewConstraint(version); err != nil {
					return fmt.Errorf("%s names %q, which is no version (such as %q, %q or %q)", need.Versions, version, "24", "22.14.0", ">=20.11, <21")
				}
				putSysroot(req, resolve.SysrootRequest{Def: def, Arch: "all", Suite: version, Where: fmt.Sprintf("%s: %s names %q", where, need.Versions, version)})
			}
			continue
		}
		if err := pl.requirePart(req, name, p); err != nil {
			return err
		}
	}
	return nil
}

// needs are a recipe's for a target, those whose conditions hold, and the target's own tools.
func (pl *Planner) needs(t project.Target, vars catalog.Vars) ([]catalog.Need, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	var out []catalog.Need
	for _, need := range recipe.Needs {
		ok, err := vars.Holds(need.When)
		if err != nil {
			return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
		}
		if ok {
			if ok, err = pl.wanted(need, filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source)), t.Recipe); err != nil {
				return nil, err
			}
			// What a target itself says, in vars for one, is as good as what its Makefile says.
			ok = ok || len(need.Mentions) > 0 && anyOf(need.Words).MatchString(fmt.Sprint(t.Options, t.Env))
		}
		if ok {
			out = append(out, need)
		}
	}
	if len(t.Tools) > 0 {
		out = append(out, catalog.Need{Toolchains: t.Tools})
	}
	return out, nil
}

// wanted tells whether the source of a project in a directory is one that a need is for: by the crates that it locks,
// or by what its files mention.
func (pl *Planner) wanted(need catalog.Need, dir, recipe string) (bool, error) {
	if len(need.Crates) > 0 {
		return locksCrate(watched(dir, pl.Catalog.Recipe(recipe).Root), need.Crates)
	}
	if len(need.Mentions) == 0 {
		return true, nil
	}
	key := dir + "\x00" + strings.Join(slices.Concat(need.Mentions, need.Words), "\x00")
	if pl.mentioned == nil {
		pl.mentioned = map[string]bool{}
	}
	return once(pl.mentioned, key, func() (bool, error) { return mentions(dir, need.Mentions, need.Words) })
}

// anyOf matches each of some words.
func anyOf(words []string) *regexp.Regexp {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = regexp.QuoteMeta(w)
	}
	return regexp.MustCompile(`\b(?:` + strings.Join(quoted, "|") + `)\b`)
}

// mentions tells whether one of the files in a directory that globs name has one of some words in it.
func mentions(dir string, globs, words []string) (bool, error) {
	word := anyOf(words)
	found, root := false, os.DirFS(dir)
	for _, glob := range globs {
		err := doublestar.GlobWalk(root, glob, func(name string, _ fs.DirEntry) error {
			data, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			if word.Match(data) {
				found = true
				return fs.SkipAll
			}
			return nil
		}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil && !errors.Is(err, fs.SkipAll) && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("%s: %w", dir, err)
		}
		if found {
			break
		}
	}
	return found, nil
}

// crateName is the line of Cargo.lock that names a package.
var crateName = regexp.MustCompile(`(?m)^name = "([^"]+)"$`)

// locksCrate tells whether the Cargo.lock in a directory names one of some packages. Before there is one, what
// Cargo.toml itself names is all that is known.
func locksCrate(dir string, crates []string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, "Cargo.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = os.ReadFile(filepath.Join(dir, "Cargo.toml")); errors.Is(err, fs.ErrNotExist) {
			return false, nil // cargo says it better
		}
		return slices.ContainsFunc(crates, func(c string) bool { return dependsOn(data, c) }), err
	}
	for _, m := range crateName.FindAllSubmatch(data, -1) {
		if slices.Contains(crates, string(m[1])) {
			return true, nil
		}
	}
	return false, err
}

// dependsOn tells whether a Cargo.toml has a key, or a table, of the name of a package.
func dependsOn(manifest []byte, crate string) bool {
	return regexp.MustCompile(`(?m)^\s*(\[.*dependencies\.)?"?` + regexp.QuoteMeta(crate) + `"?\s*[\].=]`).Match(manifest)
}

// RequireView says what the lock has to hold for the compiler view of platforms, and for further toolchains.
func (pl *Planner) RequireView(platforms []platform.Platform, toolchains ...string) (resolve.Requests, error) {
	var req resolve.Requests
	for _, p := range platforms {
		for _, name := range append([]string{"clang", "pkgconf"}, toolchains...) {
			if err := pl.requireToolchain(&req, name, p); err != nil {
				return req, err
			}
		}
		if err := pl.requireSysroot(&req, p); err != nil {
			return req, err
		}
	}
	return req, nil
}

// RequireToolchain says what the lock has to hold for one toolchain, which is used while something is made or run for
// p.
func (pl *Planner) RequireToolchain(name string, p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	err := pl.requireToolchain(&req, name, p)
	return req, err
}

func (pl *Planner) requireToolchain(req *resolve.Requests, name string, p platform.Platform) error {
	if pl.Project.Toolchains[name].Source == "host" {
		return nil
	}
	r, err := pl.toolchainRequest(name, p)
	if err != nil {
		return err
	}
	putToolchain(req, r)
	return nil
}

func putToolchain(req *resolve.Requests, r resolve.ToolchainRequest) {
	if !slices.ContainsFunc(req.Toolchains, func(x resolve.ToolchainRequest) bool {
		return x.Def.Name == r.Def.Name && x.For() == r.For()
	}) {
		req.Toolchains = append(req.Toolchains, r)
	}
}

func (pl *Planner) toolchainRequest(name string, p platform.Platform) (resolve.ToolchainRequest, error) {
	def := pl.Catalog.Toolchain(name)
	if def == nil {
		return resolve.ToolchainRequest{}, fmt.Errorf("toolchain %q is unknown (xbuild toolchains lists them)", name)
	}
	asked := pl.Project.Toolchains[name]
	r := resolve.ToolchainRequest{Def: def.From(asked.Source), Constraint: asked.Constraint, Only: def.For(p), Open: asked.Constraint == "" || asked.Least != ""}
	if asked.Line > 0 {
		file := pl.Project.File
		if asked.File != "" {
			file = asked.File
		}
		r.Where, r.Hint = fmt.Sprintf("%s:%d", file, asked.Line), asked.Hint
	}
	// Go fetches an exact release itself: the archive's newest that there is starts it.
	if name == "go" && exactGo(asked.Constraint) != "" {
		r.Constraint = ""
	}
	return r, nil
}

// exactGo returns the release that a constraint names exactly, "" where it names a range.
func exactGo(constraint string) string {
	v, err := semver.StrictNewVersion(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "=")))
	if err != nil {
		return ""
	}
	return v.String()
}

// libc is the one that a platform is built for with: its only one, or the project's.
func (pl *Planner) libc(p platform.Platform) string {
	return cmp.Or(p.Libc, pl.Project.Config(p).Sysroot.Libc, "gnu")
}

// Suite chooses the suite whose packages are the sysroot of a platform.
func (pl *Planner) Suite(p platform.Platform) (*catalog.Sysroot, catalog.Suite, error) {
	cfg := pl.Project.Config(p)
	libc := pl.libc(p)
	def := pl.Catalog.Sysroot(libc)
	if def == nil {
		return nil, catalog.Suite{}, fmt.Errorf("no sysroot for libc %q", libc)
	}
	if !p.HasSysroot() {
		return nil, catalog.Suite{}, fmt.Errorf("platform %q has no C toolchain or sysroot; it is for Go without cgo alone", p.Name)
	}
	has := func(s catalog.Suite) bool { return slices.Contains(s.Architectures, p.Sysroot) }
	var having []string
	for _, s := range def.Suites {
		if has(s) {
			having = append(having, fmt.Sprintf("%s (%s %s)", s.Name, def.Name, cmp.Or(s.Glibc, s.Version)))
		}
	}
	switch {
	case libc != "gnu": // glibc and suite say which glibc
	case cfg.Sysroot.Suite != "":
		s, ok := def.Suite(cfg.Sysroot.Suite)
		if !ok || !has(s) {
			return nil, catalog.Suite{}, fmt.Errorf("suite %q has no packages for %s; there are %s: write them as [platform.%q] suite = …", cfg.Sysroot.Suite, p.Name, strings.Join(having, ", "), p.Name)
		}
		return def, s, nil
	case cfg.Sysroot.Glibc != "":
		floor, err := semver.NewVersion(cfg.Sysroot.Glibc)
		if err != nil {
			return nil, catalog.Suite{}, fmt.Errorf("glibc %q is no version", cfg.Sysroot.Glibc)
		}
		for _, s := range slices.Backward(def.Suites) {
			if v, err := semver.NewVersion(s.Glibc); err == nil && has(s) && !v.GreaterThan(floor) {
				return def, s, nil
			}
		}
		return nil, catalog.Suite{}, fmt.Errorf("no sysroot for %s has glibc %s or older; there are %s: raise the floor for this platform with [platform.%q] glibc = …", p.Name, cfg.Sysroot.Glibc, strings.Join(having, ", "), p.Name)
	}
	for _, name := range def.Prefer {
		if s, ok := def.Suite(name); ok && has(s) {
			return def, s, nil
		}
	}
	var all []string
	for _, s := range def.Suites {
		all = append(all, s.Architectures...)
	}
	return nil, catalog.Suite{}, fmt.Errorf("sysroot %s has no packages for %s; the archive has them for %s", def.Name, p.Name, strings.Join(all, ", "))
}

func (pl *Planner) sysrootRequest(p platform.Platform) (resolve.SysrootRequest, error) {
	def, suite, err := pl.Suite(p)
	if err != nil {
		return resolve.SysrootRequest{}, err
	}
	if packages := pl.Project.Config(p).Sysroot.Packages; len(packages) > 0 && def.Libc != "gnu" {
		return resolve.SysrootRequest{}, fmt.Errorf("packages = %q: the archive's libraries are built for glibc and do not link with %s", packages, def.Libc)
	}
	return resolve.SysrootRequest{Def: def, Arch: p.Sysroot, Suite: suite.Name, Packages: pl.Project.Config(p).Sysroot.Packages, Where: p.Name}, nil
}

func (pl *Planner) requireSysroot(req *resolve.Requests, p platform.Platform) error {
	r, err := pl.sysrootRequest(p)
	if err != nil {
		return err
	}
	putSysroot(req, r)
	lib, wanted, err := pl.cxxRequest(p)
	if wanted {
		putSysroot(req, lib)
	}
	return err
}

func putSysroot(req *resolve.Requests, r resolve.SysrootRequest) {
	if !slices.ContainsFunc(req.Sysroots, func(x resolve.SysrootRequest) bool {
		return x.Def == r.Def && x.Arch == r.Arch && x.Suite == r.Suite && slices.Equal(x.Packages, r.Packages) && slices.Equal(x.Constraints, r.Constraints)
	}) {
		req.Sysroots = append(req.Sysroots, r)
	}
}

// hostRequest asks for the sysroot of programs that run on a host while a project is built for p. It is an old one,
// because a compiler plug-in is loaded into a compiler whose libc must not be older than it. Where both are the same
// machine in the eyes of a compiler that is told one set of flags for both (cargo's CC_<target>), it is the platform's
// own: objects of one glibc's headers do not link with an older glibc.
func (pl *Planner) hostRequest(host, p platform.Platform) (resolve.SysrootRequest, error) {
	if p.Rust != "" && host.Rust == p.Rust {
		r, err := pl.sysrootRequest(p)
		return r, err
	}
	def := pl.Catalog.Sysroot("gnu")
	suite, ok := def.Suite(def.Host)
	if !ok {
		return resolve.SysrootRequest{}, fmt.Errorf("sysroots/%s.toml: host names the unknown suite %q", def.Name, def.Host)
	}
	return resolve.SysrootRequest{Def: def, Arch: host.Debian, Suite: suite.Name, Where: "host " + host.Name}, nil
}

// requireHost asks for the sysroot of each host that xbuild runs on, so that the lock is the same whoever writes it.
func (pl *Planner) requireHost(req *resolve.Requests, p platform.Platform) error {
	for _, name := range resolve.Hosts {
		host, err := platform.Parse(name)
		if err != nil {
			return err
		}
		r, err := pl.hostRequest(host, p)
		if err != nil {
			return err
		}
		putSysroot(req, r)
		if narrow, ok := pl.narrow(host, p); ok {
			if r, err = pl.narrowRequest(host, narrow); err != nil {
				return err
			}
			putSysroot(req, r)
		}
	}
	return nil
}

// ownView returns the host's compiler view for targets that are built for the host, because others run them. It has the
// sysroot of the host as a platform, with its packages, where that has glibc.
func (pl *Planner) ownView() (compose.View, error) { return pl.HostView(pl.hostAsPlatform(pl.Host)) }

// hostAsPlatform is what a host's compiler view is asked for then.
func (pl *Planner) hostAsPlatform(host platform.Platform) platform.Platform {
	if pl.libc(host) != "gnu" {
		return platform.Platform{}
	}
	return host
}

// narrow is the 32-bit side of a host, where one is wanted: for a platform of 32 bits, programs that run while a
// project is built may have to have its size of pointers.
func (pl *Planner) narrow(host, p platform.Platform) (platform.Platform, bool) {
	if p.Class != elf.ELFCLASS32 {
		return platform.Platform{}, false
	}
	for _, name := range host.Also {
		if q, err := platform.Parse(name); err == nil && q.Class == elf.ELFCLASS32 {
			return q, true
		}
	}
	return platform.Platform{}, false
}

func (pl *Planner) narrowRequest(host, narrow platform.Platform) (resolve.SysrootRequest, error) {
	def := pl.Catalog.Sysroot("gnu")
	suite, ok := def.Suite(def.Host)
	if !ok {
		return resolve.SysrootRequest{}, fmt.Errorf("sysroots/%s.toml: host names the unknown suite %q", def.Name, def.Host)
	}
	return resolve.SysrootRequest{Def: def, Arch: narrow.Debian, Suite: suite.Name, Where: "32-bit programs of host " + host.Name}, nil
}

// RequireHostView says what the lock has to hold for the host's compiler view for building for p.
func (pl *Planner) RequireHostView(p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	for _, name := range []string{"clang", "pkgconf"} {
		if err := pl.requireToolchain(&req, name, p); err != nil {
			return req, err
		}
	}
	return req, pl.requireHost(&req, p)
}

// HostView returns the host's compiler view for building for p, as the lock has it. Its compiler is the one that builds
// for p, so that a project of one platform fetches one.
func (pl *Planner) HostView(p platform.Platform) (compose.View, error) {
	b, err := pl.Host.Baseline("", nil)
	if err != nil {
		return compose.View{}, err
	}
	r, err := pl.hostRequest(pl.Host, p)
	if err != nil {
		return compose.View{}, err
	}
	e, ok := resolve.FindSysroot(pl.Lock, r)
	if !ok {
		return compose.View{}, fmt.Errorf("sysroot for %s: %w", r.Where, ErrNotLocked)
	}
	clang, err := pl.Toolchain("clang", p)
	if err != nil {
		return compose.View{}, err
	}
	pkgconf, err := pl.Toolchain("pkgconf", p)
	if err != nil {
		return compose.View{}, err
	}
	v := compose.NewHostView(pl.Store, pl.Host, append(b.CFlags(), b.Macros()...), clang, pkgconf, compose.NewSysroot(pl.Store, r.Def, e))
	narrow, ok := pl.narrow(pl.Host, p)
	if !ok {
		return v, nil
	}
	if r, err = pl.narrowRequest(pl.Host, narrow); err != nil {
		return v, err
	}
	if e, ok = resolve.FindSysroot(pl.Lock, r); !ok {
		return v, fmt.Errorf("sysroot for %s: %w", r.Where, ErrNotLocked)
	}
	if b, err = narrow.Baseline("", nil); err != nil {
		return v, err
	}
	return v.Narrowly(pl.Store, compose.NewView(pl.Store, narrow, append(b.CFlags(), b.Macros()...), clang, pkgconf, compose.NewSysroot(pl.Store, r.Def, e))), nil
}

// partRequest asks for a toolchain's library for p. The second result is false where p is the machine of every host,
// whose library the toolchain has itself.
func (pl *Planner) partRequest(name string, p platform.Platform) (resolve.PartRequest, error) {
	def := pl.Catalog.Part(name)
	if def == nil || def.Of == "" {
		return resolve.PartRequest{}, fmt.Errorf("no toolchain brings the library %q", name)
	}
	if p.Rust == "" {
		return resolve.PartRequest{}, fmt.Errorf("%s has no target for %s", def.Of, p.Name)
	}
	b, err := pl.Baseline(p)
	if err != nil {
		return resolve.PartRequest{}, err
	}
	of, err := pl.toolchainRequest(def.Of, p)
	return resolve.PartRequest{Def: def, From: pl.Catalog.Chain(def.From), Of: of, Target: p.Rust, Promised: b.Features(), Where: p.Name}, err
}

func (pl *Planner) requirePart(req *resolve.Requests, name string, p platform.Platform) error {
	r, err := pl.partRequest(name, p)
	if err != nil || pl.Project.Toolchains[r.Def.Of].Source == "host" {
		return err
	}
	putPart(req, r)
	return nil
}

func putPart(req *resolve.Requests, r resolve.PartRequest) {
	if !slices.ContainsFunc(req.Parts, func(x resolve.PartRequest) bool {
		return x.Def == r.Def && x.Target == r.Target && slices.Equal(x.Promised, r.Promised)
	}) {
		req.Parts = append(req.Parts, r)
	}
}

// part returns a sysroot whose versions a project names, as the lock has it.
func (pl *Planner) part(def *catalog.Sysroot, version string) (compose.Sysroot, error) {
	e, ok := resolve.FindSysroot(pl.Lock, resolve.SysrootRequest{Def: def, Arch: "all", Suite: version})
	if !ok {
		return compose.Sysroot{}, fmt.Errorf("%s %s: %w", def.Name, version, ErrNotLocked)
	}
	return compose.NewSysroot(pl.Store, def, e), nil
}

// RustView returns a platform's Rust view as the lock has it. Where its standard library is one that has to be built,
// host's compiler builds the library's build scripts.
func (pl *Planner) RustView(p platform.Platform, host compose.View) (compose.RustView, error) {
	rust, err := pl.Toolchain("rust", p)
	if err != nil {
		return compose.RustView{}, err
	}
	if p.Rust == pl.Host.Rust {
		return compose.NewRustView(pl.Store, p, rust, compose.Sysroot{}), nil
	}
	part, err := pl.partRequest("rust-std", p)
	if err != nil {
		return compose.RustView{}, err
	}
	r, err := part.In(pl.Lock)
	if err != nil {
		return compose.RustView{}, err
	}
	e, ok := resolve.FindSysroot(pl.Lock, r)
	if !ok {
		return compose.RustView{}, fmt.Errorf("%s for %s: %w", part.Def.Name, p.Name, ErrNotLocked)
	}
	if e.Version != rust.Version {
		return compose.RustView{}, fmt.Errorf("%s for %s is %s, and rust for host %s is %s: the two must be one version\nhint: run \"xbuild lock --update\"", r.Def.Name, p.Name, e.Version, pl.Host.Name, rust.Version)
	}
	tree := compose.NewSysroot(pl.Store, r.Def, e)
	if r.Def.Source == "" {
		return compose.NewRustView(pl.Store, p, rust, tree), nil
	}
	b, err := pl.Baseline(p)
	if err != nil {
		return compose.RustView{}, err
	}
	var view compose.View
	if libc := pl.Catalog.Sysroot(pl.libc(p)); libc != nil && len(libc.RustObjects) > 0 {
		if view, err = pl.View(p); err != nil {
			return compose.RustView{}, err
		}
	}
	return compose.NewBuiltRustView(pl.Store, p, compose.NewBuiltStd(pl.Store, rust, tree, host, view, p.Rust, b.RustFlags(rust.Version))), nil
}

// ErrNotLocked says that the lock lacks an entry that the plan needs.
var ErrNotLocked = errors.New("xbuild.lock does not hold it")

// Toolchain returns a toolchain for the host as the lock has it, the one that is used for p.
func (pl *Planner) Toolchain(name string, p platform.Platform) (compose.Toolchain, error) {
	var req resolve.Requests
	if err := pl.requireToolchain(&req, name, p); err != nil {
		return compose.Toolchain{}, err
	}
	if len(req.Toolchains) == 0 {
		return compose.Toolchain{}, fmt.Errorf("toolchain %s is the host's own", name)
	}
	e, ok := resolve.FindToolchain(pl.Lock, req.Toolchains[0], pl.Host.Name)
	if !ok {
		return compose.Toolchain{}, fmt.Errorf("%s for host %s: %w", req.Toolchains[0], pl.Host.Name, ErrNotLocked)
	}
	def, _ := resolve.SourceOf(req.Toolchains[0].Def, e)
	return compose.NewToolchain(pl.Store, def, e)
}

// Sysroot returns a platform's sysroot as the lock has it.
func (pl *Planner) Sysroot(p platform.Platform) (compose.Sysroot, error) {
	r, err := pl.sysrootRequest(p)
	if err != nil {
		return compose.Sysroot{}, err
	}
	e, ok := resolve.FindSysroot(pl.Lock, r)
	if !ok {
		return compose.Sysroot{}, fmt.Errorf("sysroot for %s: %w", p.Name, ErrNotLocked)
	}
	suite, _ := r.Def.Suite(r.Suite)
	s := compose.NewSysroot(pl.Store, r.Def, e).For(pl.Store, r.Def, suite, p)
	lib, wanted, err := pl.cxxRequest(p)
	if err != nil || !wanted {
		return s, err
	}
	if e, ok = resolve.FindSysroot(pl.Lock, lib); !ok {
		return compose.Sysroot{}, fmt.Errorf("%s for %s: %w", lib.Def.Name, p.Name, ErrNotLocked)
	}
	return s.WithCXX(compose.NewSysroot(pl.Store, lib.Def, e), lib.Def.Library), nil
}

// withLibc is the platform as it is spelled with the libc that the project has for it, and with no larger pages than
// the project wants.
func (pl *Planner) withLibc(p platform.Platform) (platform.Platform, error) {
	if own := pl.Project.PlatformConfig[p.Name].Sysroot.Libc; p.Libc != "" && own != "" {
		return p, fmt.Errorf("libc = %q of [platform.%q]: its libc is always %s", own, p.Name, p.Libc)
	}
	if cut, ok := p.WithPage(pl.Project.Config(p).Page); ok {
		p = cut
	}
	b, err := pl.Baseline(p)
	if err != nil {
		return p, err
	}
	p = p.Reduced(b)
	if pl.libc(p) != "musl" {
		return p, nil
	}
	if m, ok := p.ForMusl(); ok {
		return m, nil
	}
	return p, fmt.Errorf("platform %q has no target with musl", p.Name)
}

// Baseline is the instruction set that a platform promises in this project.
func (pl *Planner) Baseline(p platform.Platform) (platform.Baseline, error) {
	cfg := pl.Project.Config(p)
	return p.Baseline(cfg.CPU, cfg.Features)
}

// View returns a platform's compiler view as the lock has it.
func (pl *Planner) View(p platform.Platform) (compose.View, error) {
	p, err := pl.withLibc(p)
	if err != nil {
		return compose.View{}, err
	}
	b, err := pl.Baseline(p)
	if err != nil {
		return compose.View{}, err
	}
	clang, err := pl.Toolchain("clang", p)
	if err != nil {
		return compose.View{}, err
	}
	pkgconf, err := pl.Toolchain("pkgconf", p)
	if err != nil {
		return compose.View{}, err
	}
	sysroot, err := pl.Sysroot(p)
	if err != nil {
		return compose.View{}, err
	}
	return compose.NewView(pl.Store, p, append(b.CFlags(), b.Macros()...), clang, pkgconf, sysroot), nil
}

// RequireSysroot says what the lock has to hold for a platform's sysroot.
func (pl *Planner) RequireSysroot(p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	err := pl.requireSysroot(&req, p)
	return req, err
}
