package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/node"
)

// noProxy is the proxy of commands that must not download: an address that nothing answers at, in words that the error
// shows. Node's own client goes through proxies where NODE_USE_ENV_PROXY is set (Node 22.21 and 24.5).
const noProxy = "http://a-build-downloads-nothing.invalid:9"

// workName is the directory in a copy of the source that holds what is xbuild's own: headers, state, a home for tools
// that write into one.
const workName = ".xbuild"

// A nodeRun compiles the native modules of one copy of a project.
type nodeRun struct {
	*lang.Runner
	ctx  context.Context
	a    *action.Action
	b    *node.Build
	log  *bytes.Buffer
	work string
	test bool                // devDependencies are installed too, and all for the platform
	made map[string][]string // by package directory: the modules that were compiled in it
	with map[string][]string // by package directory: the shared libraries that its build made for them
	left []string            // globs of packages whose compiled files are left away
}

// fetch brings what npm ci needs into npm's cache: it installs into a directory that goes again.
func fetch(ctx context.Context, r *lang.Runner, a *action.Action, s action.Step, log *bytes.Buffer) error {
	if err := os.MkdirAll(filepath.Dir(a.State), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(a.State), "fetch-")
	if err != nil {
		return err
	}
	defer disk.RemoveAll(tmp)
	c := *a
	c.Top = tmp
	c.Build = filepath.Join(tmp, disk.Relative(a.Top, a.Build))
	if err := disk.CopyTree(a.Root, tmp, func(path string) bool {
		return len(a.Skip) > 0 && disk.Matches(a.Skip, disk.Relative(a.Source, path))
	}, append([]string{r.Build, r.Dist}, r.Skip...), map[string]string{}); err != nil {
		return err
	}
	n := &nodeRun{Runner: r, ctx: ctx, a: &c, b: s.Node, log: log, work: filepath.Join(c.Build, workName)}
	root, err := node.Read(c.Build)
	if err != nil {
		return err
	}
	if err := n.install(root); err != nil || !r.Tests || !slices.ContainsFunc(a.Test, func(s action.Step) bool {
		return s.In != nil
	}) {
		return err
	}
	n.test = true // with devDependencies, and what npm has for the platform
	return n.install(root)
}

// step is the step of the recipe node-gyp: it installs packages, compiles what is native, and lays the result out in
// the stage.
func step(ctx context.Context, r *lang.Runner, a *action.Action, s action.Step, log *bytes.Buffer) error {
	n := &nodeRun{Runner: r, ctx: ctx, a: a, b: s.Node, log: log, work: filepath.Join(a.Build, workName)}
	n.made, n.with = map[string][]string{}, map[string][]string{}
	r.Read(a, filepath.Join(a.Build, "package.json"))
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
	return n.Command(n.ctx, &a, action.Step{Dir: dir, Command: argv, Env: more}, n.log)
}

// quiet are the variables of a command that compiles: no configuration of the user's, no download.
func (n *nodeRun) quiet(h node.Headers) env.Environment {
	e := env.Environment{{Name: "HOME", Value: filepath.Join(n.work, "home")}, {Name: "NODE_USE_ENV_PROXY", Value: "1"},
		{Name: "npm_config_offline", Value: "true"}}
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
		{Name: "npm_config_build_from_source", Value: "true"}, {Name: "npm_config_arch", Value: n.b.Arch},
		{Name: "npm_config_target_arch", Value: n.b.Arch},
		{Name: "npm_config_platform", Value: "linux"}, {Name: "npm_config_target_platform", Value: "linux"},
		{Name: "npm_config_libc", Value: libc},
		{Name: "npm_config_target", Value: h.Version}, {Name: "npm_config_runtime", Value: "node"},
		{Name: "npm_config_nodedir", Value: n.nodedir(h)},
	}
}

func (n *nodeRun) nodedir(h node.Headers) string { return filepath.Join(n.work, "node-"+h.Version) }

// script returns the argv that runs a JavaScript program of a toolchain by its real path, so that no /usr/bin/env is
// needed.
func (n *nodeRun) script(name string) ([]string, error) {
	p, err := disk.LookPath(name, n.Path(n.a))
	if err != nil {
		return nil, err
	}
	if p, err = filepath.EvalSymlinks(p); err != nil {
		return nil, err
	}
	return []string{"node", p}, nil
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
		if err := link(file, filepath.Join(n.a.Stage, "prebuilds", n.b.PrebuildDir(),
			n.b.PrebuildName(root.Name, abi))); err != nil {
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
	return "", fmt.Errorf("%s: %s made %s; say which one is the module with binary = %q in %s", p.Name, p.Tool(),
		strings.Join(names, ", "), names[0], n.b.Where)
}

// link puts a file into the stage without copying it.
func link(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Link(from, to)
}
