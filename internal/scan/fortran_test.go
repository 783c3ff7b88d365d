package scan

import (
	"slices"
	"testing"
)

// TestFortranOrder: what defines a module comes before what uses it, however it is written; modules of the compiler are
// nobody's.
func TestFortranOrder(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.f90":      "program a\n  USE b_mod, only: x\n  use, intrinsic :: iso_c_binding\n  use :: deep\nend program\n",
		"b.f90":      "MODULE b_mod ! the first\n  use c_mod\ncontains\n  module procedure p\n  end procedure\nend module\n",
		"c.f90":      "module c_mod\r\nend module c_mod\r\n",
		"d/deep.F90": "module deep\nend module\n",
		"s.f90":      "submodule (b_mod) child\nend submodule\n",
	})
	var f Files
	got, err := f.FortranOrder(dir, []string{"a.f90", "b.f90", "s.f90", "c.f90", "d/deep.F90"})
	if want := []string{"c.f90", "b.f90", "d/deep.F90", "a.f90", "s.f90"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
