package env

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/env/envtest"
	"xbuild/internal/platform"
)

// nasty are values that a quoting that is not thought through breaks at.
var nasty = Environment{
	{"PLAIN", "/usr/bin:/bin"},
	{"EMPTY", ""},
	{"BLANK", "a  b\tc"},
	{"LEADING", " x "},
	{"SINGLE", "it's"},
	{"DOUBLE", `say "hello"`},
	{"DOLLAR", "$HOME ${PATH} $(id) `id`"},
	{"BACKSLASH", `a\b\\c\`},
	{"NEWLINE", "one\ntwo\n"},
	{"HASH", "a # b #c"},
	{"BACKHASH", `a\# b\\# \$(x) \`},
	{"GLOB", "* ? [a-z] ~ {a,b}"},
	{"BANG", "a!b!!"},
	{"SEMI", "a; b & c | d > e < f"},
	{"EQUALS", "--sysroot=/a b=c"},
	{"PERCENT", "%s %%"},
	{"UTF8", "größe → ∞"},
	{"FLAGS", `-O2 -DNAME="a b" -Wl,-rpath,'$ORIGIN/../lib'`},
}

// TestFormats holds every format against its golden file.
func TestFormats(t *testing.T) {
	for _, f := range Formats {
		t.Run(f, func(t *testing.T) {
			text, err := nasty.Format(f, "/store/a b:/store/it's")
			if err != nil {
				t.Fatal(err)
			}
			envtest.Golden(t, "formats/"+f+".golden", text)
			without, err := nasty.Format(f, "")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(without, "PATH=") || strings.Contains(without, "XBUILD_PATH") || strings.Contains(without, "-gx PATH") {
				t.Errorf("a PATH without a directory for it:\n%s", without)
			}
		})
	}
	if _, err := nasty.Format("cmd", ""); err == nil || err.Error() != `unknown format "cmd" (want sh, fish, json, dotenv, make)` {
		t.Errorf("an unknown format: error %v", err)
	}
}

// printed is what a command prints of each variable, NUL behind each.
func printed(t *testing.T, dir string, argv ...string) []string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func compare(t *testing.T, got []string, want Environment) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d: %q", len(got), len(want), got)
	}
	for i, v := range want {
		if got[i] != v.Value {
			t.Errorf("%s came out as %q, want %q", v.Name, got[i], v.Value)
		}
	}
}

// printer is a shell script that prints the variables of nasty.
func printer(e Environment) string {
	var b strings.Builder
	for _, v := range e {
		fmt.Fprintf(&b, "printf '%%s\\0' \"$%s\"\n", v.Name)
	}
	return b.String()
}

func save(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestShellReadsIt: what a real sh makes of the format is what went in, by eval and through the environment of a child.
func TestShellReadsIt(t *testing.T) {
	dir := t.TempDir()
	text, err := nasty.Format("sh", "/store/a b:/store/it's")
	if err != nil {
		t.Fatal(err)
	}
	env := save(t, dir, "env", text)
	show := save(t, dir, "show", printer(nasty))
	for _, shell := range []string{"sh", "dash", "bash"} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		t.Run(shell, func(t *testing.T) {
			compare(t, printed(t, dir, shell, "-c", `eval "$(cat "$1")"; sh "$2"`, shell, env, show), nasty)
			path := printed(t, dir, shell, "-c", `PATH=/bin; eval "$(/bin/cat "$1")"; printf '%s' "$PATH"`, shell, env)
			if path[0] != "/store/a b:/store/it's:/bin" {
				t.Errorf("PATH is %q", path)
			}
			path = printed(t, dir, shell, "-c", `t=$(cat "$1"); unset PATH; eval "$t"; printf '%s' "$PATH"`, shell, env)
			if path[0] != "/store/a b:/store/it's" {
				t.Errorf("PATH out of none is %q: an empty entry means the working directory", path)
			}
		})
	}
}

func TestFishReadsIt(t *testing.T) {
	if _, err := exec.LookPath("fish"); err != nil {
		t.Skip("no fish here")
	}
	dir := t.TempDir()
	text, err := nasty.Format("fish", "/store/a b")
	if err != nil {
		t.Fatal(err)
	}
	env, show := save(t, dir, "env", text), save(t, dir, "show", printer(nasty))
	compare(t, printed(t, dir, "fish", "-N", "-c", "source "+env+"; sh "+show), nasty)
}

// TestMakeReadsIt: a makefile that includes the format hands every value on. A line of make holds no newline.
func TestMakeReadsIt(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make here")
	}
	e := slices.DeleteFunc(slices.Clone(nasty), func(v Var) bool { return v.Name == "NEWLINE" })
	dir := t.TempDir()
	text, err := e.Format("make", "/store/a b")
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "env.mk", text)
	save(t, dir, "show", printer(e))
	save(t, dir, "Makefile", "include env.mk\nall:\n\t@sh ./show\npath:\n\t@printf '%s' \"$$PATH\"\n")
	compare(t, printed(t, dir, "make", "-s", "all"), e)
	if path := printed(t, dir, "make", "-s", "path"); !strings.HasPrefix(path[0], "/store/a b:") {
		t.Errorf("PATH is %q", path)
	}
}

func TestJSONReadsIt(t *testing.T) {
	text, err := nasty.Format("json", "/store/bin")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	for _, v := range nasty {
		if m[v.Name] != v.Value {
			t.Errorf("%s is %q, want %q", v.Name, m[v.Name], v.Value)
		}
	}
	if m["XBUILD_PATH"] != "/store/bin" || len(m) != len(nasty)+1 {
		t.Errorf("XBUILD_PATH is %q, %d variables", m["XBUILD_PATH"], len(m))
	}
}

func TestEnvironment(t *testing.T) {
	var e Environment
	e.Set("A", "1")
	e.Set("B", "2")
	e.Set("A", "3")
	if want := (Environment{{"A", "3"}, {"B", "2"}}); !slices.Equal(e, want) {
		t.Errorf("Set: %v, want %v", e, want)
	}
	merged := e.Merge(Environment{{"B", "4"}, {"C", "5"}})
	if want := []string{"A=3", "B=4", "C=5"}; !slices.Equal(merged.Strings(), want) {
		t.Errorf("Merge: %q, want %q", merged.Strings(), want)
	}
	with := e.With(map[string]string{"Z": "z", "B": "b", "Y": "y"})
	if want := []string{"A=3", "B=b", "Y=y", "Z=z"}; !slices.Equal(with.Strings(), want) {
		t.Errorf("With: %q, want %q", with.Strings(), want)
	}
	if want := []string{"A=3", "B=2"}; !slices.Equal(e.Strings(), want) {
		t.Errorf("Merge or With changed what they were called on: %q", e.Strings())
	}
	if e.Lookup("A") != "3" || e.Lookup("none") != "" {
		t.Error("Lookup")
	}
}

// TestSettings: flags of the project are there, and none where it has none: a variable that is set and empty would take
// a Makefile's own default away.
func TestSettings(t *testing.T) {
	p, err := platform.Parse("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	has := func(e Environment, name string) bool {
		return slices.ContainsFunc(e, func(v Var) bool { return v.Name == name })
	}
	bare := ForC(envtest.View(t, p), Settings{}, "/bin/xbuild")
	for _, name := range []string{"CFLAGS", "CXXFLAGS", "LDFLAGS"} {
		if has(bare, name) {
			t.Errorf("%s is set without a reason", name)
		}
	}
	full := ForC(envtest.View(t, p), Settings{CFlags: []string{"-O2", "-g"}, CXXFlags: []string{"-O3"}, LDFlags: []string{"-s"}}, "/bin/xbuild")
	for name, want := range map[string]string{"CFLAGS": "-O2 -g", "CXXFLAGS": "-O3", "LDFLAGS": "-s"} {
		if got := full.Lookup(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// TestForBuild: what runs while a project is built is compiled by the host's compilers, whatever the platform's are
// called.
func TestForBuild(t *testing.T) {
	host, err := platform.Parse("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Parse("linux/s390x")
	if err != nil {
		t.Fatal(err)
	}
	h := envtest.View(t, host)
	e := ForC(envtest.View(t, p), Settings{}, "/bin/xbuild").Merge(ForBuild(h))
	for name, want := range map[string]string{"CC": envtest.View(t, p).Tool("clang"), "CC_FOR_BUILD": h.Tool("clang"), "CXX_FOR_BUILD": h.Tool("clang++"), "AR_FOR_BUILD": h.Tool("ar"), "BUILD_CC": h.Tool("clang"), "HOSTCC": h.Tool("clang"), "HOSTCXX": h.Tool("clang++")} {
		if got := e.Lookup(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// FuzzShell: whatever a value holds, sh reads it back.
func FuzzShell(f *testing.F) {
	for _, v := range nasty {
		f.Add(v.Value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsRune(value, 0) {
			return // no environment holds it
		}
		text, err := Environment{{"V", value}}.Format("sh", "")
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", text+"printf '%s' \"$V\"").Output()
		if err != nil || string(out) != value {
			t.Errorf("%q came out as %q, %v", value, out, err)
		}
	})
}

// TestHostMake: what the caller has for make stays, and the variables stand once, however often an environment is taken
// in another.
func TestHostMake(t *testing.T) {
	const v = "HOSTCC=$(CC_FOR_BUILD) HOSTCXX=$(CXX_FOR_BUILD) BUILD_CC=$(CC_FOR_BUILD) HOST_CC=$(CC_FOR_BUILD)"
	if got := HostMake("-j8", true); got != "-j8 -- HOSTCC=$(CC_FOR_BUILD) HOSTCXX=$(CXX_FOR_BUILD) BUILD_CC=$(CC_FOR_BUILD)" {
		t.Errorf("for a platform of 32 bits: %q", got)
	}
	for flags, want := range map[string]string{
		"": "-- " + v, "-j8": "-j8 -- " + v, "k -j --jobserver-auth=3,4 -- A=b": "k -j --jobserver-auth=3,4 -- A=b " + v, "-- A=b": "-- A=b " + v, "-j8 -- " + v: "-j8 -- " + v,
	} {
		if got := HostMake(flags, false); got != want {
			t.Errorf("%q: %q, want %q", flags, got, want)
		}
	}
}
