package plan

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
)

// TestLenient: in every recipe lenient = true puts other compilers in the place of all that an action has, for the
// platform and for the host, and lenient = false changes nothing of an action but its ID.
func TestLenient(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	view := regexp.MustCompile(`/store/trees/(view|host)-[a-z0-9-]*[0-9a-f]{16}`)
	// views are those that an action's environment and commands name.
	views := func(a *action.Action) []string {
		text := strings.Join(append(a.Env.Strings(), a.Path...), "\n")
		for _, s := range a.Steps {
			text += "\n" + strings.Join(append(s.Env.Strings(), s.Command...), "\n")
		}
		found := view.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, r := range c.Recipes {
		t.Run(r.Name, func(t *testing.T) {
			archive, err := os.ReadFile("testdata/" + r.Name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			with := func(line string) []*action.Action {
				return planner(t, regexp.MustCompile(`(?m)^recipe = `).ReplaceAllString(string(archive), line+"\nrecipe = ")).plan(t, Selection{}).Actions
			}
			unset, lenient, strict := with(""), with("lenient = true"), with("lenient = false")
			compiled := 0
			for i, a := range unset {
				if a.Strict == nil {
					continue // Go without cgo
				}
				compiled++
				if len(a.Strict.Groups) == 0 || a.Strict.CC == "" {
					t.Errorf("%s for %s: what clang refuses is not known: %+v", a.Target, a.OCI, a.Strict)
				}
				for _, v := range views(a) {
					if slices.Contains(views(lenient[i]), v) {
						t.Errorf("%s for %s has %s with lenient = true too", a.Target, a.OCI, v)
					}
				}
				if len(views(a)) != len(views(lenient[i])) || !slices.Equal(views(a), views(strict[i])) {
					t.Errorf("%s for %s has the views\n%v\nwith lenient = true\n%v\nwith lenient = false\n%v", a.Target, a.OCI, views(a), views(lenient[i]), views(strict[i]))
				}
				if a.ID == lenient[i].ID || a.ID == strict[i].ID || lenient[i].ID == strict[i].ID {
					t.Errorf("%s for %s: lenient is not in its ID", a.Target, a.OCI)
				}
			}
			if compiled == 0 {
				t.Error("no target of it compiles C")
			}
		})
	}
}
