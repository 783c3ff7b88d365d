package archive

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// UnpackZip is Unpack of a zip of size bytes. open returns the content of an entry, which may hold more than Open of
// the entry alone: a check of it. A file is executable where its mode says so for anybody.
func UnpackZip(
	ctx context.Context, z *zip.Reader, size int64, dir string, opt UnpackOptions,
	open func(*zip.File) (io.ReadCloser, error),
) error {
	u, err := newUnpacker(ctx, size, dir, opt)
	if err != nil {
		return err
	}
	defer u.tree.close()
	if len(z.File) > maxEntries {
		return fmt.Errorf("zip: it has more than %d entries", maxEntries)
	}
	for _, f := range z.File {
		if err := u.zipEntry(f, open); err != nil {
			return fmt.Errorf("entry %q: %w", f.Name, err)
		}
	}
	return nil
}

func (u *unpacker) zipEntry(f *zip.File, open func(*zip.File) (io.ReadCloser, error)) error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	if strings.ContainsRune(f.Name, '\\') {
		return errors.New("has a backslash in its name, which is a directory to some programs and none to others")
	}
	name, err := u.place(f.Name)
	if err != nil || name == "" || !u.kept(name) {
		return err
	}
	to, err := u.mapped(name)
	if err != nil || to == "" {
		return err
	}
	switch {
	case f.Mode().IsDir():
		_, err := u.tree.dir(to)
		return err
	case !f.Mode().IsRegular():
		return errors.New("is neither a file nor a directory")
	case f.Flags&1 != 0:
		return errors.New("is encrypted")
	case u.written[to]:
		return errors.New("is there twice")
	case f.UncompressedSize64 > 1<<62:
		return tooLarge(u.limit)
	}
	if err := u.count(int64(f.UncompressedSize64)); err != nil {
		return err
	}
	u.written[to] = true
	mode := fs.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	body, err := open(f)
	if err != nil {
		return err
	}
	defer body.Close()
	// An entry that holds more than it says is cut off where it says that it ends.
	content := &bounded{ctx: u.ctx, from: body, left: int64(f.UncompressedSize64), limit: int64(f.UncompressedSize64)}
	return u.tree.file(to, &tar.Header{Mode: int64(mode)}, content, u.buf[:])
}

// Kept tells whether an entry of that name is kept, as it is in a zip or tar that needs neither UsrMerge nor Strip.
func Kept(name string, opt UnpackOptions) (bool, error) {
	keep, err := compile(opt.Keep)
	if err != nil {
		return false, err
	}
	drop, err := compile(opt.Drop)
	if err != nil {
		return false, err
	}
	return (len(keep) == 0 || keep.match(name)) && !drop.match(name), nil
}
