package golang

import (
	"path/filepath"
	"testing"
)

func TestMainPackage(t *testing.T) {
	const program, library = "package main\n", "package p\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"its own", map[string]string{"a.go": program, "cmd/tool/a.go": program}, "."},
		{"its own, with cgo", map[string]string{"a.go": program + "\nimport \"C\"\n", "cmd/tool/a.go": program}, "."},
		{"of the name, in cmd", map[string]string{"cmd/tool/a.go": program, "cmd/other/a.go": program}, "./cmd/tool"},
		{"of the name, beside a library", map[string]string{"a.go": library, "tool/a.go": program, "other/a.go": program}, "./tool"},
		{"the only one in cmd", map[string]string{"a.go": library, "cmd/x/a.go": program, "internal/gen/a.go": program}, "./cmd/x"},
		{"cmd itself", map[string]string{"cmd/a.go": program, "gen/a.go": program}, "./cmd"},
		{"the only one", map[string]string{"a.go": library, "src/x/a.go": program, "vendor/v/a.go": program, "x/testdata/a.go": program, "_x/a.go": program}, "./src/x"},
		{"not one of another module", map[string]string{"a.go": library, "src/x/a.go": program, "gen/a.go": program, "gen/go.mod": "module gen\n"}, "./src/x"},
		{"not one that is left out", map[string]string{"a.go": library, "gen.go": "//go:build ignore\n\n" + program, "src/x/a.go": program}, "./src/x"},
		{"a choice", map[string]string{"cmd/a/a.go": program, "cmd/b/a.go": program}, "."},
		{"none", map[string]string{"a.go": library}, "."},
		{"a fault in it", map[string]string{"a.go": "pack\n", "cmd/tool/a.go": program}, "."},
	} {
		got, choice := mainPackage(write(t, c.files), "tool")
		if got != c.want || (c.name == "a choice") != (len(choice) > 0) {
			t.Errorf("%s: %q of %q, want %q", c.name, got, choice, c.want)
		}
	}
	if got, _ := mainPackage(filepath.Join(t.TempDir(), "none"), "tool"); got != "." {
		t.Errorf("of a folder that is not there: %q", got)
	}
}
