package toolset

import (
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// library tells the name of a package that programs for the host are linked with.
func library(name string) bool { return strings.HasSuffix(name, "-dev") }

// hostLibraries are the packages that the project wants in the sysroot of programs for the host.
func (ts *Tools) hostLibraries(p platform.Platform) []string {
	names := ts.Project.Sysroot.HostPackages
	if p.Name != "" { // else it is the host's for no platform
		names = ts.Project.Config(p).Sysroot.HostPackages
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !library(name) })
}

// hostPackagesRequest asks for the packages of a platform's sysroot whose programs run on the host, and for those that
// the project names. The second result is false where there can be none.
func (ts *Tools) hostPackagesRequest(
	of resolve.SysrootRequest, p platform.Platform,
) (resolve.HostPackagesRequest, bool) {
	named := slices.DeleteFunc(slices.Clone(ts.Project.Config(p).Sysroot.HostPackages), library)
	r := resolve.HostPackagesRequest{Def: of.Def, Suite: of.Suite, Of: &of, Packages: named, Where: p.Name}
	if of.Def.HostPackages == nil { // none of the archive's libraries are in it
		r.Def, r.Of = ts.Catalog.Sysroot("gnu"), nil
		r.Suite = r.Def.Prefer[0]
	}
	return r, len(named) > 0 || r.Of != nil && len(of.Packages) > 0
}

// TargetHostPackages asks for the packages that a target names beside those of its platform's sysroot.
func (ts *Tools) TargetHostPackages(t project.Target, p platform.Platform) (resolve.HostPackagesRequest, error) {
	def := ts.Catalog.Sysroot("gnu")
	r := resolve.HostPackagesRequest{
		Def: def, Suite: def.Prefer[0], Packages: t.HostPackages,
		Where: fmt.Sprintf("%s:%d: [target.%s]", ts.Project.File, t.Line, t.Name),
	}
	if !p.HasSysroot() {
		return r, nil
	}
	of, suite, err := ts.Suite(p)
	if err == nil && of == def {
		r.Suite = suite.Name
	}
	return r, err
}

// HostPackages returns what a request asks for as the lock has it for the host; false where that is nothing.
func (ts *Tools) HostPackages(r resolve.HostPackagesRequest) (compose.Toolchain, bool, error) {
	of, ok, err := r.In(ts.Lock, ts.Host)
	if err != nil || !ok {
		return compose.Toolchain{}, false, err
	}
	e, ok := resolve.FindSysroot(ts.Lock, of)
	if !ok {
		return compose.Toolchain{}, false, fmt.Errorf("%s: %w", of.Where, ErrNotLocked)
	}
	t, err := compose.NewHostPackages(ts.Store, r.Def, ts.Host, e)
	return t, true, err
}

// onHost is hostPackagesRequest for the sysroot of programs for a host, where that is the platform's own.
func (ts *Tools) onHost(of resolve.SysrootRequest, host, p platform.Platform) (resolve.HostPackagesRequest, bool) {
	if p.Rust == "" || host.Rust != p.Rust {
		return resolve.HostPackagesRequest{}, false
	}
	return ts.hostPackagesRequest(of, p)
}

// withHostPackages is a sysroot with the packages for the host that belong to it.
func (ts *Tools) withHostPackages(
	s compose.Sysroot, r resolve.HostPackagesRequest, p platform.Platform,
) (compose.Sysroot, error) {
	t, ok, err := ts.HostPackages(r)
	if err != nil || !ok {
		return s, err
	}
	return s.WithHostPackages(ts.Store, t, p), nil
}

// besideHost are the packages for the host that belong to a platform's sysroot; false where there are none, and where
// the lock has no sysroot of the platform: nothing is compiled for it then.
func (ts *Tools) besideHost(p platform.Platform) (compose.Toolchain, bool) {
	if p.Name == "" || !p.HasSysroot() {
		return compose.Toolchain{}, false
	}
	of, err := ts.sysrootRequest(p)
	if err != nil {
		return compose.Toolchain{}, false
	}
	r, ok := ts.hostPackagesRequest(of, p)
	if !ok {
		return compose.Toolchain{}, false
	}
	t, ok, err := ts.HostPackages(r)
	return t, ok && err == nil
}
