package crash

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// A builder writes ELF files of one class and byte order.
type builder struct {
	class elf.Class
	order binary.ByteOrder
	b     bytes.Buffer
}

func (w *builder) put(values ...any) {
	for _, v := range values {
		if n, ok := v.(int); ok { // a machine word
			if w.class == elf.ELFCLASS64 {
				v = uint64(n)
			} else {
				v = uint32(n)
			}
		}
		if err := binary.Write(&w.b, w.order, v); err != nil {
			panic(err)
		}
	}
}

func (w *builder) header(machine elf.Machine, kind elf.Type, entry, phnum, shoff, shnum int) {
	w.put([16]byte{0x7f, 'E', 'L', 'F', byte(w.class), map[bool]byte{false: 1, true: 2}[w.order == binary.BigEndian], 1}, uint16(kind), uint16(machine), uint32(1), entry)
	eh, ph, sh := 52, 32, 40
	if w.class == elf.ELFCLASS64 {
		eh, ph, sh = 64, 56, 64
	}
	strings := 0
	if shnum > 0 {
		strings = shnum - 1
	}
	w.put(eh, shoff, uint32(0), uint16(eh), uint16(ph), uint16(phnum), uint16(sh), uint16(shnum), uint16(strings))
}

func (w *builder) segment(kind elf.ProgType, flags elf.ProgFlag, offset, addr, size int) {
	if w.class == elf.ELFCLASS64 {
		w.put(uint32(kind), uint32(flags), offset, addr, addr, size, size, 1)
		return
	}
	w.put(uint32(kind), offset, addr, addr, size, size, uint32(flags), 1)
}

func (w *builder) note(kind uint32, desc []byte) {
	w.put(uint32(5), uint32(len(desc)), kind, []byte("CORE\x00\x00\x00\x00"), desc)
	for w.b.Len()%4 != 0 {
		w.b.WriteByte(0)
	}
}

const (
	text   = 0x10000 // where the program's code is
	stack0 = 0x7000000
)

// program is an ELF program whose code is main at text, crashes behind it.
func program(p platform.Platform, mainCode, crashes []byte) []byte {
	size, sh := 52+32, 40
	if p.Class == elf.ELFCLASS64 {
		size, sh = 64+56, 64
	}
	code := slices.Concat(mainCode, crashes)
	names := []byte("\x00main\x00crashes\x00.symtab\x00.strtab\x00")
	w := &builder{class: p.Class, order: order(p)}
	var syms builder
	syms.class, syms.order = p.Class, order(p)
	symbol := func(name uint32, info uint8, section uint16, value, length int) {
		if p.Class == elf.ELFCLASS64 {
			syms.put(name, info, uint8(0), section, value, length)
		} else {
			syms.put(name, value, length, info, uint8(0), section)
		}
	}
	symbol(0, 0, 0, 0, 0)
	symbol(1, uint8(elf.STT_FUNC), 1, text, len(mainCode))
	symbol(6, uint8(elf.STT_FUNC), 1, text+len(mainCode), len(crashes))
	symAt := size + len(code)
	strAt := symAt + syms.b.Len()
	w.header(p.Machine, elf.ET_EXEC, text, 1, strAt+len(names), 3)
	w.segment(elf.PT_LOAD, elf.PF_R|elf.PF_X, size, text, len(code))
	w.put(code, syms.b.Bytes(), names, make([]byte, sh))
	section := func(name uint32, kind elf.SectionType, offset, length int, link uint32, entry int) {
		w.put(name, uint32(kind), 0, 0, offset, length, link, uint32(0), 1, entry)
	}
	section(14, elf.SHT_SYMTAB, symAt, syms.b.Len(), 2, syms.b.Len()/3)
	section(22, elf.SHT_STRTAB, strAt, len(names), 0, 0)
	return w.b.Bytes()
}

func order(p platform.Platform) binary.ByteOrder {
	if p.BigEndian() {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// coreOf is a core file of a program that SIGILL ended: the registers, and a stack with these words.
func coreOf(p platform.Platform, regs map[int]int, pid int, words ...int) []byte {
	w := &builder{class: p.Class, order: order(p)}
	var notes, desc, mem builder
	for _, b := range []*builder{&notes, &desc, &mem} {
		b.class, b.order = p.Class, order(p)
	}
	before := 112
	info := make([]byte, 40)
	if p.Class == elf.ELFCLASS32 {
		before, info = 72, make([]byte, 28)
	}
	desc.put(uint32(syscall.SIGILL), make([]byte, before-4))
	for i := range 50 {
		desc.put(regs[i])
	}
	notes.note(ntPrstatus, desc.b.Bytes())
	desc.b.Reset()
	desc.put(info[:len(info)-16], uint32(pid), uint32(1), uint32(pid), uint32(pid), make([]byte, 96))
	notes.note(ntPrpsinfo, desc.b.Bytes())
	for _, word := range words {
		mem.put(word)
	}
	first := 52 + 2*32
	if p.Class == elf.ELFCLASS64 {
		first = 64 + 2*56
	}
	w.header(p.Machine, elf.ET_CORE, 0, 2, 0, 0)
	w.segment(elf.PT_NOTE, 0, first, 0, notes.b.Len())
	w.segment(elf.PT_LOAD, elf.PF_R|elf.PF_W, first+notes.b.Len(), stack0, mem.b.Len())
	w.put(notes.b.Bytes(), mem.b.Bytes())
	return w.b.Bytes()
}

func parse(t testing.TB, name string) platform.Platform {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What clang 19 makes of __builtin_trap, as it lies in memory.
var trapCode = map[string]string{
	"linux/amd64":    "\x0f\x0b",
	"linux/386":      "\x0f\x0b",
	"linux/arm64":    "\x20\x00\x20\xd4",
	"linux/arm/v7":   "\xfe\xde\xff\xe7",
	"linux/ppc64le":  "\x08\x00\xe0\x7f",
	"linux/s390x":    "\xa7\xf4\x00\x01",
	"linux/riscv64":  "\x00\x00",
	"linux/mips64le": "\x0d\x00\x00\x00",
	"linux/loong64":  "\x00\x04\x60\x38",
}

// TestExplain explains a trap of each machine from a core file: the function that it is in, that it is a trap, and who
// called.
func TestExplain(t *testing.T) {
	for name, code := range trapCode {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			p := parse(t, name)
			b, err := p.Baseline("", nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			file, core := filepath.Join(dir, "prog"), filepath.Join(dir, "core")
			l := layouts[p.Machine]
			mainCode := bytes.Repeat([]byte{0}, 32)
			pc := text + len(mainCode)
			regs := map[int]int{l.pc: pc, l.sp: stack0}
			if p.Machine == elf.EM_S390 {
				regs[l.pc] += len(code) // the next instruction
			}
			if err := os.WriteFile(file, program(p, mainCode, []byte(code)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(core, coreOf(p, regs, 4711, 5, text+8, text, stack0), 0o644); err != nil {
				t.Fatal(err)
			}
			if pid, parent, err := Owner(core); err != nil || pid != 4711 || parent != 1 {
				t.Errorf("Owner: %d, %d, %v", pid, parent, err)
			}
			c := Explain(Subject{Signal: syscall.SIGILL, Core: core, Program: file, Platform: p, Baseline: b, Emulated: true})
			if c.Unknown != "" || c.At == nil || c.At.Function != "crashes" || c.At.Offset != 0 || c.At.Address != uint64(pc) || !c.Trap {
				t.Errorf("%+v, at %+v", c, c.At)
			}
			if len(c.Stack) != 1 || c.Stack[0].Function != "main" || c.Stack[0].Offset != 8 {
				t.Errorf("stack %v, want main+0x8 alone: what points to the start of a function is no return address", c.Stack)
			}
			if told := Explain(Subject{Core: core, Program: file, Platform: p, Baseline: b, Emulated: true}); !reflect.DeepEqual(told, c) {
				t.Errorf("by the core file's own signal: %+v, want %+v", told, c)
			}
			said := c.String()
			for _, want := range []string{"prog for " + name + " ended with SIGILL: illegal instruction\n", "at crashes+0x0 in prog\n", "__builtin_trap", "    main+0x8 in prog\n"} {
				if !strings.Contains(said, want) {
					t.Errorf("%q lacks %q", said, want)
				}
			}
			if strings.Contains(said, "features") {
				t.Errorf("a trap has nothing to do with the baseline: %s", said)
			}
		})
	}
}

// TestAdvice: what is not a trap is beyond the baseline, and the advice names the key that would promise it.
func TestAdvice(t *testing.T) {
	p := parse(t, "linux/arm/v6")
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, core := filepath.Join(dir, "prog"), filepath.Join(dir, "core")
	code := "\x00\x08\x40\xf2" // vadd.i8 d16, d0, d0
	if err := os.WriteFile(file, program(p, make([]byte, 16), []byte(code)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(core, coreOf(p, map[int]int{15: text + 16, 13: stack0}, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	said := Explain(Subject{Signal: syscall.SIGILL, Core: core, Program: file, Platform: p, Baseline: b, Emulated: true}).String()
	for _, want := range []string{"instruction: f2400800, vadd.i8, which needs neon and linux/arm/v6 has not\n", "-cpu arm1176", `[platform."linux/arm/v6"] features = ["…"] or cpu = "…"`, "xbuild flags -p linux/arm/v6"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q lacks %q", said, want)
		}
	}
	v7 := parse(t, "linux/arm/v7")
	if b, err = v7.Baseline("", nil); err != nil {
		t.Fatal(err)
	}
	said = Explain(Subject{Signal: syscall.SIGILL, Core: core, Program: file, Platform: v7, Baseline: b, Emulated: true}).String()
	if want := `say so in xbuild.toml: [platform."linux/arm/v7"] features = ["neon"];`; !strings.Contains(said, want) {
		t.Errorf("%q lacks %q", said, want)
	}
	if b, err = p.Baseline("", nil); err != nil {
		t.Fatal(err)
	}
	said = Explain(Subject{Signal: syscall.SIGBUS, Core: core, Program: file, Platform: p, Baseline: b, Emulated: true}).String()
	if !strings.Contains(said, `cflags = ["-mno-unaligned-access"]`) {
		t.Errorf("SIGBUS on ARM: %q", said)
	}
	said = Explain(Subject{Signal: syscall.SIGSEGV, NoCore: "the disk is full", Program: file, Platform: p, Baseline: b}).String()
	if want := "prog for linux/arm/v6 ended with SIGSEGV: access to memory that is not there or not allowed\nno more is known: the disk is full\n"; said != want {
		t.Errorf("without a core file: %q, want %q", said, want)
	}
	said = Explain(Subject{Signal: syscall.SIGSEGV, Core: file, Program: file, Platform: p, Baseline: b}).String()
	if !strings.Contains(said, "no more is known: its core file cannot be read: ") || !strings.Contains(said, "no core file but ET_EXEC") {
		t.Errorf("with something else as the core file: %q", said)
	}
}

// TestLength measures instructions.
func TestLength(t *testing.T) {
	le, be := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	for _, c := range []struct {
		name    string
		machine elf.Machine
		thumb   bool
		order   binary.ByteOrder
		code    string
		want    int
	}{
		{"arm", elf.EM_ARM, false, le, "\x00\x00\xa0\xe1", 4},
		{"thumb nop", elf.EM_ARM, true, le, "\x00\xbf\x00\xbf", 2},
		{"thumb bl", elf.EM_ARM, true, le, "\x00\xf0\x00\xf8", 4},
		{"riscv c.nop", elf.EM_RISCV, false, le, "\x01\x00\x01\x00", 2},
		{"riscv lw", elf.EM_RISCV, false, le, "\x03\x25\x00\x00", 4},
		{"s390x lr", elf.EM_S390, false, be, "\x18\x12", 2},
		{"s390x lhi", elf.EM_S390, false, be, "\xa7\x08\x00\x01", 4},
		{"s390x lg", elf.EM_S390, false, be, "\xe3\x20\x20\x00\x00\x04", 6},
		{"arm64", elf.EM_AARCH64, false, le, "\x1f\x20\x03\xd5", 4},
	} {
		if got := length(c.machine, c.thumb, c.order, []byte(c.code)); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

// TestLayouts: every platform that is emulated has a layout of registers.
func TestLayouts(t *testing.T) {
	for _, p := range platform.All() {
		if _, ok := layouts[p.Machine]; p.QEMU != "" && !ok {
			t.Errorf("%s: no layout of registers for %v", p.Name, p.Machine)
		}
	}
}

// FuzzCore: no core file makes it panic or hang.
func FuzzCore(f *testing.F) {
	for _, name := range []string{"linux/amd64", "linux/arm/v7", "linux/s390x"} {
		p := parse(f, name)
		f.Add(coreOf(p, map[int]int{layouts[p.Machine].pc: text, layouts[p.Machine].sp: stack0}, 2, text+4))
	}
	p := parse(f, "linux/arm64")
	file := filepath.Join(f.TempDir(), "prog")
	if err := os.WriteFile(file, program(p, make([]byte, 32), []byte(trapCode["linux/arm64"])), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCore(object.NewSource(bytes.NewReader(data), int64(len(data))))
		if err != nil {
			return
		}
		modules := c.modules(file, "/")
		defer func() {
			for _, m := range modules {
				m.file.Close()
			}
		}()
		frame(modules, c.pc())
		instruction(c, moduleOf(modules, c.pc()), c.pc())
		stack(c, modules, Frame{})
	})
}
