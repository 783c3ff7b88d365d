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
func (e *elfFile) readNotes() (notes, error) {
	var n notes
	if e.Type == elf.ET_CORE {
		return n, nil
	}
	if len(e.sections) > 0 {
		for i := range e.sections {
			s := &e.sections[i]
			if s.Type != elf.SHT_NOTE || s.Size > 1<<20 {
				continue
			}
			data, err := e.content(s)
			if err != nil {
				return n, err
			}
			e.notes(&n, data, s.Addralign)
		}
		return n, nil
	}
	for i := range e.progs {
		if p := &e.progs[i]; p.Type == elf.PT_NOTE && p.Filesz <= 1<<20 {
			data, err := e.Bytes(p.Off, p.Filesz, "the notes")
			if err != nil {
				return n, err
			}
			e.notes(&n, data, p.Align)
		}
	}
	return n, nil
}

// notes goes through one block of notes. One that does not fit ends it: nothing that runs depends on them.
func (e *elfFile) notes(n *notes, data []byte, align uint64) {
	if align != 8 {
		align = 4
	}
	round := func(v uint64) uint64 { return (v + align - 1) &^ (align - 1) }
	for uint64(len(data)) >= 12 {
		nameSize, size, kind := uint64(e.order.Uint32(data)), uint64(e.order.Uint32(data[4:])), e.order.Uint32(data[8:])
		from := round(12 + nameSize)
		if from > uint64(len(data)) || size > uint64(len(data))-from {
			return
		}
		e.note(n, object.CString(data[12:12+nameSize]), kind, data[from:from+size])
		data = data[min(round(from+size), uint64(len(data))):]
	}
}

func (e *elfFile) note(n *notes, name string, kind uint32, desc []byte) {
	switch {
	case name == "GNU" && kind == noteABITag && len(desc) >= 16:
		n.os = map[uint32]string{0: "linux", 1: "hurd", 2: "solaris", 3: "freebsd"}[e.order.Uint32(desc)]
		n.minOS = fmt.Sprintf("%s %d.%d.%d", n.os, e.order.Uint32(desc[4:]), e.order.Uint32(desc[8:]), e.order.Uint32(desc[12:]))
	case name == "GNU" && kind == noteBuildID:
		n.buildID = hex.EncodeToString(desc)
	case name == "Go" && kind == 4 && n.buildID == "": // cmd/link's own, a text
		n.buildID = string(desc)
	case name == "Android" && kind == 1 && len(desc) >= 4:
		n.os, n.minOS = "android", fmt.Sprintf("android API %d", e.order.Uint32(desc))
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

// properties reads an array of program properties, each padded to the size of a word.
func (e *elfFile) properties(n *notes, data []byte) {
	word := uint64(4)
	if e.wide() {
		word = 8
	}
	for len(data) >= 8 {
		kind, size := e.order.Uint32(data), uint64(e.order.Uint32(data[4:]))
		if size > uint64(len(data)-8) {
			return
		}
		if size >= 4 {
			v := e.order.Uint32(data[8:])
			switch {
			case e.x86() && kind == propertyX86Features, e.Machine == elf.EM_AARCH64 && kind == propertyARMFeatures:
				n.features, n.hasFeatures = v, true
			case e.x86() && kind == propertyX86Needed:
				n.needed = v
			}
		}
		data = data[min(8+(size+word-1)&^(word-1), uint64(len(data))):]
	}
}

func (e *elfFile) x86() bool { return e.Machine == elf.EM_X86_64 || e.Machine == elf.EM_386 }
