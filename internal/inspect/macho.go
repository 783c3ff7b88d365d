package inspect

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

const (
	machoAllowStackExecution = 0x20000
	machoPIE                 = 0x200000
)

// applePlatforms are the values of PLATFORM_*, and applePrograms of TOOL_*, in LC_BUILD_VERSION.
var (
	applePlatforms = map[uint32]string{1: "darwin", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst", 7: "ios",
		10: "driverkit", 11: "visionos"}
	appleTools = map[uint32]string{1: "clang", 2: "swift", 3: "ld", 4: "lld"}
)

// readFat reads each architecture of a fat file as a member.
func readFat(s *object.Source, r *Report) error {
	r.Format, r.Kind = Fat, Archive
	parts, err := object.FatParts(s)
	if err != nil {
		return err
	}
	for _, p := range parts {
		part, err := s.Part(p.Offset, p.Size)
		if err != nil {
			return err
		}
		m := &Report{Path: object.MachOCPU(p.CPU), Size: p.Size}
		if object.IsArchive(part) {
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

// A machoFile is a Mach-O file of which a report is made.
type machoFile struct{ *object.MachOFile }

// readMachO fills in what a Mach-O file says.
func readMachO(s *object.Source, r *Report) error {
	file, err := object.OpenMachO(s)
	if err != nil {
		return err
	}
	f := machoFile{file}
	r.Format, r.Endian, r.Bits, r.OS = MachO, "little", 32, "darwin"
	if f.Order == binary.BigEndian {
		r.Endian = "big"
	}
	if f.Wide {
		r.Bits = 64
	}
	r.Machine, r.Flags = object.MachOCPU(f.CPU), f.Flags
	if f.CPU == object.MachOARM64 && f.SubCPU&0xffffff == 2 {
		r.ABI = "arm64e"
	}
	f.kind(r)
	h := &Hardening{ASLR: yes(f.Flags&machoPIE != 0 || r.Kind == Shared),
		NX: yes(f.Flags&machoAllowStackExecution == 0), Signature: "no"}
	var symtab object.MachOCommand
	for _, c := range f.Commands {
		switch c.Cmd {
		case object.LCSymtab:
			symtab = c
		case object.LCCodeSignature:
			h.Signature = "yes"
		default:
			if err := f.command(r, c); err != nil {
				return err
			}
		}
	}
	for _, p := range platform.All() {
		if p.MachO != 0 && p.MachO == f.CPU && p.OS == r.OS {
			r.Arch, r.Platform = p.Arch, p.Name
		}
	}
	if symtab.Data != nil {
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

func (f machoFile) kind(r *Report) {
	switch f.Type {
	case object.MachOObject:
		r.Kind = Relocatable
	case object.MachOExecute:
		r.Kind, r.Link, r.PIE = Executable, Static, f.Flags&machoPIE != 0
	case object.MachOCore:
		r.Kind = Core
	case object.MachODylib, object.MachOBundle, object.MachODylibStub:
		r.Kind = Shared
	case object.MachODSYM:
		r.Kind, r.Debug = DebugOnly, true
	default:
		r.Kind = fmt.Sprintf("file type %d", f.Type)
	}
}

func dotted(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff) }

// command reads one load command.
func (f machoFile) command(r *Report, c object.MachOCommand) (err error) {
	word := func(i int) uint32 { return f.Word(c, i) }
	switch c.Cmd {
	case object.LCLoadDylib, object.LCLoadWeakDylib, object.LCReexportDylib:
		name, err := f.Text(c, 2)
		if err != nil {
			return err
		}
		r.Needed = append(r.Needed, name)
		if r.Kind == Executable {
			r.Link = Dynamic
		}
	case object.LCIDDylib:
		r.SOName, err = f.Text(c, 2)
	case object.LCLoadDylinker:
		r.Interp, err = f.Text(c, 2)
		r.Link = Dynamic
	case object.LCRPath:
		path, err := f.Text(c, 2)
		if err != nil {
			return err
		}
		r.RPath = append(r.RPath, path)
	case object.LCUUID:
		if len(c.Data) >= 24 {
			r.BuildID = hex.EncodeToString(c.Data[8:24])
		}
	case object.LCVersionMacOS:
		r.MinOS = "macOS " + dotted(word(2))
	case object.LCVersionIOS:
		r.OS, r.MinOS = "ios", "iOS "+dotted(word(2))
	case object.LCBuildVersion:
		if os := applePlatforms[word(2)]; os != "" {
			r.OS = os
		}
		r.MinOS = r.OS + " " + dotted(word(3))
		if r.OS == "darwin" {
			r.MinOS = "macOS " + dotted(word(3))
		}
		for i := range min(int(word(5)), (len(c.Data)-24)/8) {
			tool := appleTools[word(6+2*i)]
			if tool == "" {
				tool = fmt.Sprintf("tool %d", word(6+2*i))
			}
			if t := tool + " " + dotted(word(7+2*i)); !slices.Contains(r.Compilers, t) && len(r.Compilers) < 16 {
				r.Compilers = append(r.Compilers, t)
			}
		}
	case object.LCSegment, object.LCSegment64:
		return f.segment(r, c)
	}
	return err
}

// segment looks through a segment's sections for debug information and for what Go's linker noted.
func (f machoFile) segment(r *Report, c object.MachOCommand) error {
	segment, err := f.Segment(c)
	if err != nil {
		return err
	}
	for _, s := range segment.Sections {
		if s.Segment == "__DWARF" {
			r.Debug = true
		}
		if s.Name != "__go_buildinfo" {
			continue
		}
		if s.Size > 1<<24 {
			return object.Damaged("section __go_buildinfo has %d bytes", s.Size)
		}
		data, err := f.Bytes(uint64(s.Offset), s.Size, "section __go_buildinfo")
		if err != nil {
			return err
		}
		r.Go = parseGoBuild(data)
	}
	return nil
}

// symbols reads the table of symbols.
func (f machoFile) symbols(r *Report, c object.MachOCommand) error {
	r.Stripped = r.Kind == Executable || r.Kind == Shared
	const weakRef = 0x40
	err := f.Symbols(c, func(s object.MachOSymbol) {
		switch {
		case s.Type&object.MachOStab != 0:
			r.Debug, r.Stripped = true, false
		case s.Type&object.MachOExternal == 0:
			r.Stripped = false
		case s.Type&object.MachOType == 0:
			y := Symbol{Name: s.Name, Weak: s.Desc&weakRef != 0}
			if i := int(s.Desc >> 8); i >= 1 && i <= len(r.Needed) {
				y.Library = r.Needed[i-1]
			}
			r.Undefined = append(r.Undefined, y)
		case s.Type&object.MachOPrivate == 0:
			r.Exported = append(r.Exported, Symbol{Name: s.Name})
		}
	})
	r.Needed = slices.DeleteFunc(r.Needed, func(s string) bool { return strings.TrimSpace(s) == "" })
	return err
}
