package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"xbuild/internal/catalog"
	"xbuild/internal/hosttools"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// An Explanation tells what a message of a command means for this project.
type Explanation struct {
	catalog.Explain
	words func(name string) string // of the placeholders that are no groups
}

var (
	compiled    sync.Map // of expressions, which are the catalog's
	placeholder = regexp.MustCompile(`\{[a-z0-9]+\}`)
)

// Hint returns what the user can do, empty where the log holds no such message.
func (e Explanation) Hint(log string) string {
	re, ok := compiled.Load(e.Match)
	if !ok {
		re, _ = compiled.LoadOrStore(e.Match, regexp.MustCompile("(?m)"+e.Match)) // a test of package catalog compiles every one
	}
	found := re.(*regexp.Regexp).FindAllStringSubmatch(log, -1)
	if len(found) == 0 {
		return ""
	}
	groups := found[0]
	if e.Last {
		groups = found[len(found)-1]
	}
	// Of alternatives one has matched.
	groups = append(groups[:1], slices.DeleteFunc(groups[1:], func(g string) bool { return g == "" })...)
	return placeholder.ReplaceAllStringFunc(e.Explain.Hint, func(p string) string {
		name := strings.Trim(p, "{}")
		if n, err := strconv.Atoi(name); err == nil && n < len(groups) {
			return groups[n]
		}
		if name == "package" && len(groups) > 1 {
			return e.words("package " + groups[1])
		}
		if name == "bring" && len(groups) > 1 {
			return e.words("bring " + groups[1])
		}
		return e.words(name)
	})
}

// Hints are what an action's log calls for, each once.
func (a *Action) Hints(log string) []string {
	var out []string
	for _, e := range a.Explain {
		if h := e.Hint(log); h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// Refused returns the hint of a message that makes a command failed which says that it succeeded.
func (a *Action) Refused(log string) string {
	for _, e := range a.Explain {
		if e.Fail {
			if h := e.Hint(log); h != "" {
				return h
			}
		}
	}
	return ""
}

// bring says how a program that a build misses comes to be there.
func (pl *Planner) bring(program string, t project.Target) string {
	// CMake's variables have it in capitals, in part or whole.
	if lower := strings.ToLower(program); program == strings.ToUpper(program) || hosttools.Listed(lower) {
		program = lower
	}
	for _, a := range pl.Catalog.Toolchain("clang").Absent {
		if slices.Contains(a.Names(), program) {
			return a.Why
		}
	}
	defs := pl.Catalog.Toolchains
	if def := pl.Catalog.Toolchain(program); def != nil { // others bring it too, for themselves
		defs = []*catalog.Toolchain{def}
	}
	for _, def := range defs {
		if _, ok := def.Programs[program]; ok {
			return fmt.Sprintf("%s:%d: write tools = [%q] in [target.%s]", pl.Project.File, t.Line, def.Name, t.Name)
		}
	}
	if library, ok := strings.CutSuffix(program, "-config"); ok && library != "pkg" {
		return fmt.Sprintf("it says where a library of the host is; pkg-config says it of the platform's (CONFIG=\"pkg-config %s\", by the name that the build has for such a variable)", library)
	}
	if hosttools.Listed(program) {
		return "xbuild does not bring it, install it on the host"
	}
	return fmt.Sprintf("xbuild does not bring it, install it on the host; %s:%d: write host_tools = [%q] in [target.%s], because builds see of the host what is named (docs/environment.md)", pl.Project.File, t.Line, program, t.Name)
}

// explanations are those of an action's recipe and toolchains.
func (pl *Planner) explanations(t project.Target, p platform.Platform, toolchains []string) []Explanation {
	words := func(name string) string {
		if asked, ok := strings.CutPrefix(name, "package "); ok {
			return pl.devPackage(asked)
		}
		if program, ok := strings.CutPrefix(name, "bring "); ok {
			return pl.bring(program, t)
		}
		switch name {
		case "platform":
			return p.Name
		case "target":
			return fmt.Sprintf("%s:%d: [target.%s]", pl.Project.File, t.Line, t.Name)
		case "sysroot":
			if pl.Project.SysrootLine > 0 {
				return fmt.Sprintf("%s:%d: [sysroot]", pl.Project.File, pl.Project.SysrootLine)
			}
			return "a [sysroot] table in " + pl.Project.File
		case "toolchains":
			return "[toolchains] in " + pl.Project.File
		}
		return "{" + name + "}"
	}
	var out []Explanation
	for _, e := range pl.Catalog.Recipe(t.Recipe).Explain {
		out = append(out, Explanation{e, words})
	}
	for _, e := range hosttools.Explain() {
		out = append(out, Explanation{e, words})
	}
	seen := map[string]bool{}
	for _, name := range toolchains {
		if def := pl.Catalog.Toolchain(name); def != nil && !seen[name] {
			for _, e := range def.Explain {
				out = append(out, Explanation{e, words})
			}
		}
		seen[name] = true
	}
	return out
}

// devPackage says which package has what a compiler or pkg-config asks for.
func (pl *Planner) devPackage(asked string) string {
	def := pl.Catalog.Sysroot("gnu")
	// A header may be named with its folders, a library with lib in front.
	for _, name := range []string{asked, strings.TrimPrefix(asked, "lib"), asked[strings.LastIndex(asked, "/")+1:]} {
		if pkg := def.Dev[name]; pkg != "" {
			return strconv.Quote(pkg)
		}
	}
	return "the -dev package that holds it (apt-file, or the search of package contents on packages.debian.org, finds its name)"
}
