package isa

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// What is known of the bytes of Arm code while it is traced, beside the modes 'a' and 't'.
const (
	untraced   = 0
	literalAt  = 'd'
	nearbyAdr  = 4096    // how far adr reaches, which computes addresses of data between functions
	farthest   = 1 << 16 // between a table of branches and where they go
	tableLimit = 4096
	maxTraced  = 256 << 20 // bytes: sections of a hostile file may lie on each other
)

// A tracer follows the control flow of Arm code that no mapping symbol describes. Bytes there may be A32, T32 or
// constants, and the same bytes make sense as more than one of them: only what an entry leads to is known to be code,
// and of which kind.
type tracer struct {
	img    *image
	kinds  map[*section][]byte
	base   uint64 // of the section that was asked for last, and its kinds
	last   []byte
	state  machine // of following
	work   []root
	later  []root   // what only looks like an address of code: after all else
	starts *addrSet // of functions
	asked  *addrSet // functions of which it is known whether they come back; those of T32 are at their addresses and 1
	back   *addrSet // those that do
}

// A root is where control comes in.
type root struct {
	addr uint64
	mode byte
}

// trace puts marks in the place of the mapping symbols that a linked Arm file lost. What nothing leads to is marked as
// data, and counted as not read. relocated are addresses that the loader writes, which are no numbers that look like
// addresses.
func (img *image) trace(relocated []uint64) {
	lo, hi, used := img.span((*section).exec)
	t := &tracer{img: img, kinds: map[*section][]byte{}, starts: newAddrSet(lo, hi, used), asked: newAddrSet(lo, hi, used),
		back: newAddrSet(lo, hi, used), state: machine{img: img, bare: true}}
	budget := int64(maxTraced)
	for i := range img.sections {
		s := &img.sections[i]
		if !s.exec() || len(s.data) == 0 {
			continue
		}
		if budget -= int64(len(s.data)); budget < 0 {
			break
		}
		kinds := make([]byte, len(s.data))
		t.kinds[s] = kinds
		if len(img.goNames) > 0 { // Go's own code is A32 from its first function to its last
			first, end := max(img.goNames[0].addr, s.addr)-s.addr, max(img.goEnd, s.addr)-s.addr
			for i := first; i < min(end, uint64(len(kinds))); i++ {
				kinds[i] = 'a'
			}
		}
	}
	for _, m := range img.marks { // of the symbols that are left
		t.enter(m.addr, m.mode)
	}
	if img.entry&1 != 0 {
		t.enter(img.entry&^1, 't')
	} else {
		t.enter(img.entry, 'a')
	}
	for _, a := range img.starts {
		t.starts.add(a)
	}
	slices.Sort(relocated)
	for _, v := range relocated {
		t.address(v)
	}
	for _, slot := range slices.Sorted(maps.Keys(img.pointers)) {
		v := img.pointers[slot]
		switch s := img.section(slot); {
		case s == nil:
		case s.typ == elf.SHT_INIT_ARRAY || s.typ == elf.SHT_FINI_ARRAY || s.typ == elf.SHT_PREINIT_ARRAY ||
			strings.HasPrefix(s.name, ".got"):
			t.address(v)
		case s.writable():
			t.pointer(v)
		}
	}
	slices.SortFunc(t.later, func(a, b root) int {
		return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(a.mode, b.mode))
	})
	for more := true; more; {
		t.drain()
		more = false
		left := t.later
		t.later = nil
		for _, r := range left {
			switch {
			case t.at(r.addr) != untraced:
			case t.begins(r):
				t.enter(r.addr, r.mode)
				t.drain()
				more = true
			default:
				t.later = append(t.later, r)
			}
		}
	}
	img.marks = nil
	for i := range img.sections {
		s := &img.sections[i]
		last := byte(0)
		for off, k := range t.kinds[s] {
			if k == untraced {
				img.unread++
				k = literalAt
			}
			if k != last {
				img.marks = append(img.marks, mark{s.addr + uint64(off), k})
				last = k
			}
		}
	}
	t.starts.each(func(a uint64) { img.starts = append(img.starts, a) })
	slices.Sort(img.starts)
}

func (t *tracer) drain() {
	for len(t.work) > 0 {
		r := t.work[len(t.work)-1]
		t.work = t.work[:len(t.work)-1]
		t.follow(r)
	}
}

// begins says that a function may begin at an address: code or constants that are known end there, or an instruction
// that does not go on.
func (t *tracer) begins(r root) bool {
	s := t.img.section(r.addr)
	if s == nil || r.addr == s.addr || t.starts.has(r.addr) || t.at(r.addr-1) != untraced {
		return true
	}
	if r.addr-s.addr < 4 {
		return false
	}
	b := t.img.code(r.addr-4, 4)
	w := binary.LittleEndian.Uint32(b)
	if w == 0 || w == 0xd4d4d4d4 { // what linkers fill gaps with
		return true
	}
	if r.mode == 'a' {
		// BX LR, NOP, MOV R0, R0, B, POP with PC
		return w == 0xe12fff1e || w == 0xe320f000 || w == 0xe1a00000 || w>>24 == 0xea || w&0xffff8000 == 0xe8bd8000
	}
	h := w >> 16
	// BX LR, NOP, MOV R8, R8, POP with PC, B, POP.W with PC, B.W
	return h == 0x4770 || h == 0xbf00 || h == 0x46c0 || h>>8 == 0xbd || h>>11 == 0x1c || w&0x8000ffff == 0x8000e8bd ||
		w&0xd000f800 == 0x9000f000
}

// returns says that a function comes back, as far as a look at its code tells: abort and its like do not, and constants
// may follow their calls.
func (t *tracer) returns(r root, depth int) bool {
	key := r.addr
	if r.mode == 't' {
		key |= 1
	}
	if t.asked.has(key) {
		return t.back.has(key)
	}
	if depth > 6 {
		return true
	}
	t.asked.add(key) // unless another way comes back, it does not
	seen := map[uint64]bool{}
	work := []uint64{r.addr}
	m := &machine{img: t.img, mode: r.mode, bare: true}
	var in inst
	for left := 4000; len(work) > 0; {
		pc := work[len(work)-1]
		work = work[:len(work)-1]
		m.reset(pc)
		for !seen[pc] {
			seen[pc] = true
			if left--; left < 0 {
				t.back.add(key)
				return true
			}
			armDecode(m, pc, t.img.code(pc, 4), &in)
			if in.bad || in.flow == stop || in.flow == indirect || in.flow == maybe {
				t.back.add(key)
				return true
			}
			if in.target != 0 && (in.flow == cond || in.flow == jump) {
				work = append(work, in.target)
			}
			if in.flow.ends() || in.flow == call && in.target != 0 && !t.returns(t.called(pc, r.mode, in.target), depth+1) {
				break
			}
			pc += uint64(in.length)
		}
	}
	return false
}

// called is the function that a BL or BLX calls.
func (t *tracer) called(pc uint64, mode byte, target uint64) root {
	b := t.img.code(pc, 4)
	if len(b) < 4 {
		return root{target, mode}
	}
	w := binary.LittleEndian.Uint32(b)
	switch {
	case mode == 'a' && w>>28 == 15:
		return root{target &^ 1, 't'}
	case mode == 't' && w>>16&0xd000 == 0xc000:
		return root{target, 'a'}
	}
	return root{target, mode}
}

// kind is where what is known of an address is kept, nil where it is none of code.
func (t *tracer) kind(addr uint64) *byte {
	if i := addr - t.base; i < uint64(len(t.last)) {
		return &t.last[i]
	}
	s := t.img.section(addr)
	if s == nil || addr-s.addr >= uint64(len(t.kinds[s])) {
		return nil
	}
	t.base, t.last = s.addr, t.kinds[s]
	return &t.last[addr-s.addr]
}

func (t *tracer) at(addr uint64) byte {
	if k := t.kind(addr); k != nil {
		return *k
	}
	return literalAt
}

func (t *tracer) set(addr uint64, kind byte) {
	if k := t.kind(addr); k != nil {
		*k = kind
	}
}

// fill sets the kind of so many bytes.
func (t *tracer) fill(addr, n uint64, kind byte) {
	if i := addr - t.base; i < uint64(len(t.last)) && n <= uint64(len(t.last))-i {
		for j := range n {
			t.last[i+j] = kind
		}
		return
	}
	for i := range n {
		t.set(addr+i, kind)
	}
}

// enter adds the start of a function.
func (t *tracer) enter(addr uint64, mode byte) {
	if mode == 'a' && addr&3 != 0 || t.at(addr) == literalAt {
		return
	}
	t.starts.add(addr)
	t.work = append(t.work, root{addr, mode})
}

// address adds what an address of code leads to: its lowest bit says of which kind it is. One of A32 may be the address
// of constants, too.
func (t *tracer) address(v uint64) {
	if v&1 != 0 {
		t.enter(v&^1, 't')
	} else if t.looksLikeA32(v) {
		t.enter(v, 'a')
	}
}

// pointer adds what a number leads to that looks like an address of code.
func (t *tracer) pointer(v uint64) {
	switch {
	case t.at(v&^1) == literalAt:
	case v&1 != 0:
		t.later = append(t.later, root{v &^ 1, 't'})
	case t.looksLikeA32(v):
		t.later = append(t.later, root{v, 'a'})
	}
}

// looksLikeA32 says that the first words at an address look like code: most instructions have no condition.
func (t *tracer) looksLikeA32(v uint64) bool {
	b := t.img.code(v, 32)
	if len(b) < 4 || v&3 != 0 || b[3]>>4 != 14 {
		return false
	}
	always, n := 0, 0
	for ; len(b) >= 4; b = b[4:] {
		n++
		if b[3]>>4 == 14 {
			always++
		}
		var in inst
		if armDecode(&machine{img: t.img, mode: 'a', bare: true}, v+uint64(4*n-4), b, &in); in.flow.ends() {
			break
		}
	}
	return 2*always >= n
}

// follow reads code from an address for as long as it goes on.
func (t *tracer) follow(r root) {
	m := &t.state
	m.mode = r.mode
	m.reset(r.addr)
	var in inst
	table := uint64(0) // that code has just computed the address of
	branch := func(to uint64) { t.work = append(t.work, root{to, r.mode}) }
	for pc := r.addr; ; {
		if t.at(pc) != untraced {
			return
		}
		b := t.img.code(pc, 4)
		armDecode(m, pc, b, &in)
		if in.bad {
			return
		}
		t.fill(pc, uint64(in.length), r.mode)
		after := pc + uint64(in.length)
		w := uint32(0)
		if len(b) == 4 {
			w = binary.LittleEndian.Uint32(b)
		}
		switch {
		case in.kind == literal && r.mode == 't' && in.flow == indirect: // TBB, TBH
			t.fill(in.ref, uint64(in.refSize), literalAt)
			for _, to := range t.img.thumbTargets(pc, in.refSize) {
				branch(to)
			}
		case in.kind == literal:
			t.fill(in.ref, uint64(in.refSize), literalAt)
			if v := t.img.bytesAt(in.ref, 4); in.refSize == 4 && len(v) == 4 && t.img.placed { // elsewhere it is a distance
				to := uint64(t.img.order.Uint32(v))
				if r.addr == t.img.entry&^1 { // what a program's first function loads is main
					t.address(to)
				} else {
					t.pointer(to)
				}
			}
		case in.kind == address:
			table = in.ref
			sum := r.mode == 'a' && w>>25&7 == 0 // of registers: what adr computes has a number
			if in.ref-pc+nearbyAdr > 2*nearbyAdr || sum || in.ref&1 != 0 && r.mode == 't' {
				t.pointer(in.ref)
			}
		}
		switch {
		case in.flow == call && in.target != 0:
			to := t.called(pc, r.mode, in.target)
			t.enter(to.addr, to.mode)
			if !t.returns(to, 0) {
				return
			}
		case in.target != 0 && (in.flow == jump || in.flow == cond):
			branch(in.target)
		case r.mode == 't' && w&0xffff == 0x4778: // BX PC
			t.enter((pc+4)&^3, 'a')
		case r.mode == 'a' && w == 0xe51ff004: // LDR PC, [PC, #-4]: the linker's way to code that is far away
			if v := t.img.bytesAt(pc+4, 4); len(v) == 4 {
				t.fill(pc+4, 4, literalAt)
				t.pointer(uint64(t.img.order.Uint32(v)))
			}
		case r.mode == 'a' && (in.flow == maybe || in.flow == indirect):
			t.armTable(pc, w, table, branch)
		case r.mode == 't' && in.flow == indirect && table != 0 && table-pc < 64:
			// LDR.W Rn, [Rm, Rn, LSL #2]; ADD Rm, Rn; BX Rm: distances from the table that adr named
			for at, end := table, table+tableLimit; at < end; at += 4 {
				b := t.img.code(at, 4)
				if len(b) < 4 {
					break
				}
				to := (table + uint64(int64(int32(t.img.order.Uint32(b))))) & 0xffffffff
				if to&1 == 0 || to-pc+farthest >= 2*farthest {
					break
				}
				end = t.entryOf(at, to&^1, end, branch)
			}
		}
		if in.flow.ends() || in.flow == call && t.starts.has(after) {
			return
		}
		pc = after
	}
}

// armTable follows what compilers write for a switch in A32.
func (t *tracer) armTable(pc uint64, w uint32, table uint64, branch func(uint64)) {
	word := func(at uint64) (uint32, bool) {
		b := t.img.code(at, 4)
		if len(b) < 4 {
			return 0, false
		}
		return t.img.order.Uint32(b), true
	}
	near := func(to uint64) bool { return to&3 == 0 && to-pc+farthest < 2*farthest }
	switch {
	case w&0x0fffffe0 == 0x008ff100: // ADDcc PC, PC, Rm, LSL #2: branches follow
		for at := pc + 8; at < pc+tableLimit; at += 4 {
			v, ok := word(at)
			if !ok || v>>24 != 0xea {
				return
			}
			branch(at)
		}
	case w&0x0ffffff0 == 0x079ff100: // LDRcc PC, [PC, Rm, LSL #2]: addresses follow
		for at, end := pc+8, pc+tableLimit; at < end; at += 4 {
			v, ok := word(at)
			if !ok || !near(uint64(v)) {
				return
			}
			end = t.entryOf(at, uint64(v), end, branch)
		}
	case w&0x0ff00ff0 == 0x00800000 && w>>12&15 == 15 && table != 0 && near(table):
		// ADD PC, Rn, Rm: distances from the table that adr named
		for at, end := table, table+tableLimit; at < end; at += 4 {
			v, ok := word(at)
			to := (table + uint64(int64(int32(v)))) & 0xffffffff
			if !ok || !near(to) {
				return
			}
			end = t.entryOf(at, to, end, branch)
		}
	}
}

// entryOf takes one entry of a table, which ends where the first of its targets behind it begins.
func (t *tracer) entryOf(at, to, end uint64, branch func(uint64)) uint64 {
	t.fill(at, 4, literalAt)
	branch(to)
	if to > at {
		end = min(end, to)
	}
	return end
}

// thumbTargets are where a TBB or TBH goes whose table, of so many bytes, follows it.
func (img *image) thumbTargets(pc uint64, size int) []uint64 {
	b := img.code(pc, 4+size)
	if len(b) < 4+size || size == 0 {
		return nil
	}
	half := b[2]&0x10 != 0
	b = b[4:]
	var to []uint64
	for len(b) > 0 {
		v := uint64(b[0])
		if half {
			v |= uint64(b[1]) << 8
			b = b[1:]
		}
		b = b[1:]
		to = append(to, pc+4+2*v)
	}
	return to
}
