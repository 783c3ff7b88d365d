package execute

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"xbuild/internal/action"
)

// TestForgetResult: the name of a result in go's cache, as Go 1.24 had it for a build ID.
func TestForgetResult(t *testing.T) {
	cache := t.TempDir()
	const buildID = "1xeVdkMXLg2bcstl9zbZ/R_mI6CPg7gwh0CpeeXtM"
	file := filepath.Join(cache, "d7/d717957643172e0d9b72cb65f736d90380561cc155343f64afc3cf63e5db06e2-a")
	other := filepath.Join(cache, "d7/d717957643172e0d9b72cb65f736d80380561cc155343f64afc3cf63e5db06e2-a")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, other} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{true, false} { // once
		if found, err := forgetResult(cache, buildID); err != nil || found != want {
			t.Errorf("found %v, %v, want %v", found, err, want)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the result is still there")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("another result went")
	}
	if found, err := forgetResult(cache, ""); found || err != nil {
		t.Errorf("no build ID: %v, %v", found, err)
	}
}

// TestUnseenResults: sources with C or in assembly that no compiler read.
func TestUnseenResults(t *testing.T) {
	dir := t.TempDir()
	st := &state{Readers: []string{"go", "cgo", "compile", "asm 1234"}}
	for _, f := range []struct {
		name, text string
		by         []int
	}{
		{"c.go", "package p\n\nimport \"C\"\n", []int{0}}, {"list.go", "package p\n\nimport (\n\t\"fmt\"\n\t\"C\"\n)\n", []int{0}}, {"seen.go", "package p\n\nimport \"C\"\n", []int{0, 1}},
		{"plain.go", "package p\n\nimport (\n\t\"fmt\"\n)\n\nvar s = \"C\"\n", []int{0}}, {"a.s", "", []int{0}}, {"b.s", "", []int{0, 3}}, {"read.me", "import \"C\"", []int{0}},
	} {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
		st.Reads = append(st.Reads, read{Path: path, By: f.by})
	}
	a := &action.Action{Steps: []action.Step{{Command: []string{"go", "build"}, Results: []string{"go", "list"}}}}
	var got []string
	for _, path := range slices.Sorted(maps.Keys(unseen(a, st))) {
		got = append(got, filepath.Base(path))
	}
	if want := []string{"a.s", "c.go", "list.go"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if a.Steps[0].Results = nil; len(unseen(a, st)) != 0 {
		t.Error("a build system that keeps no results")
	}
}
