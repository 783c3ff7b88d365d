package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"testing"
)

// staticLibrary makes a static library of one C source by the platform's tools.
func staticLibrary(file, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		put(t, filepath.Join(dir, "archive.tmp.c"), text)
		defer os.Remove(filepath.Join(dir, "archive.tmp.c"))
		defer os.Remove(filepath.Join(dir, "archive.tmp.o"))
		put(t, filepath.Join(dir, file), "")
		os.Remove(filepath.Join(dir, file))
		script := `cc -fPIC -c -o archive.tmp.o archive.tmp.c && ar rcs "$1" archive.tmp.o`
		platform := "linux/" + runtime.GOARCH
		if r := xbuild(t, dir, "exec", "-q", "-p", platform, "--", "sh", "-ec", script, "sh", file); r.code != 0 {
			t.Fatalf("%s: %v", file, r)
		}
	}
}

// goInputs is a program of a workspace that prints what its build read, C in it.
func goInputs(t *testing.T, platform string) string {
	dir := write(t, map[string]string{
		"xbuild.toml": fmt.Sprintf(cTOML, platform, "go", "cgo = true\nstatic = false\n"),
		"src/go.mod":  "module example.invalid/p\n\ngo 1.21\n\nrequire example.invalid/lib v0.0.0\n\nreplace example.invalid/lib => ../lib\n",
		"go.work":     "go 1.21\n\nuse (\n\t./src\n\t./work\n)\n",
		"work/go.mod": "module example.invalid/work\n\ngo 1.21\n", "work/w.go": "package work\n\nconst W = \"1\"\n",
		"work2/go.mod": "module example.invalid/work\n\ngo 1.21\n", "work2/w.go": "package work\n\nconst W = \"3\"\n",
		"lib/go.mod": "module example.invalid/lib\n\ngo 1.21\n", "lib/l.go": "package lib\n\nimport _ \"embed\"\n\n//go:embed data.txt\nvar Data string\n\nconst L = \"1\"\n", "lib/data.txt": "1",
		"lib/asm.go":      "package lib\n\n// Asm is in assembly.\nfunc Asm() int64\n\n// Far is too.\nfunc Far() int64\n",
		"lib/asm_amd64.s": asmSource("MOVQ"), "lib/asm_arm64.s": asmSource("MOVD"), "lib/asm.h": "#define ASM 1\n", "cinc/far.h": "#define FAR 1\n",
		"src/main.go": `package main

/*
#cgo CFLAGS: -I${SRCDIR}/first -I${SRCDIR}/second -I${SRCDIR}/../cinc
#cgo LDFLAGS: -L${SRCDIR}/../clib -lfoo ${SRCDIR}/libhere.a
#cgo pkg-config: own
#include "here.h"
#include "outside.h"
#include "early.h"
#include "point.h"
#include "dirlink/d.h"
#include "table.inc"
#include "deep/impl.c"
#if __has_include("maybe.inc")
enum { MAYBE = 2 };
#else
enum { MAYBE = 1 };
#endif
int c(void);
int cpp(void);
int foo(void);
int bar(void);
*/
import "C"

import (
	"embed"
	"fmt"

	"example.invalid/lib"
	"example.invalid/p/sub"
	"example.invalid/work"
)

//go:embed files
var files embed.FS

const src = "1"

func main() {
	list, _ := files.ReadDir("files")
	one, _ := files.ReadFile("files/a.txt")
	fmt.Printf("src=%s early=%d lib=%s data=%s work=%s sub=%s here=%d outside=%d names=%d embed=%s extra=%s ", src, int(C.EARLY), lib.L, lib.Data, work.W, sub.S, int(C.HERE), int(C.OUTSIDE), len(list), one, extra)
	fmt.Printf("c=%d cpp=%d foo=%d bar=%d point=%d directory=%d table=%d impl=%d maybe=%d pc=%d asm=%d far=%d\n", int(C.c()), int(C.cpp()), int(C.foo()), int(C.bar()),
		int(C.POINT), int(C.DIRECTORY), int(C.TABLE), int(C.impl()), int(C.MAYBE), int(C.PC), lib.Asm(), lib.Far())
}
`, "src/extra.go": "package main\n\nvar extra = \"1\"\n", "src/sub/s.go": "package sub\n\nconst S = \"1\"\n", "src/here.h": "#define HERE 1\n", "cinc/outside.h": "#include \"deep.h\"\n#define OUTSIDE DEEP\n", "cinc/deep.h": "#define DEEP 1\n",
		"src/files/a.txt": "1", "src/second/early.h": "#define EARLY 1\n", "src/first/keep": "", "else/p1.h": "#define POINT 1\n", "else/p2.h": "#define POINT 2\n",
		"else/dir/d.h": "#define DIRECTORY 1\n", "else/dir2/d.h": "#define DIRECTORY 3\n", "src/table.inc": "enum { TABLE = 1 };\n", "src/deep/impl.c": "static int impl(void) { return 1; }\n",
		"src/c.c": "int c(void) { return 1; }\n", "src/cc.cpp": "extern \"C\" int cpp(void) { return 1; }\n",
		"pc/own.pc": "Name: own\nDescription: own\nVersion: 1\nCflags: -DPC=1\n", "src/README.md": "read me\n", "src/more_windows.go": "package main\n", "src/testdata/x": "x",
	})
	replace("xbuild.toml", `env = { `, fmt.Sprintf("env = { PKG_CONFIG_PATH = %q, ", filepath.Join(dir, "pc")))(t, dir)
	relink("src/point.h", "../else/p1.h")(t, dir)
	relink("src/dirlink", "../else/dir")(t, dir)
	staticLibrary("clib/libfoo.a", "int foo(void) { return 1; }\n")(t, dir)
	staticLibrary("src/libhere.a", "int bar(void) { return 1; }\n")(t, dir)
	return dir
}

func asmSource(move string) string {
	return fmt.Sprintf("#include \"textflag.h\"\n#include \"asm.h\"\n#include \"../cinc/far.h\"\n\nTEXT ·Asm(SB), NOSPLIT, $0-8\n\t%[1]s $ASM, R8\n\t%[1]s R8, ret+0(FP)\n\tRET\n\n"+
		"TEXT ·Far(SB), NOSPLIT, $0-8\n\t%[1]s $FAR, R8\n\t%[1]s R8, ret+0(FP)\n\tRET\n", move)
}

// goModule is a module without C: what go's own files and git say.
func goModule(t *testing.T, platform string) string {
	dir := write(t, map[string]string{
		"xbuild.toml":                         fmt.Sprintf(cTOML, platform, "go", "options = [\"-buildvcs=true\", \"-mod=vendor\", \"-overlay=over.json\"]\ntags = []\nversion = { \"main.version\" = \"1\" }\nldflags = []\n"),
		"src/go.mod":                          "module example.invalid/p\n\ngo 1.21\n\nrequire (\n\texample.invalid/dep v1.0.0\n\texample.invalid/rep v0.0.0\n)\n\nreplace example.invalid/rep => ../rep\n",
		"src/vendor/modules.txt":              "# example.invalid/dep v1.0.0\n## explicit; go 1.21\nexample.invalid/dep\n# example.invalid/rep v0.0.0 => ../rep\n## explicit\nexample.invalid/rep\n# example.invalid/rep => ../rep\n",
		"src/vendor/example.invalid/dep/d.go": "package dep\n\nconst D = \"1\"\n", "src/vendor/example.invalid/rep/r.go": "package rep\n\nconst R = \"1\"\n",
		"src/over.json": "{\"Replace\": {\"over.go\": \"../over/o1.go\"}}\n", "over/o1.go": "package main\n\nconst over = \"1\"\n", "over/o2.go": "package main\n\nconst over = \"3\"\n", "src/over.go": "package main\n\nconst over = \"0\"\n",
		"src/internal/in/i.go": "package in\n\nconst I = \"1\"\n", "src/texts/a.txt": "a", "src/texts/b.txt": "b", "src/all/a": "a", "src/tag_off.go": "//go:build !chosen\n\npackage main\n\nconst tag = \"1\"\n",
		"src/tag_on.go": "//go:build chosen\n\npackage main\n\nconst tag = \"2\"\n", "else/v1.go": "package main\n\nconst via = \"1\"\n", "else/v2.go": "package main\n\nconst via = \"3\"\n",
		"src/set.go": "package main\n\nvar system, ld = \"1\", \"1\"\n\nvar linked string\n", ".gitignore": "/.xbuild/\n/dist/\n", "src/README.md": "read me\n", "src/other_windows.go": "package main\n", "src/testdata/x": "x",
		"src/unused/u.go": "package unused\n", "src/p_test.go": "package main\n",
		"src/main.go": `package main

import (
	"embed"
	"fmt"
	"runtime/debug"

	"example.invalid/dep"
	"example.invalid/p/internal/in"
	"example.invalid/rep"
)

//go:embed texts/*.txt
var texts embed.FS

//go:embed all:all
var all embed.FS

const src = "1"

var version string

func main() {
	setting := map[string]string{}
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	glob, _ := texts.ReadDir("texts")
	hidden, _ := all.ReadDir("all")
	var each []func() int
	for i := 0; i < 3; i++ {
		each = append(each, func() int { return i })
	}
	fmt.Printf("src=%s early=1 dep=%s rep=%s over=%s in=%s glob=%d all=%d tag=%s via=%s system=%s version=%s linked=%s ", src, dep.D, rep.R, over, in.I, len(glob), len(hidden), tag, via, system, version, linked)
	fmt.Printf("loop=%d modified=%s pgo=%t godebug=%q\n", each[0](), setting["vcs.modified"], setting["-pgo"] != "", setting["DefaultGODEBUG"])
}
`,
	})
	relink("src/via.go", "../else/v1.go")(t, dir)
	repository(t, dir)
	return dir
}

// TestInputsGo: modules beside, embedded files, C headers that go itself does not know of.
func TestInputsGo(t *testing.T) {
	needNetwork(t)
	t.Parallel()
	platform := "linux/" + runtime.GOARCH
	checkInputs(t, goInputs(t, platform), platform, "p", append([]input{
		{"a source", replace("src/main.go", `src = "1"`, `src = "2"`), "src=2"},
		{"a package of the module", content("src/sub/s.go", "package sub\n\nconst S = \"2\"\n"), "sub=2"},
		{"a module that replace names", replace("lib/l.go", `L = "1"`, `L = "2"`), "lib=2"},
		{"a file that it embeds", content("lib/data.txt", "2"), "data=2"},
		{"a module of the workspace", content("work/w.go", "package work\n\nconst W = \"2\"\n"), "work=2"},
		{"a file in an embedded directory", content("src/files/b.txt", ""), "names=2"},
		{"its content", content("src/files/a.txt", "2"), "embed=2"},
		{"a C header beside", content("src/here.h", "#define HERE 2\n"), "here=2"},
		{"a C header outside of the package", content("cinc/deep.h", "#define DEEP 2\n"), "outside=2"},
		{"a file that C includes, of a name that go does not know", content("src/table.inc", "enum { TABLE = 2 };\n"), "table=2"},
		{"one that was asked for and was not there", content("src/maybe.inc", ""), "maybe=2"},
		{"a C header, and all that xbuild knew is gone", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, ".xbuild")); err != nil {
				t.Fatal(err)
			}
			content("cinc/deep.h", "#define DEEP 3\n")(t, dir)
		}, "outside=3"},
		{"a C header, and other commands", func(t *testing.T, dir string) {
			replace("xbuild.toml", "xenv-1", "xenv-2")(t, dir)
			content("cinc/deep.h", "#define DEEP 4\n")(t, dir)
		}, "outside=4"},
		{"a new source of the package", content("src/init.go", "package main\n\nfunc init() { extra = \"2\" }\n"), "extra=2"},
		{"a source that goes", remove("src/init.go"), "extra=1"},
		{"a file beside", content("notes/today", "x"), ""},
		{"a header that nothing includes", content("cinc/other.h", "#error\n"), ""},
		{"a README in the package", content("src/README.md", "do read me\n"), ""},
		{"the time of a source", touch("src/main.go"), ""},
	}, wide(
		input{"an embedded file that goes", remove("src/files/b.txt"), "names=1"},
		input{"a C source of the package", content("src/c.c", "int c(void) { return 2; }\n"), "c=2"},
		input{"a C++ source of the package", content("src/cc.cpp", "extern \"C\" int cpp(void) { return 2; }\n"), "cpp=2"},
		input{"a C source that another includes", content("src/deep/impl.c", "static int impl(void) { return 2; }\n"), "impl=2"},
		input{"a static library", staticLibrary("clib/libfoo.a", "int foo(void) { return 2; }\n"), "foo=2"},
		input{"a static library in the package", staticLibrary("src/libhere.a", "int bar(void) { return 2; }\n"), "bar=2"},
		input{"what pkg-config reads", replace("pc/own.pc", "PC=1", "PC=2"), "pc=2"},
		input{"a header that appears earlier on the path", content("src/first/early.h", "#define EARLY 2\n"), "early=2"},
		input{"a header that goes from there", remove("src/first/early.h"), "early=1"},
		input{"a header that has its size and time still", unseen("src/second/early.h", "1", "4"), "early=4"},
		input{"a link that leads to another header", relink("src/point.h", "../else/p2.h"), "point=2"},
		input{"a header in a linked directory", content("else/dir/d.h", "#define DIRECTORY 2\n"), "directory=2"},
		input{"a link that leads to another directory", relink("src/dirlink", "../else/dir2"), "directory=3"},
		input{"a header that assembly includes", content("lib/asm.h", "#define ASM 2\n"), "asm=2"},
		input{"one outside of its package", content("cinc/far.h", "#define FAR 2\n"), "far=2"},
		input{"a source in assembly", func(t *testing.T, dir string) {
			replace("lib/asm_"+runtime.GOARCH+".s", "$ASM", "$3")(t, dir)
		}, "asm=3"},
		input{"another folder in go.work", replace("go.work", "./work\n", "./work2\n"), "work=3"},
		input{"a source of another system", content("src/more_windows.go", "package main\n\nvar x = 1\n"), ""},
		input{"a file of testdata", content("src/testdata/x", "y"), ""},
	)...))
	if !full() {
		return
	}
	dir := goModule(t, platform)
	profile := func(t *testing.T, dir string) {
		f, err := os.Create(filepath.Join(dir, "src/default.pgo"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			t.Fatal(err)
		}
		pprof.StopCPUProfile()
	}
	checkInputs(t, dir, platform, "p", []input{
		{"a vendored package", content("src/vendor/example.invalid/dep/d.go", "package dep\n\nconst D = \"2\"\n"), "dep=2"},
		{"a source of it, more", content("src/vendor/example.invalid/rep/more.go", "package rep\n\nfunc init() { println() }\n"), "rep=1"},
		{"a source that go is told to take", content("over/o1.go", "package main\n\nconst over = \"2\"\n"), "over=2"},
		{"the list of those", replace("src/over.json", "o1.go", "o2.go"), "over=3"},
		{"an internal package", content("src/internal/in/i.go", "package in\n\nconst I = \"2\"\n"), "in=2"},
		{"a file that an embedding's glob finds", content("src/texts/c.txt", ""), "glob=3"},
		{"one that goes", remove("src/texts/b.txt"), "glob=2"},
		{"a hidden file that is embedded", content("src/all/.hidden", ""), "all=2"},
		{"what a linked source leads to", content("else/v1.go", "package main\n\nconst via = \"2\"\n"), "via=2"},
		{"a link that leads to another source", relink("src/via.go", "../else/v2.go"), "via=3"},
		{"a source for this system that appears", content("src/more_linux.go", "package main\n\nfunc init() { system = \"2\" }\n"), "system=2"},
		{"its constraint", content("src/more_linux.go", "//go:build ignore\n\npackage main\n\nfunc init() { system = \"2\" }\n"), "system=1"},
		{"a source that has its size and time still", unseen("src/internal/in/i.go", "2", "3"), "in=3"},
		{"tags in xbuild.toml", replace("xbuild.toml", `tags = []`, `tags = ["chosen"]`), "tag=2"},
		{"a version in xbuild.toml", replace("xbuild.toml", `"main.version" = "1"`, `"main.version" = "2"`), "version=2"},
		{"flags of the linker in xbuild.toml", replace("xbuild.toml", `ldflags = []`, `ldflags = ["-X=main.linked=2"]`), "linked=2"},
		{"the language's version in go.mod", replace("src/go.mod", "go 1.21", "go 1.22"), "loop=0"},
		{"a godebug line in go.mod", replace("src/go.mod", "go 1.22\n", "go 1.23\n\ngodebug panicnil=1\n"), "panicnil=1"},
		{"a profile that appears", profile, "pgo=true"},
		{"it goes", remove("src/default.pgo"), "pgo=false"},
		{"what is committed", func(t *testing.T, dir string) { git(t, dir, "add", "."); commit(t, dir) }, "modified=false"},
		{"a file that git knows", content("src/README.md", "do read me\n"), "modified=true"},
		{"it is committed", func(t *testing.T, dir string) { git(t, dir, "add", "."); commit(t, dir) }, "modified=false"},
		{"the program's source", replace("src/main.go", `src = "1"`, `src = "2"`), "src=2"},
	})
}

// rustInputs is a workspace whose program prints what its build read: rustc, cargo, build scripts and what they call.
func rustInputs(t *testing.T, platform string) string {
	crate := func(name, more string) string {
		return fmt.Sprintf("[package]\nname = %q\nversion = \"1.0.0\"\nedition = \"2021\"\n%s", name, more)
	}
	dir := write(t, map[string]string{
		"xbuild.toml":        fmt.Sprintf(cTOML, platform, "rust", "features = [\"given\"]\nrustflags = [\"--cfg=flag\", \"--check-cfg=cfg(flag, flagged)\"]\n"),
		"Cargo.toml":         "[workspace]\nresolver = \"2\"\nmembers = [\"src\", \"lib\", \"mac\", \"nat\", \"tool\", \"ver\"]\n\n[workspace.package]\nversion = \"1.0.0\"\n\n[profile.release]\ndebug-assertions = false\n",
		".cargo/config.toml": "[env]\nABOVE = \"1\"\n",
		"src/Cargo.toml": `[package]
name = "p"
version.workspace = true
edition = "2021"
build = "build.rs"
[features]
default = []
given = []
chosen = []
[dependencies]
lib = { path = "../lib" }
mac = { path = "../mac" }
nat = { path = "../nat" }
ver = { path = "../ver" }
[build-dependencies]
tool = { path = "../tool" }
`,
		"src/build.rs": `use std::{env, fs, path::Path, process::Command};
fn walk(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).map(|p| if p.is_dir() { walk(&p) } else { 1 }).sum()
}
fn output(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_string()
}
fn main() {
    println!("cargo:rerun-if-changed=said.txt");
    println!("cargo:rerun-if-env-changed=NOTED");
    println!("cargo:rustc-env=SAID={}", fs::read_to_string("said.txt").unwrap());
    println!("cargo:rustc-env=UNSAID={}", fs::read_to_string("../data/unsaid.txt").unwrap());
    println!("cargo:rustc-env=NAMES={}", fs::read_dir("../data/names").unwrap().count());
    println!("cargo:rustc-env=ASKED={}", env::var("XENV").unwrap_or_default());
    println!("cargo:rustc-env=NOTED_IS={}", env::var("NOTED").unwrap_or_default());
    println!("cargo:rustc-env=THERE={}", if fs::metadata("../data/there").is_ok() { 2 } else { 1 });
    println!("cargo:rustc-env=SCRIPT={}", output("sh", &["../data/script.sh"]));
    println!("cargo:rustc-env=COMMITS={}", output("git", &["rev-list", "--count", "HEAD"]));
    println!("cargo:rustc-env=WALKED={}", walk(Path::new("../data/tree")));
    println!("cargo:rustc-env=LED={}", fs::read_to_string("../data/led").unwrap());
    println!("cargo:rustc-env=NAT={}", env::var("DEP_NATIVE_VAL").unwrap());
    println!("cargo:rustc-env=TOOL={}", tool::version());
    let out = env::var("OUT_DIR").unwrap();
    fs::write(Path::new(&out).join("gen.rs"), format!("pub const GEN: &str = {:?};", fs::read_to_string("../data/gen.txt").unwrap())).unwrap();
    let cc = env::var(format!("CC_{}", env::var("TARGET").unwrap().replace('-', "_"))).unwrap();
    let object = format!("{out}/c.o");
    output("sh", &["-ec", &format!("{cc} -O1 -fPIC -I../first -I../inc -c -o {object} ../c/c.c")]);
    println!("cargo:rustc-link-arg={object}");
    println!("cargo:rustc-link-search={}/clib", fs::canonicalize("..").unwrap().display());
    println!("cargo:rustc-link-lib=static=foo");
}
`, "src/said.txt": "1", "data/unsaid.txt": "1", "data/names/a": "", "data/script.sh": "echo 1\n", "data/str.txt": "1", "data/macro.txt": "1", "data/tree/a/b/one": "", "data/led1": "1", "data/led2": "2", "data/gen.txt": "1",
		"data/nat.txt": "1", "data/bytes.bin": "1", "data/expr.rs": "\"1\"\n", "data/asm.s": ".global asm_value\nasm_value: .byte 1\n",
		"c/c.c": "#include \"c.h\"\nint c(void) { return 1; }\nint head(void) { return HEAD; }\n", "inc/c.h": "#define HEAD 1\n", "first/keep": "",
		"lib/Cargo.toml": crate("lib", ""), "lib/src/lib.rs": "pub const L: &str = \"1\";\npub const S: &str = include_str!(\"../../data/str.txt\");\n",
		"ver/Cargo.toml": crate("ver", ""), "ver/src/lib.rs": "pub const V: &str = env!(\"CARGO_PKG_VERSION\");\n",
		"tool/Cargo.toml": crate("tool", ""), "tool/src/lib.rs": "pub fn version() -> &'static str { \"1\" }\n",
		"nat/Cargo.toml": crate("nat", "links = \"native\"\nbuild = \"build.rs\"\n"), "nat/src/lib.rs": "#![doc = include_str!(\"../NOTE.md\")]\n", "nat/NOTE.md": "note\n",
		"nat/build.rs":   "fn main() { println!(\"cargo:rerun-if-changed=build.rs\\ncargo:val={}\", std::fs::read_to_string(\"../data/nat.txt\").unwrap().trim()); }\n",
		"mac/Cargo.toml": crate("mac", "[lib]\nproc-macro = true\n"),
		"mac/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro]\npub fn file(_: TokenStream) -> TokenStream { format!(\"{:?}\", std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../data/macro.txt\")).unwrap()).parse().unwrap() }\n",
		"src/src/main.rs": `mod sub;
mod via;
#[path = "../../else/far.rs"]
mod far;
mod gen { include!(concat!(env!("OUT_DIR"), "/gen.rs")); }
std::arch::global_asm!(include_str!("../../data/asm.s"));
extern "C" {
    fn c() -> i32;
    fn head() -> i32;
    fn foo() -> i32;
    static asm_value: u8;
}
const SRC: &str = "1";
fn main() {
    println!("src={} early=1 sub={} lib={} str={} macro={} said={} unsaid={} names={} asked={} there={} script={} option={}", SRC, sub::S, lib::L, lib::S, mac::file!(),
        env!("SAID"), env!("UNSAID"), env!("NAMES"), env!("ASKED"), env!("THERE"), env!("SCRIPT"), option_env!("XENV").unwrap_or("-"));
    println!("via={} far={} gen={} bytes={} expr={} above={} near={} version={} ver={} nat={} tool={} noted={}", via::V, far::F, gen::GEN, include_bytes!("../../data/bytes.bin")[0] - b'0',
        include!("../../data/expr.rs"), env!("ABOVE"), option_env!("NEAR").unwrap_or("-"), env!("CARGO_PKG_VERSION"), ver::V, env!("NAT"), env!("TOOL"), env!("NOTED_IS"));
    println!("commits={} walked={} led={} debug={} chosen={} flagged={} c={} head={} foo={} asm={}", env!("COMMITS"), env!("WALKED"), env!("LED"), cfg!(debug_assertions), cfg!(feature = "chosen"), cfg!(flagged),
        unsafe { c() }, unsafe { head() }, unsafe { foo() }, unsafe { asm_value });
    println!("{}", unix::more());
}
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
`, "src/src/sub.rs": "pub const S: &str = \"1\";\n", "else/via1.rs": "pub const V: &str = \"1\";\n", "else/via2.rs": "pub const V: &str = \"3\";\n", "else/far.rs": "pub const F: &str = \"1\";\n",
		"src/src/unix.rs": "pub fn more() -> &'static str { \"more=1\" }\n", "src/src/windows.rs": "", "src/README.md": "read me\n", "lib/README.md": "read me\n", "src/tests/t.rs": "#[test]\nfn t() {}\n", "src/examples/e.rs": "fn main() {}\n",
		".gitignore": "/.xbuild/\n/dist/\n/target/\n", "notes/today": "x",
	})
	replace("xbuild.toml", "env = { ", "env = { NOTED = \"noted-1\", ")(t, dir)
	relink("src/src/via.rs", "../../else/via1.rs")(t, dir)
	relink("data/led", "led1")(t, dir)
	staticLibrary("clib/libfoo.a", "int foo(void) { return 1; }\n")(t, dir)
	repository(t, dir)
	return dir
}

// TestInputsRust: crates beside, included files, and all that a build script does without saying so.
func TestInputsRust(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	checkInputs(t, rustInputs(t, platform), platform, "p", append([]input{
		{"a source", replace("src/src/main.rs", `SRC: &str = "1"`, `SRC: &str = "2"`), "src=2"},
		{"a module", content("src/src/sub.rs", "pub const S: &str = \"2\";\n"), "sub=2"},
		{"a crate beside", replace("lib/src/lib.rs", `L: &str = "1"`, `L: &str = "2"`), "lib=2"},
		{"a file that it includes", content("data/str.txt", "2"), "str=2"},
		{"a file that a macro reads", content("data/macro.txt", "2"), "macro=2"},
		{"a file that the build script names", content("src/said.txt", "2"), "said=2"},
		{"a file that it reads and does not name", content("data/unsaid.txt", "2"), "unsaid=2"},
		{"the names in a directory that it lists", content("data/names/b", ""), "names=2"},
		{"a file that it looked for", content("data/there", ""), "there=2"},
		{"a script that it runs", content("data/script.sh", "echo 2\n"), "script=2"},
		{"a variable that it asks for", replace("xbuild.toml", "xenv-1", "xenv-2"), "asked=xenv-2"},
		{"a variable of option_env", replace("xbuild.toml", "xenv-2", "xenv-3"), "option=xenv-3"},
		{"a file beside", content("notes/today", "y"), ""},
		{"a README in the package", content("src/README.md", "do read me\n"), ""},
		{"the time of a source", touch("src/src/main.rs"), ""},
	}, wide(
		input{"a source that has its size and time still", unseen("src/src/sub.rs", "2", "3"), "sub=3"},
		input{"a module that becomes a directory", func(t *testing.T, dir string) {
			remove("src/src/sub.rs")(t, dir)
			content("src/src/sub/mod.rs", "pub const S: &str = \"4\";\n")(t, dir)
		}, "sub=4"},
		input{"what a linked module leads to", content("else/via1.rs", "pub const V: &str = \"2\";\n"), "via=2"},
		input{"a link that leads to another module", relink("src/src/via.rs", "../../else/via2.rs"), "via=3"},
		input{"a module outside of the package", content("else/far.rs", "pub const F: &str = \"2\";\n"), "far=2"},
		input{"a module for this system alone", replace("src/src/unix.rs", "more=1", "more=2"), "more=2"},
		input{"bytes that are included", content("data/bytes.bin", "2"), "bytes=2"},
		input{"source that is included", content("data/expr.rs", "\"2\"\n"), "expr=2"},
		input{"assembly that is included", replace("data/asm.s", ".byte 1", ".byte 2"), "asm=2"},
		input{"what the build script makes code from", content("data/gen.txt", "2"), "gen=2"},
		input{"a file far below a directory that it walks", content("data/tree/a/b/two", ""), "walked=2"},
		input{"a link that it reads", relink("data/led", "led2"), "led=2"},
		input{"git's HEAD", commit, "commits=2"},
		input{"a C source that it compiles", replace("c/c.c", "return 1", "return 2"), "c=2"},
		input{"a C header outside of all packages", content("inc/c.h", "#define HEAD 2\n"), "head=2"},
		input{"one that appears earlier on the path", content("first/c.h", "#define HEAD 3\n"), "head=3"},
		input{"a static library that it names", staticLibrary("clib/libfoo.a", "int foo(void) { return 2; }\n"), "foo=2"},
		input{"what the build script of another crate tells it", content("data/nat.txt", "2"), "nat=2"},
		input{"a crate that it calls", replace("tool/src/lib.rs", `"1"`, `"2"`), "tool=2"},
		input{"the build script", replace("src/build.rs", `"cargo:rustc-env=THERE={}", if fs::metadata("../data/there").is_ok() { 2 }`, `"cargo:rustc-env=THERE={}", if fs::metadata("../data/there").is_ok() { 3 }`), "there=3"},
		input{"a variable that it says it asks for", replace("xbuild.toml", "noted-1", "noted-2"), "noted=noted-2"},
		input{"cargo's configuration above", replace(".cargo/config.toml", `"1"`, `"2"`), "above=2"},
		input{"one that appears in the package", content("src/.cargo/config.toml", "[env]\nNEAR = \"1\"\n"), "near=1"},
		input{"a version of the workspace", replace("Cargo.toml", `version = "1.0.0"`, `version = "2.0.0"`), "version=2"},
		input{"a version of another crate", replace("ver/Cargo.toml", `version = "1.0.0"`, `version = "2.0.0"`), "ver=2"},
		input{"a profile of the workspace", replace("Cargo.toml", "debug-assertions = false", "debug-assertions = true"), "debug=true"},
		input{"features of the package", replace("src/Cargo.toml", "default = []", "default = [\"chosen\"]"), "chosen=true"},
		input{"flags in xbuild.toml", replace("xbuild.toml", "--cfg=flag\"", "--cfg=flagged\""), "flagged=true"},
		input{"another folder of a dependency", func(t *testing.T, dir string) {
			content("lib2/Cargo.toml", "[package]\nname = \"lib\"\nversion = \"1.0.0\"\nedition = \"2021\"\n")(t, dir)
			content("lib2/src/lib.rs", "pub const L: &str = \"3\";\npub const S: &str = \"3\";\n")(t, dir)
			replace("src/Cargo.toml", `"../lib"`, `"../lib2"`)(t, dir)
			replace("Cargo.toml", `"lib"`, `"lib2"`)(t, dir)
		}, "lib=3"},
		input{"a test", content("src/tests/t.rs", "#[test]\nfn other() {}\n"), ""},
		input{"an example", content("src/examples/e.rs", "fn main() { println!() }\n"), ""},
		input{"a module for another system", content("src/src/windows.rs", "pub fn more() {}\n"), ""},
		input{"a file of a crate that its build script does not read", content("lib/README.md", "x\n"), ""},
	)...))
}

// nodeInputs is an application with a module that prints what its build read.
func nodeInputs(t *testing.T, platform string) string {
	dir := write(t, map[string]string{
		"xbuild.toml":      fmt.Sprintf(cTOML, platform, "node-gyp", "root = \"..\"\nkind = \"app\"\nnode = [\"20\"]\ngyp = [\"--given=1\"]\nexclude = [\"left/**\", \"point.h\", \"dirlink\", \"via.c\", \"node_modules/head\"]\n"),
		"src/package.json": `{"name": "p", "version": "1.0.0", "gypfile": true, "dependencies": {"head": "file:../head"}}`,
		"src/package-lock.json": `{"name": "p", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {
  "": {"name": "p", "version": "1.0.0", "dependencies": {"head": "file:../head"}},
  "../head": {"version": "1.0.0"}, "node_modules/head": {"resolved": "../head", "link": true}}}
`,
		"head/package.json": `{"name": "head", "version": "1.0.0", "main": "index.js"}`, "head/index.js": "exports.include = __dirname;\n", "head/head.h": "#define HEAD 1\n",
		"src/binding.gyp": `{"includes": ["../common/own.gypi"], "variables": {"given%": "0"}, "targets": [
 {"target_name": "p", "sources": ["p.c", "../common/c.c", "cpp.cc", "blob.S", "via.c", "<(SHARED_INTERMEDIATE_DIR)/made.c", "said.said"],
  "dependencies": ["dep.gyp:dep", "copied"], "include_dirs": ["first", "../inc", "<!(node -p \"require('head').include\")", "<(SHARED_INTERMEDIATE_DIR)"],
  "libraries": ["<(module_root_dir)/../clib/libfoo.a"],
  "defines": ["COUNT=<!(ls items | wc -l)", "<@(own)", "GIVEN=<(given)", "CAT=<!(cat ../data/cat.txt)", "JS=<!(node -p \"require('../common/vals').val\")", "ASKED=<!(echo $XENV)",
    "VERSION=<!(node -p \"require('./package.json').version\")", "COMMITS=<!(git rev-list --count HEAD)", "BLOB=\"../data/blob.txt\""],
  "rules": [{"rule_name": "said", "extension": "said", "outputs": ["<(SHARED_INTERMEDIATE_DIR)/<(RULE_INPUT_ROOT).h"], "action": ["sh", "rule.sh", "<(RULE_INPUT_PATH)", "<@(_outputs)"]}],
  "actions": [{"action_name": "gen", "inputs": ["gen.sh"], "outputs": ["<(SHARED_INTERMEDIATE_DIR)/gen.h"], "action": ["sh", "gen.sh", "<@(_outputs)"]},
    {"action_name": "made", "inputs": ["../data/made.txt"], "outputs": ["<(SHARED_INTERMEDIATE_DIR)/made.c"], "action": ["sh", "made.sh", "<@(_outputs)"]}]},
 {"target_name": "copied", "type": "none", "copies": [{"destination": "<(SHARED_INTERMEDIATE_DIR)", "files": ["../data/copied.h"]}]}]}
`, "src/dep.gyp": `{"targets": [{"target_name": "dep", "type": "static_library", "sources": ["dep.c"], "cflags": ["-fPIC"], "direct_dependent_settings": {"defines": ["DEPDEF=1"]}}]}
`, "src/dep.c": "int dep(void) { return 1; }\n",
		"common/own.gypi": `{"variables": {"own": ["OWN=1"]}}`, "common/c.c": "int c(void) { return 1; }\n", "common/vals.js": "exports.val = require('./more.js');\n", "common/more.js": "module.exports = 1;\n",
		"inc/outside.h": "#define OUTSIDE 1\n", "inc/early.h": "#define EARLY 1\n", "src/first/keep": "", "src/items/a": "", "src/local.h": "#define LOCAL 1\n",
		"src/gen.sh": "echo \"#define GEN $(cat ../data/gen.txt)\" >\"$1\"\n", "data/gen.txt": "1\n", "src/made.sh": "echo \"int made(void) { return $(cat ../data/made.txt); }\" >\"$1\"\n", "src/rule.sh": "echo \"#define SAID $(cat \"$1\")\" >\"$2\"\n", "src/said.said": "1\n", "data/made.txt": "1\n",
		"data/cat.txt": "1\n", "data/blob.txt": "1", "data/copied.h": "#define COPIED 1\n", "else/p1.h": "#define POINT 1\n", "else/p2.h": "#define POINT 2\n", "else/via1.c": "int via(void) { return 1; }\n", "else/via2.c": "int via(void) { return 3; }\n",
		"else/dir/d.h": "#define DIRECTORY 1\n", "else/dir2/d.h": "#define DIRECTORY 3\n",
		"src/cpp.cc": "#include \"cpp.hh\"\nextern \"C\" int cpp(void) { return own<int>(); }\n", "src/cpp.hh": "template <class T> T own() { return 1; }\n",
		"src/blob.S": "#include \"blob.h\"\n.section .rodata\n.globl blob\nblob: .incbin BLOB\n.byte SIZED\n.section .note.GNU-stack,\"\",%progbits\n", "src/blob.h": "#define SIZED 1\n",
		"src/p.c": `#include <node_api.h>
#include <node_version.h>
#include <stdio.h>
#include <gen.h>
#include <said.h>
#include <head.h>
#include <copied.h>
#include "local.h"
#include "outside.h"
#include <early.h>
#include "point.h"
#include "dirlink/d.h"
#if __has_include("maybe.h")
#define MAYBE 2
#else
#define MAYBE 1
#endif
#define TEXT(x) TEXT2(x)
#define TEXT2(x) #x
int c(void);
int cpp(void);
int dep(void);
int via(void);
int made(void);
int foo(void);
extern const char blob[];
NAPI_MODULE_INIT() {
  printf("src=%d early=%d local=%d outside=%d common=%d own=%d names=%d gen=%d ", 1, EARLY, LOCAL, OUTSIDE, c(), OWN, COUNT, GEN);
  printf("said=%d head=%d point=%d directory=%d maybe=%d cpp=%d dep=%d depdef=%d via=%d made=%d foo=%d ", SAID, HEAD, POINT, DIRECTORY, MAYBE, cpp(), dep(), DEPDEF, via(), made(), foo());
  printf("given=%d cat=%d js=%d version=%s commits=%d blob=%.1s sized=%d asked=%s node=%d ", GIVEN, CAT, JS, TEXT(VERSION), COMMITS, blob, blob[1], TEXT(ASKED), NODE_MAJOR_VERSION);
  printf("copied=%d ", COPIED);
  fflush(stdout);
  return exports;
}
`,
		"src/index.js": `require('./build/Release/p.node');
const fs = require('fs');
console.log(` + "`script=1 part=${require('./lib/part')} json=${require('./lib/data.json').v} count=${fs.readdirSync(__dirname + '/lib').length} linked=${require('./linked')}`" + `);
`, "src/lib/part.js": "module.exports = 1;\n", "src/lib/data.json": `{"v": 1}`, "else/l1.js": "module.exports = 1;\n", "else/l2.js": "module.exports = 3;\n",
		"src/left/out.js": "left\n", ".gitignore": "/.xbuild/\n/dist/\n", "docs/page.md": "page\n",
	})
	relink("src/point.h", "../else/p1.h")(t, dir)
	relink("src/dirlink", "../else/dir")(t, dir)
	relink("src/via.c", "../else/via1.c")(t, dir)
	relink("src/linked.js", "lib/part.js")(t, dir)
	staticLibrary("clib/libfoo.a", "int foo(void) { return 1; }\n")(t, dir)
	repository(t, dir)
	return dir
}

// TestInputsNode: what node-gyp, and the scripts of a binding, read beside the source.
func TestInputsNode(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	checkInputs(t, nodeInputs(t, platform), platform, "app/index.js", append([]input{
		{"a source", replace("src/p.c", `", 1, EARLY`, `", 2, EARLY`), "src=2"},
		{"a header beside", content("src/local.h", "#define LOCAL 2\n"), "local=2"},
		{"a header outside", content("inc/outside.h", "#define OUTSIDE 2\n"), "outside=2"},
		{"a source outside", content("common/c.c", "int c(void) { return 2; }\n"), "common=2"},
		{"a file that binding.gyp includes", content("common/own.gypi", `{"variables": {"own": ["OWN=2"]}}`), "own=2"},
		{"the names in a directory", content("src/items/b", ""), "names=2"},
		{"what an action's script reads", content("data/gen.txt", "2\n"), "gen=2"},
		{"a file of the application", replace("src/index.js", "script=1", "script=2"), "script=2"},
		{"a file beside", content("notes/today", "x"), ""},
		{"a header that nothing includes", content("inc/other.h", "#error\n"), ""},
		{"the time of a source", touch("src/p.c"), ""},
	}, wide(
		input{"what an action names", content("data/made.txt", "2\n"), "made=2"},
		input{"what a rule makes a header from", content("src/said.said", "2\n"), "said=2"},
		input{"a header that is copied", content("data/copied.h", "#define COPIED 2\n"), "copied=2"},
		input{"the script of a rule", content("src/rule.sh", "echo \"#define SAID 3\" >\"$2\"\n"), "said=3"},
		input{"a file that a command prints", content("data/cat.txt", "2\n"), "cat=2"},
		input{"a script that a command requires", content("common/more.js", "module.exports = 2;\n"), "js=2"},
		input{"a header of a package that is a folder", content("head/head.h", "#define HEAD 2\n"), "head=2"},
		input{"a source of a target that it depends on", content("src/dep.c", "int dep(void) { return 2; }\n"), "dep=2"},
		input{"what that target defines", replace("src/dep.gyp", "DEPDEF=1", "DEPDEF=2"), "depdef=2"},
		input{"a template in C++", content("src/cpp.hh", "template <class T> T own() { return 2; }\n"), "cpp=2"},
		input{"a file that assembly reads", content("data/blob.txt", "2"), "blob=2"},
		input{"a file that has its size and time still", unseen("data/blob.txt", "2", "3"), "blob=3"},
		input{"a header that assembly includes", content("src/blob.h", "#define SIZED 2\n"), "sized=2"},
		input{"a header that has its size and time still", unseen("inc/outside.h", "2", "3"), "outside=3"},
		input{"a link that leads to another header", relink("src/point.h", "../else/p2.h"), "point=2"},
		input{"a header in a linked directory", content("else/dir/d.h", "#define DIRECTORY 2\n"), "directory=2"},
		input{"a link that leads to another directory", relink("src/dirlink", "../else/dir2"), "directory=3"},
		input{"what a linked source leads to", content("else/via1.c", "int via(void) { return 2; }\n"), "via=2"},
		input{"a link that leads to another source", relink("src/via.c", "../else/via2.c"), "via=3"},
		input{"a header that appears earlier on the path", content("src/first/early.h", "#define EARLY 2\n"), "early=2"},
		input{"a header that goes from there", remove("src/first/early.h"), "early=1"},
		input{"a header that was asked for and was not there", content("src/maybe.h", ""), "maybe=2"},
		input{"a static library", staticLibrary("clib/libfoo.a", "int foo(void) { return 2; }\n"), "foo=2"},
		input{"git's HEAD", commit, "commits=2"},
		input{"the version in package.json", func(t *testing.T, dir string) {
			replace("src/package.json", `"version": "1.0.0"`, `"version": "2.0.0"`)(t, dir)
			replace("src/package-lock.json", `"p", "version": "1.0.0"`, `"p", "version": "2.0.0"`)(t, dir)
		}, "version=2.0.0"},
		input{"a variable that a command asks for", replace("xbuild.toml", "xenv-1", "xenv-2"), "asked=xenv-2"},
		input{"a variable of gyp in xbuild.toml", replace("xbuild.toml", "given=1", "given=2"), "given=2"},
		input{"Node's version in xbuild.toml", replace("xbuild.toml", `node = ["20"]`, `node = ["24"]`), "node=24"},
		input{"binding.gyp", replace("src/binding.gyp", `"<@(own)"`, `"OWN=3"`), "own=3"},
		input{"a script in a folder of the application", content("src/lib/part.js", "module.exports = 2;\n"), "part=2"},
		input{"data beside it", content("src/lib/data.json", `{"v": 2}`), "json=2"},
		input{"a file that appears there", content("src/lib/new.js", ""), "count=3"},
		input{"it goes", remove("src/lib/new.js"), "count=2"},
		input{"a link to a script", func(t *testing.T, dir string) {
			content("src/lib/other.js", "module.exports = 3;\n")(t, dir)
			relink("src/linked.js", "lib/other.js")(t, dir)
		}, "linked=3"},
		input{"a file that is left out", content("src/left/out.js", "out\n"), ""},
		input{"a page outside", content("docs/page.md", "other\n"), ""},
	)...))
}
