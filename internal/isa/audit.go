// Package isa reads the machine code of ELF, PE and Mach-O files and says which extensions of an instruction set it
// uses beyond a platform's baseline. Executables, shared objects, objects and ar archives of objects come in; findings
// go out, each with function, address, instruction, feature and object: those that run on every machine, and those that
// only run where the program has asked the machine first.
//
// A finding is called dispatched only where the way to it is seen: a branch after a read of what the processor
// answered, a variant that an indirect function's resolver names, a call from such a place. All else is unconditional,
// what a library exports as well, but for what nothing in the file leads to and nobody else is given, and for what
// cannot be told: in a file without symbols all that some branch may avoid, in others a function whose name says which
// machine it was written for.
package isa

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"slices"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// Options of an audit.
type Options struct {
	// Allow are globs of functions whose code is not held against the baseline: they have a dispatch of their own that
	// the audit does not see.
	Allow []string
	// Objects says which object or archive member a function without a better origin came from: by its name. May be
	// nil.
	Objects map[string]string
}

// A Finding is code beyond the baseline, the first of its function that needs the feature.
type Finding struct {
	Function    string `json:"function"`         // "" where the file does not name it
	Object      string `json:"object,omitempty"` // archive member, source file or library that it came from
	Address     uint64 `json:"address"`          // of an object's member: within its section
	Instruction string `json:"instruction"`
	Bytes       string `json:"bytes"`
	Feature     string `json:"feature"` // that the baseline lacks
	Count       int    `json:"count"`   // instructions of the function that lack it
	// of dispatched code: what stands before it; of untold and unused code: why it is that
	Why string `json:"why,omitempty"`

	// unconditional: nothing in the file leads to it, but who loads the file may call it
	Exported bool `json:"exported,omitempty"`
}

// A Declaration is what a file says of itself: build attributes and property notes.
type Declaration struct {
	Feature string `json:"feature"`
	Source  string `json:"source"`
	Object  string `json:"object,omitempty"`
	Beyond  bool   `json:"beyond"` // the baseline lacks it
}

// A Report is what an audit found.
type Report struct {
	Arch string `json:"arch,omitempty"` // "" where the architecture is none that is read
	Code int64  `json:"code"`           // bytes of machine code read
	// bytes in sections of code that are code or data: nothing was seen to lead there
	Unread        int64         `json:"unread,omitempty"`
	Unconditional []Finding     `json:"unconditional,omitempty"`
	Dispatched    []Finding     `json:"dispatched,omitempty"`
	Untold        []Finding     `json:"untold,omitempty"` // the file does not tell whether the program asks first
	Unused        []Finding     `json:"unused,omitempty"` // nothing in the file leads to it, and nobody else is given it
	Allowed       []Finding     `json:"allowed,omitempty"`
	Declared      []Declaration `json:"declared,omitempty"`
	Limits        []string      `json:"limits,omitempty"` // what could not be seen in this file
}

// also are features that others bring and that baseline.toml has no name for: parts of an architecture's version.
var also = map[string]map[string][]string{
	"arm": {"v5te": {"v5t"}, "v7": {"v6t2"}, "idiv": {"v7mp"}, "v8": {"v7mp", "sb"}, "v8.2": {"v8.1"}},
	"arm64": {
		"v8.1": {"lor"}, "v8.3": {}, "v8.4": {"rcpc2"}, "v8.5": {"frint", "flagm2", "sb"}, "v8.7": {"wfxt", "xs"},
		"v8.8": {"hbc"}, "v8.9": {"cssc"},
		"sha3": {"sha3"}, "sve2": {"sve2"},
	},
	"riscv64": {"v": {"zve32x", "zve64d"}, "zkt": {}, "zvkng": {"zvkned", "zvkg", "zvknhb"},
		"zvksg": {"zvksed", "zvksh", "zvkg"}},
	"x86": {"x86-64": {"cx8", "cmov"}},
}

// Audit reads a file, a program, a library, an object or an ar archive of objects, and holds its code against a
// baseline.
func Audit(data []byte, b platform.Baseline, o Options) (Report, error) {
	img := newImage()
	data, err := machoSlice(data, b.Platform())
	if err != nil || data == nil {
		return Report{}, err // a fat file without the platform's machine: package inspect says so
	}
	if bytes.HasPrefix(data, []byte("!<arch>\n")) {
		if err := img.addArchive(data); err != nil {
			return Report{}, err
		}
	} else if err := img.add(data, ""); err != nil {
		return Report{}, err
	}
	if img.arch == nil {
		return Report{}, nil
	}
	img.finish()
	return audit(img, features(b, img), o), nil
}

// addArchive reads the members of an ar archive; those that are no objects are none of its code.
func (img *image) addArchive(data []byte) error {
	for m, err := range object.Members(object.Memory(data)) {
		if err != nil {
			return err
		}
		body := data[m.Offset : m.Offset+m.Size]
		relocatable, err := isObject(object.Memory(body))
		if err != nil {
			return err
		}
		if relocatable {
			if err := img.add(body, m.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// isObject reports whether a file is an object, which a linker puts together with others.
func isObject(s *object.Source) (bool, error) {
	switch {
	case object.IsELF(s):
		e, err := object.OpenELF(s)
		return err == nil && e.Type == elf.ET_REL, err
	case object.IsMachO(s):
		f, err := object.OpenMachO(s)
		return err == nil && f.Type == object.MachOObject, err
	case object.IsPE(s):
		f, err := object.OpenPE(s)
		return err == nil && f.Object && !f.Short, err
	}
	return false, nil
}

// A hit is an instruction that the baseline lacks something for.
type hit struct {
	pc      uint64
	entry   *entry
	length  int
	feature string
}

// audit runs the passes over an image.
func audit(img *image, set map[string]bool, o Options) Report {
	p := newProgram(img, set)
	p.read()
	p.split()
	p.findWords()
	p.reach()
	r := Report{Arch: img.arch.name, Code: p.code - img.unread, Unread: img.unread}
	type key struct {
		fn      int
		feature string
		state   int
	}
	allow := newMatcher(o.Allow)
	index := map[key]*Finding{}
	var order []key
	for _, h := range p.hits {
		if p.inLiteral(h.pc) {
			continue
		}
		f := p.function(h.pc)
		state, why := p.verdict(f, h)
		if state == notCode {
			continue
		}
		k := key{f, h.feature, state}
		if index[k] == nil {
			name, object, base := p.describe(f, h.pc, o)
			if name != "" && allow.match(name) {
				k.state = allowed
			} else if y, ok := img.labelAt(h.pc); ok && y.addr >= p.funcs[f].start && allow.match(y.name) {
				k.state = allowed
			}
			if index[k] == nil {
				index[k] = &Finding{Function: name, Object: object, Address: h.pc - base, Instruction: h.entry.mnemonic,
					Bytes: fmt.Sprintf("% x", img.code(h.pc, h.length)), Feature: h.feature, Why: why,
					Exported: state == unconditional && img.linked && p.uncalled[f] && !p.surely(f)}
				order = append(order, k)
			}
		}
		index[k].Count++
	}
	for _, k := range order {
		switch k.state {
		case unconditional:
			r.Unconditional = append(r.Unconditional, *index[k])
		case dispatched:
			r.Dispatched = append(r.Dispatched, *index[k])
		case untold:
			r.Untold = append(r.Untold, *index[k])
		case unused:
			r.Unused = append(r.Unused, *index[k])
		case allowed:
			r.Allowed = append(r.Allowed, *index[k])
		}
	}
	for _, a := range img.attrs {
		d := Declaration{a.feature, a.text, a.member, parseNeed(a.feature).lacks(set) != ""}
		if !slices.Contains(r.Declared, d) {
			r.Declared = append(r.Declared, d)
		}
	}
	if img.linked && !img.named && len(img.goNames) == 0 {
		r.Limits = append(r.Limits, "the file was stripped of its symbols: functions have no names, and dispatch by a variable is only seen where the code around it tells")
	}
	return r
}

// Verdicts on a hit.
const (
	unconditional = iota
	dispatched
	untold
	allowed
	unused
	notCode
)

// describe names the function and the object of an address; base is what its addresses count from.
func (p *program) describe(f int, pc uint64, o Options) (name, object string, base uint64) {
	img := p.img
	if !img.linked {
		if s := img.section(pc); s != nil {
			base, object = s.addr, s.member
		}
	}
	y, ok := p.symbolAt(pc)
	if !ok && f >= 0 {
		y, ok = covering(img.byAddr, p.funcs[f].start)
	}
	if ok {
		name = y.name
		object = cmp.Or(object, y.file)
	}
	if i, found := slices.BinarySearchFunc(img.goNames, pc, func(s symbol, a uint64) int {
		return cmp.Compare(s.addr, a)
	}); len(img.goNames) > 0 {
		if !found {
			i--
		}
		if i >= 0 && p.funcs[f].start == img.goNames[i].addr {
			name = img.goNames[i].name
		}
	}
	if where := o.Objects[name]; where != "" && name != "" {
		object = where
	}
	return name, object, base
}
