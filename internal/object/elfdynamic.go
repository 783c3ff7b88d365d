package object

import (
	"debug/elf"
)

// A Dynamic is what the loader reads of a file: by segments and addresses, as ld.so does, so that it is the same
// without a table of sections.
type Dynamic struct {
	Present        bool
	Needed         []string
	SOName         string
	RPath, RunPath []string
	Flags, Flags1  uint64
	BindNow        bool
	Needs          []VersionNeed
	Defined        []string // versions that the file itself has

	tags      map[elf.DynTag]uint64
	names     *Names
	versions  []string // by index in DT_VERSYM: the name
	libraries []string // by the same index: where the version is to come from
}

// A VersionNeed is the versions of symbols that a library has to have (DT_VERNEED).
type VersionNeed struct {
	Library  string
	Versions []string
}

// ReadDynamic reads the dynamic section.
func (e *ELFFile) ReadDynamic() (*Dynamic, error) {
	d := &Dynamic{tags: map[elf.DynTag]uint64{}}
	p := e.Prog(elf.PT_DYNAMIC)
	if p == nil || e.Type == elf.ET_CORE {
		return d, nil
	}
	table, err := e.Bytes(p.Off, p.Filesz, "the dynamic section")
	if err != nil {
		return nil, err
	}
	d.Present = true
	step := int(2 * e.WordSize())
	var needed, rpath, runpath []uint64
	for ; len(table) >= step; table = table[step:] {
		tag, value := elf.DynTag(e.word(table, 0, 0)), e.word(table, 4, 8)
		if !e.Wide() {
			tag = elf.DynTag(int32(tag))
		}
		if tag == elf.DT_NULL {
			break
		}
		switch tag {
		case elf.DT_NEEDED:
			needed = append(needed, value)
		case elf.DT_RPATH:
			rpath = append(rpath, value)
		case elf.DT_RUNPATH:
			runpath = append(runpath, value)
		default:
			d.tags[tag] = value
		}
	}
	d.Flags, d.Flags1 = d.tags[elf.DT_FLAGS], d.tags[elf.DT_FLAGS_1]
	_, now := d.tags[elf.DT_BIND_NOW]
	d.BindNow = now || d.Flags&uint64(elf.DF_BIND_NOW) != 0 || d.Flags1&uint64(elf.DF_1_NOW) != 0
	if addr, ok := d.tags[elf.DT_STRTAB]; ok {
		data, err := e.Memory(addr, d.tags[elf.DT_STRSZ], "the table of dynamic names")
		if err != nil {
			return nil, err
		}
		d.names = NewNames(data)
	} else {
		d.names = NewNames(nil)
	}
	for _, l := range []struct {
		to   *[]string
		from []uint64
	}{{&d.Needed, needed}, {&d.RPath, rpath}, {&d.RunPath, runpath}} {
		for _, off := range l.from {
			name, err := d.names.At(off)
			if err != nil {
				return nil, err
			}
			*l.to = append(*l.to, name)
		}
	}
	if off, ok := d.tags[elf.DT_SONAME]; ok {
		if d.SOName, err = d.names.At(off); err != nil {
			return nil, err
		}
	}
	if err := e.versionNeeds(d); err != nil {
		return nil, err
	}
	return d, e.versionDefinitions(d)
}

// mostVersions is more than any library has (glibc: 50), and bounds the work on lists that lead into each other.
const mostVersions = 1 << 14

func (d *Dynamic) version(index uint16, name, library string) {
	i := int(index & 0x7fff) // the highest bit hides a symbol that is not the default
	for len(d.versions) <= i {
		d.versions, d.libraries = append(d.versions, ""), append(d.libraries, "")
	}
	d.versions[i], d.libraries[i] = name, library
}

// versionNeeds reads DT_VERNEED (LSB Core, "Symbol Version Requirements"): a list of libraries, each with a list of
// versions.
func (e *ELFFile) versionNeeds(d *Dynamic) error {
	addr, ok := d.tags[elf.DT_VERNEED]
	if !ok {
		return nil
	}
	left := mostVersions
	const what = "the table of needed versions"
	for range d.tags[elf.DT_VERNEEDNUM] {
		need, err := e.Memory(addr, 16, what)
		if err != nil {
			return err
		}
		file, err := d.names.At(uint64(e.Order.Uint32(need[4:])))
		if err != nil {
			return err
		}
		v := VersionNeed{Library: file}
		aux := addr + uint64(e.Order.Uint32(need[8:]))
		for range e.Order.Uint16(need[2:]) {
			if left--; left < 0 {
				return Damaged("%s does not end", what)
			}
			b, err := e.Memory(aux, 16, what)
			if err != nil {
				return err
			}
			name, err := d.names.At(uint64(e.Order.Uint32(b[8:])))
			if err != nil {
				return err
			}
			d.version(e.Order.Uint16(b[6:]), name, file)
			// A weak need is one that may be missing (VER_FLG_WEAK).
			if e.Order.Uint16(b[4:])&2 == 0 {
				v.Versions = append(v.Versions, name)
			}
			next := e.Order.Uint32(b[12:])
			if next == 0 {
				break
			}
			aux += uint64(next)
		}
		if len(v.Versions) > 0 {
			d.Needs = append(d.Needs, v)
		}
		next := e.Order.Uint32(need[12:])
		if next == 0 {
			break
		}
		if left--; left < 0 {
			return Damaged("%s does not end", what)
		}
		addr += uint64(next)
	}
	return nil
}

// versionDefinitions reads DT_VERDEF: the versions that a library has.
func (e *ELFFile) versionDefinitions(d *Dynamic) error {
	addr, ok := d.tags[elf.DT_VERDEF]
	if !ok {
		return nil
	}
	left := mostVersions
	const what = "the table of defined versions"
	for range d.tags[elf.DT_VERDEFNUM] {
		if left--; left < 0 {
			return Damaged("%s does not end", what)
		}
		def, err := e.Memory(addr, 20, what)
		if err != nil {
			return err
		}
		aux, err := e.Memory(addr+uint64(e.Order.Uint32(def[12:])), 8, what)
		if err != nil {
			return err
		}
		name, err := d.names.At(uint64(e.Order.Uint32(aux)))
		if err != nil {
			return err
		}
		// The first one is the file's own name (VER_FLG_BASE), not a version of symbols.
		if e.Order.Uint16(def[2:])&1 == 0 {
			d.version(e.Order.Uint16(def[4:]), name, "")
			d.Defined = append(d.Defined, name)
		}
		next := e.Order.Uint32(def[16:])
		if next == 0 {
			break
		}
		addr += uint64(next)
	}
	return nil
}
