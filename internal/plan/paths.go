package plan

import (
	"fmt"
	"path/filepath"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/project"
)

// StorePath refuses a directory that a store cannot lie in: its path is in the names of compilers that Makefiles and
// configure scripts write unquoted, in PATH, in the RPATH of programs, and behind commas in linker options.
func StorePath(dir string) error {
	if c := env.Odd(dir, "+~@%^!"); c != "" {
		return fmt.Errorf("the store %s has %q in its path, which shells, make and linkers do not take in the name of a compiler: set XBUILD_STORE to another folder", dir, c)
	}
	return nil
}

// BuildPath refuses a build directory that the user names and whose path a tool below some recipe does not take: copies
// of sources lie there, and lld takes a % in the name of what it links for a place to be filled in.
func BuildPath(dir string) error {
	if c := env.Odd(dir, "+~"); c != "" {
		return fmt.Errorf("the build directory %s has %q in its path, which shells, make, CMake or linkers do not take: "+
			"name another one by --build-dir or XBUILD_BUILD_DIR, or none", dir, c)
	}
	return nil
}

// takes refuses a source whose path has a character that a tool below the recipe does not take.
func (pl *Planner) takes(recipe *catalog.Recipe, t project.Target, source string) error {
	if recipe.CopySource {
		return nil // it builds in a copy, in a directory of ours
	}
	i := strings.IndexAny(source, recipe.Refuses)
	if i < 0 && strings.Contains(source, "'") {
		i = strings.IndexByte(source, '"') // see env.Quoted
	}
	if i < 0 {
		return nil
	}
	for _, r := range source[i:] {
		return fmt.Errorf("%s:%d: [target.%s]: recipe %s cannot build in %s, because its tools do not take %q in a path: rename the folder", pl.Project.File, t.Line, t.Name, recipe.Name, filepath.Clean(source), string(r))
	}
	return nil
}
