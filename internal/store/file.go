package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// A MismatchError says that a file is not the one that was asked for.
type MismatchError struct {
	Want, Got         string // SHA-256
	WantSize, GotSize int64  // WantSize is 0 if not known
}

func (e *MismatchError) Error() string {
	m := ""
	if e.WantSize > 0 && e.WantSize != e.GotSize {
		m = fmt.Sprintf("the size is %d bytes, wanted are %d; ", e.GotSize, e.WantSize)
	}
	return m + fmt.Sprintf("the sha256 is %s, wanted is %s", e.Got, e.Want)
}

// File is the path of the file with that SHA-256, if the store has it. It was
// verified when it came in; Verify looks again.
func (s *Store) File(sha256 string) (path string, ok bool) {
	if !isSHA256(sha256) {
		return "", false
	}
	path = s.path("files", sha256)
	st, err := os.Lstat(path)
	if err != nil || !st.Mode().IsRegular() {
		return "", false
	}
	used(path, st)
	return path, true
}

// AddFile makes sure that the store has the file: write is called to write it
// to a path that does not exist yet, unless the file is there already. What
// write made is kept only if it has that SHA-256 and size (0: any size); if
// not, the error is a MismatchError. Of all processes one writes, the others
// wait.
func (s *Store) AddFile(
	ctx context.Context, sha256 string, size int64, write func(tmpPath string) error,
) (path string, err error) {
	if !isSHA256(sha256) {
		return "", fmt.Errorf("%q is no sha256 (want 64 lower-case hexadecimal digits)", sha256)
	}
	if path, ok := s.File(sha256); ok {
		return path, nil
	}
	unlock, err := s.Lock(ctx, "file-"+sha256)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := s.File(sha256); ok {
		return path, nil
	}
	if free := freeBytes(s.dir); free >= 0 && size > free {
		return "", &FullError{Dir: s.dir, Want: size, Free: free}
	}
	tmp, done, err := s.TempDir(ctx, "file")
	if err != nil {
		return "", err
	}
	defer done()
	t := filepath.Join(tmp, sha256[:16])
	if err := write(t); err != nil {
		return "", s.explain(err, size)
	}
	if err := ctxErr(ctx); err != nil {
		return "", err
	}
	got, gotSize, err := seal(t)
	if err != nil {
		return "", s.explain(err, size)
	}
	if got != sha256 || size > 0 && gotSize != size {
		return "", &MismatchError{Want: sha256, Got: got, WantSize: size, GotSize: gotSize}
	}
	path = s.path("files", sha256)
	if err := os.Rename(t, path); err != nil {
		return "", s.explain(err, size)
	}
	return path, s.explain(syncDir(s.path("files")), size)
}

// seal makes a file read-only and durable, and says what it is.
func seal(path string) (sum string, size int64, err error) {
	st, err := os.Lstat(path)
	if err != nil {
		return "", 0, err
	}
	if !st.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	if sum, size, err = hash(f); err != nil {
		return "", 0, err
	}
	if err := f.Chmod(0o444); err != nil {
		return "", 0, err
	}
	return sum, size, f.Sync()
}

// buffers are for reading: a tree has thousands of files.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func hash(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	b := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(b)
	size, err = io.CopyBuffer(h, struct{ io.Reader }{r}, b[:])
	return hex.EncodeToString(h.Sum(nil)), size, err
}

func hashFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return hash(f)
}
