package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// standard says what brings a header or a name of the C++ standard library that a target misses for a platform; nothing
// of what is none. asked is a header, or a name and what it was looked for in, as the compiler says it.
func (pl *Planner) standard(asked string, t project.Target, p platform.Platform) string {
	name, scope, member := strings.Cut(asked, " ")
	lib, built, err := pl.For(t).CXXRequest(p)
	if err != nil {
		return ""
	}
	where := fmt.Sprintf("%s:%d: [target.%s]", pl.Project.File, t.Line, t.Name)
	switch asked { // the namespaces of libc++ and of libstdc++, in what is undefined
	case "__1", "__cxx11":
		if built == (asked == "__1") && !pl.needsOther(t, p, built) {
			return "" // a function of its own that is missing
		}
		return fmt.Sprintf("std::__1 is libc++'s and std::__cxx11 libstdc++'s: what is linked here comes in part from the other C++ library than %s is compiled with. All of a program has one: give the targets that it needs the same stdlib, and build what comes from the archive from its source, or take libstdc++",
			where)
	}
	table, err := catalog.LoadStandard()
	if err != nil {
		return "" // a test of the catalog reads it
	}
	since, shown := catalog.Since{}, ""
	if member {
		scope, _, _ = strings.Cut(scope, "<")
		scope = strings.NewReplacer("basic_string", "string", "ranges::views", "views").Replace(scope)
		scope = strings.TrimPrefix(strings.TrimPrefix(scope+"::", "std::"), "__1::")
		since, shown = table.Names[scope+name], "std::"+scope+name
	} else {
		since, shown = table.Headers[name], "<"+name+">"
	}
	if since.Std == 0 {
		return ""
	}
	def, suite, err := pl.Suite(p)
	if err != nil {
		return ""
	}
	of := fmt.Sprintf("%s is of C++%d", shown, since.Std)
	compiled := fmt.Sprintf("cxxflags = [\"-std=c++%d\"]", since.Std)
	have, newer := 0, since.GCC
	if built {
		have, newer = lib.Def.Library.Release, since.LLVM
	} else if have, err = strconv.Atoi(suite.GCC); err != nil {
		return ""
	}
	if newer > 0 && newer <= have {
		return fmt.Sprintf("%s, and the C++ library has it: compile as C++%d or later, which no flag of these says (%s in %s, or what the build files have for it)",
			of, since.Std, compiled, where)
	}
	var ways []string
	if !built {
		if other := pl.Catalog.Part(def.OtherCXX); other != nil && since.LLVM > 0 && since.LLVM <= other.Library.Release {
			ways = append(ways, fmt.Sprintf("stdlib = %q in %s, which brings %s %d for this floor", other.Library.Name, where,
				other.Library.Name, other.Library.Release))
		}
	}
	if since.GCC > 0 && def.Stdlib != "" {
		for _, s := range def.Suites {
			gcc, err := strconv.Atoi(s.GCC)
			if err == nil && gcc >= since.GCC && slices.Contains(s.Architectures, p.Sysroot) {
				way := fmt.Sprintf("glibc = %q under [sysroot], a newer floor with libstdc++ of GCC %d", s.Glibc, gcc)
				if built {
					way = fmt.Sprintf("stdlib = %q in %s, of GCC %d with glibc = %q or newer under [sysroot]", def.Stdlib, where, gcc,
						s.Glibc)
				}
				ways = append(ways, way)
				break
			}
		}
	}
	library := fmt.Sprintf("libstdc++ has it from GCC %d on, and the sysroot of %s has that of GCC %d", since.GCC, p.Name, have)
	if since.GCC == 0 {
		library = fmt.Sprintf("libstdc++ of GCC %d, which the sysroot of %s has, lacks it", have, p.Name)
	}
	if built {
		library = fmt.Sprintf("%s %d lacks it", lib.Def.Library.Name, have)
	}
	if len(ways) == 0 {
		return fmt.Sprintf("%s, and no C++ library that xbuild has for %s has it", of, p.Name)
	}
	return fmt.Sprintf("%s: %s. Write %s (with -std=c++%d)", of, library, strings.Join(ways, ", or "), since.Std)
}

// needsOther tells whether a target links with one that is compiled with another C++ library.
func (pl *Planner) needsOther(t project.Target, p platform.Platform, built bool) bool {
	return slices.ContainsFunc(t.For(p).Needs, func(n project.Need) bool {
		next, ok := pl.Project.Target(n.Target)
		if !ok || n.Host {
			return false
		}
		_, other, err := pl.For(next.For(p)).CXXRequest(p)
		return err == nil && other != built
	})
}
