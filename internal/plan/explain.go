package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/hosttools"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// listed is the package that has what is asked for, where the project has it in the platform's list already.
func (pl *Planner) listed(asked string, p platform.Platform) string {
	have := pl.Project.Config(p).Sysroot.Packages
	if len(have) == 0 {
		return ""
	}
	for name := range strings.SplitSeq(pl.devPackage(asked, p), " or ") {
		if name, err := strconv.Unquote(name); err == nil && slices.Contains(have, name) {
			return name
		}
	}
	return ""
}

// holders are the quoted names of packages that have something.
func (pl *Planner) holders(p platform.Platform, name string, program bool) []string {
	if pl.Holders == nil {
		return nil
	}
	var out []string
	for _, found := range pl.Holders(p, name, program) {
		out = append(out, strconv.Quote(found))
	}
	return out
}

// bring says how a program that a build misses comes to be there.
func (pl *Planner) bring(program string, t project.Target) string {
	// CMake's variables have it in capitals, in part or whole.
	if lower := strings.ToLower(program); program == strings.ToUpper(program) || hosttools.Listed(lower) {
		program = lower
	}
	for _, a := range pl.Catalog.Compiler().Absent {
		if slices.Contains(a.Names(), program) {
			return a.Why
		}
	}
	defs := pl.Catalog.Toolchains
	if def := pl.Catalog.Toolchain(program); def != nil { // others bring it too, for themselves
		defs = []*catalog.Toolchain{def}
	}
	for _, def := range defs {
		if _, ok := def.Programs[program]; ok || def.Name == program && len(def.Programs) == 0 { // libclang is a library
			return fmt.Sprintf("%s:%d: write tools = [%q] in [target.%s]", pl.Project.File, t.Line, def.Name, t.Name)
		}
	}
	if library, ok := strings.CutSuffix(program, "-config"); ok && library != "pkg" {
		return fmt.Sprintf("it says where a library of the host is; pkg-config says it of the platform's (CONFIG=\"pkg-config %s\", by the name that the build has for such a variable)", library)
	}
	found := pl.holders(pl.Host, program, true)
	found = slices.DeleteFunc(found, func(quoted string) bool { return strings.HasSuffix(quoted, `-dev"`) })
	if len(found) > 0 {
		which := ""
		if len(found) > 1 {
			which = " (or with " + strings.Join(found[1:], " or ") + " in its place)"
		}
		return fmt.Sprintf("write host_packages = [%s] in %s:%d: [target.%s]%s",
			found[0], pl.Project.File, t.Line, t.Name, which)
	}
	install := "xbuild does not bring it, install it on the host"
	if hosttools.Listed(program) {
		return install
	}
	return fmt.Sprintf("%s; %s:%d: write host_tools = [%q] in [target.%s], because builds see of the host what is named (docs/environment.md)", install, pl.Project.File, t.Line, program, t.Name)
}

// explanations are those of an action's recipe and toolchains.
func (pl *Planner) explanations(t project.Target, p platform.Platform, toolchains []string) []action.Explanation {
	words := func(name string) string {
		if asked, ok := strings.CutPrefix(name, "package "); ok {
			return pl.devPackage(asked, p)
		}
		if asked, ok := strings.CutPrefix(name, "listed "); ok {
			return pl.listed(asked, p)
		}
		if program, ok := strings.CutPrefix(name, "bring "); ok {
			return pl.bring(program, t)
		}
		if asked, ok := strings.CutPrefix(name, "standard "); ok {
			return pl.standard(asked, t, p)
		}
		if word, file, ok := strings.Cut(name, " "); ok {
			if !filepath.IsAbs(file) {
				file = filepath.Join(pl.Project.SourceDir(t), file)
			}
			return table.Word(word, file, t, p)
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
	source := pl.Watched(t)
	var out []action.Explanation
	for _, e := range pl.Catalog.Recipe(t.Recipe).Explain {
		out = append(out, action.Explanation{Explain: e, Words: words, Source: source})
	}
	for _, e := range hosttools.Explain() {
		out = append(out, action.Explanation{Explain: e, Words: words, Source: source})
	}
	seen := map[string]bool{}
	for _, name := range toolchains {
		if def := pl.Catalog.Toolchain(name); def != nil && !seen[name] {
			for _, e := range def.Explain {
				out = append(out, action.Explanation{Explain: e, Words: words, Source: source})
			}
		}
		seen[name] = true
	}
	return out
}

// devPackage says which package has what a compiler or pkg-config asks for.
func (pl *Planner) devPackage(asked string, p platform.Platform) string {
	def := pl.Catalog.Sysroot("gnu")
	// A header may be named with its folders, a library with lib in front.
	for _, name := range []string{asked, strings.TrimPrefix(asked, "lib"), asked[strings.LastIndex(asked, "/")+1:]} {
		if pkg := def.Dev[name]; pkg != "" {
			return strconv.Quote(pkg)
		}
	}
	if found := pl.holders(p, asked, false); len(found) > 0 {
		return strings.Join(found, " or ")
	}
	return "the -dev package that holds it (apt-file, or the search of package contents on packages.debian.org, finds its name)"
}
