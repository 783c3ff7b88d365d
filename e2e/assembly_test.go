package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/isa"
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

// TestExportedFunctions: what a library exports for newer machines and calls nowhere is its callers' to ask for, where
// the library has code for several machines. One that never asks says nothing of that, and its error names the way.
func TestExportedFunctions(t *testing.T) {
	needNetwork(t)
	const config = "[project]\nname = \"sums\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n[target.sums]\nrecipe = \"cc\"\nkind = \"shared\"\nsources = [\"sums.c\"]\n"
	const fast = `
#if defined(__x86_64__)
__attribute__((target("avx2")))
#else
__attribute__((target("sve")))
#endif
int fast(const int *v, int n) {
    int s = 0;
    for (int i = 0; i < n; i++) s += v[i] * 3;
    return s;
}
int plain(const int *v, int n) { return n ? *v + plain(v + 1, n - 1) : 0; }
`
	const ask = `
#include <sys/auxv.h>
int has_fast(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return getauxval(AT_HWCAP) >> 22 & 1;
#endif
}
`
	dir := write(t, map[string]string{"xbuild.toml": config, "sums.c": ask + fast})
	build(t, dir)
	content("sums.c", fast)(t, dir)
	r := xbuild(t, dir, "build")
	if r.code != 1 || strings.Count(r.stderr, "for whoever calls a function that it exports") < 2 || !strings.Contains(r.stderr, "write dispatched = [\"fast\"] in the target") {
		t.Errorf("a library that never asks: %v", r)
	}
	content("xbuild.toml", config+"dispatched = [\"fast\"]\n")(t, dir)
	build(t, dir)
	// Compiled for newer machines as a whole, it is condemned although it asks.
	content("xbuild.toml", config+"[platform.\"linux/amd64\"]\ncflags = [\"-mavx2\"]\n[platform.\"linux/arm64\"]\ncflags = [\"-march=armv8.2-a+sve\"]\n")(t, dir)
	const more = "int more(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i] << 1; return s; }\nint third(const int *v, int n) { int s = 1; for (int i = 0; i < n; i++) s ^= v[i] * 5; return s; }\n"
	content("sums.c", ask+fast+more)(t, dir)
	if r := xbuild(t, dir, "build"); r.code != 1 || strings.Count(r.stderr, "would end with an illegal instruction") < 2 {
		t.Errorf("a library that was compiled for newer machines: %v", r)
	}
}
