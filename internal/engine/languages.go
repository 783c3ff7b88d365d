package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/crates"
	"xbuild/internal/env"
	"xbuild/internal/lang/golang"
	"xbuild/internal/lang/rust"
	"xbuild/internal/lock"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// This file has what the engine knows of single languages and their tools, by name: all of it stands here.

// inView are the toolchains that a compiler view is made of: they are at hand wherever a view is.
var inView = []string{"clang", "pkgconf"}

// beside are the toolchains that one works with, where it is fetched for a command alone.
var beside = map[string][]string{"cmake": {"ninja", "make"}}

// homeFiles are what languages' tools are configured by in the user's home, and the variables that name them elsewhere.
var homeFiles = []struct{ variable, file string }{
	{"CARGO_HOME", ".cargo"}, {"npm_config_userconfig", ".npmrc"},
	{"GIT_CONFIG_GLOBAL", ".gitconfig"}, {"NETRC", ".netrc"},
}

// The toolchains that run and debug what was built.
const (
	emulator        = "qemu"
	debugger        = "gdb"
	debuggerProgram = "gdb-multiarch"
)

// readLanguages reads what the languages' own files ask for: rust-toolchain.toml.
func (e *Engine) readLanguages() error {
	for _, t := range e.pl.Project.Targets {
		if t.Recipe == "rust" {
			e.crateDirs = append(e.crateDirs, e.pl.Project.SourceDir(t))
		}
	}
	return rust.Release(e.pl.Project, e.crateDirs...)
}

// hostGo holds the host's own Go, where the project asks for that, against the constraint.
func (e *Engine) hostGo(ctx context.Context) error {
	asked := e.pl.Project.Toolchains["go"]
	if asked.Source != "host" || asked.Constraint == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("%s:%d: go with source = \"host\": %w", e.pl.Project.File, asked.Line, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "go")
	ok, err := resolve.Admits(asked.Constraint, version)
	if err == nil && !ok {
		err = fmt.Errorf("the host's go is %s, which %q does not admit; leave source away and xbuild fetches one",
			version, asked.Constraint)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %w", e.pl.Project.File, asked.Line, err)
	}
	return nil
}

// goToolchain is the variable by which a command's Go is that of a target's build; false where the host's is used.
func (e *Engine) goToolchain(caller env.Environment) (v env.Var, set bool) {
	asked := e.pl.Project.Toolchains["go"]
	const name = "GOTOOLCHAIN"
	return env.Var{Name: name, Value: golang.Release(asked, caller.Lookup(name))}, asked.Source != "host"
}

// cratesWritten tells whether cargo has written a lock file that there was none of when Rust's release was chosen.
func (e *Engine) cratesWritten() bool {
	return slices.ContainsFunc(e.unread, func(dir string) bool {
		_, there, err := crates.Locked(dir)
		return there || err != nil
	})
}

// leastRust raises what is requested of Rust to what the crates want that are locked, where its release is xbuild's
// choice and about to be made; once made, it stays. It returns what the choice was made by, empty where there is none
// to make.
func (e *Engine) leastRust(ctx context.Context, req *resolve.Requests, by string, update bool) (why string, err error) {
	i := slices.IndexFunc(req.Toolchains, func(r resolve.ToolchainRequest) bool { return r.Def.Name == "rust" && r.Open })
	if i < 0 {
		return "", nil
	}
	r := req.Toolchains[i]
	if _, held := resolve.FindToolchain(e.pl.Lock, r, e.pl.Host.Name); held && !update && len(e.unread) == 0 {
		return "", nil
	}
	e.unread = nil
	why = "the newest that has a standard library for each platform"
	if r.Constraint != "" {
		why = fmt.Sprintf("%s asks for %s", r.Where, r.Constraint)
	}
	least := crates.Want{Release: e.pl.Project.Toolchains["rust"].Least}
	for _, dir := range e.crateDirs {
		w, err := e.wantedByCrates(ctx, dir, by)
		if err != nil {
			return "", err
		}
		if later := least.Later(w); later.Crate != "" {
			least = later
			why = fmt.Sprintf("crate %s in Cargo.lock asks for >=%s", w.Crate, w.Release)
			r.Constraint, r.Where = ">="+w.Release, "Cargo.lock: crate "+w.Crate
		}
	}
	req.Toolchains = slices.Clone(req.Toolchains)
	req.Toolchains[i] = r
	return why, nil
}

// wantedByCrates is the oldest release of Rust that the locked crates of a source admit, as the registries' indexes
// have it.
func (e *Engine) wantedByCrates(ctx context.Context, dir, by string) (crates.Want, error) {
	locked, there, err := crates.Locked(dir)
	if err != nil {
		return crates.Want{}, err
	}
	if !there {
		e.unread = append(e.unread, dir)
	}
	if len(locked) == 0 {
		return crates.Want{}, nil
	}
	sources, err := crates.ReadSources(os.Getenv, dir)
	if err != nil {
		return crates.Want{}, err
	}
	opt := e.fetchOptions(by)
	w, unknown, err := sources.Least(ctx, locked, func(ctx context.Context, url string) ([]byte, error) {
		data, _, err := opt.Bytes(ctx, e.store, []string{url}, maxCrateIndex)
		return data, err
	})
	if err != nil {
		return crates.Want{}, err
	}
	for _, c := range locked {
		if err := unknown[c]; err != nil {
			e.note("which Rust %d of the crates in Cargo.lock want is not known: %s: %v", len(unknown), c, err)
			break
		}
	}
	return w, nil
}

// maxCrateIndex bounds a crate's file of a registry's index; those of crates with thousands of releases have a few
// megabytes.
const maxCrateIndex = 64 << 20

// noteRust says which Rust a lock has that the one before had not, and why.
func (e *Engine) noteRust(next *lock.Lock, why string) {
	if why == "" {
		return
	}
	for _, t := range next.Toolchains {
		same := func(o lock.Toolchain) bool { return o.Name == t.Name && o.Host == t.Host && o.Version == t.Version }
		if t.Name == "rust" && t.Host == e.pl.Host.Name && !slices.ContainsFunc(e.pl.Lock.Toolchains, same) {
			e.note("rust %s (%s): %s", t.Version, t.Suite, why)
		}
	}
}

// cargoLocks lets cargo write the Cargo.lock of projects that have none, before it is planned what is needed: it names
// the crates, and with them the tools that their build scripts call. Where cargo cannot (without a network, for one),
// the build itself says why.
func (e *Engine) cargoLocks(ctx context.Context, sel plan.Selection) error {
	targets, err := e.pl.Choose(sel)
	if err != nil {
		return err
	}
	for _, t := range targets {
		dir := e.pl.Watched(t.Target)
		if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err != nil || t.Recipe != "rust" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "Cargo.lock")); err == nil || t.Options["locked"] == true || e.opt.Offline {
			continue
		}
		if err := e.cargoLock(ctx, t.Name, dir); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// cargoLock lets cargo write one Cargo.lock.
func (e *Engine) cargoLock(ctx context.Context, target, dir string) error {
	cargo := "cargo"
	var own env.Environment
	if e.pl.Project.Toolchains["rust"].Source != "host" {
		var rust compose.Toolchain
		if err := e.have(ctx, "", e.toolchain("rust", e.pl.Host, &rust)); err != nil {
			return err
		}
		cargo = rust.Program("cargo")
		own.Set("RUSTC", rust.Program("rustc"))
	}
	e.note("cargo generate-lockfile (%s)", target)
	cmd := exec.CommandContext(ctx, cargo, "generate-lockfile", "--quiet")
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), e.pl.Environ.Strings(), own.Strings())
	if out, err := cmd.CombinedOutput(); err != nil {
		e.note("%s", strings.TrimSpace(string(out)))
	}
	return nil
}

// A cargoUse says what an environment has for cargo.
type cargoUse int

const (
	noCargo    cargoUse = iota
	withCargo           // what it needs, beside all else
	aloneCargo          // nothing but cargo reads it
)

// cargoFor tells what a command's environment has for cargo; "" is no command.
func (e *Engine) cargoFor(command string) cargoUse {
	if _, ok := e.pl.Catalog.Toolchain("rust").Programs[command]; ok {
		return aloneCargo
	}
	_, named := e.pl.Project.Toolchains["rust"]
	if named || slices.ContainsFunc(e.pl.Project.Targets, func(t project.Target) bool { return t.Recipe == "rust" }) {
		return withCargo
	}
	return noCargo
}

// A cargoParts is what cargo needs for a platform beside its view.
type cargoParts struct {
	rust.Tools
	tools []compose.Toolchain // that the crates' build scripts call
}

// cargo is what cargo needs in the working directory for a platform. view is the platform's, which is taken before.
func (e *Engine) cargo(p platform.Platform, view *compose.View, into *cargoParts) (thing, error) {
	dir, err := os.Getwd()
	if err != nil {
		return thing{}, err
	}
	if err := rust.Release(e.pl.Project, dir); err != nil {
		return thing{}, err
	}
	if !slices.Contains(e.crateDirs, dir) {
		e.crateDirs = append(e.crateDirs, dir)
	}
	var names []string
	return thing{
		require: func() (req resolve.Requests, err error) {
			req, names, err = e.pl.RequireRecipe("rust", dir, p)
			return req, err
		},
		take: func(set *compose.Set) (err error) {
			if into.Tools, err = rust.For(&e.pl.Tools, p); err != nil {
				return err
			}
			set.View(into.Host)
			if into.Rust.Key != "" {
				set.RustView(into.Rust)
			}
			into.tools = nil
			for _, name := range names {
				if name == "rust" || slices.Contains(inView, name) || e.pl.Project.Toolchains[name].Source == "host" {
					continue
				}
				t, err := e.pl.Toolchain(name, p)
				if err != nil {
					return err
				}
				set.Toolchain(t)
				into.tools = append(into.tools, t)
			}
			return nil
		},
	}, nil
}

// path are the directories of cargo's programs.
func (c cargoParts) path() []string {
	path := c.Tools.Path()
	for _, t := range c.tools {
		path = append(path, t.Bin())
	}
	return path
}

// environment adds to a platform's environment what cargo needs.
func (c cargoParts) environment(
	e env.Environment, v compose.View, settings env.Settings, use cargoUse,
) env.Environment {
	for _, t := range c.tools {
		e = e.With(t.Env())
	}
	if use == aloneCargo {
		e = rust.ForCargo(e, v, c.Host, settings)
	}
	// The caller's own flags for rustc count.
	caller := env.Environment{
		{Name: "RUSTFLAGS", Value: os.Getenv("RUSTFLAGS")},
		{Name: "CARGO_ENCODED_RUSTFLAGS", Value: os.Getenv("CARGO_ENCODED_RUSTFLAGS")},
	}
	flags := rust.RustFlags(v, c.Baseline, c.Rust.Rust.Version, settings)
	return rust.WithCargo(e, v, c.Host, settings, flags, caller).Merge(c.Env)
}

// atHand are the toolchains that a project names and that an environment has therefore; not those that come with the
// view and with cargo.
func (e *Engine) atHand(use cargoUse) []string {
	var out []string
	for name, asked := range e.pl.Project.Toolchains {
		if !slices.Contains(inView, name) && (name != "rust" || use == noCargo) && asked.Source != "host" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// providers are the toolchains that bring a program to a command, with those that it works with.
func providers(c *catalog.Catalog, named map[string]project.ToolchainRequest, program string) []string {
	if strings.Contains(program, "/") {
		return nil
	}
	for _, t := range c.Toolchains {
		if _, ok := t.Programs[program]; !ok || t.Provides != "" || t.Name == "rust" || slices.Contains(inView, t.Name) {
			continue
		}
		if _, ok := named[t.Name]; ok {
			return nil // at hand already, or the host's by the user's word
		}
		return append([]string{t.Name}, beside[t.Name]...)
	}
	return nil
}

// languageEnv are the variables by which the languages' own build systems build for a platform.
func languageEnv(p platform.Platform, b platform.Baseline) env.Environment {
	if p.GOOS == "" {
		return nil
	}
	e := golang.Environment(p, b)
	if p.HasSysroot() {
		e.Set("CGO_ENABLED", "1")
	} else {
		e.Set("CGO_ENABLED", "0")
	}
	return e
}

// The languages of Flags.
const (
	C    = "c"
	CXX  = "c++"
	Rust = "rust"
	Go   = "go"
)

// flagsOf are a compiler's flags for a baseline.
func (e *Engine) flagsOf(language string, p platform.Platform, b platform.Baseline) ([]string, error) {
	switch language {
	case C, CXX:
		return b.CFlags(), nil
	case Go:
		return b.GoEnv(), nil
	case Rust:
		release := "" // any, where the lock does not hold one yet
		if rust, err := e.pl.Toolchain("rust", p); err == nil {
			release = rust.Version
		}
		return b.RustFlags(release), nil
	}
	return nil, RequestError{errors.New("no flags are known of the language " + language)}
}

// scriptOfNode tells of a file that is no program whether Node.js runs it; byName where nothing but its name says so.
func scriptOfNode(path, interpreter string, executable bool) (is, byName bool) {
	byName = slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(path)) && !executable
	return byName || slices.Contains([]string{"node", "nodejs"}, interpreter), byName
}
