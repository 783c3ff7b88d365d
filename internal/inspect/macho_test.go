package inspect

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/object"
)

// machoOf is a small 64-bit Mach-O program: loader, libraries, a run path, id, system, symbols.
func machoOf(cpu macho.Cpu) []byte {
	var commands, out bytes.Buffer
	n := uint32(0)
	put := func(b *bytes.Buffer, v ...any) {
		for _, x := range v {
			binary.Write(b, le, x)
		}
	}
	command := func(cmd uint32, v ...any) {
		var c bytes.Buffer
		put(&c, v...)
		for c.Len()%8 != 0 {
			c.WriteByte(0)
		}
		put(&commands, cmd, uint32(8+c.Len()))
		commands.Write(c.Bytes())
		n++
	}
	text := func(s string) []byte { return append([]byte(s), 0) }
	command(object.LCLoadDylinker, uint32(12), text("/usr/lib/dyld"))
	command(object.LCLoadDylib, uint32(24), make([]byte, 12), text("/usr/lib/libSystem.B.dylib"))
	command(object.LCLoadWeakDylib, uint32(24), make([]byte, 12), text("@rpath/libhello.dylib"))
	command(object.LCRPath, uint32(12), text("@executable_path/../lib"))
	command(object.LCUUID, []byte("0123456789abcdef"))
	command(object.LCBuildVersion, uint32(1), uint32(11<<16), uint32(15<<16|2<<8), uint32(1), uint32(3), uint32(1115<<16|7<<8|3))
	command(object.LCCodeSignature, uint32(0), uint32(0))
	var segment [16]byte
	copy(segment[:], "__DWARF")
	var section [16]byte
	copy(section[:], "__debug_info")
	command(object.LCSegment64, segment, make([]byte, 40), uint32(1), uint32(0), section, segment, make([]byte, 48))
	names := "\x00_main\x00_printf\x00___stack_chk_fail\x00_local\x00"
	offset := func(s string) uint32 { return uint32(strings.Index(names, "\x00"+s+"\x00") + 1) }
	from := uint32(32 + commands.Len() + 24)
	command(object.LCSymtab, from, uint32(4), from+4*16, uint32(len(names)))
	put(&out, macho.Magic64, cpu, uint32(0), uint32(2), n, uint32(commands.Len()), uint32(machoPIE), uint32(0))
	out.Write(commands.Bytes())
	for _, s := range []struct {
		name string
		kind uint8
		desc uint16
	}{{"_main", 0x0f, 0}, {"_printf", 0x01, 1 << 8}, {"___stack_chk_fail", 0x01, 1<<8 | 0x40}, {"_local", 0x0e, 0}} {
		put(&out, offset(s.name), s.kind, uint8(0), s.desc, uint64(0))
	}
	out.WriteString(names)
	return out.Bytes()
}

func fatOf(members ...[]byte) []byte {
	var out bytes.Buffer
	binary.Write(&out, binary.BigEndian, []uint32{macho.MagicFat, uint32(len(members))})
	at := uint32(8 + 20*len(members))
	for _, m := range members {
		binary.Write(&out, binary.BigEndian, []uint32{le.Uint32(m[4:]), 0, at, uint32(len(m)), 0})
		at += uint32(len(m))
	}
	for _, m := range members {
		out.Write(m)
	}
	return out.Bytes()
}

func TestMachO(t *testing.T) {
	data := machoOf(macho.CpuArm64)
	r := mustRead(t, data)
	if r.Format != MachO || r.Kind != Executable || r.Link != Dynamic || !r.PIE || r.Machine != "CpuArm64" || r.Platform != "darwin/arm64" || r.Arch != "arm64" || r.Bits != 64 || r.OS != "darwin" || r.MinOS != "macOS 11.0.0" {
		t.Errorf("%+v", r)
	}
	if r.Interp != "/usr/lib/dyld" || !slices.Equal(r.Needed, []string{"/usr/lib/libSystem.B.dylib", "@rpath/libhello.dylib"}) || !slices.Equal(r.RPath, []string{"@executable_path/../lib"}) {
		t.Errorf("loader %s, needs %q, rpath %q", r.Interp, r.Needed, r.RPath)
	}
	if r.BuildID != "30313233343536373839616263646566" || !slices.Equal(r.Compilers, []string{"ld 1115.7.3"}) || !r.Debug || r.Stripped {
		t.Errorf("id %s, compilers %q, debug %v, stripped %v", r.BuildID, r.Compilers, r.Debug, r.Stripped)
	}
	want := []Symbol{{Name: "_printf", Library: "/usr/lib/libSystem.B.dylib"}, {Name: "___stack_chk_fail", Library: "/usr/lib/libSystem.B.dylib", Weak: true}}
	if !slices.Equal(r.Undefined, want) || len(r.Exported) != 1 || r.Exported[0].Name != "_main" {
		t.Errorf("wants %v, exports %v", r.Undefined, r.Exported)
	}
	if h := r.Hardening; h.ASLR != "yes" || h.NX != "yes" || h.StackProtector != "yes" || h.Fortify != "no" || h.Signature != "yes" {
		t.Errorf("hardening %+v", h)
	}
	// The standard library's reader sees the same.
	f, err := macho.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if libs, err := f.ImportedLibraries(); err != nil || libs[0] != r.Needed[0] {
		t.Errorf("debug/macho: %q, %v", libs, err)
	}

	fat := mustRead(t, fatOf(machoOf(macho.CpuAmd64), data))
	if fat.Format != Fat || len(fat.Members) != 2 || fat.Members[0].Platform != "darwin/amd64" || fat.Members[1].Platform != "darwin/arm64" || fat.Arch != "" {
		t.Errorf("fat: %+v", fat)
	}
	for name, ok := range map[string]bool{"darwin/arm64": true, "darwin/amd64": true, "linux/arm64": false} {
		if faults := Errors(Check(fat, parse(t, name), Limits{})); (len(faults) == 0) != ok {
			t.Errorf("the fat file against %s: %v", name, faults)
		}
	}
	if faults := Errors(Check(r, parse(t, "darwin/amd64"), Limits{})); len(faults) != 1 || !strings.Contains(faults[0].Text, "is for CpuArm64, not for darwin/amd64") {
		t.Errorf("arm64 against darwin/amd64: %v", faults)
	}
}

func TestDamagedMachO(t *testing.T) {
	good := machoOf(macho.CpuAmd64)
	change := func(at int, v uint32) []byte {
		d := bytes.Clone(good)
		le.PutUint32(d[at:], v)
		return d
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut in the header", good[:20], "the Mach-O header lies outside of the file"},
		{"cut in the commands", good[:100], "the load commands lies outside of the file"},
		{"cut in the names", good[:len(good)-1], "the table of names lies outside of the file"},
		{"a command without a size", change(36, 0), "a load command of 0 bytes"},
		{"more commands than there are", change(16, 1000), "the load commands are cut short"},
		{"a fat file of nothing", fatOf(good)[:30], "lies outside of the file"},
	} {
		if _, err := read(t, c.data); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
