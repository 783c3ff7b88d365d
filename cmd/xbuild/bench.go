package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/bench"
	"xbuild/internal/emulate"
	"xbuild/internal/hint"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// BenchCmd is xbuild bench.
type BenchCmd struct {
	Selecting
	With    []string `name:"with" sep:"none" placeholder:"FEATURE,…" help:"Measure a variant beside, with these instruction set features, of each platform that can have them; may be repeated."`
	Emulate bool     `help:"Count instructions under QEMU even where the host runs the program itself." env:"XBUILD_EMULATE"`
	Repeat  int      `short:"n" default:"5" placeholder:"N" help:"Timed runs of a native program (default: ${default})."`
	Plot    string   `type:"path" placeholder:"FILE.svg" help:"Draw the figures too."`
	JSON    bool     `name:"json" help:"Print JSON."`
	Jobs    int      `short:"j" placeholder:"N" help:"Processes at once while building (default: one a core)." env:"XBUILD_JOBS"`
}

// Help is the long help.
func (*BenchCmd) Help() string {
	return "Builds the targets that have bench = […] in xbuild.toml and runs that program for each platform, one after another. What the host runs itself is timed. What QEMU runs is not: " +
		"the instructions that it executes are counted, a few million a second.\n\n" +
		"Example: xbuild bench -p linux/amd64 -p linux/amd64/v3 -p linux/arm/v7 --with neon --plot bench.svg"
}

// Run measures.
func (c *BenchCmd) Run(g *Globals) error {
	if c.Repeat < 1 {
		return usageError{fmt.Errorf("bench: --repeat must be at least 1")}
	}
	if c.Plot != "" && path.Ext(c.Plot) != ".svg" {
		return usageError{fmt.Errorf("bench: --plot %s: only SVG is drawn; name it .svg", c.Plot)}
	}
	s, err := g.open(true)
	if err != nil {
		return err
	}
	release, err := s.store.Use(s.ctx)
	if err != nil {
		return err
	}
	defer release()
	s.scratchDist()
	sel, err := c.selection(s)
	if err != nil {
		return err
	}
	if sel.Targets, err = s.benched(sel.Targets); err != nil {
		return err
	}
	variants, err := s.variants(sel, c.With)
	if err != nil {
		return err
	}
	var programs []bench.Program
	for _, v := range variants {
		more, err := v.programs(c.Emulate, c.Jobs)
		if err != nil {
			return err
		}
		programs = append(programs, more...)
	}
	bench.Sort(programs)
	var figures []bench.Figure
	failed := 0
	for _, p := range programs {
		s.note("%s: %s, %s", p.Target, strings.Join(append([]string{p.Platform}, p.Features...), " + "), p.How)
		f := bench.Measure(s.ctx, p, c.Repeat)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if f.Error != "" {
			failed++
			fmt.Fprintf(os.Stderr, "xbuild: %s for %s: %s\n", f.Target, f.Name(), f.Error)
		}
		figures = append(figures, f)
	}
	bench.Relate(figures)
	if c.JSON {
		err = printJSON(figures)
	} else {
		err = bench.Write(os.Stdout, figures)
	}
	if err == nil && c.Plot != "" {
		err = plot(c.Plot, figures)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d could not be measured", failed, len(figures))
	}
	return err
}

func plot(file string, figures []bench.Figure) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := bench.Plot(f, figures); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// benched are the targets asked for, all that have a benchmark where none is named.
func (s *session) benched(names []string) ([]string, error) {
	for _, name := range names {
		if t, ok := s.Project.Target(name); ok && t.Bench == nil {
			return nil, hint.Add(fmt.Errorf("%s:%d: target %q has no benchmark", s.Project.File, t.Line, name),
				"bench = [\"%s\", \"argument\"] names a program of dist/<platform> and its arguments", name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	for _, t := range s.Project.Targets {
		if t.Bench != nil {
			names = append(names, t.Name)
		}
	}
	if names == nil {
		return nil, hint.Add(fmt.Errorf("%s: no target has a benchmark", s.Project.File),
			"bench = [\"hello\", \"argument\"] in a target names a program of dist/<platform> and its arguments")
	}
	return names, nil
}

// A variant is the project as it is, or with further features for some platforms, built beside it.
type variant struct {
	*session
	features []string
	sel      plan.Selection
	skip     []string // where the project itself builds
}

// variants are the project itself and one for each --with.
func (s *session) variants(sel plan.Selection, with []string) ([]variant, error) {
	out := []variant{{session: s, sel: sel}}
	targets, err := s.Choose(sel)
	if err != nil {
		return nil, err
	}
	var platforms []platform.Platform
	for _, t := range targets {
		for i, p := range t.Platforms {
			if !t.Asked[i] {
				continue
			}
			if !slices.ContainsFunc(platforms, func(q platform.Platform) bool { return q.Name == p.Name }) {
				platforms = append(platforms, p)
			}
		}
	}
	for _, list := range with {
		v := variant{features: strings.Split(list, ","), sel: plan.Selection{Targets: sel.Targets}, skip: []string{s.Project.BuildDir(), s.Project.DistDir()}}
		changed := *s.Project
		// A directory of its own, or each would undo what the other built.
		changed.Build = path.Join(changed.Build, "bench", strings.Join(v.features, "+"))
		changed.BuildAt = filepath.Join(s.Project.BuildDir(), "bench", strings.Join(v.features, "+"))
		changed.DistAt = filepath.Join(changed.BuildAt, "dist")
		changed.PlatformConfig = maps.Clone(changed.PlatformConfig)
		if changed.PlatformConfig == nil {
			changed.PlatformConfig = map[string]project.PlatformConfig{}
		}
		var refused error
		for _, p := range platforms {
			cfg := s.Project.Config(p)
			features := append(slices.Clone(cfg.Features), v.features...)
			base, err := s.Baseline(p)
			if err != nil {
				return nil, err
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
			own := changed.PlatformConfig[p.Name]
			own.Features = features
			changed.PlatformConfig[p.Name] = own
			v.sel.Platforms = append(v.sel.Platforms, p)
		}
		if len(v.sel.Platforms) == 0 {
			return nil, usageError{fmt.Errorf("bench: --with %s fits none of the platforms: %w", list, refused)}
		}
		own := *s
		own.Project = &changed
		v.session = &own
		out = append(out, v)
	}
	return out, nil
}

// programs builds a variant and says how each benchmark is started.
func (v variant) programs(forced bool, jobs int) ([]bench.Program, error) {
	p, err := v.planned(v.sel)
	if err != nil {
		return nil, err
	}
	opt := v.executeOptions(jobs)
	opt.Skip = append(opt.Skip, v.skip...)
	if _, err := v.build(p, opt); err != nil {
		return nil, err
	}
	var out []bench.Program
	for _, a := range p.Actions {
		if !a.Asked {
			continue
		}
		file := filepath.Join(a.Dist, filepath.FromSlash(a.Bench[0]))
		program, err := emulate.Open(file)
		if err != nil {
			return nil, fmt.Errorf("bench of target %q for %s: %w", a.Target, a.OCI, err)
		}
		sysroot := ""
		if program.Interp != "" && a.Platform.HasC() {
			root, err := v.sysroot(a.Platform)
			if err != nil {
				return nil, err
			}
			sysroot = root.Dir
		}
		b := bench.Program{Target: a.Target, Platform: a.OCI, Arch: a.Platform.Arch, Features: v.features, How: bench.Native, Dir: a.Source}
		if !forced && emulate.Native(v.Host, a.Platform) {
			b.Command = emulate.Direct(program, sysroot, a.Platform, a.Bench[1:])
			out = append(out, b)
			continue
		}
		baseline, err := v.Baseline(a.Platform)
		if err != nil {
			return nil, err
		}
		qemu, err := v.toolchain("qemu", a.Platform)
		if err != nil {
			return nil, err
		}
		b.How, b.CPU = bench.Emulated, baseline.QEMUCPU()
		if b.Command, err = emulate.Emulated(program, qemu.Bin(), sysroot, a.Platform, baseline, a.Bench[1:]); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}
