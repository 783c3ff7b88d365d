package tomlfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestShallow: what looks like depth in strings and comments is none, and a text that ends too early is not deep.
func TestShallow(t *testing.T) {
	for name, text := range map[string]string{
		"strings":  "a = \"" + strings.Repeat("[{.", 100) + "\"\nb = '" + strings.Repeat("[{.", 100) + "'\nc = \"\"\"\n" + strings.Repeat("[{.", 100) + "\"\"\"\n d = '''" + strings.Repeat("'[{.", 100) + "'''\n",
		"comments": "# " + strings.Repeat("[{.", 100) + "\na = 1 # " + strings.Repeat("{", 100) + "\n",
		"many":     strings.Repeat("[a.b.c]\nx = [[1, 2.5], [3]]\n", 1000),
		"empty":    "",
		"no end":   "a = \"\\",
	} {
		_, err := Scan(text)
		if nested := new(NestedError); errors.As(err, &nested) || err != nil && name != "no end" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBounds: the last depth that is taken, and the first that is not, with its line.
func TestBounds(t *testing.T) {
	for name, deep := range map[string]func(n int) string{
		"lists":   func(n int) string { return "x = " + strings.Repeat("[", n) + strings.Repeat("]", n) },
		"tables":  func(n int) string { return "x = " + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) },
		"key":     func(n int) string { return strings.Repeat("b.", n-1) + "b = 1" },
		"header":  func(n int) string { return "[" + strings.Repeat("b.", n-1) + "b]" },
		"[[key]]": func(n int) string { return "[[" + strings.Repeat("b.", n-1) + "b]]" },
	} {
		if _, err := Scan(deep(maxDepth)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := Scan("a = 1\n\n" + deep(maxDepth+1))
		var nested *NestedError
		if !errors.As(err, &nested) || nested.Line != 3 {
			t.Errorf("%s, one more: error %v", name, err)
		}
	}
}

// TestAfterFault: the decoder sees nothing behind the place where the scanner stopped, so that a fault hides no depth.
func TestAfterFault(t *testing.T) {
	const n = 20_000
	deep := "\nx = " + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) + "\n"
	var v map[string]any
	_, _, err := Decode("a = 1\nb = = 2"+deep, &v)
	var syntax toml.ParseError
	if !errors.As(err, &syntax) || syntax.Position.Line != 2 {
		t.Errorf("error %v", err)
	}
}
