package isa

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAddrSet: addresses within the range and outside it, and a range that is too large for bits.
func TestAddrSet(t *testing.T) {
	for _, hi := range []uint64{0x1000, 0x2000, 1 << 40} {
		s := newAddrSet(0x1000, hi, 64)
		if bits := len(s.bits) > 0; bits != (hi == 0x2000) {
			t.Errorf("up to %#x: bits %v", hi, bits)
		}
		in := []uint64{0, 0xfff, 0x1000, 0x1001, 0x103f, 0x1040, 0x1fff, 0x2000, 1 << 39, ^uint64(0)}
		for _, a := range in {
			if s.has(a) {
				t.Errorf("up to %#x: an empty set has %#x", hi, a)
			}
			s.add(a)
			s.add(a)
		}
		for _, a := range in {
			if !s.has(a) {
				t.Errorf("up to %#x: %#x is not there", hi, a)
			}
		}
		if s.has(0x1002) || s.has(0x2001) || s.has(1<<40) {
			t.Errorf("up to %#x: it has what was not added", hi)
		}
		var all []uint64
		s.each(func(a uint64) { all = append(all, a) })
		slices.Sort(all)
		if !slices.Equal(all, in) {
			t.Errorf("up to %#x: each: %#x, want %#x", hi, all, in)
		}
	}
}

// TestLocator holds the function of an address against a search from the first to the last, with functions close together and far apart.
func TestLocator(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, far := range []uint64{1, 1 << 32} {
		p := &program{}
		if p.function(0x1000) != -1 {
			t.Error("a program without functions has one")
		}
		at := uint64(0x1000)
		for range 500 {
			size := 1 + r.Uint64N(200)
			p.funcs = append(p.funcs, function{at, at + size})
			at += size + r.Uint64N(100)*(r.Uint64N(2))*far
		}
		p.where = newLocator(p.funcs)
		if located := len(p.where.before) > 0; located != (far == 1) {
			t.Fatalf("gaps of %d: located %v", far, located)
		}
		check := func(a uint64) {
			t.Helper()
			want := slices.IndexFunc(p.funcs, func(f function) bool { return f.start <= a && a < f.end })
			if got := p.function(a); got != want {
				t.Errorf("gaps of %d: %#x is in %d, want %d", far, a, got, want)
			}
		}
		for _, f := range p.funcs {
			for _, a := range []uint64{f.start - 1, f.start, f.end - 1, f.end, f.start + 63, f.start + 64} {
				check(a)
			}
		}
		check(0)
		check(at + 1<<20)
		check(^uint64(0))
	}
}

// TestMerged: edges stay by place, and at one place those that were there come first.
func TestMerged(t *testing.T) {
	got := merged([]edge{{pc: 1}, {pc: 3, to: 1}, {pc: 3, to: 2}, {pc: 9}}, []edge{{pc: 12}, {pc: 3, to: 3}, {pc: 0}, {pc: 5}})
	want := []edge{{pc: 0}, {pc: 1}, {pc: 3, to: 1}, {pc: 3, to: 2}, {pc: 3, to: 3}, {pc: 5}, {pc: 9}, {pc: 12}}
	if !slices.Equal(got, want) {
		t.Errorf("merged %v, want %v", got, want)
	}
}
