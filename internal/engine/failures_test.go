package engine

import (
	"slices"
	"testing"
)

// TestHintsOfPlatforms: what several platforms are told alike is said once.
func TestHintsOfPlatforms(t *testing.T) {
	var h hints
	for _, p := range []string{"linux/arm64", "linux/arm/v7", "linux/riscv64"} {
		h.add("write x = true in [target.app]", p)
		h.add("CMake finds no GTest for "+p, p)
		if p != "linux/arm/v7" {
			h.add(p+" has no SSE2: features = [] under [platform.\""+p+"\"]", p)
		}
		h.add("CMake finds no GTest for "+p, p) // of another target
	}
	want := []string{
		"hint: write x = true in [target.app]",
		"hint: CMake finds no GTest for linux/arm64 (the same for linux/arm/v7, linux/riscv64)",
		"hint: linux/arm64 has no SSE2: features = [] under [platform.\"linux/arm64\"] (the same for linux/riscv64)",
	}
	if got := h.lines(); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
