package compose

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/origin/npm"
	"xbuild/internal/store"
)

// tgz is a package of npm's: everything lies in one directory, whatever its name.
func tgz(t *testing.T, st *store.Store, name string, files ...archivetest.File) lock.File {
	t.Helper()
	data, err := archivetest.Tar(files)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	sum := sha256.Sum256(b.Bytes())
	f := lock.File{Name: name, Version: "1.0.0", Arch: "all", Size: int64(b.Len()), SHA256: hex.EncodeToString(sum[:]), Path: name + "/-/" + name + "-1.0.0.tgz"}
	if _, err := st.AddFile(t.Context(), f.SHA256, f.Size, func(tmp string) error { return os.WriteFile(tmp, b.Bytes(), 0o644) }); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestNPM lays a package out as npm install --global does, keeps what the definition keeps, and writes nothing outside.
func TestNPM(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	file := tgz(t, st, "tool", archivetest.File{Name: "package/bin/tool.js", Body: "#!/usr/bin/env node\n", Mode: 0o755}, archivetest.File{Name: "package/lib/tool.js", Body: "1"},
		archivetest.File{Name: "package/docs/tool.md", Body: "2"})
	def := &catalog.Toolchain{Name: "tool", Drop: []string{"docs/**"}, Programs: map[string]string{"tool": "usr/lib/node_modules/tool/bin/tool.js"}, Sources: []catalog.Source{{Archive: "npm", Suite: "^1"}}}
	tc, err := NewToolchain(st.Dir(), def, lock.Toolchain{Name: "tool", Version: "1.0.0", Host: "linux/amd64", Archive: "npm", Suite: "^1", Files: []lock.File{file}})
	if err != nil {
		t.Fatal(err)
	}
	include := &catalog.Sysroot{Name: "include", Archive: "npm", Keep: []string{"lib/**"}}
	part := NewSysroot(st.Dir(), include, lock.Sysroot{Name: "include", Arch: "all", Suite: "1", Archive: "npm", Files: []lock.File{file}})
	c := &Composer{Store: st, URLs: func(context.Context, lock.File) ([]string, error) { return nil, nil }}
	if err := c.All(t.Context(), Set{Toolchains: []Toolchain{tc}, Sysroots: []Sysroot{part}}); err != nil {
		t.Fatal(err)
	}
	program, err := filepath.EvalSymlinks(tc.Program("tool"))
	if err != nil || program != filepath.Join(tc.Dir, npm.Modules("tool"), "bin/tool.js") {
		t.Errorf("the program is %s, %v", program, err)
	}
	for name, want := range map[string]bool{
		filepath.Join(tc.Dir, npm.Modules("tool"), "lib/tool.js"):   true,
		filepath.Join(tc.Dir, npm.Modules("tool"), "docs/tool.md"):  false,
		filepath.Join(part.Dir, npm.Modules("tool"), "lib/tool.js"): true,
		filepath.Join(part.Dir, npm.Modules("tool"), "bin/tool.js"): false,
	} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}

	evil := tgz(t, st, "evil", archivetest.File{Name: "package/../../../evil", Body: "x"})
	bad := NewSysroot(st.Dir(), include, lock.Sysroot{Name: "include", Arch: "all", Suite: "1", Archive: "npm", Files: []lock.File{evil}})
	if err := c.All(t.Context(), Set{Sysroots: []Sysroot{bad}}); err == nil || !strings.Contains(err.Error(), "leads out of the directory") {
		t.Errorf("a package that leads out of its directory: %v", err)
	}
}
