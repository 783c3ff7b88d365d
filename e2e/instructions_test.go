package e2e

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/isa"
	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// A level is code beyond a platform's baseline: how work.c is compiled, and what x86's programs ask for. alarms are the
// false alarms that are known and stand in docs/instructions.md: more of them is a fault, and so is less, which the
// table does not say yet.
type level struct {
	platform, name, flags, feature string
	alarms                         int
	target                         string // clang's, of a platform that xbuild has no C library for: programs then have none but stubs
}

var levels = []level{
	{"linux/amd64", "x86-64-v2", "-march=x86-64-v2", "sse4.2", 0, ""},
	{"linux/amd64", "x86-64-v3", "-march=x86-64-v3", "avx2", 0, ""},
	{"linux/amd64", "x86-64-v4", "-march=x86-64-v4 -mprefer-vector-width=512", "avx512f", 0, ""},
	{"linux/amd64/v2", "x86-64-v3", "-march=x86-64-v3", "avx2", 0, ""},
	{"linux/amd64/v3", "x86-64-v4", "-march=x86-64-v4 -mprefer-vector-width=512", "avx512f", 0, ""},
	{"linux/386/387", "SSE2", "-msse2 -mfpmath=sse", "sse2", 0, ""},
	{"linux/386", "AVX2", "-mavx2", "avx2", 0, ""},
	{"linux/arm64", "v8.1 (LSE)", "-march=armv8.1-a -mno-outline-atomics", "", 0, ""},
	{"linux/arm64", "SVE", "-march=armv8.2-a+sve", "", 0, ""},
	{"linux/arm64", "v9", "-march=armv9-a -mno-outline-atomics", "", 0, ""},
	{"linux/arm/v5", "v6", "-march=armv6", "", 0, ""},
	{"linux/arm/v5", "v7", "-march=armv7-a -mfpu=vfpv3 -mfloat-abi=softfp", "", 0, ""},
	{"linux/arm/v6", "v7", "-march=armv7-a -mfpu=vfp", "", 0, ""},
	{"linux/arm/v6", "v7 Thumb-2", "-march=armv7-a -mfpu=vfp -mthumb", "", 0, ""},
	{"linux/arm/v6", "v7 NEON", "-march=armv7-a -mfpu=neon", "", 0, ""},
	{"linux/arm/v7", "NEON", "-mfpu=neon", "", 0, ""},
	{"linux/arm/v7", "NEON Thumb-2", "-mfpu=neon -mthumb", "", 0, ""},
	{"linux/arm/v7", "VFPv4", "-mfpu=vfpv4 -ffp-contract=fast", "", 0, ""},
	{"linux/arm/v7", "divide", "-mcpu=cortex-a15 -mfpu=vfpv3-d16", "", 0, ""},
	{"linux/ppc64le", "power9", "-mcpu=power9", "", 0, ""},
	{"linux/ppc64le", "power10", "-mcpu=power10", "", 0, ""},
	{"linux/s390x", "z14", "-march=z14", "", 0, ""},
	{"linux/s390x", "z15", "-march=z15", "", 0, ""},
	{"linux/riscv64", "V", "-march=rv64gcv", "", 0, ""},
	{"linux/riscv64", "Zba, Zbb", "-march=rv64gc_zba_zbb", "", 0, ""},
	{"linux/riscv64", "Zbs, Zicond", "-march=rv64gc_zbb_zbs_zicond", "", 0, ""},
	{"linux/mips64le", "MSA", "-mmsa -mfp64", "", 0, ""},
	{"linux/loong64", "LASX", "-mlasx", "", 0, ""},
	{"windows/amd64", "x86-64-v2", "-march=x86-64-v2", "sse4.2", 0, ""},
	{"windows/amd64", "x86-64-v3", "-march=x86-64-v3", "avx2", 0, ""},
	{"windows/amd64", "x86-64-v4", "-march=x86-64-v4 -mprefer-vector-width=512", "avx512f", 0, ""},
	{"windows/386", "AVX2", "-mavx2", "", 0, "i686-w64-windows-gnu"},
	{"windows/arm64", "SVE", "-march=armv8.2-a+sve", "", 0, "aarch64-w64-windows-gnu"},
	{"darwin/amd64", "x86-64-v3", "-march=x86-64-v3", "hw.optional.avx2_0", 0, "x86_64-apple-macos"},
	{"darwin/arm64", "SVE", "-march=armv8.4-a+sve", "hw.optional.arm.FEAT_SVE", 0, "arm64-apple-macos"},
}

// sample are the levels that are looked at without XBUILD_E2E=full. TestInstructionsOptions looks at every platform of
// Linux.
var sample = []string{
	"linux/amd64 x86-64-v3", "linux/arm/v7 NEON Thumb-2", "linux/s390x z15", "windows/amd64 x86-64-v3", "darwin/arm64 SVE",
}

// Kinds of main.c.
var (
	condemned  = []int{1, 2, 3, 4, 5, 6, 7}
	dispatches = []int{20, 21, 22, 23, 24, 25, 26, 27, 28, 29}
	libraries  = []int{7, 27, 28, 29}
	noIfunc    = []string{"linux/mips64le", "windows/amd64", "windows/386", "windows/arm64", "darwin/amd64", "darwin/arm64"}
)

// links are the ways in which a platform's programs are linked: for Windows there is one; for macOS, before and since
// its loader's chains of fixups.
func links(name string, kind int) []string {
	switch {
	case slices.Contains(libraries, kind):
		return []string{"shared"}
	case strings.HasPrefix(name, "windows/"):
		return []string{"dynamic"}
	case strings.HasPrefix(name, "darwin/"):
		return []string{"11.0", "13.0"}
	}
	return []string{"static", "dynamic"}
}

// stubs are libraries without code, for platforms that xbuild has no libraries for: a DLL's definition, and a library
// for macOS.
var stubs = map[string]string{
	"stub.def": "LIBRARY msvcrt.dll\nEXPORTS\nputs\nprintf\nIsProcessorFeaturePresent@4\n",
	"stub.tbd": "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\ninstall-name: '/usr/lib/libSystem.B.dylib'\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ _puts, _printf, _sysctlbyname, dyld_stub_binder ]\n...\n",
}

// compile is what compiles for a level, and link what links main%d.o and work.o into a program.
func (l level) compile() string {
	if l.target == "" {
		return "$CC"
	}
	return "$CC --target=" + l.target + " -resource-dir=$($CC -print-resource-dir) -nostdlibinc -DBARE"
}

func (l level) link(link string, k int) string {
	arch, objects := l.target[:max(strings.Index(l.target, "-"), 0)], fmt.Sprintf("main%d.o work.o -o %d.%s", k, k, link)
	switch {
	case strings.HasPrefix(l.platform, "darwin/"):
		return fmt.Sprintf("$($CC -print-resource-dir)/../../../bin/ld64.lld -arch %s -platform_version macos %s %s stub.tbd %s", arch, link, link, objects)
	case l.target != "":
		emulation := map[string]string{"i686": "i386", "aarch64": "arm64"}[arch]
		undecorated := ""
		if arch != "i686" {
			undecorated = "sed -i s/@4// stub.def; "
		}
		return undecorated + fmt.Sprintf("[ -f stub.a ] || x86_64-w64-mingw32-dlltool -k -m %s -d stub.def -l stub.a; ld.lld -m %spe -e main %s stub.a", emulation, emulation, objects)
	case link != "dynamic":
		return "$CC -" + link + " " + objects
	}
	return "$CC " + objects
}

// A tally is a row of the table in docs/instructions.md.
type tally struct {
	what                                   string
	plain, missed, dispatched, falseAlarms int
	// Of the same programs, stripped: unconditional code that is not spoken of, that cannot be told, and code that asks
	// first which is condemned, and which cannot be told.
	strippedMissed, strippedUntold, strippedAlarms, strippedRemarks int
}

// count adds the audit of a program to a row: asks says that it asks the machine first, work is the function in
// question, allow are those of which a project says that they are dispatched.
func (row *tally) count(t *testing.T, name string, data []byte, base platform.Baseline, asks, stripped bool, work string, allow ...string) {
	t.Helper()
	r, err := isa.Audit(data, base, isa.Options{Allow: allow})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	is := func(f isa.Finding) bool { return work == "" || strings.Contains(f.Function, work) }
	others := slices.DeleteFunc(slices.Clone(r.Unconditional), is)
	switch {
	case stripped && !asks:
		if len(r.Unconditional)+len(r.Untold) == 0 {
			row.strippedMissed++
			t.Logf("%s: missed without symbols", name)
		} else if len(r.Unconditional) == 0 {
			row.strippedUntold++
		}
	case stripped:
		if len(r.Unconditional) > 0 {
			row.strippedAlarms++
			t.Logf("%s: false alarm without symbols: %v", name, r.Unconditional[0])
		} else if len(r.Untold) > 0 {
			row.strippedRemarks++
		}
	case !asks: // with symbols the function has to be named, and nothing else may be
		row.plain++
		if !slices.ContainsFunc(r.Unconditional, is) {
			row.missed++
			t.Errorf("%s: %s runs on every machine, and the audit does not say so: %v %v", name, work, r.Dispatched, r.Untold)
		}
		if len(others) > 0 {
			row.falseAlarms++
			t.Errorf("%s: beside %s the audit condemns %v", name, work, others)
		}
	default:
		row.dispatched++
		if len(r.Unconditional) > 0 {
			row.falseAlarms++
			t.Logf("%s: the program asks first, and the audit condemns %v", name, r.Unconditional)
		}
	}
}

// TestInstructions builds programs that use more than their platform has, with and without asking the machine first,
// and counts what the audit says of them. With -update the counts are written into docs/instructions.md.
func TestInstructions(t *testing.T) {
	needNetwork(t)
	var rows []tally
	for _, l := range levels {
		if !full() && !slices.Contains(sample, l.platform+" "+l.name) {
			continue
		}
		t.Run(l.platform+" "+l.name, func(t *testing.T) {
			rows = append(rows, corpus(t, l))
		})
	}
	for _, l := range languages {
		if full() || l.sample {
			t.Run(l.platform+" "+l.name, func(t *testing.T) {
				rows = append(rows, l.corpus(t))
			})
		}
	}
	if *update && full() && !t.Failed() {
		writeTable(t, instructionsStart, instructionsEnd, rows)
	}
}

// lacksKind: the sysroot's toolchain makes no indirect functions, or none that run (lld 19 moves a resolver of riscv64
// when it relaxes code, and leaves R_RISCV_IRELATIVE's addend as it was), or the system has no such file.
func lacksKind(platform string, kind int) bool {
	return (kind == 24 || kind == 155) && slices.Contains(noIfunc, platform) || kind == 155 && platform == "linux/riscv64" || (kind == 26 || slices.Contains(libraries, kind)) && !strings.HasPrefix(platform, "linux/")
}

// A language is what programs in Rust and Go are that use more than their platform has: each prints what work() makes,
// on every machine or where it has asked.
type language struct {
	platform, name string
	sample         bool // also without XBUILD_E2E=full
	files          map[string]string
	commands       string          // what makes the programs in a directory, as NAME and NAME.stripped
	asks           map[string]bool // the programs, and whether they ask first
	work           string          // part of the name of what needs more; "" for all of the program
}

const (
	rustWork = "use std::arch::x86_64::*;\n#[target_feature(enable = \"avx2\")]\n#[inline(never)]\nunsafe fn work(n: i32) -> i32 {\n    let v = std::hint::black_box(_mm256_set1_epi32(n));\n    _mm256_extract_epi32(_mm256_mullo_epi32(v, v), 3)\n}\n"
	armWork  = "use std::arch::aarch64::*;\n#[target_feature(enable = \"sha2\")]\n#[inline(never)]\nunsafe fn work(n: i32) -> i32 {\n    vsha1h_u32(std::hint::black_box(n as u32)) as i32\n}\n"
	rustMain = "fn plain(n: i32) -> i32 {\n    n.wrapping_mul(n)\n}\nfn main() {\n    let n = std::env::args().count() as i32;\n    println!(\"{}\", go(n));\n}\n"
	rustMake = "cargo build -q --release; for p in never place pointer; do cp target/*/release/$p . || cp target/*/release/$p.exe $p; $STRIP -o $p.stripped $p; done"
)

// rustFiles are three programs: one that never asks, one that asks right there, and one that keeps a pointer.
func rustFiles(work, has string) map[string]string {
	return map[string]string{
		"Cargo.toml":         "[package]\nname = \"corpus\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"src/bin/never.rs":   work + "fn go(n: i32) -> i32 {\n    unsafe { work(n) + plain(n) }\n}\n" + rustMain,
		"src/bin/place.rs":   work + "fn go(n: i32) -> i32 {\n    if " + has + " { unsafe { work(n) } } else { plain(n) }\n}\n" + rustMain,
		"src/bin/pointer.rs": work + "static GO: std::sync::OnceLock<unsafe fn(i32) -> i32> = std::sync::OnceLock::new();\nfn go(n: i32) -> i32 {\n    let f = GO.get_or_init(|| if " + has + " { work } else { plain });\n    unsafe { f(n) }\n}\n" + rustMain,
	}
}

var rustAsks = map[string]bool{"never": false, "place": true, "pointer": true}

// goFiles are a program whose own code differs with the level that it is compiled for, and that brings all the assembly
// of net/http and crypto.
var goFiles = map[string]string{
	"go.mod": "module corpus\n\ngo 1.21\n",
	"main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"math\"\n\t\"math/bits\"\n\t\"net/http\"\n\t\"os\"\n)\n\n//go:noinline\nfunc work(n int, x float64) (int, float64) {\n\treturn bits.OnesCount(uint(n)), math.FMA(x, x, 1)\n}\n\n" +
		"func main() {\n\tfmt.Println(work(len(os.Args), float64(len(os.Args))))\n\tif len(os.Args) > 1 {\n\t\tfmt.Println(http.ListenAndServe(os.Args[1], nil))\n\t}\n}\n",
}

var goAsks = map[string]bool{"never": false, "place": true}

// goMake builds goFiles at a level beyond the platform's, where there is one that Go knows, and at the platform's own.
func goMake(beyond, own string) string {
	script := "export CGO_ENABLED=0"
	for name, level := range map[string]string{"never": beyond, "place": own} {
		if level != "" {
			script += fmt.Sprintf("; %s go build -o %s; %s go build -ldflags='-s -w' -o %s.stripped", level, name, level, name)
		}
	}
	return script
}

var languages = []language{
	{platform: "linux/amd64", name: "Rust, AVX2", sample: true, files: rustFiles(rustWork, `is_x86_feature_detected!("avx2")`), commands: rustMake, asks: rustAsks, work: "work"},
	{platform: "linux/arm64", name: "Rust, SHA2", files: rustFiles(armWork, `std::arch::is_aarch64_feature_detected!("sha2")`), commands: rustMake, asks: rustAsks, work: "work"},
	{platform: "windows/amd64", name: "Rust, AVX2", files: rustFiles(rustWork, `is_x86_feature_detected!("avx2")`), commands: rustMake, asks: rustAsks, work: "work"},
	{platform: "linux/amd64", name: "Go, GOAMD64=v3", sample: true, files: goFiles, commands: goMake("GOAMD64=v3", "GOAMD64=v1"), asks: goAsks},
	{platform: "windows/amd64", name: "Go, GOAMD64=v3", files: goFiles, commands: goMake("GOAMD64=v3", "GOAMD64=v1"), asks: goAsks},
	{platform: "windows/arm64", name: "Go, GOARM64=v8.1", files: goFiles, commands: goMake("GOARM64=v8.1", "GOARM64=v8.0"), asks: goAsks},
	{platform: "windows/386", name: "Go", files: goFiles, commands: goMake("", "GO386=sse2"), asks: map[string]bool{"place": true}},
	{platform: "darwin/amd64", name: "Go, GOAMD64=v3", files: goFiles, commands: goMake("GOAMD64=v3", "GOAMD64=v1"), asks: goAsks},
	{platform: "darwin/arm64", name: "Go", files: goFiles, commands: goMake("", "GOARM64=v8.0"), asks: map[string]bool{"place": true}},
}

// plainBaseline is what a platform promises where a project adds nothing.
func plainBaseline(t *testing.T, name string) platform.Baseline {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	base, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// corpus builds and audits a language's programs.
func (l language) corpus(t *testing.T) tally {
	base := plainBaseline(t, l.platform)
	recipe := "rust"
	if l.files["go.mod"] != "" {
		recipe = "go"
	}
	files := maps.Clone(l.files)
	files["xbuild.toml"] = fmt.Sprintf("[project]\nname = \"corpus\"\nplatforms = [%q]\n[target.corpus]\nrecipe = %q\n", l.platform, recipe)
	dir := write(t, files)
	if r := xbuild(t, dir, "exec", "-q", "-p", l.platform, "--", "sh", "-ec", l.commands); r.code != 0 {
		t.Fatalf("%v", r)
	}
	row := tally{what: fmt.Sprintf("`%s`, %s", l.platform, l.name)}
	for _, name := range slices.Sorted(maps.Keys(l.asks)) {
		for _, strip := range []string{"", ".stripped"} {
			data, err := os.ReadFile(filepath.Join(dir, name+strip))
			if err != nil {
				t.Fatal(err)
			}
			row.count(t, l.name+" "+name+strip, data, base, l.asks[name], strip != "", l.work)
		}
	}
	t.Logf("%+v", row)
	if row.falseAlarms > 0 {
		t.Errorf("%d false alarms on programs that ask first", row.falseAlarms)
	}
	return row
}

// corpus builds and audits one level's programs.
func corpus(t *testing.T, l level) tally {
	base := plainBaseline(t, l.platform)
	dir := t.TempDir()
	for _, f := range []string{"work.c", "main.c"} {
		data, err := os.ReadFile(filepath.Join("testdata/instructions", f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	on := l.platform
	if l.target != "" { // its clang and lld are those of any platform
		on = "windows/amd64"
		for name, text := range stubs {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	script := "set -e\n" + fmt.Sprintf("%s -O3 -ffast-math %s -c work.c -o work.o\n", l.compile(), l.flags)
	for _, k := range slices.Concat(condemned, dispatches) {
		if lacksKind(l.platform, k) {
			continue
		}
		pic := ""
		if slices.Contains(libraries, k) {
			pic = "-fPIC "
		}
		script += fmt.Sprintf("%s -O2 %s'-DFEATURE=\"%s\"' -DKIND=%d -c main.c -o main%d.o\n", l.compile(), pic, l.feature, k, k)
		for _, link := range links(l.platform, k) {
			script += fmt.Sprintf("%s\n$STRIP -o %d.%s.stripped %d.%s\n", l.link(link, k), k, link, k, link)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "build.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := xbuild(t, dir, "exec", "-p", on, "--", "sh", "build.sh"); r.code != 0 {
		t.Fatalf("%v", r)
	}
	row := tally{what: fmt.Sprintf("`%s`, %s", l.platform, l.name)}
	for _, k := range slices.Concat(condemned, dispatches) {
		if lacksKind(l.platform, k) {
			continue
		}
		for _, link := range links(l.platform, k) {
			for _, strip := range []string{"", ".stripped"} {
				name := fmt.Sprintf("%d.%s%s", k, link, strip)
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				row.count(t, l.name+" "+name, data, base, k >= 20, strip != "", "work")
			}
		}
	}
	t.Logf("%+v", row)
	if row.falseAlarms != l.alarms {
		t.Errorf("%d false alarms on programs that ask first, want %d as docs/instructions.md says", row.falseAlarms, l.alarms)
	}
	return row
}

// TestInstructionsOfExamples audits what the examples build to, on every platform: nothing may be condemned.
func TestInstructionsOfExamples(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("XBUILD_E2E=full audits every program of examples/all")
	}
	dir := all(t)
	n := 0
	for _, name := range eleven {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		base, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(filepath.Join(dir, "dist", p.Docker), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			r, err := isa.Audit(data, base, isa.Options{})
			if err != nil {
				return err
			}
			n++
			if len(r.Unconditional) > 0 {
				t.Errorf("%s: %v", path, r.Unconditional)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if n < 77 {
		t.Errorf("%d programs were audited, want 77", n)
	}
}

// TestInstructionsOfPrograms audits programs that many use, built for Windows and macOS from what their authors
// published: nothing may be condemned.
func TestInstructionsOfPrograms(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("XBUILD_E2E=full builds programs of other projects for Windows and macOS")
	}
	const simd = `package main

import (
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/reedsolomon"
	"github.com/minio/sha256-simd"
	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

func main() {
	b := []byte(os.Args[0])
	w, _ := zstd.NewWriter(os.Stdout)
	w.Write(b)
	r, _ := reedsolomon.New(5, 3)
	fmt.Println(r.Encode([][]byte{b, b, b, b, b, b, b, b}), sha256.Sum256(b), blake3.Sum256(b), xxh3.Hash(b), argon2.Key(b, b, 1, 1, 1, 1))
	fmt.Println(chacha20poly1305.New(b))
}
`
	for _, name := range []string{"windows/amd64", "windows/arm64", "darwin/amd64", "darwin/arm64"} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"xbuild.toml": fmt.Sprintf("[project]\nname = \"programs\"\nplatforms = [%q]\n[target.simd]\nrecipe = \"go\"\n", name),
				"go.mod":      "module programs\n\ngo 1.24\n", "main.go": simd, "Cargo.toml": "[package]\nname = \"programs\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() {}\n",
			})
			goal := "mkdir out; export CGO_ENABLED=0 GOFLAGS=-mod=mod; go get filippo.io/age@v1.2.1 github.com/evanw/esbuild@v0.25.0 github.com/junegunn/fzf@v0.60.0 github.com/klauspost/compress@v1.18.0 github.com/klauspost/reedsolomon@v1.12.4 github.com/minio/sha256-simd@v1.0.1 " +
				"github.com/zeebo/blake3@v0.2.4 github.com/zeebo/xxh3@v1.0.2 golang.org/x/crypto@v0.36.0; go mod tidy; go build -o out/simd .; " +
				"go get filippo.io/age/cmd/age github.com/junegunn/fzf; go build -o out/age filippo.io/age/cmd/age; go build -o out/esbuild github.com/evanw/esbuild/cmd/esbuild; go build -o out/fzf github.com/junegunn/fzf; go build -o out/s2c github.com/klauspost/compress/s2/cmd/s2c"
			want := 5
			if name == "windows/amd64" {
				edit(t, filepath.Join(dir, "xbuild.toml"), "[target.simd]\n", "[target.rusty]\nrecipe = \"rust\"\n[target.simd]\n")
				goal += "; for p in ripgrep@14.1.1 b3sum@1.5.5 hyperfine@1.19.0; do CARGO_TARGET_DIR=target cargo install -q --locked --root . $p; done; mv bin/*.exe out"
				want = 8
			}
			if r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-ec", goal); r.code != 0 {
				t.Fatalf("%v", r)
			}
			base := plainBaseline(t, name)
			programs, err := os.ReadDir(filepath.Join(dir, "out"))
			if err != nil || len(programs) != want {
				t.Fatalf("%d programs were built, want %d: %v", len(programs), want, err)
			}
			for _, p := range programs {
				data, err := os.ReadFile(filepath.Join(dir, "out", p.Name()))
				if err != nil {
					t.Fatal(err)
				}
				r, err := isa.Audit(data, base, isa.Options{})
				if err != nil || r.Code == 0 {
					t.Errorf("%s: %d bytes of code were read: %v", p.Name(), r.Code, err)
				}
				if len(r.Unconditional) > 0 {
					t.Errorf("%s: %v", p.Name(), r.Unconditional)
				}
			}
		})
	}
}

// TestInstructionsOfLibc links Debian's own armhf libc, which is Armv7, into a program for Armv6, as Docker's were once
// shipped: it is caught, with the object named.
func TestInstructionsOfLibc(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"main.c":      "#include <stdio.h>\nint main(void) { puts(\"v6\"); return 0; }\n",
		"Makefile":    "all:\n\tcp main shipped\n",
		"xbuild.toml": "[project]\nname = \"v6\"\nplatforms = [\"linux/arm/v6\"]\n[target.shipped]\nrecipe = \"make\"\noutputs = [\"shipped\"]\nstatic = true\n",
	})
	r := xbuild(t, dir, "exec", "-q", "-p", "linux/arm/v7", "--", "sh", "-c", "$CC -march=armv6 -mfpu=vfp -static main.c -o main && $CC -print-file-name=libc.a")
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	data, err := os.ReadFile(filepath.Join(dir, "main"))
	if err != nil {
		t.Fatal(err)
	}
	libc, err := os.ReadFile(strings.TrimSpace(r.stdout))
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Parse("linux/arm/v6")
	if err != nil {
		t.Fatal(err)
	}
	base, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := isa.Audit(data, base, isa.Options{Objects: object.ArchiveIndex(libc)})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found.Unconditional, func(f isa.Finding) bool { return f.Function == "puts" || f.Function == "_IO_puts" })
	if i < 0 {
		t.Fatalf("%d findings, and none in puts: %v", len(found.Unconditional), found.Unconditional)
	}
	if f := found.Unconditional[i]; f.Object != "ioputs.o" || f.Address == 0 || f.Instruction == "" {
		t.Errorf("puts is Armv7 code of libc.a(ioputs.o), the audit says %+v", f)
	}
	if r := xbuild(t, dir, "build", "-q"); r.code != 1 || !strings.Contains(r.stderr, "shipped has ") || !strings.Contains(r.stderr, "needs v6t2 and linux/arm/v6 has not: in ") {
		t.Errorf("xbuild build takes such a program: %v", r)
	}
}

// TestBuildBeyondBaseline: xbuild build refuses what needs more than its platform has, whoever's flags or libraries
// brought it in, and says where it lies and what to write. The same sources without those flags pass, and so does code
// that the project vouches for.
func TestBuildBeyondBaseline(t *testing.T) {
	needNetwork(t)
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata/instructions", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	work, main := text("work.c"), "#define KIND 1\n#define FEATURE \"avx2\"\n"+text("main.c")
	for _, c := range []struct {
		name, platform, target string
		files                  map[string]string // in the place of work.c and main.c
		want                   []string
		mended                 [2]string // what is written in the place of what, and the build passes
	}{
		{"NEON in a flag", "linux/arm/v7", `cflags = ["-O3", "-mfpu=neon"]`, nil,
			[]string{" neon and linux/arm/v7 has not: in ", `features = ["neon"] under [platform."linux/arm/v7"]`}, [2]string{`, "-mfpu=neon"`, ``}},
		{"AVX2 in a flag", "linux/amd64", `cflags = ["-O3", "-march=x86-64-v3"]`, nil,
			[]string{"and linux/amd64 has not: in work at 0x", "write dispatched = ["}, [2]string{"cflags", "dispatched = [\"work\", \"main\"]\ncflags"}},
		{"AVX2 in a flag, stripped by the linker", "linux/amd64", "cflags = [\"-O3\", \"-march=x86-64-v3\"]\nldflags = [\"-s\"]", nil,
			[]string{"and linux/amd64 has not: in work at 0x"}, [2]string{`, "-march=x86-64-v3"`, ``}},
		{"AVX2 in a flag, stripped by xbuild", "linux/amd64", "cflags = [\"-O3\", \"-march=x86-64-v3\"]\nstrip = true", nil,
			[]string{"and linux/amd64 has not: in work at 0x"}, [2]string{`, "-march=x86-64-v3"`, ``}},
		{"a CPU in rustc's flags", "linux/amd64", `rustflags = ["-Ctarget-cpu=haswell"]`, map[string]string{
			"Cargo.toml": "[package]\nname = \"beyond\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
			"src/main.rs": "#[inline(never)]\nfn dot(a: &[i32], b: &[i32]) -> i32 {\n    a.iter().zip(b).map(|(x, y)| x.wrapping_mul(*y)).fold(0, i32::wrapping_add)\n}\n" +
				"fn main() {\n    let a: Vec<i32> = std::env::args().map(|s| s.len() as i32).collect();\n    println!(\"{}\", dot(&a, &a));\n}\n",
		}, []string{"and linux/amd64 has not: in ", "dot"}, [2]string{`rustflags = ["-Ctarget-cpu=haswell"]`, "[platform.\"linux/amd64\"]\ncpu = \"haswell\""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			recipe := "recipe = \"cc\"\nsources = [\"*.c\"]"
			files := map[string]string{"work.c": work, "main.c": main}
			if c.files != nil {
				recipe, files = `recipe = "rust"`, c.files
			}
			files["xbuild.toml"] = fmt.Sprintf("[project]\nname = \"beyond\"\nplatforms = [%q]\n[target.beyond]\n%s\n%s\n", c.platform, recipe, c.target)
			dir := write(t, files)
			for range 2 { // what was refused is refused again
				r := xbuild(t, dir, "build", "-q")
				for _, want := range c.want {
					if r.code != 1 || !strings.Contains(r.stderr, want) {
						t.Errorf("%v\nwant in it: %s", r, want)
					}
				}
			}
			if _, err := os.Stat(built(dir, c.platform, "beyond")); err == nil {
				t.Error("what was refused lies in dist")
			}
			edit(t, filepath.Join(dir, "xbuild.toml"), c.mended[0], c.mended[1])
			if r := xbuild(t, dir, "build"); r.code != 0 {
				t.Errorf("mended: %v", r)
			}
		})
	}
}

const instructionsStart, instructionsEnd = "<!-- corpus: written by go test ./e2e -run TestInstructions -update -->\n", "<!-- end of the corpus -->\n"

func writeTable(t *testing.T, start, end string, rows []tally) {
	file := filepath.Join("..", "docs", "instructions.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), start)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	commit, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s at %s.\n\n", time.Now().UTC().Format("2006-01-02"), strings.TrimSpace(string(commit)))
	b.WriteString("| platform, code compiled for | unconditional | missed | dispatched | false alarms | stripped: missed | stripped: unconditional, not told | stripped: false alarms | stripped: dispatched, not told |\n|-|-|-|-|-|-|-|-|-|\n")
	sum := tally{what: "together"}
	for _, r := range append(rows, sum) {
		if r.what == sum.what {
			r = sum
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", r.what, r.plain, r.missed, r.dispatched, r.falseAlarms, r.strippedMissed, r.strippedUntold, r.strippedAlarms, r.strippedRemarks)
		sum.plain += r.plain
		sum.missed += r.missed
		sum.dispatched += r.dispatched
		sum.falseAlarms += r.falseAlarms
		sum.strippedMissed += r.strippedMissed
		sum.strippedUntold += r.strippedUntold
		sum.strippedAlarms += r.strippedAlarms
		sum.strippedRemarks += r.strippedRemarks
	}
	if err := os.WriteFile(file, []byte(before+start+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBuildLibraryThatAsks: an object that is not linked yet shows less of how it chooses; what it may choose is
// listed, and what it calls outright a fault.
func TestBuildLibraryThatAsks(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"sum\"\nplatforms = [\"linux/arm64\"]\n[target.sum]\nrecipe = \"cc\"\nkind = \"static\"\nsources = [\"sum.c\", \"caps.c\"]\n",
		"caps.c":      "#include <sys/auxv.h>\nunsigned long capabilities;\nvoid ask(void) { capabilities = getauxval(AT_HWCAP) | 1ul << 63; }\n",
		"sum.c": `#include <stddef.h>
#include <stdint.h>
extern unsigned long capabilities;
void ask(void);
typedef uint32_t fn(uint32_t, const uint8_t *, size_t);
static uint32_t plain(uint32_t n, const uint8_t *s, size_t len) { while (len--) n = n << 1 ^ *s++; return n; }
__attribute__((target("crc"))) static uint32_t fast(uint32_t n, const uint8_t *s, size_t len) { while (len--) n = __builtin_arm_crc32b(n, *s++); return n; }
static fn first;
static fn *volatile impl = first;
static uint32_t first(uint32_t n, const uint8_t *s, size_t len)
{
	if (!capabilities)
		ask();
	impl = capabilities >> 7 & 1 ? fast : plain;
	return impl(n, s, len);
}
uint32_t sum(uint32_t n, const uint8_t *s, size_t len) { return impl(n, s, len); }
`,
	})
	if r := xbuild(t, dir, "build"); r.code != 0 {
		t.Errorf("a library that asks: %v", r)
	}
	edit(t, filepath.Join(dir, "xbuild.toml"), "sources = [", "cflags = [\"-march=armv8.1-a\", \"-moutline-atomics\"]\nsources = [")
	edit(t, filepath.Join(dir, "sum.c"), "uint32_t sum(", "__attribute__((noinline)) uint32_t one(uint32_t n) { return __builtin_arm_crc32w(n, n); }\nuint32_t sum(")
	edit(t, filepath.Join(dir, "sum.c"), "return impl(n, s, len); }", "return fast(n, s, len) ^ one(n); }")
	if r := xbuild(t, dir, "build"); r.code != 1 || !strings.Contains(r.stderr, "which needs crc and linux/arm64 has not: in ") {
		t.Errorf("a library that does not: %v", r)
	}
}

// TestInstructionsOfCrates: a crate of Rust asks the machine where it makes a value, and goes by the value elsewhere, as
// crc32fast does: that is no fault, however it is optimised. The same without a question is one.
func TestInstructionsOfCrates(t *testing.T) {
	needNetwork(t)
	const program = `use std::arch::aarch64::__crc32b;

pub enum State {
    Table(u32),
    Instruction(u32),
}

#[inline(never)]
fn can() -> bool {
    CAN
}

#[target_feature(enable = "crc")]
unsafe fn by_instruction(crc: u32, data: &[u8]) -> u32 {
    !data.iter().fold(!crc, |crc, byte| __crc32b(crc, *byte))
}

fn by_table(crc: u32, data: &[u8]) -> u32 {
    !data.iter().fold(!crc, |crc, byte| (0..8).fold(crc ^ *byte as u32, |c, _| c >> 1 ^ 0xedb88320 & (c & 1).wrapping_neg()))
}

impl State {
    #[inline(never)]
    pub fn new() -> State {
        if can() { State::Instruction(0) } else { State::Table(0) }
    }

    #[inline(never)]
    pub fn update(&mut self, data: &[u8]) {
        match self {
            State::Table(crc) => *crc = by_table(*crc, data),
            State::Instruction(crc) => *crc = unsafe { by_instruction(*crc, data) },
        }
    }
}

fn main() {
    let mut state = State::new();
    for arg in std::env::args().skip(1) {
        state.update(arg.as_bytes());
    }
    match state {
        State::Table(crc) => println!("{crc:x} by the table"),
        State::Instruction(crc) => println!("{crc:x} by instructions"),
    }
}
`
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm64\"]\n" +
			"[target.small]\nrecipe = \"rust\"\nbins = [\"asks\"]\nprofile = \"small\"\ndest = \"small\"\n" +
			"[target.dev]\nrecipe = \"rust\"\nbins = [\"asks\"]\nprofile = \"dev\"\ndest = \"dev\"\n" +
			"[target.never]\nrecipe = \"rust\"\nbins = [\"never\"]\nprofile = \"small\"\n",
		"Cargo.toml":       "[package]\nname = \"crates\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[profile.small]\ninherits = \"release\"\nlto = true\nopt-level = \"z\"\nstrip = true\n",
		"src/bin/asks.rs":  strings.Replace(program, "CAN", `std::arch::is_aarch64_feature_detected!("crc")`, 1),
		"src/bin/never.rs": strings.Replace(program, "CAN", "std::env::args().count() > 2", 1),
	})
	build(t, dir, "small", "dev")
	for _, name := range []string{"small/asks", "dev/asks"} {
		if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", name), "123456789"); r.code != 0 || !strings.HasPrefix(r.stdout, "cbf43926 by ") {
			t.Errorf("%s: %v", name, r)
		}
	}
	r := xbuild(t, dir, "build", "-q", "never")
	if r.code != 1 || !strings.Contains(r.stderr, "which needs crc and linux/arm64 has not: in ") || !strings.Contains(r.stderr, "by_instruction") {
		t.Errorf("what never asks: %v\nwant a refusal", r)
	}
}

// TestInstructionsOfInlinedCrates: what of a crate asks the machine was inlined in another one, as of crc32fast in
// sevenz-rust2: that is no fault. The same without a question is one.
func TestInstructionsOfInlinedCrates(t *testing.T) {
	needNetwork(t)
	const library = `use std::arch::aarch64::__crc32b;

#[inline(never)]
#[target_feature(enable = "crc")]
unsafe fn by_instruction(crc: u32, data: &[u8]) -> u32 {
    !data.iter().fold(!crc, |crc, byte| __crc32b(crc, *byte))
}

#[inline(never)]
fn by_table(crc: u32, data: &[u8]) -> u32 {
    !data.iter().fold(!crc, |crc, byte| (0..8).fold(crc ^ *byte as u32, |c, _| c >> 1 ^ 0xedb88320 & (c & 1).wrapping_neg()))
}

pub enum State {
    Table(u32),
    Instruction(u32),
}

impl State {
    #[inline(always)]
    pub fn new() -> State {
        if CAN { State::Instruction(0) } else { State::Table(0) }
    }

    #[inline(never)]
    pub fn update(&mut self, data: &[u8]) {
        match self {
            State::Table(crc) => *crc = by_table(*crc, data),
            State::Instruction(crc) => *crc = unsafe { by_instruction(*crc, data) },
        }
    }
}

#[inline(always)]
pub fn sum(data: &[u8]) -> u32 {
    if CAN { unsafe { by_instruction(0, data) } } else { by_table(0, data) }
}
`
	const program = `use NAME::{sum, State};

fn main() {
    let mut state = State::new();
    let mut last = 0;
    let update = std::hint::black_box(State::update as fn(&mut State, &[u8]));
    for arg in std::env::args().skip(1) {
        update(&mut state, arg.as_bytes());
        last = sum(arg.as_bytes());
    }
    match state {
        State::Table(crc) => println!("{crc:x} {last:x} by the table"),
        State::Instruction(crc) => println!("{crc:x} {last:x} by instructions"),
    }
}
`
	files := map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm64\"]\n" +
			"[target.asks]\nrecipe = \"rust\"\npackages = [\"asks\"]\n[target.never]\nrecipe = \"rust\"\npackages = [\"never\"]\n",
		"Cargo.toml": "[workspace]\nmembers = [\"asks\", \"asking\", \"never\", \"nothing\"]\nresolver = \"2\"\n[profile.release]\nlto = true\ncodegen-units = 1\n",
	}
	for name, of := range map[string]struct{ crate, can string }{
		"asks":  {"asking", `std::arch::is_aarch64_feature_detected!("crc")`},
		"never": {"nothing", "std::env::args().count() > 2"},
	} {
		manifest := "[package]\nname = %q\nversion = \"0.1.0\"\nedition = \"2021\"\n"
		files[name+"/Cargo.toml"] = fmt.Sprintf(manifest+"[dependencies]\n%s = { path = \"../%[2]s\" }\n", name, of.crate)
		files[name+"/src/main.rs"] = strings.ReplaceAll(program, "NAME", of.crate)
		files[of.crate+"/Cargo.toml"] = fmt.Sprintf(manifest, of.crate)
		files[of.crate+"/src/lib.rs"] = strings.ReplaceAll(library, "CAN", of.can)
	}
	dir := write(t, files)
	build(t, dir, "asks")
	r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "asks"), "123456789")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "cbf43926 cbf43926 by ") {
		t.Error(r)
	}
	r = xbuild(t, dir, "build", "-q", "never")
	if r.code != 1 || !strings.Contains(r.stderr, "which needs crc and linux/arm64 has not: in ") || !strings.Contains(r.stderr, "by_instruction") {
		t.Errorf("what never asks: %v\nwant a refusal", r)
	}
}

// TestInstructionsOfClasses: a class of C++ keeps in its objects what the machine answered, as UnRAR's Rijndael does:
// that is no fault, however it is optimised. The same without a question is one.
func TestInstructionsOfClasses(t *testing.T) {
	needNetwork(t)
	const program = `#include <cpuid.h>
#include <cstdio>
#include <wmmintrin.h>

class Cipher {
public:
	__attribute__((noinline)) void init(int n);
	__attribute__((noinline)) void use(unsigned char *data);

private:
	__attribute__((noinline, target("aes"))) void by_instruction(unsigned char *data);
	bool aes;
};

void Cipher::init(int n)
{
	unsigned a, b, c = 0, d;
#ifdef ASKS
	__get_cpuid(1, &a, &b, &c, &d);
#else
	c = n > 2 ? 1u << 25 : 0;
#endif
	aes = (c & 1u << 25) != 0;
}

void Cipher::use(unsigned char *data)
{
	if (aes) {
		by_instruction(data);
		return;
	}
	data[0] ^= 1;
}

void Cipher::by_instruction(unsigned char *data)
{
	__m128i v = _mm_loadu_si128((__m128i *)data);
	_mm_storeu_si128((__m128i *)data, _mm_aesdec_si128(v, v));
}

int main(int argc, char **argv)
{
	static unsigned char data[16];
	Cipher c;
	c.init(argc);
	c.use(data);
	printf("%s\n", data[0] == 1 ? "without" : "with");
}
`
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\"]\n" +
			"[target.small]\nrecipe = \"cc\"\nsources = [\"cipher.cc\"]\ncxxflags = [\"-Os\", \"-DASKS\"]\n" +
			"[target.plain]\nrecipe = \"cc\"\nsources = [\"cipher.cc\"]\ncxxflags = [\"-O0\", \"-DASKS\"]\n" +
			"[target.never]\nrecipe = \"cc\"\nsources = [\"cipher.cc\"]\n",
		"cipher.cc": program,
	})
	build(t, dir, "small", "plain")
	for _, name := range []string{"small", "plain"} {
		r := underQEMU(t, dir, "linux/amd64", built(dir, "linux/amd64", name))
		if r.code != 0 || r.stdout != "without\n" {
			t.Errorf("%s: %v", name, r)
		}
	}
	r := xbuild(t, dir, "build", "-q", "never")
	if r.code != 1 || !strings.Contains(r.stderr, "linux/amd64 has not: in ") || !strings.Contains(r.stderr, "by_instruction") {
		t.Errorf("what never asks: %v\nwant a refusal", r)
	}
}

// TestInstructionsOfRefusals: a function of Go that makes an error where the machine has not what it wants is a question
// to its callers, as in github.com/minio/simdjson-go. One that makes an error for another reason is none.
func TestInstructionsOfRefusals(t *testing.T) {
	needNetwork(t)
	const program = `package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/cpu"
)

type parser struct{ names []string }

func sum(p *[32]byte) uint64

//go:noinline
func newParser(names []string) (*parser, error) {
	if !CAN {
		return nil, errors.New("this machine has no AVX2")
	}
	p := &parser{}
	for _, n := range names {
		if n == "" {
			return nil, errors.New("a name is missing")
		}
		p.names = append(p.names, n)
	}
	return p, nil
}

//go:noinline
func (p *parser) run() uint64 {
	var b [32]byte
	b[0] = byte(len(p.names))
	return sum(&b)
}

func main() {
	p, err := newParser(os.Args)
	if err != nil {
		fmt.Println(err, cpu.X86.HasAVX)
		return
	}
	fmt.Println(p.run())
}
`
	const assembly = `#include "textflag.h"

TEXT ·sum(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	VMOVDQU (AX), Y0
	VPADDQ Y0, Y0, Y0
	VMOVDQU Y0, (AX)
	MOVQ (AX), BX
	MOVQ BX, ret+8(FP)
	VZEROUPPER
	RET
`
	files := map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\"]\n[target.asks]\nrecipe = \"go\"\npackage = \"./asks\"\n[target.never]\nrecipe = \"go\"\npackage = \"./never\"\n",
		"go.mod":      "module refusals\n\ngo 1.23\n\nrequire golang.org/x/sys v0.30.0\n",
	}
	for dir, can := range map[string]string{"asks": "cpu.X86.HasAVX2", "never": "(len(names) < 9)"} {
		files[dir+"/main.go"] = strings.Replace(program, "CAN", can, 1)
		files[dir+"/sum_amd64.s"] = assembly
	}
	dir := write(t, files)
	if r := xbuild(t, dir, "exec", "-q", "--", "go", "mod", "tidy"); r.code != 0 {
		t.Fatal(r)
	}
	build(t, dir, "asks")
	if r := underQEMU(t, dir, "linux/amd64", built(dir, "linux/amd64", "asks"), "x"); r.code != 0 || r.stdout != "this machine has no AVX2 false\n" {
		t.Errorf("on the baseline's CPU: %v", r)
	}
	if r := xbuild(t, dir, "build", "-q", "never"); r.code != 1 || !strings.Contains(r.stderr, "which needs avx and linux/amd64 has not: in main.sum") {
		t.Errorf("what never asks: %v\nwant a refusal", r)
	}
}
