package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mount puts a small file system somewhere; only root can.
func mount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	s := reopen(t, filepath.Join(mount(t), "store"))
	big := bytes.Repeat([]byte("x"), 2<<20)
	full := func(name string, err error, words ...string) {
		t.Helper()
		var e *FullError
		if !errors.As(err, &e) {
			t.Errorf("%s: error is %v, want a FullError", name, err)
			return
		}
		for _, w := range append(words, s.Dir(), "XBUILD_STORE") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error is %q, want %q in it", name, err, w)
			}
		}
		clean(t, s)
		if files, trees, _ := s.list(); len(files)+len(trees) > 0 {
			t.Errorf("%s: %v %v were left", name, files, trees)
		}
	}
	_, err := s.AddFile(t.Context(), sum("x"), int64(len(big)), func(string) error { return errors.New("written, though it cannot fit") })
	full("known size", err, fmt.Sprintf("%d bytes wanted", len(big)))
	_, err = s.AddFile(t.Context(), sum(string(big)), 0, func(tmp string) error { return os.WriteFile(tmp, big, 0o644) })
	full("unknown size", err)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v is not ENOSPC", err)
	}
	_, err = s.Tree(t.Context(), "k", func(tmp, _ string) error {
		return fmt.Errorf("unpacking: %w", os.WriteFile(filepath.Join(tmp, "f"), big, 0o644))
	})
	full("tree", err, "bytes wanted")
	add(t, s, "small")
}

func TestReadOnly(t *testing.T) {
	dir := mount(t)
	s := reopen(t, filepath.Join(dir, "store"))
	p := add(t, s, "have")
	tree := plant(t, s, "have")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s.Dir())
	if got, ok := s.File(sum("have")); !ok || got != p {
		t.Error("the file cannot be used")
	}
	if got, err := s.Tree(t.Context(), "have", nil); err != nil || got != tree {
		t.Errorf("the tree cannot be used: %v", err)
	}
	if got, err := s.AddFile(t.Context(), sum("have"), 4, nil); err != nil || got != p {
		t.Errorf("the file cannot be used: %v", err)
	}
	release, err := s.Use(t.Context())
	if err != nil {
		t.Fatalf("a read-only store cannot be used: %v", err)
	}
	release()
	if sum, err := s.Verify(t.Context(), false, nil); err != nil || sum.Problems != 0 {
		t.Errorf("Verify says %+v, %v", sum, err)
	}
	for name, do := range map[string]func() error{
		"AddFile": func() error { _, err := s.AddFile(t.Context(), sum("new"), 3, writer("new")); return err },
		"Tree":    func() error { _, err := s.Tree(t.Context(), "new", nil); return err },
		"TempDir": func() error { _, _, err := s.TempDir(t.Context(), "x"); return err },
		"Open":    func() error { _, err := Open(filepath.Join(dir, "other")); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "cannot be written") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error is %v, want it to name the store and say that it cannot be written", name, err)
		}
	}
}

// The same for a user without rights, which root is never.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	base, err := os.MkdirTemp("", "store")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	exe, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(base, 0o755), os.WriteFile(filepath.Join(base, "helper"), exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := reopen(t, filepath.Join(base, "store"))
	run := func() ([]byte, error) {
		cmd := exec.Command(filepath.Join(base, "helper"), "slow-tree", s.Dir())
		cmd.Env = append(os.Environ(), "STORE_HELPER=1")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return cmd.CombinedOutput()
	}
	if out, err := run(); err == nil || !strings.Contains(string(out), "cannot be written") {
		t.Errorf("a store of another user: %s, %v, want an error that says it cannot be written", out, err)
	}
	plant(t, s, "shared")
	if out, err := run(); err != nil || len(out) > 0 {
		t.Errorf("a warm store of another user cannot be used: %s, %v", out, err)
	}
}
