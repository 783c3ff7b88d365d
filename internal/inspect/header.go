package inspect

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// A Header is what an ELF file says of itself in its first bytes, and the loader that it asks for.
type Header struct {
	Type    elf.Type
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data
	OSABI   elf.OSABI
	Flags   uint32 // e_flags
	Interp  string // the dynamic loader that it asks for; "" where it asks for none
}

// ReadHeader reads a file's header and the name of its loader, and nothing more.
func ReadHeader(path string) (Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Header{}, err
	}
	e, err := openELF(object.NewSource(f, info.Size()))
	if err == nil {
		err = e.readInterp()
	}
	if err != nil {
		return Header{}, fmt.Errorf("%s: %w", path, err)
	}
	return e.Header, nil
}

// For reports whether the header is of a platform's machine.
func (h Header) For(p platform.Platform) bool {
	return h.Machine == p.Machine && h.Class == p.Class && h.Data == p.Data
}

// withSysroot are the platforms whose programs are told apart by their header; asked for once for each member of an
// archive.
var withSysroot = sync.OnceValue(func() []platform.Platform {
	return slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return !p.HasC() })
})

// Platform is the platform that the header names, without variants. 32-bit ARM counts as v7 unless its loader or its
// flags are of the soft-float ABI: what else the code needs is not in the header.
func (h Header) Platform() (platform.Platform, bool) {
	var found []platform.Platform
	for _, c := range withSysroot() {
		if h.For(c) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return platform.Platform{}, false
	}
	if i := slices.IndexFunc(found, func(c platform.Platform) bool { return h.Interp != "" && c.Interp == h.Interp }); i >= 0 {
		return found[i], true
	}
	if float := h.meaning().float; float != "" {
		if i := slices.IndexFunc(found, func(c platform.Platform) bool { return c.Float == float }); i >= 0 {
			return found[i], true
		}
	}
	return found[0].Base(), true
}

// An elfFile is an ELF file with its tables of segments and sections (System V gABI, chapters 4 and 5).
type elfFile struct {
	*object.Source
	Header
	order    binary.ByteOrder
	progs    []elf.ProgHeader
	sections []elf.SectionHeader
	shoff    uint64
	shnum    uint64
	shentry  uint64
	shstrndx uint64
}

func (e *elfFile) wide() bool { return e.Class == elf.ELFCLASS64 }

// word reads an address or offset at the place that it has in each class.
func (e *elfFile) word(b []byte, at32, at64 int) uint64 {
	if e.wide() {
		return e.order.Uint64(b[at64:])
	}
	return uint64(e.order.Uint32(b[at32:]))
}

// openELF reads the header and the segments.
func openELF(s *object.Source) (*elfFile, error) {
	ident := make([]byte, min(s.Size, 16))
	if n, _ := s.ReadAt(ident, 0); n < 4 || string(ident[:4]) != elf.ELFMAG {
		return nil, ErrFormat
	}
	e := &elfFile{Source: s}
	if len(ident) < 16 {
		return nil, object.Damaged("the ELF header is cut short")
	}
	e.Class, e.Data, e.OSABI = elf.Class(ident[elf.EI_CLASS]), elf.Data(ident[elf.EI_DATA]), elf.OSABI(ident[elf.EI_OSABI])
	size, progSize, sectionSize := uint64(52), uint64(32), uint64(40)
	switch e.Class {
	case elf.ELFCLASS32:
	case elf.ELFCLASS64:
		size, progSize, sectionSize = 64, 56, 64
	default:
		return nil, object.Damaged("ELF class %d is none", ident[elf.EI_CLASS])
	}
	switch e.Data {
	case elf.ELFDATA2LSB:
		e.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		e.order = binary.BigEndian
	default:
		return nil, object.Damaged("ELF data encoding %d is none", ident[elf.EI_DATA])
	}
	h, err := s.Bytes(0, size, "the ELF header")
	if err != nil {
		return nil, err
	}
	e.Type, e.Machine = elf.Type(e.order.Uint16(h[16:])), elf.Machine(e.order.Uint16(h[18:]))
	phoff := e.word(h, 28, 32)
	e.shoff = e.word(h, 32, 40)
	tail := h[36:]
	if e.wide() {
		tail = h[48:]
	}
	e.Flags = e.order.Uint32(tail)
	phentry, phnum := uint64(e.order.Uint16(tail[6:])), uint64(e.order.Uint16(tail[8:]))
	e.shentry, e.shnum, e.shstrndx = uint64(e.order.Uint16(tail[10:])), uint64(e.order.Uint16(tail[12:])), uint64(e.order.Uint16(tail[14:]))

	// Numbers that do not fit are in the first section's header.
	if e.shoff != 0 && (e.shnum == 0 || e.shstrndx == uint64(elf.SHN_XINDEX) || phnum == 0xffff) {
		if e.shentry != sectionSize {
			return nil, object.Damaged("a section header has %d bytes, not %d", e.shentry, sectionSize)
		}
		first, err := s.Bytes(e.shoff, sectionSize, "the first section header")
		if err != nil {
			return nil, err
		}
		sh := e.section(first)
		if e.shnum == 0 {
			e.shnum = sh.Size
		}
		if e.shstrndx == uint64(elf.SHN_XINDEX) {
			e.shstrndx = uint64(sh.Link)
		}
		if phnum == 0xffff {
			phnum = uint64(sh.Info)
		}
	}
	if phnum > 0 {
		if phentry != progSize {
			return nil, object.Damaged("a program header has %d bytes, not %d", phentry, progSize)
		}
		table, err := s.Bytes(phoff, phnum*phentry, "the table of program headers")
		if err != nil {
			return nil, err
		}
		for b := table; len(b) > 0; b = b[phentry:] {
			p := elf.ProgHeader{Type: elf.ProgType(e.order.Uint32(b)), Off: e.word(b, 4, 8), Vaddr: e.word(b, 8, 16), Filesz: e.word(b, 16, 32), Memsz: e.word(b, 20, 40), Align: e.word(b, 28, 48)}
			if e.wide() {
				p.Flags = elf.ProgFlag(e.order.Uint32(b[4:]))
			} else {
				p.Flags = elf.ProgFlag(e.order.Uint32(b[24:]))
			}
			e.progs = append(e.progs, p)
		}
	}
	return e, nil
}

// readInterp reads the name of the loader.
func (e *elfFile) readInterp() error {
	p := e.prog(elf.PT_INTERP)
	if p == nil || e.Type == elf.ET_REL {
		return nil
	}
	if p.Filesz > 4096 {
		return object.Damaged("the name of the loader (PT_INTERP) has %d bytes", p.Filesz)
	}
	name, err := e.Bytes(p.Off, p.Filesz, "the name of the loader (PT_INTERP)")
	e.Interp = object.CString(name)
	return err
}

func (e *elfFile) prog(t elf.ProgType) *elf.ProgHeader {
	for i := range e.progs {
		if e.progs[i].Type == t {
			return &e.progs[i]
		}
	}
	return nil
}

func (e *elfFile) section(b []byte) elf.SectionHeader {
	return elf.SectionHeader{
		Type: elf.SectionType(e.order.Uint32(b[4:])), Flags: elf.SectionFlag(e.word(b, 8, 8)), Addr: e.word(b, 12, 16), Offset: e.word(b, 16, 24), Size: e.word(b, 20, 32),
		Link: uint32(e.at32(b, 24, 40)), Info: uint32(e.at32(b, 28, 44)), Addralign: e.word(b, 32, 48), Entsize: e.word(b, 36, 56),
	}
}

// at32 reads a 32-bit field at the place that it has in each class.
func (e *elfFile) at32(b []byte, at32, at64 int) uint32 {
	if e.wide() {
		return e.order.Uint32(b[at64:])
	}
	return e.order.Uint32(b[at32:])
}

// readSections reads the table of sections with their names. A file may have none: the loader does not look at it.
func (e *elfFile) readSections() error {
	if e.shoff == 0 || e.shnum == 0 {
		return nil
	}
	want := uint64(40)
	if e.wide() {
		want = 64
	}
	if e.shentry != want {
		return object.Damaged("a section header has %d bytes, not %d", e.shentry, want)
	}
	if e.shnum > uint64(e.Size)/want {
		return object.Damaged("the table of sections lies outside of the file (%d headers at %d of %d)", e.shnum, e.shoff, e.Size)
	}
	table, err := e.Bytes(e.shoff, e.shnum*want, "the table of sections")
	if err != nil {
		return err
	}
	e.sections = make([]elf.SectionHeader, 0, e.shnum)
	names := make([]uint32, 0, e.shnum)
	for b := table; len(b) > 0; b = b[want:] {
		e.sections = append(e.sections, e.section(b))
		names = append(names, e.order.Uint32(b))
	}
	if e.shstrndx == 0 {
		return nil
	}
	if e.shstrndx >= e.shnum {
		return object.Damaged("the table of section names is section %d of %d", e.shstrndx, e.shnum)
	}
	data, err := e.content(&e.sections[e.shstrndx])
	if err != nil {
		return err
	}
	t := object.NewNames(data)
	for i := range e.sections {
		if e.sections[i].Name, err = t.At(uint64(names[i])); err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
	}
	for i := range e.sections[1:] {
		s := &e.sections[i+1]
		if s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL && (s.Offset > uint64(e.Size) || s.Size > uint64(e.Size)-s.Offset) {
			return object.Damaged("section %q lies outside of the file (%d bytes at %d of %d)", s.Name, s.Size, s.Offset, e.Size)
		}
	}
	return nil
}

func (e *elfFile) named(name string) *elf.SectionHeader {
	for i := range e.sections {
		if e.sections[i].Name == name {
			return &e.sections[i]
		}
	}
	return nil
}

// content reads a section as it lies in the file; of one that is compressed, nothing.
func (e *elfFile) content(s *elf.SectionHeader) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	return e.Bytes(s.Offset, s.Size, fmt.Sprintf("section %q", s.Name))
}

// linked returns the section that another names as its partner: a symbol table's names.
func (e *elfFile) linked(s *elf.SectionHeader) (*elf.SectionHeader, error) {
	if uint64(s.Link) >= uint64(len(e.sections)) {
		return nil, object.Damaged("section %q links to section %d of %d", s.Name, s.Link, len(e.sections))
	}
	return &e.sections[s.Link], nil
}
