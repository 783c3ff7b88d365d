package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestToolOptions: what users of a tool set on its command line can be set, for each of the commands that a recipe
// runs, behind what the recipe sets and where the tool takes it.
func TestToolOptions(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[target.go]
recipe = "go"
options = ["-race", "-gcflags=all=-N -l", "-mod=vendor", "-overlay=overlay.json", "-buildvcs=true"]
test_options = ["-run=Fast", "-short"]
[target.several]
recipe = "go"
packages = ["./cmd/...", "./tool"]
[target.rust]
recipe = "rust"
workspace = true
exclude = ["slow"]
options = ["--profile=dev", "--keep-going"]
test_options = ["--lib", "--", "--test-threads=1"]
[target.cmake]
recipe = "cmake"
install = true
options = ["-Wno-dev"]
targets = ["app"]
build_options = ["--verbose", "--", "-k0"]
install_options = ["--component=runtime"]
test_options = ["--label-regex=fast"]
[target.meson]
recipe = "meson"
install = true
setup_options = ["--fatal-meson-warnings"]
compile_options = ["--verbose"]
install_options = ["--tags=runtime"]
test_options = ["--suite=fast"]
[target.make]
recipe = "make"
options = ["-f", "Makefile.unix"]
vars = { A = "1" }
check = "test"
install = "install"
[target.autotools]
recipe = "autotools"
bootstrap = "./autogen.sh"
make_options = ["-C", "src"]
install = true
install_targets = ["install-strip"]
-- go.mod --
-- Cargo.toml --
`)
	p := pl.plan(t, Selection{})
	commands := map[string][]string{} // by target: the commands, tests behind
	for _, a := range p.Actions {
		for _, s := range slices.Concat(a.Steps, a.Test) {
			commands[a.Target] = append(commands[a.Target], strings.Join(s.Command, " "))
		}
	}
	for target, want := range map[string][]string{
		"go": {"go build -trimpath … -race -gcflags=all=-N -l -mod=vendor -overlay=overlay.json -buildvcs=true .",
			"go test -count=1 … -race -gcflags=all=-N -l -mod=vendor -overlay=overlay.json -buildvcs=true -run=Fast -short ./..."},
		"several":   {"-o …/several/build/bin/ … ./cmd/... ./tool", ""},
		"rust":      {"cargo build … --workspace --exclude=slow … --profile=dev --keep-going", "cargo test … --exclude=slow … --profile=dev --keep-going --lib -- --test-threads=1"},
		"cmake":     {"cmake -S … -Wno-dev", "--target app --verbose -- -k0", "cmake --install … --component=runtime", "ctest … --label-regex=fast"},
		"meson":     {"meson setup … --fatal-meson-warnings", "meson compile … --verbose", "meson install … --tags=runtime", "meson test … --suite=fast"},
		"make":      {"make … -f Makefile.unix … A=1", "make -f Makefile.unix … A=1 … install", "make … -f Makefile.unix … A=1 test"},
		"autotools": {"sh -ec ./autogen.sh", "sh ./configure", "make … -C src", "make -C src DESTDIR=… install-strip", "make … -C src check"},
	} {
		got := commands[target]
		if len(got) != len(want) {
			t.Errorf("%s: %d commands, want %d:\n%s", target, len(got), len(want), strings.Join(got, "\n"))
			continue
		}
		for i, parts := range want {
			rest := got[i]
			for _, part := range strings.Split(parts, "…") {
				_, after, ok := strings.Cut(rest, strings.TrimSpace(part))
				if !ok {
					t.Errorf("%s: %q is not in order in\n%s", target, part, got[i])
				}
				rest = after
			}
		}
	}
	// An option that the program takes once.
	for _, c := range commands["rust"] {
		if strings.Count(c, "--profile") != 1 || strings.Count(c, "--jobs") != 1 {
			t.Errorf("%s", c)
		}
	}
	for _, a := range p.Actions {
		if want := map[string]string{"several": "bin/*", "go": "go"}[a.Target]; want != "" && (len(a.Output) != 1 || a.Output[0].Path != want) {
			t.Errorf("%s: outputs %v, want %q", a.Target, a.Output, want)
		}
	}
}
