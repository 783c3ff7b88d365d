package plan

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/project"
)

// A making is an action of which the environment is being put together, by this plan.
type making struct {
	*Planner
	*lang.Making
	found map[string]string // variables by which toolchains are found
}

func (m *making) environment() error {
	for _, add := range []func() error{m.tools, m.compilers, m.hostPackages, m.spoken, m.dialects} {
		if err := add(); err != nil {
			return err
		}
	}
	if err := m.uname(); err != nil {
		return err
	}
	m.joined()
	// Python reads packages that the user has installed below HOME (docs.python.org, "Command line and environment").
	m.Action.Env.Set("PYTHONNOUSERSITE", "1")
	m.Action.Env = m.Action.Env.With(m.found).With(m.Config.Env).With(m.Target.Env)
	for _, l := range m.languages() {
		if l.Settled != nil {
			l.Settled(m.Making)
		}
	}
	return nil
}

// uname decides for which machine programs answer that are asked for it. Where nothing does, the host's own are on
// PATH.
func (m *making) uname() error {
	answer := cmp.Or(m.Target.Uname, m.Recipe.Uname)
	if answer == "" || answer == "host" && m.Recipe.Uname == "" {
		return nil
	}
	if m.View.Key == "" {
		if m.Target.Uname == "" {
			return nil
		}
		return fmt.Errorf("uname = %q: recipe %s has no C compiler for %s here, and without one nothing asks; remove the key",
			answer, m.Recipe.Name, m.Platform.Name)
	}
	m.Action.Env.Set("XBUILD_UNAME", answer)
	m.Action.Path = append([]string{m.View.Answers()}, m.Action.Path...)
	return nil
}

// tools puts toolchains on PATH, and notes what else the recipe needs.
func (m *making) tools() error {
	list, err := m.Planner.needs(m.Target, m.Vars)
	if err != nil {
		return err
	}
	m.found = map[string]string{}
	for _, need := range list {
		if !m.Action.Host {
			need = m.compiled(need, m.Making.Tools, m.Platform)
		}
		m.Needs.Sysroot, m.Needs.Host = m.Needs.Sysroot || need.Sysroot, m.Needs.Host || need.Host
		for _, name := range need.Toolchains {
			m.Needs.Toolchains = append(m.Needs.Toolchains, name)
			if m.Project.Toolchains[name].Source == "host" {
				m.jobserver(name, "")
				continue
			}
			tc, err := m.Making.Tools.Toolchain(name, m.Platform)
			if err != nil {
				return err
			}
			m.jobserver(name, tc.Version)
			m.Set.Toolchain(tc)
			m.Action.Path = append(m.Action.Path, tc.Bin())
			maps.Copy(m.found, tc.Env())
		}
		for _, name := range need.Parts {
			def := m.Catalog.Part(name)
			if def == nil || def.Archive != catalog.NPM {
				continue // of a toolchain
			}
			for _, version := range m.Vars[need.Versions].([]string) {
				s, err := m.Planner.Part(def, version)
				if err != nil {
					return err
				}
				m.Set.Sysroot(s)
				m.Parts = append(m.Parts, lang.Part{Def: def, Sysroot: s})
			}
		}
	}
	m.hostTools()
	m.Action.Explain = m.explanations(m.Target, m.Platform, m.Needs.Toolchains)
	return nil
}

// hostPackages puts programs on PATH, behind all others that xbuild brings: the target's own packages', then those that
// belong to the platform's sysroot.
func (m *making) hostPackages() error {
	list := m.View.Sysroot.HostPackages()
	if len(m.Target.HostPackages) > 0 && !m.Action.Host {
		r, err := m.TargetHostPackages(m.Target, m.Platform)
		if err != nil {
			return err
		}
		t, ok, err := m.Planner.HostPackages(r)
		if err != nil {
			return err
		}
		if ok {
			list = append([]compose.Toolchain{t}, list...)
		}
	}
	for _, t := range list {
		m.Set.Toolchain(t)
		m.Action.Path = append(m.Action.Path, t.Bin())
		m.Action.Env = m.Action.Env.With(t.Variables())
	}
	return nil
}

// jobserver notes how a toolchain of a version, "" where that is not known, takes jobs from a jobserver.
func (m *making) jobserver(name, version string) {
	def := m.Catalog.Toolchain(name)
	if def == nil {
		return
	}
	v, err := semver.NewVersion(version)
	for _, j := range def.Jobserver {
		c, cerr := semver.NewConstraint(cmp.Or(j.Versions, "*")) // the catalog's tests read it
		if j.Versions == "" || err == nil && cerr == nil && c.Check(v) {
			if m.Action.Jobservers == nil {
				m.Action.Jobservers = map[string]string{}
			}
			m.Action.Jobservers[name] = j.Form
			return
		}
	}
}

// hostTools says which programs of the host the action sees: those of the list, what the target names, and toolchains
// that the project takes from the host.
func (m *making) hostTools() {
	asked := slices.Clone(m.Target.HostTools)
	for _, name := range m.Needs.Toolchains {
		if m.Project.Toolchains[name].Source == "host" {
			asked = append(asked, slices.Sorted(maps.Keys(m.Catalog.Toolchain(name).Programs))...)
		}
	}
	seen, missing := m.Planner.HostTools.Visible(asked)
	for _, name := range missing {
		if slices.Contains(m.Target.HostTools, name) { // of a toolchain the command that wants it says it
			m.Action.Missing = fmt.Sprintf("%s:%d: host_tools in [target.%s] names %q, which is not on PATH of this machine: install it", m.Project.File, m.Target.Line, m.Target.Name, name)
		}
	}
	m.Action.Seen, m.Action.HostTools = seen, hosttools.ID(seen)
	m.Action.HostDir = filepath.Join(m.Project.BuildDir(), "host", m.Action.HostTools[:12])
}

// compilers brings the platform's compiler view, where the recipe compiles C.
func (m *making) compilers() error {
	var err error
	switch {
	case m.bringsLibc(m.Needs, m.Platform):
		compiler, err := m.Toolchain(m.Catalog.Compiler().Name, m.Platform)
		if err != nil {
			return err
		}
		m.View = compose.View{Platform: m.Platform, Compiler: compiler}
		if m.Target.Strip {
			m.Action.Strip = compiler.Program(m.Catalog.Compiler().Compiler.Strippers["strip"])
		}
	case m.Needs.Sysroot:
		name, view := m.Making.Tools.Compiler(m.Platform).Name+" for "+m.Platform.Name, m.Making.Tools.View
		if m.Action.Host {
			name, view = onHost, m.Making.Tools.OwnView
		}
		if m.View, err = once(m.Views, strings.TrimSpace(name+" "+m.Target.Stdlib), func() (compose.View, error) {
			return view(m.Platform)
		}); err != nil {
			return err
		}
		m.View = m.AsLenient(m.View)
		if !m.View.GCC() { // whose errors those of GCC are no news to a project
			m.Action.Strict = &action.Strict{
				Groups: m.View.Compiler.Lenient, CC: m.View.CC(), Logs: m.Recipe.Logs,
				Where: fmt.Sprintf("%s:%d: [target.%s]", m.Project.File, m.Target.Line, m.Target.Name),
			}
		}
		m.Set.View(m.View)
		for _, n := range m.Action.Needs {
			if !n.Run {
				m.Maps = append(m.Maps, mapped(n.Action, m.View)...)
			}
		}
		m.Settings.CFlags = append(m.Settings.CFlags, env.Quoted(m.Maps)...)
		m.Settings.CXXFlags = append(m.Settings.CXXFlags, env.Quoted(m.Maps)...)
		m.Action.Path = append([]string{m.View.Bin()}, m.Action.Path...)
		m.Action.Env = env.ForC(m.View, m.Settings, m.XBuild)
		m.Vars["cmake_toolchain"], m.Vars["meson_cross"] = m.View.CMakeToolchain(), m.View.Meson()
		m.Action.Sysroot, m.Action.Up = m.View.Sysroot.Dir, m.View.Sysroot.Up()
		if !m.Action.Host {
			_, suite, err := m.Suite(m.Platform)
			if err != nil {
				return err
			}
			if m.Action.Glibc = suite.Glibc; m.Action.Glibc != "" {
				m.Action.Glibc = cmp.Or(m.Config.Sysroot.Glibc, m.Action.Glibc)
			}
		}
		if m.Target.Strip {
			m.Action.Strip = m.View.Tool("strip")
		}
	}
	return nil
}

// languages are those of the action's tools.
func (m *making) languages() []*lang.Language {
	return slices.DeleteFunc(slices.Clone(table.Languages), func(l *lang.Language) bool { return !m.Uses(l.Name) })
}

// spoken adds what the languages want beside the platform's compilers.
func (m *making) spoken() error {
	m.C, m.Path = m.Action.Env, m.Action.Path
	for _, l := range m.languages() {
		if l.Environment != nil {
			if err := l.Environment(m.Making); err != nil {
				return err
			}
		}
	}
	return nil
}

// once remembers what was made under a name.
func once[T any](made map[string]T, name string, make func() (T, error)) (T, error) {
	if v, ok := made[name]; ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		made[name] = v
	}
	return v, err
}

// Watched is the directory that holds all of a target's own inputs.
func (pl *Planner) Watched(t project.Target) string {
	return pl.Files.Upwards(pl.Project.SourceDir(t), pl.Catalog.Recipe(t.Recipe).Root)
}
