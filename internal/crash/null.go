package crash

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// maxNull is how many variables are named.
const maxNull = 3

// nullVariables are the program's own variables, seen in all of it, that have a pointer's size and hold 0, by name. A
// core has their values where they stand in
// memory that the program may write. Names of the implementation (a static program has the C library's) are left out,
// and those of a library whose variables the
// program has a copy of (optarg).
func nullVariables(c *core, m *module, libraries []*module) []string {
	theirs := map[string]bool{}
	for _, l := range libraries {
		for _, s := range l.symbols(elf.SHT_DYNSYM) {
			if s.Section != elf.SHN_UNDEF {
				theirs[s.Name] = true
			}
		}
	}
	var out []string
	for _, s := range m.symbols(elf.SHT_SYMTAB) {
		pointer := elf.ST_TYPE(s.Info) == elf.STT_OBJECT && elf.ST_BIND(s.Info) == elf.STB_GLOBAL &&
			s.Size == uint64(c.word())
		if !pointer || strings.HasPrefix(s.Name, "_") || theirs[s.Name] || !m.writable(s.Value) {
			continue
		}
		if value, err := c.readWord(m.base + s.Value); err == nil && value == 0 {
			out = append(out, s.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writable reports whether the program may write to what stands at an address of the file.
func (m *module) writable(addr uint64) bool {
	return slices.ContainsFunc(m.elf.Progs, func(p elf.ProgHeader) bool {
		return p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Memsz
	})
}

// constAdvice is about a pointer that stayed 0 because the compiler left out the store to it. That a program does so
// cannot be seen in it, so it is told as what it may be.
func constAdvice(names []string) string {
	if len(names) == 0 {
		return ""
	}
	is, text := "is a variable of a pointer's size that holds 0", names[0]
	if len(names) > 1 {
		is, text = "are variables of a pointer's size that hold 0", strings.Join(names[:min(len(names), maxNull)], ", ")
		if more := len(names) - maxNull; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
	}
	return "If it went through a null pointer: " + text + " " + is +
		".\nOne that is declared T *const, and set through a cast, stays so: clang drops a store to what is declared const, and GCC keeps it." +
		"\nTake the const from its declaration, or compile the file that sets it with -O0 (docs/trouble.md, \"A pointer that is declared const is null\")."
}
