package isa

import (
	"debug/elf"
	"encoding/binary"
	"testing"
)

// TestUsesRegister: which branches test a register, and what may change it.
func TestUsesRegister(t *testing.T) {
	for _, c := range []struct {
		name            string
		machine         elf.Machine
		word            uint32
		length          int
		register        uint32
		tested, changed bool
	}{
		{"beqz x6, 12", elf.EM_RISCV, 0x00030663, 4, 6, true, false},
		{"beqz x6, 12", elf.EM_RISCV, 0x00030663, 4, 7, false, false},
		{"beq x5, x6, 8", elf.EM_RISCV, 0x00628463, 4, 6, true, false},
		{"cpop x6, x8", elf.EM_RISCV, 0x60241313, 4, 6, false, true},
		{"c.beqz x8, 4", elf.EM_RISCV, 0xc011, 2, 8, true, true},
		{"c.beqz x8, 4", elf.EM_RISCV, 0xc011, 2, 9, false, false},
		{"c.or x8, x14", elf.EM_RISCV, 0x8c59, 2, 8, false, true},
		{"c.or x8, x14", elf.EM_RISCV, 0x8c59, 2, 6, false, false},
		{"cbz w8, 12", elf.EM_AARCH64, 0x34000068, 4, 8, true, true},
		{"cbnz x8, 12", elf.EM_AARCH64, 0xb5000068, 4, 8, true, true},
		{"tbz w8, #0, 12", elf.EM_AARCH64, 0x36000068, 4, 8, true, true},
		{"tbz w8, #0, 12", elf.EM_AARCH64, 0x36000068, 4, 9, false, false},
		{"ldp x0, x8, [sp]", elf.EM_AARCH64, 0xa94023e0, 4, 8, false, true},
		{"add x0, x1, x8", elf.EM_AARCH64, 0x8b080020, 4, 8, false, false},
		{"b.eq 12", elf.EM_AARCH64, 0x54000060, 4, 8, false, false},
		{"beqz r12, 8", elf.EM_LOONGARCH, 0x40000980, 4, 12, true, false},
		{"bne r12, r13, 8", elf.EM_LOONGARCH, 0x5c00098d, 4, 13, true, true},
		{"add.d r12, r13, r14", elf.EM_LOONGARCH, 0x0010b9ac, 4, 12, false, true},
		{"add.d r12, r13, r14", elf.EM_LOONGARCH, 0x0010b9ac, 4, 13, false, false},
	} {
		code := binary.LittleEndian.AppendUint32(nil, c.word)[:c.length]
		img := newImage()
		class := elf.ELFCLASS64
		if err := img.add(stripped(c.machine, class, false, code), ""); err != nil {
			t.Fatal(err)
		}
		img.finish()
		p := newProgram(img, nil)
		if tested, changed := p.usesRegister(0x10000, c.length, c.register); tested != c.tested || changed != c.changed {
			t.Errorf("%s and register %d: tested %v, changed %v", c.name, c.register, tested, changed)
		}
	}
}
