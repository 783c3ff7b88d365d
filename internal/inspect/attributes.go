package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"xbuild/internal/object"
)

// Types of sections that debug/elf has no names for.
const (
	shtARMAttributes   = elf.SectionType(0x70000003)
	shtRISCVAttributes = elf.SectionType(0x70000003)
	shtMIPSABIFlags    = elf.SectionType(0x7000002a)
)

// attributes reads the build attributes of a file that has some: what the compiler and the assembler promised, not what
// the code is.
func (e elfFile) attributes(r *Report) error {
	for i := range e.Sections {
		s := &e.Sections[i]
		switch {
		case e.Machine == elf.EM_ARM && s.Type == shtARMAttributes:
			data, err := e.Content(s)
			if err != nil {
				return err
			}
			a, err := parseAttributes(data, "aeabi", e.Order, armText)
			if err != nil {
				return fmt.Errorf("section %q: %w", s.Name, err)
			}
			r.armAttributes(a)
		case e.Machine == elf.EM_RISCV && s.Type == shtRISCVAttributes:
			data, err := e.Content(s)
			if err != nil {
				return err
			}
			// RISC-V ELF psABI, "Attributes": odd tags are texts; 5 is the ISA string.
			a, err := parseAttributes(data, "riscv", e.Order, func(tag uint64) bool { return tag%2 == 1 })
			if err != nil {
				return fmt.Errorf("section %q: %w", s.Name, err)
			}
			if isa := a[5].text; isa != "" {
				r.ISA = isa
			}
		case e.Machine == elf.EM_MIPS && s.Type == shtMIPSABIFlags:
			data, err := e.Content(s)
			if err != nil {
				return err
			}
			// MIPS ABI flags (binutils, elf/mips.h): fp_abi is the eighth byte.
			if len(data) >= 8 {
				r.FloatABI = map[byte]string{1: "double", 2: "single", 3: "soft", 4: "64 (old)", 5: "xx",
					6: "64", 7: "64a"}[data[7]]
			}
		}
	}
	return nil
}

// An attribute is a number, a text, or both.
type attribute struct {
	number uint64
	text   string
	set    bool
}

// parseAttributes reads the attributes of the whole file (tag 1) of one vendor (Addenda to the Arm ABI, "Build
// Attributes"; RISC-V uses the same form).
func parseAttributes(data []byte, vendor string, order binary.ByteOrder,
	isText func(tag uint64) bool) (map[uint64]attribute, error) {
	out := map[uint64]attribute{}
	if len(data) == 0 {
		return out, nil
	}
	if data[0] != 'A' {
		return nil, object.Damaged("build attributes of version %q", data[:1])
	}
	for data = data[1:]; len(data) > 0; {
		part, rest, err := sized(data, order, 0)
		if err != nil {
			return nil, err
		}
		data = rest
		i := bytes.IndexByte(part, 0)
		if i < 0 || string(part[:i]) != vendor {
			continue
		}
		for part = part[i+1:]; len(part) > 0; {
			tag := part[0] // 1, 2 or 3: of the file, of sections, of symbols
			sub, rest, err := sized(part, order, 1)
			if err != nil {
				return nil, err
			}
			part = rest
			if tag != 1 {
				continue
			}
			if err := parseTags(sub, isText, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// sized cuts off a block whose length, that of itself included, stands at an offset.
func sized(data []byte, order binary.ByteOrder, at int) (block, rest []byte, err error) {
	if len(data) < at+4 {
		return nil, nil, object.Damaged("build attributes are cut short")
	}
	n := uint64(order.Uint32(data[at:]))
	if n < uint64(at+4) || n > uint64(len(data)) {
		return nil, nil, object.Damaged("build attributes of %d bytes in %d", n, len(data))
	}
	return data[at+4 : n], data[n:], nil
}

const tagCompatibility = 32 // a number and a text

func parseTags(data []byte, isText func(tag uint64) bool, out map[uint64]attribute) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data) // the form of ULEB128
		if n <= 0 {
			return object.Damaged("a build attribute is cut short")
		}
		data = data[n:]
		a := attribute{set: true}
		if !isText(tag) || tag == tagCompatibility {
			if a.number, n = binary.Uvarint(data); n <= 0 {
				return object.Damaged("build attribute %d is cut short", tag)
			}
			data = data[n:]
		}
		if isText(tag) || tag == tagCompatibility {
			i := bytes.IndexByte(data, 0)
			if i < 0 {
				return object.Damaged("build attribute %d has no end", tag)
			}
			a.text, data = string(data[:i]), data[i+1:]
		}
		out[tag] = a
	}
	return nil
}

// armText tells the tags of texts: CPU_raw_name, CPU_name, and the odd ones from 32 on.
func armText(tag uint64) bool { return tag == 4 || tag == 5 || tag > 32 && tag%2 == 1 }

// Values of Arm's attributes by number (Addenda to the Arm ABI, "Build Attributes").
var (
	armArch = map[uint64]string{0: "pre-v4", 1: "v4", 2: "v4T", 3: "v5T", 4: "v5TE", 5: "v5TEJ", 6: "v6", 7: "v6KZ",
		8: "v6T2", 9: "v6K", 10: "v7", 11: "v6-M", 12: "v6S-M", 13: "v7E-M", 14: "v8-A", 15: "v8-R", 16: "v8-M.base",
		17: "v8-M.main", 21: "v8.1-M.main", 22: "v9-A"}
	armFP = map[uint64]string{1: "VFPv1", 2: "VFPv2", 3: "VFPv3", 4: "VFPv3-D16", 5: "VFPv4", 6: "VFPv4-D16",
		7: "FP-ARMv8", 8: "FP-ARMv8-D16"}
	armSIMD    = map[uint64]string{1: "NEON", 2: "NEON-FMA", 3: "NEON-ARMv8", 4: "NEON-ARMv8.1"}
	armThumb   = map[uint64]string{1: "Thumb", 2: "Thumb-2", 3: "Thumb"}
	armVFPArgs = map[uint64]string{1: "hard"} // 0 is soft, and what assembly says that passes no such argument
)

func (r *Report) armAttributes(a map[uint64]attribute) {
	const arch, profile, thumb, fp, simd, args = 6, 7, 9, 10, 12, 28
	var isa []string
	if a[arch].set {
		v := armArch[a[arch].number]
		if v == "" {
			v = fmt.Sprintf("architecture %d", a[arch].number)
		}
		if p := a[profile].number; p > ' ' && p < 0x7f && !strings.Contains(v, "-") {
			v += "-" + string(rune(p))
		}
		isa = append(isa, v)
	}
	for _, t := range []struct {
		tag   uint64
		names map[uint64]string
	}{{fp, armFP}, {simd, armSIMD}, {thumb, armThumb}} {
		if n := t.names[a[t.tag].number]; n != "" {
			isa = append(isa, n)
		}
	}
	r.ISA = strings.Join(isa, " ")
	// The header's flags of a linked file say what holds of all of it; an object's are silent.
	if r.FloatABI == "" && len(a) > 0 {
		r.FloatABI = armVFPArgs[a[args].number]
	}
}
