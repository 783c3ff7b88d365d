package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/origin"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// cxxSuffixes are those of files that a C++ compiler compiles.
var cxxSuffixes = []string{".cc", ".cpp", ".cxx", ".c++", ".C", ".mm"}

// cxxRequest asks for the source of the C++ library that is built for a platform. The second result is false where the
// sysroot's packages have one, and where nobody compiles C++ for the platform: to build it takes minutes.
func (pl *Planner) cxxRequest(p platform.Platform) (resolve.SysrootRequest, bool, error) {
	def, _, err := pl.Suite(p)
	if err != nil || def.CXX == "" {
		return resolve.SysrootRequest{}, false, err
	}
	wanted := pl.Project.Config(p).Sysroot.CXX || len(pl.Project.Targets) == 0
	for _, t := range pl.Project.Targets {
		if wanted {
			break
		}
		if t.Only && !slices.ContainsFunc(t.Platforms, func(q platform.Platform) bool { return q.Name == p.Name }) {
			continue
		}
		if wanted, err = pl.compilesCXX(t.For(p)); err != nil {
			return resolve.SysrootRequest{}, false, err
		}
	}
	lib := pl.Catalog.Part(def.CXX)
	return resolve.SysrootRequest{Def: lib, Arch: origin.SourceArch, Suite: lib.Suites[0].Name, Where: p.Name}, wanted, nil
}

// compilesCXX tells whether a target has C++ in it: by its recipe, else by the names of its files, those that the
// option sources names where there is one.
func (pl *Planner) compilesCXX(t project.Target) (bool, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	if recipe.CXX {
		return true, nil
	}
	globs, named := t.Options["sources"].([]string)
	if !named {
		globs = []string{"**"}
	}
	key := t.Source + "\x00" + strings.Join(globs, "\x00")
	if found, known := pl.cxx[key]; known {
		return found, nil
	}
	dir := filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source))
	found := false
	for _, glob := range globs {
		err := doublestar.GlobWalk(os.DirFS(dir), path.Clean(glob), func(name string, _ fs.DirEntry) error {
			if slices.Contains(cxxSuffixes, path.Ext(name)) {
				found = true
				return fs.SkipAll
			}
			return nil
		}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil && !errors.Is(err, fs.SkipAll) {
			return false, fmt.Errorf("target %q: %w", t.Name, err)
		}
	}
	if pl.cxx == nil {
		pl.cxx = map[string]bool{}
	}
	pl.cxx[key] = found
	return found, nil
}
