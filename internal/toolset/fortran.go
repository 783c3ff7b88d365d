package toolset

import (
	"fmt"
	"slices"

	"xbuild/internal/platform"
)

// FortranSuffixes are those of files that a Fortran compiler compiles; those in capitals are preprocessed (GCC's
// manual, "Options Controlling the Kind of Output").
var FortranSuffixes = []string{".f", ".for", ".f77", ".f90", ".f95", ".f03", ".f08",
	".F", ".FOR", ".F90", ".F95", ".F03", ".F08"}

// compilesFortran tells whether a target that is built for a platform has Fortran in it, by the names of its files, and
// a compiler of it. All targets have one sysroot.
func (ts *Tools) compilesFortran(p platform.Platform) (bool, error) {
	for _, t := range ts.Project.Targets {
		if t.Only && !slices.ContainsFunc(t.Platforms, func(q platform.Platform) bool { return q.Name == p.Name }) {
			continue
		}
		t = t.For(p)
		if ts.For(t).Compiler(p).Compiler.Fortran == "" {
			continue
		}
		globs, named := t.Options["sources"].([]string)
		if !named {
			globs = []string{"**"}
		}
		found, err := ts.Files.Ending(ts.Project.SourceDir(t), globs, FortranSuffixes)
		if err != nil {
			return false, fmt.Errorf("target %q: %w", t.Name, err)
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}
