// Package lang says what a language adds to what its toolchain and recipe say in TOML. A language is one package below
// this one, and one value of type Language; package table lists them.
package lang

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/node"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
	"xbuild/internal/toolset"
)

// A Language is what the tools of one language need beyond TOML. What is nil it does not need.
type Language struct {
	// Name is what recipes and toolchains name it by, with the key language.
	Name string

	// Ask takes from a target's own files which release of a toolchain it wants, where xbuild.toml names none.
	Ask func(ts *toolset.Tools, t project.Target) error
	// Vars adds what conditions and placeholders of its recipes see of a target's files.
	Vars func(ts *toolset.Tools, t project.Target, vars catalog.Vars)
	// Depends tells whether the project in a directory depends on one of some packages.
	Depends func(ts *toolset.Tools, dir string, packages []string) (bool, error)
	// Source says what is copied and left out of a target's source beside what the recipe says.
	Source func(ts *toolset.Tools, a *action.Action, t project.Target, vars catalog.Vars) error

	// Environment adds to an action what its tools want; that of C is there already.
	Environment func(m *Making) error
	// Settled changes an environment once it has what the user says in it.
	Settled func(m *Making)
	// ByHand are the variables by which build systems that are called by hand find what compiles for the host: host
	// beside the platform's v. linker is what links there without a word more.
	ByHand func(v, host, linker compose.View, s env.Settings) env.Environment

	// Work is what a step that is no command is carried out by.
	Work func(m *Making) (*node.Build, error)
	// Tests are the steps by which a target is tested, made from the recipe's; given says that the user gave them.
	Tests func(m *Making, list []action.Step, given bool) ([]action.Step, error)
	// Step carries out such a step, Fetch brings what it needs from the network, Test tests what was built by it.
	Step  func(ctx context.Context, r *Runner, a *action.Action, s action.Step, log *bytes.Buffer) error
	Fetch func(ctx context.Context, r *Runner, a *action.Action, s action.Step, log *bytes.Buffer) error
	Test  func(ctx context.Context, r *Runner, a *action.Action, s action.Step, emulate bool, log *bytes.Buffer) error
	// Outputs are the files that a build made, as it wrote down in a file, of packages below a directory.
	Outputs func(file, root string) ([]string, error)
	// HostUnits are what a build compiled for the host that is the same for all platforms, as it wrote down in a file:
	// by the directory below target, the hashes in the names of its files. What lies in the project is not among them.
	HostUnits func(file, target string, project ...string) (map[string]map[string]bool, error)
	// HostUnit is the hash in the name of such a file, "" where it has none.
	HostUnit func(name string) string
	// SameHost tells whether two actions compile the same for the host.
	SameHost func(a, b *action.Action) bool
	// Libraries builds the standard libraries that are not in the store yet.
	Libraries func(ctx context.Context, b Builder, stds []compose.BuiltStd) error

	// Release takes from the files of sources which release of its toolchain they want, where xbuild.toml names none.
	Release func(p *project.Project, dirs ...string) error
	// HostRelease is the release of the host's own toolchain.
	HostRelease func(ctx context.Context) (string, error)
	// Least raises a request for its toolchain to what is wanted by the packages that are locked in sources. why is
	// what the release is chosen by, unlocked are the sources with no lock file yet.
	Least func(ctx context.Context, b Before, r *resolve.ToolchainRequest, dirs []string) (
		why string, unlocked []string, err error)
	// Locked tells whether a source has a file that locks its packages.
	Locked func(dir string) bool
	// Before does in the directory of a target's source what comes before it is planned what the target needs.
	Before func(ctx context.Context, b Before, t project.Target, dir string) error

	// Surround is what its tools need for a platform where they are called by hand, beside the platform's view; what
	// has to be in the store goes into set. Serves tells whether it compiles for a platform.
	Surround func(ts *toolset.Tools, p platform.Platform, set *compose.Set) (Surroundings, error)
	Serves   func(p platform.Platform) bool
	// Called are the variables that a command has which may call its toolchain.
	Called func(asked project.ToolchainRequest, caller env.Environment) env.Environment
	// Targets are the variables by which its own build system builds for a platform.
	Targets func(p platform.Platform, b platform.Baseline) env.Environment
	// Flags are the flags of its compilers for a baseline, by the names of what they compile. release is the
	// toolchain's, "" for any.
	Flags map[string]func(b platform.Baseline, release string) []string
	// Home are the files in the user's home that its tools are configured by, each under the variable that names it
	// elsewhere.
	Home []env.Var

	// Script tells of a file whether the language's program runs it; byName where nothing but its name says so.
	Script func(path, interpreter string, executable bool) (is, byName bool)
	// Runtime is what a test of a platform runs in.
	Runtime *Runtime

	// Word is what stands in hints for a word and a file of a target's ("cgo main.go"), "" where that means nothing.
	Word func(word, file string, t project.Target, p platform.Platform) string
}

// A Before is what a language works with before anything is planned.
type Before struct {
	Asked   project.ToolchainRequest // what the project says of its toolchain
	Environ env.Environment          // of commands, beside the caller's own
	Offline bool
	// Toolchain is its toolchain for the host, which is in the store then.
	Toolchain func(ctx context.Context) (compose.Toolchain, error)
	// Get reads from a network, max bytes at most.
	Get  func(ctx context.Context, url string, max int64) ([]byte, error)
	Note func(format string, args ...any)
}

// Surroundings are what a command of a language's tools needs for a platform.
type Surroundings struct {
	Path []string // directories of programs
	// Environment adds to the variables of a platform's C compilers. alone says that nothing but the language's tools
	// reads them.
	Environment func(c env.Environment, v compose.View, s env.Settings, alone bool) env.Environment
}

// A Runtime is a platform's program that tests run in, in the version that a test names.
type Runtime struct {
	// Require says what the lock has to hold; the error is a NoRuntimeError where there is none for the platform.
	Require func(ts *toolset.Tools, p platform.Platform, t action.NodeTest) (resolve.Requests, error)
	// Locked is the program as the lock has it.
	Locked func(ts *toolset.Tools, p platform.Platform, t action.NodeTest) (action.Node, error)
}

// A NoRuntimeError says that there is no such program for a platform.
type NoRuntimeError string

func (e NoRuntimeError) Error() string { return string(e) }

// A Builder is what trees of the store are built with that a compiler makes.
type Builder struct {
	Store   *store.Store
	Host    hosttools.Host // the programs of this machine
	Offline bool
	Note    func(string)
	// Run carries out a command in an action's environment.
	Run func(ctx context.Context, a *action.Action, s action.Step, log *bytes.Buffer) error
}

// A Runner is what a language carries out steps with that are no commands.
type Runner struct {
	Build, Dist, Store string   // directories: of the project's builds and artifacts, and the store
	Skip               []string // further directories that hold no sources
	Environ            env.Environment
	XBuild             string
	Registry           string // of npm's packages, where one is configured
	Offline            bool
	Tests              bool // tests follow: what they need is fetched too

	// Command carries out a command in an action's environment.
	Command func(ctx context.Context, a *action.Action, s action.Step, log *bytes.Buffer) error
	// Path is the PATH of an action's commands.
	Path func(a *action.Action) string
	// Read notes a file that decides what a step does, and so is an input of the action.
	Read func(a *action.Action, file string)
	// List notes a directory whose names decide.
	List func(a *action.Action, dir string)
	// Skips tells whether a directory of a source holds none of its files, by its path, that below the source and name.
	Skips func(path, rel, name string, globs []string) bool
	// Check tells why a binary does not run on an action's platform, with some libraries beside it.
	Check func(a *action.Action, beside []string, file string) error
}

// A Making is an action of which the environment is being put together: first the tools, then the platform's compilers,
// then what each language adds.
type Making struct {
	Tools    *toolset.Tools
	Environ  env.Environment // the caller's variables that go into every build
	Set      *compose.Set
	Action   *action.Action
	Target   project.Target
	Platform platform.Platform
	Recipe   *catalog.Recipe
	Config   project.PlatformConfig
	Vars     catalog.Vars
	Settings env.Settings
	Needs    catalog.Need // of the recipe, all in one
	Parts    []Part       // in the versions that the project names
	Maps     []string     // flags that keep the places of what is needed out of artifacts
	View     compose.View // the platform's compilers

	// C and Path are the action's as they are for the platform's compilers alone.
	C    env.Environment
	Path []string

	Host  compose.View            // the host's compilers, for programs that run while the project is built; see HostView
	Apart bool                    // a language tells the host's compilers from the platform's by itself
	Cargo *node.Cargo             // what modules of Node in Rust are built with
	Views map[string]compose.View // of the plan, by name
}

// A Part is a sysroot that a program loads modules with, in a version that the project names.
type Part struct {
	Def *catalog.Sysroot
	compose.Sysroot
}

// HostView is the host's compiler view for the action, which it then needs.
func (m *Making) HostView() (compose.View, error) {
	if m.Host.Key != "" {
		return m.Host, nil
	}
	name := strings.TrimSpace("host of " + m.Platform.Name + " " + m.Target.Stdlib)
	v, ok := m.Views[name]
	if !ok {
		var err error
		if v, err = m.Tools.HostView(m.Platform); err != nil {
			return v, err
		}
		m.Views[name] = v
	}
	m.UseHost(v)
	return m.Host, nil
}

// UseHost makes a view the host's compilers for the action.
func (m *Making) UseHost(v compose.View) {
	m.Host = m.AsLenient(v)
	m.Set.View(m.Host)
}

// AsLenient is a view as the target wants it.
func (m *Making) AsLenient(v compose.View) compose.View {
	if m.Vars["lenient"].(bool) {
		return v.Leniently(m.Tools.Store)
	}
	return v
}

// Linked and Started are the directories of what an action needs: what it links with, and what it runs.
func Linked(needs []action.Need) []string  { return prefixes(needs, false) }
func Started(needs []action.Need) []string { return prefixes(needs, true) }

func prefixes(needs []action.Need, run bool) []string {
	var out []string
	for _, n := range needs {
		if n.Run == run {
			out = append(out, n.Prefix)
		}
	}
	return out
}

// Below are directories of what an action links with, as lists in variables have them; "" where there is none.
func (m *Making) Below(dirs ...string) string {
	if m.View.Key == "" {
		return ""
	}
	var out []string
	for _, dir := range dirs {
		for _, prefix := range Linked(m.Action.Needs) {
			out = append(out, filepath.Join(prefix, dir))
		}
	}
	return strings.Join(out, ":")
}

// PkgConfig are the directories of pkg-config's files of what an action links with.
func (m *Making) PkgConfig() string { return m.Below("lib/pkgconfig", "share/pkgconfig") }

// Uses tells whether an action's tools have a toolchain of a language among them.
func (m *Making) Uses(language string) bool {
	return slices.ContainsFunc(m.Needs.Toolchains, func(name string) bool {
		def := m.Tools.Catalog.Toolchain(name)
		return def != nil && def.Language == language
	})
}
