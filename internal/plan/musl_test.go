package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMusl: with libc = "musl" every tool is asked for by musl's names, programs are static, and Rust's library is
// built because the archive has none.
func TestMusl(t *testing.T) {
	pl := planner(t, `-- xbuild.toml --
[project]
platforms = ["linux/386", "linux/arm/v6", "linux/riscv64"]

[sysroot]
glibc = "2.36"

[platform."linux/386"]
libc = "musl"

[platform."linux/arm/v6"]
libc = "musl"

[platform."linux/riscv64"]
libc = "musl"

[target.c]
recipe = "cc"
sources = ["main.c"]

[target.rust]
recipe = "rust"
-- main.c --
int main(void) { return 0; }
-- Cargo.toml --
[package]
name = "hello"
version = "0.1.0"
`)
	p := pl.plan(t, Selection{})
	var targets []string
	for _, b := range p.Set.Stds {
		targets = append(targets, b.Target)
	}
	if want := []string{"i686-unknown-linux-musl", "arm-unknown-linux-musleabi", "riscv64gc-unknown-linux-musl"}; !slices.Equal(targets, want) {
		t.Errorf("libraries built for %q, want %q", targets, want)
	}
	for _, a := range p.Actions {
		last := strings.Join(a.Steps[len(a.Steps)-1].Command, " ")
		for _, want := range map[string][]string{
			"c/linux/386":       {"i386-linux-musl-clang", " -static "},
			"c/linux/arm/v6":    {"arm-linux-musleabi-clang", " -static "},
			"rust/linux/386":    {"--target=i686-unknown-linux-musl", "-Clink-self-contained=no", "/i386-linux-musl-clang"},
			"rust/linux/arm/v6": {"--target=arm-unknown-linux-musleabi", "+crt-static"},
			"c/linux/riscv64":   {"riscv64-linux-musl-clang", " -static "},
		}[a.Target+"/"+a.OCI] {
			if !strings.Contains(last, want) {
				t.Errorf("%s for %s: no %q in %s", a.Target, a.OCI, want, last)
			}
		}
		if a.Glibc != "" || !a.Static {
			t.Errorf("%s for %s: glibc %q, static %v", a.Target, a.OCI, a.Glibc, a.Static)
		}
	}
	for name, want := range map[string]struct {
		gcc  string
		weak bool // its unwinder refers to threads weakly
	}{"linux/386": {"i686-linux-gnu/11", true}, "linux/riscv64": {"riscv64-linux-gnu/14", false}} {
		v, err := pl.View(platforms(t, name)[0])
		if err != nil {
			t.Fatal(err)
		}
		flags := strings.Join(v.Sysroot.Flags, " ")
		if strings.Contains(strings.ReplaceAll(flags, "{sysroot}", ""), "{") || !strings.Contains(flags, "{sysroot}/usr/lib/gcc/"+want.gcc+" ") || strings.Contains(flags, "pthread_once") != want.weak {
			t.Errorf("flags of the sysroot of %s: %s", name, flags)
		}
	}
}

// TestMuslCXX: the C++ library over musl is asked for where a target has C++ in it, and the compilers of that platform
// know it.
func TestMuslCXX(t *testing.T) {
	const c = "[target.t]\nrecipe = \"cc\"\nsources = [\"main.c\"]\n"
	for _, test := range []struct {
		name, sysroot, targets string
		want                   bool
	}{
		{"C", "", c, false},
		{"C beside a C++ file that is no source", "", c, false},
		{"C, and the user knows better", "cxx = true", c, true},
		{"a source in C++", "", "[target.t]\nrecipe = \"cc\"\nsources = [\"**/*.cpp\"]\n", true},
		{"a C++ file below the source", "", "[target.t]\nrecipe = \"make\"\noutputs = [\"t\"]\n", true},
		{"no C++ file below the source", "", "[target.t]\nrecipe = \"make\"\nsource = \"plain\"\noutputs = [\"t\"]\n", false},
		{"CMake looks for a C++ compiler itself", "", "[target.t]\nrecipe = \"cmake\"\nsource = \"plain\"\noutputs = [\"t\"]\n", true},
		{"C++ for another platform", "", c + "[target.u]\nrecipe = \"cc\"\nsources = [\"deep/x.cpp\"]\nplatforms = [\"linux/arm64\"]\n", false},
		{"no target: for xbuild exec", "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\"]\n[sysroot]\nlibc = \"musl\"\n"+test.sysroot+"\n"+test.targets+"-- main.c --\n-- deep/x.cpp --\n-- plain/main.c --\n")
			r, wanted, err := pl.CXXRequest(platforms(t, "linux/amd64")[0])
			if err != nil || wanted != test.want || r.Def.Name != "libcxx" {
				t.Fatalf("%v, %v: the library of %v; want %v", wanted, err, r.Def, test.want)
			}
			if test.targets == "" {
				return
			}
			pl.plan(t, Selection{})
			v, err := pl.View(platforms(t, "linux/amd64")[0])
			if err != nil {
				t.Fatal(err)
			}
			if (v.Sysroot.CXX != nil) != test.want || (v.Sysroot.NoCXX == "") != test.want {
				t.Errorf("the compilers: library %v, refusal %q", v.Sysroot.CXX, v.Sysroot.NoCXX)
			}
		})
	}
	if _, wanted, err := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\"]\n[target.t]\nrecipe = \"cc\"\nsources = [\"x.cpp\"]\n-- x.cpp --\n").CXXRequest(platforms(t, "linux/amd64")[0]); wanted || err != nil {
		t.Errorf("glibc: %v, %v; its packages have a C++ library", wanted, err)
	}
}

func TestMuslRefused(t *testing.T) {
	for _, c := range []struct{ name, platform, more, want string }{
		{"a platform without it", "darwin/arm64", "", `platform "darwin/arm64" has no target with musl`},
		{"libraries of glibc", "linux/amd64", "\npackages = [\"zlib1g-dev\"]", "built for glibc"},
		{"dynamic", "linux/amd64", "\n[target.c]\nrecipe = \"cc\"\nstatic = false\nsources = [\"main.c\"]", "static = false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			more := c.more
			if !strings.Contains(more, "[target") {
				more += "\n[target.c]\nrecipe = \"cc\"\nsources = [\"main.c\"]"
			}
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\""+c.platform+"\"]\n[sysroot]\nlibc = \"musl\""+more+"\n-- main.c --\n")
			if _, err := pl.Require(Selection{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestBeyond: where the prebuilt library of Rust uses more than the platform promises, it is built at the platform's
// baseline; and where SSE2 is taken away, for rustc's target without it, whether the platform is spelled so or the
// feature has a minus.
func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		platform, settings string
		target, flags      string // of the library that is built; empty where the archive's is taken
		arch               string
	}{
		{"linux/386", "", "", "", "i386"},
		{"linux/386", "features = [\"ssse3\"]", "", "", "i386"},
		{"linux/386", "features = [\"-sse2\"]", "i586-unknown-linux-gnu", "-C target-cpu=i686", ""},
		{"linux/386", "features = [\"-sse2\"]\nlibc = \"musl\"", "i586-unknown-linux-musl", "-C target-cpu=i686", ""},
		{"linux/386", "features = [\"-avx\"]", "", "", "i386"},
		{"linux/386/387", "", "i586-unknown-linux-gnu", "-C target-cpu=i686", ""},
		{"linux/386/387", "libc = \"musl\"", "i586-unknown-linux-musl", "-C target-cpu=i686", ""},
		{"linux/arm/v7", "", "armv7-unknown-linux-gnueabihf", "", ""},
		{"linux/arm/v7", "features = [\"neon\"]", "", "", "armhf"},
	} {
		const files = "[target.hello]\nrecipe = \"rust\"\n-- Cargo.toml --\n[package]\nname = \"hello\"\nversion = \"0.1.0\"\n"
		p := planner(t, fmt.Sprintf("-- xbuild.toml --\n[project]\nplatforms = [%q]\n[platform.%[1]q]\n%s\n%s", c.platform, c.settings, files)).plan(t, Selection{})
		a := p.Actions[0]
		command := strings.Join(a.Steps[len(a.Steps)-1].Command, " ")
		if a.OCI != c.platform {
			t.Errorf("%s with %q goes to dist/%s", c.platform, c.settings, a.OCI)
		}
		if c.target == "" {
			if len(p.Set.Stds) != 0 || p.Set.RustViews[len(p.Set.RustViews)-1].Std.Arch != c.arch {
				t.Errorf("%s with %q: want the archive's library: %+v", c.platform, c.settings, p.Set.Stds)
			}
			continue
		}
		if len(p.Set.Stds) != 1 || p.Set.Stds[0].Target != c.target || c.flags != "" && strings.Join(p.Set.Stds[0].Flags, " ") != c.flags || !strings.Contains(command, "--target="+c.target+" ") {
			t.Errorf("%s with %q: libraries to build %+v, %s; want %s with %s", c.platform, c.settings, p.Set.Stds, command, c.target, c.flags)
		}
	}
}
