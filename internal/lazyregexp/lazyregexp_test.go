package lazyregexp

import "testing"

// The test of any package that has a wrong expression fails, whether it uses it or not.
func TestNew(t *testing.T) {
	if got := New(`b+`).FindStringSubmatch("abbc"); len(got) != 1 || got[0] != "bb" {
		t.Errorf("found %q, want %q", got, "bb")
	}
	defer func() {
		if recover() == nil {
			t.Error("a wrong expression is not told in a test")
		}
	}()
	New(`(`)
}
