// Package plan makes a graph of actions from a project, the catalog and the lock: which toolchains, sysroots and
// compiler views are needed, and for every target and platform the commands, their environment and the artifacts that
// come out. It runs nothing, fetches nothing and writes nothing; what it has to know of the project's files package
// scan reads.
package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
)

// A Planner holds what every plan of one xbuild process is made from.
type Planner struct {
	toolset.Tools
	XBuild string // the xbuild program, for emulators
	// Environ are variables of the caller that go into every build unchanged: proxies, and what the languages' own
	// tools are configured by.
	Environ env.Environment
	// HostTools are the programs of this machine, of which builds see some.
	HostTools hosttools.Host
	// Holders names the packages of a platform that have a header, a library or the like of a name, or of the host that
	// have a program; nil where nobody looks. It is called for hints, several at once.
	Holders func(p platform.Platform, name string, program bool) []string
}

// A Selection is the part of a project that a command was asked for; nothing named means all.
type Selection struct {
	Targets   []string
	Platforms []platform.Platform
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
func (pl *Planner) New(sel Selection) (*action.Graph, error) {
	out, err := pl.Possible(sel, nil)
	if err == nil && len(out.Faults) > 0 {
		return nil, out.Faults[0].Err
	}
	return out, err
}

// Possible plans what can be planned of a selection; what cannot are the plan's faults. Of requirements in which
// something is wrong that is known already.
func (pl *Planner) Possible(sel Selection, known []Requirement) (*action.Graph, error) {
	targets, err := pl.Choose(sel)
	if err != nil {
		return nil, err
	}
	out := &action.Graph{}
	d := &drawing{views: map[string]compose.View{}, sources: map[string][]string{}, made: map[string]*action.Action{}}
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
			out.Faults = append(out.Faults, action.Fault{Target: c.Name, Platform: name, Err: known[i].Err})
			return
		}
		a, err := pl.planned(d, c, p)
		if err != nil {
			out.Faults = append(out.Faults, action.Fault{Target: c.Name, Platform: name, Err: err})
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
	made    map[string]*action.Action // by target and platform
}

// planned is the action of one target for one platform.
func (pl *Planner) planned(d *drawing, c Chosen, p platform.Platform) (*action.Action, error) {
	t := c.For(p)
	var err error
	if !c.Host {
		if p, err = pl.WithLibc(p); err != nil {
			return nil, fmt.Errorf("%s:%d: target %q: %w", pl.Project.File, t.Line, t.Name, err)
		}
	}
	a, err := pl.action(d, t, p, c.Host)
	if errors.As(err, new(*action.NeedError)) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%d: target %q for %s: %w", pl.Project.File, t.Line, t.Name, p.Name, err)
	}
	return a, nil
}
