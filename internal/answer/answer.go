// Package answer keeps what a command said that found nothing to do, and says it again for as long as nothing has
// changed of what that was made from. Nobody lists what that is: the command is run once more, watched by the kernel
// (package trace), and each path that it looked for goes into the record. A record is for one question: the same
// program, arguments, directory, environment, user and kernel.
//
// A record holds paths, and one digest of what stat(2) says of all of them. A version of a file is told by its time of
// change (st_ctime), which no program sets; no record is made where a file is so young that its time may not tell it
// from the next version. Records are written whole (rename), hold for a day at most, and are removed as soon as one
// does not hold.
package answer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Folder is the name of the folder in a store that records lie in.
const Folder = "answers"

// variable hands a question on to the process that does the work, and tells one that is watched that it is.
const variable = "XBUILD_ANSWER"

const (
	magic   = "xbuild answer 1\n"
	again   = "nothing was to do\n" // instead of a record: it is made when that is so once more
	later   = "not before "         // instead of a record: when to try again
	watched = "watched"

	// Elapsed stands in a text for the seconds that it took to know it.
	Elapsed = "\x00"
	// Day is how long a record holds at most: the store counts by the day what is in use.
	Day = 24 * time.Hour
)

// A Question is what a command was asked.
type Question struct {
	file string // of its record
	due  bool   // there was nothing to do the last time either
	wait bool   // it is not to be recorded now
}

// Ask is the question that these arguments are in this process. dir is where records lie. It reads the environment as
// the caller gave it, and is called before that changes.
func Ask(dir string, args []string) (*Question, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return nil, err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, err
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return nil, err
	}
	h := sha256.New()
	list := func(words ...string) {
		fmt.Fprintf(h, "%d\x00%s\x00", len(words), strings.Join(words, "\x00"))
	}
	list(magic, self, string(buf[:n]))
	list(args...)
	list(os.Environ()...)
	fmt.Fprintf(h, "%d %d %d %d %v\x00", os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), groups)
	h.Write(kernel.Nodename[:])
	h.Write(kernel.Release[:])
	h.Write(kernel.Machine[:])
	sum := h.Sum(nil)
	return &Question{file: filepath.Join(dir, hex.EncodeToString(sum[:16]))}, nil
}

// Given is the answer that is on record, where that holds. Where it does not hold, it is removed.
func (q *Question) Given() (text string, ok bool) {
	start := time.Now()
	data, err := os.ReadFile(q.file)
	if err != nil {
		return "", false
	}
	if rest, ok := strings.CutPrefix(string(data[:min(len(data), 64)]), later); ok {
		var until int64
		fmt.Sscan(rest, &until)
		q.wait = start.Unix() < until && until-start.Unix() < int64(Day/time.Second)
		q.due = !q.wait
	}
	q.due = q.due || string(data) == again
	r, ok := read(data)
	if ok && r.holds(start) && (r.touch == "" || os.Chtimes(r.touch, start, start) == nil) {
		took := fmt.Sprintf("%.1f", time.Since(start).Seconds())
		return strings.ReplaceAll(r.text, Elapsed, took), true
	}
	if !q.wait {
		os.Remove(q.file)
	}
	return "", false
}

// HandOn gives the question to the processes that this one starts.
func (q *Question) HandOn() {
	word := "first"
	switch {
	case q.due:
		word = "due"
	case q.wait:
		word = "wait"
	}
	os.Setenv(variable, word+" "+q.file)
}

// Handed is the question that was handed to this process, nil where none was; watching says that this process is the
// one that is watched. What it starts does not hear of it.
func Handed() (q *Question, watching bool) {
	word, file, _ := strings.Cut(os.Getenv(variable), " ")
	os.Unsetenv(variable)
	if word == watched { // somebody's own variable makes no process one that is watched
		return nil, file == strconv.Itoa(os.Getppid())
	}
	if !filepath.IsAbs(file) {
		return nil, false
	}
	return &Question{file: file, due: word == "due", wait: word == "wait"}, false
}

// A record is an answer, with what it was made from.
type record struct {
	text        string
	touch       string   // a file whose times tell that the answer was asked for; "" is none
	made, until int64    // seconds since 1970
	paths       []string // where one ends by a slash, it is a directory whose names were read
	digest      [sha256.Size]byte
	body        []byte // all that stands behind the digest
}

// encode writes a record, with the digest of what is at its paths now.
func (r *record) encode() []byte {
	b := binary.AppendVarint(nil, r.made)
	b = binary.AppendVarint(b, r.until)
	for _, s := range []string{r.text, r.touch} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	last := ""
	for _, path := range r.paths {
		n := 0
		for n < len(path) && n < len(last) && path[n] == last[n] {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = binary.AppendUvarint(b, uint64(len(path)-n))
		b = append(b, path[n:]...)
		last = path
	}
	r.body = b
	r.digest, _ = r.look(nil)
	return append(append([]byte(magic), r.digest[:]...), b...)
}

// read reads all of a record but its paths.
func read(data []byte) (*record, bool) {
	head := len(magic) + sha256.Size
	if len(data) < head || !bytes.HasPrefix(data, []byte(magic)) {
		return nil, false
	}
	r := &record{body: data[head:]}
	copy(r.digest[:], data[len(magic):])
	rest, ok := r.begin()
	return r, ok && len(rest) > 0
}

// begin reads what stands before the paths, which it returns.
func (r *record) begin() (paths []byte, ok bool) {
	c := cursor{left: r.body}
	r.made, r.until = c.varint(), c.varint()
	r.text = string(c.bytes(c.uvarint()))
	r.touch = string(c.bytes(c.uvarint()))
	return c.left, !c.bad
}

// holds tells whether all is as it was when the record was made.
func (r *record) holds(now time.Time) bool {
	if n := now.Unix(); n < r.made || n >= r.until {
		return false
	}
	digest, ok := r.look(nil)
	return ok && digest == r.digest
}

// look is the digest of the record's text and paths, and of what is at each path now, which it tells to a function too.
func (r *record) look(tell func(path string, v version)) (digest [sha256.Size]byte, ok bool) {
	h := sha256.New()
	h.Write(r.body)
	paths, ok := r.begin()
	if !ok {
		return digest, false
	}
	c := cursor{left: paths}
	path, name := make([]byte, 0, unix.PathMax), make([]byte, 0, unix.PathMax)
	batch := make([]byte, 0, 16<<10)
	for len(c.left) > 0 {
		n := c.uvarint()
		rest := c.bytes(c.uvarint())
		if c.bad || n > uint64(len(path)) {
			return digest, false
		}
		path = append(path[:n], rest...)
		listed := len(path) > 1 && path[len(path)-1] == '/'
		if name = append(name[:0], path...); listed {
			name = name[:len(name)-1]
		}
		name = append(name, 0)
		v := versionOf(name, listed)
		batch = v.append(batch)
		if tell != nil {
			tell(string(path), v)
		}
		if len(batch) > cap(batch)-2*versionSize {
			h.Write(batch)
			batch = batch[:0]
		}
	}
	h.Write(batch)
	return [sha256.Size]byte(h.Sum(nil)), true
}

// A cursor reads numbers and texts one after the other. What is too short for them is bad.
type cursor struct {
	left []byte
	bad  bool
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.left)
	return int64(c.take(uint64(v), n))
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.left)
	return c.take(v, n)
}

func (c *cursor) take(v uint64, n int) uint64 {
	if c.bad = c.bad || n <= 0; c.bad {
		return 0
	}
	c.left = c.left[n:]
	return v
}

func (c *cursor) bytes(n uint64) []byte {
	if c.bad = c.bad || n > uint64(len(c.left)); c.bad {
		return nil
	}
	b := c.left[:n]
	c.left = c.left[n:]
	return b
}

// Paths are what a record that lies in a file was made from; a directory whose names were read ends by a slash.
func Paths(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var paths []string
	r, ok := read(data)
	if ok {
		_, ok = r.look(func(path string, _ version) { paths = append(paths, path) })
	}
	if !ok {
		return nil, fmt.Errorf("%s is no record", file)
	}
	return paths, nil
}
