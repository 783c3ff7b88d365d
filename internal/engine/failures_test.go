package engine

import (
	"errors"
	"slices"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/execute"
	"xbuild/internal/hint"
)

// TestHintsOfPlatforms: what several platforms are told alike is said once.
func TestHintsOfPlatforms(t *testing.T) {
	var h hints
	for _, p := range []string{"linux/arm64", "linux/arm/v7", "linux/riscv64"} {
		h.add("write x = true in [target.app]", p)
		h.add("CMake finds no GTest for "+p, p)
		if p != "linux/arm/v7" {
			h.add(p+" has no SSE2: features = [] under [platform.\""+p+"\"]", p)
		}
		h.add("CMake finds no GTest for "+p, p) // of another target
	}
	want := []string{
		"hint: write x = true in [target.app]",
		"hint: CMake finds no GTest for linux/arm64 (the same for linux/arm/v7, linux/riscv64)",
		"hint: linux/arm64 has no SSE2: features = [] under [platform.\"linux/arm64\"] (the same for linux/riscv64)",
	}
	if got := h.lines(); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestFaults: what is wrong everywhere alike is said once, by itself.
func TestFaults(t *testing.T) {
	one, two := hint.Add(hint.Add(errors.New("no such package"), "name another"), "or none"), errors.New("no sysroot")
	for _, c := range []struct {
		name string
		list []action.Fault
		of   int
		want string
	}{
		{"none", nil, 3, ""},
		{"the only one", []action.Fault{{Target: "a", Platform: "linux/arm64", Err: two}}, 1, "no sysroot"},
		{"all alike", []action.Fault{
			{Target: "a", Platform: "linux/arm64", Err: two}, {Target: "b", Platform: "linux/s390x", Err: two},
		}, 2, "no sysroot"},
		{
			"one of two", []action.Fault{{Target: "a", Platform: "linux/arm64", Err: one}}, 2,
			"1 of 2 failed:\na for linux/arm64: no such package\nhint: name another\nhint: or none",
		},
		{
			"two kinds", []action.Fault{
				{Target: "a", Platform: "linux/arm64", Err: one}, {Target: "a", Platform: "linux/s390x", Err: two},
			}, 2,
			"2 of 2 failed:\na for linux/arm64: no such package\na for linux/s390x: no sysroot\n" +
				"hint: name another\nhint: or none",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := faultsError(c.list, c.of); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// TestFailed: who was not built because of another has no hints, and who was not begun is named too.
func TestFailed(t *testing.T) {
	a := func(target string) *action.Action { return &action.Action{Target: target, OCI: "linux/arm64"} }
	got := failed([]action.Fault{{Target: "x", Platform: "linux/s390x", Err: errors.New("no sysroot")}}, []execute.Result{
		{Action: a("good")},
		{Action: a("lib"), Err: errors.New("cc failed"), Hints: []string{"write x"}},
		{Action: a("app"), Err: &action.NeedError{Target: "lib", OCI: "linux/arm64"}, Hints: []string{"never said"}},
	})
	text := (&FailedError{Of: 4, Failures: got}).Error()
	const want = "3 of 4 failed:\nx for linux/s390x: no sysroot\nlib for linux/arm64: cc failed\n" +
		"app for linux/arm64: not built: it needs lib for linux/arm64, which failed\nhint: write x"
	if text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}
