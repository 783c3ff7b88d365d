package e2e

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/isa"
	"xbuild/internal/platform"
)

// An excuse is code beyond a platform's baseline in a library that xbuild links, and why no program runs it where the
// machine lacks what it needs. What is seen to be dispatched needs none. A function without a name, of a shared
// library, is held by its archive, which is made of the same source.
type excuse struct {
	platforms []string // empty: all
	library   string   // a regular expression over the file's name
	functions string   // over "member function"
	features  string   // over the feature
	why       string
}

var excuses = []excuse{
	{nil, `libc\.a|libm.*\.a|libmvec\.a`, `_(sse2|ssse3|sse4|sse4_?[12]|avx|avx2|avx512|evex|evex512|fma[34]?|movbe|rtm)(_|$)|-(sse2|sse4_[12]|avx2?|fma4?)\.o `, `.*`,
		"glibc's variants of a function, of which an indirect function takes one (sysdeps/x86_64/multiarch, sysdeps/i386/i686/multiarch)"},
	{nil, `libc\.a|libm.*\.a`, `_power(9|10)$|^\S+-power(9|10)\.o `, `power(9|10)`, "the same, of POWER (sysdeps/powerpc/powerpc64/le/fpu/multiarch)"},
	{nil, `libc\.a`, `^dl-trampoline\.o _dl_runtime_resolve_(fxsave|xsavec?)`, `fxsr|xsavec?`, "the loader's ways to save registers, of which it takes one by cpuid (sysdeps/x86/cpu-features.c)"},
	{nil, `libc\.a`, `_arch13$`, `z15`, "the same, of s390x (sysdeps/s390/multiarch)"},
	{nil, `libc\.a`, `_lasx$`, `lasx`, "the same, of LoongArch (sysdeps/loongarch/lp64/multiarch), and the loader's way to save vectors, chosen by hwcap (dl-trampoline.h)"},
	{nil, `libc\.a`, `_neon$`, `neon`, "the same, of Arm (sysdeps/arm/armv7/multiarch)"},
	{nil, `libc\.a`, `_(a64fx|mops|sve|sve_zva64)$`, `sve|mops`, "the same, of AArch64 (sysdeps/aarch64/multiarch)"},
	{nil, `libc\.a`, `^(malloc|libc_malloc_debug)\.o `, `mte`, "memory tags, where the kernel gave them (glibc's malloc.c, mtag_enabled)"},
	{nil, `libc\.a`, `^(__longjmp|setcontext|swapcontext|getcontext)\.o `, `gcs`, "the guarded stack, after chkfeat, which is a hint on other machines (sysdeps/aarch64/__longjmp.S)"},
	{nil, `libmvec\.a`, `_sve\.o `, `sve`, "functions of vectors whose name says SVE (_ZGVs…): code that was compiled for SVE alone calls them (the AArch64 vector function ABI)"},
	{nil, `libgcc(_eh)?\.a`, `tpidr2`, `sme|sve`, "state of SME, which is there where TPIDR2_EL0 is not null (the AArch64 procedure call standard)"},
	{[]string{"linux/amd64", "windows/amd64"}, `libgcc\.a`, `^avx_(sav|res)ms64`, `avx`, "prologues of ms_abi functions that were themselves compiled for AVX (GCC's -mcall-ms2sysv-xlogues)"},
	{nil, `libatomic\.a`, `^\S+_[12]_\.o libat_\S+_i[12]$|^atomic_16\.o libat_\S+_i[12]$`, `.*`, "libatomic's variants, of which an indirect function takes one by hwcap or cpuid (config/*/host-config.h)"},
	{nil, `libstdc\+\+\.a|libsupc\+\+\.a`, `^random\.o .*(rdrand|rdseed|darn)`, `rdrnd|rdseed|power9`, "std::random_device asks the machine first (src/c++11/random.cc)"},
	{[]string{"linux/386"}, `libgcc\.a`, `^(_hf_to_td|_td_to_hf|_divhc3|_mulhc3|\w+(hf|bf|hf2|bf2|hftf2))\.o `, `sse2?`, "numbers of 16 bits: GCC and clang have them with SSE2 alone (GCC's manual, \"Half-Precision Floating Point\")"},
	{[]string{"linux/386"}, `crtfastmath\.o`, `set_fast_math_sse`, `sse|fxsr`, "called after cpuid (libgcc's config/i386/crtfastmath.c)"},
	{[]string{"linux/arm/v5"}, `libc\.a|libm\.a`, `.*`, `vfp`, "setjmp, contexts and the rounding mode save the registers of VFP where the kernel says that there is one (glibc's ARM_HAVE_VFP: dl_hwcap)"},
	{nil, `libgcc\.a`, `^float128-(hw|p10)\.o |-hw\.o `, `power(9|10)`, "numbers of 128 bits, of which an indirect function takes a variant (libgcc's config/rs6000/float128-ifunc.c)"},
	{nil, `libmemchr-.*\.rlib`, `memchr.*avx2`, `avx2?`, "crate memchr asks before it takes them (its arch/x86_64, is_available)"},
	{[]string{"linux/amd64", "linux/386"}, `libcompiler_builtins-.*\.rlib`, `libm_math4arch3x863fma\d+fmaf?_with_fma4?`, `fma4?`, "asks the machine, after cpuid (compiler-builtins' libm/src/math/arch/x86/fma.rs, select_once)"},
	{[]string{"linux/arm64"}, `libcompiler_builtins-.*\.rlib`, `^emupac\S* `, `pauth`, "real instructions where the kernel says that there are some, else an emulation (compiler-rt's emupac.cpp)"},
	{[]string{"linux/arm/v5"}, `libprofiler_builtins-.*\.rlib`, `.*`, `v6|v6k|v6t2|v7|vfp.*`, "linked by rustc's -Cinstrument-coverage and -Cprofile-generate alone, and xbuild build refuses such a program: Debian compiles it for armhf's machine"},
	{nil, `libc\.a`, `^sched_cpucount\.o popcount_cpucount`, `popcnt`, "called after cpuid (sysdeps/x86_64/multiarch/sched_cpucount.c)"},
	{nil, `libm\.a`, `^s_fmaf?-vpfv4\.o `, `vfpv4`, "a variant, chosen by hwcap (sysdeps/arm/armv7/multiarch)"},
	{nil, `libc\.a`, `_vector$`, `v`, "a variant, chosen by what the kernel says of the machine (sysdeps/riscv/multiarch, riscv_hwprobe)"},
	{nil, `libgcc_eh\.a`, `^unwind-dw2\.o _Unwind_`, `gcs`, "the guarded stack, after chkfeat (libgcc's config/aarch64/aarch64-unwind.h)"},
	{[]string{"linux/ppc64le"}, `libm\.a`, `.*`, `power9`, "mffscrn sets the rounding mode where hwcap2 says ISA 3.0 (sysdeps/powerpc/fpu/fenv_libc.h)"},
	{[]string{"linux/arm/v5"}, `libc\.a`, `^atomics\.lo __a_(cas|barrier)_v[67]`, `v6|v7`, "musl's atomic operations, chosen by what the kernel says of the machine (src/thread/arm/__set_thread_area.c)"},
	{[]string{"linux/ppc64le"}, `libstdc\+\+\.a|libc\.a|libgcc\.a`,
		`^cxx11-locale-inst\.o \S+time_get\S+_M_extract_via_format|^sysconf\.o sysconf|^wordexp\.o parse_dollars|^iconv\.lo iconv|^decDouble\.o decFinalize`, `power(9|10)`,
		"no code: a table of jumps, which GCC has in the text there (rs6000's JUMP_TABLES_IN_TEXT_SECTION) and whose offsets an object does not tell from code; a program with it is right (docs/instructions.md)"},
}

// probe prints the directories of the libraries that a program of a platform is linked with.
const probe = `for f in libc.a libmsvcrt.a libgcc.a libc++.a libstdc++.a; do p=$($CXX -print-file-name=$f); case $p in /*) dirname "$p";; esac; done`

// TestLibraries holds what xbuild links against each platform's baseline: the C library and its start files, libgcc,
// libatomic, libstdc++, musl and the libc++ that is compiled for it, mingw-w64's, and Rust's standard library of each
// source. What needs more is dispatched, or has an excuse. The libraries are those that are taken without a word;
// XBUILD_E2E=full looks at those of every suite and of every release of Rust.
func TestLibraries(t *testing.T) {
	needNetwork(t)
	used := map[int]bool{}
	for _, c := range []struct {
		name, config string
		platforms    []string
		full         bool
	}{
		{"glibc", "", eleven, false},
		{"mingw-w64", "", []string{"windows/amd64"}, false},
		{"musl", "[sysroot]\nlibc = \"musl\"\n", eleven, true},
		{"bullseye", "[sysroot]\nsuite = \"bullseye\"\n", []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7"}, true},
		{"bookworm", "[sysroot]\nsuite = \"bookworm\"\n", []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/ppc64le", "linux/s390x"}, true},
		{"linux/386/387", "", []string{"linux/386/387"}, true},
		{"forky", "[sysroot]\nsuite = \"forky\"\n", []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64"}, true},
	} {
		if c.full && !full() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"xbuild.toml": "[project]\nplatforms = " + quoted(c.platforms) + "\n" + c.config + "[target.a]\nrecipe = \"cc\"\nsources = [\"a.cc\"]\n",
				"a.cc":        "int main() {}\n",
			})
			for _, p := range c.platforms {
				r := xbuild(t, dir, "exec", "-q", "-p", p, "--", "sh", "-c", probe)
				if r.code != 0 {
					t.Fatalf("%s: %v", p, r)
				}
				dirs := slices.Compact(slices.Sorted(slices.Values(strings.Fields(r.stdout))))
				if len(dirs) == 0 {
					t.Fatalf("%s: no directories of libraries: %v", p, r)
				}
				auditLibraries(t, p, dirs, used)
			}
		})
	}
	for _, c := range []struct {
		rust, config string
		platforms    []string
		full         bool
	}{
		{"~1.97", "", eleven, false},
		{"~1.85", "", eleven, true},
		{"~1.97", "", []string{"linux/386/387"}, true},
		{"~1.63", "", []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/mips64le"}, true},
		{"~1.97", "[sysroot]\nlibc = \"musl\"\n", eleven, true},
		{"~1.97", "", []string{"windows/amd64"}, true},
	} {
		if c.full && !full() {
			continue
		}
		t.Run("rust "+c.rust+c.config, func(t *testing.T) {
			dir := write(t, map[string]string{
				"xbuild.toml": "[project]\nplatforms = " + quoted(c.platforms) + "\n" + c.config + "[toolchains]\nrust = \"" + c.rust + "\"\n[target.a]\nrecipe = \"rust\"\n",
				"Cargo.toml":  "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() {}\n",
			})
			for _, p := range c.platforms {
				r := xbuild(t, dir, "exec", "-q", "-p", p, "--", "sh", "-c", `printf %s "$(rustc --print sysroot)/lib/rustlib/$CARGO_BUILD_TARGET/lib"`)
				if r.code != 0 {
					t.Fatalf("%s: %v", p, r)
				}
				auditLibraries(t, p, []string{r.stdout}, used)
			}
		})
	}
	for i, e := range excuses {
		if full() && !used[i] && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") { // all was read
			t.Errorf("the excuse of %s, %s is for nothing that there is: %s", e.library, e.functions, e.why)
		}
	}
}

// auditLibraries audits the archives, objects and shared libraries in directories.
func auditLibraries(t *testing.T, name string, dirs []string, used map[int]bool) {
	t.Helper()
	base := plainBaseline(t, name)
	var files []string
	for _, dir := range dirs {
		for _, pattern := range []string{"*.a", "*.o", "*.rlib", "*.so", "*.so.[0-9]*"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, found...)
		}
	}
	var code int64
	faults := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to what a musl sysroot has not
		}
		if err != nil {
			t.Fatal(err)
		}
		// A script of the linker names others.
		if !strings.HasPrefix(string(data), "\x7fELF") && !strings.HasPrefix(string(data), "!<arch>\n") && !strings.HasSuffix(file, ".o") {
			continue
		}
		r, err := isa.Audit(data, base, isa.Options{})
		if err != nil {
			t.Errorf("%s: %s: %v", name, file, err)
		}
		code += r.Code
		for _, f := range slices.Concat(r.Unconditional, r.Untold) {
			if f.Why != "" && strings.Contains(filepath.Base(file), ".so") {
				continue
			}
			if !excused(name, filepath.Base(file), f, used) {
				faults[fmt.Sprintf("%s(%s) %s needs %s", filepath.Base(file), f.Object, f.Function, f.Feature)] = f.Why
			}
		}
	}
	t.Logf("%s: %d files with %d kB of code in %v", name, len(files), code/1000, dirs)
	if code < 100_000 {
		t.Errorf("%s: %d bytes of code were read in %d files of %v", name, code, len(files), dirs)
	}
	for i, what := range slices.Sorted(maps.Keys(faults)) {
		if i == 20 {
			t.Errorf("%s: %d more", name, len(faults)-i)
			break
		}
		t.Errorf("%s: %s, and nothing says that the machine is asked first: %s", name, what, faults[what])
	}
}

// excused finds the excuse of a finding.
func excused(name, file string, f isa.Finding, used map[int]bool) bool {
	p, err := platform.Parse(name)
	if err != nil {
		panic(err) // a name in a test's table
	}
	for i, e := range excuses {
		if len(e.platforms) > 0 && !slices.Contains(e.platforms, p.Base().Name) && !slices.Contains(e.platforms, name) {
			continue
		}
		if whole(e.library, file) && regexp.MustCompile(e.functions).MatchString(f.Object+" "+f.Function) && whole(e.features, f.Feature) {
			used[i] = true
			return true
		}
	}
	return false
}

func whole(pattern, text string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(text)
}
