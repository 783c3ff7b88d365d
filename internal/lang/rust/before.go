package rust

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/project"
)

// writeLock lets cargo write the Cargo.lock of a project that has none: it names the crates, and with them the tools
// that their build scripts call. Where cargo cannot (without a network, for one), the build itself says why.
func writeLock(ctx context.Context, b lang.Before, t project.Target, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err != nil {
		return nil // the build says it
	}
	if _, err := os.Stat(filepath.Join(dir, "Cargo.lock")); err == nil || t.Options["locked"] == true || b.Offline {
		return nil
	}
	cargo := "cargo"
	var own env.Environment
	if b.Asked.Source != "host" {
		rust, err := b.Toolchain(ctx)
		if err != nil {
			return err
		}
		cargo = rust.Program("cargo")
		own.Set("RUSTC", rust.Program("rustc"))
	}
	b.Note("cargo generate-lockfile (%s)", t.Name)
	cmd := exec.CommandContext(ctx, cargo, "generate-lockfile", "--quiet")
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), b.Environ.Strings(), own.Strings())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Note("%s", strings.TrimSpace(string(out)))
	}
	return nil
}
