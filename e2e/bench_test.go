//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"xbuild/internal/emulate"
	"xbuild/internal/platform"
)

// What is counted: loops, calls, floating point, strings (with a repeat prefix on x86), 64-bit division by the
// compiler's library.
const counted = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile unsigned long long divisor = 7;
static char from[5000], to[5000];

__attribute__((noinline)) unsigned long long work(unsigned n) {
	unsigned long long sum = 1;
	for (unsigned i = 0; i < n; i++)
		sum = sum * 31 + sum / divisor + i;
	return sum;
}

int main(int argc, char **argv) {
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	memset(from, n, sizeof from);
	memcpy(to, from, n % sizeof from);
	printf("%llu %.3f %d\n", work(n), n / 3.0, memcmp(from, to, sizeof from));
	return 0;
}
`

// TestCount holds the instructions that xbuild counts against QEMU's own one at a time, on every platform, to the last
// one.
func TestCount(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"count.c":     counted,
		"xbuild.toml": "[project]\nplatforms = " + quoted(eleven) + "\n[toolchains]\nqemu = \">=10\"\n[target.count]\nrecipe = \"cc\"\nsources = [\"count.c\"]\nstatic = true\nbench = [\"count\", \"300\"]\n",
	})
	build(t, dir)
	r := xbuild(t, dir, "exec", "-q", "--", "sh", "-c", "command -v qemu-aarch64")
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	qemu := filepath.Dir(strings.TrimSpace(r.stdout))
	for _, name := range eleven {
		t.Run(name, func(t *testing.T) {
			// The same addresses each time, or a copy of an odd length may take another way. The setting is this
			// thread's and its children's, and ends with the thread.
			runtime.LockOSThread()
			const addrNoRandomize = 0x0040000 // personality(2)
			if _, _, errno := syscall.Syscall(syscall.SYS_PERSONALITY, addrNoRandomize, 0, 0); errno != 0 {
				t.Skipf("the kernel refuses a fixed layout of addresses: %v", errno)
			}
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.Baseline("", nil)
			if err != nil {
				t.Fatal(err)
			}
			program, err := emulate.Open(built(dir, name, "count"))
			if err != nil {
				t.Fatal(err)
			}
			argv, err := emulate.Emulated(program, qemu, "", p, b, []string{"300"})
			if err != nil {
				t.Fatal(err)
			}
			var out, single bytes.Buffer
			n, err := emulate.Count(t.Context(), argv, func(cmd *exec.Cmd) error {
				cmd.Env, cmd.Stdout = []string{"A=b"}, &out
				return cmd.Run()
			})
			if err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(t.TempDir(), "log")
			cmd := exec.CommandContext(t.Context(), argv[0], append([]string{"-one-insn-per-tb", "-d", "exec,nochain", "-D", log}, argv[1:]...)...)
			cmd.Env, cmd.Stdout = []string{"A=b"}, &single
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(log)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var want uint64
			for lines := bufio.NewScanner(f); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "Trace ") {
					want++
				}
			}
			if n != want || n < 10000 || out.String() != single.String() {
				t.Errorf("%d instructions counted, %d one at a time; it printed %q and %q", n, want, out.String(), single.String())
			}
		})
	}
}

// TestBench: variants are other builds with other figures; threads are counted; a program that forks is not.
func TestBench(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"sum/sum.c": `#include <stdio.h>
float a[256], b[256];
int main(int argc, char **argv) {
	float total = 0;
	for (int i = 0; i < 256; i++) a[i] = i % 7, b[i] = i % 5 * argc;
	for (int r = 0; r < 500; r++) {
		float sum = 0;
		for (int i = 0; i < 256; i++) sum += a[i] * b[i];
		a[r % 256] = sum / 1e6f;
		total += sum;
	}
	printf("%.0f\n", total);
	return 0;
}
`,
		"threads/threads.c": `#include <pthread.h>
static void *work(void *n) { for (volatile int i = 0; i < 20000; i++); return n; }
int main(void) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
	return 0;
}
`,
		"forks/forks.c": `#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int cmp(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void) {
	int x[100];
	for (int i = 0; i < 100; i++) x[i] = i * 37 % 101;
	if (fork() == 0) {
		for (int i = 0; i < 100; i++) { x[i % 100] = i; qsort(x, 100, sizeof *x, cmp); }
		printf("%d\n", x[3]);
		exit(0);
	}
	for (int i = 0; i < 300; i++) printf("%d %s\n", i, getenv("PATH"));
	wait(0);
	return 0;
}
`,
		"xbuild.toml": `[project]
platforms = ["linux/arm/v7", "linux/arm64"]
[target.sum]
recipe = "cc"
source = "sum"
sources = ["sum.c"]
opt = "3"
cflags = ["-ffast-math"]
bench = ["sum"]
[target.threads]
recipe = "cc"
source = "threads"
sources = ["threads.c"]
opt = "0"
bench = ["threads"]
[target.forks]
recipe = "cc"
source = "forks"
sources = ["forks.c"]
bench = ["forks"]
`,
	})
	type figure struct {
		Target, Platform, Measured, Error string
		Features                          []string
		Instructions                      uint64
		Wall                              any `json:"wall_seconds"`
	}
	bench := func(args ...string) ([]figure, result) {
		t.Helper()
		r := xbuild(t, dir, append([]string{"bench", "-q", "--json"}, args...)...)
		var list []figure
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
			t.Fatalf("%v: %v", err, r)
		}
		return list, r
	}

	list, r := bench("--with", "neon", "--with", "sve", "sum")
	if r.code != 0 || len(list) != 4 {
		t.Fatalf("want two platforms with a variant each: %v", r)
	}
	for i, want := range []struct {
		platform, feature string
		atMost            float64 // of the platform's own
	}{{"linux/arm/v7", "", 1}, {"linux/arm/v7", "neon", 0.5}, {"linux/arm64", "", 1}, {"linux/arm64", "sve", 0.8}} {
		f := list[i]
		own := list[i-i%2]
		if f.Platform != want.platform || strings.Join(f.Features, "") != want.feature || f.Measured != "emulated" || f.Wall != nil || f.Instructions < 10000 ||
			float64(f.Instructions) > want.atMost*float64(own.Instructions) {
			t.Errorf("%+v, want %+v of %d", f, want, own.Instructions)
		}
	}

	if list, r := bench("threads"); r.code != 0 || len(list) != 2 || list[0].Instructions < 4*20000*3 || list[1].Instructions < 4*20000*3 {
		t.Errorf("four threads of 20000 rounds: %v", r)
	}
	if list, r := bench("forks"); r.code != 1 || len(list) != 2 || !strings.Contains(list[0].Error, "cannot be counted") || list[0].Instructions != 0 {
		t.Errorf("a program that forks: %v", r)
	}
}
