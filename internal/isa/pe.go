package isa

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// PE programs and libraries, and COFF objects, are read into the same image as ELF files (Microsoft's "PE Format").
// What ELF says and PE does not:
//   - symbols have no sizes: an object of data ends where the next one begins;
//   - nothing but the table of unwind information tells where the functions of a stripped file begin, on x86-64 and
//     Arm64, and not all have an entry there;
//   - a call of another library's function goes through a stub in .text, or right through the slot of the import table.

var le = binary.LittleEndian

// peMachines are the machines whose code is read.
var peMachines = map[uint16]elf.Machine{object.PEMachineAMD64: elf.EM_X86_64, object.PEMachineI386: elf.EM_386,
	object.PEMachineARM64: elf.EM_AARCH64}

// part is n bytes at an offset of b, nil where they are not all there.
func part(b []byte, off, n uint64) []byte {
	if off > uint64(len(b)) || n > uint64(len(b))-off {
		return nil
	}
	return b[off : off+n]
}

// A peSection is a section with its relocations, and where it lies in the image.
type peSection struct {
	section
	relocs []byte // of an object
}

// A peFile is a file that is read into an image.
type peFile struct {
	*object.PEFile
	img      *image
	base     uint64 // where an image is loaded
	sections []peSection
}

// addPE reads a PE file, or a COFF object, into the image.
func (img *image) addPE(s *object.Source, member string) error {
	file, err := object.OpenPE(s)
	if err != nil {
		return err
	}
	machine := peMachines[file.Machine]
	class := elf.ELFCLASS64
	if machine == elf.EM_386 {
		class = elf.ELFCLASS32
	}
	a, ok := archOf(machine, class, elf.ELFDATA2LSB)
	if !ok || file.Short {
		return nil // another architecture, or no object: package inspect says so
	}
	if err := img.begin(a, machine, class, le, !file.Object, member); err != nil {
		return err
	}
	img.format = peFormat
	f := &peFile{PEFile: file, img: img, base: file.Image.Base}
	if file.Image.Entry != 0 {
		img.entry = f.base + uint64(file.Image.Entry)
	}
	if err := f.readSections(member); err != nil {
		return err
	}
	targets, err := f.readSymbols(member)
	if err != nil {
		return err
	}
	if !img.linked {
		f.relocate(targets)
		return nil
	}
	if err := f.exports(); err != nil {
		return err
	}
	if err := f.imports(); err != nil {
		return err
	}
	f.baseRelocations()
	f.unwindTable()
	f.initializers()
	f.goTable()
	return nil
}

// directory is the content of one of the image's directories, nil where there is none.
func (f *peFile) directory(i int) []byte {
	address, size := f.Directory(i)
	if address == 0 {
		return nil
	}
	return f.img.bytesAt(f.base+uint64(address), int(size))
}

func (f *peFile) readSections(member string) error {
	next := f.img.next()
	for i := range f.Sections {
		h := &f.Sections[i]
		name, _, _ := strings.Cut(h.Name, "$") // .text$name is sorted into .text
		s := peSection{section: section{name: name, addr: f.base + uint64(h.Address), size: uint64(h.VirtualSize),
			member: member, typ: elf.SHT_PROGBITS}}
		if h.VirtualSize == 0 || !f.img.linked {
			s.size = uint64(h.Size)
		}
		if h.Zeros() {
			s.typ = elf.SHT_NOBITS
		}
		if h.Executable() {
			s.flags |= elf.SHF_EXECINSTR
		}
		if h.Writable() {
			s.flags |= elf.SHF_WRITE
		}
		data, err := f.Content(h)
		if err != nil {
			return err
		}
		s.data = data[:min(uint64(len(data)), s.size)]
		if h.Loaded() && !strings.HasPrefix(name, ".debug") {
			s.flags |= elf.SHF_ALLOC
		}
		if !f.img.linked {
			s.addr = next
			next = (s.addr + s.size + 63) &^ 63
			if s.relocs, err = f.Relocations(h); err != nil {
				return err
			}
		}
		f.sections = append(f.sections, s)
		if s.flags&elf.SHF_ALLOC != 0 {
			f.img.sections = append(f.img.sections, s.section)
		}
	}
	slices.SortStableFunc(f.img.sections, func(a, b section) int { return cmp.Compare(a.addr, b.addr) })
	return f.img.fits(int(f.Size))
}

// A peTarget is what a relocation's symbol stands for.
type peTarget struct {
	name string
	addr uint64 // 0 where it is not in this object
}

// coffFunction is the type of a function.
const coffFunction = 0x20

// readSymbols reads the table of symbols: into the image, and, of an object, by their index for its relocations.
func (f *peFile) readSymbols(member string) ([]peTarget, error) {
	var targets []peTarget
	if !f.img.linked {
		targets = make([]peTarget, f.SymbolCount())
	}
	file := "" // of the symbols that follow
	err := f.Symbols(func(s object.COFFSymbol) {
		if s.Class == object.COFFFile {
			file = object.CString(s.Aux)
			file = file[:min(len(file), longestName)]
			return
		}
		if f.img.machine == elf.EM_386 {
			s.Name = strings.TrimPrefix(s.Name, "_") // the compiler's, before every name in C
		}
		var target peTarget
		if s.Section >= 1 && s.Section <= len(f.sections) { // else undefined, a number, or for the debugger
			target.addr = f.sections[s.Section-1].addr + uint64(s.Value)
			f.define(s, target.addr, file, member)
		}
		target.name = s.Name
		if targets != nil {
			targets[s.Index] = target
		}
	})
	return targets, err
}

// define takes a symbol of a section into the image.
func (f *peFile) define(c object.COFFSymbol, addr uint64, file, member string) {
	s := &f.sections[c.Section-1]
	if s.flags&elf.SHF_ALLOC == 0 || c.Name == "" ||
		c.Class == object.COFFStatic && c.Name[0] == '.' && !strings.HasPrefix(c.Name, "..@") || uint64(c.Value) > s.size {
		return // of a section
	}
	y := symbol{name: c.Name, addr: addr, file: file, member: member, typ: elf.STT_OBJECT, bind: elf.STB_LOCAL}
	if c.Type>>4 == coffFunction>>4 || s.exec() && c.Class == object.COFFExternal {
		y.typ = elf.STT_FUNC
	}
	if c.Class == object.COFFExternal {
		y.bind, y.file = elf.STB_GLOBAL, ""
		if _, had := f.img.globals[y.name]; !had {
			f.img.globals[y.name] = addr
		}
	}
	f.img.symbols = append(f.img.symbols, y)
	switch {
	case s.exec() && y.typ == elf.STT_FUNC:
		f.img.named = true
		f.img.byAddr = append(f.img.byAddr, y)
	case s.exec() && (c.Class == object.COFFStatic || c.Class == object.COFFLabel):
		f.img.labels = append(f.img.labels, y)
	case !s.exec():
		f.img.objects = append(f.img.objects, y)
	}
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

// exports takes what the file has for others.
func (f *peFile) exports() error {
	return f.ExportedFunctions(func(rva uint32, name string) {
		addr := f.base + uint64(rva)
		if name == "" {
			f.img.exported[addr] = true
			return
		}
		if s := f.img.section(addr); s != nil && s.exec() {
			f.img.byAddr = append(f.img.byAddr, symbol{name: name, addr: addr, typ: elf.STT_FUNC, bind: elf.STB_GLOBAL})
		}
	})
}

// imports names the slots of the import tables.
func (f *peFile) imports() error {
	_, err := f.Imports(func(i object.PEImport) {
		if i.Name != "" { // else by its number
			f.img.imports[f.base+uint64(i.Slot)] = i.Name
		}
	})
	return err
}

// baseRelocations takes the words that a loader moves with the image: addresses.
func (f *peFile) baseRelocations() {
	dir := f.directory(object.PERelocations)
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
	dir := f.directory(object.PEExceptions)
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
	if tls := f.directory(object.PEThreadStorage); len(tls) >= 4*word {
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
