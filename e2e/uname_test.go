package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machines are what uname -m, gcc -dumpmachine and dpkg --print-architecture print on a machine of each platform.
var machines = map[string][3]string{
	"linux/amd64": {"x86_64", "x86_64-linux-gnu", "amd64"}, "linux/386": {"i686", "i686-linux-gnu", "i386"}, "linux/arm64": {"aarch64", "aarch64-linux-gnu", "arm64"},
	"linux/arm/v5": {"armv5tel", "arm-linux-gnueabi", "armel"}, "linux/arm/v6": {"armv6l", "arm-linux-gnueabi", "armel"}, "linux/arm/v7": {"armv7l", "arm-linux-gnueabihf", "armhf"},
	"linux/ppc64le": {"ppc64le", "powerpc64le-linux-gnu", "ppc64el"}, "linux/s390x": {"s390x", "s390x-linux-gnu", "s390x"}, "linux/riscv64": {"riscv64", "riscv64-linux-gnu", "riscv64"},
	"linux/mips64le": {"mips64", "mips64el-linux-gnuabi64", "mips64el"}, "linux/loong64": {"loongarch64", "loongarch64-linux-gnu", "loong64"},
}

// TestUname: a Makefile, one that it calls, and a script that it calls compile the branch of the platform's machine.
// What they ask for is compared with what the program knows of itself.
func TestUname(t *testing.T) {
	needNetwork(t)
	branches := ""
	for name, m := range machines {
		if name != "linux/amd64" {
			branches += "else ifeq ($(shell uname -m)," + m[0] + ")\nBRANCH = " + name + "\n"
		}
	}
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ` + quoted(eleven) + `
[target.a]
recipe = "make"
source = "a"
outputs = ["a"]
[target.host]
recipe = "make"
source = "a"
uname = "host"
dest = "host"
platforms = ["linux/s390x"]
outputs = ["a"]
`,
		"a/Makefile": `ifeq ($(shell uname -m),x86_64)
BRANCH = linux/amd64
` + branches + `endif
a: a.c script
	$(MAKE) -C sub
	cc -DBRANCH='"$(BRANCH)"' -DLONG_BIT=$(shell getconf LONG_BIT) -DPAGE=$$(getconf PAGE_SIZE) $(shell getconf LFS_CFLAGS) -DSCRIPT='"$(shell sh script)"' -DGCC='"$(shell gcc -dumpmachine)"' $(LDFLAGS) -o $@ a.c sub/sub.o
`,
		"a/script":       "echo $(uname -s -p) $(dpkg --print-architecture)\n",
		"a/sub/Makefile": "sub.o: sub.c\n\tgcc -DARCH=\"\\\"`arch`\\\"\" -c sub.c\n",
		"a/sub/sub.c":    "const char *arch = ARCH;\n",
		"a/a.c": `#include <limits.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>
extern const char *arch;
int main(void) {
    printf("%s %s %s %s %s\n", BRANCH, SCRIPT, arch, GCC, LONG_BIT == 8 * sizeof(long) && sizeof(off_t) == 8 && PAGE >= sysconf(_SC_PAGESIZE) ? "right" : "wrong");
}
`,
	})
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		m := machines[name]
		prints(t, dir, name, built(dir, name, "a"), nil, name+" Linux "+m[0]+" "+m[2]+" "+m[0]+" "+m[1]+" right\n")
		log, err := os.ReadFile(filepath.Join(dir, ".xbuild", name, "a", "log"))
		if err != nil || strings.Count(string(log), "xbuild: uname -m and its like answered for "+name+"; with uname = \"host\" in [target.a] they answer for this machine") != 1 {
			t.Errorf("log of %s: %v\n%s", name, err, log)
		}
	})
	// The test's host is not s390x, whose branch is none of its machines'.
	r := underQEMU(t, dir, "linux/s390x", built(dir, "linux/s390x", "host/a"))
	if host := hostUname(t); !strings.Contains(r.stdout, " "+host+" ") || strings.Contains(r.stdout, "linux/s390x") {
		t.Errorf(`uname = "host": %v`, r)
	}
	log, err := os.ReadFile(filepath.Join(dir, ".xbuild/linux/s390x/host/log"))
	if err != nil || !strings.Contains(string(log), `and its like answered for this machine; with uname = "platform" in [target.host] they answer for linux/s390x`) {
		t.Errorf("log of uname = \"host\": %v\n%s", err, log)
	}
}

func hostUname(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("uname", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestUnameOfBuildSystems: what asks for the build machine is told of the build machine: configure, CMake, Meson, a
// build script of cargo, and, though a Makefile runs them, a script of autoconf and CMake. A script of make's key
// configure that is none of autoconf's is told of the platform.
func TestUnameOfBuildSystems(t *testing.T) {
	needNetwork(t)
	const prints = "#include <stdio.h>\nint main(void) { puts(UNAME); }\n"
	files := map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/riscv64"]
[target.autotools]
recipe = "autotools"
source = "autotools"
outputs = ["autotools"]
[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = ["cmake"]
[target.forced]
recipe = "cmake"
source = "cmake"
uname = "platform"
dest = "forced"
outputs = ["cmake"]
[target.meson]
recipe = "meson"
source = "meson"
outputs = ["meson"]
[target.cargo]
recipe = "rust"
source = "cargo"
[target.inside]
recipe = "make"
source = "inside"
tools = ["cmake", "ninja"]
outputs = ["inside"]
[target.written]
recipe = "make"
source = "written"
configure = "./configure"
outputs = ["written"]
`,
		"autotools/configure":  "#!/bin/sh\nprintf 'autotools: a.c\\n\\t$(CC) -DUNAME=\\\\\"%s\\\\\" -o $@ a.c\\n' \"$(uname -m)\" >Makefile\n: >config.status\n",
		"autotools/a.c":        prints,
		"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(a C)\nexecute_process(COMMAND uname -m OUTPUT_VARIABLE m OUTPUT_STRIP_TRAILING_WHITESPACE)\nadd_executable(cmake a.c)\ntarget_compile_definitions(cmake PRIVATE UNAME=\"${m} ${CMAKE_HOST_SYSTEM_PROCESSOR}\")\n",
		"cmake/a.c":            prints,
		"meson/meson.build":    "project('a', 'c')\nm = run_command('uname', '-m', check: true).stdout().strip()\nexecutable('meson', 'a.c', c_args: ['-DUNAME=\"' + m + '\"'])\n",
		"meson/a.c":            prints,
		"cargo/Cargo.toml":     "[package]\nname = \"cargo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[[bin]]\nname = \"cargo\"\npath = \"main.rs\"\n",
		"cargo/build.rs":       "fn main() {\n    let out = std::process::Command::new(\"uname\").arg(\"-m\").output().unwrap();\n    println!(\"cargo:rustc-env=UNAME={}\", String::from_utf8(out.stdout).unwrap().trim());\n}\n",
		"cargo/main.rs":        "fn main() { println!(\"{}\", env!(\"UNAME\")); }\n",
		"inside/Makefile":      "inside: main.c\n\tcd autoconf && ./configure\n\tcmake -G Ninja -S cmake -B cmake/out\n\tcc -DUNAME=\"\\\"`uname -m` `cat autoconf/out` `cat cmake/out/asked`\\\"\" -o $@ main.c\n",
		"inside/main.c":        prints,
		// As autoconf begins its own, and config.guess after that.
		"inside/autoconf/configure":   "#!/bin/sh\ntest -z \"$CONFIG_SITE\" || . \"$CONFIG_SITE\"\n(uname -m) >out\n",
		"inside/cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(a C)\nfile(WRITE ${CMAKE_BINARY_DIR}/asked ${CMAKE_HOST_SYSTEM_PROCESSOR})\n",
		"written/configure":           "#!/bin/sh\nprintf 'written: a.c\\n\\t$(CC) -DUNAME=\\\\\"%s\\\\\" -o $@ a.c\\n' \"$(uname -m)\" >Makefile\n",
		"written/a.c":                 prints,
	}
	dir := write(t, files)
	for name := range files {
		if filepath.Base(name) == "configure" {
			if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	build(t, dir)
	host := hostUname(t)
	for file, want := range map[string]string{
		"autotools": host, "cmake": host + " " + host, "forced/cmake": "riscv64 riscv64", "meson": host, "cargo": host, "inside": "riscv64 " + host + " " + host, "written": "riscv64",
	} {
		if r := underQEMU(t, dir, "linux/riscv64", built(dir, "linux/riscv64", file)); r.stdout != want+"\n" {
			t.Errorf("%s: %v\nwant %s", file, r, want)
		}
	}
}
