package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// sample is a small program with all that Relocate looks at: PT_INTERP, PT_NOTE, PT_LOAD and a dynamic section with
// room. It parses, but does not run.
func sample() []byte {
	le := binary.LittleEndian
	const at = 64 + 4*56
	strs := "\x00libc.so.6\x00"
	name := "/lib64/ld.so\x00"
	dynAt := uint64(at + len(name) + len(strs))
	dyn := []uint64{uint64(elf.DT_NEEDED), 1, uint64(elf.DT_STRTAB), 0x400000 + uint64(at+len(name)), uint64(elf.DT_STRSZ), uint64(len(strs)), uint64(elf.DT_DEBUG), 0, 0, 0, 0, 0}
	size := dynAt + uint64(len(dyn))*8
	var b bytes.Buffer
	binary.Write(&b, le, elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 4, Shentsize: 64})
	binary.Write(&b, le, []elf.Prog64{
		{Type: uint32(elf.PT_INTERP), Off: at, Vaddr: 0x400000 + at, Filesz: uint64(len(name)), Memsz: uint64(len(name))},
		{Type: uint32(elf.PT_LOAD), Off: 0, Vaddr: 0x400000, Filesz: size, Memsz: size},
		{Type: uint32(elf.PT_DYNAMIC), Off: dynAt, Vaddr: 0x400000 + dynAt, Filesz: size - dynAt, Memsz: size - dynAt},
		{Type: uint32(elf.PT_NOTE)},
	})
	b.WriteString(name + strs)
	binary.Write(&b, le, dyn)
	return b.Bytes()
}

// edited is a file as relocated changes it, nil where it stays as it is.
func edited(data []byte, interp, rpath string) ([]byte, error) {
	changes, err := relocated(NewSource(bytes.NewReader(data), int64(len(data))), interp, rpath)
	if err != nil || changes == nil {
		return nil, err
	}
	out := bytes.Clone(data)
	for _, c := range changes {
		if more := int(c.at) + len(c.data) - len(out); more > 0 {
			out = append(out, make([]byte, more)...)
		}
		copy(out[c.at:], c.data)
	}
	return out, nil
}

// TestNoteBeforeLoads: linkers that put PT_NOTE first (Go's) leave the new segment's header behind those of lower
// addresses all the same.
func TestNoteBeforeLoads(t *testing.T) {
	b := sample()
	note := bytes.Clone(b[64+3*56 : 64+4*56])
	copy(b[64+56:], b[64:64+3*56])
	copy(b[64:], note)
	out, err := edited(b, "/tree/ld.so", "/tree/lib")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	e, err := OpenELF(Memory(out))
	if err != nil || e.ReadInterp() != nil {
		t.Fatal(err)
	}
	var types []elf.ProgType
	for _, p := range f.Progs {
		types = append(types, p.Type)
	}
	if want := []elf.ProgType{elf.PT_INTERP, elf.PT_LOAD, elf.PT_LOAD, elf.PT_DYNAMIC}; !slices.Equal(types, want) || f.Progs[1].Vaddr > f.Progs[2].Vaddr || e.Interp != "/tree/ld.so" {
		t.Errorf("headers %v, want %v; loader %q", types, want, e.Interp)
	}
}

// TestRelocated looks at the edited bytes, and at what is refused.
func TestRelocated(t *testing.T) {
	out, err := edited(sample(), "/tree/ld.so", "/tree/lib")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	e, err := OpenELF(Memory(out))
	if err != nil || e.ReadInterp() != nil {
		t.Fatal(err)
	}
	if e.Interp != "/tree/ld.so" {
		t.Errorf("the loader is %q", e.Interp)
	}
	d, err := e.ReadDynamic()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.RPath, []string{"/tree/lib"}) {
		t.Errorf("DT_RPATH is %q", d.RPath)
	}
	if !slices.Equal(d.Needed, []string{"libc.so.6"}) {
		t.Errorf("DT_NEEDED is %q", d.Needed)
	}
	last := uint64(0)
	// Every segment is where the kernel can map it (System V gABI: p_vaddr and p_offset agree modulo p_align).
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Align > 1 && p.Vaddr%p.Align != p.Off%p.Align {
			t.Errorf("segment %d: address %#x, offset %#x, alignment %#x", i, p.Vaddr, p.Off, p.Align)
		}
		if p.Type == elf.PT_LOAD {
			if p.Vaddr < last {
				t.Errorf("segment %d at %#x comes after one at %#x", i, p.Vaddr, last)
			}
			last = p.Vaddr
		}
	}

	le := binary.LittleEndian
	change := func(edit func(b []byte)) []byte {
		b := sample()
		edit(b)
		return b
	}
	const dynamic = 64 + 2*56
	dynOff := func(b []byte) uint64 { return le.Uint64(b[dynamic+8:]) }
	for name, c := range map[string]struct {
		data []byte
		want string // in the error; "" for errNotDynamic
	}{
		"empty":                       {nil, ""},
		"text":                        {[]byte("#!/bin/sh\n" + strings.Repeat("x", 100)), ""},
		"cut in the header":           {sample()[:50], ""},
		"32 bits":                     {change(func(b []byte) { b[4] = 1 }), ""},
		"big-endian":                  {change(func(b []byte) { b[5] = 2 }), ""},
		"an object file":              {change(func(b []byte) { b[16] = byte(elf.ET_REL) }), ""},
		"no dynamic section":          {change(func(b []byte) { le.PutUint32(b[dynamic:], 0) }), ""},
		"cut in the program headers":  {sample()[:100], "program headers lie outside of the file"},
		"headers far away":            {change(func(b []byte) { le.PutUint64(b[32:], 1<<63) }), "program headers lie outside of the file"},
		"65535 headers":               {change(func(b []byte) { le.PutUint16(b[56:], 0xffff) }), "program headers lie outside of the file"},
		"headers of another size":     {change(func(b []byte) { le.PutUint16(b[54:], 32) }), "program headers lie outside of the file"},
		"cut in the dynamic section":  {sample()[:len(sample())-40], "lies outside of the file"},
		"a huge segment":              {change(func(b []byte) { le.PutUint64(b[dynamic+32:], 1<<63) }), "lies outside of the file"},
		"a segment that wraps around": {change(func(b []byte) { le.PutUint64(b[dynamic+8:], 1<<64-8) }), "lies outside of the file"},
		"no note":                     {change(func(b []byte) { le.PutUint32(b[64+3*56:], 0) }), "no PT_NOTE"},
		"no string table":             {change(func(b []byte) { le.PutUint64(b[dynOff(b)+16:], uint64(elf.DT_HASH)) }), "without a string table"},
		"a string table elsewhere":    {change(func(b []byte) { le.PutUint64(b[dynOff(b)+24:], 1<<40) }), "lies in no segment"},
		"a huge string table":         {change(func(b []byte) { le.PutUint64(b[dynOff(b)+40:], 1<<63) }), "lies in no segment"},
		"no room": {change(func(b []byte) {
			for at := dynOff(b) + 48; at < uint64(len(b)); at += 16 {
				le.PutUint64(b[at:], uint64(elf.DT_FLAGS))
			}
		}), "no room for a DT_RPATH"},
	} {
		out, err := edited(c.data, "/tree/ld.so", "/tree/lib")
		switch {
		case c.want == "" && !errors.Is(err, errNotDynamic), c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		case out != nil:
			t.Errorf("%s: bytes beside an error", name)
		}
	}
}

// TestRelocateKeeps: mode and other names of a file; nothing beside it.
func TestRelocateKeeps(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "program"), filepath.Join(dir, "other")
	if err := os.WriteFile(file, sample(), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, other); err != nil {
		t.Fatal(err)
	}
	if err := Relocate(file, "/tree/ld.so", "/tree/lib"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(other); err != nil || !bytes.Equal(data, sample()) {
		t.Errorf("the file's other name changed with it: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

// FuzzRelocate: no file makes it panic, and what it writes reads as an ELF file with the new loader.
func FuzzRelocate(f *testing.F) {
	good := sample()
	f.Add(good)
	for at := 0; at < len(good); at += 8 {
		for _, v := range []uint64{0, 1, 1<<31 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 8} {
			bad := bytes.Clone(good)
			if at+8 <= len(bad) {
				binary.LittleEndian.PutUint64(bad[at:], v)
			}
			f.Add(bad)
		}
		f.Add(good[:at])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := edited(data, "/tree/ld.so", "/tree/lib")
		if err != nil || out == nil {
			return
		}
		if len(out) > len(data)*2+2*pageSize {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
	})
}

// TestRelocateReadsLittle: of a large file no more is in memory than what changes.
func TestRelocateReadsLittle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, sample(), 0o755); err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Relocate(file, "/tree/ld.so", "/tree/lib"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", n, size)
	}
	s, closer, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	e, err := OpenELF(s)
	if err != nil || e.ReadInterp() != nil || e.Interp != "/tree/ld.so" || s.Size <= size {
		t.Errorf("loader %q in %d bytes, %v", e.Interp, s.Size, err)
	}
}
