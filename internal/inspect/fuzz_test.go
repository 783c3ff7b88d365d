package inspect

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// seeds are files of every kind, each put together by the tests.
func seeds(t testing.TB) map[string][][]byte {
	property := make([]byte, 16)
	le.PutUint32(property, propertyX86Features)
	le.PutUint32(property[4:], 4)
	le.PutUint32(property[8:], 3)
	amd64 := usual("linux/amd64")
	amd64.notes = append(amd64.notes, note{"GNU", noteProperties, property})
	noSections := usual("linux/arm64")
	noSections.noSections = true
	object := spec{platform: "linux/arm/v7", kind: elf.ET_REL, undefined: []Symbol{{Name: "printf"}}, attributes: attributesOf("aeabi", binary.LittleEndian, 5, "Cortex-A9", 6, 10, 28, 1)}
	library := spec{platform: "linux/riscv64", kind: elf.ET_DYN, soname: "liba.so.1", exported: []Symbol{{Name: "a", Version: "A_1"}, {Name: "b", Version: "A_2"}}, attributes: attributesOf("riscv", binary.LittleEndian, 5, "rv64gc")}
	goProgram := spec{platform: "linux/ppc64le", kind: elf.ET_EXEC, extra: map[string][]byte{".go.buildinfo": goNote("go1.26.8", "path\texample.org/hello\nmod\texample.org/hello\tv1.0.0\nbuild\tGOOS=linux\n")}}
	return map[string][][]byte{
		"ELF":    {amd64.bytes(t), noSections.bytes(t), usual("linux/s390x").bytes(t), usual("linux/mips64le").bytes(t), object.bytes(t), library.bytes(t), goProgram.bytes(t), spec{platform: "linux/386", kind: elf.ET_EXEC, symbols: true}.bytes(t)},
		"PE":     {peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false), peFile64(pe.IMAGE_FILE_MACHINE_ARM64, true), coffObject(pe.IMAGE_FILE_MACHINE_AMD64)},
		"Mach-O": {machoOf(macho.CpuArm64), fatOf(machoOf(macho.CpuAmd64), machoOf(macho.CpuArm64))},
		"ar":     {arOf(object.bytes(t), []byte("text"), coffObject(pe.IMAGE_FILE_MACHINE_I386)), []byte("!<thin>\n"), arOf(arOf([]byte("an archive in an archive")))},
	}
}

// goNote is what the Go linker notes of a program (debug/buildinfo).
func goNote(version, mod string) []byte {
	b := append([]byte("\xff Go buildinf:"), 8, 2)
	b = append(b, make([]byte, 16)...)
	b = append(binary.AppendUvarint(b, uint64(len(version))), version...)
	mod = "0123456789abcdef" + mod + "0123456789abcdef"
	return append(binary.AppendUvarint(b, uint64(len(mod))), mod...)
}

// try reads a file as the command does: an error is one of the two kinds, and a report can be checked, printed and
// compared.
func try(t testing.TB, data []byte) {
	t.Helper()
	r, err := read(t, data)
	if err != nil {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("an error of another kind: %v", err)
		}
		return
	}
	for _, p := range []string{"linux/amd64", "linux/arm/v7", "windows/amd64", "darwin/arm64"} {
		r.Faults = append(r.Faults, Check(r, parse(t, p), Limits{Glibc: "2.31"})...)
	}
	if err := r.Text(io.Discard); err != nil {
		t.Fatal(err)
	}
	if changes := Diff(r, r); len(changes) > 0 {
		t.Fatalf("a file differs from itself: %+v", changes)
	}
}

func fuzz(f *testing.F, kind string) {
	for _, s := range seeds(f)[kind] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) { try(t, data) })
}

func FuzzELF(f *testing.F)   { fuzz(f, "ELF") }
func FuzzPE(f *testing.F)    { fuzz(f, "PE") }
func FuzzMachO(f *testing.F) { fuzz(f, "Mach-O") }
func FuzzAr(f *testing.F)    { fuzz(f, "ar") }

// TestRandom changes each seed in every way that is quickly done: cut at many lengths, and two hundred times some bytes
// set to what hurts.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []uint64{0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff}
	for _, list := range seeds(t) {
		for _, seed := range list {
			for n := 0; n < len(seed); n += 1 + n/256 {
				try(t, seed[:n])
			}
			for range 200 {
				d := bytes.Clone(seed)
				for range 1 + rng.IntN(4) {
					var b [8]byte
					binary.LittleEndian.PutUint64(b[:], values[rng.IntN(len(values))])
					copy(d[rng.IntN(len(d)):], b[:1<<rng.IntN(4)])
				}
				try(t, d)
			}
		}
	}
}

// costs runs what may cost little time and memory although the file asks for much of both.
func costs(t *testing.T, name string, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	_, err := read(t, data)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	grew := after.TotalAlloc - before.TotalAlloc
	t.Logf("%s: %d kB, %v, %d kB allocated: %v", name, len(data)>>10, took.Round(time.Millisecond), grew>>10, err)
	// Four times a file's size are read at most; names and lists of them come on top.
	if grew > 64*uint64(len(data))+8<<20 {
		t.Errorf("%s: %d kB allocated for a file of %d kB", name, grew>>10, len(data)>>10)
	}
	if took > 10*time.Second {
		t.Errorf("%s: took %v", name, took)
	}
}

// TestHostile: tables that are made to be read again and again, or to be longer than they are.
func TestHostile(t *testing.T) {
	const mega = 1 << 20
	long := bytes.Repeat([]byte("x"), 8*mega)
	long[len(long)-1] = 0

	// 60,000 sections, each with the same name of eight million letters: debug/elf copies it for each of them.
	head := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64, Shnum: 60000, Shstrndx: 1, Shoff: 64}
	var b bytes.Buffer
	binary.Write(&b, le, head)
	sections := make([]elf.Section64, head.Shnum)
	for i := range sections {
		sections[i] = elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: 64 + 64*60000, Size: uint64(len(long))}
	}
	binary.Write(&b, le, sections)
	b.Write(long)
	costs(t, "long names of sections", b.Bytes())

	// The same sections as notes, each of them the whole of the file.
	b.Reset()
	for i := range sections {
		sections[i].Type, sections[i].Name, sections[i].Size, sections[i].Off = uint32(elf.SHT_NOTE), uint32(len(long)-1), 1<<20, 0
	}
	sections[1] = elf.Section64{Type: uint32(elf.SHT_STRTAB), Name: uint32(len(long) - 1), Off: 64 + 64*60000, Size: uint64(len(long))}
	binary.Write(&b, le, head)
	binary.Write(&b, le, sections)
	b.Write(long)
	costs(t, "overlapping notes", b.Bytes())

	// An object whose symbols all have the same long name.
	object := spec{platform: "linux/amd64", kind: elf.ET_REL, undefined: []Symbol{{Name: "a"}}}
	data := object.bytes(t)
	at := int(le.Uint64(data[40:])) // the sections: none, .strtab, .symtab, .shstrtab
	syms := make([]elf.Sym64, 100000)
	for i := range syms {
		syms[i] = elf.Sym64{Name: 0, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC)}
	}
	le.PutUint64(data[at+64+24:], uint64(len(data)))
	le.PutUint64(data[at+64+32:], uint64(len(long)))
	le.PutUint64(data[at+128+24:], uint64(len(data)+len(long)))
	le.PutUint64(data[at+128+32:], uint64(24*len(syms)))
	b.Reset()
	b.Write(data)
	b.Write(long)
	binary.Write(&b, le, syms)
	costs(t, "long names of symbols", b.Bytes())

	// An archive of nothing but headers.
	b.Reset()
	b.WriteString("!<arch>\n")
	for range 200000 {
		arMember(&b, "a/", nil)
	}
	costs(t, "members without content", b.Bytes())

	// Sizes near the largest number.
	data = usual("linux/amd64").bytes(t)
	for _, at := range []int{32, 40} {
		d := bytes.Clone(data)
		le.PutUint64(d[at:], ^uint64(0)-64)
		costs(t, "tables at the end of the address space", d)
	}

	// A Mach-O file whose load commands are four billion, and a PE file of as many symbols.
	d := machoOf(macho.CpuAmd64)
	le.PutUint32(d[16:], ^uint32(0))
	costs(t, "load commands", d)
	d = peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false)
	le.PutUint32(d[dosHeader+4+8:], 100)
	le.PutUint32(d[dosHeader+4+12:], ^uint32(0))
	costs(t, "symbols of PE", d)
}

// TestGoNote reads the Go linker's note, and survives what is none.
func TestGoNote(t *testing.T) {
	mod := "path\texample.org/hello/cmd\nmod\texample.org/hello\tv1.2.0\ndep\texample.org/a\tv1.0.0\th1:x=\ndep\texample.org/b\tv2.0.0\n=>\texample.org/c\tv3.0.0\th1:y=\nbuild\tGOOS=linux\nbuild\tCGO_ENABLED=0\n"
	s := spec{platform: "linux/amd64", kind: elf.ET_EXEC, extra: map[string][]byte{".go.buildinfo": goNote("go1.26.8", mod)}}
	g := mustRead(t, s.bytes(t)).Go
	if g == nil || g.Version != "go1.26.8" || g.Path != "example.org/hello/cmd" || g.Module != "example.org/hello@v1.2.0" || len(g.Deps) != 2 || g.Deps[1] != "example.org/c@v3.0.0" || g.Settings["CGO_ENABLED"] != "0" {
		t.Errorf("%+v", g)
	}
	if r := mustRead(t, s.bytes(t)); r.OS != "linux" || r.Platform != "linux/amd64" {
		t.Errorf("its system: %q, %q", r.OS, r.Platform)
	}
	whole := goNote("go1.26.8", mod)
	for n := range whole {
		parseGoBuild(whole[:n]) // no panic; what is cut off is not there
	}
	if g := parseGoBuild(whole[:40]); g == nil || g.Path != "" {
		t.Errorf("a note that is cut off: %+v", g)
	}
	old := bytes.Clone(whole)
	old[15] = 0
	if g := parseGoBuild(old); g == nil || g.Version != "before go1.18" {
		t.Errorf("the old form: %+v", g)
	}
}
