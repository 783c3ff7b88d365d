package inspect

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// symbols lists what the file has for others and what it wants from them: by its dynamic symbols, or an object's own
// table.
func (e *elfFile) symbols(r *Report, d *dynamic) error {
	if r.Kind == Relocatable {
		return e.symbolTable(elf.SHT_SYMTAB, func(s elfSymbol) { r.addSymbol(s, Symbol{Name: s.name}) })
	}
	if !d.present {
		return nil
	}
	addr, ok := d.tags[elf.DT_SYMTAB]
	if !ok {
		return nil
	}
	n, err := e.dynamicSymbols(d, addr)
	if err != nil || n == 0 {
		return err
	}
	if n > uint64(e.Size) {
		return object.Damaged("%d dynamic symbols are more than fit into it", n)
	}
	data, err := e.memory(addr, n*e.symbolSize(), "the table of dynamic symbols")
	if err != nil {
		return err
	}
	var versions []byte
	if at, ok := d.tags[elf.DT_VERSYM]; ok {
		if versions, err = e.memory(at, 2*n, "the table of symbol versions"); err != nil {
			return err
		}
	}
	i := 0
	return e.eachSymbol(data, d.names, func(s elfSymbol) {
		sym := Symbol{Name: s.name}
		if versions != nil {
			// 0 is local, 1 is global without a version.
			if v := int(e.order.Uint16(versions[2*i:]) & 0x7fff); v > 1 && v < len(d.versions) {
				sym.Version, sym.Library = d.versions[v], d.libraries[v]
			}
		}
		i++
		r.addSymbol(s, sym)
	})
}

// indirect looks for a function that a resolver is to choose. Of a linked file its symbol is that of the place through
// which it is called: lld puts those into a section of their own (.iplt, lld/ELF/SyntheticSections.cpp), which is empty
// on a machine for which it writes none.
func (e *elfFile) indirect(r *Report) error {
	plt := slices.IndexFunc(e.sections, func(s elf.SectionHeader) bool { return s.Name == ".iplt" })
	if plt >= 0 {
		r.Indirect = ".iplt" // a stripped file says no more
	}
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		if err := e.symbolTable(kind, func(s elfSymbol) {
			is := elf.ST_TYPE(s.info) == elf.STT_GNU_IFUNC || plt >= 0 && int(s.section) == plt
			if is && s.name != "" && (r.Indirect == "" || r.Indirect == ".iplt") {
				r.Indirect = s.name
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// uncalled looks for constructors of before 2012. GNU ld puts what lies in .ctors and .dtors into the arrays that the C
// library calls (its scripttempl/elf.sc, CTORS_IN_INIT_ARRAY); lld leaves it where it is. In a file of an old GCC the
// list begins with -1, and that GCC's own crtend.o calls it.
func (e *elfFile) uncalled(r *Report) error {
	for i := range e.sections {
		s := &e.sections[i]
		name, _, _ := strings.Cut(strings.TrimPrefix(s.Name, "."), ".")
		if name != "ctors" && name != "dtors" || s.Type == elf.SHT_NOBITS || s.Size == 0 {
			continue
		}
		word := uint64(4)
		if e.wide() {
			word = 8
		}
		first, err := e.Bytes(s.Offset, min(s.Size, word), "section "+s.Name)
		if err != nil {
			return err
		}
		if bytes.Count(first, []byte{0xff}) != len(first) {
			r.Uncalled = s.Name
			return nil
		}
	}
	return nil
}

type elfSymbol struct {
	name        string
	info, other byte
	section     elf.SectionIndex
}

func (r *Report) addSymbol(s elfSymbol, sym Symbol) {
	bind := elf.ST_BIND(s.info)
	if s.name == "" || bind == elf.STB_LOCAL {
		return
	}
	if s.section == elf.SHN_UNDEF {
		sym.Weak = bind == elf.STB_WEAK
		r.Undefined = append(r.Undefined, sym)
		return
	}
	if v := elf.ST_VISIBILITY(s.other); v == elf.STV_DEFAULT || v == elf.STV_PROTECTED {
		sym.Library = ""
		r.Exported = append(r.Exported, sym)
	}
}

func (e *elfFile) symbolSize() uint64 {
	if e.wide() {
		return elf.Sym64Size
	}
	return elf.Sym32Size
}

// eachSymbol goes through a table of symbols.
func (e *elfFile) eachSymbol(data []byte, names *object.Names, use func(elfSymbol)) error {
	size := int(e.symbolSize())
	for b := data; len(b) >= size; b = b[size:] {
		name, err := names.At(uint64(e.order.Uint32(b)))
		if err != nil {
			return err
		}
		s := elfSymbol{name: name}
		if e.wide() {
			s.info, s.other, s.section = b[4], b[5], elf.SectionIndex(e.order.Uint16(b[6:]))
		} else {
			s.info, s.other, s.section = b[12], b[13], elf.SectionIndex(e.order.Uint16(b[14:]))
		}
		use(s)
	}
	return nil
}

// symbolTable goes through the symbols of the first section of a kind.
func (e *elfFile) symbolTable(kind elf.SectionType, use func(elfSymbol)) error {
	i := slices.IndexFunc(e.sections, func(s elf.SectionHeader) bool { return s.Type == kind })
	if i < 0 {
		return nil
	}
	data, err := e.content(&e.sections[i])
	if err != nil {
		return err
	}
	table, err := e.linked(&e.sections[i])
	if err != nil {
		return err
	}
	names, err := e.content(table)
	if err != nil {
		return err
	}
	return e.eachSymbol(data, object.NewNames(names), use)
}

// dynamicSymbols is how many there are. Nothing in the dynamic section says it: the table of sections does; without
// one, the hash tables for what is exported.
func (e *elfFile) dynamicSymbols(d *dynamic, addr uint64) (uint64, error) {
	for i := range e.sections {
		if s := &e.sections[i]; s.Type == elf.SHT_DYNSYM && s.Addr == addr {
			return s.Size / e.symbolSize(), nil
		}
	}
	if n, ok := d.tags[elf.DT_MIPS_SYMTABNO]; ok && e.Machine == elf.EM_MIPS {
		return n, nil
	}
	if at, ok := d.tags[elf.DT_HASH]; ok {
		// s390x has words of eight bytes (zSeries ELF ABI supplement, "Hash Table").
		if e.Machine == elf.EM_S390 && e.wide() {
			head, err := e.memory(at, 16, "the hash table")
			if err != nil {
				return 0, err
			}
			return e.order.Uint64(head[8:]), nil
		}
		head, err := e.memory(at, 8, "the hash table")
		if err != nil {
			return 0, err
		}
		return uint64(e.order.Uint32(head[4:])), nil
	}
	if at, ok := d.tags[elf.DT_GNU_HASH]; ok {
		return e.gnuHashed(at)
	}
	return 0, nil
}

// gnuHashed counts the symbols of a GNU hash table: the last chain's last entry has its lowest bit set.
func (e *elfFile) gnuHashed(at uint64) (uint64, error) {
	const what = "the GNU hash table"
	head, err := e.memory(at, 16, what)
	if err != nil {
		return 0, err
	}
	buckets, first, bloom := uint64(e.order.Uint32(head)), uint64(e.order.Uint32(head[4:])), uint64(e.order.Uint32(head[8:]))
	word := uint64(4)
	if e.wide() {
		word = 8
	}
	at += 16 + bloom*word
	table, err := e.memory(at, 4*buckets, what)
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	for b := table; len(b) > 0; b = b[4:] {
		last = max(last, uint64(e.order.Uint32(b)))
	}
	if last < first {
		return first, nil
	}
	at += 4 * buckets
	chains, err := e.memory(at, min(e.rest(at), 1<<29)&^3, what)
	if err != nil {
		return 0, err
	}
	for i := last - first; (i+1)*4 <= uint64(len(chains)); i++ {
		if e.order.Uint32(chains[4*i:])&1 != 0 {
			return first + i + 1, nil
		}
	}
	return 0, object.Damaged("%s does not end", what)
}

// symbolNames calls use with the name of every symbol that is known of the file, exported or not.
func (e *elfFile) symbolNames(r *Report, use func(string)) error {
	for _, list := range [][]Symbol{r.Exported, r.Undefined} {
		for _, s := range list {
			use(s.Name)
		}
	}
	if r.Kind == Relocatable || r.Kind == DebugOnly || r.Link == Dynamic || r.Kind == Shared {
		return nil
	}
	return e.symbolTable(elf.SHT_SYMTAB, func(s elfSymbol) { use(s.name) })
}
