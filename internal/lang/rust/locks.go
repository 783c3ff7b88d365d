package rust

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/toolset"
)

// crateName is the line of Cargo.lock that names a package.
var crateName = lazyregexp.New(`(?m)^name = "([^"]+)"$`)

// depends tells whether the Cargo.lock in a directory names one of some packages. Before there is one, what
// Cargo.toml itself names is all that is known.
func depends(ts *toolset.Tools, dir string, crates []string) (bool, error) {
	data, err := ts.Files.Read(filepath.Join(dir, "Cargo.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = ts.Files.Read(filepath.Join(dir, "Cargo.toml")); errors.Is(err, fs.ErrNotExist) {
			return false, nil // cargo says it better
		}
		return slices.ContainsFunc(crates, func(c string) bool { return dependsOn(data, c) }), err
	}
	for _, m := range crateName.FindAllSubmatch(data, -1) {
		if slices.Contains(crates, string(m[1])) {
			return true, nil
		}
	}
	return false, err
}

// dependsOn tells whether a Cargo.toml has a key, or a table, of the name of a package.
func dependsOn(manifest []byte, crate string) bool {
	return regexp.MustCompile(`(?m)^\s*(\[.*dependencies\.)?"?` + regexp.QuoteMeta(crate) + `"?\s*[\].=]`).Match(manifest)
}
