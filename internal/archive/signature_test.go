package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"xbuild/internal/archive/archivetest"
)

// The list in signature.go says where trust begins: it must be the keyring's.
func TestKeyringIsTheOneDescribed(t *testing.T) {
	keys, err := Keyring()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, k := range keys {
		have = append(have, fmt.Sprintf("%X", k.PrimaryKey.Fingerprint))
	}
	src, err := os.ReadFile("signature.go")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`\b[0-9A-F]{40}\b`).FindAllString(string(src), -1)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("keyring.gpg holds\n%s\nthe comment in signature.go says\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

const signedText = "Origin: test\nSuite: stable\n - a line with a dash\ntrailing space \n"

func TestVerifyInRelease(t *testing.T) {
	key, err := archivetest.NewKey("good")
	if err != nil {
		t.Fatal(err)
	}
	other, err := archivetest.NewKey("other")
	if err != nil {
		t.Fatal(err)
	}
	made := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	sign := func(k *openpgp.Entity) string {
		data, err := archivetest.Sign(k, signedText, made)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := sign(key)
	goodArmor := good[strings.Index(good, "-----BEGIN PGP SIGNATURE"):]
	for _, c := range []struct {
		name, data string
		err        string // part of it; "" is good
	}{
		{"good", good, ""},
		{"good with CRLF", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"empty", "", "does not begin"},
		{"a login page", "<html>please sign in</html>", "does not begin"},
		{"text before", "Suite: evil\n" + good, "does not begin"},
		{"text after", good + "Suite: evil\n", "follow the signature"},
		{"a second message after", good + good, "follow the signature"},
		{"changed text", strings.Replace(good, "stable", "stabel", 1), "did not sign this text"},
		{"cut short", good[:len(good)-60], "cut short"},
		{"no signature", strings.Replace(good, goodArmor, "", 1), "cut short"},
		{"unknown key", sign(other), fmt.Sprintf("%X, of which none is trusted", other.PrimaryKey.Fingerprint)},
		{"another text's signature", strings.Replace(sign(key), "trailing", "leading", 1), "did not sign this text"},
		{"a header that hides text", strings.Replace(good, "Hash: SHA256\n", "Hash: SHA256\nSuite: evil\n", 1), "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := VerifyInRelease(openpgp.EntityList{key}, []byte(c.data))
			if c.err == "" {
				// Trailing white space is not signed and so does not come out.
				if err != nil || string(text) != strings.ReplaceAll(signedText, "space \n", "space\n") {
					t.Errorf("got %q, %v; want the signed text", text, err)
				}
				return
			}
			if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v; want ErrSignature with %q", err, c.err)
			}
			if text != nil {
				t.Errorf("returned %q beside the error", text)
			}
		})
	}
}

func TestVerifyInReleaseKeyExpiry(t *testing.T) {
	// Two days of life, long over.
	born := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	key, err := openpgp.NewEntity("old", "", "old@example.invalid", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 2 * 86400, Time: func() time.Time { return born }})
	if err != nil {
		t.Fatal(err)
	}
	for days, good := range map[int]bool{1: true, 3: false} {
		data, err := archivetest.Sign(key, signedText, born.AddDate(0, 0, days))
		if err != nil {
			t.Fatal(err)
		}
		_, err = VerifyInRelease(openpgp.EntityList{key}, data)
		if good && err != nil {
			t.Errorf("signed on day %d of 2, an archived suite: %v", days, err)
		}
		if !good && (err == nil || !strings.Contains(err.Error(), "expired")) {
			t.Errorf("signed on day %d of 2: got %v, want an error that says expired", days, err)
		}
	}
}

// A Release of today carries signatures of several keys; the first is by one
// that this keyring does not have.
func TestVerifyInReleaseSeveralSignatures(t *testing.T) {
	one, _ := archivetest.NewKey("one")
	two, _ := archivetest.NewKey("two")
	data, err := archivetest.SignAll([]*openpgp.Entity{one, two}, signedText, archivetest.DefaultDate)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]openpgp.EntityList{"first": {one}, "second": {two}, "both": {one, two}} {
		if _, err := VerifyInRelease(keys, data); err != nil {
			t.Errorf("with the %s key: %v", name, err)
		}
	}
}

func TestArchiveBuilds(t *testing.T) {
	a, err := archivetest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeyring(a.Keyring)
	if err != nil {
		t.Fatal(err)
	}
	read := func(suite string) (*Release, error) {
		data, err := os.ReadFile(filepath.Join(a.Dir, "dists", suite, "InRelease"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := VerifyInRelease(keys, data)
		if err != nil {
			return nil, err
		}
		return ParseRelease(text)
	}
	r, err := read("stable")
	if err != nil {
		t.Fatal(err)
	}
	if r.Codename != "trixie" || r.Suite != "stable" || !r.Date.Equal(archivetest.DefaultDate) {
		t.Errorf("release: %+v", r)
	}
	_, byHash, hash, err := r.Index("main", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(a.Dir, "dists/trixie", byHash)
	if err := CheckFile(index, hash); err != nil {
		t.Fatal(err)
	}
	ix, err := ReadPackages(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := Resolve(ix, []string{"hello", "libhello-dev"}, ResolveOptions{Suite: "trixie", Arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, p := range pkgs {
		deb := filepath.Join(a.Dir, p.Filename)
		if err := CheckFile(deb, p.Hash()); err != nil {
			t.Error(err)
		}
		if err := UnpackFile(t.Context(), deb, dir, UnpackOptions{}); err != nil {
			t.Error(err)
		}
	}
	so, err := os.ReadFile(filepath.Join(dir, "usr/lib/aarch64-linux-gnu/libhello.so"))
	if err != nil || string(so) != "library for arm64\n" {
		t.Errorf("libhello.so: %q, %v", so, err)
	}

	_, byHash, _, err = r.SourceIndex("main")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := ReadSources(t.Context(), filepath.Join(a.Dir, "dists/trixie", byHash))
	if err != nil {
		t.Fatal(err)
	}
	src, err := sources.Lookup("hello")
	if err != nil {
		t.Fatal(err)
	}
	orig := filepath.Join(a.Dir, src[0].Directory, src[0].Files[0].Name)
	if err := CheckFile(orig, src[0].Files[0].FileHash); err != nil {
		t.Error(err)
	}
	if err := UnpackTarFile(t.Context(), orig, dir, UnpackOptions{Strip: 1}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hello.c")); err != nil {
		t.Error(err)
	}

	if err := a.TamperDeb("hello-data"); err != nil {
		t.Fatal(err)
	}
	p, _ := ix.Lookup("hello-data")
	err = CheckFile(filepath.Join(a.Dir, p[0].Filename), p[0].Hash())
	if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), p[0].SHA256) {
		t.Errorf("tampered package: got %v, want ErrMismatch with both checksums", err)
	}
	old := archivetest.DefaultDate.AddDate(-1, 0, 0)
	if err := a.SetDate("trixie", old, old.AddDate(0, 0, 7)); err != nil {
		t.Fatal(err)
	}
	if r, err := read("trixie"); err != nil || !r.Date.Equal(old) || !r.ValidUntil.Equal(old.AddDate(0, 0, 7)) {
		t.Errorf("older release: %+v, %v", r, err)
	}
	if err := a.BreakSignature("trixie"); err != nil {
		t.Fatal(err)
	}
	if _, err := read("trixie"); !errors.Is(err, ErrSignature) {
		t.Errorf("broken signature: got %v", err)
	}
	if err := a.SignWithOtherKey("trixie"); err != nil {
		t.Fatal(err)
	}
	if _, err := read("trixie"); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: got %v", err)
	}
}

func TestCheckFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	abc := FileHash{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3}
	if err := CheckFile(file, abc); err != nil {
		t.Error(err)
	}
	if err := CheckBytes("x", []byte("abc"), abc); err != nil {
		t.Error(err)
	}
	for _, want := range []FileHash{{abc.SHA256, 4}, {strings.Repeat("0", 64), 3}} {
		for _, err := range []error{CheckFile(file, want), CheckBytes("x", []byte("abc"), want)} {
			if !errors.Is(err, ErrMismatch) {
				t.Errorf("want %v: got %v", want, err)
			}
		}
	}
}
