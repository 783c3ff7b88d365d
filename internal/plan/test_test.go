package plan

import (
	"slices"
	"strings"
	"testing"

	"xbuild/internal/project"
)

// TestTests: what tests a target, by its test key and its recipe.
func TestTests(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[target.plain]
recipe = "cc"
sources = ["a.c"]
[target.itself]
recipe = "cc"
sources = ["a.c"]
test = true
[target.list]
recipe = "cc"
sources = ["a.c"]
dest = "sub"
test = ["list", "a b", "-x"]
equal = true
[target.line]
recipe = "cc"
sources = ["a.c"]
test = "grep x y | wc"
[target.off]
recipe = "go"
test = false
[target.go]
recipe = "go"
tags = ["a", "b"]
tests = ["./x/..."]
[target.make]
recipe = "make"
outputs = ["x"]
[target.check]
recipe = "make"
dest = "check"
outputs = ["x"]
check = "test"
vars = { RUN = "$(XBUILD) run" }
[target.copy]
recipe = "make"
dest = "copy"
outputs = ["x"]
test = "./tests.sh"
-- a.c --
-- go.mod --
module x
-- Makefile --
`)
	run := "/bin/xbuild run -p linux/arm64 -- "
	dist, build := pl.Project.DistDir()+"/linux/arm64", pl.Project.BuildDir()+"/linux/arm64"
	want := map[string][2]string{ // target -> directory and command
		"plain":  {},
		"itself": {pl.Project.Dir, run + build + "/itself/build/itself"},
		"list":   {pl.Project.Dir, run + dist + "/sub/list a b -x"},
		"line":   {pl.Project.Dir, "sh -ec grep x y | wc"},
		"off":    {},
		"go":     {pl.Project.Dir, "go test -count=1 -trimpath -p {jobs} -exec='/bin/xbuild' run -p linux/arm64 -- -tags=a,b ./x/..."},
		"make":   {},
		"check":  {build + "/check/build", "make -j{jobs} HOSTCC=$(or $(CC_FOR_BUILD),cc) HOSTCXX=$(or $(CXX_FOR_BUILD),c++) HOST_CC=$(or $(CC_FOR_BUILD),cc) BUILD_CC=$(or $(CC_FOR_BUILD),cc) RUN=$(XBUILD) run test"},
		"copy":   {build + "/copy/build", "sh -ec ./tests.sh"},
	}
	for _, a := range pl.plan(t, Selection{}).Actions {
		w := want[a.Target]
		if w[1] == "" {
			if len(a.Test) != 0 {
				t.Errorf("%s: tested by %q, want nothing", a.Target, a.Test[0].Command)
			}
			continue
		}
		if len(a.Test) != 1 || a.Test[0].Dir != w[0] || strings.Join(a.Test[0].Command, " ") != w[1] {
			t.Errorf("%s: %+v\nwant %s in %s", a.Target, a.Test, w[1], w[0])
			continue
		}
		if a.Target == "list" && (!a.Equal || !slices.Contains(a.Test[0].Command, "a b")) {
			t.Errorf("list: %+v", a)
		}
		e := a.Test[0].Env
		if e.Lookup("XBUILD_PLATFORM") != "linux/arm64" || e.Lookup("XBUILD_PROJECT") != pl.Project.Dir || e.Lookup("XBUILD_STORE") != "/store" || e.Lookup("XBUILD_DIST") != a.Dist {
			t.Errorf("%s: environment %v", a.Target, e)
		}
	}
}

// TestTestIsNoPartOfTheID: another test is no reason to build again.
func TestTestIsNoPartOfTheID(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.a]\nrecipe = \"cc\"\nsources = [\"a.c\"]\n-- a.c --\n")
	before := pl.plan(t, Selection{}).Actions[0]
	pl.Project.Targets[0].Test, pl.Project.Targets[0].Equal = project.Test{Command: []string{"a", "-x"}}, true
	after := pl.plan(t, Selection{}).Actions[0]
	if len(after.Test) != 1 || !after.Equal || after.ID != before.ID {
		t.Errorf("ID %s without a test, %s with %+v", before.ID, after.ID, after.Test)
	}
}
