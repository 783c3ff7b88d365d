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

/* A directive of GNU's assembler that clang's has not. */
__asm__(".psize 60, 80\n.sbttl \"none\"\n");

int main(void) {
	mine = 1;
	int sum = stored() + nested(2) + variable(3) + initialised + packed(1, 2, 3) + (int)mine;
	printf("%d of 6\n", sum);
	return sum != 6;
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
		for target, want := range map[string]string{"only": "6 of 6\n", "both": "caught by gcc\n", "clang": "caught by clang\n"} {
			if r := underQEMU(t, dir, p, built(dir, p, target)); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: want %q\n%v", target, p, want, r)
			}
		}
	}
}

// TestGCCFloor: what GCC 14 links on an old sysroot asks for that sysroot's libraries.
func TestGCCFloor(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\", \"linux/arm64\", \"linux/arm/v7\"]\n[toolchains]\ncc = \"gcc@14\"\n[sysroot]\nglibc = \"2.31\"\n[target.old]\nrecipe = \"cc\"\nsources = [\"*.cc\"]\n",
		"old.cc": `#include <iostream>
#include <stdexcept>
#include <sys/stat.h>
int main() {
	try {
		throw std::runtime_error("thrown");
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

// TestFortranBLAS: the reference BLAS of LAPACK, which is Fortran 77 and 90, is built by its own CMake files for eight
// platforms, and its own tests pass there.
func TestFortranBLAS(t *testing.T) {
	needNetwork(t)
	dir, version := upstream(t, "lapack")
	t.Logf("lapack %s", version)
	tests := []string{"xblat1s", "xblat1d", "xblat1c", "xblat1z"} // those that read no file
	platforms := []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le"}
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
			r := underQEMU(t, dir, p, built(dir, p, "bin/"+name))
			if said := r.stdout; r.code != 0 || strings.Contains(said, "FAIL") || strings.Count(said, "PASS") < 5 {
				t.Errorf("%s for %s: %v", name, p, r)
			}
		}
	})
}
