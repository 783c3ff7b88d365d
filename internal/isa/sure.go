package isa

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// cannotTell says why it is not known whether the program asks the machine before it comes to an instruction of a
// function, or nothing where it is known that it does not.
func (p *program) cannotTell(f int, pc uint64) string {
	if p.img.linked && !p.img.named && !p.isGo(f) {
		if p.surely(f) && p.inevitable(f) {
			return ""
		}
		return "the file was stripped of its symbols, and a branch or a pointer that may be a dispatch leads there"
	}
	if !p.img.linked && p.mixed() {
		return "it lies in an archive or object part of which is for newer machines, and which asks the machine; who calls it is seen where a program is linked"
	}
	if p.surely(f) {
		return ""
	}
	if p.uncalled[f] && p.few() && p.asksItself() {
		return "the library exports it and calls it nowhere, and asks the machine elsewhere; " +
			"whether those who call it do is not seen"
	}
	if p.matched(f, map[int]bool{}) {
		return "a branch in a crate of Rust or a class of C++ decides whether it runs, which looks at what the processor can do; " +
			"that the branch goes by the answer is not seen"
	}
	if p.takenByLookers(f) {
		return "a function that looks at what the processor can do takes its address; how it chooses could not be followed"
	}
	for _, n := range p.namesAt(f, pc) {
		if part := variantOf(p.img.arch.name, n); part != "" {
			return "the " + part + " in its name says that it was written for machines which have that; what chooses it is not seen"
		}
	}
	if p.ofVariants(f, map[int]bool{}) {
		return "only functions whose names say that they were written for other machines lead to it; what chooses those is not seen"
	}
	return ""
}

// mixed says of what is not linked that functions in it look at what the processor can do, and that few of all use what
// the baseline lacks: a library with code for several machines. One that was compiled for a newer machine as a whole is
// none.
func (p *program) mixed() bool {
	if p.mixes == nil {
		looks := slices.ContainsFunc(p.looking, func(l map[uint64]bool) bool { return len(l) > 0 })
		yes := looks && 4*p.beyond() <= len(p.funcs)
		p.mixes = &yes
	}
	return *p.mixes
}

// asksItself says that a function looks at what the processor can do which no compiler's own library has brought.
func (p *program) asksItself() bool {
	if p.itself == nil {
		yes := false
		for f, looks := range p.looking {
			yes = yes || len(looks) > 0 && !slices.ContainsFunc(p.names(f), func(name string) bool {
				return slices.ContainsFunc(brought, func(part string) bool { return strings.Contains(name, part) })
			})
		}
		p.itself = &yes
	}
	return *p.itself
}

// brought are parts of names of functions that ask the machine and that come into a file unasked: of libgcc and
// compiler-rt (lse.S, cpuinfo), Rust's standard library and its crate memchr, libstdc++.
var brought = []string{
	"init_have_lse_atomics", "__aarch64_", "__cpu_indicator_init", "__init_cpu_features",
	"std_detect", "random_device", "memchr",
}

// beyond is how many functions use what the baseline lacks.
func (p *program) beyond() int {
	n := 0
	for f := range p.funcs {
		if p.hasHits(f) {
			n++
		}
	}
	return n
}

// few says that at most a quarter of the functions use what the baseline lacks; what fills gaps between them is none.
func (p *program) few() bool {
	if p.fewer == nil {
		all := 0
		for f := range p.funcs {
			if len(p.names(f)) > 0 {
				all++
			}
		}
		yes := 4*p.beyond() <= all
		p.fewer = &yes
	}
	return *p.fewer
}

// takenByLookers says that nothing leads to a function but that functions which look at what the processor can do take
// its address.
func (p *program) takenByLookers(f int) bool {
	in := p.leadingTo(f)
	return len(in) > 0 && !slices.ContainsFunc(in, func(e edge) bool {
		from := p.function(e.pc)
		return e.kind != stop || from < 0 || p.looking[from] == nil
	})
}

// ofVariants says that all which leads to a function are functions with such names, or others to which only those lead.
func (p *program) ofVariants(f int, trail map[int]bool) bool {
	if trail[f] {
		return true
	}
	trail[f] = true
	in := p.leadingTo(f)
	for _, e := range in {
		from := p.function(e.pc)
		if from < 0 || p.sure[from] {
			return false
		}
		named := slices.ContainsFunc(p.namesAt(from, e.pc), func(n string) bool {
			return variantOf(p.img.arch.name, n) != ""
		})
		if !named && (len(trail) > 16 || !p.ofVariants(from, trail)) {
			return false
		}
	}
	return len(in) > 0 && !(f > 0 && p.funcs[f-1].end == p.funcs[f].start && p.fallsInto(p.funcs[f].start))
}

// knownCode says of code that every program may hold, and that nothing names, why it only runs where a machine has what
// it uses.
func (p *program) knownCode(f int, h hit) string {
	if p.img.named || p.isGo(f) {
		return ""
	}
	switch p.img.machine {
	case elf.EM_AARCH64: // LDRB W16, [X16, #…]; CBZ W16, …
		if b := p.img.code(h.pc-8, 8); len(b) == 8 && binary.LittleEndian.Uint32(b)&0xffc003ff == 0x39400210 &&
			binary.LittleEndian.Uint32(b[4:])&0xff00001f == 0x34000010 {
			return "libgcc's atomic operations look at __aarch64_have_lse_atomics first (config/aarch64/lse.S)"
		}
	case elf.EM_ARM: // one instruction that loads or stores registers at R0, and BX LR
		b := p.img.code(h.pc, 8)
		if len(b) < 6 {
			return ""
		}
		w, ends := binary.LittleEndian.Uint32(b), len(b) == 8 && binary.LittleEndian.Uint32(b[4:]) == 0xe12fff1e
		if mode, _ := p.modeAt(h.pc); mode == 't' {
			w, ends = w<<16|w>>16, binary.LittleEndian.Uint16(b[4:]) == 0x4770
		}
		if ends && slices.Contains(unwindVFP, w) {
			return "libgcc restores floating-point registers only for a frame that saved them (config/arm/libunwind.S)"
		}
	}
	return ""
}

// unwindVFP are FLDMIAX, FSTMIAX, VLDMIA and VSTMIA of D0 to D15, and the last two of D16 to D31.
var unwindVFP = []uint32{0xec900b21, 0xec800b21, 0xec900b20, 0xec800b20, 0xecd00b20, 0xecc00b20}

// surely says that a function runs on every machine whatever the branches decide: the one that the program begins in,
// those that the loader runs, and what they call on their straight way.
func (p *program) surely(f int) bool {
	if p.sure != nil {
		return p.sure[f]
	}
	p.sure = map[int]bool{}
	var work []int
	enter := func(f int) {
		if f >= 0 && !p.sure[f] && !p.isGo(f) {
			p.sure[f] = true
			work = append(work, f)
		}
	}
	enter(p.first)
	for f := range p.startup {
		enter(f)
	}
	for _, f := range p.started {
		enter(f)
	}
	for len(work) > 0 {
		f := work[len(work)-1]
		work = work[:len(work)-1]
		for _, e := range p.edgesOf(f) {
			t := p.function(e.to)
			if t < 0 || t == f || p.sure[t] {
				continue
			}
			// What the first function takes the address of is main, and what runs at the end.
			if (e.kind == call || e.kind == jump) && p.always(f, e.pc) || e.kind == stop && f == p.first && p.isStart(t, e.to) {
				enter(t)
			}
		}
	}
	return p.sure[f]
}

// always says that every way through a function comes by an instruction, and that it is not left out by a condition of
// its own.
func (p *program) always(f int, pc uint64) bool {
	if p.free[f] == nil {
		p.free[f] = p.flow(f, true)
	}
	return p.free[f].always(pc) && !p.conditional(f, pc)
}

// inevitable says that every way through a function comes by one instruction or another that the baseline does not
// have.
func (p *program) inevitable(f int) bool {
	if p.free[f] == nil {
		p.free[f] = p.flow(f, true)
	}
	yes, known := p.doomed[f]
	if !known {
		var pcs []uint64
		for _, h := range within(p.hits, p.funcs[f], func(h hit) uint64 { return h.pc }) {
			if !p.conditional(f, h.pc) {
				pcs = append(pcs, h.pc)
			}
		}
		yes = p.free[f].always(pcs...)
		p.doomed[f] = yes
	}
	return yes
}

// always says that every way through comes by one of some instructions.
func (g *guard) always(pcs ...uint64) bool {
	attracted := make([]bool, len(g.pcs))
	half := map[int32]int32{} // branches one way of which leads there, and which
	var work []int32
	for _, pc := range pcs {
		if i, ok := slices.BinarySearch(g.pcs, pc); ok && g.seen[i] {
			work = append(work, int32(i))
			attracted[i] = true
		}
	}
	if len(work) == 0 {
		return false
	}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range g.preds(n) {
			if attracted[p] {
				continue
			}
			if g.decides[p] && g.succ[p][0] != g.succ[p][1] {
				if was, ok := half[p]; !ok || was == n {
					half[p] = n
					continue
				}
			}
			attracted[p] = true
			work = append(work, p)
		}
	}
	return attracted[0] || !g.goesOn(attracted)
}

// conditional says that an instruction has a condition of its own, as those of Arm may.
func (p *program) conditional(f int, pc uint64) bool {
	if p.img.machine != elf.EM_ARM {
		return false
	}
	if mode, _ := p.modeAt(pc); mode != 't' {
		b := p.img.code(pc, 4)
		return len(b) == 4 && binary.LittleEndian.Uint32(b)>>28 < 14
	}
	g := p.free[f]
	i, _ := slices.BinarySearch(g.pcs, pc)
	return slices.Contains(g.selects[max(0, i-4):i], true) // IT holds for up to four
}

// variantOf is the part of a function's name that says which machine it was written for, "" for none.
func variantOf(arch, name string) string {
	lower := strings.ToLower(name)
	mangled := strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R")
	for _, v := range variants[arch] {
		for at := 0; ; {
			i := strings.Index(lower[at:], v)
			if i < 0 {
				break
			}
			at += i
			before, after := byte('_'), byte('_')
			if at > 0 {
				before = name[at-1]
			}
			if end := at + len(v); end < len(name) {
				after = name[end]
			}
			begins := !isLetter(before) && !isDigit(before) || isLower(before) && !isLower(name[at]) ||
				mangled && isDigit(before) && strings.HasSuffix(name[:at], strconv.Itoa(len(v)))
			ends := !isLetter(after) && (!isDigit(after) || mangled) ||
				(isLower(name[at]) || isLower(name[at+len(v)-1])) != isLower(after) && isLetter(after) ||
				isDigit(name[at+len(v)-1]) && isLetter(after) && !isLower(after)
			if begins && ends {
				return v
			}
			at++
		}
	}
	return ""
}

func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool { return isLower(c) || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
