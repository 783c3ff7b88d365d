package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// NewReader decompresses xz, gzip, zstd and bzip2, told apart by their first
// bytes; anything else is passed on as it is. Close must be called.
func NewReader(r io.ReaderAt, size int64) (io.ReadCloser, error) {
	head := make([]byte, min(size, 6))
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 128<<10)
	switch {
	case bytes.HasPrefix(head, xzMagic):
		return NewXZReader(r, size)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// zstd --long=27 is the largest window that a .deb may have.
		z, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(head, []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(in)), nil
	}
	return io.NopCloser(in), nil
}
