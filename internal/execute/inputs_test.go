package execute

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/env"
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
		{"clang -o " + tmp + "/xbuild-commands-1/a-1.o a.c", "clang -o " + tmp + "/xbuild-commands-2/a-2.o a.c", true},
		{"clang -o " + tmp + "/xbuild-commands-1/go-1/b1/a.o a.c", "clang -o " + tmp + "/xbuild-commands-2/go-2/b1/a.o a.c", true},
		{"clang -o " + tmp + "/xbuild-commands-1/go-1/b1/a.o a.c", "clang -o " + tmp + "/xbuild-commands-2/go-2/b2/a.o a.c", false},
		{"make a", "make b", true},
	} {
		if same := name(c.one) == name(c.other); same != c.same {
			t.Errorf("%q and %q: %q and %q", c.one, c.other, name(c.one), name(c.other))
		}
	}
	a := &action.Action{Readers: known}
	if !compiler(a, "x86_64-linux-gnu-clang -o a.o") || compiler(a, "make") || compiler(a, "sh 123") {
		t.Error("what a compiler is")
	}
}

// TestLinksOnTheWay: a link that leads on to a file which is known by another path, and leads elsewhere now; and a link
// that the build made.
func TestLinksOnTheWay(t *testing.T) {
	needTrace(t)
	for _, copied := range []bool{false, true} {
		b := newBench(t)
		b.write("src/one/in", "one")
		b.write("src/one/dir/keep", "")
		b.write("src/two/in", "two")
		b.write("src/two/dir/keep", "")
		b.write("src/far", "far")
		link := func(to string) {
			os.Remove(filepath.Join(b.dir, "src/link"))
			if err := os.Symlink(to, filepath.Join(b.dir, "src/link")); err != nil {
				t.Fatal(err)
			}
		}
		link("one/dir")
		source, far := filepath.Join(b.dir, "src"), filepath.Join(b.dir, "src/far")
		if copied {
			source, far = ".", "far"
		}
		a := b.action("p", "linux/arm64", "out", "ln -sf "+far+" own; cat "+source+"/link/../in own >out")
		a.Copy = copied
		b.one(a)
		for _, c := range []struct {
			what   string
			change func()
			want   string
		}{
			{"a link", func() { link("two/dir") }, "twofar"},
			{"a file above what it leads to", func() { b.write("src/two/in", "more") }, "morefar"},
			{"a file that a link of the build leads to", func() { b.write("src/far", "further") }, "morefurther"},
		} {
			c.change()
			b.one(a)
			if got := b.read("dist/linux/arm64/out"); got != c.want {
				t.Errorf("copied %v: %s changed: out is %q, want %q", copied, c.what, got, c.want)
			}
			if !b.one(a).Cached {
				t.Errorf("copied %v: %s changed, and it was built twice", copied, c.what)
			}
		}
	}
}

// TestHardLink: what a second name of a file is made of is that file.
func TestHardLink(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/in", "one")
	a := b.action("p", "linux/arm64", "out", "ln -f in out")
	a.Copy = true
	b.one(a)
	b.write("src/in", "two")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "two" {
		t.Errorf("out is %q, want two", got)
	}
}

// TestLookedAlone: what the build system asked no more of than whether it is there builds nothing when its content is
// another one, and builds when it goes.
func TestLookedAlone(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	readme := b.write("src/README", "one")
	a := b.action("p", "linux/arm64", "out", "")
	a.Steps[0].Command = []string{"bash", "-c", "test -e " + readme + "; echo $? >out"}
	a.Readers = map[string][]string{"bash": {}}
	b.one(a)
	for _, text := range []string{"two", "three"} {
		b.write("src/README", text)
		if !b.one(a).Cached {
			t.Errorf("README is %q: it was built again", text)
		}
	}
	if err := os.Remove(readme); err != nil {
		t.Fatal(err)
	}
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "1\n" {
		t.Errorf("out is %q, want 1", got)
	}
}

// TestArgumentsOfAnEarlierStep: a command with arguments from a file that an earlier step makes runs again where they
// are others.
func TestArgumentsOfAnEarlierStep(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	b.write("src/flags", "one")
	a := b.action("p", "linux/arm64", "out", "", "")
	flags, out := filepath.Join(a.Build, "flags"), filepath.Join(a.Build, "out")
	a.Steps[0].Command, a.Steps[0].Stdout = []string{"cat", filepath.Join(b.dir, "src/flags")}, flags
	a.Steps[1].Command, a.Steps[1].Output = []string{"sh", "-c", "cat ${1#@} >out", "sh", "@" + flags}, out
	b.one(a)
	b.write("src/flags", "two")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "two" {
		t.Errorf("out is %q, want two", got)
	}
}

// TestWildcards: which Makefiles ask for the names in directories.
func TestWildcards(t *testing.T) {
	catalog, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"make", "autotools"} {
		word := regexp.MustCompile("(?m)" + catalog.Recipe(name).Forgetful["make"])
		for text, want := range map[string]bool{
			"S = $(wildcard *.c)\n": true, "S := ${wildcard src/*.c}\n": true, "all: items/*.txt\n\techo $^\n": true, "all: [ab].txt\n": true, "x\nlib.a: x?.o | dir\n": true,
			"all: main.o\n\trm -f *.o\n": false, "S = a:*\n": false, "# all: *.c\n": false, "%.o: %.c\n": false, "CFLAGS := -DX='*'\n": false, "a: b # *\n": false,
		} {
			if word.MatchString(text) != want {
				t.Errorf("%s: %q: %v, want %v", name, text, !want, want)
			}
		}
	}
}

// TestRereadIsNotLookedAt: what a build system that keeps results elsewhere looked at again is no reason not to build
// anew, where a compiler read it and was not run again; what was read for its results holds on when the commands
// change.
func TestRereadIsNotLookedAt(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	header, cache := b.write("src/header", "one"), filepath.Join(b.dir, "cache")
	// bash is go here: it looks at the header, and keeps what a compiler made of it.
	script := "test -e " + header + "; test -z \"$ANEW\" -a -e " + cache + " || cat " + header + " >" + cache + "; cp " + cache + " out"
	a := b.action("p", "linux/arm64", "out", "")
	a.Steps[0].Command = []string{"bash", "-c", script}
	a.Steps[0].Anew = env.Environment{{Name: "ANEW", Value: "1"}}
	a.Readers, a.Reread = map[string][]string{"bash": {}}, true
	b.one(a)
	b.write("src/header", "two")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "two" {
		t.Errorf("out is %q, want two", got)
	}
	a.ID = "other commands"
	b.one(a)
	b.write("src/header", "three")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "three" {
		t.Errorf("after other commands: out is %q, want three", got)
	}
}

// TestAppearsInADirectoryThatIsTried: mkdir -p makes nothing of a directory that is there, and what is looked for in it
// is an input.
func TestAppearsInADirectoryThatIsTried(t *testing.T) {
	needTrace(t)
	b := newBench(t)
	src := filepath.Join(b.dir, "src")
	// A file that comes and goes is none.
	a := b.action("p", "linux/arm64", "out", "mkdir "+src+"; mkdir "+src+"/gone; test -e "+src+"/gone/x; rmdir "+src+"/gone; cat "+src+"/maybe >out || echo none >out")
	b.one(a)
	if !b.one(a).Cached {
		t.Error("nothing changed, and it was built again")
	}
	b.write("src/maybe", "there")
	b.one(a)
	if got := b.read("dist/linux/arm64/out"); got != "there" {
		t.Errorf("out is %q, want there", got)
	}
}
