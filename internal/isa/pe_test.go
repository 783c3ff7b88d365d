package isa

import (
	"bytes"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"xbuild/internal/object"
)

// A peSpec is a PE file, or, without an entry and directories, a COFF object.
type peSpec struct {
	machine  uint16
	entry    uint32
	dirs     map[int][2]uint32
	sections []peSpecSection
	symbols  []peSpecSymbol
	object   bool
}

type peSpecSection struct {
	name   string
	rva    uint32
	data   []byte
	flags  uint32
	relocs []byte
}

type peSpecSymbol struct {
	name    string
	value   uint32
	section int16
	typ     uint16
	class   byte
}

const (
	peCode = pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_EXECUTE | pe.IMAGE_SCN_MEM_READ
	peData = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
	peBase = 0x140000000
)

func (s peSpec) bytes() []byte {
	o := binary.LittleEndian
	var b []byte
	optional := 0
	if !s.object {
		b = make([]byte, 64)
		copy(b, "MZ")
		o.PutUint32(b[0x3c:], 64)
		b = append(b, "PE\x00\x00"...)
		optional = 112 + 16*8
	}
	head := len(b)
	b = append(b, make([]byte, 20+optional+40*len(s.sections))...)
	h := b[head:]
	o.PutUint16(h, s.machine)
	o.PutUint16(h[2:], uint16(len(s.sections)))
	o.PutUint32(h[12:], uint32(len(s.symbols)))
	o.PutUint16(h[16:], uint16(optional))
	if !s.object {
		h := h[20:]
		o.PutUint16(h, 0x20b)
		o.PutUint32(h[16:], s.entry)
		o.PutUint64(h[24:], peBase)
		o.PutUint32(h[108:], 16)
		for i, d := range s.dirs {
			o.PutUint32(h[112+8*i:], d[0])
			o.PutUint32(h[116+8*i:], d[1])
		}
	}
	for i, sec := range s.sections {
		from := len(b)
		b = append(b, sec.data...)
		relocs := len(b)
		b = append(b, sec.relocs...)
		h := b[head+20+optional+40*i:]
		copy(h[:8], sec.name)
		if !s.object {
			o.PutUint32(h[8:], uint32(len(sec.data)))
		}
		o.PutUint32(h[12:], sec.rva)
		o.PutUint32(h[16:], uint32(len(sec.data)))
		o.PutUint32(h[20:], uint32(from))
		o.PutUint32(h[24:], uint32(relocs))
		o.PutUint16(h[32:], uint16(len(sec.relocs)/10))
		o.PutUint32(h[36:], sec.flags)
	}
	if len(s.symbols) > 0 {
		o.PutUint32(b[head+8:], uint32(len(b)))
	}
	names := make([]byte, 4)
	for _, y := range s.symbols {
		e := make([]byte, 18)
		if len(y.name) <= 8 {
			copy(e, y.name)
		} else {
			o.PutUint32(e[4:], uint32(len(names)))
			names = append(append(names, y.name...), 0)
		}
		o.PutUint32(e[8:], y.value)
		o.PutUint16(e[12:], uint16(y.section))
		o.PutUint16(e[14:], y.typ)
		e[16] = y.class
		b = append(b, e...)
	}
	o.PutUint32(names, uint32(len(names)))
	return append(b, names...)
}

// at lays pieces of bytes at offsets, and what stops a machine between them.
func at(size int, pieces map[int][]byte) []byte {
	b := bytes.Repeat([]byte{0xcc}, size)
	for off, p := range pieces {
		copy(b[off:], p)
	}
	return b
}

func le32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func le64(v ...uint64) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

var popcnt = []byte{0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3} // popcnt rax, rdi; ret

// asking is a program for x86-64 whose start calls f, which calls what it imports, and work, at 0x40, where the answer
// was not zero.
func asking(imported string, symbols bool) peSpec {
	const call = 0x20 // f: sub rsp, 40; call *0x2000(rip); test eax, eax; je +5; call work; add rsp, 40; ret
	code := at(0x50, map[int][]byte{
		0:    {0xe8, call - 5, 0, 0, 0, 0xc3},
		call: {0x48, 0x83, 0xec, 0x28, 0xff, 0x15, 0xd6, 0x0f, 0, 0, 0x85, 0xc0, 0x74, 0x05, 0xe8, 0x0d, 0, 0, 0, 0x48, 0x83, 0xc4, 0x28, 0xc3},
		0x40: popcnt,
	})
	// The table of imports at 0x2020 names one library, whose slots are at 0x2000 and names at 0x2010.
	data := at(0x100, map[int][]byte{
		0x00: le64(0x2080, 0), 0x10: le64(0x2080, 0), 0x20: append(le32(0x2010, 0, 0, 0x2070, 0x2000), make([]byte, 20)...), 0x70: []byte("KERNEL32.dll\x00"), 0x82: []byte(imported + "\x00"),
	})
	s := peSpec{
		machine: pe.IMAGE_FILE_MACHINE_AMD64, entry: 0x1000, dirs: map[int][2]uint32{1: {0x2020, 40}},
		sections: []peSpecSection{{name: ".text", rva: 0x1000, data: code, flags: peCode}, {name: ".rdata", rva: 0x2000, data: data, flags: peData}},
	}
	if symbols {
		s.symbols = []peSpecSymbol{{"mainCRTStartup", 0, 1, 0x20, 2}, {"f", 0x20, 1, 0x20, 3}, {"work", 0x40, 1, 0x20, 2}}
	}
	return s
}

// TestPE reads programs for Windows: their imports tell whether they ask, their symbols and tables where functions are.
func TestPE(t *testing.T) {
	initializer := asking("Sleep", false)
	// A list of constructors between the functions, which begins with ones and whose entry would be an instruction of
	// AVX-512, and what it names, at 0x62f1.
	initializer.sections[0].data = at(0x6400, map[int][]byte{0: {0xc3}, 0x10: le64(^uint64(0), peBase+0x62f1+0x1000, 0), 0x62f1: popcnt})
	initializer.sections[1].rva, initializer.dirs = 0x10000, nil
	buildID := asking("Sleep", true)
	copy(buildID.sections[0].data, "\xff Go build ID: \"\xf3\x0f\xb8\xc0\"\n \xff")
	buildID.entry = 0x1040
	overlapping := asking("Sleep", true)
	for range 40 {
		overlapping.sections = append(overlapping.sections, overlapping.sections[0])
	}
	big := overlapping.bytes()
	for i := range overlapping.sections { // all of them are the whole file
		h := big[64+4+20+112+16*8+40*i:]
		copy(h[8:], le32(uint32(len(big))))
		copy(h[16:], le32(uint32(len(big)), 0))
	}
	for _, c := range []findsCase{
		{"asks Windows, with symbols", asking("IsProcessorFeaturePresent", true).bytes(), 0, 1, 0, "work"},
		{"asks Windows, stripped", asking("IsProcessorFeaturePresent", false).bytes(), 0, 1, 0, ""},
		{"asks about something else, with symbols", asking("IsDebuggerPresent", true).bytes(), 1, 0, 0, "work"},
		{"asks about something else, stripped", asking("IsDebuggerPresent", false).bytes(), 0, 0, 1, ""},
		{"a constructor, stripped", initializer.bytes(), 1, 0, 0, ""},
		{"the build ID of Go is no code", buildID.bytes(), 1, 0, 0, "work"},
	} {
		c.run(t, "windows/amd64")
	}
	if _, err := Audit(big, baseline(t, "windows/amd64"), Options{}); !errors.Is(err, object.ErrDamaged) {
		t.Errorf("sections of code that lie on each other: %v", err)
	}
}

// TestPEMachines audits a COFF object for each machine, alone and in an archive. On 386 a function in C has an
// underscore before its name.
func TestPEMachines(t *testing.T) {
	for _, c := range []struct {
		platform, symbol string
		machine          uint16
		code             []byte
		feature          string
	}{
		{"windows/amd64", "work", pe.IMAGE_FILE_MACHINE_AMD64, popcnt, "popcnt"},
		{"windows/386", "_work", pe.IMAGE_FILE_MACHINE_I386, []byte{0xf3, 0x0f, 0xb8, 0xc0, 0xc3}, "popcnt"},
		{"windows/arm64", "work", pe.IMAGE_FILE_MACHINE_ARM64, code(0xb8e40048, 0xd65f03c0), "lse"},
	} {
		file := peSpec{machine: c.machine, object: true, sections: []peSpecSection{{name: ".text", data: c.code, flags: peCode}}, symbols: []peSpecSymbol{{c.symbol, 0, 1, 0x20, 2}}}.bytes()
		archive := archiveOf("work.o/", file)
		for what, data := range map[string][]byte{"object": file, "archive": archive, "archive with two of that name": append(slices.Clone(archive), archive[8:]...)} {
			r, err := Audit(data, baseline(t, c.platform), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if want := bytes.Count(data, c.code); len(r.Unconditional) != want || r.Unconditional[0].Function != "work" || r.Unconditional[0].Feature != c.feature {
				t.Errorf("%s for %s: %+v, want %s in work", what, c.platform, r, c.feature)
			}
		}
	}
}

// archiveOf is an ar archive of one member.
func archiveOf(name string, body []byte) []byte {
	header := []byte(name)
	for len(header) < 48 {
		header = append(header, ' ')
	}
	header = append(header, "          `\n"...)
	copy(header[48:], itoa(len(body)))
	b := append([]byte("!<arch>\n"), append(header, body...)...)
	return append(b, make([]byte, len(body)&1)...)
}

func itoa(n int) string {
	s := ""
	for ; n > 0; n /= 10 {
		s = string(rune('0'+n%10)) + s
	}
	return s
}

// TestCOFFRelocations: a call of an object's code is what its relocation says, and so is the variable that holds what was detected.
func TestCOFFRelocations(t *testing.T) {
	// f: mov eax, [__cpu_model+12]; test eax, eax; je +5; call work; ret. work: popcnt.
	code := at(0x30, map[int][]byte{0: {0x8b, 0x05, 12, 0, 0, 0, 0x85, 0xc0, 0x74, 0x05, 0xe8, 0, 0, 0, 0, 0xc3}, 0x20: popcnt})
	reloc := func(off, symbol uint32) []byte { return append(le32(off, symbol), 4, 0) } // IMAGE_REL_AMD64_REL32
	for _, c := range []struct {
		variable string
		want     int // dispatched
	}{{"__cpu_model", 1}, {"some_other", 0}} {
		file := peSpec{
			machine: pe.IMAGE_FILE_MACHINE_AMD64, object: true,
			sections: []peSpecSection{{name: ".text", data: code, flags: peCode, relocs: append(reloc(2, 2), reloc(11, 1)...)}},
			symbols:  []peSpecSymbol{{"f", 0, 1, 0x20, 2}, {"work", 0x20, 1, 0x20, 3}, {c.variable, 0, 0, 0, 2}},
		}
		r, err := Audit(file.bytes(), baseline(t, "windows/amd64"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Dispatched) != c.want || len(r.Unconditional) != 1-c.want {
			t.Errorf("%s: %+v, want %d dispatched", c.variable, r, c.want)
		}
	}
}

// TestPETables: exports and unwind information tell where functions begin.
func TestPETables(t *testing.T) {
	s := asking("Sleep", false)
	// The unwind information of x86-64: [0x1000, 0x1006), and a part of another function, which has UNW_FLAG_CHAININFO, at 0x1020. Exported: work.
	data := at(0x200, map[int][]byte{
		0x100: le32(0x1000, 0x1006, 0x2120, 0x1020, 0x1030, 0x2124), 0x120: {0x01}, 0x124: {0x21},
		0x140: le32(0, 0, 0, 0, 1, 1, 1, 0x2168, 0x216c, 0x2170), 0x168: le32(0x1040, 0x2178, 0), 0x178: []byte("work\x00"),
	})
	copy(data, s.sections[1].data)
	s.sections[1].data = data
	s.dirs[3], s.dirs[0] = [2]uint32{0x2100, 24}, [2]uint32{0x2140, 0x40}
	img := newImage()
	if err := img.add(s.bytes(), ""); err != nil {
		t.Fatal(err)
	}
	if want := []uint64{peBase + 0x1000, peBase + 0x1006}; !slices.Equal(img.starts, want) {
		t.Errorf("functions begin at %x, want %x", img.starts, want)
	}
	if !img.exported[peBase+0x1040] || len(img.byAddr) != 1 || img.byAddr[0].name != "work" {
		t.Errorf("exported %v %+v, want work at %#x", img.exported, img.byAddr, peBase+0x1040)
	}
	if img.imports[peBase+0x2000] != "Sleep" || img.machine != elf.EM_X86_64 || img.named {
		t.Errorf("imports %v, machine %v, named %v", img.imports, img.machine, img.named)
	}
}

// A findsCase is a file in which popcnt is to be found once.
type findsCase struct {
	name                              string
	file                              []byte
	unconditional, dispatched, untold int
	function                          string // its name; "" where it has none
}

func (c findsCase) run(t *testing.T, platform string) {
	t.Run(c.name, func(t *testing.T) {
		r, err := Audit(c.file, baseline(t, platform), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Unconditional) != c.unconditional || len(r.Dispatched) != c.dispatched || len(r.Untold) != c.untold {
			t.Fatalf("want %d unconditional, %d dispatched, %d untold: %+v", c.unconditional, c.dispatched, c.untold, r)
		}
		if f := slices.Concat(r.Unconditional, r.Dispatched, r.Untold)[0]; f.Function != c.function || f.Instruction != "popcnt" {
			t.Errorf("found %+v, want popcnt in %q", f, c.function)
		}
	})
}
