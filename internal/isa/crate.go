package isa

import (
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/lazyregexp"
)

// Rust's way to keep an answer is a value of an enum: what makes one asks the machine, and who has one matches it, a
// comparison with a number in memory like any other (crc32fast's Hasher). That of C++ is a member of the object (AES_NI
// of UnRAR's Rijndael). That the number stands for the answer is not seen; that the crate or the class asks is.

// crateRoot is a crate's root in a name of Rust's v0 mangling (RFC 2603, "Path: Crate root"), with its disambiguator.
var crateRoot = lazyregexp.New(`Cs[0-9A-Za-z]*_([0-9]+)_?`)

// legacyName is a name of Rust's older mangling, which ends in a hash.
var legacyName = lazyregexp.New(`^_ZN([0-9]+)(\S+)17h[0-9a-f]{16}E`)

// nestedName is a name of C++ with a scope (Itanium C++ ABI, 5.1.5, "Scope Encoding"); its parts follow.
var nestedName = lazyregexp.New(`^_ZN[rVK]*[RO]?([0-9].*)`)

// homeOf is where functions stand that share what they keep: the crate of a function of Rust, else the class or
// namespace of one of C++. It is "" where the name does not tell.
func homeOf(name string) string {
	if crate := crateOf(name); crate != "" || legacyName.MatchString(name) {
		return crate
	}
	m := nestedName.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	scope, rest := "", m[1]
	for {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > len(rest)-digits { // an operator or a constructor
			break
		}
		part := rest[:digits+n]
		rest = rest[digits+n:]
		if strings.HasPrefix(rest, "E") { // the function's own name
			break
		}
		scope += part
	}
	// Every file has an unnamed namespace; where arguments of a template begin, the scope may go on behind them.
	if scope == "" || strings.Contains(scope, "_GLOBAL__N_") || strings.HasPrefix(rest, "I") {
		return ""
	}
	return "_ZN" + scope
}

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

// homeAsks says that functions of a crate or a class look at what the processor can do. Where all those were inlined
// elsewhere, it is seen by what they go on to: a function that looks calls one of the crate that uses what the baseline
// lacks, and may leave it out.
func (p *program) homeAsks(home string) bool {
	if p.homes == nil {
		p.homes = map[string]bool{}
		for f, looks := range p.looking {
			if len(looks) == 0 {
				continue
			}
			asking := []int{f}
			for _, e := range p.edgesOf(f) {
				t := p.function(e.to)
				if t >= 0 && t != f && e.kind != stop && p.hasHits(t) && (e.kind == cond || !p.always(f, e.pc)) {
					asking = append(asking, t)
				}
			}
			for _, g := range asking {
				for _, name := range p.names(g) {
					if h := homeOf(name); h != "" {
						p.homes[h] = true
					}
				}
			}
		}
	}
	return home != "" && p.homes[home]
}

// matched says that all ways to a function come by a branch in a function whose crate or class looks at what the
// processor can do elsewhere, and that the branch may leave it out.
func (p *program) matched(f int, trail map[int]bool) bool {
	if trail[f] {
		return true
	}
	trail[f] = true
	in := p.leadingTo(f)
	start := p.funcs[f].start
	fallenInto := f > 0 && p.funcs[f-1].end == start && p.fallsInto(start)
	if len(in) == 0 || len(trail) > 16 || fallenInto || p.surely(f) || p.img.exported[start] ||
		slices.Contains(p.dataRoots, f) {
		return false
	}
	for _, e := range in {
		from := p.function(e.pc)
		if from < 0 || e.kind == stop {
			return false
		}
		asks := slices.ContainsFunc(p.namesAt(from, e.pc), func(name string) bool { return p.homeAsks(homeOf(name)) })
		if asks && (e.kind == cond || !p.always(from, e.pc)) { // a branch straight into it may go on instead
			continue
		}
		if !p.matched(from, trail) {
			return false
		}
	}
	return true
}
