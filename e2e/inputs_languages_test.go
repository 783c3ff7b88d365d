package e2e

import (
	"fmt"
	"runtime"
	"testing"
)

// TestInputsGo: modules beside, embedded files, C headers that go itself does not know of.
func TestInputsGo(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	dir := write(t, map[string]string{
		"xbuild.toml": fmt.Sprintf(cTOML, platform, "go", "cgo = true\nstatic = false\n"),
		"src/go.mod":  "module example.invalid/p\n\ngo 1.21\n\nrequire example.invalid/lib v0.0.0\n\nreplace example.invalid/lib => ../lib\n",
		"go.work":     "go 1.21\n\nuse (\n\t./src\n\t./work\n)\n", "work/go.mod": "module example.invalid/work\n\ngo 1.21\n", "work/w.go": "package work\n\nconst W = \"1\"\n",
		"lib/go.mod": "module example.invalid/lib\n\ngo 1.21\n", "lib/l.go": "package lib\n\nimport _ \"embed\"\n\n//go:embed data.txt\nvar Data string\n\nconst L = \"1\"\n", "lib/data.txt": "1",
		"src/main.go": `package main

/*
#cgo CFLAGS: -I${SRCDIR}/../cinc
#include "here.h"
#include "outside.h"
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
	fmt.Printf("src=%s early=1 lib=%s data=%s work=%s sub=%s here=%d outside=%d names=%d embed=%s extra=%s\n", src, lib.L, lib.Data, work.W, sub.S, int(C.HERE), int(C.OUTSIDE), len(list), one, extra)
}
`, "src/extra.go": "package main\n\nvar extra = \"1\"\n", "src/sub/s.go": "package sub\n\nconst S = \"1\"\n", "src/here.h": "#define HERE 1\n", "cinc/outside.h": "#include \"deep.h\"\n#define OUTSIDE DEEP\n", "cinc/deep.h": "#define DEEP 1\n",
		"src/files/a.txt": "1",
	})
	checkInputs(t, dir, platform, "p", []input{
		{"a source", replace("src/main.go", `src = "1"`, `src = "2"`), "src=2"},
		{"a package of the module", content("src/sub/s.go", "package sub\n\nconst S = \"2\"\n"), "sub=2"},
		{"a module that replace names", replace("lib/l.go", `L = "1"`, `L = "2"`), "lib=2"},
		{"a file that it embeds", content("lib/data.txt", "2"), "data=2"},
		{"a module of the workspace", content("work/w.go", "package work\n\nconst W = \"2\"\n"), "work=2"},
		{"a file in an embedded directory", content("src/files/b.txt", ""), "names=2"},
		{"its content", content("src/files/a.txt", "2"), "embed=2"},
		{"a C header beside", content("src/here.h", "#define HERE 2\n"), "here=2"},
		{"a C header outside of the package", content("cinc/deep.h", "#define DEEP 2\n"), "outside=2"},
		{"a new source of the package", content("src/init.go", "package main\n\nfunc init() { extra = \"2\" }\n"), "extra=2"},
		{"a source that goes", remove("src/init.go"), "extra=1"},
		{"a variable in xbuild.toml", replace("xbuild.toml", "xenv-1", "xenv-2"), ""},
		{"a file beside", content("notes/today", "x"), ""},
		{"a header that nothing includes", content("cinc/other.h", "#error\n"), ""},
		{"the time of a source", touch("src/main.go"), ""},
	})
}

// TestInputsRust: crates beside, included files, and all that a build script does without saying so.
func TestInputsRust(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	dir := write(t, map[string]string{
		"xbuild.toml":    fmt.Sprintf(cTOML, platform, "rust", ""),
		"src/Cargo.toml": "[package]\nname = \"p\"\nversion = \"1.0.0\"\nedition = \"2021\"\nbuild = \"build.rs\"\n[dependencies]\nlib = { path = \"../lib\" }\nmac = { path = \"../mac\" }\n",
		"src/build.rs": `use std::{env, fs, process::Command};
fn main() {
    println!("cargo:rerun-if-changed=said.txt");
    println!("cargo:rustc-env=SAID={}", fs::read_to_string("said.txt").unwrap());
    println!("cargo:rustc-env=UNSAID={}", fs::read_to_string("../data/unsaid.txt").unwrap());
    println!("cargo:rustc-env=NAMES={}", fs::read_dir("../data/names").unwrap().count());
    println!("cargo:rustc-env=ASKED={}", env::var("XENV").unwrap_or_default());
    println!("cargo:rustc-env=THERE={}", if fs::metadata("../data/there").is_ok() { 2 } else { 1 });
    let out = Command::new("sh").arg("../data/script.sh").output().unwrap();
    println!("cargo:rustc-env=SCRIPT={}", String::from_utf8(out.stdout).unwrap().trim());
}
`, "src/said.txt": "1", "data/unsaid.txt": "1", "data/names/a": "", "data/script.sh": "echo 1\n", "data/str.txt": "1", "data/macro.txt": "1",
		"lib/Cargo.toml": "[package]\nname = \"lib\"\nversion = \"1.0.0\"\nedition = \"2021\"\n", "lib/src/lib.rs": "pub const L: &str = \"1\";\npub const S: &str = include_str!(\"../../data/str.txt\");\n",
		"mac/Cargo.toml": "[package]\nname = \"mac\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
		"mac/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro]\npub fn file(_: TokenStream) -> TokenStream { format!(\"{:?}\", std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../data/macro.txt\")).unwrap()).parse().unwrap() }\n",
		"src/src/main.rs": `mod sub;
const SRC: &str = "1";
fn main() {
    println!("src={} early=1 sub={} lib={} str={} macro={} said={} unsaid={} names={} asked={} there={} script={} option={}", SRC, sub::S, lib::L, lib::S, mac::file!(),
        env!("SAID"), env!("UNSAID"), env!("NAMES"), env!("ASKED"), env!("THERE"), env!("SCRIPT"), option_env!("XENV").unwrap_or("-"));
}
`, "src/src/sub.rs": "pub const S: &str = \"1\";\n",
	})
	checkInputs(t, dir, platform, "p", []input{
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
		{"a file beside", content("notes/today", "x"), ""},
		{"the time of a source", touch("src/src/main.rs"), ""},
	})
}

// TestInputsNode: what node-gyp, and the scripts of a binding, read beside the source.
func TestInputsNode(t *testing.T) {
	needNetwork(t)
	platform := "linux/" + runtime.GOARCH
	dir := write(t, map[string]string{
		"xbuild.toml":      fmt.Sprintf(cTOML, platform, "node-gyp", "root = \"..\"\nkind = \"app\"\nnode = [\"20\"]\n"),
		"src/package.json": `{"name": "p", "version": "1.0.0", "gypfile": true}`,
		"src/binding.gyp": `{"includes": ["../common/own.gypi"], "targets": [{"target_name": "p", "sources": ["p.c", "../common/c.c"], "include_dirs": ["../inc", "<(SHARED_INTERMEDIATE_DIR)"],
  "defines": ["COUNT=<!(ls items | wc -l)", "<@(own)"],
  "actions": [{"action_name": "gen", "inputs": ["gen.sh"], "outputs": ["<(SHARED_INTERMEDIATE_DIR)/gen.h"], "action": ["sh", "gen.sh", "<@(_outputs)"]}]}]}
`, "common/own.gypi": `{"variables": {"own": ["OWN=1"]}}`, "common/c.c": "int c(void) { return 1; }\n", "inc/outside.h": "#define OUTSIDE 1\n", "src/items/a": "", "src/local.h": "#define LOCAL 1\n",
		"src/gen.sh": "echo \"#define GEN $(cat ../data/gen.txt)\" >\"$1\"\n", "data/gen.txt": "1\n",
		"src/p.c": `#include <node_api.h>
#include <stdio.h>
#include <gen.h>
#include "local.h"
#include "outside.h"
int c(void);
NAPI_MODULE_INIT() {
  printf("src=%d early=1 local=%d outside=%d common=%d own=%d names=%d gen=%d ", 1, LOCAL, OUTSIDE, c(), OWN, COUNT, GEN);
  fflush(stdout);
  return exports;
}
`,
		"src/index.js": "require('./build/Release/p.node'); console.log('js=1');\n",
	})
	checkInputs(t, dir, platform, "app/index.js", []input{
		{"a source", replace("src/p.c", `", 1, LOCAL`, `", 2, LOCAL`), "src=2"},
		{"a header beside", content("src/local.h", "#define LOCAL 2\n"), "local=2"},
		{"a header outside", content("inc/outside.h", "#define OUTSIDE 2\n"), "outside=2"},
		{"a source outside", content("common/c.c", "int c(void) { return 2; }\n"), "common=2"},
		{"a file that binding.gyp includes", content("common/own.gypi", `{"variables": {"own": ["OWN=2"]}}`), "own=2"},
		{"the names in a directory", content("src/items/b", ""), "names=2"},
		{"what an action's script reads", content("data/gen.txt", "2\n"), "gen=2"},
		{"a file of the application", content("src/index.js", "require('./build/Release/p.node'); console.log('js=2');\n"), "js=2"},
		{"a file beside", content("notes/today", "x"), ""},
		{"a header that nothing includes", content("inc/other.h", "#error\n"), ""},
		{"the time of a source", touch("src/p.c"), ""},
	})
}
