package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// PlaceLink puts a symbolic link where another one, or a file, may be.
func PlaceLink(target, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(to), fmt.Sprintf(".xbuild-%d-%s", os.Getpid(), filepath.Base(to)))
	os.Remove(tmp)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, to); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

// RemoveAll deletes a tree whose directories may be read-only, as installed ones sometimes are.
func RemoveAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Write replaces a file whole; a reader sees the old content or the new.
func Write(path string, data []byte) error { return WriteBy(filepath.Dir(path), path, data) }

// WriteBy is Write that makes the file in another directory, where that is on the same file system.
func WriteBy(scratch, path string, data []byte) error {
	f, err := os.CreateTemp(scratch, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	err = os.Rename(f.Name(), path)
	if errors.Is(err, syscall.EXDEV) && scratch != filepath.Dir(path) {
		return Write(path, data)
	}
	return err
}

// LookPath finds a program on a PATH that is not this process's: that of an action.
func LookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			continue
		}
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("program %q is neither in xbuild's toolchains for this target nor among the host's that it sees",
		name)
}
