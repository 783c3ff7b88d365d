package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/store"
)

// TestHostPackages: programs of packages for the host are found by name and by their places in the sysroot, whatever the
// platform's own package has there; those of what they depend on by their places alone.
func TestHostPackages(t *testing.T) {
	d := newDebs(t)
	echo := func(words string) string { return "#!/bin/sh\necho " + words + " \"${0##*/}\" \"$@\"\n" }
	tools := d.deb("gui-tools", "",
		archivetest.File{Name: "./usr/bin/gen", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/bin/gui-config", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/bin/qmake6", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/bin/moc", Link: "../lib/gui/libexec/moc"},
		archivetest.File{Name: "./usr/bin/schemas", Link: "../lib/x86_64-linux-gnu/gui/schemas"},
		archivetest.File{Name: "./usr/bin/nowhere", Link: "left-out"},
		archivetest.File{Name: "./usr/lib/gui/libexec/moc", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/lib/gui/libexec/uic", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/lib/gui/libexec/data", Body: "text"},
		archivetest.File{Name: "./usr/share/pkgconfig/gen.pc", Body: "prefix=/usr\nbindir = ${prefix}/bin\nother=/usrlocal\n"},
		archivetest.File{Name: "./usr/share/gui/example", Body: echo("host"), Mode: 0o755},
	)
	library := d.deb("libgui1-host", "",
		archivetest.File{Name: "./usr/bin/interpreter", Body: echo("host"), Mode: 0o755},
		archivetest.File{Name: "./usr/lib/x86_64-linux-gnu/gui/schemas", Body: echo("host"), Mode: 0o755},
	)
	platforms := d.deb("libgui1", "",
		archivetest.File{Name: "./usr/lib/riscv64-linux-gnu/gui/schemas", Body: "\x7fELF of the platform", Mode: 0o755},
		archivetest.File{Name: "./usr/lib/gui/libexec/moc", Body: "\x7fELF of the platform", Mode: 0o755},
		archivetest.File{Name: "./usr/lib/riscv64-linux-gnu/gui/bin/gen", Link: "../../../../bin/riscv64-linux-gnu-gen"},
		archivetest.File{Name: "./usr/lib/riscv64-linux-gnu/gui/bin/other", Link: "../../../../bin/other"},
		archivetest.File{Name: "./usr/lib/gui/bin/moc", Link: "../libexec/moc"},
	)
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := platform.Parse("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	riscv, err := platform.Parse("linux/riscv64")
	if err != nil {
		t.Fatal(err)
	}
	def := &catalog.Sysroot{Name: "glibc", HostPackages: &catalog.HostPackages{
		Apart: []string{"qmake*"}, Path: []string{"usr/bin", "usr/lib/gui/libexec"},
	}}
	on, err := NewHostPackages(st.Dir(), def, host, lock.Sysroot{
		Name: catalog.HostPackagesName, Arch: "amd64", Suite: "trixie", Roots: []string{"gui-tools"},
		Files: []lock.File{tools, library},
	})
	if err != nil {
		t.Fatal(err)
	}
	plain := NewSysroot(st.Dir(), def, lock.Sysroot{Name: "glibc", Arch: "riscv64", Suite: "trixie", Files: []lock.File{platforms}})
	s := plain.WithHostPackages(st.Dir(), on, riscv)
	if s.Key == plain.Key {
		t.Errorf("the sysroot with packages for the host is %s, without %s", s.Key, plain.Key)
	}
	var set Set
	set.Sysroot(s)
	set.Sysroot(plain)
	if names := set.Names(); names[s.Dir] == "" || names[plain.Dir] != "" {
		t.Errorf("names of trees that are others in every store: %v", names)
	}
	if err := d.composer(st).All(t.Context(), set); err != nil {
		t.Fatal(err)
	}

	says := func(program string) string {
		out, err := exec.Command(program, "a b").Output()
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(out))
	}
	for program, want := range map[string]string{
		filepath.Join(on.Bin(), "gen"):                                "host gen a b",
		filepath.Join(on.Bin(), "uic"):                                "host uic a b",
		filepath.Join(on.Bin(), "moc"):                                "host moc a b",
		filepath.Join(s.Dir, "usr/bin/qmake6"):                        "host qmake6 a b",
		filepath.Join(s.Dir, "usr/bin/gen"):                           "host gen a b",
		filepath.Join(s.Dir, "usr/lib/riscv64-linux-gnu/gui/bin/gen"): "host gen a b",
		filepath.Join(s.Dir, "usr/bin/schemas"):                       "host schemas a b",
		filepath.Join(s.Dir, "usr/lib/gui/libexec/moc"):               "host moc a b",
		filepath.Join(s.Dir, "usr/lib/gui/bin/moc"):                   "host moc a b",
		filepath.Join(s.Dir, "usr/lib/riscv64-linux-gnu/gui/schemas"): "host schemas a b",
	} {
		if got := says(program); got != want {
			t.Errorf("%s says %q, want %q", strings.TrimPrefix(program, st.Dir()), got, want)
		}
	}
	for _, none := range []string{
		filepath.Join(on.Bin(), "interpreter"), filepath.Join(on.Bin(), "nowhere"),
		filepath.Join(on.Bin(), "qmake6"), filepath.Join(on.Bin(), "gui-config"), filepath.Join(s.Dir, "usr/bin/gui-config"),
		filepath.Join(s.Dir, "usr/bin/interpreter"), filepath.Join(s.Dir, "usr/bin/nowhere"),
		filepath.Join(s.Dir, "usr/lib/gui/libexec/data"), filepath.Join(s.Dir, "usr/share/gui/example"),
	} {
		if _, err := os.Lstat(none); err == nil {
			t.Errorf("there is %s", strings.TrimPrefix(none, st.Dir()))
		}
	}
	want := "prefix=/../" + on.Key + "/usr\nbindir = ${prefix}/bin\nother=/usrlocal\n"
	if text, err := os.ReadFile(filepath.Join(on.Dir, "pkgconfig/gen.pc")); err != nil || string(text) != want {
		t.Errorf("for the host's pkg-config there is %q, %v; want %q", text, err, want)
	}
	if text, err := os.ReadFile(filepath.Join(plain.Dir, "usr/lib/gui/libexec/moc")); err != nil || !strings.HasPrefix(string(text), "\x7fELF") {
		t.Errorf("the sysroot without them has %q, %v: what equal files share was written to", text, err)
	}
}
