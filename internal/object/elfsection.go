package object

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

func (e *ELFFile) section(b []byte) elf.SectionHeader {
	return elf.SectionHeader{
		Type: elf.SectionType(e.Order.Uint32(b[4:])), Flags: elf.SectionFlag(e.word(b, 8, 8)),
		Addr: e.word(b, 12, 16), Offset: e.word(b, 16, 24), Size: e.word(b, 20, 32),
		Link: e.half(b, 24, 40), Info: e.half(b, 28, 44), Addralign: e.word(b, 32, 48), Entsize: e.word(b, 36, 56),
	}
}

// ReadSections reads the table of sections with their names. A file may have none: the loader does not look at it.
func (e *ELFFile) ReadSections() error {
	if e.shoff == 0 || e.shnum == 0 {
		return nil
	}
	want := e.sectionSize()
	if e.shentry != want {
		return Damaged("a section header has %d bytes, not %d", e.shentry, want)
	}
	if e.shnum > uint64(e.Size)/want {
		return Damaged("the table of sections lies outside of the file (%d headers at %d of %d)", e.shnum, e.shoff, e.Size)
	}
	table, err := e.Bytes(e.shoff, e.shnum*want, "the table of sections")
	if err != nil {
		return err
	}
	e.Sections = make([]elf.SectionHeader, 0, e.shnum)
	names := make([]uint32, 0, e.shnum)
	for b := table; len(b) > 0; b = b[want:] {
		e.Sections = append(e.Sections, e.section(b))
		names = append(names, e.Order.Uint32(b))
	}
	if e.shstrndx == 0 {
		return nil
	}
	if e.shstrndx >= e.shnum {
		return Damaged("the table of section names is section %d of %d", e.shstrndx, e.shnum)
	}
	data, err := e.Content(&e.Sections[e.shstrndx])
	if err != nil {
		return err
	}
	t := NewNames(data)
	for i := range e.Sections {
		if e.Sections[i].Name, err = t.At(uint64(names[i])); err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
	}
	for i := range e.Sections[1:] {
		s := &e.Sections[i+1]
		if s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL {
			continue
		}
		if s.Offset > uint64(e.Size) || s.Size > uint64(e.Size)-s.Offset {
			return Damaged("section %q lies outside of the file (%d bytes at %d of %d)", s.Name, s.Size, s.Offset, e.Size)
		}
	}
	return nil
}

// Section is the first section of a name, nil where there is none.
func (e *ELFFile) Section(name string) *elf.SectionHeader {
	for i := range e.Sections {
		if e.Sections[i].Name == name {
			return &e.Sections[i]
		}
	}
	return nil
}

// Content reads a section as it lies in the file; of one that is compressed, nothing.
func (e *ELFFile) Content(s *elf.SectionHeader) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	return e.Bytes(s.Offset, s.Size, fmt.Sprintf("section %q", s.Name))
}

// zstdWindow is the window that every decoder has to have (RFC 8878, 3.1.1.1.2), and more than assemblers use.
const zstdWindow = 8 << 20

// Unpacked reads a section, and unpacks one that is compressed (gABI, "Section Compression"). It allocates as it
// unpacks, not what the section says, and no more than is read of one table.
func (e *ELFFile) Unpacked(s *elf.SectionHeader) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED == 0 {
		return e.Content(s)
	}
	data, err := e.Bytes(s.Offset, s.Size, fmt.Sprintf("section %q", s.Name))
	if err != nil {
		return nil, err
	}
	head := int(3 * e.WordSize())
	if len(data) < head {
		return nil, Damaged("section %q has no header of its compression", s.Name)
	}
	kind, size := elf.CompressionType(e.Order.Uint32(data)), e.word(data, 4, 8)
	if size > largest {
		return nil, Damaged("section %q unpacks to %d bytes, more than is read of one table", s.Name, size)
	}
	var r io.Reader
	switch kind {
	case elf.COMPRESS_ZLIB:
		r, err = zlib.NewReader(bytes.NewReader(data[head:]))
	case elf.COMPRESS_ZSTD:
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(data[head:]),
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err == nil {
			defer d.Close()
			r = d
		}
	default:
		return nil, Damaged("section %q is compressed in a way %d that is none", s.Name, kind)
	}
	var out bytes.Buffer
	if err == nil {
		_, err = io.Copy(&out, io.LimitReader(r, int64(size)))
	}
	if err != nil {
		return nil, Damaged("section %q: %v", s.Name, err)
	}
	return out.Bytes(), nil
}

// Linked returns the section that another names as its partner: a symbol table's names.
func (e *ELFFile) Linked(s *elf.SectionHeader) (*elf.SectionHeader, error) {
	if uint64(s.Link) >= uint64(len(e.Sections)) {
		return nil, Damaged("section %q links to section %d of %d", s.Name, s.Link, len(e.Sections))
	}
	return &e.Sections[s.Link], nil
}

// Notes goes through one block of notes. One that does not fit ends it: nothing that runs depends on them.
func Notes(data []byte, order binary.ByteOrder, align uint64, use func(name string, kind uint32, desc []byte)) {
	if align != 8 {
		align = 4
	}
	round := func(v uint64) uint64 { return (v + align - 1) &^ (align - 1) }
	for uint64(len(data)) >= 12 {
		nameSize, size, kind := uint64(order.Uint32(data)), uint64(order.Uint32(data[4:])), order.Uint32(data[8:])
		from := round(12 + nameSize)
		if from > uint64(len(data)) || size > uint64(len(data))-from {
			return
		}
		use(CString(data[12:12+nameSize]), kind, data[from:from+size])
		data = data[min(round(from+size), uint64(len(data))):]
	}
}

// Properties goes through the descriptor of a note of properties, each padded to the size of a word (Linux Extensions
// to gABI, ".note.gnu.property").
func Properties(desc []byte, order binary.ByteOrder, word uint64, use func(kind uint32, value []byte)) {
	for len(desc) >= 8 {
		kind, size := order.Uint32(desc), uint64(order.Uint32(desc[4:]))
		if size > uint64(len(desc)-8) {
			return
		}
		use(kind, desc[8:8+size])
		desc = desc[min(8+(size+word-1)&^(word-1), uint64(len(desc))):]
	}
}
