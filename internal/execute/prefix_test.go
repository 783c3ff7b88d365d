package execute

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
)

// TestPrefix lays out what actions made, as others find it.
func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		name    string
		outputs map[string]string // by path in dist: the content; "-> x" is a link
		run     bool              // by programs of the host alone
		want    []string
	}{
		{"a static library", map[string]string{"libgreet.a": ""}, false,
			[]string{"include/greet.h", "lib/cmake/greet/greetConfig.cmake", "lib/libgreet.a", "lib/pkgconfig/greet.pc"}},
		{"a shared one with a number", map[string]string{"usr/lib/libgreet.so.1": ""}, false,
			[]string{"include/greet.h", "lib/cmake/greet/greetConfig.cmake", "lib/libgreet.so", "lib/libgreet.so.1", "lib/pkgconfig/greet.pc"}},
		{"one for Windows", map[string]string{"greet.dll": ""}, false,
			[]string{"bin/greet.dll", "include/greet.h", "lib/cmake/greet/greetConfig.cmake", "lib/greet.dll", "lib/pkgconfig/greet.pc"}},
		{"what is installed", map[string]string{
			"usr/lib64/libgreet.so.1": "", "usr/lib64/libgreet.so": "-> libgreet.so.1", "usr/lib/libgreet.la": "", "usr/local/include/greet/x.hpp": "",
			"usr/lib/pkgconfig/g.pc": "", "usr/lib/cmake/G/GConfig.cmake": "", "usr/bin/greet-tool": "", "etc/greet.conf": "",
		}, false, []string{
			"bin/greet-tool", "include/greet.h", "include/greet/x.hpp", "lib/cmake/G/GConfig.cmake", "lib/libgreet.so", "lib/libgreet.so.1",
			"lib/pkgconfig/g.pc", "share/greet/greet.conf",
		}},
		{"a program", map[string]string{"gen": "", "table.txt": ""}, true, []string{"bin/gen", "share/greet/table.txt"}},
		{"headers and descriptions among the outputs", map[string]string{"x.h": "", "x.pc": "", "xConfig.cmake": "", "libx.a": ""}, false,
			[]string{"include/greet.h", "include/x.h", "lib/cmake/greet/xConfig.cmake", "lib/libx.a", "lib/pkgconfig/x.pc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			a := &action.Action{
				Target: "greet", State: filepath.Join(dir, "state.json"), Prefix: filepath.Join(dir, "prefix"), Linked: !c.run, Started: c.run,
				Headers: []string{filepath.Join(dir, "include"), filepath.Join(dir, "none")},
			}
			write(t, filepath.Join(dir, "include/greet.h"), "")
			write(t, filepath.Join(dir, "include/greet.c"), "")
			st := &state{}
			for name, text := range c.outputs {
				o := output{Path: filepath.Join(dir, "stage", name), Dist: name}
				write(t, o.Path, text)
				if !strings.Contains(name, ".") {
					os.Chmod(o.Path, 0o755)
				}
				if link, ok := strings.CutPrefix(text, "-> "); ok {
					o.Link = link
					os.Remove(o.Path)
					if err := os.Symlink(link, o.Path); err != nil {
						t.Fatal(err)
					}
				}
				st.Outputs = append(st.Outputs, o)
			}
			if err := (&runner{}).prefix(a, st); err != nil {
				t.Fatal(err)
			}
			if names, err := laidOut(a); err != nil || !slices.Equal(names, c.want) {
				t.Errorf("%q, %v\nwant %q", names, err, c.want)
			}
			for _, name := range c.want {
				if _, err := os.Stat(filepath.Join(a.Prefix, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestPrefixTimes: what is the same keeps its time, what is another one gets a new one, what is gone goes.
func TestPrefixTimes(t *testing.T) {
	dir := t.TempDir()
	a := &action.Action{Target: "greet", State: filepath.Join(dir, "state.json"), Prefix: filepath.Join(dir, "prefix"), Started: true}
	file := func(name string) output { return output{Path: filepath.Join(dir, name), Dist: name} }
	write(t, filepath.Join(dir, "a.txt"), "1")
	write(t, filepath.Join(dir, "b.txt"), "1")
	if err := (&runner{}).prefix(a, &state{Outputs: []output{file("a.txt"), file("b.txt")}}); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(a.Prefix, "share/greet/a.txt")
	before, err := os.Stat(at)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "a.txt"))
	write(t, filepath.Join(dir, "a.txt"), "1") // made again, the same
	if err := (&runner{}).prefix(a, &state{Outputs: []output{file("a.txt")}}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(at); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same content: %v, %v, was %v", after, err, before)
	}
	if _, err := os.Stat(filepath.Join(a.Prefix, "share/greet/b.txt")); !os.IsNotExist(err) {
		t.Errorf("what is no output any more: %v", err)
	}
	write(t, filepath.Join(dir, "a.txt"), "22")
	if err := (&runner{}).prefix(a, &state{Outputs: []output{file("a.txt")}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(at); err != nil || string(text) != "22" {
		t.Errorf("another content: %q, %v", text, err)
	}
}

// TestRelocated: a .pc file for /usr names the prefix; what is the sysroot's stays.
func TestRelocated(t *testing.T) {
	const text = `prefix=/usr
exec_prefix=${prefix}
libdir=/usr/local/lib
other = /usrx
Cflags: -I${prefix}/include -I/usr/include/greet -I/usr/include/libxml2
Libs: -L/usr/lib -lgreet
`
	const want = `prefix=/p
exec_prefix=${prefix}
libdir=/p/lib
other = /usrx
Cflags: -I${prefix}/include -I/p/include/greet -I/usr/include/libxml2
Libs: -L/p/lib -lgreet
`
	has := func(dir string) bool { return dir == "/include/greet" || dir == "/lib" }
	if got := string(relocated([]byte(text), "/p", has)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSchedule: an action begins after what it needs, those that can begin in their order.
func TestSchedule(t *testing.T) {
	lib, gen := &action.Action{Target: "lib"}, &action.Action{Target: "gen"}
	app := &action.Action{Target: "app", Needs: []action.Need{{Target: "lib", Action: lib}, {Target: "gen", Action: gen, Run: true}}}
	s := newSchedule([]*action.Action{app, lib, gen}, 1, remembered)
	for _, want := range []int{1, 2} {
		if i, ok := s.next(); !ok || i != want {
			t.Fatalf("next is %d, %v, want %d", i, ok, want)
		}
	}
	got := make(chan int)
	go func() {
		i, _ := s.next()
		got <- i
	}()
	s.end(1)
	select {
	case i := <-got:
		t.Fatalf("%d began before gen ended", i)
	default:
	}
	s.end(2)
	if i := <-got; i != 0 {
		t.Errorf("%d began, want 0", i)
	}
	if err := s.unmade(app, []Result{{}, {}, {Err: os.ErrInvalid}}); err == nil || err.Error() != "not built: it needs gen for , which failed" {
		t.Errorf("of a need that failed: %v", err)
	}
	if _, ok := s.next(); ok {
		t.Error("there is more than three")
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
