package toolset

import (
	"cmp"
	"errors"
	"fmt"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// ErrNotLocked says that the lock lacks an entry that the plan needs.
var ErrNotLocked = errors.New("xbuild.lock does not hold it")

// Toolchain returns a toolchain for the host as the lock has it, the one that is used for p.
func (ts *Tools) Toolchain(name string, p platform.Platform) (compose.Toolchain, error) {
	var req resolve.Requests
	if err := ts.AddToolchain(&req, name, p); err != nil {
		return compose.Toolchain{}, err
	}
	if len(req.Toolchains) == 0 {
		return compose.Toolchain{}, fmt.Errorf("toolchain %s is the host's own", name)
	}
	e, ok := resolve.FindToolchain(ts.Lock, req.Toolchains[0], ts.Host.Name)
	if !ok {
		return compose.Toolchain{}, fmt.Errorf("%s for host %s: %w", req.Toolchains[0], ts.Host.Name, ErrNotLocked)
	}
	def, _ := resolve.SourceOf(req.Toolchains[0].Def, e)
	return compose.NewToolchain(ts.Store, def, e)
}

// For are the tools that a target is built with, which may name its compiler of C and its C++ library.
func (ts *Tools) For(t project.Target) *Tools {
	of := *ts
	of.CC, of.Stdlib = t.CC, t.Stdlib
	return &of
}

// Compiler is the definition of the toolchain that compiles C for p: the target's, the platform's, the project's.
func (ts *Tools) Compiler(p platform.Platform) *catalog.Toolchain {
	name := cmp.Or(ts.CC, ts.Project.Config(p).CC, ts.Project.CC)
	if def := ts.Catalog.Toolchain(name); def != nil && def.Compiler != nil {
		return def
	}
	return ts.Catalog.Compiler()
}

// Compilers are the toolchains that the compiler view of a platform is made of.
func (ts *Tools) Compilers(p platform.Platform) []string {
	def := ts.Compiler(p)
	return []string{def.Name, def.Compiler.PkgConfig}
}

// Compiling are all toolchains that views are made of.
func (ts *Tools) Compiling() []string {
	return append(ts.Catalog.Compilers(), ts.Catalog.Compiler().Compiler.PkgConfig)
}

// Sysroot returns a platform's sysroot as the lock has it.
func (ts *Tools) Sysroot(p platform.Platform) (compose.Sysroot, error) {
	r, err := ts.sysrootRequest(p)
	if err != nil {
		return compose.Sysroot{}, err
	}
	e, ok := resolve.FindSysroot(ts.Lock, r)
	if !ok {
		return compose.Sysroot{}, fmt.Errorf("sysroot for %s: %w", p.Name, ErrNotLocked)
	}
	suite, _ := r.Def.Suite(r.Suite)
	s := compose.NewSysroot(ts.Store, r.Def, e).For(ts.Store, r.Def, suite, p)
	if on, ok := ts.hostPackagesRequest(r, p); ok {
		if s, err = ts.withHostPackages(s, on, p); err != nil {
			return compose.Sysroot{}, err
		}
	}
	lib, wanted, err := ts.CXXRequest(p)
	if err != nil || !wanted {
		return s, err
	}
	return ts.built(s, lib)
}

// built is a sysroot with the C++ library that is built for it, from the source that the lock has.
func (ts *Tools) built(s compose.Sysroot, lib resolve.SysrootRequest) (compose.Sysroot, error) {
	e, ok := resolve.FindSysroot(ts.Lock, lib)
	if !ok {
		return compose.Sysroot{}, fmt.Errorf("%s for %s: %w", lib.Def.Name, lib.Where, ErrNotLocked)
	}
	return s.WithCXX(compose.NewSysroot(ts.Store, lib.Def, e), lib.Def.Library), nil
}

// WithLibc is the platform as it is spelled with the libc that the project has for it, and with no larger pages than
// the project wants.
func (ts *Tools) WithLibc(p platform.Platform) (platform.Platform, error) {
	if own := ts.Project.PlatformConfig[p.Name].Sysroot.Libc; p.Libc != "" && own != "" {
		return p, fmt.Errorf("libc = %q of [platform.%q]: its libc is always %s", own, p.Name, p.Libc)
	}
	if cut, ok := p.WithPage(ts.Project.Config(p).Page); ok {
		p = cut
	}
	b, err := ts.Baseline(p)
	if err != nil {
		return p, err
	}
	p = p.Reduced(b)
	if ts.Libc(p) != "musl" {
		return p, nil
	}
	if m, ok := p.ForMusl(); ok {
		return m, nil
	}
	return p, fmt.Errorf("platform %q has no target with musl", p.Name)
}

// Baseline is the instruction set that a platform promises in this project.
func (ts *Tools) Baseline(p platform.Platform) (platform.Baseline, error) {
	cfg := ts.Project.Config(p)
	return p.Baseline(cfg.CPU, cfg.Features)
}

// View returns a platform's compiler view as the lock has it.
func (ts *Tools) View(p platform.Platform) (compose.View, error) {
	p, err := ts.WithLibc(p)
	if err != nil {
		return compose.View{}, err
	}
	b, err := ts.Baseline(p)
	if err != nil {
		return compose.View{}, err
	}
	def := ts.Compiler(p)
	compiler, err := ts.Toolchain(def.Name, p)
	if err != nil {
		return compose.View{}, err
	}
	pkgconf, err := ts.Toolchain(def.Compiler.PkgConfig, p)
	if err != nil {
		return compose.View{}, err
	}
	sysroot, err := ts.Sysroot(p)
	if err != nil {
		return compose.View{}, err
	}
	return compose.NewView(ts.Store, p, append(b.CFlags(), b.Macros()...), compiler, pkgconf, sysroot), nil
}

// RequireSysroot says what the lock has to hold for a platform's sysroot.
func (ts *Tools) RequireSysroot(p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	err := ts.AddSysroot(&req, p)
	return req, err
}
