package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/catalog"
	"xbuild/internal/emulate"
	"xbuild/internal/platform"
)

// columns are the recipes of the table in docs/platforms.md and the targets of examples/all that stand for each.
var columns = []struct {
	name    string
	targets []string
}{
	{"cc", []string{"hello-c", "hello-cpp"}},
	{"make", []string{"hello-make"}},
	{"cmake", []string{"hello-cmake"}},
	{"go", []string{"hello-go"}},
	{"go with cgo", []string{"hello-cgo"}},
	{"rust", []string{"hello-rust"}},
}

// nodeColumn is the column of a module of Node-API, which is loaded in the platform's own Node.
const nodeColumn = "node-gyp"

// nodes are the versions of Node that it is loaded in: one that is fetched for the platform, and what the cell says.
var nodes = map[string]struct{ version, cell string }{
	"linux/amd64":    {"20", runs},
	"linux/386":      {"20", runs},
	"linux/arm64":    {"20", runs},
	"linux/arm/v7":   {"20", runs},
	"linux/ppc64le":  {"20", runs},
	"linux/s390x":    {"20", runs},
	"linux/riscv64":  {"20", runs},
	"linux/mips64le": {"18", runs},
	"linux/loong64":  {"24", runs},
}

// work is the second line that each target of examples/all prints, the same on every platform.
var work = map[string]string{
	"hello-c":     "work: crc32 30e544a7, sum 1.643935, thread joined, zlib round trip",
	"hello-cpp":   "work: crc32 30e544a7, sum 1.643935, threads counted 40000000000000, exception caught",
	"hello-make":  "work: crc32 30e544a7, sum 1.643935, thread joined, zlib round trip",
	"hello-cmake": "work: crc32 30e544a7, sum 1.643935, threads counted 40000000000000, exception caught",
	"hello-go":    "work: crc32 30e544a7, sum 1.643935, goroutine joined, panic recovered",
	"hello-cgo":   "work: crc32 30e544a7, sum 1.643935, C and Go agree",
	"hello-rust":  "work: crc32 30e544a7, sum 1.643935, thread joined, panic caught",
}

func greeting(target, name string) string {
	p, err := platform.Parse(name)
	if err != nil {
		panic(err) // a name in a test's table
	}
	arch := strings.TrimPrefix(p.Name, "linux/")
	if p.Arch != "arm" {
		arch = p.Arch // the compiler's predefined macros tell no other variants
	}
	return "hello from " + strings.TrimPrefix(target, "hello-") + " on " + arch + "\n" + work[target] + "\n"
}

// A row is a line of the table: a platform, or a platform with more than it promises by itself.
type row struct {
	platform string
	features []string
}

func (r row) String() string { return strings.Join(append([]string{r.platform}, r.features...), " +") }

// What a cell says.
const (
	runs   = "runs"
	fails  = "FAILS"
	notRun = "built, not run: QEMU has no AVX-512"
)

// TestMatrix builds examples/all for every platform and for variants of them, runs each program on the CPU model of its
// baseline, and holds the table in docs/platforms.md against what came out; with -update it writes the table.
func TestMatrix(t *testing.T) {
	needNetwork(t)
	base := make([]row, len(eleven))
	for i, p := range eleven {
		base[i].platform = p
	}
	variants := []row{{platform: "linux/amd64/v2"}, {platform: "linux/amd64/v3"}, {platform: "linux/amd64/v4"}, {platform: "linux/arm64/v8.2", features: []string{"lse"}},
		{platform: "linux/arm/v7", features: []string{"neon", "vfpv4"}}, {platform: "linux/riscv64", features: []string{"v"}}}
	cells := map[string]map[string]string{}
	for _, part := range []struct {
		name string
		rows []row
		dir  func(*testing.T) string
	}{{"platforms", base, all}, {"variants", variants, func(t *testing.T) string { return variant(t, variants) }}} {
		t.Run(part.name, func(t *testing.T) { maps.Copy(cells, matrix(t, part.rows, part.dir(t))) })
	}
	t.Run("node", func(t *testing.T) { nodeCells(t, base, cells) })
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	compareTables(t, "../docs/platforms.md", map[string]string{"platforms": table(t, base, cells, append(slices.Clone(names), nodeColumn)), "variants": table(t, variants, cells, names)})
}

// nodeCells builds a module of Node-API for the platforms that there is a Node for, loads it there, and fills in its
// column.
func nodeCells(t *testing.T, rows []row, cells map[string]map[string]string) {
	var platforms []string
	for _, r := range rows {
		if _, ok := nodes[r.platform]; ok {
			platforms = append(platforms, r.platform)
		} else {
			cells[r.String()][nodeColumn] = "no Node"
		}
	}
	dir := write(t, map[string]string{
		"xbuild.toml":  "[project]\nplatforms = " + quoted(platforms) + "\n[target.addon]\nrecipe = \"node-gyp\"\nnode = [\"18\", \"20\", \"24\"]\n",
		"package.json": `{ "name": "addon", "version": "1.0.0" }`,
		"binding.gyp":  `{ "targets": [{ "target_name": "addon", "sources": ["addon.c"] }] }`,
		"addon.c": `#include <node_api.h>
#include <stdint.h>
#include <stdio.h>
NAPI_MODULE_INIT() {
    uint16_t one = 1;
    char text[64];
    snprintf(text, sizeof text, "%zu bits, %s", 8 * sizeof(void *), *(char *)&one ? "LE" : "BE");
    napi_value v;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &v);
    return v;
}
`,
	})
	build(t, dir)
	var mu sync.Mutex
	t.Run("run", func(t *testing.T) {
		for _, name := range platforms {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p, err := platform.Parse(name)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"linux/386": "32 bits, LE", "linux/arm/v7": "32 bits, LE", "linux/s390x": "64 bits, BE"}[name]
				if want == "" {
					want = "64 bits, LE"
				}
				tag := map[string]string{"linux/arm/v7": "armv7."}[name] // prebuildify's
				file := built(dir, name, "prebuilds/linux-"+p.Node+"/addon."+tag+"glibc.node")
				r := inNode(t, dir, name, nodes[name].version, "-p", "[process.arch, process.version.split('.')[0], require(process.argv[1])].join(' ')", file)
				if want = p.Node + " v" + nodes[name].version + " " + want + "\n"; r.code != 0 || r.stdout != want {
					t.Errorf("%s: %v\nwant: %s", name, r, want)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				cells[row{platform: name}.String()][nodeColumn] = nodes[name].cell
			})
		}
	})
}

// variant builds examples/all for rows and returns its directory.
func variant(t *testing.T, rows []row) string {
	t.Helper()
	dir := example(t, "all")
	f, err := os.OpenFile(filepath.Join(dir, "xbuild.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, r := range rows {
		args = append(args, "-p", r.platform)
		if len(r.features) > 0 {
			fmt.Fprintf(f, "\n[platform.%q]\nfeatures = %s\n", r.platform, quoted(r.features))
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	build(t, dir, args...)
	return dir
}

// matrix runs what examples/all was built to for rows of different platforms and returns row -> column -> cell.
func matrix(t *testing.T, rows []row, dir string) map[string]map[string]string {
	cells := map[string]map[string]string{}
	var mu sync.Mutex
	t.Run("run", func(t *testing.T) {
		for _, r := range rows {
			cells[r.String()] = map[string]string{}
			for _, c := range columns {
				t.Run(r.String()+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					cell := runs
					for _, target := range c.targets {
						if got := check(t, dir, r, target); got != runs {
							cell = got
						}
					}
					mu.Lock()
					defer mu.Unlock()
					cells[r.String()][c.name] = cell
				})
			}
		}
	})
	return cells
}

// check runs one program of examples/all and says what its cell is.
func check(t *testing.T, dir string, r row, target string) string {
	t.Helper()
	file := built(dir, r.platform, target)
	p, err := platform.Parse(r.platform)
	if err != nil {
		t.Fatal(err)
	}
	if !isFor(t, file, p) {
		return fails
	}
	b, err := p.Baseline("", r.features)
	if err != nil {
		t.Fatal(err)
	}
	var got result
	cell := runs
	switch {
	case b.QEMUCPU() != "":
		got = underQEMU(t, dir, r.platform, file)
	case emulate.Native(platform.Host(), p):
		// The cell stays the same: what the table says must not depend on the machine that ran the test.
		got, cell = xbuild(t, dir, "run", "-q", "-p", r.platform, "--", file), notRun
	default:
		return notRun
	}
	if want := greeting(target, r.platform); got.code != 0 || got.stdout != want {
		t.Errorf("%s for %s: %v\nwant:\n%s", target, r, got, want)
		return fails
	}
	return cell
}

// isFor reports an error where a file is not a program for a platform's machine.
func isFor(t *testing.T, file string, p platform.Platform) bool {
	t.Helper()
	program, err := emulate.Open(file)
	if err != nil {
		t.Errorf("%s: %v", p, err)
		return false
	}
	if !program.Matches(p) {
		t.Errorf("%s: %s is for %v %v %v", p, filepath.Base(file), program.Machine, program.Class, program.Data)
		return false
	}
	inspected(t, file, p)
	return true
}

// table prints rows as Markdown.
func table(t *testing.T, rows []row, cells map[string]map[string]string, names []string) string {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	glibc := c.Sysroot("gnu")
	var b strings.Builder
	b.WriteString("| platform | triplet | glibc by suite | QEMU CPU |")
	for _, name := range names {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|" + strings.Repeat("-|", 4+len(names)) + "\n")
	for _, r := range rows {
		p, err := platform.Parse(r.platform)
		if err != nil {
			t.Fatal(err)
		}
		base, err := p.Baseline("", r.features)
		if err != nil {
			t.Fatal(err)
		}
		cpu := "none"
		if base.QEMUCPU() != "" {
			cpu = "`" + base.QEMUCPU() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |", strings.Join(append([]string{p.Name}, r.features...), "` + `"), p.Triplet, floors(glibc, p), cpu)
		for _, name := range names {
			cell := cells[r.String()][name]
			if cell == "" {
				cell = fails // the cell's test ended before it could say
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// floors are the suites that have a platform with their glibc, the default in bold.
func floors(s *catalog.Sysroot, p platform.Platform) string {
	has := func(suite catalog.Suite) bool { return slices.Contains(suite.Architectures, p.Debian) }
	chosen := ""
	for _, name := range s.Prefer {
		if suite, ok := s.Suite(name); ok && has(suite) {
			chosen = name
			break
		}
	}
	var out []string
	for _, suite := range s.Suites {
		switch {
		case !has(suite):
		case suite.Name == chosen:
			out = append(out, "**"+suite.Name+" "+suite.Glibc+"**")
		default:
			out = append(out, suite.Name+" "+suite.Glibc)
		}
	}
	return strings.Join(out, ", ")
}

// compareTables holds the text between <!-- NAME: begin … --> and <!-- NAME: end --> against what was measured, or
// writes it with -update.
func compareTables(t *testing.T, file string, tables map[string]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	changed := false
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
		head, rest, ok := strings.Cut(text, begin)
		was, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no markers %q and %q", file, begin, end)
		}
		want := "\n" + tables[name] + "\n"
		if was == want {
			continue
		}
		if !*update {
			t.Errorf("%s: table %q says\n%s\nbut measured was\n%s\nwrite it with: go test ./e2e -run %s -update", file, name, was, want, t.Name())
			continue
		}
		text, changed = head+begin+want+end+tail, true
	}
	if !*update || t.Failed() && !changed {
		return
	}
	commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		t.Fatalf("git rev-parse: %v", err)
	}
	line := fmt.Sprintf("Measured on %s at commit %s, on a %s host.", time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(string(commit)), platform.Host())
	text = measured.ReplaceAllLiteralString(text, line)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var measured = regexp.MustCompile(`(?m)^Measured on .*$`)

// needs is a program that uses, wherever the compiler may, vectors, population count, atomic and fused operations, and
// prints the same everywhere. main says first that it was reached: what comes before it is the C library's own start.
const needs = `
#include <math.h>
#include <stdio.h>

typedef int vector __attribute__((vector_size(64)));
typedef float floats __attribute__((vector_size(64)));
volatile vector a = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, b;
volatile floats f = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, g;
volatile unsigned long long word = 0x123456789abcdefull;
volatile double x = 3, y = 4, z = 5;
volatile int counter = 40;

int main(void) {
	puts("started");
	fflush(stdout);
	b = a + a;
	g = f * f;
	int sum = 0;
	float squares = 0;
	for (int i = 0; i < 16; i++) {
		sum += b[i];
		squares += g[i];
	}
	int old = __atomic_fetch_add(&counter, 2, __ATOMIC_SEQ_CST);
	printf("%d %.0f %d %d %d %.0f\n", sum, squares, __builtin_popcountll(word), old, counter, fma(x, y, z));
	return 0;
}
`

// TestCPU proves that the CPU model is in force: a program of a higher baseline prints its result on that baseline's
// CPU and dies of an illegal instruction on the CPU of the lower one.
func TestCPU(t *testing.T) {
	needNetwork(t)
	const toml = "[target.needs]\nrecipe = \"cc\"\nsources = [\"needs.c\"]\ncflags = [\"-ffp-contract=off\"]\nlibs = [\"m\"]\nstatic = true\n"
	const want = "started\n272 1496 32 40 42 17\n"
	// First the same program built for the lowest baselines, each of which runs it: what dies below dies of its
	// instructions.
	plain := write(t, map[string]string{"needs.c": needs, "xbuild.toml": toml})
	var args []string
	for _, p := range eleven {
		args = append(args, "-p", p)
	}
	build(t, plain, args...)
	for _, p := range eleven {
		t.Run(p, func(t *testing.T) {
			if got := underQEMU(t, plain, p, built(plain, p, "needs")); got.code != 0 || got.stdout != want {
				t.Errorf("%v\nwant:\n%s", got, want)
			}
		})
	}
	locked, err := os.ReadFile(filepath.Join(plain, "xbuild.lock"))
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name     string
		platform string // of the program, whose compiler is given more than lower promises
		settings string // of [platform."…"]
		lower    string
	}{
		{"amd64 v2 on v1", "linux/amd64/v2", "", "linux/amd64"},
		{"amd64 v3 on v1", "linux/amd64/v3", "", "linux/amd64"},
		{"amd64 v3 on v2", "linux/amd64/v3", "", "linux/amd64/v2"},
		{"amd64 v4 on v3", "linux/amd64/v4", "cflags = [\"-mprefer-vector-width=512\"]", "linux/amd64/v3"},
		{"arm64 LSE on v8", "linux/arm64/v8.2", "", "linux/arm64"},
		{"armv7 on v6", "linux/arm/v7", "", "linux/arm/v6"},
		{"armv6 on v5", "linux/arm/v6", "", "linux/arm/v5"},
		{"armv7 with NEON on v7", "linux/arm/v7", "features = [\"neon\", \"vfpv4\"]", "linux/arm/v7"},
		{"riscv64 with V on rv64gc", "linux/riscv64", "features = [\"v\"]", "linux/riscv64"},
		{"POWER9 on POWER8", "linux/ppc64le", "cpu = \"power9\"", "linux/ppc64le"},
		{"z14 on z13", "linux/s390x", "cpu = \"z14\"", "linux/s390x"},
		{"386 on a machine without SSE2", "linux/386", "", "linux/386/387"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, map[string]string{"needs.c": needs, "xbuild.lock": string(locked), "xbuild.toml": toml + fmt.Sprintf("[platform.%q]\n%s\n", c.platform, c.settings)})
			build(t, dir, "-p", c.platform)
			file := built(dir, c.platform, "needs")
			p, err := platform.Parse(c.platform)
			if err != nil {
				t.Fatal(err)
			}
			if p.Name != "linux/amd64/v4" { // QEMU has no AVX-512
				if got := underQEMU(t, dir, c.platform, file); got.code != 0 || got.stdout != want {
					t.Errorf("on its own CPU: %v\nwant:\n%s", got, want)
				}
			}
			if got := underQEMU(t, plain, c.lower, file); got.signal != syscall.SIGILL {
				t.Errorf("run as %s: %v\nwant an illegal instruction", c.lower, got)
			}
		})
	}
}
