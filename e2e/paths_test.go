package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oddProject is a project with a target of each recipe that has no packages of its own: what each prints is its own
// path as its compiler knows it.
var oddProject = map[string]string{
	"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.cc]
recipe = "cc"
source = "cc"
sources = ["*.c"]
[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = ["cmake"]
[target.meson]
recipe = "meson"
source = "meson"
outputs = ["meson"]
[target.make]
recipe = "make"
source = "make"
outputs = ["make"]
[target.go]
recipe = "go"
source = "go"
cgo = true
[target.rust]
recipe = "rust"
source = "rust"
`,
	"cc/a.c":               "#include <stdio.h>\n#include \"h.h\"\nint main(void) { puts(__FILE__); return H; }\n",
	"cc/h.h":               "#define H 0\n",
	"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(p C CXX)\ninclude(CheckIncludeFile)\ncheck_include_file(stdio.h HAVE)\nif(NOT HAVE)\n  message(FATAL_ERROR none)\nendif()\nadd_library(l STATIC l.cpp)\ntarget_include_directories(l PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/inc)\nadd_executable(cmake a.c ${CMAKE_CURRENT_BINARY_DIR}/gen.h)\ntarget_link_libraries(cmake l)\ntarget_include_directories(cmake PRIVATE ${CMAKE_CURRENT_BINARY_DIR})\nadd_custom_command(OUTPUT gen.h COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/h.in ${CMAKE_CURRENT_BINARY_DIR}/gen.h DEPENDS h.in)\n",
	"cmake/a.c":            "#include <stdio.h>\n#include <i.h>\n#include \"gen.h\"\nint main(void) { puts(__FILE__); return l() + G; }\n",
	"cmake/l.cpp":          "#include <i.h>\nint l(void) { return I; }\n",
	"cmake/inc/i.h":        "#define I 0\n#ifdef __cplusplus\nextern \"C\"\n#endif\nint l(void);\n",
	"cmake/h.in":           "#define G 0\n",
	"meson/meson.build":    "project('p', 'c')\nif not meson.get_compiler('c').has_header('stdio.h')\n  error('none')\nendif\nexecutable('meson', 'a.c', include_directories: include_directories('inc'))\n",
	"meson/a.c":            "#include <stdio.h>\n#include <i.h>\nint main(void) { puts(__FILE__); return I; }\n",
	"meson/inc/i.h":        "#define I 0\n",
	"make/Makefile":        "make: a.o sub/b.o\n\t$(CC) $(LDFLAGS) -o $@ $^\nsub/b.o:\n\t$(MAKE) -C sub CFLAGS=\"$(CFLAGS)\" TOP=$(CURDIR) b.o\n",
	"make/a.c":             "#include <stdio.h>\nint b(void);\nint main(void) { puts(__FILE__); return b(); }\n",
	"make/h.h":             "#define H 0\n",
	"make/sub/Makefile":    "b.o: b.c\n\t$(CC) $(CFLAGS) -I$(TOP) -c -o b.o b.c\n",
	"make/sub/b.c":         "#include \"h.h\"\nint b(void) { return H; }\n",
	"go/go.mod":            "module p\n\ngo 1.24\n",
	"go/main.go":           "package main\n\n// static int f(void) { return 0; }\nimport \"C\"\n\nfunc main() { println(C.f()) }\n",
	"rust/Cargo.toml":      "[package]\nname = \"p\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
	"rust/Cargo.lock":      "version = 3\n\n[[package]]\nname = \"p\"\nversion = \"1.0.0\"\n",
	"rust/src/main.rs":     "fn main() { println!(\"{}\", file!()); }\n",
}

// TestOddPaths builds with every recipe in folders whose names have characters that shells and build tools make
// something of. No path of this machine is in what comes out.
func TestOddPaths(t *testing.T) {
	needNetwork(t)
	names, targets := []string{"a b"}, []string{"cmake", "make", "meson"}
	if full() {
		names = append(names, "a\tb", "a\nb", `a"b`, "a'b", "a`b", "a$HOME", "a&b", "a;b", "a<b", "a>b", "a(b)", "a*b", "a?b", "a[b]", "a{b}", "a#b", "a!b", "a:b", "a=b", "a,b", "a%b", "a@b", "a~b", "-a", "é", "a  b ")
		targets = []string{"cc", "cmake", "make", "meson", "go", "rust"}
	}
	refused := map[string]string{"cmake": "\t\n\"'`$&;|<>()*?\\", "meson": "\n|\\", "go": "\n"}
	for _, name := range names {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			for file, text := range oddProject {
				path := filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			for _, target := range targets {
				r := xbuild(t, dir, "build", target)
				if strings.ContainsAny(name, refused[target]) {
					if r.code != 1 || !strings.Contains(r.stderr, "do not take") {
						t.Errorf("%s: %v", target, r)
					}
					continue
				}
				if r.code != 0 {
					t.Errorf("%s: %v", target, r)
					continue
				}
				file := filepath.Join(dir, "dist/linux/arm64", target)
				if target == "rust" || target == "go" {
					file = filepath.Join(dir, "dist/linux/arm64", map[string]string{"rust": "p", "go": "go"}[target])
				}
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(data, []byte(filepath.Dir(dir))) {
					t.Errorf("%s: the artifact has this machine's path in it", target)
				}
				if again := xbuild(t, dir, "build", target); !strings.Contains(again.stderr, "0 built, 1 up to date") {
					t.Errorf("%s, once more: %v", target, again)
				}
			}
		})
	}
}
