package isa

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// Mach-O files are read into the same image as ELF files (<mach-o/loader.h>, <mach-o/nlist.h>,
// <mach-o/fixup-chains.h>). As in PE, symbols have no sizes, and main is what the file's entry names, or what that
// calls. Where functions begin is in LC_FUNCTION_STARTS, stripped or not.

// machoMachines are the machines whose code is read; 32-bit programs no longer run on macOS.
var machoMachines = map[uint32]elf.Machine{object.MachOAMD64: elf.EM_X86_64, object.MachOARM64: elf.EM_AARCH64}

// Types and attributes of sections.
const (
	sectZeroFill      = 0x1
	sectPointers      = 0x6 // non-lazy
	sectLazyPointers  = 0x7
	sectInitFuncs     = 0x9
	sectBigZeroFill   = 0xc
	sectThreadZero    = 0x12
	sectInitOffsets   = 0x16
	attrInstructions  = 0x80000000 | 0x400 // only, or some
	segmentReadOnly   = 0x10               // once the loader is done with it
	protWrite         = 2
	indirectNone      = 0xc0000000 // INDIRECT_SYMBOL_LOCAL, INDIRECT_SYMBOL_ABS
	chainedRebase64   = 2
	chainedOffset64   = 6
	chainedNoPage     = 0xffff
	chainedOtherStart = 0x8000
	mostSlots         = 1 << 17 // more than a file has
)

// machoSlice is the part of a fat file that is for a platform, nil for none; what is no fat file is its own.
func machoSlice(b []byte, p platform.Platform) ([]byte, error) {
	s := object.Memory(b)
	if !object.IsFat(s) {
		return b, nil
	}
	parts, err := object.FatParts(s)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if part.CPU == p.MachO {
			return b[part.Offset : part.Offset+part.Size], nil
		}
	}
	return nil, nil
}

// A machoSection is a section with its relocations, and what its type asks for.
type machoSection struct {
	section
	kind      byte
	reserved1 uint32 // of slots: where in the table of indirect symbols theirs begin
	relocs    []byte // of an object
}

// A machoFile is a file that is read into an image.
type machoFile struct {
	*object.MachOFile
	img      *image
	base     uint64 // of the segment that the file's header lies in
	sections []machoSection
	symbols  []machoSymbol
	slots    []byte // the table of indirect symbols
	bases    []uint64
}

type machoSymbol struct {
	name string
	addr uint64 // 0 where it is not in this file
}

// addMachO reads a Mach-O file into the image.
func (img *image) addMachO(s *object.Source, member string) error {
	file, err := object.OpenMachO(s)
	if err != nil {
		return err
	}
	machine := machoMachines[file.CPU]
	a, ok := archOf(machine, elf.ELFCLASS64, elf.ELFDATA2LSB)
	if !ok || !file.Wide || file.Order != binary.LittleEndian {
		return nil // another architecture: package inspect says so
	}
	if err := img.begin(a, machine, elf.ELFCLASS64, le, file.Type != object.MachOObject, member); err != nil {
		return err
	}
	img.format = machoFormat
	f := &machoFile{MachOFile: file, img: img}
	all := map[uint32]object.MachOCommand{}
	for _, c := range file.Commands {
		if c.Cmd == object.LCSegment64 {
			if err := f.segment(c, member); err != nil {
				return err
			}
		} else {
			all[c.Cmd] = c
		}
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	if err := img.fits(int(f.Size)); err != nil {
		return err
	}
	if err := f.readSymbols(all[object.LCSymtab], member); err != nil {
		return err
	}
	if !img.linked {
		f.relocate()
		return nil
	}
	return f.readTables(all)
}

// readTables reads what a linked file tells of its functions and of what the loader writes.
func (f *machoFile) readTables(all map[uint32]object.MachOCommand) error {
	f.entry(all[object.LCMain].Data, all[object.LCUnixThread].Data)
	starts, err := f.linkedit(all[object.LCFunctionStarts])
	if err != nil {
		return err
	}
	f.functionStarts(starts)
	data, err := f.linkedit(all[object.LCDataInCode])
	if err != nil {
		return err
	}
	f.dataInCode(data)
	if c := all[object.LCDysymtab]; len(c.Data) >= 64 {
		if f.slots, err = f.Bytes(uint64(f.Word(c, 14)), 4*uint64(f.Word(c, 15)),
			"the table of indirect symbols"); err != nil {
			return err
		}
	}
	f.indirect()
	fixups, err := f.linkedit(all[object.LCChainedFixups])
	if err != nil {
		return err
	}
	f.chained(fixups)
	f.initializers()
	f.img.goBuildID()
	for _, s := range f.sections {
		if s.name == "__gopclntab" {
			f.img.goTable(s.data, s.addr)
		}
	}
	return nil
}

// linkedit is what a command with an offset and a size names.
func (f *machoFile) linkedit(c object.MachOCommand) ([]byte, error) {
	if len(c.Data) < 16 {
		return nil, nil
	}
	return f.Bytes(uint64(f.Word(c, 2)), uint64(f.Word(c, 3)), "a table for the loader")
}

// segment reads the sections of a segment.
func (f *machoFile) segment(c object.MachOCommand, member string) error {
	segment, err := f.Segment(c)
	if err != nil {
		return err
	}
	if segment.Offset == 0 && segment.FileSize > 0 {
		f.base = segment.Address
	}
	f.bases = append(f.bases, segment.Address)
	next := f.img.next()
	for _, h := range segment.Sections {
		s := machoSection{kind: byte(h.Flags), reserved1: h.Reserved1}
		s.section = section{name: h.Name, addr: h.Address, size: h.Size, member: member, typ: elf.SHT_PROGBITS}
		if h.Segment != "__DWARF" && h.Segment != "__LLVM" {
			s.flags |= elf.SHF_ALLOC
		}
		if h.Flags&attrInstructions != 0 {
			s.flags |= elf.SHF_EXECINSTR
		} else if segment.Protection&protWrite != 0 && segment.Flags&segmentReadOnly == 0 ||
			!f.img.linked && strings.HasPrefix(h.Segment, "__DATA") {
			s.flags |= elf.SHF_WRITE
		}
		switch s.kind {
		case sectZeroFill, sectBigZeroFill, sectThreadZero:
			s.typ = elf.SHT_NOBITS
		default:
			if s.data, err = f.Bytes(uint64(h.Offset), h.Size, "section "+h.Name); err != nil {
				return err
			}
		}
		if !f.img.linked {
			s.addr = next
			next = (s.addr + min(s.size, 1<<32) + 63) &^ 63
			if s.relocs, err = f.Bytes(uint64(h.Relocations), 8*uint64(h.NReloc), "a table of relocations"); err != nil {
				return err
			}
		}
		if s.addr+s.size < s.addr {
			return object.Damaged("section %q ends beyond the last address", h.Name)
		}
		f.sections = append(f.sections, s)
		if s.flags&elf.SHF_ALLOC != 0 {
			f.img.sections = append(f.img.sections, s.section)
		}
	}
	return nil
}

// readSymbols reads the table of symbols. What strip leaves of a program are names that others may ask for.
func (f *machoFile) readSymbols(c object.MachOCommand, member string) error {
	if c.Data == nil {
		return nil
	}
	return f.Symbols(c, func(s object.MachOSymbol) {
		y := machoSymbol{name: strings.TrimPrefix(s.Name, "_")} // the compiler's, before every name in C
		if i := int(s.Section); s.Type&object.MachOStab == 0 && s.Type&object.MachOType == object.MachOSection && i >= 1 &&
			i <= len(f.sections) {
			section := &f.sections[i-1]
			y.addr = s.Value
			if !f.img.linked {
				y.addr += section.addr - f.original(i-1)
			}
			f.define(y, section, s.Type, member)
		}
		f.symbols = append(f.symbols, y)
	})
}

// original is where an object's section lies in the addresses of the object itself.
func (f *machoFile) original(i int) uint64 {
	return f.bases[0] + f.sections[i].addr - f.sections[0].addr
}

func (f *machoFile) define(m machoSymbol, s *machoSection, typ byte, member string) {
	if s.flags&elf.SHF_ALLOC == 0 || m.name == "" || strings.HasPrefix(m.name, "ltmp") || m.name == "_mh_execute_header" ||
		m.addr-s.addr > s.size {
		return
	}
	y := symbol{name: m.name, addr: m.addr, member: member, typ: elf.STT_OBJECT, bind: elf.STB_LOCAL}
	if typ&object.MachOExternal != 0 {
		y.bind = elf.STB_GLOBAL
		if _, had := f.img.globals[y.name]; !had {
			f.img.globals[y.name] = y.addr
		}
	}
	if s.exec() && y.bind == elf.STB_LOCAL && isLabel(f.img.arch.name, y.name, "") { // local to whoever wrote it
		f.img.labels = append(f.img.labels, y)
	} else if s.exec() {
		y.typ = elf.STT_FUNC
		f.img.byAddr = append(f.img.byAddr, y)
		if typ&(object.MachOExternal|object.MachOPrivate) == object.MachOExternal && f.img.linked &&
			f.Type != object.MachOExecute {
			f.img.exported[y.addr] = true
		} else {
			f.img.named = true
		}
	} else {
		f.img.objects = append(f.img.objects, y)
	}
	f.img.symbols = append(f.img.symbols, y)
}

// relocate reads what a linker will write into an object's sections.
func (f *machoFile) relocate() {
	for i := range f.sections {
		s := &f.sections[i]
		if s.flags&elf.SHF_ALLOC == 0 {
			continue
		}
		added := uint64(0) // by ARM64_RELOC_ADDEND, for the next one
		for r := s.relocs; len(r) >= 8; r = r[8:] {
			off, info := uint64(le.Uint32(r)), le.Uint32(r[4:])
			index, external, typ := uint64(info&0xffffff), info>>27&1 != 0, info>>28
			field := part(s.data, off, 4)
			if field == nil || off>>31 != 0 {
				continue
			}
			if f.img.machine == elf.EM_AARCH64 && typ == 10 {
				added = uint64(signed(uint32(index), 24))
				continue
			}
			name, value := "", uint64(0)
			here := uint64(int64(int32(le.Uint32(field))))
			wide := part(s.data, off, 8)
			absolute := typ == 0 && info>>25&3 == 3 && wide != nil // UNSIGNED, of 8 bytes
			if external {
				if index >= uint64(len(f.symbols)) {
					continue
				}
				y := f.symbols[index]
				name = y.name
				if value = y.addr; value != 0 {
					switch {
					case absolute:
						value += le.Uint64(wide)
					case f.img.machine == elf.EM_X86_64:
						value += here
					default:
						value += added
					}
				}
			} else if index >= 1 && index <= uint64(len(f.sections)) {
				to := &f.sections[index-1]
				old := here
				switch {
				case absolute:
					old = le.Uint64(wide)
				case f.img.machine == elf.EM_X86_64: // from the end of the field
					old += f.original(i) + off + 4
				default:
					continue
				}
				value = old - f.original(int(index-1)) + to.addr
			}
			added = 0
			at := s.addr + off
			if s.exec() {
				f.img.sites = append(f.img.sites, site{addr: at, target: value, name: name})
			} else if absolute && value != 0 {
				f.img.pointers[at] = value
			}
		}
	}
}

// entry is main, or what Go's and static programs begin with.
func (f *machoFile) entry(main, thread []byte) {
	switch {
	case len(main) >= 16:
		f.img.entry = f.base + le.Uint64(main[8:])
	case f.img.machine == elf.EM_X86_64 && len(thread) >= 16+17*8: // rip of x86_THREAD_STATE64
		f.img.entry = le.Uint64(thread[16+16*8:])
	case f.img.machine == elf.EM_AARCH64 && len(thread) >= 16+33*8: // pc of ARM_THREAD_STATE64
		f.img.entry = le.Uint64(thread[16+32*8:])
	}
}

// functionStarts are distances from one function to the next. A linker takes every symbol for one.
func (f *machoFile) functionStarts(b []byte) {
	labels := map[uint64]bool{}
	for _, y := range f.img.labels {
		labels[y.addr] = true
	}
	for at := f.base; len(b) > 0; {
		v, n := binary.Uvarint(b)
		if n <= 0 || v == 0 {
			return
		}
		at += v
		if !labels[at] {
			f.img.starts = append(f.img.starts, at)
		}
		b = b[n:]
	}
}

// dataInCode marks tables of jumps and constants between the instructions.
func (f *machoFile) dataInCode(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		at := f.base + uint64(le.Uint32(b))
		f.img.marks = append(f.img.marks, mark{at, 'd'}, mark{at + uint64(le.Uint16(b[4:])), 'a'})
	}
}

// indirect names the slots that the loader fills.
func (f *machoFile) indirect() {
	left := mostSlots
	for i := range f.sections {
		s := &f.sections[i]
		if s.kind != sectPointers && s.kind != sectLazyPointers {
			continue
		}
		for k := uint64(0); k < s.size/8 && left > 0; k++ {
			left--
			b := part(f.slots, 4*(uint64(s.reserved1)+k), 4)
			if b == nil {
				break
			}
			v := le.Uint32(b)
			if v&indirectNone != 0 || uint64(v) >= uint64(len(f.symbols)) {
				continue
			}
			if y := f.symbols[v]; y.addr == 0 {
				f.img.imports[s.addr+8*k] = y.name
			} else {
				f.img.pointers[s.addr+8*k] = y.addr
			}
		}
	}
}

// chained reads the chains of words that the loader writes: addresses in the file, and imports. Those of arm64e, which
// no program for everyone is, are left alone.
func (f *machoFile) chained(b []byte) {
	if len(b) < 28 {
		return
	}
	starts, imports, names, count, format := uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:])), uint64(le.Uint32(b[12:])),
		le.Uint32(b[16:]), le.Uint32(b[20:])
	size := map[uint32]uint64{1: 4, 2: 8, 3: 16}[format]
	table := part(b, imports, size*uint64(count))
	var strs []byte
	if names < uint64(len(b)) {
		strs = b[names:]
	}
	name := func(i uint64) string {
		e := part(table, size*i, size)
		switch {
		case e == nil || size == 0:
			return ""
		case format == 3:
			return strings.TrimPrefix(cString(strs, uint32(le.Uint64(e)>>32), longestName), "_")
		}
		return strings.TrimPrefix(cString(strs, le.Uint32(e)>>9, longestName), "_")
	}
	n := part(b, starts, 4)
	if n == nil {
		return
	}
	left, budget := int(f.Size)/4, 64<<20 // words and bytes in names: chains of a hostile file lead into each other
	for i := uint64(0); i < uint64(le.Uint32(n)) && i < uint64(len(f.bases)); i++ {
		at := part(b, starts+4+4*i, 4)
		if at == nil {
			return
		}
		seg := starts + uint64(le.Uint32(at))
		h := part(b, seg, 22)
		if h == nil || seg == starts {
			continue
		}
		page, kind, offset, pages := uint64(le.Uint16(h[4:])), le.Uint16(h[6:]), le.Uint64(h[8:]), uint64(le.Uint16(h[20:]))
		if kind != chainedRebase64 && kind != chainedOffset64 {
			continue
		}
		for k := uint64(0); k < pages; k++ {
			first := part(b, seg+22+2*k, 2)
			if first == nil {
				return
			}
			if v := le.Uint16(first); v == chainedNoPage || v&chainedOtherStart != 0 {
				continue
			}
			for addr := f.base + offset + k*page + uint64(le.Uint16(first)); ; {
				w := f.img.bytesAt(addr, 8)
				if left--; left < 0 || budget < 0 || len(w) < 8 {
					break
				}
				v := le.Uint64(w)
				if v>>63 != 0 {
					s := name(v & 0xffffff)
					budget -= len(s)
					f.img.imports[addr] = s
				} else {
					to := v & 0xfffffffff
					if kind == chainedOffset64 {
						to += f.base
					}
					f.img.pointers[addr] = to
				}
				next := v >> 51 & 0xfff
				if next == 0 {
					break
				}
				addr += 4 * next
			}
		}
	}
}

// initializers are what the loader runs before main.
func (f *machoFile) initializers() {
	for i := range f.sections {
		s := &f.sections[i]
		switch s.kind {
		case sectInitFuncs:
			for k := uint64(0); k+8 <= uint64(len(s.data)); k += 8 {
				to, ok := f.img.pointers[s.addr+k]
				if !ok {
					to = le.Uint64(s.data[k:])
				}
				f.img.inits = append(f.img.inits, to)
			}
		case sectInitOffsets:
			for b := s.data; len(b) >= 4; b = b[4:] {
				f.img.inits = append(f.img.inits, f.base+uint64(le.Uint32(b)))
			}
		}
	}
}
