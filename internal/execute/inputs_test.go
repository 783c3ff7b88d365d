package execute

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xbuild/internal/plan"
)

// TestUnseen: a file that has the size and the time that it had, and another content, is another file.
func TestUnseen(t *testing.T) {
	needTrace(t)
	for _, copied := range []bool{false, true} {
		b := newBench(t)
		long := time.Now().Add(-time.Hour)
		write := func(text string) {
			if err := os.Chtimes(b.write("src/in", text), long, long); err != nil {
				t.Fatal(err)
			}
		}
		write("one")
		a := b.action("p", "linux/arm64", "out", "cat "+filepath.Join(b.dir, "src/in")+" >out")
		if copied {
			a = b.action("p", "linux/arm64", "out", "cat in >out")
			a.Copy = true
		}
		b.one(a)
		if !b.one(a).Cached {
			t.Error("nothing changed, and it was built again")
		}
		write("two")
		b.one(a)
		if got := b.read("dist/linux/arm64/out"); got != "two" {
			t.Errorf("copied %v: out is %q, want two", copied, got)
		}
	}
}

// TestLooked: what a build system asks of a file alone, whether it is there, is no reason to build anew where the
// content is another one; it is where the file goes.
func TestLooked(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/in", "one")
	b.write("src/more", "")
	drv := b.write("drv", "test -e "+filepath.Join(b.dir, "src/in")+"; test -e "+filepath.Join(b.dir, "src/more")+
		" && echo more >more || :; touch configured")
	a := b.action("p", "linux/arm64", "out", "", "cat "+filepath.Join(b.dir, "src/in")+" more >out || :; echo x >>runs")
	a.Readers = map[string][]string{"drv": {""}}
	a.Steps[0].Command = []string{"sh", drv}
	a.Steps[0].WhenMissing = filepath.Join(a.Build, "configured")
	b.one(a)
	b.write("src/in", "two")
	if r := b.one(a); strings.Contains(r.Log, "anew") || b.read("dist/linux/arm64/out") != "twomore\n" {
		t.Errorf("another content: out is %q\n%s", b.read("dist/linux/arm64/out"), r.Log)
	}
	if err := os.Remove(filepath.Join(b.dir, "src/more")); err != nil {
		t.Fatal(err)
	}
	if r := b.one(a); !strings.Contains(r.Log, "anew") || b.read("dist/linux/arm64/out") != "two" {
		t.Errorf("a file went: out is %q\n%s", b.read("dist/linux/arm64/out"), r.Log)
	}
}

// TestForget: what a program remembers is deleted where one of its files has changed, and nothing else.
func TestForget(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/list", "one")
	b.write("src/in", "")
	drv := b.write("drv", "test -e cache || cat "+filepath.Join(b.dir, "src/list")+" >cache; echo >>configured")
	a := b.action("p", "linux/arm64", "out", "", "cat cache "+filepath.Join(b.dir, "src/in")+" >out; echo x >>runs")
	a.Readers = map[string][]string{"drv": {""}, "cat": {}}
	a.Steps[0].Command = []string{"sh", drv}
	a.Steps[0].Forget = []string{filepath.Join(a.Build, "cache")}
	b.one(a)
	b.write("src/in", "in")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "onein" {
		t.Errorf("another file changed: out is %q", got)
	}
	a.Readers["drv"] = []string{""}
	b.write("drv", "cat "+filepath.Join(b.dir, "src/list")+" >/dev/null; test -e cache || cp "+
		filepath.Join(b.dir, "src/list")+" cache")
	b.write("src/list", "two")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "twoin" {
		t.Errorf("its own file changed: out is %q", got)
	}
}

// TestFailsOnOldState: commands that fail because of what an earlier run left behind succeed from nothing.
func TestFailsOnOldState(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/items/a", "a")
	b.write("src/items/b", "b")
	items := filepath.Join(b.dir, "src/items")
	a := b.action("p", "linux/arm64", "out", "ls "+items+" >list", "for i in $(cat list); do cat "+items+"/$i || exit 1; done >out")
	a.Steps[0].WhenMissing = filepath.Join(a.Build, "list")
	b.one(a)
	if err := os.Remove(filepath.Join(items, "b")); err != nil {
		t.Fatal(err)
	}
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "a" {
		t.Errorf("out is %q, want a", got)
	}
	// What fails from nothing, too, fails.
	b.write("src/items/c", "c")
	a.Steps[1].Command = []string{"sh", "-c", "exit 3"}
	if r := b.run(a)[0]; r.Err == nil {
		t.Error("no error")
	}
}

// TestAsked: what a program asks for that makes nothing anew for the answer, and what it makes that compilers read.
func TestAsked(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	version, stamp := b.write("src/version", "1\n"), b.write("src/stamp", "1\n")
	// bash is the build system here: it asks for the version, writes a header each time, and compiles once.
	b.write("make", "v=$(cat "+version+")\ncp "+stamp+" stamp.h\ntest -e out || sh ./cc -o out $v\n")
	cc := b.write("cc", "read line <stamp.h\necho $3 $line >$2\n")
	a := b.action("p", "linux/arm64", "out", "")
	a.Steps[0].Command = []string{"bash", "-c", "cp " + cc + " cc; . " + filepath.Join(b.dir, "make") + "; :"}
	a.Readers = map[string][]string{"bash": {}, "cc": {"-o"}}
	a.Forgetful, a.Copy = map[string]string{"bash": "no such word"}, true
	b.one(a)
	for i, file := range []string{"src/version", "src/stamp"} {
		b.write(file, "2\n")
		b.one(a)
		if got, want := b.read("dist/linux/arm64/out"), []string{"2 1\n", "2 2\n"}[i]; got != want {
			t.Errorf("%s changed: out is %q, want %q", file, got, want)
		}
	}
}

// TestBlind: where nobody sees what is read, all is built anew.
func TestBlind(t *testing.T) {
	b := newBench(t)
	b.opt.Blind = true
	in := b.write("src/in", "one")
	a := b.action("p", "linux/arm64", "out", "test -e out || cat "+in+" >out")
	b.one(a)
	b.write("src/in", "two")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "two" {
		t.Errorf("out is %q, want two", got)
	}
}

// TestReader: runs of a compiler are told by what they make, but where that is a temporary file.
func TestReader(t *testing.T) {
	known := map[string][]string{"clang": {"-o"}, "make": {}}
	name := func(args string) string { return reader(known, strings.Fields(args)) }
	tmp := os.TempDir()
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"/a/x86_64-linux-gnu-clang -O1 -o a.o a.c", "x86_64-linux-gnu-clang -O2 -o a.o a.c", true},
		{"clang -o a.o a.c", "clang -o b.o a.c", false},
		{"clang -o " + tmp + "/a-1.o a.c", "clang -o " + tmp + "/a-2.o a.c", true},
		{"clang -o " + tmp + "/a-1.o a.c", "clang -o " + tmp + "/a-1.o b.c", false},
		{"make a", "make b", true},
	} {
		if same := name(c.one) == name(c.other); same != c.same {
			t.Errorf("%q and %q: %q and %q", c.one, c.other, name(c.one), name(c.other))
		}
	}
	a := &plan.Action{Readers: known}
	if !compiler(a, "x86_64-linux-gnu-clang -o a.o") || compiler(a, "make") || compiler(a, "sh 123") {
		t.Error("what a compiler is")
	}
}
