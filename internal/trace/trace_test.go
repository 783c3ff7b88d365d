//go:build linux && (amd64 || arm64)

package trace

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// need ends a test on a machine that lets nobody trace: what it is about is not there then.
func need(t *testing.T) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skipf("this machine does not let a program trace its children: %v", err)
	}
}

// below records what happens in a directory.
func below(dir string) *Record {
	return &Record{
		Ignore: func(path string) bool { return !strings.HasPrefix(path, dir) },
		Reader: func(argv []string, _ string) string { return filepath.Base(argv[0]) },
	}
}

func shell(t *testing.T, r *Record, dir, script string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err := r.Run(cmd, "")
	return log.String(), err
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRecord(t *testing.T) {
	need(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"read", "linked", "sub/inner", "up/one", "asked"} {
		put(t, filepath.Join(dir, name), "text\n")
	}
	if err := os.Symlink("linked", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	r := below(dir)
	log, err := shell(t, r, dir, `cat read link; (cd sub && cat inner ../up/one); test -e asked; test -e absent; ls sub; echo new >made; mv made moved; echo out >&1; echo err >&2`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "text\ntext\ntext\ntext\ninner\nout\nerr\n"; log != want {
		t.Errorf("the log is %q, want %q", log, want)
	}
	files := r.Files()
	for name, want := range map[string]struct {
		reader string
		wrote  bool
	}{
		"read": {"cat", false}, "link": {"cat", false}, "sub/inner": {"cat", false}, "up/one": {"cat", false},
		"asked": {"sh", false}, "absent": {"sh", false}, "sub/": {"ls", false}, "made": {"", true}, "moved": {"", true},
	} {
		f, ok := files[dir+"/"+name]
		if !ok {
			t.Errorf("%s was not seen", name)
			continue
		}
		if opened, looked := f.Readers[want.reader]; want.reader != "" && (!looked || opened != (want.reader != "sh")) || f.Written != want.wrote {
			t.Errorf("%s: %+v, want %+v", name, f, want)
		}
	}
	if f := files[filepath.Join(dir, "absent")]; f.Stamp != (Stamp{}) {
		t.Errorf("a file that is not there has the stamp %+v", f.Stamp)
	}
	if got, want := files[filepath.Join(dir, "read")].Stamp, StampOf(filepath.Join(dir, "read")); got != want {
		t.Errorf("the stamp is %+v, want %+v", got, want)
	}
	if !slices.Contains(r.Ran(), "ls") {
		t.Errorf("ran: %q", r.Ran())
	}
}

// TestEnd: what a command says of itself by its end is what a caller gets.
func TestEnd(t *testing.T) {
	need(t)
	dir := t.TempDir()
	var exit *exec.ExitError
	if _, err := shell(t, below(dir), dir, "exit 7"); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exit 7 gave %v", err)
	}
	if _, err := shell(t, below(dir), dir, "kill -SEGV $$"); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGSEGV {
		t.Errorf("SIGSEGV gave %v", err)
	}
	if err := below(dir).Run(exec.Command(filepath.Join(dir, "none")), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there gave %v", err)
	}
	if log, err := shell(t, below(dir), dir, "trap 'echo got' USR1; kill -USR1 $$"); err != nil || log != "got\n" {
		t.Errorf("a signal to itself: %q, %v", log, err)
	}
	// What it leaves behind does not go on with files: nobody would see it.
	late := filepath.Join(dir, "late")
	if _, err := shell(t, below(dir), dir, "(sleep 0.3; : >late) >/dev/null 2>&1 &"); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Second)
	if _, err := os.Stat(late); err == nil {
		t.Error("a process that outlived its command made a file")
	}
}

// TestMany: threads, processes and commands side by side.
func TestMany(t *testing.T) {
	need(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		put(t, filepath.Join(dir, fmt.Sprintf("f%d", i)), "x")
	}
	r := below(dir)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := shell(t, r, dir, `for i in 0 1 2 3 4 5 6 7 8 9; do (for j in "" 1 2 3 4; do cat f$j$i >/dev/null & done; wait) & done; wait`); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	files := r.Files()
	for i := range 50 {
		if !files[filepath.Join(dir, fmt.Sprintf("f%d", i))].Readers["cat"] {
			t.Errorf("f%d was not seen", i)
		}
	}
}

// BenchmarkRun compares a shell that starts many programs with and without being watched.
func BenchmarkRun(b *testing.B) {
	if err := Supported(); err != nil {
		b.Skip(err)
	}
	script := `i=0; while [ $i -lt 100 ]; do cat /etc/hostname >/dev/null; test -e /nothing/$i; i=$((i+1)); done`
	sh, _ := exec.LookPath("sh")
	b.Run("watched", func(b *testing.B) {
		for range b.N {
			r := &Record{Ignore: func(path string) bool { return !strings.HasPrefix(path, "/nothing") }, Reader: func(argv []string, _ string) string { return argv[0] }}
			if err := r.Run(exec.Command(sh, "-c", script), ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unwatched", func(b *testing.B) {
		for range b.N {
			if err := exec.Command(sh, "-c", script).Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
