package catalog

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"
	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/platform"
	"xbuild/internal/probe"
	"xbuild/recipes"
	"xbuild/sysroots"
	"xbuild/toolchains"
)

func load(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLoad sees that every definition is read and found by its name.
func TestLoad(t *testing.T) {
	c := load(t)
	for _, kind := range []struct {
		files fs.FS
		found func(name string) bool
		count int
	}{
		{toolchains.Files, func(n string) bool { return c.Toolchain(n) != nil }, len(c.Toolchains)},
		{recipes.Files, func(n string) bool { return c.Recipe(n) != nil }, len(c.Recipes)},
		{sysroots.Files, func(n string) bool {
			return slices.ContainsFunc(c.Sysroots, func(s *Sysroot) bool { return s.Name == n })
		}, len(c.Sysroots)},
	} {
		files, err := fs.Glob(kind.files, "*.toml")
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != kind.count || kind.count == 0 {
			t.Errorf("%d definitions of %d files", kind.count, len(files))
		}
		for _, f := range files {
			if !kind.found(strings.TrimSuffix(f, path.Ext(f))) {
				t.Errorf("%s is not found by its name", f)
			}
		}
	}
	if c.Toolchain("none") != nil || c.Recipe("none") != nil || c.Sysroot("none") != nil {
		t.Error("something is found that does not exist")
	}
	if c.Sysroot("gnu") == nil {
		t.Error(`no sysroot for libc "gnu"`)
	}
}

// TestDefinitionsSayWhereFactsComeFrom: each TOML starts with a comment.
func TestDefinitionsSayWhereFactsComeFrom(t *testing.T) {
	for _, files := range []fs.FS{toolchains.Files, sysroots.Files, recipes.Files} {
		names, err := fs.Glob(files, "*.toml")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			data, err := fs.ReadFile(files, n)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(data), "# ") {
				t.Errorf("%s does not start with a comment that says where its facts come from", n)
			}
		}
	}
}

// TestToolchains looks at what every toolchain must say.
func TestToolchains(t *testing.T) {
	for _, d := range load(t).Toolchains {
		if d.Summary == "" || !strings.HasPrefix(d.Home, "https://") || d.Package == "" || len(d.Packages) == 0 || len(d.Sources) == 0 || len(d.Programs)+len(d.Env) == 0 {
			t.Errorf("toolchains/%s.toml: summary, home, package, packages, source and programs (or env) are all needed", d.Name)
		}
		if len(d.Programs) == 0 {
			continue // a library
		}
		if len(d.Test) == 0 {
			t.Errorf("toolchains/%s.toml: no test", d.Name)
		} else if _, ok := d.Programs[d.Test[0]]; !ok {
			t.Errorf("toolchains/%s.toml: test runs %q, which is none of its programs", d.Name, d.Test[0])
		}
		for _, name := range d.Beside {
			if load(t).Toolchain(name) == nil {
				t.Errorf("toolchains/%s.toml: beside: no toolchain %q", d.Name, name)
			}
		}
		if d.Dialect != nil {
			if err := d.Dialect.Check(); err != nil {
				t.Errorf("toolchains/%s.toml: dialect: %v", d.Name, err)
			}
		}
		for i, o := range d.Only {
			p, err := platform.Parse(o.Platform)
			if err != nil || p.Name != o.Platform || d.For(p) != &d.Only[i] || !p.HasSysroot() {
				t.Errorf("toolchains/%s.toml: only %d: %q is no platform that it compiles for, or has a row of its own already (%v)", d.Name, i, o.Platform, err)
			}
			c, err := semver.NewConstraint(o.Versions)
			if err != nil || o.Why == "" {
				t.Errorf("toolchains/%s.toml: only %d: versions = %q, why = %q: %v", d.Name, i, o.Versions, o.Why, err)
				continue
			}
			// A slot is the first part of a version: one of the sources has to serve the platform, and one not.
			serves := map[bool]bool{}
			for _, s := range d.Sources {
				v, err := semver.NewVersion(s.Slot)
				if err != nil || s.Archive != Debian {
					t.Errorf("toolchains/%s.toml: only is for toolchains of the Debian archive with slots: %q of %s", d.Name, s.Slot, s.Archive)
					continue
				}
				serves[c.Check(v)] = true
			}
			if !serves[true] || !serves[false] {
				t.Errorf("toolchains/%s.toml: only %d: %q chooses none of the sources, or all", d.Name, i, o.Versions)
			}
			// Where others are asked for, it is for several platforms at once.
			if d.Name != "clang" {
				t.Errorf("toolchains/%s.toml: only is asked of compilers alone", d.Name)
			}
		}
		for i, s := range d.Sources {
			for name, flags := range s.Driver {
				if p, err := platform.Parse(name); err != nil || p.Name != name || len(flags) == 0 {
					t.Errorf("toolchains/%s.toml: source %d: driver of %q: %q (%v)", d.Name, i, name, flags, err)
				}
			}
			if !slices.Contains(Archives, s.Archive) || s.Suite == "" {
				t.Errorf("toolchains/%s.toml: source %d: archive %q, suite %q", d.Name, i, s.Archive, s.Suite)
			}
			if _, err := semver.NewConstraint(s.Suite); (s.Archive == NPM || s.Archive == PyPI) && err != nil {
				t.Errorf("toolchains/%s.toml: source %d: suite %q of npm is no range of versions: %v", d.Name, i, s.Suite, err)
			}
			if (s.Runtime != "") != (len(d.In(s).Runtime) > 0) || s.Archive == Debian && s.Runtime != "" {
				t.Errorf("toolchains/%s.toml: source %d: runtime %q, and the definition's runtime is %q: both or none, and none where the programs are Debian's", d.Name, i, s.Runtime, d.In(s).Runtime)
			}
			if slices.ContainsFunc(d.Sources[:i], func(x Source) bool { return reflect.DeepEqual(x, s) }) {
				t.Errorf("toolchains/%s.toml: source %d is there twice", d.Name, i)
			}
			host, err := platform.Parse("linux/arm64")
			if err != nil {
				t.Fatal(err)
			}
			in := d.On(host).In(s)
			if !slices.Contains(in.Packages, in.Package) {
				t.Errorf("toolchains/%s.toml: package %s is not among its packages %q", d.Name, in.Package, in.Packages)
			}
			all := slices.Concat([]string{in.Package}, in.Packages, in.Skip, in.RPath, slices.Collect(maps.Values(in.Programs)))
			for _, list := range [][]string{all, in.Keep, in.Drop} {
				for _, v := range list {
					if strings.Contains(v, "{slot}") || strings.Contains(v, "{node}") || s.Slot == "" && strings.HasSuffix(v, "-") {
						t.Errorf("toolchains/%s.toml: %q is not filled in for suite %s", d.Name, v, s.Suite)
					}
				}
			}
			if !reflect.DeepEqual(in.Sources, []Source{s}) {
				t.Errorf("In: sources %v, want %v alone", in.Sources, s)
			}
		}
		for name, file := range d.Programs {
			if strings.ContainsAny(name, "/ ") || strings.HasPrefix(file, "/") || path.Clean(file) != file {
				t.Errorf("toolchains/%s.toml: program %q = %q", d.Name, name, file)
			}
		}
	}
}

// TestCompiler: one toolchain compiles C, and says all that a view of it is made by. Its other names are those of
// other compilers.
func TestCompiler(t *testing.T) {
	c := load(t)
	var found []string
	for _, d := range c.Toolchains {
		if d.Compiler != nil {
			found = append(found, d.Name)
		}
	}
	if len(found) != 1 || c.Compiler().Name != found[0] {
		t.Fatalf("compilers of C are %q, want one", found)
	}
	d := c.Compiler()
	for _, s := range d.Sources {
		in := d.In(s).Compiler
		for name, value := range map[string]string{"c": in.C, "cxx": in.CXX, "bin": in.Bin, "resources": in.Resources, "pkg_config": in.PkgConfig} {
			if value == "" || strings.Contains(value, "{") {
				t.Errorf("%s of suite %s: %s is %q", d.Name, s.Suite, name, value)
			}
		}
		if !slices.Contains(in.Drivers, in.C) || !slices.Contains(in.CXXDrivers, in.CXX) || slices.ContainsFunc(in.CXXDrivers, func(d string) bool { return !slices.Contains(in.Drivers, d) }) || in.Strippers["strip"] == "" || in.Tools["ar"] == "" {
			t.Errorf("%s of suite %s: drivers %q, strippers %v", d.Name, s.Suite, in.Drivers, in.Strippers)
		}
		for _, programs := range []map[string]string{in.Tools, in.Strippers} {
			for name, program := range programs {
				if _, ok := d.Programs[program]; !ok {
					t.Errorf("%s: %s is %s, which is not among its programs", d.Name, name, program)
				}
			}
		}
	}
	if c.Toolchain(d.Compiler.PkgConfig) == nil {
		t.Errorf("no toolchain %q", d.Compiler.PkgConfig)
	}
	if !strings.Contains(d.Compiler.Bin, "{slot}") {
		t.Errorf("In changes the definition: %q", d.Compiler.Bin)
	}
}

// TestInLeavesTheDefinition: reading a definition for one source must not change it for the next.
func TestInLeavesTheDefinition(t *testing.T) {
	d := load(t).Toolchain("clang")
	before := []string{d.Package, strings.Join(d.Packages, " "), strings.Join(d.Keep, " "), d.Programs["clang"]}
	d.In(d.Sources[0])
	d.In(d.Sources[1])
	if after := []string{d.Package, strings.Join(d.Packages, " "), strings.Join(d.Keep, " "), d.Programs["clang"]}; !slices.Equal(before, after) {
		t.Errorf("In changed the definition: %q, was %q", after, before)
	}
}

// TestSysroots sees that suites are ordered by glibc and that every platform with C has one that is preferred.
// TestNeeds: what a source needs is something that the platform can promise and does not, and whoever is told of z14 is
// told of all releases of Go that do without, the newest first.
func TestNeeds(t *testing.T) {
	var without []string
	for _, d := range load(t).Toolchains {
		for _, s := range d.Sources {
			for name, features := range s.Needs {
				p, err := platform.Parse(name)
				if err != nil {
					t.Fatalf("toolchains/%s.toml: %v", d.Name, err)
				}
				own, err := p.Baseline("", nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Baseline("", features); err != nil || len(features) == 0 {
					t.Errorf("toolchains/%s.toml: %s needs %q on %s: %v", d.Name, s.Slot, features, name, err)
				}
				for _, f := range features {
					if slices.Contains(own.Features(), f) {
						t.Errorf("toolchains/%s.toml: %s needs %s on %s, which promises it", d.Name, s.Slot, f, name)
					}
				}
			}
			if d.Name == "go" && s.Suite != "bookworm" && !slices.Contains(s.Needs["linux/s390x"], "z14") { // 1.19 is the oldest suite's, and no advice
				without = append(without, fmt.Sprintf(`"~%s"`, s.Slot))
			}
		}
	}
	slices.Reverse(without)
	const message = "f runs wfmaxdb (e7 11 20 18 30 ef) on every machine, which needs z14 and linux/s390x has not: in runtime.x at 0x26d52"
	for _, e := range load(t).Toolchain("go").Explain {
		if regexp.MustCompile("(?m)" + e.Match).MatchString(message) {
			if want := "write go = " + strings.Join(without, ", or ") + ", into {toolchains}"; len(without) < 2 || !strings.Contains(e.Hint, want) {
				t.Errorf("hint %q, want in it %q", e.Hint, want)
			}
			return
		}
	}
	t.Errorf("nothing explains %q", message)
}

func TestSysroots(t *testing.T) {
	for _, d := range load(t).Sysroots {
		if d.Libc == "" {
			continue
		}
		gnu := d.Libc == "gnu"
		if _, ok := d.Suite(d.Host); gnu && !ok {
			t.Errorf("sysroots/%s.toml: host names the unknown suite %q", d.Name, d.Host)
		}
		for i, s := range d.Suites {
			version := s.Version
			if gnu {
				version = s.Glibc
			}
			v, err := semver.NewVersion(version)
			if err != nil {
				t.Errorf("sysroots/%s.toml: suite %s: version of its libc %q: %v", d.Name, s.Name, version, err)
				continue
			}
			if i > 0 {
				if last, err := semver.NewVersion(d.Suites[i-1].Glibc); err == nil && !v.GreaterThan(last) {
					t.Errorf("sysroots/%s.toml: suite %s comes after %s, so its glibc must be newer", d.Name, s.Name, d.Suites[i-1].Name)
				}
			}
			for _, root := range d.Roots(s) {
				if strings.Contains(root, "{") {
					t.Errorf("sysroots/%s.toml: package %q is not filled in for suite %s", d.Name, root, s.Name)
				}
			}
			if got, ok := d.Suite(s.Name); !ok || got.Glibc != s.Glibc {
				t.Errorf("suite %s is not found by its name", s.Name)
			}
		}
		for _, name := range d.Prefer {
			if _, ok := d.Suite(name); !ok {
				t.Errorf("sysroots/%s.toml: prefer names the unknown suite %q", d.Name, name)
			}
		}
		for _, p := range platform.All() {
			if gnu && p.HasC() && !slices.ContainsFunc(d.Prefer, func(name string) bool {
				s, _ := d.Suite(name)
				return slices.Contains(s.Architectures, p.Debian)
			}) {
				t.Errorf("sysroots/%s.toml: no preferred suite has %s for %s", d.Name, p.Debian, p.Name)
			}
		}
		if _, ok := d.Suite("potato"); ok {
			t.Error(`suite "potato" is found`)
		}
	}
}

// TestParts sees that a toolchain's library is there for suites of that toolchain, under names that platforms have.
func TestParts(t *testing.T) {
	c := load(t)
	targets, of := map[string]string{}, map[string]platform.Platform{}
	for _, p := range platform.All() {
		targets[p.Rust], of[p.Rust] = p.Debian, p
		if m, ok := p.ForMusl(); ok {
			of[m.Rust] = m
		}
	}
	for _, d := range c.Sysroots {
		if d.Libc != "" {
			continue
		}
		if d.Program != "" {
			programs(t, c, d)
			continue
		}
		if d.Library != nil {
			libraries(t, c, d)
			continue
		}
		if d.Archive == NPM {
			if len(d.Packages) != 1 || len(d.Suites) > 0 || d.Of != "" || c.Part(d.Name) != d {
				t.Errorf("sysroots/%s.toml: of npm, whose versions the project names: want one package, no suites and no toolchain", d.Name)
			}
			continue
		}
		toolchain := c.Toolchain(d.Of)
		if toolchain == nil {
			t.Errorf("sysroots/%s.toml: neither libc nor the library of a toolchain: of = %q", d.Name, d.Of)
			continue
		}
		if c.Part(d.Name) != d {
			t.Errorf("sysroots/%s.toml is not found by its name", d.Name)
		}
		if from := c.Part(d.From); d.From != "" && (from == nil || from.Of != d.Of) {
			t.Errorf("sysroots/%s.toml: from = %q is nothing of toolchain %s", d.Name, d.From, d.Of)
		}
		if chain := c.Chain(d.Name); chain[0] != d || d.From != "" && chain[len(chain)-1].Source == "" {
			t.Errorf("sysroots/%s.toml: from leads to no source", d.Name)
		}
		if (d.Source == "") == (len(d.Packages) == 0) {
			t.Errorf("sysroots/%s.toml: packages or source, one of the two", d.Name)
		}
		for _, s := range d.Suites {
			if !slices.ContainsFunc(toolchain.Sources, func(x Source) bool { return x.Suite == s.Name }) {
				t.Errorf("sysroots/%s.toml: suite %s is none of toolchain %s", d.Name, s.Name, d.Of)
			}
			if (s.Package != "") != (s.Strip > 0) || s.Package != "" && d.Source == "" {
				t.Errorf("sysroots/%s.toml: suite %s: package %q with strip = %d: a package has the source of a definition with a source, below some directories", d.Name, s.Name, s.Package, s.Strip)
			}
			for target, entries := range s.Beyond {
				var features []string
				for _, e := range entries {
					f, versions, ok := strings.Cut(e, " ")
					if _, err := semver.NewConstraint(versions); ok && err != nil {
						t.Errorf("sysroots/%s.toml: suite %s: beyond of %s: %q: %v", d.Name, s.Name, target, e, err)
					}
					features = append(features, f)
				}
				b, err := of[target].Baseline("", nil)
				with, errWith := of[target].Baseline("", features)
				if err != nil || errWith != nil || len(with.Features()) <= len(b.Features()) {
					t.Errorf("sysroots/%s.toml: suite %s: beyond of %s: %q is nothing more than the platform promises: %v", d.Name, s.Name, target, features, errWith)
				}
			}
			for target, arch := range s.Targets {
				if want, ok := targets[target]; !ok || want != arch && !(want == "" && arch == "all") {
					t.Errorf("sysroots/%s.toml: suite %s: target %s is %s, want %s as the platform has it", d.Name, s.Name, target, arch, targets[target])
				}
			}
		}
	}
}

// programs sees that the program of a tree is there for platforms, in versions.
func programs(t *testing.T, c *Catalog, d *Sysroot) {
	t.Helper()
	if c.Part(d.Name) != d || d.Of != "" || len(d.Keep) == 0 || (d.Archive == NPM) == (d.Package != "") || (len(d.Builds) > 0) != (d.Archive == NPM) || (len(d.Suites) > 0) == (d.Archive == NPM) {
		t.Errorf("sysroots/%s.toml: a program comes from builds, of npm, or from a package of suites: %+v", d.Name, d)
	}
	if from := c.Part(d.From); d.From != "" && (from == nil || from.Program == "") {
		t.Errorf("sysroots/%s.toml: from = %q has no program", d.Name, d.From)
	}
	var versions []string
	for _, b := range d.Builds {
		if p, err := platform.Parse(b.Platform); err != nil || p.Name != b.Platform || p.Node == "" || b.Package == "" {
			t.Errorf("sysroots/%s.toml: %+v is of no platform (%v)", d.Name, b, err)
		}
		versions = append(versions, b.Versions...)
	}
	for _, s := range d.Suites {
		versions = append(versions, s.Version)
		for _, arch := range s.Architectures {
			if !slices.ContainsFunc(platform.All(), func(p platform.Platform) bool {
				return p.Debian == arch && p.Node != "" && slices.Contains(p.Suites, s.Name)
			}) {
				t.Errorf("sysroots/%s.toml: suite %s: no platform with %s", d.Name, s.Name, arch)
			}
		}
	}
	for _, v := range versions {
		if _, err := semver.StrictNewVersion(v); err != nil {
			t.Errorf("sysroots/%s.toml: version %q: %v", d.Name, v, err)
		}
	}
}

// filled are the placeholders and conditions that package plan has values for beside the options.
var filled = []string{
	"name", "caches", "qemu", "static", "strip", "opt", "platform", "triplet", "exe", "source", "build", "stage", "jobs", "artifact", "env.CFLAGS", "env.CXXFLAGS", "env.LDFLAGS", "lenient", "lenient_header", "needs", "needs.link", "host.cmake", "cmake_toolchain", "meson_cross", "meson_native", "host_machine", "host_rust",
	"rust", "rust.flags", "binding.gyp", "manager", "xbuild", "test", "sources.objects", "link.driver", "item", "item.object", "item.driver", "item.flags", "item.options",
}

// TestRecipes sees that every placeholder and condition of a recipe means something, and that every option says what it
// is.
func TestRecipes(t *testing.T) {
	c := load(t)
	for _, r := range c.Recipes {
		vars := Vars{}
		for _, name := range filled {
			vars[name] = "x"
		}
		vars["static"], vars["strip"], vars["test"], vars["lenient"], vars["host.cmake"] = true, true, true, true, true
		for _, o := range r.Options {
			if vars[o.Name] != nil {
				t.Errorf("recipes/%s.toml: option %q has the name of something that is there for every recipe", r.Name, o.Name)
			}
			switch o.Type {
			case "string":
				vars[o.Name] = "x"
			case "bool":
				vars[o.Name] = true
			case "int":
				vars[o.Name] = int64(1)
			case "strings":
				vars[o.Name] = []string{"x"}
			case "table":
				vars[o.Name] = map[string]string{"k": "v"}
			default:
				t.Errorf("recipes/%s.toml: option %q has the unknown type %q", r.Name, o.Name, o.Type)
			}
			if o.Help == "" {
				t.Errorf("recipes/%s.toml: option %q has no help", r.Name, o.Name)
			}
			if o.Default != nil {
				ok := false
				switch o.Default.(type) {
				case string:
					ok = o.Type == "string"
				case bool:
					ok = o.Type == "bool"
				case int64:
					ok = o.Type == "int"
				case []any:
					ok = o.Type == "strings"
				}
				if !ok {
					t.Errorf("recipes/%s.toml: option %q is a %s, its default %v a %T", r.Name, o.Name, o.Type, o.Default, o.Default)
				}
			}
			if s, isString := o.Default.(string); len(o.Choices) > 0 && isString && !slices.Contains(o.Choices, s) {
				t.Errorf("recipes/%s.toml: the default of %q is none of its choices", r.Name, o.Name)
			}
		}
		for option := range r.Optimise {
			if !slices.ContainsFunc(r.Options, func(o Option) bool { return o.Name == option && o.Type == "table" }) {
				t.Errorf("recipes/%s.toml: optimise names %q, which is no option that is a table", r.Name, option)
			}
		}
		for _, l := range r.Logs {
			if probe.Formats[l.Format] == nil || !doublestar.ValidatePattern(l.Path) {
				t.Errorf("recipes/%s.toml: nothing reads the log %q of format %q", r.Name, l.Path, l.Format)
			}
		}
		holds := func(what, when string) {
			if _, err := vars.Holds(when); err != nil {
				t.Errorf("recipes/%s.toml: %s: %v", r.Name, what, err)
			}
		}
		one := func(what, s string) {
			if _, err := vars.ExpandOne(s); err != nil {
				t.Errorf("recipes/%s.toml: %s: %v", r.Name, what, err)
			}
		}
		for _, n := range r.Needs {
			holds("needs", n.When)
			for _, name := range n.Toolchains {
				if d := c.Toolchain(name); d == nil {
					t.Errorf("recipes/%s.toml: needs the unknown toolchain %q", r.Name, name)
				} else if d.Dialect != nil {
					vars[name+".target"], vars[name+".cpu"] = "x", "x"
				}
			}
			for _, name := range n.Parts {
				d := c.Part(name)
				if d == nil || d.Of == "" && d.Archive == "" {
					t.Errorf("recipes/%s.toml: needs the unknown library %q", r.Name, name)
				} else if _, ok := vars[n.Versions].([]string); d.Archive == NPM && !ok {
					t.Errorf("recipes/%s.toml: the versions of %s are in %q, which is no list of strings", r.Name, name, n.Versions)
				}
			}
		}
		for _, l := range r.Lists {
			vars[l.Name] = []string{"x"}
			for _, a := range l.Items {
				holds(l.Name, a.When)
			}
			if _, err := vars.ExpandAll(l.Items); err != nil {
				t.Errorf("recipes/%s.toml: %s: %v", r.Name, l.Name, err)
			}
		}
		for name, v := range r.Env {
			holds(name, v.When)
			one(name, v.Then)
			one(name, v.Else)
		}
		if len(r.Steps) == 0 || r.Summary == "" {
			t.Errorf("recipes/%s.toml: no steps or no summary", r.Name)
		}
		for _, s := range slices.Concat(r.Fetch, r.Steps, r.Tests) {
			what := "step " + s.Name
			if _, err := regexp.Compile(s.Ran); err != nil {
				t.Errorf("recipes/%s.toml: %s: ran: %v", r.Name, what, err)
			}
			holds(what, s.When)
			for _, f := range append([]string{s.Name, s.Dir, s.Stdout, s.Output, s.WhenMissing}, slices.Concat(s.Remove, s.Forget)...) {
				one(what, f)
			}
			for _, vars := range []map[string]string{s.Env, s.Anew} {
				for name, v := range vars {
					one(what+": "+name, v)
				}
			}
			for _, a := range slices.Concat(s.Command, s.Each) {
				holds(what, a.When)
				for _, arg := range a.Args {
					one(what, arg)
				}
			}
			if s.Foreach != "" {
				if _, err := vars.List(s.Foreach); err != nil {
					t.Errorf("recipes/%s.toml: %s: %v", r.Name, what, err)
				}
			}
		}
		for _, o := range r.Outputs {
			holds("output", o.When)
			one("output", o.Path)
			one("output", o.Listed)
			kinds := 0
			for _, is := range []bool{o.Path != "", o.Stage, o.Listed != ""} {
				if is {
					kinds++
				}
			}
			if kinds != 1 {
				t.Errorf("recipes/%s.toml: an output is a path, the stage or what cargo names", r.Name)
			}
		}
	}
}

func TestHolds(t *testing.T) {
	v := Vars{"yes": true, "no": false, "kind": "shared", "empty": "", "list": []string{"a"}, "nolist": []string{}, "table": map[string]string{"a": "b"},
		"notable": map[string]string{}, "one": int64(1), "zero": int64(0)}
	for when, want := range map[string]bool{
		"": true, "yes": true, "no": false, "!yes": false, "!no": true,
		"kind": true, "kind=shared": true, "kind=static": false, "!kind=static": true, "!kind=shared": false, "empty": false, "!empty": true, "empty=": false,
		"list": true, "nolist": false, "table": true, "notable": false, "one": true, "zero": false,
		"yes kind=shared": true, "yes no": false, "no yes": false, "yes !no list": true, "  yes   one ": true,
	} {
		if got, err := v.Holds(when); err != nil || got != want {
			t.Errorf("Holds(%q) = %v, %v, want %v", when, got, err, want)
		}
	}
	for when, want := range map[string]string{
		"unknown":       `condition "unknown" names the unknown "unknown"`,
		"yes !unknown":  `condition "yes !unknown" names the unknown "unknown"`,
		"no unknown":    "", // decided before it is looked at
		"list=a":        `condition "list=a" compares "list", which is no string`,
		"yes=true":      `condition "yes=true" compares "yes", which is no string`,
		"unknown=value": `condition "unknown=value" names the unknown "unknown"`,
	} {
		_, err := v.Holds(when)
		if got := message(err); got != want {
			t.Errorf("Holds(%q): error %q, want %q", when, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestExpand(t *testing.T) {
	v := Vars{"name": "lua", "list": []string{"a", "b"}, "none": []string{}, "table": map[string]string{"Y": "2", "X": "1"}, "n": int64(7), "yes": true, "empty": ""}
	for arg, want := range map[string][]string{
		"plain":          {"plain"},
		"":               {""},
		"{name}":         {"lua"},
		"lib{name}.so.1": {"liblua.so.1"},
		"-I{list}":       {"-Ia", "-Ib"},
		"{list}":         {"a", "b"},
		"-l{none}":       {},
		"{none}":         {},
		"-D{table}":      {"-DX=1", "-DY=2"},
		"{list|,}":       {"a,b"},
		"-tags={none|,}": {"-tags="},
		"{list}-{list}":  {"a-a", "a-b", "b-a", "b-b"},
		"{n}{yes}":       {"7true"},
		"x{empty}y":      {"xy"},
		"{name}{none}":   {},
		"{name| }":       {"lua"},
	} {
		if got, err := v.Expand(arg); err != nil || !slices.Equal(got, want) {
			t.Errorf("Expand(%q) = %q, %v, want %q", arg, got, err, want)
		}
	}
	for arg, want := range map[string]string{
		"{missing}": "placeholder {missing} is unknown",
		"a{b":       `argument "a{b": no } after {`,
		"{}":        "placeholder {} is unknown",
	} {
		if _, err := v.Expand(arg); message(err) != want {
			t.Errorf("Expand(%q): error %q, want %q", arg, message(err), want)
		}
	}
	if got, err := v.ExpandOne("{list}"); err != nil || got != "a b" {
		t.Errorf("ExpandOne = %q, %v", got, err)
	}
	got, err := v.ExpandAll([]Arg{{Args: []string{"cc", "-I{list}"}}, {When: "!yes", Args: []string{"{missing}"}}, {When: "yes", Args: []string{"-o", "{name}"}}})
	if want := []string{"cc", "-Ia", "-Ib", "-o", "lua"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ExpandAll = %q, %v, want %q", got, err, want)
	}
	got, err = v.ExpandAll([]Arg{{Each: "list", Args: []string{"-L", "{each}/{name}"}}, {Each: "none", Args: []string{"{each}"}}})
	if want := []string{"-L", "a/lua", "-L", "b/lua"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ExpandAll with each = %q, %v, want %q", got, err, want)
	}
	if _, err := v.ExpandAll([]Arg{{Each: "missing"}}); message(err) != "placeholder {missing} is unknown" {
		t.Errorf("ExpandAll with an unknown each: error %q", message(err))
	}
}

// TestFaultyDefinitions shows what a definition may not be.
func TestFaultyDefinitions(t *testing.T) {
	for text, want := range map[string]string{
		"name = 'x'\ncolour = 'red'\n":                                `recipes/x.toml: unknown key "colour"`,
		"name = 'y'\n":                                                `recipes/x.toml: name is "y", want "x" as the file's`,
		"name = 'x'\n[[step]]\ncommand = [{ wen = 'a' }]\n":           `unknown key "step.wen"`,
		"name = 'x'\n[[step]]\ncommand = [{ when = 1 }]\n":            `Arg.When of type string`,
		"name = 'x'\n[[step]]\ncommand = [{ args = 'a' }]\n":          `Arg.Args of type []string`,
		"name = 'x'\n[[step]]\ncommand = [{ args = [1] }]\n":          `Arg.Args of type string`,
		"name = 'x'\n[env]\nA = { wen = 'x', then = '1' }\n":          `unknown key "env.wen"`,
		"name = 'x'\n[env]\nA = { when = true, then = '1' }\n":        `Value.When of type string`,
		"name = 'x'\n[[option]]\nname = 'a'\ntype = 'bool'\nhlp = ''": `unknown key "option.hlp"`,
		"name = ": `recipes/x.toml: `,
	} {
		_, err := read(fstest.MapFS{"x.toml": {Data: []byte(text)}}, "recipes", func(r *Recipe) string { return r.Name })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"name = 'x'\ncolour = 'red'\n":               `toolchains/x.toml: unknown key "colour"`,
		"name = 'x'\n[[source]]\ncolour = 'red'\n":   `unknown key "source.colour"`,
		"name = 'x'\n[programs]\ncc = ['a', 'list']": `toolchains/x.toml: `,
		"name = ": `toolchains/x.toml: `,
	} {
		_, err := read(fstest.MapFS{"x.toml": {Data: []byte(text)}}, "toolchains", func(t *Toolchain) string { return t.Name })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// FuzzExpand: no argument makes it panic, and what it returns holds no placeholder of the argument.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "{name}", "-I{list}", "{list|,}", "{", "}", "{}", "{|}", "{list}{list}{list}", "{{name}}"} {
		f.Add(s)
	}
	v := Vars{"name": "lua", "list": []string{"a", "b"}, "none": []string{}}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Count(s, "{list}") > 8 {
			return // as many arguments as the power of two says
		}
		out, err := v.Expand(s)
		if err != nil {
			return
		}
		for _, o := range out {
			if p := placeholder.FindString(o); p == "{name}" || p == "{list}" {
				t.Errorf("Expand(%q) left %q", s, o)
			}
		}
	})
}

// TestSecondDefinition: a second definition's sources come after the first one's, a project's choice takes them apart,
// and each brings its own packages.
func TestSecondDefinition(t *testing.T) {
	c := load(t)
	rust := c.Toolchain("rust")
	for choice, want := range map[string]string{
		"":         "debian/forky debian/trixie debian/bookworm rust/stable rust/beta rust/nightly",
		"archive":  "debian/forky debian/trixie debian/bookworm",
		"official": "rust/stable rust/beta rust/nightly",
		"other":    "",
	} {
		var got []string
		for _, s := range rust.From(choice).Sources {
			got = append(got, s.Archive+"/"+s.Suite)
			in := rust.From(choice).In(s)
			if in.Name != "rust" || slices.Contains(in.Packages, "rust-std") == s.Own() || s.Own() != (s.Archive == Debian) || (len(in.Runtime) == 0) != s.Own() {
				t.Errorf("%s/%s: name %q, packages %q, runtime %q", s.Archive, s.Suite, in.Name, in.Packages, in.Runtime)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("source %q: %q, want %q", choice, got, want)
		}
	}
	if len(c.Toolchain("clang").From("official").Sources) != 0 || len(c.Toolchain("clang").From("").Sources) != len(c.Toolchain("clang").Sources) {
		t.Error("clang has no second definition")
	}
	std := c.Part("rust-std")
	if std.For(Debian) != std || std.For(Rust) != c.Part("rust-std-official") || std.For("other") != nil || c.Part("rust-std-official").Provides != "rust-std" {
		t.Errorf("rust-std: %v from Debian, %v from Rust's distribution", std.For(Debian), std.For(Rust))
	}
}

// TestExplain: every expression compiles, and every placeholder of a hint is a group of it or a word that package plan
// fills in.
func TestExplain(t *testing.T) {
	words := []string{"platform", "package", "sysroot", "target", "toolchains"}
	placeholder := regexp.MustCompile(`\{([^} ]*)\}`)
	count := 0
	all := map[string][]Explain{}
	for _, d := range load(t).Toolchains {
		all["toolchains/"+d.Name] = d.Explain
	}
	for _, r := range load(t).Recipes {
		all["recipes/"+r.Name] = r.Explain
	}
	for name, list := range all {
		for _, e := range list {
			count++
			re, err := regexp.Compile("(?m)" + e.Match)
			if err != nil {
				t.Errorf("%s.toml: %v", name, err)
				continue
			}
			if re.MatchString("") || e.Hint == "" {
				t.Errorf("%s.toml: %q matches anything, or has no hint", name, e.Match)
			}
			if _, err := regexp.Compile("(?m)" + e.Find); err != nil || strings.Contains(e.Hint, "{where}") != (e.Find != "") {
				t.Errorf("%s.toml: find %q: %v; the hint says {where} where there is a find", name, e.Find, err)
			}
			if _, err := regexp.Compile("(?m)" + e.Unless); err != nil {
				t.Errorf("%s.toml: unless %q: %v", name, e.Unless, err)
			}
			for _, m := range placeholder.FindAllStringSubmatch(strings.ReplaceAll(e.Hint+e.Listed, "{where}", ""), -1) {
				group := m[1] == "1" || m[1] == "2" && re.NumSubexp() > 1 || m[1] == "package" || m[1] == "bring"
				if !slices.Contains(words, m[1]) && !group || group && re.NumSubexp() == 0 {
					t.Errorf("%s.toml: hint %q: nothing fills in %s", name, e.Hint, m[0])
				}
			}
		}
	}
	if count == 0 {
		t.Error("nothing is explained")
	}
	for name, pkg := range load(t).Sysroot("gnu").Dev {
		if name == "" || !strings.HasSuffix(pkg, "-dev") {
			t.Errorf("sysroots/glibc.toml: dev: %q = %q", name, pkg)
		}
	}
}

// TestConfigureLike: musl's answers for configure scripts are glibc's but for its own.
func TestConfigureLike(t *testing.T) {
	c := load(t)
	glibc, musl := c.Part("glibc").Configure, c.Part("musl").Configure
	if len(glibc) == 0 || len(musl) != len(glibc) {
		t.Fatalf("%d and %d answers", len(glibc), len(musl))
	}
	for name, answer := range glibc {
		if want := name != "ac_cv_func_fnmatch_gnu"; (musl[name] == answer) != want {
			t.Errorf("%s is %q, and glibc's %q", name, musl[name], answer)
		}
	}
}

// libraries: a definition that is the source of a library says how it is compiled, and a sysroot names it.
func libraries(t *testing.T, c *Catalog, d *Sysroot) {
	if d.Source == "" || len(d.Packages) > 0 || d.Of != "" || len(d.Suites) != 1 {
		t.Errorf("sysroots/%s.toml: a library that is compiled wants a source, and one suite that has it", d.Name)
	}
	l := d.Library
	if l.Name == "" || l.Headers == "" || len(l.Compile) == 0 || len(l.Units) == 0 {
		t.Errorf("sysroots/%s.toml: library: %+v", d.Name, *l)
	}
	for _, u := range l.Units {
		if len(u.Sources) == 0 {
			t.Errorf("sysroots/%s.toml: library: a unit without sources", d.Name)
		}
	}
	if !slices.ContainsFunc(c.Sysroots, func(s *Sysroot) bool { return s.CXX == d.Name && s.NoCXX != "" }) {
		t.Errorf("sysroots/%s.toml: no sysroot has it as its C++ library and says what is missing without it", d.Name)
	}
}

// TestSupplements: every C file beside the definitions is read where a suite or a library names it, and none lies there
// unnamed.
func TestSupplements(t *testing.T) {
	c := load(t)
	named := map[string]bool{}
	for _, s := range c.Sysroots {
		for _, suite := range s.Suites {
			if suite.Supplement != "" {
				named[suite.Supplement] = true
			}
			if (suite.Supplement == "") != (suite.SupplementText == "") {
				t.Errorf("sysroots/%s.toml: suite %s: supplement %q has %d bytes", s.Name, suite.Name, suite.Supplement, len(suite.SupplementText))
			}
		}
	}
	for _, s := range c.Sysroots {
		if s.Library == nil {
			continue
		}
		for name, text := range s.Library.Config {
			file := s.Name + "/" + strings.TrimLeft(name, "_") + ".h"
			if data, err := fs.ReadFile(sysroots.Files, file); err != nil || string(data) != text {
				t.Errorf("sysroots/%s.toml: %s is not what stands in %s (%v)", s.Name, name, file, err)
			}
			named[file] = true
		}
	}
	files, err := fs.Glob(sysroots.Files, "*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !named[f] {
			t.Errorf("sysroots/%s: no suite and no library names it", f)
		}
	}
}
