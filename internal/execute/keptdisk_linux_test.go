package execute

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xbuild/internal/action"
	"xbuild/internal/cache"
)

// small mounts a disk of so many kilobytes at a directory, which it makes.
func small(t *testing.T, dir string, kilobytes int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kilobytes)); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// TestKeptFullDisk: where the store has no room, or some only, builds succeed and say that they are not kept; what was
// kept is whole. Where dist or the build directory has none, a kept result is an error that says so, and no half file.
func TestKeptFullDisk(t *testing.T) {
	const large = "for i in 1 2 3 4 5 6; do cat SRC/input; done > out"
	text := strings.Repeat("0123456789abcdef", 100<<10/16)
	store := t.TempDir()
	for _, room := range []int{4, 8, 64, 300, 600, 620, 640, 1024} {
		t.Run(fmt.Sprint(room, " kB"), func(t *testing.T) {
			results := filepath.Join(store, cache.Dir)
			small(t, results, room)
			one, two := checkout(t, store, 0), checkout(t, store, 1)
			for _, b := range []*bench{one, two} {
				b.write("src/input", text)
			}
			r := one.one(one.keeping("out", large))
			one.is("out", strings.Repeat(text, 6))
			noted := len(r.Notes) == 1 && strings.HasPrefix(r.Notes[0], "what was built is not kept for other builds: ") && strings.Contains(r.Notes[0], "no space left")
			if noted != (room < 1024) && (room < 600 || room == 1024) {
				t.Errorf("notes %q", r.Notes)
			}
			if got := two.got(two.keeping("out", large)); (got == "kept") == noted {
				t.Errorf("in another checkout it is %s", got)
			}
			two.is("out", strings.Repeat(text, 6))
			if _, damaged, err := cache.New(store).Verify(); err != nil || len(damaged) > 0 {
				t.Errorf("damaged: %q, %v", damaged, err)
			}
			left, err := filepath.Glob(filepath.Join(results, "*/*/.tmp-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
	for _, full := range []string{"dist", ".xbuild"} {
		t.Run(full, func(t *testing.T) {
			store := t.TempDir()
			one, two := checkout(t, store, 0), checkout(t, store, 1)
			for _, b := range []*bench{one, two} {
				b.write("src/input", text)
			}
			one.got(one.keeping("out", large))
			dir := filepath.Join(two.dir, full)
			small(t, dir, 300)
			if full == ".xbuild" { // dist is written through it
				two.write(".xbuild/fills", strings.Repeat("x", 290<<10))
			}
			results, err := Run(t.Context(), &action.Graph{Actions: []*action.Action{two.keeping("out", large)}}, two.opt)
			if err == nil {
				err = results[0].Err
			}
			out := filepath.Join(two.opt.Dist, "linux/arm64/out")
			data, missing := os.ReadFile(out)
			if missing == nil && string(data) != strings.Repeat(text, 6) {
				t.Errorf("half a file is in dist: %d bytes", len(data))
			}
			if err == nil || !strings.Contains(err.Error(), "no space left") {
				t.Errorf("the error does not say why: %v", err)
			}
			unix.Unmount(dir, unix.MNT_DETACH)
			if got := two.got(two.keeping("out", large)); got != "kept" {
				t.Errorf("with room it is %s", got)
			}
			two.is("out", strings.Repeat(text, 6))
		})
	}
}

// TestKeptBitFlips: of a kept file in which one bit has changed nothing is given out.
func TestKeptBitFlips(t *testing.T) {
	store := t.TempDir()
	one := checkout(t, store, 0)
	one.got(one.keeping("out", copies))
	blobs, err := filepath.Glob(filepath.Join(store, cache.Dir, "blobs/*/*"))
	if err != nil || len(blobs) != 1 {
		t.Fatal(blobs, err)
	}
	for _, bit := range []int{0, 7, 12, 23} {
		data, err := os.ReadFile(blobs[0])
		if err != nil || string(data) != "one" {
			t.Fatalf("%q, %v", data, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
		if err := rewrite(blobs[0], string(data)); err != nil {
			t.Fatal(err)
		}
		b := checkout(t, store, 1+bit)
		if got := b.got(b.keeping("out", copies)); got != "built" {
			t.Errorf("bit %d: it is %s", bit, got)
		}
		b.is("out", "one")
	}
}
