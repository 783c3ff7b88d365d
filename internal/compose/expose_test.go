package compose

import (
	"os"
	"path/filepath"
	"testing"
)

// TestExpose: what matches gets a link, the newest of one name, and what a package has there itself stays.
func TestExpose(t *testing.T) {
	tree := t.TempDir()
	for _, f := range []string{"usr/lib/llvm-18/lib/libomp.so", "usr/lib/llvm-19/lib/libomp.so", "usr/lib/llvm-19/include/omp.h", "usr/lib/llvm-19/include/ompt.h", "usr/include/ompt.h"} {
		if err := os.MkdirAll(filepath.Join(tree, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, f), []byte(f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := expose(tree, map[string]string{"usr/lib/x": "usr/lib/llvm-*/lib/libomp.so", "usr/include": "usr/lib/llvm-*/include/*.h", "usr/share": "usr/nothing/*"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"usr/lib/x/libomp.so": "usr/lib/llvm-19/lib/libomp.so", "usr/include/omp.h": "usr/lib/llvm-19/include/omp.h", "usr/include/ompt.h": "usr/include/ompt.h"} {
		if got, err := os.ReadFile(filepath.Join(tree, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if to, err := os.Readlink(filepath.Join(tree, "usr/lib/x/libomp.so")); err != nil || to != "../llvm-19/lib/libomp.so" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if _, err := os.Stat(filepath.Join(tree, "usr/share")); !os.IsNotExist(err) {
		t.Errorf("a directory without links was made: %v", err)
	}
}
