package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"xbuild/internal/tomlfile"
)

// A report collects what is wrong.
type report struct {
	file string
	errs Errors
}

func (r *report) at(n *tomlfile.Node, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Line: n.Line, Col: n.Col, Message: fmt.Sprintf(format, args...)})
}

// A table is a TOML table that is being read. Each reading names a key and
// its type, so that end knows every key that is allowed.
type table struct {
	report *report
	name   string // as the user would write it: [target.hello]
	values map[string]any
	pos    *tomlfile.Node
	known  []string
}

// take gives the value of a key, and whether there is one.
func (t *table) take(key string) (any, bool) {
	t.known = append(t.known, key)
	v, ok := t.values[key]
	return v, ok
}

func (t *table) wrong(key string, pos *tomlfile.Node, want string, v any) {
	t.report.at(pos, "%s in %s wants %s, not %s%s", key, t.name, want, given(v), remedy(want, v))
}

// end reports the keys that nobody asked for.
func (t *table) end(verb string) {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(t.known, key) {
			t.report.at(t.pos.Key(key), "unknown key %q in %s%s", key, t.name, meant(key, t.known, verb))
		}
	}
}

func (t *table) string(key, fallback string) string {
	v, ok := t.take(key)
	if !ok {
		return fallback
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, t.pos.Key(key), aString, v)
		return fallback
	}
	return s
}

// choice is a string out of a list.
func (t *table) choice(key, fallback string, choices []string) string {
	s := t.string(key, fallback)
	if s == fallback || slices.Contains(choices, s) {
		return s
	}
	t.report.at(t.pos.Key(key), "unknown %s %q%s", key, s, meant(s, choices, "want"))
	return fallback
}

func (t *table) bool(key string) *bool {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, t.pos.Key(key), aBool, v)
		return nil
	}
	return &b
}

func (t *table) int(key string) (int64, bool) {
	v, ok := t.take(key)
	if !ok {
		return 0, false
	}
	i, ok := v.(int64)
	if !ok {
		t.wrong(key, t.pos.Key(key), anInt, v)
	}
	return i, ok
}

// An element is a string of a list and where it stands.
type element struct {
	string
	pos *tomlfile.Node
}

// elements reads a list of strings: nil where the key is missing, and only
// the strings of a list that has others.
func (t *table) elements(key string) []element {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.wrong(key, t.pos.Key(key), aList, v)
		return nil
	}
	pos := t.pos.Key(key)
	out := make([]element, 0, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			t.wrong(key, pos.Item(i), someStrings, v)
			continue
		}
		out = append(out, element{s, pos.Item(i)})
	}
	return out
}

func (t *table) strings(key string) []string { return plain(t.elements(key)) }

func plain(elements []element) []string {
	if elements == nil {
		return nil
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i] = e.string
	}
	return out
}

// sub is the table of a key, or nil where the key is missing.
func (t *table) sub(key, name string) *table {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	values, ok := v.(map[string]any)
	if !ok {
		t.wrong(key, t.pos.Key(key), aTable, v)
		return nil
	}
	return &table{report: t.report, name: name, values: values, pos: t.pos.Key(key)}
}

// stringMap reads a table of strings.
func (t *table) stringMap(key string) map[string]string {
	sub := t.sub(key, strings.TrimSuffix(t.name, "]")+"."+key+"]")
	if sub == nil {
		return nil
	}
	out := make(map[string]string, len(sub.values))
	for _, k := range sub.keys() {
		v := sub.values[k]
		if s, ok := v.(string); ok {
			out[k] = s
		} else {
			sub.wrong(k, sub.pos.Key(k), aString, v)
		}
	}
	return out
}

// keys are all keys in the order of the file.
func (t *table) keys() []string {
	keys := slices.Sorted(maps.Keys(t.values))
	at := make(map[string]int, len(keys))
	for i, k := range t.pos.Nodes {
		at[k.Name] = i
	}
	slices.SortStableFunc(keys, func(a, b string) int { return at[a] - at[b] })
	return keys
}

// given names the type of a value.
func given(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case time.Time:
		return "a date or time"
	case []map[string]any:
		return "a list of tables"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a %T", v)
}

// What a value has to be.
const (
	aString     = "a string"
	someStrings = "strings"
	aList       = "a list of strings"
	aBool       = "true or false"
	anInt       = "an integer"
	aTable      = "a table"
)

// remedy is what to write instead, where that is plain.
func remedy(want string, v any) string {
	switch v := v.(type) {
	case int64, float64, bool:
		if want == aString || want == someStrings {
			return "; put it in quotes"
		}
	case string:
		if want == aList {
			return fmt.Sprintf("; write [%q]", v)
		}
		if want == aBool && (v == "true" || v == "false") {
			return "; leave the quotes out"
		}
	}
	return ""
}
