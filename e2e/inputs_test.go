package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// An input is one thing that a build read, and how it changes. After the change the program prints KEY=2 in the place
// of KEY=1.
type input struct {
	name   string
	change func(t *testing.T, dir string)
	want   string // what the program prints then; "" means that nothing was read: nothing is built
}

// wide are inputs of the full form: what is seen of them below every build system alike, or was never a fault.
func wide(more ...input) []input {
	if !full() {
		return nil
	}
	return more
}

// replace changes a file's text.
func replace(file, old, new string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { edit(t, filepath.Join(dir, file), old, new) }
}

// content writes a file whole.
func content(file, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		put(t, filepath.Join(dir, file), text)
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

func relink(file, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, file)
		os.Remove(path)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func commit(t *testing.T, dir string) { git(t, dir, "commit", "-q", "--allow-empty", "-m", "another") }

// repository makes a directory one of git with all that lies in it.
func repository(t *testing.T, dir string) {
	t.Helper()
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	commit(t, dir)
}

// touch changes a file's time alone.
func touch(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		put(t, path, string(data))
	}
}

// unseen changes a file's text, and gives it the size and the time that it had.
func unseen(file, old, new string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, file)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, path, old, new)
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

// unread are changes of files that no build of the C project reads.
var unread = []input{
	{"a README", content("src/README", "read me\n"), ""},
	{"a header that nothing includes", content("inc/other.h", "#error\n"), ""},
	{"a file beside the source", content("notes/today", "x\n"), ""},
	{"the time of a source", touch("src/main.c"), ""},
	{"the time of a header outside", touch("inc/outside.h"), ""},
}

// cInputs are what every build of the C project reads.
var cInputs = []input{
	{"a source", replace("src/main.c", `SRC "1"`, `SRC "2"`), "src=2"},
	{"a header beside it", content("src/local.h", "#define LOCAL \"2\"\n"), "local=2"},
	{"a header outside of the source", content("inc/outside.h", "#include \"nested.h\"\n#define OUTSIDE \"2\"\n"), "outside=2"},
	{"a header that a header includes", content("inc/nested.h", "#define NESTED \"2\"\n"), "nested=2"},
	{"what a linked header leads to", content("else/l.h", "#define LINKED \"2\"\n"), "linked=2"},
	{"what a linked source leads to", content("else/via.c", "const char *via(void) { return \"2\"; }\n"), "via=2"},
	{"a link that leads to another file", relink("src/point.h", "../else/p2.h"), "point=2"},
	{"a header in a linked directory", content("else/dir/d.h", "#define DIRECTORY \"2\"\n"), "directory=2"},
	{"a header that appears earlier on the path", content("src/first/early.h", "#define EARLY \"2\"\n"), "early=2"},
	{"a header that goes from there", remove("src/first/early.h"), "early=1"},
	{"a header that was asked for and was not there", content("src/maybe.h", ""), "maybe=2"},
	{"a file that the assembler reads", content("data/blob.txt", "2"), "blob=2"},
	{"a file that is embedded", content("data/embed.txt", "2"), "embed=2"},
	{"a file that has its size and time still", unseen("data/embed.txt", "2", "3"), "embed=3"},
	{"a variable in xbuild.toml", replace("xbuild.toml", "xenv-1", "xenv-2"), ""},
}

// cMore are further ones, of the full form.
var cMore = []input{
	{"a link that leads to another directory", relink("src/dirlink", "../else/dir2"), "directory=3"},
	{"a header above a linked directory", content("else/up.h", "#define UP \"2\"\n"), "up=2"},
	{"that link, which leads elsewhere", relink("src/uplink", "../other/dir"), "up=3"},
	{"a link between two links", relink("src/chain2.h", "../else/chain2.h"), "chain=2"},
	{"a header in the place of a link", func(t *testing.T, dir string) {
		remove("src/chain.h")(t, dir)
		put(t, filepath.Join(dir, "src/chain.h"), "#define CHAIN \"3\"\n")
	}, "chain=3"},
	{"a header that has its size and time still", unseen("inc/nested.h", "2", "3"), "nested=3"},
	{"a linked source that has its size and time still", unseen("else/via.c", "2", "3"), "via=3"},
	{"a link that leads to another source", relink("src/via.c", "../else/via2.c"), "via=4"},
	{"a directory of the path that was not there", content("src/third/latest.h", "#define LATEST \"2\"\n"), "latest=2"},
	{"a header that was there and goes", remove("src/maybe.h"), "maybe=1"},
	{"a file that the assembler includes", content("data/inc.s", ".byte 50\n"), "assembled=2"},
	{"a list that is no header", content("src/list.def", "X(\"2\")\n"), "list=2"},
	{"what include_next leads to", content("src/second/next.h", "#define NEXT \"2\"\n"), "next=2"},
	{"a name with a space", content("src/a name.h", "#define SPACE \"2\"\n"), "space=2"},
	{"a file that is embedded and grows", content("data/embed.txt", "77"), "embed=7"},
}

// makeInputs are what a Makefile reads beside: what it asks for by itself, and a header that a rule writes each time.
var makeInputs = []input{
	{"what make asks for", content("data/asked.txt", "2\n"), "asked=2"},
	{"what a rule writes each time", content("data/stamp.txt", "2\n"), "stamp=2"},
}

// systemInputs are what builds with a build system read beside.
var systemInputs = []input{
	{"a script that makes a header", replace("src/gen.sh", "SCRIPT \\\"1", "SCRIPT \\\"2"), "script=2"},
	{"what that script reads", content("data/gen.txt", "2\n"), "gen=2"},
	{"the names in a directory", content("src/items/b.txt", ""), "items=2"},
	{"git's HEAD", commit, "commits=2"},
	{"a file that is read when it is configured", content("src/VERSION", "2\n"), "version=2"},
}

const cMain = `#include <stdio.h>
#include <string.h>
#define SRC "1"
#ifdef OTHER
#undef SRC
#define SRC OTHER
#endif
#include "local.h"
#include "outside.h"
#include "linked.h"
#include "point.h"
#include "dirlink/d.h"
#include "early.h"
#include "uplink/../up.h"
#include "chain.h"
#include "latest.h"
#include <next.h>
#include "a name.h"
#define X(x) x
static const char *list =
#include "list.def"
;
#undef X
#ifdef EARLIER
#undef EARLY
#define EARLY EARLIER
#endif
#if __has_include("maybe.h")
#define MAYBE "2"
#else
#define MAYBE "1"
#endif
#ifndef SCRIPT
#define SCRIPT "-"
#define GEN "-"
#endif
#ifndef VERSION
#define VERSION "-"
#define COMMITS "-"
#define ITEMS "-"
#endif
#ifndef DATA
#define DATA "../data"
#endif
#define BLOB DATA "/blob.txt"
#define ASSEMBLED DATA "/inc.s"
#ifndef ASKED
#define ASKED "-"
#endif
#ifndef OPTION
#define OPTION "-"
#endif
#if __has_include("stamp.h")
#include "stamp.h"
#else
#define STAMP "-"
#endif
#ifdef GENERATED
#undef SCRIPT
#undef GEN
#include "generated.h"
#endif
__asm__(".section .rodata\n.globl blob\nblob: .incbin \"" BLOB "\"\n.byte 0\n"
    ".globl assembled\nassembled: .include \"" ASSEMBLED "\"\n.text\n");
extern const char blob[], assembled[];
static const char embedded[] = {
#embed "../data/embed.txt"
, 0};
const char *via(void);
const char *extra(void) __attribute__((weak));
int main(void) {
    printf("src=%s local=%s outside=%s nested=%s linked=%s via=%s point=%s directory=%s early=%s maybe=%s ", SRC, LOCAL, OUTSIDE, NESTED, LINKED, via(), POINT, DIRECTORY, EARLY, MAYBE);
    printf("blob=%.1s embed=%.1s script=%s gen=%s items=%s commits=%s version=%s ", blob, embedded, SCRIPT, GEN, ITEMS, COMMITS, VERSION);
    printf("up=%s chain=%s latest=%s list=%s next=%s space=%s assembled=%.1s ", UP, CHAIN, LATEST, list, NEXT, SPACE, assembled);
    printf("asked=%s stamp=%s option=%s %s\n", ASKED, STAMP, OPTION, extra ? extra() : "");
}
`

// cProject is a program that prints what its build read.
func cProject(t *testing.T, files map[string]string) string {
	all := map[string]string{
		"src/main.c": cMain, "src/local.h": "#define LOCAL \"1\"\n", "inc/outside.h": "#include \"nested.h\"\n#define OUTSIDE \"1\"\n", "inc/nested.h": "#define NESTED \"1\"\n",
		"else/l.h": "#define LINKED \"1\"\n", "else/via.c": "const char *via(void) { return \"1\"; }\n", "else/p1.h": "#define POINT \"1\"\n", "else/p2.h": "#define POINT \"2\"\n",
		"else/dir/d.h": "#define DIRECTORY \"1\"\n", "src/second/early.h": "#define EARLY \"1\"\n", "src/first/keep": "", "data/blob.txt": "1", "data/embed.txt": "1", "data/gen.txt": "1\n",
		"data/asked.txt": "1\n", "data/stamp.txt": "1\n", "data/inc.s": ".byte 49\n", "else/dir2/d.h": "#define DIRECTORY \"3\"\n", "else/up.h": "#define UP \"1\"\n", "other/up.h": "#define UP \"3\"\n",
		"other/dir/keep": "", "else/chain1.h": "#define CHAIN \"1\"\n", "else/chain2.h": "#define CHAIN \"2\"\n", "else/via2.c": "const char *via(void) { return \"4\"; }\n",
		"src/fourth/latest.h": "#define LATEST \"1\"\n", "src/list.def": "X(\"1\")\n", "src/next.h": "#include_next \"next.h\"\n", "src/second/next.h": "#define NEXT \"1\"\n", "src/a name.h": "#define SPACE \"1\"\n",
		"src/gen.sh":      "echo \"#define SCRIPT \\\"1\\\"\"; echo \"#define GEN \\\"$(cat \"$1\")\\\"\"\n",
		"src/items/a.txt": "", "src/VERSION": "1\n", ".gitignore": "/.xbuild/\n/dist/\n",
	}
	for name, text := range files {
		all[name] = text
	}
	dir := write(t, all)
	relink("src/linked.h", "../else/l.h")(t, dir)
	relink("src/via.c", "../else/via.c")(t, dir)
	relink("src/point.h", "../else/p1.h")(t, dir)
	relink("src/dirlink", "../else/dir")(t, dir)
	relink("src/uplink", "../else/dir")(t, dir)
	relink("src/chain.h", "chain2.h")(t, dir)
	relink("src/chain2.h", "../else/chain1.h")(t, dir)
	repository(t, dir)
	return dir
}

const cTOML = `[project]
name = "inputs"
platforms = ["%s"]
[target.p]
recipe = "%s"
source = "src"
env = { XENV = "xenv-1" }
%s`

const includes = "-I. -I../inc -Ifirst -Ithird -Ifourth -Isecond -std=c2x"

// inputProjects are one project a recipe, what its build reads, and the file that came out.
func inputProjects(platform string) []inputProject {
	make := "CFLAGS += " + includes + "\nDEFS = -DGENERATED -DITEMS='\"$(words $(wildcard items/*.txt))\"' -DCOMMITS='\"'`git rev-list --count HEAD`'\"'\n-include version.mk\n" +
		"DEFS += -DASKED='\"$(shell cat ../data/asked.txt)\"'\n" +
		"p: main.o via.o\n\t$(CC) -o $@ main.o via.o $(MORE) $(LDFLAGS)\nmain.o: main.c generated.h | stamp\n\t$(CC) $(CFLAGS) $(DEFS) $(VERS) -c main.c\n%.o: %.c\n\t$(CC) $(CFLAGS) -c $<\n" +
		"generated.h:\n\tsh gen.sh ../data/gen.txt >$@\n" +
		".PHONY: stamp\nstamp:\n\techo \"#define STAMP \\\"`cat ../data/stamp.txt`\\\"\" >stamp.h\n"
	configure := "#!/bin/sh\necho \"VERS = -DVERSION='\\\"`cat VERSION`\\\"'\" >version.mk\ncp Makefile.in Makefile\n: >config.status\n"
	toml := func(recipe, more string) string { return fmt.Sprintf(cTOML, platform, recipe, more) }
	// Below the build system all is seen in the same way: without XBUILD_E2E=full each has half of what cc has.
	first, second := slices.Clone(cInputs), slices.Clone(cInputs)
	if !full() {
		first, second = first[:8], second[8:]
	}
	makeFiles, makeTOML, makeWide := map[string]string{}, "", []input(nil)
	if full() {
		make = strings.Replace(make, "\np: main.o", "\n"+makeVars+"p: main.o", 1) + makeMore
		makeFiles, makeTOML, makeWide = makeMoreFiles, "vars = { GIVEN = \"1\" }\n", makeMoreInputs
		configure = configureMore
	}
	sources := `"*.c"`
	if full() {
		sources = `"*.c", "*.cc", "*.S"`
	}
	all := func(files map[string]string, more ...map[string]string) map[string]string {
		for _, m := range more {
			maps.Copy(files, m)
		}
		return files
	}
	cmakeProject, cmakeFiles, cmakeTOML := cmakeLists, map[string]string{}, ""
	mesonProject, mesonFiles, mesonTOML := mesonBuild, map[string]string{}, ""
	ccFiles, ccTOML := map[string]string{}, "cflags = [\"-std=c2x\"]\n"
	if full() {
		cmakeProject, cmakeFiles, cmakeTOML = cmakeLists+cmakeMore, cmakeMoreFiles, "defines = { GIVEN = \"1\" }\noptions = [\"-Ccache.cmake\"]\n"
		mesonProject, mesonFiles, mesonTOML = strings.Replace(mesonBuild, "executable('p', 'main.c', 'via.c', gen,", mesonMore+"executable('p', 'main.c', 'via.c', gen, 'extra.c', said.process('said.said'), dependencies: more, link_with: sub,", 1), mesonMoreFiles, "options = { given = \"1\" }\nsetup_options = [\"--cross-file=extra.ini\"]\n"
		ccFiles, ccTOML = ccMoreFiles, "cflags = [\"-std=c2x\", \"@flags.rsp\", \"-include\", \"../data/forced.h\"]\ndefines = [\"GIVEN=\\\"1\\\"\"]\npkg-config = [\"own\"]\nldflags = [\"-LDIR/clib\", \"-Wl,-TDIR/data/more.ld\", \"-Wl,@DIR/data/ld.rsp\"]\nlibs = [\"foo\"]\n"
	}
	return []inputProject{
		{"cc", "p", all(map[string]string{"xbuild.toml": toml("cc", "sources = ["+sources+"]\nincludes = [\".\", \"../inc\", \"first\", \"third\", \"fourth\", \"second\"]\n"+ccTOML)}, ccFiles),
			slices.Concat(cInputs, []input{{"a source above", func(t *testing.T, dir string) {
				put(t, filepath.Join(dir, "above/more.c"), "#include <stdio.h>\n__attribute__((constructor)) static void above(void) { printf(\"above=1 \"); }\n")
				edit(t, filepath.Join(dir, "xbuild.toml"), `"*.c"`, `"*.c", "../above/*.c"`)
			}, "above=1"}, {"it changed", replace("above/more.c", "above=1", "above=2"), "above=2"}}, wide(cMore...), wide(ccMoreInputs...))},
		{"make", "p", all(map[string]string{"xbuild.toml": toml("make", "root = \"..\"\noutputs = [\"p\"]\n"+makeTOML), "src/Makefile": "VERS = -DVERSION='\"'`cat VERSION`'\"'\n" + make}, makeFiles),
			slices.Concat(first, systemInputs, makeInputs, []input{{"the build's own file", replace("src/Makefile", "DEFS = ", "DEFS = -DOTHER='\"3\"' "), "src=3"}}, wide(cMore...), makeWide)},
		{"autotools", "p", all(map[string]string{"xbuild.toml": toml("autotools", "root = \"..\"\noutputs = [\"p\"]\noptions = []\n"+makeTOML), "src/Makefile.in": make, "src/configure": configure}, makeFiles, configureFiles),
			slices.Concat(second, systemInputs, makeInputs, wide(cMore...), makeWide, wide(configureInputs...))},
		{"cmake", "p", all(map[string]string{"xbuild.toml": toml("cmake", "outputs = [\"p\"]\n"+cmakeTOML), "src/CMakeLists.txt": cmakeProject, "cmake/own.cmake": "set(own OWN=1)\n", "src/blob": ""}, cmakeFiles),
			slices.Concat(second, systemInputs, []input{{"a file that a list includes", content("cmake/own.cmake", "set(own EARLIER=\"3\")\n"), "early=3"},
				{"an option's default", replace("src/CMakeLists.txt", "OFF", "ON"), "option=2"},
				{"a source that a glob finds", content("src/more/m.c", constructor), "more src="},
				{"it goes", remove("src/more/m.c"), "src="}}, wide(cMore...), wide(cmakeMoreInputs...))},
		{"meson", "p", all(map[string]string{"xbuild.toml": toml("meson", "outputs = [\"p\"]\n"+mesonTOML), "src/meson.build": mesonProject, "src/meson.options": "option('choice', type: 'string', value: '1')\noption('given', type: 'string', value: '0')\n"}, mesonFiles),
			slices.Concat(first, systemInputs, []input{{"an option's default", replace("src/meson.options", "'1'", "'2'"), "option=2"}}, wide(cMore...), wide(mesonMoreInputs...))},
	}
}

type inputProject struct {
	recipe  string
	program string
	files   map[string]string
	inputs  []input
}

const cmakeLists = `cmake_minimum_required(VERSION 3.20)
project(p C)
file(READ VERSION version)
string(STRIP "${version}" version)
file(GLOB items items/*.txt)
list(LENGTH items n)
execute_process(COMMAND git rev-list --count HEAD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE commits OUTPUT_STRIP_TRAILING_WHITESPACE)
add_custom_command(OUTPUT generated.h COMMAND sh ${CMAKE_SOURCE_DIR}/gen.sh ${CMAKE_SOURCE_DIR}/../data/gen.txt >generated.h)
include(../cmake/own.cmake)
option(CHOICE "" OFF)
set(option 1)
if(CHOICE)
  set(option 2)
endif()
file(GLOB more more/*.c)
add_executable(p main.c via.c ${more} ${CMAKE_CURRENT_BINARY_DIR}/generated.h)
target_compile_options(p PRIVATE -std=c2x)
target_include_directories(p PRIVATE ${CMAKE_CURRENT_BINARY_DIR} . ../inc first third fourth second)
target_compile_definitions(p PRIVATE GENERATED VERSION="${version}" ITEMS="${n}" COMMITS="${commits}" DATA="${CMAKE_SOURCE_DIR}/../data" OPTION="${option}" ${own})
`

const mesonBuild = `project('p', 'c', version: run_command('cat', 'VERSION', check: true).stdout().strip())
n = run_command('sh', '-c', 'ls items | wc -l', check: true).stdout().strip()
commits = run_command('git', 'rev-list', '--count', 'HEAD', check: true).stdout().strip()
gen = custom_target('gen', output: 'generated.h', command: ['sh', meson.current_source_dir() / 'gen.sh', meson.current_source_dir() / '../data/gen.txt'], capture: true)
args = ['-I' + meson.current_source_dir() / 'third', '-I' + meson.current_source_dir() / 'fourth', '-DDATA="' + meson.current_source_dir() / '../data' + '"', '-DOPTION="' + get_option('choice') + '"']
executable('p', 'main.c', 'via.c', gen, include_directories: include_directories('.', '../inc', 'first', 'second'), implicit_include_directories: true,
  c_args: args + ['-std=c2x', '-DGENERATED', '-DVERSION="' + meson.project_version() + '"', '-DITEMS="' + n + '"', '-DCOMMITS="' + commits + '"'])
`

const constructor = "#include <stdio.h>\n__attribute__((constructor)) static void more(void) { printf(\"more \"); }\n"

// TestInputs changes what a build read, wherever it lies, and what it did not read: the program that is built then
// prints what a build from nothing prints, and what nobody read builds nothing.
func TestInputs(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	for _, p := range inputProjects(platform) {
		t.Run(p.recipe, func(t *testing.T) {
			t.Parallel()
			dir := cProject(t, p.files)
			if full() { // files that name their place
				replace("xbuild.toml", "env = { ", fmt.Sprintf("env = { PKG_CONFIG_PATH = %q, ", filepath.Join(dir, "pc")))(t, dir)
				for _, name := range []string{"xbuild.toml", "data/ld.rsp"} {
					if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
						put(t, filepath.Join(dir, name), strings.ReplaceAll(string(data), "DIR", dir))
					}
				}
				os.Chmod(filepath.Join(dir, "src/rule.sh"), 0o755) // where there is one
				staticLibrary("clib/libfoo.a", "const char *foo(void) { return \"1\"; }\n")(t, dir)
			}
			unread := unread
			if p.recipe == "make" || p.recipe == "autotools" {
				unread = unread[1:] // make lists the directory that it works in, and this Makefile has a wildcard
			}
			checkInputs(t, dir, platform, p.program, append(p.inputs, unread...))
		})
	}
}

// checkInputs builds, and builds again after each change.
func checkInputs(t *testing.T, dir, platform, program string, inputs []input) {
	t.Helper()
	run := func() string {
		t.Helper()
		args := []string{"run", "-q", "-p", platform, "--", built(dir, platform, program)}
		if strings.HasSuffix(program, ".js") {
			args = []string{"run", "-q", "-p", platform, "--node", "20", "--", built(dir, platform, program)}
		}
		r := xbuild(t, dir, args...)
		if r.code != 0 {
			t.Fatalf("the program: %v", r)
		}
		return r.stdout
	}
	rebuild := func(what string) (upToDate bool) {
		t.Helper()
		r := xbuild(t, dir, "build")
		if r.code != 0 {
			t.Fatalf("%s: %v", what, r)
		}
		return strings.Contains(r.stderr, "0 built, 1 up to date")
	}
	rebuild("at first")
	out := run()
	for _, key := range []string{"src=1", "early=1"} {
		if !strings.Contains(out, key) {
			t.Fatalf("at first it prints %q", out)
		}
	}
	if !rebuild("nothing changed") {
		t.Error("nothing changed, and it was built again")
	}
	seen := 0
	for _, in := range inputs {
		if in.want != "" || strings.Contains(in.name, "xbuild.toml") {
			seen++
		}
	}
	t.Logf("%d inputs: %d that are seen, %d that nobody reads", len(inputs), seen, len(inputs)-seen)
	for i, in := range inputs {
		in.change(t, dir)
		upToDate := rebuild(in.name)
		now := run()
		switch {
		case in.want == "" && strings.Contains(in.name, "xbuild.toml"):
			if upToDate {
				t.Errorf("%s changed: up to date", in.name)
			}
		case in.want == "":
			if !upToDate || now != out {
				t.Errorf("%s changed, which nobody read: up to date %v; it prints %q", in.name, upToDate, now)
			}
		case upToDate || !strings.Contains(now, in.want):
			t.Errorf("%s changed: up to date %v, it prints\n%s want %s", in.name, upToDate, now, in.want)
		}
		out = now
		if i%3 == 0 && !rebuild(in.name) {
			t.Errorf("%s: after the build nothing changed, and it was built again", in.name)
		}
	}
	have, err := os.ReadFile(built(dir, platform, program))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".xbuild")); err != nil {
		t.Fatal(err)
	}
	rebuild("from nothing")
	anew, err := os.ReadFile(built(dir, platform, program))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, anew) {
		t.Errorf("a build from nothing gives other bytes; it prints\n%s where it printed\n%s", run(), out)
	}
}

// TestRoot: what lies above the source is in the copy that make runs in where a Makefile mentions it. What is looked for
// without a word there is not, and the error names the key, which is tried; a link that leads there leads to the same
// file.
func TestRoot(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	toml := func(more string) string {
		return fmt.Sprintf("[project]\nname = \"root\"\nplatforms = [%q]\n[target.p]\nrecipe = \"make\"\nsource = \"app\"\noutputs = [\"p\"]\n%s", platform, more)
	}
	dir := write(t, map[string]string{
		"xbuild.toml": toml(""), "common/c.h": "#define C \"1\"\n", "common/flags.mk": "CFLAGS += -DFLAG=1\n",
		"app/main.c":   "#include <stdio.h>\n#include C_H\n#ifndef FLAG\n#define FLAG 0\n#endif\nint main(void) { printf(\"c=%s flag=%d\\n\", C, FLAG); }\n",
		"app/Makefile": "UP = ..\n-include $(UP)/common/flags.mk\np: main.c\n\t$(CC) $(CFLAGS) -DC_H='\"$(UP)/common/c.h\"' -o $@ main.c\n",
	})
	prints := func(want string) {
		t.Helper()
		if r := xbuild(t, dir, "run", "-q", "-p", platform, "--", built(dir, platform, "p")); r.code != 0 || r.stdout != want {
			t.Errorf("the program: %v, want %q", r, want)
		}
	}
	refused := func(what string) {
		t.Helper()
		r := xbuild(t, dir, "build")
		if r.code != 1 || !strings.Contains(r.stderr, "the build looked for ../common/") || !strings.Contains(r.stderr, `write root = ".." in [target.p]`) {
			t.Errorf("%s: %v", what, r)
		}
	}
	refused("a header that is not there")
	content("app/main.c", "#include <stdio.h>\n#ifndef FLAG\n#define FLAG 0\n#endif\nint main(void) { printf(\"flag=%d\\n\", FLAG); }\n")(t, dir)
	refused("a file that make does without")
	content("xbuild.toml", toml("root = \".\"\n"))(t, dir)
	build(t, dir)
	prints("flag=0\n")
	content("xbuild.toml", toml("root = \"..\"\n"))(t, dir)
	build(t, dir)
	prints("flag=1\n")
	content("xbuild.toml", toml("root = \"inner\"\n"))(t, dir)
	if r := xbuild(t, dir, "build"); r.code != 1 || !strings.Contains(r.stderr, `root "inner" is not the source or a directory above it`) {
		t.Errorf("root below the source: %v", r)
	}

	content("xbuild.toml", toml(""))(t, dir)
	content("app/Makefile", "-include ../common/flags.mk\np: main.c\n\t$(CC) $(CFLAGS) -o $@ main.c\n")(t, dir)
	build(t, dir)
	prints("flag=1\n")
	content("common/flags.mk", "CFLAGS += -DFLAG=2\n")(t, dir)
	build(t, dir)
	prints("flag=2\n")
	content("xbuild.toml", toml("root = \".\"\n"))(t, dir)
	build(t, dir)
	prints("flag=0\n")

	content("xbuild.toml", toml(""))(t, dir)
	relink("app/linked", "../common")(t, dir)
	content("app/main.c", "#include <stdio.h>\n#include \"linked/c.h\"\nint main(void) { printf(\"c=%s\\n\", C); }\n")(t, dir)
	content("app/Makefile", "p: main.c\n\t$(CC) -o $@ main.c\n")(t, dir)
	build(t, dir)
	prints("c=1\n")
	content("common/c.h", "#define C \"2\"\n")(t, dir)
	build(t, dir)
	prints("c=2\n")
}

// TestInputsOfItself: CMake and Meson run programs of the platform by xbuild, which reads xbuild.toml there. What is
// written for another target builds nothing of theirs again; what is written for the platform does.
func TestInputsOfItself(t *testing.T) {
	needNetwork(t)
	toml := "[project]\nplatforms = [\"linux/arm64\"]\n[target.cmake]\nrecipe = \"cmake\"\nsource = \"c\"\noutputs = [\"asks\"]\n" +
		"[target.meson]\nrecipe = \"meson\"\nsource = \"m\"\noutputs = [\"asked\"]\n[target.own]\nrecipe = \"cc\"\nsource = \"o\"\nsources = [\"main.c\"]\n"
	const program = "int main(void) { return 0; }\n"
	dir := write(t, map[string]string{
		"xbuild.toml": toml, "o/main.c": program, "c/main.c": program, "m/main.c": program,
		"c/CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(asks C)\ninclude(CheckCSourceRuns)\ncheck_c_source_runs(\"" +
			"int main(void) { return 0; }\" RUNS)\nif(NOT RUNS)\nmessage(FATAL_ERROR \"it does not run\")\nendif()\nadd_executable(asks main.c)\n",
		"m/meson.build": "project('asks', 'c')\nassert(meson.get_compiler('c').run('int main(void) { return 0; }').returncode() == 0)\nexecutable('asked', 'main.c')\n",
	})
	build(t, dir)
	for _, c := range []struct{ old, new, built string }{
		{"sources = [\"main.c\"]\n", "sources = [\"main.c\"]\ndefines = [\"A\"]\n", "1 built, 2 up to date"},
		{"[target.own]\n", "[platform.\"linux/arm64\"]\nfeatures = [\"crc\"]\n[target.own]\n", "3 built, 0 up to date"},
	} {
		edit(t, filepath.Join(dir, "xbuild.toml"), c.old, c.new)
		if r := xbuild(t, dir, "build", "--no-cache", "--explain"); r.code != 0 || !strings.Contains(r.stderr, c.built) {
			t.Errorf("with %q: %v\nwant %s", c.new, r, c.built)
		}
	}
}
