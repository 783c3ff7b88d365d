// Package tomlfile says where things stand in a TOML text, and refuses a text that is nested too deep to be decoded.
// Text comes in; a tree of keys, tables and elements goes out, each with its line, column and literal value. Its tokens
// are those of go-toml's parser. Values of Go are made by BurntSushi/toml, which tells no positions and takes minutes
// for a hostile text. The package opens no file.
package tomlfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxDepth bounds how deep values lie in each other, and the parts of a dotted key. BurntSushi/toml takes minutes for
// some thousands, and hears no signal meanwhile; what people write has five.
const maxDepth = 32

// A SyntaxError says where a text is no TOML.
type SyntaxError struct {
	Line, Col int
	Message   string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// A NestedError says where a text is nested deeper than anybody writes.
type NestedError struct{ Line int }

func (e *NestedError) Error() string {
	return fmt.Sprintf("nested deeper than %d tables or lists", maxDepth)
}

// Decode decodes a text into v and tells where its keys stand. The error is a toml.ParseError where the text is no
// TOML, a NestedError where it is nested too deep, and else what BurntSushi/toml says of v.
func Decode(text string, v any) (*Node, toml.MetaData, error) {
	root, err := Scan(text)
	var syntax *SyntaxError
	switch {
	case errors.As(err, &syntax):
		// What comes after the fault was not looked at, so the decoder does not see it either.
		seen := throughLine(text, syntax.Line)
		if _, err := toml.Decode(seen, v); err != nil {
			return nil, toml.MetaData{}, err
		}
		at := toml.Position{Line: syntax.Line, Col: syntax.Col}
		return nil, toml.MetaData{}, toml.ParseError{Message: syntax.Message, Position: at}
	case err != nil:
		return nil, toml.MetaData{}, err
	}
	meta, err := toml.Decode(text, v)
	return root, meta, err
}

// throughLine is a text up to the end of a line.
func throughLine(text string, line int) string {
	end := 0
	for range line {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}

// Scan finds every key, table and element of a text. It returns a SyntaxError or a NestedError where it stops. A key
// that stands twice is marked and no error: decoding says it.
func Scan(text string) (*Node, error) {
	s := &scanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	s.parser.KeepComments = true // the place of a list is found from what stands before it
	s.parser.Reset([]byte(s.text))
	root := &Node{Line: 1, Col: 1, Kind: Table}
	table := root
	for s.parser.NextExpression() {
		e := s.parser.Expression()
		var err error
		switch e.Kind {
		case unstable.Comment:
			s.pass(e)
		case unstable.KeyValue:
			err = s.keyValue(table, e, 0)
		default:
			table, err = s.header(root, e)
		}
		if err != nil {
			return nil, err
		}
		if next := e.Next(); next != nil {
			s.pass(next) // the comment behind it
		}
	}
	return root, s.fault()
}

type scanner struct {
	text      string
	parser    unstable.Parser
	end       int // where the last token ends
	counted   int // text before this offset is counted in line and lineStart
	line      int
	lineStart int
	slab      []Node
}

// fault is why the parser stopped before the end.
func (s *scanner) fault() error {
	err := s.parser.Error()
	if err == nil {
		return nil
	}
	var fault *unstable.ParserError
	line, col := 1+strings.Count(s.text, "\n"), 1
	if errors.As(err, &fault) && len(fault.Highlight) > 0 {
		at := s.parser.Range(fault.Highlight).Offset
		before := s.text[:at]
		line, col = 1+strings.Count(before, "\n"), len(before)-strings.LastIndexByte(before, '\n')
	}
	// The parser itself gives up at 10,000 levels.
	if strings.Contains(err.Error(), "nested more than") {
		return &NestedError{line}
	}
	return &SyntaxError{Line: line, Col: col, Message: err.Error()}
}

// pass moves on behind a token, and behind the comments that hang below the first of several.
func (s *scanner) pass(n *unstable.Node) {
	s.end = max(s.end, int(n.Raw.Offset+n.Raw.Length))
	if n.Kind == unstable.Comment {
		for it := n.Children(); it.Next(); {
			s.pass(it.Node())
		}
	}
}

// make makes a node at an offset. Offsets only grow.
func (s *scanner) make(name string, offset int) *Node {
	for {
		i := strings.IndexByte(s.text[s.counted:offset], '\n')
		if i < 0 {
			break
		}
		s.line++
		s.counted += i + 1
		s.lineStart = s.counted
	}
	s.counted = max(s.counted, offset)
	if len(s.slab) == 0 {
		s.slab = make([]Node, 256)
	}
	n := &s.slab[0]
	s.slab = s.slab[1:]
	n.Name, n.Line, n.Col = name, s.line, offset-s.lineStart+1
	return n
}

// string is what a token says, without a copy where it stands in the text as it is.
func (s *scanner) string(n *unstable.Node) string {
	for _, skip := range []int{0, 1} { // a bare key, a string in quotes
		from := int(n.Raw.Offset) + skip
		if to := from + len(n.Data); to <= len(s.text) && s.text[from:to] == string(n.Data) {
			return s.text[from:to]
		}
	}
	return string(n.Data)
}

func (s *scanner) header(root *Node, e *unstable.Node) (*Node, error) {
	table := root
	depth := 0
	for it := e.Key(); it.Next(); {
		part := it.Node()
		if depth++; depth > maxDepth {
			return nil, &NestedError{s.make("", int(part.Raw.Offset)).Line}
		}
		here := s.make(s.string(part), int(part.Raw.Offset))
		s.pass(part)
		child := table.add(here)
		switch {
		case !it.IsLast():
			child = child.latest()
		case e.Kind == unstable.ArrayTable:
			child.kind(List)
			child.Twice = child.Twice || child.explicit && !child.open
			child.explicit, child.open = true, true
			item := &Node{Line: here.Line, Col: here.Col, Kind: Table, explicit: true}
			child.Nodes = append(child.Nodes, item)
			child = item
		default:
			child.kind(Table)
			child.name(here)
		}
		table = child
	}
	return table, nil
}

func (s *scanner) keyValue(table *Node, e *unstable.Node, depth int) error {
	parts := 0
	for it := e.Key(); it.Next(); {
		part := it.Node()
		if parts++; parts > maxDepth {
			return &NestedError{s.make("", int(part.Raw.Offset)).Line}
		}
		here := s.make(s.string(part), int(part.Raw.Offset))
		s.pass(part)
		table = table.add(here)
		if it.IsLast() {
			table.name(here)
			break
		}
		table = table.latest()
	}
	return s.value(table, e.Value(), depth)
}

// value fills in what a key or an element holds. Depth is how many lists and tables it lies in.
func (s *scanner) value(n *Node, e *unstable.Node, depth int) error {
	defer s.pass(e)
	switch e.Kind {
	case unstable.Array, unstable.InlineTable:
		defer func() { n.closed = true }()
		if depth == maxDepth {
			return &NestedError{s.make("", s.open(e)).Line}
		}
		s.end = s.open(e) + 1
	}
	switch e.Kind {
	case unstable.Array:
		n.kind(List)
		for it := e.Children(); it.Next(); {
			child := it.Node()
			if child.Kind == unstable.Comment {
				s.pass(child)
				continue
			}
			at := int(child.Raw.Offset)
			if child.Kind == unstable.Array {
				at = s.open(child)
			}
			item := s.make("", at)
			item.explicit = true
			n.Nodes = append(n.Nodes, item)
			if err := s.value(item, child, depth+1); err != nil {
				return err
			}
		}
	case unstable.InlineTable:
		n.kind(Table)
		for it := e.Children(); it.Next(); {
			child := it.Node()
			if child.Kind == unstable.Comment {
				s.pass(child)
				continue
			}
			if err := s.keyValue(n, child, depth+1); err != nil {
				return err
			}
		}
	case unstable.String:
		n.kind(String)
		n.Text = s.string(e)
	case unstable.Integer:
		n.kind(Integer)
		n.Text = string(e.Data)
	case unstable.Bool:
		n.kind(Bool)
		n.Text = string(e.Data)
	default:
		n.kind(Other)
		n.Text = string(e.Data)
	}
	return nil
}

// open is where a list or an inline table begins. The parser does not say it of a list; between the token before it
// and its bracket stand only spaces, commas, an equals sign and the ends of other lists.
func (s *scanner) open(e *unstable.Node) int {
	if e.Kind == unstable.InlineTable {
		return int(e.Raw.Offset)
	}
	return s.end + max(0, strings.IndexByte(s.text[s.end:], '['))
}
