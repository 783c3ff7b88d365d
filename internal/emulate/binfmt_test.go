package emulate

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// TestRegisterLines holds what is written to the kernel for each emulator against testdata/binfmt.golden.
func TestRegisterLines(t *testing.T) {
	var b strings.Builder
	for _, e := range Emulators(platform.Host(), platform.All()) {
		line, err := registerLine(e.Entry(), e.platform, "/store/"+e.QEMU, "POCF")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", line)
	}
	file := "testdata/binfmt.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: go test ./internal/emulate -update", err)
	}
	if b.String() != string(want) {
		t.Errorf("registrations differ from %s (renew with: go test ./internal/emulate -update); now\n%s", file, b.String())
	}
}

func TestRegisterLineOfOddPaths(t *testing.T) {
	p := withC()[0]
	line, err := registerLine("xbuild-x", p, "/a:b;c/qemu", "F")
	if err != nil || !strings.HasPrefix(line, ",xbuild-x,M,,") || !strings.HasSuffix(line, ",/a:b;c/qemu,F") {
		t.Errorf("a path with separators: %q, %v", line, err)
	}
	for _, path := range []string{"/a\nb", "/:;,|!%#~"} {
		if line, err := registerLine("xbuild-x", p, path, "F"); err == nil {
			t.Errorf("%q is registered as %q", path, line)
		}
	}
}

// TestMagic: an entry takes the programs of its own platforms, fixed and position independent, and of no other.
func TestMagic(t *testing.T) {
	for _, e := range Emulators(platform.Host(), platform.All()) {
		r := Registration{Enabled: true}
		r.magic, r.mask = magic(e.platform)
		for _, p := range withC() {
			if want := slices.Contains(e.Platforms, p.Name); r.handles(p) != want {
				t.Errorf("%s takes programs of %s: %v", e.QEMU, p, !want)
			}
			data := program(p, "")
			for _, kind := range []byte{2, 3} { // ET_EXEC, ET_DYN
				at := 16
				if p.BigEndian() {
					at = 17
				}
				data[at] = kind
				matches := true
				for i := range r.magic {
					matches = matches && (data[i]^r.magic[i])&r.mask[i] == 0
				}
				if matches != slices.Contains(e.Platforms, p.Name) {
					t.Errorf("%s and a program of %s with e_type %d: %v", e.QEMU, p, kind, matches)
				}
			}
		}
	}
}

// TestEmulators: platforms that share an emulator share an entry; what the host's kernel runs itself is marked.
func TestEmulators(t *testing.T) {
	for _, c := range []struct {
		host   string
		native []string
	}{
		{"linux/amd64", []string{"qemu-x86_64", "qemu-i386"}},
		{"linux/arm64", []string{"qemu-aarch64"}},
		{"linux/s390x", []string{"qemu-s390x"}},
	} {
		host, err := platform.Parse(c.host)
		if err != nil {
			t.Fatal(err)
		}
		var native, names []string
		for _, e := range Emulators(host, platform.All()) {
			names = append(names, e.QEMU)
			if e.Native {
				native = append(native, e.QEMU)
			}
			if e.QEMU == "qemu-arm" && !slices.Equal(slices.Sorted(slices.Values(e.Platforms)), []string{"linux/arm/v5", "linux/arm/v6", "linux/arm/v7"}) {
				t.Errorf("qemu-arm serves %q", e.Platforms)
			}
		}
		if !slices.Equal(native, c.native) {
			t.Errorf("on %s the kernel runs %q itself, want %q", c.host, native, c.native)
		}
		if slices.Sort(names); len(slices.Compact(names)) != 9 {
			t.Errorf("%d emulators: %q", len(names), names)
		}
	}
}

func TestFlags(t *testing.T) {
	for kernel, want := range map[string]string{"6.18.44\n": "POCF", "5.12.0-rc1": "POCF", "5.11.22": "OCF", "4.19.0-26-amd64": "OCF", "": "OCF"} {
		if got := flags(kernel); got != want {
			t.Errorf("flags on kernel %q = %s, want %s", kernel, got, want)
		}
	}
}

// What kernels print of entries: one that Debian's qemu-user-binfmt made, one by file name extension
// (Documentation/admin-guide/binfmt-misc.rst).
const (
	debianEntry = "enabled\ninterpreter /usr/libexec/qemu-binfmt/s390x-binfmt-P\nflags: OP\noffset 0\nmagic 7f454c4602020100000000000000000000020016\nmask fffffffffffffffcfffffffffffffffffffeffff\n"
	extension   = "disabled\ninterpreter /usr/bin/wine\nflags: \nextension .exe\n"
)

func TestParseRegistration(t *testing.T) {
	s390x, err := platform.Parse("linux/s390x")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRegistration("qemu-s390x", []byte(debianEntry))
	if err != nil || !r.Enabled || r.Interpreter != "/usr/libexec/qemu-binfmt/s390x-binfmt-P" || r.Flags != "OP" || !r.handles(s390x) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, p := range withC() {
		if r.handles(p) && p.Name != s390x.Name {
			t.Errorf("an entry for s390x takes %s", p)
		}
	}
	if r, err := parseRegistration("DOSWin", []byte(extension)); err != nil || r.Enabled || r.handles(s390x) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := parseRegistration("bad", []byte("enabled\nmagic 7g\n")); err == nil {
		t.Error("a magic that is not hexadecimal: no error")
	}
}

func FuzzParseRegistration(f *testing.F) {
	f.Add([]byte(debianEntry))
	f.Add([]byte(extension))
	f.Add([]byte("enabled\noffset 99999999999999999999\nmagic 7f\nmask \n"))
	f.Add([]byte("enabled\noffset -3\nmagic 7f45\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRegistration("x", data)
		if err != nil {
			return
		}
		for _, p := range withC() {
			r.handles(p)
		}
	})
}

func TestMountedBy(t *testing.T) {
	const (
		automount = "29 24 0:25 / /proc/sys/fs/binfmt_misc rw,relatime shared:11 - autofs systemd-1 rw,fd=29\n"
		systemd   = "91 29 0:40 / /proc/sys/fs/binfmt_misc rw,nosuid,nodev,noexec,relatime shared:51 - binfmt_misc binfmt_misc rw\n"
		ours      = "63 45 0:39 / /proc/sys/fs/binfmt_misc rw,relatime - binfmt_misc xbuild rw\n"
		elsewhere = "64 45 0:39 / /mnt rw,relatime - binfmt_misc xbuild rw\n"
	)
	for text, want := range map[string]bool{
		"": false, automount: false, automount + systemd: false, ours: true, automount + ours: true, ours + systemd: false, elsewhere: false, "x\n - \n": false,
	} {
		if got := mountedBy(text, binfmtDir, mountSource); got != want {
			t.Errorf("mountedBy = %v, want %v:\n%s", got, want, text)
		}
	}
}
