package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestUserWins: what a target says of an option that its recipe sets by itself comes where it counts.
func TestUserWins(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm/v6"]
[target.meson]
recipe = "meson"
install = true
options = { default_library = "shared", buildtype = "minsize", prefix = "/opt" }
[target.sized]
recipe = "meson"
install = true
opt = "s"
options = { buildtype = "debug" }
[target.plain]
recipe = "meson"
install = true
[target.cmake]
recipe = "cmake"
install = true
defines = { "CMAKE_BUILD_TYPE:STRING" = "Debug", CMAKE_INSTALL_PREFIX = "/opt", BUILD_SHARED_LIBS = "ON" }
[target.autotools]
recipe = "autotools"
install = true
options = ["--prefix=/opt", "--enable-shared", "--disable-static"]
[target.rust]
recipe = "rust"
source = "crate"
rustflags = ["--cfg", "mine"]
[target.targeted]
recipe = "rust"
source = "targeted"
-- configure --
-- crate/Cargo.toml --
-- crate/.cargo/config.toml --
[build]
rustflags = ["--cfg", "tokio_unstable"]
-- .cargo/config.toml --
[build]
rustflags = "-Cforce-frame-pointers=yes --cfg above"
-- targeted/Cargo.toml --
-- targeted/.cargo/config.toml --
[target.arm-unknown-linux-gnueabi]
rustflags = ["--cfg", "target"]
`)
	p := pl.plan(t, Selection{})
	commands := map[string]string{}
	for _, a := range p.Actions {
		for _, s := range a.Steps {
			commands[a.Target] += strings.Join(s.Command, " ") + "\n"
		}
		if o2 := slices.Contains(strings.Fields(a.Env.Lookup("CFLAGS")), "-O2"); o2 != slices.Contains([]string{"plain", "autotools"}, a.Target) && a.Recipe != "rust" {
			t.Errorf("%s: CFLAGS=%s", a.Target, a.Env.Lookup("CFLAGS"))
		}
		if os := slices.Contains(strings.Fields(a.Env.Lookup("CFLAGS")), "-Os"); os != (a.Target == "sized") {
			t.Errorf("%s: CFLAGS=%s", a.Target, a.Env.Lookup("CFLAGS"))
		}
	}
	for target, orders := range map[string][][]string{
		"meson":     {{"-Ddefault_library=static", "-Ddefault_library=shared"}, {"-Dbuildtype=plain", "-Dbuildtype=minsize"}, {"-Dprefix=/usr", "-Dprefix=/opt"}},
		"cmake":     {{"-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_BUILD_TYPE:STRING=Debug"}, {"-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_PREFIX=/opt"}, {"-DBUILD_SHARED_LIBS=OFF", "-DBUILD_SHARED_LIBS=ON"}},
		"autotools": {{"--prefix=/usr", "--prefix=/opt"}, {"--disable-shared", "--enable-shared"}, {"--enable-static", "--disable-static"}},
		"rust":      {{`"-Cforce-frame-pointers=yes", "--cfg", "above", "--cfg", "tokio_unstable"`, "-Clinker="}, {"-Clinker=", `"--cfg", "mine"`}},
	} {
		for _, order := range orders {
			own, user := strings.Index(commands[target], order[0]), strings.LastIndex(commands[target], order[1])
			if own < 0 || user < own {
				t.Errorf("%s: %q is not after %q in\n%s", target, order[1], order[0], commands[target])
			}
		}
	}
	// Options in two spellings are an error of Meson, whatever their values.
	for _, word := range strings.Fields(commands["meson"]) {
		if name, value, _ := strings.Cut(word, "="); strings.HasPrefix(word, "--") && !slices.Contains([]string{"--cross-file", "--native-file", "--destdir", "--no-rebuild"}, name) {
			t.Errorf("meson: %s=%s is no -D", name, value)
		}
	}
	if strings.Contains(commands["targeted"], "above") {
		t.Errorf("flags for the target are there, and cargo itself leaves those of [build] out:\n%s", commands["targeted"])
	}
}
