package object

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"
)

// bounded reads a file in both ways, from memory and by pieces. It fails where that takes more time or memory than the
// file's size allows, or ends with an error of another kind.
func bounded(t testing.TB, data []byte, read func(*Source) error) {
	t.Helper()
	for _, s := range []*Source{Memory(data), NewSource(bytes.NewReader(data), int64(len(data)))} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := read(s)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("an error of another kind: %v", err)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 64*uint64(len(data))+8<<20 {
			t.Fatalf("%d kB allocated for a file of %d kB", grew>>10, len(data)>>10)
		}
		if took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
	}
}

func readAr(s *Source) error {
	for m, err := range Members(s) {
		if err != nil {
			return err
		}
		if _, err := s.Part(m.Offset, m.Size); err != nil {
			return err
		}
	}
	return nil
}

func FuzzAr(f *testing.F) {
	f.Add(gnuArchive(false))
	f.Add(gnuArchive(true))
	f.Add([]byte("!<arch>\n/               0           0     0     0       4         `\n\x00\x00\x00\x00"))
	f.Add([]byte("!<thin>\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, data, readAr)
		bounded(t, data, func(*Source) error {
			ArchiveIndex(data)
			return nil
		})
		listed(t, data)
	})
}

// readWhole reads all of an ELF file that this package reads.
func readWhole(s *Source) error {
	e, err := OpenELF(s)
	if err != nil {
		return err
	}
	if err := errors.Join(e.ReadInterp(), e.ReadSections()); err != nil {
		return err
	}
	for i := range e.Sections {
		h := &e.Sections[i]
		switch h.Type {
		case elf.SHT_SYMTAB, elf.SHT_DYNSYM:
			err = e.Symbols(h, func(elf.Symbol) {})
		case elf.SHT_NOTE:
			var data []byte
			data, err = e.Content(h)
			Notes(data, e.Order, h.Addralign, func(name string, kind uint32, desc []byte) {
				Properties(desc, e.Order, e.WordSize(), func(uint32, []byte) {})
			})
		}
		if err != nil {
			return err
		}
	}
	d, err := e.ReadDynamic()
	if err != nil {
		return err
	}
	return e.DynamicSymbols(d, func(elf.Symbol) {})
}

// notesAndSymbols is an object with symbols, a note of properties, and a section that is compressed.
func notesAndSymbols(wide bool, order binary.AppendByteOrder) []byte {
	packed := bytes.NewBuffer(nil)
	z := zlib.NewWriter(packed)
	z.Write(bytes.Repeat([]byte("text "), 40))
	z.Close()
	word := func(b []byte, v uint64) []byte {
		if wide {
			return order.AppendUint64(b, v)
		}
		return order.AppendUint32(b, uint32(v))
	}
	compressed := order.AppendUint32(nil, uint32(elf.COMPRESS_ZLIB))
	if wide {
		compressed = order.AppendUint32(compressed, 0)
	}
	compressed = append(word(word(compressed, 200), 1), packed.Bytes()...)
	property := order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, 0xc0000002), 4), 3)
	for len(property)%8 != 0 {
		property = append(property, 0)
	}
	note := order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, 4), uint32(len(property))), 5)
	note = append(append(note, "GNU\x00"...), property...)
	symbol := func(name uint32, info byte, section uint16) []byte {
		b := order.AppendUint32(nil, name)
		if wide {
			b = order.AppendUint16(append(b, info, 0), section)
			return word(word(b, 0x10), 8)
		}
		b = append(word(word(b, 0x10), 8), info, 0)
		return order.AppendUint16(b, section)
	}
	symbols := slices.Concat(symbol(0, 0, 0), symbol(1, elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), 1), symbol(6, elf.ST_INFO(elf.STB_WEAK, elf.STT_NOTYPE), uint16(elf.SHN_XINDEX)))
	indexes := slices.Concat(order.AppendUint32(nil, 0), order.AppendUint32(nil, 0), order.AppendUint32(nil, 2))
	sections := []struct {
		name string
		kind elf.SectionType
		data []byte
		link uint32
		flag elf.SectionFlag
	}{
		{"", elf.SHT_NULL, nil, 0, 0},
		{".note", elf.SHT_NOTE, note, 0, elf.SHF_ALLOC},
		{".debug_str", elf.SHT_PROGBITS, compressed, 0, elf.SHF_COMPRESSED},
		{".symtab", elf.SHT_SYMTAB, symbols, 4, 0},
		{".strtab", elf.SHT_STRTAB, []byte("\x00main\x00other\x00"), 0, 0},
		{".symtab_shndx", elf.SHT_SYMTAB_SHNDX, indexes, 3, 0},
		{".shstrtab", elf.SHT_STRTAB, nil, 0, 0},
	}
	var names []byte
	for _, s := range sections {
		names = append(append(names, s.name...), 0)
	}
	sections[6].data = names
	size, class, data := 52, elf.ELFCLASS32, elf.ELFDATA2LSB
	if wide {
		size, class = 64, elf.ELFCLASS64
	}
	if order.String() == "BigEndian" {
		data = elf.ELFDATA2MSB
	}
	var content, table []byte
	name := uint32(0)
	for _, s := range sections {
		table = order.AppendUint32(order.AppendUint32(table, name), uint32(s.kind))
		name += uint32(len(s.name) + 1)
		table = word(word(word(word(table, uint64(s.flag)), 0), uint64(size+len(content))), uint64(len(s.data)))
		table = order.AppendUint32(order.AppendUint32(table, s.link), 0)
		table = word(word(table, 8), 0)
		content = append(content, s.data...)
		for len(content)%8 != 0 {
			content = append(content, 0)
		}
	}
	b := append([]byte(elf.ELFMAG), byte(class), byte(data), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = order.AppendUint16(order.AppendUint16(b, uint16(elf.ET_REL)), uint16(elf.EM_X86_64))
	b = word(word(word(order.AppendUint32(b, 1), 0), 0), uint64(size+len(content)))
	b = order.AppendUint32(b, 0)
	for _, v := range []int{size, 0, 0, len(table) / len(sections), len(sections), 6} {
		b = order.AppendUint16(b, uint16(v))
	}
	return append(append(b, content...), table...)
}

func FuzzELF(f *testing.F) {
	f.Add(sample())
	f.Add(notesAndSymbols(true, binary.LittleEndian))
	f.Add(notesAndSymbols(false, binary.LittleEndian))
	f.Add(notesAndSymbols(true, binary.BigEndian))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, data, readWhole)
		e, err := OpenELF(Memory(data))
		if err != nil || e.ReadSections() != nil {
			return
		}
		for i := range e.Sections {
			if h := &e.Sections[i]; h.Flags&elf.SHF_COMPRESSED != 0 && h.Size < 1<<12 {
				if unpacked, _ := e.Unpacked(h); len(unpacked) > 8<<20 {
					t.Fatalf("%d bytes became %d", h.Size, len(unpacked))
				}
			}
		}
	})
}

// readPE reads all of a PE file that this package reads.
func readPE(s *Source) error {
	if !IsPE(s) {
		return ErrFormat
	}
	f, err := OpenPE(s)
	if err != nil {
		return err
	}
	for i := range f.Sections {
		h := &f.Sections[i]
		if _, err := f.Content(h); err != nil {
			return err
		}
		if !f.Object {
			continue
		}
		if _, err := f.Relocations(h); err != nil {
			return err
		}
	}
	if err := f.Symbols(func(COFFSymbol) {}); err != nil {
		return err
	}
	if _, _, err := f.Exports(); err != nil {
		return err
	}
	if err := f.ExportedFunctions(func(uint32, string) {}); err != nil {
		return err
	}
	_, err = f.Imports(func(PEImport) {})
	return err
}

// FuzzPE's seeds are in testdata/fuzz: programs, libraries and objects for Windows.
func FuzzPE(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) { bounded(t, data, readPE) })
}

// readMachO reads all of a Mach-O file, or of a fat one, that this package reads.
func readMachO(s *Source) error {
	if IsFat(s) {
		parts, err := FatParts(s)
		if err != nil {
			return err
		}
		for _, p := range parts {
			part, err := s.Part(p.Offset, p.Size)
			if err != nil {
				return err
			}
			if !IsMachO(part) {
				continue
			}
			if err := readThin(part); err != nil {
				return err
			}
		}
		return nil
	}
	if !IsMachO(s) {
		return ErrFormat
	}
	return readThin(s)
}

func readThin(s *Source) error {
	f, err := OpenMachO(s)
	if err != nil {
		return err
	}
	for _, c := range f.Commands {
		switch c.Cmd {
		case LCSegment, LCSegment64:
			_, err = f.Segment(c)
		case LCSymtab:
			err = f.Symbols(c, func(MachOSymbol) {})
		case LCLoadDylib, LCLoadDylinker, LCRPath:
			_, err = f.Text(c, 2)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// FuzzMachO's seeds are in testdata/fuzz: programs, an object, and fat files.
func FuzzMachO(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) { bounded(t, data, readMachO) })
}
