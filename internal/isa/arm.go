package isa

import "encoding/binary"

// armDecode reads one instruction of A32 or T32 (DDI 0406, chapters A5 and A6), as the machine's mode says.
func armDecode(m *machine, pc uint64, code []byte, in *inst) {
	if m.mode == 't' {
		thumbDecode(m, pc, code, in)
		return
	}
	if len(code) < 4 {
		*in = inst{length: max(len(code), 1), flow: trap, bad: true}
		return
	}
	w := binary.LittleEndian.Uint32(code)
	if w == 0xd4d4d4d4 { // what lld fills gaps with
		*in = inst{length: 4, flow: trap, nop: true}
		return
	}
	*in = inst{length: 4}
	if !m.bare {
		in.entry = armEntry(w)
	}
	always := w>>28 >= 14
	rd, rn, rm := w>>12&15, w>>16&15, w&15
	here := pc + 8
	if m.has(15) {
		m.kill(15)
	}
	value := func(r uint32) (uint64, bool) {
		if r == 15 {
			return here, true
		}
		return m.regs[r], m.has(r)
	}
	leave := func(f flow) { // a way out, that is taken if the condition holds
		in.flow = f
		if !always {
			in.flow = maybe
		}
	}
	signedImm := func(imm uint64) uint64 {
		if w>>23&1 == 0 {
			return -imm
		}
		return imm
	}
	switch {
	case w>>25&7 == 5: // B, BL, BLX
		in.target = here + uint64(signed(w, 24)*4)
		switch {
		case w>>28 == 15:
			in.flow = call
			in.target += uint64(w >> 24 & 1 * 2)
		case w>>24&1 != 0:
			in.flow = call
		case always:
			in.flow = jump
		default:
			in.flow = cond
		}
		if in.flow == call {
			m.known &^= 0x500f
		}
		in.target &= 0xffffffff
	case w>>28 == 15:
	case w&0x0ffffff0 == 0x012fff10: // BX
		if rm == 14 {
			leave(stop)
		} else {
			leave(indirect)
		}
	case w&0x0ffffff0 == 0x012fff30: // BLX
		in.flow = call
		m.known &^= 0x500f
	case w&0x0ff000f0 == 0x07f000f0 && w>>28 == 14: // UDF
		in.flow = trap
	case w&0x0e508000 == 0x08108000, w&0x0e500000 == 0x08100000 && w>>15&1 != 0: // LDM with pc
		leave(stop)
	case w&0x0e100000 == 0x08100000: // LDM
		m.known &^= w & 0xffff
	case w&0x0c000000 == 0x04000000 && w&0x02000010 != 0x02000010: // LDR, STR
		isLoad := w>>20&1 != 0
		known := false
		if v, ok := value(rn); ok {
			if w>>25&1 == 0 {
				in.ref, known = (v+signedImm(uint64(w&0xfff)))&0xffffffff, true
				if w>>24&1 == 0 {
					in.ref = v
				}
			} else if o, ok := m.regs[rm], m.has(rm); ok && w>>4&0xff == 0 {
				in.ref, known = (v+o)&0xffffffff, true
			}
		} else if w>>25&1 != 0 && w>>4&0xff == 0 && m.has(rm) {
			in.ref, known = m.img.slot(m.regs[rm])
		}
		if known {
			in.kind = store
			if isLoad {
				in.kind = load
			}
		}
		if isLoad {
			if rd == 15 {
				leave(indirect)
			} else if known && rn == 15 && w>>25&1 == 0 { // a literal
				in.kind, in.refSize = literal, 4
				if b := m.img.bytesAt(in.ref, 4); len(b) == 4 {
					m.set(rd, uint64(m.img.order.Uint32(b)))
				}
			} else if known {
				m.pointer(rd, in.ref)
			} else {
				m.kill(rd)
			}
		}
		if w>>21&1 != 0 || w>>24&1 == 0 {
			m.kill(rn)
		}
	case w&0x0e000090 == 0x00000090 && w&0x60 != 0: // LDRH, LDRD and their like
		if v, ok := value(rn); ok && w>>22&1 != 0 {
			in.ref, in.kind = (v+signedImm(uint64(w>>4&0xf0|w&0xf)))&0xffffffff, load
			if rn == 15 {
				in.kind, in.refSize = literal, 8
			}
		}
		m.kill(rd)
		m.kill(rd + 1)
	case w&0x0f200e00 == 0x0d000a00, w&0x0f000e00 == 0x0d000a00: // VLDR, VSTR
		if v, ok := value(rn); ok {
			in.ref, in.kind = (v+signedImm(uint64(w&0xff)*4))&0xffffffff, store
			if w>>20&1 != 0 {
				in.kind = load
				if rn == 15 {
					in.kind, in.refSize = literal, 8
				}
			}
		}
	case w&0x0ff00000 == 0x03000000: // MOVW
		m.set(rd, uint64(w>>4&0xf000|w&0xfff))
	case w&0x0ff00000 == 0x03400000: // MOVT
		if m.has(rd) {
			m.set(rd, m.regs[rd]&0xffff|uint64(w>>4&0xf000|w&0xfff)<<16)
			in.ref, in.kind = m.regs[rd], address
		}
	case w&0x0fe00ff0 == 0x00800000: // ADD of registers
		a, ok := value(rn)
		b, ok2 := value(rm)
		if ok && ok2 && rd != 15 {
			in.ref, in.kind = (a+b)&0xffffffff, address
			m.set(rd, in.ref)
		} else if rd == 15 {
			leave(indirect)
		} else {
			m.kill(rd)
		}
	case w&0x0f600000 == 0x02000000 && w>>21&15 != 0, w&0x0fe00000 == 0x02800000: // arithmetic with a constant
		k := uint64(w & 0xff)
		if r := w >> 8 & 15 * 2; r != 0 {
			k = uint64(uint32(k)>>r | uint32(k)<<(32-r))
		}
		v, ok := value(rn)
		switch {
		case rd == 15:
			leave(indirect)
		case ok && w>>21&15 == 4: // ADD
			in.ref, in.kind = (v+k)&0xffffffff, address
			m.set(rd, in.ref)
		case ok && w>>21&15 == 2: // SUB
			in.ref, in.kind = (v-k)&0xffffffff, address
			m.set(rd, in.ref)
		default:
			m.kill(rd)
		}
	case w&0x0c000000 == 0 && w&0x01900000 != 0x01100000: // data processing
		if rd == 15 && w&0x0fffffff == 0x01a0f00e {
			leave(stop)
		} else if rd == 15 {
			leave(indirect)
		} else if w&0x0fff0ff0 == 0x01a00000 && always { // MOV
			m.copy(rd, rm)
		} else {
			m.kill(rd)
		}
		if w&0x0f0000f0 == 0x90 { // multiplies write elsewhere
			m.kill(rn)
		}
	case w&0x0e000010 == 0x06000010: // media
		m.kill(rd)
		m.kill(rn)
	case w&0x0f100010 == 0x0e100010: // MRC
		m.kill(rd)
	}
	in.selects = !always && in.flow == next
	in.nop = w == 0xe1a00000 || w == 0xe320f000
	if w == 0 {
		in.flow = next
	}
}

// armEntry is what an A32 instruction needs. Those with the condition 15 are a space of their own, and so are registers
// D16 to D31.
func armEntry(w uint32) *entry {
	t := armTable()
	if w>>28 == 15 {
		return t.findFixed(uint64(w), 0xf0000000)
	}
	e := t.find(uint64(w))
	if d := armHighRegister(w); d != nil && (e == nil || e.need.lacks(armVFP2) == "") {
		return d
	}
	return e
}

var armVFP2 = map[string]bool{"vfp": true, "vfpv3-d16": true}

var armD32 = &entry{"(d16-d31)", parseNeed("vfpv3")}

// armHighRegister tells instructions of the floating-point unit that name one of the registers that VFPv3-D16 lacks.
func armHighRegister(w uint32) *entry {
	if w&0x00000f00 != 0x00000b00 {
		return nil
	}
	d, n, s := w>>22&1 != 0, w>>7&1 != 0, w>>5&1 != 0
	switch {
	case w&0x0f200000 == 0x0d000000: // VLDR, VSTR
		if d {
			return armD32
		}
	case w&0x0e000000 == 0x0c000000 && w>>21&0xf != 2 && w>>21&0xf != 0: // VLDM, VSTM
		if d || w&1 == 0 && w>>12&15+w>>1&0x7f > 16 {
			return armD32
		}
	case w&0x0f000010 == 0x0e000000:
		if w>>20&0xb != 0xb { // three registers
			if d || n || s {
				return armD32
			}
		} else if op := w >> 16 & 15; op < 2 || op == 4 || op == 5 { // two of double precision
			if d || s && w>>6&1 != 0 {
				return armD32
			}
		}
	case w&0x0fe00fd0 == 0x0c400b10: // VMOV of two core registers
		if s {
			return armD32
		}
	}
	return nil
}

// slot is the slot of the global offset table at an offset from its symbol, where there is one: the register that holds
// the table's address is often set far away.
func (img *image) slot(off uint64) (addr uint64, ok bool) {
	addr = (img.got + off) & 0xffffffff
	_, ok = img.pointers[addr]
	return addr, ok && img.got != 0
}
