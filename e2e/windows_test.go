package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xbuild/internal/inspect"
)

// TestWindows builds programs for Windows with every recipe that can, and runs them under Debian's Wine.
func TestWindows(t *testing.T) {
	needNetwork(t)
	const wine = "/usr/lib/wine/wine64"
	if _, err := os.Stat(wine); err != nil {
		t.Fatalf("%v: programs for Windows are run under Wine: apt-get install --no-install-recommends wine64", err)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{
		"xbuild.toml": `[project]
platforms = ["windows/amd64"]
[target.rusty]
recipe = "rust"
source = "rust"
strip = true
[target.plugin]
recipe = "rust"
source = "plugin"
[target.loader]
recipe = "cc"
sources = ["loader.c"]
[target.cxx]
recipe = "cc"
sources = ["hello.cc"]
[target.bcryptprimitives]
recipe = "cc"
kind = "shared"
sources = ["prng.c"]
libs = ["advapi32"]
[target.made]
recipe = "make"
source = "make"
outputs = ["made.exe"]
[target.cmade]
recipe = "cmake"
source = "cmake"
outputs = ["cmade.exe"]
[target.cgo]
recipe = "go"
cgo = true
source = "go"
`,
		"rust/Cargo.toml": "[package]\nname = \"rusty\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"rust/src/main.rs": strings.Replace(stdProgram, "fn main() {\n", `fn main() {
    std::fs::write("out.txt", "written").unwrap();
    println!("{} {} {}", std::env::consts::OS, std::fs::read_to_string("out.txt").unwrap(), std::collections::HashMap::from([(1, 2)])[&1]);
`, 1),
		"plugin/Cargo.toml": "[package]\nname = \"plugin\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n",
		"plugin/src/lib.rs": `#[no_mangle]
pub extern "C" fn answer() -> u64 {
    let thread = std::thread::spawn(|| std::panic::catch_unwind(|| [42u64][std::hint::black_box(1)]).map_or(42, |n| n + 1));
    thread.join().unwrap() * std::collections::HashMap::from([(1, 1)])[&1]
}
`,
		"loader.c": `#include <stdio.h>
#include <windows.h>
int main(void) {
	HMODULE plugin = LoadLibraryA("plugin.dll");
	unsigned long long (*answer)(void) = plugin ? (unsigned long long (*)(void))(void *)GetProcAddress(plugin, "answer") : 0;
	printf("plugin %d\n", answer ? (int)answer() : -1);
	return 0;
}
`,
		"hello.cc": windowsCXX,
		// Wine 8.0, which is bookworm's, lacks this library of Windows 10, and Rust and Go both take their random
		// numbers from it.
		"prng.c":               "#include <windows.h>\n#include <ntsecapi.h>\n__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T n) { return RtlGenRandom(data, n); }\n",
		"make/made.cc":         windowsCXX,
		"make/Makefile":        "made.exe: made.cc\n\t$(CXX) $(CXXFLAGS) -o $@ $< $(LDFLAGS)\n",
		"cmake/cmade.cc":       windowsCXX,
		"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(cmade CXX)\nfind_package(Threads REQUIRED)\nadd_executable(cmade cmade.cc)\ntarget_link_libraries(cmade Threads::Threads)\n",
		"go/go.mod":            "module cgo\n\ngo 1.21\n",
		"go/main.go":           "package main\n\n// int seven(void) { return 7; }\nimport \"C\"\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"cgo\", C.seven()) }\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(t, dir)
	made, err := os.ReadDir(built(dir, "windows/amd64", ""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range made {
		names = append(names, f.Name())
	}
	if want := "bcryptprimitives.dll cgo.exe cmade.exe cxx.exe loader.exe made.exe plugin.dll rusty.exe"; strings.Join(names, " ") != want {
		t.Errorf("dist has %s, want %s", strings.Join(names, " "), want)
	}
	prefix := t.TempDir()
	run := func(program string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, wine, program)
		cmd.Dir = built(dir, "windows/amd64", "")
		cmd.Env = append(os.Environ(), "WINEPREFIX="+prefix, "WINEDEBUG=-all")
		out, err := cmd.Output()
		return strings.ReplaceAll(string(out), "\r\n", "\n"), err
	}
	t.Cleanup(func() { // what Wine leaves running would keep writing into its directory
		cmd := exec.Command("/usr/lib/wine/wineserver64", "-k")
		cmd.Env = append(os.Environ(), "WINEPREFIX="+prefix)
		if err := cmd.Run(); err != nil {
			t.Logf("wineserver -k: %v", err)
		}
	})
	if got, err := run("cxx.exe"); err != nil || got != "c++ thrown\n" { // the first run makes Wine's directories
		t.Fatalf("cxx.exe: %v\n got %q", err, got)
	}
	// Go looks for this library among the system's alone.
	if err := os.Rename(built(dir, "windows/amd64", "bcryptprimitives.dll"), filepath.Join(prefix, "drive_c/windows/system32/bcryptprimitives.dll")); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{
		"rusty.exe": "windows written 2\n" + stdOutput, "made.exe": "c++ thrown\n", "cmade.exe": "c++ thrown\n", "cgo.exe": "cgo 7\n", "loader.exe": "plugin 42\n",
	} {
		if got, err := run(program); err != nil || got != want {
			t.Errorf("%s: %v\n got %q\nwant %q", program, err, got, want)
		}
	}
	// No library of the compiler's has to lie beside a program: all that it imports is of Windows itself.
	for program, want := range map[string]string{
		"plugin.dll": "KERNEL32.dll msvcrt.dll ntdll.dll USERENV.dll WS2_32.dll bcryptprimitives.dll api-ms-win-core-synch-l1-2-0.dll", "rusty.exe": "KERNEL32.dll msvcrt.dll ntdll.dll USERENV.dll WS2_32.dll bcryptprimitives.dll api-ms-win-core-synch-l1-2-0.dll", "cxx.exe": "KERNEL32.dll msvcrt.dll",
	} {
		r, err := inspect.File(built(dir, "windows/amd64", program))
		if err != nil {
			t.Fatal(err)
		}
		for _, lib := range r.Needed {
			if !strings.Contains(want, lib) {
				t.Errorf("%s imports from %s, want no more than %s", program, lib, want)
			}
		}
	}
}

// windowsCXX needs what a GCC library that was put together wrongly fails at: threads, and an exception in one.
const windowsCXX = `#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
int main() {
	std::string s;
	std::thread t([&] { try { throw std::runtime_error("thrown"); } catch (const std::exception &e) { s = e.what(); } });
	t.join();
	std::cout << "c++ " << s << std::endl;
}
`
