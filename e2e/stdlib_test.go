package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// A feature of C++ by the name of its feature test macro, in testdata/cxx23.toml.
type feature struct {
	Macro   string
	When    string
	Headers []string
	Top     string
	Code    string
}

func (f feature) condition() string {
	if f.When != "" {
		return f.When
	}
	return "defined " + f.Macro
}

// cxx23 is a program that uses each of the features which the library and the compiler say they have, and prints of
// each whether it has it: yes, no, or wrong.
func cxx23(t *testing.T) (string, []feature) {
	t.Helper()
	var file struct{ Feature []feature }
	if _, err := toml.DecodeFile("testdata/cxx23.toml", &file); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("#include <version>\n#include <cstdio>\n")
	for i, f := range file.Feature {
		fmt.Fprintf(&b, "#if %s\n", f.condition())
		for _, h := range f.Headers {
			fmt.Fprintf(&b, "#include <%s>\n", h)
		}
		fmt.Fprintf(&b, "%s\nstatic bool feature%d() { %s }\n#endif\n", f.Top, i, f.Code)
	}
	b.WriteString("int main() {\n  int bad = 0;\n")
	for i, f := range file.Feature {
		fmt.Fprintf(&b, "#if %s\n  if (feature%d()) std::puts(%q); else std::puts(%q), bad = 1;\n#else\n  std::puts(%q);\n#endif\n",
			f.condition(), i, f.Macro+": yes", f.Macro+": wrong", f.Macro+": no")
	}
	b.WriteString("  return bad;\n}\n")
	return b.String(), file.Feature
}

// had reads what the program printed: by feature "yes" or "no".
func had(t *testing.T, r result, features []feature) map[string]string {
	t.Helper()
	if r.code != 0 {
		t.Errorf("the program with the features of C++23: %v", r)
	}
	out := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		for _, f := range features {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), f.Macro+": "); ok {
				out[f.Macro] = value
			}
		}
	}
	if len(out) != len(features) {
		t.Errorf("%d features of %d were told of", len(out), len(features))
	}
	return out
}

// promised is what a program has with libc++ on every floor: the pair of new C++ and an old glibc that stdlib is for.
var promised = []string{
	"__cpp_lib_format", "__cpp_lib_expected", "__cpp_lib_ranges", "__cpp_lib_print", "__cpp_lib_source_location",
	"__cpp_lib_jthread", "std::from_chars for floating point", "__cpp_lib_mdspan", "__cpp_lib_flat_map",
}

// suitesOf are the suites with glibc, the oldest first, and the platforms of each.
func suitesOf(t *testing.T) (suites []catalog.Suite, of map[string][]string) {
	t.Helper()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	of = map[string][]string{}
	suites = all.Sysroot("gnu").Suites
	for _, s := range suites {
		for _, name := range eleven {
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(s.Architectures, p.Sysroot) {
				of[s.Name] = append(of[s.Name], name)
			}
		}
	}
	return suites, of
}

// standardProject is the program for platforms, with the libraries of a suite.
func standardProject(t *testing.T, source, suite, stdlib string, names []string) string {
	return write(t, map[string]string{
		"xbuild.toml": fmt.Sprintf("[project]\nplatforms = %s\n[sysroot]\nsuite = %q\nstdlib = %q\n"+
			"[target.cxx23]\nrecipe = \"cc\"\nsources = [\"cxx23.cc\"]\ncxxflags = [\"-std=c++23\", \"-pthread\"]\nldflags = [\"-pthread\"]\nstatic = false\nopt = \"0\"\n",
			quoted(names), suite, stdlib),
		"cxx23.cc": source,
	})
}

// TestStandard builds a program with new C++ for the oldest floor of a platform, with both C++ libraries.
func TestStandard(t *testing.T) {
	needNetwork(t)
	source, features := cxx23(t)
	found := map[string]map[string]string{}
	for _, stdlib := range []string{"libstdc++", "libc++"} {
		dir := standardProject(t, source, "bullseye", stdlib, []string{"linux/amd64"})
		build(t, dir)
		found[stdlib] = had(t, xbuild(t, dir, "run", "-q", "-p", "linux/amd64", "--", built(dir, "linux/amd64", "cxx23")), features)
	}
	for _, f := range promised {
		if found["libc++"][f] != "yes" {
			t.Errorf("libc++ at glibc 2.31: %s: %q", f, found["libc++"][f])
		}
	}
	if found["libstdc++"]["__cpp_lib_format"] != "no" {
		t.Errorf("libstdc++ of GCC 10 has std::format: %q", found["libstdc++"]["__cpp_lib_format"])
	}
}

// TestStandardTable builds the program for linux/amd64, with the libstdc++ of each suite and with libc++ at the oldest
// floor, runs all of them, and holds docs/platforms.md against what they printed: with -update it writes it. Of all
// platforms it does so with XBUILD_E2E=full, with libc++ at each one's oldest floor: what is there on one has to be there
// on all. That takes half an hour of processor time, most of it for libc++ of each platform:
//
//	XBUILD_E2E=full go test ./e2e -run TestStandardTable -timeout 3h [-update]
func TestStandardTable(t *testing.T) {
	needNetwork(t)
	source, features := cxx23(t)
	suites, of := suitesOf(t)
	if !full() {
		for name := range of {
			of[name] = slices.DeleteFunc(of[name], func(p string) bool { return p != "linux/amd64" })
		}
	}
	var columns []string
	where := map[string]map[string]string{} // by column and feature: yes or no
	measure := func(column, suite, stdlib string, names []string) {
		dir := standardProject(t, source, suite, stdlib, names)
		build(t, dir)
		for _, name := range names {
			got := had(t, underQEMU(t, dir, name, built(dir, name, "cxx23")), features)
			t.Logf("%s: %s: %d features", column, name, len(got))
			before, ok := where[column]
			if !ok {
				columns, where[column] = append(columns, column), got
				continue
			}
			for _, f := range features {
				if before[f.Macro] != got[f.Macro] {
					t.Errorf("%s: %s: %s: %q, on other platforms %q", column, f.Macro, name, got[f.Macro], before[f.Macro])
				}
			}
		}
	}
	for _, s := range suites {
		measure(fmt.Sprintf("libstdc++ %s, glibc %s", s.GCC, s.Glibc), s.Name, "libstdc++", of[s.Name])
	}
	const libcxx = "libc++ 21, the oldest glibc"
	var done []string
	for _, s := range suites {
		oldest := slices.DeleteFunc(slices.Clone(of[s.Name]), func(name string) bool { return slices.Contains(done, name) })
		if done = append(done, oldest...); len(oldest) > 0 {
			measure(libcxx, s.Name, "libc++", oldest)
		}
	}
	for _, f := range promised {
		if where[libcxx][f] != "yes" {
			t.Errorf("libc++: %s: %q", f, where[libcxx][f])
		}
	}
	table := "| feature | " + strings.Join(columns, " | ") + " |\n|-|" + strings.Repeat("-|", len(columns)) + "\n"
	for _, f := range features {
		row := []string{"`" + f.Macro + "`"}
		for _, column := range columns {
			row = append(row, where[column][f.Macro])
		}
		table += "| " + strings.Join(row, " | ") + " |\n"
	}
	sameStandard(t, table)
}

// sameStandard holds the table of docs/platforms.md against what was measured.
func sameStandard(t *testing.T, table string) {
	t.Helper()
	const page, begin, end = "../docs/platforms.md", "<!-- standard: begin -->\n", "<!-- standard: end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), begin)
	was, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no markers %q and %q", page, begin, end)
	}
	if was == "\n"+table+"\n" {
		return
	}
	if !*update || t.Failed() {
		t.Errorf("%s: the table of C++ says something else; measured:\n%s", page, table)
		return
	}
	if err := os.WriteFile(page, []byte(head+begin+"\n"+table+"\n"+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestStdlib builds programs and a shared library with libc++ for glibc 2.31, by the recipes that compile C++: standard
// exceptions and casts go from a library with its own libc++ to a program with another, and what glibc unwinds by itself
// runs destructors.
func TestStdlib(t *testing.T) {
	needNetwork(t)
	const small = "#include <format>\n#include <iostream>\n#include <stdexcept>\nint main() {\n  try { throw std::runtime_error(std::format(\"{:03}\", 7)); } catch (const std::exception &e) { std::cout << e.what() << std::endl; }\n  return 0;\n}\n"
	const name = "linux/amd64"
	config := "[project]\nplatforms = [\"" + name + "\"]\n[sysroot]\nglibc = \"2.31\"\nstdlib = \"libc++\"\n" +
		"[target.greet]\nrecipe = \"cc\"\nkind = \"shared\"\nsource = \"lib\"\nsources = [\"*.cc\"]\ncxxflags = [\"-std=c++20\"]\n" +
		"[target.app]\nrecipe = \"cc\"\nsources = [\"app.cc\"]\ncxxflags = [\"-std=c++20\"]\nneeds = [\"greet\"]\n" +
		"[target.old]\nrecipe = \"cc\"\nsources = [\"old.cc\"]\nstdlib = \"libstdc++\"\n" +
		"[target.go]\nrecipe = \"go\"\nsource = \"go\"\ncgo = true\ndest = \"go\"\n" +
		"[target.rust]\nrecipe = \"rust\"\nsource = \"rust\"\ndest = \"rust\"\n"
	files := map[string]string{
		"lib/greet.h": "#include <stdexcept>\n#include <string>\nstruct Base { virtual ~Base() = default; };\nstruct Refused : std::runtime_error { using runtime_error::runtime_error; };\n" +
			"std::string greet(const std::string &name);\nBase *made();\nstruct Made : Base { int n = 4; };\n",
		"lib/greet.cc": "#include \"greet.h\"\n#include <format>\n#include <map>\nstd::string greet(const std::string &name) {\n  if (name == \"own\") throw Refused(\"refused\");\n  if (name == \"standard\") (void)std::map<int, int>().at(1);\n" +
			"  if (name == \"cast\") (void)dynamic_cast<Made &>(*std::make_unique<Base>());\n  return std::format(\"hello {}\", name);\n}\nBase *made() { return new Made; }\n",
		"app.cc": `#include "greet.h"
#include <iostream>
#include <pthread.h>
#include <thread>
#include <typeinfo>
struct End { const char *what; ~End() { std::cout << what << std::endl; } };
int main() {
  std::cout << greet("you") << std::endl;
  try { greet("own"); } catch (const std::runtime_error &e) { std::cout << e.what() << std::endl; }
  try { greet("standard"); } catch (const std::out_of_range &) { std::cout << "out of range" << std::endl; }
  try { greet("cast"); } catch (const std::bad_cast &) { std::cout << "bad cast" << std::endl; }
  std::cout << dynamic_cast<Made *>(made())->n << std::endl;
  pthread_t t;
  pthread_create(&t, nullptr, [](void *) -> void * { End e{"left by pthread_exit"}; pthread_exit(nullptr); }, nullptr);
  pthread_join(t, nullptr);
  pthread_create(&t, nullptr, [](void *) -> void * { End e{"cancelled"}; for (;;) std::this_thread::sleep_for(std::chrono::seconds(1)); }, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  pthread_cancel(t);
  pthread_join(t, nullptr);
}
`,
		"old.cc":               "#include <iostream>\n#ifndef __GLIBCXX__\n#error another library\n#endif\nint main() { std::cout << \"old\" << std::endl; }\n",
		"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(small CXX)\nset(CMAKE_CXX_STANDARD 20)\nadd_executable(small small.cpp)\n",
		"make/Makefile":        "small: small.cpp\n\t$(CXX) -std=c++20 $(CXXFLAGS) -o $@ $< -lstdc++\n",
		"meson/meson.build":    "project('small', 'cpp', default_options: ['cpp_std=c++20'])\nexecutable('small', 'small.cpp')\n",
		"go/go.mod":            "module example.com/small\n",
		"go/main.go":           "package main\n\n// #cgo CXXFLAGS: -std=c++20\n// int small(void);\nimport \"C\"\n\nfunc main() { C.small() }\n",
		"go/small.cpp":         "extern \"C\" int small();\n#define main small_main\n" + small + "#undef main\nint small() { return small_main(); }\n",
		"rust/Cargo.toml":      "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[build-dependencies]\ncc = \"1\"\n",
		"rust/build.rs":        "fn main() {\n    cc::Build::new().cpp(true).std(\"c++20\").file(\"small.cpp\").compile(\"small\");\n}\n",
		"rust/src/main.rs":     "extern \"C\" {\n    fn small() -> i32;\n}\nfn main() {\n    std::process::exit(unsafe { small() });\n}\n",
		"rust/small.cpp":       "extern \"C\" int small();\n#define main small_main\n" + small + "#undef main\nint small() { return small_main(); }\n",
	}
	for _, r := range []string{"cmake", "make", "meson"} {
		files[r+"/small.cpp"] = small
		config += "[target." + r + "]\nrecipe = \"" + r + "\"\nsource = \"" + r + "\"\noutputs = [\"small\"]\ndest = \"" + r + "\"\n"
	}
	files["xbuild.toml"] = config
	dir := write(t, files)
	build(t, dir)
	for file, want := range map[string]string{
		"app":         "hello you\nrefused\nout of range\nbad cast\n4\nleft by pthread_exit\ncancelled\n",
		"old":         "old\n",
		"cmake/small": "007\n",
		"make/small":  "007\n",
		"meson/small": "007\n",
		"go/go":       "007\n",
		"rust/small":  "007\n",
	} {
		if r := xbuild(t, dir, "run", "-q", "-p", name, "--", built(dir, name, file)); r.code != 0 || r.stdout != want {
			t.Errorf("%s: %v\nwant:\n%s", file, r, want)
		}
	}
}

// TestStdlibMixed: a C++ library of the archive does not link with libc++, and the error says which library of which
// package it is, before the linker runs; one with an interface in C does.
func TestStdlibMixed(t *testing.T) {
	needNetwork(t)
	const name = "linux/amd64"
	config := "[project]\nplatforms = [\"" + name + "\"]\n[sysroot]\nglibc = \"2.36\"\npackages = [\"libjsoncpp-dev\", \"zlib1g-dev\"]\n" +
		"[target.json]\nrecipe = \"cc\"\nsources = [\"json.cc\"]\nlibs = [\"jsoncpp\"]\nstdlib = \"libc++\"\n" +
		"[target.z]\nrecipe = \"cc\"\nsources = [\"z.cc\"]\nlibs = [\"z\"]\nstdlib = \"libc++\"\n" +
		"[target.path]\nrecipe = \"cmake\"\nsource = \"path\"\noutputs = [\"path\"]\nstdlib = \"libc++\"\n" +
		"[target.greet]\nrecipe = \"cc\"\nkind = \"static\"\nsource = \"lib\"\nsources = [\"*.cc\"]\n" +
		"[target.mixed]\nrecipe = \"cc\"\nsources = [\"mixed.cc\"]\nneeds = [\"greet\"]\nstdlib = \"libc++\"\n"
	json := "#include <json/json.h>\n#include <iostream>\nint main() { std::cout << Json::Value(\"seven\").asString() << std::endl; }\n"
	dir := write(t, map[string]string{
		"xbuild.toml":         config,
		"json.cc":             strings.Replace(json, "json/", "jsoncpp/json/", 1),
		"lib/greet.cc":        "#include <string>\nint greet(const std::string &name) { return name.size(); }\n",
		"mixed.cc":            "#include <iostream>\n#include <string>\nint greet(const std::string &);\nint main() { std::cout << greet(\"seven\") << std::endl; }\n",
		"z.cc":                "#include <zlib.h>\n#include <iostream>\nint main() { std::cout << (zlibVersion()[0] == ZLIB_VERSION[0]) << std::endl; }\n",
		"path/path.cc":        json,
		"path/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(path CXX)\nfind_package(jsoncpp REQUIRED)\nadd_executable(path path.cc)\ntarget_link_libraries(path JsonCpp::JsonCpp)\n",
	})
	for _, target := range []string{"json", "path"} {
		r := xbuild(t, dir, "build", "-q", target)
		for _, want := range []string{"ld.lld: error: libjsoncpp of ", "speaks libstdc++, and this link is with libc++",
			"write stdlib = \"libstdc++\" in", "or build libjsoncpp from its source"} {
			if r.code == 0 || !strings.Contains(r.stderr, want) {
				t.Errorf("target %s: %v\nwant %q", target, r, want)
			}
		}
		if strings.Contains(r.stderr, "undefined symbol") {
			t.Errorf("target %s: the linker ran: %v", target, r)
		}
	}
	if r := xbuild(t, dir, "build", "-q", "mixed"); r.code == 0 || !strings.Contains(r.stderr, "std::__1 is libc++'s and std::__cxx11 libstdc++'s") {
		t.Errorf("a target of libc++ that needs one of libstdc++: %v", r)
	}
	build(t, dir, "z")
	if r := xbuild(t, dir, "run", "-q", "-p", name, "--", built(dir, name, "z")); r.stdout != "1\n" {
		t.Errorf("a library of C: %v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(strings.ReplaceAll(config, "\"libc++\"", "\"libstdc++\"")), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, dir)
	for file, want := range map[string]string{"json": "seven\n", "path": "seven\n", "mixed": "5\n"} {
		if r := xbuild(t, dir, "run", "-q", "-p", name, "--", built(dir, name, file)); r.stdout != want {
			t.Errorf("with libstdc++: %s: %v", file, r)
		}
	}
}

// TestStandardNames holds the table of headers and names that hints go by against what the libraries of each suite of
// linux/amd64 and libc++ have, as far as clang compiles it.
func TestStandardNames(t *testing.T) {
	needNetwork(t)
	table, err := catalog.LoadStandard()
	if err != nil {
		t.Fatal(err)
	}
	headers, names := slices.Sorted(maps.Keys(table.Headers)), slices.Sorted(maps.Keys(table.Names))
	var b strings.Builder
	for i, h := range headers {
		fmt.Fprintf(&b, "#if !__has_include(<%s>)\n#line %d \"header\"\n#error missing\n#else\n#include <%[1]s>\n#endif\n", h, i+1)
	}
	for _, h := range []string{"algorithm", "array", "atomic", "bit", "chrono", "cmath", "functional", "iterator", "map", "memory",
		"numeric", "optional", "string", "string_view", "thread", "type_traits", "utility", "vector"} {
		fmt.Fprintf(&b, "#include <%s>\n", h)
	}
	for i, name := range names {
		fmt.Fprintf(&b, "#line %d \"name\"\n", i+1)
		scope, member, of := strings.Cut(name, "::")
		switch {
		case scope == "string" && of && member == "resize_and_overwrite":
			fmt.Fprintf(&b, "void f%d(std::string s) { s.resize_and_overwrite(1, [](char *, auto) { return 1; }); }\n", i)
		case of && (scope == "string" || scope == "string_view"):
			fmt.Fprintf(&b, "bool f%d(std::%s s) { return s.%s('a'); }\n", i, scope, member)
		case scope == "optional" && of && member == "or_else":
			fmt.Fprintf(&b, "void f%d(std::optional<int> o) { o.or_else([] { return std::optional<int>(1); }); }\n", i)
		case scope == "optional" && of:
			fmt.Fprintf(&b, "void f%d(std::optional<int> o) { o.%s([](int n) { return std::optional<int>(n); }); }\n", i, member)
		case name == "ranges" || name == "views":
			fmt.Fprintf(&b, "namespace n%d = std::%s;\n", i, name)
		default:
			fmt.Fprintf(&b, "namespace n%d { using std::%s; }\n", i, name)
		}
	}
	suites, _ := suitesOf(t)
	check := func(suite, stdlib string, release int, of func(catalog.Since) int) {
		dir := write(t, map[string]string{
			"xbuild.toml": fmt.Sprintf("[project]\nplatforms = [\"linux/amd64\"]\n[sysroot]\nsuite = %q\nstdlib = %q\n", suite, stdlib),
			"names.cc":    b.String(),
		})
		r := xbuild(t, dir, "exec", "-q", "-p", "linux/amd64", "--", "c++", "-std=c++23", "-fsyntax-only", "-ferror-limit=0", "names.cc")
		bad := map[string]bool{}
		for _, m := range faulty.FindAllStringSubmatch(r.stderr, -1) {
			if bad[m[1]] = true; m[1] != "header" && m[1] != "name" {
				t.Errorf("%s: %s", stdlib, m[0])
			}
			bad[m[1]+" "+m[2]] = true
		}
		for kind, list := range map[string][]string{"header": headers, "name": names} {
			for i, name := range list {
				since := table.Headers[name]
				if kind == "name" {
					since = table.Names[name]
				}
				has := !bad[fmt.Sprintf("%s %d", kind, i+1)]
				if says := of(since) > 0 && of(since) <= release; has != says {
					t.Errorf("%s %d: %s %q: has it %v, and the table says %v", stdlib, release, kind, name, has, says)
				}
			}
		}
	}
	for _, s := range suites {
		release, err := strconv.Atoi(s.GCC)
		if err != nil {
			t.Fatal(err)
		}
		check(s.Name, "libstdc++", release, func(s catalog.Since) int { return s.GCC })
	}
	check("bullseye", "libc++", 21, func(s catalog.Since) int { return s.LLVM })
}

// faulty are the errors of the compiler by file and line.
var faulty = regexp.MustCompile(`(?m)^([^:\n]+):(\d+):\d+: (?:fatal )?error: .*$`)
