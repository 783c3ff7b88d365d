// Package archivetest makes small Debian-format archives for tests: real .debs,
// indexes and an InRelease signed by a key of its own, in a directory, and over
// HTTP as a mirror serves them. Its methods then break one thing at a time.
package archivetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Suite is one dists/<suite> of an archive.
type Suite struct {
	Name          string   // codename, trixie
	Path          string   // directory below dists; default Name
	Alias         string   // Suite field, such as stable; default Name. It is a second name in dists too.
	Version       string   // default 1.0
	Architectures []string // default: those of the packages
	Date          time.Time
	ValidUntil    time.Time
	Packages      []Package
	Sources       []Source
}

// A Package is one .deb. Files lies in data.tar in the order given.
type Package struct {
	Name, Version, Arch                    string // default version 1.0, architecture all
	Source, MultiArch, Priority, Essential string
	PreDepends, Depends, Provides          string
	Compression                            string // of data.tar: xz (default), gz, zst, none
	BlockSize                              int64  // of xz; default one block
	Files                                  []File
	PostInst                               string // the script that runs when it is installed
}

// A Source is one source package.
type Source struct {
	Name, Version string
	Files         []File // .orig.tar.xz and the like; see TarXZ
}

// An Archive is an archive on disk.
type Archive struct {
	Dir         string
	Keys        openpgp.EntityList // what signed it
	Keyring     []byte             // the same, as a keyring file holds it
	KeyringFile string             // and as a file, beside dists and pool
	URL         string             // of the server that New starts

	key    *openpgp.Entity
	suites map[string]*Suite
}

// keyTime lies before any date that a test would give a Release.
var keyTime = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// DefaultDate is the date of a suite that has none of its own.
var DefaultDate = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// New builds an archive in a temporary directory and serves it until the test ends.
func New(t testing.TB, suites ...Suite) *Archive {
	t.Helper()
	a, err := Build(t.TempDir(), suites...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Build writes an archive into dir; without suites, those of Default.
func Build(dir string, suites ...Suite) (*Archive, error) {
	if len(suites) == 0 {
		suites = Default()
	}
	key, err := NewKey("archivetest")
	if err != nil {
		return nil, err
	}
	a := &Archive{
		Dir:         dir,
		key:         key,
		Keys:        openpgp.EntityList{key},
		KeyringFile: filepath.Join(dir, "keyring.gpg"),
		suites:      map[string]*Suite{},
	}
	var public bytes.Buffer
	if err := key.Serialize(&public); err != nil {
		return nil, err
	}
	a.Keyring = public.Bytes()
	if err := os.WriteFile(a.KeyringFile, a.Keyring, 0o644); err != nil {
		return nil, err
	}
	for _, s := range suites {
		if err := a.add(s); err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
	}
	return a, nil
}

// NewKey makes a key that can sign an archive.
func NewKey(name string) (*openpgp.Entity, error) {
	return openpgp.NewEntity(name, "", name+"@example.invalid", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return keyTime }})
}

// Sign makes an InRelease of a text.
func Sign(key *openpgp.Entity, text string, made time.Time) ([]byte, error) {
	return SignAll([]*openpgp.Entity{key}, text, made)
}

// SignAll is Sign with several keys.
func SignAll(keys []*openpgp.Entity, text string, made time.Time) ([]byte, error) {
	var out bytes.Buffer
	var private []*packet.PrivateKey
	for _, k := range keys {
		private = append(private, k.PrivateKey)
	}
	w, err := clearsign.EncodeMulti(&out, private, &packet.Config{Time: func() time.Time { return made }})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Handler serves the archive as a mirror does.
func (a *Archive) Handler() http.Handler { return http.FileServer(http.Dir(a.Dir)) }

func (a *Archive) add(s Suite) error {
	if s.Path == "" {
		s.Path = s.Name
	}
	if s.Alias == "" {
		s.Alias = s.Name
	}
	if s.Version == "" {
		s.Version = "1.0"
	}
	if s.Date.IsZero() {
		s.Date = DefaultDate
	}
	for _, p := range s.Packages {
		if p.Arch != "" && p.Arch != "all" && !slices.Contains(s.Architectures, p.Arch) {
			s.Architectures = append(s.Architectures, p.Arch)
		}
	}
	if len(s.Architectures) == 0 {
		s.Architectures = []string{"amd64"}
	}
	indexes := map[string]*strings.Builder{}
	for _, arch := range s.Architectures {
		indexes[arch] = &strings.Builder{}
	}
	for _, p := range s.Packages {
		stanza, err := a.pool(p)
		if err != nil {
			return fmt.Errorf("package %s: %w", p.Name, err)
		}
		for arch, b := range indexes {
			if p.Arch == arch || p.Arch == "" || p.Arch == "all" {
				b.WriteString(stanza)
			}
		}
	}
	var sources strings.Builder
	for _, src := range s.Sources {
		stanza, err := a.source(src)
		if err != nil {
			return fmt.Errorf("source %s: %w", src.Name, err)
		}
		sources.WriteString(stanza)
	}

	files := map[string][]byte{}
	put := func(name, text string) error {
		x, err := XZ([]byte(text), 0)
		files[name], files[name+".xz"] = []byte(text), x
		return err
	}
	for arch, b := range indexes {
		if err := put("main/binary-"+arch+"/Packages", b.String()); err != nil {
			return err
		}
	}
	if err := put("main/source/Sources", sources.String()); err != nil {
		return err
	}
	for _, arch := range append([]string{"all"}, s.Architectures...) {
		text := ""
		for _, p := range s.Packages {
			if p = p.withDefaults(); p.Arch == arch {
				for _, f := range p.Files {
					text += fmt.Sprintf("%-40s devel/%s\n", strings.TrimPrefix(f.Name, "./"), p.Name)
				}
			}
		}
		if err := put("main/Contents-"+arch, text); err != nil {
			return err
		}
	}
	release := &strings.Builder{}
	fmt.Fprintf(release, "Origin: archivetest\nSuite: %s\nVersion: %s\nCodename: %s\nDate: %s\n", s.Alias, s.Version, s.Name, date(s.Date))
	if !s.ValidUntil.IsZero() {
		fmt.Fprintf(release, "Valid-Until: %s\n", date(s.ValidUntil))
	}
	fmt.Fprintf(release, "Acquire-By-Hash: yes\nArchitectures: %s\nComponents: main\nSHA256:\n", strings.Join(s.Architectures, " "))
	names := make([]string, 0, len(files))
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(release, " %s %d %s\n", sum(files[n]), len(files[n]), n)
		if !strings.HasSuffix(n, ".xz") {
			continue // as on a real mirror, the plain index is listed and not served
		}
		for _, at := range []string{n, path.Dir(n) + "/by-hash/SHA256/" + sum(files[n])} {
			if err := write(filepath.Join(a.suiteDir(s.Path), at), files[n]); err != nil {
				return err
			}
		}
	}
	signed, err := Sign(a.key, release.String(), s.Date)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(a.suiteDir(s.Path), "InRelease"), signed); err != nil {
		return err
	}
	if s.Alias != s.Path {
		if err := os.Symlink(s.Path, a.suiteDir(s.Alias)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	a.suites[s.Path] = &s
	return nil
}

func (a *Archive) suiteDir(suite string) string { return filepath.Join(a.Dir, "dists", suite) }

// DebPath is where a package lies in the pool.
func DebPath(p Package) string {
	p = p.withDefaults()
	_, version, ok := strings.Cut(p.Version, ":")
	if !ok {
		version = p.Version
	}
	return fmt.Sprintf("pool/main/%s/%s/%s_%s_%s.deb", p.Name[:1], p.Source, p.Name, version, p.Arch)
}

func (a *Archive) pool(p Package) (string, error) {
	p = p.withDefaults()
	deb, err := Deb(p)
	if err != nil {
		return "", err
	}
	name := DebPath(p)
	if err := write(filepath.Join(a.Dir, name), deb); err != nil {
		return "", err
	}
	return p.control() + fmt.Sprintf("Filename: %s\nSize: %d\nSHA256: %s\n\n", name, len(deb), sum(deb)), nil
}

func (a *Archive) source(s Source) (string, error) {
	if s.Version == "" {
		s.Version = "1.0"
	}
	dir := fmt.Sprintf("pool/main/%s/%s", s.Name[:1], s.Name)
	stanza := fmt.Sprintf("Package: %s\nVersion: %s\nDirectory: %s\nChecksums-Sha256:\n", s.Name, s.Version, dir)
	for _, f := range s.Files {
		if err := write(filepath.Join(a.Dir, dir, f.Name), []byte(f.Body)); err != nil {
			return "", err
		}
		stanza += fmt.Sprintf(" %s %d %s\n", sum([]byte(f.Body)), len(f.Body), f.Name)
	}
	return stanza + "\n", nil
}

// TamperDeb changes one byte in every .deb of a package, in the pool.
func (a *Archive) TamperDeb(name string) error {
	return a.each(filepath.Join(a.Dir, "pool/main/*/*/"+name+"_*.deb"), flip)
}

// RemoveDeb takes a package from the pool, as a mirror does after an update.
func (a *Archive) RemoveDeb(name string) error {
	return a.each(filepath.Join(a.Dir, "pool/main/*/*/"+name+"_*.deb"), os.Remove)
}

// RemoveIndex takes away the index of an architecture, under all of its names:
// what a mirror looks like while its InRelease is newer than its indexes.
func (a *Archive) RemoveIndex(suite, arch string) error {
	return os.RemoveAll(filepath.Join(a.suiteDir(suite), "main/binary-"+arch))
}

// TamperIndex puts other bytes, of the same length, where the index of an
// architecture is.
func (a *Archive) TamperIndex(suite, arch string) error {
	dir := filepath.Join(a.suiteDir(suite), "main/binary-"+arch)
	return errors.Join(
		a.each(filepath.Join(dir, "by-hash/SHA256/*"), flip),
		a.each(filepath.Join(dir, "Packages.xz"), flip))
}

func flip(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(file, data, 0o644)
}

// BreakSignature changes the signed text and leaves the signature as it was.
func (a *Archive) BreakSignature(suite string) error {
	file := filepath.Join(a.suiteDir(suite), "InRelease")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := bytes.Replace(data, []byte("Origin: archivetest"), []byte("Origin: archivetesT"), 1)
	if bytes.Equal(changed, data) {
		return errors.New("the signature is broken already")
	}
	return os.WriteFile(file, changed, 0o644)
}

// SignWithOtherKey signs a suite with a key that is not in the keyring.
func (a *Archive) SignWithOtherKey(suite string) error {
	other, err := NewKey("somebody-else")
	if err != nil {
		return err
	}
	file := filepath.Join(a.suiteDir(suite), "InRelease")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	block, _ := clearsign.Decode(data)
	if block == nil {
		return errors.New("InRelease has no signature")
	}
	signed, err := Sign(other, string(block.Plaintext), DefaultDate)
	if err != nil {
		return err
	}
	return os.WriteFile(file, signed, 0o644)
}

// SetDate signs a suite anew with another date.
func (a *Archive) SetDate(suite string, date, validUntil time.Time) error {
	s := a.suites[suite]
	if s == nil {
		return fmt.Errorf("no suite %q", suite)
	}
	changed := *s
	changed.Date, changed.ValidUntil = date, validUntil
	return a.add(changed)
}

func (a *Archive) each(pattern string, do func(string) error) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no file matches %s", pattern)
	}
	for _, f := range files {
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC") }

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Default is a suite "trixie" (alias "stable") for amd64 and arm64: hello, a
// shell script that needs libhello1, libhello-dev with a header and links, and
// the source package hello.
func Default() []Suite {
	s := Suite{Name: "trixie", Alias: "stable", Version: "13.1", Architectures: []string{"amd64", "arm64"}}
	for arch, triplet := range map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"} {
		lib := "./usr/lib/" + triplet + "/"
		s.Packages = append(s.Packages,
			Package{Name: "hello", Version: "1.0-1", Arch: arch,
				Depends: "libhello1 (>= 1.0), hello-data | hello-none", Files: []File{
					{Name: "./usr/bin/hello", Body: "#!/bin/sh\necho hello from " + arch + "\n", Mode: 0o755}}},
			Package{Name: "libhello1", Version: "1.0-1", Arch: arch, MultiArch: "same", Source: "hello", Files: []File{
				{Name: lib + "libhello.so.1.0", Body: "library for " + arch + "\n"},
				{Name: lib + "libhello.so.1", Link: "libhello.so.1.0"}}},
			Package{Name: "libhello-dev", Version: "1.0-1", Arch: arch, MultiArch: "same", Source: "hello",
				Depends: "libhello1 (= 1.0-1)", Files: []File{
					{Name: "./usr/include/hello.h", Body: "void hello(void);\n"},
					{Name: lib + "libhello.so", Link: "/usr/lib/" + triplet + "/libhello.so.1"}}},
		)
	}
	s.Packages = append(s.Packages,
		Package{Name: "hello-data", Version: "1.0-1", Source: "hello", Compression: "zst", Files: []File{
			{Name: "./usr/share/hello/greeting", Body: "hello\n"},
			{Name: "./usr/share/hello/salute", HardLink: "./usr/share/hello/greeting"}}})
	slices.SortFunc(s.Packages, func(a, b Package) int { return strings.Compare(a.Name+a.Arch, b.Name+b.Arch) })
	orig, err := TarXZ([]File{{Name: "hello-1.0/hello.c", Body: "int main(void){return 0;}\n"}})
	if err == nil {
		s.Sources = []Source{{Name: "hello", Version: "1.0-1", Files: []File{
			{Name: "hello_1.0.orig.tar.xz", Body: string(orig)}}}}
	}
	return []Suite{s}
}
