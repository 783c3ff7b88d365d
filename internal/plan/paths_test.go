package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/shell"

	"xbuild/internal/action"
	"xbuild/internal/env"
)

// oddNames are names of folders in which some shell, make, list or option has something to say about a character.
var oddNames = []string{
	"a b", "a\tb", "a\nb", `a"b`, "a'b", "a`b", "a$HOME", "a&b", "a;b", "a|b", "a<b", "a>b", "a(b)", "a*b", "a?b", "a[b]", "a{b}",
	`a\b`, "a#b", "a!b", "a:b", "a=b", "a,b", "a%b", "a@b", "-a", "é", "a  b ", `it's "a" b`,
}

// TestOddPaths: each recipe builds in each folder or says which character it does not take, and hands its path on as one
// word where it hands it on at all.
func TestOddPaths(t *testing.T) {
	for name, target := range map[string]string{
		"cc": "sources = [\"*.c\"]", "cmake": "outputs = [\"x\"]", "meson": "outputs = [\"x\"]", "make": "outputs = [\"x\"]", "autotools": "install = true", "go": "cgo = true", "rust": "",
	} {
		for _, odd := range append(slices.Clone(oddNames), "plain") {
			for _, where := range []string{"project", "source"} {
				t.Run(fmt.Sprintf("%s/%s %q", name, where, odd), func(t *testing.T) {
					source := "."
					if where == "source" {
						source = odd
					}
					pl := planner(t, fmt.Sprintf("-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.x]\nrecipe = %q\nsource = \"src\"\n%s\n-- src/a.c --\n-- src/Cargo.toml --\n[package]\nname = \"x\"\n", name, target))
					dir := filepath.Join(t.TempDir(), "p")
					if where == "project" {
						dir = filepath.Join(t.TempDir(), odd)
					}
					full := filepath.Join(dir, source)
					if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
						t.Fatal(err)
					}
					if where == "project" {
						full = filepath.Join(dir, "src")
					}
					if err := os.MkdirAll(dir, 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.Rename(filepath.Join(pl.Project.Dir, "src"), full); err != nil {
						t.Fatal(err)
					}
					pl.Project.Dir = dir
					rel, err := filepath.Rel(dir, full)
					if err != nil {
						t.Fatal(err)
					}
					pl.Project.Targets[0].Source = rel
					if !env.Plain(dir) {
						pl.Project.BuildAt = "/store/build/p"
					}
					pl.locked(t, Selection{})
					p, err := pl.New(Selection{})
					recipe := pl.Catalog.Recipe(name)
					refused := strings.ContainsAny(odd, recipe.Refuses) || strings.Contains(odd, `'`) && strings.Contains(odd, `"`)
					if !recipe.CopySource && refused {
						if err == nil || !strings.Contains(err.Error(), "because its tools do not take ") || !strings.Contains(err.Error(), "[target.x]: recipe "+name) {
							t.Fatalf("error %v, want one that names a character of %q", err, odd)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					a := p.Actions[0]
					if recipe.CopySource {
						for _, v := range a.Env {
							if !env.Plain(full) && strings.Contains(v.Value, full) {
								t.Errorf("%s is %q", v.Name, v.Value)
							}
						}
						if !env.Plain(a.Build) {
							t.Errorf("it builds in %q", a.Build)
						}
						return
					}
					want := "-ffile-prefix-map=" + full + "=."
					if name == "cc" {
						if !slices.ContainsFunc(a.Steps, func(s action.Step) bool { return slices.Contains(s.Command, want) }) {
							t.Errorf("no command has the word %q", want)
						}
						return
					}
					variable := "CFLAGS"
					if name == "rust" {
						variable = "CFLAGS_aarch64_unknown_linux_gnu"
					}
					words, err := shell.Fields(a.Env.Lookup(variable), func(string) string { return "EXPANDED" })
					if err != nil || !slices.Contains(words, want) {
						t.Errorf("%s is %s: words %q (%v), want among them %q", variable, a.Env.Lookup(variable), words, err, want)
					}
				})
			}
		}
	}
}

// TestStorePath: a store whose path its tools would not take is refused, with the character.
func TestStorePath(t *testing.T) {
	taken := []string{"é", "a!b", "a%b", "a@b", "-a"}
	for _, name := range append(slices.Clone(oddNames), "plain", "a+b", "a~b", "A.b_c-d") {
		err := StorePath("/home/" + name + "/.cache/xbuild")
		if ok := env.Plain(name) || slices.Contains(taken, name); ok != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "set XBUILD_STORE") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestAbsentTools: a program of GNU's that a build misses is none to be had from the host.
func TestAbsentTools(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[target.x]\nrecipe = \"make\"\noutputs = [\"x\"]\n")
	for program, want := range map[string]string{
		"gfortran": "GCC compiles Fortran: write cc = \"gcc\"", "gdc": "xbuild brings no compiler for this language", "gcc-14": "there is no GCC here", "gcov": "coverage and profiling need", "xsltproc": `write host_tools = ["xsltproc"]`,
	} {
		if got := pl.bring(program, pl.Project.Targets[0]); !strings.Contains(got, want) || want != `write host_tools = ["xsltproc"]` && strings.Contains(got, "host_tools") {
			t.Errorf("%s: %q, want in it %q", program, got, want)
		}
	}
}
