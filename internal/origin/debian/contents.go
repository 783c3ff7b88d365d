package debian

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"xbuild/internal/archive"
)

// maxHolders bounds the files that are looked at of one name, maxNamed the packages that come back.
const (
	maxHolders = 200
	maxNamed   = 3
)

// PackagesWith names the packages of a suite that have what a compiler, pkg-config, CMake or a linker asks for by name:
// a header (sasl/sasl.h), a .pc file (libsasl2), a package of CMake's (Qt6Core), a library (sasl2); of programs one on
// PATH. The likeliest come first, and none where there is none. The archive's Contents index of the architecture is
// fetched for it, and the one of packages for all architectures where that has nothing.
func (a *Archive) PackagesWith(ctx context.Context, suite, arch, name string, program bool) ([]string, error) {
	for _, of := range []string{arch, "all"} {
		file, _, err := a.File(ctx, suite, func(r *archive.Release) (string, archive.FileHash, error) {
			_, byHash, hash, err := r.Contents("main", of)
			return byHash, hash, err
		})
		if errors.Is(err, archive.ErrNoIndex) {
			continue
		}
		if err != nil {
			return nil, err
		}
		held, err := archive.ReadContents(file, func(p string) bool { return kindOf(p, name, program) > 0 }, maxHolders)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(held, func(x, y archive.Holder) int {
			if d := kindOf(y.Path, name, program) - kindOf(x.Path, name, program); d != 0 {
				return d
			}
			return len(x.Path) - len(y.Path)
		})
		var out []string
		for _, h := range held {
			if len(out) > 0 && kindOf(h.Path, name, program) < kindOf(held[0].Path, name, program) {
				break // another kind of file of that name
			}
			for _, p := range h.Packages {
				if len(out) < maxNamed && !slices.Contains(out, p) {
					out = append(out, p)
				}
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, nil
}

// kindOf is how well a file of a package answers to a name: 0 where it does not.
func kindOf(file, name string, program bool) int {
	base := path.Base(file)
	if program {
		if base == name && slices.Contains([]string{"usr/bin", "bin", "usr/sbin", "sbin"}, path.Dir(file)) {
			return 1
		}
		return 0
	}
	switch ext := path.Ext(name); {
	case strings.Contains(name, "/"), slices.Contains([]string{".h", ".hh", ".hpp", ".hxx", ".inc"}, ext):
		in, ok := strings.CutPrefix(file, "usr/include/")
		switch {
		case !ok:
			return 0
		case in == name:
			return 3
		case strings.HasSuffix(in, "/"+name) && strings.Count(in, "/") == strings.Count(name, "/")+1:
			return 2 // a directory that an option names: the machine's, or a library's own
		case strings.HasSuffix(in, "/"+name):
			return 1
		}
		return 0
	}
	config := base == name+"Config.cmake" || base == strings.ToLower(name)+"-config.cmake"
	switch {
	case base == name+".pc" && path.Base(path.Dir(file)) == "pkgconfig":
		return 4
	case config && strings.Contains(file, "/cmake/"):
		return 3
	case base == "lib"+name+".so", base == "lib"+name+".a",
		strings.HasPrefix(name, "lib") && (base == name+".so" || base == name+".a"):
		if slices.Contains(strings.Split(path.Dir(file), "/"), "lib") && strings.Count(file, "/") <= 3 {
			return 2
		}
	case strings.EqualFold(base, "lib"+name+".so") && strings.Count(file, "/") <= 3:
		return 1 // as CMake's modules name libraries
	}
	return 0
}
