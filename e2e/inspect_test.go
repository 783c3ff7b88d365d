package e2e

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/inspect"
	"xbuild/internal/platform"
)

// inspected reads what a linker made, holds it against its platform, and sees that the standard library's readers,
// which trust a file more, say the same.
func inspected(t *testing.T, file string, p platform.Platform) {
	t.Helper()
	r, err := inspect.File(file)
	if err != nil {
		t.Error(err)
		return
	}
	for _, f := range inspect.Errors(inspect.Check(r, p, inspect.Limits{})) {
		t.Errorf("%s: %v", p, f)
	}
	if r.Arch != p.Arch || r.OS != "" && r.OS != p.OS || r.Bits != p.Bits {
		t.Errorf("%s for %s: arch %q, OS %q, %d bits", filepath.Base(file), p, r.Arch, r.OS, r.Bits)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var libraries, symbols []string
	switch r.Format {
	case inspect.ELF:
		libraries, symbols = byELF(t, data, r)
	case inspect.PE:
		f, err := pe.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if symbols, err = f.ImportedSymbols(); err != nil {
			t.Error(err)
		}
		for i, s := range symbols {
			name, library, _ := strings.Cut(s, ":")
			symbols[i] = name + "@" + library + "/"
			if !slices.Contains(libraries, library) {
				libraries = append(libraries, library)
			}
		}
	case inspect.MachO:
		f, err := macho.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if libraries, err = f.ImportedLibraries(); err != nil {
			t.Error(err)
		}
		names, err := f.ImportedSymbols()
		if err != nil {
			t.Error(err)
		}
		symbols = names
		for i := range r.Undefined {
			r.Undefined[i].Library = "" // debug/macho does not say
		}
	default:
		t.Errorf("%s is %s", file, r.Format)
	}
	var got []string
	for _, s := range r.Undefined {
		if r.Format == inspect.MachO {
			got = append(got, s.Name)
		} else {
			got = append(got, s.Name+"@"+s.Library+"/"+s.Version)
		}
	}
	slices.Sort(got)
	slices.Sort(symbols)
	if !slices.Equal(got, symbols) {
		t.Errorf("%s for %s wants %d symbols by package inspect and %d by the standard library:\n%q\n%q", filepath.Base(file), p, len(got), len(symbols), got, symbols)
	}
	needed := slices.Clone(r.Needed)
	slices.Sort(needed)
	slices.Sort(libraries)
	if !slices.Equal(needed, libraries) {
		t.Errorf("%s for %s needs %q by package inspect and %q by the standard library", filepath.Base(file), p, needed, libraries)
	}

	info, err := buildinfo.ReadFile(file)
	switch {
	case err != nil && r.Go != nil:
		t.Errorf("%s for %s: Go's note %+v, which debug/buildinfo does not find: %v", filepath.Base(file), p, r.Go, err)
	case err == nil && (r.Go == nil || r.Go.Version != info.GoVersion || r.Go.Path != info.Path || len(r.Go.Deps) != len(info.Deps) || len(r.Go.Settings) != len(info.Settings)):
		t.Errorf("%s for %s: Go's note %+v, want %+v", filepath.Base(file), p, r.Go, info)
	}
}

// byELF is what debug/elf says of a file's libraries and the symbols that it wants.
func byELF(t *testing.T, data []byte, r *inspect.Report) (libraries, symbols []string) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err = f.ImportedLibraries(); err != nil {
		t.Error(err)
	}
	dynamic, err := f.DynamicSymbols()
	if err != nil {
		return libraries, nil // a static program has none
	}
	exported := 0
	for _, s := range dynamic {
		bind := elf.ST_BIND(s.Info)
		switch {
		case bind == elf.STB_LOCAL || s.Name == "":
		case s.Section == elf.SHN_UNDEF:
			symbols = append(symbols, s.Name+"@"+s.Library+"/"+s.Version)
		case elf.ST_VISIBILITY(s.Other) == elf.STV_DEFAULT || elf.ST_VISIBILITY(s.Other) == elf.STV_PROTECTED:
			exported++
		}
	}
	if exported != len(r.Exported) {
		t.Errorf("%d exported symbols, want %d", len(r.Exported), exported)
	}
	return libraries, symbols
}

// TestGlibcFloor: a program that was linked on a newer system is no artifact of a project that asks for an older glibc,
// and neither is one that needs a library which its sysroot does not have. The message names the file and what to
// write.
func TestGlibcFloor(t *testing.T) {
	needNetwork(t)
	source := "#include <stdio.h>\n#include <zlib.h>\nint main(void) { puts(zlibVersion()); }\n"
	newer := write(t, map[string]string{"hello.c": source, "xbuild.toml": `
[project]
name = "newer"
platforms = ["linux/arm64"]

[sysroot]
glibc = "2.41"
packages = ["zlib1g-dev"]

[target.hello]
recipe = "cc"
sources = ["hello.c"]
ldflags = ["-lz"]
`})
	build(t, newer)
	hello, err := os.ReadFile(built(newer, "linux/arm64", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	older := write(t, map[string]string{"prebuilt": string(hello), "Makefile": "hello:\n\tcp prebuilt hello\n", "xbuild.toml": `
[project]
name = "older"
platforms = ["linux/arm64"]

[sysroot]
glibc = "2.31"

[target.hello]
recipe = "make"
outputs = ["hello"]
`})
	r := xbuild(t, older, "build", "-q")
	for _, want := range []string{
		`hello needs glibc 2.34 (for __libc_start_main), newer than the 2.31 that the project asks for`, `[platform."linux/arm64"] glibc = "2.34"`,
		"hello needs libz.so.1, which is neither among the artifacts nor in the sysroot of linux/arm64: name the package that has it in packages of [sysroot]",
	} {
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("xbuild build: %v\nwant exit code 1 and %q", r, want)
		}
	}
	if _, err := os.Stat(built(older, "linux/arm64", "hello")); err == nil {
		t.Error("the program is in dist all the same")
	}

	// The command says the same, in the project and, of the floor alone, without one.
	r = xbuild(t, older, "inspect", "-q", "-p", "linux/arm64", "prebuilt")
	if r.code != 1 || !strings.Contains(r.stdout, "needs glibc 2.34") || !strings.Contains(r.stdout, "needs libz.so.1") || !strings.Contains(r.stderr, "2 faults against linux/arm64") {
		t.Errorf("xbuild inspect in the project: %v", r)
	}
	for floor, code := range map[string]int{"2.33": 1, "2.34": 0} {
		if r := xbuild(t, t.TempDir(), "inspect", "-p", "linux/arm64."+floor, built(newer, "linux/arm64", "hello")); r.code != code {
			t.Errorf("xbuild inspect -p linux/arm64.%s: %v\nwant exit code %d", floor, r, code)
		}
	}

	// A library that the machine brings is none of the sysroot's.
	toml := filepath.Join(older, "xbuild.toml")
	edit(t, toml, `outputs = ["hello"]`, "outputs = [\"hello\"]\nexternal = [\"libz.so.1\"]")
	if r := xbuild(t, older, "build", "-q"); r.code != 1 || strings.Contains(r.stderr, "libz.so.1") {
		t.Errorf("with the library as external: %v", r)
	}

	// What the message says helps.
	edit(t, toml, "glibc = \"2.31\"\n", "packages = [\"zlib1g-dev\"]\n\n[platform.\"linux/arm64\"]\nglibc = \"2.34\"\n")
	build(t, older)
	if _, err := os.Stat(built(older, "linux/arm64", "hello")); err != nil {
		t.Error(err)
	}
	// Nothing to do is nothing to do.
	if r := xbuild(t, older, "build"); r.code != 0 || !strings.Contains(r.stderr, "0 built, 1 up to date") {
		t.Errorf("the second build: %v", r)
	}
}

// noFalseAlarm holds all that a distribution put into a sysroot against its platform: it runs there, and nothing may be
// said against it.
func noFalseAlarm(t *testing.T, sysroot, name string) {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.WalkDir(sysroot, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		r, err := inspect.File(path)
		if errors.Is(err, inspect.ErrFormat) {
			return nil
		}
		if err != nil {
			t.Error(err)
			return nil
		}
		n++
		for _, f := range inspect.Errors(inspect.Check(r, p, inspect.Limits{Sysroot: sysroot})) {
			t.Errorf("a false alarm: %v", f)
		}
		return nil
	})
	if err != nil || n < 50 {
		t.Errorf("%d libraries and objects in %s: %v", n, sysroot, err)
	}
}

// TestReleases measures what package inspect's table says of Debian's releases, on the libraries of the sysroots.
func TestReleases(t *testing.T) {
	needNetwork(t)
	releases := map[string]string{"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13", "forky": "Debian 14"}
	for suite, name := range releases {
		t.Run(suite, func(t *testing.T) {
			i := slices.IndexFunc(inspect.Releases(), func(r inspect.Release) bool { return r.Name == name })
			if i < 0 {
				t.Fatalf("no release %s", name)
			}
			release := inspect.Releases()[i]
			dir := write(t, map[string]string{"hello.c": "int main(void) { return 0; }\n", "xbuild.toml": `
[project]
name = "hello"
platforms = ["linux/amd64"]

[sysroot]
suite = "` + suite + `"

[target.hello]
recipe = "cc"
sources = ["hello.c"]
`})
			build(t, dir)
			var plan struct {
				Actions []struct{ Sysroot, Glibc string }
			}
			if err := json.Unmarshal([]byte(xbuild(t, dir, "plan").stdout), &plan); err != nil || len(plan.Actions) != 1 || plan.Actions[0].Sysroot == "" {
				t.Fatalf("xbuild plan names no sysroot: %+v, %v", plan, err)
			}
			a := plan.Actions[0]
			if a.Glibc != release.Glibc {
				t.Errorf("%s has glibc %s by the table and %s by the suite", name, release.Glibc, a.Glibc)
			}
			newest := map[string]string{}
			for _, lib := range []string{"libc.so.6", "libstdc++.so.6", "libgcc_s.so.1"} {
				file := filepath.Join(a.Sysroot, "usr/lib/x86_64-linux-gnu", lib)
				if _, err := os.Stat(file); err != nil {
					file = filepath.Join(a.Sysroot, "lib/x86_64-linux-gnu", lib)
				}
				r, err := inspect.File(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range r.Exported {
					family, number, _ := strings.Cut(s.Version, "_")
					if strings.Trim(number, "0123456789.") == "" && inspect.CompareVersions(number, newest[family]) > 0 {
						newest[family] = number
					}
				}
			}
			x := release.Runtime()
			for family, want := range map[string]string{"GLIBCXX": x.GLIBCXX, "CXXABI": x.CXXABI} {
				if newest[family] != want {
					t.Errorf("%s has %s_%s, and %s_%s by the table", name, family, newest[family], family, want)
				}
			}
			// Releases of glibc and libgcc need not have a symbol of their own on every machine.
			if inspect.CompareVersions(newest["GCC"], x.Libgcc) > 0 || newest["GCC"] == "" {
				t.Errorf("%s has GCC_%s, and GCC_%s by the table", name, newest["GCC"], x.Libgcc)
			}
			if inspect.CompareVersions(newest["GLIBC"], release.Glibc) > 0 || newest["GLIBC"] == "" {
				t.Errorf("%s has GLIBC_%s, and glibc %s by the table", name, newest["GLIBC"], release.Glibc)
			}
			noFalseAlarm(t, a.Sysroot, "linux/amd64")
			t.Logf("%s: %v", name, newest)
		})
	}
}
