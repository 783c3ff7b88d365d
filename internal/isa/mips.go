package isa

import "encoding/binary"

// mipsDecode reads one instruction of little-endian MIPS64 (MD00087, chapter 2 and appendix A). A branch takes effect
// after the instruction that follows it.
func mipsDecode(m *machine, pc uint64, code []byte, in *inst) {
	if len(code) < 4 {
		*in = inst{length: len(code), flow: trap, bad: true}
		return
	}
	w := binary.LittleEndian.Uint32(code)
	if w == 0xefefefef { // lld's filler (lld/ELF/Arch/Mips.cpp, trapInstr): SDC3 was never in MIPS64
		*in = inst{length: 4, flow: trap, nop: true}
		return
	}
	*in = inst{length: 4, entry: mipsTable().find(uint64(w))}
	after := m.clobber // by the call before: once this one, in its delay slot, has run
	m.clobber = 0
	rs, rt, rd := w>>21&31, w>>16&31, w>>11&31
	imm := uint64(int64(int16(w)))
	switch {
	case m.goCode: // the upper half of the addresses of code (cmd/internal/obj/mips, REGSB)
		m.set(28, pc&^0xffffffff)
	case m.img.toc != 0:
		m.set(28, m.img.toc) // gp
	}
	if pc == m.start {
		m.set(25, pc) // t9 is the function's own address when it is called
	}
	branch := func(f flow) {
		in.flow, in.target, in.delayed = f, pc+4+imm<<2, true
	}
	base := func(kind refKind) bool {
		if !m.has(rs) {
			return false
		}
		in.ref, in.kind = m.regs[rs]+imm, kind
		return true
	}
	switch w >> 26 {
	case 0:
		switch w & 0x3f {
		case 8: // JR
			in.flow, in.delayed = indirect, true
			if rs == 31 {
				in.flow = stop
			}
		case 9: // JALR
			in.flow, in.delayed = call, true
			if rd == 0 {
				in.flow = indirect
				if rs == 31 {
					in.flow = stop
				}
			}
			if m.has(rs) {
				in.target = m.regs[rs]
			}
			m.clobber = 0x0300fffe
		case 13: // BREAK
			in.flow = trap
		case 0x2d, 0x25: // DADDU, OR
			switch {
			case rt == 0:
				m.copy(rd, rs)
			case rs == 0:
				m.copy(rd, rt)
			case w&0x3f == 0x2d && m.has(rs) && m.has(rt):
				m.set(rd, m.regs[rs]+m.regs[rt])
			default:
				m.kill(rd)
			}
		case 0x0a, 0x0b: // MOVZ, MOVN
			in.selects = true
			m.kill(rd)
		case 0:
			in.nop = w == 0
			if w != 0 {
				m.kill(rd)
			}
		default:
			m.kill(rd)
		}
	case 1:
		switch rt {
		case 0, 1, 2, 3:
			branch(cond)
		case 16, 17, 18, 19:
			branch(call)
			if in.target == pc+8 {
				in.flow, in.target = next, 0
			}
		}
	case 2, 3: // J, JAL
		in.flow, in.delayed, in.target = jump, true, (pc+4)&^0x0fffffff|uint64(w&0x03ffffff)<<2
		if w>>26 == 3 {
			in.flow = call
			m.clobber = 0x0300fffe
		}
	case 4, 5, 6, 7, 20, 21, 22, 23:
		branch(cond)
		if w>>16 == 0x1000 {
			in.flow = jump
		}
	case 17: // the floating-point unit
		if rs == 8 || rs == 9 || rs == 13 {
			branch(cond)
		} else if rs < 4 {
			m.kill(rt)
		}
	case 15: // LUI
		m.set(rt, imm<<16)
	case 9, 25: // ADDIU, DADDIU
		if rt == 28 && m.img.toc != 0 { // a function's way to gp, which is known
			m.set(rt, m.img.toc)
		} else if base(address) {
			m.set(rt, in.ref)
		} else {
			m.kill(rt)
		}
	case 55: // LD
		if (rs == 29 || rs == 30) && m.spilt(int64(rs)<<32^int64(int16(w))) {
			m.set(rt, m.img.toc)
		} else if base(load) {
			m.pointer(rt, in.ref)
		} else {
			m.kill(rt)
		}
	case 32, 33, 35, 36, 37, 39, 48, 52: // loads
		base(load)
		m.kill(rt)
	case 40, 41, 43, 63, 57, 61: // stores
		if rs == 29 || rs == 30 {
			m.spill(int64(rs)<<32^int64(int16(w)), w>>26 == 63 && m.img.toc != 0 && m.has(rt) && m.regs[rt] == m.img.toc)
		}
		base(store)
	case 49, 53: // LWC1, LDC1
		base(load)
	default:
		if op := w >> 26; op != 47 && op != 51 && op != 19 {
			m.kill(rt)
		}
	}
	m.known &^= after
}
