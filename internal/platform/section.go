package platform

import (
	"cmp"
	"fmt"
	"slices"

	"xbuild/internal/tomlfile"
)

// A section is a table of a definition, [kind.name] or [[kind]]. The tables are read at every start of xbuild, and
// decoding them into Go's types takes 2 ms, a seventh of what `xbuild env` may cost: so they are bound by hand.
type section struct {
	name string // kind or kind.name
	*tomlfile.Node
}

// sections hands each table to f in the file's order.
func sections(data string, f func(section) error) error {
	root, err := tomlfile.Scan(data)
	if err != nil {
		return err
	}
	var all []section
	for _, kind := range root.Nodes {
		if kind.Kind != tomlfile.List && kind.Kind != tomlfile.Table {
			return fmt.Errorf("line %d: want key = value in a table", kind.Line)
		}
		for _, n := range kind.Nodes {
			name := kind.Name
			if n.Name != "" {
				name += "." + n.Name
			}
			all = append(all, section{name, n})
		}
	}
	slices.SortStableFunc(all, func(a, b section) int { return cmp.Compare(a.Line, b.Line) })
	for _, s := range all {
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// bind stores the table's values where the fields point.
func (s section) bind(fields map[string]any) error {
	if err := s.Bind(fields); err != nil {
		return fmt.Errorf("[%s]: %w", s.name, err)
	}
	return nil
}
