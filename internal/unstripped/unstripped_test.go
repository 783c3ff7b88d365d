package unstripped

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program is an ELF file with a section of code, one of data and so many symbols; path is in .dynstr, where
// installations edit.
func program(code, data, path string, symbols int) []byte {
	type section struct {
		name    string
		typ     elf.SectionType
		flags   elf.SectionFlag
		addr    uint64
		entsize uint64
		body    []byte
	}
	list := []section{
		{},
		{".text", elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, 0x1000, 0, []byte(code)},
		{".data", elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_WRITE, 0x2000, 0, []byte(data)},
		{".dynstr", elf.SHT_STRTAB, elf.SHF_ALLOC, 0x3000, 0, []byte(path)},
	}
	if symbols > 0 {
		list = append(list, section{".symtab", elf.SHT_SYMTAB, 0, 0, 24, make([]byte, 24*symbols)})
	}
	list = append(list, section{".shstrtab", elf.SHT_STRTAB, 0, 0, 0, nil})
	var names, body, headers bytes.Buffer
	for i := range list {
		s := &list[i]
		at := names.Len()
		names.WriteString(s.name + "\x00")
		if i == len(list)-1 {
			s.body = names.Bytes()
		}
		binary.Write(&headers, binary.LittleEndian, elf.Section64{Name: uint32(at), Type: uint32(s.typ), Flags: uint64(s.flags), Addr: s.addr, Off: uint64(64 + body.Len()), Size: uint64(len(s.body)), Entsize: s.entsize})
		body.Write(s.body)
	}
	var out bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(64 + body.Len()), Ehsize: 64, Shentsize: 64, Shnum: uint16(len(list)), Shstrndx: uint16(len(list) - 1)}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	binary.Write(&out, binary.LittleEndian, h)
	out.Write(body.Bytes())
	out.Write(headers.Bytes())
	return out.Bytes()
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	kept, file := filepath.Join(dir, "kept"), filepath.Join(dir, "file")
	put := func(data []byte) {
		t.Helper()
		os.Remove(file)
		if err := os.WriteFile(file, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found := func() string {
		t.Helper()
		path, err := Find(kept, file)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	if put(program("code", "data", "", 3)); found() != "" {
		t.Error("found where nothing was kept")
	}
	for _, data := range [][]byte{program("code", "data", "", 3), program("code", "other", "", 4), program("more", "data", "", 5), program("none", "data", "", 0), []byte("#!/bin/sh\n"), {}} {
		put(data)
		if err := Keep(kept, file); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := os.ReadDir(kept); err != nil || len(list) != 3 {
		t.Errorf("%d files are kept (%v), want the three with symbols", len(list), err)
	}
	for _, c := range []struct {
		name    string
		file    []byte
		symbols int // of what is to be found
	}{
		{"stripped", program("code", "data", "", 0), 3},
		{"stripped of a part", program("code", "data", "", 2), 3},
		{"with all its symbols", program("code", "data", "", 3), 0},
		{"stripped, and its RUNPATH edited", program("code", "data", "/usr/lib", 0), 3},
		{"the same code with other data", program("code", "other", "", 0), 4},
		{"the same code with data that nothing has", program("code", "third", "", 0), 0},
		{"without its data", program("code", "", "", 0), 4},
		{"other code", program("edoc", "data", "", 0), 0},
		{"no program", []byte("text"), 0},
	} {
		put(c.file)
		path := found()
		if path == "" {
			if c.symbols > 0 {
				t.Errorf("%s: nothing is found", c.name)
			}
			continue
		}
		got, err := read(path)
		if err != nil || got.symbols != int64(c.symbols) {
			t.Errorf("%s: found one with %d symbols (%v), want %d", c.name, got.symbols, err, c.symbols)
		}
	}

	put(program("code", "data", "", 0))
	if err := os.WriteFile(found(), []byte("something wrote into it"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path := found(); path != "" {
		t.Errorf("%s is found, and is another file by now", path)
	}
	put(program("more", "data", "", 0))
	if err := Prune(kept, []string{found()}); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(kept); err != nil || len(list) != 1 || found() == "" {
		t.Errorf("%d files are there (%v), want the one in use", len(list), err)
	}
}

// TestKeepOnce: the second of two strips of a file takes less away, and does not replace what the first one's left.
func TestKeepOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	for _, n := range []int{5, 2, 7} {
		if err := os.WriteFile(file, program("code", "data", "", n), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Keep(dir+"/kept", file); err != nil {
			t.Fatal(err)
		}
		os.Remove(file)
	}
	if err := os.WriteFile(file, program("code", "data", "", 0), 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := Find(dir+"/kept", file)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := read(path); err != nil || c.symbols != 7 {
		t.Errorf("%d symbols (%v), want the most that there were, 7", c.symbols, err)
	}
}

func TestWish(t *testing.T) {
	dir := t.TempDir()
	rsp := filepath.Join(dir, "rsp")
	if err := os.WriteFile(rsp, []byte("-o 'out file' \"-s\"\n a\\ b"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want, output, objcopy string }{
		{"-o p a.o", "-o p a.o", "p", ""},
		{"-s -o p a.o", "-S -o p a.o", "p", "--strip-all-gnu"},
		{"a.o --strip-all -op", "a.o -S -op", "p", "--strip-all-gnu"},
		{"a.o -strip-all --output=p", "a.o -S --output=p", "p", "--strip-all-gnu"},
		{"a.o -s", "a.o -S", "a.out", "--strip-all-gnu"},
		{"-S -s a.o", "-S -S a.o", "a.out", "--strip-all-gnu"},
		{"-s -S a.o", "-s -S a.o", "a.out", ""},
		{"-s --strip-debug a.o", "-s --strip-debug a.o", "a.out", ""},
		{"-S a.o", "-S a.o", "a.out", ""},
		{"-x a.o -o p", "a.o -o p", "p", "--discard-all"},
		{"--discard-all -s a.o", "-S a.o", "a.out", "--strip-all-gnu"},
		{"-m i386pep -s -o p.exe a.o", "-m i386pep -S -o p.exe a.o", "p.exe", "--strip-all"},
		{"-m i386pep -x a.o", "-m i386pep -x a.o", "a.exe", ""},
		{"-m aarch64linux -s a.o", "-m aarch64linux -S a.o", "a.out", "--strip-all-gnu"},
		{"-r -s a.o -o p", "-r -S a.o -o p", "p", ""},
		{"-r -x a.o -o p", "-r a.o -o p", "p", ""},
		{"--emit-relocs -s a.o", "--emit-relocs -S a.o", "a.out", ""},
		{"-soname s -shared a.o", "-soname s -shared a.o", "a.out", ""},
		{"@" + rsp, "-o|out file|-S|a b", "out file", "--strip-all-gnu"},
		{"@" + dir + "/none a.o", "@" + dir + "/none a.o", "a.out", ""},
	} {
		w := wishOf(strings.Fields(c.args))
		want := strings.Fields(c.want)
		if strings.Contains(c.want, "|") {
			want = strings.Split(c.want, "|")
		}
		if !slices.Equal(w.args, want) && c.objcopy != "" || w.output != c.output || strings.Join(w.objcopy, " ") != c.objcopy {
			t.Errorf("%s:\n%q %q %q\nwant\n%q %q %q", c.args, w.args, w.output, w.objcopy, want, c.output, c.objcopy)
		}
	}
}

func TestResponseFile(t *testing.T) {
	args := []string{"a b", `c"d`, `e\f`, "", "g'h", "-o"}
	file, err := responseFile(args)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	if got := expand([]string{"@" + file}, 0); !slices.Equal(got, args) {
		t.Errorf("%q came back as %q", args, got)
	}
}

func TestStamps(t *testing.T) {
	for _, c := range []struct{ data, mark, end, want string }{
		{"ab\xff Go build ID: \"x/y\"\n \xffcd", "\xff Go build ID: \"", "\"\n \xff", "x/y"},
		{"ab\xff Go build ID: \"x/y", "\xff Go build ID: \"", "\"\n \xff", ""},
		{"ab", "\xff Go build ID: \"", "\"\n \xff", ""},
		{"ab<" + strings.Repeat("x", 40), "<", "", strings.Repeat("x", 32)},
		{"ab<x", "<", "", "x"},
	} {
		if got := string(goStamp([]byte(c.data), c.mark, c.end)); got != c.want {
			t.Errorf("%q: %q, want %q", c.data, got, c.want)
		}
	}
	for _, c := range []struct {
		addr, size uint32
		want       string
	}{{0x1002, 3, "cde"}, {0x0fff, 2, "a"}, {0x1004, 9, "ef"}, {0x2000, 4, ""}, {0, 0, ""}, {0x10, 4, ""}} {
		if got := string(overlap([]byte("abcdef"), 0x1000, c.addr, c.size)); got != c.want {
			t.Errorf("%#x, %d: %q, want %q", c.addr, c.size, got, c.want)
		}
	}
}
