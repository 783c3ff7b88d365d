package e2e

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"xbuild/internal/archive"
	"xbuild/internal/execute"
	"xbuild/internal/fetch"
	"xbuild/internal/origin/debian"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
)

// openArchive is the archive that xbuild itself would use: the caller's mirror, else those of the host's apt, else
// public ones.
func openArchive(t *testing.T) *resolve.Archive {
	t.Helper()
	dir := os.Getenv("XBUILD_E2E_STORE")
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mirrors := append(debian.HostMirrors("/"), debian.Public...)
	if m := os.Getenv("XBUILD_DEBIAN_MIRROR"); m != "" {
		mirrors = strings.Split(m, ",")
	}
	for i, m := range mirrors {
		mirrors[i] = strings.TrimRight(m, "/")
	}
	// The mirror of a test machine may be one of a certain day.
	return &resolve.Archive{Store: s, Mirrors: mirrors, AllowExpired: true, Notice: func(m string) { t.Log(m) }}
}

// sources are the source packages of Debian trixie, read once.
var sources struct {
	once  sync.Once
	index *archive.Sources
	err   error
}

var tarball = regexp.MustCompile(`\.orig\.tar\.[a-z0-9]+$`)

// upstream unpacks the unchanged upstream source of a Debian source package into a new directory and returns the
// source's version.
func upstream(t *testing.T, name string) (dir, version string) {
	t.Helper()
	a := openArchive(t)
	sources.once.Do(func() {
		var file string
		file, _, sources.err = a.Debian().File(context.Background(), "trixie", func(r *archive.Release) (string, archive.FileHash, error) {
			_, byHash, hash, err := r.SourceIndex("main")
			return byHash, hash, err
		})
		if sources.err == nil {
			sources.index, sources.err = archive.ReadSources(context.Background(), file)
		}
	})
	if sources.err != nil {
		t.Fatalf("source index: %v\n(this test fetches sources; without a network run go test -short)", sources.err)
	}
	found, err := sources.index.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	p := found[0]
	for _, f := range p.Files {
		if !tarball.MatchString(f.Name) || strings.Contains(f.Name, ".orig-") {
			continue
		}
		var urls []string
		for _, m := range a.Mirrors {
			urls = append(urls, m+"/"+p.Directory+"/"+f.Name)
		}
		if err := fetch.Files(t.Context(), a.Store, []fetch.Item{{Name: f.Name, URLs: urls, SHA256: f.SHA256, Size: f.Size}}, a.Fetch); err != nil {
			t.Fatal(err)
		}
		file, ok := a.Store.File(f.SHA256)
		if !ok {
			t.Fatalf("%s is not in the store after it was fetched", f.Name)
		}
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		// Tarballs have one directory at the top.
		if err := archive.UnpackTarFile(t.Context(), file, dir, archive.UnpackOptions{Strip: 1}); err != nil {
			t.Fatal(err)
		}
		return dir, debian.Upstream(p.Version)
	}
	t.Fatalf("source package %s has no .orig.tar: %v", name, p.Files)
	return "", ""
}

// projectIn writes an xbuild.toml for platforms into a directory of sources.
func projectIn(t *testing.T, dir string, platforms []string, text string) {
	t.Helper()
	text = "[project]\nplatforms = " + quoted(platforms) + "\n" + text
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// some are the platforms of an upstream source: all eleven in full, else those that are named. Together the sources of
// the small form have every platform.
func some(names ...string) []string {
	if full() {
		return eleven
	}
	return names
}

// onEach runs a test for each platform, side by side.
func onEach(t *testing.T, platforms []string, do func(t *testing.T, name string)) {
	t.Helper()
	t.Run("run", func(t *testing.T) {
		for _, name := range platforms {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				do(t, name)
			})
		}
	})
}

// prints runs a program under QEMU and holds what it prints against text that has to be in it.
func prints(t *testing.T, dir, name, file string, args []string, want ...string) {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	if !isFor(t, file, p) {
		return
	}
	r := underQEMU(t, dir, name, file, args...)
	if r.code != 0 {
		t.Errorf("%s for %s: %v", filepath.Base(file), name, r)
		return
	}
	for _, w := range want {
		if !strings.Contains(r.stdout+r.stderr, w) {
			t.Errorf("%s for %s: %v\nwant in it:\n%s", filepath.Base(file), name, r, w)
		}
	}
}

// defined is the string that a header defines a macro as.
func defined(t *testing.T, header, macro string) string {
	t.Helper()
	data, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^#\s*define\s+` + macro + `\s+"?([^"\s]+)`).FindSubmatch(data)
	if m == nil {
		t.Fatalf("%s does not define %s", header, macro)
	}
	return string(m[1])
}

// text is some that compresses, the same on every run.
func text() []byte {
	var b strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&b, "line %d: the quick brown fox jumps over %d lazy dogs\n", i, i*i%977)
	}
	return []byte(b.String())
}

// roundTrip packs a file with a platform's program and unpacks it with the same: the program may have to swap bytes,
// and must not show it.
func roundTrip(t *testing.T, dir, name, file string, pack, unpack []string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(data, text(), 0o644); err != nil {
		t.Fatal(err)
	}
	packed := underQEMU(t, dir, name, file, append(pack, data)...)
	if packed.code != 0 || len(packed.stdout) == 0 || len(packed.stdout) >= len(text()) {
		t.Errorf("packing on %s: code %d, %d bytes of %d\n%s", name, packed.code, len(packed.stdout), len(text()), packed.stderr)
		return
	}
	if err := os.WriteFile(data, []byte(packed.stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := underQEMU(t, dir, name, file, append(unpack, data)...); got.code != 0 || got.stdout != string(text()) {
		t.Errorf("unpacking on %s: code %d, %d bytes, want %d\n%s", name, got.code, len(got.stdout), len(text()), got.stderr)
	}
}

// TestUpstream builds projects as their authors publish them, without a change, for all eleven platforms, and runs what
// they made.
func TestUpstream(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct {
		name string
		test func(*testing.T)
		full bool // takes minutes
	}{
		{"xz with autotools", testXZ, false}, // the longest first
		{"zlib with cc", testZlibCC, false},
		{"zlib with its own configure", testZlibConfigure, false},
		{"lua with make", testLua, false},
		{"cjson with cmake", testCJSON, false},
		{"inih with meson", testInih, false},
		{"lz4 with cmake", testLZ4, true},
		{"jsoncpp with cmake", testJSONCPP, true},
		{"zstd with cmake and with make", testZstd, true},
		{"fmt with cmake", testFmt, true},
		{"hello with autotools", testHello, true},
		{"lzip with autotools", testLzip, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.full && !full() {
				t.Skip("XBUILD_E2E=full runs it")
			}
			t.Parallel()
			c.test(t)
		})
	}
}

func testZlibCC(t *testing.T) {
	platforms := some("linux/amd64", "linux/arm/v5", "linux/ppc64le", "linux/loong64")
	dir, _ := upstream(t, "zlib")
	// The defines are what its configure finds out on any Unix.
	projectIn(t, dir, platforms, `
[target.example]
recipe = "cc"
sources = ["*.c", "test/example.c"]
includes = ["."]
defines = ["HAVE_UNISTD_H", "HAVE_STDARG_H"]

[target.minigzip]
recipe = "cc"
sources = ["*.c", "test/minigzip.c"]
includes = ["."]
defines = ["HAVE_UNISTD_H", "HAVE_STDARG_H"]
`)
	build(t, dir)
	onEach(t, platforms, func(t *testing.T, name string) {
		exampleWorks(t, dir, name, built(dir, name, "example"), built(dir, name, "minigzip"))
	})
}

// testZlibConfigure runs zlib's own configure and Makefile, as no recipe is made for them, in the environment of xbuild
// exec.
func testZlibConfigure(t *testing.T) {
	source, _ := upstream(t, "zlib")
	for _, name := range some("linux/arm/v6") {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			projectIn(t, dir, []string{name}, "")
			for _, command := range [][]string{{"sh", "./configure", "--static"}, {"make", "-j2", "libz.a", "example", "minigzip"}} {
				if r := xbuild(t, dir, append([]string{"exec", "-q", "-p", name, "--"}, command...)...); r.code != 0 {
					t.Fatalf("%s: %v", strings.Join(command, " "), r)
				}
			}
			exampleWorks(t, dir, name, filepath.Join(dir, "example"), filepath.Join(dir, "minigzip"))
		})
	}
}

// exampleWorks runs zlib's own example and a round trip through minigzip.
func exampleWorks(t *testing.T, dir, name, example, minigzip string) {
	t.Helper()
	version := defined(t, filepath.Join(dir, "zlib.h"), "ZLIB_VERSION")
	scratch := filepath.Join(t.TempDir(), "foo.gz")
	prints(t, dir, name, example, []string{scratch}, "zlib version "+version+" = ", "uncompress(): hello, hello!", "gzread(): hello, hello!",
		"inflate(): hello, hello!", "large_inflate(): OK", "after inflateSync(): hello, hello!", "inflate with dictionary: hello, hello!")
	roundTrip(t, dir, name, minigzip, []string{"-c"}, []string{"-c", "-d"})
}

// script is run by the lua of each platform. It prints what must be the same, and first what the platform decides.
const script = `
print(string.pack("=I4", 1):byte(1) == 1 and "little" or "big", string.packsize("T"), string.packsize("j"), string.packsize("n"))
print(_VERSION, math.maxinteger, math.mininteger, 7 // -2, 7 % -2, 7.5 // 2, 1e15, 2^53, 0x7fffffffffffffff + 1)
print(string.pack(">I4", 0x01020304):byte(1, -1))
print(string.unpack("<d", string.pack("<d", 3.14159265358979)))
print(string.format("%q %5.2f %x %a", "a\0b", 2 / 3, 255, 0.5))
local t = {}
for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do t[#t + 1] = w end
table.sort(t, function(a, b) return a < b end)
print(table.concat(t, " "))
local gen = coroutine.wrap(function() local a, b = 0, 1 while true do coroutine.yield(a) a, b = b, a + b end end)
local n for _ = 1, 91 do n = gen() end
print(n, pcall(error, { code = 42 }), select("#", table.unpack({}, 1, 250)))
print(utf8.char(228, 8364, 128512), utf8.len("äöü"), os.time({ year = 2033, month = 5, day = 18, hour = 12, isdst = false }) > 0)
local x = 1 for i = 1, 1000000 do x = (x * 6364136223846793005 + 1442695040888963407) ~ (x >> 13) end
print(x)
`

func testLua(t *testing.T) {
	platforms := some("linux/386", "linux/arm64", "linux/s390x", "linux/mips64le")
	dir, _ := upstream(t, "lua5.4")
	projectIn(t, dir, platforms, `
[target.lua]
recipe = "make"
targets = ["linux"]
outputs = ["src/lua", "src/luac", "src/liblua.a"]
static = true
vars = { MYLDFLAGS = "-static" }
`)
	build(t, dir)
	file := filepath.Join(t.TempDir(), "test.lua")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	outputs := map[string]string{}
	onEach(t, platforms, func(t *testing.T, name string) {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if !isFor(t, built(dir, name, "lua"), p) {
			return
		}
		r := underQEMU(t, dir, name, built(dir, name, "lua"), file)
		head, rest, _ := strings.Cut(r.stdout, "\n")
		order, size := "little", 8
		if p.BigEndian() {
			order = "big"
		}
		if p.Class == elf.ELFCLASS32 {
			size = 4
		}
		if want := fmt.Sprintf("%s\t%d\t8\t8", order, size); r.code != 0 || head != want {
			t.Errorf("%s: %v\nwant first:\n%s", name, r, want)
		}
		for _, want := range []string{
			"Lua 5.4\t9223372036854775807\t-9223372036854775808\t-4\t-1\t3.0\t1e+15\t9.007199254741e+15\t-9223372036854775808\n",
			"\n1\t2\t3\t4\n", "brown dog fox jumps lazy over quick the the", "\n2880067194370816120\tfalse\t250\n", "\nä€😀\t3\ttrue\n",
		} {
			if !strings.Contains("\n"+rest, want) {
				t.Errorf("%s printed\n%s\nwant in it:\n%s", name, rest, want)
			}
		}
		// A compiled chunk holds sizes and byte order: the platform's own luac and lua must agree.
		chunk := filepath.Join(t.TempDir(), "test.luac")
		if r := underQEMU(t, dir, name, built(dir, name, "luac"), "-o", chunk, file); r.code != 0 {
			t.Errorf("luac for %s: %v", name, r)
		} else if again := underQEMU(t, dir, name, built(dir, name, "lua"), chunk); steady(again.stdout) != steady(r.stdout+head+"\n"+rest) {
			t.Errorf("%s: the compiled script printed\n%s\nthe script itself\n%s", name, again, head+"\n"+rest)
		}
		mu.Lock()
		defer mu.Unlock()
		outputs[name] = steady(rest)
	})
	for name, out := range outputs {
		if out != outputs[platforms[0]] {
			t.Errorf("%s printed\n%s\nbut %s\n%s", name, out, platforms[0], outputs[platforms[0]])
		}
	}
}

var address = regexp.MustCompile(`table: 0x[0-9a-f]+`)

// steady leaves out addresses.
func steady(s string) string { return address.ReplaceAllString(s, "table") }

func testCJSON(t *testing.T) {
	platforms := some("linux/arm/v6", "linux/arm/v7", "linux/riscv64")
	dir, version := upstream(t, "cjson")
	tests := []string{"parse_number", "parse_string", "print_number", "compare_tests", "misc_tests"}
	if full() {
		tests = append(tests, "parse_hex4", "parse_array", "parse_object", "parse_value", "print_string", "print_array", "print_object", "print_value",
			"parse_with_opts", "cjson_add", "readme_examples", "minify_tests")
	}
	projectIn(t, dir, platforms, fmt.Sprintf(`
[target.cjson]
recipe = "cmake"
targets = %s
outputs = %s
static = true
`, quoted(append([]string{"cJSON_test"}, tests...)), quoted(append([]string{"cJSON_test"}, under("tests/", tests)...))))
	build(t, dir)
	onEach(t, platforms, func(t *testing.T, name string) {
		prints(t, dir, name, built(dir, name, "cJSON_test"), nil, "Version: "+version, `"name":	"Jack (\"Bee\") Nimble"`, `"Latitude":	37.7668`)
		for _, test := range tests {
			prints(t, dir, name, built(dir, name, test), nil, " Tests 0 Failures ")
		}
	})
}

func under(dir string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = dir + n
	}
	return out
}

func testLZ4(t *testing.T) {
	dir, version := upstream(t, "lz4")
	projectIn(t, dir, eleven, `
[target.lz4]
recipe = "cmake"
source = "build/cmake"
inputs = ["lib/**", "programs/**"]
outputs = ["lz4"]
`)
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		prints(t, dir, name, built(dir, name, "lz4"), []string{"--version"}, "v"+version)
		roundTrip(t, dir, name, built(dir, name, "lz4"), []string{"-9", "-c"}, []string{"-d", "-c"})
	})
}

func testJSONCPP(t *testing.T) {
	dir, _ := upstream(t, "libjsoncpp")
	// Its build runs jsoncpp_test by itself when it is made, through CMAKE_CROSSCOMPILING_EMULATOR.
	projectIn(t, dir, eleven, `
[target.jsoncpp]
recipe = "cmake"
outputs = ["bin/jsoncpp_test"]
static = true
`)
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		prints(t, dir, name, built(dir, name, "jsoncpp_test"), nil, "All ", " tests passed")
	})
}

func testZstd(t *testing.T) {
	dir, version := upstream(t, "libzstd")
	projectIn(t, dir, eleven, `
[target.cmake]
recipe = "cmake"
source = "build/cmake"
inputs = ["lib/**", "programs/**"]
outputs = { zstd-cmake = "programs/zstd" }

[target.make]
recipe = "make"
targets = ["zstd"]
outputs = { zstd-make = "programs/zstd" }
`)
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		for _, file := range []string{"zstd-cmake", "zstd-make"} {
			prints(t, dir, name, built(dir, name, file), []string{"--version"}, "v"+version)
			roundTrip(t, dir, name, built(dir, name, file), []string{"-19", "-c"}, []string{"-d", "-c"})
		}
	})
}

func testFmt(t *testing.T) {
	dir, _ := upstream(t, "fmtlib")
	projectIn(t, dir, eleven, `
[target.fmt]
recipe = "cmake"
targets = ["args-test", "chrono-test", "format-test"]
outputs = ["bin/*-test"]
defines = { FMT_TEST = "ON" }
opt = "0"
`)
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		for _, file := range []string{"args-test", "format-test"} {
			prints(t, dir, name, built(dir, name, file), nil, "[  PASSED  ]")
		}
	})
}

// testXZ builds a project of autoconf, automake and libtool as a shared library with a program, and statically, and
// runs its own tests: those that are programs, which libtool has linked with the library that is not installed yet.
func testXZ(t *testing.T) {
	dir, version := upstream(t, "xz-utils")
	projectIn(t, dir, some("linux/s390x"), `
[target.shared]
recipe = "autotools"
options = ["--disable-nls", "--disable-doc", "--disable-scripts"]
install = true
dest = "shared"
vars = { TESTS = "test_check test_hardware test_stream_flags test_filter_flags test_block_header test_index test_vli" }

[target.static]
recipe = "autotools"
options = ["--disable-nls", "--disable-doc", "--disable-scripts"]
outputs = ["src/xz/xz"]
static = true
test = false
`)
	build(t, dir)
	results, _ := tested(t, dir, 0, "--emulate")
	for _, name := range some("linux/s390x") {
		if r := results["shared"][name]; r.Result != execute.Passed || !strings.Contains(r.Output, "# PASS:  7") {
			t.Errorf("make check for %s: %+v", name, r)
		}
		prints(t, dir, name, built(dir, name, "xz"), []string{"--version"}, "xz (XZ Utils) "+version, "liblzma "+version)
		roundTrip(t, dir, name, built(dir, name, "xz"), []string{"-6", "-c"}, []string{"-d", "-c"})
		if _, err := os.Stat(built(dir, name, "shared/usr/lib/liblzma.so.5")); err != nil {
			t.Error(err)
		}
	}
	if r := xbuild(t, dir, "build"); !strings.Contains(r.stderr, fmt.Sprintf("0 built, %d up to date", 2*len(some("linux/s390x")))) {
		t.Errorf("a second build does something:\n%v", r)
	}
}

// testHello builds a project whose config.sub is of 2014 and knows neither riscv64 nor loong64.
func testHello(t *testing.T) {
	dir, version := upstream(t, "hello")
	projectIn(t, dir, append(slices.Clone(eleven), "windows/amd64"), `
[target.hello]
recipe = "autotools"
options = ["--disable-nls"]
install = true
`)
	build(t, dir)
	for _, name := range eleven {
		prints(t, dir, name, built(dir, name, "usr/bin/hello"), []string{"--version"}, "hello (GNU Hello) "+version)
	}
	if data, err := os.ReadFile(built(dir, "windows/amd64", "usr/bin/hello.exe")); err != nil || !strings.HasPrefix(string(data), "MZ") {
		t.Errorf("no program for Windows: %v", err)
	}
}

// testLzip builds a C++ program whose configure script is written by hand and reads flags from its arguments alone.
func testLzip(t *testing.T) {
	dir, version := upstream(t, "lzip")
	projectIn(t, dir, eleven, `
[target.lzip]
recipe = "autotools"
options = ["LDFLAGS=--static"]
outputs = ["lzip"]
static = true
`)
	build(t, dir)
	for _, name := range eleven {
		prints(t, dir, name, built(dir, name, "lzip"), []string{"--version"}, "lzip "+version)
		roundTrip(t, dir, name, built(dir, name, "lzip"), []string{"-9", "-c"}, []string{"-d", "-c"})
	}
}

// testInih builds a C and a C++ library, and examples that link them, by Meson.
func testInih(t *testing.T) {
	dir, _ := upstream(t, "libinih")
	projectIn(t, dir, some("linux/s390x"), `
[target.inih]
recipe = "meson"
outputs = ["examples/unittest_INIReaderExample"]
static = true
`)
	build(t, dir)
	for _, name := range some("linux/s390x") {
		example := built(dir, name, "unittest_INIReaderExample")
		r := underQEMU(t, filepath.Join(dir, "examples"), name, example)
		if r.code != 0 || !strings.Contains(r.stdout, "Config loaded from 'test.ini'") {
			t.Errorf("%s: %v", name, r)
		}
	}
}
