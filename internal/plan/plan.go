// Package plan turns a project, the catalog and the lock into what is to be done: which toolchains, sysroots and
// compiler views are needed, and for every target and platform the commands, their environment and the artifacts that
// come out. It runs nothing and fetches nothing; of the disk it reads the names of source files alone, where an option
// holds globs.
package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/lock"
	"xbuild/internal/node"
	"xbuild/internal/platform"
	"xbuild/internal/probe"
	"xbuild/internal/project"
)

// Jobs stands in a command for the number of jobs that it may run; the number is filled in when the command is started,
// because it must not change what an action is.
const Jobs = "{jobs}"

// A Planner holds what every plan of one xbuild process is made from.
type Planner struct {
	Project *project.Project
	Catalog *catalog.Catalog
	Lock    *lock.Lock
	Store   string // the store's directory
	Host    platform.Platform
	XBuild  string // the xbuild program, for emulators
	// Environ are variables of the caller that go into every build unchanged: proxies, and what the languages' own
	// tools are configured by.
	Environ env.Environment
	// HostTools are the programs of this machine, of which builds see some.
	HostTools hosttools.Host
	// Holders names the packages of a platform that have a header, a library or the like of a name, or of the host that
	// have a program; nil where nobody looks. It is called for hints, several at once.
	Holders func(p platform.Platform, name string, program bool) []string

	cxx       map[string]bool           // targets in which C++ was looked for
	mentioned map[string]bool           // sources in which words were looked for
	installed map[string]node.Workspace // by source, what its packages are installed by
}

// A Selection is the part of a project that a command was asked for; nothing named means all.
type Selection struct {
	Targets   []string
	Platforms []platform.Platform
}

// A Plan is every action, in the order of the project's targets and platforms, and all that has to be in the store for
// them.
type Plan struct {
	Actions []*Action   `json:"actions"`
	Set     compose.Set `json:"-"`
	Faults  []Fault     `json:"-"` // what is not built, because it cannot be
}

// A Fault is why a target is not built for a platform. It stops nothing else.
type Fault struct {
	Target   string
	Platform string
	Err      error
}

// An Action builds one target for one platform.
type Action struct {
	Target   string            `json:"target"`
	Platform platform.Platform `json:"-"`
	OCI      string            `json:"platform"`
	Recipe   string            `json:"recipe"`
	// ID is the hash of all that the action is made of but the content of its inputs: commands, environment, tools.
	ID      string          `json:"id"`
	Env     env.Environment `json:"env"`
	Path    []string        `json:"path"`             // directories in front of PATH
	Source  string          `json:"source"`           // the target's directory
	Watch   string          `json:"watch"`            // the directory whose files are the action's inputs
	Inputs  []string        `json:"inputs,omitempty"` // globs of further inputs, absolute
	Skip    []string        `json:"skip,omitempty"`   // globs of files below the source that are no inputs and are not copied
	Copy    bool            `json:"copy_source,omitempty"`
	Root    string          `json:"root"`  // where the source is copied: what is copied, the source or a directory above it
	Top     string          `json:"-"`     // the copy of Root; else Build
	DistDir string          `json:"-"`     // the artifacts of all platforms
	Rooted  bool            `json:"-"`     // the target says what is copied
	Apart   bool            `json:"-"`     // its commands are xbuild's own questions: what they read is no input
	Build   string          `json:"build"` // commands write here
	Stage   string          `json:"stage"` // what was installed
	State   string          `json:"-"`
	Dist    string          `json:"dist"` // <DistDir>/<platform>/<dest>
	Fetch   []Step          `json:"fetch,omitempty"`
	Steps   []Step          `json:"steps"`
	Output  []Output        `json:"outputs"`
	Static  bool            `json:"static,omitempty"`
	Bench   []string        `json:"bench,omitempty"` // what measures it; no part of the ID
	Strip   string          `json:"strip,omitempty"` // the program that strips, where the target asks for it
	Test    []Step          `json:"test,omitempty"`  // what tests it; no part of the ID
	Equal   bool            `json:"equal,omitempty"` // the test prints the same on all platforms
	// What the artifacts are held against: the platform's libraries, where the recipe compiles for them, and the newest
	// glibc that may be needed.
	Sysroot string `json:"sysroot,omitempty"`
	Glibc   string `json:"glibc,omitempty"`
	// External are libraries that they may need all the same.
	External []string `json:"external,omitempty"`
	// Baseline is what their instructions are held against; Dispatched are globs of functions that ask the processor
	// themselves.
	Baseline   platform.Baseline `json:"-"` // the flags in the commands say it
	Dispatched []string          `json:"dispatched,omitempty"`
	// Readers and Reread say how it is seen that the build system missed a change (catalog.Recipe).
	Readers   map[string][]string `json:"-"`
	Forgetful map[string]string   `json:"-"`
	Reread    bool                `json:"-"`
	Precise   bool                `json:"-"`
	HostPart  string              `json:"-"` // catalog.Recipe, absolute
	// Unaudited are globs of artifacts without symbols, below Dist, that may lack what the audit wants.
	Unaudited []string `json:"unaudited,omitempty"`
	// Lenient is the target's: whether tests that fail for nothing but what GCC 13 let pass with a warning pass,
	// or fail as they should; nil where it does not say.
	Lenient *bool   `json:"lenient,omitempty"`
	Strict  *Strict `json:"-"` // how such tests are found; nil where no C is compiled
	// HostTools is the hash of which programs of the host it sees: Seen, through links in HostDir, behind Path. Missing
	// says what the target asks for and the host has not.
	HostTools string            `json:"host_tools,omitempty"`
	Seen      map[string]string `json:"-"`
	HostDir   string            `json:"-"`
	Missing   string            `json:"-"`
	// Explain is what messages of the commands mean.
	Explain   []Explanation `json:"-"`
	PkgConfig []string      `json:"-"` // the names that it asks pkg-config for, where the target says them
	// Set is what has to be in the store for it.
	Set compose.Set `json:"-"`
	// Needs are the actions that are carried out before it, whose results it is built with.
	Needs []Need `json:"needs,omitempty"`
	// Beside are the places of what it links with in dist, as seen from its own: shared libraries are found by these.
	Beside []string `json:"beside,omitempty"`
	// Prefix is where its result is laid out for those that need it: those that link with it, and those that run it.
	Prefix   string   `json:"-"`
	Linked   bool     `json:"-"`
	Started  bool     `json:"-"`
	Headers  []string `json:"-"` // directories with the headers for those that link with it
	LinkWith []string `json:"-"` // what they link with beside
	// LinkFile is where arguments for the linker go, by which it is linked with its needs; "" where it has none.
	LinkFile string `json:"-"`
	// Caller are the variables of the caller that reach the commands and count.
	Caller     env.Environment   `json:"caller,omitempty"`
	Roots      Roots             `json:"-"` // by which its paths are told
	Host       bool              `json:"-"` // it is built for the host; nothing of it goes into dist
	Jobservers map[string]string `json:"-"` // by toolchain: how it takes jobs from a jobserver
	Asked      bool              `json:"-"` // the caller asked for it; else another action needs it
}

// A Strict says how tests are found that fail because clang is stricter than GCC was.
type Strict struct {
	Groups probe.Groups  // clang's names of the errors that were warnings
	CC     string        // the platform's compiler
	Logs   []catalog.Log // where build systems write of the tests that they compile
	Where  string        // the target, for what the user is told
}

// A Step is one command. Steps of the same group run side by side, groups one after another.
type Step struct {
	Name        string          `json:"name"`
	Group       int             `json:"-"`
	Dir         string          `json:"dir"`
	Command     []string        `json:"command"`
	Env         env.Environment `json:"env,omitempty"`
	Stdout      string          `json:"stdout,omitempty"`
	Output      string          `json:"output,omitempty"`
	Anew        env.Environment `json:"-"` // with which it makes everything again
	Results     []string        `json:"-"` // catalog.Step
	WhenMissing string          `json:"when_missing,omitempty"`
	Remove      []string        `json:"remove,omitempty"`
	Forget      []string        `json:"-"`              // catalog.Step
	Node        *node.Build     `json:"node,omitempty"` // in the place of a command
	Ran         string          `json:"ran,omitempty"`
	Configures  bool            `json:"-"`
	Ahead       bool            `json:"-"`              // of a fetch: once, before the first build
	Jobserver   string          `json:"-"`              // catalog.Jobserver's form, where its command takes jobs from one
	Each        []string        `json:"each,omitempty"` // of a fetch: what the platform adds to a command that is one for all
	In          *NodeTest       `json:"in,omitempty"`   // the Node that a test of Node runs in; the command then is one of npm's host
}

// An Output is files that become artifacts.
type Output struct {
	Path  string `json:"path,omitempty"`  // glob relative to the build directory
	Dist  string `json:"dist,omitempty"`  // path relative to Dist; "" keeps the base name
	Stage bool   `json:"stage,omitempty"` // everything below the stage, with its paths
	Cargo string `json:"cargo,omitempty"` // the file with cargo's messages, which name what was built
}

// Choose returns the targets of a selection and the platforms of each, what they need among them.
func (pl *Planner) Choose(sel Selection) ([]Chosen, error) {
	var out []Chosen
	for _, name := range sel.Targets {
		if !slices.ContainsFunc(pl.Project.Targets, func(t project.Target) bool { return t.Name == name }) {
			var names []string
			for _, t := range pl.Project.Targets {
				names = append(names, t.Name)
			}
			return nil, fmt.Errorf("%s: no target %q (there are %s)", pl.Project.File, name, strings.Join(names, ", "))
		}
	}
	for _, t := range pl.Project.Targets {
		if len(sel.Targets) > 0 && !slices.Contains(sel.Targets, t.Name) {
			continue
		}
		if len(t.Platforms) == 0 {
			t.Platforms = pl.Project.Platforms
		}
		if len(sel.Platforms) > 0 {
			// What the caller names is built even where the project lists other platforms; a target with a list of its
			// own keeps to that.
			if t.Only {
				t.Platforms = intersect(t.Platforms, sel.Platforms)
			} else {
				t.Platforms = sel.Platforms
			}
		}
		if len(t.Platforms) > 0 {
			out = append(out, Chosen{Target: t})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: nothing to build: it names no target for the platforms asked for", pl.Project.File)
	}
	return pl.withNeeds(out)
}

func intersect(a, b []platform.Platform) []platform.Platform {
	var out []platform.Platform
	for _, p := range a {
		if slices.ContainsFunc(b, func(q platform.Platform) bool { return q.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}

// New plans a selection, in which nothing may be wrong. The lock must hold all that Require named.
func (pl *Planner) New(sel Selection) (*Plan, error) {
	out, err := pl.Possible(sel, nil)
	if err == nil && len(out.Faults) > 0 {
		return nil, out.Faults[0].Err
	}
	return out, err
}

// Possible plans what can be planned of a selection; what cannot are the plan's faults. Of requirements in which
// something is wrong that is known already.
func (pl *Planner) Possible(sel Selection, known []Requirement) (*Plan, error) {
	targets, err := pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	out := &Plan{}
	d := &drawing{views: map[string]compose.View{}, sources: map[string][]string{}, made: map[string]*Action{}}
	done := map[string]bool{}
	var add func(c Chosen, p platform.Platform, asked bool)
	add = func(c Chosen, p platform.Platform, asked bool) {
		name := p.Name
		if c.Host {
			name = onHost
		}
		if done[c.Name+" "+name] {
			return
		}
		done[c.Name+" "+name] = true
		for _, n := range c.For(p).Needs {
			b, i := needOf(targets, n, p, c.Host)
			add(b, b.Platforms[i], b.Asked[i])
		}
		wrong := func(r Requirement) bool { return r.Err != nil && r.Target == c.Name && r.Platform == name }
		if i := slices.IndexFunc(known, wrong); i >= 0 {
			out.Faults = append(out.Faults, Fault{c.Name, name, known[i].Err})
			return
		}
		a, err := pl.planned(d, c, p)
		if err != nil {
			out.Faults = append(out.Faults, Fault{c.Name, name, err})
			return
		}
		a.Asked = asked
		d.made[c.Name+" "+name] = a
		out.Actions = append(out.Actions, a)
		out.Set.Add(a.Set)
	}
	for _, c := range targets {
		for i, p := range c.Platforms {
			add(c, p, c.Asked[i])
		}
	}
	return out, nil
}

// A drawing is a plan that is being made: what its actions have in common.
type drawing struct {
	views   map[string]compose.View
	sources map[string][]string
	made    map[string]*Action // by target and platform
}

// planned is the action of one target for one platform.
func (pl *Planner) planned(d *drawing, c Chosen, p platform.Platform) (*Action, error) {
	t := c.For(p)
	var err error
	if !c.Host {
		if p, err = pl.withLibc(p); err != nil {
			return nil, fmt.Errorf("%s:%d: target %q: %w", pl.Project.File, t.Line, t.Name, err)
		}
	}
	a, err := pl.action(d, t, p, c.Host)
	if errors.As(err, new(*NeedError)) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%d: target %q for %s: %w", pl.Project.File, t.Line, t.Name, p.Name, err)
	}
	return a, nil
}
