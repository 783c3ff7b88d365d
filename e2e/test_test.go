package e2e

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xbuild/internal/execute"
	"xbuild/internal/platform"
)

// tested runs xbuild test with --json and returns the results by platform of one target. It fails where the exit code
// is not the expected one.
func tested(t *testing.T, dir string, code int, args ...string) (map[string]map[string]execute.TestResult, result) {
	t.Helper()
	r := xbuild(t, dir, append([]string{"test", "-q", "--json"}, args...)...)
	if r.code != code {
		t.Fatalf("xbuild test %s: exit code %d, want %d\n%v", strings.Join(args, " "), r.code, code, r)
	}
	var list []execute.TestResult
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	by := map[string]map[string]execute.TestResult{}
	for _, x := range list {
		if by[x.Target] == nil {
			by[x.Target] = map[string]execute.TestResult{}
		}
		by[x.Target][x.Platform] = x
	}
	return by, r
}

// crashing is a program that can crash in every way; its lines are counted in crashes.
const crashing = `#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
__attribute__((noinline)) static int segv(volatile int *p) {
    return *p + 1;
}
__attribute__((noinline)) static void trap(void) {
    __builtin_trap();
}
__attribute__((noinline)) static int bus(void) {
    char name[] = "busXXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    volatile int *p = mmap(0, 1 << 16, PROT_READ, MAP_SHARED, fd, 0);
    return *p;
}
__attribute__((noinline)) static void abrt(void) {
    abort();
}
int main(int argc, char **argv) {
    unsigned value = 0x01020304;
    unsigned char b[4];
    memcpy(b, &value, 4);
    if (argc < 2) return 2;
    if (!strcmp(argv[1], "bytes")) printf("first\n%d %d %d %d\n", b[0], b[1], b[2], b[3]);
    if (!strcmp(argv[1], "value")) printf("first\n%u\n", value);
    if (!strcmp(argv[1], "segv")) return segv(NULL);
    if (!strcmp(argv[1], "trap")) trap();
    if (!strcmp(argv[1], "bus")) return bus();
    if (!strcmp(argv[1], "abrt")) abrt();
    return 0;
}
`

// TestTest builds and tests a program on all eleven platforms: outputs that are to be equal, and crashes of every kind,
// which are explained.
func TestTest(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"crash.c": crashing,
		"xbuild.toml": `
[project]
name = "crash"
platforms = ` + quoted(eleven) + `
[target.crash]
recipe = "cc"
sources = ["crash.c"]
cflags = ["-g"]
static = true
test = ["crash", "bytes"]
equal = true
[target.value]
recipe = "cc"
sources = ["crash.c"]
static = true
test = ["value", "value"]
equal = true
`,
	})
	results, _ := tested(t, dir, 1, "--emulate")
	for _, p := range eleven {
		r := results["crash"][p]
		if p == "linux/s390x" {
			for _, want := range []string{"line 2, byte 1 (offset 6)", `linux/amd64 "4 3 2 1"`, `linux/s390x "1 2 3 4"`} {
				if r.Result != execute.Failed || r.Reason != "equal: it prints something else than linux/amd64 and 9 more" || !strings.Contains(r.Output, want) {
					t.Errorf("%s: %+v, want a difference with %q", p, r, want)
				}
			}
		} else if r.Result != execute.Passed || !r.Emulated {
			t.Errorf("%s: %+v, want it to pass", p, r)
		}
		if r := results["value"][p]; r.Result != execute.Passed {
			t.Errorf("value for %s: %+v, want it to pass", p, r)
		}
	}

	for _, p := range eleven {
		for _, c := range []struct{ how, function, line string }{
			{"segv", "segv", "crash.c:8"}, {"trap", "trap", "crash.c:11"}, {"bus", "bus", "crash.c:18"}, {"abrt", "abrt", "crash.c:21"},
		} {
			t.Run(strings.ReplaceAll(p, "/", "-")+" "+c.how, func(t *testing.T) {
				r := underQEMU(t, dir, p, built(dir, p, "crash"), c.how)
				signal, want := map[string]syscall.Signal{"segv": syscall.SIGSEGV, "bus": syscall.SIGBUS, "abrt": syscall.SIGABRT}[c.how], []string{}
				switch {
				case c.how == "abrt":
					want = append(want, "ended with SIGABRT: ", c.function+"+0x", "("+c.line+") in crash")
				case c.how == "trap":
					want = append(want, "a trap that the compiler put there", "at trap+0x", "("+c.line+") in crash")
				default:
					want = append(want, "ended with SIG"+strings.ToUpper(c.how)+": ", "at "+c.function+"+0x", "("+c.line+") in crash")
				}
				if r.code != -1 || signal != 0 && r.signal != signal || c.how == "trap" && r.signal != syscall.SIGILL && r.signal != syscall.SIGTRAP && p != "linux/loong64" {
					t.Errorf("ended by %v, want %v\n%v", r.signal, signal, r)
				}
				for _, w := range want {
					if !strings.Contains(r.stderr, w) {
						t.Errorf("stderr lacks %q:\n%s", w, r.stderr)
					}
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "*core*")); len(left) > 0 {
					t.Errorf("core files are left: %v", left)
				}
			})
		}
	}
}

// TestBeyondBaseline runs code that the platform does not promise, and holds what is said against it.
func TestBeyondBaseline(t *testing.T) {
	needNetwork(t)
	const header = `int beyond(int);`
	const main = `#include <stdio.h>
#include "beyond.h"
int main(int argc, char **argv) { printf("%d\n", beyond(argc)); return 0; }
`
	dir := write(t, map[string]string{
		// What check compiles is no artifact: a build holds those against the baseline by itself.
		"Makefile": "all: ok\nok: ok.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ ok.c\n" +
			"beyond: main.c beyond.c\n\t$(CC) $(CFLAGS) -g $(LDFLAGS) -o $@ main.c beyond.c\ncheck: beyond\n\t$(RUN) ./beyond\n",
		"ok.c":     "int main(void) { return 0; }\n",
		"beyond.h": header,
		"main.c":   main,
		"beyond.c": `#include "beyond.h"
#if defined(__aarch64__)
__attribute__((target("lse")))
#elif defined(__x86_64__)
__attribute__((target("avx2")))
#endif
int beyond(int n) {
#if defined(__aarch64__)
    static int counter;
    return __atomic_fetch_add(&counter, n, __ATOMIC_SEQ_CST);
#elif defined(__x86_64__)
    typedef int v8 __attribute__((vector_size(32)));
    volatile v8 a = {n, n, n, n, n, n, n, n};
    a = a + a;
    return a[3];
#elif defined(__riscv)
    __asm__ volatile(".word 0x0d00f057"); /* vsetvli zero, ra, e32, m1, ta, ma */
    return n;
#elif defined(__arm__)
    __asm__ volatile(".fpu neon\n\tvadd.i8 d16, d16, d16");
    return n;
#else
    return n;
#endif
}
`,
		"xbuild.toml": `
[project]
name = "beyond"
platforms = ["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/riscv64"]
[target.beyond]
recipe = "make"
outputs = ["ok"]
check = "check"
vars = { RUN = "$(XBUILD) run" }
`,
	})
	results, _ := tested(t, dir, 1, "--emulate", "beyond")
	for p, x := range map[string]struct{ model, needs, mend string }{
		"linux/amd64":   {"qemu64-v1", "needs avx", `["avx"], or build for linux/amd64/v3;`},
		"linux/arm64":   {"cortex-a53", "ldaddal, which needs lse", `["lse"], or build for linux/arm64/v8.1;`},
		"linux/arm/v6":  {"arm1176", "vadd.i8, which needs neon", ""},
		"linux/riscv64": {"sifive-u54", "vsetvli, which needs v", `["v"]`},
	} {
		r := results["beyond"][p]
		for _, want := range []string{x.needs + " and " + p + " has not", "beyond for " + p + " ended with SIGILL: illegal instruction", "at beyond+0x", "(beyond.c:", "instruction: ", "(-cpu " + x.model, `[platform."` + p + `"] features = ` + x.mend} {
			if r.Result != execute.Failed || !strings.Contains(r.Output, want) {
				t.Errorf("%s: %s %s lacks %q:\n%s", p, r.Result, r.Reason, want, r.Output)
			}
		}
	}
	// With the baseline raised, the same program passes.
	edit(t, filepath.Join(dir, "xbuild.toml"), "[target.beyond]", "[platform.\"linux/arm64\"]\nfeatures = [\"lse\"]\n[target.beyond]")
	results, _ = tested(t, dir, 0, "--emulate", "-p", "linux/arm64", "beyond")
	if r := results["beyond"]["linux/arm64"]; r.Result != execute.Passed {
		t.Errorf("with features = [\"lse\"]: %+v", r)
	}
}

// TestLibraryCrash: a crash in a shared library names the library.
func TestLibraryCrash(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"Makefile": "all: prog\nlibown.so: own.c\n\t$(CC) $(CFLAGS) -g -fPIC -shared -o $@ own.c\nprog: main.c libown.so\n\t$(CC) $(CFLAGS) -g -o $@ main.c -L. -lown -Wl,-rpath,'$$ORIGIN'\n" +
			"check: prog\n\t$(RUN) ./prog\n",
		"own.c":  "int own(int *p) {\n    return *p;\n}\n",
		"main.c": "int own(int *);\nint main(void) { return own(0) + 1; }\n",
		"xbuild.toml": `
[project]
name = "own"
platforms = ["linux/arm64", "linux/mips64le", "linux/386"]
[target.prog]
recipe = "make"
outputs = ["prog", "libown.so"]
check = "check"
vars = { RUN = "$(XBUILD) run" }
`,
	})
	results, _ := tested(t, dir, 1)
	for _, p := range []string{"linux/arm64", "linux/mips64le", "linux/386"} {
		r := results["prog"][p]
		for _, want := range []string{"prog for " + p + " ended with SIGSEGV", "at own+0x", "(own.c:2) in libown.so", "main+0x", "(main.c:2) in prog"} {
			if r.Result != execute.Failed || !strings.Contains(r.Output, want) {
				t.Errorf("%s: %s lacks %q:\n%s", p, r.Result, want, r.Output)
			}
		}
	}
}

// TestTestRecipes runs the tests of the examples as their recipes do: ctest, go test. What make check and meson test
// are run as is in docs/recipes.
func TestTestRecipes(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct {
		example string
		names   []string
		says    string
	}{
		{"cmake", []string{"linux/s390x", platform.Host().Name}, "100% tests passed"},
		{"go", []string{"linux/arm/v6", "windows/amd64"}, "example.com/sortwords"},
	} {
		t.Run(c.example, func(t *testing.T) {
			t.Parallel()
			dir := example(t, c.example)
			args := []string{"--junit", "results.xml"}
			for _, p := range c.names {
				args = append(args, "-p", p)
			}
			results, _ := tested(t, dir, 0, args...)
			for target, by := range results {
				for p, r := range by {
					if strings.HasPrefix(p, "windows/") {
						if r.Result != execute.Skipped || r.Reason != `platform "`+p+`" has no emulator` {
							t.Errorf("%s for %s: %+v, want it skipped", target, p, r)
						}
						continue
					}
					if r.Result != execute.Passed || !strings.Contains(r.Output, c.says) {
						t.Errorf("%s for %s: %+v", target, p, r)
					}
				}
			}
			data, err := os.ReadFile(filepath.Join(dir, "results.xml"))
			if err != nil {
				t.Fatal(err)
			}
			var suites struct {
				Tests    int `xml:"tests,attr"`
				Failures int `xml:"failures,attr"`
				Suites   []struct {
					Cases []struct {
						Name string `xml:"name,attr"`
					} `xml:"testcase"`
				} `xml:"testsuite"`
			}
			if err := xml.Unmarshal(data, &suites); err != nil || suites.Tests != len(c.names) || suites.Failures != 0 || len(suites.Suites) != 1 || len(suites.Suites[0].Cases) != len(c.names) {
				t.Errorf("JUnit's file: %v\n%s", err, data)
			}
		})
	}
}

// TestTestCgo runs the tests of a Go package with C code: they are linked by the platform's compiler and started
// through xbuild run.
func TestTestCgo(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"go.mod":       "module example.com/order\n\ngo 1.24\n",
		"main.go":      "package main\n\n// static int first(void) { unsigned v = 1; return *(unsigned char *)&v; }\nimport \"C\"\n\nfunc little() bool { return C.first() == 1 }\n\nfunc main() { println(little()) }\n",
		"main_test.go": "package main\n\nimport (\n\t\"encoding/binary\"\n\t\"testing\"\n)\n\nfunc TestLittle(t *testing.T) {\n\tvar b [2]byte\n\tbinary.NativeEndian.PutUint16(b[:], 1)\n\tif little() != (b[0] == 1) {\n\t\tt.Errorf(\"C says %v\", little())\n\t}\n}\n",
		"xbuild.toml":  "[project]\nname = \"order\"\nplatforms = [\"linux/s390x\", \"linux/arm/v7\"]\n[target.order]\nrecipe = \"go\"\ncgo = true\n",
	})
	results, _ := tested(t, dir, 0)
	for _, p := range []string{"linux/s390x", "linux/arm/v7"} {
		if r := results["order"][p]; r.Result != execute.Passed || !r.Emulated || !strings.Contains(r.Output, "ok  \texample.com/order") {
			t.Errorf("%s: %+v", p, r)
		}
	}
}

// TestTestCargo runs the tests of a crate, one of which fails where the most significant byte comes first.
func TestTestCargo(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"Cargo.toml":  "[package]\nname = \"order\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"Cargo.lock":  "version = 3\n\n[[package]]\nname = \"order\"\nversion = \"0.1.0\"\n",
		"src/main.rs": "fn main() {}\n\n#[test]\nfn adds() { assert_eq!(1 + 1, 2) }\n\n#[test]\nfn little() { assert_eq!(1u16.to_ne_bytes()[0], 1) }\n",
		"xbuild.toml": "[project]\nname = \"order\"\nplatforms = [\"linux/s390x\", \"linux/arm64\"]\n[target.order]\nrecipe = \"rust\"\n",
	})
	results, _ := tested(t, dir, 1)
	if r := results["order"]["linux/arm64"]; r.Result != execute.Passed || !r.Emulated || !strings.Contains(r.Output, "test result: ok. 2 passed") {
		t.Errorf("linux/arm64: %+v", r)
	}
	if r := results["order"]["linux/s390x"]; r.Result != execute.Failed || !strings.Contains(r.Output, "test result: FAILED. 1 passed; 1 failed") {
		t.Errorf("linux/s390x: %+v", r)
	}
}
