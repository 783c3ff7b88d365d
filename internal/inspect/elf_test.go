package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// usual is a dynamic C++ program as a linker makes it for a platform.
func usual(name string) spec {
	p, err := platform.Parse(name)
	if err != nil {
		panic(err) // a name in a test's table
	}
	return spec{
		platform: name, kind: elf.ET_DYN, pie: true, now: true, relro: true, interp: p.Interp, needed: []string{"libstdc++.so.6", "libc.so.6"}, runpath: "$ORIGIN/../lib:/opt/lib",
		undefined: []Symbol{
			{Name: "__libc_start_main", Version: "GLIBC_2.34", Library: "libc.so.6"}, {Name: "printf", Version: "GLIBC_2.4", Library: "libc.so.6"},
			{Name: "__stack_chk_fail", Version: "GLIBC_2.4", Library: "libc.so.6"}, {Name: "__printf_chk", Version: "GLIBC_2.4", Library: "libc.so.6"},
			{Name: "_ZSt4cout", Version: "GLIBCXX_3.4", Library: "libstdc++.so.6"}, {Name: "_ZSt21ios_base_library_initv", Version: "GLIBCXX_3.4.32", Library: "libstdc++.so.6"},
			{Name: "__gmon_start__", Weak: true},
		},
		exported: []Symbol{{Name: "environ"}},
		comment:  "GCC: (Debian 14.2.0-19) 14.2.0\x00Debian clang version 19.1.7 (3+b1)\x00GCC: (Debian 14.2.0-19) 14.2.0\x00",
		notes: []note{
			{"GNU", noteABITag, []byte{0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}}, {"GNU", noteBuildID, []byte{0xde, 0xad, 0xbe, 0xef}},
		},
	}
}

func withC() []platform.Platform {
	return slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return !p.HasC() || p.Name != p.Base().Name })
}

// TestELF reads a program of every platform: its class, byte order and flags differ, and nothing else.
func TestELF(t *testing.T) {
	for _, p := range withC() {
		for _, noSections := range []bool{false, true} {
			s := usual(p.Name)
			s.notes = s.notes[1:] // its numbers are in the platform's byte order
			s.noSections = noSections
			r := mustRead(t, s.bytes(t))
			endian := "little"
			if p.BigEndian() {
				endian = "big"
			}
			if r.Format != ELF || r.Kind != Executable || r.Link != Dynamic || !r.PIE || r.Machine != p.Machine.String() || r.Bits != p.Bits || r.Endian != endian || r.Arch != p.Arch || r.OS != "linux" || r.Platform != p.Name {
				t.Errorf("%s: %+v", p.Name, r)
			}
			if r.Interp != p.Interp || !slices.Equal(r.Needed, s.needed) || !slices.Equal(r.RunPath, []string{"$ORIGIN/../lib", "/opt/lib"}) || r.BuildID != "deadbeef" || r.Libc != "glibc" {
				t.Errorf("%s: loader %q, needed %q, runpath %q, build id %q, libc %q", p.Name, r.Interp, r.Needed, r.RunPath, r.BuildID, r.Libc)
			}
			if len(r.Undefined) != len(s.undefined) || len(r.Exported) != 1 || r.Exported[0].Name != "environ" {
				t.Errorf("%s: undefined %v, exported %v", p.Name, r.Undefined, r.Exported)
			}
			for i, u := range r.Undefined {
				if u != s.undefined[i] {
					t.Errorf("%s: symbol %+v, want %+v", p.Name, u, s.undefined[i])
				}
			}
			if f := r.floor("GLIBC"); f.Version != "2.34" || !slices.Equal(f.Symbols, []string{"__libc_start_main"}) {
				t.Errorf("%s: GLIBC floor %+v", p.Name, f)
			}
			if f := r.floor("GLIBCXX"); f.Version != "3.4.32" || !slices.Equal(f.Symbols, []string{"_ZSt21ios_base_library_initv"}) {
				t.Errorf("%s: GLIBCXX floor %+v", p.Name, f)
			}
			h := r.Hardening
			if h.RELRO != "full" || h.BindNow != "yes" || h.NX != "yes" || h.StackProtector != "yes" || h.Fortify != "yes" || !slices.Equal(h.Fortified, []string{"__printf_chk"}) {
				t.Errorf("%s: hardening %+v", p.Name, h)
			}
			if want := []string{"GCC: (Debian 14.2.0-19) 14.2.0", "Debian clang version 19.1.7 (3+b1)"}; !noSections && !slices.Equal(r.Compilers, want) {
				t.Errorf("%s: compilers %q", p.Name, r.Compilers)
			}
			if faults := Errors(Check(r, p, Limits{})); len(faults) > 0 {
				t.Errorf("%s: faults of its own program: %v", p.Name, faults)
			}
			// No other machine's platform takes it.
			for _, q := range withC() {
				if q.Machine != p.Machine || q.Class != p.Class {
					if faults := Check(r, q, Limits{}); len(faults) != 1 || !strings.Contains(faults[0].Text, "is for "+p.Machine.String()) {
						t.Errorf("%s takes a program for %s: %v", q.Name, p.Name, faults)
					}
				}
			}
		}
	}
}

// TestKinds: what the header's type, the loader and the dynamic section make of a file.
func TestKinds(t *testing.T) {
	const loader = "/lib64/ld-linux-x86-64.so.2"
	for _, c := range []struct {
		name       string
		spec       spec
		kind, link string
		pie        bool
	}{
		{"static program", spec{kind: elf.ET_EXEC}, Executable, Static, false},
		{"dynamic program at a fixed address", spec{kind: elf.ET_EXEC, interp: loader, needed: []string{"libc.so.6"}}, Executable, Dynamic, false},
		{"PIE", spec{kind: elf.ET_DYN, pie: true, interp: loader, needed: []string{"libc.so.6"}}, Executable, Dynamic, true},
		{"PIE of a linker that does not mark it", spec{kind: elf.ET_DYN, interp: loader, needed: []string{"libc.so.6"}}, Executable, Dynamic, true},
		{"static PIE", spec{kind: elf.ET_DYN, pie: true}, Executable, StaticPIE, true},
		{"library", spec{kind: elf.ET_DYN, soname: "liba.so.1"}, Shared, "", false},
		{"plug-in without a name", spec{kind: elf.ET_DYN, exported: []Symbol{{Name: "napi_register_module_v1"}}}, Shared, "", false},
		{"library that can be run", spec{kind: elf.ET_DYN, soname: "libc.so.6", interp: loader}, Shared, "", false},
		{"object", spec{kind: elf.ET_REL, undefined: []Symbol{{Name: "printf"}}}, Relocatable, "", false},
	} {
		c.spec.platform = "linux/amd64"
		r := mustRead(t, c.spec.bytes(t))
		if r.Kind != c.kind || r.Link != c.link || r.PIE != c.pie {
			t.Errorf("%s: %s %s, PIE %v; want %s %s, PIE %v", c.name, r.Kind, r.Link, r.PIE, c.kind, c.link, c.pie)
		}
	}
}

// TestHardening: each property where it is, and where it is not.
func TestHardening(t *testing.T) {
	property := func(kind, value uint32) []note {
		var b bytes.Buffer
		binary.Write(&b, binary.LittleEndian, []uint32{kind, 4, value, 0})
		return []note{{"GNU", noteProperties, b.Bytes()}}
	}
	lib := spec{platform: "linux/amd64", kind: elf.ET_DYN, soname: "liba.so", exported: []Symbol{{Name: "a"}}}
	with := func(change func(*spec)) *Hardening {
		s := lib
		change(&s)
		return mustRead(t, s.bytes(t)).Hardening
	}
	for _, c := range []struct {
		what, got, want string
	}{
		{"RELRO without the segment", with(func(s *spec) {}).RELRO, "none"},
		{"RELRO with late binding", with(func(s *spec) { s.relro = true }).RELRO, "partial"},
		{"RELRO with BIND_NOW", with(func(s *spec) { s.relro, s.now = true, true }).RELRO, "full"},
		{"an executable stack", with(func(s *spec) { s.execStack = true }).NX, "no"},
		{"no stack protector", with(func(s *spec) {}).StackProtector, "no"},
		{"IBT", with(func(s *spec) { s.notes = property(propertyX86Features, 1) }).IBT, "yes"},
		{"no SHSTK", with(func(s *spec) { s.notes = property(propertyX86Features, 1) }).SHSTK, "no"},
		{"SHSTK", with(func(s *spec) { s.notes = property(propertyX86Features, 3) }).SHSTK, "yes"},
		{"BTI on x86", with(func(s *spec) {}).BTI, ""},
		{"BTI", with(func(s *spec) { s.platform, s.notes = "linux/arm64", property(propertyARMFeatures, 1) }).BTI, "yes"},
		{"PAC", with(func(s *spec) { s.platform, s.notes = "linux/arm64", property(propertyARMFeatures, 3) }).PAC, "yes"},
		{"a static program without symbols", with(func(s *spec) { *s = spec{platform: "linux/amd64", kind: elf.ET_EXEC} }).StackProtector, "unknown"},
		{"a static program with none", with(func(s *spec) { *s = spec{platform: "linux/amd64", kind: elf.ET_EXEC, symbols: true} }).StackProtector, "no"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// TestFlags reads the ABI out of e_flags and build attributes.
func TestFlags(t *testing.T) {
	armAttributes := attributesOf("aeabi", binary.LittleEndian, 5, "Cortex-A9", 6, 10, 7, 'A', 9, 2, 10, 4, 12, 1, 28, 1)
	for _, c := range []struct {
		name            string
		spec            spec
		abi, float, isa string
	}{
		{"armhf", spec{platform: "linux/arm/v7", flags: 0x400}, "EABI5", "hard", ""},
		{"armel", spec{platform: "linux/arm/v5", flags: 0x200}, "EABI5", "soft", ""},
		{"arm without a float bit", spec{platform: "linux/arm/v7"}, "EABI5", "", ""},
		{"arm by its attributes", spec{platform: "linux/arm/v7", attributes: armAttributes}, "EABI5", "hard", "v7-A VFPv3-D16 NEON Thumb-2"},
		{"riscv64", spec{platform: "linux/riscv64", attributes: attributesOf("riscv", binary.LittleEndian, 4, 16, 5, "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0")}, "", "double", "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0"},
		{"riscv64, soft", spec{platform: "linux/riscv64", noFlags: true}, "", "soft", ""},
		{"mips64", spec{platform: "linux/mips64le", flags: 0x80000000}, "n64", "", "mips64r2"},
		{"mips n32", spec{platform: "linux/mips64le", flags: 0x80000020}, "n32 n64", "", "mips64r2"},
		{"ppc64le", spec{platform: "linux/ppc64le"}, "ELFv2", "", ""},
		{"loong64", spec{platform: "linux/loong64", flags: 0x40}, "object ABI v1", "double", ""},
	} {
		c.spec.kind = elf.ET_EXEC
		r := mustRead(t, c.spec.bytes(t))
		if r.ABI != c.abi || r.FloatABI != c.float || r.ISA != c.isa {
			t.Errorf("%s: ABI %q, float %q, ISA %q; want %q, %q, %q", c.name, r.ABI, r.FloatABI, r.ISA, c.abi, c.float, c.isa)
		}
	}
}

// attributesOf is build attributes of a vendor: tags, each with a number or a text.
func attributesOf(vendor string, order binary.ByteOrder, list ...any) []byte {
	var tags bytes.Buffer
	for i := 0; i < len(list); i += 2 {
		tags.Write(binary.AppendUvarint(nil, uint64(list[i].(int))))
		switch v := list[i+1].(type) {
		case string:
			tags.WriteString(v + "\x00")
		case int:
			tags.Write(binary.AppendUvarint(nil, uint64(v)))
		case rune:
			tags.Write(binary.AppendUvarint(nil, uint64(v)))
		}
	}
	var out bytes.Buffer
	out.WriteByte('A')
	binary.Write(&out, order, uint32(4+len(vendor)+1+5+tags.Len()))
	out.WriteString(vendor + "\x00")
	out.WriteByte(1)
	binary.Write(&out, order, uint32(5+tags.Len()))
	out.Write(tags.Bytes())
	return out.Bytes()
}

// TestSystems: which system a file is for, by its marks.
func TestSystems(t *testing.T) {
	for _, c := range []struct {
		name string
		spec spec
		want string
	}{
		{"nothing says it", spec{}, ""},
		{"the loader", spec{interp: "/lib64/ld-linux-x86-64.so.2"}, "linux"},
		{"musl's loader", spec{interp: "/lib/ld-musl-x86_64.so.1"}, "linux"},
		{"OS/ABI", spec{osabi: elf.ELFOSABI_LINUX}, "linux"},
		{"the ABI note", spec{notes: []note{{"GNU", noteABITag, make([]byte, 16)}}}, "linux"},
		{"FreeBSD", spec{osabi: elf.ELFOSABI_FREEBSD, interp: "/libexec/ld-elf.so.1"}, "freebsd"},
		{"NetBSD", spec{notes: []note{{"NetBSD", 1, make([]byte, 4)}}}, "netbsd"},
		{"Android", spec{interp: "/system/bin/linker64", notes: []note{{"Android", 1, []byte{24, 0, 0, 0}}}}, "android"},
	} {
		c.spec.platform, c.spec.kind = "linux/amd64", elf.ET_EXEC
		if r := mustRead(t, c.spec.bytes(t)); r.OS != c.want {
			t.Errorf("%s: %q, want %q", c.name, r.OS, c.want)
		}
	}
}

// TestDamaged: what contradicts itself is an error that says what.
func TestDamaged(t *testing.T) {
	good := usual("linux/amd64").bytes(t)
	change := func(at int, b ...byte) []byte {
		d := bytes.Clone(good)
		copy(d[at:], b)
		return d
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut in the header", good[:10], "the ELF header is cut short"},
		{"cut in the header, behind its beginning", good[:60], "the ELF header lies outside of the file"},
		{"cut in the segments", good[:100], "outside of the file"},
		{"cut in the content", good[:len(good)-2000], "outside of the file"},
		{"cut in the sections", good[:len(good)-1], "the table of sections lies outside of the file"},
		{"class 3", change(4, 3), "ELF class 3 is none"},
		{"byte order 7", change(5, 7), "ELF data encoding 7 is none"},
		{"program headers of one byte", change(54, 1, 0), "a program header has 1 bytes, not 56"},
		{"65534 program headers", change(56, 0xfe, 0xff), "the table of program headers lies outside of the file"},
		{"section headers of no size", change(58, 0, 0), "a section header has 0 bytes, not 64"},
		{"names in a section that is not there", change(62, 0xf0, 0), "the table of section names is section 240"},
	} {
		_, err := read(t, c.data)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	for _, text := range []string{"", "#!/bin/sh\n", "\x7fEL", "MZ is no program", "\xca\xfe\xba\xbe\x00\x00\x00\x34"} {
		if _, err := read(t, []byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: error %v, want ErrFormat", text, err)
		}
	}
}

// TestDebugOnly: the segments of a file of debug information are those of the program that it was taken from.
func TestDebugOnly(t *testing.T) {
	s := usual("linux/amd64")
	s.extra = map[string][]byte{".text": []byte("code"), ".debug_info": []byte("x")}
	data := s.bytes(t)
	at := int(le.Uint64(data[40:]))
	e, err := object.OpenELF(object.NewSource(bytes.NewReader(data), int64(len(data))))
	if err != nil || e.ReadSections() != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(e.Sections, func(s elf.SectionHeader) bool { return s.Name == ".text" })
	le.PutUint32(data[at+64*i+4:], uint32(elf.SHT_NOBITS))
	le.PutUint64(data[at+64*i+8:], uint64(elf.SHF_ALLOC|elf.SHF_EXECINSTR))
	le.PutUint64(data[64+32:], 1<<40) // the first segment, PT_INTERP, now ends far outside
	if r := mustRead(t, data); r.Kind != DebugOnly || !r.Debug || len(r.Needed) > 0 || r.Interp != "" {
		t.Errorf("%+v", r)
	}
}
