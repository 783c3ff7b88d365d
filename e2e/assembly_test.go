package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"xbuild/internal/inspect/isa"
)

// TestInstructionsOfAssembly: labels within a function belong to it, whichever assembler wrote them, and in each kind
// of file. Code that asks first is no fault, and what runs on every machine is
// one fault a feature, of the function.
func TestInstructionsOfAssembly(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct{ platform, format string }{
		{"linux/amd64", "elf64"}, {"linux/386", "elf32"}, {"windows/amd64", "win64"}, {"darwin/amd64", "macho64"},
	} {
		assemblers := []string{"nasm", "yasm"}
		if !full() && c.format != "elf64" {
			assemblers = assemblers[:1]
		}
		for _, assembler := range assemblers {
			t.Run(c.platform+" "+assembler, func(t *testing.T) {
				on, link := c.platform, "$CC labels.c $2 labels.o -o $1"
				if c.platform == "darwin/amd64" { // no library, no linker's driver: the object alone
					on, link = "linux/amd64", "cp labels.o $1"
				}
				files := map[string]string{
					"xbuild.toml": fmt.Sprintf("[project]\nname = \"labels\"\nplatforms = [%q]\n[toolchains]\n%s = \"*\"\n", on, assembler),
					"link.sh":     "set -e\n" + link + "\n[ -f $1 ] || mv $1.exe $1\n",
				}
				for _, name := range []string{"labels.asm", "labels.c"} {
					data, err := os.ReadFile(filepath.Join("testdata/instructions", name))
					if err != nil {
						t.Fatal(err)
					}
					files[name] = string(data)
				}
				dir := write(t, files)
				script := fmt.Sprintf("%s -f %s labels.asm -o labels.o; sh link.sh never -DNEVER; sh link.sh asks", assembler, c.format)
				if r := xbuild(t, dir, "exec", "-q", "-p", on, "--", "sh", "-ec", script); r.code != 0 {
					t.Fatalf("%v", r)
				}
				base := plainBaseline(t, c.platform)
				for _, name := range []string{"never", "asks"} {
					data, err := os.ReadFile(filepath.Join(dir, name))
					if err != nil {
						t.Fatal(err)
					}
					r, err := isa.Audit(data, base, isa.Options{})
					if err != nil {
						t.Fatal(err)
					}
					all := slices.Concat(r.Unconditional, r.Dispatched, r.Untold)
					found := slices.DeleteFunc(all, func(f isa.Finding) bool { return f.Feature != "avx2" })
					if len(found) != 1 || found[0].Function != "work" || found[0].Count != 3 {
						t.Errorf("%s: %v, want one finding with 3 instructions in work", name, found)
					}
					never := name == "never" || c.platform == "darwin/amd64"
					if condemned := len(r.Unconditional) > 0; condemned != never {
						t.Errorf("%s: condemned %v, want %v: %v", name, condemned, never, r.Unconditional)
					}
				}
			})
		}
	}
}

// TestInstructionsOfQuestions builds npm's cpu-features, which asks the machine with xgetbv behind a test of what
// cpuid said, inverted and kept on the stack, and exports a function that does
// nothing else: there is no fault, and Node runs it with just the baseline.
func TestInstructionsOfQuestions(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml":  "[project]\nname = \"questions\"\nplatforms = [\"linux/amd64\"]\n[target.questions]\nrecipe = \"node-gyp\"\nkind = \"app\"\nnode = [\"20\"]\nscripts = [\"cpu-features\"]\n",
		"package.json": `{ "name": "questions", "version": "1.0.0", "private": true, "dependencies": { "cpu-features": "0.0.10" } }`,
		"test.js":      "const f = require('cpu-features')(); console.log(f.arch, !!f.flags.avx2)\n",
	})
	if r := xbuild(t, dir, "exec", "-q", "--", "npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"); r.code != 0 {
		t.Fatalf("%v", r)
	}
	if r := xbuild(t, dir, "build"); r.code != 0 {
		t.Fatalf("cpu-features asks and does no more: %v", r)
	}
	if r := xbuild(t, dir, "run", "-q", "--emulate", "-p", "linux/amd64", "--node", "20", "--", filepath.Join(dir, "dist/linux/amd64/app/test.js")); r.code != 0 || r.stdout != "x86 false\n" {
		t.Errorf("with just the baseline: %v", r)
	}
}
