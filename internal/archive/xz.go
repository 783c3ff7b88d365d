package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/mikelolasagasti/xz"
	"golang.org/x/sync/semaphore"
)

// Blocks of an xz file are independent of each other, and its index (at the
// end) says where they lie. Debian's large packages have one every 24 MiB. Each
// is decoded as a small xz stream of its own, with a header and an index made up
// for it, so that any decoder of streams will do and every check is made.

const (
	xzChunk   = 256 << 10 // what is decoded in one go
	xzDictMax = 128 << 20 // what a hostile header can make us allocate: xz -9 takes 64 MiB, the Rust project 128 (rustc-1.95.0, "xz -lvv")
	// maxAhead bounds what one block may hold decoded before its turn comes: dpkg-deb makes blocks of 24 MiB, three
	// times the dictionary.
	maxAhead = 24 << 20
	// atHead is the same for the block that is read now.
	atHead = 2 << 20
	// maxXZIndex bounds the index: a record is at most 18 bytes, a block at least 12 kB in practice.
	maxXZIndex = 16 << 20
)

var (
	errXZ = errors.New("xz data is corrupt")

	// decoding is what all readers together may decode at once: packages are
	// unpacked in parallel as well as blocks.
	decoding = semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))
	// ahead is the memory that all readers together may fill with blocks that
	// are not read yet: what all processors can decode at once.
	ahead    = semaphore.NewWeighted(allAhead)
	allAhead = int64(runtime.GOMAXPROCS(0)) * maxAhead

	xzChunks   = sync.Pool{New: func() any { return new([xzChunk]byte) }}
	xzDecoders = sync.Pool{New: func() any { z, _ := xz.NewReader(nil, xzDictMax); return z }}
)

var xzMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0}

// NewXZReader decodes an xz file, its blocks in parallel. Close ends the
// decoding and must be called.
func NewXZReader(r io.ReaderAt, size int64) (io.ReadCloser, error) {
	blocks, err := xzBlocks(r, size)
	if err != nil {
		return nil, err
	}
	return &xzReader{blocks: blocks, width: runtime.GOMAXPROCS(0) + 1, done: make(chan struct{})}, nil
}

// An xzBlock is a stream that holds one block, or a whole file.
type xzBlock struct {
	open func() io.Reader
	size int64 // decoded; an upper bound of what to keep, never trusted more than that
}

type xzReader struct {
	blocks []xzBlock // not started
	queue  []*xzStream
	width  int
	chunk  xzPiece
	rest   []byte
	err    error
	done   chan struct{}
	ended  sync.WaitGroup
}

type xzStream struct {
	pieces   chan xzPiece
	reserved int64
}

type xzPiece struct {
	buf *[xzChunk]byte
	n   int
	err error // io.EOF at the block's end
}

func (z *xzReader) Read(p []byte) (int, error) {
	for len(z.rest) == 0 {
		if z.chunk.buf != nil {
			xzChunks.Put(z.chunk.buf)
			z.chunk.buf = nil
		}
		if z.err != nil {
			return 0, z.err
		}
		z.start()
		if len(z.queue) == 0 {
			z.err = io.EOF
			return 0, io.EOF
		}
		head := z.queue[0]
		piece := <-head.pieces
		z.chunk, z.rest = piece, piece.buf[:piece.n]
		if piece.err == io.EOF {
			z.queue = z.queue[1:]
			ahead.Release(head.reserved)
		} else if piece.err != nil {
			z.err = fmt.Errorf("%w: %w", errXZ, piece.err)
		}
	}
	n := copy(p, z.rest)
	z.rest = z.rest[n:]
	return n, nil
}

// start sets blocks going: the one that is read next always, those behind it
// while memory lasts.
func (z *xzReader) start() {
	for len(z.blocks) > 0 && len(z.queue) < z.width {
		b := z.blocks[0]
		most := int64(maxAhead)
		if len(z.queue) == 0 {
			most = atHead
		}
		s := &xzStream{reserved: min(max(b.size, xzChunk), most)}
		if !ahead.TryAcquire(s.reserved) {
			if len(z.queue) > 0 {
				return
			}
			s.reserved = 0
		}
		// Room for the whole block, so that its decoder never waits for a reader
		// that is still busy with the block before.
		s.pieces = make(chan xzPiece, max(s.reserved/xzChunk+1, 2))
		z.blocks = z.blocks[1:]
		z.queue = append(z.queue, s)
		z.ended.Add(1)
		go func() {
			defer z.ended.Done()
			s.decode(b.open(), z.done)
		}()
	}
}

func (s *xzStream) decode(r io.Reader, done <-chan struct{}) {
	d := xzDecoders.Get().(*xz.Reader)
	defer xzDecoders.Put(d)
	var reset bool
	for {
		piece := xzPiece{buf: xzChunks.Get().(*[xzChunk]byte)}
		// Held while computing only, never while waiting: so readers cannot block each other.
		piece.err = acquire(done)
		if piece.err == nil {
			if !reset {
				piece.err = d.Reset(r)
				reset = true
			}
			if piece.err == nil {
				piece.n, piece.err = io.ReadFull(d, piece.buf[:])
			}
			decoding.Release(1)
		}
		if piece.err == io.ErrUnexpectedEOF { // ReadFull's word for the last, short piece
			piece.err = io.EOF
		}
		select {
		case s.pieces <- piece:
		case <-done:
			return
		}
		if piece.err != nil {
			return
		}
	}
}

var errClosed = errors.New("reader is closed")

func acquire(done <-chan struct{}) error {
	select {
	case <-done:
		return errClosed
	default:
	}
	// Decoding a chunk takes milliseconds: waiting needs no way out.
	return decoding.Acquire(context.Background(), 1)
}

func (z *xzReader) Close() error {
	if z.err == errClosed {
		return nil
	}
	close(z.done)
	z.ended.Wait()
	for _, s := range z.queue {
		ahead.Release(s.reserved)
	}
	z.queue, z.blocks, z.rest, z.err = nil, nil, nil, errClosed
	return nil
}

// xzBlocks finds the blocks of a file. A file of several streams, or with
// padding, is one "block" that the decoder reads from end to end.
func xzBlocks(r io.ReaderAt, size int64) ([]xzBlock, error) {
	var header, footer [12]byte
	if size < 32 {
		return nil, fmt.Errorf("%w: %d bytes are too few", errXZ, size)
	}
	if err := readAt(r, header[:], 0); err != nil {
		return nil, err
	}
	if !bytes.Equal(header[:6], xzMagic) {
		return nil, fmt.Errorf("%w: it does not begin as xz does", errXZ)
	}
	if err := readAt(r, footer[:], size-12); err != nil {
		return nil, err
	}
	whole := []xzBlock{{func() io.Reader { return bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10) }, maxAhead}}
	if footer[10] != 'Y' || footer[11] != 'Z' || crc32.ChecksumIEEE(footer[4:10]) != le32(footer[:]) || !bytes.Equal(footer[8:10], header[6:8]) {
		return whole, nil
	}
	indexSize := (int64(le32(footer[4:])) + 1) * 4
	if indexSize > size-24 {
		return nil, fmt.Errorf("%w: its index of %d bytes is longer than the file", errXZ, indexSize)
	}
	if indexSize > maxXZIndex {
		return whole, nil
	}
	index := make([]byte, indexSize)
	indexAt := size - 12 - indexSize
	if err := readAt(r, index, indexAt); err != nil {
		return nil, err
	}
	body := index[:len(index)-4]
	if index[0] != 0 || crc32.ChecksumIEEE(body) != le32(index[len(body):]) {
		return nil, fmt.Errorf("%w: its index is damaged", errXZ)
	}
	body = body[1:]
	next := func() int64 {
		v, n := binary.Uvarint(body)
		if n <= 0 || v > 1<<62 {
			body = nil
			return -1
		}
		body = body[n:]
		return int64(v)
	}
	count := next()
	if count < 1 || count > indexSize {
		return whole, nil
	}
	blocks := make([]xzBlock, 0, count)
	at := int64(12)
	for range count {
		unpadded, decoded := next(), next()
		padded := (unpadded + 3) &^ 3
		if unpadded < 5 || decoded < 0 || padded > indexAt-at {
			return whole, nil // damage, or a stream before this one: the decoder finds out
		}
		from := at
		blocks = append(blocks, xzBlock{func() io.Reader {
			return io.MultiReader(bytes.NewReader(header[:]),
				bufio.NewReaderSize(io.NewSectionReader(r, from, padded), 64<<10),
				bytes.NewReader(xzTail(header[6:8], unpadded, decoded)))
		}, decoded})
		at += padded
	}
	if at != indexAt {
		return whole, nil
	}
	return blocks, nil
}

// xzTail is the index and footer of a stream of one block.
func xzTail(flags []byte, unpadded, decoded int64) []byte {
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(unpadded))
	index = binary.AppendUvarint(index, uint64(decoded))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	end := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	end = append(end, flags...)
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(end))
	index = append(index, end...)
	return append(index, 'Y', 'Z')
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
