package execute

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/cache"
	"xbuild/internal/disk"
	"xbuild/internal/lazyregexp"
)

// The result of an action that others need is laid out beside its build directory as if it were installed: include,
// lib with pkgconfig and cmake, bin. What did not change keeps its time, so that the build systems of those that need
// it see what did.

// A laid is a file of a prefix.
type laid struct {
	From string `json:"from"` // what it was made from: the file's stat, a link's target, or the digest of a text
	To   string `json:"to"`   // its own stat

	path string // what is copied
	link string // the target of a link
	text []byte // what is written

	kept string      // what it is made from, where path is that of a kept file
	mode fs.FileMode // its permissions then
}

// manifest is the file with what lies in an action's prefix.
func manifest(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "prefix.json") }

// prefix brings an action's prefix up to date.
func (r *runner) prefix(a *action.Action, st *state) error {
	files := map[string]laid{}
	outputs := st.Outputs
	if st.Taken != nil {
		outputs = slices.DeleteFunc(slices.Clone(st.Taken.Outputs), func(o output) bool { return o.Place == inDistAlone })
		for _, o := range st.Taken.Headers {
			files[filepath.ToSlash(o.Dist)] = laid{path: r.opt.Cache.Blob(o.Kept), kept: o.Stat, mode: o.Mode}
		}
	}
	for _, o := range outputs {
		mode := o.Mode
		if o.Place == "" { // it is in the build directory
			info, err := os.Lstat(o.Path)
			if err != nil {
				return err
			}
			mode = info.Mode()
		}
		for _, name := range installed(a, o, mode) {
			if _, there := files[name]; there {
				continue
			}
			switch {
			case strings.HasSuffix(name, ".la"): // libtool's names where the library would be installed
			case o.Link != "":
				files[name] = laid{link: o.Link}
			case o.Kept != "":
				files[name] = laid{path: r.opt.Cache.Blob(o.Kept), kept: o.Stat, mode: o.Mode}
			default:
				files[name] = laid{path: o.Path}
			}
		}
	}
	if a.Linked {
		if err := headers(a, files, st.Taken != nil); err != nil {
			return err
		}
		if err := described(a, files); err != nil {
			return err
		}
	}
	return layOut(a, files, r.opt.Cache)
}

// installed is where a prefix has an output: as it is installed, or where files of its kind go.
func installed(a *action.Action, o output, mode fs.FileMode) []string {
	name := filepath.ToSlash(o.Dist)
	for _, top := range []string{"usr/local/", "usr/"} {
		if rest, ok := strings.CutPrefix(name, top); ok {
			name = rest
			break
		}
	}
	first, rest, below := strings.Cut(name, "/")
	switch {
	case below && first == "lib64":
		return []string{"lib/" + rest}
	case below && slices.Contains([]string{"bin", "sbin", "lib", "libexec", "include", "share"}, first):
		return []string{name}
	}
	base := path.Base(name)
	switch ext := path.Ext(base); {
	case slices.Contains(headerSuffixes, ext):
		return []string{"include/" + base}
	case ext == ".pc":
		return []string{"lib/pkgconfig/" + base}
	case ext == ".cmake":
		return []string{"lib/cmake/" + a.Target + "/" + base}
	case ext == ".dll": // programs find it in bin, linkers in lib
		return []string{"bin/" + base, "lib/" + base}
	case ext == ".a", ext == ".lib", ext == ".so", strings.Contains(base, ".so."):
		return []string{"lib/" + base}
	case mode&0o111 != 0:
		return []string{"bin/" + base}
	}
	return []string{"share/" + a.Target + "/" + base}
}

var headerSuffixes = []string{".h", ".hh", ".hpp", ".hxx", ".h++", ".inc", ".inl", ".ipp", ".tpp", ".tcc"}

// headers adds the headers of an action's directories. What it installs itself wins. kept says that the result is a
// kept one.
func headers(a *action.Action, files map[string]laid, kept bool) error {
	for _, dir := range a.Headers {
		if kept && disk.Within(dir, filepath.Dir(a.State)) {
			continue // what is in the build directory is of another build
		}
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && file == dir:
				return nil // the usual place is not everywhere
			case err != nil:
				return err
			case d.IsDir():
				if file != dir && (slices.Contains(disk.VCS, d.Name()) || disk.IsCache(file) || file == a.DistDir) {
					return fs.SkipDir
				}
				return nil
			case !slices.Contains(headerSuffixes, path.Ext(d.Name())):
				return nil
			}
			name := "include/" + filepath.ToSlash(disk.Relative(dir, file))
			if _, there := files[name]; !there {
				files[name] = laid{path: file}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("headers: %w", err)
		}
	}
	return nil
}

// described adds what tells of the libraries: links by which linkers find those with a number in their names, and where
// the build installs none, files for pkg-config and CMake. Those that it installs are made to name the prefix.
func described(a *action.Action, files map[string]laid) error {
	for name := range files {
		dir, base := path.Split(name)
		if plain, _, ok := strings.Cut(base, ".so."); ok && dir == "lib/" && strings.HasPrefix(base, "lib") {
			if _, there := files["lib/"+plain+".so"]; !there {
				files["lib/"+plain+".so"] = laid{link: base}
			}
		}
	}
	pc, cmake := false, false
	for name, f := range files {
		pc = pc || strings.HasSuffix(name, ".pc")
		cmake = cmake || strings.HasPrefix(name, "lib/cmake/") || strings.HasPrefix(name, "share/cmake/")
		if !strings.HasSuffix(name, ".pc") || f.path == "" {
			continue
		}
		text, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		files[name] = laid{text: relocated(text, a.Spelled(), func(dir string) bool { return under(files, dir) })}
	}
	libs := libraries(files)
	if len(libs) == 0 {
		return nil
	}
	if !pc {
		files["lib/pkgconfig/"+a.Target+".pc"] = laid{text: pcFile(a, libs, static(files))}
	}
	if !cmake {
		files["lib/cmake/"+a.Target+"/"+a.Target+"Config.cmake"] = laid{text: cmakeFile(a, libs, static(files))}
	}
	return nil
}

// under tells whether a prefix has anything in a directory.
func under(files map[string]laid, dir string) bool {
	for name := range files {
		if strings.HasPrefix(name, strings.Trim(dir, "/")+"/") {
			return true
		}
	}
	return false
}

var (
	pcVariable = lazyregexp.New(`^([A-Za-z_.0-9]+\s*=\s*)/usr(?:/local)?(/\S*)?\s*$`)
	pcFlag     = lazyregexp.New(`(-[IL]\s*)/usr(?:/local)?(/[^\s"']*)`)
)

// relocated is the text of a pkg-config file for a library that was installed to /usr and lies in a prefix. A flag that
// names a directory which that does not have is one of the sysroot.
func relocated(text []byte, prefix string, has func(dir string) bool) []byte {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if m := pcVariable.FindStringSubmatch(line); m != nil {
			lines[i] = m[1] + prefix + m[2]
			continue
		}
		lines[i] = pcFlag.ReplaceAllStringFunc(line, func(flag string) string {
			m := pcFlag.FindStringSubmatch(flag)
			if !has(m[2]) {
				return flag
			}
			return m[1] + prefix + m[2]
		})
	}
	return []byte(strings.Join(lines, "\n"))
}

// libraries are the names of the libraries of a prefix, as -l takes them.
func libraries(files map[string]laid) []string {
	var out []string
	for name := range files {
		dir, base := path.Split(name)
		if dir != "lib/" {
			continue
		}
		for _, suffix := range []string{".dll.a", ".a", ".so", ".dll", ".lib"} {
			lib, ok := strings.CutSuffix(base, suffix)
			if !ok {
				continue
			}
			lib, named := strings.CutPrefix(lib, "lib")
			if named || suffix == ".dll" || suffix == ".lib" {
				out = append(out, lib)
			}
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// static tells whether a prefix has a static library.
func static(files map[string]laid) bool {
	for name := range files {
		if strings.HasPrefix(name, "lib/lib") && strings.HasSuffix(name, ".a") && !strings.HasSuffix(name, ".dll.a") {
			return true
		}
	}
	return false
}

func pcFile(a *action.Action, libs []string, static bool) []byte {
	flags := strings.Join(slices.Concat([]string{"-L${libdir}"}, dashed(libs), linkWith(a, static)), " ")
	return fmt.Appendf(nil, `prefix=%s
libdir=${prefix}/lib
includedir=${prefix}/include

Name: %s
Description: target %[2]s
Version: 0
Cflags: -I${includedir}
Libs: %[3]s
`, a.Spelled(), a.Target, flags)
}

// cmakeFile is a package of CMake with an imported target NAME::NAME (cmake-packages(7)).
func cmakeFile(a *action.Action, libs []string, static bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `get_filename_component(_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET %[1]s::%[1]s)
  add_library(%[1]s::%[1]s INTERFACE IMPORTED)
  set_target_properties(%[1]s::%[1]s PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_prefix}/include"
    INTERFACE_LINK_DIRECTORIES "${_prefix}/lib"
    INTERFACE_LINK_LIBRARIES "%[2]s")
endif()
`, a.Target, strings.Join(slices.Concat(dashed(libs), linkWith(a, static)), ";"))
	return b.Bytes()
}

func dashed(libs []string) []string {
	out := make([]string, len(libs))
	for i, l := range libs {
		out[i] = "-l" + l
	}
	return out
}

func linkWith(a *action.Action, static bool) []string {
	if !static {
		return nil
	}
	return a.LinkWith
}

// layOut writes what is not yet there as it should be, and removes what should not be there.
func layOut(a *action.Action, files map[string]laid, from *cache.Cache) error {
	have := map[string]laid{}
	if data, err := os.ReadFile(manifest(a)); err == nil {
		json.Unmarshal(data, &have) // of one that is broken nothing is known
	}
	changed := len(have) != len(files)
	next := map[string]laid{}
	for name, f := range files {
		to := filepath.Join(a.Prefix, filepath.FromSlash(name))
		switch {
		case f.link != "":
			f.From = "-> " + f.link
		case f.kept != "":
			f.From = f.kept
		case f.path != "":
			info, err := os.Stat(f.path)
			if err != nil {
				return err
			}
			f.From = disk.StatOf(info)
		default:
			sum := sha256.Sum256(f.text)
			f.From = hex.EncodeToString(sum[:])
		}
		if was, ok := have[name]; ok && was.From == f.From {
			if info, err := os.Lstat(to); err == nil && disk.StatOf(info) == was.To {
				next[name] = was
				continue
			}
		}
		changed = true
		if err := f.write(a, to, from); err != nil {
			return err
		}
		info, err := os.Lstat(to)
		if err != nil {
			return err
		}
		f.To = disk.StatOf(info)
		next[name] = f
	}
	for name := range have {
		if _, still := files[name]; still {
			continue
		}
		err := os.Remove(filepath.Join(a.Prefix, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if !changed {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return disk.Write(manifest(a), data)
}

// write puts one file into a prefix. Where the same is there already, it stays as it is.
func (f laid) write(a *action.Action, to string, from *cache.Cache) error {
	if f.link != "" {
		link := f.link
		if filepath.IsAbs(link) {
			link = filepath.Base(link)
		}
		return disk.PlaceLink(link, to)
	}
	text, mode := f.text, fs.FileMode(0o644)
	if f.kept != "" {
		var kept bytes.Buffer
		if err := from.Restore(filepath.Base(f.path), &kept); err != nil {
			return err
		}
		text = kept.Bytes()
	}
	if f.path != "" {
		var err error
		if text == nil {
			text, err = os.ReadFile(f.path)
		}
		if err != nil {
			return err
		}
		have := f.mode
		if f.kept == "" {
			info, err := os.Stat(f.path)
			if err != nil {
				return err
			}
			have = info.Mode()
		}
		mode |= have & 0o111
	}
	if info, err := os.Lstat(to); err == nil && info.Mode() == mode {
		if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, text) {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := disk.WriteBy(filepath.Dir(a.State), to, text); err != nil {
		return err
	}
	return os.Chmod(to, mode)
}

// needed is a digest of the names in the prefixes of an action's needs: with others it is built from nothing, because a
// build system remembers what it did not find.
func needed(a *action.Action) (string, error) {
	if len(a.Needs) == 0 {
		return "", nil
	}
	h := sha256.New()
	for _, n := range a.Needs {
		names, err := laidOut(n.Action)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %s %v\n%s\n", n.Target, n.OCI, n.Run, strings.Join(names, "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// laidOut are the names in an action's prefix.
func laidOut(a *action.Action) ([]string, error) {
	data, err := os.ReadFile(manifest(a))
	if err != nil {
		return nil, fmt.Errorf("what %s for %s made is not there: %w", a.Target, a.OCI, err)
	}
	files := map[string]laid{}
	if err := json.Unmarshal(data, &files); err != nil {
		return nil, fmt.Errorf("%s: %w", manifest(a), err)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// linkFile is a file of arguments for a link of an action: the libraries of its needs, where the recipe has no build
// system that names them. A shared library is found from where both lie in dist.
func linkFile(a *action.Action) error {
	var args []string
	seen := map[string]bool{}
	add := func(arg string) {
		if !seen[arg] {
			seen[arg] = true
			args = append(args, arg)
		}
	}
	var with []string
	for _, n := range a.Needs {
		if n.Run {
			continue
		}
		names, err := laidOut(n.Action)
		if err != nil {
			return err
		}
		files := map[string]laid{}
		for _, name := range names {
			files[name] = laid{}
		}
		for _, lib := range dashed(libraries(files)) {
			add(lib)
		}
		with = append(with, linkWith(n.Action, static(files))...)
		if a.Platform.OS == "windows" {
			continue
		}
		for _, lib := range sharedIn(n.Action) {
			add("-Wl,-rpath,$ORIGIN/" + filepath.ToSlash(disk.Relative(a.Dist, filepath.Dir(lib))))
		}
	}
	for _, arg := range with {
		add(arg)
	}
	if a.Platform.OS != "windows" {
		args = slices.Concat([]string{"-Wl,--as-needed"}, args, []string{"-Wl,--no-as-needed"})
	}
	return disk.Write(a.LinkFile, []byte(strings.Join(args, "\n")+"\n"))
}

// sharedIn are the paths in dist of the shared libraries that an action made.
func sharedIn(a *action.Action) []string {
	var out []string
	st := readState(a.State)
	if st == nil {
		return nil
	}
	for _, o := range st.made() {
		if base := filepath.Base(o.Dist); strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") {
			out = append(out, filepath.Join(a.Dist, o.Dist))
		}
	}
	return out
}

// library is a word of an error that may be the name of a shared library.
var library = lazyregexp.New(`[A-Za-z0-9_+.-]+(?:\.so(?:\.[0-9.]+)?|\.dll)\b`)

// siblings adds to results that failed the advice to name a target that makes the library which they lack.
func siblings(results []Result) {
	for i, r := range results {
		if r.Err == nil || r.Action == nil {
			continue
		}
		words := library.FindAllString(r.Err.Error(), -1)
		for _, other := range results {
			if other.Action == nil || other.Action.OCI != r.Action.OCI || other.Action.Target == r.Action.Target {
				continue
			}
			for _, art := range other.Artifacts {
				if base := path.Base(art.Path); slices.Contains(words, base) {
					results[i].Hints = append(results[i].Hints, fmt.Sprintf("target %[1]s makes %[2]s: "+
						"write needs = [%[1]q] in [target.%[3]s]", other.Action.Target, base, r.Action.Target))
				}
			}
		}
	}
}
