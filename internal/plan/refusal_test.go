package plan

import (
	"strings"
	"testing"

	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// TestRefusals: what a recipe does not build with an option is an error for those platforms alone.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		platform, mode string
		cgo, refused   bool
		more           string
	}{
		{"linux/386", "c-archive", true, true, ""},
		{"linux/386", "c-shared", true, true, ""},
		{"linux/386", "pie", true, true, ""},
		{"linux/386", "pie", false, false, ""},
		{"linux/386", "default", true, false, ""},
		{"linux/amd64", "c-archive", true, false, ""},
		{"linux/386", "default", true, true, "options"},
		{"linux/386", "default", true, true, "env"},
		{"linux/386", "default", false, false, "options"},
	} {
		pl := planner(t, "-- xbuild.toml --\n[target.x]\nrecipe = \"go\"\n")
		p, err := platform.Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		options := map[string]any{"buildmode": c.mode, "cgo": c.cgo}
		target := project.Target{Name: "x", Recipe: "go", Source: ".", Options: options}
		switch c.more {
		case "options":
			options["options"] = []string{"--buildmode=pie"}
		case "env":
			target.Env = map[string]string{"GOFLAGS": "-v -buildmode=pie"}
		}
		err = pl.require(&resolve.Requests{}, target, p)
		if refused := err != nil && strings.Contains(err.Error(), "R_386_TLS_GOTIE"); refused != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
