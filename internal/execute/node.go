package execute

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/env"
	"xbuild/internal/hint"
	"xbuild/internal/inspect"
	"xbuild/internal/node"
	"xbuild/internal/plan"
)

// noProxy is the proxy of commands that must not download: an address that nothing answers at, in words that the error
// shows. Node's own client goes through proxies where NODE_USE_ENV_PROXY is set (Node 22.21 and 24.5).
const noProxy = "http://a-build-downloads-nothing.invalid:9"

// workName is the directory in a copy of the source that holds what is xbuild's own: headers, state, a home for tools
// that write into one.
const workName = ".xbuild"

// A nodeRun compiles the native modules of one copy of a project.
type nodeRun struct {
	*runner
	ctx  context.Context
	a    *plan.Action
	b    *node.Build
	log  *bytes.Buffer
	work string
	test bool                // devDependencies are installed too, and all for the platform
	made map[string][]string // by package directory: the modules that were compiled in it
	with map[string][]string // by package directory: the shared libraries that its build made for them
	left []string            // globs of packages whose compiled files are left away
}

// nodeFetch brings what npm ci needs into npm's cache: it installs into a directory that goes again.
func (r *runner) nodeFetch(ctx context.Context, a *plan.Action, s plan.Step, log *bytes.Buffer) error {
	if err := os.MkdirAll(filepath.Dir(a.State), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(a.State), "fetch-")
	if err != nil {
		return err
	}
	defer removeAll(tmp)
	c := *a
	c.Top = tmp
	c.Build = filepath.Join(tmp, relative(a.Top, a.Build))
	if err := copyTree(a.Root, tmp, func(path string) bool { return leftOut(a, path) }, append([]string{r.opt.Build, r.opt.Dist}, r.opt.Skip...), map[string]string{}); err != nil {
		return err
	}
	n := &nodeRun{runner: r, ctx: ctx, a: &c, b: s.Node, log: log, work: filepath.Join(c.Build, workName)}
	root, err := node.Read(c.Build)
	if err != nil {
		return err
	}
	if err := n.install(root); err != nil || !r.opt.Tests || !slices.ContainsFunc(a.Test, func(s plan.Step) bool { return s.In != nil }) {
		return err
	}
	n.test = true // with devDependencies, and what npm has for the platform
	return n.install(root)
}

// node is the step of the recipe node-gyp: it installs packages, compiles what is native, and lays the result out in
// the stage.
func (r *runner) node(ctx context.Context, a *plan.Action, s plan.Step, log *bytes.Buffer) error {
	n := &nodeRun{runner: r, ctx: ctx, a: a, b: s.Node, log: log, work: filepath.Join(a.Build, workName)}
	n.made, n.with = map[string][]string{}, map[string][]string{}
	r.read(a, filepath.Join(a.Build, "package.json"))
	root, err := node.Read(a.Build)
	if err != nil {
		return fmt.Errorf("%s: the recipe wants a package.json in its source: %w", n.b.Where, err)
	}
	if err := n.install(root); err != nil {
		return err
	}
	if n.b.App {
		return n.app(root)
	}
	return n.module(root)
}

func (n *nodeRun) printf(format string, args ...any) { fmt.Fprintf(n.log, format+"\n", args...) }

// run runs one command with further variables.
func (n *nodeRun) run(dir string, bins []string, more env.Environment, argv ...string) error {
	a := *n.a
	a.Path = append(slices.Clone(bins), a.Path...)
	return n.command(n.ctx, &a, plan.Step{Dir: dir, Command: argv, Env: more}, n.log)
}

// quiet are the variables of a command that compiles: no configuration of the user's, no download.
func (n *nodeRun) quiet(h node.Headers) env.Environment {
	e := env.Environment{{Name: "HOME", Value: filepath.Join(n.work, "home")}, {Name: "NODE_USE_ENV_PROXY", Value: "1"}, {Name: "npm_config_offline", Value: "true"}}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		e.Set(name, noProxy)
		e.Set(strings.ToLower(name), noProxy)
	}
	e.Set("NO_PROXY", "")
	e.Set("no_proxy", "")
	return e.Merge(n.npmConfig(h))
}

// npmConfig says to tools that read npm's configuration what is built for, and that it is built.
func (n *nodeRun) npmConfig(h node.Headers) env.Environment {
	// sharp puts the C library into the names of what it builds as it is here, and Node's own part of a name for glibc
	// is none. To prebuild-install both are the same.
	libc := n.b.Libc
	if libc == "glibc" {
		libc = ""
	}
	return env.Environment{
		{Name: "npm_config_build_from_source", Value: "true"}, {Name: "npm_config_arch", Value: n.b.Arch}, {Name: "npm_config_target_arch", Value: n.b.Arch},
		{Name: "npm_config_platform", Value: "linux"}, {Name: "npm_config_target_platform", Value: "linux"}, {Name: "npm_config_libc", Value: libc},
		{Name: "npm_config_target", Value: h.Version}, {Name: "npm_config_runtime", Value: "node"}, {Name: "npm_config_nodedir", Value: n.nodedir(h)},
	}
}

func (n *nodeRun) nodedir(h node.Headers) string { return filepath.Join(n.work, "node-"+h.Version) }

// script returns the argv that runs a JavaScript program of a toolchain by its real path, so that no /usr/bin/env is
// needed.
func (n *nodeRun) script(name string) ([]string, error) {
	p, err := lookPath(name, n.path(n.a))
	if err != nil {
		return nil, err
	}
	if p, err = filepath.EvalSymlinks(p); err != nil {
		return nil, err
	}
	return []string{"node", p}, nil
}

// build compiles one package for one version of Node and returns the modules that came out, the directory build being
// that of this version.
func (n *nodeRun) build(p node.Package, h node.Headers, several bool) ([]string, error) {
	if err := n.b.Compose(n.nodedir(h), h); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(n.work, "home"), 0o755); err != nil {
		return nil, err
	}
	out := filepath.Join(p.Dir, "build")
	if several && p.Tool() != node.NAPIRS {
		// What is compiled for each version is kept apart, and make finds its own again.
		if err := n.choose(out, "build-node-"+h.Version); err != nil {
			return nil, err
		}
	}
	start := n.log.Len()
	pattern := filepath.Join(out, "Release", "*.node")
	var err error
	switch p.Tool() {
	case node.NodeGyp:
		err = n.nodeGyp(p, h)
	case node.CMakeJS:
		err = n.cmakeJS(p, h)
	case node.NAPIRS:
		err = n.napiRS(p)
		pattern = filepath.Join(p.Dir, "*.node") // napi-rs has a loader that looks beside itself
	}
	if err != nil {
		return nil, n.explain(p, err, n.log.Bytes()[start:])
	}
	found, err := doublestar.FilepathGlob(pattern)
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	if len(found) == 0 {
		return nil, fmt.Errorf("%s %s: %s succeeded, but made no %s", p.Name, p.Version, p.Tool(), strings.TrimPrefix(pattern, p.Dir+"/"))
	}
	var with []string
	if n.b.App { // of a module the prebuild goes alone
		if with, err = bundled(found, p.Dir); err != nil {
			return nil, err
		}
		n.with[p.Dir] = with
	}
	beside := &state{}
	for _, f := range with {
		beside.Outputs = append(beside.Outputs, output{Path: f, Dist: filepath.Base(f)})
	}
	for _, f := range with {
		if _, err := check(n.a, beside, f); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
		}
	}
	for _, f := range found {
		// node-gyp ends well with a module for the host where it did not find the platform's compiler.
		if _, err := check(n.a, beside, f); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
		}
		calls, err := node.Calls(f, n.b.Refuse)
		if err != nil {
			return nil, err
		}
		if len(calls) > 0 {
			return nil, hint.Add(fmt.Errorf("%s %s: %s calls %s of Node, where objects of Node's own C++ library "+
				"go in or come out, and over %s the module has another: what it would do there is undefined",
				p.Name, p.Version, filepath.Base(f), strings.Join(calls, ", "), n.b.Libc),
				"build it for this platform with libc = \"gnu\"; modules of Node-API call no such function, and "+
					"many of V8 do not either")
		}
	}
	return found, nil
}

// bundled are shared libraries in a package's directory that its modules need and find from where they lie
// (DT_RUNPATH with $ORIGIN, ld.so(8)): the build of the module made them. Links to them are among them.
func bundled(modules []string, dir string) ([]string, error) {
	var out []string
	for queue := slices.Clone(modules); len(queue) > 0; {
		file := queue[0]
		queue = queue[1:]
		if led, err := os.Readlink(file); err == nil {
			if led = filepath.Join(filepath.Dir(file), led); within(led, dir) && !slices.Contains(out, led) {
				out, queue = append(out, led), append(queue, led)
			}
			continue
		}
		r, err := inspect.File(file)
		if errors.Is(err, inspect.ErrFormat) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, at := range slices.Concat(r.RunPath, r.RPath) {
			at = strings.NewReplacer("$ORIGIN", filepath.Dir(file), "${ORIGIN}", filepath.Dir(file)).Replace(at)
			for _, name := range r.Needed {
				lib := filepath.Join(at, name)
				if _, err := os.Lstat(lib); err == nil && within(lib, dir) && !slices.Contains(out, lib) {
					out, queue = append(out, lib), append(queue, lib)
				}
			}
		}
	}
	return out, nil
}

// choose makes link a symbolic link to a directory beside it.
func (n *nodeRun) choose(link, dir string) error {
	if err := os.MkdirAll(filepath.Join(filepath.Dir(link), dir), 0o755); err != nil {
		return err
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		if err := removeAll(link); err != nil {
			return err
		}
	}
	return placeLink(dir, link)
}

func (n *nodeRun) nodeGyp(p node.Package, h node.Headers) error {
	gyp, err := n.script("node-gyp")
	if err != nil {
		return err
	}
	python, err := lookPath("python3", n.path(n.a))
	if err != nil {
		return err
	}
	e := n.quiet(h)
	e.Set("npm_config_python", python)
	preGyp, err := p.PreGyp(*n.b, h)
	if err != nil {
		return err
	}
	common := []string{"--nodedir=" + n.nodedir(h), "--arch=" + n.b.Gyp, "--release"}
	if err := n.run(p.Dir, n.bins(p), e, slices.Concat(gyp, []string{"configure"}, common, preGyp, n.b.Flags)...); err != nil {
		return err
	}
	if err := node.DropFlags(filepath.Join(p.Dir, "build")); err != nil {
		return err
	}
	start := n.log.Len()
	build := func(jobs string) error {
		return n.run(p.Dir, n.bins(p), e, slices.Concat(gyp, []string{"build"}, common, []string{"--jobs=" + jobs})...)
	}
	err = build(plan.Jobs)
	early := []byte("make: *** No rule to make target")
	if err != nil && n.ctx.Err() == nil && bytes.Contains(n.log.Bytes()[start:], early) {
		// Who calls node-gyp gets one job, and binding.gyp may not say that an action makes what another one reads.
		n.printf("xbuild: make came to a file before what makes it: once more, one job at a time")
		err = build("1")
	}
	return err
}

func (n *nodeRun) cmakeJS(p node.Package, h node.Headers) error {
	if !n.b.CMake {
		return fmt.Errorf("it is built by cmake-js: set cmake = true in %s, which brings CMake and Ninja", n.b.Where)
	}
	bin := ""
	for dir := p.Dir; bin == ""; dir = filepath.Dir(dir) {
		f := filepath.Join(dir, "node_modules", "cmake-js", "bin", "cmake-js")
		if _, err := os.Stat(f); err == nil {
			bin = f
		} else if dir == n.top() || dir == filepath.Dir(dir) {
			return errors.New("it is built by cmake-js, which is not installed: it must be among the dependencies, not the devDependencies")
		}
	}
	// cmake-js looks for headers in its cache below HOME before it downloads any.
	cache := filepath.Join(n.work, "home", ".cmake-js", "node-"+n.b.Arch)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	if err := placeLink(n.nodedir(h), filepath.Join(cache, "v"+h.Version)); err != nil {
		return err
	}
	return n.run(p.Dir, n.bins(p), n.quiet(h), "node", bin, "compile", "--runtime=node", "--runtime-version="+h.Version, "--arch="+n.b.Arch, "--out=build", "--parallel="+plan.Jobs)
}

// napiRS lets napi-rs call cargo, in the environment that the recipe rust would have.
func (n *nodeRun) napiRS(p node.Package) error {
	if n.b.Cargo == nil {
		return fmt.Errorf("it is built by napi-rs: set cargo = true in %s, which brings Rust", n.b.Where)
	}
	old, err := doublestar.FilepathGlob(filepath.Join(p.Dir, "*.node"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	cli, err := lookPath("napi", strings.Join(n.bins(p), ":"))
	if err != nil {
		return errors.New("it is built by napi-rs, and @napi-rs/cli is not installed: name it in the dependencies (an application is installed without devDependencies)")
	}
	if cli, err = filepath.EvalSymlinks(cli); err != nil {
		return err
	}
	a := *n.a
	a.Env = a.Env.With(n.b.Cargo.Env)
	for name, value := range n.b.Cargo.Env {
		if value == "" {
			a.Env.Unset(name)
		}
	}
	a.Env.Set("CARGO_TARGET_DIR", filepath.Join(n.work, "cargo"))
	if n.opt.Offline {
		a.Env.Set("CARGO_NET_OFFLINE", "true")
	}
	a.Path = slices.Concat(n.b.Cargo.Path, n.bins(p), a.Path)
	return n.command(n.ctx, &a, plan.Step{Dir: p.Dir, Command: []string{"node", cli, "build", "--platform", "--release", "--target", n.b.Cargo.Target}}, n.log)
}

// bins are the directories of the programs that a package's scripts find first, as npm has them on PATH.
func (n *nodeRun) bins(p node.Package) []string {
	out := []string{filepath.Join(p.Dir, "node_modules", ".bin")}
	for _, dir := range []string{n.a.Build, n.top()} {
		if bin := filepath.Join(dir, "node_modules", ".bin"); !slices.Contains(out, bin) {
			out = append(out, bin)
		}
	}
	return out
}

// explain adds to a failure what xbuild knows of its cause.
func (n *nodeRun) explain(p node.Package, err error, log []byte) error {
	what := fmt.Sprintf("%s %s", p.Name, p.Version)
	if bytes.Contains(log, []byte(strings.TrimSuffix(strings.TrimPrefix(noProxy, "http://"), ":9"))) {
		return hint.Add(fmt.Errorf("%s tries to download while it is compiled, which is not allowed: %w", what, err),
			"scripts = [%q] in %s runs the package's own install script, with network; skip = [%q] leaves it "+
				"unbuilt", p.Name, n.b.Where, p.Name)
	}
	if p.Tool() == node.NodeGyp && p.Prepares() {
		return hint.Add(fmt.Errorf("%s: %w", what, err),
			"node-gyp alone was called; the package's own install script does more (%s): scripts = [%q] in %s "+
				"runs that instead, with network; skip = [%q] leaves it unbuilt", p.Script(), p.Name, n.b.Where, p.Name)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// module compiles the module that the source is and lays its prebuilds out as prebuildify does.
func (n *nodeRun) module(root node.Package) error {
	if root.Tool() == "" {
		return fmt.Errorf("%s: the source holds neither binding.gyp nor a CMakeLists.txt for cmake-js, so it is no native module; kind = \"app\" builds the native modules that a project depends on", n.b.Where)
	}
	if root.Name == "" {
		return fmt.Errorf("%s: package.json has no name, which prebuilds are named after", n.b.Where)
	}
	for _, h := range n.b.Headers {
		found, err := n.build(root, h, true)
		if err != nil {
			return err
		}
		file, err := n.one(root, found)
		if err != nil {
			return err
		}
		api, err := node.Inspect(file)
		if err != nil {
			return err
		}
		if root.Tool() == node.NAPIRS {
			// Its loader knows its own names alone: name.linux-arm64-gnu.node.
			return link(file, filepath.Join(n.a.Stage, filepath.Base(file)))
		}
		abi := 0
		if api == node.V8API {
			if abi, _, err = h.ABI(); err != nil {
				return err
			}
		}
		if err := link(file, filepath.Join(n.a.Stage, "prebuilds", n.b.PrebuildDir(), n.b.PrebuildName(root.Name, abi))); err != nil {
			return err
		}
		n.printf("%s: uses %s", filepath.Base(file), api)
		if api == node.NodeAPI {
			return nil // every Node loads it
		}
	}
	return nil
}

// one chooses the file that is the module.
func (n *nodeRun) one(p node.Package, found []string) (string, error) {
	if len(found) == 1 && n.b.Binary == "" {
		return found[0], nil
	}
	plain := func(s string) string { return strings.ReplaceAll(s, "_", "-") }
	want := n.b.Binary
	if want == "" {
		want = filepath.Base(p.Name)
	}
	var names []string
	for _, f := range found {
		name := strings.TrimSuffix(filepath.Base(f), ".node")
		if name == want || n.b.Binary == "" && plain(name) == plain(want) {
			return f, nil
		}
		names = append(names, name)
	}
	return "", fmt.Errorf("%s: %s made %s; say which one is the module with binary = %q in %s", p.Name, p.Tool(), strings.Join(names, ", "), names[0], n.b.Where)
}

// link puts a file into the stage without copying it.
func link(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Link(from, to)
}

// listed tells whether one of the globs names the package.
func listed(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := doublestar.Match(g, name)
		return ok && err == nil
	})
}

// names tells whether a glob names a package that is installed, or one that is where the platform is another.
func names(glob string, packages []node.Package, elsewhere map[string]bool) bool {
	for name := range elsewhere {
		if listed([]string{glob}, name) {
			return true
		}
	}
	return slices.ContainsFunc(packages, func(p node.Package) bool { return listed([]string{glob}, p.Name) })
}

// app compiles every native module of an application and lays it out.
func (n *nodeRun) app(root node.Package) error {
	if rel, err := filepath.Rel(n.opt.Dist, filepath.Join(n.a.Source, root.Main)); root.Main != "" && err == nil && filepath.IsLocal(rel) {
		return hint.Add(fmt.Errorf("package.json's main, %s, lies in the folder of xbuild's results, which is no "+
			"part of the application", root.Main),
			"name another folder for the results: dist = \"out\" in [project] of xbuild.toml")
	}
	packages, links, err := n.packages(root)
	if err != nil {
		return err
	}
	elsewhere, err := n.elsewhere(packages)
	if err != nil {
		return err
	}
	for _, list := range []struct {
		option string
		globs  []string
	}{{"scripts", n.b.Scripts}, {"skip", n.b.Skip}} {
		for _, g := range list.globs {
			if !names(g, packages, elsewhere) {
				return fmt.Errorf("%s: %s names %q, and no such package is installed", n.b.Where, list.option, g)
			}
		}
	}
	n.leave(packages)
	if err := n.survey(packages); err != nil {
		return err
	}
	h := n.b.Headers[0]
	for _, p := range append(packages, root) {
		switch {
		case listed(n.left, p.Name):
		case listed(n.b.Scripts, p.Name):
			if err := n.scripts(p, h); err != nil {
				return err
			}
			n.made[p.Dir] = []string{}
		case listed(n.b.Prebuilt, p.Name):
		case p.Tool() != "":
			found, err := n.build(p, h, false)
			if err != nil {
				return err
			}
			n.made[p.Dir] = found
		}
	}
	return n.layout(root, packages, links)
}

// leave notes which packages are not wanted: those that skip names, and those that hold for one platform what is
// compiled here. lmdb's sources are in lmdb, and its prebuilds in @lmdb/lmdb-linux-x64 and the like, which npm installs
// as optional dependencies; their names begin with that of the package. Those that prebuilt names stay.
func (n *nodeRun) leave(packages []node.Package) {
	n.left = slices.Clone(n.b.Skip)
	for _, p := range packages {
		if p.Tool() == "" || listed(n.b.Prebuilt, p.Name) || listed(n.b.Skip, p.Name) || listed(n.b.Scripts, p.Name) {
			continue
		}
		for _, o := range packages {
			_, optional := p.Optional[o.Name]
			single := optional && len(o.OS) > 0 && len(o.CPU) > 0 && o.Tool() == ""
			named := strings.HasPrefix(path.Base(o.Name), path.Base(p.Name)+"-")
			if single && named && !listed(n.b.Prebuilt, o.Name) {
				n.left = append(n.left, o.Name)
			}
		}
	}
}

// survey looks for what will be amiss with packages that are not compiled, before others are, which takes its time:
// compiled files that nobody answers for, and packages that want one and have none.
func (n *nodeRun) survey(packages []node.Package) error {
	compiled := map[string]int{} // by package directory
	var loose, globs []string
	for _, p := range packages {
		taken := listed(n.b.Prebuilt, p.Name)
		switch {
		case listed(n.left, p.Name):
			continue
		case p.Tool() != "" && !taken || listed(n.b.Scripts, p.Name):
			compiled[p.Dir]++
			continue
		}
		first := ""
		err := filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "node_modules":
				return fs.SkipDir
			case !d.Type().IsRegular():
				return nil
			}
			kind, err := compiledKind(n.a, path)
			if err == nil && (kind == native || kind == foreign) && first == "" {
				first = path
			}
			if kind == native {
				compiled[p.Dir]++
			}
			return err
		})
		if err != nil {
			return err
		}
		if taken || first == "" {
			continue
		}
		rel, err := filepath.Rel(n.top(), first)
		if err != nil {
			return err
		}
		if compiled[p.Dir] == 0 { // prebuilt would take nothing
			way := fmt.Sprintf("skip = [%q] in %s installs it without; platforms = […] there leaves the platform out",
				p.Name, n.b.Where)
			if p.Script() != "" {
				way = fmt.Sprintf("scripts = [%q] in %s runs its install script (%s), which may build or fetch one; ",
					p.Name, n.b.Where, p.Script()) + way
			}
			return hint.Add(fmt.Errorf("%s %s has no sources that node-gyp or cmake-js builds, and of its compiled files "+
				"(%s and others) none is for %s", p.Name, p.Version, rel, n.a.OCI),
				"%s", way)
		}
		loose = append(loose, fmt.Sprintf("%s %s (%s)", p.Name, p.Version, rel))
		glob := p.Name
		if scope, _, ok := strings.Cut(p.Name, "/"); ok {
			glob = scope + "/*" // those of the other platforms are there too
		}
		if g := fmt.Sprintf("%q", glob); !slices.Contains(globs, g) {
			globs = append(globs, g)
		}
	}
	if len(loose) > 0 {
		list := strings.Join(globs, ", ")
		return hint.Add(fmt.Errorf("compiled files without sources that node-gyp or cmake-js builds are in %s",
			strings.Join(loose, ", ")),
			"prebuilt = [%s] in %s takes such files as npm has them; skip = [%s] leaves them away",
			list, n.b.Where, list)
	}
	return n.complete(packages, compiled)
}

// scripts runs a package's own install scripts as npm would, told what it is installed for.
func (n *nodeRun) scripts(p node.Package, h node.Headers) error {
	if p.Script() == "" {
		return fmt.Errorf("%s: scripts names %s, which has no install script", n.b.Where, p.Name)
	}
	if err := n.b.Compose(n.nodedir(h), h); err != nil {
		return err
	}
	e := n.npmConfig(h)
	if n.opt.Offline {
		e = n.quiet(h)
	}
	// The node-gyp of the toolchain comes first: packages bring ones that are too old for its Python.
	gyp, err := n.script("node-gyp")
	if err != nil {
		return err
	}
	bin := filepath.Join(n.work, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := placeLink(gyp[1], filepath.Join(bin, "node-gyp")); err != nil {
		return err
	}
	e.Unset("npm_config_build_from_source") // it may fetch what it is told to run for
	e.Set("npm_package_name", p.Name)
	e.Set("npm_package_version", p.Version)
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if p.Scripts[name] == "" {
			continue
		}
		e.Set("npm_lifecycle_event", name)
		if err := n.run(p.Dir, append([]string{bin}, n.bins(p)...), e, "sh", "-c", p.Scripts[name]); err != nil {
			return fmt.Errorf("%s %s: its script %s: %w", p.Name, p.Version, name, err)
		}
	}
	return nil
}

// sources are what of a compiled package served its compilation alone.
var sources = []string{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".o", ".a", ".gyp", ".gypi", ".mk", ".Makefile"}

// layout links the application into the stage: its own files as they are in the source, those of the packages of its
// workspace that it needs, and node_modules. No compiled file gets in that nobody answers for.
func (n *nodeRun) layout(root node.Package, packages []node.Package, links []string) error {
	owners := map[string]node.Package{root.Dir: root}
	own := []string{root.Dir}
	for _, p := range packages {
		owners[p.Dir] = p
		// What npm links beside the source is laid out with the source, as it always was.
		if n.pruned() && !inModules(relative(n.top(), p.Dir)) && !slices.ContainsFunc(own, func(dir string) bool { return within(p.Dir, dir) }) {
			own = append(own, p.Dir)
		}
	}
	of := map[string]node.Package{} // by directory
	stage := filepath.Join(n.a.Stage, "app")
	put := func(rel string, d fs.DirEntry) error {
		from, to := filepath.Join(n.top(), rel), filepath.Join(stage, rel)
		n.read(n.a, from)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return placeLink(target, to)
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: neither file, directory nor link", rel)
		}
		return link(from, to)
	}
	excluded := func(rel string) bool { return listed(n.b.Exclude, filepath.ToSlash(rel)) }
	// The application's own files: those that the source has now, not what an earlier copy left in the build directory.
	above := filepath.Join(n.a.Source, n.b.Workspace)
	for _, dir := range own {
		if err := n.ownFiles(filepath.Join(above, relative(n.top(), dir)), above, excluded, put); err != nil {
			return err
		}
	}
	return filepath.WalkDir(n.top(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(n.top(), path)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		owner, known := of[dir]
		if !known {
			owner = owners[n.a.Build]
			if n.pruned() {
				owner = ownerOf(owners, dir, n.top())
			} else if real, err := filepath.EvalSymlinks(dir); err == nil {
				owner = ownerOf(owners, real, n.top())
			}
			of[dir] = owner
		}
		made, built := n.made[owner.Dir]
		inside := strings.HasPrefix(rel, "node_modules"+string(filepath.Separator)) || strings.Contains(rel, string(filepath.Separator)+"node_modules"+string(filepath.Separator))
		product := slices.Contains(made, path) || slices.Contains(n.with[owner.Dir], path)
		if d.IsDir() {
			switch {
			case path == n.work || excluded(rel):
				return fs.SkipDir
			case built && path == filepath.Join(owner.Dir, "prebuilds"):
				return fs.SkipDir
			}
			return nil
		}
		if !inside && !product || excluded(rel) || inside && n.pruned() && !n.wanted(path, rel, d, owners, links) {
			return nil
		}
		if built && !product && (strings.HasPrefix(path, filepath.Join(owner.Dir, "build")+string(filepath.Separator)) && len(made) > 0 || slices.Contains(sources, filepath.Ext(path)) && len(made) > 0) {
			return nil
		}
		if d.Type().IsRegular() {
			kind, err := compiledKind(n.a, path)
			if err != nil {
				return err
			}
			switch {
			case kind == notCompiled:
			case listed(n.left, owner.Name):
				return nil
			case built || listed(n.b.Prebuilt, owner.Name):
				if kind == foreign || kind == otherSystem {
					return nil
				}
			case kind == otherSystem: // data, to a package that has nothing to compile
			default:
				return fmt.Errorf("the compiled file %s is of no package that was compiled, or that scripts or prebuilt of %s name", rel, n.b.Where)
			}
		}
		return put(rel, d)
	})
}

// ownFiles lays out the files of a directory of sources that belong to what is built, with paths as seen from the
// directory of the workspace.
func (n *nodeRun) ownFiles(dir, above string, excluded func(rel string) bool, put func(rel string, d fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(above, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir && (n.inputs.skips(path, relative(n.a.Source, path), d.Name(), n.a.Skip) || excluded(rel)) {
				return fs.SkipDir
			}
			n.list(n.a, filepath.Join(n.top(), rel))
			return nil
		}
		name := relative(dir, path)
		if matches(n.a.Skip, relative(n.a.Source, path)) || excluded(rel) || name == "xbuild.toml" || name == "xbuild.lock" {
			return nil
		}
		return put(rel, d)
	})
}

// ownerOf is the package that a directory belongs to.
func ownerOf(owners map[string]node.Package, dir, top string) node.Package {
	for ; ; dir = filepath.Dir(dir) {
		if p, ok := owners[dir]; ok {
			return p
		}
		if dir == top || dir == filepath.Dir(dir) {
			return owners[top]
		}
	}
}

// complete looks for packages that want a compiled file and got none.
func (n *nodeRun) complete(packages []node.Package, compiled map[string]int) error {
	alternatives, err := n.elsewhere(packages)
	if err != nil {
		return err
	}
	installed := map[string]bool{}
	for _, p := range packages {
		installed[p.Name] = true
	}
	var silent []node.Package
	for _, p := range packages {
		if listed(n.left, p.Name) || compiled[p.Dir] > 0 {
			continue
		}
		var those []string
		for name := range p.Optional {
			if alternatives[name] {
				those = append(those, name)
			}
		}
		slices.Sort(those)
		// What is skipped of its compiled packages leaves it to its own script, as if it had none (sharp, from source).
		without := !slices.ContainsFunc(those, func(name string) bool { return installed[name] && !listed(n.left, name) })
		switch {
		case len(those) > 1 && !slices.ContainsFunc(those, func(name string) bool { return installed[name] }):
			return hint.Add(fmt.Errorf("%s %s has its compiled files in packages for single platforms (%s and "+
				"others), and there is none for %s", p.Name, p.Version, those[0], n.a.OCI),
				"skip = [%q] in %s installs it without", p.Name, n.b.Where)
		case len(those) == 0 && listed(n.b.Prebuilt, p.Name) && p.Native():
			return hint.Add(fmt.Errorf("%s %s is to be taken as it is compiled (prebuilt), and npm's package has "+
				"nothing for %s", p.Name, p.Version, n.a.OCI),
				"skip = [%q] in %s installs it without", p.Name, n.b.Where)
		case len(those) == 0 && p.Tool() == "" && p.Native() && p.Script() != "":
			return hint.Add(fmt.Errorf("%s %s brings neither sources to compile nor a compiled file; its install "+
				"script (%s), which would fetch one, was not run", p.Name, p.Version, p.Script()),
				"scripts = [%q] in %s runs it, skip = [%q] installs it without", p.Name, n.b.Where, p.Name)
		case without && p.Tool() == "" && p.Script() != "" && !p.Needless() &&
			!listed(n.b.Prebuilt, p.Name) && !listed(n.b.Scripts, p.Name):
			silent = append(silent, p)
		}
	}
	return notRun(silent, n.b.Where)
}

// notRun is the error about install scripts that were not run, and that may make or fetch what the packages need. It
// names all at once, so that nobody builds once for each. Packages of one name are told once.
func notRun(packages []node.Package, where string) error {
	var names, lines []string
	for _, p := range packages {
		if name := strconv.Quote(p.Name); !slices.Contains(names, name) {
			names = append(names, name)
			lines = append(lines, fmt.Sprintf("  %s %s: %s", p.Name, p.Version, p.Script()))
		}
	}
	if len(names) == 0 {
		return nil
	}
	list := strings.Join(names, ", ")
	return hint.Add(fmt.Errorf("install scripts were not run, and what they make or fetch is missing from the "+
		"application:\n%s", strings.Join(lines, "\n")),
		"scripts = [%s] in %s runs them, network included; skip = [%s] says that the application does without",
		list, where, list)
}

// platformPackages are the packages of package-lock.json that npm installs on some platforms only (npm help
// package-lock.json, "packages").
func platformPackages(dir string) (map[string]bool, error) {
	var doc struct {
		Packages map[string]struct {
			OS       json.RawMessage `json:"os"`
			CPU      json.RawMessage `json:"cpu"`
			Optional bool            `json:"optional"`
		} `json:"packages"`
	}
	for _, name := range []string{"npm-shrinkwrap.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		break
	}
	out := map[string]bool{}
	for path, p := range doc.Packages {
		if i := strings.LastIndex(path, "node_modules/"); i >= 0 && p.Optional && (p.OS != nil || p.CPU != nil) {
			out[path[i+len("node_modules/"):]] = true
		}
	}
	return out, nil
}

type fileKind int

const (
	notCompiled fileKind = iota
	native
	foreign     // of another machine
	otherSystem // a program of Windows or macOS
)

// compiledKind tells by its first bytes whether a file is a program or a library, and whether it is for the platform's
// machine.
func compiledKind(a *plan.Action, path string) (fileKind, error) {
	f, err := os.Open(path)
	if err != nil {
		return notCompiled, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if k, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return notCompiled, err
	} else if k < 4 || string(head) != elf.ELFMAG {
		if filepath.Ext(path) == ".node" {
			return foreign, nil
		}
		others := []string{inspect.PE, inspect.MachO, inspect.Fat}
		if r, err := inspect.File(path); err == nil && slices.Contains(others, r.Format) {
			return otherSystem, nil
		}
		return notCompiled, nil
	}
	r, err := inspect.File(path)
	p := a.Platform
	p.Pages = nil // one that is laid out for small pages is the platform's all the same, and is not left out but refused when it is put into dist
	if err != nil || len(inspect.Errors(inspect.Check(r, p, inspect.Limits{}))) > 0 {
		return foreign, nil
	}
	return native, nil
}
