package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/inspect"
)

// ways are the ways in which the Makefile of testdata/strip strips a program. hand says what makes the same file of one
// that the linker left as it is: where it says nothing, the Makefile's own commands do, which outside of a build call
// plain tools.
var ways = []struct {
	name, hand string
	symbols    bool   // some are left
	not        string // an operating system that it is not for
}{
	{name: "strip"},
	{name: "unneeded"},
	{name: "local", symbols: true},
	{name: "out"},
	{name: "two"},
	{name: "objcopy"},
	{name: "copied"},
	{name: "debuglink"},
	{name: "installed"},
	{name: "response"},
	{name: "s", hand: "--strip-all-gnu"},
	{name: "Wls", hand: "--strip-all-gnu"},
	{name: "all", hand: "--strip-all-gnu"},
	{name: "x", hand: "-x", symbols: true, not: "windows"},
	{name: "debug", symbols: true},
	{name: "file", hand: "--strip-all-gnu"},
	{name: "static", hand: "--strip-all-gnu"},
	{name: "shared", hand: "--strip-all-gnu"},
	{name: "ld", hand: "--strip-all-gnu", not: "windows"},
}

// TestStrippedByItsBuild: a project that strips its programs itself gets the audit of one that does not, in every way
// of stripping and on every platform, and gets the files that its tools make.
func TestStrippedByItsBuild(t *testing.T) {
	needNetwork(t)
	t.Parallel()
	files := map[string]string{}
	for _, name := range []string{"Makefile", "main.c", "beyond.S"} {
		data, err := os.ReadFile(filepath.Join("testdata/strip", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	platforms := append(slices.Clone(eleven), "windows/amd64")
	wholly := []string{"linux/arm/v7", "windows/amd64"} // all ways are tried for these; for the others, two
	var toml strings.Builder
	fmt.Fprintf(&toml, "[project]\nname = \"strip\"\nplatforms = %s\n", tomlList(platforms))
	type one struct{ way, platform string }
	hand := map[one]string{}
	left := map[one]bool{}
	for _, w := range ways {
		var on []string
		for _, p := range platforms {
			if (full() || slices.Contains(wholly, p) || w.name == "strip" || w.name == "s") && (w.not == "" || !strings.HasPrefix(p, w.not)) {
				on = append(on, p)
				hand[one{w.name, p}], left[one{w.name, p}] = w.hand, w.symbols
			}
		}
		fmt.Fprintf(&toml, "[target.%[1]s]\nrecipe = \"make\"\nplatforms = %[2]s\ntargets = [\"%[1]s.bin\"]\nvars = { BEYOND = \"-DBEYOND\" }\noutputs = [\"%[1]s.bin\"]\n", w.name, tomlList(on))
	}
	files["xbuild.toml"] = toml.String()
	dir := write(t, files)

	r := xbuild(t, dir, "build")
	for o := range hand {
		_, of, _ := strings.Cut(r.stderr, fmt.Sprintf("--- %s for %s: ", o.way, o.platform))
		of, _, _ = strings.Cut(of, "\n---")
		if !strings.Contains(of, " on every machine, which needs ") || !strings.Contains(of, " has not: in beyond at ") {
			t.Errorf("%s for %s: the audit does not name the function beyond:\n%s", o.way, o.platform, of)
		}
	}
	if r.code != 1 {
		t.Errorf("what is beyond the baselines: exit code %d", r.code)
	}

	edit(t, filepath.Join(dir, "xbuild.toml"), "-DBEYOND", "")
	if r = xbuild(t, dir, "build"); r.code != 0 {
		t.Fatalf("what is not beyond them: %v", r)
	}
	for _, p := range platforms {
		var script strings.Builder
		if p == "linux/arm/v6" {
			script.WriteString("export LDFLAGS=-static\n") // a build has it from the platform
		}
		for o, options := range hand {
			if o.platform != p {
				continue
			}
			plain := ""
			if options != "" {
				plain = "-Wl,-S"
			}
			fmt.Fprintf(&script, "make -s %s.bin PLAIN=%s\n", o.way, plain)
			if strings.HasPrefix(p, "windows/") {
				options = strings.Replace(options, "--strip-all-gnu", "--strip-all", 1)
			}
			if options != "" {
				fmt.Fprintf(&script, "objcopy %s %s.bin\n", options, o.way)
			}
		}
		// Alone in a directory that is no project of its own, with the project's view.
		by := filepath.Join(dir, "hand", strings.ReplaceAll(p, "/", "-"))
		if err := os.MkdirAll(by, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Makefile", "main.c"} {
			if err := os.WriteFile(filepath.Join(by, name), []byte(files[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if r := xbuild(t, by, "exec", "-q", "-p", p, "--", "sh", "-ec", script.String()); r.code != 0 {
			t.Errorf("%s by hand: %v", p, r)
			continue
		}
		for o := range hand {
			if o.platform != p {
				continue
			}
			file := built(dir, p, o.way+".bin")
			same(t, file, filepath.Join(by, o.way+".bin"))
			rep, err := inspect.File(file)
			if err != nil {
				t.Fatal(err)
			}
			if o.way != "unneeded" && rep.Stripped == left[o] { // of a program LLVM takes all, of a DLL what it takes depends
				t.Errorf("%s for %s: stripped: %v", o.way, p, rep.Stripped)
			}
			if o.way == "s" && !strings.HasPrefix(p, "windows/") {
				if r := underQEMU(t, dir, p, file); r.code != 0 || r.stdout == "" {
					t.Errorf("%s does not run: %v", file, r)
				}
			}
		}
	}
}

func tomlList(list []string) string { return "[\"" + strings.Join(list, "\", \"") + "\"]" }

// same compares two files byte for byte.
func same(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s (%d bytes) and %s (%d bytes) differ", got, len(a), want, len(b))
	}
}

// buildSystems are projects that strip by the means of their build system: the keys of a target, and files in its
// folder beside main.c and beyond.S. @BEYOND@ is the flag that brings in the function beyond, or nothing.
var buildSystems = []struct {
	name, keys string
	files      map[string]string
}{
	{"cc", "recipe = \"cc\"\nsources = [\"main.c\", \"beyond.S\"]\ncflags = [\"-DWAY=1\", \"@BEYOND@\"]\nldflags = [\"-s\"]", nil},
	{"flags", "recipe = \"cmake\"\noutputs = [\"p.bin\"]", map[string]string{
		"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(p C ASM)\nset(CMAKE_EXE_LINKER_FLAGS \"${CMAKE_EXE_LINKER_FLAGS} -s\")\nadd_executable(p.bin main.c beyond.S)\n" +
			"target_compile_definitions(p.bin PRIVATE WAY=2)\ntarget_compile_options(p.bin PRIVATE @BEYOND@)\n",
	}},
	{"install", "recipe = \"cmake\"\ninstall = true", map[string]string{
		"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(p C ASM)\nadd_library(lib SHARED lib.c)\nadd_executable(p.bin main.c beyond.S)\ntarget_link_libraries(p.bin lib)\n" +
			"target_compile_definitions(p.bin PRIVATE WAY=3)\ntarget_compile_options(p.bin PRIVATE @BEYOND@)\nset_target_properties(p.bin PROPERTIES INSTALL_RPATH \"$ORIGIN/../lib\")\n" +
			"install(CODE \"set(CMAKE_INSTALL_DO_STRIP 1)\")\ninstall(TARGETS p.bin lib)\n",
		"lib.c": "int lib(void) { return 3; }\n",
	}},
	{"meson", "recipe = \"meson\"\ninstall = true", map[string]string{
		"meson.build": "project('p', 'c', default_options: ['strip=true'])\nlib = shared_library('lib', 'lib.c', install: true)\n" +
			"executable('p.bin', 'main.c', 'beyond.S', c_args: ['-DWAY=4', '-DMESON', @BEYOND'@], link_with: lib, install: true, install_rpath: '$ORIGIN/../lib')\n",
		"lib.c": "int lib(void) { return 4; }\n",
	}},
	{"automake", "recipe = \"autotools\"\ntools = [\"autoconf\"]\ntargets = [\"install-strip\"]\nvars = { DESTDIR = \"$(abs_top_builddir)/inst\" }\noutputs = [\"inst/usr/bin/p\"]", map[string]string{
		"configure.ac": "AC_INIT([p], [1])\nAM_INIT_AUTOMAKE([foreign subdir-objects])\nAC_PROG_CC\nAM_PROG_AS\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n",
		"Makefile.am":  "bin_PROGRAMS = p\np_SOURCES = main.c beyond.S\np_CPPFLAGS = -DWAY=5 @BEYOND@\n",
	}},
	{"cgo", "recipe = \"go\"\ncgo = true\nldflags = [\"-s\", \"-w\"]", map[string]string{
		"go.mod":  "module p\n\ngo 1.21\n",
		"main.go": "package main\n\n// #cgo CFLAGS: -DWAY=6 -DNOMAIN @BEYOND@\n// int work(int);\nimport \"C\"\n\nimport \"os\"\n\nfunc main() { println(C.work(C.int(len(os.Args)))) }\n",
	}},
	{"cargo", "recipe = \"rust\"\npackages = [\"p\"]", cargo("[profile.release]\nstrip = \"symbols\"\n", "", 7)},
	{"profile", "recipe = \"rust\"\npackages = [\"p\"]\nprofile = \"small\"", cargo("[profile.small]\ninherits = \"release\"\nstrip = true\n", "", 8)},
	{"config", "recipe = \"rust\"\npackages = [\"p\"]", cargo("", "[profile.release]\nstrip = true\n", 9)},
	{"rustflags", "recipe = \"rust\"\npackages = [\"p\"]\nrustflags = [\"-Clink-arg=-Wl,--strip-all\"]", cargo("", "", 10)},
}

// cargo is a workspace with a profile in its manifest or in Cargo's configuration.
func cargo(profile, config string, way int) map[string]string {
	files := map[string]string{
		"Cargo.toml":   "[workspace]\nmembers = [\"p\"]\nresolver = \"2\"\n" + profile,
		"Cargo.lock":   "version = 3\n\n[[package]]\nname = \"p\"\nversion = \"0.1.0\"\n",
		"p/Cargo.toml": "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\nbeyond = []\ndefault = [@BEYOND\"@]\n",
		"p/src/main.rs": fmt.Sprintf(`#[cfg(all(feature = "beyond", target_arch = "arm"))]
std::arch::global_asm!(".globl beyond", ".type beyond, %%function", ".fpu neon", "beyond: vadd.i32 q0, q0, q0", "bx lr", ".size beyond, . - beyond");
#[cfg(all(feature = "beyond", target_arch = "aarch64"))]
std::arch::global_asm!(".globl beyond", ".type beyond, %%function", ".arch_extension crc", "beyond: crc32b w0, w0, w0", "ret", ".size beyond, . - beyond");
#[cfg(all(feature = "beyond", target_arch = "x86_64"))]
std::arch::global_asm!(".globl beyond", "beyond: vpaddd ymm0, ymm0, ymm0", "ret");
#[cfg(feature = "beyond")]
extern "C" { fn beyond(n: i32) -> i32; }
#[cfg(not(feature = "beyond"))]
unsafe fn beyond(n: i32) -> i32 { n }
fn main() {
    let n = std::env::args().count() as i32;
    println!("{}", if n > 4 { unsafe { beyond(n) } } else { n * %d });
}
`, way),
	}
	if config != "" {
		files[".cargo/config.toml"] = config
	}
	return files
}

// TestStrippedByBuildSystems: the same for what build systems strip with.
func TestStrippedByBuildSystems(t *testing.T) {
	needNetwork(t)
	t.Parallel()
	platforms := []string{"linux/arm/v7"}
	if full() {
		platforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"}
	}
	files := map[string]string{}
	var toml strings.Builder
	fmt.Fprintf(&toml, "[project]\nname = \"strip\"\nplatforms = %s\n", tomlList(platforms))
	for _, s := range buildSystems {
		on := platforms
		if slices.Contains([]string{"install", "meson", "automake"}, s.name) {
			on = slices.DeleteFunc(slices.Clone(platforms), func(p string) bool { return strings.HasPrefix(p, "windows/") }) // DLLs have no RPATH, and automake adds .exe
		}
		fmt.Fprintf(&toml, "[target.%s]\nsource = %[1]q\nplatforms = %s\ndest = %[1]q\n%[3]s\n", s.name, tomlList(on), s.keys)
		own := maps.Clone(s.files)
		if own == nil {
			own = map[string]string{}
		}
		if own["Cargo.toml"] == "" {
			for _, name := range []string{"main.c", "beyond.S"} {
				data, err := os.ReadFile(filepath.Join("testdata/strip", name))
				if err != nil {
					t.Fatal(err)
				}
				own[name] = string(data)
			}
		}
		for name, text := range own {
			files[s.name+"/"+name] = text
		}
	}
	files["xbuild.toml"] = toml.String()
	// with says of each @BEYOND@ what stands in its place: a flag, an element of a list of meson's or of TOML's.
	with := func(flag, meson, feature string) map[string]string {
		out := map[string]string{}
		for name, text := range files {
			out[name] = strings.NewReplacer("\"@BEYOND@\"", fmt.Sprintf("%q", flag), "@BEYOND@", flag, "@BEYOND'@", meson, "@BEYOND\"@", feature).Replace(text)
		}
		return out
	}
	dir := write(t, with("-DBEYOND", "'-DBEYOND'", "\"beyond\""))
	r := xbuild(t, dir, "build")
	for _, s := range buildSystems {
		for _, p := range platforms {
			title := fmt.Sprintf("--- %s for %s: ", s.name, p)
			_, of, tried := strings.Cut(r.stderr, title)
			of, _, _ = strings.Cut(of, "\n---")
			if !strings.Contains(toml.String(), fmt.Sprintf("[target.%s]\nsource = %[1]q\nplatforms = %s", s.name, tomlList(platforms))) && strings.HasPrefix(p, "windows/") {
				continue
			}
			if !tried || !strings.Contains(of, " on every machine, which needs ") || !strings.Contains(of, " has not: in beyond at ") {
				t.Errorf("%s for %s: the audit does not name the function beyond:\n%s", s.name, p, of)
			}
		}
	}
	if r.code != 1 {
		t.Errorf("what is beyond the baselines: exit code %d", r.code)
	}
	dir = write(t, with("-DNOTHING", "", ""))
	if r := xbuild(t, dir, "build"); r.code != 0 {
		t.Fatalf("what is not beyond them: %v", r)
	}
	stripped := 0
	err := filepath.WalkDir(filepath.Join(dir, "dist"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rep, err := inspect.File(file); err == nil {
			stripped++
			if !rep.Stripped {
				t.Errorf("%s is not stripped", file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if stripped < len(buildSystems) {
		t.Errorf("only %d stripped artifacts were seen", stripped)
	}
}

// TestStrippedBefore: what an earlier run stripped is audited as it was linked for as long as it is published, and a
// file that came without symbols has to be vouched for.
func TestStrippedBefore(t *testing.T) {
	needNetwork(t)
	const p = "linux/arm/v7"
	// What installs reads README: a change of it runs make, which links nothing anew.
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm/v7\"]\n[target.p]\nrecipe = \"make\"\nsource = \"p\"\ninstall = \"install\"\n",
		"p/Makefile":  "all: p.bin\np.bin: p.c\n\t$(CC) -O2 $(LDFLAGS) -static -s -o $@ p.c\ninstall:\n\tmkdir -p $(DESTDIR)\n\tcp p.bin $(DESTDIR)/\n\t@cat README\n",
		"p/p.c":       "#include <stdio.h>\nint main(void) { puts(\"p\"); return 0; }\n",
		"p/README":    "1\n",
	})
	kept := func() []string {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(dir, ".xbuild", p, "p/unstripped/*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	again := func(what, prints string, want int) {
		t.Helper()
		if r := xbuild(t, dir, "build"); r.code != 0 || len(kept()) != want {
			t.Fatalf("%s: %d files are kept, want %d; %v", what, len(kept()), want, r)
		}
		if r := underQEMU(t, dir, p, built(dir, p, "p.bin")); r.stdout != prints {
			t.Errorf("%s: %v", what, r)
		}
	}
	again("the first build", "p\n", 1)
	first := kept()[0]
	edit(t, filepath.Join(dir, "p/README"), "1", "2")
	again("make has nothing to link", "p\n", 1)
	if kept()[0] != first {
		t.Errorf("%s is kept, want %s", kept()[0], first)
	}
	if err := os.RemoveAll(filepath.Join(dir, "dist")); err != nil {
		t.Fatal(err)
	}
	again("nothing is to do but dist", "p\n", 1)
	edit(t, filepath.Join(dir, "p/p.c"), "puts(\"p\")", "printf(\"%s %d\\n\", \"q\", 7)")
	again("linked again", "q 7\n", 1)
	if kept()[0] == first {
		t.Error("what was linked first is still kept")
	}
	if err := os.Remove(kept()[0]); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "p/README"), "2", "3")
	again("what was kept is gone: linked anew", "q 7\n", 1)

	// A vendor's program. Its symbols never were here.
	if r := xbuild(t, dir, "exec", "-q", "-p", p, "--", "sh", "-c", "cp dist/linux/arm/v7/p.bin p/vendor"); r.code != 0 {
		t.Fatal(r)
	}
	// The same program, linked here before or now, would tell all of it.
	if err := os.RemoveAll(filepath.Join(dir, ".xbuild")); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "p/p.c"), "7", "8")
	edit(t, filepath.Join(dir, "p/Makefile"), "p.bin $(DESTDIR)/", "vendor $(DESTDIR)/vendor.bin")
	r := xbuild(t, dir, "build")
	_, advice, _ := strings.Cut(r.stderr, "of linux/arm/v7, write ")
	advice, _, ok := strings.Cut(advice, " in [target.p]")
	if r.code != 1 || !strings.Contains(r.stderr, "has no symbols, and ") || !ok || advice != `unaudited = ["vendor.bin"]` {
		t.Fatalf("a program without symbols: %v", r)
	}
	edit(t, filepath.Join(dir, "xbuild.toml"), "source = ", advice+"\nsource = ")
	if r := xbuild(t, dir, "build"); r.code != 0 {
		t.Errorf("vouched for: %v", r)
	}
}
