package e2e

import (
	"strings"
	"testing"
)

// TestRunElsewhere: a program that is run from outside of any project finds the libraries of its own project's sysroot.
func TestRunElsewhere(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm64\"]\n[sysroot]\npackages = [\"zlib1g-dev\"]\n[target.z]\nrecipe = \"cc\"\nsources = [\"z.c\"]\nlibs = [\"z\"]\n",
		"z.c":         "#include <stdio.h>\n#include <zlib.h>\nint main(void) { puts(zlibVersion()); }\n",
	})
	build(t, dir)
	for _, from := range []string{dir, t.TempDir()} {
		if r := xbuild(t, from, "run", "-q", built(dir, "linux/arm64", "z")); r.code != 0 || !strings.HasPrefix(r.stdout, "1.") {
			t.Errorf("from %s: %v", from, r)
		}
	}
}

// TestAlternatives: libblas.so, libblas.so.3 and blas.pc are links that packages make when they are installed, each of
// several to its own.
func TestAlternatives(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct{ packages, pc, needs string }{
		{`"libblas-dev"`, "blas", "libblas.so.3"},
		{`"libblas-dev", "libopenblas-pthread-dev"`, "openblas", "libopenblas.so.0"},
	} {
		dir := write(t, map[string]string{
			"xbuild.toml": "[project]\nplatforms = [\"linux/arm64\", \"linux/s390x\"]\n[sysroot]\npackages = [" + c.packages + "]\n[target.m]\nrecipe = \"cc\"\nsources = [\"m.c\"]\npkg-config = [\"" + c.pc + "\"]\n",
			"m.c":         "#include <cblas.h>\n#include <stdio.h>\nint main(void) { double a[] = {1, 2}, b[] = {3, 4}; printf(\"%g\\n\", cblas_ddot(2, a, 1, b, 1)); }\n",
		})
		build(t, dir)
		for _, p := range []string{"linux/arm64", "linux/s390x"} {
			prints(t, dir, p, built(dir, p, "m"), nil, "11")
			if r := xbuild(t, dir, "inspect", "-p", p, built(dir, p, "m")); !strings.Contains(r.stdout, c.needs) {
				t.Errorf("%s with %s does not need %s: %v", p, c.packages, c.needs, r)
			}
		}
	}
}

// TestOpenMP: clang and CMake find LLVM's OpenMP, which its package keeps below a directory of its own.
func TestOpenMP(t *testing.T) {
	needNetwork(t)
	platforms := []string{"linux/arm64", "linux/arm/v7"}
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64", "linux/arm/v7"]
[sysroot]
packages = ["libomp-dev"]
[target.a]
recipe = "cc"
sources = ["sum.c"]
cflags = ["-fopenmp"]
ldflags = ["-fopenmp"]
[target.b]
recipe = "cmake"
outputs = ["b"]
`,
		"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(b C)\nfind_package(OpenMP REQUIRED)\nadd_executable(b sum.c)\ntarget_link_libraries(b OpenMP::OpenMP_C)\n",
		"sum.c": `#include <omp.h>
#include <stdio.h>
int main(void) {
    int sum = 0, threads = 0;
    omp_set_num_threads(3);
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 1000; i++) sum += i;
#pragma omp parallel reduction(+ : threads)
    threads++;
    printf("%d by %d\n", sum, threads);
}
`,
	})
	build(t, dir)
	for _, p := range platforms {
		for _, name := range []string{"a", "b"} {
			prints(t, dir, p, built(dir, p, name), nil, "499500 by 3")
		}
	}
}

// TestLibrariesOfGCC: what the platform's packages were compiled with is what clang compiles for. On 32-bit Arm a time
// has 64 bits in trixie's libraries and 32 in bookworm's; abseil's names of function templates are GCC's.
func TestLibrariesOfGCC(t *testing.T) {
	needNetwork(t)
	platforms := []string{"linux/arm/v5", "linux/arm/v7", "linux/386", "linux/s390x"}
	for _, c := range []struct{ suite, pc, include, use string }{
		{"trixie", "absl_log", "absl/log/log.h", "LOG(INFO) << 3;"},
		{"bookworm", "absl_synchronization", "absl/synchronization/mutex.h", "absl::Mutex m; absl::MutexLock l(&m);"}, // whose abseil has no log yet
	} {
		dir := write(t, map[string]string{
			"xbuild.toml": `[project]
platforms = ["linux/arm/v5", "linux/arm/v7", "linux/386", "linux/s390x"]
[sysroot]
suite = "` + c.suite + `"
packages = ["libssl-dev", "libabsl-dev"]
[target.time]
recipe = "cc"
sources = ["time.c"]
pkg-config = ["libcrypto"]
[target.log]
recipe = "cc"
sources = ["log.cc"]
cxxflags = ["-std=c++17"]
pkg-config = ["absl_strings", "` + c.pc + `"]
`,
			"time.c": "#include <openssl/asn1.h>\n#include <stdio.h>\nint main(void) { puts((const char *)ASN1_STRING_get0_data(ASN1_TIME_set(0, 1700000000))); }\n",
			"log.cc": "#include <absl/strings/str_cat.h>\n#include <" + c.include + ">\n#include <iostream>\nint main() { " + c.use + " std::cout << absl::StrCat(\"a\", 1, 2.5) << '\\n'; }\n",
		})
		build(t, dir)
		for _, p := range platforms {
			prints(t, dir, p, built(dir, p, "time"), nil, "231114221320Z")
			prints(t, dir, p, built(dir, p, "log"), nil, "a12.5")
		}
	}
}

// TestConfigureInside: a Makefile runs a configure script of autoconf that it tells nothing of the platform, and one
// for a program of the host.
func TestConfigureInside(t *testing.T) {
	needNetwork(t)
	const ac = `AC_INIT([name], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CANONICAL_HOST
AC_RUN_IFELSE([AC_LANG_PROGRAM([], [return 0;])], [runs=yes], [runs=no], [runs=crossed])
AC_DEFINE_UNQUOTED([HOST], ["$host_cpu, $runs"])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`
	files := map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/s390x"]
[target.name]
recipe = "make"
tools = ["autoconf"]
outputs = ["lib/name"]
`,
		"Makefile": `all:
	cd lib && autoreconf -fi && ./configure && $(MAKE)
	cp -rp lib own && cd own && rm -f *.o name config.status Makefile && CC='$(CC_FOR_BUILD)' ./configure && $(MAKE) CC='$(CC_FOR_BUILD)' CFLAGS= LDFLAGS= && ./name
`,
		"lib/configure.ac": ac,
		"lib/Makefile.am":  "bin_PROGRAMS = name\nname_SOURCES = name.c\n",
		"lib/name.c":       "#include <stdio.h>\nint main(void) { puts(HOST); }\n",
	}
	dir := write(t, files)
	build(t, dir)
	prints(t, dir, "linux/s390x", built(dir, "linux/s390x", "name"), nil, "s390x, crossed")
}
