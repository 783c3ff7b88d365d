package rust

import (
	"fmt"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hint"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
	"xbuild/internal/toolset"
)

// Tools are what cargo builds for a platform with, beside the platform's compiler view.
type Tools struct {
	Rust     compose.RustView // empty where rust is the host's own
	Host     compose.View     // for build scripts and proc macros
	Baseline platform.Baseline
	Env      env.Environment // where cargo finds rustc
}

// Path are the directories of cargo and of the host's compilers, which go in front of all others.
func (c Tools) Path() []string {
	if c.Rust.Key == "" {
		return []string{c.Host.Bin()}
	}
	return []string{c.Host.Bin(), c.Rust.Bin()}
}

// For returns what cargo builds for p with, as the lock has it.
func For(ts *toolset.Tools, p platform.Platform) (Tools, error) {
	var c Tools
	p, err := ts.WithLibc(p)
	if err != nil {
		return c, err
	}
	if c.Baseline, err = ts.Baseline(p); err != nil {
		return c, err
	}
	if c.Host, err = ts.HostView(p); err != nil || ts.Project.Toolchains[toolchain].Source == "host" {
		return c, err
	}
	rust, err := ts.Toolchain(toolchain, p)
	if err != nil {
		return c, err
	}
	c.Host = c.Host.RunBy(ts.Store, rust)
	if c.Rust, err = view(ts, p, c.Host); err != nil {
		return c, err
	}
	c.Env = ForRustc(c.Rust)
	return c, nil
}

// view returns a platform's Rust view as the lock has it. Where its standard library is one that has to be built,
// host's compiler builds the library's build scripts.
func view(ts *toolset.Tools, p platform.Platform, host compose.View) (compose.RustView, error) {
	rust, err := ts.Toolchain(toolchain, p)
	if err != nil {
		return compose.RustView{}, err
	}
	if p.Rust == ts.Host.Rust {
		return compose.NewRustView(ts.Store, p, rust, compose.Sysroot{}), nil
	}
	part, err := ts.PartRequest("rust-std", p)
	if err != nil {
		return compose.RustView{}, err
	}
	r, err := part.In(ts.Lock)
	if err != nil {
		return compose.RustView{}, err
	}
	e, ok := resolve.FindSysroot(ts.Lock, r)
	if !ok {
		return compose.RustView{}, fmt.Errorf("%s for %s: %w", part.Def.Name, p.Name, toolset.ErrNotLocked)
	}
	if e.Version != rust.Version {
		return compose.RustView{}, hint.Add(fmt.Errorf("%s for %s is %s, and rust for host %s is %s: the two must be one version", r.Def.Name, p.Name, e.Version, ts.Host.Name, rust.Version),
			"run \"xbuild lock --update\"")
	}
	tree := compose.NewSysroot(ts.Store, r.Def, e)
	if r.Def.Source == "" {
		return compose.NewRustView(ts.Store, p, rust, tree), nil
	}
	b, err := ts.Baseline(p)
	if err != nil {
		return compose.RustView{}, err
	}
	var c compose.View
	if libc := ts.Catalog.Sysroot(ts.Libc(p)); libc != nil && len(libc.RustObjects) > 0 {
		if c, err = ts.View(p); err != nil {
			return compose.RustView{}, err
		}
	}
	return compose.NewBuiltRustView(ts.Store, p,
		compose.NewBuiltStd(ts.Store, rust, tree, host, c, p.Rust, b.RustFlags(rust.Version))), nil
}
