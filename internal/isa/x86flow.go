package isa

// x86Decode makes the decoder of 32-bit or 64-bit code.
func x86Decode(long bool) func(m *machine, pc uint64, code []byte, in *inst) {
	return func(m *machine, pc uint64, code []byte, in *inst) {
		c, ok := decodeX86(code, long)
		if !ok {
			m.known = 0
			*in = inst{length: 1, flow: trap, bad: true}
			return
		}
		*in = inst{length: c.length, entry: c.entry(x86Rows())}
		if !long && c.space == legacy && c.m == 0 && (c.opcode == 0x9e || c.opcode == 0x9f) {
			in.entry = nil // SAHF and LAHF: only 64-bit mode was once without them
		}
		after := pc + uint64(c.length)
		if !long {
			after &= 0xffffffff
		}
		reg := c.modrm >> 3 & 7
		if c.rel {
			in.target = after + uint64(c.imm)
			if !long {
				in.target &= 0xffffffff
			}
		}
		if c.space == legacy {
			c.flow(in, reg)
		}
		in.keeps = c.keepsFlags()
		c.reference(m, in, after, long)
		c.comparison(in, reg)
		if !long && in.flow.ends() { // what comes next is reached from where the function still had its table
			for r := range uint32(8) {
				if m.tables>>r&1 != 0 {
					m.set(r, m.table)
				}
			}
		}
	}
}

// flow sets where a legacy instruction goes.
func (c *x86Code) flow(in *inst, reg byte) {
	switch c.m {
	case 0:
		switch op := c.opcode; {
		case op&0xf0 == 0x70, op >= 0xe0 && op <= 0xe3:
			in.flow = cond
		case op == 0x90:
			in.nop = true
		case op == 0x8d && c.hasMem && c.disp == 0 && int8(reg) == c.base&7 && c.index < 0:
			in.nop = true
		case op == 0xe9, op == 0xeb:
			in.flow = jump
		case op == 0xe8:
			in.flow = call
		case op == 0xc2, op == 0xc3, op == 0xca, op == 0xcb, op == 0xcf:
			in.flow = stop
		case op == 0xf4, op == 0xcc:
			in.flow, in.nop = trap, op == 0xcc // INT3 is what lld fills gaps with
		case op == 0xff && (reg == 2 || reg == 3):
			in.flow = call
		case op == 0xff && (reg == 4 || reg == 5):
			in.flow = indirect
		case op == 0xc7 && c.modrm == 0xf8: // XBEGIN goes on or to where it fell back
			in.flow, in.target = next, 0
		}
	case 1:
		switch op := c.opcode; {
		case op&0xf0 == 0x80:
			in.flow = cond
		case op == 0x0b:
			in.flow = trap
		case op == 0x1f:
			in.nop = true
		case op == 0xa2: // CPUID
			in.detects = true
		case op == 0x01 && c.modrm == 0xd0: // XGETBV
			in.detects = true
		case op&0xf0 == 0x40: // CMOV
			in.selects = true
		}
	}
}

// reference sets what address the instruction uses, and follows the register that 32-bit position-independent code
// holds its table in.
func (c *x86Code) reference(m *machine, in *inst, after uint64, long bool) {
	if !long {
		defer c.follow(m, in, after)
	}
	if c.hasMem {
		addr, ok := uint64(0), false
		switch {
		case c.base == 16:
			addr, ok = after+uint64(c.disp), true
		case c.base == -1 && c.hasDisp32:
			addr, ok = uint64(uint32(c.disp)), true
		case !long && c.base >= 0 && c.hasDisp32 && m.has(uint32(c.base)):
			addr, ok = (m.regs[c.base]+uint64(c.disp))&0xffffffff, true
		// What LEA left in it, in Go's position-independent code.
		case !long && c.base >= 0 && c.index < 0 && m.has(uint32(c.base)) && m.tables>>c.base&1 == 0:
			addr, ok = (m.regs[c.base]+uint64(c.disp))&0xffffffff, true
		case c.hasDisp32 && c.index >= 0 && !(long && m.img.floats): // an array in a program at a fixed place
			addr, ok = uint64(uint32(c.disp)), true
		}
		if ok {
			in.ref, in.kind = addr, load
			switch {
			case c.space == legacy && c.m == 0 && c.opcode == 0x8d:
				in.kind = address
			case c.stores():
				in.kind = store
				in.zero = c.space == legacy && c.m == 0 && (c.opcode == 0xc6 || c.opcode == 0xc7) && c.imm == 0
			}
			// A pointer to a function, in code at a fixed place.
			if c.space == legacy && c.m == 0 && c.opcode == 0xc7 && c.immSize == 4 && c.mayPoint(m, after) {
				if s := m.img.section(uint64(uint32(c.imm))); s != nil && s.exec() {
					in.wrote = uint64(uint32(c.imm))
				}
			}
			return
		}
	}
	if c.space == legacy && c.m == 0 && c.immSize >= 4 && !c.rel {
		imm := uint64(c.imm)
		if c.immSize == 4 {
			imm = uint64(uint32(c.imm))
		}
		switch op := c.opcode; {
		case op >= 0xa0 && op <= 0xa3:
			in.ref, in.kind = imm, load
			if op >= 0xa2 {
				in.kind = store
			}
		case !long && (op == 0x81 && c.modrm>>3 == 0x18 && m.has(uint32(c.modrm&7)) || op == 0x05 && m.has(0)):
			// the distance to the table
		case m.img.holds(imm) && c.mayPoint(m, after):
			in.ref, in.kind = imm, address
		}
	}
}

// mayPoint says that an instruction's last bytes, its immediate, may be an address: not in code that is loaded
// anywhere, where the loader does not write it there. Offsets into large structures look like addresses.
func (c *x86Code) mayPoint(m *machine, after uint64) bool {
	if !m.img.floats {
		return true
	}
	_, written := m.img.pointers[after-uint64(c.immSize)]
	return written
}

// follow keeps track of registers in 32-bit code: call to a thunk or to the next instruction, then add.
func (c *x86Code) follow(m *machine, in *inst, after uint64) {
	if c.space != legacy || c.m != 0 {
		if c.hasModRM {
			m.kill(uint32(c.modrm >> 3 & 7))
			if !c.hasMem {
				m.kill(uint32(c.modrm & 7))
			}
		}
		return
	}
	reg, rm := uint32(c.modrm>>3&7), uint32(c.modrm&7)
	switch op := c.opcode; {
	case op == 0xe8 && in.target == after: // call of the next instruction; 16 stands for the top of the stack
		m.set(16, after)
		in.flow, in.target = next, 0
		return
	case op == 0xe8:
		m.known &^= 1<<0 | 1<<1 | 1<<2
		if t := m.img.code(in.target, 4); len(t) == 4 && t[0] == 0x8b && t[2] == 0x24 && t[3] == 0xc3 {
			// mov (%esp),%reg; ret
			m.set(uint32(t[1]>>3&7), after)
		}
		return
	case op >= 0x58 && op <= 0x5f: // pop
		m.copy(uint32(op&7), 16)
		m.kill(16)
		return
	case op == 0x81 && reg == 0 && !c.hasMem && m.has(rm): // add imm32
		m.set(rm, (m.regs[rm]+uint64(c.imm))&0xffffffff)
		m.tables |= 1 << rm
		m.table = m.regs[rm]
		return
	case op == 0x05 && m.has(0):
		m.set(0, (m.regs[0]+uint64(c.imm))&0xffffffff)
		return
	case op == 0x8b && !c.hasMem:
		m.copy(reg, rm)
		return
	case op == 0x89 && !c.hasMem:
		m.copy(rm, reg)
		return
	case op == 0x89 && c.onStack():
		m.spill(int64(c.base)<<32^c.disp, m.tables>>reg&1 != 0 && m.has(reg) && m.regs[reg] == m.table)
	case op == 0x8b && c.onStack() && m.spilt(int64(c.base)<<32^c.disp):
		m.set(reg, m.table)
		m.tables |= 1 << reg
		return
	case op == 0x8b && c.base >= 0 && c.index < 0 && m.has(uint32(c.base)): // a pointer from the global offset table
		m.pointer(reg, (m.regs[c.base]+uint64(c.disp))&0xffffffff)
		return
	case op == 0x8d && in.kind == address:
		m.set(reg, in.ref)
	case op == 0x39, op == 0x3b, op == 0x85, op == 0x84, op == 0x38, op == 0x3a, op == 0xff && reg == 6,
		op >= 0x50 && op < 0x58, op == 0x3d, op == 0xa9, op == 0x3c, op == 0xa8, op == 0x68, op == 0x6a,
		// write no register
		(op == 0x83 || op == 0x81 || op == 0x80) && reg == 7, op&0xf0 == 0x70, op >= 0xd8 && op <= 0xdf,
		op == 0xc7 && c.hasMem, op == 0xc6 && c.hasMem, op == 0xeb, op == 0xe9, op == 0x90:
	case op == 0x88 || op == 0x89 || op < 0x40 && op&7 < 2 || op >= 0x80 && op <= 0x83 || op == 0xc0 || op == 0xc1 ||
		op >= 0xd0 && op <= 0xd3 || op == 0xfe || op == 0xff:
		if !c.hasMem {
			m.kill(rm)
		}
	case op >= 0xb8 && op <= 0xbf, op >= 0x40 && op < 0x50:
		m.kill(uint32(op & 7))
	case op == 0xa1, op == 0xa0, op == 0x05, op == 0x0d, op == 0x15, op == 0x1d, op == 0x25, op == 0x2d,
		op == 0x35, op == 0x98:
		m.kill(0)
	case op == 0xf6 || op == 0xf7:
		if reg >= 4 { // multiply, divide
			m.known &^= 5
		} else if reg >= 2 && !c.hasMem {
			m.kill(rm)
		}
	case c.hasModRM:
		m.kill(reg)
		if !c.hasMem {
			m.kill(rm)
		}

	case op >= 0xa4 && op <= 0xaf: // string instructions
		m.known &^= 1<<0 | 1<<1 | 1<<6 | 1<<7
	default:
		m.known &^= 1<<0 | 1<<1 | 1<<2
	}
}

// onStack says that the memory operand is a word of the stack.
func (c *x86Code) onStack() bool { return c.hasMem && (c.base == 4 || c.base == 5) && c.index < 0 }

// keepsFlags says that the instruction does not write the flags, of moves and of the vector extensions (SDM volume 1,
// appendix A).
func (c *x86Code) keepsFlags() bool {
	op, reg := c.opcode, c.modrm>>3&7
	switch {
	case c.space != legacy && c.m == 1:
		return op != 0x2e && op != 0x2f && op&0xf0 != 0x90 // (V)UCOMIS, (V)COMIS; KTEST, KORTEST
	case c.m == 1:
		return op >= 0x10 && op <= 0x17 || op >= 0x28 && op <= 0x2d || op >= 0x40 && op <= 0x9f || op == 0x1f || op == 0xb6 ||
			op == 0xb7 || op == 0xbe || op == 0xbf || op >= 0xc2 && op <= 0xc6 || op >= 0xc8
	case c.m == 2:
		return op != 0x17 && op != 0x0e && op != 0x0f && op < 0xf0 // PTEST, VTEST; CRC32, BMI
	case c.m == 3:
		return op < 0x60 || op > 0x63 // PCMPESTR, PCMPISTR
	case c.space != legacy || c.m != 0:
		return false
	}
	return op >= 0x50 && op <= 0x5f || op == 0x63 || op == 0x68 || op == 0x6a || op&0xf0 == 0x70 ||
		op >= 0x88 && op <= 0x8b || op == 0x8d || op == 0x90 || op == 0x98 || op == 0x99 ||
		op >= 0xa0 && op <= 0xa3 || op >= 0xb0 && op <= 0xbf || op == 0xc6 || op == 0xc7 && c.modrm != 0xf8 || op == 0xe9 ||
		op == 0xeb || op == 0xff && reg == 6
}

// stores says that the instruction writes its memory operand.
func (c *x86Code) stores() bool {
	op, reg := c.opcode, c.modrm>>3&7
	if c.space != legacy {
		return c.m == 1 && (op == 0x11 || op == 0x13 || op == 0x17 || op == 0x29 || op == 0x2b || op == 0x7f ||
			op == 0xd6 || op == 0xe7)
	}
	switch c.m {
	case 0:
		switch {
		case op < 0x40:
			return op&7 < 2 && op < 0x38
		case op == 0x80, op == 0x81, op == 0x83:
			return reg != 7
		case op == 0x86, op == 0x87, op == 0x88, op == 0x89, op == 0xc6, op == 0xc7:
			return true
		case op == 0xfe, op == 0xff:
			return reg < 2
		case op == 0xf6, op == 0xf7:
			return reg == 2 || reg == 3
		}
	case 1:
		switch {
		case op&0xf0 == 0x90:
			return true
		case op == 0x11, op == 0x13, op == 0x17, op == 0x29, op == 0x2b, op == 0x7f, op == 0xd6, op == 0xe7, op == 0xb0,
			op == 0xb1, op == 0xc0, op == 0xc1, op == 0xc3, op == 0xc7, op == 0xab, op == 0xb3, op == 0xbb:
			return true
		case op == 0x7e:
			return c.mandatory != 3
		}
	}
	return false
}

// comparison notes an address that comes into a register, and registers that are compared.
func (c *x86Code) comparison(in *inst, reg byte) {
	if c.space != legacy || c.m != 0 {
		return
	}
	reg |= c.rex & 4 << 1
	switch {
	case in.kind == address && c.opcode == 0x8d:
		in.lea, in.into = true, reg
	case c.opcode == 0x39 || c.opcode == 0x3b:
		in.compared = regPairs[reg][c.modrm&7|c.rex&1<<3][:]
		if c.hasMem {
			in.compared = in.compared[:1]
		}
	case c.opcode == 0x81 && in.kind == address && c.modrm>>3&7 == 7, c.opcode == 0x3d && in.kind == address:
		// with the address itself
		in.kind = noRef
	}
}
