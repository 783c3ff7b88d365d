package toolset

import (
	"fmt"
	"slices"

	"xbuild/internal/origin"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// CXXSuffixes are those of files that a C++ compiler compiles.
var CXXSuffixes = []string{".cc", ".cpp", ".cxx", ".c++", ".C", ".mm"}

// CXXRequest asks for the source of the C++ library that is built for a platform. The second result is false where the
// sysroot's packages have one, and where nobody compiles C++ for the platform: to build it takes minutes.
func (ts *Tools) CXXRequest(p platform.Platform) (resolve.SysrootRequest, bool, error) {
	def, _, err := ts.Suite(p)
	if err != nil || def.CXX == "" {
		return resolve.SysrootRequest{}, false, err
	}
	wanted := ts.Project.Config(p).Sysroot.CXX || len(ts.Project.Targets) == 0
	for _, t := range ts.Project.Targets {
		if wanted {
			break
		}
		if t.Only && !slices.ContainsFunc(t.Platforms, func(q platform.Platform) bool { return q.Name == p.Name }) {
			continue
		}
		if wanted, err = ts.compilesCXX(t.For(p)); err != nil {
			return resolve.SysrootRequest{}, false, err
		}
	}
	lib := ts.Catalog.Part(def.CXX)
	return resolve.SysrootRequest{Def: lib, Arch: origin.SourceArch, Suite: lib.Suites[0].Name, Where: p.Name}, wanted, nil
}

// compilesCXX tells whether a target has C++ in it: by its recipe, else by the names of its files, those that the
// option sources names where there is one.
func (ts *Tools) compilesCXX(t project.Target) (bool, error) {
	recipe := ts.Catalog.Recipe(t.Recipe)
	if recipe.CXX {
		return true, nil
	}
	globs, named := t.Options["sources"].([]string)
	if !named {
		globs = []string{"**"}
	}
	found, err := ts.Files.Ending(ts.Project.SourceDir(t), globs, CXXSuffixes)
	if err != nil {
		return false, fmt.Errorf("target %q: %w", t.Name, err)
	}
	return found, nil
}
