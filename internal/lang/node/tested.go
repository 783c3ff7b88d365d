package node

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/node"
)

//go:embed preload.js
var nodePreload []byte

// test runs a test of the recipe node-gyp in the platform's own Node. It works in a directory of its own: the
// source with all its packages, devDependencies included and for the platform, and over that what is in dist. npm
// itself runs in the host's Node.
func test(ctx context.Context, r *lang.Runner, a *action.Action, s action.Step, emulate bool, log *bytes.Buffer) error {
	work := filepath.Dir(a.State)
	c := *a
	// not "test": node --test of Node 20 takes every file below a directory of that name for a test
	c.Top = filepath.Join(work, "tested")
	c.Build = filepath.Join(c.Top, disk.Relative(a.Top, a.Build))
	n := &nodeRun{Runner: r, ctx: ctx, a: &c, b: s.Node, log: log, work: filepath.Join(work, "tested-node"), test: true}
	n.with = map[string][]string{}
	root, err := node.Read(a.Build)
	if err != nil {
		return err
	}
	if !n.b.App && root.Scripts["prepare"] != "" {
		// npm ci runs it for the package itself: what is written in TypeScript is compiled. By the packages and the
		// Node of the host, where the module was built.
		if err := r.Command(ctx, a, action.Step{Dir: a.Build, Command: []string{"npm", "run", "prepare"}}, log); err != nil {
			return fmt.Errorf("its script prepare: %w", err)
		}
	}
	if err := cleanSource(c.Top); err != nil {
		return err
	}
	skip := []string{"**/node_modules"}
	for _, name := range []string{workName, "build", "build-node-*", "prebuilds"} {
		if name == workName || root.Tool() != "" {
			skip = append(skip, filepath.Join(disk.Relative(a.Top, a.Build), name))
		}
	}
	if err := disk.CopyTree(a.Top, c.Top, func(path string) bool {
		return disk.Matches(skip, disk.Relative(a.Top, path))
	}, nil, map[string]string{}); err != nil {
		return err
	}
	if err := n.install(root); err != nil {
		return err
	}
	module := ""
	if n.b.App {
		err = overlay(filepath.Join(a.Dist, "app"), n.top())
	} else {
		module, err = n.built(a, root, s.In.Headers)
	}
	if err != nil {
		return err
	}
	bin := filepath.Join(n.work, "bin")
	if err := n.programs(bin, s, emulate); err != nil {
		return err
	}
	e := n.npmConfig(s.In.Headers).Merge(s.Env)
	e.Set("NODE_OPTIONS", preload(bin))
	e.Set("npm_config_update_notifier", "false")
	e.Set("npm_config_loglevel", "error") // it warns of the variables that are node-gyp's
	if r.Offline {
		e.Set("npm_config_offline", "true")
	}
	c.Path = append([]string{bin}, c.Path...)
	s.Dir, s.Env = c.Build, e
	fmt.Fprintf(log, "Node %s\n", s.In.Node.Version)
	if err := r.Command(ctx, &c, s, log); err != nil || module == "" {
		return err
	}
	return loaded(bin, c.Build, module)
}

// cleanSource removes what an earlier test had in its directory, but for installed packages.
func cleanSource(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			if err == nil {
				err = os.Remove(path)
			}
			return err
		}
		if d.Name() == "node_modules" {
			return fs.SkipDir
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// overlay puts an application as it is in dist over one with devDependencies: whole packages, so that nothing of the
// one that npm installed is left in them.
func overlay(app, dir string) error {
	err := filepath.WalkDir(app, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := disk.Relative(app, path)
		// Neither a scope nor pnpm's and yarn's own directories are packages.
		if owner(rel) != rel || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "@") {
			return nil
		}
		if err := disk.RemoveAll(filepath.Join(dir, rel)); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	return disk.CopyTree(app, dir, func(path string) bool {
		return disk.Relative(app, path) == "node_modules/.package-lock.json"
	}, nil, map[string]string{})
}

// built puts the module where its loader looks for it: what node-gyp made beside it as it was made, the module itself
// as it is in dist. It returns its path.
func (n *nodeRun) built(a *action.Action, root node.Package, h node.Headers) (string, error) {
	if root.Tool() == node.NAPIRS {
		found, err := filepath.Glob(filepath.Join(a.Dist, "*.node"))
		if err != nil || len(found) == 0 {
			return "", fmt.Errorf("%s holds no .node file (%v)", a.Dist, err)
		}
		to := filepath.Join(n.a.Build, filepath.Base(found[0]))
		return to, disk.CopyFile(found[0], to)
	}
	prebuilds := filepath.Join("prebuilds", n.b.PrebuildDir())
	name := n.b.PrebuildName(root.Name, 0) // of Node-API, compiled for the first version
	made := n.b.Headers[0]
	if _, err := os.Stat(filepath.Join(a.Dist, prebuilds, name)); errors.Is(err, fs.ErrNotExist) {
		abi, _, err := h.ABI()
		if err != nil {
			return "", err
		}
		name, made = n.b.PrebuildName(root.Name, abi), h
	}
	release := filepath.Join(a.Build, "build-node-"+made.Version, "Release")
	entries, err := os.ReadDir(release)
	if err != nil {
		return "", err
	}
	out := filepath.Join(n.a.Build, "build", "Release")
	var modules []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := disk.CopyFile(filepath.Join(release, e.Name()), filepath.Join(out, e.Name())); err != nil {
			return "", err
		}
		if filepath.Ext(e.Name()) == ".node" {
			modules = append(modules, filepath.Join(out, e.Name()))
		}
	}
	module, err := n.one(root, modules)
	if err != nil {
		return "", err
	}
	dist := filepath.Join(a.Dist, prebuilds, name)
	for _, to := range []string{module, filepath.Join(n.a.Build, prebuilds, name)} {
		if err := disk.CopyFile(dist, to); err != nil {
			return "", err
		}
	}
	return module, nil
}

// preload is the value of NODE_OPTIONS with which every Node loads what lies beside the program node.
func preload(bin string) string {
	return `--require "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filepath.Join(bin, "preload.js")) + `"`
}

// programs makes the directory of what a test finds first on PATH: node, which is the platform's, and npm and npx,
// which run in the host's. They do not count on the environment: a test may start programs with another.
func (n *nodeRun) programs(bin string, s action.Step, emulate bool) error {
	if err := disk.RemoveAll(bin); err != nil {
		return err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "preload.js"), nodePreload, 0o644); err != nil {
		return err
	}
	in := s.In.Node
	run := []string{n.XBuild, "run", "-q", "--project", s.Env.Lookup("XBUILD_PROJECT"), "--store",
		s.Env.Lookup("XBUILD_STORE"), "-p", n.a.OCI, "--sysroot", in.Root.Dir}
	if emulate {
		run = append(run, "--emulate")
	}
	scripts := map[string][]string{"node": append(run, "--", in.Program)}
	host, err := disk.LookPath("node", n.Path(n.a))
	if err != nil {
		return err
	}
	for _, name := range []string{"npm", "npx"} {
		argv, err := n.script(name)
		if err != nil {
			return err
		}
		scripts[name] = []string{host, argv[1]}
	}
	for name, argv := range scripts {
		// Written anew by each process: one that clears the environment would lose it.
		text := "#!/bin/sh\ncase \"$NODE_OPTIONS\" in *" + env.Quote(filepath.Join(bin, "preload.js")) +
			"*) ;; *) NODE_OPTIONS=" + env.Quote(preload(bin)) + "\" $NODE_OPTIONS\"; export NODE_OPTIONS ;; esac\nexec"
		for _, arg := range argv {
			text += " " + env.Quote(arg)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text+" \"$@\"\n"), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// loaded fails where no Node of a test loaded the module: one that has a fallback in JavaScript passes its tests
// without.
func loaded(bin, dir, module string) error {
	data, err := os.ReadFile(filepath.Join(bin, "loaded"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		rel, err := filepath.Rel(real, strings.TrimSpace(line))
		if err == nil && filepath.IsLocal(rel) && !strings.Contains(rel, "node_modules") {
			return nil
		}
	}
	return fmt.Errorf("it ended well, but no Node loaded the module (%s): what was tested is JavaScript alone",
		strings.TrimPrefix(module, dir+"/"))
}
