package table

import (
	"slices"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// TestNames: each language that a definition names is in the table, and each in the table is named.
func TestNames(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	note := func(where, language string) {
		if language == "" {
			return
		}
		named = append(named, language)
		if !slices.ContainsFunc(Languages, func(l *lang.Language) bool { return l.Name == language }) {
			t.Errorf("%s: language = %q is in no table", where, language)
		}
	}
	for _, d := range c.Toolchains {
		note("toolchains/"+d.Name+".toml", d.Language)
	}
	for _, r := range c.Recipes {
		note("recipes/"+r.Name+".toml", r.Language)
	}
	for _, l := range Languages {
		if !slices.Contains(named, l.Name) {
			t.Errorf("no definition names %s", l.Name)
		}
	}
	flags := map[string]string{}
	for _, l := range Languages { // what a language says, the rest of it and the definitions have
		toolchain, recipe := c.ToolchainOf(l.Name), c.RecipeOf(l.Name)
		if toolchain == nil {
			t.Errorf("no toolchain is of %s", l.Name)
		}
		if l.Surround != nil && (l.Serves == nil || recipe == nil) {
			t.Errorf("%s: Surround wants Serves and a recipe", l.Name)
		}
		if (l.Least == nil) != (l.Locked == nil) {
			t.Errorf("%s: Least and Locked come together", l.Name)
		}
		for name := range l.Flags {
			if flags[name] != "" {
				t.Errorf("%s and %s have the flags of %s", flags[name], l.Name, name)
			}
			flags[name] = l.Name
		}
	}
	if Runtime().Require == nil || Runtime().Locked == nil {
		t.Error("a Runtime is not whole")
	}
	for _, r := range c.Recipes { // what a recipe asks of its language the language has
		l := Of(r.Language)
		for _, n := range r.Needs {
			if len(n.Crates) > 0 && l.Depends == nil {
				t.Errorf("recipes/%s.toml: crates: nobody knows which a project has", r.Name)
			}
		}
		for _, o := range r.Outputs {
			if o.Listed != "" && l.Outputs == nil {
				t.Errorf("recipes/%s.toml: listed: nobody reads it", r.Name)
			}
		}
		for _, s := range slices.Concat(r.Fetch, r.Steps) {
			if s.Node && l.Work == nil {
				t.Errorf("recipes/%s.toml: step %q: nobody carries it out", r.Name, s.Name)
			}
		}
		if r.HostPart != "" && (l.HostUnits == nil || l.HostUnit == nil || l.SameHost == nil) {
			t.Errorf("recipes/%s.toml: host_part: nobody reads it", r.Name)
		}
	}
}

// TestWord: a word that no language knows stands for nothing.
func TestWord(t *testing.T) {
	dir := t.TempDir()
	if got := Word("cgo", dir+"/main.go", project.Target{}, platform.Platform{}); got != "none" {
		t.Errorf("cgo of a directory without files: %q", got)
	}
	if got := Word("frob", dir+"/main.go", project.Target{}, platform.Platform{}); got != "" {
		t.Errorf("frob: %q", got)
	}
}
