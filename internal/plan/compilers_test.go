package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestCC: a target's compiler is its own choice, its platform's or the project's, for recipes as they are; what runs
// while a project is built is compiled by clang.
func TestCC(t *testing.T) {
	pl := planner(t, `-- xbuild.toml --
[project]
platforms = ["linux/amd64/v3", "linux/arm/v6", "linux/riscv64"]
[toolchains]
cc = "gcc@>=14"
[platform."linux/riscv64"]
cc = "clang"
[target.a]
recipe = "autotools"
install = true
[target.b]
recipe = "cc"
sources = ["b.c"]
cc = "clang"
[target.b.platform."linux/riscv64"]
cc = "gcc"
-- configure --
-- b.c --
`)
	req, err := pl.Require(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range req.Toolchains {
		if r.Def.Compiler != nil {
			got = append(got, r.String()+" "+r.Constraint)
		}
	}
	slices.Sort(got)
	if want := []string{"toolchain clang ", "toolchain gcc of linux/amd64 >=14", "toolchain gcc of linux/arm/v5 >=14",
		"toolchain gcc of linux/riscv64 >=14"}; !slices.Equal(got, want) {
		t.Errorf("it needs %q, want %q", got, want)
	}
	want := map[string]string{
		"a linux/amd64/v3": "gcc", "a linux/arm/v6": "gcc", "a linux/riscv64": "clang",
		"b linux/amd64/v3": "clang", "b linux/arm/v6": "clang", "b linux/riscv64": "gcc",
	}
	for _, a := range pl.plan(t, Selection{}).Actions {
		cc := a.Env.Lookup("CC")
		if name := want[a.Target+" "+a.Platform.Name]; !strings.HasSuffix(cc, "-"+name) {
			t.Errorf("%s for %s: CC is %s, want %s", a.Target, a.Platform, cc, name)
		}
		if fc, gcc := a.Env.Lookup("FC"), strings.HasSuffix(cc, "-gcc"); gcc != strings.HasSuffix(fc, "-gfortran") {
			t.Errorf("%s for %s: CC is %s, FC %q", a.Target, a.Platform, cc, fc)
		}
		if host := a.Env.Lookup("CC_FOR_BUILD"); host != "" && !strings.HasSuffix(host, "-clang") {
			t.Errorf("%s for %s: CC_FOR_BUILD is %s", a.Target, a.Platform, host)
		}
	}
}

// TestNoGCC: for a platform that the archive has no GCC for, the error names those that it has one for; and none of its
// GCCs is for musl.
func TestNoGCC(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"windows/amd64\"]\n[toolchains]\ncc = \"gcc\"\n[target.a]\nrecipe = \"cc\"\nsources = [\"a.c\"]\n-- a.c --\n")
	_, err := pl.Require(Selection{})
	if err == nil || !strings.Contains(err.Error(), `the archive has no gcc for windows/amd64; it has one for linux/amd64, linux/386, linux/arm64, linux/arm/v7, linux/arm/v5, linux/ppc64le, linux/s390x, linux/riscv64, linux/mips64le, linux/loong64`) {
		t.Errorf("error %v", err)
	}
	pl = planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[sysroot]\nlibc = \"musl\"\n[target.a]\nrecipe = \"cc\"\ncc = \"gcc\"\nsources = [\"a.c\"]\n-- a.c --\n")
	if _, err := pl.Require(Selection{}); err == nil || !strings.Contains(err.Error(), `gcc compiles for glibc, and libc is "musl" for linux/arm64`) {
		t.Errorf("error %v", err)
	}
}

// TestFortran: sources in Fortran are compiled one after the other, modules before what uses them, and linked by its
// compiler; the sysroot of all targets has the library. clang compiles none.
func TestFortran(t *testing.T) {
	const text = `-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[target.a]
recipe = "cc"
sources = ["*.cc", "*.f90"]
cc = "gcc"
[target.b]
recipe = "cc"
sources = ["b.cc"]
-- a.f90 --
program a
use z
end
-- z.f90 --
module z
end module
-- b.cc --
`
	pl := planner(t, text)
	req, err := pl.Require(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Sysroots) != 1 || !slices.Equal(req.Sysroots[0].Packages, []string{"libgfortran-14-dev"}) {
		t.Errorf("sysroots %+v, want one with libgfortran", req.Sysroots)
	}
	a := pl.plan(t, Selection{}).Actions[0]
	var got []string
	groups := map[int]bool{}
	for _, s := range a.Steps {
		got = append(got, s.Name+": "+s.Command[0])
		if groups[s.Group] {
			t.Errorf("%s runs beside another step", s.Name)
		}
		groups[s.Group] = true
	}
	want := []string{"compile z.f90: aarch64-linux-gnu-gfortran", "compile a.f90: aarch64-linux-gnu-gfortran",
		"compile b.cc: aarch64-linux-gnu-g++", "link a: aarch64-linux-gnu-gfortran"}
	if !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	if last := a.Steps[len(a.Steps)-1].Command; !slices.Contains(last, "-lstdc++") {
		t.Errorf("it is linked by %q, without C++'s library", last)
	}
	pl = planner(t, strings.Replace(text, "cc = \"gcc\"", "", 1))
	pl.locked(t, Selection{})
	if _, err := pl.New(Selection{}); err == nil || !strings.Contains(err.Error(), "a.f90 is Fortran, which clang does not compile") {
		t.Errorf("error %v", err)
	}
}

// TestGCCAlone: libc++ is compiled by clang, so that a target with GCC cannot ask for it.
func TestGCCAlone(t *testing.T) {
	const text = "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.a]\nrecipe = \"cc\"\nsources = [\"a.c\"]\n" +
		"cc = \"gcc\"\nstdlib = \"libc++\"\n-- a.c --\n"
	pl := planner(t, text)
	_, err := pl.Require(Selection{})
	want := `stdlib = "libc++" for linux/arm64 is compiled by clang, and cc is "gcc"`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %s", err, want)
	}
}
