// Package scan reads what planning has to know of a project's files: which are there, which words are in them, and what
// a language's own files say. All reading that a plan goes by is done here, what takes long once for each source.
package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/disk"
	"xbuild/internal/lazyregexp"
)

// Files are the files of projects. The zero value is ready; it is for one goroutine.
type Files struct {
	known map[string]any // what was found out, by a name
}

// Once remembers what was made of files under a name.
func Once[T any](f *Files, name string, read func() (T, error)) (T, error) {
	if v, ok := f.known[name].(T); ok {
		return v, nil
	}
	v, err := read()
	if err == nil {
		if f.known == nil {
			f.known = map[string]any{}
		}
		f.known[name] = v
	}
	return v, err
}

// Missing is why there is no file or directory of a name, nil where there is one.
func (f *Files) Missing(name string) error {
	_, err := os.Stat(name)
	return err
}

// Exists tells whether there is a file or directory of a name.
func (f *Files) Exists(name string) bool { return f.Missing(name) == nil }

// Read returns what is in a file; the error is fs.ErrNotExist where there is none.
func (f *Files) Read(name string) ([]byte, error) { return os.ReadFile(name) }

// Upwards is the nearest directory upwards that holds one of some files, or the directory itself where none does.
func (f *Files) Upwards(from string, names []string) string {
	for dir := from; ; dir = filepath.Dir(dir) {
		for _, name := range names {
			if f.Exists(filepath.Join(dir, name)) {
				return dir
			}
		}
		if dir == filepath.Dir(dir) {
			return from
		}
	}
}

// Named are the files below a directory that globs name, in the order of the globs, each once. A glob that names none
// is an error.
func (f *Files) Named(dir string, globs []string) ([]string, error) {
	var out []string
	for _, g := range globs {
		base, pattern := doublestar.SplitPattern(path.Clean(g))
		found, err := doublestar.Glob(os.DirFS(filepath.Join(dir, filepath.FromSlash(base))), pattern,
			doublestar.WithFilesOnly())
		if err != nil {
			return nil, fmt.Errorf("%q: %w", g, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%q matches no file in %s", g, dir)
		}
		slices.Sort(found)
		for _, name := range found {
			if name = path.Join(base, name); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// Ending tells whether a file below a directory that one of some globs names has one of some suffixes.
func (f *Files) Ending(dir string, globs, suffixes []string) (bool, error) {
	name := "ending\x00" + dir + "\x00" + strings.Join(slices.Concat(globs, suffixes), "\x00")
	return Once(f, name, func() (bool, error) {
		found := false
		for _, glob := range globs {
			err := doublestar.GlobWalk(os.DirFS(dir), path.Clean(glob), func(name string, _ fs.DirEntry) error {
				if slices.Contains(suffixes, path.Ext(name)) {
					found = true
					return fs.SkipAll
				}
				return nil
			}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
			if err != nil && !errors.Is(err, fs.SkipAll) {
				return false, err
			}
		}
		return found, nil
	})
}

// Mentions tells whether one of the files below a directory that globs name has a match of an expression in it.
func (f *Files) Mentions(dir string, globs []string, word *regexp.Regexp) (bool, error) {
	name := "mentions\x00" + dir + "\x00" + strings.Join(globs, "\x00") + "\x00" + word.String()
	return Once(f, name, func() (bool, error) {
		found, root := false, os.DirFS(dir)
		for _, glob := range globs {
			err := doublestar.GlobWalk(root, glob, func(name string, _ fs.DirEntry) error {
				data, err := fs.ReadFile(root, name)
				if err != nil {
					return err
				}
				if word.Match(data) {
					found = true
					return fs.SkipAll
				}
				return nil
			}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
			if err != nil && !errors.Is(err, fs.SkipAll) && !errors.Is(err, fs.ErrNotExist) {
				return false, fmt.Errorf("%s: %w", dir, err)
			}
			if found {
				break
			}
		}
		return found, nil
	})
}

// upwards is a path that leads above the directory that it is looked for in, and to a file or directory there.
var upwards = lazyregexp.New(`(?m)(?:^|[^\w./-])(?:-[ILl])?((?:\./)?(?:\.\./)+\w[\w.+-]*(?:/\w[\w.+-]*)*)`)

// Above is the directory above one, as "..", that files below it which globs name mention paths in: one that is there,
// and not above top. It is "" where they mention none.
func (f *Files) Above(dir, top string, globs []string) (string, error) {
	name := "above\x00" + dir + "\x00" + top + "\x00" + strings.Join(globs, "\x00")
	return Once(f, name, func() (string, error) {
		highest, root := "", os.DirFS(dir)
		for _, glob := range globs {
			err := doublestar.GlobWalk(root, glob, func(name string, _ fs.DirEntry) error {
				data, err := fs.ReadFile(root, name)
				if err != nil {
					return err
				}
				for _, m := range upwards.FindAllSubmatch(data, -1) {
					wanted := filepath.Join(dir, filepath.Dir(filepath.FromSlash(name)), filepath.FromSlash(string(m[1])))
					up := above(dir, wanted)
					if len(up) > len(highest) && disk.Within(wanted, top) && f.Exists(wanted) {
						highest = up
					}
				}
				return nil
			}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("%s: %w", dir, err)
			}
		}
		return highest, nil
	})
}

// above is the way from a directory to the nearest one above it that a path lies in, as "../..", and "" where the path
// lies in the directory itself.
func above(dir, path string) string {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return ""
	}
	ups := strings.Count("/"+filepath.ToSlash(rel), "/..")
	return strings.TrimSuffix(strings.Repeat("../", ups), "/")
}
