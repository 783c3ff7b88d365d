package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A bench is a directory of files.
type bench struct {
	t   *testing.T
	dir string
}

func (b bench) write(name, text string) string {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return file
}

func (b bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b bench) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(b.dir, name))
	return err == nil
}

func (b bench) names(dir string) []string {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.dir, dir))
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func all(string) bool { return false }

// TestCopyTree: links, modes and times are kept, what did not change is left alone, and what the commands made stays.
func TestCopyTree(t *testing.T) {
	b := bench{t, t.TempDir()}
	from, to := filepath.Join(b.dir, "from"), filepath.Join(b.dir, "to")
	b.write("from/Makefile", "all:\n")
	b.write("from/src/a.c", "a")
	b.write("from/.git/HEAD", "x")
	b.write("from/cache/CACHEDIR.TAG", "x")
	b.write("from/skipped/file", "x")
	b.write("from/readonly", "x")
	script := b.write("from/configure", "#!/bin/sh\n")
	for _, err := range []error{os.Chmod(script, 0o755), os.Chmod(filepath.Join(from, "readonly"), 0o444), os.Symlink("src", filepath.Join(from, "link")), os.Symlink("nowhere", filepath.Join(from, "dangling")),
		os.Chtimes(filepath.Join(from, "Makefile"), time.Time{}, time.Unix(1e9, 123456789))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	copied := map[string]string{}
	copy := func() {
		t.Helper()
		if err := CopyTree(from, to, all, []string{filepath.Join(from, "skipped")}, copied); err != nil {
			t.Fatal(err)
		}
	}
	copy()
	if got, want := b.names("to"), []string{"Makefile", "configure", "dangling", "link", "readonly", "src"}; !slices.Equal(got, want) {
		t.Errorf("copied are %q, want %q", got, want)
	}
	info := func(name string) fs.FileInfo {
		t.Helper()
		i, err := os.Lstat(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if !info("Makefile").ModTime().Equal(time.Unix(1e9, 123456789)) || info("configure").Mode().Perm() != 0o755 || info("readonly").Mode().Perm() != 0o644 {
		t.Errorf("time %v, modes %v, %v", info("Makefile").ModTime(), info("configure").Mode(), info("readonly").Mode())
	}
	if l, _ := os.Readlink(filepath.Join(to, "link")); l != "src" {
		t.Errorf("the link leads to %q", l)
	}

	// Again: what changed is copied, what is the same is not written, what was made or changed in the copy stays.
	b.write("to/src/a.o", "made")
	b.write("to/configure", "its own")
	b.write("from/src/a.c", "changed")
	os.Remove(filepath.Join(from, "readonly"))
	os.Remove(filepath.Join(from, "link"))
	os.Symlink("cache", filepath.Join(from, "link"))
	ino := func(name string) uint64 { return info(name).Sys().(*syscall.Stat_t).Ino }
	same := ino("Makefile")
	copy()
	if b.read("to/src/a.c") != "changed" || b.read("to/src/a.o") != "made" || ino("Makefile") != same || b.read("to/configure") != "its own" || b.exists("to/readonly") {
		t.Error("the second copy is not the first one brought up to date")
	}
	if l, _ := os.Readlink(filepath.Join(to, "link")); l != "cache" {
		t.Errorf("the link leads to %q", l)
	}

	if err := syscall.Mkfifo(filepath.Join(from, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CopyTree(from, to, all, nil, copied); err == nil || !strings.Contains(err.Error(), "neither file, directory nor link") {
		t.Errorf("a pipe: error %v", err)
	}
}

// TestReadOnlyTrees: what an install left read-only is removed all the same.
func TestReadOnlyTrees(t *testing.T) {
	b := bench{t, t.TempDir()}
	b.write("tree/a/b/file", "x")
	for _, d := range []string{"tree/a/b", "tree/a"} {
		if err := os.Chmod(filepath.Join(b.dir, d), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveAll(filepath.Join(b.dir, "tree")); err != nil || b.exists("tree") {
		t.Errorf("RemoveAll: %v", err)
	}
}

// TestNames: what is below a directory is told by names and not by their beginnings.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/", "/a", false}} {
		if got := Within(c.path, c.dir); got != c.want {
			t.Errorf("Within(%q, %q) = %v", c.path, c.dir, got)
		}
	}
	if !Matches([]string{"x", "**/*.md"}, "a/b.md") || Matches([]string{"*.md"}, "a/b.md") || Matches([]string{"["}, "a") {
		t.Error("Matches")
	}
	if got := Relative("/a/b", "/a/c"); got != "../c" {
		t.Errorf("Relative: %q", got)
	}
}

// TestLookPath: programs alone are found, in the order of the directories; an empty entry is none.
func TestLookPath(t *testing.T) {
	b := bench{t, t.TempDir()}
	b.write("a/tool", "no program")
	program := b.write("b/tool", "")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "a") + "::" + filepath.Join(b.dir, "b")
	if got, err := LookPath("tool", path); err != nil || got != program {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := LookPath("/x/tool", path); err != nil || got != "/x/tool" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := LookPath("none", path); err == nil || !strings.Contains(err.Error(), `program "none" is neither`) {
		t.Errorf("error %v", err)
	}
}

// TestWrite: a file is replaced whole, and nothing else is left beside it.
func TestWrite(t *testing.T) {
	b := bench{t, t.TempDir()}
	file := b.write("f", "old")
	if err := Write(file, []byte("new")); err != nil || b.read("f") != "new" || len(b.names(".")) != 1 {
		t.Errorf("%v, %q, %q", err, b.read("f"), b.names("."))
	}
	if err := PlaceLink("f", filepath.Join(b.dir, "sub/link")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(filepath.Join(b.dir, "sub/link")); err != nil || to != "f" {
		t.Errorf("%s, %v", to, err)
	}
	if err := CopyFile(file, filepath.Join(b.dir, "deep/copy")); err != nil || b.read("deep/copy") != "new" {
		t.Errorf("CopyFile: %v", err)
	}
}
