package node

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"

	"xbuild/internal/lazyregexp"
)

// gccAlone are flags of binding.gyp files that GCC takes and that say nothing to it, and that clang refuses.
// -exceptions, meant for -fexceptions, is to GCC the linker's -e with the entry xceptions, which has no part in a
// compilation (node-hid).
var gccAlone = lazyregexp.New(`(?m)^\t-exceptions( \\)?\n`)

// DropFlags takes flags that only GCC takes out of the Makefiles that node-gyp's configure wrote, which have each flag
// on a line of its own.
func DropFlags(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".mk" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !gccAlone.Match(text) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		// What ends a list was continued on the line that goes.
		text = gccAlone.ReplaceAllFunc(text, func(line []byte) []byte {
			if bytes.HasSuffix(line, []byte("\\\n")) {
				return nil
			}
			return []byte("\n")
		})
		return os.WriteFile(path, text, info.Mode().Perm())
	})
}
