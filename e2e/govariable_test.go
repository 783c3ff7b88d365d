package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestVariablesOfGo: a package that keeps what golang.org/x/sys/cpu says in a variable of its own, takes it back after
// a second look, and has another variable that nothing sets, asks before it runs code for newer machines
// (github.com/minio/highwayhash does so). One that sets its variable without having asked does not.
func TestVariablesOfGo(t *testing.T) {
	needNetwork(t)
	const source = `package main

import (
	"fmt"

	"golang.org/x/sys/cpu"
)

var (
	useSVE  = cpu.ARM64.HasSVE
	useSVE2 = false
)

func length() uint64
func sum() uint64
func sum2() uint64

func init() {
	if useSVE && length() != 32 {
		useSVE, useSVE2 = false, false
	}
}

func main() {
	switch {
	case useSVE2:
		fmt.Println("SVE2", sum2())
	case useSVE:
		fmt.Println("SVE", sum())
	default:
		fmt.Println("none")
	}
}
`
	// rdvl x0, #1; index z0.d, #0, #1 and fmov x0, d0 by their words: not every release of Go's assembler has them.
	function := func(name, words string) string {
		return "TEXT ·" + name + "(SB), 4, $0-8\n" + words + "\tMOVD R0, ret+0(FP)\n\tRET\n\n"
	}
	const sve = "\tWORD $0x04e14000\n\tWORD $0x9e660000\n"
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"variables\"\nplatforms = [\"linux/arm64\"]\n[target.p]\nrecipe = \"go\"\n",
		"go.mod":      "module example.invalid/p\n\ngo 1.22\n\nrequire golang.org/x/sys v0.30.0\n",
		"main.go":     source,
		"sum_arm64.s": function("length", "\tWORD $0x04bf5020\n") + function("sum", sve) + function("sum2", sve),
	})
	if r := xbuild(t, dir, "exec", "-q", "-p", "linux/arm64", "--", "go", "mod", "tidy"); r.code != 0 {
		t.Fatal(r)
	}
	build(t, dir)
	if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "p")); r.stdout != "none\n" {
		t.Errorf("on a machine without SVE: %v", r)
	}
	once := strings.Replace(source, "useSVE, useSVE2 = false, false", "useSVE = false", 1)
	for _, set := range []string{"useSVE2 = fmt.Sprint() == \"\"", "useSVE2 = false\n\tp := &useSVE2\n\tdefer main2()\n\tfunc() { fmt.Sscan(\"true\", p) }()\n}\n\nfunc main2() {"} {
		content("main.go", strings.Replace(once, "func main() {\n", "func main() {\n\t"+set+"\n", 1))(t, dir)
		if r := xbuild(t, dir, "build"); r.code != 1 || !strings.Contains(r.stderr, "needs sve") {
			t.Errorf("with %q: %v", set, r)
		}
	}
}

// TestHeldAnswers: Go's compiler (of 1.26 for linux/riscv64) loads the answer of the machine before a long expression and tests it after that
// (github.com/goccy/go-json is refused where the audit looks no further than a few instructions).
func TestHeldAnswers(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"answers\"\nplatforms = [\"linux/amd64\", \"linux/arm64\", \"linux/riscv64\", \"linux/loong64\"]\n[target.p]\nrecipe = \"go\"\n",
		"go.mod":      "module example.invalid/p\n\ngo 1.26.0\n",
		"main.go": `package main

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

const low, high = 0x0101010101010101, 0x8080808080808080

func mask(w uint64, c byte) uint64 {
	x := w ^ low*uint64(c)
	return ^((x&^high + ^uint64(high)) | x) & high
}

//go:noinline
func folded(name []byte) int {
	n, i := len(name), 0
	for ; i+8 <= len(name); i += 8 {
		w := binary.LittleEndian.Uint64(name[i:])
		n -= bits.OnesCount64(mask(w, '_') | mask(w, '-') | mask(w, '.') | mask(w, '+') | mask(w, ' ') | mask(w, '~'))
	}
	return n
}

func main() { fmt.Println(folded([]byte("a_b-c__dabcdefgh"))) }
`,
	})
	build(t, dir)
	for _, name := range []string{"linux/amd64", "linux/arm64", "linux/riscv64", "linux/loong64"} {
		if r := underQEMU(t, dir, name, built(dir, name, "p")); r.stdout != "12\n" {
			t.Errorf("%s: %v", name, r)
		}
	}
}

// TestFilesAskedByGo: a Go function that returns what it reads in /proc/cpuinfo has asked (github.com/minio/sha256-simd
// 0.1.1, haveArmSha), and a variable that does not come from it is no answer.
func TestFilesAskedByGo(t *testing.T) {
	needNetwork(t)
	const source = `package main

import (
	"bytes"
	"fmt"
	"os"
)

var haveSVE = inCPUInfo()

func sum() uint64

//go:noinline
func inCPUInfo() bool {
	text, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && bytes.Contains(text, []byte(" sve "))
}

var other bool

func init() { other = len(os.Args) > 1 }

func main() {
	if haveSVE {
		fmt.Println("SVE", sum())
	} else {
		fmt.Println("none", other)
	}
}
`
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nname = \"files\"\nplatforms = [\"linux/arm64\"]\n[target.p]\nrecipe = \"go\"\n",
		"go.mod":      "module example.invalid/p\n\ngo 1.22\n",
		"main.go":     source,
		"sum_arm64.s": "TEXT ·sum(SB), 4, $0-8\n\tWORD $0x04e14000\n\tWORD $0x9e660000\n\tMOVD R0, ret+0(FP)\n\tRET\n",
	})
	build(t, dir)
	if out, err := os.ReadFile("/proc/cpuinfo"); err != nil || !strings.Contains(string(out), " sve ") {
		if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "p")); r.stdout != "none false\n" {
			t.Errorf("on a machine without SVE: %v", r)
		}
	}
	content("main.go", strings.Replace(source, "if haveSVE {", "if other {", 1))(t, dir)
	if r := xbuild(t, dir, "build"); r.code != 1 || !strings.Contains(r.stderr, "needs sve") {
		t.Errorf("with a variable that is no answer: %v", r)
	}
}
