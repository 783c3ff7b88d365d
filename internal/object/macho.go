package object

import (
	"debug/macho"
	"encoding/binary"
)

// The Mach-O format is <mach-o/loader.h>, <mach-o/nlist.h> and <mach-o/fat.h> of Apple's SDK.

// Load commands.
const (
	lcReq = 0x80000000 // a loader that does not know it refuses the file

	LCSegment        = 0x1
	LCSymtab         = 0x2
	LCUnixThread     = 0x5
	LCDysymtab       = 0xb
	LCLoadDylib      = 0xc
	LCIDDylib        = 0xd
	LCLoadDylinker   = 0xe
	LCLoadWeakDylib  = 0x18 | lcReq
	LCSegment64      = 0x19
	LCUUID           = 0x1b
	LCRPath          = 0x1c | lcReq
	LCCodeSignature  = 0x1d
	LCReexportDylib  = 0x1f | lcReq
	LCVersionMacOS   = 0x24
	LCVersionIOS     = 0x25
	LCFunctionStarts = 0x26
	LCMain           = 0x28 | lcReq
	LCDataInCode     = 0x29
	LCBuildVersion   = 0x32
	LCChainedFixups  = 0x34 | lcReq
)

// Machines of Mach-O files whose code is read.
const (
	MachOAMD64 = uint32(macho.CpuAmd64)
	MachOARM64 = uint32(macho.CpuArm64)
)

// Types of Mach-O files.
const (
	MachOObject    = 1
	MachOExecute   = 2
	MachOCore      = 4
	MachODylib     = 6
	MachOBundle    = 8
	MachODylibStub = 9
	MachODSYM      = 10
)

// The bits of a symbol's type.
const (
	MachOStab     = 0xe0 // for the debugger, where any is set
	MachOType     = 0x0e
	MachOSection  = 0x0e // a type: defined in a section
	MachOPrivate  = 0x10
	MachOExternal = 0x01
)

// A MachOFile is a Mach-O file with its load commands.
type MachOFile struct {
	*Source
	Order       binary.ByteOrder
	Wide        bool // 64 bits
	CPU, SubCPU uint32
	Type, Flags uint32
	Commands    []MachOCommand
}

// A MachOCommand is a load command, with its head of eight bytes.
type MachOCommand struct {
	Cmd  uint32
	Data []byte
}

// MachOCPU is the name of a machine.
func MachOCPU(cpu uint32) string { return macho.Cpu(cpu).String() }

// IsMachO tells a Mach-O file by its first bytes.
func IsMachO(s *Source) bool {
	head := s.Head(4)
	return len(head) == 4 && (le.Uint32(head)&^1 == macho.Magic32&^1 || isBigMachO(head))
}

func isBigMachO(head []byte) bool { return binary.BigEndian.Uint32(head)&^1 == macho.Magic32&^1 }

// OpenMachO reads the header and the load commands.
func OpenMachO(s *Source) (*MachOFile, error) {
	f := &MachOFile{Source: s, Order: le}
	head, err := s.Bytes(0, 28, "the Mach-O header")
	if err != nil {
		return nil, err
	}
	if isBigMachO(head) {
		f.Order = binary.BigEndian
	}
	at := uint64(28)
	if f.Order.Uint32(head) == macho.Magic64 {
		f.Wide, at = true, 32
	}
	word := func(i int) uint32 { return f.Order.Uint32(head[4*i:]) }
	f.CPU, f.SubCPU, f.Type, f.Flags = word(1), word(2), word(3), word(6)
	commands, err := s.Bytes(at, uint64(word(5)), "the load commands")
	if err != nil {
		return nil, err
	}
	for range word(4) {
		if len(commands) < 8 {
			return nil, Damaged("the load commands are cut short")
		}
		cmd, n := f.Order.Uint32(commands), f.Order.Uint32(commands[4:])
		if n < 8 || uint64(n) > uint64(len(commands)) {
			return nil, Damaged("a load command of %d bytes in %d", n, len(commands))
		}
		f.Commands = append(f.Commands, MachOCommand{cmd, commands[:n]})
		commands = commands[n:]
	}
	return f, nil
}

// Word is a word of a load command, 0 where it is too short.
func (f *MachOFile) Word(c MachOCommand, i int) uint32 {
	if len(c.Data) < 4*i+4 {
		return 0
	}
	return f.Order.Uint32(c.Data[4*i:])
}

// Text is a name inside a load command, at the offset that a word of it has.
func (f *MachOFile) Text(c MachOCommand, word int) (string, error) {
	if len(c.Data) < 4*word+4 {
		return "", Damaged("a load command of %d bytes", len(c.Data))
	}
	off := f.Word(c, word)
	if uint64(off) >= uint64(len(c.Data)) {
		return "", Damaged("a name lies outside of its load command")
	}
	return CString(c.Data[off:]), nil
}

// A MachOSegment is a segment with its sections.
type MachOSegment struct {
	Address, Offset, FileSize uint64
	Protection, Flags         uint32
	Sections                  []MachOSectionHeader
}

// A MachOSectionHeader is a section of a segment.
type MachOSectionHeader struct {
	Name, Segment       string
	Address, Size       uint64
	Offset              uint32
	Relocations, NReloc uint32
	Flags, Reserved1    uint32
}

// Segment reads a load command LC_SEGMENT or LC_SEGMENT_64.
func (f *MachOFile) Segment(c MachOCommand) (MachOSegment, error) {
	var s MachOSegment
	b, wide := c.Data, c.Cmd == LCSegment64
	head, size := 56, 68
	if wide {
		head, size = 72, 80
	}
	if len(b) < head {
		return s, Damaged("a segment command of %d bytes", len(b))
	}
	if wide {
		s.Address, s.Offset, s.FileSize = f.Order.Uint64(b[24:]), f.Order.Uint64(b[40:]), f.Order.Uint64(b[48:])
	} else {
		s.Address, s.Offset = uint64(f.Order.Uint32(b[24:])), uint64(f.Order.Uint32(b[32:]))
		s.FileSize = uint64(f.Order.Uint32(b[36:]))
	}
	s.Protection, s.Flags = f.Order.Uint32(b[head-12:]), f.Order.Uint32(b[head-4:])
	for b = b[head:]; len(b) >= size; b = b[size:] {
		h := MachOSectionHeader{Name: CString(b[:16]), Segment: CString(b[16:32])}
		tail := b[40:]
		if wide {
			h.Address, h.Size, tail = f.Order.Uint64(b[32:]), f.Order.Uint64(b[40:]), b[48:]
		} else {
			h.Address, h.Size = uint64(f.Order.Uint32(b[32:])), uint64(f.Order.Uint32(b[36:]))
		}
		h.Offset, h.Relocations, h.NReloc = f.Order.Uint32(tail), f.Order.Uint32(tail[8:]), f.Order.Uint32(tail[12:])
		h.Flags, h.Reserved1 = f.Order.Uint32(tail[16:]), f.Order.Uint32(tail[20:])
		s.Sections = append(s.Sections, h)
	}
	return s, nil
}

// A MachOSymbol is an entry of the table of symbols.
type MachOSymbol struct {
	Name    string
	Type    uint8
	Section uint8 // from 1, over all segments
	Desc    uint16
	Value   uint64
}

// Symbols goes through the table of symbols that a load command LC_SYMTAB names.
func (f *MachOFile) Symbols(c MachOCommand, use func(MachOSymbol)) error {
	if len(c.Data) < 24 {
		return Damaged("a symbol command of %d bytes", len(c.Data))
	}
	word := func(i int) uint64 { return uint64(f.Word(c, i)) }
	size := uint64(12)
	if f.Wide {
		size = 16
	}
	table, err := f.Bytes(word(2), word(3)*size, "the table of symbols")
	if err != nil {
		return err
	}
	data, err := f.Bytes(word(4), word(5), "the table of names")
	if err != nil {
		return err
	}
	names := NewNames(data)
	for b := table; len(b) > 0; b = b[size:] {
		s := MachOSymbol{Type: b[4], Section: b[5], Desc: f.Order.Uint16(b[6:]), Value: uint64(f.Order.Uint32(b[8:]))}
		if f.Wide {
			s.Value = f.Order.Uint64(b[8:])
		}
		if s.Name, err = names.At(uint64(f.Order.Uint32(b))); err != nil {
			return err
		}
		use(s)
	}
	return nil
}

const (
	fat64       = macho.MagicFat + 1
	mostFatArch = 20 // Java's classes begin with the same four bytes, and then a version of 45 or more
)

// IsFat tells a file that holds others, each for another machine.
func IsFat(s *Source) bool {
	b := s.Head(8)
	if len(b) < 8 {
		return false
	}
	m := binary.BigEndian.Uint32(b)
	return (m == macho.MagicFat || m == fat64) && binary.BigEndian.Uint32(b[4:]) <= mostFatArch
}

// A FatPart is a file in a fat one.
type FatPart struct {
	CPU          uint32
	Offset, Size int64
}

// FatParts are the files in a fat one.
func FatParts(s *Source) ([]FatPart, error) {
	be := binary.BigEndian
	h, err := s.Bytes(0, 8, "the fat header")
	if err != nil {
		return nil, err
	}
	size := uint64(20)
	if be.Uint32(h) == fat64 {
		size = 32
	}
	table, err := s.Bytes(8, uint64(be.Uint32(h[4:]))*size, "the table of architectures")
	if err != nil {
		return nil, err
	}
	var out []FatPart
	for b := table; len(b) > 0; b = b[size:] {
		off, n := uint64(be.Uint32(b[8:])), uint64(be.Uint32(b[12:]))
		if size == 32 {
			off, n = be.Uint64(b[8:]), be.Uint64(b[16:])
		}
		if off > uint64(s.Size) || n > uint64(s.Size)-off {
			return nil, Damaged("architecture %s lies outside of the file", MachOCPU(be.Uint32(b)))
		}
		out = append(out, FatPart{be.Uint32(b), int64(off), int64(n)})
	}
	return out, nil
}
