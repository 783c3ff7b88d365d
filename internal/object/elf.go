package object

import (
	"debug/elf"
	"encoding/binary"
)

// A Header is what an ELF file says of itself in its first bytes, and the loader that it asks for.
type Header struct {
	Type    elf.Type
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data
	OSABI   elf.OSABI
	Flags   uint32 // e_flags
	Entry   uint64
	Interp  string // the dynamic loader that it asks for, once ReadInterp read it; "" where it asks for none
}

// An ELFFile is an ELF file with its tables of segments and sections (System V gABI, chapters 4 and 5).
type ELFFile struct {
	*Source
	Header
	Order    binary.ByteOrder
	Progs    []elf.ProgHeader
	Sections []elf.SectionHeader // once ReadSections read them

	phoff, phnum, phentry           uint64
	shoff, shnum, shentry, shstrndx uint64
}

// Wide reports whether addresses have 64 bits.
func (e *ELFFile) Wide() bool { return e.Class == elf.ELFCLASS64 }

// WordSize is the size of an address in bytes.
func (e *ELFFile) WordSize() uint64 {
	if e.Wide() {
		return 8
	}
	return 4
}

// word reads an address or offset at the place that it has in each class.
func (e *ELFFile) word(b []byte, at32, at64 int) uint64 {
	if e.Wide() {
		return e.Order.Uint64(b[at64:])
	}
	return uint64(e.Order.Uint32(b[at32:]))
}

// half reads a 32-bit field at the place that it has in each class.
func (e *ELFFile) half(b []byte, at32, at64 int) uint32 {
	if e.Wide() {
		return e.Order.Uint32(b[at64:])
	}
	return e.Order.Uint32(b[at32:])
}

// IsELF tells an ELF file by its first bytes.
func IsELF(s *Source) bool { return string(s.Head(len(elf.ELFMAG))) == elf.ELFMAG }

// OpenELF reads the header and the segments.
func OpenELF(s *Source) (*ELFFile, error) {
	e, err := readELFHeader(s)
	if err != nil {
		return nil, err
	}
	return e, e.readProgs()
}

// readELFHeader reads the header alone.
func readELFHeader(s *Source) (*ELFFile, error) {
	if !IsELF(s) {
		return nil, ErrFormat
	}
	e := &ELFFile{Source: s}
	if err := e.readIdent(); err != nil {
		return nil, err
	}
	size := uint64(52)
	if e.Wide() {
		size = 64
	}
	h, err := s.Bytes(0, size, "the ELF header")
	if err != nil {
		return nil, err
	}
	e.Type, e.Machine = elf.Type(e.Order.Uint16(h[16:])), elf.Machine(e.Order.Uint16(h[18:]))
	e.Entry, e.phoff, e.shoff, e.Flags = e.word(h, 24, 24), e.word(h, 28, 32), e.word(h, 32, 40), e.half(h, 36, 48)
	for i, n := range []*uint64{&e.phentry, &e.phnum, &e.shentry, &e.shnum, &e.shstrndx} {
		*n = uint64(e.Order.Uint16(h[int(size)-10+2*i:]))
	}
	return e, e.readLargeNumbers()
}

// readIdent reads what says how the rest is to be read.
func (e *ELFFile) readIdent() error {
	ident := e.Head(elf.EI_NIDENT)
	if len(ident) < elf.EI_NIDENT {
		return Damaged("the ELF header is cut short")
	}
	e.Class, e.Data = elf.Class(ident[elf.EI_CLASS]), elf.Data(ident[elf.EI_DATA])
	e.OSABI = elf.OSABI(ident[elf.EI_OSABI])
	if e.Class != elf.ELFCLASS32 && e.Class != elf.ELFCLASS64 {
		return Damaged("ELF class %d is none", ident[elf.EI_CLASS])
	}
	switch e.Data {
	case elf.ELFDATA2LSB:
		e.Order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		e.Order = binary.BigEndian
	default:
		return Damaged("ELF data encoding %d is none", ident[elf.EI_DATA])
	}
	return nil
}

// sectionSize is the size of a section's header.
func (e *ELFFile) sectionSize() uint64 {
	if e.Wide() {
		return 64
	}
	return 40
}

// readLargeNumbers reads numbers that do not fit in the file's header: they are in the first section's.
func (e *ELFFile) readLargeNumbers() error {
	if e.shoff == 0 || e.shnum != 0 && e.shstrndx != uint64(elf.SHN_XINDEX) && e.phnum != 0xffff {
		return nil
	}
	if e.shentry != e.sectionSize() {
		return Damaged("a section header has %d bytes, not %d", e.shentry, e.sectionSize())
	}
	first, err := e.Bytes(e.shoff, e.sectionSize(), "the first section header")
	if err != nil {
		return err
	}
	sh := e.section(first)
	if e.shnum == 0 {
		e.shnum = sh.Size
	}
	if e.shstrndx == uint64(elf.SHN_XINDEX) {
		e.shstrndx = uint64(sh.Link)
	}
	if e.phnum == 0xffff {
		e.phnum = uint64(sh.Info)
	}
	return nil
}

// readProgs reads the table of segments.
func (e *ELFFile) readProgs() error {
	if e.phnum == 0 {
		return nil
	}
	want := uint64(32)
	if e.Wide() {
		want = 56
	}
	if e.phentry != want {
		return Damaged("a program header has %d bytes, not %d", e.phentry, want)
	}
	table, err := e.Bytes(e.phoff, e.phnum*e.phentry, "the table of program headers")
	if err != nil {
		return err
	}
	e.Progs = make([]elf.ProgHeader, 0, e.phnum)
	for b := table; len(b) > 0; b = b[e.phentry:] {
		e.Progs = append(e.Progs, elf.ProgHeader{
			Type: elf.ProgType(e.Order.Uint32(b)), Flags: elf.ProgFlag(e.half(b, 24, 4)), Off: e.word(b, 4, 8),
			Vaddr: e.word(b, 8, 16), Paddr: e.word(b, 12, 24),
			Filesz: e.word(b, 16, 32), Memsz: e.word(b, 20, 40), Align: e.word(b, 28, 48),
		})
	}
	return nil
}

// ReadInterp reads the name of the loader.
func (e *ELFFile) ReadInterp() error {
	p := e.Prog(elf.PT_INTERP)
	if p == nil || e.Type == elf.ET_REL {
		return nil
	}
	if p.Filesz > 4096 {
		return Damaged("the name of the loader (PT_INTERP) has %d bytes", p.Filesz)
	}
	name, err := e.Bytes(p.Off, p.Filesz, "the name of the loader (PT_INTERP)")
	e.Interp = CString(name)
	return err
}

// Prog is the first segment of a type, nil where there is none.
func (e *ELFFile) Prog(t elf.ProgType) *elf.ProgHeader {
	for i := range e.Progs {
		if e.Progs[i].Type == t {
			return &e.Progs[i]
		}
	}
	return nil
}

// offset finds where n bytes at an address lie in the file.
func (e *ELFFile) offset(addr, n uint64) (uint64, bool) {
	for i := range e.Progs {
		p := &e.Progs[i]
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr <= p.Filesz && n <= p.Filesz-(addr-p.Vaddr) {
			return p.Off + (addr - p.Vaddr), true
		}
	}
	return 0, false
}

// Rest is how many bytes of the file follow an address in its segment.
func (e *ELFFile) Rest(addr uint64) uint64 {
	for i := range e.Progs {
		p := &e.Progs[i]
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return p.Filesz - (addr - p.Vaddr)
		}
	}
	return 0
}

// Memory reads n bytes at an address.
func (e *ELFFile) Memory(addr, n uint64, what string) ([]byte, error) {
	off, ok := e.offset(addr, n)
	if !ok {
		return nil, Damaged("%s (%d bytes at address %#x) lies in no segment", what, n, addr)
	}
	return e.Bytes(off, n, what)
}

// ReadMemory fills a buffer of the caller's from an address, as Source.ReadAt does from an offset.
func (e *ELFFile) ReadMemory(b []byte, addr uint64) error {
	off, ok := e.offset(addr, uint64(len(b)))
	if !ok || off > uint64(e.Size) {
		return Damaged("%d bytes at address %#x lie in no segment", len(b), addr)
	}
	if n, err := e.ReadAt(b, int64(off)); n < len(b) {
		return err
	}
	return nil
}
