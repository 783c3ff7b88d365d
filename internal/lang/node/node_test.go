package node

import "testing"

func TestScript(t *testing.T) {
	for _, c := range []struct {
		path, interpreter string
		executable        bool
		is, byName        bool
	}{
		{"a.js", "", false, true, true},
		{"a.mjs", "", false, true, true},
		{"a.js", "node", true, true, false},
		{"a", "nodejs", true, true, false},
		{"a.js", "bash", true, false, false},
		{"a.sh", "sh", true, false, false},
		{"a", "", false, false, false},
	} {
		if is, byName := script(c.path, c.interpreter, c.executable); is != c.is || byName != c.byName {
			t.Errorf("%s of %q: %v, %v", c.path, c.interpreter, is, byName)
		}
	}
}
