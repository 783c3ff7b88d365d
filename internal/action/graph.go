package action

import (
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/compose"
)

// A Graph is every action, in the order of the project's targets and platforms, and all that has to be in the store for
// them.
type Graph struct {
	Actions []*Action   `json:"actions"`
	Set     compose.Set `json:"-"`
	Faults  []Fault     `json:"-"` // what is not built, because it cannot be
}

// A Fault is why a target is not built for a platform. It stops nothing else.
type Fault struct {
	Target   string
	Platform string
	Err      error
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

// Dot draws a graph in the language of Graphviz: an arrow leads from what is needed to what needs it.
func (g *Graph) Dot() string {
	var b strings.Builder
	b.WriteString("digraph xbuild {\n  rankdir = LR;\n  node [shape = box];\n")
	name := func(target, oci string) string { return fmt.Sprintf("%q", target+"\n"+oci) }
	for _, a := range g.Actions {
		fmt.Fprintf(&b, "  %s;\n", name(a.Target, a.OCI))
		for _, n := range a.direct() {
			style := ""
			if n.Run {
				style = " [style = dashed]"
			}
			fmt.Fprintf(&b, "  %s -> %s%s;\n", name(n.Target, n.OCI), name(a.Target, a.OCI), style)
		}
	}
	for _, f := range g.Faults {
		fmt.Fprintf(&b, "  %s [color = red];\n", name(f.Target, f.Platform))
	}
	b.WriteString("}\n")
	return b.String()
}

// Tree draws a graph as lines of text: what needs nothing stands at the left, below each action what needs it.
func (g *Graph) Tree() string {
	var b strings.Builder
	var write func(a *Action, depth int)
	write = func(a *Action, depth int) {
		fmt.Fprintf(&b, "%s%s for %s\n", strings.Repeat("  ", depth), a.Target, a.OCI)
		for _, next := range g.Actions {
			if slices.ContainsFunc(next.direct(), func(n Need) bool { return n.Action == a }) {
				write(next, depth+1)
			}
		}
	}
	for _, a := range g.Actions {
		if len(a.Needs) == 0 {
			write(a, 0)
		}
	}
	for _, f := range g.Faults {
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
