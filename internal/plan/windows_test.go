package plan

import (
	"strings"
	"testing"
)

// TestWindows: Rust's library for Windows is built with the platform's own binary tools, and its libc is none of the
// project's choice.
func TestWindows(t *testing.T) {
	const files = "-- Cargo.toml --\n[package]\nname = \"hello\"\nversion = \"0.1.0\"\n"
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"windows/amd64\"]\n[sysroot]\nlibc = \"musl\"\n[target.hello]\nrecipe = \"rust\"\n"+files)
	p := pl.plan(t, Selection{})
	last := strings.Join(p.Actions[0].Steps[len(p.Actions[0].Steps)-1].Command, " ")
	for _, want := range []string{"--target=x86_64-pc-windows-gnu", "/bin/x86_64-w64-mingw32-clang", "-Clink-self-contained=no"} {
		if !strings.Contains(last, want) {
			t.Errorf("no %q in %s", want, last)
		}
	}
	if set := p.Actions[0].Env.Lookup("CCC_OVERRIDE_OPTIONS"); !strings.Contains(set, "-soname") {
		t.Errorf("rustc's -soname, which lld refuses for Windows, stays in: CCC_OVERRIDE_OPTIONS=%q", set)
	}
	if len(p.Set.Stds) != 1 || p.Set.Stds[0].View.Platform.Name != "windows/amd64" || p.Set.Stds[0].View.Sysroot.Tools["dlltool"] == "" || len(p.Set.Stds[0].View.Sysroot.RustObjects) != 2 {
		t.Errorf("libraries to build: %+v", p.Set.Stds)
	}
	pl = planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"windows/amd64\"]\n[platform.\"windows/amd64\"]\nlibc = \"gnu\"\n[target.hello]\nrecipe = \"rust\"\n"+files)
	if _, err := pl.Require(Selection{}); err == nil || !strings.Contains(err.Error(), "its libc is always mingw") {
		t.Errorf("another libc: error %v", err)
	}
}
