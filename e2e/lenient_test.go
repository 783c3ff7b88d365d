package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What each of the projects asks its platform, in the words of its build system: strptime without _XOPEN_SOURCE, which
// glibc then does not declare; an implicit int; an int that becomes a pointer; and a function that nobody has, whose
// test failed with GCC 13 too. lenient.c tells at run time what was found.
const (
	lenientProgram = `#include "config.h"
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <time.h>
int main(void) {
	struct tm t = {0};
#ifdef HAVE_STRPTIME
	printf("strptime %d\n", strptime("1999", "%Y", &t) ? t.tm_year : -1);
#else
	puts("no strptime");
#endif
#ifdef HAVE_INT
	puts("int");
#endif
#ifdef HAVE_POINTER
	puts("pointer");
#endif
#ifdef HAVE_NOSUCH
	puts("nosuch");
#endif
	return t.tm_mon;
}
`
	lenientAutoconf = `AC_INIT([lenient], [1])
AC_PROG_CC
AC_CONFIG_HEADERS([config.h])
AC_DEFUN([ASK], [AC_CACHE_CHECK([$1], [l_cv_$2], [$3([AC_LANG_SOURCE([[$4]])], [l_cv_$2=yes], [l_cv_$2=no])])
AS_IF([test $l_cv_$2 = yes], [AC_DEFINE([HAVE_$2], [1], [$1])])])
ASK([for strptime], [STRPTIME], [AC_LINK_IFELSE], [#include <time.h>
int main(void) { struct tm t; return !strptime("1970", "%Y", &t); }])
ASK([whether int is understood], [INT], [AC_COMPILE_IFELSE], [static n = 1; int main(void) { return n - 1; }])
ASK([for pointers made of numbers], [POINTER], [AC_COMPILE_IFELSE], [char *f(int i) { return i; }])
ASK([for nosuchfunction], [NOSUCH], [AC_LINK_IFELSE], [int main(void) { return nosuchfunction(); }])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`
	lenientCMake = `cmake_minimum_required(VERSION 3.13)
project(lenient C)
include(CheckCSourceCompiles)
check_c_source_compiles("#include <time.h>
int main(void) { struct tm t; return !strptime(\"1970\", \"%Y\", &t); }" HAVE_STRPTIME)
check_c_source_compiles("static n = 1; int main(void) { return n - 1; }" HAVE_INT)
check_c_source_compiles("char *f(int i) { return i; } int main(void) { return 0; }" HAVE_POINTER)
check_c_source_compiles("int main(void) { return nosuchfunction(); }" HAVE_NOSUCH)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/in "#cmakedefine HAVE_STRPTIME\n#cmakedefine HAVE_INT\n#cmakedefine HAVE_POINTER\n#cmakedefine HAVE_NOSUCH\n")
configure_file(${CMAKE_CURRENT_BINARY_DIR}/in config.h)
include_directories(${CMAKE_CURRENT_BINARY_DIR})
add_executable(lenient lenient.c)
`
	lenientMeson = `project('lenient', 'c')
cc = meson.get_compiler('c')
conf = configuration_data()
foreach t : [['HAVE_STRPTIME', '#include <time.h>\nint main(void) { struct tm t; return !strptime("1970", "%Y", &t); }'],
             ['HAVE_INT', 'static n = 1; int main(void) { return n - 1; }'],
             ['HAVE_POINTER', 'char *f(int i) { return i; } int main(void) { return 0; }'],
             ['HAVE_NOSUCH', 'int main(void) { return nosuchfunction(); }']]
  conf.set(t[0], cc.links(t[1], name: t[0]))
endforeach
configure_file(output: 'config.h', configuration: conf)
executable('lenient', 'lenient.c')
`
	// As many are that somebody wrote by hand: nothing is kept of what the compiler said.
	lenientScript = `try() {
	printf '%s\n' "$2" >try.c
	if $CC $CFLAGS -o try try.c >/dev/null 2>&1; then echo "#define $1 1" >>config.h; fi
	rm -f try try.c
}
: >config.h
try HAVE_STRPTIME '#include <time.h>
int main(void) { struct tm t; return !strptime("1970", "%Y", &t); }'
try HAVE_INT 'static n = 1; int main(void) { return n - 1; }'
try HAVE_POINTER 'char *f(int i) { return i; } int main(void) { return 0; }'
try HAVE_NOSUCH 'int main(void) { return nosuchfunction(); }'
`
	// A Makefile that asks by itself: there is no configuring step.
	lenientMakefile = `FOUND := $(shell $(CC) -o try try.c 2>/dev/null && echo -DHAVE_STRPTIME)
lenient: lenient.c
	: >config.h; $(CC) $(CFLAGS) $(FOUND) -o $@ lenient.c
`
	lenientRules = "lenient: lenient.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ lenient.c\n"
)

// TestLenient: what a test of a project does not find because clang is stricter in C than GCC 13 ends the build, with
// the test's name and what to write; what is written then finds it, on every platform. Where GCC 13 would have answered
// the same nothing is said.
func TestLenient(t *testing.T) {
	needNetwork(t)
	// CI builds once for each platform: configure for those that no other recipe has.
	autotools := []string{"linux/amd64", "linux/arm/v5", "linux/arm/v6"}
	if full() {
		autotools = eleven
	}
	// Each recipe, and what it is told by: the tests' names are those of its build system.
	targets := []struct {
		name, toml string
		platforms  []string
		want       []string
		prints     string
	}{
		{"autotools", "tools = [\"autoconf\"]\n", autotools, []string{
			"checking for strptime: call to undeclared function 'strptime' (config.log:",
			"checking whether int is understood: type specifier missing, defaults to 'int' (config.log:",
			"checking for pointers made of numbers: incompatible integer to pointer conversion returning 'int' from a function with result type 'char *' (config.log:",
		}, "strptime 99\nint\npointer\n"},
		{"cmake", "", []string{"linux/arm64", "linux/386"}, []string{
			"Performing Test HAVE_STRPTIME: call to undeclared function 'strptime' (CMakeFiles/CMakeConfigureLog.yaml:",
			"Performing Test HAVE_INT: type specifier missing", "Performing Test HAVE_POINTER: incompatible integer to pointer",
		}, "strptime 99\nint\npointer\n"},
		{"meson", "", []string{"linux/arm/v7", "linux/s390x"}, []string{
			"Checking if \"HAVE_STRPTIME\" links: call to undeclared function 'strptime' (meson-logs/meson-log.txt:",
			"Checking if \"HAVE_INT\" links: type specifier missing", "Checking if \"HAVE_POINTER\" links: incompatible integer to pointer",
		}, "strptime 99\nint\npointer\n"},
		{"script", "configure = \"sh configure.sh\"\n", []string{"linux/riscv64", "linux/mips64le"}, []string{
			`config.h would have "#define HAVE_STRPTIME 1"`, `config.h would have "#define HAVE_INT 1"`, `config.h would have "#define HAVE_POINTER 1"`,
		}, "strptime 99\nint\npointer\n"},
		{"makefile", "", []string{"linux/ppc64le", "linux/loong64"}, []string{"call to undeclared function 'strptime' (try.c:2)"}, "strptime 99\n"},
	}
	recipes := map[string]string{"script": "make", "makefile": "make"}
	files := map[string]string{
		"autotools/configure.ac": lenientAutoconf, "autotools/Makefile.in": "CC = @CC@\nCFLAGS = @CFLAGS@\nLDFLAGS = @LDFLAGS@\n" + lenientRules, "cmake/CMakeLists.txt": lenientCMake, "meson/meson.build": lenientMeson,
		"script/configure.sh": lenientScript, "script/Makefile": lenientRules, "makefile/Makefile": lenientMakefile, "makefile/try.c": "#include <time.h>\nint main(void) { struct tm t; return !strptime(\"1970\", \"%Y\", &t); }\n",
	}
	toml := "[project]\nplatforms = " + quoted(eleven) + "\n"
	for _, c := range targets {
		recipe := c.name
		if r := recipes[c.name]; r != "" {
			recipe = r
		}
		toml += "[target." + c.name + "]\nrecipe = \"" + recipe + "\"\nsource = \"" + c.name + "\"\noutputs = { \"" + c.name + "\" = \"lenient\" }\nplatforms = " + quoted(c.platforms) + "\n" + c.toml
		files[c.name+"/lenient.c"] = lenientProgram
	}
	files["xbuild.toml"] = toml
	dir := write(t, files)

	refused := xbuild(t, dir, "build", "-q")
	_, summary, found := strings.Cut(refused.stderr, " failed:\n")
	if refused.code != 1 || !found {
		t.Fatalf("without lenient: %v\nwant exit code 1: no program may be there without what GCC 13 had found", refused)
	}
	// A failure is the line with target and platform, and those below it that are indented.
	failures := regexp.MustCompile(`(?m)^xbuild: (\S+) for (\S+): [^\n]*\n(?:xbuild:   [^\n]*\n)*`)
	said := map[string]string{}
	for _, m := range failures.FindAllStringSubmatch(summary, -1) {
		said[m[1]+" for "+m[2]] = m[0]
	}
	for _, c := range targets {
		for _, p := range c.platforms {
			text := said[c.name+" for "+p]
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%s for %s says\n%swant in it:\n%s", c.name, p, text, w)
				}
			}
			if c.name != "script" && strings.Contains(text, "nosuchfunction") {
				t.Errorf("%s for %s names a function that GCC 13 would not have linked either:\n%s", c.name, p, text)
			}
			if _, err := os.Stat(built(dir, p, c.name)); err == nil {
				t.Errorf("%s for %s is in dist", c.name, p)
			}
		}
	}
	// Of autotools and of CMake.
	for p, want := range map[string]string{autotools[0]: "checking for strptime", "linux/arm64": "HAVE_STRPTIME"} {
		if again := xbuild(t, dir, "build", "-q", "-p", p); again.code != 1 || !strings.Contains(again.stderr, want) {
			t.Errorf("the second build for %s, without a change: %v\nwant what the first said", p, again)
		}
	}

	// The advice, word for word: a line and where it goes.
	advice := regexp.MustCompile(`write (lenient = true) in (xbuild\.toml):(\d+): \[target\.(\w+)\]`)
	lines := strings.Split(toml, "\n")
	followed := 0
	for _, m := range advice.FindAllStringSubmatch(summary, -1) {
		if i := slices.Index(lines, "[target."+m[4]+"]"); i >= 0 {
			lines[i] += "\n" + m[1]
			followed++
		}
	}
	if followed != len(targets) {
		t.Fatalf("%d of %d targets are told what to write:\n%s", followed, len(targets), summary)
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, p string) {
		for _, c := range targets {
			if !slices.Contains(c.platforms, p) {
				continue
			}
			if r := underQEMU(t, dir, p, built(dir, p, c.name)); r.code != 0 || r.stdout != c.prints {
				t.Errorf("%s for %s with lenient = true: %v\nwant\n%s", c.name, p, r, c.prints)
			}
		}
	})

	// The other way out: the user says that it is right as it is.
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(strings.ReplaceAll(strings.Join(lines, "\n"), "lenient = true", "lenient = false")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range targets {
		p := c.platforms[0]
		build(t, dir, c.name, "-p", p)
		if r := underQEMU(t, dir, p, built(dir, p, c.name)); r.code != 0 || r.stdout != "no strptime\n" {
			t.Errorf("%s for %s with lenient = false: %v\nwant no strptime", c.name, p, r)
		}
		log, err := os.ReadFile(filepath.Join(dir, ".xbuild", p, c.name, "log"))
		if err != nil || strings.Count(string(log), "lenient = false") != 1 || !strings.Contains(string(log), "'strptime'") {
			t.Errorf("the log of %s for %s does not tell once what was refused: %v\n%s", c.name, p, err, log)
		}
	}
}

// warned is C++ that GCC compiles, with a warning or without, and clang by itself refuses: a line each, in a function of
// its own. clang 19 alone lets the last pass when it is asked to.
var warned = map[string]string{
	"register":    "int f_register() { register int i = 2; return i; }",
	"narrowing":   "int f_narrowing() { int n = 3; char c[] = {n}; return c[0]; }",
	"suffix":      "#define NUMBER \"4\"\nint f_suffix() { return \"0\"NUMBER[1] - '0'; }",
	"elaborated":  "enum class Five { five = 5 };\nint f_elaborated() { enum class Five x = Five::five; return (int)x; }",
	"parens":      "struct P { int a[2]; P() : a({6, 7}) {} };\nint f_parens() { return P().a[0]; }",
	"template":    "struct T { template <class A> int f(A a) { return a; } };\ntemplate <class A> int g(A t) { return t.template f(7); }\nint f_template() { return g(T()); }",
	"enumeration": "enum Eight { zero, one };\nconstexpr Eight eight = (Eight)8;\nint f_enumeration() { return eight; }",
}

// TestWarnings: what a test in C++ finds and what a source says is what GCC lets pass, by the name of a C++ compiler and
// of a C compiler, although clang has errors there, beside
// -Werror and options that clang does not know too. A project that wants such an error has it.
func TestWarnings(t *testing.T) {
	needNetwork(t)
	platforms := []string{"linux/s390x"}
	if full() {
		platforms = eleven
	}
	cmake := "cmake_minimum_required(VERSION 3.13)\nproject(warned CXX)\ninclude(CheckCXXSourceCompiles)\n"
	program, calls := "", ""
	for _, name := range slices.Sorted(maps.Keys(warned)) {
		have := "HAVE_" + strings.ToUpper(name)
		quotedSource := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(warned[name])
		cmake += "check_cxx_source_compiles(\"" + quotedSource + "\nint main() { return f_" + name + "(); }\" " + have + ")\n" +
			"if(" + have + ")\nadd_compile_definitions(" + have + ")\nendif()\n"
		program += "#ifdef " + have + "\n" + warned[name] + "\n#else\nint f_" + name + "() { return 0; }\n#endif\n"
		calls += "printf(\"" + name + " %d\\n\", f_" + name + "());\n"
	}
	cmake += "set(CMAKE_REQUIRED_FLAGS -Werror=register)\ncheck_cxx_source_compiles(\"int main() { register int i = 0; return i; }\" HAVE_ERROR)\n" +
		"if(HAVE_ERROR)\nmessage(FATAL_ERROR \"-Werror=register has no say\")\nendif()\nadd_executable(warned warned.cc)\n"
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = " + quoted(platforms) + "\n[target.warned]\nrecipe = \"cmake\"\nsource = \"cmake\"\noutputs = [\"warned\"]\n" +
			"[target.made]\nrecipe = \"make\"\nsource = \"make\"\noutputs = [\"made\"]\n",
		"cmake/CMakeLists.txt": cmake, "cmake/warned.cc": "#include <cstdio>\n" + program + "int main() {\n" + calls + "}\n",
		"make/Makefile": "W = -Werror -Wbool-compare -Wimplicit-fallthrough=5 -Wno-error=maybe-uninitialized\n" + // as 7-Zip's warn_gcc.mak
			"made: a.cc b.cc\n\t$(CXX) $(W) -c a.cc\n\t$(CC) $(W) -c b.cc\n\t$(CXX) -o $@ a.o b.o\n", // each compiler by its name
		"make/a.cc": "#include <cstdio>\nint twice(int);\nint main() { register int i = 21; printf(\"%d\\n\", twice(i)); }\n",
		"make/b.cc": "int twice(int n) { register int i = n; return 2 * i; }\n",
	})
	build(t, dir)
	for _, p := range platforms {
		for name, want := range map[string]string{
			"warned": "elaborated 5\nenumeration 8\nnarrowing 3\nparens 6\nregister 2\nsuffix 4\ntemplate 7\n", "made": "42\n",
		} {
			if r := underQEMU(t, dir, p, built(dir, p, name)); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: %v\nwant\n%s", name, p, r, want)
			}
		}
	}
}

// TestStrict: where GCC 13 would have given the same answers, or a later test of the same thing found it, nothing is
// said.
func TestStrict(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.autotools]
recipe = "autotools"
source = "autotools"
tools = ["autoconf"]
outputs = { autotools = "hello" }
[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = { cmake = "hello" }
[target.script]
recipe = "make"
source = "script"
configure = "sh configure.sh"
outputs = { script = "hello" }
`,
		// The first way to ask fails for what GCC 13 let pass, the second finds it; a function is asked for that nobody
		// has; and a test wants to be refused by its own flag.
		"autotools/configure.ac": `AC_INIT([hello], [1])
AC_PROG_CC
AC_CACHE_CHECK([for strptime], [l_cv_strptime], [for l_cv_strptime in plain _XOPEN_SOURCE no; do
AC_LINK_IFELSE([AC_LANG_SOURCE([[#define _GNU_SOURCE_NOT
#include <time.h>
int main(void) { struct tm t; return !strptime("1970", "%Y", &t); }]])], [break])
AS_IF([test $l_cv_strptime = plain], [CPPFLAGS="$CPPFLAGS -D_XOPEN_SOURCE=700"])
done])
AC_CACHE_CHECK([for nosuchfunction], [l_cv_nosuch], [AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return nosuchfunction(); }]])], [l_cv_nosuch=yes], [l_cv_nosuch=no])])
CFLAGS="$CFLAGS -Werror=implicit-function-declaration"
AC_CACHE_CHECK([whether time.h declares gmtime], [l_cv_gmtime], [AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return !gmtime(0); }]])], [l_cv_gmtime=yes], [l_cv_gmtime=no])])
AC_SEARCH_LIBS([cos], [m])
AC_CHECK_DECLS([strptime], [], [], [[#include <time.h>]])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`,
		"autotools/Makefile.in": "CC = @CC@\nhello: hello.c\n\t$(CC) -o $@ hello.c\n",
		"cmake/CMakeLists.txt": `cmake_minimum_required(VERSION 3.13)
project(hello C)
include(CheckCSourceCompiles)
check_c_source_compiles("int main(void) { return !strptime(); }" HAVE_STRPTIME)
if(NOT HAVE_STRPTIME)
  unset(HAVE_STRPTIME CACHE)
  check_c_source_compiles("char *strptime(); int main(void) { return !strptime(); }" HAVE_STRPTIME)
endif()
check_c_source_compiles("int main(void) { return nosuchfunction(); }" HAVE_NOSUCH)
add_executable(hello hello.c)
`,
		"script/configure.sh": "echo 'int main(void) { return nosuchfunction(); }' >try.c\n! $CC -o try try.c 2>/dev/null\ndate +%N >made.log\n",
		"script/Makefile":     "hello: hello.c\n\t$(CC) -o $@ hello.c\n",
		"autotools/hello.c":   "int main(void) { return 0; }\n", "cmake/hello.c": "int main(void) { return 0; }\n", "script/hello.c": "int main(void) { return 0; }\n",
	})
	if r := xbuild(t, dir, "build", "-q"); r.code != 0 || r.stderr != "" {
		t.Errorf("%v\nwant nothing said", r)
	}
	log, err := os.ReadFile(filepath.Join(dir, ".xbuild/linux/arm64/autotools/build/config.log"))
	for _, w := range []string{"l_cv_strptime=_XOPEN_SOURCE", "l_cv_nosuch=no", "l_cv_gmtime=no"} {
		if err != nil || !strings.Contains(string(log), w) {
			t.Errorf("config.log has no %s: the tests asked nothing (%v)", w, err)
		}
	}
}

// TestLenientCompiles: lenient = true reaches the compiler in every recipe that has one, whatever a project does with
// CFLAGS, in C and never in C++.
func TestLenientCompiles(t *testing.T) {
	needNetwork(t)
	old := "say(s) char *s; { puts(s); }\nchar *number(void) { return 1; }\nint nothing(void) { return; }\n"
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.cc]
recipe = "cc"
sources = ["old.c", "main.c"]
[target.make]
recipe = "make"
outputs = ["make"]
targets = ["make"]
[target.go]
recipe = "go"
source = "go"
cgo = true
[target.rust]
recipe = "rust"
source = "rust"
[target.cxx]
recipe = "cc"
sources = ["cxx.cpp"]
`,
		"old.c": old, "main.c": "int say(char *);\nint main(void) { say(\"old\"); return 0; }\n", "cxx.cpp": "int nothing() { return; }\nint main() { return 0; }\n",
		"Makefile":         "CFLAGS =\nmake: old.c main.c\n\tgcc $(CFLAGS) -o $@ old.c main.c\n",
		"go/go.mod":        "module old\ngo 1.21\n",
		"go/main.go":       "package main\n// #include <stdio.h>\n// int say(char *);\nimport \"C\"\nfunc main() { C.say(C.CString(\"old\")); C.fflush(nil) }\n",
		"go/old.c":         old,
		"rust/old.c":       old,
		"rust/Cargo.toml":  "[package]\nname = \"rust\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
		"rust/src/main.rs": "extern \"C\" { fn say(s: *const std::os::raw::c_char) -> i32; }\nfn main() { unsafe { say(b\"old\\0\".as_ptr() as _); } }\n",
		"rust/build.rs": `use std::{env, process::Command};
fn main() {
    let (out, target) = (env::var("OUT_DIR").unwrap(), env::var("TARGET").unwrap().replace('-', "_"));
    let object = format!("{out}/old.o");
    let cc = env::var(format!("CC_{target}")).unwrap();
    let made = Command::new(cc).args(["-c", "old.c", "-o", &object]).status().unwrap();
    assert!(made.success());
    println!("cargo:rustc-link-arg={object}");
}
`,
	})
	toml, err := os.ReadFile(filepath.Join(dir, "xbuild.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r := xbuild(t, dir, "build", "-q")
	for _, name := range []string{"cc", "make", "go", "rust", "cxx"} {
		if !strings.Contains(r.stderr, name+" for linux/arm64: ") {
			t.Errorf("without lenient %s is built: %v", name, r)
		}
		if name != "cxx" && !regexp.MustCompile(`write lenient = true in xbuild\.toml:\d+: \[target\.`+name+`\]`).MatchString(r.stderr) {
			t.Errorf("nothing tells of lenient in %s: %v", name, r)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), regexp.MustCompile(`(?m)^recipe`).ReplaceAll(toml, []byte("lenient = true\nrecipe")), 0o644); err != nil {
		t.Fatal(err)
	}
	r = xbuild(t, dir, "build", "-q")
	if r.code != 1 || !strings.Contains(r.stderr, "1 of 5 failed:\nxbuild: cxx for linux/arm64") {
		t.Errorf("with lenient = true: %v\nwant C++ alone to fail, which GCC 13 refuses too", r)
	}
	for _, name := range []string{"cc", "make", "go", "rust"} {
		prints(t, dir, "linux/arm64", built(dir, "linux/arm64", name), nil, "old\n")
	}
}
