package project

import (
	"reflect"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

func loadText(t *testing.T, text string) (*Project, error) {
	t.Helper()
	t.Chdir(folder(t, text))
	return Load(FileName, Schema{
		Recipes:    map[string][]Option{"cmake": {{Name: "defines", Type: "table"}, {Name: "targets", Type: "strings"}}},
		Toolchains: []string{"clang"},
	})
}

// TestVariants: a target's table for a platform adds to lists and tables and replaces all else; a platform's variant
// has what the platform's table says too.
func TestVariants(t *testing.T) {
	p, err := loadText(t, `[project]
platforms = ["linux/amd64", "linux/s390x", "linux/arm64", "linux/arm64/v8.2"]
[target.x]
recipe = "cmake"
defines = { A = "1", B = "1" }
targets = ["all"]
outputs = ["x"]
tools = ["clang"]
opt = "2"
test = ["x", "one"]
env = { V = "1" }
[target.x.platform."linux/s390x"]
defines = { B = "2", C = "3" }
targets = ["more"]
outputs = ["y"]
opt = "0"
static = true
test = ["y"]
env = { W = "2" }
[target.x.platform."linux/arm64"]
targets = ["arm"]
opt = "1"
[target.x.platform."linux/arm64/v8.2"]
targets = ["dot"]
`)
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) Target {
		pl, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		return p.Targets[0].For(pl)
	}
	for _, c := range []struct {
		platform        string
		defines         map[string]string
		targets         []string
		outputs         []Output
		opt             string
		static          bool
		test            []string
		env             map[string]string
		same            []string // of the target on all
		line, platforms int
	}{
		{"linux/amd64", map[string]string{"A": "1", "B": "1"}, []string{"all"}, []Output{{Path: "x"}}, "2", false, []string{"x", "one"}, map[string]string{"V": "1"}, []string{"clang"}, 3, 4},
		{"linux/s390x", map[string]string{"A": "1", "B": "2", "C": "3"}, []string{"all", "more"}, []Output{{Path: "x"}, {Path: "y"}}, "0", true, []string{"y"}, map[string]string{"V": "1", "W": "2"}, []string{"clang"}, 3, 4},
		{"linux/arm64", map[string]string{"A": "1", "B": "1"}, []string{"all", "arm"}, []Output{{Path: "x"}}, "1", false, []string{"x", "one"}, map[string]string{"V": "1"}, []string{"clang"}, 3, 4},
		{"linux/arm64/v8.2", map[string]string{"A": "1", "B": "1"}, []string{"all", "arm", "dot"}, []Output{{Path: "x"}}, "1", false, []string{"x", "one"}, map[string]string{"V": "1"}, []string{"clang"}, 3, 4},
		{"linux/arm64/v8.1", map[string]string{"A": "1", "B": "1"}, []string{"all", "arm"}, []Output{{Path: "x"}}, "1", false, []string{"x", "one"}, map[string]string{"V": "1"}, []string{"clang"}, 3, 4},
	} {
		got := of(c.platform)
		if !reflect.DeepEqual(got.Options["defines"], c.defines) || !reflect.DeepEqual(got.Options["targets"], c.targets) || !reflect.DeepEqual(got.Outputs, c.outputs) || got.Opt != c.opt ||
			(got.Static != nil && *got.Static) != c.static || !reflect.DeepEqual(got.Test.Command, c.test) || !reflect.DeepEqual(got.Env, c.env) || !reflect.DeepEqual(got.Tools, c.same) ||
			got.Line != c.line || len(got.Platforms) != c.platforms || got.Name != "x" || got.Recipe != "cmake" {
			t.Errorf("%s: %+v", c.platform, got)
		}
	}
}

// TestVariantErrors: what is wrong in a target's table for a platform is told with its line, once.
func TestVariantErrors(t *testing.T) {
	const head = "[target.x]\nrecipe = \"cmake\"\ntargets = [\"all\"]\nplatforms = [\"linux/arm64\"]\n"
	for _, c := range []struct{ text, want string }{
		{head + "[target.x.platform.\"linux/vax\"]\nopt = \"1\"\n", `xbuild.toml:5: .*"linux/vax"`},
		{head + "[target.x.platform.\"linux/arm64\"]\nrecipe = \"make\"\n", `xbuild.toml:6: recipe in [target.x.platform."linux/arm64"]: a target has one for all platforms; write a second target with platforms = ["linux/arm64"]`},
		{head + "[target.x.platform.\"linux/arm64\"]\noptt = \"1\"\n", `xbuild.toml:6: unknown key "optt" in [target.x.platform."linux/arm64"]; did you mean "opt"?`},
		{head + "[target.x.platform.\"linux/arm64\"]\ntargets = \"more\"\n", `xbuild.toml:6: targets in [target.x.platform."linux/arm64"] wants a list of strings, not a string; write ["more"]`},
		{head + "[target.x.platform.\"linux/arm64\"]\ntargets = [1]\n", `xbuild.toml:6: targets in [target.x.platform."linux/arm64"] wants strings, not an integer; put it in quotes`},
		{head + "[target.x.platform.\"linux/s390x\"]\nopt = \"1\"\n", `xbuild.toml:5: [target.x] is not built for linux/s390x, which is not among its platforms`},
		{head + "[target.x.platform.\"linux/arm64\"]\nopt = \"1\"\n[target.x.platform.aarch64]\nopt = \"1\"\n", `xbuild.toml:7: platform "linux/arm64" has two tables in [target.x] (line 5 is the other)`},
		{head + "platform = 3\n", `xbuild.toml:5: platform in [target.x] wants a table, not an integer`},
		{strings.Replace(head, `64"`, `64", "arm64/v8.2"`, 1) + "[target.x.platform.\"linux/arm64\"]\nopt = \"7\"\n[target.x.platform.\"linux/arm64/v8.2\"]\nstrip = true\n", "xbuild.toml:6: unknown opt"},
	} {
		_, err := loadText(t, c.text)
		if err == nil {
			t.Errorf("no error of\n%s", c.text)
			continue
		}
		want := strings.ReplaceAll(c.want, ".*", "")
		if strings.Contains(c.want, ".*") {
			want = c.want[strings.Index(c.want, ".*")+2:]
		}
		if !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "xbuild.toml:") != 1 {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}
