package rust

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/project"
)

func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name, text string
		constraint string
		line       int
		err        string // a part of it, after the file's name
	}{
		{"a minor release", "[toolchain]\nchannel = \"1.85\"\n", "~1.85", 2, ""},
		{"one release", "[toolchain]\nprofile = \"minimal\"\n\nchannel = \"1.85.1\"\n", "=1.85.1", 4, ""},
		{"stable", "[toolchain]\nchannel = \"stable\"\ncomponents = [\"clippy\"]\ntargets = [\"wasm32-wasip1\"]\n", "stable", 2, ""},
		{"with a host", "[toolchain]\nchannel = \"1.97-x86_64-unknown-linux-gnu\"\n", "~1.97", 2, ""},
		{"inline", "toolchain.channel = \"1.63\"", "~1.63", 1, ""},
		{"the old form", "1.85.0\n", "=1.85.0", 1, ""},
		{"nightly of a day", "[toolchain]\nchannel = \"nightly-2026-01-31\"\n", "nightly-2026-01-31", 2, ""},
		{"beta", "beta", "beta", 1, ""},
		{"a release of a day", "1.85.0-2026-01-31", "", 0, ":1: \"1.85.0-2026-01-31\" is a release, and those have no day"},
		{"another name", "[toolchain]\n\nchannel = \"mine\"\n", "", 0, `:3: "mine" is no release of Rust`},
		{"a path", "[toolchain]\npath = \"/opt/rust\"\n", "", 0, `:2: path = "/opt/rust" names a toolchain of this machine alone`},
		{"nothing", "[toolchain]\ncomponents = []\n", "", 0, ":1: no channel"},
		{"a wrong key", "[toolchain]\nchannel = \"1.85\"\nchanel = \"1.85\"\n", "", 0, `:3: unknown key "toolchain.chanel"`},
		{"no TOML", "[toolchain]\nchannel = 1.85.0\n", "", 0, ":2: "},
		{"empty", "", "", 0, ":1: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseRelease("rust-toolchain.toml", c.text)
			if c.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "rust-toolchain.toml"+c.err) || !strings.Contains(err.Error(), "\nhint: write the release") {
					t.Errorf("error %v, want one that starts with\nrust-toolchain.toml%s", err, c.err)
				}
				return
			}
			if err != nil || r.Constraint != c.constraint || r.Line != c.line {
				t.Errorf("%+v, %v; want constraint %q of line %d", r, err, c.constraint, c.line)
			}
			accepted(t, r)
		})
	}
}

// FuzzRelease: any text is a constraint that package project itself would accept, or an error with a line.
func FuzzRelease(f *testing.F) {
	for _, s := range []string{"1.85", "stable", "[toolchain]\nchannel = \"1.85\"\n", "[toolchain]\npath = \"x\"", "[[toolchain]]", "toolchain = 3", "\ufeff[toolchain]", "=\n[", "toolchain.channel.x=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRelease("f", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("error without its place: %v", err)
			}
			return
		}
		accepted(t, r)
	})
}

// accepted sees that package project itself would take what was asked for.
func accepted(t *testing.T, r project.ToolchainRequest) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "xbuild.toml")
	text := fmt.Appendf(nil, "[project]\nplatforms = [\"linux/arm64\"]\n[toolchains]\nrust = %q\n", r.Constraint)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	schema := project.Schema{
		Toolchains: []string{"rust"}, Sources: map[string][]string{"rust": {"official"}},
		Channels: map[string][]string{"rust": {"stable", "beta", "nightly"}},
	}
	if _, err := project.Load(file, schema); err != nil || r.Line < 1 {
		t.Errorf("%+v: %v", r, err)
	}
}

// TestReleaseOfProject: the nearest file upwards counts, the old name before the new, and xbuild.toml before
// both.
func TestReleaseOfProject(t *testing.T) {
	dir := t.TempDir()
	for file, text := range map[string]string{"rust-toolchain.toml": "[toolchain]\nchannel = \"1.85\"\n", "a/src/x": "", "b/rust-toolchain": "1.97", "b/rust-toolchain.toml": "[toolchain]\nchannel = \"1.63\"\n"} {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	named := func() *project.Project { return &project.Project{Dir: dir, File: filepath.Join("..", "xbuild.toml")} }
	for _, c := range []struct {
		dirs, constraint, file string
		err                    string
	}{
		{dirs: "a/src", constraint: "~1.85", file: "../rust-toolchain.toml"},
		{dirs: "b", constraint: "~1.97", file: "../b/rust-toolchain"},
		{dirs: ". a", constraint: "~1.85", file: "../rust-toolchain.toml"},
		{dirs: "a b", err: "../b/rust-toolchain:1 asks for another Rust than ../rust-toolchain.toml:2"},
	} {
		var dirs []string
		for _, d := range strings.Fields(c.dirs) {
			dirs = append(dirs, filepath.Join(dir, d))
		}
		p := named()
		err := Release(p, dirs...)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %s", c.dirs, err, c.err)
			}
			continue
		}
		if r := p.Toolchains["rust"]; err != nil || r.Constraint != c.constraint || r.File != c.file {
			t.Errorf("%s: %+v, %v; want %s of %s", c.dirs, r, err, c.constraint, c.file)
		}
	}
	p := named()
	p.Toolchains = map[string]project.ToolchainRequest{"rust": {Constraint: "^1.90", Source: "archive", Line: 3}}
	if err := Release(p, filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil || p.Toolchains["rust"].Constraint != "^1.90" {
		t.Errorf("xbuild.toml names one: %+v, %v", p.Toolchains["rust"], err)
	}
}

// TestRustVersion: where no file names a release, the latest rust-version of all sources is what is asked for at least,
// with its place.
func TestRustVersion(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/Cargo.toml": "[package]\nname = \"a\"\nrust-version = \"1.80\"\n", "b/Cargo.toml": "[package]\nname = \"b\"\n\nrust-version = \"1.87\"\n",
		"c/Cargo.toml": "[package]\nname = \"c\"\n", "d/Cargo.toml": "[package]\nname = \"d\"\nrust-version = \"1.95\"\n", "d/rust-toolchain": "1.85\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dirs string
		want project.ToolchainRequest
	}{
		{"a", project.ToolchainRequest{Constraint: ">=1.80", Least: "1.80", File: "../a/Cargo.toml", Line: 3}},
		{"a b c", project.ToolchainRequest{Constraint: ">=1.87", Least: "1.87", File: "../b/Cargo.toml", Line: 4}},
		{"c", project.ToolchainRequest{}},
		{"a d", project.ToolchainRequest{Constraint: "~1.85", File: "../d/rust-toolchain", Line: 1}},
	} {
		p := &project.Project{Dir: dir, File: filepath.Join("..", "xbuild.toml")}
		var dirs []string
		for _, d := range strings.Fields(c.dirs) {
			dirs = append(dirs, filepath.Join(dir, d))
		}
		err := Release(p, dirs...)
		got := p.Toolchains["rust"]
		got.Hint = ""
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.dirs, got, err, c.want)
		}
		if got.Constraint != "" {
			accepted(t, got)
		}
	}
}
