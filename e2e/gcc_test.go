package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// A gcc is Debian's compiler for a platform: of the release whose packages are the platform's sysroot where nothing
// is said.
type gcc struct {
	triplet, version, suite string
	flags                   []string // the platform's baseline, where GCC's own default is another
	macros                  []string // against what these bring beyond the default
	assembly                []string // with which clang's assembler takes what it writes
}

var gccs = map[string]gcc{
	"linux/amd64":    {triplet: "x86_64-linux-gnu", version: "14", suite: "trixie"},
	"linux/386":      {triplet: "i686-linux-gnu", version: "14", suite: "trixie", flags: []string{"-msse2", "-mfpmath=sse"}},
	"linux/arm64":    {triplet: "aarch64-linux-gnu", version: "14", suite: "trixie"},
	"linux/arm/v5":   {triplet: "arm-linux-gnueabi", version: "14", suite: "trixie"},
	"linux/arm/v6":   {triplet: "arm-linux-gnueabi", version: "14", suite: "trixie", flags: []string{"-march=armv6k+fp", "-mfloat-abi=softfp"}},
	"linux/arm/v7":   {triplet: "arm-linux-gnueabihf", version: "14", suite: "trixie"},
	"linux/ppc64le":  {triplet: "powerpc64le-linux-gnu", version: "14", suite: "trixie"},
	"linux/s390x":    {triplet: "s390x-linux-gnu", version: "14", suite: "trixie", flags: []string{"-march=z13"}, macros: []string{"-mno-htm"}}, // without a -march its code is for z196, and has no transactions
	"linux/riscv64":  {triplet: "riscv64-linux-gnu", version: "14", suite: "trixie"},
	"linux/mips64le": {triplet: "mips64el-linux-gnuabi64", version: "12", suite: "bookworm"},
	"linux/loong64":  {triplet: "loongarch64-linux-gnu", version: "15", suite: "forky", assembly: []string{"-mexplicit-relocs=none"}},
}

// program is the path of GCC's driver, fetched from the archive and made to run as xbuild's own toolchains are: the
// compilers proper and the libraries that they are
// linked with, no assembler, no linker and no headers.
func (g gcc) program(t *testing.T) string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("Debian has not all of these compilers for this host")
	}
	gccTrees.Lock()
	defer gccTrees.Unlock()
	if file := gccTrees.files[g.triplet]; file != "" {
		return file
	}
	name := strings.ReplaceAll(g.triplet, "_", "-")
	driver := "usr/bin/" + g.triplet + "-g++-" + g.version
	def := &catalog.Toolchain{
		Name: "gcc-" + name, Package: "cpp-" + g.version + "-" + name, Packages: []string{"cpp-" + g.version + "-" + name, "g++-" + g.version + "-" + name},
		Skip:     []string{"gcc-*", "binutils*", "libstdc++-*", "libc6-*", "libgcc-*-dev*", "g++-* -> lib*", "debconf*"},
		Keep:     []string{driver, "usr/lib/gcc*/*/*/cc1*", "usr/libexec/gcc*/*/*/cc1*", "usr/lib/*.so*", "usr/lib/*/*.so*", "usr/lib64/*"},
		Sources:  []catalog.Source{{Archive: catalog.Debian, Suite: g.suite, Slot: g.version}},
		Programs: map[string]string{"g++": driver},
	}
	if gccTrees.archive == nil {
		gccTrees.archive = openArchive(t)
	}
	a := gccTrees.archive
	locked, err := a.Toolchain(t.Context(), resolve.ToolchainRequest{Def: def}, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := compose.NewToolchain(a.Store.Dir(), def.In(def.Sources[0]), locked)
	if err != nil {
		t.Fatal(err)
	}
	c := compose.Composer{Store: a.Store, URLs: func(_ context.Context, f lock.File) ([]string, error) {
		var urls []string
		for _, m := range a.Mirrors {
			urls = append(urls, m+"/"+f.Path)
		}
		return urls, nil
	}}
	var set compose.Set
	set.Toolchain(tree)
	if err := c.All(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tree.Dir, driver)
	if gccTrees.files == nil {
		gccTrees.files = map[string]string{}
	}
	gccTrees.files[g.triplet] = file
	return file
}

var gccTrees struct {
	sync.Mutex
	archive *resolve.Archive
	files   map[string]string
}

// run runs GCC's driver in a directory.
func (g gcc) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(g.program(t), append(slices.Clone(g.flags), args...)...)
	cmd.Dir, cmd.Env = dir, []string{"LC_ALL=C", "PATH=/nonexistent"}
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = string(exit.Stderr)
		}
		t.Fatalf("gcc for %s %s: %v\n%s", g.triplet, strings.Join(args, " "), err, stderr)
	}
	return string(out)
}

// macroLanguages are those whose predefined macros are compared, with the standard that both compilers are told.
var macroLanguages = []struct {
	name string
	args []string
}{
	{"c", []string{"-x", "c", "-std=gnu17"}},
	{"c++", []string{"-x", "c++", "-std=gnu++17"}},
	{"asm", []string{"-x", "assembler-with-cpp"}},
}

// macroDefs reads what -dM -E prints.
func macroDefs(text string) map[string]string {
	defs := map[string]string{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "#define ")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(rest, " ")
		if open := strings.IndexByte(name, '('); open >= 0 {
			name = name[:open]
		}
		defs[name] = strings.TrimSpace(value)
	}
	return defs
}

// viewMacros are the predefined macros of the view's clang, and of the same clang with nothing but the baseline, by
// language.
func viewMacros(t *testing.T, dir string, p platform.Platform, b platform.Baseline) (view, plain map[string]map[string]string) {
	t.Helper()
	var script strings.Builder
	base := append([]string{"--no-default-config", "--target=" + p.LLVM}, b.CFlags()...)
	for _, l := range macroLanguages {
		for _, flags := range [][]string{nil, base} {
			fmt.Fprintf(&script, "echo '#== %s'\nclang %s -dM -E /dev/null || exit 1\n", l.name, strings.Join(append(slices.Clone(flags), l.args...), " "))
		}
	}
	fmt.Fprintf(&script, "echo '#== bindgen'\nclang --no-default-config $BINDGEN_EXTRA_CLANG_ARGS_%s %s -dM -E /dev/null || exit 1\n", strings.ReplaceAll(p.Rust, "-", "_"), strings.Join(macroLanguages[0].args, " "))
	r := xbuild(t, dir, "exec", "-q", "-p", p.Name, "--", "sh", "-c", script.String())
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("the view's clang for %s: %v", p, r)
	}
	defer func() {
		_, text, _ := strings.Cut(r.stdout, "#== bindgen\n")
		if more := differences(macroDefs(text), view["c"]); len(more) > 0 {
			t.Errorf("%s: bindgen has other macros than the view: %v", p, more)
		}
	}()
	view, plain = map[string]map[string]string{}, map[string]map[string]string{}
	for i, part := range strings.Split(r.stdout, "#== ")[1:] {
		if strings.HasPrefix(part, "bindgen\n") {
			break
		}
		lang, text, _ := strings.Cut(part, "\n")
		if i%2 == 0 {
			view[lang] = macroDefs(text)
		} else {
			plain[lang] = macroDefs(text)
		}
	}
	return view, plain
}

var (
	castFloat = regexp.MustCompile(`^\(\((?:double|long double)\)(.*)\)$|^double\((.*)\)$`)
	integer   = regexp.MustCompile(`^\(?(-?)(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)\)?$`)
	decimal   = regexp.MustCompile(`^([0-9]+\.[0-9]*)e([+-]?[0-9]+)([A-Za-z0-9]*)$`)
)

// sameValue says whether two replacement texts are the same number or type, however it is written.
func sameValue(a, b string) bool {
	na, nb := normal(a), normal(b)
	if na == nb {
		return true
	}
	fa, fb := decimal.FindStringSubmatch(na), decimal.FindStringSubmatch(nb)
	if fa == nil || fb == nil || !strings.EqualFold(fa[3], fb[3]) {
		return false
	}
	// The shorter is the longer one rounded.
	digits := min(len(fa[1]), len(fb[1])) - 1
	x, _, err1 := big.ParseFloat(fa[1]+"e"+fa[2], 10, 256, big.ToNearestEven)
	y, _, err2 := big.ParseFloat(fb[1]+"e"+fb[2], 10, 256, big.ToNearestEven)
	if err1 != nil || err2 != nil {
		return false
	}
	return x.Text('e', digits-1) == y.Text('e', digits-1)
}

func normal(s string) string {
	if m := castFloat.FindStringSubmatch(s); m != nil {
		s = strings.TrimSuffix(m[1]+m[2], "L")
	}
	if m := integer.FindStringSubmatch(s); m != nil {
		n, ok := new(big.Int).SetString(m[2], 0)
		if ok {
			return m[1] + n.String() + strings.ToUpper(m[3])
		}
	}
	if len(s) == 3 && s[0] == '\'' && s[2] == '\'' {
		return fmt.Sprint(s[1])
	}
	words := strings.Fields(s)
	if len(words) > 1 && !slices.ContainsFunc(words, func(w string) bool {
		return !slices.Contains([]string{"short", "long", "int", "unsigned", "signed", "char"}, w)
	}) {
		if slices.Contains(words, "short") || slices.Contains(words, "long") {
			words = slices.DeleteFunc(words, func(w string) bool { return w == "int" })
		}
		sort.Strings(words)
		return strings.Join(words, " ")
	}
	return s
}

// differences of the view's macros from GCC's: name -> "clang", "gcc" or "value".
func differences(clang, gcc map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range clang {
		if other, ok := gcc[name]; !ok {
			out[name] = "clang"
		} else if !sameValue(value, other) {
			out[name] = "value"
		}
	}
	for name := range gcc {
		if _, ok := clang[name]; !ok {
			out[name] = "gcc"
		}
	}
	return out
}

// TestMacros dumps the predefined macros of Debian's GCC and of the view's clang, for each platform, in C, C++ and
// assembler, and holds the difference against
// internal/platform/macros.toml: what differs has a row there with a reason, and what has a row differs.
func TestMacros(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{"xbuild.toml": "[project]\nplatforms = " + quoted(eleven) + "\n"})
	used := map[string]bool{} // row, name, platform
	type row struct {
		platform.MacroRow
		patterns []*regexp.Regexp
	}
	var leave []row
	for _, r := range platform.Macros() {
		if r.Kind != "leave" {
			continue
		}
		l := row{MacroRow: r}
		for _, n := range r.Names {
			l.patterns = append(l.patterns, regexp.MustCompile("^(?:"+n+")$"))
		}
		leave = append(leave, l)
	}
	missing := map[string][]string{}
	for _, name := range eleven {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		g := gccs[name]
		view, plain := viewMacros(t, dir, p, b)
		for _, lang := range macroLanguages {
			// Some header has to be there, or GCC misses stdc-predef.h; an empty one is what clang has.
			theirs := macroDefs(g.run(t, dir, slices.Concat(lang.args, g.macros, []string{"-nostdinc", "-isystem", dir, "-dM", "-E", "/dev/null"})...))
			if len(theirs) < 200 || len(view[lang.name]) < 200 || len(plain[lang.name]) < 200 {
				t.Fatalf("%s, %s: %d, %d and %d macros", name, lang.name, len(theirs), len(view[lang.name]), len(plain[lang.name]))
			}
			for macro, kind := range differences(view[lang.name], theirs) {
				found := false
				for _, r := range leave {
					if !r.Concerns(p) || r.Only != kind || r.Lang != "" && r.Lang != lang.name {
						continue
					}
					for i, re := range r.patterns {
						if re.MatchString(macro) {
							found = true
							for _, on := range append(slices.Clone(r.On), "linux/*") {
								if on == "linux/*" || on == name || on == p.Base().Name {
									used[r.ID+" "+r.Names[i]+" "+on] = true
								}
							}
						}
					}
				}
				if !found {
					what := fmt.Sprintf("%s %s", kind, macro)
					missing[what] = append(missing[what], fmt.Sprintf("%s in %s: GCC %q, clang %q", name, lang.name, theirs[macro], view[lang.name][macro]))
				}
			}
			for _, r := range platform.Macros() {
				if r.Kind == "leave" || !r.Concerns(p) {
					continue
				}
				for _, n := range r.Names {
					macro, _, _ := strings.Cut(n, "=")
					before, was := plain[lang.name][macro]
					after, is := view[lang.name][macro]
					if was != is || was && !sameValue(before, after) {
						used[r.ID+" "+n+" "+name] = true
					}
				}
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s: no row of internal/platform/macros.toml says why\n\t%s", what, strings.Join(missing[what], "\n\t"))
	}
	for _, r := range platform.Macros() {
		if len(r.When) > 0 {
			continue // TestMacrosOfVariants
		}
		for _, n := range r.Names {
			for _, on := range r.On {
				if !used[r.ID+" "+n+" "+on] {
					t.Errorf("macros.toml: [%s.%s] %s on %s: there is no such difference any more", r.Kind, r.ID, n, on)
				}
			}
		}
	}
}

// TestGCCOnly: what GCC compiles and clang refuses is explained, on clang's real message, with what can be done today;
// and that compiles.
func TestGCCOnly(t *testing.T) {
	needNetwork(t)
	const (
		decimal = "#ifdef __DEC32_MAX__\n_Decimal64 d;\n#else\nlong double d;\n#endif\nint main(void) { return d != 0; }\n"
		float   = "#ifdef __FLT32_DIG__\n_Float32 f;\n#else\nfloat f;\n#endif\nint main(void) { return f != 0; }\n"
		quad    = "#ifdef __SIZEOF_FLOAT128__\n__float128 f;\n#else\nlong double f;\n#endif\nint main(void) { return f != 0; }\n"
		asm     = "int main(int n, char **v) {\n#ifdef NO_ASM\n    return n;\n#else\n    __asm__(%s);\n    return n;\n#endif\n}\n"
		fixed   = "register long base __asm__(\"x20\");\nint main(void) { return base == 1; }\n"
		tend    = "int main(void) { __asm__ volatile(\"tend\"); return 0; }\n"
		pack    = "int main(void) { return __builtin_va_arg_pack_len(); }\n"
	)
	constraint, clobber := fmt.Sprintf(asm, `"nop" : "=YZ"(n)`), fmt.Sprintf(asm, `"nop" : : : "rax"`)
	cases := []struct{ name, platform, flags, code, hint, mended, flagged string }{
		{"vector", "linux/ppc64le", "", "#include <altivec.h>\nstatic vector signed int v = (vector signed int){1, 2, 3, 4};\nstatic vector signed int w = v;\nint main(void) { return w[0]; }\n",
			"no constant in C;",
			"#include <altivec.h>\n#define V (vector signed int){1, 2, 3, 4}\nstatic vector signed int v = V;\nstatic vector signed int w = V;\nint main(void) { return w[0] + v[0]; }\n", ""},
		{"nested", "linux/arm64", "", "int main(int n, char **v) { int add(int x) { return x + n; } return add(1); }\n", "a static function beside it",
			"static int add(int x, int n) { return x + n; }\nint main(int n, char **v) { return add(1, n); }\n", ""},
		{"vla", "linux/arm64", "", "int main(int n, char **v) { struct { int a, b[n]; } s; s.a = n; return s.a; }\n", "a flexible array member",
			"#include <stdlib.h>\nint main(int n, char **v) { struct { int a, b[]; } *s = malloc(sizeof *s + n * sizeof s->b[0]); s->a = n; return s->a; }\n", ""},
		{"builtin", "linux/arm64", "", pack, "__builtin_va_arg_pack_len is a built-in function of GCC",
			"#if __has_builtin(__builtin_va_arg_pack_len)\n" + pack + "#else\nint main(void) { return 0; }\n#endif\n", ""},
		{"register", "linux/arm64", "", fixed, "a global variable in a register", "_Thread_local long base;\nint main(void) { return base == 1; }\n", ""},
		{"fixed", "linux/arm64", "", fixed, "and of AArch64 and RISC-V those that are named with -ffixed-", fixed, `"-ffixed-x20"`},
		{"backend", "linux/ppc64le", "", "register long base __asm__(\"r30\");\nint main(void) { return base; }\n", "a global variable in a register",
			"_Thread_local long base;\nint main(void) { return base; }\n", ""},
		{"constraint", "linux/arm64", "", constraint, "clang knows no =YZ in it for linux/arm64", constraint, `"-DNO_ASM"`},
		{"clobber", "linux/arm/v7", "", clobber, "clang knows no rax in it for linux/arm/v7", clobber, `"-DNO_ASM"`},
		{"decimal", "linux/arm64", "", "_Decimal64 d;\nint main(void) { return d != 0; }\n", "GNU decimal type is a type that GCC has", decimal, ""},
		{"float", "linux/arm64", "", "_Float32 f;\nint main(void) { return f != 0; }\n", "_Float32 is a type that GCC has on linux/arm64", float, ""},
		{"quad", "linux/ppc64le", "", "__float128 f;\nint main(void) { return f != 0; }\n", "__float128 is a type that GCC has on linux/ppc64le", quad, ""},
		{"directive", "linux/arm64", "", fmt.Sprintf(asm, `".abort_x"`), "the assembler is clang's own and says \"unknown directive\"", fmt.Sprintf(asm, `".abort_x"`), `"-DNO_ASM"`},
		{"transaction", "linux/s390x", "", tend, "says \"instruction requires: transactional-execution\"",
			"#include <sys/auxv.h>\n__attribute__((noinline)) static void end(void) { __asm__ volatile(\"tend\"); }\n" +
				"int main(void) { if (getauxval(AT_HWCAP) & HWCAP_S390_TE) end(); return 0; }\n", `"-mhtm"`},
		{"optimization", "linux/arm64", `"-Werror", "-fno-gcse"`, "int main(void) { return 0; }\n", "-fno-gcse is an option of GCC", "int main(void) { return 0; }\n",
			`"-Werror", "-fno-gcse", "-Wno-error=ignored-optimization-argument"`},
		{"option", "linux/arm64", `"-fconserve-stack"`, "int main(void) { return 0; }\n", "have no -fconserve-stack: leave it out", "int main(void) { return 0; }\n", ""},
	}
	files := map[string]string{}
	toml := "[project]\nname = \"gnu\"\nplatforms = [\"linux/arm64\", \"linux/ppc64le\", \"linux/s390x\", \"linux/arm/v7\"]\n"
	mended, gcc := toml, toml+"[toolchains]\ncc = \"gcc\"\n"
	target := func(name, platform, flags string) string {
		return fmt.Sprintf("[target.%s]\nrecipe = \"cc\"\nsource = %q\nsources = [\"main.c\"]\nplatforms = [%q]\ncflags = [%s]\n", name, name, platform, flags)
	}
	for _, c := range cases {
		files[c.name+"/main.c"] = c.code
		toml += target(c.name, c.platform, c.flags)
		mended += target(c.name, c.platform, c.flagged)
	}
	files["xbuild.toml"] = toml
	dir := write(t, files)
	for _, c := range cases {
		r := xbuild(t, dir, "build", "-q", c.name)
		if r.code != 1 || !strings.Contains(r.stderr, c.hint) {
			t.Errorf("%s: want it to fail with a hint that says %q\n%v", c.name, c.hint, r)
		}
		files[c.name+"/main.c"] = c.mended
	}
	files["xbuild.toml"] = mended
	build(t, write(t, files))
	// As they were, GCC compiles all but those that are wrong, or another machine's.
	for _, c := range cases {
		switch c.name {
		case "vector", "builtin", "constraint", "clobber", "directive", "transaction":
		default:
			files[c.name+"/main.c"] = c.code
			gcc += target(c.name, c.platform, c.flags)
		}
	}
	files["xbuild.toml"] = gcc
	build(t, write(t, files))
}

// TestConstPointer: a store through a cast to a pointer that is declared const is dropped by clang. What ends so is
// explained, and what the explanation advises helps.
func TestConstPointer(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"globals.h": "struct globals { int count; };\nextern struct globals *CONST globals;\n",
		"globals.c": "struct globals *globals;\nlong other = 1;\n",
		"main.c": `#include <stdio.h>
#include <stdlib.h>
#include "globals.h"

int main(int argc, char **argv) {
    *(struct globals **)&globals = calloc(1, sizeof *globals);
    globals->count = argc;
    printf("%d\n", globals->count);
    return 0;
}
`,
		"xbuild.toml": "[project]\nname = \"small\"\nplatforms = " + quoted(eleven) + `
[target.small]
recipe = "cc"
sources = ["main.c", "globals.c"]
cflags = ["-DCONST=const"]
[target.plain]
recipe = "cc"
sources = ["main.c", "globals.c"]
cflags = ["-DCONST="]
[target.slow]
recipe = "cc"
sources = ["main.c", "globals.c"]
cflags = ["-DCONST=const", "-O0"]
`,
	})
	build(t, dir)
	for _, p := range eleven {
		r := underQEMU(t, dir, p, built(dir, p, "small"))
		want := "globals is a variable of a pointer's size that holds 0.\nxbuild: One that is declared T *const, and set through a cast, stays so: clang drops a store"
		if r.signal != syscall.SIGSEGV || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: want it to end with SIGSEGV and %q\n%v", p, want, r)
		}
		for _, name := range []string{"plain", "slow"} {
			if r := underQEMU(t, dir, p, built(dir, p, name)); r.code != 0 || r.stdout != "1\n" {
				t.Errorf("%s: %s: want 1\n%v", p, name, r)
			}
		}
	}
}

// macroVariants are baselines above a platform's own, with GCC's flags for each.
var macroVariants = []struct {
	platform, cpu, features string
	gcc                     string
}{
	{"linux/amd64/v2", "", "", "-march=x86-64-v2"}, {"linux/amd64/v3", "", "", "-march=x86-64-v3"}, {"linux/amd64/v4", "", "", "-march=x86-64-v4"}, {"linux/amd64", "znver3", "", "-march=znver3"},
	{"linux/386/387", "", "", ""}, {"linux/386/387", "", "sse2", "-msse2"}, {"linux/386", "pentium-m", "", "-march=pentium-m -mfpmath=sse"},
	{"linux/arm64/v8.1", "", "", "-march=armv8.1-a"}, {"linux/arm64/v8.2", "", "sve", "-march=armv8.2-a+sve"}, {"linux/arm64/v8.4", "", "", "-march=armv8.4-a"}, {"linux/arm64/v9", "", "", "-march=armv9-a"},
	{"linux/arm64", "cortex-a72", "", "-mcpu=cortex-a72"}, {"linux/arm64", "neoverse-n1", "", "-mcpu=neoverse-n1"},
	{"linux/arm/v7", "", "neon vfpv4", "-march=armv7-a -mfpu=neon-vfpv4"}, {"linux/arm/v7", "", "neon", "-march=armv7-a -mfpu=neon"}, {"linux/arm/v7", "", "fp16", "-march=armv8.2-a+fp16 -mfpu=auto"},
	{"linux/arm/v7", "cortex-a15", "", "-mcpu=cortex-a15 -mfpu=auto"},
	{"linux/ppc64le", "power9", "", "-mcpu=power9 -mno-htm"}, {"linux/ppc64le", "power10", "", "-mcpu=power10"},
	{"linux/s390x", "z14", "", "-march=z14 -mno-htm"}, {"linux/s390x", "z15", "", "-march=z15 -mno-htm"}, {"linux/s390x", "z16", "", "-march=z16 -mno-htm"},
	{"linux/riscv64", "", "v", "-march=rv64gcv"}, {"linux/riscv64", "", "zba zbb", "-march=rv64gc_zba_zbb"},
	{"linux/loong64", "la664", "", "-march=la664"}, {"linux/loong64", "", "lasx", "-mlasx"}, {"linux/loong64", "", "la64v1.1", "-march=la64v1.1"}, {"linux/mips64le", "octeon", "", "-march=octeon"},
}

// TestMacrosOfVariants: above a platform's baseline, too, what the view undefines is not defined by GCC at that
// level, and what it defines has GCC's value. A row with a
// condition is needed where the condition holds.
func TestMacrosOfVariants(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\"]\n"})
	var script strings.Builder
	var baselines []platform.Baseline
	for _, v := range macroVariants {
		p, err := platform.Parse(v.platform)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline(v.cpu, strings.Fields(v.features))
		if err != nil {
			t.Fatalf("%+v: %v", v, err)
		}
		baselines = append(baselines, b)
		fmt.Fprintf(&script, "echo '#== '\nclang --no-default-config --target=%s %s -x c -dM -E /dev/null || exit 1\n", p.LLVM, strings.Join(b.CFlags(), " "))
		fmt.Fprintf(&script, "echo '#== '\nclang --no-default-config --target=%s %s '%s' -Werror -x c -dM -E /dev/null || exit 1\n", p.LLVM, strings.Join(b.CFlags(), " "), strings.Join(b.Macros(), "' '"))
	}
	r := xbuild(t, dir, "exec", "-q", "-p", "linux/amd64", "--", "sh", "-c", script.String())
	if r.code != 0 {
		t.Fatal(r)
	}
	dumps := strings.Split(r.stdout, "#== ")[1:]
	needed := map[string]bool{}
	for i, v := range macroVariants {
		b := baselines[i]
		g := gccs[b.Platform().Base().Name]
		g.flags = strings.Fields(v.gcc)
		theirs := macroDefs(g.run(t, dir, "-x", "c", "-nostdinc", "-isystem", dir, "-dM", "-E", "/dev/null"))
		plain, view := macroDefs(dumps[2*i]), macroDefs(dumps[2*i+1])
		if len(theirs) < 200 || len(plain) < 200 || len(view) < 200 {
			t.Fatalf("%+v: %d, %d, %d macros", v, len(theirs), len(plain), len(view))
		}
		for _, row := range platform.Macros() {
			if row.Kind == "leave" || !row.Concerns(b.Platform()) {
				continue
			}
			for _, n := range row.Names {
				macro, _, _ := strings.Cut(n, "=")
				mine, is := view[macro]
				their, have := theirs[macro]
				before, was := plain[macro]
				changed := is != was || is && !sameValue(mine, before)
				if changed && (is != have || is && !sameValue(mine, their)) {
					t.Errorf("%+v: [%s.%s]: %s is %q, defined: %v; of GCC %q, defined: %v", v, row.Kind, row.ID, macro, mine, is, their, have)
				}
				if changed {
					needed[row.Kind+"."+row.ID] = true
				}
			}
		}
	}
	for _, row := range platform.Macros() {
		if len(row.When) > 0 && !needed[row.Kind+"."+row.ID] {
			t.Errorf("macros.toml: [%s.%s] changes nothing in any of the variants", row.Kind, row.ID)
		}
	}
}

// TestMacroInputs: a library that tells the byte order by names of compilers is right on every machine, and nothing
// is compiled to transactions unasked.
func TestMacroInputs(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		// As a database engine has it: the file's pages are big-endian, and where the machine is too nothing is
		// swapped.
		"order.c": `#include <stdio.h>
#include <string.h>
#if defined(i386) || defined(__i386__) || defined(__x86_64__) || defined(__arm__) || defined(__aarch64__) || defined(__riscv)
#define ORDER 1234
#elif defined(sparc) || defined(__ppc__)
#define ORDER 4321
#else
#define ORDER 0
#endif
static const int one = 1;
static unsigned short big(unsigned short n) {
    if (ORDER == 4321 || (ORDER == 0 && *(const char *)&one == 0)) return n;
    return (unsigned short)(n << 8 | n >> 8);
}
int main(void) {
    unsigned char page[2];
    unsigned short size = big(4096);
    memcpy(page, &size, 2);
    printf("%02x %02x\n", page[0], page[1]);
    return 0;
}
`,
		"lock.c": `#include <stdio.h>
int main(void) {
    int lock = 0;
#ifdef __HTM__
#ifdef __s390x__
    lock = __builtin_tbegin((void *)0) == 0;
    if (lock) __builtin_tend();
#else
    lock = __builtin_tbegin(0);
    if (lock) __builtin_tend(0);
#endif
    puts("transactions");
#else
    puts("a lock");
#endif
    return 0;
}
`,
		// Names that are a program's own.
		"names.c": `#include <stdio.h>
static int __sync(int n) { return n + 1; }
static int __abs(int n) { return n < 0 ? -n : n; }
int main(void) { printf("%d\n", __sync(__abs(-1))); return 0; }
`,
		"xbuild.toml": "[project]\nname = \"macros\"\nplatforms = " + quoted(eleven) + `
[target.order]
recipe = "cc"
sources = ["order.c"]
[target.order0]
recipe = "cc"
sources = ["order.c"]
cflags = ["-O0"]
platforms = ["linux/ppc64le"]
[target.lock]
recipe = "cc"
sources = ["lock.c"]
platforms = ["linux/ppc64le", "linux/s390x"]
[target.names]
recipe = "cc"
sources = ["names.c"]
platforms = ["linux/ppc64le"]
`,
	})
	build(t, dir)
	for _, p := range eleven {
		want := map[string]string{"order": "10 00\n"}
		switch p {
		case "linux/ppc64le":
			want["order0"], want["lock"], want["names"] = "10 00\n", "a lock\n", "2\n"
		case "linux/s390x":
			want["lock"] = "a lock\n"
		}
		for name, text := range want {
			if r := underQEMU(t, dir, p, built(dir, p, name)); r.code != 0 || r.stdout != text {
				t.Errorf("%s for %s: want %q\n%v", name, p, text, r)
			}
		}
	}
	// Who asks for transactions gets them.
	for _, p := range []string{"linux/ppc64le", "linux/s390x"} {
		if r := xbuild(t, dir, "exec", "-q", "-p", p, "--", "cc", "-mhtm", "-S", "-o", "-", "lock.c"); r.code != 0 || !strings.Contains(r.stdout, "tbegin") {
			t.Errorf("-mhtm for %s: want tbegin in\n%v", p, r)
		}
		if r := xbuild(t, dir, "exec", "-q", "-p", p, "--", "cc", "-S", "-o", "-", "lock.c"); r.code != 0 || strings.Contains(r.stdout, "tbegin") {
			t.Errorf("without -mhtm for %s: want no tbegin in\n%v", p, r)
		}
	}
}
