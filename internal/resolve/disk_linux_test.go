package resolve

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/store"
)

// TestFullDisk: a full disk is no mirror's fault, wherever it is met.
func TestFullDisk(t *testing.T) {
	test := archivetest.New(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	met := 0
	for pages := range 24 {
		a, notices := open(t, test)
		var err error
		if a.Store, err = store.Open(filepath.Join(dir, "store")); err != nil {
			t.Fatal(err)
		}
		filler := filepath.Join(dir, "filler")
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		page := make([]byte, 4096)
		for err == nil {
			_, err = f.Write(page)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(info.Size()-int64(pages)*4096), f.Close()); err != nil {
			t.Fatal(err)
		}
		_, _, err = a.Debian().Index(t.Context(), "trixie", "amd64")
		if err == nil {
			break
		}
		met++
		if !strings.Contains(err.Error(), "no space left") || strings.Contains(err.Error(), "mirror") || len(*notices) > 0 {
			t.Errorf("with %d pages: error %v, said %q", pages, err, *notices)
		}
		if err := errors.Join(os.Remove(filler), os.RemoveAll(filepath.Join(dir, "store"))); err != nil {
			t.Fatal(err)
		}
	}
	if met < 2 {
		t.Errorf("the disk was full %d times", met)
	}
}
