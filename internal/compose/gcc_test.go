package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// gccView is a view of GCC in a store at root, whose sysroot is of an earlier release.
func gccView(t *testing.T, root string, p platform.Platform) View {
	t.Helper()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	gcc := all.Toolchain("gcc")
	def := gcc.To(p).In(gcc.Sources[0])
	tc, err := NewToolchain(root, def, lock.Toolchain{Name: "gcc", Version: "14.2.0", Host: "linux/amd64",
		Files: []lock.File{{Name: def.Package, SHA256: strings.Repeat("1", 64)}}})
	if err != nil {
		t.Fatal(err)
	}
	_, pkgconf, sysroot := parts(t, root, p)
	sysroot.gcc = "12"
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewView(root, p, append(b.CFlags(), b.Macros()...), tc, pkgconf, sysroot)
}

// hash is the end of a key, which changes with every definition.
var hash = regexp.MustCompile(`-[0-9a-f]{16}\b`)

// TestGCCFiles holds what calls GCC's driver on every platform, and what is added to its specs, against golden files.
// No place of the store is in them.
func TestGCCFiles(t *testing.T) {
	for _, p := range platform.All() {
		if !p.HasC() || p.GCC == "" || p.Base().Name != p.Name {
			continue
		}
		t.Run(strings.ReplaceAll(p.Name, "/", "-"), func(t *testing.T) {
			v := gccView(t, "/store", p)
			got := hash.ReplaceAllString(v.gccScripts()["g++"]+v.gccSpecs(), "-0")
			golden(t, strings.ReplaceAll(p.Name, "/", "-")+".gcc", got)
			if strings.Contains(v.config(p.LLVM), "/store") {
				t.Errorf("an absolute path: the view of a moved store would be another one\n%s", got)
			}
		})
	}
}

// TestGCCInstallation: around the drivers is the compiler's own with the libraries and the C++ headers of the sysroot,
// and a driver is called with the platform's options before others, by each of its names and through links.
func TestGCCInstallation(t *testing.T) {
	root := t.TempDir()
	p := parse(t, "linux/arm64")
	v := gccView(t, root, p)
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const of = "usr/lib/gcc-cross/aarch64-linux-gnu/14"
	for _, name := range []string{"gcc", "g++", "gfortran", "cpp"} {
		put(filepath.Join(v.Compiler.Dir, "usr/bin/aarch64-linux-gnu-"+name+"-14"), "#!/bin/sh\necho "+name+" \"$*\"\n")
	}
	for _, name := range []string{"include/stddef.h", "libgcc.a"} {
		put(filepath.Join(v.Compiler.Dir, of, name), "compiler's")
	}
	put(filepath.Join(v.Compiler.Dir, "usr/libexec/gcc-cross/aarch64-linux-gnu/14/cc1"), "compiler's")
	for _, name := range []string{"include/stddef.h", "libgcc.a", "crtbegin.o", "libstdc++.so", "libgfortran.a"} {
		put(filepath.Join(v.Sysroot.Dir, "usr/lib/gcc/aarch64-linux-gnu/12", name), "sysroot's")
	}
	put(filepath.Join(v.Sysroot.Dir, "usr/include/c++/12/vector"), "sysroot's")
	put(filepath.Join(v.Sysroot.Dir, "usr/include/aarch64-linux-gnu/c++/12/bits/os_defines.h"), "sysroot's")
	if err := os.MkdirAll(filepath.Join(v.Dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := v.gcc(v.Dir); err != nil {
		t.Fatal(err)
	}
	const lib, headers = "lib/gcc-cross/aarch64-linux-gnu/14/", "aarch64-linux-gnu/include/c++/14/"
	for name, want := range map[string]string{
		lib + "include/stddef.h": "compiler's", lib + "libgcc.a": "sysroot's", lib + "libgcc_of_compiler.a": "compiler's",
		lib + "crtbegin.o": "sysroot's", lib + "libstdc++.so": "sysroot's", lib + "libgfortran.a": "sysroot's",
		"libexec/gcc-cross/aarch64-linux-gnu/14/cc1": "compiler's",
		headers + "vector":                           "sysroot's", headers + "aarch64-linux-gnu/bits/os_defines.h": "sysroot's",
	} {
		if got, err := os.ReadFile(filepath.Join(v.Dir, gccDir, name)); err != nil || string(got) != want {
			t.Errorf("%s is the %q, want the %s: %v", name, got, want, err)
		}
	}
	if err := os.Symlink(v.CC(), filepath.Join(root, "linked")); err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		v.CC(): "gcc", v.CXX(): "g++", filepath.Join(v.Bin(), "cc"): "gcc", filepath.Join(v.Bin(), "c++"): "g++",
		v.Tool("cpp"): "cpp", v.FC(): "gfortran", filepath.Join(v.Bin(), "f77"): "gfortran", filepath.Join(root, "linked"): "gcc",
	} {
		out, err := exec.Command(call, "a b", "-c").CombinedOutput()
		got := string(out)
		if err != nil || !strings.HasPrefix(got, want+" -specs="+v.Dir+"/gcc.specs --sysroot="+v.Sysroot.Dir+" ") ||
			!strings.HasSuffix(got, " a b -c\n") || !strings.Contains(got, " -march=armv8-a ") {
			t.Errorf("%s: %v, %s", call, err, got)
		}
	}
}
