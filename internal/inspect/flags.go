package inspect

import "debug/elf"

// A meaning is what bits of e_flags stand for.
type meaning struct {
	machine     elf.Machine
	mask, value uint32
	abi, float  string
	isa         string
}

// meanings are the bits of e_flags that name an ABI, by machine.
var meanings = []meaning{
	// ELF for the Arm Architecture (IHI 0044), table 4-2. Without a float bit a file of EABI 5 does not say.
	{machine: elf.EM_ARM, mask: 0xff000000, value: 0x05000000, abi: "EABI5"},
	{machine: elf.EM_ARM, mask: 0xff000000, value: 0x04000000, abi: "EABI4"},
	{machine: elf.EM_ARM, mask: 0xff000000, value: 0, abi: "OABI"},
	{machine: elf.EM_ARM, mask: 0xff000400, value: 0x05000400, float: "hard"},
	{machine: elf.EM_ARM, mask: 0xff000200, value: 0x05000200, float: "soft"},
	// RISC-V ELF psABI, "File Header".
	{machine: elf.EM_RISCV, mask: 0x6, value: 0x0, float: "soft"},
	{machine: elf.EM_RISCV, mask: 0x6, value: 0x2, float: "single"},
	{machine: elf.EM_RISCV, mask: 0x6, value: 0x4, float: "double"},
	{machine: elf.EM_RISCV, mask: 0x6, value: 0x6, float: "quad"},
	{machine: elf.EM_RISCV, mask: 0x8, value: 0x8, abi: "RVE"},
	{machine: elf.EM_RISCV, mask: 0x1, value: 0x1, isa: "RVC"},
	// Linux and binutils, elf/mips.h: EF_MIPS_ARCH, EF_MIPS_ABI and EF_MIPS_ABI2.
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x00000000, isa: "mips1"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x10000000, isa: "mips2"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x20000000, isa: "mips3"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x30000000, isa: "mips4"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x40000000, isa: "mips5"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x50000000, isa: "mips32"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x60000000, isa: "mips64"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x70000000, isa: "mips32r2"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x80000000, isa: "mips64r2"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0x90000000, isa: "mips32r6"},
	{machine: elf.EM_MIPS, mask: 0xf0000000, value: 0xa0000000, isa: "mips64r6"},
	{machine: elf.EM_MIPS, mask: 0x0000f000, value: 0x1000, abi: "o32"},
	{machine: elf.EM_MIPS, mask: 0x20, value: 0x20, abi: "n32"},
	// 64-bit ELF V2 ABI for Power, "e_flags". 0 is a file that does not depend on it.
	{machine: elf.EM_PPC64, mask: 0x3, value: 0x1, abi: "ELFv1"},
	{machine: elf.EM_PPC64, mask: 0x3, value: 0x2, abi: "ELFv2"},
	// LoongArch ELF psABI, "e_flags".
	{machine: elf.EM_LOONGARCH, mask: 0x7, value: 0x1, float: "soft"},
	{machine: elf.EM_LOONGARCH, mask: 0x7, value: 0x2, float: "single"},
	{machine: elf.EM_LOONGARCH, mask: 0x7, value: 0x3, float: "double"},
	{machine: elf.EM_LOONGARCH, mask: 0xc0, value: 0x40, abi: "object ABI v1"},
}

// meaning puts together what the header's flags and class say.
func (h Header) meaning() meaning {
	var out meaning
	join := func(to *string, s string) {
		if s != "" && *to != "" {
			s = *to + " " + s
		}
		if s != "" {
			*to = s
		}
	}
	for _, m := range meanings {
		if m.machine == h.Machine && h.Flags&m.mask == m.value {
			join(&out.abi, m.abi)
			join(&out.float, m.float)
			join(&out.isa, m.isa)
		}
	}
	switch {
	case h.Machine == elf.EM_X86_64 && h.Class == elf.ELFCLASS32:
		out.abi = "x32"
	case h.Machine == elf.EM_AARCH64 && h.Class == elf.ELFCLASS32:
		out.abi = "ilp32"
	case h.Machine == elf.EM_MIPS && h.Class == elf.ELFCLASS64:
		join(&out.abi, "n64")
	}
	return out
}
