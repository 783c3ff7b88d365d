package compose

import (
	"context"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// A View is a directory of compiler and binary tools that work for one platform, whatever name they are called by.
//
// Of clang it holds copies of the driver, because that looks for its configuration file beside its own program with
// links resolved (Clang User's Manual, "Configuration files"); all else in it is links. Of GCC see gccDir.
type View struct {
	Platform platform.Platform
	Flags    []string  // the baseline's flags
	Compiler Toolchain // the compiler: clang, or GCC
	Pkgconf  Toolchain
	Sysroot  Sysroot
	Lenient  bool // what its clang has as errors in C and older compilers had as warnings are warnings
	// Host says that its programs run while a project is built: they find their loader and libraries in the store,
	// whatever libc the host has.
	Host     bool
	runtime  string // the tree with that loader: the sysroot, or a toolchain (see RunBy)
	narrow   *View  // of the host's, what -m32 makes programs for
	Key, Dir string
	ID       string // the same in every store

	runtimeID string // of that tree

	beside, besideID string // the tree of packages for the host that a host view finds beside its sysroot's, "" for none
}

// NewView says what the view of a platform will be in the store at root.
func NewView(root string, p platform.Platform, flags []string, compiler, pkgconf Toolchain, sysroot Sysroot) View {
	return View{Platform: p, Flags: flags, Compiler: compiler, Pkgconf: pkgconf, Sysroot: sysroot}.keyed(root, "view-")
}

// NewHostView says what the view of the host will be, whose programs run while a project is built: build scripts,
// generators, compiler plug-ins.
func NewHostView(root string, p platform.Platform, flags []string, compiler, pkgconf Toolchain, sysroot Sysroot) View {
	return View{
		Platform: p, Flags: flags, Compiler: compiler, Pkgconf: pkgconf, Sysroot: sysroot,
		Host: true, runtime: sysroot.Key, runtimeID: sysroot.anywhere(),
	}.keyed(root, "host-")
}

// RunBy returns a host view whose programs run with a toolchain's libc. A compiler loads what is a plug-in among them
// (rustc its proc macros), and a plug-in whose RPATH leads to another libc than the compiler's brings in halves of
// both.
func (v View) RunBy(root string, t Toolchain) View {
	v.runtime, v.runtimeID = t.Key, t.ID
	return v.keyed(root, "host-")
}

// Plain returns a host view whose programs run with the host's own loader and libraries: what a compiler of the host
// loads, as one that rustup installed does its proc macros, has to be for the libc that the compiler is for.
func (v View) Plain(root string) View {
	v.Host, v.runtime, v.runtimeID, v.narrow = false, "", "", nil
	return v.keyed(root, "view-")
}

// Leniently returns a view that takes C and C++ as GCC 13 did.
func (v View) Leniently(root string) View {
	v.Lenient = true
	if v.Host {
		return v.keyed(root, "host-")
	}
	return v.keyed(root, "view-")
}

func (v View) keyed(root, name string) View {
	name += strings.ReplaceAll(v.Platform.Name, "/", "-")
	v.Key, v.ID = key(name, v.parts()), key(name, v.anywhere().parts())
	v.Dir = treeDir(root, v.Key)
	return v
}

// anywhere is the view with names in it that are the same in every store, as no tree has them.
func (v View) anywhere() View {
	v.Compiler.Key, v.Pkgconf.Key, v.Sysroot.Key = v.Compiler.ID, v.Pkgconf.ID, v.Sysroot.anywhere()
	v.runtime, v.beside = v.runtimeID, v.besideID
	if v.narrow != nil {
		narrow := v.narrow.anywhere()
		v.narrow = &narrow
	}
	return v
}

// parts are what decides the view's content.
func (v View) parts() []string {
	p := v.Platform
	parts := []string{
		p.Triplet, v.config(p.LLVM) + v.Sysroot.NoCXX, strings.Join(v.triples(), " "),
		v.cmake(), v.configSite(), v.meson(), v.configScript("config"),
		v.stripper("strip"), v.stripper(v.Compiler.compiler().Linker), v.assembler(),
		fmt.Sprint(v.Compiler.absent), fmt.Sprint(v.Compiler.compiler().Tools),
		v.Compiler.Key, v.Pkgconf.Key, v.Sysroot.Key,
	}
	if len(v.Sysroot.Tools) > 0 {
		parts = append(parts, fmt.Sprint(v.Sysroot.Tools), v.plain("tool")) // fmt sorts maps
	}
	if v.Sysroot.supplement != "" {
		parts = append(parts, v.Sysroot.supplement)
	}
	if !v.Host {
		_, start := v.goExec()
		parts = append(parts, fmt.Sprint(v.answers()), start)
	}
	if v.Lenient {
		parts = append(parts, fmt.Sprint(v.lenient()), v.lenientHeader()) // fmt sorts maps
	}
	if v.Sysroot.CXX != nil {
		parts = append(parts, v.cxxLink(map[string]string{"name": "package"}))
	}
	if names, text := v.narrowConfig(); text != "" {
		parts = append(parts, strings.Join(names, " "), text)
	}
	return parts
}

// triples are the names under which clang looks for its configuration: <triplet>-clang asks for the platform's own
// triple, cc and the other names without one for that which clang was built for, and under a --target for what that
// says. Rust's cc crate gives every compilation a --target of Rust's name for the machine.
func (v View) triples() []string {
	out := []string{v.Platform.LLVM, v.Compiler.host.LLVM, strings.Replace(v.Compiler.host.LLVM, "-unknown-", "-pc-", 1)}
	if v.Platform.Rust != "" && !slices.Contains(out, v.Platform.Rust) {
		out = append(out, v.Platform.Rust)
	}
	return out
}

// Needs is the variable that names the prefixes of what is linked with beside the sysroot's libraries, with colons
// between them; what is in the last is taken first. The linker and CMake read it.
func (v View) Needs() string {
	if v.Host {
		return "XBUILD_HOST_NEEDS"
	}
	return "XBUILD_NEEDS"
}

// Bin is the directory that goes first on PATH.
func (v View) Bin() string { return filepath.Join(v.Dir, "bin") }

// Absent is the directory of programs that say why they are not here. It goes on PATH between the view and the host's
// own programs, where these follow. A build sees of the host what it is told to, so that it is missing there.
func (v View) Absent() string { return filepath.Join(v.Dir, "absent") }

// Tool is the path of <triplet>-NAME.
func (v View) Tool(name string) string {
	return filepath.Join(v.Dir, "bin", v.Platform.Triplet+"-"+name)
}

// CC and CXX are the paths of the compiler, for C and for C++.
func (v View) CC() string  { return v.Tool(v.Compiler.compiler().C) }
func (v View) CXX() string { return v.Tool(v.Compiler.compiler().CXX) }

// FC is the path of the compiler of Fortran, "" where there is none.
func (v View) FC() string {
	if name := v.Compiler.compiler().Fortran; name != "" {
		return v.Tool(name)
	}
	return ""
}

// compiler says how views are made of a toolchain.
func (t Toolchain) compiler() catalog.Compiler {
	if t.def == nil || t.def.Compiler == nil {
		return catalog.Compiler{}
	}
	return *t.def.Compiler
}

// ResourceDir is the directory of the compiler's own headers.
func (v View) ResourceDir() string {
	return filepath.Join(v.Compiler.Dir, v.Compiler.compiler().Resources)
}

// RustLinker is the program that rustc links with: the C compiler, or where there is none a linker.
func (v View) RustLinker() string {
	if v.Platform.RustLinker != "" {
		return filepath.Join(v.Compiler.Dir, v.Compiler.compiler().Bin, v.Platform.RustLinker)
	}
	return v.CC()
}

// CMakeToolchain is the path of the view's toolchain file (cmake-toolchains(7)).
func (v View) CMakeToolchain() string { return filepath.Join(v.Dir, "toolchain.cmake") }

// ConfigSite is the path of the view's defaults for configure scripts (Autoconf's manual, "Setting Site Defaults").
func (v View) ConfigSite() string { return filepath.Join(v.Dir, "config.site") }

// Meson is the path of the view's machine file (Meson's manual, "Machine files"): a cross file for a platform, a native
// file for the host.
func (v View) Meson() string { return filepath.Join(v.Dir, "machine.ini") }

// tree is the directory of another tree of the store as the configuration file names it.
func tree(key string) string { return "<CFGDIR>/../../" + key }

// config is the content of the configuration file: everything that makes the driver compile for the platform, relative
// to itself.
func (v View) config(target string) string {
	if v.GCC() {
		return v.gccConfig()
	}
	b := v.base(target)
	if v.Sysroot.CXX != nil {
		b += strings.Join(v.cxxConfig(tree), "\n") + "\n"
	}
	return b
}

// base is the configuration but for a C++ library that is compiled with it.
func (v View) base(target string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: made by xbuild\n", v.Platform.Name)
	fmt.Fprintf(&b, "--target=%s\n", target)
	fmt.Fprintf(&b, "--sysroot=%s\n", tree(v.Sysroot.Key))
	fmt.Fprintf(&b, "-resource-dir=%s\n", tree(v.Compiler.Key)+"/"+v.Compiler.compiler().Resources)
	fmt.Fprintln(&b, "--ld-path=<CFGDIR>/ld.lld")
	if v.Compiler.compat != "" {
		fmt.Fprintf(&b, "-fclang-abi-compat=%s\n", v.Compiler.compat)
	}
	for _, f := range slices.Concat(
		v.Flags, LenientFlags(v.Compiler.warned),
		v.Platform.Driver, v.Compiler.driver[v.Platform.Name], v.Sysroot.In(tree(v.Sysroot.Key)),
	) {
		fmt.Fprintln(&b, f)
	}
	// The same sources give the same bytes wherever the store lies.
	fmt.Fprintf(&b, "-ffile-prefix-map=%s=/usr/%s\n", tree(v.Sysroot.Key), v.Platform.Triplet)
	fmt.Fprintf(&b, "-ffile-prefix-map=%s=/usr/clang\n", tree(v.Compiler.Key))
	if v.Platform.Machine != elf.EM_NONE { // of other formats lld knows no SHA-1
		fmt.Fprintln(&b, "-Wl,--build-id=sha1")
		// As GNU ld does: what __start_NAME and __stop_NAME ask for stays under --gc-sections (ld.lld(1), -z
		// start-stop-gc). Plug-ins that register themselves by a section are lost otherwise, with no word said.
		fmt.Fprintln(&b, "-Wl,-z,nostart-stop-gc")
		// As GNU ld does: a version script may name what the library does not have (ld.lld(1), --undefined-version).
		fmt.Fprintln(&b, "-Wl,--undefined-version")
	}
	b.WriteString(v.relroPages())
	if v.Sysroot.supplement != "" {
		// As a member of an archive is: linked where something asks for it, and only then.
		fmt.Fprintln(&b, "-Wl,--start-lib,<CFGDIR>/../"+supplement+".o,--end-lib")
	}
	if v.Host {
		// RPATH, not RUNPATH: build tools set LD_LIBRARY_PATH for the programs that they start (cargo does).
		lib := tree(v.runtime) + "/usr/lib/" + v.Platform.Multiarch
		fmt.Fprintf(&b, "-Wl,--dynamic-linker=%s/%s,-rpath,%s,-rpath,%s,--disable-new-dtags\n", lib, path.Base(v.Platform.Interp), lib, tree(v.runtime)+"/usr/lib")
		if v.Sysroot.more && v.runtime != v.Sysroot.Key { // what these libraries ask for is in a newer C library too
			fmt.Fprintf(&b, "-Wl,-rpath,%s/usr/lib/%s\n", tree(v.Sysroot.Key), v.Platform.Multiarch)
		}
	}
	return b.String()
}

// lenient are the files of flags that a lenient view has, by name; the driver reads the one of its name beside the
// platform's file. The flags stand before those of a command line, so that a project that wants an error still has it.
func (v View) lenient() map[string]string {
	return map[string]string{v.Compiler.compiler().C + ".cfg": strings.Join(LenientFlags(v.Compiler.Lenient), "\n") + "\n"}
}

// lenientHeader makes the same warnings by pragmas, which count whatever stands on the command line.
func (v View) lenientHeader() string {
	var b strings.Builder
	b.WriteString("#if !defined(__cplusplus) && !defined(__ASSEMBLER__)\n")
	for _, g := range v.Compiler.Lenient {
		fmt.Fprintf(&b, "#pragma %s diagnostic warning \"-W%s\"\n", v.Compiler.compiler().Pragma, g)
	}
	b.WriteString("#endif\n")
	return b.String()
}

// LenientHeader is the path of a lenient view's header, for what gives the compiler flags of its own that would be
// errors again.
func (v View) LenientHeader() string { return filepath.Join(v.Dir, "lenient.h") }

// LenientFlags make warnings of errors, which are named by clang's groups.
func LenientFlags(groups []string) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = "-Wno-error=" + g
	}
	return out
}

// cmake is the content of the toolchain file. What is found by find_program is the host's, all else the sysroot's.
func (v View) cmake() string {
	fortran := ""
	if fc := v.FC(); fc != "" {
		fortran = fmt.Sprintf("set(CMAKE_Fortran_COMPILER \"${CMAKE_CURRENT_LIST_DIR}/bin/%s\")\n", filepath.Base(fc))
	}
	return fmt.Sprintf(`# %[1]s: made by xbuild
set(CMAKE_SYSTEM_NAME %[6]s)
set(CMAKE_SYSTEM_PROCESSOR %[2]s)
set(CMAKE_C_COMPILER "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-%[9]s")
set(CMAKE_CXX_COMPILER "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-%[10]s")
set(CMAKE_ASM_COMPILER "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-%[9]s")
%[11]sset(CMAKE_AR "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-ranlib" CACHE FILEPATH "")
set(CMAKE_NM "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-nm" CACHE FILEPATH "")
set(CMAKE_STRIP "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-strip" CACHE FILEPATH "")
set(CMAKE_OBJCOPY "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-objcopy" CACHE FILEPATH "")
set(CMAKE_READELF "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-readelf" CACHE FILEPATH "")
set(CMAKE_LINKER "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-ld" CACHE FILEPATH "")
# Packages that look beside their own files do so by the path without "..", and CMake has to know it for the sysroot's.
get_filename_component(CMAKE_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../%[4]s" ABSOLUTE)
foreach(language C CXX) # by that path headers are found too
  set(CMAKE_${language}_FLAGS_INIT "-ffile-prefix-map=${CMAKE_SYSROOT}=/usr/%[3]s")
endforeach()
set(CMAKE_LIBRARY_ARCHITECTURE %[5]s)
set(CMAKE_C_LIBRARY_ARCHITECTURE %[5]s)
set(CMAKE_CXX_LIBRARY_ARCHITECTURE %[5]s)
set(CMAKE_FIND_ROOT_PATH "${CMAKE_SYSROOT}")
if(DEFINED ENV{%[7]s})
  string(REPLACE ":" ";" XBUILD_NEEDS "$ENV{%[7]s}")
  list(REVERSE XBUILD_NEEDS)
  set(CMAKE_FIND_ROOT_PATH ${XBUILD_NEEDS} "${CMAKE_SYSROOT}")
  foreach(need ${XBUILD_NEEDS}) # the linker looks there by itself; a RUNPATH would name this machine
    list(APPEND CMAKE_PLATFORM_IMPLICIT_LINK_DIRECTORIES "${need}/lib")
  endforeach()
endif()
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
set(CMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY OFF)
if(DEFINED ENV{XBUILD_HOST_TOOLS})
  # A build sees the host's programs through links in this directory, which is on PATH: find_program looks into the host's own too.
  set(CMAKE_SYSTEM_IGNORE_PATH /bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /usr/games /usr/pkg/bin /usr/X11R6/bin /opt/bin /opt/local/bin /opt/csw/bin /snap/bin)
endif()
set(PKG_CONFIG_EXECUTABLE "${CMAKE_CURRENT_LIST_DIR}/bin/%[3]s-pkg-config" CACHE FILEPATH "")
%[8]s`,
		v.Platform.Name, v.Platform.CMake, v.Platform.Triplet, v.Sysroot.Key, v.Platform.Multiarch, v.Platform.CMakeSystem,
		v.Needs(), v.cmakeEmulator(), v.Compiler.compiler().C, v.Compiler.compiler().CXX, fortran)
}

// cmakeEmulator says how CMake starts what it has compiled: the host's programs as they are, which know their loader.
func (v View) cmakeEmulator() string {
	if v.Host {
		return "set(CMAKE_CROSSCOMPILING_EMULATOR env)\n"
	}
	return fmt.Sprintf(`if(DEFINED ENV{XBUILD})
  set(CMAKE_CROSSCOMPILING_EMULATOR "$ENV{XBUILD};run;-p;%[1]s")
else()
  set(CMAKE_CROSSCOMPILING_EMULATOR "xbuild;run;-p;%[1]s")
endif()
`, v.Platform.Name)
}

// configSite is what a shell reads before a configure script looks for anything. What the script is told on its command
// line wins.
func (v View) configSite() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: made by xbuild\n", v.Platform.Name)
	// A Makefile that runs a configure script inside may not tell it for which platform, and the script would start
	// what it compiled. One with another compiler is for the host.
	fmt.Fprintf(&b, `if test "x$host_alias" = x; then
  case "$CC" in
  "${CONFIG_SITE%%/*}"/* | [!/]* | "")
    host_alias=%s cross_compiling=yes
    case "x$host" in x | xNONE) host=$host_alias ;; esac
  esac
fi
`, v.Platform.Triplet)
	// It asks uname for the build machine, to tell it from the one that it was told.
	b.WriteString("if test \"x$XBUILD_UNAME\" = xmakefile; then XBUILD_UNAME=host; export XBUILD_UNAME; fi\n")
	for _, name := range slices.Sorted(maps.Keys(v.Sysroot.Configure)) {
		fmt.Fprintf(&b, ": \"${%s=%s}\"\n", name, v.Sysroot.Configure[name])
	}
	b.WriteString(v.pagesSite())
	if v.Platform.Canonical != "" {
		// A configure script inside another may be for the host.
		fmt.Fprintf(&b, "if test \"x$host_alias\" = \"x%s\"; then : \"${ac_cv_host=%s}\"; fi\n", v.Platform.Triplet, v.Platform.Canonical)
	}
	return b.String()
}

// meson is the content of the machine file. Programs of the platform are never started but through the wrapper, those
// of a platform that the host could run included: they want the sysroot's loader and libraries. Meson expands no
// variables of the environment, and a shell does.
func (v View) meson() string {
	var b strings.Builder
	p := v.Platform
	fmt.Fprintf(&b, "# %s: made by xbuild\n[binaries]\n", p.Name)
	for _, tool := range [][2]string{
		{"c", v.Compiler.compiler().C},
		{"cpp", v.Compiler.compiler().CXX},
		{"fortran", v.Compiler.compiler().Fortran},
		{"ar", "ar"},
		{"nm", "nm"},
		{"ranlib", "ranlib"},
		{"strip", "strip"},
		{"objcopy", "objcopy"},
		{"readelf", "readelf"},
		{"pkg-config", "pkg-config"},
	} {
		if tool[1] != "" {
			fmt.Fprintf(&b, "%s = '@DIRNAME@/bin/%s-%s'\n", tool[0], p.Triplet, tool[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Sysroot.Tools)) {
		fmt.Fprintf(&b, "%s = '@DIRNAME@/bin/%s-%s'\n", name, p.Triplet, name)
	}
	if v.Host {
		// CMake would look for libraries in the host's own /usr, which are none of this compiler's.
		b.WriteString("cmake = 'no-cmake-for-this-machine'\n")
	} else {
		b.WriteString("cmake = 'cmake'\n") // the one that tools brings; without it there is none
	}
	root := "@DIRNAME@/../" + v.Sysroot.Key
	libdir := fmt.Sprintf("'%[1]s/usr/lib/%[2]s/pkgconfig', '%[1]s/usr/share/pkgconfig'", root, p.Multiarch)
	if v.beside != "" {
		libdir += ", '@DIRNAME@/../" + v.beside + "/" + nativeFiles + "'"
	}
	properties := fmt.Sprintf("\n[properties]\nsys_root = '%s'\npkg_config_libdir = [%s]\n", root, libdir)
	endian := "little"
	if p.BigEndian() {
		endian = "big"
	}
	switch {
	case v.Host:
		b.WriteString(properties + "needs_exe_wrapper = false\n")
	case p.QEMU != "":
		fmt.Fprintf(&b, "exe_wrapper = ['sh', '-c', 'exec \"${XBUILD:-xbuild}\" run -p %s -- \"$@\"', 'xbuild']\n", p.Name)
	}
	if !v.Host {
		fmt.Fprintf(&b, "%sneeds_exe_wrapper = true\ncmake_toolchain_file = '@DIRNAME@/toolchain.cmake'\n", properties)
	}
	fmt.Fprintf(&b, "\n[host_machine]\nsystem = '%s'\ncpu_family = '%s'\ncpu = '%s'\nendian = '%s'\n", p.OS, p.MesonFamily, p.MesonCPU, endian)
	return b.String()
}

func (c *Composer) view(ctx context.Context, v View) error {
	if v.Sysroot.CXX != nil {
		if err := c.cxx(ctx, v); err != nil {
			return err
		}
	}
	_, err := c.Store.Tree(ctx, v.Key, func(tmp, _ string) error {
		bin := filepath.Join(tmp, "bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
		made, drivers := v.Compiler.compiler(), v.clang
		tree := filepath.Join("../..", v.Compiler.Key) // from bin
		if v.GCC() {
			drivers = v.gcc
		}
		if err := drivers(tmp); err != nil {
			return err
		}
		for name, program := range made.Tools {
			for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
				if err := os.Symlink(filepath.Join(tree, "programs", program), filepath.Join(bin, n)); err != nil {
					return err
				}
			}
		}
		for name, program := range made.Strippers {
			for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
				if err := os.WriteFile(filepath.Join(bin, n), []byte(v.stripper(program)), 0o755); err != nil {
					return err
				}
			}
		}
		for name, program := range v.Sysroot.Tools {
			named := v.Platform.Triplet + "-" + name
			if err := os.Symlink(filepath.Join(tree, made.Bin, program), filepath.Join(bin, named)); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(bin, name), []byte(v.plain(name)), 0o755); err != nil {
				return err
			}
		}
		if err := v.writeAbsent(bin, filepath.Join(tmp, "absent")); err != nil {
			return err
		}
		for _, n := range []string{
			"pkg-config", "pkgconf", v.Platform.Triplet + "-pkg-config", v.Platform.Triplet + "-pkgconf",
		} {
			program := filepath.Join("../..", v.Pkgconf.Key, "programs/pkg-config")
			if err := os.Symlink(program, filepath.Join(bin, n)); err != nil {
				return err
			}
		}
		if err := v.configScripts(bin); err != nil {
			return err
		}
		if name, text := v.goExec(); name != "" {
			if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
				return err
			}
		}
		if err := v.writeAnswers(filepath.Join(tmp, "answers")); err != nil {
			return err
		}
		if v.Lenient {
			if err := os.WriteFile(filepath.Join(tmp, "lenient.h"), []byte(v.lenientHeader()), 0o644); err != nil {
				return err
			}
		}
		if v.Sysroot.NoCXX != "" {
			if err := os.WriteFile(filepath.Join(tmp, "no-c++.h"), []byte("#error "+v.Sysroot.NoCXX+"\n"), 0o644); err != nil {
				return err
			}
		}
		if v.Sysroot.CXX != nil {
			speakers, err := c.speakers(v.Sysroot, v.Platform.Multiarch)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(tmp, besideCXX), []byte(v.cxxLink(speakers)), 0o644); err != nil {
				return err
			}
		}
		if v.Sysroot.supplement != "" {
			if err := v.compileSupplement(ctx, tmp); err != nil {
				return err
			}
		}
		for name, text := range map[string]string{
			"toolchain.cmake": v.cmake(),
			"config.site":     v.configSite(),
			"machine.ini":     v.meson(),
		} {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// clang puts the drivers into a view at dir, and the files that they read.
func (v View) clang(dir string) error {
	bin, made := filepath.Join(dir, "bin"), v.Compiler.compiler()
	stub := filepath.Join(bin, v.Platform.Triplet+"-"+made.C)
	if err := copyFile(filepath.Join(v.Compiler.Dir, made.Bin, made.C), stub); err != nil {
		return err
	}
	for _, name := range made.Drivers {
		for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
			if p := filepath.Join(bin, n); p != stub {
				if err := os.Link(stub, p); err != nil {
					return err
				}
			}
		}
	}
	for _, n := range []string{"as", v.Platform.Triplet + "-as"} {
		if err := os.WriteFile(filepath.Join(bin, n), []byte(v.assembler()), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{}
	for _, triple := range v.triples() {
		files[triple+".cfg"] = v.config(v.Platform.LLVM)
	}
	names, text := v.narrowConfig()
	for _, name := range names {
		files[name+".cfg"] = text
	}
	if v.Lenient {
		maps.Copy(files, v.lenient())
	}
	if v.Sysroot.NoCXX != "" {
		for _, name := range made.CXXDrivers {
			files[name+".cfg"] = "-include<CFGDIR>/../no-c++.h\n"
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// supplement is the name of the object, and of its source, of what the sysroot's C library lacks.
const supplement = "supplement"

// compileSupplement compiles what the sysroot's C library lacks into the view at dir, as the view's own compiler would:
// with the options of its configuration, whose paths lead nowhere before the view is where it belongs.
func (v View) compileSupplement(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, supplement+".c"), []byte(v.Sysroot.supplement), 0o644); err != nil {
		return err
	}
	args := append(v.direct(v.base(v.Platform.LLVM)),
		"-Wall", "-Werror", "-O2", "-fPIC", "-c", supplement+".c", "-o", supplement+".o")
	if err := v.run(ctx, dir, args); err != nil {
		return fmt.Errorf("compile what the C library of %s lacks: %w", v.Platform.Name, err)
	}
	return nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
