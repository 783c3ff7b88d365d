package compose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin/rust"
	"xbuild/internal/origin/rust/rustdisttest"
	"xbuild/internal/store"
)

// TestRustDist composes a toolchain and a standard library of Rust's distribution: the components lie below usr as
// packages do, and nothing of the installer is left. A component that is not the one that was locked is not unpacked.
func TestRustDist(t *testing.T) {
	const target = "x86_64-unknown-linux-gnu"
	server := rustdisttest.New(t)
	release := rustdisttest.Release{Version: "1.95.0", Date: "2026-04-16", Channels: []string{"1.95.0"}, Components: []rustdisttest.Component{
		{Name: "rustc", Target: target, Files: []archivetest.File{
			{Name: "bin/rustc", Body: "rustc", Mode: 0o755}, {Name: "bin/rustdoc", Body: "rustdoc", Mode: 0o755}, {Name: "bin/rust-gdb", Body: "gdb", Mode: 0o755},
			{Name: "lib/librustc_driver-01.so", Body: "driver"}, {Name: "lib/libLLVM.so", Link: "libLLVM.so.22"}, {Name: "lib/libLLVM.so.22", Body: "llvm"},
			{Name: "lib/rustlib/etc/gdb_lookup.py", Body: "x"}, {Name: "lib/rustlib/" + target + "/bin/rust-lld", Body: "lld", Mode: 0o755}, {Name: "share/doc/rust/README.md", Body: "x"}}},
		{Name: "cargo", Target: target, Files: []archivetest.File{{Name: "bin/cargo", Body: "cargo", Mode: 0o755}, {Name: "etc/bash_completion.d/cargo", Body: "x"}}},
		{Name: "rust-std", Target: target, Files: []archivetest.File{{Name: "lib/rustlib/" + target + "/lib/libstd.rlib", Body: "std"}}},
	}}
	server.Publish(t, release)
	m, err := rust.Parse(server.Read(t, "dist/channel-rust-1.95.0.toml"))
	if err != nil {
		t.Fatal(err)
	}
	locked := lock.Toolchain{Name: "rust", Version: "1.95.0", Host: "linux/amd64", Archive: catalog.Rust, Suite: "stable"}
	var std lock.File
	for _, name := range []string{"rustc", "cargo", "rust-std"} {
		c, err := m.Component(name, target)
		if err != nil {
			t.Fatal(err)
		}
		f := lock.File{Name: name, Version: c.Version, Arch: target, Path: c.Path, Size: int64(len(server.Read(t, c.Path))), SHA256: c.SHA256}
		locked.Files = append(locked.Files, f)
		if name == "rust-std" {
			std = f
		}
	}
	// Of the runtime one package, as the archive has it.
	deb, err := archivetest.Deb(archivetest.Package{Name: "zlib1g", Arch: "amd64", Files: []archivetest.File{{Name: "./lib/x86_64-linux-gnu/libz.so.1", Body: "zlib"}, {Name: "./usr/share/doc/zlib1g/copyright", Body: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	server.Write(t, "pool/zlib1g.deb", deb)
	sum := sha256.Sum256(deb)
	locked.Files = append(locked.Files, lock.File{Name: "zlib1g", Version: "1", Arch: "amd64", Path: "pool/zlib1g.deb", Size: int64(len(deb)), SHA256: hex.EncodeToString(sum[:]), Archive: catalog.Debian})

	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	first := cat.Toolchain("rust").From("official")
	compose := func(dir string) (Toolchain, Sysroot, error) {
		st, err := store.Open(filepath.Join(dir, "store"))
		if err != nil {
			t.Fatal(err)
		}
		rust, err := NewToolchain(st.Dir(), first.In(first.Sources[0]), locked)
		if err != nil {
			t.Fatal(err)
		}
		part := NewSysroot(st.Dir(), cat.Part("rust-std").For(catalog.Rust), lock.Sysroot{Name: "rust-std-official", Arch: target, Suite: "stable", Version: "1.95.0", Archive: catalog.Rust, Files: []lock.File{std}})
		c := &Composer{Store: st, Fetch: fetch.Options{Retries: -1}, URLs: func(_ context.Context, f lock.File) ([]string, error) {
			return []string{server.URL + "/" + f.Path}, nil
		}}
		view := NewRustView(st.Dir(), parse(t, "linux/arm64"), rust, part)
		var set Set
		set.RustView(view)
		return rust, part, c.All(t.Context(), set)
	}
	rust, part, err := compose(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"programs/cargo", "programs/rustc", "programs/rustdoc", "usr/bin/cargo", "usr/bin/rustc", "usr/bin/rustdoc", "usr/lib/libLLVM.so", "usr/lib/libLLVM.so.22", "usr/lib/librustc_driver-01.so",
		"usr/lib/rustlib/" + target + "/bin/rust-lld", "usr/lib/rustlib/" + target + "/lib/libstd.rlib", "usr/lib/x86_64-linux-gnu/libz.so.1",
	}
	if got := treeFiles(t, rust.Dir); !slices.Equal(got, want) {
		t.Errorf("toolchain:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := treeFiles(t, part.Dir); !slices.Equal(got, []string{"usr/lib/rustlib/" + target + "/lib/libstd.rlib"}) {
		t.Errorf("library: %q", got)
	}

	// Another file under the name of the one that was locked.
	data := server.Read(t, std.Path)
	server.Write(t, std.Path, append(bytes.Clone(data[:len(data)-1]), data[len(data)-1]^1))
	rust, _, err = compose(t.TempDir())
	var bad *store.MismatchError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "rust-std 1.95.0 "+target) {
		t.Errorf("a component with another hash: error %v", err)
	}
	if _, err := os.Stat(rust.Dir); err == nil {
		t.Error("a toolchain was composed of it")
	}
}

// treeFiles are the files and links of a tree, but for links to directories.
func treeFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
