// Package hint keeps what the user can do about an error apart from what is wrong. An error with a hint comes from
// whoever knows the way out, and is wrapped on its way up like any other. Whoever prints it prints it whole, with the
// hints as lines of their own, or splits it.
package hint

import (
	"fmt"
	"strings"
)

// A Hinter is an error that knows what the user can do. Its text ends with Line of the hint.
type Hinter interface {
	error
	Hint() string // empty where there is none
}

// An Error is an error and what the user can do about it.
type Error struct {
	err  error
	hint string
}

func (e *Error) Error() string { return e.err.Error() + Line(e.hint) }

func (e *Error) Unwrap() error { return e.err }

// Hint is what the user can do.
func (e *Error) Hint() string { return e.hint }

// Add gives an error a hint.
func Add(err error, format string, args ...any) error {
	return &Error{err, fmt.Sprintf(format, args...)}
}

// Line is a hint at the end of an error's text, nothing where the hint is empty.
func Line(hint string) string {
	if hint == "" {
		return ""
	}
	return "\nhint: " + hint
}

// Split returns the text of an error without its hints, and the hints.
func Split(err error) (text string, hints []string) {
	text = err.Error()
	hints = all(err)
	for _, h := range hints {
		text = strings.Replace(text, Line(h), "", 1)
	}
	return text, hints
}

// all are the hints of an error and of those that it wraps, the innermost first.
func all(err error) []string {
	var out []string
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			out = all(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			out = append(out, all(inner)...)
		}
	}
	if h, ok := err.(Hinter); ok && h.Hint() != "" {
		out = append(out, h.Hint())
	}
	return out
}
