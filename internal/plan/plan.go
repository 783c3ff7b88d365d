// Package plan turns a project, the catalog and the lock into what is to be done: which toolchains, sysroots and compiler views are needed, and for every
// target and platform the commands, their environment and the artifacts that come out. It runs nothing and fetches nothing; of the disk it reads the names of
// source files alone, where an option holds globs.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// Jobs stands in a command for the number of jobs that it may run; the number is filled in when the command is started, because it must not change what an
// action is.
const Jobs = "{jobs}"

// A Planner holds what every plan of one xbuild process is made from.
type Planner struct {
	Project *project.Project
	Catalog *catalog.Catalog
	Lock    *lock.Lock
	Store   string // the store's directory
	Host    platform.Platform
	XBuild  string // the xbuild program, for emulators
	// Environ are variables of the caller that go into every build unchanged: proxies, and what the languages' own tools are configured by.
	Environ env.Environment
}

// A Selection is the part of a project that a command was asked for; nothing named means all.
type Selection struct {
	Targets   []string
	Platforms []platform.Platform
}

// A Plan is every action, in the order of the project's targets and platforms, and all that has to be in the store for them.
type Plan struct {
	Actions    []*Action           `json:"actions"`
	Toolchains []compose.Toolchain `json:"-"`
	Sysroots   []compose.Sysroot   `json:"-"`
	Views      []compose.View      `json:"-"`
}

// An Action builds one target for one platform.
type Action struct {
	Target   string            `json:"target"`
	Platform platform.Platform `json:"-"`
	OCI      string            `json:"platform"`
	Recipe   string            `json:"recipe"`
	// ID is the hash of all that the action is made of but the content of its inputs: commands, environment, tools.
	ID     string          `json:"id"`
	Env    env.Environment `json:"env"`
	Path   []string        `json:"path"`             // directories in front of PATH
	Source string          `json:"source"`           // the target's directory
	Watch  string          `json:"watch"`            // the directory whose files are the action's inputs
	Inputs []string        `json:"inputs,omitempty"` // globs of further inputs, absolute
	Copy   bool            `json:"copy_source,omitempty"`
	Build  string          `json:"build"` // commands write here
	Stage  string          `json:"stage"` // what was installed
	State  string          `json:"-"`
	Dist   string          `json:"dist"` // dist/<platform>/<dest>
	Fetch  []Step          `json:"fetch,omitempty"`
	Steps  []Step          `json:"steps"`
	Output []Output        `json:"outputs"`
	Static bool            `json:"static,omitempty"`
	Strip  string          `json:"strip,omitempty"` // the program that strips, where the target asks for it
}

// A Step is one command. Steps of the same group run side by side, groups one after another.
type Step struct {
	Name        string          `json:"name"`
	Group       int             `json:"-"`
	Dir         string          `json:"dir"`
	Command     []string        `json:"command"`
	Env         env.Environment `json:"env,omitempty"`
	Stdout      string          `json:"stdout,omitempty"`
	Output      string          `json:"output,omitempty"`
	Depfile     string          `json:"depfile,omitempty"`
	WhenMissing string          `json:"when_missing,omitempty"`
	Remove      []string        `json:"remove,omitempty"`
}

// An Output is files that become artifacts.
type Output struct {
	Path  string `json:"path,omitempty"`  // glob relative to the build directory
	Dist  string `json:"dist,omitempty"`  // path relative to Dist; "" keeps the base name
	Stage bool   `json:"stage,omitempty"` // everything below the stage, with its paths
}

// Choose returns the targets of a selection and the platforms of each.
func (pl *Planner) Choose(sel Selection) ([]project.Target, error) {
	var out []project.Target
	for _, name := range sel.Targets {
		if !slices.ContainsFunc(pl.Project.Targets, func(t project.Target) bool { return t.Name == name }) {
			var names []string
			for _, t := range pl.Project.Targets {
				names = append(names, t.Name)
			}
			return nil, fmt.Errorf("%s: no target %q (there are %s)", pl.Project.File, name, strings.Join(names, ", "))
		}
	}
	for _, t := range pl.Project.Targets {
		if len(sel.Targets) > 0 && !slices.Contains(sel.Targets, t.Name) {
			continue
		}
		if len(t.Platforms) == 0 {
			t.Platforms = pl.Project.Platforms
		}
		if len(sel.Platforms) > 0 {
			// What the caller names is built even where the project lists other platforms; a target with a list of its own keeps to that.
			if len(pl.target(t.Name).Platforms) > 0 {
				t.Platforms = intersect(t.Platforms, sel.Platforms)
			} else {
				t.Platforms = sel.Platforms
			}
		}
		if len(t.Platforms) > 0 {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: nothing to build: it names no target for the platforms asked for", pl.Project.File)
	}
	return out, nil
}

func (pl *Planner) target(name string) project.Target {
	i := slices.IndexFunc(pl.Project.Targets, func(t project.Target) bool { return t.Name == name })
	return pl.Project.Targets[i]
}

func intersect(a, b []platform.Platform) []platform.Platform {
	var out []platform.Platform
	for _, p := range a {
		if slices.ContainsFunc(b, func(q platform.Platform) bool { return q.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}

// Require says what the lock has to hold for a selection.
func (pl *Planner) Require(sel Selection) (resolve.Requests, error) {
	var req resolve.Requests
	targets, err := pl.Choose(sel)
	if err != nil {
		return req, err
	}
	for _, t := range targets {
		recipe := pl.Catalog.Recipe(t.Recipe)
		for _, p := range t.Platforms {
			vars := pl.vars(t, p)
			for _, need := range recipe.Needs {
				ok, err := vars.Holds(need.When)
				if err != nil {
					return req, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
				}
				if !ok {
					continue
				}
				for _, name := range need.Toolchains {
					if err := pl.requireToolchain(&req, name); err != nil {
						return req, err
					}
				}
				if need.Sysroot {
					if err := pl.requireSysroot(&req, p); err != nil {
						return req, fmt.Errorf("%s:%d: target %q: %w", pl.Project.File, t.Line, t.Name, err)
					}
				}
			}
		}
	}
	return req, nil
}

// RequireView says what the lock has to hold for the compiler view of platforms, and for further toolchains.
func (pl *Planner) RequireView(platforms []platform.Platform, toolchains ...string) (resolve.Requests, error) {
	var req resolve.Requests
	for _, name := range append([]string{"clang", "pkgconf"}, toolchains...) {
		if err := pl.requireToolchain(&req, name); err != nil {
			return req, err
		}
	}
	for _, p := range platforms {
		if err := pl.requireSysroot(&req, p); err != nil {
			return req, err
		}
	}
	return req, nil
}

// RequireToolchain says what the lock has to hold for one toolchain.
func (pl *Planner) RequireToolchain(name string) (resolve.Requests, error) {
	var req resolve.Requests
	err := pl.requireToolchain(&req, name)
	return req, err
}

func (pl *Planner) requireToolchain(req *resolve.Requests, name string) error {
	if slices.ContainsFunc(req.Toolchains, func(r resolve.ToolchainRequest) bool { return r.Def.Name == name }) {
		return nil
	}
	def := pl.Catalog.Toolchain(name)
	if def == nil {
		return fmt.Errorf("toolchain %q is unknown (xbuild toolchains lists them)", name)
	}
	asked := pl.Project.Toolchains[name]
	if asked.Source == "host" {
		return nil
	}
	r := resolve.ToolchainRequest{Def: def, Constraint: asked.Constraint}
	if asked.Line > 0 {
		r.Where = fmt.Sprintf("%s:%d", pl.Project.File, asked.Line)
	}
	// Go fetches an exact release itself: the archive's newest that there is starts it.
	if name == "go" && exactGo(asked.Constraint) != "" {
		r.Constraint = ""
	}
	req.Toolchains = append(req.Toolchains, r)
	return nil
}

// exactGo returns the release that a constraint names exactly, "" where it names a range.
func exactGo(constraint string) string {
	v, err := semver.StrictNewVersion(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "=")))
	if err != nil {
		return ""
	}
	return v.String()
}

// Suite chooses the suite whose packages are the sysroot of a platform.
func (pl *Planner) Suite(p platform.Platform) (*catalog.Sysroot, catalog.Suite, error) {
	cfg := pl.Project.Config(p)
	libc := cfg.Sysroot.Libc
	if libc == "" {
		libc = "gnu"
	}
	def := pl.Catalog.Sysroot(libc)
	if def == nil {
		return nil, catalog.Suite{}, fmt.Errorf("no sysroot for libc %q", libc)
	}
	if !p.HasC() {
		return nil, catalog.Suite{}, fmt.Errorf("platform %q has no C toolchain or sysroot; it is for Go without cgo alone", p.Name)
	}
	has := func(s catalog.Suite) bool { return slices.Contains(s.Architectures, p.Debian) }
	var having []string
	for _, s := range def.Suites {
		if has(s) {
			having = append(having, fmt.Sprintf("%s (glibc %s)", s.Name, s.Glibc))
		}
	}
	switch {
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
	return nil, catalog.Suite{}, fmt.Errorf("no sysroot for %s", p.Name)
}

func (pl *Planner) sysrootRequest(p platform.Platform) (resolve.SysrootRequest, error) {
	def, suite, err := pl.Suite(p)
	if err != nil {
		return resolve.SysrootRequest{}, err
	}
	return resolve.SysrootRequest{Def: def, Arch: p.Debian, Suite: suite.Name, Packages: pl.Project.Config(p).Sysroot.Packages, Where: p.Name}, nil
}

func (pl *Planner) requireSysroot(req *resolve.Requests, p platform.Platform) error {
	r, err := pl.sysrootRequest(p)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(req.Sysroots, func(x resolve.SysrootRequest) bool {
		return x.Def == r.Def && x.Arch == r.Arch && x.Suite == r.Suite && slices.Equal(x.Packages, r.Packages)
	}) {
		req.Sysroots = append(req.Sysroots, r)
	}
	return nil
}

// ErrNotLocked says that the lock lacks an entry that the plan needs.
var ErrNotLocked = errors.New("xbuild.lock does not hold it")

// Toolchain returns a toolchain for the host as the lock has it.
func (pl *Planner) Toolchain(name string) (compose.Toolchain, error) {
	var req resolve.Requests
	if err := pl.requireToolchain(&req, name); err != nil {
		return compose.Toolchain{}, err
	}
	if len(req.Toolchains) == 0 {
		return compose.Toolchain{}, fmt.Errorf("toolchain %s is the host's own", name)
	}
	e, ok := resolve.FindToolchain(pl.Lock, req.Toolchains[0], pl.Host.Name)
	if !ok {
		return compose.Toolchain{}, fmt.Errorf("toolchain %s for host %s: %w", name, pl.Host.Name, ErrNotLocked)
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
	return compose.NewSysroot(pl.Store, r.Def, e), nil
}

// Baseline is the instruction set that a platform promises in this project.
func (pl *Planner) Baseline(p platform.Platform) (platform.Baseline, error) {
	cfg := pl.Project.Config(p)
	return p.Baseline(cfg.CPU, cfg.Features)
}

// View returns a platform's compiler view as the lock has it.
func (pl *Planner) View(p platform.Platform) (compose.View, error) {
	b, err := pl.Baseline(p)
	if err != nil {
		return compose.View{}, err
	}
	clang, err := pl.Toolchain("clang")
	if err != nil {
		return compose.View{}, err
	}
	pkgconf, err := pl.Toolchain("pkgconf")
	if err != nil {
		return compose.View{}, err
	}
	sysroot, err := pl.Sysroot(p)
	if err != nil {
		return compose.View{}, err
	}
	return compose.NewView(pl.Store, p, b.CFlags(), clang, pkgconf, sysroot), nil
}

// vars are the values that the conditions and placeholders of a recipe see before anything is known of directories.
func (pl *Planner) vars(t project.Target, p platform.Platform) catalog.Vars {
	vars := catalog.Vars{}
	maps.Copy(vars, t.Options)
	for _, o := range pl.Catalog.Recipe(t.Recipe).Options {
		if vars[o.Name] == nil {
			switch o.Type {
			case "strings":
				vars[o.Name] = []string{}
			case "table":
				vars[o.Name] = map[string]string{}
			case "bool":
				vars[o.Name] = false
			default:
				vars[o.Name] = ""
			}
		}
	}
	static := p.Static
	if t.Static != nil {
		static = *t.Static
	}
	vars["name"], vars["static"], vars["strip"], vars["opt"] = t.Name, static, t.Strip, t.Opt
	vars["platform"], vars["triplet"] = p.Name, p.Triplet
	vars["exe"] = ""
	if strings.HasPrefix(p.Name, "windows/") {
		vars["exe"] = ".exe"
	}
	return vars
}

// New plans a selection. The lock must hold all that Require named.
func (pl *Planner) New(sel Selection) (*Plan, error) {
	targets, err := pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	out := &Plan{}
	views := map[string]*compose.View{}
	sources := map[string][]string{}
	for _, t := range targets {
		for _, p := range t.Platforms {
			a, err := pl.action(out, views, sources, t, p)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: target %q for %s: %w", pl.Project.File, t.Line, t.Name, p.Name, err)
			}
			out.Actions = append(out.Actions, a)
		}
	}
	return out, nil
}

func (pl *Planner) action(out *Plan, views map[string]*compose.View, globbed map[string][]string, t project.Target, p platform.Platform) (*Action, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	cfg := pl.Project.Config(p)
	vars := pl.vars(t, p)
	source := filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source))
	work := filepath.Join(pl.Project.BuildDir(), filepath.FromSlash(p.Name), t.Name)
	a := &Action{
		Target: t.Name, Platform: p, OCI: p.Name, Recipe: t.Recipe, Source: source, Watch: watched(source, pl.Project.Dir, recipe.Root), Copy: recipe.CopySource,
		Build: filepath.Join(work, "build"), Stage: filepath.Join(work, "stage"), State: filepath.Join(work, "state.json"),
		Dist: filepath.Join(pl.Project.DistDir(), filepath.FromSlash(p.Name), filepath.FromSlash(t.Dest)), Static: vars["static"].(bool),
	}
	for _, in := range t.Inputs {
		a.Inputs = append(a.Inputs, filepath.Join(pl.Project.Dir, filepath.FromSlash(in)))
	}
	if _, err := os.Stat(source); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	prefixMap := "-ffile-prefix-map=" + source + "=."
	if recipe.CopySource {
		prefixMap = "-ffile-prefix-map=" + a.Build + "=."
	}
	common := []string{"-O" + t.Opt, prefixMap}
	settings := env.Settings{
		CFlags: append(slices.Clone(common), cfg.CFlags...), CXXFlags: append(slices.Clone(common), cfg.CXXFlags...), LDFlags: cfg.LDFlags,
	}

	// What the action stands on: toolchains on PATH, and the view where the recipe compiles C.
	needView := false
	for _, need := range recipe.Needs {
		if ok, err := vars.Holds(need.When); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		needView = needView || need.Sysroot
		for _, name := range need.Toolchains {
			if pl.Project.Toolchains[name].Source == "host" {
				continue
			}
			tc, err := pl.Toolchain(name)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(out.Toolchains, func(x compose.Toolchain) bool { return x.Key == tc.Key }) {
				out.Toolchains = append(out.Toolchains, tc)
			}
			a.Path = append(a.Path, tc.Bin())
		}
	}
	if needView {
		v := views[p.Name]
		if v == nil {
			made, err := pl.View(p)
			if err != nil {
				return nil, err
			}
			v = &made
			views[p.Name] = v
			out.Views = append(out.Views, made)
			out.Sysroots = append(out.Sysroots, made.Sysroot)
			for _, tc := range []compose.Toolchain{made.Clang, made.Pkgconf} {
				if !slices.ContainsFunc(out.Toolchains, func(x compose.Toolchain) bool { return x.Key == tc.Key }) {
					out.Toolchains = append(out.Toolchains, tc)
				}
			}
		}
		a.Path = append([]string{v.Bin()}, a.Path...)
		a.Env = env.ForC(*v, settings, pl.XBuild)
		vars["cmake_toolchain"] = v.CMakeToolchain()
		if t.Strip {
			a.Strip = v.Tool("strip")
		}
	}
	if slices.ContainsFunc(recipe.Needs, func(n catalog.Need) bool { return slices.Contains(n.Toolchains, "go") }) {
		b, err := pl.Baseline(p)
		if err != nil {
			return nil, err
		}
		a.Env = pl.goEnv(a.Env.Merge(env.ForGo(p, b)))
	}
	a.Env = a.Env.With(cfg.Env).With(t.Env)

	vars["source"], vars["build"], vars["stage"], vars["jobs"] = source, a.Build, a.Stage, Jobs
	vars["env.LDFLAGS"] = settings.LDFlags
	for _, l := range recipe.Lists {
		items, err := vars.ExpandAll(l.Items)
		if err != nil {
			return nil, fmt.Errorf("recipes/%s.toml: %s: %w", recipe.Name, l.Name, err)
		}
		vars[l.Name] = items
	}
	for _, name := range slices.Sorted(maps.Keys(recipe.Env)) {
		value := recipe.Env[name]
		s := value.Then
		if ok, err := vars.Holds(value.When); err != nil {
			return nil, err
		} else if !ok {
			s = value.Else
		}
		s, err := vars.ExpandOne(s)
		if err != nil {
			return nil, err
		}
		if _, user := t.Env[name]; user {
			continue
		}
		a.Env = a.Env.With(map[string]string{name: strings.TrimSpace(s)})
	}
	if err := pl.outputs(a, recipe, t, vars); err != nil {
		return nil, err
	}
	if err := sourceVars(vars, t, source, settings, p, globbed); err != nil {
		return nil, err
	}
	var err error
	if a.Fetch, err = steps(recipe.Fetch, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	if a.Steps, err = steps(recipe.Steps, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	a.ID = a.id()
	return a, nil
}

// goEnv adds where Go keeps its caches (the store, unless the user says otherwise) and which release runs.
func (pl *Planner) goEnv(e env.Environment) env.Environment {
	for _, c := range []env.Var{{Name: "GOCACHE", Value: "go-build"}, {Name: "GOMODCACHE", Value: "go-mod"}} {
		if v := pl.Environ.Lookup(c.Name); v != "" {
			e.Set(c.Name, v)
		} else {
			e.Set(c.Name, filepath.Join(pl.Store, "cache", c.Value))
		}
	}
	asked := pl.Project.Toolchains["go"]
	switch exact := exactGo(asked.Constraint); {
	case pl.Environ.Lookup("GOTOOLCHAIN") != "" && exact == "":
		e.Set("GOTOOLCHAIN", pl.Environ.Lookup("GOTOOLCHAIN"))
	case exact != "" && asked.Source != "host":
		e.Set("GOTOOLCHAIN", "go"+exact)
	default:
		e.Set("GOTOOLCHAIN", "auto")
	}
	if flags := strings.Join(strings.Fields(e.Lookup("CFLAGS")), " "); flags != "" {
		e.Set("CGO_CFLAGS", "-g "+flags)
		e.Set("CGO_CXXFLAGS", "-g "+e.Lookup("CXXFLAGS"))
		if ld := e.Lookup("LDFLAGS"); ld != "" {
			e.Set("CGO_LDFLAGS", ld)
		}
	}
	return e
}

// watched is the directory that holds all of a target's own inputs: its source, or the nearest directory upwards with one of the recipe's root files.
func watched(source, top string, roots []string) string {
	for dir := source; ; dir = filepath.Dir(dir) {
		for _, name := range roots {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return dir
			}
		}
		if dir == filepath.Dir(dir) {
			return source
		}
	}
}

func (pl *Planner) outputs(a *Action, recipe *catalog.Recipe, t project.Target, vars catalog.Vars) error {
	vars["artifact"] = t.Name
	for _, o := range recipe.Outputs {
		ok, err := vars.Holds(o.When)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p, err := vars.ExpandOne(o.Path)
		if err != nil {
			return err
		}
		if p != "" {
			vars["artifact"] = p
		}
		if len(t.Outputs) == 0 {
			a.Output = append(a.Output, Output{Path: p, Stage: o.Stage})
		}
	}
	for _, o := range t.Outputs {
		a.Output = append(a.Output, Output{Path: o.Path, Dist: o.Dist})
	}
	if len(a.Output) == 0 {
		return fmt.Errorf("recipe %q cannot know what it builds: name the files with outputs = [\"path\"]%s", recipe.Name, installHint(recipe))
	}
	return nil
}

func installHint(r *catalog.Recipe) string {
	for _, o := range r.Options {
		if o.Name == "install" {
			if o.Type == "bool" {
				return " or set install = true"
			}
			return ` or set install = "install"`
		}
	}
	return ""
}

var cxxSuffixes = []string{".cc", ".cpp", ".cxx", ".c++", ".C", ".mm"}

// sourceVars expands the globs of the option "sources" and says of each file which driver and flags compile it.
func sourceVars(vars catalog.Vars, t project.Target, source string, s env.Settings, p platform.Platform, globbed map[string][]string) error {
	globs, ok := vars["sources"].([]string)
	if !ok {
		return nil
	}
	files, done := globbed[t.Name]
	if !done {
		for _, g := range globs {
			found, err := doublestar.Glob(os.DirFS(source), path.Clean(g), doublestar.WithFilesOnly())
			if err != nil {
				return fmt.Errorf("sources: %q: %w", g, err)
			}
			if len(found) == 0 {
				return fmt.Errorf("sources: %q matches no file in %s", g, source)
			}
			slices.Sort(found)
			files = append(files, found...)
		}
		files = dedupe(files)
		globbed[t.Name] = files
	}
	vars["sources"] = files
	objects := make([]string, len(files))
	link := p.Triplet + "-clang"
	for i, f := range files {
		objects[i] = vars["build"].(string) + "/obj/" + f + ".o"
		if slices.Contains(cxxSuffixes, path.Ext(f)) {
			link = p.Triplet + "-clang++"
		}
	}
	vars["sources.objects"], vars["link.driver"] = objects, link
	vars["item.c"], vars["item.cxx"] = s.CFlags, s.CXXFlags
	return nil
}

func dedupe(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		dup := seen[s]
		seen[s] = true
		return dup
	})
}

func steps(defs []catalog.Step, vars catalog.Vars, a *Action) ([]Step, error) {
	var out []Step
	for group, def := range defs {
		ok, err := vars.Holds(def.When)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		items := []string{""}
		if def.Foreach != "" {
			if items, err = vars.List(def.Foreach); err != nil {
				return nil, err
			}
		}
		for _, item := range items {
			if def.Foreach != "" {
				vars["item"] = item
				if slices.Contains(cxxSuffixes, path.Ext(item)) {
					vars["item.driver"], vars["item.flags"], vars["item.options"] = a.Platform.Triplet+"-clang++", vars["item.cxx"], vars["cxxflags"]
				} else {
					vars["item.driver"], vars["item.flags"], vars["item.options"] = a.Platform.Triplet+"-clang", vars["item.c"], vars["cflags"]
				}
			}
			s, err := step(def, vars, a)
			if err != nil {
				return nil, fmt.Errorf("step %q: %w", def.Name, err)
			}
			s.Group = group
			out = append(out, s)
		}
	}
	return out, nil
}

func step(def catalog.Step, vars catalog.Vars, a *Action) (Step, error) {
	s := Step{Dir: a.Build}
	var err error
	for _, f := range []struct {
		to   *string
		from string
	}{{&s.Name, def.Name}, {&s.Dir, def.Dir}, {&s.Stdout, def.Stdout}, {&s.Output, def.Output}, {&s.Depfile, def.Depfile}, {&s.WhenMissing, def.WhenMissing}} {
		if f.from == "" {
			continue
		}
		if *f.to, err = vars.ExpandOne(f.from); err != nil {
			return s, err
		}
	}
	for _, r := range def.Remove {
		r, err := vars.ExpandOne(r)
		if err != nil {
			return s, err
		}
		s.Remove = append(s.Remove, r)
	}
	more := map[string]string{}
	for name, value := range def.Env {
		if more[name], err = vars.ExpandOne(value); err != nil {
			return s, err
		}
	}
	s.Env = env.Environment{}.With(more)
	s.Command, err = vars.ExpandAll(def.Command)
	return s, err
}

// id hashes all that the action is made of. The path of xbuild itself is left out: it is not what decides the result.
func (a *Action) id() string {
	c := *a
	c.Env = slices.DeleteFunc(slices.Clone(a.Env), func(v env.Var) bool {
		return v.Name == "XBUILD" || strings.HasPrefix(v.Name, "CARGO_TARGET_") && strings.HasSuffix(v.Name, "_RUNNER")
	})
	c.Dist = ""
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and lists alone
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// RequireSysroot says what the lock has to hold for a platform's sysroot.
func (pl *Planner) RequireSysroot(p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	err := pl.requireSysroot(&req, p)
	return req, err
}
