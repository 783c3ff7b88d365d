package rust

import (
	"fmt"
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/env"
)

// ForStd returns the variables and the command with which cargo builds a standard library from its source: offline,
// from the vendored crates of the source, and untouched by the configuration of who runs it (cargo's -Z build-std;
// RUSTC_BOOTSTRAP allows it in a released compiler, as rustc's own build does). It writes below dir, into the directory
// that is the second result's last.
func ForStd(b compose.BuiltStd, dir, jobs string) (e env.Environment, command []string, libraries string) {
	source := b.SourceDir()
	flags := append([]string{
		"-Cembed-bitcode=yes", // cargo leaves it out where the profile has no LTO, but the projects that link the library may
		"--remap-path-prefix=" + source + "=/rustc/" + b.Builder.Rust.Version, "--remap-path-prefix=" + dir + "=/build",
	}, b.Flags...)
	if b.CratesKey != "" {
		flags = append(flags, "--remap-path-prefix="+b.Crates+"=/rustc/"+b.Builder.Rust.Version+"/vendor")
	}
	e = ForRustc(b.Builder)
	e.Set("RUSTC_BOOTSTRAP", "1")
	e.Set("RUSTC_WRAPPER", dir+"/"+StdWrapper)
	e.Set("CARGO_ENCODED_RUSTFLAGS", strings.Join(flags, "\x1f"))
	e.Set("CARGO_HOME", dir+"/home")
	e.Set("CARGO_NET_OFFLINE", "true")
	e.Set("CARGO_INCREMENTAL", "0")
	e.Set("CARGO_PROFILE_RELEASE_DEBUG", "0")
	e.Set("CARGO_PROFILE_RELEASE_LTO", "off")
	e.Set("CARGO_TARGET_"+strings.ToUpper(strings.ReplaceAll(b.Host.Platform.Rust, "-", "_"))+"_LINKER", b.Host.CC())
	command = []string{
		"cargo", "build", "--release", "--offline", "--locked", "--quiet", "--jobs=" + jobs,
		"--manifest-path=" + source + "/Cargo.toml",
		"--target=" + b.Target, "--target-dir=" + dir + "/target",
		"-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test",
		`--config=source.crates-io.replace-with="vendored"`, fmt.Sprintf("--config=source.vendored.directory=%q", b.Crates),
	}
	return e, command, dir + "/target/" + b.Target + "/release/deps"
}

// StdWrapper is the name of the program that starts rustc, below the directory that ForStd was given, and StdScript is
// its text. A program with panic = "abort" takes panic_abort only where that was compiled so itself, and the library
// beside it is not (rustc's own build has the same exception: src/bootstrap/src/bin/rustc.rs).
const (
	StdWrapper = "start-rustc"
	StdScript  = `#!/bin/sh
case " $* " in
*" --crate-name panic_abort "*) exec "$@" -Cpanic=abort ;;
esac
exec "$@"
`
)

// ForCrates returns the variables and the command with which cargo fetches the crates that a standard library stands on
// into a directory: those of its Cargo.lock, by the sha256 there, from where the configuration of who runs it says (The
// Cargo Book, cargo-vendor(1)).
func ForCrates(b compose.BuiltStd, to string) (env.Environment, []string) {
	return ForRustc(b.Builder), []string{"cargo", "vendor", "--quiet", "--locked", "--versioned-dirs",
		"--manifest-path=" + b.SourceDir() + "/library/Cargo.toml", to}
}

// StdObject returns the command that compiles one of the objects that rustc puts around each program, into the
// directory of the libraries (rustc's own build does the same: bootstrap, step StartupObjects).
func StdObject(b compose.BuiltStd, name, to string) []string {
	source := b.SourceDir()
	return append([]string{
		"rustc", "--target=" + b.Target, "--emit=obj", "-o", to + "/" + name + ".o",
		"--remap-path-prefix=" + source + "=/rustc/" + b.Builder.Rust.Version, source + "/library/rtstartup/" + name + ".rs",
	}, b.Flags...)
}
