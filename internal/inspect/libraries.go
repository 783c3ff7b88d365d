package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// has reports whether the sysroot has a file.
func (l Limits) has(path string) bool {
	if l.Sysroot == "" {
		return false
	}
	info, err := os.Stat(filepath.Join(l.Sysroot, path))
	return err == nil && info.Mode().IsRegular()
}

// find is where the sysroot has a library: in the directories where the platform's loader looks, and in those that the
// file names. "" where it is nowhere.
func (l Limits) find(name string, p platform.Platform, more []string) string {
	if strings.Contains(name, "/") {
		if l.has(name) {
			return filepath.Join(l.Sysroot, name)
		}
		return ""
	}
	dirs := []string{"usr/lib/" + p.Multiarch, "lib/" + p.Multiarch, "usr/lib", "lib", "usr/lib64", "lib64"}
	for _, dir := range more {
		if strings.HasPrefix(dir, "/") {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		if file := filepath.Join(dir, name); l.has(file) {
			return filepath.Join(l.Sysroot, file)
		}
	}
	return ""
}

// libraries sees that the sysroot has every library that the file needs, with every version of symbols. What the
// project itself ships is not looked into.
func libraries(r *Report, p platform.Platform, l Limits) []Fault {
	if l.Sysroot == "" || r.Kind == Relocatable || len(loader(r, p, l)) > 0 {
		return nil // of a file for another loader, the libraries are others too
	}
	var out []Fault
	found := map[string]string{}
	for _, name := range r.Needed {
		found[name] = l.find(name, p, slices.Concat(r.RPath, r.RunPath))
		if found[name] == "" && !slices.Contains(l.Beside, filepath.Base(name)) {
			out = append(out, r.fault("needs %s, which is neither among the artifacts nor in the sysroot of %s: "+
				"name the package that has it in packages of [sysroot], add it to outputs, "+
				"name the target that makes it in needs, or write external = [%q] in the target where the machine that it runs on has it", name, p.Name, name)...)
		}
	}
	for _, need := range r.Versions {
		path := found[need.Library]
		if path == "" || slices.Contains(l.Beside, need.Library) {
			continue
		}
		defined, err := definedVersions(path)
		if err != nil {
			out = append(out, r.fault("needs %s, and %v", need.Library, err)...)
			continue
		}
		var missing []string
		for _, v := range need.Versions {
			if f, _, ok := family(v); ok && f == "GLIBC" && l.Glibc != "" {
				continue // the floor decides, which can be newer than the sysroot
			}
			if !slices.Contains(defined, v) {
				missing = append(missing, v)
			}
		}
		if len(missing) > 0 {
			out = append(out, r.fault("needs %s of %s, which the sysroot of %s does not have: it, or a library in it, was linked against a newer one; link it with $CC, or choose a newer suite in [platform.%q]", strings.Join(missing, ", "), need.Library, p.Name, p.Name)...)
		}
	}
	return out
}

// definedVersions are the versions of symbols that a library has.
func definedVersions(path string) ([]string, error) {
	s, f, err := object.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	e, err := object.OpenELF(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d, err := e.ReadDynamic()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d.Defined, nil
}
