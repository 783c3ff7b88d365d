package inspect

import (
	"debug/pe"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/platform"
)

// The PE format is Microsoft's "PE Format" specification; all of it is little-endian.
var le = binary.LittleEndian

// peMachines are the names of machines; whether xbuild has a platform for one is in package platform's table.
var peMachines = map[uint16]string{
	pe.IMAGE_FILE_MACHINE_I386: "IMAGE_FILE_MACHINE_I386", pe.IMAGE_FILE_MACHINE_AMD64: "IMAGE_FILE_MACHINE_AMD64", pe.IMAGE_FILE_MACHINE_ARM64: "IMAGE_FILE_MACHINE_ARM64",
	pe.IMAGE_FILE_MACHINE_ARMNT: "IMAGE_FILE_MACHINE_ARMNT", pe.IMAGE_FILE_MACHINE_IA64: "IMAGE_FILE_MACHINE_IA64", pe.IMAGE_FILE_MACHINE_RISCV64: "IMAGE_FILE_MACHINE_RISCV64",
	0xa641: "IMAGE_FILE_MACHINE_ARM64EC",
}

const (
	dosHeader   = 64
	coffHeader  = 20
	coffSection = 40
	coffSymbol  = 18
)

// isPE tells a PE file by its two marks, and an object for Windows by a machine and a table of sections that fits: an
// object has no mark.
func isPE(s *source, head []byte) bool {
	if len(head) < 4 {
		return false
	}
	if string(head[:2]) == "MZ" {
		at, ok := peek32(s, 0x3c)
		if !ok {
			return false
		}
		mark, ok := peek32(s, int64(at))
		return ok && mark == 0x4550 || int64(at) >= s.size && s.size >= dosHeader // "PE\0\0", or cut off before it
	}
	h := make([]byte, coffHeader)
	if n, _ := s.r.ReadAt(h, 0); n < coffHeader {
		return false
	}
	if le.Uint16(h) == 0 && le.Uint16(h[2:]) == 0xffff { // an import, or an object with many sections
		return peMachines[le.Uint16(h[6:])] != ""
	}
	return peMachines[le.Uint16(h)] != "" && le.Uint16(h[16:]) == 0 && coffHeader+coffSection*int64(le.Uint16(h[2:])) <= s.size && int64(le.Uint32(h[8:])) <= s.size
}

func peek32(s *source, off int64) (uint32, bool) {
	b := make([]byte, 4)
	n, _ := s.r.ReadAt(b, off)
	return le.Uint32(b), n == 4
}

type peSection struct {
	name                             string
	virtualSize, address, size, from uint32
	characteristics                  uint32
	data                             *nameTable
}

type peFile struct {
	*source
	wide     bool
	sections []peSection
}

func readPE(s *source, r *Report) error {
	f := &peFile{source: s}
	at := uint64(0)
	r.Format, r.Kind, r.OS, r.Endian = COFF, Relocatable, "windows", "little"
	mark, err := s.bytes(0, 8, "the head")
	if err != nil {
		return err
	}
	switch {
	case string(mark[:2]) == "MZ":
		r.Format = PE
		dos, err := s.bytes(0, dosHeader, "the DOS header")
		if err != nil {
			return err
		}
		at = uint64(le.Uint32(dos[0x3c:])) + 4
	case le.Uint16(mark) == 0 && le.Uint16(mark[2:]) == 0xffff:
		r.peMachine(le.Uint16(mark[6:]))
		return nil // the one line of an import library, or an object of more than 65279 sections, whose tables are not read
	}
	h, err := s.bytes(at, coffHeader, "the COFF header")
	if err != nil {
		return err
	}
	r.peMachine(le.Uint16(h))
	characteristics := le.Uint16(h[18:])
	optional, err := s.bytes(at+coffHeader, uint64(le.Uint16(h[16:])), "the optional header")
	if err != nil {
		return err
	}
	symbols, names, err := f.coffSymbols(le.Uint32(h[8:]), le.Uint32(h[12:]))
	if err != nil {
		return err
	}
	if err := f.readSections(at+coffHeader+uint64(len(optional)), int(le.Uint16(h[2:])), names); err != nil {
		return err
	}
	for i := range f.sections {
		if s := &f.sections[i]; s.name == ".debug_info" || s.name == ".debug$S" {
			r.Debug = true
		}
	}
	if r.Format == COFF {
		return eachCOFF(symbols, names, r)
	}
	// Of a file of debug information only the headers of the other sections are left, as objcopy --only-keep-debug does
	// it.
	code, there := 0, 0
	for _, s := range f.sections {
		if s.characteristics&pe.IMAGE_SCN_CNT_CODE != 0 {
			code++
			if s.size > 0 || s.virtualSize == 0 {
				there++
			}
		}
	}
	if code > 0 && there == 0 {
		r.Kind, r.Debug = DebugOnly, true
		return nil
	}
	r.Stripped = len(symbols) == 0
	r.Kind = Executable
	if characteristics&pe.IMAGE_FILE_DLL != 0 {
		r.Kind = Shared
	}
	if len(optional) < 72 {
		return damaged("an optional header of %d bytes", len(optional))
	}
	dirs := 96
	switch magic := le.Uint16(optional); magic {
	case 0x10b:
	case 0x20b:
		f.wide, dirs = true, 112
	default:
		return damaged("an optional header of kind %#x", magic)
	}
	r.MinOS = fmt.Sprintf("windows %d.%d", le.Uint16(optional[48:]), le.Uint16(optional[50:]))
	switch sub := le.Uint16(optional[68:]); {
	case sub >= pe.IMAGE_SUBSYSTEM_EFI_APPLICATION && sub <= pe.IMAGE_SUBSYSTEM_EFI_ROM:
		r.OS, r.MinOS = "efi", ""
	}
	dll := le.Uint16(optional[70:])
	has := func(flag uint16) string { return yes(dll&flag != 0) }
	r.Hardening = &Hardening{
		ASLR: has(pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE), NX: has(pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT), CFG: has(pe.IMAGE_DLLCHARACTERISTICS_GUARD_CF),
	}
	if f.wide {
		r.Hardening.HighEntropy = has(pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA)
	}
	r.PIE = r.Kind == Executable && dll&pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE != 0
	directory := func(i int) (address, size uint32) {
		if at := dirs + 8*i; len(optional) >= at+8 && uint32(i) < le.Uint32(optional[dirs-4:]) {
			return le.Uint32(optional[at:]), le.Uint32(optional[at+4:])
		}
		return 0, 0
	}
	if err := f.exports(r, directory); err != nil {
		return err
	}
	if err := f.imports(r, directory); err != nil {
		return err
	}
	if r.Kind == Executable {
		r.Link = Static
		if len(r.Needed) > 0 {
			r.Link = Dynamic
		}
	}
	if err := f.debugDirectory(r, directory); err != nil {
		return err
	}
	return f.origin(r)
}

func (r *Report) peMachine(m uint16) {
	if r.Machine = peMachines[m]; r.Machine == "" {
		r.Machine = fmt.Sprintf("%#x", m)
	}
	for _, p := range platform.All() {
		if p.PE != 0 && p.PE == uint32(m) && p.OS == "windows" {
			r.Arch, r.Bits, r.Platform = p.Arch, p.Bits, p.Name
		}
	}
}

// readSections reads the table of sections. A name longer than eight bytes is "/123": an offset in the table of names.
func (f *peFile) readSections(at uint64, n int, names *nameTable) error {
	table, err := f.bytes(at, uint64(n)*coffSection, "the table of sections")
	if err != nil {
		return err
	}
	for b := table; len(b) > 0; b = b[coffSection:] {
		s := peSection{name: cString(b[:8]), virtualSize: le.Uint32(b[8:]), address: le.Uint32(b[12:]), size: le.Uint32(b[16:]), from: le.Uint32(b[20:]), characteristics: le.Uint32(b[36:])}
		if off, err := strconv.ParseUint(strings.TrimPrefix(s.name, "/"), 10, 32); err == nil && strings.HasPrefix(s.name, "/") && names != nil {
			if s.name, err = names.at(off); err != nil {
				return err
			}
		}
		if s.characteristics&pe.IMAGE_SCN_CNT_UNINITIALIZED_DATA != 0 && s.from == 0 {
			s.size = 0
		}
		if s.size > 0 && (int64(s.from) > f.size || int64(s.size) > f.size-int64(s.from)) {
			return damaged("section %q lies outside of the file (%d bytes at %d of %d)", s.name, s.size, s.from, f.size)
		}
		f.sections = append(f.sections, s)
	}
	return nil
}

// at returns the section of an address, with its content, and the offset in it.
func (f *peFile) at(address uint32, n uint64, what string) (*nameTable, uint64, error) {
	for i := range f.sections {
		s := &f.sections[i]
		if address < s.address || uint64(address-s.address)+n > uint64(s.size) {
			continue
		}
		if s.data == nil {
			data, err := f.bytes(uint64(s.from), uint64(s.size), "section "+strconv.Quote(s.name))
			if err != nil {
				return nil, 0, err
			}
			s.data = newNames(data)
		}
		return s.data, uint64(address - s.address), nil
	}
	return nil, 0, damaged("%s (%d bytes at address %#x) lies in no section", what, n, address)
}

func (f *peFile) memory(address uint32, n uint64, what string) (string, error) {
	data, off, err := f.at(address, n, what)
	if err != nil {
		return "", err
	}
	return data.text[off : off+n], nil
}

func (f *peFile) name(address uint32, what string) (string, error) {
	data, off, err := f.at(address, 1, what)
	if err != nil {
		return "", err
	}
	return data.at(off)
}

func u32(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// mostSymbols is more than a DLL can export (ordinals have 16 bits), and bounds lists that lead into each other.
const mostSymbols = 1 << 17

func (f *peFile) exports(r *Report, directory func(int) (uint32, uint32)) error {
	address, _ := directory(0)
	if address == 0 {
		return nil
	}
	const what = "the table of exports"
	dir, err := f.memory(address, 40, what)
	if err != nil {
		return err
	}
	if r.SOName, err = f.name(u32(dir[12:]), what); err != nil {
		return err
	}
	n, at := u32(dir[24:]), u32(dir[32:])
	if n > mostSymbols {
		return damaged("%s has %d names", what, n)
	}
	table, err := f.memory(at, 4*uint64(n), what)
	if n > 0 && err != nil {
		return err
	}
	for ; n > 0; n, table = n-1, table[4:] {
		name, err := f.name(u32(table), what)
		if err != nil {
			return err
		}
		r.Exported = append(r.Exported, Symbol{Name: name})
	}
	return nil
}

// imports reads the two tables of imports: those resolved at the start and those resolved when they are used.
func (f *peFile) imports(r *Report, directory func(int) (uint32, uint32)) error {
	const what = "the table of imports"
	left := mostSymbols
	for _, kind := range []struct{ dir, size, name, thunks, orThunks int }{{1, 20, 12, 0, 16}, {13, 32, 4, 16, 12}} {
		address, _ := directory(kind.dir)
		if address == 0 {
			continue
		}
		for ; ; address += uint32(kind.size) {
			d, err := f.memory(address, uint64(kind.size), what)
			if err != nil {
				return err
			}
			if u32(d[kind.name:]) == 0 {
				break
			}
			if left--; left < 0 {
				return damaged("%s does not end", what)
			}
			dll, err := f.name(u32(d[kind.name:]), what)
			if err != nil {
				return err
			}
			if !slices.Contains(r.Needed, dll) {
				if len(r.Needed) >= 4096 {
					return damaged("%s names more than 4096 libraries", what)
				}
				r.Needed = append(r.Needed, dll)
			}
			thunks := u32(d[kind.thunks:])
			if thunks == 0 {
				thunks = u32(d[kind.orThunks:])
			}
			if err := f.thunks(r, thunks, dll, &left); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *peFile) thunks(r *Report, address uint32, dll string, left *int) error {
	const what = "a list of imports"
	size := uint32(4)
	if f.wide {
		size = 8
	}
	for ; ; address += size {
		if *left--; *left < 0 {
			return damaged("%s does not end", what)
		}
		t, err := f.memory(address, uint64(size), what)
		if err != nil {
			return err
		}
		low, ordinal := u32(t), t[size-1]&0x80 != 0
		switch {
		case low == 0 && !ordinal:
			return nil
		case ordinal:
			r.Undefined = append(r.Undefined, Symbol{Name: fmt.Sprintf("#%d", low&0xffff), Library: dll})
		default:
			name, err := f.name(low+2, what) // behind a hint of two bytes
			if err != nil {
				return err
			}
			r.Undefined = append(r.Undefined, Symbol{Name: name, Library: dll})
		}
	}
}

// debugDirectory finds the id that ties the program to its PDB.
func (f *peFile) debugDirectory(r *Report, directory func(int) (uint32, uint32)) error {
	address, size := directory(6)
	if address == 0 {
		return nil
	}
	for range min(size/28, 64) {
		d, err := f.memory(address, 28, "the debug directory")
		if err != nil {
			return err
		}
		if n, from := u32(d[16:]), u32(d[24:]); u32(d[12:]) == 2 && n >= 24 { // CodeView
			b, err := f.bytes(uint64(from), 24, "the CodeView record")
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
func (f *peFile) origin(r *Report) error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.name != ".rdata" && s.name != ".data" || s.size == 0 || s.size > 1<<27 {
			continue
		}
		table, _, err := f.at(s.address, 1, s.name)
		if err != nil {
			return err
		}
		if s.name == ".data" {
			if r.Go = findGoBuild([]byte(table.text)); r.Go != nil {
				continue
			}
		}
		for _, m := range gccString.FindAllString(table.text, 256) {
			if !slices.Contains(r.Compilers, m) {
				r.Compilers = append(r.Compilers, m)
			}
		}
		if std := rustStd([]byte(table.text)); std != "" {
			r.Compilers = append(r.Compilers, std)
		}
	}
	return nil
}

// coffSymbols reads the table of symbols and the table of names that follows it.
func (f *peFile) coffSymbols(at, n uint32) ([]byte, *nameTable, error) {
	if at == 0 || n == 0 {
		return nil, nil, nil
	}
	size := uint64(n) * coffSymbol
	table, err := f.bytes(uint64(at), size, "the table of symbols")
	if err != nil {
		return nil, nil, err
	}
	from := uint64(at) + size
	if from+4 > uint64(f.size) {
		return table, newNames(nil), nil
	}
	head, err := f.bytes(from, 4, "the table of names")
	if err != nil {
		return nil, nil, err
	}
	names, err := f.bytes(from, max(4, uint64(le.Uint32(head))), "the table of names")
	if err != nil {
		return nil, nil, err
	}
	return table, newNames(names), nil
}

// eachCOFF lists an object's external symbols.
func eachCOFF(table []byte, names *nameTable, r *Report) error {
	const external, weak = 2, 105
	for b := table; len(b) >= coffSymbol; {
		name := cString(b[:8])
		if le.Uint32(b) == 0 {
			var err error
			if name, err = names.at(uint64(le.Uint32(b[4:]))); err != nil {
				return err
			}
		}
		section, class := int16(le.Uint16(b[12:])), b[16]
		switch {
		case class == external && section == 0 && le.Uint32(b[8:]) == 0, class == weak:
			r.Undefined = append(r.Undefined, Symbol{Name: name, Weak: class == weak})
		case class == external:
			r.Exported = append(r.Exported, Symbol{Name: name})
		}
		b = b[min(len(b), coffSymbol*(1+int(b[17]))):]
	}
	return nil
}
