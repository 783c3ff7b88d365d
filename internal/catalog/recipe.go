package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Recipe defines how one kind of project is built: what it needs, the options that a target may set, and the
// commands. Words in braces are placeholders that package plan fills in.
type Recipe struct {
	Name    string `toml:"name" json:"name"`
	Summary string `toml:"summary" json:"summary"`
	// of what it builds, where that needs more than stands here (package lang)
	Language   string `toml:"language" json:"-"`
	CopySource bool   `toml:"copy_source" json:"-"` // the commands write into the source: work in a copy, one a platform
	// Above are globs of files below the source: what they mention by ../ is copied too, where the target has no root.
	Above   []string `toml:"above" json:"-"`
	Refuses string   `toml:"refuses" json:"-"` // characters that its tools do not take in the path of the source
	// the build system optimises by itself, and opt is passed on only where a target sets it
	OwnOpt bool `toml:"own_opt" json:"-"`
	// Optimise are keys of options, by the option's name, which say how much is optimised: where a target sets one and
	// not opt, opt has no say.
	Optimise map[string][]string `toml:"optimise" json:"-"`
	// globs below the source that are neither copied nor watched: what a build there left behind
	Skip []Arg `toml:"skip" json:"-"`
	// for whom uname answers (compose.View.Answers): "makefile", or the host where it does not say
	Uname  string            `toml:"uname" json:"-"`
	CXX    bool              `toml:"cxx" json:"-"`    // it wants a C++ compiler that works, whatever the sources are
	Refuse map[string]string `toml:"refuse" json:"-"` // platforms that it cannot build for, and why
	// the nearest directory upwards that holds one of these files is the source that is watched for changes
	Root []string `toml:"root" json:"-"`
	// Readers are programs of the build system, each with the options whose values tell one run of it from another:
	// with none where it is one program that does it all, and the compilers by what they make. Where "" is among the
	// options, runs without any of them are one too; where "!-E" is, those with -E are told by all arguments. All other
	// programs are told by all of their arguments. What a run read that did not run again after a change was missed.
	Readers map[string][]string `toml:"readers" json:"-"`
	// Forgetful are programs that read their own files anew and make nothing anew because of them: what they opened and
	// has changed means to build anew. The regular expression is what has to match a line of one of those files for the
	// names of directories to count too, which they list for themselves otherwise.
	Forgetful map[string]string `toml:"forgetful" json:"-"`
	// Reread says that the build system decides by content and keeps results of its own: what has changed and was not
	// looked at again was missed, and what other programs than its own read that were not run again.
	Reread bool `toml:"reread" json:"-"`
	// Precise says that what it makes in the directory of an earlier build is what it makes from nothing.
	Precise bool `toml:"precise" json:"-"`
	// HostPart is cargo's directory for what it builds, below the build directory: what is compiled there for the host
	// out of crates of a registry is the same for all platforms.
	HostPart string `toml:"host_part" json:"-"`
	// LinkWith is what a static library that the recipe makes is linked with beside, by the platform's operating system.
	LinkWith map[string][]string `toml:"link_with" json:"-"`
	// Refusals are what it does not build with some options.
	Refusals []Refusal `toml:"refusal" json:"-"`
	// Headers are directories with headers that the recipe's tools write for what they make.
	Headers []Arg            `toml:"headers" json:"-"`
	Needs   []Need           `toml:"needs" json:"-"`
	Options []Option         `toml:"option" json:"options"`
	Lists   []List           `toml:"list" json:"-"`
	Env     map[string]Value `toml:"env" json:"-"`
	// what brings in the project's own dependencies before an offline build
	Fetch []Step `toml:"fetch" json:"-"`
	Steps []Step `toml:"step" json:"-"`
	// what tests the target after it was built; programs of the platform are started through "xbuild run"
	Tests   []Step    `toml:"test" json:"-"`
	Outputs []Output  `toml:"output" json:"-"`
	Logs    []Log     `toml:"log" json:"-"`     // where tests are told that it compiles while it configures
	Explain []Explain `toml:"explain" json:"-"` // what messages of its commands mean beside those of its toolchains
}

// A Need names what has to be there before the commands run.
type Need struct {
	When       string   `toml:"when"`
	Crates     []string `toml:"crates"`   // only where the project's Cargo.lock names one of these packages
	Mentions   []string `toml:"mentions"` // globs: only where such a file, or the target, has one of Words in it
	Words      []string `toml:"words"`
	Toolchains []string `toml:"toolchains"`
	Sysroot    bool     `toml:"sysroot"` // the platform's sysroot and compiler view
	// a compiler view of the host too, for programs that run while the project is built
	Host bool `toml:"host"`
	// sysroots of toolchains: rust-std; or of a program that loads modules: node-headers
	Parts    []string `toml:"parts"`
	Versions string   `toml:"versions"` // the option that names the versions of the parts
}

// An Option is one key that a target of the recipe may set.
type Option struct {
	Name     string   `toml:"name" json:"name"`
	Type     string   `toml:"type" json:"type"` // string, bool, int, strings, table
	Required bool     `toml:"required" json:"required,omitempty"`
	Default  any      `toml:"default" json:"default,omitempty"`
	Choices  []string `toml:"choices" json:"choices,omitempty"`
	Help     string   `toml:"help" json:"help"`
}

// A List is a variable put together from parts that may be conditional.
type List struct {
	Name  string `toml:"name"`
	Items []Arg  `toml:"items"`
}

// A Step is one command, or one a source file.
type Step struct {
	Name        string            `toml:"name"`
	When        string            `toml:"when"`
	WhenMissing string            `toml:"when_missing"` // run only while this file does not exist
	Foreach     string            `toml:"foreach"`      // the list variable whose items the command runs for, side by side
	Dir         string            `toml:"dir"`
	Env         map[string]string `toml:"env"`
	Command     []Arg             `toml:"command"`
	// options of the command, --NAME, of which the recipe's own goes where option "options" gives it: twice is an error of
	// the program
	Yields []string `toml:"yields"`
	Stdout string   `toml:"stdout"` // the file that takes standard output
	// the file that the command makes: it runs only where what it read has changed
	Output string            `toml:"output"`
	Anew   map[string]string `toml:"anew"` // variables with which it makes everything again
	// Results is a command by which go lists the packages whose results it keeps (execute, results.go).
	Results []Arg    `toml:"results"`
	Remove  []string `toml:"remove"` // files deleted first
	// Forget is what its program remembers of an earlier run, which wins over what its files say: deleted first, where
	// one of those has changed.
	Forget []string `toml:"forget"`
	// no command: native modules of Node are found and each is compiled by its own tool (package node)
	Node bool `toml:"node"`
	// it tests what the platform has, and what it leaves behind tells what it found: run again, it can be compared
	Configures bool `toml:"configures"`
	// of a fetch: made once before the first build, because builds side by side would wait for each other's
	Ahead bool  `toml:"ahead"`
	Each  []Arg `toml:"each"` // of a fetch: arguments that each platform adds to a command that is one for all
	// Jobserver names the toolchain that takes jobs from GNU make's jobserver, where its release does: arguments with
	// {jobs} are left out then.
	Jobserver string `toml:"jobserver"`
	Ran       string `toml:"ran"` // of a test: a regular expression for what it prints where it ran any test at all
}

// An Output is a file that the recipe promises where the target names none: a path in the build directory, or all that
// was installed into the stage.
type Output struct {
	When  string `toml:"when"`
	Path  string `toml:"path"`
	Stage bool   `toml:"stage"`
	// the file in which the language finds what was built: cargo's messages (--message-format=json)
	Listed string `toml:"listed"`
}

// A Log is where build systems of one kind write of the tests that they compile while they configure.
type Log struct {
	Path   string `toml:"path"`   // a glob, relative to the build directory
	Format string `toml:"format"` // autoconf, cmake or meson
}

// An Arg is one argument or, under a condition, several. With Each there are as many of them for each item of that
// list: {each}.
type Arg struct {
	When string   `toml:"when"`
	Each string   `toml:"each"`
	Args []string `toml:"args"`
}

// UnmarshalText accepts "argument" in the place of { when = "…", each = "…", args = ["…"] }.
func (a *Arg) UnmarshalText(text []byte) error {
	a.Args = []string{string(text)}
	return nil
}

// A Value is a string, or one of two by a condition.
type Value struct {
	When string `toml:"when"`
	Then string `toml:"then"`
	Else string `toml:"else"`
}

// UnmarshalText accepts "value" in the place of { when = "…", then = "…", else = "…" }.
func (w *Value) UnmarshalText(text []byte) error {
	w.Then = string(text)
	return nil
}

// Vars are the values that placeholders and conditions see: string, bool, int64, []string or map[string]string.
type Vars map[string]any

// List returns a variable as a list: a table as sorted KEY=VALUE, an empty string or false as nothing.
func (v Vars) List(name string) ([]string, error) {
	switch x := v[name].(type) {
	case []string:
		return x, nil
	case map[string]string:
		out := make([]string, 0, len(x))
		for k, val := range x {
			out = append(out, k+"="+val)
		}
		slices.Sort(out)
		return out, nil
	case string:
		return []string{x}, nil
	case int64:
		return []string{fmt.Sprint(x)}, nil
	case bool:
		return []string{fmt.Sprint(x)}, nil
	}
	return nil, fmt.Errorf("placeholder {%s} is unknown", name)
}

// Holds evaluates a condition: words that must all hold, each NAME (set, true, not empty) or NAME=VALUE, negated by a
// leading "!".
func (v Vars) Holds(when string) (bool, error) {
	for _, word := range strings.Fields(when) {
		word, not := strings.CutPrefix(word, "!")
		name, want, compare := strings.Cut(word, "=")
		x, ok := v[name]
		if !ok {
			return false, fmt.Errorf("condition %q names the unknown %q", when, name)
		}
		if _, text := x.(string); compare && !text {
			return false, fmt.Errorf("condition %q compares %q, which is no string", when, name)
		}
		var holds bool
		switch x := x.(type) {
		case bool:
			holds = x
		case string:
			holds = x != "" && (!compare || x == want)
		case []string:
			holds = len(x) > 0
		case map[string]string:
			holds = len(x) > 0
		case int64:
			holds = x != 0
		}
		if holds == not {
			return false, nil
		}
	}
	return true, nil
}

// Expand fills the placeholders of one argument. A list makes as many arguments as it has items, none where it is
// empty; {name|,} joins a list by a comma.
func (v Vars) Expand(arg string) ([]string, error) {
	out := []string{""}
	for {
		before, rest, found := strings.Cut(arg, "{")
		for i := range out {
			out[i] += before
		}
		if !found {
			return out, nil
		}
		name, after, found := strings.Cut(rest, "}")
		if !found {
			return nil, fmt.Errorf("argument %q: no } after {", arg)
		}
		name, sep, join := strings.Cut(name, "|")
		items, err := v.List(name)
		if err != nil {
			return nil, err
		}
		if join {
			items = []string{strings.Join(items, sep)}
		}
		next := make([]string, 0, len(out)*len(items))
		for _, o := range out {
			for _, item := range items {
				next = append(next, o+item)
			}
		}
		out, arg = next, after
	}
}

// ExpandOne fills the placeholders of a string that must stay one string.
func (v Vars) ExpandOne(s string) (string, error) {
	out, err := v.Expand(s)
	if err != nil {
		return "", err
	}
	return strings.Join(out, " "), nil
}

// ExpandAll fills the placeholders of a command, leaving out what its conditions exclude.
func (v Vars) ExpandAll(args []Arg) ([]string, error) {
	var out []string
	for _, a := range args {
		ok, err := v.Holds(a.When)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if a.Each == "" {
			if out, err = v.expandTo(out, a.Args); err != nil {
				return nil, err
			}
			continue
		}
		items, err := v.List(a.Each)
		if err != nil {
			return nil, err
		}
		each := maps.Clone(v)
		for _, item := range items {
			each["each"] = item
			if out, err = each.expandTo(out, a.Args); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// expandTo appends arguments with their placeholders filled.
func (v Vars) expandTo(out, args []string) ([]string, error) {
	for _, s := range args {
		more, err := v.Expand(s)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// A Refusal is why a recipe does not build for some platforms where a condition holds. Where Words names any, one of
// them has to be among the target's options or in its env: what those say wins over the option of the recipe.
type Refusal struct {
	When      string   `toml:"when"`
	Words     []string `toml:"words"`
	Platforms []string `toml:"platforms"`
	Why       string   `toml:"why"`
}

// Of tells whether the refusal is of a target with these values and variables.
func (r Refusal) Of(v Vars, env map[string]string) (bool, error) {
	if ok, err := v.Holds(r.When); err != nil || !ok || len(r.Words) == 0 {
		return ok, err
	}
	words, _ := v["options"].([]string)
	for _, value := range env {
		words = slices.Concat(words, strings.Fields(value))
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains(r.Words, strings.TrimLeft(w, "-"))
	}), nil
}
