package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"xbuild/internal/compose"
	"xbuild/internal/crash"
	"xbuild/internal/emulate"
	"xbuild/internal/inspect"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
)

// A DebugRequest is a program that is to be debugged.
type DebugRequest struct {
	Program  string // a file, or a target, which is built first
	Platform string // in any spelling; "" is what the program is for, for a target the host
	Native   bool   // the host may start the program itself
	Core     string // the core file that the program left; "" where it is to run
}

// A Debuggee is a program that can be debugged, and with what.
type Debuggee struct {
	emulate.Debugging
	Platform platform.Platform
	Native   bool          // the host starts it itself
	Subject  crash.Subject // by which its end is explained, where there is a core file
	Dir      string        // the project's directory
	engine   *Engine
}

// Debug finds the program that a word names, builds it where it is a target, and puts its sysroot into the store. The
// store is kept from being tidied up until this process ends. A program that is not of the platform, a target that
// makes several, and a core file that is none are errors.
func (e *Engine) Debug(ctx context.Context, r DebugRequest) (Debuggee, error) {
	if err := e.store.Keep(ctx); err != nil {
		return Debuggee{}, err
	}
	program, p, err := e.debugged(ctx, r)
	if err != nil {
		return Debuggee{}, err
	}
	d := Debuggee{Platform: p, Native: r.Native && emulate.Native(e.pl.Host, p), Dir: e.pl.Project.Dir, engine: e}
	d.Program, d.Core = program, r.Core
	for _, t := range e.pl.Project.Targets {
		if dir := e.pl.Project.SourceDir(t); !slices.Contains(d.Sources, dir) {
			d.Sources = append(d.Sources, dir)
		}
	}
	if !d.Native && p.HasC() {
		if d.Sysroot, err = e.sysrootDir(ctx, p); err != nil {
			return d, err
		}
	}
	if r.Core == "" {
		return d, nil
	}
	if _, _, err := crash.Owner(r.Core); err != nil {
		return d, fmt.Errorf("debug: --core: %w", err)
	}
	b, err := e.pl.Baseline(p)
	d.Subject = crash.Subject{Core: r.Core, Program: program.Path, Sysroot: d.Sysroot, Platform: p, Baseline: b}
	return d, err
}

// Emulator returns the command that starts the program under QEMU, which is in the store then.
func (d Debuggee) Emulator(ctx context.Context, args []string) ([]string, error) {
	b, err := d.engine.pl.Baseline(d.Platform)
	if err != nil {
		return nil, err
	}
	qemu, err := d.engine.emulatorDir(ctx, d.Platform)
	if err != nil {
		return nil, err
	}
	return emulate.Emulated(d.Program, qemu, d.Sysroot, d.Platform, b, args)
}

// Debugger returns the path of gdb, which is in the store then.
func (d Debuggee) Debugger(ctx context.Context) (string, error) {
	var gdb compose.Toolchain
	err := d.engine.have(ctx, fetchDebugger, d.engine.toolchain(debugger, d.Platform, &gdb))
	return gdb.Program(debuggerProgram), err
}

// XBuild is the path of this program.
func (e *Engine) XBuild() string { return e.self }

// debugged finds the program that a word names, and what it is for. A file wins over a target, which is built first.
func (e *Engine) debugged(ctx context.Context, r DebugRequest) (
	program emulate.Program, p platform.Platform, err error,
) {
	path := r.Program
	info, serr := os.Stat(path)
	if _, ok := e.pl.Project.Target(path); ok && (serr != nil || info.IsDir()) {
		if p, err = e.one(r.Platform); err != nil {
			return program, p, err
		}
		if path, err = e.builtProgram(ctx, path, p); err != nil {
			return program, p, err
		}
		r.Platform = p.Name
	}
	if path, err = filepath.Abs(path); err != nil {
		return program, p, err
	}
	if program, err = emulate.Open(path); err != nil {
		return program, p, err
	}
	p, err = e.platformOf(program, r.Platform, r.Program)
	return program, p, err
}

// builtProgram builds a target for a platform and returns the one program that it made.
func (e *Engine) builtProgram(ctx context.Context, target string, p platform.Platform) (string, error) {
	e.scratchDist()
	sel := plan.Selection{Targets: []string{target}, Platforms: []platform.Platform{p}}
	got, err := e.prepare(ctx, wanted{build: &sel})
	if err != nil {
		return "", err
	}
	built, err := e.build(ctx, got, e.executeOptions(0))
	if err != nil {
		return "", err
	}
	var programs []string
	for _, r := range built.Results {
		if !r.Action.Asked {
			continue
		}
		for _, a := range r.Artifacts {
			file := filepath.Join(built.Dist, filepath.FromSlash(a.Path))
			if r, err := inspect.File(file); err == nil && r.Kind == inspect.Executable {
				programs = append(programs, file)
			}
		}
	}
	if len(programs) == 1 {
		return programs[0], nil
	}
	return "", fmt.Errorf("target %q makes %d programs: name one of the files in %s",
		target, len(programs), Relative(built.Dist))
}
