package plan

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/node"
	"xbuild/internal/origin/npm"
	"xbuild/internal/platform"
	"xbuild/internal/probe"
	"xbuild/internal/project"
)

// A making is an action of which the environment is being put together: first the tools, then the compilers, then what
// each language adds.
type making struct {
	*Planner
	set      *compose.Set
	views    map[string]compose.View
	a        *Action
	t        project.Target
	p        platform.Platform
	recipe   *catalog.Recipe
	cfg      project.PlatformConfig
	vars     catalog.Vars
	settings env.Settings

	needs      catalog.Need      // of the recipe, all in one
	found      map[string]string // variables by which toolchains are found
	headers    []node.Headers
	view, host compose.View
	cargo      *node.Cargo
	rustflags  []string // rustc's, where cargo is called
	maps       []string // flags that keep the places of what is needed out of artifacts
}

func (m *making) environment() error {
	for _, add := range []func() error{m.tools, m.compilers, m.languages, m.dialects} {
		if err := add(); err != nil {
			return err
		}
	}
	if err := m.uname(); err != nil {
		return err
	}
	m.joined()
	// Python reads packages that the user has installed below HOME (docs.python.org, "Command line and environment").
	m.a.Env.Set("PYTHONNOUSERSITE", "1")
	m.a.Env = m.a.Env.With(m.found).With(m.cfg.Env).With(m.t.Env)
	if m.vars["rust"] != nil {
		m.a.Env.Unset("RUSTFLAGS") // it is among rust.flags: cargo takes it in the place of all others
	}
	return nil
}

// uname decides for which machine programs answer that are asked for it. Where nothing does, the host's own are on
// PATH.
func (m *making) uname() error {
	answer := cmp.Or(m.t.Uname, m.recipe.Uname)
	if answer == "" || answer == "host" && m.recipe.Uname == "" {
		return nil
	}
	if m.view.Key == "" {
		if m.t.Uname == "" {
			return nil
		}
		return fmt.Errorf("uname = %q: recipe %s has no C compiler for %s here, and without one nothing asks; remove the key", answer, m.recipe.Name, m.p.Name)
	}
	m.a.Env.Set("XBUILD_UNAME", answer)
	m.a.Path = append([]string{m.view.Answers()}, m.a.Path...)
	return nil
}

// tools puts toolchains on PATH, and notes what else the recipe needs.
func (m *making) tools() error {
	list, err := m.Planner.needs(m.t, m.vars)
	if err != nil {
		return err
	}
	m.found = map[string]string{}
	for _, need := range list {
		m.needs.Sysroot, m.needs.Host = m.needs.Sysroot || need.Sysroot, m.needs.Host || need.Host
		for _, name := range need.Toolchains {
			m.needs.Toolchains = append(m.needs.Toolchains, name)
			if m.Project.Toolchains[name].Source == "host" {
				m.jobserver(name, "")
				continue
			}
			tc, err := m.Toolchain(name, m.p)
			if err != nil {
				return err
			}
			m.jobserver(name, tc.Version)
			m.set.Toolchain(tc)
			m.a.Path = append(m.a.Path, tc.Bin())
			maps.Copy(m.found, tc.Env())
		}
		for _, name := range need.Parts {
			def := m.Catalog.Part(name)
			if def == nil || def.Archive != catalog.NPM {
				continue // of a toolchain
			}
			for _, version := range m.vars[need.Versions].([]string) {
				s, err := m.part(def, version)
				if err != nil {
					return err
				}
				m.set.Sysroot(s)
				m.headers = append(m.headers, node.Headers{Version: s.Version, Dir: filepath.Join(s.Dir, npm.Modules(def.Packages[0]), "include/node")})
			}
		}
	}
	m.hostTools()
	m.a.Explain = m.explanations(m.t, m.p, m.needs.Toolchains)
	return nil
}

// jobserver notes how a toolchain of a version, "" where that is not known, takes jobs from a jobserver.
func (m *making) jobserver(name, version string) {
	def := m.Catalog.Toolchain(name)
	if def == nil {
		return
	}
	v, err := semver.NewVersion(version)
	for _, j := range def.Jobserver {
		c, cerr := semver.NewConstraint(cmp.Or(j.Versions, "*")) // the catalog's tests read it
		if j.Versions == "" || err == nil && cerr == nil && c.Check(v) {
			if m.a.Jobservers == nil {
				m.a.Jobservers = map[string]string{}
			}
			m.a.Jobservers[name] = j.Form
			return
		}
	}
}

// hostTools says which programs of the host the action sees: those of the list, what the target names, and toolchains
// that the project takes from the host.
func (m *making) hostTools() {
	asked := slices.Clone(m.t.HostTools)
	for _, name := range m.needs.Toolchains {
		if m.Project.Toolchains[name].Source == "host" {
			asked = append(asked, slices.Sorted(maps.Keys(m.Catalog.Toolchain(name).Programs))...)
		}
	}
	seen, missing := m.Planner.HostTools.Visible(asked)
	for _, name := range missing {
		if slices.Contains(m.t.HostTools, name) { // of a toolchain the command that wants it says it
			m.a.Missing = fmt.Sprintf("%s:%d: host_tools in [target.%s] names %q, which is not on PATH of this machine: install it", m.Project.File, m.t.Line, m.t.Name, name)
		}
	}
	m.a.Seen, m.a.HostTools = seen, hosttools.ID(seen)
	m.a.HostDir = filepath.Join(m.Project.BuildDir(), "host", m.a.HostTools[:12])
}

// compilers brings the platform's compiler view, where the recipe compiles C.
func (m *making) compilers() error {
	var err error
	switch {
	case bringsLibc(m.needs, m.p):
		clang, err := m.Toolchain("clang", m.p)
		if err != nil {
			return err
		}
		m.view = compose.View{Platform: m.p, Clang: clang}
		if m.t.Strip {
			m.a.Strip = clang.Program("llvm-strip")
		}
	case m.needs.Sysroot:
		name, view := m.p.Name, func() (compose.View, error) { return m.View(m.p) }
		if m.a.Host {
			name, view = onHost, m.ownView
		}
		if m.view, err = once(m.views, name, view); err != nil {
			return err
		}
		m.view = m.asLenient(m.view)
		m.a.Strict = &Strict{
			Groups: probe.Groups{C: m.view.Clang.Lenient, CXX: m.view.Clang.LenientCXX}, CC: m.view.Tool("clang"), Logs: m.recipe.Logs,
			Where: fmt.Sprintf("%s:%d: [target.%s]", m.Project.File, m.t.Line, m.t.Name),
		}
		m.set.View(m.view)
		for _, n := range m.a.Needs {
			if !n.Run {
				m.maps = append(m.maps, n.Action.mapped(m.view)...)
			}
		}
		m.settings.CFlags = append(m.settings.CFlags, quoted(m.maps)...)
		m.settings.CXXFlags = append(m.settings.CXXFlags, quoted(m.maps)...)
		m.a.Path = append([]string{m.view.Bin()}, m.a.Path...)
		m.a.Env = env.ForC(m.view, m.settings, m.XBuild)
		m.vars["cmake_toolchain"], m.vars["meson_cross"] = m.view.CMakeToolchain(), m.view.Meson()
		m.a.Sysroot = m.view.Sysroot.Dir
		if !m.a.Host {
			_, suite, err := m.Suite(m.p)
			if err != nil {
				return err
			}
			if m.a.Glibc = suite.Glibc; m.a.Glibc != "" {
				m.a.Glibc = cmp.Or(m.cfg.Sysroot.Glibc, m.a.Glibc)
			}
		}
		if m.t.Strip {
			m.a.Strip = m.view.Tool("strip")
		}
	}
	return nil
}

// asLenient is a view as the target wants it.
func (m *making) asLenient(v compose.View) compose.View {
	if m.vars["lenient"].(bool) {
		return v.Leniently(m.Store)
	}
	return v
}

// languages adds what cargo, node-gyp and Go want beside C's compilers.
func (m *making) languages() error {
	c, path := m.a.Env, m.a.Path
	switch {
	case slices.Contains(m.needs.Toolchains, "rust"):
		if err := m.rust(); err != nil {
			return err
		}
	case m.needs.Host:
		var err error
		if m.host, err = once(m.views, "host of "+m.p.Name, func() (compose.View, error) { return m.HostView(m.p) }); err != nil {
			return err
		}
		m.host = m.asLenient(m.host)
		m.set.View(m.host)
	}
	switch {
	case m.headers != nil:
		if err := m.node(c, path); err != nil {
			return err
		}
	case m.host.Key != "" && m.vars["rust"] == nil:
		m.a.Env = m.a.Env.Merge(env.ForBuild(m.host))
		m.vars["meson_native"] = m.host.Meson()
	}
	if slices.Contains(m.needs.Toolchains, "go") {
		b, err := m.Baseline(m.p)
		if err != nil {
			return err
		}
		m.a.Env = m.goEnv(m.a.Env.Merge(env.ForGo(m.p, b)))
	}
	return nil
}

func (m *making) rust() error {
	c, err := m.Cargo(m.p, m.view)
	if err != nil {
		return err
	}
	c.Host = m.asLenient(c.Host)
	m.host = c.Host
	m.set.View(m.host)
	if c.Rust.Key != "" {
		m.set.RustView(c.Rust)
	}
	root := watched(m.a.Source, m.recipe.Root)
	// cargo says itself how much is optimised, C code of crates included, which lies in its registry.
	var maps []string
	for _, p := range m.cargoPaths(root, m.a.Build) {
		maps = append(maps, "-ffile-prefix-map="+p)
	}
	maps = quoted(append(maps, m.maps...))
	crates := env.Settings{CFlags: append(slices.Clone(maps), m.cfg.CFlags...), CXXFlags: append(slices.Clone(maps), m.cfg.CXXFlags...), Static: m.settings.Static}
	m.a.Env = env.ForCargo(m.a.Env, m.view, c.Host, crates).Merge(c.Env)
	// The caller's configuration may name a program that starts rustc (The Cargo Book, build.rustc-wrapper): empty
	// ones are none.
	m.a.Env.Set("RUSTC_WRAPPER", "")
	if !Plain(root) {
		m.a.Env.Set("CC_SHELL_ESCAPED_FLAGS", "1") // the cc crate then reads quotes in CFLAGS
	}
	m.a.Env.Set("RUSTC_WORKSPACE_WRAPPER", "")
	m.a.Path = append(c.Path(), m.a.Path...)
	m.vars["rust"] = m.p.Rust
	top := root
	if rel, err := filepath.Rel(m.Project.Dir, root); err == nil && filepath.IsLocal(rel) {
		top = m.Project.Dir
	}
	flags, err := cargoBuildFlags(m.a.Source, top, m.p.Rust)
	if err != nil {
		return err
	}
	// In front of xbuild's own, where cargo puts those of [target.…]: a linker among them is this machine's.
	flags = append(flags, env.RustFlags(m.view, c.Baseline, c.Rust.Rust.Version, m.settings)...)
	for _, prefix := range linked(m.a.Needs) {
		flags = append(flags, "-Lnative="+filepath.Join(prefix, "lib"))
	}
	m.rustflags = m.rustFlags(m.t, flags, root, m.a.Build)
	m.vars["rust.flags"] = inTOML(m.rustflags)
	return nil
}

// node makes the environment node-gyp's. A module in Rust is built beside others: what cargo sees is then kept apart,
// as what differs from c and path, which are from before cargo's came in.
func (m *making) node(c env.Environment, path []string) error {
	if m.vars["rust"] != nil {
		m.cargo = &node.Cargo{Target: m.p.Rust, Env: map[string]string{"CARGO_ENCODED_RUSTFLAGS": strings.Join(m.rustflags, "\x1f")}, Path: m.a.Path[:len(m.a.Path)-len(path)]}
		for _, v := range m.a.Env {
			if c.Lookup(v.Name) != v.Value {
				m.cargo.Env[v.Name] = v.Value
			}
		}
		for _, v := range c {
			if !slices.ContainsFunc(m.a.Env, func(w env.Var) bool { return w.Name == v.Name }) {
				m.cargo.Env[v.Name] = ""
			}
		}
		m.a.Env, m.a.Path = c, path
		for _, name := range []string{"LINK", "CC_target", "CXX_target", "AR_target", "LINK_target", "CC_host", "CXX_host", "AR_host", "LINK_host", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"} {
			m.cargo.Env[name] = ""
		}
	}
	libc, _, err := m.Suite(m.p)
	if err != nil {
		return err
	}
	m.a.Env = env.ForNode(m.a.Env, m.host, libc.NodeLink)
	return nil
}

// nodeBuild is what the recipe's native modules are built with.
func (pl *Planner) nodeBuild(a *Action, t project.Target, p platform.Platform, vars catalog.Vars, headers []node.Headers, cargo *node.Cargo) (*node.Build, error) {
	if p.Node == "" {
		return nil, fmt.Errorf("there is no Node.js for it")
	}
	libc, _, err := pl.Suite(p)
	if err != nil {
		return nil, err
	}
	b := &node.Build{
		App: vars["kind"] == "app", Headers: headers, Arch: p.Node, Gyp: p.Gyp, HostArch: pl.Host.Node, Libc: libc.Node, Refuse: libc.NodeRefuse, Big: p.Data == elf.ELFDATA2MSB, Narrow: p.Class == elf.ELFCLASS32, Cargo: cargo,
		Where: fmt.Sprintf("[target.%s] of %s", t.Name, pl.Project.File),
	}
	if p.Machine == elf.EM_ARM {
		b.ARM = strings.TrimPrefix(p.Variant, "v")
	}
	b.Binary, _ = vars["binary"].(string)
	b.CMake, _ = vars["cmake"].(bool)
	for name, to := range map[string]*[]string{"gyp": &b.Flags, "skip": &b.Skip, "scripts": &b.Scripts, "prebuilt": &b.Prebuilt, "exclude": &b.Exclude} {
		*to, _ = vars[name].([]string)
	}
	w, err := pl.workspace(t)
	if err != nil {
		return nil, err
	}
	if b.Lock, b.Manager = w.Lock, w.Manager; w.Source != "." {
		if b.Workspace, err = filepath.Rel(a.Source, w.Root); err != nil {
			return nil, err
		}
		b.Members = w.Members
	}
	if pl.Project.Toolchains[w.Manager].Source != "host" {
		manager, err := pl.Toolchain(w.Manager, pl.Host)
		if err != nil {
			return nil, err
		}
		b.ManagerVersion = manager.Version
	}
	if b.App && len(headers) != 1 {
		return nil, fmt.Errorf("an application runs on one Node: node names %d versions", len(headers))
	}
	return b, nil
}

// rustFlags are rustc's flags for a target. What the user gives comes last and wins.
func (pl *Planner) rustFlags(t project.Target, flags []string, source, build string) []string {
	for _, m := range pl.cargoPaths(source, build) {
		flags = append(flags, "--remap-path-prefix="+m)
	}
	flags = append(flags, strings.Fields(t.Env["RUSTFLAGS"])...)
	if more, ok := t.Options["rustflags"].([]string); ok {
		flags = append(flags, more...)
	}
	return flags
}

// cargoPaths are the directories of this machine that compilers see under cargo, each with what stands for it in the
// artifacts: the last that matches counts.
func (pl *Planner) cargoPaths(source, build string) []string {
	home := pl.Environ.Lookup("CARGO_HOME")
	if home == "" {
		home = filepath.Join(pl.Environ.Lookup("HOME"), ".cargo")
	}
	return []string{home + "=/cargo", source + "=.", build + "=/build"}
}

// once remembers what was made under a name.
func once[T any](made map[string]T, name string, make func() (T, error)) (T, error) {
	if v, ok := made[name]; ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		made[name] = v
	}
	return v, err
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
	e.Set("GOTOOLCHAIN", GoToolchain(pl.Project.Toolchains["go"], pl.Environ.Lookup("GOTOOLCHAIN")))
	if flags := strings.Join(strings.Fields(e.Lookup("CFLAGS")), " "); flags != "" {
		e.Set("CGO_CFLAGS", "-g "+flags)
		e.Set("CGO_CXXFLAGS", "-g "+e.Lookup("CXXFLAGS"))
		// What is empty, "go env -w" of the caller fills: these are Go's own defaults (go help environment).
		e.Set("CGO_LDFLAGS", cmp.Or(e.Lookup("LDFLAGS"), "-O2 -g"))
		e.Set("CGO_CPPFLAGS", " ")
	}
	return e
}

// GoToolchain is the GOTOOLCHAIN (go.dev/doc/toolchain) of what a project asks for, where the caller's is set or "". It
// is never "": the go.env of Debian's Go says "local", with which a go.mod that asks for a later release is an error.
func GoToolchain(asked project.ToolchainRequest, set string) string {
	switch exact := exactGo(asked.Constraint); {
	case set != "" && exact == "":
		return set
	case exact != "" && asked.Source != "host":
		return "go" + exact
	}
	return "auto"
}

// Watched is the directory that holds all of a target's own inputs.
func (pl *Planner) Watched(t project.Target) string {
	return watched(pl.Project.SourceDir(t), pl.Catalog.Recipe(t.Recipe).Root)
}
