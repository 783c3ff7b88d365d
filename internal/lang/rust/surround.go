package rust

import (
	"os"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
	"xbuild/internal/toolset"
)

// serves tells whether Rust has a target for a platform.
func serves(p platform.Platform) bool { return p.Rust != "" }

// surround is what cargo needs for a platform where it is called by hand.
func surround(ts *toolset.Tools, p platform.Platform, set *compose.Set) (lang.Surroundings, error) {
	c, err := For(ts, p)
	if err != nil {
		return lang.Surroundings{}, err
	}
	set.View(c.Host)
	if c.Rust.Key != "" {
		set.RustView(c.Rust)
	}
	return lang.Surroundings{Path: c.Path(), Environment: c.surroundings}, nil
}

// surroundings adds to the environment of a platform's C compilers what cargo needs.
func (c Tools) surroundings(e env.Environment, v compose.View, s env.Settings, alone bool) env.Environment {
	if alone {
		e = ForCargo(e, v, c.Host, s)
	}
	// The caller's own flags for rustc count.
	caller := env.Environment{
		{Name: "RUSTFLAGS", Value: os.Getenv("RUSTFLAGS")},
		{Name: "CARGO_ENCODED_RUSTFLAGS", Value: os.Getenv("CARGO_ENCODED_RUSTFLAGS")},
	}
	flags := RustFlags(v, c.Baseline, c.Rust.Rust.Version, s)
	return WithCargo(e, v, c.Host, s, flags, caller).Merge(c.Env)
}
