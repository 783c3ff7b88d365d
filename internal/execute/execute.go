// Package execute runs a plan's actions side by side and puts what they made into dist. An action whose commands, tools
// and inputs are those of its last success is not run again. It writes into the project's build and dist directories
// alone, and ends every process that it started.
//
// Each action has a directory <build>/<platform>/<target> with a lock, a log and state.json. The state is removed
// before the first command runs and written after the last: where it is missing, what lies in the directory may be half
// of something and is deleted.
package execute

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/action"
	"xbuild/internal/cache"
	"xbuild/internal/catalog"
	"xbuild/internal/disk"
	"xbuild/internal/env"
	"xbuild/internal/explain"
	"xbuild/internal/guard"
	"xbuild/internal/hint"
	"xbuild/internal/hosttools"
	"xbuild/internal/jobs"
	"xbuild/internal/lang/table"
	"xbuild/internal/trace"
	"xbuild/internal/unstripped"
)

// Options say how a plan is run.
type Options struct {
	Jobs     int             // processes at once; 0 means one a core
	Slots    Slots           // with whom they are shared
	Memory   int64           // bytes that steps may take together; 0 means all that there is
	Project  string          // the project's directory
	Build    string          // the project's build directory
	Dist     string          // the project's dist directory
	Skip     []string        // further directories that hold no sources
	Environ  env.Environment // variables of the caller that go into every command
	Host     hosttools.Host  // this machine's programs: a build sees what its action names, fetching and tests see all
	XBuild   string          // the xbuild program, exported as XBUILD
	Store    string          // the store's directory
	Blind    bool            // what commands read is not looked at: all is built anew every time
	Offline  bool            // for Go's modules: GOPROXY=off
	Registry string          // of npm's packages, where one is configured: yarn 4 is told
	Look     bool            // nothing is done: where something is to do, that is an error
	Tests    bool            // tests follow: what they need is fetched, and their build directories are wanted
	Cache    *cache.Cache    // where results are kept; nil where none are
	Version  string          // of xbuild: another one makes, and refuses, other things
	Done     func(Result)    // called after each action, one at a time
}

// A Result is what became of one action.
type Result struct {
	Action    *action.Action
	Artifacts []Artifact
	Cached    bool     // it was there
	Kept      bool     // it was put there from a kept result
	Why       []string // what was not as it was the last time; none where it is cached
	Err       error
	Log       string   // what the commands printed, where Err is set
	Hints     []string // what the log calls for, where Err is set
	Notes     []string // what the user should know although it succeeded
	Took      time.Duration
}

// Run runs the actions and writes artifacts.json. Actions that fail do not stop others; the results are in the plan's
// order.
func Run(ctx context.Context, p *action.Graph, opt Options) ([]Result, error) {
	// What is made is the same whoever makes it: modes of files too. The process has no other work meanwhile.
	defer syscall.Umask(syscall.Umask(0o022))
	if err := prepareBuildDir(opt.Project, opt.Build); err != nil {
		return nil, err
	}
	if err := ownPath(opt.Project, opt.Dist); err != nil {
		return nil, err
	}
	done, err := opt.temporary()
	if err != nil {
		return nil, err
	}
	defer done()
	blind := ""
	if !opt.Blind && !opt.Look { // who only looks is watched, and that cannot be done twice
		if err := trace.Supported(); err != nil {
			blind = fmt.Sprintf("what a build reads cannot be seen on this machine (%v): all is built anew every time", err)
			opt.Blind = true
		}
	}
	r, end := newRunner(opt, opt.Build)
	defer end()
	r.fetches, r.actions = fetches(p.Actions), p.Actions
	r.recall(p.Actions)
	results := make([]Result, len(p.Actions))
	order := newSchedule(p.Actions, r.pool.Size(), remembered)
	r.first = order.first()
	var g errgroup.Group
	var mu sync.Mutex
	for range min(r.pool.Size(), len(p.Actions)) {
		g.Go(func() error {
			for {
				i, ok := order.next()
				if !ok {
					return nil
				}
				a, start := p.Actions[i], time.Now()
				res := Result{Err: order.unmade(a, results)}
				if res.Err == nil {
					res = r.action(ctx, a)
				}
				res.Action, res.Took = a, time.Since(start)
				for _, note := range []string{blind, r.unshared} {
					if note != "" {
						res.Notes = append(res.Notes, note)
					}
				}
				results[i] = res
				if opt.Done != nil {
					mu.Lock()
					opt.Done(res)
					mu.Unlock()
				}
				order.end(i)
			}
		})
	}
	g.Wait()
	if err := ctx.Err(); err != nil {
		return results, err
	}
	siblings(results)
	if opt.Look && slices.ContainsFunc(results, func(r Result) bool { return r.Err != nil }) {
		return results, nil // artifacts.json stays as it is: what is due lies in dist perhaps
	}
	return results, writeArtifacts(ctx, opt.Build, opt.Dist, results)
}

type runner struct {
	opt      Options
	inputs   *inputs
	pool     *jobs.Pool
	unshared string // why its slots are not shared with other builds
	memory   *jobs.Memory
	peaks    map[string]int64                    // by target and step: what it may take; under mu
	measured map[*action.Action]map[string]int64 // by step: what it took in this run; under mu
	busy     float64                             // what is left of actions and tests that go on, in seconds; under mu
	first    map[*action.Action]float64          // how early an action gets a slot; of others later
	whole    bool                                // commands see the caller's whole PATH: what they do is in no artifact

	fetches []*fetched
	actions []*action.Action

	mu   sync.Mutex
	runs map[string]*actionRun // by the action's state file
}

// An actionRun is one run of an action's commands.
type actionRun struct {
	record *trace.Record   // nil where what commands read cannot be seen
	again  map[string]bool // programs that read what has changed
	anew   bool            // because the build system did not notice a change
	taken  map[string]bool // outputs of steps that are kept results
	forgot bool            // what its cache held of that is gone: it need not make everything again
}

// running is the run of an action that is going on, an empty one where there is none.
func (r *runner) running(a *action.Action) *actionRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.runs[a.State]; run != nil && !a.Apart && a.State != "" {
		return run
	}
	return &actionRun{}
}

// newRunner makes a runner with a pool of slots, which done removes.
func newRunner(opt Options, in string) (r *runner, done func()) {
	if opt.Memory <= 0 {
		opt.Memory = jobs.Installed() / 10 * 9 // the rest is the system's
	}
	r = &runner{opt: opt, inputs: newInputs(opt), memory: jobs.NewMemory(opt.Memory)}
	r.peaks, r.measured = map[string]int64{}, map[*action.Action]map[string]int64{}
	r.pool, r.unshared = opt.Slots.pool(in, opt.Jobs)
	if path := r.pool.Path(); path != "" {
		r.inputs.ignore = append(r.inputs.ignore, path, real(path))
	}
	return r, r.pool.Close
}

func (r *runner) action(ctx context.Context, a *action.Action) (res Result) {
	if err := ctx.Err(); err != nil {
		return Result{Err: err}
	}
	dir := filepath.Dir(a.State)
	if err := ownPath(r.opt.Build, dir); err != nil {
		return Result{Err: err}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{Err: err}
	}
	lock := flock.New(lockOf(a))
	if ok, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil || !ok {
		return Result{Err: fmt.Errorf("%s: %w", lock.Path(), err)}
	}
	defer lock.Unlock()

	if err := endOf(dir); err != nil {
		return Result{Err: err}
	}
	if a.Missing != "" {
		return Result{Err: errors.New(a.Missing)}
	}
	declared, err := r.inputs.declared(a)
	if err != nil {
		return Result{Err: err}
	}
	needs, err := needed(a)
	if err != nil {
		return Result{Err: err}
	}
	st := readState(a.State)
	if st != nil && st.At != "" && st.At != at(a) {
		st.ID = "" // it was moved: what is in the build directory names the old place
	}
	var changed map[string]bool
	// What a build system that keeps results elsewhere read for them holds on, whatever the commands are now.
	kept := st != nil && a.Reread && st.Seen && st.ID != "" && !r.opt.Blind
	if kept || st != nil && st.ID == a.ID {
		changed = r.inputs.changed(a, st)
	}
	if st != nil && st.ID == a.ID {
		same := len(changed) == 0 && st.Inputs == declared && st.Needs == needs
		if same && !r.opt.Blind && !st.Failed && st.Seen && st.outputsThere() {
			moved := st.Taken != nil
			if moved && r.opt.Look {
				return Result{Err: errDue} // another result lies in dist
			}
			st.Taken = nil
			arts, put, err := r.handOn(a, st)
			if err != nil {
				return Result{Err: err}
			}
			if moved || put || st.touched {
				if err := st.write(a.State); err != nil {
					return Result{Err: err}
				}
			}
			return Result{Artifacts: arts, Cached: true}
		}
	}
	taken := st != nil && r.current(a, st, declared, needs)
	if explain.Unlinkable(a) == "" && (taken || !r.opt.Look) {
		if res, done := r.kept(a, st, taken, declared, needs); done {
			return res
		}
	}
	if r.opt.Look {
		return Result{Err: errDue}
	}
	last, since := st, changed // of what lies in dist
	if st != nil && st.Taken != nil && st.Taken.ID == a.ID {
		t := st.Taken
		last = &state{ID: t.ID, Inputs: t.Inputs, Needs: t.Needs, Programs: t.Programs, Seen: true, Taken: t}
		since, _ = r.inputs.changedOf(a, t.Reads, t.Programs)
	}
	why := reasons(a, last, since, declared, r.opt.Blind)
	if last != nil && last.ID == a.ID && last.Needs != needs {
		why = append(why, "what it needs has other files than before")
	}

	next := &state{ID: a.ID, Inputs: declared, Needs: needs, At: at(a)}
	if st != nil {
		next.Dist, next.Grown = st.Dist, st.Grown
	}
	// Of a directory whose files nobody saw come into being it is not known what they were made from.
	if st != nil && st.ID == a.ID && st.Needs == needs && st.Seen && !r.opt.Blind {
		next.Reads, next.Readers, next.Steps, next.Copied, next.same = st.Reads, st.Readers, st.Steps, st.Copied, !st.Failed
	} else if err := wipe(a); err != nil {
		return Result{Err: err}
	} else {
		next.fresh, next.Grown = true, rand.Text()
		if kept {
			next.Reads, next.Readers = st.Reads, st.Readers
		}
	}
	if err := os.Remove(a.State); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Result{Err: err}
	}
	if err := os.WriteFile(begun(dir), []byte(rand.Text()), 0o644); err != nil {
		return Result{Err: err}
	}
	defer func() {
		if ctx.Err() == nil {
			os.Remove(begun(dir))
		}
	}()
	defer r.goesOn(a)()
	start := time.Now()
	log := &bytes.Buffer{}
	for _, by := range answered {
		os.Remove(asked(a) + "-" + by)
	}
	if text := explain.Unlinkable(a); text != "" {
		return Result{Err: errors.New(text)}
	}
	r.ahead(ctx, a, log)
	err = r.build(ctx, a, next, changed, log)
	log.WriteString(whoAnswered(a))
	if werr := os.WriteFile(filepath.Join(dir, "log"), log.Bytes(), 0o644); werr != nil && err == nil {
		err = werr
	}
	if ctx.Err() != nil {
		return Result{Err: ctx.Err()}
	}
	if err == nil {
		if hint := explain.Refused(a, log.String()); hint != "" {
			err = errors.New("the commands succeeded, but not as asked")
			next.ID = "" // they might not say it again: the next run starts anew
		}
	}
	var strict *strictError
	if errors.As(err, &strict) {
		next.ID = "" // what was configured is not asked again: the next run starts anew
	}
	var arts []Artifact
	if err == nil {
		err = next.collect(a)
	}
	if err == nil {
		arts, _, err = r.handOn(a, next)
	}
	if errors.Is(err, errNoSymbols) && st != nil && st.ID == a.ID {
		// An earlier run stripped what this one was the first to publish, and what was kept of it is gone.
		err = r.anew(ctx, a, next, log, false)
		if werr := os.WriteFile(filepath.Join(dir, "log"), log.Bytes(), 0o644); werr != nil && err == nil {
			err = werr
		}
		if err == nil {
			err = next.collect(a)
		}
		if err == nil {
			arts, _, err = r.handOn(a, next)
		}
	}
	if err == nil {
		err = prune(a, next)
	}
	next.Failed = err != nil
	if werr := disk.Write(madeOf(a), a.MadeOf()); werr != nil && err == nil {
		err = werr
	}
	if werr := next.write(a.State); werr != nil && err == nil {
		err = werr
	}
	res = Result{Artifacts: arts, Err: err, Log: log.String(), Why: why}
	if text := strays(a, next.strayed); text != "" && err == nil {
		res.Notes = append(res.Notes, text)
	} else if text != "" {
		res.Hints = append(res.Hints, text)
	}
	if err == nil {
		remember(a, time.Since(start))
		r.rememberPeaks(a)
		if kerr := r.keep(a, next); kerr != nil {
			res.Notes = append(res.Notes, fmt.Sprintf("what was built is not kept for other builds: %v", kerr))
		}
	}
	if err != nil {
		res.Hints = slices.Concat(res.Hints, r.fullDisks(a), explain.Hints(a, res.Log+"\n"+err.Error()))
		if strict != nil {
			res.Hints = append(res.Hints, strict.hint())
		}
	}
	return res
}

// errDue is the error of an action where nothing is to be done.
var errDue = errors.New("there is something to do")

// handOn puts the action's outputs where they are wanted: into dist, and into the prefix for those that need them.
func (r *runner) handOn(a *action.Action, st *state) (arts []Artifact, moved bool, err error) {
	if !a.Host {
		if arts, moved, err = r.publish(a, st); err != nil {
			return nil, false, err
		}
	}
	if a.Linked || a.Started {
		err = r.prefix(a, st)
	}
	return arts, moved, err
}

// fullDisks says where a failed action may have found no room: programs tell of that in many ways, a linker by SIGBUS.
func (r *runner) fullDisks(a *action.Action) []string {
	const room = 16 << 20 // what a compiler writes at once
	var out []string
	for _, dir := range []string{filepath.Dir(a.State), r.opt.Environ.Lookup("TMPDIR")} {
		if bytes, known := free(dir); dir != "" && known && bytes < room {
			out = append(out, fmt.Sprintf("the disk is full: %.1f MB are free where %s is; "+
				"\"xbuild store gc --older-than 24h\" removes what the store has and was not used for a day", float64(bytes)/(1<<20), dir))
		}
	}
	return out
}

// lockOf is a file that is locked by who works in an action's directory.
func lockOf(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "lock") }

// begun is a file that lies in an action's directory while its commands run. It holds a word that is in the environment
// of each of their processes.
func begun(dir string) string { return filepath.Join(dir, "begun") }

// runVariable is the variable with that word.
const runVariable = "XBUILD_RUN"

// endOf ends what is left of a run that was killed together with all who wait for it: a rule of a Makefile that goes on
// would write what it made of the old sources into this build.
func endOf(dir string) error {
	word, err := os.ReadFile(begun(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(word) > 0 {
		guard.EndMarked(runVariable + "=" + string(word))
	}
	return os.Remove(begun(dir))
}

// asked is the beginning of the names of the files in which programs that are asked for the machine note it
// (compose.View.Answers).
func asked(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "asked") }

var answered = []string{"platform", "host"}

// whoAnswered says for the log for which machine they answered, and how that is changed.
func whoAnswered(a *action.Action) string {
	out := ""
	for _, by := range answered {
		question, err := os.ReadFile(asked(a) + "-" + by)
		if err != nil {
			continue
		}
		machine, other, otherwise := a.Platform.Name, answered[1], "this machine"
		if by == "host" {
			machine, other, otherwise = otherwise, answered[0], a.Platform.Name
		}
		out += fmt.Sprintf("xbuild: %s and its like answered for %s; with uname = %q in [target.%s] they answer for %s\n", strings.TrimSpace(string(question)), machine, other, a.Target, otherwise)
	}
	return out
}

// wipe deletes what an action's commands made.
func wipe(a *action.Action) error {
	return errors.Join(disk.RemoveAll(a.Top), disk.RemoveAll(a.Stage), disk.RemoveAll(keptBy(a)))
}

// build runs the action's commands, and remembers what they read. Where that shows that the build system did not notice
// what has changed, it builds anew.
func (r *runner) build(
	ctx context.Context, a *action.Action, st *state, changed map[string]bool, log *bytes.Buffer,
) error {
	run := &actionRun{again: map[string]bool{}, anew: r.opt.Blind}
	for _, read := range st.Reads {
		if kind, ok := changed[read.Path]; ok {
			for _, i := range read.who(kind) {
				run.again[st.Readers[i]] = true
			}
		}
	}
	before := map[string]bool{} // what was asked of them in an earlier run holds
	for _, read := range st.Reads {
		if _, ok := changed[read.Path]; st.same && !ok {
			before[read.Path] = true
		}
	}
	err := r.watched(ctx, a, st, run, log)
	if run.record == nil || ctx.Err() != nil {
		return err
	}
	missed := r.inputs.stale(a, st, changed, run.record)
	// Where the commands failed, compilers that were not run again are those that it did not come to. Other programs
	// may be why: what CMake listed is gone, and it was not asked again.
	if err != nil && (a.Reread || !slices.ContainsFunc(missed, func(m miss) bool { return !m.compiler })) {
		missed = nil
	}
	if len(missed) > 0 {
		for _, m := range missed {
			fmt.Fprintf(log, "xbuild: %s\n", m.text)
		}
		fmt.Fprintln(log, "xbuild: building anew")
		return r.anew(ctx, a, st, log, !slices.ContainsFunc(missed, func(m miss) bool { return !m.compiler }))
	}
	if err = r.ran(a, st, run, err); err != nil {
		return err
	}
	files := unseen(a, st)
	maps.DeleteFunc(files, func(path string, _ bool) bool { return before[path] })
	if len(files) == 0 {
		return nil
	}
	n, known, err := r.forgetResults(ctx, a, files, log)
	if err != nil || !known {
		fmt.Fprintf(log, "xbuild: what an earlier result was made from is not known: building anew\n")
		return r.anew(ctx, a, st, log, false)
	}
	if n == 0 {
		return nil // for other platforms
	}
	fmt.Fprintf(log, "xbuild: what %d results of an earlier build were made from is not known: they are made again\n", n)
	run = &actionRun{}
	err = r.watched(ctx, a, st, run, log)
	if run.record == nil || ctx.Err() != nil {
		return err
	}
	return r.ran(a, st, run, err)
}

// anew builds from nothing. Where compilers alone missed something, results that compilers have no part in are used.
func (r *runner) anew(ctx context.Context, a *action.Action, st *state, log *bytes.Buffer, compilers bool) error {
	run := &actionRun{anew: true}
	if compilers && a.Reread {
		n, known, err := r.forgetResults(ctx, a, nil, log)
		run.forgot = err == nil && known && n > 0
	}
	if err := wipe(a); err != nil {
		return err
	}
	st.Steps, st.Copied, st.fresh, st.Grown = nil, nil, true, rand.Text()
	if !run.forgot {
		st.Reads, st.Readers = nil, nil
	}
	err := r.watched(ctx, a, st, run, log)
	if run.record == nil || ctx.Err() != nil {
		return err
	}
	return r.ran(a, st, run, err)
}

// ran remembers what a run read. The error is the run's, and what it lacked.
func (r *runner) ran(a *action.Action, st *state, run *actionRun, err error) error {
	r.inputs.remember(a, st, run.record)
	st.Seen = !run.record.Partial()
	st.strayed = r.inputs.strayed(a, run.record, r.opt.Environ.Lookup("HOME"))
	r.keepSteps(a, st, run)
	if text, certain := r.inputs.outside(a, run.record); text != "" && (err != nil || certain && !a.Rooted) {
		if err == nil {
			err = errors.New("the commands succeeded, without a file of the project")
		}
		err = fmt.Errorf("%w\n%s", err, text)
	}
	return err
}

func (r *runner) watched(ctx context.Context, a *action.Action, st *state, run *actionRun, log *bytes.Buffer) error {
	if !r.opt.Blind {
		run.record = r.inputs.record(a)
	}
	r.mu.Lock()
	if r.runs == nil {
		r.runs = map[string]*actionRun{}
	}
	r.runs[a.State] = run
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.runs, a.State)
	}()
	if err := r.run(ctx, a, st, run, log); err != nil {
		return err
	}
	r.outputs(a)
	return nil
}

func (r *runner) run(ctx context.Context, a *action.Action, st *state, run *actionRun, log *bytes.Buffer) error {
	if a.HostDir != "" {
		if err := hosttools.Link(a.HostDir, a.Seen); err != nil {
			return fmt.Errorf("links to the host's programs: %w", err)
		}
	}
	if a.Copy {
		if st.Copied == nil {
			st.Copied = map[string]string{}
		}
		left := func(path string) bool { return leftOut(a, path) }
		if err := disk.CopyTree(a.Root, a.Top, left, r.inputs.skip, st.Copied); err != nil {
			return fmt.Errorf("copy of the source: %w", err)
		}
	}
	if err := os.MkdirAll(a.Build, 0o755); err != nil {
		return err
	}
	if err := r.hostPart(a, run); err != nil {
		return err
	}
	if a.LinkFile != "" {
		if err := linkFile(a); err != nil {
			return err
		}
	}
	if err := disk.RemoveAll(a.Stage); err != nil {
		return err
	}
	os.Remove(diagnostics(a)) // of a run that was ended
	if st.Steps == nil {
		st.Steps = map[string]string{}
	}
	for i := 0; i < len(a.Steps); {
		j := i
		for j < len(a.Steps) && a.Steps[j].Group == a.Steps[i].Group {
			j++
		}
		var mu sync.Mutex // the log's and the state's
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(r.pool.Size())
		for _, s := range a.Steps[i:j] {
			g.Go(func() error {
				mu.Lock()
				done := st.stepDone(s, run.again)
				mu.Unlock()
				if done {
					return nil
				}
				var out bytes.Buffer
				var err error
				if !r.takeStep(a, s, run, &out) {
					err = r.step(gctx, a, s, &out)
				}
				mu.Lock()
				defer mu.Unlock()
				if gctx.Err() != nil && errors.Is(err, gctx.Err()) {
					return err
				}
				log.Write(out.Bytes())
				if err != nil {
					return fmt.Errorf("%s: %w", s.Name, err)
				}
				st.stepSucceeded(s)
				return nil
			})
		}
		err := g.Wait()
		if strict := r.strict(ctx, a, j-1, err != nil, log); strict != nil {
			err = errors.Join(err, strict)
		}
		if err != nil {
			return err
		}
		i = j
	}
	return nil
}

// step runs one step, which may be more than a command.
func (r *runner) step(ctx context.Context, a *action.Action, s action.Step, log *bytes.Buffer) error {
	if s.Node != nil {
		return table.Of(a.Language).Step(ctx, r.lends(), a, s, log)
	}
	return r.command(ctx, a, s, log)
}

// command runs one command. Its processes are a group of their own, which ends with ctx and with this process.
func (r *runner) command(ctx context.Context, a *action.Action, s action.Step, log *bytes.Buffer) error {
	if len(s.Forget) > 0 && r.running(a).again[readerIn(a, s.Command, real(s.Dir))] {
		for _, f := range s.Forget {
			if err := disk.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	if s.WhenMissing != "" {
		if _, err := os.Stat(s.WhenMissing); err == nil {
			return nil
		}
	}
	for _, f := range s.Remove {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, f := range []string{s.Output, s.Stdout} {
		if f != "" {
			if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
				return err
			}
		}
	}
	e := r.opt.Environ.Merge(a.Env).Merge(s.Env)
	argv, files, give, err := r.shared(ctx, a, s, &e)
	if err != nil {
		return err
	}
	defer give()
	fmt.Fprintf(log, "+ %s\n", strings.Join(argv, " "))
	run := r.running(a)
	if run.anew && !run.forgot {
		e = e.Merge(s.Anew)
	}
	e.Set("XBUILD", r.opt.XBuild)
	if e.Lookup("XBUILD_UNAME") != "" {
		e.Set("XBUILD_ASKED", asked(a))
	}
	e.Set(unstripped.Variable, keptBy(a))
	if word, err := os.ReadFile(begun(filepath.Dir(a.State))); err == nil && !r.whole {
		e.Set(runVariable, string(word))
	}
	listen(a, &e)
	if a.HostDir != "" && !r.whole {
		e.Set("XBUILD_HOST_TOOLS", a.HostDir)
	}
	e.Set("PATH", r.path(a))
	if r.opt.Offline {
		e.Set("GOPROXY", "off")
		e.Set("CARGO_NET_OFFLINE", "true")
	}
	program, err := disk.LookPath(argv[0], e.Lookup("PATH"))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir = s.Dir
	cmd.Env = e.Strings()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	var out *os.File
	if s.Stdout != "" {
		if out, err = os.Create(s.Stdout); err != nil {
			return err
		}
		defer out.Close()
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	diesWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	// The kernel sends the parent-death signal when the thread that started the child ends, so the thread stays ours
	// until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := cmd.Run
	if run.record != nil {
		start = func() error { return run.record.Run(cmd, made(s)) }
	}
	err = start()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left running would go on writing
	}
	if err == nil {
		r.measure(a, s, cmd.ProcessState)
	}
	if err != nil {
		if s.WhenMissing != "" {
			os.Remove(s.WhenMissing) // it may be there already (config.status is before what it makes), and the step is not done
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("%s ended with %s", filepath.Base(argv[0]), exit.ProcessState)
		}
		return err
	}
	return nil
}

// shared waits for the memory and the slots of a command. A step with a number of jobs in it gets as many as are free,
// and its share at the most; of those that know a jobserver, each job takes one of its own. give puts them back.
func (r *runner) shared(
	ctx context.Context, a *action.Action, s action.Step, e *env.Environment,
) (argv []string, files []*os.File, give func(), err error) {
	several := slices.ContainsFunc(s.Command, func(arg string) bool { return strings.Contains(arg, action.Jobs) })
	own := e.Lookup("MAKEFLAGS") != "" // the project's
	client := s.Jobserver != "" && several && !own && r.pool.Flags() != ""
	most := 1
	if several && !client {
		r.mu.Lock()
		most = shareOf(r.pool.Size(), r.left(a), r.busy)
		r.mu.Unlock()
	}
	free, err := r.memory.Take(ctx, r.first[a], r.peak(a, s))
	if err != nil {
		return nil, nil, nil, err
	}
	n, put, err := r.pool.Take(ctx, r.first[a], most)
	if err != nil {
		free()
		return nil, nil, nil, err
	}
	give = func() {
		for _, f := range files {
			f.Close()
		}
		put()
		free()
	}
	if several && !own {
		flags := r.pool.Flags()
		if client && s.Jobserver == catalog.JobserverDescriptors {
			if flags, files, err = r.pool.Files(3); err != nil {
				give()
				return nil, nil, nil, err
			}
		}
		if flags != "" {
			e.Set("MAKEFLAGS", flags)
		}
	}
	for _, arg := range s.Command {
		if client && strings.Contains(arg, action.Jobs) {
			continue
		}
		argv = append(argv, strings.ReplaceAll(arg, action.Jobs, strconv.Itoa(n)))
	}
	return argv, files, give, nil
}

// left is how much there is to do from an action on, in seconds; where that is not known it is the same of all.
func (r *runner) left(a *action.Action) float64 {
	if left, ok := r.first[a]; ok {
		return left
	}
	return 1
}

// goesOn counts an action among those that go on, until ended is called.
func (r *runner) goesOn(a *action.Action) (ended func()) {
	count := func(left float64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy += left
	}
	count(r.left(a))
	return func() { count(-r.left(a)) }
}

// path is the PATH of an action's commands.
func (r *runner) path(a *action.Action) string {
	tail := r.opt.Host.Path
	if a.HostDir != "" && !r.whole {
		tail = a.HostDir
	}
	return strings.Join(append(slices.Clone(a.Path), tail), ":")
}

func prepareBuildDir(project, dir string) error {
	if err := ownPath(project, dir); err != nil {
		return err
	}
	tag, now := filepath.Join(dir, "CACHEDIR.TAG"), time.Now() // the store's gc sees by it which are in use
	if err := os.Chtimes(tag, now, now); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return hint.Add(fmt.Errorf("the build directory: %w", err),
			"name another one: --build-dir DIR, or XBUILD_BUILD_DIR")
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(tag, []byte("Signature: 8a477f597d28d172789f06886806bc55\n# xbuild's build directory; see https://bford.info/cachedir/\n"), 0o644)
}

// ownPath refuses a directory below another one to which a link leads on the way, or which is one: a project that
// somebody else made would have this user's files written through it. What the caller named outside is the caller's.
func ownPath(top, dir string) error {
	rel, err := filepath.Rel(top, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	path := top
	for part := range strings.SplitSeq(filepath.Clean(rel), string(filepath.Separator)) {
		path = filepath.Join(path, part)
		if target, err := os.Readlink(path); err == nil {
			return fmt.Errorf("%s is a link to %s, and xbuild writes through none: remove it, or name the directory itself (--output; build in [project])", path, target)
		}
	}
	return nil
}

// temporaryPrefix begins the names of directories for temporary files of commands.
const temporaryPrefix = "xbuild-commands-"

// temporary gives the commands a directory of their own for temporary files, which is removed with all that they leave
// in it, and what runs that were killed have left.
func (opt *Options) temporary() (done func(), err error) {
	base := cmp.Or(opt.Environ.Lookup("TMPDIR"), os.TempDir())
	SweepTemporary(base)
	dir, done, err := temporaryIn(base)
	if err == nil {
		opt.Environ = opt.Environ.Merge(env.Environment{{Name: "TMPDIR", Value: dir}})
	}
	return done, err
}

// temporaryIn makes a directory that a sweep leaves alone until done, which removes it.
func temporaryIn(base string) (dir string, done func(), err error) {
	for range 100 {
		if dir, err = os.MkdirTemp(base, temporaryPrefix); err != nil {
			return "", nil, err
		}
		lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
		ok, err := lock.TryLock()
		if _, gone := os.Lstat(dir); err == nil && ok && gone == nil {
			return dir, func() {
				disk.RemoveAll(dir)
				lock.Unlock()
			}, nil
		}
		lock.Close() // a sweep came between the two
	}
	return "", nil, fmt.Errorf("no temporary directory can be kept in %s: something removes them", base)
}

// Fleeting tells paths of which no result depends on what they are: what a run makes and removes beside its actions,
// what it keeps to order them, and directories and files below which nothing is an input. A slash behind a path makes
// it the names in a directory.
func (opt *Options) Fleeting(results []Result) func(path string) bool {
	own := map[string]bool{}
	for _, path := range newInputs(*opt).ignore {
		own[path] = true
	}
	for _, r := range results {
		own[lockOf(r.Action)], own[placing(r.Action)], own[took(r.Action)], own[peaksOf(r.Action)] = true, true, true, true
	}
	return func(path string) bool {
		if jobs.Fleeting(opt.Build, opt.Slots.Runtime, path) || own[path] {
			return true
		}
		for _, base := range []string{opt.Environ.Lookup("TMPDIR"), os.TempDir()} {
			name, ok := strings.CutPrefix(path, base+"/")
			if base != "" && ok && (name == "" || strings.HasPrefix(name, temporaryPrefix)) {
				return true
			}
		}
		return false
	}
}

// SweepTemporary removes the directories for temporary files that nobody has locked: those of runs that were killed.
func SweepTemporary(base string) {
	left, err := filepath.Glob(filepath.Join(escapeGlob(base), temporaryPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
		if ok, err := lock.TryLock(); err == nil && ok {
			disk.RemoveAll(dir)
		}
		lock.Close()
	}
}
