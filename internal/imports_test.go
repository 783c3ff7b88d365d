package internal

import (
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the picture of the packages into docs/design.md")

// order is the direction in which data flows: a package imports only those before it. inspect reads files and knows
// platforms, nothing of building: it stands high, so that execute can hold what it made against the platform, and
// emulate need not read headers a second way.
var order = []string{
	"lazyregexp", "spelling", "hint", "tomlfile", "object", "platform", "guard", "disk", "trace", "answer", "probe", "isa", "inspect", "unstripped", "crash", "archive", "crates", "node", "scan", "catalog", "project", "lock", "store", "fetch", "origin", "resolve", "compose", "toolset", "env", "hosttools", "action", "explain", "lang", "plan", "cache", "jobs", "execute", "emulate", "bench", "image", "engine",
}

// alone are import paths, by prefix, that one package has to itself.
var alone = map[string]string{
	"github.com/alecthomas/kong":     "cmd/xbuild",
	"github.com/hashicorp/go-getter": "internal/fetch",
	"xbuild/toolchains":              "internal/catalog",
	"xbuild/sysroots":                "internal/catalog",
	"xbuild/recipes":                 "internal/catalog",
}

// pure are packages that touch neither disk nor network, nor start anything: what they have to know is handed in.
var pure = []string{"platform", "action", "plan"}

// effects are packages of Go's library, and of others, by which that is done.
var effects = []string{"os", "os/exec", "net", "net/http", "go/build", "github.com/bmatcuk/doublestar/v4"}

// An imported is one import of a file.
type imported struct {
	file, dir string // from the repository's root
	path      string
	test      bool // the file is a test
}

// imports are the imports of all packages and tests. The files are parsed here: what a `go list` prints would be served
// from the test cache.
func imports(t *testing.T) []imported {
	t.Helper()
	var out []imported
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
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(strings.TrimPrefix(path, "../"))
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			out = append(out, imported{file, filepath.ToSlash(filepath.Dir(file)), name, strings.HasSuffix(path, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("only %d imports were looked at: the test does not see the repository", len(out))
	}
	return out
}

// TestImports holds every package's imports against the rule in the design: only packages above, never the command, and
// the libraries that one package owns by that package alone.
func TestImports(t *testing.T) {
	for _, i := range imports(t) {
		if fault := forbidden(i.dir, i.path, i.test); fault != "" {
			t.Errorf("%s imports %s: %s", i.file, i.path, fault)
		}
	}
}

// The picture stands between these lines of docs/design.md.
const (
	design = "../docs/design.md"
	begin  = "<!-- picture: go test ./internal -run Picture -update -->\n"
	end    = "<!-- end -->\n"
)

// TestPicture holds the picture of the packages in docs/design.md against the code.
func TestPicture(t *testing.T) {
	data, err := os.ReadFile(design)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", design, begin, end)
	}
	want := before + begin + "```mermaid\n" + picture(arrows(imports(t))) + "```\n" + end + after
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("the picture in docs/design.md is not that of the code (renew with: go test ./internal -run Picture -update); it would be\n%s", picture(arrows(imports(t))))
	}
	if err := os.WriteFile(design, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// arrows are the packages, each with those that it imports itself, tests left out. Packages below another, such as
// archive/archivetest, are no rooms of their own.
func arrows(list []imported) map[string][]string {
	out := map[string][]string{}
	for _, i := range list {
		from, ours := strings.CutPrefix(i.dir, "internal/")
		if !ours && i.dir != "cmd/xbuild" || i.test || strings.HasSuffix(i.dir, "test") {
			continue
		}
		from, _, _ = strings.Cut(from, "/")
		to, ours := strings.CutPrefix(i.path, "xbuild/internal/")
		to, _, _ = strings.Cut(to, "/")
		if !slices.Contains(out[from], to) && ours && to != from {
			out[from] = append(out[from], to)
		} else if out[from] == nil {
			out[from] = []string{}
		}
	}
	return out
}

// picture draws arrows in mermaid's words, from a package to those that it imports. An arrow is left out where a longer
// way says it already: cmd imports nearly all, and a picture of every import shows nothing.
func picture(arrows map[string][]string) string {
	var b strings.Builder
	b.WriteString("graph TD\n")
	for _, from := range slices.Sorted(maps.Keys(arrows)) {
		direct := slices.Sorted(slices.Values(arrows[from]))
		direct = slices.DeleteFunc(direct, func(to string) bool {
			return slices.ContainsFunc(arrows[from], func(by string) bool { return by != to && reaches(arrows, by, to) })
		})
		if len(direct) == 0 {
			fmt.Fprintf(&b, "  %s\n", from)
			continue
		}
		fmt.Fprintf(&b, "  %s --> %s\n", from, strings.Join(direct, " & "))
	}
	return b.String()
}

// reaches tells whether one package imports another, by way of others or itself. There are no circles: Go has none.
func reaches(arrows map[string][]string, from, to string) bool {
	return slices.ContainsFunc(arrows[from], func(next string) bool { return next == to || reaches(arrows, next, to) })
}

// TestDrawn shows what the picture leaves out.
func TestDrawn(t *testing.T) {
	got := picture(arrows([]imported{
		{dir: "internal/a", path: "fmt"},
		{dir: "internal/b", path: "xbuild/internal/a"},
		{dir: "internal/b/btest", path: "xbuild/internal/d"},
		{dir: "internal/c", path: "xbuild/internal/d", test: true},
		{dir: "internal/c/sub", path: "xbuild/internal/a"},
		{dir: "internal/c", path: "xbuild/internal/b/btest"},
		{dir: "internal/c", path: "xbuild/internal/c/sub"},
		{dir: "cmd/xbuild", path: "xbuild/internal/c"},
		{dir: "cmd/xbuild", path: "xbuild/internal/a"},
		{dir: "e2e", path: "xbuild/internal/a"},
	}))
	const want = "graph TD\n  a\n  b --> a\n  c --> b\n  cmd --> c\n"
	if got != want {
		t.Errorf("drawn\n%s\nwant\n%s", got, want)
	}
}

// forbidden says what is wrong with an import, "" where nothing is.
func forbidden(dir, imported string, test bool) string {
	for prefix, owner := range alone {
		if strings.HasPrefix(imported, prefix) && dir != owner {
			return "that is for " + owner + " alone"
		}
	}
	if name := strings.TrimPrefix(dir, "internal/"); !test && slices.Contains(pure, name) && slices.Contains(effects, imported) {
		return name + " is pure"
	}
	if strings.HasPrefix(imported, "xbuild/cmd") {
		return "nothing imports the command"
	}
	if language, ok := strings.CutPrefix(imported, "xbuild/internal/lang/"); ok && language != "table" && !test &&
		strings.HasPrefix(dir, "internal/") && dir != "internal/lang/table" {
		return "languages are reached by internal/lang/table"
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

// named are words by which a language, or the C compiler's files, would be told in code, and the files that may: its
// own, and those whose data has a column or a kind of that name.
var named = map[string][]string{
	`"rust"`:        {"lang/rust/", "origin/rust/", "platform/", "catalog/catalog.go"},
	`"golang"`:      {"lang/golang/"},
	`"node-gyp"`:    {"lang/node/", "node/"},
	`usr/lib/llvm-`: {"lang/cc/"},
	`"clang"`:       {"lang/cc/", "node/node.go", "inspect/macho.go", "platform/macros.go"},
	`"clang++"`:     {"lang/cc/"},
	`"llvm-`:        {"lang/cc/", "unstripped/"},
}

// TestLanguages: what differs from language to language stands in its package and its definitions.
func TestLanguages(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasSuffix(filepath.Dir(path), "test") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for word, own := range named {
			allowed := slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(filepath.ToSlash(path), prefix) })
			if strings.Contains(string(text), word) && !allowed {
				t.Errorf("internal/%s has %s in it: that is for internal/%s", path, word, strings.Join(own, ", internal/"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
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
		{"internal/plan", "os", false, "plan is pure"},
		{"internal/plan", "xbuild/internal/lang/rust", false, "languages are reached by internal/lang/table"},
		{"internal/lang/rust", "xbuild/internal/lang/node", false, "languages are reached by internal/lang/table"},
		{"internal/lang/table", "xbuild/internal/lang/node", false, ""},
		{"internal/execute", "xbuild/internal/lang/table", false, ""},
		{"internal/plan", "os", true, ""},
		{"internal/execute", "os", false, ""},
		{"internal/inspect", "xbuild/internal/plan", false, "plan stands below inspect"},
		{"internal/util", "fmt", false, "package util has no place in the order of packages (internal/imports_test.go and the design)"},
		{"e2e", "xbuild/cmd/xbuild", true, "nothing imports the command"},
		{"cmd/xbuild", "xbuild/internal/engine", false, ""},
		{"internal/bench", "xbuild/internal/engine", false, "engine stands below bench"},
		{"internal/engine", "github.com/alecthomas/kong", false, "that is for cmd/xbuild alone"},
	} {
		if got := forbidden(c.dir, c.imported, c.test); got != c.want {
			t.Errorf("%s importing %s: %q, want %q", c.dir, c.imported, got, c.want)
		}
	}
}

// TestOrder sees that every package has a place in the order, and a line in the design.
func TestOrder(t *testing.T) {
	text, err := os.ReadFile(design)
	if err != nil {
		t.Fatal(err)
	}
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
		if test := strings.HasSuffix(d.Name(), "test"); program && !test && !strings.Contains(string(text), "\n| "+d.Name()+" | ") {
			t.Errorf("package internal/%s has no line in the table of docs/design.md", d.Name())
		}
	}
}
