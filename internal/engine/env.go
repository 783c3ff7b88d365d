package engine

import (
	"context"
	"errors"
	"os"
	"slices"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
)

// An Environment makes any build system build for a platform.
type Environment struct {
	Vars env.Environment
	Path []string // directories in front of PATH
}

// Env returns the environment of a platform; "" is the host. What it names is in the store then: it is locked, fetched
// and composed where it was not. A spelling that is no platform is a RequestError; that the lock may not be changed, or
// that something is not to be had, has no type of its own.
func (e *Engine) Env(ctx context.Context, platformName string) (Environment, error) {
	p, err := e.one(platformName)
	if err != nil {
		return Environment{}, err
	}
	s, err := e.surroundings(ctx, p, "", nil)
	if err != nil {
		return Environment{}, err
	}
	return Environment{s.vars(e.self), s.path()}, nil
}

// An ExecRequest is a command that is to build for a platform.
type ExecRequest struct {
	Platform string // in any spelling; "" is the host
	Command  []string
}

// Exec returns the caller's environment as a command is to have it, all of it, in which PATH is the one that finds the
// command's program. The store is kept from being tidied up until this process ends. Errors are those of Env.
func (e *Engine) Exec(ctx context.Context, r ExecRequest) (env.Environment, error) {
	if len(r.Command) == 0 {
		return nil, RequestError{errors.New("exec: no command")}
	}
	if err := e.store.Keep(ctx); err != nil {
		return nil, err
	}
	p, err := e.one(r.Platform)
	if err != nil {
		return nil, err
	}
	s, err := e.surroundings(ctx, p, r.Command[0], e.providers(e.pl.Project.Toolchains, r.Command[0]))
	if err != nil {
		return nil, err
	}
	vars := s.vars(e.self)
	if s.alone && e.inProject {
		// cargo starts the runner in the directory of a package, which may lie outside.
		vars.Set("XBUILD_PROJECT", e.pl.Project.Dir)
	}
	out := inFront(os.Environ(), s.path())
	for _, name := range env.Astray {
		out.Unset(name)
	}
	for _, v := range e.called(out) {
		out.Set(v.Name, v.Value)
	}
	for _, v := range vars { // after that: a project may set one of them
		out.Set(v.Name, v.Value)
	}
	out.Set("XBUILD_STORE", e.store.Dir()) // the command may call xbuild, by a tool of its own or as cargo's runner
	return out, nil
}

// A surroundings is what an environment of a platform is made of.
type surroundings struct {
	platform    platform.Platform
	baseline    platform.Baseline
	settings    env.Settings
	own         map[string]string   // the project's variables
	view        compose.View        // none where the platform has no C
	host, plain compose.View        // none where a language's tools alone are called
	languages   []languageTools     // of the languages whose tools it is for
	alone       bool                // nothing but a language's tools reads it
	named       []compose.Toolchain // that the project names
	provided    []compose.Toolchain // that the command is of
}

// surroundings puts all of it into the store. command is the program, "" where there is none; provided names its
// toolchains.
func (e *Engine) surroundings(
	ctx context.Context, p platform.Platform, command string, provided []string,
) (*surroundings, error) {
	cfg := e.pl.Project.Config(p)
	languages, alone := e.languagesFor(command)
	s := &surroundings{platform: p, alone: alone, own: cfg.Env, provided: make([]compose.Toolchain, len(provided))}
	s.settings = env.Settings{CFlags: cfg.CFlags, CXXFlags: cfg.CXXFlags, LDFlags: cfg.LDFlags, Static: p.Static}
	var err error
	if s.baseline, err = e.pl.Baseline(p); err != nil {
		return nil, err
	}
	var things []thing
	if p.HasSysroot() {
		things = append(things, e.view(p, &s.view))
		if !alone {
			things = append(things, e.hostView(p, &s.host, &s.plain))
		}
		serve := slices.DeleteFunc(slices.Clone(languages), func(l *lang.Language) bool { return !l.Serves(p) })
		s.languages = make([]languageTools, len(serve))
		for i, l := range serve {
			t, err := e.languageTools(l, p, &s.languages[i])
			if err != nil {
				return nil, err
			}
			things = append(things, t)
		}
		names := e.atHand(languages)
		s.named = make([]compose.Toolchain, len(names))
		for i, name := range names {
			things = append(things, e.toolchain(name, p, &s.named[i]))
		}
	}
	for i, name := range provided {
		things = append(things, e.toolchain(name, p, &s.provided[i]))
	}
	return s, e.have(ctx, "xbuild fetch --exec", things...)
}

// vars are the variables.
func (s *surroundings) vars(xbuild string) env.Environment {
	var e env.Environment
	if s.platform.HasSysroot() {
		e = env.ForC(s.view, s.settings, xbuild)
		for _, kv := range env.ForPages(s.view.Platform) {
			if own := os.Getenv(kv.Name); own != "" {
				e.Set(kv.Name, own) // the caller knows on which kernels it is to run
			}
		}
		for _, t := range s.view.Sysroot.HostPackages() {
			e = e.With(t.Variables())
		}
		if !s.alone {
			e = e.Merge(table.ForHost(s.view, s.host, s.plain, s.settings, os.Getenv("MAKEFLAGS")))
		}
		for _, l := range s.languages {
			e = l.environment(e, s.view, s.settings, s.alone)
		}
	}
	return e.Merge(targets(s.platform, s.baseline)).With(s.own)
}

// path are the directories in front of PATH.
func (s *surroundings) path() []string {
	var out []string
	if s.platform.HasSysroot() {
		for _, t := range s.named {
			out = append(out, t.Bin())
		}
		slices.Sort(out)
		out = append([]string{s.view.Bin()}, out...)
		for _, l := range s.languages {
			if s.alone {
				out = append(l.path(), out...) // cc and ar without a name in front are the host's there
			} else {
				out = append(out, l.path()...)
			}
		}
		for _, t := range s.view.Sysroot.HostPackages() {
			out = append(out, t.Bin())
		}
		out = append(out, s.view.Absent())
	}
	for _, t := range s.provided {
		out = append(out, t.Bin())
	}
	return out
}

// A FlagsRequest says which flags are asked for.
type FlagsRequest struct {
	Platform string   // in any spelling; "" is the host
	Language string   // of those that table.Languages have Flags for: c, c++ …
	CPU      string   // in the place of the project's
	Features []string // beside the project's
}

// Flags returns the flags of a platform's baseline for a language's compiler; for Go they are variables, NAME=value. A
// platform, CPU or feature that does not fit is a RequestError.
func (e *Engine) Flags(r FlagsRequest) ([]string, error) {
	p, err := e.one(r.Platform)
	if err != nil {
		return nil, err
	}
	cfg := e.pl.Project.Config(p)
	if r.CPU != "" {
		cfg.CPU = r.CPU
	}
	b, err := p.Baseline(cfg.CPU, append(slices.Clone(cfg.Features), r.Features...))
	if err != nil {
		return nil, RequestError{err}
	}
	return e.flagsOf(r.Language, p, b)
}
