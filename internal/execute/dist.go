package execute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/hint"
	"xbuild/internal/hosttools"
	"xbuild/internal/inspect"
	"xbuild/internal/unstripped"
)

// An Artifact is a file under dist, as artifacts.json lists it.
type Artifact struct {
	Target   string `json:"target"`
	Platform string `json:"platform"`
	Triplet  string `json:"triplet"`
	Path     string `json:"path"` // relative to dist, with slashes
	Size     int64  `json:"size"` // bytes
	SHA256   string `json:"sha256"`
	Link     string `json:"link,omitempty"` // the target of a symbolic link; size and sha256 are then zero
}

// publish puts the action's outputs into dist, each whole or not at all, and removes what an earlier run put there and
// this one did not.
func (r *runner) publish(a *action.Action, st *state) ([]Artifact, bool, error) {
	if err := cleared(a, st.made()); err != nil {
		return nil, false, err
	}
	defer disk.RemoveAll(placing(a))
	changed := false
	old := st.Dist
	now := map[string]placed{}
	var arts []Artifact
	outputs := st.made()
	for _, o := range outputs { // all are looked at before the first is placed: of what fails nothing is in dist
		path := filepath.Join(a.Dist, o.Dist)
		last, known := old[path]
		if o.Link != "" || o.Kept != "" {
			continue
		}
		if info, err := os.Lstat(path); known && err == nil && last.From == o.Stat && disk.StatOf(info) == last.Stat {
			continue
		}
		if _, err := unlinked(a, o.Path); err != nil {
			return nil, false, err
		}
		report, err := check(a, st, o.Path)
		if err != nil {
			return nil, false, err
		}
		if report != nil {
			if err := audit(a, report, o); err != nil {
				return nil, false, err
			}
		}
	}
	for _, o := range outputs {
		path := filepath.Join(a.Dist, o.Dist)
		rel, err := filepath.Rel(a.DistDir, path)
		if err != nil {
			return nil, false, err
		}
		art := Artifact{Target: a.Target, Platform: a.OCI, Triplet: a.Platform.Triplet, Path: filepath.ToSlash(rel)}
		last, known := old[path]
		info, err := os.Lstat(path)
		if known && err == nil && last.From == o.Stat && disk.StatOf(info) == last.Stat {
			art.Size, art.SHA256, art.Link = last.Size, last.SHA256, o.Link
			now[path] = last
			arts = append(arts, art)
			continue
		}
		changed = true
		if o.Link != "" {
			if err := publishLink(a, o.Link, path); err != nil {
				return nil, false, err
			}
		} else if o.Kept != "" {
			if art.Size, art.SHA256, err = r.placeKept(a, o, path); err != nil {
				return nil, false, err
			}
		} else {
			if art.Size, art.SHA256, err = place(a, o.Path, path); err != nil {
				return nil, false, err
			}
		}
		if info, err = os.Lstat(path); err != nil {
			return nil, false, err
		}
		art.Link = o.Link
		now[path] = placed{From: o.Stat, Stat: disk.StatOf(info), Size: art.Size, SHA256: art.SHA256}
		arts = append(arts, art)
	}
	for path := range old {
		if _, still := now[path]; !still && strings.HasPrefix(path, a.DistDir+string(filepath.Separator)) {
			changed = true
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, false, err
			}
		}
	}
	st.Dist = now
	return arts, changed, nil
}

// check refuses a file that its platform does not run. What is no binary is not looked into, and no report is there
// then.
func check(a *action.Action, st *state, path string) (*inspect.Report, error) {
	r, err := inspect.File(path)
	if errors.Is(err, inspect.ErrFormat) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	limits := inspect.Limits{Static: a.Static, Glibc: a.Glibc, Sysroot: a.Sysroot, Data: true}
	if len(r.Needed) > 0 {
		limits.Beside = shipped(a, st)
	}
	return r, faults(inspect.Check(r, a.Platform, limits))
}

func faults(list []inspect.Fault) error {
	var errs []error
	for _, f := range inspect.Errors(list) {
		errs = append(errs, errors.New(f.String()))
	}
	return errors.Join(errs...)
}

// keptBy is the directory with what the action's commands stripped, as it was before.
func keptBy(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "unstripped") }

// errNoSymbols says that an artifact has too few symbols for its audit.
var errNoSymbols = errors.New("let the build's own strip, objcopy and linker take its symbols away, which xbuild keeps for the audit, or leave that to xbuild (strip = true)")

// audit refuses a file whose code needs more than its platform promises. It reads the file as it was linked: what the
// build's strip took away, or the target's takes away later, tells what the code is for. Where symbols tell that code
// is for machines that have what it uses, that is no fault, although what chooses it was not seen: xbuild inspect lists
// it.
func audit(a *action.Action, r *inspect.Report, o output) error {
	linked, err := unstripped.Find(keptBy(a), o.Path)
	if err != nil {
		return err
	}
	if linked == "" {
		linked = o.Path
	}
	if err := r.Audit(linked, a.Baseline, inspect.AuditOptions{Dispatched: a.Dispatched, Sysroot: a.Sysroot}); err != nil {
		return err
	}
	found := inspect.InstructionFaults(r, a.Platform)
	err = faults(found)
	for _, f := range found {
		if f.Stripped && !disk.Matches(a.Unaudited, o.Dist) {
			err = errors.Join(err, fmt.Errorf("%s: %w; where it came without symbols, and those who made it say "+
				"that it runs on every machine of %s, write unaudited = [%q] in [target.%s]",
				f, errNoSymbols, a.OCI, o.Dist, a.Target))
		}
	}
	return err
}

// prune deletes what is kept of files that the action no longer publishes.
func prune(a *action.Action, st *state) error {
	var used []string
	for _, o := range st.Outputs {
		if o.Link != "" {
			continue
		}
		linked, err := unstripped.Find(keptBy(a), o.Path)
		if err != nil {
			return err
		}
		used = append(used, linked)
	}
	return unstripped.Prune(keptBy(a), used)
}

// shipped are the names of files that lie beside an artifact where it is used: the action's own, those of what it
// needs, and what the target says.
func shipped(a *action.Action, st *state) []string {
	names := slices.Clone(a.External)
	for _, o := range st.Outputs {
		names = append(names, filepath.Base(o.Dist))
	}
	for _, n := range a.Needs {
		made, _ := laidOut(n.Action) // the action began with it
		for _, name := range made {
			names = append(names, filepath.Base(name))
		}
	}
	return names
}

// place copies a file to dist, stripped where the target asks for that. It is made in a directory beside the build, so
// that a run that is killed leaves nothing in dist, and renamed.
func place(a *action.Action, from, to string) (size int64, sum string, err error) {
	src, err := os.Open(from)
	if err != nil {
		return 0, "", err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return 0, "", err
	}
	tmp, err := placingFile(a)
	if err != nil {
		return 0, "", err
	}
	defer os.Remove(tmp.Name())
	text, err := unlinked(a, from)
	if err != nil {
		return 0, "", err
	}
	var content io.Reader = src
	if text != nil {
		content = bytes.NewReader(text)
	}
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(tmp, h), content)
	if err == nil {
		err = tmp.Chmod(info.Mode().Perm() | 0o600)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, "", err
	}
	if a.Strip != "" && linked(from) {
		cmd := exec.CommandContext(context.Background(), a.Strip, tmp.Name())
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, "", fmt.Errorf("strip %s: %w\n%s", from, err, out)
		}
		data, err := os.ReadFile(tmp.Name())
		if err != nil {
			return 0, "", err
		}
		h.Reset()
		h.Write(data)
		size = int64(len(data))
	}
	return size, hex.EncodeToString(h.Sum(nil)), moved(a, tmp.Name(), to)
}

// placeKept is place of a file of a kept result.
func (r *runner) placeKept(a *action.Action, o output, to string) (size int64, sum string, err error) {
	tmp, err := placingFile(a)
	if err != nil {
		return 0, "", err
	}
	defer os.Remove(tmp.Name())
	err = r.opt.Cache.Restore(o.Kept, tmp)
	if err == nil {
		err = tmp.Chmod(o.Mode.Perm() | 0o600)
	}
	info, serr := tmp.Stat()
	if err = errors.Join(err, serr, tmp.Close()); err != nil {
		return 0, "", err
	}
	return info.Size(), o.Kept, moved(a, tmp.Name(), to)
}

// placing is the directory in which an action's artifacts are made. It is there while one is.
func placing(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "placing") }

// placingFile is a new file in it.
func placingFile(a *action.Action) (*os.File, error) {
	if err := os.MkdirAll(placing(a), 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(placing(a), "file-*")
}

// moved renames a whole file into dist. Where that is on another file system, it is copied there under another name
// first.
func moved(a *action.Action, from, to string) error {
	dist, rel, err := inDist(a, to)
	if err != nil {
		return err
	}
	defer dist.Close()
	if dir := filepath.Dir(rel); dir != "." {
		if err := dist.MkdirAll(dir, 0o755); err != nil {
			return escaped(to, err)
		}
	}
	if _, err := dist.Stat(filepath.Dir(rel)); err != nil { // a link that leads out of dist
		return escaped(to, err)
	}
	if err = os.Rename(from, to); !errors.Is(err, syscall.EXDEV) {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(rel), fmt.Sprintf("%s%d-%s", halfway, os.Getpid(), filepath.Base(rel)))
	dst, err := dist.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer dist.Remove(tmp)
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Chmod(info.Mode().Perm())
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return dist.Rename(tmp, rel)
}

// halfway begins the names of files that are copied to dist from another file system.
const halfway = ".xbuild-"

// cleared removes from an action's directories what a run that was killed was making there.
func cleared(a *action.Action, outputs []output) error {
	if err := disk.RemoveAll(placing(a)); err != nil {
		return err
	}
	dirs := map[string]bool{}
	for _, o := range outputs {
		dirs[filepath.Dir(filepath.Join(a.Dist, o.Dist))] = true
	}
	for dir := range dirs {
		left, err := filepath.Glob(filepath.Join(escapeGlob(dir), halfway+"[0-9]*-*"))
		if err != nil {
			return err
		}
		for _, f := range left {
			pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f), halfway), "-")
			if n, err := strconv.Atoi(pid); err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
				os.Remove(f)
			}
		}
	}
	return nil
}

// escapeGlob is a pattern for one path (path/filepath.Match).
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// inDist opens dist, which no path that is opened by it leaves, and says where in it a file is.
func inDist(a *action.Action, path string) (*os.Root, string, error) {
	top := a.DistDir
	if err := os.MkdirAll(top, 0o755); err != nil {
		return nil, "", err
	}
	rel, err := filepath.Rel(top, path)
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(top)
	return root, rel, err
}

// escaped says of an error of a root what it means.
func escaped(path string, err error) error {
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if target, lerr := os.Readlink(dir); lerr == nil {
			return fmt.Errorf("%s is a link to %s, outside of dist: xbuild writes nothing there; remove the link, or name another directory with --output", dir, target)
		}
	}
	return err
}

// unlinked returns a text in which the build has written where its links to programs of the host are, as configure
// scripts do for the scripts that they make, with the places where a system has these programs; nil where nothing has
// to be replaced. In a binary nothing can be.
func unlinked(a *action.Action, path string) ([]byte, error) {
	if a.HostDir == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte(a.HostDir)) {
		return nil, err
	}
	link := regexp.MustCompile(regexp.QuoteMeta(a.HostDir) + `(?:/([A-Za-z0-9._+\[-]+))?`)
	if found := link.FindSubmatch(data); bytes.IndexByte(data, 0) >= 0 {
		name := string(found[1])
		return nil, fmt.Errorf("%s has in it the path %s, the build's own link to a program of this machine, which no other has: tell the build that it is %s, by the name that it has for it (recipe autotools: options = [\"ac_cv_path_%s=%s\"]; make: vars; cmake: defines; meson: options)",
			path, found[0], hosttools.Place(name), strings.ToUpper(name), hosttools.Place(name))
	}
	return link.ReplaceAllFunc(data, func(m []byte) []byte {
		if name := link.FindSubmatch(m)[1]; len(name) > 0 {
			return []byte(hosttools.Place(string(name)))
		}
		return []byte("/usr/bin")
	}), nil
}

// linked tells programs and shared objects, the files that can be stripped of all their symbols.
func linked(path string) bool {
	h, err := inspect.ReadHeader(path)
	return err == nil && (h.Type == elf.ET_EXEC || h.Type == elf.ET_DYN)
}

// publishLink is place of a link.
func publishLink(a *action.Action, target, to string) error {
	dist, rel, err := inDist(a, to)
	if err != nil {
		return err
	}
	defer dist.Close()
	if err := dist.MkdirAll(filepath.Dir(rel), 0o755); err != nil {
		return escaped(to, err)
	}
	if err := dist.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return escaped(to, err)
	}
	return dist.Symlink(target, rel)
}

// ReadArtifacts reads artifacts.json of a directory of artifacts: none, where nothing was built.
func ReadArtifacts(dist string) ([]Artifact, error) {
	file := filepath.Join(dist, "artifacts.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var arts []Artifact
	if err := json.Unmarshal(data, &arts); err != nil {
		return nil, hint.Add(fmt.Errorf("%s: %w", file, err), "remove it; the next xbuild build writes it anew")
	}
	return arts, nil
}

// writeArtifacts writes dist/artifacts.json: what this run made, and of earlier runs what still lies in dist.
func writeArtifacts(ctx context.Context, scratch, dist string, results []Result) error {
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	// Builds of single targets go on side by side: each adds to what is there.
	lock := flock.New(dist, flock.SetFlag(os.O_RDONLY))
	if ok, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil || !ok {
		return fmt.Errorf("%s: %w", dist, err)
	}
	defer lock.Unlock()
	file := filepath.Join(dist, "artifacts.json")
	ran := map[[2]string]bool{}
	arts := []Artifact{}
	for _, r := range results {
		ran[[2]string{r.Action.Target, r.Action.OCI}] = true
		if r.Err == nil {
			arts = append(arts, r.Artifacts...)
		}
	}
	data, err := os.ReadFile(file)
	if err == nil {
		var old []Artifact
		if err := json.Unmarshal(data, &old); err == nil {
			for _, a := range old {
				info, err := os.Lstat(filepath.Join(dist, filepath.FromSlash(a.Path)))
				there := err == nil && (a.Link != "" || info.Size() == a.Size)
				if there && !ran[[2]string{a.Target, a.Platform}] {
					arts = append(arts, a)
				}
			}
		}
	}
	slices.SortFunc(arts, func(a, b Artifact) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Target, b.Target)
	})
	for i := 1; i < len(arts); i++ {
		if arts[i].Path == arts[i-1].Path && arts[i].Target != arts[i-1].Target {
			return fmt.Errorf("targets %q and %q both make %s; give one of them another dest or outputs", arts[i-1].Target, arts[i].Target, arts[i].Path)
		}
	}
	text, err := json.MarshalIndent(arts, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if bytes.Equal(text, data) {
		return nil
	}
	return disk.WriteBy(scratch, file, text)
}
