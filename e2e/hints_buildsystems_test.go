package e2e

func cmakeFiles(body string) map[string]string {
	return map[string]string{"main.c": empty, "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\n" + body + "add_executable(app main.c)\n"}
}

const cmakeTarget = "recipe = \"cmake\"\noutputs = [\"app\"]\n"

// hintsOfCMake: what find_package and its like say.
var hintsOfCMake = []hintCase{
	{name: "a program for CMake's Protobuf", row: "cmake: protoc) executable", platform: "linux/arm64", full: true,
		target: cmakeTarget + "[sysroot]\npackages = [\"libprotobuf-dev\"]\n",
		files:  cmakeFiles("find_package(Protobuf REQUIRED)\nif(NOT Protobuf_PROTOC_EXECUTABLE)\n  message(FATAL_ERROR \"protoc executable not found\")\nendif()\n"),
		hint:   "the project runs protoc while it is built, and there is none: xbuild.toml:3: write tools = [\"protoc\"] in [target.app]",
		old:    "recipe = \"cmake\"\n",
		mend:   "recipe = \"cmake\"\ntools = [\"protoc\"]\n"},
	// A package's file that asks for another, as most do.
	{name: "a package of CMake's that lacks another", row: "cmake: Found package configuration file", platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files: with(cmakeFiles("find_package(greet CONFIG PATHS ${CMAKE_SOURCE_DIR} NO_CMAKE_FIND_ROOT_PATH)\nif(NOT greet_FOUND)\n  message(FATAL_ERROR \"it wants greet\")\nendif()\n"),
			"greetConfig.cmake", "include(CMakeFindDependencyMacro)\nfind_dependency(ZLIB)\n"),
		hint: "greetConfig.cmake is there, and refuses by itself",
		mend: "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	// What a package's own file of CMake's names comes with it (TestHostPackagesQt).
	{name: "a program that a CMake project runs", row: `hosttools: ^\S+: (?:line`, platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files: with(cmakeFiles(""), "CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(app C)\n"+
			"add_custom_command(OUTPUT gen.h COMMAND flatc --version >gen.h)\nadd_executable(app main.c gen.h)\n"),
		hint: "write host_packages = [\"flatbuffers-compiler\"] in xbuild.toml:3: [target.app]",
		old:  "recipe = \"cmake\"\n",
		mend: "recipe = \"cmake\"\nhost_packages = [\"flatbuffers-compiler\"]\n"},
	{name: "a program of the platform in CMake", row: "cmake: Exec format error", platform: "linux/s390x",
		target: cmakeTarget,
		files: with(cmakeFiles(""), "CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(app C)\noption(CHECK \"runs the program\" ON)\n"+
			"add_executable(app main.c)\nif(CHECK)\n  add_custom_target(check ALL $<TARGET_FILE:app>)\nendif()\n"),
		hint: "Where the project has an option that leaves it out, set it in defines of xbuild.toml:3: [target.app]",
		mend: "defines = { CHECK = \"OFF\" }\n"},
	{name: "a program of a CMake project's message", row: "cmake: CMake Error at", platform: "linux/arm64", full: true,
		target:    cmakeTarget,
		files:     cmakeFiles("find_program(SCDOC scdoc)\nif(NOT SCDOC)\n  message(FATAL_ERROR \"scdoc not found: manpages cannot be built\")\nendif()\n"),
		hint:      "the project wants a program of the host, scdoc: ",
		mend:      "host_tools = [\"scdoc\"]\n",
		installed: "scdoc"},
	{name: "documentation of a CMake project", row: "cmake: CMake Error at", platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files:  cmakeFiles("option(MAN \"manual pages\" ON)\nfind_program(SCDOC scdoc)\nif(MAN AND NOT SCDOC)\n  message(FATAL_ERROR \"scdoc not found: manpages cannot be built\")\nendif()\n"),
		hint:   "or, where it makes documentation alone, leave that out by the project's own option, in defines of xbuild.toml:3: [target.app]",
		mend:   "defines = { MAN = \"OFF\" }\n"},
	{name: "a package of pkg-config for CMake", row: "pkgconf: The system library", platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files:  cmakeFiles("find_package(PkgConfig REQUIRED)\npkg_check_modules(EXPAT REQUIRED expat)\n"),
		hint:   "add \"libexpat1-dev\" to packages in a [sysroot] table",
		mend:   "[sysroot]\npackages = [\"libexpat1-dev\"]\n"},
	{name: "a configuration file of CMake's", row: "cmake: Could NOT find ([", platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files:  cmakeFiles("find_package(fmt CONFIG REQUIRED)\n"),
		hint:   "add \"libfmt-dev\" to packages in a [sysroot] table",
		mend:   "[sysroot]\npackages = [\"libfmt-dev\"]\n"},
	{name: "CMake wants Fortran", row: "cmake: No CMAKE_Fortran_COMPILER", platform: "linux/arm64", full: true,
		target: cmakeTarget,
		files:  cmakeFiles("enable_language(Fortran)\n"),
		hint:   "xbuild has no Fortran compiler for linux/arm64",
		mend:   "[sysroot]\npackages = [\"libopenblas-dev\"]\n",
		mended: cmakeFiles("find_package(OpenBLAS CONFIG REQUIRED)\n")},
}

func mesonFiles(body string) map[string]string {
	return map[string]string{"main.c": empty, "meson.build": "project('app', 'c')\n" + body}
}

const mesonTarget = "recipe = \"meson\"\noutputs = [\"app\"]\n"

// hintsOfMeson: what Meson and pkg-config say.
var hintsOfMeson = []hintCase{
	{name: "a program of the platform in Meson", row: "meson: Exec format error", platform: "linux/s390x",
		target: mesonTarget,
		files: with(mesonFiles("app = executable('app', 'main.c')\nif get_option('check')\n  custom_target('checked', output: 'checked', build_by_default: true, depends: app,\n"+
			"    command: ['sh', '-c', '\"$0\" >\"$1\"', app.full_path(), '@OUTPUT@'])\nendif\n"), "meson_options.txt", "option('check', type: 'boolean', value: true)\n"),
		hint: "Where the project has an option that leaves it out, set it in options of xbuild.toml:3: [target.app]",
		mend: "options = { check = \"false\" }\n"},
	{name: "a dependency of Meson's, by another name", row: "meson: Dependency \"", listed: true, platform: "linux/arm64", full: true,
		target: mesonTarget + "[sysroot]\npackages = [\"libfreetype-dev\"]\n",
		files:  mesonFiles("executable('app', 'main.c', dependencies: dependency('freetype'))\n"),
		hint:   "or by a name that the package does not have (… pkg-config --list-all)",
		mended: mesonFiles("executable('app', 'main.c', dependencies: dependency('freetype2'))\n")},
	{name: "a version for Meson", row: "meson: Invalid version", platform: "linux/arm64", full: true,
		target: mesonTarget + "[sysroot]\nsuite = \"bookworm\"\npackages = [\"libexpat1-dev\"]\n",
		files:  mesonFiles("executable('app', 'main.c', dependencies: dependency('expat', version: '>=2.6'))\n"),
		hint:   "or take a suite that has another one in xbuild.toml:8: [sysroot] (suite = …)",
		old:    "bookworm", mend: "trixie"},
	{name: "a lesser version for Meson", row: "meson: Invalid version", platform: "linux/arm64", full: true,
		target: mesonTarget + "[sysroot]\npackages = [\"libexpat1-dev\"]\n",
		files:  mesonFiles("executable('app', 'main.c', dependencies: dependency('expat', version: '>=99'))\n"),
		hint:   "not of one that the project takes: ask for less in meson.build",
		mended: mesonFiles("executable('app', 'main.c', dependencies: dependency('expat', version: '>=2'))\n")},
	{name: "a library of Meson's", row: `meson: Dependency "`, platform: "linux/arm64", full: true,
		target: mesonTarget,
		files:  mesonFiles("executable('app', 'main.c', dependencies: meson.get_compiler('c').find_library('expat'))\n"),
		hint:   "Meson finds no expat for linux/arm64: add \"libexpat1-dev\" to packages in a [sysroot] table in xbuild.toml",
		mend:   "[sysroot]\npackages = [\"libexpat1-dev\"]\n"},
	{name: "a subproject", row: "meson: Automatic wrap-based", platform: "linux/arm64", full: true,
		target: mesonTarget,
		files:  wrapped, before: committed,
		hint: "or add the library's -dev package to packages in ",
		mend: "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	{name: "a subproject, downloaded", row: "meson: Automatic wrap-based", platform: "linux/arm64", full: true,
		target: mesonTarget,
		files:  wrapped, before: committed,
		hint: "meson subprojects download",
		do:   [][]string{{"exec", "-q", "--", "meson", "subprojects", "download"}}},
	{name: "an emulator for Meson", row: "recipe meson: Executables created", platform: "linux/arm64", full: true,
		target: mesonTarget,
		files:  mesonFiles("executable('app', 'main.c')\n"), store: true,
		before: [][]string{{"fetch", "-q"}},
		args:   []string{"--offline"},
		hint:   "xbuild fetch --qemu brings what it needs into the lock and the store",
		do:     [][]string{{"fetch", "-q", "--qemu"}}},
	{name: "no meson.build", row: "meson: Neither source directory", platform: "linux/arm64", full: true,
		target: mesonTarget,
		files:  map[string]string{"src/main.c": empty, "src/meson.build": "project('app', 'c')\nexecutable('app', 'main.c')\n"},
		hint:   "there is no meson.build in source of xbuild.toml:3: [target.app]",
		mend:   "source = \"src\"\n"},
	{name: "a version for pkg-config", row: "pkgconf: The system library", listed: true, platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n[sysroot]\npackages = [\"zlib1g-dev\"]\n",
		files:  crate("[build-dependencies]\npkg-config = \"=0.3.31\"\n", "", "fn main() {\n    pkg_config::Config::new().atleast_version(\"99\").probe(\"zlib\").unwrap();\n}\n"),
		hint:   "the project asks for another version (xbuild exec -p linux/arm64 -- pkg-config --modversion zlib)",
		do:     [][]string{{"exec", "-q", "-p", "linux/arm64", "--", "pkg-config", "--modversion", "zlib"}},
		mended: map[string]string{"build.rs": "fn main() {\n    pkg_config::Config::new().atleast_version(\"1\").probe(\"zlib\").unwrap();\n}\n"}},
	{name: "another name for pkg-config", row: "pkgconf: The system library", listed: true, platform: "linux/arm64", full: true,
		target: "recipe = \"make\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libfreetype-dev\"]\n",
		files:  map[string]string{"main.c": empty, "Makefile": "app: main.c\n\tpkg-config --exists --print-errors freetype\n\t$(CC) -o app main.c\n"},
		hint:   "or by a name that the package does not have (… pkg-config --list-all)",
		do:     [][]string{{"exec", "-q", "-p", "linux/arm64", "--", "pkg-config", "--list-all"}},
		mended: map[string]string{"Makefile": "app: main.c\n\tpkg-config --exists --print-errors freetype2\n\t$(CC) -o app main.c\n"}},
	{name: "what a .pc file requires", row: "pkgconf: The system library", platform: "linux/arm64", full: true,
		target: "recipe = \"make\"\noutputs = [\"app\"]\n",
		files: map[string]string{"main.c": empty, "greet.pc": "Name: greet\nDescription: greets\nVersion: 1\nRequires: expat\n",
			"Makefile": "app: main.c\n\tpkg-config --print-errors --exists ./greet.pc\n\t$(CC) -o app main.c\n"},
		hint: "pkg-config finds no expat for linux/arm64: add \"libexpat1-dev\" to packages in ",
		mend: "[sysroot]\npackages = [\"libexpat1-dev\"]\n"},
}

// wrapped wants zlib, or its source, which lies in a repository.
var (
	wrapped = map[string]string{"main.c": empty,
		"meson.build":           "project('app', 'c')\nexecutable('app', 'main.c', dependencies: dependency('zlib', fallback: ['zlib', 'zlib_dep']))\n",
		"subprojects/zlib.wrap": "[wrap-git]\nurl = ../upstream\nrevision = main\n",
		"upstream/meson.build":  "project('zlib', 'c')\nzlib_dep = declare_dependency()\n"}
	committed = [][]string{{"exec", "-q", "--", "sh", "-ec",
		"cd upstream; git init -q -b main; git add .; git -c user.name=n -c user.email=n@example.com commit -q -m zlib"}}
)
