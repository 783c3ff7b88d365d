package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// TestGeneratorOfANewerLibrary: a Makefile that runs what it compiled for the host's own platform fails on a host whose C
// library is older than the sysroot's, and is told what another machine's is told.
func TestGeneratorOfANewerLibrary(t *testing.T) {
	needNetwork(t)
	out, err := exec.Command("getconf", "GNU_LIBC_VERSION").Output() // "glibc 2.36"
	if err != nil {
		t.Skip("the host's C library is not glibc")
	}
	// pidfd_spawnp came with glibc 2.39 (its NEWS).
	minor, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(string(out)), "glibc 2."))
	if err != nil || minor >= 39 {
		t.Skipf("the host has %s", out)
	}
	gen := "#define _GNU_SOURCE\n#include <spawn.h>\n#include <stdio.h>\n#if __GLIBC_PREREQ(2, 39)\nvoid *used = (void *)pidfd_spawnp;\n#endif\n" +
		"int main(void) { return puts(\"int main(void) { return 0; }\") < 0; }\n"
	for _, c := range []struct{ recipe, file, text, hint, old, mend string }{
		{"make", "Makefile", "GENCC = $(CC)\napp: app.c\n\t$(CC) -o app app.c\napp.c: gen\n\t./gen >app.c\ngen: gen.c\n\t$(GENCC) -o gen gen.c\n",
			`hint: the build runs \./gen on this machine, whose C library is older than .*\(GLIBC_2\.39\)`, "recipe = \"make\"\n", "recipe = \"make\"\nvars = { GENCC = \"$(CC_FOR_BUILD)\" }\n"},
		{"cmake", "CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nadd_executable(app gen.c)\nadd_custom_target(check ALL $<TARGET_FILE:app>)\n",
			`hint: the build runs \S+/app on this machine, whose C library is older than .*\(GLIBC_2\.39\).*: suite in \[sysroot\]`, "glibc = \"2.41\"", "suite = \"bookworm\""},
		{"meson", "meson.build", "project('app', 'c')\napp = executable('app', 'gen.c')\ncustom_target('checked', output: 'checked', build_by_default: true, depends: app,\n" +
			"  command: ['sh', '-c', '\"$0\" >\"$1\"', app.full_path(), '@OUTPUT@'])\n",
			`hint: the build runs \S+/app on this machine, whose C library is older than .*\(GLIBC_2\.39\).*: suite in \[sysroot\]`, "glibc = \"2.41\"", "suite = \"bookworm\""},
	} {
		dir := write(t, map[string]string{
			"xbuild.toml": "[project]\nplatforms = [\"" + platform.Host().Name + "\"]\n[sysroot]\nglibc = \"2.41\"\n[target.app]\nrecipe = \"" + c.recipe + "\"\noutputs = [\"app\"]\n",
			"gen.c":       gen, c.file: c.text,
		})
		r := xbuild(t, dir, "build", "-q")
		if r.code != 1 || !regexp.MustCompile(c.hint).MatchString(r.stderr) {
			t.Fatalf("%s: want it to fail with a hint\n%v", c.recipe, r)
		}
		edit(t, filepath.Join(dir, "xbuild.toml"), c.old, c.mend)
		if r := xbuild(t, dir, "build", "-q"); r.code != 0 {
			t.Fatalf("%s: what is advised does not work\n%v", c.recipe, r)
		}
	}
}
