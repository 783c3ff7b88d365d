package e2e

import (
	"debug/elf"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/catalog"
)

// TestSectionsOfPlugins: what a program finds by __start_NAME and __stop_NAME stays where unused sections are dropped,
// as with GNU ld, in C and in Rust.
func TestSectionsOfPlugins(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"plugins\"\nplatforms = " + quoted(eleven) + `
[target.c]
recipe = "cc"
sources = ["*.c"]
cflags = ["-O2", "-ffunction-sections", "-fdata-sections"]
ldflags = ["-Wl,--gc-sections"]
[target.rust]
recipe = "rust"
source = "rust"
`,
		"main.c": `#include <stdio.h>
typedef int (*plugin)(void);
extern plugin __start_plugins[] __attribute__((weak)), __stop_plugins[] __attribute__((weak));
int unused(void) { return puts("unused"); }
int main(void) {
    int n = 0, sum = 0;
    for (plugin *p = __start_plugins; p < __stop_plugins; p++) n++, sum += (*p)();
    printf("%d plugins, sum %d\n", n, sum);
}
`,
		"plugins.c": `typedef int (*plugin)(void);
static int a(void) { return 3; }
static int b(void) { return 4; }
static plugin pa __attribute__((section("plugins"), used)) = a;
static plugin pb __attribute__((section("plugins"), used)) = b;
`,
		"rust/Cargo.toml": "[package]\nname = \"rust\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
		"rust/src/main.rs": `type Plugin = fn() -> i32;
fn a() -> i32 { 3 }
fn b() -> i32 { 4 }
#[used]
#[link_section = "plugins"]
static PA: Plugin = a;
#[used]
#[link_section = "plugins"]
static PB: Plugin = b;
extern "C" {
    #[link_name = "__start_plugins"]
    static START: Plugin;
    #[link_name = "__stop_plugins"]
    static STOP: Plugin;
}
fn main() {
    let (start, stop) = (&raw const START, &raw const STOP);
    let n = (stop as usize - start as usize) / size_of::<Plugin>();
    let sum: i32 = (0..n).map(|i| unsafe { *start.add(i) }()).sum();
    println!("{n} plugins, sum {sum}");
}
`,
	})
	targets := map[string][]string{"c": eleven, "rust": {"linux/arm64", "linux/s390x"}}
	for _, target := range []string{"c", "rust"} {
		for _, name := range targets[target] {
			if r := xbuild(t, dir, "build", "-q", "-p", name, target); r.code != 0 {
				t.Fatal(r)
			}
			if r := underQEMU(t, dir, name, built(dir, name, target)); r.code != 0 || r.stdout != "2 plugins, sum 7\n" {
				t.Errorf("%s for %s: %v", target, name, r)
			}
		}
	}
}

// TestUncalledConstructors: functions in .ctors, which GNU ld has called and lld has not, end the build; the attribute
// that the error names has them called.
func TestUncalledConstructors(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"ctors\"\nplatforms = [\"" + platform + "\", \"linux/s390x\"]\n[target.p]\nrecipe = \"cc\"\nsources = [\"*.c\"]\n",
		"p.c": `#include <stdio.h>
static void before(void) { puts("before"); }
static void (*call)(void) __attribute__((section(".ctors"), used)) = before;
int main(void) { puts("main"); }
`,
	})
	r := xbuild(t, dir, "build")
	if r.code != 1 || strings.Count(r.stderr, "has functions in the section .ctors") < 2 {
		t.Fatal(r)
	}
	content("p.c", "#include <stdio.h>\n__attribute__((constructor)) static void before(void) { puts(\"before\"); }\nint main(void) { puts(\"main\"); }\n")(t, dir)
	build(t, dir)
	for _, name := range []string{platform, "linux/s390x"} {
		if r := underQEMU(t, dir, name, built(dir, name, "p")); r.stdout != "before\nmain\n" {
			t.Errorf("%s: %v", name, r)
		}
	}
}

// erratum843419 is the code that a Cortex-A53 runs wrongly: an ADRP as one of the last two instructions of a page, a
// load or store, and a load by the address (Arm's errata notice, 843419).
const erratum843419 = `.text
.balign 4096
.globl erratum
.space 4096 - 8
erratum:
adrp x0, word
ldr x1, [x1]
ldr x0, [x0, :lo12:word]
ret
.data
.globl word
.balign 8
word: .quad 42
`

// erratum657417 is the code that a Cortex-A8 runs wrongly: a branch of 32 bits across two pages, whose target is in the
// first, after an instruction of 32 bits that is none (Arm's errata notice, 657417).
const erratum657417 = `.syntax unified
.thumb
.text
.balign 4096
.globl erratum
target:
bx lr
.space 4096 - 8
.thumb_func
erratum:
.inst.w 0xf3af8000
b.w target
`

// TestErrata: the linker mends what processors of a platform run wrongly, as GCC has it do.
func TestErrata(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"errata\"\nplatforms = [\"linux/arm64\", \"linux/arm/v7\"]\n",
		"a53.s":       erratum843419, "a8.s": erratum657417, "main.c": "int erratum(void);\nint main(void) { return erratum(); }\n",
	})
	for _, c := range []struct{ platform, source, patch string }{
		{"linux/arm64", "a53.s", "__CortexA53843419_"},
		{"linux/arm/v7", "a8.s", "__CortexA8657417_"},
	} {
		if r := xbuild(t, dir, "exec", "-q", "-p", c.platform, "--", "cc", "main.c", c.source, "-o", "p"); r.code != 0 {
			t.Fatal(r)
		}
		f, err := elf.Open(filepath.Join(dir, "p"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		symbols, err := f.Symbols()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, c.patch) }) {
			t.Errorf("%s: the code is linked as it is, and goes wrong on that processor", c.platform)
		}
	}
}

// TestUnheeded: options of GNU ld that change nothing, and that lld does not know, are none of its errors; those that
// change something are.
func TestUnheeded(t *testing.T) {
	needNetwork(t)
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, o := range c.Toolchain("clang").Unheeded {
		flags = append(flags, "-Wl,"+strings.Replace(o, "*", "31", 1))
	}
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/riscv64\"]\n[target.app]\nrecipe = \"cc\"\nsources = [\"main.c\"]\nldflags = " + quoted(flags) + "\n" +
			"[target.audited]\nrecipe = \"cc\"\nsources = [\"main.c\"]\nldflags = [\"-Wl,--audit=libaudit.so\"]\n",
		"main.c": "#include <stdio.h>\nint main(void) { puts(\"linked\"); }\n",
	})
	build(t, dir, "app")
	if r := underQEMU(t, dir, "linux/riscv64", built(dir, "linux/riscv64", "app")); r.code != 0 || r.stdout != "linked\n" {
		t.Error(r)
	}
	if r := xbuild(t, dir, "build", "-q", "audited"); r.code != 1 || !strings.Contains(r.stderr, "unknown argument '--audit") {
		t.Errorf("--audit: %v", r)
	}
}

// TestVersionScripts: a version script that names what a library does not have is none of lld's errors, as with GNU ld:
// librdkafka's has a function of its unit tests. A build that asks for the error has it.
func TestVersionScripts(t *testing.T) {
	needNetwork(t)
	shared := slices.DeleteFunc(slices.Clone(eleven), func(p string) bool { return p == "linux/arm/v6" }) // which has no shared libraries
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = " + quoted(shared) + `
[target.greet]
recipe = "make"
outputs = ["greet", "libgreet.so"]
static = false
[target.strict]
recipe = "make"
outputs = ["libgreet.so"]
vars = { MORE = "-Wl,--no-undefined-version" }
platforms = ["linux/arm64"]
dest = "strict"
`,
		"greet.c":   "int greet(void) { return 7; }\n",
		"main.c":    "#include <stdio.h>\nint greet(void);\nint main(void) { printf(\"%d\\n\", greet()); }\n",
		"greet.map": "{ global: greet; only_in_tests; local: *; };\n",
		"Makefile":  "greet: main.c libgreet.so\n\t$(CC) $(CFLAGS) -o $@ main.c libgreet.so -Wl,-rpath,'$$ORIGIN'\nlibgreet.so: greet.c greet.map\n\t$(CC) $(CFLAGS) -fPIC -shared -Wl,--version-script=greet.map,-soname,libgreet.so $(MORE) -o $@ greet.c\n",
	})
	build(t, dir, "greet")
	for _, p := range shared {
		if r := underQEMU(t, dir, p, built(dir, p, "greet")); r.code != 0 || r.stdout != "7\n" {
			t.Errorf("%s: %v", p, r)
		}
	}
	if r := xbuild(t, dir, "build", "-q", "strict"); r.code != 1 || !strings.Contains(r.stderr, "only_in_tests") {
		t.Errorf("with --no-undefined-version: %v\nwant lld's error", r)
	}
}
