package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

const manifestHead = "xbuild manifest 1\n"

// An entry is one thing in a tree.
type entry struct {
	path string // slashes, relative to the tree
	mode fs.FileMode
	size int64  // of a regular file
	sum  string // SHA-256 of a regular file, target of a link
}

// A manifest is all that a tree holds, in the order of a walk, without the
// tree's own folder. Its text has one line an entry: kind, permissions, size,
// then quoted path and quoted link target or the bare SHA-256.
type manifest []entry

// Sums are hashes that were computed of files, which are used in the place of computing them again. They hold as long
// as the files are there: then no other file has their place on the disk.
type Sums struct {
	mu sync.Mutex
	m  map[placed]string
}

// placed is a file as it lies on the disk. Who writes to it changes its time.
type placed struct {
	dev, ino    uint64
	size, mtime int64
}

func place(st fs.FileInfo) placed {
	p := placed{size: st.Size(), mtime: st.ModTime().UnixNano()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		p.dev, p.ino = uint64(sys.Dev), sys.Ino
	}
	return p
}

func (s *Sums) of(st fs.FileInfo) string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[place(st)]
}

func (s *Sums) add(at placed, sum string) {
	if s == nil || at.ino == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[placed]string{}
	}
	s.m[at] = sum
}

// scan walks a tree and hashes its files on all processors, but for those of which known, if any, has the hash already.
func scan(ctx context.Context, dir string, known *Sums) (manifest, error) {
	var list manifest
	var places []placed
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{path: filepath.ToSlash(strings.TrimPrefix(p, dir+string(filepath.Separator))), mode: st.Mode()}
		switch {
		case e.mode.IsRegular():
			e.size, e.sum = st.Size(), known.of(st)
		case e.mode&fs.ModeSymlink != 0:
			e.mode = fs.ModeSymlink // a link's permissions differ by system
			if e.sum, err = os.Readlink(p); err != nil {
				return err
			}
		case !e.mode.IsDir():
			return fmt.Errorf("%s is neither file, folder nor link", p)
		}
		list, places = append(list, e), append(places, place(st))
		return nil
	})
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	// Handing out one file at a time would cost more than hashing the small ones.
	const batch = 64
	for i := 0; i < len(list); i += batch {
		part, at := list[i:min(i+batch, len(list))], places[i:min(i+batch, len(list))]
		g.Go(func() error {
			for j := range part {
				if !part[j].mode.IsRegular() || part[j].sum != "" {
					continue
				}
				if err := ctxErr(ctx); err != nil {
					return err
				}
				var err error
				if part[j].sum, part[j].size, err = hashFile(filepath.Join(dir, filepath.FromSlash(part[j].path))); err != nil {
					return err
				}
				known.add(at[j], part[j].sum)
			}
			return nil
		})
	}
	return list, g.Wait()
}

func (m manifest) encode() []byte {
	var b bytes.Buffer
	b.WriteString(manifestHead)
	for _, e := range m {
		switch {
		case e.mode.IsDir():
			fmt.Fprintf(&b, "d %04o - %q\n", e.mode.Perm(), e.path)
		case e.mode&fs.ModeSymlink != 0:
			fmt.Fprintf(&b, "l - - %q %q\n", e.path, e.sum)
		default:
			fmt.Fprintf(&b, "f %04o %d %q %s\n", e.mode.Perm(), e.size, e.path, e.sum)
		}
	}
	return b.Bytes()
}

var errManifest = errors.New("the manifest is damaged")

func decodeManifest(text []byte) (manifest, error) {
	body, ok := strings.CutPrefix(string(text), manifestHead)
	if !ok || body != "" && !strings.HasSuffix(body, "\n") {
		return nil, errManifest
	}
	var list manifest
	for line := range strings.Lines(body) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(f) != 4 {
			return nil, errManifest
		}
		quoted, err := strconv.QuotedPrefix(f[3])
		if err != nil {
			return nil, errManifest
		}
		e := entry{sum: strings.TrimPrefix(f[3][len(quoted):], " ")}
		if e.path, err = strconv.Unquote(quoted); err != nil {
			return nil, errManifest
		}
		var perm uint64
		switch f[0] {
		case "d":
			perm, err = strconv.ParseUint(f[1], 8, 9)
			e.mode = fs.ModeDir | fs.FileMode(perm)
		case "f":
			if perm, err = strconv.ParseUint(f[1], 8, 9); err == nil {
				e.size, err = strconv.ParseInt(f[2], 10, 64)
			}
			e.mode = fs.FileMode(perm)
		case "l":
			e.mode = fs.ModeSymlink
			e.sum, err = strconv.Unquote(e.sum)
		default:
			err = errManifest
		}
		if err != nil {
			return nil, errManifest
		}
		list = append(list, e)
	}
	// There is one way to write a manifest; any other is damage.
	if !bytes.Equal(list.encode(), text) {
		return nil, errManifest
	}
	return list, nil
}

// bytes is what the files of the tree add up to.
func (m manifest) bytes() (n int64) {
	for _, e := range m {
		n += e.size
	}
	return n
}

// differ lists what is not as it was.
func (m manifest) differ(now manifest) []string {
	was := make(map[string]entry, len(m))
	for _, e := range m {
		was[e.path] = e
	}
	var out []string
	for _, e := range now {
		w, ok := was[e.path]
		delete(was, e.path)
		const kinds = fs.ModeType | fs.ModePerm
		switch {
		case !ok:
			out = append(out, e.path+" is not in the manifest")
		case w.mode&fs.ModeType != e.mode&fs.ModeType:
			out = append(out, e.path+" is of another kind")
		case w.mode&kinds != e.mode&kinds:
			out = append(out, fmt.Sprintf("%s has the mode %04o, wanted is %04o", e.path, e.mode.Perm(), w.mode.Perm()))
		case w.size != e.size:
			out = append(out, fmt.Sprintf("%s has %d bytes, wanted are %d", e.path, e.size, w.size))
		case w.sum != e.sum && e.mode.IsRegular():
			out = append(out, fmt.Sprintf("%s has the sha256 %s, wanted is %s", e.path, e.sum, w.sum))
		case w.sum != e.sum:
			out = append(out, fmt.Sprintf("%s leads to %q, wanted is %q", e.path, e.sum, w.sum))
		}
	}
	for _, e := range m {
		if _, missing := was[e.path]; missing {
			out = append(out, e.path+" is missing")
		}
	}
	return out
}
