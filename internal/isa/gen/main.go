// Command gen writes the tables of package isa: which machine instructions need more than an architecture's oldest
// baseline, and what. It reads the instruction descriptions of LLVM (lib/Target/*/*.td) as llvm-tblgen prints them with
// --dump-json, and keeps facts alone: bits, feature, mnemonic. needs.go says which feature a condition of LLVM stands
// for, and adds what LLVM's conditions leave out, with the manual that says it. CONTRIBUTING.md shows how it is run.
//
// A line of a table is `mnemonic value/mask …`, under a heading `[need]`. The bits stand as the architecture's manual
// numbers them within one instruction, the widest one of the architecture: 32, 48 (s390x) or 64 (POWER's prefixed
// ones). Lines under [] are of the baseline: they are kept where they are exceptions within the bits of another line.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: gen DIRECTORY-OF-JSON DIRECTORY-OF-TABLES")
	}
	for _, t := range targets {
		if err := write(t, os.Args[1], os.Args[2]); err != nil {
			log.Fatalf("%s: %v", t.table, err)
		}
	}
}

// A record is what is used of an instruction's description.
type record struct {
	common
	x86Record
}

type common struct {
	Inst             []any
	Unpredictable    []any
	AsmString        string
	DecoderNamespace string
	IsPseudo         any `json:"isPseudo"`
	IsCodeGenOnly    any `json:"isCodeGenOnly"`
	IsAsmParserOnly  any `json:"isAsmParserOnly"`
	Force            any `json:"ForceDisassemble"`
	Predicates       []struct{ Def string }
}

// An x86Record is what x86's descriptions have beside.
type x86Record struct {
	Opcode                       []any
	OpMap, OpPrefix, OpEnc, Form struct{ Def string }
	HasREXW                      any `json:"hasREX_W"`
	IgnoresW                     any `json:"IgnoresW"`
	IgnoresVEXL                  any `json:"ignoresVEX_L"`
	HasVEXL                      any `json:"hasVEX_L"`
	HasEVEXL2                    any `json:"hasEVEX_L2"`
	HasEVEXRC                    any `json:"hasEVEX_RC"`
	HasEVEXNF                    any `json:"hasEVEX_NF"`
}

// A pattern is a set of instructions by their bits.
type pattern struct{ value, mask uint64 }

func (p pattern) overlaps(q pattern) bool { return (p.value^q.value)&p.mask&q.mask == 0 }

// A group is a line of a table.
type group struct {
	need, mnemonic string
	patterns       []pattern
}

func records(path string, x86 bool) (map[string]record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(bufio.NewReaderSize(f, 1<<20)).Decode(&raw); err != nil {
		return nil, err
	}
	all := map[string]record{}
	for name, r := range raw {
		var rec record
		var class struct {
			Superclasses []string `json:"!superclasses"`
		}
		if strings.HasPrefix(name, "!") || json.Unmarshal(r, &class) != nil ||
			!slices.Contains(class.Superclasses, "Instruction") {
			continue
		}
		if err := json.Unmarshal(r, &rec.common); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if x86 {
			if err := json.Unmarshal(r, &rec.x86Record); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if (truth(rec.IsCodeGenOnly) || truth(rec.IsPseudo)) && !truth(rec.Force) {
			continue
		}
		all[name] = rec
	}
	return all, nil
}

func truth(v any) bool { f, ok := v.(float64); return ok && f != 0 }

func write(t target, from, to string) error {
	all, err := records(filepath.Join(from, t.llvm+".json"), t.llvm == "X86")
	if err != nil {
		return err
	}
	var lines []string
	if t.llvm == "X86" {
		lines, err = x86Lines(all)
	} else {
		lines, err = t.lines(all)
	}
	if err != nil {
		return err
	}
	head := "# Instructions beyond the oldest baseline, by the bits that tell them. Written by gen from LLVM " +
		llvmVersion + "'s instruction descriptions\n# (lib/Target/" + t.llvm +
		", Apache-2.0 WITH LLVM-exception); " + t.manual + ".\n"
	return os.WriteFile(filepath.Join(to, t.table+".txt"), []byte(head+strings.Join(lines, "\n")+"\n"), 0o644)
}

// need translates the conditions of an instruction; ok is false for one that cannot be met on the architecture's Linux.
func (t target) need(name string, r record) (need string, ok bool, err error) {
	var all []string
	for _, p := range r.Predicates {
		n, known := t.needs[p.Def]
		if !known {
			return "", false, fmt.Errorf("%s has the condition %s, which needs.go does not know", name, p.Def)
		}
		if n == "never" {
			return "", false, nil
		}
		if n != "" && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	for _, x := range t.extra {
		if slices.Contains(strings.Fields(x.names), name) && !slices.Contains(all, x.need) {
			all = append(all, x.need)
		}
	}
	for _, prefix := range t.harmless {
		if strings.HasPrefix(name, prefix) || "="+name == prefix {
			return "", true, nil
		}
	}
	slices.Sort(all)
	return strings.Join(all, "+"), true, nil
}

func (t target) lines(all map[string]record) ([]string, error) {
	type entry struct {
		pattern
		need, mnemonic string
	}
	var base, beyond []entry
	for name, r := range all {
		if r.Inst == nil || truth(r.IsAsmParserOnly) || t.skip(name, r) {
			continue
		}
		need, ok, err := t.need(name, r)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		p := pattern{}
		if t.llvm == "PPC" { // numbers its bits from the other end, as its manual does
			slices.Reverse(r.Inst)
			slices.Reverse(r.Unpredictable)
		}
		for i, b := range r.Inst {
			if f, fixed := b.(float64); fixed && !(i < len(r.Unpredictable) && truth(r.Unpredictable[i])) {
				// what should be so is so or not
				p.mask |= 1 << i
				if f != 0 {
					p.value |= 1 << i
				}
			}
		}
		if p.mask == 0 {
			continue
		}
		if t.width == 48 || t.width == 64 { // as long as the longest, what follows left open
			p.value <<= t.width - len(r.Inst)
			p.mask <<= t.width - len(r.Inst)
		}
		e := entry{p, need, mnemonic(r.AsmString)}
		if need == "" {
			base = append(base, e)
		} else {
			beyond = append(beyond, e)
		}
	}
	groups := map[string]*group{}
	add := func(e entry) {
		key := e.need + " " + e.mnemonic
		g := groups[key]
		if g == nil {
			g = &group{need: e.need, mnemonic: e.mnemonic}
			groups[key] = g
		}
		g.patterns = append(g.patterns, e.pattern)
	}
	for _, e := range beyond {
		add(e)
	}
	for _, b := range base {
		for _, e := range beyond {
			if e.overlaps(b.pattern) && bits.OnesCount64(b.mask) >= bits.OnesCount64(e.mask) {
				add(b)
				break
			}
		}
	}
	var list []*group
	for _, g := range groups {
		g.patterns = merge(g.patterns)
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.need, b.need), cmp.Compare(a.mnemonic, b.mnemonic))
	})
	var lines []string
	need := "?"
	for _, g := range list {
		if g.need != need {
			need = g.need
			lines = append(lines, "["+need+"]")
		}
		line := g.mnemonic
		for _, p := range g.patterns {
			line += fmt.Sprintf(" %x/%x", p.value, p.mask)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// merge joins patterns that differ in one bit, until none does, and drops those that another one holds.
func merge(list []pattern) []pattern {
	set := map[pattern]bool{}
	for _, p := range list {
		set[p] = true
	}
	for again := true; again; {
		again = false
		keys := sorted(set)
		for _, p := range keys {
			if !set[p] {
				continue
			}
			for m := p.mask; m != 0; m &= m - 1 {
				bit := m & -m
				q := pattern{p.value ^ bit, p.mask}
				if set[q] {
					delete(set, p)
					delete(set, q)
					set[pattern{p.value &^ bit, p.mask &^ bit}] = true
					again = true
					break
				}
			}
		}
	}
	keys := sorted(set)
	return slices.DeleteFunc(slices.Clone(keys), func(p pattern) bool {
		return slices.ContainsFunc(keys, func(q pattern) bool {
			return q != p && q.mask&^p.mask == 0 && p.value&q.mask == q.value
		})
	})
}

func sorted(set map[pattern]bool) []pattern {
	var keys []pattern
	for p := range set {
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.mask, b.mask))
	})
	return keys
}

// mnemonic is an instruction's name in Intel's or the architecture's own spelling, without operands and without what a
// printer appends to it.
func mnemonic(asm string) string {
	for {
		i := strings.Index(asm, "${")
		if i < 0 {
			break
		}
		j := strings.IndexByte(asm[i:], '}')
		if j < 0 {
			break
		}
		asm = asm[:i] + asm[i+j+1:]
	}
	for { // {att|intel}
		i := strings.IndexByte(asm, '{')
		if i < 0 || i > 0 && asm[i-1] == '$' {
			break
		}
		j := strings.IndexByte(asm[i:], '}')
		if j < 0 {
			break
		}
		in := asm[i+1 : i+j]
		if k := strings.IndexByte(in, '|'); k >= 0 {
			in = in[k+1:]
		} else {
			in = ""
		}
		asm = asm[:i] + in + asm[i+j+1:]
	}
	asm = strings.TrimLeft(asm, " \t")
	if i := strings.IndexAny(asm, " \t$,"); i >= 0 {
		asm = asm[:i]
	}
	return cmp.Or(strings.ToLower(asm), "?")
}
