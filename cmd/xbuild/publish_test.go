package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	const litter = `ls "$TMPDIR"; echo x >"$TMPDIR/litter"; "$RULE" & `
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
		if out, err := build("TMPDIR=" + tmp).CombinedOutput(); err != nil || !strings.Contains(string(out), "0 built, 1 up to date") {
			t.Errorf("once more: %v\n%s", err, out)
		}
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

// TestOddNames: a project builds, and is up to date afterwards, in a folder of any name that its tools take; another is
// refused before anything is built, with the character. So is a store whose path compilers cannot have.
func TestOddNames(t *testing.T) {
	for _, name := range []string{
		"a b", "a\tb", "a\nb", `a"b`, "a'b", "a`b", "a$HOME", "a&b", "a;b", "a|b", "a<b", "a>b", "a(b)", "a*b", "a?b", "a[b]", "a{b}",
		`a\b`, "a#b", "a!b", "a:b", "a=b", "a,b", "a%b", "a@b", "-a", "é", "a  b ", `it's "a" b`,
	} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			t.Parallel()
			plain, build := slowProject(t, quick)
			started(t, plain)
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Rename(plain, dir); err != nil {
				t.Fatal(err)
			}
			in := func() *exec.Cmd {
				cmd := build()
				cmd.Dir = dir
				for i, kv := range cmd.Env {
					cmd.Env[i] = strings.ReplaceAll(kv, plain, dir)
				}
				if strings.Contains(name, ":") { // no directory of PATH can have one
					if err := os.Symlink(filepath.Join(dir, "bin"), plain); err != nil && !errors.Is(err, fs.ErrExist) {
						t.Fatal(err)
					}
					cmd.Env = append(cmd.Env, "PATH="+plain+":"+os.Getenv("PATH"))
				}
				return cmd
			}
			out, err := in().CombinedOutput()
			if strings.Contains(name, "\n") || strings.Contains(name, "'") && strings.Contains(name, `"`) {
				if err == nil || !strings.Contains(string(out), "[target.slow]: recipe go cannot build in") || !strings.Contains(string(out), "do not take") {
					t.Errorf("%v\n%s", err, out)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if out, err := in().CombinedOutput(); err != nil || !strings.Contains(string(out), "0 built, 1 up to date") {
				t.Errorf("once more: %v\n%s", err, out)
			}
			if got := list(t, filepath.Join(dir, "dist")); got != "artifacts.json linux linux/amd64 linux/amd64/slow" {
				t.Errorf("dist holds %q", got)
			}

			cmd := exec.Command("xbuild", "exec", "-p", "linux/arm64", "--", "cc")
			cmd.Dir = plain
			if err := os.MkdirAll(plain, 0o755); err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(os.Environ(), "XBUILD_STORE="+filepath.Join(t.TempDir(), name), "XBUILD_DEBIAN_MIRROR=http://127.0.0.1:1/debian", "TARGETPLATFORM=", "XBUILD_PLATFORM=")
			said, err := cmd.CombinedOutput()
			refused := strings.Contains(string(said), "in its path, which shells, make and linkers do not take")
			if taken := slices.Contains([]string{"é", "a!b", "a%b", "a@b", "-a"}, name); err == nil || refused == taken {
				t.Errorf("the store: %v\n%s", err, said)
			}
		})
	}
}
