package inspect

import (
	"cmp"
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

//go:embed releases.toml
var releasesTOML string

// A Release is a release of a distribution, with the libraries that every program there gets.
type Release struct {
	Name  string   `toml:"name"`
	Glibc string   `toml:"glibc"`
	GCC   string   `toml:"gcc"` // whose libstdc++ and libgcc it has
	Musl  string   `toml:"musl"`
	Archs []string `toml:"archs"` // platforms without "linux/"
}

// A Runtime is the newest symbol versions of the libraries of one GCC.
type Runtime struct {
	GCC     string `toml:"gcc"`
	GLIBCXX string `toml:"glibcxx"`
	CXXABI  string `toml:"cxxabi"`
	Libgcc  string `toml:"libgcc"`
}

type releaseTable struct {
	Releases []Release         `toml:"release"`
	Runtimes []Runtime         `toml:"runtime"`
	Markers  map[string]string `toml:"markers"`
}

var releases = sync.OnceValue(func() releaseTable {
	var t releaseTable
	if _, err := toml.Decode(releasesTOML, &t); err != nil {
		panic("releases.toml: " + err.Error()) // embedded, and a test loads it
	}
	return t
})

// Releases are all releases that the table has.
func Releases() []Release { return slices.Clone(releases().Releases) }

// Runtime are the symbol versions of a GCC's libraries.
func (r Release) Runtime() Runtime {
	for _, x := range releases().Runtimes {
		if x.GCC == r.GCC {
			return x
		}
	}
	return Runtime{}
}

// has says what a release has of a family of versions.
func (r Release) has(family string) string {
	switch family {
	case "GLIBC":
		return r.Glibc
	case "GLIBCXX":
		return r.Runtime().GLIBCXX
	case "CXXABI":
		return r.Runtime().CXXABI
	}
	return r.Runtime().Libgcc
}

// families are the beginnings of version names whose numbers are those of a library's releases.
var families = []string{"GLIBC", "GLIBCXX", "CXXABI", "GCC"}

// family splits a version's name; ok is false for one that is no number: GLIBC_PRIVATE, CXXABI_TM_1.
func family(version string) (name, number string, ok bool) {
	if number, ok = releases().Markers[version]; ok {
		return "GLIBC", number, true
	}
	name, number, ok = strings.Cut(version, "_")
	return name, number, ok && slices.Contains(families, name) && numeric(number)
}

func numeric(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" && s[0] != '.'
}

// CompareVersions orders dotted numbers: 2.4 before 2.34.
func CompareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return 0
}

// compareVersions orders names of versions.
func compareVersions(a, b string) int {
	x, m, ok := family(a)
	y, n, too := family(b)
	if ok && too && x == y {
		return cmp.Or(CompareVersions(m, n), strings.Compare(a, b))
	}
	return strings.Compare(a, b)
}

// versioned finds what the file's needs of versions mean: the libc, the newest version of each family with the symbols
// that ask for it, and where that runs.
func (r *Report) versioned(needs []object.VersionNeed) {
	for _, need := range needs {
		slices.SortFunc(need.Versions, compareVersions)
		r.Versions = append(r.Versions, VersionNeed{Library: need.Library, Versions: need.Versions})
	}
	newest := map[string]string{}
	names := map[string][]string{} // versions by family and number
	for _, need := range r.Versions {
		for _, v := range need.Versions {
			f, n, ok := family(v)
			if !ok {
				continue
			}
			names[f+n] = append(names[f+n], v)
			if newest[f] == "" || CompareVersions(n, newest[f]) > 0 {
				newest[f] = n
			}
		}
	}
	for _, f := range families {
		if newest[f] == "" {
			continue
		}
		floor := Floor{Family: f, Version: newest[f]}
		for _, s := range r.Undefined {
			if s.Version != "" && slices.Contains(names[f+newest[f]], s.Version) {
				floor.Symbols = append(floor.Symbols, s.Name)
			}
		}
		// A version that no symbol asks for is a mark of the whole file.
		if len(floor.Symbols) == 0 {
			floor.Symbols = names[f+newest[f]]
		}
		slices.Sort(floor.Symbols)
		r.Floors = append(r.Floors, floor)
	}
}

// floor is the newest version of a family that is needed, "" where none is.
func (r *Report) floor(family string) Floor {
	for _, f := range r.Floors {
		if f.Family == family {
			return f
		}
	}
	return Floor{}
}

// libc tells which C library the file works with, and on which releases.
func (r *Report) libc() {
	for _, lib := range append([]string{r.Interp}, r.Needed...) {
		base := lib[strings.LastIndex(lib, "/")+1:]
		switch {
		case strings.HasPrefix(base, "ld-musl-"), strings.HasPrefix(base, "libc.musl-"):
			r.Libc = "musl"
		case lib == "libc.so" && r.OS != "android" && r.Libc == "": // musl's name of itself, and bionic's
			r.Libc = "musl"
		case base == "libc.so.6", base == "libc.so.6.1", r.floor("GLIBC").Version != "":
			if r.Libc == "" {
				r.Libc = "glibc"
			}
		}
	}
	if r.OS == "android" && r.Link == Dynamic {
		r.Libc = "bionic"
	}
	if r.Libc == "" {
		return
	}
	if r.OS == "" {
		r.OS = "linux" // a library has no loader and often no note that says it
	}
	p, err := platform.Parse(r.Platform)
	if err != nil {
		return
	}
	arch := strings.TrimPrefix(p.Base().Name, "linux/")
	for _, rel := range releases().Releases {
		if slices.Contains(rel.Archs, arch) && rel.runs(r) {
			r.RunsOn = append(r.RunsOn, rel.Name)
		}
	}
}

// runs reports whether a release's libc and GCC libraries have all versions that a file needs. musl has no versions, so
// that nothing tells its releases apart.
func (rel Release) runs(r *Report) bool {
	switch r.Libc {
	case "musl":
		if rel.Musl == "" {
			return false
		}
	case "glibc":
		if rel.Glibc == "" {
			return false
		}
	default:
		return false
	}
	for _, f := range r.Floors {
		if CompareVersions(f.Version, rel.has(f.Family)) > 0 {
			return false
		}
	}
	return true
}
