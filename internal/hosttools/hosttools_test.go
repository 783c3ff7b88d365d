package hosttools

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// ofTheHost are names by which a program tells of the host's libraries, or compiles for the host: none of them is on
// the list.
var ofTheHost = strings.Fields(`cmake ctest meson ninja pkg-config pkgconf llvm-config llvm-config-19 sdl2-config sdl-config python3-config python3.13-config pcap-config cups-config wx-config gpgme-config
	xml2-config curl-config libgcrypt-config freetype-config pg_config mysql_config qmake qmake6 moc uic rcc swig swig4.0 gtkdocize gtkdoc-scan g-ir-scanner glib-compile-resources glib-mkenums wayland-scanner
	cc gcc g++ gcc-12 c++ cpp clang clang++ clang-19 tcc gfortran as ld ld.bfd gold ar nm ranlib strip objcopy objdump readelf size strings ccache sccache distcc mpicc nvcc h5cc
	aarch64-linux-gnu-gcc x86_64-linux-gnu-pkg-config protoc bison yacc flex lex m4 gperf msgfmt nasm yasm doxygen makeinfo ldconfig ldd dpkg dpkg-architecture rpm lsb_release locale
	go cargo rustc rustup node npm java ruby tclsh lua gawk mawk nawk sudo docker apt-get`)

func TestList(t *testing.T) {
	seen := map[string]bool{}
	word := regexp.MustCompile(`^[a-z0-9.*-]+$|^\[$`)
	for _, g := range Groups() {
		if g.Name == "" || g.Dir != "/bin" && g.Dir != "/usr/bin" || len(g.Programs) == 0 || !slices.IsSorted(g.Programs) {
			t.Errorf("group %q in %q: a name, a directory, and programs in order are wanted", g.Name, g.Dir)
		}
		for _, p := range g.Programs {
			if seen[p] || !word.MatchString(p) {
				t.Errorf("%q stands twice, or is no name", p)
			}
			seen[p] = true
		}
	}
	for _, name := range ofTheHost {
		if Listed(name) {
			t.Errorf("every build would see the host's %s", name)
		}
	}
	for _, name := range []string{"sh", "sed", "[", "awk", "perl", "python3", "git", "git-lfs", "xxd"} {
		if !Listed(name) {
			t.Errorf("no build would see %s", name)
		}
	}
	for name, want := range map[string]string{"sed": "/bin/sed", "perl": "/usr/bin/perl", "git-lfs": "/usr/bin/git-lfs", "xsltproc": "/usr/bin/xsltproc", "[": "/usr/bin/["} {
		if got := Place(name); got != want {
			t.Errorf("Place(%q) = %q, want %q", name, got, want)
		}
	}
}

// programs makes a directory with programs of some names.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestVisible(t *testing.T) {
	first, second := programs(t, append(ofTheHost, "sed", "git-lfs", "glib-mkenums")...), programs(t, "sed", "perl", "[")
	if err := os.WriteFile(filepath.Join(first, "perl"), nil, 0o644); err != nil { // no program
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(first, "tar"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := On(first + "::relative:/no/such/directory:" + second)
	seen, missing := h.Visible(nil)
	want := map[string]string{"sed": first + "/sed", "git-lfs": first + "/git-lfs", "perl": second + "/perl", "[": second + "/["}
	if !maps.Equal(seen, want) || missing != nil {
		t.Errorf("sees %v (missing %q), want %v", seen, missing, want)
	}
	id := ID(seen)
	seen, missing = h.Visible([]string{"swig", "glib-*", "xsltproc", "gtk4-*"})
	for _, name := range []string{"swig", "glib-mkenums", "glib-compile-resources"} {
		if seen[name] != first+"/"+name {
			t.Errorf("%s: sees %q", name, seen[name])
		}
	}
	if len(seen) != len(want)+3 || !slices.Equal(missing, []string{"xsltproc", "gtk4-*"}) {
		t.Errorf("sees %v, missing %q", seen, missing)
	}
	if ID(seen) == id {
		t.Error("the ID is the same with further programs")
	}
	if other, _ := On(programs(t, "sed", "perl", "[", "git-lfs")).Visible(nil); ID(other) != id {
		t.Error("the ID is another where programs of the same names lie elsewhere: what they are is read when they run")
	}
	runnable := 0
	for name := range h.files.named() {
		if _, ok := h.files.program(name); ok {
			runnable++
		}
	}
	if all, _ := h.Visible([]string{"*"}); len(all) != runnable || runnable < len(want) {
		t.Errorf("* sees %d of %d programs", len(all), runnable)
	}
}

func TestLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	links := func() map[string]string {
		t.Helper()
		out := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if out[e.Name()], err = os.Readlink(path.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	for _, want := range []map[string]string{{"sh": "/bin/sh", "sed": "/bin/sed"}, {"sh": "/bin/sh", "perl": "/usr/bin/perl"}, {"sh": "/usr/local/bin/sh"}, {}} {
		var g errgroup.Group
		for range 8 {
			g.Go(func() error { return Link(dir, want) })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := links(); !maps.Equal(got, want) {
			t.Errorf("links %v, want %v", got, want)
		}
	}
}
