package inspect

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// peFile64 is a small 64-bit PE file with one section: exports, imports by name and by number, delayed imports, a
// CodeView record.
func peFile64(machine uint16, dll bool) []byte {
	const head, rva = 0x200, 0x1000
	var body bytes.Buffer
	at := func() uint32 { return uint32(rva + body.Len()) }
	text := func(s string) uint32 {
		a := at()
		body.WriteString(s + "\x00")
		return a
	}
	align := func() {
		for body.Len()%8 != 0 {
			body.WriteByte(0)
		}
	}
	w := func(v ...any) {
		for _, x := range v {
			binary.Write(&body, le, x)
		}
	}
	dirs := make([][2]uint32, 16)
	// Exports.
	name, one := text("hello.dll"), text("Exported")
	align()
	names := at()
	w(one)
	align()
	dirs[0] = [2]uint32{at(), 40}
	w(uint32(0), uint32(0), uint32(0), name, uint32(1), uint32(1), uint32(1), uint32(0), names, uint32(0))
	// Imports: a hint in front of each name.
	kernel, c := text("KERNEL32.dll"), text("msvcrt.dll")
	align()
	exit := at()
	w(uint16(0))
	text("ExitProcess")
	align()
	first := at()
	w(uint64(exit), uint64(0))
	second := at()
	w(uint64(1<<63|7), uint64(0))
	dirs[1] = [2]uint32{at(), 60}
	w(first, uint32(0), uint32(0), kernel, first, uint32(0), uint32(0), uint32(0), c, second, make([]byte, 20))
	delayed := text("USER32.dll")
	align()
	third := at()
	w(uint64(exit), uint64(0))
	dirs[13] = [2]uint32{at(), 64}
	w(uint32(1), delayed, uint32(0), uint32(0), third, make([]byte, 12), make([]byte, 32))
	// The debug directory.
	align()
	record := uint32(body.Len() + head)
	w([]byte("RSDS0123456789abcdef"), uint32(1))
	align()
	dirs[6] = [2]uint32{at(), 28}
	w(uint32(0), uint32(0), uint32(0), uint32(2), uint32(24), uint32(0), record)
	text("GCC: (GNU) 14-win32")
	text("/rustc/0123456789012345678901234567890123456789/library/std/src/io/mod.rs")

	var out bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			binary.Write(&out, le, x)
		}
	}
	dos := make([]byte, dosHeader)
	copy(dos, "MZ")
	dos[0x3c] = dosHeader
	put(dos, []byte("PE\x00\x00"))
	characteristics := uint16(pe.IMAGE_FILE_EXECUTABLE_IMAGE)
	if dll {
		characteristics |= pe.IMAGE_FILE_DLL
	}
	put(pe.FileHeader{Machine: machine, NumberOfSections: 1, SizeOfOptionalHeader: 112 + 128, Characteristics: characteristics})
	optional := pe.OptionalHeader64{Magic: 0x20b, MajorSubsystemVersion: 6, MinorSubsystemVersion: 1, Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI, NumberOfRvaAndSizes: 16,
		DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA}
	for i, d := range dirs {
		optional.DataDirectory[i] = pe.DataDirectory{VirtualAddress: d[0], Size: d[1]}
	}
	put(optional)
	put(pe.SectionHeader32{Name: [8]uint8{'.', 'r', 'd', 'a', 't', 'a'}, VirtualSize: uint32(body.Len()), VirtualAddress: rva, SizeOfRawData: uint32(body.Len()), PointerToRawData: head})
	put(make([]byte, head-out.Len()))
	put(body.Bytes())
	return out.Bytes()
}

// Sizes of headers.
const (
	dosHeader   = 64
	coffHeader  = 20
	coffSection = 40
	coffSymbol  = 18
)

// coffObject is an object with one function and one name that it wants, long enough for the table of names.
func coffObject(machine uint16) []byte {
	var out bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			binary.Write(&out, le, x)
		}
	}
	put(pe.FileHeader{Machine: machine, NumberOfSections: 1, PointerToSymbolTable: coffHeader + coffSection, NumberOfSymbols: 3})
	put(pe.SectionHeader32{Name: [8]uint8{'/', '4'}})
	put(pe.COFFSymbol{Name: [8]uint8{'m', 'a', 'i', 'n'}, SectionNumber: 1, StorageClass: 2, NumberOfAuxSymbols: 1}, make([]byte, coffSymbol))
	var long [8]uint8
	le.PutUint32(long[4:], 16)
	put(pe.COFFSymbol{Name: long, StorageClass: 2})
	names := ".debug_info\x00a_long_name_of_a_function\x00"
	put(uint32(4+len(names)), []byte(names))
	return out.Bytes()
}

func TestPE(t *testing.T) {
	r := mustRead(t, peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false))
	if r.Format != PE || r.Kind != Executable || r.Machine != "IMAGE_FILE_MACHINE_AMD64" || r.Platform != "windows/amd64" || r.Arch != "amd64" || r.Bits != 64 || r.OS != "windows" || r.MinOS != "windows 6.1" || r.Link != Dynamic || !r.PIE {
		t.Errorf("%+v", r)
	}
	if !slices.Equal(r.Needed, []string{"KERNEL32.dll", "msvcrt.dll", "USER32.dll"}) || r.SOName != "hello.dll" || len(r.Exported) != 1 || r.Exported[0].Name != "Exported" {
		t.Errorf("needs %q, is %q, exports %v", r.Needed, r.SOName, r.Exported)
	}
	want := []Symbol{{Name: "ExitProcess", Library: "KERNEL32.dll"}, {Name: "#7", Library: "msvcrt.dll"}, {Name: "ExitProcess", Library: "USER32.dll"}}
	if !slices.Equal(r.Undefined, want) {
		t.Errorf("wants %v, want %v", r.Undefined, want)
	}
	if r.BuildID != "30313233343536373839616263646566" || !slices.Equal(r.Compilers, []string{"GCC: (GNU) 14-win32", "rustc (standard library of 0123456789012345678901234567890123456789)"}) {
		t.Errorf("build id %s, compilers %q", r.BuildID, r.Compilers)
	}
	if h := r.Hardening; h.ASLR != "yes" || h.NX != "yes" || h.HighEntropy != "yes" || h.CFG != "no" {
		t.Errorf("hardening %+v", h)
	}
	// The standard library's reader sees the same.
	f, err := pe.NewFile(bytes.NewReader(peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false)))
	if err != nil {
		t.Fatal(err)
	}
	if symbols, err := f.ImportedSymbols(); err != nil || !slices.Contains(symbols, "ExitProcess:KERNEL32.dll") {
		t.Errorf("debug/pe: %v, %v", symbols, err)
	}
	for name, want := range map[string]string{
		"windows/amd64": "", "windows/arm64": "is for IMAGE_FILE_MACHINE_AMD64, not for windows/arm64", "linux/amd64": "is of format PE, not the ELF of linux/amd64",
	} {
		var got string
		if faults := Check(r, parse(t, name), Limits{}); len(faults) > 0 {
			got = faults[0].Text
		}
		if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("against %s: %q, want %q", name, got, want)
		}
	}
	if r := mustRead(t, peFile64(pe.IMAGE_FILE_MACHINE_ARM64, true)); r.Kind != Shared || r.Platform != "windows/arm64" {
		t.Errorf("a DLL: %s for %s", r.Kind, r.Platform)
	}
}

// TestAuditOtherSystem: the instructions of a program of Windows say nothing of a platform of Linux, where it may lie
// as data.
func TestAuditOtherSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "console.exe")
	if err := os.WriteFile(file, peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"windows/amd64": true, "linux/amd64": false} {
		r, err := File(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Audit(file, b, AuditOptions{}); err != nil || (r.Instructions != nil) != want {
			t.Errorf("for %s: audited is %v (%v), want %v", name, r.Instructions != nil, err, want)
		}
	}
}

func TestCOFF(t *testing.T) {
	imported := make([]byte, 32)
	le.PutUint16(imported[2:], 0xffff)
	le.PutUint16(imported[6:], pe.IMAGE_FILE_MACHINE_AMD64)
	r := mustRead(t, arOf(coffObject(pe.IMAGE_FILE_MACHINE_AMD64), imported))
	if len(r.Members) != 2 || r.Platform != "windows/amd64" {
		t.Fatalf("%+v", r)
	}
	m := r.Members[0]
	if m.Format != COFF || m.Kind != Relocatable || !m.Debug || len(m.Exported) != 1 || m.Exported[0].Name != "main" || len(m.Undefined) != 1 || m.Undefined[0].Name != "a_long_name_of_a_function" {
		t.Errorf("%+v", m)
	}
	if faults := Check(r, parse(t, "windows/arm64"), Limits{}); len(faults) == 0 {
		t.Error("windows/arm64 takes objects for amd64")
	}
}

// TestDebugOnlyPE: what objcopy --only-keep-debug leaves has directories that lead nowhere, and is no damaged program.
func TestDebugOnlyPE(t *testing.T) {
	data := peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false)
	section := data[dosHeader+4+coffHeader+112+128:]
	le.PutUint32(section[16:], 0)
	le.PutUint32(section[36:], pe.IMAGE_SCN_CNT_CODE)
	if r := mustRead(t, data); r.Kind != DebugOnly || !r.Debug || r.Platform != "windows/amd64" {
		t.Errorf("%+v", r)
	}
}

// TestDamagedPE: tables that lead nowhere, or into each other, are errors.
func TestDamagedPE(t *testing.T) {
	good := peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false)
	change := func(at int, v uint32) []byte {
		d := bytes.Clone(good)
		le.PutUint32(d[at:], v)
		return d
	}
	const optional = dosHeader + 4 + coffHeader
	const directories = optional + 112
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut behind the mark", good[:dosHeader+4], "the COFF header lies outside of the file"},
		{"cut before the mark", good[:dosHeader], "lies outside of the file"},
		{"cut in the content", good[:len(good)-9], `section ".rdata" lies outside of the file`},
		{"an optional header of another kind", change(optional, 0x777), "an optional header of kind 0x777"},
		{"imports at an address that is not there", change(directories+8, 0x999000), "lies in no section"},
		{"exports without an end of names", change(directories, 0x1000+uint32(len(good))), "lies in no section"},
	} {
		if _, err := read(t, c.data); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
