package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// A feature of C++ by the name of its feature test macro, in testdata/cxx23.toml.
type feature struct {
	Macro   string
	When    string
	Headers []string
	Top     string
	Code    string
}

func (f feature) condition() string {
	if f.When != "" {
		return f.When
	}
	return "defined " + f.Macro
}

// cxx23 is a program that uses each of the features which the library and the compiler say they have, and prints of
// each whether it has it: yes, no, or wrong.
func cxx23(t *testing.T) (string, []feature) {
	t.Helper()
	var file struct{ Feature []feature }
	if _, err := toml.DecodeFile("testdata/cxx23.toml", &file); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("#include <version>\n#include <cstdio>\n")
	for i, f := range file.Feature {
		fmt.Fprintf(&b, "#if %s\n", f.condition())
		for _, h := range f.Headers {
			fmt.Fprintf(&b, "#include <%s>\n", h)
		}
		fmt.Fprintf(&b, "%s\nstatic bool feature%d() { %s }\n#endif\n", f.Top, i, f.Code)
	}
	b.WriteString("int main() {\n  int bad = 0;\n")
	for i, f := range file.Feature {
		fmt.Fprintf(&b, "#if %s\n  if (feature%d()) std::puts(%q); else std::puts(%q), bad = 1;\n#else\n  std::puts(%q);\n#endif\n",
			f.condition(), i, f.Macro+": yes", f.Macro+": wrong", f.Macro+": no")
	}
	b.WriteString("  return bad;\n}\n")
	return b.String(), file.Feature
}

// had reads what the program printed: by feature "yes" or "no".
func had(t *testing.T, r result, features []feature) map[string]string {
	t.Helper()
	if r.code != 0 {
		t.Errorf("the program with the features of C++23: %v", r)
	}
	out := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		for _, f := range features {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), f.Macro+": "); ok {
				out[f.Macro] = value
			}
		}
	}
	if len(out) != len(features) {
		t.Errorf("%d features of %d were told of", len(out), len(features))
	}
	return out
}

// promised is what a program has with libc++ on every floor: the pair of new C++ and an old glibc that stdlib is for.
var promised = []string{
	"__cpp_lib_format", "__cpp_lib_expected", "__cpp_lib_ranges", "__cpp_lib_print", "__cpp_lib_source_location",
	"__cpp_lib_jthread", "std::from_chars for floating point", "__cpp_lib_mdspan", "__cpp_lib_flat_map",
}

// oldPlatform and suites are what the table is made for: the platforms of each suite, the oldest suite first.
func suitesOf(t *testing.T) (suites []catalog.Suite, of map[string][]string) {
	t.Helper()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	of = map[string][]string{}
	suites = all.Sysroot("gnu").Suites
	for _, s := range suites {
		for _, name := range eleven {
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(s.Architectures, p.Sysroot) {
				of[s.Name] = append(of[s.Name], name)
			}
		}
	}
	return suites, of
}

// standardProject is the program for platforms, with the libraries of a suite.
func standardProject(t *testing.T, source, suite, stdlib string, names []string) string {
	return write(t, map[string]string{
		"xbuild.toml": fmt.Sprintf("[project]\nplatforms = %s\n[sysroot]\nsuite = %q\nstdlib = %q\n"+
			"[target.cxx23]\nrecipe = \"cc\"\nsources = [\"cxx23.cc\"]\ncxxflags = [\"-std=c++23\", \"-pthread\"]\nldflags = [\"-pthread\"]\nstatic = false\nopt = \"1\"\n",
			quoted(names), suite, stdlib),
		"cxx23.cc": source,
	})
}

// TestStandard builds a program with new C++ for the oldest floor of a platform, with both C++ libraries.
func TestStandard(t *testing.T) {
	needNetwork(t)
	source, features := cxx23(t)
	found := map[string]map[string]string{}
	for _, stdlib := range []string{"libstdc++", "libc++"} {
		dir := standardProject(t, source, "bullseye", stdlib, []string{"linux/amd64"})
		build(t, dir)
		found[stdlib] = had(t, xbuild(t, dir, "run", "-q", "-p", "linux/amd64", "--", built(dir, "linux/amd64", "cxx23")), features)
	}
	for _, f := range promised {
		if found["libc++"][f] != "yes" {
			t.Errorf("libc++ at glibc 2.31: %s: %q", f, found["libc++"][f])
		}
	}
	if found["libstdc++"]["__cpp_lib_format"] != "no" {
		t.Errorf("libstdc++ of GCC 10 has std::format: %q", found["libstdc++"]["__cpp_lib_format"])
	}
}

// TestStandardTable builds the program for each platform, with the libraries of each suite and each C++ library, runs
// all of them, and holds docs/platforms.md against what they printed: with -update it writes it. It takes an hour of
// processor time, most of it for libc++ of each, and is a command of its own for that:
//
//	XBUILD_E2E=full go test ./e2e -run TestStandardTable -timeout 3h [-update]
func TestStandardTable(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("a slice of it is TestStandard; XBUILD_E2E=full runs all")
	}
	source, features := cxx23(t)
	suites, of := suitesOf(t)
	// By feature and library: where it is, as suite and platform.
	where := map[string]map[string]map[string][]string{}
	var columns []string
	for _, stdlib := range []string{"libstdc++", "libc++"} {
		for _, s := range suites {
			dir := standardProject(t, source, s.Name, stdlib, of[s.Name])
			build(t, dir)
			column := stdlib + " " + s.Name
			columns = append(columns, column)
			for _, name := range of[s.Name] {
				got := had(t, underQEMU(t, dir, name, built(dir, name, "cxx23")), features)
				for _, f := range features {
					if where[f.Macro] == nil {
						where[f.Macro] = map[string]map[string][]string{}
					}
					if where[f.Macro][column] == nil {
						where[f.Macro][column] = map[string][]string{}
					}
					where[f.Macro][column][got[f.Macro]] = append(where[f.Macro][column][got[f.Macro]], name)
				}
			}
			os.RemoveAll(filepath.Join(dir, "dist"))
		}
	}
	var b strings.Builder
	b.WriteString("| feature |")
	for _, s := range suites {
		fmt.Fprintf(&b, " libstdc++ %s (glibc %s) |", s.GCC, s.Glibc)
	}
	b.WriteString(" libc++, every floor |\n|-|" + strings.Repeat("-|", len(suites)+1) + "\n")
	cell := func(by map[string][]string) string {
		if len(by) == 1 {
			return slices.Collect(maps.Keys(by))[0]
		}
		return "yes, but not on " + strings.Join(slices.Concat(by["no"], by["wrong"], by[""]), ", ")
	}
	for _, f := range features {
		fmt.Fprintf(&b, "| `%s` |", f.Macro)
		for _, s := range suites {
			fmt.Fprintf(&b, " %s |", cell(where[f.Macro]["libstdc++ "+s.Name]))
		}
		merged := map[string][]string{}
		for _, s := range suites {
			for value, names := range where[f.Macro]["libc++ "+s.Name] {
				for _, name := range names {
					if at := name + " (" + s.Name + ")"; !slices.Contains(merged[value], at) {
						merged[value] = append(merged[value], at)
					}
				}
			}
		}
		fmt.Fprintf(&b, " %s |\n", cell(merged))
	}
	for _, f := range promised {
		for _, s := range suites {
			if by := where[f]["libc++ "+s.Name]; len(by["yes"]) != len(of[s.Name]) {
				t.Errorf("libc++ over %s: %s: %v", s.Name, f, by)
			}
		}
	}
	sameTable(t, "standard", b.String())
}

// generatedStandard is the table's place in the page.
var generatedStandard = regexp.MustCompile(`(?s)(<!-- generated: standard -->\n).*?(<!-- end -->)`)

// sameTable holds a table of docs/platforms.md against what was measured.
func sameTable(t *testing.T, name, table string) {
	t.Helper()
	const page = "../docs/platforms.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := generatedStandard.ReplaceAllString(string(text), "${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}")
	if now == string(text) {
		return
	}
	if !*update {
		t.Errorf("docs/platforms.md: the table %q says something else; measured:\n%s", name, table)
		return
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}
