package inspect

import (
	"bytes"
	"io"
	"strings"
)

// A source is a file, or a part of one, that is read by bounds. What may be read in all is limited, so that tables
// which overlap cannot make the work grow beyond the file's size.
type source struct {
	r    io.ReaderAt
	size int64
	left int64 // bytes that may still be read
}

// largest is the most that is read at once. Debug builds of browsers have symbol tables near it.
const largest = 1 << 29

func newSource(r io.ReaderAt, size int64) *source {
	return &source{r: r, size: size, left: 4*size + 1<<16}
}

// part is a piece of the file as a file of its own.
func (s *source) part(off, size int64) (*source, error) {
	if off < 0 || size < 0 || off > s.size || size > s.size-off {
		return nil, damaged("%d bytes at %d lie outside of it (it has %d)", size, off, s.size)
	}
	return newSource(io.NewSectionReader(s.r, off, size), size), nil
}

// bytes reads n bytes at off.
func (s *source) bytes(off, n uint64, what string) ([]byte, error) {
	if off > uint64(s.size) || n > uint64(s.size)-off {
		return nil, damaged("%s lies outside of the file (%d bytes at %d of %d)", what, n, off, s.size)
	}
	if n > largest {
		return nil, damaged("%s has %d bytes, more than is read of one table", what, n)
	}
	if s.left -= int64(n); s.left < 0 {
		return nil, damaged("its tables overlap so often that they are not read further (at %s)", what)
	}
	data := make([]byte, n)
	if _, err := s.r.ReadAt(data, int64(off)); err != nil && err != io.EOF {
		return nil, err
	} else if err == io.EOF && int64(off)+int64(n) > s.size {
		return nil, damaged("it ended while %s was read", what)
	}
	return data, nil
}

// A nameTable is names that end with a zero byte, each found by its offset.
type nameTable struct {
	text string
	left int // bytes of names that may still be handed out
}

// short is the length of a name that costs no more than the entry which has it (16 bytes and more): objects for RISC-V
// have thousands of labels that are all called .L0.
const short = 16

// newNames makes a table. Names may share their ends, and rarely do: a table whose long names together are far longer
// than itself is made to waste time.
func newNames(data []byte) *nameTable {
	return &nameTable{text: string(data), left: 8*len(data) + 1<<16}
}

func (t *nameTable) at(off uint64) (string, error) {
	if off >= uint64(len(t.text)) {
		if off == 0 {
			return "", nil
		}
		return "", damaged("a name lies outside of its table (%d of %d)", off, len(t.text))
	}
	rest := t.text[off:]
	n := min(len(rest), t.left+short)
	i := strings.IndexByte(rest[:n], 0)
	switch {
	case i < 0 && n < len(rest):
		return "", damaged("its names overlap so often that they are not read further")
	case i < 0:
		return "", damaged("a name at %d has no end", off)
	}
	t.left -= max(0, i-short)
	return rest[:i], nil
}

// cString is the text before the first zero byte.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
