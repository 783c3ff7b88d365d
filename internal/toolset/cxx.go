package toolset

import (
	"cmp"
	"fmt"
	"slices"

	"xbuild/internal/hint"
	"xbuild/internal/origin"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// CXXSuffixes are those of files that a C++ compiler compiles.
var CXXSuffixes = []string{".cc", ".cpp", ".cxx", ".c++", ".C", ".mm"}

// CXXRequest asks for the source of the C++ library that is built for a platform. The second result is false where the
// sysroot's packages have it, and where nobody compiles C++ for the platform and nobody names it: to build it takes a
// minute.
func (ts *Tools) CXXRequest(p platform.Platform) (resolve.SysrootRequest, bool, error) {
	def, _, err := ts.Suite(p)
	if err != nil {
		return resolve.SysrootRequest{}, false, err
	}
	asked := cmp.Or(ts.Stdlib, ts.Project.Config(p).Sysroot.Stdlib)
	source := def.CXX
	if asked != "" && asked != def.Stdlib {
		source = ""
		for _, name := range []string{def.CXX, def.OtherCXX} {
			if lib := ts.Catalog.Part(name); lib != nil && lib.Library.Name == asked {
				source = name
			}
		}
		if source == "" {
			have := def.Stdlib
			if lib := ts.Catalog.Part(def.CXX); lib != nil {
				have = lib.Library.Name
			}
			return resolve.SysrootRequest{}, false, hint.Add(
				fmt.Errorf("stdlib = %q: the C++ library of %s over %s is %s alone", asked, p.Name, def.Name, have),
				"where the key stands for other platforms too, write stdlib = %q under [platform.%q]", have, p.Name)
		}
	}
	if source == "" {
		return resolve.SysrootRequest{}, false, nil
	}
	if compiler := ts.Compiler(p); compiler.Compiler.GCC {
		return resolve.SysrootRequest{}, false, hint.Add(
			fmt.Errorf("stdlib = %q for %s is compiled by %s, and cc is %q", ts.Catalog.Part(source).Library.Name, p.Name,
				ts.Catalog.Compiler().Name, compiler.Name),
			"leave one of the two out, or write stdlib = %q or cc = %q beside the other", def.Stdlib,
			ts.Catalog.Compiler().Name)
	}
	wanted := asked != "" || ts.Project.Config(p).Sysroot.CXX || len(ts.Project.Targets) == 0
	for _, t := range ts.Project.Targets {
		if wanted {
			break
		}
		if !builtFor(t, p) {
			continue
		}
		if wanted, err = ts.compilesCXX(t.For(p)); err != nil {
			return resolve.SysrootRequest{}, false, err
		}
	}
	return ts.cxxSource(source, p.Name), wanted, nil
}

// cxxSource asks for a C++ library's source.
func (ts *Tools) cxxSource(name, where string) resolve.SysrootRequest {
	lib := ts.Catalog.Part(name)
	return resolve.SysrootRequest{Def: lib, Arch: origin.SourceArch, Suite: lib.Suites[0].Name, Where: where}
}

// builtFor tells whether a target is one for a platform.
func builtFor(t project.Target, p platform.Platform) bool {
	return !t.Only || slices.ContainsFunc(t.Platforms, func(q platform.Platform) bool { return q.Name == p.Name })
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
