// Package inspect reads what a binary is and what it needs to run, and holds that against a platform. Programs, shared
// objects, objects and ar archives in ELF, PE and Mach-O come in; a Report goes out, and from a Report and a platform
// the Faults: what keeps the platform from running it.
package inspect

import (
	"fmt"
	"io"

	"xbuild/internal/isa"
	"xbuild/internal/object"
)

// What reading a file fails with: it is no binary, or contradicts itself.
var (
	ErrFormat  = object.ErrFormat
	ErrDamaged = object.ErrDamaged
)

// Formats of files.
const (
	ELF     = "ELF"
	PE      = "PE"
	COFF    = "COFF" // an object for Windows, which has no PE header
	MachO   = "Mach-O"
	Fat     = "fat Mach-O"
	Ar      = "ar"
	Bitcode = "LLVM bitcode"
	GoObj   = "Go object"
)

// Kinds of files.
const (
	Executable  = "executable"
	Shared      = "shared object"
	Relocatable = "object"
	Archive     = "archive"
	Core        = "core dump"
	DebugOnly   = "debug information" // what objcopy --only-keep-debug leaves
)

// Ways in which a program is linked.
const (
	Static    = "static"
	StaticPIE = "static-pie" // static, and loaded anywhere
	Dynamic   = "dynamic"    // needs a loader
)

// A Report is what is known of one file, or of one member of an archive. What a format does not have, or a file does
// not say, is empty.
type Report struct {
	Path   string `json:"path"` // of a member: its name
	Size   int64  `json:"size"`
	Format string `json:"format"`
	Kind   string `json:"kind"`

	Machine  string `json:"machine,omitempty"` // in the format's own words: EM_AARCH64
	Arch     string `json:"arch,omitempty"`    // in OCI's: arm64
	Bits     int    `json:"bits,omitempty"`
	Endian   string `json:"endian,omitempty"` // little or big
	Flags    uint32 `json:"flags,omitempty"`  // e_flags
	OS       string `json:"os,omitempty"`     // in OCI's words
	OSABI    string `json:"os_abi,omitempty"`
	MinOS    string `json:"min_os,omitempty"` // the oldest kernel or system that it says it is for
	ABI      string `json:"abi,omitempty"`
	FloatABI string `json:"float_abi,omitempty"`
	ISA      string `json:"isa,omitempty"`      // what the build attributes say; nothing was disassembled
	Platform string `json:"platform,omitempty"` // the platform that the header names, without variants

	Link string `json:"link,omitempty"`
	PIE  bool   `json:"pie"`
	// the largest page of memory, in bytes, that its segments are laid out for
	Pages    uint64        `json:"pages,omitempty"`
	Interp   string        `json:"interpreter,omitempty"`
	Needed   []string      `json:"needed,omitempty"`
	SOName   string        `json:"soname,omitempty"`
	RPath    []string      `json:"rpath,omitempty"`
	RunPath  []string      `json:"runpath,omitempty"`
	Versions []VersionNeed `json:"versions,omitempty"`

	Libc   string   `json:"libc,omitempty"` // glibc, musl, bionic
	Floors []Floor  `json:"floors,omitempty"`
	RunsOn []string `json:"runs_on,omitempty"` // releases whose glibc and libstdc++ are new enough

	Exported  []Symbol `json:"exported,omitempty"`
	Undefined []Symbol `json:"undefined,omitempty"`
	// Indirect is a function that a resolver is to choose (STT_GNU_IFUNC), on a machine whose C libraries call none.
	Indirect string `json:"indirect,omitempty"`
	// Uncalled is a section of constructors or destructors (.ctors, .dtors) that nothing in the file calls.
	Uncalled string `json:"uncalled,omitempty"`

	Debug     bool     `json:"debug_info"`
	Stripped  bool     `json:"stripped"` // no table of its own symbols
	BuildID   string   `json:"build_id,omitempty"`
	Compilers []string `json:"compilers,omitempty"`
	Go        *GoBuild `json:"go,omitempty"`

	Hardening *Hardening `json:"hardening,omitempty"`

	Instructions *isa.Report `json:"instructions,omitempty"` // where its code was held against a baseline

	Members []*Report `json:"members,omitempty"` // of an archive or a fat file
	Faults  []Fault   `json:"faults,omitempty"`  // where it was held against a platform

	audited string // the file that was read for Instructions; "" where it is not known
}

// A Symbol is a name that a file has or wants.
type Symbol struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Library string `json:"library,omitempty"` // which is to have it, where the file says so
	Weak    bool   `json:"weak,omitempty"`    // an undefined one that may stay so
}

// A VersionNeed is the versions of symbols that a library has to have (ELF's DT_VERNEED).
type VersionNeed struct {
	Library  string   `json:"library"`
	Versions []string `json:"versions"`
}

// A Floor is the newest version of a library's symbols that is needed.
type Floor struct {
	Family  string   `json:"family"` // GLIBC, GLIBCXX, CXXABI or GCC
	Version string   `json:"version"`
	Symbols []string `json:"symbols,omitempty"` // that ask for it
}

// GoBuild is what the Go linker noted of a program.
type GoBuild struct {
	Version  string            `json:"version"`
	Path     string            `json:"path,omitempty"` // of package main
	Module   string            `json:"module,omitempty"`
	Deps     []string          `json:"deps,omitempty"` // module@version
	Settings map[string]string `json:"settings,omitempty"`
}

// File reads a file.
func File(path string) (*Report, error) {
	s, f, err := object.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := readFile(s, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// readFile reads a file that may hold others.
func readFile(s *object.Source, name string) (*Report, error) {
	report := &Report{Path: name, Size: s.Size}
	var err error
	switch {
	case object.IsArchive(s):
		err = readArchive(s, report)
	case object.IsFat(s):
		err = readFat(s, report)
	default:
		err = readObject(s, report)
	}
	if err != nil {
		return nil, err
	}
	if len(report.Members) > 0 {
		report.summarize()
	}
	return report, nil
}

// readObject reads one file that holds no others.
func readObject(s *object.Source, r *Report) error {
	head := make([]byte, min(s.Size, 4))
	if _, err := s.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	switch {
	case object.IsELF(s):
		return readELF(s, r)
	case object.IsMachO(s):
		return readMachO(s, r)
	case object.IsPE(s):
		return readPE(s, r)
	case len(head) == 4 && (string(head) == "BC\xc0\xde" || string(head) == "\xde\xc0\x17\x0b"):
		// LLVM's bitcode, and its wrapper
		r.Format, r.Kind = Bitcode, Relocatable
		return nil
	}
	return ErrFormat
}

// summarize gives an archive what all its members have in common.
func (r *Report) summarize() {
	first := true
	for _, m := range r.Members {
		if m.Machine == "" {
			continue
		}
		if first {
			r.Machine, r.Arch, r.Bits, r.Endian, r.OS, r.ABI, r.FloatABI, r.Platform = m.Machine, m.Arch, m.Bits, m.Endian, m.OS,
				m.ABI, m.FloatABI, m.Platform
			first = false
			continue
		}
		for _, f := range []struct{ all, own *string }{
			{&r.Machine, &m.Machine}, {&r.Arch, &m.Arch}, {&r.Endian, &m.Endian}, {&r.OS, &m.OS}, {&r.ABI, &m.ABI},
			{&r.FloatABI, &m.FloatABI}, {&r.Platform, &m.Platform},
		} {
			if *f.all != *f.own {
				*f.all = ""
			}
		}
		if r.Bits != m.Bits {
			r.Bits = 0
		}
	}
}
