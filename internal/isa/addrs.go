package isa

import "math/bits"

// An addrSet is a set of addresses: a bit for each of a range, and a map for those that lie outside.
type addrSet struct {
	lo   uint64
	bits []uint64
	more map[uint64]bool
}

// newAddrSet makes a set for addresses that mostly lie from lo to hi; one whose range is much larger than what it is
// for, as a hostile file may have it, gets no bits.
func newAddrSet(lo, hi, used uint64) *addrSet {
	s := &addrSet{lo: lo}
	if hi > lo && hi-lo <= 1<<20+8*used {
		s.bits = make([]uint64, (hi-lo+63)/64)
	}
	return s
}

func (s *addrSet) add(a uint64) {
	if i := (a - s.lo) / 64; i < uint64(len(s.bits)) {
		s.bits[i] |= 1 << ((a - s.lo) % 64)
		return
	}
	if s.more == nil {
		s.more = map[uint64]bool{}
	}
	s.more[a] = true
}

func (s *addrSet) has(a uint64) bool {
	if i := (a - s.lo) / 64; i < uint64(len(s.bits)) {
		return s.bits[i]>>((a-s.lo)%64)&1 != 0
	}
	return s.more[a]
}

// each calls f for every address, those outside the range last and in no order.
func (s *addrSet) each(f func(a uint64)) {
	for i, w := range s.bits {
		for ; w != 0; w &= w - 1 {
			f(s.lo + uint64(i*64+bits.TrailingZeros64(w)))
		}
	}
	for a := range s.more {
		f(a)
	}
}

// span is the range of the sections that are wanted, and how many bytes they hold.
func (img *image) span(wanted func(s *section) bool) (lo, hi, used uint64) {
	lo = ^uint64(0)
	for i := range img.sections {
		if s := &img.sections[i]; wanted(s) {
			lo, hi, used = min(lo, s.addr), max(hi, s.addr+uint64(len(s.data))), used+uint64(len(s.data))
		}
	}
	return lo, hi, used
}

// A locator finds the function of an address: the number of functions that begin before each stretch of 64 bytes.
type locator struct {
	lo     uint64
	before []int32
}

func newLocator(funcs []function) locator {
	if len(funcs) == 0 {
		return locator{}
	}
	l := locator{lo: funcs[0].start}
	used := uint64(0)
	for _, f := range funcs {
		used += f.end - f.start
	}
	span := funcs[len(funcs)-1].start - l.lo
	if span > 1<<20+8*used {
		return locator{}
	}
	l.before = make([]int32, span/64+2)
	n := 0
	for i := range l.before {
		for n < len(funcs) && (funcs[n].start-l.lo)/64 < uint64(i) {
			n++
		}
		l.before[i] = int32(n)
	}
	return l
}
