package tomlfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A Kind is what a key or an element holds.
type Kind byte

// What a node can be. Other is a float, a date or a time.
const (
	None Kind = iota
	Table
	List
	String
	Integer
	Bool
	Other
)

// A Node is a key, a table or an element of a list, and where it stands in the text.
type Node struct {
	Name      string // of a key
	Line, Col int    // from 1; Col counts bytes, as toml.Position does
	Kind      Kind
	Text      string  // what a string says; of a number or a boolean, how it is written
	Nodes     []*Node // of a table, its keys in the text's order; of a list, its elements
	Twice     bool    // the text gives it two values, which is no TOML

	explicit bool             // named as a whole, not only in passing as a in [a.b]
	open     bool             // a list of [[name]], which more of them go on
	closed   bool             // a list or an inline table that has ended
	index    map[string]*Node // of a table with many keys
}

// many is from how many keys on a table has an index.
const many = 16

// Get is a key of the table n, nil where it has none of that name.
func (n *Node) Get(name string) *Node {
	if n.Kind == List {
		return nil
	}
	if n.index != nil {
		return n.index[name]
	}
	for _, k := range n.Nodes {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Key is a key of the table n, or n itself where it has none of that name: the nearest place to show.
func (n *Node) Key(name string) *Node {
	if k := n.Get(name); k != nil {
		return k
	}
	return n
}

// Item is an element of the list n, or n itself.
func (n *Node) Item(i int) *Node {
	if n.Kind == List && i < len(n.Nodes) {
		return n.Nodes[i]
	}
	return n
}

// Clone is a node that has the same keys and elements, to which others can be added.
func (n *Node) Clone() *Node {
	c := *n
	c.Nodes, c.index = slices.Clone(n.Nodes), maps.Clone(n.index)
	return &c
}

// Put makes k a key of the table n, in the place of one that has its name.
func (n *Node) Put(k *Node) {
	if known := n.add(k); known != k {
		n.Nodes[slices.Index(n.Nodes, known)] = k
		if n.index != nil {
			n.index[k.Name] = k
		}
	}
}

// add makes a node a key of the table n, unless it has one of that name, and returns the one that it has.
func (n *Node) add(k *Node) *Node {
	if known := n.Get(k.Name); known != nil {
		return known
	}
	n.Nodes = append(n.Nodes, k)
	switch {
	case n.index != nil:
		n.index[k.Name] = k
	case len(n.Nodes) == many:
		n.index = make(map[string]*Node, 2*many)
		for _, k := range n.Nodes {
			n.index[k.Name] = k
		}
	}
	return k
}

// latest is the table that a key goes on in: n, or the last table of the list n.
func (n *Node) latest() *Node {
	n.Twice = n.Twice || n.closed
	if n.Kind == List && len(n.Nodes) > 0 {
		return n.Nodes[len(n.Nodes)-1]
	}
	n.kind(Table)
	return n
}

// name moves n to where it is named as a whole: [a] may come after [a.b].
func (n *Node) name(here *Node) {
	if n.explicit {
		n.Twice = true
		return
	}
	n.Line, n.Col, n.explicit = here.Line, here.Col, true
}

// kind says what n holds.
func (n *Node) kind(k Kind) {
	if n.Kind != None && n.Kind != k {
		n.Twice = true
	}
	n.Kind = k
}

// Bind stores what the keys of the table n hold where the fields point. A key without a field, one of another type and
// one that stands twice are errors. It is for the tables that are read at every start: decoding them takes 20 times as
// long.
func (n *Node) Bind(fields map[string]any) error {
	for _, k := range n.Nodes {
		ok := !k.Twice
		switch to := fields[k.Name].(type) {
		case *string:
			*to, ok = k.Text, ok && k.Kind == String
		case *[]string:
			list, strings := k.Strings()
			*to, ok = list, ok && strings
		case *bool:
			*to, ok = k.Text == "true", ok && k.Kind == Bool
		case *int:
			i, err := strconv.Atoi(k.Text)
			*to, ok = i, ok && k.Kind == Integer && err == nil && strconv.Itoa(i) == k.Text // 007 is no TOML
		case *int64:
			i, err := strconv.ParseInt(k.Text, 10, 64)
			*to, ok = i, ok && k.Kind == Integer && err == nil && strconv.FormatInt(i, 10) == k.Text
		case *uint32:
			i, err := strconv.ParseUint(k.Text, 0, 32)
			*to, ok = uint32(i), ok && k.Kind == Integer && err == nil
		case **Node:
			*to = k
		default:
			return fmt.Errorf("line %d: no %q is known here", k.Line, k.Name)
		}
		if !ok {
			return fmt.Errorf("line %d: %s is of another type", k.Line, k.Name)
		}
	}
	return nil
}

// Strings are the elements of a list of strings. The second result is false where n is something else.
func (n *Node) Strings() ([]string, bool) {
	if n.Kind != List {
		return nil, false
	}
	out := make([]string, 0, len(n.Nodes))
	for _, item := range n.Nodes {
		if item.Kind != String {
			return nil, false
		}
		out = append(out, item.Text)
	}
	return out, true
}
