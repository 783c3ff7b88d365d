package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/execute"
)

// poisons are names of programs by which build systems learn of the host: each that is called says so, and prints
// what a host would say.
var poisons = strings.Fields(`cmake ctest meson ninja ccache scons
	llvm-config llvm-config-19 llvm-ar-19 clang-19 gcc-12 g++-12 x86_64-linux-gnu-gcc x86_64-linux-gnu-pkg-config as objdump gfortran gold ld.bfd
	sdl-config sdl2-config python3-config python-config swig swig4.0 swig4 qmake qmake6 qmake-qt5 moc uic rcc moc-qt5 lrelease
	gtkdocize gtkdoc-scan gtkdoc-mkdb g-ir-scanner vapigen valac glib-compile-resources glib-genmarshal glib-mkenums gdbus-codegen wayland-scanner
	xml2-config xslt-config curl-config cups-config pcap-config wx-config gpgme-config libgcrypt-config gpg-error-config freetype-config
	pg_config mysql_config mariadb_config apr-1-config icu-config krb5-config net-snmp-config libwmf-config gtk-config pkg-config-host
	mpicc mpicxx mpiexec mpirun protoc protoc-c bison yacc flex lex gperf msgfmt xgettext doxygen dot makeinfo help2man asciidoctor xsltproc sphinx-build
	ruby tclsh lua java javac ldconfig dpkg-architecture dpkg lsb_release rpm nasm yasm cython f2py nvcc h5cc`)

// sees is a program's C code that says what its build saw.
const sees = `#include <stdio.h>
#ifndef FOUND
#define FOUND ""
#endif
#if defined POISON || __has_include(<poison.h>)
#define OF_THE_HOST "poison"
#else
#define OF_THE_HOST "nothing"
#endif
int main(void) { puts("found:" FOUND "; of the host: " OF_THE_HOST); return 0; }
`

// seers is a project with a target a recipe, each of which looks for everything, in its build system's ways, and puts
// what it found into its program.
func seers(platforms []string) map[string]string {
	names := strings.Join(poisons, " ")
	mesonNames := "'" + strings.Join(poisons, "', '") + "'"
	return map[string]string{
		"xbuild.toml": "[project]\nplatforms = " + quoted(platforms) + `

[target.cc]
recipe = "cc"
source = "cc"
sources = ["main.c"]

[target.make]
recipe = "make"
source = "make"
outputs = ["made"]

[target.autotools]
recipe = "autotools"
source = "autotools"
tools = ["autoconf"]
outputs = ["configured"]

[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = ["cmade"]

[target.meson]
recipe = "meson"
source = "meson"
outputs = ["mesonic"]

[target.go]
recipe = "go"
source = "go"
cgo = true

[target.rust]
recipe = "rust"
source = "rust"

[target.node]
recipe = "node-gyp"
source = "node"
platforms = ` + quoted(platforms[:1]) + "\n",
		"cc/main.c":   sees,
		"make/main.c": sees,
		"make/Makefile": "NAMES = " + names + `
FOUND := $(foreach name,$(NAMES),$(if $(shell command -v $(name) && $(name) --cflags),$(name)))
SDL := $(shell sdl2-config --cflags 2>/dev/null)
LLVM := $(shell llvm-config --cflags --libs 2>/dev/null)
made: main.c
	$(CC) $(CFLAGS) $(CPPFLAGS) $(SDL) $(LLVM) '-DFOUND="$(FOUND)"' $(LDFLAGS) -o $@ main.c
`,
		"autotools/main.c": "#include \"config.h\"\n" + sees,
		"autotools/configure.ac": `AC_INIT([configured], [1])
AC_CONFIG_HEADERS([config.h])
AC_PROG_CC
found=
for name in ` + names + `; do
  AS_UNSET([ac_cv_path_ONE])
  AS_UNSET([ONE])
  AC_PATH_PROG([ONE], [$name])
  if test -n "$ONE"; then found="$found $name"; CPPFLAGS="$CPPFLAGS ` + "`$ONE --cflags`" + `"; fi
done
AC_PATH_TOOL([LLVM], [llvm-config])
AC_CHECK_TOOL([AS], [as])
AC_CHECK_PROGS([SWIG], [swig4.0 swig])
test -z "$LLVM$SWIG" || found="$found tool"
AC_DEFINE_UNQUOTED([FOUND], ["$found"], [what configure found])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`,
		"autotools/Makefile.in": "configured: main.c config.h\n\t@CC@ @CFLAGS@ @CPPFLAGS@ @LDFLAGS@ -I. -o $@ @srcdir@/main.c\n",
		"cmake/main.c":          "#include \"found.h\"\n" + sees,
		"cmake/found.h.in":      "#define FOUND \"@FOUND@\"\n",
		"cmake/CMakeLists.txt": `cmake_minimum_required(VERSION 3.20)
project(cmade C CXX)
foreach(name ` + names + `)
  find_program(ONE ${name})
  if(ONE AND NOT name MATCHES "^(cmake|ctest|ninja)$")
    string(APPEND FOUND " ${name}")
  endif()
  unset(ONE CACHE)
  find_program(ONE ${name} PATHS /usr/bin NO_DEFAULT_PATH)
  if(ONE)
    string(APPEND FOUND " /usr/bin/${name}")
  endif()
  unset(ONE CACHE)
endforeach()
foreach(package SWIG Doxygen LLVM Qt4 Qt5 Qt6 SDL SDL2 CURL GTK2 MPI Protobuf BISON FLEX LibXml2 Freetype wxWidgets PostgreSQL Gettext Java HDF5 Poisoned)
  find_package(${package} QUIET)
  if(${package}_FOUND OR ${package}_EXECUTABLE)
    string(APPEND FOUND " ${package}")
  endif()
endforeach()
configure_file(found.h.in found.h)
add_executable(cmade main.c)
target_include_directories(cmade PRIVATE ${CMAKE_CURRENT_BINARY_DIR} ${Poisoned_INCLUDE_DIRS})
`,
		"meson/main.c": "#include \"found.h\"\n" + sees,
		"meson/meson.build": `project('mesonic', 'c', 'cpp', version: '1')
found = ''
foreach name : [` + mesonNames + `]
  if find_program(name, required: false).found() and name not in ['meson', 'ninja']
    found += ' ' + name
  endif
  if find_program(name, native: true, required: false).found() and name not in ['meson', 'ninja']
    found += ' native ' + name
  endif
endforeach
deps = []
foreach name : ['sdl2', 'llvm', 'cups', 'pcap', 'wxwidgets', 'gpgme', 'libgcrypt', 'qt4', 'qt5', 'qt6', 'protobuf', 'mpi', 'libwmf', 'Poisoned', 'hdf5', 'netcdf', 'boost', 'gtest']
  modules = name.startswith('qt') ? ['Core'] : []
  dep = modules.length() > 0 ? dependency(name, modules: modules, required: false) : dependency(name, required: false)
  if dep.found()
    found += ' dependency ' + name
    deps += dep
  endif
  native = modules.length() > 0 ? dependency(name, modules: modules, native: true, required: false) : dependency(name, native: true, required: false)
  if native.found()
    found += ' native dependency ' + name
  endif
endforeach
dep = dependency('Poisoned', method: 'cmake', required: false)
found += dep.found() ? ' by cmake' : ''
configuration = configuration_data()
configuration.set_quoted('FOUND', found)
configure_file(output: 'found.h', configuration: configuration)
executable('mesonic', 'main.c', dependencies: deps)
`,
		"go/go.mod": "module example.org/go\n\ngo 1.19\n",
		"go/main.go": `package main

// #if defined POISON || __has_include(<poison.h>)
// static const char *of_the_host(void) { return "poison"; }
// #else
// static const char *of_the_host(void) { return "nothing"; }
// #endif
import "C"
import "fmt"

func main() { fmt.Printf("found:; of the host: %s\n", C.GoString(C.of_the_host())) }
`,
		"rust/Cargo.toml":  "[package]\nname = \"rust\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
		"rust/Cargo.lock":  "version = 3\n\n[[package]]\nname = \"rust\"\nversion = \"1.0.0\"\n",
		"rust/src/main.rs": "fn main() {\n    println!(\"found:{}; of the host: {}\", env!(\"FOUND\"), if cfg!(poison) { \"poison\" } else { \"nothing\" });\n}\n",
		"rust/build.rs": `use std::process::Command;

fn main() {
    println!("cargo:rustc-check-cfg=cfg(poison)");
    let mut found = String::new();
    for name in "` + strings.Join(strings.Fields(names), " ") + `".split(' ') {
        if Command::new(name).arg("--cflags").output().is_ok() {
            found = found + " " + name;
        }
    }
    for name in ["CFLAGS", "CPATH", "LIBRARY_PATH", "OPENSSL_DIR", "PKG_CONFIG_PATH", "LLVM_CONFIG_PATH", "CMAKE_PREFIX_PATH", "LLVM_SYS_190_PREFIX", "SDL2_DIR", "VCPKG_ROOT"] {
        if std::env::var(name).is_ok_and(|value| !value.is_empty()) {
            println!("cargo:rustc-cfg=poison");
        }
    }
    println!("cargo:rustc-env=FOUND={found}");
}
`,
		"node/package.json":      `{"name": "seer", "version": "1.0.0", "gypfile": true, "scripts": {"install": "node-gyp rebuild"}}` + "\n",
		"node/package-lock.json": `{"name": "seer", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "seer", "version": "1.0.0"}}}` + "\n",
		"node/seer.c": `#include <node_api.h>
#include <string.h>
#if defined POISON || __has_include(<poison.h>)
#define OF_THE_HOST "poison"
#else
#define OF_THE_HOST "nothing"
#endif
NAPI_MODULE_INIT() {
    napi_value text;
    napi_create_string_utf8(env, "found:" FOUND "; of the host: " OF_THE_HOST, NAPI_AUTO_LENGTH, &text);
    return text;
}
`,
		"node/found.sh": "for name in " + names + "; do\n  if command -v $name >/dev/null; then printf ' %s' $name; $name --cflags >/dev/null; fi\ndone\n",
		"node/binding.gyp": `{"targets": [{"target_name": "seer", "sources": ["seer.c"], "defines": ["FOUND=\"<!(sh found.sh)\""],
  "cflags": ["<!@(sdl2-config --cflags 2>/dev/null || true)"]}]}
`,
	}
}

// A poisoned host has programs of all names, first on PATH and beside them those of the machine, and variables that
// lead compilers and build systems to them.
func poisonedHost(t *testing.T, log string) []string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, name := range poisons {
		put("bin/"+name, "#!/bin/sh\necho \"$0 $*\" >>'"+log+"'\ncase \"$*\" in *-version*) echo 9.9.9 ;; *) echo -I/usr/include -DPOISON -L/usr/lib/x86_64-linux-gnu ;; esac\n", 0o755)
	}
	put("include/poison.h", "#define POISON 1\n", 0o644)
	put("lib/cmake/Poisoned/PoisonedConfig.cmake", "set(Poisoned_FOUND TRUE)\nset(Poisoned_INCLUDE_DIRS /usr/include)\n", 0o644)
	put("lib/pkgconfig/sdl2.pc", "Name: sdl2\nDescription: poison\nVersion: 9\nCflags: -DPOISON\nLibs:\n", 0o644)
	site := put("config.site", "CPPFLAGS=-DPOISON\n", 0o644)
	home := filepath.Join(dir, "home")
	put("home/.cmake/packages/Poisoned/0123", filepath.Join(dir, "lib/cmake/Poisoned"), 0o644)
	put("home/.cargo/config.toml", "[build]\nrustc-wrapper = \"ccache\"\nrustc-workspace-wrapper = \"ccache\"\n", 0o644)
	goenv := put("goenv", "CGO_CPPFLAGS=-DPOISON\nCGO_LDFLAGS=-L"+dir+"/lib\nCC=gcc\nPKG_CONFIG=pkg-config-host\n", 0o644)
	return []string{
		"GOENV=" + goenv, "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + home, "LANG=de_DE.UTF-8",
		"CPATH=" + dir + "/include", "C_INCLUDE_PATH=" + dir + "/include", "CPLUS_INCLUDE_PATH=" + dir + "/include", "LIBRARY_PATH=" + dir + "/lib", "LD_RUN_PATH=" + dir,
		"CC=gcc", "CXX=g++", "CPP=cpp -DPOISON", "CFLAGS=-DPOISON", "CXXFLAGS=-DPOISON", "CPPFLAGS=-DPOISON", "LDFLAGS=-L/usr/lib", "LIBS=-lpoison", "CONFIG_SITE=" + site,
		"MAKEFLAGS=CPPFLAGS=-DPOISON", "MFLAGS=-e", "GNUMAKEFLAGS=-e", "ACLOCAL_PATH=" + dir, "AUTOMAKE=false", "M4=false", "PERL5LIB=" + dir, "PERL5OPT=-Mpoison", "PYTHONPATH=" + dir, "PYTHONHOME=" + dir,
		"CMAKE_PREFIX_PATH=" + dir, "CMAKE_PROGRAM_PATH=" + dir + "/bin", "CMAKE_INCLUDE_PATH=" + dir + "/include", "CMAKE_TOOLCHAIN_FILE=" + dir + "/none", "CMAKE_GENERATOR=Unix Makefiles", "CMAKE_MODULE_PATH=" + dir,
		"Poisoned_DIR=" + dir + "/lib/cmake/Poisoned", "Poisoned_ROOT=" + dir, "SDL2_DIR=" + dir, "SDLDIR=" + dir, "LLVM_DIR=" + dir, "CMAKE_C_COMPILER_LAUNCHER=ccache", "CMAKE_BUILD_TYPE=Debug",
		"PKG_CONFIG_PATH=" + dir + "/lib/pkgconfig", "PKG_CONFIG_LIBDIR=" + dir + "/lib/pkgconfig", "PKG_CONFIG_SYSROOT_DIR=/", "PKG_CONFIG=pkg-config",
		"LLVM_CONFIG=llvm-config", "LLVM_CONFIG_PATH=" + dir + "/bin/llvm-config", "LLVM_SYS_190_PREFIX=/usr", "LIBCLANG_PATH=/usr/lib", "OPENSSL_DIR=/usr", "VCPKG_ROOT=" + dir,
		"RUSTFLAGS=--cfg poison", "CARGO_BUILD_RUSTFLAGS=--cfg poison", "RUSTC_WRAPPER=ccache", "CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu", "RUSTC=rustc-none",
		"CGO_CFLAGS=-DPOISON", "CGO_CPPFLAGS=-DPOISON", "CGO_LDFLAGS=-L/usr/lib", "GOFLAGS=-tags=poison", "GOOS=plan9", "npm_config_nodedir=" + dir, "NODE_OPTIONS=--no-warnings", "GYP_DEFINES=poison=1",
		"SDL2_CONFIG=sdl2-config", "QMAKE=qmake", "SWIG=swig", "DESTDIR=" + dir, "XBUILD_PATH=" + dir,
	}
}

// cleanHost has the programs alone that any build may count on, and no variable.
func cleanHost(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range strings.Fields(`sh bash env cat cp mv rm ln ls mkdir rmdir chmod touch install mktemp dirname basename readlink realpath pwd test [ expr printf echo true false
		sed grep egrep fgrep awk sort uniq tr cut head tail wc tee xargs find cmp diff date id uname sleep od paste comm join fold nl expand kill which perl python3 git tar gzip`) {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if name == "python3" {
			// A version manager's script would look for itself on PATH.
			if path, err = pythonItself(); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + dir, "HOME=" + filepath.Join(dir, "home"), "LANG=C"}
}

func pythonItself() (string, error) {
	out, err := exec.Command("python3", "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	return strings.TrimSpace(string(out)), err
}

// on runs xbuild build on a host of these variables and nothing else, and returns the artifacts' digests.
func on(t *testing.T, dir string, host []string) map[string]string {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "build", "-q", "--locked")
	cmd.Dir = dir
	cmd.Env = host
	for _, kv := range environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.Contains(strings.ToLower(name), "proxy") || slices.Contains([]string{"GOSUMDB", "CARGO_HOME", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "XBUILD_ALLOW_EXPIRED"}, name) {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xbuild build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "dist", "artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []execute.Artifact
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, a := range list {
		data, err := os.ReadFile(filepath.Join(dir, "dist", filepath.FromSlash(a.Path)))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		sums[a.Path] = hex.EncodeToString(sum[:])
		if strings.Contains(string(data), dir) {
			t.Errorf("%s has a path below %s in it", a.Path, dir)
		}
		_, found, ok := strings.Cut(string(data), "found:")
		found, _, _ = strings.Cut(found, "\x00")
		t.Logf("%s: %.200q", a.Path, found)
		for _, bad := range []string{"of the host: poison", " dependency ", " by cmake", " /usr/bin/"} {
			if !ok || strings.Contains(found, bad) {
				t.Errorf("%s says that it found %.300q", a.Path, found)
				break
			}
		}
	}
	return sums
}

// TestHostSeen builds a project that looks for programs of the host in every recipe's ways, on a host that has all of
// them, first on PATH and with variables that lead to
// them, and on one that has none: the bytes are the same, and none of the programs was called.
func TestHostSeen(t *testing.T) {
	needNetwork(t)
	platforms := []string{"linux/amd64"} // what is found on the host can be linked there, and does not show as an error
	if full() {
		platforms = eleven
	}
	files := seers(platforms)
	dirs := []string{write(t, files), write(t, files)}
	// What has to be fetched is fetched as the user would.
	if r := xbuild(t, dirs[0], "fetch", "-q"); r.code != 0 {
		t.Fatal(r)
	}
	lock, err := os.ReadFile(filepath.Join(dirs[0], "xbuild.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirs[1], "xbuild.lock"), lock, 0o644); err != nil {
		t.Fatal(err)
	}
	info := strings.Fields(xbuild(t, dirs[0], "store", "info").stdout)
	if len(info) < 2 || info[0] != "directory" {
		t.Fatalf("xbuild store info: %q", info)
	}
	store := "XBUILD_STORE=" + info[1] // the hosts have homes of their own
	log := filepath.Join(t.TempDir(), "called")
	poisoned := on(t, dirs[0], append(poisonedHost(t, log), store))
	if called, err := os.ReadFile(log); err == nil {
		t.Errorf("programs of the host were called:\n%s", called)
	}
	clean := on(t, dirs[1], append(cleanHost(t), store))
	if want := 7*len(platforms) + 1; len(clean) != want {
		t.Errorf("%d artifacts, want %d: %v", len(clean), want, clean)
	}
	for path, sum := range clean {
		if poisoned[path] != sum {
			t.Errorf("%s is another on a host with programs of these names", path)
		}
	}
}
