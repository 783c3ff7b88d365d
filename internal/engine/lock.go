package engine

import (
	"context"
	"errors"
	"slices"

	"xbuild/internal/action"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/lock"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// A Locked says what a lock holds.
type Locked struct {
	File       string // as seen from the working directory
	Toolchains int
	Sysroots   int
}

// Lock locks the whole project, and what Run, Env and Exec need: the emulator, the host's sysroot. update chooses all
// anew. The Nodes that tests run in stay locked, but none is locked anew: each would be downloaded. What is wrong with
// targets is an error, a FailedError where it is several things; the rest is locked all the same.
func (e *Engine) Lock(ctx context.Context, update bool) (Locked, error) {
	if e.ownLock != "" {
		return Locked{}, writable(e.lockPath)
	}
	all, err := e.requireAll()
	if err != nil {
		return Locked{}, err
	}
	if err := e.lockable(ctx, all, "", update); err != nil {
		return Locked{}, err
	}
	var wrong []action.Fault
	for _, r := range all {
		if r.Err != nil {
			wrong = append(wrong, action.Fault{Target: r.Target, Platform: r.Platform, Err: r.Err})
		}
	}
	if len(wrong) > 0 {
		// What nobody asks for is not dropped: it may be what the others ask for once they are mended.
		return Locked{}, faultsError(wrong, len(all))
	}
	req := plan.Merged(all)
	nodes, err := e.lockedNodes()
	if err != nil {
		return Locked{}, err
	}
	if update {
		if err := e.locked(ctx, nodes, "", true, false); err != nil {
			return Locked{}, err
		}
	}
	req.Sysroots = append(req.Sysroots, nodes.Sysroots...)
	if err := e.locked(ctx, req, "", false, true); err != nil {
		return Locked{}, err
	}
	l := e.pl.Lock
	return Locked{File: Relative(e.lockPath), Toolchains: len(l.Toolchains), Sysroots: len(l.Sysroots)}, nil
}

// requireAll is what the lock of the whole project has to hold.
func (e *Engine) requireAll() ([]plan.Requirement, error) {
	all, err := e.pl.Requirements(plan.Selection{})
	if err != nil {
		return nil, err
	}
	qemu, err := e.pl.RequireToolchain(emulator, e.pl.Host)
	if err != nil {
		return nil, err
	}
	// What xbuild env and exec need for the host.
	targets, err := e.pl.Choose(plan.Selection{})
	if err != nil {
		return nil, err
	}
	var of []platform.Platform // of each requirement
	for _, t := range targets {
		of = append(of, t.Platforms...)
	}
	for i, p := range of {
		if all[i].Err != nil || !p.HasSysroot() {
			continue
		}
		host, err := e.pl.RequireHostView(p)
		if err != nil {
			return nil, err
		}
		all[i].Toolchains = append(all[i].Toolchains, host.Toolchains...)
		all[i].Sysroots = append(all[i].Sysroots, host.Sysroots...)
		all[i].HostPackages = append(all[i].HostPackages, host.HostPackages...)
	}
	// As one of its own: what is wrong with a target does not stop it.
	return append(all, plan.Requirement{Target: "xbuild run", Platform: e.pl.Host.Name, Requests: qemu}), nil
}

// lockedNodes are the requests of those Nodes of the project's tests that the lock holds.
func (e *Engine) lockedNodes() (resolve.Requests, error) {
	var out resolve.Requests
	if !slices.ContainsFunc(e.pl.Lock.Sysroots, func(r lock.Sysroot) bool {
		def := e.pl.Catalog.Part(r.Name)
		return def != nil && def.Program != ""
	}) {
		return out, nil
	}
	p, err := e.pl.New(plan.Selection{})
	if err != nil {
		return out, err
	}
	for _, a := range p.Actions {
		for _, step := range a.Test {
			if step.In == nil {
				continue
			}
			req, err := table.Runtime().Require(&e.pl.Tools, a.Platform, *step.In)
			if none := lang.NoRuntimeError(""); errors.As(err, &none) {
				continue
			}
			if err != nil {
				return out, err
			}
			for _, r := range req.Sysroots {
				if _, ok := resolve.FindSysroot(e.pl.Lock, r); ok {
					out.Sysroots = append(out.Sysroots, r)
				}
			}
		}
	}
	return out, nil
}
