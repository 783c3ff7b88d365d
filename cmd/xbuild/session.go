package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/fetch"
	"xbuild/internal/hosttools"
	"xbuild/internal/lock"
	"xbuild/internal/npm"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/rustdist"
	"xbuild/internal/store"
)

// What a release trusts and where it looks last. Variables for this package's tests alone, which have an archive of their own.
var (
	archiveKeys = archive.Keyring
	rustKeys    = rustdist.Keyring
	snapshot    = resolve.Snapshot
)

// Globals are the flags of every command.
type Globals struct {
	Dir          string   `short:"C" name:"directory" type:"path" placeholder:"DIR" help:"Work as if started in DIR." env:"XBUILD_DIRECTORY"`
	StoreDir     string   `name:"store" type:"path" placeholder:"DIR" help:"Directory of fetched and composed things (default: $XBUILD_STORE, $XDG_CACHE_HOME/xbuild or ~/.cache/xbuild)." env:"XBUILD_STORE"`
	DebianMirror []string `name:"debian-mirror" placeholder:"URL" help:"Mirror of the Debian archive; before [mirrors], the host's apt sources and the public ones." env:"XBUILD_DEBIAN_MIRROR"`
	NPMMirror    []string `name:"npm-mirror" placeholder:"URL" help:"Registry of npm packages; before [mirrors], npm's own configuration and the public one." env:"XBUILD_NPM_MIRROR"`
	RustMirror   []string `name:"rust-mirror" placeholder:"URL" help:"Server of Rust's official distribution; before [mirrors], RUSTUP_DIST_SERVER and the public one." env:"XBUILD_RUST_MIRROR"`
	Locked       bool     `help:"Fail rather than write xbuild.lock." env:"XBUILD_LOCKED"`
	AllowExpired bool     `name:"allow-expired" help:"Lock from an index whose time is over, as a mirror that is no longer updated has it." env:"XBUILD_ALLOW_EXPIRED"`
	Offline      bool     `help:"Use no network: what is not in the store is an error." env:"XBUILD_OFFLINE"`
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
	self      string
	inProject bool       // there is an xbuild.toml
	npm       npm.Config // how the machine's npm is configured
}

// open loads the project that lies in the directory or above. Without one, where the command can do without, the lock lies in the store.
func (g *Globals) open(needProject bool) (*session, error) {
	dir := g.Dir
	if dir == "" {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	s := &session{Globals: g}
	var err error
	if s.Catalog, err = catalog.Load(); err != nil {
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
	s.Host = platform.Host()
	if s.self, err = os.Executable(); err != nil {
		return nil, err
	}
	s.XBuild = s.self
	s.Environ = callerEnv()
	if g.AllowExpired {
		s.Environ.Set("XBUILD_ALLOW_EXPIRED", "1") // a build may ask for the emulator, by "xbuild run"
	}
	s.HostTools = hosttools.On(os.Getenv("PATH"))
	start := dir
	if g.Dir == "" {
		start = "." // messages then name the file as seen from here
	}
	file, err := project.Find(start)
	switch {
	case err == nil:
		if s.Project, err = project.Load(file, schema(s.Catalog)); err != nil {
			return nil, err
		}
		var sources []string
		for _, t := range s.Project.Targets {
			if t.Recipe == "rust" {
				sources = append(sources, s.Project.SourceDir(t))
			}
		}
		if err := s.Project.RustToolchain(sources...); err != nil {
			return nil, err
		}
		if !plan.Plain(s.Project.Dir) {
			// Make, configure scripts and lists of flags take few paths. A copy of the source lies in the build directory.
			s.Project.Build = s.store.BuildDir(s.Project.Dir)
		}
		s.lockPath, s.inProject = filepath.Join(s.Project.Dir, lock.FileName), true
	case needProject:
		return nil, err
	case errors.Is(err, os.ErrNotExist):
		s.Project = &project.Project{File: project.FileName, Dir: dir, Dist: "dist", Build: ".xbuild", Platforms: []platform.Platform{s.Host}}
		s.lockPath = filepath.Join(s.store.Dir(), lock.FileName)
		g.own = s.lockPath
	default:
		return nil, err
	}
	if s.npm, err = npm.ReadConfig(os.Getenv, s.Project.Dir); err != nil {
		return nil, err
	}
	s.Planner.Lock, err = lock.Read(relative(s.lockPath))
	return s, err
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

// callerEnv are the variables of the caller that every build sees: where things are, which proxy, and how the languages' own tools are configured. All else is left
// out, so that the same project builds the same way everywhere.
func callerEnv() env.Environment {
	var e env.Environment
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(passed, name) || slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			e.Set(name, value)
		}
	}
	// What programs print, and the order in which sort and the shell's globs have names, are another in each of the caller's languages.
	e.Set("LANG", "C.UTF-8")
	return e
}

var passed = []string{
	"HOME", "USER", "LOGNAME", "TMPDIR", "TERM", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOENV", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOPATH", "CARGO_HOME",
	"npm_config_registry", "npm_config_userconfig", "npm_config_cache", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG", "NPM_CONFIG_CACHE", "NPM_TOKEN", "NODE_EXTRA_CA_CERTS",
}

var passedPrefixes = []string{"GIT_SSL", "NETRC", "CARGO_REGISTR", "CARGO_HTTP_", "CARGO_NET_"}

// registries are where npm packages are read, the best first. What npm is configured with is used alone: a company's registry is not to be gone around.
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

// rustMirrors are where Rust's official distribution is read. A server that the user chose is used alone, as rustup does.
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
	return fetch.Options{Progress: fetch.NewProgress(os.Stderr, s.Quiet), Offline: s.Offline, Authorization: s.npm.Authorization, Notice: func(m string) { s.note("%s", m) }}
}

// resolved makes sure that the lock holds what is requested, and writes it where that is new.
func (s *session) resolved(req resolve.Requests, update, prune bool) error {
	if len(req.Toolchains)+len(req.Sysroots)+len(req.Parts) > 0 {
		if err := plan.StorePath(s.store.Dir()); err != nil {
			return err
		}
	}
	if !update && !prune && s.holds(req) {
		return nil
	}
	if s.Locked {
		return fmt.Errorf("%s does not hold all that is needed (%s) and --locked forbids to change it\nhint: run \"xbuild lock\" and commit the file", relative(s.lockPath), s.lacking(req))
	}
	if s.Offline {
		return fmt.Errorf("%s does not hold all that is needed (%s) and --offline forbids to look it up\nhint: run \"xbuild fetch\" while there is a network", relative(s.lockPath), s.lacking(req))
	}
	// Two builds of one project may resolve at once: one after the other, on what the first wrote.
	sum := sha256.Sum256([]byte(s.lockPath))
	unlock, err := s.store.Lock(s.ctx, "project-"+hex.EncodeToString(sum[:8]))
	if err != nil {
		return err
	}
	defer unlock()
	if s.Planner.Lock, err = lock.Read(s.lockPath); err != nil {
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
	if err := next.Write(s.lockPath); err != nil {
		return err
	}
	s.Planner.Lock = next
	return nil
}

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
	return &resolve.Archive{Store: s.store, Mirrors: s.mirrors(), Snapshot: snapshot, NPM: s.registries(), Rust: s.rustMirrors(), Fetch: s.fetchOptions(), Keyring: keys, RustKeys: rust, AllowExpired: s.AllowExpired, Notice: notice}, nil
}

func (s *session) holds(req resolve.Requests) bool { return s.lacking(req) == "" }

func (s *session) lacking(req resolve.Requests) string {
	var out []string
	for _, r := range req.Toolchains {
		for _, host := range resolve.Hosts {
			if _, ok := resolve.FindToolchain(s.Planner.Lock, r, host); !ok {
				out = append(out, "toolchain "+r.Def.Name+" for host "+host)
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

// toolchain locks, fetches and composes one toolchain.
func (s *session) toolchain(name string) (compose.Toolchain, error) {
	req, err := s.RequireToolchain(name)
	if err != nil {
		return compose.Toolchain{}, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return compose.Toolchain{}, err
	}
	t, err := s.Toolchain(name)
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
