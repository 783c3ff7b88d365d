package isa

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// stripped is a program without symbols: it begins at the start of its code, at 0x10000, on Arm in T32 where thumb says
// so.
func stripped(machine elf.Machine, class elf.Class, thumb bool, body []byte) []byte {
	const at = 0x10000
	b := objectOf(machine, class, binary.LittleEndian, 0, body)
	binary.LittleEndian.PutUint16(b[16:], uint16(elf.ET_EXEC))
	entry := uint32(at)
	if thumb {
		entry |= 1
	}
	binary.LittleEndian.PutUint32(b[24:], entry)
	table, header, addr := binary.LittleEndian.Uint32(b[32:]), uint32(40), uint32(12)
	if class == elf.ELFCLASS64 {
		table, header, addr = binary.LittleEndian.Uint32(b[40:]), 64, 16
	}
	binary.LittleEndian.PutUint32(b[table+header+addr:], at)
	return b
}

func code(w ...uint32) (b []byte) {
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// TestStripped: without symbols only what comes on the straight way from the program's start is condemned, and Arm's
// bytes are code only where control comes.
func TestStripped(t *testing.T) {
	const (
		bl, udf, bxlr = 0xeb000002, 0xe7f000f0, 0xe12fff1e // BL to 0x10
		vadd          = 0xf2200840                         // VADD.I32 of NEON
	)
	for _, c := range []struct {
		name, platform        string
		machine               elf.Machine
		class                 elf.Class
		thumb                 bool
		code                  []byte
		unconditional, untold int
		unread                int64
	}{
		{"A32: constants between functions", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(bl, udf, vadd, vadd, bxlr), 0, 0, 8},
		{"A32: called", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(bl, udf, 0, 0, vadd, bxlr), 1, 0, 8},
		{"A32: behind a branch", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(bl, udf, 0, 0, 0xe3500000, 0x0a000000, vadd, bxlr), 0, 1, 8},
		{"A32: where both ways of a branch lead", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(bl, udf, 0, 0, 0xe3500000, 0x0a000000, 0xe1a00001, vadd, bxlr), 1, 0, 8},
		{"A32: a constant that code loads", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(0xe51f0000|4, bxlr, vadd), 0, 0, 4},
		{"A32: constants behind a call that does not come back", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, false, code(bl, vadd, vadd, vadd, udf), 0, 0, 12},
		{"T32: the entry's lowest bit says so", "linux/arm/v7", elf.EM_ARM, elf.ELFCLASS32, true, []byte{0x20, 0xef, 0x40, 0x08, 0x70, 0x47}, 1, 0, 0},
		{"T32: in an IT block", "linux/arm/v6", elf.EM_ARM, elf.ELFCLASS32, true, []byte{0x08, 0xbf, 0x40, 0xf2, 0x00, 0x00, 0x70, 0x47}, 1, 0, 0}, // IT itself is unconditional
		{"x86: straight", "linux/amd64", elf.EM_X86_64, elf.ELFCLASS64, false, []byte{0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3}, 1, 0, 0},
		{"x86: one way or the other", "linux/amd64", elf.EM_X86_64, elf.ELFCLASS64, false, []byte{0x85, 0xff, 0x74, 0x06, 0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3, 0xf3, 0x48, 0x0f, 0xb8, 0xc6, 0xc3}, 1, 0, 0},
		{"x86: behind a branch", "linux/amd64", elf.EM_X86_64, elf.ELFCLASS64, false, []byte{0x85, 0xff, 0x74, 0x05, 0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3}, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Audit(stripped(c.machine, c.class, c.thumb, c.code), baseline(t, c.platform), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Unconditional) != c.unconditional || len(r.Untold) != c.untold || r.Unread != c.unread {
				t.Errorf("%d unconditional, %d untold, %d bytes not read, want %d, %d and %d\n%+v", len(r.Unconditional), len(r.Untold), r.Unread, c.unconditional, c.untold, c.unread, r)
			}
		})
	}
}

// TestExclusive: the exclusive loads of 1, 2 and 8 bytes are ARMv6K's, which linux/arm/v6 promises and a promise of v6
// alone does not.
func TestExclusive(t *testing.T) {
	const ldrexb, ldrex, bxlr = 0xe1d00f9f, 0xe1900f9f, 0xe12fff1e
	program := stripped(elf.EM_ARM, elf.ELFCLASS32, false, code(ldrex, ldrexb, bxlr))
	for _, c := range []struct {
		platform string
		features []string
		want     string
	}{
		{"linux/arm/v6", nil, ""},
		{"linux/arm/v5", nil, "v6 v6k"},
		{"linux/arm/v5", []string{"v6"}, "v6k"},
		{"linux/arm/v5", []string{"v6k"}, ""},
	} {
		p, err := platform.Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline("", c.features)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Audit(program, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var lacks []string
		for _, f := range r.Unconditional {
			lacks = append(lacks, f.Feature)
		}
		if slices.Sort(lacks); strings.Join(lacks, " ") != c.want {
			t.Errorf("%s with %q lacks %q, want %q", c.platform, c.features, lacks, c.want)
		}
	}
}

// TestTailBranch: a branch on what the processor can do may be the jump to another function itself. Where both ways
// lead there, or the other one ends the program, nothing was chosen.
func TestTailBranch(t *testing.T) {
	// start: ret. f, at 8, which others may call: mov eax, 1; cpuid; test ecx, ecx; and what is given. work, at 0x20:
	// popcnt rax, rdi; ret.
	start := []byte{0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0xa2, 0x85, 0xc9}
	work := []byte{0xf3, 0x48, 0x0f, 0xb8, 0xc7, 0xc3}
	for _, c := range []struct {
		name string
		way  []byte
		want int // unconditional
	}{
		{"je work; ret", []byte{0x74, 0x0d, 0xc3}, 0},
		{"je work; jmp work", []byte{0x74, 0x0d, 0xeb, 0x0b}, 1},
		{"je work; ud2", []byte{0x74, 0x0d, 0x0f, 0x0b}, 1},
	} {
		code := append(slices.Clone(start), c.way...)
		for len(code) < 0x20 {
			code = append(code, 0xcc)
		}
		b := stripped(elf.EM_X86_64, elf.ELFCLASS64, false, append(code, work...))
		img := newImage()
		if err := img.add(b, ""); err != nil {
			t.Fatal(err)
		}
		img.byAddr = []symbol{{name: "start", addr: 0x10000, size: 8}, {name: "f", addr: 0x10008, size: 0x18}, {name: "work", addr: 0x10020, size: 6}}
		img.named, img.exported[0x10008] = true, true
		img.finish()
		r := audit(img, features(baseline(t, "linux/amd64"), img), Options{})
		if len(r.Unconditional) != c.want || len(r.Unconditional)+len(r.Dispatched) != 1 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestVariant reads the names of functions for the machine that they were written for.
func TestVariant(t *testing.T) {
	for _, c := range []struct{ arch, name, want string }{
		{"x86", "sum_avx2", "avx2"},
		{"x86", "HammingDistance_SSE42", "sse42"},
		{"x86", "aesni_ecb_encrypt", "aesni"},
		{"x86", "memcpyAVX2", "avx2"},
		{"x86", "mulAvxTwo_4x4", "avx"},
		{"x86", "galMulAVX2Xor", "avx2"},
		{"x86", "_ZN6memchr4arch6x86_644avx26memchr3One13find_raw_avx217h0123456789abcdefE", "avx2"},
		{"x86", "ZSTD_decompressBlock_bmi2", "bmi2"},
		{"x86", "assess", ""}, // no sse
		{"x86", "aes_encrypt", ""},
		{"x86", "fma", ""},
		{"x86", "work", ""},
		{"arm", "png_read_filter_row_up_neon", "neon"},
		{"arm", "__aeabi_idiv", ""},
		{"arm", "someone", ""},
		{"arm64", "crc32_armv8", "armv8"},
		{"s390x", "dfltcc_deflate", "dfltcc"},
	} {
		if got := variantOf(c.arch, c.name); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.name, c.arch, got, c.want)
		}
	}
}

// TestNeedsOf names instructions as a crash's explanation does.
func TestNeedsOf(t *testing.T) {
	for _, c := range []struct {
		platform             string
		code                 []byte
		thumb                bool
		instruction, feature string
		length               int
	}{
		{"linux/amd64", []byte{0xc5, 0xfd, 0xfe, 0xc0, 0xc3}, false, "vpaddd", "avx2", 4},
		{"linux/amd64/v3", []byte{0xc5, 0xfd, 0xfe, 0xc0, 0xc3}, false, "", "", 0},
		{"linux/arm64", code(0xb8e40048), false, "ldaddal", "lse", 4},
		{"linux/arm/v7", []byte{0x20, 0xef, 0x40, 0x08}, true, "vadd.i32", "neon", 4},
		{"linux/arm/v7", code(0xf2200840), false, "vadd.i32", "neon", 4},
		{"linux/s390x", []byte{0xb9, 0x64, 0x60, 0x12}, false, "nngrk", "z15", 4},
		{"linux/arm64", nil, false, "", "", 0},
	} {
		if i, f, n := Needs(c.code, c.thumb, baseline(t, c.platform)); i != c.instruction || f != c.feature || n != c.length {
			t.Errorf("% x for %s: %q %q %d, want %q %q %d", c.code, c.platform, i, f, n, c.instruction, c.feature, c.length)
		}
	}
}

// TestDelaySlot: on MIPS the instruction after a return runs before it, and a function does not go on to the next one
// for that, nor through what lld fills gaps with.
func TestDelaySlot(t *testing.T) {
	const jr, addiu, filler = 0x03e00008, 0x27bd0020, 0xefefefef
	for _, c := range []struct {
		name string
		code []byte
		want bool
	}{
		{"jr $ra; addiu", code(jr, addiu, jr, 0), false},
		{"jr $ra; addiu, and a gap", code(jr, addiu, filler, jr, 0), false},
		{"addiu; addiu", code(addiu, addiu, jr, 0), true},
	} {
		second := uint64(0x10000 + len(c.code) - 8)
		b := stripped(elf.EM_MIPS, elf.ELFCLASS64, false, c.code)
		img := newImage()
		if err := img.add(b, ""); err != nil {
			t.Fatal(err)
		}
		img.byAddr = []symbol{{name: "first", addr: 0x10000, size: 8}, {name: "second", addr: second, size: 8}}
		img.finish()
		p := newProgram(img, nil)
		p.read()
		p.split()
		if got := p.fallsInto(second); got != c.want {
			t.Errorf("%s: goes on to the next function: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestTablesAreNoPointers: a distance in a table of the unwinder's may look like the address of a function, and leads
// there no more than a number does.
func TestTablesAreNoPointers(t *testing.T) {
	for name, want := range map[string]int{".ARM.exidx": 0, ".eh_frame_hdr": 0, ".data": 1} {
		img := newImage()
		img.order = binary.LittleEndian
		img.sections = []section{
			{name: name, addr: 0x8000, data: code(0x10000), size: 4, flags: elf.SHF_ALLOC, typ: elf.SHT_PROGBITS},
			{name: ".text", addr: 0x10000, data: code(0xe12fff1e), size: 4, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, typ: elf.SHT_PROGBITS},
		}
		img.scanPointers()
		if len(img.pointers) != want {
			t.Errorf("%s: pointers %v, want %d", name, img.pointers, want)
		}
	}
}
