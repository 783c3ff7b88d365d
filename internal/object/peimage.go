package object

import (
	"debug/pe"
	"slices"
)

// A PEImage is what the optional header of a program or library says.
type PEImage struct {
	Wide         bool
	Base         uint64 // where it is loaded
	Entry        uint32 // 0 for none
	Major, Minor uint16 // of the oldest Windows that it says it is for
	EFI          bool   // for a machine's firmware, not for Windows

	DynamicBase, NX, ControlFlowGuard, HighEntropy bool
}

// readImage reads the optional header of a program or library.
func (f *PEFile) readImage() error {
	i, o := &f.Image, f.optional
	if len(o) < 96 {
		return Damaged("an optional header of %d bytes", len(o))
	}
	switch magic := le.Uint16(o); magic {
	case 0x10b:
		i.Base, f.dirs = uint64(le.Uint32(o[28:])), 96
	case 0x20b:
		i.Wide, i.Base, f.dirs = true, le.Uint64(o[24:]), 112
	default:
		return Damaged("an optional header of kind %#x", magic)
	}
	if len(o) < f.dirs {
		return Damaged("an optional header of %d bytes", len(o))
	}
	i.Entry, i.Major, i.Minor = le.Uint32(o[16:]), le.Uint16(o[48:]), le.Uint16(o[50:])
	sub, flags := le.Uint16(o[68:]), le.Uint16(o[70:])
	i.EFI = sub >= pe.IMAGE_SUBSYSTEM_EFI_APPLICATION && sub <= pe.IMAGE_SUBSYSTEM_EFI_ROM
	i.DynamicBase = flags&pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE != 0
	i.NX = flags&pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT != 0
	i.ControlFlowGuard = flags&pe.IMAGE_DLLCHARACTERISTICS_GUARD_CF != 0
	i.HighEntropy = flags&pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA != 0
	return nil
}

// Directory is where one of the optional header's directories lies in memory, 0 where there is none.
func (f *PEFile) Directory(i int) (address, size uint32) {
	if at := f.dirs + 8*i; !f.Object && len(f.optional) >= at+8 && uint32(i) < le.Uint32(f.optional[f.dirs-4:]) {
		return le.Uint32(f.optional[at:]), le.Uint32(f.optional[at+4:])
	}
	return 0, 0
}

// at returns the content of the section of an address, and the offset in it.
func (f *PEFile) at(address uint32, n uint64, what string) (*Names, uint64, error) {
	for i := range f.Sections {
		s := &f.Sections[i]
		if address < s.Address || uint64(address-s.Address)+n > uint64(s.Size) {
			continue
		}
		if s.data == nil {
			data, err := f.Content(s)
			if err != nil {
				return nil, 0, err
			}
			s.data = NewNames(data)
		}
		return s.data, uint64(address - s.Address), nil
	}
	return nil, 0, Damaged("%s (%d bytes at address %#x) lies in no section", what, n, address)
}

// Memory reads n bytes at an address.
func (f *PEFile) Memory(address uint32, n uint64, what string) (string, error) {
	data, off, err := f.at(address, n, what)
	if err != nil {
		return "", err
	}
	return data.text[off : off+n], nil
}

func (f *PEFile) name(address uint32, what string) (string, error) {
	data, off, err := f.at(address, 1, what)
	if err != nil {
		return "", err
	}
	return data.At(off)
}

func u16(s string) uint16 { return uint16(s[0]) | uint16(s[1])<<8 }

func u32(s string) uint32 { return uint32(u16(s)) | uint32(u16(s[2:]))<<16 }

// mostSymbols is more than a DLL can export (ordinals have 16 bits), and bounds lists that lead into each other.
const mostSymbols = 1 << 17

// exportTable reads the head of the table of exports, and how many functions and names it has; "" where there is none.
func (f *PEFile) exportTable() (dir string, functions, names uint64, err error) {
	address, _ := f.Directory(PEExports)
	if address == 0 {
		return "", 0, 0, nil
	}
	if dir, err = f.Memory(address, 40, exportTable); err != nil {
		return "", 0, 0, err
	}
	functions, names = uint64(u32(dir[20:])), uint64(u32(dir[24:]))
	if n := max(functions, names); n > mostSymbols {
		return "", 0, 0, Damaged("%s has %d names", exportTable, n)
	}
	return dir, functions, names, nil
}

const exportTable = "the table of exports"

// table reads a table of n entries of a size, whose address is at an offset in dir.
func (f *PEFile) table(dir string, at int, n, size uint64) (string, error) {
	if n == 0 {
		return "", nil
	}
	return f.Memory(u32(dir[at:]), n*size, exportTable)
}

// Exports reads what a library calls itself, and the names that it has for others.
func (f *PEFile) Exports() (library string, names []string, err error) {
	dir, _, n, err := f.exportTable()
	if err != nil || dir == "" {
		return "", nil, err
	}
	if library, err = f.name(u32(dir[12:]), exportTable); err != nil {
		return "", nil, err
	}
	table, err := f.table(dir, 32, n, 4)
	if err != nil {
		return "", nil, err
	}
	for ; len(table) > 0; table = table[4:] {
		name, err := f.name(u32(table), exportTable)
		if err != nil {
			return "", nil, err
		}
		names = append(names, name)
	}
	return library, names, nil
}

// ExportedFunctions goes through the addresses that a library has for others: first all of them, without their names,
// and then those that have one. What is another library's is left out.
func (f *PEFile) ExportedFunctions(use func(address uint32, name string)) error {
	dir, functions, n, err := f.exportTable()
	if err != nil || dir == "" || u32(dir[28:]) == 0 { // 0 is no address
		return err
	}
	addresses, err := f.table(dir, 28, functions, 4)
	if err != nil {
		return err
	}
	from, size := f.Directory(PEExports)
	address := func(i int) (uint32, bool) {
		if 4*i >= len(addresses) {
			return 0, false
		}
		at := u32(addresses[4*i:])
		return at, at != 0 && at-from >= size // else the name of another library's lies there
	}
	for i := range int(functions) {
		if at, ok := address(i); ok {
			use(at, "")
		}
	}
	names, err := f.table(dir, 32, n, 4)
	if err != nil {
		return err
	}
	ordinals, err := f.table(dir, 36, n, 2)
	if err != nil {
		return err
	}
	for ; len(names) > 0; names, ordinals = names[4:], ordinals[2:] {
		at, ok := address(int(u16(ordinals)))
		if !ok {
			continue
		}
		name, err := f.name(u32(names), exportTable)
		if err != nil {
			return err
		}
		use(at, name)
	}
	return nil
}

// A PEImport is a function of another library.
type PEImport struct {
	Library string
	Name    string // "" where it is asked for by its number
	Ordinal uint16
	Slot    uint32 // the address of the word that the loader fills
}

// Imports reads the two tables of imports: those resolved at the start and those resolved when they are used. It
// returns the libraries that the file needs.
func (f *PEFile) Imports(use func(PEImport)) ([]string, error) {
	const what = "the table of imports"
	var libraries []string
	left := mostSymbols
	for _, kind := range []struct{ dir, size, name, slots, names int }{
		{PEImports, 20, 12, 16, 0}, {PEDelayedImports, 32, 4, 12, 16},
	} {
		address, _ := f.Directory(kind.dir)
		if address == 0 {
			continue
		}
		for ; ; address += uint32(kind.size) {
			d, err := f.Memory(address, uint64(kind.size), what)
			if err != nil {
				return nil, err
			}
			if u32(d[kind.name:]) == 0 {
				break
			}
			if left--; left < 0 {
				return nil, Damaged("%s does not end", what)
			}
			library, err := f.name(u32(d[kind.name:]), what)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(libraries, library) {
				if len(libraries) >= 4096 {
					return nil, Damaged("%s names more than 4096 libraries", what)
				}
				libraries = append(libraries, library)
			}
			slots := u32(d[kind.slots:])
			names := u32(d[kind.names:])
			if names == 0 {
				names = slots
			}
			if err := f.imports(library, slots, names, &left, use); err != nil {
				return nil, err
			}
		}
	}
	return libraries, nil
}

// imports reads what is asked of one library.
func (f *PEFile) imports(library string, slot, names uint32, left *int, use func(PEImport)) error {
	const what = "a list of imports"
	size := uint32(4)
	if f.Image.Wide {
		size = 8
	}
	for ; ; slot, names = slot+size, names+size {
		if *left--; *left < 0 {
			return Damaged("%s does not end", what)
		}
		t, err := f.Memory(names, uint64(size), what)
		if err != nil {
			return err
		}
		i := PEImport{Library: library, Slot: slot}
		low, ordinal := u32(t), t[size-1]&0x80 != 0
		switch {
		case low == 0 && !ordinal:
			return nil
		case ordinal:
			i.Ordinal = uint16(low)
		default:
			if i.Name, err = f.name(low+2, what); err != nil { // behind a hint of two bytes
				return err
			}
		}
		use(i)
	}
}
