// Package store keeps what xbuild fetched (files, by SHA-256) and composed
// (trees, by key) outside the project. Many processes use one store at once,
// and any of them may be killed at any moment.
//
// Invariants:
//   - What has its final name is complete and was verified before it got that
//     name: it is made under tmp/, synced, then renamed.
//   - A file in files/ and a tree in trees/ never change. Only the
//     modification time of the file, or of the tree's manifest, moves: it says
//     when the thing was last used, to the day.
//   - Equal files of two trees may be one file (hard links). What writes into a
//     tree, as nothing may, would damage both.
//   - A tree counts only together with its manifest, which is in place before
//     the tree is.
//   - Whatever lies in tmp/ without a held flock belongs to nobody; the next
//     Open removes it. So nothing is repaired: halves are never seen.
//   - Making and removing a thing happens under the flock of its name; reading
//     needs no lock and no write access.
//
// Layout:
//
//	version, CACHEDIR.TAG
//	files/<sha256>: what is yet to be unpacked, or is read as it is
//	trees/<key>/  trees/<key>.manifest
//	packages/<name>: what packages held that lie unpacked in trees
//	locks/<name>  locks/use
//	tmp/<anything>/
//	build/<key>/, cache/, home/: what builds keep for themselves; nothing here
//	  relies on it
//	results/: package cache's
//	answers/: package answer's
package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	version = "xbuild store 1\n"

	// The signature is fixed by https://bford.info/cachedir/.
	cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# This directory holds what xbuild fetched and can fetch again.\n" +
		"# See https://bford.info/cachedir/\n"
)

var (
	folders = []string{"files", "trees", "packages", "locks", "tmp"}
)

// A Store is an opened store. Its methods may be called from many goroutines.
type Store struct {
	dir  string
	kept []*os.File // see Keep

	// OnWait, if set before the first use, is called once for each lock that
	// was waited for longer than a second because another process holds it: the
	// lock's name and who that is.
	OnWait func(name, holder string)
}

// DefaultDir is $XBUILD_STORE, else $XDG_CACHE_HOME/xbuild, else
// ~/.cache/xbuild.
func DefaultDir() (string, error) {
	if d := os.Getenv("XBUILD_STORE"); d != "" {
		return filepath.Abs(d)
	}
	// The XDG specification says that a relative value is to be ignored.
	if d := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "xbuild"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the store: %w; set XBUILD_STORE", err)
	}
	return filepath.Join(home, ".cache", "xbuild"), nil
}

// Open opens the store in dir, creating it when there is none, and removes
// what killed processes left. A store that cannot be written can be opened for
// reading.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir}
	have, err := os.ReadFile(s.path("version"))
	switch {
	case err == nil && string(have) == version:
		s.sweep()
		return s, nil
	case err == nil:
		return nil, fmt.Errorf("store %s has the format %q, this xbuild knows %q only; set XBUILD_STORE to another folder or remove this one",
			dir, bytes.TrimSpace(have), strings.TrimSpace(version))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	if err := s.create(); err != nil {
		return nil, s.explain(err, 0)
	}
	return s, nil
}

// create makes the folders; `version` comes last, so that a store with a
// version is whole. Two processes may do this at once.
func (s *Store) create() error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// Creation may have been cut short; anything else is somebody's
		// folder, which a CACHEDIR.TAG would hide from their backups.
		switch e.Name() {
		case "files", "trees", "packages", "locks", "tmp", "build", "CACHEDIR.TAG", "version":
		default:
			return fmt.Errorf("%s is no store and is not empty (%s); set XBUILD_STORE to a folder of its own", s.dir, e.Name())
		}
	}
	for _, f := range folders {
		if err := os.MkdirAll(s.path(f), 0o755); err != nil {
			return err
		}
	}
	use, err := os.OpenFile(s.path("locks", "use"), os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	use.Close()
	tmp, done, err := s.TempDir(context.Background(), "create")
	if err != nil {
		return err
	}
	defer done()
	for _, f := range []struct{ name, text string }{{"CACHEDIR.TAG", cacheTag}, {"version", version}} {
		t := filepath.Join(tmp, f.name)
		if err := writeSynced(t, []byte(f.text)); err != nil {
			return err
		}
		if err := os.Rename(t, s.path(f.name)); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// BuildPath is the directory in which a project is built that cannot be
// written itself; GC removes it when its CACHEDIR.TAG is old.
func (s *Store) BuildPath(key string) string { return s.path("build", key) }

// Dir is the absolute path of the store.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// A FullError says that the disk, or the user's share of it, is full.
type FullError struct {
	Dir  string // the store
	Want int64  // bytes wanted; 0 if not known
	Free int64  // bytes free; -1 if not known
	Err  error
}

func (e *FullError) Error() string {
	m := "no space left in the store " + e.Dir
	if e.Want > 0 {
		m += fmt.Sprintf(": %d bytes wanted", e.Want)
		if e.Free >= 0 {
			m += fmt.Sprintf(", %d free", e.Free)
		}
	}
	return m + `; free some ("xbuild store gc") or set XBUILD_STORE to a folder on another disk`
}

func (e *FullError) Unwrap() error { return e.Err }

// explain turns the two errors that say nothing of the store into ones that do.
func (s *Store) explain(err error, want int64) error {
	var full *FullError
	switch {
	case err == nil, errors.As(err, &full):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &FullError{Dir: s.dir, Want: want, Free: freeBytes(s.dir), Err: err}
	case readOnly(err):
		return fmt.Errorf("store %s cannot be written: %w; make it writable or set XBUILD_STORE to another folder", s.dir, err)
	}
	return err
}

func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// used keeps the modification time, which is the time of last use, within a
// day. A read-only store keeps none, and none is needed there.
func used(path string, st fs.FileInfo) {
	if now := time.Now(); now.Sub(st.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(path, time.Time{}, now)
	}
}

// Marks tells whether a path is one whose modification time says when a thing was last used.
func (s *Store) Marks(path string) bool {
	switch dir, name := filepath.Split(path); filepath.Clean(dir) {
	case s.path("files"):
		return true
	case s.path("trees"):
		return strings.HasSuffix(name, manifestSuffix)
	}
	return false
}

// Fleeting tells whether a path is among what processes make and remove while they use the store: temporary things and
// locks. A slash behind the path makes it the names in a directory.
func (s *Store) Fleeting(path string) bool {
	return strings.HasPrefix(path, s.path("tmp")+"/") || strings.HasPrefix(path, s.path("locks")+"/")
}

// isKey tells names that are one safe path element: letters and digits, and after the first character also "._+~-", 200
// at most. It is no regular expression, because compiling one with such a bound costs every start of xbuild most of a
// millisecond.
func isKey(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && strings.IndexByte("._+~-", c) >= 0:
		default:
			return false
		}
	}
	return s != "" && len(s) <= 200
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func checkKey(key string) error {
	if !isKey(key) || strings.HasSuffix(key, manifestSuffix) {
		return fmt.Errorf("%q cannot be a name in the store", key)
	}
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeAll also removes folders without write permission, which packages have.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// ctxErr is the reason why ctx ended.
func ctxErr(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}
