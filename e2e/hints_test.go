package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/hosttools"
)

// A hintCase is a project that goes wrong, what xbuild says of it, and that advice done.
type hintCase struct {
	name, platform string
	target         string            // its table in xbuild.toml, without the head
	files          map[string]string // the others
	before         [][]string        // arguments of xbuild before the build
	row            string            // the [[explain]] that answers, see hintRow; empty where the program itself does
	listed         bool              // it answers with its "listed"
	hint           string            // a part of what is said
	old, mend      string            // in xbuild.toml mend takes the place of old, or without an old stands at the end
	mended         map[string]string // files that are written anew
	onHost         map[string]string // programs that the host has
	installed      string            // one that it has from the mending on
	do             [][]string        // arguments of xbuild that mend it
	undone         string            // why the advice is not done; nothing is mended then
	args           []string          // further arguments of xbuild build, in both builds
	store          bool              // xbuild has a store of its own, with nothing in it
	home           bool              // Cargo has a home of its own, with nothing in it
	full           bool              // with XBUILD_E2E=full alone
}

// hintRows are the [[explain]] tables, by the name of their definition and a colon in front of their expression.
func hintRows(t *testing.T) map[string]catalog.Explain {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]catalog.Explain{}
	add := func(name string, list []catalog.Explain) {
		for _, e := range list {
			rows[name+": "+e.Match] = e
		}
	}
	for _, d := range c.Toolchains {
		add(d.Name, d.Explain)
	}
	for _, r := range c.Recipes {
		add("recipe "+r.Name, r.Explain)
	}
	add("hosttools", hosttools.Explain())
	return rows
}

// hintRow is the key of the one row that a case names: its definition and a part of its expression, "cmake: No
// CMAKE_Fortran_COMPILER".
func hintRow(t *testing.T, rows map[string]catalog.Explain, named string) string {
	t.Helper()
	name, part, _ := strings.Cut(named, ": ")
	found := ""
	for key := range rows {
		if match, ok := strings.CutPrefix(key, name+": "); ok && strings.Contains(match, part) {
			if found != "" {
				t.Fatalf("%q is a part of two rows, %q and %q", named, found, key)
			}
			found = key
		}
	}
	if found == "" {
		t.Fatalf("no [[explain]] of %s has %q in its expression", name, part)
	}
	return found
}

var hintWord = regexp.MustCompile(`\\\{[a-z0-9]+\\\}`)

// said is an expression of what a hint becomes when its words are filled in.
func said(hint string) *regexp.Regexp {
	return regexp.MustCompile("hint: " + hintWord.ReplaceAllString(regexp.QuoteMeta(hint), `.+`))
}

// TestHintsOfAllRows: each [[explain]] is tried on the message of the real tool and its advice is done, by a case of
// TestHints or by a test of hintsElsewhere, or there is a reason why that cannot be.
func TestHintsOfAllRows(t *testing.T) {
	rows := hintRows(t)
	tried := map[string]string{} // row -> by which test
	note := func(named string, listed bool, by string) {
		key := hintRow(t, rows, named)
		if listed {
			if rows[key].Listed == "" {
				t.Errorf("%s: %q has no second hint", by, named)
			}
			key += " (listed)"
		}
		if tried[key] == "" {
			tried[key] = by
		}
	}
	for _, c := range hintCases {
		if c.row == "" {
			continue
		}
		if c.undone+c.old+c.mend+c.installed == "" && c.do == nil && c.mended == nil {
			t.Errorf("TestHints/%s: nothing is done", c.name)
		}
		note(c.row, c.listed, "TestHints/"+c.name)
	}
	tests := testNames(t)
	for _, e := range hintsElsewhere {
		if e.test != "" && !tests[e.test] {
			t.Errorf("there is no %s, which tries %q", e.test, e.row)
		}
		if e.test == "" && e.why == "" {
			t.Errorf("%q is tried by no test, and nothing says why", e.row)
		}
		note(e.row, false, e.test+e.why)
	}
	for key, e := range rows {
		if tried[key] == "" {
			t.Errorf("no test tries the explanation %q\nwhose hint is %q: add a case to hintCases", key, e.Hint)
		}
		if e.Listed != "" && tried[key+" (listed)"] == "" {
			t.Errorf("no test tries the explanation %q where the package is listed\nwhose hint is %q: add a case to hintCases", key, e.Listed)
		}
	}
}

// testNames are the test functions of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}

// TestHints: what goes wrong is explained on the real message of the tool, and what the explanation advises mends the
// build.
func TestHints(t *testing.T) {
	needNetwork(t)
	rows := hintRows(t)
	for _, c := range hintCases {
		t.Run(c.name, func(t *testing.T) {
			if c.full && !full() {
				t.Skip("with XBUILD_E2E=full")
			}
			c.run(t, rows)
		})
	}
}

func (c hintCase) run(t *testing.T, rows map[string]catalog.Explain) {
	if c.installed == "" && c.onHost == nil && !c.store && !c.home { // else it has variables of its own
		t.Parallel()
	}
	bin := t.TempDir()
	if c.installed != "" || c.onHost != nil {
		t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if c.store {
		store := t.TempDir()
		t.Setenv("XBUILD_STORE", store)
		t.Setenv("XBUILD_E2E_STORE", store)
	}
	if c.home {
		t.Setenv("CARGO_HOME", t.TempDir())
	}
	toml := "[project]\nplatforms = [\"" + c.platform + "\"]\n[target.app]\n" + c.target
	files := maps.Clone(c.files)
	files["xbuild.toml"] = toml
	dir := write(t, files)
	for name, text := range c.onHost {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range c.before {
		if r := xbuild(t, dir, args...); r.code != 0 {
			t.Fatalf("xbuild %q: %v", args, r)
		}
	}
	build := append([]string{"build", "-q"}, c.args...)
	r := xbuild(t, dir, build...)
	if r.code != 1 || !strings.Contains(r.stderr, c.hint) {
		t.Fatalf("want it to fail with a hint that says %q\n%v", c.hint, r)
	}
	if c.row != "" {
		e := rows[hintRow(t, rows, c.row)]
		hint := e.Hint
		if c.listed {
			hint = e.Listed
		}
		if !said(hint).MatchString(r.stderr) || !regexp.MustCompile("(?m)"+e.Match).MatchString(r.stderr) {
			t.Fatalf("the row %q has not said %q\n%v", c.row, hint, r)
		}
	}
	if c.undone != "" {
		t.Logf("the advice is not done: %s", c.undone)
		return
	}
	switch {
	case c.old == "":
		toml += c.mend
	case !strings.Contains(toml, c.old):
		t.Fatalf("there is no %q to replace", c.old)
	default:
		toml = strings.Replace(toml, c.old, c.mend, 1)
	}
	mended := maps.Clone(c.mended)
	if mended == nil {
		mended = map[string]string{}
	}
	mended["xbuild.toml"] = toml
	for name, text := range mended {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if c.installed != "" {
		if err := os.WriteFile(filepath.Join(bin, c.installed), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range c.do {
		if r := xbuild(t, dir, args...); r.code != 0 {
			t.Fatalf("what is advised, xbuild %q, does not work: %v", args, r)
		}
	}
	if r := xbuild(t, dir, build...); r.code != 0 {
		t.Errorf("what is advised does not mend it: %v", r)
	}
}

// picked is assembly for 386 in two forms, that for any address where PIC asks for it.
const picked = "#ifdef PIC\n#define LOAD call here; here: popl %eax; movl value-here(%eax), %eax\n#else\n#define LOAD movl value, %eax\n#endif\n" +
	".globl get\nget: LOAD\n ret\n.data\nvalue: .long 7\n.section .note.GNU-stack,\"\",%progbits\n"

const caller = "int get(void);\nint main(void) { return get() != 7; }\n"

// hintCases: those that a newcomer meets first stand first.
var hintCases = slices.Concat([]hintCase{
	{name: "native", row: `clang: unsupported argument 'native'`, platform: "linux/arm64", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "Makefile": "TUNE = -O2 \\\n  -march=native\napp: main.c\n\t$(CC) $(TUNE) -o app main.c\n"},
		hint:  "ask for the processor of the machine that compiles: Makefile:2. xbuild compiles for what linux/arm64 promises",
		mend:  "vars = { TUNE = \"\" }\n"},
	{name: "native in CMake", row: `clang: unsupported argument 'native'`, platform: "linux/s390x", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nset(TUNE -mtune=native CACHE STRING \"\")\nadd_executable(app main.c)\ntarget_compile_options(app PRIVATE ${TUNE})\n"},
		hint:  "ask for the processor of the machine that compiles: CMakeLists.txt:3.",
		mend:  "defines = { TUNE = \"\" }\n"},
	{name: "PIC", row: `clang: (?:local )?symbol`, platform: "linux/386", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
		files: map[string]string{"get.S": picked, "main.c": caller, "Makefile": "app: get.o main.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n"},
		hint:  "an object is made for a fixed address",
		mend:  "vars = { ASFLAGS = \"-fPIC -DPIC\" }\n"},
	{name: "no PIC", row: `clang: (?:local )?symbol`, platform: "linux/386", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
		files: map[string]string{"get.S": picked, "main.c": caller, "Makefile": "app: get.o main.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n"},
		hint:  "ldflags = [\"-no-pie\"] under [platform.\"linux/386\"]",
		mend:  "[platform.\"linux/386\"]\nldflags = [\"-no-pie\"]\n"},
	{name: "PIC in CMake", row: `clang: (?:local )?symbol`, platform: "linux/386", target: "recipe = \"cmake\"\noutputs = [\"libapp.so\"]\n", full: true,
		files: map[string]string{"get.S": strings.ReplaceAll(picked, "ifdef PIC", "ifdef __PIC__"), "main.c": caller,
			"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C ASM)\nadd_library(get STATIC get.S)\nset_property(TARGET get PROPERTY COMPILE_OPTIONS -fno-pic -fno-pie)\nif(CMAKE_POSITION_INDEPENDENT_CODE)\nset_property(TARGET get PROPERTY COMPILE_OPTIONS)\nendif()\nadd_library(app SHARED main.c)\ntarget_link_libraries(app get)\n"},
		hint: "defines = { CMAKE_POSITION_INDEPENDENT_CODE = \"ON\" }",
		mend: "defines = { CMAKE_POSITION_INDEPENDENT_CODE = \"ON\" }\n"},
	{name: "a package that no table has", row: `pkgconf: The system library`, platform: "linux/arm64", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
		files: map[string]string{"main.c": "#include <sasl/sasl.h>\nint main(void) { return sasl_version == 0; }\n", "Makefile": "app: main.c\n\tpkg-config --exists --print-errors libsasl2\n\t$(CC) -o app main.c $$(pkg-config --cflags --libs libsasl2)\n"},
		hint:  "pkg-config finds no libsasl2 for linux/arm64: add \"libsasl2-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"libsasl2-dev\"]\n"},
	{name: "a header that no table has", row: `clang: ([^']+)' file not found`, platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\nlibs = [\"sasl2\"]\n", full: true,
		files: map[string]string{"main.c": "#include <sasl/sasl.h>\nint main(void) { return sasl_version == 0; }\n"},
		hint:  "has sasl/sasl.h: if it belongs to a library, add \"libsasl2-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"libsasl2-dev\"]\n"},
	{name: "private libraries", platform: "linux/arm/v6", target: "recipe = \"cc\"\nsources = [\"main.c\"]\npkg-config = [\"libssl\"]\n", full: true,
		files: map[string]string{"main.c": "#include <openssl/ssl.h>\nint main(void) { return SSL_CTX_new(TLS_method()) == 0; }\n"},
		hint:  "add \"libssl-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"libssl-dev\", \"zlib1g-dev\", \"libzstd-dev\"]\n"},
	{name: "private libraries, at once", platform: "linux/arm/v6", target: "recipe = \"make\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libssl-dev\"]\n[target.app.env]\nNONE = \"\"\n", full: true,
		files: map[string]string{"main.c": "#include <openssl/ssl.h>\nint main(void) { return SSL_CTX_new(TLS_method()) == 0; }\n", "Makefile": "app: main.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o app main.c $(LIBS)\nLIBS = $(shell pkg-config --static --libs libssl)\n"},
		hint:  "has: z (libcrypto.pc), zstd (libcrypto.pc). For all of it, add to packages in xbuild.toml:7: [sysroot]: \"zlib1g-dev\", \"libzstd-dev\"",
		mend:  "[platform.\"linux/arm/v6\"]\npackages = [\"zlib1g-dev\", \"libzstd-dev\"]\n"},
	{name: "a package of CMake's", row: `cmake: Could NOT find ([`, platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nfind_package(ZLIB REQUIRED)\nadd_executable(app main.c)\n"},
		hint:  "CMake finds no ZLIB for linux/arm64: if it is a library, add \"zlib1g-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	{name: "a program for CMake", row: `cmake: protoc) executable`, platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nfind_package(BISON REQUIRED)\nadd_executable(app main.c)\n"},
		hint:  "write tools = [\"bison\"] in [target.app]",
		mend:  "tools = [\"bison\"]\n"},
	{name: "CMake's Protobuf, listed", row: `cmake: Could NOT find ([`, listed: true, platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libprotobuf-dev\"]\n", full: true,
		files:  map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(Protobuf 99 REQUIRED)\nadd_executable(app main.c)\n"},
		hint:   "although \"libprotobuf-dev\" is in ",
		mended: map[string]string{"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(Protobuf REQUIRED)\nadd_executable(app main.c)\n"}},
	{name: "a version for CMake", row: `cmake: files were considered`, platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libfmt-dev\"]\n", full: true,
		files:  map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(fmt 99 CONFIG REQUIRED)\nadd_executable(app main.c)\n"},
		hint:   "and not of one that the project takes",
		mended: map[string]string{"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(fmt CONFIG REQUIRED)\nadd_executable(app main.c)\n"}},
	{name: "a dependency of Meson's", row: `meson: Dependency "`, platform: "linux/arm64", target: "recipe = \"meson\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "meson.build": "project('app', 'c')\nexecutable('app', 'main.c', dependencies: dependency('zlib'))\n"},
		hint:  "Meson finds no zlib for linux/arm64: add \"zlib1g-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	{name: "a program for Meson", row: `meson: ERROR: Program `, platform: "linux/arm64", target: "recipe = \"meson\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": "int main(void) { return 0; }\n", "meson.build": "project('app', 'c')\nfind_program('gperf')\nexecutable('app', 'main.c')\n"},
		hint:  "write tools = [\"gperf\"] in [target.app]",
		mend:  "tools = [\"gperf\"]\n"},
	{name: "a library to link", row: `clang: unable to find library`, platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\nlibs = [\"sqlite3\"]\n",
		files: map[string]string{"main.c": "int main(void) { return 0; }\n"},
		hint:  "has no library sqlite3: add \"libsqlite3-dev\" to packages in ",
		mend:  "[sysroot]\npackages = [\"libsqlite3-dev\"]\n"},
	{name: "C of before 1999", row: `clang: call to undeclared`, platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\n",
		files: map[string]string{"main.c": "int main(void) { return puts(\"\") < 0; }\n"},
		hint:  "or write lenient = true in ",
		mend:  "lenient = true\n"},
	{name: "an old Go", row: `go: requires go`, platform: "linux/arm64", target: "recipe = \"go\"\n[target.app.env]\nGOTOOLCHAIN = \"local\"\n", full: true,
		files: map[string]string{"main.go": "package main\n\nfunc main() {}\n", "go.mod": "module app\n\ngo 1.26\n"},
		hint:  "the module wants Go 1.26 or later: write go = \">=1.26\" into [toolchains]",
		mend:  "[toolchains]\ngo = \">=1.26\"\n"},
}, hintsOfTools, hintsOfAutotools, hintsOfC, hintsOfCMake, hintsOfMeson, hintsOfGo, hintsOfRust, hintsOfZig)
