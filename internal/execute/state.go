package execute

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/lang/table"
)

// A state is what is known of an action's last run.
type state struct {
	ID      action.ID         `json:"id"`
	Failed  bool              `json:"failed,omitempty"`
	Seen    bool              `json:"seen"` // Reads is all that was read
	Reads   []read            `json:"reads,omitempty"`
	Readers []string          `json:"readers,omitempty"`  // the programs that Reads counts
	Inputs  string            `json:"declared,omitempty"` // digest of what the target's inputs name
	Needs   string            `json:"needs,omitempty"`    // digest of the names of what it needs
	Outputs []output          `json:"outputs"`
	Dist    map[string]placed `json:"dist"` // by path: what was put there
	// Programs are those of the host that were run or read: by the name that they were seen by, the file behind links.
	Programs map[string]string `json:"programs,omitempty"`
	// At is where it was: what is in a build directory names the places of the project and of the store.
	At     string            `json:"at,omitempty"`
	Grown  string            `json:"grown,omitempty"`  // names the build directory, anew when it is built from nothing
	Taken  *taken            `json:"taken,omitempty"`  // the kept result in dist, where that is not of the last run
	Steps  map[string]string `json:"steps,omitempty"`  // by output: the command that made it
	Copied map[string]string `json:"copied,omitempty"` // by name: size and time of each file of the source as copied

	touched bool // times in Reads were brought up to date
	fresh   bool // it was built from nothing
	same    bool // Reads is of the same commands, which succeeded

	strayed []string // what was installed elsewhere than in the stage
}

// made are the outputs that lie in dist.
func (st *state) made() []output {
	if st.Taken == nil {
		return st.Outputs
	}
	var out []output
	for _, o := range st.Taken.Outputs {
		if o.Place != inPrefix {
			out = append(out, o)
		}
	}
	return out
}

// An output is a file that the commands made.
type output struct {
	Path string `json:"path"` // absolute
	Dist string `json:"dist"` // relative to the action's dist directory
	Stat string `json:"stat"`
	Link string `json:"link,omitempty"` // the target, where it is a symbolic link

	// Of a kept result; there is no path then.
	Kept  string      `json:"kept,omitempty"` // SHA-256
	Mode  fs.FileMode `json:"mode,omitempty"`
	Place string      `json:"place,omitempty"`
}

// placed is a file in dist.
type placed struct {
	From   string `json:"from"` // Stat of the output that it was made from
	Stat   string `json:"stat"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
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
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return disk.Write(path, data)
}

func (st *state) outputsThere() bool {
	for _, o := range st.Outputs {
		info, err := os.Lstat(o.Path)
		if err != nil || disk.StatOf(info) != o.Stat {
			return false
		}
	}
	return len(st.Outputs) > 0
}

// collect finds the files that the action promised.
func (st *state) collect(a *action.Action) error {
	st.Outputs = nil
	add := func(path, dist string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		o := output{Path: path, Dist: dist, Stat: disk.StatOf(info)}
		if info.Mode()&fs.ModeSymlink != 0 {
			if o.Link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		st.Outputs = append(st.Outputs, o)
		return nil
	}
	for _, out := range a.Output {
		if out.Listed != "" {
			files, err := table.Of(a.Language).Outputs(out.Listed, a.Watch)
			if err != nil {
				return err
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
		name := filepath.ToSlash(filepath.Clean(out.Path))
		found, err := doublestar.Glob(os.DirFS(a.Build), name, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return fmt.Errorf("outputs: %q: %w", out.Path, err)
		}
		at := filepath.Join(a.Build, filepath.FromSlash(out.Path))
		if info, err := os.Lstat(at); len(found) == 0 && err == nil && info.Mode()&fs.ModeSymlink != 0 {
			found = []string{name} // a glob follows it even so
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
	return st.settleLinks(a)
}

// stepDone tells whether a step that has an output has nothing to do: same command, its output there, and none of those
// programs to run again that read what has changed.
func (st *state) stepDone(s action.Step, again map[string]bool) bool {
	name := made(s)
	if name == "" || st.Steps[s.Output] != commandHash(s) || !slices.Contains(st.Readers, name) || again[name] {
		return false
	}
	_, err := os.Stat(s.Output)
	return err == nil
}

// made is the reader that a step is which has an output: all of its programs are run for that.
func made(s action.Step) string {
	if s.Output == "" {
		return ""
	}
	return "what makes " + s.Output
}

func (st *state) stepSucceeded(s action.Step) {
	if s.Output != "" {
		st.Steps[s.Output] = commandHash(s)
	}
}

// commandHash is a digest of a command, with the arguments that it takes from files: an earlier step may have made
// them.
func commandHash(s action.Step) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s", s.Dir, strings.Join(s.Command, "\x00"))
	for _, arg := range s.Command {
		file, ok := strings.CutPrefix(arg, "@")
		if !ok {
			continue
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(s.Dir, file)
		}
		if data, err := os.ReadFile(file); err == nil { // the command itself tells of what is not there
			fmt.Fprintf(h, "\x00%d\x00%s", len(data), data)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
