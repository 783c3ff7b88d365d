package emulate

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"debug/elf"

	"xbuild/internal/hint"
	"xbuild/internal/platform"
)

// binfmtPrefix begins the name of every entry that xbuild makes; it touches no other.
const binfmtPrefix = "xbuild-"

// mountSource is what binfmt_misc is mounted from where xbuild mounted it, so that it knows later whether unmounting is
// its business.
const mountSource = "xbuild"

// A Registration is an entry of the kernel's binfmt_misc: which files are handed to which interpreter.
type Registration struct {
	Name        string `json:"name"`
	Enabled     bool   `json:"enabled"`
	Interpreter string `json:"interpreter"`
	Flags       string `json:"flags"`
	offset      int
	magic, mask []byte
}

// An Emulator is one QEMU program with the platforms that it serves, and what binfmt_misc does with their programs. The
// kernel sees machine, class and byte order alone, so that all variants of a platform, and the three ARMs, share an
// entry.
type Emulator struct {
	QEMU      string         `json:"emulator"`
	Platforms []string       `json:"platforms"`
	Native    bool           `json:"native"`           // the kernel runs these programs itself
	Own       *Registration  `json:"own,omitempty"`    // xbuild's
	Others    []Registration `json:"others,omitempty"` // of other programs
	platform  platform.Platform
}

// Emulators are the emulators of some platforms, each once, as a host sees them.
func Emulators(host platform.Platform, ps []platform.Platform) []Emulator {
	var out []Emulator
	for _, p := range ps {
		if p.QEMU == "" {
			continue
		}
		i := slices.IndexFunc(out, func(e Emulator) bool { return e.QEMU == p.QEMU })
		if i < 0 {
			i = len(out)
			out = append(out, Emulator{QEMU: p.QEMU, Native: host.KernelRuns(p), platform: p})
		}
		out[i].Platforms = append(out[i].Platforms, p.Name)
	}
	return out
}

// Entry is the name of the emulator's registration.
func (e Emulator) Entry() string { return binfmtPrefix + e.QEMU }

// For names the platforms, in short where there are many.
func (e Emulator) For() string {
	if len(e.Platforms) > 4 {
		return fmt.Sprintf("%s and its %d variants", e.Platforms[0], len(e.Platforms)-1)
	}
	return strings.Join(e.Platforms, ", ")
}

// magic are the first bytes of the platform's programs and a mask of those that count: ELF's identification, e_type and
// e_machine.
func magic(p platform.Platform) (magic, mask []byte) {
	order := binary.ByteOrder(binary.LittleEndian)
	if p.BigEndian() {
		order = binary.BigEndian
	}
	magic, mask = make([]byte, 20), bytes.Repeat([]byte{0xff}, 20)
	copy(magic, elf.ELFMAG)
	magic[elf.EI_CLASS], magic[elf.EI_DATA], magic[elf.EI_VERSION] = byte(p.Class), byte(p.Data), byte(elf.EV_CURRENT)
	mask[elf.EI_OSABI] = 0      // static programs with ifuncs have GNU's
	mask[elf.EI_ABIVERSION] = 0 // mips64le programs that are not position independent have 1
	order.PutUint16(magic[16:], uint16(elf.ET_EXEC))
	order.PutUint16(mask[16:], 0xfffe) // and ET_DYN, a position-independent program
	order.PutUint16(magic[18:], uint16(p.Machine))
	return magic, mask
}

// registerLine is what the kernel reads to make an entry (Documentation/admin-guide/binfmt-misc.rst). The separator is
// a byte that the path does not have.
func registerLine(name string, p platform.Platform, interpreter, flags string) (string, error) {
	i := strings.IndexFunc(":;,|!%#~", func(r rune) bool { return !strings.ContainsRune(interpreter, r) })
	if i < 0 || strings.ContainsAny(interpreter, "\n\x00") {
		return "", fmt.Errorf("%q cannot be registered: binfmt_misc has no way to write such a path", interpreter)
	}
	escape := func(b []byte) string {
		var s strings.Builder
		for _, c := range b {
			fmt.Fprintf(&s, `\x%02x`, c)
		}
		return s.String()
	}
	m, k := magic(p)
	return strings.Join([]string{"", name, "M", "", escape(m), escape(k), interpreter, flags}, string(":;,|!%#~"[i])), nil
}

// flags are those of an entry. F: the kernel opens the emulator now, so that a container needs no file of it. C, which
// brings O: a set-user-ID program keeps its rights under emulation, as in a container's sudo. P: a program sees the
// name that it was called by; QEMU learns of that flag from kernel 5.12 on (AT_FLAGS), and would take the name for an
// argument on an earlier one.
func flags(kernel string) string {
	var major, minor int
	if n, _ := fmt.Sscanf(kernel, "%d.%d", &major, &minor); n == 2 && (major > 5 || major == 5 && minor >= 12) {
		return "POCF"
	}
	return "OCF"
}

// parseRegistration reads an entry as the kernel prints it.
func parseRegistration(name string, data []byte) (Registration, error) {
	r := Registration{Name: name}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		var err error
		switch key {
		case "enabled", "disabled":
			r.Enabled = key == "enabled"
		case "interpreter":
			r.Interpreter = value
		case "flags:":
			r.Flags = value
		case "offset":
			_, err = fmt.Sscanf(value, "%d", &r.offset)
		case "magic":
			r.magic, err = hex.DecodeString(value)
		case "mask":
			r.mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return r, fmt.Errorf("binfmt_misc entry %s: %q: %w", name, line, err)
		}
	}
	return r, nil
}

// handles reports whether an entry takes the platform's programs.
func (r Registration) handles(p platform.Platform) bool {
	head, _ := magic(p)
	if r.magic == nil || r.offset < 0 || r.offset+len(r.magic) > len(head) {
		// by file name extension, or by more than machine and kind
		return false
	}
	for i, b := range r.magic {
		mask := byte(0xff)
		if i < len(r.mask) {
			mask = r.mask[i]
		}
		if (head[r.offset+i]^b)&mask != 0 {
			return false
		}
	}
	return true
}

// A Binfmt is a mounted binfmt_misc.
type Binfmt struct{ dir string }

// binfmtDir is where the world mounts it.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// ErrNoBinfmt says that binfmt_misc is not mounted.
var ErrNoBinfmt = errors.New("binfmt_misc is not mounted at " + binfmtDir)

// OpenBinfmt finds the mounted binfmt_misc.
func OpenBinfmt() (Binfmt, error) {
	// Opening a file makes an automounter mount it.
	f, err := os.Open(filepath.Join(binfmtDir, "status"))
	if errors.Is(err, os.ErrNotExist) {
		return Binfmt{}, ErrNoBinfmt
	}
	if err != nil {
		return Binfmt{}, err
	}
	return Binfmt{binfmtDir}, f.Close()
}

// MountBinfmt mounts binfmt_misc where it is not, and says whether it did.
func MountBinfmt() (b Binfmt, mounted bool, err error) {
	b, err = OpenBinfmt()
	if !errors.Is(err, ErrNoBinfmt) {
		return b, false, err
	}
	switch err := mountBinfmt(mountSource, binfmtDir); {
	case errors.Is(err, syscall.ENODEV):
		return b, false, fmt.Errorf("this kernel has no binfmt_misc (CONFIG_BINFMT_MISC, module binfmt_misc): programs of other machines can be run by \"xbuild run\" alone")
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOENT):
		return b, false, fmt.Errorf("mount binfmt_misc at %s: %w: inside a container this takes --privileged; register on the machine itself instead", binfmtDir, err)
	case err != nil:
		return b, false, fmt.Errorf("mount binfmt_misc at %s: %w", binfmtDir, err)
	}
	b, err = OpenBinfmt()
	return b, true, err
}

// entries are all registrations, by name.
func (b Binfmt) entries() ([]Registration, error) {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	var out []Registration
	for _, f := range files {
		if f.Name() == "register" || f.Name() == "status" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(b.dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		r, err := parseRegistration(f.Name(), data)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Status fills in what is registered for each emulator.
func (b Binfmt) Status(list []Emulator) error {
	all, err := b.entries()
	if err != nil {
		return err
	}
	for i := range list {
		e := &list[i]
		e.Own, e.Others = nil, nil
		for _, r := range all {
			switch {
			case r.Name == e.Entry():
				e.Own = &r
			case r.handles(e.platform) && r.Enabled:
				e.Others = append(e.Others, r)
			}
		}
	}
	return nil
}

// Enabled says whether the kernel looks at its entries at all.
func (b Binfmt) Enabled() (bool, error) {
	data, err := os.ReadFile(filepath.Join(b.dir, "status"))
	return strings.TrimSpace(string(data)) == "enabled", err
}

// Install registers an emulator of the directory dir and says whether anything changed: the same registration twice is
// one.
func (b Binfmt) Install(e Emulator, dir string) (changed bool, err error) {
	if e.Native {
		return false, fmt.Errorf("the kernel runs programs of %s itself: an emulator would take them away from it",
			e.Platforms[0])
	}
	file, err := filepath.EvalSymlinks(filepath.Join(dir, e.QEMU))
	if err != nil {
		return false, err
	}
	program, err := Open(file)
	if err != nil {
		return false, err
	}
	if program.Interp != "" {
		return false, fmt.Errorf("%s is not static: a container has not its loader %s", file, program.Interp)
	}
	if err := roots(file); err != nil {
		return false, err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return false, err
	}
	want := Registration{Name: e.Entry(), Enabled: true, Interpreter: file, Flags: flags(string(kernel))}
	want.magic, want.mask = magic(e.platform)
	list := []Emulator{e}
	if err := b.Status(list); err != nil {
		return false, err
	}
	if own := list[0].Own; own != nil {
		if own.same(want) {
			return false, nil
		}
		if err := b.unregister(own.Name); err != nil {
			return false, err
		}
	}
	line, err := registerLine(want.Name, e.platform, file, want.Flags)
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "register"), []byte(line), 0o200); err != nil {
		return false, fmt.Errorf("register %s: %w", file, err)
	}
	return true, nil
}

func (r Registration) same(o Registration) bool {
	return r.Enabled == o.Enabled && r.Interpreter == o.Interpreter && r.Flags == o.Flags && r.offset == o.offset &&
		bytes.Equal(r.magic, o.magic) && bytes.Equal(r.mask, o.mask)
}

// roots sees that nobody but root can change a program that every user's programs, root's among them, will be started
// with.
func roots(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && (st.Uid != 0 || info.Mode().Perm()&0o022 != 0) {
		return hint.Add(fmt.Errorf("%s can be changed by users other than root, whose programs it would run too", file),
			"give root a store of its own: xbuild --store /var/cache/xbuild binfmt install")
	}
	return nil
}

// Remove takes xbuild's own registrations of the emulators away, and returns their names. Where nothing at all is
// registered any more and xbuild mounted binfmt_misc, it is unmounted.
func (b Binfmt) Remove(list []Emulator) (removed []string, unmounted bool, err error) {
	all, err := b.entries()
	if err != nil {
		return nil, false, err
	}
	left := len(all)
	for _, r := range all {
		if !slices.ContainsFunc(list, func(e Emulator) bool { return e.Entry() == r.Name }) {
			continue
		}
		if err := b.unregister(r.Name); err != nil {
			return removed, false, err
		}
		removed, left = append(removed, r.Name), left-1
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || left > 0 || !mountedBy(string(mounts), b.dir, mountSource) {
		return removed, false, err
	}
	err = unmountBinfmt(b.dir)
	return removed, err == nil, err
}

// mountedBy reports whether the mount at a directory, the last of several, has a source (proc(5), mountinfo).
func mountedBy(mountinfo, dir, source string) bool {
	found := false
	for line := range strings.Lines(mountinfo) {
		head, tail, _ := strings.Cut(line, " - ")
		at, from := strings.Fields(head), strings.Fields(tail)
		if len(at) > 4 && at[4] == dir {
			found = len(from) > 1 && from[0] == "binfmt_misc" && from[1] == source
		}
	}
	return found
}

func (b Binfmt) unregister(name string) error {
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte("-1"), 0o200); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
