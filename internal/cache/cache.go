// Package cache keeps what was made, by what was asked for and by the content of all that was read for it. What is
// asked for has a key; what was read is known after it was made, so that below a key lie sets, the names of what was
// read, and results, each by the digest of a set with the content that its names had.
//
// Layout, in a directory of the store:
//
//	blobs/<aa>/<sha256>          a file's content
//	keys/<aa>/<key>/<hash>.set   the names, one a line
//	keys/<aa>/<key>/<id>.result  a Result, gzip'd JSON
//
// A file with its final name is whole: it is written under another one and renamed. Blobs are held against their names
// when they are read, so that nothing here has to be synced: what a crash or a disk did to them is a miss. The time of
// a result or a set is when it was last used.
package cache

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Dir is the cache's directory in a store.
const Dir = "results"

// A Cache is a directory of results. Its methods may be called from many goroutines and processes at once.
type Cache struct{ dir string }

// New is the cache of a store. It need not be there yet.
func New(store string) *Cache { return &Cache{dir: filepath.Join(store, Dir)} }

// A File is one file of a result.
type File struct {
	Name string      `json:"name"`           // relative, with slashes
	Sum  string      `json:"sum,omitempty"`  // SHA-256 of its content
	Size int64       `json:"size,omitempty"` // bytes
	Mode fs.FileMode `json:"mode,omitempty"` // permissions
	Link string      `json:"link,omitempty"` // the target, of a symbolic link
}

// A Result is what was made.
type Result struct {
	What  string          `json:"what"`  // for those who list results
	Files []File          `json:"files"` // by what their maker calls them
	Data  json.RawMessage `json:"data,omitempty"`
}

const (
	suffixSet, suffixResult = ".set", ".result"
	most                    = 8       // sets of one key; the ones used last are kept
	largest                 = 1 << 28 // bytes of a result's JSON
)

func (c *Cache) key(key string) string { return filepath.Join(c.dir, "keys", key[:2], key) }

// Blob is where a file's content lies.
func (c *Cache) Blob(sum string) string { return filepath.Join(c.dir, "blobs", sum[:2], sum) }

// Sets are the names that were read for results of a key, those used last first.
func (c *Cache) Sets(key string) [][]string {
	list, err := sets(c.key(key))
	if err != nil {
		return nil
	}
	var out [][]string
	for _, s := range list {
		if data, err := os.ReadFile(s.path); err == nil {
			out = append(out, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"))
		}
	}
	return out
}

type entry struct {
	path string
	size int64
	used time.Time
}

func sets(dir string) ([]entry, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, e := range list {
		info, err := e.Info()
		if err == nil && strings.HasSuffix(e.Name(), suffixSet) {
			out = append(out, entry{filepath.Join(dir, e.Name()), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return b.used.Compare(a.used) })
	return out, nil
}

// Get is the result of a key whose set has the digest id; nil where there is none, or none that can be read.
func (c *Cache) Get(key, id string) *Result {
	path := filepath.Join(c.key(key), id+suffixResult)
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(z, largest))
	res := &Result{}
	if err != nil || json.Unmarshal(data, res) != nil {
		return nil
	}
	for _, f := range res.Files {
		if f.Link == "" && !isSum(f.Sum) {
			return nil
		}
	}
	touch(path)
	return res
}

// Used notes that a set was of use.
func (c *Cache) Used(key string, set []string) { touch(filepath.Join(c.key(key), setName(set))) }

// touch keeps the time of last use, to the minute.
func touch(path string) {
	now := time.Now()
	if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > time.Minute {
		os.Chtimes(path, time.Time{}, now)
	}
}

func isSum(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func setName(set []string) string {
	sum := sha256.Sum256(setText(set))
	return hex.EncodeToString(sum[:16]) + suffixSet
}

func setText(set []string) []byte { return []byte(strings.Join(set, "\n") + "\n") }

// Put keeps a result, whose files are kept already. A name in the set has no line break.
func (c *Cache) Put(key string, set []string, id string, res *Result) error {
	dir := c.key(key)
	data, err := json.Marshal(res)
	if err != nil {
		return err
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, id+suffixResult), &z); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, setName(set)), bytes.NewReader(setText(set))); err != nil {
		return err
	}
	list, err := sets(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was pruned meanwhile
	}
	if err != nil {
		return err
	}
	for _, s := range list[min(most, len(list)):] {
		os.Remove(s.path)
	}
	return nil
}

// scratch makes a file under another name, in a directory that a prune may remove while it is empty, and so may those
// above it.
func scratch(dir string) (f *os.File, err error) {
	for range 100 {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			f, err = os.CreateTemp(dir, temporary)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return f, err
}

// write makes a file whole.
func write(path string, r io.Reader) error {
	f, err := scratch(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

const temporary = ".tmp-*"

// Keep copies a file into the cache, and returns the digest and the size of its content.
func (c *Cache) Keep(path string) (sum string, size int64, err error) {
	src, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer src.Close()
	h := sha256.New()
	if size, err = io.Copy(h, src); err != nil {
		return "", 0, err
	}
	sum = hex.EncodeToString(h.Sum(nil))
	to := c.Blob(sum)
	if c.Restore(sum, io.Discard) == nil { // it is there, and is what its name says
		return sum, size, nil
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	f, err := scratch(filepath.Dir(to))
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, src) // the kernel copies, or shares the blocks (copy_file_range(2))
	if err == nil {
		err = f.Chmod(0o444)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, err
	}
	return sum, size, os.Rename(f.Name(), to)
}

// ErrDamaged says that a kept file is not what its name says. It has been removed.
var ErrDamaged = errors.New("a kept result is damaged")

// ErrGone says that a kept file is there no more.
var ErrGone = errors.New("a kept result is gone")

// Restore writes a kept file's content. The error is ErrDamaged where it is another one by now, and ErrGone where it is
// not there: what was written is worth nothing then.
func (c *Cache) Restore(sum string, to io.Writer) error {
	f, err := os.Open(c.Blob(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrGone, c.Blob(sum))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, h), f); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != sum {
		os.Remove(c.Blob(sum))
		return fmt.Errorf("%w: %s", ErrDamaged, c.Blob(sum))
	}
	return nil
}

// Whole tells whether a kept file is there with the size that it had.
func (c *Cache) Whole(f File) bool {
	info, err := os.Stat(c.Blob(f.Sum))
	return err == nil && info.Size() == f.Size
}

// An Info counts what is kept.
type Info struct {
	Dir     string `json:"dir"`
	Results int    `json:"results"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"` // of all that lies there
}

// kept is a result as it lies in the cache.
type kept struct {
	entry
	res *Result
}

// walk reads all results, and lists the blobs by their digests.
func (c *Cache) walk() (results []kept, others []entry, blobs map[string]entry, err error) {
	blobs = map[string]entry{}
	err = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		e := entry{path, info.Size(), info.ModTime()}
		switch key, name := filepath.Base(filepath.Dir(path)), d.Name(); {
		case name == stamp:
		case isSum(name):
			blobs[name] = e
		case strings.HasSuffix(name, suffixResult):
			results = append(results, kept{e, c.Get(key, strings.TrimSuffix(name, suffixResult))})
			os.Chtimes(path, time.Time{}, e.used) // looking at it is no use
		default:
			others = append(others, e)
		}
		return nil
	})
	return results, others, blobs, err
}

// Info counts.
func (c *Cache) Info() (Info, error) {
	results, others, blobs, err := c.walk()
	info := Info{Dir: c.dir, Results: len(results), Files: len(blobs)}
	for _, k := range results {
		info.Bytes += k.size
	}
	for _, e := range others {
		info.Bytes += e.size
	}
	for _, e := range blobs {
		info.Bytes += e.size
	}
	return info, err
}

// Verify holds every kept file against its digest, and every result against its files, and removes what is damaged. It
// returns what that was.
func (c *Cache) Verify() (Info, []string, error) {
	results, _, blobs, err := c.walk()
	if err != nil {
		return Info{}, nil, err
	}
	var damaged []string
	for sum := range blobs {
		err := c.Restore(sum, io.Discard)
		if errors.Is(err, ErrGone) {
			continue
		}
		if errors.Is(err, ErrDamaged) {
			delete(blobs, sum)
			damaged = append(damaged, c.Blob(sum))
			continue
		}
		if err != nil {
			return Info{}, damaged, err
		}
	}
	for _, k := range results {
		lacks := func(f File) bool { _, ok := blobs[f.Sum]; return f.Link == "" && !ok }
		if k.res == nil || slices.ContainsFunc(k.res.Files, lacks) {
			damaged = append(damaged, k.path)
			if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return Info{}, damaged, err
			}
		}
	}
	slices.Sort(damaged)
	info, err := c.Info()
	return info, damaged, err
}

// Prune removes the results that were not used for so long, then those used longest ago until no more than maxBytes are
// left (0: no limit), and what no result has any more.
func (c *Cache) Prune(olderThan time.Duration, maxBytes int64) (removed Info, err error) {
	results, others, blobs, err := c.walk()
	if err != nil {
		return Info{Dir: c.dir}, err
	}
	removed.Dir = c.dir
	remove := func(e entry) error {
		err := os.Remove(e.path)
		if err == nil {
			removed.Bytes += e.size
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	limit := time.Now().Add(-olderThan)
	slices.SortFunc(results, func(a, b kept) int { return b.used.Compare(a.used) })
	var total int64
	used := map[string]bool{}
	for _, k := range results {
		more := k.size
		if k.res != nil {
			for _, f := range k.res.Files {
				if !used[f.Sum] {
					more += f.Size
				}
			}
		}
		if k.res != nil && k.used.After(limit) && (maxBytes <= 0 || total+more <= maxBytes) {
			total += more
			for _, f := range k.res.Files {
				used[f.Sum] = true
			}
			continue
		}
		if err := remove(k.entry); err != nil {
			return removed, err
		}
		removed.Results++
	}
	for sum, e := range blobs {
		// One that is younger than this may be of a result that is being kept.
		if used[sum] || time.Since(e.used) < time.Hour && olderThan > 0 {
			continue
		}
		if err := remove(e); err != nil {
			return removed, err
		}
		removed.Files++
	}
	for _, e := range others { // sets, and what killed processes left
		until := time.Now().Add(-time.Hour)
		if strings.HasSuffix(e.path, suffixSet) {
			until = limit
		}
		if e.used.After(until) {
			continue
		}
		if err := remove(e); err != nil {
			return removed, err
		}
	}
	for _, pattern := range []string{"keys/*/*", "keys/*", "blobs/*"} {
		dirs, _ := filepath.Glob(filepath.Join(c.dir, pattern))
		for _, d := range dirs {
			os.Remove(d) // where it is empty
		}
	}
	return removed, nil
}

// stamp is the file whose time is that of the last Trim.
const stamp = "trimmed"

// Trim prunes once a day what was not used for so long.
func (c *Cache) Trim(olderThan time.Duration) error {
	stamp := filepath.Join(c.dir, stamp)
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < 24*time.Hour {
		return nil
	}
	if _, err := os.Stat(c.dir); err != nil {
		return nil
	}
	if err := write(stamp, strings.NewReader("")); err != nil {
		return err
	}
	_, err := c.Prune(olderThan, 0)
	return err
}
