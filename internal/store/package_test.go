package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A file that several use is dropped by the last of them, and one that another has fetched meanwhile is left.
func TestHold(t *testing.T) {
	s := open(t)
	hold := func() *Held {
		t.Helper()
		h, ok := s.Hold(sum("text"))
		if !ok {
			t.Fatal("the file cannot be held")
		}
		return h
	}
	has := func(want bool, when string) {
		t.Helper()
		if _, ok := s.File(sum("text")); ok != want {
			t.Errorf("%s: the file is there: %v", when, ok)
		}
	}
	if _, ok := s.Hold(sum("text")); ok {
		t.Error("a file that is not there is held")
	}
	add(t, s, "text")
	a, b := hold(), hold()
	a.Drop()
	has(true, "dropped by one of two")
	b.Drop()
	has(false, "dropped by both")

	add(t, s, "text")
	a = hold()
	a.Release()
	has(true, "released")

	a = hold()
	if err := os.Remove(a.Path()); err != nil {
		t.Fatal(err)
	}
	add(t, s, "text")
	a.Drop()
	has(true, "dropped after it was removed and fetched anew")
	clean(t, s)
}

// record plants a tree and records its content as a package's, as it lies in a directory of its own.
func record(t *testing.T, s *Store, name, note string) (tree string) {
	t.Helper()
	dir, done, err := s.TempDir(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	library := filepath.Join(dir, "usr/lib/liba.so.1")
	err = errors.Join(os.MkdirAll(filepath.Dir(library), 0o755), os.WriteFile(library, []byte("library of "+name), 0o755),
		os.Symlink("liba.so.1", filepath.Join(dir, "usr/lib/liba.so")), os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), name, dir, note, nil); err != nil {
		t.Fatal(err)
	}
	tree, err = s.Tree(t.Context(), "of-"+name, func(tmp, _ string) error {
		return errors.Join(os.Mkdir(filepath.Join(tmp, "moved"), 0o755), os.Link(library, filepath.Join(tmp, "moved/liba.so.1")))
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// What a package held comes out of the trees, wherever they have it, as long as they have all of it.
func TestPackages(t *testing.T) {
	s := open(t)
	tree := record(t, s, "a", "a note\nof two lines")
	damaged := record(t, s, "b", "")
	gone := record(t, s, "c", "")
	if err := s.removeTree(filepath.Base(gone)); err != nil {
		t.Fatal(err)
	}
	packages := func(want ...string) map[string]*Package {
		t.Helper()
		found, err := s.Packages([]string{"a", "b", "c", "never", "../../etc/passwd"})
		if err != nil || len(found) != len(want) {
			t.Fatalf("found %v, %v, want %v", found, err, want)
		}
		for _, name := range want {
			if found[name] == nil {
				t.Fatalf("found %v, want %v", found, want)
			}
		}
		return found
	}
	found := packages("a", "b")
	if found["a"].Note != "a note\nof two lines" {
		t.Errorf("the note is %q", found["a"].Note)
	}
	put, done, err := s.TempDir(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := found["a"].Put(t.Context(), put, nil); err != nil {
		t.Fatal(err)
	}
	to, _ := os.Readlink(filepath.Join(put, "usr/lib/liba.so"))
	empty, err := os.Stat(filepath.Join(put, "empty"))
	if to != "liba.so.1" || err != nil || empty.Size() != 0 {
		t.Errorf("the link leads to %q, and the empty file is %v, %v", to, empty, err)
	}
	there, err := os.Stat(filepath.Join(tree, "moved/liba.so.1"))
	if err != nil {
		t.Fatal(err)
	}
	if here, err := os.Stat(filepath.Join(put, "usr/lib/liba.so.1")); err != nil || !os.SameFile(here, there) {
		t.Errorf("the file is not the tree's: %v", err)
	}

	// A tree that was damaged, or removed meanwhile, gives nothing.
	library := filepath.Join(damaged, "moved/liba.so.1")
	for _, damage := range []func() error{
		func() error { return os.WriteFile(library, []byte("Library of b"), 0o755) },
		func() error { return os.Remove(library) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		put, done, err := s.TempDir(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if err := found["b"].Put(t.Context(), put, nil); !errors.Is(err, ErrGone) {
			t.Errorf("the content of a damaged tree was put: %v", err)
		}
	}

	// What is no record as it was written is none.
	path := filepath.Join(s.Dir(), "packages", "a")
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	packages("b")
	var problems []Problem
	if _, err := s.Verify(t.Context(), true, func(p Problem) { problems = append(problems, p) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(problems[len(problems)-1].String(), "record "+path+" is damaged") || exists(path) {
		t.Errorf("Verify finds %v, want the record, removed", problems)
	}
}

// Records go with what else was not used.
func TestGCOfRecords(t *testing.T) {
	s := open(t)
	record(t, s, "old", "")
	record(t, s, "used", "")
	old := time.Now().Add(-30 * 24 * time.Hour)
	for _, name := range []string{"old", "used"} {
		if err := os.Chtimes(filepath.Join(s.Dir(), "packages", name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.Packages([]string{"used"}); err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if _, err := s.GC(t.Context(), nil, 7*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if names, err := s.records(); err != nil || len(names) != 1 || names[0] != "used" {
		t.Errorf("GC left %v, %v, want the record that was used", names, err)
	}
}

// A store of before has no folder for records, and none is needed to read it.
func TestStoreWithoutRecords(t *testing.T) {
	s := open(t)
	if err := os.Remove(filepath.Join(s.Dir(), "packages")); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s.Dir())
	if found, err := s.Packages([]string{"a"}); err != nil || len(found) > 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := s.Verify(t.Context(), false, nil); err != nil {
		t.Error(err)
	}
	record(t, s, "a", "")
	if found, err := s.Packages([]string{"a"}); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(recordHead + "\"note\"\n" + manifestHead))
	f.Add([]byte(recordHead + "\"\"\n" + manifestHead + "d 0755 - \"a\"\nf 0644 3 \"a/b\" " + strings.Repeat("0", 64) + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		note, list, err := decodeRecord(text)
		if err != nil {
			return
		}
		if _, again, err := decodeRecord(append([]byte(recordHead+strconv.Quote(note)+"\n"), list.encode()...)); err != nil || len(again) != len(list) {
			t.Errorf("%q is read as %d entries, and then as %d, %v", text, len(list), len(again), err)
		}
	})
}

// A hash is computed once for a file, by whatever names, and again for one that was written to.
func TestSums(t *testing.T) {
	s := open(t)
	apart, done, err := s.TempDir(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var sums Sums
	for _, name := range []string{"same", "written"} {
		if err := os.WriteFile(filepath.Join(apart, name), []byte("1234"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Record(t.Context(), "p", apart, "", &sums); err != nil {
		t.Fatal(err)
	}
	same, err := os.Stat(filepath.Join(apart, "same"))
	if err != nil || sums.of(same) != sum("1234") {
		t.Fatalf("the hash is %q, %v", sums.of(same), err)
	}
	sums.add(place(same), sum("not computed again"))
	tree, err := s.TreeOf(t.Context(), "t", &sums, func(tmp, _ string) error {
		written := filepath.Join(tmp, "written")
		return errors.Join(os.Link(filepath.Join(apart, "same"), filepath.Join(tmp, "other name")), os.Link(filepath.Join(apart, "written"), written),
			os.WriteFile(written, []byte("4321"), 0o644), os.Chtimes(written, time.Time{}, time.Now().Add(time.Hour)))
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(tree + manifestSuffix)
	if err != nil || !strings.Contains(string(text), sum("not computed again")) || !strings.Contains(string(text), sum("4321")) {
		t.Errorf("the manifest is\n%s%v", text, err)
	}
}
