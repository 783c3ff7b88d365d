package plan

import (
	"strings"
	"testing"
)

// TestWasm: rustc links WebAssembly by itself. No sysroot and no C compiler of the platform take part, and C projects
// are refused.
func TestWasm(t *testing.T) {
	const files = "-- main.c --\n-- Cargo.toml --\n[package]\nname = \"hello\"\nversion = \"0.1.0\"\n"
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"wasip1/wasm\"]\n[target.hello]\nrecipe = \"rust\"\nstrip = true\n"+files)
	p := pl.plan(t, Selection{})
	a := p.Actions[0]
	last := strings.Join(a.Steps[len(a.Steps)-1].Command, " ")
	for _, want := range []string{"--target=wasm32-wasip1", "\"-Clinker=/store/trees/toolchain-clang-", "/bin/wasm-ld\""} {
		if !strings.Contains(last, want) {
			t.Errorf("no %q in %s", want, last)
		}
	}
	if !strings.HasSuffix(a.Strip, "/llvm-strip") {
		t.Errorf("stripped by %q", a.Strip)
	}
	for _, v := range p.Set.Views {
		if v.Platform.Name == "wasip1/wasm" {
			t.Error("a C compiler for WebAssembly")
		}
	}
	for _, v := range a.Env {
		if strings.HasPrefix(v.Name, "CC_wasm32") {
			t.Errorf("%s=%s", v.Name, v.Value)
		}
	}
	if len(p.Set.Stds) != 0 {
		t.Errorf("%d libraries to build; the archive has it", len(p.Set.Stds))
	}
	pl = planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"wasip1/wasm\"]\n[target.hello]\nrecipe = \"cc\"\nsources = [\"main.c\"]\n"+files)
	if _, err := pl.Require(Selection{}); err == nil || !strings.Contains(err.Error(), `platform "wasip1/wasm" has no C toolchain or sysroot`) {
		t.Errorf("C for WebAssembly: error %v", err)
	}
}
