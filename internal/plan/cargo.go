package plan

import (
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// A Cargo is what cargo builds for a platform with, beside the platform's compiler view.
type Cargo struct {
	Rust     compose.RustView // empty where rust is the host's own
	Host     compose.View     // for build scripts and proc macros
	Baseline platform.Baseline
	Env      env.Environment // where cargo finds rustc
}

// Path are the directories of cargo and of the host's compilers, which go in front of all others.
func (c Cargo) Path() []string {
	if c.Rust.Key == "" {
		return []string{c.Host.Bin()}
	}
	return []string{c.Host.Bin(), c.Rust.Bin()}
}

// Cargo returns what cargo builds for p with, as the lock has it.
func (pl *Planner) Cargo(p platform.Platform, view compose.View) (Cargo, error) {
	var c Cargo
	p, err := pl.withLibc(p)
	if err != nil {
		return c, err
	}
	if c.Baseline, err = pl.Baseline(p); err != nil {
		return c, err
	}
	if c.Host, err = pl.HostView(p); err != nil || pl.Project.Toolchains["rust"].Source == "host" {
		return c, err
	}
	rust, err := pl.Toolchain("rust", p)
	if err != nil {
		return c, err
	}
	c.Host = c.Host.RunBy(pl.Store, rust)
	if c.Rust, err = pl.RustView(p, c.Host); err != nil {
		return c, err
	}
	c.Env = env.ForRustc(c.Rust)
	return c, nil
}

// RequireRecipe says what the lock has to hold for a recipe's tools to be called for a platform by hand, in a directory
// of sources.
func (pl *Planner) RequireRecipe(name, dir string, p platform.Platform) (resolve.Requests, []string, error) {
	var req resolve.Requests
	var toolchains []string
	p, err := pl.withLibc(p)
	if err != nil {
		return req, nil, err
	}
	for _, need := range pl.Catalog.Recipe(name).Needs {
		if need.When != "" {
			continue // it depends on a target's options
		}
		if ok, err := pl.wanted(need, dir, name); err != nil || !ok {
			if err != nil {
				return req, nil, err
			}
			continue
		}
		toolchains = append(toolchains, need.Toolchains...)
		if err := pl.requireNeed(&req, need, p, nil, p.Name); err != nil {
			return req, nil, err
		}
	}
	return req, toolchains, nil
}
