package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"xbuild/internal/answer"
	"xbuild/internal/archive"
	"xbuild/internal/engine"
	"xbuild/internal/fetch"
	"xbuild/internal/origin/debian"
	"xbuild/internal/origin/rust"
)

// What a release trusts and where it looks last. Variables for this package's tests alone, which have an archive of
// their own.
var (
	archiveKeys = archive.Keyring
	rustKeys    = rust.Keyring
	snapshot    = debian.Snapshot
)

// Globals are the flags of every command.
type Globals struct {
	Dir          string   `short:"C" name:"directory" type:"path" placeholder:"DIR" help:"Work as if started in DIR." env:"XBUILD_DIRECTORY"`
	ProjectDir   string   `name:"project" type:"path" placeholder:"DIR" help:"Look for xbuild.toml in DIR and above it, and work here all the same." env:"XBUILD_PROJECT"`
	StoreDir     string   `name:"store" type:"path" placeholder:"DIR" help:"Directory of fetched and composed things (default: $XBUILD_STORE, $XDG_CACHE_HOME/xbuild or ~/.cache/xbuild)." env:"XBUILD_STORE"`
	DebianMirror []string `name:"debian-mirror" placeholder:"URL" help:"Mirror of the Debian archive; before [mirrors], the host's apt sources and the public ones." env:"XBUILD_DEBIAN_MIRROR"`
	NPMMirror    []string `name:"npm-mirror" placeholder:"URL" help:"Registry of npm packages; before [mirrors], npm's own configuration and the public one." env:"XBUILD_NPM_MIRROR"`
	RustMirror   []string `name:"rust-mirror" placeholder:"URL" help:"Server of Rust's official distribution; before [mirrors], RUSTUP_DIST_SERVER and the public one." env:"XBUILD_RUST_MIRROR"`
	PyPIMirror   []string `name:"pypi-mirror" placeholder:"URL" help:"Index of Python packages; before [mirrors], pip's own configuration and the public one." env:"XBUILD_PYPI_MIRROR"`
	BuildDir     string   `name:"build-dir" type:"path" placeholder:"DIR" help:"Directory for what builds keep between runs (default: build of xbuild.toml, .xbuild; in the store where the project cannot be written)." env:"XBUILD_BUILD_DIR"`
	Locked       bool     `help:"Fail rather than write xbuild.lock." env:"XBUILD_LOCKED"`
	AllowExpired bool     `name:"allow-expired" help:"Lock from an index whose time is over, as a mirror that is no longer updated has it." env:"XBUILD_ALLOW_EXPIRED"`
	Offline      bool     `help:"Use no network: what is not in the store is an error." env:"XBUILD_OFFLINE"`
	NoCache      bool     `name:"no-cache" help:"Build without kept results, and keep none." env:"XBUILD_NO_CACHE"`
	Quiet        bool     `short:"q" help:"No progress on stderr." env:"XBUILD_QUIET"`

	question *answer.Question // what this process is asked, where the answer may be kept
	watched  bool             // this process finds out what an answer is made from, and builds nothing

	ctx      context.Context
	handOver func() // from here on signals are another's: a program that this one waits for, or a debugger
}

// options are what an engine is opened with.
func (g *Globals) options() engine.Options {
	return engine.Options{
		Dir: g.Dir, ProjectDir: g.ProjectDir, StoreDir: g.StoreDir, BuildDir: g.BuildDir,
		DebianMirrors: g.DebianMirror, NPMMirrors: g.NPMMirror, RustMirrors: g.RustMirror, PyPIMirrors: g.PyPIMirror,
		Locked: g.Locked, AllowExpired: g.AllowExpired, Offline: g.Offline, NoCache: g.NoCache, Version: version,
		ArchiveKeys: archiveKeys, RustKeys: rustKeys, Snapshot: snapshot,
		Progress: engine.Progress{
			Note:     func(text string) { g.note("%s", text) },
			Fetching: fetch.NewProgress(os.Stderr, g.Quiet),
			Action:   g.action,
			Built:    g.built,
			Tested:   g.tested,
			Measures: g.measures,
			Measured: g.measured,
		},
	}
}

// note says something on stderr.
func (g *Globals) note(format string, args ...any) {
	if !g.Quiet {
		fmt.Fprintf(os.Stderr, "xbuild: "+format+"\n", args...)
	}
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
