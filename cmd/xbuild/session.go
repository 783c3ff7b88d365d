package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/crates"
	"xbuild/internal/env"
	"xbuild/internal/fetch"
	"xbuild/internal/hosttools"
	"xbuild/internal/lang/rust"
	"xbuild/internal/lock"
	"xbuild/internal/npm"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/rustdist"
	"xbuild/internal/store"
)

// What a release trusts and where it looks last. Variables for this package's tests alone, which have an archive of
// their own.
var (
	archiveKeys = archive.Keyring
	rustKeys    = rustdist.Keyring
	snapshot    = resolve.Snapshot
)

// Globals are the flags of every command.
type Globals struct {
	Dir          string   `short:"C" name:"directory" type:"path" placeholder:"DIR" help:"Work as if started in DIR." env:"XBUILD_DIRECTORY"`
	ProjectDir   string   `name:"project" type:"path" placeholder:"DIR" help:"Look for xbuild.toml in DIR and above it, and work here all the same." env:"XBUILD_PROJECT"`
	StoreDir     string   `name:"store" type:"path" placeholder:"DIR" help:"Directory of fetched and composed things (default: $XBUILD_STORE, $XDG_CACHE_HOME/xbuild or ~/.cache/xbuild)." env:"XBUILD_STORE"`
	DebianMirror []string `name:"debian-mirror" placeholder:"URL" help:"Mirror of the Debian archive; before [mirrors], the host's apt sources and the public ones." env:"XBUILD_DEBIAN_MIRROR"`
	NPMMirror    []string `name:"npm-mirror" placeholder:"URL" help:"Registry of npm packages; before [mirrors], npm's own configuration and the public one." env:"XBUILD_NPM_MIRROR"`
	RustMirror   []string `name:"rust-mirror" placeholder:"URL" help:"Server of Rust's official distribution; before [mirrors], RUSTUP_DIST_SERVER and the public one." env:"XBUILD_RUST_MIRROR"`
	BuildDir     string   `name:"build-dir" type:"path" placeholder:"DIR" help:"Directory for what builds keep between runs (default: build of xbuild.toml, .xbuild; in the store where the project cannot be written)." env:"XBUILD_BUILD_DIR"`
	Locked       bool     `help:"Fail rather than write xbuild.lock." env:"XBUILD_LOCKED"`
	AllowExpired bool     `name:"allow-expired" help:"Lock from an index whose time is over, as a mirror that is no longer updated has it." env:"XBUILD_ALLOW_EXPIRED"`
	Offline      bool     `help:"Use no network: what is not in the store is an error." env:"XBUILD_OFFLINE"`
	NoCache      bool     `name:"no-cache" help:"Build without kept results, and keep none." env:"XBUILD_NO_CACHE"`
	Quiet        bool     `short:"q" help:"No progress on stderr." env:"XBUILD_QUIET"`

	ctx      context.Context
	handOver func() // from here on signals are another's: a program that this one waits for, or a debugger
	own      string // the lock of commands outside of projects, once one has opened it
}

// A session is what a command works with: the project, or none, and the store.
type session struct {
	*Globals
	plan.Planner
	store     *store.Store
	lockPath  string
	ownLock   string // where it is written instead, where it cannot be
	self      string
	inProject bool       // there is an xbuild.toml
	npm       npm.Config // how the machine's npm is configured
	crateDirs []string   // the sources that cargo builds
	unread    []string   // those that had no Cargo.lock when Rust's release was chosen
	fetches   string     // the command that fetches what this one needs; by default xbuild fetch
	explain   bool       // say why something is built
	moved     []string   // where the project says that builds and artifacts are, and they are not
}

// open loads the project that lies in the directory or above, and opens the store. Without a project, where the command
// can do without, the lock lies in the store.
func (g *Globals) open(needProject bool) (*session, error) {
	s, err := g.load(needProject)
	if err != nil {
		return nil, err
	}
	if g.StoreDir == "" {
		if g.StoreDir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	if s.store, err = store.Open(g.StoreDir); err != nil {
		return nil, err
	}
	s.store.OnWait = func(name, owner string) { s.note("waiting for another xbuild (%s) that works on %s", owner, name) }
	s.Planner.Store = s.store.Dir()
	if s.self, err = self(); err != nil {
		return nil, err
	}
	s.XBuild = s.self
	if s.Environ, err = callerEnv(s.store.Dir()); err != nil {
		return nil, err
	}
	// A build may ask for the emulator, by "xbuild run".
	s.Environ.Set("XBUILD_STORE", s.store.Dir())
	if g.Offline {
		s.Environ.Set("XBUILD_OFFLINE", "1")
	}
	if g.AllowExpired {
		s.Environ.Set("XBUILD_ALLOW_EXPIRED", "1")
	}
	s.HostTools = hosttools.On(os.Getenv("PATH"))
	s.Holders = s.holders()
	if s.npm, err = npm.ReadConfig(os.Getenv, s.Project.Dir); err != nil {
		return nil, err
	}
	return s, s.place()
}

// self is the path of the running program, which the tools of a build call.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("xbuild does not find its own program: %w\nhint: it asks /proc for that, as the compilers do: mount it (mount -t proc proc /proc; in a chroot from outside, mount --bind /proc ROOT/proc)", err)
	}
	return path, nil
}

// load loads the project that lies in the directory or above, and its lock. It needs no store.
func (g *Globals) load(needProject bool) (*session, error) {
	s := &session{Globals: g}
	var err error
	if s.Catalog, err = catalog.Load(); err != nil {
		return nil, err
	}
	s.Host = platform.Host()
	start := cmp.Or(g.ProjectDir, g.Dir, ".") // without -C messages name the file as seen from here
	file, err := project.Find(start)
	switch {
	case err == nil:
		if s.Project, err = project.Load(file, schema(s.Catalog)); err != nil {
			return nil, err
		}
		for _, t := range s.Project.Targets {
			if t.Recipe == "rust" {
				s.crateDirs = append(s.crateDirs, s.Project.SourceDir(t))
			}
		}
		if err := rust.Release(s.Project, s.crateDirs...); err != nil {
			return nil, err
		}
		s.lockPath, s.inProject = filepath.Join(s.Project.Dir, lock.FileName), true
	case needProject:
		return nil, err
	case errors.Is(err, os.ErrNotExist):
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		s.Project = &project.Project{File: project.FileName, Dir: cmp.Or(g.Dir, dir), Dist: "dist", Build: ".xbuild", Platforms: []platform.Platform{s.Host}}
		if g.StoreDir == "" {
			if g.StoreDir, err = store.DefaultDir(); err != nil { // what needs a store says it when it opens one
				s.Planner.Lock = &lock.Lock{}
				return s, nil
			}
		}
		s.lockPath = filepath.Join(g.StoreDir, lock.FileName)
		g.own = s.lockPath
	default:
		return nil, err
	}
	s.Planner.Lock, err = lock.Read(relative(s.lockPath))
	return s, err
}

// place says where a project is built. One that cannot be written, as a source that is mounted read-only, is built in
// the store, and what is new in its lock is kept there too. So is one in a path that Make, configure scripts and lists
// of flags do not take: a copy of the source lies in the build directory.
func (s *session) place() error {
	if !s.inProject {
		return nil
	}
	declared := []string{s.Project.BuildDir(), s.Project.DistDir()}
	switch {
	case s.BuildDir != "":
		if err := plan.BuildPath(s.BuildDir); err != nil {
			return err
		}
		s.Project.BuildAt = s.BuildDir
	case !env.Plain(declared[0]), writable(declared[0]) != nil:
		// Projects in containers lie in the same place all; the name tells them apart.
		sum := sha256.Sum256([]byte(s.Project.Name + "\x00" + s.Project.Dir))
		s.Project.BuildAt = s.store.BuildPath(hex.EncodeToString(sum[:12]))
	default:
		return nil
	}
	s.moved = declared
	if writable(s.lockPath) == nil {
		return nil
	}
	own := filepath.Join(s.Project.BuildDir(), lock.FileName)
	if _, err := os.Stat(s.lockPath); errors.Is(err, fs.ErrNotExist) {
		if s.Planner.Lock, err = lock.Read(own); err != nil {
			return err
		}
	}
	s.ownLock = own
	return nil
}

// scratchDist puts artifacts beside the build where the project's own directory for them cannot be written, for
// commands that nobody asks for them.
func (s *session) scratchDist() {
	if dist := s.Project.DistDir(); writable(dist) != nil {
		s.Project.DistAt = filepath.Join(s.Project.BuildDir(), "dist")
	}
}

// writable tells why nothing can be written to a path, or made there.
func writable(path string) error {
	for {
		err := syscall.Access(path, 2) // W_OK
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			if err != nil {
				return &fs.PathError{Op: "write", Path: path, Err: err}
			}
			return nil
		}
		path = filepath.Dir(path)
	}
}

// hostGo holds the host's own Go, where the project asks for that, against the constraint.
func (s *session) hostGo() error {
	asked := s.Project.Toolchains["go"]
	if asked.Source != "host" || asked.Constraint == "" {
		return nil
	}
	out, err := exec.CommandContext(s.ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("%s:%d: go with source = \"host\": %w", s.Project.File, asked.Line, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "go")
	ok, err := resolve.Admits(asked.Constraint, version)
	if err == nil && !ok {
		err = fmt.Errorf("the host's go is %s, which %q does not admit; leave source away and xbuild fetches one", version, asked.Constraint)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %w", s.Project.File, asked.Line, err)
	}
	return nil
}

// schema is what the definitions allow a project to name.
func schema(c *catalog.Catalog) project.Schema {
	s := project.Schema{Recipes: map[string][]project.Option{}, Archives: catalog.Archives, Sources: map[string][]string{}, Channels: map[string][]string{}}
	for _, r := range c.Recipes {
		s.Recipes[r.Name] = []project.Option{}
		for _, o := range r.Options {
			s.Recipes[r.Name] = append(s.Recipes[r.Name], project.Option(o))
		}
	}
	for _, t := range c.Toolchains {
		if t.Provides == "" {
			s.Toolchains = append(s.Toolchains, t.Name)
			continue
		}
		s.Sources[t.Provides] = append(s.Sources[t.Provides], t.Choice)
		for _, source := range t.Sources {
			if source.Archive == catalog.Rust {
				s.Channels[t.Provides] = append(s.Channels[t.Provides], source.Suite)
			}
		}
	}
	for _, r := range c.Sysroots {
		for _, suite := range r.Suites {
			if suite.Glibc == "" {
				continue // a toolchain's library, which follows the toolchain
			}
			s.Suites = append(s.Suites, suite.Name)
			s.Glibc = append(s.Glibc, suite.Glibc)
		}
	}
	return s
}

// note says something on stderr.
func (g *Globals) note(format string, args ...any) {
	if !g.Quiet {
		fmt.Fprintf(os.Stderr, "xbuild: "+format+"\n", args...)
	}
}

// callerEnv is what every build sees of the caller's environment.
func callerEnv(store string) (env.Environment, error) {
	var e env.Environment
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if env.Passed(name) {
			e.Set(name, value)
		}
	}
	// What programs print, and the order in which sort and the shell's globs have names, are another in each of the
	// caller's languages.
	e.Set("LANG", "C.UTF-8")
	e.Set("USER", env.Builder)
	e.Set("LOGNAME", env.Builder)
	e.Set("TERM", "dumb")
	home := os.Getenv("HOME")
	if info, err := os.Stat(home); home != "" && err == nil && info.IsDir() && writable(home) == nil {
		return e, nil
	}
	// The user of a container often has no home, or / for one. What tools keep in it lies in the store then; what they
	// are configured by is read where it is.
	own := filepath.Join(store, "home")
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, fmt.Errorf("HOME (%q) cannot be written, and in its place: %w", home, err)
	}
	e.Set("HOME", own)
	for _, c := range []struct{ variable, file string }{{"CARGO_HOME", ".cargo"}, {"npm_config_userconfig", ".npmrc"}, {"GIT_CONFIG_GLOBAL", ".gitconfig"}, {"NETRC", ".netrc"}} {
		file := filepath.Join(home, c.file)
		if _, err := os.Stat(file); err == nil && home != "" && e.Lookup(c.variable) == "" && e.Lookup(strings.ToUpper(c.variable)) == "" {
			e.Set(c.variable, file)
		}
	}
	return e, nil
}

// registries are where npm packages are read, the best first. What npm is configured with is used alone: a company's
// registry is not to be gone around.
func (s *session) registries() []string {
	var out []string
	switch {
	case len(s.NPMMirror) > 0:
		out = slices.Clone(s.NPMMirror)
	case len(s.Project.Mirrors[catalog.NPM]) > 0:
		out = slices.Clone(s.Project.Mirrors[catalog.NPM])
	case s.npm.Registry != "":
		out = []string{s.npm.Registry}
	default:
		out = []string{npm.Public}
	}
	for i, m := range out {
		out[i] = strings.TrimRight(m, "/")
	}
	return out
}

// mirrors are where the Debian archive is read, the best first.
func (s *session) mirrors() []string {
	var out []string
	switch {
	case len(s.DebianMirror) > 0:
		out = slices.Clone(s.DebianMirror)
	case len(s.Project.Mirrors["debian"]) > 0:
		out = slices.Clone(s.Project.Mirrors["debian"])
	default:
		out = append(resolve.HostMirrors("/"), resolve.Public...)
	}
	for i, m := range out {
		out[i] = strings.TrimRight(m, "/")
	}
	return out
}

// rustMirrors are where Rust's official distribution is read. A server that the user chose is used alone, as rustup
// does.
func (s *session) rustMirrors() []string {
	var out []string
	switch {
	case len(s.RustMirror) > 0:
		out = slices.Clone(s.RustMirror)
	case len(s.Project.Mirrors[catalog.Rust]) > 0:
		out = slices.Clone(s.Project.Mirrors[catalog.Rust])
	case os.Getenv("RUSTUP_DIST_SERVER") != "":
		out = []string{os.Getenv("RUSTUP_DIST_SERVER")}
	default:
		out = []string{rustdist.Server}
	}
	for i, m := range out {
		out[i] = strings.TrimRight(m, "/")
	}
	return out
}

func (s *session) fetchOptions() fetch.Options {
	return fetch.Options{
		Progress: fetch.NewProgress(os.Stderr, s.Quiet), Offline: s.Offline, Command: s.fetches,
		Authorization: s.npm.Authorization, Notice: func(m string) { s.note("%s", m) },
	}
}

// resolved makes sure that the lock holds what is requested, and writes it where that is new.
func (s *session) resolved(req resolve.Requests, update, prune bool) error {
	if len(req.Toolchains)+len(req.Sysroots)+len(req.Parts) > 0 {
		if err := plan.StorePath(s.store.Dir()); err != nil {
			return err
		}
	}
	written := slices.ContainsFunc(s.unread, func(dir string) bool {
		_, there, err := crates.Locked(dir)
		return there || err != nil
	})
	if !update && !prune && s.holds(req) && !written {
		return nil
	}
	if s.Locked || s.Offline {
		return s.lackError(req)
	}
	// Two builds of one project may resolve at once: one after the other, on what the first wrote.
	sum := sha256.Sum256([]byte(s.lockPath))
	unlock, err := s.store.Lock(s.ctx, "project-"+hex.EncodeToString(sum[:8]))
	if err != nil {
		return err
	}
	defer unlock()
	if s.ownLock == "" { // nobody else writes the project's
		if s.Planner.Lock, err = lock.Read(s.lockPath); err != nil {
			return err
		}
	}
	why, err := s.leastRust(&req, update)
	if err != nil {
		return err
	}
	a, err := s.archive()
	if err != nil {
		return err
	}
	next, err := a.Update(s.ctx, s.Planner.Lock, req, update, prune)
	if err != nil {
		return err
	}
	path := s.lockPath
	if s.ownLock != "" {
		path = s.ownLock
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		s.note("%s cannot be written and does not hold all that is needed: what is new is kept in %s; run \"xbuild lock\" where it can be, and commit the file", relative(s.lockPath), path)
	}
	if err := next.Write(path); err != nil {
		return err
	}
	if why != "" {
		for _, t := range next.Toolchains {
			if t.Name == "rust" && t.Host == s.Host.Name && !slices.ContainsFunc(s.Planner.Lock.Toolchains, func(o lock.Toolchain) bool { return o.Name == t.Name && o.Host == t.Host && o.Version == t.Version }) {
				s.note("rust %s (%s): %s", t.Version, t.Suite, why)
			}
		}
	}
	s.Planner.Lock = next
	return nil
}

// A lackError says that the lock lacks what is needed, and may not be changed.
type lackError struct{ text string }

func (e *lackError) Error() string { return e.text }

func (s *session) lackError(req resolve.Requests) error {
	flag, hint := "--locked forbids to change it", `run "xbuild lock" and commit the file`
	if !s.Locked {
		flag = "--offline forbids to look it up"
		hint = fmt.Sprintf("run %q while there is a network", cmp.Or(s.fetches, "xbuild fetch"))
	}
	return &lackError{fmt.Sprintf("%s does not hold all that is needed (%s) and %s\nhint: %s", relative(s.lockPath), s.lacking(req), flag, hint)}
}

// leastRust raises what is requested of Rust to what the crates want that are locked, where its release is xbuild's
// choice and about to be made; once made, it stays. It returns what the choice was made by, empty where there is none
// to make.
func (s *session) leastRust(req *resolve.Requests, update bool) (why string, err error) {
	i := slices.IndexFunc(req.Toolchains, func(r resolve.ToolchainRequest) bool { return r.Def.Name == "rust" && r.Open })
	if i < 0 {
		return "", nil
	}
	r := req.Toolchains[i]
	if _, held := resolve.FindToolchain(s.Planner.Lock, r, s.Host.Name); held && !update && len(s.unread) == 0 {
		return "", nil
	}
	s.unread = nil
	why = "the newest that has a standard library for each platform"
	if r.Constraint != "" {
		why = fmt.Sprintf("%s asks for %s", r.Where, r.Constraint)
	}
	least := crates.Want{Release: s.Project.Toolchains["rust"].Least}
	for _, dir := range s.crateDirs {
		locked, there, err := crates.Locked(dir)
		if err != nil {
			return "", err
		}
		if !there {
			s.unread = append(s.unread, dir)
		}
		if len(locked) == 0 {
			continue
		}
		sources, err := crates.ReadSources(os.Getenv, dir)
		if err != nil {
			return "", err
		}
		opt := s.fetchOptions()
		w, unknown, err := sources.Least(s.ctx, locked, func(ctx context.Context, url string) ([]byte, error) {
			data, _, err := opt.Bytes(ctx, s.store, []string{url}, maxCrateIndex)
			return data, err
		})
		if err != nil {
			return "", err
		}
		for _, c := range locked {
			if err := unknown[c]; err != nil {
				s.note("which Rust %d of the crates in Cargo.lock want is not known: %s: %v", len(unknown), c, err)
				break
			}
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

// maxCrateIndex bounds a crate's file of a registry's index; those of crates with thousands of releases have a few
// megabytes.
const maxCrateIndex = 64 << 20

func (s *session) archive() (*resolve.Archive, error) {
	keys, err := archiveKeys()
	if err != nil {
		return nil, err
	}
	rust, err := rustKeys()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	said := map[string]bool{}
	notice := func(m string) {
		mu.Lock()
		defer mu.Unlock()
		if !said[m] {
			said[m] = true
			s.note("%s", m)
		}
	}
	var standing []string
	if resolve.HostTakesExpired("/") {
		standing = resolve.HostMirrors("/")
	}
	return &resolve.Archive{Store: s.store, Mirrors: s.mirrors(), Standing: standing, Snapshot: snapshot, NPM: s.registries(), Rust: s.rustMirrors(), Fetch: s.fetchOptions(), Keyring: keys, RustKeys: rust, AllowExpired: s.AllowExpired, Notice: notice}, nil
}

// holders looks up for hints which package has something, each name once. Where the archive cannot be asked, a hint
// does without.
func (s *session) holders() func(platform.Platform, string, bool) []string {
	var mu sync.Mutex
	known := map[string][]string{}
	var a *resolve.Archive
	return func(p platform.Platform, name string, program bool) []string {
		if s.Offline || s.ctx.Err() != nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		def := s.Catalog.Sysroot("gnu")
		suite, arch := def.Prefer[0], p.Debian
		if !program {
			of, chosen, err := s.Suite(p)
			if err != nil || of != def {
				return nil // the archive's libraries are not for it
			}
			suite, arch = chosen.Name, p.Sysroot
		}
		key := fmt.Sprintf("%s %s %s %v", suite, arch, name, program)
		if found, ok := known[key]; ok {
			return found
		}
		var err error
		if a == nil {
			if a, err = s.archive(); err != nil {
				return nil
			}
			a.Notice, a.Fetch.Notice = nil, nil // the build has told what is wrong with mirrors
		}
		found, err := a.PackagesWith(s.ctx, suite, arch, name, program)
		if err != nil {
			s.note("which package has %s could not be looked up: %v", name, err)
		}
		known[key] = found
		return found
	}
}

func (s *session) holds(req resolve.Requests) bool { return s.lacking(req) == "" }

func (s *session) lacking(req resolve.Requests) string {
	var out []string
	for _, r := range req.Toolchains {
		for _, host := range resolve.Hosts {
			if _, ok := resolve.FindToolchain(s.Planner.Lock, r, host); !ok {
				out = append(out, r.String()+" for host "+host)
			}
		}
	}
	for _, r := range req.Sysroots {
		if _, ok := resolve.FindSysroot(s.Planner.Lock, r); !ok {
			out = append(out, "sysroot for "+r.Where)
		}
	}
	for _, p := range req.Parts {
		r, err := p.In(s.Planner.Lock)
		if err == nil {
			if _, ok := resolve.FindSysroot(s.Planner.Lock, r); ok {
				continue
			}
		}
		out = append(out, p.Def.Name+" for "+p.Where)
	}
	return strings.Join(out, ", ")
}

func (s *session) composer() *compose.Composer {
	mirrors := map[string][]string{catalog.Debian: s.mirrors(), catalog.NPM: s.registries(), catalog.Rust: s.rustMirrors()}
	dates := map[string]string{}
	for _, t := range s.Planner.Lock.Toolchains {
		for _, f := range t.Files {
			dates[f.SHA256] = t.Date
		}
	}
	for _, r := range s.Planner.Lock.Sysroots {
		for _, f := range r.Files {
			dates[f.SHA256] = r.Date
		}
	}
	return &compose.Composer{Store: s.store, Fetch: s.fetchOptions(), URLs: func(f lock.File) []string {
		var urls []string
		for _, m := range mirrors[f.Archive] {
			urls = append(urls, m+"/"+f.Path)
		}
		if date := dates[f.SHA256]; date != "" && f.Archive == catalog.Debian {
			urls = append(urls, snapshot+"/"+date+"/"+f.Path)
		}
		return urls
	}, Note: func(m string) { s.note("%s", m) }}
}

// view locks, fetches and composes the compiler view of a platform.
func (s *session) view(p platform.Platform) (compose.View, error) {
	req, err := s.RequireView([]platform.Platform{p})
	if err != nil {
		return compose.View{}, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return compose.View{}, err
	}
	v, err := s.View(p)
	if err != nil {
		return compose.View{}, err
	}
	if _, ok := s.store.HasTree(v.Key); ok {
		return v, s.composer().All(s.ctx, compose.Set{Toolchains: []compose.Toolchain{v.Clang, v.Pkgconf}, Sysroots: []compose.Sysroot{v.Sysroot}})
	}
	var set compose.Set
	set.View(v)
	return v, s.composer().All(s.ctx, set)
}

// toolchain locks, fetches and composes one toolchain, the one that is used for p.
func (s *session) toolchain(name string, p platform.Platform) (compose.Toolchain, error) {
	if flag := map[string]string{"qemu": " --qemu", "gdb": " --qemu --gdb"}[name]; flag != "" {
		s.fetches = "xbuild fetch" + flag
	}
	req, err := s.RequireToolchain(name, p)
	if err != nil {
		return compose.Toolchain{}, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return compose.Toolchain{}, err
	}
	t, err := s.Toolchain(name, p)
	if err != nil {
		return t, err
	}
	return t, s.composer().All(s.ctx, compose.Set{Toolchains: []compose.Toolchain{t}})
}

// platforms parses what -p was given; a floor suffix ("linux/arm64.2.31") sets the platform's glibc.
func (s *session) platforms(names []string) ([]platform.Platform, error) {
	var out []platform.Platform
	for _, name := range names {
		p, floor, err := platform.ParseFloor(strings.TrimSpace(name))
		if err != nil {
			return nil, usageError{err}
		}
		if floor != "" {
			cfg := maps.Clone(s.Project.PlatformConfig)
			if cfg == nil {
				cfg = map[string]project.PlatformConfig{}
			}
			c := cfg[p.Name]
			c.Sysroot.Glibc, c.Sysroot.Suite = floor, ""
			cfg[p.Name] = c
			s.Project.PlatformConfig = cfg
		}
		if !slices.ContainsFunc(out, func(q platform.Platform) bool { return q.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out, nil
}

// one parses the platform of a command that takes one; none given means the host's.
func (s *session) one(name string) (platform.Platform, error) {
	if name == "" {
		return s.Host, nil
	}
	ps, err := s.platforms([]string{name})
	if err != nil {
		return platform.Platform{}, err
	}
	return ps[0], nil
}
