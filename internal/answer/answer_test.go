package answer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"xbuild/internal/trace"
)

var answered = regexp.MustCompile(`^nothing in [0-9]+\.[0-9] s\n$`)

// The test's own program plays a command: it is run again, watched, and reads what files says.
const files = "ANSWER_TEST_FILES"

func TestMain(m *testing.M) {
	if list := os.Getenv(files); list != "" {
		if _, watching := Handed(); !watching {
			os.Exit(3)
		}
		for path := range strings.SplitSeq(list, ":") {
			if dir, ok := strings.CutSuffix(path, "/"); ok {
				os.ReadDir(dir)
			} else {
				os.Stat(path)
			}
		}
		os.Stderr.WriteString("nothing in " + Elapsed + " s\n")
		if os.Getenv("ANSWER_TEST_FAILS") != "" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A room is a directory with what a command reads, all of it old.
type room struct {
	t       *testing.T
	dir     string // with what it reads
	records string
	kept    Kept
}

// newRooms makes so many rooms, and waits until what is in them is old: the times of change of files cannot be set.
func newRooms(t *testing.T, n int) []*room {
	t.Helper()
	if err := trace.Supported(); err != nil {
		t.Skipf("what a command reads cannot be seen on this machine: %v", err)
	}
	var rooms []*room
	for range n {
		r := &room{t: t, dir: t.TempDir(), records: filepath.Join(t.TempDir(), Folder)}
		r.write("file", "one")
		r.write("other", "one")
		r.write("sub/a", "a")
		r.write("tag", "")
		if err := os.Symlink("file", r.path("link")); err != nil {
			t.Fatal(err)
		}
		r.kept = Kept{
			Touch: r.path("tag"),
			Mark:  func(string) bool { return false },
			Fleeting: func(path string) bool {
				return strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/") || path == r.path("fleeting")
			},
		}
		rooms = append(rooms, r)
	}
	time.Sleep(settled + 100*time.Millisecond)
	return rooms
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := newRooms(t, 1)[0]
	r.enter(t)
	return r
}

// enter makes the command read what is in the room.
func (r *room) enter(t *testing.T) {
	t.Helper()
	r.t = t
	t.Setenv(files, strings.Join([]string{r.path("file"), r.path("link"), r.path("missing"), r.path("fleeting"), r.path("sub") + "/"}, ":"))
}

func (r *room) path(name string) string { return filepath.Join(r.dir, name) }

func (r *room) write(name, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) ask(args ...string) *Question {
	r.t.Helper()
	q, err := Ask(r.records, args)
	if err != nil {
		r.t.Fatal(err)
	}
	return q
}

// keep asks as two commands do, one after the other, that find nothing to do.
func (r *room) keep(args ...string) *Question {
	r.t.Helper()
	for range 2 {
		q := r.ask(args...)
		if text, ok := q.Given(); ok {
			r.t.Fatalf("an answer %q is on record already", text)
		}
		if err := q.Keep(context.Background(), r.kept); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.ask(args...)
}

func (r *room) given(args ...string) bool {
	r.t.Helper()
	text, ok := r.ask(args...).Given()
	if ok && !answered.MatchString(text) {
		r.t.Errorf("the answer is %q", text)
	}
	return ok
}

func TestAnswer(t *testing.T) {
	r := newRoom(t)
	q := r.ask("build")
	if err := q.Keep(context.Background(), r.kept); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(q.file); err != nil || string(data) != again {
		t.Fatalf("after the first command that finds nothing to do there is %q (%v), want a word for the second", data, err)
	}
	os.Remove(q.file)
	r.keep("build")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.path("tag"), old, old); err != nil {
		t.Fatal(err)
	}
	if !r.given("build") || !r.given("build") {
		t.Fatal("nothing has changed, and there is no answer")
	}
	if info, err := os.Stat(r.path("tag")); err != nil || !info.ModTime().After(old) {
		t.Errorf("the file that tells of the last use was not touched (%v)", err)
	}
	if r.given("build", "-q") {
		t.Error("the answer was given to another question")
	}
}

// TestQuestions holds that another environment, directory or list of arguments is another question.
func TestQuestions(t *testing.T) {
	first := func() string {
		t.Helper()
		q, err := Ask("/records", []string{"build", "a"})
		if err != nil {
			t.Fatal(err)
		}
		return q.file
	}
	was := first()
	if first() != was {
		t.Error("the same question has two names")
	}
	if q, _ := Ask("/records", []string{"build a"}); q.file == was {
		t.Error("arguments are told apart by blanks alone")
	}
	t.Setenv("ANSWER_TEST", "1")
	if first() == was {
		t.Error("a variable more is the same question")
	}
	os.Unsetenv("ANSWER_TEST")
	t.Chdir(t.TempDir())
	if first() == was {
		t.Error("another directory is the same question")
	}
}

// TestChanges makes each change that a command could see, one at a time.
func TestChanges(t *testing.T) {
	// as sets the times of a file to those of another.
	as := func(name string, was os.FileInfo) error { return os.Chtimes(name, was.ModTime(), was.ModTime()) }
	changes := []struct {
		name string
		do   func(r *room, was os.FileInfo) error
	}{
		{"another content", func(r *room, _ os.FileInfo) error { return os.WriteFile(r.path("file"), []byte("three"), 0o644) }},
		{"the same size, and the old time", func(r *room, was os.FileInfo) error {
			r.write("file", "eno")
			return as(r.path("file"), was)
		}},
		{"a file in its place with the same size and time", func(r *room, was os.FileInfo) error {
			r.write("new", "eno")
			return errors.Join(as(r.path("new"), was), os.Rename(r.path("new"), r.path("file")))
		}},
		{"another mode", func(r *room, _ os.FileInfo) error { return os.Chmod(r.path("file"), 0o755) }},
		{"gone", func(r *room, _ os.FileInfo) error { return os.Remove(r.path("file")) }},
		{"a directory in its place", func(r *room, _ os.FileInfo) error {
			return errors.Join(os.Remove(r.path("file")), os.Mkdir(r.path("file"), 0o755))
		}},
		{"what was looked for is there", func(r *room, _ os.FileInfo) error { return os.WriteFile(r.path("missing"), nil, 0o644) }},
		{"and is a link that leads nowhere", func(r *room, _ os.FileInfo) error { return os.Symlink("nowhere", r.path("missing")) }},
		{"a name more in a directory that was listed", func(r *room, _ os.FileInfo) error {
			return os.WriteFile(r.path("sub/b"), nil, 0o644)
		}},
		{"a name less", func(r *room, _ os.FileInfo) error { return os.Remove(r.path("sub/a")) }},
		{"a link to another file of the same content", func(r *room, _ os.FileInfo) error {
			return errors.Join(os.Remove(r.path("link")), os.Symlink("other", r.path("link")))
		}},
		{"a file of the same content instead of a link", func(r *room, _ os.FileInfo) error {
			return errors.Join(os.Remove(r.path("link")), os.WriteFile(r.path("link"), []byte("one"), 0o644))
		}},
		{"the directory is a link to where it is", func(r *room, _ os.FileInfo) error {
			return errors.Join(os.Rename(r.path("sub"), r.path("moved")), os.Symlink("moved", r.path("sub")))
		}},
		{"nothing is there that tells of the last use", func(r *room, _ os.FileInfo) error { return os.Remove(r.path("tag")) }},
	}
	rooms := newRooms(t, len(changes))
	for i, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			r := rooms[i]
			r.enter(t)
			r.keep("build")
			if !r.given("build") {
				t.Fatal("there is no answer before")
			}
			was, err := os.Stat(r.path("file"))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.do(r, was); err != nil {
				t.Fatal(err)
			}
			if r.given("build") {
				t.Error("the old answer is given")
			}
		})
	}
}

func TestChangesThatAreNone(t *testing.T) {
	r := newRoom(t)
	r.keep("build")
	r.write("sub/a", "another one, of whose directory the names alone were read")
	r.write("fleeting", "")
	r.write("beside", "")
	if !r.given("build") {
		t.Error("nothing has changed that the command looked for, and there is no answer")
	}
}

// TestYoung holds that what may be changed within the same tick of the clock is on no record.
func TestYoung(t *testing.T) {
	r := newRoom(t)
	r.ask("build").Keep(context.Background(), r.kept)
	q := r.ask("build")
	q.Given()
	r.write("file", "young")
	if err := q.Keep(context.Background(), r.kept); err == nil || !strings.Contains(err.Error(), "young") {
		t.Fatalf("a file that was written just now is on record (%v)", err)
	}
	if r.given("build") {
		t.Error("there is an answer")
	}
	q = r.ask("build")
	q.Given()
	if q.due || !q.wait {
		t.Errorf("due %v, wait %v: it is to be tried again a little later", q.due, q.wait)
	}
}

// TestTimes holds that a record ends, and is none before it was made: the clock was set back.
func TestTimes(t *testing.T) {
	r := newRoom(t)
	q := r.keep("build")
	data, err := os.ReadFile(q.file)
	if err != nil {
		t.Fatal(err)
	}
	rec, ok := read(data)
	if !ok {
		t.Fatalf("%q is no record", data[:40])
	}
	now := time.Unix(rec.made, 0)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {-time.Second, false}, {Day - time.Second, true}, {Day, false}} {
		if got := rec.holds(now.Add(c.after)); got != c.want {
			t.Errorf("%v after it was made it holds: %v, want %v", c.after, got, c.want)
		}
	}
}

// TestMark holds that a record ends when a mark of the last use has to be renewed.
func TestMark(t *testing.T) {
	r := newRoom(t)
	r.kept.Mark = func(path string) bool { return path == r.path("file") }
	used := time.Now().Add(-20 * time.Hour)
	if err := os.Chtimes(r.path("file"), used, used); err != nil {
		t.Fatal(err)
	}
	time.Sleep(settled + 50*time.Millisecond)
	q := r.keep("build")
	data, _ := os.ReadFile(q.file)
	rec, ok := read(data)
	if !ok || rec.until != used.Add(Day).Unix() {
		t.Fatalf("record %v: it holds until %+v, want %v", ok, rec, used.Add(Day))
	}
	used = used.Add(-Day)
	if err := os.Chtimes(r.path("file"), used, used); err != nil {
		t.Fatal(err)
	}
	time.Sleep(settled + 50*time.Millisecond)
	q.due = true
	if err := q.Keep(context.Background(), r.kept); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a mark that nobody renews: %v", err)
	}
}

// TestDamaged cuts a record off at each place, and flips each of its bytes: none of that is believed.
func TestDamaged(t *testing.T) {
	r := newRoom(t)
	q := r.keep("build")
	whole, err := os.ReadFile(q.file)
	if err != nil {
		t.Fatal(err)
	}
	believed := func(data []byte) bool {
		rec, ok := read(data)
		return ok && rec.holds(time.Now())
	}
	if !believed(whole) {
		t.Fatal("the whole record is not believed")
	}
	for n := range whole {
		if believed(whole[:n]) {
			t.Fatalf("a record is believed that was cut off after %d of %d bytes", n, len(whole))
		}
		flipped := append([]byte{}, whole...)
		flipped[n] ^= 0x40
		if believed(flipped) {
			t.Fatalf("a record is believed whose byte %d was changed", n)
		}
	}
}

// TestNotKept holds that a command that fails, or that is ended, leaves no record.
func TestNotKept(t *testing.T) {
	r := newRoom(t)
	r.ask("build").Keep(context.Background(), r.kept)
	q := r.ask("build")
	q.Given()
	t.Setenv("ANSWER_TEST_FAILS", "1")
	if err := q.Keep(context.Background(), r.kept); err == nil {
		t.Error("a command failed, and its answer is kept")
	}
	os.Unsetenv("ANSWER_TEST_FAILS")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	q = &Question{file: q.file, due: true}
	if err := q.Keep(ctx, r.kept); err == nil {
		t.Error("a command was ended, and its answer is kept")
	}
	if r.given("build") {
		t.Error("there is an answer")
	}
}

// TestHanded holds that a question comes from one process to the next, and that nobody behind that one hears of it.
func TestHanded(t *testing.T) {
	t.Setenv(variable, "")
	for _, q := range []Question{{file: "/a b", due: true}, {file: "/a", wait: true}, {file: "/a"}} {
		q.HandOn()
		got, watching := Handed()
		if got == nil || *got != q || watching {
			t.Errorf("%+v became %+v, watched %v", q, got, watching)
		}
		if got, watching := Handed(); got != nil || watching {
			t.Errorf("it was handed on twice: %+v", got)
		}
	}
	t.Setenv(variable, watched)
	if q, watching := Handed(); q != nil || watching {
		t.Error("a variable that somebody has set makes a process one that is watched")
	}
}
