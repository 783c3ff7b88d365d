package engine

import (
	"context"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/execute"
)

// A FetchRequest says what is fetched beside what a build needs.
type FetchRequest struct {
	Selection
	Host string // another host (linux/amd64 or linux/arm64), whose toolchains are downloaded alone; "" is this one
	QEMU bool   // the emulators of Run
	GDB  bool   // the debugger of Debug
	Exec bool   // C for the platforms and the host, which Env and Exec have
	Node bool   // the Nodes that tests run modules in, and npm's packages for that
}

// Fetch brings into the store all that a build without a network needs. What cannot be fetched or planned for a target
// stops no other; the error says what is missing, a FailedError where it is several things.
func (e *Engine) Fetch(ctx context.Context, r FetchRequest) error {
	release, err := e.store.Use(ctx)
	if err != nil {
		return err
	}
	defer release()
	got, foreign, err := e.toFetch(ctx, r)
	if err != nil {
		return err
	}
	missing := func(p *action.Graph) error { return faultsError(p.Faults, len(p.Faults)+len(p.Actions)) }
	if foreign {
		// Another host's toolchains are composed there: a tree names its own place on that host.
		if err := e.composer(got.by).DownloadAll(ctx, got.set); err != nil {
			return err
		}
		return missing(got.plan)
	}
	p, err := e.composedEach(ctx, got)
	if err != nil {
		return err
	}
	opt := e.executeOptions(0)
	opt.Tests = r.Node
	if err := execute.Fetch(ctx, p, opt, func(m string) { e.note("%s", m) }); err != nil {
		return err
	}
	return missing(p)
}

// toFetch prepares what is fetched. foreign says that it is for another host.
func (e *Engine) toFetch(ctx context.Context, r FetchRequest) (got prepared, foreign bool, err error) {
	sel, err := e.selection(r.Selection)
	if err != nil {
		return got, false, err
	}
	native := e.pl.Host
	if r.Host != "" {
		if e.pl.Host, err = e.one(r.Host); err != nil {
			return got, false, err
		}
	}
	foreign = e.pl.Host.Name != native.Name
	if !foreign { // another host's tools do not run here
		if err := e.beforePlanning(ctx, sel); err != nil {
			return got, foreign, err
		}
	}
	var things []thing
	var qemu, gdb compose.Toolchain
	if r.QEMU {
		things = append(things, e.toolchain(emulator, e.pl.Host, &qemu))
	}
	if r.GDB {
		things = append(things, e.toolchain(debugger, e.pl.Host, &gdb))
	}
	if got, err = e.prepare(ctx, wanted{build: &sel, things: things}); err != nil {
		return got, foreign, err
	}
	// What follows depends on what can be built.
	things = nil
	if r.Node {
		got.by = fetchNodes
		nodes, err := e.testNodes(got.plan)
		if err != nil {
			return got, foreign, err
		}
		things = append(things, nodes.things...)
	}
	if r.Exec {
		things = append(things, e.views(got.plan)...)
	}
	more, err := e.prepare(ctx, wanted{things: things, by: got.by})
	got.set.Add(more.set)
	return got, foreign, err
}

// views are the C of a plan's platforms and of the host, as Env has them.
func (e *Engine) views(p *action.Graph) []thing {
	var out []thing
	done := map[string]bool{}
	for _, a := range p.Actions {
		if done[a.Platform.Name] || !a.Platform.HasSysroot() {
			continue
		}
		done[a.Platform.Name] = true
		var v, host, plain compose.View
		out = append(out, e.view(a.Platform, &v), e.hostView(a.Platform, &host, &plain))
	}
	return out
}
