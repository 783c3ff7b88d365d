package plan

import (
	"cmp"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/node"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

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
	vars["name"], vars["static"], vars["strip"], vars["opt"] = t.Name, static, t.Strip, cmp.Or(t.Opt, "2")
	vars["platform"], vars["triplet"] = p.Name, p.Triplet
	vars["xbuild"], vars["test"] = pl.XBuild, t.Test.On
	vars["exe"] = ""
	if strings.HasPrefix(p.Name, "windows/") {
		vars["exe"] = ".exe"
	}
	return vars
}

func (pl *Planner) action(out *Plan, views map[string]compose.View, globbed map[string][]string, t project.Target, p platform.Platform) (*Action, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	cfg := pl.Project.Config(p)
	vars := pl.vars(t, p)
	source := filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source))
	work := filepath.Join(pl.Project.BuildDir(), filepath.FromSlash(p.Name), t.Name)
	a := &Action{
		Target: t.Name, Platform: p, OCI: p.Name, Recipe: t.Recipe, Source: source, Watch: watched(source, recipe.Root), Copy: recipe.CopySource,
		Build: filepath.Join(work, "build"), Stage: filepath.Join(work, "stage"), State: filepath.Join(work, "state.json"),
		Dist: filepath.Join(pl.Project.DistDir(), filepath.FromSlash(p.Name), filepath.FromSlash(t.Dest)), Static: vars["static"].(bool),
		External: t.External,
	}
	// What a build of the source for the host left behind is in build only where the source is itself compiled: an application's own folder may have that name.
	_, err := os.Stat(filepath.Join(source, "binding.gyp"))
	vars["binding.gyp"] = err == nil
	if a.Skip, err = vars.ExpandAll(recipe.Skip); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: skip: %w", recipe.Name, err)
	}
	for _, in := range t.Inputs {
		a.Inputs = append(a.Inputs, filepath.Join(pl.Project.Dir, filepath.FromSlash(in)))
	}
	if _, err := os.Stat(source); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	mapped := []string{"-ffile-prefix-map=" + source + "=."}
	if recipe.CopySource {
		mapped = []string{"-ffile-prefix-map=" + a.Build + "=."}
	}
	common := append([]string{"-O" + vars["opt"].(string)}, mapped...)
	if recipe.OwnOpt && t.Opt == "" {
		common = common[1:]
	}
	settings := env.Settings{
		CFlags: append(slices.Clone(common), cfg.CFlags...), CXXFlags: append(slices.Clone(common), cfg.CXXFlags...), LDFlags: cfg.LDFlags,
	}

	// What the action stands on: toolchains on PATH, and the view where the recipe compiles C.
	list, err := pl.needs(t, vars)
	if err != nil {
		return nil, err
	}
	var needs catalog.Need
	var headers []node.Headers
	found := map[string]string{} // variables by which toolchains are found
	for _, need := range list {
		needs.Sysroot, needs.Host = needs.Sysroot || need.Sysroot, needs.Host || need.Host
		for _, name := range need.Toolchains {
			needs.Toolchains = append(needs.Toolchains, name)
			if pl.Project.Toolchains[name].Source == "host" {
				continue
			}
			tc, err := pl.Toolchain(name)
			if err != nil {
				return nil, err
			}
			out.Set.Toolchain(tc)
			a.Path = append(a.Path, tc.Bin())
			maps.Copy(found, tc.Env())
		}
		for _, name := range need.Parts {
			def := pl.Catalog.Part(name)
			if def == nil || def.Archive != catalog.NPM {
				continue // of a toolchain
			}
			for _, version := range vars[need.Versions].([]string) {
				s, err := pl.part(def, version)
				if err != nil {
					return nil, err
				}
				out.Set.Sysroot(s)
				headers = append(headers, node.Headers{Version: s.Version, Dir: filepath.Join(s.Dir, compose.NodeModules(def.Packages[0]), "include/node")})
			}
		}
	}
	a.Explain = pl.explanations(t, p, needs.Toolchains)
	var view, host compose.View
	if bringsLibc(needs, p) {
		clang, err := pl.Toolchain("clang")
		if err != nil {
			return nil, err
		}
		view = compose.View{Platform: p, Clang: clang}
		if t.Strip {
			a.Strip = clang.Program("llvm-strip")
		}
	} else if needs.Sysroot {
		if view, err = once(views, p.Name, func() (compose.View, error) { return pl.View(p) }); err != nil {
			return nil, err
		}
		out.Set.View(view)
		a.Path = append([]string{view.Bin()}, a.Path...)
		a.Env = env.ForC(view, settings, pl.XBuild)
		vars["cmake_toolchain"] = view.CMakeToolchain()
		_, suite, err := pl.Suite(p)
		if err != nil {
			return nil, err
		}
		if a.Sysroot, a.Glibc = view.Sysroot.Dir, suite.Glibc; a.Glibc != "" {
			a.Glibc = cmp.Or(cfg.Sysroot.Glibc, a.Glibc)
		}
		if t.Strip {
			a.Strip = view.Tool("strip")
		}
	}
	cEnv, cPath := a.Env, a.Path
	if slices.Contains(needs.Toolchains, "rust") {
		c, err := pl.Cargo(p, view)
		if err != nil {
			return nil, err
		}
		host = c.Host
		out.Set.View(host)
		if c.Rust.Key != "" {
			out.Set.RustView(c.Rust)
		}
		root := watched(source, recipe.Root)
		// cargo says itself how much is optimised, C code of crates included, which lies in its registry.
		var maps []string
		for _, m := range pl.cargoPaths(root, a.Build) {
			maps = append(maps, "-ffile-prefix-map="+m)
		}
		crates := env.Settings{CFlags: append(slices.Clone(maps), cfg.CFlags...), CXXFlags: append(slices.Clone(maps), cfg.CXXFlags...)}
		a.Env = env.ForCargo(a.Env, view, c.Host, crates).Merge(c.Env)
		a.Path = append(c.Path(), a.Path...)
		vars["rust"] = p.Rust
		vars["rust.flags"] = pl.rustFlags(t, env.RustFlags(view, c.Baseline, settings, vars["static"].(bool)), root, a.Build)
	} else if needs.Host {
		if host, err = once(views, "host of "+p.Name, func() (compose.View, error) { return pl.HostView(p) }); err != nil {
			return nil, err
		}
		out.Set.View(host)
	}
	var cargo *node.Cargo
	if headers != nil {
		if vars["rust"] != nil {
			// A module in Rust is built beside others: what cargo sees is kept apart from what node-gyp sees.
			cargo = &node.Cargo{Target: p.Rust, Env: map[string]string{"CARGO_ENCODED_RUSTFLAGS": strings.Join(vars["rust.flags"].([]string), "\x1f")}, Path: a.Path[:len(a.Path)-len(cPath)]}
			for _, v := range a.Env {
				if cEnv.Lookup(v.Name) != v.Value {
					cargo.Env[v.Name] = v.Value
				}
			}
			for _, v := range cEnv {
				if !slices.ContainsFunc(a.Env, func(w env.Var) bool { return w.Name == v.Name }) {
					cargo.Env[v.Name] = ""
				}
			}
			a.Env, a.Path = cEnv, cPath
		}
		libc, _, err := pl.Suite(p)
		if err != nil {
			return nil, err
		}
		a.Env = env.ForNode(a.Env, host, libc.NodeLink)
		for _, name := range []string{"LINK", "CC_target", "CXX_target", "AR_target", "LINK_target", "CC_host", "CXX_host", "AR_host", "LINK_host"} {
			if cargo != nil {
				cargo.Env[name] = ""
			}
		}
	}
	if slices.Contains(needs.Toolchains, "go") {
		b, err := pl.Baseline(p)
		if err != nil {
			return nil, err
		}
		a.Env = pl.goEnv(a.Env.Merge(env.ForGo(p, b)))
	}
	a.Env = a.Env.With(found).With(cfg.Env).With(t.Env)
	if vars["rust"] != nil {
		a.Env.Unset("RUSTFLAGS") // it is among rust.flags: cargo takes it in the place of all others
	}

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
		// A variable that is set and empty is not one that is not set: a Makefile's own "LDFLAGS ?=" would not count any more.
		if s = strings.TrimSpace(s); s != "" || a.Env.Lookup(name) != "" {
			a.Env.Set(name, s)
		}
	}
	if err := pl.outputs(a, recipe, t, vars); err != nil {
		return nil, err
	}
	if err := sourceVars(vars, t, source, settings, p, globbed); err != nil {
		return nil, err
	}
	if a.Fetch, err = steps(recipe.Fetch, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	if a.Steps, err = steps(recipe.Steps, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	for _, list := range [][]Step{a.Fetch, a.Steps} {
		for i := range list {
			if list[i].Node != nil {
				if list[i].Node, err = pl.nodeBuild(t, p, vars, headers, cargo); err != nil {
					return nil, err
				}
			}
		}
	}
	if a.Test, err = pl.tests(recipe, t, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	a.Equal = t.Equal
	a.Bench = t.Bench
	a.ID = a.id()
	return a, nil
}

// nodeBuild is what the recipe's native modules are built with.
func (pl *Planner) nodeBuild(t project.Target, p platform.Platform, vars catalog.Vars, headers []node.Headers, cargo *node.Cargo) (*node.Build, error) {
	if p.Node == "" {
		return nil, fmt.Errorf("there is no Node.js for it")
	}
	libc, _, err := pl.Suite(p)
	if err != nil {
		return nil, err
	}
	b := &node.Build{
		App: vars["kind"] == "app", Headers: headers, Arch: p.Node, Gyp: p.Gyp, HostArch: pl.Host.Node, Libc: libc.Node, Big: p.Data == elf.ELFDATA2MSB, Cargo: cargo,
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

// cargoPaths are the directories of this machine that compilers see under cargo, each with what stands for it in the artifacts: the last that matches counts.
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

// Watched is the directory that holds all of a target's own inputs.
func (pl *Planner) Watched(t project.Target) string {
	return watched(pl.Project.SourceDir(t), pl.Catalog.Recipe(t.Recipe).Root)
}

// watched is the directory that holds all of a target's own inputs: its source, or the nearest directory upwards with one of the recipe's root files.
func watched(source string, roots []string) string {
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
			messages, err := vars.ExpandOne(o.Cargo)
			if err != nil {
				return err
			}
			a.Output = append(a.Output, Output{Path: p, Stage: o.Stage, Cargo: messages})
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
	s := Step{Dir: a.Build, Ran: def.Ran}
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
	if def.Node {
		s.Node = &node.Build{} // filled in by action
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
	c.Dist, c.Test, c.Equal, c.Bench = "", nil, false, nil
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and lists alone
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
