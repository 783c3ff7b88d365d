package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/store"
)

// TestRustView composes a view of a toolchain and a standard library that lie in a store: the compiler must be the
// toolchain's own file under the view's name, because it looks for its libraries beside itself.
func TestRustView(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	def := &catalog.Toolchain{Name: "rust", Programs: map[string]string{"rustc": "usr/bin/rustc", "cargo": "usr/bin/cargo"}}
	rust, err := NewToolchain(st.Dir(), def, lock.Toolchain{Name: "rust", Version: "1.85.1", Host: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	std := NewSysroot(st.Dir(), &catalog.Sysroot{Name: "rust-std", Of: "rust", Keep: []string{"usr/lib/rustlib/**"}}, lock.Sysroot{Arch: "arm64", Suite: "trixie"})
	if !strings.HasPrefix(std.Key, "rust-std-arm64-trixie-") || std.Libc {
		t.Errorf("%+v", std)
	}
	fill := func(key string, files ...string) {
		t.Helper()
		_, err := st.Tree(t.Context(), key, func(tmp, _ string) error {
			for _, f := range files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(tmp, f)), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(tmp, f), []byte(f), 0o755); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const driver = "usr/lib/x86_64-linux-gnu/librustc_driver-0123.so"
	fill(rust.Key, "usr/bin/rustc", "usr/bin/cargo", driver, "usr/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib")
	fill(std.Key, "usr/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib")
	c := &Composer{Store: st}
	cross, own := NewRustView(st.Dir(), parse(t, "linux/arm64"), rust, std), NewRustView(st.Dir(), parse(t, "linux/amd64"), rust, Sysroot{})
	if cross.Key == own.Key {
		t.Error("two views with one key")
	}
	for _, v := range []RustView{cross, own} {
		if err := c.rustView(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"usr/bin/rustc", "usr/bin/cargo", driver} {
			a, err := os.Lstat(filepath.Join(rust.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.Lstat(filepath.Join(v.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if !os.SameFile(a, b) {
				t.Errorf("%s of the view is not the toolchain's own file", file)
			}
		}
		for _, target := range []string{"x86_64-unknown-linux-gnu", v.Platform.Rust} {
			if _, err := os.Stat(filepath.Join(v.Dir, rustlib, target, "lib/libstd.rlib")); err != nil {
				t.Error(err)
			}
		}
	}
	fill("toolchain-empty", "usr/bin/rustc")
	rust.Key, rust.Dir = "toolchain-empty", st.TreePath("toolchain-empty")
	if err := c.rustView(t.Context(), NewRustView(st.Dir(), parse(t, "linux/arm64"), rust, std)); err == nil || !strings.Contains(err.Error(), "librustc_driver") {
		t.Errorf("a toolchain without a driver: error %v", err)
	}
}

// TestHostView: what it links finds its loader and libraries in the sysroot, by RPATH, and nothing else is different.
func TestHostView(t *testing.T) {
	p := parse(t, "linux/amd64")
	clang, pkgconf, sysroot := parts(t, "/store", p)
	v, h := NewView("/store", p, nil, clang, pkgconf, sysroot), NewHostView("/store", p, nil, clang, pkgconf, sysroot)
	if v.Key == h.Key || !strings.HasPrefix(h.Key, "host-linux-amd64-") {
		t.Errorf("keys %q and %q", v.Key, h.Key)
	}
	more, ok := strings.CutPrefix(h.config(p.LLVM), v.config(p.LLVM))
	root := "<CFGDIR>/../../" + sysroot.Key
	want := "-Wl,--dynamic-linker=" + root + "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2,-rpath," + root + "/usr/lib/x86_64-linux-gnu,-rpath," + root + "/usr/lib,--disable-new-dtags\n"
	if !ok || more != want {
		t.Errorf("the host's view adds\n%swant\n%s", more, want)
	}
	// rustc loads proc macros: they must lead to its own libc.
	by := h.RunBy("/store", clang)
	if more, ok := strings.CutPrefix(by.config(p.LLVM), v.config(p.LLVM)); by.Key == h.Key || !ok || more != strings.ReplaceAll(want, sysroot.Key, clang.Key) {
		t.Errorf("the host's view that is run by a toolchain adds\n%s", more)
	}
}
