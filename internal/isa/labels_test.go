package isa

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"
)

// TestLabels reads names of places within functions, as assemblers spell them, and of parts of functions that
// compilers make.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name, owner string
		want        bool
	}{
		{"fn_sse2.column_end", "fn_sse2", true},
		{"fn.loop", "fn", true},
		{"..@15.done", "fn", true},
		{".Lloop", "fn", true},
		{"L123", "fn", true},
		{"l_.str", "fn", true},
		{"$L7", "fn", true},
		{"other.loop", "fn", false},
		{"fn", "fn", false},
		{"fn.", "fn", false},
		{"fn2", "fn", false},
		{"fn.cold", "fn", false},
		{"fn.part.0", "fn", false},
		{"fn.constprop.0.isra.0", "fn", false},
		{"fn.llvm.123", "fn", false},
		{"fn.12", "fn", false},
		{"fn.avx2", "fn", false}, // a clone for a machine
		{"fn.arch_haswell", "fn", false},
		{"Loop", "fn", false},
		{"linux.main", "", false},
	} {
		if got := isLabel("x86", c.name, c.owner); got != c.want {
			t.Errorf("%q after %q: %v, want %v", c.name, c.owner, got, c.want)
		}
	}
}

// TestExported: what functions hold that nothing in the file leads to, and what is on both ways of a question.
func TestExported(t *testing.T) {
	ask := []byte{0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0xa2, 0x85, 0xc9} // mov eax, 1; cpuid; test ecx, ecx
	work := []byte{0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3}                  // popcnt rax, rdi; ret
	ret := []byte{0xc3}
	asks := append(slices.Clone(ask), 0xc3)
	calls := []byte{0xe8, 0x0b, 0x00, 0x00, 0x00, 0xc3} // the next function
	either := append(slices.Clone(ask), 0x74, 0x05, 0xf3, 0x0f, 0xb8, 0xc7, 0xc3, 0xc3)
	offset := []byte{0x48, 0x81, 0xc7, 0x20, 0x00, 0x01, 0x00, 0xc3} // add rdi, 0x10020; ret: where c would be in a program at a fixed place
	question := []byte{0x0f, 0x01, 0xd0, 0xc3}                       // xgetbv; ret
	for _, c := range []struct {
		name      string
		functions [][]byte // 16 bytes apart, a, b and so on
		exports   string
		program   bool // one starts at a, which is main

		unconditional, exported, dispatched, unused, untold int
	}{
		{"a question alone", [][]byte{ret, question, ret, ret, ret, ret}, "bcdef", false, 0, 0, 1, 0, 0},
		{"of a library that asks elsewhere", [][]byte{ret, asks, work, ret, ret, ret}, "bcdef", false, 0, 0, 0, 0, 1},
		{"of a library that never asks", [][]byte{ret, ret, work, ret, ret, ret}, "bcdef", false, 1, 1, 0, 0, 0},
		{"half of all functions", [][]byte{ret, asks, work, work, work, ret}, "bcdef", false, 3, 3, 0, 0, 0},
		{"what an exported function calls", [][]byte{ret, asks, calls, work, ret, ret}, "bcdef", false, 1, 0, 0, 0, 0},
		{"not exported", [][]byte{ret, ret, work, ret, ret, ret}, "bdef", false, 0, 0, 0, 1, 0},
		{"not exported, and an offset like its address", [][]byte{ret, offset, work, ret, ret, ret}, "bdef", false, 0, 0, 0, 1, 0},
		{"not exported, half of all functions", [][]byte{ret, ret, work, work, work, ret}, "bf", false, 3, 0, 0, 0, 0},
		{"of a program", [][]byte{ret, ret, work, ret, ret, ret}, "", true, 0, 0, 0, 1, 0},
		{"of a program that exports all", [][]byte{ret, ret, work, ret, ret, ret}, "abcdef", true, 0, 0, 0, 1, 0},
		{"of a program whose library refers to it", [][]byte{ret, ret, work, ret, ret, ret}, "c", true, 1, 1, 0, 0, 0},
		{"on one way", [][]byte{ret, either, ret, ret, ret, ret}, "bcdef", false, 0, 0, 1, 0, 0},
	} {
		var code []byte
		img := newImage()
		for i, f := range c.functions {
			code = append(code, f...)
			for len(code) < 16*(i+1) || len(code)%16 != 0 {
				code = append(code, 0xcc)
			}
		}
		if err := img.add(stripped(elf.EM_X86_64, elf.ELFCLASS64, false, code), ""); err != nil {
			t.Fatal(err)
		}
		for i, f := range c.functions {
			at := uint64(0x10000 + 16*i)
			name := string(rune('a' + i))
			img.exported[at] = strings.Contains(c.exports, name)
			if c.program && i == 0 {
				name = "main"
				img.globals[name] = at
			}
			img.byAddr = append(img.byAddr, symbol{name: name, addr: at, size: uint64(len(f)), typ: elf.STT_FUNC})
		}
		img.named, img.program, img.floats = true, c.program, !c.program
		img.finish()
		r := audit(img, features(baseline(t, "linux/amd64"), img), Options{})
		exported := 0
		for _, f := range r.Unconditional {
			if f.Exported {
				exported++
			}
		}
		got := [...]int{len(r.Unconditional), exported, len(r.Dispatched), len(r.Unused), len(r.Untold)}
		if want := [...]int{c.unconditional, c.exported, c.dispatched, c.unused, c.untold}; got != want {
			t.Errorf("%s: unconditional, exported of these, dispatched, unused, untold: %v, want %v\n%+v", c.name, got, want, r)
		}
	}
}
