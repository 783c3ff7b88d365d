package isa

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// The length of an x86 instruction follows from its prefixes, its opcode's row below, ModRM and SIB (Intel's manual,
// volume 2, chapter 2 and appendix A). Rows:
//
//	.  nothing   M  ModRM          B  imm8   Z  imm16 or 32   C  ModRM, imm8   D  ModRM, imm16 or 32   W  imm16   E  enter's imm16, imm8
//	J  rel8      K  rel16 or 32    V  mov's immediate         O  address       P  far pointer          G  F6      H  F7
//	p  prefix or escape            x  not an instruction
const (
	x86One64 = "MMMMBZxxMMMMBZxp" + "MMMMBZxxMMMMBZxx" + "MMMMBZpxMMMMBZpx" + "MMMMBZpxMMMMBZpx" +
		"pppppppppppppppp" + "................" + "xxxMppppZDBC...." + "JJJJJJJJJJJJJJJJ" +
		"CDxCMMMMMMMMMMMM" + "..........x....." + "OOOO....BZ......" + "BBBBBBBBVVVVVVVV" +
		"CCW.ppCDE.W..Bx." + "MMMMxxx.MMMMMMMM" + "JJJJBBBBKKxJ...." + "p.pp..GH......MM"
	x86One32 = "MMMMBZ..MMMMBZ.p" + "MMMMBZ..MMMMBZ.." + "MMMMBZp.MMMMBZp." + "MMMMBZp.MMMMBZp." +
		"................" + "................" + "..MMppppZDBC...." + "JJJJJJJJJJJJJJJJ" +
		"CDCCMMMMMMMMMMMM" + "..........P....." + "OOOO....BZ......" + "BBBBBBBBVVVVVVVV" +
		"CCW.MMCDE.W..B.." + "MMMMBB..MMMMMMMM" + "JJJJBBBBKKPJ...." + "p.pp..GH......MM"
	x86Two = "MMMMx.....x.xM.C" + "MMMMMMMMMMMMMMMM" + "MMMMxxxxMMMMMMMM" + "......x.pxpxxxxx" +
		"MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM" + "CCCCMMM.MMMMMMMM" +
		"KKKKKKKKKKKKKKKK" + "MMMMMMMMMMMMMMMM" + "...MCMxx...MCMMM" + "MMMMMMMMMMCMMMMM" +
		"MMCMCCCM........" + "MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM"
)

// Spaces of encodings.
const (
	legacy = iota
	vex
	evex
	xop
)

var x86Spaces = map[string]int{"leg": legacy, "vex": vex, "evex": evex, "xop": xop}

// An x86Row is one encoding; a field of -1 is open.
type x86Row struct {
	// prefix: 0 none, 0x66, 3 for F3, 2 for F2. mod: 3 register, 0 memory, 4: reg is the whole ModRM byte
	prefix, reg, mod, w, l int8
	modrm                  byte
	entry                  *entry
}

// x86Table is by space, map and opcode.
type x86Table [4][11][256][]x86Row

var x86Rows = sync.OnceValue(func() *x86Table {
	text, err := tables.ReadFile("tables/x86.txt")
	if err != nil {
		panic(err)
	}
	t, err := newX86Table(string(text))
	if err != nil {
		panic("tables/x86.txt: " + err.Error())
	}
	return t
})

func newX86Table(text string) (*x86Table, error) {
	t := &x86Table{}
	var needed need
	n := 0
	for line := range strings.Lines(text) {
		line, n = strings.TrimSpace(line), n+1
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			needed = parseNeed(strings.Trim(line, "[]"))
			continue
		}
		fields := strings.Fields(line)
		e := &entry{mnemonic: fields[0], need: needed}
		for _, f := range fields[1:] {
			c := strings.Split(f, ":")
			if len(c) != 8 {
				return nil, fmt.Errorf("line %d: %q has %d columns, want 8", n, f, len(c))
			}
			space, known := x86Spaces[c[0]]
			m, err := strconv.ParseUint(c[1], 16, 8)
			opcode, err2 := strconv.ParseUint(c[2], 16, 8)
			if !known || err != nil || err2 != nil || m > 10 {
				return nil, fmt.Errorf("line %d: %q", n, f)
			}
			r := x86Row{entry: e, prefix: x86Field(c[3]), reg: -1, mod: -1, w: x86Field(c[6]), l: x86Field(c[7])}
			if c[3] == "6" {
				r.prefix = 0x66
			}
			switch c[5] {
			case "b":
				b, err := strconv.ParseUint(c[4], 16, 8)
				if err != nil {
					return nil, fmt.Errorf("line %d: %q", n, f)
				}
				r.mod, r.modrm = 4, byte(b)
			case "r":
				r.mod, r.reg = 3, x86Field(c[4])
			case "m":
				r.mod, r.reg = 0, x86Field(c[4])
			}
			t[space][m][opcode] = append(t[space][m][opcode], r)
		}
	}
	return t, nil
}

func x86Field(s string) int8 {
	switch s {
	case "-":
		return -1
	case "n":
		return 0
	}
	return int8(s[0] - '0')
}

// x86Code is an instruction taken apart.
type x86Code struct {
	length           int
	space, m         int
	opcode           byte
	hasModRM, hasMem bool
	modrm            byte
	w, l             int8
	mandatory        int8 // the prefix that tells instructions apart: 0, 0x66, 3, 2
	wide             bool // REX.W
	data16           bool
	base, index      int8 // registers of the memory operand, -1 for none; 16 is RIP
	disp             int64
	hasDisp32        bool
	imm              int64
	immSize          int
	rex              byte
	rel              bool // imm is a distance
}

// decodeX86 takes the instruction at the start of code apart; ok is false where there is none.
func decodeX86(code []byte, long bool) (c x86Code, ok bool) {
	i := 0
	var opsize, addrsize bool
	var rep byte
	at := func(i int) byte {
		if i < len(code) {
			return code[i]
		}
		return 0
	}
	one := x86One32
	if long {
		one = x86One64
	}
prefixes:
	for ; i < 14; i++ {
		switch b := at(i); b {
		case 0x66:
			opsize = true
		case 0x67:
			addrsize = true
		case 0xf2, 0xf3:
			rep = b
		case 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65:
		default:
			break prefixes
		}
	}
	if long && at(i)&0xf0 == 0x40 {
		c.rex = at(i)
		c.wide = c.rex&8 != 0
		i++
	}
	op := at(i)
	i++
	kind := one[op]
	vector := at(i) // of C4, C5, 62, 8F in 32-bit code: LES, LDS, BOUND, POP unless this looks like a register operand
	switch {
	case op == 0x0f:
		op = at(i)
		i++
		c.m = 1
		kind = x86Two[op]
		switch op {
		case 0x38:
			op, c.m, kind = at(i), 2, 'M'
			i++
		case 0x3a:
			op, c.m, kind = at(i), 3, 'C'
			i++
		case 0x78:
			if opsize || rep == 0xf2 { // SSE4a's EXTRQ and INSERTQ with two immediates
				kind = 'F'
			}
		}
	case op == 0xc5 && (long || vector >= 0xc0):
		c.space, c.m = vex, 1
		c.l = int8(vector >> 2 & 1)
		c.mandatory = int8(vector & 3)
		i++
	case op == 0xc4 && (long || vector >= 0xc0):
		b := at(i + 1)
		c.space, c.m = vex, int(vector&0x1f)
		c.w, c.l, c.mandatory = int8(b>>7), int8(b>>2&1), int8(b&3)
		i += 2
	case op == 0x8f && vector&0x1f >= 8:
		b := at(i + 1)
		c.space, c.m = xop, int(vector&0x1f)
		c.w, c.l, c.mandatory = int8(b>>7), int8(b>>2&1), int8(b&3)
		i += 2
	case op == 0x62 && (long || vector >= 0xc0):
		b, d := at(i+1), at(i+2)
		c.space, c.m = evex, int(vector&7)
		c.w, c.mandatory, c.l = int8(b>>7), int8(b&3), int8(d>>5&3)
		i += 3
	}
	if c.space != legacy {
		op = at(i)
		i++
		kind = 'M'
		switch c.m {
		case 1:
			switch op {
			case 0x77:
				kind = '.'
			case 0x70, 0x71, 0x72, 0x73, 0xc2, 0xc4, 0xc5, 0xc6:
				kind = 'C'
			}
		case 3, 8:
			kind = 'C'
		case 10:
			kind = 'D'
		case 2, 5, 6, 7, 9:
		default:
			return c, false
		}
		c.mandatory = [4]int8{0, 0x66, 3, 2}[c.mandatory]
		if c.w == 1 {
			c.wide = true
		}
		opsize = false
	} else {
		switch {
		case rep == 0xf3:
			c.mandatory = 3
		case rep == 0xf2:
			c.mandatory = 2
		case opsize:
			c.mandatory = 0x66
		}
		if c.wide {
			c.w = 1
		}
	}
	c.opcode, c.data16 = op, opsize
	c.base, c.index = -1, -1
	immz := 4
	if opsize && !c.wide {
		immz = 2
	}
	switch kind {
	case 'x', 'p':
		return c, false
	case 'M', 'C', 'D', 'G', 'H', 'F':
		c.hasModRM = true
		c.modrm = at(i)
		i++
		mod, rm := c.modrm>>6, c.modrm&7
		if c.space == legacy && c.m == 1 && op >= 0x20 && op <= 0x23 {
			mod = 3 // control and debug registers: mod is ignored
		}
		if mod != 3 {
			c.hasMem = true
			if addrsize && !long {
				switch {
				case mod == 0 && rm == 6, mod == 2:
					i += 2
				case mod == 1:
					i++
				}
				break
			}
			c.base = int8(rm)
			if rm == 4 {
				sib := at(i)
				i++
				c.base = int8(sib & 7)
				if x := sib >> 3 & 7; x != 4 || c.rex&2 != 0 {
					c.index = int8(x)
				}
				if mod == 0 && sib&7 == 5 {
					c.base = -1
					c.hasDisp32 = true
				}
			} else if mod == 0 && rm == 5 {
				c.base = -1
				if long {
					c.base = 16
				}
				c.hasDisp32 = true
			}
			switch {
			case mod == 1:
				c.disp = int64(int8(at(i)))
				i++
			case mod == 2 || c.hasDisp32:
				if i+4 <= len(code) {
					c.disp = int64(int32(binary.LittleEndian.Uint32(code[i:])))
				}
				c.hasDisp32 = true
				i += 4
			}
		}
	}
	reg := c.modrm >> 3 & 7
	switch kind {
	case 'B', 'C', 'J':
		c.immSize = 1
	case 'Z', 'D', 'K':
		c.immSize = immz
		if kind == 'K' && long || c.space == xop {
			c.immSize = 4
		}
	case 'W', 'F':
		c.immSize = 2
	case 'E':
		c.immSize = 3
	case 'V':
		c.immSize = immz
		if c.wide {
			c.immSize = 8
		}
	case 'O':
		c.immSize = 4
		if long != addrsize {
			c.immSize = 8
		}
		if !long && addrsize {
			c.immSize = 2
		}
	case 'P':
		c.immSize = immz + 2
	case 'G':
		if reg < 2 {
			c.immSize = 1
		}
	case 'H':
		if reg < 2 {
			c.immSize = immz
		}
	}
	c.rel = kind == 'J' || kind == 'K'
	if i+c.immSize > len(code) {
		return c, false
	}
	switch c.immSize {
	case 1:
		c.imm = int64(int8(code[i]))
	case 2:
		c.imm = int64(int16(binary.LittleEndian.Uint16(code[i:])))
	case 4:
		c.imm = int64(int32(binary.LittleEndian.Uint32(code[i:])))
	case 8:
		c.imm = int64(binary.LittleEndian.Uint64(code[i:]))
	}
	c.length = i + c.immSize
	return c, c.length <= 15
}

// entry is what the instruction needs. A legacy instruction whose prefix has no row of its own is that without prefix:
// 66 then only sizes its operands.
func (c *x86Code) entry(t *x86Table) *entry {
	if c.m > 10 {
		return nil
	}
	rows := t[c.space][c.m][c.opcode]
	if len(rows) == 0 {
		return nil
	}
	prefix := c.mandatory
	for {
		for i := range rows {
			r := &rows[i]
			if r.prefix >= 0 && r.prefix != prefix || r.w >= 0 && r.w != c.w || r.l >= 0 && r.l != c.l {
				continue
			}
			switch {
			case r.mod == 4 && r.modrm != c.modrm,
				r.mod == 3 && c.hasMem,
				r.mod == 0 && !c.hasMem,
				r.reg >= 0 && r.reg != int8(c.modrm>>3&7):
				continue
			}
			return r.entry
		}
		if prefix == 0 || c.space != legacy {
			break
		}
		if c.mandatory == 3 || c.mandatory == 2 {
			// REP has no meaning for these, but is told from them: F3 0F BC is TZCNT, which runs as BSF where there is
			// no BMI, and compilers write it as such.
			if c.data16 && prefix != 0x66 {
				prefix = 0x66
				continue
			}
		}
		prefix = 0
	}
	if c.space == legacy {
		return nil
	}
	return x86Unknown[c.space]
}

// x86Unknown stands for an instruction in a vector encoding that the table does not know: it needs at least what made
// the encoding.
var x86Unknown = map[int]*entry{
	vex:  {"(VEX)", parseNeed("avx")},
	evex: {"(EVEX)", parseNeed("avx512f")},
	xop:  {"(XOP)", parseNeed("xop")},
}
