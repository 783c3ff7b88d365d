package execute

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/lock"
	"xbuild/internal/plan"
)

// A state is what is known of an action's last run.
type state struct {
	ID      string               `json:"id"`
	Failed  bool                 `json:"failed,omitempty"`
	Stat    string               `json:"stat"`    // digest of the inputs' names, sizes and times
	Content string               `json:"content"` // digest of the inputs' names and contents
	Outputs []output             `json:"outputs"`
	Dist    map[string]placed    `json:"dist"` // by path: what was put there
	Steps   map[string]stepState `json:"steps,omitempty"`
	Copied  map[string]string    `json:"copied,omitempty"` // by name: the size and time of each file of the source as it was copied

	touched bool     // Stat was brought up to date
	remarks []string // on what this run put into dist
}

// An output is a file that the commands made.
type output struct {
	Path string `json:"path"` // absolute
	Dist string `json:"dist"` // relative to the action's dist directory
	Stat string `json:"stat"`
	Link string `json:"link,omitempty"` // the target, where it is a symbolic link
}

// placed is a file in dist.
type placed struct {
	From   string `json:"from"` // Stat of the output that it was made from
	Stat   string `json:"stat"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type stepState struct {
	Command string `json:"command"`
	Deps    string `json:"deps"`
}

func readState(path string) *state {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	st := &state{}
	if json.Unmarshal(data, st) != nil {
		return nil
	}
	return st
}

func (st *state) write(path string) error {
	data, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		return err
	}
	return writeAtomic(path, data)
}

// writeAtomic replaces a file whole; a reader sees the old content or the new.
func writeAtomic(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func statOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d:%d:%o", info.Size(), info.ModTime().UnixNano(), info.Mode())
}

func (st *state) outputsThere(*plan.Action) bool {
	for _, o := range st.Outputs {
		info, err := os.Lstat(o.Path)
		if err != nil || statOf(info) != o.Stat {
			return false
		}
	}
	return len(st.Outputs) > 0
}

// collect finds the files that the action promised.
func (st *state) collect(a *plan.Action) error {
	st.Outputs = nil
	add := func(path, dist string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		o := output{Path: path, Dist: dist, Stat: statOf(info)}
		if info.Mode()&fs.ModeSymlink != 0 {
			if o.Link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		st.Outputs = append(st.Outputs, o)
		return nil
	}
	for _, out := range a.Output {
		if out.Cargo != "" {
			files, err := cargoOutputs(out.Cargo, a.Watch)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				return fmt.Errorf("outputs: cargo succeeded, but built no program and no cdylib or staticlib of the packages in %s", a.Watch)
			}
			for _, f := range files {
				if err := add(f, filepath.Base(f)); err != nil {
					return err
				}
			}
			continue
		}
		if out.Stage {
			err := filepath.WalkDir(a.Stage, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				rel, err := filepath.Rel(a.Stage, path)
				if err != nil {
					return err
				}
				return add(path, rel)
			})
			if err != nil {
				return fmt.Errorf("nothing was installed: %w", err)
			}
			continue
		}
		found, err := doublestar.Glob(os.DirFS(a.Build), filepath.ToSlash(filepath.Clean(out.Path)), doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return fmt.Errorf("outputs: %q: %w", out.Path, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("outputs: the commands succeeded, but made no %q in %s", out.Path, a.Build)
		}
		if out.Dist != "" && len(found) > 1 {
			return fmt.Errorf("outputs: %q matches %d files, which cannot all become %q", out.Path, len(found), out.Dist)
		}
		for _, f := range found {
			dist := filepath.Base(f)
			if out.Dist != "" {
				dist = filepath.FromSlash(out.Dist)
			}
			if err := add(filepath.Join(a.Build, f), dist); err != nil {
				return err
			}
		}
	}
	if len(st.Outputs) == 0 {
		return fmt.Errorf("the commands succeeded, but installed nothing")
	}
	return nil
}

// stepDone tells whether a step with a depfile has nothing to do: same command, its output there, and all that it read unchanged.
func (st *state) stepDone(s plan.Step) bool {
	if s.Depfile == "" {
		return false
	}
	last, ok := st.Steps[s.Output]
	if !ok || last.Command != commandHash(s) {
		return false
	}
	if _, err := os.Stat(s.Output); err != nil {
		return false
	}
	deps, err := depsDigest(s)
	return err == nil && deps == last.Deps
}

func (st *state) stepSucceeded(s plan.Step) error {
	if s.Depfile == "" {
		return nil
	}
	deps, err := depsDigest(s)
	if err != nil {
		return err
	}
	st.Steps[s.Output] = stepState{Command: commandHash(s), Deps: deps}
	return nil
}

func commandHash(s plan.Step) string {
	sum := sha256.Sum256([]byte(s.Dir + "\x00" + strings.Join(s.Command, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func depsDigest(s plan.Step) (string, error) {
	data, err := os.ReadFile(s.Depfile)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, dep := range parseDepfile(string(data)) {
		if !filepath.IsAbs(dep) {
			dep = filepath.Join(s.Dir, dep)
		}
		info, err := os.Stat(dep)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %s\n", dep, statOf(info))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// parseDepfile returns the prerequisites of a Makefile rule as clang's -MD writes it: names separated by blanks, "\ " and "\#" escaped, "$$" for "$", lines
// continued by a backslash.
func parseDepfile(s string) []string {
	_, s, ok := strings.Cut(s, ": ")
	if !ok {
		return nil
	}
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '\n' || s[i+1] == '\r'):
			i++
			flush()
		case c == '\\' && i+1 < len(s) && strings.IndexByte(" #\\", s[i+1]) >= 0:
			i++
			word.WriteByte(s[i])
		case c == '$' && i+1 < len(s) && s[i+1] == '$':
			i++
			word.WriteByte('$')
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			flush()
		default:
			word.WriteByte(c)
		}
	}
	flush()
	return out
}

// inputs remembers, for one run, the files below each watched directory.
type inputs struct {
	skip []string // absolute directories that are never inputs
	mu   sync.Mutex
	by   map[string]*inputSet
}

type inputSet struct {
	once    sync.Once
	err     error
	files   []inputFile
	stat    string
	hashing sync.Once
	hash    string
	hashErr error
}

type inputFile struct {
	path, name, stat string
}

func newInputs(skip ...string) *inputs { return &inputs{skip: skip, by: map[string]*inputSet{}} }

// vcs are directories that hold no sources.
var vcs = []string{".git", ".hg", ".svn", ".jj"}

func (in *inputs) of(a *plan.Action) (*inputSet, error) {
	key := a.Watch + "\x00" + strings.Join(a.Inputs, "\x00") + "\x00\x00" + strings.Join(a.Skip, "\x00")
	in.mu.Lock()
	set := in.by[key]
	if set == nil {
		set = &inputSet{}
		in.by[key] = set
	}
	in.mu.Unlock()
	set.once.Do(func() { set.err = set.scan(a, in.skip) })
	return set, set.err
}

func (set *inputSet) scan(a *plan.Action, skip []string) error {
	add := func(path, name string, info fs.FileInfo) {
		set.files = append(set.files, inputFile{path, name, statOf(info)})
	}
	err := filepath.WalkDir(a.Watch, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(a.Watch, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != a.Watch && (slices.Contains(skip, path) || slices.Contains(vcs, d.Name()) || isCache(path) || matches(a.Skip, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Name() == lock.FileName || matches(a.Skip, name) {
			return nil // what an action takes from the lock is in its ID; another entry is no reason to build again
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		add(path, name, info)
		return nil
	})
	if err != nil {
		return err
	}
	for _, g := range a.Inputs {
		base, pattern := doublestar.SplitPattern(filepath.ToSlash(g))
		found, err := doublestar.Glob(os.DirFS(base), pattern, doublestar.WithFilesOnly())
		if err != nil {
			return fmt.Errorf("inputs: %q: %w", g, err)
		}
		for _, f := range found {
			path := filepath.Join(base, f)
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			add(path, "inputs/"+f, info)
		}
	}
	h := sha256.New()
	for _, f := range set.files {
		fmt.Fprintf(h, "%s\x00%s\n", f.name, f.stat)
	}
	set.stat = hex.EncodeToString(h.Sum(nil))
	return nil
}

// matches tells whether one of the globs is that of a path below the source.
func matches(globs []string, name string) bool {
	for _, g := range globs {
		if ok, err := doublestar.Match(g, filepath.ToSlash(name)); ok && err == nil {
			return true
		}
	}
	return false
}

// skips tells directories of a source that hold no inputs.
func (in *inputs) skips(path, rel, name string, globs []string) bool {
	return slices.Contains(in.skip, path) || slices.Contains(vcs, name) || isCache(path) || matches(globs, rel)
}

// isCache tells directories that say of themselves that they hold what can be made again, other projects' build directories for one.
func isCache(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "CACHEDIR.TAG"))
	return err == nil
}

// unchanged compares the inputs with those of the last run: by name, size and time, and where these differ by content.
func (in *inputs) unchanged(_ *plan.Action, st *state, set *inputSet) (bool, error) {
	if st.Stat == set.stat {
		return true, nil
	}
	content, err := in.content(set)
	if err != nil || content != st.Content {
		return false, err
	}
	st.Stat, st.touched = set.stat, true
	return true, nil
}

func (in *inputs) content(set *inputSet) (string, error) {
	set.hashing.Do(func() {
		h := sha256.New()
		for _, f := range set.files {
			fmt.Fprintf(h, "%s\x00", f.name)
			if set.hashErr = hashInto(h, f.path); set.hashErr != nil {
				return
			}
		}
		set.hash = hex.EncodeToString(h.Sum(nil))
	})
	return set.hash, set.hashErr
}

func hashInto(h io.Writer, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		fmt.Fprintf(h, "-> %s\x00", to)
		return err
	}
	if !info.Mode().IsRegular() {
		fmt.Fprintf(h, "%v\x00", info.Mode())
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	fmt.Fprintf(h, "%o %x\x00", info.Mode().Perm(), sum.Sum(nil))
	return nil
}
