package main

import (
	"testing"
	"time"

	"xbuild/internal/engine"
	"xbuild/internal/execute"
)

// TestTally: what was there, what came from kept results and what was built are counted apart.
func TestTally(t *testing.T) {
	made, kept, there := execute.Result{}, execute.Result{Kept: true}, execute.Result{Cached: true}
	for _, c := range []struct {
		results []execute.Result
		want    string
	}{
		{nil, "0 built, 0 up to date in 1.5 s, in /nowhere/dist"},
		{[]execute.Result{made, there, made}, "2 built, 1 up to date in 1.5 s, in /nowhere/dist"},
		{[]execute.Result{kept, there, kept}, "0 built, 2 from kept results, 1 up to date in 1.5 s, in /nowhere/dist"},
	} {
		got := (&Globals{}).tally(engine.Built{Results: c.results, Dist: "/nowhere/dist", Took: 1500 * time.Millisecond})
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestQuoted: arguments with spaces and quotes are one each to the editor.
func TestQuoted(t *testing.T) {
	got := quoted([]string{"debug", "a b", `c"d`, `e\f`, ""})
	if want := `debug "a b" "c\"d" "e\\f" ""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
