package plan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/explain"
)

// TestPrivates: what static libraries ask for privately is told at once, and not one after another as the linker misses
// it.
func TestPrivates(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm/v6"]
[sysroot]
packages = ["libssl-dev"]
[target.a]
recipe = "make"
outputs = ["a"]
`)
	a := pl.plan(t, Selection{}).Actions[0]
	if !a.Static {
		t.Fatal("linux/arm/v6 is not static")
	}
	a.Sysroot = t.TempDir()
	put := func(name, text string) {
		file := filepath.Join(a.Sysroot, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const lib = "usr/lib/arm-linux-gnueabi/"
	for _, name := range []string{"libcrypto.a", "libssl.a", "libc.a", "libdl.a", "libpthread.a", "libm.a"} {
		put(lib+name, "")
	}
	put("usr/lib/gcc/arm-linux-gnueabi/14/libgcc.a", "")
	put(lib+"pkgconfig/libcrypto.pc", "more=-lzstd\nName: OpenSSL-libcrypto\nLibs: -L${libdir} -lcrypto\nLibs.private: -lz ${more} -ldl -pthread -lgcc -lgcc_s\n")
	put(lib+"pkgconfig/libssl.pc", "Name: OpenSSL-libssl\nRequires.private: libcrypto >= 3.0, libbrotlidec\nLibs: -lssl\n")
	put("usr/share/pkgconfig/other.pc", "Name: other\nLibs.private: -lfrob\n")

	if got := explain.Privates(a, ""); !strings.Contains(got, "libbrotlidec (libssl.pc)") || !strings.Contains(got, "frob (other.pc)") {
		t.Errorf("before the build: %q", got)
	}
	hints := explain.Hints(a, "ld.lld: error: unable to find library -lz\n")
	if len(hints) == 0 || !strings.Contains(hints[0], "has: z (libcrypto.pc), zstd (libcrypto.pc). For all of it, add to packages in ") || !strings.Contains(hints[0], `"zlib1g-dev", "libzstd-dev"`) {
		t.Errorf("hints %q", hints)
	}
	hints = explain.Hints(a, "Package 'libbrotlidec', required by 'libssl', not found\n")
	if len(hints) == 0 || !strings.Contains(hints[0], "libbrotlidec (libssl.pc)") || !strings.Contains(hints[0], `"libbrotli-dev"`) || strings.Contains(hints[0], "zstd") {
		t.Errorf("hints %q", hints)
	}
	// What the target names for pkg-config is known before anything is compiled, with all that it leads to and nothing
	// else.
	a.PkgConfig = []string{"libssl"}
	if got := explain.Unlinkable(a); !strings.Contains(got, "has: z (libcrypto.pc), zstd (libcrypto.pc), libbrotlidec (libssl.pc). For") {
		t.Errorf("unlinkable: %q", got)
	}
	a.PkgConfig = []string{"unknown"}
	if got := explain.Unlinkable(a); got != "" {
		t.Errorf("unlinkable: %q", got)
	}
	// Nothing of it is missed, or it is no static link.
	if hints := explain.Hints(a, "main.c:1: error: no\n"); slices.ContainsFunc(hints, func(h string) bool { return strings.Contains(h, "statically") }) {
		t.Errorf("hints %q", hints)
	}
	a.Static = false
	if got := explain.Privates(a, ""); got != "" {
		t.Errorf("linked dynamically: %q", got)
	}
}
