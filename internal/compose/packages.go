package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"xbuild/internal/archive"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
)

// packages are what trees that are missing are made of. A package is fetched, unpacked and dropped: the store keeps it
// as it lies in trees alone. Those of a C library's sysroots, which most projects have in common, are taken out of the
// trees again for the next sysroot.
type packages struct {
	c  *Composer
	mu sync.Mutex // for held and had
	// held are the files, by SHA-256.
	held map[string]*store.Held
	// had are what the store's trees have, by name.
	had map[string]*store.Package
}

// packages brings in what a set is made of, every download first and side by side. What it returns is to be released.
func (c *Composer) packages(ctx context.Context, set Set) (*packages, error) {
	p := &packages{c: c, held: map[string]*store.Held{}}
	var names []string
	for _, s := range set.Sysroots {
		for _, f := range s.files {
			if s.Libc {
				names = append(names, packageName(f, s.unpacking()))
			}
		}
	}
	var err error
	if p.had, err = c.Store.Packages(names); err != nil {
		return nil, err
	}
	files := Set{Toolchains: set.Toolchains}.files()
	for _, s := range set.Sysroots {
		for _, f := range s.files {
			if !s.Libc || p.had[packageName(f, s.unpacking())] == nil {
				files = append(files, f)
			}
		}
	}
	if err := p.fetch(ctx, files); err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// packageName names a package that was unpacked in a way.
func packageName(f lock.File, opt archive.UnpackOptions) string {
	how := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %d", opt.Keep, opt.Drop, opt.UsrMerge, opt.Strip))
	return f.SHA256 + "-" + hex.EncodeToString(how[:8])
}

// fetch fetches files and holds them. Another process may drop one between the two: then it is fetched again.
func (p *packages) fetch(ctx context.Context, files []lock.File) error {
	for range 10 {
		files = slices.DeleteFunc(slices.Clone(files), p.hold)
		var items []fetch.Item
		for i, f := range files {
			if slices.ContainsFunc(files[:i], func(g lock.File) bool { return g.SHA256 == f.SHA256 }) {
				continue
			}
			urls, err := p.c.URLs(ctx, f)
			if err != nil {
				return err
			}
			items = append(items, fetch.Item{
				Name:    f.Name + " " + f.Version + " " + f.Arch,
				URLs:    urls,
				SHA256:  f.SHA256,
				Size:    f.Size,
				Archive: f.Archive,
			})
		}
		if len(items) == 0 {
			return nil
		}
		if err := fetch.Files(ctx, p.c.Store, items, p.c.Fetch); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s %s: vanished from the store", files[0].Name, files[0].Version)
}

// hold holds a file that the store has.
func (p *packages) hold(f lock.File) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[f.SHA256] != nil {
		return true
	}
	h, ok := p.c.Store.Hold(f.SHA256)
	if ok {
		p.held[f.SHA256] = h
	}
	return ok
}

// path is where a file is that was fetched.
func (p *packages) path(f lock.File) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[f.SHA256].Path()
}

// release lets the files go, which stay in the store.
func (p *packages) release() {
	for _, h := range p.held {
		h.Release()
	}
	p.held = nil
}

// drop removes the files of a set from the store: its trees stand. One that was killed may have left some.
func (p *packages) drop(set Set) {
	for _, f := range set.files() {
		p.hold(f)
	}
	for _, h := range p.held {
		h.Drop()
	}
	p.held = nil
}

// files are the files of a set's toolchains and sysroots.
func (s Set) files() []lock.File {
	var out []lock.File
	for _, t := range s.Toolchains {
		out = append(out, t.files...)
	}
	for _, r := range s.Sysroots {
		out = append(out, r.files...)
	}
	return out
}

// each does something for every file, side by side.
func each(ctx context.Context, files []lock.File, do func(context.Context, lock.File) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.NumCPU()))
	// The largest first: they decide when the last one ends.
	files = slices.SortedFunc(slices.Values(files), func(a, b lock.File) int { return int(b.Size - a.Size) })
	for _, f := range files {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, f); err != nil {
				return fmt.Errorf("%s %s %s: %w", f.Name, f.Version, f.Arch, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// unpack puts what files hold into a tree.
func (p *packages) unpack(ctx context.Context, dir string, files []lock.File, opt archive.UnpackOptions) error {
	err := each(ctx, files, func(ctx context.Context, f lock.File) error { return p.one(ctx, dir, f, opt) })
	if err != nil {
		return err
	}
	return archive.UsrMergeLinks(dir)
}

func (p *packages) one(ctx context.Context, dir string, f lock.File, opt archive.UnpackOptions) error {
	kind := resolve.Kind(f.Archive)
	if kind == nil {
		return fmt.Errorf("xbuild knows no archive %q", f.Archive)
	}
	return kind.Unpack(ctx, p.path(f), f, dir, opt)
}

// A merge is a tree that is made of packages of Debian each of which is unpacked by itself, or had, and noted for the
// next tree that is made of it.
type merge struct {
	*packages
	apart string // where the packages lie, each in a directory of its own; it stays until the tree stands
	sums  store.Sums
}

// merge begins one. done removes what is only needed until the tree stands.
func (p *packages) merge(ctx context.Context) (m *merge, done func(), err error) {
	m = &merge{packages: p}
	m.apart, done, err = p.c.Store.TempDir(ctx, "packages")
	return m, done, err
}

// into puts what files hold into a tree. It returns the links that packages make when they are installed.
func (m *merge) into(
	ctx context.Context, dir string, files []lock.File, opt archive.UnpackOptions,
) ([]archive.Alternative, error) {
	links := make(map[string][]archive.Alternative, len(files))
	var mu sync.Mutex // for links
	err := each(ctx, files, func(ctx context.Context, f lock.File) error {
		own := filepath.Join(m.apart, f.SHA256)
		list, err := m.again(ctx, own, f, opt)
		if errors.Is(err, store.ErrGone) {
			list, err = m.first(ctx, own, f, opt)
		}
		if err != nil {
			return err
		}
		mu.Lock()
		links[f.SHA256] = list
		mu.Unlock()
		return archive.Merge(ctx, own, dir)
	})
	if err != nil {
		return nil, err
	}
	var all []archive.Alternative
	for _, f := range files {
		all = append(all, links[f.SHA256]...)
	}
	return all, archive.UsrMergeLinks(dir)
}

// again puts a package into a directory of its own out of the store's trees.
func (m *merge) again(
	ctx context.Context, dir string, f lock.File, opt archive.UnpackOptions,
) ([]archive.Alternative, error) {
	had := m.had[packageName(f, opt)]
	if had == nil {
		return nil, store.ErrGone
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := had.Put(ctx, dir, &m.sums); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	var list []archive.Alternative
	err := json.Unmarshal([]byte(had.Note), &list)
	return list, err
}

// first unpacks a package into a directory of its own, and notes what it held.
func (m *merge) first(
	ctx context.Context, dir string, f lock.File, opt archive.UnpackOptions,
) ([]archive.Alternative, error) {
	if err := m.fetch(ctx, []lock.File{f}); err != nil { // where a tree was damaged
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := m.one(ctx, dir, f, opt); err != nil {
		return nil, err
	}
	list, err := archive.AlternativesFile(m.path(f))
	if err != nil {
		return nil, err
	}
	note, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return list, m.c.Store.Record(ctx, packageName(f, opt), dir, string(note), &m.sums)
}
