package object

import (
	"debug/elf"
	"slices"
)

func (e *ELFFile) symbolSize() uint64 {
	if e.Wide() {
		return elf.Sym64Size
	}
	return elf.Sym32Size
}

// eachSymbol goes through a table of symbols, the first of which is none. indexes has the sections of those whose
// number does not fit (SHT_SYMTAB_SHNDX).
func (e *ELFFile) eachSymbol(data []byte, names *Names, indexes []byte, use func(elf.Symbol)) error {
	size := int(e.symbolSize())
	for b, i := data, 0; len(b) >= size; b, i = b[size:], i+1 {
		name, err := names.At(uint64(e.Order.Uint32(b)))
		if err != nil {
			return err
		}
		s := elf.Symbol{Name: name, Value: e.word(b, 4, 8), Size: e.word(b, 8, 16)}
		if e.Wide() {
			s.Info, s.Other, s.Section = b[4], b[5], elf.SectionIndex(e.Order.Uint16(b[6:]))
		} else {
			s.Info, s.Other, s.Section = b[12], b[13], elf.SectionIndex(e.Order.Uint16(b[14:]))
		}
		if s.Section == elf.SHN_XINDEX && len(indexes) >= 4*(i+1) {
			s.Section = elf.SectionIndex(e.Order.Uint32(indexes[4*i:]))
		}
		use(s)
	}
	return nil
}

// Symbols goes through a section that is a table of symbols, from its first entry, which is none.
func (e *ELFFile) Symbols(s *elf.SectionHeader, use func(elf.Symbol)) error {
	data, err := e.Content(s)
	if err != nil {
		return err
	}
	table, err := e.Linked(s)
	if err != nil {
		return err
	}
	names, err := e.Content(table)
	if err != nil {
		return err
	}
	var indexes []byte
	for i := range e.Sections {
		x := &e.Sections[i]
		if x.Type == elf.SHT_SYMTAB_SHNDX && uint64(x.Link) < uint64(len(e.Sections)) && &e.Sections[x.Link] == s {
			if indexes, err = e.Content(x); err != nil {
				return err
			}
		}
	}
	return e.eachSymbol(data, NewNames(names), indexes, use)
}

// SymbolTable goes through the symbols of the first section of a kind.
func (e *ELFFile) SymbolTable(kind elf.SectionType, use func(elf.Symbol)) error {
	i := slices.IndexFunc(e.Sections, func(s elf.SectionHeader) bool { return s.Type == kind })
	if i < 0 {
		return nil
	}
	return e.Symbols(&e.Sections[i], use)
}

// DynamicSymbols goes through the symbols that the loader sees, from the first entry of their table, with the versions
// that they have or ask for.
func (e *ELFFile) DynamicSymbols(d *Dynamic, use func(elf.Symbol)) error {
	addr, ok := d.tags[elf.DT_SYMTAB]
	if !ok {
		return nil
	}
	n, err := e.dynamicSymbols(d, addr)
	if err != nil || n == 0 {
		return err
	}
	if n > uint64(e.Size) {
		return Damaged("%d dynamic symbols are more than fit into it", n)
	}
	data, err := e.Memory(addr, n*e.symbolSize(), "the table of dynamic symbols")
	if err != nil {
		return err
	}
	var versions []byte
	if at, ok := d.tags[elf.DT_VERSYM]; ok {
		if versions, err = e.Memory(at, 2*n, "the table of symbol versions"); err != nil {
			return err
		}
	}
	i := 0
	return e.eachSymbol(data, d.names, nil, func(s elf.Symbol) {
		if versions != nil {
			// 0 is local, 1 is global without a version.
			if v := int(e.Order.Uint16(versions[2*i:]) & 0x7fff); v > 1 && v < len(d.versions) {
				s.Version, s.Library = d.versions[v], d.libraries[v]
			}
		}
		i++
		use(s)
	})
}

// dynamicSymbols is how many there are. Nothing in the dynamic section says it: the table of sections does; without
// one, the hash tables for what is exported.
func (e *ELFFile) dynamicSymbols(d *Dynamic, addr uint64) (uint64, error) {
	for i := range e.Sections {
		if s := &e.Sections[i]; s.Type == elf.SHT_DYNSYM && s.Addr == addr {
			return s.Size / e.symbolSize(), nil
		}
	}
	if n, ok := d.tags[elf.DT_MIPS_SYMTABNO]; ok && e.Machine == elf.EM_MIPS {
		return n, nil
	}
	if at, ok := d.tags[elf.DT_HASH]; ok {
		// s390x has words of eight bytes (zSeries ELF ABI supplement, "Hash Table").
		if e.Machine == elf.EM_S390 && e.Wide() {
			head, err := e.Memory(at, 16, "the hash table")
			if err != nil {
				return 0, err
			}
			return e.Order.Uint64(head[8:]), nil
		}
		head, err := e.Memory(at, 8, "the hash table")
		if err != nil {
			return 0, err
		}
		return uint64(e.Order.Uint32(head[4:])), nil
	}
	if at, ok := d.tags[elf.DT_GNU_HASH]; ok {
		return e.gnuHashed(at)
	}
	return 0, nil
}

// gnuHashed counts the symbols of a GNU hash table: the last chain's last entry has its lowest bit set.
func (e *ELFFile) gnuHashed(at uint64) (uint64, error) {
	const what = "the GNU hash table"
	head, err := e.Memory(at, 16, what)
	if err != nil {
		return 0, err
	}
	word := func(i int) uint64 { return uint64(e.Order.Uint32(head[4*i:])) }
	buckets, first, bloom := word(0), word(1), word(2)
	at += 16 + bloom*e.WordSize()
	table, err := e.Memory(at, 4*buckets, what)
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	for b := table; len(b) > 0; b = b[4:] {
		last = max(last, uint64(e.Order.Uint32(b)))
	}
	if last < first {
		return first, nil
	}
	at += 4 * buckets
	chains, err := e.Memory(at, min(e.Rest(at), largest)&^3, what)
	if err != nil {
		return 0, err
	}
	for i := last - first; (i+1)*4 <= uint64(len(chains)); i++ {
		if e.Order.Uint32(chains[4*i:])&1 != 0 {
			return first + i + 1, nil
		}
	}
	return 0, Damaged("%s does not end", what)
}
