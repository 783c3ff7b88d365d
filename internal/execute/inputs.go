package execute

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/lock"
	"xbuild/internal/project"
	"xbuild/internal/trace"
)

// What an action read is its input: nobody has to name it. Each file that its commands looked for is remembered with
// what it was, and with the programs that looked: a file that was not there and is there now is a change like another.
//
// The programs tell what a build system does not know. It runs again in the directory of its last run, and makes again
// what it knows to be out of date. A program that read what has changed since, and that was not run again, is one that
// the build system has no reason to run: a header that its Makefile does not name, a script that a configure step
// called. Then the directory is deleted and all is built anew.

// A read is a path that an action's commands looked for.
type read struct {
	Path string `json:"path"` // a directory with a slash behind it is its names
	// Size, times and mode; "" where these do not tell it from a change at the same moment.
	Stat string `json:"stat,omitempty"`
	Sum  string `json:"sum"` // what it was
	By   []int  `json:"by"`  // who read it, as places in state.Readers

	// Build systems that asked no more than whether it is there, as CMake does of each source: its content is nothing
	// to them.
	Looked []int `json:"looked,omitempty"`
}

// changing is the sum of a file that was changed while the action ran: what was read of it nobody knows.
const changing = "changed while it was read"

// settled is how long a file has to be unchanged for its time to tell it from another version: file systems count it in
// steps (two seconds at the most, on FAT).
const settled = 2 * time.Second

// inputs knows what files are. What it found out once holds for the whole run of xbuild, but for what commands may have
// changed.
type inputs struct {
	build string   // the project's build directory, links resolved
	skip  []string // absolute directories that are never inputs

	project, self string // the project's directory, and xbuild's own name among those who read
	// Absolute paths below which nothing is an input: the store, the kernel's, caches of tools that check what they
	// hold.
	ignore []string
	mu     sync.Mutex
	now    map[string]seen
	sums   map[string]string // by path and stat
	reals  map[string]string // programs of the host, behind links
}

type seen struct{ stat, sum string }

// machine are paths that say something of this machine and its moment, and nothing of a project.
var machine = []string{
	"/proc", "/sys", "/dev", "/run", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/passwd", "/etc/group",
	"/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf",
	"/etc/resolv.conf", "/etc/gai.conf", "/etc/localtime", "/etc/mtab",
	"/etc/services", "/etc/protocols", "/etc/hostname", "/etc/machine-id",
	// clang asks which distribution it is on, and uses nothing of it here.
	"/etc/os-release", "/usr/lib/os-release", "/etc/lsb-release", "/etc/debian_version", "/etc/redhat-release",
	"/etc/SuSE-release", "/etc/gentoo-release",
}

// caches are what tools keep below the home directory: they check what they read there by what a project locks.
var caches = []string{
	".cache", ".npm", ".node-gyp",
	".cargo/registry", ".cargo/git", ".cargo/.package-cache", ".cargo/.package-cache-mutate", ".cargo/.global-cache",
	"go/pkg", ".config/go/telemetry",
}

func newInputs(opt Options) *inputs {
	in := &inputs{build: real(opt.Build), now: map[string]seen{}, sums: map[string]string{}, reals: map[string]string{}}
	in.skip = append([]string{opt.Build, opt.Dist}, opt.Skip...)
	top := cmp.Or(opt.Project, opt.Build)
	in.project, in.self = top, filepath.Base(opt.XBuild)
	add := func(path string) {
		if path == "" || path == "/" || disk.Within(top, path) || disk.Within(real(top), path) {
			return // a project may lie in a cache
		}
		in.ignore = append(in.ignore, path)
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			in.ignore = append(in.ignore, real)
		}
	}
	for _, p := range machine {
		add(p)
	}
	if tmp := opt.Environ.Lookup("TMPDIR"); strings.HasPrefix(filepath.Base(tmp), temporaryPrefix) {
		in.ignore = append(in.ignore, tmp, real(tmp))
	}
	add(opt.Store)
	// A project that cannot be written is built in the store.
	for _, name := range []string{"files", "trees", "locks", "tmp", "cache"} {
		add(filepath.Join(opt.Store, name))
	}
	add(opt.XBuild)
	for _, name := range []string{"XDG_CACHE_HOME", "GOCACHE", "GOMODCACHE", "npm_config_cache", "NPM_CONFIG_CACHE"} {
		add(opt.Environ.Lookup(name))
	}
	if home := opt.Environ.Lookup("HOME"); home != "" {
		for _, c := range caches {
			add(filepath.Join(home, c))
		}
	}
	if home := opt.Environ.Lookup("CARGO_HOME"); home != "" {
		for _, c := range caches {
			if sub, ok := strings.CutPrefix(c, ".cargo/"); ok {
				add(filepath.Join(home, sub))
			}
		}
	}
	for _, d := range in.skip {
		if real, err := filepath.EvalSymlinks(d); err == nil && real != d {
			in.skip = append(in.skip, real)
		}
	}
	return in
}

// skips tells directories of a source that hold no inputs.
func (in *inputs) skips(path, rel, name string, globs []string) bool {
	return slices.Contains(in.skip, path) || slices.Contains(disk.VCS, name) ||
		disk.IsCache(path) || disk.Matches(globs, rel)
}

// leftOut tells files that a recipe leaves out of the copy of a source.
func leftOut(a *action.Action, path string) bool {
	return len(a.Skip) > 0 && disk.Matches(a.Skip, disk.Relative(a.Source, path))
}

// record makes the record of one run of an action. Of what lies in the project's build directory the copy of a source
// alone counts, for the source that it is of, and links that lead out of it.
func (in *inputs) record(a *action.Action) *trace.Record {
	top := real(a.Top)
	return &trace.Record{
		Ignore: func(path string) bool {
			if disk.Within(path, a.Top) || disk.Within(path, top) {
				return false
			}
			if strings.Contains(path, "/..") {
				path = filepath.Clean(path) // it may lead out of what is ignored, as what pkg-config says of a need does
			}
			for _, p := range in.ignore {
				if disk.Within(path, p) {
					return true
				}
			}
			return disk.Within(path, a.Stage)
		},
		Reader:    func(argv []string, dir string) string { return readerIn(a, argv, dir) },
		Forgetful: slices.Sorted(maps.Keys(a.Forgetful)),
	}
}

// readerIn names a program by its arguments and where it runs, below the build directory or elsewhere: recursive makes
// call the same compiler for files of the same names. A build system is the same one everywhere.
func readerIn(a *action.Action, argv []string, dir string) string {
	name := reader(a.Readers, argv)
	if dir == "" || driver(a, name) || dir == a.Build || dir == real(a.Build) {
		return name
	}
	return name + " in " + disk.Relative(real(a.Build), dir)
}

// reader names a program by its arguments. Programs that a recipe lists are named by the values of some options alone,
// because the others change from run to run: by none, where it is the build system itself, which is always run. Names
// of temporary files are left out.
func reader(known map[string][]string, argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	name := filepath.Base(argv[0])
	for i, arg := range argv { // python3 /…/meson, sh ./configure
		base := filepath.Base(arg)
		if i > 0 && (strings.HasPrefix(arg, "-") || i > 1) {
			break
		}
		options, ok := optionsOf(known, base)
		if !ok {
			continue
		}
		whole := func(o string) bool { return strings.HasPrefix(o, "!") && slices.Contains(argv, o[1:]) }
		if slices.ContainsFunc(options, whole) {
			break
		}
		id, passing := []string{base}, false // what it makes is a temporary file: that tells nothing
		for j := i + 1; j < len(argv); j++ {
			for _, o := range options {
				switch {
				case argv[j] == o && j+1 < len(argv):
					id = append(id, o, argv[j+1])
					passing = passing || temporary(argv[j+1]) != argv[j+1]
				case strings.HasPrefix(argv[j], o+"="):
					id = append(id, argv[j])
				}
			}
		}
		if passing {
			break
		}
		if len(options) == 0 || len(id) > 1 || slices.Contains(options, "") {
			return strings.Join(id, " ")
		}
	}
	h := sha256.New()
	for _, arg := range argv {
		fmt.Fprintf(h, "%s\x00", temporary(arg))
	}
	return name + " " + hex.EncodeToString(h.Sum(nil)[:8])
}

// optionsOf are the options by which a recipe tells the runs of a program apart.
func optionsOf(known map[string][]string, name string) ([]string, bool) {
	if o, ok := known[name]; ok {
		return o, true
	}
	for n, o := range known {
		if strings.HasSuffix(name, "-"+n) { // aarch64-linux-gnu-clang
			return o, true
		}
	}
	return nil, false
}

// temporary takes a temporary file's name out of an argument.
func temporary(arg string) string {
	tmp := cmp.Or(os.Getenv("TMPDIR"), os.TempDir())
	before, after, ok := strings.Cut(arg, tmp+"/")
	if !ok || before != "" && !strings.HasSuffix(before, "=") {
		return arg
	}
	first, rest, _ := strings.Cut(after, "/")
	if strings.HasPrefix(first, temporaryPrefix) { // of this run: the command's own name is below
		_, rest, _ = strings.Cut(rest, "/")
	}
	return before + tmp + "/*/" + rest
}

// look says what a path is now. The first answer of a run holds where nothing is known to have changed it.
func (in *inputs) look(a *action.Action, path string) seen {
	key := path
	if strings.HasSuffix(path, "/") {
		key += "\x00" + strings.Join(a.Skip, "\x00")
	}
	in.mu.Lock()
	s, ok := in.now[key]
	in.mu.Unlock()
	if !ok {
		s = in.stat(a, path)
		in.mu.Lock()
		in.now[key] = s
		in.mu.Unlock()
	}
	return s
}

// stat says what a path is by what needs no reading; the sum is there where that is all there is to know.
func (in *inputs) stat(a *action.Action, path string) seen {
	path, list := strings.CutSuffix(path, "/")
	link := ""
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		if err != nil {
			return seen{"-", "-"}
		}
		link = "-> " + to + " "
		if info, err = os.Stat(path); err != nil {
			return seen{link + "-", link + "-"}
		}
	}
	switch {
	case err != nil:
		return seen{"-", "-"}
	case info.IsDir() && list:
		names := link + in.names(a, path)
		return seen{names, names}
	case info.IsDir():
		return seen{link + "dir", link + "dir"}
	case !info.Mode().IsRegular():
		mode := link + info.Mode().String()
		return seen{mode, mode}
	}
	return seen{link + disk.VersionOf(info), ""}
}

// names is a digest of the names in a directory, but for those that are no inputs.
func (in *inputs) names(a *action.Action, dir string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "-"
	}
	h := sha256.New()
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if e.Name() == lock.FileName || slices.Contains(in.skip, path) {
			continue
		}
		if leftOut(a, path) {
			continue
		}
		fmt.Fprintf(h, "%s %v\n", e.Name(), e.Type())
	}
	return "names " + hex.EncodeToString(h.Sum(nil)[:16])
}

// content says what a path is, its content read where that is needed.
func (in *inputs) content(a *action.Action, path string, s seen) string {
	if s.sum != "" {
		return s.sum
	}
	key := path + "\x00" + s.stat
	in.mu.Lock()
	sum, ok := in.sums[key]
	in.mu.Unlock()
	if ok {
		return sum
	}
	sum = digest(path)
	in.mu.Lock()
	in.sums[key] = sum
	in.mu.Unlock()
	return sum
}

// digest is the SHA-256 of a file, with whether it may be run and where it is a link to.
func digest(path string) string {
	link := ""
	if to, err := os.Readlink(path); err == nil {
		link = "-> " + to + " "
	}
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return link + "-"
		}
		return link + "unreadable"
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return link + "unreadable"
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return link + "unreadable"
	}
	return fmt.Sprintf("%s%o %x", link, info.Mode().Perm()&0o111, h.Sum(nil))
}

// declared is a digest of the files that the target's inputs name.
func (in *inputs) declared(a *action.Action) (string, error) {
	if len(a.Inputs) == 0 {
		return "", nil
	}
	h := sha256.New()
	for _, g := range a.Inputs {
		base, pattern := doublestar.SplitPattern(filepath.ToSlash(g))
		found, err := doublestar.Glob(os.DirFS(base), pattern, doublestar.WithFilesOnly())
		if err != nil {
			return "", fmt.Errorf("inputs: %q: %w", g, err)
		}
		slices.Sort(found)
		for _, f := range found {
			path := filepath.Join(base, f)
			fmt.Fprintf(h, "%s %s\n", f, in.content(a, path, in.look(a, path)))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// changed are the paths that are not any more what the action read: true are those that came, went, or became a file
// of another kind. What is the same by content alone gets its new time, and touched says so.
func (in *inputs) changed(a *action.Action, st *state) map[string]bool {
	out, touched := in.changedOf(a, st.Reads, st.Programs)
	st.touched = st.touched || touched
	return out
}

func (in *inputs) changedOf(
	a *action.Action, reads []read, programs map[string]string,
) (out map[string]bool, touched bool) {
	out = map[string]bool{}
	for i := range reads {
		r := &reads[i]
		if disk.Within(r.Path, a.Top) {
			continue // the build made it
		}
		s := in.look(a, r.Path)
		if r.Stat != "" && s.stat == r.Stat {
			continue
		}
		if sum := in.content(a, r.Path, s); sum != r.Sum {
			kind := kindOf(sum) != kindOf(r.Sum)
			if kind || len(r.By) > 0 {
				out[r.Path] = kind
				continue
			}
			r.Sum, touched = sum, true // nobody read what is in it
		}
		if r.Stat != s.stat && settledAt(r.Path) {
			r.Stat, touched = s.stat, true
		}
	}
	for name, was := range programs {
		if in.program(a, name) != was { // what was run is as it was, and would not be run any more
			out[was] = true
		}
	}
	return out, touched
}

// program is the file behind a name among the host's programs that an action sees, behind all links; "" where it sees
// none by that name.
func (in *inputs) program(a *action.Action, name string) string {
	file := a.Seen[name]
	if file == "" {
		return ""
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, known := in.reals[file]; !known {
		in.reals[file] = real(file)
	}
	return in.reals[file]
}

// kindOf is what a sum says of a file beside its content: whether it is there, a directory, a link and to where.
func kindOf(sum string) string {
	if i := strings.LastIndexByte(sum, ' '); i >= 0 {
		return sum[:i]
	}
	return sum
}

// settledAt tells whether a file is old enough for its time to tell it from a later version.
func settledAt(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.IsDir() || time.Since(info.ModTime()) > settled && time.Since(disk.ChangedAt(info)) > settled
}

// remember puts what a record holds into the state. What other programs read in earlier runs in the same directory
// stays.
func (in *inputs) remember(a *action.Action, st *state, rec *trace.Record) {
	ran := map[string]bool{}
	for _, name := range rec.Ran() {
		ran[name] = true
	}
	type entry struct {
		read
		by map[string]bool // false for those that only looked whether it is there
	}
	all := map[string]*entry{}
	for _, r := range st.Reads {
		e := &entry{read: r, by: map[string]bool{}}
		again := true
		for _, i := range r.By {
			name := st.Readers[i]
			if !ran[name] || driver(a, name) {
				e.by[name] = true
			}
			again = again && ran[name]
		}
		for _, i := range r.Looked {
			name := st.Readers[i]
			if !e.by[name] {
				e.by[name] = false
			}
			again = again && (ran[name] || kindOf(in.content(a, r.Path, in.stat(a, r.Path))) == kindOf(r.Sum))
		}
		if again { // what it is now has been answered to
			s := in.stat(a, r.Path)
			e.Stat, e.Sum = s.stat, in.content(a, r.Path, s)
			if s.sum == "" && !settledAt(r.Path) {
				e.Stat = ""
			}
		}
		if len(e.by) > 0 {
			all[r.Path] = e
		}
	}
	for path, f := range in.recorded(a, st, rec) {
		e := all[path]
		if e == nil {
			e = &entry{by: map[string]bool{}}
			all[path] = e
		}
		s := in.stat(a, path)
		e.read = read{Path: path, Stat: s.stat, Sum: in.content(a, path, s)}
		for name, opened := range f.Readers {
			e.by[name] = e.by[name] || opened || !driver(a, name)
		}
		switch {
		case !f.Written && s.sum == "" && trace.StampOf(path) != f.Stamp,
			!f.Written && e.Sum == "-" && f.Stamp != (trace.Stamp{}):
			e.Stat, e.Sum = "", changing
		case s.sum == "" && !settledAt(path):
			e.Stat = ""
		}
	}
	st.Reads, st.Readers = nil, nil
	number := map[string]int{}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		e := all[path]
		r := e.read
		r.By, r.Looked = nil, nil
		for _, name := range slices.Sorted(maps.Keys(e.by)) {
			n, ok := number[name]
			if !ok {
				n = len(st.Readers)
				number[name] = n
				st.Readers = append(st.Readers, name)
			}
			if e.by[name] {
				r.By = append(r.By, n)
			} else {
				r.Looked = append(r.Looked, n)
			}
		}
		st.Reads = append(st.Reads, r)
	}
	st.Programs = map[string]string{}
	for name := range a.Seen {
		if file := in.program(a, name); all[file] != nil {
			st.Programs[name] = file
		}
	}
}

// driver tells programs that do another part of the work each time they run: what they read once counts on.
func driver(a *action.Action, name string) bool {
	first, _, _ := strings.Cut(name, " ")
	options, ok := a.Readers[first]
	return ok && (len(options) == 0 || slices.Contains(options, ""))
}

// recorded are the files of a record that are inputs, by their paths outside of the build directory.
func (in *inputs) recorded(a *action.Action, st *state, rec *trace.Record) map[string]trace.File {
	out := map[string]trace.File{}
	files := rec.Files()
	forgetful(a, files)
	top := real(a.Top)
	missing := map[string]bool{}
	note := func(path string, f trace.File) {
		have, ok := out[path]
		if !ok {
			f.Readers = maps.Clone(f.Readers)
			out[path] = f
			return
		}
		for name, opened := range f.Readers {
			have.Readers[name] = have.Readers[name] || opened
		}
		have.Written = have.Written || f.Written
		out[path] = have
	}
	// A path that is remembered without the links on the way to it has them remembered beside it.
	passed := map[string][]string{} // by directory
	way := func(path string, f trace.File) {
		dir := path[:strings.LastIndexByte(path, '/')+1]
		on, ok := passed[dir]
		if !ok {
			on = linksOn(dir)
			passed[dir] = on
		}
		for _, link := range on {
			if disk.Within(link, top) {
				rel := disk.Relative(top, link)
				source := filepath.Join(a.Root, rel)
				if _, err := os.Lstat(source); err != nil || leftOut(a, source) {
					continue // the build made it
				}
				link = source
			} else if rec.Ignore(link) {
				continue
			}
			if !in.skipped(a, link) {
				note(link, trace.File{Readers: f.Readers, Stamp: trace.StampOf(link)})
			}
		}
	}
	for path, f := range files {
		if len(f.Readers) == 0 {
			continue
		}
		path, listed := strings.CutSuffix(path, "/")
		if path == "" || in.itself(path, f) {
			continue // the root directory
		}
		// A script of the host comes by the link that its interpreter was given.
		if a.HostDir != "" && disk.Within(path, a.HostDir) {
			led, err := filepath.EvalSymlinks(path)
			if err != nil || rec.Ignore(led) {
				continue
			}
			path = led
		}
		if strings.Contains(path, "/..") {
			way(path, f)
			path = real(path)
			if rec.Ignore(path) {
				continue
			}
		}
		if !a.Copy && (disk.Within(path, a.Top) || disk.Within(path, top)) {
			led, err := filepath.EvalSymlinks(path)
			if err != nil || disk.Within(led, top) || rec.Ignore(led) {
				continue // the build made it
			}
			path = led
		}
		if disk.Within(path, a.Top) || disk.Within(path, top) {
			way(path, f)
			if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
				path = filepath.Join(dir, filepath.Base(path)) // behind a link of the copy to a directory
			}
			if _, err := os.Lstat(filepath.Join(a.Root, disk.Relative(top, path))); err != nil {
				if led, err := filepath.EvalSymlinks(path); err == nil {
					path = led // behind a link that the build made
				}
			}
			if disk.Within(path, top) {
				path = a.Top + path[len(top):]
			} else if rec.Ignore(path) {
				continue
			}
		}
		if disk.Within(path, a.Top) {
			rel := disk.Relative(a.Top, path)
			source := filepath.Join(a.Root, rel)
			if rel == "." && !listed || leftOut(a, source) {
				continue
			}
			if _, err := os.Lstat(source); err != nil {
				if _, err := os.Lstat(path); err == nil || f.Written {
					if by := compilers(a, f); len(by) > 0 && err == nil {
						out[path] = trace.File{Readers: by, Written: true}
					}
					continue // the build made it
				}
			}
			path, f.Written = source, false
			f.Stamp = trace.StampOf(path)
			// What was read is the copy. The source may be newer by now.
			if info, err := os.Lstat(source); err == nil && info.Mode().IsRegular() {
				was, copied := st.Copied[rel]
				if !copied {
					continue // left out of the copy
				}
				if was != disk.VersionOf(info) {
					f.Stamp = trace.Stamp{Size: -1}
				}
			}
		}
		if in.skipped(a, path) {
			continue
		}
		if _, err := os.Lstat(path); err != nil {
			if temporaryFile(files, path) {
				continue
			}
			// What is missing is told once, by the highest directory that is.
			for {
				dir := filepath.Dir(path)
				if dir == path || missing[dir] {
					path = dir
					break
				}
				if _, err := os.Lstat(dir); err == nil {
					break
				}
				path = dir
			}
			missing[path] = true
			listed = false
		}
		if listed {
			path += "/"
		}
		note(path, f)
	}
	return out
}

// linksOn are the links that lead on to a path, which may not be there itself.
func linksOn(path string) []string {
	var on []string
	at, parts := "/", strings.Split(path, "/")
	for len(parts) > 0 && len(on) < 40 { // as many as Linux follows (path_resolution(7))
		part := parts[0]
		parts = parts[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		to, err := os.Readlink(next)
		if err != nil {
			at = next
			continue
		}
		on = append(on, next)
		if filepath.IsAbs(to) {
			at = "/"
		}
		parts = append(strings.Split(to, "/"), parts...)
	}
	return on
}

// compilers are those that opened a file, where the build system does not know by itself what they read: make. What the
// build makes is no input, but a header that it made anew has to be read again.
func compilers(a *action.Action, f trace.File) map[string]bool {
	by := map[string]bool{}
	for name, opened := range f.Readers {
		if opened && len(a.Forgetful) > 0 && compiler(a, name) {
			by[name] = true
		}
	}
	return by
}

// temporaryFile tells what is gone and was made by the build itself, or lay in a directory that was.
func temporaryFile(files map[string]trace.File, path string) bool {
	for ; path != filepath.Dir(path); path = filepath.Dir(path) {
		if _, err := os.Lstat(path); err == nil {
			return false // that it was made is not known: mkdir -p tries it with what is there
		}
		if files[path].Written {
			return true
		}
	}
	return false
}

// forgetful gives a recipe's forgetful programs another name for what they opened, by which they are never run.
func forgetful(a *action.Action, files map[string]trace.File) {
	for name, pattern := range a.Forgetful {
		globs, word := false, regexp.MustCompile("(?m)"+pattern) // the catalog's tests compile it
		for path, f := range files {
			if f.Readers[name] && !strings.HasSuffix(path, "/") && !globs {
				info, err := os.Stat(path)
				if err != nil || !info.Mode().IsRegular() {
					continue // a pipe would be waited for
				}
				data, err := os.ReadFile(path)
				globs = err == nil && word.Match(data)
			}
		}
		for path, f := range files {
			if f.Readers[name] && (globs || !strings.HasSuffix(path, "/")) {
				delete(f.Readers, name)
				f.Readers[name+", which makes nothing anew for that,"] = true
			}
		}
	}
}

// real resolves the links on the way to a path that may not be there itself.
func real(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}

// itself tells whether xbuild alone read one of its own files of the project, as the emulator that runs a program of
// the platform: what it goes by there is in the action already, and another target's options are not.
func (in *inputs) itself(path string, f trace.File) bool {
	if name := filepath.Base(path); name != project.FileName && name != lock.FileName {
		return false
	}
	for reader := range f.Readers {
		if name, _, _ := strings.Cut(reader, " "); name != in.self {
			return false
		}
	}
	dir := filepath.Dir(path)
	return dir == in.project || dir == real(in.project)
}

// skipped tells what lies in the project's build directory and is no result that the action needs, or where temporary
// files do.
func (in *inputs) skipped(a *action.Action, path string) bool {
	for _, n := range a.Needs {
		if disk.Within(path, n.Prefix) || disk.Within(path, real(n.Prefix)) {
			return false
		}
	}
	return path == os.TempDir() || disk.Within(path, in.skip[0]) || disk.Within(path, in.build)
}

// A miss is what the build system did not notice.
type miss struct {
	text     string
	compiler bool // a compiler would have been run again
}

// stale says what the build system did not notice: programs that read what has changed and were not run again, or,
// where it rereads what it goes by, files.
func (in *inputs) stale(a *action.Action, st *state, changed map[string]bool, rec *trace.Record) []miss {
	files := rec.Files()
	ran := map[string]bool{}
	for _, name := range rec.Ran() {
		ran[name] = true
	}
	var out []miss
	for _, r := range st.Reads {
		kind, yes := changed[r.Path]
		if disk.Within(r.Path, a.Top) { // now that the commands have run
			s := in.stat(a, r.Path)
			yes = s.sum != "-" && s.stat != r.Stat && in.content(a, r.Path, s) != r.Sum
		}
		if !yes {
			continue
		}
		if _, ok := files[r.Path]; a.Reread && !ok {
			known := func(i int) bool { return driver(a, st.Readers[i]) || compiler(a, st.Readers[i]) }
			text := fmt.Sprintf("%s has changed, and was not looked at again", r.Path)
			out = append(out, miss{text, !slices.ContainsFunc(r.who(kind), func(i int) bool { return !known(i) })})
			continue
		}
		for _, i := range r.who(kind) {
			// What rereads looks at much that it does not go by; what its own programs read it goes by.
			if name := st.Readers[i]; !ran[name] && !(a.Reread && driver(a, name)) {
				text := fmt.Sprintf("%s has changed, and %s, which read it, was not run again", r.Path, name)
				out = append(out, miss{text, compiler(a, name)})
			}
		}
	}
	return out
}

// who are the readers to whom a change matters; kind is that of a file which came, went or became another kind.
func (r read) who(kind bool) []int {
	if kind {
		return slices.Concat(r.By, r.Looked)
	}
	return r.By
}

// compiler tells programs that a recipe knows by what they make.
func compiler(a *action.Action, name string) bool {
	first, _, _ := strings.Cut(name, " ")
	_, known := optionsOf(a.Readers, first)
	return known && !driver(a, name)
}

// self is the reader that xbuild is.
const self = "xbuild"

// read notes what xbuild itself reads for an action, list a directory that it lists.
func (r *runner) read(a *action.Action, path string) { r.saw(a, path, false) }
func (r *runner) list(a *action.Action, path string) { r.saw(a, path, true) }

func (r *runner) saw(a *action.Action, path string, list bool) {
	if rec := r.running(a).record; rec != nil {
		rec.Read(path, self, list)
	}
}

// outputs notes the outputs that a copy of the source has from the source.
func (r *runner) outputs(a *action.Action) {
	for _, out := range a.Output {
		if !a.Copy || out.Path == "" {
			continue
		}
		pattern := filepath.ToSlash(filepath.Clean(out.Path))
		found, _ := doublestar.Glob(os.DirFS(a.Build), pattern, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		for _, f := range found { // collect tells of errors
			r.read(a, filepath.Join(a.Build, f))
		}
	}
}

// outside finds what commands looked for above the copy of a source, where it is not, although it is above the source.
// certain tells that make or a compiler did, which look nowhere without being told: the project wants it. Other
// programs look for their own configuration in all directories upwards.
func (in *inputs) outside(a *action.Action, rec *trace.Record) (text string, certain bool) {
	if !a.Copy || rec == nil {
		return "", false
	}
	files := rec.Files()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := files[path]
		if strings.HasSuffix(path, "/") {
			continue
		}
		if len(f.Readers) == 0 || f.Written {
			continue
		}
		path = real(path)
		path = strings.Replace(path, in.build, in.skip[0], 1)
		own := disk.Within(path, a.Top) || disk.Within(path, a.Stage)
		if !disk.Within(path, in.skip[0]) || own || disk.Within(a.Top, path) {
			continue
		}
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		above := disk.Relative(a.Top, path)
		wanted := filepath.Join(a.Root, above)
		version := func(dir string) bool { return strings.Contains(wanted, "/"+dir+"/") }
		if info, err := os.Stat(wanted); err != nil || !info.Mode().IsRegular() || slices.ContainsFunc(disk.VCS, version) {
			continue
		}
		sure := false
		for name := range f.Readers {
			first, _, _ := strings.Cut(name, " ")
			_, known := optionsOf(a.Readers, first)
			sure = sure || known
		}
		if text == "" || sure && !certain {
			up := strings.Count(disk.Relative(a.Build, path), "../")
			root := strings.TrimSuffix(strings.Repeat("../", up), "/")
			text = fmt.Sprintf("the build looked for %s, which is not in the copy of the source that it runs in: "+
				"write root = %q in [target.%s], which copies %s (root = \".\" says that it is not wanted)",
				disk.Relative(a.Build, path), root, a.Target, filepath.Join(a.Source, root))
			certain = sure
		}
	}
	return text, certain
}

// strayed are the files that an installation wrote elsewhere than in its stage, because the project's Makefile has no
// DESTDIR there. They are on this machine now, and in no artifact. What tools keep for themselves is none of it.
func (in *inputs) strayed(a *action.Action, rec *trace.Record, home string) []string {
	staged := func(s action.Step) bool {
		return s.Env.Lookup("DESTDIR") != "" || slices.Contains(s.Command, "DESTDIR="+a.Stage)
	}
	if rec == nil || !slices.ContainsFunc(a.Steps, staged) {
		return nil
	}
	own := slices.Concat(in.skip, []string{in.build, a.Top, real(a.Top), a.Source, real(a.Source), a.Root, real(a.Root)})
	inOwn := func(path string) bool {
		return slices.ContainsFunc(own, func(dir string) bool { return disk.Within(path, dir) })
	}
	var out []string
	for path, f := range rec.Files() {
		path = filepath.Clean(path)
		hidden := home != "" && disk.Within(path, home) && strings.HasPrefix(disk.Relative(home, path), ".")
		if !f.Written || hidden || inOwn(path) || inOwn(real(filepath.Dir(path))) ||
			strings.Contains(path, "/__pycache__/") || disk.Within(path, "/var/cache") {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && trace.StampOf(path) != f.Stamp {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// strays tells of files that were installed elsewhere than in the stage; "" where there are none.
func strays(a *action.Action, paths []string) string {
	const some = 3
	if len(paths) == 0 {
		return ""
	}
	more := ""
	if n := len(paths) - some; n > 0 {
		paths, more = paths[:some], fmt.Sprintf(" and %d more files", n)
	}
	return fmt.Sprintf("%s%s: written on this machine, and not in dist, because the project does not put DESTDIR "+
		"in front: give it such a folder behind $(DESTDIR), by a variable or an option in [target.%s], or name "+
		"what is wanted in outputs, in the place of install", strings.Join(paths, ", "), more, a.Target)
}
