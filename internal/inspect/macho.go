package inspect

import (
	"debug/macho"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// The Mach-O format is <mach-o/loader.h>, <mach-o/nlist.h> and <mach-o/fat.h> of Apple's SDK.
const (
	lcReq           = 0x80000000
	lcSymtab        = 0x2
	lcLoadDylib     = 0xc
	lcIDDylib       = 0xd
	lcLoadDylinker  = 0xe
	lcWeakDylib     = 0x18 | lcReq
	lcUUID          = 0x1b
	lcRpath         = 0x1c | lcReq
	lcCodeSignature = 0x1d
	lcReexportDylib = 0x1f | lcReq
	lcVersionMacOS  = 0x24
	lcVersionIOS    = 0x25
	lcBuildVersion  = 0x32
	lcSegment       = 0x1
	lcSegment64     = 0x19

	mhAllowStackExecution = 0x20000
	mhPIE                 = 0x200000
)

// applePlatforms are the values of PLATFORM_*, and applePrograms of TOOL_*, in LC_BUILD_VERSION.
var (
	applePlatforms = map[uint32]string{1: "darwin", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst", 7: "ios", 10: "driverkit", 11: "visionos"}
	appleTools     = map[uint32]string{1: "clang", 2: "swift", 3: "ld", 4: "lld"}
)

func isMachO(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	m := le.Uint32(head) &^ 1
	return m == macho.Magic32&^1 || binary.BigEndian.Uint32(head)&^1 == macho.Magic32&^1
}

const (
	fat64       = macho.MagicFat + 1
	mostFatArch = 20 // Java's classes begin with the same four bytes, and then a version of 45 or more
)

func isFat(s *object.Source) bool {
	b := make([]byte, 8)
	n, _ := s.ReadAt(b, 0)
	m := binary.BigEndian.Uint32(b)
	return n == 8 && (m == macho.MagicFat || m == fat64) && binary.BigEndian.Uint32(b[4:]) <= mostFatArch
}

// readFat reads each architecture of a fat file as a member.
func readFat(s *object.Source, r *Report) error {
	r.Format, r.Kind = Fat, Archive
	be := binary.BigEndian
	h, err := s.Bytes(0, 8, "the fat header")
	if err != nil {
		return err
	}
	size := uint64(20)
	if be.Uint32(h) == fat64 {
		size = 32
	}
	table, err := s.Bytes(8, uint64(be.Uint32(h[4:]))*size, "the table of architectures")
	if err != nil {
		return err
	}
	for b := table; len(b) > 0; b = b[size:] {
		off, n := uint64(be.Uint32(b[8:])), uint64(be.Uint32(b[12:]))
		if size == 32 {
			off, n = be.Uint64(b[8:]), be.Uint64(b[16:])
		}
		if off > uint64(s.Size) || n > uint64(s.Size)-off {
			return object.Damaged("architecture %s lies outside of the file", macho.Cpu(be.Uint32(b)))
		}
		part, err := s.Part(int64(off), int64(n))
		if err != nil {
			return err
		}
		m := &Report{Path: macho.Cpu(be.Uint32(b)).String(), Size: int64(n)}
		if head, _ := part.Bytes(0, min(n, 8), "the head"); string(head) == "!<arch>\n" {
			err = readArchive(part, m)
		} else {
			err = readObject(part, m)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		if len(m.Members) > 0 {
			m.summarize()
		}
		r.Members = append(r.Members, m)
	}
	return nil
}

type machoFile struct {
	*object.Source
	order binary.ByteOrder
	wide  bool
}

func readMachO(s *object.Source, r *Report) error {
	f := &machoFile{Source: s, order: le}
	head, err := s.Bytes(0, 28, "the Mach-O header")
	if err != nil {
		return err
	}
	r.Format, r.Endian, r.Bits, r.OS = MachO, "little", 32, "darwin"
	if binary.BigEndian.Uint32(head)&^1 == macho.Magic32&^1 {
		f.order, r.Endian = binary.BigEndian, "big"
	}
	at := uint64(28)
	if f.order.Uint32(head) == macho.Magic64 {
		f.wide, r.Bits, at = true, 64, 32
	}
	word := func(i int) uint32 { return f.order.Uint32(head[4*i:]) }
	cpu, sub, kind, count, size, flags := word(1), word(2), word(3), word(4), word(5), word(6)
	r.Machine, r.Flags = macho.Cpu(cpu).String(), flags
	if macho.Cpu(cpu) == macho.CpuArm64 && sub&0xffffff == 2 {
		r.ABI = "arm64e"
	}
	switch kind {
	case 1:
		r.Kind = Relocatable
	case 2:
		r.Kind, r.Link, r.PIE = Executable, Static, flags&mhPIE != 0
	case 4:
		r.Kind = Core
	case 6, 8, 9: // dylib, bundle, and a stub of a dylib
		r.Kind = Shared
	case 10:
		r.Kind, r.Debug = DebugOnly, true
	default:
		r.Kind = fmt.Sprintf("file type %d", kind)
	}
	commands, err := s.Bytes(at, uint64(size), "the load commands")
	if err != nil {
		return err
	}
	h := &Hardening{ASLR: yes(flags&mhPIE != 0 || r.Kind == Shared), NX: yes(flags&mhAllowStackExecution == 0), Signature: "no"}
	var symtab []byte
	for range count {
		if len(commands) < 8 {
			return object.Damaged("the load commands are cut short")
		}
		cmd, n := f.order.Uint32(commands), f.order.Uint32(commands[4:])
		if n < 8 || uint64(n) > uint64(len(commands)) {
			return object.Damaged("a load command of %d bytes in %d", n, len(commands))
		}
		c := commands[:n]
		commands = commands[n:]
		switch cmd {
		case lcSymtab:
			symtab = c
		case lcCodeSignature:
			h.Signature = "yes"
		default:
			if err := f.command(r, cmd, c); err != nil {
				return err
			}
		}
	}
	for _, p := range platform.All() {
		if p.MachO != 0 && p.MachO == cpu && p.OS == r.OS {
			r.Arch, r.Platform = p.Arch, p.Name
		}
	}
	if symtab != nil {
		if err := f.symbols(r, symtab); err != nil {
			return err
		}
	}
	if r.Kind == Executable || r.Kind == Shared || r.Kind == Relocatable {
		r.Hardening = h
		return h.bySymbols(func(use func(string)) error {
			for _, list := range [][]Symbol{r.Exported, r.Undefined} {
				for _, s := range list {
					use(s.Name)
				}
			}
			return nil
		})
	}
	return nil
}

// text is a name inside a load command, at the offset that a field of it has.
func (f *machoFile) text(c []byte, field int) (string, error) {
	if len(c) < field+4 {
		return "", object.Damaged("a load command of %d bytes", len(c))
	}
	off := f.order.Uint32(c[field:])
	if uint64(off) >= uint64(len(c)) {
		return "", object.Damaged("a name lies outside of its load command")
	}
	return object.CString(c[off:]), nil
}

func dotted(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff) }

// command reads one load command.
func (f *machoFile) command(r *Report, cmd uint32, c []byte) (err error) {
	word := func(i int) uint32 {
		if len(c) < 4*i+4 {
			return 0
		}
		return f.order.Uint32(c[4*i:])
	}
	switch cmd {
	case lcLoadDylib, lcWeakDylib, lcReexportDylib:
		name, err := f.text(c, 8)
		if err != nil {
			return err
		}
		r.Needed = append(r.Needed, name)
		if r.Kind == Executable {
			r.Link = Dynamic
		}
	case lcIDDylib:
		r.SOName, err = f.text(c, 8)
	case lcLoadDylinker:
		r.Interp, err = f.text(c, 8)
		r.Link = Dynamic
	case lcRpath:
		path, err := f.text(c, 8)
		if err != nil {
			return err
		}
		r.RPath = append(r.RPath, path)
	case lcUUID:
		if len(c) >= 24 {
			r.BuildID = hex.EncodeToString(c[8:24])
		}
	case lcVersionMacOS:
		r.MinOS = "macOS " + dotted(word(2))
	case lcVersionIOS:
		r.OS, r.MinOS = "ios", "iOS "+dotted(word(2))
	case lcBuildVersion:
		if os := applePlatforms[word(2)]; os != "" {
			r.OS = os
		}
		r.MinOS = r.OS + " " + dotted(word(3))
		if r.OS == "darwin" {
			r.MinOS = "macOS " + dotted(word(3))
		}
		for i := range min(int(word(5)), (len(c)-24)/8) {
			tool := appleTools[word(6+2*i)]
			if tool == "" {
				tool = fmt.Sprintf("tool %d", word(6+2*i))
			}
			if t := tool + " " + dotted(word(7+2*i)); !slices.Contains(r.Compilers, t) && len(r.Compilers) < 16 {
				r.Compilers = append(r.Compilers, t)
			}
		}
	case lcSegment, lcSegment64:
		return f.segment(r, c, cmd == lcSegment64)
	}
	return err
}

// segment looks through a segment's sections for debug information and for what Go's linker noted.
func (f *machoFile) segment(r *Report, c []byte, wide bool) error {
	head, size := 56, 68
	if wide {
		head, size = 72, 80
	}
	if len(c) < head {
		return object.Damaged("a segment command of %d bytes", len(c))
	}
	for b := c[head:]; len(b) >= size; b = b[size:] {
		section, segment := object.CString(b[:16]), object.CString(b[16:32])
		if segment == "__DWARF" {
			r.Debug = true
		}
		if section != "__go_buildinfo" {
			continue
		}
		n, off := uint64(f.order.Uint32(b[36:])), uint64(f.order.Uint32(b[40:]))
		if wide {
			n, off = f.order.Uint64(b[40:]), uint64(f.order.Uint32(b[48:]))
		}
		if n > 1<<24 {
			return object.Damaged("section __go_buildinfo has %d bytes", n)
		}
		data, err := f.Bytes(off, n, "section __go_buildinfo")
		if err != nil {
			return err
		}
		r.Go = parseGoBuild(data)
	}
	return nil
}

// symbols reads the table of symbols.
func (f *machoFile) symbols(r *Report, c []byte) error {
	if len(c) < 24 {
		return object.Damaged("a symbol command of %d bytes", len(c))
	}
	word := func(i int) uint64 { return uint64(f.order.Uint32(c[4*i:])) }
	size := uint64(12)
	if f.wide {
		size = 16
	}
	table, err := f.Bytes(word(2), word(3)*size, "the table of symbols")
	if err != nil {
		return err
	}
	data, err := f.Bytes(word(4), word(5), "the table of names")
	if err != nil {
		return err
	}
	names := object.NewNames(data)
	r.Stripped = r.Kind == Executable || r.Kind == Shared
	for b := table; len(b) > 0; b = b[size:] {
		kind, desc := b[4], f.order.Uint16(b[6:])
		const stab, typeMask, private, external, weakRef = 0xe0, 0x0e, 0x10, 0x01, 0x40
		if kind&stab != 0 {
			r.Debug, r.Stripped = true, false
			continue
		}
		if kind&external == 0 {
			r.Stripped = false
			continue
		}
		name, err := names.At(uint64(f.order.Uint32(b)))
		if err != nil {
			return err
		}
		s := Symbol{Name: name}
		switch {
		case kind&typeMask == 0:
			s.Weak = desc&weakRef != 0
			if i := int(desc >> 8); i >= 1 && i <= len(r.Needed) {
				s.Library = r.Needed[i-1]
			}
			r.Undefined = append(r.Undefined, s)
		case kind&private == 0:
			r.Exported = append(r.Exported, s)
		}
	}
	r.Needed = slices.DeleteFunc(r.Needed, func(s string) bool { return strings.TrimSpace(s) == "" })
	return nil
}
