package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// The kinds of things in a store.
const (
	KindFile   = "file"
	KindTree   = "tree"
	KindRecord = "record"
)

// A Problem is one thing in the store that is not what its name or manifest
// says.
type Problem struct {
	Kind    string   `json:"kind"` // KindFile, KindTree or KindRecord
	Key     string   `json:"key"`
	Path    string   `json:"path"`
	Details []string `json:"details"`
	Removed bool     `json:"removed"`
}

func (p Problem) String() string {
	m := fmt.Sprintf("%s %s is damaged: %s", p.Kind, p.Path, strings.Join(p.Details, "; "))
	if p.Removed {
		m += " (removed; it is fetched anew when needed)"
	}
	return m
}

// A Summary counts what Verify looked at.
type Summary struct {
	Files    int   `json:"files"`
	Trees    int   `json:"trees"`
	Bytes    int64 `json:"bytes"`
	Problems int   `json:"problems"`
}

// Verify hashes every file and every tree again and reports what is damaged.
// With remove, that is also removed, so that a next run makes it anew.
func (s *Store) Verify(ctx context.Context, remove bool, report func(Problem)) (Summary, error) {
	var sum Summary
	files, trees, err := s.list()
	if err != nil {
		return sum, err
	}
	found := func(p Problem, lock string, take func() error) error {
		sum.Problems++
		if remove {
			unlock, err := s.Lock(ctx, lock)
			if err != nil {
				return err
			}
			defer unlock()
			if err := take(); err != nil {
				return err
			}
			p.Removed = true
		}
		if report != nil {
			report(p)
		}
		return nil
	}
	for _, name := range files {
		if err := ctxErr(ctx); err != nil {
			return sum, err
		}
		path := s.path("files", name)
		var details []string
		got, size, err := hashFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			continue
		case err != nil:
			details = []string{err.Error()}
		case got != name:
			details = []string{fmt.Sprintf("the sha256 is %s", got)}
		}
		sum.Files++
		sum.Bytes += size
		if details != nil {
			err := found(Problem{Kind: KindFile, Key: name, Path: path, Details: details}, "file-"+name,
				func() error { return s.explain(removeAll(path), 0) })
			if err != nil {
				return sum, err
			}
		}
	}
	for _, key := range trees {
		details, n, err := s.verifyTree(ctx, key)
		if err != nil {
			return sum, err
		}
		sum.Trees++
		sum.Bytes += n
		if details != nil {
			err := found(Problem{Kind: KindTree, Key: key, Path: s.TreePath(key), Details: details}, "tree-"+key,
				func() error { return s.removeTree(key) })
			if err != nil {
				return sum, err
			}
		}
	}
	names, err := s.records()
	if err != nil {
		return sum, err
	}
	for _, name := range names {
		path := s.path("packages", name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		}
		if err == nil {
			_, _, err = decodeRecord(text)
		}
		if err != nil {
			err := found(Problem{Kind: KindRecord, Key: name, Path: path, Details: []string{err.Error()}}, "record-"+name,
				func() error { return s.explain(removeAll(path), 0) })
			if err != nil {
				return sum, err
			}
		}
	}
	return sum, nil
}

func (s *Store) verifyTree(ctx context.Context, key string) (details []string, n int64, err error) {
	path := s.TreePath(key)
	text, err := os.ReadFile(path + manifestSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"there is no manifest"}, 0, nil
	}
	if err != nil {
		return []string{err.Error()}, 0, nil
	}
	want, err := decodeManifest(text)
	if err != nil {
		return []string{err.Error()}, 0, nil
	}
	have, err := scan(ctx, path, nil)
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctxErr(ctx)
	case errors.Is(err, fs.ErrNotExist) && !exists(path): // removed meanwhile
		return nil, 0, nil
	case err != nil:
		return []string{err.Error()}, 0, nil
	}
	return want.differ(have), have.bytes(), nil
}

// list names the files and trees; the temporary things are not among them.
func (s *Store) list() (files, trees []string, err error) {
	entries, err := os.ReadDir(s.path("files"))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if entries, err = os.ReadDir(s.path("trees")); err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if e.IsDir() {
			trees = append(trees, e.Name())
		}
	}
	return files, trees, nil
}

// A Count is how many things there are and what they add up to.
type Count struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

// Info is what a store holds.
type Info struct {
	Dir       string `json:"dir"`
	Files     Count  `json:"files"`
	Trees     Count  `json:"trees"`
	Temporary Count  `json:"temporary"` // in the making, or left by killed processes
	Free      int64  `json:"free"`      // bytes free on its disk; -1 if not known
}

// Info counts what the store holds; trees are counted by their manifests.
func (s *Store) Info() (Info, error) {
	info := Info{Dir: s.dir, Free: freeBytes(s.dir)}
	files, trees, err := s.list()
	if err != nil {
		return info, err
	}
	for _, name := range files {
		if st, err := os.Lstat(s.path("files", name)); err == nil {
			info.Files.Count++
			info.Files.Bytes += st.Size()
		}
	}
	for _, key := range trees {
		text, err := os.ReadFile(s.TreePath(key) + manifestSuffix)
		if err != nil {
			continue
		}
		m, err := decodeManifest(text)
		if err != nil {
			return info, fmt.Errorf("%s: %w", s.TreePath(key)+manifestSuffix, err)
		}
		info.Trees.Count++
		info.Trees.Bytes += m.bytes()
	}
	if entries, err := os.ReadDir(s.path("tmp")); err == nil {
		info.Temporary.Count = len(entries)
		_, info.Temporary.Bytes = usage(s.path("tmp"))
	}
	return info, nil
}

// Collected is what GC removed.
type Collected struct {
	Files Count `json:"files"`
	Trees Count `json:"trees"`
	// Builds are directories of projects that are built in the store.
	Builds Count `json:"builds"`
}

// GC removes what was not used for so long (counted in days: see used), but
// nothing for which keep, if given, says true. It first waits until no process
// has the store in Use.
func (s *Store) GC(ctx context.Context, keep func(kind, key string) bool, olderThan time.Duration) (Collected, error) {
	var c Collected
	release, err := s.Alone(ctx)
	if err != nil {
		return c, err
	}
	defer release()
	files, _, err := s.list()
	if err != nil {
		return c, err
	}
	limit := time.Now().Add(-olderThan)
	for _, name := range files {
		path := s.path("files", name)
		st, err := os.Lstat(path)
		if err != nil || st.ModTime().After(limit) || keep != nil && keep(KindFile, name) {
			continue
		}
		took, err := s.ifFree(ctx, "file-"+name, func() error { return s.explain(os.Remove(path), 0) })
		if err != nil {
			return c, err
		}
		if took {
			c.Files.Count++
			c.Files.Bytes += st.Size()
		}
	}
	// By all names, so that a manifest without a tree goes too.
	entries, err := os.ReadDir(s.path("trees"))
	if err != nil {
		return c, err
	}
	for _, e := range entries {
		key, isManifest := strings.CutSuffix(e.Name(), manifestSuffix)
		if isManifest && exists(s.TreePath(key)) {
			continue // its tree comes, or came, by itself
		}
		path := s.TreePath(key)
		var n int64
		st, err := os.Lstat(path + manifestSuffix)
		if err == nil {
			if text, err := os.ReadFile(path + manifestSuffix); err == nil && !isManifest {
				if m, err := decodeManifest(text); err == nil {
					n = m.bytes()
				}
			}
		} else if st, err = os.Lstat(path); err != nil {
			continue
		}
		if st.ModTime().After(limit) || keep != nil && keep(KindTree, key) {
			continue
		}
		took, err := s.ifFree(ctx, "tree-"+key, func() error { return s.removeTree(key) })
		if err != nil {
			return c, err
		}
		if took && !isManifest {
			c.Trees.Count++
			c.Trees.Bytes += n
		}
	}
	if err := s.gcRecords(limit); err != nil {
		return c, err
	}
	return c, s.gcBuilds(ctx, &c, limit)
}

// gcBuilds removes the build directories that were not used since limit. Who
// builds has the store in Use.
func (s *Store) gcBuilds(ctx context.Context, c *Collected, limit time.Time) error {
	entries, err := os.ReadDir(s.path("build"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := s.BuildPath(e.Name())
		st, err := os.Lstat(filepath.Join(dir, "CACHEDIR.TAG"))
		if err != nil {
			if st, err = os.Lstat(dir); err != nil {
				continue
			}
		}
		if st.ModTime().After(limit) {
			continue
		}
		if err := ctxErr(ctx); err != nil {
			return err
		}
		_, n := usage(dir)
		if err := removeAll(dir); err != nil {
			return s.explain(err, 0)
		}
		c.Builds.Count++
		c.Builds.Bytes += n
	}
	return nil
}

// ifFree does something under a lock, unless somebody has the lock now.
func (s *Store) ifFree(ctx context.Context, name string, do func() error) (bool, error) {
	if err := ctxErr(ctx); err != nil {
		return false, err
	}
	l := flock.New(s.path("locks", name), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
	ok, err := tryLock(l)
	if err != nil || !ok {
		return false, s.explain(err, 0)
	}
	defer func() {
		_ = os.Remove(l.Path())
		_ = l.Unlock()
	}()
	return true, do()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// usage counts the regular files below dir.
func usage(dir string) (files int, size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if st, err := d.Info(); err == nil {
			files++
			size += st.Size()
		}
		return nil
	})
	return files, size
}
