package compose

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// dynamicProgram is a program of the host that has a loader: /bin/true, or one of its kin.
func dynamicProgram(t testing.TB) (path string, f *elf.File) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs a Linux host")
	}
	for _, path := range []string{"/bin/true", "/usr/bin/true", "/bin/ls", "/bin/sh"} {
		f, err := elf.Open(path)
		if err != nil {
			continue
		}
		t.Cleanup(func() { f.Close() })
		if interp(f) != "" && f.Class == elf.ELFCLASS64 {
			return path, f
		}
	}
	t.Skip("the host has no dynamic program to try it on")
	return "", nil
}

func interp(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			p.ReadAt(b, 0)
			return strings.TrimRight(string(b), "\x00")
		}
	}
	return ""
}

// dynString is an entry of the dynamic section as a loader reads it: through the segments. debug/elf goes by sections,
// which are for linkers and debuggers.
func dynString(f *elf.File, tag elf.DynTag) (string, error) {
	value := func(tag elf.DynTag) (uint64, bool) {
		for _, p := range f.Progs {
			if p.Type == elf.PT_DYNAMIC {
				b := make([]byte, p.Filesz)
				p.ReadAt(b, 0)
				for at := 0; at+16 <= len(b) && f.ByteOrder.Uint64(b[at:]) != 0; at += 16 {
					if elf.DynTag(f.ByteOrder.Uint64(b[at:])) == tag {
						return f.ByteOrder.Uint64(b[at+8:]), true
					}
				}
			}
		}
		return 0, false
	}
	table, _ := value(elf.DT_STRTAB)
	size, _ := value(elf.DT_STRSZ)
	off, ok := value(tag)
	if !ok {
		return "", fmt.Errorf("no %v", tag)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && table >= p.Vaddr && table+size <= p.Vaddr+p.Filesz && off < size {
			b := make([]byte, size)
			if _, err := p.ReadAt(b, int64(table-p.Vaddr)); err != nil {
				return "", err
			}
			s, _, _ := strings.Cut(string(b[off:]), "\x00")
			return s, nil
		}
	}
	return "", fmt.Errorf("%v lies in no segment", tag)
}

// library finds a library of the host as its loader does.
func library(t *testing.T, name, multiarch string) string {
	t.Helper()
	for _, dir := range []string{"/lib/" + multiarch, "/usr/lib/" + multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	t.Skipf("the host's %s is not where this test looks", name)
	return ""
}

func install(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestRelocateTree makes a tree of a program of the host, the host's loader and its libraries, relocates it, moves it
// to its place and runs it there, with an environment that points its loader at rubbish.
func TestRelocateTree(t *testing.T) {
	program, f := dynamicProgram(t)
	multiarch := platform.Host().Multiarch
	tmp, final := filepath.Join(t.TempDir(), "tmp"), filepath.Join(t.TempDir(), "final")
	lib := filepath.Join(tmp, "usr/lib", multiarch)
	install(t, program, filepath.Join(tmp, "usr/bin/program"))
	loader := interp(f)
	install(t, loader, filepath.Join(lib, filepath.Base(loader)))
	done := map[string]bool{filepath.Base(loader): true}
	var libs func(f *elf.File)
	libs = func(f *elf.File) {
		names, err := f.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if done[name] {
				continue
			}
			done[name] = true
			from := library(t, name, multiarch)
			install(t, from, filepath.Join(lib, name))
			g, err := elf.Open(from)
			if err != nil {
				t.Fatal(err)
			}
			libs(g)
			g.Close()
		}
	}
	libs(f)
	// A hard link: what is edited must not change the other name's file in place.
	if err := os.Link(filepath.Join(tmp, "usr/bin/program"), filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
	if err := relocateTree(t.Context(), tmp, final, multiarch, []string{"usr/lib/more"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, final); err != nil {
		t.Fatal(err)
	}

	edited, err := elf.Open(filepath.Join(final, "usr/bin/program"))
	if err != nil {
		t.Fatal(err)
	}
	defer edited.Close()
	if want := filepath.Join(final, "usr/lib", multiarch, filepath.Base(loader)); interp(edited) != want {
		t.Errorf("the loader is %q, want %q", interp(edited), want)
	}
	rpath, err := dynString(edited, elf.DT_RPATH)
	want := final + "/usr/lib/" + multiarch + ":" + final + "/usr/lib/more:" + final + "/usr/lib"
	if err != nil || rpath != want {
		t.Errorf("DT_RPATH is %q, %v, want %q", rpath, err, want)
	}
	before, err := dynString(f, elf.DT_NEEDED)
	if after, aerr := dynString(edited, elf.DT_NEEDED); err != nil || aerr != nil || after != before || after == "" {
		t.Errorf("DT_NEEDED is %q, %v, was %q, %v", after, aerr, before, err)
	}

	rubbish := t.TempDir()
	for name := range done {
		if err := os.WriteFile(filepath.Join(rubbish, name), []byte("no library at all"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(more ...string) string {
		cmd := exec.Command(filepath.Join(final, "usr/bin/program"))
		cmd.Env = append([]string{"LD_LIBRARY_PATH=" + rubbish}, more...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("the relocated program with %q: %v\n%s", cmd.Env, err, out)
		}
		return string(out)
	}
	run()
	// ld.so(8): the loader lists what it loads, and from where.
	for line := range strings.SplitSeq(run("LD_TRACE_LOADED_OBJECTS=1"), "\n") {
		if _, path, ok := strings.Cut(line, " => "); ok && !strings.HasPrefix(path, final+"/") {
			t.Errorf("loaded from outside of the tree: %s", line)
		}
	}

	// Once more is as good as once.
	if err := relocateTree(t.Context(), final, final, multiarch, []string{"usr/lib/more"}, nil); err != nil {
		t.Errorf("a second time: %v", err)
	}
	run()
}

// TestRelocateLibrary: a library's DT_RUNPATH becomes a DT_RPATH, because one with a RUNPATH hides the program's RPATH
// from what it needs.
func TestRelocateLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a C compiler")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler on the host")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("int a(void) { return 7; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		flags []string
		want  map[elf.DynTag]string
	}{
		{"runpath", []string{"-Wl,-rpath,/x", "-Wl,--enable-new-dtags"}, map[elf.DynTag]string{elf.DT_RPATH: "/x"}},
		{"rpath", []string{"-Wl,-rpath,/x", "-Wl,--disable-new-dtags"}, map[elf.DynTag]string{elf.DT_RPATH: "/x"}},
		{"none", nil, map[elf.DynTag]string{}},
	} {
		lib := filepath.Join(dir, c.name+".so")
		if out, err := exec.Command("cc", append([]string{"-shared", "-o", lib, source}, c.flags...)...).CombinedOutput(); err != nil {
			t.Fatalf("cc: %v\n%s", err, out)
		}
		if err := relocate(lib, "/ld.so", "/libs"); err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(lib)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
			got, err := f.DynString(tag)
			if err != nil || strings.Join(got, "") != c.want[tag] {
				t.Errorf("%s: %v is %q, %v, want %q", c.name, tag, got, err, c.want[tag])
			}
		}
		f.Close()
	}
}

// TestRelocateLoaded: a library that programs of other trees load finds what it needs by itself, and comes before what
// LD_LIBRARY_PATH names.
func TestRelocateLoaded(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a C compiler")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler on the host")
	}
	for _, flags := range [][]string{nil, {"-Wl,-rpath,/x", "-Wl,--enable-new-dtags"}, {"-Wl,-rpath,/x", "-Wl,--disable-new-dtags"}} {
		tmp := t.TempDir()
		program := filepath.Join(t.TempDir(), "main") // of no tree
		for name, text := range map[string]string{
			"a.c": "int a(void) { return 7; }\n", "wrong.c": "int a(void) { return 8; }\n", "b.c": "int a(void);\nint b(void) { return a(); }\n",
			"main.c": "int b(void);\nint main(void) { return b(); }\n",
		} {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cc := func(args ...string) {
			t.Helper()
			cmd := exec.Command("cc", args...)
			cmd.Dir = tmp
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("cc %v: %v\n%s", args, err, out)
			}
		}
		for _, dir := range []string{"usr/lib/m", "usr/lib/loaded", "other"} {
			if err := os.MkdirAll(filepath.Join(tmp, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cc("-shared", "-fPIC", "-o", "usr/lib/m/liba.so", "a.c")
		cc("-shared", "-fPIC", "-o", "other/liba.so", "wrong.c")
		cc(append([]string{"-shared", "-fPIC", "-o", "usr/lib/loaded/libb.so", "b.c", "-Lusr/lib/m", "-la"}, flags...)...)
		cc("-o", program, "main.c", "-Wl,--allow-shlib-undefined", "usr/lib/loaded/libb.so")
		run := func() int {
			cmd := exec.Command(program)
			cmd.Dir, cmd.Env = tmp, []string{"LD_LIBRARY_PATH=" + filepath.Join(tmp, "other")}
			cmd.Run()
			return cmd.ProcessState.ExitCode()
		}
		if code := run(); code != 8 {
			t.Fatalf("before, the program ends with %d, want what LD_LIBRARY_PATH leads to", code)
		}
		if err := relocateTree(t.Context(), tmp, tmp, "m", nil, []string{"usr/lib/loaded/*.so"}); err != nil {
			t.Fatal(err)
		}
		if code := run(); code != 7 {
			t.Errorf("linked with %q: the program ends with %d, want the tree's library", flags, code)
		}
	}
}

// sample is a small program with all that relocate looks at: PT_INTERP, PT_NOTE, PT_LOAD and a dynamic section with
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

// TestNoteBeforeLoads: linkers that put PT_NOTE first (Go's) leave the new segment's header behind those of lower
// addresses all the same.
func TestNoteBeforeLoads(t *testing.T) {
	b := sample()
	note := bytes.Clone(b[64+3*56 : 64+4*56])
	copy(b[64+56:], b[64:64+3*56])
	copy(b[64:], note)
	out, err := relocated(b, "/tree/ld.so", "/tree/lib")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var types []elf.ProgType
	for _, p := range f.Progs {
		types = append(types, p.Type)
	}
	if want := []elf.ProgType{elf.PT_INTERP, elf.PT_LOAD, elf.PT_LOAD, elf.PT_DYNAMIC}; !slices.Equal(types, want) || f.Progs[1].Vaddr > f.Progs[2].Vaddr || interp(f) != "/tree/ld.so" {
		t.Errorf("headers %v, want %v; loader %q", types, want, interp(f))
	}
}

// TestRelocated looks at the edited bytes, and at what is refused.
func TestRelocated(t *testing.T) {
	out, err := relocated(sample(), "/tree/ld.so", "/tree/lib")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if interp(f) != "/tree/ld.so" {
		t.Errorf("the loader is %q", interp(f))
	}
	if s, err := dynString(f, elf.DT_RPATH); err != nil || s != "/tree/lib" {
		t.Errorf("DT_RPATH is %q, %v", s, err)
	}
	if s, err := dynString(f, elf.DT_NEEDED); err != nil || s != "libc.so.6" {
		t.Errorf("DT_NEEDED is %q, %v", s, err)
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
		out, err := relocated(c.data, "/tree/ld.so", "/tree/lib")
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
	if err := relocate(file, "/tree/ld.so", "/tree/lib"); err != nil {
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
		out, err := relocated(data, "/tree/ld.so", "/tree/lib")
		if err != nil || out == nil {
			return
		}
		if len(out) > len(data)*2+2*pageSize {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
	})
}
