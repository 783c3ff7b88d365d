package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

var schema = Schema{
	Recipes: map[string][]Option{
		"cc": {
			{Name: "kind", Type: "string", Default: "program", Choices: []string{"program", "static", "shared"}},
			{Name: "sources", Type: "strings", Required: true, Help: "source files, as globs"},
			{Name: "libs", Type: "strings"},
			{Name: "includes", Type: "strings", Default: []any{"include"}},
		},
		"make": {
			{Name: "vars", Type: "table", Default: map[string]any{"V": "1"}},
			{Name: "depth", Type: "int", Default: int64(3)},
			{Name: "install", Type: "string"},
			{Name: "checks", Type: "strings", Choices: []string{"fast", "slow"}},
		},
		"go": {{Name: "cgo", Type: "bool", Default: true}, {Name: "package", Type: "string", Default: "."}},
	},
	Toolchains: []string{"clang", "cmake", "gcc", "go", "make"},
	Compilers:  []string{"clang", "gcc"},
	Sources:    map[string][]string{"cmake": {"official"}},
	Channels:   map[string][]string{"cmake": {"stable", "nightly"}},
	Suites:     []string{"bullseye", "bookworm", "trixie"},
	Glibc:      []string{"2.36", "2.31", "2.41"},
}

const valid = `
[project]
name = "hello"
platforms = ["linux/amd64", "aarch64-linux-gnu", "armhf"]
dist = "out/dist"

[toolchains]
clang = "^19"
go = { version = ">=1.24, <2", source = "host" }
make = { source = "archive" }

[sysroot]
glibc = "2.34"
packages = ["zlib1g-dev", "libssl-dev"]

[platform.arm64]
cpu = "cortex-a72"
features = ["crypto"]
cflags = ["-O3"]
env = { A = "1", B = "2" }
suite = "bookworm"
packages = ["libsqlite3-dev", "zlib1g-dev"]

[platform."linux/arm64/v8.2"]
cpu = "neoverse-n1"
features = []
env.B = "3"

[mirrors]
debian = ["https://mirror.example/debian", "file:///srv/debian"]

[target.tool]
recipe = "make"
source = "../shared"
platforms = ["linux/riscv64"]
env = { CFG = "x" }
strip = true
lenient = false
static = false
opt = "s"
outputs = { "bin/tool" = "src/tool", "bin/a" = "b" }
dest = "sub/dir/"
inputs = ["../include/**"]
external = ["libcuda.so.1"]
unaudited = ["lib/libvendor.so*"]
dispatched = ["crc32_*_pclmul"]
bench = ["bin/tool", "", "-n 3"]
vars = { V = "2" }
checks = ["slow"]

[target.hello]
recipe = "cc"
sources = ["*.c"]
outputs = ["hello", "lib*.so"]

[target."a.b"]
recipe = "go"
cgo = false
`

func folder(t testing.TB, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello-project")
	for _, d := range []string{"", "src", "../shared"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{FileName: text, "file": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustParse(t *testing.T, s string) platform.Platform {
	t.Helper()
	pl, err := platform.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

func names(platforms []platform.Platform) []string {
	var out []string
	for _, p := range platforms {
		out = append(out, p.String())
	}
	return out
}

func TestLoad(t *testing.T) {
	dir := folder(t, valid)
	p, err := Load(filepath.Join(dir, FileName), schema)
	if err != nil {
		t.Fatal(err)
	}
	off := false
	common := []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}
	for name, c := range map[string]struct{ got, want any }{
		"dir":         {p.Dir, dir},
		"name":        {p.Name, "hello"},
		"platforms":   {names(p.Platforms), common},
		"dist":        {p.DistDir(), filepath.Join(dir, "out/dist")},
		"build":       {p.BuildDir(), filepath.Join(dir, ".xbuild")},
		"toolchains":  {p.Toolchains, map[string]ToolchainRequest{"clang": {Constraint: "^19", Line: 8}, "go": {Constraint: ">=1.24, <2", Source: "host", Line: 9}, "make": {Source: "archive", Line: 10}}},
		"sysroot":     {p.Sysroot, SysrootRequest{Glibc: "2.34", Libc: "gnu", Packages: []string{"zlib1g-dev", "libssl-dev"}}},
		"mirrors":     {p.Mirrors, map[string][]string{"debian": {"https://mirror.example/debian", "file:///srv/debian"}}},
		"configs":     {len(p.PlatformConfig), 2},
		"targets":     {len(p.Targets), 3},
		"source":      {p.SourceDir(p.Targets[0]), filepath.Join(filepath.Dir(dir), "shared")},
		"platforms 0": {names(p.Targets[0].Platforms), []string{"linux/riscv64"}},
		"platforms 1": {names(p.Targets[1].Platforms), common},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %#v, want %#v", name, c.got, c.want)
		}
	}
	want := []Target{
		{Name: "tool", Recipe: "make", Source: "../shared", Only: true, Env: map[string]string{"CFG": "x"}, Strip: true, Lenient: &off, Static: &off, Opt: "s",
			Outputs: []Output{{"b", "bin/a"}, {"src/tool", "bin/tool"}}, Dest: "sub/dir", Inputs: []string{"../include/**"}, External: []string{"libcuda.so.1"}, Dispatched: []string{"crc32_*_pclmul"}, Unaudited: []string{"lib/libvendor.so*"}, Bench: []string{"bin/tool", "", "-n 3"},
			Options: map[string]any{"vars": map[string]string{"V": "2"}, "depth": int64(3), "checks": []string{"slow"}}, Line: 32},
		{Name: "hello", Recipe: "cc", Source: ".", Opt: "", Outputs: []Output{{Path: "hello"}, {Path: "lib*.so"}},
			Options: map[string]any{"kind": "program", "sources": []string{"*.c"}, "includes": []string{"include"}}, Line: 51},
		{Name: "a.b", Recipe: "go", Source: ".", Opt: "", Options: map[string]any{"cgo": false, "package": "."}, Line: 56},
	}
	for i, got := range p.Targets {
		got.Platforms = nil
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("target %d: got\n%#v\nwant\n%#v", i, got, want[i])
		}
	}
	if _, ok := p.Target("a.b"); !ok || p.Nearest("hallo") != "hello" || p.Nearest("xyz") != "" {
		t.Error("Target or Nearest do not know the targets")
	}
}

func TestConfig(t *testing.T) {
	p, err := Load(filepath.Join(folder(t, valid), FileName), schema)
	if err != nil {
		t.Fatal(err)
	}
	none := SysrootRequest{Glibc: "2.34", Libc: "gnu", Packages: []string{"zlib1g-dev", "libssl-dev"}}
	bookworm := SysrootRequest{Suite: "bookworm", Libc: "gnu", Packages: []string{"zlib1g-dev", "libssl-dev", "libsqlite3-dev"}}
	for name, want := range map[string]PlatformConfig{
		"linux/amd64":      {Sysroot: none, Env: map[string]string{}},
		"linux/arm/v7":     {Sysroot: none, Env: map[string]string{}},
		"linux/arm64":      {CPU: "cortex-a72", Features: []string{"crypto"}, CFlags: []string{"-O3"}, Env: map[string]string{"A": "1", "B": "2"}, Sysroot: bookworm, Line: 16},
		"linux/arm64/v8.2": {CPU: "neoverse-n1", Features: []string{}, CFlags: []string{"-O3"}, Env: map[string]string{"A": "1", "B": "3"}, Sysroot: bookworm, Line: 24},
		"linux/arm64/v9.0": {CPU: "cortex-a72", Features: []string{"crypto"}, CFlags: []string{"-O3"}, Env: map[string]string{"A": "1", "B": "2"}, Sysroot: bookworm, Line: 16},
	} {
		if got := p.Config(mustParse(t, name)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%#v\nwant\n%#v", name, got, want)
		}
	}
	// What one caller does to its answer is no other's business.
	p.Config(mustParse(t, "linux/arm64")).Sysroot.Packages[0] = "changed"
	p.Config(mustParse(t, "linux/arm64")).Features[0] = "changed"
	if got := p.Config(mustParse(t, "linux/arm64")); got.Features[0] != "crypto" || p.Sysroot.Packages[0] != "zlib1g-dev" {
		t.Error("Config hands out the project's own lists")
	}
}

// linux/arm is a spelling of linux/arm/v7; its settings are not v6's.
func TestConfigOfArm(t *testing.T) {
	p, err := parse(FileName, t.TempDir(), "[platform.\"linux/arm\"]\ncflags = [\"-O1\"]\n", schema)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Config(mustParse(t, "linux/arm/v7")).CFlags; !slices.Equal(got, []string{"-O1"}) {
		t.Errorf("v7 has %v", got)
	}
	if got := p.Config(mustParse(t, "linux/arm/v6")).CFlags; got != nil {
		t.Errorf("v6 has %v", got)
	}
}

func TestDefaults(t *testing.T) {
	dir := folder(t, "")
	p, err := Load(filepath.Join(dir, FileName), schema)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "hello-project" || p.Dist != "dist" || p.Build != ".xbuild" || p.Sysroot.Libc != "gnu" || len(p.Targets) != 0 {
		t.Errorf("got %+v", p)
	}
	if want := []string{platform.Host().String()}; !slices.Equal(names(p.Platforms), want) {
		t.Errorf("platforms are %v, want the host's, %v", names(p.Platforms), want)
	}
}

// A default that one target changes must not reach the next.
func TestDefaultsAreCopies(t *testing.T) {
	text := "[target.a]\nrecipe = \"make\"\n[target.b]\nrecipe = \"make\"\n"
	p, err := parse(FileName, t.TempDir(), text, schema)
	if err != nil {
		t.Fatal(err)
	}
	p.Targets[0].Options["vars"].(map[string]string)["V"] = "changed"
	p.Targets[0].Platforms[0] = platform.Platform{}
	if p.Targets[1].Options["vars"].(map[string]string)["V"] != "1" || p.Targets[1].Platforms[0].String() == "" {
		t.Error("two targets share a default")
	}
}

func TestFind(t *testing.T) {
	dir := folder(t, "")
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, FileName)
	for _, from := range []string{dir, filepath.Join(dir, "src")} {
		if got, err := Find(from); got != want || err != nil {
			t.Errorf("from %s: got %q, %v, want %q", from, got, err, want)
		}
	}
	t.Chdir(filepath.Join(dir, "src"))
	for from, want := range map[string]string{".": "../xbuild.toml", "..": "../xbuild.toml", "../src": "../xbuild.toml"} {
		if got, err := Find(from); got != want || err != nil {
			t.Errorf("from %s: got %q, %v, want %q", from, got, err, want)
		}
	}
	// A folder of that name is no project.
	if err := os.Mkdir("xbuild.toml", 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("."); got != "../xbuild.toml" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	// By a link, the folder above is the one above what the link names.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "src"), link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(link)
	got, err := Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(got); err != nil || got != "../xbuild.toml" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Find(t.TempDir()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no xbuild.toml in ") {
		t.Errorf("got %v, want that there is none", err)
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), FileName), schema); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(strings.Repeat("# long\n", maxSize/7+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, schema); err == nil || !strings.HasSuffix(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(valid)
	everything, err := os.ReadFile("../tomlfile/testdata/everything.toml") // every form that TOML has for a key
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(everything))
	for _, c := range faults {
		f.Add(c.text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse(FileName, dir, text, schema)
		var list Errors
		switch {
		case err == nil:
			if p.Name == "" || p.Dist == "" || p.Build == "" || len(p.Platforms) == 0 {
				t.Fatalf("a default is missing: %+v", p)
			}
			for _, pl := range p.Platforms {
				p.Config(pl)
			}
		case !errors.As(err, &list) || len(list) == 0:
			t.Fatalf("not a list of errors: %v", err)
		default:
			lines := strings.Count(text, "\n") + 1
			for i, e := range list {
				if e.Line < 1 || e.Line > lines || i > 0 && e.Line < list[i-1].Line {
					t.Fatalf("line %d of %d: %v", e.Line, lines, err)
				}
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	text := valid + `
[target.four]
recipe = "cc"
sources = ["src/*.c", "src/*.cc"]
libs = ["z", "ssl"]
[target.five]
recipe = "make"
vars = { CC = "cc", PREFIX = "/usr" }
`
	path := filepath.Join(folder(b, text), FileName)
	for b.Loop() {
		if _, err := Load(path, schema); err != nil {
			b.Fatal(err)
		}
	}
}

// TestChannels: a toolchain that has channels takes their names, with or without a day, beside version constraints.
func TestChannels(t *testing.T) {
	for text, want := range map[string]ToolchainRequest{
		"cmake = \"nightly\"":                                                {Constraint: "nightly", Source: "", Line: 2},
		"cmake = \"nightly-2026-05-20\"":                                     {Constraint: "nightly-2026-05-20", Source: "", Line: 2},
		"cmake = { version = \"stable\", source = \"archive\" }":             {Constraint: "stable", Source: "archive", Line: 2},
		"cmake = { version = \"stable-2026-05-20\", source = \"official\" }": {Constraint: "stable-2026-05-20", Source: "official", Line: 2},
		"cmake = { version = \"1.90.0\", source = \"official\" }":            {Constraint: "1.90.0", Source: "official", Line: 2},
		"cmake = { source = \"official\" }":                                  {Constraint: "", Source: "official", Line: 2},
	} {
		file := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(file, []byte("[toolchains]\n"+text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := Load(file, schema)
		if err != nil || p.Toolchains["cmake"] != want {
			t.Errorf("%s: %+v, %v, want %+v", text, p, err, want)
		}
	}
}
