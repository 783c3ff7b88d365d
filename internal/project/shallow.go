package project

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep values lie in each other, and the parts of a dotted key. The toml package takes minutes for
// some thousands, and hears no signal meanwhile; what people write has five.
const maxDepth = 32

// Shallow refuses a TOML text that is nested deeper than anybody writes. Of a text that is no TOML it says nothing.
func Shallow(file, text string) error {
	depth, dots, line := 0, 0, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n':
			line++
			dots = 0
		case '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case '"', '\'':
			end := stringEnd(text[i:])
			line += strings.Count(text[i:i+end], "\n")
			i += end - 1
		case '[', '{':
			depth++
			dots = 0
		case ']', '}':
			depth = max(depth-1, 0)
			dots = 0
		case '=', ',':
			dots = 0
		case '.':
			dots++
		}
		if depth > maxDepth || dots > maxDepth {
			return fmt.Errorf("%s:%d: nested deeper than %d tables or lists", file, line, maxDepth)
		}
	}
	return nil
}

// stringEnd is the length of the string that a text begins with, or of the line where it does not end (toml.io, v1.0,
// "String").
func stringEnd(text string) int {
	quote := text[:1]
	long := quote + quote + quote
	if strings.HasPrefix(text, long) {
		for i := 3; i < len(text); i++ {
			switch {
			case text[i] == '\\' && quote == `"`:
				i++
			case strings.HasPrefix(text[i:], long):
				return i + 3
			}
		}
		return len(text)
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\n':
			return i
		case text[i] == '\\' && quote == `"`:
			i++
		case text[i] == quote[0]:
			return i + 1
		}
	}
	return len(text)
}
