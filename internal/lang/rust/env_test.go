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

// TestCargo holds cargo's environment against golden files: of a platform that is another machine than the host, and of
// one that is the same for cargo.
func TestCargo(t *testing.T) {
	host := platform.Platform{}
	for _, name := range []string{"linux/amd64", "linux/arm64", "linux/amd64/v3"} {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "linux/amd64" {
			host = p
			continue
		}
		v, h := envtest.View(t, p), envtest.View(t, host)
		root := compose.NewSysroot("/store", &catalog.Sysroot{Name: "glibc"}, lock.Sysroot{Name: "glibc", Arch: "amd64", Suite: "bullseye"})
		h = compose.NewHostView("/store", host, nil, h.Compiler, h.Pkgconf, root)
		s := env.Settings{CFlags: []string{"-O2", "-fno-plt"}, LDFlags: []string{"-Wl,-z,now"}, Static: true}
		e := ForCargo(env.ForC(v, s, "/bin/xbuild"), v, h, s)
		for _, w := range e {
			if slices.Contains(forHost, w.Name) {
				t.Errorf("%s: %s=%s would reach build scripts", name, w.Name, w.Value)
			}
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.Format("dotenv", "")
		if err != nil {
			t.Fatal(err)
		}
		text += strings.Join(RustFlags(v, b, "", s), "\n") + "\n"
		envtest.Golden(t, "cargo-"+strings.ReplaceAll(name, "/", "-")+".golden", text)
	}
}
