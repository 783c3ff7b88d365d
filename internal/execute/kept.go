package execute

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"xbuild/internal/action"
	"xbuild/internal/cache"
	"xbuild/internal/disk"
	"xbuild/internal/trace"
)

// What an action made is kept in the store, by the action and by the content of all that it read. Where the same is
// asked for again, in another checkout, on a branch of last week, after git clean, it is put into dist from there. The
// build directory stays what its own last run left in it: the next change is built in it as if nothing had been.

// A taken is a kept result that lies in dist. The state of the build directory is of another run then, or of none.
type taken struct {
	ID       action.ID         `json:"id"`
	Inputs   string            `json:"declared,omitempty"`
	Needs    string            `json:"needs,omitempty"`
	Reads    []read            `json:"reads"`
	Programs map[string]string `json:"programs,omitempty"`
	Outputs  []output          `json:"outputs"`
	Headers  []output          `json:"headers,omitempty"` // by their names in the prefix
}

// KeptFor is how long a result stays that nobody asks for.
const KeptFor = 30 * 24 * time.Hour

// format is part of every key: another one where what is kept means something else.
const format = "1"

// The kinds of names in a set of what was read.
const (
	readContent  = "c " // what is in it
	readKind     = "k " // whether it is there, and what it is
	readProgram  = "p " // a program of the host by its name: which file that is
	readUpwards  = "u " // nothing of the name is in any directory above the project
	readDeclared = "d"  // what the target's inputs name
	readNeeds    = "n"  // the names of what it needs
)

// keyOf is what is asked for.
func (r *runner) keyOf(a *action.Action) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %v %v\n", format, r.opt.Version, a.ID, a.Linked, a.Started)
	if a.Linked {
		for _, dir := range a.Headers {
			spelled, _ := a.Roots.Spell(dir)
			fmt.Fprintln(h, spelled)
		}
		fmt.Fprintln(h, a.LinkWith)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// grownKey is what is asked for in one build directory alone: what an earlier run left there may be in the results.
func grownKey(key, grown string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte("grown "+grown+" "+key)))
}

// keeps tells whether results of an action are kept, takes whether they are taken.
func (r *runner) keeps(a *action.Action) bool {
	return r.opt.Cache != nil && !r.opt.Blind && !a.Apart && len(a.Roots) > 0
}

func (r *runner) takes(a *action.Action) bool { return r.keeps(a) && !(r.opt.Tests && testsBuild(a)) }

// testsBuild tells whether an action's tests want its build directory.
func testsBuild(a *action.Action) bool {
	if slices.ContainsFunc(a.Test, func(s action.Step) bool { return s.In != nil || s.Node != nil }) {
		return true
	}
	data, err := json.Marshal(a.Test)
	return err != nil || bytes.Contains(data, []byte(filepath.Dir(a.State)))
}

// setOf are the names of what was read, and what each is.
func (r *runner) setOf(a *action.Action, reads []read, programs map[string]string) (set []string, ok bool) {
	project := r.opt.Project
	for _, rd := range reads {
		if disk.Within(rd.Path, a.Top) {
			continue // the build made it
		}
		if rd.Sum == changing || strings.HasSuffix(rd.Sum, "unreadable") || strings.Contains(rd.Path, "\n") {
			return nil, false
		}
		path, list := strings.CutSuffix(rd.Path, "/")
		if !list && disk.Within(project, path) {
			continue // it is on the way to the project
		}
		if rd.Sum == "-" && !disk.Within(path, project) {
			set = append(set, readUpwards+disk.Relative(above(project, path), path))
		}
		kind, slash := readContent, ""
		if len(rd.By) == 0 {
			kind = readKind
		}
		if list {
			slash = "/"
		}
		spelled, below := spell(a, path)
		set = append(set, kind+spelled+slash)
		home := strings.HasPrefix(spelled, action.RootHome) && inHome(a, project)
		if rd.Sum != "-" && beside(project, path) && (!below || home) {
			// The commands may have said "../x", which is another file from another project.
			set = append(set, kind+action.RootProject+"/"+disk.Relative(project, path)+slash)
		}
	}
	for name := range programs {
		set = append(set, readProgram+name)
	}
	slices.Sort(set)
	return append(slices.Compact(set), readDeclared, readNeeds), true
}

// spell tells a path by its root. Artifacts may go elsewhere than the dist that commands read in.
func spell(a *action.Action, path string) (spelled string, below bool) {
	roots := slices.DeleteFunc(slices.Clone(a.Roots), func(r action.Root) bool { return r.Name == action.RootDist })
	return roots.Spell(path)
}

// systems are the directories of the root directory in which nobody has what belongs to a project.
var systems = []string{
	"bin", "dev", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "opt", "proc", "run", "sbin", "snap", "sys",
	"usr", "var",
}

// beside tells whether a path outside of a project may belong to it.
func beside(project, path string) bool {
	if disk.Within(path, project) {
		return false
	}
	first := func(p string) string { name, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/"); return name }
	return !slices.Contains(systems, first(path)) || first(path) == first(project)
}

// inHome tells whether a project lies below the caller's home: what is read there may be meant by either.
func inHome(a *action.Action, project string) bool {
	i := slices.IndexFunc(a.Roots, func(r action.Root) bool { return r.Name == action.RootHome })
	return i >= 0 && disk.Within(project, a.Roots[i].Dir)
}

// above is the nearest directory that two paths are in.
func above(a, b string) string {
	dir := filepath.Dir(a)
	for !disk.Within(b, dir) && dir != "/" {
		dir = filepath.Dir(dir)
	}
	return dir
}

// now is what a path is that some action read.
func (r *runner) now(a *action.Action, path string) read {
	s := r.inputs.look(a, path)
	rd := read{Path: path, Stat: s.stat, Sum: r.inputs.content(a, path, s)}
	if s.sum == "" && !settledAt(path) {
		rd.Stat = ""
	}
	return rd
}

// idOf is the digest of a set with what its names are, paths by what. reads are those of them that are files. ok is
// false where that cannot be the set of any result.
func (r *runner) idOf(
	a *action.Action, set []string, declared, needs string, what func(path string) read,
) (id string, reads []read, programs map[string]string, ok bool) {
	h := sha256.New()
	explicit := map[string]bool{} // paths that were read, and the directories above them
	for _, name := range set {
		if rest, ok := strings.CutPrefix(name, readContent); ok {
			path, _ := a.Roots.Resolve(rest)
			for ; path != "/" && path != "." && path != "" && !explicit[path]; path = filepath.Dir(path) {
				explicit[path] = true
			}
		}
	}
	programs = map[string]string{}
	for _, name := range set {
		is := ""
		switch kind := name[:min(2, len(name))]; kind {
		case readContent, readKind:
			path, known := a.Roots.Resolve(name[2:])
			if !known {
				return "", nil, nil, false
			}
			if strings.Contains(path, "/../") {
				if list := strings.HasSuffix(path, "/"); list {
					path = filepath.Clean(path) + "/"
				} else {
					path = filepath.Clean(path)
				}
			}
			rd := what(path)
			is = r.portable(a, rd)
			if rd.By = nil; kind == readKind {
				is = kindOf(is)
			} else {
				rd.By = []int{0}
			}
			reads = append(reads, rd)
		case readProgram:
			programs[name[2:]] = r.inputs.program(a, name[2:])
			is = programs[name[2:]]
		case readUpwards:
			for dir := filepath.Dir(r.opt.Project); ; dir = filepath.Dir(dir) {
				path := filepath.Join(dir, name[2:])
				if _, err := os.Lstat(path); err == nil && !explicit[path] {
					return "", nil, nil, false
				}
				if dir == filepath.Dir(dir) {
					break
				}
			}
		case readDeclared:
			is = declared
		case readNeeds:
			is = needs
		default:
			return "", nil, nil, false
		}
		fmt.Fprintf(h, "%s\x00%s\n", name, is)
	}
	return hex.EncodeToString(h.Sum(nil)), reads, programs, true
}

// texts are suffixes of files in a prefix that name the place where it lies.
var texts = []string{".pc", ".cmake", ".la"}

// portable is what a file is wherever the project lies.
func (r *runner) portable(a *action.Action, rd read) string {
	for _, n := range a.Needs {
		if disk.Within(rd.Path, n.Prefix) && slices.Contains(texts, filepath.Ext(rd.Path)) {
			if data, err := os.ReadFile(rd.Path); err == nil {
				return fmt.Sprintf("text %x", sha256.Sum256(bytes.ReplaceAll(data, []byte(n.Prefix), []byte("{prefix}"))))
			}
		}
	}
	if to, rest, ok := cutLink(rd.Sum); ok {
		return "-> " + a.Roots.SpellAll(to) + " " + rest
	}
	return rd.Sum
}

// cutLink takes the target of a link out of a sum.
func cutLink(sum string) (to, rest string, ok bool) {
	sum, ok = strings.CutPrefix(sum, "-> ")
	if !ok {
		return "", "", false
	}
	return strings.Cut(sum, " ")
}

// bound is another id, of a result that names some of the places where it was made.
func bound(a *action.Action, id string, places []string) string {
	h := sha256.New()
	fmt.Fprintln(h, id)
	for _, root := range a.Roots {
		if slices.Contains(places, root.Name) {
			fmt.Fprintln(h, root.Name, root.Dir)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// named adds to places the roots that a file has in it.
func named(a *action.Action, path string, places []string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, root := range a.Roots.Places() {
		if slices.Contains(places, root.Name) {
			continue
		}
		if slices.ContainsFunc(encoded(root.Dir), func(form []byte) bool { return bytes.Contains(data, form) }) {
			places = append(places, root.Name)
		}
	}
	return places, nil
}

// encoded are a text's forms in UTF-8, and as wide characters in either byte order.
func encoded(text string) [][]byte {
	forms := [][]byte{[]byte(text)}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var two, four []byte
		for _, u := range utf16.Encode([]rune(text)) {
			two = order.AppendUint16(two, u)
		}
		for _, r := range text {
			four = order.AppendUint32(four, uint32(r))
		}
		forms = append(forms, two, four)
	}
	return forms
}

// What is kept beside the files of a result.
type keptData struct {
	Places []string `json:"places,omitempty"` // where each file goes
	Bound  []string `json:"bound,omitempty"`  // the result has these roots in it, and lies under another id
}

// take looks for a kept result of an action as it is now: one that was built from nothing, else one of this build
// directory.
func (r *runner) take(a *action.Action, grown, declared, needs string) *taken {
	if !r.takes(a) {
		return nil
	}
	key := r.keyOf(a)
	t := r.takeOf(a, key, declared, needs)
	if t == nil && grown != "" && !precise(a) {
		t = r.takeOf(a, grownKey(key, grown), declared, needs)
	}
	return t
}

func (r *runner) takeOf(a *action.Action, key, declared, needs string) *taken {
	for _, set := range r.opt.Cache.Sets(key) {
		now := func(path string) read { return r.now(a, path) }
		id, reads, programs, ok := r.idOf(a, set, declared, needs, now)
		if !ok {
			continue
		}
		res, data := r.result(a, key, id)
		gone := func(f cache.File) bool { return f.Link == "" && !r.opt.Cache.Whole(f) }
		if res == nil || len(data.Places) != len(res.Files) || len(res.Files) == 0 || slices.ContainsFunc(res.Files, gone) {
			continue
		}
		r.opt.Cache.Used(key, set)
		t := &taken{ID: a.ID, Inputs: declared, Needs: needs, Reads: reads, Programs: programs}
		for i, f := range res.Files {
			o := output{Dist: filepath.FromSlash(f.Name), Link: f.Link, Kept: f.Sum, Mode: f.Mode}
			o.Stat = fmt.Sprintf("kept %s %o %s", f.Sum, f.Mode, f.Link)
			switch data.Places[i] {
			case inDistAlone, inBoth:
				o.Place = data.Places[i]
				t.Outputs = append(t.Outputs, o)
			case inPrefix: // as it was before it was stripped
				o.Place = inPrefix
				t.Outputs = append(t.Outputs, o)
			case isHeader:
				t.Headers = append(t.Headers, o)
			}
		}
		return t
	}
	return nil
}

// result is a kept result and what is kept beside its files; nil where there is none.
func (r *runner) result(a *action.Action, key, id string) (*cache.Result, keptData) {
	one := func(id string) (res *cache.Result, data keptData) {
		if res = r.opt.Cache.Get(key, id); res == nil || json.Unmarshal(res.Data, &data) != nil {
			return nil, keptData{}
		}
		return res, data
	}
	res, data := one(id)
	if res != nil && len(data.Bound) > 0 { // it lies under the id of the place that it names
		return one(bound(a, id, data.Bound))
	}
	return res, data
}

// Where a kept file goes.
const (
	inBoth      = "both"
	inDistAlone = "dist"
	inPrefix    = "prefix"
	isHeader    = "header"
)

// precise tells whether what an action made in the directory of an earlier run is what it makes from nothing: its build
// system says so, and no file of an earlier run can be among the outputs.
func precise(a *action.Action) bool {
	glob := func(o action.Output) bool { return strings.ContainsAny(o.Path, `*?[{\`) }
	return a.Precise && !slices.ContainsFunc(a.Output, glob)
}

// keep puts what an action made into the cache. What was read is what the state says.
func (r *runner) keep(a *action.Action, st *state) error {
	if !r.keeps(a) || !st.Seen || st.ID != a.ID {
		return nil
	}
	key := r.keyOf(a)
	if !st.fresh && !precise(a) {
		if st.Grown == "" {
			return nil
		}
		key = grownKey(key, st.Grown)
	}
	set, ok := r.setOf(a, st.Reads, st.Programs)
	if !ok {
		return nil
	}
	sums := map[string]read{}
	for _, rd := range st.Reads {
		sums[rd.Path] = rd
	}
	id, _, _, ok := r.idOf(a, set, st.Inputs, st.Needs, func(path string) read { return sums[path] })
	if !ok {
		return nil
	}
	res := &cache.Result{What: a.Target + " for " + a.OCI}
	var data keptData
	add := func(path, name, place, link string) error {
		f := cache.File{Name: filepath.ToSlash(name), Link: link}
		if link == "" {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			f.Mode = info.Mode().Perm()
			if data.Bound, err = named(a, path, data.Bound); err != nil {
				return err
			}
			if f.Sum, f.Size, err = r.opt.Cache.Keep(path); err != nil {
				return err
			}
		}
		res.Files, data.Places = append(res.Files, f), append(data.Places, place)
		return nil
	}
	wanted := a.Linked || a.Started
	for _, o := range st.Outputs {
		switch placed, ok := st.Dist[filepath.Join(a.Dist, o.Dist)]; {
		case a.Host || o.Link != "":
			if err := add(o.Path, o.Dist, inBoth, o.Link); err != nil {
				return err
			}
		case !ok:
			return nil
		default:
			place := inBoth
			if wanted && !strings.HasSuffix(digest(o.Path), " "+placed.SHA256) {
				if err := add(o.Path, o.Dist, inPrefix, ""); err != nil {
					return err
				}
				place = inDistAlone
			}
			if err := add(filepath.Join(a.Dist, o.Dist), o.Dist, place, ""); err != nil {
				return err
			}
			if res.Files[len(res.Files)-1].Sum != placed.SHA256 {
				return nil // somebody changes dist at this moment
			}
		}
	}
	if a.Linked {
		files := map[string]laid{}
		if err := headers(a, files, false); err != nil {
			return err
		}
		for name, f := range files {
			if disk.Within(f.path, filepath.Dir(a.State)) { // the others are where they were read
				if err := add(f.path, name, isHeader, ""); err != nil {
					return err
				}
			}
		}
	}
	return r.put(a, key, set, id, res, data)
}

// put keeps a result, under another id where it names the place where it was made.
func (r *runner) put(a *action.Action, key string, set []string, id string, res *cache.Result, data keptData) error {
	one := func(id string, res *cache.Result, data keptData) (err error) {
		if res.Data, err = json.Marshal(data); err != nil {
			return err
		}
		return r.opt.Cache.Put(key, set, id, res)
	}
	if len(data.Bound) > 0 {
		if err := one(bound(a, id, data.Bound), res, keptData{Places: data.Places}); err != nil {
			return err
		}
		return one(id, &cache.Result{What: res.What}, keptData{Bound: data.Bound})
	}
	return one(id, res, data)
}

// A step with an output is kept for itself, as an action is: one changed header compiles what reads it.

func (r *runner) keepsStep(a *action.Action, s action.Step, run *actionRun) bool {
	return made(s) != "" && r.keeps(a) && run.record != nil && !run.anew
}

func (r *runner) stepKey(a *action.Action, s action.Step) string {
	h := sha256.New()
	fmt.Fprintf(h, "step %s %s\n%s\n", format, r.opt.Version, a.StepMadeOf(s))
	for _, arg := range s.Command { // what it takes from files, which an earlier step has made
		if file, ok := strings.CutPrefix(arg, "@"); ok {
			if !filepath.IsAbs(file) {
				file = filepath.Join(s.Dir, file)
			}
			data, err := os.ReadFile(file)
			fmt.Fprintf(h, "%v %s\n", err == nil, a.Roots.SpellAll(string(data)))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// takeStep puts a kept output in its place. What was read for it is read for this run too.
func (r *runner) takeStep(a *action.Action, s action.Step, run *actionRun, log *bytes.Buffer) bool {
	if !r.keepsStep(a, s, run) {
		return false
	}
	key := r.stepKey(a, s)
	for _, set := range r.opt.Cache.Sets(key) {
		stamps := map[string]trace.Stamp{}
		now := func(path string) read { // not what it was when the run began
			plain, _ := strings.CutSuffix(path, "/")
			stamps[path] = trace.StampOf(plain)
			s := r.inputs.stat(a, path)
			return read{Path: path, Stat: s.stat, Sum: r.inputs.content(a, path, s)}
		}
		id, reads, _, ok := r.idOf(a, set, "", "", now)
		if !ok {
			continue
		}
		res, _ := r.result(a, key, id)
		if res == nil || len(res.Files) != 1 || r.restore(res.Files[0], s.Output) != nil {
			continue
		}
		for _, rd := range reads {
			path, list := strings.CutSuffix(rd.Path, "/")
			run.record.Note(path, made(s), len(rd.By) > 0, list, stamps[rd.Path])
		}
		fmt.Fprintf(log, "+ (kept) %s\n", strings.Join(s.Command, " "))
		r.mu.Lock()
		defer r.mu.Unlock()
		if run.taken == nil {
			run.taken = map[string]bool{}
		}
		run.taken[s.Output] = true
		r.opt.Cache.Used(key, set)
		return true
	}
	return false
}

// restore writes a kept file whole.
func (r *runner) restore(f cache.File, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(to), ".kept-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = errors.Join(r.opt.Cache.Restore(f.Sum, tmp), tmp.Chmod(f.Mode|0o600), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), to)
}

// keepSteps keeps the outputs of steps that ran. Where that is not possible, nothing is lost: keep says why.
func (r *runner) keepSteps(a *action.Action, st *state, run *actionRun) {
	if !st.Seen {
		return
	}
	ran := run.record.Ran()
	more := map[string]bool{} // steps that wrote what is not their output, as clang does for -fstack-usage
	outputs := map[string]bool{}
	for _, s := range a.Steps {
		outputs[s.Output] = true
	}
	for path, f := range run.record.Files() {
		if _, err := os.Lstat(path); err != nil || outputs[path] {
			continue
		}
		for writer := range f.Writers {
			more[writer] = true
		}
	}
	for _, s := range a.Steps {
		reader := slices.Index(st.Readers, made(s))
		_, here := slices.BinarySearch(ran, made(s))
		kept := run.taken[s.Output] || more[made(s)]
		if !r.keepsStep(a, s, run) || reader < 0 || !here || kept || st.Steps[s.Output] != commandHash(s) {
			continue
		}
		sums := map[string]read{}
		var reads []read
		for _, rd := range st.Reads {
			by := slices.Contains(rd.By, reader)
			if !by && !slices.Contains(rd.Looked, reader) {
				continue
			}
			if rd.By = nil; by {
				rd.By = []int{0}
			}
			reads = append(reads, rd)
			sums[rd.Path] = rd
		}
		set, ok := r.setOf(a, reads, nil)
		if !ok {
			continue
		}
		id, _, _, ok := r.idOf(a, set, "", "", func(path string) read { return sums[path] })
		if !ok {
			continue
		}
		info, err := os.Stat(s.Output)
		if err != nil {
			continue
		}
		var data keptData
		if data.Bound, err = named(a, s.Output, nil); err != nil {
			continue
		}
		f := cache.File{Name: filepath.Base(s.Output), Mode: info.Mode().Perm()}
		if f.Sum, f.Size, err = r.opt.Cache.Keep(s.Output); err != nil {
			continue
		}
		res := &cache.Result{What: "an object of " + a.Target + " for " + a.OCI, Files: []cache.File{f}}
		r.put(a, r.stepKey(a, s), set, id, res, data)
	}
}

// kept puts a kept result into dist where there is one of what is asked for. before says that the one that was taken
// earlier still is. done is false where it has to be made.
func (r *runner) kept(a *action.Action, st *state, before bool, declared, needs string) (res Result, done bool) {
	if st == nil {
		st = &state{At: at(a)}
	}
	t := st.Taken
	if !before {
		if t, before = r.take(a, st.Grown, declared, needs), false; t == nil {
			return Result{}, false
		}
	}
	arts, moved, err := r.give(a, st, t)
	// Of what was taken earlier something is gone by now: another result may be there.
	if vanished(err) && before && !r.opt.Look {
		if t, before = r.take(a, st.Grown, declared, needs), false; t == nil {
			return Result{}, false
		}
		arts, moved, err = r.give(a, st, t)
	}
	if vanished(err) {
		return Result{}, false
	}
	if err == nil && (moved || !before || st.touched) {
		st.Taken = t
		if err = disk.Write(madeOf(a), a.MadeOf()); err == nil {
			err = st.write(a.State)
		}
	}
	if err != nil {
		return Result{Err: err}, true
	}
	return Result{Artifacts: arts, Cached: before, Kept: !before}, true
}

// at is where an action's build directory is good.
func at(a *action.Action) string {
	var places []string
	for _, root := range a.Roots.Places() {
		if root.Name != action.RootDist && root.Name != action.RootHome {
			places = append(places, root.Name+" "+root.Dir)
		}
	}
	slices.Sort(places)
	return strings.Join(places, "\n")
}

// current tells whether a kept result that was taken is still what is asked for.
func (r *runner) current(a *action.Action, st *state, declared, needs string) bool {
	t := st.Taken
	if t == nil || !r.takes(a) || t.ID != a.ID || t.Inputs != declared || t.Needs != needs {
		return false
	}
	changed, touched := r.inputs.changedOf(a, t.Reads, t.Programs)
	st.touched = st.touched || touched
	return len(changed) == 0
}

// give puts a kept result into dist, and into the prefix.
func (r *runner) give(a *action.Action, st *state, t *taken) ([]Artifact, bool, error) {
	of := &state{Dist: st.Dist, Taken: t}
	arts, moved, err := r.handOn(a, of)
	st.Dist = of.Dist
	return arts, moved, err
}

// vanished tells errors that say that a kept result is not there any more, or damaged.
func vanished(err error) bool {
	return errors.Is(err, cache.ErrDamaged) || errors.Is(err, cache.ErrGone)
}
