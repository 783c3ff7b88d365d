package crash

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"xbuild/internal/object"
)

// A core is a program's memory and registers at its end, as a core file has them: the kernel's (core(5)) or QEMU's own
// of the emulated program.
type core struct {
	elf    *object.ELFFile
	layout layout
	signal syscall.Signal
	pid    int
	parent int
	regs   []uint64
	auxv   map[uint64]uint64
	mapped []mapped // what the kernel notes of mapped files; QEMU notes nothing
}

// mapped is a part of a file in the address space.
type mapped struct {
	start, end, offset uint64
	path               string
}

// A layout says where a machine's registers stand among those of a core file's NT_PRSTATUS (the kernel's
// arch/*/include/uapi/asm/ptrace.h). link is -1 where return addresses are on the stack alone.
type layout struct {
	pc, sp, link int
	flags, thumb int // the register and the bit that say that ARM code is Thumb
}

var layouts = map[elf.Machine]layout{
	elf.EM_X86_64:    {pc: 16, sp: 19, link: -1},
	elf.EM_386:       {pc: 12, sp: 15, link: -1},
	elf.EM_AARCH64:   {pc: 32, sp: 31, link: 30},
	elf.EM_ARM:       {pc: 15, sp: 13, link: 14, flags: 16, thumb: 1 << 5},
	elf.EM_PPC64:     {pc: 32, sp: 1, link: 36},
	elf.EM_S390:      {pc: 1, sp: 17, link: 16},
	elf.EM_RISCV:     {pc: 0, sp: 2, link: 1},
	elf.EM_MIPS:      {pc: 34, sp: 29, link: 31},
	elf.EM_LOONGARCH: {pc: 33, sp: 3, link: 1},
}

// Types of notes (elf.h) and of entries of the auxiliary vector (getauxval(3)).
const (
	ntPrstatus = 1
	ntPrpsinfo = 3
	ntAuxv     = 6
	ntFile     = 0x46494c45

	atPhdr  = 3
	atPhnum = 5
	atEntry = 9
)

// maxNotes bounds what is read of a core's notes; those of a program with a thousand threads are a megabyte.
const maxNotes = 16 << 20

// openCore reads a core file. The caller closes it.
func openCore(path string) (*core, io.Closer, error) {
	s, f, err := object.Open(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := readCore(s)
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, f, nil
}

func readCore(s *object.Source) (*core, error) {
	e, err := object.OpenELF(s)
	if errors.Is(err, object.ErrFormat) {
		return nil, fmt.Errorf("bad magic number %q: no core file", s.Head(len(elf.ELFMAG)))
	}
	if err != nil {
		return nil, err
	}
	if e.Type != elf.ET_CORE {
		return nil, fmt.Errorf("no core file but %v", e.Type)
	}
	c := &core{elf: e, auxv: map[uint64]uint64{}}
	var ok bool
	if c.layout, ok = layouts[e.Machine]; !ok {
		return nil, fmt.Errorf("core files of %v are not read here", e.Machine)
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		data, err := e.Bytes(p.Off, min(p.Filesz, maxNotes), "the notes")
		if err != nil {
			return nil, err
		}
		object.Notes(data, e.Order, 4, c.note)
	}
	if c.regs == nil {
		return nil, errors.New("it holds no registers (NT_PRSTATUS)")
	}
	return c, nil
}

// note reads a note, where it is known.
func (c *core) note(_ string, kind uint32, desc []byte) {
	switch kind {
	case ntPrstatus:
		if c.regs == nil { // the first is the thread that the signal ended
			c.prstatus(desc)
		}
	case ntPrpsinfo:
		// pr_state … pr_nice, pr_flag, uid, gid (16 or 32 bits wide each), pid, ppid: the ids stand in front of pgrp,
		// sid, fname[16] and psargs[80].
		if at := len(desc) - 96 - 16; at >= 0 {
			c.pid, c.parent = int(int32(c.order().Uint32(desc[at:]))), int(int32(c.order().Uint32(desc[at+4:])))
		}
	case ntAuxv:
		for w := c.word(); len(desc) >= 2*w; desc = desc[2*w:] {
			c.auxv[c.value(desc)] = c.value(desc[w:])
		}
	case ntFile:
		c.files(desc)
	}
}

// prstatus is struct elf_prstatus (linux/elfcore.h): signal and ids, four times, and then the registers.
func (c *core) prstatus(desc []byte) {
	from, w := 72, c.word()
	if w == 8 {
		from = 112
	}
	if len(desc) < from {
		return
	}
	c.signal = syscall.Signal(c.order().Uint32(desc)) // pr_info.si_signo
	for desc = desc[from:]; len(desc) >= w; desc = desc[w:] {
		c.regs = append(c.regs, c.value(desc))
	}
}

// files is NT_FILE: count, page size, start, end and page offset of each, then the names.
func (c *core) files(desc []byte) {
	w := c.word()
	if len(desc) < 2*w {
		return
	}
	count, page := c.value(desc), c.value(desc[w:])
	desc = desc[2*w:]
	if count > uint64(len(desc)/(3*w)) {
		return
	}
	names := bytes.Split(desc[int(count)*3*w:], []byte{0})
	for i := range int(count) {
		at := desc[i*3*w:]
		if i < len(names) {
			c.mapped = append(c.mapped, mapped{c.value(at), c.value(at[w:]), c.value(at[2*w:]) * page, string(names[i])})
		}
	}
}

func (c *core) order() binary.ByteOrder { return c.elf.Order }

func (c *core) word() int { return int(c.elf.WordSize()) }

func (c *core) value(b []byte) uint64 {
	if c.word() == 8 {
		return c.order().Uint64(b)
	}
	return uint64(c.order().Uint32(b))
}

// reg is a register, 0 where the core has it not.
func (c *core) reg(i int) uint64 {
	if i < 0 || i >= len(c.regs) {
		return 0
	}
	return c.regs[i]
}

func (c *core) pc() uint64 { return c.reg(c.layout.pc) }

// thumb reports whether ARM code runs in the Thumb state.
func (c *core) thumb() bool {
	return c.layout.thumb != 0 && c.reg(c.layout.flags)&uint64(c.layout.thumb) != 0
}

// read fills b from the program's memory.
func (c *core) read(b []byte, addr uint64) error {
	if err := c.elf.ReadMemory(b, addr); err != nil {
		return fmt.Errorf("the core has no memory at %#x: %w", addr, err)
	}
	return nil
}

func (c *core) readWord(addr uint64) (uint64, error) {
	b := make([]byte, c.word())
	if err := c.read(b, addr); err != nil {
		return 0, err
	}
	return c.value(b), nil
}

func (c *core) readString(addr uint64) string {
	var out []byte
	for b := make([]byte, 1); len(out) < 4096; addr++ {
		if c.read(b, addr) != nil || b[0] == 0 {
			break
		}
		out = append(out, b[0])
	}
	return string(out)
}

// Owner is the process that a core file is of, and that process's parent.
func Owner(file string) (pid, parent int, err error) {
	c, f, err := openCore(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	return c.pid, c.parent, nil
}
