package isa

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// objectOf writes an ELF object with one section of code and no symbols.
func objectOf(machine elf.Machine, class elf.Class, order binary.ByteOrder, flags uint32, code []byte) []byte {
	data := elf.ELFDATA2LSB
	if order == binary.BigEndian {
		data = elf.ELFDATA2MSB
	}
	names := "\x00.text\x00.shstrtab\x00"
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', byte(class), byte(data), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	w := func(v any) { _ = binary.Write(&b, order, v) }
	head, sect := 64, 64
	if class == elf.ELFCLASS32 {
		head, sect = 52, 40
	}
	body := head
	str := body + len(code)
	table := (str + len(names) + 7) &^ 7
	w(uint16(elf.ET_REL))
	w(uint16(machine))
	w(uint32(1))
	word := func(v uint64) {
		if class == elf.ELFCLASS64 {
			w(v)
		} else {
			w(uint32(v))
		}
	}
	word(0)
	word(0)
	word(uint64(table))
	w(flags)
	w([]uint16{uint16(head), 0, 0, uint16(sect), 3, 2})
	b.Write(code)
	b.WriteString(names)
	b.Write(make([]byte, table-b.Len()))
	section := func(name uint32, typ elf.SectionType, flags elf.SectionFlag, off, size int) {
		w(name)
		w(uint32(typ))
		word(uint64(flags))
		word(0)
		word(uint64(off))
		word(uint64(size))
		w([]uint32{0, 0})
		word(4)
		word(0)
	}
	section(0, elf.SHT_NULL, 0, 0, 0)
	section(1, elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_EXECINSTR, body, len(code))
	section(7, elf.SHT_STRTAB, 0, str, len(names))
	return b.Bytes()
}

// llvm is the directory of LLVM 19's programs, the oracle: Debian's llvm-19 package, or what ISA_LLVM names. Without it
// the tests that ask it do not run.
func llvm(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("asks LLVM about some hundred thousand instructions")
	}
	dir := os.Getenv("ISA_LLVM")
	if dir == "" {
		dir = "/usr/lib/llvm-19/bin"
	}
	if _, err := os.Stat(filepath.Join(dir, "llvm-objdump")); err != nil {
		t.Skip("needs llvm-objdump 19 (Debian's llvm-19, or ISA_LLVM names its directory)")
	}
	return dir
}

var disassembled = regexp.MustCompile(`^\s*([0-9a-f]+):\s+((?:[0-9a-f]{2,8} ?)+)\s*\t(.*)$`)

// disassemble returns LLVM's text of each instruction by address, "" for what it does not know.
func disassemble(t *testing.T, object []byte, args ...string) map[uint64]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.o")
	if err := os.WriteFile(file, object, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(llvm(t), "llvm-objdump"), append([]string{"-d", "-z", file}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("llvm-objdump %q: %v\n%s", args, err, stderr.String())
	}
	all := map[uint64]string{}
	sc := bufio.NewScanner(bytes.NewReader(out))
	for sc.Scan() {
		if m := disassembled.FindStringSubmatch(sc.Text()); m != nil {
			addr, _ := strconv.ParseUint(m[1], 16, 64)
			text := strings.TrimSpace(m[3])
			if strings.HasPrefix(text, "<unknown>") || strings.HasPrefix(text, ".") {
				text = ""
			}
			all[addr] = text
		}
	}
	return all
}

// oracles are the instruction sets that LLVM checks features of: what decodes with full and not with base needs what
// the table says.
var oracles = []struct {
	name       string
	machine    elf.Machine
	class      elf.Class
	order      binary.ByteOrder
	flags      uint32
	table      func() *table
	width      int
	base, full []string
	find       func(word uint64) *entry
	known      []*regexp.Regexp // what LLVM decodes otherwise, and why that is no fault of the table
}{
	{"arm64", elf.EM_AARCH64, elf.ELFCLASS64, binary.LittleEndian, 0, arm64Table, 4, []string{"--mattr=+neon"}, []string{"--mattr=+all"}, func(w uint64) *entry { return arm64Table().find(w) },
		// With no name for it, LLVM writes any system instruction as MSR, SYS or SYSL; its decoder ignores bits that
		// should be ones or zeros.
		[]*regexp.Regexp{regexp.MustCompile(`^(msr|mrs|sysl?)\s`), regexp.MustCompile(`^(addg|subg|(ld|st)ll?l?arb?h?|stllrb?h?|dcps3)\s`)}},
	{"riscv64", elf.EM_RISCV, elf.ELFCLASS64, binary.LittleEndian, 5, riscvTable, 4, []string{"--mattr=+m,+a,+f,+d,+c"},
		[]string{"--mattr=+m,+a,+f,+d,+c,+v,+zba,+zbb,+zbc,+zbs,+zbkb,+zbkx,+zicond,+zfa,+zfh,+zvfh,+zicbom,+zicboz,+zicbop,+zawrs,+zabha,+zacas,+zknd,+zkne,+zknh,+zksed,+zksh,+zvbb,+zvbc,+zvkned,+zvkg,+zvknhb,+zvksed,+zvksh,+zcb,+zimop,+zcmop,+xventanacondops"},
		func(w uint64) *entry { return riscvTable().find(w) },
		// C.LUI with nothing to load is reserved, and Zcmop's.
		[]*regexp.Regexp{regexp.MustCompile(`^lui\s+\w+, 0x0$`)}},
	{"s390x", elf.EM_S390, elf.ELFCLASS64, binary.BigEndian, 0, s390xTable, 6, []string{"--mcpu=z13"}, []string{"--mcpu=z16"}, func(w uint64) *entry { return s390xTable().find(w) },
		// LLVM's general forms of z13's vector instructions take the element sizes, too, that came later.
		[]*regexp.Regexp{regexp.MustCompile(`^[vw](f|cd|cg|cl|cf|led|lde|popct|llez)\w*\s.*\d$`)}},
	{"mips64", elf.EM_MIPS, elf.ELFCLASS64, binary.LittleEndian, 0x60000007, mipsTable, 4, []string{"--mcpu=mips64"}, []string{"--mcpu=mips64r5", "--mattr=+msa,+dsp,+dspr2,+virt,+eva,+mt,+crc"}, func(w uint64) *entry { return mipsTable().find(w) }, nil},
	{"arm", elf.EM_ARM, elf.ELFCLASS32, binary.LittleEndian, 0x05000000, armTable, 4, []string{"--triple=armv5te-linux-gnueabi", "--mattr=-vfp2"},
		[]string{"--triple=armv8.6a-linux-gnueabihf", "--mattr=+neon,+crypto,+fullfp16,+fp16fml,+dotprod,+bf16,+i8mm,+crc,+hwdiv-arm,+mp,+virtualization"}, func(w uint64) *entry { return armEntry(uint32(w)) },
		// Multiplies are older than LLVM says (needs.go); what is for coprocessors 9 to 11 and not floating point is
		// any coprocessor's; its decoder ignores bits that should be zero.
		[]*regexp.Regexp{regexp.MustCompile(`^(mul|mla|[us]mull|[us]mlal)(s?[a-z]{2}|s)?\s|^(hint|nop|yield|wfe|wfi|sevl?|esb|csdb|dbg|ldrex|strex)`), regexp.MustCompile(`^(cdp2?|mcrr?2?|mrrc?2?|mrc2?|ldc2?l?|stc2?l?)([a-z]{2})?\s`)}},
}

// TestOracle holds each table against LLVM: words made to fit its rows, and random ones.
func TestOracle(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			llvm(t)
			r := rand.New(rand.NewPCG(1, 2))
			var words []uint64
			seen := map[row]bool{}
			full := uint64(1)<<(8*o.width) - 1
			for _, rows := range o.table().index {
				for _, x := range rows {
					if !seen[x] {
						seen[x] = true
						for range 6 {
							words = append(words, (x.value|r.Uint64()&^x.mask)&full)
						}
					}
				}
			}
			for range 60000 {
				words = append(words, r.Uint64()&full)
			}
			var code []byte
			at := map[uint64]uint64{}
			for _, w := range words {
				n := o.width
				switch o.name {
				case "s390x": // the first two bits say how long it is
					if top := w >> 46; top == 0 {
						n = 2
					} else if top != 3 {
						n = 4
					}
					w = w >> (48 - 8*n) << (48 - 8*n)
				case "riscv64":
					if w&3 != 3 {
						n = 2
						w &= 0xffff
					}
				}
				at[uint64(len(code))] = w
				switch {
				case o.order == binary.BigEndian:
					code = append(code, binary.BigEndian.AppendUint64(nil, w<<16)[:n]...)
				default:
					code = append(code, binary.LittleEndian.AppendUint64(nil, w)[:n]...)
				}
			}
			object := objectOf(o.machine, o.class, o.order, o.flags, code)
			base := disassemble(t, object, o.base...)
			all := disassemble(t, object, o.full...)
			var compared, beyond, missed, alarms, known int
			for addr, w := range at {
				text, ok := all[addr]
				if !ok || text == "" {
					continue // LLVM does not know it either
				}
				compared++
				e := o.find(w)
				if e != nil && e.need.lacks(map[string]bool{"v5te": true, "v5t": true}) == "" {
					e = nil
				}
				if slices.ContainsFunc(o.known, func(k *regexp.Regexp) bool {
					return k.MatchString(base[addr]) && e != nil || k.MatchString(text) && e == nil
				}) {
					known++
					continue
				}
				switch {
				case base[addr] == "" && e == nil:
					missed++
					if missed <= 12 {
						t.Errorf("%0*x needs more than the baseline, and the table does not say so: %s", 2*o.width, w, text)
					}
				case base[addr] != "" && e != nil:
					alarms++
					if alarms <= 12 {
						t.Errorf("%0*x is of the baseline (%s), and the table says that it needs %v", 2*o.width, w, base[addr], e.need)
					}
				case e != nil:
					beyond++
				}
			}
			report(t, fmt.Sprintf("%s: %d rows, %d words that LLVM knows, %d of them beyond the baseline; %d missed, %d wrongly called so, %d where LLVM is known to be looser", o.name, len(seen), compared, beyond, missed, alarms, known))
		})
	}
}

func report(t *testing.T, line string) { t.Log(line) }
