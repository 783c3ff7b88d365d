package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/emulate"
	"xbuild/internal/execute"
	"xbuild/internal/lang/node"
	"xbuild/internal/lock"
	"xbuild/internal/plan"
	"xbuild/internal/resolve"
)

// TestCmd is xbuild test.
type TestCmd struct {
	Selecting
	Jobs    int           `short:"j" placeholder:"N" help:"Processes at once (default: one a core)." env:"XBUILD_JOBS"`
	Emulate bool          `help:"Use QEMU even where the host runs the programs itself." env:"XBUILD_EMULATE"`
	Timeout time.Duration `default:"30m" help:"How long the test of one target for one platform may take; 0 for ever." env:"XBUILD_TIMEOUT"`
	JUnit   string        `name:"junit" type:"path" placeholder:"FILE" help:"Write the results as JUnit XML too." env:"XBUILD_JUNIT"`
	JSON    bool          `name:"json" help:"Print the results as JSON instead of a table."`
}

// Help is the long help.
func (*TestCmd) Help() string {
	return "Builds as xbuild build does and runs each target's tests on every platform: as its recipe tests (go test, cargo test, ctest, make check, npm test) or as test = says in xbuild.toml. " +
		"Programs run natively where the host can, else under QEMU with the CPU of the platform's baseline. With equal = true, the output has to be the same on all platforms.\n\n" +
		"Example: xbuild test -p linux/arm64 -p linux/s390x --junit tests.xml"
}

// Run builds and tests.
func (c *TestCmd) Run(g *Globals) error {
	s, p, err := c.open(g, func(s *session) error {
		s.scratchDist()
		return nil
	})
	if err != nil {
		return err
	}
	tests, err := s.tests(p, c.Emulate)
	if err != nil {
		return err
	}
	release, err := s.store.Use(s.ctx)
	if err != nil {
		return err
	}
	defer release()
	opt := execute.TestOptions{Options: s.executeOptions(c.Jobs), Emulate: c.Emulate, Timeout: c.Timeout}
	opt.Tests = true
	built, err := s.build(p, opt.Options)
	broken := false
	for _, r := range built {
		if r.Err == nil {
			continue
		}
		broken = true
		for i := range tests {
			if tests[i].Action == r.Action {
				tests[i].Broken = r.Err
			}
		}
	}
	for _, f := range p.Faults {
		broken = true
		of := func(t execute.Test) bool { return t.Action.Target == f.Target && t.Action.OCI == f.Platform }
		if !slices.ContainsFunc(tests, of) { // it was not even planned
			tests = append(tests, execute.Test{Action: &action.Action{Target: f.Target, OCI: f.Platform}})
		}
		for i := range tests {
			if of(tests[i]) {
				tests[i].Broken = f.Err
			}
		}
	}
	if err != nil && (!broken || s.ctx.Err() != nil) {
		return err
	}
	if broken {
		report(err) // what was built is tested all the same
	}
	opt.Done = func(r execute.TestResult) {
		s.note("%-18s %s: %s in %.1f s", r.Platform, r.Target, r.Result, r.Seconds)
	}
	results, err := execute.RunTests(s.ctx, tests, opt)
	if err != nil {
		return err
	}
	return c.print(s, results)
}

// tests are the plan's tests, one an action. Actions that will not be tested are taken out of the plan.
func (s *session) tests(p *action.Graph, always bool) ([]execute.Test, error) {
	var tests []execute.Test
	var actions []*action.Action
	qemu := false
	silent := map[string]bool{}
	if err := s.nodes(p); err != nil {
		return nil, err
	}
	for _, a := range p.Actions {
		if !a.Asked {
			continue
		}
		if len(a.Test) == 0 {
			if !silent[a.Target] {
				silent[a.Target] = true
				s.note("target %s has no tests; test = … in its table says what tests it", a.Target)
			}
			continue
		}
		b, err := s.Baseline(a.Platform)
		if err != nil {
			return nil, err
		}
		emulated, err := emulate.Choose(s.Host, a.Platform, b, always)
		tested := false
		for _, steps := range runs(a) {
			t := execute.Test{Action: a, Steps: steps, Emulated: emulated}
			switch {
			case err != nil:
				t.Skip = err.Error()
			case steps[0].In != nil && steps[0].In.None != nil:
				t.Skip = steps[0].In.None.Error()
			default:
				tested = true
			}
			tests = append(tests, t)
		}
		if tested {
			actions = append(actions, a)
			qemu = qemu || emulated
		}
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("%s: nothing to test: no target has tests for the platforms asked for", s.Project.File)
	}
	p.Actions = action.WithNeeds(actions)
	if qemu {
		s.fetches = "xbuild fetch --qemu"
		req, err := s.RequireToolchain("qemu", s.Host)
		if err != nil {
			return nil, err
		}
		if err := s.resolved(req, false, false); err != nil {
			return nil, err
		}
		t, err := s.Toolchain("qemu", s.Host)
		if err != nil {
			return nil, err
		}
		p.Set.Toolchain(t)
	}
	return tests, nil
}

// runs are the tests of an action: all its steps in one, or one a version of Node.
func runs(a *action.Action) [][]action.Step {
	if a.Test[0].In == nil {
		return [][]action.Step{a.Test}
	}
	var out [][]action.Step
	for _, s := range a.Test {
		out = append(out, []action.Step{s})
	}
	return out
}

// nodes finds the Nodes that tests run in: what there is none of, the test is told.
func (s *session) nodes(p *action.Graph) error {
	var all resolve.Requests
	each := func(do func(a *action.Action, t *action.NodeTest) error) error {
		for _, a := range p.Actions {
			for _, step := range a.Test {
				if step.In == nil || step.In.None != nil {
					continue
				}
				if err := do(a, step.In); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := each(func(a *action.Action, t *action.NodeTest) error {
		req, err := node.Require(&s.Tools, a.Platform, *t)
		if errors.Is(err, node.ErrNoNode) {
			t.None = err
			return nil
		}
		all.Sysroots = append(all.Sysroots, req.Sysroots...)
		return err
	})
	if err != nil {
		return err
	}
	s.fetches = "xbuild fetch --qemu --node"
	if err := s.resolved(all, false, false); err != nil {
		return err
	}
	return each(func(a *action.Action, t *action.NodeTest) error {
		n, err := node.Locked(&s.Tools, a.Platform, *t)
		if err != nil {
			return err
		}
		t.Node = n
		p.Set.Sysroot(n.Tree)
		p.Set.Sysroot(n.Root)
		return nil
	})
}

// lockedNodes are the requests of those Nodes of the project's tests that the lock holds.
func (s *session) lockedNodes() (resolve.Requests, error) {
	var out resolve.Requests
	if !slices.ContainsFunc(s.Planner.Lock.Sysroots, func(r lock.Sysroot) bool {
		def := s.Catalog.Part(r.Name)
		return def != nil && def.Program != ""
	}) {
		return out, nil
	}
	p, err := s.New(plan.Selection{})
	if err != nil {
		return out, err
	}
	for _, a := range p.Actions {
		for _, step := range a.Test {
			if step.In == nil {
				continue
			}
			req, err := node.Require(&s.Tools, a.Platform, *step.In)
			if errors.Is(err, node.ErrNoNode) {
				continue
			}
			if err != nil {
				return out, err
			}
			for _, r := range req.Sysroots {
				if _, ok := resolve.FindSysroot(s.Planner.Lock, r); ok {
					out.Sysroots = append(out.Sysroots, r)
				}
			}
		}
	}
	return out, nil
}

// print puts the results out: details of failures on stderr, the table or JSON on stdout. The error says how many
// failed.
func (c *TestCmd) print(s *session, results []execute.TestResult) error {
	failed := 0
	for _, r := range results {
		if r.Result == execute.Failed {
			failed++
			fmt.Fprintf(os.Stderr, "\n--- %s for %s: %s\n%s", r.Target, r.Platform, r.Reason, ended(r.Output))
		}
	}
	if failed > 0 {
		fmt.Fprintln(os.Stderr)
	}
	if c.JUnit != "" {
		if err := writeJUnit(c.JUnit, s.Project.Name, results); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := printJSON(results); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TARGET\tPLATFORM\tRESULT\tHOW\tSECONDS")
		for _, r := range results {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f", r.Target, r.Platform, r.Result, how(r), r.Seconds)
			if r.Reason != "" {
				fmt.Fprintf(w, "\t%s", r.Reason)
			}
			fmt.Fprintln(w)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errors.New(execute.Summary(results))
	}
	s.note("%s", execute.Summary(results))
	return nil
}

func how(r execute.TestResult) string {
	how := "native"
	switch {
	case r.Result == execute.Skipped && !r.Started:
		how = "-"
	case r.Emulated:
		how = "emulated"
	}
	if r.Node != "" {
		how += ", Node " + r.Node
	}
	return how
}

// ended ends a text by a newline.
func ended(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
