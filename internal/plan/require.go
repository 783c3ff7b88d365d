package plan

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/catalog"
	"xbuild/internal/hint"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/toolset"
)

// A Requirement is what the lock has to hold for one target on one platform, or why it cannot be built there.
type Requirement struct {
	Target   string
	Platform string // the name
	resolve.Requests
	Err error
}

// Requirements says what the lock has to hold for a selection, one a target and platform. What is wrong with one stops
// no other.
func (pl *Planner) Requirements(sel Selection) ([]Requirement, error) {
	targets, err := pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	var out []Requirement
	for _, t := range targets {
		for _, p := range t.Platforms {
			r := Requirement{Target: t.Name, Platform: p.Name}
			if t.Host {
				r.Platform = onHost
				r.Err = pl.requireOnHost(&r.Requests, t.Target)
			} else {
				r.Err = pl.require(&r.Requests, t.Target, p)
			}
			if r.Err != nil {
				r.Err = fmt.Errorf("%s:%d: target %q: %w", pl.Project.File, t.Line, t.Name, r.Err)
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// Require says what the lock has to hold for a selection, in which nothing may be wrong.
func (pl *Planner) Require(sel Selection) (resolve.Requests, error) {
	all, err := pl.Requirements(sel)
	if err != nil {
		return resolve.Requests{}, err
	}
	for _, r := range all {
		if r.Err != nil {
			return resolve.Requests{}, r.Err
		}
	}
	return Merged(all), nil
}

// Merged is all that requirements in which nothing is wrong request, each request once.
func Merged(all []Requirement) resolve.Requests {
	var out resolve.Requests
	for _, r := range all {
		if r.Err != nil {
			continue
		}
		for _, t := range r.Toolchains {
			toolset.PutToolchain(&out, t)
		}
		for _, s := range r.Sysroots {
			toolset.PutSysroot(&out, s)
		}
		for _, p := range r.Parts {
			toolset.PutPart(&out, p)
		}
		for _, p := range r.HostPackages {
			toolset.PutHostPackages(&out, p)
		}
	}
	return out
}

// require asks for what one target needs for one platform.
func (pl *Planner) require(req *resolve.Requests, t project.Target, p platform.Platform) error {
	t = t.For(p)
	for _, n := range t.Needs {
		if err := pl.missing(t, p, n); err != nil {
			return err
		}
	}
	p, err := pl.WithLibc(p)
	if err != nil {
		return err
	}
	if libc := pl.Libc(p); libc == "musl" && t.Static != nil && !*t.Static {
		return fmt.Errorf("static = false: programs for %s are always linked statically", libc)
	}
	if why, refused := pl.Catalog.Recipe(t.Recipe).Refuse[p.Name]; refused {
		return hint.Add(fmt.Errorf("recipe %s does not build for %s: %s", t.Recipe, p.Name, why),
			"name the target's platforms without it: platforms = […]")
	}
	if err := pl.ask(t); err != nil {
		return err
	}
	vars := pl.vars(t, p)
	for _, r := range pl.Catalog.Recipe(t.Recipe).Refusals {
		if refused, err := r.Of(vars, t.Env); err != nil {
			return fmt.Errorf("recipes/%s.toml: %w", t.Recipe, err)
		} else if refused && slices.Contains(r.Platforms, p.Name) {
			return hint.Add(fmt.Errorf("recipe %s does not build this for %s: %s", t.Recipe, p.Name, r.Why),
				"name the target's platforms without it: platforms = […]")
		}
	}
	needs, err := pl.needs(t, vars)
	if err != nil {
		return err
	}
	for _, need := range needs {
		need = pl.compiled(need, pl.For(t), p)
		if err := pl.requireNeed(req, need, p, vars,
			fmt.Sprintf("%s:%d: target %q", pl.Project.File, t.Line, t.Name)); err != nil {
			return err
		}
		for _, name := range need.Toolchains {
			if def := pl.Catalog.Toolchain(name); def.Dialect != nil {
				if _, _, err := pl.spelled(def, t, p, vars["static"].(bool)); err != nil {
					return err
				}
			}
		}
	}
	if len(t.HostPackages) > 0 {
		r, err := pl.TargetHostPackages(t, p)
		if err != nil {
			return err
		}
		toolset.PutHostPackages(req, r)
	}
	return nil
}

// ask takes from a target's own files which releases of toolchains it wants, where xbuild.toml names none.
func (pl *Planner) ask(t project.Target) error {
	if l := table.Of(pl.Catalog.Recipe(t.Recipe).Language); l.Ask != nil {
		return l.Ask(&pl.Tools, t)
	}
	return nil
}

// bringsLibc tells whether one of the tools links for a platform by itself, with a C library of its own: there is no C
// compiler then.
func (pl *Planner) bringsLibc(need catalog.Need, p platform.Platform) bool {
	return p.RustLinker != "" && slices.ContainsFunc(need.Toolchains, func(name string) bool {
		def := pl.Catalog.Toolchain(name)
		return def != nil && def.BringsLibc
	})
}

// compiled is a need with the platform's compiler of C in the place of the one that recipes name.
func (pl *Planner) compiled(need catalog.Need, ts *toolset.Tools, p platform.Platform) catalog.Need {
	named, own := pl.Catalog.Compiler().Name, ts.Compiler(p).Name
	i := slices.Index(need.Toolchains, named)
	if i < 0 || own == named || pl.bringsLibc(need, p) {
		return need
	}
	need.Toolchains = slices.Clone(need.Toolchains)
	need.Toolchains[i] = own
	return need
}

// requireNeed asks for all that a recipe needs for a platform.
func (pl *Planner) requireNeed(req *resolve.Requests, need catalog.Need, p platform.Platform, vars catalog.Vars,
	where string) error {
	for _, name := range need.Toolchains {
		if err := pl.AddToolchain(req, name, p); err != nil {
			return err
		}
	}
	if need.Sysroot && !pl.bringsLibc(need, p) {
		if err := pl.AddSysroot(req, p); err != nil {
			return err
		}
	}
	if need.Host {
		if err := pl.AddToolchain(req, pl.Catalog.Compiler().Name, p); err != nil {
			return err
		}
		if err := pl.AddHost(req, p); err != nil {
			return err
		}
	}
	for _, name := range need.Parts {
		if def := pl.Catalog.Part(name); def != nil && def.Archive == catalog.NPM {
			for _, version := range vars[need.Versions].([]string) {
				if _, err := semver.NewConstraint(version); err != nil {
					return fmt.Errorf("%s names %q, which is no version (such as %q, %q or %q)", need.Versions, version, "24",
						"22.14.0", ">=20.11, <21")
				}
				toolset.PutSysroot(req, resolve.SysrootRequest{Def: def, Arch: "all", Suite: version,
					Where: fmt.Sprintf("%s: %s names %q", where, need.Versions, version)})
			}
			continue
		}
		if err := pl.AddPart(req, name, p); err != nil {
			return err
		}
	}
	return nil
}

// needs are a recipe's for a target, those whose conditions hold, and the target's own tools.
func (pl *Planner) needs(t project.Target, vars catalog.Vars) ([]catalog.Need, error) {
	recipe := pl.Catalog.Recipe(t.Recipe)
	var out []catalog.Need
	for _, need := range recipe.Needs {
		ok, err := vars.Holds(need.When)
		if err != nil {
			return nil, fmt.Errorf("recipes/%s.toml: %w", recipe.Name, err)
		}
		if ok {
			if ok, err = pl.wanted(need, filepath.Join(pl.Project.Dir, filepath.FromSlash(t.Source)), t.Recipe); err != nil {
				return nil, err
			}
			// What a target itself says, in vars for one, is as good as what its Makefile says.
			ok = ok || len(need.Mentions) > 0 && anyOf(need.Words).MatchString(fmt.Sprint(t.Options, t.Env))
		}
		if ok {
			out = append(out, need)
		}
	}
	if len(t.Tools) > 0 {
		out = append(out, catalog.Need{Toolchains: t.Tools})
	}
	return out, nil
}

// wanted tells whether the source of a project in a directory is one that a need is for: by the crates that it locks,
// or by what its files mention.
func (pl *Planner) wanted(need catalog.Need, dir, recipe string) (bool, error) {
	if len(need.Crates) > 0 {
		def := pl.Catalog.Recipe(recipe)
		return table.Of(def.Language).Depends(&pl.Tools, pl.Files.Upwards(dir, def.Root), need.Crates)
	}
	if len(need.Mentions) == 0 {
		return true, nil
	}
	return pl.Files.Mentions(dir, need.Mentions, anyOf(need.Words))
}

// anyOf matches each of some words.
func anyOf(words []string) *regexp.Regexp {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = regexp.QuoteMeta(w)
	}
	return regexp.MustCompile(`\b(?:` + strings.Join(quoted, "|") + `)\b`)
}
