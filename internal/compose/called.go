package compose

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"xbuild/internal/lazyregexp"
)

// calledScript stands in a sysroot for a program that its files of CMake's name.
const calledScript = "#!/bin/sh\n# The program of the host by this name, which the build has to see.\nexec %s \"$@\"\n"

// importedProgram is how CMake writes the place of a program into the files of a package (install(EXPORT)).
var importedProgram = lazyregexp.New(`"\$\{_IMPORT_PREFIX\}/(s?bin)/([A-Za-z0-9._+-]+)"`)

// calledPrograms puts a script into the place of each program that the tree lacks and that files of CMake's in it name:
// flatbuffers' flatc, libzip's zipcmp. CMake refuses a package that lacks one, used or not; a build that uses it runs
// it, and the platform's would not run here.
func calledPrograms(tree string) error {
	for _, dir := range []string{"usr/lib", "usr/share"} {
		err := filepath.WalkDir(filepath.Join(tree, dir), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(path, ".cmake") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			// The prefix is above lib or share, in which the package has its files.
			prefix := path[:max(strings.LastIndex(path, "/lib/"), strings.LastIndex(path, "/share/"))]
			for _, m := range importedProgram.FindAllStringSubmatch(string(text), -1) {
				program := filepath.Join(prefix, m[1], m[2])
				if _, err := os.Lstat(program); err == nil {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(program, fmt.Appendf(nil, calledScript, m[2]), 0o755); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
