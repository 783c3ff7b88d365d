package plan

import (
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// TestSpelled: a toolchain with a dialect is told the glibc of the sysroot; where it links statically with another libc
// than the other recipes, nothing of theirs is linked with what it makes.
func TestSpelled(t *testing.T) {
	def := &catalog.Toolchain{Name: "tool", Dialect: &platform.Dialect{
		Targets: map[string]map[string]string{"linux/amd64": {"gnu": "x86_64-gnu.{glibc}", "musl": "x86_64-musl"}},
		Apart:   map[string]string{"musl": "there are two"},
		Static:  map[string]string{"gnu": "musl"},
		CPUs:    map[string]string{"x86-64": "x86_64"},
		Feature: "+%",
	}}
	const alone = "[target.a]\nrecipe = \"make\"\noutputs = [\"a\"]\n"
	const other = "[target.b]\nrecipe = \"make\"\noutputs = [\"b\"]\n"
	for _, c := range []struct {
		project, platform string
		static            bool
		want              string
	}{
		{alone, "linux/amd64", false, "x86_64-gnu.2.41 x86_64"},
		{"[sysroot]\nglibc = \"2.36\"\n" + alone, "linux/amd64", false, "x86_64-gnu.2.36 x86_64"},
		{"[platform.\"linux/amd64\"]\nfeatures = [\"avx\"]\nlibc = \"musl\"\n" + alone, "linux/amd64", true, "x86_64-musl x86_64+sse3+ssse3+sse4.1+sse4.2+popcnt+crc32+avx"},
		{alone, "linux/amd64", true, "x86_64-musl x86_64"},
		{alone, "linux/arm64", false, "toolchain tool does not compile for linux/arm64 with libc gnu; it does for linux/amd64"},
		{alone + "needs = [\"b\"]\n" + other, "linux/amd64", true, `tool links statically with musl alone, and "b", which it is linked with, is compiled for gnu`},
		{alone + other + "needs = [\"a\"]\n", "linux/amd64", true, `tool links statically with musl alone, and "b", which it is linked with, is compiled for gnu`},
		{"[sysroot]\nlibc = \"musl\"\n" + alone + "needs = [\"b\"]\n" + other, "linux/amd64", true, `it cannot be linked with "b" for linux/amd64: there are two`},
		{alone + "needs = [{ target = \"b\", platform = \"host\" }]\n" + other, "linux/amd64", true, "x86_64-musl x86_64"},
	} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\"]\n"+c.project)
		target, cpu, err := pl.spelled(def, pl.Project.Targets[0], platforms(t, c.platform)[0], c.static)
		got := target + " " + cpu
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if got != c.want {
			t.Errorf("%s\nfor %s, static %v: %q\nwant %q", c.project, c.platform, c.static, got, c.want)
		}
	}
}
