package plan

import (
	"strings"
	"testing"
)

// TestUname: a Makefile's questions for the machine are answered for the platform, those of other build systems by
// the host, and a target can say otherwise.
func TestUname(t *testing.T) {
	const head = "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[target.a]\noutputs = [\"a\"]\nrecipe = "
	for _, c := range []struct{ target, variable, err string }{
		{"\"make\"\n", "makefile", ""},
		{"\"make\"\nconfigure = \"./config\"\n", "makefile", ""},
		{"\"make\"\nuname = \"platform\"\n", "platform", ""},
		{"\"make\"\nuname = \"host\"\n", "host", ""},
		{"\"autotools\"\n", "", ""}, {"\"cmake\"\n", "", ""}, {"\"meson\"\n", "", ""}, {"\"rust\"\n", "", ""}, {"\"go\"\n", "", ""},
		{"\"cmake\"\nuname = \"host\"\n", "", ""},
		{"\"cmake\"\nuname = \"platform\"\n", "platform", ""},
		{"\"rust\"\nuname = \"platform\"\n", "platform", ""},
		{"\"go\"\ncgo = true\nuname = \"platform\"\n", "platform", ""},
		{"\"go\"\nuname = \"platform\"\n", "", `xbuild.toml:3: target "a" for linux/arm64: uname = "platform": recipe go has no C compiler for linux/arm64 here, and without one nothing asks; remove the key`},
	} {
		pl := planner(t, head+c.target)
		pl.locked(t, Selection{})
		p, err := pl.New(Selection{})
		if c.err != "" {
			if err == nil || !strings.HasSuffix(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", c.target, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.target, err)
		}
		a := p.Actions[0]
		if got := a.Env.Lookup("XBUILD_UNAME"); got != c.variable {
			t.Errorf("%s: XBUILD_UNAME is %q, want %q", c.target, got, c.variable)
		}
		if first := strings.HasSuffix(a.Path[0], "/answers"); first != (c.variable != "") {
			t.Errorf("%s: PATH begins with %s", c.target, a.Path[0])
		}
	}
}

// TestPage: what the project says of the pages on which it runs is what compilers of allocators are told, and the
// user's own variable wins.
func TestPage(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "16",
		"[platform.\"linux/arm64\"]\npage = 4": "12",
		"[platform.\"linux/arm64\"]\nenv = { JEMALLOC_SYS_WITH_LG_PAGE = \"14\" }":                "14",
		"[platform.\"linux/arm64\"]\npage = 16\n[platform.\"linux/arm64/v8.2\"]\nlibc = \"musl\"": "14",
	} {
		pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64/v8.2\"]\n[target.a]\noutputs = [\"a\"]\nrecipe = \"make\"\n"+text)
		a := pl.plan(t, Selection{}).Actions[0]
		if got := a.Env.Lookup("JEMALLOC_SYS_WITH_LG_PAGE"); got != want {
			t.Errorf("%s: JEMALLOC_SYS_WITH_LG_PAGE is %q, want %q", text, got, want)
		}
	}
}
