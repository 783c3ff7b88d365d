package project

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node says where a key, a table or an element of a list stands in the
// text. The toml package gives values without positions (Undecoded has no
// line), so the text is scanned a second time for them alone.
type node struct {
	line, col int              // from 1; col counts bytes, as toml.Position does
	explicit  bool             // named as a whole, not only in passing as a in [a.b]
	keys      map[string]*node // of a table
	order     []string         // the table's keys as they appear
	items     []*node          // of a list, or of [[name]]
}

// key is the position of a key of the table n, or of n itself if the key is
// not in the text.
func (n *node) key(name string) *node {
	if child, ok := n.keys[name]; ok {
		return child
	}
	return n
}

// item is the position of an element of the list n, or of n itself.
func (n *node) item(i int) *node {
	if i < len(n.items) {
		return n.items[i]
	}
	return n
}

// scan finds the position of every key in a TOML text. It is meant for text
// that the toml package has accepted; in any other it finds something and
// returns, without a complaint.
func scan(text string) *node {
	s := &scanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	root := &node{line: 1, col: 1}
	s.document(root)
	return root
}

type scanner struct {
	text      string
	at        int
	counted   int // text before this offset is counted in line and lineStart
	line      int
	lineStart int
}

// part is one part of a dotted key.
type part struct {
	name      string
	line, col int
}

func (s *scanner) document(root *node) {
	table := root
	for s.blank(); s.at < len(s.text); s.blank() {
		if s.text[s.at] != '[' {
			s.keyValue(table)
			s.restOfLine()
			continue
		}
		s.at++
		list := s.accept('[')
		path := s.key()
		if len(path) == 0 {
			s.restOfLine()
			continue
		}
		last := path[len(path)-1]
		table = root.walk(path[:len(path)-1]).child(last)
		switch {
		case list:
			item := &node{line: last.line, col: last.col, explicit: true}
			table.explicit = true
			table.items = append(table.items, item)
			table = item
		case len(table.items) > 0: // not TOML, but a position all the same
			table = table.items[len(table.items)-1]
		default:
			table.name(last)
		}
		s.restOfLine()
	}
}

// walk goes down a dotted key, into the latest item of a [[list]].
func (n *node) walk(path []part) *node {
	for _, p := range path {
		n = n.child(p)
		if len(n.items) > 0 {
			n = n.items[len(n.items)-1]
		}
	}
	return n
}

func (n *node) child(p part) *node {
	if child, ok := n.keys[p.name]; ok {
		return child
	}
	child := &node{line: p.line, col: p.col}
	if n.keys == nil {
		n.keys = map[string]*node{}
	}
	n.keys[p.name] = child
	n.order = append(n.order, p.name)
	return child
}

// name moves n to where it is named as a whole: [a] may come after [a.b].
func (n *node) name(p part) {
	if !n.explicit {
		n.line, n.col, n.explicit = p.line, p.col, true
	}
}

func (s *scanner) keyValue(table *node) {
	path := s.key()
	if len(path) == 0 {
		return
	}
	last := path[len(path)-1]
	child := table.walk(path[:len(path)-1]).child(last)
	child.name(last)
	s.space()
	if s.accept('=') {
		s.value(child)
	}
}

// key reads a dotted key. It returns nothing where there is none.
func (s *scanner) key() []part {
	var path []part
	for {
		s.space()
		if s.at >= len(s.text) {
			return path
		}
		p := part{}
		p.line, p.col = s.position()
		start := s.at
		switch c := s.text[s.at]; {
		case c == '"' || c == '\'':
			p.name = s.quoted(c)
		default:
			for s.at < len(s.text) && bare(s.text[s.at]) {
				s.at++
			}
			if s.at == start {
				return path
			}
			p.name = s.text[start:s.at]
		}
		path = append(path, p)
		s.space()
		if !s.accept('.') {
			return path
		}
	}
}

func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func (s *scanner) value(n *node) {
	s.space()
	if s.at >= len(s.text) {
		return
	}
	switch c := s.text[s.at]; c {
	case '"', '\'':
		if strings.HasPrefix(s.text[s.at:], strings.Repeat(string(c), 3)) {
			s.multiline(c)
		} else {
			s.quoted(c)
		}
	case '[':
		s.at++
		s.elements(']', func() {
			item := &node{explicit: true}
			item.line, item.col = s.position()
			n.items = append(n.items, item)
			s.value(item)
		})
	case '{':
		s.at++
		s.elements('}', func() { s.keyValue(n) })
	default:
		for s.at < len(s.text) && !strings.ContainsRune(",]}#\r\n", rune(s.text[s.at])) {
			s.at++
		}
	}
}

// elements reads what a list or an inline table holds, up to and with its end.
func (s *scanner) elements(end byte, element func()) {
	for s.blank(); s.at < len(s.text); s.blank() {
		if s.accept(end) {
			return
		}
		if s.accept(',') {
			continue
		}
		before := s.at
		element()
		if s.at == before {
			s.at++ // not TOML; go on somehow
		}
	}
}

// quoted reads a string of one line and returns what it says.
func (s *scanner) quoted(quote byte) string {
	s.at++
	var b strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '\n':
			return b.String()
		case c == quote:
			s.at++
			return b.String()
		case c == '\\' && quote == '"':
			s.escape(&b)
		default:
			b.WriteByte(c)
			s.at++
		}
	}
	return b.String()
}

var escapes = map[byte]byte{'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', 'e': 0x1b, '"': '"', '\\': '\\'}

func (s *scanner) escape(b *strings.Builder) {
	s.at++ // the backslash
	if s.at >= len(s.text) || s.text[s.at] == '\n' {
		return
	}
	c := s.text[s.at]
	s.at++
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 {
		b.WriteByte(escapes[c])
		return
	}
	if s.at+digits > len(s.text) {
		return
	}
	code, err := strconv.ParseUint(s.text[s.at:s.at+digits], 16, 32)
	if err != nil || code > utf8.MaxRune {
		return
	}
	s.at += digits
	b.WriteRune(rune(code))
}

func (s *scanner) multiline(quote byte) {
	s.at += 3
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '\\' && quote == '"':
			s.at = min(s.at+2, len(s.text))
		case c != quote:
			s.at++
		default:
			run := s.at
			for s.at < len(s.text) && s.text[s.at] == quote {
				s.at++
			}
			// Up to two quotes may stand before the three that end the string.
			if s.at-run >= 3 {
				s.at = run + min(s.at-run, 5)
				return
			}
		}
	}
}

func (s *scanner) accept(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t') {
		s.at++
	}
}

// blank skips spaces, ends of lines and comments.
func (s *scanner) blank() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		case '#':
			s.restOfLine()
		default:
			return
		}
	}
}

func (s *scanner) restOfLine() {
	if i := strings.IndexByte(s.text[s.at:], '\n'); i >= 0 {
		s.at += i + 1
	} else {
		s.at = len(s.text)
	}
}

func (s *scanner) position() (line, col int) {
	for i := strings.IndexByte(s.text[s.counted:s.at], '\n'); i >= 0; i = strings.IndexByte(s.text[s.counted:s.at], '\n') {
		s.line++
		s.counted += i + 1
		s.lineStart = s.counted
	}
	return s.line, s.at - s.lineStart + 1
}
