package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/cache"
	"xbuild/internal/execute"
	"xbuild/internal/hint"
	"xbuild/internal/object"
	"xbuild/internal/origin/npm"
)

// A BuildRequest says what is built.
type BuildRequest struct {
	Selection
	Jobs int    // processes at once; 0 is one a core
	Dist string // directory for the artifacts, absolute; "" is the project's
	Look bool   // an error where there is something to do, which is not done
}

// A Built is what became of a build.
type Built struct {
	Results []execute.Result // one an action, in the plan's order
	Faults  []action.Fault   // what was not begun, because it cannot be built
	Dist    string           // the directory of the artifacts
	Took    time.Duration
	Err     error // a FailedError where an action failed; else why the artifacts could not be written
}

// Build builds what is selected into the artifacts' directory. What is not locked is locked, what is not in the store
// is fetched. An action that fails stops no other: the error is then a FailedError, and what the others made is there.
// Each action and the whole are told to Progress.
func (e *Engine) Build(ctx context.Context, r BuildRequest) (Built, error) {
	dist := e.pl.Project.DistDir()
	if r.Dist != "" {
		e.pl.Project.DistAt = r.Dist
		e.moved = append(slices.Clone(e.moved), dist)
	} else if err := writable(dist); err != nil {
		return Built{}, hint.Add(fmt.Errorf("the directory for the artifacts, %s: %w", Relative(dist), err),
			"name another one: xbuild build -o DIR, or XBUILD_OUTPUT")
	}
	got, err := e.toBuild(ctx, r.Selection)
	if err != nil {
		return Built{}, err
	}
	opt := e.executeOptions(r.Jobs)
	opt.Look = r.Look
	return e.build(ctx, got, opt)
}

// toBuild prepares a selection for a build, which the languages' own tools may want to lock first.
func (e *Engine) toBuild(ctx context.Context, s Selection) (prepared, error) {
	sel, err := e.selection(s)
	if err != nil {
		return prepared{}, err
	}
	if err := e.beforePlanning(ctx, sel); err != nil {
		return prepared{}, err
	}
	return e.prepare(ctx, wanted{build: &sel})
}

// Plan returns what a build would do. What cannot be planned is an error, a FailedError where it is several things; the
// plan then has the rest, and is nil where there is none.
func (e *Engine) Plan(ctx context.Context, s Selection) (*action.Graph, error) {
	sel, err := e.selection(s)
	if err != nil {
		return nil, err
	}
	got, err := e.prepare(ctx, wanted{build: &sel})
	if err != nil {
		return nil, err
	}
	return got.plan, faultsError(got.plan.Faults, len(got.plan.Faults)+len(got.plan.Actions))
}

// build carries out what was prepared, and tells what becomes of it. Where an action failed, what the others made is
// there all the same.
func (e *Engine) build(ctx context.Context, got prepared, opt execute.Options) (Built, error) {
	release, err := e.store.Use(ctx)
	if err != nil {
		return Built{}, err
	}
	defer release()
	p, err := e.composedEach(ctx, got)
	if err != nil {
		return Built{Faults: p.Faults}, err
	}
	opt.Done = e.opt.Progress.Action
	start := time.Now()
	out := Built{Faults: p.Faults, Dist: opt.Dist}
	out.Results, err = execute.Run(ctx, p, opt)
	out.Took = time.Since(start)
	if err != nil && ctx.Err() != nil {
		return out, err
	}
	out.Err = err
	if failures := failed(out.Faults, out.Results); len(failures) > 0 {
		out.Err = &FailedError{Of: len(out.Results) + len(out.Faults), Failures: failures}
		if err != nil {
			out.Err = errors.Join(out.Err, err)
		}
	}
	if e.opt.Progress.Built != nil {
		e.opt.Progress.Built(out)
	}
	made := func(r execute.Result) bool { return !r.Cached && !r.Kept }
	if out.Err == nil && opt.Cache != nil && slices.ContainsFunc(out.Results, made) {
		opt.Cache.Trim(execute.KeptFor) // housekeeping: what it cannot remove does no harm
	}
	return out, out.Err
}

func (e *Engine) executeOptions(jobs int) execute.Options {
	registry := ""
	if r := e.registries(); r[0] != npm.Public {
		registry = r[0]
	}
	var kept *cache.Cache
	if !e.opt.NoCache {
		kept = e.Results()
	}
	return execute.Options{
		Cache: kept, Version: programID(e.self, e.opt.Version), Registry: registry, Jobs: jobs, Skip: slices.Clone(e.moved),
		Project: e.pl.Project.Dir, Build: e.pl.Project.BuildDir(), Dist: e.pl.Project.DistDir(),
		Environ: e.pl.Environ, Host: e.pl.HostTools, XBuild: e.self, Store: e.store.Dir(), Offline: e.opt.Offline,
		Blind: os.Getenv("XBUILD_TRACE") == "off",
		Slots: execute.Slots{
			Runtime: runtimeDirs(), MakeFlags: os.Getenv("MAKEFLAGS"), Inside: os.Getenv("XBUILD_RUN") != "",
		},
	}
}

// runtimeDirs are where processes of a user on one machine meet: XDG_RUNTIME_DIR is for that (XDG Base Directory
// Specification), /dev/shm is there without a login, and other systems have the directory for temporary files alone.
func runtimeDirs() []string {
	var out []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		out = append(out, dir)
	}
	return append(out, "/dev/shm", os.TempDir())
}

// programID tells this xbuild from every other one: its version, and Go's build ID, which is of its content (cmd/go,
// "buildid"). What another one built it may have audited otherwise.
func programID(self, version string) string {
	s, f, err := object.Open(self)
	if err != nil {
		return version
	}
	defer f.Close()
	e, err := object.OpenELF(s)
	if err != nil || e.ReadSections() != nil {
		return version
	}
	note := e.Section(".note.go.buildid")
	if note == nil {
		return version
	}
	id, err := e.Content(note)
	if err != nil {
		return version
	}
	return fmt.Sprintf("%s %x", version, sha256.Sum256(id))
}
