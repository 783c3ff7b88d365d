package execute

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/env"
	"xbuild/internal/hosttools"
	"xbuild/internal/platform"
	"xbuild/internal/trace"
)

// A bench is a project in a directory of its own, whose commands are shell scripts.
type bench struct {
	t   *testing.T
	dir string
	opt Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, dir: dir}
	b.opt = Options{Jobs: 4, Build: filepath.Join(dir, ".xbuild"), Dist: filepath.Join(dir, "dist"), Host: hosttools.On(os.Getenv("PATH")), XBuild: "/bin/xbuild"}
	b.write("src/input", "one")
	return b
}

func (b *bench) write(name, text string) string {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return file
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *bench) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(b.dir, name))
	return err == nil
}

// action is one that runs scripts one after another and has one output.
func (b *bench) action(target, name, output string, scripts ...string) *action.Action {
	b.t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		b.t.Fatal(err)
	}
	work := filepath.Join(b.opt.Build, p.Name, target)
	a := &action.Action{
		Top: filepath.Join(work, "build"), Root: filepath.Join(b.dir, "src"),
		Target: target, Platform: p, OCI: p.Name, ID: action.ID("id of " + strings.Join(scripts, ";")), Source: filepath.Join(b.dir, "src"), Watch: filepath.Join(b.dir, "src"),
		Build: filepath.Join(work, "build"), Stage: filepath.Join(work, "stage"), State: filepath.Join(work, "state.json"),
		DistDir: b.opt.Dist, Dist: filepath.Join(b.opt.Dist, p.Name),
		Output: []action.Output{{Path: output}},
	}
	for i, s := range scripts {
		a.Steps = append(a.Steps, action.Step{Name: fmt.Sprintf("step %d", i), Group: i, Dir: a.Build, Command: []string{"sh", "-c", s}})
	}
	return a
}

func (b *bench) run(actions ...*action.Action) []Result {
	b.t.Helper()
	got, err := Run(b.t.Context(), &action.Graph{Actions: actions}, b.opt)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// one runs one action that must succeed.
func (b *bench) one(a *action.Action) Result {
	b.t.Helper()
	r := b.run(a)[0]
	if r.Err != nil {
		b.t.Fatalf("%v\n%s", r.Err, r.Log)
	}
	return r
}

func (b *bench) artifacts() []string {
	b.t.Helper()
	var list []Artifact
	if err := json.Unmarshal([]byte(b.read("dist/artifacts.json")), &list); err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, a := range list {
		out = append(out, a.Path)
	}
	return out
}

// TestRun: commands run once, and again only when there is a reason.
func TestRun(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello", `cat "$SRC"/input >hello; echo run >>"$SRC"/../runs`)
	a.Env = env.Environment{{Name: "SRC", Value: a.Source}}
	runs := func() int { return strings.Count(b.read("runs"), "run") }
	for i, c := range []struct {
		name   string
		change func()
		built  bool
	}{
		{"the first time", func() {}, true},
		{"nothing changed", func() {}, false},
		{"an input changed", func() { b.write("src/input", "two!") }, true},
		{"an input was touched", func() { os.Chtimes(filepath.Join(a.Source, "input"), time.Time{}, time.Unix(1e9, 0)) }, false},
		{"touched, and not looked at again", func() {}, false},
		{"a new file", func() { b.write("src/more", "") }, false},
		{"a file went", func() { os.Remove(filepath.Join(a.Source, "more")) }, false},
		{"a file became executable", func() { os.Chmod(filepath.Join(a.Source, "input"), 0o755) }, true},
		{"version control", func() { b.write("src/.git/HEAD", "x") }, false},
		{"another tool's cache", func() { b.write("src/cache/CACHEDIR.TAG", "x") }, false},
		{"the lock", func() { b.write("src/xbuild.lock", "x") }, false},
		{"another command", func() { a.ID = "another" }, true},
		{"the built file went", func() { os.Remove(filepath.Join(a.Build, "hello")) }, true},
		{"the state went", func() { os.Remove(a.State) }, true},
		{"the state is damaged", func() { os.WriteFile(a.State, []byte("{"), 0o644) }, true},
		{"dist went", func() { os.RemoveAll(filepath.Join(b.dir, "dist")) }, false},
		{"the dist file changed", func() { b.write("dist/linux/arm64/hello", "bad") }, false},
		{"the build directory went", func() { os.RemoveAll(b.opt.Build) }, true},
	} {
		before := 0
		if i > 0 {
			before = runs()
		}
		c.change()
		r := b.one(a)
		if built := runs() > before; built != c.built || r.Cached == c.built {
			t.Errorf("%s: built %v, cached %v, want built %v", c.name, built, r.Cached, c.built)
		}
		if b.read("dist/linux/arm64/hello") != b.read("src/input") {
			t.Errorf("%s: dist has %q, want %q", c.name, b.read("dist/linux/arm64/hello"), b.read("src/input"))
		}
		if len(r.Artifacts) != 1 || r.Artifacts[0].Path != "linux/arm64/hello" || r.Artifacts[0].Triplet != "aarch64-linux-gnu" || r.Artifacts[0].Size != int64(len(b.read("src/input"))) {
			t.Errorf("%s: artifacts %+v", c.name, r.Artifacts)
		}
	}
}

// TestFailure: one that fails stops no other, says what the commands said, and is tried again; what it made before is
// not an artifact any more.
func TestFailure(t *testing.T) {
	b := newBench(t)
	good := b.action("hello", "linux/amd64", "hello", "echo good >hello")
	bad := b.action("hello", "linux/arm64", "hello", "echo first", "echo 'hello.c:1: error: no' >&2; exit 3", "touch never")
	r := b.run(bad, good)
	if r[0].Err == nil || !strings.Contains(r[0].Err.Error(), "step 1: sh ended with exit status 3") || !strings.Contains(r[0].Log, "first\n") || !strings.Contains(r[0].Log, "hello.c:1: error: no\n") {
		t.Errorf("error %v, log %q", r[0].Err, r[0].Log)
	}
	if r[1].Err != nil || b.read("dist/linux/amd64/hello") != "good\n" {
		t.Errorf("the other one: %v", r[1].Err)
	}
	if b.exists(".xbuild/linux/arm64/hello/build/never") {
		t.Error("a command ran after one that failed")
	}
	if !strings.Contains(b.read(".xbuild/linux/arm64/hello/log"), "error: no") {
		t.Error("the log is not kept")
	}
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/amd64/hello"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
	if r := b.run(bad, good); r[0].Err == nil || r[0].Cached || !r[1].Cached {
		t.Errorf("the second time: %v, cached %v, %v", r[0].Err, r[0].Cached, r[1].Cached)
	}
	mended := b.action("hello", "linux/arm64", "hello", "echo mended >hello")
	b.one(mended)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/amd64/hello", "linux/arm64/hello"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
	b.run(bad)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/amd64/hello"}) {
		t.Errorf("after another failure artifacts.json lists %q", got)
	}
}

// TestUnknownProgram names what is missing.
func TestUnknownProgram(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello")
	a.Steps = []action.Step{{Name: "compile", Dir: a.Build, Command: []string{"no-such-compiler"}}}
	if r := b.run(a)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), `program "no-such-compiler" is neither in xbuild's toolchains for this target nor among the host's that it sees`) {
		t.Errorf("error %v", r.Err)
	}
}

// TestEnvironment: a command sees the action's variables over the caller's, the toolchains before PATH, and nothing of
// this process.
func TestEnvironment(t *testing.T) {
	t.Setenv("LEAK", "leaked")
	b := newBench(t)
	tool := b.write("tools/tool", "#!/bin/sh\necho the tool\n")
	if err := os.Chmod(tool, 0o755); err != nil {
		t.Fatal(err)
	}
	a := b.action("hello", "linux/arm64", "hello", `{ tool; echo "[$A $B $C $LEAK $XBUILD $GOPROXY]"; echo {jobs}; } >hello`)
	a.Path = []string{filepath.Dir(tool)}
	a.Env = env.Environment{{Name: "A", Value: "action"}, {Name: "B", Value: "action"}}
	a.Steps[0].Env = env.Environment{{Name: "A", Value: "step"}}
	b.opt.Environ = env.Environment{{Name: "B", Value: "caller"}, {Name: "C", Value: "caller"}}
	b.opt.Offline = true
	b.one(a)
	if got, want := b.read("dist/linux/arm64/hello"), "the tool\n[step action caller  /bin/xbuild off]\n4\n"; got != want {
		t.Errorf("the command saw %q, want %q", got, want)
	}
}

// TestSteps: standard output to a file, what is removed first, and what runs only while a file is missing.
func TestSteps(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello", "", "", "")
	a.Steps[0] = action.Step{Name: "stdout", Group: 0, Dir: a.Build, Command: []string{"sh", "-c", "cat " + a.Source + "/input >/dev/null; echo out; echo err >&2"}, Stdout: filepath.Join(a.Build, "deep/er/out")}
	a.Steps[1] = action.Step{Name: "once", Group: 1, Dir: a.Build, Command: []string{"sh", "-c", "echo x >>once; touch marker"}, WhenMissing: filepath.Join(a.Build, "marker")}
	a.Steps[2] = action.Step{Name: "remove", Group: 2, Dir: a.Build, Command: []string{"sh", "-c", `test ! -e hello && cat deep/er/out >hello`}, Remove: []string{filepath.Join(a.Build, "hello")}}
	for range 3 {
		b.one(a)
		b.write("src/input", b.read("src/input")+"x")
	}
	if b.read("dist/linux/arm64/hello") != "out\n" {
		t.Errorf("hello is %q", b.read("dist/linux/arm64/hello"))
	}
	if got := b.read(".xbuild/linux/arm64/hello/build/once"); got != "x\n" {
		t.Errorf("what runs while a file is missing ran %d times", strings.Count(got, "x"))
	}
}

// TestStepFailsLate: a step that fails after it has made the file which says that it is done is run again.
func TestStepFailsLate(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello", "", "", "")
	a.Steps = a.Steps[:1]
	a.Steps[0] = action.Step{Name: "configure", Group: 0, Dir: a.Build, Command: []string{"sh", "-c", "touch marker hello; echo x >>runs; test $(grep -c x runs) = 2"}, WhenMissing: filepath.Join(a.Build, "marker")}
	if b.run(a)[0].Err == nil {
		t.Fatal("a command that ends with 1 is no error")
	}
	b.one(a)
	if got := b.read(".xbuild/linux/arm64/hello/build/runs"); got != "x\nx\n" {
		t.Errorf("it ran %d times, want 2", strings.Count(got, "x"))
	}
}

// TestGroups: steps of one group run side by side, the next group when all have ended.
func TestGroups(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello", "", "", "")
	// Each of the two waits for the other: one after the other they would not end.
	for i := range 2 {
		a.Steps[i] = action.Step{Name: "pair", Group: 0, Dir: a.Build, Command: []string{"sh", "-c", fmt.Sprintf("touch %d; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do test -e %d && exit 0; sleep 0.2; done; exit 1", i, 1-i)}}
	}
	a.Steps[2] = action.Step{Name: "last", Group: 1, Dir: a.Build, Command: []string{"sh", "-c", "test -e 0 && test -e 1 && touch hello"}}
	b.one(a)
}

// TestOutput: a step that says what it makes runs again when something that it read changed, and only then.
func TestOutput(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/a.c", "a")
	b.write("src/a.h", "a")
	b.write("src/b.c", "b")
	a := b.action("hello", "linux/arm64", "hello", "", "", "")
	for i, name := range []string{"a", "b"} {
		o := filepath.Join(a.Build, name+".o")
		more := ""
		if name == "a" {
			more = "test -e early.h; cat a.h >/dev/null;"
		}
		a.Steps[i] = action.Step{Name: "compile " + name, Dir: a.Source, Output: o,
			Command: []string{"sh", "-c", fmt.Sprintf("echo %s >>%s/compiled; %s cat %[1]s.c >%[4]s", name, b.dir, more, o)}}
	}
	a.Steps[2] = action.Step{Name: "link", Group: 1, Dir: a.Build, Command: []string{"sh", "-c", "cat a.o b.o >hello"}}
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"at first", func() {}, "a b"},
		{"a source changed", func() { b.write("src/b.c", "b2") }, "b"},
		{"a header changed", func() { b.write("src/a.h", "a2") }, "a"},
		{"a file that nothing reads", func() { b.write("src/README", "x") }, ""},
		{"an object went, and nothing else says so", func() { os.Remove(filepath.Join(a.Build, "a.o")) }, ""},
		{"an object went", func() { os.Remove(filepath.Join(a.Build, "a.o")); b.write("src/b.c", "b3") }, "a b"},
		{"a header that was looked for is there", func() { b.write("src/early.h", "") }, "a"},
		{"another command", func() { a.Steps[0].Command = append(a.Steps[0].Command, "x"); b.write("src/b.c", "b4") }, "a b"},
		{"another ID", func() { a.ID = "another" }, "a b"},
	} {
		os.Remove(filepath.Join(b.dir, "compiled"))
		b.write("compiled", "")
		c.change()
		b.one(a)
		words := strings.Fields(b.read("compiled"))
		slices.Sort(words)
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: compiled %q, want %q", c.name, got, c.want)
		}
	}
}

// needTrace skips on machines where what commands read cannot be seen: there all is built anew every time.
func needTrace(t *testing.T) {
	t.Helper()
	if err := trace.Supported(); err != nil {
		t.Skip(err)
	}
}

// TestHalfDone: a file that a step with an output left half written when it failed is made again.
func TestHalfDone(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "hello", "")
	out := filepath.Join(a.Build, "hello")
	a.Steps[0] = action.Step{Name: "compile", Dir: a.Source, Output: out,
		Command: []string{"sh", "-c", fmt.Sprintf("echo half >%s; echo '%[1]s: input' >%[1]s.d; test -e %[2]s/go && echo whole >%[1]s", out, b.dir)}}
	if r := b.run(a)[0]; r.Err == nil {
		t.Fatal("no error")
	}
	b.write("go", "")
	b.one(a)
	if got := b.read("dist/linux/arm64/hello"); got != "whole\n" {
		t.Errorf("hello is %q", got)
	}
}

// TestCancel: a cancelled run ends its commands with all of their children, soon, and leaves neither artifact nor
// state.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// The shell ignores SIGTERM, and so does its child: what does not go on request is killed.
	a := b.action("slow", "linux/arm64", "slow", `trap '' TERM; echo half >slow; sh -c 'echo $$ >child; sleep 60; sleep 60' & echo $$ >parent; wait; wait`)
	waiting := b.action("waiting", "linux/arm64", "waiting", "touch waiting")
	b.opt.Jobs = 1
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range 3000 {
			if data, err := os.ReadFile(filepath.Join(a.Build, "child")); err == nil && len(data) > 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	got, err := Run(ctx, &action.Graph{Actions: []*action.Action{a, waiting}}, b.opt)
	if !errors.Is(err, context.Canceled) || !errors.Is(got[0].Err, context.Canceled) || !errors.Is(got[1].Err, context.Canceled) {
		t.Errorf("errors %v, %v, %v", err, got[0].Err, got[1].Err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, name := range []string{"parent", "child"} {
		pid, err := strconv.Atoi(strings.TrimSpace(b.read(".xbuild/linux/arm64/slow/build/" + name)))
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("the %s, process %d, still runs", name, pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if b.exists("dist") || b.exists(".xbuild/linux/arm64/slow/state.json") {
		t.Error("something is left as if it had been made")
	}
	if b.exists(".xbuild/linux/arm64/waiting/build/waiting") {
		t.Error("a command was started after the end")
	}
	// The next run starts with nothing of it.
	next := b.action("slow", "linux/arm64", "slow", "test ! -e slow && echo whole >slow")
	next.ID = a.ID
	b.one(next)
}

func gone(pid int) bool {
	for range 1000 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return true
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return true // dead, and nobody has waited for it yet
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// header is an ELF file of a platform: its header, and a PT_INTERP if it is dynamic.
func header(t *testing.T, name string, dynamic bool) string {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	if p.Class != elf.ELFCLASS64 {
		t.Fatal("64-bit platforms alone")
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if p.Data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	var b bytes.Buffer
	h := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(p.Class), byte(p.Data), 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(p.Machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Shentsize: 64}
	if dynamic {
		h.Phnum = 1
	}
	if err := binary.Write(&b, order, h); err != nil {
		t.Fatal(err)
	}
	if dynamic {
		binary.Write(&b, order, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: uint64(len(p.Interp)) + 1})
		b.WriteString(p.Interp + "\x00")
	}
	return b.String()
}

// ar is an archive with members.
func ar(members ...string) string {
	var b strings.Builder
	b.WriteString("!<arch>\n")
	for i, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", fmt.Sprintf("m%d.o/", i), 0, 0, 0, "644", len(m), m)
		if len(m)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// TestCheck: what is not for the platform is no artifact of it.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, content string
		static        bool
		want          string
	}{
		{"its own", header(t, "linux/arm64", true), false, ""},
		{"its own, static", header(t, "linux/arm64", false), true, ""},
		{"text", "#!/bin/sh\n", true, ""},
		{"empty", "", false, ""},
		{"three bytes", "\x7fEL", false, ""},
		{"the host's", header(t, "linux/amd64", true), false, "is for EM_X86_64 ELFCLASS64 ELFDATA2LSB, not for linux/arm64 (EM_AARCH64 ELFCLASS64 ELFDATA2LSB): the build used another compiler than $CC"},
		{"of another byte order", header(t, "linux/s390x", true), false, "is for EM_S390 ELFCLASS64 ELFDATA2MSB"},
		{"dynamic where static is asked for", header(t, "linux/arm64", true), true, "is linked dynamically, though static = true"},
		{"half an ELF file", header(t, "linux/arm64", true)[:30], false, "hello: "},
		{"an archive of its own", ar("no object", header(t, "linux/arm64", false)), false, ""},
		{"an archive of the host's", ar("symbols", header(t, "linux/amd64", false)), false, "hello(m1.o) is for EM_X86_64"},
		{"an empty archive", ar(), false, ""},
		{"a damaged archive", strings.Replace(ar("text", "more"), "4         `", "x         `", 1), false, "a damaged ar header at 8"},
		{"an archive with a huge member", strings.Replace(ar("text"), "4         `", "9999999999`", 1), false, "m0.o\" at 8 has 9999999999 bytes, of which 4 are there: the archive is cut short"},
		{"an archive cut short", ar("text", "more")[:80], false, "a damaged ar header at 72"},
		{"an archive of which a later member is the host's", ar(header(t, "linux/arm64", false), header(t, "linux/amd64", false)), false, "hello(m1.o) is for EM_X86_64"},
		{"another loader", strings.Replace(header(t, "linux/arm64", true), "ld-linux-aarch64.so.1", "ld-musl-aarch64.so.11", 1), false, "asks for the loader /lib/ld-musl-aarch64.so.11, which linux/arm64 does not have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			content := b.write("content", c.content)
			a := b.action("hello", "linux/arm64", "hello", "cp "+content+" hello")
			a.Static = c.static
			r := b.run(a)[0]
			if c.want == "" && r.Err != nil || c.want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), c.want)) {
				t.Errorf("error %v, want %q", r.Err, c.want)
			}
			if got := b.exists("dist/linux/arm64/hello"); got != (c.want == "") {
				t.Errorf("it is in dist: %v", got)
			}
		})
	}
}

// TestNothingPublished: where one of several outputs is not for the platform, none of them gets to dist, and what an earlier build left there stays.
func TestNothingPublished(t *testing.T) {
	b := newBench(t)
	bad := b.write("content", header(t, "linux/amd64", true))
	two := func(script string) *action.Action {
		a := b.action("hello", "linux/arm64", "a", script)
		a.Output = append(a.Output, action.Output{Path: "b"})
		return a
	}
	if r := b.run(two("echo new >a; cp " + bad + " b"))[0]; r.Err == nil || b.exists("dist/linux/arm64/a") {
		t.Errorf("error %v; the first output is in dist: %v", r.Err, b.exists("dist/linux/arm64/a"))
	}
	b.one(two("echo old >a; echo old >b"))
	if r := b.run(two("echo new >a; cp " + bad + " b"))[0]; r.Err == nil || b.read("dist/linux/arm64/a") != "old\n" || b.read("dist/linux/arm64/b") != "old\n" {
		t.Errorf("error %v; dist has %q and %q, want the files of the build before", r.Err, b.read("dist/linux/arm64/a"), b.read("dist/linux/arm64/b"))
	}
}

// TestPublish: names, links, modes, and that what is no output any more goes.
func TestPublish(t *testing.T) {
	b := newBench(t)
	script := "mkdir -p lib bin; echo a >bin/a; chmod 755 bin/a; echo b >lib/libb.so.1; ln -sf libb.so.1 lib/libb.so; echo c >c"
	a := b.action("hello", "linux/arm64", "bin/*", script)
	a.Output = append(a.Output, action.Output{Path: "lib/**"}, action.Output{Path: "c", Dist: "share/doc/C"})
	b.one(a)
	want := []string{"linux/arm64/a", "linux/arm64/libb.so", "linux/arm64/libb.so.1", "linux/arm64/share/doc/C"}
	if got := b.artifacts(); !slices.Equal(got, want) {
		t.Errorf("artifacts.json lists %q, want %q", got, want)
	}
	if to, err := os.Readlink(filepath.Join(b.dir, "dist/linux/arm64/libb.so")); err != nil || to != "libb.so.1" {
		t.Errorf("libb.so leads to %q, %v", to, err)
	}
	for name, mode := range map[string]fs.FileMode{"a": 0o755, "libb.so.1": 0o644} {
		if info, err := os.Stat(filepath.Join(b.dir, "dist/linux/arm64", name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
	for _, e := range b.names("dist/linux/arm64") {
		if strings.HasPrefix(e, ".xbuild") {
			t.Errorf("%s is left over", e)
		}
	}

	// Another link under the same name, fewer outputs; somebody else's file stays.
	b.write("dist/linux/arm64/mine", "mine")
	next := b.action("hello", "linux/arm64", "lib/libb*", "mkdir -p lib; echo b >lib/libb.so.2; ln -sf libb.so.2 lib/libb.so")
	b.one(next)
	if to, _ := os.Readlink(filepath.Join(b.dir, "dist/linux/arm64/libb.so")); to != "libb.so.2" {
		t.Errorf("libb.so leads to %q", to)
	}
	if got, want := b.names("dist/linux/arm64"), []string{"libb.so", "libb.so.2", "mine", "share"}; !slices.Equal(got, want) {
		t.Errorf("dist has %q, want %q", got, want)
	}
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/arm64/libb.so", "linux/arm64/libb.so.2"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
}

func (b *bench) names(dir string) []string {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.dir, dir))
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestMissingOutputs says what was promised and is not there.
func TestMissingOutputs(t *testing.T) {
	for _, c := range []struct {
		name, script string
		output       action.Output
		want         string
	}{
		{"none", "true", action.Output{Path: "bin/*"}, `outputs: the commands succeeded, but made no "bin/*" in `},
		{"two for one name", "touch a1 a2", action.Output{Path: "a*", Dist: "a"}, `outputs: "a*" matches 2 files, which cannot all become "a"`},
		{"no stage", "true", action.Output{Stage: true}, "nothing was installed"},
		{"an empty stage", `mkdir -p ../stage/usr`, action.Output{Stage: true}, "the commands succeeded, but installed nothing"},
		{"a bad glob", "true", action.Output{Path: "[a"}, `outputs: "[a"`},
		{"a directory", "mkdir hello", action.Output{Path: "hello"}, `made no "hello"`},
	} {
		b := newBench(t)
		a := b.action("hello", "linux/arm64", "", c.script)
		a.Output = []action.Output{c.output}
		if r := b.run(a)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, r.Err, c.want)
		}
	}
}

// TestStage: all that was installed is an artifact under its own path, and only what the last run installed.
func TestStage(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "", `mkdir -p ../stage/usr/bin ../stage/usr/share; cp "$SRC"/input ../stage/usr/bin/hello; test -e "$SRC"/more && cp "$SRC"/more ../stage/usr/share/more; true`)
	a.Env = env.Environment{{Name: "SRC", Value: a.Source}}
	a.Output = []action.Output{{Stage: true}}
	b.write("src/more", "more")
	b.one(a)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/arm64/usr/bin/hello", "linux/arm64/usr/share/more"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
	os.Remove(filepath.Join(a.Source, "more"))
	b.one(a)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/arm64/usr/bin/hello"}) || b.exists("dist/linux/arm64/usr/share/more") {
		t.Errorf("artifacts.json lists %q", got)
	}
}

// TestStrayed: a file that was installed elsewhere than below DESTDIR is told of, with what came out and without. What
// tools keep at home, and what is gone again, is not.
func TestStrayed(t *testing.T) {
	needTrace(t)
	const stray = `mkdir -p "$DIR"/share/man1 "$DIR"/home/.config; ln -s share/man1 "$DIR"/man1; test -s "$DIR"/untouched || : >>"$DIR"/untouched; touch "$DIR"/home/.config/cache "$DIR"/man1/passing; ` +
		`cp "$SRC"/input "$DIR"/man1/hello.1; rm "$DIR"/man1/passing; `
	for _, c := range []struct {
		name, script, destdir string
		told                  bool
	}{
		{"beside an artifact", stray + `mkdir -p "$DESTDIR"/bin; cp "$SRC"/input "$DESTDIR"/bin/hello`, "stage", true},
		{"alone", stray, "stage", true},
		{"nothing", `mkdir -p "$DESTDIR"/bin; cp "$SRC"/input "$DESTDIR"/bin/hello`, "stage", false},
		{"where nothing is installed", stray + `mkdir -p ../stage/bin; cp "$SRC"/input ../stage/bin/hello`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.opt.Environ = env.Environment{{Name: "HOME", Value: filepath.Join(b.dir, "home")}}
			b.write("untouched", "")
			a := b.action("hello", "linux/arm64", "", c.script)
			a.Output = []action.Output{{Stage: true}}
			a.Env = env.Environment{{Name: "SRC", Value: a.Source}, {Name: "DIR", Value: b.dir}}
			if c.destdir != "" {
				a.Steps[0].Env = env.Environment{{Name: "DESTDIR", Value: a.Stage}}
			}
			r := b.run(a)[0]
			want := filepath.Join(b.dir, "man1", "hello.1") + ": written on this machine, and not in dist"
			got := r.Notes
			if c.name == "alone" {
				got = r.Hints
			}
			if (r.Err != nil) != (c.name == "alone") || c.told && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
				t.Errorf("%v, notes %q, hints %q", r.Err, r.Notes, r.Hints)
			}
			if !c.told && len(got) != 0 {
				t.Errorf("it told of %q", got)
			}
		})
	}
}

// TestCollision: two targets must not overwrite each other's artifacts.
func TestCollision(t *testing.T) {
	b := newBench(t)
	_, err := Run(t.Context(), &action.Graph{Actions: []*action.Action{b.action("a", "linux/arm64", "hello", "echo a >hello"), b.action("b", "linux/arm64", "hello", "echo b >hello")}}, b.opt)
	if err == nil || err.Error() != `targets "a" and "b" both make linux/arm64/hello; give one of them another dest or outputs` {
		t.Errorf("error %v", err)
	}
}

// TestPlatformInDest: a folder in dist that is called as a platform is one like any other.
func TestPlatformInDest(t *testing.T) {
	for _, dest := range []string{"linux/arm64", "linux/arm64/lib", "linux/amd64", "dist"} {
		b := newBench(t)
		a := b.action("app", "linux/arm64", "out", "echo text > out")
		a.Dist = filepath.Join(a.Dist, filepath.FromSlash(dest))
		r := b.one(a)
		want := "linux/arm64/" + dest + "/out"
		if len(r.Artifacts) != 1 || r.Artifacts[0].Path != want || !b.exists("dist/"+want) {
			t.Errorf("dest %q: %+v, want %s", dest, r.Artifacts, want)
		}
		if got := b.artifacts(); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("dest %q: artifacts.json lists %q", dest, got)
		}
	}
}

// TestArtifactsOfOthers: a run of a part keeps the rest in artifacts.json as long as it lies in dist.
func TestArtifactsOfOthers(t *testing.T) {
	b := newBench(t)
	amd64, arm64 := b.action("hello", "linux/amd64", "hello", "echo amd64 >hello"), b.action("hello", "linux/arm64", "hello", "echo arm64 >hello")
	b.run(amd64, arm64)
	b.run(arm64)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/amd64/hello", "linux/arm64/hello"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
	before, err := os.Stat(filepath.Join(b.dir, "dist/artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	b.run(arm64)
	if after, err := os.Stat(filepath.Join(b.dir, "dist/artifacts.json")); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("artifacts.json was written though nothing changed: %v", err)
	}
	os.Remove(filepath.Join(b.dir, "dist/linux/amd64/hello"))
	b.run(arm64)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/arm64/hello"}) {
		t.Errorf("artifacts.json lists %q, though one is gone", got)
	}
	b.write("dist/artifacts.json", "no JSON")
	b.run(arm64)
	if got := b.artifacts(); !slices.Equal(got, []string{"linux/arm64/hello"}) {
		t.Errorf("artifacts.json lists %q", got)
	}
}

// TestCopiedSource: a recipe that works in a copy leaves the source as it is.
func TestCopiedSource(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "made", "cp input made; echo changed >input")
	a.Copy = true
	b.one(a)
	if b.read("src/input") != "one" || b.exists("src/made") || b.read("dist/linux/arm64/made") != "one" {
		t.Error("the command's files are in the source")
	}
	b.write("src/input", "two")
	b.one(a)
	if b.read("dist/linux/arm64/made") != "two" {
		t.Errorf("made is %q", b.read("dist/linux/arm64/made"))
	}
}

// TestState: what is not a whole state is none.
func TestState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	if readState(file) != nil {
		t.Error("a state where there is no file")
	}
	st := &state{ID: "x", Seen: true, Reads: []read{{Path: "/r", Stat: "s", Sum: "c", By: []int{0}}}, Readers: []string{"cc"}, Outputs: []output{{Path: "/a", Dist: "a", Stat: "1"}}, Dist: map[string]placed{"/d": {From: "1", Stat: "2", Size: 3, SHA256: "4"}}, Steps: map[string]string{"/o": "c"}}
	if err := st.write(file); err != nil {
		t.Fatal(err)
	}
	got := readState(file)
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", st); a != b {
		t.Errorf("read back %s, want %s", a, b)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, len(data) / 2, len(data) - 1} {
		if err := os.WriteFile(file, data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if readState(file) != nil {
			t.Errorf("%d bytes of %d are a state", n, len(data))
		}
	}
	if (&state{}).outputsThere() {
		t.Error("no outputs are there, and yet they are")
	}
}

// TestFetch: commands that bring in dependencies run once each, and a fault says whose.
func TestFetch(t *testing.T) {
	b := newBench(t)
	amd64, arm64 := b.action("hello", "linux/amd64", "hello"), b.action("hello", "linux/arm64", "hello")
	fetch := action.Step{Name: "download", Dir: b.dir, Command: []string{"sh", "-c", "echo x >>fetched"}}
	amd64.Fetch, arm64.Fetch = []action.Step{fetch}, []action.Step{fetch}
	var notes []string
	if err := Fetch(t.Context(), &action.Graph{Actions: []*action.Action{amd64, arm64}}, b.opt, func(m string) { notes = append(notes, m) }); err != nil {
		t.Fatal(err)
	}
	if b.read("fetched") != "x\n" || !slices.Equal(notes, []string{"download (hello)"}) {
		t.Errorf("fetched %q, notes %q", b.read("fetched"), notes)
	}
	amd64.Fetch[0].Command = []string{"sh", "-c", "echo no such module >&2; exit 1"}
	if err := Fetch(t.Context(), &action.Graph{Actions: []*action.Action{amd64}}, b.opt, func(string) {}); err == nil || !strings.Contains(err.Error(), `target "hello": download: `) || !strings.Contains(err.Error(), "no such module") {
		t.Errorf("error %v", err)
	}
}

// TestWhoAnswered: the log says once for which machine programs answered that were asked for it, and nothing where none was.
func TestWhoAnswered(t *testing.T) {
	b := newBench(t)
	log := func(mode, script string) string {
		t.Helper()
		a := b.action("hello", "linux/arm64", "out", "echo a >out", script)
		if mode != "" {
			a.Env = env.Environment{{Name: "XBUILD_UNAME", Value: mode}}
		}
		b.one(a)
		_, after, _ := strings.Cut(b.read(".xbuild/linux/arm64/hello/log"), script)
		return strings.TrimSpace(after)
	}
	for _, c := range []struct{ mode, script, want string }{
		{"makefile", "echo uname -m >$XBUILD_ASKED-platform", `xbuild: uname -m and its like answered for linux/arm64; with uname = "host" in [target.hello] they answer for this machine`},
		{"host", "echo arch >$XBUILD_ASKED-host", `xbuild: arch and its like answered for this machine; with uname = "platform" in [target.hello] they answer for linux/arm64`},
		{"makefile", "test -n $XBUILD_ASKED", ""}, // nor is what an earlier build asked said again
		{"", "test -z \"$XBUILD_ASKED\"", ""},
	} {
		if got := log(c.mode, c.script); got != c.want {
			t.Errorf("%s, %s: the log ends with %q, want %q", c.mode, c.script, got, c.want)
		}
	}
}

// TestHostTools: commands of a build see the action's programs of the host and no other, those of tests see all.
func TestHostTools(t *testing.T) {
	b := newBench(t)
	bin := filepath.Join(b.dir, "bin")
	b.write("bin/sdl2-config", "#!/bin/sh\necho -I/usr/include\n")
	if err := os.Chmod(filepath.Join(bin, "sdl2-config"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.opt.Host = hosttools.On(bin + ":" + os.Getenv("PATH"))
	a := b.action("hello", "linux/arm64", "hello", "command -v sdl2-config || echo none >hello; echo $XBUILD_HOST_TOOLS >>hello; echo $PATH >>hello")
	a.HostDir = filepath.Join(b.opt.Build, "host", "0123")
	a.Seen, _ = b.opt.Host.Visible(nil)
	b.one(a)
	if got, want := b.read("dist/linux/arm64/hello"), "none\n/usr/bin\n/usr/bin\n"; got != want {
		t.Errorf("the build saw %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(a.HostDir, "sh")); err != nil {
		t.Error(err)
	}
	tests, err := RunTests(t.Context(), []Test{{Action: a, Steps: []action.Step{{Name: "test", Dir: a.Build, Command: []string{"sh", "-c", "sdl2-config"}}}}}, TestOptions{Options: b.opt})
	if err != nil || tests[0].Result != Passed {
		t.Errorf("a test does not see the caller's PATH: %v, %+v", err, tests)
	}
	a.Missing = "xbuild.toml:3: it names a program that is not there"
	if r := b.run(a)[0]; r.Err == nil || r.Err.Error() != a.Missing {
		t.Errorf("error %v, want %q", r.Err, a.Missing)
	}
}

// TestOtherProgram: a program of the host that was run, and would be another one now, is a change, as on a machine with
// another Go first on PATH. One that was not run is none, nor one that is found by another way.
func TestOtherProgram(t *testing.T) {
	b := newBench(t)
	program := func(name, says string) string {
		file := b.write(name, "#!/bin/sh\necho "+says+"\n")
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	a := b.action("hello", "linux/arm64", "out", "tool >out")
	a.HostDir = filepath.Join(b.opt.Build, "host", "0123")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	first, second, unused := program("one/tool", "one"), program("two/tool", "two"), program("one/unused", "unused")
	link := filepath.Join(b.dir, "link")
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tool, unused, want string
		cached             bool
	}{
		{first, unused, "one", false}, {first, unused, "one", true}, {first, second, "one", true}, {link, second, "one", true},
		{second, second, "two", false}, {second, second, "two", true}, {first, second, "one", false},
	} {
		a.Seen = map[string]string{"sh": sh, "tool": c.tool, "unused": c.unused}
		if r := b.one(a); r.Cached != c.cached {
			t.Errorf("%+v: cached %v", c, r.Cached)
		}
		if got := b.read("dist/linux/arm64/out"); got != c.want+"\n" {
			t.Errorf("%+v: it printed %q", c, got)
		}
	}
}

// TestUnlinked: where texts among the artifacts name the build's links to programs of the host, they name the
// programs' places in dist; a binary that does is an error.
func TestUnlinked(t *testing.T) {
	b := newBench(t)
	a := b.action("hello", "linux/arm64", "*.out",
		"printf '#!%s -w\\nSED=%s; exec %s\\n' \"$(command -v perl)\" \"$(command -v sed)\" \"$(command -v '[')\" >script.out; chmod 755 script.out; echo plain >plain.out")
	a.HostDir = filepath.Join(b.opt.Build, "host", "0123")
	a.Seen = map[string]string{"sh": "/bin/sh", "perl": "/usr/local/bin/perl", "sed": "/bin/sed", "[": "/usr/bin/[", "chmod": "/bin/chmod"}
	for name := range a.Seen { // the shell looks whether they are there
		a.Seen[name] = "/bin/sh"
	}
	a.Seen["chmod"] = "/bin/chmod"
	b.one(a)
	if got, want := b.read("dist/linux/arm64/script.out"), "#!/usr/bin/perl -w\nSED=/bin/sed; exec [\n"; got != want {
		t.Errorf("script %q, want %q", got, want)
	}
	if info, err := os.Stat(filepath.Join(b.opt.Dist, "linux/arm64/script.out")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("script: %v, %v", info, err)
	}
	if built, err := os.ReadFile(filepath.Join(a.Build, "script.out")); err != nil || !strings.Contains(string(built), a.HostDir) {
		t.Errorf("what was built is another: %q, %v", built, err)
	}
	a.Steps[0].Command = []string{"sh", "-c", "printf 'GIF\\000%s\\000' \"$(command -v perl)\" >image.out"}
	a.ID += "2"
	r := b.run(a)[0]
	if r.Err == nil || !strings.Contains(r.Err.Error(), `image.out has in it the path `+a.HostDir+`/perl`) || !strings.Contains(r.Err.Error(), `"ac_cv_path_PERL=/usr/bin/perl"`) {
		t.Errorf("error %v", r.Err)
	}
	if b.exists("dist/linux/arm64/image.out") {
		t.Error("it is in dist all the same")
	}
}

// TestFetchAhead: what the builds of several platforms would wait for each other for is fetched once before the first of them, for all of them.
func TestFetchAhead(t *testing.T) {
	b := newBench(t)
	log := filepath.Join(b.dir, "log")
	var actions []*action.Action
	for _, name := range []string{"linux/amd64", "linux/arm64", "linux/s390x"} {
		a := b.action("hello", name, "hello", "echo build >>"+log+"; cp "+b.dir+"/src/input hello")
		a.Fetch = []action.Step{{Name: "fetch", Dir: b.dir, Ahead: true, Each: []string{"for-" + a.Platform.Arch}, Command: []string{"sh", "-c", `sleep 0.2; echo "fetch $*" >>` + log, "sh", "for-amd64"}}}
		actions = append(actions, a)
	}
	want := "fetch for-amd64 for-arm64 for-s390x\nbuild\nbuild\nbuild\n"
	for _, r := range b.run(actions...) {
		if r.Err != nil {
			t.Fatalf("%v\n%s", r.Err, r.Log)
		}
	}
	if got := b.read("log"); got != want {
		t.Errorf("first build:\n%swant\n%s", got, want)
	}
	// What is up to date fetches nothing, and neither does a build without a network.
	b.run(actions...)
	b.opt.Offline = true
	b.write("src/input", "two")
	b.run(actions...)
	if got := b.read("log"); got != want+"build\nbuild\nbuild\n" {
		t.Errorf("later builds:\n%s", got)
	}
	// Where it fails, the build says itself what it lacks: here nothing.
	b.opt.Offline = false
	b.write("src/input", "three")
	for _, a := range actions {
		a.Fetch[0].Command = []string{"sh", "-c", "echo no answer; exit 3"}
	}
	for _, r := range b.run(actions...) {
		if r.Err != nil {
			t.Errorf("a fetch that failed failed the build: %v", r.Err)
		}
	}
	if !strings.Contains(b.read(".xbuild/linux/amd64/hello/log")+b.read(".xbuild/linux/arm64/hello/log")+b.read(".xbuild/linux/s390x/hello/log"), "no answer\nxbuild: fetch: sh ended with exit status 3") {
		t.Error("no log has the fetch's own words")
	}
}
