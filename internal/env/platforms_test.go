package env_test

import (
	"fmt"
	"strings"
	"testing"

	"xbuild/internal/env"
	"xbuild/internal/env/envtest"
	"xbuild/internal/lang/golang"
	"xbuild/internal/platform"
)

// TestEnvironments holds the environment of each platform against its golden file: C's for those that have it, and
// Go's.
func TestEnvironments(t *testing.T) {
	for _, p := range platform.All() {
		if !p.HasC() {
			continue
		}
		t.Run(strings.ReplaceAll(p.Name, "/", "-"), func(t *testing.T) {
			b, err := p.Baseline("", nil)
			if err != nil {
				t.Fatal(err)
			}
			e := env.ForC(envtest.View(t, p), env.Settings{}, "/bin/xbuild").Merge(golang.Environment(p, b))
			text, err := e.Format("sh", "/store/trees/view/bin")
			if err != nil {
				t.Fatal(err)
			}
			envtest.Golden(t, strings.ReplaceAll(p.Name, "/", "-")+".golden", text)
			for _, v := range e {
				if strings.Contains(v.Value, "  ") || v.Value != strings.TrimSpace(v.Value) || strings.HasSuffix(v.Name, "_") {
					t.Errorf("%s=%q: blanks, or a name without its platform", v.Name, v.Value)
				}
			}
		})
	}
}

// TestGoAlone: every platform of Go has its GOOS and GOARCH.
func TestGoAlone(t *testing.T) {
	var b strings.Builder
	for _, p := range platform.All() {
		base, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s\n", p.Name, strings.Join(golang.Environment(p, base).Strings(), " "))
	}
	envtest.Golden(t, "go.golden", b.String())
}
