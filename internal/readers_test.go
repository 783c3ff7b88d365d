package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReaders holds programs to the one place that reads binaries: package object, which is bounded and fuzzed. The
// standard library's readers are not (the comment of package object says how). Tests may compare with them.
func TestReaders(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != ".." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "examples", "dist"}, d.Name())) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		checked++
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../"))
		for _, fault := range unbounded(f, dir) {
			t.Errorf("%s: %s: files are read by package object", strings.TrimPrefix(path, "../"), fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 100 {
		t.Errorf("only %d files were looked at: the test does not see the repository", checked)
	}
}

// unbounded are the uses in a file of readers that are not bounded.
func unbounded(f *ast.File, dir string) []string {
	readers := []string{"Open", "NewFile", "OpenFat", "NewFatFile"}
	names := map[string]string{} // of packages in this file
	var out []string
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // it was parsed
		switch path {
		case "debug/pe", "debug/macho":
			if dir != "internal/object" {
				out = append(out, "it imports "+path)
			}
		case "debug/elf":
		default:
			continue
		}
		name := strings.TrimPrefix(path, "debug/")
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && names[x.Name] != "" && slices.Contains(readers, s.Sel.Name) {
				out = append(out, "it uses "+s.Sel.Name+" of "+names[x.Name])
			}
		}
		return true
	})
	return out
}

// TestUnbounded shows what the rule refuses, so that TestReaders cannot pass because it sees nothing.
func TestUnbounded(t *testing.T) {
	for _, c := range []struct{ dir, source, want string }{
		{"internal/plan", `import "debug/elf"; var _ = elf.EM_386`, ""},
		{"internal/plan", `import "debug/elf"; var f, _ = elf.Open("x")`, "it uses Open of debug/elf"},
		{"internal/plan", `import format "debug/elf"; var f, _ = format.NewFile(nil)`, "it uses NewFile of debug/elf"},
		{"internal/plan", `import "debug/pe"; var _ = pe.IMAGE_FILE_DLL`, "it imports debug/pe"},
		{"internal/plan", `import "os"; var f, _ = os.Open("x")`, ""},
		{"internal/object", `import "debug/macho"; var _ = macho.Magic64`, ""},
		{"internal/object", `import "debug/macho"; var _, _ = macho.NewFile(nil)`, "it uses NewFile of debug/macho"},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+c.source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(unbounded(f, c.dir), ", "); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.source, c.dir, got, c.want)
		}
	}
}
