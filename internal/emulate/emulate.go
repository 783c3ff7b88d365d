// Package emulate says how a program of a platform is started on this host: by itself, through the loader of its
// sysroot, or under QEMU's user mode with the CPU model of the platform's baseline, so that an instruction which the
// platform does not promise ends the program here. Beside that it registers emulators with the kernel, counts the
// instructions of an emulated program, and runs a debugger and the program side by side, on this machine or for a
// debugger on another.
package emulate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/cpu"

	"xbuild/internal/inspect"
	"xbuild/internal/platform"
)

// A Program is an ELF file that is to be run.
type Program struct {
	Path string
	inspect.Header
}

// ErrNotELF says that a file is no ELF program.
var ErrNotELF = errors.New("not an ELF program")

// Open reads a program's header.
func Open(path string) (Program, error) {
	h, err := inspect.ReadHeader(path)
	switch {
	case errors.Is(err, inspect.ErrFormat):
		return Program{}, fmt.Errorf("%s: %w", path, ErrNotELF)
	case errors.Is(err, inspect.ErrDamaged):
		return Program{}, fmt.Errorf("%w: %w", ErrNotELF, err)
	}
	return Program{Path: path, Header: h}, err
}

// Platform is the platform that a program is for: the one whose folder it lies in, as dist is laid out
// (dist/linux/arm/v6/hello), where its header allows that. Otherwise it is the one that the header names, without
// variants: 32-bit ARM counts as v7 unless its loader or its flags are of the soft-float ABI.
func (p Program) Platform() (platform.Platform, error) {
	folder, ok := Folder(p.Path, func(c platform.Platform) bool {
		return p.For(c) && (p.Interp == "" || p.Interp == c.Interp)
	})
	if ok {
		return folder, nil
	}
	found, ok := p.Header.Platform()
	if !ok {
		return platform.Platform{}, fmt.Errorf("%s is for %v, which xbuild has no platform for", p.Path, p.Machine)
	}
	return found, nil
}

// Folder is the platform in whose folder a file lies, as dist is laid out, among those that may be it. It is false
// where there is none.
func Folder(path string, may func(platform.Platform) bool) (folder platform.Platform, ok bool) {
	last := 0
	for _, c := range platform.All() {
		at := strings.LastIndex(filepath.ToSlash(path), "/"+c.Name+"/")
		if end := at + len(c.Name); at >= 0 && end > last && may(c) {
			folder, last = c, end
		}
	}
	return folder, last > 0
}

// Matches reports whether the program is for a platform's machine.
func (p Program) Matches(pl platform.Platform) bool { return p.For(pl) }

// Native reports whether this host runs the platform's programs itself.
func Native(host, p platform.Platform) bool {
	if p.OS != host.OS || p.Arch != host.Arch {
		return false
	}
	switch p.Name {
	case "linux/amd64/v2":
		return cpu.X86.HasSSE42 && cpu.X86.HasPOPCNT && cpu.X86.HasSSSE3
	case "linux/amd64/v3":
		return v3()
	case "linux/amd64/v4":
		return v3() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512CD && cpu.X86.HasAVX512DQ &&
			cpu.X86.HasAVX512VL
	}
	return p.Name == p.Base().Name
}

func v3() bool {
	return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && cpu.X86.HasFMA && cpu.X86.HasSSE42 && cpu.X86.HasPOPCNT
}

// libraries are the directories of libraries that were built with a program: those where a loader looks (ld.so(8)) in
// the folder of dist that the program lies in, which is a root directory once it is copied into an image.
func (p Program) libraries(pl platform.Platform) []string {
	var out []string
	// In a build or a test: of what the target needs.
	for prefix := range strings.SplitSeq(os.Getenv("XBUILD_NEEDS"), ":") {
		if prefix != "" && !strings.Contains(prefix, ",") {
			out = append(out, filepath.Join(prefix, "lib"))
		}
	}
	path, err := filepath.Abs(p.Path)
	at := strings.LastIndex(filepath.ToSlash(path), "/"+pl.Name+"/")
	if err != nil || at < 0 {
		return out
	}
	for _, dir := range []string{filepath.Join("lib", pl.Multiarch), filepath.Join("usr/lib", pl.Multiarch), "lib",
		"usr/lib", "usr/local/lib"} {
		dir = filepath.Join(path[:at], pl.Name, dir)
		if found, _ := filepath.Glob(filepath.Join(dir, "*.so*")); len(found) > 0 && !strings.ContainsAny(dir, ":,") {
			// what the loader and QEMU split at
			out = append(out, dir)
		}
	}
	return out
}

// Direct is the command of a program that the host runs itself. A dynamic one goes through the loader and the libraries
// of its sysroot, because the host may have others or none. Libraries that LD_LIBRARY_PATH names come before those, as
// they do where a loader is not told its path, and what was built with it too.
func Direct(p Program, sysroot string, pl platform.Platform, args []string) []string {
	if p.Interp == "" || sysroot == "" {
		return append([]string{p.Path}, args...)
	}
	libraries := strings.Join(append(p.libraries(pl), filepath.Join(sysroot, "usr/lib", pl.Multiarch),
		filepath.Join(sysroot, "usr/lib")), ":")
	if own := os.Getenv("LD_LIBRARY_PATH"); own != "" {
		libraries = own + ":" + libraries
	}
	argv := []string{filepath.Join(sysroot, p.Interp), "--inhibit-cache", "--library-path", libraries, p.Path}
	return append(argv, args...)
}

// Choose says how a host runs the programs of a platform: by itself, or emulated, which always asks for. The error says
// why it can do neither.
func Choose(host, p platform.Platform, b platform.Baseline, always bool) (emulated bool, err error) {
	if !always && Native(host, p) {
		return false, nil
	}
	err = emulable(p, b)
	if err != nil && p.OS == host.OS && p.Arch == host.Arch && !Native(host, p) {
		err = fmt.Errorf("this machine's CPU does not have all that %s promises, and %w", p.Name, err)
	}
	return err == nil, err
}

func emulable(p platform.Platform, b platform.Baseline) error {
	if p.QEMU == "" {
		return fmt.Errorf("platform %q has no emulator", p.Name)
	}
	if b.QEMUCPU() == "" {
		return fmt.Errorf("platform %q cannot be emulated faithfully: %s", p.Name, b.QEMUReason())
	}
	return nil
}

// Emulated is the command of a program under QEMU. qemu is the directory of the emulators, sysroot may be empty for a
// static program.
func Emulated(p Program, qemu, sysroot string, pl platform.Platform, b platform.Baseline,
	args []string) ([]string, error) {
	if err := emulable(pl, b); err != nil {
		return nil, err
	}
	argv := []string{filepath.Join(qemu, pl.QEMU), "-cpu", b.QEMUCPU()}
	if sysroot != "" {
		argv = append(argv, "-L", sysroot)
	}
	if libraries := p.libraries(pl); p.Interp != "" && len(libraries) > 0 {
		if own := os.Getenv("LD_LIBRARY_PATH"); own != "" {
			libraries = append([]string{own}, libraries...)
		}
		argv = append(argv, "-E", "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	}
	return append(append(argv, p.Path), args...), nil
}
