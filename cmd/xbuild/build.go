package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/answer"
	"xbuild/internal/engine"
	"xbuild/internal/execute"
)

// Selecting are the flags that choose targets and platforms.
type Selecting struct {
	Targets   []string `arg:"" optional:"" name:"target" help:"Targets of xbuild.toml; none means all."`
	Platforms []string `short:"p" name:"platform" placeholder:"PLATFORM" help:"Platforms in any spelling; none means the project's. In a Dockerfile stage, TARGETPLATFORM." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
}

func (c *Selecting) selection() engine.Selection {
	return engine.Selection{Targets: c.Targets, Platforms: c.Platforms}
}

// BuildCmd is xbuild build.
type BuildCmd struct {
	Selecting
	Explain bool   `help:"Say of each target and platform why it is built, or that nothing is to be done."`
	Jobs    int    `short:"j" placeholder:"N" help:"Processes at once (default: one a core)." env:"XBUILD_JOBS"`
	Out     string `short:"o" name:"output" type:"path" placeholder:"DIR" help:"Directory for the artifacts instead of dist." env:"XBUILD_OUTPUT"`
}

// Help is the long help.
func (*BuildCmd) Help() string {
	return "Builds every target for every platform side by side, into dist/<os>/<arch>[/<variant>]/ and lists them in dist/artifacts.json. " +
		"What is not locked yet is locked, what is not in the store is fetched. A platform that fails does not stop the others.\n\n" +
		"Example: xbuild build -p linux/arm64 -p linux/riscv64"
}

// Run builds.
func (c *BuildCmd) Run(g *Globals) error {
	o := g.options()
	noted := false
	if g.watched {
		o.Progress.Note = func(string) { noted = true }
	}
	if c.Explain {
		o.Progress.Action = func(r execute.Result) {
			g.action(r)
			explain(r)
		}
	}
	e, err := engine.OpenProject(o)
	if err != nil {
		return err
	}
	b, err := e.Build(g.ctx, engine.BuildRequest{Selection: c.selection(), Jobs: c.Jobs, Dist: c.Out, Look: g.watched})
	if err != nil || g.question == nil {
		return cmp.Or(err, g.onlyNow(noted))
	}
	e.Keep(g.ctx, g.question, b)
	return nil
}

// onlyNow is an error where a build that is watched said something beside what became of it, which may not be so again.
func (g *Globals) onlyNow(noted bool) error {
	if noted {
		return errors.New("there was something to say")
	}
	return nil
}

// action says what became of an action.
func (g *Globals) action(r execute.Result) {
	switch {
	case errors.Is(r.Err, context.Canceled):
	case r.Err != nil:
		g.note("%-18s %s: failed", r.Action.OCI, r.Action.Target)
	case !r.Cached && !r.Kept:
		g.note("%-18s %s: built in %.1f s", r.Action.OCI, r.Action.Target, r.Took.Seconds())
	}
}

// explain says why something was built, or that nothing was to be done.
func explain(r execute.Result) {
	const most = 12 // of a change in the compiler's flags each command has one
	why := r.Why
	if r.Cached {
		why = []string{"up to date: nothing that it is made of has changed"}
	}
	if r.Kept {
		why = []string{"from kept results: all that it is made of was built before"}
	}
	for i, line := range why {
		if i == most {
			line = fmt.Sprintf("and %d more", len(why)-most)
		}
		fmt.Fprintf(os.Stderr, "xbuild: %s for %s: %s\n", r.Action.Target, r.Action.OCI, line)
		if i == most {
			break
		}
	}
}

// built says what became of a build: what commands said that failed, or a line that counts.
func (g *Globals) built(b engine.Built) {
	var notes []string
	for _, r := range b.Results {
		for _, n := range r.Notes {
			if !slices.Contains(notes, n) { // platforms are alike
				notes = append(notes, n)
				g.note("%s", n)
			}
		}
	}
	for _, r := range b.Results {
		if r.Err == nil || r.Action == nil || errors.As(r.Err, new(*action.NeedError)) {
			continue
		}
		fmt.Fprintf(os.Stderr, "\n--- %s for %s: %v\n%s", r.Action.Target, r.Action.OCI, r.Err, ended(r.Log))
	}
	if errors.As(b.Err, new(*engine.FailedError)) {
		fmt.Fprintln(os.Stderr) // before the error
	}
	if b.Err == nil {
		g.note("%s", g.tally(b))
	}
}

// tally counts what became of a build's actions.
func (g *Globals) tally(b engine.Built) string {
	built, kept, upToDate := 0, 0, 0
	for _, r := range b.Results {
		switch {
		case r.Cached:
			upToDate++
		case r.Kept:
			kept++
		default:
			built++
		}
	}
	from := ""
	if kept > 0 {
		from = fmt.Sprintf("%d from kept results, ", kept)
	}
	took := fmt.Sprintf("%.1f", b.Took.Seconds())
	if g.watched {
		took = answer.Elapsed
	}
	return fmt.Sprintf("%d built, %s%d up to date in %s s, in %s", built, from, upToDate, took, engine.Relative(b.Dist))
}

// ended ends a text by a newline.
func ended(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// PlanCmd is xbuild plan.
type PlanCmd struct {
	Selecting
	Graph string `enum:",text,dot" default:"" placeholder:"FORMAT" help:"Draw what needs what: text, or dot (Graphviz)."`
}

// Run prints the plan.
func (c *PlanCmd) Run(g *Globals) error {
	e, err := engine.OpenProject(g.options())
	if err != nil {
		return err
	}
	p, wrong := e.Plan(g.ctx, c.selection())
	if p == nil {
		return wrong
	}
	switch c.Graph {
	case "text":
		fmt.Print(p.Tree())
	case "dot":
		fmt.Print(p.Dot())
	default:
		err = printJSON(p)
	}
	return errors.Join(err, wrong)
}

// LockCmd is xbuild lock.
type LockCmd struct {
	Update bool `help:"Choose everything anew, newest versions that the constraints admit."`
}

// Run locks the whole project.
func (c *LockCmd) Run(g *Globals) error {
	e, err := engine.OpenProject(g.options())
	if err != nil {
		return err
	}
	l, err := e.Lock(g.ctx, c.Update)
	if err != nil {
		return err
	}
	g.note("%s holds %d toolchains and %d sysroots", l.File, l.Toolchains, l.Sysroots)
	return nil
}

// FetchCmd is xbuild fetch.
type FetchCmd struct {
	Selecting
	Host string `placeholder:"HOST" help:"Fetch the toolchains of another host (linux/amd64 or linux/arm64)." env:"XBUILD_HOST"`
	QEMU bool   `name:"qemu" help:"Fetch the emulators of xbuild run too."`
	GDB  bool   `name:"gdb" help:"Fetch the debugger of xbuild debug too."`
	Exec bool   `name:"exec" help:"Fetch what xbuild env and exec have beside: C for the platforms and the host."`
	Node bool   `name:"node" help:"Fetch the Nodes that xbuild test runs modules in too, and npm's packages for that."`
}

// Run fetches.
func (c *FetchCmd) Run(g *Globals) error {
	e, err := engine.OpenProject(g.options())
	if err != nil {
		return err
	}
	return e.Fetch(g.ctx, engine.FetchRequest{
		Selection: c.selection(), Host: c.Host, QEMU: c.QEMU, GDB: c.GDB, Exec: c.Exec, Node: c.Node,
	})
}
