package engine

import (
	"slices"
	"strings"
	"testing"

	"xbuild/internal/plan"
	"xbuild/internal/platform"
)

const benches = `[project]
platforms = ["linux/arm/v7", "linux/arm64", "linux/amd64"]
[target.fast]
recipe = "make"
bench = ["fast"]
[target.quiet]
recipe = "make"
`

func TestBenched(t *testing.T) {
	p := at(t, benches, Options{}).pl.Project
	if got, err := benched(p, nil); err != nil || !slices.Equal(got, []string{"fast"}) {
		t.Errorf("%q, %v", got, err)
	}
	_, err := benched(p, []string{"quiet"})
	if err == nil || !strings.Contains(err.Error(), `hint: bench = ["quiet", "argument"]`) {
		t.Errorf("of a target without: %v", err)
	}
	_, err = benched(at(t, hello, Options{}).pl.Project, nil)
	if err == nil || !strings.Contains(err.Error(), "no target has a benchmark") {
		t.Errorf("of a project without: %v", err)
	}
}

// TestVariants: further features change those platforms that can have them, and nothing of the project itself.
func TestVariants(t *testing.T) {
	e := at(t, benches, Options{})
	got, err := e.variants(plan.Selection{}, []string{"neon"})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d variants, %v", len(got), err)
	}
	own, v := got[0], got[1]
	name := func(p platform.Platform) string { return p.Name }
	var names []string
	for _, p := range v.sel.Platforms {
		names = append(names, name(p))
	}
	if !slices.Equal(names, []string{"linux/arm/v7"}) { // arm64 has it, amd64 cannot
		t.Errorf("neon is for %q", names)
	}
	if f := v.pl.Project.PlatformConfig["linux/arm/v7"].Features; !slices.Equal(f, []string{"neon"}) {
		t.Errorf("the variant's features are %q", f)
	}
	if f := own.pl.Project.PlatformConfig["linux/arm/v7"].Features; f != nil {
		t.Errorf("the project's features are %q now", f)
	}
	if own.pl.Project.BuildDir() == v.pl.Project.BuildDir() || own.pl.Project.DistDir() == v.pl.Project.DistDir() {
		t.Error("both are built in one directory")
	}
	if _, err := e.variants(plan.Selection{}, []string{"no-such"}); err == nil {
		t.Error("a feature that there is not fits a platform")
	}
}
