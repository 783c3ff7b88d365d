package isa

import "encoding/binary"

// s390xDecode reads one instruction of z/Architecture (Principles of Operation, chapter 5, "Instructions", and appendix
// B).
func s390xDecode(m *machine, pc uint64, code []byte, in *inst) {
	n := 2
	if len(code) > 0 && code[0] >= 0x40 {
		n = 4
		if code[0] >= 0xc0 {
			n = 6
		}
	}
	if len(code) < n {
		*in = inst{length: max(len(code), 1), flow: trap, bad: true}
		return
	}
	var b [8]byte
	copy(b[2:], code[:n])
	w := binary.BigEndian.Uint64(b[:])
	*in = inst{length: n, entry: s390xTable().find(w)}
	op, r1, r2 := code[0], uint32(code[1]>>4), uint32(code[1]&15)
	rel16 := func(at int) uint64 { return pc + uint64(int64(int16(binary.BigEndian.Uint16(code[at:])))*2) }
	rel32 := func() uint64 { return pc + uint64(int64(int32(binary.BigEndian.Uint32(code[2:])))*2) }
	near := func(base uint32, disp int64, kind refKind) bool {
		if base == 0 || !m.has(base) {
			return false
		}
		in.ref, in.kind = m.regs[base]+uint64(disp), kind
		return true
	}
	short := int64(0)
	if n >= 4 {
		short = int64(binary.BigEndian.Uint16(code[2:]) & 0xfff)
	}
	called := func() { in.flow = call; m.known &^= 0x403f }
	switch op {
	case 0x07: // BCR
		switch {
		case r1 == 0 || r2 == 0:
			in.nop = true
		case r1 == 15 && r2 == 14:
			in.flow = stop
		case r1 == 15:
			in.flow = indirect
		default:
			in.flow = maybe
		}
	case 0x0d: // BASR
		if r2 != 0 {
			called()
		}
		m.kill(r1)
	case 0x00: // 0000 and 0001 trap
		in.flow, in.bad = trap, code[1] == 0
	case 0xa7:
		switch r2 {
		case 4: // BRC
			in.flow, in.target = cond, rel16(2)
			if r1 == 15 {
				in.flow = jump
			} else if r1 == 0 {
				in.flow, in.target, in.nop = next, 0, true
			}
		case 5: // BRAS
			in.target = rel16(2)
			called()
		case 6, 7: // BRCT
			in.flow, in.target = cond, rel16(2)
			m.kill(r1)
		case 0xb: // AGHI
			if m.has(r1) {
				m.set(r1, m.regs[r1]+uint64(int64(int16(binary.BigEndian.Uint16(code[2:])))))
			}
		case 0, 1, 2, 3, 0xe, 0xf: // tests
		default:
			m.kill(r1)
		}
	case 0x84, 0x85: // BRXH, BRXLE
		in.flow, in.target = cond, rel16(2)
	case 0x47: // BC
		if r1 == 15 {
			in.flow = indirect
		} else if r1 != 0 {
			in.flow = maybe
		}
	case 0xc0:
		switch r2 {
		case 0: // LARL
			in.ref, in.kind = rel32(), address
			m.set(r1, in.ref)
		case 4: // BRCL
			in.flow, in.target = cond, rel32()
			if r1 == 15 {
				in.flow = jump
			} else if r1 == 0 {
				in.flow, in.target, in.nop = next, 0, true
			}
		case 5: // BRASL
			in.target = rel32()
			called()
		default:
			m.kill(r1)
		}
	case 0xc4: // loads and stores by a distance
		in.ref, in.kind = rel32(), load
		switch r2 {
		case 7, 0xb, 0xf:
			in.kind = store
		case 8: // LGRL
			m.pointer(r1, in.ref)
		default:
			m.kill(r1)
		}
	case 0xc6:
		if r2 != 0 && r2 != 2 { // not EXRL, PFDRL
			in.ref, in.kind = rel32(), load
		}
	case 0xcc:
		if r2 == 6 { // BRCTH
			in.flow, in.target = cond, rel32()
		}
		m.kill(r1)
	case 0xec:
		switch code[5] {
		case 0x64, 0x65, 0x76, 0x77, 0x7c, 0x7d, 0x7e, 0x7f, 0x44, 0x45: // compare and branch
			in.flow, in.target = cond, rel16(2)
		default:
			m.kill(r1)
		}
	case 0x91, 0x95: // TM, CLI
		near(uint32(code[2]>>4), short, load)
	case 0x92, 0x94, 0x96, 0x97: // MVI, NI, OI, XI
		near(uint32(code[2]>>4), short, store)
	case 0x58, 0x48, 0x59, 0x54, 0x55: // L, LH, C, N, CL
		near(uint32(code[2]>>4), short, load)
		m.kill(r1)
	case 0x50, 0x40, 0x42: // ST, STH, STC
		near(uint32(code[2]>>4), short, store)
	case 0x41: // LA
		if r2 == 0 && near(uint32(code[2]>>4), short, address) {
			m.set(r1, in.ref)
		} else {
			m.kill(r1)
		}
	case 0xe3:
		disp := int64(int8(code[4]))<<12 | short
		base := uint32(code[2] >> 4)
		switch code[5] {
		case 0x24, 0x50, 0x70, 0x72: // stores
			near(base, disp, store)
		case 0x71: // LAY
			if r2 == 0 && near(base, disp, address) {
				m.set(r1, in.ref)
			} else {
				m.kill(r1)
			}
		case 0x04: // LG
			if r2 == 0 && near(base, disp, load) {
				m.pointer(r1, in.ref)
			} else {
				m.kill(r1)
			}
		case 0x46: // BCTG
			in.flow = maybe
		default:
			near(base, disp, load)
			m.kill(r1)
		}
	case 0xeb:
		disp := int64(int8(code[4]))<<12 | short
		switch code[5] {
		case 0x51, 0x55: // TMY, CLIY
			near(uint32(code[2]>>4), disp, load)
		case 0x52, 0x54, 0x56, 0x6a, 0x7a: // MVIY, NIY, OIY, ASI, AGSI
			near(uint32(code[2]>>4), disp, store)
		case 0x04, 0x24, 0x90, 0x96, 0x26: // LMG, STMG
			if code[5] == 0x04 {
				m.known = 0
			}
		default:
			m.kill(r1)
		}
	case 0xb2:
		in.detects = code[1] == 0xb0 // STFLE
	case 0xb9:
		to, from := uint32(code[3]>>4), uint32(code[3]&15)
		switch code[1] {
		case 0x04: // LGR
			m.copy(to, from)
		case 0x20, 0x21, 0x02: // CGR, CLGR, LTGR
		case 0xe2, 0xf2, 0xe0, 0xe3, 0xf0: // LOCGR, LOCR, SELGR, SELR
			in.selects = true
			m.kill(to)
		default:
			m.kill(to)
			if code[1] == 0x86 || code[1] == 0x87 { // MLGR, DLGR: pairs
				m.kill(to + 1)
			}
		}
	case 0x15, 0x19, 0x20, 0x21: // compares
	case 0xd2, 0xd5, 0xd7: // MVC, CLC, XC
	case 0xe7, 0xe6, 0xb3, 0xed:
		if op == 0xe7 && code[5] == 0x21 || op == 0xb3 { // VLGV and others to a general register
			m.kill(r1)
			m.kill(uint32(code[3] >> 4))
		}
	default:
		m.kill(r1)
	}
}
