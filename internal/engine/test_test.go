package engine

import (
	"errors"
	"slices"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/execute"
)

// TestBroken: what was not built is not tested, and is a result all the same.
func TestBroken(t *testing.T) {
	app, lib := &action.Action{Target: "app", OCI: "linux/arm64"}, &action.Action{Target: "lib", OCI: "linux/arm64"}
	tests := []execute.Test{{Action: app}, {Action: app}, {Action: lib}}
	compiler, planning := errors.New("cc failed"), errors.New("no sysroot")
	out, broken := withBroken(tests, Built{
		Results: []execute.Result{{Action: app, Err: compiler}, {Action: lib}},
		Faults:  []action.Fault{{Target: "lib", Platform: "linux/s390x", Err: planning}},
	})
	var got []error
	for _, o := range out {
		got = append(got, o.Broken)
	}
	if want := []error{compiler, compiler, nil, planning}; !broken || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", broken, got, want)
	}
	if added := out[3].Action; added.Target != "lib" || added.OCI != "linux/s390x" {
		t.Errorf("the test of what was not planned is of %s for %s", added.Target, added.OCI)
	}
	if tests[0].Broken != nil {
		t.Error("the tests that were given have changed")
	}
	if _, broken := withBroken(tests, Built{Results: []execute.Result{{Action: app}, {Action: lib}}}); broken {
		t.Error("all was built, and something is broken")
	}
}

// TestSplit: versions of Node are tests of their own, which find their Node.
func TestSplit(t *testing.T) {
	plain := []action.Step{{Name: "a"}, {Name: "b"}}
	if got := split(plain); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("steps without Node: %v", got)
	}
	old, new := &action.NodeTest{Range: "20"}, &action.NodeTest{Range: "24"}
	got := split([]action.Step{{In: old}, {In: new}})
	if len(got) != 2 || got[1][0].In != new {
		t.Fatalf("two versions of Node: %v", got)
	}
	found := &action.NodeTest{Range: "24", Node: action.Node{Version: "24.1.0"}}
	n := testNodes{of: map[*action.NodeTest]*action.NodeTest{new: found}}
	if in := n.in(got[1]); in[0].In != found || got[1][0].In != new {
		t.Errorf("the step runs in %+v; the plan's in %+v", in[0].In, got[1][0].In)
	}
}
