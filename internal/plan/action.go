package plan

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hint"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/node"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
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
	vars["platform"], vars["triplet"], vars["qemu"] = p.Name, p.Triplet, p.QEMU
	vars["host_machine"], vars["host_rust"] = pl.Host.LLVM, pl.Host.Rust
	vars["xbuild"], vars["test"] = pl.XBuild, t.Test.On
	for _, need := range pl.Catalog.Recipe(t.Recipe).Needs {
		for _, name := range need.Toolchains {
			vars["host."+name] = pl.Project.Toolchains[name].Source == "host"
		}
	}
	if l := table.Of(pl.Catalog.Recipe(t.Recipe).Language); l.Vars != nil {
		l.Vars(&pl.Tools, t, vars)
	}
	vars["lenient"] = t.Lenient != nil && *t.Lenient
	vars["exe"] = ""
	if strings.HasPrefix(p.Name, "windows/") {
		vars["exe"] = ".exe"
	}
	return vars
}

func (pl *Planner) action(d *drawing, t project.Target, p platform.Platform, host bool) (*action.Action, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	language := table.Of(recipe.Language)
	cfg := pl.Project.Config(p)
	vars := pl.vars(t, p)
	source := filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source))
	name, folder := p.Name, p.Name
	if host {
		name, folder = onHost, "for-host" // host has links to the host's programs
	}
	work := filepath.Join(pl.Project.BuildDir(), filepath.FromSlash(folder), t.Name)
	a := &action.Action{
		Target: t.Name, Platform: p, OCI: name, Host: host, Prefix: filepath.Join(work, "prefix"), Recipe: t.Recipe,
		Language: recipe.Language,
		Source:   source, Watch: pl.Files.Upwards(source, recipe.Root), Copy: recipe.CopySource,
		Build: filepath.Join(work, "build"), Stage: filepath.Join(work, "stage"), State: filepath.Join(work, "state.json"),
		DistDir: pl.Project.DistDir(), Dist: filepath.Join(pl.Project.DistDir(), filepath.FromSlash(p.Name),
			filepath.FromSlash(t.Dest)), Static: vars["static"].(bool),
		External: t.External, Dispatched: t.Dispatched, Lenient: t.Lenient, Unaudited: t.Unaudited, Readers: recipe.Readers,
		Forgetful: recipe.Forgetful, Reread: recipe.Reread, Precise: recipe.Precise,
	}
	if recipe.HostPart != "" {
		a.HostPart = filepath.Join(a.Build, recipe.HostPart)
	}
	// What a build of the source for the host left behind is in build only where the source is itself compiled: an
	// application's own folder may have that name.
	vars["binding.gyp"] = pl.Files.Exists(filepath.Join(source, "binding.gyp"))
	var err error
	if a.Skip, err = vars.ExpandAll(recipe.Skip); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: skip: %w", recipe.Name, err)
	}
	for _, in := range t.Inputs {
		a.Inputs = append(a.Inputs, filepath.Join(pl.Project.Dir, filepath.FromSlash(in)))
	}
	if a.Needs, err = pl.join(t, name, d.made); err != nil {
		return nil, err
	}
	vars["needs"], vars["needs.link"] = lang.Linked(a.Needs), filepath.Join(work, "needs.link")
	if len(lang.Linked(a.Needs)) > 0 {
		a.LinkFile = filepath.Join(work, "needs.link")
		for _, n := range a.Needs {
			if !n.Run {
				a.Beside = append(a.Beside, relativeTo(a.Dist, n.Action.Dist))
			}
		}
	}
	if err := pl.Files.Missing(source); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	if language.Source != nil {
		if err := language.Source(&pl.Tools, a, t, vars); err != nil {
			return nil, err
		}
	}
	if err := pl.copied(a, recipe, vars); err != nil {
		return nil, err
	}
	if err := pl.takes(recipe, t, source); err != nil {
		return nil, err
	}
	// Artifacts name generated files, and sources as seen from the build directory (Meson's), as if that were where the
	// project says: no place of this machine is in them.
	mapped := []string{"-ffile-prefix-map=" + source + "=."}
	inPlace := filepath.Join(pl.Project.Dir, filepath.FromSlash(path.Join(pl.Project.Build, folder)), t.Name, "build")
	switch generated := relativeTo(source, inPlace); {
	case recipe.CopySource:
		mapped = []string{"-ffile-prefix-map=" + a.Top + "=."}
	case a.Build != inPlace:
		mapped = append(mapped, "-ffile-prefix-map="+a.Build+"="+generated,
			"-ffile-prefix-map="+relativeTo(a.Build, source)+"="+relativeTo(inPlace, source))
	case !strings.HasPrefix(generated, "./"):
		mapped = append(mapped, "-ffile-prefix-map="+a.Build+"="+generated)
	}
	settings := func(mapped []string) env.Settings {
		common := append([]string{"-O" + vars["opt"].(string)}, mapped...)
		if t.Opt == "" && (recipe.OwnOpt || optimises(recipe, t)) {
			common = common[1:]
		}
		return env.Settings{
			CFlags: append(slices.Clone(common), cfg.CFlags...), CXXFlags: append(slices.Clone(common), cfg.CXXFlags...),
			LDFlags: cfg.LDFlags, Static: vars["static"].(bool),
		}
	}
	// of commands that are run without a shell, and for all that are lists of words
	arguments, variables := settings(mapped), settings(env.Quoted(mapped))

	if a.Baseline, err = pl.Baseline(p); err != nil {
		return nil, err
	}
	m := &making{Planner: pl, Making: &lang.Making{
		Tools: pl.For(t), Environ: pl.Environ, Set: &a.Set, Views: d.views, Action: a, Target: t, Platform: p, Recipe: recipe,
		Config: cfg, Vars: vars, Settings: variables,
	}}
	if err := m.environment(); err != nil {
		return nil, err
	}
	variables = m.Settings
	arguments.CFlags = append(arguments.CFlags, m.Maps...)
	arguments.CXXFlags = append(arguments.CXXFlags, m.Maps...)

	vars["source"], vars["build"], vars["stage"], vars["jobs"] = source, a.Build, a.Stage, action.Jobs
	vars["caches"] = filepath.Join(pl.Store, "cache")
	vars["env.CFLAGS"], vars["env.CXXFLAGS"], vars["env.LDFLAGS"] = variables.CFlags, variables.CXXFlags, variables.LDFlags
	vars["lenient_header"] = m.View.LenientHeader()
	for _, l := range recipe.Lists {
		items, err := vars.ExpandAll(l.Items)
		if err != nil {
			return nil, fmt.Errorf("recipes/%s.toml: %s: %w", recipe.Name, l.Name, err)
		}
		vars[l.Name] = items
	}
	for _, w := range recipe.Without {
		if _, user := t.Env[w.Name]; user {
			continue
		}
		found, err := pl.Files.Mentions(source, w.Mentions, regexp.MustCompile(w.Match))
		if err != nil {
			return nil, err
		}
		if found {
			a.Env.Set(w.Name, "")
		}
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
		// A variable that is set and empty is not one that is not set: a Makefile's own "LDFLAGS ?=" would not count
		// any more.
		if s = strings.TrimSpace(s); s != "" || a.Env.Lookup(name) != "" {
			a.Env.Set(name, s)
		}
	}
	if err := pl.outputs(a, recipe, t, vars); err != nil {
		return nil, err
	}
	if err := pl.sourceVars(vars, source, arguments, m.View, d.sources); err != nil {
		return nil, err
	}
	if a.Fetch, err = steps(recipe.Fetch, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	if a.Steps, err = steps(recipe.Steps, vars, a); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	for _, list := range [][]action.Step{a.Fetch, a.Steps} {
		for i := range list {
			if list[i].Node != nil {
				if list[i].Node, err = language.Work(m.Making); err != nil {
					return nil, err
				}
			}
		}
	}
	if a.Test, err = pl.tests(recipe, t, vars, m); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
	}
	if vars["kind"] != "static" { // an archive is linked by others
		a.PkgConfig, _ = vars["pkg-config"].([]string)
	}
	a.Equal = t.Equal
	a.Bench = t.Bench
	if a.Headers, err = vars.ExpandAll(recipe.Headers); err != nil {
		return nil, fmt.Errorf("recipes/%s.toml: headers: %w", recipe.Name, err)
	}
	for _, dir := range headersOf(t, vars) {
		from := source
		if a.Copy {
			from = a.Build
		}
		a.Headers = append(a.Headers, filepath.Join(from, filepath.FromSlash(dir)))
	}
	a.LinkWith = recipe.LinkWith[p.OS]
	for _, v := range env.Counted(pl.Environ) {
		if !slices.ContainsFunc(a.Env, func(o env.Var) bool { return o.Name == v.Name }) {
			a.Caller = append(a.Caller, v)
		}
	}
	a.Roots = action.NewRoots(append(action.Trees(a.Set),
		action.Root{Name: action.RootBuild, Dir: pl.Project.BuildDir()}, action.Root{Name: action.RootDist, Dir: a.DistDir},
		action.Root{Name: action.RootProject, Dir: pl.Project.Dir}, action.Root{Name: action.RootStore, Dir: pl.Store},
		action.Root{Name: action.RootSource, Dir: cmp.Or(a.Root, a.Source)},
		action.Root{Name: action.RootHome, Dir: pl.Environ.Lookup("HOME")},
	)...)
	a.ID = a.Hash()
	return a, nil
}

// headersOf are the directories of a target's headers, relative to its source, for those that link with it: what the
// target says, else what is a C project's own include path, else the usual place.
func headersOf(t project.Target, vars catalog.Vars) []string {
	if t.Headers != nil {
		return t.Headers
	}
	if includes, ok := vars["includes"].([]string); ok {
		if len(includes) == 0 {
			return []string{"."}
		}
		return includes
	}
	return []string{"include"}
}

// optimises tells whether a target says by an option of its build system how much is optimised.
func optimises(recipe *catalog.Recipe, t project.Target) bool {
	for option, keys := range recipe.Optimise {
		given, _ := t.Options[option].(map[string]string)
		for key := range given {
			key, _, _ = strings.Cut(key, ":") // CMake's may have a type behind
			if slices.Contains(keys, key) {
				return true
			}
		}
	}
	return false
}

// copied says what is copied and where to: the source, or what root names, or what the build's files mention above it,
// in which the source lies as it does there.
func (pl *Planner) copied(a *action.Action, recipe *catalog.Recipe, vars catalog.Vars) error {
	a.Root, a.Top = a.Source, a.Build
	root, _ := vars["root"].(string)
	if !a.Copy {
		return nil
	}
	a.Rooted = root != ""
	if !a.Rooted {
		up, err := pl.Files.Above(a.Source, pl.Project.Dir, recipe.Above)
		if err != nil {
			return err
		}
		root = up
	}
	if root == "" {
		return nil
	}
	a.Root = filepath.Join(a.Source, filepath.FromSlash(root))
	rel, err := filepath.Rel(a.Root, a.Source)
	if err != nil || filepath.IsAbs(root) || !filepath.IsLocal(rel) {
		return fmt.Errorf("root %q is not the source or a directory above it, relative to the source (%s)", root, a.Source)
	}
	if err := pl.Files.Missing(a.Root); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	a.Build = filepath.Join(a.Top, rel)
	return nil
}

func (pl *Planner) outputs(a *action.Action, recipe *catalog.Recipe, t project.Target, vars catalog.Vars) error {
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
			messages, err := vars.ExpandOne(o.Listed)
			if err != nil {
				return err
			}
			a.Output = append(a.Output, action.Output{Path: p, Stage: o.Stage, Listed: messages})
		}
	}
	for _, o := range t.Outputs {
		a.Output = append(a.Output, action.Output{Path: o.Path, Dist: o.Dist})
	}
	if len(a.Output) == 0 {
		return fmt.Errorf("recipe %q cannot know what it builds: name the files with outputs = [\"path\"]%s", recipe.Name,
			installHint(recipe))
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

// relativeTo is a path as seen from a directory, one in it with "./" in front; both are absolute.
func relativeTo(dir, path string) string {
	rel, err := filepath.Rel(dir, path)
	switch {
	case err != nil:
		return path
	case filepath.IsLocal(rel):
		return "./" + rel
	}
	return rel
}

// sourceVars expands the globs of the option "sources" and says of each file which driver and flags compile it.
func (pl *Planner) sourceVars(vars catalog.Vars, source string, s env.Settings, v compose.View,
	globbed map[string][]string) error {
	globs, ok := vars["sources"].([]string)
	if !ok {
		return nil
	}
	key := source + "\x00" + strings.Join(globs, "\x00")
	files, err := once(globbed, key, func() ([]string, error) { return pl.Files.Named(source, globs) })
	if err != nil {
		return fmt.Errorf("sources: %w", err)
	}
	isFortran := func(f string) bool { return slices.Contains(toolset.FortranSuffixes, path.Ext(f)) }
	var plain, fortran []string
	cxx := false
	for _, f := range files {
		if isFortran(f) {
			fortran = append(fortran, f)
		} else {
			plain = append(plain, f)
		}
		cxx = cxx || slices.Contains(toolset.CXXSuffixes, path.Ext(f))
	}
	if len(fortran) > 0 && v.FC() == "" {
		return hint.Add(fmt.Errorf("sources: %s is Fortran, which %s does not compile", fortran[0], v.Compiler.Name),
			"write cc = \"gcc\" into the target")
	}
	if fortran, err = once(globbed, "fortran "+key, func() ([]string, error) {
		return pl.Files.FortranOrder(source, fortran)
	}); err != nil {
		return fmt.Errorf("sources: %w", err)
	}
	vars["sources"], vars["sources.fortran"] = plain, fortran
	objects := make([]string, len(files))
	for i, f := range files {
		objects[i] = vars["build"].(string) + "/obj/" + objectName(f) + ".o"
	}
	vars["compiler.c"], vars["compiler.cxx"] = filepath.Base(v.CC()), filepath.Base(v.CXX())
	link, libs := vars["compiler.c"], []string(nil)
	switch {
	case len(fortran) > 0:
		vars["compiler.fortran"] = filepath.Base(v.FC())
		link = vars["compiler.fortran"]
		if cxx {
			libs = []string{"-lstdc++"}
		}
	case cxx:
		link = vars["compiler.cxx"]
	}
	vars["sources.objects"], vars["link.driver"], vars["link.libs"] = objects, link, libs
	vars["item.c"], vars["item.cxx"] = s.CFlags, s.CXXFlags
	return nil
}

// objectName is a source's name in the directory of objects, which what lies above the source does not leave.
func objectName(source string) string { return strings.ReplaceAll(source, "../", "_up/") }

func steps(defs []catalog.Step, vars catalog.Vars, a *action.Action) ([]action.Step, error) {
	var out []action.Step
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
				vars["item"], vars["item.object"] = item, objectName(item)
				if slices.Contains(toolset.FortranSuffixes, path.Ext(item)) {
					vars["item.driver"], vars["item.flags"], vars["item.options"] = vars["compiler.fortran"],
						vars["item.c"], vars["fflags"]
				} else if slices.Contains(toolset.CXXSuffixes, path.Ext(item)) {
					vars["item.driver"], vars["item.flags"], vars["item.options"] = vars["compiler.cxx"],
						vars["item.cxx"], vars["cxxflags"]
				} else {
					vars["item.driver"], vars["item.flags"], vars["item.options"] = vars["compiler.c"], vars["item.c"], vars["cflags"]
				}
			}
			s, err := step(def, vars, a)
			if err != nil {
				return nil, fmt.Errorf("step %q: %w", def.Name, err)
			}
			if s.Group = group; def.Ordered {
				s.Group = -1 - len(out) // of its own
			}
			out = append(out, s)
		}
	}
	return out, nil
}

func step(def catalog.Step, vars catalog.Vars, a *action.Action) (action.Step, error) {
	s := action.Step{Dir: a.Build, Ran: def.Ran, Configures: def.Configures, Ahead: def.Ahead,
		Jobserver: a.Jobservers[def.Jobserver]}
	var err error
	for _, f := range []struct {
		to   *string
		from string
	}{{&s.Name, def.Name}, {&s.Dir, def.Dir}, {&s.Stdout, def.Stdout}, {&s.Output, def.Output},
		{&s.WhenMissing, def.WhenMissing}} {
		if f.from == "" {
			continue
		}
		if *f.to, err = vars.ExpandOne(f.from); err != nil {
			return s, err
		}
	}
	for _, f := range []struct {
		to   *[]string
		from []string
	}{{&s.Remove, def.Remove}, {&s.Forget, def.Forget}} {
		for _, name := range f.from {
			if name, err = vars.ExpandOne(name); err != nil {
				return s, err
			}
			*f.to = append(*f.to, name)
		}
	}
	if def.Node {
		s.Node = &node.Build{} // filled in by action
	}
	for to, from := range map[*env.Environment]map[string]string{&s.Env: def.Env, &s.Anew: def.Anew} {
		more := map[string]string{}
		for name, value := range from {
			if more[name], err = vars.ExpandOne(value); err != nil {
				return s, err
			}
		}
		*to = env.Environment{}.With(more)
	}
	if s.Each, err = vars.ExpandAll(def.Each); err != nil {
		return s, err
	}
	if s.Command, err = vars.ExpandAll(def.Command); err != nil {
		return s, err
	}
	if s.Results, err = vars.ExpandAll(def.Results); err != nil {
		return s, err
	}
	s.Command = yielding(s.Command, def.Yields, vars)
	return s, nil
}

// yielding is a command without those of its own options that the target gives, which come after them.
func yielding(command, options []string, vars catalog.Vars) []string {
	given, _ := vars["options"].([]string)
	name := func(arg string) string { n, _, _ := strings.Cut(arg, "="); return n }
	for _, option := range options {
		if !slices.ContainsFunc(given, func(arg string) bool { return name(arg) == option }) {
			continue
		}
		if i := slices.IndexFunc(command, func(arg string) bool { return name(arg) == option }); i >= 0 {
			command = slices.Delete(slices.Clone(command), i, i+1)
		}
	}
	return command
}
