package inspect

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/platform"
)

// A Fault is a reason why a platform does not run a file, in one sentence that says what to write in xbuild.toml. A
// Remark is no error: it depends on where the file is to run.
type Fault struct {
	File   string `json:"file"`
	Text   string `json:"text"`
	Remark bool   `json:"remark,omitempty"`
	// Stripped says of a remark that with the file's symbols it would be known whether that is right. A build can have
	// them, and takes it for an error.
	Stripped bool `json:"-"`
}

func (f Fault) String() string { return f.File + " " + f.Text }

// Limits are what a project asks of its binaries on one platform beside the machine.
type Limits struct {
	Static  bool     // no loader is there
	Scratch bool     // the file runs in an image FROM scratch: what it needs beside itself is a fault and no remark
	Glibc   string   // the newest glibc that may be needed; "" for any
	Sysroot string   // directory of the platform's libraries; "" where none is known
	Beside  []string // names of files that are shipped with it
	// programs of Windows and macOS may be there, as data: no compiler on a Linux host makes them by mistake
	Data bool
}

// Check holds a report against a platform. The checks are independent of each other, but a file for another machine
// gets that one fault alone.
func Check(r *Report, p platform.Platform, l Limits) []Fault {
	var out []Fault
	if r.Format == Ar || r.Format == Fat {
		for _, m := range r.Members {
			own := *m
			own.Path = fmt.Sprintf("%s(%s)", r.Path, m.Path)
			out = append(out, Check(&own, p, l)...)
			if len(out) > 3 && r.Format == Ar {
				return append(out[:3], Fault{File: r.Path, Text: "has more members like that"})
			}
		}
		// Of a fat file one architecture has to fit.
		if r.Format == Fat && slices.ContainsFunc(r.Members, func(m *Report) bool { return len(Check(m, p, l)) == 0 }) {
			return nil
		}
		return out
	}
	if out = machine(r, p, l); len(out) > 0 {
		return out
	}
	if r.Format != ELF || r.Kind == DebugOnly || r.Kind == Core {
		return nil
	}
	for _, check := range checks {
		out = append(out, check(r, p, l)...)
	}
	return out
}

// checks are what an ELF file of the right machine is held against.
var checks = []func(*Report, platform.Platform, Limits) []Fault{
	pageSize, indirect, uncalled, loader, libcFloor, libraries, scratch,
}

func (r *Report) fault(format string, args ...any) []Fault {
	return []Fault{{File: r.Path, Text: fmt.Sprintf(format, args...)}}
}

// how to make a build take the compiler of the platform.
const otherCompiler = "the build used another compiler than $CC; for make write vars = { CC = \"cc\", CXX = \"c++\" }, elsewhere hand $CC over in the form that the build reads"

// machine sees that a file is for the platform's machine, ABI and system: a build that picked up the host's compiler
// succeeds all the same.
func machine(r *Report, p platform.Platform, l Limits) []Fault {
	format, own := programs(p), r.system()
	switch {
	case format == "" || own == "" || own == Bitcode || own == GoObj || l.Data && own != format && own != ELF:
		return nil
	case own != format:
		return r.fault("is of format %s, not the %s of %s: %s", r.Format, format, p.Name, otherCompiler)
	}
	if own != ELF {
		if r.Arch != p.Arch {
			return r.fault("is for %s, not for %s: %s", r.Machine, p.Name, otherCompiler)
		}
		return systems(r, p)
	}
	class, data := classes[r.Bits], datas[r.Endian]
	if r.Machine != p.Machine.String() || class != p.Class || data != p.Data {
		return r.fault("is for %s %v %v, not for %s (%v %v %v): %s", r.Machine, class, data, p.Name, p.Machine, p.Class,
			p.Data, otherCompiler)
	}
	// An object that depends on no variant of the ABI may say none.
	if got := r.Flags & p.ELFMask; got != p.ELFFlags &&
		!(r.Kind == Relocatable && got == 0 && r.ABI == "" && r.FloatABI == "") {
		return r.fault("is of another ABI than %s: its e_flags are %#x (%s), and of those %#x have to be %#x: %s", p.Name,
			r.Flags, abi(r), p.ELFMask, p.ELFFlags, otherCompiler)
	}
	// Code of both kinds runs, but the two cannot call each other, and the loader loads no library of the other kind.
	if p.Float != "" && (r.FloatABI == "hard" || r.FloatABI == "soft") && r.FloatABI != p.Float && r.Link != Static &&
		r.Link != StaticPIE {
		return r.fault("passes floating-point arguments by the %s-float ABI, and the libraries of %s by the %s-float one: remove -mfloat-abi from the flags, or %s", r.FloatABI, p.Name, p.Float, otherCompiler)
	}
	return systems(r, p)
}

// programs is the format of a platform's programs, "" where it is none that is read here.
func programs(p platform.Platform) string {
	switch {
	case p.Machine != elf.EM_NONE:
		return ELF
	case p.PE != 0:
		return PE
	case p.MachO != 0:
		return MachO
	}
	return ""
}

// system is the format of the programs that a file is one of, or a part of.
func (r *Report) system() string {
	if r.Format == COFF {
		return PE
	}
	return r.Format
}

var (
	classes = map[int]elf.Class{32: elf.ELFCLASS32, 64: elf.ELFCLASS64}
	datas   = map[string]elf.Data{"little": elf.ELFDATA2LSB, "big": elf.ELFDATA2MSB}
)

func abi(r *Report) string {
	s := strings.TrimSpace(r.ABI + prefixed(" float ", r.FloatABI))
	if s == "" {
		return "no ABI"
	}
	return s
}

func systems(r *Report, p platform.Platform) []Fault {
	if r.OS == "" || r.OS == p.OS {
		return nil
	}
	return r.fault("is for %s, not for %s: %s", r.OS, p.OS, otherCompiler)
}

// loader sees that the file asks for none where static is asked for, and else for the platform's.
func loader(r *Report, p platform.Platform, l Limits) []Fault {
	if r.Kind == Relocatable {
		return nil
	}
	// A library asks for no loader, but for a libc: one that was linked against musl crashes in a process of glibc.
	if r.Interp == "" && r.Libc == "musl" && p.Interp != "" && !slices.ContainsFunc(r.Needed, func(name string) bool {
		return strings.HasPrefix(name, "libc.") && l.find(name, p, nil) != ""
	}) {
		return r.fault("is linked against musl, and the C library of %s is glibc: link it with $CC", p.Name)
	}
	if r.Interp == "" {
		return nil
	}
	if l.Static {
		return r.fault("is linked dynamically, though static = true: the build does not pass $LDFLAGS (-static) to the linker; hand it over in the form that it reads (for make: vars = { LDFLAGS = \"-static\" }), or set static = false")
	}
	if r.Interp == p.Interp || p.Interp == "" || l.has(r.Interp) {
		return nil
	}
	return r.fault("asks for the loader %s, which %s does not have (its own is %s): link it with $CC and no -dynamic-linker of the build's own, or set static = true", r.Interp, p.Name, p.Interp)
}

// indirect sees that nothing is left to a resolver where no C library calls one: clang takes the attribute, and lld
// links a call of an address that nobody fills in. GCC refuses the attribute on MIPS (ifunc is not supported on this
// target).
func indirect(r *Report, p platform.Platform, l Limits) []Fault {
	if r.Indirect == "" {
		return nil
	}
	return r.fault("has an indirect function, %s (__attribute__((ifunc)) or gnu_indirect_function), "+
		"which no C library of %s resolves: its first call crashes. Leave the attribute out there, as GCC refuses it "+
		"(most projects have a switch), and choose by a pointer to a function", r.Indirect, p.Name)
}

// uncalled sees that each constructor is called.
func uncalled(r *Report, p platform.Platform, l Limits) []Fault {
	if r.Uncalled == "" {
		return nil
	}
	return r.fault("has functions in the section %s, which GNU ld has called at the start or the end and lld has not: "+
		"they never run. Write __attribute__((constructor)) or __attribute__((destructor)) to them in the place of the "+
		"section (for assembly: the sections .init_array and .fini_array)", r.Uncalled)
}

// pageSize sees that the file starts, or is loaded, on every kernel for the platform: segments share no page, however
// large pages are.
func pageSize(r *Report, p platform.Platform, l Limits) []Fault {
	if r.Pages == 0 || r.Pages >= uint64(p.Page()) {
		return nil
	}
	smaller := ""
	for _, size := range p.Pages {
		if uint64(size) <= r.Pages {
			smaller = fmt.Sprintf("; where it is to run on kernels with pages of %d KB alone, write page = %d in [platform.%q]",
				size>>10, size>>10, p.Name)
		}
	}
	return r.fault("has segments aligned to %d bytes, and kernels for %s have pages of up to %d, on which it does not start: the build tells the linker so (-z max-page-size, -n, -N), or took another linker; $CC does right by itself, and -Wl,-z,max-page-size=%d says it again%s",
		r.Pages, p.Name, p.Page(), p.Page(), smaller)
}

// libcFloor sees that the file runs with the oldest glibc that the project asks for.
func libcFloor(r *Report, p platform.Platform, l Limits) []Fault {
	f := r.floor("GLIBC")
	if f.Version == "" || l.Glibc == "" || CompareVersions(f.Version, l.Glibc) <= 0 {
		return nil
	}
	shown := f.Symbols
	more := ""
	if len(shown) > 3 {
		more = fmt.Sprintf(" and %d more", len(shown)-3)
		shown = shown[:3]
	}
	return r.fault("needs glibc %s (for %s%s), newer than the %s that the project asks for: it, or a library in it, was not linked with the platform's sysroot; link it with $CC, or raise the floor with [platform.%q] glibc = %q",
		f.Version, strings.Join(shown, ", "), more, l.Glibc, p.Name, f.Version)
}

// scratch says what an image without anything lacks: a remark, unless the file is to run in one.
func scratch(r *Report, p platform.Platform, l Limits) []Fault {
	if r.Interp == "" || r.Kind == Relocatable {
		return nil
	}
	libs := ""
	if n := len(r.Needed); n > 0 {
		libs = " and " + strings.Join(r.Needed, ", ")
	}
	return []Fault{{File: r.Path, Remark: !l.Scratch,
		Text: fmt.Sprintf("needs %s%s, which an image FROM scratch lacks: set static = true, or take a base image that has them", r.Interp, libs)}}
}

// Errors are the faults that are no remarks.
func Errors(faults []Fault) []Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Remark })
}
