package execute

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/platform"
)

// testOf is a test of shell commands for a platform, in a build directory of its own.
func testOf(t *testing.T, dir, target, name string, commands ...string) Test {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	a := &action.Action{Target: target, Platform: p, OCI: p.Name, Recipe: "cc", Source: dir, Build: filepath.Join(dir, filepath.FromSlash(p.Name), target, "build"), State: filepath.Join(dir, filepath.FromSlash(p.Name), target, "state.json")}
	if err := os.MkdirAll(a.Build, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		a.Test = append(a.Test, action.Step{Name: "step", Dir: dir, Command: []string{"sh", "-c", c}})
	}
	return Test{Action: a, Steps: a.Test}
}

func runTests(t *testing.T, opt TestOptions, tests ...Test) []TestResult {
	t.Helper()
	opt.Host = hosttools.On(os.Getenv("PATH"))
	results, err := RunTests(t.Context(), tests, opt)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// TestRunTests: what becomes of a test, and what is said of it.
func TestRunTests(t *testing.T) {
	dir := t.TempDir()
	skipped, broken := testOf(t, dir, "c", "linux/arm64", "touch ran"), testOf(t, dir, "d", "linux/arm64", "touch ran")
	skipped.Skip, broken.Broken = "no emulator", errors.New("the compiler says no")
	none, some := testOf(t, dir, "e", "linux/arm64", "echo no tests"), testOf(t, dir, "f", "linux/arm64", "echo no tests", "echo 2 tests passed")
	for _, x := range []Test{none, some} {
		for i := range x.Action.Test {
			x.Action.Test[i].Ran = "(?m)^[1-9][0-9]* tests passed"
		}
	}
	foreign := filepath.Join(dir, "foreign")
	elf := []byte(header(t, "linux/s390x", false))
	elf[18], elf[19] = 0xff, 0xff // e_machine: of no machine that the kernel may have been told of (binfmt_misc)
	if err := os.WriteFile(foreign, elf, 0o755); err != nil {
		t.Fatal(err)
	}
	var done []string
	results := runTests(t, TestOptions{Timeout: 20 * time.Second, Done: func(r TestResult) { done = append(done, r.Target) }},
		testOf(t, dir, "a", "linux/arm64", "echo well; echo done >&2"), testOf(t, dir, "b", "linux/arm64", "echo one", "echo bad >&2; exit 3", "echo never"), skipped, broken, none, some, testOf(t, dir, "g", "linux/arm64", "./nothing-there"), testOf(t, dir, "h", "linux/arm64", foreign))
	for i, want := range []TestResult{
		{Target: "a", Result: Passed, Output: "+ sh -c echo well; echo done >&2\nwell\ndone\n"},
		{Target: "b", Result: Failed, Reason: "step: sh ended with exit status 3", Output: "+ sh -c echo one\none\n+ sh -c echo bad >&2; exit 3\nbad\n"},
		{Target: "c", Result: Skipped, Reason: "no emulator"},
		{Target: "d", Result: Failed, Reason: "not built: the compiler says no"},
		{Target: "e", Result: Skipped, Reason: "step found no tests", Output: "+ sh -c echo no tests\nno tests\n"},
		{Target: "f", Result: Passed, Output: "+ sh -c echo no tests\nno tests\n+ sh -c echo 2 tests passed\n2 tests passed\n"},
	} {
		got := results[i]
		if started := i != 2 && i != 3; got.Started != started || !started && got.Seconds != 0 {
			t.Errorf("%s: started %v, %g s", got.Target, got.Started, got.Seconds)
		}
		if got.Target != want.Target || got.Platform != "linux/arm64" || got.Result != want.Result || got.Reason != want.Reason || got.Output != want.Output {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a test that is skipped was run")
	}
	for i, hint := range map[int]string{6: testHints[1].hint, 7: testHints[0].hint} {
		if got := results[i]; got.Result != Failed || !strings.HasSuffix(got.Output, "\nhint: "+hint+"\n") {
			t.Errorf("of %s it is not said %q:\n%+v", got.Target, hint, got)
		}
	}
	if slices.Sort(done); strings.Join(done, "") != "abcdefgh" {
		t.Errorf("Done was called for %q", done)
	}
	if got := Summary(results); got != "2 passed, 4 failed, 2 skipped" {
		t.Errorf("Summary = %q", got)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "linux/arm64/b/test.log")); err != nil || string(data) != results[1].Output {
		t.Errorf("test.log: %q, %v", data, err)
	}
}

// TestTestEnvironment: a temporary directory for each test, on a tmpfs for 32-bit programs under QEMU, gone afterwards;
// and what "xbuild run" is told.
func TestTestEnvironment(t *testing.T) {
	dir := t.TempDir()
	show := `echo "$TMPDIR $XBUILD_QUIET $XBUILD_EMULATE $XBUILD_OFFLINE $XBUILD_DIST"; test -d "$TMPDIR" && echo x > "$TMPDIR/file"`
	plain, small := testOf(t, dir, "a", "linux/arm64", show), testOf(t, dir, "b", "linux/arm/v5", show)
	plain.Action.Test[0].Env = env.Environment{{Name: "XBUILD_DIST", Value: "/dist"}}
	small.Emulated = true
	results := runTests(t, TestOptions{Emulate: true, Options: Options{Offline: true}}, plain, small)
	for i, r := range results {
		if r.Result != Passed {
			t.Fatalf("%+v", r)
		}
		_, line, _ := strings.Cut(r.Output, "\n")
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != "1" || f[2] != "1" || f[3] != "1" || i == 0 && f[4] != "/dist" {
			t.Errorf("environment: %q", line)
		}
		if _, err := os.Stat(f[0]); err == nil {
			t.Errorf("%s is still there", f[0])
		}
		if tmpfs := strings.HasPrefix(f[0], "/dev/shm/"); i == 1 && onTmpfs("/dev/shm") != tmpfs {
			t.Errorf("a 32-bit program under QEMU has TMPDIR %s", f[0])
		}
	}
}

// TestOverflow: a 32-bit program under QEMU that cannot read a directory fails with the reason beside it.
func TestOverflow(t *testing.T) {
	dir := t.TempDir()
	x := testOf(t, dir, "a", "linux/386", "echo 'ls: Value too large for defined data type'; exit 1")
	x.Emulated = true
	y := testOf(t, dir, "b", "linux/arm64", "echo 'ls: Value too large for defined data type'; exit 1")
	y.Emulated = true
	results := runTests(t, TestOptions{}, x, y)
	if !strings.Contains(results[0].Output, `-D_FILE_OFFSET_BITS=64`+"\n"+`(cflags in [platform."linux/386"])`) {
		t.Errorf("output %q", results[0].Output)
	}
	if strings.Contains(results[1].Output, "_FILE_OFFSET_BITS") {
		t.Errorf("a 64-bit program: output %q", results[1].Output)
	}
}

func TestTestTimeout(t *testing.T) {
	dir := t.TempDir()
	results := runTests(t, TestOptions{Timeout: 300 * time.Millisecond}, testOf(t, dir, "a", "linux/arm64", "echo begun; sleep 60"))
	if r := results[0]; r.Result != Failed || r.Reason != "step: it took longer than 300ms (--timeout)" || !strings.Contains(r.Output, "begun") || r.Seconds > 30 {
		t.Errorf("%+v", r)
	}
}

func TestTestsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	go func() {
		for range 200 {
			if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		cancel()
	}()
	opt := TestOptions{}
	opt.Host = hosttools.On(os.Getenv("PATH"))
	start := time.Now()
	if _, err := RunTests(ctx, []Test{testOf(t, dir, "a", "linux/arm64", "touch begun; sleep 60")}, opt); !errors.Is(err, context.Canceled) || time.Since(start) > 30*time.Second {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
}

// TestEqual: what prints something else than most fails, with the first difference.
func TestEqual(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name    string
		outputs map[string]string // platform -> what it prints
		failed  string
		says    []string
	}{
		{"all the same", map[string]string{"linux/amd64": "1", "linux/arm64": "1"}, "", nil},
		{"one of three", map[string]string{"linux/amd64": `a\nbytes 04 03\nend\n`, "linux/arm64": `a\nbytes 04 03\nend\n`, "linux/s390x": `a\nbytes 03 04\nend\n`}, "linux/s390x",
			[]string{"equal: it prints something else than linux/amd64 and 1 more", "line 2, byte 8 (offset 9)", `linux/amd64 "bytes 04 03"`, `linux/s390x "bytes 03 04"`}},
		{"one of two", map[string]string{"linux/amd64": "1", "linux/s390x": ""}, "linux/s390x", []string{"than linux/amd64", `linux/amd64 "1"`, "linux/s390x the end of its output"}},
		{"the first is the odd one", map[string]string{"linux/amd64": "2", "linux/arm64": "1", "linux/s390x": "1"}, "linux/amd64", []string{"than linux/arm64 and 1 more"}},
		{"the end of a line", map[string]string{"linux/amd64": `a\n`, "linux/arm64": "a"}, "linux/arm64", []string{"line 1, byte 2 (offset 1)"}},
		{"bytes that are no text", map[string]string{"linux/amd64": `\001\377`, "linux/arm64": `\001\376`}, "linux/arm64", []string{`"\x01\xff"`, `"\x01\xfe"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tests []Test
			for _, p := range []string{"linux/amd64", "linux/arm64", "linux/s390x"} {
				if out, ok := c.outputs[p]; ok {
					x := testOf(t, dir, "x", p, "printf '"+out+"'; echo "+p+" >&2")
					x.Action.Equal = true
					tests = append(tests, x)
				}
			}
			var failed []string
			for _, r := range runTests(t, TestOptions{}, tests...) {
				if r.Result != Failed {
					continue
				}
				failed = append(failed, r.Platform)
				for _, want := range c.says {
					if !strings.Contains(r.Reason+"\n"+r.Output, want) {
						t.Errorf("%s\n%s\nlacks %q", r.Reason, r.Output, want)
					}
				}
			}
			if got := strings.Join(failed, " "); got != c.failed {
				t.Errorf("failed: %q, want %q", got, c.failed)
			}
		})
	}
}
