package inspect

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Change is a fact that two files do not share. Of facts that are lists without an order, what came and what went.
type Change struct {
	Member string   `json:"member,omitempty"` // of an archive
	Fact   string   `json:"fact"`
	From   []string `json:"from,omitempty"` // all values, where the order counts
	To     []string `json:"to,omitempty"`
	Gone   []string `json:"gone,omitempty"`
	Came   []string `json:"came,omitempty"`
}

// Diff says what changed from one file to another, in the terms of the report. Sizes and names of the files are no
// facts.
func Diff(a, b *Report) []Change {
	out := []Change{}
	from, to := a.facts(), b.facts()
	var order []string
	index := func(list []fact) map[string]fact {
		m := map[string]fact{}
		for _, f := range list {
			m[f.name] = f
			if !slices.Contains(order, f.name) {
				order = append(order, f.name)
			}
		}
		return m
	}
	x, y := index(from), index(to)
	for _, name := range order {
		f, g := x[name], y[name]
		if slices.Equal(f.values, g.values) {
			continue
		}
		c := Change{Fact: name}
		if f.set || g.set {
			c.Gone, c.Came = without(f.values, g.values), without(g.values, f.values)
			if len(c.Gone)+len(c.Came) == 0 {
				continue // the same in another order
			}
		} else {
			c.From, c.To = f.values, g.values
		}
		out = append(out, c)
	}
	return append(out, members(a, b)...)
}

func without(list, other []string) []string {
	has := make(map[string]bool, len(other))
	for _, s := range other {
		has[s] = true
	}
	var out []string
	for _, s := range list {
		if !has[s] {
			out = append(out, s)
		}
	}
	return out
}

// members compares the members of archives that have the same name; of several with one name, in their order.
func members(a, b *Report) []Change {
	var out, came []Change
	rest := map[string][]*Report{}
	for _, m := range b.Members {
		rest[m.Path] = append(rest[m.Path], m)
	}
	for _, m := range a.Members {
		same := rest[m.Path]
		if len(same) == 0 {
			out = append(out, Change{Member: m.Path, Fact: "member", Gone: []string{m.Path}})
			continue
		}
		rest[m.Path] = same[1:]
		for _, c := range Diff(m, same[0]) {
			c.Member = m.Path
			out = append(out, c)
		}
	}
	for _, m := range b.Members {
		if list := rest[m.Path]; len(list) > 0 && list[0] == m {
			rest[m.Path] = list[1:]
			came = append(came, Change{Member: m.Path, Fact: "member", Came: []string{m.Path}})
		}
	}
	return append(out, came...)
}

// DiffText writes changes for people: long lists of symbols are cut.
func DiffText(w io.Writer, changes []Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	cut := func(list []string) string {
		const most = 12
		if len(list) > most {
			return fmt.Sprintf("%s … (%d in all)", strings.Join(list[:most], ", "), len(list))
		}
		return strings.Join(list, ", ")
	}
	for _, c := range changes {
		name := c.Fact
		if c.Member != "" && c.Fact != "member" {
			name = c.Member + ": " + c.Fact
		}
		fmt.Fprintln(w, name)
		for _, line := range []struct {
			mark string
			list []string
		}{{"-", c.From}, {"+", c.To}, {"-", c.Gone}, {"+", c.Came}} {
			if len(line.list) > 0 {
				fmt.Fprintf(w, "  %s %s\n", line.mark, cut(line.list))
			}
		}
	}
	return nil
}
