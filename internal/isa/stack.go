package isa

import (
	"debug/elf"
	"encoding/binary"
)

// A stackUse says what an instruction does with a word of the stack that it names by a distance from the stack's or
// the frame's register.
type stackUse uint8

const (
	noUse stackUse = iota
	reads
	writes // a register, as it is
	changes
)

// stackWord says which word of the stack an instruction uses, and how. Words are told apart by their register and
// distance, which holds as long as the function moves neither.
func (p *program) stackWord(pc uint64, length int) (word int64, use stackUse) {
	b := p.img.code(pc, length)
	if len(b) < length || length < 2 {
		return 0, noUse
	}
	key := func(register uint32, distance int64) int64 { return int64(register)<<32 ^ distance }
	of := func(isLoad bool) stackUse {
		if isLoad {
			return reads
		}
		return writes
	}
	switch p.img.machine {
	case elf.EM_X86_64, elf.EM_386:
		c, ok := decodeX86(b, p.img.machine == elf.EM_X86_64)
		if !ok || !c.hasMem || c.base != 4 && c.base != 5 || c.rex&1 != 0 || c.index >= 0 || c.space != legacy ||
			c.opcode == 0x8d && c.m == 0 {
			return 0, noUse
		}
		word = key(uint32(c.base), c.disp)
		switch {
		case c.m == 0 && c.opcode == 0x89:
			return word, writes
		case c.stores():
			return word, changes
		}
		return word, reads
	case elf.EM_AARCH64:
		w := binary.LittleEndian.Uint32(b)
		rn := w >> 5 & 31
		if rn != 31 && rn != 29 || w>>26&1 != 0 {
			return 0, noUse
		}
		switch {
		case w&0x3b000000 == 0x39000000:
			return key(rn, int64(w>>10&0xfff<<(w>>30))), of(w>>22&3 != 0)
		case w&0x3b200c00 == 0x38000000:
			return key(rn, signed(w>>12, 9)), of(w>>22&3 != 0)
		}
	case elf.EM_RISCV:
		if length == 2 {
			w := uint32(binary.LittleEndian.Uint16(b))
			switch w>>13<<2 | w&3 {
			case 2<<2 | 2: // C.LWSP
				return key(2, int64(w>>12&1<<5|w>>4&7<<2|w>>2&3<<6)), reads
			case 3<<2 | 2: // C.LDSP
				return key(2, int64(w>>12&1<<5|w>>5&3<<3|w>>2&7<<6)), reads
			case 6<<2 | 2: // C.SWSP
				return key(2, int64(w>>9&0xf<<2|w>>7&3<<6)), writes
			case 7<<2 | 2: // C.SDSP
				return key(2, int64(w>>10&7<<3|w>>7&7<<6)), writes
			}
			return 0, noUse
		}
		w := binary.LittleEndian.Uint32(b)
		if rs1 := w >> 15 & 31; rs1 == 2 || rs1 == 8 {
			switch w & 0x7f {
			case 0x03:
				return key(rs1, signed(w>>20, 12)), reads
			case 0x23:
				return key(rs1, signed(w>>25<<5|w>>7&31, 12)), writes
			}
		}
	case elf.EM_PPC64:
		w := binary.LittleEndian.Uint32(b)
		if ra := w >> 16 & 31; ra == 1 || ra == 31 {
			switch w >> 26 {
			case 32, 34, 40: // LWZ, LBZ, LHZ
				return key(ra, int64(int16(w))), reads
			case 36: // STW
				return key(ra, int64(int16(w))), writes
			case 58: // LD, LWA
				return key(ra, int64(int16(w&^3))), reads
			case 62: // STD
				return key(ra, int64(int16(w&^3))), writes
			}
		}
	case elf.EM_MIPS:
		w := binary.LittleEndian.Uint32(b)
		if rs := w >> 21 & 31; rs == 29 || rs == 30 {
			switch w >> 26 {
			case 32, 33, 35, 36, 37, 39, 55: // LB, LH, LW, LBU, LHU, LWU, LD
				return key(rs, int64(int16(w))), reads
			case 43, 63: // SW, SD
				return key(rs, int64(int16(w))), writes
			}
		}
	case elf.EM_LOONGARCH:
		w := binary.LittleEndian.Uint32(b)
		if rj := w >> 5 & 31; rj == 3 || rj == 22 {
			switch w >> 22 {
			case 0xa0, 0xa1, 0xa2, 0xa3, 0xa8, 0xa9, 0xaa: // LD.B to LD.D, LD.BU to LD.WU
				return key(rj, signed(w>>10, 12)), reads
			case 0xa6, 0xa7: // ST.W, ST.D
				return key(rj, signed(w>>10, 12)), writes
			}
			switch w >> 24 {
			case 0x24, 0x26: // LDPTR.W, LDPTR.D
				return key(rj, signed(w>>10, 14)<<2), reads
			case 0x25, 0x27: // STPTR.W, STPTR.D
				return key(rj, signed(w>>10, 14)<<2), writes
			}
		}
	case elf.EM_S390:
		at := func(b []byte) (uint32, int64) { // the base and the distance of RX, RXY, SI, SIY
			return uint32(b[2] >> 4), int64(b[2]&15)<<8 | int64(b[3])
		}
		base, distance := at(append(b[:len(b):len(b)], 0, 0))
		if base != 15 && base != 11 {
			return 0, noUse
		}
		indexed := b[1]&15 != 0
		switch {
		case length == 4 && (b[0] == 0x91 || b[0] == 0x95): // TM, CLI: bytes of the word
			return key(base, distance&^7), reads
		case length == 4 && !indexed && (b[0] == 0x58 || b[0] == 0x54 || b[0] == 0x59 || b[0] == 0x55): // L, N, C, CL
			return key(base, distance&^7), reads
		case length == 4 && !indexed && b[0] == 0x50: // ST
			return key(base, distance&^7), writes
		case length == 6 && b[0] == 0xe3 && !indexed:
			switch b[5] {
			case 0x24, 0x50: // STG, STY
				return key(base, distance&^7), writes
			case 0x04, 0x14, 0x16, 0x58, 0x80, 0x90, 0x94: // LG, LGF, LLGF, LY, NG, LLGC, LLC
				return key(base, distance&^7), reads
			}
		}
	case elf.EM_ARM:
		if mode, _ := p.modeAt(pc); mode == 't' {
			w := uint32(binary.LittleEndian.Uint16(b))
			if length == 4 {
				v := uint32(binary.LittleEndian.Uint16(b[2:]))
				if rn := w & 15; (rn == 13 || rn == 7) && (w&0xffe0 == 0xf8c0) { // LDR.W, STR.W
					return key(rn, int64(v&0xfff)), of(w&0x10 != 0)
				}
				return 0, noUse
			}
			switch {
			case w>>12 == 9: // LDR, STR of SP
				return key(13, int64(w&0xff<<2)), of(w&0x800 != 0)
			case w>>12 == 6 && w>>3&7 == 7: // of R7, the frame
				return key(7, int64(w>>6&31<<2)), of(w&0x800 != 0)
			}
			return 0, noUse
		}
		w := binary.LittleEndian.Uint32(b)
		if rn := w >> 16 & 15; w&0x0f600000 == 0x05000000 && (rn == 13 || rn == 11) { // LDR, STR with a distance
			distance := int64(w & 0xfff)
			if w>>23&1 == 0 {
				distance = -distance
			}
			return key(rn, distance), of(w>>20&1 != 0)
		}
	}
	return 0, noUse
}

// Distances, in instructions, from a look to where its answer is put onto the stack, and from where it is read again
// to the branch.
const (
	kept  = near
	again = 8
)

// spilled marks where a function reads again what it put onto the stack right after it looked. Such a word is written
// once: others hold more than an answer.
func (p *program) spilled(g *guard, code []inst) (more []int32) {
	type word struct {
		stores int
		near   bool
		loads  []int32
	}
	words := map[int64]*word{}
	for i, pc := range g.pcs {
		at, use := p.stackWord(pc, code[i].length)
		if use == noUse {
			continue
		}
		w := words[at]
		if w == nil {
			w = &word{}
			words[at] = w
		}
		switch use {
		case reads:
			w.loads = append(w.loads, int32(i))
		case writes:
			w.stores++
			w.near = g.far[i] <= kept && g.far[i] > 0
		case changes:
			w.stores += 2
		}
	}
	for _, w := range words {
		if w.stores == 1 && w.near {
			more = append(more, w.loads...)
		}
	}
	return more
}
