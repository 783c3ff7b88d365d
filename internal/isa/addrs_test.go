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

// TestLocator holds the function of an address against a search from the first to the last, with functions close
// together and far apart.
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

// TestPlain holds the short answer, that a way leads to an instruction which no deciding branch is on, against the
// search that it saves, on control flow made at random: with branches, jumps through tables, places that nothing leads
// to, and what fills gaps before them.
func TestPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	decidedOnes := 0
	for range 3000 {
		n := 4 + r.IntN(30)
		g := &guard{answers: map[int32]uint8{}, succ: make([][2]int32, n), decides: make([]bool, n), seen: make([]bool, n), exits: make([]bool, n), plain: make([]bool, n), back: true}
		for i := range n {
			g.pcs = append(g.pcs, uint64(i))
			g.seen[i] = true
			g.succ[i] = [2]int32{int32(i + 1), -1}
			switch r.IntN(8) {
			case 0:
				g.succ[i], g.exits[i] = [2]int32{-1, -1}, true
			case 1:
				g.succ[i], g.exits[i] = [2]int32{-1, -1}, true
				g.jumps = append(g.jumps, int32(i))
			case 2, 3:
				g.succ[i][1] = int32(r.IntN(n))
				g.decides[i] = r.IntN(2) == 0
			}
		}
		g.succ[n-1], g.exits[n-1] = [2]int32{-1, -1}, true
		g.roots = []int32{0}
		for i := 1; i < n; i++ {
			switch r.IntN(12) {
			case 0:
				g.roots = append(g.roots, int32(i))
			case 1:
				g.tables = append(g.tables, int32(i))
			}
		}
		g.backwards()
		g.plainWays()
		short := make([]uint8, n)
		for i := range n {
			short[i] = g.at(uint64(i))
		}
		clear(g.plain)
		clear(g.answers)
		for i := range n {
			long := g.at(uint64(i))
			if long == decided {
				decidedOnes++
			}
			if short[i] != long {
				t.Fatalf("instruction %d: %d by the short answer, %d by the search: %+v", i, short[i], long, g)
			}
		}
	}
	if decidedOnes < 100 {
		t.Errorf("only %d instructions are decided: the graphs say little", decidedOnes)
	}
}
