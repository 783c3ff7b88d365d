package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// everyRecipe is a project with a target of each recipe. Each has a file that is generated while it is built and
// debugging information, so that its artifacts name the places where they were made.
var everyRecipe = map[string]string{
	"xbuild.toml": `
[project]
name = "every"
platforms = ["linux/arm64"]

[platform."linux/arm64"]
cflags = ["-g"]
cxxflags = ["-g"]

[target.cc]
recipe = "cc"
source = "cc"
sources = ["*.c"]

[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = ["hello-cmake"]

[target.meson]
recipe = "meson"
source = "meson"
outputs = ["hello-meson"]

[target.make]
recipe = "make"
source = "make"
outputs = ["hello-make"]

[target.autotools]
recipe = "autotools"
source = "autotools"
outputs = ["hello-autotools"]

[target.go]
recipe = "go"
source = "go"

[target.cgo]
recipe = "go"
source = "cgo"
cgo = true

[target.rust]
recipe = "rust"
source = "rust"

[target.module]
recipe = "node-gyp"
source = "module"
node = ["24"]

[target.app]
recipe = "node-gyp"
kind = "app"
source = "app"
node = ["24"]
`,
	"cc/hello.c": "#include <stdio.h>\nint main(void) { puts(__FILE__); return 0; }\n",

	"cmake/CMakeLists.txt": `cmake_minimum_required(VERSION 3.20)
project(hello C)
file(WRITE ${CMAKE_BINARY_DIR}/generated.c "const char *generated(void) { return __FILE__; }\n")
add_executable(hello-cmake hello.c ${CMAKE_BINARY_DIR}/generated.c)
`,
	"cmake/hello.c": "#include <stdio.h>\nconst char *generated(void);\nint main(void) { puts(__FILE__); puts(generated()); return 0; }\n",

	"meson/meson.build": `project('hello', 'c')
generated = configure_file(input: 'generated.c.in', output: 'generated.c', configuration: {'name': 'generated'})
executable('hello-meson', 'hello.c', generated)
`,
	"meson/generated.c.in": "const char *@name@(void) { return __FILE__; }\n",
	"meson/hello.c":        "#include <stdio.h>\nconst char *generated(void);\nint main(void) { puts(__FILE__); puts(generated()); return 0; }\n",

	"make/Makefile": "hello-make: hello.c generated.c\n\t$(CC) $(CFLAGS) -o $@ $^\ngenerated.c:\n\techo 'const char *generated(void) { return __FILE__; }' >$@\n",
	"make/hello.c":  "#include <stdio.h>\nconst char *generated(void);\nint main(void) { puts(__FILE__); puts(generated()); return 0; }\n",

	"autotools/configure":   "#!/bin/sh\nsed \"s,@CC@,$CC,\" Makefile.in >Makefile\n>config.status\n",
	"autotools/Makefile.in": "hello-autotools: hello.c\n\t@CC@ $(CFLAGS) -o $@ hello.c\n",
	"autotools/hello.c":     "#include <stdio.h>\nint main(void) { puts(__FILE__); return 0; }\n",

	"go/go.mod":   "module hello\n\ngo 1.24\n",
	"go/main.go":  "package main\n\nfunc main() { println(\"hello\") }\n",
	"cgo/go.mod":  "module cgo\n\ngo 1.24\n",
	"cgo/main.go": "package main\n\n// static const char *file(void) { return __FILE__; }\nimport \"C\"\n\nfunc main() { println(C.GoString(C.file())) }\n",

	"rust/Cargo.toml":  "[package]\nname = \"hello\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\nitoa = \"=1.0.15\"\n",
	"rust/build.rs":    "fn main() { std::fs::write(std::path::Path::new(&std::env::var(\"OUT_DIR\").unwrap()).join(\"made.rs\"), \"const MADE: &str = file!();\").unwrap(); }\n",
	"rust/src/main.rs": "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\nfn main() { println!(\"{} {}\", itoa::Buffer::new().format(7), MADE); }\n",

	"module/package.json": `{ "name": "sum", "version": "1.0.0", "gypfile": true }`,
	"module/binding.gyp":  `{ "targets": [{ "target_name": "sum", "sources": ["sum.c"] }] }`,
	"module/sum.c":        "#include <node_api.h>\nNAPI_MODULE_INIT() { napi_value s; napi_create_string_utf8(env, __FILE__, NAPI_AUTO_LENGTH, &s); return s; }\n",

	"app/package.json": `{ "name": "app", "version": "1.0.0", "dependencies": { "ms": "2.1.3" } }`,
	"app/index.js":     "console.log(require('ms')(1000));\n",
	"app/package-lock.json": `{
  "name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": { "name": "app", "version": "1.0.0", "dependencies": { "ms": "2.1.3" } },
    "node_modules/ms": { "version": "2.1.3", "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==" }
  }
}`,
}

// readOnly runs a command in a directory that is mounted read-only for it, as a user who may do nothing that others may
// not and who has no home. It is skipped where the kernel gives users no namespaces of their own; a Docker engine's
// test has the same (TestDocker).
func readOnly(t *testing.T, dir string, env []string, argv ...string) (string, error) {
	t.Helper()
	const script = `d=$PWD; mount --bind "$d" "$d" && mount -o remount,bind,ro "$d" && cd "$d" && exec unshare --user --map-user=1000 --map-group=1000 -- "$@"`
	run := func(argv ...string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "unshare", append([]string{"--user", "--map-root-user", "--mount", "--", "sh", "-c", script, "sh"}, argv...)...)
		cmd.Dir, cmd.Env = dir, append(environ(), env...)
		return cmd.CombinedOutput()
	}
	if out, err := run("true"); err != nil {
		t.Skipf("no user namespaces here: %v\n%s", err, out)
	}
	if out, err := run("touch", "written"); err == nil {
		t.Fatalf("the source can be written, which this test wants to see refused\n%s", out)
	}
	out, err := run(argv...)
	return string(out), err
}

// storeDir is the store that these tests use.
func storeDir(t *testing.T) string {
	t.Helper()
	for _, line := range bytes.Split([]byte(xbuild(t, t.TempDir(), "store", "info").stdout), []byte("\n")) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == "directory" {
			return string(f[1])
		}
	}
	t.Fatal("xbuild store info names no directory")
	return ""
}

// TestReadOnlySource builds a target of every recipe where the source cannot be written, by a user without privileges
// and without a home: what comes out is what comes out in a directory of one's own.
func TestReadOnlySource(t *testing.T) {
	needNetwork(t)
	dir := write(t, everyRecipe)
	if err := os.Chmod(filepath.Join(dir, "autotools/configure"), 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, dir)
	if t.Failed() {
		return
	}
	want, err := os.ReadFile(filepath.Join(dir, "dist", "artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dist", ".xbuild"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
	}{
		{"in the store", nil},
		{"in --build-dir", []string{"XBUILD_BUILD_DIR=" + t.TempDir()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != nil && !full() {
				t.Skip("with XBUILD_E2E=full alone")
			}
			out := t.TempDir()
			log, err := readOnly(t, dir, append(c.env, "HOME=/nonexistent", "XBUILD_STORE="+storeDir(t)), file, "build", "-o", out)
			if err != nil {
				t.Fatalf("xbuild build: %v\n%s", err, log)
			}
			got, err := os.ReadFile(filepath.Join(out, "artifacts.json"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("artifacts.json is\n%s\nwhere the source can be written it is\n%s", got, want)
			}
		})
	}
}
