package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"xbuild/internal/disk"
)

// A verified package that was unpacked into trees is not kept beside them: its
// record says what it held, and the trees have the content. A record that asks
// for what no tree has any more is good for nothing.

const recordHead = "xbuild package 1\n"

// ErrGone says that no tree has the content of a package as it was.
var ErrGone = errors.New("what it held is no longer in the store's trees as it was")

// A Held is a file that this process uses: who drops it meanwhile leaves it.
type Held struct {
	s    *Store
	sum  string
	file *os.File
}

// Hold holds a file, if the store has it.
func (s *Store) Hold(sha256 string) (*Held, bool) {
	path, ok := s.File(sha256)
	if !ok {
		return nil, false
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	h := &Held{s, sha256, f}
	// Only who drops a file has its lock alone, and only for the removal.
	if err := flockFile(f, syscall.LOCK_SH); err != nil || !h.there() {
		f.Close()
		return nil, false
	}
	return h, true
}

// Path is where the file is.
func (h *Held) Path() string { return h.file.Name() }

// Release lets the file go, which stays in the store.
func (h *Held) Release() { h.file.Close() }

// Drop lets the file go and removes it from the store, unless others hold it:
// the last of them drops it.
func (h *Held) Drop() {
	// What cannot be removed does no harm, and GC removes it one day.
	if flockFile(h.file, syscall.LOCK_EX|syscall.LOCK_NB) == nil && h.there() {
		_ = os.Remove(h.file.Name())
	}
	h.file.Close()
}

// there tells whether the held file is still the one by that name.
func (h *Held) there() bool {
	mine, err := h.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(h.file.Name())
	return err == nil && os.SameFile(mine, there)
}

func flockFile(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// A Package is what a package held when it was unpacked.
type Package struct {
	Note string // what who recorded it has to say of it
	list manifest
	at   map[content]string
}

// Record notes what a package held that was unpacked into dir, for Packages.
// name says which package it is and how it was unpacked. The hashes of its
// files come into sums.
func (s *Store) Record(ctx context.Context, name, dir, note string, sums *Sums) error {
	if err := checkKey(name); err != nil {
		return err
	}
	list, err := scan(ctx, dir, sums)
	if err != nil {
		return err
	}
	tmp, done, err := s.TempDir(ctx, "record")
	if err != nil {
		return err
	}
	defer done()
	record := filepath.Join(tmp, "record")
	if err := os.MkdirAll(s.path("packages"), 0o755); err != nil { // a store of before has none
		return s.explain(err, 0)
	}
	// It is not synced: one that a crash has cut is none.
	text := append(fmt.Appendf(nil, "%s%q\n", recordHead, note), list.encode()...)
	if err := os.WriteFile(record, text, 0o644); err != nil {
		return s.explain(err, 0)
	}
	return s.explain(os.Rename(record, s.path("packages", name)), 0)
}

// Packages are those of the named packages that can be had from the store's
// trees.
func (s *Store) Packages(names []string) (map[string]*Package, error) {
	found := map[string]*Package{}
	var all manifest
	for _, name := range names {
		path := s.path("packages", name)
		st, err := os.Lstat(path)
		if checkKey(name) != nil || err != nil {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		note, list, err := decodeRecord(text)
		if err != nil {
			continue // Verify says so
		}
		used(path, st)
		found[name] = &Package{Note: note, list: list}
		all = append(all, list...)
	}
	if len(found) == 0 {
		return found, nil
	}
	at, err := s.equal(all)
	if err != nil {
		return nil, err
	}
	for name, p := range found {
		p.at = at
		for _, e := range p.list {
			if e.mode.IsRegular() && e.size > 0 && at[content{e.sum, e.mode.Perm()}] == "" {
				delete(found, name)
				break
			}
		}
	}
	return found, nil
}

// Recorded are the paths of what a package held that was unpacked, none of one that the store has no record of.
func (s *Store) Recorded(name string) []string {
	if checkKey(name) != nil {
		return nil
	}
	text, err := os.ReadFile(s.path("packages", name))
	if err != nil {
		return nil
	}
	_, list, err := decodeRecord(text)
	if err != nil {
		return nil
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.path
	}
	return out
}

func decodeRecord(text []byte) (note string, list manifest, err error) {
	body, ok := bytes.CutPrefix(text, []byte(recordHead))
	line, rest, cut := bytes.Cut(body, []byte("\n"))
	if !ok || !cut {
		return "", nil, errManifest
	}
	if note, err = strconv.Unquote(string(line)); err != nil {
		return "", nil, errManifest
	}
	if list, err = decodeManifest(rest); err != nil {
		return "", nil, err
	}
	for _, e := range list {
		if !filepath.IsLocal(filepath.FromSlash(e.path)) {
			return "", nil, errManifest
		}
	}
	return note, list, nil
}

// Put puts what the package held into an empty folder dir of the store's file
// system: files are hard links to those of the trees, verified, and must not be
// written to. ErrGone says that a tree is no longer what it was. The hashes of
// the files come into sums.
func (p *Package) Put(ctx context.Context, dir string, sums *Sums) error {
	found := map[placed]string{} // of nothing that is removed again
	for _, e := range p.list {
		if err := ctxErr(ctx); err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(e.path))
		var err error
		switch {
		case e.mode.IsDir():
			if err = os.Mkdir(to, 0o755); err == nil {
				err = os.Chmod(to, e.mode.Perm()) // whatever the umask
			}
		case e.mode&fs.ModeSymlink != 0:
			err = os.Symlink(e.sum, to)
		case e.size == 0:
			if err = os.WriteFile(to, nil, 0o644); err == nil {
				err = os.Chmod(to, e.mode.Perm())
			}
		default:
			from := p.at[content{e.sum, e.mode.Perm()}]
			if os.Link(from, to) != nil { // the file system has no links, or the file as many as can be
				err = errors.Join(disk.CopyWithTime(from, to), os.Chmod(to, e.mode.Perm()))
			}
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%s: %w", e.path, ErrGone)
			}
			if err == nil {
				err = e.check(to, found)
			}
		}
		if err != nil {
			return err
		}
	}
	for at, sum := range found {
		sums.add(at, sum)
	}
	return nil
}

// check tells whether a file is what the entry says, and notes its hash.
func (e entry) check(path string, found map[placed]string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	sum, size, err := hashFile(path)
	if err != nil {
		return err
	}
	if sum != e.sum || size != e.size || st.Mode() != e.mode {
		return fmt.Errorf("%s: %w", e.path, ErrGone)
	}
	found[place(st)] = sum
	return nil
}

// records names the records of packages.
func (s *Store) records() ([]string, error) {
	entries, err := os.ReadDir(s.path("packages"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// gcRecords removes the records that were not used since limit. Who uses one
// has the store in Use.
func (s *Store) gcRecords(limit time.Time) error {
	names, err := s.records()
	if err != nil {
		return err
	}
	for _, name := range names {
		path := s.path("packages", name)
		if st, err := os.Lstat(path); err != nil || st.ModTime().After(limit) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return s.explain(err, 0)
		}
	}
	return nil
}
