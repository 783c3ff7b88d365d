// Package engine is one project at work. A call takes what is asked for, does it, and returns what became of it: it
// locks, fetches, builds, tests and measures, and it says how a program is compiled, run or debugged for a platform. It
// knows no command line and prints nothing; what goes on during a call is told to the functions of Progress.
package engine

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
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"xbuild/internal/bench"
	"xbuild/internal/cache"
	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/execute"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/hosttools"
	"xbuild/internal/lock"
	"xbuild/internal/origin/npm"
	"xbuild/internal/origin/pypi"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/store"
)

// Options say where an engine works and what it may do. Mirrors are asked before those of the project and the machine;
// the best is the first.
type Options struct {
	Dir           string   // where the caller went first, absolute; "" is the working directory
	ProjectDir    string   // where xbuild.toml is looked for, and above it; "" is Dir
	StoreDir      string   // "" is the user's own (store.DefaultDir)
	BuildDir      string   // for what builds keep between runs; "" is the project's own
	DebianMirrors []string // base URLs
	NPMMirrors    []string
	RustMirrors   []string
	PyPIMirrors   []string
	Locked        bool   // the lock is not to be changed
	AllowExpired  bool   // an index whose time is over counts
	Offline       bool   // no network
	NoCache       bool   // no kept results, and none are kept
	Version       string // of xbuild

	// What is trusted, as a rule archive.Keyring and rust.Keyring, and where packages are looked for that have left
	// the archive, as a rule debian.Snapshot. All three have to be set where something may have to be locked.
	ArchiveKeys, RustKeys func() (openpgp.EntityList, error)
	Snapshot              string

	Progress Progress
}

// Progress hears what goes on during a call. Each function may be nil.
type Progress struct {
	Note     func(text string)        // something that the user may want to know; from several goroutines
	Fetching *fetch.Progress          // how far downloads are; nil is silent
	Action   func(execute.Result)     // an action of a build is over; one at a time
	Built    func(Built)              // a build is over that was not interrupted, also where actions failed
	Tested   func(execute.TestResult) // a test is over; one at a time
	Measures func(bench.Program)      // a benchmark begins
	Measured func(bench.Figure)       // and is over
}

// An Engine works for one project, or for none, with one store. It is for one goroutine.
type Engine struct {
	opt       Options
	pl        plan.Planner
	store     *store.Store
	lockPath  string
	ownLock   string // where it is written instead, where it cannot be
	self      string
	inProject bool        // there is an xbuild.toml
	npm       npm.Config  // how the machine's npm is configured
	pip       pypi.Config // the same of pip
	moved     []string    // where the project says that builds and artifacts are, and they are not

	// By languages' names: the sources that their tools build, and those of them that locked no packages when the
	// release of the toolchain was chosen.
	sources, unread map[string][]string
}

// A RequestError says that a call asks for what cannot be, whatever the project holds.
type RequestError struct{ Err error }

func (e RequestError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e RequestError) Unwrap() error { return e.Err }

// Open opens the store, and the project that lies in the directory or above. Where there is none, the engine works
// without, and the lock lies in the store. Errors are those of xbuild.toml, of the lock, and of a store or a build
// directory that cannot be used.
func Open(o Options) (*Engine, error) { return open(o, false) }

// OpenProject opens a project as Open does; it is an error (os.ErrNotExist) where there is none.
func OpenProject(o Options) (*Engine, error) { return open(o, true) }

// Load reads the project and its lock, as Open does, and opens no store: Flags works with that.
func Load(o Options) (*Engine, error) { return load(o, false) }

func open(o Options, needProject bool) (*Engine, error) {
	e, err := load(o, needProject)
	if err != nil {
		return nil, err
	}
	if e.opt.StoreDir == "" {
		if e.opt.StoreDir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	if e.store, err = store.Open(e.opt.StoreDir); err != nil {
		return nil, err
	}
	e.store.OnWait = func(name, owner string) {
		e.note("waiting for another xbuild (%s) that works on %s", owner, name)
	}
	e.pl.Store = e.store.Dir()
	if e.self, err = self(); err != nil {
		return nil, err
	}
	e.pl.XBuild = e.self
	if e.pl.Environ, err = callerEnv(e.store.Dir()); err != nil {
		return nil, err
	}
	// A build may ask for the emulator, by "xbuild run".
	e.pl.Environ.Set("XBUILD_STORE", e.store.Dir())
	if o.Offline {
		e.pl.Environ.Set("XBUILD_OFFLINE", "1")
	}
	if o.AllowExpired {
		e.pl.Environ.Set("XBUILD_ALLOW_EXPIRED", "1")
	}
	e.pl.HostTools = hosttools.On(os.Getenv("PATH"))
	if e.pip, err = pypi.ReadConfig(os.Getenv, "/"); err != nil {
		return nil, err
	}
	if e.npm, err = npm.ReadConfig(os.Getenv, e.pl.Project.Dir); err != nil {
		return nil, err
	}
	return e, e.place()
}

// self is the path of the running program, which the tools of a build call.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", hint.Add(fmt.Errorf("xbuild does not find its own program: %w", err),
			"it asks /proc for that, as the compilers do: mount it (mount -t proc proc /proc; in a "+
				"chroot from outside, mount --bind /proc ROOT/proc)")
	}
	return path, nil
}

// load loads the project that lies in the directory or above, and its lock. It needs no store.
func load(o Options, needProject bool) (*Engine, error) {
	e := &Engine{opt: o}
	var err error
	if e.pl.Catalog, err = catalog.Load(); err != nil {
		return nil, err
	}
	e.pl.Host = platform.Host()
	start := cmp.Or(o.ProjectDir, o.Dir, ".") // without Dir messages name the file as seen from here
	file, err := project.Find(start)
	switch {
	case err == nil:
		err = e.readProject(file)
	case !needProject && errors.Is(err, os.ErrNotExist):
		err = e.withoutProject()
	}
	if err != nil {
		return nil, err
	}
	if e.lockPath == "" { // what needs a store says it when it opens one
		e.pl.Lock = &lock.Lock{}
		return e, nil
	}
	e.pl.Lock, err = lock.Read(Relative(e.lockPath))
	return e, err
}

func (e *Engine) readProject(file string) error {
	var err error
	if e.pl.Project, err = project.Load(file, schema(e.pl.Catalog)); err != nil {
		return err
	}
	if err := e.readLanguages(); err != nil {
		return err
	}
	e.lockPath, e.inProject = filepath.Join(e.pl.Project.Dir, lock.FileName), true
	return nil
}

// withoutProject is a project of the host alone, with no targets. Its lock lies in the store.
func (e *Engine) withoutProject() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	e.pl.Project = &project.Project{
		File: project.FileName, Dir: cmp.Or(e.opt.Dir, dir), Dist: "dist", Build: ".xbuild",
		Platforms: []platform.Platform{e.pl.Host},
	}
	if e.opt.StoreDir == "" {
		if e.opt.StoreDir, err = store.DefaultDir(); err != nil {
			return nil
		}
	}
	e.lockPath = filepath.Join(e.opt.StoreDir, lock.FileName)
	return nil
}

// schema is what the definitions allow a project to name.
func schema(c *catalog.Catalog) project.Schema {
	s := project.Schema{
		Recipes: map[string][]project.Option{}, Archives: catalog.Archives,
		Sources: map[string][]string{}, Channels: map[string][]string{}, Compilers: c.Compilers(),
	}
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

// place says where a project is built. One that cannot be written, as a source that is mounted read-only, is built in
// the store, and what is new in its lock is kept there too. So is one in a path that Make, configure scripts and lists
// of flags do not take: a copy of the source lies in the build directory.
func (e *Engine) place() error {
	if !e.inProject {
		return nil
	}
	p := e.pl.Project
	declared := []string{p.BuildDir(), p.DistDir()}
	switch {
	case e.opt.BuildDir != "":
		if err := plan.BuildPath(e.opt.BuildDir); err != nil {
			return err
		}
		p.BuildAt = e.opt.BuildDir
	case !env.Plain(declared[0]), writable(declared[0]) != nil:
		// Projects in containers lie in the same place all; the name tells them apart.
		sum := sha256.Sum256([]byte(p.Name + "\x00" + p.Dir))
		p.BuildAt = e.store.BuildPath(hex.EncodeToString(sum[:12]))
	default:
		return nil
	}
	e.moved = declared
	if writable(e.lockPath) == nil {
		return nil
	}
	own := filepath.Join(p.BuildDir(), lock.FileName)
	if _, err := os.Stat(e.lockPath); errors.Is(err, fs.ErrNotExist) {
		if e.pl.Lock, err = lock.Read(own); err != nil {
			return err
		}
	}
	e.ownLock = own
	return nil
}

// scratchDist puts artifacts beside the build where the project's own directory for them cannot be written, for calls
// that nobody asks for them.
func (e *Engine) scratchDist() {
	if dist := e.pl.Project.DistDir(); writable(dist) != nil {
		e.pl.Project.DistAt = filepath.Join(e.pl.Project.BuildDir(), "dist")
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

func (e *Engine) note(format string, args ...any) {
	if e.opt.Progress.Note != nil {
		e.opt.Progress.Note(fmt.Sprintf(format, args...))
	}
}

// ProjectName is the project's name; "" without a project.
func (e *Engine) ProjectName() string { return e.pl.Project.Name }

// Relative is a path as seen from the working directory, where it lies there; else the path as it is.
func Relative(path string) string {
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

// A Selection chooses targets by name and platforms in any spelling. Nothing named means all; a floor suffix of a
// platform ("linux/arm64.2.31") sets its glibc, for the calls that follow too.
type Selection struct {
	Targets   []string
	Platforms []string
}

func (e *Engine) selection(s Selection) (plan.Selection, error) {
	ps, err := e.platforms(s.Platforms)
	return plan.Selection{Targets: s.Targets, Platforms: ps}, err
}

// platforms parses names of platforms; a floor sets the platform's glibc.
func (e *Engine) platforms(names []string) ([]platform.Platform, error) {
	var out []platform.Platform
	for _, name := range names {
		p, floor, err := platform.ParseFloor(strings.TrimSpace(name))
		if err != nil {
			return nil, RequestError{err}
		}
		if floor != "" {
			cfg := maps.Clone(e.pl.Project.PlatformConfig)
			if cfg == nil {
				cfg = map[string]project.PlatformConfig{}
			}
			c := cfg[p.Name]
			c.Sysroot.Glibc, c.Sysroot.Suite = floor, ""
			cfg[p.Name] = c
			e.pl.Project.PlatformConfig = cfg
		}
		if !slices.ContainsFunc(out, func(q platform.Platform) bool { return q.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out, nil
}

// one parses the platform of a call that takes one; none given means the host's.
func (e *Engine) one(name string) (platform.Platform, error) {
	if name == "" {
		return e.pl.Host, nil
	}
	ps, err := e.platforms([]string{name})
	if err != nil {
		return platform.Platform{}, err
	}
	return ps[0], nil
}

// Store is the store that the engine works with; nil after Load.
func (e *Engine) Store() *store.Store { return e.store }

// Results are the results that the store keeps.
func (e *Engine) Results() *cache.Cache { return cache.New(e.store.Dir()) }

// PruneResults removes kept results that were not used for so long, then those used longest ago until no more than max
// bytes are left; 0 is no limit. It waits until nobody builds.
func (e *Engine) PruneResults(ctx context.Context, olderThan time.Duration, max int64) (cache.Info, error) {
	release, err := e.store.Alone(ctx)
	if err != nil {
		return cache.Info{}, err
	}
	defer release()
	return e.Results().Prune(olderThan, max)
}
