package isa

import "encoding/binary"

// ppcDecode reads one instruction of little-endian 64-bit POWER (Power ISA 3.1, book I, chapter 1.6 for the forms).
func ppcDecode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 4 {
		*in = inst{length: len(code), flow: trap, bad: true}
		return
	}
	w := binary.LittleEndian.Uint32(code)
	if w>>26 == 1 && len(code) >= 8 { // prefixed
		*in = inst{length: 8, entry: ppcEntry(uint64(w)<<32 | uint64(binary.LittleEndian.Uint32(code[4:])))}
		return
	}
	*in = inst{length: 4, entry: ppcTable().find(uint64(w) << 32)}
	m.set(2, m.img.toc) // r2 is the table's in each function that uses it
	rt, ra := w>>21&31, w>>16&31
	imm := uint64(int64(int16(w)))
	base := func(imm uint64, kind refKind) bool {
		if !m.has(ra) || ra == 0 {
			return false
		}
		in.ref, in.kind = m.regs[ra]+imm, kind
		return true
	}
	kill := func(r uint32) {
		if r != 2 {
			m.kill(r)
		}
	}
	switch w >> 26 {
	case 18: // B
		in.flow, in.target = jump, uint64(signed(w&0x03fffffc, 26))
		if w&2 == 0 {
			in.target += pc
		}
		if w&1 != 0 {
			in.flow = call
			m.known &^= 0x1ff9
		}
	case 16: // BC
		in.flow, in.target = cond, uint64(signed(w&0xfffc, 16))
		if w&2 == 0 {
			in.target += pc
		}
		switch {
		case w&1 != 0 && in.target == pc+4:
			in.flow, in.target = next, 0
		case w&1 != 0:
			in.flow = call
		case rt&20 == 20:
			in.flow = jump
		}
	case 19:
		always := rt&20 == 20
		switch w >> 1 & 0x3ff {
		case 16: // BCLR
			in.flow = stop
			if !always {
				in.flow = maybe
			}
			if w&1 != 0 {
				in.flow = call
			}
		case 528: // BCCTR
			in.flow = indirect
			if !always {
				in.flow = maybe
			}
			if w&1 != 0 {
				in.flow = call
				m.known &^= 0x1ff9
			}
		}
	case 15: // ADDIS
		switch {
		case ra == 0:
			m.set(rt, imm<<16)
		case m.has(ra):
			m.set(rt, m.regs[ra]+imm<<16)
		default:
			kill(rt)
		}
	case 14: // ADDI
		if rt == 2 { // the function sets its table up
			break
		}
		if base(imm, address) {
			m.set(rt, in.ref)
			in.lea, in.into = true, byte(rt)
			if n := m.img.offsets(in.ref, m.start); n >= 8 && in.ref > pc { // a table of jumps between the instructions
				in.kind, in.refSize = literal, n
			}
		} else {
			kill(rt)
		}
	case 32, 34, 40, 42: // LWZ, LBZ, LHZ, LHA
		base(imm, load)
		// glibc's copy of AT_HWCAP in the thread's control block
		in.detects = ra != 1 && ra != 2 && int16(w) >= -28776 && int16(w) <= -28772
		kill(rt)
	case 48, 50: // LFS, LFD
		base(imm, load)
	case 36, 38, 44, 52, 54: // STW, STB, STH, STFS, STFD
		base(imm, store)
	case 58: // LD, LDU, LWA
		in.detects = ra != 1 && ra != 2 && int16(w&^3) == -28776
		if base(imm&^3, load) && w&3 == 0 {
			m.pointer(rt, in.ref)
			in.lea, in.into = true, byte(rt)
		} else {
			kill(rt)
		}
		if w&3 == 1 {
			kill(ra)
		}
	case 62: // STD
		base(imm&^3, store)
	case 31:
		if w == 0x7fe00008 { // TRAP
			in.flow = trap
		}
		if w>>1&0x3ff == 444 && rt == w>>11&31 { // MR
			m.copy(ra, rt)
			break
		}
		if x := w >> 1 & 0x3ff; x == 0 || x == 32 { // CMP, CMPL
			in.compared = regPairs[ra][w>>11&31][:]
			break
		}
		in.selects = w>>1&31 == 15 // ISEL
		kill(rt)
		kill(ra)
	case 0:
		in.flow, in.bad = trap, w == 0
	default:
		if op := w >> 26; op >= 20 && op <= 30 {
			kill(ra)
		} else if op < 14 {
			kill(rt)
		} else if op >= 33 && op < 48 {
			kill(rt)
			kill(ra)
		}
	}
	in.nop = w == 0x60000000 || w == 0x60420000
}

// ppcEntry is what a prefixed instruction needs: all of them came with Power ISA 3.1.
func ppcEntry(w uint64) *entry {
	if e := ppcTable().find(w); e != nil {
		return e
	}
	return ppcPrefixed
}

var ppcPrefixed = &entry{"(prefixed)", parseNeed("power10")}

// offsets is the size of a table of distances from itself to places in code, as GCC lays them between the instructions.
func (img *image) offsets(table, start uint64) int {
	s := img.section(table)
	if s == nil || !s.exec() || table%4 != 0 {
		return 0
	}
	n := 0
	for b := img.code(table, 1<<14); len(b) >= n+4; n += 4 {
		to := table + uint64(int64(int32(img.order.Uint32(b[n:]))))
		if to%4 != 0 || to < start || to > table+1<<16 || to >= table && to < table+4 {
			break
		}
	}
	return n
}
