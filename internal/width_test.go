package internal

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// width is how many columns a line of code has at most, a tab counted as one.
const width = 120

// long is a string that is not broken, as a sentence for the user, an expression or a tag: what stands beside it counts.
const long = 60

// wide are the files, and folders of files, whose lines are longer, each with the reason.
var wide = []string{
	"internal/isa/gen/needs.go",        // a table
	"internal/isa/words.go",            // a table
	"internal/isa/x86.go",              // the legend of a table
	"internal/trace/calls_amd64.go",    // a table
	"internal/trace/calls_arm64.go",    // a table
	"e2e/testdata/defaults/go/main.go", // the report of the test names its lines
}

// TestWidth holds lines of code to their width. Tests are left out: their tables have a case in a line.
func TestWidth(t *testing.T) {
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		i := slices.IndexFunc(wide, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		for _, line := range over(data) {
			if i >= 0 {
				used[wide[i]] = true
				continue
			}
			t.Errorf("%s:%d has more than %d columns", name, line, width)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range wide {
		if !used[prefix] {
			t.Errorf("%s has no long line: it needs no place in wide", prefix)
		}
	}
}

// over are the lines that are too long. Lines within a string of many lines are data.
func over(data []byte) []int {
	lines := strings.Split(string(data), "\n")
	free := make([]int, len(lines)+1) // by line, the columns that do not count
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(data))
	s.Init(file, data, nil, scanner.ScanComments)
	for pos, tok, lit := s.Scan(); tok != token.EOF; pos, tok, lit = s.Scan() {
		if tok != token.STRING {
			continue
		}
		first, many := file.Line(pos), strings.Count(lit, "\n")
		if n := utf8.RuneCountInString(lit); many == 0 && n > long {
			free[first] += n
		}
		for line := first; many > 0 && line <= first+many; line++ {
			free[line] = len(lines[line-1])
		}
	}
	var out []int
	for i, line := range lines {
		if utf8.RuneCountInString(line)-free[i+1] > width {
			out = append(out, i+1)
		}
	}
	return out
}

// TestOver shows what is too long, so that TestWidth cannot pass because it sees nothing.
func TestOver(t *testing.T) {
	call := "\tf(" + strings.Repeat("a, ", 50) + "a)\n"
	sentence := "\tf(\"" + strings.Repeat("word ", 40) + "\")\n"
	raw := "const c = `\n" + strings.Repeat("w", 200) + "\n`\n"
	for text, want := range map[string]int{
		"package p\n" + call:                              1,
		"package p\n// " + strings.Repeat("word ", 30):    1,
		"package p\n" + sentence + raw:                    0,
		"package p\n" + sentence[:len(sentence)-1] + call: 1,
	} {
		if got := len(over([]byte(text))); got != want {
			t.Errorf("%d lines are too long, want %d:\n%s", got, want, text)
		}
	}
}
