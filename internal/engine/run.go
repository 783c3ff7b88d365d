package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/action"
	"xbuild/internal/crash"
	"xbuild/internal/emulate"
	"xbuild/internal/execute"
	"xbuild/internal/hint"
	"xbuild/internal/inspect"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// A RunRequest is a program that is to run.
type RunRequest struct {
	Platform string   // in any spelling; "" is what the program is for, for Node and for a bare name the host
	Emulate  bool     // under QEMU even where the host runs it itself
	Node     string   // a version of Node.js, which is the program then; Command has its arguments
	Sysroot  string   // directory of loader and libraries; "" is the platform's
	Command  []string // the program and its arguments; a name that is no file is that of a program in dist
}

// A Running says how a program is started.
type Running struct {
	Args    []string      // of the program, or of its emulator
	Subject crash.Subject // by which a crash is explained; none where Script is set
	Script  bool          // a script whose interpreter is the host's
}

// Run says how a program of a platform is started on this host; what that takes is in the store then, and is kept from
// being tidied up until this process ends. Where no project is named and none lies in the working directory, the
// program's own counts: its sysroot has the libraries that the program was built with. A program that is not of the
// platform, or that neither the host nor QEMU runs, is an error; no program, and a version that is none, a
// RequestError.
func Run(ctx context.Context, o Options, r RunRequest) (Running, error) {
	if r.Node != "" {
		return runNode(ctx, o, r)
	}
	if len(r.Command) == 0 {
		return Running{}, RequestError{errors.New("run: no program")}
	}
	path, program, err := find(o, r)
	if errors.Is(err, emulate.ErrNotELF) {
		if err := refuseScriptOfNode(path, r); err != nil {
			return Running{}, err
		}
		if inspect.Script(path) {
			return Running{Args: append([]string{path}, r.Command[1:]...), Script: true}, nil
		}
	}
	if err != nil {
		return Running{}, err
	}
	if o.Dir == "" && o.ProjectDir == "" {
		o.ProjectDir = projectOf(path)
	}
	e, err := Open(o)
	if err != nil {
		return Running{}, err
	}
	if err := e.store.Keep(ctx); err != nil {
		return Running{}, err
	}
	p, err := e.platformOf(program, r.Platform, r.Command[0])
	if err != nil {
		return Running{}, err
	}
	sysroot := r.Sysroot
	if sysroot == "" && program.Interp != "" && p.HasC() {
		if sysroot, err = e.sysrootDir(ctx, p); err != nil {
			return Running{}, err
		}
	}
	return e.start(ctx, p, program, sysroot, r.Command[1:], r.Emulate)
}

// find is the program that a request names, by its absolute path: a loader takes a name without a slash for a
// library's.
func find(o Options, r RunRequest) (path string, program emulate.Program, err error) {
	name := r.Command[0]
	if path, err = filepath.Abs(name); err != nil {
		return path, program, err
	}
	program, err = emulate.Open(path)
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(name, "/") {
		return path, program, err
	}
	e, err := Load(o)
	if err != nil {
		return path, program, err
	}
	if path, err = e.builtFile(name, r.Platform); err != nil {
		return path, program, err
	}
	program, err = emulate.Open(path)
	return path, program, err
}

// builtFile is the file of a program that the project here has built, by its name.
func (e *Engine) builtFile(name, platformName string) (string, error) {
	if !e.inProject {
		return "", fmt.Errorf("no file %s here, and no %s whose programs it could be one of", name, project.FileName)
	}
	p, err := e.one(platformName)
	if err != nil {
		return "", err
	}
	dist := e.pl.Project.DistDir()
	all, err := execute.ReadArtifacts(dist)
	if err != nil {
		return "", err
	}
	var found, others []string
	for _, a := range all {
		switch file := Relative(filepath.Join(dist, filepath.FromSlash(a.Path))); {
		case filepath.Base(a.Path) != name:
		case a.Platform == p.Name:
			found = append(found, file)
		default:
			others = append(others, a.Platform)
		}
	}
	switch {
	case len(found) == 1:
		return filepath.Abs(found[0])
	case len(found) > 1:
		return "", fmt.Errorf("no file %s here, and %s has several for %s: name one of %s",
			name, Relative(dist), p.Name, strings.Join(found, ", "))
	case len(others) > 0:
		return "", hint.Add(
			fmt.Errorf("no file %s here, and %s has none for %s, but for %s",
				name, Relative(dist), p.Name, strings.Join(others, ", ")),
			"xbuild build -p %s builds it, where the target has that platform; -p of run chooses "+
				"another", p.Name)
	}
	return "", hint.Add(fmt.Errorf("no file %s here, and none of that name in %s", name, Relative(dist)),
		"xbuild build -p %s builds what the project has; %s/artifacts.json then lists the files", p.Name, Relative(dist))
}

// refuseScriptOfNode refuses a script of Node.js that is to run on a platform: the host's node would run it with the
// host's process.arch and without the platform's native modules. Tests are told apart: those that are scripts run on
// the host (docs/test.md).
func refuseScriptOfNode(path string, r RunRequest) error {
	is, byName := table.Script(path, inspect.Interpreter(path), inspect.Script(path))
	if !is {
		return nil
	}
	p := r.Platform
	if folder, ok := emulate.Folder(path, func(platform.Platform) bool { return true }); p == "" && ok {
		p = folder.Name
	}
	if !byName && (p == "" || os.Getenv("XBUILD_DIST") != "") {
		return nil
	}
	with := ""
	if p != "" {
		with = " -p " + p
	}
	return hint.Add(fmt.Errorf("%s is a script of Node.js, and no program of a platform", r.Command[0]),
		"xbuild run%s --node 24 %s runs it in the platform's Node.js, of the version that --node says",
		with, r.Command[0])
}

// projectOf is the folder of the project that a program lies in, for who stands in none. "" is none.
func projectOf(program string) string {
	if _, err := project.Find("."); err == nil {
		return ""
	}
	file, err := project.Find(filepath.Dir(program))
	if err != nil {
		return ""
	}
	return filepath.Dir(file)
}

// platformOf is what a program is run for: what the caller says, else what the program says. word is the program's name
// to the caller.
func (e *Engine) platformOf(program emulate.Program, name, word string) (platform.Platform, error) {
	p, err := program.Platform()
	if name != "" {
		p, err = e.one(name)
	}
	if err == nil && !program.Matches(p) {
		err = fmt.Errorf("%s is for %v %v %v, not for %s", word, program.Machine, program.Class, program.Data, p.Name)
	}
	return p, err
}

// runNode says how the platform's Node is started.
func runNode(ctx context.Context, o Options, r RunRequest) (Running, error) {
	e, err := Open(o)
	if err != nil {
		return Running{}, err
	}
	if err := e.store.Keep(ctx); err != nil {
		return Running{}, err
	}
	p, err := e.one(r.Platform)
	if err != nil {
		return Running{}, err
	}
	if _, err := semver.NewConstraint(r.Node); err != nil {
		return Running{}, RequestError{fmt.Errorf("--node %q is no version (such as 24, 22.14.0 or ^20.11)", r.Node)}
	}
	var n action.Node
	if err := e.have(ctx, "xbuild run --node "+r.Node, e.node(p, action.NodeTest{Range: r.Node}, &n)); err != nil {
		return Running{}, err
	}
	program, err := emulate.Open(n.Program)
	if err != nil {
		return Running{}, err
	}
	return e.start(ctx, p, program, cmp.Or(r.Sysroot, n.Root.Dir), r.Command, r.Emulate)
}

// start says how a program of a platform is started, by itself or under its emulator.
func (e *Engine) start(
	ctx context.Context, p platform.Platform, program emulate.Program, sysroot string, args []string, always bool,
) (Running, error) {
	b, err := e.pl.Baseline(p)
	if err != nil {
		return Running{}, err
	}
	emulated, err := emulate.Choose(e.pl.Host, p, b, always)
	if err != nil {
		return Running{}, err
	}
	out := Running{Subject: crash.Subject{
		Program: program.Path, Sysroot: sysroot, Platform: p, Baseline: b, Emulated: emulated,
	}}
	if !emulated {
		out.Args = emulate.Direct(program, sysroot, p, args)
		return out, nil
	}
	qemu, err := e.emulatorDir(ctx, p)
	if err != nil {
		return Running{}, err
	}
	out.Args, err = emulate.Emulated(program, qemu, sysroot, p, b, args)
	return out, err
}
