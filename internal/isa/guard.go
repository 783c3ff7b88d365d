package isa

import (
	"bytes"
	"cmp"
	"debug/elf"
	"maps"
	"slices"
	"sort"
	"strings"
)

// What holds of an instruction within its function.
const (
	open    = iota // it may run on every machine
	decided        // the program can do without it, by branches on what the processor can do
	unknown        // nothing leads there
)

// A guard is the control flow of a function that looks at what the processor can do.
//
// A branch soon after such a look decides: the program takes one way or the other as the machine is. Instructions that
// no choice at those branches avoids run on every machine: the function's entry leads to them whatever the branches
// decide. That is a game on a graph, and its solution the attractor of the instruction: all from which the way there is
// open, for a deciding branch only if it is from both sides.
type guard struct {
	pcs   []uint64
	succ  [][2]int32 // -1: none
	from  []int32    // what leads to an instruction, those of each after those of the one before
	froms []int32    // where in from those of an instruction begin
	roots []int32    // where control comes in: the entry and what exceptions lead to
	decides,
	exits, // it leaves the function
	seen []bool
	selects []bool  // it chooses between values
	far     []uint8 // instructions since a look
	back    bool    // the function comes back
	jumps   []int32 // through tables
	tables  []int32 // where they may lead
	plain   []bool  // ways lead there from where control comes in that no deciding branch is on
	answers map[int32]uint8
}

// preds are the instructions that lead to one.
func (g *guard) preds(i int32) []int32 { return g.from[g.froms[i]:g.froms[i+1]] }

// near is how many instructions after a look a branch still decides by it.
const near = 40

// at says what holds of an instruction.
func (g *guard) at(pc uint64) uint8 {
	i, ok := slices.BinarySearch(g.pcs, pc)
	if !ok || !g.seen[i] {
		return unknown
	}
	target := int32(i)
	for { // the start of straight code
		preds := g.preds(target)
		if len(preds) != 1 || g.decides[preds[0]] || g.succ[preds[0]][1] >= 0 || preds[0] != target-1 {
			break
		}
		target--
	}
	if g.plain[target] {
		return open
	}
	if a, ok := g.answers[target]; ok {
		return a
	}
	answer := g.avoidable([]int32{target})
	g.answers[target] = answer
	return answer
}

// together says what holds of several instructions as if they were one: the program may be able to do without each and
// not without all.
func (g *guard) together(pcs []uint64) uint8 {
	var targets []int32
	for _, pc := range pcs {
		if i, ok := slices.BinarySearch(g.pcs, pc); ok && g.seen[i] {
			targets = append(targets, int32(i))
		}
	}
	return g.avoidable(targets)
}

// avoidable says whether branches by what the processor can do avoid some instructions.
func (g *guard) avoidable(targets []int32) uint8 {
	attracted := make([]bool, len(g.pcs))
	half := map[int32]int32{} // deciding branches, one way of which leads there, and which
	work := slices.Clone(targets)
	for _, t := range targets {
		attracted[t] = true
	}
	tables := false
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		visit := func(p int32) {
			if attracted[p] {
				return
			}
			if g.decides[p] && g.succ[p][0] != g.succ[p][1] {
				if was, ok := half[p]; !ok || was == n {
					half[p] = n
					return
				}
			}
			attracted[p] = true
			work = append(work, p)
		}
		for _, p := range g.preds(n) {
			visit(p)
		}
		if !tables {
			if _, tables = slices.BinarySearch(g.tables, n); tables {
				for _, p := range g.jumps {
					visit(p)
				}
			}
		}
	}
	if !slices.ContainsFunc(g.roots, func(r int32) bool { return attracted[r] }) && g.goesOn(attracted) {
		return decided
	}
	return open
}

// isWord says that an address holds what was detected.
func (p *program) isWord(addr uint64) bool {
	if p.words[addr] {
		return true
	}
	_, ok := covering(p.wordSyms, addr)
	return ok
}

// looks are the instructions of a function that look at what the processor can do.
func (p *program) looks(f int) map[uint64]bool {
	var set map[uint64]bool
	add := func(pc uint64) {
		if set == nil {
			set = map[uint64]bool{}
		}
		set[pc] = true
	}
	for _, r := range p.refsOf(f) {
		if r.kind != store && p.isWord(r.addr) {
			add(r.pc)
		}
	}
	for _, pc := range p.asksOf(f) {
		add(pc)
	}
	for _, s := range p.stubsOf(f) {
		if s.word || s.detector {
			add(s.pc)
		}
	}
	for _, e := range p.edgesOf(f) {
		if e.kind != call {
			continue
		}
		if t := p.function(e.to); t >= 0 && (p.asking[t] || p.telling[t]) {
			add(e.pc)
		} else if p.asksAt(e.to) {
			add(e.pc)
		}
	}
	return set
}

// chosen says that an address which is computed at an instruction is one of two that a condition chooses between, right
// where the function looks.
func (g *guard) chosen(pc uint64) bool {
	i, ok := slices.BinarySearch(g.pcs, pc)
	if !ok {
		return false
	}
	selects, looks := false, g.far[i] <= near
	for j := i; j < len(g.pcs) && j < i+24; j++ {
		selects = selects || g.selects[j]
		looks = looks || g.far[j] == 0
	}
	return selects && looks
}

// goesOn says that a function which never enters some of its instructions still comes back; one that only ends the
// program instead has decided nothing.
func (g *guard) goesOn(without []bool) bool {
	if !g.back {
		return true // it never does
	}
	if len(g.pcs) == 0 {
		return false
	}
	seen := make([]bool, len(g.pcs))
	work := []int32{0}
	seen[0] = true
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if g.exits[i] {
			return true
		}
		for _, s := range g.succ[i] {
			if s >= 0 && !seen[s] && !without[s] {
				seen[s] = true
				work = append(work, s)
			}
		}
	}
	return false
}

// guard reads the control flow of a function, in which branches decide that come soon after a look.
func (p *program) guard(f int) *guard {
	if p.guards[f] == nil {
		p.guards[f] = p.flow(f, false)
	}
	return p.guards[f]
}

// flow reads the control flow of a function; all says that every branch decides.
func (p *program) flow(f int, all bool) *guard {
	looks := p.looking[f]
	fn := p.funcs[f]
	g := &guard{answers: map[int32]uint8{}}
	var code []inst
	p.walk(fn.start, fn.end, func(m *machine, pc uint64, in *inst) bool {
		g.pcs = append(g.pcs, pc)
		code = append(code, *in)
		return true
	})
	n := len(code)
	g.succ = make([][2]int32, n)
	g.decides, g.seen, g.exits = make([]bool, n), make([]bool, n), make([]bool, n)
	index := func(addr uint64) int32 {
		if addr >= fn.start && addr < fn.end {
			if i, ok := slices.BinarySearch(g.pcs, addr); ok {
				return int32(i)
			}
		}
		return -1
	}
	for i := range code {
		in := &code[i]
		a, b := int32(-1), int32(-1)
		from := i
		if in.delayed && i+1 < n { // the next one runs first, and leads on in this one's place
			g.succ[i] = [2]int32{int32(i + 1), -1}
			from = i + 1
		} else if i > 0 && code[i-1].delayed {
			continue
		}
		if from+1 < n {
			a = int32(from + 1)
		}
		switch in.flow {
		case next:
			g.exits[from] = a < 0
		case call:
			if t := p.function(in.target); in.target != 0 && t >= 0 && t != f && !p.returns(t, 0) {
				a = -1
			}
			if in.target != fn.start { // a label of its own
				b = index(in.target)
			}
		case cond:
			b = index(in.target)
			g.exits[from] = b < 0
		case jump:
			a = index(in.target)
			g.exits[from] = a < 0
		case indirect:
			a = -1
			g.jumps = append(g.jumps, int32(from))
			g.exits[from] = true
		case maybe:
			g.jumps = append(g.jumps, int32(from))
			g.exits[from] = true
		case stop:
			a = -1
			g.exits[from] = true
		case trap:
			a = -1
		}
		if in.bad {
			a, b = -1, -1
		}
		g.succ[from] = [2]int32{a, b}
	}
	g.backwards()
	var work []int32
	see := func(i int32) {
		if i >= 0 && !g.seen[i] {
			g.seen[i] = true
			work = append(work, i)
		}
	}
	run := func() {
		for len(work) > 0 {
			i := work[len(work)-1]
			work = work[:len(work)-1]
			see(g.succ[i][0])
			see(g.succ[i][1])
		}
	}
	if n > 0 {
		g.roots = append(g.roots, 0)
		see(0)
		run()
	}
	// What nothing leads to is where a table of jumps leads, or where an exception is caught. Bytes that do not stay
	// instructions until they end are data.
	for i := 1; i < n; i++ {
		if g.seen[i] || code[i].nop {
			continue
		}
		for end := i; ; end++ {
			if end < n && code[end].bad {
				i = end
				break
			}
			if end == n || g.seen[end] || code[end].flow.ends() {
				if len(g.jumps) == 0 && p.isGo(f) {
					break // Go's functions catch nothing: it is left over
				}
				if len(g.jumps) > 0 {
					g.tables = append(g.tables, int32(i))
				} else {
					g.roots = append(g.roots, int32(i))
				}
				see(int32(i))
				run()
				break
			}
		}
	}
	g.back = true
	g.back = g.goesOn(make([]bool, n))
	// How far each instruction is from a look.
	far := make([]uint8, n)
	g.far, g.selects = far, make([]bool, n)
	for i := range far {
		far[i] = 255
	}
	var queue []int32
	for i, pc := range g.pcs {
		if looks[pc] {
			far[i] = 0
			queue = append(queue, int32(i))
		}
	}
	spread := func() {
		for len(queue) > 0 {
			i := queue[0]
			queue = queue[1:]
			if far[i] >= near {
				continue
			}
			for _, s := range g.succ[i] {
				if s >= 0 && far[s] > far[i]+1 {
					far[s] = far[i] + 1
					queue = append(queue, s)
				}
			}
		}
	}
	if spread(); len(looks) > 0 && !all {
		for _, i := range p.spilled(g, code) {
			if far[i] > near-again {
				far[i] = near - again
				queue = append(queue, i)
			}
		}
		spread()
	}
	// Flags that a look set decide however far the branch is, until others are set.
	flags := make([]bool, n)
	for i, pc := range g.pcs {
		if looks[pc] && !code[i].keeps && code[i].flow == next {
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, s := range g.succ[i] {
			if s >= 0 && !flags[s] {
				flags[s] = true
				if code[s].keeps {
					queue = append(queue, s)
				}
			}
		}
	}
	for i := range code {
		from := i
		if code[i].delayed && i+1 < n {
			from = i + 1
		}
		g.selects[i] = code[i].selects
		if (code[i].flow == cond || code[i].flow == maybe) && (all || far[i] <= near || flags[i] && code[i].keeps) {
			g.decides[from] = true
		}
	}
	if len(looks) > 0 && !all {
		for _, i := range p.held(g, code, looks) {
			g.decides[i] = true
		}
	}
	g.plainWays()
	return g
}

// backwards sets what leads to each instruction.
func (g *guard) backwards() {
	n := len(g.pcs)
	g.froms = make([]int32, n+2)
	for i := range g.succ {
		for _, s := range g.succ[i] {
			if s >= 0 {
				g.froms[s+2]++
			}
		}
	}
	for i := range n {
		g.froms[i+2] += g.froms[i+1]
	}
	g.from = make([]int32, g.froms[n+1])
	for i := range g.succ {
		for _, s := range g.succ[i] {
			if s >= 0 {
				g.from[g.froms[s+1]] = int32(i)
				g.froms[s+1]++
			}
		}
	}
}

// plainWays finds the instructions that at need not search for: a way leads there from where control comes in on which
// no branch decides.
func (g *guard) plainWays() {
	g.plain = make([]bool, len(g.pcs))
	work := slices.Clone(g.roots)
	led := false
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if g.plain[i] {
			continue
		}
		g.plain[i] = true
		if g.decides[i] && g.succ[i][0] != g.succ[i][1] {
			continue
		}
		if _, jumps := slices.BinarySearch(g.jumps, i); jumps && !led {
			// any of them may go to any place that a table leads to
			led = true
			work = append(work, g.tables...)
		}
		for _, s := range g.succ[i] {
			if s >= 0 {
				work = append(work, s)
			}
		}
	}
}

// readingFiles are the functions that name one of askedFiles.
func (p *program) readingFiles() map[int]bool {
	at := map[uint64]bool{}
	for i := range p.img.sections {
		s := &p.img.sections[i]
		if s.exec() || s.writable() {
			continue
		}
		for _, name := range askedFiles {
			text := []byte(name)
			if len(p.img.goNames) == 0 {
				text = append(text, 0)
			}
			for from := 0; ; {
				k := bytes.Index(s.data[from:], text)
				if k < 0 {
					break
				}
				at[s.addr+uint64(from+k)] = true
				from += k + len(text)
			}
		}
	}
	fs := map[int]bool{}
	for _, r := range p.refs {
		if f := p.function(r.pc); at[r.addr] && f >= 0 {
			fs[f] = true
		}
	}
	return fs
}

// findWords finds the variables that hold what was detected: those with known names, and those that code writes right
// after it has asked.
func (p *program) findWords() {
	for _, y := range p.img.objects {
		if y.size > 0 && isWordName(y.name) {
			p.wordSyms = append(p.wordSyms, y)
		} else if isWordName(y.name) {
			p.words[y.addr] = true
		}
	}
	for _, pc := range p.asks {
		p.asking[p.function(pc)] = true
	}
	for i := range p.funcs {
		for _, n := range p.names(i) {
			if isDetector(n) || isFiller(n) {
				p.asking[i] = true
			}
		}
	}
	reading := p.readingFiles()
	for f := range reading {
		// In C such a function counts processors as often (glibc's get_nprocs): its callers have asked nothing.
		if len(p.img.goNames) > 0 {
			p.asking[f] = true
		}
	}
	writes := map[uint64][]uint64{} // variables and the instructions that write them
	stores := map[int]bool{}
	derived := map[uint64]bool{} // instructions that may write a word
	for _, r := range p.refs {
		if r.kind == store {
			writes[r.addr] = append(writes[r.addr], r.pc)
			stores[p.function(r.pc)] = true
			// Zero takes an answer back, and says of no machine that it has more: Go's packages do so after a second
			// look.
			derived[r.pc] = derived[r.pc] || r.zero
		}
	}
	p.neverSet()
	// A function that only asks leaves it to its callers to keep the answer.
	more := map[int]bool{}
	for _, e := range p.edges {
		if e.kind != call {
			continue
		}
		t := p.function(e.to)
		if t >= 0 && p.asking[t] && !stores[t] {
			more[p.function(e.pc)] = true
		} else if p.asksAt(e.to) {
			more[p.function(e.pc)] = true
		}
	}
	for _, s := range p.stubs { // calls through a slot, without a linkage table
		if s.detector {
			if f := p.function(s.pc); f >= 0 && !p.img.inPLT(s.pc) {
				more[f] = true
			}
		}
	}
	for f := range more {
		p.asking[f] = true
	}
	delete(p.asking, -1)
	mayWrite := func(addr uint64) bool {
		s := p.img.section(addr)
		return s != nil && s.writable() && !s.exec()
	}
	candidates := map[uint64]bool{}
	found := false // structures
	entry := p.function(p.img.entry)
	// keep takes what a function writes soon after it has looked, or all that it writes.
	keep := func(f int, looks map[uint64]bool, all bool, window int) {
		if f == entry && !p.callsMain(f) {
			return
		}
		left, count, handed, handedAt, filler := 0, 0, uint64(0), 0, -1
		p.walk(p.funcs[f].start, p.funcs[f].end, func(m *machine, pc uint64, in *inst) bool {
			count++
			if in.kind == address && mayWrite(in.ref) {
				handed, handedAt = in.ref, count
			}
			asked := filler
			filler = -1
			if looks[pc] && in.flow == call {
				asked = p.function(in.target)
				if in.delayed { // the next instruction runs first
					asked, filler = -1, asked
				}
			}
			if asked >= 0 && handedAt > 0 && count-handedAt <= 8 && p.fills(asked) {
				if y, ok := covering(p.img.objects, handed); ok && y.size > 0 && y.size <= 256 && !p.isWord(y.addr) {
					// it hands on a structure to be filled in
					free := true
					for a := y.addr; a < y.addr+y.size; a++ {
						free = free && len(writes[a]) == 0
					}
					if free {
						p.wordSyms = append(p.wordSyms, y)
						found = true
					}
				}
			}
			switch {
			case looks[pc]:
				left = window
			case in.flow == call && left > window-8: // the call of what was loaded just before
				left = window
			case in.flow == call:
				left = 0
			case left > 0:
				left--
			}
			if (left > 0 || all) && (in.kind == store || in.kind == address && all) && mayWrite(in.ref) {
				derived[pc] = true
				candidates[in.ref] = true
			}
			return true
		})
	}
	for f := range p.funcs {
		if slices.ContainsFunc(p.names(f), isReader) {
			for _, r := range p.refsOf(f) {
				if r.kind == load && mayWrite(r.addr) {
					p.words[r.addr] = true
				}
			}
		}
	}
	for f := range reading {
		p.asking[f] = true
		keep(f, nil, true, 0)
	}
	for f := range p.asking {
		keep(f, p.looks(f), slices.ContainsFunc(p.names(f), func(n string) bool { return isFiller(n) }), 64)
	}
	done := map[int]bool{}
	for range 6 {
		told := len(p.telling)
		found = false
		for addr := range candidates {
			delete(candidates, addr)
			if p.isWord(addr) || slices.ContainsFunc(writes[addr], func(pc uint64) bool { return !derived[pc] }) {
				continue
			}
			p.words[addr] = true
		}
		slices.SortFunc(p.wordSyms, func(a, b symbol) int { return cmp.Compare(a.addr, b.addr) })
		for f := range p.funcs {
			if done[f] || p.asking[f] {
				continue
			}
			looks := p.looks(f)
			if len(looks) == 0 {
				continue
			}
			done[f] = true
			if p.funcs[f].end-p.funcs[f].start <= 256 && !p.hasHits(f) && !stores[f] && !p.doesMore(f, looks) {
				p.telling[f] = true
			}
			keep(f, looks, false, 24)
		}
		if len(candidates) == 0 && len(p.telling) == told && !found {
			break
		}
	}
	slices.SortFunc(p.wordSyms, func(a, b symbol) int { return cmp.Compare(a.addr, b.addr) })
}

// neverSet takes for words the variables of Go's packages that are false and stay so: nothing writes them but with
// zero, and nothing has their address. What a program asks of them leads nowhere (github.com/minio/highwayhash has a
// useSVE2 that waits for a machine to try it on).
func (p *program) neverSet() {
	if len(p.img.goNames) == 0 {
		return
	}
	zeroed := map[uint64]bool{}
	for _, r := range p.refs {
		if r.kind == store && r.zero {
			zeroed[r.addr] = true
		}
	}
	for _, r := range p.refs {
		if r.kind == store && !r.zero || r.kind == address {
			delete(zeroed, r.addr)
		}
	}
	if len(zeroed) == 0 {
		return
	}
	n := p.img.wordSize()
	for i := range p.img.sections { // an address that lies in data
		s := &p.img.sections[i]
		for off := int(-s.addr & uint64(n-1)); !s.exec() && off+n <= len(s.data); off += n {
			delete(zeroed, p.img.word(s.data[off:]))
		}
	}
	for _, to := range p.img.pointers {
		delete(zeroed, to)
	}
	for addr := range zeroed {
		y, ok := covering(p.img.objects, addr)
		if s := p.img.section(addr); ok && y.addr == addr && y.size == 1 && s != nil && s.typ == elf.SHT_NOBITS {
			p.words[addr] = true
		}
	}
}

// doesMore says that a function calls others than those that it asks, whose addresses some machines load first, and
// what finds a thread's variables.
func (p *program) doesMore(f int, looks map[uint64]bool) bool {
	return slices.ContainsFunc(p.edgesOf(f), func(e edge) bool {
		if looks[e.pc] || p.threadAt(e.to) {
			return false
		}
		t := p.function(e.to)
		return e.kind != stop || t < 0 || !p.asking[t] && !p.telling[t]
	})
}

// fills says that a small function only asks, and leaves the answers where it is told to.
func (p *program) fills(f int) bool {
	if f < 0 || p.funcs[f].end-p.funcs[f].start > 1024 || p.hasHits(f) {
		return false
	}
	looks := p.looks(f)
	return len(looks) > 0 && !p.doesMore(f, looks)
}

func (p *program) hasHits(f int) bool {
	i := sort.Search(len(p.hits), func(i int) bool { return p.hits[i].pc >= p.funcs[f].start })
	return i < len(p.hits) && p.hits[i].pc < p.funcs[f].end
}

// A reachState says how a function is reached.
type reachState uint8

const (
	unreached reachState = iota
	guarded              // only where the program has asked
	always               // without
)

// reach finds the functions that run on every machine: from the program's entries, by every way that no branch on a
// detected feature guards.
func (p *program) reach() {
	p.reached = make([]reachState, len(p.funcs))
	p.viaData()
	p.looking = make([]map[uint64]bool, len(p.funcs))
	for i := range p.funcs {
		p.looking[i] = p.looks(i)
	}
	p.refusals()
	incoming := make([]bool, len(p.funcs))
	for _, e := range p.edges {
		if t := p.function(e.to); t >= 0 && t != p.function(e.pc) && (e.kind != stop || p.isStart(t, e.to)) {
			incoming[t] = true
		}
	}
	// What comes before main only goes on or ends the program: its branches choose between nothing.
	startup, first := p.startup, -1
	chain := map[int]bool{} // what the entry jumps to: it hands main on as an address
	if p.img.linked {
		first = p.function(p.img.entry &^ uint64(p.img.arch.align-1))
		at := first
		for range 4 { // Go's entry jumps twice before it does anything
			if at < 0 || startup[at] || p.callsMain(at) {
				break
			}
			startup[at] = true
			to := uint64(0)
			p.walk(p.funcs[at].start, p.funcs[at].end, func(m *machine, pc uint64, in *inst) bool {
				if in.flow == jump {
					to = in.target
				}
				return in.flow == next || in.flow == cond
			})
			if to == 0 {
				break
			}
			at = p.function(to)
		}
		for _, y := range p.img.goNames { // with cgo C's start comes before it
			if y.name == "runtime.rt0_go" || y.name == "runtime.rt0_go.abi0" {
				if f := p.function(y.addr); f >= 0 {
					startup[f] = true
				}
			}
		}
		chain = maps.Clone(startup)
		for f := range maps.Clone(startup) {
			for _, e := range p.edgesOf(f) {
				if t := p.function(e.to); e.kind == call && t >= 0 {
					startup[t] = true
				}
			}
		}
		for f := range maps.Clone(startup) { // glibc's __libc_start_main calls one function more before main
			for _, e := range p.edgesOf(f) {
				if t := p.function(e.to); e.kind == call && t >= 0 && !p.isGo(t) {
					startup[t] = true
				}
			}
		}
	}
	p.first = first
	var work []int
	p.dead, p.uncalled = make([]bool, len(p.funcs)), make([]bool, len(p.funcs))
	dead := p.dead
	mark := func(f int, s reachState) {
		if f >= 0 && p.reached[f] < s {
			p.reached[f] = s
			work = append(work, f)
		}
	}
	used := map[int]bool{}
	for _, f := range p.dataRoots {
		mark(f, always)
		used[f] = true
	}
	var later []int // others call them, too: where this file only comes to one after it has asked, so will they
	for i := range p.funcs {
		start := p.funcs[i].start
		falls := i > 0 && p.funcs[i-1].end == start && p.fallsInto(start)
		p.uncalled[i] = p.img.exported[start] && !p.img.resolver[start] && start != p.img.entry && !incoming[i] && !falls &&
			!used[i] && !p.isGo(i)
		switch {
		case start == p.img.entry, p.img.exported[start] && !incoming[i], p.img.resolver[start]:
			mark(i, always)
		case p.img.exported[start]:
			later = append(later, i)
		case !incoming[i] && !falls: // of an object: what others call; of a program: what is not seen to be called
			mark(i, always)
			dead[i] = p.img.linked && !used[i]
		}
	}
	run := func() {
		for len(work) > 0 {
			f := work[len(work)-1]
			work = work[:len(work)-1]
			from := p.reached[f]
			resolver := p.img.resolver[p.funcs[f].start]
			for _, e := range p.edgesOf(f) {
				t := p.function(e.to)
				if t < 0 || t == f || e.kind == stop && !p.isStart(t, e.to) {
					continue
				}
				s := from
				if s == always {
					switch {
					case resolver:
						s = guarded
					case chain[f], startup[f] && e.kind != stop && !p.isGo(f): // Go asks the processor before main
					case dead[f] && e.kind != call && e.kind != stop: // variants of one function share their code
						continue
					case p.looking[f] != nil && e.kind == stop && p.guard(f).chosen(e.pc):
						// one of the variants that it chooses from without a branch
						s = guarded
					case p.looking[f] != nil && p.guard(f).at(e.pc) == decided && !p.everyWay(f, t, e):
						s = guarded
					case p.looking[f] != nil && e.kind == cond && p.choosesToLeave(f, t):
						s = guarded
					}
				}
				mark(t, s)
			}
			if end := p.funcs[f].end; f+1 < len(p.funcs) && p.funcs[f+1].start == end && p.fallsInto(end) && !dead[f] {
				s := from
				if s == always && p.looking[f] != nil {
					g := p.guard(f)
					if n := len(g.pcs); n > 0 && g.at(g.pcs[n-1]) == decided {
						s = guarded
					}
				}
				mark(f+1, s)
			}
		}
	}
	run()
	for _, i := range later {
		if p.reached[i] == unreached {
			mark(i, always)
			run()
		}
	}
}

// refusals takes for a look what calls a function of Go that makes an error where the machine has not what it wants, as
// what makes a parser of simdjson-go does: the caller goes by the error.
func (p *program) refusals() {
	if len(p.img.goNames) == 0 || len(p.hits) == 0 {
		return
	}
	refuses := map[int]bool{}
	for f, looks := range p.looking {
		if len(looks) == 0 || !p.isGo(f) || p.telling[f] || p.asking[f] {
			continue
		}
		made := func(pc uint64) bool { return p.guard(f).at(pc) == decided }
		for _, r := range p.refsOf(f) {
			y, ok := covering(p.img.objects, r.addr)
			if ok && strings.HasPrefix(y.name, "go:itab.") && strings.HasSuffix(y.name, ",error") && made(r.pc) {
				refuses[f] = true
			}
		}
		for _, e := range p.edgesOf(f) {
			if t := p.function(e.to); e.kind == call && t >= 0 && slices.Contains(p.names(t), "fmt.Errorf") && made(e.pc) {
				refuses[f] = true
			}
		}
	}
	for f := range refuses {
		p.telling[f] = true
	}
	for f := range refuses {
		for _, e := range p.leadingTo(f) {
			if from := p.function(e.pc); e.kind == call && from >= 0 {
				p.looking[from], p.guards[from] = p.looks(from), nil
			}
		}
	}
}

// everyWay says that a function which may do without one of its calls of another cannot do without all of them.
func (p *program) everyWay(f, to int, one edge) bool {
	var calls []uint64
	for _, e := range p.edgesOf(f) {
		if p.function(e.to) == to && (e.kind == call || e.kind == jump) { // a branch that comes by need not be taken
			calls = append(calls, e.pc)
		}
	}
	return (one.kind == call || one.kind == jump) && len(calls) > 1 && p.guard(f).together(calls) == open
}

// callsMain says that a function which a program begins in may choose, too: on macOS it is main, on Windows it calls
// main, which is not handed on as an address.
func (p *program) callsMain(f int) bool { return p.img.format != elfFormat && !p.isGo(f) }

// choosesToLeave says that branches of a function on what the processor can do lead straight into another one, and that
// it can do without that one.
func (p *program) choosesToLeave(f, to int) bool {
	g := *p.guard(f)
	g.exits = slices.Clone(g.exits) // on the way to that one it does not come back
	attracted := make([]bool, len(g.pcs))
	half := map[int32]int32{}
	var work []int32
	const outside = -2 // the other function
	visit := func(i, n int32) {
		if attracted[i] {
			return
		}
		if g.decides[i] {
			if was, ok := half[i]; !ok || was == n {
				half[i] = n
				return
			}
		}
		attracted[i] = true
		work = append(work, i)
	}
	for _, e := range p.edgesOf(f) {
		i, ok := slices.BinarySearch(g.pcs, e.pc)
		switch {
		case p.function(e.to) != to:
		case !ok || !g.seen[i] || e.kind == stop:
			return false
		case e.kind == cond:
			g.exits[i] = false
			visit(int32(i), outside)
		case !attracted[i]:
			attracted[i] = true
			work = append(work, int32(i))
		}
	}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		for _, i := range g.preds(n) {
			visit(i, n)
		}
	}
	return !slices.ContainsFunc(g.roots, func(r int32) bool { return attracted[r] }) && g.goesOn(attracted)
}

// fallsInto says that the instruction before an address goes on to it.
func (p *program) fallsInto(addr uint64) bool { return !p.ends.has(addr) }

// linkerTable says that a section's words are the linker's own: only code loads them.
func linkerTable(name string) bool {
	return strings.HasPrefix(name, ".got") || strings.HasPrefix(name, ".plt") || name == ".toc" || name == ".branch_lt"
}

// direct are the architectures whose every load from the global offset table is seen.
var direct = map[string]bool{"arm64": true, "riscv64": true, "ppc64": true, "s390x": true, "loong64": true}

// viaData adds the ways through data: a word that holds a function's address leads there from where the word, or the
// variable that it is part of, is used.
func (p *program) viaData() {
	byAddr := slices.Clone(p.refs)
	slices.SortFunc(byAddr, func(a, b ref) int { return cmp.Compare(a.addr, b.addr) })
	users := func(lo, hi uint64) []ref {
		i := sort.Search(len(byAddr), func(i int) bool { return byAddr[i].addr >= lo })
		j := sort.Search(len(byAddr), func(i int) bool { return byAddr[i].addr > hi })
		return byAddr[i:j]
	}
	for _, a := range p.img.inits {
		if f := p.function(a); f >= 0 && p.funcs[f].start == a {
			p.dataRoots = append(p.dataRoots, f)
			p.started = append(p.started, f)
		}
	}
	var added []edge
	var holders []holder
	slots := make([]uint64, 0, len(p.img.pointers))
	for s := range p.img.pointers {
		slots = append(slots, s)
	}
	slices.Sort(slots)
	for _, slot := range slots {
		v := p.img.pointers[slot]
		to := v
		if p.img.arch.name == "arm" {
			to &^= 1
		}
		f := p.function(to)
		if f < 0 || p.funcs[f].start != to {
			continue
		}
		if s := p.img.section(slot); s == nil || s.exec() {
			continue
		}
		if name := p.img.section(slot).name; name == ".init_array" || name == ".preinit_array" || name == ".fini_array" ||
			name == ".ctors" || name == ".dtors" {
			p.dataRoots = append(p.dataRoots, f) // run by whoever starts the program
			p.started = append(p.started, f)
			continue
		}
		found := users(slot, slot)
		if len(found) == 0 {
			if y, ok := covering(p.img.objects, slot); ok && y.size <= 4096 {
				found = users(y.addr, slot)
			}
		}
		_, named := covering(p.img.objects, slot)
		nameless := !p.img.linked || len(p.img.objects) == 0 && len(p.img.goNames) > 0 ||
			p.img.named && strings.HasPrefix(p.img.section(slot).name, ".data.rel.ro")
		if len(found) == 0 && !named && nameless {
			// no symbol, as of the tables that compilers make of a switch: what is used next before it is what it is part of
			i := sort.Search(len(byAddr), func(i int) bool { return byAddr[i].addr > slot })
			if i > 0 && slot-byAddr[i-1].addr <= 1024 && p.img.section(byAddr[i-1].addr) == p.img.section(slot) {
				found = users(byAddr[i-1].addr, byAddr[i-1].addr)
			}
		}
		if len(found) == 0 && named && len(p.hits) > 0 {
			// a table that a structure points to, as those of classes: whoever uses the structure
			if holders == nil {
				holders = p.img.holders()
			}
			found = p.throughData(holders, slot, users, 2)
		}
		if len(found) == 0 && linkerTable(p.img.section(slot).name) &&
			(direct[p.img.arch.name] || p.img.machine == elf.EM_MIPS && p.img.exported[to]) {
			continue // the linker left a slot that nothing loads; on MIPS every name that is exported has one
		}
		if len(found) == 0 || len(found) > 256 {
			p.dataRoots = append(p.dataRoots, f)
			continue
		}
		for _, r := range found {
			added = append(added, edge{r.pc, to, stop})
		}
	}
	p.edges = merged(p.edges, added)
	p.edgesAt = ranges(p.edges, p.funcs, func(e *edge) uint64 { return e.pc })
}

// A holder is a word in data that holds the address of data.
type holder struct{ to, at uint64 }

// holders are the words in data that lead to data, by what they hold. Where the program is not moved nothing tells
// them, and all are taken that lie in constants.
func (img *image) holders() []holder {
	all := []holder{}
	data := func(v uint64) bool {
		s := img.section(v)
		return s != nil && !s.exec() && !linkerTable(s.name) && !img.tables(s)
	}
	for at, v := range img.pointers {
		if data(v) && data(at) {
			all = append(all, holder{v, at})
		}
	}
	for i := range img.sections {
		s := &img.sections[i]
		if !img.placed || s.exec() || s.flags&elf.SHF_ALLOC == 0 || img.tables(s) {
			continue
		}
		n := img.wordSize()
		for off := int(-s.addr & uint64(n-1)); off+n <= len(s.data); off += n {
			if v := img.word(s.data[off:]); v != 0 && data(v) {
				all = append(all, holder{v, s.addr + uint64(off)})
			}
		}
	}
	slices.SortFunc(all, func(a, b holder) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.at, b.at)) })
	return slices.Compact(all)
}

// throughData are the uses of what points to the object that a slot lies in. They are none where anything points there
// that nothing is seen to use.
func (p *program) throughData(holders []holder, slot uint64, users func(lo, hi uint64) []ref, depth int) []ref {
	y, ok := covering(p.img.objects, slot)
	if !ok || y.size > 4096 {
		return nil
	}
	var all []ref
	i := sort.Search(len(holders), func(i int) bool { return holders[i].to >= y.addr })
	for ; i < len(holders) && holders[i].to < y.addr+max(y.size, 1); i++ {
		at := holders[i].at
		found := users(at, at)
		if len(found) == 0 {
			if o, ok := covering(p.img.objects, at); ok && o.size <= 4096 {
				found = users(o.addr, at)
			}
		}
		if len(found) == 0 && depth > 1 {
			found = p.throughData(holders, at, users, depth-1)
		}
		if len(found) == 0 || len(all) > 256 {
			return nil
		}
		all = append(all, found...)
	}
	return all
}

// verdict says whether an instruction of a function runs on every machine.
func (p *program) verdict(f int, h hit) (state int, why string) {
	pc := h.pc
	if f < 0 {
		return unconditional, ""
	}
	if len(p.img.byAddr) == 0 && len(p.img.resolver) > 0 {
		for _, k := range knownUnnamed {
			if k.feature == h.feature && (k.mnemonic == "" || k.mnemonic == h.entry.mnemonic) && p.img.machine == k.machine {
				return dispatched, k.why
			}
		}
	}
	if why := p.knownCode(f, h); why != "" {
		return dispatched, why
	}
	for _, n := range p.namesAt(f, pc) {
		for i, k := range known {
			if (k.feature == h.feature || k.feature == "") && isKnown[i](n) {
				return dispatched, k.why
			}
		}
	}
	looks := p.looking[f]
	bad := within(p.bads, p.funcs[f], func(pc uint64) uint64 { return pc })
	if len(looks) > 0 || len(bad) > 0 || p.isGo(f) {
		switch p.guard(f).at(pc) {
		case unknown:
			return notCode, ""
		case decided:
			if !p.everyHit(f) {
				return dispatched, "a branch after a look at what the processor can do"
			}
		}
	}
	if p.dead[f] && p.sharesGuarded(f) {
		return dispatched, "nothing refers to it, and it goes on in code whose callers look at what the processor can do first"
	}
	if p.reached[f] == guarded || p.reached[f] == unreached && p.onlyGuarded(f, map[int]bool{}) {
		return dispatched, "its callers look at what the processor can do first"
	}
	if p.onlyAsks(f, h) && !(p.surely(f) && p.always(f, pc)) {
		return dispatched, "it only asks the machine what it has"
	}
	if why := p.unused(f, pc); why != "" {
		return unused, why
	}
	if why := p.cannotTell(f, pc); why != "" {
		return untold, why
	}
	return unconditional, ""
}

// everyHit says that a function which may do without each instruction that the baseline lacks cannot do without all of
// them.
func (p *program) everyHit(f int) bool {
	yes, known := p.every[f]
	if !known {
		var pcs []uint64
		for _, h := range within(p.hits, p.funcs[f], func(h hit) uint64 { return h.pc }) {
			if !questions[p.img.arch.name][h.entry.mnemonic] && p.guard(f).at(h.pc) == decided {
				pcs = append(pcs, h.pc)
			}
		}
		yes = len(pcs) > 1 && p.guard(f).together(pcs) == open
		p.every[f] = yes
	}
	return yes
}

// onlyAsks says that an instruction beyond the baseline is itself a question to the machine. A vector's length is one
// where nothing else is done with vectors.
func (p *program) onlyAsks(f int, h hit) bool {
	q := questions[p.img.arch.name]
	return q[h.entry.mnemonic] && !slices.ContainsFunc(within(p.hits, p.funcs[f], func(h hit) uint64 { return h.pc }),
		func(other hit) bool {
			return other.feature == h.feature && !q[other.entry.mnemonic]
		})
}

// unused says why a function is none that anybody runs, where the symbols tell: nothing in the file leads to it, and
// nobody else is given it. A shared library's exported functions are there to be called. A program's are, too, where
// its libraries refer to it, which is why the linker exports them; one that exports main exports all that it has.
func (p *program) unused(f int, pc uint64) string {
	start := p.funcs[f].start
	switch {
	case !p.img.linked || !p.img.named || p.isGo(f):
		return ""
	case p.dead[f] && len(p.namesAt(f, pc)) == 0:
		return "no symbol names it and nothing leads to it: it may be data between functions"
	case p.looking[f] != nil, p.surely(f), !p.few():
		return ""
	case p.dead[f] && !p.img.exported[start]:
		return "nothing in the file leads to it, and the file does not export it"
	case p.uncalled[f] && p.exportsAll():
		return "nothing in the program leads to it, and the program exports all that it has"
	}
	return ""
}

// exportsAll says that a program was linked with -rdynamic: nothing but that exports main.
func (p *program) exportsAll() bool {
	main, ok := p.img.globals["main"]
	return ok && p.img.program && p.img.exported[main]
}

// leadingTo are the edges from other functions to one.
func (p *program) leadingTo(f int) []edge {
	if p.incoming == nil {
		p.incoming = map[int][]edge{}
		for _, e := range p.edges {
			if t := p.function(e.to); t >= 0 && t != p.function(e.pc) && (e.kind != stop || p.isStart(t, e.to)) {
				p.incoming[t] = append(p.incoming[t], e)
			}
		}
	}
	return p.incoming[f]
}

// onlyGuarded says of a function that nothing is seen to reach that all which leads to it would ask the machine first.
func (p *program) onlyGuarded(f int, trail map[int]bool) bool {
	if trail[f] {
		return true
	}
	trail[f] = true
	if len(p.leadingTo(f)) == 0 || f > 0 && p.funcs[f-1].end == p.funcs[f].start && p.fallsInto(p.funcs[f].start) {
		return false
	}
	for _, e := range p.incoming[f] {
		from := p.function(e.pc)
		if from >= 0 && p.looking[from] != nil &&
			(p.guard(from).at(e.pc) == decided || e.kind == stop && p.guard(from).chosen(e.pc)) {
			continue
		}
		if from < 0 || p.reached[from] == always || p.reached[from] == unreached && !p.onlyGuarded(from, trail) {
			return false
		}
	}
	return true
}

func (p *program) isGo(f int) bool { return p.img.isGo(p.funcs[f].start) }

// isGo says that a function is one of Go's own table.
func (img *image) isGo(start uint64) bool {
	_, ok := slices.BinarySearchFunc(img.goNames, start, func(s symbol, a uint64) int { return cmp.Compare(s.addr, a) })
	return ok
}

// isStart says that an address is a function's: a number may look like an address within one.
func (p *program) isStart(f int, addr uint64) bool {
	return p.funcs[f].start == addr || p.img.arch.name == "arm" && p.funcs[f].start == addr&^1
}

// sharesGuarded says of a function that nothing refers to that it goes on in one that only dispatch reaches: variants
// of several functions lie in one object and share their code, and a program that asks for one of them gets all.
func (p *program) sharesGuarded(f int) bool {
	for _, e := range p.edgesOf(f) {
		if t := p.function(e.to); (e.kind == jump || e.kind == cond) && t >= 0 && t != f && p.reached[t] == guarded {
			return true
		}
	}
	end := p.funcs[f].end
	return f+1 < len(p.funcs) && p.funcs[f+1].start == end && p.fallsInto(end) && p.reached[f+1] == guarded
}
