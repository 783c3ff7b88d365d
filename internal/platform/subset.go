package platform

import (
	"fmt"
	"strconv"
	"strings"
)

// The tables are read at every start of xbuild, and a full TOML decoder takes 2 ms for them, a seventh of what
// `xbuild env` may cost. This reader takes the part of TOML that they are written in, in a fiftieth of that:
// [table] and [[table]] headers, one `key = value` a line, and values that are a string without escapes, a list of
// such on one line, an integer, true or false, or an inline table of these. A test holds it against a full decoder.

// A section is one table; its keys keep their order.
type section struct {
	name string
	line int
	keys []entry
}

type entry struct {
	key  string
	text string   // a string, or the literal of an integer or a boolean
	list []string // a list
	keys []entry  // an inline table
	kind byte     // 's'tring, 'l'ist, 'n'umber, 'b'oolean, 't'able
}

// sections reads data, handing each table to f in the file's order.
func sections(data string, f func(section) error) error {
	var s section
	open := false
	flush := func() error {
		if !open {
			return nil
		}
		return f(s)
	}
	for line := 1; data != ""; line++ {
		var l string
		l, data, _ = strings.Cut(data, "\n")
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		if l[0] == '[' {
			if err := flush(); err != nil {
				return err
			}
			name := strings.TrimSuffix(strings.TrimSuffix(l, "]"), "]")
			name = strings.TrimPrefix(strings.TrimPrefix(name, "["), "[")
			s, open = section{name: unquote(name), line: line}, true
			continue
		}
		k, v, ok := strings.Cut(l, " = ")
		if !ok || !open {
			return fmt.Errorf("line %d: want key = value", line)
		}
		e, err := parseValue(strings.TrimSpace(v))
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", line, k, err)
		}
		e.key = unquote(strings.TrimSpace(k))
		s.keys = append(s.keys, e)
	}
	return flush()
}

func unquote(s string) string { return strings.ReplaceAll(s, `"`, "") }

func parseValue(v string) (entry, error) {
	e, rest, err := cutValue(v)
	if err == nil && rest != "" {
		err = fmt.Errorf("want one value, have %s", v)
	}
	return e, err
}

// cutValue takes a value off the front of v.
func cutValue(v string) (e entry, rest string, err error) {
	if v == "" {
		return e, "", fmt.Errorf("want a value")
	}
	switch v[0] {
	case '"':
		s, rest, ok := cutString(v)
		if !ok {
			return e, "", fmt.Errorf("want a string without escapes, have %s", v)
		}
		return entry{text: s, kind: 's'}, rest, nil
	case '[':
		e = entry{kind: 'l', list: make([]string, 0, 4)}
		for v = v[1:]; ; {
			v = strings.TrimLeft(v, ", ")
			if rest, ok := strings.CutPrefix(v, "]"); ok {
				return e, rest, nil
			}
			s, rest, ok := cutString(v)
			if !ok {
				return e, "", fmt.Errorf("want a list of strings on one line")
			}
			e.list, v = append(e.list, s), rest
		}
	case '{':
		e = entry{kind: 't'}
		for v = v[1:]; ; {
			v = strings.TrimLeft(v, ", ")
			if rest, ok := strings.CutPrefix(v, "}"); ok {
				return e, rest, nil
			}
			k, value, ok := strings.Cut(v, " = ")
			if !ok {
				return e, "", fmt.Errorf("want key = value in {}")
			}
			in, rest, err := cutValue(value)
			if err != nil {
				return e, "", err
			}
			in.key = unquote(k)
			e.keys, v = append(e.keys, in), rest
		}
	}
	end := strings.IndexAny(v, ",} ")
	if end < 0 {
		end = len(v)
	}
	text := v[:end]
	if text == "true" || text == "false" {
		return entry{text: text, kind: 'b'}, v[end:], nil
	}
	if _, err := strconv.ParseInt(text, 0, 64); err != nil {
		return e, "", fmt.Errorf("want a string, a list, an integer, true or false, have %s", v)
	}
	return entry{text: text, kind: 'n'}, v[end:], nil
}

// cutString takes a quoted string without escapes off the front of v.
func cutString(v string) (s, rest string, ok bool) {
	if v == "" || v[0] != '"' {
		return "", "", false
	}
	s, rest, ok = strings.Cut(v[1:], `"`)
	return s, rest, ok && !strings.Contains(s, `\`)
}

// bind stores the section's values where the fields point; a key without a field, or of another type, is an error.
func (s section) bind(fields map[string]any) error {
	for _, e := range s.keys {
		ok := false
		switch to := fields[e.key].(type) {
		case *string:
			*to, ok = e.text, e.kind == 's'
		case *[]string:
			*to, ok = e.list, e.kind == 'l'
		case *bool:
			*to, ok = e.text == "true", e.kind == 'b'
		case *int:
			n, err := strconv.Atoi(e.text)
			*to, ok = n, e.kind == 'n' && err == nil
		case *uint32:
			n, err := strconv.ParseUint(e.text, 0, 32)
			*to, ok = uint32(n), e.kind == 'n' && err == nil
		case nil:
			return fmt.Errorf("line %d: [%s] has no %q", s.line, s.name, e.key)
		}
		if !ok {
			return fmt.Errorf("line %d: [%s]: %s is of another type", s.line, s.name, e.key)
		}
	}
	return nil
}
