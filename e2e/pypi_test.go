package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin/pypi"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
)

// TestPyPI locks ziglang, whose wheels hold the whole toolchain, from the index that this machine's pip is configured
// with, for both hosts, and runs the one that is composed for this host.
func TestPyPI(t *testing.T) {
	needNetwork(t)
	config, err := pypi.ReadConfig(os.Getenv, "/")
	if err != nil {
		t.Fatal(err)
	}
	if config.Index == "" {
		config.Index = pypi.Public
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	opt := fetch.Options{Authorization: config.Authorization}
	archives := &resolve.Archive{Store: st, PyPI: []string{config.Index}, Fetch: opt}
	def := &catalog.Toolchain{Name: "zig", Package: "ziglang", Packages: []string{"ziglang"}, Programs: map[string]string{"zig": "ziglang/zig"},
		Sources: []catalog.Source{{Archive: catalog.PyPI, Suite: "~0.15"}}}
	request := resolve.ToolchainRequest{Def: def}
	l, err := archives.Update(t.Context(), &lock.Lock{Version: lock.Version}, resolve.Requests{Toolchains: []resolve.ToolchainRequest{request}}, false, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range resolve.Hosts {
		p, err := platform.Parse(host)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := resolve.FindToolchain(l, request, host)
		if !ok || len(e.Files) != 1 || !strings.Contains(e.Files[0].Path, p.Uname+".whl") || e.Files[0].Size < 50<<20 {
			t.Errorf("%s: %+v", host, e)
		}
	}
	e, ok := resolve.FindToolchain(l, request, platform.Host().Name)
	if !ok {
		t.Fatalf("nothing for %s", platform.Host().Name)
	}
	tc, err := compose.NewToolchain(st.Dir(), def, e)
	if err != nil {
		t.Fatal(err)
	}
	var set compose.Set
	set.Toolchain(tc)
	c := &compose.Composer{Store: st, URLs: archives.URLs(l), Fetch: opt}
	if err := c.All(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tc.Program("zig"), "version").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != e.Version {
		t.Errorf("zig version: %s, %v; locked is %s", out, err, e.Version)
	}
	out, err = exec.Command(tc.Program("zig"), "env").CombinedOutput()
	if err != nil || !strings.Contains(string(out), filepath.Join(tc.Dir, "ziglang/lib")) {
		t.Errorf("zig env: %s, %v", out, err)
	}
}
