package scan

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNamed(t *testing.T) {
	dir := tree(t, map[string]string{"b.c": "", "a.c": "", "sub/x.cc": "", "../up.c": ""})
	var f Files
	got, err := f.Named(dir, []string{"**/*.cc", "*.c", "a.c", "../up.c"})
	if want := []string{"sub/x.cc", "a.c", "b.c", "../up.c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := f.Named(dir, []string{"*.c", "*.d"}); err == nil || !strings.HasPrefix(err.Error(), `"*.d" matches no file in `) {
		t.Errorf("a glob without a file: %v", err)
	}
}

func TestEnding(t *testing.T) {
	dir := tree(t, map[string]string{"a.c": "", "deep/x.cpp": ""})
	for glob, want := range map[string]bool{"**": true, "*.c": false, "./deep/*": true, "none/*": false} {
		var f Files
		if got, err := f.Ending(dir, []string{glob}, []string{".cpp"}); got != want || err != nil {
			t.Errorf("%s: %v, %v", glob, got, err)
		}
	}
}

// TestMentions: what was read once is not read again, because targets and platforms ask for the same.
func TestMentions(t *testing.T) {
	dir := tree(t, map[string]string{"Makefile": "x: y\n\tflex -o $@ y\n", "plain/Makefile": "all:\n"})
	var f Files
	word := regexp.MustCompile(`\bflex\b`)
	if got, err := f.Mentions(dir, []string{"*.mk", "Makefile"}, word); !got || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := f.Mentions(filepath.Join(dir, "plain"), []string{"Makefile"}, word); got || err != nil {
		t.Errorf("without the word: %v, %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "Makefile")); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Mentions(dir, []string{"*.mk", "Makefile"}, word); !got || err != nil {
		t.Errorf("asked again: %v, %v", got, err)
	}
	if got, err := f.Mentions(filepath.Join(dir, "none"), []string{"Makefile"}, word); got || err != nil {
		t.Errorf("no directory: %v, %v", got, err)
	}
}

func TestUpwards(t *testing.T) {
	dir := tree(t, map[string]string{"Cargo.toml": "", "a/b/c": ""})
	var f Files
	if got := f.Upwards(filepath.Join(dir, "a/b"), []string{"Cargo.lock", "Cargo.toml"}); got != dir {
		t.Errorf("%s, want %s", got, dir)
	}
	if got, want := f.Upwards(filepath.Join(dir, "a/b"), []string{"no such file of a test"}), filepath.Join(dir, "a/b"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := f.Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
