package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/inspect"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// Files in a tree of packages for the host: the paths in it of the programs that are found by those packages, and of
// all programs, those of what they depend on among them; one a line.
const (
	foundFile = "found"
	heldFile  = "held"
)

// NewHostPackages says what the tree of packages for the host will be, whose programs run while something is built:
// moc, glib-compile-resources. def is the sysroot that they belong to. What they depend on is in the tree, and only
// they themselves are found: a Python that one of them brings is no other build's.
func NewHostPackages(
	root string, def *catalog.Sysroot, host platform.Platform, locked lock.Sysroot,
) (Toolchain, error) {
	how := def.HostPackages
	t, err := NewToolchain(root, &catalog.Toolchain{
		Name: locked.Name, Drop: how.Drop, RPath: how.RPath, Relocate: how.Relocate,
	}, lock.Toolchain{
		Name: locked.Name, Version: locked.Suite, Host: host.Name, Archive: locked.Archive, Files: locked.Files,
	})
	t.roots, t.on = locked.Roots, how
	parts := append([]string{hostScript, fmt.Sprint(how.Path, how.Apart)}, t.roots...)
	name := t.Name + "-" + locked.Suite
	t.Key, t.ID = key(name, append(parts, t.Key)), key(name, append(parts, t.ID))
	t.Dir = treeDir(root, t.Key)
	return t, err
}

// WithHostPackages returns the sysroot with packages for the host that belong to it: where one of their programs lies
// in the sysroot, which CMake's files and pkg-config name, the host's is called.
func (s Sysroot) WithHostPackages(root string, t Toolchain, p platform.Platform) Sysroot {
	name := "sysroot-" + s.Arch + "-" + s.Suite
	s.onHost, s.multiarch = &t, p.Multiarch
	s.Key, s.id = key(name, []string{s.Key, t.Key, hostScript}), key(name, []string{s.anywhere(), t.ID, hostScript})
	s.Dir = treeDir(root, s.Key)
	return s
}

// WithHostPackages returns a host view whose build systems find packages that are of the host and not libraries of its
// sysroot: wayland-scanner, by Meson's dependency(native: true).
func (v View) WithHostPackages(root string, t Toolchain) View {
	v.beside = t.Key
	v.besideID = t.ID
	return v.keyed(root, "host-")
}

// HostPackages are those that belong to the sysroot, if any.
func (s Sysroot) HostPackages() []Toolchain {
	if s.onHost == nil {
		return nil
	}
	return []Toolchain{*s.onHost}
}

// Variables are those of builds that run programs of packages for the host.
func (t Toolchain) Variables() map[string]string {
	if t.on == nil {
		return nil
	}
	return t.on.Env
}

// unpack puts a toolchain's packages into its tree. It returns the programs of those packages for the host that are
// found by them.
func (t Toolchain) unpack(
	ctx context.Context, p *packages, dir string, opt archive.UnpackOptions,
) (programs []string, err error) {
	rest := t.files
	if len(t.roots) > 0 {
		var own []lock.File
		rest = slices.DeleteFunc(slices.Clone(rest), func(f lock.File) bool {
			if slices.Contains(t.roots, f.Name) {
				own = append(own, f)
				return true
			}
			return false
		})
		if err := p.unpack(ctx, dir, own, opt); err != nil {
			return nil, err
		}
		if programs, err = programsIn(dir); err != nil {
			return nil, err
		}
	}
	return programs, p.unpack(ctx, dir, rest, opt)
}

// programsIn are the programs in a tree, by their paths in it: what can be run and is no library. What a link leads to
// may be of a package that is not there yet. Those that say where libraries are (xml2-config) are of no use: the
// platform's own say it.
func programsIn(dir string) ([]string, error) {
	out := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == "usr/share" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(d.Name(), "config") {
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if !strings.Contains(d.Name(), ".so") && strings.Contains(filepath.Dir(rel), "bin") {
				out = append(out, rel)
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || strings.Contains(d.Name(), ".so") {
			return err
		}
		runs, err := startable(path)
		if runs {
			out = append(out, rel)
		}
		return err
	})
	return out, err
}

// startable tells a program from data that can be run by its mode alone.
func startable(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 4)
	n, _ := f.Read(head)
	return n > 2 && string(head[:2]) == "#!" || n == 4 && bytes.Equal(head, []byte("\x7fELF")), nil
}

// writeFound notes the programs of packages for the host, and puts those that belong on PATH into the directory
// programs of their tree, which lies at dir and will lie at final. A link to a script does not do: a script finds what
// is beside it by the name that it is called by.
func (t Toolchain) writeFound(dir, final string, programs []string) error {
	if t.on == nil {
		return nil
	}
	held, err := programsIn(dir)
	if err != nil {
		return err
	}
	there := func(path string) bool { // a link may lead to what is left out
		info, err := os.Stat(filepath.Join(dir, path))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	for name, list := range map[string]*[]string{foundFile: &programs, heldFile: &held} {
		*list = slices.DeleteFunc(*list, func(path string) bool { return !there(path) })
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(*list, "\n")), 0o644); err != nil {
			return err
		}
	}
	var path []string // of PATH, in its order
	for _, at := range t.on.Path {
		for _, program := range programs {
			if filepath.Dir(program) == at {
				path = append(path, program)
			}
		}
	}
	for _, path := range path {
		name := filepath.Base(path)
		if slices.ContainsFunc(t.on.Apart, func(glob string) bool { return doublestar.MatchUnvalidated(glob, name) }) {
			continue
		}
		link := filepath.Join(dir, "programs", name)
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if inspect.Script(filepath.Join(dir, path)) {
			err = os.WriteFile(link, fmt.Appendf(nil, hostScript, filepath.Join(final, path)), 0o755)
		} else {
			err = os.Symlink(filepath.Join("..", path), link)
		}
		if err != nil {
			return err
		}
	}
	return writePkgConfig(dir, final)
}

// nativeFiles is the directory in a tree of packages for the host of pkg-config's files for a host view.
const nativeFiles = "pkgconfig"

// usrVariable begins a variable of a .pc file that names a place below /usr.
var usrVariable = lazyregexp.New(`(?m)^([A-Za-z0-9_.]+[ \t]*=[ \t]*)/usr\b`)

// writePkgConfig writes pkg-config's files of a tree of packages for the host, which will lie at final, as a host view
// reads them: pkg-config puts the sysroot before each place, and the tree lies beside that.
func writePkgConfig(dir, final string) error {
	if err := os.Mkdir(filepath.Join(dir, nativeFiles), 0o755); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "usr/share/pkgconfig/*.pc"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = usrVariable.ReplaceAll(text, []byte("${1}/../"+filepath.Base(final)+"/usr"))
		if err := os.WriteFile(filepath.Join(dir, nativeFiles, filepath.Base(file)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// hostScript stands in a sysroot for a program of the host. It is no link: a program that looks beside itself would
// look into the sysroot.
const hostScript = "#!/bin/sh\nexec '%s' \"$@\"\n"

// callHost puts scripts into the places of those programs of the sysroot at dir that are the host's. The platform's
// own, which may be there, are of no use here; those of libraries are there, or are not called.
func (s Sysroot) callHost(dir string) error {
	if s.onHost == nil {
		return nil
	}
	named := map[string]string{} // paths of what is found
	for _, list := range []string{foundFile, heldFile} {
		text, err := os.ReadFile(filepath.Join(s.onHost.Dir, list))
		if err != nil {
			return err
		}
		for path := range strings.Lines(string(text)) {
			path = strings.TrimSpace(path)
			if list == foundFile {
				named[filepath.Base(path)] = path
			}
			place := filepath.Join(dir, s.placeOf(path))
			// It may be a link, or one of several names of a file: nothing is written through it.
			err := os.Remove(place)
			if errors.Is(err, fs.ErrNotExist) && list == heldFile {
				continue
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
				return err
			}
			if err := s.call(place, path); err != nil {
				return err
			}
		}
	}
	// Debian's Qt 5 has its qmake behind a link to a script of the platform's, which is not in a sysroot.
	return filepath.WalkDir(filepath.Join(dir, "usr/lib"), func(place string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.Type()&fs.ModeSymlink == 0 || filepath.Base(filepath.Dir(place)) != "bin" {
			return err
		}
		path := named[d.Name()]
		if _, err := os.Stat(place); err == nil || path == "" {
			return nil
		}
		if err := os.Remove(place); err != nil {
			return err
		}
		return s.call(place, path)
	})
}

// call puts a script into a place that calls a program of the tree for the host.
func (s Sysroot) call(place, program string) error {
	return os.WriteFile(place, fmt.Appendf(nil, hostScript, filepath.Join(s.onHost.Dir, program)), 0o755)
}

// placeOf is where a sysroot has what a tree of the host has at a path.
func (s Sysroot) placeOf(path string) string {
	return strings.Replace(path, "usr/lib/"+s.onHost.host.Multiarch+"/", "usr/lib/"+s.multiarch+"/", 1)
}
