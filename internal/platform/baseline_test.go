package platform

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

var update = flag.Bool("update", false, "write the golden files")

func headerFlags(t *testing.T, file string, p Platform) uint32 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := 0x24
	if p.Bits == 64 {
		at = 0x30
	}
	if p.BigEndian() {
		return binary.BigEndian.Uint32(data[at:])
	}
	return binary.LittleEndian.Uint32(data[at:])
}

// words shows a baseline on one line a tool.
func words(b Baseline) string {
	var s strings.Builder
	for _, l := range []struct {
		tool  string
		words []string
	}{{"c", b.CFlags()}, {"rust", b.RustFlags("")}, {"go", b.GoEnv()}} {
		if len(l.words) > 0 {
			fmt.Fprintf(&s, "\t%s\t%s\n", l.tool, strings.Join(l.words, " "))
		}
	}
	if b.QEMUCPU() != "" {
		fmt.Fprintf(&s, "\tqemu\t%s\n", b.QEMUCPU())
	} else {
		fmt.Fprintf(&s, "\tqemu\tnone: %s\n", b.QEMUReason())
	}
	return s.String()
}

func TestNamesInTheTable(t *testing.T) {
	if err := baselines().check(); err != nil {
		t.Error(err)
	}
	_, err := loadBaselines("[arch.a]\nname = \"A\"\n[feature.b]\nc = {}\n")
	if err == nil || !strings.Contains(err.Error(), "of no arch") {
		t.Errorf("a feature of an arch that is not there: %v", err)
	}
	bad, err := loadBaselines("[arch.a]\nname = \"A\"\n[feature.a]\nc = { implies = [\"d\"] }\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.check(); err == nil || !strings.Contains(err.Error(), "A has no feature d") {
		t.Errorf("a feature that implies one that is not there: %v", err)
	}
}

// The flags of every platform, and of every CPU and feature on each platform that is no variant.
func TestGolden(t *testing.T) {
	var flags, added bytes.Buffer
	for _, p := range All() {
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&flags, "%s\n%s", p, words(b))
		if b.QEMUCPU() != p.QEMUCPU {
			t.Errorf("%s: baseline runs on %q, the table says %q", p, b.QEMUCPU(), p.QEMUCPU)
		}
	}
	for _, c := range combinations(t) {
		line := strings.Split(strings.TrimSpace(words(c.b)), "\n\t")
		fmt.Fprintf(&added, "%s | %s\n", c, strings.ReplaceAll(strings.Join(line, " | "), "\t", " "))
	}
	for name, got := range map[string][]byte{"platforms.golden": flags.Bytes(), "additions.golden": added.Bytes()} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
			i := 0
			for i < len(g) && i < len(w) && g[i] == w[i] {
				i++
			}
			t.Errorf("%s differs from line %d (go test ./internal/platform -run Golden -update writes it):\nhave %s\nwant %s", file, i+1, at(g, i), at(w, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

type combination struct {
	p        Platform
	cpu      string
	features []string
	b        Baseline
}

func (c combination) String() string {
	s := c.p.Name
	if c.cpu != "" {
		s += " cpu=" + c.cpu
	}
	if len(c.features) > 0 {
		s += " features=" + strings.Join(c.features, ",")
	}
	return s
}

// combinations are each platform as it is, and each CPU, feature and alias that a platform with its own sysroot
// accepts. A name that no platform accepts is an error of the table.
func combinations(t *testing.T) []combination {
	t.Helper()
	var all []combination
	table, cpus := baselines(), cpuTable()
	accepted := map[string]bool{}
	add := func(p Platform, cpu string, features ...string) {
		b, err := p.Baseline(cpu, features)
		if err == nil {
			all = append(all, combination{p, cpu, features, b})
			accepted[table.levels[p.level].arch+" "+cpu+strings.Join(features, ",")] = true
		}
	}
	for _, p := range All() {
		if !p.HasC() {
			continue
		}
		add(p, "")
		a := table.arches[table.levels[p.level].arch]
		if p.base != "" && !p.Static { // its additions are those of its base
			for _, n := range slices.Sorted(maps.Keys(cpus[a.id])) {
				if !accepted[a.id+" "+n] { // of a variant that promises less than its base
					add(p, n)
				}
			}
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(cpus[a.id])) {
			add(p, n)
		}
		for _, f := range a.features {
			add(p, "", f.name)
		}
		for _, n := range slices.Sorted(maps.Keys(a.alias)) {
			add(p, "", n)
		}
	}
	for _, a := range table.order {
		for _, f := range a.features {
			if !accepted[a.id+" "+f.name] && !strings.HasPrefix(a.id, "mips") {
				t.Errorf("feature %s of %s can be had on no platform", f.name, a.name)
			}
		}
		for n, c := range cpus[a.id] {
			if c.refused == "" && !accepted[a.id+" "+n] {
				t.Errorf("cpu %s of %s fits no platform", n, a.name)
			}
		}
	}
	more := func(name, cpu string, features ...string) {
		p, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline(cpu, features)
		if err != nil {
			t.Error(err)
			return
		}
		all = append(all, combination{p, cpu, features, b})
	}
	more("linux/arm/v7", "", "neon", "vfpv4")
	more("linux/arm/v7", "", "neon", "vfpv4", "idiv", "thumb")
	more("linux/arm/v7", "cortex-a53", "crypto")
	more("linux/arm64", "cortex-a72", "crypto")
	more("linux/arm64", "cortex-a72", "lse", "crypto", "fp16")
	more("linux/arm64", "", "bti", "pac")
	more("linux/arm64", "", "lse", "crypto", "crc")
	more("linux/arm64", "", "v8.2", "sve")
	more("linux/arm64/v8.2", "neoverse-n1", "sve")
	more("linux/riscv64", "", "v", "zba", "zbb", "zbs")
	more("linux/riscv64", "", "rva22", "v")
	more("linux/riscv64", "", "rva23", "zfh")
	more("linux/riscv64", "sifive-u74", "zba", "zbb")
	more("linux/riscv64", "sifive-u74", "rva22")
	more("linux/riscv64", "spacemit-x60", "zawrs")
	more("linux/amd64/v3", "haswell", "aes")
	more("linux/amd64/v3", "", "avx512f", "avx512vnni")
	more("linux/ppc64le", "power10", "mma")
	more("linux/mips64le", "", "msa", "dspr2")
	more("linux/loong64", "la464", "lasx")
	return all
}

// each runs f over all combinations, two a processor at a time.
func each(t *testing.T, all []combination, f func(combination) error) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	errs := make([]error, len(all))
	for i, c := range all {
		g.Go(func() error { errs[i] = f(c); return nil })
	}
	_ = g.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", all[i], err)
		}
	}
}

// macros are what clang defines for a feature: the table's idea of a CPU is held against the compiler's. Left out are
// those that follow the architecture's version rather than the feature (__ARM_FEATURE_QRDMX), and transactional memory:
// clang gives it to POWER8 and 9, but neither firmware nor later machines have it, and so it is not promised.
var macros = map[string]map[string]string{
	"x86": {"sse": "__SSE__", "sse2": "__SSE2__", "sse3": "__SSE3__", "ssse3": "__SSSE3__", "sse4.1": "__SSE4_1__", "sse4.2": "__SSE4_2__", "sse4a": "__SSE4A__",
		"popcnt": "__POPCNT__", "avx": "__AVX__", "avx2": "__AVX2__", "fma": "__FMA__", "f16c": "__F16C__", "bmi": "__BMI__", "bmi2": "__BMI2__", "lzcnt": "__LZCNT__",
		"movbe": "__MOVBE__", "aes": "__AES__", "pclmul": "__PCLMUL__", "sha": "__SHA__", "vaes": "__VAES__", "gfni": "__GFNI__", "avx512f": "__AVX512F__",
		"avx512bw": "__AVX512BW__", "avx512vl": "__AVX512VL__", "avx512vnni": "__AVX512VNNI__", "avx512fp16": "__AVX512FP16__", "avxvnni": "__AVXVNNI__", "fma4": "__FMA4__", "xop": "__XOP__", "adx": "__ADX__"},
	"arm": {"neon": "__ARM_NEON", "idiv": "__ARM_FEATURE_IDIV", "crc": "__ARM_FEATURE_CRC32", "crypto": "__ARM_FEATURE_CRYPTO", "vfpv4": "__ARM_FEATURE_FMA", "dotprod": "__ARM_FEATURE_DOTPROD"},
	"arm64": {"crc": "__ARM_FEATURE_CRC32", "aes": "__ARM_FEATURE_AES", "sha2": "__ARM_FEATURE_SHA2", "lse": "__ARM_FEATURE_ATOMICS", "fp16": "__ARM_FEATURE_FP16_SCALAR_ARITHMETIC",
		"dotprod": "__ARM_FEATURE_DOTPROD", "sha3": "__ARM_FEATURE_SHA3", "sve": "__ARM_FEATURE_SVE", "sve2": "__ARM_FEATURE_SVE2", "bf16": "__ARM_FEATURE_BF16", "i8mm": "__ARM_FEATURE_MATMUL_INT8",
		"mops": "__ARM_FEATURE_MOPS", "rng": "__ARM_FEATURE_RNG", "bti": "__ARM_FEATURE_BTI_DEFAULT", "pac": "__ARM_FEATURE_PAC_DEFAULT"},
	"riscv64": {"zba": "__riscv_zba", "zbb": "__riscv_zbb", "zbc": "__riscv_zbc", "zbs": "__riscv_zbs", "v": "__riscv_v", "zfh": "__riscv_zfh", "zfa": "__riscv_zfa", "zicond": "__riscv_zicond", "zvbb": "__riscv_zvbb", "zawrs": "__riscv_zawrs", "zbkb": "__riscv_zbkb"},
	"ppc64":   {"altivec": "__ALTIVEC__", "vsx": "__VSX__", "power9": "_ARCH_PWR9", "power10": "_ARCH_PWR10", "mma": "__MMA__"},
	"s390x":   {"vx": "__VX__"},
	"mips":    {"msa": "__mips_msa", "dsp": "__mips_dsp", "dspr2": "__mips_dspr2"},
	"loong64": {"lsx": "__loongarch_sx", "lasx": "__loongarch_asx", "frecipe": "__loongarch_frecipe"},
}

// Every flag of every combination is taken by clang without a warning, and means what the table says: no more, no less.
func TestClangTakesTheFlags(t *testing.T) {
	cc := clang(t)
	is19 := strings.Contains(output(t, cc, "--version"), "version 19.")
	source := filepath.Join(t.TempDir(), "a.c")
	if err := os.WriteFile(source, []byte("float f(float a, float b) { return a * b; }\nint g(int *a) { return __sync_fetch_and_add(a, 1); }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	all := slices.DeleteFunc(combinations(t), func(c combination) bool { // aliases mean the same flags
		k := c.p.Triplet + strings.Join(c.b.CFlags(), " ")
		twice := seen[k]
		seen[k] = true
		return twice
	})
	each(t, all, func(c combination) error {
		n := 0
		for _, f := range c.b.CFlags() {
			if strings.HasPrefix(f, "-march=") || strings.HasPrefix(f, "-mcpu=") {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("want one -march or -mcpu, have %q", c.b.CFlags())
		}
		args := append([]string{"--target=" + c.p.Triplet, "-Werror"}, c.b.CFlags()...)
		langs := []string{"c"}
		if c.cpu == "" {
			langs = append(langs, "c++")
		}
		for _, lang := range langs {
			out, err := exec.Command(cc, append(slices.Clone(args), "-O2", "-c", "-o", "/dev/null", "-x", lang, source)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %q: %v\n%s", lang, c.b.CFlags(), err, out)
			}
		}
		out, err := exec.Command(cc, append(slices.Clone(args), "-dM", "-E", "-x", "c", "/dev/null")...).Output()
		if err != nil {
			return err
		}
		arch := baselines().levels[c.p.level].arch
		var wrong []string
		for _, f := range slices.Sorted(maps.Keys(macros[arch])) {
			has := bytes.Contains(out, []byte("#define "+macros[arch][f]+" "))
			if has != slices.Contains(c.b.Features(), f) && is19 {
				wrong = append(wrong, fmt.Sprintf("clang has %s: %v", f, has))
			}
		}
		if len(wrong) > 0 {
			return fmt.Errorf("%q: %s; the table has %s", c.b.CFlags(), strings.Join(wrong, ", "), strings.Join(c.b.Features(), " "))
		}
		return nil
	})
}

// rustc only warns of what it does not know, and so a warning is an error here.
func TestRustTakesTheFlags(t *testing.T) {
	rustc := tool(t, "rustc")
	targets := strings.Fields(output(t, rustc, "--print", "target-list"))
	seen := map[string]bool{}
	all := slices.DeleteFunc(combinations(t), func(c combination) bool {
		k := c.p.Rust + strings.Join(c.b.RustFlags(""), " ")
		twice := seen[k]
		seen[k] = true
		return twice || !slices.Contains(targets, c.p.Rust)
	})
	each(t, all, func(c combination) error {
		out, err := exec.Command(rustc, append([]string{"--print", "cfg", "--target", c.p.Rust}, c.b.RustFlags("")...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%q: %v\n%s", c.b.RustFlags(""), err, out)
		}
		for _, l := range strings.Split(string(out), "\n") {
			if strings.Contains(l, "unknown") && strings.Contains(l, "feature") || strings.Contains(l, "is not a recognized") {
				return fmt.Errorf("%q: %s", c.b.RustFlags(""), l)
			}
		}
		return nil
	})
}

func TestGoTakesTheVariables(t *testing.T) {
	goTool := tool(t, "go")
	values := map[string]string{} // variable -> GOARCH
	for _, c := range combinations(t) {
		for _, v := range c.b.GoEnv() {
			values[v] = c.p.GOARCH
		}
	}
	for _, p := range All() {
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range b.GoEnv() {
			values[v] = p.GOARCH
		}
	}
	for _, v := range slices.Sorted(maps.Keys(values)) {
		cmd := exec.Command(goTool, "env", "GOARCH")
		cmd.Env = append(os.Environ(), "GOARCH="+values[v], "GOFLAGS=", v)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s with GOARCH=%s: %s", v, values[v], out)
		}
	}
}

// exits are programs that only leave.
var exits = map[string]string{
	"amd64": "movl $60, %eax\nxorl %edi, %edi\nsyscall\n", "386": "movl $1, %eax\nxorl %ebx, %ebx\nint $0x80\n",
	"arm": "mov r7, #1\nmov r0, #0\nsvc #0\n", "arm64": "mov x8, #93\nmov x0, #0\nsvc #0\n",
	"ppc64le": "li 0, 1\nli 3, 0\nsc\n", "s390x": "lghi %r1, 1\nlghi %r2, 0\nsvc 0\n", "riscv64": "li a7, 93\nli a0, 0\necall\n",
	"mips64le": "li $2, 5058\nli $4, 0\nsyscall\n", "loong64": "li.w $a7, 93\nli.w $a0, 0\nsyscall 0\n",
}

// QEMU starts every model that the tables name.
func TestQEMUHasTheModels(t *testing.T) {
	cc, ld := clang(t), tool(t, "ld.lld-19", "ld.lld")
	dir := t.TempDir()
	ran := 0
	for _, p := range All() {
		qemu, err := exec.LookPath(p.QEMU)
		if !p.HasC() || p.base != "" || err != nil {
			continue
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		source, object, program := filepath.Join(dir, "a.s"), filepath.Join(dir, "a.o"), filepath.Join(dir, "a")
		if err := os.WriteFile(source, []byte(".globl _start, __start\n_start:\n__start:\n"+exits[p.Arch]), 0o644); err != nil {
			t.Fatal(err)
		}
		output(t, cc, append([]string{"--target=" + p.Triplet, "-c", "-o", object, source}, b.CFlags()...)...)
		output(t, ld, "-o", program, object)
		models := []string{p.QEMUCPU}
		for _, m := range baselines().qemu[p.Arch].models {
			models = append(models, m.value)
		}
		for _, m := range models {
			if out, err := exec.Command(qemu, "-cpu", m, program).CombinedOutput(); err != nil {
				t.Errorf("%s: %s -cpu %s: %v\n%s", p, p.QEMU, m, err, out)
			}
			ran++
		}
	}
	if ran == 0 {
		t.Skip("no qemu-aarch64 or the like in PATH")
	}
}

func TestBaseline(t *testing.T) {
	for _, test := range []struct {
		platform, cpu, features string
		c, rust, env, qemu      string
	}{
		{"linux/amd64/v3", "", "", "-march=x86-64-v3", "-C target-cpu=x86-64-v3", "GOAMD64=v3", "Haswell"},
		{"linux/amd64", "haswell", "", "-march=haswell", "-C target-cpu=haswell", "GOAMD64=v3", "Haswell"},
		{"linux/amd64", "", "avx2 fma", "-march=x86-64 -mfma -mavx2", "-C target-cpu=x86-64 -C target-feature=+fma,+avx2", "GOAMD64=v1", "Haswell"},
		{"linux/amd64", "", "x86-64-v3", "-march=x86-64-v3", "-C target-cpu=x86-64-v3", "GOAMD64=v3", "Haswell"},
		{"linux/amd64", "", "avx512f", "-march=x86-64 -mavx512f", "-C target-cpu=x86-64 -C target-feature=+avx512f", "GOAMD64=v1", ""},
		{"linux/386", "", "", "-march=i686 -msse2 -mfpmath=sse", "-C target-cpu=pentium4 -C target-feature=+sse2", "GO386=sse2", "pentium3,sse2=on"},
		{"linux/386", "", "sse2", "-march=i686 -msse2 -mfpmath=sse", "-C target-cpu=pentium4 -C target-feature=+sse2", "GO386=sse2", "pentium3,sse2=on"},
		{"linux/386", "", "sse3", "-march=i686 -msse2 -mfpmath=sse -msse3", "-C target-cpu=pentium4 -C target-feature=+sse2,+sse3", "GO386=sse2", "coreduo"},
		{"linux/386", "", "-sse2", "-march=i686", "-C target-cpu=i686", "GO386=softfloat", "pentium2"},
		{"linux/386", "", "-SSE", "-march=i686", "-C target-cpu=i686", "GO386=softfloat", "pentium2"},
		{"linux/386", "", "-sse2 sse", "-march=i686 -msse", "-C target-cpu=i686 -C target-feature=+sse", "GO386=softfloat", "pentium3"},
		{"linux/386", "", "-avx", "-march=i686 -msse2 -mfpmath=sse", "-C target-cpu=pentium4 -C target-feature=+sse2", "GO386=sse2", "pentium3,sse2=on"},
		{"linux/386/387", "", "", "-march=i686", "-C target-cpu=i686", "GO386=softfloat", "pentium2"},
		{"linux/386/387", "pentium3", "", "-march=pentium3", "-C target-cpu=pentium3", "GO386=softfloat", "pentium3"},
		{"linux/386/387", "", "sse2", "-march=i686 -msse2", "-C target-cpu=i686 -C target-feature=+sse2", "GO386=sse2", "pentium3,sse2=on"},
		{"linux/amd64/v3", "", "-avx2", "-march=x86-64-v2 -mxsave -mavx -mf16c -mfma -mbmi -mbmi2 -mlzcnt -mmovbe",
			"-C target-cpu=x86-64-v2 -C target-feature=+xsave,+avx,+f16c,+fma,+bmi1,+bmi2,+lzcnt,+movbe", "GOAMD64=v2", "Haswell"},
		{"linux/amd64/v3", "", "-x86-64-v3", "-march=x86-64", "-C target-cpu=x86-64", "GOAMD64=v1", "qemu64-v1,sse3=off"},
		{"linux/amd64", "haswell", "-avx2 -rdrnd", "-march=x86-64-v2 -mxsave -mavx -mf16c -mfma -mbmi -mbmi2 -mlzcnt -mmovbe -mpclmul -mfsgsbase",
			"-C target-cpu=x86-64-v2 -C target-feature=+xsave,+avx,+f16c,+fma,+bmi1,+bmi2,+lzcnt,+movbe,+pclmulqdq", "GOAMD64=v2", "Haswell"},
		{"linux/amd64", "", "-avx512f", "-march=x86-64", "-C target-cpu=x86-64", "GOAMD64=v1", "qemu64-v1,sse3=off"},
		{"linux/arm64/v8.2", "", "-lse", "-march=armv8-a+crc+rdm", "-C target-feature=+crc,+rdm", "GOARM64=v8.0", "neoverse-n1"},
		{"linux/arm64", "cortex-a72", "-crc", "-march=armv8-a", "", "GOARM64=v8.0", "cortex-a53"},
		{"linux/arm/v5", "", "", "-march=armv5te -mfloat-abi=soft", "", "GOARM=5", "arm926"},
		{"linux/arm/v6", "", "", "-march=armv6k -mfpu=vfp -mfloat-abi=softfp", "", "GOARM=6", "arm1176"},
		{"linux/arm/v7", "", "", "-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard", "-C target-feature=-d32", "GOARM=7", "cortex-a9,neon=off,vfp-d32=off"},
		{"linux/arm/v7", "", "neon", "-march=armv7-a -mfpu=neon -mfloat-abi=hard", "-C target-feature=+neon", "GOARM=7", "cortex-a8"},
		{"linux/arm/v7", "", "vfpv4 neon", "-march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard", "-C target-feature=+neon,+vfp4", "GOARM=7", "cortex-a15"},
		{"linux/arm/v7", "", "thumb", "-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -mthumb", "-C target-feature=+thumb-mode -C target-feature=-d32", "GOARM=7", "cortex-a9,neon=off,vfp-d32=off"},
		{"linux/arm64", "", "crypto LSE", "-march=armv8-a+crypto+lse", "-C target-feature=+aes,+sha2,+lse", "GOARM64=v8.0,lse,crypto", "neoverse-n1"},
		{"linux/arm64/v8.2", "", "crypto", "-march=armv8.2-a+crypto", "-C target-feature=+v8.2a,+aes,+sha2", "GOARM64=v8.2,crypto", "neoverse-n1"},
		{"linux/arm64", "cortex-a72", "", "-mcpu=cortex-a72+nocrypto", "-C target-cpu=cortex-a72 -C target-feature=-aes,-sha2", "GOARM64=v8.0", "cortex-a53"},
		{"linux/arm64", "cortex-a72", "crypto", "-mcpu=cortex-a72+crypto", "-C target-cpu=cortex-a72 -C target-feature=+aes,+sha2", "GOARM64=v8.0,crypto", "cortex-a53"},
		{"linux/arm64", "", "sve", "-march=armv8-a+sve", "-C target-feature=+sve", "GOARM64=v8.0", "a64fx"},
		{"linux/arm64", "", "sve2", "-march=armv8-a+sve2", "-C target-feature=+sve2", "GOARM64=v8.0", "neoverse-n2"},
		{"linux/riscv64", "", "rva22", "-march=rva22u64", "-C target-feature=+zba,+zbb,+zbs,+zicbom,+zicbop,+zicboz,+zihintpause,+zfhmin,+zkt", "GORISCV64=rva22u64", "rva22s64"},
		{"linux/riscv64", "", "rvv", "-march=rv64gc_v", "-C target-feature=+v", "GORISCV64=rva20u64", "rv64,v=true"},
		{"linux/riscv64", "sifive-u74", "zba", "-march=rv64gc_zba -mtune=sifive-u74", "-C target-cpu=sifive-u74 -C target-feature=+zba", "GORISCV64=rva20u64", "rva22s64"},
		{"linux/ppc64le", "", "power9", "-mcpu=power9", "-C target-cpu=pwr9", "GOPPC64=power9", "power9"},
		{"linux/ppc64le", "power11", "", "-mcpu=power11", "-C target-cpu=pwr11", "GOPPC64=power10", "power11"},
		{"linux/s390x", "z15", "", "-march=z15", "-C target-cpu=z15", "", "max"},
		{"linux/s390x", "z16", "", "-march=z16", "-C target-cpu=z16", "", ""},
		{"linux/loong64", "", "lasx", "-march=la64v1.0 -mlasx", "-C target-feature=+lasx", "", "la464"},
		{"linux/mips64le", "", "msa", "-march=mips64r2 -mmsa", "-C target-cpu=mips64r2 -C target-feature=+msa", "GOMIPS64=hardfloat", "MIPS64R2-generic"},
		{"windows/amd64", "", "x86-64-v2", "-march=x86-64-v2", "-C target-cpu=x86-64-v2", "GOAMD64=v2", ""},
	} {
		p, err := Parse(test.platform)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline(test.cpu, strings.Fields(test.features))
		if err != nil {
			t.Errorf("%s cpu=%q features=%q: %v", p, test.cpu, test.features, err)
			continue
		}
		got := []string{strings.Join(b.CFlags(), " "), strings.Join(b.RustFlags(""), " "), strings.Join(b.GoEnv(), " "), b.QEMUCPU()}
		if want := []string{test.c, test.rust, test.env, test.qemu}; !slices.Equal(got, want) {
			t.Errorf("%s cpu=%q features=%q:\nhave %q\nwant %q", p, test.cpu, test.features, got, want)
		}
		if (b.QEMUCPU() == "") != (b.QEMUReason() != "") {
			t.Errorf("%s cpu=%q features=%q: CPU model %q, reason %q", p, test.cpu, test.features, b.QEMUCPU(), b.QEMUReason())
		}
	}
}

// TestRustFlagsOfReleases: rustc is told what its targets leave open from the release on that does, and where the
// project does not promise it; an earlier one would warn of the word.
func TestRustFlagsOfReleases(t *testing.T) {
	p, err := Parse("linux/arm/v7")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ release, feature, want string }{
		{"1.63.0", "", ""},
		{"1.85.1", "", ""},
		{"1.93.1", "", ""},
		{"1.94.0", "", "-C target-feature=-d32"},
		{"1.97.1", "", "-C target-feature=-d32"},
		{"2.0.0", "", "-C target-feature=-d32"},
		{"nightly", "", "-C target-feature=-d32"},
		{"", "", "-C target-feature=-d32"},
		{"1.97.1", "half", "-C target-feature=-d32"},
		{"1.97.1", "vfpv3", "-C target-feature=+vfp3"},
		{"1.97.1", "neon", "-C target-feature=+neon"},
		{"1.97.1", "crypto", "-C target-feature=+v8,+aes,+sha2"},
	} {
		b, err := p.Baseline("", strings.Fields(test.feature))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(b.RustFlags(test.release), " "); got != test.want {
			t.Errorf("rustc %s with %q: %q, want %q", test.release, test.feature, got, test.want)
		}
	}
}

func TestBaselineErrors(t *testing.T) {
	for _, test := range []struct{ platform, cpu, feature, want string }{
		{"linux/amd64", "", "neon", `feature "neon" is not one of linux/amd64: linux/arm64 and linux/arm/v7 have it`},
		{"linux/386", "", "-frob", `feature "frob" is unknown`},
		{"linux/386", "", "-ssse", `feature "ssse" is unknown; did you mean "sse"?`},
		{"linux/386", "", "-cmov", `feature "-cmov": linux/386 cannot do without it`},
		{"linux/amd64", "", "-sse2", `feature "-sse2": linux/amd64 cannot do without it`},
		{"linux/amd64/v3", "", "-sse2", `feature "-sse2": linux/amd64/v3 cannot do without it`},
		{"linux/386", "", "avx -sse2", `feature "avx" needs sse2, which "-sse2" takes away`},
		{"linux/riscv64", "", "rva22 -zbs", `feature "rva22" needs zbs, which "-zbs" takes away`},
		{"linux/arm64", "", "-avx2", `feature "avx2" is not one of linux/arm64`},
		{"linux/386", "pentium3", "", `cpu "pentium3" has no sse2, which linux/386 promises; linux/386/387 does not`},
		{"linux/arm64", "", "avx2", `feature "avx2" is not one of linux/arm64: linux/amd64 and linux/386 have it`},
		{"linux/arm64", "", "vsx", `feature "vsx" is not one of linux/arm64: linux/ppc64le has it`},
		{"linux/arm64", "", "neno", `feature "neno" is unknown; did you mean "neon"? (AArch64 has neon, crc, crypto`},
		{"linux/arm/v6", "", "neon", `feature "neon" needs vfpv3-d16, which linux/arm/v6 does not promise (linux/arm/v7 can have it)`},
		{"wasip1/wasm", "", "sse", `feature "sse" is not one of wasip1/wasm: linux/amd64 and linux/386 have it`},
		{"wasip1/wasm", "", "quux", `feature "quux" is unknown; wasip1/wasm has none to choose`},
		{"linux/amd64", "cortex-a72", "", `cpu "cortex-a72" is not one of linux/amd64: linux/arm64 and linux/arm/v7 have it`},
		{"linux/arm64", "cortex-a27", "", `cpu "cortex-a27" is unknown; did you mean`},
		{"linux/arm64", "", "", ""},
		{"linux/arm64", "native", "", `cpu "native" is the machine that builds`},
		{"linux/s390x", "z17", "", `cpu "z17" is refused: clang 19 does not know it; the newest that it knows is z16`},
		{"linux/s390x", "m68k", "", `(s390x has arch11, `},
		{"linux/amd64/v3", "nehalem", "", `cpu "nehalem" has no xsave, avx, f16c, fma, avx2, bmi, bmi2, lzcnt, movbe, which linux/amd64/v3 promises`},
		{"linux/arm/v6", "arm1176jz-s", "", `cpu "arm1176jz-s" has no vfp, which linux/arm/v6 promises`},
		{"linux/arm/v6", "arm1136jf-s", "", `cpu "arm1136jf-s" has no v6k, which linux/arm/v6 promises`}, // no ldrexb before r1
		{"linux/arm/v6", "cortex-a8", "", `cpu "cortex-a8" has v7, which linux/arm/v6 does not promise (linux/arm/v7 can have it)`},
		{"linux/ppc64le", "power8", "power9", `feature "power9" is more than cpu "power8" has; leave one of them out`},
		{"linux/arm64/v8.2", "cortex-a72", "", `which linux/arm64/v8.2 promises`},
	} {
		p, err := Parse(test.platform)
		if err != nil {
			t.Fatal(err)
		}
		var features []string
		if test.feature != "" {
			features = strings.Fields(test.feature)
		}
		_, err = p.Baseline(test.cpu, features)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s cpu=%q feature=%q: %v\nwant: %s", p, test.cpu, test.feature, err, test.want)
		}
	}
}
