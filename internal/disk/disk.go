// Package disk is what is done to files and trees of them beyond what Go's library does: copied with their times,
// replaced whole, removed although they are read-only, found on a PATH; and how their names lie to each other.
package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Within tells whether a path is a directory or below it.
func Within(path, dir string) bool {
	return strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/')
}

// VCS are directories that hold no sources.
var VCS = []string{".git", ".hg", ".svn", ".jj"}

// Matches tells whether one of some globs is that of a path.
func Matches(globs []string, name string) bool {
	for _, g := range globs {
		if ok, err := doublestar.Match(g, filepath.ToSlash(name)); ok && err == nil {
			return true
		}
	}
	return false
}

// Relative is a path as seen from a directory; both are absolute.
func Relative(dir, path string) string {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return rel
}

// IsCache tells directories that say of themselves that they hold what can be made again, other projects' build
// directories for one.
func IsCache(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "CACHEDIR.TAG"))
	return err == nil
}

// VersionOf tells versions of an input apart. A file that is replaced may be given the size and the time of the one
// before; when its inode was changed last nobody can set.
func VersionOf(info fs.FileInfo) string {
	return fmt.Sprintf("%s:%d", StatOf(info), ChangedAt(info).UnixNano())
}

// StatOf is what of a file tells whether it was touched.
func StatOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d:%d:%o", info.Size(), info.ModTime().UnixNano(), info.Mode())
}

// ChangedAt is when a file's inode was changed last.
func ChangedAt(info fs.FileInfo) time.Time {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(sys.Ctim.Unix())
}
