// Package envtest has what tests of environments share: a view that is made up, and golden files.
package envtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// update is the flag of the tests that use Golden.
var update = flag.Bool("update", false, "write golden files anew")

// View is a platform's view in a store at /store, from a lock and definitions that are made up and do not change.
func View(t *testing.T, p platform.Platform) compose.View {
	t.Helper()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	toolchain := func(name, version, slot string) compose.Toolchain {
		source := catalog.Source{Archive: "debian", Suite: "trixie", Slot: slot}
		def := (&catalog.Toolchain{Name: name, Compiler: all.Toolchain(name).Compiler}).In(source)
		tc, err := compose.NewToolchain("/store", def, lock.Toolchain{Name: name, Version: version, Host: "linux/amd64",
			Files: []lock.File{{Name: name, SHA256: strings.Repeat("1", 64)}}})
		if err != nil {
			t.Fatal(err)
		}
		return tc
	}
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	root := compose.NewSysroot("/store", &catalog.Sysroot{Name: "glibc"}, lock.Sysroot{Name: "glibc", Arch: p.Debian,
		Suite: "trixie", Files: []lock.File{{Name: "libc6", SHA256: strings.Repeat("2", 64)}}})
	return compose.NewView("/store", p, append(b.CFlags(), b.Macros()...), toolchain("clang", "19.1.7", "19"),
		toolchain("pkgconf", "1.8.1", ""), root)
}

// Golden compares a text with testdata/name.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: go test -update, in the package", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (renew with: go test -update, in the package); now\n%s", file, got)
	}
}
