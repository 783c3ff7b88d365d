package main

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"xbuild/internal/cache"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/execute"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/npm"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// Selecting are the flags that choose targets and platforms.
type Selecting struct {
	Targets   []string `arg:"" optional:"" name:"target" help:"Targets of xbuild.toml; none means all."`
	Platforms []string `short:"p" name:"platform" placeholder:"PLATFORM" help:"Platforms in any spelling; none means the project's. In a Dockerfile stage, TARGETPLATFORM." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
}

func (c *Selecting) selection(s *session) (plan.Selection, error) {
	ps, err := s.platforms(c.Platforms)
	return plan.Selection{Targets: c.Targets, Platforms: ps}, err
}

// open opens the project and plans what is selected, for the commands that build. place says where the artifacts go.
func (c *Selecting) open(g *Globals, place func(*session) error) (*session, *plan.Plan, error) {
	s, err := g.open(true)
	if err != nil {
		return nil, nil, err
	}
	if err := place(s); err != nil {
		return nil, nil, err
	}
	sel, err := c.selection(s)
	if err != nil {
		return nil, nil, err
	}
	if err := s.cargoLocks(sel); err != nil {
		return nil, nil, err
	}
	p, err := s.planned(sel)
	return s, p, err
}

// planned locks and plans a selection: what can be built of it. It is an error only where that is nothing.
func (s *session) planned(sel plan.Selection) (*plan.Plan, error) {
	all, err := s.Requirements(sel)
	if err != nil {
		return nil, err
	}
	if err := s.hostGo(); err != nil {
		return nil, err
	}
	if err := s.lockable(all, false); err != nil {
		return nil, err
	}
	p, err := s.Possible(sel, all)
	if err == nil && len(p.Actions) == 0 {
		err = faults(p.Faults, len(p.Faults))
	}
	return p, err
}

// lockable locks what is required. What nothing can answer becomes the error of those who require it, and the others
// are locked.
func (s *session) lockable(all []plan.Requirement, update bool) error {
	err := s.resolved(plan.Merged(all), update, false)
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
		if !slices.ContainsFunc(all, func(r plan.Requirement) bool { return r.Err == nil && s.holds(r.Requests) }) {
			return err // of all that is missing at once
		}
		for i := range all {
			if all[i].Err == nil && !s.holds(all[i].Requests) {
				all[i].Err = s.lackError(all[i].Requests)
			}
		}
	default:
		return err
	}
	good := plan.Merged(all)
	if len(good.Toolchains) == 0 && len(good.Sysroots) == 0 {
		return nil
	}
	return s.resolved(good, update, false)
}

// faults is the error of so many targets for platforms, in which these are wrong; nil where nothing is. Where all are
// wrong in the same way, that is said once.
func faults(list []plan.Fault, of int) error {
	if len(list) == 0 {
		return nil
	}
	same := !slices.ContainsFunc(list, func(f plan.Fault) bool { return f.Err.Error() != list[0].Err.Error() })
	if len(list) == of && same {
		return list[0].Err
	}
	var out []string
	var all hints
	for _, f := range list {
		line, more := failure(f)
		out = append(out, line)
		for _, h := range more {
			all.add(h, f.Platform)
		}
	}
	return fmt.Errorf("%d of %d failed:\n%s", len(list), of, strings.Join(append(out, all.lines()...), "\n"))
}

// hints are what the user can do, each once: platforms fail alike.
type hints struct {
	alike  []string            // with no platform's name in them
	first  map[string]string   // the first of those that are alike
	others map[string][]string // the platforms of the others, where the platform is in the text
}

func (h *hints) add(text, platform string) {
	if h.first == nil {
		h.first, h.others = map[string]string{}, map[string][]string{}
	}
	key := strings.ReplaceAll(text, platform, "\x00")
	switch first, ok := h.first[key]; {
	case !ok:
		h.alike = append(h.alike, key)
		h.first[key] = text
	case first != text && !slices.Contains(h.others[key], platform):
		h.others[key] = append(h.others[key], platform)
	}
}

func (h *hints) lines() []string {
	var out []string
	for _, key := range h.alike {
		line := "hint: " + h.first[key]
		if more := h.others[key]; len(more) > 0 {
			line += " (the same for " + strings.Join(more, ", ") + ")"
		}
		out = append(out, line)
	}
	return out
}

// failure is a fault in a line that names what it is of, and its hints apart.
func failure(f plan.Fault) (line string, hints []string) {
	line, hints = hint.Split(f.Err)
	return fmt.Sprintf("%s for %s: %s", f.Target, f.Platform, line), hints
}

// cargoLocks lets cargo write the Cargo.lock of projects that have none, before it is planned what is needed: it names
// the crates, and with them the tools that their build scripts call. Where cargo cannot (without a network, for one),
// the build itself says why.
func (s *session) cargoLocks(sel plan.Selection) error {
	targets, err := s.Choose(sel)
	if err != nil {
		return err
	}
	for _, t := range targets {
		dir := s.Watched(t.Target)
		if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err != nil || t.Recipe != "rust" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "Cargo.lock")); err == nil || t.Options["locked"] == true || s.Offline {
			continue
		}
		cargo := "cargo"
		var e env.Environment
		if s.Project.Toolchains["rust"].Source != "host" {
			rust, err := s.toolchain("rust", s.Host)
			if err != nil {
				return err
			}
			cargo = rust.Program("cargo")
			e.Set("RUSTC", rust.Program("rustc"))
		}
		s.note("cargo generate-lockfile (%s)", t.Name)
		cmd := exec.CommandContext(s.ctx, cargo, "generate-lockfile", "--quiet")
		cmd.Dir = dir
		cmd.Env = slices.Concat(os.Environ(), s.Environ.Strings(), e.Strings())
		if out, err := cmd.CombinedOutput(); err != nil {
			s.note("%s", strings.TrimSpace(string(out)))
		}
	}
	return s.ctx.Err()
}

// BuildCmd is xbuild build.
type BuildCmd struct {
	Selecting
	Explain bool   `help:"Say of each target and platform why it is built, or that nothing is to be done."`
	Jobs    int    `short:"j" placeholder:"N" help:"Processes at once (default: one a core)." env:"XBUILD_JOBS"`
	Out     string `short:"o" name:"output" type:"path" placeholder:"DIR" help:"Directory for the artifacts instead of dist." env:"XBUILD_OUTPUT"`
}

// Help is the long help.
func (*BuildCmd) Help() string {
	return "Builds every target for every platform side by side, into dist/<os>/<arch>[/<variant>]/ and lists them in dist/artifacts.json. " +
		"What is not locked yet is locked, what is not in the store is fetched. A platform that fails does not stop the others.\n\n" +
		"Example: xbuild build -p linux/arm64 -p linux/riscv64"
}

// Run builds.
func (c *BuildCmd) Run(g *Globals) error {
	s, p, err := c.open(g, func(s *session) error {
		dist := s.Project.DistDir()
		if c.Out != "" {
			s.Project.DistAt = c.Out
			s.moved = append(slices.Clone(s.moved), dist)
			return nil
		}
		if err := writable(dist); err != nil {
			return hint.Add(fmt.Errorf("the directory for the artifacts, %s: %w", relative(dist), err),
				"name another one: xbuild build -o DIR, or XBUILD_OUTPUT")
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.explain = c.Explain
	_, err = s.build(p, s.executeOptions(c.Jobs))
	return err
}

// build carries a plan out and tells on stderr what becomes of it. Where an action failed, what the others made is
// there all the same.
func (s *session) build(p *plan.Plan, opt execute.Options) ([]execute.Result, error) {
	release, err := s.store.Use(s.ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.composedEach(p, opt); err != nil {
		return nil, err
	}
	start := time.Now()
	built, kept, upToDate := 0, 0, 0
	var notes []string
	opt.Done = func(r execute.Result) {
		switch {
		case errors.Is(r.Err, context.Canceled):
		case r.Err != nil:
			s.note("%-18s %s: failed", r.Action.OCI, r.Action.Target)
		case r.Cached:
			upToDate++
		case r.Kept:
			kept++
		default:
			built++
			s.note("%-18s %s: built in %.1f s", r.Action.OCI, r.Action.Target, r.Took.Seconds())
		}
		if s.explain {
			explain(r)
		}
		for _, n := range r.Notes {
			if !slices.Contains(notes, n) { // platforms are alike
				notes = append(notes, n)
			}
		}
	}
	results, rerr := execute.Run(s.ctx, p, opt)
	if rerr != nil && s.ctx.Err() != nil {
		return results, rerr
	}
	for _, n := range notes {
		s.note("%s", n)
	}
	var failed []string
	var all hints
	of := len(results) + len(p.Faults)
	for _, f := range p.Faults {
		line, more := failure(f)
		failed = append(failed, line)
		for _, h := range more {
			all.add(h, f.Platform)
		}
	}
	for _, r := range results {
		if r.Err == nil || r.Action == nil {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s for %s: %v", r.Action.Target, r.Action.OCI, r.Err))
		if errors.As(r.Err, new(*plan.NeedError)) {
			continue // there is no more to say
		}
		fmt.Fprintf(os.Stderr, "\n--- %s for %s: %v\n%s", r.Action.Target, r.Action.OCI, r.Err, r.Log)
		if r.Log != "" && !strings.HasSuffix(r.Log, "\n") {
			fmt.Fprintln(os.Stderr)
		}
		for _, h := range r.Hints {
			all.add(h, r.Action.OCI)
		}
	}
	if len(failed) > 0 {
		fmt.Fprintln(os.Stderr)
		text := strings.Join(append(failed, all.lines()...), "\n")
		return results, errors.Join(fmt.Errorf("%d of %d failed:\n%s", len(failed), of, text), rerr)
	}
	if rerr != nil {
		return results, rerr
	}
	from := ""
	if kept > 0 {
		from = fmt.Sprintf("%d from kept results, ", kept)
	}
	took := time.Since(start).Seconds()
	s.note("%d built, %s%d up to date in %.1f s, in %s", built, from, upToDate, took, relative(opt.Dist))
	if built > 0 && opt.Cache != nil {
		opt.Cache.Trim(execute.KeptFor) // housekeeping: what it cannot remove does no harm
	}
	return results, nil
}

// explain says why something was built, or that nothing was to be done.
func explain(r execute.Result) {
	const most = 12 // of a change in the compiler's flags each command has one
	why := r.Why
	if r.Cached {
		why = []string{"up to date: nothing that it is made of has changed"}
	}
	if r.Kept {
		why = []string{"from kept results: all that it is made of was built before"}
	}
	for i, line := range why {
		if i == most {
			line = fmt.Sprintf("and %d more", len(why)-most)
		}
		fmt.Fprintf(os.Stderr, "xbuild: %s for %s: %s\n", r.Action.Target, r.Action.OCI, line)
		if i == most {
			break
		}
	}
}

// composed puts a set into the store, the libraries that have to be built first included.
func (s *session) composed(set compose.Set, opt execute.Options) error {
	if err := s.composer().All(s.ctx, set); err != nil {
		return err
	}
	return execute.Stds(s.ctx, s.store, set.Stds, opt, func(m string) { s.note("%s", m) })
}

// composedEach puts into the store what a plan stands on. What cannot be made for some actions (a library that has to
// be built first and does not compile) is their fault, and the others are built.
func (s *session) composedEach(p *plan.Plan, opt execute.Options) error {
	err := s.composed(p.Set, opt)
	var unfetched *fetch.Error
	if err == nil || s.ctx.Err() != nil || errors.As(err, &unfetched) {
		return err
	}
	var actions []*plan.Action
	for _, a := range p.Actions {
		if err := s.composed(a.Set, opt); err != nil {
			p.Faults = append(p.Faults, plan.Fault{Target: a.Target, Platform: a.OCI, Err: err})
		} else {
			actions = append(actions, a)
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
	}
	rest := p.Set // what runs and tests them
	for _, a := range p.Actions {
		rest = rest.Without(a.Set)
	}
	if p.Actions = actions; len(actions) == 0 {
		return faults(p.Faults, len(p.Faults))
	}
	return s.composed(rest, opt)
}

func (s *session) executeOptions(jobs int) execute.Options {
	registry := ""
	if r := s.registries(); r[0] != npm.Public {
		registry = r[0]
	}
	var kept *cache.Cache
	if !s.NoCache {
		kept = cache.New(s.store.Dir())
	}
	return execute.Options{
		Cache: kept, Version: programID(s.self), Registry: registry, Jobs: jobs, Skip: slices.Clone(s.moved),
		Project: s.Project.Dir, Build: s.Project.BuildDir(), Dist: s.Project.DistDir(),
		Environ: s.Environ, Host: s.HostTools, XBuild: s.self, Store: s.store.Dir(), Offline: s.Offline,
		Blind: os.Getenv("XBUILD_TRACE") == "off",
	}
}

// programID tells this xbuild from every other one: its version, and Go's build ID, which is of its content (cmd/go,
// "buildid"). What another one built it may have audited otherwise.
func programID(self string) string {
	f, err := elf.Open(self)
	if err != nil {
		return version
	}
	defer f.Close()
	s := f.Section(".note.go.buildid")
	if s == nil {
		return version
	}
	id, err := s.Data()
	if err != nil {
		return version
	}
	return fmt.Sprintf("%s %x", version, sha256.Sum256(id))
}

func relative(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	for _, from := range []string{dir, realPath(dir)} {
		if rel, err := filepath.Rel(from, path); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}

// realPath is a path without links, or as it is where they cannot be read.
func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return path
}

// PlanCmd is xbuild plan.
type PlanCmd struct {
	Selecting
	Graph string `enum:",text,dot" default:"" placeholder:"FORMAT" help:"Draw what needs what: text, or dot (Graphviz)."`
}

// Run prints the plan.
func (c *PlanCmd) Run(g *Globals) error {
	s, err := g.open(true)
	if err != nil {
		return err
	}
	sel, err := c.selection(s)
	if err != nil {
		return err
	}
	p, err := s.planned(sel)
	if err != nil {
		return err
	}
	switch c.Graph {
	case "text":
		fmt.Print(p.Tree())
	case "dot":
		fmt.Print(p.Dot())
	default:
		err = printJSON(p)
	}
	return errors.Join(err, faults(p.Faults, len(p.Faults)+len(p.Actions)))
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// LockCmd is xbuild lock.
type LockCmd struct {
	Update bool `help:"Choose everything anew, newest versions that the constraints admit."`
}

// Run locks the whole project, and what xbuild run, env and exec need: the emulator, the host's sysroot. The Nodes that
// tests run in stay locked, but none is locked anew: each would be downloaded.
func (c *LockCmd) Run(g *Globals) error {
	s, err := g.open(true)
	if err != nil {
		return err
	}
	if s.ownLock != "" {
		return writable(s.lockPath)
	}
	all, err := s.Requirements(plan.Selection{})
	if err != nil {
		return err
	}
	qemu, err := s.RequireToolchain("qemu", s.Host)
	if err != nil {
		return err
	}
	// What xbuild env and exec need for the host.
	targets, err := s.Choose(plan.Selection{})
	if err != nil {
		return err
	}
	var of []platform.Platform // of each requirement
	for _, t := range targets {
		of = append(of, t.Platforms...)
	}
	for i, p := range of {
		if all[i].Err != nil || !p.HasSysroot() {
			continue
		}
		host, err := s.RequireHostView(p)
		if err != nil {
			return err
		}
		all[i].Toolchains = append(all[i].Toolchains, host.Toolchains...)
		all[i].Sysroots = append(all[i].Sysroots, host.Sysroots...)
	}
	// As one of its own: what is wrong with a target does not stop it.
	all = append(all, plan.Requirement{Target: "xbuild run", Platform: s.Host.Name, Requests: qemu})
	if err := s.lockable(all, c.Update); err != nil {
		return err
	}
	var wrong []plan.Fault
	for _, r := range all {
		if r.Err != nil {
			wrong = append(wrong, plan.Fault{Target: r.Target, Platform: r.Platform, Err: r.Err})
		}
	}
	if len(wrong) > 0 {
		return faults(wrong, len(all)) // what nobody asks for is not dropped: it may be what the others ask for once they are mended
	}
	req := plan.Merged(all)
	nodes, err := s.lockedNodes()
	if err != nil {
		return err
	}
	if c.Update {
		if err := s.resolved(nodes, true, false); err != nil {
			return err
		}
	}
	req.Sysroots = append(req.Sysroots, nodes.Sysroots...)
	if err := s.resolved(req, false, true); err != nil {
		return err
	}
	s.note("%s holds %d toolchains and %d sysroots", relative(s.lockPath), len(s.Planner.Lock.Toolchains), len(s.Planner.Lock.Sysroots))
	return nil
}

// FetchCmd is xbuild fetch.
type FetchCmd struct {
	Selecting
	Host string `placeholder:"HOST" help:"Fetch the toolchains of another host (linux/amd64 or linux/arm64)." env:"XBUILD_HOST"`
	QEMU bool   `name:"qemu" help:"Fetch the emulators of xbuild run too."`
	GDB  bool   `name:"gdb" help:"Fetch the debugger of xbuild debug too."`
	Exec bool   `name:"exec" help:"Fetch what xbuild env and exec have beside: C for the platforms and the host."`
	Node bool   `name:"node" help:"Fetch the Nodes that xbuild test runs modules in too, and npm's packages for that."`
}

// Run fetches.
func (c *FetchCmd) Run(g *Globals) error {
	s, err := g.open(true)
	if err != nil {
		return err
	}
	release, err := s.store.Use(s.ctx)
	if err != nil {
		return err
	}
	defer release()
	sel, err := c.selection(s)
	if err != nil {
		return err
	}
	native := s.Host
	if c.Host != "" {
		if s.Host, err = s.one(c.Host); err != nil {
			return err
		}
	}
	if s.Host.Name == native.Name { // another host's cargo does not run here
		if err := s.cargoLocks(sel); err != nil {
			return err
		}
	}
	p, err := s.planned(sel)
	if err != nil {
		return err
	}
	for name, asked := range map[string]bool{"qemu": c.QEMU, "gdb": c.GDB} {
		if !asked {
			continue
		}
		req, err := s.RequireToolchain(name, s.Host)
		if err != nil {
			return err
		}
		if err := s.resolved(req, false, false); err != nil {
			return err
		}
		t, err := s.Toolchain(name, s.Host)
		if err != nil {
			return err
		}
		p.Set.Toolchain(t)
	}
	if c.Node {
		if err := s.nodes(p); err != nil {
			return err
		}
	}
	if c.Exec {
		if err := s.views(p); err != nil {
			return err
		}
	}
	if s.Host.Name != native.Name {
		// Another host's toolchains are composed there: a tree names its own place on that host.
		if err := s.composer().DownloadAll(s.ctx, p.Set); err != nil {
			return err
		}
		return faults(p.Faults, len(p.Faults)+len(p.Actions))
	}
	if err := s.composedEach(p, s.executeOptions(0)); err != nil {
		return err
	}
	opt := s.executeOptions(0)
	opt.Tests = c.Node
	if err := execute.Fetch(s.ctx, p, opt, func(m string) { s.note("%s", m) }); err != nil {
		return err
	}
	return faults(p.Faults, len(p.Faults)+len(p.Actions))
}

// views adds to a plan's set the C of its platforms and of the host, as environment has them.
func (s *session) views(p *plan.Plan) error {
	done := map[string]bool{}
	for _, a := range p.Actions {
		if done[a.Platform.Name] || !a.Platform.HasSysroot() {
			continue
		}
		done[a.Platform.Name] = true
		req, err := s.RequireView([]platform.Platform{a.Platform})
		if err != nil {
			return err
		}
		host, err := s.RequireHostView(a.Platform)
		if err != nil {
			return err
		}
		for _, req := range []resolve.Requests{req, host} {
			if err := s.resolved(req, false, false); err != nil {
				return err
			}
		}
		v, err := s.View(a.Platform)
		if err != nil {
			return err
		}
		h, err := s.HostView(a.Platform)
		if err != nil {
			return err
		}
		for _, v := range []compose.View{v, h, h.Plain(s.store.Dir())} {
			p.Set.View(v)
		}
	}
	return nil
}
