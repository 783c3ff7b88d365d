package resolve

import (
	"maps"
	"slices"
	"testing"

	"xbuild/internal/catalog"
)

// TestOrigins: each kind of archive that a definition may name is in the list, and no other.
func TestOrigins(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(origins)), slices.Sorted(slices.Values(catalog.Archives)); !slices.Equal(got, want) {
		t.Errorf("origins %q, archives of definitions %q", got, want)
	}
}
