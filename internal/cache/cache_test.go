package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var key = strings.Repeat("ab", 32)

func put(t *testing.T, c *Cache, id, text string, set ...string) File {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	sum, size, err := c.Keep(file)
	if err != nil {
		t.Fatal(err)
	}
	f := File{Name: "bin/x", Sum: sum, Size: size, Mode: 0o755}
	if err := c.Put(key, set, id, &Result{What: "x", Files: []File{f}}); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestResults: what was put is what comes back, and nothing else does.
func TestResults(t *testing.T) {
	c := New(t.TempDir())
	if c.Sets(key) != nil || c.Get(key, "one") != nil {
		t.Error("an empty cache has something")
	}
	f := put(t, c, "one", "hello", "c a.c", "c b.h")
	got := c.Get(key, "one")
	if got == nil || !reflect.DeepEqual(got.Files, []File{f}) {
		t.Fatalf("%+v", got)
	}
	var text bytes.Buffer
	if err := c.Restore(f.Sum, &text); err != nil || text.String() != "hello" || !c.Whole(f) {
		t.Errorf("%q, %v", text.String(), err)
	}
	if c.Get(key, "two") != nil || c.Get(strings.Repeat("cd", 32), "one") != nil {
		t.Error("another key or id has it too")
	}
	if got := c.Sets(key); !reflect.DeepEqual(got, [][]string{{"c a.c", "c b.h"}}) {
		t.Errorf("%q", got)
	}
}

// TestSets: of one key the sets used last are kept.
func TestSets(t *testing.T) {
	c := New(t.TempDir())
	for i := range 2 * most {
		name := fmt.Sprint(i)
		put(t, c, name, name, name)
		at := time.Now().Add(time.Duration(i-100) * time.Hour)
		if err := os.Chtimes(filepath.Join(c.key(key), setName([]string{name})), at, at); err != nil {
			t.Fatal(err)
		}
	}
	got := c.Sets(key)
	if len(got) != most || got[0][0] != fmt.Sprint(2*most-1) {
		t.Errorf("%q", got)
	}
}

// TestDamage: of a file that was changed, cut or removed nothing is taken for what it was, and verify finds it.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"changed": func(path string) error { return os.WriteFile(path, []byte("hallo"), 0o644) },
		"cut":     func(path string) error { return os.Truncate(path, 2) },
		"removed": os.Remove,
	} {
		for _, verify := range []bool{false, true} {
			c := New(t.TempDir())
			f := put(t, c, "one", "hello", "c a.c")
			put(t, c, "two", "well", "c a.c")
			if err := os.Chmod(c.Blob(f.Sum), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := damage(c.Blob(f.Sum)); err != nil {
				t.Fatal(err)
			}
			if verify {
				info, damaged, err := c.Verify()
				if err != nil || len(damaged) == 0 || info.Results != 1 || info.Files != 1 || c.Get(key, "one") != nil || c.Get(key, "two") == nil {
					t.Errorf("%s: verify: %+v, %q, %v", name, info, damaged, err)
				}
				continue
			}
			err := c.Restore(f.Sum, &bytes.Buffer{})
			if want := map[string]error{"removed": ErrGone}[name]; !errors.Is(err, ErrDamaged) && (want == nil || !errors.Is(err, want)) {
				t.Errorf("%s: %v", name, err)
			}
			if c.Whole(f) {
				t.Errorf("%s: it is still there", name)
			}
		}
	}
	c := New(t.TempDir())
	put(t, c, "one", "hello", "c a.c")
	path := filepath.Join(c.key(key), "one"+suffixResult)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole { // a result that is cut or has a flipped bit is none, or what it was
		for _, data := range [][]byte{whole[:n], flipped(whole, n)} {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := c.Get(key, "one"); got != nil && (len(got.Files) != 1 || !c.Whole(got.Files[0])) {
				t.Errorf("byte %d: %+v", n, got)
			}
		}
	}
}

func flipped(data []byte, n int) []byte {
	data = bytes.Clone(data)
	data[n] ^= 4
	return data
}

// TestPrune: by age and by size, those used longest ago first; a file that two results have stays as long as one does.
func TestPrune(t *testing.T) {
	fill := func() *Cache {
		c := New(t.TempDir())
		for i, text := range []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("a", 1000)} {
			id := fmt.Sprint(i)
			f := put(t, c, id, text, "c a.c")
			at := time.Now().Add(time.Duration(i-3) * 24 * time.Hour) // three, two and one days ago
			for _, path := range []string{filepath.Join(c.key(key), id+suffixResult), c.Blob(f.Sum)} {
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}
		return c
	}
	for _, x := range []struct {
		age     time.Duration
		max     int64
		left    string
		files   int
		removed int
	}{
		{100 * time.Hour, 0, "012", 2, 0},
		{60 * time.Hour, 0, "12", 2, 1},
		{30 * time.Hour, 0, "2", 1, 2},
		{time.Hour, 0, "", 0, 3},
		{100 * time.Hour, 1500, "02", 1, 1}, // they are the same file
		{100 * time.Hour, 1, "", 0, 3},
	} {
		c := fill()
		got, err := c.Prune(x.age, x.max)
		left := ""
		for i := range 3 {
			if c.Get(key, fmt.Sprint(i)) != nil {
				left += fmt.Sprint(i)
			}
		}
		info, _ := c.Info()
		if err != nil || left != x.left || info.Files != x.files || got.Results != x.removed {
			t.Errorf("%v, %d bytes: left %q, %d files, removed %+v, %v; want %q, %d", x.age, x.max, left, info.Files, got, err, x.left, x.files)
		}
	}
	c := fill()
	if err := c.Trim(60 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := c.Trim(time.Hour); err != nil { // once a day
		t.Fatal(err)
	}
	if info, _ := c.Info(); info.Results != 2 {
		t.Errorf("after two trims: %+v", info)
	}
}

// TestAtOnce: many keep and take the same and other results while another prunes.
func TestAtOnce(t *testing.T) {
	c := New(t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				text := strings.Repeat(fmt.Sprint(j), 10000)
				f := put(t, c, fmt.Sprint(j), text, "c a.c")
				var b bytes.Buffer
				if err := c.Restore(f.Sum, &b); err == nil && b.String() != text {
					t.Errorf("%d: another text", j)
				} else if err != nil && !errors.Is(err, ErrGone) {
					t.Error(err)
				}
				if i == 0 {
					if _, err := c.Prune(time.Hour, 50000); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
