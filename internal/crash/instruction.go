package crash

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// instruction reads the machine code at pc: as many bytes as the instruction has, on x86 as many as it could have.
func instruction(c *core, m *module, pc uint64) []byte {
	b := make([]byte, 15)
	n := 0
	if m != nil {
		n = m.code(b, pc)
	}
	if n == 0 {
		for n = len(b); n > 0 && c.read(b[:n], pc) != nil; n-- {
		}
	}
	b = b[:n]
	if n < 2 {
		return nil
	}
	return b[:min(n, length(c.elf.Machine, c.thumb(), c.order(), b))]
}

// length is how long the instruction at the start of b is.
func length(machine elf.Machine, thumb bool, order binary.ByteOrder, b []byte) int {
	switch first := order.Uint16(b); {
	case machine == elf.EM_X86_64 || machine == elf.EM_386:
		return 15
	case machine == elf.EM_S390:
		return s390Length(b[0])
	case machine == elf.EM_RISCV && first&3 != 3: // The RISC-V ISA manual, "Expanded Instruction-Length Encoding"
		return 2
	case thumb && first>>11 < 0b11101: // Arm ARM, "Thumb instruction set encoding"
		return 2
	}
	return 4
}

// s390Length is in the first two bits (z/Architecture Principles of Operation, "Instruction formats").
func s390Length(first byte) int {
	return []int{2, 4, 4, 6}[first>>6]
}

// s390Start finds the instruction in front of an address: an s390 that stops has the next one in its PSW. Going from
// the function's start is the one sure way, because instructions have three lengths.
func s390Start(m *module, pc uint64) uint64 {
	if m == nil {
		return pc
	}
	_, start, ok := m.function(pc - 1)
	if !ok {
		return pc
	}
	for at := start; at < pc; {
		b := make([]byte, 1)
		if m.code(b, at) == 0 {
			break
		}
		next := at + uint64(s390Length(b[0]))
		if next >= pc {
			return at
		}
		at = next
	}
	return pc
}

// hexadecimal spells code as disassemblers do: bytes where instructions have several lengths, a word where they are
// words.
func hexadecimal(c *core, code []byte) string {
	switch m := c.elf.Machine; {
	case m == elf.EM_X86_64 || m == elf.EM_386 || m == elf.EM_S390 || len(code)%2 != 0:
		return fmt.Sprintf("% x", code)
	case c.thumb() && len(code) == 4:
		return fmt.Sprintf("%04x %04x", c.order().Uint16(code), c.order().Uint16(code[2:]))
	case len(code) == 2:
		return fmt.Sprintf("%04x", c.order().Uint16(code))
	}
	return fmt.Sprintf("%08x", c.order().Uint32(code))
}

// A pattern is a word of machine code under a mask.
type pattern struct{ mask, value uint32 }

// traps are what compilers write for __builtin_trap and unreachable code, and a machine's breakpoint: seen in what
// clang 19 makes.
var traps = map[elf.Machine][]pattern{
	elf.EM_AARCH64: {{0xffe0001f, 0xd4200000}, {0xffff0000, 0}},          // brk, udf
	elf.EM_ARM:     {{0xfff000f0, 0xe7f000f0}, {0xffffffff, 0xe7ffdefe}}, // udf, Linux' breakpoint
	elf.EM_PPC64:   {{0xffffffff, 0x7fe00008}},                           // trap
	elf.EM_RISCV:   {{0xffffffff, 0xc0001073}, {0xffffffff, 0x00100073}}, // unimp, ebreak
	elf.EM_MIPS:    {{0xfc00003f, 0x0000000d}, {0xffff003f, 0x00000034}}, // break, teq $zero,$zero
	// break, amswap.w $zero,$ra,$zero
	elf.EM_LOONGARCH: {{0xffff8000, 0x002a0000}, {0xffffffff, 0x38600400}},
	elf.EM_S390:      {{0xffffffff, 0xa7f40001}}, // j .+2
	// ud2, int3, ud1 of a sanitizer
	elf.EM_386:    {{0xffff, 0x0b0f}, {0xff, 0xcc}, {0xffff, 0xb90f}, {0xffffff, 0xb90f67}},
	elf.EM_X86_64: {{0xffff, 0x0b0f}, {0xff, 0xcc}, {0xffff, 0xb90f}, {0xffffff, 0xb90f67}},
}

// trap2 are those of two bytes: Thumb's udf, RISC-V's c.unimp and c.ebreak.
var trap2 = map[elf.Machine][]pattern{
	elf.EM_ARM:   {{0xff00, 0xde00}},
	elf.EM_RISCV: {{0xffff, 0x0000}, {0xffff, 0x9002}},
}

func trap(c *core, code []byte) bool {
	var word uint32 // on x86, whose instructions have any length, the first bytes
	list := traps[c.elf.Machine]
	switch {
	case len(code) == 2 && trap2[c.elf.Machine] != nil:
		word, list = uint32(c.order().Uint16(code)), trap2[c.elf.Machine]
	default:
		word = c.order().Uint32(append(slices.Clone(code), 0, 0, 0))
	}
	return slices.ContainsFunc(list, func(p pattern) bool { return word&p.mask == p.value })
}
