package isa

import (
	"debug/elf"
	"slices"
	"sort"
	"strings"
)

// Labels are places within functions, as those who write assembly name them: without type and size. ELF's symbols
// tell functions from labels by their type where the author gives one; Mach-O's do
// not at all, and names have to: nasm and yasm write .label within fn as fn.label, and a label of a macro as
// ..@7.label; gas drops .Lname and numbers, but keeps what was written for
// another assembler; MASM has $Lname; Apple's linker keeps l_name in objects.

// parts are what compilers add to a function's name for what is a function of its own: the cold half, clones by
// constants, by a link, by a machine.
var parts = []string{"cold", "part", "constprop", "isra", "llvm", "lto_priv", "resolver", "default", "ifunc", "arch_",
	"specialized", "__uniq", "_M", "warm", "unlikely", "localalias", "clone"}

// isLabel says that a name without a type is that of a place in a function that begins before it.
func isLabel(arch, name, owner string) bool {
	for _, prefix := range []string{"..@", ".L", "$L", "l_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	if len(name) > 1 && name[0] == 'L' && isDigit(name[1]) {
		return true
	}
	rest, ok := strings.CutPrefix(name, owner+".")
	if owner == "" || !ok || rest == "" || isDigit(rest[0]) || variantOf(arch, rest) != "" {
		return false
	}
	return !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(rest, p) })
}

// findLabels takes the labels out of what was taken for functions: names that other files may see, within a function
// whose size is known, and those whose name says it.
func (img *image) findLabels() {
	img.inner = map[uint64]bool{}
	if img.format == peFormat { // its own symbols tell
		return
	}
	var owners []symbol // the functions that begin last, at one address
	img.byAddr = slices.DeleteFunc(img.byAddr, func(y symbol) bool {
		if len(owners) > 0 && owners[0].addr == y.addr {
			owners = append(owners, y)
			return false
		}
		typed := img.format == elfFormat && y.typ != elf.STT_NOTYPE
		if !typed && !img.exported[y.addr] && slices.ContainsFunc(owners, func(o symbol) bool {
			inside := img.format == elfFormat && y.addr-o.addr < o.size
			return img.section(y.addr) == img.section(o.addr) && (inside || isLabel(img.arch.name, y.name, o.name))
		}) {
			img.labels = append(img.labels, y)
			img.inner[y.addr] = true
			return true
		}
		owners = append(owners[:0], y)
		return false
	})
	if img.format == machoFormat { // a linker takes every symbol for the start of a function
		img.starts = slices.DeleteFunc(img.starts, func(a uint64) bool { return img.inner[a] })
	}
}

// labelAt is the label that an address is, or lies behind.
func (img *image) labelAt(addr uint64) (symbol, bool) {
	i := sort.Search(len(img.labels), func(i int) bool { return img.labels[i].addr > addr }) - 1
	if i < 0 {
		return symbol{}, false
	}
	return img.labels[i], true
}

// foreign are the labels that code of another function calls, and those within functions that anything else leads to:
// they begin functions of their own.
func (p *program) foreign() map[uint64]bool {
	all := map[uint64]bool{}
	if len(p.img.labels) == 0 {
		return all
	}
	for _, e := range p.edges {
		if e.kind != call && !p.img.inner[e.to] {
			continue
		}
		if y, ok := p.img.labelAt(e.to); ok && y.addr == e.to && p.function(e.pc) != p.function(e.to) {
			all[e.to] = true
		}
	}
	for _, to := range p.img.pointers {
		if p.img.inner[to] {
			all[to] = true
		}
	}
	return all
}
