package isa

import "encoding/binary"

// riscvDecode reads one instruction of RV64 with compressed ones (the unprivileged manual, chapters "RV32/64G
// Instruction Set Listings" and "C").
func riscvDecode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 2 {
		*in = inst{length: 1, flow: trap, bad: true}
		return
	}
	w := uint32(binary.LittleEndian.Uint16(code))
	if w&3 != 3 {
		*in = inst{length: 2, entry: riscvTable().find(uint64(w))}
		riscvCompressed(m, in, pc, w)
		return
	}
	if len(code) < 4 {
		*in = inst{length: 2, flow: trap, bad: true}
		return
	}
	w = binary.LittleEndian.Uint32(code)
	*in = inst{length: 4, entry: riscvTable().find(uint64(w))}
	rd, rs1 := w>>7&31, w>>15&31
	imm := uint64(signed(w>>20, 12))
	switch w & 0x7f {
	case 0x63: // branches
		in.flow = cond
		in.target = pc + uint64(signed(w>>31<<12|w>>7&1<<11|w>>25&0x3f<<5|w>>8&0xf<<1, 13))
	case 0x6f: // JAL
		in.flow = jump
		in.target = pc + uint64(signed(w>>31<<20|w>>12&0xff<<12|w>>20&1<<11|w>>21&0x3ff<<1, 21))
		if rd != 0 {
			in.flow = call
			m.riscvCalled()
		}
	case 0x67: // JALR
		if m.has(rs1) {
			in.target = (m.regs[rs1] + imm) &^ 1
		}
		switch {
		case rd != 0:
			in.flow = call
			m.riscvCalled()
		case rs1 == 1 || rs1 == 5:
			in.flow, in.target = stop, 0
		case in.target != 0:
			in.flow = jump
		default:
			in.flow = indirect
		}
	case 0x17: // AUIPC
		m.set(rd, pc+uint64(int64(int32(w&0xfffff000))))
	case 0x37: // LUI
		m.set(rd, uint64(int64(int32(w&0xfffff000))))
	case 0x13, 0x1b:
		if w>>12&7 == 0 && m.has(rs1) { // ADDI
			in.ref, in.kind = m.regs[rs1]+imm, address
			m.set(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case 0x03, 0x07: // loads
		if m.has(rs1) {
			in.ref, in.kind = m.regs[rs1]+imm, load
		}
		if w&0x7f == 0x03 {
			if in.kind == load && w>>12&7 == 3 {
				m.pointer(rd, in.ref)
			} else {
				m.kill(rd)
			}
		}
	case 0x23, 0x27: // stores
		if m.has(rs1) {
			in.ref, in.kind = m.regs[rs1]+uint64(signed(w>>25<<5|rd, 12)), store
			in.zero = w&0x7f == 0x23 && w>>20&31 == 0
		}
	case 0x2f: // atomics
		if m.has(rs1) {
			in.ref, in.kind = m.regs[rs1], load
			if w>>27 != 2 {
				in.kind = store
			}
		}
		m.kill(rd)
	case 0x73:
		if w == 0x00100073 {
			in.flow = trap
		}
		m.kill(rd)
	case 0x0f:
	default:
		m.kill(rd)
	}
	in.nop = w == 0x13
}

// riscvCalled forgets what a call may change.
func (m *machine) riscvCalled() { m.known &^= 1<<1 | 0xe0 | 0x3fc00 | 0xf0000000 }

func riscvCompressed(m *machine, in *inst, pc uint64, w uint32) {
	rd, rs2 := w>>7&31, w>>2&31
	low, high := 8+(w>>2&7), 8+(w>>7&7)
	switch w>>13<<2 | w&3 {
	case 5<<2 | 1: // C.J
		in.flow = jump
		in.target = pc + uint64(signed(w>>12&1<<11|w>>11&1<<4|w>>9&3<<8|w>>8&1<<10|w>>7&1<<6|w>>6&1<<7|w>>3&7<<1|w>>2&1<<5,
			12))
	case 6<<2 | 1, 7<<2 | 1: // C.BEQZ, C.BNEZ
		in.flow = cond
		in.target = pc + uint64(signed(w>>12&1<<8|w>>10&3<<3|w>>5&3<<6|w>>3&3<<1|w>>2&1<<5, 9))
	case 4<<2 | 2:
		switch {
		case rs2 != 0 && w>>12&1 == 0: // C.MV
			m.copy(rd, rs2)
		case rs2 != 0: // C.ADD
			m.kill(rd)
		case w>>12&1 == 0 && (rd == 1 || rd == 5): // C.JR
			in.flow = stop
		case w>>12&1 == 0:
			in.flow = indirect
			if m.has(rd) {
				in.flow, in.target = jump, m.regs[rd]
			}
		case rd == 0: // C.EBREAK
			in.flow = trap
		default: // C.JALR
			in.flow = call
			if m.has(rd) {
				in.target = m.regs[rd]
			}
			m.riscvCalled()
		}
	case 0<<2 | 1: // C.ADDI
		in.nop = w == 1
		imm := uint64(signed(w>>12&1<<5|w>>2&31, 6))
		if m.has(rd) && rd != 0 {
			in.ref, in.kind = m.regs[rd]+imm, address
			m.set(rd, in.ref)
		}
	case 3<<2 | 1: // C.LUI
		m.set(rd, uint64(signed(w>>12&1<<5|w>>2&31, 6)<<12))
		if rd == 2 {
			m.kill(rd)
		}
	case 2 << 2, 6 << 2: // C.LW, C.SW
		if m.has(high) {
			in.ref, in.kind = m.regs[high]+uint64(w>>10&7<<3|w>>6&1<<2|w>>5&1<<6), load
			if w>>15 != 0 {
				in.kind = store
			}
		}
		if w>>15 == 0 {
			m.kill(low)
		}
	case 3 << 2, 7 << 2, 1 << 2, 5 << 2: // C.LD, C.SD, C.FLD, C.FSD
		if m.has(high) {
			in.ref, in.kind = m.regs[high]+uint64(w>>10&7<<3|w>>5&3<<6), load
			if w>>15 != 0 {
				in.kind = store
			}
		}
		if w>>13 == 3 {
			if in.kind == load {
				m.pointer(low, in.ref)
			} else {
				m.kill(low)
			}
		}
	case 4<<2 | 1:
		m.kill(high)
	case 0:
		if w == 0 {
			in.flow, in.bad = trap, true
		}
		m.kill(low)
	case 4 << 2: // Zcb
		if w>>10&7 < 4 {
			if m.has(high) {
				in.ref, in.kind = m.regs[high]+uint64(w>>5&1<<1|w>>6&1), load
				if w>>10&7 >= 2 {
					in.kind = store
				}
			}
			m.kill(low)
		}
	case 5<<2 | 2, 6<<2 | 2, 7<<2 | 2: // stores to the stack
	default:
		m.kill(rd)
	}
}
