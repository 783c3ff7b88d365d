package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/bench"
	"xbuild/internal/compose"
	"xbuild/internal/emulate"
	"xbuild/internal/hint"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// A BenchRequest says what is measured.
type BenchRequest struct {
	Selection
	With    []string // variants beside the project: each a list of instruction set features, with commas
	Emulate bool     // instructions are counted under QEMU even where the host runs the program itself
	Repeat  int      // timed runs of a native program, at least 1
	Jobs    int      // processes at once while building; 0 is one a core
}

// Bench builds the targets that have a benchmark and measures them, one after another: seconds where the host runs the
// program, executed instructions where QEMU does. A program that could not be measured is a figure with an error. It is
// an error where a target cannot be built or has no benchmark; a variant that fits no platform is a RequestError. What
// is built and measured is told to Progress.
func (e *Engine) Bench(ctx context.Context, r BenchRequest) ([]bench.Figure, error) {
	if r.Repeat < 1 {
		return nil, RequestError{errors.New("bench: --repeat must be at least 1")}
	}
	release, err := e.store.Use(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	e.scratchDist()
	programs, err := e.benchmarks(ctx, r)
	if err != nil {
		return nil, err
	}
	var figures []bench.Figure
	for _, p := range programs {
		if e.opt.Progress.Measures != nil {
			e.opt.Progress.Measures(p)
		}
		f := bench.Measure(ctx, p, r.Repeat)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e.opt.Progress.Measured != nil {
			e.opt.Progress.Measured(f)
		}
		figures = append(figures, f)
	}
	bench.Relate(figures)
	return figures, nil
}

// benchmarks builds the project and its variants, and says how each benchmark is started.
func (e *Engine) benchmarks(ctx context.Context, r BenchRequest) ([]bench.Program, error) {
	sel, err := e.selection(r.Selection)
	if err != nil {
		return nil, err
	}
	if sel.Targets, err = benched(e.pl.Project, sel.Targets); err != nil {
		return nil, err
	}
	variants, err := e.variants(sel, r.With)
	if err != nil {
		return nil, err
	}
	var programs []bench.Program
	for _, v := range variants {
		more, err := v.programs(ctx, r.Emulate, r.Jobs)
		if err != nil {
			return nil, err
		}
		programs = append(programs, more...)
	}
	bench.Sort(programs)
	return programs, nil
}

// benched are the targets asked for, all that have a benchmark where none is named.
func benched(p *project.Project, names []string) ([]string, error) {
	for _, name := range names {
		if t, ok := p.Target(name); ok && t.Bench == nil {
			return nil, hint.Add(fmt.Errorf("%s:%d: target %q has no benchmark", p.File, t.Line, name),
				"bench = [\"%s\", \"argument\"] names a program of dist/<platform> and its arguments", name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	for _, t := range p.Targets {
		if t.Bench != nil {
			names = append(names, t.Name)
		}
	}
	if names == nil {
		return nil, hint.Add(fmt.Errorf("%s: no target has a benchmark", p.File),
			"bench = [\"hello\", \"argument\"] in a target names a program of dist/<platform> and its "+
				"arguments")
	}
	return names, nil
}

// A variant is the project as it is, or with further features for some platforms, built beside it.
type variant struct {
	*Engine
	features []string
	sel      plan.Selection
	skip     []string // where the project itself builds
}

// variants are the project itself and one for each list of features.
func (e *Engine) variants(sel plan.Selection, with []string) ([]variant, error) {
	out := []variant{{Engine: e, sel: sel}}
	platforms, err := e.asked(sel)
	if err != nil {
		return nil, err
	}
	for _, list := range with {
		features := strings.Split(list, ",")
		configs, fitting, refused, err := e.withFeatures(platforms, features)
		if err != nil {
			return nil, err
		}
		if len(fitting) == 0 {
			return nil, RequestError{fmt.Errorf("bench: --with %s fits none of the platforms: %w", list, refused)}
		}
		p := e.pl.Project
		changed := *p
		// A directory of its own, or each would undo what the other built.
		name := strings.Join(features, "+")
		changed.Build = path.Join(changed.Build, "bench", name)
		changed.BuildAt = filepath.Join(p.BuildDir(), "bench", name)
		changed.DistAt = filepath.Join(changed.BuildAt, "dist")
		changed.PlatformConfig = configs
		own := *e
		own.pl.Project = &changed
		out = append(out, variant{
			Engine: &own, features: features, sel: plan.Selection{Targets: sel.Targets, Platforms: fitting},
			skip: []string{p.BuildDir(), p.DistDir()},
		})
	}
	return out, nil
}

// asked are the platforms of a selection, each once.
func (e *Engine) asked(sel plan.Selection) ([]platform.Platform, error) {
	targets, err := e.pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	var out []platform.Platform
	for _, t := range targets {
		for i, p := range t.Platforms {
			if t.Asked[i] && !slices.ContainsFunc(out, func(q platform.Platform) bool { return q.Name == p.Name }) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// withFeatures are the project's settings with further features for those platforms that can have them and have not.
// refused is why another one does not fit.
func (e *Engine) withFeatures(platforms []platform.Platform, more []string) (
	out map[string]project.PlatformConfig, fitting []platform.Platform, refused, err error,
) {
	if out = maps.Clone(e.pl.Project.PlatformConfig); out == nil {
		out = map[string]project.PlatformConfig{}
	}
	for _, p := range platforms {
		cfg := e.pl.Project.Config(p)
		features := append(slices.Clone(cfg.Features), more...)
		base, err := e.pl.Baseline(p)
		if err != nil {
			return nil, nil, nil, err
		}
		b, err := p.Baseline(cfg.CPU, features)
		if err != nil {
			refused = err
			continue
		}
		if slices.Equal(b.CFlags(), base.CFlags()) && slices.Equal(b.GoEnv(), base.GoEnv()) {
			refused = fmt.Errorf("%s has them already", p.Name)
			continue
		}
		own := out[p.Name]
		own.Features = features
		out[p.Name] = own
		fitting = append(fitting, p)
	}
	return out, fitting, refused, nil
}

// programs builds a variant and says how each benchmark is started.
func (v variant) programs(ctx context.Context, forced bool, jobs int) ([]bench.Program, error) {
	got, err := v.prepare(ctx, wanted{build: &v.sel})
	if err != nil {
		return nil, err
	}
	opt := v.executeOptions(jobs)
	opt.Skip = append(opt.Skip, v.skip...)
	if _, err := v.build(ctx, got, opt); err != nil {
		return nil, err
	}
	var out []bench.Program
	for _, a := range got.plan.Actions {
		if !a.Asked {
			continue
		}
		b, err := v.program(ctx, a, forced)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// program says how the benchmark of an action that was built is started.
func (v variant) program(ctx context.Context, a *action.Action, forced bool) (bench.Program, error) {
	b := bench.Program{
		Target: a.Target, Platform: a.OCI, Arch: a.Platform.Arch, Features: v.features, How: bench.Native, Dir: a.Source,
	}
	file := filepath.Join(a.Dist, filepath.FromSlash(a.Bench[0]))
	program, err := emulate.Open(file)
	if err != nil {
		return b, fmt.Errorf("bench of target %q for %s: %w", a.Target, a.OCI, err)
	}
	native := !forced && emulate.Native(v.pl.Host, a.Platform)
	var root compose.Sysroot
	var qemu compose.Toolchain
	var things []thing
	by := ""
	if program.Interp != "" && a.Platform.HasC() {
		things = append(things, v.sysroot(a.Platform, &root))
	}
	if !native {
		by = fetchEmulator
		things = append(things, v.toolchain(emulator, a.Platform, &qemu))
	}
	if err := v.have(ctx, by, things...); err != nil {
		return b, err
	}
	if native {
		b.Command = emulate.Direct(program, root.Dir, a.Platform, a.Bench[1:])
		return b, nil
	}
	baseline, err := v.pl.Baseline(a.Platform)
	if err != nil {
		return b, err
	}
	b.How, b.CPU = bench.Emulated, baseline.QEMUCPU()
	b.Command, err = emulate.Emulated(program, qemu.Bin(), root.Dir, a.Platform, baseline, a.Bench[1:])
	return b, err
}
