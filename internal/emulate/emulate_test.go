package emulate

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/inspect"
	"xbuild/internal/platform"
)

var update = flag.Bool("update", false, "write golden files anew")

// program makes an ELF file of a platform: a header, and a PT_INTERP where it has a loader.
func program(p platform.Platform, interp string) []byte {
	var b bytes.Buffer
	order := binary.ByteOrder(binary.LittleEndian)
	if p.Data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(p.Class), byte(p.Data), byte(elf.EV_CURRENT)}
	n := uint16(0)
	if interp != "" {
		n, interp = 1, interp+"\x00"
	}
	if p.Class == elf.ELFCLASS64 {
		binary.Write(&b, order, elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(p.Machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: n, Shentsize: 64, Flags: p.ELFFlags})
		if n > 0 {
			binary.Write(&b, order, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: uint64(len(interp))})
		}
	} else {
		binary.Write(&b, order, elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(p.Machine), Version: 1, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: n, Shentsize: 40, Flags: p.ELFFlags})
		if n > 0 {
			binary.Write(&b, order, elf.Prog32{Type: uint32(elf.PT_INTERP), Off: 84, Filesz: uint32(len(interp))})
		}
	}
	b.WriteString(interp)
	return b.Bytes()
}

func save(t testing.TB, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func withC() []platform.Platform {
	return slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return !p.HasC() })
}

// TestOpen reads a program of each platform, static and dynamic, and finds out what it is for.
func TestOpen(t *testing.T) {
	for _, p := range withC() {
		for _, interp := range []string{"", p.Interp} {
			t.Run(strings.ReplaceAll(p.Name, "/", "-")+" "+interp, func(t *testing.T) {
				got, err := Open(save(t, program(p, interp)))
				if err != nil {
					t.Fatal(err)
				}
				if got.Interp != interp || !got.Matches(p) {
					t.Errorf("Open: %+v, want loader %q and %v %v %v", got, interp, p.Machine, p.Class, p.Data)
				}
				for _, q := range withC() {
					if same := q.Machine == p.Machine && q.Class == p.Class && q.Data == p.Data; got.Matches(q) != same {
						t.Errorf("a program of %s matches %s: %v", p.Name, q.Name, !same)
					}
				}
				found, err := got.Platform()
				if err != nil {
					t.Fatal(err)
				}
				want := p.Base().Name
				switch {
				case p.Machine != elf.EM_ARM:
				case interp == "": // a header says nothing of VFP to debug/elf's reader
					want = "linux/arm/v7"
				case found.Interp == p.Interp:
					want = found.Name // v5 and v6 share the soft-float loader
				}
				if found.Name != want {
					t.Errorf("Platform() = %s, want %s", found.Name, want)
				}
			})
		}
	}
}

// TestFolder: a program in dist is for the platform whose folder it lies in, if it can be.
func TestFolder(t *testing.T) {
	header := func(name string, interp bool) inspect.Header {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		h := inspect.Header{Machine: p.Machine, Class: p.Class, Data: p.Data}
		if interp {
			h.Interp = p.Interp
		}
		return h
	}
	for _, c := range []struct {
		path   string
		header inspect.Header
		want   string
	}{
		{"/p/dist/linux/arm/v6/hello", header("linux/arm/v6", false), "linux/arm/v6"},
		{"/p/dist/linux/arm/v6/bin/hello", header("linux/arm/v6", true), "linux/arm/v6"},
		{"/p/dist/linux/amd64/v3/hello", header("linux/amd64", true), "linux/amd64/v3"},
		{"/p/dist/linux/amd64/v30/hello", header("linux/amd64", true), "linux/amd64"},
		{"/p/dist/linux/arm64/hello", header("linux/s390x", true), "linux/s390x"},
		{"/p/dist/linux/arm/v6/hello", header("linux/arm/v7", true), "linux/arm/v7"}, // the loader of another float ABI
		{"/linux/arm/v5/p/dist/linux/arm/v6/hello", header("linux/arm/v6", false), "linux/arm/v6"},
	} {
		got, err := Program{Path: c.path, Header: c.header}.Platform()
		if err != nil || got.Name != c.want {
			t.Errorf("%s: %s, %v; want %s", c.path, got.Name, err, c.want)
		}
	}
}

// TestOpenRefuses: what is no program says so; what cannot be read says why.
func TestOpenRefuses(t *testing.T) {
	amd64, err := platform.Parse("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	good := program(amd64, "/lib64/ld-linux-x86-64.so.2")
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint64(huge[64+32:], 1<<62) // Filesz of PT_INTERP
	for name, data := range map[string][]byte{
		"empty":     {},
		"script":    []byte("#!/bin/sh\necho hello\n"),
		"cut short": good[:40],
		"magic":     []byte(elf.ELFMAG),
	} {
		if _, err := Open(save(t, data)); !errors.Is(err, ErrNotELF) {
			t.Errorf("%s: error %v, want ErrNotELF", name, err)
		}
	}
	for name, data := range map[string][]byte{"cut in the program headers": good[:70], "cut in PT_INTERP": good[:len(good)-4], "huge PT_INTERP": huge} {
		if p, err := Open(save(t, data)); err == nil {
			t.Errorf("%s: no error, but %+v", name, p)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: error %v", err)
	}
	if _, err := (Program{Path: "x", Header: inspect.Header{Machine: elf.EM_SPARC, Class: elf.ELFCLASS64, Data: elf.ELFDATA2MSB}}).Platform(); err == nil || !strings.Contains(err.Error(), "EM_SPARC") {
		t.Errorf("a machine without a platform: error %v", err)
	}
}

// TestCommands holds the command of each platform, under QEMU and by itself, against testdata/commands.golden.
func TestCommands(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "")
	var b strings.Builder
	for _, p := range withC() {
		base, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		prog := Program{Path: "/project/dist/hello", Header: inspect.Header{Machine: p.Machine, Class: p.Class, Data: p.Data, Interp: p.Interp}}
		fmt.Fprintf(&b, "%s\n", p.Name)
		if argv, err := Emulated(prog, "/qemu", "/sysroot", p, base, []string{"-x", "a b"}); err != nil {
			fmt.Fprintf(&b, "\tqemu: %v\n", err)
		} else {
			fmt.Fprintf(&b, "\tqemu: %q\n", argv)
		}
		fmt.Fprintf(&b, "\tself: %q\n", Direct(prog, "/sysroot", p, []string{"-x", "a b"}))
	}
	file := "testdata/commands.golden"
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
		t.Errorf("commands differ from %s (renew with: go test ./internal/emulate -update); now\n%s", file, b.String())
	}
}

// TestLibraries: a program in dist finds the libraries that lie in the same root directory, by itself and under QEMU.
func TestLibraries(t *testing.T) {
	p, err := platform.Parse("linux/s390x")
	if err != nil {
		t.Fatal(err)
	}
	base, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LD_LIBRARY_PATH", "/own")
	root := filepath.Join(t.TempDir(), "dist/linux/s390x")
	for _, file := range []string{"usr/lib/libgreet.so.0", "usr/local/lib/README", "lib/s390x-linux-gnu/libc.so.6"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dirs := root + "/lib/s390x-linux-gnu:" + root + "/usr/lib"
	prog := Program{Path: root + "/usr/bin/greet", Header: inspect.Header{Interp: p.Interp}}
	argv := Direct(prog, "/sysroot", p, nil)
	if want := "/own:" + dirs + ":/sysroot/usr/lib/s390x-linux-gnu:/sysroot/usr/lib"; argv[3] != want {
		t.Errorf("by itself: %q, want %q", argv[3], want)
	}
	argv, err = Emulated(prog, "/qemu", "/sysroot", p, base, nil)
	if want := "LD_LIBRARY_PATH=/own:" + dirs; err != nil || !slices.Contains(argv, want) {
		t.Errorf("under QEMU: %q, %v, want %q", argv, err, want)
	}
	t.Setenv("XBUILD_NEEDS", "/needs/b:/needs/a,b:/needs/a")
	argv, err = Emulated(prog, "/qemu", "/sysroot", p, base, nil)
	if want := "LD_LIBRARY_PATH=/own:/needs/b/lib:/needs/a/lib:" + dirs; err != nil || !slices.Contains(argv, want) {
		t.Errorf("with what a target needs: %q, %v, want %q", argv, err, want)
	}
	static := Program{Path: prog.Path}
	if argv, err = Emulated(static, "/qemu", "", p, base, nil); err != nil || slices.Contains(argv, "-E") {
		t.Errorf("a static program: %q, %v", argv, err)
	}
}

func TestStaticProgramsNeedNoSysroot(t *testing.T) {
	p, err := platform.Parse("linux/riscv64")
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	prog := Program{Path: "/hello"}
	if got := Direct(prog, "/sysroot", p, []string{"a"}); !slices.Equal(got, []string{"/hello", "a"}) {
		t.Errorf("Direct = %q", got)
	}
	t.Setenv("LD_LIBRARY_PATH", "/own")
	dynamic := Program{Path: "/hello", Header: inspect.Header{Interp: p.Interp}}
	if got := Direct(dynamic, "/sysroot", p, nil); len(got) != 5 || !strings.HasPrefix(got[3], "/own:/sysroot/") {
		t.Errorf("Direct with LD_LIBRARY_PATH = %q", got)
	}
	if got, err := Emulated(prog, "/qemu", "", p, b, nil); err != nil || slices.Contains(got, "-L") || got[len(got)-1] != "/hello" {
		t.Errorf("Emulated = %q, %v", got, err)
	}
	windows, err := platform.Parse("windows/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Emulated(prog, "/qemu", "", windows, platform.Baseline{}, nil); err == nil || !strings.Contains(err.Error(), `platform "windows/amd64" has no emulator`) {
		t.Errorf("an emulator for windows: error %v", err)
	}
}

func TestNative(t *testing.T) {
	parse := func(s string) platform.Platform {
		p, err := platform.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		host, p string
		want    bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "linux/386", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/arm64", "linux/arm64", true},
		{"linux/arm64", "linux/arm/v7", false},
		{"linux/arm64", "linux/arm64/v9.2", false}, // not known of every arm64 host
	} {
		if got := Native(parse(c.host), parse(c.p)); got != c.want {
			t.Errorf("Native(%s, %s) = %v, want %v", c.host, c.p, got, c.want)
		}
	}
}

// TestChoose: the host itself, QEMU, or why neither.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		host, p  string
		always   bool
		emulated bool
		err      string
	}{
		{"linux/amd64", "linux/amd64", false, false, ""},
		{"linux/amd64", "linux/amd64", true, true, ""},
		{"linux/amd64", "linux/386", false, true, ""},
		{"linux/amd64", "linux/s390x", false, true, ""},
		{"linux/arm64", "linux/arm64/v8.2", false, true, ""},
		{"linux/arm64", "linux/amd64/v3", false, true, ""},
		{"linux/amd64", "windows/amd64", false, false, `platform "windows/amd64" has no emulator`},
		{"linux/arm64", "linux/amd64/v4", false, false, `platform "linux/amd64/v4" cannot be emulated faithfully: QEMU emulates no CPU with all of it: TCG has no AVX-512`},
		{"linux/amd64", "linux/amd64/v4", true, false, `platform "linux/amd64/v4" cannot be emulated faithfully`},
	} {
		host, err := platform.Parse(c.host)
		if err != nil {
			t.Fatal(err)
		}
		p, err := platform.Parse(c.p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		emulated, err := Choose(host, p, b, c.always)
		if emulated != c.emulated || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s on %s, always %v: %v, %v; want %v, %q", c.p, c.host, c.always, emulated, err, c.emulated, c.err)
		}
	}
	// Without AVX-512 in this machine, nothing runs amd64/v4, and the error says both reasons.
	host, _ := platform.Parse("linux/amd64")
	v4, _ := platform.Parse("linux/amd64/v4")
	b, err := v4.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Choose(host, v4, b, false); !Native(host, v4) && (err == nil || !strings.Contains(err.Error(), "this machine's CPU does not have all that linux/amd64/v4 promises, and platform")) {
		t.Errorf("amd64/v4 without AVX-512: %v", err)
	}
}

// FuzzOpen: no file, however hostile, makes Open panic or take more memory than the file's size warrants.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"linux/amd64", "linux/386", "linux/s390x", "linux/arm/v7"} {
		p, err := platform.Parse(name)
		if err != nil {
			f.Fatal(err)
		}
		good := program(p, p.Interp)
		f.Add(good)
		f.Add(good[:len(good)-3])
		for at := 16; at < len(good); at += 8 {
			bad := bytes.Clone(good)
			for i := at; i < min(at+8, len(bad)); i++ {
				bad[i] = 0xff
			}
			f.Add(bad)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Open(save(t, data))
		if err != nil {
			return
		}
		if len(p.Interp) > len(data) {
			t.Errorf("a loader's name of %d bytes out of a file of %d", len(p.Interp), len(data))
		}
		p.Platform()
	})
}
