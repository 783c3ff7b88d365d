package execute

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/action"
	"xbuild/internal/env"
	"xbuild/internal/lang/table"
	"xbuild/internal/lazyregexp"
)

// A Test is one target's test for one platform, and how it is to be run.
type Test struct {
	Action   *action.Action
	Steps    []action.Step
	Emulated bool   // its programs run under QEMU
	Skip     string // why it is not run
	Broken   error  // why it cannot be run: the build's error
}

// TestOptions say how tests are run.
type TestOptions struct {
	Options
	Emulate bool             // "xbuild run" uses QEMU even where the host runs the program itself
	Timeout time.Duration    // for each test; 0 means none
	Done    func(TestResult) // called after each test, one at a time
}

// What becomes of a test.
const (
	Passed  = "passed"
	Failed  = "failed"
	Skipped = "skipped"
)

// A TestResult is what became of one test.
type TestResult struct {
	Target   string  `json:"target"`
	Platform string  `json:"platform"`
	Result   string  `json:"result"`           // passed, failed or skipped
	Reason   string  `json:"reason,omitempty"` // why it failed or was skipped
	Emulated bool    `json:"emulated"`
	Node     string  `json:"node,omitempty"`   // the version of Node that it ran in
	Seconds  float64 `json:"seconds"`          // 0 where nothing was started
	Output   string  `json:"output,omitempty"` // what it printed
	Started  bool    `json:"-"`                // false where it was skipped, or its program not built

	equal  bool
	stdout []byte
}

// RunTests runs tests side by side. Those that fail do not stop others; the results are in the order of the tests.
func RunTests(ctx context.Context, tests []Test, opt TestOptions) ([]TestResult, error) {
	opt.Slots = Slots{} // a test's time is limited, and it may start builds
	r, end := newRunner(opt.Options, opt.Build)
	defer end()
	r.whole = true
	results := make([]TestResult, len(tests))
	var g errgroup.Group
	g.SetLimit(r.pool.Size())
	var mu sync.Mutex
	for i, t := range tests {
		g.Go(func() error {
			defer r.goesOn(t.Action)()
			start := time.Now()
			res := r.test(ctx, t, opt, &start)
			res.Target, res.Platform, res.Emulated, res.Node = t.Action.Target, t.Action.OCI, t.Emulated, t.node()
			if res.Started = t.Skip == "" && t.Broken == nil; res.Started {
				res.Seconds = time.Since(start).Seconds()
			}
			results[i] = res
			if opt.Done != nil {
				mu.Lock()
				defer mu.Unlock()
				opt.Done(res)
			}
			return nil
		})
	}
	g.Wait()
	if err := ctx.Err(); err != nil {
		return results, err
	}
	compare(results)
	return results, nil
}

// node is the version of Node that a test runs in: the range that the project names where there is none.
func (t Test) node() string {
	for _, s := range t.Steps {
		if s.In != nil {
			return cmp.Or(s.In.Node.Version, s.In.Range)
		}
	}
	return ""
}

// test runs one test. It sets start anew where it had to wait for another that works in the same directory.
func (r *runner) test(ctx context.Context, t Test, opt TestOptions, start *time.Time) TestResult {
	a := t.Action
	switch {
	case t.Skip != "":
		return TestResult{Result: Skipped, Reason: t.Skip}
	case t.Broken != nil:
		return TestResult{Result: Failed, Reason: "not built: " + t.Broken.Error()}
	case ctx.Err() != nil:
		return TestResult{Result: Failed, Reason: ctx.Err().Error()}
	}
	failed := func(err error) TestResult { return TestResult{Result: Failed, Reason: err.Error()} }
	work := filepath.Dir(a.State)
	if slices.ContainsFunc(t.Steps, func(s action.Step) bool { return s.Dir == a.Build || s.In != nil }) {
		// The commands may write into the build directory: no build at the same time.
		lock := flock.New(filepath.Join(work, "lock"))
		if ok, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil || !ok {
			return failed(fmt.Errorf("%s: %w", lock.Path(), err))
		}
		defer lock.Unlock()
		*start = time.Now()
	}
	tmp, done, note, err := scratch(t)
	if err != nil {
		return failed(err)
	}
	defer done()
	if opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Timeout)
		defer cancel()
	}
	more := env.Environment{{Name: "TMPDIR", Value: tmp}, {Name: "XBUILD_QUIET", Value: "1"}}
	if opt.Emulate {
		more.Set("XBUILD_EMULATE", "1")
	}
	if opt.Offline {
		more.Set("XBUILD_OFFLINE", "1")
	}
	more.Set("GOTMPDIR", os.TempDir()) // Go builds test programs where TMPDIR says, and a tmpfs may be small
	res := TestResult{Result: Passed, equal: a.Equal}
	var log bytes.Buffer
	ran := false
	for i, s := range t.Steps {
		s.Env = s.Env.Merge(more)
		if a.Equal {
			s.Stdout = filepath.Join(work, fmt.Sprintf("test.%d.stdout", i))
		}
		var out bytes.Buffer
		var err error
		if s.In != nil {
			err = table.Of(a.Language).Test(ctx, r.lends(), a, s, opt.Emulate, &out)
		} else {
			err = r.command(ctx, a, s, &out)
		}
		if a.Equal {
			data, rerr := os.ReadFile(s.Stdout)
			if rerr != nil && err == nil {
				err = rerr
			}
			out.Write(data)
			res.stdout = append(res.stdout, data...)
		}
		log.Write(out.Bytes())
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("it took longer than %v (--timeout)", opt.Timeout)
			}
			res.Result, res.Reason = Failed, s.Name+": "+err.Error()
			break
		}
		if s.Ran == "" {
			ran = true
		} else if ok, err := regexp.Match(s.Ran, out.Bytes()); err != nil {
			return failed(fmt.Errorf("recipes/%s.toml: %s: ran: %w", a.Recipe, s.Name, err))
		} else if ok {
			ran = true
		}
	}
	if res.Result == Passed && !ran {
		res.Result, res.Reason = Skipped, t.Steps[len(t.Steps)-1].Name+" found no tests"
	}
	if res.Result == Failed && note != "" && bytes.Contains(log.Bytes(), []byte(overflow)) {
		fmt.Fprintf(&log, "%s\n", note)
	}
	if res.Result == Failed {
		for _, h := range testHints {
			if h.match.Match(log.Bytes()) {
				fmt.Fprintf(&log, "hint: %s\n", h.hint)
				break
			}
		}
	}
	res.Output = log.String()
	if err := os.WriteFile(filepath.Join(work, "test.log"), log.Bytes(), 0o644); err != nil && res.Result == Passed {
		return failed(err)
	}
	return res
}

// testHints are what to do where a test's command line did not start a program, by what shells say of it.
var testHints = []struct {
	match *lazyregexp.Regexp
	hint  string
}{
	{lazyregexp.New(`Exec format error|cannot execute binary file`), `the host starts no programs of other platforms by itself: "$XBUILD" run FILE does, and after "sudo xbuild binfmt install" the kernel does`},
	{lazyregexp.New(`(?m)^(?:/bin/)?sh: .*(?:not found|No such file or directory)$`), `a command line runs in the source directory: the target's files are in "$XBUILD_DIST", and "$XBUILD" run "$XBUILD_DIST/FILE" starts one of the platform; a list, test = ["FILE"], does that by itself`},
}

// overflow is what strerror says of EOVERFLOW.
const overflow = "Value too large for defined data type"

// scratch makes a directory for a test's temporary files. For a 32-bit program under QEMU it is on a tmpfs where there
// is one: a program that was not built with -D_FILE_OFFSET_BITS=64 reads no directory of ext4, overlayfs and the like
// there (EOVERFLOW), because the offsets are the 64-bit host's. note says what a test that failed by that should know.
func scratch(t Test) (dir string, done func(), note string, err error) {
	if t.Emulated && t.Action.Platform.Bits == 32 {
		note = "A 32-bit program under QEMU gets EOVERFLOW from readdir on this machine's file systems unless it is built with -D_FILE_OFFSET_BITS=64\n(cflags in [platform.\"" + t.Action.OCI + "\"]); on a tmpfs it does not"
		if onTmpfs("/dev/shm") {
			SweepTemporary("/dev/shm")
			if dir, done, err := temporaryIn("/dev/shm"); err == nil {
				return dir, done, note + ", and $TMPDIR was on one.", nil
			}
		}
		note += ", and there is none to write to at /dev/shm."
	}
	dir, done, err = temporaryIn(os.TempDir())
	return dir, done, note, err
}

// compare fails the tests that print something else than most of those that are to print the same.
func compare(results []TestResult) {
	byTarget := map[string][]*TestResult{}
	var targets []string
	for i := range results {
		r := &results[i]
		if !r.equal || r.Result != Passed {
			continue
		}
		if byTarget[r.Target] == nil {
			targets = append(targets, r.Target)
		}
		byTarget[r.Target] = append(byTarget[r.Target], r)
	}
	for _, target := range targets {
		list := byTarget[target]
		count := map[string]int{}
		for _, r := range list {
			count[string(r.stdout)]++
		}
		most := list[0] // of as many, the first in the project's order
		for _, r := range list {
			if count[string(r.stdout)] > count[string(most.stdout)] {
				most = r
			}
		}
		for _, r := range list {
			if bytes.Equal(r.stdout, most.stdout) {
				continue
			}
			r.Result = Failed
			r.Reason = fmt.Sprintf("equal: it prints something else than %s", most.Platform)
			if n := count[string(most.stdout)] - 1; n > 0 {
				r.Reason += fmt.Sprintf(" and %d more", n)
			}
			r.Output += difference(most, r)
		}
	}
}

// difference shows where two outputs begin to differ.
func difference(a, b *TestResult) string {
	at := 0
	for at < len(a.stdout) && at < len(b.stdout) && a.stdout[at] == b.stdout[at] {
		at++
	}
	start := bytes.LastIndexByte(a.stdout[:at], '\n') + 1
	line := func(r *TestResult) string {
		rest := r.stdout[start:]
		if len(rest) == 0 {
			return "the end of its output"
		}
		text, _, _ := bytes.Cut(rest, []byte("\n"))
		if from := at - start; from > 60 {
			text = append([]byte("…"), text[min(len(text), from-40):]...)
		}
		if len(text) > 160 {
			text = append(slices.Clip(text[:160]), "…"...)
		}
		return fmt.Sprintf("%q", text)
	}
	width := max(len(a.Platform), len(b.Platform))
	return fmt.Sprintf("the outputs differ from line %d, byte %d (offset %d) on:\n  %-*s %s\n  %-*s %s\n",
		bytes.Count(a.stdout[:at], []byte("\n"))+1, at-start+1, at, width, a.Platform, line(a), width, b.Platform, line(b))
}

// Summary counts results.
func Summary(results []TestResult) string {
	count := map[string]int{}
	for _, r := range results {
		count[r.Result]++
	}
	var parts []string
	for _, word := range []string{Passed, Failed, Skipped} {
		parts = append(parts, fmt.Sprintf("%d %s", count[word], word))
	}
	return strings.Join(parts, ", ")
}
