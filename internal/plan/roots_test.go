package plan

import (
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/env"
)

// TestIDElsewhere: an action is the same one in every checkout and with every home. (Of another store it is not: the scripts of compiler views
// name the store, and their keys are of that.)
func TestIDElsewhere(t *testing.T) {
	made := func(home string) string {
		pl := planner(t, sample)
		pl.Environ.Set("HOME", home)
		return string(pl.plan(t, Selection{Platforms: platforms(t, "linux/arm64")}).Actions[0].MadeOf())
	}
	if one, two := made("/home/a"), made("/root"); one != two {
		t.Errorf("another place has another ID:\n%s\n%s", one, two)
	}
}

// TestCallerCounts: each variable of the caller that reaches the commands changes the ID, or is one that says where
// something is, or how it is reached.
func TestCallerCounts(t *testing.T) {
	id := func(name, value string) action.ID {
		pl := planner(t, sample)
		pl.Environ = env.Environment{{Name: name, Value: value}}
		return pl.plan(t, Selection{Platforms: platforms(t, "linux/arm64")}).Actions[0].ID
	}
	counts := 0
	for _, name := range env.PassedNames() {
		if !env.Passed(name) {
			t.Errorf("%s is not passed", name)
		}
		changes := id(name, "/one") != id(name, "/two")
		if want := len(env.Counted(env.Environment{{Name: name, Value: "x"}})) > 0; changes != want {
			t.Errorf("%s: changes the ID %v, counts %v", name, changes, want)
		}
		if changes {
			counts++
		}
	}
	if counts < 7 {
		t.Errorf("only %d variables count", counts)
	}
	for _, name := range []string{"CFLAGS", "RUSTFLAGS", "GOFLAGS", "PATH", "LD_PRELOAD", "USER"} {
		if env.Passed(name) {
			t.Errorf("%s is passed", name)
		}
	}
}

// TestDestBeside: where a program and the library that it links with lie in dist is in the program, by its RUNPATH.
func TestDestBeside(t *testing.T) {
	const two = `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]

[target.lib]
recipe = "cc"
kind = "shared"
dest = "usr/lib"
sources = ["src/a.c"]

[target.app]
recipe = "cc"
dest = "usr/bin"
sources = ["src/b.c"]
needs = ["lib"]
-- src/a.c --
-- src/b.c --
`
	id := func(archive string) action.ID {
		actions := planner(t, archive).plan(t, Selection{}).Actions
		return actions[len(actions)-1].ID
	}
	base := id(two)
	if id(two) != base {
		t.Error("the same has another ID")
	}
	for _, change := range [][2]string{{`dest = "usr/bin"`, `dest = "bin"`}, {`dest = "usr/lib"`, `dest = "lib"`}} {
		if id(strings.Replace(two, change[0], change[1], 1)) == base {
			t.Errorf("%s in the place of %s does not count", change[1], change[0])
		}
	}
}
