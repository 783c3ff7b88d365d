package isa

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"

	"xbuild/internal/object"
)

// Arm's build attributes (IHI 0045, "Addenda to, and Errata in, the ABI for the Arm Architecture"): what values of
// Tag_CPU_arch, Tag_FP_arch and Tag_Advanced_SIMD_arch stand for.
var (
	armCPUArch = map[uint64]string{3: "v5t", 4: "v5te", 5: "v5te", 6: "v6", 7: "v6k", 8: "v6t2", 9: "v6k", 10: "v7",
		13: "v7", 14: "v8"}
	armFPArch = map[uint64]string{1: "vfp", 2: "vfp", 3: "vfpv3", 4: "vfpv3-d16", 5: "vfpv4+vfpv3", 6: "vfpv4",
		7: "fp-armv8", 8: "fp-armv8"}
	armSIMD = map[uint64]string{1: "neon", 2: "neon+vfpv4", 3: "neon+v8", 4: "neon+v8"}
)

// attributes reads a section of build attributes: Arm's, or RISC-V's (its psABI, "Attributes"), which has the same
// form.
func (img *image) attributes(b []byte, member string) {
	if len(b) == 0 || b[0] != 'A' {
		return
	}
	for b = b[1:]; len(b) > 4; {
		n := int(img.order.Uint32(b))
		if n < 5 || n > len(b) {
			return
		}
		vendor, rest, ok := bytes.Cut(b[4:n], []byte{0})
		b = b[n:]
		if !ok || string(vendor) != "aeabi" && string(vendor) != "riscv" {
			continue
		}
		for len(rest) > 5 {
			size := int(img.order.Uint32(rest[1:]))
			if size < 5 || size > len(rest) {
				break
			}
			if rest[0] == 1 { // of the whole file
				img.fileAttributes(rest[5:size], string(vendor) == "aeabi", member)
			}
			rest = rest[size:]
		}
	}
}

func (img *image) fileAttributes(b []byte, arm bool, member string) {
	say := func(feature, text string) {
		if feature != "" {
			img.attrs = append(img.attrs, attribute{feature, text, member})
		}
	}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		b = b[n:]
		text := tag&1 != 0 && tag > 32 || tag == 4 || tag == 5 || tag == 67
		if !arm {
			text = tag&1 != 0
		}
		if tag == 32 && arm {
			_, n := binary.Uvarint(b)
			if n <= 0 {
				return
			}
			b, text = b[n:], true
		}
		if text {
			s, rest, ok := bytes.Cut(b, []byte{0})
			if !ok {
				return
			}
			if !arm && tag == 5 && len(s) < 4096 {
				for _, f := range riscvExtensions(string(s)) {
					say(f, "Tag_RISCV_arch "+string(s))
				}
			}
			b = rest
			continue
		}
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		b = b[n:]
		if !arm {
			continue
		}
		switch tag {
		case 6:
			say(armCPUArch[v], "Tag_CPU_arch")
		case 10:
			say(armFPArch[v], "Tag_FP_arch")
		case 12:
			say(armSIMD[v], "Tag_Advanced_SIMD_arch")
		case 44:
			if v == 2 {
				say("idiv", "Tag_DIV_use")
			}
		}
	}
}

// riscvExtensions are those of an ISA string beyond rv64gc: rv64i2p1_m2p0_…_zba1p0 (the unprivileged manual, "ISA
// Extension Naming Conventions").
func riscvExtensions(s string) []string {
	s = strings.ToLower(s)
	if !strings.HasPrefix(s, "rv64") {
		return nil
	}
	var list []string
	for part := range strings.SplitSeq(s[4:], "_") {
		name := strings.TrimRight(part, "0123456789")
		if strings.HasSuffix(name, "p") && len(name) > 1 && name[len(name)-2] >= '0' && name[len(name)-2] <= '9' {
			name = strings.TrimRight(name[:len(name)-1], "0123456789")
		}
		if name == "" {
			continue
		}
		if c := name[0]; c == 'z' || c == 'x' || c == 's' {
			list = append(list, name)
			continue
		}
		for _, c := range name {
			if c >= 'a' && c <= 'z' && c != 'p' {
				list = append(list, string(c))
			}
		}
	}
	var beyond []string
	for _, f := range list {
		if !strings.Contains(" i e m a f d g c zicsr zifencei zmmul zaamo zalrsc zca zcd zicntr zihpm ", " "+f+" ") {
			beyond = append(beyond, f)
		}
	}
	return beyond
}

// x86Levels are the bits of GNU_PROPERTY_X86_ISA_1_NEEDED (the x86-64 psABI): glibc's loader refuses a file that needs
// more than the machine has.
var x86Levels = []string{"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"}

// notes reads GNU property notes.
func (img *image) notes(b []byte, align uint64, member string) {
	if img.machine != elf.EM_X86_64 && img.machine != elf.EM_386 {
		return
	}
	object.Notes(b, img.order, align, func(name string, kind uint32, desc []byte) {
		if name != "GNU" || kind != 5 { // NT_GNU_PROPERTY_TYPE_0
			return
		}
		object.Properties(desc, img.order, uint64(img.wordSize()), func(property uint32, value []byte) {
			if property != 0xc0008002 || len(value) < 4 {
				return
			}
			bits := img.order.Uint32(value)
			for i, level := range x86Levels {
				if i > 0 && bits>>i&1 != 0 {
					img.attrs = append(img.attrs, attribute{level, "GNU_PROPERTY_X86_ISA_1_NEEDED", member})
				}
			}
		})
	})
}
