package plan

import (
	"regexp"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/explain"
	"xbuild/internal/hosttools"
	"xbuild/internal/platform"
)

// TestExplanations tries every explanation on a message that it is for: it answers, and nothing of its hint is left to
// be filled in.
func TestExplanations(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[target.app]
recipe = "make"
platforms = ["linux/arm64"]
outputs = ["app"]
-- Makefile --
app: app.c
	$(CC) -march=native -o app app.c
-- build.sh --
RUSTFLAGS=-Ctarget-cpu=native cargo build
-- lib/use.go --
package lib

func Twice() int { return 2 * answer() }
-- lib/c.go --
package lib

// int answer(void);
import "C"

func answer() int { return int(C.answer()) }
`)
	a := pl.plan(t, Selection{}).Actions[0]
	left := regexp.MustCompile(`\{[a-z0-9]+\}`)
	all := map[string][]catalog.Explain{"hosttools": hosttools.Explain()}
	for _, d := range pl.Catalog.Toolchains {
		all["toolchains/"+d.Name] = d.Explain
	}
	for _, r := range pl.Catalog.Recipes {
		all["recipes/"+r.Name] = r.Explain
	}
	count := 0
	for name, list := range all {
		for _, e := range list {
			count++
			if e.Example == "" {
				t.Errorf("%s.toml: no example of a message that %q is for", name, e.Match)
				continue
			}
			hint := explain.Hint(action.Explanation{Explain: e, Words: a.Explain[0].Words, Source: pl.Project.Dir}, "+ make\n"+e.Example+"\nmake: *** [Makefile:1: app] Error 1\n")
			if hint == "" || left.MatchString(hint) {
				t.Errorf("%s.toml: %q\ngets the hint %q", name, e.Example, hint)
			}
		}
	}
	if count < 50 {
		t.Errorf("%d explanations only", count)
	}
}

// TestHintsAreTrue: what hints said wrongly.
func TestHintsAreTrue(t *testing.T) {
	archive := `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[sysroot]
packages = ["libprotobuf-dev", "zlib1g-dev"]
[target.rust]
recipe = "rust"
[target.cmake]
recipe = "cmake"
install = true
[target.autotools]
recipe = "autotools"
install = true
[target.make]
recipe = "make"
outputs = ["x"]
[target.meson]
recipe = "meson"
install = true
-- Cargo.toml --
`
	pl := planner(t, archive)
	pl.Holders = func(p platform.Platform, name string, program bool) []string {
		switch {
		case name == "libsasl2" && !program && p.Name == "linux/arm64":
			return []string{"libsasl2-dev"}
		case name == "frobnicate" && program && p.Name == pl.Host.Name:
			return []string{"frob-tools"}
		case name == "several" && program:
			return []string{"one", "lib-dev", "two"}
		}
		return nil
	}
	actions := map[string]*action.Action{}
	for _, a := range pl.plan(t, Selection{}).Actions {
		actions[a.Target] = a
	}
	for _, c := range []struct{ target, log, want, not string }{
		{"rust", "error: \"Could not find `protoc`. If `protoc` is installed, try setting the `PROTOC` environment variable\"", `write tools = ["protoc"] in [target.rust]`, "install it"},
		{"rust", "Could not find `protoc` installation and this build crate cannot proceed without\n    this knowledge.", `write tools = ["protoc"] in [target.rust]`, "install it"},
		{"rust", "error: the lock file /src/Cargo.lock needs to be updated but --locked was passed to prevent this", "cargo update --workspace", ""},
		{"rust", "thread 'main' panicked at 'Unable to find libclang: \"couldn't find any valid shared libraries\"', lib.rs:1:1", `write tools = ["libclang"] in [target.rust]`, "host_tools"},
		{"rust", "panicked at 'Unable to find libclang: \"/t/libclang-19.so.1 could not be opened: /t/libc.so.6: version `GLIBC_2.38' not found (required by /t/libclang-19.so.1)\"', lib.rs:1:1", `libclang = "~14"`, "tools ="},
		{"rust", "  The system library `libsasl2` required by crate `sasl2-sys` was not found.\n  The file `libsasl2.pc` needs to be installed", `add "libsasl2-dev" to packages`, "apt-file"},
		{"rust", "  The system library `zlib` required by crate `libz-sys` was not found.", `although "zlib1g-dev" is in`, "add "},
		{"cmake", "  Could NOT find Protobuf (missing: Protobuf_INCLUDE_DIR)", `no Protobuf for linux/arm64 although "libprotobuf-dev" is in`, "add "},
		{"cmake", "  Could NOT find Protobuf (missing: Protobuf_PROTOC_EXECUTABLE)", `write tools = ["protoc"]`, "add "},
		{"cmake", "  Could NOT find CURL (missing: CURL_LIBRARY CURL_INCLUDE_DIR)", `add "libcurl4-openssl-dev" to packages`, "although"},
		{"cmake", "-- Could NOT find argon2 (missing: ARGON2_LIBRARY)\nCMake Error at man/CMakeLists.txt:56 (message):\n  xsltproc not found: manpages cannot be built\n", `host_tools = ["xsltproc"] in [target.cmake]`, "argon2"},
		{"cmake", "-- Could NOT find argon2 (missing: ARGON2_LIBRARY)\nCMake Error at CMakeLists.txt:56 (message):\n  argon2 is required\n", `CMake finds no argon2`, "program"},
		{"cmake", "CMake Error at CMakeLists.txt:4 (find_package):\n  Found package configuration file:\n\n    /s/cmake/Qt6Core/Qt6CoreConfig.cmake\n\n  but it set Qt6Core_FOUND to FALSE so package \"Qt6Core\" is considered to be NOT\n  FOUND.", `/s/cmake/Qt6Core/Qt6CoreConfig.cmake is there, and refuses by itself`, "finds no"},
		{"meson", "Looking for a fallback subproject for the dependency checkasm\nAutomatic wrap-based subproject downloading is disabled\nSubproject  checkasm is buildable: NO (disabling)\nDependency checkasm from subproject checkasm found: NO (subproject failed to configure)\n\nProgram nasm found: NO\n", "", "subproject"},
		{"meson", "Looking for a fallback subproject for the dependency a\nAutomatic wrap-based subproject downloading is disabled\nSubproject  a is buildable: NO (disabling)\nDependency a from subproject a found: NO (subproject failed to configure)\n\n../meson.build:3:0: ERROR: Dependency 'a' is required but not found.\n", "meson subprojects download", ""},
		{"autotools", "checking for libevent directory... configure: error: libevent is required.  You can get it from https://www.monkey.org/~provos/libevent/\n", `add "libevent-dev" to packages in`, "monkey"},
		{"autotools", "configure: error: OpenSSL found in /usr, but version 0.9.7 or higher is required", `add "libssl-dev" to packages in`, ""},
		{"autotools", "configure: error: zlib not found", `although "zlib1g-dev" is in`, "add "},
		{"autotools", "configure: error: can not find required ncurses library", `add "libncurses-dev" to packages in`, ""},
		{"autotools", "configure: error: Could not find libexpat, expat.h", `add "libexpat1-dev" to packages in`, "configure finds no expat"},
		{"autotools", "configure: error: cannot find the SSL libraries in /usr/lib, see README.libs; is libtool there, and the library path?", ``, "finds no"},
		{"make", "Package libsasl2 was not found in the pkg-config search path.", `add "libsasl2-dev" to packages`, "apt-file"},
		{"make", "Package 'libsasl2', required by 'virtual:world', not found", `add "libsasl2-dev" to packages`, ""},
		{"make", "Package 'zlib', required by 'virtual:world', not found", `although "zlib1g-dev" is in`, "add "},
		{"cmake", "--   Package 'libsasl2', required by 'libcrypto', not found", `add "libsasl2-dev" to packages`, ""},
		{"make", "Package libnothing was not found in the pkg-config search path.", `apt-file`, ""},
		{"make", "/bin/sh: 1: frobnicate: not found", `write host_packages = ["frob-tools"] in `, "install it"},
		{"make", "/bin/sh: 1: several: not found", `write host_packages = ["one"] in ` + pl.Project.File + `:13: [target.make] (or with "two" in its place)`, "-dev"},
	} {
		got := strings.Join(explain.Hints(actions[c.target], c.log), "\n")
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%s\n got %q\nwant %q without %q", c.log, got, c.want, c.not)
		}
	}
}

// TestGoHints: a package that is compiled in part is told from a module that is too old for the platform, by the
// package's own files.
func TestGoHints(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/riscv64"]
[target.without]
recipe = "go"
[target.with]
recipe = "go"
cgo = true
-- go.mod --
module example.com/app
-- pkg/mod/example.com/pcap@v1.2.3/use.go --
package pcap

var Snap = snap()
-- pkg/mod/example.com/pcap@v1.2.3/c.go --
package pcap

// int snap(void);
import "C"

func snap() int { return int(C.snap()) }
-- pkg/mod/example.com/pty@v1.0.0/pty.go --
package pty

var Size _C_int
-- pkg/mod/example.com/pty@v1.0.0/types.go --
//go:build ignore

package pty

import "C"

type _C_int C.int
`)
	log := func(file, message string) string {
		return pl.Project.Dir + "/pkg/mod/example.com/" + file + ":3:10: " + message + "\n"
	}
	snap, pty := log("pcap@v1.2.3/use.go", "undefined: snap"), log("pty@v1.0.0/pty.go", "undefined: _C_int")
	header := log("pcap@v1.2.3/c.go", "fatal error: 'snap.h' file not found")
	for _, c := range []struct {
		target, log string
		want        string // "" for no hint of Go's
	}{
		{"without", snap, "/xbuild.toml:3: [target.without]"},
		{"without", pty, "module example.com/pty v1.0.0, which go.mod asks for, does not compile for linux/riscv64"},
		{"without", pty + snap, "/xbuild.toml:3: [target.without]"},
		{"with", snap, ""},
		{"with", pty, "go get example.com/pty@latest"},
		{"with", header, ""},
		{"without", "./gone/gone.go:3:10: undefined: snap\n", ""},
	} {
		hints := ""
		for _, a := range pl.plan(t, Selection{Targets: []string{c.target}}).Actions {
			hints = strings.Join(explain.Hints(a, c.log), "\n")
		}
		if !strings.Contains(hints, c.want) || c.want == "" && (strings.Contains(hints, "cgo = true") || strings.Contains(hints, "go get")) {
			t.Errorf("%s: %s gets the hints %q, want %q", c.target, c.log, hints, c.want)
		}
	}
}
