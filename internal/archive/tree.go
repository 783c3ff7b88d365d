package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// A tree is a directory that packages are unpacked into, by one goroutine of
// perhaps many: directories and links are never replaced or removed, so that
// what one of them found stays true. os.Root keeps the kernel from following
// any link out of it, as a second line behind the checks made here.
type tree struct {
	root *os.Root
	real map[string]string // directory as named -> without links
	// open holds directories by real path: most entries of a tar lie where the
	// one before did, and opening by a name alone is cheap.
	open map[string]*os.Root
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{root: root, real: map[string]string{".": "."}, open: map[string]*os.Root{}}, nil
}

func (t *tree) close() {
	for _, r := range t.open {
		r.Close()
	}
	t.root.Close()
}

// dir makes a directory and those above it, and returns where it really is.
func (t *tree) dir(p string) (string, error) {
	if r, ok := t.real[p]; ok {
		return r, nil
	}
	up, err := t.dir(path.Dir(p))
	if err != nil {
		return "", err
	}
	r, err := t.enter(up, path.Base(p), 0)
	if err != nil {
		return "", err
	}
	t.real[p] = r
	return r, nil
}

// enter is one step down from a real directory.
func (t *tree) enter(up, name string, depth int) (string, error) {
	p := path.Join(up, name)
	if depth > 40 {
		return "", fmt.Errorf("%q: too many links", p)
	}
	err := t.root.Mkdir(p, 0o755)
	if err == nil {
		// Directories all get one mode, whatever the umask and whichever package was first.
		return p, t.root.Chmod(p, 0o755)
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	st, err := t.root.Lstat(p)
	if err != nil {
		return "", err
	}
	switch {
	case st.IsDir():
		return p, nil
	case st.Mode()&fs.ModeSymlink == 0:
		return "", fmt.Errorf("%q %w: it is a file, not a directory", p, ErrClash)
	}
	target, err := t.root.Readlink(p)
	if err != nil {
		return "", err
	}
	if path.IsAbs(target) {
		return "", fmt.Errorf("%q is a link to %q, which %w", p, target, ErrEscape)
	}
	at := up
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if at == "." {
				return "", fmt.Errorf("%q is a link to %q, which %w", p, target, ErrEscape)
			}
			at = path.Dir(at)
		default:
			if at, err = t.enter(at, part, depth+1); err != nil {
				return "", err
			}
		}
	}
	return at, nil
}

// parent opens the directory that an entry lies in.
func (t *tree) parent(p string) (dir *os.Root, real, base string, err error) {
	if real, err = t.dir(path.Dir(p)); err != nil {
		return nil, "", "", err
	}
	dir, ok := t.open[real]
	if !ok {
		if len(t.open) >= 32 {
			for k, r := range t.open {
				r.Close()
				delete(t.open, k)
			}
		}
		if dir, err = t.root.OpenRoot(real); err != nil {
			return nil, "", "", err
		}
		t.open[real] = dir
	}
	return dir, real, path.Base(p), nil
}

// unfinished is the mode of a file while it is written: another package that
// holds the same file sees by it that it has to wait before it compares.
const unfinished = 0o200

func (t *tree) file(p string, h *tar.Header, body io.Reader, buf []byte) error {
	dir, _, base, err := t.parent(p)
	if err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode)&0o777 | 0o600
	for {
		f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, unfinished)
		if errors.Is(err, fs.ErrExist) {
			st, err := finished(dir, base)
			if errors.Is(err, fs.ErrNotExist) {
				continue // whoever was writing it gave up
			}
			if err != nil {
				return err
			}
			return same(dir, base, st, mode, body, buf)
		}
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(onlyWriter{f}, body, buf)
		if err == nil && !h.ModTime.IsZero() {
			// Before the mode, which says that all is done.
			err = dir.Chtimes(base, h.ModTime, h.ModTime)
		}
		if err == nil {
			err = f.Chmod(mode)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			dir.Remove(base) // or another package would wait for it
		}
		return err
	}
}

// same checks that a file has the content that a second package would give it.
func same(dir *os.Root, base string, st fs.FileInfo, mode fs.FileMode, body io.Reader, buf []byte) error {
	if !st.Mode().IsRegular() || st.Mode().Perm() != mode {
		return fmt.Errorf("%w: mode %v, want %v", ErrClash, st.Mode(), mode)
	}
	f, err := dir.Open(base)
	if err != nil {
		return err
	}
	defer f.Close()
	half := len(buf) / 2
	for {
		n, err := io.ReadFull(body, buf[:half])
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return err
		}
		m, err := io.ReadFull(f, buf[half:half+n])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		if m != n || !bytes.Equal(buf[:n], buf[half:half+m]) {
			return ErrClash
		}
		if end {
			if more, _ := f.Read(buf[:1]); more != 0 {
				return ErrClash
			}
			return nil
		}
	}
}

// finished waits until another package has written the file, for as long as it
// makes headway.
func finished(dir *os.Root, base string) (fs.FileInfo, error) {
	since, size := time.Now(), int64(-1)
	for {
		st, err := dir.Lstat(base)
		if err != nil {
			return nil, err
		}
		if !st.Mode().IsRegular() || st.Mode().Perm() != unfinished {
			return st, nil
		}
		if st.Size() != size {
			since, size = time.Now(), st.Size()
		}
		if time.Since(since) > 20*time.Second {
			return nil, errors.New("is there half written, and nobody goes on with it")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// symlink makes p a link to target, both paths from the top.
func (t *tree) symlink(p, target string) error {
	dir, real, base, err := t.parent(p)
	if err != nil {
		return err
	}
	to := relative(real, target)
	err = dir.Symlink(to, base)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	st, err := dir.Lstat(base)
	if err != nil {
		return err
	}
	if st.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%w: it is no link to %q", ErrClash, to)
	}
	have, err := dir.Readlink(base)
	if err != nil {
		return err
	}
	if have != to {
		return fmt.Errorf("%w: it is a link to %q, want %q", ErrClash, have, to)
	}
	return nil
}

// relative spells a path as seen from a directory, both clean and from the top.
func relative(dir, target string) string {
	if dir == "." {
		return target
	}
	d, t := strings.Split(dir, "/"), strings.Split(target, "/")
	if target == "." {
		t = nil
	}
	for len(d) > 0 && len(t) > 0 && d[0] == t[0] {
		d, t = d[1:], t[1:]
	}
	out := strings.Repeat("../", len(d)) + strings.Join(t, "/")
	if out = strings.TrimSuffix(out, "/"); out == "" {
		return "."
	}
	return out
}

// link makes p another name of a file that the same tar brought.
func (t *tree) link(target, p string) error {
	_, fromDir, fromBase, err := t.parent(target)
	if err != nil {
		return err
	}
	_, toDir, toBase, err := t.parent(p)
	if err != nil {
		return err
	}
	from, to := path.Join(fromDir, fromBase), path.Join(toDir, toBase)
	if from == to {
		return nil
	}
	st, err := t.root.Lstat(from)
	if err != nil {
		return err
	}
	// A second name for a link would be read from another directory.
	if !st.Mode().IsRegular() {
		return fmt.Errorf("is a hard link to %q, which is no file", target)
	}
	err = t.root.Link(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	have, err := finished(t.root, to)
	if err != nil || os.SameFile(st, have) {
		return err
	}
	f, err := t.root.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return same(t.root, to, have, st.Mode().Perm(), f, make([]byte, 64<<10))
}

// patterns are doublestar globs; those that are a plain path or a whole
// directory need no glob matching, which is most of them.
type patterns []pattern

type pattern struct {
	glob, prefix string
	kind         int
	back         bool // it takes back what those before it match
}

const (
	literal = iota
	subtree
	glob
)

func compile(globs []string) (patterns, error) {
	var ps patterns
	for _, g := range globs {
		g, back := strings.CutPrefix(g, "!")
		if !doublestar.ValidatePattern(g) {
			return nil, fmt.Errorf("pattern %q is malformed", g)
		}
		p := pattern{glob: g, prefix: g, kind: literal, back: back}
		if i := strings.IndexAny(g, `*?[{\`); i >= 0 {
			p.kind, p.prefix = glob, g[:i]
			if g[i:] == "**" && strings.HasSuffix(p.prefix, "/") {
				p.kind = subtree
			}
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (ps patterns) match(name string) bool {
	matches := false
	for _, p := range ps {
		if matches == p.back && p.match(name) {
			matches = !p.back
		}
	}
	return matches
}

func (p pattern) match(name string) bool {
	switch p.kind {
	case literal:
		return name == p.glob
	case subtree: // "usr/lib/**" is usr/lib too, as in doublestar
		return strings.HasPrefix(name, p.prefix) || name == p.prefix[:len(p.prefix)-1]
	}
	return strings.HasPrefix(name, p.prefix) && doublestar.MatchUnvalidated(p.glob, name)
}
