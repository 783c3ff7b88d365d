package isa

import (
	"debug/elf"
	"encoding/binary"
)

// held finds the branches that test a register with an answer of the machine in it, however far they are from the load
// of the variable that keeps the answer: compilers load it where it suits them (Go's before the loop or the
// expression in which it asks).
func (p *program) held(g *guard, code []inst, looks map[uint64]bool) []int32 {
	var out []int32
	for i, pc := range g.pcs {
		if !looks[pc] || code[i].kind != load {
			continue
		}
		register, ok := p.loaded(pc, code[i].length)
		if !ok {
			continue
		}
		seen := map[int32]bool{}
		queue := []int32{int32(i)}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, s := range g.succ[at] {
				if s < 0 || seen[s] {
					continue
				}
				seen[s] = true
				in := &code[s]
				tested, changed := p.usesRegister(g.pcs[s], in.length, register)
				if in.flow == cond && tested {
					out = append(out, s)
				}
				if in.flow == cond || !changed && in.flow != call && in.flow != maybe {
					queue = append(queue, s)
				}
			}
		}
	}
	return out
}

// loaded is the register that a load fills, on machines whose branches test registers.
func (p *program) loaded(pc uint64, length int) (register uint32, ok bool) {
	b := p.img.code(pc, length)
	if len(b) < length {
		return 0, false
	}
	switch {
	case p.img.machine == elf.EM_RISCV && length == 2:
		return 8 + uint32(binary.LittleEndian.Uint16(b))>>2&7, true
	case p.img.machine == elf.EM_RISCV && length == 4:
		return binary.LittleEndian.Uint32(b) >> 7 & 31, true
	case (p.img.machine == elf.EM_AARCH64 || p.img.machine == elf.EM_LOONGARCH) && length == 4:
		return binary.LittleEndian.Uint32(b) & 31, true
	}
	return 0, false
}

// usesRegister says whether a conditional branch tests a register, and whether another instruction may change it: all
// do that have it where the machine's instructions have their result, whatever they do.
func (p *program) usesRegister(pc uint64, length int, register uint32) (tested, changed bool) {
	b := p.img.code(pc, length)
	if len(b) < length {
		return false, true
	}
	switch p.img.machine {
	case elf.EM_RISCV: // The RISC-V Instruction Set Manual, volume I, chapters "RV32I" and "C"
		if length == 2 {
			w := uint32(binary.LittleEndian.Uint16(b))
			tested = w&3 == 1 && w>>14 == 3 && 8+w>>7&7 == register // C.BEQZ, C.BNEZ
			return tested, w>>7&31 == register || 8+w>>7&7 == register || 8+w>>2&7 == register
		}
		w := binary.LittleEndian.Uint32(b)
		return w&0x7f == 0x63 && (w>>15&31 == register || w>>20&31 == register), w>>7&31 == register
	case elf.EM_AARCH64: // CBZ, CBNZ, TBZ, TBNZ (Arm Architecture Reference Manual, C4.1)
		w := binary.LittleEndian.Uint32(b)
		return w>>26&0x1f == 0x0d && w&31 == register, w&31 == register || w>>10&31 == register // of pairs the second
	case elf.EM_LOONGARCH: // BEQZ, BNEZ, BEQ, BNE (LoongArch Reference Manual, volume 1, 2.2.5)
		w := binary.LittleEndian.Uint32(b)
		op := w >> 26
		return op == 0x10 && w>>5&31 == register || op == 0x11 && w>>5&31 == register ||
			(op == 0x16 || op == 0x17) && (w>>5&31 == register || w&31 == register), w&31 == register
	}
	return false, true
}
