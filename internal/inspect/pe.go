package inspect

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/object"
	"xbuild/internal/platform"
)

var le = binary.LittleEndian

// A peFile is a PE file of which a report is made.
type peFile struct{ *object.PEFile }

// readPE fills in what a PE file, or an object for Windows, says.
func readPE(s *object.Source, r *Report) error {
	r.Format, r.Kind, r.OS, r.Endian = PE, Executable, "windows", "little"
	file, err := object.OpenPE(s)
	if err != nil {
		return err
	}
	f := peFile{file}
	if f.Object {
		r.Format, r.Kind = COFF, Relocatable
	}
	r.peMachine(f.Machine)
	if f.Short {
		return nil
	}
	for i := range f.Sections {
		if s := &f.Sections[i]; s.Name == ".debug_info" || s.Name == ".debug$S" {
			r.Debug = true
		}
	}
	switch {
	case f.Object:
		return f.objectSymbols(r)
	case f.debugOnly():
		r.Kind, r.Debug = DebugOnly, true
		return nil
	}
	return f.image(r)
}

// debugOnly tells a file of debug information: only the headers of the other sections are left, as objcopy
// --only-keep-debug does it.
func (f peFile) debugOnly() bool {
	code, there := 0, 0
	for i := range f.Sections {
		if s := &f.Sections[i]; s.Code() {
			code++
			if s.Size > 0 || s.VirtualSize == 0 {
				there++
			}
		}
	}
	return code > 0 && there == 0
}

// image fills in what a program or library says.
func (f peFile) image(r *Report) error {
	r.Stripped = f.SymbolCount() == 0
	if f.DLL {
		r.Kind = Shared
	}
	i := f.Image
	r.MinOS = fmt.Sprintf("windows %d.%d", i.Major, i.Minor)
	if i.EFI {
		r.OS, r.MinOS = "efi", ""
	}
	r.Hardening = &Hardening{ASLR: yes(i.DynamicBase), NX: yes(i.NX), CFG: yes(i.ControlFlowGuard)}
	if i.Wide {
		r.Hardening.HighEntropy = yes(i.HighEntropy)
	}
	r.PIE = r.Kind == Executable && i.DynamicBase
	library, exported, err := f.Exports()
	if err != nil {
		return err
	}
	r.SOName = library
	for _, name := range exported {
		r.Exported = append(r.Exported, Symbol{Name: name})
	}
	r.Needed, err = f.Imports(func(i object.PEImport) {
		if i.Name == "" {
			i.Name = fmt.Sprintf("#%d", i.Ordinal)
		}
		r.Undefined = append(r.Undefined, Symbol{Name: i.Name, Library: i.Library})
	})
	if err != nil {
		return err
	}
	if r.Kind == Executable {
		r.Link = Static
		if len(r.Needed) > 0 {
			r.Link = Dynamic
		}
	}
	if err := f.debugDirectory(r); err != nil {
		return err
	}
	return f.origin(r)
}

func (r *Report) peMachine(m uint16) {
	if r.Machine = object.PEMachineName(m); r.Machine == "" {
		r.Machine = fmt.Sprintf("%#x", m)
	}
	for _, p := range platform.All() {
		if p.PE != 0 && p.PE == uint32(m) && p.OS == "windows" {
			r.Arch, r.Bits, r.Platform = p.Arch, p.Bits, p.Name
		}
	}
}

// objectSymbols lists an object's external symbols.
func (f peFile) objectSymbols(r *Report) error {
	return f.Symbols(func(s object.COFFSymbol) {
		weak := s.Class == object.COFFWeakExternal
		switch {
		case s.Class == object.COFFExternal && s.Section == 0 && s.Value == 0, weak:
			r.Undefined = append(r.Undefined, Symbol{Name: s.Name, Weak: weak})
		case s.Class == object.COFFExternal:
			r.Exported = append(r.Exported, Symbol{Name: s.Name})
		}
	})
}

// debugDirectory finds the id that ties the program to its PDB.
func (f peFile) debugDirectory(r *Report) error {
	address, size := f.Directory(object.PEDebug)
	if address == 0 {
		return nil
	}
	for range min(size/28, 64) {
		d, err := f.Memory(address, 28, "the debug directory")
		if err != nil {
			return err
		}
		word := func(at int) uint32 { return le.Uint32([]byte(d[at : at+4])) }
		if n, from := word(16), word(24); word(12) == 2 && n >= 24 { // CodeView
			b, err := f.Bytes(uint64(from), 24, "the CodeView record")
			if err != nil {
				return err
			}
			if string(b[:4]) == "RSDS" {
				r.BuildID = hex.EncodeToString(b[4:20])
			}
		}
		address += 28
	}
	return nil
}

var gccString = lazyregexp.New(`GCC: \([^)\x00]{1,60}\) [0-9][0-9.]*[^\x00]{0,30}`)

// origin finds who compiled it.
func (f peFile) origin(r *Report) error {
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Name != ".rdata" && s.Name != ".data" || s.Size == 0 || s.Size > 1<<27 {
			continue
		}
		text, err := f.Memory(s.Address, uint64(s.Size), s.Name)
		if err != nil {
			return err
		}
		if s.Name == ".data" {
			if r.Go = findGoBuild([]byte(text)); r.Go != nil {
				continue
			}
		}
		for _, m := range gccString.FindAllString(text, 256) {
			if !slices.Contains(r.Compilers, m) {
				r.Compilers = append(r.Compilers, m)
			}
		}
		if std := rustStd([]byte(text)); std != "" {
			r.Compilers = append(r.Compilers, std)
		}
	}
	return nil
}
