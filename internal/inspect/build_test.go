package inspect

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// A spec is a small ELF file that the tests put together: its tables are those of a linked program, its code is none.
type spec struct {
	platform   string
	kind       elf.Type
	flags      uint32 // e_flags beside the platform's
	noFlags    bool
	osabi      elf.OSABI
	interp     string
	needed     []string
	soname     string
	rpath      string
	runpath    string
	pie, now   bool
	relro      bool
	execStack  bool
	undefined  []Symbol
	exported   []Symbol // with a version: the file defines it
	notes      []note
	comment    string
	attributes []byte // of the section that the machine has for them
	extra      map[string][]byte
	symbols    bool // a table of its own symbols
	ifunc      bool // with a function in it that a resolver chooses
	noSections bool
	align      uint64 // of the segment that is loaded; 0 for 64 KB
	shift      uint64 // how far its address is from where that would fit its place in the file
}

type note struct {
	name string
	kind uint32
	desc []byte
}

// elfWriter lays the file out: header, segments, content, sections.
type elfWriter struct {
	order    binary.ByteOrder
	wide     bool
	body     bytes.Buffer
	sections []elf.Section64
	names    []string
}

const base = 0x10000 // the address of the file's first byte

func (w *elfWriter) uint(v uint64) {
	if w.wide {
		binary.Write(&w.body, w.order, v)
	} else {
		binary.Write(&w.body, w.order, uint32(v))
	}
}

// section appends content and notes its place.
func (w *elfWriter) section(name string, kind elf.SectionType, flags elf.SectionFlag, link, info uint32, entsize uint64, data []byte) (off uint64) {
	for w.body.Len()%16 != 0 {
		w.body.WriteByte(0)
	}
	off = uint64(w.body.Len())
	w.body.Write(data)
	s := elf.Section64{Type: uint32(kind), Flags: uint64(flags), Off: off, Size: uint64(len(data)), Link: link, Info: info, Addralign: 16, Entsize: entsize}
	if flags&elf.SHF_ALLOC != 0 {
		s.Addr = base + off
	}
	if kind == elf.SHT_NOTE {
		s.Addralign = 4
	}
	w.sections, w.names = append(w.sections, s), append(w.names, name)
	return off
}

type stringTable struct{ data []byte }

func (t *stringTable) add(s string) uint32 {
	if len(t.data) == 0 {
		t.data = []byte{0}
	}
	if i := bytes.Index(t.data, append([]byte(s), 0)); i >= 0 && s != "" {
		return uint32(i)
	}
	at := len(t.data)
	t.data = append(append(t.data, s...), 0)
	return uint32(at)
}

func (s spec) bytes(t testing.TB) []byte {
	t.Helper()
	p, err := platform.Parse(s.platform)
	if err != nil {
		t.Fatal(err)
	}
	w := &elfWriter{order: binary.LittleEndian, wide: p.Class == elf.ELFCLASS64}
	if p.Data == elf.ELFDATA2MSB {
		w.order = binary.BigEndian
	}
	headSize, progSize := 52, 32
	if w.wide {
		headSize, progSize = 64, 56
	}
	const mostProgs = 8
	w.body.Write(make([]byte, headSize+mostProgs*progSize))
	w.sections, w.names = append(w.sections, elf.Section64{}), append(w.names, "")

	var progs []elf.Prog64
	seg := func(kind elf.ProgType, flags elf.ProgFlag, off, size, align uint64) {
		progs = append(progs, elf.Prog64{Type: uint32(kind), Flags: uint32(flags), Off: off, Vaddr: base + off, Paddr: base + off, Filesz: size, Memsz: size, Align: align})
	}
	linked := s.kind != elf.ET_REL
	if s.interp != "" {
		off := w.section(".interp", elf.SHT_PROGBITS, elf.SHF_ALLOC, 0, 0, 0, append([]byte(s.interp), 0))
		seg(elf.PT_INTERP, elf.PF_R, off, uint64(len(s.interp)+1), 1)
	}
	for i, n := range s.notes {
		var b bytes.Buffer
		binary.Write(&b, w.order, []uint32{uint32(len(n.name) + 1), uint32(len(n.desc)), n.kind})
		b.WriteString(n.name + "\x00")
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
		b.Write(n.desc)
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
		off := w.section(fmt.Sprintf(".note.%d", i), elf.SHT_NOTE, elf.SHF_ALLOC, 0, 0, 0, b.Bytes())
		if linked {
			seg(elf.PT_NOTE, elf.PF_R, off, uint64(b.Len()), 4)
		}
	}
	var strs stringTable
	strs.add("")
	dynamic := linked && (len(s.needed)+len(s.undefined)+len(s.exported) > 0 || s.soname != "" || s.pie)
	if dynamic || !linked {
		dyn := w.dynamic(s, &strs, linked)
		if linked {
			seg(elf.PT_DYNAMIC, elf.PF_R|elf.PF_W, dyn.off, dyn.size, 8)
		}
	}
	if s.comment != "" {
		w.section(".comment", elf.SHT_PROGBITS, 0, 0, 0, 1, []byte(s.comment))
	}
	if s.attributes != nil {
		w.section(".attributes", 0x70000003, 0, 0, 0, 0, s.attributes)
	}
	for _, name := range slices.Sorted(maps.Keys(s.extra)) {
		w.section(name, elf.SHT_PROGBITS, elf.SHF_ALLOC, 0, 0, 0, s.extra[name])
	}
	if s.symbols {
		table, names := make([]byte, 24), []byte{0}
		if s.ifunc {
			own := make([]byte, 24)
			w.order.PutUint32(own, 1)
			own[4], own[6], own[7] = elf.ST_INFO(elf.STB_GLOBAL, elf.STT_GNU_IFUNC), 1, 1 // of Elf64_Sym
			table, names = append(table, own...), []byte("\x00sum\x00")
		}
		w.section(".symtab", elf.SHT_SYMTAB, 0, uint32(len(w.sections)+1), 1, 24, table)
		w.section(".strtab", elf.SHT_STRTAB, 0, 0, 0, 0, names)
	}
	if linked {
		stack := elf.PF_R | elf.PF_W
		if s.execStack {
			stack |= elf.PF_X
		}
		progs = append(progs, elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(stack)})
		if s.relro {
			seg(elf.PT_GNU_RELRO, elf.PF_R, 0, 16, 1)
		}
		seg(elf.PT_LOAD, elf.PF_R, 0, uint64(w.body.Len()), cmp.Or(s.align, 0x10000))
		progs[len(progs)-1].Vaddr += s.shift
	}
	if len(progs) > mostProgs {
		t.Fatalf("%d segments", len(progs))
	}
	return w.finish(p, s, progs)
}

type place struct{ off, size uint64 }

// dynamic writes the symbols, their versions and the dynamic section.
func (w *elfWriter) dynamic(s spec, strs *stringTable, linked bool) place {
	var syms, versym, verneed, verdef bytes.Buffer
	sym := func(name string, bind elf.SymBind, section elf.SectionIndex) {
		info := elf.ST_INFO(bind, elf.STT_FUNC)
		if w.wide {
			binary.Write(&syms, w.order, elf.Sym64{Name: strs.add(name), Info: info, Shndx: uint16(section)})
		} else {
			binary.Write(&syms, w.order, elf.Sym32{Name: strs.add(name), Info: info, Shndx: uint16(section)})
		}
	}
	sym("", elf.STB_LOCAL, 0)
	binary.Write(&versym, w.order, uint16(0))
	index := map[string]uint16{}
	next := uint16(2)
	// Needed versions, by library.
	var libs []string
	byLib := map[string][]string{}
	var defs []string
	for _, u := range s.undefined {
		bind := elf.STB_GLOBAL
		if u.Weak {
			bind = elf.STB_WEAK
		}
		sym(u.Name, bind, elf.SHN_UNDEF)
		v := uint16(1)
		if u.Version != "" {
			if !slices.Contains(libs, u.Library) {
				libs = append(libs, u.Library)
			}
			if index[u.Library+u.Version] == 0 {
				byLib[u.Library] = append(byLib[u.Library], u.Version)
				index[u.Library+u.Version] = next
				next++
			}
			v = index[u.Library+u.Version]
		}
		binary.Write(&versym, w.order, v)
	}
	for _, x := range s.exported {
		sym(x.Name, elf.STB_GLOBAL, elf.SHN_ABS)
		v := uint16(1)
		if x.Version != "" {
			if index[x.Version] == 0 {
				defs = append(defs, x.Version)
				index[x.Version] = next
				next++
			}
			v = index[x.Version]
		}
		binary.Write(&versym, w.order, v)
	}
	for i, lib := range libs {
		vs := byLib[lib]
		follow := uint32(16 + 16*len(vs))
		if i == len(libs)-1 {
			follow = 0
		}
		binary.Write(&verneed, w.order, struct {
			V, N           uint16
			File, Aux, Fol uint32
		}{1, uint16(len(vs)), strs.add(lib), 16, follow})
		for j, v := range vs {
			follow := uint32(16)
			if j == len(vs)-1 {
				follow = 0
			}
			binary.Write(&verneed, w.order, struct {
				Hash       uint32
				Flags, Ndx uint16
				Name, Fol  uint32
			}{0, 0, index[lib+v], strs.add(v), follow})
		}
	}
	for i, v := range append([]string{s.soname}, defs...) {
		flags, ndx, follow := uint16(0), index[v], uint32(28)
		if i == 0 {
			flags, ndx = 1, 1
		}
		if i == len(defs) {
			follow = 0
		}
		binary.Write(&verdef, w.order, struct {
			V, Flags, Ndx, Cnt uint16
			Hash, Aux, Fol     uint32
			Name, End          uint32
		}{1, flags, ndx, 1, 0, 20, follow, strs.add(v), 0})
	}
	for _, s := range append([]string{s.soname, s.rpath, s.runpath}, s.needed...) {
		strs.add(s)
	}
	symSize, dynSize := uint64(elf.Sym32Size), uint64(8)
	if w.wide {
		symSize, dynSize = elf.Sym64Size, 16
	}
	strIndex := uint32(len(w.sections))
	if !linked {
		w.section(".strtab", elf.SHT_STRTAB, 0, 0, 0, 0, strs.data)
		w.section(".symtab", elf.SHT_SYMTAB, 0, strIndex, 1, symSize, syms.Bytes())
		return place{}
	}
	strOff := w.section(".dynstr", elf.SHT_STRTAB, elf.SHF_ALLOC, 0, 0, 0, strs.data)
	symOff := w.section(".dynsym", elf.SHT_DYNSYM, elf.SHF_ALLOC, strIndex, 1, symSize, syms.Bytes())
	verOff := w.section(".gnu.version", elf.SHT_GNU_VERSYM, elf.SHF_ALLOC, strIndex+1, 0, 2, versym.Bytes())
	needOff := w.section(".gnu.version_r", elf.SHT_GNU_VERNEED, elf.SHF_ALLOC, strIndex, uint32(len(libs)), 0, verneed.Bytes())
	defOff := w.section(".gnu.version_d", elf.SHT_GNU_VERDEF, elf.SHF_ALLOC, strIndex, uint32(len(defs)+1), 0, verdef.Bytes())
	var hash bytes.Buffer // DT_HASH with one chain that nothing walks: its count of symbols is what matters
	n := uint32(uint64(syms.Len()) / symSize)
	if s.platform == "linux/s390x" {
		binary.Write(&hash, w.order, []uint64{1, uint64(n)})
	} else {
		binary.Write(&hash, w.order, []uint32{1, n})
	}
	hashOff := w.section(".hash", elf.SHT_HASH, elf.SHF_ALLOC, strIndex+1, 0, 4, hash.Bytes())

	save := w.body
	w.body = bytes.Buffer{}
	entry := func(tag elf.DynTag, v uint64) { w.uint(uint64(tag)); w.uint(v) }
	for _, lib := range s.needed {
		entry(elf.DT_NEEDED, uint64(strs.add(lib)))
	}
	for tag, name := range map[elf.DynTag]string{elf.DT_SONAME: s.soname, elf.DT_RPATH: s.rpath, elf.DT_RUNPATH: s.runpath} {
		if name != "" {
			entry(tag, uint64(strs.add(name)))
		}
	}
	entry(elf.DT_STRTAB, base+strOff)
	entry(elf.DT_STRSZ, uint64(len(strs.data)))
	entry(elf.DT_SYMTAB, base+symOff)
	entry(elf.DT_HASH, base+hashOff)
	entry(elf.DT_VERSYM, base+verOff)
	if len(libs) > 0 {
		entry(elf.DT_VERNEED, base+needOff)
		entry(elf.DT_VERNEEDNUM, uint64(len(libs)))
	}
	if len(defs) > 0 {
		entry(elf.DT_VERDEF, base+defOff)
		entry(elf.DT_VERDEFNUM, uint64(len(defs)+1))
	}
	if s.now {
		entry(elf.DT_FLAGS, uint64(elf.DF_BIND_NOW))
	}
	if s.pie {
		entry(elf.DT_FLAGS_1, uint64(elf.DF_1_PIE))
	}
	entry(elf.DT_NULL, 0)
	data := w.body.Bytes()
	w.body = save
	off := w.section(".dynamic", elf.SHT_DYNAMIC, elf.SHF_ALLOC, strIndex, 0, dynSize, data)
	return place{off, uint64(len(data))}
}

func (w *elfWriter) finish(p platform.Platform, s spec, progs []elf.Prog64) []byte {
	var shstr stringTable
	shstr.add("")
	offs := make([]uint32, len(w.names)+1)
	for i, n := range w.names {
		if n != "" {
			offs[i] = shstr.add(n)
		}
	}
	offs[len(w.names)] = shstr.add(".shstrtab")
	w.section(".shstrtab", elf.SHT_STRTAB, 0, 0, 0, 0, shstr.data)
	for w.body.Len()%8 != 0 {
		w.body.WriteByte(0)
	}
	shoff := uint64(w.body.Len())
	if s.noSections {
		shoff = 0
	} else {
		for i, sec := range w.sections {
			sec.Name = offs[i]
			if w.wide {
				binary.Write(&w.body, w.order, sec)
			} else {
				binary.Write(&w.body, w.order, elf.Section32{Name: sec.Name, Type: sec.Type, Flags: uint32(sec.Flags), Addr: uint32(sec.Addr), Off: uint32(sec.Off), Size: uint32(sec.Size), Link: sec.Link, Info: sec.Info, Addralign: uint32(sec.Addralign), Entsize: uint32(sec.Entsize)})
			}
		}
	}
	flags := p.ELFFlags | s.flags
	if s.noFlags {
		flags = s.flags
	}
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(p.Class), byte(p.Data), 1, byte(s.osabi)}
	var head bytes.Buffer
	shnum, shstrndx := uint16(len(w.sections)), uint16(len(w.sections)-1)
	if s.noSections {
		shnum, shstrndx = 0, 0
	}
	if w.wide {
		binary.Write(&head, w.order, elf.Header64{Ident: ident, Type: uint16(s.kind), Machine: uint16(p.Machine), Version: 1, Phoff: 64, Shoff: shoff, Flags: flags, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(progs)), Shentsize: 64, Shnum: shnum, Shstrndx: shstrndx})
		binary.Write(&head, w.order, progs)
	} else {
		binary.Write(&head, w.order, elf.Header32{Ident: ident, Type: uint16(s.kind), Machine: uint16(p.Machine), Version: 1, Phoff: 52, Shoff: uint32(shoff), Flags: flags, Ehsize: 52, Phentsize: 32, Phnum: uint16(len(progs)), Shentsize: 40, Shnum: shnum, Shstrndx: shstrndx})
		for _, p := range progs {
			binary.Write(&head, w.order, elf.Prog32{Type: p.Type, Off: uint32(p.Off), Vaddr: uint32(p.Vaddr), Paddr: uint32(p.Paddr), Filesz: uint32(p.Filesz), Memsz: uint32(p.Memsz), Flags: p.Flags, Align: uint32(p.Align)})
		}
	}
	out := w.body.Bytes()
	copy(out, head.Bytes())
	return out
}

// arOf is an archive with GNU's short names.
func arOf(members ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for i, m := range members {
		arMember(&b, fmt.Sprintf("m%d.o/", i), m)
	}
	return b.Bytes()
}

func arMember(b *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "644", len(data))
	b.Write(data)
	if len(data)%2 == 1 {
		b.WriteByte('\n')
	}
}

func read(t testing.TB, data []byte) (*Report, error) {
	t.Helper()
	return readFile(object.NewSource(bytes.NewReader(data), int64(len(data))), "file")
}

func mustRead(t testing.TB, data []byte) *Report {
	t.Helper()
	r, err := read(t, data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
