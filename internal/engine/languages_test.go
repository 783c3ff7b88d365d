package engine

import (
	"slices"
	"testing"

	"xbuild/internal/project"
)

func TestProviders(t *testing.T) {
	e := at(t, hello, Options{})
	named := map[string]project.ToolchainRequest{"ninja": {}}
	for _, c := range []struct {
		program string
		want    []string
	}{
		{"go", []string{"go"}},
		{"cmake", []string{"cmake", "ninja", "make"}},
		{"ninja", nil},      // the project names it: it is at hand
		{"cargo", nil},      // comes with what cargo needs
		{"clang", nil},      // the view's
		{"./make", nil},     // the user's own
		{"no-such", nil},    // the host's, if anybody's
		{"pkg-config", nil}, // the view's
	} {
		if got := providers(e.pl.Catalog, named, c.program); !slices.Equal(got, c.want) {
			t.Errorf("%s comes with %q, want %q", c.program, got, c.want)
		}
	}
}

func TestCargoFor(t *testing.T) {
	const rust = "[target.r]\nrecipe = \"rust\"\n"
	const named = "[project]\nplatforms = [\"linux/arm64\"]\n[toolchains]\nrust = \"1.85\"\n"
	for _, c := range []struct {
		name, toml, command string
		want                cargoUse
	}{
		{"another language", hello, "make", noCargo},
		{"cargo itself", hello, "cargo", aloneCargo},
		{"a target of Rust", hello + rust, "make", withCargo},
		{"a target of Rust, no command", hello + rust, "", withCargo},
		{"a toolchain that is named", named, "make", withCargo},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := at(t, c.toml, Options{}).cargoFor(c.command); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestAtHand(t *testing.T) {
	e := at(t, hello, Options{})
	e.pl.Project.Toolchains = map[string]project.ToolchainRequest{
		"ninja": {}, "clang": {}, "rust": {}, "go": {Source: "host"}, "cmake": {},
	}
	for use, want := range map[cargoUse][]string{
		noCargo: {"cmake", "ninja", "rust"}, withCargo: {"cmake", "ninja"}, aloneCargo: {"cmake", "ninja"},
	} {
		if got := e.atHand(use); !slices.Equal(got, want) {
			t.Errorf("with %d: %q, want %q", use, got, want)
		}
	}
}

func TestScriptOfNode(t *testing.T) {
	for _, c := range []struct {
		path, interpreter string
		executable        bool
		is, byName        bool
	}{
		{"a.js", "", false, true, true},
		{"a.mjs", "", false, true, true},
		{"a.js", "node", true, true, false},
		{"a", "nodejs", true, true, false},
		{"a.js", "bash", true, false, false},
		{"a.sh", "sh", true, false, false},
		{"a", "", false, false, false},
	} {
		if is, byName := scriptOfNode(c.path, c.interpreter, c.executable); is != c.is || byName != c.byName {
			t.Errorf("%s of %q: %v, %v", c.path, c.interpreter, is, byName)
		}
	}
}
