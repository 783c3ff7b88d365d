package compose

import (
	"path/filepath"
	"strings"
)

// Up leads from a sysroot to the root directory.
func (s Sysroot) Up() string {
	at, err := filepath.EvalSymlinks(s.Dir)
	if err != nil { // it is not in the store yet, where no link is in it
		at = s.Dir
		if dir, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(at))); err == nil {
			at = filepath.Join(dir, filepath.Base(filepath.Dir(at)), filepath.Base(at))
		}
	}
	return strings.Repeat("/..", strings.Count(at, "/"))
}
