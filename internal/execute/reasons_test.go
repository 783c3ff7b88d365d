package execute

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/env"
)

// TestWhy: each run says what was not as it was the last time, by name, and one with nothing to do says nothing.
func TestWhy(t *testing.T) {
	b := newBench(t)
	b.write("src/other", "1")
	a := b.action("hello", "linux/arm64", "hello", "cat ../../../../../src/input >hello; ls ../../../../../src >>hello; test ! -e ../../../../../src/maybe")
	plain := func(a *action.Action) { a.ID = action.ID(a.MadeOf()) }
	plain(a)
	for _, c := range []struct {
		name   string
		change func()
		want   []string // parts of the lines, in their order
	}{
		{"the first", func() {}, []string{"it was not built here before"}},
		{"nothing", func() {}, nil},
		{"a file", func() { b.write("src/input", "another") }, []string{"src/input has changed"}},
		{"a file is gone", func() { os.Remove(filepath.Join(b.dir, "src/other")) }, []string{"src/ has other files"}},
		{"a variable", func() { a.Env = append(a.Env, env.Var{Name: "CFLAGS", Value: "-O2 -g"}); plain(a) }, []string{`env CFLAGS: "-O2 -g", and was not there`}},
		{"its value", func() { a.Env[0].Value = "-O3 -g"; plain(a) }, []string{`env CFLAGS: "-O3 -g", and was "-O2 -g"`}},
		{"a word of a command", func() { a.Steps[0].Command = append(a.Steps[0].Command, "x"); plain(a) }, []string{`steps step 0 command: "x" is new`}},
		{"a tool", func() { a.Path = []string{"/store/clang-19"}; plain(a) }, []string{`path: "/store/clang-19" is new`}},
		{"another tool", func() { a.Path = []string{"/store/clang-21"}; plain(a) }, []string{`path: "/store/clang-21" is new`, `path: "/store/clang-19" is gone`}},
		{"the output", func() { os.Remove(filepath.Join(a.Build, "hello")) }, []string{"an output in the build directory is gone"}},
		{"a failure", func() { b.write("src/maybe", "") }, []string{"src/ has other files", "src/maybe is new"}},
		{"after a failure", func() { os.Remove(filepath.Join(b.dir, "src/maybe")) }, []string{"the last run failed", "src/ has other files", "src/maybe is gone"}},
		{"after an end", func() { os.Remove(a.State) }, []string{"the last run was ended before it came to its end"}},
	} {
		c.change()
		r := b.run(a)[0]
		if len(r.Why) != len(c.want) {
			t.Fatalf("%s: %q, want %q (%v)\n%s", c.name, r.Why, c.want, r.Err, r.Log)
		}
		for i, want := range c.want {
			if !strings.Contains(r.Why[i], want) {
				t.Errorf("%s: %q, want %q", c.name, r.Why[i], want)
			}
		}
		if r.Cached != (c.want == nil) {
			t.Errorf("%s: cached %v", c.name, r.Cached)
		}
	}
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		was, is string
		want    []string
	}{
		{`{"a": 1}`, `{"a": 1}`, nil},
		{`{"a": 1, "id": "x"}`, `{"a": 1, "id": "y"}`, nil},
		{`{"a": "x"}`, `{"a": "y", "b": true}`, []string{`a: "y", and was "x"`, `b: true, and was not there`}},
		{`{"a": ["x", "y"]}`, `{"a": ["y", "z"]}`, []string{`a: "z" is new`, `a: "x" is gone`}},
		{`{"a": ["x", "y"]}`, `{"a": ["y", "x"]}`, []string{`a: the same in another order`}},
		{`{"a": ["x", "x"]}`, `{"a": ["x"]}`, []string{`a: the same in another order`}},
		{`{"env": [{"name": "A", "value": "1"}]}`, `{"env": [{"name": "A", "value": "2"}, {"name": "B", "value": ""}]}`, []string{`env A: "2", and was "1"`, `env B: "", and was not there`}},
		{`{"steps": [{"name": "s", "dir": "/a"}]}`, `{"steps": []}`, []string{`steps s: is gone, and was {"dir":"/a"}`}},
		{`{"a": {"b": 1}}`, `{"a": [1]}`, []string{`a: [1], and was {"b":1}`}},
	} {
		var was, is any
		if err := json.Unmarshal([]byte(c.was), &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.is), &is); err != nil {
			t.Fatal(err)
		}
		if got := differences("", was, is); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s and %s: %q, want %q", c.was, c.is, got, c.want)
		}
	}
}
