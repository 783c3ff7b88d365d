package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKeptKilled kills builds that keep and take results at random moments, in two checkouts that share a store: what the
// next build puts into dist is of the sources as they are, and nothing in the store is damaged.
func TestKeptKilled(t *testing.T) {
	t.Parallel()
	heeded(t)
	rounds := 80
	if testing.Short() {
		rounds = 10
	}
	random := rand.New(rand.NewPCG(17, 2))
	// A large file, so that it takes its time to be kept and to be taken.
	const rule = `read v <v.txt; i=0; while test $i -lt 200; do echo "$v $i"; i=$((i+1)); done >part; cat part part part part part part part part >part8; rm part
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat part8; done >"$OUT"; rm part8`
	var dirs []string
	var builds []func(more ...string) *exec.Cmd
	store := filepath.Join(t.TempDir(), "store")
	for range 2 {
		dir, build := slowProject(t, rule)
		dirs, builds = append(dirs, dir), append(builds, func(more ...string) *exec.Cmd { return build(append(more, "XBUILD_STORE="+store)...) })
	}
	want := func(v string) string {
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "%s %d\n", v, i)
		}
		return strings.Repeat(b.String(), 8*16)
	}
	last, i, v := 300*time.Millisecond, 0, ""
	for round := range rounds {
		i = random.IntN(2)
		v = fmt.Sprintf("version %d", random.IntN(4)+round/8)
		if err := os.WriteFile(filepath.Join(dirs[i], "src/v.txt"), []byte(v+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(2) {
			cmd := builds[i]()
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.Int64N(int64(last))))
			for _, pid := range append(children(t, cmd.Process.Pid), cmd.Process.Pid) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			cmd.Wait()
		}
		start := time.Now()
		out, err := builds[i]().CombinedOutput()
		if err != nil {
			t.Fatalf("round %d: the build after the kill: %v\n%s", round, err, out)
		}
		last = max(50*time.Millisecond, min(time.Since(start), time.Second))
		if got, err := os.ReadFile(filepath.Join(dirs[i], "dist/linux/amd64/slow")); err != nil || string(got) != want(v) {
			t.Errorf("round %d: dist holds %d bytes, %.30q (%v), want %q", round, len(got), got, err, v)
		}
	}
	for _, name := range []string{".xbuild", "dist"} {
		if err := os.RemoveAll(filepath.Join(dirs[i], name)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := builds[i]().CombinedOutput(); err != nil || !strings.Contains(string(out), "1 from kept results") {
		t.Errorf("a fresh checkout: %v\n%s\nwant 1 from kept results", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dirs[i], "dist/linux/amd64/slow")); err != nil || string(got) != want(v) {
		t.Errorf("kept was %d bytes, %.30q (%v), want %q", len(got), got, err, v)
	}
	cmd := builds[0]()
	cmd.Args = []string{"xbuild", "cache", "verify"}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 damaged") {
		t.Errorf("%v\n%s", err, out)
	}
}
