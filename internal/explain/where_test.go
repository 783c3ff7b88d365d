package explain

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestPlacesOf: what a build file says is no place where it does that.
func TestPlacesOf(t *testing.T) {
	dir := t.TempDir()
	for file, text := range map[string]string{
		"Makefile":       "$(warning modern compilers prefer that \\\n  \"-march=native\" is passed. \\\n  Then)\n# -march=native\n\t@echo -march=native\nCFLAGS += -O2 \\\n  -march=native\n",
		"CMakeLists.txt": "message(STATUS \"-march=native\")\n",
		"build.sh":       "-march=native",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := placesOf(regexp.MustCompile(`-march=native`), dir), []string{"Makefile:7", "build.sh:1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
