package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keptPairs are what CI builds: every recipe, and every platform, at least once. The full run builds everything for all
// platforms.
var keptPairs = []struct{ platform, source, target string }{
	{"linux/amd64", "needs", "use_rustlib_go"},
	{"linux/386", "needs", "use_cmake"},
	{"linux/arm64", "needs", "use_go"},
	{"linux/arm/v5", "needs", "use_cc"},
	{"linux/arm/v6", "needs", "use_autotools"},
	{"linux/arm/v7", "node", "checksum"},
	{"linux/ppc64le", "needs", "use_meson"},
	{"linux/s390x", "needs", "use_make"},
	{"linux/riscv64", "needs", "use_rust"},
	{"linux/mips64le", "needs", "use_cc"},
	{"linux/loong64", "needs", "use_cc"},
}

// TestKept: what is taken from kept results, in a directory elsewhere, is byte for byte what is built without them.
func TestKept(t *testing.T) {
	needNetwork(t)
	check := func(t *testing.T, source string, args ...string) {
		t.Parallel()
		copied := func(dir string) string {
			if source == "node" {
				return exampleIn(t, source, dir)
			}
			if err := os.CopyFS(dir, os.DirFS("testdata/"+source)); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		top := t.TempDir()
		first, kept, taken := copied(filepath.Join(top, "built")), copied(filepath.Join(top, "kept")), copied(filepath.Join(top, "some/where/else"))
		build(t, first, args...)
		for _, dir := range []string{kept, taken} { // as they are in a checkout
			copyLocks(t, first, dir)
		}
		build(t, kept, append(args, "--no-cache=false")...)
		r := xbuild(t, taken, append([]string{"build", "--no-cache=false"}, args...)...)
		if r.code != 0 || !strings.Contains(r.stderr, "xbuild: 0 built, ") || !strings.Contains(r.stderr, " from kept results") {
			t.Errorf("in another directory: %v\nwant all from kept results", r)
		}
		want := treeOf(t, filepath.Join(first, "dist"))
		for _, dir := range []string{kept, taken} {
			got := treeOf(t, filepath.Join(dir, "dist"))
			for name, is := range want {
				if got[name] != is {
					t.Errorf("%s in %s: %s, and built without the cache %s", name, filepath.Base(dir), got[name], is)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files in %s, and built without the cache %d", len(got), filepath.Base(dir), len(want))
			}
		}
		r = xbuild(t, taken, append([]string{"build", "--no-cache=false"}, args...)...)
		if r.code != 0 || !strings.Contains(r.stderr, "xbuild: 0 built, ") || strings.Contains(r.stderr, "from kept results") {
			t.Errorf("once more: %v\nwant nothing to be done", r)
		}
	}
	if full() {
		for _, source := range []string{"needs", "node"} {
			t.Run(source, func(t *testing.T) { check(t, source) })
		}
		return
	}
	for _, pair := range keptPairs {
		t.Run(pair.platform, func(t *testing.T) { check(t, pair.source, pair.target, "-p", pair.platform) })
	}
}

// copyLocks copies the lock files of one project to another.
func copyLocks(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"xbuild.lock", "*/Cargo.lock"} {
		found, err := filepath.Glob(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			rel, err := filepath.Rel(from, file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, rel), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// treeOf is what each file of a tree is: its mode, and its link or the digest of its content.
func treeOf(t *testing.T, top string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		is := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			is += " " + to
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			is += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		out[rel] = is
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
