package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"xbuild/internal/archive"
)

// read is the key of the tree that has what is used of a package index.
func read(sum string) string { return "index-" + sum[:16] }

// packages reads a package index. What is used of it is kept in the store, in a form that takes a tenth of the time to
// read: every new project locks out of the same indexes. The index itself is not.
func (a *Archive) packages(ctx context.Context, file, sum string) (*archive.Index, error) {
	var ix *archive.Index
	dir, err := a.Store.Tree(ctx, read(sum), func(tmp, _ string) (err error) {
		if file == "" {
			return fmt.Errorf("index %s vanished from the store", sum)
		}
		if ix, err = archive.ReadPackages(ctx, file); err != nil {
			return err
		}
		return writeIndex(ix, tmp)
	})
	if err != nil {
		return nil, err
	}
	if h, ok := a.Store.Hold(sum); ok {
		h.Drop()
	}
	if ix != nil {
		return ix, nil
	}
	return readIndex(dir)
}

// part is the file that a package is written to. The packages for all architectures, which are two fifths of an index,
// are the same in the indexes of a suite but for a few: by parts, most of them are files that the store has once.
func part(name, arch string) string {
	if arch != "all" {
		return "own"
	}
	letters := 1
	if strings.HasPrefix(name, "lib") {
		letters = 4
	}
	return "all-" + name[:min(letters, len(name))]
}

// writeIndex writes an index into a directory, compressed. An index is sorted by names: one part follows the other.
func writeIndex(ix *archive.Index, dir string) error {
	own, all := &partWriter{}, &partWriter{}
	err := ix.Each(func(name, arch, stanza string) error {
		to, part := all, part(name, arch)
		if part == "own" {
			to = own
		}
		if err := to.open(filepath.Join(dir, part)); err != nil {
			return err
		}
		_, err := to.w.WriteString(stanza)
		return err
	})
	return errors.Join(err, own.close(), all.close())
}

// A partWriter writes one file after the other.
type partWriter struct {
	file *os.File
	z    *zstd.Encoder
	w    *bufio.Writer
}

// open makes path the file that is written to: at its end, where the part was begun before.
func (p *partWriter) open(path string) error {
	if p.file != nil && p.file.Name() == path {
		return nil
	}
	if err := p.close(); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if p.z == nil {
		p.z, err = zstd.NewWriter(file,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(1<<20),
			zstd.WithLowerEncoderMem(true))
		if err != nil {
			return errors.Join(err, file.Close())
		}
		p.w = bufio.NewWriterSize(p.z, 256<<10)
	} else {
		p.z.Reset(file)
		p.w.Reset(p.z)
	}
	p.file = file
	return nil
}

func (p *partWriter) close() error {
	if p.file == nil {
		return nil
	}
	err := errors.Join(p.w.Flush(), p.z.Close(), p.file.Close())
	p.file = nil
	return err
}

// readIndex reads what writeIndex wrote. Compressed texts that follow each other are one.
func readIndex(dir string) (*archive.Index, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var parts []io.Reader
	for _, n := range names {
		f, err := os.Open(filepath.Join(dir, n.Name()))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		parts = append(parts, f)
	}
	z, err := zstd.NewReader(io.MultiReader(parts...), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	ix, err := archive.ParsePackages(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return ix, nil
}
