package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	"xbuild/internal/bench"
	"xbuild/internal/engine"
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
	if c.Plot != "" && path.Ext(c.Plot) != ".svg" {
		return engine.RequestError{Err: fmt.Errorf("bench: --plot %s: only SVG is drawn; name it .svg", c.Plot)}
	}
	e, err := engine.OpenProject(g.options())
	if err != nil {
		return err
	}
	figures, err := e.Bench(g.ctx, engine.BenchRequest{
		Selection: c.selection(), With: c.With, Emulate: c.Emulate, Repeat: c.Repeat, Jobs: c.Jobs,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(figures)
	} else {
		err = bench.Write(os.Stdout, figures)
	}
	if err == nil && c.Plot != "" {
		err = plot(c.Plot, figures)
	}
	if err == nil {
		err = unmeasured(figures)
	}
	return err
}

// measures says what is measured next.
func (g *Globals) measures(p bench.Program) {
	g.note("%s: %s, %s", p.Target, strings.Join(append([]string{p.Platform}, p.Features...), " + "), p.How)
}

// measured says why something could not be measured.
func (g *Globals) measured(f bench.Figure) {
	if f.Error != "" {
		fmt.Fprintf(os.Stderr, "xbuild: %s for %s: %s\n", f.Target, f.Name(), f.Error)
	}
}

// unmeasured is the error where something could not be measured.
func unmeasured(figures []bench.Figure) error {
	failed := 0
	for _, f := range figures {
		if f.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d could not be measured", failed, len(figures))
	}
	return nil
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
