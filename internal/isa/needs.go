package isa

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"xbuild/internal/platform"
)

// Needs names the instruction that code begins with, and the feature that it needs and a baseline lacks, and says how
// many bytes it has. Where the baseline has all of it, or the instruction is not known, they are "" and 0. thumb says
// that Arm code is T32.
func Needs(code []byte, thumb bool, b platform.Baseline) (instruction, feature string, length int) {
	p := b.Platform()
	a, ok := archOf(p.Machine, p.Class, p.Data)
	if !ok || len(code) == 0 {
		return "", "", 0
	}
	const at = 0x10000
	img := newImage()
	img.arch, img.machine, img.wide, img.order = a, p.Machine, p.Class == elf.ELFCLASS64, binary.LittleEndian
	if p.BigEndian() {
		img.order = binary.BigEndian
	}
	code = bytes.Clone(code)
	img.sections = []section{{addr: at, data: code, size: uint64(len(code)), flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR}}
	m := &machine{img: img, mode: 'a'}
	if thumb {
		m.mode = 't'
	}
	m.reset(at)
	var in inst
	a.decode(m, at, code, &in)
	if in.entry == nil || in.bad {
		return "", "", 0
	}
	feature = in.entry.need.lacks(features(b, img))
	if feature == "" {
		return "", "", 0
	}
	return in.entry.mnemonic, feature, in.length
}

// features are what a baseline has, with what its features bring.
func features(b platform.Baseline, img *image) map[string]bool {
	set := map[string]bool{}
	for _, f := range b.Features() {
		set[f] = true
		for _, a := range also[img.arch.name][f] {
			set[a] = true
		}
	}
	if img.machine == elf.EM_X86_64 {
		set["x86-64"] = true
	}
	return set
}
