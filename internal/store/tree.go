package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const manifestSuffix = ".manifest"

// TreePath is where the tree with that key is, or will be.
func (s *Store) TreePath(key string) string { return s.path("trees", key) }

// HasTree is the path of a tree, if the store has it. It costs two stats.
func (s *Store) HasTree(key string) (path string, ok bool) {
	if checkKey(key) != nil {
		return "", false
	}
	path = s.TreePath(key)
	m, err := os.Lstat(path + manifestSuffix)
	if err != nil || !m.Mode().IsRegular() {
		return "", false
	}
	if t, err := os.Lstat(path); err != nil || !t.IsDir() {
		return "", false
	}
	used(path+manifestSuffix, m)
	return path, true
}

// Tree makes sure that the store has the tree: fill is called to fill the
// empty folder tmp, unless the tree is there already. The tree is then renamed
// to final, so what in it names itself must name final. Of all processes one
// makes it, the others wait. If fill fails, nothing of it stays.
func (s *Store) Tree(ctx context.Context, key string, fill func(tmp, final string) error) (path string, err error) {
	return s.TreeOf(ctx, key, nil, fill)
}

// TreeOf is Tree of files of which some hashes are known.
func (s *Store) TreeOf(
	ctx context.Context, key string, known *Sums, fill func(tmp, final string) error,
) (path string, err error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if path, ok := s.HasTree(key); ok {
		return path, nil
	}
	unlock, err := s.Lock(ctx, "tree-"+key)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := s.HasTree(key); ok {
		return path, nil
	}
	outer, done, err := s.TempDir(ctx, "tree")
	if err != nil {
		return "", err
	}
	defer done()
	path = s.TreePath(key)
	tmp := filepath.Join(outer, "tree")
	fail := func(err error) (string, error) {
		return "", s.explain(err, written(tmp, err))
	}
	// Without its manifest a tree is not trusted: make it anew.
	if err := os.Rename(path, filepath.Join(outer, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return fail(err)
	}
	if err := fill(tmp, path); err != nil {
		return fail(err)
	}
	list, err := scan(ctx, tmp, known)
	if err != nil {
		return fail(err)
	}
	// One tree at a time: what another one is about to have is shared too.
	shared, err := s.Lock(ctx, "share")
	if err != nil {
		return fail(err)
	}
	defer shared()
	if err := s.share(ctx, tmp, filepath.Join(outer, "link"), list); err != nil {
		return fail(err)
	}
	manifest := filepath.Join(outer, "manifest")
	if err := writeSynced(manifest, list.encode()); err != nil {
		return fail(err)
	}
	synced := make(chan error, 1)
	go func() { synced <- syncTree(tmp, list) }() // seconds on a slow disk
	select {
	case err := <-synced:
		if err != nil {
			return fail(err)
		}
	case <-ctx.Done():
	}
	if err := ctxErr(ctx); err != nil {
		return "", err
	}
	if err := os.Rename(manifest, path+manifestSuffix); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fail(err)
	}
	return path, s.explain(syncDir(s.path("trees")), 0)
}

// removeTree takes the tree out of sight before it takes it apart; the caller
// holds its lock.
func (s *Store) removeTree(key string) error {
	tmp, done, err := s.TempDir(context.Background(), "remove")
	if err != nil {
		return err
	}
	defer done()
	err = os.Rename(s.TreePath(key), filepath.Join(tmp, "tree"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.explain(err, 0)
	}
	err = os.Remove(s.TreePath(key) + manifestSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.explain(err, 0)
	}
	return nil
}

// written is how much of a tree there was when the disk was full: at least so
// much is wanted.
func written(dir string, err error) (n int64) {
	if !isFull(err) {
		return 0
	}
	_, n = usage(dir)
	return n
}
