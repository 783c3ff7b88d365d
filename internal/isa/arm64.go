package isa

import "encoding/binary"

// arm64Decode reads one instruction of A64 (DDI 0487, chapter C4).
func arm64Decode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 4 {
		*in = inst{length: len(code), flow: trap, bad: true}
		return
	}
	w := binary.LittleEndian.Uint32(code)
	*in = inst{length: 4, entry: arm64Table().find(uint64(w))}
	rd, rn := w&31, w>>5&31
	imm12 := uint64(w >> 10 & 0xfff)
	at := func(addr uint64, size uint32, isLoad bool) {
		in.ref, in.kind = addr, store
		if isLoad {
			in.kind = load
		}
	}
	switch {
	case w == 0xd503201f:
		in.nop = true
	case w>>26&0x1f == 5: // B, BL
		in.flow, in.target = jump, pc+uint64(signed(w, 26)*4)
		if w>>31 != 0 {
			in.flow = call
			m.known &^= 0x7ffff
		}
	case w>>24 == 0x54: // B.cond
		in.flow, in.target = cond, pc+uint64(signed(w>>5, 19)*4)
	case w>>25&0x3f == 0x1a: // CBZ, CBNZ
		in.flow, in.target = cond, pc+uint64(signed(w>>5, 19)*4)
	case w>>25&0x3f == 0x1b: // TBZ, TBNZ
		in.flow, in.target = cond, pc+uint64(signed(w>>5, 14)*4)
	case w>>25 == 0x6b:
		switch w >> 21 & 7 {
		case 0: // BR
			in.flow = indirect
		case 1: // BLR
			in.flow = call
			m.known &^= 0x7ffff
		default: // RET, ERET
			in.flow = stop
		}
	case w>>16 == 0, w&0xffe0001f == 0xd4200000: // UDF, BRK
		in.flow = trap
	case w&0x9f000000 == 0x90000000: // ADRP
		m.set(rd, pc&^0xfff+uint64(signed(w>>5&0x7ffff<<2|w>>29&3, 21)<<12))
	case w&0x9f000000 == 0x10000000: // ADR
		in.ref, in.kind = pc+uint64(signed(w>>5&0x7ffff<<2|w>>29&3, 21)), address
		m.set(rd, in.ref)
	case w&0xffc00000 == 0x91000000: // ADD, 64 bits
		if m.has(rn) {
			in.ref, in.kind = m.regs[rn]+imm12, address
			in.lea, in.into = true, byte(rd)
			m.set(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case w&0xffe0001f == 0xeb00001f: // CMP
		in.compared = regPairs[rn][w>>16&31][:]
	case w&0xffe0ffe0 == 0xaa0003e0: // MOV
		m.copy(rd, w>>16&31)
	case w&0x3b000000 == 0x18000000: // LDR of a literal
		if w>>30 != 3 { // that is PRFM
			in.ref, in.kind, in.refSize = pc+uint64(signed(w>>5, 19)*4), literal, 4<<(w>>30)
		}
		m.kill(rd)
		if s := m.img.section(in.ref); in.ref != 0 && s != nil && !s.exec() {
			// a variable that linkers for macOS found to be near
			in.kind, in.refSize = load, 0
			if w>>30 == 1 && w>>26&1 == 0 {
				m.pointer(rd, in.ref)
			}
		}
	case w&0x3b000000 == 0x39000000, w&0x3b200000 == 0x38000000: // LDR, STR with an offset
		vector, opc := w>>26&1, w>>22&3
		isLoad := opc != 0
		size := w >> 30
		if vector != 0 {
			isLoad = opc&1 != 0
			size |= opc & 2 << 1
		}
		if m.has(rn) {
			addr := m.regs[rn] + imm12<<size
			if w>>24&1 == 0 {
				addr = m.regs[rn] + uint64(signed(w>>12, 9))
			}
			at(addr, size, isLoad)
			in.zero = !isLoad && vector == 0 && rd == 31
			if isLoad && vector == 0 {
				m.kill(rd)
				if size == 3 {
					m.pointer(rd, addr)
				}
			}
		} else if isLoad && vector == 0 {
			m.kill(rd)
		}
		if w>>24&1 == 0 && w>>10&1 != 0 { // with write-back
			m.kill(rn)
		}
	case w&0x3f000000 == 0x08000000: // exclusive, ordered, CAS
		isLoad := w>>22&1 != 0
		if m.has(rn) {
			at(m.regs[rn], 0, isLoad)
		}
		m.kill(rd)
		m.kill(w >> 16)
	case w&0x3a000000 == 0x28000000: // LDP, STP
		isLoad := w>>22&1 != 0
		if m.has(rn) {
			at(m.regs[rn]+uint64(signed(w>>15, 7)<<(2+w>>31)), 0, isLoad)
		}
		if isLoad && w>>26&1 == 0 {
			m.kill(rd)
			m.kill(w >> 10)
		}
		if w>>23&1 != 0 {
			m.kill(rn)
		}
	case w == 0xd503251f: // CHKFEAT X16: glibc's setjmp and longjmp ask so whether there is a guarded control stack
		in.detects = true
		m.kill(16)
	case w&0xfff00000 == 0xd5300000: // MRS
		in.detects = w&0xfffff000 == 0xd5380000 // ID_AA64… and MIDR
		m.kill(rd)
	case w&0x1fe00000 == 0x1a800000: // CSEL and its like
		in.selects = true
		m.kill(rd)
	case w>>25&7 == 7, w>>24 == 0xd5: // floating point, system
		if w>>25&0xf == 0xf { // to a general register, perhaps
			m.kill(rd)
		}
	default:
		m.kill(rd)
	}
}
