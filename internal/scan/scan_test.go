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

func TestAbove(t *testing.T) {
	tests := []struct {
		name, file, text, want string
	}{
		{"a script beside the source", "Makefile", "ARCH := $(shell ../scripts/arch.sh)\n", ".."},
		{"of a Makefile further down, which lies in the source", "sub/Makefile", "include ../config.mk\n", ""},
		{"of a Makefile further down, above the source", "sub/Makefile", "include ../../common/config.mk\n", ".."},
		{"two up", "Makefile", "CFLAGS += -I../../far/include\n", "../.."},
		{"the highest", "Makefile", "A = ../common/config.mk ../../far/include\n", "../.."},
		{"what is not there", "Makefile", "-include ../local.mk\n", ""},
		{"above what may be seen", "Makefile", "A = ../../../outside\n", ""},
		{"behind a variable, which may be anything", "Makefile", "A = $(TOP)/../common/config.mk\n", ""},
		{"another file", "README", "../scripts/arch.sh\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			top := t.TempDir()
			for name, text := range map[string]string{
				"outside": "", "p/far/include/a.h": "", "p/x/scripts/arch.sh": "", "p/x/common/config.mk": "",
				"p/x/src/config.mk": "", "p/x/src/" + test.file: test.text,
			} {
				name = filepath.Join(top, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var files Files
			got, err := files.Above(filepath.Join(top, "p/x/src"), filepath.Join(top, "p"), []string{"*akefile*", "*/*akefile*"})
			if got != test.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}
