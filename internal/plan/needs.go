package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/compose"
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

// A Need is another action's result that an action is built with.
type Need struct {
	Target string  `json:"target"`
	OCI    string  `json:"platform"`
	Prefix string  `json:"prefix"`         // the directory with include, lib and bin
	Run    bool    `json:"host,omitempty"` // its programs run while the action is built; else they are linked with
	Action *Action `json:"-"`
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
		if err := pl.manager(own); err != nil {
			return err
		}
		vars := pl.vars(own, host)
		needs, err := pl.needs(own, vars)
		if err != nil {
			return err
		}
		for _, need := range needs {
			if need.Sysroot || need.Host {
				if err := pl.requireHost(req, pl.hostAsPlatform(host)); err != nil {
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
func (pl *Planner) join(t project.Target, oci string, made map[string]*Action) ([]Need, error) {
	var out []Need
	add := func(b *Action, run bool) {
		if !slices.ContainsFunc(out, func(n Need) bool { return n.Action == b && n.Run == run }) {
			out = append(out, Need{Target: b.Target, OCI: b.OCI, Prefix: b.Prefix, Run: run, Action: b})
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
			return nil, &NeedError{Target: n.Target, OCI: at}
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

// up leads from an action's sysroot to the root directory.
func (a *Action) up() string {
	at, err := filepath.EvalSymlinks(a.Sysroot)
	if err != nil { // it is not in the store yet, where no link is in it
		at = a.Sysroot
		if dir, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(at))); err == nil {
			at = filepath.Join(dir, filepath.Base(filepath.Dir(at)), filepath.Base(at))
		}
	}
	return strings.Repeat("/..", strings.Count(at, "/"))
}

// Spelled is the path of an action's prefix as its pkg-config files have it: pkg-config puts the sysroot's path in
// front of every path that does not hold it (pkgconf's tuple.c, should_rewrite_sysroot), so that it leads out of the
// sysroot, however that is spelled.
func (a *Action) Spelled() string {
	if a.Sysroot == "" {
		return a.Prefix
	}
	return "${pc_sysrootdir}" + a.up() + a.Prefix
}

// mapped are the flags by which no place of this machine comes from the headers of an action's prefix into an artifact.
// Meson has its own spelling of a view's sysroot.
func (a *Action) mapped(v compose.View) []string {
	var out []string
	for _, sysroot := range []string{"", v.Sysroot.Dir + a.up(), v.Dir + "/../" + v.Sysroot.Key + a.up()} {
		out = append(out, "-ffile-prefix-map="+sysroot+a.Prefix+"=/needs/"+a.Target)
	}
	return out
}

// joined adds to an environment what an action needs: programs of the host are on PATH, and compilers and linkers find
// headers and libraries without being told. XBUILD_NEEDS is for what reads it in the compiler view: the linker, and
// CMake's toolchain file.
func (m *making) joined() {
	for _, prefix := range slices.Backward(started(m.a.Needs)) {
		m.a.Path = append([]string{filepath.Join(prefix, "bin")}, m.a.Path...)
	}
	libraries := linked(m.a.Needs)
	if len(libraries) == 0 || m.view.Key == "" {
		return
	}
	below := func(dirs ...string) string {
		var out []string
		for _, dir := range dirs {
			for _, prefix := range libraries {
				out = append(out, filepath.Join(prefix, dir))
			}
		}
		return strings.Join(out, ":")
	}
	m.a.Env.Set("CPATH", below("include"))
	m.a.Env.Set("PKG_CONFIG_PATH", below("lib/pkgconfig", "share/pkgconfig"))
	if m.vars["rust"] != nil { // the crate pkg-config prefers a target's own
		own := "PKG_CONFIG_PATH_" + strings.ReplaceAll(m.p.Rust, "-", "_")
		m.a.Env.Set(own, below("lib/pkgconfig", "share/pkgconfig"))
	}
	slices.Reverse(libraries)
	m.a.Env.Set(m.view.Needs(), strings.Join(libraries, ":"))
}

// WithNeeds are actions and all that they need, each once.
func WithNeeds(actions []*Action) []*Action {
	var out []*Action
	var add func(a *Action)
	add = func(a *Action) {
		if slices.Contains(out, a) {
			return
		}
		for _, n := range a.Needs {
			add(n.Action)
		}
		out = append(out, a)
	}
	for _, a := range actions {
		add(a)
	}
	return out
}

// A NeedError says that a target is not built because another one is not, which has an error of its own.
type NeedError struct{ Target, OCI string }

func (e *NeedError) Error() string {
	return fmt.Sprintf("not built: it needs %s for %s, which failed", e.Target, e.OCI)
}

// linked and started are the prefixes of needs: those that are linked with, and those whose programs run.
func linked(needs []Need) []string  { return prefixes(needs, false) }
func started(needs []Need) []string { return prefixes(needs, true) }

func prefixes(needs []Need, run bool) []string {
	var out []string
	for _, n := range needs {
		if n.Run == run {
			out = append(out, n.Prefix)
		}
	}
	return out
}

// Dot draws a plan in the language of Graphviz: an arrow leads from what is needed to what needs it.
func (p *Plan) Dot() string {
	var b strings.Builder
	b.WriteString("digraph xbuild {\n  rankdir = LR;\n  node [shape = box];\n")
	name := func(target, oci string) string { return fmt.Sprintf("%q", target+"\n"+oci) }
	for _, a := range p.Actions {
		fmt.Fprintf(&b, "  %s;\n", name(a.Target, a.OCI))
		for _, n := range a.direct() {
			style := ""
			if n.Run {
				style = " [style = dashed]"
			}
			fmt.Fprintf(&b, "  %s -> %s%s;\n", name(n.Target, n.OCI), name(a.Target, a.OCI), style)
		}
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %s [color = red];\n", name(f.Target, f.Platform))
	}
	b.WriteString("}\n")
	return b.String()
}

// Tree draws a plan as lines of text: what needs nothing stands at the left, below each action what needs it.
func (p *Plan) Tree() string {
	var b strings.Builder
	var write func(a *Action, depth int)
	write = func(a *Action, depth int) {
		fmt.Fprintf(&b, "%s%s for %s\n", strings.Repeat("  ", depth), a.Target, a.OCI)
		for _, next := range p.Actions {
			if slices.ContainsFunc(next.direct(), func(n Need) bool { return n.Action == a }) {
				write(next, depth+1)
			}
		}
	}
	for _, a := range p.Actions {
		if len(a.Needs) == 0 {
			write(a, 0)
		}
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "%s for %s: cannot be built\n", f.Target, f.Platform)
	}
	return b.String()
}

// direct are the needs of an action that no other of its needs has.
func (a *Action) direct() []Need {
	var out []Need
	for _, n := range a.Needs {
		same := func(k Need) bool { return k.Action == n.Action && k.Run == n.Run }
		through := func(m Need) bool {
			return !m.Run && m.Action != n.Action && slices.ContainsFunc(m.Action.Needs, same)
		}
		if !slices.ContainsFunc(a.Needs, through) {
			out = append(out, n)
		}
	}
	return out
}
