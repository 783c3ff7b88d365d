package e2e

import (
	"os"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// gccOnly is C that GCC compiles and clang refuses, or compiles to another program; each part adds one.
const gccOnly = `#include <stdarg.h>
#include <stdio.h>

/* The store through a pointer that is declared const elsewhere: clang drops it (BusyBox, ptr_to_globals). */
extern int *const pointer;
int value = 1;
static int stored(void) {
	*(int **)&pointer = &value;
	__asm__ volatile("" ::: "memory");
	return *pointer;
}

static int nested(int n) {
	int add(int m) { return n + m; }
	return add(-1);
}

static int variable(int n) {
	struct { char text[n]; int last; } s;
	s.last = sizeof s.text;
	return s.last == n;
}

static const int one = 1;
static const int initialised = one;

int rest(int n, ...) { return n; }
extern __inline __attribute__((always_inline, gnu_inline)) int packed(int n, ...) {
	return __builtin_va_arg_pack_len() == 2 ? rest(1, __builtin_va_arg_pack()) : 0;
}

#if defined __aarch64__
register long mine __asm__("x20");
#elif defined __x86_64__
register long mine __asm__("r15");
#else
static long mine;
#endif

/* GCC computes what built-in functions make of constants. */
#ifdef __ALTIVEC__
#include <altivec.h>
static const __vector unsigned char ones = vec_splats((unsigned char)1);
#define splat ones[0]
#else
#define splat 1
#endif

/* A directive of GNU's assembler that clang's has not. */
__asm__(".psize 60, 80\n.sbttl \"none\"\n");

int main(void) {
	mine = 1;
	int sum = stored() + nested(2) + variable(3) + initialised + packed(1, 2, 3) + (int)mine + splat;
	printf("%d of 7\n", sum);
	return sum != 7;
}
`

// TestGCCAlone: what only GCC compiles is built with cc = "gcc" for every platform, with options that only GCC knows
// and -Werror, and C++ and C run together; a target beside it is clang's. An old C library is what the programs ask
// for, and not that of the compiler's Debian.
func TestGCCAlone(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = " + quoted(eleven) + `
[toolchains]
cc = "gcc"
[target.only]
recipe = "cc"
source = "only"
sources = ["*.c"]
cflags = ["-Werror", "-fno-gcse", "-fno-tree-vectorize"]
[target.both]
recipe = "cc"
source = "both"
sources = ["*.cc", "*.c"]
strip = true
[target.clang]
recipe = "cc"
source = "both"
sources = ["*.cc", "*.c"]
cc = "clang"
`,
		"only/only.c":    gccOnly,
		"only/pointer.c": "int *pointer;\n",
		"both/say.c":     "#include <stdio.h>\n#ifdef __clang__\n#define BY \"clang\"\n#else\n#define BY \"gcc\"\n#endif\nvoid say(const char *what) { printf(\"%s by %s\\n\", what, BY); }\n",
		"both/main.cc": `#include <map>
#include <stdexcept>
#include <string>
extern "C" void say(const char *);
int main() {
	std::map<std::string, int> m{{"a", 1}};
	try {
		m.at("b");
	} catch (const std::out_of_range &) {
		say("caught");
	}
}
`,
	})
	build(t, dir)
	for _, p := range eleven {
		for target, want := range map[string]string{"only": "7 of 7\n", "both": "caught by gcc\n", "clang": "caught by clang\n"} {
			if r := underQEMU(t, dir, p, built(dir, p, target)); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: want %q\n%v", target, p, want, r)
			}
		}
	}
}

// TestGCCFloor: what GCC 14 links on an old sysroot asks for that sysroot's libraries, that of OpenMP among them.
func TestGCCFloor(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\", \"linux/arm64\", \"linux/arm/v7\"]\n[toolchains]\ncc = \"gcc@14\"\n[sysroot]\nglibc = \"2.31\"\npackages = [\"libgomp1\"]\n[target.old]\nrecipe = \"cc\"\nsources = [\"*.cc\"]\ncxxflags = [\"-fopenmp\"]\nldflags = [\"-fopenmp\"]\n",
		"old.cc": `#include <iostream>
#include <stdexcept>
#include <sys/stat.h>
int main() {
	long sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(2)
	for (int i = 0; i < 1000; i++) {
		sum += i;
	}
	try {
		throw std::runtime_error(sum == 499500 ? "thrown" : "lost");
	} catch (const std::exception &e) {
		// Libraries of this suite have 32 bits for time_t where long has.
		std::cout << e.what() << " " << (sizeof(time_t) == sizeof(long)) << std::endl;
	}
}
`,
	})
	build(t, dir)
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7"} {
		file := built(dir, p, "old")
		if r := underQEMU(t, dir, p, file); r.code != 0 || r.stdout != "thrown 1\n" {
			t.Errorf("%s: %v", p, r)
		}
		if r := xbuild(t, dir, "inspect", file); r.code != 0 || !strings.Contains(r.stdout, "Debian 10 11") || !strings.Contains(r.stdout, "GCC: (Debian 14") {
			t.Errorf("%s: want a program of GCC 14 that runs on Debian 10 and 11\n%v", p, r)
		}
	}
}

// TestGCCArchive: the table of docs/gcc.md has what the archive has, for both hosts: of each source and release the
// platforms that there is no compiler for.
func TestGCCArchive(t *testing.T) {
	needNetwork(t)
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/gcc.md")
	if err != nil {
		t.Fatal(err)
	}
	a := openArchive(t)
	def := all.Toolchain("gcc")
	for _, s := range def.Sources {
		var lacks []string
		for _, p := range platform.All() {
			if !p.HasC() || p.Base().Name != p.Name || p.GCC == "" {
				continue
			}
			to := def.To(p)
			to.Sources = []catalog.Source{s}
			var hosts []string
			for _, host := range resolve.Hosts {
				if _, err := a.Toolchain(t.Context(), resolve.ToolchainRequest{Def: to, Platform: p.Name}, host); err != nil {
					hosts = append(hosts, "on "+strings.TrimPrefix(host, "linux/"))
				}
			}
			switch len(hosts) {
			case 0:
			case len(resolve.Hosts):
				lacks = append(lacks, p.Name)
			default:
				lacks = append(lacks, p.Name+" "+hosts[0])
			}
		}
		has := "all"
		if len(lacks) > 0 {
			has = "all but " + strings.Join(lacks, ", ")
		}
		if row := "| " + s.Slot + " | " + s.Suite + " | " + has + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/gcc.md has not the row\n%s", row)
		}
	}
}

// TestFortranBLAS: the reference BLAS of LAPACK, which is Fortran 77 and 90, is built by its own CMake files, and its own
// tests pass there.
func TestFortranBLAS(t *testing.T) {
	needNetwork(t)
	dir, version := upstream(t, "lapack")
	t.Logf("lapack %s", version)
	// Those that read no file, of real numbers: of complex ones the norm of what has infinities in it comes out as NaN.
	tests := []string{"xblat1s", "xblat1d"}
	platforms := []string{"linux/s390x"}
	if full() {
		platforms = eleven
	}
	outputs := []string{"lib/libblas.a"}
	for _, name := range tests {
		outputs = append(outputs, "bin/"+name)
	}
	projectIn(t, dir, platforms, "[toolchains]\ncc = \"gcc\"\n[target.blas]\nrecipe = \"cmake\"\ndefines = { BUILD_TESTING = \"ON\" }\n"+
		"targets = "+quoted(append([]string{"blas"}, tests...))+"\noutputs = "+quoted(outputs)+"\n")
	build(t, dir)
	onEach(t, platforms, func(t *testing.T, p string) {
		for _, name := range tests {
			r := underQEMU(t, dir, p, built(dir, p, name))
			if said := r.stdout; r.code != 0 || strings.Contains(said, "FAIL") || strings.Count(said, "PASS") < 5 {
				t.Errorf("%s for %s: %v", name, p, r)
			}
		}
	})
}

// TestGCCRecipes: build systems as they are compile and link with GCC, by whatever name they call it: nested functions
// are none of clang's. Linking optimises in two of them; one is static, one stripped by its own Makefile.
func TestGCCRecipes(t *testing.T) {
	needNetwork(t)
	const toml = `[toolchains]
cc = "gcc"
[target.auto]
recipe = "autotools"
source = "auto"
dest = "auto"
tools = ["autoconf"]
outputs = ["prog"]
[target.meson]
recipe = "meson"
source = "meson"
dest = "meson"
outputs = ["prog"]
[target.make]
recipe = "make"
source = "make"
dest = "make"
outputs = ["prog"]
[target.cmake]
recipe = "cmake"
source = "cmake"
dest = "cmake"
outputs = ["prog", "libl.a"]
static = true
`
	files := map[string]string{
		"auto/configure.ac": `AC_INIT([prog], [1])
AC_PROG_CC
AC_PROG_CXX
AC_SEARCH_LIBS([sqrt], [m])
AC_CHECK_FUNCS([strlcpy getrandom nosuch])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`,
		"auto/Makefile.in": `CC = @CC@
CXX=@CXX@
prog: main.cc f.c
	$(CC) @CFLAGS@ -c $(srcdir)f.c
	$(CXX) @CXXFLAGS@ @LDFLAGS@ -o $@ main.cc f.o
`,
		"meson/meson.build": `project('p', 'c', 'cpp', default_options: ['b_lto=true'])
cc = meson.get_compiler('c')
l = static_library('f', 'f.c')
executable('prog', 'main.cc', link_with: l)
`,
		"make/Makefile": `CC = gcc
prog: main.o f.o
	g++ -s -o $@ main.o f.o
%.o: %.c
	$(CC) -c $<
%.o: %.cc
	c++ -c $<
`,
		"cmake/CMakeLists.txt": `cmake_minimum_required(VERSION 3.13)
project(p C CXX)
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
include(CheckIPOSupported)
check_ipo_supported()
add_library(l STATIC f.c)
add_executable(prog main.cc)
target_link_libraries(prog l)
`,
	}
	recipes := []string{"auto", "meson", "make", "cmake"}
	for _, name := range recipes {
		files[name+"/f.c"] = "int f(int a) { int g(int b) { return a + b; } return g(1); }\n"
		files[name+"/main.cc"] = "#include <cstdio>\n#include <string>\nextern \"C\" int f(int);\n" +
			"int main() { std::string s(\"gcc\"); std::printf(\"%s %d\\n\", s.c_str(), f(41)); return __GNUC__ < 14; }\n"
	}
	platforms := []string{"linux/amd64", "linux/arm64"}
	dir := write(t, files)
	projectIn(t, dir, platforms, toml)
	build(t, dir)
	for _, p := range platforms {
		for _, name := range recipes {
			if r := underQEMU(t, dir, p, built(dir, p, name+"/prog")); r.code != 0 || r.stdout != "gcc 42\n" {
				t.Errorf("%s for %s: %v", name, p, r)
			}
		}
	}
}

// TestFortran: Fortran, alone and with C++, in recipe cc, by CMake, Meson and a Makefile that says gfortran, on a new
// and an old C library; the same bytes come of another folder.
func TestFortran(t *testing.T) {
	needNetwork(t)
	const toml = `[toolchains]
cc = "gcc"
[platform."linux/arm/v7"]
glibc = "2.31"
[target.cc]
recipe = "cc"
source = "cc"
sources = ["main.cc", "*.f90"]
cxxflags = ["-g"]
fflags = ["-g"]
[target.static]
recipe = "cc"
source = "cc"
sources = ["main.cc", "*.f90"]
static = true
[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = { "cmake" = "prog" }
[target.meson]
recipe = "meson"
source = "meson"
outputs = { "meson" = "prog" }
[target.make]
recipe = "make"
source = "make"
outputs = { "make" = "prog" }
`
	const module = `module m
  use, intrinsic :: iso_fortran_env
  use, intrinsic :: ieee_arithmetic
contains
  subroutine hello(n) bind(c)
    use iso_c_binding
    integer(c_int), value :: n
    real(real64) :: x(3)
    complex :: z
    x = [1.0d0, 2.0d0, 3.0d0]
    z = (1.0, 2.0)
    print '(a,i0,a,f6.3,1x,l1)', "fortran ", n, " norm ", sqrt(dot_product(x, x)), ieee_is_nan(ieee_value(1.0, ieee_quiet_nan))
    print *, matmul(reshape([1,2,3,4],[2,2]), [1,1]), z*z
    flush(6)
  end subroutine
end module
`
	const main = "#include <iostream>\nextern \"C\" void hello(int);\nint main() { hello(7); std::cout << \"c++\" << std::endl; }\n"
	files := map[string]string{
		"cc/z.f90":             module,
		"cc/a.f90":             "module a\n use m\nend module\n",
		"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(p CXX Fortran)\nadd_executable(prog main.cc mod.f90)\n",
		"cmake/mod.f90":        module,
		"meson/meson.build":    "project('p', 'cpp', 'fortran')\nexecutable('prog', 'main.cc', 'mod.f90')\n",
		"meson/mod.f90":        module,
		"make/mod.f90":         module,
		"make/p.f90":           "program p\n use m\n call hello(7)\n print '(a)', 'c++'\nend program\n",
		"make/Makefile":        "prog: p.f90 mod.f90\n\t$(FC) $(FFLAGS) -c mod.f90\n\tgfortran $(LDFLAGS) -o $@ p.f90 mod.o\n",
	}
	for _, name := range []string{"cc", "cmake", "meson"} {
		files[name+"/main.cc"] = main
	}
	platforms := []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}
	var made [2]string
	for i := range made {
		made[i] = write(t, files)
		projectIn(t, made[i], platforms, toml)
		build(t, made[i])
	}
	const want = "fortran 7 norm  3.742 T\n           4           6            (-3.00000000,4.00000000)\nc++\n"
	for _, p := range platforms {
		for _, name := range []string{"cc", "static", "cmake", "meson", "make"} {
			if r := underQEMU(t, made[0], p, built(made[0], p, name)); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: %v", name, p, r)
			}
			if name == "cmake" { // its files are named by absolute paths, which are in messages of the run time
				continue
			}
			first, err := os.ReadFile(built(made[0], p, name))
			if err != nil {
				t.Fatal(err)
			}
			if second, err := os.ReadFile(built(made[1], p, name)); err != nil || string(first) != string(second) {
				t.Errorf("%s for %s has other bytes in another folder (%v)", name, p, err)
			}
		}
	}
}
