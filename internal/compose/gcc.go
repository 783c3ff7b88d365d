package compose

import (
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// GCC says whether the view's compiler is one.
func (v View) GCC() bool { return v.Compiler.compiler().GCC }

// A GCC finds what belongs to it from where its driver lies (its manual, GCC_EXEC_PREFIX), and reads no file for a
// platform. So a view has a copy of the drivers below gcc/, and around it what an installation has: the compiler's own
// headers and programs, and in the place of its libraries and C++ headers the sysroot's, which are of the sysroot's
// release of GCC. In bin are scripts of a few lines, which give the drivers the platform's options before all others.
const gccDir = "gcc"

// gccConfig is all that decides what the view's drivers do.
func (v View) gccConfig() string {
	names := v.gccScripts()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		b.WriteString(names[name])
	}
	return b.String() + v.gccSpecs() + v.Sysroot.gcc + " installed 4"
}

// gccOptions are the options of every call, as words of a shell: $trees is where all trees lie, $view is the view.
func (v View) gccOptions() []string {
	out := []string{"-specs=$view/gcc.specs", "--sysroot=$trees/" + v.Sysroot.Key}
	for _, f := range v.Flags { // the others are for clang, to have it say of the machine what GCC says
		if strings.HasPrefix(f, "-m") || strings.HasPrefix(f, "-f") {
			out = append(out, f)
		}
	}
	for _, f := range v.Platform.Driver {
		if !strings.Contains(f, "-latomic") { // in gccSpecs
			out = append(out, f)
		}
	}
	out = append(append(out, v.Compiler.driver[v.Platform.Name]...), v.Sysroot.In("$trees/"+v.Sysroot.Key)...)
	// The same sources give the same bytes wherever the store lies.
	out = append(out,
		"-ffile-prefix-map=$trees/"+v.Sysroot.Key+"=/usr/"+v.Platform.Triplet,
		"-ffile-prefix-map=$trees/"+v.Compiler.Key+"=/usr/gcc",
		"-ffile-prefix-map=$view/"+gccDir+"=/usr/gcc")
	if v.Platform.Machine != elf.EM_NONE {
		out = append(out, "-Wl,--build-id=sha1")
	}
	if pages := strings.TrimSpace(v.relroPages()); pages != "" {
		out = append(out, pages)
	}
	return out
}

// gccScripts are the programs of bin that call the drivers, by their names without a triplet.
func (v View) gccScripts() map[string]string {
	made := v.Compiler.compiler()
	out := map[string]string{}
	for _, name := range made.Drivers {
		program, options := made.C, v.gccOptions()
		switch {
		case slices.Contains(made.CXXDrivers, name):
			program = made.CXX
			if v.Sysroot.NoCXX != "" {
				options = append(options, "-include", "$view/no-c++.h")
			}
		case name == made.Fortran, name == "f77", name == "f95":
			// Or places of this machine would be in what debuggers read: those of modules, which are no part of the map.
			program, options = made.Fortran, append(options, "-gno-record-gcc-switches")
		case name == "cpp":
			program = name
		case name == "c89", name == "c99":
			options = append(options, "-std="+name)
		}
		if v.Lenient {
			if program == made.CXX {
				options = append(options, "-fpermissive")
			} else if program == made.C {
				options = append(options, LenientFlags(v.Compiler.Lenient)...)
			}
		}
		quoted := make([]string, len(options))
		for i, o := range options {
			quoted[i] = `"` + o + `"`
		}
		out[name] = fmt.Sprintf(`#!/bin/sh
# %[1]s of %[2]s: made by xbuild
self=$0
case $self in /*) ;; *) self=$(readlink -f "$0") ;; esac
view=${self%%/bin/*}
if test ! -x "$view/%[5]s/bin/%[3]s-%[4]s"; then
  self=$(readlink -f "$0")
  view=${self%%/bin/*}
fi
case $view in */..) view=${view%%/*/..} ;; esac # answers/../bin
trees=${view%%/*}
exec "$view/%[5]s/bin/%[3]s-%[4]s" %[6]s "$@"
`, name, v.Platform.Name, v.Platform.Triplet, program, gccDir, strings.Join(quoted, " "))
	}
	return out
}

// gccSpecs are what the view adds to the drivers' own rules (GCC's manual, "Spec Files"): what comes behind all that a
// link has. Where the sysroot's libgcc is an earlier one than the compiler's, that comes behind it, for functions which
// that does not have yet.
func (v View) gccSpecs() string {
	var b strings.Builder
	// Debian's GCC 14 has 64 bits for time_t on 32-bit Arm by itself, which libraries of earlier suites have not.
	b.WriteString("*distro_defaults_cpp:\n\n\n")
	if v.Sysroot.gcc != v.Compiler.Slot {
		b.WriteString("*libgcc:\n+ -lgcc_of_compiler\n\n")
	}
	if slices.ContainsFunc(v.Platform.Driver, func(f string) bool { return strings.Contains(f, "-latomic") }) {
		b.WriteString("*lib:\n+ %{!r:--push-state --as-needed -latomic --pop-state}\n\n")
	}
	return b.String()
}

// gcc puts the drivers into a view at dir, and around them what they look for.
func (v View) gcc(dir string) error {
	for name, text := range v.gccScripts() {
		for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
			if err := os.WriteFile(filepath.Join(dir, "bin", n), []byte(text), 0o755); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "gcc.specs"), []byte(v.gccSpecs()), 0o644); err != nil {
		return err
	}
	in := installation{view: v, root: filepath.Join(dir, gccDir)}
	machine, slot, made := v.Platform.GCC, v.Compiler.Slot, v.Compiler.compiler()
	if err := os.MkdirAll(filepath.Join(in.root, "bin"), 0o755); err != nil {
		return err
	}
	for _, name := range []string{made.C, made.CXX, made.Fortran, "cpp"} {
		from := filepath.Join(v.Compiler.Dir, made.Bin, machine+"-"+name+"-"+slot)
		if err := copyFile(from, filepath.Join(in.root, "bin", v.Platform.Triplet+"-"+name)); err != nil {
			return err
		}
	}
	// A compiler for another machine than its own lies in gcc-cross.
	kind := "gcc-cross"
	if _, err := os.Stat(filepath.Join(v.Compiler.Dir, "usr/lib", kind, machine, slot)); err != nil {
		kind = "gcc"
	}
	lib, old := filepath.Join("lib", kind, machine, slot), filepath.Join("usr/lib/gcc", machine, v.Sysroot.gcc)
	own := func(name string) bool { return !strings.HasSuffix(name, ".a") }
	if err := in.entries(lib, filepath.Join(v.Compiler.Dir, "usr", lib), own); err != nil {
		return err
	}
	if err := in.link(lib+"/libgcc_of_compiler.a", filepath.Join(v.Compiler.Dir, "usr", lib, "libgcc.a")); err != nil {
		return err
	}
	libraries := func(name string) bool {
		return strings.HasSuffix(name, ".o") || strings.HasPrefix(name, "lib") && strings.Contains(name, ".")
	}
	if err := in.entries(lib, filepath.Join(v.Sysroot.Dir, old), libraries); err != nil {
		return err
	}
	if err := in.support(lib); err != nil {
		return err
	}
	exec := filepath.Join("libexec", kind, machine, slot)
	if _, err := os.Stat(filepath.Join(v.Compiler.Dir, "usr", exec)); err == nil {
		if err := in.link(exec, filepath.Join(v.Compiler.Dir, "usr", exec)); err != nil {
			return err
		}
	}
	for tool, program := range made.Tools {
		if err := in.link(filepath.Join(machine, "bin", tool), v.Compiler.Program(program)); err != nil {
			return err
		}
	}
	for tool := range made.Strippers {
		if err := in.link(filepath.Join(machine, "bin", tool), filepath.Join(v.Dir, "bin", tool)); err != nil {
			return err
		}
	}
	// The headers of C++, those for the machine among them, where either kind looks for them.
	cxx := filepath.Join("include/c++", slot)
	headers := filepath.Join(v.Sysroot.Dir, "usr/include/c++", v.Sysroot.gcc)
	if _, err := os.Stat(headers); err != nil {
		return nil // a C library without one
	}
	all := func(string) bool { return true }
	for _, at := range []string{filepath.Join(machine, cxx), cxx} {
		if err := in.entries(at, headers, all); err != nil {
			return err
		}
	}
	ofMachine := filepath.Join(v.Sysroot.Dir, "usr/include", v.Platform.Multiarch, "c++", v.Sysroot.gcc)
	for _, at := range []string{
		filepath.Join(machine, cxx, machine), filepath.Join(cxx, machine),
		filepath.Join("include", v.Platform.Multiarch, "c++", slot),
	} {
		if err := in.link(at, ofMachine); err != nil {
			return err
		}
	}
	return nil
}

// support adds the libraries of OpenMP, and of floats of 128 bits, which Fortran links with where the machine has none.
// A sysroot has them where a package of the project needs them, and for programs alone; else they are linked in.
func (in installation) support(lib string) error {
	v := in.view
	shared := filepath.Join(v.Sysroot.Dir, "usr/lib", v.Platform.Multiarch)
	static := filepath.Join(v.Compiler.Dir, "usr", lib)
	for name, from := range map[string]string{
		"libgomp.so":     filepath.Join(shared, "libgomp.so.1"),
		"libgomp.a":      filepath.Join(static, "libgomp.a"),
		"libquadmath.so": filepath.Join(shared, "libquadmath.so.0"),
		"libquadmath.a":  filepath.Join(static, "libquadmath.a"),
	} {
		if _, err := os.Stat(from); err != nil {
			continue
		}
		if err := in.link(filepath.Join(lib, name), from); err != nil {
			return err
		}
	}
	return nil
}

// An installation is the directory of a view in which its GCC is installed.
type installation struct {
	view View
	root string // where it lies until the view is where it belongs
}

// link makes a link in the installation to a file of a tree, by the place that both will have.
func (in installation) link(name, to string) error {
	at := filepath.Join(in.root, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	rel, err := filepath.Rel(filepath.Dir(filepath.Join(in.view.Dir, gccDir, name)), to)
	if err != nil {
		return err
	}
	return os.Symlink(rel, at)
}

// entries makes links in a directory of the installation to what a directory of a tree has.
func (in installation) entries(name, from string, want func(string) bool) error {
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range list {
		if want(e.Name()) {
			if err := in.link(filepath.Join(name, e.Name()), filepath.Join(from, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
