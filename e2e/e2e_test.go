// Package e2e tests the xbuild program from outside: it builds real projects with real compilers and runs what came out
// under QEMU.
//
// All of it needs a network (the Debian archive and the Go module proxy) and a store: the user's own, or
// XBUILD_E2E_STORE. -short skips everything. XBUILD_E2E=full runs every example and every upstream source on every
// platform; without it a part is left out to keep the time bounded, but every platform and every recipe is built and
// run at least once.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/platform"
)

var update = flag.Bool("update", false, "write what was measured into docs/platforms.md")

// full reports whether all is to be run.
func full() bool { return os.Getenv("XBUILD_E2E") == "full" }

// eleven are the platforms of examples/all, in the order in which the tables print them.
var eleven = []string{
	"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7",
	"linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le", "linux/loong64",
}

var (
	scratch string // of this run of the tests; removed at its end
	program = sync.OnceValues(func() (string, error) {
		file := filepath.Join(scratch, "bin", "xbuild")
		cmd := exec.Command("go", "build", "-o", file, "xbuild/cmd/xbuild")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build xbuild/cmd/xbuild: %w\n%s", err, out)
		}
		return file, nil
	})
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "xbuild-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}())
}

// needNetwork skips what -short leaves out.
func needNetwork(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches toolchains and sysroots from the network")
	}
}

// A result is what a run of xbuild, or of the program that it became, left behind.
type result struct {
	stdout, stderr string
	code           int            // -1 where a signal ended it
	signal         syscall.Signal // 0 where none did
}

func (r result) String() string {
	end := fmt.Sprintf("exit code %d", r.code)
	if r.signal != 0 {
		end = fmt.Sprintf("ended by signal %d (%v)", int(r.signal), r.signal)
	}
	return fmt.Sprintf("%s\nstdout:\n%sstderr:\n%s", end, r.stdout, r.stderr)
}

// xbuild runs xbuild in a directory. Variables by which the caller's shell chooses platforms and places are left out:
// the test decides on them.
func xbuild(t *testing.T, dir string, args ...string) result {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir = dir
	cmd.Env = environ()
	// An interrupt lets xbuild end its children.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			r.signal = ws.Signal()
		}
	case err != nil:
		t.Fatalf("xbuild %s: %v", strings.Join(args, " "), err)
	}
	return r
}

func environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "TARGETPLATFORM" || strings.HasPrefix(name, "XBUILD_") && name != "XBUILD_STORE" && name != "XBUILD_DEBIAN_MIRROR"
	})
	if s := os.Getenv("XBUILD_E2E_STORE"); s != "" {
		env = append(env, "XBUILD_STORE="+s)
	}
	// What a test builds is built, and not kept from another; those of kept results take the variable away.
	env = append(env, "XBUILD_NO_CACHE=1")
	return append(env, "XBUILD_ALLOW_EXPIRED=1") // the mirror of a test machine may be one of a certain day
}

// build runs xbuild build and reports a failure with the compiler's words; what other platforms built is there all the
// same.
func build(t *testing.T, dir string, args ...string) {
	t.Helper()
	start := time.Now()
	r := xbuild(t, dir, append([]string{"build", "-q"}, args...)...)
	t.Logf("xbuild build %s: %.1f s", strings.Join(args, " "), time.Since(start).Seconds())
	if r.code != 0 {
		t.Errorf("xbuild build %s: %v\n(this test fetches from the Debian archive and the Go module proxy; without a network run go test -short)", strings.Join(args, " "), r)
	}
}

// underQEMU runs a program under QEMU with the CPU model of the platform's baseline.
func underQEMU(t *testing.T, dir, platform, file string, args ...string) result {
	t.Helper()
	return xbuild(t, dir, append([]string{"run", "-q", "--emulate", "-p", platform, "--", file}, args...)...)
}

// built is where a target's file for a platform lies.
func built(dir, name, file string) string {
	p, err := platform.Parse(name)
	if err != nil {
		panic(err) // a name in a test's table
	}
	return filepath.Join(dir, "dist", p.Docker, file)
}

// example copies an example's sources, so that the checkout stays as it is and everything is locked afresh.
func example(t *testing.T, name string) string {
	t.Helper()
	return exampleIn(t, name, t.TempDir())
}

// all is examples/all with all that its xbuild.toml names, built once for the tests that only look at it.
func all(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(scratch, "all")
	if _, err := os.Stat(filepath.Join(dir, "dist", "artifacts.json")); err == nil {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, exampleIn(t, "all", dir))
	return dir
}

func exampleIn(t *testing.T, name, dir string) string {
	t.Helper()
	src := filepath.Join("..", "examples", name)
	err := filepath.WalkDir(src, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, file)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		switch {
		case rel == "dist" || rel == ".xbuild":
			return filepath.SkipDir // of a developer's checkout only the sources count
		case rel == "xbuild.lock":
			return nil
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// write makes the files of a project in a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// edit replaces text in a file of a copy, and fails where it is not there.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q to replace", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(data), old, new)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// quoted is a TOML list of strings.
func quoted(names []string) string {
	var b strings.Builder
	b.WriteString("[")
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", n)
	}
	return b.String() + "]"
}
