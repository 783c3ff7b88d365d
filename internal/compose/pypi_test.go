package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin/pypi/pypitest"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
)

// TestPyPI: a toolchain that is a wheel is locked, fetched and composed; its programs run where they lie in the wheel.
func TestPyPI(t *testing.T) {
	wheel := pypitest.New(t, "tool-1.2-py3-none-any.whl", pypitest.File{Name: "tool/run", Body: "#!/bin/sh\necho ran\n", Mode: 0o755}, pypitest.File{Name: "tool/doc/x", Body: "x"})
	index := pypitest.Serve(t, map[string][]pypitest.Wheel{"tool": {wheel}})
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	def := &catalog.Toolchain{Name: "tool", Package: "tool", Packages: []string{"tool"}, Drop: []string{"tool/doc/**"}, Programs: map[string]string{"tool": "tool/run"},
		Sources: []catalog.Source{{Archive: catalog.PyPI, Suite: "^1"}}}
	archives := &resolve.Archive{Store: st, PyPI: []string{index.URL}, Fetch: fetch.Options{Retries: -1}}
	l, err := archives.Update(t.Context(), &lock.Lock{Version: lock.Version}, resolve.Requests{Toolchains: []resolve.ToolchainRequest{{Def: def}}}, false, true)
	if err != nil {
		t.Fatal(err)
	}
	locked, ok := resolve.FindToolchain(l, resolve.ToolchainRequest{Def: def, Constraint: ""}, "linux/amd64")
	if sum := sha256.Sum256(wheel.Data); !ok || locked.Version != "1.2" || locked.Archive != "pypi" || len(locked.Files) != 1 || locked.Files[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("locked %+v, %v", locked, ok)
	}
	tc, err := NewToolchain(st.Dir(), def, locked)
	if err != nil {
		t.Fatal(err)
	}
	var set Set
	set.Toolchain(tc)
	c := &Composer{Store: st, URLs: archives.URLs(l), Fetch: fetch.Options{Retries: -1}}
	if err := c.All(context.Background(), set); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(tc.Program("tool"))
	if err != nil || !strings.HasSuffix(string(data), "echo ran\n") {
		t.Errorf("program %q, %v", data, err)
	}
	if info, err := os.Stat(tc.Program("tool")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("program %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(tc.Dir, "tool/doc")); err == nil {
		t.Error("what is dropped is there")
	}
	// What the store has is not asked for again.
	index.Asked()
	if err := c.DownloadAll(context.Background(), set); err != nil || len(index.Asked()) > 0 {
		t.Errorf("downloaded again: %v", err)
	}
}
