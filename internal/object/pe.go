package object

import (
	"debug/pe"
	"encoding/binary"
	"strconv"
	"strings"
)

// The PE format is Microsoft's "PE Format" specification; all of it is little-endian.
var le = binary.LittleEndian

// Machines of PE files whose code is read.
const (
	PEMachineI386  = pe.IMAGE_FILE_MACHINE_I386
	PEMachineAMD64 = pe.IMAGE_FILE_MACHINE_AMD64
	PEMachineARM64 = pe.IMAGE_FILE_MACHINE_ARM64
)

// peMachines are the names of machines.
var peMachines = map[uint16]string{
	pe.IMAGE_FILE_MACHINE_I386:    "IMAGE_FILE_MACHINE_I386",
	pe.IMAGE_FILE_MACHINE_AMD64:   "IMAGE_FILE_MACHINE_AMD64",
	pe.IMAGE_FILE_MACHINE_ARM64:   "IMAGE_FILE_MACHINE_ARM64",
	pe.IMAGE_FILE_MACHINE_ARMNT:   "IMAGE_FILE_MACHINE_ARMNT",
	pe.IMAGE_FILE_MACHINE_IA64:    "IMAGE_FILE_MACHINE_IA64",
	pe.IMAGE_FILE_MACHINE_RISCV64: "IMAGE_FILE_MACHINE_RISCV64",
	0xa641:                        "IMAGE_FILE_MACHINE_ARM64EC",
}

// The tables of directories that are looked up by number.
const (
	PEExports        = pe.IMAGE_DIRECTORY_ENTRY_EXPORT
	PEImports        = pe.IMAGE_DIRECTORY_ENTRY_IMPORT
	PEExceptions     = pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION
	PERelocations    = pe.IMAGE_DIRECTORY_ENTRY_BASERELOC
	PEDebug          = pe.IMAGE_DIRECTORY_ENTRY_DEBUG
	PEThreadStorage  = pe.IMAGE_DIRECTORY_ENTRY_TLS
	PEDelayedImports = pe.IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT
)

const (
	dosHeader   = 64
	coffHeader  = 20
	coffSection = 40
	coffSymbol  = 18
)

// A PEFile is a PE program or library, or an object for Windows, which has no PE header (COFF).
type PEFile struct {
	*Source
	Machine uint16
	Object  bool
	// Short is the one line of an import library, or an object of more than 65279 sections: its tables are not read.
	Short    bool
	DLL      bool
	Image    PEImage // of a program or library
	Sections []PESection

	optional []byte
	dirs     int // where in the optional header the directories begin
	symbols  []byte
	names    *Names // of symbols and sections
}

// A PESection is a section with its header.
type PESection struct {
	Name        string
	VirtualSize uint32
	Address     uint32
	Size        uint32 // in the file
	Offset      uint32

	flags       uint32
	relocations uint32
	count       uint16 // of relocations
	data        *Names // its content, once it was read
}

// Code reports whether the section is said to hold code.
func (s *PESection) Code() bool { return s.flags&pe.IMAGE_SCN_CNT_CODE != 0 }

// Executable reports whether what the section holds may be run.
func (s *PESection) Executable() bool { return s.flags&pe.IMAGE_SCN_MEM_EXECUTE != 0 }

// Writable reports whether what the section holds may be written.
func (s *PESection) Writable() bool { return s.flags&pe.IMAGE_SCN_MEM_WRITE != 0 }

// Discardable reports whether the section may be thrown away after the start.
func (s *PESection) Discardable() bool { return s.flags&pe.IMAGE_SCN_MEM_DISCARDABLE != 0 }

// Zeros reports whether the section is nothing but zeros that the file does not hold.
func (s *PESection) Zeros() bool {
	return s.flags&pe.IMAGE_SCN_CNT_UNINITIALIZED_DATA != 0 && s.Offset == 0
}

// Loaded reports whether a linker takes the section into a program.
func (s *PESection) Loaded() bool {
	const info, remove = 0x200, 0x800 // IMAGE_SCN_LNK_INFO, IMAGE_SCN_LNK_REMOVE
	return s.flags&(info|remove) == 0
}

// PEMachineName is what the specification calls a machine, "" where it is none that is known.
func PEMachineName(machine uint16) string { return peMachines[machine] }

// IsPE tells a PE file by its two marks, and an object for Windows by a machine and a table of sections that fits: an
// object has no mark.
func IsPE(s *Source) bool {
	h := s.Head(coffHeader)
	if len(h) < 4 {
		return false
	}
	if string(h[:2]) == "MZ" {
		at, ok := peek32(s, 0x3c)
		if !ok {
			return false
		}
		mark, ok := peek32(s, int64(at))
		return ok && mark == 0x4550 || int64(at) >= s.Size && s.Size >= dosHeader // "PE\0\0", or cut off before it
	}
	if len(h) < coffHeader {
		return false
	}
	if isShort(h) {
		return peMachines[le.Uint16(h[6:])] != ""
	}
	sections, symbols := coffHeader+coffSection*int64(le.Uint16(h[2:])), int64(le.Uint32(h[8:])) // where they end, begin
	return peMachines[le.Uint16(h)] != "" && le.Uint16(h[16:]) == 0 && sections <= s.Size && symbols <= s.Size
}

// isShort tells an import, or an object with many sections.
func isShort(h []byte) bool { return le.Uint16(h) == 0 && le.Uint16(h[2:]) == 0xffff }

func peek32(s *Source, off int64) (uint32, bool) {
	var b [4]byte
	n, _ := s.ReadAt(b[:], off)
	return le.Uint32(b[:]), n == 4
}

// OpenPE reads the headers, the sections and the table of symbols.
func OpenPE(s *Source) (*PEFile, error) {
	f := &PEFile{Source: s, Object: true}
	mark, err := s.Bytes(0, 8, "the head")
	if err != nil {
		return nil, err
	}
	at := uint64(0)
	switch {
	case string(mark[:2]) == "MZ":
		f.Object = false
		dos, err := s.Bytes(0, dosHeader, "the DOS header")
		if err != nil {
			return nil, err
		}
		at = uint64(le.Uint32(dos[0x3c:])) + 4
	case isShort(mark):
		f.Machine, f.Short = le.Uint16(mark[6:]), true
		return f, nil
	}
	h, err := s.Bytes(at, coffHeader, "the COFF header")
	if err != nil {
		return nil, err
	}
	f.Machine, f.DLL = le.Uint16(h), le.Uint16(h[18:])&pe.IMAGE_FILE_DLL != 0
	if f.optional, err = s.Bytes(at+coffHeader, uint64(le.Uint16(h[16:])), "the optional header"); err != nil {
		return nil, err
	}
	if !f.Object {
		if err := f.readImage(); err != nil {
			return nil, err
		}
	}
	if err := f.readSymbolTable(le.Uint32(h[8:]), le.Uint32(h[12:])); err != nil {
		return nil, err
	}
	return f, f.readSections(at+coffHeader+uint64(len(f.optional)), int(le.Uint16(h[2:])))
}

// readSymbolTable reads the table of symbols and the table of names that follows it.
func (f *PEFile) readSymbolTable(at, n uint32) (err error) {
	if at == 0 || n == 0 {
		return nil
	}
	size := uint64(n) * coffSymbol
	if f.symbols, err = f.Bytes(uint64(at), size, "the table of symbols"); err != nil {
		return err
	}
	from := uint64(at) + size
	if from+4 > uint64(f.Size) {
		f.names = NewNames(nil)
		return nil
	}
	head, err := f.Bytes(from, 4, "the table of names")
	if err != nil {
		return err
	}
	names, err := f.Bytes(from, max(4, uint64(le.Uint32(head))), "the table of names")
	f.names = NewNames(names)
	return err
}

// readSections reads the table of sections. A name longer than eight bytes is "/123": an offset in the table of names.
func (f *PEFile) readSections(at uint64, n int) error {
	table, err := f.Bytes(at, uint64(n)*coffSection, "the table of sections")
	if err != nil {
		return err
	}
	for b := table; len(b) > 0; b = b[coffSection:] {
		s := PESection{
			Name: CString(b[:8]), VirtualSize: le.Uint32(b[8:]), Address: le.Uint32(b[12:]),
			Size: le.Uint32(b[16:]), Offset: le.Uint32(b[20:]),
			flags: le.Uint32(b[36:]), relocations: le.Uint32(b[24:]), count: le.Uint16(b[32:]),
		}
		if at, long := strings.CutPrefix(s.Name, "/"); long && f.names != nil {
			if off, err := strconv.ParseUint(at, 10, 32); err == nil {
				if s.Name, err = f.names.At(off); err != nil {
					return err
				}
			}
		}
		if s.Zeros() {
			s.Size = 0
		}
		if s.Size > 0 && (int64(s.Offset) > f.Size || int64(s.Size) > f.Size-int64(s.Offset)) {
			return Damaged("section %q lies outside of the file (%d bytes at %d of %d)", s.Name, s.Size, s.Offset, f.Size)
		}
		f.Sections = append(f.Sections, s)
	}
	return nil
}

// Content reads a section as it lies in the file.
func (f *PEFile) Content(s *PESection) ([]byte, error) {
	if s.Size == 0 {
		return nil, nil
	}
	return f.Bytes(uint64(s.Offset), uint64(s.Size), "section "+strconv.Quote(s.Name))
}

// Relocations are an object's relocations of a section, of ten bytes each: where there are more than 65534
// (IMAGE_SCN_LNK_NRELOC_OVFL), the first one counts them.
func (f *PEFile) Relocations(s *PESection) ([]byte, error) {
	const what, size, overflow = "a table of relocations", 10, 0x01000000
	at, n := uint64(s.relocations), uint64(s.count)
	if n == 0xffff && s.flags&overflow != 0 {
		first, err := f.Bytes(at, size, what)
		if err != nil {
			return nil, err
		}
		at, n = at+size, uint64(max(le.Uint32(first), 1))-1
	}
	if n == 0 {
		return nil, nil
	}
	return f.Bytes(at, size*n, what)
}

// A COFFSymbol is an entry of the table of symbols.
type COFFSymbol struct {
	Index   int // in the table, by which relocations name it
	Name    string
	Value   uint32
	Section int // from 1; 0 is undefined, less is no section
	Type    uint16
	Class   uint8
	Aux     []byte // the entries behind it that tell more of it
}

// The storage classes of symbols that are looked at.
const (
	COFFExternal     = 2
	COFFStatic       = 3
	COFFLabel        = 6
	COFFFile         = 103
	COFFWeakExternal = 105
)

// SymbolCount is how many entries the table of symbols has.
func (f *PEFile) SymbolCount() int { return len(f.symbols) / coffSymbol }

// Symbols goes through the table of symbols.
func (f *PEFile) Symbols(use func(COFFSymbol)) error {
	for i := 0; i < f.SymbolCount(); i++ {
		b := f.symbols[i*coffSymbol:]
		s := COFFSymbol{
			Index: i, Name: CString(b[:8]), Value: le.Uint32(b[8:]),
			Section: int(int16(le.Uint16(b[12:]))), Type: le.Uint16(b[14:]), Class: b[16],
		}
		if le.Uint32(b) == 0 {
			var err error
			if s.Name, err = f.names.At(uint64(le.Uint32(b[4:]))); err != nil {
				return err
			}
		}
		aux := int(b[17])
		i += aux
		s.Aux = b[coffSymbol:min(len(b), coffSymbol*(1+aux))]
		use(s)
	}
	return nil
}
