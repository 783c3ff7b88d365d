package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// at opens a project that is an xbuild.toml in a directory of its own, and a store beside it.
func at(t *testing.T, toml string, o Options) *Engine {
	t.Helper()
	o.Dir, o.StoreDir = t.TempDir(), filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(filepath.Join(o.Dir, "xbuild.toml"), []byte(toml), 0o644); err != nil {
		t.Fatal(err)
	}
	e, err := OpenProject(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hello is a project whose Go is the host's: it can be planned with an empty lock.
const hello = `[project]
name = "hello"
platforms = ["linux/amd64", "linux/arm64"]
[toolchains]
go = { source = "host" }
[target.hello]
recipe = "go"
`

// TestOpenWithoutProject: an engine works anywhere, and its lock lies in the store.
func TestOpenWithoutProject(t *testing.T) {
	o := Options{Dir: t.TempDir(), StoreDir: filepath.Join(t.TempDir(), "store")}
	if _, err := OpenProject(o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a project was found in an empty directory: %v", err)
	}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if e.lockPath != filepath.Join(o.StoreDir, "xbuild.lock") || e.inProject || e.ProjectName() != "" {
		t.Errorf("the lock is %s, the project %q", e.lockPath, e.ProjectName())
	}
}

func TestPlatforms(t *testing.T) {
	for _, c := range []struct {
		name  string
		given []string
		want  string
		glibc string // that linux/arm64 has then
	}{
		{"none", nil, "", ""},
		{"any spelling", []string{"aarch64-linux-gnu", " linux/amd64"}, "linux/arm64 linux/amd64", ""},
		{"one twice", []string{"linux/arm64", "aarch64"}, "linux/arm64", ""},
		{"a floor", []string{"linux/arm64.2.31"}, "linux/arm64", "2.31"},
		{"the last floor", []string{"linux/arm64.2.31", "linux/arm64.2.36"}, "linux/arm64", "2.36"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := at(t, hello, Options{})
			ps, err := e.platforms(c.given)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range ps {
				got = append(got, p.Name)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %s", got, c.want)
			}
			if glibc := e.pl.Project.PlatformConfig["linux/arm64"].Sysroot.Glibc; glibc != c.glibc {
				t.Errorf("the floor is %q, want %q", glibc, c.glibc)
			}
		})
	}
	e := at(t, hello, Options{})
	if _, err := e.one("vax"); !errors.As(err, new(RequestError)) {
		t.Errorf("of a platform that there is not: %v", err)
	}
	if p, err := e.one(""); err != nil || p.Name != platform.Host().Name {
		t.Errorf("none named is %s, %v, want the host", p.Name, err)
	}
}

// TestPlace: where builds go that cannot lie in the project.
func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name, folder, build string // the project's folder; what the caller names
		want                func(project, store string) string
	}{
		{"in the project", "plain", "", func(project, _ string) string { return filepath.Join(project, ".xbuild") }},
		{"named", "plain", "/tmp/named", func(string, string) string { return "/tmp/named" }},
		{"a space", "a b", "", func(_, store string) string { return filepath.Join(store, "build") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, store := filepath.Join(t.TempDir(), c.folder), filepath.Join(t.TempDir(), "store")
			err := os.Mkdir(dir, 0o755)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(hello), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			e, err := OpenProject(Options{Dir: dir, StoreDir: store, BuildDir: c.build})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := e.pl.Project.BuildDir(), c.want(dir, store); !strings.HasPrefix(got, want) {
				t.Errorf("it is built in %s, want %s", got, want)
			}
			if moved := c.folder != "plain" || c.build != ""; moved != (e.moved != nil) {
				t.Errorf("directories that hold no sources: %q", e.moved)
			}
			if e.ownLock != "" {
				t.Errorf("the lock goes to %s, and the project's can be written", e.ownLock)
			}
		})
	}
}

// TestWritable: what is not there yet can be written where its directory can.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		dir: true, filepath.Join(dir, "a/b/c"): true, filepath.Join(dir, "file"): true, "/proc/nothing": false,
	} {
		if err := writable(path); (err == nil) != want && os.Geteuid() != 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOrigin(t *testing.T) {
	machine := func() []string { return []string{"http://machine/"} }
	for _, c := range []struct {
		given, project []string
		want           string
	}{
		{nil, nil, "http://machine"},
		{nil, []string{"http://project/debian/"}, "http://project/debian"},
		{[]string{"http://a/", "http://b"}, []string{"http://project"}, "http://a http://b"},
	} {
		if got := strings.Join(origin(c.given, c.project, machine), " "); got != c.want {
			t.Errorf("of %q and %q come %q, want %q", c.given, c.project, got, c.want)
		}
	}
	given := []string{"http://a/"}
	if origin(given, nil, machine); given[0] != "http://a/" {
		t.Errorf("what the caller named is now %q", given)
	}
}

func TestInFront(t *testing.T) {
	got := inFront([]string{"A=1=2", "PATH=/bin", "EMPTY="}, []string{"/x", "/y"})
	if want := []string{"A=1=2", "PATH=/x:/y:/bin", "EMPTY="}; !slices.Equal(got.Strings(), want) {
		t.Errorf("%q, want %q", got.Strings(), want)
	}
}

// TestPlan plans what needs nothing of the lock, beside what cannot be planned.
func TestPlan(t *testing.T) {
	e := at(t, hello, Options{})
	p, err := e.Plan(context.Background(), Selection{})
	if err != nil || len(p.Actions) != 2 || len(p.Faults) != 0 {
		t.Fatalf("%d actions, faults %v, %v", len(p.Actions), p.Faults, err)
	}
	if p, err = e.Plan(context.Background(), Selection{Platforms: []string{"arm64"}}); err != nil || len(p.Actions) != 1 {
		t.Errorf("of one platform: %d actions, %v", len(p.Actions), err)
	}
	_, err = e.Plan(context.Background(), Selection{Targets: []string{"hallo"}})
	if err == nil || !strings.Contains(err.Error(), `no target "hallo"`) {
		t.Errorf("of a target that there is not: %v", err)
	}

	const wrong = "[platform.\"windows/amd64\"]\nlibc = \"gnu\"\n"
	e = at(t, strings.Replace(hello, `"linux/arm64"`, `"windows/amd64"`, 1)+wrong, Options{})
	p, err = e.Plan(context.Background(), Selection{})
	if p == nil || len(p.Actions) != 1 || len(p.Faults) != 1 || !errors.As(err, new(*FailedError)) {
		t.Errorf("a platform of two is wrong: %+v, %v", p, err)
	}
	p, err = e.Plan(context.Background(), Selection{Platforms: []string{"windows/amd64"}})
	if p != nil || err == nil || errors.As(err, new(*FailedError)) {
		t.Errorf("nothing can be planned: %+v, %v", p, err)
	}
}

// TestLacking: a lock that may not be changed and lacks something is an error that says what, and what to do.
func TestLacking(t *testing.T) {
	const mixed = hello + "[target.c]\nrecipe = \"make\"\nplatforms = [\"linux/arm64\"]\n"
	for _, c := range []struct {
		name string
		o    Options
		call func(*Engine) error
		want []string
	}{
		{"one of two targets", Options{Locked: true}, func(e *Engine) error {
			p, err := e.Plan(context.Background(), Selection{})
			if p == nil || len(p.Actions) != 2 {
				return errors.New("the other was not planned")
			}
			return err
		}, []string{
			"1 of 3 failed", "c for linux/arm64", "sysroot for linux/arm64", "--locked forbids", `run "xbuild lock"`,
		}},
		{"a thing beside", Options{Offline: true}, func(e *Engine) error {
			return e.Fetch(context.Background(), FetchRequest{Selection: Selection{Targets: []string{"hello"}}, QEMU: true})
		}, []string{"toolchain qemu", "--offline forbids", `run "xbuild fetch"`}},
		{"an environment", Options{Offline: true}, func(e *Engine) error {
			_, err := e.Env(context.Background(), "linux/arm64")
			return err
		}, []string{"toolchain clang", "sysroot for linux/arm64", `run "xbuild fetch --exec"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(at(t, mixed, c.o))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nlacks %q", err, w)
				}
			}
		})
	}
}

func TestFlags(t *testing.T) {
	e := at(t, "[project]\nplatforms = [\"linux/arm/v7\"]\n", Options{})
	for _, c := range []struct {
		r    FlagsRequest
		want string
	}{
		{FlagsRequest{Platform: "linux/arm/v7", Language: "c"}, "-march=armv7-a"},
		{FlagsRequest{Platform: "linux/arm/v7", Language: "c++", Features: []string{"neon"}}, "-mfpu=neon"},
		{FlagsRequest{Platform: "linux/arm/v7", Language: "rust"}, "target-feature"},
		{FlagsRequest{Platform: "linux/arm/v7", Language: "go"}, "GOARM=7"},
	} {
		got, err := e.Flags(c.r)
		if err != nil || !strings.Contains(strings.Join(got, " "), c.want) {
			t.Errorf("%+v: %q, %v, want %s", c.r, got, err, c.want)
		}
	}
	for _, r := range []FlagsRequest{
		{Platform: "vax", Language: "c"}, {Language: "c", CPU: "nothing"}, {Language: "ada"},
		{Platform: "linux/arm/v7", Language: "c", Features: []string{"nothing"}},
	} {
		if _, err := e.Flags(r); !errors.As(err, new(RequestError)) {
			t.Errorf("%+v: %v, want a RequestError", r, err)
		}
	}
}
