package execute

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/cache"
	"xbuild/internal/disk"
)

// checkout is a bench of a project that has the store of another one, in a directory so many levels deeper.
func checkout(t *testing.T, store string, deeper int) *bench {
	t.Helper()
	needTrace(t)
	b := newBench(t)
	b.dir = filepath.Join(b.dir, strings.Repeat("deeper/", deeper), "project")
	b.opt.Project, b.opt.Build, b.opt.Dist = b.dir, filepath.Join(b.dir, ".xbuild"), filepath.Join(b.dir, "dist")
	b.opt.Cache, b.opt.Store = cache.New(store), store
	b.write("src/input", "one")
	return b
}

// keeping is an action of which results are kept.
func (b *bench) keeping(output string, scripts ...string) *action.Action {
	a := b.action("t", "linux/arm64", output, scripts...)
	a.Precise = true
	a.Roots = action.NewRoots(action.Root{Name: action.RootBuild, Dir: b.opt.Build}, action.Root{Name: action.RootDist, Dir: b.opt.Dist}, action.Root{Name: action.RootProject, Dir: b.dir})
	for i := range a.Steps {
		a.Steps[i].Command[2] = strings.ReplaceAll(a.Steps[i].Command[2], "SRC", a.Source)
	}
	return a
}

// got runs an action that must succeed, and says whether it was built or not.
func (b *bench) got(a *action.Action) string {
	b.t.Helper()
	switch r := b.one(a); {
	case r.Kept:
		return "kept"
	case r.Cached:
		return "up to date"
	}
	return "built"
}

func (b *bench) is(output, want string) {
	b.t.Helper()
	if text := b.read("dist/linux/arm64/" + output); text != want {
		b.t.Errorf("%s holds %q, want %q", output, text, want)
	}
}

const copies = "cat SRC/input > out; cat SRC/option >> out 2>/dev/null; cat SRC/../../option >> out 2>/dev/null; echo x >> runs"

// TestKept: what is taken from kept results, and what is built because something is not as it was.
func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bench) // in the second checkout
		script string
		want   string
		text   string
	}{
		"the same":                   {nil, "", "kept", "one"},
		"another input":              {func(b *bench) { b.write("src/input", "two") }, "", "built", "two"},
		"a file that was not there":  {func(b *bench) { b.write("src/option", "more") }, "", "built", "onemore"},
		"one above the project":      {func(b *bench) { b.write("../option", "above") }, "", "built", "oneabove"},
		"a file that nobody read":    {func(b *bench) { b.write("src/other", "x") }, "", "kept", "one"},
		"another command":            {nil, copies + "; echo y >> out", "built", "oney\n"},
		"an input that may be run":   {func(b *bench) { os.Chmod(filepath.Join(b.dir, "src/input"), 0o755) }, "", "built", "one"},
		"an input that is a link":    {func(b *bench) { b.link("src/input", "src/real", "one") }, "", "built", "one"},
		"an input that is now a dir": {func(b *bench) { os.MkdirAll(filepath.Join(b.dir, "src/option"), 0o755) }, "", "built", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			store := t.TempDir()
			one, two := checkout(t, store, 0), checkout(t, store, 3)
			if got := one.got(one.keeping("out", copies)); got != "built" {
				t.Fatal(got)
			}
			if c.change != nil {
				c.change(two)
			}
			script := c.script
			if script == "" {
				script = copies
			}
			if got := two.got(two.keeping("out", script)); got != c.want {
				t.Errorf("it is %s, want %s", got, c.want)
			}
			two.is("out", c.text)
			if got := two.got(two.keeping("out", script)); got != "up to date" {
				t.Errorf("the next time it is %s", got)
			}
			if list := two.artifacts(); !slices.Equal(list, []string{"linux/arm64/out"}) {
				t.Errorf("artifacts.json has %q", list)
			}
		})
	}
}

func (b *bench) link(name, to, text string) {
	b.write(to, text)
	os.Remove(filepath.Join(b.dir, name))
	if err := os.Symlink(filepath.Join(b.dir, to), filepath.Join(b.dir, name)); err != nil {
		b.t.Fatal(err)
	}
}

// TestKeptBack: another branch and back; the build directory goes on from what its own last run was made of.
func TestKeptBack(t *testing.T) {
	b := checkout(t, t.TempDir(), 0)
	for i, c := range []struct{ text, want, runs string }{
		{"one", "built", "x\n"},
		{"two", "built", "x\nx\n"},
		{"one", "kept", "x\nx\n"},
		{"two", "up to date", "x\nx\n"}, // of the build directory
		{"one", "kept", "x\nx\n"},
		{"one", "up to date", "x\nx\n"},
		{"three", "built", "x\nx\nx\n"},
		{"one", "kept", "x\nx\nx\n"},
	} {
		b.write("src/input", c.text)
		if got := b.got(b.keeping("out", copies)); got != c.want {
			t.Errorf("%d: %s is %s, want %s", i, c.text, got, c.want)
		}
		b.is("out", c.text)
		if runs := b.read(".xbuild/linux/arm64/t/build/runs"); runs != c.runs {
			t.Errorf("%d: %q", i, runs)
		}
	}
	if err := os.RemoveAll(b.opt.Build); err != nil { // git clean -dx
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.opt.Dist); err != nil {
		t.Fatal(err)
	}
	b.write("src/input", "two")
	if got := b.got(b.keeping("out", copies)); got != "kept" {
		t.Errorf("after git clean it is %s", got)
	}
	b.is("out", "two")
	os.Remove(filepath.Join(b.dir, "dist/linux/arm64/out"))
	if got := b.one(b.keeping("out", copies)); !got.Cached && !got.Kept {
		t.Error("an artifact that was removed is built again")
	}
	b.is("out", "two")
	b.write("src/input", "four")
	res := b.one(b.keeping("out", copies))
	if why := strings.Join(res.Why, "\n"); !strings.Contains(why, "src/input has changed") {
		t.Errorf("why: %q", why)
	}
	b.is("out", "four")
}

// TestKeptLook: who only looks finds that nothing is to do where a kept result lies in dist, too. Where something is to do,
// dist and its list stay as they are.
func TestKeptLook(t *testing.T) {
	b := checkout(t, t.TempDir(), 0)
	for _, text := range []string{"one", "two", "one"} { // the last is taken
		b.write("src/input", text)
		b.got(b.keeping("out", copies))
	}
	b.opt.Look = true
	if r := b.one(b.keeping("out", copies)); r.Err != nil || !r.Cached {
		t.Errorf("of a result that was taken: %+v", r)
	}
	for _, text := range []string{"two", "three"} { // the build directory's own, and one that has to be built
		b.write("src/input", text)
		if r := b.run(b.keeping("out", copies))[0]; !errors.Is(r.Err, errDue) {
			t.Errorf("of %s: %v, want %v", text, r.Err, errDue)
		}
		if list := b.artifacts(); !slices.Equal(list, []string{"linux/arm64/out"}) {
			t.Errorf("of %s: artifacts.json has %q", text, list)
		}
	}
	b.is("out", "one")
}

// TestKeptPlace: a result that names the folder where it was made is taken in that one alone.
func TestKeptPlace(t *testing.T) {
	store := t.TempDir()
	one, two := checkout(t, store, 0), checkout(t, store, 1)
	script := "cat SRC/input > out; pwd >> out"
	for i, c := range []struct {
		b    *bench
		want string
	}{{one, "built"}, {two, "built"}, {one, "kept"}, {two, "kept"}} {
		os.RemoveAll(c.b.opt.Build)
		if got := c.b.got(c.b.keeping("out", script)); got != c.want {
			t.Errorf("%d: it is %s, want %s", i, got, c.want)
		}
		c.b.is("out", "one"+filepath.Join(c.b.opt.Build, "linux/arm64/t/build")+"\n")
	}
}

// TestKeptNot: what is not kept, or not taken.
func TestKeptNot(t *testing.T) {
	t.Run("it writes into its source", func(t *testing.T) {
		store := t.TempDir()
		for i := range 2 {
			b := checkout(t, store, i)
			if got := b.got(b.keeping("out", "cat SRC/input > out; test -e SRC/made || date +%N > SRC/made; cat SRC/made >> out")); got != "built" {
				t.Errorf("%d: %s", i, got)
			}
		}
	})
	t.Run("tests want the build directory", func(t *testing.T) {
		store := t.TempDir()
		for i, c := range []struct {
			dir, want string
			tests     bool
		}{{"build", "built", true}, {"build", "kept", false}, {"build", "built", true}, {"src", "kept", true}} {
			b := checkout(t, store, i)
			a := b.keeping("out", copies)
			dir := a.Build
			if c.dir == "src" {
				dir = a.Source
			}
			a.Test = []action.Step{{Name: "test", Dir: dir, Command: []string{"true"}}}
			if b.opt.Tests = c.tests; c.tests {
				b.opt.Tests = true
			}
			if got := b.got(a); got != c.want {
				t.Errorf("%d: %s, want %s", i, got, c.want)
			}
		}
	})
	t.Run("no cache", func(t *testing.T) {
		store := t.TempDir()
		for i := range 2 {
			b := checkout(t, store, i)
			b.opt.Cache = nil
			if got := b.got(b.keeping("out", copies)); got != "built" {
				t.Errorf("%d: %s", i, got)
			}
		}
	})
	t.Run("failed", func(t *testing.T) {
		store := t.TempDir()
		for i := range 2 {
			b := checkout(t, store, i)
			if r := b.run(b.keeping("out", "cat SRC/input > out; exit 3"))[0]; r.Err == nil || r.Kept {
				t.Errorf("%d: %+v", i, r)
			}
		}
	})
}

// TestKeptDamaged: of a damaged or removed file the result is built, whatever else is there.
func TestKeptDamaged(t *testing.T) {
	for name, damage := range map[string]func(path string, d os.DirEntry) error{
		"changed":      func(path string, _ os.DirEntry) error { return rewrite(path, "xyz") },
		"cut":          func(path string, _ os.DirEntry) error { return rewrite(path, "o") },
		"gone":         func(path string, _ os.DirEntry) error { return os.Remove(path) },
		"results gone": func(path string, d os.DirEntry) error { return removeIf(path, ".result") },
		"sets gone":    func(path string, d os.DirEntry) error { return removeIf(path, ".set") },
		"unreadable":   func(path string, d os.DirEntry) error { return rewrite(path, "\x1f\x8b\x08") },
	} {
		store := t.TempDir()
		one, two := checkout(t, store, 0), checkout(t, store, 1)
		one.got(one.keeping("out", copies))
		err := filepath.WalkDir(filepath.Join(store, cache.Dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return damage(path, d)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := two.got(two.keeping("out", copies)); got != "built" {
			t.Errorf("%s: it is %s", name, got)
		}
		two.is("out", "one")
		three := checkout(t, store, 2) // what was built is kept anew
		if got := three.got(three.keeping("out", copies)); got != "kept" {
			t.Errorf("%s: after that it is %s", name, got)
		}
		three.is("out", "one")
	}
}

func rewrite(path, text string) error {
	os.Chmod(path, 0o644)
	return os.WriteFile(path, []byte(text), 0o644)
}

func removeIf(path, suffix string) error {
	if !strings.HasSuffix(path, suffix) {
		return nil
	}
	return os.Remove(path)
}

// TestKeptFiles: permissions, links and places of several files are as they were built.
func TestKeptFiles(t *testing.T) {
	store := t.TempDir()
	var lists []string
	for i, want := range []string{"built", "kept"} {
		b := checkout(t, store, i)
		a := b.keeping("", "mkdir -p STAGE/bin STAGE/lib; cat SRC/input > STAGE/bin/run; chmod 755 STAGE/bin/run; echo lib > STAGE/lib/libx.so.1; ln -s libx.so.1 STAGE/lib/libx.so")
		a.Steps[0].Command[2] = strings.ReplaceAll(a.Steps[0].Command[2], "STAGE", a.Stage)
		a.ID = "stage"
		a.Output = []action.Output{{Stage: true}}
		if got := b.got(a); got != want {
			t.Errorf("%d: %s", i, got)
		}
		list := ""
		filepath.WalkDir(b.opt.Dist, func(path string, d os.DirEntry, err error) error {
			info, _ := os.Lstat(path)
			to, _ := os.Readlink(path)
			list += fmt.Sprintln(disk.Relative(b.opt.Dist, path), info.Mode(), to)
			return nil
		})
		lists = append(lists, list+b.read("dist/artifacts.json"))
	}
	if lists[0] != lists[1] {
		t.Errorf("built:\n%s\nkept:\n%s", lists[0], lists[1])
	}
}

// TestKeptSwitch: of two kept results the links, the permissions and the headers are those of the one that was taken,
// although the build directory is of the other.
func TestKeptSwitch(t *testing.T) {
	b := checkout(t, t.TempDir(), 0)
	for i, mode := range []string{"700", "755", "700", "755", "700"} {
		b.write("src/input", mode)
		a := b.keeping("out", "rm -rf file-* out link include; cat SRC/input > file-$(cat SRC/input); chmod $(cat SRC/input) file-*; cp -p file-$(cat SRC/input) out; ln -s file-$(cat SRC/input) link; mkdir include; touch include/h$(cat SRC/input).h")
		a.Output = []action.Output{{Path: "out"}, {Path: "file-*"}, {Path: "link"}}
		a.Linked, a.Prefix, a.Headers = true, filepath.Join(filepath.Dir(a.State), "prefix"), []string{filepath.Join(a.Build, "include")}
		if r := b.one(a); r.Kept != (i == 2 || i == 4) {
			t.Errorf("%d: kept %v", i, r.Kept)
		}
		info, err := os.Stat(filepath.Join(b.opt.Dist, "linux/arm64/out"))
		if err != nil || fmt.Sprintf("%o", info.Mode().Perm()) != mode {
			t.Errorf("%d: %v, %v, want %s", i, info.Mode(), err, mode)
		}
		if to, err := os.Readlink(filepath.Join(b.opt.Dist, "linux/arm64/link")); err != nil || to != "file-"+mode {
			t.Errorf("%d: the link leads to %q, %v", i, to, err)
		}
		if names := b.names(disk.Relative(b.dir, filepath.Join(a.Prefix, "include"))); !slices.Equal(names, []string{"h" + mode + ".h"}) {
			t.Errorf("%d: headers %q", i, names)
		}
	}
}

// TestKeptNeeds: what needs a kept result finds it as it was built, with headers that its build has made.
func TestKeptNeeds(t *testing.T) {
	store := t.TempDir()
	for i, want := range []string{"built", "kept"} {
		b := checkout(t, store, i)
		lib := b.keeping("libx.a", "cat SRC/input > libx.a; mkdir -p include; echo '#define X' > include/x.h")
		lib.Linked, lib.Prefix, lib.Headers = true, filepath.Join(filepath.Dir(lib.State), "prefix"), []string{filepath.Join(lib.Build, "include")}
		app := b.keeping("out", "cat PREFIX/lib/libx.a PREFIX/include/x.h PREFIX/lib/pkgconfig/t.pc | grep -v ^prefix > out")
		app.Target, app.Needs = "app", []action.Need{{Target: "t", OCI: lib.OCI, Prefix: lib.Prefix, Action: lib}}
		work := filepath.Join(b.opt.Build, "linux/arm64/app")
		app.Build, app.Top, app.Stage, app.State = filepath.Join(work, "build"), filepath.Join(work, "build"), filepath.Join(work, "stage"), filepath.Join(work, "state.json")
		app.Steps[0].Dir, app.Steps[0].Command[2] = app.Build, strings.ReplaceAll(app.Steps[0].Command[2], "PREFIX", lib.Prefix)
		for _, r := range b.run(lib, app) {
			if r.Err != nil || r.Kept != (want == "kept") {
				t.Errorf("%d: %s: kept %v, %v\n%s", i, r.Action.Target, r.Kept, r.Err, r.Log)
			}
		}
		if text := b.read("dist/linux/arm64/out"); !strings.HasPrefix(text, "one#define X\n") || !strings.Contains(text, "-lx") {
			t.Errorf("%d: %q", i, text)
		}
		if i == 0 {
			continue
		}
		// Only what needs it is built: it finds what was not built here.
		b.write("src/more", "x")
		app.Steps[0].Command[2] += "; cat " + app.Source + "/more >> out"
		app.ID = "other"
		res := b.run(lib, app)
		if !res[0].Cached || res[1].Err != nil || res[1].Kept || res[1].Cached {
			t.Errorf("lib up to date %v; app: %v, kept %v\n%s", res[0].Cached, res[1].Err, res[1].Kept, res[1].Log)
		}
	}
}

// TestKeptSteps: a step with an output is kept by what it read; in another checkout those run again whose files differ.
func TestKeptSteps(t *testing.T) {
	store := t.TempDir()
	for i, c := range []struct{ a, b, want string }{{"1", "2", "ab"}, {"1", "3", "b"}, {"4", "3", "a"}, {"4", "2", ""}} {
		b := checkout(t, store, i)
		b.write("src/a", c.a)
		b.write("src/b", c.b)
		a := b.keeping("out")
		for _, name := range []string{"a", "b"} {
			out := filepath.Join(a.Build, name+".o")
			a.Steps = append(a.Steps, action.Step{Name: name, Dir: a.Build, Output: out, Command: []string{"sh", "-c", fmt.Sprintf("cat %s/%s > %s", a.Source, name, out)}})
		}
		a.Steps = append(a.Steps, action.Step{Name: "link", Group: 1, Dir: a.Build, Command: []string{"sh", "-c", "cat a.o b.o > out"}})
		if got := b.got(a); got != "built" {
			t.Errorf("%d: %s", i, got)
		}
		b.is("out", c.a+c.b)
		log, ran := b.read(".xbuild/linux/arm64/t/log"), ""
		for _, name := range []string{"a", "b"} {
			if strings.Contains(log, "\n+ sh -c cat "+a.Source+"/"+name) || strings.HasPrefix(log, "+ sh -c cat "+a.Source+"/"+name) {
				ran += name
			}
		}
		if ran != c.want {
			t.Errorf("%d: %q ran, want %q\n%s", i, ran, c.want, log)
		}
		// What was taken is known as what was read: a change is seen.
		b.write("src/a", fmt.Sprint("9", i))
		if got := b.got(a); got != "built" {
			t.Errorf("%d: after a change it is %s", i, got)
		}
		b.is("out", fmt.Sprint("9", i)+c.b)
	}
}

// TestKeptStepWritesMore: a step that writes a file beside its output is not kept.
func TestKeptStepWritesMore(t *testing.T) {
	store := t.TempDir()
	for i := range 2 {
		b := checkout(t, store, i)
		b.write("src/b", fmt.Sprint(i))
		a := b.keeping("out")
		for _, name := range []string{"input", "b"} {
			out := filepath.Join(a.Build, name+".o")
			a.Steps = append(a.Steps, action.Step{Name: name, Dir: a.Build, Output: out, Command: []string{"sh", "-c", fmt.Sprintf("cat %s/%s > %s; echo x > %s.su", a.Source, name, out, name)}})
		}
		a.Steps = append(a.Steps, action.Step{Name: "link", Group: 1, Dir: a.Build, Command: []string{"sh", "-c", "cat input.o b.o > out"}})
		a.Output = append(a.Output, action.Output{Path: "*.su"})
		if got := b.got(a); got != "built" {
			t.Errorf("%d: %s", i, got)
		}
		if names := b.names("dist/linux/arm64"); !slices.Equal(names, []string{"b.su", "input.su", "out"}) {
			t.Errorf("%d: %q", i, names)
		}
	}
}

// TestKeptElsewhere: what is read above the project by a relative path is another file from another project, and one in
// a folder whose name begins as the project's is none of it.
func TestKeptElsewhere(t *testing.T) {
	store := t.TempDir()
	for i, want := range []string{"built", "built", "kept"} {
		b := checkout(t, store, 1+i)
		b.write("../common/v", []string{"one", "two", "two"}[i])
		a := b.keeping("out", "cat ../../../../../../common/v > out")
		if got := b.got(a); got != want {
			t.Errorf("%d: it is %s, want %s", i, got, want)
		}
		b.is("out", []string{"one", "two", "two"}[i])
	}
}

// TestKeptLeftover: what an earlier run left in a build directory is in no kept result, but of build systems that say so.
func TestKeptLeftover(t *testing.T) {
	for _, precise := range []bool{false, true} {
		store := t.TempDir()
		b := checkout(t, store, 0)
		action := func(b *bench) *action.Action {
			a := b.keeping("", "for n in $(cat SRC/input); do echo $n > $n.txt; done")
			a.Precise, a.Output = precise, []action.Output{{Path: "*.txt"}}
			return a
		}
		b.write("src/input", "a b")
		b.got(action(b))
		b.write("src/input", "a")
		b.got(action(b))
		other := checkout(t, store, 1)
		other.write("src/input", "a")
		if got := other.got(action(other)); got != "built" {
			t.Errorf("it is %s", got)
		}
		if names := other.names("dist/linux/arm64"); !slices.Equal(names, []string{"a.txt"}) {
			t.Errorf("precise %v: %q", precise, names)
		}
	}
}

// TestKeptGrown: what a build system made in the directory of an earlier build is taken in that directory alone, until
// it is built from nothing.
func TestKeptGrown(t *testing.T) {
	store := t.TempDir()
	b := checkout(t, store, 0)
	action := func(b *bench) *action.Action {
		a := b.keeping("out", "cat SRC/input >> all; cp all out")
		a.Precise = false
		return a
	}
	for i, c := range []struct{ text, want, out string }{
		{"one ", "built", "one "},
		{"two ", "built", "one two "}, // as a build system does that keeps what it should not
		{"one ", "kept", "one "},
		{"two ", "up to date", "one two "},
		{"three ", "built", "one two three "},
		{"two ", "kept", "one two "},
		{"one ", "kept", "one "},
		{"three ", "up to date", "one two three "},
	} {
		b.write("src/input", c.text)
		if got := b.got(action(b)); got != c.want {
			t.Errorf("%d: %s is %s, want %s", i, c.text, got, c.want)
		}
		b.is("out", c.out)
	}
	other := checkout(t, store, 1)
	other.write("src/input", "two ")
	if got := other.got(action(other)); got != "built" {
		t.Errorf("in another checkout it is %s", got)
	}
	other.is("out", "two ")
	if err := os.RemoveAll(b.opt.Build); err != nil { // git clean -dx
		t.Fatal(err)
	}
	b.write("src/input", "three ")
	if got := b.got(action(b)); got != "built" {
		t.Errorf("after git clean it is %s", got)
	}
	b.is("out", "three ")
}

// TestKeptMoved: what a build moves out of its source is read by that.
func TestKeptMoved(t *testing.T) {
	store := t.TempDir()
	for i, text := range []string{"one", "two"} {
		b := checkout(t, store, i)
		b.write("src/input", text)
		a := b.keeping("out", "mv input out")
		a.Copy = true
		if got := b.got(a); got != "built" {
			t.Errorf("%d: %s", i, got)
		}
		b.is("out", text)
	}
}

// TestKeptWide: a result that names its folder in wide characters is taken in that folder alone.
func TestKeptWide(t *testing.T) {
	store := t.TempDir()
	for i := range 2 {
		b := checkout(t, store, i)
		if got := b.got(b.keeping("out", "pwd | sed 's/./&\\x00\\x00\\x00/g' > out")); got != "built" {
			t.Errorf("%d: %s", i, got)
		}
	}
}

// TestKeptAtOnce: many builds of the same and of other inputs share one store.
func TestKeptAtOnce(t *testing.T) {
	store := t.TempDir()
	var benches []*bench
	for i := range 12 {
		b := checkout(t, store, i%3)
		b.write("src/input", fmt.Sprint(i%4))
		benches = append(benches, b)
	}
	for range 2 {
		var wg sync.WaitGroup
		for i, b := range benches {
			wg.Go(func() {
				got, err := Run(t.Context(), &action.Graph{Actions: []*action.Action{b.keeping("out", copies)}}, b.opt)
				if err != nil || got[0].Err != nil {
					t.Errorf("%v, %v", err, got[0].Err)
				}
				if data, _ := os.ReadFile(filepath.Join(b.opt.Dist, "linux/arm64/out")); string(data) != fmt.Sprint(i%4) {
					t.Errorf("%d: %q", i, data)
				}
			})
		}
		wg.Wait()
		for _, b := range benches {
			os.RemoveAll(b.opt.Build)
			os.RemoveAll(b.opt.Dist)
		}
	}
}

// TestKeptNowhere: where nothing can be kept, the build succeeds and says so.
func TestKeptNowhere(t *testing.T) {
	store := t.TempDir()
	if err := os.WriteFile(filepath.Join(store, cache.Dir), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := checkout(t, store, 0)
	if r := b.one(b.keeping("out", copies)); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "is not kept") {
		t.Errorf("%q", r.Notes)
	}
	b.is("out", "one")
}
