package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// abiTypes are types that go through calls between code of GCC and code of clang: a declaration, and the members that
// are given values, "" for the value itself;
// a member with a number behind it is a bit field of so many bits. A condition of the preprocessor may stand in front.
var abiTypes = []struct{ decl, members string }{
	{"char @", ""}, {"signed char @", ""}, {"unsigned char @", ""}, {"short @", ""}, {"unsigned short @", ""}, {"int @", ""}, {"unsigned @", ""},
	{"long @", ""}, {"unsigned long @", ""}, {"long long @", ""}, {"unsigned long long @", ""}, {"float @", ""}, {"double @", ""}, {"long double @", ""},
	{"_Bool @", ""}, {"wchar_t @", ""}, {"wint_t @", ""}, {"size_t @", ""}, {"intmax_t @", ""}, {"int_fast8_t @", ""}, {"int_fast16_t @", ""}, {"int_fast32_t @", ""},
	{"enum { A@, B@ = 100 } @", ""}, {"enum { C@ = -1, D@ = 100 } @", ""}, {"enum { E@ = 0x80000000u, F@ = 1 } @", ""}, {"enum __attribute__((packed)) { G@, H@ = 100 } @", ""},
	{"struct { char a; } @", "a"}, {"struct { char a, b, c; } @", "a b c"}, {"struct { short a; char b; } @", "a b"}, {"struct { char a; int b; } @", "a b"},
	{"struct { int a, b; } @", "a b"}, {"struct { int a, b, c; } @", "a b c"}, {"struct { int a, b, c, d, e; } @", "a b c d e"},
	{"struct { float a; } @", "a"}, {"struct { float a, b; } @", "a b"}, {"struct { float a, b, c; } @", "a b c"}, {"struct { float a, b, c, d; } @", "a b c d"},
	{"struct { float a, b, c, d, e; } @", "a b c d e"}, {"struct { double a; } @", "a"}, {"struct { double a, b; } @", "a b"}, {"struct { double a, b, c, d; } @", "a b c d"},
	{"struct { double a, b, c, d, e, f, g, h, i; } @", "a b c d e f g h i"}, {"struct { float a; double b; } @", "a b"}, {"struct { float a; int b; } @", "a b"},
	{"struct { int a; double b; } @", "a b"}, {"struct { double a; long b; } @", "a b"}, {"struct { long a; double b; } @", "a b"}, {"struct { long a; float b; char c; } @", "a b c"},
	{"struct { long a, b; } @", "a b"}, {"struct { long a, b; char c; } @", "a b c"}, {"struct { long long a; } @", "a"}, {"struct { int a; long long b; } @", "a b"},
	{"struct { long long a; int b; } @", "a b"}, {"struct { char a; long long b; char c; } @", "a b c"}, {"struct { char a; double b; char c; } @", "a b c"},
	{"struct { long double a; } @", "a"}, {"struct { char a; long double b; char c; } @", "a b c"}, {"struct { long double a, b; } @", "a b"},
	{"struct { char a[3]; } @", "a[0] a[2]"}, {"struct { char a[5]; } @", "a[0] a[4]"}, {"struct { char a[8]; } @", "a[0] a[7]"}, {"struct { char a[9]; } @", "a[0] a[8]"},
	{"struct { char a[16]; } @", "a[0] a[15]"}, {"struct { char a[17]; } @", "a[0] a[16]"}, {"struct { short a[3]; } @", "a[0] a[2]"}, {"struct { float a[3]; } @", "a[0] a[2]"},
	{"struct { double a[2]; int b; } @", "a[0] a[1] b"}, {"struct { struct { char a; short b; } s; int c; } @", "s.a s.b c"},
	{"struct { struct { float a; } s; struct { float b; } t; } @", "s.a t.b"}, {"struct { struct { double a; } s[2]; } @", "s[0].a s[1].a"},
	{"union { int a; float b; } @", "a"}, {"union { double a; long long b; } @", "a"}, {"union { float a; struct { float b, c; } s; } @", "s.b s.c"}, {"union { char a[9]; long b; } @", "a[0] a[8]"},
	{"struct { _Complex float a; } @", "a"}, {"struct { _Complex double a; } @", "a"}, {"_Complex float @", ""}, {"_Complex double @", ""}, {"_Complex long double @", ""},
	{"struct __attribute__((packed)) { char a; int b; double c; } @", "a b c"}, {"struct { int a; } __attribute__((aligned(16))) @", "a"}, {"struct { char a; int b __attribute__((aligned(16))); } @", "a b"},
	{"struct { void *a; int b; } @", "b"}, {"struct { int a; struct {} e; int b; } @", "a b"},
	{"struct { int a:3, b:5, c:17, d:7; } @", "a:3 b:5 c:17 d:7"}, {"struct { unsigned a:3, b:31; } @", "a:3 b:31"}, {"struct { unsigned char a:3; short b:9; long long c:33; } @", "a:3 b:9 c:33"},
	{"struct { int a:3; int :0; int b:4; } @", "a:3 b:4"}, {"struct { char a; int b:7; char c; } @", "a b:7 c"}, {"struct { long long a:40; int b:20; } @", "a:40 b:20"},
	{"struct { _Bool a:1; unsigned b:30; } @", "a:2 b:30"}, {"struct { int :5; char a; } @", "a"}, {"struct { char a; int :9; char b; } @", "a b"}, {"struct { short a:9; char b:7; } @", "a:9 b:7"},
	{"struct { char a:4; } @", "a:4"}, {"struct { enum { I@, J@ = 7 } a:4; int b:5; } @", "a:4 b:5"}, {"struct __attribute__((packed)) { char a; int b:13; int c:19; long long d:50; } @", "a b:13 c:19 d:50"},
	{"struct { float a; int b:8; } @", "a b:8"}, {"struct { double a; int :0; } @", "a"}, {"struct { int a:24; char b; long c:7; } @", "a:24 b c:7"},
	{"#ifdef __SIZEOF_INT128__\n__int128 @", ""}, {"#ifdef __SIZEOF_INT128__\nstruct { __int128 a; } @", "a"}, {"#ifdef __SIZEOF_INT128__\nstruct { char a; __int128 b; } @", "a b"},
	{"#if defined __SSE2__ || defined __aarch64__ || defined __VSX__ || defined __loongarch_sx\nint __attribute__((vector_size(16))) @", "[0] [3]"},
	{"#if defined __SSE2__ || defined __aarch64__ || defined __VSX__ || defined __loongarch_sx\nstruct { double __attribute__((vector_size(16))) a; } @", "a[0] a[1]"},
}

// Left out, because programs that hand it over by value do not exist: a struct that ends in a flexible array member,
// which clang passes in memory on x86-64.

// abiValues are constants that both compilers are asked for, with the headers of the platform.
var abiValues = []string{
	"CHAR_MIN", "CHAR_MAX", "SHRT_MAX", "INT_MAX", "LONG_MAX", "LLONG_MAX", "ULONG_MAX", "CHAR_BIT", "MB_LEN_MAX", "WCHAR_MIN", "WCHAR_MAX", "WINT_MAX", "SIZE_MAX", "PTRDIFF_MAX", "SIG_ATOMIC_MAX",
	"INT_FAST16_MAX", "INT_FAST32_MAX", "UINT_FAST16_MAX", "INTMAX_MAX", "INTPTR_MAX", "FLT_RADIX", "FLT_MANT_DIG", "DBL_MANT_DIG", "LDBL_MANT_DIG", "LDBL_MAX_EXP", "LDBL_MIN_EXP", "LDBL_DIG", "DECIMAL_DIG",
	"(wchar_t)-1 < 0", "(char)-1 < 0", "(wint_t)-1 < 0", "sizeof(max_align_t)", "_Alignof(max_align_t)", "sizeof(va_list)", "_Alignof(va_list)", "sizeof(void *)", "_Alignof(void *)", "sizeof(void (*)(void))",
	"__alignof__(double)", "__alignof__(long long)", "_Alignof(long double)", "__BIGGEST_ALIGNMENT__ >= _Alignof(max_align_t)", "sizeof(L'a')", "sizeof('a')", "sizeof(u'a')", "sizeof(U'a')",
	"__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__", "__FLOAT_WORD_ORDER__ == __ORDER_BIG_ENDIAN__", "sizeof(time_t)", "sizeof(off_t)", "sizeof(struct stat)", "sizeof(jmp_buf)", "sizeof(pthread_mutex_t)", "EOF",
	"(int)(-7) >> 1", "__GCC_ATOMIC_POINTER_LOCK_FREE", "sizeof(struct { char a; int :0; })", "sizeof(struct {})", "sizeof(float _Complex)",
}

// abiSource is the code that each compiler gets: with SIDE gcc or clang, and OTHER the other one.
func abiSource() string {
	var b strings.Builder
	b.WriteString(`#define _GNU_SOURCE
#include <float.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <wchar.h>
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define MINE(name) PASTE(SIDE, name)
#define THEIRS(name) PASTE(OTHER, name)
#define VALUE(k, s) ((k) * 37 + (s) * 11 - 50)
#define FIELD(k, s, bits) (((k) * 5 + (s) * 3 + 1) & ((1u << ((bits) > 8 ? 7 : (bits) - 1)) - 1))

`)
	fmt.Fprintf(&b, "const long long MINE(values)[] = {\n")
	for _, v := range abiValues {
		fmt.Fprintf(&b, "    (long long)(%s),\n", v)
	}
	b.WriteString("};\n")
	var layout, calls strings.Builder
	for i, ty := range abiTypes {
		n := fmt.Sprintf("t%d", i)
		decl := ty.decl
		condition, end := "", ""
		if rest, ok := strings.CutPrefix(decl, "#"); ok {
			condition, decl, _ = strings.Cut(rest, "\n")
			condition, end = "#"+condition+"\n", "#endif\n"
		}
		// "@" is the type's name where it is declared, and makes the names of its constants differ.
		last := strings.LastIndex(decl, "@")
		decl = strings.ReplaceAll(decl[:last], "@", n) + n
		var set, verify string
		members := strings.Fields(ty.members)
		if ty.members == "" {
			members = []string{""}
		}
		for k, m := range members {
			name, bits, field := strings.Cut(m, ":")
			if name != "" && name[0] != '[' {
				name = "." + name
			}
			value := fmt.Sprintf("VALUE(%d, s)", k)
			if field {
				value = fmt.Sprintf("FIELD(%d, s, %s)", k, bits)
			}
			if strings.HasPrefix(decl, "enum") {
				value = "(s & 1 ? 100 : 1)"
			}
			set += fmt.Sprintf("    x%s = (__typeof__(x%s + 0))%s;\n", name, name, value)
			verify += fmt.Sprintf("    bad += x%s != y%s;\n", name, name)
		}
		fmt.Fprintf(&b, `
%[1]stypedef %[2]s;
static __attribute__((noinline)) %[3]s fill_%[3]s(int s) {
    %[3]s x;
    __builtin_memset(&x, 0, sizeof x);
%[4]s    return x;
}
static __attribute__((noinline)) int bad_%[3]s(%[3]s x, int s) {
    %[3]s y = fill_%[3]s(s);
    int bad = 0;
%[5]s    return bad;
}
%[3]s MINE(make_%[3]s)(int s) { return fill_%[3]s(s); }
int MINE(take_%[3]s)(int a, %[3]s x, double d, %[3]s y, int s) { return bad_%[3]s(x, s) + bad_%[3]s(y, s + 1) + (a != s) + (d != s + 0.5); }
int MINE(many_%[3]s)(int a, int b, double c, int d, double e, int f, double g, int h, int i, int j, float k, %[3]s x, char l, %[3]s y, int s) {
    return bad_%[3]s(x, s) + bad_%[3]s(y, s + 2) + (a + b + d + f + h + i + j != 28) + (c + e + g + k != 10) + (l != 'l');
}
int MINE(memory_%[3]s)(const %[3]s *x, int s) { return bad_%[3]s(*x, s); }
%[3]s THEIRS(make_%[3]s)(int);
int THEIRS(take_%[3]s)(int, %[3]s, double, %[3]s, int);
int THEIRS(many_%[3]s)(int, int, double, int, double, int, double, int, int, int, float, %[3]s, char, %[3]s, int);
int THEIRS(memory_%[3]s)(const %[3]s *, int);
static int calls_%[3]s(void) {
    int bad = 0;
    for (int s = 1; s < 4; s++) {
        %[3]s x = fill_%[3]s(s), y = fill_%[3]s(s + 1), z = fill_%[3]s(s + 2);
        bad += bad_%[3]s(THEIRS(make_%[3]s)(s), s);
        bad += THEIRS(take_%[3]s)(s, x, s + 0.5, y, s);
        bad += THEIRS(many_%[3]s)(1, 2, 1.0, 3, 2.0, 4, 3.0, 5, 6, 7, 4.0f, x, 'l', z, s);
        bad += THEIRS(memory_%[3]s)(&x, s);
    }
    return bad;
}
%[6]s`, condition, decl, n, set, verify, end)
		fmt.Fprintf(&layout, "%ssizeof(%s), __alignof__(%s),\n", condition, n, n)
		fmt.Fprintf(&calls, "%s{%q, calls_%s},\n", condition, strings.ReplaceAll(decl, n, "T"), n)
		if strings.HasPrefix(decl, "struct") {
			for _, m := range members {
				if m != "" && m[0] != '[' && !strings.Contains(m, ":") && !strings.Contains(decl, "vector_size") { // GCC 14 cannot: internal error
					fmt.Fprintf(&layout, "offsetof(%s, %s),\n", n, m)
				}
			}
		}
		layout.WriteString(end)
		calls.WriteString(end)
	}
	fmt.Fprintf(&b, `
const long long MINE(layout)[] = {
%s};
const int MINE(layouts) = sizeof MINE(layout) / sizeof *MINE(layout);

int MINE(vsum)(int n, va_list ap) {
    typedef struct { double a; int b; } pair;
    int sum = va_arg(ap, int);
    sum += va_arg(ap, double);
    sum += va_arg(ap, long long);
    sum += va_arg(ap, long double);
    pair p = va_arg(ap, pair);
    for (sum += p.a + p.b; n > 0; n--) sum += va_arg(ap, int) + va_arg(ap, double) + va_arg(ap, long long);
    return sum;
}
int THEIRS(vsum)(int, va_list);
int MINE(sum)(int n, ...) {
    va_list ap;
    va_start(ap, n);
    int sum = THEIRS(vsum)(n, ap);
    va_end(ap);
    return sum;
}
int THEIRS(sum)(int, ...);
static int calls_variable(void) {
    struct { double a; int b; } p = {5, 6};
    return THEIRS(sum)(4, 1, 2.0, 3LL, 4.0L, p, 1, 1.0, 1LL, 2, 2.0, 2LL, 3, 3.0, 3LL, 4, 4.0, 4LL) != 51;
}

const struct { const char *type; int (*calls)(void); } MINE(calls)[] = {
%s{"variable arguments", calls_variable},
{0, 0}};
`, layout.String(), calls.String())
	return b.String()
}

const abiMain = `#include <stdio.h>

struct calls { const char *type; int (*calls)(void); };
extern const long long gcc_values[], clang_values[], gcc_layout[], clang_layout[];
extern const int gcc_layouts, clang_layouts;
extern const struct calls gcc_calls[], clang_calls[];
int twice_two(void);
static const char *const names[] = {NAMES};

int main(void) {
    int bad = 0, types = 0;
    for (int i = 0; i < sizeof names / sizeof *names; i++)
        if (gcc_values[i] != clang_values[i]) bad++, printf("%s: %lld of GCC, %lld of clang\n", names[i], gcc_values[i], clang_values[i]);
    if (gcc_layouts != clang_layouts) bad++, printf("%d and %d sizes\n", gcc_layouts, clang_layouts);
    for (int i = 0; i < gcc_layouts && i < clang_layouts; i++)
        if (gcc_layout[i] != clang_layout[i]) bad++, printf("layout %d: %lld of GCC, %lld of clang\n", i, gcc_layout[i], clang_layout[i]);
    for (; gcc_calls[types].type; types++) {
        int one = gcc_calls[types].calls(), two = clang_calls[types].calls();
        if (one) bad++, printf("GCC calls clang: %s: %d\n", gcc_calls[types].type, one);
        if (two) bad++, printf("clang calls GCC: %s: %d\n", clang_calls[types].type, two);
    }
    if (twice_two() != 4) bad++, printf("twice of 2 is %d\n", twice_two());
    printf("%d types, %d values, %d differ\n", types, (int)(sizeof names / sizeof *names), bad);
    return 0;
}
`

// abiHeaders are headers of clang's own for a machine and what flags they need, and those of the C++ library that ask
// macros of the compiler.
var abiHeaders = []struct{ platform, lang, flags, headers string }{
	{"linux/amd64", "c", "", "x86intrin.h immintrin.h cpuid.h"}, {"linux/386", "c", "", "x86intrin.h immintrin.h cpuid.h"},
	{"linux/arm64", "c", "", "arm_neon.h arm_acle.h"}, {"linux/arm64", "c", "-march=armv8-a+sve", "arm_neon.h arm_sve.h arm_acle.h"},
	{"linux/arm/v5", "c", "", "arm_acle.h"}, {"linux/arm/v6", "c", "", "arm_acle.h"}, {"linux/arm/v7", "c", "", "arm_acle.h"}, {"linux/arm/v7", "c", "-mfpu=neon-vfpv4", "arm_neon.h arm_acle.h"},
	{"linux/ppc64le", "c", "", "altivec.h"}, {"linux/ppc64le", "c", "-mhtm", "htmintrin.h htmxlintrin.h"}, {"linux/ppc64le", "c", "-DNO_WARN_X86_INTRINSICS", "emmintrin.h smmintrin.h"},
	{"linux/s390x", "c", "-mzvector", "s390intrin.h"}, {"linux/s390x", "c", "-mhtm", "htmintrin.h htmxlintrin.h"},
	{"linux/riscv64", "c", "-march=rv64gcv", "riscv_vector.h"}, {"linux/loong64", "c", "-mlasx", "larchintrin.h lsxintrin.h lasxintrin.h"},
	{"", "c", "", "stdatomic.h stdint.h limits.h float.h inttypes.h fenv.h math.h complex.h tgmath.h setjmp.h signal.h sys/ucontext.h sys/auxv.h elf.h link.h"},
	{"", "c++", "-std=c++20", "iostream typeinfo compare atomic future chrono limits new complex"},
	{"", "assembler-with-cpp", "", "sys/syscall.h features.h"},
}

// abiKnown are the differences that are there and cannot be mended by flags; docs/platforms.md names them. Each line
// is the start of one that the program prints.
var abiKnown = map[string][]string{
	// GCC's <stddef.h> counts __float128 in on 32-bit x86, clang's does not. A struct that holds a vector of 16 bytes
	// lies at a multiple of 16 among the arguments on the stack with GCC, of 4 with clang (X86_32ABIInfo of clang's
	// Targets/X86.cpp, getTypeStackAlignInBytes: only Darwin has more).
	"linux/386": {
		"sizeof(max_align_t): 48 of GCC, 24 of clang", "_Alignof(max_align_t): 16 of GCC, 8 of clang",
		"GCC calls clang: struct { double __attribute__((vector_size(16))) a; } T: ",
		"clang calls GCC: struct { double __attribute__((vector_size(16))) a; } T: ",
	},
	// GCC (since 9.1, -Wpsabi says so) aligns it to a pair of registers because its bit field is of a type of 8
	// bytes, clang as the packed struct that it is.
	"linux/arm/v5": abiPacked, "linux/arm/v6": abiPacked, "linux/arm/v7": abiPacked,
	// GCC begins an __int128 at an even register, and gives a _Complex float two words where it is on the stack;
	// clang does neither. The struct is read wrong by GCC 12 itself,
	// whoever made it.
	"linux/mips64le": {
		"GCC calls clang: _Complex float T: ", "clang calls GCC: _Complex float T: ",
		"GCC calls clang: struct { char a; int :9; char b; } T: ", "clang calls GCC: struct { char a; int :9; char b; } T: ",
		"GCC calls clang: __int128 T: ", "clang calls GCC: __int128 T: ",
	},
}

var abiPacked = []string{
	"GCC calls clang: struct __attribute__((packed)) { char a; int b:13; int c:19; long long d:50; } T: ", "clang calls GCC: struct __attribute__((packed)) { char a; int b:13; int c:19; long long d:50; } T: ",
}

// abiNames is a function template that GCC compiles and clang calls: the kind of its second parameter depends on the
// first.
const abiNames = `template <bool, class T> struct when {};
template <class T> struct when<true, T> { typedef T type; };
#ifdef GCC
template <class T, typename when<(sizeof(T) > 1), int>::type = 0> int twice(T v) { return 2 * v; }
template int twice<int, 0>(int);
#else
template <class T, typename when<(sizeof(T) > 1), int>::type = 0> int twice(T v);
extern "C" int twice_two() { return twice(2); }
#endif
`

// notOfClang are lines of GCC's assembler output that clang's assembler does not know, and that say what it does
// anyway, and fieldOfCR is an instruction whose name is
// mfocrf where it has a second operand (Power ISA, "Move From One Condition Register Field").
var (
	notOfClang = regexp.MustCompile(`(?m)^\s*\.(?:machinemode|module\s+arch=).*\n`)
	fieldOfCR  = regexp.MustCompile(`(?m)^\s*mfcr (\d+,\d+)`)
)

// TestABI links code of Debian's GCC and of the view's clang and runs it: sizes, alignments, offsets, signedness,
// enums, bit fields and what headers say are the same, and
// values of all these types go through calls in both directions, in registers and in memory.
func TestABI(t *testing.T) {
	needNetwork(t)
	var names []string
	for _, v := range abiValues {
		names = append(names, fmt.Sprintf("%q", v))
	}
	files := map[string]string{
		"xbuild.toml": "[project]\nname = \"abi\"\nplatforms = " + quoted(eleven) + "\n",
		"side.c":      abiSource(),
		"names.cc":    abiNames,
		"main.c":      strings.Replace(abiMain, "NAMES", strings.Join(names, ", "), 1),
	}
	for i, h := range abiHeaders {
		files[fmt.Sprintf("headers%d", i)] = "#include <" + strings.Join(strings.Fields(h.headers), ">\n#include <") + ">\n"
	}
	dir := write(t, files)
	roots := map[string]string{} // one after the other: each may lock its sysroot
	for _, name := range eleven {
		r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-c", "echo $QEMU_LD_PREFIX")
		if r.code != 0 {
			t.Fatal(r)
		}
		roots[name] = strings.TrimSpace(r.stdout)
	}
	for _, name := range eleven {
		n := strings.ReplaceAll(name, "/", "-")
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			script := strings.ReplaceAll("set -e\nclang -O1 -Wno-psabi -DSIDE=clang -DOTHER=gcc -c side.c -o @.clang.o\nclang -c @.s -o @.gcc.o\n"+
				"clang++ -c names.cc -o @.call.o\nclang -c @.names.s -o @.names.o\nclang -O1 main.c @.clang.o @.gcc.o @.call.o @.names.o -o @.abi\n", "@", n)
			for i, h := range abiHeaders {
				if h.platform != "" && h.platform != name {
					continue
				}
				file := fmt.Sprintf("headers%d", i)
				mode := "-fsyntax-only"
				if h.lang == "assembler-with-cpp" {
					mode = "-E -o /dev/null"
				}
				driver := "clang"
				if h.lang == "c++" {
					driver = "clang++"
				}
				script += fmt.Sprintf("%s -Wall -Wextra -Werror %s %s -x %s %s\n", driver, mode, h.flags, h.lang, file)
			}
			root := roots[name]
			headers, _ := filepath.Glob(filepath.Join(root, "usr/lib/gcc/*/*/include"))
			if len(headers) != 1 {
				t.Fatalf("the headers of GCC in the sysroot %q: %v", root, headers)
			}
			g := gccs[name]
			args := []string{"-x", "c", "-std=gnu17", "-O1", "-Wno-psabi", "-S", "-nostdinc", "-isystem", headers[0], "-isystem", filepath.Join(root, "usr/include", p.Multiarch), "-isystem", filepath.Join(root, "usr/include")}
			g.run(t, dir, slices.Concat(args, g.assembly, []string{"-DSIDE=gcc", "-DOTHER=clang", "side.c", "-o", n + ".s"})...)
			g.run(t, dir, slices.Concat([]string{"-x", "c++", "-O1", "-S", "-nostdinc"}, g.assembly, []string{"-DGCC", "names.cc", "-o", n + ".names.s"})...)
			for _, file := range []string{n + ".s", n + ".names.s"} {
				assembly, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), fieldOfCR.ReplaceAll(notOfClang.ReplaceAll(assembly, nil), []byte("\tmfocrf $1")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-c", script); r.code != 0 {
				t.Fatal(r)
			}
			r := underQEMU(t, dir, name, filepath.Join(dir, n+".abi"))
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			known := abiKnown[name]
			same := r.code == 0 && len(lines) == len(known)+1 && strings.HasSuffix(lines[len(lines)-1], fmt.Sprintf(" %d values, %d differ", len(abiValues), len(known)))
			for i := 0; same && i < len(known); i++ {
				same = strings.HasPrefix(lines[i], known[i])
			}
			if !same {
				t.Errorf("want the differences %q and no other\n%v", known, r)
			}
			t.Log(lines[len(lines)-1])
		})
	}
}
