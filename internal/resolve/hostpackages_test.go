package resolve

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// withTools is a sysroot whose -dev package depends on a program, and that on an interpreter.
func withTools(t *testing.T) (*archivetest.Archive, *catalog.Sysroot) {
	t.Helper()
	var packages []archivetest.Package
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		packages = append(packages,
			archivetest.Package{Name: "libc6", Arch: arch, MultiArch: "same"},
			archivetest.Package{Name: "libgui-dev", Arch: arch, MultiArch: "same", Depends: "libgui1, gui-tools, pkgconf"},
			archivetest.Package{Name: "libgui1", Arch: arch, MultiArch: "same", Depends: "daemon"},
			archivetest.Package{Name: "gui-tools", Arch: arch, MultiArch: "foreign", Depends: "libgui1, python3:any"},
			archivetest.Package{Name: "daemon", Arch: arch, MultiArch: "foreign"},
			archivetest.Package{Name: "pkgconf", Arch: arch, MultiArch: "foreign"},
			archivetest.Package{Name: "python3", Arch: arch, MultiArch: "allowed"},
			archivetest.Package{Name: "scanner", Arch: arch, MultiArch: "foreign"},
		)
	}
	return archivetest.New(t, archivetest.Suite{Name: "trixie", Packages: packages}), &catalog.Sysroot{
		Name: "small", Libc: "gnu", Packages: []string{"libc6"}, Skip: []string{"python3"},
		Suites:       []catalog.Suite{{Name: "trixie", Glibc: "2.41", Architectures: []string{"amd64", "arm64", "riscv64"}}},
		HostPackages: &catalog.HostPackages{Skip: []string{"pkgconf", "daemon"}},
	}
}

// TestHostPackages: what a sysroot's -dev package runs is locked for every host, with what it depends on there, and
// stays without an index.
func TestHostPackages(t *testing.T) {
	test, def := withTools(t)
	a, _ := open(t, test)
	of := SysrootRequest{Def: def, Arch: "riscv64", Suite: "trixie", Packages: []string{"libgui-dev"}, Where: "linux/riscv64"}
	req := Requests{
		Sysroots: []SysrootRequest{of},
		HostPackages: []HostPackagesRequest{
			{Def: def, Suite: "trixie", Of: &of, Packages: []string{"scanner"}, Where: "linux/riscv64"},
		},
	}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := FindSysroot(l, of); !ok || !slices.Equal(e.Programs, []string{"gui-tools"}) {
		t.Errorf("the sysroot's programs are those of %q (locked: %v), want gui-tools", e.Programs, ok)
	}
	for _, name := range Hosts {
		host, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		r, ok, err := req.HostPackages[0].In(l, host)
		if err != nil || !ok {
			t.Fatalf("host %s: %v, %v", name, ok, err)
		}
		e, ok := FindSysroot(l, r)
		want := []string{"gui-tools/" + host.Debian, "libgui1/" + host.Debian, "python3/" + host.Debian, "scanner/" + host.Debian}
		if !ok || !slices.Equal(names(e.Files), want) || !slices.Equal(e.Roots, []string{"gui-tools", "scanner"}) {
			t.Errorf("host %s: locked %v, files %q of %q, want %q", name, ok, names(e.Files), e.Roots, want)
		}
	}
	off := again(a)
	off.Mirrors = nil
	same, err := off.Update(t.Context(), l, req, false, true)
	if err != nil || !same.Equal(l) {
		t.Errorf("an update of a whole lock: %v, equal %v", err, err == nil && same.Equal(l))
	}
	text := t.TempDir() + "/xbuild.lock"
	if err := l.Write(text); err != nil {
		t.Fatal(err)
	}
	if read, err := lock.Read(text); err != nil || !read.Equal(l) {
		t.Errorf("the lock as it is read again: %v", err)
	}
}

// TestHostPackagesNone: a sysroot without such packages asks for nothing, and its lock has no word of it.
func TestHostPackagesNone(t *testing.T) {
	test, def := withTools(t)
	a, _ := open(t, test)
	of := SysrootRequest{Def: def, Arch: "arm64", Suite: "trixie", Packages: []string{"libgui1"}, Where: "linux/arm64"}
	req := Requests{
		Sysroots:     []SysrootRequest{of},
		HostPackages: []HostPackagesRequest{{Def: def, Suite: "trixie", Of: &of, Where: "linux/arm64"}},
	}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil || len(l.Sysroots) != 1 || len(l.Sysroots[0].Programs) != 0 {
		t.Errorf("locked %+v, %v; want the sysroot alone", l, err)
	}
}

// TestHostPackagesMissing: a name that no package has is an error of those who ask for it.
func TestHostPackagesMissing(t *testing.T) {
	test, def := withTools(t)
	a, _ := open(t, test)
	req := Requests{HostPackages: []HostPackagesRequest{{Def: def, Suite: "trixie", Packages: []string{"gui-tolls"}, Where: "here"}}}
	_, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err == nil || !strings.Contains(err.Error(), `no such package "gui-tolls"`) || !strings.Contains(err.Error(), "near it are gui-tools") {
		t.Errorf("error %v", err)
	}
	var faults *Faults
	if !errors.As(err, &faults) || faults.Of(req) == nil {
		t.Errorf("%v is not the fault of who asked", err)
	}
}
