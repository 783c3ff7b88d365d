package inspect

import (
	"debug/elf"
	"slices"

	"xbuild/internal/object"
)

// dynamic is what the loader reads of a file: by segments and addresses, as ld.so does, so that it is the same without
// a table of sections.
type dynamic struct {
	present        bool
	needed         []string
	soname         string
	rpath, runpath []string
	flags, flags1  uint64
	bindNow        bool
	tags           map[elf.DynTag]uint64
	names          *object.Names
	versions       []string // by index in DT_VERSYM: the name
	libraries      []string // by the same index: where the version is to come from
	needs          []VersionNeed
	defined        []string // versions that the file itself has
}

// offset finds where n bytes at an address lie in the file.
func (e *elfFile) offset(addr, n uint64) (uint64, bool) {
	for i := range e.progs {
		p := &e.progs[i]
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr <= p.Filesz && n <= p.Filesz-(addr-p.Vaddr) {
			return p.Off + (addr - p.Vaddr), true
		}
	}
	return 0, false
}

// rest is how many bytes of the file follow an address in its segment.
func (e *elfFile) rest(addr uint64) uint64 {
	for i := range e.progs {
		p := &e.progs[i]
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return p.Filesz - (addr - p.Vaddr)
		}
	}
	return 0
}

// memory reads n bytes at an address.
func (e *elfFile) memory(addr, n uint64, what string) ([]byte, error) {
	off, ok := e.offset(addr, n)
	if !ok {
		return nil, object.Damaged("%s (%d bytes at address %#x) lies in no segment", what, n, addr)
	}
	return e.Bytes(off, n, what)
}

func (e *elfFile) readDynamic() (*dynamic, error) {
	d := &dynamic{tags: map[elf.DynTag]uint64{}}
	p := e.prog(elf.PT_DYNAMIC)
	if p == nil || e.Type == elf.ET_CORE {
		return d, nil
	}
	table, err := e.Bytes(p.Off, p.Filesz, "the dynamic section")
	if err != nil {
		return nil, err
	}
	d.present = true
	step := 8
	if e.wide() {
		step = 16
	}
	var needed, rpath, runpath []uint64
	for ; len(table) >= step; table = table[step:] {
		tag, value := elf.DynTag(e.word(table, 0, 0)), e.word(table, 4, 8)
		if !e.wide() {
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
	d.flags, d.flags1 = d.tags[elf.DT_FLAGS], d.tags[elf.DT_FLAGS_1]
	_, now := d.tags[elf.DT_BIND_NOW]
	d.bindNow = now || d.flags&uint64(elf.DF_BIND_NOW) != 0 || d.flags1&uint64(elf.DF_1_NOW) != 0
	if addr, ok := d.tags[elf.DT_STRTAB]; ok {
		data, err := e.memory(addr, d.tags[elf.DT_STRSZ], "the table of dynamic names")
		if err != nil {
			return nil, err
		}
		d.names = object.NewNames(data)
	} else {
		d.names = object.NewNames(nil)
	}
	for _, l := range []struct {
		to   *[]string
		from []uint64
	}{{&d.needed, needed}, {&d.rpath, rpath}, {&d.runpath, runpath}} {
		for _, off := range l.from {
			name, err := d.names.At(off)
			if err != nil {
				return nil, err
			}
			*l.to = append(*l.to, name)
		}
	}
	if off, ok := d.tags[elf.DT_SONAME]; ok {
		if d.soname, err = d.names.At(off); err != nil {
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

func (d *dynamic) version(index uint16, name, library string) {
	i := int(index & 0x7fff) // the highest bit hides a symbol that is not the default
	for len(d.versions) <= i {
		d.versions, d.libraries = append(d.versions, ""), append(d.libraries, "")
	}
	d.versions[i], d.libraries[i] = name, library
}

// versionNeeds reads DT_VERNEED (LSB Core, "Symbol Version Requirements"): a list of libraries, each with a list of
// versions.
func (e *elfFile) versionNeeds(d *dynamic) error {
	addr, ok := d.tags[elf.DT_VERNEED]
	if !ok {
		return nil
	}
	left := mostVersions
	const what = "the table of needed versions"
	for range d.tags[elf.DT_VERNEEDNUM] {
		need, err := e.memory(addr, 16, what)
		if err != nil {
			return err
		}
		file, err := d.names.At(uint64(e.order.Uint32(need[4:])))
		if err != nil {
			return err
		}
		v := VersionNeed{Library: file}
		aux := addr + uint64(e.order.Uint32(need[8:]))
		for range e.order.Uint16(need[2:]) {
			if left--; left < 0 {
				return object.Damaged("%s does not end", what)
			}
			b, err := e.memory(aux, 16, what)
			if err != nil {
				return err
			}
			name, err := d.names.At(uint64(e.order.Uint32(b[8:])))
			if err != nil {
				return err
			}
			d.version(e.order.Uint16(b[6:]), name, file)
			// A weak need is one that may be missing (VER_FLG_WEAK).
			if e.order.Uint16(b[4:])&2 == 0 {
				v.Versions = append(v.Versions, name)
			}
			next := e.order.Uint32(b[12:])
			if next == 0 {
				break
			}
			aux += uint64(next)
		}
		slices.SortFunc(v.Versions, compareVersions)
		if len(v.Versions) > 0 {
			d.needs = append(d.needs, v)
		}
		next := e.order.Uint32(need[12:])
		if next == 0 {
			break
		}
		if left--; left < 0 {
			return object.Damaged("%s does not end", what)
		}
		addr += uint64(next)
	}
	return nil
}

// versionDefinitions reads DT_VERDEF: the versions that a library has.
func (e *elfFile) versionDefinitions(d *dynamic) error {
	addr, ok := d.tags[elf.DT_VERDEF]
	if !ok {
		return nil
	}
	left := mostVersions
	const what = "the table of defined versions"
	for range d.tags[elf.DT_VERDEFNUM] {
		if left--; left < 0 {
			return object.Damaged("%s does not end", what)
		}
		def, err := e.memory(addr, 20, what)
		if err != nil {
			return err
		}
		aux, err := e.memory(addr+uint64(e.order.Uint32(def[12:])), 8, what)
		if err != nil {
			return err
		}
		name, err := d.names.At(uint64(e.order.Uint32(aux)))
		if err != nil {
			return err
		}
		// The first one is the file's own name (VER_FLG_BASE), not a version of symbols.
		if e.order.Uint16(def[2:])&1 == 0 {
			d.version(e.order.Uint16(def[4:]), name, "")
			d.defined = append(d.defined, name)
		}
		next := e.order.Uint32(def[16:])
		if next == 0 {
			break
		}
		addr += uint64(next)
	}
	return nil
}
