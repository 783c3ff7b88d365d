// Package trace runs a command and sees which files it, and all that it started, looked for, read, listed and wrote. It
// asks no build system and no compiler: the kernel says it, by a seccomp(2) filter that asks this process before each
// call that takes a path (seccomp_unotify(2)) and lets it go on. What was looked for and was not there is seen too.
//
// Where a machine does not allow that (Supported says why), nothing is run: a caller has to do without the knowledge,
// and not without knowing so.
package trace

import (
	"maps"
	"os/exec"
	"slices"
	"sync"
	"syscall"
)

// A Record is what commands did with files. Several commands may write to one at the same time.
type Record struct {
	// Ignore tells paths that are not recorded; it is asked often. Reader names a program by its arguments and the
	// directory that it runs in: runs of one name stand for each other. Both are called with nothing locked, by several
	// commands at once.
	Ignore func(path string) bool
	Reader func(argv []string, dir string) string
	// Forgetful names programs that do not remember what they were answered: what such a program starts and reads from,
	// by a pipe, is another reader (Answers), which is never among those that ran.
	Forgetful []string

	mu      sync.Mutex
	files   map[string]*File
	ran     map[string]bool
	partial bool
}

// A File is what was done with one path.
type File struct {
	Readers map[string]bool // who looked for it; true for who opened it
	Written bool            // made, changed, renamed or removed
	Writers map[string]bool // by whom
	Stamp   Stamp           // what it was before it was first looked for
}

// A Stamp tells versions of a file apart. The zero Stamp is that of a file that is not there.
type Stamp struct {
	Size, Modified int64 // bytes; nanoseconds since 1970
	Inode          uint64
}

// StampOf is the stamp of what a path leads to now.
func StampOf(path string) Stamp {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return Stamp{}
	}
	return Stamp{Size: st.Size, Modified: st.Mtim.Nano(), Inode: st.Ino}
}

// Files returns what was recorded, by path. A directory whose names were read has a slash behind its path: that is
// another entry than the one of who looked for it. The paths are absolute; where a name goes up from a directory that
// may be a link ("a/../b"), that is left in it.
func (r *Record) Files() map[string]File {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]File, len(r.files))
	for path, f := range r.files {
		c := *f
		c.Readers, c.Writers = maps.Clone(f.Readers), maps.Clone(f.Writers)
		out[path] = c
	}
	return out
}

// Ran returns the names of the programs that ran, sorted.
func (r *Record) Ran() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.ran))
}

// Answers is the name of a reader that a forgetful program asked.
func Answers(reader, asker string) string { return reader + " for " + asker + "," }

// Read records that a reader read a path, or listed it, for what this process reads itself.
func (r *Record) Read(path, reader string, list bool) {
	if !r.Ignore(path) {
		r.use(path, reader, true, list)
	}
	r.started(reader)
}

// Note records that something was read, or looked for, by a reader that need not run again: stamp is what it was then.
func (r *Record) Note(path, reader string, opened, list bool, stamp Stamp) {
	r.add(path, reader, opened, list, func(string) Stamp { return stamp })
	r.started(reader)
}

func (r *Record) started(reader string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ran == nil {
		r.ran = map[string]bool{}
	}
	r.ran[reader] = true
}

func (r *Record) file(path string) (f *File, isNew bool) {
	if f = r.files[path]; f != nil {
		return f, false
	}
	if r.files == nil {
		r.files = map[string]*File{}
	}
	f = &File{}
	r.files[path] = f
	return f, true
}

func (r *Record) use(path, reader string, opened, list bool) {
	r.add(path, reader, opened, list, StampOf)
}

func (r *Record) add(path, reader string, opened, list bool, stampOf func(path string) Stamp) {
	if list {
		path += "/"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, isNew := r.file(path)
	if isNew {
		f.Stamp = stampOf(path)
	}
	if f.Readers == nil {
		f.Readers = map[string]bool{}
	}
	f.Readers[reader] = f.Readers[reader] || opened
}

func (r *Record) wrote(path, writer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, _ := r.file(path)
	f.Written = true
	if f.Writers == nil {
		f.Writers = map[string]bool{}
	}
	f.Writers[writer] = true
}

// lost notes that something was not to be seen.
func (r *Record) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = true
}

// Partial tells whether some calls were not to be seen: those of a process of another user, for one.
func (r *Record) Partial() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.partial
}

// Run starts a command, waits for its end and records what it, and all that it started, does with files. The error is
// that of cmd.Start or cmd.Wait. What outlives the command is told by the kernel that there are no such system calls.
// With a name, all of it is one reader of that name.
func (r *Record) Run(cmd *exec.Cmd, name string) error {
	if name != "" {
		r.started(name)
	}
	return run(cmd, r, name)
}

// Supported is nil where Run works. Otherwise it says what is in the way.
var Supported = sync.OnceValue(supported)
