package scan

import (
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/lazyregexp"
)

// What defines a module of Fortran, and what uses one (ISO/IEC 1539-1, "Modules", "The USE statement", "Submodules").
var (
	fortranDefines = lazyregexp.New(`(?im)^[ \t]*module[ \t]+(\w+)[ \t]*(?:!.*)?\r?$`)
	fortranUses    = lazyregexp.New(`(?im)^[ \t]*use(?:[ \t]*(?:,[ \t]*non_intrinsic[ \t]*)?::[ \t]*|[ \t]+)(\w+)`)
	fortranParent  = lazyregexp.New(`(?im)^[ \t]*submodule[ \t]*\([ \t]*(\w+)`)
)

// FortranOrder are files of Fortran below a directory in an order in which each comes behind those whose modules it
// uses. Of files that use one another it is as it was given, and the compiler says what is wrong.
func (f *Files) FortranOrder(dir string, files []string) ([]string, error) {
	uses, defines := map[string][]string{}, map[string]string{}
	for _, name := range files {
		data, err := f.Read(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		text := string(data)
		for _, m := range fortranDefines.FindAllStringSubmatch(text, -1) {
			defines[strings.ToLower(m[1])] = name
		}
		for _, m := range slices.Concat(
			fortranUses.FindAllStringSubmatch(text, -1), fortranParent.FindAllStringSubmatch(text, -1),
		) {
			uses[name] = append(uses[name], strings.ToLower(m[1]))
		}
	}
	var out []string
	seen := map[string]bool{}
	var put func(name string)
	put = func(name string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		for _, module := range uses[name] {
			put(defines[module])
		}
		out = append(out, name)
	}
	for _, name := range files {
		put(name)
	}
	return out, nil
}
