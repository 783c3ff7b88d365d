package internal

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// order is the direction in which data flows: a package imports only those before it. inspect reads files and knows
// platforms, nothing of building: it stands high, so that execute can hold what it made against the platform, and
// emulate need not read headers a second way.
var order = []string{
	"lazyregexp", "spelling", "hint", "tomlfile", "object", "platform", "guard", "disk", "trace", "probe", "isa", "inspect", "unstripped", "crash", "archive", "crates", "node", "scan", "catalog", "project", "lock", "store", "fetch", "origin", "resolve", "compose", "toolset", "env", "hosttools", "action", "explain", "lang", "plan", "cache", "jobs", "execute", "emulate", "bench", "image", "engine",
}

// alone are import paths, by prefix, that one package has to itself.
var alone = map[string]string{
	"github.com/hashicorp/go-getter": "internal/fetch",
	"xbuild/toolchains":              "internal/catalog",
	"xbuild/sysroots":                "internal/catalog",
	"xbuild/recipes":                 "internal/catalog",
}

// TestImports holds every package's imports against the rule in the design: only packages above, never the command, and
// the libraries that one package owns by that package alone. It parses the files itself: what a `go list` prints would
// be served from the test cache.
func TestImports(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "examples" || d.Name() == "dist") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../"))
		test := strings.HasSuffix(path, "_test.go")
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checked++
			if fault := forbidden(dir, imported, test); fault != "" {
				t.Errorf("%s imports %s: %s", strings.TrimPrefix(path, "../"), imported, fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 100 {
		t.Errorf("only %d imports were looked at: the test does not see the repository", checked)
	}
}

// forbidden says what is wrong with an import, "" where nothing is.
func forbidden(dir, imported string, test bool) string {
	for prefix, owner := range alone {
		if strings.HasPrefix(imported, prefix) && dir != owner {
			return "that is for " + owner + " alone"
		}
	}
	if strings.HasPrefix(imported, "xbuild/cmd") {
		return "nothing imports the command"
	}
	name, ours := strings.CutPrefix(imported, "xbuild/internal/")
	from, inside := strings.CutPrefix(dir, "internal/")
	if inside && !test {
		if top, _, sub := strings.Cut(from, "/"); sub {
			from = top // archive/archivetest stands where archive does
		} else if !slices.Contains(order, from) {
			return "package " + from + " has no place in the order of packages (internal/imports_test.go and the design)"
		}
	}
	if !ours {
		return ""
	}
	if strings.HasSuffix(name, "test") && !test && !strings.HasSuffix(dir, "test") {
		return "it is for tests"
	}
	name, _, _ = strings.Cut(name, "/")
	if !slices.Contains(order, name) {
		return "it has no place in the order of packages (internal/imports_test.go and the design)"
	}
	// Tests may read definitions and tools of packages below their own; programs may not.
	if inside && !test && from != name && slices.Index(order, name) > slices.Index(order, from) {
		return name + " stands below " + from
	}
	return ""
}

// TestForbidden shows what the rule refuses, so that TestImports cannot pass because it sees nothing.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		test          bool
		want          string
	}{
		{"internal/plan", "xbuild/internal/env", false, ""},
		{"internal/env", "xbuild/internal/plan", false, "plan stands below env"},
		{"internal/store", "xbuild/internal/fetch", false, "fetch stands below store"},
		{"internal/fetch", "xbuild/internal/store", false, ""},
		{"internal/fetch", "github.com/hashicorp/go-getter/v2", false, ""},
		{"internal/resolve", "github.com/hashicorp/go-getter/v2", false, "that is for internal/fetch alone"},
		{"cmd/xbuild", "xbuild/recipes", false, "that is for internal/catalog alone"},
		{"internal/catalog", "xbuild/recipes", false, ""},
		{"internal/resolve", "xbuild/internal/archive/archivetest", true, ""},
		{"internal/resolve", "xbuild/internal/archive/archivetest", false, "it is for tests"},
		{"internal/origin/rust/rustdisttest", "xbuild/internal/archive/archivetest", false, ""},
		{"internal/archive/archivetest", "xbuild/internal/plan", false, "plan stands below archive"},
		{"internal/execute", "xbuild/internal/inspect", false, ""},
		{"internal/inspect", "xbuild/internal/plan", false, "plan stands below inspect"},
		{"internal/util", "fmt", false, "package util has no place in the order of packages (internal/imports_test.go and the design)"},
		{"e2e", "xbuild/cmd/xbuild", true, "nothing imports the command"},
	} {
		if got := forbidden(c.dir, c.imported, c.test); got != c.want {
			t.Errorf("%s importing %s: %q, want %q", c.dir, c.imported, got, c.want)
		}
	}
}

// TestOrder sees that every package of the order that exists lies where it says.
func TestOrder(t *testing.T) {
	dirs, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		files, err := filepath.Glob(filepath.Join(d.Name(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		program := slices.ContainsFunc(files, func(f string) bool { return !strings.HasSuffix(f, "_test.go") })
		if program && !slices.Contains(order, d.Name()) {
			t.Errorf("package internal/%s has no place in the order of packages", d.Name())
		}
	}
}
