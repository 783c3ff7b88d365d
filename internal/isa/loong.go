package isa

import "encoding/binary"

// loongDecode reads one instruction of LA64 (LoongArch Reference Manual, volume 1, appendix B).
func loongDecode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 4 {
		*in = inst{length: len(code), flow: trap, bad: true}
		return
	}
	w := binary.LittleEndian.Uint32(code)
	*in = inst{length: 4, entry: loongTable().find(uint64(w))}
	rd, rj := w&31, w>>5&31
	imm12 := uint64(signed(w>>10, 12))
	called := func() { in.flow = call; m.known &^= 1<<1 | 0x1ffff0 }
	base := func(imm uint64, kind refKind) bool {
		if !m.has(rj) {
			return false
		}
		in.ref, in.kind = m.regs[rj]+imm, kind
		return true
	}
	switch op := w >> 22; {
	case w>>26 >= 0x10 && w>>26 <= 0x12: // BEQZ, BNEZ, BCEQZ
		in.flow, in.target = cond, pc+uint64(signed(w&31<<16|w>>10&0xffff, 21)*4)
	case w>>26 == 0x13: // JIRL
		if m.has(rj) {
			in.target = m.regs[rj] + uint64(signed(w>>10, 16)*4)
		}
		switch {
		case rd != 0:
			called()
		case rj == 1:
			in.flow, in.target = stop, 0
		case in.target != 0:
			in.flow = jump
		default:
			in.flow = indirect
		}
	case w>>26 == 0x14, w>>26 == 0x15: // B, BL
		in.flow, in.target = jump, pc+uint64(signed(w&0x3ff<<16|w>>10&0xffff, 26)*4)
		if w>>26 == 0x15 {
			called()
		}
	case w>>26 >= 0x16 && w>>26 <= 0x1b: // BEQ … BGEU
		in.flow, in.target = cond, pc+uint64(signed(w>>10, 16)*4)
	case w>>25 == 0x0d: // PCALAU12I
		m.set(rd, (pc+uint64(signed(w>>5, 20)<<12))&^0xfff)
	case w>>25 == 0x0e: // PCADDU12I
		m.set(rd, pc+uint64(signed(w>>5, 20)<<12))
	case w>>25 == 0x0c: // PCADDI
		in.ref, in.kind = pc+uint64(signed(w>>5, 20)*4), address
		m.set(rd, in.ref)
	case w>>25 == 0x0f: // PCADDU18I
		m.set(rd, pc+uint64(signed(w>>5, 20)<<18))
	case w>>25 == 0x0a: // LU12I.W
		m.set(rd, uint64(signed(w>>5, 20)<<12))
	case op == 0x00b, op == 0x00a: // ADDI.D, ADDI.W
		if rj != 0 && base(imm12, address) {
			m.set(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case w&0xffff8000 == 0x00108000: // ADD.D
		if far, ok := m.loongFar(pc, w>>10&31); ok && base(far, address) {
			m.set(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case op == 0x00e: // ORI
		m.kill(rd)
		in.nop = w == 0x03400000
	case w == 0x03400000: // ANDI with r0: the usual filler
		in.nop = true
	case w&0xfffffc00 == 0x00150000 && w>>10&31 == 0: // OR with r0: MOVE
		m.copy(rd, rj)
	case op == 0x0a3: // LD.D
		if base(imm12, load) {
			m.pointer(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case op >= 0x0a0 && op <= 0x0a2, op >= 0x0a8 && op <= 0x0aa: // loads
		base(imm12, load)
		m.kill(rd)
	case op >= 0x0a4 && op <= 0x0a7: // stores
		base(imm12, store)
		in.zero = rd == 0
	case w>>24 == 0x24, w>>24 == 0x26: // LDPTR
		if base(uint64(signed(w>>10, 14)*4), load) && w>>24 == 0x26 {
			m.pointer(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case w>>24 == 0x25, w>>24 == 0x27: // STPTR
		base(uint64(signed(w>>10, 14)*4), store)
	case op >= 0x0ac && op <= 0x0af: // of floating-point registers
		base(imm12, load)
	case w>>10 == 0x1b: // CPUCFG
		in.detects = true
		m.kill(rd)
	case w>>15 == 0x54, w == 0: // BREAK
		in.flow = trap
		in.bad, in.nop = w == 0, w == 0x002a0000 // which lld fills gaps with
	case w&0xffff8000 == 0x00130000, w&0xffff8000 == 0x00138000: // MASKEQZ, MASKNEZ
		in.selects = true
		m.kill(rd)
	default:
		m.kill(rd)
	}
}

// loongFar is what the three instructions before pc put into a register: the rest of an address in code that may lie
// anywhere, as crt1.o names main (LoongArch ELF psABI, "Code Models", extreme).
func (m *machine) loongFar(pc uint64, r uint32) (uint64, bool) {
	b := m.img.code(pc-12, 12)
	if len(b) < 12 {
		return 0, false
	}
	low, mid, high := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if low&^0x3ffc00 != 0x02c00000|r || mid&^0x1ffffe0 != 0x16000000|r || high&^0x3ffc00 != 0x03000000|r<<5|r {
		// ADDI.D r, r0; LU32I.D r; LU52I.D r, r
		return 0, false
	}
	return uint64(high>>10)<<52 | uint64(mid>>5&0xfffff)<<32 | uint64(uint32(signed(low>>10, 12))), true
}
