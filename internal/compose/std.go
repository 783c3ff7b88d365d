package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"xbuild/internal/catalog"
)

// A BuiltStd is Rust's standard library for a target that nobody has prebuilt: built from its source by the very
// compiler that then uses it (another one is refused, E0514), at the platform's baseline. Its tree is like that of the
// archive's packages.
type BuiltStd struct {
	Builder RustView // the compiler with the source
	Host    View     // compiles the build scripts
	Target  string   // rustc's
	Flags   []string // rustc's: the baseline
	// View is the target's compilers, whose sysroot says what else belongs to the library; empty where nothing does.
	View     View
	Key, Dir string
	ID       string // the same in every store

	// CratesKey is the tree of the crates that the library stands on, which cargo fetches; empty where the source has
	// them.
	CratesKey string
	Crates    string // where they lie
}

// NewBuiltStd says what the library will be in the store at root. view is the target's, where its sysroot has
// RustObjects.
func NewBuiltStd(
	root string, rust Toolchain, source Sysroot, host, view View, target string, flags []string,
) *BuiltStd {
	b := BuiltStd{Host: host, View: view, Target: target, Flags: flags}
	b.Builder = RustView{Rust: rust, Platform: rust.host, Source: source}
	b.Builder.Key = key("rust-builder", []string{rust.Key, source.Key})
	b.Builder.ID = key("rust-builder", []string{rust.ID, source.anywhere()})
	b.Builder.Dir = treeDir(root, b.Builder.Key)
	of := func(builder, clang string) string {
		parts := append([]string{builder, "panic_abort for itself"}, flags...)
		if view.Key != "" {
			parts = append(append(parts, clang), view.Sysroot.RustObjects...)
		}
		return key("rust-std-"+target, parts)
	}
	b.Key, b.ID = of(b.Builder.Key, view.Compiler.Key), of(b.Builder.ID, view.Compiler.ID)
	b.Dir = treeDir(root, b.Key)
	b.Crates = filepath.Join(b.SourceDir(), "vendor")
	if source.crates == catalog.Fetched {
		b.CratesKey = key("rust-crates-"+source.Version, []string{source.Key})
		b.Crates = treeDir(root, b.CratesKey)
	}
	return &b
}

// Libraries is where the library's files lie in the tree of a standard library.
func (b BuiltStd) Libraries(tree string) string {
	return filepath.Join(tree, rustlib, b.Target, "lib")
}

// SourceDir is the library's source as the compiler knows it.
func (b BuiltStd) SourceDir() string { return filepath.Join(b.Builder.Dir, rustlib, "src/rust") }

// StdCrate is the crate that is built so that cargo builds the standard library for it. Its manifest is the root of
// what cargo sees, because cargo hashes the places of packages relative to that: the same library comes out wherever
// the store lies.
const StdCrate = "xbuild_std"

// completeSource turns the unpacked source into what cargo builds the library from offline: the crates of vendor/ that
// library/Cargo.lock names and no other, and a stand-in for each that it names and the archive has left out (those of
// other systems). A stand-in is enough for cargo to resolve; it does not compile.
func completeSource(dir string) error {
	type lockfile struct {
		Package []struct{ Name, Version, Checksum string }
	}
	var locked lockfile
	if _, err := toml.DecodeFile(filepath.Join(dir, "library/Cargo.lock"), &locked); err != nil {
		return err
	}
	// Since 1.85 or so the library is a workspace of its own with its crates below it, as package rust-src has it
	// (rust-lang/rust, src/bootstrap, "Vendor").
	err := os.Rename(filepath.Join(dir, "library/vendor"), filepath.Join(dir, "vendor"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	wanted := map[string]bool{} // "name version"
	for _, p := range locked.Package {
		wanted[p.Name+" "+p.Version] = true
	}
	features := map[string]map[string]bool{}
	var manifests []string
	for _, pattern := range []string{"vendor/*/Cargo.toml", "library/*/Cargo.toml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		manifests = append(manifests, found...)
	}
	for _, file := range manifests {
		var m struct {
			Package struct{ Name, Version string }
			crateDependencies
			Target map[string]crateDependencies
		}
		if _, err := toml.DecodeFile(file, &m); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimPrefix(file, dir+"/"), err)
		}
		id := m.Package.Name + " " + m.Package.Version
		if !wanted[id] {
			if filepath.Dir(filepath.Dir(file)) == filepath.Join(dir, "vendor") {
				if err := os.RemoveAll(filepath.Dir(file)); err != nil {
					return err
				}
			}
			continue
		}
		if m.Package.Version != "0.0.0" {
			delete(wanted, id)
		}
		for _, t := range append(slices.Collect(maps.Values(m.Target)), m.crateDependencies) {
			t.features(features)
		}
	}
	for _, p := range locked.Package {
		if p.Checksum == "" || !wanted[p.Name+" "+p.Version] {
			continue
		}
		var manifest strings.Builder
		fmt.Fprintf(&manifest, "[package]\nname = %q\nversion = %q\nedition = \"2021\"\n\n[features]\n", p.Name, p.Version)
		for _, f := range slices.Sorted(maps.Keys(features[p.Name])) {
			fmt.Fprintf(&manifest, "%s = []\n", f)
		}
		sums, err := json.Marshal(map[string]any{"files": map[string]string{}, "package": p.Checksum})
		if err != nil {
			return err
		}
		if err := writeFiles(filepath.Join(dir, "vendor", p.Name+"-"+p.Version), map[string]string{
			"Cargo.toml":           manifest.String(),
			"src/lib.rs":           "compile_error!(\"the archive has left this crate out\");\n",
			".cargo-checksum.json": string(sums),
		}); err != nil {
			return err
		}
	}
	return writeFiles(dir, stdCrate)
}

// stdCrate are the files of StdCrate, relative to the source's directory.
var stdCrate = map[string]string{
	"Cargo.toml": "[package]\nname = \"" + StdCrate + "\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n",
	"Cargo.lock": "version = 3\n\n[[package]]\nname = \"" + StdCrate + "\"\nversion = \"0.0.0\"\n",
	"src/lib.rs": "#![no_std]\n",
}

// crateDependencies are the tables of a Cargo.toml that name other crates (The Cargo Book, "Specifying Dependencies").
type crateDependencies struct {
	Dependencies map[string]any
	Dev          map[string]any `toml:"dev-dependencies"`
	Build        map[string]any `toml:"build-dependencies"`
}

// features adds what is asked of each crate to all.
func (d crateDependencies) features(all map[string]map[string]bool) {
	for _, table := range []map[string]any{d.Dependencies, d.Dev, d.Build} {
		for name, value := range table {
			t, _ := value.(map[string]any)
			if renamed, ok := t["package"].(string); ok {
				name = renamed
			}
			list, _ := t["features"].([]any)
			for _, f := range list {
				if all[name] == nil {
					all[name] = map[string]bool{}
				}
				all[name][fmt.Sprint(f)] = true
			}
		}
	}
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
