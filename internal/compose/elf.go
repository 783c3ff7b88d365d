package compose

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// errNotDynamic says that a file is no dynamic ELF file of a host that xbuild runs on, so that nothing in it names a
// loader or a library path.
var errNotDynamic = errors.New("not a dynamic 64-bit little-endian ELF file")

const pageSize = 0x10000 // the largest page of the hosts (arm64 with 64 KiB pages)

// relocate makes the ELF file at path independent of the host's libc: a program gets interp as its PT_INTERP and rpath
// as its DT_RPATH; a library's DT_RUNPATH becomes a DT_RPATH, because a library with a RUNPATH hides the program's
// RPATH from what it needs (ld.so(8)). With no interp the file is a library that programs of other trees load: it gets
// rpath itself.
//
// DT_RPATH, not DT_RUNPATH: it is searched before LD_LIBRARY_PATH, so that a polluted environment cannot break the
// toolchain. The new strings go to the end of the file, mapped by a PT_LOAD that takes the place of a PT_NOTE (System V
// gABI, "Program Header").
func relocate(path, interp, rpath string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := relocated(data, interp, rpath)
	if errors.Is(err, errNotDynamic) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if changed == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	// Written beside and renamed: the file may be a hard link, and a program that runs cannot be written to.
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, changed, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// relocated returns the edited file, nil where nothing has to change. It edits in place.
func relocated(data []byte, interp, rpath string) ([]byte, error) {
	le := binary.LittleEndian
	if len(data) < 64 || !bytes.HasPrefix(data, []byte(elf.ELFMAG)) || elf.Class(data[4]) != elf.ELFCLASS64 || elf.Data(data[5]) != elf.ELFDATA2LSB {
		return nil, errNotDynamic
	}
	var head elf.Header64
	if err := binary.Read(bytes.NewReader(data), le, &head); err != nil {
		return nil, err
	}
	if t := elf.Type(head.Type); t != elf.ET_EXEC && t != elf.ET_DYN {
		return nil, errNotDynamic
	}
	size := uint64(len(data))
	if head.Phentsize != 56 || head.Phoff > size || uint64(head.Phnum)*56 > size-head.Phoff {
		return nil, fmt.Errorf("program headers lie outside of the file")
	}
	progs := make([]elf.Prog64, head.Phnum)
	if err := binary.Read(io.NewSectionReader(bytes.NewReader(data), int64(head.Phoff), int64(head.Phnum)*56), le, progs); err != nil {
		return nil, err
	}
	interpAt, dynamicAt, noteAt, end := -1, -1, -1, uint64(0)
	for i, p := range progs {
		if p.Type != uint32(elf.PT_NULL) && (p.Off > size || p.Filesz > size-p.Off) {
			return nil, fmt.Errorf("segment %d lies outside of the file", i)
		}
		switch elf.ProgType(p.Type) {
		case elf.PT_INTERP:
			interpAt = i
		case elf.PT_DYNAMIC:
			dynamicAt = i
		case elf.PT_NOTE:
			noteAt = i
		case elf.PT_LOAD:
			end = max(end, p.Vaddr+p.Memsz)
		}
	}
	if dynamicAt < 0 {
		return nil, errNotDynamic
	}
	out := data // in place: with clang's libraries, a copy would be what xbuild needs the most memory for
	dynamic := out[progs[dynamicAt].Off:][:progs[dynamicAt].Filesz]
	entry := func(tag elf.DynTag) []byte {
		for at := 0; at+16 <= len(dynamic); at += 16 {
			switch elf.DynTag(le.Uint64(dynamic[at:])) {
			case tag:
				return dynamic[at : at+16]
			case elf.DT_NULL:
				return nil
			}
		}
		return nil
	}
	if interpAt < 0 && (interp != "" || rpath == "") {
		runpath := entry(elf.DT_RUNPATH)
		if runpath == nil {
			return nil, nil
		}
		le.PutUint64(runpath, uint64(elf.DT_RPATH))
		return out, nil
	}

	strtab, strsz := entry(elf.DT_STRTAB), entry(elf.DT_STRSZ)
	if strtab == nil || strsz == nil {
		return nil, fmt.Errorf("dynamic section without a string table")
	}
	if noteAt < 0 {
		return nil, fmt.Errorf("no PT_NOTE program header to give up for a new segment")
	}
	var strOff uint64
	found := false
	n := le.Uint64(strsz[8:])
	for _, p := range progs {
		if v := le.Uint64(strtab[8:]); elf.ProgType(p.Type) == elf.PT_LOAD && v >= p.Vaddr && v-p.Vaddr < p.Filesz && n <= p.Filesz-(v-p.Vaddr) {
			strOff, found = p.Off+v-p.Vaddr, true
		}
	}
	if !found {
		return nil, fmt.Errorf("dynamic string table lies in no segment")
	}

	// The entry that will hold DT_RPATH: one that is there, else a spare DT_NULL (GNU ld leaves five), else DT_DEBUG,
	// which only debuggers use.
	slot := entry(elf.DT_RUNPATH)
	if slot == nil {
		slot = entry(elf.DT_RPATH)
	}
	if slot == nil {
		for at := 0; at+32 <= len(dynamic); at += 16 {
			if le.Uint64(dynamic[at:]) == 0 && le.Uint64(dynamic[at+16:]) == 0 {
				slot = dynamic[at : at+16]
				break
			}
			if le.Uint64(dynamic[at:]) == 0 {
				break
			}
		}
	}
	if slot == nil {
		slot = entry(elf.DT_DEBUG)
	}
	if slot == nil {
		return nil, fmt.Errorf("no room for a DT_RPATH in the dynamic section")
	}

	off := (size + pageSize - 1) &^ (pageSize - 1)
	addr := (end + pageSize - 1) &^ (pageSize - 1)
	var tail bytes.Buffer
	if interpAt >= 0 {
		tail.WriteString(interp)
		tail.WriteByte(0)
	}
	strAt := uint64(tail.Len())
	tail.Write(data[strOff : strOff+n])
	rpathAt := uint64(tail.Len()) - strAt
	tail.WriteString(rpath)
	tail.WriteByte(0)

	le.PutUint64(slot, uint64(elf.DT_RPATH))
	le.PutUint64(slot[8:], rpathAt)
	le.PutUint64(strtab[8:], addr+strAt)
	le.PutUint64(strsz[8:], uint64(tail.Len())-strAt)
	if interpAt >= 0 {
		progs[interpAt].Off, progs[interpAt].Vaddr, progs[interpAt].Paddr = off, addr, addr
		progs[interpAt].Filesz, progs[interpAt].Memsz = strAt, strAt
	}
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Off: off, Vaddr: addr, Paddr: addr,
		Filesz: uint64(tail.Len()), Memsz: uint64(tail.Len()), Align: pageSize}
	// PT_LOAD headers stand in the order of their addresses (gABI): the kernel and the loader rely on it.
	progs = slices.Delete(progs, noteAt, noteAt+1)
	last := 0
	for i, p := range progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD {
			last = i
		}
	}
	progs = slices.Insert(progs, last+1, load)
	var table bytes.Buffer
	if err := binary.Write(&table, le, progs); err != nil {
		return nil, err
	}
	copy(out[head.Phoff:], table.Bytes())
	out = append(out, make([]byte, off-size)...)
	return append(out, tail.Bytes()...), nil
}
