package project

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// faults has every kind of error: what is written, and all that is said.
var faults = []struct{ name, text, want string }{
	{"syntax",
		"[project]\nname = \n",
		`xbuild.toml:2: not TOML: expected value but found '\n' instead`},
	{"key twice",
		"[project]\nname = \"a\"\nname = \"b\"\n",
		`xbuild.toml:3: not TOML: key 'project.name' has already been defined`},
	{"unclosed list",
		"[project]\nplatforms = [\n  \"linux/amd64\"\n[sysroot]\n",
		`xbuild.toml:4: not TOML: expected a comma (',') or array terminator (']'), but got '['`},
	{"unknown section",
		"[project]\n[targets.hello]\n",
		`xbuild.toml:2: unknown key "targets" in the file; did you mean "target"? (want mirrors, platform, project, sysroot, target, toolchains)`},
	{"byte that is no text",
		"[project]\nname = \"\x01\"\n",
		`xbuild.toml:2: not TOML: TOML files cannot contain control characters: '0x01'`},
	{"key outside of a section",
		"name = \"x\"\n",
		`xbuild.toml:1: unknown key "name" in the file (want mirrors, platform, project, sysroot, target, toolchains)`},
	{"section that is no table",
		"sysroot = \"2.31\"\n",
		`xbuild.toml:1: sysroot in the file wants a table, not a string`},
	{"section that is a list",
		"[[target]]\nname = \"x\"\n",
		`xbuild.toml:1: target in the file wants a table, not a list of tables`},
	{"unknown key",
		"[project]\nplatfroms = []\n",
		`xbuild.toml:2: unknown key "platfroms" in [project]; did you mean "platforms"? (want build, dist, name, platforms)`},
	{"unknown key like none",
		"[project]\n\ncolour = 1\n",
		`xbuild.toml:3: unknown key "colour" in [project] (want build, dist, name, platforms)`},
	{"unknown keys in order",
		"[sysroot]\nzz = 1\naa = 1\n[project]\nnaem = \"x\"\n",
		`xbuild.toml:2: unknown key "zz" in [sysroot] (want cxx, glibc, host_packages, libc, packages, stdlib, suite)` +
			"\n" + `xbuild.toml:3: unknown key "aa" in [sysroot] (want cxx, glibc, host_packages, libc, packages, stdlib, suite)` +
			"\n" + `xbuild.toml:5: unknown key "naem" in [project]; did you mean "name"? (want build, dist, name, platforms)`},
	{"unknown dotted key",
		"project.dsit.x = 1\n",
		`xbuild.toml:1: unknown key "dsit" in [project]; did you mean "dist"? (want build, dist, name, platforms)`},
	{"unknown quoted key",
		"[project]\n\"na me\" = 1\n",
		`xbuild.toml:2: unknown key "na me" in [project]; did you mean "name"? (want build, dist, name, platforms)`},
	{"string wanted, integer given",
		"[project]\nname = 5\n",
		`xbuild.toml:2: name in [project] wants a string, not an integer; put it in quotes`},
	{"string wanted, list given",
		"[project]\nname = [\"x\"]\n",
		`xbuild.toml:2: name in [project] wants a string, not a list`},
	{"string wanted, date given",
		"[project]\nname = 2026-01-01\n",
		`xbuild.toml:2: name in [project] wants a string, not a date or time`},
	{"list wanted, string given",
		"[project]\nplatforms = \"linux/amd64\"\n",
		`xbuild.toml:2: platforms in [project] wants a list of strings, not a string; write ["linux/amd64"]`},
	{"list of strings wanted",
		"[project]\nplatforms = [\n  \"linux/amd64\",\n  5,\n]\n",
		`xbuild.toml:4: platforms in [project] wants strings, not an integer; put it in quotes`},
	{"list wanted, tables given",
		"[sysroot]\n[[sysroot.packages]]\nname = \"x\"\n",
		`xbuild.toml:2: packages in [sysroot] wants a list of strings, not a list of tables`},
	{"table wanted",
		"[target]\nhello = \"cc\"\n",
		`xbuild.toml:2: hello in [target] wants a table, not a string`},
	{"boolean wanted",
		"[target.a]\nrecipe = \"go\"\nstrip = \"true\"\nstatic = 1\n",
		`xbuild.toml:3: strip in [target.a] wants true or false, not a string; leave the quotes out` +
			"\n" + `xbuild.toml:4: static in [target.a] wants true or false, not an integer`},
	{"empty name",
		"[project]\nname = \"\"\n",
		`xbuild.toml:2: name in [project] is empty`},
	{"unknown platform",
		"[project]\nplatforms = [\n  \"linux/amd64\",\n  \"linux/arm/v9\",\n]\n",
		`xbuild.toml:4: platform "linux/arm/v9" is unknown; did you mean "linux/arm/v7"? (xbuild platforms lists them)`},
	{"platform twice",
		"[project]\nplatforms = [\"linux/arm64\",\n \"aarch64\"]\n",
		`xbuild.toml:3: platform "aarch64" is listed twice ("linux/arm64", line 2, is the same)`},
	{"platform twice, spelled alike",
		"[project]\nplatforms = [\"linux/386\", \"linux/386\"]\n",
		`xbuild.toml:2: platform "linux/386" is listed twice (line 2)`},
	{"dist climbs",
		"[project]\ndist = \"../dist\"\nbuild = \"/tmp/x\"\n",
		`xbuild.toml:2: dist "../dist" in [project] must lie inside the project's folder` +
			"\n" + `xbuild.toml:3: build "/tmp/x" in [project] must lie inside the project's folder`},
	{"dist is the project",
		"[project]\ndist = \"./\"\nbuild = \"\"\n",
		`xbuild.toml:2: dist in [project] must be a folder of its own` +
			"\n" + `xbuild.toml:3: build in [project] must be a folder of its own`},
	{"dist is build",
		"[project]\ndist = \"out\"\nbuild = \"./out/\"\n",
		`xbuild.toml:3: build in [project] is the same folder as dist`},
	{"dist with NUL",
		"[project]\ndist = \"a\\u0000\"\n",
		`xbuild.toml:2: dist in [project] has a NUL character`},
	{"unknown toolchain",
		"[toolchains]\nclnag = \"^19\"\n",
		`xbuild.toml:2: toolchain "clnag" is unknown; did you mean "clang"? (want clang, cmake, gcc, go, make)`},
	{"malformed constraint",
		"[toolchains]\nclang = \"^^19\"\n",
		`xbuild.toml:2: toolchain clang: "^^19" is not a version constraint (such as "^19", ">=1.24" or "~3.25")`},
	{"constraint without quotes",
		"[toolchains]\nclang = 19\ngo = 1.24\n",
		`xbuild.toml:2: clang in [toolchains] wants a string, not an integer; put it in quotes` +
			"\n" + `xbuild.toml:3: go in [toolchains] wants a string, not a float; put it in quotes`},
	{"impossible constraint",
		"[toolchains]\nclang = \">=19, <18\"\ngo = { source = \"host\", version = \"^1.24, ^2\" }\n",
		`xbuild.toml:2: toolchain clang: no version can satisfy ">=19, <18"` +
			"\n" + `xbuild.toml:3: toolchain go: no version can satisfy "^1.24, ^2"`},
	{"a channel of a toolchain that has none",
		"[toolchains]\nclang = \"nightly\"\n",
		`xbuild.toml:2: toolchain clang: "nightly" is not a version constraint (such as "^19", ">=1.24" or "~3.25")`},
	{"a channel that there is not, and a day",
		"[toolchains]\ncmake = \"beta\"\n[toolchains.make]\n[toolchains.go]\nsource = \"official\"\n",
		`xbuild.toml:2: toolchain cmake: "beta" is not a version constraint (such as "^19", ">=1.24" or "~3.25")` +
			"\n" + `xbuild.toml:5: unknown source "official" (want archive, host)`},
	{"a day that there was not",
		"[toolchains]\ncmake = \"nightly-2026-02-30\"\n",
		`xbuild.toml:2: toolchain cmake: "nightly-2026-02-30" is not a version constraint (such as "^19", ">=1.24" or "~3.25")`},
	{"a channel from where it is not",
		"[toolchains]\ncmake = { version = \"nightly\", source = \"archive\" }\n",
		`xbuild.toml:2: toolchain cmake: version "nightly" is one of its official distribution, and source is "archive"`},
	{"toolchain's keys",
		"[toolchains.go]\nverison = \"1\"\nsource = \"hots\"\n",
		`xbuild.toml:2: unknown key "verison" in [toolchains.go]; did you mean "version"? (want source, version)` +
			"\n" + `xbuild.toml:3: unknown source "hots"; did you mean "host"? (want archive, host)`},
	{"glibc and suite",
		"[sysroot]\nglibc = \"2.31\"\nsuite = \"trixie\"\n",
		`xbuild.toml:3: [sysroot] has both glibc and suite, and each alone decides the sysroot; keep one`},
	{"glibc as a float",
		"[sysroot]\nglibc = 2.31\n",
		`xbuild.toml:2: glibc in [sysroot] wants a string, not a float; put it in quotes`},
	{"glibc of no kind",
		"[sysroot]\nglibc = \"2.x\"\n",
		`xbuild.toml:2: glibc "2.x" is not a version of glibc (such as 2.31, 2.36, 2.41)`},
	{"glibc is a suite",
		"[sysroot]\nglibc = \"bookworm\"\n",
		`xbuild.toml:2: glibc wants a version, and "bookworm" is a suite; write suite = "bookworm"`},
	{"glibc too old",
		"[sysroot]\nglibc = \"2.17\"\n",
		`xbuild.toml:2: no sysroot has a glibc as old as 2.17; the oldest has 2.31`},
	{"unknown suite",
		"[sysroot]\nsuite = \"bookwrom\"\n",
		`xbuild.toml:2: unknown suite "bookwrom"; did you mean "bookworm"? (want bookworm, bullseye, trixie)`},
	{"unknown libc",
		"[sysroot]\nlibc = \"glib\"\n",
		`xbuild.toml:2: unknown libc "glib" (want gnu, musl)`},
	{"package's name",
		"[sysroot]\npackages = [\"libssl-dev\", \"Lib SSL\"]\n",
		`xbuild.toml:2: package "Lib SSL" in [sysroot] is no name of a Debian package (such as "libssl-dev")`},
	{"settings of an unknown platform",
		"[platform.\"linux/amr64\"]\ncpu = \"x\"\n",
		`xbuild.toml:1: platform "linux/amr64" is unknown; did you mean "linux/amd64"? (xbuild platforms lists them)`},
	{"settings of one platform twice",
		"[platform.\"linux/arm64\"]\n\n[platform.aarch64]\n",
		`xbuild.toml:3: platform "linux/arm64" has two tables (line 1 is the other)`},
	{"unknown key of a platform",
		"[platform.\"linux/arm64\"]\ncflag = []\n",
		`xbuild.toml:2: unknown key "cflag" in [platform."linux/arm64"]; did you mean "cflags"? (want cc, cflags, cpu, cxx, cxxflags, env, features, glibc, host_packages, ldflags, libc, packages, page, stdlib, suite)`},
	{"pages that no kernel has",
		"[platform.\"linux/arm64\"]\npage = 5\n",
		`xbuild.toml:2: page in [platform."linux/arm64"]: no kernel for linux/arm64 has pages of 5 KB (want 4, 16, 64)`},
	{"pages of a system that xbuild knows none of",
		"[platform.\"freebsd/arm64\"]\npage = 4\n",
		`xbuild.toml:2: page in [platform."freebsd/arm64"]: no kernel for freebsd/arm64 has pages of 4 KB: xbuild knows none of it`},
	{"platform's sysroot",
		"[platform.\"linux/arm64\"]\nglibc = \"2.1\"\nsuite = \"sid\"\n",
		`xbuild.toml:2: no sysroot has a glibc as old as 2.1; the oldest has 2.31` +
			"\n" + `xbuild.toml:3: unknown suite "sid" (want bookworm, bullseye, trixie)` +
			"\n" + `xbuild.toml:3: [platform."linux/arm64"] has both glibc and suite, and each alone decides the sysroot; keep one`},
	{"platform's env",
		"[platform.\"linux/arm64\"]\nenv = { \"A-B\" = \"1\", C = 2 }\n",
		`xbuild.toml:2: "A-B" in [platform."linux/arm64"] is no name of an environment variable (letters, digits and _, not a digit first)` +
			"\n" + `xbuild.toml:2: C in [platform."linux/arm64".env] wants a string, not an integer; put it in quotes`},
	{"unknown archive",
		"[mirrors]\ndebain = \"https://mirror.example/debian\"\n",
		`xbuild.toml:2: archive "debain" is unknown; did you mean "debian"? (want debian)`},
	{"mirror is no URL",
		"[mirrors]\ndebian = [\"https://mirror.example/debian\", \"mirror.example\", \"https:///x\",\n \"file:x\", \"http://[::1\"]\n",
		`xbuild.toml:2: mirror "mirror.example" of debian wants a URL that starts with https://, http:// or file://` +
			"\n" + `xbuild.toml:2: mirror "https:///x" of debian names no host` +
			"\n" + `xbuild.toml:3: mirror "file:x" of debian wants an absolute path, file:///…` +
			"\n" + `xbuild.toml:3: mirror "http://[::1" of debian is not a URL`},
	{"mirror of a wrong type",
		"[mirrors]\ndebian = 1\n",
		`xbuild.toml:2: debian in [mirrors] wants a list of strings, not an integer`},
	{"no recipe",
		"[target.hello]\nsources = [\"a.c\"]\n",
		`xbuild.toml:1: target "hello" has no recipe (want cc, go, make)`},
	{"recipe misspelt",
		"[target.hello]\nrecip = \"cc\"\nsources = [\"a.c\"]\n",
		`xbuild.toml:1: target "hello" has no recipe (want cc, go, make)` + "\n" +
			`xbuild.toml:2: unknown key "recip" in [target.hello]; did you mean "recipe"?`},
	{"recipe of a wrong type",
		"[target.hello]\nrecipe = [\"cc\"]\n",
		`xbuild.toml:2: recipe in [target.hello] wants a string, not a list`},
	{"unknown recipe",
		"[target.hello]\nrecipe = \"maek\"\nsources = [\"a.c\"]\n",
		`xbuild.toml:2: recipe "maek" is unknown; did you mean "make"? (want cc, go, make)`},
	{"target's name",
		"[target.\"a/b\"]\nrecipe = \"go\"\n[target.\"..\"]\nrecipe = \"go\"\n",
		`xbuild.toml:1: target name "a/b" may have only letters, digits and _ . + -, and starts with a letter, a digit or _` +
			"\n" + `xbuild.toml:3: target name ".." may have only letters, digits and _ . + -, and starts with a letter, a digit or _`},
	{"unknown key of a target",
		"[target.hello]\nrecipe = \"cc\"\nsources = []\nsorces = [\"a.c\"]\n",
		`xbuild.toml:4: unknown key "sorces" in [target.hello]; did you mean "sources"? (recipe cc allows bench, cc, dest, dispatched, env, equal, external, headers, host_packages, host_tools, includes, inputs, kind, lenient, libs, needs, opt, outputs, platform, platforms, recipe, source, sources, static, stdlib, strip, test, tools, uname, unaudited)`},
	{"missing option",
		"[target.hello]\nrecipe = \"cc\"\n",
		`xbuild.toml:1: [target.hello] lacks "sources", which recipe cc needs: source files, as globs`},
	{"option of a wrong type",
		"[target.hello]\nrecipe = \"cc\"\nsources = \"a.c\"\nkind = true\n",
		`xbuild.toml:3: sources in [target.hello] wants a list of strings, not a string; write ["a.c"]` +
			"\n" + `xbuild.toml:4: kind in [target.hello] wants a string, not a boolean; put it in quotes`},
	{"options of wrong types",
		"[target.hello]\nrecipe = \"make\"\ndepth = \"3\"\nvars = [\"A=1\"]\n[target.b]\nrecipe = \"go\"\ncgo = \"no\"\n",
		`xbuild.toml:3: depth in [target.hello] wants an integer, not a string` +
			"\n" + `xbuild.toml:4: vars in [target.hello] wants a table, not a list` +
			"\n" + `xbuild.toml:7: cgo in [target.b] wants true or false, not a string`},
	{"value in an option's table",
		"[target.hello]\nrecipe = \"make\"\nvars = { A = 1 }\n",
		`xbuild.toml:3: A in [target.hello.vars] wants a string, not an integer; put it in quotes`},
	{"option's choices",
		"[target.hello]\nrecipe = \"cc\"\nkind = \"progam\"\nsources = []\n",
		`xbuild.toml:3: kind in [target.hello] cannot be "progam"; did you mean "program"? (want program, shared, static)`},
	{"choices of a list",
		"[target.hello]\nrecipe = \"make\"\nchecks = [\"fast\",\n \"slwo\"]\n",
		`xbuild.toml:4: checks in [target.hello] cannot be "slwo"; did you mean "slow"? (want fast, slow)`},
	{"source is missing",
		"[target.hello]\nrecipe = \"go\"\nsource = \"scr\"\n",
		`xbuild.toml:3: source "scr" in [target.hello] does not exist`},
	{"source is a file",
		"[target.hello]\nrecipe = \"go\"\nsource = \"file\"\n",
		`xbuild.toml:3: source "file" in [target.hello] is not a folder`},
	{"source below a file",
		"[target.hello]\nrecipe = \"go\"\nsource = \"file/src\"\n",
		`xbuild.toml:3: source "file/src" in [target.hello]: not a directory`},
	{"source is absolute",
		"[target.hello]\nrecipe = \"go\"\nsource = \"/src\"\n",
		`xbuild.toml:3: source "/src" in [target.hello] must be relative to the folder of xbuild.toml`},
	{"opt",
		"[target.hello]\nrecipe = \"go\"\nopt = \"fast\"\n",
		`xbuild.toml:3: unknown opt "fast" (want 0, 1, 2, 3, s, z)`},
	{"opt without quotes",
		"[target.hello]\nrecipe = \"go\"\nopt = 2\n",
		`xbuild.toml:3: opt in [target.hello] wants a string, not an integer; put it in quotes`},
	{"env",
		"[target.hello]\nrecipe = \"go\"\n[target.hello.env]\nGOOD = \"1\"\n1X = \"1\"\nN = \"\\u0000\"\nB = true\n",
		`xbuild.toml:5: "1X" in [target.hello] is no name of an environment variable (letters, digits and _, not a digit first)` +
			"\n" + `xbuild.toml:6: N in [target.hello] has a NUL character, which no environment variable can hold` +
			"\n" + `xbuild.toml:7: B in [target.hello.env] wants a string, not a boolean; put it in quotes`},
	{"dest climbs",
		"[target.hello]\nrecipe = \"go\"\ndest = \"a/../../b\"\n",
		`xbuild.toml:3: dest "a/../../b" in [target.hello] must lie inside dist/<platform>`},
	{"test that is no program",
		"[target.hello]\nrecipe = \"go\"\ntest = [\"../x\", \"-v\"]\n",
		`xbuild.toml:3: test in [target.hello]: "../x" must be a program of the target, as it lies in dist/<platform>; other commands are given as one string, for the shell`},
	{"test without a program",
		"[target.hello]\nrecipe = \"go\"\ntest = []\n",
		`xbuild.toml:3: test in [target.hello] is empty; test = false leaves the target out`},
	{"test without a command",
		"[target.hello]\nrecipe = \"go\"\ntest = \" \"\n",
		`xbuild.toml:3: test in [target.hello] is no command line`},
	{"test of a wrong type",
		"[target.hello]\nrecipe = \"go\"\ntest = 1\n",
		`xbuild.toml:3: test in [target.hello] wants a list of strings, a string, true or false, not an integer`},
	{"test with an argument of a wrong type",
		"[target.hello]\nrecipe = \"go\"\ntest = [\"hello\", 1]\n",
		`xbuild.toml:3: test in [target.hello] wants strings, not an integer; put it in quotes`},
	{"equal without a test",
		"[target.hello]\nrecipe = \"go\"\ntest = false\nequal = true\n",
		`xbuild.toml:4: equal in [target.hello] compares what the test prints, and test is false`},
	{"bench is no list",
		"[target.hello]\nrecipe = \"go\"\nbench = \"hello\"\n",
		`xbuild.toml:3: bench in [target.hello] wants a list of strings, not a string; write ["hello"]`},
	{"bench is empty",
		"[target.hello]\nrecipe = \"go\"\nbench = []\n",
		`xbuild.toml:3: bench in [target.hello] is empty: it names a program of the target, as it lies in dist/<platform>, and its arguments`},
	{"bench is another's program",
		"[target.hello]\nrecipe = \"go\"\nbench = [\n  \"/bin/true\",\n  \"a\\u0000b\"]\n",
		`xbuild.toml:4: bench in [target.hello]: "/bin/true" must be a program of the target, as it lies in dist/<platform>` +
			"\n" + `xbuild.toml:5: bench in [target.hello]: a word has a zero byte`},
	{"outputs climb",
		"[target.hello]\nrecipe = \"go\"\noutputs = [\"../x\", \"a[\"]\n",
		`xbuild.toml:3: outputs in [target.hello]: "../x" must be a file inside the build directory` +
			"\n" + `xbuild.toml:3: outputs in [target.hello]: "a[" is not a glob`},
	{"outputs' table climbs",
		"[target.hello]\nrecipe = \"go\"\noutputs = { \"/bin/x\" = \"x\", \"bin/\" = \"../y\" }\n",
		`xbuild.toml:3: outputs in [target.hello]: "/bin/x" must be a file inside dist/<platform>` +
			"\n" + `xbuild.toml:3: outputs in [target.hello]: "bin/" must be a file inside dist/<platform>` +
			"\n" + `xbuild.toml:3: outputs in [target.hello]: "../y" must be a file inside the build directory`},
	{"outputs of a wrong type",
		"[target.hello]\nrecipe = \"go\"\noutputs = \"x\"\n",
		`xbuild.toml:3: outputs in [target.hello] wants a list of strings, not a string; write ["x"]`},
	{"tools",
		"[target.hello]\nrecipe = \"go\"\ntools = [\"clagn\"]\n",
		`xbuild.toml:3: tools in [target.hello]: xbuild has no toolchain "clagn"; did you mean "clang"? (there are clang, cmake, gcc, go, make)`},
	{"dispatched",
		"[target.hello]\nrecipe = \"go\"\ndispatched = [\"*\"]\n",
		`xbuild.toml:3: dispatched in [target.hello]: "*" names no function (such as "crc32_*_pclmul", where * stands for anything)`},
	{"unaudited",
		"[target.hello]\nrecipe = \"go\"\nunaudited = [\"/lib/libvendor.so\", \"lib/[\"]\n",
		`xbuild.toml:3: unaudited in [target.hello]: "/lib/libvendor.so" must be a relative path` +
			"\n" + `xbuild.toml:3: unaudited in [target.hello]: "lib/[" is not a glob`},
	{"external",
		"[target.hello]\nrecipe = \"go\"\nexternal = [\"lib/libcuda.so.1\"]\n",
		`xbuild.toml:3: external in [target.hello]: "lib/libcuda.so.1" is no file name (such as "libcuda.so.1")`},
	{"inputs",
		"[target.hello]\nrecipe = \"go\"\ninputs = [\"/etc/x\", \"{a\"]\n",
		`xbuild.toml:3: inputs in [target.hello]: "/etc/x" must be a relative path` +
			"\n" + `xbuild.toml:3: inputs in [target.hello]: "{a" is not a glob`},
	{"a need that is no target",
		"[target.hello]\nrecipe = \"go\"\nneeds = [\"grete\"]\n[target.greet]\nrecipe = \"go\"\n",
		`xbuild.toml:3: needs in [target.hello]: there is no target "grete"; did you mean "greet"? (there are greet, hello)`},
	{"targets that need each other in a circle",
		"[target.a]\nrecipe = \"go\"\nneeds = [\"b\"]\n[target.b]\nrecipe = \"go\"\nneeds = [\n  { target = \"a\", platform = \"host\" },\n  \"c\",\n]\n[target.c]\nrecipe = \"go\"\nneeds = [\"a\"]\n",
		`xbuild.toml:7: needs in [target.b]: targets need each other in a circle: a -> b -> a` +
			"\n" + `xbuild.toml:12: needs in [target.c]: targets need each other in a circle: a -> b -> c -> a`},
	{"a need for a platform that it is not built for",
		"[project]\nplatforms = [\"linux/arm64\", \"linux/s390x\"]\n[target.hello]\nrecipe = \"go\"\nneeds = [\"greet\"]\n[target.greet]\nrecipe = \"go\"\nplatforms = [\"linux/arm64\"]\n",
		`xbuild.toml:5: needs in [target.hello]: target "greet" is not built for linux/s390x: its platforms (line 6) lack it`},
	{"needs of another form",
		"[target.hello]\nrecipe = \"go\"\nneeds = [1, { platform = \"host\" }, { target = \"greet\", platform = \"linux/arm64\" }]\nheaders = [\"/usr/include\"]\n[target.greet]\nrecipe = \"go\"\nneeds = \"hello\"\n",
		`xbuild.toml:3: needs in [target.hello] wants names of targets, or tables, not an integer` +
			"\n" + `xbuild.toml:3: needs in [target.hello]: a table names a target: { target = "gen", platform = "host" }` +
			"\n" + `xbuild.toml:3: unknown platform "linux/arm64" (want host)` +
			"\n" + `xbuild.toml:4: headers in [target.hello]: "/usr/include" must be a folder, relative to source` +
			"\n" + `xbuild.toml:7: needs in [target.greet] wants a list of targets, not a string`},
	{"one output of two targets",
		"[target.a]\nrecipe = \"go\"\nplatforms = [\"linux/arm64\"]\noutputs = [\"bin/x\", \"*\"]\n[target.b]\nrecipe = \"go\"\nplatforms = [\"linux/s390x\", \"aarch64\"]\noutputs = { \"x\" = \"y\" }\n",
		`xbuild.toml:8: target "b" and target "a" (line 1) both make x for linux/arm64; give one of them another dest`},
	{"all errors at once",
		"[project]\nplatforms = [\"linux/arm/v9\"]\n[target.hello]\nrecipe = \"cc\"\nsource = \"nowhere\"\nstrip = 1\n[toolchains]\nclang = \"19.a.b\"\n[mirror]\n",
		`xbuild.toml:2: platform "linux/arm/v9" is unknown; did you mean "linux/arm/v7"? (xbuild platforms lists them)` +
			"\n" + `xbuild.toml:3: [target.hello] lacks "sources", which recipe cc needs: source files, as globs` +
			"\n" + `xbuild.toml:5: source "nowhere" in [target.hello] does not exist` +
			"\n" + `xbuild.toml:6: strip in [target.hello] wants true or false, not an integer` +
			"\n" + `xbuild.toml:8: toolchain clang: "19.a.b" is not a version constraint (such as "^19", ">=1.24" or "~3.25")` +
			"\n" + `xbuild.toml:9: unknown key "mirror" in the file; did you mean "mirrors"? (want mirrors, platform, project, sysroot, target, toolchains)`},
	{"no compiler",
		"[toolchains]\ncc = \"gc\"\n",
		`xbuild.toml:2: cc "gc" is no compiler of C; did you mean "gcc"? (want clang, gcc)`},
	{"compiler of a platform",
		"[platform.\"linux/arm64\"]\ncc = \"tcc\"\n",
		`xbuild.toml:2: unknown cc "tcc"; did you mean "gcc"? (want clang, gcc)`},
	{"version of a compiler",
		"[toolchains]\ncc = \"gcc@new\"\n",
		`xbuild.toml:2: cc gcc: "new" is not a version constraint (such as "^19", ">=1.24" or "~3.25")`},
	{"two versions of a compiler",
		"[toolchains]\ncc = \"gcc@14\"\ngcc = \"15\"\n",
		`xbuild.toml:3: gcc in [toolchains] has its version in cc already`},
}

func TestErrors(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.text)
			t.Chdir(dir)
			_, err := Load(FileName, schema)
			if err == nil {
				t.Fatalf("no error; want\n%s", c.want)
			}
			if err.Error() != c.want {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// What is wrong with a cpu or a feature is package platform's to say; where,
// is said here.
func TestBaselineErrors(t *testing.T) {
	const name = "linux/arm64"
	for _, c := range []struct {
		name, text, of, cpu string
		features            []string
		line                int
	}{
		{"cpu", "[platform.\"linux/arm64\"]\ncflags = []\ncpu = \"cortex-a27\"\n", name, "cortex-a27", nil, 3},
		{"feature", "[platform.\"linux/arm64\"]\nfeatures = [\n \"crypto\",\n \"cryto\",\n]\n", name, "", []string{"cryto"}, 4},
		{"feature that is taken away", "[platform.\"linux/arm64\"]\nfeatures = [\n \"crypto\",\n \"-cryto\",\n]\n", name, "", []string{"-cryto"}, 4},
		{"feature that cannot be taken away", "[platform.amd64]\nfeatures = [\"-avx\", \"-sse2\"]\n", "linux/amd64", "", []string{"-sse2"}, 2},
		{"feature of another architecture", "[platform.amd64]\nfeatures = [\"neon\"]\n", "linux/amd64", "", []string{"neon"}, 2},
		{"cpu of the base platform", "[project]\nplatforms = [\"linux/arm64/v8.2\"]\n[platform.\"linux/arm64\"]\ncpu = \"cortex-a53\"\n", "linux/arm64/v8.2", "cortex-a53", nil, 4},
		{"cpu of a target's platform", "[platform.\"linux/arm64\"]\ncpu = \"cortex-a53\"\n[target.a]\nrecipe = \"go\"\nplatforms = [\"linux/arm64/v8.2\"]\n", "linux/arm64/v8.2", "cortex-a53", nil, 2},
		{"wrong once is said once", "[project]\nplatforms = [\"linux/arm64/v8.2\"]\n[platform.\"linux/arm64\"]\ncpu = \"cortex-a27\"\n", name, "cortex-a27", nil, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, want := mustParse(t, c.of).Baseline(c.cpu, c.features)
			if want == nil {
				t.Fatal("the baseline is right, so the case is wrong")
			}
			_, err := parse(FileName, t.TempDir(), c.text, schema)
			if want := fmt.Sprintf("xbuild.toml:%d: %v", c.line, want); err == nil || err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestErrorsAreUnwrapped(t *testing.T) {
	_, err := parse(FileName, os.TempDir(), "a = 1\nb = 2\n", schema)
	var one *Error
	if !errors.As(err, &one) || one.Line != 1 {
		t.Errorf("errors.As finds %+v in %v", one, err)
	}
	if list, ok := err.(Errors); !ok || len(list) != 2 || list[1].Line != 2 {
		t.Errorf("got %v", err)
	}
}
