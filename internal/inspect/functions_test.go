package inspect

import (
	"testing"

	"xbuild/internal/isa"
)

// TestFunctionsOfFindings: the advice of several findings names each function once.
func TestFunctionsOfFindings(t *testing.T) {
	got := functions([]isa.Finding{{Function: "a.sve"}, {Function: "a.sve2"}, {Function: "a.sve2"}, {}})
	if want := `"a.sve", "a.sve2", "name of the function"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
