package isa

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"xbuild/internal/object"
)

const machoBase = 0x100000000

// A machoSpec is a program for macOS: its code is at 0x1000, what the loader writes at 0x4000. What it imports is told
// by the table of indirect symbols, or by a chain of fixups.
type machoSpec struct {
	cpu     macho.Cpu
	kind    uint32
	code    []byte
	data    []byte // 0x4000: one slot, and what else
	slot    string // import of the slot
	symbols []machoSpecSymbol
	chained bool
	inits   []uint64
	starts  []byte
	inCode  []byte
}

type machoSpecSymbol struct {
	name string
	typ  byte
	sect byte
	addr uint64
}

func (s machoSpec) bytes() []byte {
	o := binary.LittleEndian
	if s.kind == 0 {
		s.kind = object.MachOExecute
	}
	var commands, edit []byte
	count := 0
	command := func(cmd uint32, body []byte) {
		commands = append(commands, le32(cmd, uint32(8+len(body)))...)
		commands = append(commands, body...)
		count++
	}
	name := func(n string) []byte { return append([]byte(n), make([]byte, 16-len(n))...) }
	sect := func(sectname, segname string, addr, size uint64, off, kind, reserved uint32) []byte {
		return slices.Concat(name(sectname), name(segname), le64(addr, size), le32(off, 0, 0, 0, kind, reserved, 0, 0))
	}
	segment := func(segname string, addr, off, size uint64, prot uint32, sections ...[]byte) {
		command(object.LCSegment64, slices.Concat(name(segname), le64(addr, size, off, size), le32(prot, prot, uint32(len(sections)), 0), slices.Concat(sections...)))
	}
	const linkedit = 0x8000
	at := func(b []byte) uint32 { // where it lies in __LINKEDIT
		off := linkedit + len(edit)
		edit = append(edit, b...)
		for len(edit)%8 != 0 {
			edit = append(edit, 0)
		}
		return uint32(off)
	}
	data := append([]byte{}, s.data...)
	for len(data) < 8 {
		data = append(data, 0)
	}
	inits := uint32(0x4000 + len(data))
	for _, a := range s.inits {
		data = append(data, le64(a)...)
	}
	segment("__TEXT", machoBase, 0, 0x4000, 5, sect("__text", "__TEXT", machoBase+0x1000, uint64(len(s.code)), 0x1000, attrInstructions, 0))
	segment("__DATA", machoBase+0x4000, 0x4000, 0x4000, 3,
		sect("__got", "__DATA", machoBase+0x4000, 8, 0x4000, sectPointers, 0),
		sect("__data", "__DATA", machoBase+0x4008, uint64(len(data)-8-8*len(s.inits)), 0x4008, 0, 0),
		sect("__mod_init_func", "__DATA", machoBase+uint64(inits), uint64(8*len(s.inits)), inits, sectInitFuncs, 0))
	names, table := []byte{0}, []byte(nil)
	for _, y := range append(s.symbols, machoSpecSymbol{s.slot, object.MachOExternal, 0, 0}) {
		table = append(append(append(table, le32(uint32(len(names)))...), y.typ, y.sect, 0, 0), le64(y.addr)...)
		names = append(append(names, y.name...), 0)
	}
	n := uint32(len(s.symbols) + 1)
	symoff, stroff := at(table), at(names)
	command(object.LCSymtab, le32(symoff, n, stroff, uint32(len(names))))
	indirect := n - 1
	if s.chained {
		indirect = indirectNone
	}
	command(object.LCDysymtab, append(make([]byte, 48), le32(at(le32(uint32(indirect))), 1, 0, 0, 0, 0)...))
	command(object.LCMain, le64(0x1000, 0))
	if s.chained {
		// The header, one import, and the chain of the second segment: one page of 0x4000 bytes from its first word on.
		chain := slices.Concat(le32(0, 32, 80, 84, 1, 1, 0, 0), le32(2, 0, 12), le32(32), []byte{0, 0x40, chainedOffset64, 0}, le64(0x4000), le32(0), []byte{1, 0, 0, 0}, make([]byte, 12), le32(1<<9), append([]byte{0}, s.slot...), []byte{0})
		off := at(chain)
		command(object.LCChainedFixups, le32(off, uint32(len(chain))))
		o.PutUint64(data, 1<<63) // the first import
	}
	for cmd, b := range map[uint32][]byte{object.LCFunctionStarts: s.starts, object.LCDataInCode: s.inCode} {
		if b != nil {
			command(cmd, le32(at(b), uint32(len(b))))
		}
	}
	b := slices.Concat(le32(macho.Magic64, uint32(s.cpu), 0, s.kind, uint32(count), uint32(len(commands)), 0, 0), commands)
	b = append(b, make([]byte, linkedit-len(b))...)
	copy(b[0x1000:], s.code)
	copy(b[0x4000:], data)
	return append(b, edit...)
}

// askingMacho is a program whose main calls what it imports, and work, at 0x1040, where the answer was zero, as
// sysctlbyname's is.
func askingMacho(imported string, symbols bool) machoSpec {
	const slot = 0x3000 - 0xa                                                                // from main's call
	s := machoSpec{cpu: macho.CpuAmd64, slot: imported, starts: []byte{0x80, 0x20, 0x40, 0}} // functions at 0x1000 and 0x1040
	// main: sub rsp, 40; call *slot(rip); test eax, eax; jne +5; call work; add rsp, 40; ret; and zeros up to work.
	s.code = make([]byte, 0x48)
	copy(s.code, []byte{0x48, 0x83, 0xec, 0x28, 0xff, 0x15, slot & 0xff, slot >> 8, 0, 0, 0x85, 0xc0, 0x75, 0x05, 0xe8, 0x2d, 0, 0, 0, 0x48, 0x83, 0xc4, 0x28, 0xc3})
	copy(s.code[0x40:], popcnt)
	if symbols {
		s.symbols = []machoSpecSymbol{{"_main", object.MachOSection | object.MachOExternal, 1, machoBase + 0x1000}, {"_work", object.MachOSection, 1, machoBase + 0x1040}}
	}
	return s
}

// TestMachO reads programs for macOS, whose main is the entry.
func TestMachO(t *testing.T) {
	chained := askingMacho("_sysctlbyname", true)
	chained.chained = true
	other := askingMacho("_sysconf", true)
	other.chained = true
	initializer := askingMacho("_sysconf", false)
	initializer.code[0] = 0xc3
	initializer.inits = []uint64{machoBase + 0x1040}
	constant := askingMacho("_sysconf", false) // main falls into what is no code
	copy(constant.code, []byte{0xe9, 0x3b, 0, 0, 0})
	constant.code[5] = 0xc5 // an instruction of AVX, were it one
	constant.inCode = append(le32(0x1005), 0x3b, 0, 1, 0)
	fat := func(slices ...[]byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, macho.MagicFat)
		b = binary.BigEndian.AppendUint32(b, uint32(len(slices)))
		off := uint32(0x1000)
		for _, s := range slices {
			for _, v := range []uint32{binary.LittleEndian.Uint32(s[4:]), 0, off, uint32(len(s)), 12} {
				b = binary.BigEndian.AppendUint32(b, v)
			}
			off += uint32(len(s))
		}
		b = append(b, make([]byte, 0x1000-len(b))...)
		return append(b, bytes.Join(slices, nil)...)
	}
	arm := machoSpec{cpu: macho.CpuArm64, code: code(0xd65f03c0), slot: "_puts"}
	for _, c := range []findsCase{
		{"asks, with symbols", askingMacho("_sysctlbyname", true).bytes(), 0, 1, 0, "work"},
		{"asks, with a chain of fixups", chained.bytes(), 0, 1, 0, "work"},
		{"asks, stripped", askingMacho("_sysctlbyname", false).bytes(), 0, 1, 0, ""},
		{"asks about something else, with symbols", askingMacho("_sysconf", true).bytes(), 1, 0, 0, "work"},
		{"asks about something else, with a chain of fixups", other.bytes(), 1, 0, 0, "work"},
		{"asks about something else, stripped", askingMacho("_sysconf", false).bytes(), 0, 0, 1, ""},
		{"an initializer, stripped", initializer.bytes(), 1, 0, 0, ""},
		{"data in code", constant.bytes(), 1, 0, 0, ""},
		{"a slice of a fat file", fat(arm.bytes(), askingMacho("_sysconf", true).bytes()), 1, 0, 0, "work"},
	} {
		c.run(t, "darwin/amd64")
	}
	if r, err := Audit(fat(askingMacho("_sysconf", true).bytes()), baseline(t, "darwin/arm64"), Options{}); err != nil || r.Arch != "" {
		t.Errorf("a fat file without a slice for the platform: %+v, %v", r, err)
	}
	broken := askingMacho("_sysconf", true).bytes()
	broken[16] = 200 // commands
	if _, err := Audit(broken, baseline(t, "darwin/amd64"), Options{}); !errors.Is(err, object.ErrDamaged) {
		t.Errorf("more load commands than there are: %v", err)
	}
}

// TestMachOObject: code of an object calls what its relocations say. Its symbols have an underscore before C's names.
func TestMachOObject(t *testing.T) {
	// f: mov eax, [___cpu_model+12]; test eax, eax; je +5; call work; ret. work, at 0x20: popcnt.
	text := make([]byte, 0x28)
	copy(text, []byte{0x8b, 0x05, 12, 0, 0, 0, 0x85, 0xc0, 0x74, 0x05, 0xe8, 0, 0, 0, 0, 0xc3})
	copy(text[0x20:], popcnt)
	for _, c := range []struct {
		variable string
		want     int // dispatched
	}{{"___cpu_model", 1}, {"_some_other", 0}} {
		names := []byte("\x00_f\x00_work\x00" + c.variable + "\x00")
		table := slices.Concat(le32(1), []byte{object.MachOSection | object.MachOExternal, 1, 0, 0}, le64(0), le32(4), []byte{object.MachOSection, 1, 0, 0}, le64(0x20), le32(10), []byte{object.MachOExternal, 0, 0, 0}, le64(0))
		relocs := le32(11, 1|1<<24|2<<25|1<<27|2<<28, 2, 2|1<<24|2<<25|1<<27|1<<28) // X86_64_RELOC_BRANCH of work, X86_64_RELOC_SIGNED of the variable
		const from = 32 + 152 + 24
		name := func(n string) []byte { return append([]byte(n), make([]byte, 16-len(n))...) }
		relocOff := uint32(from + len(text))
		symOff := relocOff + uint32(len(relocs))
		strOff := symOff + uint32(len(table))
		file := slices.Concat(
			le32(macho.Magic64, uint32(macho.CpuAmd64), 3, object.MachOObject, 2, 152+24, 0, 0),
			le32(object.LCSegment64, 152), name(""), le64(0, uint64(len(text)), from, uint64(len(text))), le32(7, 7, 1, 0),
			name("__text"), name("__TEXT"), le64(0, uint64(len(text))), le32(from, 0, relocOff, 2, attrInstructions, 0, 0, 0),
			le32(object.LCSymtab, 24, symOff, 3, strOff, uint32(len(names))),
			text, relocs, table, names)
		for what, data := range map[string][]byte{"object": file, "archive": archiveOf("work.o/", file), "BSD's archive": archiveOf("#1/8", append([]byte("work.o\x00\x00"), file...))} {
			r, err := Audit(data, baseline(t, "darwin/amd64"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Dispatched) != c.want || len(r.Unconditional) != 1-c.want || what != "object" && slices.Concat(r.Dispatched, r.Unconditional)[0].Object != "work.o" {
				t.Errorf("%s, %s: %+v, want %d dispatched", c.variable, what, r, c.want)
			}
		}
	}
}
