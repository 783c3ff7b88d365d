package isa

import "encoding/binary"

// thumbDecode reads one instruction of T32.
func thumbDecode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 2 {
		*in = inst{length: 1, flow: trap, bad: true}
		return
	}
	h := uint32(binary.LittleEndian.Uint16(code))
	if h == 0xd4d4 { // what lld fills gaps with
		if b := m.img.bytesAt(pc&^3, 4); len(b) == 4 && binary.LittleEndian.Uint32(b) == 0xd4d4d4d4 {
			*in = inst{length: 2, flow: trap, nop: true}
			return
		}
	}
	if h>>11 < 0x1d {
		thumb16(m, pc, h, in)
		return
	}
	if len(code) < 4 {
		*in = inst{length: 2, flow: trap, bad: true}
		return
	}
	w := h<<16 | uint32(binary.LittleEndian.Uint16(code[2:]))
	*in = inst{length: 4}
	if !m.bare {
		in.entry = thumbEntry(w)
	}
	rn, rd, rt := w>>16&15, w>>8&15, w>>12&15
	here := (pc + 4) &^ 3
	imm12 := uint64(w & 0xfff)
	known := func() (uint64, bool) {
		if rn == 15 {
			return here, true
		}
		return m.regs[rn], m.has(rn)
	}
	switch {
	case w&0xf8008000 == 0xf0008000: // branches and miscellaneous control
		s := w >> 26 & 1
		i1, i2 := ^(w>>13^s)&1, ^(w>>11^s)&1
		switch {
		case w&0x5000 == 0x1000: // B
			in.flow, in.target = jump, pc+4+uint64(signed(s<<24|i1<<23|i2<<22|w>>16&0x3ff<<12|w&0x7ff<<1, 25))
		case w&0x4000 != 0: // BL, BLX
			in.flow, in.target = call, pc+4+uint64(signed(s<<24|i1<<23|i2<<22|w>>16&0x3ff<<12|w&0x7ff<<1, 25))
			if w&0x1000 == 0 {
				in.target &^= 3
			}
			m.known &^= 0x500f
		case w>>22&0xf < 14: // B with a condition
			in.flow, in.target = cond, pc+4+uint64(signed(s<<20|w>>11&1<<19|w>>13&1<<18|w>>16&0x3f<<12|w&0x7ff<<1, 21))
		case w&0xfff0f000 == 0xf7f0a000: // UDF
			in.flow = trap
		}
		in.target &= 0xffffffff
	case w&0xfff0ffe0 == 0xe8d0f000: // TBB, TBH: the table follows
		in.flow = indirect
		if rn == 15 {
			in.ref, in.kind, in.refSize = pc+4, literal, m.img.thumbTable(pc+4, w>>4&1 != 0)
		}
	case w&0xfe500000 == 0xe8100000, w&0xffff0000 == 0xe8bd0000: // LDM
		if w>>15&1 != 0 {
			in.flow = stop
		}
		m.known &^= w & 0xffff
	case w&0xfff00ff0 == 0xf8500000 && m.has(w&15): // LDR with a register
		addr, ok := m.img.slot(m.regs[w&15])
		if v, base := known(); base {
			addr, ok = (v+m.regs[w&15])&0xffffffff, true
		}
		if ok {
			in.ref, in.kind = addr, load
			m.pointer(rt, addr)
		} else {
			m.kill(rt)
		}
	case w&0xfe000000 == 0xf8000000: // loads and stores of one register
		isLoad := w>>20&1 != 0
		v, ok := known()
		if ok && (w>>23&1 != 0 || rn == 15) {
			in.ref, in.kind = v+imm12, store
			if rn == 15 && w>>23&1 == 0 {
				in.ref = v - imm12
			}
			if isLoad {
				in.kind = load
			}
		}
		if isLoad && rt == 15 {
			in.flow = indirect
			if w&0xffff0fff == 0xf85d0b04 { // POP
				in.flow = stop
			}
		} else if isLoad {
			word := w>>21&3 == 2
			switch {
			case in.kind == load && rn == 15:
				in.kind, in.refSize = literal, 4
				if b := m.img.bytesAt(in.ref, 4); len(b) == 4 && word {
					m.set(rt, uint64(m.img.order.Uint32(b)))
				}
			case in.kind == load && word:
				m.pointer(rt, in.ref)
			default:
				m.kill(rt)
			}
		}
		if w>>23&1 == 0 && w>>8&1 != 0 && w>>11&1 != 0 {
			m.kill(rn)
		}
	case w&0xff200e00 == 0xed000a00: // VLDR, VSTR
		if v, ok := known(); ok {
			in.ref, in.kind = v+uint64(w&0xff)*4, store
			if w>>23&1 == 0 {
				in.ref = v - uint64(w&0xff)*4
			}
			if w>>20&1 != 0 {
				in.kind = load
				if rn == 15 {
					in.kind, in.refSize = literal, 8
				}
			}
		}
	case w&0xfe400000 == 0xe8400000: // LDRD, STRD, exclusives
		if v, ok := known(); ok && w>>20&1 != 0 && rn == 15 {
			in.ref, in.kind, in.refSize = v+uint64(w&0xff)*4, literal, 8
		}
		m.kill(rt)
		m.kill(rd)
	case w&0xfbf08000 == 0xf2400000: // MOVW
		m.set(rd, uint64(w>>4&0xf000|w>>15&0x800|w>>4&0x700|w&0xff))
	case w&0xfbf08000 == 0xf2c00000: // MOVT
		if m.has(rd) {
			m.set(rd, m.regs[rd]&0xffff|uint64(w>>4&0xf000|w>>15&0x800|w>>4&0x700|w&0xff)<<16)
			in.ref, in.kind = m.regs[rd], address
		}
	case w&0xfbff8000 == 0xf20f0000, w&0xfbff8000 == 0xf2af0000: // ADR
		k := uint64(w>>15&0x800 | w>>4&0x700 | w&0xff)
		in.ref, in.kind = here+k, address
		if w>>23&1 != 0 {
			in.ref = here - k
		}
		m.set(rd, in.ref)
	case w&0xfbf08000 == 0xf2000000, w&0xfbf08000 == 0xf1000000: // ADD with a constant
		k := uint64(w>>15&0x800 | w>>4&0x700 | w&0xff)
		if v, ok := known(); ok && (k < 256 || w>>25&1 != 0) {
			in.ref, in.kind = v+k, address
			m.set(rd, in.ref)
		} else {
			m.kill(rd)
		}
	case w&0xec000000 == 0xec000000: // coprocessors, floating point
		if w&0x00100000 != 0 {
			m.kill(rt)
		}
	default:
		m.kill(rd)
		m.kill(rt)
	}
	in.nop = w&0xffffff00 == 0xf3af8000
}

func thumb16(m *machine, pc uint64, h uint32, in *inst) {
	*in = inst{length: 2}
	here := (pc + 4) &^ 3
	low := h & 7
	switch {
	case h&0xf500 == 0xb100: // CBZ, CBNZ
		in.entry = thumbCBZ
		in.flow, in.target = cond, pc+4+uint64(h>>9&1<<6|h>>3&31<<1)
	case h&0xff00 == 0xbf00:
		if h&15 != 0 {
			in.entry, in.selects = thumbIT, true
		} else {
			in.nop = h == 0xbf00
		}
	case h&0xf000 == 0xd000:
		switch {
		case h>>8&15 < 14:
			in.flow, in.target = cond, pc+4+uint64(signed(h, 8)*2)
		case h>>8&15 == 14:
			in.flow = trap
		}
	case h&0xf800 == 0xe000: // B
		in.flow, in.target = jump, pc+4+uint64(signed(h, 11)*2)
	case h&0xff80 == 0x4700: // BX
		in.flow = indirect
		if h>>3&15 == 14 {
			in.flow = stop
		}
	case h&0xff80 == 0x4780: // BLX
		in.flow = call
		m.known &^= 0x500f
	case h&0xfe00 == 0xbc00: // POP
		m.known &^= h & 0xff
		if h>>8&1 != 0 {
			in.flow = stop
		}
	case h&0xf800 == 0x4800: // LDR of a literal
		in.ref, in.kind, in.refSize = here+uint64(h&0xff)*4, literal, 4
		if b := m.img.bytesAt(in.ref, 4); len(b) == 4 {
			m.set(h>>8&7, uint64(m.img.order.Uint32(b)))
		}
	case h&0xff00 == 0x4400: // ADD
		rd, rm := h>>4&8|low, h>>3&15
		switch {
		case rd == 15:
			in.flow = indirect
		case rm == 15 && m.has(rd):
			in.ref, in.kind = (m.regs[rd]+pc+4)&0xffffffff, address
			m.set(rd, in.ref)
		case m.has(rd) && m.has(rm):
			in.ref, in.kind = (m.regs[rd]+m.regs[rm])&0xffffffff, address
			m.set(rd, in.ref)
		default:
			m.kill(rd)
		}
	case h&0xff00 == 0x4600: // MOV
		if rd := h>>4&8 | low; rd == 15 {
			in.flow = indirect
			if h>>3&15 == 14 {
				in.flow = stop
			}
		} else {
			m.copy(rd, h>>3&15)
		}
		in.nop = h == 0x46c0
	case h&0xff00 == 0x4500: // CMP
	case h&0xf800 == 0xa000: // ADR
		in.ref, in.kind = here+uint64(h&0xff)*4, address
		m.set(h>>8&7, in.ref)
	case h&0xe000 == 0x6000, h&0xf000 == 0x8000: // LDR, STR, LDRB, STRB, LDRH, STRH
		rn := h >> 3 & 7
		size := uint64(4)
		if h>>12 == 7 {
			size = 1
		} else if h>>12 == 8 {
			size = 2
		}
		isLoad := h>>11&1 != 0
		if m.has(rn) {
			in.ref, in.kind = m.regs[rn]+uint64(h>>6&31)*size, store
			if isLoad {
				in.kind = load
			}
		}
		if isLoad {
			if in.kind == load && size == 4 {
				m.pointer(low, in.ref)
			} else {
				m.kill(low)
			}
		}
	case h&0xf000 == 0x5000: // with a register
		rn, rm := h>>3&7, h>>6&7
		if h>>9&7 >= 3 {
			if m.has(rn) && m.has(rm) {
				in.ref, in.kind = (m.regs[rn]+m.regs[rm])&0xffffffff, load
				if h>>9&7 == 4 {
					m.pointer(low, in.ref)
					break
				}
			}
			if h>>9&7 == 4 && m.has(rm) && !m.has(rn) {
				if addr, ok := m.img.slot(m.regs[rm]); ok {
					in.ref, in.kind = addr, load
					m.pointer(low, addr)
					break
				}
			}
			m.kill(low)
		}
	case h&0xf800 == 0x3000: // ADDS
		if r := h >> 8 & 7; m.has(r) {
			in.ref, in.kind = m.regs[r]+uint64(h&0xff), address
			m.set(r, in.ref)
		}
	case h&0xf800 == 0x2800: // CMP
	case h&0xf800 == 0x2000, h&0xf800 == 0x3800: // MOVS, SUBS
		m.kill(h >> 8 & 7)
	case h&0xf000 == 0x9000, h&0xf000 == 0xa000:
		m.kill(h >> 8 & 7)
	case h&0xf000 == 0xb000, h&0xf000 == 0xc000:
		if h&0xf800 == 0xc800 {
			m.known &^= h & 0xff
		}
	default:
		m.kill(low)
	}
	in.target &= 0xffffffff
}

var (
	thumbCBZ = &entry{"cbz", parseNeed("v6t2")}
	thumbIT  = &entry{"it", parseNeed("v6t2")}
	thumbTwo = &entry{"(Thumb-2)", parseNeed("v6t2")}
)

// thumbEntry is what a 32-bit T32 instruction needs. The instructions of NEON and the floating-point unit are A32's
// with another first byte (DDI 0406, A7.2); BL and BLX are all that was there before Thumb-2.
func thumbEntry(w uint32) *entry {
	switch {
	case w&0xef000000 == 0xef000000: // 111U1111: NEON data processing
		return cmpEntry(armEntry(0xf2000000 | w>>28&1<<24 | w&0x00ffffff))
	case w&0xff100000 == 0xf9000000, w&0xff100000 == 0xf9200000, w&0xff000000 == 0xf9000000 && w&0x00100000 == 0:
		// NEON loads and stores
		return cmpEntry(armEntry(0xf4000000 | w&0x00ffffff))
	case w&0xec000000 == 0xec000000 && (w>>8&0xe == 0xa || w>>28 == 15 || w>>8&15 == 8 || w>>8&15 == 9 || w>>8&15 == 13):
		// coprocessors 10, 11
		return cmpEntry(armEntry(w))
	case w&0xf800c000 == 0xf000c000: // BL, BLX
		return nil
	}
	if e := thumbTable().find(uint64(w)); e != nil {
		return e
	}
	return thumbTwo
}

func cmpEntry(e *entry) *entry {
	if e == nil {
		return thumbTwo
	}
	return e
}

// thumbTable is the size of a table of branches: it ends where the first of its targets begins.
func (img *image) thumbTable(at uint64, half bool) int {
	n := uint64(1)
	if half {
		n = 2
	}
	end := ^uint64(0)
	off := uint64(0)
	for ; at+off < end && off < 4096; off += n {
		b := img.code(at+off, int(n))
		if uint64(len(b)) < n {
			break
		}
		v := uint64(b[0])
		if half {
			v |= uint64(b[1]) << 8
		}
		end = min(end, at+2*v)
	}
	return int((off + 1) &^ 1)
}
