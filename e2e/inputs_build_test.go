package e2e

// What a build reads beside its sources, in the words of each build system. It is of the full form: extra.c says what
// it was compiled with.

const extraEnds = `
const char *foo(void);
static char text[400];
const char *extra(void) {
    snprintf(text, sizeof text, FORMAT, VALUES);
    return text;
}
`

var ccMoreFiles = map[string]string{
	"src/extra.c": `#include <stdio.h>
int cpp(void);
extern const char sized[], script_value[], other_value[];
#define FORMAT "rsp=%s forced=%s given=%s pc=%s foo=%s cpp=%d sized=%d script=%d other=%d"
#define VALUES RSP, FORCED, GIVEN, PC, foo(), cpp(), sized[0], (int)(long)script_value, (int)(long)other_value
` + extraEnds,
	"src/flags.rsp": "-DRSP='\"1\"'\n", "data/forced.h": "#define FORCED \"1\"\n", "pc/own.pc": "Name: own\nDescription: own\nVersion: 1\nCflags: -DPC='\"1\"'\n",
	"src/cpp.cc": "#include \"cpp.hh\"\nextern \"C\" int cpp(void) { return own<int>(); }\n", "src/cpp.hh": "template <class T> T own() { return 1; }\n",
	"src/sized.S": "#include \"sized.h\"\n.section .rodata\n.globl sized\nsized: .byte SIZED\n.section .note.GNU-stack,\"\",%progbits\n", "src/sized.h": "#define SIZED 1\n",
	"data/more.ld": "script_value = 1;\n", "data/ld.rsp": "--defsym=other_value=1\n",
}

var ccMoreInputs = []input{
	{"a file of flags", content("src/flags.rsp", "-DRSP='\"2\"'\n"), "rsp=2"},
	{"a header that a flag includes", content("data/forced.h", "#define FORCED \"2\"\n"), "forced=2"},
	{"a macro in xbuild.toml", replace("xbuild.toml", `GIVEN=\"1\"`, `GIVEN=\"2\"`), "given=2"},
	{"what pkg-config reads", content("pc/own.pc", "Name: own\nDescription: own\nVersion: 1\nCflags: -DPC='\"2\"'\n"), "pc=2"},
	{"a static library", staticLibrary("clib/libfoo.a", "const char *foo(void) { return \"2\"; }\n"), "foo=2"},
	{"a script of the linker", content("data/more.ld", "script_value = 2;\n"), "script=2"},
	{"a file of the linker's flags", content("data/ld.rsp", "--defsym=other_value=2\n"), "other=2"},
	{"a template in C++", content("src/cpp.hh", "template <class T> T own() { return 2; }\n"), "cpp=2"},
	{"a header that assembly includes", content("src/sized.h", "#define SIZED 2\n"), "sized=2"},
	{"a source that a glob finds", content("src/more.c", constructor), "more "},
	{"it goes", remove("src/more.c"), "src="},
}

// makeVars stands before the rules of the Makefile, makeMore behind them.
const makeVars = `-include config.mk
include ../common/rules.mk
VPATH = over:under
CONF ?= 1
GIVEN ?= 0
XDEFS = -DCONF='"$(CONF)"' -DCOMMON='"$(COMMON)"' -DGIVEN='"$(GIVEN)"' -DBRACES='"$(words ${wildcard braces/*.x})"' -DREADFILE='"$(strip $(file <../data/file.txt))"'
MORE = extra.o vp.o sub/libsub.a ../clib/libfoo.a
p: extra.o vp.o sub/libsub.a
`

const makeMore = `extra.o: extra.c counted.h tree.h sourced.h tool.h
	$(CC) $(CFLAGS) $(XDEFS) $(CONFIGURED) @flags.rsp -c extra.c
counted.h: listed/*.txt
	echo "#define COUNTED \"$(words $^)\"" >$@
tree.h:
	echo "#define TREE \"` + "`find ../data/tree -type f | wc -l`" + `\"" >$@
	if test -d ../data/opt; then echo '#define OPT "2"'; else echo '#define OPT "1"'; fi >>$@
sourced.h:
	sh outer.sh >$@
tool.h: tool
	./tool >$@
tool: tool.c
	$(CC_FOR_BUILD) -o $@ tool.c
sub/libsub.a: FORCE
	$(MAKE) -C sub
FORCE:
`

var makeMoreFiles = map[string]string{
	"src/extra.c": `#include <stdio.h>
#include "counted.h"
#include "tree.h"
#include "sourced.h"
#include "tool.h"
#ifndef LIBV
#define LIBV "-"
#define FEATURE "-"
#define WITHOPT "-"
#define SUBST "-"
#else
#include "config.h"
#endif
const char *sub(void);
const char *vp(void);
#define FORMAT "conf=%s common=%s given=%s braces=%s readfile=%s counted=%s tree=%s opt=%s sourced=%s tool=%s rsp=%s sub=%s vp=%s foo=%s libv=%s feature=%s withopt=%s subst=%s"
#define VALUES CONF, COMMON, GIVEN, BRACES, READFILE, COUNTED, TREE, OPT, SOURCED, TOOL, RSP, sub(), vp(), foo(), LIBV, FEATURE, WITHOPT, SUBST
` + extraEnds,
	"common/rules.mk": "COMMON = 1\n", "src/braces/a.x": "", "data/file.txt": "1\n", "src/listed/a.txt": "", "data/tree/a/b/one": "", "src/outer.sh": ". ./inner.sh\n",
	"src/inner.sh": "echo '#define SOURCED \"1\"'\n", "src/tool.c": "#include <stdio.h>\n#include \"../inc/tool.h\"\nint main(void) { puts(\"#define TOOL \\\"\" TOOLV \"\\\"\"); }\n", "inc/tool.h": "#define TOOLV \"1\"\n",
	"src/flags.rsp": "-DRSP='\"1\"'\n", "src/sub/Makefile": "libsub.a: sub.o\n\t$(AR) rcs $@ sub.o\nsub.o: sub.c\n\t$(CC) $(SUBFLAGS) -DSUB='\"1\"' -c sub.c\n",
	"src/sub/sub.c": "const char *sub(void) { return SUB; }\n", "src/under/vp.c": "const char *vp(void) { return \"1\"; }\n", "src/over/keep": "",
}

var makeMoreInputs = []input{
	{"a file that make looked for", content("src/config.mk", "CONF = 2\n"), "conf=2"},
	{"it goes", remove("src/config.mk"), "conf=1"},
	{"a file that the Makefile includes", content("common/rules.mk", "COMMON = 2\n"), "common=2"},
	{"a variable in xbuild.toml", replace("xbuild.toml", `GIVEN = "1"`, `GIVEN = "2"`), "given=2"},
	{"names that a wildcard in braces finds", content("src/braces/b.x", ""), "braces=2"},
	{"a file that make reads", content("data/file.txt", "2\n"), "readfile=2"},
	{"the names that are a rule's prerequisites", content("src/listed/b.txt", ""), "counted=2"},
	{"one of them goes", remove("src/listed/b.txt"), "counted=1"},
	{"a name far below a directory", content("data/tree/a/b/two", ""), "tree=2"},
	{"a directory that a rule looked for", content("data/opt/keep", ""), "opt=2"},
	{"a script that a script calls", content("src/inner.sh", "echo '#define SOURCED \"2\"'\n"), "sourced=2"},
	{"a header of a program that makes a header", content("inc/tool.h", "#define TOOLV \"2\"\n"), "tool=2"},
	{"a file of flags", content("src/flags.rsp", "-DRSP='\"2\"'\n"), "rsp=2"},
	{"a Makefile below", replace("src/sub/Makefile", `"1"`, `"2"`), "sub=2"},
	{"a source that VPATH finds earlier", content("src/over/vp.c", "const char *vp(void) { return \"2\"; }\n"), "vp=2"},
	{"a static library", staticLibrary("clib/libfoo.a", "const char *foo(void) { return \"2\"; }\n"), "foo=2"},
}

// configureMore is a configure script that asks for more.
const configureMore = `#!/bin/sh
. ./build-aux/lib.sh
feature=1
test -f ../data/feature && feature=2
option=1
for arg; do case $arg in --with-opt=*) option=${arg#*=};; esac; done
echo "VERS = -DVERSION='\"` + "`cat VERSION`" + `\"'" >version.mk
echo "CONFIGURED = -DLIBV='\"$libv\"' -DFEATURE='\"$feature\"' -DWITHOPT='\"$option\"'" >>version.mk
sed "s/@subst@/1/" config.h.in >config.h
cp Makefile.in Makefile
: >config.status
`

var configureFiles = map[string]string{"src/build-aux/lib.sh": "libv=1\n", "src/config.h.in": "#define SUBST \"@subst@\"\n"}

var configureInputs = []input{
	{"what the configure script calls", content("src/build-aux/lib.sh", "libv=2\n"), "libv=2"},
	{"a file that it looked for", content("data/feature", ""), "feature=2"},
	{"its options in xbuild.toml", replace("xbuild.toml", "options = []", `options = ["--with-opt=2"]`), "withopt=2"},
	{"a file that it fills in", content("src/config.h.in", "#define SUBST \"@subst@2\"\n"), "subst=12"},
	{"the configure script", replace("src/configure", "@/1/", "@/3/"), "subst=32"},
	{"what the Makefile is made of", replace("src/Makefile.in", "-DGENERATED", "-DGENERATED -DOTHER='\"3\"'"), "src=3"},
}

const cmakeMore = `list(APPEND CMAKE_MODULE_PATH ${CMAKE_SOURCE_DIR}/mod1 ${CMAKE_SOURCE_DIR}/mod2)
include(Own)
set(CONF 1)
configure_file(conf.h.in conf.h)
add_subdirectory(subdir)
set(feature 1)
if(EXISTS ${CMAKE_SOURCE_DIR}/feature)
  set(feature 2)
endif()
file(GLOB_RECURSE tree ../data/tree/*)
list(LENGTH tree tree)
file(STRINGS ../data/strings.txt strings LIMIT_COUNT 1)
execute_process(COMMAND sh outer.sh WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE sourced OUTPUT_STRIP_TRAILING_WHITESPACE)
find_file(WHERE where.txt PATHS ${CMAKE_SOURCE_DIR}/w1 ${CMAKE_SOURCE_DIR}/w2 NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
file(READ ${WHERE} where)
string(STRIP "${where}" where)
add_library(foo STATIC IMPORTED)
set_target_properties(foo PROPERTIES IMPORTED_LOCATION ${CMAKE_SOURCE_DIR}/../clib/libfoo.a)
try_compile(tried ${CMAKE_BINARY_DIR}/try SOURCES ${CMAKE_SOURCE_DIR}/try.c)
if(tried)
  set(tried 1)
else()
  set(tried 2)
endif()
add_custom_command(OUTPUT deps.h COMMAND sh ${CMAKE_SOURCE_DIR}/gen.sh ${CMAKE_SOURCE_DIR}/../data/deps.txt | sed s/GEN/DEPS/ | grep DEPS >deps.h DEPENDS ../data/deps.txt)
target_sources(p PRIVATE extra.c ${CMAKE_CURRENT_BINARY_DIR}/deps.h)
target_link_libraries(p PRIVATE sub foo)
target_compile_definitions(p PRIVATE OWNV="${own_value}" FEATURE="${feature}" TREE="${tree}" STRINGS="${strings}" SOURCED="${sourced}" WHERE="${where}" TRIED="${tried}" GIVEN="${GIVEN}" CACHED="${CACHED}")
`

var cmakeMoreFiles = map[string]string{
	"src/extra.c": `#include <stdio.h>
#include "conf.h"
#include "deps.h"
const char *sub(void);
const char *pch(void);
#define FORMAT "own=%s feature=%s tree=%s strings=%s sourced=%s where=%s tried=%s given=%s cached=%s conf=%s deps=%s sub=%s pch=%s foo=%s"
#define VALUES OWNV, FEATURE, TREE, STRINGS, SOURCED, WHERE, TRIED, GIVEN, CACHED, CONF, DEPS, sub(), pch(), foo()
` + extraEnds,
	"src/mod2/Own.cmake": "set(own_value 1)\n", "src/conf.h.in": "#define CONF \"@CONF@\"\n", "src/subdir/CMakeLists.txt": "add_library(sub STATIC sub.c)\ntarget_compile_definitions(sub PRIVATE SUB=\"1\")\ntarget_precompile_headers(sub PRIVATE pch.h)\n",
	"src/subdir/sub.c": "const char *sub(void) { return SUB; }\nconst char *pch(void) { return PCH; }\n", "src/subdir/pch.h": "#include \"../../inc/pch.h\"\n", "inc/pch.h": "#define PCH \"1\"\n",
	"data/tree/a/b/one": "", "data/strings.txt": "1\n", "src/outer.sh": ". ./inner.sh\n", "src/inner.sh": "echo 1\n", "src/w2/where.txt": "1\n", "src/try.c": "int main(void) { return 0; }\n", "data/deps.txt": "1\n",
	"src/cache.cmake": "set(CACHED 1 CACHE STRING \"\")\n",
}

var cmakeMoreInputs = []input{
	{"a module that appears earlier on the path", content("src/mod1/Own.cmake", "set(own_value 2)\n"), "own=2"},
	{"a file that is filled in", content("src/conf.h.in", "#define CONF \"@CONF@2\"\n"), "conf=12"},
	{"a list below", replace("src/subdir/CMakeLists.txt", `SUB="1"`, `SUB="2"`), "sub=2"},
	{"a header of a precompiled one", content("inc/pch.h", "#define PCH \"2\"\n"), "pch=2"},
	{"a file that a list looked for", content("src/feature", ""), "feature=2"},
	{"it goes", remove("src/feature"), "feature=1"},
	{"a name far below a directory", content("data/tree/a/b/two", ""), "tree=2"},
	{"a file that a list reads", content("data/strings.txt", "2\n"), "strings=2"},
	{"a script that a script calls", content("src/inner.sh", "echo 2\n"), "sourced=2"},
	{"a file that is found earlier on the path", content("src/w1/where.txt", "2\n"), "where=2"},
	{"a static library", staticLibrary("clib/libfoo.a", "const char *foo(void) { return \"2\"; }\n"), "foo=2"},
	{"a source that is tried", content("src/try.c", "#error\n"), "tried=2"},
	{"what a command is said to read", content("data/deps.txt", "2\n"), "deps=2"},
	{"it has its size and time still", unseen("data/deps.txt", "2", "3"), "deps=3"},
	{"a variable in xbuild.toml", replace("xbuild.toml", `GIVEN = "1"`, `GIVEN = "2"`), "given=2"},
	{"a file of variables", content("src/cache.cmake", "set(CACHED 2 CACHE STRING \"\")\n"), "cached=2"},
	{"the build's own file", replace("src/CMakeLists.txt", "set(CONF 1)", "set(CONF 3)"), "conf=32"},
}

const mesonMore = `fs = import('fs')
cc = meson.get_compiler('c')
conf = configure_file(input: 'conf.h.in', output: 'conf.h', configuration: {'CONF': '1'})
subdir('subdir')
feature = fs.exists('feature') ? '2' : '1'
strings = fs.read('../data/strings.txt').strip()
tree = run_command('sh', '-c', 'find ../data/tree -type f | wc -l', check: true).stdout().strip()
sourced = run_command('sh', 'outer.sh', check: true).stdout().strip()
tried = cc.compiles(files('try.c')) ? '1' : '2'
inner = subproject('inner')
said = generator(find_program('rule.sh'), output: '@BASENAME@.h', arguments: ['@INPUT@', '@OUTPUT@'])
listed = run_command('cat', files('list.txt'), check: true).stdout().strip()
depended = custom_target(output: 'deps.h', command: ['sh', files('gen.sh'), '@INPUT@'], input: '../data/deps.txt', capture: true)
more = declare_dependency(dependencies: cc.find_library('foo', dirs: meson.current_source_dir() / '../clib'), sources: depended,
  compile_args: ['-DFEATURE="' + feature + '"', '-DSTRINGS="' + strings + '"', '-DTREE="' + tree + '"', '-DSOURCED="' + sourced + '"', '-DTRIED="' + tried + '"', '-DINNER="' + inner.get_variable('value') + '"', '-DLISTED="' + listed + '"',
    '-DGIVEN="' + get_option('given') + '"', '-DEXTERNAL="' + meson.get_external_property('own') + '"'])
`

var mesonMoreFiles = map[string]string{
	"src/extra.c": `#include <stdio.h>
#include "conf.h"
#include "said.h"
#include "deps.h"
const char *sub(void);
#define FORMAT "feature=%s strings=%s tree=%s sourced=%s tried=%s inner=%s listed=%s given=%s external=%s conf=%s said=%s deps=%s sub=%s foo=%s"
#define VALUES FEATURE, STRINGS, TREE, SOURCED, TRIED, INNER, LISTED, GIVEN, EXTERNAL, CONF, SAID, GEN, sub(), foo()
` + extraEnds,
	"src/conf.h.in": "#define CONF \"@CONF@\"\n", "src/subdir/meson.build": "sub = static_library('sub', 'sub.c', c_args: '-DSUB=\"1\"')\n", "src/subdir/sub.c": "const char *sub(void) { return SUB; }\n",
	"data/strings.txt": "1\n", "data/tree/a/b/one": "", "src/outer.sh": ". ./inner.sh\n", "src/inner.sh": "echo 1\n", "src/try.c": "int main(void) { return 0; }\n",
	"src/subprojects/inner/meson.build": "project('inner')\nvalue = import('fs').read('value.txt').strip()\n", "src/subprojects/inner/value.txt": "1\n",
	"src/rule.sh": "#!/bin/sh\necho \"#define SAID \\\"$(cat \"$1\")\\\"\" >\"$2\"\n", "src/said.said": "1\n", "src/list.txt": "1\n", "data/deps.txt": "1\n", "src/extra.ini": "[properties]\nown = '1'\n",
}

var mesonMoreInputs = []input{
	{"a file that is filled in", content("src/conf.h.in", "#define CONF \"@CONF@2\"\n"), "conf=12"},
	{"a list below", replace("src/subdir/meson.build", `"1"`, `"2"`), "sub=2"},
	{"a file that a list looked for", content("src/feature", ""), "feature=2"},
	{"it goes", remove("src/feature"), "feature=1"},
	{"a name far below a directory", content("data/tree/a/b/two", ""), "tree=2"},
	{"a file that a list reads", content("data/strings.txt", "2\n"), "strings=2"},
	{"a script that a script calls", content("src/inner.sh", "echo 2\n"), "sourced=2"},
	{"a static library", staticLibrary("clib/libfoo.a", "const char *foo(void) { return \"2\"; }\n"), "foo=2"},
	{"a source that is tried", content("src/try.c", "#error\n"), "tried=2"},
	{"a file of a subproject", content("src/subprojects/inner/value.txt", "2\n"), "inner=2"},
	{"a subproject's list", replace("src/subprojects/inner/meson.build", ".strip()", ".strip() + '2'"), "inner=22"},
	{"what a generator reads", content("src/said.said", "2\n"), "said=2"},
	{"a generator's script", replace("src/rule.sh", `SAID \"`, `SAID \"3`), "said=32"},
	{"a file that a command prints", content("src/list.txt", "2\n"), "listed=2"},
	{"what a command is said to read", content("data/deps.txt", "2\n"), "deps=2"},
	{"it has its size and time still", unseen("data/deps.txt", "2", "3"), "deps=3"},
	{"an option in xbuild.toml", replace("xbuild.toml", `given = "1"`, `given = "2"`), "given=2"},
	{"a file of the machine's properties", replace("src/extra.ini", "'1'", "'2'"), "external=2"},
	{"the build's own file", replace("src/meson.build", "'CONF': '1'", "'CONF': '3'"), "conf=32"},
}
