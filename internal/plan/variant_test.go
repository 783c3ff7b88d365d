package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestTargetByPlatform: what a target has for one platform is in the commands of that platform alone, and what that
// needs is locked for it alone.
func TestTargetByPlatform(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/amd64", "linux/s390x"]
[target.x]
recipe = "autotools"
options = ["--disable-nls"]
outputs = ["x"]
[target.x.platform."linux/s390x"]
options = ["--disable-asm"]
tools = ["nasm"]
env = { ONLY = "here" }
[target.y]
recipe = "cc"
sources = ["a.c"]
[target.y.platform."linux/s390x"]
sources = ["b.c"]
-- configure --
-- a.c --
-- b.c --
`)
	all, err := pl.Requirements(Selection{Targets: []string{"x"}})
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for i, want := range []bool{false, true} {
		has := false
		for _, r := range all[i].Toolchains {
			has = has || r.Def.Name == "nasm"
		}
		if has != want {
			t.Errorf("%s requires nasm: %v", all[i].Platform, has)
		}
	}
	p := pl.plan(t, Selection{})
	for i, want := range []string{"--disable-nls", "--disable-nls --disable-asm", "a.c", "a.c b.c"} {
		a := p.Actions[i]
		var words []string
		for _, s := range a.Steps {
			for _, w := range s.Command {
				if strings.HasPrefix(w, "--disable-") && w != "--disable-shared" || strings.HasSuffix(w, ".c") {
					words = append(words, w)
				}
			}
		}
		if strings.Join(words, " ") != want {
			t.Errorf("%s for %s: %q, want %q", a.Target, a.OCI, words, want)
		}
		if has := a.Env.Lookup("ONLY") == "here"; has != (a.Target == "x" && a.OCI == "linux/s390x") {
			t.Errorf("%s for %s: ONLY=%q", a.Target, a.OCI, a.Env.Lookup("ONLY"))
		}
		if i == 1 && !slices.ContainsFunc(a.Path, func(dir string) bool { return strings.Contains(dir, "nasm") }) {
			t.Errorf("no nasm in %q", a.Path)
		}
	}
}
