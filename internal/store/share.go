package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A content is what makes two files the same one.
type content struct {
	sum  string
	perm fs.FileMode
}

// share makes the files of a new tree hard links to equal ones of the trees
// that the store has: the headers of two platforms are the same but for a few,
// and Rust and clang have one libLLVM. A file that cannot be one stays as it
// is. link is a path beside the tree that does not exist.
func (s *Store) share(ctx context.Context, dir, link string, list manifest) error {
	equal, err := s.equal(list)
	if err != nil {
		return err
	}
	for _, e := range list {
		from, ok := equal[content{e.sum, e.mode.Perm()}]
		if !ok || !e.mode.IsRegular() {
			continue
		}
		if err := ctxErr(ctx); err != nil {
			return err
		}
		// A manifest says what a file was. One that was damaged since must not come into a second tree.
		to := filepath.Join(dir, filepath.FromSlash(e.path))
		if same, err := sameBytes(from, to); err != nil || !same {
			continue
		}
		if os.Link(from, link) != nil {
			continue // removed meanwhile, another user's, or it has as many links as can be
		}
		if os.Rename(link, to) != nil { // the folder is read-only
			if err := os.Remove(link); err != nil {
				return err
			}
		}
	}
	return nil
}

// equal finds files of the store's trees that are, by their manifests, equal to
// files of a list.
func (s *Store) equal(list manifest) (map[content]string, error) {
	wanted := map[content]bool{}
	for _, e := range list {
		if e.mode.IsRegular() && e.size > 0 {
			wanted[content{e.sum, e.mode.Perm()}] = true
		}
	}
	equal := map[content]string{}
	if len(wanted) == 0 {
		return equal, nil
	}
	entries, err := os.ReadDir(s.path("trees"))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		key, ok := strings.CutSuffix(e.Name(), manifestSuffix)
		if !ok {
			continue
		}
		text, err := os.ReadFile(s.path("trees", e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		theirs, err := decodeManifest(text)
		if err != nil {
			continue // Verify says so
		}
		for _, f := range theirs {
			c := content{f.sum, f.mode.Perm()}
			if f.mode.IsRegular() && wanted[c] && equal[c] == "" {
				equal[c] = filepath.Join(s.TreePath(key), filepath.FromSlash(f.path))
			}
		}
	}
	return equal, nil
}

// sameBytes says whether two paths are two regular files of the same permissions
// and the same bytes.
func sameBytes(a, b string) (bool, error) {
	sa, err := os.Lstat(a)
	if err != nil {
		return false, err
	}
	sb, err := os.Lstat(b)
	if err != nil || !sa.Mode().IsRegular() || sa.Mode() != sb.Mode() || sa.Size() != sb.Size() || os.SameFile(sa, sb) {
		return false, err
	}
	fa, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	const most = 64 << 10
	size := min(most, sa.Size()+1) // one more, so that the first read finds the end of a small file
	for pa, pb := make([]byte, size), make([]byte, size); ; {
		na, erra := io.ReadFull(fa, pa)
		nb, errb := io.ReadFull(fb, pb)
		if !bytes.Equal(pa[:na], pb[:nb]) {
			return false, nil
		}
		if erra != nil || errb != nil {
			ended := func(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
			if !ended(erra) || !ended(errb) {
				return false, errors.Join(erra, errb)
			}
			return true, nil
		}
	}
}
