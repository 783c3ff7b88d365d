// Package action has what is to be done as values: an action builds one target for one platform, and a graph of them is
// what was planned. It says by which hash an action is the same in every checkout on every machine. It reads no file
// and runs nothing.
package action

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/node"
	"xbuild/internal/platform"
)

// Jobs stands in a command for the number of jobs that it may run; the number is filled in when the command is started,
// because it must not change what an action is.
const Jobs = "{jobs}"

// An ID is the hash of all that an action is made of, by which it is the same one everywhere.
type ID string

// An Action builds one target for one platform.
type Action struct {
	Target   string            `json:"target"`
	Platform platform.Platform `json:"-"`
	OCI      string            `json:"platform"`
	Recipe   string            `json:"recipe"`
	Language string            `json:"-"` // the recipe's (package lang)
	// ID is the hash of all that the action is made of but the content of its inputs: commands, environment, tools.
	ID     ID              `json:"id"`
	Env    env.Environment `json:"env"`
	Path   []string        `json:"path"`             // directories in front of PATH
	Source string          `json:"source"`           // the target's directory
	Watch  string          `json:"watch"`            // the directory whose files are the action's inputs
	Inputs []string        `json:"inputs,omitempty"` // globs of further inputs, absolute
	// globs of files below the source that are no inputs and are not copied
	Skip    []string `json:"skip,omitempty"`
	Copy    bool     `json:"copy_source,omitempty"`
	Root    string   `json:"root"`  // where the source is copied: what is copied, the source or a directory above it
	Top     string   `json:"-"`     // the copy of Root; else Build
	DistDir string   `json:"-"`     // the artifacts of all platforms
	Rooted  bool     `json:"-"`     // the target says what is copied
	Apart   bool     `json:"-"`     // its commands are xbuild's own questions: what they read is no input
	Build   string   `json:"build"` // commands write here
	Stage   string   `json:"stage"` // what was installed
	State   string   `json:"-"`
	Dist    string   `json:"dist"` // <DistDir>/<platform>/<dest>
	Fetch   []Step   `json:"fetch,omitempty"`
	Steps   []Step   `json:"steps"`
	Output  []Output `json:"outputs"`
	Static  bool     `json:"static,omitempty"`
	Bench   []string `json:"bench,omitempty"` // what measures it; no part of the ID
	Strip   string   `json:"strip,omitempty"` // the program that strips, where the target asks for it
	Test    []Step   `json:"test,omitempty"`  // what tests it; no part of the ID
	Equal   bool     `json:"equal,omitempty"` // the test prints the same on all platforms
	// What the artifacts are held against: the platform's libraries, where the recipe compiles for them, and the newest
	// glibc that may be needed.
	Sysroot string `json:"sysroot,omitempty"`
	Up      string `json:"-"` // leads from there to the root directory
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
	Groups []string      // clang's names of the errors that were warnings
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
	Ahead       bool            `json:"-"` // of a fetch: once, before the first build
	Jobserver   string          `json:"-"` // catalog.Jobserver's form, where its command takes jobs from one
	// of a fetch: what the platform adds to a command that is one for all
	Each []string  `json:"each,omitempty"`
	In   *NodeTest `json:"in,omitempty"` // the Node that a test of Node runs in; the command then is one of npm's host
}

// An Output is files that become artifacts.
type Output struct {
	Path   string `json:"path,omitempty"`   // glob relative to the build directory
	Dist   string `json:"dist,omitempty"`   // path relative to Dist; "" keeps the base name
	Stage  bool   `json:"stage,omitempty"`  // everything below the stage, with its paths
	Listed string `json:"listed,omitempty"` // the file in which the language finds what was built
}

// A Need is another action's result that an action is built with.
type Need struct {
	Target string  `json:"target"`
	OCI    string  `json:"platform"`
	Prefix string  `json:"prefix"`         // the directory with include, lib and bin
	Run    bool    `json:"host,omitempty"` // its programs run while the action is built; else they are linked with
	Action *Action `json:"-"`
}

// A Node is Node.js for a platform: what the tests of modules run in.
type Node struct {
	Version string
	Program string          // the path of node
	Root    compose.Sysroot // what it runs with, loader and libraries
	Tree    compose.Sysroot // what it lies in
}

// A NodeTest is the Node that a test runs in.
type NodeTest struct {
	Range   string       `json:"range"` // as the project names it
	Major   string       `json:"major"` // that of the headers: a range may have several, and a module is built for one
	Headers node.Headers `json:"-"`     // what is tested was built with them
	Node    Node         `json:"-"`     // once it is locked
	None    error        `json:"-"`     // why there is no such Node
}

// Constraints are what a version of Node has to satisfy.
func (t NodeTest) Constraints() []string {
	if t.Major == "" || t.Major == t.Range {
		return []string{t.Range}
	}
	return []string{t.Range, "^" + t.Major}
}

// An Explanation tells what a message of a command means for this project.
type Explanation struct {
	catalog.Explain
	Words  func(name string) string // of the placeholders that are no groups
	Source string                   // the directory in which Find is looked for
}

// Spelled is the path of an action's prefix as its pkg-config files have it: pkg-config puts the sysroot's path in
// front of every path that does not hold it (pkgconf's tuple.c, should_rewrite_sysroot), so that it leads out of the
// sysroot, however that is spelled.
func (a *Action) Spelled() string {
	if a.Sysroot == "" {
		return a.Prefix
	}
	return "${pc_sysrootdir}" + a.Up + a.Prefix
}

// Hash is of all that the action is made of.
func (a *Action) Hash() ID {
	sum := sha256.Sum256(a.MadeOf())
	return ID(hex.EncodeToString(sum[:]))
}

// StepMadeOf is what one step is made of, as MadeOf has it.
func (a *Action) StepMadeOf(s Step) []byte {
	return (&Action{
		OCI: a.OCI, Env: a.Env, Path: a.Path, HostTools: a.HostTools, Caller: a.Caller, Roots: a.Roots,
		Source: a.Source, Steps: []Step{s},
	}).MadeOf()
}

// MadeOf is all that the action is made of but its inputs, in JSON, with its paths told by their roots. The path of
// xbuild itself is left out: it is not what decides the result.
func (a *Action) MadeOf() []byte {
	c := *a
	c.Env = slices.DeleteFunc(slices.Clone(a.Env), func(v env.Var) bool {
		return v.Name == "XBUILD" || strings.HasPrefix(v.Name, "CARGO_TARGET_") && strings.HasSuffix(v.Name, "_RUNNER")
	})
	c.ID, c.Dist, c.DistDir, c.Test, c.Equal, c.Bench = "", "", "", nil, false, nil
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and lists alone
	}
	return []byte(a.Roots.SpellAll(string(data)))
}
