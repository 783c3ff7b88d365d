package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// quick is a rule that is done at once.
const quick = `echo "$OUT" >"$OUT"`

func started(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "stop")); err != nil {
		t.Fatal(err)
	}
}

// TestLinksOutside: a project that somebody else made does not have this user's files written by links in it.
func TestLinksOutside(t *testing.T) {
	for _, link := range []string{"dist", "dist/linux", "dist/linux/amd64", ".xbuild", ".xbuild/linux", ".xbuild/linux/amd64/slow"} {
		t.Run(link, func(t *testing.T) {
			dir, build := slowProject(t, quick)
			started(t, dir)
			outside := t.TempDir()
			if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755), os.Symlink(outside, filepath.Join(dir, link))); err != nil {
				t.Fatal(err)
			}
			out, err := build().CombinedOutput()
			if err == nil || !strings.Contains(string(out), filepath.Join(dir, link)+" is a link to "+outside) {
				t.Errorf("%v\n%s", err, out)
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
				t.Errorf("outside of the project are %v (%v)", left, err)
			}
		})
	}

	// What the user names is the user's.
	dir, build := slowProject(t, quick)
	started(t, dir)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	cmd := build()
	cmd.Args = append(cmd.Args, "-o", outside)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(outside, "linux/amd64/slow")); err != nil {
		t.Error(err)
	}
}

// TestUmask: an artifact has the same mode whoever builds it, and others can read it.
func TestUmask(t *testing.T) {
	dir, build := slowProject(t, quick+`; chmod +x "$OUT"`)
	started(t, dir)
	cmd := build()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "umask 077; exec xbuild build"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]fs.FileMode{"dist": 0o755, "dist/linux": 0o755, "dist/linux/amd64": 0o755, "dist/linux/amd64/slow": 0o755, "dist/artifacts.json": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
}

// TestNothingElse: dist has the artifacts and no other file, TMPDIR none at all, after a build and after one that was
// killed, also where dist lies on another file system.
func TestNothingElse(t *testing.T) {
	const litter = `echo x >"$TMPDIR/litter"; "$RULE" & `
	for _, kill := range []bool{false, true} {
		dir, build := slowProject(t, litter)
		tmp := t.TempDir()
		if kill {
			cmd := build("TMPDIR=" + tmp)
			begin(t, dir, cmd)
			cmd.Process.Kill()
			cmd.Wait()
		}
		started(t, dir)
		waitFor(t, "the next build", func() bool {
			out, err := build("TMPDIR=" + tmp).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			left, err := os.ReadDir(tmp)
			if err != nil {
				t.Fatal(err)
			}
			return len(left) == 0
		})
		if got := list(t, filepath.Join(dir, "dist")); got != "artifacts.json linux linux/amd64 linux/amd64/slow" {
			t.Errorf("dist holds %q", got)
		}
	}
	if other, err := os.MkdirTemp("/dev/shm", "xbuild-dist-"); err == nil {
		defer os.RemoveAll(other)
		dir, build := slowProject(t, quick)
		started(t, dir)
		cmd := build()
		cmd.Args = append(cmd.Args, "-o", other)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := list(t, other); got != "artifacts.json linux linux/amd64 linux/amd64/slow" {
			t.Errorf("on another file system: dist holds %q", got)
		}
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if rel, rerr := filepath.Rel(dir, path); rerr == nil && rel != "." {
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// TestTargetsSideBySide: builds of single targets at once all come into artifacts.json.
func TestTargetsSideBySide(t *testing.T) {
	const n = 16
	dir, build := slowProject(t, quick)
	started(t, dir)
	text := "[project]\nplatforms = [\"linux/amd64\"]\n[toolchains]\ngo = { source = \"host\" }\n"
	want := []string{"artifacts", "dist"}
	for i := range n {
		text += fmt.Sprintf("[target.t%02d]\nrecipe = \"go\"\nsource = \"src\"\n", i)
		want = append(want, fmt.Sprintf("linux/amd64/t%02d", i))
	}
	if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for i := range n {
		g.Go(func() error {
			cmd := build()
			cmd.Args = append(cmd.Args, fmt.Sprintf("t%02d", i))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "dist/artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range want[2:] {
		if !strings.Contains(string(data), `"`+name+`"`) {
			t.Errorf("artifacts.json lacks %s", name)
		}
	}
}

// TestCompilerIsHeard: what the compiler said is told where dist cannot be written too.
func TestCompilerIsHeard(t *testing.T) {
	dir, build := slowProject(t, `echo "main.c:1: error: this is wrong" >&2; exit 1`)
	started(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, "dist/artifacts.json/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := build().CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"main.c:1: error: this is wrong", "1 of 1 failed", "artifacts.json"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it says\n%s\nwant in it %q", out, want)
		}
	}
}
