package probe

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Refusal is a compilation that failed for nothing but errors of some groups; it has the first of them.
type Refusal struct {
	Place
	Message string
	Group   string // clang's name of what it is: implicit-function-declaration
}

// Function is the function that a refusal is about, where it was called without a declaration.
func (r Refusal) Function() string {
	if r.Group != "implicit-function-declaration" {
		return ""
	}
	_, name, _ := strings.Cut(r.Message, "'")
	name, _, _ = strings.Cut(name, "'")
	return name
}

func (r Refusal) String() string {
	message, _, _ := strings.Cut(r.Message, "; ISO C99")
	return message
}

// cxx are the suffixes of C++.
var cxx = []string{".cc", ".cpp", ".cxx", ".c++", ".C", ".mm"}

// Refusals reads what clang writes where CC_LOG_DIAGNOSTICS is set (LogDiagnosticPrinter.cpp): a plist's dictionary for
// each compilation that had something to say. It returns those in C that failed for errors alone which GCC 13 had as
// warnings: groups has them, by clang's names.
func Refusals(log string, groups []string) ([]Refusal, error) {
	// A source's line or a file's name may hold what no XML may.
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(log, "?"))
	d := xml.NewDecoder(strings.NewReader("<list>" + clean + "</list>"))
	var out []Refusal
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("what clang wrote of its messages: %w", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "dict" {
			continue
		}
		v, err := value(d, start)
		if err != nil {
			return nil, fmt.Errorf("what clang wrote of its messages: %w", err)
		}
		if r, ok := refusal(v.(map[string]any), groups); ok {
			out = append(out, r)
		}
	}
}

func refusal(compilation map[string]any, groups []string) (Refusal, bool) {
	main, _ := compilation["main-file"].(string)
	if slices.Contains(cxx, path.Ext(main)) {
		return Refusal{}, false
	}
	var first Refusal
	list, _ := compilation["diagnostics"].([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		text := func(key string) string { s, _ := m[key].(string); return s }
		switch text("level") {
		case "error", "fatal error":
		default:
			continue
		}
		if !slices.Contains(groups, text("WarningOption")) {
			return Refusal{}, false
		}
		if first.Group == "" {
			first = Refusal{Place: Place{File: path.Base(text("filename"))}, Message: text("message"),
				Group: text("WarningOption")}
			first.Line, _ = strconv.Atoi(text("line"))
			first.Column, _ = strconv.Atoi(text("column"))
		}
	}
	return first, first.Group != ""
}

// value is a plist's value whose first token was read: a dictionary, a list or a text.
func value(d *xml.Decoder, start xml.StartElement) (any, error) {
	dict, list, text, key := map[string]any{}, []any(nil), "", ""
	for {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.CharData:
			text += string(tok)
		case xml.StartElement:
			v, err := value(d, tok)
			if err != nil {
				return nil, err
			}
			s, _ := v.(string)
			switch {
			case tok.Name.Local == "key":
				key = s
			case start.Name.Local == "dict":
				dict[key] = v
			default:
				list = append(list, v)
			}
		case xml.EndElement:
			switch start.Name.Local {
			case "dict":
				return dict, nil
			case "array":
				return list, nil
			}
			return text, nil
		}
	}
}
