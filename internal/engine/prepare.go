package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/execute"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/lang/table"
	"xbuild/internal/lock"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// A wanted is what a call needs of a project: targets for platforms, and things by themselves.
type wanted struct {
	build  *plan.Selection // nil where nothing is built
	things []thing
	by     string // the command that fetches all of it, for hints; "" is xbuild fetch
}

// A thing is a toolchain, a sysroot or the like that a call needs by itself.
type thing struct {
	require func() (resolve.Requests, error)
	// take reads it from the lock, which holds it by then, and adds what has to be in the store for it.
	take func(*compose.Set) error
}

// A prepared is what was wanted: the lock holds all of it.
type prepared struct {
	plan *action.Graph // nil where nothing is built
	set  compose.Set   // what has to be in the store
	by   string
}

// prepare is the way from a project to a plan: what is wanted says what the lock has to hold, what it does not hold is
// looked up and written into it, and what the lock names then is planned. What is wrong with a target stops no other,
// and is a fault of the plan; it is an error only where nothing can be built.
func (e *Engine) prepare(ctx context.Context, w wanted) (prepared, error) {
	var all []plan.Requirement
	if w.build != nil {
		e.pl.Holders = e.holders(ctx)
		var err error
		if all, err = e.pl.Requirements(*w.build); err != nil {
			return prepared{}, err
		}
		if err := e.hostReleases(ctx); err != nil {
			return prepared{}, err
		}
	}
	targets := len(all)
	for _, t := range w.things {
		req, err := t.require()
		if err != nil {
			return prepared{}, err
		}
		all = append(all, plan.Requirement{Requests: req})
	}
	if len(all) == 0 {
		return prepared{by: w.by}, nil
	}
	if err := e.lockable(ctx, all, w.by, false); err != nil {
		return prepared{}, err
	}
	for _, r := range all[targets:] {
		if r.Err != nil {
			return prepared{}, r.Err
		}
	}
	out := prepared{by: w.by}
	if w.build != nil {
		var err error
		if out.plan, err = e.pl.Possible(*w.build, all[:targets]); err != nil {
			return prepared{}, err
		}
		if len(out.plan.Actions) == 0 {
			return prepared{}, faultsError(out.plan.Faults, len(out.plan.Faults))
		}
		out.set.Add(out.plan.Set)
	}
	for _, t := range w.things {
		if err := t.take(&out.set); err != nil {
			return prepared{}, err
		}
	}
	return out, nil
}

// have prepares things, and puts them into the store.
func (e *Engine) have(ctx context.Context, by string, things ...thing) error {
	got, err := e.prepare(ctx, wanted{things: things, by: by})
	if err != nil {
		return err
	}
	err = e.composed(ctx, got.set, by)
	if !errors.Is(err, fetch.ErrNotFound) || e.inProject || e.opt.Locked {
		return err
	}
	// Outside of projects nobody keeps a lock, and what the store's names may have left the archive since it was
	// written.
	if os.Remove(e.lockPath) != nil {
		return err
	}
	e.note("what %s names is no longer in the archive: looking it up again", Relative(e.lockPath))
	e.pl.Lock = &lock.Lock{}
	if got, err = e.prepare(ctx, wanted{things: things, by: by}); err != nil {
		return err
	}
	return e.composed(ctx, got.set, by)
}

// composed puts a set into the store, the libraries that have to be built first included.
func (e *Engine) composed(ctx context.Context, set compose.Set, by string) error {
	if err := e.composer(by).All(ctx, set); err != nil || len(set.Stds) == 0 {
		return err
	}
	return execute.Stds(ctx, e.store, set.Stds, e.executeOptions(0), func(m string) { e.note("%s", m) })
}

// composedEach puts into the store what was prepared, and returns the plan of what can be built with it. What cannot be
// made for some actions (a library that has to be built first and does not compile) is a fault of that plan, and the
// others are built.
func (e *Engine) composedEach(ctx context.Context, got prepared) (*action.Graph, error) {
	err := e.composed(ctx, got.set, got.by)
	var unfetched *fetch.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &unfetched) {
		return got.plan, err
	}
	out := &action.Graph{Set: got.set, Faults: slices.Clone(got.plan.Faults)}
	for _, a := range got.plan.Actions {
		if err := e.composed(ctx, a.Set, got.by); err != nil {
			out.Faults = append(out.Faults, action.Fault{Target: a.Target, Platform: a.OCI, Err: err})
		} else {
			out.Actions = append(out.Actions, a)
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
	}
	if len(out.Actions) == 0 {
		return out, faultsError(out.Faults, len(out.Faults))
	}
	rest := got.set // what runs and tests them
	for _, a := range got.plan.Actions {
		rest = rest.Without(a.Set)
	}
	return out, e.composed(ctx, rest, got.by)
}

// lockable locks what is required. What nothing can answer becomes the error of those who require it, and the others
// are locked.
func (e *Engine) lockable(ctx context.Context, all []plan.Requirement, by string, update bool) error {
	err := e.locked(ctx, plan.Merged(all), by, update, false)
	if err == nil {
		return nil
	}
	var wrong *resolve.Faults
	var lacks *lackError
	switch {
	case errors.As(err, &wrong):
		for i := range all {
			if all[i].Err == nil {
				all[i].Err = wrong.Of(all[i].Requests)
			}
		}
	case errors.As(err, &lacks):
		if !slices.ContainsFunc(all, func(r plan.Requirement) bool { return r.Err == nil && e.holds(r.Requests) }) {
			return err // of all that is missing at once
		}
		for i := range all {
			if all[i].Err == nil && !e.holds(all[i].Requests) {
				all[i].Err = e.lackError(all[i].Requests, by)
			}
		}
	default:
		return err
	}
	good := plan.Merged(all)
	if len(good.Toolchains) == 0 && len(good.Sysroots) == 0 {
		return nil
	}
	return e.locked(ctx, good, by, update, false)
}

// locked makes sure that the lock holds what is requested, and writes it where that is new. update chooses all anew,
// prune drops what is not requested.
func (e *Engine) locked(ctx context.Context, req resolve.Requests, by string, update, prune bool) error {
	if len(req.Toolchains)+len(req.Sysroots)+len(req.Parts) > 0 {
		if err := plan.StorePath(e.store.Dir()); err != nil {
			return err
		}
	}
	if !update && !prune && e.holds(req) && !e.newlyLocked() {
		return nil
	}
	if e.opt.Locked || e.opt.Offline {
		return e.lackError(req, by)
	}
	// Two builds of one project may resolve at once: one after the other, on what the first wrote.
	sum := sha256.Sum256([]byte(e.lockPath))
	unlock, err := e.store.Lock(ctx, "project-"+hex.EncodeToString(sum[:8]))
	if err != nil {
		return err
	}
	defer unlock()
	if e.ownLock == "" { // nobody else writes the project's
		if e.pl.Lock, err = lock.Read(e.lockPath); err != nil {
			return err
		}
	}
	whys, err := e.least(ctx, &req, by, update)
	if err != nil {
		return err
	}
	a, err := e.archive(by)
	if err != nil {
		return err
	}
	next, err := a.Update(ctx, e.pl.Lock, req, update, prune)
	if err != nil {
		return err
	}
	if err := e.writeLock(next); err != nil {
		return err
	}
	e.noteReleases(next, whys)
	e.pl.Lock = next
	return nil
}

// writeLock writes the lock where it lies, or beside the build where that cannot be written.
func (e *Engine) writeLock(next *lock.Lock) error {
	if e.ownLock == "" {
		return next.Write(e.lockPath)
	}
	if err := os.MkdirAll(filepath.Dir(e.ownLock), 0o755); err != nil {
		return err
	}
	e.note("%s cannot be written and does not hold all that is needed: what is new is kept in %s; "+
		"run \"xbuild lock\" where it can be, and commit the file", Relative(e.lockPath), e.ownLock)
	return next.Write(e.ownLock)
}

// A lackError says that the lock lacks what is needed, and may not be changed.
type lackError struct{ err error }

func (e *lackError) Error() string { return e.err.Error() }

func (e *lackError) Unwrap() error { return e.err }

func (e *Engine) lackError(req resolve.Requests, by string) error {
	flag, way := "--locked forbids to change it", `run "xbuild lock" and commit the file`
	if !e.opt.Locked {
		flag = "--offline forbids to look it up"
		way = fmt.Sprintf("run %q while there is a network", cmp.Or(by, "xbuild fetch"))
	}
	return &lackError{hint.Add(fmt.Errorf("%s does not hold all that is needed (%s) and %s",
		Relative(e.lockPath), e.lacking(req), flag), "%s", way)}
}

func (e *Engine) holds(req resolve.Requests) bool { return e.lacking(req) == "" }

// lacking lists what of a request the lock does not hold.
func (e *Engine) lacking(req resolve.Requests) string {
	var out []string
	for _, r := range req.Toolchains {
		for _, host := range resolve.Hosts {
			if _, ok := resolve.FindToolchain(e.pl.Lock, r, host); !ok {
				out = append(out, r.String()+" for host "+host)
			}
		}
	}
	for _, r := range req.Sysroots {
		if _, ok := resolve.FindSysroot(e.pl.Lock, r); !ok {
			out = append(out, "sysroot for "+r.Where)
		}
	}
	for _, p := range req.HostPackages {
		for _, name := range resolve.Hosts {
			host, err := platform.Parse(name)
			if err != nil {
				continue // they are constants
			}
			r, ok, err := p.In(e.pl.Lock, host)
			if err == nil && ok {
				_, ok = resolve.FindSysroot(e.pl.Lock, r)
				ok = !ok
			}
			if err != nil || ok {
				out = append(out, fmt.Sprintf("%s: host_packages for host %s", p.Where, name))
			}
		}
	}
	for _, p := range req.Parts {
		r, err := p.In(e.pl.Lock)
		if err == nil {
			if _, ok := resolve.FindSysroot(e.pl.Lock, r); ok {
				continue
			}
		}
		out = append(out, p.Def.Name+" for "+p.Where)
	}
	return strings.Join(out, ", ")
}

// view is the compiler view of a platform.
func (e *Engine) view(p platform.Platform, into *compose.View) thing {
	return thing{
		require: func() (resolve.Requests, error) { return e.pl.RequireView([]platform.Platform{p}) },
		take: func(set *compose.Set) (err error) {
			if *into, err = e.pl.View(p); err != nil {
				return err
			}
			set.View(*into)
			return nil
		},
	}
}

// hostView is what compiles for the host beside a platform's view; plain has the compilers' names without the host's in
// front.
func (e *Engine) hostView(p platform.Platform, host, plain *compose.View) thing {
	return thing{
		require: func() (resolve.Requests, error) { return e.pl.RequireHostView(p) },
		take: func(set *compose.Set) (err error) {
			if *host, err = e.pl.HostView(p); err != nil {
				return err
			}
			*plain = host.Plain(e.store.Dir())
			set.View(*host)
			set.View(*plain)
			return nil
		},
	}
}

// toolchain is one that is used for a platform.
func (e *Engine) toolchain(name string, p platform.Platform, into *compose.Toolchain) thing {
	return thing{
		require: func() (resolve.Requests, error) { return e.pl.RequireToolchain(name, p) },
		take: func(set *compose.Set) (err error) {
			if *into, err = e.pl.Toolchain(name, p); err != nil {
				return err
			}
			set.Toolchain(*into)
			return nil
		},
	}
}

// sysroot is a platform's.
func (e *Engine) sysroot(p platform.Platform, into *compose.Sysroot) thing {
	return thing{
		require: func() (resolve.Requests, error) { return e.pl.RequireSysroot(p) },
		take: func(set *compose.Set) (err error) {
			if *into, err = e.pl.Sysroot(p); err != nil {
				return err
			}
			set.Sysroot(*into)
			return nil
		},
	}
}

// node is a platform's Node.js.
func (e *Engine) node(p platform.Platform, t action.NodeTest, into *action.Node) thing {
	return thing{
		require: func() (resolve.Requests, error) { return table.Runtime().Require(&e.pl.Tools, p, t) },
		take: func(set *compose.Set) (err error) {
			if *into, err = table.Runtime().Locked(&e.pl.Tools, p, t); err != nil {
				return err
			}
			set.Sysroot(into.Tree)
			set.Sysroot(into.Root)
			return nil
		},
	}
}

// What fetches the programs that run and debug others.
const (
	fetchEmulator = "xbuild fetch --qemu"
	fetchNodes    = "xbuild fetch --qemu --node"
	fetchDebugger = "xbuild fetch --qemu --gdb"
)

// emulatorDir returns the directory of the emulators, which are in the store then.
func (e *Engine) emulatorDir(ctx context.Context, p platform.Platform) (string, error) {
	var qemu compose.Toolchain
	err := e.have(ctx, fetchEmulator, e.toolchain(emulator, p, &qemu))
	return qemu.Bin(), err
}

// sysrootDir returns the directory of a platform's sysroot, which is in the store then.
func (e *Engine) sysrootDir(ctx context.Context, p platform.Platform) (string, error) {
	var root compose.Sysroot
	err := e.have(ctx, "", e.sysroot(p, &root))
	return root.Dir, err
}
