package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unwindEach calls what it is given: code in C that knows nothing of exceptions, as qsort or a parser with callbacks.
const unwindEach = `int NAME(int (*f)(int), int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += f(i);
    return sum;
}
`

const unwindMain = `#include <cstdio>
#include <execinfo.h>
#include <string>
extern "C" int clang_each(int (*)(int), int), gcc_each(int (*)(int), int);
static int thrower(int i) {
    if (i == 2) throw i;
    return i;
}
static int deep;
static int tracer(int) {
    void *at[64];
    deep = backtrace(at, 64);
    return 0;
}
int main(int, char **argv) {
    auto each = argv[1] == std::string("clang") ? clang_each : gcc_each;
    each(tracer, 1);
    std::printf("frames %d\n", deep);
    std::fflush(stdout);
    try {
        each(thrower, 5);
    } catch (int i) {
        std::printf("caught %d\n", i);
    }
}
`

// TestUnwindThroughC: an exception of C++ passes through functions in C, and backtrace(3) sees their callers, on the
// platforms where Debian's GCC makes it so, and on no other.
func TestUnwindThroughC(t *testing.T) {
	needNetwork(t)
	t.Parallel()
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"unwind\"\nplatforms = " + quoted(eleven) + "\n",
		"clang.c":     strings.Replace(unwindEach, "NAME", "clang_each", 1),
		"gcc.c":       strings.Replace(unwindEach, "NAME", "gcc_each", 1),
		"main.cc":     unwindMain,
	})
	for _, name := range eleven {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			g := gccs[name]
			g.run(t, dir, append([]string{"-x", "c", "-O2", "-S", "-nostdinc", "gcc.c", "-o", "gcc.s"}, g.assembly...)...)
			assembly, err := os.ReadFile(filepath.Join(dir, "gcc.s"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "gcc.s"), notOfClang.ReplaceAll(assembly, nil), 0o644); err != nil {
				t.Fatal(err)
			}
			script := "set -e\nclang -O2 -c clang.c -o clang.o\nclang -c gcc.s -o gcc.o\nclang++ -O2 main.cc clang.o gcc.o -o unwind\n"
			if r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-c", script); r.code != 0 {
				t.Fatal(r)
			}
			program := filepath.Join(dir, "unwind")
			clang, gcc := underQEMU(t, dir, name, program, "clang"), underQEMU(t, dir, name, program, "gcc")
			if clang.stdout != gcc.stdout || clang.code != gcc.code {
				t.Errorf("through clang's code:\n%v\nthrough GCC's:\n%v", clang, gcc)
			}
			// What GCC does is no matter of taste on these: their ABI's documents and GCC's default say that C has
			// unwind tables.
			if through := !strings.HasPrefix(name, "linux/arm/") && name != "linux/mips64le"; through != strings.HasSuffix(clang.stdout, "caught 2\n") {
				t.Errorf("caught: want %v\n%v", through, clang)
			}
			t.Log(strings.ReplaceAll(clang.stdout, "\n", " "))
		})
	}
}
