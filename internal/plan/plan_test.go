package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/rogpeppe/go-internal/txtar"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/explain"
	"xbuild/internal/hosttools"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/toolset"
)

var update = flag.Bool("update", false, "write golden files anew")

// planner plans the project that a txtar archive holds, with a lock that has all it needs and a store at /store. The
// project's directory is new each time.
func planner(t *testing.T, archive string) *Planner {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		file := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	schema := project.Schema{Recipes: map[string][]project.Option{}, Archives: catalog.Archives, Compilers: c.Compilers()}
	for _, r := range c.Recipes {
		for _, o := range r.Options {
			schema.Recipes[r.Name] = append(schema.Recipes[r.Name], project.Option(o))
		}
	}
	for _, tc := range c.Toolchains {
		schema.Toolchains = append(schema.Toolchains, tc.Name)
	}
	for _, r := range c.Sysroots {
		for _, s := range r.Suites {
			if s.Glibc != "" {
				schema.Suites, schema.Glibc = append(schema.Suites, s.Name), append(schema.Glibc, s.Glibc)
			}
		}
	}
	p, err := project.Load(filepath.Join(dir, project.FileName), schema)
	if err != nil {
		t.Fatal(err)
	}
	host, err := platform.Parse("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return &Planner{
		Tools:  toolset.Tools{Project: p, Catalog: c, Lock: &lock.Lock{Version: 1}, Store: "/store", Host: host},
		XBuild: "/bin/xbuild",
	}
}

// locked puts into the lock what a selection needs.
func (pl *Planner) locked(t *testing.T, sel Selection) {
	t.Helper()
	req, err := pl.Require(sel)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range req.Toolchains {
		source := r.Def.Sources[0]
		if r.Only != nil {
			source = r.Def.Sources[len(r.Def.Sources)-1]
		}
		in := r.Def.On(pl.Host).In(source)
		version := "1.2.3"
		if slot := in.Sources[0].Slot; slot != "" {
			version = slot + ".1"
		}
		if _, err := semver.StrictNewVersion(r.Constraint); err == nil {
			version = r.Constraint
		}
		pl.Lock.PutToolchain(lock.Toolchain{Name: r.Def.Name, Platform: r.For(), Version: version, Host: pl.Host.Name, Archive: in.Sources[0].Archive, Suite: in.Sources[0].Suite, Roots: in.Packages,
			Files: []lock.File{{Name: in.Package, SHA256: strings.Repeat("1", 64)}}})
	}
	for _, r := range req.Sysroots {
		suite, ok := r.Def.Suite(r.Suite)
		if !ok {
			suite.Glibc = r.Suite + ".1.0" // of npm, where a suite is a range of versions
		}
		pl.Lock.PutSysroot(lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Version: suite.Glibc, Roots: append(r.Def.Roots(suite), r.Packages...),
			Files: []lock.File{{Name: "libc6", SHA256: strings.Repeat("2", 64)}}})
	}
	for _, of := range req.HostPackages {
		pl.lockHostPackages(t, of)
	}
	for _, part := range req.Parts {
		r, err := part.In(pl.Lock)
		if err != nil {
			t.Fatal(err)
		}
		suite, _ := r.Def.Suite(r.Suite)
		pl.Lock.PutSysroot(lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Version: r.Version, Roots: r.Def.Roots(suite),
			Files: []lock.File{{Name: "std", SHA256: strings.Repeat("3", 64)}}})
	}
}

func (pl *Planner) plan(t *testing.T, sel Selection) *action.Graph {
	t.Helper()
	pl.locked(t, sel)
	p, err := pl.New(sel)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func platforms(t *testing.T, names ...string) []platform.Platform {
	t.Helper()
	var out []platform.Platform
	for _, n := range names {
		p, err := platform.Parse(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// hash is the end of a store key: it changes with every definition, and the tests of package compose look at it.
var hash = regexp.MustCompile(`-[0-9a-f]{16}\b`)

// TestRecipes holds the plan of every recipe against testdata/<recipe>.golden, made from the project in
// testdata/<recipe>.txtar.
func TestRecipes(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Recipes {
		t.Run(r.Name, func(t *testing.T) {
			archive, err := os.ReadFile("testdata/" + r.Name + ".txtar")
			if errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("recipe %s has no project to plan: write testdata/%[1]s.txtar with an xbuild.toml for two platforms and the files that it names, then run: go test ./internal/plan -update", r.Name)
			}
			if err != nil {
				t.Fatal(err)
			}
			pl := planner(t, string(archive))
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			p := pl.plan(t, Selection{})
			for _, a := range p.Actions {
				a.ID = ""
				// The compilers' own variables are in package env's golden files.
				a.Env = slices.DeleteFunc(a.Env, func(v env.Var) bool {
					return strings.Contains(v.Value, "/store/trees/") || strings.HasPrefix(v.Name, "CARGO_TARGET_")
				})
			}
			if err := e.Encode(p); err != nil {
				t.Fatal(err)
			}
			got := hash.ReplaceAllString(strings.ReplaceAll(b.String(), pl.Project.Dir, "/project"), "-HASH")
			file := "testdata/" + r.Name + ".golden"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: write it with: go test ./internal/plan -update", err)
			}
			if got != string(want) {
				t.Errorf("the plan differs from %s (renew with: go test ./internal/plan -update); now\n%s", file, got)
			}
		})
	}
}

// sample is a project with one target a recipe that the tests below change.
const sample = `
-- xbuild.toml --
[project]
platforms = ["linux/amd64", "linux/arm64"]

[target.hello]
recipe = "cc"
sources = ["src/*.c"]
-- src/a.c --
-- src/b.c --
`

func replaced(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

// TestID: what an action is made of decides its ID; where its result goes and which xbuild runs it do not.
func TestID(t *testing.T) {
	id := func(archive string, change func(*Planner)) action.ID {
		pl := planner(t, archive)
		root := pl.Project.Dir
		if change != nil {
			change(pl)
		}
		a := pl.plan(t, Selection{Platforms: platforms(t, "linux/arm64")}).Actions[0]
		// The project's place is part of the ID, and another one in each test.
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		moved := &action.Action{}
		if err := json.Unmarshal(bytes.ReplaceAll(data, []byte(root), []byte("/project")), moved); err != nil {
			t.Fatal(err)
		}
		moved.ID = ""
		return moved.Hash()
	}
	base := id(sample, nil)
	if again := id(sample, nil); again != base {
		t.Error("the same project has another ID each time")
	}
	for name, other := range map[string]action.ID{
		"opt":             id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\nopt = \"s\""), nil),
		"a define":        id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\ndefines = [\"X\"]"), nil),
		"env":             id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\nenv = { X = \"1\" }"), nil),
		"strip":           id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\nstrip = true"), nil),
		"a cpu":           id(replaced(sample, "[target", "[platform.\"linux/arm64\"]\ncpu = \"cortex-a72\"\n[target"), nil),
		"a suite":         id(replaced(sample, "[target", "[sysroot]\nsuite = \"bookworm\"\n[target"), nil),
		"another source":  id(sample+"-- src/c.c --\n", nil),
		"another kind":    id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\nkind = \"shared\""), nil),
		"another library": id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\nlibs = [\"z\"]"), nil),
	} {
		if other == base {
			t.Errorf("%s does not change the ID", name)
		}
	}
	for name, other := range map[string]action.ID{
		"another xbuild":     id(sample, func(pl *Planner) { pl.XBuild = "/opt/xbuild" }),
		"another dist":       id(replaced(sample, "[target", "dist = \"out\"\n[target"), nil),
		"another dest":       id(replaced(sample, `recipe = "cc"`, "recipe = \"cc\"\ndest = \"bin\""), nil),
		"a further target":   id(replaced(sample, "-- src/a.c --", "[target.more]\nrecipe = \"go\"\n-- src/a.c --"), nil),
		"a further platform": id(replaced(sample, `"linux/arm64"]`, `"linux/arm64", "linux/riscv64"]`), nil),
	} {
		if other != base {
			t.Errorf("%s changes the ID", name)
		}
	}
}

// TestChoose: which targets and platforms a selection means.
func TestChoose(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/amd64", "linux/arm64"]

[target.all]
recipe = "go"

[target.own]
recipe = "go"
platforms = ["linux/amd64", "windows/amd64"]
`)
	for _, c := range []struct {
		name      string
		targets   []string
		platforms []string
		want      string // target: platforms; …
	}{
		{"all", nil, nil, "all: linux/amd64 linux/arm64; own: linux/amd64 windows/amd64"},
		{"one target", []string{"own"}, nil, "own: linux/amd64 windows/amd64"},
		{"in the file's order", []string{"own", "all"}, nil, "all: linux/amd64 linux/arm64; own: linux/amd64 windows/amd64"},
		{"a platform of both", nil, []string{"linux/amd64"}, "all: linux/amd64; own: linux/amd64"},
		{"a platform that the project does not list", nil, []string{"linux/riscv64"}, "all: linux/riscv64"},
		{"one of a target's own", nil, []string{"windows/amd64"}, "all: windows/amd64; own: windows/amd64"},
		{"several", []string{"own"}, []string{"linux/arm64", "windows/amd64"}, "own: windows/amd64"},
	} {
		got, err := pl.Choose(Selection{Targets: c.targets, Platforms: platforms(t, c.platforms...)})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var text []string
		for _, x := range got {
			var names []string
			for _, p := range x.Platforms {
				names = append(names, p.Name)
			}
			text = append(text, x.Name+": "+strings.Join(names, " "))
		}
		if s := strings.Join(text, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	for _, c := range []struct {
		name      string
		targets   []string
		platforms []string
		want      string
	}{
		{"an unknown target", []string{"al"}, nil, `no target "al" (there are all, own)`},
		{"no platform left", []string{"own"}, []string{"linux/arm64"}, "nothing to build"},
	} {
		if _, err := pl.Choose(Selection{Targets: c.targets, Platforms: platforms(t, c.platforms...)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSuite: which suite's packages are a platform's sysroot.
func TestSuite(t *testing.T) {
	for _, c := range []struct {
		settings, platform string
		want               string // the suite, or a part of the error
		fails              bool
	}{
		{"", "linux/amd64", "trixie", false},
		{"", "linux/mips64le", "bookworm", false},
		{"", "linux/loong64", "forky", false},
		{"[sysroot]\nglibc = \"2.31\"", "linux/amd64", "bullseye", false},
		{"[sysroot]\nglibc = \"2.36\"", "linux/arm64", "bookworm", false},
		{"[sysroot]\nglibc = \"2.40\"", "linux/arm64", "bookworm", false},
		{"[sysroot]\nglibc = \"2.41\"", "linux/arm64", "trixie", false},
		{"[sysroot]\nglibc = \"2.99\"", "linux/arm64", "forky", false},
		{"[sysroot]\nsuite = \"bookworm\"", "linux/arm64", "bookworm", false},
		{"[sysroot]\nglibc = \"2.31\"\n[platform.\"linux/riscv64\"]\nglibc = \"2.41\"", "linux/riscv64", "trixie", false},
		{"[sysroot]\nglibc = \"2.31\"\n[platform.\"linux/riscv64\"]\nsuite = \"forky\"", "linux/riscv64", "forky", false},
		{"[sysroot]\nglibc = \"2.31\"", "linux/riscv64",
			`no sysroot for linux/riscv64 has glibc 2.31 or older; there are trixie (glibc 2.41), forky (glibc 2.43): raise the floor for this platform with [platform."linux/riscv64"] glibc = …`, true},
		{"[sysroot]\nsuite = \"bookworm\"", "linux/loong64",
			`suite "bookworm" has no packages for linux/loong64; there are forky (glibc 2.43): write them as [platform."linux/loong64"] suite = …`, true},
		{"", "windows/amd64", "bookworm", false},
		{"[sysroot]\nlibc = \"musl\"", "windows/amd64", "bookworm", false},
		{"", "windows/arm64", `platform "windows/arm64" has no C toolchain or sysroot; it is for Go without cgo alone`, true},
	} {
		pl := planner(t, "-- xbuild.toml --\n"+c.settings+"\n[target.a]\nrecipe = \"go\"\n")
		_, s, err := pl.Suite(platforms(t, c.platform)[0])
		got := s.Name
		if err != nil {
			got = err.Error()
		}
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s with %q:\n got %s\nwant %s", c.platform, c.settings, got, c.want)
		}
	}
}

// TestRequire: what the lock has to hold, each thing once.
func TestRequire(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm/v7", "linux/arm/v5", "linux/arm/v6"]

[toolchains]
go = { version = "=1.27.1" }
make = { source = "host" }
clang = "^19"

[target.a]
recipe = "cc"
sources = ["*.c"]

[target.b]
recipe = "make"
outputs = ["b"]

[target.c]
recipe = "go"
cgo = true

[target.d]
recipe = "go"
platforms = ["windows/amd64"]
`)
	req, err := pl.Require(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range req.Toolchains {
		got = append(got, r.Def.Name+" "+r.Constraint)
	}
	slices.Sort(got)
	// Go switches to an exact release by itself; make is the host's.
	if want := []string{"clang ^19", "go ", "pkgconf "}; !slices.Equal(got, want) {
		t.Errorf("toolchains %q, want %q", got, want)
	}
	got = nil
	for _, r := range req.Sysroots {
		got = append(got, r.Arch+" "+r.Suite)
	}
	if want := []string{"armhf trixie", "armel trixie"}; !slices.Equal(got, want) {
		t.Errorf("sysroots %q, want %q: v5 and v6 share one", got, want)
	}
	if req, err := pl.Require(Selection{Targets: []string{"d"}}); err != nil || len(req.Sysroots) != 0 || len(req.Toolchains) != 1 {
		t.Errorf("Go without cgo needs %+v, %v", req, err)
	}
	pl.locked(t, Selection{})
	p, err := pl.New(Selection{Targets: []string{"c"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Actions[0].Env.Lookup("GOTOOLCHAIN"); got != "go1.27.1" {
		t.Errorf("GOTOOLCHAIN = %q, want the exact release", got)
	}
	if _, err := pl.RequireToolchain("tcc", pl.Host); err == nil || !strings.Contains(err.Error(), `toolchain "tcc" is unknown`) {
		t.Errorf("an unknown toolchain: error %v", err)
	}
}

// TestCompilerOfAPlatform: linux/loong64 is compiled for by a clang of its own, programs for the host among it, and a
// project of it alone wants no other.
func TestCompilerOfAPlatform(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\", \"linux/loong64\"]\n[target.a]\nrecipe = \"autotools\"\ninstall = true\n[target.r]\nrecipe = \"rust\"\n-- Cargo.toml --\n-- configure --\n")
	clangs := func(sel Selection) (out []string) {
		t.Helper()
		req, err := pl.Require(sel)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range req.Toolchains {
			if r.Def.Name == "clang" {
				out = append(out, r.String())
			}
		}
		return out
	}
	if got := clangs(Selection{}); !slices.Equal(got, []string{"toolchain clang", "toolchain clang of linux/loong64"}) {
		t.Errorf("%q", got)
	}
	loong := platforms(t, "linux/loong64")
	if got := clangs(Selection{Platforms: loong}); !slices.Equal(got, []string{"toolchain clang of linux/loong64"}) {
		t.Errorf("linux/loong64 alone: %q", got)
	}
	if req, err := pl.RequireView(loong); err != nil || !slices.ContainsFunc(req.Toolchains, func(r resolve.ToolchainRequest) bool { return r.For() == "linux/loong64" }) {
		t.Errorf("a view of it: %v, %v", req.Toolchains, err)
	}
	if _, err := pl.Toolchain("clang", loong[0]); !errors.Is(err, toolset.ErrNotLocked) || !strings.Contains(err.Error(), "toolchain clang of linux/loong64 for host linux/amd64") {
		t.Errorf("error %v", err)
	}
	p := pl.plan(t, Selection{})
	for _, a := range p.Actions {
		is, not := "toolchain-clang-19.1-", "toolchain-clang-22.1-"
		if a.OCI == "linux/loong64" {
			is, not = not, is
		}
		path := strings.Join(a.Path, " ")
		if !strings.Contains(path, is) || strings.Contains(path, not) {
			t.Errorf("%s for %s: %s", a.Target, a.OCI, path)
		}
	}
	for _, name := range []string{"linux/amd64", "linux/loong64"} {
		q := platforms(t, name)[0]
		v, err := pl.View(q)
		if err != nil {
			t.Fatal(err)
		}
		h, err := pl.HostView(q)
		if err != nil || h.Compiler.Key != v.Compiler.Key {
			t.Errorf("%s: host %s, platform %s: %v", name, h.Compiler.Key, v.Compiler.Key, err)
		}
	}
}

// TestNotLocked: a plan takes nothing that the lock does not hold.
func TestNotLocked(t *testing.T) {
	pl := planner(t, sample)
	if _, err := pl.New(Selection{}); !errors.Is(err, toolset.ErrNotLocked) || !strings.Contains(err.Error(), `xbuild.toml:4: target "hello" for linux/amd64: `) {
		t.Errorf("error %v", err)
	}
	pl.locked(t, Selection{Platforms: platforms(t, "linux/amd64")})
	if _, err := pl.New(Selection{}); !errors.Is(err, toolset.ErrNotLocked) || !strings.Contains(err.Error(), "sysroot for linux/arm64") {
		t.Errorf("error %v", err)
	}
}

// TestOutputs: what a target makes, and what is said where it cannot be known.
func TestOutputs(t *testing.T) {
	head := "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.hello]\n"
	rest := "-- a.c --\n-- go.mod --\nmodule a\n"
	for _, c := range []struct {
		name, target string
		platform     string
		want         []action.Output
	}{
		{"program", "recipe = \"cc\"\nsources = [\"a.c\"]\n", "linux/arm64", []action.Output{{Path: "hello"}}},
		{"static library", "recipe = \"cc\"\nkind = \"static\"\nsources = [\"a.c\"]\n", "linux/arm64", []action.Output{{Path: "libhello.a"}}},
		{"shared library", "recipe = \"cc\"\nkind = \"shared\"\nsources = [\"a.c\"]\n", "linux/arm64", []action.Output{{Path: "libhello.so"}}},
		{"program for windows", "recipe = \"cc\"\nsources = [\"a.c\"]\n", "windows/amd64", []action.Output{{Path: "hello.exe"}}},
		{"shared library for windows", "recipe = \"cc\"\nkind = \"shared\"\nsources = [\"a.c\"]\n", "windows/amd64", []action.Output{{Path: "hello.dll"}}},
		{"go", "recipe = \"go\"\n", "linux/arm64", []action.Output{{Path: "hello"}}},
		{"go for windows", "recipe = \"go\"\n", "windows/amd64", []action.Output{{Path: "hello.exe"}}},
		{"go archive", "recipe = \"go\"\nbuildmode = \"c-archive\"\n", "linux/arm64", []action.Output{{Path: "libhello.a"}}},
		{"make install", "recipe = \"make\"\ninstall = \"install\"\n", "linux/arm64", []action.Output{{Stage: true}}},
		{"named", "recipe = \"make\"\noutputs = [\"src/lua\"]\n", "linux/arm64", []action.Output{{Path: "src/lua"}}},
		{"renamed", "recipe = \"make\"\noutputs = { \"bin/lua\" = \"src/lua\" }\n", "linux/arm64", []action.Output{{Path: "src/lua", Dist: "bin/lua"}}},
		{"named instead of the recipe's", "recipe = \"cc\"\nsources = [\"a.c\"]\noutputs = { \"bin/hi\" = \"hello\" }\n", "linux/arm64", []action.Output{{Path: "hello", Dist: "bin/hi"}}},
	} {
		pl := planner(t, head+c.target+rest)
		if got := pl.plan(t, Selection{Platforms: platforms(t, c.platform)}).Actions[0].Output; !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	for _, c := range []struct{ name, target, want string }{
		{"make without any", "recipe = \"make\"\n", `recipe "make" cannot know what it builds: name the files with outputs = ["path"] or set install = "install"`},
		{"cmake without any", "recipe = \"cmake\"\n", `recipe "cmake" cannot know what it builds: name the files with outputs = ["path"] or set install = true`},
		{"a glob without a file", "recipe = \"cc\"\nsources = [\"*.c\", \"*.cpp\"]\n", `sources: "*.cpp" matches no file in `},
	} {
		pl := planner(t, head+c.target+rest)
		pl.locked(t, Selection{})
		if _, err := pl.New(Selection{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `target "hello" for linux/arm64: `) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSources: globs name each file once, in an order that does not change, and each is compiled by its language's
// driver.
func TestSources(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[target.hello]
recipe = "cc"
sources = ["main.cpp", "**/*.c", "./b.c", "lib/*.cc"]
cflags = ["-DC"]
cxxflags = ["-DCXX"]
-- main.cpp --
-- b.c --
-- lib/z.c --
-- lib/y.cc --
`)
	a := pl.plan(t, Selection{}).Actions[0]
	var got []string
	for _, s := range a.Steps {
		if s.Output != "" {
			language := "C"
			if slices.Contains(s.Command, "-DCXX") {
				language = "CXX"
			}
			got = append(got, s.Command[0]+" "+s.Command[2]+" "+language)
		}
	}
	want := []string{"aarch64-linux-gnu-clang++ main.cpp CXX", "aarch64-linux-gnu-clang b.c C", "aarch64-linux-gnu-clang lib/z.c C", "aarch64-linux-gnu-clang++ lib/y.cc CXX"}
	if !slices.Equal(got, want) {
		t.Errorf("compiled are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if link := a.Steps[len(a.Steps)-1]; link.Command[0] != "aarch64-linux-gnu-clang++" {
		t.Errorf("linked by %s, though a source is C++", link.Command[0])
	}
}

// TestEnvironmentOrder: the target's own variables win over the platform's, these over what xbuild sets.
func TestEnvironmentOrder(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[platform."linux/arm64"]
env = { A = "platform", B = "platform", CC = "platform" }
cflags = ["-DPLATFORM"]
[target.hello]
recipe = "make"
outputs = ["hello"]
env = { A = "target", LDFLAGS = "mine" }
`)
	e := pl.plan(t, Selection{}).Actions[0].Env
	for name, want := range map[string]string{"A": "target", "B": "platform", "CC": "platform", "LDFLAGS": "mine"} {
		if got := e.Lookup(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := e.Lookup("CFLAGS"); !strings.HasPrefix(got, "-O2 ") || !strings.HasSuffix(got, " -DPLATFORM") {
		t.Errorf("CFLAGS = %q", got)
	}
}

// TestTools: what a target names in tools is locked and on PATH, and a message about a program that is missing says how
// to name it.
func TestTools(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[target.calc]
recipe = "make"
platforms = ["linux/arm64"]
tools = ["bison"]
outputs = ["calc"]
`)
	sel := Selection{}
	pl.locked(t, sel)
	a := pl.plan(t, sel).Actions[0]
	if !slices.ContainsFunc(a.Path, func(dir string) bool { return strings.Contains(dir, "/toolchain-bison-") }) {
		t.Errorf("PATH %q", a.Path)
	}
	if m4 := a.Env.Lookup("M4"); !strings.HasSuffix(m4, "/usr/bin/m4") {
		t.Errorf("M4 is %q", m4)
	}
	elsewhere := `xbuild does not bring it, install it on the host; ` + pl.Project.File + `:1: write host_tools = ["elf2hex"] in [target.calc], because builds see of the host what is named (docs/environment.md)`
	for log, want := range map[string]string{
		"/bin/sh: 1: nasm: not found":                                                           `the build runs nasm, which it does not see: ` + pl.Project.File + `:1: write tools = ["nasm"] in [target.calc]`,
		"/bin/sh: 1: msgmerge: not found":                                                       `the build runs msgmerge, which it does not see: ` + pl.Project.File + `:1: write tools = ["gettext"] in [target.calc]`,
		"/bin/sh: 1: sdl2-config: not found":                                                    `the build runs sdl2-config, which it does not see: it says where a library of the host is; pkg-config says it of the platform's (CONFIG="pkg-config sdl2", by the name that the build has for such a variable)`,
		"/bin/sh: 1: elf2hex: not found":                                                        `the build runs elf2hex, which it does not see: ` + elsewhere,
		"make: elf2hex: No such file or directory":                                              `a command of the Makefile, elf2hex, is not there: ` + elsewhere,
		"/bin/sh: 1: xxd: not found":                                                            `the build runs xxd, which it does not see: xbuild does not bring it, install it on the host`,
		"gen.sh: line 12: elf2hex: command not found":                                           `the build runs elf2hex, which it does not see: ` + elsewhere,
		"env: ‘elf2hex’: No such file or directory":                                             `the build runs elf2hex, which it does not see: ` + elsewhere,
		"Can't exec \"elf2hex\": No such file or directory at x.pl line 1.":                     `the build runs elf2hex, which it does not see: ` + elsewhere,
		"FileNotFoundError: [Errno 2] No such file or directory: 'elf2hex'":                     `the build runs elf2hex, which it does not see: ` + elsewhere,
		"main.go:3: running \"elf2hex\": exec: \"elf2hex\": executable file not found in $PATH": `the build runs elf2hex, which it does not see: ` + elsewhere,
		"Error: spawn elf2hex ENOENT":                                                           `the build runs elf2hex, which it does not see: ` + elsewhere,
	} {
		if got := explain.Hints(a, log); len(got) != 1 || got[0] != want {
			t.Errorf("%s:\n got %q\nwant %q", log, got, want)
		}
	}
}

// TestHostTools: what a target names of the host's programs is seen, is in the action's ID, and has to be there.
func TestHostTools(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"sh", "sdl2-config", "cmake", "go", "elf2hex"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	made := func(keys string) *action.Action {
		t.Helper()
		pl := planner(t, `
-- xbuild.toml --
[toolchains]
go = { source = "host" }
[target.made]
recipe = "make"
platforms = ["linux/arm64"]
outputs = ["made"]
`+keys)
		pl.HostTools = hosttools.On(dir)
		return pl.plan(t, Selection{}).Actions[0]
	}
	plain, named, gone, host := made(""), made(`host_tools = ["elf*"]`), made(`host_tools = ["sh", "elf2bin"]`), made(`tools = ["go"]`)
	for _, x := range []struct {
		a    *action.Action
		want []string
	}{{plain, []string{"sh"}}, {named, []string{"elf2hex", "sh"}}, {gone, []string{"sh"}}, {host, []string{"go", "sh"}}} {
		if got := slices.Sorted(maps.Keys(x.a.Seen)); !slices.Equal(got, x.want) {
			t.Errorf("sees %q, want %q", got, x.want)
		}
	}
	if plain.ID == named.ID || plain.HostDir == named.HostDir {
		t.Error("what is seen of the host is not in the ID, or not in the directory's name")
	}
	if plain.Missing != "" || !strings.HasSuffix(gone.Missing, `xbuild.toml:3: host_tools in [target.made] names "elf2bin", which is not on PATH of this machine: install it`) {
		t.Errorf("missing: %q and %q", plain.Missing, gone.Missing)
	}
}

// TestToolsOfCMake: the modules of CMake name programs by their variables, and what a project asks for and does without
// comes before what ends the configuration.
func TestToolsOfCMake(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[target.made]
recipe = "cmake"
platforms = ["linux/arm64"]
outputs = ["made"]
`)
	a := pl.plan(t, Selection{}).Actions[0]
	for log, tool := range map[string]string{
		"  protoc executable not found.  Please define the Protobuf_PROTOC_EXECUTABLE":              "protoc",
		"  Could NOT find Protobuf (missing: Protobuf_PROTOC_EXECUTABLE)":                           "protoc",
		"  Could NOT find BISON (missing: BISON_EXECUTABLE) (Required is at least version \"3.0\")": "bison",
		"  Could NOT find Python3 (missing: Python3_EXECUTABLE Interpreter)":                        "python",
		"  Could NOT find FLEX (missing:\n  FLEX_EXECUTABLE)":                                       "flex",
		"  Could NOT find Gettext (missing: GETTEXT_MSGMERGE_EXECUTABLE GETTEXT_MSGFMT_EXECUTABLE)": "gettext",
	} {
		want := `write tools = ["` + tool + `"] in [target.made]`
		if got := explain.Hints(a, log); len(got) == 0 || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: %q do not begin with one that ends with %q", log, got, want)
		}
	}
	got := explain.Hints(a, "-- Could NOT find Brotli (missing: BROTLIDEC_LIBRARY)\n-- Found ZLIB\nCMake Error at FindPackageHandleStandardArgs.cmake:233 (message):\n  Could NOT find Libpsl (missing: LIBPSL_LIBRARY)\n")
	if len(got) != 1 || !strings.Contains(got[0], "no Libpsl") || !strings.Contains(got[0], `"libpsl-dev"`) {
		t.Errorf("hints %q", got)
	}
}

// TestGoCaches: Go's caches are the store's, unless the caller has his own.
func TestGoCaches(t *testing.T) {
	archive := "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.a]\nrecipe = \"go\"\n"
	pl := planner(t, archive)
	e := pl.plan(t, Selection{}).Actions[0].Env
	for name, want := range map[string]string{"GOCACHE": "/store/cache/go-build", "GOMODCACHE": "/store/cache/go-mod", "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "arm64", "GOTOOLCHAIN": "auto"} {
		if got := e.Lookup(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	pl = planner(t, archive)
	pl.Environ = env.Environment{{Name: "GOCACHE", Value: "/mine"}, {Name: "GOTOOLCHAIN", Value: "local"}}
	e = pl.plan(t, Selection{}).Actions[0].Env
	if e.Lookup("GOCACHE") != "/mine" || e.Lookup("GOTOOLCHAIN") != "local" {
		t.Errorf("GOCACHE = %q, GOTOOLCHAIN = %q: the caller's were meant", e.Lookup("GOCACHE"), e.Lookup("GOTOOLCHAIN"))
	}
}

// TestWatch: a Go target in a module's subdirectory depends on the whole module.
func TestWatch(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.a]\nrecipe = \"go\"\nsource = \"m/cmd/a\"\ninputs = [\"../shared/*.txt\"]\n-- m/go.mod --\nmodule m\n-- m/cmd/a/main.go --\n")
	a := pl.plan(t, Selection{}).Actions[0]
	if a.Watch != filepath.Join(pl.Project.Dir, "m") || a.Source != filepath.Join(pl.Project.Dir, "m/cmd/a") {
		t.Errorf("watched is %s, the source %s", a.Watch, a.Source)
	}
	if want := []string{filepath.Join(filepath.Dir(pl.Project.Dir), "shared/*.txt")}; !slices.Equal(a.Inputs, want) {
		t.Errorf("inputs %q, want %q", a.Inputs, want)
	}
}

// TestPrefixBeforeCompiler: a build that puts CROSS_COMPILE in front of CC gets none, wherever it says so; one that puts
// it in front of a plain name has it, and what a target says itself counts before both.
func TestPrefixBeforeCompiler(t *testing.T) {
	for _, c := range []struct{ name, file, text, key, want string }{
		{"a Makefile", "Makefile", "a:\n\t$(CROSS_COMPILE)$(CC) -o a a.c\n", "", ""},
		{"a script", "scripts/build.sh", "\"${CROSS_COMPILE}${CC}\" -o a a.c\n", "", ""},
		{"a script without braces", "build.sh", "$CROSS_COMPILE$CC -o a a.c\n", "", ""},
		{"quoted apart", "build.sh", "\"$CROSS_COMPILE\"$STRIP a\n", "", ""},
		{"a plain name", "Makefile", "CC = $(CROSS_COMPILE)gcc\n", "", "x86_64-linux-gnu-"},
		{"another variable", "Makefile", "a:\n\t$(CROSS_COMPILE)$(CCNAME)\n", "", "x86_64-linux-gnu-"},
		{"the target's own", "Makefile", "a:\n\t$(CROSS_COMPILE)$(CC)\n", "env = { CROSS_COMPILE = \"own-\" }\n", "own-"},
	} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/amd64\"]\n[target.a]\nrecipe = \"make\"\noutputs = [\"a\"]\n"+c.key+
			"-- "+c.file+" --\n"+c.text)
		a := pl.plan(t, Selection{Platforms: platforms(t, "linux/amd64")}).Actions[0]
		if got := filepath.Base("/" + a.Env.Lookup("CROSS_COMPILE")); got != cmp.Or(c.want, "/") {
			t.Errorf("%s: CROSS_COMPILE is %q, want %q", c.name, got, c.want)
		}
	}
}

// TestHostCompilerByVars: a word for the host's compiler counts in a target's vars as in its Makefile, where the
// Makefile has a name of its own for it.
func TestHostCompilerByVars(t *testing.T) {
	for _, c := range []struct {
		vars string
		host bool
	}{
		{"", false},
		{"vars = { GENCC = \"$(CC_FOR_BUILD)\" }\n", true},
		{"vars = { HOSTCC = \"$(CC)\" }\n", true},
		{"options = [\"HOST_CC=cc\"]\n", true},
		{"env = { BUILD_CC = \"cc\" }\n", true},
		{"vars = { GENCC = \"$(CC)\" }\n", false},
	} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/s390x\"]\n[target.a]\nrecipe = \"make\"\noutputs = [\"a\"]\n"+c.vars+
			"-- Makefile --\na: a.c gen\n\t./gen\n\t$(CC) -o a a.c\ngen: gen.c\n\t$(GENCC) -o gen gen.c\n")
		req, err := pl.Require(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(req.Sysroots, func(r resolve.SysrootRequest) bool { return r.Arch != "s390x" }); got != c.host {
			t.Errorf("%q: a sysroot of the host %v, want %v", c.vars, got, c.host)
		}
	}
}

// TestNarrowHost: for a platform of 32 bits the sysroot of the host's 32-bit side is asked for too, where the host has
// one, and for no other platform.
func TestNarrowHost(t *testing.T) {
	for name, want := range map[string]string{"linux/arm/v7": "i386 bullseye", "linux/386": "i386 bullseye", "linux/arm64": ""} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\""+name+"\"]\n[target.a]\nrecipe = \"autotools\"\noutputs = [\"a\"]\n-- configure --\n")
		req, err := pl.Require(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range req.Sysroots {
			if strings.HasPrefix(r.Where, "32-bit programs of host") {
				got += r.Arch + " " + r.Suite
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		pl.locked(t, Selection{})
		if _, err := pl.New(Selection{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
