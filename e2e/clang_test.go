package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestVectors: vectors to which a static function has pointers arrive where the optimiser passes them by value, the
// ninth and later ones on the stack, by the compiler that a project gets which asks for none. clang 19 and 21 overwrite
// them on loong64.
func TestVectors(t *testing.T) {
	needNetwork(t)
	const platform = "linux/loong64"
	dir := write(t, map[string]string{
		"vectors.c": `#include <stdio.h>
typedef long long vector __attribute__((vector_size(16)));

__attribute__((noinline)) static vector sum(const vector *a, const vector *b, const vector *c, const vector *d, const vector *e, const vector *f,
                                            const vector *g, const vector *h, const vector *i, const vector *j, const vector *k, const vector *l) {
    return *a + 2 * *b + 3 * *c + 4 * *d + 5 * *e + 6 * *f + 7 * *g + 8 * *h + 9 * *i + 10 * *j + 11 * *k + 12 * *l;
}

int main(int argc, char **argv) {
    vector v[12];
    for (int i = 0; i < 12; i++) v[i] = (vector){i + argc, 100 * i};
    vector s = sum(v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10, v + 11);
    printf("%lld %lld\n", s[0], s[1]);
    return 0;
}
`,
		"xbuild.toml": "[project]\nname = \"vectors\"\nplatforms = [\"linux/loong64\"]\n" +
			"[target.fast]\nrecipe = \"cc\"\nsources = [\"vectors.c\"]\ncflags = [\"-O3\"]\n" +
			"[target.plain]\nrecipe = \"cc\"\nsources = [\"vectors.c\"]\ncflags = [\"-O0\"]\n",
	})
	build(t, dir)
	for _, name := range []string{"fast", "plain"} {
		prints(t, dir, platform, built(dir, platform, name), nil, "650 57200")
	}
}

// TestIndirectFunctions: functions that a resolver chooses, behind code that the linker makes shorter, start and call
// what was chosen. No C library of linux/mips64le has resolvers called, and xbuild build says so.
func TestIndirectFunctions(t *testing.T) {
	needNetwork(t)
	const mips = "linux/mips64le"
	platforms := slices.DeleteFunc(slices.Clone(eleven), func(p string) bool { return p == mips })
	dir := write(t, map[string]string{
		"choose.c": `#include <stdio.h>
static int one(int a) { return a + 1; }
static int two(int a) { return a + 2; }
static int (*choose_one(void))(int) { return one; }
static int (*choose_two(void))(int) { return two; }
int f(int) __attribute__((ifunc("choose_one")));
static int g(int) __attribute__((ifunc("choose_two")));
int (*volatile pf)(int) = f;
int (*volatile pg)(int) = g;
int main(void) { printf("%d %d %d %d\n", f(1), g(1), pf(2), pg(2)); return 0; }
`,
		"xbuild.toml": "[project]\nname = \"choose\"\nplatforms = " + quoted(platforms) + `
[target.pie]
recipe = "cc"
sources = ["choose.c"]
cflags = ["-O0", "-fPIE"]
ldflags = ["-pie"]
static = false
[target.fixed]
recipe = "cc"
sources = ["choose.c"]
cflags = ["-O0", "-fno-pie"]
ldflags = ["-no-pie"]
static = false
[target.alone]
recipe = "cc"
sources = ["choose.c"]
cflags = ["-O0"]
static = true
`,
	})
	build(t, dir)
	for _, p := range platforms {
		for _, name := range []string{"pie", "fixed", "alone"} {
			prints(t, dir, p, built(dir, p, name), nil, "2 3 3 4")
		}
	}
	r := xbuild(t, dir, "build", "-q", "-p", mips, "fixed")
	if want := "has an indirect function, f ("; r.code != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, mips) {
		t.Errorf("%s: want exit code 1 and %q\n%v", mips, want, r)
	}
}
