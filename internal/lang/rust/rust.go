// Package rust is the language Rust: cargo's environment, with a compiler for the platform and one for build scripts;
// the standard library that is built from source; and what cargo's own files and messages tell.
package rust

import (
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
)

// Language is Rust.
var Language = lang.Language{
	Name: "rust", Depends: depends, Environment: environment, Settled: settled, ByHand: byHand,
	Release: Release, Least: least, Locked: locked, Before: writeLock, Surround: surround, Serves: serves,
	Flags:   map[string]func(platform.Baseline, string) []string{"rust": platform.Baseline.RustFlags},
	Home:    []env.Var{{Name: "CARGO_HOME", Value: ".cargo"}},
	Outputs: built, HostUnits: hostUnits, HostUnit: hostUnit, SameHost: sameLinker, Libraries: libraries,
}

// toolchain is the name of the toolchain.
const toolchain = "rust"
