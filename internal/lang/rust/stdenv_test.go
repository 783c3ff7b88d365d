package rust

import (
	"slices"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/env/envtest"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// TestStd: the library is built offline from its own crates, at the baseline, and neither a user's wrapper nor a
// profile decides what it is.
func TestStd(t *testing.T) {
	host, err := platform.Parse("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	rust, err := compose.NewToolchain("/store", &catalog.Toolchain{Name: "rust"}, lock.Toolchain{Name: "rust", Version: "1.85.1", Host: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	source := compose.NewSysroot("/store", &catalog.Sysroot{Name: "rust-src", Of: "rust", Source: "rustc"}, lock.Sysroot{Arch: "source", Suite: "trixie"})
	b := compose.NewBuiltStd("/store", rust, source, envtest.View(t, host), compose.View{}, "arm-unknown-linux-gnueabi", []string{"-Ctarget-feature=+vfp2"})
	e, command, libraries := ForStd(*b, "/tmp/std", "2")
	for name, want := range map[string]string{
		"RUSTC": b.Builder.Bin() + "/rustc", "RUSTC_WRAPPER": "/tmp/std/start-rustc", "CARGO_NET_OFFLINE": "true", "CARGO_HOME": "/tmp/std/home",
		"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": envtest.View(t, host).Tool("clang"),
		"CARGO_ENCODED_RUSTFLAGS":                      "-Cembed-bitcode=yes\x1f--remap-path-prefix=" + b.SourceDir() + "=/rustc/1.85.1\x1f--remap-path-prefix=/tmp/std=/build\x1f-Ctarget-feature=+vfp2",
	} {
		i := slices.IndexFunc(e, func(v env.Var) bool { return v.Name == name })
		if i < 0 || e[i].Value != want {
			t.Errorf("%s=%q, want %q", name, e.Lookup(name), want)
		}
	}
	line := strings.Join(command, " ")
	for _, want := range []string{"--offline", "--locked", "--target=arm-unknown-linux-gnueabi", "--jobs=2", "--manifest-path=" + b.SourceDir() + "/Cargo.toml", `directory="` + b.SourceDir() + `/vendor"`} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	if libraries != "/tmp/std/target/arm-unknown-linux-gnueabi/release/deps" {
		t.Errorf("libraries in %s", libraries)
	}
}
