package inspect

import (
	"debug/elf"
	"encoding/hex"
	"fmt"

	"xbuild/internal/object"
)

// notes are what the notes of an ELF file say.
type notes struct {
	buildID, os, minOS string
	features           uint32 // GNU_PROPERTY_X86_FEATURE_1_AND, GNU_PROPERTY_AARCH64_FEATURE_1_AND
	hasFeatures        bool
	needed             uint32 // GNU_PROPERTY_X86_ISA_1_NEEDED
}

// Types of notes and properties: elf.h of glibc, "Linux Extensions to gABI" and the Arm ABI (SYSVABI64).
const (
	noteABITag     = 1
	noteBuildID    = 3
	noteProperties = 5

	propertyX86Features = 0xc0000002
	propertyX86Needed   = 0xc0008002
	propertyARMFeatures = 0xc0000000
)

// readNotes reads notes by sections, and by segments where there are none.
func (e elfFile) readNotes() (notes, error) {
	var n notes
	if e.Type == elf.ET_CORE {
		return n, nil
	}
	if len(e.Sections) > 0 {
		for i := range e.Sections {
			s := &e.Sections[i]
			if s.Type != elf.SHT_NOTE || s.Size > 1<<20 {
				continue
			}
			data, err := e.Content(s)
			if err != nil {
				return n, err
			}
			e.notes(&n, data, s.Addralign)
		}
		return n, nil
	}
	for i := range e.Progs {
		if p := &e.Progs[i]; p.Type == elf.PT_NOTE && p.Filesz <= 1<<20 {
			data, err := e.Bytes(p.Off, p.Filesz, "the notes")
			if err != nil {
				return n, err
			}
			e.notes(&n, data, p.Align)
		}
	}
	return n, nil
}

func (e elfFile) notes(n *notes, data []byte, align uint64) {
	object.Notes(data, e.Order, align, func(name string, kind uint32, desc []byte) { e.note(n, name, kind, desc) })
}

func (e elfFile) note(n *notes, name string, kind uint32, desc []byte) {
	switch {
	case name == "GNU" && kind == noteABITag && len(desc) >= 16:
		n.os = map[uint32]string{0: "linux", 1: "hurd", 2: "solaris", 3: "freebsd"}[e.Order.Uint32(desc)]
		n.minOS = fmt.Sprintf("%s %d.%d.%d", n.os, e.Order.Uint32(desc[4:]), e.Order.Uint32(desc[8:]),
			e.Order.Uint32(desc[12:]))
	case name == "GNU" && kind == noteBuildID:
		n.buildID = hex.EncodeToString(desc)
	case name == "Go" && kind == 4 && n.buildID == "": // cmd/link's own, a text
		n.buildID = string(desc)
	case name == "Android" && kind == 1 && len(desc) >= 4:
		n.os, n.minOS = "android", fmt.Sprintf("android API %d", e.Order.Uint32(desc))
	case name == "FreeBSD" && kind == 1:
		n.os = "freebsd"
	case name == "NetBSD" && kind == 1:
		n.os = "netbsd"
	case name == "OpenBSD" && kind == 1:
		n.os = "openbsd"
	case name == "GNU" && kind == noteProperties:
		e.properties(n, desc)
	}
}

// properties reads a note of properties.
func (e elfFile) properties(n *notes, desc []byte) {
	object.Properties(desc, e.Order, e.WordSize(), func(kind uint32, value []byte) {
		if len(value) < 4 {
			return
		}
		v := e.Order.Uint32(value)
		switch {
		case e.x86() && kind == propertyX86Features, e.Machine == elf.EM_AARCH64 && kind == propertyARMFeatures:
			n.features, n.hasFeatures = v, true
		case e.x86() && kind == propertyX86Needed:
			n.needed = v
		}
	})
}

func (e elfFile) x86() bool { return e.Machine == elf.EM_X86_64 || e.Machine == elf.EM_386 }
