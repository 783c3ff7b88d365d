package isa

import (
	"cmp"
	"debug/elf"
	"debug/macho"
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
var machoMachines = map[macho.Cpu]elf.Machine{macho.CpuAmd64: elf.EM_X86_64, macho.CpuArm64: elf.EM_AARCH64}

// Load commands, and types and attributes of sections.
const (
	lcReq             = 0x80000000
	lcSymtab          = 0x2
	lcUnixThread      = 0x5
	lcDysymtab        = 0xb
	lcSegment64       = 0x19
	lcFunctionStarts  = 0x26
	lcMain            = 0x28 | lcReq
	lcDataInCode      = 0x29
	lcChainedFixups   = 0x34 | lcReq
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
	machoExecute      = 2
	machoObject       = 1
	symStab           = 0xe0
	symType           = 0x0e
	symInSection      = 0x0e
	symPrivate        = 0x10
	symExternal       = 0x01
	indirectNone      = 0xc0000000 // INDIRECT_SYMBOL_LOCAL, INDIRECT_SYMBOL_ABS
	chainedRebase64   = 2
	chainedOffset64   = 6
	chainedNoPage     = 0xffff
	chainedOtherStart = 0x8000
)

func isMachO(b []byte) bool {
	return len(b) >= 32 && le.Uint32(b) == macho.Magic64 && machoMachines[macho.Cpu(le.Uint32(b[4:]))] != 0
}

// machoSlice is the part of a fat file that is for a platform, nil for none; what is no fat file is its own.
func machoSlice(b []byte, p platform.Platform) []byte {
	be := binary.BigEndian
	const fat64 = macho.MagicFat + 1
	if len(b) < 8 || be.Uint32(b) != macho.MagicFat && be.Uint32(b) != fat64 {
		return b
	}
	size := uint64(20)
	if be.Uint32(b) == fat64 {
		size = 32
	}
	for table := part(b, 8, uint64(min(be.Uint32(b[4:]), 20))*size); len(table) > 0; table = table[size:] {
		off, n := uint64(be.Uint32(table[8:])), uint64(be.Uint32(table[12:]))
		if size == 32 {
			off, n = be.Uint64(table[8:]), be.Uint64(table[16:])
		}
		if be.Uint32(table) == p.MachO {
			return part(b, off, n)
		}
	}
	return nil
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
	img      *image
	b        []byte
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
func (img *image) addMachO(b []byte, member string) error {
	machine := machoMachines[macho.Cpu(le.Uint32(b[4:]))]
	a, ok := archOf(machine, elf.ELFCLASS64, elf.ELFDATA2LSB)
	if !ok {
		return nil
	}
	kind := le.Uint32(b[12:])
	if err := img.begin(a, machine, elf.ELFCLASS64, le, kind != machoObject, member); err != nil {
		return err
	}
	img.format = machoFormat
	f := &machoFile{img: img, b: b}
	commands := part(b, 32, uint64(le.Uint32(b[20:])))
	if commands == nil {
		return object.Damaged("the load commands end beyond the file")
	}
	all := map[uint32][]byte{}
	for range le.Uint32(b[16:]) {
		if len(commands) < 8 {
			return object.Damaged("the load commands are cut short")
		}
		cmd, n := le.Uint32(commands), le.Uint32(commands[4:])
		if n < 8 || uint64(n) > uint64(len(commands)) {
			return object.Damaged("a load command of %d bytes in %d", n, len(commands))
		}
		if c := commands[:n]; cmd == lcSegment64 {
			if err := f.segment(c, member); err != nil {
				return err
			}
		} else {
			all[cmd] = c
		}
		commands = commands[n:]
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	if err := img.fits(len(b)); err != nil {
		return err
	}
	if err := f.readSymbols(all[lcSymtab], kind, member); err != nil {
		return err
	}
	if !img.linked {
		f.relocate()
		return nil
	}
	f.entry(all[lcMain], all[lcUnixThread])
	f.functionStarts(f.linkedit(all[lcFunctionStarts]))
	f.dataInCode(f.linkedit(all[lcDataInCode]))
	if c := all[lcDysymtab]; len(c) >= 64 {
		f.slots = part(b, uint64(le.Uint32(c[56:])), 4*uint64(le.Uint32(c[60:])))
	}
	f.indirect()
	f.chained(f.linkedit(all[lcChainedFixups]))
	f.initializers()
	img.goBuildID()
	for _, s := range f.sections {
		if s.name == "__gopclntab" {
			img.goTable(s.data, s.addr)
		}
	}
	return nil
}

// linkedit is what a command with an offset and a size names.
func (f *machoFile) linkedit(c []byte) []byte {
	if len(c) < 16 {
		return nil
	}
	return part(f.b, uint64(le.Uint32(c[8:])), uint64(le.Uint32(c[12:])))
}

// segment reads the sections of a segment.
func (f *machoFile) segment(c []byte, member string) error {
	if len(c) < 72 {
		return object.Damaged("a segment command of %d bytes", len(c))
	}
	addr, from, size := le.Uint64(c[24:]), le.Uint64(c[40:]), le.Uint64(c[48:])
	prot, flags := le.Uint32(c[60:]), le.Uint32(c[68:])
	if from == 0 && size > 0 {
		f.base = addr
	}
	f.bases = append(f.bases, addr)
	next := f.img.next()
	for b := c[72:]; len(b) >= 80; b = b[80:] {
		name, _, _ := strings.Cut(string(b[:16]), "\x00")
		segment, _, _ := strings.Cut(string(b[16:32]), "\x00")
		kind := le.Uint32(b[64:])
		s := machoSection{kind: byte(kind), reserved1: le.Uint32(b[68:])}
		s.section = section{name: name, addr: le.Uint64(b[32:]), size: le.Uint64(b[40:]), member: member, typ: elf.SHT_PROGBITS}
		if segment != "__DWARF" && segment != "__LLVM" {
			s.flags |= elf.SHF_ALLOC
		}
		if kind&attrInstructions != 0 {
			s.flags |= elf.SHF_EXECINSTR
		} else if prot&protWrite != 0 && flags&segmentReadOnly == 0 || !f.img.linked && strings.HasPrefix(segment, "__DATA") {
			s.flags |= elf.SHF_WRITE
		}
		switch s.kind {
		case sectZeroFill, sectBigZeroFill, sectThreadZero:
			s.typ = elf.SHT_NOBITS
		default:
			if s.data = part(f.b, uint64(le.Uint32(b[48:])), s.size); s.data == nil && s.size > 0 && s.exec() {
				return object.Damaged("section %q lies outside the file", name)
			}
		}
		if !f.img.linked {
			s.addr = next
			next = (s.addr + min(s.size, 1<<32) + 63) &^ 63
			s.relocs = part(f.b, uint64(le.Uint32(b[56:])), 8*uint64(le.Uint32(b[60:])))
		}
		if s.addr+s.size < s.addr {
			return object.Damaged("section %q ends beyond the last address", name)
		}
		f.sections = append(f.sections, s)
		if s.flags&elf.SHF_ALLOC != 0 {
			f.img.sections = append(f.img.sections, s.section)
		}
	}
	return nil
}

// readSymbols reads the table of symbols. What strip leaves of a program are names that others may ask for.
func (f *machoFile) readSymbols(c []byte, kind uint32, member string) error {
	if len(c) < 24 {
		return nil
	}
	word := func(i int) uint64 { return uint64(le.Uint32(c[4*i:])) }
	table, names := part(f.b, word(2), 16*word(3)), part(f.b, word(4), word(5))
	budget := 64<<20 + 8*len(names)
	for b := table; len(b) >= 16; b = b[16:] {
		typ, sect, value := b[4], int(b[5]), le.Uint64(b[8:])
		name := cString(names, le.Uint32(b), longestName)
		if budget -= len(name); budget < 0 {
			return object.Damaged("names of symbols overlap")
		}
		name = strings.TrimPrefix(name, "_") // the compiler's, before every name in C
		y := machoSymbol{name: name}
		if typ&symStab == 0 && typ&symType == symInSection && sect >= 1 && sect <= len(f.sections) {
			s := &f.sections[sect-1]
			if !f.img.linked {
				value += s.addr - f.original(sect-1)
			}
			y.addr = value
			f.define(y, s, typ, kind, member)
		}
		f.symbols = append(f.symbols, y)
	}
	return nil
}

// original is where an object's section lies in the addresses of the object itself.
func (f *machoFile) original(i int) uint64 {
	return f.bases[0] + f.sections[i].addr - f.sections[0].addr
}

func (f *machoFile) define(m machoSymbol, s *machoSection, typ byte, kind uint32, member string) {
	if s.flags&elf.SHF_ALLOC == 0 || m.name == "" || strings.HasPrefix(m.name, "ltmp") || m.name == "_mh_execute_header" || m.addr-s.addr > s.size {
		return
	}
	y := symbol{name: m.name, addr: m.addr, member: member, typ: elf.STT_OBJECT, bind: elf.STB_LOCAL}
	if typ&symExternal != 0 {
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
		if typ&(symExternal|symPrivate) == symExternal && f.img.linked && kind != machoExecute {
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
	left := mostImports
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
	starts, imports, names, count, format := uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:])), uint64(le.Uint32(b[12:])), le.Uint32(b[16:]), le.Uint32(b[20:])
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
	left, budget := len(f.b)/4, 64<<20 // words and bytes in names: chains of a hostile file lead into each other
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
