package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKeptKilled: builds of recipes cc and make with kept results that are killed at random moments, each time of other
// sources. The next build puts into dist, byte for byte, what a build without kept results makes elsewhere.
func TestKeptKilled(t *testing.T) {
	needNetwork(t)
	rounds := 6
	if full() {
		rounds = 40
	}
	project := func(dir string) string {
		for name, text := range map[string]string{
			"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n[target.one]\nrecipe = \"cc\"\nsource = \"one\"\nsources = [\"*.c\"]\n" +
				"[target.two]\nrecipe = \"make\"\nsource = \"two\"\noutputs = [\"two\"]\n",
			"one/a.c":      "#include <stdio.h>\n#include \"v.h\"\nint b(void), c(void);\nint main(void) { printf(\"%d\\n\", V + b() + c()); }\n",
			"one/b.c":      "#include \"v.h\"\nint b(void) { return V; }\n",
			"one/c.c":      "int c(void) { return 7; }\n",
			"two/main.c":   "#include <stdio.h>\n#include \"v.h\"\nint other(void);\nint main(void) { printf(\"%d\\n\", V - other()); }\n",
			"two/other.c":  "#include \"v.h\"\nint other(void) { return 2 * V; }\n",
			"two/Makefile": "two: main.o other.o\n\t$(CC) $(LDFLAGS) -o $@ main.o other.o\nmain.o other.o: v.h\n",
			"one/v.h":      "#define V 0\n",
			"two/v.h":      "#define V 0\n",
		} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	killed, plain := project(filepath.Join(t.TempDir(), "killed")), project(filepath.Join(t.TempDir(), "some/where/plain"))
	build(t, plain)
	copyLocks(t, plain, killed)
	build(t, killed, "--no-cache=false")
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(17, 3))
	base := time.Now().UnixNano() % 1e6 // not what an earlier run of this test kept
	took, n := time.Second, 0
	for round := range rounds {
		n = (n + 1 + random.IntN(2)) % 3 // another one than before, which may have been built earlier
		v := fmt.Appendf(nil, "#define V %d%d\n", base, n+round/8*3)
		for _, dir := range []string{killed, plain} {
			for _, source := range []string{"one", "two"} {
				if err := os.WriteFile(filepath.Join(dir, source, "v.h"), v, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if random.IntN(3) == 0 { // a fresh checkout
			os.RemoveAll(filepath.Join(killed, ".xbuild"))
			os.RemoveAll(filepath.Join(killed, "dist"))
		}
		for range 1 + random.IntN(3) {
			cmd := exec.Command(file, "build", "--no-cache=false")
			cmd.Dir, cmd.Env = killed, environ()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.Int64N(int64(took))))
			pids := []int{cmd.Process.Pid}
			for i := 0; i < len(pids); i++ { // the worker and all below
				list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pids[i]))
				for _, pid := range strings.Fields(string(list)) {
					if id, err := strconv.Atoi(pid); err == nil {
						pids = append(pids, id)
					}
				}
			}
			if random.IntN(2) == 0 { // of these the first alone, or all at once
				pids = pids[:1]
			}
			for _, pid := range slices.Backward(pids) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			cmd.Wait()
		}
		start := time.Now()
		r := xbuild(t, killed, "build", "--no-cache=false")
		if r.code != 0 {
			t.Fatalf("round %d: the build after a kill: %v", round, r)
		}
		took = max(200*time.Millisecond, min(time.Since(start), 3*time.Second))
		build(t, plain)
		want, got := treeOf(t, filepath.Join(plain, "dist")), treeOf(t, filepath.Join(killed, "dist"))
		for name, is := range want {
			if got[name] != is {
				t.Errorf("round %d: %s is %s, want %s", round, name, got[name], is)
			}
		}
		if len(got) != len(want) {
			t.Errorf("round %d: %d files in dist, want %d", round, len(got), len(want))
		}
	}
	// What the last round built was kept.
	want := treeOf(t, filepath.Join(killed, "dist"))
	for _, name := range []string{".xbuild", "dist"} {
		if err := os.RemoveAll(filepath.Join(killed, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := xbuild(t, killed, "build", "--no-cache=false")
	if r.code != 0 || !strings.Contains(r.stderr, "4 from kept results") {
		t.Errorf("a fresh checkout: %v\nwant 4 from kept results", r)
	}
	if got := treeOf(t, filepath.Join(killed, "dist")); !maps.Equal(got, want) {
		t.Errorf("kept results are %v, want %v", got, want)
	}
}
