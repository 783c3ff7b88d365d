package toolset

import (
	"fmt"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// PartRequest asks for a toolchain's library for p. The second result is false where p is the machine of every host,
// whose library the toolchain has itself.
func (ts *Tools) PartRequest(name string, p platform.Platform) (resolve.PartRequest, error) {
	def := ts.Catalog.Part(name)
	if def == nil || def.Of == "" {
		return resolve.PartRequest{}, fmt.Errorf("no toolchain brings the library %q", name)
	}
	if p.Rust == "" {
		return resolve.PartRequest{}, fmt.Errorf("%s has no target for %s", def.Of, p.Name)
	}
	b, err := ts.Baseline(p)
	if err != nil {
		return resolve.PartRequest{}, err
	}
	of, err := ts.toolchainRequest(def.Of, p)
	return resolve.PartRequest{Def: def, From: ts.Catalog.Chain(def.From), Of: of, Target: p.Rust, Promised: b.Features(),
		Where: p.Name}, err
}

// AddPart asks for a toolchain's library for p; nothing, where the toolchain is the host's own.
func (ts *Tools) AddPart(req *resolve.Requests, name string, p platform.Platform) error {
	r, err := ts.PartRequest(name, p)
	if err != nil || ts.Project.Toolchains[r.Def.Of].Source == "host" {
		return err
	}
	PutPart(req, r)
	return nil
}

// Part returns a sysroot whose versions a project names, as the lock has it.
func (ts *Tools) Part(def *catalog.Sysroot, version string) (compose.Sysroot, error) {
	e, ok := resolve.FindSysroot(ts.Lock, resolve.SysrootRequest{Def: def, Arch: "all", Suite: version})
	if !ok {
		return compose.Sysroot{}, fmt.Errorf("%s %s: %w", def.Name, version, ErrNotLocked)
	}
	return compose.NewSysroot(ts.Store, def, e), nil
}
