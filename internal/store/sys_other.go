//go:build !linux

package store

import (
	"errors"
	"os"
	"path/filepath"
)

func syncTree(dir string, list manifest) error {
	for _, e := range list {
		if !e.mode.IsRegular() && !e.mode.IsDir() {
			continue
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(e.path)))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// freeBytes is not known here; a full disk is then found by writing.
func freeBytes(string) int64 { return -1 }
