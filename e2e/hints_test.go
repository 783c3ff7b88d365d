package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHints: what goes wrong is explained on the real message of the tool, and what the explanation advises mends the
// build.
func TestHints(t *testing.T) {
	needNetwork(t)
	const picked = "#ifdef PIC\n#define LOAD call here; here: popl %eax; movl value-here(%eax), %eax\n#else\n#define LOAD movl value, %eax\n#endif\n" +
		".globl get\nget: LOAD\n ret\n.data\nvalue: .long 7\n.section .note.GNU-stack,\"\",%progbits\n"
	const caller = "int get(void);\nint main(void) { return get() != 7; }\n"
	for _, c := range []struct {
		name, platform, target string
		files                  map[string]string
		hint                   string
		mend                   string            // what is written behind the target's table
		mended                 map[string]string // files that are written anew
		full                   bool
	}{
		{name: "native", platform: "linux/arm64", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "Makefile": "TUNE = -O2 \\\n  -march=native\napp: main.c\n\t$(CC) $(TUNE) -o app main.c\n"},
			hint:  "ask for the processor of the machine that compiles: Makefile:2. xbuild compiles for what linux/arm64 promises",
			mend:  "vars = { TUNE = \"\" }\n"},
		{name: "native in CMake", platform: "linux/s390x", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nset(TUNE -mtune=native CACHE STRING \"\")\nadd_executable(app main.c)\ntarget_compile_options(app PRIVATE ${TUNE})\n"},
			hint:  "ask for the processor of the machine that compiles: CMakeLists.txt:3.",
			mend:  "defines = { TUNE = \"\" }\n"},
		{name: "PIC", platform: "linux/386", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
			files: map[string]string{"get.S": picked, "main.c": caller, "Makefile": "app: get.o main.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n"},
			hint:  "an object is made for a fixed address",
			mend:  "vars = { ASFLAGS = \"-fPIC -DPIC\" }\n"},
		{name: "no PIC", platform: "linux/386", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
			files: map[string]string{"get.S": picked, "main.c": caller, "Makefile": "app: get.o main.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n"},
			hint:  "ldflags = [\"-no-pie\"] under [platform.\"linux/386\"]",
			mend:  "[platform.\"linux/386\"]\nldflags = [\"-no-pie\"]\n"},
		{name: "PIC in CMake", platform: "linux/386", target: "recipe = \"cmake\"\noutputs = [\"libapp.so\"]\n", full: true,
			files: map[string]string{"get.S": strings.ReplaceAll(picked, "ifdef PIC", "ifdef __PIC__"), "main.c": caller,
				"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C ASM)\nadd_library(get STATIC get.S)\nset_property(TARGET get PROPERTY COMPILE_OPTIONS -fno-pic -fno-pie)\nif(CMAKE_POSITION_INDEPENDENT_CODE)\nset_property(TARGET get PROPERTY COMPILE_OPTIONS)\nendif()\nadd_library(app SHARED main.c)\ntarget_link_libraries(app get)\n"},
			hint: "defines = { CMAKE_POSITION_INDEPENDENT_CODE = \"ON\" }",
			mend: "defines = { CMAKE_POSITION_INDEPENDENT_CODE = \"ON\" }\n"},
		{name: "a package that no table has", platform: "linux/arm64", target: "recipe = \"make\"\noutputs = [\"app\"]\n",
			files: map[string]string{"main.c": "#include <sasl/sasl.h>\nint main(void) { return sasl_version == 0; }\n", "Makefile": "app: main.c\n\tpkg-config --exists --print-errors libsasl2\n\t$(CC) -o app main.c $$(pkg-config --cflags --libs libsasl2)\n"},
			hint:  "pkg-config finds no libsasl2 for linux/arm64: add \"libsasl2-dev\" to packages in ",
			mend:  "[sysroot]\npackages = [\"libsasl2-dev\"]\n"},
		{name: "a header that no table has", platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\nlibs = [\"sasl2\"]\n", full: true,
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
		{name: "a package of CMake's", platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nfind_package(ZLIB REQUIRED)\nadd_executable(app main.c)\n"},
			hint:  "CMake finds no ZLIB for linux/arm64: if it is a library, add \"zlib1g-dev\" to packages in ",
			mend:  "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
		{name: "a program for CMake", platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n", full: true,
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nfind_package(BISON REQUIRED)\nadd_executable(app main.c)\n"},
			hint:  "write tools = [\"bison\"] in [target.app]",
			mend:  "tools = [\"bison\"]\n"},
		{name: "CMake's Protobuf, listed", platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libprotobuf-dev\"]\n", full: true,
			files:  map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(Protobuf 99 REQUIRED)\nadd_executable(app main.c)\n"},
			hint:   "although \"libprotobuf-dev\" is in ",
			mended: map[string]string{"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(Protobuf REQUIRED)\nadd_executable(app main.c)\n"}},
		{name: "a version for CMake", platform: "linux/arm64", target: "recipe = \"cmake\"\noutputs = [\"app\"]\n[sysroot]\npackages = [\"libfmt-dev\"]\n", full: true,
			files:  map[string]string{"main.c": "int main(void) { return 0; }\n", "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(fmt 99 CONFIG REQUIRED)\nadd_executable(app main.c)\n"},
			hint:   "and not of one that the project takes",
			mended: map[string]string{"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(app C CXX)\nfind_package(fmt CONFIG REQUIRED)\nadd_executable(app main.c)\n"}},
		{name: "a dependency of Meson's", platform: "linux/arm64", target: "recipe = \"meson\"\noutputs = [\"app\"]\n", full: true,
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "meson.build": "project('app', 'c')\nexecutable('app', 'main.c', dependencies: dependency('zlib'))\n"},
			hint:  "Meson finds no zlib for linux/arm64: add \"zlib1g-dev\" to packages in ",
			mend:  "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
		{name: "a program for Meson", platform: "linux/arm64", target: "recipe = \"meson\"\noutputs = [\"app\"]\n", full: true,
			files: map[string]string{"main.c": "int main(void) { return 0; }\n", "meson.build": "project('app', 'c')\nfind_program('gperf')\nexecutable('app', 'main.c')\n"},
			hint:  "write tools = [\"gperf\"] in [target.app]",
			mend:  "tools = [\"gperf\"]\n"},
		{name: "a library to link", platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\nlibs = [\"sqlite3\"]\n",
			files: map[string]string{"main.c": "int main(void) { return 0; }\n"},
			hint:  "has no library sqlite3: add \"libsqlite3-dev\" to packages in ",
			mend:  "[sysroot]\npackages = [\"libsqlite3-dev\"]\n"},
		{name: "C of before 1999", platform: "linux/arm64", target: "recipe = \"cc\"\nsources = [\"main.c\"]\n",
			files: map[string]string{"main.c": "int main(void) { return puts(\"\") < 0; }\n"},
			hint:  "or write lenient = true in ",
			mend:  "lenient = true\n"},
		{name: "an old Go", platform: "linux/arm64", target: "recipe = \"go\"\n[target.app.env]\nGOTOOLCHAIN = \"local\"\n", full: true,
			files: map[string]string{"main.go": "package main\n\nfunc main() {}\n", "go.mod": "module app\n\ngo 1.26\n"},
			hint:  "the module wants Go 1.26 or later: write go = \">=1.26\" into [toolchains]",
			mend:  "[toolchains]\ngo = \">=1.26\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.full && !full() {
				t.Skip("with XBUILD_E2E=full")
			}
			toml := "[project]\nplatforms = [\"" + c.platform + "\"]\n[target.app]\n" + c.target
			files := maps.Clone(c.files)
			files["xbuild.toml"] = toml
			dir := write(t, files)
			if r := xbuild(t, dir, "build", "-q"); r.code != 1 || !strings.Contains(r.stderr, c.hint) {
				t.Fatalf("want it to fail with a hint that says %q\n%v", c.hint, r)
			}
			mended := maps.Clone(c.mended)
			if mended == nil {
				mended = map[string]string{}
			}
			mended["xbuild.toml"] = toml + c.mend
			for name, text := range mended {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if r := xbuild(t, dir, "build", "-q"); r.code != 0 {
				t.Errorf("what is advised does not mend it: %v", r)
			}
		})
	}
}
