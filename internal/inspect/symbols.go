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
func (e elfFile) symbols(r *Report, d *object.Dynamic) error {
	if r.Kind == Relocatable {
		return e.SymbolTable(elf.SHT_SYMTAB, func(s elf.Symbol) { r.addSymbol(s, Symbol{Name: s.Name}) })
	}
	return e.DynamicSymbols(d, func(s elf.Symbol) {
		r.addSymbol(s, Symbol{Name: s.Name, Version: s.Version, Library: s.Library})
	})
}

// indirect looks for a function that a resolver is to choose. Of a linked file its symbol is that of the place through
// which it is called: lld puts those into a section of their own (.iplt, lld/ELF/SyntheticSections.cpp), which is empty
// on a machine for which it writes none.
func (e elfFile) indirect(r *Report) error {
	plt := slices.IndexFunc(e.Sections, func(s elf.SectionHeader) bool { return s.Name == ".iplt" })
	if plt >= 0 {
		r.Indirect = ".iplt" // a stripped file says no more
	}
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		if err := e.SymbolTable(kind, func(s elf.Symbol) {
			is := elf.ST_TYPE(s.Info) == elf.STT_GNU_IFUNC || plt >= 0 && int(s.Section) == plt
			if is && s.Name != "" && (r.Indirect == "" || r.Indirect == ".iplt") {
				r.Indirect = s.Name
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
func (e elfFile) uncalled(r *Report) error {
	for i := range e.Sections {
		s := &e.Sections[i]
		name, _, _ := strings.Cut(strings.TrimPrefix(s.Name, "."), ".")
		if name != "ctors" && name != "dtors" || s.Type == elf.SHT_NOBITS || s.Size == 0 {
			continue
		}
		first, err := e.Bytes(s.Offset, min(s.Size, e.WordSize()), "section "+s.Name)
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

func (r *Report) addSymbol(s elf.Symbol, sym Symbol) {
	bind := elf.ST_BIND(s.Info)
	if s.Name == "" || bind == elf.STB_LOCAL {
		return
	}
	if s.Section == elf.SHN_UNDEF {
		sym.Weak = bind == elf.STB_WEAK
		r.Undefined = append(r.Undefined, sym)
		return
	}
	if v := elf.ST_VISIBILITY(s.Other); v == elf.STV_DEFAULT || v == elf.STV_PROTECTED {
		sym.Library = ""
		r.Exported = append(r.Exported, sym)
	}
}

// symbolNames calls use with the name of every symbol that is known of the file, exported or not.
func (e elfFile) symbolNames(r *Report, use func(string)) error {
	for _, list := range [][]Symbol{r.Exported, r.Undefined} {
		for _, s := range list {
			use(s.Name)
		}
	}
	if r.Kind == Relocatable || r.Kind == DebugOnly || r.Link == Dynamic || r.Kind == Shared {
		return nil
	}
	return e.SymbolTable(elf.SHT_SYMTAB, func(s elf.Symbol) { use(s.Name) })
}
