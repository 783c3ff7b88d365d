package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Merge puts what a package was unpacked to, in the directory from, into dir, as if it had been unpacked there: several
// may be merged into one dir at once. Files become hard links where the file system has them, so they must not be
// written to afterwards.
func Merge(ctx context.Context, from, dir string) error {
	t, err := openTree(dir)
	if err != nil {
		return err
	}
	defer t.close()
	buf := make([]byte, 64<<10)
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || file == from {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		p := filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			_, err := t.dir(p)
			return err
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return t.symlink(p, path.Join(path.Dir(p), target))
		}
		return t.mergeFile(file, p, buf)
	})
}

// mergeFile makes p another name of a file that lies outside of the tree, or a copy of it.
func (t *tree) mergeFile(file, p string, buf []byte) error {
	_, real, base, err := t.parent(p)
	if err != nil {
		return err
	}
	if os.Link(file, filepath.Join(t.root.Name(), real, base)) == nil {
		return nil
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New(p + " is no file")
	}
	return t.file(p, &tar.Header{Mode: int64(st.Mode().Perm()), ModTime: st.ModTime()}, in, buf)
}
