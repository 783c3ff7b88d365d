package spelling

import "testing"

func TestNearest(t *testing.T) {
	choices := []string{"cc", "cmake", "go", "make", "static", "source", "sources", "pkg-config"}
	for word, want := range map[string]string{
		"maek": "make", "Make": "make", "cmaek": "cmake", "sourcse": "sources", "pkg_config": "pkg-config", "srource": "source",
		"cg": "cc", "rust": "", "xyz": "", "": "",
	} {
		if got := Nearest(word, choices); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
