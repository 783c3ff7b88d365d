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

// A rawSection is a section of an ELF file.
type rawSection struct {
	*elf.SectionHeader
	data []byte
	base uint64 // where it lies in the image
}

func newImage() *image {
	return &image{globals: map[string]uint64{}, imports: map[uint64]string{}, pointers: map[uint64]uint64{},
		exported: map[uint64]bool{}, resolver: map[uint64]bool{}}
}

// objectBase is where the first object's sections are laid.
const objectBase = 0x10000

// add reads a file into the image: a linked file alone, or one object more.
func (img *image) add(b []byte, member string) error {
	switch s := object.Memory(b); {
	case object.IsPE(s):
		return img.addPE(s, member)
	case object.IsMachO(s):
		return img.addMachO(s, member)
	default:
		return img.addELF(s, member)
	}
}

// begin says what the next file is.
func (img *image) begin(a *arch, m elf.Machine, class elf.Class, order binary.ByteOrder, linked bool,
	member string) error {
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

// An elfFile is an ELF file that is read into an image.
type elfFile struct {
	*object.ELFFile
	img    *image
	member string
	raw    []rawSection
	tables map[uint32][]elf.Symbol // tables of symbols that relocations name, by their section
}

func (img *image) addELF(s *object.Source, member string) error {
	e, err := object.OpenELF(s)
	if err != nil {
		return err
	}
	a, ok := archOf(e.Machine, e.Class, e.Data)
	if !ok {
		return nil // another architecture: package inspect says so
	}
	img.placed = e.Type == elf.ET_EXEC
	if err := img.begin(a, e.Machine, e.Class, e.Order, e.Type == elf.ET_EXEC || e.Type == elf.ET_DYN,
		member); err != nil {
		return err
	}
	img.floats = e.Type == elf.ET_DYN
	img.eflags = e.Flags
	f := &elfFile{ELFFile: e, img: img, member: member, tables: map[uint32][]elf.Symbol{}}
	if err := f.readSections(); err != nil {
		return err
	}
	if img.linked {
		img.entry = e.Entry
		img.program = img.placed || e.Entry != 0 && e.Section(".interp") != nil
	}
	if err := f.place(); err != nil {
		return err
	}
	if img.linked && !slices.ContainsFunc(img.sections, func(s section) bool { return s.exec() }) {
		if err := f.segments(); err != nil {
			return err
		}
	}
	if err := img.fits(int(e.Size)); err != nil {
		return err
	}
	if err := f.readSymbols(); err != nil {
		return err
	}
	if e.Machine == elf.EM_MIPS && img.linked {
		if err := f.mipsTable(); err != nil {
			return err
		}
	}
	return f.readTables()
}

// readSections reads the sections with what is in them.
func (f *elfFile) readSections() error {
	if err := f.ReadSections(); err != nil {
		return err
	}
	f.raw = make([]rawSection, len(f.Sections))
	for i := range f.raw {
		s := &f.raw[i]
		s.SectionHeader = &f.Sections[i]
		if s.Type == elf.SHT_NULL {
			continue
		}
		var err error
		if s.data, err = f.Content(s.SectionHeader); err != nil {
			return err
		}
	}
	return nil
}

// place lays the sections that are loaded into the image.
func (f *elfFile) place() error {
	img := f.img
	next := img.next()
	for i := range f.raw {
		s := &f.raw[i]
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if s.Flags&elf.SHF_TLS != 0 && s.Type == elf.SHT_NOBITS {
			continue // takes no room of its own
		}
		s.base = s.Addr
		if !img.linked {
			s.base = (next + 63) &^ 63
			next = s.base + min(s.Size, 1<<32)
		}
		if s.base+s.Size < s.base {
			return object.Damaged("section %d ends beyond the last address", i)
		}
		img.sections = append(img.sections, section{s.Name, s.base, s.data, s.Size, s.Flags, f.member, s.Type})
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	return nil
}

// readTables reads the sections that tell of others: relocations, unwind tables, attributes, notes.
func (f *elfFile) readTables() error {
	img := f.img
	for i := range f.raw {
		s := &f.raw[i]
		switch {
		case s.Type == elf.SHT_REL, s.Type == elf.SHT_RELA:
			if err := f.relocate(s); err != nil {
				return err
			}
		case s.Type == 19 && img.linked: // SHT_RELR
			img.relr(s)
		case s.Name == ".eh_frame":
			img.ehFrame(s.data, s.base)
		case s.Name == ".ARM.exidx":
			img.exidx(s.data, s.base)
		case s.Name == ".gopclntab", s.Name == ".data.rel.ro.gopclntab":
			img.goTable(s.data, s.base)
		case s.Type == 0x70000003 && (f.Machine == elf.EM_ARM || f.Machine == elf.EM_RISCV):
			// SHT_ARM_ATTRIBUTES, SHT_RISCV_ATTRIBUTES
			img.attributes(s.data, f.member)
		case s.Type == elf.SHT_NOTE:
			img.notes(s.data, s.Addralign, f.member)
		}
	}
	return nil
}

// segments takes the loaded segments for sections, where the section headers were taken away.
func (f *elfFile) segments() error {
	img := f.img
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Vaddr+p.Filesz < p.Vaddr {
			continue
		}
		data, err := f.Bytes(p.Off, p.Filesz, "a segment")
		if err != nil {
			return err
		}
		flags := elf.SHF_ALLOC
		if p.Flags&elf.PF_X != 0 {
			flags |= elf.SHF_EXECINSTR
		}
		if p.Flags&elf.PF_W != 0 {
			flags |= elf.SHF_WRITE
		}
		img.sections = append(img.sections, section{name: "", addr: p.Vaddr, data: data, size: p.Filesz, flags: flags})
	}
	slices.SortStableFunc(img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	return nil
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

const longestName = 512

// readSymbols reads the tables of symbols into the image.
func (f *elfFile) readSymbols() error {
	for i := range f.raw {
		s := &f.raw[i]
		if s.Type != elf.SHT_SYMTAB && s.Type != elf.SHT_DYNSYM {
			continue
		}
		file := "" // of the symbols that follow
		if err := f.Symbols(s.SectionHeader, func(y elf.Symbol) {
			if elf.ST_TYPE(y.Info) == elf.STT_FILE {
				file = y.Name
			} else {
				f.define(y, s.Type, file)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// define takes a symbol of a table into the image.
func (f *elfFile) define(s elf.Symbol, table elf.SectionType, file string) {
	img, typ, bind := f.img, elf.ST_TYPE(s.Info), elf.ST_BIND(s.Info)
	if s.Section == elf.SHN_UNDEF || int(s.Section) >= len(f.raw) || typ == elf.STT_SECTION || typ == elf.STT_TLS ||
		f.raw[s.Section].Flags&elf.SHF_ALLOC == 0 {
		return
	}
	if !img.linked {
		s.Value += f.raw[s.Section].base
	}
	code := f.raw[s.Section].Flags&elf.SHF_EXECINSTR != 0
	if typ == elf.STT_NOTYPE && len(s.Name) >= 2 && s.Name[0] == '$' && strings.IndexByte("atdx", s.Name[1]) >= 0 &&
		table == elf.SHT_SYMTAB {
		img.marks = append(img.marks, mark{s.Value, s.Name[1]})
		img.mapped = true
		return
	}
	addr := s.Value
	if f.Machine == elf.EM_ARM && code {
		addr &^= 1
		if (typ == elf.STT_FUNC || typ == elf.STT_GNU_IFUNC) && table == elf.SHT_DYNSYM || typ == elf.STT_FUNC {
			mode := byte('a')
			if s.Value&1 != 0 {
				mode = 't'
			}
			img.marks = append(img.marks, mark{addr, mode})
		}
	}
	y := symbol{name: s.Name, addr: addr, size: s.Size, file: file, member: f.member, typ: typ, bind: bind}
	if bind != elf.STB_LOCAL {
		y.file = ""
		if _, had := img.globals[y.name]; !had {
			img.globals[y.name] = addr
		}
	}
	if typ == elf.STT_GNU_IFUNC {
		img.resolver[addr] = true
	}
	if table == elf.SHT_DYNSYM && code {
		img.exported[addr] = true
	}
	img.symbols = append(img.symbols, y)
	switch {
	case code && (typ == elf.STT_FUNC || typ == elf.STT_GNU_IFUNC || typ == elf.STT_NOTYPE && bind != elf.STB_LOCAL):
		img.named = img.named || table == elf.SHT_SYMTAB
		img.byAddr = append(img.byAddr, y)
	case code && typ == elf.STT_NOTYPE: // yasm's have no name
		img.labels = append(img.labels, y)
	case !code && (typ == elf.STT_OBJECT || bind != elf.STB_LOCAL) && y.name != "":
		img.objects = append(img.objects, y)
	}
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
	case elf.SHT_NOBITS, elf.SHT_DYNSYM, elf.SHT_STRTAB, elf.SHT_REL, elf.SHT_RELA, elf.SHT_HASH, elf.SHT_GNU_HASH,
		elf.SHT_GNU_VERSYM, elf.SHT_GNU_VERNEED, elf.SHT_GNU_VERDEF, elf.SHT_NOTE:
		return true
	}
	switch s.name {
	case ".eh_frame", ".eh_frame_hdr", ".gopclntab", ".gcc_except_table", ".ARM.exidx", ".ARM.extab", ".pdata", ".xdata",
		".reloc", "__eh_frame", "__unwind_info", "__gcc_except_tab", "__gopclntab":
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
func (f *elfFile) mipsTable() error {
	img := f.img
	var got, local, first uint64
	n := img.wordSize()
	for i := range f.raw {
		if f.raw[i].Type != elf.SHT_DYNAMIC {
			continue
		}
		for b := f.raw[i].data; len(b) >= 2*n; b = b[2*n:] {
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
		return nil
	}
	k := uint64(0)
	return f.SymbolTable(elf.SHT_DYNSYM, func(s elf.Symbol) {
		if k >= first && s.Section == elf.SHN_UNDEF {
			img.imports[got+(local+k-first)*uint64(n)] = s.Name
		}
		k++
	})
}
