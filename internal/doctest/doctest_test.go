// Package doctest runs what the documentation shows. A fenced block below a comment of this form is taken at its word:
//
//	<!-- test: toml -->           is an xbuild.toml, or a part of one, that package project accepts
//	<!-- test: file NAME -->      is a file of the page's scratch directory (an xbuild.toml is held against package project too)
//	<!-- test: run [EXIT] -->     is a shell script, run in the scratch directory, that ends with EXIT (default 0)
//	<!-- test: clone [EXIT] -->   is the same in a copy of the repository
//	<!-- test: output -->         is what the script before it prints: "…" stands for any text within a line, or alone for any lines; durations may differ
//	<!-- test: part of FILE -->   is made of lines that a file of the repository has
//
// With -short nothing is run: the xbuild.toml examples, the generated parts, the links and the completeness of the
// reference are tested alone. A page's scripts need a network and use the user's store, or XBUILD_E2E_STORE.
package doctest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/project"
)

var update = flag.Bool("update", false, "write the generated parts of the documentation")

const root = "../.."

// pages are the Markdown files for users, by path from the repository's root.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			rel, _ := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A block is a fenced block that a test comment stands above.
type block struct {
	line       int
	verb, args string
	text       string
}

var marker = regexp.MustCompile(`^<!-- test: (toml|file|run|clone|output|part of)(?: (\S.*?))? -->$`)

func blocks(t *testing.T, page, text string) []block {
	t.Helper()
	var out []block
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "<!-- test:") {
			continue
		}
		m := marker.FindStringSubmatch(lines[i])
		if m == nil || i+1 >= len(lines) || !strings.HasPrefix(lines[i+1], "```") {
			t.Fatalf("%s:%d: %s: not a test comment with a block right below it", page, i+1, lines[i])
		}
		b := block{line: i + 1, verb: m[1], args: m[2]}
		for i += 2; i < len(lines) && lines[i] != "```"; i++ {
			b.text += lines[i] + "\n"
		}
		out = append(out, b)
	}
	return out
}

func read(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// schema is what the real definitions allow a project to name.
func schema(t *testing.T) (*catalog.Catalog, project.Schema) {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := project.Schema{Recipes: map[string][]project.Option{}, Archives: catalog.Archives, Compilers: c.Compilers(), Sources: map[string][]string{}, Channels: map[string][]string{"rust": {"stable", "beta", "nightly"}}}
	for _, r := range c.Recipes {
		s.Recipes[r.Name] = []project.Option{}
		for _, o := range r.Options {
			s.Recipes[r.Name] = append(s.Recipes[r.Name], project.Option(o))
		}
	}
	for _, x := range c.Toolchains {
		if x.Provides != "" {
			s.Sources[x.Provides] = append(s.Sources[x.Provides], x.Choice)
			continue
		}
		s.Toolchains = append(s.Toolchains, x.Name)
	}
	for _, r := range c.Sysroots {
		for _, suite := range r.Suites {
			s.Suites, s.Glibc = append(s.Suites, suite.Name), append(s.Glibc, suite.Glibc)
		}
	}
	return c, s
}

var sourceKey = regexp.MustCompile(`(?m)^source = "(.+)"$`)

// load reads an example as xbuild would, where its source folders exist.
func load(t *testing.T, text string) error {
	t.Helper()
	_, s := schema(t)
	dir := t.TempDir()
	for _, m := range sourceKey.FindAllStringSubmatch(text, -1) {
		if err := os.MkdirAll(filepath.Join(dir, m[1]), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, project.FileName)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := project.Load(file, s)
	return err
}

func TestTOML(t *testing.T) {
	n := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, read(t, page)) {
			if b.verb != "toml" && !(b.verb == "file" && filepath.Base(b.args) == project.FileName) {
				continue
			}
			n++
			if err := load(t, b.text); err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d examples of %s were found", n, project.FileName)
	}
}

func TestPartOf(t *testing.T) {
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, read(t, page)) {
			if b.verb != "part of" {
				continue
			}
			have := strings.Split(read(t, b.args), "\n")
			for line := range strings.Lines(b.text) {
				if line = strings.TrimSuffix(line, "\n"); !slices.Contains(have, line) {
					t.Errorf("%s:%d: %s has no line %q", page, b.line, b.args, line)
				}
			}
		}
	}
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches toolchains and sysroots from the network")
	}
	bin := t.TempDir()
	goRun(t, "build", "-o", filepath.Join(bin, "xbuild"), "xbuild/cmd/xbuild")
	for _, page := range pages(t) {
		list := blocks(t, page, read(t, page))
		if !slices.ContainsFunc(list, func(b block) bool { return b.verb == "run" || b.verb == "clone" }) {
			continue
		}
		t.Run(strings.ReplaceAll(strings.TrimSuffix(page, ".md"), "/", "_"), func(t *testing.T) { runPage(t, page, list, bin) })
	}
}

func goRun(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func runPage(t *testing.T, page string, list []block, bin string) {
	scratch, clone, printed := t.TempDir(), "", ""
	for _, b := range list {
		where := fmt.Sprintf("%s:%d", page, b.line)
		switch b.verb {
		case "file":
			file := filepath.Join(scratch, filepath.FromSlash(b.args))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(b.text), 0o644)); err != nil {
				t.Fatal(err)
			}
		case "run", "clone":
			dir := scratch
			if b.verb == "clone" {
				if clone == "" {
					clone = t.TempDir()
					copyRepository(t, clone)
				}
				dir = clone
			}
			cmd := exec.Command("sh", "-ec", b.text)
			cmd.Dir, cmd.Env = dir, environ(bin, page)
			out, err := cmd.CombinedOutput()
			printed = strings.ReplaceAll(string(out), dir+"/", "")
			want, _ := strconv.Atoi(b.args)
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatalf("%s: %v", where, err)
			}
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Fatalf("%s: exit %d, want %d\n%s\n%s", where, got, want, b.text, out)
			}
		case "output":
			if !matches(strings.Split(strings.TrimSpace(b.text), "\n"), strings.Split(strings.TrimSpace(printed), "\n")) {
				t.Errorf("%s: the page says\n%s\nand what came is\n%s", where, b.text, printed)
			}
		}
	}
}

// keptPage is the page on kept results.
const keptPage = "docs/kept.md"

// environ is the caller's, without what would change what xbuild does, and with the xbuild under test in front.
func environ(bin, page string) []string {
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "XBUILD_") && name != "XBUILD_DEBIAN_MIRROR" && name != "XBUILD_STORE" || strings.HasPrefix(name, "TARGET") || name == "PATH" || name == "GOFLAGS" {
			continue
		}
		out = append(out, kv)
	}
	if store := os.Getenv("XBUILD_E2E_STORE"); store != "" {
		out = append(out, "XBUILD_STORE="+store)
	}
	if page != keptPage { // each page is as if it were the first that is read
		out = append(out, "XBUILD_NO_CACHE=1")
	}
	return append(out, "PATH="+bin+":"+os.Getenv("PATH"), "GOBIN="+bin, "GOFLAGS=-buildvcs=false", "XBUILD_ALLOW_EXPIRED=1")
}

// copyRepository copies what a clone would have: no history, nothing that was built.
func copyRepository(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() && slices.Contains([]string{".git", "dist", ".xbuild", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if !d.Type().IsRegular() || d.Name() == "xbuild.lock" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var duration = regexp.MustCompile(`\b[0-9]+\.[0-9]+ s\b`)

// matches compares printed lines with a page's.
func matches(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "…" {
		for i := range len(got) + 1 {
			if matches(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	if len(got) == 0 {
		return false
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(duration.ReplaceAllString(strings.TrimRight(want[0], " "), "N s")), "…", ".*")
	ok, err := regexp.MatchString("^"+pattern+"$", duration.ReplaceAllString(strings.TrimRight(got[0], " "), "N s"))
	return err == nil && ok && matches(want[1:], got[1:])
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a\nb", false}, {"a\nb", "a", false},
		{"…\nb", "x\ny\nb", true}, {"…", "x\ny", true}, {"…\nb", "x\ny", false},
		{"x … z", "x y z", true}, {"x (y).", "x (y).", true}, {"x.y", "xzy", false},
		{"built in 0.1 s", "built in 12.7 s", true}, {"3 built in 0.1 s", "4 built in 0.1 s", false},
	} {
		if got := matches(strings.Split(c.want, "\n"), strings.Split(c.got, "\n")); got != c.ok {
			t.Errorf("%q against %q: %v", c.want, c.got, got)
		}
	}
}
