package pypi

import (
	"archive/zip"
	"context"
	"crypto"
	_ "crypto/sha256" // the hashes that a RECORD may have
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/archive"
	"xbuild/internal/lock"
)

// ErrWheel is what a file that is no wheel fails with, or one that is not what it says.
var ErrWheel = errors.New("not a wheel")

// maxRecord bounds a RECORD; that of ziglang, which has 20,000 files, has 2 MB.
const maxRecord = 64 << 20

// Kind is the kind of archive.
type Kind struct{}

// Named tells whether a constraint names one version that is no plain release, and whether a locked toolchain is that.
func (Kind) Named(constraint string, locked lock.Toolchain) (is, named bool) {
	want, ok := exactly(constraint)
	if !ok || want.Plain() {
		return false, false
	}
	have, err := ParseVersion(locked.Version)
	return err == nil && have.Equal(want), true
}

// Unpack puts the files of a wheel where they lie in it. What lies in its .data directory is put where an installer
// puts it below a prefix: purelib, platlib and data at the top, scripts in bin. A script of Python is refused: it is
// for an interpreter that the installer knows. Each file is held against the wheel's RECORD, where it has one.
func (Kind) Unpack(ctx context.Context, file string, _ lock.File, dir string, opt archive.UnpackOptions) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	return unpack(ctx, in, info.Size(), dir, archive.UnpackOptions{Keep: opt.Keep, Drop: opt.Drop})
}

func unpack(ctx context.Context, in io.ReaderAt, size int64, dir string, opt archive.UnpackOptions) error {
	z, err := zip.NewReader(in, size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWheel, err)
	}
	w, err := readWheel(z)
	if err != nil {
		return err
	}
	if err := w.placed(z, opt); err != nil {
		return err
	}
	opt.MapPath = func(name string) string { to, _ := w.place(name); return to }
	return archive.UnpackZip(ctx, z, size, dir, opt, w.open)
}

// A content is a wheel that is unpacked.
type content struct {
	info   string            // its .dist-info
	data   string            // its .data, which may not be there
	record map[string]record // by name; nil where there is none
}

// A record is a line of a RECORD.
type record struct {
	hash crypto.Hash // 0 where the line has none
	sum  []byte
	size int64 // -1 where the line has none
}

func readWheel(z *zip.Reader) (content, error) {
	var w content
	var list *zip.File
	for _, f := range z.File {
		top, rest, _ := strings.Cut(f.Name, "/")
		if !strings.HasSuffix(top, ".dist-info") {
			continue
		}
		if w.info != "" && w.info != top {
			return w, fmt.Errorf("%w: it has both %s and %s", ErrWheel, w.info, top)
		}
		w.info = top
		if rest == "RECORD" {
			list = f
		}
	}
	if w.info == "" {
		return w, fmt.Errorf("%w: it has no .dist-info", ErrWheel)
	}
	w.data = strings.TrimSuffix(w.info, ".dist-info") + ".data"
	if list == nil {
		return w, nil
	}
	if list.UncompressedSize64 > maxRecord {
		return w, fmt.Errorf("%w: its RECORD is longer than %d bytes", ErrWheel, maxRecord)
	}
	in, err := list.Open()
	if err != nil {
		return w, fmt.Errorf("%w: RECORD: %w", ErrWheel, err)
	}
	defer in.Close()
	if w.record, err = parseRecord(io.LimitReader(in, maxRecord)); err != nil {
		return w, fmt.Errorf("%w: RECORD: %w", ErrWheel, err)
	}
	return w, nil
}

// algorithms are the hashes of a RECORD that are as good as sha256, which is what the format asks for.
var algorithms = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// parseRecord reads the lines of a RECORD: path, algorithm=hash in base64 for URLs without padding, size.
func parseRecord(in io.Reader) (map[string]record, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.ReuseRecord = 3, true
	out := map[string]record{}
	for {
		line, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		e, name := record{size: -1}, strings.Clone(line[0])
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%q is listed twice", name)
		}
		if line[1] != "" {
			algorithm, sum, _ := strings.Cut(line[1], "=")
			if e.hash = algorithms[algorithm]; e.hash == 0 {
				return nil, fmt.Errorf("%q: hash %.80q is none of sha256, sha384, sha512", name, line[1])
			}
			if e.sum, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(sum, "=")); err != nil ||
				len(e.sum) != e.hash.Size() {
				return nil, fmt.Errorf("%q: hash %.80q is malformed", name, line[1])
			}
		}
		if line[2] != "" {
			if e.size, err = strconv.ParseInt(line[2], 10, 64); err != nil || e.size < 0 {
				return nil, fmt.Errorf("%q: size %.40q is none", name, line[2])
			}
		}
		out[name] = e
	}
}

// place is where a file of the wheel lies in the tree; the error says why it has no place.
func (w content) place(name string) (string, error) {
	in, ok := strings.CutPrefix(name, w.data+"/")
	if !ok {
		return name, nil
	}
	kind, rest, ok := strings.Cut(in, "/")
	if !ok {
		return "", nil // the directory itself
	}
	switch kind {
	case "purelib", "platlib", "data":
		return rest, nil
	case "scripts":
		return "bin/" + rest, nil
	}
	return "", fmt.Errorf("%w that can be unpacked: an installer puts %s where only the Python that it installs for knows",
		ErrWheel, name)
}

// placed says what has no place in a tree, of what is kept.
func (w content) placed(z *zip.Reader, opt archive.UnpackOptions) error {
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || !strings.HasPrefix(f.Name, w.data+"/") {
			continue
		}
		if kept, err := archive.Kept(path.Clean(f.Name), opt); err != nil || !kept {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := w.place(f.Name); err != nil {
			return err
		}
	}
	return nil
}

// open returns the content of a file, which fails at its end where it is not what the RECORD says.
func (w content) open(f *zip.File) (io.ReadCloser, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	script := strings.HasPrefix(f.Name, w.data+"/scripts/")
	unlisted := slices.Contains([]string{w.info + "/RECORD", w.info + "/RECORD.jws", w.info + "/RECORD.p7s"}, f.Name)
	if w.record == nil || unlisted {
		return &checked{ReadCloser: in, script: script, want: record{size: -1}}, nil
	}
	want, ok := w.record[f.Name]
	if !ok || want.hash == 0 {
		in.Close()
		return nil, fmt.Errorf("%w: RECORD has no hash of it", ErrWheel)
	}
	return &checked{ReadCloser: in, script: script, want: want, hash: want.hash.New()}, nil
}

// checked is the content of a file that is held against the RECORD.
type checked struct {
	io.ReadCloser
	script bool
	want   record
	hash   hash.Hash // nil: nothing to hold it against
	size   int64
	head   []byte // the first bytes of a script
}

// pythonScript begins the scripts that an installer has to point at its interpreter.
const pythonScript = "#!python"

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.size += int64(n)
	if c.script && len(c.head) < len(pythonScript) {
		c.head = append(c.head, p[:min(n, len(pythonScript)-len(c.head))]...)
		if string(c.head) == pythonScript {
			return 0, fmt.Errorf("%w that can be unpacked: it is a script of Python, which is for the interpreter that an installer knows", ErrWheel)
		}
	}
	if c.hash == nil {
		return n, err
	}
	c.hash.Write(p[:n])
	if err == io.EOF && (!slices.Equal(c.hash.Sum(nil), c.want.sum) || c.want.size >= 0 && c.size != c.want.size) {
		return 0, fmt.Errorf("%w: its content is not what RECORD says", ErrWheel)
	}
	return n, err
}
