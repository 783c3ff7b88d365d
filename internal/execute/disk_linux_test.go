package execute

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk: whatever a command says where there is no room, the user is told.
func TestFullDisk(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	b.opt.Build = dir
	a := b.action("hello", "linux/arm64", "hello", "cat /dev/zero >big 2>/dev/null; kill -BUS $$")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	r := b.run(a)[0]
	if r.Err == nil || len(r.Hints) != 1 || !strings.HasPrefix(r.Hints[0], "the disk is full: 0.") || !strings.Contains(r.Hints[0], dir) {
		t.Errorf("error %v, hints %q", r.Err, r.Hints)
	}
	b.opt.Build = t.TempDir()
	other := b.action("other", "linux/arm64", "hello", "false")
	if r := b.run(other)[0]; r.Err == nil || len(r.Hints) != 0 {
		t.Errorf("a failure with room: %v, hints %q", r.Err, r.Hints)
	}
}
