package e2e

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xbuild/internal/answer"
	"xbuild/internal/store"
	"xbuild/internal/trace"
)

// nothingToDo is what a build says that finds nothing to do.
var nothingToDo = regexp.MustCompile(`^xbuild: 0 built, [0-9]+ up to date in [0-9.]+ s, in dist\n$`)

// TestAnswers: what a build was asked that found nothing to do is answered from a record. The record has each path that
// the usual way looks for, by strace(1), in every recipe; and each kind of change leads the usual way.
func TestAnswers(t *testing.T) {
	needNetwork(t)
	if err := trace.Supported(); err != nil {
		t.Skipf("no records are made on this machine: %v", err)
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: it is not seen what the usual way looks for")
	}
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(dir, os.DirFS("testdata/needs")); err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-p", "linux/amd64"}
	build(t, dir, "-p", "linux/amd64")
	if t.Failed() {
		return
	}
	a := answers{t: t, dir: dir, args: args, strace: strace}
	t.Run("complete", func(t *testing.T) { a.complete(t) })
	t.Run("changes", func(t *testing.T) { a.changes(t) })
}

type answers struct {
	t      *testing.T
	dir    string
	args   []string
	strace string
}

// record builds until the answer is on record, and returns the record's file. What is young is on none.
func (a answers) record(t *testing.T) string {
	t.Helper()
	time.Sleep(2500 * time.Millisecond)
	said := ""
	for range 8 {
		r := xbuild(t, a.dir, a.args...)
		if r.code != 0 || !nothingToDo.MatchString(r.stderr) {
			t.Fatalf("xbuild %s: %v\nwant nothing to do", strings.Join(a.args, " "), r)
		}
		file, word := a.find(t)
		if file != "" {
			return file
		}
		said += word
		time.Sleep(3 * time.Second)
	}
	t.Fatalf("there is no record of a build that finds nothing to do; the last words:\n%s", said)
	return ""
}

// find is the file with the record of this project, "" where there is none, and what stands instead of the latest.
func (a answers) find(t *testing.T) (file, word string) {
	t.Helper()
	folder := filepath.Join(a.store(t), answer.Folder)
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		paths, err := answer.Paths(path)
		if err != nil {
			data, _ := os.ReadFile(path)
			word += string(data)
			continue
		}
		if slices.Contains(paths, filepath.Join(a.dir, "xbuild.toml")) {
			return path, ""
		}
	}
	return "", word
}

func (a answers) store(t *testing.T) string {
	t.Helper()
	for _, kv := range environ() {
		if s, ok := strings.CutPrefix(kv, "XBUILD_STORE="); ok {
			return s
		}
	}
	s, err := store.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// traced runs the build under strace, and returns what each process looked for.
func (a answers) traced(t *testing.T) (lines []string) {
	t.Helper()
	program, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command(a.strace, append([]string{"-f", "-y", "-s", "4096", "-e", "trace=%file,getdents64,getdents", "-e", "signal=none", "-o", out, program}, a.args...)...)
	cmd.Dir, cmd.Env = a.dir, environ()
	if said, err := cmd.CombinedOutput(); err != nil || !nothingToDo.Match(said) {
		t.Fatalf("under strace: %v\n%s\nwant nothing to do", err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// A call of strace with a path: by a descriptor's directory, or as it is; and one that lists a directory.
var (
	callAt   = regexp.MustCompile(`^\d+ +(?:\w+at2?|statx|faccessat2)\((?:AT_FDCWD<([^>]*)>|\d+<([^>]*)>), ("(?:[^"\\]|\\.)*")`)
	callPath = regexp.MustCompile(`^\d+ +\w+\(("(?:[^"\\]|\\.)*")`)
	callList = regexp.MustCompile(`^\d+ +getdents(?:64)?\(\d+<([^>]*)>`)
)

// looked are the paths that lines of strace name, in their shortest form.
func (a answers) looked(lines []string) map[string]bool {
	paths := map[string]bool{}
	add := func(base, path string, slash string) {
		if path == "" {
			return // fstat
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
		paths[filepath.Clean(path)+slash] = true
	}
	for _, l := range lines {
		if m := callAt.FindStringSubmatch(l); m != nil {
			add(m[1]+m[2], unquoted(m[3]), "")
		} else if m := callPath.FindStringSubmatch(l); m != nil {
			add(a.dir, unquoted(m[1]), "")
		} else if m := callList.FindStringSubmatch(l); m != nil {
			add("/", m[1], "/")
		}
	}
	return paths
}

// unquoted is a string as strace shows it.
func unquoted(s string) string {
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return s
}

// fleeting is what tells of another moment, machine or process: what it is makes no difference to what is to be done. That the
// kernel shows what programs read is tried with a shell, which is looked for on PATH.
func (a answers) fleeting(store string) *regexp.Regexp {
	path := strings.ReplaceAll(regexp.QuoteMeta(os.Getenv("PATH")), ":", "|")
	build, tmp := regexp.QuoteMeta(filepath.Join(a.dir, ".xbuild")), regexp.QuoteMeta(os.TempDir())
	return regexp.MustCompile(`^(` + strings.Join([]string{
		`/proc(/.*)?`, `/sys(/.*)?`, `/dev`, `/usr/share/zoneinfo/.*`, `(` + path + `)/sh`, `/etc/mtab`, `/run`,
		`/etc/ld\.so\.(cache|preload)`, `/etc/(passwd|group|nsswitch\.conf|hosts|host\.conf|resolv\.conf|gai\.conf|localtime|services|protocols|hostname|machine-id|debian_version)`,
		`(/etc|/usr/lib)/[a-zA-Z]+-release`,
		tmp + `/(xbuild-commands-.*)?`,
		`(/dev/shm|/run/user/\d+|` + tmp + `)/xbuild-jobs-\d+(/.*)?`,
		build + `/`, build + `/CACHEDIR\.TAG`, build + `/jobs-[0-9-]+`,
		build + `/.*/(lock|took|memory|placing)`,
		regexp.QuoteMeta(store) + `(/(tmp|locks)/.*|/answers(/.*)?|/files|/trees|/locks|/tmp|/cache)?`,
		regexp.QuoteMeta(os.Getenv("HOME")) + `/(\.cache|\.npm|\.node-gyp|\.cargo/.*|go/pkg|\.config/go/telemetry)`,
	}, "|") + `)$`)
}

// complete holds the record against what the usual way looks for.
func (a answers) complete(t *testing.T) {
	file := a.record(t)
	paths, err := answer.Paths(file)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, p := range paths {
		slash := ""
		if strings.HasSuffix(p, "/") {
			slash = "/"
		}
		known[filepath.Clean(p)+slash] = true
	}
	// The short way looks at these, and starts nothing.
	lines := a.traced(t)
	if n := strings.Count(strings.Join(lines, "\n"), "execve("); n != 1 {
		t.Errorf("%d programs were started, and one answers from a record", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	usual := a.looked(a.traced(t))
	if len(usual) < 500 {
		t.Fatalf("strace shows %d paths of the usual way: it is not seen", len(usual))
	}
	fleeting, missed := a.fleeting(a.store(t)), 0
	for path := range usual {
		if known[path] || fleeting.MatchString(path) {
			continue
		}
		if missed++; missed <= 20 {
			t.Errorf("the usual way looks at %s, which is not on record", path)
		}
	}
	t.Logf("%d paths on record, %d that the usual way looks at, %d missed", len(known), len(usual), missed)
}

// changes makes changes of every kind, and holds that the next build is not answered from the record where it has
// something to do or to say.
func (a answers) changes(t *testing.T) {
	rewrite := func(name string, change func([]byte) []byte) func() error {
		return func() error {
			file := filepath.Join(a.dir, name)
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, change(data), 0o644)
		}
	}
	longer := func(data []byte) []byte { return append(data, '\n') }
	artifact := built(a.dir, "linux/amd64", "use_go")
	const wrong = "[target.\n"
	for _, c := range []struct {
		name string
		do   func() error
		want *regexp.Regexp // of what the build says
	}{
		{"a source of C", rewrite("greet/greet.c", longer), regexp.MustCompile(`xbuild: [1-9][0-9]* built`)},
		{"a source of Go", rewrite("use_go/main.go", longer), regexp.MustCompile(`xbuild: [1-9][0-9]* built`)},
		{"xbuild.toml", rewrite("xbuild.toml", func(data []byte) []byte {
			return append(data, wrong...)
		}), regexp.MustCompile(`xbuild\.toml:\d+`)},
		{"xbuild.toml as it was", rewrite("xbuild.toml", func(data []byte) []byte {
			return bytes.TrimSuffix(data, []byte(wrong))
		}), nothingToDo},
		{"an artifact that is gone", func() error { return os.Remove(artifact) }, nothingToDo},
	} {
		if c.name != "xbuild.toml as it was" { // before it there was an error
			a.record(t)
		}
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := xbuild(t, a.dir, a.args...)
		if !c.want.MatchString(r.stderr) {
			t.Errorf("after a change of %s: %v\nwant %s", c.name, r, c.want)
		}
	}
	if _, err := os.Stat(artifact); err != nil {
		t.Errorf("the artifact that was removed is not there: %v", err)
	}
}
