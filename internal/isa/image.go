package isa

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strings"

	"xbuild/internal/object"
)

// An image is what the audit sees: the sections of a linked file where they are loaded, or those of objects laid out
// one after the other.
type image struct {
	arch    *arch
	format  format
	machine elf.Machine
	order   binary.ByteOrder
	wide    bool // 64 bits
	linked  bool // an executable or shared object
	placed  bool // it is loaded where it says, and its code may hold addresses
	floats  bool // it is loaded anywhere: its code holds addresses only where the loader writes them
	program bool // it is started by itself
	named   bool // its functions have symbols of their own, not only those that the loader needs
	entry   uint64

	sections []section // by address
	before   int       // sections of the objects before the last one
	last     int       // the section that was found last
	symbols  []symbol
	byAddr   []symbol // functions, by address
	labels   []symbol // local names of hand-written code, without type and size, by address
	objects  []symbol // data, by address
	marks    []mark   // mapping symbols: what is code of which kind and what is data
	globals  map[string]uint64
	imports  map[uint64]string // slots of the global offset table, and their names
	pointers map[uint64]uint64 // words that hold addresses, as relocated
	exported map[uint64]bool
	resolver map[uint64]bool // functions that choose a variant: STT_GNU_IFUNC, R_*_IRELATIVE
	sites    []site          // relocations in code of objects, by address
	starts   []uint64        // of functions, as unwind tables and Go's own tables have them
	goNames  []symbol        // functions of Go's own table
	toc      uint64          // ppc64: r2; mips: gp
	got      uint64          // the symbol of the global offset table
	eflags   uint32
	mapped   bool            // it has mapping symbols
	goEnd    uint64          // where Go's own code ends
	inner    map[uint64]bool // labels that were taken for functions
	unread   int64           // bytes in sections of code that nothing was seen to lead to
	attrs    []attribute
	outside  []site   // pointers in data of one object to what another one defines
	inits    []uint64 // functions that whoever starts the program runs before it, beside those of sections for that alone
}

// A format is that of the file.
type format uint8

const (
	elfFormat format = iota
	peFormat
	machoFormat
)

// A section is loaded bytes.
type section struct {
	name   string
	addr   uint64
	data   []byte
	size   uint64 // in memory
	flags  elf.SectionFlag
	member string
	typ    elf.SectionType
}

func (s *section) exec() bool     { return s.flags&elf.SHF_EXECINSTR != 0 }
func (s *section) writable() bool { return s.flags&elf.SHF_WRITE != 0 }

// A symbol is a named place.
type symbol struct {
	name   string
	addr   uint64
	size   uint64
	file   string // STT_FILE before it
	member string
	typ    elf.SymType
	bind   elf.SymBind
}

// A mark is a mapping symbol of Arm's and RISC-V's ABIs.
type mark struct {
	addr uint64
	mode byte // a Arm, t Thumb, x A64 and RISC-V, d data
}

// A site is a place in an object's code that is still to be relocated.
type site struct {
	addr   uint64
	target uint64 // 0 where the symbol is not in the image
	name   string
}

// An attribute is what build attributes or a note say, in words.
type attribute struct {
	feature string
	text    string
	member  string
}

const maxSections, maxSymbols = 1 << 20, 1 << 24

// header is an ELF file's header as far as it is used.
type header struct {
	class                      elf.Class
	order                      binary.ByteOrder
	typ                        elf.Type
	machine                    elf.Machine
	entry, shoff, phoff        uint64
	flags                      uint32
	shentsize, shnum, shstrndx int
	phentsize, phnum           int
}

func readHeader(b []byte) (h header, err error) {
	if len(b) < 52 || string(b[:4]) != elf.ELFMAG {
		return h, object.Damaged("no ELF header")
	}
	h.class = elf.Class(b[4])
	switch elf.Data(b[5]) {
	case elf.ELFDATA2LSB:
		h.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		h.order = binary.BigEndian
	default:
		return h, object.Damaged("byte order %d", b[5])
	}
	h.typ, h.machine = elf.Type(h.order.Uint16(b[16:])), elf.Machine(h.order.Uint16(b[18:]))
	switch h.class {
	case elf.ELFCLASS64:
		if len(b) < 64 {
			return h, object.Damaged("no ELF header")
		}
		h.entry, h.phoff, h.shoff = h.order.Uint64(b[24:]), h.order.Uint64(b[32:]), h.order.Uint64(b[40:])
		b = b[48:]
	case elf.ELFCLASS32:
		h.entry, h.phoff, h.shoff = uint64(h.order.Uint32(b[24:])), uint64(h.order.Uint32(b[28:])), uint64(h.order.Uint32(b[32:]))
		b = b[36:]
	default:
		return h, object.Damaged("class %d", b[4])
	}
	h.flags = h.order.Uint32(b)
	h.phentsize, h.phnum = int(h.order.Uint16(b[6:])), int(h.order.Uint16(b[8:]))
	h.shentsize, h.shnum, h.shstrndx = int(h.order.Uint16(b[10:])), int(h.order.Uint16(b[12:])), int(h.order.Uint16(b[14:]))
	return h, nil
}

// rawSection is a section header.
type rawSection struct {
	name                            uint32
	typ                             elf.SectionType
	flags                           elf.SectionFlag
	addr, off, size, align, entsize uint64
	link, info                      uint32
	data                            []byte
	base                            uint64 // where it lies in the image
}

func newImage() *image {
	return &image{globals: map[string]uint64{}, imports: map[uint64]string{}, pointers: map[uint64]uint64{}, exported: map[uint64]bool{}, resolver: map[uint64]bool{}}
}

// objectBase is where the first object's sections are laid.
const objectBase = 0x10000

// add reads a file into the image: a linked file alone, or one object more.
func (img *image) add(b []byte, member string) error {
	switch {
	case peHeader(b) != 0, isCOFF(b):
		return img.addPE(b, member)
	case isMachO(b):
		return img.addMachO(b, member)
	}
	return img.addELF(b, member)
}

// begin says what the next file is.
func (img *image) begin(a *arch, m elf.Machine, class elf.Class, order binary.ByteOrder, linked bool, member string) error {
	if img.arch != nil && (img.machine != m || img.linked) {
		return object.Damaged("%s is for %v, what came before it for %v", member, m, img.machine)
	}
	img.arch, img.machine, img.order, img.wide, img.linked = a, m, order, class == elf.ELFCLASS64, linked
	img.before = len(img.sections)
	return nil
}

// next is where the next section of an object is laid.
func (img *image) next() uint64 {
	if n := len(img.sections); n > 0 {
		last := img.sections[n-1]
		return (last.addr + last.size + 63) &^ 63
	}
	return objectBase
}

// fits refuses a file whose sections lie on each other: they would be read again and again.
func (img *image) fits(size int) error {
	code, all := 0, 0
	for i := img.before; i < len(img.sections); i++ { // those of objects come one after the other
		s := &img.sections[i]
		all += len(s.data)
		if s.exec() {
			code += len(s.data)
		}
	}
	if code > size || all > 2*size {
		return object.Damaged("its sections have %d bytes, %d of them code, and the file %d", all, code, size)
	}
	return nil
}

func (img *image) addELF(b []byte, member string) error {
	h, err := readHeader(b)
	if err != nil {
		return err
	}
	a, ok := archOf(h.machine, h.class, elf.Data(b[5]))
	if !ok {
		return nil // another architecture: package inspect says so
	}
	img.placed = h.typ == elf.ET_EXEC
	if err := img.begin(a, h.machine, h.class, h.order, h.typ == elf.ET_EXEC || h.typ == elf.ET_DYN, member); err != nil {
		return err
	}
	img.floats = h.typ == elf.ET_DYN
	img.eflags = h.flags
	raw, err := readSections(b, h)
	if err != nil {
		return err
	}
	if img.linked {
		img.entry = h.entry
		img.program = img.placed || h.entry != 0 && slices.ContainsFunc(raw, func(s rawSection) bool { return sectionName(raw, h, &s) == ".interp" })
	}
	next := img.next()
	for i := range raw {
		s := &raw[i]
		if s.flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if s.flags&elf.SHF_TLS != 0 && s.typ == elf.SHT_NOBITS {
			continue // takes no room of its own
		}
		s.base = s.addr
		if !img.linked {
			s.base = (next + 63) &^ 63
			next = s.base + min(s.size, 1<<32)
		}
		if s.base+s.size < s.base {
			return object.Damaged("section %d ends beyond the last address", i)
		}
		img.sections = append(img.sections, section{sectionName(raw, h, s), s.base, s.data, s.size, s.flags, member, s.typ})
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	if img.linked && !slices.ContainsFunc(img.sections, func(s section) bool { return s.exec() }) {
		img.segments(b, h)
	}
	if err := img.fits(len(b)); err != nil {
		return err
	}
	if err := img.readSymbols(raw, h, member); err != nil {
		return err
	}
	if h.machine == elf.EM_MIPS && img.linked {
		img.mipsTable(raw, h)
	}
	for i := range raw {
		s := &raw[i]
		name := sectionName(raw, h, s)
		switch {
		case s.typ == elf.SHT_REL, s.typ == elf.SHT_RELA:
			img.relocate(raw, s, h)
		case s.typ == 19 && img.linked: // SHT_RELR
			img.relr(s)
		case name == ".eh_frame":
			img.ehFrame(s.data, s.base)
		case name == ".ARM.exidx":
			img.exidx(s.data, s.base)
		case name == ".gopclntab", name == ".data.rel.ro.gopclntab":
			img.goTable(s.data, s.base)
		case s.typ == 0x70000003 && (h.machine == elf.EM_ARM || h.machine == elf.EM_RISCV): // SHT_ARM_ATTRIBUTES, SHT_RISCV_ATTRIBUTES
			img.attributes(s.data, member)
		case s.typ == elf.SHT_NOTE:
			img.notes(s.data, member)
		}
	}
	return nil
}

// segments takes the loaded segments for sections, where the section headers were taken away.
func (img *image) segments(b []byte, h header) {
	for i := range h.phnum {
		off := h.phoff + uint64(i*h.phentsize)
		size := uint64(56)
		if !img.wide {
			size = 32
		}
		if off > uint64(len(b)) || uint64(len(b))-off < size {
			return
		}
		p := b[off:]
		var typ, flags uint32
		var offset, vaddr, filesz uint64
		typ = h.order.Uint32(p)
		if img.wide {
			flags, offset, vaddr, filesz = h.order.Uint32(p[4:]), h.order.Uint64(p[8:]), h.order.Uint64(p[16:]), h.order.Uint64(p[32:])
		} else {
			flags, offset, vaddr, filesz = h.order.Uint32(p[24:]), uint64(h.order.Uint32(p[4:])), uint64(h.order.Uint32(p[8:])), uint64(h.order.Uint32(p[16:]))
		}
		if elf.ProgType(typ) != elf.PT_LOAD || offset > uint64(len(b)) || filesz > uint64(len(b))-offset || vaddr+filesz < vaddr {
			continue
		}
		f := elf.SHF_ALLOC
		if elf.ProgFlag(flags)&elf.PF_X != 0 {
			f |= elf.SHF_EXECINSTR
		}
		if elf.ProgFlag(flags)&elf.PF_W != 0 {
			f |= elf.SHF_WRITE
		}
		img.sections = append(img.sections, section{name: "", addr: vaddr, data: b[offset : offset+filesz], size: filesz, flags: f})
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
}

func readSections(b []byte, h header) ([]rawSection, error) {
	if h.shoff == 0 {
		return nil, nil
	}
	size := 64
	if h.class == elf.ELFCLASS32 {
		size = 40
	}
	if h.shentsize < size || h.shoff > uint64(len(b)) {
		return nil, object.Damaged("section headers at %#x of %d bytes each", h.shoff, h.shentsize)
	}
	table := b[h.shoff:]
	n := h.shnum
	if n == 0 && len(table) >= size { // more than fit: the first header counts them
		if h.class == elf.ELFCLASS64 {
			n = int(min(h.order.Uint64(table[32:]), maxSections+1))
		} else {
			n = int(min(h.order.Uint32(table[20:]), maxSections+1))
		}
	}
	if n > maxSections || n > len(table)/h.shentsize {
		return nil, object.Damaged("%d section headers do not fit in the file", n)
	}
	raw := make([]rawSection, n)
	for i := range raw {
		p, s, o := table[i*h.shentsize:], &raw[i], h.order
		s.name, s.typ = o.Uint32(p), elf.SectionType(o.Uint32(p[4:]))
		if h.class == elf.ELFCLASS64 {
			s.flags, s.addr, s.off, s.size = elf.SectionFlag(o.Uint64(p[8:])), o.Uint64(p[16:]), o.Uint64(p[24:]), o.Uint64(p[32:])
			s.link, s.info, s.align, s.entsize = o.Uint32(p[40:]), o.Uint32(p[44:]), o.Uint64(p[48:]), o.Uint64(p[56:])
		} else {
			s.flags, s.addr, s.off, s.size = elf.SectionFlag(o.Uint32(p[8:])), uint64(o.Uint32(p[12:])), uint64(o.Uint32(p[16:])), uint64(o.Uint32(p[20:]))
			s.link, s.info, s.align, s.entsize = o.Uint32(p[24:]), o.Uint32(p[28:]), uint64(o.Uint32(p[32:])), uint64(o.Uint32(p[36:]))
		}
		if s.typ != elf.SHT_NOBITS && s.typ != elf.SHT_NULL && s.size > 0 {
			if s.off > uint64(len(b)) || s.size > uint64(len(b))-s.off {
				if s.flags&elf.SHF_EXECINSTR != 0 {
					return nil, object.Damaged("section %d lies outside the file", i)
				}
				continue
			}
			s.data = b[s.off : s.off+s.size]
		}
	}
	return raw, nil
}

func sectionName(raw []rawSection, h header, s *rawSection) string {
	if h.shstrndx < len(raw) {
		return cString(raw[h.shstrndx].data, s.name, 64)
	}
	return ""
}

// cString is the string at an offset of a string table, no longer than a limit: many names may point into one long
// string.
func cString(table []byte, off uint32, limit int) string {
	if uint64(off) >= uint64(len(table)) {
		return ""
	}
	b := table[off:]
	b = b[:min(limit, len(b))]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// readSymbol reads entry i of a symbol table.
func readSymbol(data []byte, h header, i int) (name uint32, info byte, shndx int, value, size uint64, ok bool) {
	if h.class == elf.ELFCLASS64 {
		if len(data)/24 <= i {
			return
		}
		p := data[i*24:]
		return h.order.Uint32(p), p[4], int(h.order.Uint16(p[6:])), h.order.Uint64(p[8:]), h.order.Uint64(p[16:]), true
	}
	if len(data)/16 <= i {
		return
	}
	p := data[i*16:]
	return h.order.Uint32(p), p[12], int(h.order.Uint16(p[14:])), uint64(h.order.Uint32(p[4:])), uint64(h.order.Uint32(p[8:])), true
}

const longestName = 512

func (img *image) readSymbols(raw []rawSection, h header, member string) error {
	budget := 0 // of bytes in names: at most a few times the file's tables
	for t := range raw {
		s := &raw[t]
		if s.typ != elf.SHT_SYMTAB && s.typ != elf.SHT_DYNSYM {
			continue
		}
		var strs []byte
		if int(s.link) < len(raw) {
			strs = raw[s.link].data
		}
		var wideIndex []byte // SHT_SYMTAB_SHNDX
		for i := range raw {
			if raw[i].typ == 18 && raw[i].link == uint32(t) {
				wideIndex = raw[i].data
			}
		}
		file := ""
		for i := 1; i < maxSymbols; i++ {
			nameOff, info, shndx, value, size, ok := readSymbol(s.data, h, i)
			if !ok {
				break
			}
			if shndx == int(elf.SHN_XINDEX) && len(wideIndex) >= 4*(i+1) {
				shndx = int(h.order.Uint32(wideIndex[4*i:]))
			}
			typ, bind := elf.SymType(info&0xf), elf.SymBind(info>>4)
			if typ == elf.STT_FILE {
				file = cString(strs, nameOff, longestName)
				budget += len(file)
				continue
			}
			if shndx == 0 || shndx >= len(raw) || typ == elf.STT_SECTION || typ == elf.STT_TLS || raw[shndx].flags&elf.SHF_ALLOC == 0 {
				continue
			}
			if budget > 64<<20+8*len(strs) {
				return object.Damaged("names of symbols overlap")
			}
			name := cString(strs, nameOff, longestName)
			budget += len(name)
			if !img.linked {
				value += raw[shndx].base
			}
			code := raw[shndx].flags&elf.SHF_EXECINSTR != 0
			if typ == elf.STT_NOTYPE && len(name) >= 2 && name[0] == '$' && strings.IndexByte("atdx", name[1]) >= 0 && s.typ == elf.SHT_SYMTAB {
				img.marks = append(img.marks, mark{value, name[1]})
				img.mapped = true
				continue
			}
			addr := value
			if h.machine == elf.EM_ARM && code {
				addr &^= 1
				if (typ == elf.STT_FUNC || typ == elf.STT_GNU_IFUNC) && s.typ == elf.SHT_DYNSYM || typ == elf.STT_FUNC {
					mode := byte('a')
					if value&1 != 0 {
						mode = 't'
					}
					img.marks = append(img.marks, mark{addr, mode})
				}
			}
			y := symbol{name: name, addr: addr, size: size, file: file, member: member, typ: typ, bind: bind}
			if bind != elf.STB_LOCAL {
				y.file = ""
				if _, had := img.globals[name]; !had {
					img.globals[name] = addr
				}
			}
			if typ == elf.STT_GNU_IFUNC {
				img.resolver[addr] = true
			}
			if s.typ == elf.SHT_DYNSYM && code {
				img.exported[addr] = true
			}
			img.symbols = append(img.symbols, y)
			switch {
			case code && (typ == elf.STT_FUNC || typ == elf.STT_GNU_IFUNC || typ == elf.STT_NOTYPE && bind != elf.STB_LOCAL):
				img.named = img.named || s.typ == elf.SHT_SYMTAB
				img.byAddr = append(img.byAddr, y)
			case code && typ == elf.STT_NOTYPE: // yasm's have no name
				img.labels = append(img.labels, y)
			case !code && (typ == elf.STT_OBJECT || bind != elf.STB_LOCAL) && name != "":
				img.objects = append(img.objects, y)
			}
		}
	}
	return nil
}

// finish sorts what was read and settles what depends on all of it.
func (img *image) finish() {
	byAddr := func(a, b symbol) int { return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(b.size, a.size)) }
	slices.SortStableFunc(img.byAddr, byAddr)
	img.findLabels()
	slices.SortStableFunc(img.labels, byAddr)
	slices.SortStableFunc(img.objects, byAddr)
	if img.format != elfFormat {
		img.sizeObjects()
	}
	slices.SortStableFunc(img.goNames, byAddr)
	slices.SortStableFunc(img.marks, func(a, b mark) int { return cmp.Compare(a.addr, b.addr) })
	slices.SortStableFunc(img.sites, func(a, b site) int { return cmp.Compare(a.addr, b.addr) })
	for i := range img.sites {
		if s := &img.sites[i]; s.target == 0 && s.name != "" {
			s.target = img.globals[s.name]
		}
	}
	for _, s := range img.outside {
		if to := img.globals[s.name]; to != 0 {
			img.pointers[s.addr] = to
		}
	}
	got := uint64(0)
	for i := range img.sections {
		if s := &img.sections[i]; s.name == ".got" {
			got = s.addr
		}
	}
	img.got = got
	for i := range img.sections {
		if s := &img.sections[i]; s.name == ".got.plt" {
			img.got = s.addr
		}
	}
	for _, y := range img.symbols {
		if y.name == "_GLOBAL_OFFSET_TABLE_" {
			img.got = y.addr
		}
	}
	switch img.machine {
	case elf.EM_PPC64:
		img.toc = got + 0x8000
		if a, ok := img.globals[".TOC."]; ok {
			img.toc = a
		}
	case elf.EM_MIPS:
		img.toc = got + 0x7ff0
		if a, ok := img.globals["_gp"]; ok {
			img.toc = a
		}
	}
	if img.linked {
		relocated := slices.Collect(maps.Values(img.pointers))
		img.scanPointers()
		if img.machine == elf.EM_ARM && !img.mapped {
			img.trace(relocated)
		}
	}
}

// sizeObjects gives objects without sizes those that reach to what comes next in their sections.
func (img *image) sizeObjects() {
	for i := range img.objects {
		y := &img.objects[i]
		s := img.section(y.addr)
		if s == nil || y.size > 0 {
			continue
		}
		end := s.addr + s.size
		for j := i + 1; j < len(img.objects); j++ {
			if a := img.objects[j].addr; a > y.addr {
				end = min(end, a)
				break
			}
		}
		y.size = end - y.addr
	}
}

// word reads an address.
func (img *image) word(b []byte) uint64 {
	if img.wide {
		return img.order.Uint64(b)
	}
	return uint64(img.order.Uint32(b))
}

func (img *image) wordSize() int {
	if img.wide {
		return 8
	}
	return 4
}

// tables says that a section holds what loaders and unwinders read, or nothing: numbers and distances that may look
// like addresses.
func (img *image) tables(s *section) bool {
	switch s.typ {
	case elf.SHT_NOBITS, elf.SHT_DYNSYM, elf.SHT_STRTAB, elf.SHT_REL, elf.SHT_RELA, elf.SHT_HASH, elf.SHT_GNU_HASH, elf.SHT_GNU_VERSYM, elf.SHT_GNU_VERNEED, elf.SHT_GNU_VERDEF, elf.SHT_NOTE:
		return true
	}
	switch s.name {
	case ".eh_frame", ".eh_frame_hdr", ".gopclntab", ".gcc_except_table", ".ARM.exidx", ".ARM.extab", ".pdata", ".xdata", ".reloc", "__eh_frame", "__unwind_info", "__gcc_except_tab", "__gopclntab":
		return true
	}
	return false
}

// scanPointers takes words in data for what they look like: addresses. Where the program is not moved, nothing else
// tells them.
func (img *image) scanPointers() {
	n := img.wordSize()
	for i := range img.sections {
		s := &img.sections[i]
		if s.exec() || s.flags&elf.SHF_ALLOC == 0 || img.tables(s) {
			continue
		}
		skip := int(-s.addr & uint64(n-1))
		got := strings.HasPrefix(s.name, ".got") || s.name == ""
		for off := skip; off+n <= len(s.data); off += n {
			v := img.word(s.data[off:])
			at := s.addr + uint64(off)
			pages := got && img.machine == elf.EM_MIPS // MIPS has the beginnings of 64 KiB pages there, too
			if v == 0 {
				if _, named := img.imports[at]; named || !pages { // its first page begins there
					continue
				}
			}
			if t := img.section(v); !pages && (t == nil || !got && !t.exec()) {
				continue
			}
			if _, had := img.pointers[at]; !had {
				img.pointers[at] = v
			}
		}
	}
}

// section is the one that an address lies in, nil for none.
func (img *image) section(addr uint64) *section {
	if img.last < len(img.sections) { // most questions are about where the one before was
		if s := &img.sections[img.last]; addr-s.addr < s.size {
			return s
		}
	}
	i := sort.Search(len(img.sections), func(i int) bool { return img.sections[i].addr > addr })
	for i--; i >= 0; i-- {
		s := &img.sections[i]
		if addr-s.addr < s.size {
			img.last = i
			return s
		}
		if s.size > 0 {
			return nil
		}
	}
	return nil
}

func (img *image) holds(addr uint64) bool { return img.section(addr) != nil }

// code is up to n bytes of code at an address.
func (img *image) code(addr uint64, n int) []byte {
	s := img.section(addr)
	if s == nil || !s.exec() || addr-s.addr >= uint64(len(s.data)) {
		return nil
	}
	b := s.data[addr-s.addr:]
	return b[:min(n, len(b))]
}

// bytesAt is up to n bytes of anything loaded.
func (img *image) bytesAt(addr uint64, n int) []byte {
	s := img.section(addr)
	if s == nil || addr-s.addr >= uint64(len(s.data)) {
		return nil
	}
	b := s.data[addr-s.addr:]
	return b[:min(n, len(b))]
}

// covering is the symbol of a sorted list that an address lies in.
func covering(list []symbol, addr uint64) (symbol, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].addr > addr })
	for n := 0; i > 0 && n < 8; n++ {
		i--
		if s := list[i]; addr-s.addr < max(s.size, 1) {
			return s, true
		}
	}
	return symbol{}, false
}

// mipsTable names the slots of MIPS's global offset table: those of the last dynamic symbols follow the local ones (the
// MIPS supplement of the ABI, chapter 5).
func (img *image) mipsTable(raw []rawSection, h header) {
	var got, local, first uint64
	n := img.wordSize()
	for i := range raw {
		if raw[i].typ != elf.SHT_DYNAMIC {
			continue
		}
		for b := raw[i].data; len(b) >= 2*n; b = b[2*n:] {
			switch v := img.word(b[n:]); elf.DynTag(img.word(b)) {
			case elf.DT_PLTGOT:
				got = v
			case elf.DT_MIPS_LOCAL_GOTNO:
				local = v
			case elf.DT_MIPS_GOTSYM:
				first = v
			}
		}
	}
	if got == 0 {
		return
	}
	for i := range raw {
		if raw[i].typ != elf.SHT_DYNSYM || int(raw[i].link) >= len(raw) {
			continue
		}
		budget := 64 << 20
		for k := int(min(first, maxSymbols)); k < maxSymbols && budget > 0; k++ {
			name, _, shndx, _, _, ok := readSymbol(raw[i].data, h, k)
			if !ok {
				return
			}
			if shndx == 0 {
				s := cString(raw[raw[i].link].data, name, longestName)
				budget -= len(s)
				img.imports[got+(local+uint64(k)-first)*uint64(n)] = s
			}
		}
	}
}
