package doctest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/hosttools"
	"xbuild/internal/inspect"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

var generated = regexp.MustCompile(`(?s)(<!-- generated: ([^>]*) -->\n).*?(<!-- end -->)`)

// TestGenerated holds the parts of the pages that come from the definitions against them.
func TestGenerated(t *testing.T) {
	c, _ := schema(t)
	found := map[string]bool{}
	for _, page := range pages(t) {
		text := read(t, page)
		want := generated.ReplaceAllStringFunc(text, func(part string) string {
			m := generated.FindStringSubmatch(part)
			made, ok := part, true
			found[m[2]] = true
			switch name, recipe, _ := strings.Cut(m[2], " "); name {
			case "options":
				made, ok = options(c, recipe)
			case "platforms":
				made = platforms(c)
			case "releases":
				made = releases()
			case "machines":
				made = machines()
			case "macros":
				made = macros(recipe == "left")
			case "host":
				made = hostTools()
			default:
				ok = false
			}
			if !ok {
				t.Errorf("%s: nothing generates %q", page, m[2])
			}
			return m[1] + made + m[3]
		})
		if want == text {
			continue
		}
		if !*update {
			t.Errorf("%s is not what the definitions say; run go test ./internal/doctest -update", page)
			continue
		}
		if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range c.Recipes {
		if !found["options "+r.Name] {
			t.Errorf("no page has <!-- generated: options %s -->", r.Name)
		}
		if _, err := os.Stat(filepath.Join(root, "docs", "recipes", r.Name+".md")); err != nil {
			t.Errorf("recipe %s has no page: %v", r.Name, err)
		}
	}
}

// hostTools is the table of the host's programs that every build sees.
func hostTools() string {
	var b strings.Builder
	b.WriteString("| what | programs |\n|-|-|\n")
	for _, g := range hosttools.Groups() {
		fmt.Fprintf(&b, "| %s | `%s` |\n", g.Name, strings.Join(g.Programs, "` `"))
	}
	return b.String()
}

// options is the table of a recipe's options.
func options(c *catalog.Catalog, recipe string) (string, bool) {
	r := c.Recipe(recipe)
	if r == nil {
		return "", false
	}
	kinds := map[string]string{"string": "string", "bool": "true or false", "int": "integer", "strings": "list of strings", "table": "table of strings"}
	var b strings.Builder
	b.WriteString("| key | type | default | what it does |\n|-|-|-|-|\n")
	for _, o := range r.Options {
		fallback := ""
		switch {
		case o.Required:
			fallback = "required"
		case o.Default != nil:
			fallback = "`" + fmt.Sprint(o.Default) + "`"
			switch v := o.Default.(type) {
			case string:
				fallback = "`" + strconv.Quote(v) + "`"
			case []any:
				fallback = "`" + fmt.Sprintf("%q", v) + "`"
			}
		}
		kind := kinds[o.Type]
		if len(o.Choices) > 0 {
			kind = "`" + strings.Join(o.Choices, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Name, kind, fallback, strings.ReplaceAll(o.Help, "|", `\|`))
	}
	return b.String(), true
}

// platforms is the table platforms x recipes: a recipe serves a platform where there is what it needs.
func platforms(c *catalog.Catalog) string {
	var b strings.Builder
	b.WriteString("| platform |")
	rule := "\n|-|"
	for _, r := range c.Recipes {
		b.WriteString(" " + r.Name + " |")
		rule += "-|"
	}
	b.WriteString(" go with cgo | glibc |" + rule + "-|-|\n")
	others := map[string]bool{}
	for _, p := range platform.All() {
		if !p.HasSysroot() {
			others[p.OS] = true
			continue
		}
		if base := p.Base().Name; base != p.Name && strings.Count(base, "/") == 1 {
			continue // a level above its platform; linux/arm has none below its variants
		}
		fmt.Fprintf(&b, "| %s |", p.Name)
		for _, r := range c.Recipes {
			if _, refused := r.Refuse[p.Name]; refused {
				b.WriteString(" no |")
			} else {
				b.WriteString(" yes |")
			}
		}
		b.WriteString(" yes |")
		var glibc []string
		for _, s := range c.Sysroot("gnu").Suites {
			if slices.Contains(s.Architectures, p.Debian) {
				glibc = append(glibc, s.Glibc)
			}
		}
		b.WriteString(" " + strings.Join(glibc, " ") + " |\n")
	}
	names := make([]string, 0, len(others))
	for name := range others {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "| %s |%s no | |\n", strings.Join(names, ", "), strings.Repeat(" no |", slices.IndexFunc(c.Recipes, func(r *catalog.Recipe) bool { return r.Name == "go" }))+" yes |"+
		strings.Repeat(" no |", len(c.Recipes)-1-slices.IndexFunc(c.Recipes, func(r *catalog.Recipe) bool { return r.Name == "go" })))
	return b.String()
}

// machines is the table of what kernels for the platforms with a sysroot have and say.
func machines() string {
	var b strings.Builder
	b.WriteString("| platform | pages, KB | `uname -m` | `getconf LONG_BIT` | `gcc -dumpmachine` | `dpkg --print-architecture` |\n|-|-|-|-|-|-|\n")
	for _, p := range platform.All() {
		if !p.HasSysroot() || strings.Count(p.Base().Name, "/") == 1 && p.Base().Name != p.Name {
			continue // a level above its platform is the same machine
		}
		var pages []string
		for _, size := range p.Pages {
			pages = append(pages, strconv.Itoa(size>>10))
		}
		dpkg := "the host's"
		if p.Debian != "" {
			dpkg = "`" + p.Debian + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %d | `%s` | %s |\n", p.Name, strings.Join(pages, ", "), p.Uname, p.LongBits(), p.GCCTriplet(), dpkg)
	}
	return b.String()
}

// macros is the table of what clang's predefined macros are made to say, or of what is left.
func macros(left bool) string {
	var b strings.Builder
	b.WriteString("| platforms | macros | what | why |\n|-|-|-|-|\n")
	what := map[string]string{"undefine": "undefined", "define": "defined", "clang": "clang alone", "gcc": "GCC alone", "value": "another value"}
	for _, r := range platform.Macros() {
		if (r.Kind == "leave") != left {
			continue
		}
		on := strings.Join(r.On, ", ")
		if on == "linux/*" {
			on = "all"
		}
		names := "`" + strings.ReplaceAll(strings.Join(r.Names[:min(len(r.Names), 8)], "` `"), "|", `\|`) + "`"
		if more := len(r.Names) - 8; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		does := what[r.Kind] + what[r.Only]
		if r.Kind == "flags" {
			does = "`" + strings.Join(r.Flags, " ") + "`"
		}
		if r.Lang != "" {
			does += " (" + strings.Replace(strings.ToUpper(r.Lang), "ASM", "assembler", 1) + ")"
		}
		if len(r.When) > 0 {
			does += ", with " + strings.Join(r.When, ", ")
		}
		if len(r.Unless) > 0 {
			does += ", without " + strings.Join(r.Unless, ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", on, names, does, r.Why)
	}
	return b.String()
}

// releases is the table of libraries that package inspect knows.
func releases() string {
	var b strings.Builder
	b.WriteString("| release | libc | libstdc++ | libgcc | architectures |\n|-|-|-|-|-|\n")
	for _, r := range inspect.Releases() {
		libc := "glibc " + r.Glibc
		if r.Glibc == "" {
			libc = "musl " + r.Musl
		}
		x := r.Runtime()
		fmt.Fprintf(&b, "| %s | %s | GLIBCXX_%s, CXXABI_%s | GCC_%s | %s |\n", r.Name, libc, x.GLIBCXX, x.CXXABI, x.Libgcc, strings.Join(r.Archs, ", "))
	}
	return b.String()
}

var wanted = regexp.MustCompile(`\((?:want|recipe [a-z-]+ allows) ([^)]*)\)`)

// TestEveryKey asks package project for the keys of each section, by an unknown one, and looks each up in the
// reference.
func TestEveryKey(t *testing.T) {
	reference := read(t, "docs/xbuild-toml.md")
	c, _ := schema(t)
	sections := []string{"[project]\n", "[toolchains.go]\n", "[sysroot]\n", "[platform.\"linux/arm64\"]\n", "[toolchains]\n", "[mirrors]\n", ""}
	for _, r := range c.Recipes {
		sections = append(sections, "[target.x]\nrecipe = \""+r.Name+"\"\nsources = [\"a\"]\n")
	}
	for _, s := range sections {
		err := load(t, s+"zzzzzzzz = 1\n")
		list, ok := err.(project.Errors)
		if !ok {
			t.Fatalf("%q: %v", s, err)
		}
		said := false
		for _, e := range list {
			m := wanted.FindStringSubmatch(e.Message)
			if m == nil || !strings.Contains(e.Message, "zzzzzzzz") {
				continue
			}
			said = true
			for key := range strings.SplitSeq(m[1], ", ") {
				if !strings.Contains(reference, "`"+key+"`") && !strings.Contains(reference, "`["+key) {
					t.Errorf("docs/xbuild-toml.md does not say what %s is in %q", key, strings.TrimSpace(s))
				}
			}
		}
		if !said {
			t.Errorf("%q: no list of keys in %v", s, err)
		}
	}
}

var cliField = regexp.MustCompile(`(?m)^\t([A-Z]\w+) +\w+Cmd +` + "`cmd:\"\"(?: name:\"([a-z]+)\")?")

// TestEveryCommand looks each command of the command line up in docs/commands.md.
func TestEveryCommand(t *testing.T) {
	page := read(t, "docs/commands.md")
	fields := cliField.FindAllStringSubmatch(read(t, "cmd/xbuild/main.go"), -1)
	if len(fields) < 10 {
		t.Fatalf("only %d commands found in cmd/xbuild/main.go", len(fields))
	}
	for _, m := range fields {
		name := m[2]
		if name == "" {
			name = strings.ToLower(m[1])
		}
		if !regexp.MustCompile(`(?m)^## xbuild ` + name + `\b`).MatchString(page) {
			t.Errorf("docs/commands.md has no heading \"## xbuild %s\"", name)
		}
	}
}

var variable = regexp.MustCompile(`\bXBUILD_[A-Z_]+\b`)

// TestEveryVariable looks each XBUILD_ variable of the program's sources up in docs/environment.md.
func TestEveryVariable(t *testing.T) {
	page := read(t, "docs/environment.md")
	eachSource(t, func(path, text string) {
		for _, name := range variable.FindAllString(text, -1) {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/environment.md lacks %s of %s", name, path)
			}
		}
	})
}

// TestDependencies looks each module that the program imports up in docs/dependencies.md.
func TestDependencies(t *testing.T) {
	page := read(t, "docs/dependencies.md")
	eachSource(t, func(path, text string) {
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			parts := strings.Split(name, "/")
			if !strings.Contains(parts[0], ".") {
				continue
			}
			if module := strings.Join(parts[:min(3, len(parts))], "/"); !strings.Contains(page, "`"+module) {
				t.Errorf("docs/dependencies.md gives no reason for %s, which %s imports", module, path)
			}
		}
	})
}

// eachSource reads every source file of the program, without tests and examples.
func eachSource(t *testing.T, use func(path, text string)) {
	t.Helper()
	n := 0
	for _, dir := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			n++
			rel, _ := filepath.Rel(root, path)
			use(rel, read(t, rel))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 20 {
		t.Fatalf("only %d source files found", n)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows every link to a file or a heading of this repository.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
				continue
			}
			if fragment != "" && !slices.Contains(headings(read(t, file)), fragment) {
				t.Errorf("%s: %s has no heading #%s", page, file, fragment)
			}
		}
	}
}

var notAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// headings are the anchors of a page, as Markdown hosts make them.
func headings(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			h := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			out = append(out, strings.ReplaceAll(notAnchor.ReplaceAllString(h, ""), " ", "-"))
		}
	}
	return out
}
