package isa

import (
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"xbuild/internal/platform"
)

func baseline(t testing.TB, name string) platform.Baseline {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNeeds asks the tables about single instructions, as the manuals write them.
func TestNeeds(t *testing.T) {
	x86 := func(long bool, code ...byte) *entry {
		c, ok := decodeX86(append(code, make([]byte, 16)...), long)
		if !ok || c.length != len(code) {
			t.Errorf("% x: length %d, %v", code, c.length, ok)
		}
		return c.entry(x86Rows())
	}
	for _, c := range []struct {
		name string
		e    *entry
		want string // the first feature; "" for the baseline
	}{
		{"popcnt rax, rax", x86(true, 0xf3, 0x48, 0x0f, 0xb8, 0xc0), "popcnt"},
		{"lzcnt eax, eax", x86(true, 0xf3, 0x0f, 0xbd, 0xc0), "lzcnt"},
		{"tzcnt, which runs as bsf", x86(true, 0xf3, 0x0f, 0xbc, 0xc0), ""},
		{"bsr", x86(true, 0x0f, 0xbd, 0xc0), ""},
		{"endbr64", x86(true, 0xf3, 0x0f, 0x1e, 0xfa), ""},
		{"pause", x86(true, 0xf3, 0x90), ""},
		{"vpaddd ymm", x86(true, 0xc5, 0xfd, 0xfe, 0xc0), "avx2"},
		{"vpaddd xmm", x86(true, 0xc5, 0xf9, 0xfe, 0xc0), "avx"},
		{"vpaddd zmm", x86(true, 0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc0), "avx512f"},
		{"les in 32-bit code, the first byte of VEX", x86(false, 0xc4, 0x00), ""},
		{"paddd mm", x86(true, 0x0f, 0xfe, 0xc0), "mmx"},
		{"paddd xmm", x86(true, 0x66, 0x0f, 0xfe, 0xc0), "sse2"},
		{"cmpxchg16b", x86(true, 0x48, 0x0f, 0xc7, 0x0f), "cx16"},
		{"cmpxchg8b", x86(true, 0x0f, 0xc7, 0x0f), "cx8"},
		{"movbe", x86(true, 0x0f, 0x38, 0xf0, 0x07), "movbe"},
		{"crc32", x86(true, 0xf2, 0x0f, 0x38, 0xf1, 0xc0), "crc32"},
		{"cmov with 66", x86(false, 0x66, 0x0f, 0x44, 0xc1), "cmov"},
		{"arm64 ldaddal", arm64Table().find(0xb8e40048), "lse"},
		{"arm64 add v", arm64Table().find(0x4ea18400), ""},
		{"arm64 paciasp, a hint", arm64Table().find(0xd503233f), ""},
		{"arm64 bti c, a hint", arm64Table().find(0xd503245f), ""},
		{"arm64 cntd", arm64Table().find(0x04e0e3e0), "sve"},
		{"arm movw", armEntry(0xe3000001), "v6t2"},
		{"arm dmb ish", armEntry(0xf57ff05b), "v7"},
		{"arm ldrex", armEntry(0xe1900f9f), "v6"},
		{"arm ldrexb", armEntry(0xe1d00f9f), "v6k"},
		{"arm ldrexd", armEntry(0xe1b00f9f), "v6k"},
		{"arm mul", armEntry(0xe0000291), ""},
		{"arm vadd.f64 d16", armEntry(0xee700ba0), "vfpv3"},
		{"arm vadd.f64 d0", armEntry(0xee300b00), "vfp"},
		{"arm vadd.i32 q", armEntry(0xf2200840), "neon"},
		{"thumb bl", thumbEntry(0xf000f800), ""},
		{"thumb movw", thumbEntry(0xf2400000), "v6t2"},
		{"thumb vadd.i32 q", thumbEntry(0xef200840), "neon"},
		{"riscv zext.b", riscvTable().find(0x0ff57513), ""},
		{"riscv sh1add", riscvTable().find(0x20b52533), "zba"},
		{"riscv vsetvli", riscvTable().find(0x0d0077d7), "v"},
		{"ppc xsaddqp", ppcTable().find(0xfc421808 << 32), "power9"},
		{"ppc mffsl", ppcTable().find(0xfc18048e << 32), ""}, // mffs to a POWER8
		{"ppc addi", ppcTable().find(0x38630001 << 32), ""},
		{"ppc pld", ppcEntry(0x04000000e4600000), "power10"},
		{"s390x nngrk", s390xTable().find(0xb9646012_0000), "z15"},
		{"s390x vpopct of bytes, of z13", s390xTable().find(0xe70000000050), ""},
		{"mips dext", mipsTable().find(0x7c831803), "mips64r2"},
		{"loong64 vld", loongTable().find(0x2c000000), "lsx"},
		{"loong64 xvld", loongTable().find(0x2c800000), "lasx"},
	} {
		got := ""
		if c.e != nil {
			got = c.e.need.lacks(nil)
		}
		if got != c.want {
			t.Errorf("%s needs %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAttributes reads what files say of themselves.
func TestAttributes(t *testing.T) {
	img := newImage()
	img.order = binary.LittleEndian
	img.attributes([]byte("A\x15\x00\x00\x00aeabi\x00\x01\x0b\x00\x00\x00\x06\x0a\x0a\x04\x0c\x01"), "x.o")
	var got []string
	for _, a := range img.attrs {
		got = append(got, a.feature)
	}
	if want := []string{"v7", "vfpv3-d16", "neon"}; !slices.Equal(got, want) {
		t.Errorf("Arm's attributes say %q, want %q", got, want)
	}
	if got, want := riscvExtensions("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_v1p0_zicsr2p0_zba1p0_zve64d1p0_xventanacondops1p0"), []string{"v", "zba", "zve64d", "xventanacondops"}; !slices.Equal(got, want) {
		t.Errorf("RISC-V's string says %q, want %q", got, want)
	}
	img = newImage()
	img.order, img.wide, img.machine = binary.LittleEndian, true, elf.EM_X86_64
	img.notes([]byte("\x04\x00\x00\x00\x10\x00\x00\x00\x05\x00\x00\x00GNU\x00\x02\x80\x00\xc0\x04\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00"), 8, "")
	if len(img.attrs) != 2 || img.attrs[1].feature != "x86-64-v3" {
		t.Errorf("the property note says %v, want x86-64-v2 and v3", img.attrs)
	}
}

// TestObject audits an object without symbols, whose code is one block.
func TestObject(t *testing.T) {
	code := []byte{0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3} // popcnt rax, rdi; ret
	for _, c := range []struct {
		platform string
		want     int
	}{{"linux/amd64", 1}, {"linux/amd64/v2", 0}} {
		r, err := Audit(objectOf(elf.EM_X86_64, elf.ELFCLASS64, binary.LittleEndian, 0, code), baseline(t, c.platform), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Unconditional) != c.want {
			t.Errorf("%s: %v, want %d findings", c.platform, r.Unconditional, c.want)
		}
	}
}

// TestLAHF holds SAHF against both kinds of x86: the 8086 had it, and the first 64-bit machines had not.
func TestLAHF(t *testing.T) {
	code := []byte{0x9e, 0xc3}
	for _, c := range []struct {
		machine  elf.Machine
		class    elf.Class
		platform string
		want     int
	}{{elf.EM_386, elf.ELFCLASS32, "linux/386", 0}, {elf.EM_X86_64, elf.ELFCLASS64, "linux/amd64", 1}} {
		r, err := Audit(objectOf(c.machine, c.class, binary.LittleEndian, 0, code), baseline(t, c.platform), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Unconditional) != c.want {
			t.Errorf("%s: %v, want %d findings", c.platform, r.Unconditional, c.want)
		}
	}
}

// TestTables sees that every table is read, and that no row says that it needs nothing without being an exception.
func TestTables(t *testing.T) {
	for name, table := range map[string]*table{"arm64": arm64Table(), "arm": armTable(), "thumb": thumbTable(), "riscv64": riscvTable(), "ppc64": ppcTable(), "s390x": s390xTable(), "mips64": mipsTable(), "loong64": loongTable()} {
		n := 0
		for _, rows := range table.index {
			n += len(rows)
		}
		if n == 0 {
			t.Errorf("table %s is empty", name)
		}
	}
	if _, err := newTable("[x]\nname 1/0\n"); err == nil {
		t.Error("a value outside its mask was taken")
	}
	if _, err := newX86Table("[x]\nname leg:1:00\n"); err == nil {
		t.Error("a row with three columns was taken")
	}
}

func TestMatcher(t *testing.T) {
	m := newMatcher([]string{"work", "crc32_*_pclmul", "*CACHE*"}).match
	for name, want := range map[string]bool{"work": true, "works": false, "crc32_fold_pclmul": true, "crc32_pclmul": false, "a::CACHE::b": true, "": false} {
		if m(name) != want {
			t.Errorf("%q: %v, want %v", name, m(name), want)
		}
	}
}

// TestSpeed holds the audit of this test's own program against the promise: 50 MB of binary in 2 s of one core. It
// counts the processor's time, not the clock's.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("measures")
	}
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	b := baseline(t, platform.Host().Name)
	start := processorTime()
	r, err := Audit(data, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	used := processorTime() - start
	perMB := used.Seconds() / (float64(len(data)) / 1e6)
	t.Logf("%.1f MB of program, %.1f MB of code: %.2f s of a processor, 50 MB take %.2f s", float64(len(data))/1e6, float64(r.Code)/1e6, used.Seconds(), 50*perMB)
	if 50*perMB > 4 { // twice what is promised: a test machine may be slow
		t.Errorf("50 MB would take %.2f s", 50*perMB)
	}
}

// FuzzAudit reads damaged and hostile files: an error or a report, never a crash.
func FuzzAudit(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	code := make([]byte, 256)
	for i := range code {
		code[i] = byte(r.Uint32())
	}
	for key := range arches {
		order := binary.ByteOrder(binary.LittleEndian)
		if key.data == elf.ELFDATA2MSB {
			order = binary.BigEndian
		}
		f.Add(objectOf(key.machine, key.class, order, 0, code))
	}
	f.Add(asking("IsProcessorFeaturePresent", true).bytes())
	f.Add(asking("Sleep", false).bytes())
	f.Add(peSpec{machine: 0x8664, object: true, sections: []peSpecSection{{name: ".text", data: code, flags: peCode, relocs: make([]byte, 20)}}, symbols: []peSpecSymbol{{"work", 0, 1, 0x20, 2}, {"_a_longer_name", 8, 1, 0, 3}}}.bytes())
	f.Add(askingMacho("_sysctlbyname", true).bytes())
	f.Add(func() []byte {
		s := askingMacho("_sysctlbyname", false)
		s.chained, s.inits, s.inCode = true, []uint64{machoBase + 0x1040}, make([]byte, 8)
		return s.bytes()
	}())
	files, _ := filepath.Glob("testdata/*.o")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte("!<arch>\n/               0           0     0     0       4         `\n\x00\x00\x00\x00"))
	b := baseline(f, "linux/amd64")
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = Audit(data, b, Options{})
	})
}

// FuzzDecode decodes bytes as code of every architecture: each instruction has a length, and it lies within what there is.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc0, 0xc4, 0xe2, 0x7d, 0x18, 0x05, 1, 2, 3, 4, 0x66, 0x0f, 0x3a, 0x0f, 0xc1, 4})
	f.Add([]byte{0x48, 0x00, 0xe4, 0xb8, 0xe0, 0xe3, 0xe0, 0x04, 0xdf, 0xf8, 0x04, 0x00, 0xd0, 0xe8, 0x01, 0xf0})
	f.Fuzz(func(t *testing.T, code []byte) {
		for key, a := range arches {
			img := newImage()
			img.arch, img.machine, img.order, img.wide = a, key.machine, binary.LittleEndian, key.class == elf.ELFCLASS64
			if key.data == elf.ELFDATA2MSB {
				img.order = binary.BigEndian
			}
			img.sections = []section{{name: ".text", addr: 0x1000, data: code, size: uint64(len(code)), flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR}}
			for _, mode := range []byte{'a', 't'} {
				m := &machine{img: img, mode: mode}
				m.reset(0x1000)
				for pc := 0; pc < len(code); {
					var in inst
					a.decode(m, uint64(0x1000+pc), code[pc:min(len(code), pc+16)], &in)
					if in.length <= 0 || in.length > 16 || pc+in.length > len(code) && !in.bad {
						t.Fatalf("%s: an instruction of %d bytes at %d of %d", a.name, in.length, pc, len(code))
					}
					pc += in.length
				}
			}
		}
	})
}

// FuzzTables reads attributes, notes, unwind tables and Go's table of functions from bytes.
func FuzzTables(f *testing.F) {
	f.Add([]byte("A\x15\x00\x00\x00aeabi\x00\x01\x0b\x00\x00\x00\x06\x0a\x0a\x04\x0c\x01"))
	f.Add([]byte("\x04\x00\x00\x00\x10\x00\x00\x00\x05\x00\x00\x00GNU\x00\x02\x80\x00\xc0\x04\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xf1\xff\xff\xff\x00\x00\x01\x08"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, wide := range []bool{false, true} {
			img := newImage()
			img.order, img.wide, img.linked, img.machine = binary.LittleEndian, wide, true, elf.EM_X86_64
			img.attributes(data, "")
			img.notes(data, 8, "")
			img.ehFrame(data, 0x1000)
			img.exidx(data, 0x1000)
			img.goTable(data, 0x1000)
			_ = riscvExtensions("rv64" + string(data))
		}
	})
}
