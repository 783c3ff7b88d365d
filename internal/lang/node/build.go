package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/hint"
	"xbuild/internal/inspect"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/node"
)

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
		return nil, n.explain(p, h, err, n.log.Bytes()[start:])
	}
	found, err := doublestar.FilepathGlob(pattern)
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	if len(found) == 0 {
		return nil, fmt.Errorf("%s %s: %s succeeded, but made no %s", p.Name, p.Version, p.Tool(),
			strings.TrimPrefix(pattern, p.Dir+"/"))
	}
	var with []string
	if n.b.App { // of a module the prebuild goes alone
		if with, err = bundled(found, p.Dir); err != nil {
			return nil, err
		}
		n.with[p.Dir] = with
	}
	for _, f := range with {
		if err := n.Check(n.a, with, f); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
		}
	}
	for _, f := range found {
		// node-gyp ends well with a module for the host where it did not find the platform's compiler.
		if err := n.Check(n.a, with, f); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
		}
		calls, err := node.Calls(f, n.b.Refuse)
		if err != nil {
			return nil, err
		}
		if len(calls) > 0 {
			return nil, hint.Add(fmt.Errorf("%s %s: %s calls %s of Node, where objects of Node's own C++ library go in or come out, "+
				"and over %s the module has another: what it would do there is undefined", p.Name, p.Version, filepath.Base(f),
				strings.Join(calls, ", "), n.b.Libc),
				"build it for this platform with libc = \"gnu\"; modules of Node-API call no such function, "+
					"and many of V8 do not either")
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
			if led = filepath.Join(filepath.Dir(file), led); disk.Within(led, dir) && !slices.Contains(out, led) {
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
				if _, err := os.Lstat(lib); err == nil && disk.Within(lib, dir) && !slices.Contains(out, lib) {
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
		if err := disk.RemoveAll(link); err != nil {
			return err
		}
	}
	return disk.PlaceLink(dir, link)
}

func (n *nodeRun) nodeGyp(p node.Package, h node.Headers) error {
	gyp, err := n.script("node-gyp")
	if err != nil {
		return err
	}
	python, err := disk.LookPath("python3", n.Path(n.a))
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
	if err := n.run(p.Dir, n.bins(p), e,
		slices.Concat(gyp, []string{"configure"}, common, preGyp, n.b.Flags)...); err != nil {
		return err
	}
	if err := node.DropFlags(filepath.Join(p.Dir, "build")); err != nil {
		return err
	}
	start := n.log.Len()
	build := func(jobs string) error {
		return n.run(p.Dir, n.bins(p), e, slices.Concat(gyp, []string{"build"}, common, []string{"--jobs=" + jobs})...)
	}
	err = build(action.Jobs)
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
	if err := disk.PlaceLink(n.nodedir(h), filepath.Join(cache, "v"+h.Version)); err != nil {
		return err
	}
	return n.run(p.Dir, n.bins(p), n.quiet(h), "node", bin, "compile", "--runtime=node", "--runtime-version="+h.Version,
		"--arch="+n.b.Arch, "--out=build", "--parallel="+action.Jobs)
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
	cli, err := disk.LookPath("napi", strings.Join(n.bins(p), ":"))
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
	if n.Offline {
		a.Env.Set("CARGO_NET_OFFLINE", "true")
	}
	a.Path = slices.Concat(n.b.Cargo.Path, n.bins(p), a.Path)
	return n.Command(n.ctx, &a, action.Step{Dir: p.Dir,
		Command: []string{"node", cli, "build", "--platform", "--release", "--target", n.b.Cargo.Target}}, n.log)
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

// gone is what a compiler says of a part of V8 that the headers of a newer Node have no longer.
var gone = lazyregexp.New(`error: no (?:member|type|template) named '(\w+)' in (?:namespace )?'(v8\b[\w:]*)`)

// explain adds to a failure what xbuild knows of its cause.
func (n *nodeRun) explain(p node.Package, h node.Headers, err error, log []byte) error {
	what := fmt.Sprintf("%s %s", p.Name, p.Version)
	if bytes.Contains(log, []byte(strings.TrimSuffix(strings.TrimPrefix(noProxy, "http://"), ":9"))) {
		return hint.Add(fmt.Errorf("%s tries to download while it is compiled, which is not allowed: %w", what, err),
			"scripts = [%q] in %s runs the package's own install script, with network; skip = [%q] "+
				"leaves it unbuilt", p.Name, n.b.Where, p.Name)
	}
	if m := gone.FindSubmatch(log); m != nil {
		return hint.Add(fmt.Errorf("%s: %w", what, err),
			"its sources use %s of %s, which Node %s does not have: an older one in node of %s may have it; "+
				"skip = [%q] leaves it unbuilt",
			m[1], m[2], h.Version, n.b.Where, p.Name)
	}
	if p.Tool() == node.NodeGyp && p.Prepares() {
		return hint.Add(fmt.Errorf("%s: %w", what, err),
			"node-gyp alone was called; the package's own install script does more (%s): scripts = "+
				"[%q] in %s runs that instead, with network; skip = [%q] leaves it unbuilt", p.Script(), p.Name, n.b.Where, p.Name)
	}
	return fmt.Errorf("%s: %w", what, err)
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
	if n.Offline {
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
	if err := disk.PlaceLink(gyp[1], filepath.Join(bin, "node-gyp")); err != nil {
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
