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

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// A release is a compiler that the toolchains offer, and the programs of testdata/defaults that are built with it: name
// -> keys of their target.
type release struct {
	name, toolchain, constraint string
	source                      string // below testdata/defaults
	programs                    map[string]string
	output                      string
	lacks                       map[string]string // a platform -> why the release makes no program for it
	wrong                       map[string]string // "platform program" -> what the table says of programs that are built, or refused, as they should not be
	lean                        []string          // the platforms that CI builds for
}

var (
	cDefaults = map[string]string{
		"O0": "recipe = \"cc\"\nsources = [\"defaults.c\"]\nlibs = [\"m\"]\nstatic = true\ncflags = [\"-O0\"]\n",
		"O2": "recipe = \"cc\"\nsources = [\"defaults.c\"]\nlibs = [\"m\"]\nstatic = true\n",
		"O3": "recipe = \"cc\"\nsources = [\"defaults.c\"]\nlibs = [\"m\"]\nstatic = true\ncflags = [\"-O3\"]\n",
	}
	goDefaults   = map[string]string{"defaults": "recipe = \"go\"\n"}
	rustDefaults = map[string]string{
		"debug":   "recipe = \"rust\"\nprofile = \"dev\"\ndest = \"debug\"\n",
		"release": "recipe = \"rust\"\ndest = \"release\"\n",
	}
)

const (
	// Where there are 128-bit integers, the first line says more.
	cOutput = "live 5335.000 2455.000 146601132 910862272744374284 5740( 517a4771a7e7583ed00e58b8ab1923)?\nvectors 35078.000\nloops 841054.500\nbits fde5c7bf38e2aaec\n" +
		"converts 12839967.500\nrounds 117.500\natomics 65902\ncopies 1034020126\nlibrary 1047.000\n"
	goOutput = "live 5335.000 2455.000 3974413905598041492\ncounts 4207893\nconverts 17052960.250\nrounds 1083.750\natomics 1217\ncopies 161844453\n" +
		"library 1500 <nil> 214.28571428571428 265613988875874769338781322035779626829233452653394495974574961739092490901302182994384699044001\nleast 3.5 4.5 1.5 2.5\n"
	rustOutput = "live 5335 2455 1044103180 910862272744374284 65204349f1de0060000000000000000\nloops 841087.5\nbits a3562689ad1e195e\nconverts 1099528680879.25\nrounds 1121.625\n" +
		"atomics 65893\ncopies 4055469238\nlibrary Ok\\(1500.0\\) Ok\\(2.25\\) 1.2345e3 0.12\n"
)

// above are the variants of platforms, which full looks at too, with the releases that are taken without a word.
var above = []string{"linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4", "linux/arm64/v8.2", "linux/arm64/v9", "linux/386/387"}

// none is why a release makes no program for platforms.
func none(why string, platforms ...string) map[string]string {
	all := map[string]string{}
	for _, p := range platforms {
		all[p] = why
	}
	return all
}

const (
	// rust-std.toml and rust-src.toml
	noLibrary = "no library for the target"
	// clang.toml
	execStack = "requires an executable stack"
	// Go's issue of min and max of floats, docs/instructions.md
	goMinMax = "refused: z14"
	// clang.toml
	loongVectors = "clang before 22 overwrites vectors that it passes on the stack"
	// lld's: the archive's library for the target was not compiled for what clang links
	mipsPIC = "relocation R_MIPS_64 cannot be used against local symbol"
)

// go119: its atomics take MMX for granted on 386, which linux/386/387 does not promise. The others are false alarms:
// Arm's 64-bit atomics read runtime.goarm first, and indexbytebody is told by its caller.
var go119 = map[string]string{
	"linux/386/387 defaults": "refused: mmx", "linux/arm/v5 defaults": "refused: v6k", "linux/arm/v6 defaults": "refused: v7", "linux/ppc64le defaults": "refused: power9",
}

var releases = []release{
	{name: "clang 19", toolchain: "clang", constraint: "~19", source: "c", programs: cDefaults, output: cOutput, lean: eleven, lacks: none(loongVectors, "linux/loong64")},
	{name: "clang 21", toolchain: "clang", constraint: "~21", source: "c", programs: cDefaults, output: cOutput,
		lacks: map[string]string{"linux/mips64le": execStack, "linux/loong64": loongVectors}},
	{name: "clang 22", toolchain: "clang", constraint: "~22", source: "c", programs: cDefaults, output: cOutput, lean: []string{"linux/arm/v7", "linux/loong64"}, lacks: none(execStack, "linux/mips64le")},
	{name: "go 1.19", toolchain: "go", constraint: "~1.19", source: "go", programs: goDefaults, output: goOutput, wrong: go119},
	{name: "go 1.24", toolchain: "go", constraint: "~1.24", source: "go", programs: goDefaults, output: goOutput, lean: eleven},
	{name: "go 1.26", toolchain: "go", constraint: "~1.26", source: "go", programs: goDefaults, output: goOutput, lean: []string{"linux/s390x"}, wrong: map[string]string{"linux/s390x defaults": goMinMax}},
	{name: "go 1.27", toolchain: "go", constraint: "~1.27", source: "go", programs: goDefaults, output: goOutput},
	{name: "rust 1.63", toolchain: "rust", constraint: "~1.63", source: "rust", programs: rustDefaults, output: rustOutput,
		lacks: map[string]string{"linux/arm/v6": noLibrary, "linux/riscv64": noLibrary, "linux/loong64": noLibrary, "linux/mips64le": mipsPIC}},
	{name: "rust 1.85", toolchain: "rust", constraint: "~1.85", source: "rust", programs: rustDefaults, output: rustOutput},
	{name: "rust 1.97", toolchain: "rust", constraint: "~1.97", source: "rust", programs: rustDefaults, output: rustOutput, lean: eleven},
}

// TestDefaults: what each release of each compiler makes by itself, for each platform, of code that leaves it a choice
// of instructions. xbuild build's own audit holds it against the platform's baseline, and it prints what it should on
// the baseline's CPU. XBUILD_E2E=full looks at all that the table of docs/defaults.md says.
func TestDefaults(t *testing.T) {
	needNetwork(t)
	for _, r := range releases {
		platforms := r.lean
		if full() {
			platforms = slices.DeleteFunc(append(slices.Clone(eleven), above...), func(p string) bool { return !r.tried(p) })
		}
		if len(platforms) > 0 {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				r.run(t, platforms)
			})
		}
	}
}

// TestGoNeeds holds the table of toolchains/go.toml, what each release of Go needs beyond what a platform promises,
// against a program of each. The release is refused, or its program asks the machine as it starts; with what it needs
// promised, it is built and runs; and on a machine that has all but that, it does not. What no line of the table names
// is TestDefaults': there the releases are built for the platforms as they are. XBUILD_E2E=full looks at every line.
func TestGoNeeds(t *testing.T) {
	needNetwork(t)
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	// The least machine but for a feature, for QEMU; empty where that does not stop it: QEMU 11 runs WFMAXDB on its
	// z13.
	machines := map[string]string{"linux/386/387 mmx": "pentium2,mmx=off", "linux/s390x z14": ""}
	files := map[string]string{}
	for _, name := range []string{"go.mod", "main.go", "least.go", "least119.go"} {
		data, err := os.ReadFile(filepath.Join("testdata/defaults/go", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	for _, s := range c.Toolchain("go").Sources {
		for name, features := range s.Needs {
			if !full() && name+" "+s.Slot != "linux/s390x 1.26" && name+" "+s.Slot != "linux/386/387 1.24" {
				continue
			}
			t.Run(s.Slot+" "+name, func(t *testing.T) {
				plain := fmt.Sprintf("[project]\nplatforms = [%q]\n[toolchains]\nqemu = \">=10\"\ngo = \"~%s\"\n[target.defaults]\nrecipe = \"go\"\n", name, s.Slot)
				files["xbuild.toml"] = plain
				dir := write(t, files)
				refused := false
				if r := xbuild(t, dir, "build", "-q"); r.code != 0 {
					if refused = strings.Contains(r.stderr, "which needs "+features[0]+" and "+name+" has not"); !refused {
						t.Errorf("not refused for %q: %v", features, r)
					}
				}
				edit(t, filepath.Join(dir, "xbuild.toml"), "[target.", fmt.Sprintf("[platform.%q]\nfeatures = %s\n[target.", name, quoted(features)))
				build(t, dir)
				file := built(dir, name, "defaults")
				if r := underQEMU(t, dir, name, file); r.code != 0 || !regexp.MustCompile("^"+goOutput+"$").MatchString(r.stdout) {
					t.Errorf("with %q: %v", features, r)
				}
				for _, f := range features {
					cpu, known := machines[name+" "+f]
					if cpu == "" && known {
						if !refused {
							t.Errorf("neither the audit nor a machine says that %s needs %s on %s", s.Slot, f, name)
						}
						continue
					}
					if !known {
						t.Fatalf("no machine is known that is %s without %s", name, f)
					}
					p, err := platform.Parse(name)
					if err != nil {
						t.Fatal(err)
					}
					r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-c", p.QEMU+" -cpu "+cpu+" "+file)
					if r.code == 0 || strings.Contains(r.stderr, "not found") || strings.Contains(r.stdout, "least ") {
						t.Errorf("on a machine without %s: %v", f, r)
					}
				}
			})
		}
	}
}

// TestDefaultsTable holds docs/defaults.md against what TestDefaults expects; -update writes it.
func TestDefaultsTable(t *testing.T) {
	compareTables(t, "../docs/defaults.md", map[string]string{"defaults": defaultsTable(eleven), "variants": defaultsTable(above)})
}

// tried tells whether full looks at a platform: of the variants, with the releases that are taken without a word.
func (r release) tried(p string) bool {
	return slices.Contains(eleven, p) || len(r.lean) == len(eleven)
}

// cell is what the table says.
func (r release) cell(p string) string {
	var wrong []string
	for _, program := range slices.Sorted(maps.Keys(r.programs)) {
		if w := r.wrong[p+" "+program]; w != "" && len(r.programs) > 1 {
			wrong = append(wrong, w+" ("+program+")")
		} else if w != "" {
			wrong = append(wrong, w)
		}
	}
	switch {
	case !r.tried(p):
		return "not tried"
	case r.lacks[p] != "":
		return "no: " + r.lacks[p]
	case len(wrong) > 0:
		return strings.Join(wrong, ", ")
	case p == "linux/amd64/v4":
		return "built" // QEMU has no AVX-512
	}
	return "runs"
}

// defaultsTable prints rows of platforms, with a column for each release that any of them is built with.
func defaultsTable(rows []string) string {
	columns := slices.DeleteFunc(slices.Clone(releases), func(r release) bool { return !slices.ContainsFunc(rows, r.tried) })
	text := "| platform |"
	for _, r := range columns {
		text += " " + r.name + " |"
	}
	text += "\n" + strings.Repeat("|-", len(columns)+1) + "|\n"
	for _, p := range rows {
		text += "| `" + p + "` |"
		for _, r := range columns {
			text += " " + r.cell(p) + " |"
		}
		text += "\n"
	}
	return text
}

// run builds a release's programs for platforms and runs them.
func (r release) run(t *testing.T, platforms []string) {
	files := map[string]string{}
	source := filepath.Join("testdata/defaults", r.source)
	err := filepath.WalkDir(source, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	config := func(platforms []string) string {
		text := fmt.Sprintf("[project]\nplatforms = %s\n[toolchains]\n%s = %q\n", quoted(platforms), r.toolchain, r.constraint)
		for name, keys := range r.programs {
			text += "[target." + name + "]\n" + keys
		}
		return text
	}
	var makes []string
	for _, p := range platforms {
		why := r.lacks[p]
		if why == "" {
			makes = append(makes, p)
			continue
		}
		// One platform that cannot be built for is an error before anything is.
		files["xbuild.toml"] = config([]string{p})
		if got := xbuild(t, write(t, files), "build", "-q"); got.code == 0 || !strings.Contains(got.stderr, why) {
			t.Errorf("%s: want an error that says %q: %v", p, why, got)
		}
	}
	files["xbuild.toml"] = config(makes)
	dir := write(t, files)
	got := xbuild(t, dir, "build", "-q")
	if strings.Contains(got.stderr, "unknown feature") || got.code != 0 && len(r.wrong) == 0 {
		t.Errorf("xbuild build: %v", got)
	}
	want := regexp.MustCompile("^" + r.output + "$")
	for _, p := range makes {
		for program := range r.programs {
			if fault := r.check(t, dir, p, program, got, want); fault != r.wrong[p+" "+program] {
				t.Errorf("%s, %s: %q, want %q\n%v", p, program, fault, r.wrong[p+" "+program], got)
			}
		}
	}
}

// check is what is wrong with a program: it was refused for a feature, or prints another line than it should.
func (r release) check(t *testing.T, dir, p, program string, build result, want *regexp.Regexp) string {
	file := program
	switch r.source {
	case "rust":
		file = program + "/defaults"
	}
	path := built(dir, p, file)
	if _, err := os.Stat(path); err != nil {
		m := regexp.MustCompile(regexp.QuoteMeta(fmt.Sprintf("xbuild: %s for %s: ", program, p)) + `\S+ runs \S+ \([0-9a-f ]+\) on every machine, which needs (\S+) and`).FindStringSubmatch(build.stderr)
		if m == nil {
			return "not built"
		}
		// What the message advises is what the project has to do.
		if !strings.Contains(build.stderr, fmt.Sprintf("would end with an illegal instruction on a machine that has just what %s promises", p)) {
			t.Errorf("%s: the refusal does not say what to do: %v", p, build)
		}
		if m[1] != "z14" {
			return "refused: " + m[1]
		}
		if hint := fmt.Sprintf("features = [%q] under [platform.%q]", m[1], p); strings.Count(build.stderr, hint) < 2 {
			t.Errorf("%s: no hint of the toolchain says %s: %v", p, hint, build)
		}
		edit(t, filepath.Join(dir, "xbuild.toml"), "[target.", fmt.Sprintf("[platform.%q]\nfeatures = [%q]\n[target.", p, m[1]))
		if got := xbuild(t, dir, "build", "-q", program, "-p", p); got.code != 0 {
			t.Errorf("%s: the advice does not help: %v", p, got)
		}
		return "refused: " + m[1]
	}
	if p == "linux/amd64/v4" {
		return ""
	}
	ran := underQEMU(t, dir, p, path)
	if ran.code == 0 && want.MatchString(ran.stdout) {
		return ""
	}
	// The first line that differs, by its first word.
	lines := strings.Split(want.String(), "\n")
	for i, l := range strings.Split(ran.stdout, "\n") {
		if i < len(lines) && !regexp.MustCompile("^"+strings.TrimSuffix(strings.TrimPrefix(lines[i], "^"), "$")+"$").MatchString(l) {
			name, _, _ := strings.Cut(l, " ")
			return "wrong: " + name
		}
	}
	return fmt.Sprintf("wrong: ended with %d", ran.code)
}
