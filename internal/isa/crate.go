package isa

import (
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/lazyregexp"
)

// Rust's way to keep an answer is a value of an enum: what makes one asks the machine, and who has one matches it, a
// comparison with a number in memory like any other (crc32fast's Hasher). That the number stands for the answer is not
// seen; that the crate asks is.

// crateRoot is a crate's root in a name of Rust's v0 mangling (RFC 2603, "Path: Crate root"), with its disambiguator.
var crateRoot = lazyregexp.New(`Cs[0-9A-Za-z]*_([0-9]+)_?`)

// legacyName is a name of Rust's older mangling, which ends in a hash.
var legacyName = lazyregexp.New(`^_ZN([0-9]+)(\S+)17h[0-9a-f]{16}E`)

// crateOf is the crate that a function was written in, by its mangled name; "" where that is none of Rust's. Of an
// implementation it is that of the type.
func crateOf(name string) string {
	if strings.HasPrefix(name, "_R") {
		m := crateRoot.FindStringSubmatchIndex(name)
		if m == nil {
			return ""
		}
		n, err := strconv.Atoi(name[m[2]:m[3]])
		if err != nil || n > len(name)-m[1] {
			return ""
		}
		return name[m[0] : m[1]+n]
	}
	m := legacyName.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > len(m[2]) {
		return ""
	}
	first := m[2][:n]
	if inside, ok := strings.CutPrefix(first, "_$LT$"); ok {
		first, _, _ = strings.Cut(inside, "..")
		first = strings.TrimLeft(strings.NewReplacer("$RF$", "", "mut$u20$", "").Replace(first), "_")
	}
	return first
}

// crateAsks says that functions of a crate look at what the processor can do.
func (p *program) crateAsks(crate string) bool {
	if p.crates == nil {
		p.crates = map[string]bool{}
		for f, looks := range p.looking {
			for _, name := range p.names(f) {
				if c := crateOf(name); c != "" && len(looks) > 0 {
					p.crates[c] = true
				}
			}
		}
	}
	return crate != "" && p.crates[crate]
}

// matched says that all ways to a function come by a branch in a function whose crate looks at what the processor can
// do elsewhere, and that the branch may leave it out.
func (p *program) matched(f int, trail map[int]bool) bool {
	if trail[f] {
		return true
	}
	trail[f] = true
	in := p.leadingTo(f)
	start := p.funcs[f].start
	fallenInto := f > 0 && p.funcs[f-1].end == start && p.fallsInto(start)
	if len(in) == 0 || len(trail) > 16 || fallenInto || p.surely(f) || p.img.exported[start] || slices.Contains(p.dataRoots, f) {
		return false
	}
	for _, e := range in {
		from := p.function(e.pc)
		if from < 0 || e.kind == stop {
			return false
		}
		asks := slices.ContainsFunc(p.namesAt(from, e.pc), func(name string) bool { return p.crateAsks(crateOf(name)) })
		if asks && !p.always(from, e.pc) {
			continue
		}
		if !p.matched(from, trail) {
			return false
		}
	}
	return true
}
