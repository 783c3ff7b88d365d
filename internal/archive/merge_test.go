package archive

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Packages that were unpacked apart become the tree that they are when they are unpacked into one.
func TestMerge(t *testing.T) {
	packages := [][]file{
		{{Name: "./usr/share/real/f", Body: "1"}, {Name: "./usr/share/linked", Link: "real"}, {Name: "./lib/a.so", Link: "../usr/lib/a.so.1"}, {Name: "./usr/lib/a.so.1", Body: "2", Mode: 0o755}},
		{{Name: "./usr/share/linked/g", Body: "3"}, {Name: "./usr/share/linked/up", Link: "../../lib/a.so.1"}, {Name: "./usr/share/linked/top", Link: "/"}},
		{{Name: "./usr/lib/a.so.1", Body: "2", Mode: 0o755}, {Name: "./usr/lib/hard", HardLink: "./usr/lib/a.so.1"}, {Name: "./empty", Dir: true}},
	}
	opt := UnpackOptions{UsrMerge: true}
	direct, merged := t.TempDir(), t.TempDir()
	for _, files := range packages {
		apart := t.TempDir()
		if err := errors.Join(unpack(t, direct, opt, files...), unpack(t, apart, opt, files...), Merge(t.Context(), apart, merged)); err != nil {
			t.Fatal(err)
		}
	}
	links := regexp.MustCompile(` x\d+`) // how many names a file has
	if got, want := links.ReplaceAllString(listing(t, merged), ""), links.ReplaceAllString(listing(t, direct), ""); got != want {
		t.Errorf("merged:\n%s\nunpacked into one:\n%s", got, want)
	}

	for name, clash := range map[string][]file{
		"content":   {{Name: "./usr/lib/a.so.1", Body: "4", Mode: 0o755}},
		"mode":      {{Name: "./usr/lib/a.so.1", Body: "2"}},
		"link":      {{Name: "./lib/a.so", Link: "a.so.2"}},
		"directory": {{Name: "./usr/share/real/f/g"}},
	} {
		apart := t.TempDir()
		if err := unpack(t, apart, opt, clash...); err != nil {
			t.Fatal(err)
		}
		if err := Merge(t.Context(), apart, merged); !errors.Is(err, ErrClash) {
			t.Errorf("%s: %v, want ErrClash", name, err)
		}
	}

	// A directory that a link leads out to is not written to.
	outside, apart, bad := t.TempDir(), t.TempDir(), t.TempDir()
	if err := errors.Join(os.Symlink(outside, filepath.Join(bad, "usr")), unpack(t, apart, opt, file{Name: "./usr/f"})); err != nil {
		t.Fatal(err)
	}
	if err := Merge(t.Context(), apart, bad); !errors.Is(err, ErrEscape) {
		t.Errorf("through a link that leads out: %v", err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside are %v, %v", entries, err)
	}
}
