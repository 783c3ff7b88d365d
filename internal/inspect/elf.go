package inspect

import (
	"debug/elf"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// An elfFile is an ELF file of which a report is made.
type elfFile struct{ *object.ELFFile }

func (e elfFile) meaning() meaning { return Header(e.Header).meaning() }

// readELF fills in what an ELF file says.
func readELF(s *object.Source, r *Report) error {
	file, err := object.OpenELF(s)
	if err != nil {
		return err
	}
	e := elfFile{file}
	if err := e.ReadSections(); err != nil {
		return err
	}
	r.Format, r.Machine, r.Flags, r.OSABI = ELF, e.Machine.String(), e.Flags,
		strings.TrimPrefix(e.OSABI.String(), "ELFOSABI_")
	r.Bits, r.Endian = 32, "little"
	if e.Wide() {
		r.Bits = 64
	}
	if e.Data == elf.ELFDATA2MSB {
		r.Endian = "big"
	}
	if e.debugOnly() {
		// Its segments are those of the program that it was taken from, and lead nowhere.
		r.Kind, r.Debug = DebugOnly, true
		e.Progs = nil
	}
	if err := e.ReadInterp(); err != nil {
		return err
	}
	m := e.meaning()
	r.ABI, r.FloatABI, r.ISA, r.Interp = m.abi, m.float, m.isa, e.Interp
	if err := e.attributes(r); err != nil {
		return err
	}
	loads := 0
	for i := range e.Progs {
		if e.Progs[i].Type == elf.PT_LOAD {
			loads++
		}
		if p := &e.Progs[i]; p.Type == elf.PT_LOAD && (p.Off > uint64(e.Size) || p.Filesz > uint64(e.Size)-p.Off) {
			return object.Damaged("segment %d lies outside of the file (%d bytes at %d of %d): it is cut short", i,
				p.Filesz, p.Off, e.Size)
		}
	}
	if loads > mostLoads && e.Type != elf.ET_CORE {
		return object.Damaged("%d segments are more than a program has", loads)
	}
	d, err := e.ReadDynamic()
	if err != nil {
		return err
	}
	if r.Kind == "" {
		e.kind(r, d)
	}
	if r.Kind == Executable || r.Kind == Shared {
		r.Pages = e.pages()
	}
	r.Needed, r.SOName, r.RPath, r.RunPath = d.Needed, d.SOName, splitPath(d.RPath), splitPath(d.RunPath)
	if err := e.symbols(r, d); err != nil {
		return err
	}
	if r.Machine == elf.EM_MIPS.String() {
		if err := e.indirect(r); err != nil {
			return err
		}
	}
	if r.Kind == Executable || r.Kind == Shared {
		if err := e.uncalled(r); err != nil {
			return err
		}
	}
	for i := range e.Sections {
		switch name := e.Sections[i].Name; {
		case strings.HasPrefix(name, ".debug_info"), strings.HasPrefix(name, ".zdebug_info"):
			r.Debug = true
		}
	}
	r.Stripped = r.Kind != Relocatable && r.Kind != DebugOnly &&
		!slices.ContainsFunc(e.Sections, func(s elf.SectionHeader) bool {
			return s.Type == elf.SHT_SYMTAB
		})
	n, err := e.readNotes()
	if err != nil {
		return err
	}
	r.BuildID, r.MinOS = n.buildID, n.minOS
	if err := e.compilers(r); err != nil {
		return err
	}
	if err := e.goBuild(r); err != nil {
		return err
	}
	e.identify(r, n)
	r.versioned(d.Needs)
	r.libc()
	return e.harden(r, d, n)
}

// mostLoads is far more than linkers make (four to ten): each address is looked for in all of them.
const mostLoads = 1024

// debugOnly tells a file of debug information: its code was taken out, and the headers left.
func (e elfFile) debugOnly() bool {
	return e.Type != elf.ET_REL && slices.ContainsFunc(e.Sections, func(s elf.SectionHeader) bool {
		return s.Type == elf.SHT_NOBITS && s.Flags&(elf.SHF_ALLOC|elf.SHF_EXECINSTR) == elf.SHF_ALLOC|elf.SHF_EXECINSTR
	})
}

func (e elfFile) kind(r *Report, d *object.Dynamic) {
	pie := d.Flags1&uint64(elf.DF_1_PIE) != 0
	switch {
	case e.Type == elf.ET_REL:
		r.Kind = Relocatable
		return
	case e.Type == elf.ET_CORE:
		r.Kind = Core
		return
	// A library can have a loader too: libc.so.6 prints its version.
	case e.Type == elf.ET_DYN && !pie && (e.Interp == "" || d.SOName != ""):
		r.Kind = Shared
		return
	}
	r.Kind, r.PIE = Executable, e.Type == elf.ET_DYN
	switch {
	case e.Interp != "" || len(d.Needed) > 0:
		r.Link = Dynamic
	case r.PIE:
		r.Link = StaticPIE
	default:
		r.Link = Static
	}
}

// pages is the largest page that all segments which are loaded are aligned for; 0 where there are none. What a segment
// says of itself counts (p_align, which ld.so goes by), and less where its place in the file does not fit that.
func (e elfFile) pages() uint64 {
	var least uint64
	for i := range e.Progs {
		p := &e.Progs[i]
		if p.Type != elf.PT_LOAD || p.Memsz == 0 {
			continue
		}
		align := max(p.Align&-p.Align, 1)
		for align > 1 && (p.Vaddr-p.Off)%align != 0 {
			align >>= 1
		}
		if least == 0 || align < least {
			least = align
		}
	}
	return least
}

// identify says which system and platform it is for.
func (e elfFile) identify(r *Report, n notes) {
	osabi := map[elf.OSABI]string{elf.ELFOSABI_LINUX: "linux", elf.ELFOSABI_FREEBSD: "freebsd",
		elf.ELFOSABI_NETBSD: "netbsd", elf.ELFOSABI_OPENBSD: "openbsd", elf.ELFOSABI_SOLARIS: "solaris"}
	switch {
	case osabi[e.OSABI] != "":
		r.OS = osabi[e.OSABI]
	case n.os != "":
		r.OS = n.os
	case r.Go != nil && r.Go.Settings["GOOS"] != "":
		r.OS = r.Go.Settings["GOOS"]
	default:
		for _, l := range loaders {
			if strings.HasPrefix(e.Interp, l.prefix) {
				r.OS = l.os
			}
		}
	}
	// The notes of a Linux program say "linux" on Android too; the loader tells.
	if strings.HasPrefix(e.Interp, "/system/bin/linker") {
		r.OS = "android"
	}
	if p, ok := Header(e.Header).Platform(); ok {
		r.Arch = p.Arch
		// Where platforms of one machine differ in their float ABI, and nothing says it, it is for any of them.
		known := p.Float == "" || e.Interp != "" || r.FloatABI != ""
		if known && (r.OS == "" || r.OS == p.OS) {
			r.Platform = p.Name
		}
	}
}

// loaders are the beginnings of a loader's path, by system.
var loaders = []struct{ prefix, os string }{
	{"/lib/ld", "linux"}, {"/lib32/ld", "linux"}, {"/lib64/ld", "linux"}, {"/libx32/ld", "linux"},
	{"/libexec/ld-elf", "freebsd"}, {"/usr/libexec/ld.elf_so", "netbsd"}, {"/usr/libexec/ld.so", "openbsd"},
	{"/system/bin/linker", "android"}, {"/usr/lib/ld.so.1", "solaris"}, {"/usr/lib/amd64/ld.so.1", "solaris"},
}

func splitPath(list []string) []string {
	var out []string
	for _, s := range list {
		for p := range strings.SplitSeq(s, ":") {
			if p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}
