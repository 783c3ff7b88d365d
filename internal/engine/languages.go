package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/lock"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// This file has what the engine asks of languages (package lang) before it plans, and for commands that are called by
// hand.

// The toolchains that run and debug what was built.
const (
	emulator        = "qemu"
	debugger        = "gdb"
	debuggerProgram = "gdb-multiarch"
)

// language is the language of a target's recipe.
func (e *Engine) language(t project.Target) *lang.Language {
	return table.Of(e.pl.Catalog.Recipe(t.Recipe).Language)
}

// wants is what the project says of the toolchain of a language.
func (e *Engine) wants(l *lang.Language) project.ToolchainRequest {
	return e.pl.Project.Toolchains[e.pl.Catalog.ToolchainOf(l.Name).Name]
}

// readLanguages reads what the languages' own files ask for, such as rust-toolchain.toml.
func (e *Engine) readLanguages() error {
	e.sources = map[string][]string{}
	for _, t := range e.pl.Project.Targets {
		l := e.language(t)
		e.sources[l.Name] = append(e.sources[l.Name], e.pl.Project.SourceDir(t))
	}
	for _, l := range table.Languages {
		if l.Release == nil {
			continue
		}
		if err := l.Release(e.pl.Project, e.sources[l.Name]...); err != nil {
			return err
		}
	}
	return nil
}

// hostReleases holds the host's own toolchains, where the project asks for them, against the constraints.
func (e *Engine) hostReleases(ctx context.Context) error {
	for _, l := range table.Languages {
		if l.HostRelease == nil || e.wants(l).Source != "host" || e.wants(l).Constraint == "" {
			continue
		}
		asked, name := e.wants(l), e.pl.Catalog.ToolchainOf(l.Name).Name
		version, err := l.HostRelease(ctx)
		if err != nil {
			return fmt.Errorf("%s:%d: %s with source = \"host\": %w", e.pl.Project.File, asked.Line, name, err)
		}
		ok, err := resolve.Admits(asked.Constraint, version)
		if err == nil && !ok {
			err = fmt.Errorf("the host's %s is %s, which %q does not admit; leave source away and xbuild fetches one",
				name, version, asked.Constraint)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", e.pl.Project.File, asked.Line, err)
		}
	}
	return nil
}

// called are the variables that a command has which may call the languages' toolchains.
func (e *Engine) called(caller env.Environment) env.Environment {
	var out env.Environment
	for _, l := range table.Languages {
		if l.Called != nil {
			out = out.Merge(l.Called(e.wants(l), caller))
		}
	}
	return out
}

// newlyLocked tells whether a language's tools have written a lock file that there was none of when the release of its
// toolchain was chosen.
func (e *Engine) newlyLocked() bool {
	return slices.ContainsFunc(table.Languages, func(l *lang.Language) bool {
		return l.Locked != nil && slices.ContainsFunc(e.unread[l.Name], l.Locked)
	})
}

// before is what a language works with; by is the command that fetches, for hints.
func (e *Engine) before(l *lang.Language, by string) lang.Before {
	return lang.Before{
		Asked: e.wants(l), Environ: e.pl.Environ, Offline: e.opt.Offline, Note: e.note,
		Toolchain: func(ctx context.Context) (compose.Toolchain, error) {
			var t compose.Toolchain
			err := e.have(ctx, by, e.toolchain(e.pl.Catalog.ToolchainOf(l.Name).Name, e.pl.Host, &t))
			return t, err
		},
		Get: func(ctx context.Context, url string, max int64) ([]byte, error) {
			data, _, err := e.fetchOptions(by).Bytes(ctx, e.store, []string{url}, max)
			return data, err
		},
	}
}

// least raises what is requested of languages' toolchains to what their locked packages want, where the release is
// xbuild's choice and about to be made; once made, it stays. It returns by toolchain what the choice was made by, none
// where there is none to make.
func (e *Engine) least(ctx context.Context, req *resolve.Requests, by string, update bool) (map[string]string, error) {
	whys := map[string]string{}
	for _, l := range table.Languages {
		if l.Least == nil {
			continue
		}
		i := slices.IndexFunc(req.Toolchains, func(r resolve.ToolchainRequest) bool {
			return r.Def.Language == l.Name && r.Open
		})
		if i < 0 {
			continue
		}
		r := req.Toolchains[i]
		if _, held := resolve.FindToolchain(e.pl.Lock, r, e.pl.Host.Name); held && !update && len(e.unread[l.Name]) == 0 {
			continue
		}
		why, unlocked, err := l.Least(ctx, e.before(l, by), &r, e.sources[l.Name])
		if e.unread == nil {
			e.unread = map[string][]string{}
		}
		e.unread[l.Name] = unlocked
		if err != nil {
			return nil, err
		}
		req.Toolchains = slices.Clone(req.Toolchains)
		req.Toolchains[i] = r
		whys[r.Def.Name] = why
	}
	return whys, nil
}

// noteReleases says which toolchains a lock has that the one before had not, and why.
func (e *Engine) noteReleases(next *lock.Lock, whys map[string]string) {
	for _, t := range next.Toolchains {
		same := func(o lock.Toolchain) bool { return o.Name == t.Name && o.Host == t.Host && o.Version == t.Version }
		if why := whys[t.Name]; why != "" && t.Host == e.pl.Host.Name && !slices.ContainsFunc(e.pl.Lock.Toolchains, same) {
			e.note("%s %s (%s): %s", t.Name, t.Version, t.Suite, why)
		}
	}
}

// beforePlanning does what languages do before it is planned what is needed.
func (e *Engine) beforePlanning(ctx context.Context, sel plan.Selection) error {
	targets, err := e.pl.Choose(sel)
	if err != nil {
		return err
	}
	for _, t := range targets {
		l := e.language(t.Target)
		if l.Before == nil {
			continue
		}
		if err := l.Before(ctx, e.before(l, ""), t.Target, e.pl.Watched(t.Target)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// languagesFor are the languages whose tools a command's environment is for, beside C's; "" is no command. alone says
// that one language's tools read it, and nothing else.
func (e *Engine) languagesFor(command string) (of []*lang.Language, alone bool) {
	for _, l := range table.Languages {
		if l.Surround == nil {
			continue
		}
		def := e.pl.Catalog.ToolchainOf(l.Name)
		if _, ok := def.Programs[command]; ok {
			return []*lang.Language{l}, true
		}
		_, named := e.pl.Project.Toolchains[def.Name]
		if named || slices.ContainsFunc(e.pl.Project.Targets, func(t project.Target) bool { return e.language(t) == l }) {
			of = append(of, l)
		}
	}
	return of, false
}

// A languageTools is what a language's tools need for a platform beside its view.
type languageTools struct {
	lang.Surroundings
	tools []compose.Toolchain // that the recipe wants further
}

// languageTools is what a language's tools need in the working directory for a platform. The platform's view is taken
// before.
func (e *Engine) languageTools(l *lang.Language, p platform.Platform, into *languageTools) (thing, error) {
	dir, err := os.Getwd()
	if err != nil {
		return thing{}, err
	}
	if l.Release != nil {
		if err := l.Release(e.pl.Project, dir); err != nil {
			return thing{}, err
		}
	}
	if !slices.Contains(e.sources[l.Name], dir) {
		if e.sources == nil {
			e.sources = map[string][]string{}
		}
		e.sources[l.Name] = append(e.sources[l.Name], dir)
	}
	own := e.pl.Catalog.ToolchainOf(l.Name).Name
	var names []string
	return thing{
		require: func() (req resolve.Requests, err error) {
			req, names, err = e.pl.RequireRecipe(e.pl.Catalog.RecipeOf(l.Name).Name, dir, p)
			return req, err
		},
		take: func(set *compose.Set) (err error) {
			if into.Surroundings, err = l.Surround(&e.pl.Tools, p, set); err != nil {
				return err
			}
			into.tools = nil
			for _, name := range names {
				if name == own || slices.Contains(e.pl.Compiling(), name) || e.pl.Project.Toolchains[name].Source == "host" {
					continue
				}
				t, err := e.pl.Toolchain(name, p)
				if err != nil {
					return err
				}
				set.Toolchain(t)
				into.tools = append(into.tools, t)
			}
			return nil
		},
	}, nil
}

// path are the directories of the programs.
func (s languageTools) path() []string {
	path := slices.Clone(s.Path)
	for _, t := range s.tools {
		path = append(path, t.Bin())
	}
	return path
}

// environment adds to a platform's environment what the language's tools need.
func (s languageTools) environment(
	e env.Environment, v compose.View, settings env.Settings, alone bool,
) env.Environment {
	for _, t := range s.tools {
		e = e.With(t.Env())
	}
	return s.Environment(e, v, settings, alone)
}

// atHand are the toolchains that a project names and that an environment has therefore; not those that come with the
// view and with what languages need.
func (e *Engine) atHand(of []*lang.Language) []string {
	apart := e.pl.Compiling()
	for _, l := range of {
		apart = append(apart, e.pl.Catalog.ToolchainOf(l.Name).Name)
	}
	var out []string
	for name, asked := range e.pl.Project.Toolchains {
		if !slices.Contains(apart, name) && asked.Source != "host" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// providers are the toolchains that bring a program to a command, with those that it works with.
func (e *Engine) providers(named map[string]project.ToolchainRequest, program string) []string {
	if strings.Contains(program, "/") {
		return nil
	}
	apart := func(t *catalog.Toolchain) bool { // it comes with the view, or with what its language needs
		return slices.Contains(e.pl.Compiling(), t.Name) || table.Of(t.Language).Surround != nil
	}
	for _, t := range e.pl.Catalog.Toolchains {
		if _, ok := t.Programs[program]; !ok || t.Provides != "" || apart(t) {
			continue
		}
		if _, ok := named[t.Name]; ok {
			return nil // at hand already, or the host's by the user's word
		}
		return append([]string{t.Name}, t.Beside...)
	}
	return nil
}

// targets are the variables by which the languages' own build systems build for a platform.
func targets(p platform.Platform, b platform.Baseline) env.Environment {
	var out env.Environment
	for _, l := range table.Languages {
		if l.Targets != nil {
			out = out.Merge(l.Targets(p, b))
		}
	}
	return out
}

// flagsOf are a compiler's flags for a baseline.
func (e *Engine) flagsOf(language string, p platform.Platform, b platform.Baseline) ([]string, error) {
	for _, l := range table.Languages {
		flags, ok := l.Flags[language]
		if !ok {
			continue
		}
		release := "" // any, where the lock does not hold one yet
		if t, err := e.pl.Toolchain(e.pl.Catalog.ToolchainOf(l.Name).Name, p); err == nil {
			release = t.Version
		}
		return flags(b, release), nil
	}
	return nil, RequestError{errors.New("no flags are known of the language " + language)}
}
