package crash

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// A module is a program or library that was in memory.
type module struct {
	path  string // "" where nothing on this machine is it
	name  string // as the program called it
	base  uint64 // added to the addresses in the file
	elf   *object.ELFFile
	file  io.Closer
	dwarf *dwarf.Data
	funcs []elf.Symbol // by address
}

// modules are the program and the libraries that it had loaded. sysroot is where the program's own paths are looked up
// first.
func (c *core) modules(program, sysroot string) []*module {
	var out []*module
	add := func(path, name string, base uint64) {
		if m := openModule(path, name, base); m != nil {
			out = append(out, m)
		}
	}
	if len(c.mapped) > 0 {
		seen := map[string]bool{}
		for _, f := range c.mapped {
			if f.offset == 0 && !seen[f.path] {
				seen[f.path] = true
				if m := openModule(f.path, f.path, 0); m != nil {
					m.base = f.start - m.low()
					out = append(out, m)
				}
			}
		}
		return out
	}
	m := openModule(program, program, 0)
	if m == nil {
		return nil
	}
	if m.elf.Type == elf.ET_DYN {
		m.base = c.auxv[atEntry] - m.elf.Entry
	}
	out = append(out, m)
	for _, l := range c.linkMap() {
		path := l.path
		if p := filepath.Join(sysroot, l.path); sysroot != "" && exists(p) {
			path = p
		}
		add(path, l.path, l.start)
	}
	return out
}

// linkMap walks the dynamic loader's list of libraries, the one that debuggers read (link.h: struct r_debug, struct
// link_map). The program itself, the first of the list, has no name and is left out.
func (c *core) linkMap() []mapped {
	w := uint64(c.word())
	dyn := c.dynamic()
	if dyn == 0 {
		return nil
	}
	var debug uint64
	for range 1000 {
		tag, err := c.readWord(dyn)
		if err != nil || tag == uint64(elf.DT_NULL) {
			break
		}
		value, err := c.readWord(dyn + w)
		if err != nil {
			break
		}
		switch tag {
		case uint64(elf.DT_DEBUG):
			debug = value
		case dtMIPSRldMapRel:
			// MIPS has its dynamic section in memory that is not written: a word at this distance points to r_debug
			debug, _ = c.readWord(dyn + value)
		}
		dyn += 2 * w
	}
	if debug == 0 {
		return nil
	}
	var out []mapped
	at, err := c.readWord(debug + w) // r_map, behind r_version
	for range 1000 {
		if err != nil || at == 0 {
			break
		}
		base, _ := c.readWord(at)
		name, _ := c.readWord(at + w)
		if path := c.readString(name); path != "" {
			out = append(out, mapped{start: base, path: path})
		}
		at, err = c.readWord(at + 3*w)
	}
	return out
}

const dtMIPSRldMapRel = 0x70000035 // DT_MIPS_RLD_MAP_REL (elf.h)

// dynamic is the address of the program's dynamic section, 0 where it has none. AT_PHDR says where the program's
// headers are, and PT_PHDR where they would be.
func (c *core) dynamic() uint64 {
	type header struct{ kind, addr uint64 }
	var hs []header
	at, size := c.auxv[atPhdr], uint64(32)
	if c.word() == 8 {
		size = 56
	}
	for i := range min(c.auxv[atPhnum], 64) {
		b := make([]byte, size)
		if c.read(b, at+i*size) != nil {
			return 0
		}
		h := header{kind: uint64(c.order().Uint32(b))}
		if c.word() == 8 {
			h.addr = c.value(b[16:])
		} else {
			h.addr = c.value(b[8:])
		}
		hs = append(hs, h)
	}
	var base, dyn uint64
	for _, h := range hs {
		switch elf.ProgType(h.kind) {
		case elf.PT_PHDR:
			base = at - h.addr
		case elf.PT_DYNAMIC:
			dyn = h.addr
		}
	}
	if dyn == 0 {
		return 0
	}
	return base + dyn
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openModule opens a file; nil where it is no ELF file.
func openModule(path, name string, base uint64) *module {
	s, f, err := object.Open(path)
	if err != nil {
		return nil
	}
	e, err := object.OpenELF(s)
	if err == nil {
		err = e.ReadSections()
	}
	if err != nil {
		f.Close()
		return nil
	}
	m := &module{path: path, name: name, base: base, elf: e, file: f}
	syms := m.symbols(elf.SHT_SYMTAB)
	if len(syms) == 0 {
		syms = m.symbols(elf.SHT_DYNSYM)
	}
	for _, s := range syms {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF {
			if e.Machine == elf.EM_ARM {
				s.Value &^= 1 // Thumb
			}
			m.funcs = append(m.funcs, s)
		}
	}
	slices.SortStableFunc(m.funcs, func(a, b elf.Symbol) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return 0
	})
	return m
}

// symbols are those of a table; none where it is damaged.
func (m *module) symbols(table elf.SectionType) []elf.Symbol {
	var out []elf.Symbol
	if m.elf.SymbolTable(table, func(s elf.Symbol) { out = append(out, s) }) != nil {
		return nil
	}
	return out
}

func (m *module) low() uint64 {
	for _, p := range m.elf.Progs {
		if p.Type == elf.PT_LOAD {
			return p.Vaddr &^ (max(p.Align, 1) - 1)
		}
	}
	return 0
}

// has reports whether code of the module is at an address in memory.
func (m *module) has(addr uint64) bool {
	return slices.ContainsFunc(m.elf.Progs, func(p elf.ProgHeader) bool {
		at := m.base + p.Vaddr
		return p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= at && addr-at < p.Memsz
	})
}

// code reads machine code from the file: a core leaves out what files have.
func (m *module) code(b []byte, addr uint64) int {
	for _, p := range m.elf.Progs {
		at := m.base + p.Vaddr
		if p.Type == elf.PT_LOAD && addr >= at && addr-at < p.Filesz {
			n, _ := m.elf.ReadAt(b[:min(uint64(len(b)), p.Filesz-(addr-at))], int64(p.Off+addr-at))
			return n
		}
	}
	return 0
}

// function finds the symbol that an address belongs to.
func (m *module) function(addr uint64) (name string, start uint64, ok bool) {
	at := addr - m.base
	i, found := slices.BinarySearchFunc(m.funcs, at, func(s elf.Symbol, at uint64) int {
		switch {
		case s.Value < at:
			return -1
		case s.Value > at:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	for ; i >= 0 && i < len(m.funcs); i-- {
		s := m.funcs[i]
		if at-s.Value < s.Size || s.Size == 0 && at == s.Value {
			return s.Name, m.base + s.Value, true
		}
		if at-s.Value > 1<<20 {
			break
		}
	}
	return "", 0, false
}

// line finds the source line of an address, where the file has debug information.
func (m *module) line(addr uint64) (file string, line int) {
	if m.dwarf == nil {
		if m.dwarf = debugInfo(m.elf); m.dwarf == nil {
			return "", 0
		}
	}
	unit, err := m.dwarf.Reader().SeekPC(addr - m.base)
	if err != nil {
		return "", 0
	}
	lines, err := m.dwarf.LineReader(unit)
	if err != nil || lines == nil {
		return "", 0
	}
	var e dwarf.LineEntry
	if lines.SeekPC(addr-m.base, &e) != nil || e.File == nil {
		return "", 0
	}
	return strings.TrimPrefix(filepath.Clean(e.File.Name), "./"), e.Line
}

// debugInfo reads the debug information of a linked file; nil where it has none. It is elf.File.DWARF but for one
// thing: debug/dwarf resolves a unit's name before it knows DW_AT_str_offsets_base, takes the version in the header of
// .debug_str_offsets (DWARF 5, 7.26) for an offset, and fails where that, read with the most significant byte first,
// lies behind the end of .debug_str. A longer .debug_str lets it go on, and the name is read again when the base is
// known.
func debugInfo(e *object.ELFFile) *dwarf.Data {
	section := func(name string) []byte {
		if s := e.Section(name); s != nil {
			if data, err := e.Unpacked(s); err == nil {
				return data
			}
		}
		return nil
	}
	str := section(".debug_str")
	if e.Order == binary.BigEndian {
		if behind := 5<<16 + 1; len(str) < behind {
			str = append(str, make([]byte, behind-len(str))...)
		}
	}
	d, err := dwarf.New(section(".debug_abbrev"), nil, nil, section(".debug_info"), section(".debug_line"), nil,
		section(".debug_ranges"), str)
	if err != nil {
		return nil
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if data := section(name); data != nil && d.AddSection(name, data) != nil {
			return nil
		}
	}
	return d
}
