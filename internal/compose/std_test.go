package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/store"
)

// TestCompleteSource unpacks nothing: it completes a small source as rustc's is laid out, with a crate too many, one
// that is needed, and one that the lock names and the archive has left out, which two others ask features of.
func TestCompleteSource(t *testing.T) {
	dir := t.TempDir()
	err := writeFiles(dir, map[string]string{
		"library/Cargo.lock": `version = 4
[[package]]
name = "std"
version = "0.0.0"
[[package]]
name = "libc"
version = "0.2.169"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aa"
[[package]]
name = "windows-sys"
version = "0.59.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "bb"
`,
		"library/std/Cargo.toml":          "[package]\nname = \"std\"\nversion = \"0.0.0\"\n[dependencies]\nlibc = { version = \"0.2\", features = [\"rustc-dep-of-std\"] }\n[target.'cfg(windows)'.dependencies.sys]\npackage = \"windows-sys\"\nversion = \"0.59\"\nfeatures = [\"Foundation\"]\n",
		"vendor/libc-0.2.169/Cargo.toml":  "[package]\nname = \"libc\"\nversion = \"0.2.169\"\n[dev-dependencies.windows-sys]\nversion = \"0.59\"\nfeatures = [\"Threading\"]\n",
		"vendor/libc-0.1.0/Cargo.toml":    "[package]\nname = \"libc\"\nversion = \"0.1.0\"\n",
		"vendor/ratatui-0.1.0/Cargo.toml": "[package]\nname = \"ratatui\"\nversion = \"0.1.0\"\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := completeSource(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "vendor"))
	if err != nil {
		t.Fatal(err)
	}
	var crates []string
	for _, e := range entries {
		crates = append(crates, e.Name())
	}
	if want := []string{"libc-0.2.169", "windows-sys-0.59.0"}; !slices.Equal(crates, want) {
		t.Errorf("crates %q, want %q", crates, want)
	}
	for file, want := range map[string]string{
		"vendor/windows-sys-0.59.0/Cargo.toml":           "[features]\nFoundation = []\nThreading = []\n",
		"vendor/windows-sys-0.59.0/.cargo-checksum.json": `"package":"bb"`,
		"vendor/windows-sys-0.59.0/src/lib.rs":           "compile_error!",
		"Cargo.toml":                                     "[workspace]",
		"Cargo.lock":                                     StdCrate,
	} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: %v, want %q in\n%s", file, err, want, data)
		}
	}
}

// TestBuiltStd: a library that is built follows the compiler, the source and the baseline; its view links it, and its
// builder's view has the source.
func TestBuiltStd(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	def := &catalog.Toolchain{Name: "rust", Programs: map[string]string{"rustc": "usr/bin/rustc"}}
	rust, err := NewToolchain(st.Dir(), def, lock.Toolchain{Name: "rust", Version: "1.85.1", Host: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	source := NewSysroot(st.Dir(), &catalog.Sysroot{Name: "rust-src", Of: "rust", Source: "rustc"}, lock.Sysroot{Arch: "source", Suite: "trixie"})
	p := parse(t, "linux/arm/v6")
	b := NewBuiltStd(st.Dir(), rust, source, View{}, View{}, p.Rust, []string{"-Ctarget-feature=+vfp2"})
	if other := NewBuiltStd(st.Dir(), rust, source, View{}, View{}, p.Rust, nil); other.Key == b.Key {
		t.Error("two baselines with one library")
	}
	var set Set
	set.RustView(NewBuiltRustView(st.Dir(), p, b))
	set.RustView(NewBuiltRustView(st.Dir(), p, b))
	if len(set.Stds) != 1 || len(set.RustViews) != 2 || len(set.Sysroots) != 2 || set.Sysroots[0].Key != source.Key {
		t.Errorf("%d libraries, %d Rust views, %d sysroots", len(set.Stds), len(set.RustViews), len(set.Sysroots))
	}
	for key, file := range map[string]string{rust.Key: "usr/lib/x86_64-linux-gnu/librustc_driver-0123.so", source.Key: "library/std/src/lib.rs"} {
		if _, err := st.Tree(t.Context(), key, func(tmp, _ string) error {
			return writeFiles(tmp, map[string]string{file: "", "usr/bin/rustc": "", "usr/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib": ""})
		}); err != nil {
			t.Fatal(err)
		}
	}
	c := &Composer{Store: st}
	for _, v := range set.RustViews {
		if err := c.rustView(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(b.SourceDir(), "library/std/src/lib.rs")); err != nil {
		t.Errorf("the builder's source: %v", err)
	}
	if to, err := os.Readlink(filepath.Join(NewBuiltRustView(st.Dir(), p, b).Dir, rustlib, p.Rust)); err != nil || !strings.HasSuffix(to, b.Key+"/"+rustlib+"/"+p.Rust) {
		t.Errorf("the view's library: %q, %v", to, err)
	}
}
