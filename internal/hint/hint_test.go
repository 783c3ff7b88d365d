package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	inner := Add(fmt.Errorf("no file: %w", fs.ErrNotExist), "run %q", "xbuild lock")
	for _, c := range []struct {
		err         error
		whole, text string
		hints       []string
	}{
		{errors.New("plain"), "plain", "plain", nil},
		{inner, "no file: file does not exist\nhint: run \"xbuild lock\"", "no file: file does not exist", []string{`run "xbuild lock"`}},
		{fmt.Errorf("target: %w", Add(inner, "or 100%% else")), "target: no file: file does not exist\nhint: run \"xbuild lock\"\nhint: or 100% else",
			"target: no file: file does not exist", []string{`run "xbuild lock"`, "or 100% else"}},
		{errors.Join(Add(errors.New("a"), "x"), Add(errors.New("b"), "y")), "a\nhint: x\nb\nhint: y", "a\nb", []string{"x", "y"}},
		{Add(errors.New("log\nhint: of a program"), "x"), "log\nhint: of a program\nhint: x", "log\nhint: of a program", []string{"x"}},
	} {
		if got := c.err.Error(); got != c.whole {
			t.Errorf("printed %q, want %q", got, c.whole)
		}
		text, hints := Split(c.err)
		if text != c.text || !slices.Equal(hints, c.hints) {
			t.Errorf("%q is split into %q and %q", c.whole, text, hints)
		}
	}
	if !errors.Is(inner, fs.ErrNotExist) {
		t.Error("a hint hides what is wrong")
	}
}
