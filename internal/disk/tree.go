package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// CopyTree brings a copy of a source up to date: files that are new, or other ones than those that were copied before,
// are copied with their times, so that make sees what changed. What the commands made in the copy stays, and so does
// what they changed in it, as a configure script does with a Makefile that its authors publish. What is gone from the
// source goes from the copy. A link that leads out of the source leads to the same file in the copy. left tells what is
// left out. copied is what was copied before, and is what is copied after.
func CopyTree(from, to string, left func(path string) bool, skip []string, copied map[string]string) error {
	seen := map[string]bool{}
	top := from + string(filepath.Separator) // it may be a link itself
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if path != top && (slices.Contains(skip, path) || slices.Contains(VCS, d.Name()) || IsCache(path) || left(path)) {
				return fs.SkipDir
			}
			return os.MkdirAll(dst, 0o755)
		case left(path):
			return nil
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if full := filepath.Join(filepath.Dir(path), target); !filepath.IsAbs(target) && !Within(full, from) {
				target = full
			}
			if have, err := os.Readlink(dst); err == nil && have == target {
				return nil
			}
			return PlaceLink(target, dst)
		case info.Mode().IsRegular():
			seen[rel] = true
			if _, err := os.Lstat(dst); err == nil && copied[rel] == VersionOf(info) {
				return nil
			}
			os.Remove(dst)
			if err := CopyWithTime(path, dst); err != nil {
				return err
			}
			copied[rel] = VersionOf(info)
			return nil
		}
		return fmt.Errorf("%s: neither file, directory nor link", path)
	})
	if err != nil {
		return err
	}
	for rel := range copied {
		if seen[rel] {
			continue
		}
		if err := os.Remove(filepath.Join(to, rel)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		delete(copied, rel)
	}
	return nil
}

// CopyWithTime copies a regular file, which must not be there, with its mode and time; its owner may write it.
func CopyWithTime(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// CopyFile replaces a file by a copy of another one, with its mode.
func CopyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}
