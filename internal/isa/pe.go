package isa

import (
	"bytes"
	"cmp"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/object"
)

// PE programs and libraries, and COFF objects, are read into the same image as ELF files (Microsoft's "PE Format").
// What ELF says and PE does not:
//   - symbols have no sizes: an object of data ends where the next one begins;
//   - nothing but the table of unwind information tells where the functions of a stripped file begin, on x86-64 and Arm64, and not all have an entry there;
//   - a call of another library's function goes through a stub in .text, or right through the slot of the import table.

var le = binary.LittleEndian

// peMachines are the machines whose code is read.
var peMachines = map[uint16]elf.Machine{pe.IMAGE_FILE_MACHINE_AMD64: elf.EM_X86_64, pe.IMAGE_FILE_MACHINE_I386: elf.EM_386, pe.IMAGE_FILE_MACHINE_ARM64: elf.EM_AARCH64}

const (
	coffHeader  = 20
	coffSection = 40
	coffSymbol  = 18
	notLoaded   = 0x800 | 0x200 // IMAGE_SCN_LNK_REMOVE, IMAGE_SCN_LNK_INFO
	mostImports = 1 << 17       // more than a file has; bounds lists that lead into each other
)

// part is n bytes at an offset of b, nil where they are not all there.
func part(b []byte, off, n uint64) []byte {
	if off > uint64(len(b)) || n > uint64(len(b))-off {
		return nil
	}
	return b[off : off+n]
}

// peHeader is the offset of a PE file's COFF header, 0 for what is no PE file.
func peHeader(b []byte) uint64 {
	if len(b) < 64 || b[0] != 'M' || b[1] != 'Z' {
		return 0
	}
	at := uint64(le.Uint32(b[0x3c:]))
	if string(part(b, at, 4)) != "PE\x00\x00" {
		return 0
	}
	return at + 4
}

// isCOFF tells an object for Windows, which has no mark, by a machine that is read and a table of sections that fits.
func isCOFF(b []byte) bool {
	return len(b) >= coffHeader && peMachines[le.Uint16(b)] != 0 && le.Uint16(b[16:]) == 0 && part(b, coffHeader, coffSection*uint64(le.Uint16(b[2:]))) != nil &&
		uint64(le.Uint32(b[8:])) <= uint64(len(b))
}

// A peSection is a section with its relocations, and where it lies in the image.
type peSection struct {
	section
	relocs []byte // of an object
}

// A peFile is a file that is read into an image.
type peFile struct {
	img      *image
	b        []byte
	base     uint64 // where an image is loaded
	optional []byte
	dirs     int // where in the optional header the directories begin
	sections []peSection
	names    []byte // of symbols and sections
}

// addPE reads a PE file, or a COFF object, into the image.
func (img *image) addPE(b []byte, member string) error {
	at := peHeader(b)
	h := part(b, at, coffHeader)
	if h == nil {
		return object.Damaged("no COFF header")
	}
	machine := peMachines[le.Uint16(h)]
	class := elf.ELFCLASS64
	if machine == elf.EM_386 {
		class = elf.ELFCLASS32
	}
	a, ok := archOf(machine, class, elf.ELFDATA2LSB)
	if !ok {
		return nil // another architecture: package inspect says so
	}
	if err := img.begin(a, machine, class, le, at != 0, member); err != nil {
		return err
	}
	img.format = peFormat
	f := &peFile{img: img, b: b, optional: part(b, at+coffHeader, uint64(le.Uint16(h[16:])))}
	if img.linked {
		if err := f.readOptional(); err != nil {
			return err
		}
	}
	symbols := part(b, uint64(le.Uint32(h[8:])), coffSymbol*uint64(le.Uint32(h[12:])))
	if le.Uint32(h[8:]) == 0 {
		symbols = nil
	}
	if symbols != nil {
		f.names = b[uint64(le.Uint32(h[8:]))+uint64(len(symbols)):]
	}
	if err := f.readSections(at+coffHeader+uint64(len(f.optional)), int(le.Uint16(h[2:])), member); err != nil {
		return err
	}
	targets, err := f.readSymbols(symbols, member)
	if err != nil {
		return err
	}
	if !img.linked {
		f.relocate(targets)
		return nil
	}
	f.exports()
	f.imports()
	f.baseRelocations()
	f.unwindTable()
	f.initializers()
	f.goTable()
	return nil
}

// readOptional reads what an image's optional header says.
func (f *peFile) readOptional() error {
	o := f.optional
	if len(o) < 96 {
		return object.Damaged("an optional header of %d bytes", len(o))
	}
	switch le.Uint16(o) {
	case 0x10b:
		f.base, f.dirs = uint64(le.Uint32(o[28:])), 96
	case 0x20b:
		f.base, f.dirs = le.Uint64(o[24:]), 112
	default:
		return object.Damaged("an optional header of kind %#x", le.Uint16(o))
	}
	if len(o) < f.dirs {
		return object.Damaged("an optional header of %d bytes", len(o))
	}
	if entry := le.Uint32(o[16:]); entry != 0 {
		f.img.entry = f.base + uint64(entry)
	}
	return nil
}

// directory is where an entry of the optional header's directories lies in the image, and its bytes; nil where there is
// none.
func (f *peFile) directory(i int) (addr uint64, data []byte) {
	at := f.dirs + 8*i
	if len(f.optional) < at+8 || uint32(i) >= le.Uint32(f.optional[f.dirs-4:]) || le.Uint32(f.optional[at:]) == 0 {
		return 0, nil
	}
	addr = f.base + uint64(le.Uint32(f.optional[at:]))
	data = f.img.bytesAt(addr, int(le.Uint32(f.optional[at+4:])))
	return addr, data
}

func (f *peFile) readSections(at uint64, n int, member string) error {
	table := part(f.b, at, coffSection*uint64(n))
	if table == nil {
		return object.Damaged("%d section headers do not fit in the file", n)
	}
	next := f.img.next()
	for ; len(table) > 0; table = table[coffSection:] {
		name := string(bytes.TrimRight(table[:8], "\x00"))
		if off, err := strconv.ParseUint(strings.TrimPrefix(name, "/"), 10, 32); err == nil && name[0] == '/' {
			name = cString(f.names, uint32(off), 64)
		}
		name, _, _ = strings.Cut(name, "$") // .text$name is sorted into .text
		size, raw, from, flags := uint64(le.Uint32(table[8:])), uint64(le.Uint32(table[16:])), uint64(le.Uint32(table[20:])), le.Uint32(table[36:])
		s := peSection{section: section{name: name, addr: f.base + uint64(le.Uint32(table[12:])), size: size, member: member, typ: elf.SHT_PROGBITS}}
		if size == 0 || !f.img.linked {
			s.size = raw
		}
		if flags&pe.IMAGE_SCN_CNT_UNINITIALIZED_DATA != 0 && from == 0 {
			raw, s.typ = 0, elf.SHT_NOBITS
		}
		if flags&pe.IMAGE_SCN_MEM_EXECUTE != 0 {
			s.flags |= elf.SHF_EXECINSTR
		}
		if flags&pe.IMAGE_SCN_MEM_WRITE != 0 {
			s.flags |= elf.SHF_WRITE
		}
		if raw > 0 {
			if s.data = part(f.b, from, min(raw, s.size)); s.data == nil && s.exec() {
				return object.Damaged("section %q lies outside the file", name)
			}
		}
		if flags&notLoaded == 0 && !strings.HasPrefix(name, ".debug") {
			s.flags |= elf.SHF_ALLOC
		}
		if !f.img.linked {
			s.addr = next
			next = (s.addr + s.size + 63) &^ 63
			f.relocations(&s, table)
		}
		f.sections = append(f.sections, s)
		if s.flags&elf.SHF_ALLOC != 0 {
			f.img.sections = append(f.img.sections, s.section)
		}
	}
	slices.SortStableFunc(f.img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	return f.img.fits(len(f.b))
}

// relocations finds an object's relocations of a section: where there are more than 65534 (IMAGE_SCN_LNK_NRELOC_OVFL),
// the first one counts them.
func (f *peFile) relocations(s *peSection, header []byte) {
	at, n := uint64(le.Uint32(header[24:])), uint64(le.Uint16(header[32:]))
	if n == 0xffff && le.Uint32(header[36:])&0x01000000 != 0 {
		first := part(f.b, at, 10)
		if first == nil || le.Uint32(first) == 0 {
			return
		}
		at, n = at+10, uint64(le.Uint32(first))-1
	}
	s.relocs = part(f.b, at, 10*n)
}

// A peTarget is what a relocation's symbol stands for.
type peTarget struct {
	name string
	addr uint64 // 0 where it is not in this object
}

// The storage classes of symbols that are looked at, and the type of a function.
const (
	classExternal = 2
	classStatic   = 3
	classLabel    = 6
	classFile     = 103
	coffFunction  = 0x20
)

// readSymbols reads the table of symbols: into the image, and, of an object, by their index for its relocations.
func (f *peFile) readSymbols(table []byte, member string) ([]peTarget, error) {
	n := len(table) / coffSymbol
	var targets []peTarget
	if !f.img.linked {
		targets = make([]peTarget, n)
	}
	budget, file := 64<<20+8*len(f.names), ""
	for i := 0; i < n; i++ {
		b := table[i*coffSymbol:]
		value, section, typ, class, aux := le.Uint32(b[8:]), int(int16(le.Uint16(b[12:]))), le.Uint16(b[14:]), b[16], int(b[17])
		at := i
		i += aux
		name := string(bytes.TrimRight(b[:8], "\x00"))
		if le.Uint32(b) == 0 {
			name = cString(f.names, le.Uint32(b[4:]), longestName)
		}
		if budget -= len(name); budget < 0 {
			return nil, object.Damaged("names of symbols overlap")
		}
		if class == classFile {
			file, _, _ = strings.Cut(string(table[min(len(table), (at+1)*coffSymbol):min(len(table), (at+1+aux)*coffSymbol)]), "\x00")
			file = file[:min(len(file), longestName)]
			continue
		}
		if f.img.machine == elf.EM_386 {
			name = strings.TrimPrefix(name, "_") // the compiler's, before every name in C
		}
		if targets != nil {
			targets[at] = peTarget{name: name}
		}
		if section < 1 || section > len(f.sections) {
			continue // undefined, a number, or for the debugger
		}
		s := &f.sections[section-1]
		addr := s.addr + uint64(value)
		if targets != nil {
			targets[at].addr = addr
		}
		if s.flags&elf.SHF_ALLOC == 0 || name == "" || class == classStatic && name[0] == '.' && !strings.HasPrefix(name, "..@") || uint64(value) > s.size {
			continue // of a section
		}
		y := symbol{name: name, addr: addr, file: file, member: member, typ: elf.STT_OBJECT, bind: elf.STB_LOCAL}
		if typ>>4 == coffFunction>>4 || s.exec() && class == classExternal {
			y.typ = elf.STT_FUNC
		}
		if class == classExternal {
			y.bind, y.file = elf.STB_GLOBAL, ""
			if _, had := f.img.globals[name]; !had {
				f.img.globals[name] = addr
			}
		}
		f.img.symbols = append(f.img.symbols, y)
		switch {
		case s.exec() && y.typ == elf.STT_FUNC:
			f.img.named = true
			f.img.byAddr = append(f.img.byAddr, y)
		case s.exec() && (class == classStatic || class == classLabel):
			f.img.labels = append(f.img.labels, y)
		case !s.exec():
			f.img.objects = append(f.img.objects, y)
		}
	}
	return targets, nil
}

// relocate reads what a linker will write into an object's sections.
func (f *peFile) relocate(targets []peTarget) {
	for i := range f.sections {
		s := &f.sections[i]
		if s.flags&elf.SHF_ALLOC == 0 {
			continue
		}
		for r := s.relocs; len(r) >= 10; r = r[10:] {
			off, index, typ := uint64(le.Uint32(r)), le.Uint32(r[4:]), le.Uint16(r[8:])
			if uint64(index) >= uint64(len(targets)) {
				continue
			}
			field := part(s.data, off, 4)
			if field == nil {
				continue
			}
			to := targets[index]
			w := le.Uint32(field)
			addend := uint64(int64(int32(w)))
			absolute := false
			switch f.img.machine {
			case elf.EM_X86_64:
				absolute = typ == 1 // ADDR64
				if typ > 9 {        // of sections, for the debugger
					continue
				}
			case elf.EM_386:
				absolute = typ == 6 // DIR32
				if typ != 6 && typ != 7 && typ != 0x14 {
					continue
				}
			case elf.EM_AARCH64:
				absolute = typ == 0xe // ADDR64
				switch typ {
				case 3, 0xf, 0x10: // branches
					addend = 0
				case 4, 5: // ADRP, ADR
					addend = uint64(signed(w>>5&0x7ffff<<2|w>>29&3, 21))
				case 6: // ADD
					addend = uint64(w >> 10 & 0xfff)
				case 7: // a load or store
					addend = uint64(w>>10&0xfff) << (w >> 30)
				case 1, 2, 0xe:
				default:
					continue
				}
			}
			value := uint64(0)
			if to.addr != 0 {
				value = to.addr + addend
			}
			at := s.addr + off
			if s.exec() {
				f.img.sites = append(f.img.sites, site{addr: at, target: value, name: strings.TrimPrefix(to.name, "__imp_")})
			} else if absolute && value != 0 {
				f.img.pointers[at] = value
			}
		}
	}
}

// exports reads the table of exports.
func (f *peFile) exports() {
	from, dir := f.directory(0)
	if len(dir) < 40 {
		return
	}
	rva := func(off int) uint64 { return f.base + uint64(le.Uint32(dir[off:])) }
	functions := f.img.bytesAt(rva(28), int(min(4*uint64(le.Uint32(dir[20:])), 4<<16)))
	for i := 0; i+4 <= len(functions); i += 4 {
		addr := f.base + uint64(le.Uint32(functions[i:]))
		if addr-from >= uint64(len(dir)) { // else the name of another library's
			f.img.exported[addr] = true
		}
	}
	names, ordinals := f.img.bytesAt(rva(32), int(min(4*uint64(le.Uint32(dir[24:])), 4<<16))), f.img.bytesAt(rva(36), int(min(2*uint64(le.Uint32(dir[24:])), 2<<16)))
	for i := 0; 4*i+4 <= len(names) && 2*i+2 <= len(ordinals); i++ {
		k := 4 * int(le.Uint16(ordinals[2*i:]))
		if k+4 > len(functions) {
			continue
		}
		addr := f.base + uint64(le.Uint32(functions[k:]))
		if s := f.img.section(addr); s != nil && s.exec() {
			f.img.byAddr = append(f.img.byAddr, symbol{name: f.name(le.Uint32(names[4*i:])), addr: addr, typ: elf.STT_FUNC, bind: elf.STB_GLOBAL})
		}
	}
}

// name is the string at an address.
func (f *peFile) name(rva uint32) string {
	b, _, _ := bytes.Cut(f.img.bytesAt(f.base+uint64(rva), longestName), []byte{0})
	return string(b)
}

// imports names the slots of the import tables: those filled at the start and those filled when they are used.
func (f *peFile) imports() {
	left := mostImports
	word := uint64(f.img.wordSize())
	for _, kind := range []struct{ dir, size, name, slots, names int }{{1, 20, 12, 16, 0}, {13, 32, 4, 12, 16}} {
		_, dir := f.directory(kind.dir)
		for ; len(dir) >= kind.size && le.Uint32(dir[kind.name:]) != 0; dir = dir[kind.size:] {
			slot, name := f.base+uint64(le.Uint32(dir[kind.slots:])), f.base+uint64(le.Uint32(dir[kind.names:]))
			if name == f.base {
				name = slot
			}
			for ; left > 0; slot, name = slot+word, name+word {
				left--
				b := f.img.bytesAt(name, int(word))
				if uint64(len(b)) < word || f.img.word(b) == 0 {
					break
				}
				if v := f.img.word(b); v>>(8*word-1) == 0 { // else by its number
					f.img.imports[slot] = f.name(uint32(v) + 2) // behind a hint
				}
			}
		}
	}
}

// baseRelocations takes the words that a loader moves with the image: addresses.
func (f *peFile) baseRelocations() {
	_, dir := f.directory(5)
	word := f.img.wordSize()
	for len(dir) >= 8 {
		page, size := f.base+uint64(le.Uint32(dir)), int(le.Uint32(dir[4:]))
		if size < 8 || size > len(dir) {
			return
		}
		for e := dir[8:size]; len(e) >= 2; e = e[2:] {
			v := le.Uint16(e)
			if kind := v >> 12; kind != 3 && kind != 10 { // HIGHLOW, DIR64
				continue
			}
			at := page + uint64(v&0xfff)
			if b := f.img.bytesAt(at, word); len(b) == word {
				f.img.pointers[at] = f.img.word(b)
			}
		}
		dir = dir[size:]
	}
}

// unwindTable takes the bounds of functions from the table of unwind information.
func (f *peFile) unwindTable() {
	_, dir := f.directory(3)
	switch f.img.machine {
	case elf.EM_X86_64:
		for ; len(dir) >= 12; dir = dir[12:] {
			begin, end, info := le.Uint32(dir), le.Uint32(dir[4:]), le.Uint32(dir[8:])
			if b := f.img.bytesAt(f.base+uint64(info), 1); info&1 != 0 || len(b) == 1 && b[0]>>3&4 != 0 {
				continue // a part of another function
			}
			if end > begin {
				f.img.starts = append(f.img.starts, f.base+uint64(begin), f.base+uint64(end))
			}
		}
	case elf.EM_AARCH64:
		for ; len(dir) >= 8; dir = dir[8:] {
			if le.Uint32(dir[4:])&3 == 2 {
				continue // packed, a part of another function
			}
			f.img.starts = append(f.img.starts, f.base+uint64(le.Uint32(dir)))
		}
	}
}

// initializers finds the functions that run before main: what thread-local storage calls, and lists of constructors,
// which GNU's tools begin with a word of ones and end with a zero, in .rdata or between the functions.
func (f *peFile) initializers() {
	img, word := f.img, f.img.wordSize()
	take := func(slot uint64) bool {
		b := img.bytesAt(slot, word)
		if len(b) < word {
			return false
		}
		v := img.word(b)
		if s := img.section(v); s == nil || !s.exec() {
			return false
		}
		img.inits = append(img.inits, v)
		return true
	}
	if _, tls := f.directory(9); len(tls) >= 4*word {
		for at, left := img.word(tls[3*word:]), 256; left > 0 && take(at); at, left = at+uint64(word), left-1 {
		}
	}
	ones := bytes.Repeat([]byte{0xff}, word)
	for i := range img.sections {
		s := &img.sections[i]
		for off := 0; off+2*word <= len(s.data); off += word {
			if !bytes.Equal(s.data[off:off+word], ones) {
				continue
			}
			end := off + word
			for end+word <= len(s.data) && take(s.addr+uint64(end)) {
				end += word
			}
			if s.exec() && end+word <= len(s.data) && img.word(s.data[end:]) == 0 {
				img.marks = append(img.marks, mark{s.addr + uint64(off), 'd'}, mark{s.addr + uint64(end+word), 'a'})
			}
			off = end - word
		}
	}
}

// goTable finds Go's table of functions, which lies in .rdata and has a name only where there are symbols.
func (f *peFile) goTable() {
	f.img.goBuildID()
	for i := range f.img.sections {
		s := &f.img.sections[i]
		if s.exec() || s.name != ".rdata" && s.name != ".gopclntab" {
			continue
		}
		for _, magic := range []string{"\xf1\xff\xff\xff\x00\x00", "\xf0\xff\xff\xff\x00\x00"} {
			for off := 0; len(f.img.goNames) == 0; off++ {
				n := bytes.Index(s.data[off:], []byte(magic))
				if n < 0 {
					break
				}
				off += n
				f.img.goTable(s.data[off:], s.addr+uint64(off))
			}
		}
	}
}
