package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/emulate"
	"xbuild/internal/execute"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
)

// A TestRequest says what is built and tested.
type TestRequest struct {
	Selection
	Jobs    int           // processes at once; 0 is one a core
	Emulate bool          // programs run under QEMU even where the host runs them itself
	Timeout time.Duration // for the test of one target for one platform; 0 is none
	// Broken hears what could not be built, before the first test. The tests of the rest are run all the same.
	Broken func(error)
}

// Test builds what is selected and runs its tests. A test that fails, or whose target could not be built, is a result
// and no error. It is an error where there is nothing to test. Each action and each test are told to Progress.
func (e *Engine) Test(ctx context.Context, r TestRequest) ([]execute.TestResult, error) {
	e.scratchDist()
	got, tests, err := e.toTest(ctx, r)
	if err != nil {
		return nil, err
	}
	release, err := e.store.Use(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	opt := execute.TestOptions{Options: e.executeOptions(r.Jobs), Emulate: r.Emulate, Timeout: r.Timeout}
	opt.Tests = true
	built, err := e.build(ctx, got, opt.Options)
	tests, broken := withBroken(tests, built)
	if err != nil && (!broken || ctx.Err() != nil) {
		return nil, err
	}
	if broken && r.Broken != nil {
		r.Broken(err)
	}
	opt.Done = e.opt.Progress.Tested
	return execute.RunTests(ctx, tests, opt)
}

// withBroken says of tests which cannot be run, because their target was not built. One that was not even planned gets
// a test here.
func withBroken(tests []execute.Test, built Built) (out []execute.Test, broken bool) {
	out = slices.Clone(tests)
	for _, r := range built.Results {
		if r.Err == nil {
			continue
		}
		broken = true
		for i := range out {
			if out[i].Action == r.Action {
				out[i].Broken = r.Err
			}
		}
	}
	for _, f := range built.Faults {
		broken = true
		of := func(t execute.Test) bool { return t.Action.Target == f.Target && t.Action.OCI == f.Platform }
		if !slices.ContainsFunc(out, of) {
			out = append(out, execute.Test{Action: &action.Action{Target: f.Target, OCI: f.Platform}})
		}
		for i := range out {
			if of(out[i]) {
				out[i].Broken = f.Err
			}
		}
	}
	return out, broken
}

// toTest prepares a selection and its tests, with what they run in. Of the plan those actions are left that are tested,
// and what they need.
func (e *Engine) toTest(ctx context.Context, r TestRequest) (prepared, []execute.Test, error) {
	got, err := e.toBuild(ctx, r.Selection)
	if err != nil {
		return got, nil, err
	}
	nodes, err := e.testNodes(got.plan)
	if err != nil {
		return got, nil, err
	}
	things, by := nodes.things, fetchEmulator
	if len(things) > 0 {
		by = fetchNodes
	}
	tests, tested, emulated, err := e.tests(got.plan, nodes, r.Emulate)
	if err != nil {
		return got, nil, err
	}
	var qemu compose.Toolchain
	if emulated {
		things = append(things, e.toolchain(emulator, e.pl.Host, &qemu))
	}
	more, err := e.prepare(ctx, wanted{things: things, by: by})
	if err != nil {
		return got, nil, err
	}
	if len(things) > 0 {
		got.by = by
	}
	got.set.Add(more.set)
	got.plan = &action.Graph{Actions: action.WithNeeds(tested), Set: got.plan.Set, Faults: got.plan.Faults}
	return got, tests, nil
}

// tests are a plan's tests, one an action or a version of Node. tested are the actions whose tests are run; emulated
// says that some of them are run under QEMU.
func (e *Engine) tests(p *action.Graph, nodes testNodes, always bool) (
	tests []execute.Test, tested []*action.Action, emulated bool, err error,
) {
	silent := map[string]bool{}
	for _, a := range p.Actions {
		if !a.Asked {
			continue
		}
		if len(a.Test) == 0 {
			if !silent[a.Target] {
				silent[a.Target] = true
				e.note("target %s has no tests; test = … in its table says what tests it", a.Target)
			}
			continue
		}
		how, refused, err := e.how(a.Platform, always)
		if err != nil {
			return nil, nil, false, err
		}
		runs := false
		for _, steps := range split(a.Test) {
			t := execute.Test{Action: a, Steps: nodes.in(steps), Emulated: how}
			switch in := t.Steps[0].In; {
			case refused != nil:
				t.Skip = refused.Error()
			case in != nil && in.None != nil:
				t.Skip = in.None.Error()
			default:
				runs = true
			}
			tests = append(tests, t)
		}
		if runs {
			tested = append(tested, a)
			emulated = emulated || how
		}
	}
	if len(tests) == 0 {
		return nil, nil, false, fmt.Errorf("%s: nothing to test: no target has tests for the platforms asked for",
			e.pl.Project.File)
	}
	return tests, tested, emulated, nil
}

// how says whether programs of a platform run under QEMU. refused is why they do not run here at all.
func (e *Engine) how(p platform.Platform, always bool) (emulated bool, refused, err error) {
	b, err := e.pl.Baseline(p)
	if err != nil {
		return false, nil, err
	}
	emulated, refused = emulate.Choose(e.pl.Host, p, b, always)
	return emulated, refused, nil
}

// split are the tests of an action: all its steps in one, or one a version of Node.
func split(steps []action.Step) [][]action.Step {
	if steps[0].In == nil {
		return [][]action.Step{steps}
	}
	var out [][]action.Step
	for _, s := range steps {
		out = append(out, []action.Step{s})
	}
	return out
}

// testNodes are the Nodes that a plan's tests run in, by how the plan names them.
type testNodes struct {
	of     map[*action.NodeTest]*action.NodeTest
	things []thing // once they are prepared, the Nodes are known
}

// testNodes finds the Nodes that tests run in: what there is none of, the test is told.
func (e *Engine) testNodes(p *action.Graph) (testNodes, error) {
	out := testNodes{of: map[*action.NodeTest]*action.NodeTest{}}
	for _, a := range p.Actions {
		for _, step := range a.Test {
			if step.In == nil {
				continue
			}
			t := *step.In
			out.of[step.In] = &t
			_, err := table.Runtime().Require(&e.pl.Tools, a.Platform, t)
			switch none := lang.NoRuntimeError(""); {
			case errors.As(err, &none):
				t.None = err
			case err != nil:
				return out, err
			default:
				out.things = append(out.things, e.node(a.Platform, t, &t.Node))
			}
		}
	}
	return out, nil
}

// in are steps with the Nodes that they run in.
func (n testNodes) in(steps []action.Step) []action.Step {
	out := slices.Clone(steps)
	for i, s := range out {
		if s.In != nil {
			out[i].In = n.of[s.In]
		}
	}
	return out
}
