package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// A Chosen is a target as it is built: for platforms, or for the host, where programs of it run while another target is
// built.
type Chosen struct {
	project.Target
	Host  bool
	Asked []bool // of each platform: the caller asked for it; else another target needs it
}

// onHost is what an action for the host has in the place of a platform.
const onHost = "host"

// withNeeds adds to a selection what it needs, each before what needs it.
func (pl *Planner) withNeeds(list []Chosen) ([]Chosen, error) {
	var out []Chosen
	place := func(t project.Target, p platform.Platform, host, asked bool) {
		i := slices.IndexFunc(out, func(c Chosen) bool { return c.Name == t.Name && c.Host == host })
		if i < 0 {
			t.Platforms = nil
			out = append(out, Chosen{Target: t, Host: host})
			i = len(out) - 1
		}
		c := &out[i]
		if j := slices.IndexFunc(c.Platforms, func(q platform.Platform) bool { return q.Name == p.Name }); j >= 0 {
			c.Asked[j] = c.Asked[j] || asked
			return
		}
		c.Platforms, c.Asked = append(slices.Clone(c.Platforms), p), append(c.Asked, asked)
	}
	var add func(t project.Target, p platform.Platform, host, asked bool) error
	add = func(t project.Target, p platform.Platform, host, asked bool) error {
		for _, n := range t.For(p).Needs {
			next, ok := pl.Project.Target(n.Target)
			if !ok {
				return fmt.Errorf("%s:%d: there is no target %q", pl.Project.File, n.Line, n.Target)
			}
			to, onto := p, host || n.Host
			if onto {
				to = pl.Host
			}
			if err := add(next, to, onto, false); err != nil {
				return err
			}
		}
		place(t, p, host, asked)
		return nil
	}
	for _, c := range list {
		for _, p := range c.Platforms {
			if err := add(c.Target, p, false, true); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// needOf finds among what was chosen what a target for a platform, or for the host, needs, and which of its platforms.
func needOf(chosen []Chosen, n project.Need, p platform.Platform, host bool) (Chosen, int) {
	host = host || n.Host
	at := slices.IndexFunc(chosen, func(c Chosen) bool { return c.Name == n.Target && c.Host == host })
	if host {
		return chosen[at], 0
	}
	return chosen[at], slices.IndexFunc(chosen[at].Platforms, func(q platform.Platform) bool { return q.Name == p.Name })
}

// missing is the error of a target for a platform that another one needs and is not built for.
func (pl *Planner) missing(t project.Target, p platform.Platform, n project.Need) error {
	next, _ := pl.Project.Target(n.Target)
	listed := slices.ContainsFunc(next.Platforms, func(q platform.Platform) bool { return q.Name == p.Name })
	if n.Host || !next.Only || listed {
		return nil
	}
	return fmt.Errorf("%s:%d: target %q needs %q, which is not built for %s: its platforms (line %d) lack it",
		pl.Project.File, n.Line, t.Name, n.Target, p.Name, next.Line)
}

// requireOnHost asks for what a target needs to be built for each host that xbuild runs on, so that the lock is the
// same whoever writes it.
func (pl *Planner) requireOnHost(req *resolve.Requests, t project.Target) error {
	for _, name := range resolve.Hosts {
		host, err := platform.Parse(name)
		if err != nil {
			return err
		}
		own := t.For(host)
		if why, refused := pl.Catalog.Recipe(t.Recipe).Refuse[host.Name]; refused {
			return fmt.Errorf("recipe %s does not build for %s: %s", t.Recipe, host.Name, why)
		}
		if err := pl.ask(own); err != nil {
			return err
		}
		vars := pl.vars(own, host)
		needs, err := pl.needs(own, vars)
		if err != nil {
			return err
		}
		for _, need := range needs {
			if need.Sysroot || need.Host {
				if err := pl.For(own).AddOwn(req, host); err != nil {
					return err
				}
			}
			need.Host, need.Sysroot = false, false
			where := fmt.Sprintf("%s:%d: target %q", pl.Project.File, t.Line, t.Name)
			if err := pl.requireNeed(req, need, host, vars, where); err != nil {
				return err
			}
		}
	}
	return nil
}

// join says what a target for a platform is built with: the actions of what it needs, and for linking of what those
// need.
func (pl *Planner) join(t project.Target, oci string, made map[string]*action.Action) ([]action.Need, error) {
	var out []action.Need
	add := func(b *action.Action, run bool) {
		if !slices.ContainsFunc(out, func(n action.Need) bool { return n.Action == b && n.Run == run }) {
			out = append(out, action.Need{Target: b.Target, OCI: b.OCI, Prefix: b.Prefix, Run: run, Action: b})
		}
		b.Started, b.Linked = b.Started || run, b.Linked || !run
	}
	for _, n := range t.Needs {
		at := oci
		if n.Host {
			at = onHost
		}
		b := made[n.Target+" "+at]
		if b == nil {
			return nil, &action.NeedError{Target: n.Target, OCI: at}
		}
		add(b, n.Host)
		for _, m := range b.Needs {
			if !n.Host && !m.Run {
				add(m.Action, false)
			}
		}
	}
	return out, nil
}

// mapped are the flags by which no place of this machine comes from the headers of an action's prefix into an artifact.
// Meson has its own spelling of a view's sysroot.
func mapped(a *action.Action, v compose.View) []string {
	var out []string
	for _, sysroot := range []string{"", v.Sysroot.Dir + a.Up, v.Dir + "/../" + v.Sysroot.Key + a.Up} {
		out = append(out, "-ffile-prefix-map="+sysroot+a.Prefix+"=/needs/"+a.Target)
	}
	return out
}

// joined adds to an environment what an action needs: programs of the host are on PATH, and compilers and linkers find
// headers and libraries without being told. XBUILD_NEEDS is for what reads it in the compiler view: the linker, and
// CMake's toolchain file.
func (m *making) joined() {
	for _, prefix := range slices.Backward(lang.Started(m.Action.Needs)) {
		m.Action.Path = append([]string{filepath.Join(prefix, "bin")}, m.Action.Path...)
	}
	libraries := lang.Linked(m.Action.Needs)
	if len(libraries) == 0 || m.View.Key == "" {
		return
	}
	m.Action.Env.Set("CPATH", m.Below("include"))
	m.Action.Env.Set("PKG_CONFIG_PATH", m.PkgConfig())
	slices.Reverse(libraries)
	m.Action.Env.Set(m.View.Needs(), strings.Join(libraries, ":"))
}
