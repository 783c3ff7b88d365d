package isa

import (
	"debug/elf"
	"slices"
)

// A flow says where the machine goes after an instruction.
type flow uint8

const (
	next     flow = iota // to the next one
	cond                 // to the next one or to target
	jump                 // to target
	call                 // to target, and on with the next one
	indirect             // anywhere: a jump through a register or a table
	stop                 // back to the caller
	trap                 // nowhere: the program ends
	maybe                // to the next one or, through a register, anywhere
)

// ends says that the next instruction is not what comes after.
func (f flow) ends() bool { return f == jump || f == indirect || f == stop || f == trap }

// A refKind says what an instruction does with an address.
type refKind uint8

const (
	noRef   refKind = iota
	address         // computes it
	load            // reads what is there
	store           // writes there
	literal         // reads a constant that lies between the instructions
)

// An inst is what the audit needs to know of an instruction.
type inst struct {
	length   int
	flow     flow
	target   uint64 // of cond, jump and call; 0 where it is not known
	entry    *entry // what it needs beyond the oldest baseline
	ref      uint64
	refSize  int // of a literal
	kind     refKind
	wrote    uint64 // an address of code that it writes there
	zero     bool   // of a store: what it writes is zero
	detects  bool   // it asks the processor what it is
	keeps    bool   // x86: it leaves the flags as they are
	selects  bool   // it chooses between two values by a condition
	delayed  bool   // the next instruction runs first
	bad      bool   // not an instruction
	nop      bool   // does nothing: what fills gaps
	lea      bool   // it computes the address into a register
	into     byte   // which
	compared []byte // registers that it compares
}

// A machine is the state of decoding: what is known of the registers, as addresses are made in several steps on most
// machines.
type machine struct {
	img     *image
	regs    [32]uint64
	known   uint32
	mode    byte   // arm: 'a' or 't'
	start   uint64 // of the function
	table   uint64 // 386: the address of the global offset table, and the registers that held it
	tables  uint32
	spills  [4]int64  // where on the stack it was put, 0 for nowhere
	clobber uint32    // mips: registers that the next instruction still has, and the one after it no longer
	goCode  bool      // the function is Go's own
	bare    bool      // Arm: what the instructions need is not asked
	left    *branches // what is known where branches lead, nil for nothing
}

// branches are the last ones that lead on within a function, and what was known of the registers there.
type branches struct {
	next int
	at   [8]struct {
		to    uint64
		known uint32
		regs  [32]uint64
	}
}

// leave keeps what is known of the registers for where a branch leads.
func (m *machine) leave(to uint64) {
	l := &m.left.at[m.left.next%len(m.left.at)]
	l.to, l.known, l.regs = to, m.known, m.regs
	m.left.next++
}

// resume takes what was known where a branch leads to an address that the instruction before does not go on to.
func (m *machine) resume(pc uint64) {
	if m.left == nil {
		return
	}
	for i := range m.left.at {
		if l := &m.left.at[i]; l.to == pc {
			m.known, m.regs, m.clobber = l.known, l.regs, 0
			return
		}
	}
}

func (m *machine) reset(start uint64) {
	m.known, m.start, m.tables, m.clobber = 0, start, 0, 0
	m.spills = [4]int64{}
	if m.img.machine == elf.EM_386 && m.img.got != 0 && m.img.inPLT(start) {
		// EBX is the caller's (the i386 supplement of the ABI, "Procedure Linkage Table")
		m.set(3, m.img.got)
	}
}

func (m *machine) set(r uint32, v uint64) {
	m.regs[r&31] = v
	m.known |= 1 << (r & 31)
}

// spill notes that a word of the stack holds the table's address, or no longer does.
func (m *machine) spill(word int64, table bool) {
	for i, s := range m.spills {
		if s == word || s == 0 && table {
			m.spills[i] = 0
			if table {
				m.spills[i] = word
			}
			return
		}
	}
}

// spilt says that a word of the stack holds the table's address.
func (m *machine) spilt(word int64) bool { return slices.Contains(m.spills[:], word) }

func (m *machine) kill(r uint32)     { m.known &^= 1 << (r & 31) }
func (m *machine) has(r uint32) bool { return m.known>>(r&31)&1 != 0 }
func (m *machine) copy(to, from uint32) {
	if m.has(from) {
		m.set(to, m.regs[from&31])
	} else {
		m.kill(to)
	}
}

// pointer sets a register to what lies at an address that is not written while the program runs: a slot of the global
// offset table.
func (m *machine) pointer(r uint32, slot uint64) {
	if v, ok := m.img.pointers[slot]; ok {
		m.set(r, v)
	} else {
		m.kill(r)
	}
}

// An arch is how an instruction set is read.
type arch struct {
	name   string
	align  uint64                                             // of instructions
	decode func(m *machine, pc uint64, code []byte, in *inst) // the instruction at the start of code
}

// archOf is the instruction set of a file; ok is false for one that is not read.
func archOf(machine elf.Machine, class elf.Class, data elf.Data) (a *arch, ok bool) {
	a, ok = arches[archKey{machine, class, data}]
	return a, ok
}

type archKey struct {
	machine elf.Machine
	class   elf.Class
	data    elf.Data
}

var arches = map[archKey]*arch{
	{elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB}:    {name: "x86", align: 1, decode: x86Decode(true)},
	{elf.EM_X86_64, elf.ELFCLASS32, elf.ELFDATA2LSB}:    {name: "x86", align: 1, decode: x86Decode(true)},
	{elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB}:       {name: "x86", align: 1, decode: x86Decode(false)},
	{elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB}:   {name: "arm64", align: 4, decode: arm64Decode},
	{elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB}:       {name: "arm", align: 2, decode: armDecode},
	{elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB}:     {name: "riscv64", align: 2, decode: riscvDecode},
	{elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB}:     {name: "ppc64", align: 4, decode: ppcDecode},
	{elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB}:      {name: "s390x", align: 2, decode: s390xDecode},
	{elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB}:      {name: "mips", align: 4, decode: mipsDecode},
	{elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB}: {name: "loong64", align: 4, decode: loongDecode},
}

// signed is the low n bits of v as a number with a sign.
func signed(v uint32, n uint) int64 { return int64(int32(v<<(32-n))) >> (32 - n) }

// regPairs are all pairs of registers, so that none is made for each comparison.
var regPairs = func() (p [32][32][2]byte) {
	for i := range p {
		for j := range p[i] {
			p[i][j] = [2]byte{byte(i), byte(j)}
		}
	}
	return p
}()
