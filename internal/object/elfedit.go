package object

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

// Relocate makes the ELF file at path independent of the host's libc: a program gets interp as its PT_INTERP and rpath
// as its DT_RPATH; a library's DT_RUNPATH becomes a DT_RPATH, because a library with a RUNPATH hides the program's
// RPATH from what it needs (ld.so(8)). With no interp the file is a library that programs of other trees load: it gets
// rpath itself. What is no dynamic ELF file of a host that xbuild runs on stays as it is.
//
// DT_RPATH, not DT_RUNPATH: it is searched before LD_LIBRARY_PATH, so that a polluted environment cannot break the
// toolchain. The new strings go to the end of the file, mapped by a PT_LOAD that takes the place of a PT_NOTE (System V
// gABI, "Program Header").
func Relocate(path, interp, rpath string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	changes, err := relocated(NewSource(in, info.Size()), interp, rpath)
	if errors.Is(err, errNotDynamic) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if changes == nil {
		return nil
	}
	// Written beside and renamed: the file may be a hard link, and a program that runs cannot be written to.
	tmp := path + ".tmp"
	if err := changed(in, tmp, info.Mode().Perm(), changes); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// A change is bytes that a file is to have at a place, which may be behind its end.
type change struct {
	at   uint64
	data []byte
}

// changed makes a copy of a file with changes in it. The system copies: a library of a compiler has 130 MB.
func changed(in *os.File, path string, mode os.FileMode, changes []change) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	for _, c := range changes {
		if err == nil {
			_, err = out.WriteAt(c.data, int64(c.at))
		}
	}
	return errors.Join(err, out.Close())
}

// relocated returns what has to change, nothing where the file is good as it is.
func relocated(s *Source, interp, rpath string) ([]change, error) {
	e, err := beginEdit(s)
	if err != nil {
		return nil, err
	}
	if e.interp < 0 && (interp != "" || rpath == "") {
		runpath := e.entry(elf.DT_RUNPATH)
		if runpath == nil {
			return nil, nil
		}
		e.Order.PutUint64(runpath, uint64(elf.DT_RPATH))
		return []change{{e.dynamicAt, e.dynamic}}, nil
	}
	return e.relocate(interp, rpath)
}

// An edit is an ELF file that is being changed.
type edit struct {
	*ELFFile
	dynamic   []byte // the dynamic section as changed
	dynamicAt uint64

	interp, note int    // the segments of their types, -1 for none
	end          uint64 // the first address behind all segments
}

// beginEdit reads a file that is to be changed. All its segments lie in it.
func beginEdit(s *Source) (*edit, error) {
	head := s.Head(64)
	if len(head) < 64 {
		return nil, errNotDynamic
	}
	if elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, errNotDynamic
	}
	file, err := readELFHeader(s)
	if errors.Is(err, ErrFormat) || err == nil && file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return nil, errNotDynamic
	}
	if err != nil {
		return nil, err
	}
	if err := file.readProgs(); err != nil {
		return nil, fmt.Errorf("program headers lie outside of the file: %w", err)
	}
	e := &edit{ELFFile: file, interp: -1, note: -1}
	dynamic := -1
	for i, p := range e.Progs {
		if p.Type != elf.PT_NULL && (p.Off > uint64(e.Size) || p.Filesz > uint64(e.Size)-p.Off) {
			return nil, fmt.Errorf("segment %d lies outside of the file", i)
		}
		switch p.Type {
		case elf.PT_INTERP:
			e.interp = i
		case elf.PT_DYNAMIC:
			dynamic = i
		case elf.PT_NOTE:
			e.note = i
		case elf.PT_LOAD:
			e.end = max(e.end, p.Vaddr+p.Memsz)
		}
	}
	if dynamic < 0 {
		return nil, errNotDynamic
	}
	e.dynamicAt = e.Progs[dynamic].Off
	e.dynamic, err = e.Bytes(e.dynamicAt, e.Progs[dynamic].Filesz, "the dynamic section")
	return e, err
}

// dynamicEntry is the size of an entry of the dynamic section: a tag and a value.
const dynamicEntry = 16

// entry is the first entry of the dynamic section with a tag, nil where there is none.
func (e *edit) entry(tag elf.DynTag) []byte {
	for at := 0; at+dynamicEntry <= len(e.dynamic); at += dynamicEntry {
		switch elf.DynTag(e.Order.Uint64(e.dynamic[at:])) {
		case tag:
			return e.dynamic[at : at+dynamicEntry]
		case elf.DT_NULL:
			return nil
		}
	}
	return nil
}

// spare is a DT_NULL that another one follows (GNU ld leaves five), nil where there is none.
func (e *edit) spare() []byte {
	for at := 0; at+2*dynamicEntry <= len(e.dynamic); at += dynamicEntry {
		if e.Order.Uint64(e.dynamic[at:]) != uint64(elf.DT_NULL) {
			continue
		}
		if e.Order.Uint64(e.dynamic[at+dynamicEntry:]) == uint64(elf.DT_NULL) {
			return e.dynamic[at : at+dynamicEntry]
		}
		return nil
	}
	return nil
}

// rpathEntry is the entry that is to hold DT_RPATH: one that is there, else a spare one, else DT_DEBUG, which only
// debuggers use.
func (e *edit) rpathEntry() ([]byte, error) {
	for _, entry := range [][]byte{e.entry(elf.DT_RUNPATH), e.entry(elf.DT_RPATH), e.spare(), e.entry(elf.DT_DEBUG)} {
		if entry != nil {
			return entry, nil
		}
	}
	return nil, errors.New("no room for a DT_RPATH in the dynamic section")
}

// names is the table of dynamic names, and the entries that say where it lies and how long it is.
func (e *edit) names() (table, address, size []byte, err error) {
	address, size = e.entry(elf.DT_STRTAB), e.entry(elf.DT_STRSZ)
	if address == nil || size == nil {
		return nil, nil, nil, errors.New("dynamic section without a string table")
	}
	off, ok := e.offset(e.Order.Uint64(address[8:]), e.Order.Uint64(size[8:]))
	if !ok {
		return nil, nil, nil, errors.New("dynamic string table lies in no segment")
	}
	table, err = e.Bytes(off, e.Order.Uint64(size[8:]), "the table of dynamic names")
	return table, address, size, err
}

// relocate gives the file a segment more at its end, with the loader, the dynamic names and the library path in it, and
// leads to it.
func (e *edit) relocate(interp, rpath string) ([]change, error) {
	names, strtab, strsz, err := e.names()
	if err != nil {
		return nil, err
	}
	if e.note < 0 {
		return nil, errors.New("no PT_NOTE program header to give up for a new segment")
	}
	slot, err := e.rpathEntry()
	if err != nil {
		return nil, err
	}
	var tail bytes.Buffer
	if e.interp >= 0 {
		tail.WriteString(interp + "\x00")
	}
	namesAt := uint64(tail.Len())
	tail.Write(names)
	rpathAt := uint64(tail.Len()) - namesAt
	tail.WriteString(rpath + "\x00")

	round := func(v uint64) uint64 { return (v + pageSize - 1) &^ (pageSize - 1) }
	off, addr, n := round(uint64(e.Size)), round(e.end), uint64(tail.Len())
	e.Order.PutUint64(slot, uint64(elf.DT_RPATH))
	e.Order.PutUint64(slot[8:], rpathAt)
	e.Order.PutUint64(strtab[8:], addr+namesAt)
	e.Order.PutUint64(strsz[8:], n-namesAt)
	if e.interp >= 0 {
		p := &e.Progs[e.interp]
		p.Off, p.Vaddr, p.Paddr, p.Filesz, p.Memsz = off, addr, addr, namesAt, namesAt
	}
	table := e.load(elf.ProgHeader{
		Type: elf.PT_LOAD, Flags: elf.PF_R, Off: off, Vaddr: addr, Paddr: addr, Filesz: n, Memsz: n, Align: pageSize,
	})
	return []change{{e.dynamicAt, e.dynamic}, {e.phoff, table}, {off, tail.Bytes()}}, nil
}

// load puts a segment in the place of a PT_NOTE, and returns the table of program headers. PT_LOAD headers stand in the
// order of their addresses (gABI): the kernel and the loader rely on it.
func (e *edit) load(p elf.ProgHeader) (table []byte) {
	progs := slices.Delete(e.Progs, e.note, e.note+1)
	last := 0
	for i, p := range progs {
		if p.Type == elf.PT_LOAD {
			last = i
		}
	}
	for _, p := range slices.Insert(progs, last+1, p) {
		raw := elf.Prog64{
			Type: uint32(p.Type), Flags: uint32(p.Flags), Off: p.Off, Vaddr: p.Vaddr, Paddr: p.Paddr,
			Filesz: p.Filesz, Memsz: p.Memsz, Align: p.Align,
		}
		table, _ = binary.Append(table, e.Order, raw) // of a struct of fixed size
	}
	return table
}
