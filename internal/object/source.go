package object

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// A Source is a file, or a part of one, that is read by bounds. What may be read in all is limited, so that tables
// which overlap cannot make the work grow beyond the file's size.
type Source struct {
	Size int64
	r    io.ReaderAt
	data []byte // of a file in memory
	left int64  // bytes that may still be read
}

// largest is the most that is read at once. Debug builds of browsers have symbol tables near it.
const largest = 1 << 29

// NewSource is a file of a known size.
func NewSource(r io.ReaderAt, size int64) *Source {
	return &Source{Size: size, r: r, left: 4*size + 1<<16}
}

// Open opens a regular file. The caller closes it.
func Open(path string) (*Source, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w: not a regular file", path, ErrFormat)
	}
	return NewSource(f, info.Size()), f, nil
}

// Memory is a file that is in memory. What is read of it is not copied, and so costs nothing and is not limited.
func Memory(data []byte) *Source {
	return &Source{Size: int64(len(data)), r: bytes.NewReader(data), data: data}
}

// Part is a piece of the file as a file of its own.
func (s *Source) Part(off, size int64) (*Source, error) {
	if off < 0 || size < 0 || off > s.Size || size > s.Size-off {
		return nil, Damaged("%d bytes at %d lie outside of it (it has %d)", size, off, s.Size)
	}
	if s.data != nil {
		return Memory(s.data[off : off+size]), nil
	}
	return NewSource(io.NewSectionReader(s.r, off, size), size), nil
}

// Bytes reads n bytes at off.
func (s *Source) Bytes(off, n uint64, what string) ([]byte, error) {
	if off > uint64(s.Size) || n > uint64(s.Size)-off {
		return nil, Damaged("%s lies outside of the file (%d bytes at %d of %d)", what, n, off, s.Size)
	}
	if s.data != nil {
		return s.data[off : off+n : off+n], nil
	}
	if n > largest {
		return nil, Damaged("%s has %d bytes, more than is read of one table", what, n)
	}
	if s.left -= int64(n); s.left < 0 {
		return nil, Damaged("its tables overlap so often that they are not read further (at %s)", what)
	}
	data := make([]byte, n)
	if _, err := s.r.ReadAt(data, int64(off)); err != nil && err != io.EOF {
		return nil, err
	} else if err == io.EOF && int64(off)+int64(n) > s.Size {
		return nil, Damaged("it ended while %s was read", what)
	}
	return data, nil
}

// ReadAt fills a buffer of the caller's (io.ReaderAt). As nothing is allocated, it does not count for what may be read
// in all.
func (s *Source) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= s.Size {
		return 0, io.EOF
	}
	n, err := s.r.ReadAt(b[:min(int64(len(b)), s.Size-off)], off)
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

// Head is up to n of the first bytes.
func (s *Source) Head(n int) []byte {
	b := make([]byte, n)
	n, _ = s.ReadAt(b, 0) // of a file that cannot be read the next thing fails
	return b[:n]
}

// Names are names that end with a zero byte, each found by its offset.
type Names struct {
	text string
	left int // bytes of names that may still be handed out
}

// short is the length of a name that costs no more than the entry which has it (16 bytes and more): objects for RISC-V
// have thousands of labels that are all called .L0.
const short = 16

// NewNames makes a table. Names may share their ends, and rarely do: a table whose long names together are far longer
// than itself is made to waste time.
func NewNames(data []byte) *Names {
	return &Names{text: string(data), left: 8*len(data) + 1<<16}
}

// Text is the whole table.
func (t *Names) Text() string { return t.text }

// At is the name at an offset.
func (t *Names) At(off uint64) (string, error) {
	if off >= uint64(len(t.text)) {
		if off == 0 {
			return "", nil
		}
		return "", Damaged("a name lies outside of its table (%d of %d)", off, len(t.text))
	}
	rest := t.text[off:]
	n := min(len(rest), t.left+short)
	i := strings.IndexByte(rest[:n], 0)
	switch {
	case i < 0 && n < len(rest):
		return "", Damaged("its names overlap so often that they are not read further")
	case i < 0:
		return "", Damaged("a name at %d has no end", off)
	}
	t.left -= max(0, i-short)
	return rest[:i], nil
}

// CString is the text before the first zero byte.
func CString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
