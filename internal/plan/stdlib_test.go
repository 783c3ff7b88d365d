package plan

import (
	"strings"
	"testing"

	"xbuild/internal/explain"
)

// TestStdlib: which C++ library the compilers of a target have, where the key stands in the target, for all or for a
// platform.
func TestStdlib(t *testing.T) {
	const target = "[target.%s]\nrecipe = \"cc\"\nsources = [\"main.cc\"]\n"
	for _, test := range []struct {
		name, project string
		want          map[string]bool // by target and platform: it has libc++
	}{
		{"nothing said", "", map[string]bool{"a linux/amd64": false, "b linux/arm64": false}},
		{"a target", "[target.a.platform.\"linux/arm64\"]\nstdlib = \"libc++\"\n",
			map[string]bool{"a linux/amd64": false, "a linux/arm64": true, "b linux/amd64": false, "b linux/arm64": false}},
		{"a platform", "[platform.\"linux/arm64\"]\nstdlib = \"libc++\"\n",
			map[string]bool{"a linux/amd64": false, "a linux/arm64": true, "b linux/arm64": true}},
		{"all but a target", "[sysroot]\nstdlib = \"libc++\"\n[target.b.platform.\"linux/amd64\"]\nstdlib = \"libstdc++\"\n",
			map[string]bool{"a linux/amd64": true, "a linux/arm64": true, "b linux/amd64": false, "b linux/arm64": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n"+
				strings.ReplaceAll(target, "%s", "a")+strings.ReplaceAll(target, "%s", "b")+test.project+"-- main.cc --\n")
			for _, a := range pl.plan(t, Selection{}).Actions {
				want, ok := test.want[a.Target+" "+a.OCI]
				if !ok {
					continue
				}
				got := false
				for _, v := range a.Set.Views {
					if !v.Host && v.Platform.Name == a.OCI {
						got = v.Sysroot.CXX != nil
					}
				}
				if got != want {
					t.Errorf("%s for %s: libc++ %v, want %v", a.Target, a.OCI, got, want)
				}
			}
		})
	}
}

// TestStdlibRefused: a C++ library that a platform has not is named with the one that it has.
func TestStdlibRefused(t *testing.T) {
	for _, c := range []struct{ name, platform, sysroot, want string }{
		{"Windows", "windows/amd64", "stdlib = \"libc++\"", "the C++ library of windows/amd64 over mingw is libstdc++ alone"},
		{"musl", "linux/amd64", "libc = \"musl\"\nstdlib = \"libstdc++\"", "over musl is libc++ alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\""+c.platform+"\"]\n[sysroot]\n"+c.sysroot+"\n[target.a]\nrecipe = \"cc\"\nsources = [\"main.cc\"]\n-- main.cc --\n")
			_, _, err := pl.CXXRequest(platforms(t, c.platform)[0])
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "[platform.\""+c.platform+"\"]") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestStandardHints: what a hint says of a header or a name that the C++ library lacks at the floor, of one that it has
// in a later standard, and of what is none of the standard.
func TestStandardHints(t *testing.T) {
	const file = "main.cc:1:10: "
	for _, c := range []struct{ name, sysroot, log, want, not string }{
		{"a header", "glibc = \"2.31\"", file + "fatal error: 'format' file not found",
			`<format> is of C++20: libstdc++ has it from GCC 13 on, and the sysroot of linux/arm64 has that of GCC 10. Write stdlib = "libc++" in`, "packages"},
		{"the floor that has it", "glibc = \"2.31\"", file + "fatal error: 'format' file not found", `or glibc = "2.41" under [sysroot]`, ""},
		{"a header that libc++ has not", "stdlib = \"libc++\"", file + "fatal error: 'generator' file not found",
			`libc++ 21 lacks it. Write stdlib = "libstdc++" in`, ""},
		{"a header that GCC's has not", "suite = \"forky\"", file + "fatal error: 'mdspan' file not found",
			`libstdc++ of GCC 15, which the sysroot of linux/arm64 has, lacks it. Write stdlib = "libc++" in`, ""},
		{"a header of a library", "glibc = \"2.31\"", file + "fatal error: 'zlib.h' file not found", `add "zlib1g-dev" to packages`, "C++"},
		{"a name", "glibc = \"2.31\"", file + "error: no member named 'format' in namespace 'std'", `std::format is of C++20: libstdc++ has it from GCC 13 on`, ""},
		{"a template", "glibc = \"2.31\"", file + "error: no template named 'expected' in namespace 'std'", `std::expected is of C++23: libstdc++ has it from GCC 12`, ""},
		{"a name in a namespace", "glibc = \"2.36\"", file + "error: no member named 'zip' in namespace 'std::ranges::views'", `std::views::zip is of C++23`, ""},
		{"a member of a class", "glibc = \"2.31\"", file + "error: no member named 'contains' in 'std::basic_string<char>'", `std::string::contains is of C++23: libstdc++ has it from GCC 11 on`, ""},
		{"an older standard", "suite = \"trixie\"", file + "error: no member named 'format' in namespace 'std'", `the C++ library has it: compile as C++20 or later`, "stdlib"},
		{"as GCC says it", "glibc = \"2.31\"", file + "error: 'jthread' is not a member of 'std'", `std::jthread is of C++20, and the C++ library has it`, ""},
		{"no name of the standard", "glibc = \"2.31\"", file + "error: no member named 'frobnicate' in namespace 'std'", "", "C++"},
		{"no standard", "", "error: invalid value 'c++29' in '-std=c++29'", "knows no standard c++29", ""},
		{"the other library's objects", "", "ld.lld: error: undefined symbol: greet(std::__1::basic_string<char> const&)", "std::__1 is libc++'s", ""},
		{"a function that is missing", "", "ld.lld: error: undefined symbol: greet(std::__cxx11::basic_string<char> const&)", "", "libc++"},
		{"that with libc++", "stdlib = \"libc++\"", "ld.lld: error: undefined symbol: greet(std::__1::basic_string<char> const&)", "", "libc++"},
		{"a library of the archive", "", "ld.lld: error: libprotobuf of package libprotobuf-dev speaks libstdc++, and this link is with libc++",
			`There are two ways out: write stdlib = "libstdc++" in`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[sysroot]\n"+c.sysroot+"\n[target.a]\nrecipe = \"cc\"\nsources = [\"main.cc\"]\n-- main.cc --\n")
			got := strings.Join(explain.Hints(pl.plan(t, Selection{}).Actions[0], c.log), "\n")
			if !strings.Contains(got, c.want) || c.want == "" && got != "" || c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("%s\n got %q\nwant %q without %q", c.log, got, c.want, c.not)
			}
		})
	}
}

// TestStdlibOfNeeds: a target that links with one of the other C++ library is told so, by the names that it misses.
func TestStdlibOfNeeds(t *testing.T) {
	for stdlib, want := range map[string]bool{"libc++": true, "libstdc++": false} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.greet]\nrecipe = \"cc\"\nkind = \"static\"\nsources = [\"greet.cc\"]\n"+
			"[target.app]\nrecipe = \"cc\"\nsources = [\"main.cc\"]\nneeds = [\"greet\"]\nstdlib = \""+stdlib+"\"\n-- main.cc --\n-- greet.cc --\n")
		for _, a := range pl.plan(t, Selection{}).Actions {
			space := map[string]string{"libc++": "__1", "libstdc++": "__cxx11"}[stdlib]
			got := strings.Join(explain.Hints(a, "ld.lld: error: undefined symbol: greet(std::"+space+"::basic_string<char> const&)"), "\n")
			if a.Target == "app" && strings.Contains(got, "std::__1 is libc++'s") != want {
				t.Errorf("%s: %q, want a hint %v", stdlib, got, want)
			}
		}
	}
}
