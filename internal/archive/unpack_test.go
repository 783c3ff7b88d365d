package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xbuild/internal/archive/archivetest"
)

type file = archivetest.File

// unpack makes a .deb of the files and unpacks it.
func unpack(t testing.TB, dir string, opt UnpackOptions, files ...file) error {
	t.Helper()
	deb, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: "none", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), dir, opt)
}

// listing shows a tree: one line an entry, with modes, contents and links.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			name += "/"
			if st.Mode().Perm() != 0o755 {
				name += fmt.Sprintf(" %o", st.Mode().Perm())
			}
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			name += " -> " + target
		default:
			body, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			name += fmt.Sprintf(" %o %s", uint32(st.Mode().Perm())|uint32(st.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)), body)
			if n := st.Sys().(*syscall.Stat_t).Nlink; n > 1 {
				name += fmt.Sprintf(" x%d", n)
			}
		}
		lines = append(lines, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestUnpack(t *testing.T) {
	for _, c := range []struct {
		name  string
		opt   UnpackOptions
		files []file
		want  []string
	}{
		{name: "modes", files: []file{
			{Name: "./", Dir: true}, {Name: "./d", Dir: true, Mode: 0o700}, {Name: "./d/x", Body: "b", Mode: 0o4755}, {Name: "./d/secret", Mode: 0o004}, {Name: "./d/w", Mode: 0o2775}},
			want: []string{"d/", "d/secret 604 ", "d/w 775 ", "d/x 755 b"}},
		{name: "parents that have no entry", files: []file{{Name: "a/b/c", Body: "x"}}, want: []string{"a/", "a/b/", "a/b/c 644 x"}},
		{name: "links", files: []file{
			{Name: "./usr/lib/t/libx.so.1", Body: "x"}, {Name: "./usr/lib/t/libx.so", Link: "libx.so.1"}, {Name: "./usr/lib/t/up", Link: "../../share/doc"},
			{Name: "./usr/lib/t/abs", Link: "/lib/t/liby.so"}, {Name: "./top", Link: "/"}, {Name: "./usr/root", Link: "/"}, {Name: "./etc", Link: "usr/etc/"}},
			want: []string{"etc -> usr/etc", "top -> .", "usr/", "usr/lib/", "usr/lib/t/", "usr/lib/t/abs -> ../../../lib/t/liby.so", "usr/lib/t/libx.so -> libx.so.1",
				"usr/lib/t/libx.so.1 644 x", "usr/lib/t/up -> ../../share/doc", "usr/root -> .."}},
		{name: "hard links", files: []file{{Name: "./bin/perl", Body: "p", Mode: 0o755}, {Name: "./bin/perl5", HardLink: "./bin/perl"}, {Name: "./perl", HardLink: "bin/perl"}},
			want: []string{"bin/", "bin/perl 755 p x3", "bin/perl5 755 p x3", "perl 755 p x3"}},
		{name: "hard links to what is left out", opt: UnpackOptions{Keep: []string{"keep/**"}}, files: []file{
			{Name: "./other/x", Body: "p", Mode: 0o755}, {Name: "./keep/x", HardLink: "./other/x"}, {Name: "./keep/y", HardLink: "./other/x"}, {Name: "./other/z", HardLink: "./other/x"}},
			want: []string{"keep/", "keep/x 755 p x2", "keep/y 755 p x2"}},
		{name: "keep and drop", opt: UnpackOptions{Keep: []string{"usr/lib/**", "usr/include/*.h", "etc/one"}, Drop: []string{"**/*.a", "usr/lib/gcc/**"}}, files: []file{
			{Name: "./usr/lib/x.so"}, {Name: "./usr/lib/x.a"}, {Name: "./usr/lib/gcc/x"}, {Name: "./usr/include/a.h"}, {Name: "./usr/include/sub/b.h"},
			{Name: "./etc/one"}, {Name: "./etc/two"}, {Name: "./usr/share/doc/", Dir: true}},
			want: []string{"etc/", "etc/one 644 ", "usr/", "usr/include/", "usr/include/a.h 644 ", "usr/lib/", "usr/lib/x.so 644 "}},
		{name: "what was dropped taken back", opt: UnpackOptions{Drop: []string{"usr/bin/**", "!usr/bin/*-config", "usr/bin/py*"}}, files: []file{
			{Name: "./usr/bin/a-config"}, {Name: "./usr/bin/a"}, {Name: "./usr/bin/py-config"}, {Name: "./usr/bin/sub/b-config"}, {Name: "./usr/lib/a"}},
			want: []string{"usr/", "usr/bin/", "usr/bin/a-config 644 ", "usr/lib/", "usr/lib/a 644 "}},
		{name: "usr-merge", opt: UnpackOptions{UsrMerge: true}, files: []file{
			{Name: "./lib", Dir: true}, {Name: "./lib/t/ld.so", Body: "ld"}, {Name: "./lib64/ld.so", Link: "/lib/t/ld.so"}, {Name: "./lib64/ld2.so", Link: "../lib/t/ld.so"},
			{Name: "./usr/lib/t/libm.so", Link: "/lib/t/libm.so.6"}, {Name: "./usr/lib/t/libn.so", Link: "../../../lib/t/libn.so.6"}, {Name: "./sbin", Link: "usr/sbin"},
			{Name: "./library", Body: "not lib"}, {Name: "./bin/hard", HardLink: "./lib/t/ld.so"}},
			want: []string{"library 644 not lib", "usr/", "usr/bin/", "usr/bin/hard 644 ld x2", "usr/lib/", "usr/lib/t/", "usr/lib/t/ld.so 644 ld x2", "usr/lib/t/libm.so -> libm.so.6",
				"usr/lib/t/libn.so -> libn.so.6", "usr/lib64/", "usr/lib64/ld.so -> ../lib/t/ld.so", "usr/lib64/ld2.so -> ../lib/t/ld.so"}},
		{name: "map", opt: UnpackOptions{MapPath: func(p string) string {
			if strings.HasPrefix(p, "usr/share/") {
				return ""
			}
			return strings.TrimPrefix(p, "usr/")
		}}, files: []file{
			{Name: "./usr/bin/x", Body: "x"}, {Name: "./usr/share/d"}, {Name: "./usr/lib/x", Link: "../bin/x"}, {Name: "./y", Link: "usr/bin/x"}, {Name: "./z", HardLink: "usr/bin/x"}},
			want: []string{"bin/", "bin/x 644 x x2", "lib/", "lib/x -> ../bin/x", "y -> bin/x", "z 644 x x2"}},
		{name: "strip", opt: UnpackOptions{Strip: 1}, files: []file{
			{Name: "src-1.0", Dir: true}, {Name: "src-1.0/a/x", Body: "x"}, {Name: "src-1.0/l", Link: "a/x"}, {Name: "src-1.0/a/up", Link: "../l"}, {Name: "src-1.0/a/top", Link: ".."}, {Name: "src-1.0/h", HardLink: "src-1.0/a/x"}},
			want: []string{"a/", "a/top -> ..", "a/up -> ../l", "a/x 644 x x2", "h 644 x x2", "l -> a/x"}},
		{name: "through a link inside", files: []file{{Name: "./lib", Link: "usr/lib"}, {Name: "./lib/x", Body: "x"}, {Name: "./lib/up", Link: "../bin/y"}},
			want: []string{"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/up -> ../../bin/y", "usr/lib/x 644 x"}},
		{name: "the same file twice", files: []file{{Name: "./x", Body: "x"}, {Name: "./x", Body: "x"}, {Name: "./l", Link: "x"}, {Name: "l", Link: "/x"}, {Name: "h", HardLink: "x"}, {Name: "h", HardLink: "x"}},
			want: []string{"h 644 x x2", "l -> x", "x 644 x x2"}},
		{name: "a directory for a link to one", files: []file{{Name: "d/x"}, {Name: "l", Link: "d"}, {Name: "l", Dir: true}},
			want: []string{"d/", "d/x 644 ", "l -> d"}},
		{name: "two dots in a name", files: []file{{Name: "./..a/b..", Body: "x"}}, want: []string{"..a/", "..a/b.. 644 x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := unpack(t, dir, c.opt, c.files...); err != nil {
				t.Fatal(err)
			}
			if got, want := listing(t, dir), strings.Join(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Nothing of these may be seen outside, whatever they try.
func TestUnpackRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		opt   UnpackOptions
		files []file
		want  error  // nil: any
		entry string // that the error names
	}{
		{name: "parent", files: []file{{Name: "../x", Body: "x"}}, want: ErrEscape, entry: "../x"},
		{name: "parent inside", files: []file{{Name: "./a/../../x", Body: "x"}}, want: ErrEscape, entry: "./a/../../x"},
		{name: "parent directory", files: []file{{Name: "../d", Dir: true}}, want: ErrEscape},
		{name: "absolute", files: []file{{Name: "/x", Body: "x"}}, want: ErrEscape},
		{name: "link out", files: []file{{Name: "./l", Link: "../x"}}, want: ErrEscape, entry: "./l"},
		{name: "deep link out", files: []file{{Name: "./a/b/l", Link: "../../../x"}}, want: ErrEscape},
		{name: "link out by a detour", files: []file{{Name: "./a/b/l", Link: "c/../../../../x"}}, want: ErrEscape},
		{name: "link stripped out", opt: UnpackOptions{Strip: 2}, files: []file{{Name: "a/b/l", Link: "../../x"}}, want: ErrEscape},
		{name: "hard link out", files: []file{{Name: "./h", HardLink: "../x"}}, want: ErrEscape, entry: "./h"},
		{name: "absolute hard link", files: []file{{Name: "./h", HardLink: "/etc/passwd"}}, want: ErrEscape},
		{name: "hard link to nothing", files: []file{{Name: "./h", HardLink: "./x"}}, entry: "h"},
		{name: "mapped out", opt: UnpackOptions{MapPath: func(string) string { return "a/../../x" }}, files: []file{{Name: "./x", Body: "x"}}, want: ErrEscape},
		{name: "character device", files: []file{{Name: "./null", Type: tar.TypeChar}}, entry: "./null"},
		{name: "block device", files: []file{{Name: "./sda", Type: tar.TypeBlock}}},
		{name: "fifo", files: []file{{Name: "./pipe", Type: tar.TypeFifo}}},
		{name: "another file", files: []file{{Name: "./x", Body: "x"}, {Name: "./x", Body: "y"}}, want: ErrClash, entry: "./x"},
		{name: "a longer file", files: []file{{Name: "./x", Body: "x"}, {Name: "./x", Body: "xy"}}, want: ErrClash},
		{name: "a shorter file", files: []file{{Name: "./x", Body: "xy"}, {Name: "./x", Body: "x"}}, want: ErrClash},
		{name: "another mode", files: []file{{Name: "./x"}, {Name: "./x", Mode: 0o755}}, want: ErrClash},
		{name: "another link", files: []file{{Name: "./l", Link: "a"}, {Name: "./l", Link: "b"}}, want: ErrClash},
		{name: "a link over a directory", files: []file{{Name: "./d/x"}, {Name: "./d", Link: "a"}}, want: ErrClash},
		{name: "a file over a link", files: []file{{Name: "./l", Link: "x"}, {Name: "./l", Body: "x"}}, want: ErrClash},
		{name: "a directory over a file", files: []file{{Name: "./x"}, {Name: "./x/y"}}, want: ErrClash},
		{name: "a link to itself", files: []file{{Name: "./l", Link: "l"}}},
		{name: "links in a circle", files: []file{{Name: "./a", Link: "b"}, {Name: "./b", Link: "a"}, {Name: "./a/x"}}},
		{name: "a long name", files: []file{{Name: strings.Repeat("a/", 4000) + "b"}}},
		{name: "a malformed pattern", opt: UnpackOptions{Keep: []string{"[a"}}, files: []file{{Name: "x"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := unpack(t, dir, c.opt, c.files...)
			if err == nil {
				t.Errorf("no error; unpacked\n%s", listing(t, dir))
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.entry != "" && !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", c.entry)) {
				t.Errorf("the error does not name the entry %q: %v", c.entry, err)
			}
			checkInside(t, outer)
		})
	}
}

// checkInside fails if anything lies beside in/, or a link in it leads out.
func checkInside(t testing.TB, outer string) {
	t.Helper()
	entries, err := os.ReadDir(outer)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the directory lies %v, %v", entries, err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(outer, "in"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		target, err := os.Readlink(p)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			t.Errorf("%s is a link to the absolute %s", p, target)
		}
		// Where it leads, as far as that exists; names that do not exist add depth only.
		at := filepath.Dir(p)
		for part := range strings.SplitSeq(target, "/") {
			at = filepath.Join(at, part)
			if real, err := filepath.EvalSymlinks(at); err == nil {
				at = real
			}
			if at != dir && !strings.HasPrefix(at, dir+"/") {
				t.Errorf("%s is a link to %s, which leads to %s", p, target, at)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A link may lie elsewhere than its name says, behind another link; what counts
// is where it really lies.
func TestUnpackLinkBehindLink(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// By name, a/b/l lies two deep; really it lies in d, one deep.
	if err := unpack(t, dir, UnpackOptions{}, file{Name: "./a/b", Link: "../d"}, file{Name: "./a/b/l", Link: "../../x"}, file{Name: "./a/b/l/y", Body: "y"}); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, dir), "a/\na/b -> ../d\nd/\nd/l -> ../x\nx/\nx/y 644 y"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	checkInside(t, outer)
}

// A link that was there before, made by somebody else, is no way out either.
func TestUnpackThroughForeignLink(t *testing.T) {
	for _, target := range []string{"..", "../../", "/tmp", "d/../../.."} {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.MkdirAll(filepath.Join(dir, "d"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, "lib")); err != nil {
			t.Fatal(err)
		}
		for _, f := range []file{{Name: "./lib/x", Body: "x"}, {Name: "./lib/d", Dir: true}, {Name: "./lib/l", Link: "x"}} {
			if err := unpack(t, dir, UnpackOptions{}, f); !errors.Is(err, ErrEscape) {
				t.Errorf("%s through a link to %s: got %v, want ErrEscape", f.Name, target, err)
			}
		}
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Errorf("through a link to %s: wrote %v", target, entries)
		}
	}
}

func TestUnpackCompressions(t *testing.T) {
	body := string(sample(300_000))
	for _, p := range []archivetest.Package{
		{Compression: "xz"}, {Compression: "xz", BlockSize: 64 << 10}, {Compression: "gz"}, {Compression: "zst"}, {Compression: "none"},
	} {
		p.Name, p.Files = "p", []file{{Name: "./big", Body: body}, {Name: "./small", Body: "s"}}
		deb, err := archivetest.Deb(p)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), dir, UnpackOptions{}); err != nil {
			t.Errorf("%s: %v", p.Compression, err)
		}
		if got, want := listing(t, dir), "big 644 "+body+"\nsmall 644 s"; got != want {
			t.Errorf("%s: unpacked something else", p.Compression)
		}
		// Damage anywhere in compressed data must show.
		if p.Compression != "none" {
			bad := bytes.Clone(deb)
			bad[len(bad)-2000] ^= 4
			if err := Unpack(t.Context(), bytes.NewReader(bad), int64(len(bad)), t.TempDir(), UnpackOptions{}); err == nil {
				t.Errorf("%s: damaged data was unpacked", p.Compression)
			}
		}
	}
}

func TestUnpackBadDeb(t *testing.T) {
	good, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: "none", Files: []file{{Name: "./x"}}})
	if err != nil {
		t.Fatal(err)
	}
	member := func(name, body string) file { return file{Name: name, Body: body} }
	for name, deb := range map[string][]byte{
		"empty":           nil,
		"text":            []byte("<html>"),
		"only a magic":    good[:8],
		"cut":             good[:len(good)-700],
		"no data":         archivetest.Ar([]file{member("debian-binary", "2.0\n")}),
		"another version": archivetest.Ar([]file{member("debian-binary", "3.0\n"), member("data.tar", "")}),
		"no version":      archivetest.Ar([]file{member("data.tar", "")}),
		"huge size":       bytes.Replace(good, []byte("4         `"), []byte("9999999999`"), 1),
		"negative size":   bytes.Replace(good, []byte("4         `"), []byte("-4        `"), 1),
		"many members":    archivetest.Ar(slices.Repeat([]file{member("debian-binary", "2.0\n")}, 100)),
	} {
		if err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), t.TempDir(), UnpackOptions{}); !errors.Is(err, ErrDeb) {
			t.Errorf("%s: got %v, want ErrDeb", name, err)
		}
	}
}

// Many packages into one directory at once, which share directories and a file.
func TestUnpackTogether(t *testing.T) {
	shared := string(sample(200_000))
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 16 {
		deb, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: "gz", Files: []file{
			{Name: "./lib/t/shared", Body: shared}, {Name: "./lib/t/link", Link: "shared"}, {Name: "./lib/t/hard", HardLink: "./lib/t/shared"},
			{Name: fmt.Sprintf("./usr/lib/t/own%d", i), Body: "own"}}})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), dir, UnpackOptions{UsrMerge: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := strings.Count(listing(t, dir), "own"); got != 2*16 { // in the name and as the content
		t.Errorf("%d own files, want 16", got/2)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "usr/lib/t/hard")); err != nil || string(b) != shared {
		t.Errorf("the shared file is damaged: %d bytes, %v", len(b), err)
	}
}

func TestUsrMergeLinks(t *testing.T) {
	dir := t.TempDir()
	if err := unpack(t, dir, UnpackOptions{UsrMerge: true}, file{Name: "./lib/x"}, file{Name: "./usr/bin/y"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := UsrMergeLinks(dir); err != nil {
			t.Fatal(err)
		}
	}
	want := "bin -> usr/bin\nlib -> usr/lib\nusr/\nusr/bin/\nusr/bin/y 644 \nusr/lib/\nusr/lib/x 644 "
	if got := listing(t, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := UsrMergeLinks(dir); !errors.Is(err, ErrClash) {
		t.Errorf("a real sbin: got %v, want ErrClash", err)
	}
}

// A package that fails half way leaves nothing that another would wait for.
func TestUnpackAfterFailure(t *testing.T) {
	data, err := archivetest.Tar([]file{{Name: "./x", Body: string(sample(10_000))}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := UnpackTar(t.Context(), bytes.NewReader(data[:5000]), 5000, dir, UnpackOptions{}); err == nil {
		t.Fatal("a tar that is cut short was unpacked")
	}
	if got := listing(t, dir); got != "" {
		t.Errorf("half a file is left: %.40s", got)
	}
	if err := UnpackTar(t.Context(), bytes.NewReader(data), int64(len(data)), dir, UnpackOptions{}); err != nil {
		t.Error(err)
	}
}

// A header can promise any size, and a sparse file delivers it out of nothing.
func TestUnpackBomb(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "./hole", Typeflag: tar.TypeReg, Size: 1, Format: tar.FormatPAX, Mode: 0o644,
		PAXRecords: map[string]string{"VENDOR.x": "y"}}); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Replace(b.Bytes(), []byte("VENDOR.x=y"), []byte("size=99999"), 1)
	if bytes.Equal(bomb, b.Bytes()) {
		t.Fatal("no PAX record found")
	}
	bomb = append(bomb, make([]byte, 1024)...)
	if err := UnpackTar(t.Context(), bytes.NewReader(bomb), int64(len(bomb)), t.TempDir(), UnpackOptions{}); err == nil {
		t.Error("a file that is cut short was unpacked")
	}
	zeros, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: "zst", Files: []file{{Name: "./zeros", Body: string(make([]byte, 40<<20))}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Unpack(t.Context(), bytes.NewReader(zeros), int64(len(zeros)), t.TempDir(), UnpackOptions{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("40 MiB out of %d bytes: got %v", len(zeros), err)
	}
	// What is left out is decompressed all the same.
	for name, opt := range map[string]UnpackOptions{"dropped": {Drop: []string{"zeros"}}, "not kept": {Keep: []string{"other"}}, "mapped away": {MapPath: func(string) string { return "" }}} {
		if err := Unpack(t.Context(), bytes.NewReader(zeros), int64(len(zeros)), t.TempDir(), opt); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("40 MiB out of %d bytes, %s: got %v", len(zeros), name, err)
		}
	}
}

// TestUnpackStops ends the context in the middle of a package.
func TestUnpackStops(t *testing.T) {
	size := shorter(24 << 20)
	noise := make([]byte, size)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(noise)
	for _, compression := range []string{"none", "gz", "zst"} {
		deb, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: compression, Files: []file{{Name: "./noise", Body: string(noise)}, {Name: "./more", Body: string(noise)}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, opt := range []UnpackOptions{{}, {Drop: []string{"**"}}} {
			ctx, cancel := context.WithCancel(t.Context())
			slow := readerAt(func(p []byte, off int64) (int, error) {
				if off > int64(size/12) {
					cancel()
				}
				return bytes.NewReader(deb).ReadAt(p, off)
			})
			dir := t.TempDir()
			err = Unpack(ctx, slow, int64(len(deb)), dir, opt)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want %v", compression, err, context.Canceled)
			}
			if info, err := os.Stat(filepath.Join(dir, "noise")); err == nil && info.Size() > int64(size/2) {
				t.Errorf("%s: it went on for %d bytes", compression, info.Size())
			}
		}
	}
}

type readerAt func(p []byte, off int64) (int, error)

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r(p, off) }

func TestUnpackKeepsTime(t *testing.T) {
	dir := t.TempDir()
	if err := unpack(t, dir, UnpackOptions{}, file{Name: "./x", Body: "x"}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "x"))
	if err != nil || st.ModTime().Unix() != 1700000000 {
		t.Errorf("modified %v, %v; want the time in the tar", st.ModTime(), err)
	}
}
