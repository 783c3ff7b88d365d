package compose

import (
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/object"
)

// besideCXX is the name of the script that the view's linker reads before it links with a C++ library that is built.
const besideCXX = "c++.sh"

// linkCXX are the lines of the linker's script that read besideCXX, tool being where the linker lies.
func (v View) linkCXX() string {
	if v.Sysroot.CXX == nil {
		return ""
	}
	return fmt.Sprintf(`case " $* " in *" -l%s "* | *" @"*) . "${tool%%%%/../../*}/../%s" ;; esac
`, strings.TrimPrefix(v.Sysroot.CXX.Library.Name, "lib"), besideCXX)
}

// cxxLink is the content of that script: it adds what the C++ library needs, and refuses libraries of the sysroot that
// speak the sysroot's own. Their names of functions and types are others, and what they throw nobody catches. A library
// of that name in another directory that is searched is the project's. The compiler puts a long command into a file,
// each word of it in quotes.
func (v View) cxxLink(speakers map[string]string) string {
	var b strings.Builder
	lib := v.Sysroot.CXX.Library
	fmt.Fprintf(&b, `# %s: made by xbuild
words=" $* "
case $words in *" @"*)
  for arg; do
    case $arg in @*) words="$words $(tr '"\n' '  ' <"${arg#@}") " ;; esac
  done
  ;;
esac
case $words in *" -l%s "*) ;; *) return 0 ;; esac
`, v.Platform.Name, strings.TrimPrefix(lib.Name, "lib"))
	if len(lib.Link) > 0 {
		// A library of threads is loaded before the C library, which has functions of the same names. Of a static link
		// lld takes archives behind -static alone.
		fmt.Fprintf(&b, `case $words in
*" -static "*) set -- "$@" %[1]s ;;
*) set -- --push-state --as-needed %[1]s --pop-state "$@" ;;
esac
`, strings.Join(lib.Link, " "))
	}
	if len(speakers) == 0 {
		return b.String()
	}
	b.WriteString("speaks() {\n  case $1 in\n")
	for _, name := range slices.Sorted(maps.Keys(speakers)) {
		fmt.Fprintf(&b, "  %s) of='%s' ;;\n", name, speakers[name])
	}
	fmt.Fprintf(&b, `  *) return 1 ;;
  esac
}
set -f
for arg in $words; do
  case $arg in
  -l*) name=lib${arg#-l} ;;
  */%[1]s/*) name=${arg##*/} name=${name%%%%.so*} name=${name%%.a} ;;
  *) continue ;;
  esac
  speaks "$name" || continue
  for dir in $words; do
    case $arg$dir in -l*-L*/%[1]s/*) ;; -l*-L?*)
      dir=${dir#-L}
      if test -e "$dir/$name.so" || test -e "$dir/$name.a"; then continue 2; fi
      ;;
    esac
  done
  echo "ld.lld: error: $name of $of speaks %[2]s, and this link is with %[3]s" >&2
  exit 1
done
set +f
`, v.Sysroot.Key, v.Sysroot.stdlib, lib.Name)
	return b.String()
}

// speakers are the libraries of a sysroot whose functions take or return objects of the C++ library among its packages:
// the package of each, by the library's name.
func (c *Composer) speakers(s Sysroot, multiarch string) (map[string]string, error) {
	out, at := map[string]string{}, map[string]string{}
	if s.stdlib == "" || s.CXX == nil {
		return out, nil
	}
	for _, dir := range []string{"usr/lib/" + multiarch, "usr/lib"} {
		entries, err := os.ReadDir(filepath.Join(s.Dir, dir))
		if err != nil {
			continue // a platform may have one of them
		}
		for _, e := range entries {
			name, shared := strings.CutSuffix(e.Name(), ".so")
			name, static := strings.CutSuffix(name, ".a")
			if !shared && !static || name == s.stdlib || out[name] != "" || !shellWord.MatchString(name) {
				continue
			}
			speaks, err := speaks(filepath.Join(s.Dir, dir, e.Name()), s.stdlib)
			if err != nil {
				return nil, err
			}
			if speaks {
				out[name], at[dir+"/"+e.Name()] = "the sysroot", name
			}
		}
	}
	// What is linked to is of the package that has the link. The store may have forgotten which that is.
	for _, f := range s.files {
		for _, file := range c.Store.Recorded(packageName(f, s.unpacking())) {
			if name := at[file]; name != "" {
				out[name] = "package " + f.Name
			}
		}
	}
	return out, nil
}

var (
	shellWord = lazyregexp.New(`^[A-Za-z0-9_.+-]+$`)
	// ofStd are names of what lies in the C++ library itself: each program and library has some of its own.
	ofStd = lazyregexp.New(`^_Z(?:T[ISVTv]|GV|TW|TH)?N?(?:K|V)*(?:St|9__gnu_cxx|10__cxxabiv1|S[absiod])`)
	// withStd are names that have types of the C++ library in them: those in std begin with St and a length.
	withStd = lazyregexp.New(`St\d+[a-z_]|S[sio]\b|R(?:K?)S[siod]`)
)

// mentions tells whether a symbol's name says that it takes or returns objects of the C++ library: the Itanium C++ ABI,
// "Mangling".
func mentions(symbol string) bool {
	return strings.HasPrefix(symbol, "_Z") && !ofStd.MatchString(symbol) && withStd.MatchString(symbol)
}

// speaks tells whether a library has a function that takes or returns objects of a C++ library.
func speaks(path, stdlib string) (bool, error) {
	src, file, err := object.Open(path)
	if err != nil {
		return false, nil // a link that leads nowhere
	}
	defer file.Close()
	if object.IsArchive(src) {
		data, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		for name := range object.ArchiveIndex(data) {
			if mentions(name) {
				return true, nil
			}
		}
		return false, nil
	}
	if !object.IsELF(src) {
		return false, nil // a linker script
	}
	e, err := object.OpenELF(src)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	d, err := e.ReadDynamic()
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if !slices.ContainsFunc(d.Needed, func(n string) bool { return strings.HasPrefix(n, stdlib+".so") }) {
		return false, nil
	}
	found := false
	err = e.DynamicSymbols(d, func(s elf.Symbol) {
		found = found || s.Section != elf.SHN_UNDEF && mentions(s.Name)
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}
