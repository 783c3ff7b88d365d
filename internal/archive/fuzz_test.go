package archive

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
)

func FuzzRelease(f *testing.F) {
	f.Add([]byte("Suite: stable\nCodename: trixie\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nSHA256:\n " + zeros + " 7 main/binary-amd64/Packages.xz\n"))
	f.Add([]byte("Suite: x\nSHA256:\n " + zeros + " 7 ../../etc/passwd\n"))
	f.Add([]byte("SHA256:\n\n 1 2 3\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRelease(data)
		if err != nil {
			return
		}
		for name, h := range r.Files {
			if !validSHA256(h.SHA256) || h.Size < 0 || !localPath(name) || path.Clean(name) != name {
				t.Errorf("took file %q with %+v", name, h)
			}
		}
	})
}

func FuzzInRelease(f *testing.F) {
	key, err := archivetest.NewKey("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	good, err := archivetest.Sign(key, signedText, archivetest.DefaultDate)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	keys := []byte(nil)
	var pub bytes.Buffer
	if err := key.Serialize(&pub); err != nil {
		f.Fatal(err)
	}
	keys = pub.Bytes()
	want, err := verifyWith(keys, good)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// The fuzzer does not have the key: nothing but the one text may verify.
		if got, err := verifyWith(keys, data); err == nil && !bytes.Equal(bytes.TrimRight(got, "\n"), bytes.TrimRight(want, "\n")) {
			t.Errorf("%q passed for signed", got)
		}
	})
}

func verifyWith(keyring, data []byte) ([]byte, error) {
	keys, err := ReadKeyring(keyring)
	if err != nil {
		return nil, err
	}
	return VerifyInRelease(keys, data)
}

func FuzzPackages(f *testing.F) {
	f.Add([]byte(packages("a 1;Depends: b | c (>= 1), d:any;Provides: x (= 1)\nb 2;Pre-Depends: a\nb 1")))
	f.Add([]byte("Package: a\n\n\nPackage: a\nDepends: b\n c"))
	f.Add([]byte("Package: a\nVersion: 1\nDirectory: pool\nChecksums-Sha256:\n " + zeros + " 1 a.dsc\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ix, err := ParsePackages(bytes.NewReader(data)); err == nil {
			names, err := ix.Names()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				found, err := ix.Lookup(name)
				if err != nil {
					continue
				}
				for _, p := range found {
					if p.Name != name || !localPath(p.Filename) || p.Size < 0 || !validSHA256(p.SHA256) {
						t.Errorf("took %+v for %q", p, name)
					}
				}
				Resolve(ix, []string{name}, ResolveOptions{Skip: []string{"lib*"}})
			}
		}
		if s, err := ParseSources(bytes.NewReader(data)); err == nil {
			names, err := s.index.Names()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				found, _ := s.Lookup(name)
				for _, p := range found {
					for _, file := range p.Files {
						if !localPath(p.Directory) || strings.Contains(file.Name, "/") || file.Name == ".." || file.Size < 0 {
							t.Errorf("took %+v", p)
						}
					}
				}
			}
		}
	})
}

func FuzzDependency(f *testing.F) {
	for _, s := range []string{"a", "a | b (>= 1:2.0-1~x), c:any", "a (<< 1) ,,", "a [amd64] <!nocheck>", "a (", ") (", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		groups, err := ParseDependencies(s)
		if err != nil {
			return
		}
		for _, g := range groups {
			for _, d := range g {
				again, err := ParseDependencies(d.String())
				if err != nil || len(again) != 1 || len(again[0]) != 1 || again[0][0] != d {
					t.Errorf("%q: %+v is written %q and read back as %v, %v", s, d, d.String(), again, err)
				}
			}
		}
	})
}

func FuzzDeb(f *testing.F) {
	for _, c := range []string{"xz", "gz", "zst", "none"} {
		deb, err := archivetest.Deb(archivetest.Package{Name: "p", Compression: c, Files: []file{{Name: "./x", Body: "x"}, {Name: "./l", Link: "x"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(deb)
	}
	f.Add([]byte("!<arch>\n"))
	f.Fuzz(func(t *testing.T, deb []byte) {
		m, err := member(bytes.NewReader(deb), int64(len(deb)), "data.tar")
		if err != nil {
			return
		}
		if m.Size() > int64(len(deb)) {
			t.Errorf("data of %d bytes in a file of %d", m.Size(), len(deb))
		}
		z, err := NewReader(m, m.Size())
		if err != nil {
			return
		}
		defer z.Close()
		io.CopyN(io.Discard, z, 1<<20)
	})
}

func FuzzXZ(f *testing.F) {
	for _, size := range []int64{0, 100, 1000} {
		x, err := archivetest.XZ(sample(3000), size)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := NewXZReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		defer z.Close()
		io.CopyN(io.Discard, z, 1<<20)
	})
}

func FuzzUnpack(f *testing.F) {
	for _, files := range [][]file{
		{{Name: "./a/b", Body: "x"}, {Name: "./a/l", Link: "b"}, {Name: "./a/h", HardLink: "./a/b"}},
		{{Name: "../x", Body: "x"}},
		{{Name: "./l", Link: "/"}, {Name: "./l/l/x", Body: "x"}},
		{{Name: "./lib/l", Link: "../../x"}, {Name: "./lib/l/y", Body: "x"}},
		{{Name: "./a", Link: "b"}, {Name: "./b", Link: "a"}, {Name: "./a/x"}},
		{{Name: "./a/b", Link: "../d"}, {Name: "./a/b/l", Link: "../../x"}, {Name: "./a/b/l/y"}},
	} {
		data, err := archivetest.Tar(files)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true, 0)
		f.Add(data, false, 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, merge bool, strip int) {
		if len(data) > 1<<16 {
			return
		}
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		// Twice: the second finds the first's links in its way.
		for range 2 {
			UnpackTar(t.Context(), bytes.NewReader(data), int64(len(data)), dir, UnpackOptions{UsrMerge: merge, Strip: strip & 3})
		}
		checkInside(t, outer)
	})
}
