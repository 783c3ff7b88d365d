package isa

import (
	"cmp"
	"debug/elf"
	"maps"
	"slices"
	"sort"
	"strings"
)

// A program is the code of an image with what was read of it.
type program struct {
	img       *image
	set       map[string]bool
	lacking   map[*entry]string // what the baseline lacks of an entry
	code      int64
	funcs     []function // by address
	hits      []hit
	edges     []edge
	edgesAt   [][2]int32 // where in edges those of each function are
	refs      []ref
	refsAt    [][2]int32
	stubsAt   [][2]int32
	where     locator
	literals  map[uint64]int
	literalAt *addrSet // the keys of literals
	asks      []uint64 // instructions that ask the processor
	bads      []uint64 // bytes that are no instruction
	calls     *addrSet
	stubs     []stub    // where a slot that the loader fills is read
	linkage   [2]uint64 // the first and the last that is part of the linkage table
	guards    map[int]*guard
	words     map[uint64]bool
	wordSyms  []symbol
	asking    map[int]bool // functions that detect
	telling   map[int]bool // functions that answer by what was detected
	reached   []reachState
	looking   []map[uint64]bool // instructions of each function that look at what the processor can do
	ends      *addrSet          // places that the instruction before does not go on to
	dataRoots []int
	started   []int           // functions that whoever starts the program runs before it
	startup   map[int]bool    // functions that run before main
	first     int             // the function that the program begins in, -1 for none
	sure      map[int]bool    // functions that run on every machine whatever the program's branches decide
	mixes     *bool           // what mixed has found
	fewer     *bool           // what few has found
	homes     map[string]bool // crates of Rust and classes of C++ that look at what the processor can do
	itself    *bool           // a function of its own looks at what the processor can do
	every     map[int]bool    // what everyHit has found
	doomed    map[int]bool    // functions that cannot be run through without what the baseline lacks
	free      map[int]*guard  // control flow in which every branch decides
	dead      []bool          // functions that nothing refers to
	uncalled  []bool          // functions that are exported, and that nothing in the file leads to
	incoming  map[int][]edge  // by function
	comesBack map[int]bool
	spares    []*branches
	count     int                        // of instructions read
	taken     [32]struct{ edge, at int } // the edge, from 1, by which a register got its address, and when
}

// A function is a range of code with one entry, as far as the file tells.
type function struct {
	start, end uint64
}

// An edge is a way from an instruction to another function, or to its address.
type edge struct {
	pc, to uint64
	kind   flow // call, jump (or cond, next); stop stands for an address that is taken
}

// A ref is an instruction's use of data.
type ref struct {
	pc, addr uint64
	kind     refKind
	zero     bool // a store of zero
}

// A stub is an instruction that reads a slot which the loader fills: with what is imported by a name, or with an
// address in this file.
type stub struct {
	pc       uint64
	to       uint64
	linkage  bool // it is part of the linkage table
	detector bool // what the loader puts there asks the processor
	word     bool // what the loader puts there holds what was asked
	thread   bool // what the loader puts there finds a thread's variables
}

func newProgram(img *image, set map[string]bool) *program {
	lo, hi, used := img.span((*section).exec)
	return &program{img: img, set: set, lacking: map[*entry]string{}, literals: map[uint64]int{}, literalAt: newAddrSet(lo,
		hi, used), calls: newAddrSet(lo, hi, used), guards: map[int]*guard{}, words: map[uint64]bool{},
		asking: map[int]bool{}, telling: map[int]bool{}, ends: newAddrSet(lo, hi, used), comesBack: map[int]bool{},
		startup: map[int]bool{}, first: -1, doomed: map[int]bool{}, every: map[int]bool{}, free: map[int]*guard{}}
}

func (p *program) lacks(e *entry) string {
	f, ok := p.lacking[e]
	if !ok {
		f = e.need.lacks(p.set)
		p.lacking[e] = f
	}
	return f
}

// starts are the beginnings of functions in code.
func (p *program) starts() []uint64 {
	img := p.img
	all := slices.Concat(img.starts, img.inits)
	for _, y := range img.byAddr {
		all = append(all, y.addr)
		if y.size > 0 {
			end := (y.addr + y.size + img.arch.align - 1) &^ (img.arch.align - 1)
			if _, ok := covering(img.byAddr, end); !ok {
				all = append(all, end)
			}
		}
	}
	for a := range img.resolver {
		all = append(all, a)
	}
	entry := img.entry
	if img.machine == elf.EM_ARM {
		entry &^= 1
	}
	if img.linked {
		all = append(all, entry)
	}
	for i := range img.sections {
		if img.sections[i].exec() {
			all = append(all, img.sections[i].addr)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// modeAt is the kind of code at an address and where it ends: at the next mark.
func (p *program) modeAt(addr uint64) (mode byte, until uint64) {
	marks := p.img.marks
	i := sort.Search(len(marks), func(i int) bool { return marks[i].addr > addr })
	until = ^uint64(0)
	if i < len(marks) {
		until = marks[i].addr
	}
	// A mapping symbol within the same section counts; a section without any is of the architecture's own kind.
	if s := p.img.section(addr); i > 0 && s != nil && marks[i-1].addr >= s.addr {
		return marks[i-1].mode, until
	}
	return 'a', until
}

// read decodes all code once, in order, and notes what the later passes ask for.
func (p *program) read() {
	starts := p.starts()
	for i := range p.img.sections {
		s := &p.img.sections[i]
		if !s.exec() || len(s.data) == 0 {
			continue
		}
		lo, _ := slices.BinarySearch(starts, s.addr)
		for lo < len(starts) && starts[lo]-s.addr < uint64(len(s.data)) {
			start := starts[lo]
			end := s.addr + uint64(len(s.data))
			if lo+1 < len(starts) && starts[lo+1] < end {
				end = starts[lo+1]
			}
			p.funcs = append(p.funcs, function{start: start, end: end})
			lo++
			ended, calls := p.ends.has(start), false // what fills a gap goes on as what comes before it
			slot := false
			over := uint64(0) // where the last instruction jumped to, over what fills a gap
			p.walk(start, end, func(m *machine, pc uint64, in *inst) bool {
				p.note(pc, in)
				if after := pc + uint64(in.length); in.nop && after == over && p.img.linked {
					p.calls.add(over) // compilers go on to the next block, and only to the next function they jump
				} else if !in.nop {
					over = 0
				}
				if in.flow == jump && !in.delayed {
					over = in.target
				}
				if !slot { // what runs before a jump is done changes nothing
					calls = in.flow == call || in.nop && calls
					ended = in.flow.ends() || in.nop && ended
				}
				slot = in.delayed
				return true
			})
			if ended || calls { // what calls at its very end calls what does not return
				p.ends.add(end)
			}
			p.code += int64(end - start)
		}
	}
	p.where = newLocator(p.funcs)
}

// walk decodes a range of code that lies in one section and calls f for each instruction until it says no. Data between
// code is passed over.
func (p *program) walk(start, end uint64, f func(m *machine, pc uint64, in *inst) bool) {
	s := p.img.section(start)
	if s == nil {
		return
	}
	end = min(end, s.addr+uint64(len(s.data))) // sections of a hostile file lie on each other
	m := &machine{img: p.img}
	m.reset(start)
	m.goCode = p.img.isGo(start)
	sites := p.img.sites
	si := sort.Search(len(sites), func(i int) bool { return sites[i].addr >= start })
	mode, until := p.modeAt(start)
	m.mode = mode
	tables := p.img.machine == elf.EM_ARM || p.img.machine == elf.EM_PPC64
	var in inst
	follows := p.img.arch.name != "x86" // there registers are only followed for their table, which all of a function has
	ended, slot := false, false
	for pc := start; pc < end; {
		if ended && follows {
			m.resume(pc)
		}
		if pc >= until {
			mode, until = p.modeAt(pc)
			m.mode = mode
			m.known = 0
		}
		if mode == 'd' {
			pc = min(until, end)
			continue
		}
		if tables {
			if p.literalAt.has(pc) {
				if n := p.literals[pc]; n > 0 {
					pc += uint64(n)
					continue
				}
			}
		}
		code := s.data[pc-s.addr:]
		if code[0] == 0 && p.img.format != elfFormat && end-pc < 64 && allZero(code[:end-pc]) {
			// what fills a gap: on x86 it would go on to the next function
			in = inst{length: int(end - pc), nop: true}
			if !f(m, pc, &in) {
				return
			}
			break
		}
		p.img.arch.decode(m, pc, code[:min(len(code), 16)], &in)
		if in.length <= 0 {
			in.length = 1
		}
		if !p.img.linked {
			for si < len(sites) && sites[si].addr < pc {
				si++
			}
			if si < len(sites) && sites[si].addr < pc+uint64(in.length) {
				m.known = 0
				p.relocated(&in, sites[si])
			}
		}
		if !f(m, pc, &in) {
			return
		}
		if follows && in.flow == cond && in.target > pc && in.target < end && m.known != 0 {
			if m.left == nil {
				m.left = p.branches()
				defer p.spare(m.left)
			}
			m.leave(in.target)
		}
		ended = in.flow.ends() && !in.delayed || slot
		slot = in.flow.ends() && in.delayed
		pc += uint64(in.length)
	}
}

// branches are kept for the next function: there is one set for each that is read while another one is.
func (p *program) branches() *branches {
	n := len(p.spares) - 1
	if n < 0 {
		return &branches{}
	}
	b := p.spares[n]
	p.spares = p.spares[:n]
	return b
}

func (p *program) spare(b *branches) {
	for i := range b.at {
		b.at[i].to = 0
	}
	p.spares = append(p.spares, b)
}

func allZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// relocated puts what a relocation says in the place of what the unfinished bytes say.
func (p *program) relocated(in *inst, s site) {
	in.ref, in.kind = 0, noRef
	switch in.flow {
	case call, jump, cond:
		in.target = s.target
		if s.target == 0 && s.name != "" && isDetector(s.name) {
			in.detects = true
		}
	default:
		if s.target == 0 {
			if s.name != "" && isWordName(s.name) {
				in.detects = true
			}
			return
		}
		in.ref, in.kind = s.target, load
		if t := p.img.section(s.target); t != nil && t.exec() {
			in.kind = address
		}
	}
}

func (p *program) note(pc uint64, in *inst) {
	if in.entry != nil {
		if f := p.lacks(in.entry); f != "" {
			p.hits = append(p.hits, hit{pc, in.entry, in.length, f})
		}
	}
	if in.bad {
		p.bads = append(p.bads, pc)
	}
	if in.detects {
		p.asks = append(p.asks, pc)
	}
	if in.target != 0 && (in.flow == call || in.flow == jump || in.flow == cond) {
		f := &p.funcs[len(p.funcs)-1]
		if in.flow == call {
			p.edges = append(p.edges, edge{pc, in.target, call})
			p.calls.add(in.target)
		} else if in.target < f.start || in.target >= f.end {
			p.edges = append(p.edges, edge{pc, in.target, in.flow})
		}
	}
	p.count++
	for _, r := range in.compared {
		if t := &p.taken[r&31]; t.edge > 0 && p.count-t.at <= 6 { // a pointer to a function is asked what it is, not called
			p.edges[t.edge-1].to = 0
			t.edge = 0
		}
	}
	if in.wrote != 0 {
		p.use(pc, in.wrote, address, false)
	}
	switch in.kind {
	case literal:
		p.literals[in.ref] = in.refSize
		p.literalAt.add(in.ref)
	case address, load, store:
		n := len(p.edges)
		p.use(pc, in.ref, in.kind, in.zero)
		if in.lea && len(p.edges) == n+1 {
			p.taken[in.into&31].edge, p.taken[in.into&31].at = n+1, p.count
		}
	}
}

// returns says that a function can come back: it has a return, or goes on to another function that has.
func (p *program) returns(f int, depth int) bool {
	if r, ok := p.comesBack[f]; ok {
		return r
	}
	fn := p.funcs[f]
	back, ended := depth > 8, false
	p.walk(fn.start, fn.end, func(m *machine, pc uint64, in *inst) bool {
		ended = in.flow.ends()
		switch in.flow {
		case stop, indirect, maybe:
			back = true
		case jump, cond:
			if in.target != 0 && (in.target < fn.start || in.target >= fn.end) {
				if t := p.function(in.target); t < 0 || p.returns(t, depth+1) {
					back = true
				}
			}
		}
		return !back
	})
	back = back || !ended
	if depth == 0 || back {
		p.comesBack[f] = back
	}
	return back
}

// use notes a use of an address: of code, of data, or of a slot that holds one.
func (p *program) use(pc, addr uint64, kind refKind, zero bool) {
	s := p.img.section(addr)
	if s == nil {
		return
	}
	if s.exec() {
		if kind == address {
			p.edges = append(p.edges, edge{pc, addr, stop})
		}
		return
	}
	// of PowerPC the slots lie there, and the code lies between the program's
	linkage := p.img.inPLT(pc) || kind == load && s.name == ".plt"
	if name, ok := p.img.imports[addr]; ok {
		p.stubs = append(p.stubs, stub{pc: pc, linkage: linkage, detector: isDetector(name), word: isWordName(name),
			thread: name == "__tls_get_addr" || name == "___tls_get_addr" || name == "__tls_get_offset" ||
				name == "__aeabi_read_tp"})
		if linkerTable(s.name) {
			return
		}
	}
	if !linkage && kind != load {
		p.refs = append(p.refs, ref{pc, addr, kind, zero})
		return
	}
	v, ok := p.img.pointers[addr]
	if ok && linkage {
		p.stubs = append(p.stubs, stub{pc: pc, to: v, linkage: true})
		return
	}
	p.refs = append(p.refs, ref{pc, addr, kind, zero})
	if !ok || kind != load {
		return
	}
	if t := p.img.section(v); t != nil && t.exec() {
		p.edges = append(p.edges, edge{pc, v, stop})
	} else if t != nil {
		p.refs = append(p.refs, ref{pc, v, load, false})
	}
}

// split cuts functions where calls go into what nothing named, and sorts what was noted.
func (p *program) split() {
	var cuts []uint64
	for _, slot := range slices.Sorted(maps.Keys(p.img.pointers)) { // what the loader runs
		if s := p.img.section(slot); s != nil && (s.typ == elf.SHT_INIT_ARRAY || s.typ == elf.SHT_FINI_ARRAY ||
			s.typ == elf.SHT_PREINIT_ARRAY) && p.img.holds(p.img.pointers[slot]) {
			p.calls.add(p.img.pointers[slot])
		}
	}
	if first := p.function(p.img.entry); p.img.linked && first >= 0 && p.img.machine != elf.EM_ARM {
		// whose constants lie in between
		for _, e := range p.edges {
			// main, and the linkage that the C library is called by, which on ppc64le lies right behind
			if (e.kind == stop || e.kind == jump) && p.function(e.pc) == first {
				p.calls.add(e.to)
			}
		}
	}
	foreign := p.foreign()
	p.calls.each(func(to uint64) {
		f := p.function(to)
		if f < 0 || p.funcs[f].start == to || to%p.img.arch.align != 0 || foreign[to] {
			return
		}
		if y, ok := covering(p.img.byAddr, to); ok && y.size > 0 {
			return
		}
		if y, ok := p.img.labelAt(to); ok && y.addr == to && y.addr > p.funcs[f].start {
			return // only its own function calls it
		}
		cuts = append(cuts, to)
	})
	for to := range foreign {
		f := p.function(to)
		if f < 0 || p.funcs[f].start == to {
			continue
		}
		if y, ok := covering(p.img.byAddr, to); !ok || y.size == 0 || p.img.inner[to] {
			cuts = append(cuts, to)
		}
	}
	var more []function
	for _, c := range cuts {
		more = append(more, function{start: c, end: p.funcs[p.function(c)].end})
	}
	slices.Sort(cuts)
	var crossing []edge          // jumps within what was one function, and is not now
	for i := 0; i < len(cuts); { // what the instruction before each cut does
		f := p.funcs[p.function(cuts[i])]
		ended, slot := false, false
		p.walk(f.start, f.end, func(m *machine, pc uint64, in *inst) bool {
			if !slot {
				ended = in.flow.ends() || in.nop && ended
			}
			slot = in.delayed
			for i < len(cuts) && cuts[i] < pc+uint64(in.length) {
				i++
			}
			if i < len(cuts) && cuts[i] == pc+uint64(in.length) && ended {
				p.ends.add(cuts[i])
			}
			if in.target >= f.start && in.target < f.end && (in.flow == jump || in.flow == cond) {
				if next, _ := slices.BinarySearch(cuts, min(pc, in.target)+1); next < len(cuts) &&
					cuts[next] <= max(pc, in.target) {
					crossing = append(crossing, edge{pc, in.target, in.flow})
				}
			}
			return true
		})
		for i < len(cuts) && cuts[i] < f.end {
			i++
		}
	}
	p.funcs = append(p.funcs, more...)
	slices.SortStableFunc(p.funcs, func(a, b function) int { return cmp.Compare(a.start, b.start) })
	for i := range p.funcs {
		if i+1 < len(p.funcs) && p.funcs[i+1].start < p.funcs[i].end {
			p.funcs[i].end = p.funcs[i+1].start
		}
	}
	p.where = newLocator(p.funcs)
	p.edges = merged(p.edges, crossing)
	if byPC := func(a, b ref) int { return cmp.Compare(a.pc, b.pc) }; !slices.IsSortedFunc(p.refs, byPC) {
		slices.SortStableFunc(p.refs, byPC)
	}
	slices.SortFunc(p.stubs, func(a, b stub) int { return cmp.Compare(a.pc, b.pc) })
	p.linkage = [2]uint64{^uint64(0), 0}
	for _, s := range p.stubs {
		if s.linkage {
			p.linkage = [2]uint64{min(p.linkage[0], s.pc), max(p.linkage[1], s.pc)}
		}
	}
	for i := range p.edges {
		// a shared library calls its own functions by the linkage table, where another file may take their place
		if s, ok := p.entryOf(p.edges[i].to); ok && s.to != 0 {
			p.edges[i].to = s.to
		}
	}
	slices.Sort(p.bads)
	slices.Sort(p.asks)
	p.edgesAt = ranges(p.edges, p.funcs, func(e *edge) uint64 { return e.pc })
	p.refsAt = ranges(p.refs, p.funcs, func(r *ref) uint64 { return r.pc })
	p.stubsAt = ranges(p.stubs, p.funcs, func(s *stub) uint64 { return s.pc })
}

// function is the index of the one that an address lies in, -1 for none.
func (p *program) function(addr uint64) int {
	if len(p.funcs) == 0 || addr < p.funcs[0].start {
		return -1
	}
	var i int
	if at := p.where.before; len(at) > 0 {
		for i = int(at[min((addr-p.where.lo)/64, uint64(len(at)-1))]); i < len(p.funcs) && p.funcs[i].start <= addr; i++ {
		}
	} else {
		i = sort.Search(len(p.funcs), func(i int) bool { return p.funcs[i].start > addr })
	}
	i--
	if i >= 0 && addr < p.funcs[i].end {
		return i
	}
	return -1
}

func (p *program) inLiteral(pc uint64) bool {
	for back := uint64(0); back < 16; back++ {
		if n, ok := p.literals[pc-back]; ok && back < uint64(n) {
			return true
		}
	}
	return false
}

// within is the part of a sorted list whose pc lies in a function.
func within[T any](list []T, f function, pc func(T) uint64) []T {
	lo := sort.Search(len(list), func(i int) bool { return pc(list[i]) >= f.start })
	hi := sort.Search(len(list), func(i int) bool { return pc(list[i]) >= f.end })
	return list[lo:hi]
}

func (p *program) edgesOf(f int) []edge { return p.edges[p.edgesAt[f][0]:p.edgesAt[f][1]] }
func (p *program) refsOf(f int) []ref   { return p.refs[p.refsAt[f][0]:p.refsAt[f][1]] }
func (p *program) stubsOf(f int) []stub { return p.stubs[p.stubsAt[f][0]:p.stubsAt[f][1]] }

// merged are edges and more of them by where they are; those at one place keep their order.
func merged(edges, more []edge) []edge {
	byPC := func(a, b edge) int { return cmp.Compare(a.pc, b.pc) }
	for _, list := range [][]edge{edges, more} {
		if !slices.IsSortedFunc(list, byPC) {
			slices.SortStableFunc(list, byPC)
		}
	}
	if len(more) == 0 {
		return edges
	}
	all := make([]edge, 0, len(edges)+len(more))
	for _, e := range more {
		n := 0
		for n < len(edges) && edges[n].pc <= e.pc {
			n++
		}
		all = append(append(all, edges[:n]...), e)
		edges = edges[n:]
	}
	return append(all, edges...)
}

// ranges are those parts of a sorted list whose pcs lie in each function.
func ranges[T any](list []T, funcs []function, pc func(*T) uint64) [][2]int32 {
	at := make([][2]int32, len(funcs))
	n := 0
	for i, f := range funcs {
		for n < len(list) && pc(&list[n]) < f.start {
			n++
		}
		at[i][0] = int32(n)
		for n < len(list) && pc(&list[n]) < f.end {
			n++
		}
		at[i][1] = int32(n)
	}
	return at
}
func (p *program) asksOf(f int) []uint64 {
	return within(p.asks, p.funcs[f], func(pc uint64) uint64 { return pc })
}

// asksAt says that an address is the linkage table's of a function that asks the processor.
func (p *program) asksAt(addr uint64) bool {
	s, ok := p.entryOf(addr)
	return ok && s.detector
}

// threadAt says that an address is the linkage table's of the function that finds a thread's variables.
func (p *program) threadAt(addr uint64) bool {
	if s, ok := p.entryOf(addr); ok {
		return s.thread
	}
	f := p.function(addr)
	if f >= 0 && p.img.machine == elf.EM_ARM && slices.Contains(p.names(f), "__aeabi_read_tp") {
		return true
	}
	return f >= 0 && p.funcs[f].end-p.funcs[f].start <= 32 &&
		slices.ContainsFunc(p.stubsOf(f), func(s stub) bool { return s.thread })
}

// entryOf is what an entry of the linkage table reads, which is the first that is read at its address or behind.
func (p *program) entryOf(addr uint64) (stub, bool) {
	if addr > p.linkage[1] || addr+32 <= p.linkage[0] {
		return stub{}, false
	}
	i := sort.Search(len(p.stubs), func(i int) bool { return p.stubs[i].pc >= addr })
	if i == len(p.stubs) || !p.stubs[i].linkage {
		return stub{}, false
	}
	reach := uint64(12)
	if p.img.inPLT(addr) {
		reach = 32
	}
	return p.stubs[i], p.stubs[i].pc < addr+reach
}

func (img *image) inPLT(pc uint64) bool {
	s := img.section(pc)
	return s != nil && strings.HasPrefix(s.name, ".plt")
}

// names are all names of a function.
func (p *program) names(f int) []string {
	start := p.funcs[f].start
	var all []string
	for _, list := range [][]symbol{p.img.goNames, p.img.byAddr} {
		i, _ := slices.BinarySearchFunc(list, start, func(s symbol, a uint64) int { return cmp.Compare(s.addr, a) })
		for ; i < len(list) && list[i].addr == start; i++ {
			all = append(all, list[i].name)
		}
	}
	return all
}

// namesAt are all names of a function, and that of the symbol which an instruction of it lies behind: hand-written code
// calls places in the middle of what has a name, and often gives no sizes.
func (p *program) namesAt(f int, pc uint64) []string {
	all := p.names(f)
	if y, ok := p.symbolAt(pc); ok && !slices.Contains(all, y.name) {
		all = append(all, y.name)
	}
	return all
}

// symbolAt is the function's symbol that an address lies in, or behind where it has no size.
func (p *program) symbolAt(pc uint64) (symbol, bool) {
	if y, ok := covering(p.img.byAddr, pc); ok {
		return y, true
	}
	var last symbol
	if i := sort.Search(len(p.img.byAddr), func(i int) bool { return p.img.byAddr[i].addr > pc }) - 1; i >= 0 {
		last = p.img.byAddr[i]
	}
	if y, ok := p.img.labelAt(pc); ok && y.addr >= last.addr {
		if f := p.function(pc); y.name != "" && (f < 0 || p.funcs[f].start != last.addr || last.name == "") {
			// else it is a place in that function
			last = y
		} else if last.file == "" {
			last.file = y.file
		}
	}
	return last, last.name != "" && last.size == 0 && p.img.section(last.addr) == p.img.section(pc)
}
