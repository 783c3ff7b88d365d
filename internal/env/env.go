// Package env says in what environment a platform's compilers are used: which variables every build system and language
// convention reads, with which values. It is pure: it touches no disk and reads no variable of this process.
package env

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"xbuild/internal/compose"
	"xbuild/internal/platform"
)

// A Var is one environment variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Environment is variables in the order in which they were set; each name stands once.
type Environment []Var

// Set adds a variable or replaces its value.
func (e *Environment) Set(name, value string) {
	if i := slices.IndexFunc(*e, func(v Var) bool { return v.Name == name }); i >= 0 {
		(*e)[i].Value = value
		return
	}
	*e = append(*e, Var{name, value})
}

// Unset removes a variable.
func (e *Environment) Unset(name string) {
	*e = slices.DeleteFunc(*e, func(v Var) bool { return v.Name == name })
}

// Lookup returns a variable's value, "" where there is none.
func (e Environment) Lookup(name string) string {
	for _, v := range e {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// Strings returns NAME=VALUE lines as execve(2) wants them.
func (e Environment) Strings() []string {
	out := make([]string, len(e))
	for i, v := range e {
		out[i] = v.Name + "=" + v.Value
	}
	return out
}

// Settings are what a project adds to the environment of a platform.
type Settings struct {
	CFlags, CXXFlags, LDFlags []string
	Static                    bool // libraries are linked in
	// Env is set last and therefore wins.
	Env map[string]string
}

// ForC returns the variables that C and C++ build systems read, those of Go's cgo and of cargo's C crates included.
// xbuild is the path of the xbuild program, which CMake's toolchain file calls as the emulator.
func ForC(v compose.View, s Settings, xbuild string) Environment {
	var e Environment
	p := v.Platform
	e.Set("XBUILD", xbuild)
	e.Set("XBUILD_PLATFORM", p.Name)
	e.Set("XBUILD_TRIPLET", p.Triplet)
	e.Set("CC", v.CC())
	e.Set("CXX", v.CXX())
	for _, tool := range []struct{ name, tool string }{
		{"CPP", "cpp"}, {"LD", "ld"}, {"AR", "ar"}, {"RANLIB", "ranlib"}, {"NM", "nm"}, {"STRIP", "strip"},
		{"OBJCOPY", "objcopy"}, {"READELF", "readelf"}, {"SIZE", "size"}, {"STRINGS", "strings"},
	} {
		e.Set(tool.name, v.Tool(tool.tool))
	}
	e.Set("CROSS_COMPILE", v.Bin()+"/"+p.Triplet+"-")
	e.Set("CROSS_PREFIX", v.Bin()+"/"+p.Triplet+"-") // of Makefiles that name their helper's compiler apart only with it
	for _, f := range []struct {
		name  string
		flags []string
	}{{"CFLAGS", s.CFlags}, {"CXXFLAGS", s.CXXFlags}, {"LDFLAGS", s.LDFlags}} {
		if len(f.flags) > 0 {
			e.Set(f.name, strings.Join(f.flags, " "))
		}
	}
	// The cc crate's names (docs.rs/cc, "External configuration via environment variables") and bindgen's.
	rust := strings.ReplaceAll(p.Rust, "-", "_")
	if rust != "" {
		e.Set("CC_"+rust, v.CC())
		e.Set("CXX_"+rust, v.CXX())
		e.Set("AR_"+rust, v.Tool("ar"))
		e.Set("CARGO_TARGET_"+strings.ToUpper(rust)+"_LINKER", v.CC())
		e.Set("CARGO_TARGET_"+strings.ToUpper(rust)+"_RUNNER", xbuild+" run -p "+p.Name)
		e.Set("BINDGEN_EXTRA_CLANG_ARGS_"+rust, Bindgen(v))
		e.Set("CMAKE_TOOLCHAIN_FILE_"+rust, v.CMakeToolchain())
	}
	e.Set("CMAKE_TOOLCHAIN_FILE", v.CMakeToolchain())
	e.Set("CONFIG_SITE", v.ConfigSite())
	e.Set("PKG_CONFIG", v.Tool("pkg-config"))
	e.Set("PKG_CONFIG_SYSROOT_DIR", v.Sysroot.Dir)
	e.Set("PKG_CONFIG_LIBDIR", v.Sysroot.Dir+"/usr/lib/"+p.Multiarch+"/pkgconfig:"+v.Sysroot.Dir+"/usr/share/pkgconfig")
	// Set and empty: a path of the host's own must not come in beside it.
	e.Set("PKG_CONFIG_PATH", "")
	e.Set("PKG_CONFIG_ALLOW_CROSS", "1")
	e.Set("QEMU_LD_PREFIX", v.Sysroot.Dir)
	e.Set("SOURCE_DATE_EPOCH", "0")
	return e.Merge(ForPages(p))
}

// Astray are variables of a caller by which the platform's tools would do what is not asked of them, or by which tools
// of the host would be called in their place: what the drivers of clang (Driver.cpp, Clang's manual, "Environment
// variables") and GCC read, lld's, and the words of make (its manual, "Implicit variables"), Automake, libtool and
// CMake for tools.
var Astray = []string{
	"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", "LIBRARY_PATH",
	"COMPILER_PATH", "GCC_EXEC_PREFIX", "GCC_COMPARE_DEBUG", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES",
	"CLANG_NO_DEFAULT_CONFIG", "CCC_OVERRIDE_OPTIONS", "CCC_ADD_ARGS", "QA_OVERRIDE_GCC3_OPTIONS", "CL", "_CL_",
	"CC_PRINT_OPTIONS", "CC_PRINT_HEADERS", "CC_PRINT_INTERNAL_STAT", "CC_PRINT_PROC_STAT", "SDKROOT",
	"LLD_VERSION", "LLD_REPRODUCE", "LINK", "_LINK_", "LD_RUN_PATH", "LDEMULATION", "GNUTARGET",
	"AS", "CCAS", "CXXCPP", "OBJC", "OBJCXX", "CCLD", "CXXLD", "FC", "F77", "F90", "OBJDUMP", "ADDR2LINE", "CXXFILT",
	"DWP", "DLLTOOL", "WINDRES", "RC", "GCOV", "GPROF", "ELFEDIT", "LIPO", "ASM",
}

// ForPages returns the variables that say how large a page of memory is to those who compile that in: the largest that
// the platform's kernels have. A memory allocator that was compiled for a larger page than it meets works, for a
// smaller one it does not (jemalloc's INSTALL.md, --with-lg-page). The crates tikv-jemalloc-sys and jemalloc-sys read
// this one.
func ForPages(p platform.Platform) Environment {
	if p.Page() == 0 {
		return nil
	}
	return Environment{{"JEMALLOC_SYS_WITH_LG_PAGE", strconv.Itoa(p.LgPage())}}
}

// Bindgen are the arguments of clang's library for the platform's headers: what the view's configuration file says,
// which the library does not read.
func Bindgen(v compose.View, more ...string) string {
	args := append([]string{"--target=" + v.Platform.LLVM, "--sysroot=" + v.Sysroot.Dir}, more...)
	driver := slices.DeleteFunc(slices.Clone(v.Platform.Driver), func(f string) bool {
		return strings.HasPrefix(f, "-Wl,")
	})
	return strings.Join(slices.Concat(args, v.Sysroot.In(v.Sysroot.Dir), v.Flags, driver), " ")
}

// ForBuild returns the variables by which build systems find compilers for programs that run while a project is built:
// autoconf's AX_PROG_CC_FOR_BUILD and many Makefiles (…_FOR_BUILD), the kernel's and its kin (HOSTCC), and older
// scripts (BUILD_CC).
func ForBuild(host compose.View) Environment {
	var e Environment
	e.Set("CC_FOR_BUILD", host.CC())
	e.Set("CXX_FOR_BUILD", host.CXX())
	for _, tool := range []struct{ name, tool string }{{"CPP", "cpp"}, {"AR", "ar"}, {"RANLIB", "ranlib"},
		{"NM", "nm"}, {"LD", "ld"}} {
		e.Set(tool.name+"_FOR_BUILD", host.Tool(tool.tool))
	}
	e.Set("BUILD_CC", host.CC())
	e.Set("HOSTCC", host.CC())
	e.Set("HOSTCXX", host.CXX())
	return e
}

// HostMake adds to the flags of make the variables by which Makefiles name a compiler for the host, as if they were on
// its command line: most set them to gcc, which is the platform's (GNU make's manual, "Communicating Options to a
// Sub-make"). For a platform of 32 bits HOST_CC is left to who knows whether it wants -m32 (LuaJIT).
func HostMake(flags string, narrow bool) string {
	variables := "HOSTCC=$(CC_FOR_BUILD) HOSTCXX=$(CXX_FOR_BUILD) BUILD_CC=$(CC_FOR_BUILD)"
	if !narrow {
		variables += " HOST_CC=$(CC_FOR_BUILD)"
	}
	switch {
	case strings.Contains(flags, variables):
		return flags
	case strings.HasPrefix(flags, "-- "), strings.Contains(flags, " -- "):
		return flags + " " + variables
	}
	return strings.TrimLeft(flags+" -- "+variables, " ")
}

// Merge returns e with every variable of more set over it.
func (e Environment) Merge(more Environment) Environment {
	out := slices.Clone(e)
	for _, v := range more {
		out.Set(v.Name, v.Value)
	}
	return out
}

// With returns e with the variables of a table set over it, in the order of their names.
func (e Environment) With(table map[string]string) Environment {
	out := slices.Clone(e)
	names := make([]string, 0, len(table))
	for n := range table {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		out.Set(n, table[n])
	}
	return out
}

// Formats are the names that Format takes.
var Formats = []string{"sh", "fish", "json", "dotenv", "make"}

// Format writes the environment for a shell, a program or a build tool to read. prependPath, where it is not empty, is
// put in front of PATH.
func (e Environment) Format(format, prependPath string) (string, error) {
	var b strings.Builder
	switch format {
	case "sh":
		for _, v := range e {
			fmt.Fprintf(&b, "export %s=%s\n", v.Name, Quote(v.Value))
		}
		if prependPath != "" {
			fmt.Fprintf(&b, "export PATH=%s\"${PATH:+:$PATH}\"\n", Quote(prependPath))
		}
	case "fish":
		for _, v := range e {
			fmt.Fprintf(&b, "set -gx %s %s\n", v.Name, quoteFish(v.Value))
		}
		if prependPath != "" {
			b.WriteString("set -gx PATH")
			for dir := range strings.SplitSeq(prependPath, ":") {
				b.WriteString(" " + quoteFish(dir))
			}
			b.WriteString(" $PATH\n")
		}
	case "json":
		m := map[string]string{}
		for _, v := range e {
			m[v.Name] = v.Value
		}
		if prependPath != "" {
			m["XBUILD_PATH"] = prependPath
		}
		data, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return "", err
		}
		b.Write(data)
		b.WriteByte('\n')
	case "dotenv":
		for _, v := range e {
			fmt.Fprintf(&b, "%s=%s\n", v.Name, quoteDotenv(v.Value))
		}
		if prependPath != "" {
			fmt.Fprintf(&b, "XBUILD_PATH=%s\n", quoteDotenv(prependPath))
		}
	case "make":
		for _, v := range e {
			fmt.Fprintf(&b, "export %s := %s\n", v.Name, quoteMake(v.Value))
		}
		if prependPath != "" {
			fmt.Fprintf(&b, "export PATH := %s:$(PATH)\n", quoteMake(prependPath))
		}
	default:
		return "", fmt.Errorf("unknown format %q (want %s)", format, strings.Join(Formats, ", "))
	}
	return b.String(), nil
}

func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("_-./:,+=@%", r))
	})
}

// Quote quotes a word for a shell, where it has to be quoted.
func Quote(s string) string {
	if q, err := syntax.Quote(s, syntax.LangPOSIX); err == nil {
		return q
	}
	// What syntax.Quote refuses are characters that do not print, and a word of the environment may have them. Between
	// single quotes all stand for themselves; zero bytes are in no environment.
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoteFish(s string) string {
	if plain(s) {
		return s
	}
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func quoteDotenv(s string) string {
	if plain(s) || s == "" {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "`", "\\`").Replace(s) + `"`
}

// quoteMake writes a value of a := line (GNU make manual, "Using Variables" and "Writing Makefiles"): backslashes count
// in front of # and at the end of a line alone, blanks in front are dropped, and $() is empty. A line holds no newline:
// it becomes a blank.
func quoteMake(s string) string {
	var b strings.Builder
	if s != strings.TrimLeft(s, " \t\n") {
		b.WriteString("$()")
	}
	backslashes := 0
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\':
			backslashes++
			b.WriteByte(c)
			continue
		case '#':
			b.WriteString(strings.Repeat(`\`, backslashes) + `\#`)
		case '$':
			b.WriteString("$$")
		case '\n':
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
		backslashes = 0
	}
	if backslashes > 0 {
		b.WriteString("$()")
	}
	return b.String()
}
