// Package rustdisttest makes distributions of Rust for tests: component tarballs, channel manifests signed by a key of
// its own, in a directory, and over HTTP as static.rust-lang.org serves them.
package rustdisttest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/origin/rust"
)

// A Release is what one channel manifest names.
type Release struct {
	Version    string // 1.90.0, 1.91.0-nightly
	Date       string // 2025-09-18
	Channels   []string
	Components []Component
	Renames    map[string]string
}

// A Component is one tarball.
type Component struct {
	Name, Target string             // "*" is for every target
	Files        []archivetest.File // by their names in the component: bin/rustc; packed as .tar.xz
	Dir          string             // or a tree of them, packed as .tar.gz for speed
	Unavailable  bool               // the manifest says that it is not there
}

// A Server is a distribution on disk and over HTTP.
type Server struct {
	Dir         string
	Keys        openpgp.EntityList
	KeyringFile string
	URL         string
	NoLength    bool                // it does not say how long a file is
	Asked       func(*http.Request) // is told of every request; may be nil

	key *openpgp.Entity
}

// New serves an empty distribution until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	key, err := archivetest.NewKey("rustdisttest")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Dir: t.TempDir(), Keys: openpgp.EntityList{key}, key: key}
	s.KeyringFile = filepath.Join(s.Dir, "keyring.gpg")
	var public bytes.Buffer
	if err := key.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.KeyringFile, public.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(s.Dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Asked != nil {
			s.Asked(r)
		}
		if s.NoLength && r.Method == http.MethodHead {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.WriteHeader(http.StatusOK)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Publish adds a release: its tarballs, and its manifest under the name of every channel, with and without the date.
func (s *Server) Publish(t testing.TB, r Release) {
	t.Helper()
	text := &strings.Builder{}
	fmt.Fprintf(text, "manifest-version = \"2\"\ndate = %q\n", r.Date)
	said := map[string]bool{}
	for _, c := range r.Components {
		if !said[c.Name] {
			said[c.Name] = true
			fmt.Fprintf(text, "\n[pkg.%s]\nversion = \"%s (0123456789 %s)\"\ngit_commit_hash = \"%040d\"\n", c.Name,
				r.Version, r.Date, 0)
		}
		fmt.Fprintf(text, "\n[pkg.%s.target.%q]\n", c.Name, c.Target)
		if c.Unavailable {
			fmt.Fprintln(text, "available = false")
			continue
		}
		at, sum, err := s.pack(r, c)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(text, "available = true")
		if strings.HasSuffix(at, ".xz") {
			// As in the real one there are two; nothing may ask for the larger.
			fmt.Fprintf(text, "url = %q\nhash = %q\nxz_url = %q\nxz_hash = %q\n",
				rust.Server+"/"+strings.TrimSuffix(at, "xz")+"gz", strings.Repeat("0", 64), rust.Server+"/"+at, sum)
		} else {
			fmt.Fprintf(text, "url = %q\nhash = %q\n", rust.Server+"/"+at, sum)
		}
		fmt.Fprintln(text, "components = []\nextensions = []")
	}
	for from, to := range r.Renames {
		fmt.Fprintf(text, "\n[renames.%s]\nto = %q\n", from, to)
	}
	fmt.Fprintln(text, "\n[profiles]\nminimal = [\"rustc\", \"cargo\", \"rust-std\", \"rust-mingw\"]")
	for _, channel := range r.Channels {
		for _, date := range []string{"", r.Date} {
			s.Sign(t, rust.Channel{Name: channel, Date: date}, text.String())
		}
	}
}

// Sign puts a manifest where a channel's is, signed.
func (s *Server) Sign(t testing.TB, c rust.Channel, text string) {
	t.Helper()
	var signature bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&signature, s.key, strings.NewReader(text), nil); err != nil {
		t.Fatal(err)
	}
	s.Write(t, c.Path(), []byte(text))
	s.Write(t, c.Path()+".asc", signature.Bytes())
}

// Write puts a file on the server, whatever is there.
func (s *Server) Write(t testing.TB, name string, data []byte) {
	t.Helper()
	file := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read is the file of that name.
func (s *Server) Read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Path is where a component's tarball lies.
func (r Release) Path(c Component) string {
	version := r.Version
	for _, channel := range []string{rust.Beta, rust.Nightly} {
		if strings.Contains(version, "-"+channel) {
			version = channel
		}
	}
	name := c.Name + "-" + version
	if c.Target != "*" {
		name += "-" + c.Target
	}
	end := ".tar.xz"
	if c.Dir != "" {
		end = ".tar.gz"
	}
	return path.Join("dist", r.Date, name+end)
}

// folder is the directory of a component in its tarball: that of rust-std has the target's name behind (rust-lang/rust,
// src/bootstrap, "dist").
func (c Component) folder() string {
	if c.Name == "rust-std" {
		return c.Name + "-" + c.Target
	}
	return c.Name
}

func (s *Server) pack(r Release, c Component) (at, sum string, err error) {
	at = r.Path(c)
	file := filepath.Join(s.Dir, at)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", "", err
	}
	top := strings.TrimSuffix(strings.TrimSuffix(path.Base(at), ".tar.xz"), ".tar.gz")
	inside := top + "/" + c.folder() + "/"
	// What every tarball has beside its component (rust-lang/rust, src/tools/rust-installer).
	files := []archivetest.File{
		{Name: top + "/", Dir: true},
		{Name: top + "/components", Body: c.folder() + "\n"},
		{Name: top + "/rust-installer-version", Body: "3\n"},
		{Name: top + "/version", Body: r.Version + "\n"},
		{Name: top + "/install.sh", Body: "#!/bin/sh\nexit 1\n", Mode: 0o755},
		{Name: inside, Dir: true},
		{Name: inside + "manifest.in", Body: "file:bin/rustc\n"},
	}
	out, err := os.Create(file)
	if err != nil {
		return "", "", err
	}
	defer out.Close()
	h := sha256.New()
	w := io.MultiWriter(out, h)
	if c.Dir == "" {
		for _, f := range c.Files {
			f.Name = inside + f.Name
			files = append(files, f)
		}
		plain, err := archivetest.Tar(files)
		if err != nil {
			return "", "", err
		}
		data, err := compress(plain)
		if err != nil {
			return "", "", err
		}
		if _, err := w.Write(data); err != nil {
			return "", "", err
		}
	} else {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return "", "", err
		}
		head, err := archivetest.Tar(files)
		if err != nil {
			return "", "", err
		}
		// Without the two empty blocks that end a tar.
		if _, err := z.Write(head[:len(head)-1024]); err != nil {
			return "", "", err
		}
		if err := packTree(z, c.Dir, inside); err != nil {
			return "", "", err
		}
		if err := z.Close(); err != nil {
			return "", "", err
		}
	}
	return at, hex.EncodeToString(h.Sum(nil)), out.Close()
}

// compress makes an .xz as the Rust project does: one block without a check, and a header that asks for a dictionary of
// 128 MiB ("xz -lvv" of rustc-1.95.0). The data need no such dictionary, and making one takes long: the header alone is
// made to say so (.xz file format, 3.1 and 5.3.1).
func compress(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := xz.WriterConfig{DictCap: min(max(len(plain), lzma.MinDictCap), 1<<20), NoCheckSum: true}.NewWriter(&b)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	data := b.Bytes()
	const block = 12 // behind the stream's header
	header := data[block : block+4*(int(data[block])+1)]
	at := bytes.Index(header, []byte{0x21, 1}) // LZMA2, one byte of properties: the dictionary's size
	if at < 0 {
		return nil, fmt.Errorf("no LZMA2 filter in the block header % x", header)
	}
	header[at+2] = 0x1e
	end := len(header) - 4
	binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
	return data, nil
}

func packTree(w io.Writer, dir, inside string) error {
	tw := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if d.Type()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(file); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Name, h.ModTime = inside+filepath.ToSlash(rel), time.Unix(1700000000, 0)
		if d.IsDir() {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil || !d.Type().IsRegular() {
			return err
		}
		in, err := os.Open(file)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(tw, in)
		return err
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

// Remove takes a file away.
func (s *Server) Remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
		t.Fatal(err)
	}
}
