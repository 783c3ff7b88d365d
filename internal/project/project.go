// Package project reads xbuild.toml: what is to be built, for which platforms and with what. A file and the names that
// it may use go in, a Project with every default filled in comes out, or all that is wrong with the file, each with its
// line. Where the file names no release of Rust, those of the sources say it: rust-toolchain.toml and Cargo.toml. It
// changes no file.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/platform"
	"xbuild/internal/spelling"
)

// FileName is the name of a project's file.
const FileName = "xbuild.toml"

// A Schema holds the names that a project may use, as the definitions have
// them.
type Schema struct {
	Recipes    map[string][]Option
	Toolchains []string
	Compilers  []string // those toolchains that compile C
	Suites     []string
	Glibc      []string            // versions there is a sysroot for; a floor may lie between them
	Archives   []string            // names that [mirrors] may have; debian if empty
	Sources    map[string][]string // what source may be for a toolchain beside archive and host
	Channels   map[string][]string // what a toolchain's version may be beside a constraint, with or without a date behind
}

// An Option is a key that a recipe adds to its targets. Its fields are those
// of catalog.Option, so that one converts to the other.
type Option struct {
	Name     string
	Type     string // string, bool, int, strings or table
	Required bool
	Default  any
	Choices  []string
	Help     string
}

// A Project is an xbuild.toml with every default filled in.
type Project struct {
	File           string // the path it was read from, as messages show it
	Dir            string // its folder, absolute
	Name           string
	Platforms      []platform.Platform
	Dist           string // relative to Dir; DistDir is the absolute path
	Build          string // relative to Dir; BuildDir is the absolute path
	DistAt         string // where artifacts go instead, absolute; not the file's
	BuildAt        string // where the scratch folder is instead, absolute; not the file's
	Toolchains     map[string]ToolchainRequest
	CC             string // the toolchain that compiles C; "" for the first of the definitions
	Sysroot        SysrootRequest
	SysrootLine    int                       // of [sysroot], or of its packages; 0 where there is none
	PlatformConfig map[string]PlatformConfig // as written, by the platform's printed name; Config merges
	Mirrors        map[string][]string       // URLs, by archive
	Targets        []Target                  // in the file's order
}

// A ToolchainRequest is what the project asks of one toolchain.
type ToolchainRequest struct {
	Constraint string // a semver constraint; empty for any version
	Source     string // "archive", "host" or what the toolchain's definitions offer; "" for the first that has the version
	Line       int
	File       string // where it is not the xbuild.toml that asks
	Hint       string // what to do where it cannot be had
	// Least is the release that the constraint asks for at least, where no more than that is asked: what is taken is
	// then xbuild's choice, and the lock keeps it.
	Least string
}

// A SysrootRequest is what the project asks of its sysroots. Glibc and Suite
// are never both set; with neither, the newest suite is meant.
type SysrootRequest struct {
	Glibc    string
	Suite    string
	Libc     string
	CXX      bool   // a C++ library that is built from source is wanted even where no target is seen to compile C++
	Stdlib   string // the C++ library; "" for that of the sysroot
	Packages []string

	// HostPackages are packages whose programs run while the project is built; those whose names end in -dev are linked
	// with what is compiled for the host.
	HostPackages []string
}

// A PlatformConfig holds settings of one platform.
type PlatformConfig struct {
	CPU      string
	Features []string
	CFlags   []string
	CXXFlags []string
	LDFlags  []string
	Env      map[string]string
	Page     int // the largest page of memory that programs may meet, in bytes; 0 for the platform's own
	CC       string
	Sysroot  SysrootRequest
	Line     int // 0 if the file has none for this platform
}

// A Target is a named thing that a recipe builds.
type Target struct {
	Name       string
	Recipe     string
	Source     string // relative to the project's folder
	Platforms  []platform.Platform
	Only       bool // Platforms are the target's own list: it is built for no other
	Env        map[string]string
	Strip      bool
	Static     *bool  // nil where the file does not say
	Opt        string // "" where the recipe decides
	CC         string // "" where the platform or the project decides
	Uname      string // for which machine uname answers; "" where the recipe decides
	Outputs    []Output
	Dest       string
	Inputs     []string
	External   []string // libraries that the machine brings on which the target runs
	Lenient    *bool    // C is compiled as GCC 13 did; nil where the file does not say
	Stdlib     string   // the C++ library; "" where the platform's is taken
	Dispatched []string // globs of functions that ask the processor themselves before they use more than the platform has
	Unaudited  []string // globs of artifacts without symbols, of which the audit cannot tell everything
	Tools      []string // toolchains that the build runs beside those of the recipe
	HostTools  []string // programs of the host, by name or glob, that the build sees beside those that every build sees
	Test       Test
	Bench      []string       // a program of the target, below dist/<platform>/<dest>, and its arguments
	Equal      bool           // the test prints the same on all platforms
	Needs      []Need         // targets that are built before it
	Headers    []string       // folders, relative to Source, with the headers for those that need it
	Options    map[string]any // string, bool, int64, []string or map[string]string
	Line       int

	HostPackages []string // packages whose programs the build runs, beside those of the sysroot

	variants map[string]Target // by the platform's printed name: as it is built for that; For finds it
}

// A Test is what the file says of how a target is tested. All empty, it is tested as the recipe tests by itself.
type Test struct {
	Off     bool     // test = false
	On      bool     // test = true: as the recipe tests where it is asked to
	Shell   string   // a command line of the host's shell
	Command []string // a program of the target, below dist/<platform>/<dest>, and its arguments
}

// An Output is a file that goes from the build directory to dist.
type Output struct {
	Path string // in the build directory: a glob, or one file if Dist names it
	Dist string // below dist/<platform>/<dest>; empty for the file's own name
}

// DistDir is the absolute path of the folder that artifacts go to.
func (p *Project) DistDir() string { return p.folder(p.DistAt, p.Dist) }

// BuildDir is the absolute path of the scratch folder.
func (p *Project) BuildDir() string { return p.folder(p.BuildAt, p.Build) }

func (p *Project) folder(at, name string) string {
	if at != "" {
		return at
	}
	return filepath.Join(p.Dir, filepath.FromSlash(name))
}

// SourceDir is the absolute path of a target's source.
func (p *Project) SourceDir(t Target) string {
	return filepath.Join(p.Dir, filepath.FromSlash(t.Source))
}

// Target finds a target by its name.
func (p *Project) Target(name string) (Target, bool) {
	for _, t := range p.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return Target{}, false
}

// Nearest is the name of the target that was probably meant by an unknown
// one, or "".
func (p *Project) Nearest(name string) string {
	var names []string
	for _, t := range p.Targets {
		names = append(names, t.Name)
	}
	return spelling.Nearest(name, names)
}

// Config is all that the file says about one platform. Key by key, a
// platform's own table wins over its base platform's (linux/arm64 for
// linux/arm64/v8.2), and that over [sysroot]; packages add to those of
// [sysroot].
func (p *Project) Config(pl platform.Platform) PlatformConfig {
	c := PlatformConfig{Sysroot: p.Sysroot, Env: map[string]string{}}
	var packages, programs []string
	for _, name := range configNames(pl) {
		own, ok := p.PlatformConfig[name]
		if !ok {
			continue
		}
		c.Line = own.Line
		override(&c.CPU, own.CPU)
		overrideList(&c.Features, own.Features)
		overrideList(&c.CFlags, own.CFlags)
		overrideList(&c.CXXFlags, own.CXXFlags)
		overrideList(&c.LDFlags, own.LDFlags)
		overrideList(&packages, own.Sysroot.Packages)
		overrideList(&programs, own.Sysroot.HostPackages)
		maps.Copy(c.Env, own.Env)
		if own.Page != 0 {
			c.Page = own.Page
		}
		override(&c.CC, own.CC)
		override(&c.Sysroot.Libc, own.Sysroot.Libc)
		override(&c.Sysroot.Stdlib, own.Sysroot.Stdlib)
		c.Sysroot.CXX = c.Sysroot.CXX || own.Sysroot.CXX
		if own.Sysroot.Glibc != "" || own.Sysroot.Suite != "" { // one choice in two spellings
			c.Sysroot.Glibc, c.Sysroot.Suite = own.Sysroot.Glibc, own.Sysroot.Suite
		}
	}
	c.Sysroot.Packages = once(p.Sysroot.Packages, packages)
	c.Sysroot.HostPackages = once(p.Sysroot.HostPackages, programs)
	return c
}

// once are the words of two lists, each once, in their order; nil for none.
func once(a, b []string) []string {
	var out []string
	for _, word := range slices.Concat(a, b) {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

func override(dst *string, own string) {
	if own != "" {
		*dst = own
	}
}

// overrideList takes an empty list for a setting, and a nil one for none.
func overrideList(dst *[]string, own []string) {
	if own != nil {
		*dst = slices.Clone(own)
	}
}

// configNames are the platforms whose settings apply to pl, its own last.
func configNames(pl platform.Platform) []string {
	name := pl.String()
	if parts := strings.Split(name, "/"); len(parts) == 3 {
		short := parts[0] + "/" + parts[1]
		// linux/arm is a short spelling of linux/arm/v7 and no base of v5.
		if base, err := platform.Parse(short); err == nil && base.String() == short {
			return []string{short, name}
		}
	}
	return []string{name}
}

// Find is the path of the xbuild.toml in dir or the nearest folder above it.
// The error is an fs.ErrNotExist if there is none.
func Find(dir string) (string, error) {
	// Without links, so that "../" in a relative answer means the folder above.
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if start, err = filepath.EvalSymlinks(start); err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		file := filepath.Join(at, FileName)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return shown(file, dir), nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no %s in %s or a folder above it: %w", FileName, start, fs.ErrNotExist)
		}
	}
}

// shown spells a path as the user spelled the folder: relative or absolute.
func shown(file, dir string) string {
	if filepath.IsAbs(dir) {
		return file
	}
	wd, err := os.Getwd()
	if err != nil {
		return file
	}
	if wd, err = filepath.EvalSymlinks(wd); err != nil {
		return file
	}
	if rel, err := filepath.Rel(wd, file); err == nil {
		return rel
	}
	return file
}
