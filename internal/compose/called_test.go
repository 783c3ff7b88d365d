package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
)

// TestCalledPrograms: a program that files of CMake's name is there, and is the host's; what a package has itself stays.
func TestCalledPrograms(t *testing.T) {
	tree := t.TempDir()
	if err := writeFiles(tree, map[string]string{
		// As Debian's libflatbuffers-dev and llvm-dev have it.
		"usr/lib/aarch64-linux-gnu/cmake/flatbuffers/FlatcTargets-none.cmake": `set_target_properties(flatbuffers::flatc PROPERTIES
  IMPORTED_LOCATION_NONE "${_IMPORT_PREFIX}/bin/flatc"
  )
list(APPEND _cmake_import_check_files_for_flatbuffers::flatc "${_IMPORT_PREFIX}/bin/flatc" )
`,
		"usr/lib/llvm-19/lib/cmake/llvm/LLVMExports-none.cmake": `list(APPEND _cmake_import_check_files_for_opt "${_IMPORT_PREFIX}/bin/opt" )`,
		"usr/share/cmake/own.cmake":                             `"${_IMPORT_PREFIX}/bin/own-config" "${_IMPORT_PREFIX}/sbin/daemon" "${_IMPORT_PREFIX}/lib/libown.a"`,
		"usr/bin/own-config":                                    "its own",
		"usr/lib/own.txt":                                       `"${_IMPORT_PREFIX}/bin/text"`,
	}); err != nil {
		t.Fatal(err)
	}
	if err := calledPrograms(tree); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/bin/flatc", "usr/lib/llvm-19/bin/opt", "usr/sbin/daemon"} {
		if info, err := os.Stat(filepath.Join(tree, name)); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s is no program: %v", name, err)
		}
	}
	if own, err := os.ReadFile(filepath.Join(tree, "usr/bin/own-config")); err != nil || string(own) != "its own" {
		t.Errorf("the package's own program is %q, %v", own, err)
	}
	for _, name := range []string{"usr/bin/text", "usr/bin/opt", "usr/lib/libown.a"} {
		if _, err := os.Stat(filepath.Join(tree, name)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "flatc"), []byte("#!/bin/sh\necho host \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(tree, "usr/bin/flatc"), "a b", "c")
	cmd.Env = []string{"PATH=" + bin}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "host a b c\n" {
		t.Errorf("flatc is not the host's: %q, %v", out, err)
	}
}

// TestCalledProgramsKey: a sysroot with packages of the project is composed anew, that of a C library alone is not.
func TestCalledProgramsKey(t *testing.T) {
	def := &catalog.Sysroot{Name: "glibc", Packages: []string{"libc6-dev"}}
	locked := lock.Sysroot{Arch: "arm64", Suite: "trixie", Roots: []string{"libc6-dev"}, Files: []lock.File{{SHA256: "1"}}}
	alone := NewSysroot("/store", def, locked).Key
	locked.Roots = append(locked.Roots, "libzip-dev")
	if with := NewSysroot("/store", def, locked).Key; with == alone {
		t.Errorf("the sysroot with libzip-dev has the key of that without, %s", with)
	}
}
