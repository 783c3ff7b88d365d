package node

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDropFlags(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"HID.target.mk": {"CFLAGS := \\\n\t-g \\\n\t-exceptions \\\n\t-O0\n\nCXX := \\\n\t-g \\\n\t-exceptions\n\nA := b\n", "CFLAGS := \\\n\t-g \\\n\t-O0\n\nCXX := \\\n\t-g \\\n\n\nA := b\n"},
		"sub/x.mk":      {"CFLAGS := \\\n\t-fexceptions \\\n\t-fno-exceptions\n", "CFLAGS := \\\n\t-fexceptions \\\n\t-fno-exceptions\n"},
		"Makefile":      {"\t-exceptions\n", "\t-exceptions\n"},
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := DropFlags(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	if err := DropFlags(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
