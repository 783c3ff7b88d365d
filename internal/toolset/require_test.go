package toolset

import "testing"

func TestExact(t *testing.T) {
	for constraint, want := range map[string]string{
		"1.27.1": "1.27.1", "=1.27.1": "1.27.1", " = 1.27.1 ": "1.27.1", "": "", "^1.24": "", ">=1.24": "", "1.27": "", "~1.27.1": "", "1.27.1, <2": "", "1.26-rc.1": "",
	} {
		if got := Exact(constraint); got != want {
			t.Errorf("Exact(%q) = %q, want %q", constraint, got, want)
		}
	}
}
