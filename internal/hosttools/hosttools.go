// Package hosttools says which programs of the host a build sees: those of a list, which any machine has and whose
// answers do not hang on what else is installed there, and those that a target names. A host's PATH goes in, a
// directory
// of links comes out. What is in the list is data; nothing here runs a program.
package hosttools

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"xbuild/internal/catalog"
)

// A Group is programs of the list of one kind.
type Group struct {
	Name     string   `toml:"name"`
	Dir      string   `toml:"dir"`      // where a system keeps them
	Programs []string `toml:"programs"` // names, or globs of them
}

//go:embed hosttools.toml
var list string

// A file is hosttools.toml.
type file struct {
	Group   []Group           `toml:"group"`
	Explain []catalog.Explain `toml:"explain"`
}

// data is embedded: a test reads it, and a fault in it is a bug.
var data = sync.OnceValue(func() (t file) {
	if _, err := toml.Decode(list, &t); err != nil {
		panic(fmt.Errorf("hosttools.toml: %w", err))
	}
	return t
})

// Groups is the list.
func Groups() []Group { return data().Group }

// Explain is what messages about a program mean that a build does not see.
func Explain() []catalog.Explain { return data().Explain }

// Listed tells whether every build sees a program, where the host has it.
func Listed(name string) bool { return group(name) != nil }

func group(name string) *Group {
	for _, g := range Groups() {
		for _, p := range g.Programs {
			if ok, err := path.Match(p, name); p == name || err == nil && ok {
				return &g
			}
		}
	}
	return nil
}

// A Host is the programs of a PATH.
type Host struct {
	Path   string                   // the PATH itself
	files  *files                   // nil where there is none
	listed func() map[string]string // the programs that are on the list, by name: the first file on PATH
}

// On returns the host with a PATH, whose directories are read once, when somebody asks. A file in them is looked at
// when somebody asks for its name: there are thousands, and a build sees few.
func On(path string) Host {
	f := &files{named: sync.OnceValue(func() map[string][]string { return read(path) }), known: map[string]string{}}
	return Host{Path: path, files: f, listed: sync.OnceValue(func() map[string]string {
		listed := map[string]string{}
		for _, g := range Groups() {
			for _, p := range g.Programs {
				f.pick(p, listed)
			}
		}
		return listed
	})}
}

// files are those in the directories of a PATH.
type files struct {
	named func() map[string][]string // by name, in the order of the directories

	mu    sync.Mutex
	known map[string]string // by name: the program, "" where there is none
}

// program is the first file of a name that can be run.
func (f *files) program(name string) (file string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, known := f.known[name]
	if !known {
		files := f.named()[name]
		if i := slices.IndexFunc(files, runs); i >= 0 {
			file = files[i]
		}
		f.known[name] = file
	}
	return file, file != ""
}

func runs(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// pick adds the programs that a name or a glob is for, and says whether there is one.
func (f *files) pick(pattern string, to map[string]string) (found bool) {
	if !strings.ContainsAny(pattern, `*?[`) || pattern == "[" {
		if file, ok := f.program(pattern); ok {
			to[pattern], found = file, true
		}
		return found
	}
	for name := range f.named() {
		if ok, err := path.Match(pattern, name); err != nil || !ok {
			continue
		}
		if file, ok := f.program(name); ok {
			to[name], found = file, true
		}
	}
	return found
}

// read reads the directories of a PATH. Relative ones are none of a build's: it runs in other directories than the
// caller.
func read(path string) map[string][]string {
	files := map[string][]string{}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // PATH may name what is not there
		}
		for _, e := range entries {
			files[e.Name()] = append(files[e.Name()], filepath.Join(dir, e.Name()))
		}
	}
	return files
}

// Visible returns the programs that a build sees, by name: those of the list, and those that are asked for by name or
// glob. missing are the names among these that the host does not have.
func (h Host) Visible(asked []string) (seen map[string]string, missing []string) {
	seen = map[string]string{}
	if h.files == nil {
		return seen, slices.Clone(asked)
	}
	seen = maps.Clone(h.listed())
	for _, name := range asked {
		if !h.files.pick(name, seen) {
			missing = append(missing, name)
		}
	}
	return seen, missing
}

// ID is a hash of the names that a build sees. What the programs are is another matter: what a build ran, it read.
func ID(seen map[string]string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(seen)), "\x00")))
	return hex.EncodeToString(sum[:])
}

// Link makes dir a directory with a link to each program, and nothing else. Others may use it, or make it the same: a
// link that is right stays, another is replaced at once.
func Link(dir string, seen map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, wanted := seen[e.Name()]; !wanted && !strings.HasPrefix(e.Name(), temporary) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for name, file := range seen {
		link := filepath.Join(dir, name)
		if have, err := os.Readlink(link); err == nil && have == file {
			continue
		}
		tmp := filepath.Join(dir, temporary+rand.Text())
		if err := os.Symlink(file, tmp); err != nil {
			return err
		}
		if err := os.Rename(tmp, link); err != nil {
			os.Remove(tmp)
			return err
		}
	}
	return nil
}

// temporary begins the names of links that are not in their place yet.
const temporary = ".xbuild-"

// Place is where a system keeps a program.
func Place(name string) string {
	if g := group(name); g != nil {
		return g.Dir + "/" + name
	}
	return "/usr/bin/" + name
}
