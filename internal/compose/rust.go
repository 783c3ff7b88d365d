package compose

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"xbuild/internal/platform"
)

// A RustView is a directory that rustc takes for its sysroot: the compiler, the host's standard library and that of one
// platform, all of them links.
//
// rustc looks for libraries beside librustc_driver, symbolic links resolved (rustc_session::filesearch). So the program
// and the driver are hard links, and the program's RPATH, which the definition begins with $ORIGIN, leads from the one
// to the other; no flag has to be given, and nothing is copied.
type RustView struct {
	Rust     Toolchain
	Platform platform.Platform
	Std      Sysroot   // of the platform; empty where it is the host's own, which the toolchain has
	Built    *BuiltStd // in the place of Std, where it is built from source
	Source   Sysroot   // the library's source, in a view that builds it
	Key, Dir string
	ID       string // the same in every store
}

// NewRustView says what the Rust view of a platform will be in the store at root.
func NewRustView(root string, p platform.Platform, rust Toolchain, std Sysroot) RustView {
	v := RustView{Rust: rust, Platform: p, Std: std}
	v.Key = key("rust-"+p.Rust, []string{rust.Key, std.Key})
	v.ID = key("rust-"+p.Rust, []string{rust.ID, std.anywhere()})
	v.Dir = treeDir(root, v.Key)
	return v
}

// NewBuiltRustView says what the Rust view of a platform will be whose standard library is built from source.
func NewBuiltRustView(root string, p platform.Platform, built *BuiltStd) RustView {
	v := NewRustView(root, p, built.Builder.Rust, Sysroot{Key: built.Key, id: built.ID, Dir: built.Dir})
	v.Built = built
	return v
}

// Bin is the directory of rustc, cargo and the other programs.
func (v RustView) Bin() string { return filepath.Join(v.Dir, "usr/bin") }

// rustlib has the standard libraries, one directory a target.
const rustlib = "usr/lib/rustlib"

func (c *Composer) rustView(ctx context.Context, v RustView) error {
	_, err := c.Store.Tree(ctx, v.Key, func(tmp, _ string) error {
		if err := os.MkdirAll(filepath.Join(tmp, rustlib), 0o755); err != nil {
			return err
		}
		var drivers []string
		for _, lib := range []string{"usr/lib/*", "usr/lib"} { // Debian's, the Rust project's own
			found, err := filepath.Glob(filepath.Join(v.Rust.Dir, lib, "librustc_driver-*.so"))
			if err != nil {
				return err
			}
			drivers = append(drivers, found...)
		}
		if len(drivers) != 1 {
			return fmt.Errorf("toolchain %s %s: %d files librustc_driver-*.so below usr/lib, want one", v.Rust.Name, v.Rust.Version, len(drivers))
		}
		files := []string{drivers[0]}
		for _, file := range v.Rust.def.Programs {
			files = append(files, filepath.Join(v.Rust.Dir, file))
		}
		for _, file := range files {
			rel, err := filepath.Rel(v.Rust.Dir, file)
			if err != nil {
				return err
			}
			to := filepath.Join(tmp, rel)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := os.Link(file, to); err != nil {
				return err
			}
		}
		link := func(tree, target string) error {
			return os.Symlink(filepath.Join("../../../..", tree, rustlib, target), filepath.Join(tmp, rustlib, target))
		}
		if err := link(v.Rust.Key, v.Rust.host.Rust); err != nil {
			return err
		}
		if v.Source.Key != "" {
			if err := os.Mkdir(filepath.Join(tmp, rustlib, "src"), 0o755); err != nil {
				return err
			}
			source := filepath.Join("../../../../..", v.Source.Key)
			if err := os.Symlink(source, filepath.Join(tmp, rustlib, "src/rust")); err != nil {
				return err
			}
		}
		if v.Std.Key == "" {
			return nil
		}
		return link(v.Std.Key, v.Platform.Rust)
	})
	return err
}
