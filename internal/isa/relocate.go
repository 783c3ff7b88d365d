package isa

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// relocTypes are the relocations that a loader handles, as each psABI numbers them.
type relocTypes struct{ absolute, globDat, jumpSlot, relative, irelative uint32 }

var dynamicRelocs = map[elf.Machine]relocTypes{
	elf.EM_X86_64:    {1, 6, 7, 8, 37},
	elf.EM_386:       {1, 6, 7, 8, 42},
	elf.EM_AARCH64:   {257, 1025, 1026, 1027, 1032},
	elf.EM_ARM:       {2, 21, 22, 23, 160},
	elf.EM_RISCV:     {2, ^uint32(0), 5, 3, 58},
	elf.EM_PPC64:     {38, 20, 21, 22, 248},
	elf.EM_S390:      {22, 10, 11, 12, 61},
	elf.EM_LOONGARCH: {2, ^uint32(0), 5, 3, 12},
	elf.EM_MIPS:      {3, ^uint32(0), 127, ^uint32(0), ^uint32(0)},
}

// relocate reads a section of relocations: what a loader will write, or, of an object, what a linker will.
func (f *elfFile) relocate(s *rawSection) error {
	img := f.img
	var target *rawSection
	if !img.linked {
		if int(s.Info) >= len(f.raw) || f.raw[s.Info].Flags&elf.SHF_ALLOC == 0 {
			return nil
		}
		target = &f.raw[s.Info]
	}
	symbols, err := f.symbolsOf(s.Link)
	if err != nil {
		return err
	}
	size, rela := 16, s.Type == elf.SHT_RELA
	if rela {
		size = 24
	}
	if !img.wide {
		size /= 2
	}
	types := dynamicRelocs[f.Machine]
	for data := s.data; len(data) >= size; data = data[size:] {
		off := img.word(data)
		var sym, typ uint32
		var addend int64
		switch {
		case img.wide && f.Machine == elf.EM_MIPS && f.Order == binary.LittleEndian: // the psABI's own order of fields
			sym, typ = f.Order.Uint32(data[8:]), uint32(data[15])
		case img.wide:
			info := f.Order.Uint64(data[8:])
			sym, typ = uint32(info>>32), uint32(info)
		default:
			info := f.Order.Uint32(data[4:])
			sym, typ = info>>8, info&0xff
		}
		if rela {
			if img.wide {
				addend = int64(f.Order.Uint64(data[16:]))
			} else {
				addend = int64(int32(f.Order.Uint32(data[8:])))
			}
		}
		var y elf.Symbol
		if sym != 0 && uint64(sym) < uint64(len(symbols)) {
			y = symbols[sym]
		}
		name, value, section := y.Name, y.Value, elf.ST_TYPE(y.Info) == elf.STT_SECTION
		defined := y.Section != elf.SHN_UNDEF && int(y.Section) < len(f.raw)
		if img.linked {
			if !rela {
				if b := img.bytesAt(off, img.wordSize()); len(b) == img.wordSize() {
					addend = int64(img.word(b))
				}
			}
			switch typ {
			case types.relative:
				img.pointers[off] = uint64(addend)
			case types.irelative:
				to := uint64(addend)
				if f.Machine == elf.EM_ARM {
					mode := byte('a')
					if to&1 != 0 {
						mode = 't'
					}
					to &^= 1
					img.marks = append(img.marks, mark{to, mode})
				}
				img.resolver[to] = true
			case types.jumpSlot, types.globDat, types.absolute:
				if defined {
					img.pointers[off] = value
					if typ == types.absolute && rela {
						img.pointers[off] += uint64(addend)
					}
				} else if f.Machine == elf.EM_MIPS && sym == 0 { // R_MIPS_REL32 without a symbol is relative
					img.pointers[off] = uint64(addend)
				} else if name != "" {
					img.imports[off] = name
				}
			}
			continue
		}
		if defined {
			value += f.raw[y.Section].base
		}
		at := target.base + off
		if target.Flags&elf.SHF_EXECINSTR == 0 {
			if defined {
				if !rela && section && off+4 <= uint64(len(target.data)) {
					value += uint64(int32(f.Order.Uint32(target.data[off:])))
				}
				img.pointers[at] = value + uint64(addend)
			} else if name != "" {
				img.outside = append(img.outside, site{addr: at, name: name})
			}
			continue
		}
		switch {
		case f.Machine == elf.EM_X86_64 && (typ == 2 || typ == 4 || typ == 9 || typ == 41 || typ == 42):
			// relative to the end of the field
			addend += 4
		case f.Machine == elf.EM_386 && section && off+4 <= uint64(len(target.data)):
			addend = int64(int32(f.Order.Uint32(target.data[off:])))
			if typ == 2 || typ == 4 { // R_386_PC32, R_386_PLT32
				addend += 4
			}
		// low parts that name their high part, relaxation, differences
		case f.Machine == elf.EM_RISCV && (typ == 24 || typ == 25 || typ == 43 || typ >= 46),
			f.Machine == elf.EM_LOONGARCH && (typ >= 47 && typ <= 63 || typ >= 99 && typ <= 108):
			continue
		}
		si := site{addr: at, name: name}
		if defined {
			si.target = value + uint64(addend)
			if f.Machine == elf.EM_ARM {
				si.target &^= 1
			}
		}
		img.sites = append(img.sites, si)
	}
	return nil
}

// symbolsOf are the symbols of the table in a section; none where it is no table of symbols.
func (f *elfFile) symbolsOf(index uint32) ([]elf.Symbol, error) {
	if int(index) >= len(f.raw) || f.raw[index].Type != elf.SHT_SYMTAB && f.raw[index].Type != elf.SHT_DYNSYM {
		return nil, nil
	}
	if f.tables[index] == nil {
		var list []elf.Symbol
		if err := f.Symbols(f.raw[index].SectionHeader, func(s elf.Symbol) { list = append(list, s) }); err != nil {
			return nil, err
		}
		f.tables[index] = list
	}
	return f.tables[index], nil
}

// relr reads packed relative relocations (the generic ABI's SHT_RELR).
func (img *image) relr(s *rawSection) {
	n := uint64(img.wordSize())
	var where uint64
	put := func(at uint64) {
		if b := img.bytesAt(at, int(n)); uint64(len(b)) == n {
			img.pointers[at] = img.word(b)
		}
	}
	for data := s.data; uint64(len(data)) >= n; data = data[n:] {
		v := img.word(data)
		if v&1 == 0 {
			put(v)
			where = v + n
			continue
		}
		for i := uint64(0); v>>1 != 0; i++ {
			v >>= 1
			if v&1 != 0 {
				put(where + i*n)
			}
		}
		where += (8*n - 1) * n
	}
}

// ehFrame takes the starts of functions from unwind tables (LSB, "Exception Frames").
func (img *image) ehFrame(data []byte, addr uint64) {
	if !img.linked {
		return
	}
	encodings := map[int]byte{}
	for off := 0; off+8 <= len(data); {
		length := int(img.order.Uint32(data[off:]))
		if length == 0 || length == 0xffffffff || length < 4 || length > len(data)-off-4 {
			return
		}
		body := data[off+4 : off+4+length]
		id := int(img.order.Uint32(body))
		if id == 0 {
			encodings[off] = cieEncoding(body)
		} else if enc, ok := encodings[off+4-id]; ok && len(body) >= 12 {
			field := addr + uint64(off) + 8
			var pc uint64
			switch enc & 0x0f {
			case 0x0b: // 4 bytes, signed
				pc = uint64(int32(img.order.Uint32(body[4:])))
			case 0x03:
				pc = uint64(img.order.Uint32(body[4:]))
			case 0x00, 0x04, 0x0c:
				pc = img.word(body[4:])
			}
			if enc&0x70 == 0x10 {
				pc += field
			}
			if !img.wide {
				pc &= 0xffffffff
			}
			img.starts = append(img.starts, pc)
		}
		off += 4 + length
	}
}

// cieEncoding is how the entries of a CIE write addresses.
func cieEncoding(b []byte) byte {
	if len(b) < 6 {
		return 0
	}
	b = b[5:]
	i := 0
	for i < len(b) && b[i] != 0 {
		i++
	}
	if i == len(b) {
		return 0
	}
	augmentation, rest := string(b[:i]), b[i+1:]
	if augmentation == "" || augmentation[0] != 'z' {
		return 0
	}
	for range 2 { // alignment factors
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0
		}
		rest = rest[n:]
	}
	for range 2 { // return address register, length of what follows
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0
		}
		rest = rest[n:]
	}
	for _, c := range augmentation[1:] {
		switch {
		case len(rest) == 0:
			return 0
		case c == 'R':
			return rest[0]
		case c == 'L':
			rest = rest[1:]
		case c == 'P':
			n := 1 + 4
			if rest[0]&0x0f == 0x00 || rest[0]&0x0f == 0x04 || rest[0]&0x0f == 0x0c {
				n = 1 + 8
			}
			if len(rest) < n {
				return 0
			}
			rest = rest[n:]
		case c == 'S', c == 'B', c == 'G':
		default:
			return 0
		}
	}
	return 0
}

// exidx takes the starts of functions from Arm's index of unwind tables (EHABI, section 5).
func (img *image) exidx(data []byte, addr uint64) {
	if !img.linked {
		return
	}
	for off := 0; off+8 <= len(data); off += 8 {
		pc := addr + uint64(off) + uint64(signed(img.order.Uint32(data[off:])&0x7fffffff, 31))
		img.starts = append(img.starts, pc&0xfffffffe)
	}
}

// goBuildID marks what Go's linker puts at the start of the code of PE and Mach-O files as no code: "\xff Go build ID:
// \"…\"\n \xff" (cmd/internal/buildid).
func (img *image) goBuildID() {
	for i := range img.sections {
		s := &img.sections[i]
		if !s.exec() || !bytes.HasPrefix(s.data, []byte("\xff Go build ID: ")) {
			continue
		}
		if n := bytes.Index(s.data[1:min(len(s.data), 512)], []byte{0xff}); n > 0 {
			end := (s.addr + uint64(n) + 2 + 15) &^ 15 // where its first function may begin
			img.marks = append(img.marks, mark{s.addr, 'd'}, mark{end, 'a'})
		}
	}
}

// goText is where Go's own code begins, which in a program with C is not where its section does: the module's data say
// it (runtime/symtab.go, moduledata: a pointer to the table, six slices, findfunctab, minpc, maxpc, text, etext). 0
// where they are not found.
func (img *image) goText(table uint64) uint64 {
	n := uint64(img.wordSize())
	const minpc, text, etext = 20, 22, 23
	for i := range img.sections {
		s := &img.sections[i]
		if s.exec() {
			continue
		}
		at := func(off uint64) uint64 {
			if v, ok := img.pointers[s.addr+off]; ok {
				return v
			}
			return img.word(s.data[off:])
		}
		for off := -s.addr & (n - 1); off+(etext+1)*n <= uint64(len(s.data)); off += n {
			if at(off) != table {
				continue
			}
			if t := at(off + text*n); t != 0 && t <= at(off+minpc*n) && at(off+minpc*n) < at(off+etext*n) {
				if c := img.section(t); c != nil && c.exec() {
					return t
				}
			}
		}
	}
	return 0
}

// goTable reads Go's table of functions (runtime/symtab.go, pcHeader), which is there in stripped programs, too.
func (img *image) goTable(b []byte, addr uint64) {
	if len(b) < 8 || !img.linked {
		return
	}
	o, n := img.order, img.wordSize()
	magic := o.Uint32(b)
	if magic != 0xfffffff1 && magic != 0xfffffff0 || int(b[7]) != n || len(b) < 8+8*n {
		return
	}
	field := func(i int) uint64 { return img.word(b[8+i*n:]) }
	funcs, text, names, table := field(0), field(2), field(3), field(7)
	if a, ok := img.globals["runtime.text"]; ok {
		text = a
	}
	if text == 0 { // from Go 1.26 on
		text = img.goText(addr)
	}
	if text == 0 {
		for i := range img.sections {
			if n := img.sections[i].name; n == ".text" || n == "__text" {
				text = img.sections[i].addr
			}
		}
	}
	if names > uint64(len(b)) || table > uint64(len(b)) || funcs > uint64(len(b))/8 {
		return
	}
	nameTable, t := b[names:], b[table:]
	budget := len(b)
	if end := 8 * funcs; uint64(len(t)) >= end+4 { // behind the last function: where it ends
		img.goEnd = text + uint64(o.Uint32(t[end:]))
	}
	for i := uint64(0); i < funcs; i++ {
		if uint64(len(t)) < 8*i+8 {
			return
		}
		entry, off := o.Uint32(t[8*i:]), o.Uint32(t[8*i+4:])
		if uint64(off)+8 > uint64(len(t)) {
			return
		}
		name := cString(nameTable, o.Uint32(t[off+4:]), longestName)
		if budget -= len(name); budget < 0 {
			return
		}
		img.goNames = append(img.goNames, symbol{name: name, addr: text + uint64(entry), typ: elf.STT_FUNC})
		img.starts = append(img.starts, text+uint64(entry))
	}
}
