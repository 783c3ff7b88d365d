package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needing are the targets of testdata/needs that need others, and what they print.
var needing = []struct {
	name          string
	prints, after string // before and after what they need was changed
	quick         bool   // to build, so that CI has time for all platforms
	lacks         []string
}{
	{"use_cc", "hello 7", "goodbye 7", true, nil},
	{"use_make", "hello 42", "goodbye 42", true, nil},
	{"use_cmake", "hello installed 42 25", "goodbye installed 42 26", false, nil},
	{"use_meson", "hello 25 42", "goodbye 126 42", false, nil},
	{"use_autotools", "hello 25 42", "goodbye 126 42", false, nil},
	{"use_go", "hello 25", "goodbye 26", false, nil},
	{"use_rust", "hello 50", "goodbye 52", false, nil},
	{"use_rustlib", "81", "81", false, nil},
	{"use_rustlib_go", "81", "81", false, nil},
	{"use_golib", "42", "42", false, []string{"linux/mips64le", "linux/386"}},
}

// TestNeeds builds targets that need others, in every language, and runs them: a library of C is used by every recipe, a
// program is run while others are built, and libraries of Rust and Go are linked with C and Go. Then it changes what
// they need.
func TestNeeds(t *testing.T) {
	needNetwork(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/needs")); err != nil {
		t.Fatal(err)
	}
	some := []string{"linux/386", "linux/arm/v6"} // linked statically on arm/v6; TestKept has the recipes on others
	if full() {
		some = eleven
	}
	check := func(after, quick bool, platforms []string) {
		t.Helper()
		var args []string
		for _, n := range needing {
			if n.quick || !quick {
				args = append(args, n.name)
			}
		}
		for _, p := range platforms {
			args = append(args, "-p", p)
		}
		build(t, dir, args...)
		for _, p := range platforms {
			for _, n := range needing {
				if quick && !n.quick || slices.Contains(n.lacks, p) {
					continue
				}
				want := n.prints + "\n"
				if after {
					want = n.after + "\n"
				}
				if r := underQEMU(t, dir, p, built(dir, p, n.name)); r.code != 0 || r.stdout != want {
					t.Errorf("%s for %s: %v\nwant %q", n.name, p, r, want)
				}
			}
		}
	}
	check(false, true, eleven)
	check(false, false, some)
	for _, p := range eleven {
		if _, err := os.Stat(built(dir, p, "gen")); err == nil {
			t.Errorf("the program that runs on the host is in dist of %s", p)
		}
	}
	r := xbuild(t, dir, "build", "use_cc", "use_make")
	if r.code != 0 || !strings.Contains(r.stderr, "0 built") {
		t.Errorf("a second build: %v\nwant nothing to be done", r)
	}
	// A library of the same bytes makes nothing that links with it anew.
	edit(t, filepath.Join(dir, "greet/greet.c"), "return", "/* the same */ return")
	r = xbuild(t, dir, "build", "use_make", "-p", "linux/amd64")
	if r.code != 0 || !strings.Contains(r.stderr, "1 built, 3 up to date") {
		t.Errorf("with the same library: %v\nwant greet alone to be built", r)
	}
	// Another header makes those that need it from nothing.
	put(t, filepath.Join(dir, "dyn/include/dyn/more.h"), "")
	r = xbuild(t, dir, "build", "--explain", "use_cc", "-p", "linux/amd64")
	if want := "use_cc for linux/amd64: what it needs has other files than before"; !strings.Contains(r.stderr, want) {
		t.Errorf("with another header: %v\nwant %q", r, want)
	}
	// The program for the host has its loader and libraries where it was built: any Linux runs it.
	r = xbuild(t, dir, "inspect", "--json", ".xbuild/for-host/gen/prefix/bin/gen")
	if !strings.Contains(r.stdout, "/../../sysroot-") || !strings.Contains(r.stdout, "$ORIGIN/../../../number/prefix/lib") {
		t.Errorf("the program for the host: %v\nwant a loader in the store and the library beside it", r)
	}
	r = xbuild(t, dir, "build", "-p", "linux/mips64le", "use_golib")
	if r.code != 1 || !strings.Contains(r.stderr, "nothing to build") {
		t.Errorf("for a platform that it is not built for: %v", r)
	}
	edit(t, filepath.Join(dir, "greet/greet.c"), "hello", "goodbye")
	edit(t, filepath.Join(dir, "pclib/pclib.c"), "25", "26")
	edit(t, filepath.Join(dir, "pclib/pclib.h"), "MORE 0", "MORE 100")
	check(true, false, some)

	modules := []string{"linux/386"}
	if full() {
		modules = []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/loong64"}
	}
	edit(t, filepath.Join(dir, "greet/greet.c"), "goodbye", "hello")
	for _, p := range modules {
		if r := xbuild(t, dir, "test", "-q", "-p", p, "nodemod"); r.code != 0 || !strings.Contains(r.stdout, "passed") {
			t.Errorf("nodemod for %s: %v", p, r)
		}
	}
	for _, format := range []string{"text", "dot"} {
		r := xbuild(t, dir, "plan", "--graph", format, "-p", "linux/arm64", "use_make")
		want := "greet for linux/arm64\n  use_make for linux/arm64\n" +
			"number for host\n  gen for host\n    use_make for linux/arm64\n"
		if format == "dot" {
			want = "  \"gen\\nhost\" -> \"use_make\\nlinux/arm64\" [style = dashed];\n"
		}
		if !strings.Contains(r.stdout, want) {
			t.Errorf("plan --graph %s: %v\nwant\n%s", format, r, want)
		}
	}
}

// TestSiblings: a program that links with another target's library, and does not say so, fails at the first build and at
// the next ones alike, and is told what to write; what needs a target that fails is not built.
func TestSiblings(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.app]
recipe = "make"
source = "app"
root = ".."
outputs = ["app"]
[target.greet]
recipe = "cc"
kind = "shared"
source = "greet"
sources = ["greet.c"]
`,
		"greet/greet.c": "int greet(void) { return 7; }\n",
		"app/main.c":    "#include <stdio.h>\nint greet(void);\nint main(void) { printf(\"%d\\n\", greet()); }\n",
		// It makes the library itself to link with it.
		"app/Makefile": "app: main.c ../greet/greet.c\n\t$(CC) $(CFLAGS) -fPIC -shared -Wl,-soname,libgreet.so -o libgreet.so ../greet/greet.c\n\t$(CC) $(CFLAGS) -o $@ main.c libgreet.so -Wl,-rpath,'$$ORIGIN'\n",
	})
	for range 2 {
		r := xbuild(t, dir, "build", "-q")
		if r.code != 1 || !strings.Contains(r.stderr, "hint: target greet makes libgreet.so: write needs = [\"greet\"] in [target.app]") {
			t.Errorf("without needs: %v\nwant an error and a hint", r)
		}
	}
	edit(t, filepath.Join(dir, "xbuild.toml"), "root = \"..\"\n", "root = \"..\"\nneeds = [\"greet\"]\n")
	build(t, dir)
	if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "app")); r.stdout != "7\n" {
		t.Errorf("app: %v", r)
	}
	edit(t, filepath.Join(dir, "greet/greet.c"), "return 7;", "return seven;")
	r := xbuild(t, dir, "build", "-q")
	if r.code != 1 || !strings.Contains(r.stderr, "2 of 2 failed") || !strings.Contains(r.stderr, "app for linux/arm64: not built: it needs greet for linux/arm64, which failed") {
		t.Errorf("with a target that fails: %v\nwant what was not built for it", r)
	}
}

// TestNeedsInColon: a path with a colon cannot be handed to compilers. A project in such a folder is built elsewhere,
// with what it needs; a build directory of that kind is refused.
func TestNeedsInColon(t *testing.T) {
	needNetwork(t)
	dir := filepath.Join(write(t, map[string]string{
		"a:b/xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.app]
recipe = "cc"
source = "app"
sources = ["main.c"]
needs = ["greet"]
[target.greet]
recipe = "cc"
kind = "static"
source = "greet"
sources = ["greet.c"]
`,
		"a:b/greet/greet.h": "int greet(void);\n",
		"a:b/greet/greet.c": "int greet(void) { return 7; }\n",
		"a:b/app/main.c":    "#include <greet.h>\nint main(void) { return greet(); }\n",
	}), "a:b")
	for _, args := range [][]string{nil, {"--build-dir", t.TempDir()}} {
		build(t, dir, args...)
		if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "app")); r.code != 7 {
			t.Errorf("built with %q: %v", args, r)
		}
	}
	r := xbuild(t, dir, "build", "-q", "--build-dir", filepath.Join(t.TempDir(), "c:d"))
	if r.code != 1 || !strings.Contains(r.stderr, "has \":\" in its path") || !strings.Contains(r.stderr, "--build-dir") {
		t.Errorf("in a build directory with a colon: %v", r)
	}
}
