package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"xbuild/internal/action"
)

// TestStores: in another project's directory, with another store, every recipe's actions and steps are the same, although
// the trees lie elsewhere and have other names.
func TestStores(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var sel Selection
			if filepath.Base(file) == "cc.txtar" { // with C++ libraries that are compiled, and the host's 32-bit side
				sel.Platforms = platforms(t, "linux/amd64", "linux/386", "linux/arm/v6", "linux/loong64")
			}
			var plans []*action.Graph
			var stores []string
			for _, store := range []string{"/store", "/home/somebody/.cache/xbuild"} {
				pl := planner(t, string(archive))
				pl.Store = store
				plans, stores = append(plans, pl.plan(t, sel)), append(stores, store)
			}
			for i, a := range plans[0].Actions {
				b := plans[1].Actions[i]
				if a.ID != b.ID {
					t.Errorf("%s for %s is another action with another store:\n%s\n%s", a.Target, a.OCI, a.MadeOf(), b.MadeOf())
				}
				if text := string(a.MadeOf()); strings.Contains(text, stores[0]+"/trees") {
					t.Errorf("%s for %s names its store: %s", a.Target, a.OCI, text)
				}
				for n, s := range a.Steps {
					if one, two := string(a.StepMadeOf(s)), string(b.StepMadeOf(b.Steps[n])); one != two {
						t.Errorf("step %s is another with another store:\n%s\n%s", s.Name, one, two)
					}
				}
				names := func(a *action.Action) (out []string) {
					for _, r := range a.Roots {
						if strings.HasPrefix(r.Name, "{tree:") {
							out = append(out, filepath.Base(r.Dir))
						}
					}
					return out
				}
				if one, two := names(a), names(b); len(one) == 0 || strings.Join(one, " ") == strings.Join(two, " ") {
					t.Errorf("the trees have the same names in both stores: %q, %q", one, two)
				}
			}
		})
	}
}
