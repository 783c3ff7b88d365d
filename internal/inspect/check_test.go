package inspect

import (
	"bytes"
	"debug/elf"
	"debug/pe"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

func parse(t testing.TB, name string) platform.Platform {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sysroot makes a directory with the libraries of linux/arm64 that usual needs: a libc and a libstdc++ with the
// versions that these offer.
func sysroot(t testing.TB, glibc, glibcxx []string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, versions []string) {
		s := spec{platform: "linux/arm64", kind: elf.ET_DYN, soname: name}
		for _, v := range versions {
			s.exported = append(s.exported, Symbol{Name: "f" + v, Version: v})
		}
		file := filepath.Join(dir, "usr/lib/aarch64-linux-gnu", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, s.bytes(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("libc.so.6", glibc)
	put("libstdc++.so.6", glibcxx)
	return dir
}

// TestCheck: each fault by itself, with what it tells the user to write.
func TestCheck(t *testing.T) {
	newest := []string{"GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.38"}
	cxx := []string{"GLIBCXX_3.4", "GLIBCXX_3.4.32"}
	full := sysroot(t, newest, cxx)
	program := func(change func(*spec)) []byte {
		s := usual("linux/arm64")
		if change != nil {
			change(&s)
		}
		return s.bytes(t)
	}
	object := func(name string, flags uint32, noFlags bool) []byte {
		return spec{platform: name, kind: elf.ET_REL, flags: flags, noFlags: noFlags}.bytes(t)
	}
	for _, c := range []struct {
		name     string
		data     []byte
		platform string
		limits   Limits
		want     []string // parts of one fault each
	}{
		{"as it should be", program(nil), "linux/arm64", Limits{Glibc: "2.34", Sysroot: full}, nil},
		{"for a variant of its platform", program(nil), "linux/arm64/v8.2", Limits{Glibc: "2.34", Sysroot: full}, nil},
		{"another machine", program(nil), "linux/amd64", Limits{Glibc: "2.0", Static: true}, []string{"file is for EM_AARCH64 ELFCLASS64 ELFDATA2LSB, not for linux/amd64 (EM_X86_64 ELFCLASS64 ELFDATA2LSB): the build used another compiler than $CC; for make write vars = { CC ="}},
		{"another class", spec{platform: "linux/386", kind: elf.ET_EXEC}.bytes(t), "linux/amd64", Limits{}, []string{"is for EM_386 ELFCLASS32"}},
		{"a Linux program for Windows", program(nil), "windows/arm64", Limits{}, []string{"is of format ELF, not the PE of windows/arm64"}},
		{"a Windows program that is data", peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false), "linux/arm64", Limits{Data: true}, nil},
		{"a Windows program for Linux", peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false), "linux/arm64", Limits{}, []string{"is of format PE, not the ELF of linux/arm64"}},
		{"a Linux program for Windows, where others are data", program(nil), "windows/arm64", Limits{Data: true}, []string{"is of format ELF, not the PE of windows/arm64"}},
		{"another system", spec{platform: "linux/arm64", kind: elf.ET_EXEC, osabi: elf.ELFOSABI_FREEBSD}.bytes(t), "linux/arm64", Limits{}, []string{"is for freebsd, not for linux"}},
		{"a platform whose programs are of no known format", program(nil), "wasip1/wasm", Limits{}, nil},

		{"the first ABI of ppc64", spec{platform: "linux/ppc64le", kind: elf.ET_EXEC, noFlags: true, flags: 1}.bytes(t), "linux/ppc64le", Limits{}, []string{"is of another ABI than linux/ppc64le: its e_flags are 0x1 (ELFv1), and of those 0x3 have to be 0x2"}},
		{"an object of ppc64 that depends on no ABI", object("linux/ppc64le", 0, true), "linux/ppc64le", Limits{}, nil},
		{"an indirect function", spec{platform: "linux/mips64le", kind: elf.ET_EXEC, symbols: true, ifunc: true}.bytes(t), "linux/mips64le", Limits{}, []string{"has an indirect function, sum ("}},
		{"an indirect function where there is a resolver", spec{platform: "linux/riscv64", kind: elf.ET_EXEC, symbols: true, ifunc: true}.bytes(t), "linux/riscv64", Limits{}, nil},
		{"constructors of GNU ld", spec{platform: "linux/arm64", kind: elf.ET_EXEC, extra: map[string][]byte{".ctors": make([]byte, 8)}}.bytes(t), "linux/arm64", Limits{}, []string{"has functions in the section .ctors, which GNU ld has called"}},
		{"constructors by their priority", spec{platform: "linux/arm/v7", kind: elf.ET_DYN, soname: "liba.so.1", extra: map[string][]byte{".dtors.65000": {0, 1, 0, 0}}}.bytes(t), "linux/arm/v7", Limits{}, []string{"has functions in the section .dtors.65000, which"}},
		{"constructors of an old GCC", spec{platform: "linux/arm64", kind: elf.ET_EXEC, extra: map[string][]byte{".ctors": append(bytes.Repeat([]byte{0xff}, 8), make([]byte, 16)...)}}.bytes(t), "linux/arm64", Limits{}, nil},
		{"an indirect function of which nothing but its place is left", spec{platform: "linux/mips64le", kind: elf.ET_EXEC, extra: map[string][]byte{".iplt": nil}}.bytes(t), "linux/mips64le", Limits{}, []string{"has an indirect function, .iplt ("}},
		{"none", spec{platform: "linux/mips64le", kind: elf.ET_EXEC, symbols: true}.bytes(t), "linux/mips64le", Limits{}, nil},
		{"a soft-float object of riscv64", object("linux/riscv64", 0, true), "linux/riscv64", Limits{}, []string{"(float soft)"}},
		{"a program of ARM's old ABI", spec{platform: "linux/arm/v5", kind: elf.ET_EXEC, noFlags: true}.bytes(t), "linux/arm/v5", Limits{}, []string{"(OABI)"}},
		{"Go's program for mips64le", spec{platform: "linux/mips64le", kind: elf.ET_EXEC, flags: 0x20000004}.bytes(t), "linux/mips64le", Limits{}, nil},
		{"n32", spec{platform: "linux/mips64le", kind: elf.ET_EXEC, flags: 0x20}.bytes(t), "linux/mips64le", Limits{}, []string{"n32"}},
		{"a hard-float library for the soft-float platform", spec{platform: "linux/arm/v7", kind: elf.ET_DYN, flags: 0x400, soname: "liba.so"}.bytes(t), "linux/arm/v6", Limits{}, []string{"passes floating-point arguments by the hard-float ABI, and the libraries of linux/arm/v6 by the soft-float one"}},
		{"a static hard-float program for it", spec{platform: "linux/arm/v7", kind: elf.ET_EXEC, flags: 0x400}.bytes(t), "linux/arm/v6", Limits{}, nil},

		{"segments for small pages", spec{platform: "linux/arm64", kind: elf.ET_EXEC, align: 0x1000}.bytes(t), "linux/arm64", Limits{}, []string{`has segments aligned to 4096 bytes, and kernels for linux/arm64 have pages of up to 65536, on which it does not start: the build tells the linker so (-z max-page-size, -n, -N), or took another linker; $CC does right by itself, and -Wl,-z,max-page-size=65536 says it again; where it is to run on kernels with pages of 4 KB alone, write page = 4 in [platform."linux/arm64"]`}},
		{"a library with segments for pages of 16 KB", spec{platform: "linux/arm64", kind: elf.ET_DYN, soname: "liba.so", align: 0x4000}.bytes(t), "linux/arm64/v8.2", Limits{}, []string{`write page = 16 in [platform."linux/arm64/v8.2"]`}},
		{"segments that share pages", spec{platform: "linux/amd64", kind: elf.ET_EXEC, align: 16}.bytes(t), "linux/amd64", Limits{}, []string{"has segments aligned to 16 bytes, and kernels for linux/amd64 have pages of up to 4096, on which it does not start"}},
		{"segments that are not aligned as they say", spec{platform: "linux/ppc64le", kind: elf.ET_EXEC, shift: 0x1000}.bytes(t), "linux/ppc64le", Limits{}, []string{"has segments aligned to 4096 bytes, and kernels for linux/ppc64le have pages of up to 65536"}},
		{"segments for small pages where there are no others", spec{platform: "linux/s390x", kind: elf.ET_EXEC, align: 0x1000}.bytes(t), "linux/s390x", Limits{}, nil},
		{"segments for larger pages than there are", spec{platform: "linux/riscv64", kind: elf.ET_EXEC, align: 0x200000}.bytes(t), "linux/riscv64", Limits{}, nil},

		{"dynamic where static is asked for", program(nil), "linux/arm64", Limits{Static: true}, []string{"is linked dynamically, though static = true: the build does not pass $LDFLAGS"}},
		{"musl's loader", program(func(s *spec) { s.interp = "/lib/ld-musl-aarch64.so.1" }), "linux/arm64", Limits{}, []string{"asks for the loader /lib/ld-musl-aarch64.so.1, which linux/arm64 does not have (its own is /lib/ld-linux-aarch64.so.1)"}},
		{"musl's library in a process of glibc", spec{platform: "linux/arm64", kind: elf.ET_DYN, exported: []Symbol{{Name: "napi_register_module_v1"}}, needed: []string{"libstdc++.so.6", "libc.musl-aarch64.so.1"}}.bytes(t), "linux/arm64", Limits{Sysroot: full}, []string{"is linked against musl, and the C library of linux/arm64 is glibc"}},
		{"a loader that the sysroot has", program(func(s *spec) { s.interp = "/usr/lib/aarch64-linux-gnu/libc.so.6" }), "linux/arm64", Limits{Sysroot: full}, nil},

		{"too new a glibc", program(nil), "linux/arm64", Limits{Glibc: "2.31", Sysroot: full}, []string{`needs glibc 2.34 (for __libc_start_main), newer than the 2.31 that the project asks for`}},
		{"a glibc whose number only looks smaller", program(nil), "linux/arm64", Limits{Glibc: "2.4"}, []string{`[platform."linux/arm64"] glibc = "2.34"`}},
		{"a mark that stands for a version", program(func(s *spec) {
			s.undefined = append(s.undefined, Symbol{Name: "x", Version: "GLIBC_ABI_DT_RELR", Library: "libc.so.6"})
		}), "linux/arm64", Limits{Glibc: "2.35"}, []string{"needs glibc 2.36 (for x)"}},

		{"a library that nobody has", program(func(s *spec) { s.needed = append(s.needed, "libfoo.so.1") }), "linux/arm64", Limits{Sysroot: full}, []string{"needs libfoo.so.1, which is neither among the artifacts nor in the sysroot of linux/arm64: name the package that has it in packages of [sysroot]"}},
		{"a library that is shipped with it", program(func(s *spec) { s.needed = append(s.needed, "libfoo.so.1") }), "linux/arm64", Limits{Sysroot: full, Beside: []string{"libfoo.so.1"}}, nil},
		{"a newer libstdc++", program(nil), "linux/arm64", Limits{Glibc: "2.34", Sysroot: sysroot(t, newest, cxx[:1])}, []string{"needs GLIBCXX_3.4.32 of libstdc++.so.6, which the sysroot of linux/arm64 does not have"}},
		{"a newer glibc, said once", program(nil), "linux/arm64", Limits{Glibc: "2.31", Sysroot: sysroot(t, newest[:1], cxx)}, []string{"needs glibc 2.34"}},

		{"an archive with one object of another machine", arOf(object("linux/arm64", 0, false), []byte("text"), object("linux/amd64", 0, false)), "linux/arm64", Limits{}, []string{"file(m2.o) is for EM_X86_64"}},
		{"an archive with many", arOf(object("linux/amd64", 0, false), object("linux/amd64", 0, false), object("linux/amd64", 0, false), object("linux/amd64", 0, false), object("linux/amd64", 0, false)), "linux/arm64", Limits{},
			[]string{"file(m0.o)", "file(m1.o)", "file(m2.o)", "file has more members like that"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Errors(Check(mustRead(t, c.data), parse(t, c.platform), c.limits))
			if len(got) != len(c.want) {
				t.Fatalf("%d faults, want %d: %v", len(got), len(c.want), got)
			}
			for i, f := range got {
				if !strings.Contains(f.String(), c.want[i]) {
					t.Errorf("fault %q, want %q in it", f, c.want[i])
				}
			}
		})
	}
}

// TestRemark: a dynamic program is told what an empty image lacks, and that is no error.
func TestRemark(t *testing.T) {
	p := parse(t, "linux/arm64")
	faults := Check(mustRead(t, usual("linux/arm64").bytes(t)), p, Limits{})
	if len(faults) != 1 || !faults[0].Remark || !strings.Contains(faults[0].Text, "needs /lib/ld-linux-aarch64.so.1 and libstdc++.so.6, libc.so.6, which an image FROM scratch lacks: set static = true") {
		t.Errorf("faults %v", faults)
	}
	if faults := Errors(Check(mustRead(t, usual("linux/arm64").bytes(t)), p, Limits{Scratch: true})); len(faults) != 1 {
		t.Errorf("for an empty image: faults %v", faults)
	}
	static := spec{platform: "linux/arm64", kind: elf.ET_EXEC}
	if faults := Check(mustRead(t, static.bytes(t)), p, Limits{Scratch: true}); len(faults) > 0 {
		t.Errorf("a static program: %v", faults)
	}
}

// TestReleaseTable: every release names a libc, a GCC that is there and platforms that are there; later releases of one
// distribution have no older libraries.
func TestReleaseTable(t *testing.T) {
	last := map[string]Release{}
	for _, r := range Releases() {
		if (r.Glibc == "") == (r.Musl == "") {
			t.Errorf("%s: glibc %q, musl %q: one of them", r.Name, r.Glibc, r.Musl)
		}
		if x := r.Runtime(); !numeric(x.GLIBCXX) || !numeric(x.CXXABI) || !numeric(x.Libgcc) {
			t.Errorf("%s: GCC %q has no [[runtime]]", r.Name, r.GCC)
		}
		for _, a := range r.Archs {
			if p, err := platform.Parse("linux/" + a); err != nil || p.Name != "linux/"+a {
				t.Errorf("%s: no platform linux/%s", r.Name, a)
			}
		}
		d, _, ok := strings.Cut(r.Name, " ")
		if !ok {
			t.Errorf("%s: a distribution and a version, with a space between them", r.Name)
		}
		if l, ok := last[d]; ok && (CompareVersions(l.Glibc, r.Glibc) > 0 || CompareVersions(l.GCC, r.GCC) > 0 || CompareVersions(l.Musl, r.Musl) > 0) {
			t.Errorf("%s has older libraries than %s", r.Name, l.Name)
		}
		last[d] = r
	}
}

// TestRunsOn: which releases have what a file needs.
func TestRunsOn(t *testing.T) {
	with := func(lib string, versions ...string) []Symbol {
		var out []Symbol
		for _, v := range versions {
			out = append(out, Symbol{Name: "f", Version: v, Library: lib})
		}
		return out
	}
	for _, c := range []struct {
		name, platform string
		interp         string
		needed         []string
		undefined      []Symbol
		want           string
	}{
		{"old", "linux/amd64", "", []string{"libc.so.6"}, with("libc.so.6", "GLIBC_2.2.5"), "Debian 10 11 12 13 14, Ubuntu 18.04 20.04 22.04 24.04 26.04, RHEL 7 8 9 10"},
		{"2.34", "linux/amd64", "", []string{"libc.so.6"}, with("libc.so.6", "GLIBC_2.34"), "Debian 12 13 14, Ubuntu 22.04 24.04 26.04, RHEL 9 10"},
		{"not on every architecture", "linux/riscv64", "", []string{"libc.so.6"}, with("libc.so.6", "GLIBC_2.34"), "Debian 13 14, Ubuntu 22.04 24.04 26.04"},
		{"an old libc and a new libstdc++", "linux/amd64", "", []string{"libstdc++.so.6", "libc.so.6"}, append(with("libc.so.6", "GLIBC_2.17"), with("libstdc++.so.6", "GLIBCXX_3.4.30")...), "Debian 12 13 14, Ubuntu 22.04 24.04 26.04, RHEL 10"},
		{"newer than all", "linux/amd64", "", []string{"libc.so.6"}, with("libc.so.6", "GLIBC_2.99"), ""},
		{"musl", "linux/arm64", "/lib/ld-musl-aarch64.so.1", []string{"libc.musl-aarch64.so.1"}, nil, "Alpine 3.18 3.20 3.21 3.22 3.23"},
		{"musl, by the name that it gives itself", "linux/riscv64", "/lib/ld-musl-riscv64.so.1", []string{"libc.so"}, nil, "Alpine 3.20 3.21 3.22 3.23"},
	} {
		s := spec{platform: c.platform, kind: elf.ET_DYN, pie: true, interp: c.interp, needed: c.needed, undefined: c.undefined, osabi: elf.ELFOSABI_LINUX}
		if s.interp == "" {
			s.interp = parse(t, c.platform).Interp
		}
		r := mustRead(t, s.bytes(t))
		if got := ranges(r.RunsOn); got != c.want {
			t.Errorf("%s: runs on %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"2.4", "2.34", -1}, {"2.34", "2.4", 1}, {"2.31", "2.31", 0}, {"3.4", "3.4.0", 0}, {"3.4.9", "3.4.32", -1}, {"", "2", -1}} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestPageSettled: a project that runs on small pages alone says so.
func TestPageSettled(t *testing.T) {
	r := mustRead(t, spec{platform: "linux/arm64", kind: elf.ET_EXEC, align: 0x4000}.bytes(t))
	if r.Pages != 0x4000 {
		t.Errorf("pages of %d, want %d", r.Pages, 0x4000)
	}
	for size, want := range map[int]int{4 << 10: 0, 16 << 10: 0, 64 << 10: 1} {
		p, ok := parse(t, "linux/arm64").WithPage(size)
		if got := Errors(Check(r, p, Limits{})); !ok || len(got) != want {
			t.Errorf("with pages of %d: %v, want %d faults", size, got, want)
		}
	}
}

// TestDefines finds what a library has, and not what it needs.
func TestDefines(t *testing.T) {
	root := t.TempDir()
	lib := filepath.Join(root, "usr/lib/aarch64-linux-gnu")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	has := spec{platform: "linux/arm64", kind: elf.ET_DYN, exported: []Symbol{{Name: "crypt", Version: "XCRYPT_2.0"}},
		undefined: []Symbol{{Name: "malloc", Version: "GLIBC_2.17", Library: "libc.so.6"}}, needed: []string{"libc.so.6"}}
	for name, data := range map[string][]byte{"libcrypt.so.1": has.bytes(t), "libm.so": []byte("GROUP ( libm.so.6 )\n")} {
		if err := os.WriteFile(filepath.Join(lib, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for function, want := range map[string]string{"crypt": filepath.Join(lib, "libcrypt.so.1"), "malloc": "", "no": ""} {
		if got := Defines(root, function); got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
}
