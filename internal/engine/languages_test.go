package engine

import (
	"slices"
	"testing"

	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
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
		if got := e.providers(named, c.program); !slices.Equal(got, c.want) {
			t.Errorf("%s comes with %q, want %q", c.program, got, c.want)
		}
	}
}

func TestLanguagesFor(t *testing.T) {
	const rust = "[target.r]\nrecipe = \"rust\"\n"
	const named = "[project]\nplatforms = [\"linux/arm64\"]\n[toolchains]\nrust = \"1.85\"\n"
	for _, c := range []struct {
		name, toml, command string
		want                []string
		alone               bool
	}{
		{"another language", hello, "make", nil, false},
		{"cargo itself", hello, "cargo", []string{"rust"}, true},
		{"a target of Rust", hello + rust, "make", []string{"rust"}, false},
		{"a target of Rust, no command", hello + rust, "", []string{"rust"}, false},
		{"a toolchain that is named", named, "make", []string{"rust"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			of, alone := at(t, c.toml, Options{}).languagesFor(c.command)
			var got []string
			for _, l := range of {
				got = append(got, l.Name)
			}
			if !slices.Equal(got, c.want) || alone != c.alone {
				t.Errorf("%q, alone %v, want %q, %v", got, alone, c.want, c.alone)
			}
		})
	}
}

func TestAtHand(t *testing.T) {
	e := at(t, hello, Options{})
	e.pl.Project.Toolchains = map[string]project.ToolchainRequest{
		"ninja": {}, "clang": {}, "rust": {}, "go": {Source: "host"}, "cmake": {},
	}
	for language, want := range map[string][]string{"": {"cmake", "ninja", "rust"}, "rust": {"cmake", "ninja"}} {
		var of []*lang.Language
		if language != "" {
			of = append(of, table.Of(language))
		}
		if got := e.atHand(of); !slices.Equal(got, want) {
			t.Errorf("with %q: %q, want %q", language, got, want)
		}
	}
}
