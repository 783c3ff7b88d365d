// Package platform knows every platform that xbuild builds for: how each tool spells it, and which flags its baseline
// means for C, Rust and Go. What comes in is any spelling of a platform; what goes out are stored names and flags.
// All of it is data (platforms.toml, baseline.toml, cpus.toml); the package runs nothing and reads no file.
package platform

import (
	"debug/elf"
	_ "embed"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Platform is a machine that programs are compiled for. Name is OCI's spelling and identifies it; a column that is
// empty means that the tool has no name for this platform.
type Platform struct {
	Name          string // linux/arm/v7
	OS            string // OCI's os, architecture and variant
	Arch          string
	Variant       string
	Docker        string   // BuildKit's $TARGETPLATFORM
	DockerDetects bool     // BuildKit offers it by itself once binfmt can run it
	Aliases       []string // further spellings that Parse accepts

	Triplet   string // GNU's, as Debian's cross tools are named
	Multiarch string // Debian's library directory
	GCC       string // the directory of Debian's own GCC, usr/lib/gcc/<GCC>
	Musl      string // the triplet with musl as its libc
	LLVM      string // normalised, as clang names its configuration file
	Rust      string
	LLVMMusl  string // LLVM with musl as its libc
	RustMusl  string
	// the program of LLVM's that rustc links with where its library holds the C library and there is no C compiler
	RustLinker string
	GOOS       string
	GOARCH     string
	Node       string // process.arch
	Gyp        string // node-gyp --arch
	Debian     string
	Suites     []string // Debian suites that have it, oldest first
	Sysroot    string   // the architecture of the archive whose packages are the sysroot
	Libc       string   // the libc, where the platform has one alone

	QEMU    string // the emulator's program name
	QEMUCPU string // the CPU model that is the platform's own baseline; empty where QEMU has none

	Machine  elf.Machine // EM_NONE: its programs are not ELF
	Class    elf.Class
	Data     elf.Data
	ELFFlags uint32 // e_flags & ELFMask == ELFFlags in everything that the platform runs
	ELFMask  uint32
	Bits     int
	Interp   string // the dynamic loader
	Float    string // the ABI of floating-point arguments, where a machine has several that do not mix: hard or soft
	PE       uint32 // IMAGE_FILE_HEADER's Machine; 0: its programs are not PE
	MachO    uint32 // mach_header's cputype; 0: its programs are not Mach-O

	CMake       string // CMAKE_SYSTEM_PROCESSOR
	CMakeSystem string // CMAKE_SYSTEM_NAME
	Canonical   string // what a configure script is told where its config.sub may be older than the platform
	MesonFamily string
	MesonCPU    string

	Pages  []int  // sizes of a page of memory, in bytes, with which kernels for the platform run; the largest last
	Uname  string // uname -m
	Kernel string // uname -s
	GNU    string // uname -o

	// Driver are flags that every compilation and link of the platform needs beside its baseline's.
	Driver []string

	Also []string // platforms whose programs a kernel for this one runs too

	Static bool // programs are linked statically unless the project says otherwise

	level string
	base  string
}

//go:embed platforms.toml
var platformsTOML string

// row is a table of platforms.toml.
type row struct {
	name, like, docker, goName, machine, level      string
	triplet, multiarch, musl, llvm, rust, rustMusl  string
	llvmMusl, gcc, rustLinker                       string
	sysroot, libc, cmakeSystem, canonical           string
	node, gyp, debian, qemu, qemuCPU, interp, cmake string
	aliases, suites, meson, driver, also            []string
	pages, system                                   []string
	uname                                           string
	detected, big, static                           bool
	bits                                            int
	elfFlags, elfMask                               uint32
	pe                                              uint32
	float                                           string
	macho                                           uint32
}

func (r *row) columns() map[string]any {
	return map[string]any{
		"name": &r.name, "like": &r.like, "docker": &r.docker, "detected": &r.detected, "aliases": &r.aliases,
		"triplet": &r.triplet, "multiarch": &r.multiarch, "musl": &r.musl, "llvm": &r.llvm, "rust": &r.rust,
		"llvm_musl": &r.llvmMusl, "gcc": &r.gcc, "rust_linker": &r.rustLinker, "rust_musl": &r.rustMusl, "go": &r.goName,
		"node": &r.node, "gyp": &r.gyp, "debian": &r.debian,
		"suites": &r.suites, "qemu": &r.qemu, "qemu_cpu": &r.qemuCPU, "machine": &r.machine, "bits": &r.bits,
		"big": &r.big, "elf_flags": &r.elfFlags, "elf_mask": &r.elfMask, "interp": &r.interp, "cmake": &r.cmake,
		"meson": &r.meson, "level": &r.level, "static": &r.static,
		"driver": &r.driver, "sysroot": &r.sysroot, "libc": &r.libc, "cmake_system": &r.cmakeSystem,
		"canonical": &r.canonical, "float": &r.float, "pe": &r.pe, "macho": &r.macho, "also": &r.also,
		"pages": &r.pages, "uname": &r.uname, "system": &r.system,
	}
}

// none in platforms.toml empties a column that `like` would fill.
const none = "none"

type table struct {
	all    []Platform
	byKey  map[string]int // key(spelling) -> index in all
	byName map[string]int
}

var platforms = sync.OnceValue(func() *table {
	t, err := load(platformsTOML)
	if err != nil {
		panic("platforms.toml: " + err.Error()) // embedded, and a test loads it
	}
	return t
})

func load(data string) (*table, error) {
	t := &table{byKey: make(map[string]int, 1024), byName: make(map[string]int, 128)}
	var r row
	columns := r.columns()
	err := sections(data, func(s section) error {
		r = row{}
		if err := s.bind(columns); err != nil {
			return err
		}
		var p Platform
		if r.like != "" {
			i, ok := t.byName[r.like]
			if !ok {
				return fmt.Errorf("%s is like %s, which does not stand above it", r.name, r.like)
			}
			p = t.all[i]
			p.base = p.Name
		}
		if err := r.fill(&p); err != nil {
			return err
		}
		if _, ok := t.byName[p.Name]; ok {
			return fmt.Errorf("%s stands twice", p.Name)
		}
		t.byName[p.Name] = len(t.all)
		t.all = append(t.all, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Names come first, aliases second, columns last: a spelling that several platforms share (arm-linux-gnueabi,
	// every variant's triplet) is that of the first table that has it.
	add := func(i int, names ...string) {
		for _, n := range names {
			if n == "" {
				continue
			}
			if _, ok := t.byKey[key(n)]; !ok {
				t.byKey[key(n)] = i
			}
		}
	}
	for i, p := range t.all {
		if j, ok := t.byKey[key(p.Name)]; ok {
			return nil, fmt.Errorf("%s is written like %s", p.Name, t.all[j].Name)
		}
		add(i, p.Name)
	}
	for i, p := range t.all {
		for _, a := range p.Aliases {
			if j, ok := t.byKey[key(a)]; ok {
				return nil, fmt.Errorf("alias %s of %s is already %s", a, p.Name, t.all[j].Name)
			}
			add(i, a)
		}
	}
	for i, p := range t.all {
		add(i, p.Docker, p.Rust, p.RustMusl)
	}
	for i, p := range t.all {
		add(i, p.GOOS+"/"+p.GOARCH, p.Triplet, p.Musl, p.Multiarch, p.LLVM, p.Debian)
	}
	return t, nil
}

// fill puts the columns that r names into p.
func (r row) fill(p *Platform) error {
	if r.name == "" || r.level == "" && r.like == "" {
		return fmt.Errorf("a platform needs name and level: %q", r.name)
	}
	set := func(to *string, s string) {
		switch s {
		case "":
		case none:
			*to = ""
		default:
			*to = s
		}
	}
	p.Name = r.name
	parts := strings.SplitN(r.name, "/", 3)
	if len(parts) < 2 {
		return fmt.Errorf("%s is not os/arch", r.name)
	}
	p.OS, p.Arch, p.Variant = parts[0], parts[1], ""
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	set(&p.Docker, r.docker)
	p.DockerDetects = r.detected // a variant is offered only where its own table says so
	p.Aliases = r.aliases
	set(&p.Triplet, r.triplet)
	set(&p.Multiarch, r.multiarch)
	set(&p.GCC, r.multiarch)
	set(&p.GCC, r.gcc)
	set(&p.Musl, r.musl)
	set(&p.LLVM, r.llvm)
	set(&p.Rust, r.rust)
	set(&p.LLVMMusl, r.llvmMusl)
	set(&p.RustMusl, r.rustMusl)
	set(&p.RustLinker, r.rustLinker)
	if r.goName != "" {
		p.GOOS, p.GOARCH, _ = strings.Cut(r.goName, "/")
	}
	set(&p.Node, r.node)
	set(&p.Gyp, r.gyp)
	set(&p.Debian, r.debian)
	set(&p.Sysroot, r.debian)
	set(&p.Sysroot, r.sysroot)
	set(&p.Libc, r.libc)
	if r.suites != nil {
		p.Suites = r.suites
	}
	set(&p.QEMU, r.qemu)
	set(&p.QEMUCPU, r.qemuCPU)
	if r.machine != "" {
		m, ok := machines[r.machine]
		if !ok {
			return fmt.Errorf("%s: machine %s is not known here", r.name, r.machine)
		}
		p.Machine = m
	}
	if r.bits != 0 {
		p.Bits = r.bits
		p.Class = elf.ELFCLASS32
		if r.bits == 64 {
			p.Class = elf.ELFCLASS64
		}
		p.Data = elf.ELFDATA2LSB
		if r.big {
			p.Data = elf.ELFDATA2MSB
		}
	}
	if r.elfMask != 0 {
		p.ELFFlags, p.ELFMask = r.elfFlags, r.elfMask
	}
	set(&p.Interp, r.interp)
	set(&p.Float, r.float)
	if r.pe != 0 {
		p.PE = r.pe
	}
	if r.macho != 0 {
		p.MachO = r.macho
	}
	set(&p.CMake, r.cmake)
	set(&p.CMakeSystem, r.cmakeSystem)
	set(&p.Canonical, r.canonical)
	if p.CMake != "" && p.CMakeSystem == "" {
		p.CMakeSystem = "Linux"
	}
	if len(r.meson) == 2 {
		p.MesonFamily, p.MesonCPU = r.meson[0], r.meson[1]
	}
	if r.pages != nil {
		p.Pages = nil
		for _, kb := range r.pages {
			n, err := strconv.Atoi(kb)
			if err != nil {
				return fmt.Errorf("%s: pages: %w", r.name, err)
			}
			p.Pages = append(p.Pages, n<<10)
		}
	}
	if set(&p.Uname, r.uname); p.Uname != "" && p.Kernel == "" {
		p.Kernel, p.GNU = "Linux", "GNU/Linux"
	}
	if len(r.system) == 2 {
		p.Kernel, p.GNU = r.system[0], r.system[1]
	}
	if r.driver != nil {
		p.Driver = r.driver
	}
	if r.also != nil {
		p.Also = r.also
	}
	p.Static = p.Static || r.static
	set(&p.level, r.level)
	return nil
}

// debug/elf has names for printing but none for looking up.
var machines = map[string]elf.Machine{
	"EM_386": elf.EM_386, "EM_X86_64": elf.EM_X86_64, "EM_ARM": elf.EM_ARM, "EM_AARCH64": elf.EM_AARCH64,
	"EM_PPC64": elf.EM_PPC64, "EM_S390": elf.EM_S390, "EM_RISCV": elf.EM_RISCV, "EM_MIPS": elf.EM_MIPS,
	"EM_LOONGARCH": elf.EM_LOONGARCH,
}

// String is the platform's name.
func (p Platform) String() string { return p.Name }

// HasC says whether the platform is one of Debian's: there are a C toolchain, a sysroot with a choice of libc, and the
// archive's libraries for it.
func (p Platform) HasC() bool { return p.Debian != "" }

// HasSysroot says whether there is a sysroot to compile C for the platform with. Without one it is built for with Go
// alone, and with Rust where its library brings a libc.
func (p Platform) HasSysroot() bool { return p.Sysroot != "" }

// ForMusl is the platform as the tools spell it that build for it with musl as its libc: other triplets, no dynamic
// loader, static programs. It is false where there is no such spelling. The name stays: it is the same machine.
func (p Platform) ForMusl() (Platform, bool) {
	if p.Musl == "" || p.LLVMMusl == "" {
		return p, false
	}
	p.Triplet, p.LLVM, p.Rust, p.Interp, p.Canonical, p.Static = p.Musl, p.LLVMMusl, p.RustMusl, "", "", true
	return p, true
}

// Reduced is the platform as the tools spell it that build for a baseline which leaves out what the platform promises:
// rustc has another target where floats are returned in other registers. The name stays.
func (p Platform) Reduced(b Baseline) Platform {
	t := baselines()
	for _, q := range platforms().all {
		if q.base == p.Base().Name && q.Rust != p.Rust && !subset(t.promised(p), b.set) && subset(t.promised(q), b.set) {
			p.Rust, p.RustMusl = q.Rust, q.RustMusl
		}
	}
	return p
}

// Page is the largest page of memory, in bytes, that the platform's programs may meet; 0 where the table does not say.
func (p Platform) Page() int {
	if len(p.Pages) == 0 {
		return 0
	}
	return p.Pages[len(p.Pages)-1]
}

// LgPage is the exponent of Page.
func (p Platform) LgPage() int { return bits.TrailingZeros(uint(p.Page())) }

// WithPage is the platform with no page larger than so many bytes. It is false where no kernel for the platform has
// pages of that size.
func (p Platform) WithPage(page int) (Platform, bool) {
	i := slices.Index(p.Pages, page)
	if i < 0 {
		return p, false
	}
	p.Pages = p.Pages[:i+1]
	return p, true
}

// LongBits is how many bits a long of C has.
func (p Platform) LongBits() int {
	if p.PE != 0 {
		return 32 // LLP64
	}
	return p.Bits
}

// GCCTriplet is what the GCC of the platform's distribution prints for -dumpmachine: its own directory's name, which on
// linux/386 is not the triplet.
func (p Platform) GCCTriplet() string {
	if p.GCC == "" || p.Triplet == p.Musl {
		return p.Triplet
	}
	return p.GCC
}

// BigEndian says whether the most significant byte comes first.
func (p Platform) BigEndian() bool { return p.Data == elf.ELFDATA2MSB }

// KernelRuns says whether a kernel for p starts programs of q itself, whatever instructions these then use.
func (p Platform) KernelRuns(q Platform) bool {
	return p.OS == q.OS && (p.Machine == q.Machine && p.Class == q.Class && p.Data == q.Data ||
		slices.Contains(p.Also, q.Base().Name))
}

// Base is the platform whose sysroot p shares: linux/amd64 for linux/amd64/v3, linux/arm/v5 for linux/arm/v6 (both are
// Debian's armel), p itself where there is no other.
func (p Platform) Base() Platform {
	if p.base == "" {
		return p
	}
	t := platforms()
	return t.all[t.byName[p.base]]
}

// All returns every platform in the table's order. The slices inside are shared: do not write to them.
func All() []Platform { return slices.Clone(platforms().all) }

// Host is the platform that xbuild itself runs on.
func Host() Platform {
	p, err := Parse(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		panic(err) // the table holds all that Go builds for, and a test says so
	}
	return p
}
