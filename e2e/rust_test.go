package e2e

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// A rustProgram is a package over a crate of the registry, and what it prints on every platform.
type rustProgram struct {
	name      string
	files     map[string]string // beside Cargo.toml
	cargo     string            // of Cargo.toml, below [package]
	packages, // of the sysroot
	prints []string
	// Where the crate itself refuses a platform: a part of its message.
	refuses map[string]string
}

const quickRelease = "\n[profile.release]\ndebug = 0\nopt-level = 1\n"

// rustPrograms are the kinds of crates that cross compilation is hard for: C sources with and without CMake, assembly,
// a library of the platform, headers read by libclang, proc macros, and C code in a build script's own dependencies.
var rustPrograms = []rustProgram{
	{name: "sqlite", cargo: "[dependencies]\nrusqlite = { version = \"=0.32.1\", features = [\"bundled\"] }\n", prints: []string{"sqlite: 9007199254740996 one two big"}, files: map[string]string{"src/main.rs": `
use rusqlite::Connection;
fn main() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("create table t(n integer, s text); insert into t values (1,'one'),(2,'two'),(9007199254740993,'big');").unwrap();
    let sum: i64 = db.query_row("select sum(n) from t", [], |r| r.get(0)).unwrap();
    let text: String = db.query_row("select group_concat(s, ' ') from t", [], |r| r.get(0)).unwrap();
    println!("sqlite: {sum} {text}");
}
`}},
	{name: "zstd", cargo: "[dependencies]\nzstd = \"=0.13.2\"\n", prints: []string{"zstd: 20000 bytes, the same again: true"}, files: map[string]string{"src/main.rs": `
fn main() {
    let text = "the quick brown fox ".repeat(1000);
    let packed = zstd::encode_all(text.as_bytes(), 19).unwrap();
    let back = zstd::decode_all(&packed[..]).unwrap();
    println!("zstd: {} bytes, the same again: {}", text.len(), back == text.as_bytes() && packed.len() < 100);
}
`}},
	// On x86 it wants SSE2 and asserts it (src/cpu/intel.rs): it refuses linux/386/387.
	{name: "ring", cargo: "[dependencies]\nring = \"=0.17.14\"\n", files: map[string]string{"src/main.rs": `
use ring::{aead, digest};
fn main() {
    let d = digest::digest(&digest::SHA256, b"abc");
    let hex: String = d.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &[7; 32]).unwrap());
    let mut data = b"secret".to_vec();
    key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key([1; 12]), aead::Aad::empty(), &mut data).unwrap();
    let sealed = data.len();
    let open = key.open_in_place(aead::Nonce::assume_unique_for_key([1; 12]), aead::Aad::empty(), &mut data).unwrap();
    println!("ring: {hex} {sealed} {}", std::str::from_utf8(open).unwrap());
}
`}, prints: []string{"ring: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 22 secret"}},
	{name: "openssl", cargo: "[dependencies]\nopenssl = \"=0.10.68\"\n", packages: []string{"libssl-dev", "libzstd-dev", "zlib1g-dev"}, files: map[string]string{"src/main.rs": `
fn main() {
    let d = openssl::hash::hash(openssl::hash::MessageDigest::sha256(), b"abc").unwrap();
    let hex: String = d.iter().map(|b| format!("{b:02x}")).collect();
    println!("{}: {hex}", openssl::version::version());
}
`}, prints: []string{"OpenSSL 3.", ": ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},
	{name: "libgit2", cargo: "[dependencies]\nlibgit2-sys = \"=0.17.0\"\n", prints: []string{"libgit2 1.8.1"}, files: map[string]string{"src/main.rs": `
fn main() {
    let (mut a, mut b, mut c) = (0, 0, 0);
    unsafe {
        libgit2_sys::git_libgit2_init();
        libgit2_sys::git_libgit2_version(&mut a, &mut b, &mut c);
    }
    println!("libgit2 {a}.{b}.{c}");
}
`}},
	// max_align_t of <stddef.h> comes out wrong on linux/386: github.com/rust-lang/rust-bindgen/issues/2991.
	{name: "bindgen", cargo: "[build-dependencies]\nbindgen = \"=0.70.1\"\ncc = \"1\"\n", prints: []string{"bindgen: C and Rust agree"}, files: map[string]string{"build.rs": `
fn main() {
    println!("cargo::rerun-if-changed=shape.h");
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("shape.rs");
    bindgen::Builder::default().header("shape.h").blocklist_type("max_align_t").generate().unwrap().write_to_file(out).unwrap();
    cc::Build::new().file("shape.c").compile("shape");
}
`, "shape.h": `
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct shape { char name; long wide; void *data; uint64_t big; off_t off; };
size_t shape_size(const struct shape *s);
`, "shape.c": `
#include "shape.h"
size_t shape_size(const struct shape *s) { return sizeof *s + (s->big == 0x0102030405060708u); }
`, "src/main.rs": `
#![allow(non_camel_case_types, non_upper_case_globals, dead_code, non_snake_case)]
mod c {
    include!(concat!(env!("OUT_DIR"), "/shape.rs"));
}
fn main() {
    let s = c::shape { name: 0, wide: 0, data: std::ptr::null_mut(), big: 0x0102030405060708, off: 0 };
    let got = unsafe { c::shape_size(&s) } as usize;
    assert_eq!(got, std::mem::size_of::<c::shape>() + 1);
    println!("bindgen: C and Rust agree");
}
`}},
	{name: "cmake", cargo: "[build-dependencies]\ncmake = \"=0.1.54\"\n", prints: []string{"cmake: 42"}, files: map[string]string{"build.rs": `
fn main() {
    let dst = cmake::build("native");
    println!("cargo::rustc-link-search=native={}/lib", dst.display());
    println!("cargo::rustc-link-lib=static=native");
}
`, "native/CMakeLists.txt": `
cmake_minimum_required(VERSION 3.10)
project(native C)
add_library(native STATIC native.c)
install(TARGETS native DESTINATION lib)
`, "native/native.c": "int native_answer(void) { return 42; }\n", "src/main.rs": `
extern "C" {
    fn native_answer() -> i32;
}
fn main() {
    println!("cmake: {}", unsafe { native_answer() });
}
`}},
	{name: "derive", cargo: "[dependencies]\nserde = { version = \"=1.0.217\", features = [\"derive\"] }\nserde_json = \"=1.0.135\"\nclap = { version = \"=4.5.26\", features = [\"derive\"] }\n",
		prints: []string{`derive: {"name":"world","count":3}`}, files: map[string]string{"src/main.rs": `
use clap::Parser;
#[derive(Parser, serde::Serialize)]
struct Args {
    #[arg(default_value = "world")]
    name: String,
    #[arg(short, default_value_t = 3)]
    count: u8,
}
fn main() {
    println!("derive: {}", serde_json::to_string(&Args::parse()).unwrap());
}
`}},
	// The build script calls C code that was compiled for the host; the program calls C code that was compiled for the
	// platform. Both ask the compiler what it compiles for.
	{name: "both", cargo: "links = \"both\"\n\n[build-dependencies]\ncc = \"=1.0.83\"\ngen = { path = \"gen\" }\n", prints: []string{"both: built on a ", " of 8 bytes, runs on "}, files: map[string]string{"build.rs": `
fn main() {
    println!("cargo:rerun-if-changed=both.c");
    println!("cargo:rustc-env=BUILT_ON={} of {} bytes", gen::word(), gen::size());
    cc::Build::new().file("both.c").compile("both");
}
`, "both.c": "int big_endian(void) { int one = 1; return *(char *)&one == 0; }\nint pointer(void) { return sizeof(void *); }\n", "src/main.rs": `
extern "C" {
    fn big_endian() -> i32;
    fn pointer() -> i32;
}
fn main() {
    unsafe {
        assert_eq!(big_endian() != 0, cfg!(target_endian = "big"));
        assert_eq!(pointer() as usize, std::mem::size_of::<usize>());
    }
    println!("both: built on a {}, runs on {}", env!("BUILT_ON"), std::env::consts::ARCH);
}
`, "gen/Cargo.toml": "[package]\nname = \"gen\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlinks = \"gen\"\n\n[build-dependencies]\ncc = \"=1.0.83\"\n", "gen/build.rs": `
fn main() {
    println!("cargo:rerun-if-changed=gen.c");
    cc::Build::new().file("gen.c").compile("gen");
}
`, "gen/gen.c": "#include <stdlib.h>\n#include <string.h>\nint gen_size(const char *s) { return (int)(sizeof(long) * strtol(s, 0, 10) * strlen(s)); }\n", "gen/src/lib.rs": `
extern "C" {
    fn gen_size(s: *const std::os::raw::c_char) -> i32;
}
pub fn size() -> i32 {
    unsafe { gen_size(b"1\0".as_ptr() as *const _) }
}
pub fn word() -> &'static str {
    "machine with longs"
}
`}},
}

// rustSlice is what is built without XBUILD_E2E=full: every platform once, and most programs. rust is the constraint
// where the default release is not meant.
var rustSlice = []struct{ platform, program, rust string }{
	{"linux/amd64", "ripgrep", ""},
	{"linux/amd64/v3", "both", ""}, // the host's own target, with more than the host's baseline
	{"linux/386", "derive", ""},
	{"linux/arm64", "ring", ""},
	{"linux/arm/v5", "zstd", ""},
	{"linux/arm/v6", "both", ""},
	{"linux/arm/v7", "cmake", ""},
	{"linux/ppc64le", "openssl", ""},
	{"linux/s390x", "libgit2", ""},
	{"linux/riscv64", "bindgen", ""},
	{"linux/mips64le", "both", ""}, // by a standard library that is built: the cargo of 1.63 reads the index of crates over git alone
	{"linux/loong64", "both", ""},
}

func (p rustProgram) project(t *testing.T, rust string, platforms []string) string {
	t.Helper()
	files := map[string]string{}
	for name, text := range p.files {
		files[name] = text
	}
	files["Cargo.toml"] = "[package]\nname = \"" + p.name + "-user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n" + p.cargo + quickRelease
	if !strings.HasPrefix(p.cargo, "[") {
		files["build.rs"] = p.files["build.rs"]
	}
	files["xbuild.toml"] = rustProject(rust, platforms, p.packages, "")
	return write(t, files)
}

func rustProject(rust string, platforms, packages []string, options string) string {
	text := "[project]\nplatforms = " + quoted(platforms) + "\n"
	if rust != "" {
		if !strings.HasPrefix(rust, "{") {
			rust = strconv.Quote(rust)
		}
		text += "\n[toolchains]\nrust = " + rust + "\n"
	}
	if len(packages) > 0 {
		text += "\n[sysroot]\npackages = " + quoted(packages) + "\n"
	}
	text += "\n[target.program]\nrecipe = \"rust\"\n" + options
	return text
}

// TestRust builds programs over crates of the registry for every platform and runs them on the CPU of its baseline.
func TestRust(t *testing.T) {
	needNetwork(t)
	if !full() {
		for _, c := range rustSlice {
			t.Run(c.platform+"/"+c.program, func(t *testing.T) {
				t.Parallel()
				if c.program == "ripgrep" {
					ripgrep(t, []string{c.platform}, func(string, string) {})
					return
				}
				rustRuns(t, programNamed(t, c.program), c.rust, []string{c.platform}, func(string, string) {})
			})
		}
		return
	}
	cells := map[string]map[string]string{} // platform -> program
	for _, p := range eleven {
		cells[p] = map[string]string{}
	}
	names := []string{"ripgrep"}
	t.Run("ripgrep", func(t *testing.T) {
		ripgrep(t, eleven, func(p, cell string) { cells[p]["ripgrep"] = cell })
	})
	for _, p := range rustPrograms {
		names = append(names, p.name)
		t.Run(p.name, func(t *testing.T) {
			rustRuns(t, p, "", eleven, func(platform, cell string) { cells[platform][p.name] = cell })
		})
	}
	var b strings.Builder
	b.WriteString("| platform | " + strings.Join(names, " | ") + " |\n" + strings.Repeat("|-", 1+len(names)) + "|\n")
	for _, p := range eleven {
		b.WriteString("| `" + p + "` |")
		for _, n := range names {
			b.WriteString(" " + cmp.Or(cells[p][n], fails) + " |")
		}
		b.WriteString("\n")
	}
	compareTables(t, "../docs/recipes/rust.md", map[string]string{"crates": b.String()})
}

func programNamed(t *testing.T, name string) rustProgram {
	t.Helper()
	i := slices.IndexFunc(rustPrograms, func(p rustProgram) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no program %q", name)
	}
	return rustPrograms[i]
}

// rustRuns builds a program for platforms and runs it on each. A platform that the crate itself refuses has to be
// refused in its words.
func rustRuns(t *testing.T, p rustProgram, rust string, platforms []string, cell func(platform, cell string)) {
	t.Helper()
	dir := p.project(t, rust, platforms)
	ours := slices.DeleteFunc(slices.Clone(platforms), func(name string) bool { return p.refuses[name] != "" })
	var args []string
	for _, name := range ours {
		args = append(args, "-p", name)
	}
	if len(ours) > 0 {
		build(t, dir, args...)
	}
	for _, name := range platforms {
		if words := p.refuses[name]; words != "" {
			if r := xbuild(t, dir, "build", "-q", "-p", name); r.code == 0 || !strings.Contains(r.stderr, words) {
				t.Errorf("%s for %s: %v\nwant the crate's own refusal: %s", p.name, name, r, words)
				continue
			}
			cell(name, "no: "+words)
		}
	}
	var mu sync.Mutex
	for _, name := range ours {
		t.Run(name, func(t *testing.T) {
			prints(t, dir, name, built(dir, name, p.name+"-user"), nil, p.prints...)
			if !t.Failed() {
				mu.Lock()
				defer mu.Unlock()
				cell(name, runs)
			}
		})
	}
}

// crateSource copies the published source of a crate, which cargo itself fetches, into a new directory.
func crateSource(t *testing.T, name, version string) string {
	t.Helper()
	home := cargoHome(t, t.TempDir())
	dir := write(t, map[string]string{"src/lib.rs": "", "Cargo.toml": fmt.Sprintf("[package]\nname = \"fetcher\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n%s = \"=%s\"\n", name, version)})
	if r := xbuild(t, dir, "exec", "-q", "--", "env", "CARGO_HOME="+home, "cargo", "fetch"); r.code != 0 {
		t.Fatalf("cargo fetch: %v", r)
	}
	found, err := filepath.Glob(filepath.Join(home, "registry/src/*", name+"-"+version))
	if err != nil || len(found) != 1 {
		t.Fatalf("cargo fetched %q, want one directory", found)
	}
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(found[0])); err != nil {
		t.Fatal(err)
	}
	return to
}

// cargoHome makes a directory a new CARGO_HOME with the user's own configuration of registries.
func cargoHome(t *testing.T, dir string) string {
	t.Helper()
	user := os.Getenv("CARGO_HOME")
	if user == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		user = filepath.Join(home, ".cargo")
	}
	for _, name := range []string{"config.toml", "config", "credentials.toml"} {
		if data, err := os.ReadFile(filepath.Join(user, name)); err == nil {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// ripgrep builds ripgrep as it is published and searches with it.
func ripgrep(t *testing.T, platforms []string, cell func(platform, cell string)) {
	t.Helper()
	dir := crateSource(t, "ripgrep", "14.1.1")
	options := "locked = true\nbins = [\"rg\"]\n"
	if !full() {
		options += "profile = \"dev\"\n" // not optimised, for the sake of time: full builds it as users do
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(rustProject("", platforms, nil, options)), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, dir)
	data := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(data, text(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range platforms {
		t.Run(name, func(t *testing.T) {
			prints(t, dir, name, built(dir, name, "rg"), []string{"--version"}, "ripgrep 14.1.1")
			prints(t, dir, name, built(dir, name, "rg"), []string{"-n", `^line 1999\d: .* (\d+) lazy dogs$`, data}, "19991:line 19990: the quick brown fox jumps over ", "20000:line 19999: ")
			if !t.Failed() {
				cell(name, runs)
			}
		})
	}
}

// fresh returns the packages of cargo's last run for a platform, those that it compiled and those that it did not have
// to.
func fresh(t *testing.T, dir, name string) (compiled, kept []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ".xbuild", name, "program", "build", "cargo.json"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var m struct {
			Reason string
			Fresh  bool
			Target struct{ Name string }
		}
		if json.Unmarshal(line, &m) != nil || m.Reason != "compiler-artifact" {
			continue
		}
		if m.Fresh {
			kept = append(kept, m.Target.Name)
		} else {
			compiled = append(compiled, m.Target.Name)
		}
	}
	return compiled, kept
}

// workspace is three packages without dependencies elsewhere: a program over a library, and one that has nothing to do
// with it.
var workspace = map[string]string{
	"Cargo.toml":        "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"words\", \"other\"]\n",
	"app/Cargo.toml":    "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nwords = { path = \"../words\" }\n",
	"app/src/main.rs":   "fn main() {\n    println!(\"{} at {}:{}\", words::greeting(), file!(), line!());\n}\n",
	"words/Cargo.toml":  "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
	"words/src/lib.rs":  "pub fn greeting() -> &'static str {\n    \"hello\"\n}\n\n#[test]\nfn greets() {\n    assert_eq!(greeting(), \"hello\");\n    assert_eq!(std::env::consts::ARCH, \"s390x\");\n}\n",
	"other/Cargo.toml":  "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
	"other/src/main.rs": "fn main() {\n    println!(\"other\");\n    let r: Result<(), ()> = Err(());\n    r.unwrap()\n}\n",
}

// TestRustIncremental: nothing changed is nothing done; a changed file compiles what depends on it.
func TestRustIncremental(t *testing.T) {
	needNetwork(t)
	files := map[string]string{"xbuild.toml": rustProject("", []string{"linux/arm64", "linux/s390x"}, nil, "workspace = true\n")}
	for name, text := range workspace {
		files[name] = text
	}
	dir := write(t, files)
	build(t, dir)
	start := time.Now()
	r := xbuild(t, dir, "build")
	if !strings.Contains(r.stderr, "0 built, 2 up to date") {
		t.Errorf("nothing changed: %v", r)
	}
	t.Logf("nothing changed: %.0f ms", time.Since(start).Seconds()*1000)
	edit(t, filepath.Join(dir, "words/src/lib.rs"), `"hello"`, `"good morning"`)
	build(t, dir)
	for _, name := range []string{"linux/arm64", "linux/s390x"} {
		compiled, kept := fresh(t, dir, name)
		slices.Sort(compiled)
		if !slices.Equal(compiled, []string{"app", "words"}) || !slices.Equal(kept, []string{"other"}) {
			t.Errorf("%s: compiled %q, kept %q; want app and words compiled, other kept", name, compiled, kept)
		}
		prints(t, dir, name, built(dir, name, "app"), nil, "good morning at app/src/main.rs:2")
	}
	// cargo test for a platform, through QEMU: the library's test asks where it runs.
	edit(t, filepath.Join(dir, "words/src/lib.rs"), `assert_eq!(greeting(), "good morning")`, `assert!(greeting().starts_with("good"))`)
	if r := xbuild(t, dir, "exec", "-q", "-p", "linux/s390x", "--", "cargo", "test", "-q", "-p", "words"); r.code != 0 || !strings.Contains(r.stdout, "test result: ok. 1 passed") {
		t.Errorf("cargo test: %v", r)
	}
	if r := xbuild(t, dir, "exec", "-q", "-p", "linux/arm64", "--", "cargo", "test", "-q", "-p", "words"); r.code == 0 || !strings.Contains(r.stdout+r.stderr, `left: "aarch64"`) {
		t.Errorf("cargo test on another platform should fail: %v", r)
	}
}

// TestRustHostPart: what cargo compiles for the host out of the registry is compiled for one platform and used by the
// others, with the same bytes as if each had been built alone; a proc macro of the project's own is compiled for each,
// and a change in it is seen by all.
func TestRustHostPart(t *testing.T) {
	needNetwork(t)
	const platforms = "[project]\nplatforms = [\"linux/arm64\", \"linux/riscv64\"]\n"
	files := map[string]string{
		"xbuild.toml":    platforms + "[target.program]\nrecipe = \"rust\"\n",
		"Cargo.toml":     "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nown = { path = \"own\" }\nthiserror = \"=1.0.69\"\n",
		"src/main.rs":    "#[derive(Debug, thiserror::Error)]\n#[error(\"{0} failed\")]\nstruct Failed(u32);\nfn main() { println!(\"{} {}\", own::word!(), Failed(1)) }\n",
		"own/Cargo.toml": "[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
		"own/src/lib.rs": "#[proc_macro]\npub fn word(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"\\\"first\\\"\".parse().unwrap() }\n",
	}
	dir := write(t, files)
	build(t, dir, "-j", "1")
	for _, name := range []string{"linux/arm64", "linux/riscv64"} {
		compiled, kept := fresh(t, dir, name)
		if alone := name == "linux/arm64"; slices.Contains(kept, "syn") == alone || slices.Contains(kept, "thiserror_impl") == alone || !slices.Contains(compiled, "own") {
			t.Errorf("%s: compiled %q, kept %q", name, compiled, kept)
		}
	}
	sums := func() (out []string) {
		for _, name := range []string{"linux/arm64", "linux/riscv64"} {
			data, err := os.ReadFile(built(dir, name, "user"))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%x", sha256.Sum256(data)))
			prints(t, dir, name, built(dir, name, "user"), nil, "1 failed")
		}
		return out
	}
	together := sums()
	for _, d := range []string{".xbuild", "dist"} {
		if err := os.RemoveAll(filepath.Join(dir, d)); err != nil {
			t.Fatal(err)
		}
	}
	build(t, dir, "-p", "linux/riscv64")
	build(t, dir, "-p", "linux/arm64")
	if alone := sums(); !slices.Equal(alone, together) {
		t.Errorf("built alone the programs have the sums %v, together %v", alone, together)
	}
	lib := filepath.Join(dir, "own/src/lib.rs")
	if err := os.WriteFile(lib, []byte(strings.Replace(files["own/src/lib.rs"], "first", "second", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, dir, "-j", "1")
	for _, name := range []string{"linux/arm64", "linux/riscv64"} {
		prints(t, dir, name, built(dir, name, "user"), nil, "second 1 failed")
	}
}

// TestRustBytes: two directories and two stores make the same bytes, and neither is named in them.
func TestRustBytes(t *testing.T) {
	needNetwork(t)
	files := map[string]string{"xbuild.toml": rustProject("", []string{"linux/arm64", "linux/riscv64"}, nil, "packages = [\"app\"]\n")}
	for name, text := range workspace {
		files[name] = text
	}
	// A crate of the registry, and C code, so that their paths could get in.
	files["app/Cargo.toml"] += "itoa = \"=1.0.14\"\n\n[build-dependencies]\ncc = \"1\"\n"
	files["app/build.rs"] = "fn main() {\n    cc::Build::new().file(\"c.c\").compile(\"place\");\n}\n"
	files["app/c.c"] = "const char *where(void) { return __FILE__; }\n"
	files["app/src/main.rs"] = "extern \"C\" {\n    fn r#where() -> *const std::os::raw::c_char;\n}\nfn main() {\n    let w = unsafe { std::ffi::CStr::from_ptr(r#where()) };\n    let mut b = itoa::Buffer::new();\n    println!(\"{} {} {} {:?}\", words::greeting(), b.format(7), file!(), w);\n    assert!(std::env::args().count() < 5, \"many\");\n}\n"
	one, two := write(t, files), write(t, files)
	build(t, one)
	for _, name := range []string{"xbuild.lock", "Cargo.lock"} {
		data, err := os.ReadFile(filepath.Join(one, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(two, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	second := secondStore(t)
	t.Setenv("XBUILD_E2E_STORE", second)
	build(t, two)
	for _, name := range []string{"linux/arm64", "linux/riscv64"} {
		a, errA := os.ReadFile(built(one, name, "app"))
		b, errB := os.ReadFile(built(two, name, "app"))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the bytes differ: %d and %d", name, len(a), len(b))
		}
		for _, dir := range []string{one, two, second, os.Getenv("HOME") + "/.cargo"} {
			if bytes.Contains(a, []byte(dir)) || bytes.Contains(b, []byte(dir)) {
				t.Errorf("%s: %s is named in the program", name, dir)
			}
		}
		prints(t, two, name, built(two, name, "app"), nil, "hello 7 app/src/main.rs")
	}
}

// secondStore is an empty store at another place of the disk that has the first.
func secondStore(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(storeDir(t)), "xbuild-second-store-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("chmod", "-R", "u+w", dir).Run(); os.RemoveAll(dir) })
	return dir
}

// TestRustVendored: with the crates in a directory of the project, and everything else fetched, a build needs no
// network and no registry.
func TestRustVendored(t *testing.T) {
	needNetwork(t)
	p := programNamed(t, "both")
	dir := p.project(t, "", []string{"linux/riscv64"})
	r := xbuild(t, dir, "exec", "-q", "-p", "linux/riscv64", "--", "cargo", "vendor", "-q")
	if r.code != 0 {
		t.Fatalf("cargo vendor: %v", r)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".cargo"), 0o755); err != nil {
		t.Fatal(err)
	}
	// What a user's configuration may say beside it must do no harm.
	config := "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = \"vendor\"\n\n[build]\ntarget = \"x86_64-unknown-linux-gnu\"\nrustflags = [\"-Clinker=/nonexistent\"]\n"
	if err := os.WriteFile(filepath.Join(dir, ".cargo/config.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := xbuild(t, dir, "fetch", "-q"); r.code != 0 {
		t.Fatalf("xbuild fetch: %v", r)
	}
	t.Setenv("CARGO_HOME", t.TempDir())
	build(t, dir, "--offline", "--locked")
	prints(t, dir, "linux/riscv64", built(dir, "linux/riscv64", "both-user"), nil, p.prints...)
}

// TestRustErrors: what is missing is named, with the line of xbuild.toml that gives it.
func TestRustErrors(t *testing.T) {
	needNetwork(t)
	main := map[string]string{"Cargo.toml": "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() {}\n"}
	for _, c := range []struct {
		name    string
		toml    string
		files   map[string]string
		want    []string
		notWant string
	}{
		{name: "a library of the platform", toml: rustProject("", []string{"linux/arm64"}, nil, ""),
			files: map[string]string{"src/main.rs": "#[link(name = \"sqlite3\")]\nextern \"C\" {\n    fn sqlite3_libversion_number() -> i32;\n}\nfn main() {\n    println!(\"{}\", unsafe { sqlite3_libversion_number() });\n}\n"},
			want:  []string{`hint: the sysroot of linux/arm64 has no library sqlite3: add "libsqlite3-dev" to packages in a [sysroot] table in xbuild.toml`}},
		{name: "a library that nobody knows", toml: rustProject("", []string{"linux/arm64"}, []string{"zlib1g-dev"}, ""),
			files: map[string]string{"src/main.rs": "#[link(name = \"frobnicate\")]\nextern \"C\" {\n    fn frob() -> i32;\n}\nfn main() {\n    unsafe { frob() };\n}\n"},
			want:  []string{`has no library frobnicate: add the -dev package that holds it`, "to packages in xbuild.toml:5: [sysroot]"}},
		{name: "a static library that no build script found", toml: rustProject("", []string{"linux/arm64"}, nil, ""),
			files: map[string]string{"src/lib.rs": "", "build.rs": "fn main() {\n    println!(\"cargo:rustc-link-lib=static=ssl\");\n}\n"},
			want:  []string{`a crate links the static library ssl`, `once "libssl-dev" is in packages in a [sysroot] table in xbuild.toml`}},
		{name: "an argument that clang lacks", toml: rustProject("", []string{"linux/arm64"}, nil, ""),
			files: map[string]string{"build.rs": "fn main() {\n    println!(\"cargo:rustc-link-arg=-fuse-frob\");\n}\n"},
			want:  []string{"have no -fuse-frob: leave it out where it is set", "xbuild.toml:4: [target.program]"}},
		{name: "an argument that lld lacks", toml: rustProject("", []string{"linux/arm64"}, nil, "rustflags = [\"-Clink-arg=-Wl,--frob\"]\n"),
			want: []string{"have no --frob: leave it out where it is set", "xbuild.toml:4: [target.program]"}},
		{name: "a CPU that rustc does not know", toml: rustProject("", []string{"linux/arm64"}, nil, "rustflags = [\"-Ctarget-cpu=cortex-x99\"]\n"),
			want: []string{"rustc does not know cortex-x99 for linux/arm64", "xbuild.toml:4: [target.program]"}},
		{name: "a feature that rustc does not know", toml: rustProject("", []string{"linux/arm64"}, nil, "rustflags = [\"-Ctarget-feature=+frob\"]\n"),
			want: []string{"rustc does not know frob for linux/arm64"}},
		{name: "a release that no source has", toml: rustProject("{ version = \"^7\", source = \"archive\" }", []string{"linux/arm64"}, nil, ""), want: []string{"xbuild.toml:5: ", "rust", "^7"}},
		{name: "a crate that wants a later Rust", toml: rustProject("~1.85", []string{"linux/arm64"}, nil, ""),
			files: map[string]string{"Cargo.toml": "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2021\"\nrust-version = \"1.95\"\n"},
			want:  []string{`hint: a crate wants Rust 1.95 or later: write rust = "^1.95" into [toolchains] in xbuild.toml`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"xbuild.toml": c.toml}
			for name, text := range main {
				files[name] = text
			}
			for name, text := range c.files {
				files[name] = text
			}
			dir := write(t, files)
			r := xbuild(t, dir, "build", "-q")
			for _, w := range c.want {
				if r.code != 1 || !strings.Contains(r.stderr, w) {
					t.Errorf("%v\nwant in it:\n%s", r, w)
				}
			}
			if again := xbuild(t, dir, "build", "-q"); again.code != 1 {
				t.Errorf("the second time it succeeds: %v", again)
			}
		})
	}
}

// TestRustToolchainFile: the release of rust-toolchain.toml is the one that compiles.
func TestRustToolchainFile(t *testing.T) {
	needNetwork(t)
	c, err := catalog.Load()
	if err != nil || c.Toolchain("rust") == nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{
		"xbuild.toml":         rustProject("", []string{platform.Host().Name}, nil, ""),
		"rust-toolchain.toml": "[toolchain]\nchannel = \"1.63\"\ncomponents = [\"rustfmt\"]\n",
		"Cargo.toml":          "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() {}\n",
	})
	if r := xbuild(t, dir, "exec", "-q", "--", "rustc", "--version"); !strings.HasPrefix(r.stdout, "rustc 1.63.") {
		t.Errorf("rustc: %v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "rust-toolchain.toml"), []byte("[toolchain]\n\nchannel = \"7.1\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := xbuild(t, dir, "build", "-q"); r.code != 1 || !strings.Contains(r.stderr, "rust-toolchain.toml:3: ") || !strings.Contains(r.stderr, "hint: write rust = \">=7.1\" into [toolchains]") {
		t.Errorf("a release that does not exist: %v", r)
	}
}
