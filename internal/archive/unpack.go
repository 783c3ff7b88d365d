package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

var (
	// ErrEscape is what an entry that leaves the directory fails with.
	ErrEscape = errors.New("leads out of the directory")
	// ErrClash is what two different files of one name fail with.
	ErrClash = errors.New("is there already, and differs")
)

const (
	maxEntries   = 2 << 20 // of one tar
	maxEntryName = 4096    // PATH_MAX
	// A tar may hold 16 MiB and a thousand times what it takes compressed: no
	// package comes near, and a sparse file of terabytes fills no disk.
	maxRatio    = 1000
	maxUnpacked = 16 << 20
)

// UnpackOptions say what of a package is kept, and where.
type UnpackOptions struct {
	// Keep and Drop hold doublestar patterns over paths as they are in the
	// directory, such as "usr/lib/**", after UsrMerge and before MapPath. With
	// Keep, only what one of its patterns matches is kept; Drop takes from that.
	// A pattern that begins with ! takes back what those before it match, as in
	// gitignore(5).
	Keep, Drop []string
	// MapPath renames entries; "" leaves one out. Targets of links follow.
	MapPath func(string) string
	// UsrMerge puts bin, sbin, lib, lib32, lib64, libo32 and libx32 below usr, so
	// that packages from before and after Debian's merge fit together.
	UsrMerge bool
	// Strip takes leading directories off each name, as tar --strip-components.
	Strip int
}

// Unpack puts the files of a .deb into dir, which must exist. Several packages
// may be unpacked into one dir at once. Owners are ignored, setuid and the like
// are dropped, absolute links become relative. Nothing is ever written outside
// dir. After an error dir holds a part of the package: throw it away.
// It stops when ctx ends.
func Unpack(ctx context.Context, deb io.ReaderAt, size int64, dir string, opt UnpackOptions) error {
	data, err := member(deb, size, "data.tar")
	if err != nil {
		return err
	}
	return UnpackTar(ctx, data, data.Size(), dir, opt)
}

// UnpackFile is Unpack of a file.
func UnpackFile(ctx context.Context, file, dir string, opt UnpackOptions) error {
	return withFile(file, func(f *os.File, size int64) error { return Unpack(ctx, f, size, dir, opt) })
}

// UnpackTarFile is UnpackTar of a file.
func UnpackTarFile(ctx context.Context, file, dir string, opt UnpackOptions) error {
	return withFile(file, func(f *os.File, size int64) error { return UnpackTar(ctx, f, size, dir, opt) })
}

func withFile(file string, do func(*os.File, int64) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := do(f, st.Size()); err != nil {
		return fmt.Errorf("%s: %w", path.Base(file), err)
	}
	return nil
}

// newUnpacker unpacks an archive of size bytes below a directory, whose tree is closed afterwards.
func newUnpacker(ctx context.Context, size int64, dir string, opt UnpackOptions) (*unpacker, error) {
	keep, err := compile(opt.Keep)
	if err != nil {
		return nil, err
	}
	drop, err := compile(opt.Drop)
	if err != nil {
		return nil, err
	}
	t, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	return &unpacker{
		ctx: ctx, opt: opt, keep: keep, drop: drop, tree: t, written: map[string]bool{}, wanted: map[string][]string{},
		limit: maxUnpacked + min(size, 1<<40)*maxRatio,
	}, nil
}

// UnpackTar is Unpack of a tar in any compression, such as an upstream source.
func UnpackTar(ctx context.Context, file io.ReaderAt, size int64, dir string, opt UnpackOptions) error {
	u, err := newUnpacker(ctx, size, dir, opt)
	if err != nil {
		return err
	}
	defer u.tree.close()
	if err := u.pass(file, size, u.entry); err != nil {
		return err
	}
	if len(u.wanted) == 0 {
		return nil
	}
	// A kept hard link names a file that is not kept: its content is wanted after all.
	if err := u.pass(file, size, u.lateLink); err != nil {
		return err
	}
	for target, links := range u.wanted {
		return fmt.Errorf("entry %q: is a hard link to %q, which the archive does not hold", links[0], target)
	}
	return nil
}

type unpacker struct {
	ctx        context.Context
	opt        UnpackOptions
	keep, drop patterns
	tree       *tree
	written    map[string]bool     // regular files of this tar that were kept, by place
	wanted     map[string][]string // hard links to files that were not kept, by place before MapPath
	buf        [256 << 10]byte
	total      int64 // bytes of files so far
	limit      int64
}

// pass reads the tar once from end to end, so that its checksums are checked.
func (u *unpacker) pass(file io.ReaderAt, size int64, entry func(*tar.Header, io.Reader) error) error {
	z, err := NewReader(file, size)
	if err != nil {
		return err
	}
	defer z.Close()
	u.total = 0
	// What is left out is decompressed too.
	content := &bounded{ctx: u.ctx, from: z, left: u.limit, limit: u.limit}
	tr := tar.NewReader(content)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("tar, entry %d: %w", n+1, err)
		}
		if n >= maxEntries {
			return fmt.Errorf("tar: it has more than %d entries", maxEntries)
		}
		if err := entry(h, tr); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, content, u.buf[:]); err != nil {
		return fmt.Errorf("tar, at its end: %w", err)
	}
	return nil
}

// bounded is what is read of a tar: no more than its size warrants, and nothing more once ctx has ended.
type bounded struct {
	ctx         context.Context
	from        io.Reader
	left, limit int64 // bytes
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.limit)
	}
	return n, err
}

func tooLarge(limit int64) error {
	return fmt.Errorf("the archive would unpack to more than %d bytes, which its own size does not warrant", limit)
}

// onlyWriter hides ReadFrom, which would bring a buffer of its own.
type onlyWriter struct{ io.Writer }

// place turns a name in the tar into a path in dir; "" means left out.
func (u *unpacker) place(name string) (string, error) {
	if len(name) > maxEntryName {
		return "", errors.New("the name is too long")
	}
	if strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) {
		return "", ErrEscape
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", ErrEscape
		}
	}
	name = path.Clean(name)
	for range u.opt.Strip {
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return "", nil
		}
		name = rest
	}
	if u.opt.UsrMerge {
		name = usrMerge(name)
	}
	if name == "." {
		return "", nil
	}
	return name, nil
}

// mapped applies MapPath, whose answer is trusted no more than a tar.
func (u *unpacker) mapped(name string) (string, error) {
	if u.opt.MapPath == nil || name == "" {
		return name, nil
	}
	to := u.opt.MapPath(name)
	if to == "" {
		return "", nil
	}
	if !localPath(to) {
		return "", fmt.Errorf("is mapped to %q, which %w", to, ErrEscape)
	}
	if to = path.Clean(to); to == "." {
		return "", nil
	}
	return to, nil
}

func (u *unpacker) kept(name string) bool {
	return (len(u.keep) == 0 || u.keep.match(name)) && !u.drop.match(name)
}

func (u *unpacker) entry(h *tar.Header, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return errors.New("is a device, which a package for building never needs")
	}
	name, err := u.place(h.Name)
	if err != nil || name == "" || !u.kept(name) {
		return err
	}
	to, err := u.mapped(name)
	if err != nil || to == "" {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		_, err := u.tree.dir(to)
		return err
	case tar.TypeReg, tar.TypeGNUSparse:
		if err := u.count(h.Size); err != nil {
			return err
		}
		u.written[to] = true
		return u.tree.file(to, h, body, u.buf[:])
	case tar.TypeSymlink:
		return u.symlink(h, name, to)
	case tar.TypeLink:
		return u.link(h, to)
	}
	return fmt.Errorf("has the unknown type %q", h.Typeflag)
}

func (u *unpacker) count(size int64) error {
	if size < 0 || size > u.limit-u.total {
		return tooLarge(u.limit)
	}
	u.total += size
	return nil
}

// symlink makes a link that stays inside, whatever is unpacked later: its
// target is "../" so often as to reach a directory above its real one, then
// names. Each of these is a directory, or a link for which the same holds.
func (u *unpacker) symlink(h *tar.Header, name, to string) error {
	if len(h.Linkname) > maxEntryName || strings.ContainsRune(h.Linkname, 0) || h.Linkname == "" {
		return errors.New("the link's target is malformed")
	}
	from := path.Dir(path.Clean(h.Name))
	target := path.Clean(h.Linkname)
	if path.IsAbs(target) {
		target = target[1:] // the root of a package is dir
	} else if target = path.Join(from, target); !localPath(target) {
		return fmt.Errorf("the link's target %q %w", h.Linkname, ErrEscape)
	}
	if target == "" {
		target = "."
	}
	if !path.IsAbs(h.Linkname) {
		for n := range u.opt.Strip {
			_, rest, ok := strings.Cut(target, "/")
			if !ok && n < u.opt.Strip-1 {
				return fmt.Errorf("the link's target %q %w", h.Linkname, ErrEscape)
			}
			if target = rest; !ok {
				target = "."
			}
		}
	}
	if u.opt.UsrMerge {
		target = usrMerge(target)
	}
	if u.opt.MapPath != nil && target != "." {
		// A target that is left out, or is a directory that MapPath does not know, stays.
		if m, err := u.mapped(target); err != nil {
			return err
		} else if m != "" {
			target = m
		}
	}
	if target == to {
		if u.opt.UsrMerge && name != path.Clean(h.Name) {
			return nil // lib -> usr/lib, which UsrMergeLinks makes
		}
		return fmt.Errorf("the link's target %q is the link", h.Linkname)
	}
	return u.tree.symlink(to, target)
}

func (u *unpacker) link(h *tar.Header, to string) error {
	name, err := u.place(h.Linkname)
	if err != nil {
		return fmt.Errorf("the link's target %q %w", h.Linkname, err)
	}
	target, err := u.mapped(name)
	if err != nil {
		return err
	}
	if !u.written[target] {
		if name == "" {
			return fmt.Errorf("is a hard link to %q, which is no file", h.Linkname)
		}
		u.wanted[name] = append(u.wanted[name], to)
		return nil
	}
	u.written[to] = true
	return u.tree.link(target, to)
}

// lateLink writes the content of a file that was left out under the name of
// the first link to it.
func (u *unpacker) lateLink(h *tar.Header, body io.Reader) error {
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
		return nil
	}
	name, err := u.place(h.Name)
	if err != nil {
		return err
	}
	links := u.wanted[name]
	if len(links) == 0 {
		return nil
	}
	delete(u.wanted, name)
	if err := u.count(h.Size); err != nil {
		return err
	}
	if err := u.tree.file(links[0], h, body, u.buf[:]); err != nil {
		return err
	}
	for _, l := range links[1:] {
		if err := u.tree.link(links[0], l); err != nil {
			return err
		}
	}
	return nil
}

// mergedDirs are the directories that merged-/usr has as links at the top
// (usrmerge, base-files).
var mergedDirs = []string{"bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"}

func usrMerge(name string) string {
	top, _, _ := strings.Cut(name, "/")
	for _, d := range mergedDirs {
		if top == d {
			return "usr/" + name
		}
	}
	return name
}

// UsrMergeLinks makes lib -> usr/lib and its like in dir, for those that usr has.
func UsrMergeLinks(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, d := range mergedDirs {
		if _, err := root.Lstat("usr/" + d); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		err := root.Symlink("usr/"+d, d)
		if errors.Is(err, fs.ErrExist) {
			if have, err := root.Readlink(d); err == nil && have == "usr/"+d {
				continue
			}
			return fmt.Errorf("%s in %s %w: it is no link to usr/%s; unpack with UsrMerge", d, dir, ErrClash, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
