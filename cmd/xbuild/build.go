package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/execute"
	"xbuild/internal/npm"
	"xbuild/internal/plan"
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

// open opens the project and plans what is selected, for the commands that build. scratch says that the artifacts are not what the command is called for.
func (c *Selecting) open(g *Globals, scratch bool) (*session, *plan.Plan, error) {
	s, err := g.open(true)
	if err != nil {
		return nil, nil, err
	}
	if scratch {
		s.scratchDist()
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

// planned locks and plans a selection.
func (s *session) planned(sel plan.Selection) (*plan.Plan, error) {
	req, err := s.Require(sel)
	if err != nil {
		return nil, err
	}
	if err := s.hostGo(); err != nil {
		return nil, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return nil, err
	}
	return s.New(sel)
}

// cargoLocks lets cargo write the Cargo.lock of projects that have none, before it is planned what is needed: it names the crates, and with them the tools that
// their build scripts call. Where cargo cannot (without a network, for one), the build itself says why.
func (s *session) cargoLocks(sel plan.Selection) error {
	targets, err := s.Choose(sel)
	if err != nil {
		return err
	}
	for _, t := range targets {
		dir := s.Watched(t)
		if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err != nil || t.Recipe != "rust" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "Cargo.lock")); err == nil || t.Options["locked"] == true || s.Offline {
			continue
		}
		cargo := "cargo"
		var e env.Environment
		if s.Project.Toolchains["rust"].Source != "host" {
			rust, err := s.toolchain("rust")
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
	Jobs int    `short:"j" placeholder:"N" help:"Processes at once (default: one a core)." env:"XBUILD_JOBS"`
	Out  string `short:"o" name:"output" type:"path" placeholder:"DIR" help:"Directory for the artifacts instead of dist." env:"XBUILD_OUTPUT"`
}

// Help is the long help.
func (*BuildCmd) Help() string {
	return "Builds every target for every platform side by side, into dist/<os>/<arch>[/<variant>]/ and lists them in dist/artifacts.json. " +
		"What is not locked yet is locked, what is not in the store is fetched. A platform that fails does not stop the others.\n\n" +
		"Example: xbuild build -p linux/arm64 -p linux/riscv64"
}

// Run builds.
func (c *BuildCmd) Run(g *Globals) error {
	s, p, err := c.open(g, false)
	if err != nil {
		return err
	}
	opt := s.executeOptions(c.Jobs)
	if c.Out != "" {
		rebase(p, opt.Dist, c.Out)
		opt.Skip = append(opt.Skip, opt.Dist)
		opt.Dist = c.Out
	} else if err := writable(opt.Dist); err != nil {
		return fmt.Errorf("the directory for the artifacts, %s: %w\nhint: name another one: xbuild build -o DIR, or XBUILD_OUTPUT", relative(opt.Dist), err)
	}
	_, err = s.build(p, opt)
	return err
}

// build carries a plan out and tells on stderr what becomes of it. Where an action failed, what the others made is there all the same.
func (s *session) build(p *plan.Plan, opt execute.Options) ([]execute.Result, error) {
	release, err := s.store.Use(s.ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.composed(p.Set, opt); err != nil {
		return nil, err
	}
	start := time.Now()
	built, upToDate := 0, 0
	var notes []string
	opt.Done = func(r execute.Result) {
		switch {
		case errors.Is(r.Err, context.Canceled):
		case r.Err != nil:
			s.note("%-18s %s: failed", r.Action.OCI, r.Action.Target)
		case r.Cached:
			upToDate++
		default:
			built++
			s.note("%-18s %s: built in %.1f s", r.Action.OCI, r.Action.Target, r.Took.Seconds())
		}
		for _, n := range r.Notes {
			if !slices.Contains(notes, n) { // platforms are alike
				notes = append(notes, n)
			}
		}
	}
	results, err := execute.Run(s.ctx, p, opt)
	if err != nil {
		return results, err
	}
	for _, n := range notes {
		s.note("%s", n)
	}
	var failed, hints []string
	for _, r := range results {
		if r.Err == nil {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s for %s: %v", r.Action.Target, r.Action.OCI, r.Err))
		fmt.Fprintf(os.Stderr, "\n--- %s for %s: %v\n%s", r.Action.Target, r.Action.OCI, r.Err, r.Log)
		if r.Log != "" && !strings.HasSuffix(r.Log, "\n") {
			fmt.Fprintln(os.Stderr)
		}
		for _, h := range r.Hints {
			if h = "hint: " + h; !slices.Contains(hints, h) { // platforms fail alike
				hints = append(hints, h)
			}
		}
	}
	if len(failed) > 0 {
		fmt.Fprintln(os.Stderr)
		return results, fmt.Errorf("%d of %d failed:\n%s", len(failed), len(results), strings.Join(append(failed, hints...), "\n"))
	}
	s.note("%d built, %d up to date in %.1f s, in %s", built, upToDate, time.Since(start).Seconds(), relative(opt.Dist))
	return results, nil
}

// composed puts a set into the store, the libraries that have to be built first included.
func (s *session) composed(set compose.Set, opt execute.Options) error {
	if err := s.composer().All(s.ctx, set); err != nil {
		return err
	}
	return execute.Stds(s.ctx, s.store, set.Stds, opt, func(m string) { s.note("%s", m) })
}

func (s *session) executeOptions(jobs int) execute.Options {
	registry := ""
	if r := s.registries(); r[0] != npm.Public {
		registry = r[0]
	}
	return execute.Options{
		Registry: registry,
		Jobs:     jobs, Build: s.Project.BuildDir(), Dist: s.Project.DistDir(), Skip: slices.Clone(s.moved), Environ: s.Environ, Host: s.HostTools, XBuild: s.self, Store: s.store.Dir(), Offline: s.Offline,
		Blind: os.Getenv("XBUILD_TRACE") == "off",
	}
}

// rebase moves the artifacts of a plan to another directory.
func rebase(p *plan.Plan, from, to string) {
	for _, a := range p.Actions {
		if rel, err := filepath.Rel(from, a.Dist); err == nil {
			a.Dist = filepath.Join(to, rel)
		}
	}
}

func relative(path string) string {
	if dir, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}

// PlanCmd is xbuild plan.
type PlanCmd struct{ Selecting }

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
	return printJSON(p)
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

// Run locks the whole project, and what xbuild run, env and exec need: the emulator, the host's sysroot. The Nodes that tests run in stay locked, but none is locked anew: each would be downloaded.
func (c *LockCmd) Run(g *Globals) error {
	s, err := g.open(true)
	if err != nil {
		return err
	}
	if s.ownLock != "" {
		return writable(s.lockPath)
	}
	req, err := s.Require(plan.Selection{})
	if err != nil {
		return err
	}
	qemu, err := s.RequireToolchain("qemu")
	if err != nil {
		return err
	}
	req.Toolchains = append(req.Toolchains, qemu.Toolchains...)
	// What xbuild env and exec need for the host.
	targets, err := s.Choose(plan.Selection{})
	if err != nil {
		return err
	}
	for _, t := range targets {
		for _, p := range t.Platforms {
			if !p.HasSysroot() {
				continue
			}
			host, err := s.RequireHostView(p)
			if err != nil {
				return err
			}
			req.Toolchains = append(req.Toolchains, host.Toolchains...)
			req.Sysroots = append(req.Sysroots, host.Sysroots...)
		}
	}
	if err := s.resolved(req, c.Update, false); err != nil {
		return err
	}
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
	Node bool   `name:"node" help:"Fetch the Nodes that xbuild test runs modules in too, and npm's packages for that."`
}

// Run fetches.
func (c *FetchCmd) Run(g *Globals) error {
	s, err := g.open(true)
	if err != nil {
		return err
	}
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
		req, err := s.RequireToolchain(name)
		if err != nil {
			return err
		}
		if err := s.resolved(req, false, false); err != nil {
			return err
		}
		t, err := s.Toolchain(name)
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
	if s.Host.Name != native.Name {
		// Another host's toolchains are composed there: a tree names its own place on that host.
		return s.composer().DownloadAll(s.ctx, p.Set)
	}
	if err := s.composed(p.Set, s.executeOptions(0)); err != nil {
		return err
	}
	opt := s.executeOptions(0)
	opt.Tests = c.Node
	return execute.Fetch(s.ctx, p, opt, func(m string) { s.note("%s", m) })
}
