package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/archive"
)

// TestIndexParts: an index that is written and read is the same one, and what two have in common lies in equal files.
func TestIndexParts(t *testing.T) {
	index := func(arch string, without string) *archive.Index {
		t.Helper()
		var b strings.Builder
		for _, name := range []string{"apt", "base-files", "libapt-doc", "libapt", "liba", "python3", "adduser"} { // the last out of order
			of := arch
			if name != "apt" && name != "libapt" {
				of = "all"
			}
			if name != without {
				fmt.Fprintf(&b, "Package: %s\nVersion: 1\nArchitecture: %s\nFilename: pool/%s.deb\nSize: 1\nSHA256: %064d\n\n", name, of, name, len(name))
			}
		}
		ix, err := archive.ParsePackages(strings.NewReader(strings.TrimRight(b.String(), "\n")))
		if err != nil {
			t.Fatal(err)
		}
		return ix
	}
	written := func(ix *archive.Index) map[string]string {
		t.Helper()
		dir := t.TempDir()
		if err := writeIndex(ix, dir); err != nil {
			t.Fatal(err)
		}
		back, err := readIndex(dir)
		if err != nil {
			t.Fatal(err)
		}
		is, err := back.Names()
		if err != nil {
			t.Fatal(err)
		}
		names, err := ix.Names()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(is, names) || back.Len() != ix.Len() {
			t.Errorf("read again it has %v, want %v", is, names)
		}
		for _, name := range names {
			was, err := ix.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			if is, err := back.Lookup(name); err != nil || fmt.Sprint(is) != fmt.Sprint(was) {
				t.Errorf("%s is %v, %v, want %v", name, is, err, was)
			}
		}
		files := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(text)
		}
		return files
	}
	amd64, arm64 := written(index("amd64", "")), written(index("arm64", "base-files"))
	for name, same := range map[string]bool{"own": false, "all-a": true, "all-liba": true, "all-p": true, "all-b": false} {
		if amd64[name] == "" || (amd64[name] == arm64[name]) != same {
			t.Errorf("part %s: %d and %d bytes, want the same: %v", name, len(amd64[name]), len(arm64[name]), same)
		}
	}
}
