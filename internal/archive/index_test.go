package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"
)

var zeros = strings.Repeat("0", 64)

// packages makes an index: each line is "name version" and further fields after
// semicolons.
func packages(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		f := strings.Split(strings.TrimSpace(line), ";")
		if f[0] == "" {
			continue
		}
		name, version, _ := strings.Cut(f[0], " ")
		b.WriteString("Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\nMaintainer: somebody\n")
		for _, more := range f[1:] {
			b.WriteString(strings.TrimSpace(more) + "\n")
		}
		b.WriteString("Filename: pool/main/x/" + name + ".deb\nSize: 1\nSHA256: " + zeros + "\nDescription: words\n more words\n .\n Package: not a field\n\n")
	}
	return b.String()
}

func TestParsePackages(t *testing.T) {
	text := "Package: libfoo1\nSource: foo (1:2.0-1)\nVersion: 1:2.0-1+b1\nArchitecture: arm64\nMulti-Arch: same\nEssential: yes\n" +
		"Priority: optional\nPre-Depends: a (>= 1)\nDepends: b | c:any,\n d (<< 3)\nProvides: foo-abi (= 2), bar\n" +
		"Description: Depends: nothing\n Depends: z\nFilename: pool/main/f/foo/libfoo1.deb\nSize: 12\nSHA256: " + zeros + "\n" +
		"\n\n" + packages("last 1")
	for name, r := range map[string]io.Reader{
		"whole":        strings.NewReader(text),
		"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"no end":       strings.NewReader(strings.TrimRight(text, "\n")),
	} {
		ix, err := ParsePackages(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if names, err := ix.Names(); err != nil || strings.Join(names, " ") != "last libfoo1" || ix.Len() != 2 {
			t.Errorf("%s: names %q, %v, %d stanzas", name, names, err, ix.Len())
		}
		var b strings.Builder
		of := ""
		if err := ix.Each(func(name, arch, stanza string) error {
			b.WriteString(stanza)
			of += name + "/" + arch + " "
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if of != "libfoo1/arm64 last/amd64 " {
			t.Errorf("%s: the stanzas are of %s", name, of)
		}
		texts := func(ix *Index) (all []string) {
			for i := range ix.Len() {
				s, err := ix.stanza(i)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, strings.TrimRight(s.text, "\n"))
			}
			return all
		}
		if again, err := ParsePackages(strings.NewReader(b.String())); err != nil || !slices.Equal(texts(again), texts(ix)) {
			t.Errorf("%s: written and read again: %v, %v", name, again, err)
		}
		found, err := ix.Lookup("libfoo1")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := found[0]
		if p.Source != "foo" || p.Version != "1:2.0-1+b1" || p.Architecture != "arm64" || p.MultiArch != "same" || !p.Essential ||
			p.Filename != "pool/main/f/foo/libfoo1.deb" || p.Size != 12 || p.SHA256 != zeros {
			t.Errorf("%s: %+v", name, p)
		}
		if len(p.Depends) != 2 || p.Depends[0][1] != (Dependency{Name: "c", Arch: "any"}) || p.Depends[1][0] != (Dependency{Name: "d", Op: "<<", Version: "3"}) {
			t.Errorf("%s: depends %v", name, p.Depends)
		}
		if len(p.PreDepends) != 1 || len(p.Provides) != 2 || p.Provides[0].String() != "foo-abi (= 2)" {
			t.Errorf("%s: pre-depends %v, provides %v", name, p.PreDepends, p.Provides)
		}
	}
}

// TestHugeIndex: what an index would be decompressed does not go beyond what its size warrants.
func TestHugeIndex(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Packages.zst")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("Description: nothing of that is kept\n"), 1<<15)
	text := append([]byte("Package: a\n"), line...)
	text = append(text, '\n')
	for range 400 { // 400 MB
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := ReadPackages(t.Context(), file); err == nil || !strings.Contains(err.Error(), "which its own size does not warrant") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestInterruptedIndex: reading an index stops where its caller does.
func TestInterruptedIndex(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Packages")
	if err := os.WriteFile(file, []byte("Package: a\nVersion: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := ReadPackages(ctx, file); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := ReadPackages(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("packages: error %v", err)
	}
	if _, err := ReadSources(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("sources: error %v", err)
	}
}

func TestLookupNewestFirst(t *testing.T) {
	ix, err := ParsePackages(strings.NewReader(packages("a 1.9\na 1.10~rc1\na 1:0.1\na 1.10")))
	if err != nil {
		t.Fatal(err)
	}
	found, err := ix.Lookup("a")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Version)
	}
	if want := "1:0.1 1.10 1.10~rc1 1.9"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestHostilePackages(t *testing.T) {
	good := packages("a 1")
	for _, c := range []struct{ name, text, err string }{
		{"file name", strings.Replace(good, "pool/main/x", "pool/../..", 1), "climbs out"},
		{"absolute file name", strings.Replace(good, "pool/main/x", "/etc", 1), "climbs out"},
		{"size", strings.Replace(good, "Size: 1", "Size: -1", 1), "not a number"},
		{"checksum", strings.Replace(good, zeros, "../../x", 1), "malformed"},
		{"dependency", packages("a 1;Depends: b (~ 1)"), "operator"},
		{"provides", packages("a 1;Provides: b (>= 1)"), "malformed"},
		{"package name", strings.Replace(good, "Package: a", "Package: ../a", 1), "package name"},
		{"endless stanza", "Package: a\nDescription: " + strings.Repeat("x", 3*maxStanza), "longer than"},
	} {
		ix, err := ParsePackages(strings.NewReader(c.text))
		if err == nil {
			_, err = ix.Lookup("a")
		}
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.err)
		}
	}
}

func TestParseSources(t *testing.T) {
	sources, err := ParseSources(strings.NewReader("Package: zlib\nFormat: 3.0 (quilt)\nBinary: zlib1g,\n zlib1g-dev\nVersion: 1:1.3-1\nFiles:\n abc 2 zlib.dsc\n" +
		"Checksums-Sha256:\n " + zeros + " 2 zlib.dsc\n " + zeros + " 3 zlib.orig.tar.gz\nDirectory: pool/main/z/zlib\n"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := sources.Lookup("zlib")
	if err != nil {
		t.Fatal(err)
	}
	s := found[0]
	if s.Version != "1:1.3-1" || s.Directory != "pool/main/z/zlib" || len(s.Files) != 2 || s.Files[1] != (SourceFile{"zlib.orig.tar.gz", FileHash{zeros, 3}}) {
		t.Errorf("%+v", s)
	}
	if _, err := sources.Lookup("zlob"); !errors.Is(err, ErrNoPackage) || !strings.Contains(err.Error(), "zlib") {
		t.Errorf("missing source: %v", err)
	}
	for _, bad := range []string{" x 2 a", " " + zeros + " 2 ../a", " " + zeros + " 2", " " + zeros + " -2 a"} {
		sources, err := ParseSources(strings.NewReader("Package: a\nVersion: 1\nDirectory: pool\nChecksums-Sha256:\n" + bad + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sources.Lookup("a"); err == nil {
			t.Errorf("checksum line %q was taken", bad)
		}
	}
}

func TestParseRelease(t *testing.T) {
	good := "Origin: Debian\nSuite: stable\nCodename: trixie\nVersion: 13.8\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2026 09:15:44 UTC\n" +
		"Acquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main contrib\nMD5Sum:\n abc 1 main/binary-amd64/Packages.xz\nSHA256:\n " +
		zeros + " 7 main/binary-amd64/Packages.xz\n " + zeros + " 9 main/binary-amd64/Packages\n " + zeros + " 8 main/source/Sources.gz\n"
	r, err := ParseRelease([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if r.Origin != "Debian" || r.Suite != "stable" || r.Codename != "trixie" || r.Version != "13.8" || r.Date.Day() != 21 || r.ValidUntil.Day() != 28 || !r.ByHash || len(r.Files) != 3 {
		t.Errorf("%+v", r)
	}
	plain, byHash, hash, err := r.Index("main", "amd64")
	if err != nil || plain != "main/binary-amd64/Packages.xz" || byHash != "main/binary-amd64/by-hash/SHA256/"+zeros || hash.Size != 7 {
		t.Errorf("index: %s %s %v %v", plain, byHash, hash, err)
	}
	if plain, _, _, err := r.SourceIndex("main"); err != nil || plain != "main/source/Sources.gz" {
		t.Errorf("source index: %s %v", plain, err)
	}
	if _, _, _, err := r.Index("main", "mips64el"); !errors.Is(err, ErrNoIndex) || !strings.Contains(err.Error(), "amd64") {
		t.Errorf("another architecture: %v", err)
	}
	for name, text := range map[string]string{
		"empty":           "",
		"no checksums":    "Suite: stable\n",
		"a path outside":  strings.Replace(good, "main/source", "../source", 1),
		"a bad checksum":  strings.Replace(good, zeros, "zz", 1),
		"a negative size": strings.Replace(good, " 7 ", " -7 ", 1),
		"a bad date":      strings.Replace(good, "Sat, 21 Nov", "Yesterday", 1),
		"no field":        "what\n" + good,
	} {
		if _, err := ParseRelease([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
