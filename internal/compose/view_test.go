package compose

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: go test ./internal/compose -update", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (renew with: go test ./internal/compose -update); now\n%s", file, got)
	}
}

// The parts of a view, from definitions and a lock that are made up and do not change.
func parts(t testing.TB, root string, p platform.Platform) (clang, pkgconf Toolchain, sysroot Sysroot) {
	t.Helper()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	toolchain := func(name, version, slot string) Toolchain {
		source := catalog.Source{Archive: "debian", Suite: "trixie", Slot: slot}
		def := (&catalog.Toolchain{Name: name, Compiler: all.Toolchain(name).Compiler}).In(source)
		tc, err := NewToolchain(root, def, lock.Toolchain{Name: name, Version: version, Host: "linux/amd64", Files: []lock.File{{Name: name, SHA256: strings.Repeat("1", 64)}}})
		if err != nil {
			t.Fatal(err)
		}
		return tc
	}
	return toolchain("clang", "19.1.7", "19"), toolchain("pkgconf", "1.8.1", ""),
		NewSysroot(root, &catalog.Sysroot{Name: "glibc"}, lock.Sysroot{Name: "glibc", Arch: p.Debian, Suite: "trixie", Files: []lock.File{{Name: "libc6", SHA256: strings.Repeat("2", 64)}}})
}

func parse(t testing.TB, name string) platform.Platform {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConfigFiles holds clang's configuration file, CMake's toolchain file and Meson's machine file of every platform
// against golden files.
func TestConfigFiles(t *testing.T) {
	for _, p := range platform.All() {
		if !p.HasC() {
			continue
		}
		t.Run(strings.ReplaceAll(p.Name, "/", "-"), func(t *testing.T) {
			b, err := p.Baseline("", nil)
			if err != nil {
				t.Fatal(err)
			}
			clang, pkgconf, sysroot := parts(t, "/store", p)
			v := NewView("/store", p, append(b.CFlags(), b.Macros()...), clang, pkgconf, sysroot)
			cfg := v.config(p.LLVM)
			golden(t, strings.ReplaceAll(p.Name, "/", "-")+".cfg", cfg)
			golden(t, strings.ReplaceAll(p.Name, "/", "-")+".cmake", v.cmake())
			golden(t, strings.ReplaceAll(p.Name, "/", "-")+".ini", v.meson())
			for _, text := range []string{cfg, v.cmake(), v.meson(), v.configSite()} {
				if strings.Contains(text, "/store") {
					t.Errorf("an absolute path: the view of a moved store would be another one\n%s", text)
				}
			}
		})
	}
}

// TestConfigSite: a shell that reads the file has the answers, but for those that it was given, and the platform's name
// where the script is for the platform.
func TestConfigSite(t *testing.T) {
	p := parse(t, "linux/loong64")
	clang, pkgconf, sysroot := parts(t, "/store", p)
	sysroot.Configure = map[string]string{"ac_cv_func_malloc_0_nonnull": "yes", "ac_cv_c_stack_direction": "-1"}
	file := filepath.Join(t.TempDir(), "config.site")
	if err := os.WriteFile(file, []byte(NewView("/store", p, nil, clang, pkgconf, sysroot).configSite()), 0o644); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"host_alias=loongarch64-linux-gnu":                "yes -1 loongarch64-unknown-linux-gnu",
		"host_alias=x86_64-linux-gnu":                     "yes -1 ",
		"CC=/usr/bin/gcc; ac_cv_func_malloc_0_nonnull=no": "no -1 ",
		"CC=gcc": "yes -1 loongarch64-unknown-linux-gnu",
		"":       "yes -1 loongarch64-unknown-linux-gnu",
		"CC=\"$(dirname $0)/bin/clang -std=c99\"":                "yes -1 loongarch64-unknown-linux-gnu",
		"host_alias=loongarch64-linux-gnu; ac_cv_host=a-b-linux": "yes -1 a-b-linux",
	} {
		out, err := exec.Command("sh", "-c", "CONFIG_SITE=$0; unset CC host_alias; "+given+`
. "$0"; printf %s "$ac_cv_func_malloc_0_nonnull $ac_cv_c_stack_direction $ac_cv_host"`, file).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %q, %v; want %q", given, out, err, want)
		}
	}
}

// TestReinterpret: a script starts the interpreter of its own tree where that has it, with its arguments and its mode.
func TestReinterpret(t *testing.T) {
	tmp := t.TempDir()
	for name, text := range map[string]string{
		"usr/bin/python3": "", "usr/bin/tool": "#!/usr/bin/python3 -E\nprint()\n", "usr/bin/plain": "#! /usr/bin/python3\n", "usr/bin/other": "#!/bin/sh\necho\n", "usr/bin/env": "#!env python3\n",
	} {
		file := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := relocateTree(t.Context(), tmp, "/store/trees/x", "x86_64-linux-gnu", nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"usr/bin/tool": "#!/store/trees/x/usr/bin/python3 -E\nprint()\n", "usr/bin/plain": "#!/store/trees/x/usr/bin/python3\n", "usr/bin/other": "#!/bin/sh\necho\n", "usr/bin/env": "#!env python3\n",
	} {
		data, err := os.ReadFile(filepath.Join(tmp, name))
		if err != nil || string(data) != want {
			t.Errorf("%s: %q, %v; want %q", name, data, err, want)
		}
		if info, err := os.Stat(filepath.Join(tmp, name)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestHide: a directory of the host that a text of a tree names is nowhere, and one that none names is an error.
func TestHide(t *testing.T) {
	tmp := t.TempDir()
	file := filepath.Join(tmp, "dev.py")
	if err := os.WriteFile(file, []byte("dirs = ['/usr/src/gtest', '/usr/lib']\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := hide(tmp, []catalog.Hide{{Files: "*.py", Path: "/usr/src/"}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if want := "dirs = ['/hidden-by-xbuild/usr/src/gtest', '/usr/lib']\n"; err != nil || string(data) != want {
		t.Errorf("%q, %v; want %q", data, err, want)
	}
	if err := hide(tmp, []catalog.Hide{{Files: "*.py", Path: "/opt/"}}); err == nil || err.Error() != "hide /opt/: no file *.py names it" {
		t.Errorf("error %v", err)
	}
}

// TestKeys: a key changes with all that decides the content of a tree, and with nothing else.
func TestKeys(t *testing.T) {
	def := func(change func(*catalog.Toolchain)) *catalog.Toolchain {
		d := &catalog.Toolchain{Name: "clang", Summary: "a compiler", Keep: []string{"usr/**"}, Drop: []string{"**/*.a"}, Programs: map[string]string{"a": "usr/bin/a", "b": "usr/bin/b"},
			Sources: []catalog.Source{{Archive: "debian", Suite: "trixie", Slot: "19"}}}
		if change != nil {
			change(d)
		}
		return d
	}
	locked := func(change func(*lock.Toolchain)) lock.Toolchain {
		l := lock.Toolchain{Name: "clang", Version: "19.1.7", Host: "linux/amd64", Constraint: "^19", Suite: "trixie", Date: "20260101T000000Z",
			Files: []lock.File{{Name: "clang-19", Path: "pool/a", SHA256: strings.Repeat("1", 64)}, {Name: "lld-19", SHA256: strings.Repeat("2", 64)}}}
		if change != nil {
			change(&l)
		}
		return l
	}
	make := func(root string, d *catalog.Toolchain, l lock.Toolchain) Toolchain {
		tc, err := NewToolchain(root, d, l)
		if err != nil {
			t.Fatal(err)
		}
		return tc
	}
	base := make("/store", def(nil), locked(nil))
	if !strings.HasPrefix(base.Key, "toolchain-clang-19.1.7-") || base.Dir != "/store/trees/"+base.Key || base.Slot != "19" || base.Program("a") != base.Dir+"/programs/a" {
		t.Errorf("%+v", base)
	}
	for name, other := range map[string]Toolchain{
		"a file":      make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Files[1].SHA256 = strings.Repeat("3", 64) })),
		"the version": make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Version = "19.1.8" })),
		"the host":    make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Host = "linux/arm64" })),
		"the store":   make("/elsewhere", def(nil), locked(nil)),
		"keep":        make("/store", def(func(d *catalog.Toolchain) { d.Keep = nil }), locked(nil)),
		"drop":        make("/store", def(func(d *catalog.Toolchain) { d.Drop = nil }), locked(nil)),
		"rpath":       make("/store", def(func(d *catalog.Toolchain) { d.RPath = []string{"usr/lib/x"} }), locked(nil)),
		"relocate":    make("/store", def(func(d *catalog.Toolchain) { d.Relocate = []string{"usr/bin/*"} }), locked(nil)),
		"loaded":      make("/store", def(func(d *catalog.Toolchain) { d.Loaded = []string{"usr/lib/*/liba.so"} }), locked(nil)),
		"hide":        make("/store", def(func(d *catalog.Toolchain) { d.Hide = []catalog.Hide{{Files: "a", Path: "/usr/src/"}} }), locked(nil)),
		"a program":   make("/store", def(func(d *catalog.Toolchain) { d.Programs["c"] = "usr/bin/c" }), locked(nil)),
	} {
		if other.Key == base.Key {
			t.Errorf("another key is needed with another %s", name)
		}
	}
	for name, other := range map[string]Toolchain{
		"the summary":    make("/store", def(func(d *catalog.Toolchain) { d.Summary = "" }), locked(nil)),
		"the constraint": make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Constraint = "" })),
		"the date":       make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Date = "" })),
		"a file's path":  make("/store", def(nil), locked(func(l *lock.Toolchain) { l.Files[0].Path = "pool/b" })),
	} {
		if other.Key != base.Key {
			t.Errorf("%s does not change the tree, but the key", name)
		}
	}
	if _, err := NewToolchain("/store", def(nil), locked(func(l *lock.Toolchain) { l.Host = "linux/vax" })); err == nil {
		t.Error("a toolchain for a host that does not exist")
	}

	// A sysroot names no place, so that it is the same in every store.
	sysroot := func(root, sha string, drop ...string) Sysroot {
		return NewSysroot(root, &catalog.Sysroot{Drop: drop}, lock.Sysroot{Arch: "arm64", Suite: "trixie", Files: []lock.File{{SHA256: sha}}})
	}
	if a, b := sysroot("/store", "1"), sysroot("/elsewhere", "1"); a.Key != b.Key || !strings.HasPrefix(a.Key, "sysroot-arm64-trixie-") {
		t.Errorf("sysroots %q and %q", a.Key, b.Key)
	}
	if sysroot("/store", "1").Key == sysroot("/store", "2").Key || sysroot("/store", "1").Key == sysroot("/store", "1", "etc/**").Key {
		t.Error("another sysroot with the same key")
	}

	// Views: platforms that share a triplet, and a baseline's flags.
	v6, v5 := parse(t, "linux/arm/v6"), parse(t, "linux/arm/v5")
	clang, pkgconf, root := parts(t, "/store", v6)
	if v6.Triplet != v5.Triplet {
		t.Fatal("v5 and v6 do not share a triplet any more: name two others that do")
	}
	keys := map[string]bool{}
	for _, v := range []View{
		NewView("/store", v6, nil, clang, pkgconf, root), NewView("/store", v5, nil, clang, pkgconf, root), NewView("/store", v6, []string{"-mcpu=arm1176jzf-s"}, clang, pkgconf, root),
		NewView("/store", v6, nil, pkgconf, pkgconf, root), NewView("/store", v6, nil, clang, pkgconf, sysroot("/store", "1")),
	} {
		keys[v.Key] = true
	}
	if len(keys) != 5 {
		t.Errorf("five views have %d keys", len(keys))
	}
}

// TestKeyParts: what is one list must not have the key of another that reads the same when put together.
func TestKeyParts(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"a\n", "b"}, {"a", "\nb"}, {"1:a"}, {"a\n1:b"}} {
		k := key("x", parts)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[k] = parts
	}
}

// TestSupplement: what a suite's libraries ask for and its C library lacks is part of the view, which is another one
// where it is another.
func TestSupplement(t *testing.T) {
	p := parse(t, "linux/riscv64")
	clang, pkgconf, sysroot := parts(t, "/store", p)
	keys := map[string]bool{}
	for _, text := range []string{"", "int lacking;", "int other;"} {
		v := NewView("/store", p, nil, clang, pkgconf, sysroot.For("/store", &catalog.Sysroot{Name: "musl"}, catalog.Suite{Flags: []string{"-DSUITE"}, SupplementText: text}, p))
		cfg := v.config(p.LLVM)
		if !strings.Contains(cfg, "-DSUITE\n") {
			t.Errorf("the suite's flags are not in\n%s", cfg)
		}
		if linked := strings.Contains(cfg, "-Wl,--start-lib,<CFGDIR>/../supplement.o,--end-lib\n"); linked != (text != "") {
			t.Errorf("with the supplement %q:\n%s", text, cfg)
		}
		keys[v.Key] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d views, want 3", len(keys))
	}
}
