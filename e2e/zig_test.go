package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestZig: a program of Zig links with a library of C, and one of C with a library of Zig, for every platform that both
// compile for; each runs on the least processor of its platform, and is held against that and against the glibc that
// was asked for.
func TestZig(t *testing.T) {
	needNetwork(t)
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/zig")); err != nil {
		t.Fatal(err)
	}
	some := []string{"linux/arm64", "linux/arm/v6"}
	if full() {
		some = eleven
	}
	var args []string
	for _, p := range some {
		args = append(args, "-p", p)
	}
	build(t, dir, args...)
	for _, p := range some {
		for file, want := range map[string]string{"usr/bin/use_greet": "hello 2.5\n", "use_ziglib": "5333333333333333341\n"} {
			if r := underQEMU(t, dir, p, built(dir, p, file)); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: %v\nwant %q", file, p, r, want)
			}
		}
		if r := xbuild(t, dir, "inspect", "-p", p, built(dir, p, "usr/bin/use_greet")); r.code != 0 {
			t.Errorf("inspect for %s: %v", p, r)
		}
	}
	// What Zig puts around tests does not link for a machine without atomic operations.
	tested := slices.DeleteFunc(slices.Clone(some), func(p string) bool { return p == "linux/arm/v5" })
	test := []string{"test", "-q", "use_greet"}
	for _, p := range tested {
		test = append(test, "-p", p)
	}
	r := xbuild(t, dir, test...)
	if r.code != 0 || strings.Count(r.stdout, " passed ") != len(tested) {
		t.Errorf("test: %v\nwant that all pass", r)
	}
	r = xbuild(t, dir, append([]string{"build"}, args...)...)
	if r.code != 0 || !strings.Contains(r.stderr, "xbuild: 0 built") {
		t.Errorf("a second build: %v\nwant nothing to be done", r)
	}
	edit(t, filepath.Join(dir, "ziglib/ziglib.zig"), "n) * n", "n) + n")
	build(t, dir, "-p", some[0], "use_ziglib")
	if r := underQEMU(t, dir, some[0], built(dir, some[0], "use_ziglib")); r.stdout != "2666666671\n" {
		t.Errorf("after an edit of the library: %v", r)
	}
}

// zigFiles are the files of a program of Zig that is compiled for what target says.
func zigFiles(target string) map[string]string {
	return map[string]string{"main.zig": "pub fn main() void {}\n", "build.zig": `const std = @import("std");
pub fn build(b: *std.Build) void {
    const module = b.createModule(.{ .root_source_file = b.path("main.zig"), .target = ` + target + ` });
    b.installArtifact(b.addExecutable(.{ .name = "app", .root_module = module }));
}
`}
}

// hintsOfZig: what zig build says.
var hintsOfZig = []hintCase{
	{name: "a build.zig for the host", row: "zig: invalid option", platform: "linux/arm64", full: true,
		target: "recipe = \"zig\"\n",
		files:  zigFiles("b.graph.host"),
		hint:   "let its modules take their target from b.standardTargetOptions",
		mended: zigFiles("b.standardTargetOptions(.{})")},
}
