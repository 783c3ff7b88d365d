package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestELF reads the same tables in both classes and byte orders.
func TestELF(t *testing.T) {
	for name, data := range map[string][]byte{
		"64 bits, little-endian": notesAndSymbols(true, binary.LittleEndian), "32 bits, little-endian": notesAndSymbols(false, binary.LittleEndian),
		"64 bits, big-endian": notesAndSymbols(true, binary.BigEndian), "32 bits, big-endian": notesAndSymbols(false, binary.BigEndian),
	} {
		if err := readWhole(Memory(data)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, err := OpenELF(NewSource(bytes.NewReader(data), int64(len(data))))
		if err != nil || e.ReadSections() != nil {
			t.Fatal(err)
		}
		var symbols []string
		if err := e.SymbolTable(elf.SHT_SYMTAB, func(s elf.Symbol) {
			symbols = append(symbols, fmt.Sprintf("%s %d %#x %d", s.Name, s.Section, s.Value, s.Size))
		}); err != nil {
			t.Fatal(err)
		}
		// The section of the last one is in a table of its own.
		if want := []string{" 0 0x10 8", "main 1 0x10 8", "other 2 0x10 8"}; !slices.Equal(symbols, want) {
			t.Errorf("%s: symbols %q, want %q", name, symbols, want)
		}
		if data, err := e.Unpacked(e.Section(".debug_str")); err != nil || string(data) != strings.Repeat("text ", 40) {
			t.Errorf("%s: what was compressed: %q, %v", name, data, err)
		}
		note, err := e.Content(e.Section(".note"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		Notes(note, e.Order, 4, func(name string, kind uint32, desc []byte) {
			Properties(desc, e.Order, e.WordSize(), func(property uint32, value []byte) {
				if name == "GNU" && kind == 5 && property == 0xc0000002 && e.Order.Uint32(value) == 3 {
					found++
				}
			})
		})
		if found != 1 {
			t.Errorf("%s: %d properties, want one", name, found)
		}
	}
}

// TestLikeDebugELF reads this test's own program as debug/elf does.
func TestLikeDebugELF(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Skip("no ELF host")
	}
	defer f.Close()
	s, c, err := Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e, err := OpenELF(s)
	if err != nil || e.ReadSections() != nil {
		t.Fatal(err)
	}
	if e.Type != f.Type || e.Machine != f.Machine || e.Entry != f.Entry || len(e.Progs) != len(f.Progs) || len(e.Sections) != len(f.Sections) {
		t.Fatalf("%+v, want %+v", e.Header, f.FileHeader)
	}
	for i, p := range f.Progs {
		if e.Progs[i] != p.ProgHeader {
			t.Errorf("segment %d: %+v, want %+v", i, e.Progs[i], p.ProgHeader)
		}
	}
	for i, p := range f.Sections {
		want := p.SectionHeader
		want.FileSize = 0
		if p.Flags&elf.SHF_COMPRESSED == 0 && e.Sections[i] != want {
			t.Errorf("section %d: %+v, want %+v", i, e.Sections[i], want)
		}
		got, err := e.Unpacked(&e.Sections[i])
		data, oerr := p.Data()
		if p.Type != elf.SHT_NOBITS && (err != nil || oerr != nil || !bytes.Equal(got, data)) {
			t.Errorf("section %s: %d bytes, %v; want %d, %v", p.Name, len(got), err, len(data), oerr)
		}
	}
	want, err := f.Symbols()
	if err != nil {
		t.Skip("a test without symbols")
	}
	var got []elf.Symbol
	if err := e.SymbolTable(elf.SHT_SYMTAB, func(s elf.Symbol) { got = append(got, s) }); err != nil || !slices.Equal(got[1:], want) {
		t.Errorf("%d symbols, %v; want %d", len(got)-1, err, len(want))
	}
}
