package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestBuildsAtOnce: two builds with two stores run no more jobs than there are cores, by themselves and below make, and
// what a killed one had is the other's.
func TestBuildsAtOnce(t *testing.T) {
	t.Parallel()
	heeded(t)
	tmp, runs := t.TempDir(), t.TempDir()
	project := func() func(more ...string) *exec.Cmd {
		dir, build := slowProject(t, `touch "$RUNS/$$"; ls "$RUNS" | grep -c '^[0-9]' >>"$RUNS/counts"; sleep 0.3; rm "$RUNS/$$"; echo x >"$OUT"`)
		data, err := os.ReadFile(filepath.Join(dir, "xbuild.toml"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data), `"linux/amd64"`, `"linux/amd64", "linux/arm64", "linux/386", "linux/s390x", "linux/riscv64"`, 1)
		script, err := os.ReadFile(filepath.Join(dir, "bin/go"))
		if err != nil {
			t.Fatal(err)
		}
		script = []byte(strings.Replace(string(script), "RULE=", "RUNS='"+runs+"' RULE=", 1))
		for name, data := range map[string]string{"xbuild.toml": text, "bin/go": string(script)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return func(more ...string) *exec.Cmd {
			if err := os.RemoveAll(filepath.Join(dir, ".xbuild")); err != nil {
				t.Fatal(err)
			}
			return build(append(more, "XBUILD_TRACE=off", "XDG_RUNTIME_DIR="+tmp, "GOMAXPROCS=2")...)
		}
	}
	most := func() (n, jobs int) {
		data, _ := os.ReadFile(filepath.Join(runs, "counts"))
		for _, word := range strings.Fields(string(data)) {
			count, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			n, jobs = max(n, count), jobs+1
		}
		os.Remove(filepath.Join(runs, "counts"))
		return n, jobs
	}
	one, two := project(), project()

	a, b := one(), two()
	for _, cmd := range []*exec.Cmd{a, b} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range []*exec.Cmd{a, b} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("a build of two: %v", err)
		}
	}
	if n, jobs := most(); n != 2 || jobs != 10 {
		t.Errorf("two builds ran %d jobs, %d at once: want 10, 2 at once", jobs, n)
	}

	a, b = one(), two()
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "jobs of the first", func() bool { _, err := os.Stat(filepath.Join(runs, "counts")); return err == nil })
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(children(t, a.Process.Pid), a.Process.Pid) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	a.Wait()
	if err := b.Wait(); err != nil {
		t.Errorf("a build beside one that was killed: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(runs, "[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		os.Remove(f) // of the killed one
	}
	most()
	if b = two(); b.Run() != nil {
		t.Error("the build after that failed")
	}
	if n, _ := most(); n != 2 {
		t.Errorf("after a kill %d jobs run at once, want 2", n)
	}

	if _, err := exec.LookPath("make"); err != nil {
		return
	}
	a, b = one(), two()
	makefile := filepath.Join(t.TempDir(), "Makefile")
	text := "all: a b\na:\n\t+cd '" + a.Dir + "' && '" + a.Path + "' build\nb:\n\t+cd '" + b.Dir + "' && PATH='" + b.Dir + "/bin':\"$$PATH\" '" + b.Path + "' build\n"
	if err := os.WriteFile(makefile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-j3", "-f", makefile)
	cmd.Env = append(a.Env, "MAKEFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "make: ") {
		t.Errorf("builds below make: %v\n%s", err, out)
	}
	if n, jobs := most(); n != 3 || jobs != 10 {
		t.Errorf("two builds below make -j3 ran %d jobs, %d at once: want 10, 3 at once", jobs, n)
	}
}
