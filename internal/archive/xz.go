package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Blocks of an xz file are independent of each other, and its index (at the
// end) says where they lie. Debian's large packages have one every 24 MiB.

const (
	xzPart = 256 << 10 // what is decoded in one go
	// xzDictMax is what a hostile header can make us allocate: xz -9 takes 64 MiB, the Rust project 128 (rustc-1.95.0,
	// "xz -lvv").
	xzDictMax = 128 << 20
	// maxAhead bounds the block that is decoded before its turn comes: dpkg-deb makes blocks of 24 MiB, three times the
	// dictionary.
	maxAhead = 24 << 20
	// atHead is the window of the block that is read now: a dictionary of 8 MiB, as dpkg-deb has it.
	atHead = 8<<20 + xzPart
	// maxXZIndex bounds the index: a record is at most 18 bytes, a block at least 12 kB in practice.
	maxXZIndex = 16 << 20
)

var (
	errXZ = errors.New("xz data is corrupt")

	// decoding is what all readers together may decode at once: packages are
	// unpacked in parallel as well as blocks.
	decoding = semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))
	// started are the blocks that are being decoded. None is decoded ahead where there are as many as processors.
	started atomic.Int64
	// ahead and heads are the memory of all readers together: for blocks that are decoded ahead, and for those that are
	// read now. A reader without memory waits before it reads its first byte, and never later: one that has begun may
	// have what another one waits for.
	ahead    = semaphore.NewWeighted(allAhead)
	allAhead = int64(min(runtime.GOMAXPROCS(0), 5)-1) * maxAhead
	heads    = semaphore.NewWeighted(allHeads)
	allHeads = int64(min(runtime.GOMAXPROCS(0), 7)+1) * atHead

	unused windows
)

var xzMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0}

// windows are kept while there are readers, in few sizes: what a window has that nothing is written to takes no memory.
type windows struct {
	mu      sync.Mutex
	readers int
	free    [][]byte
}

// windowSize is the size of the window that holds n bytes.
func windowSize(n int64) int64 {
	switch n = parts(n); {
	case n > smallest && n <= atHead:
		return atHead
	case n > atHead && n <= maxAhead:
		return maxAhead
	}
	return n
}

func (w *windows) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readers++
}

func (w *windows) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readers--; w.readers > 0 {
		return
	}
	for _, win := range w.free {
		freeWindow(win)
	}
	w.free = nil
}

func (w *windows) take(size int64) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.free, func(f []byte) bool { return int64(len(f)) == size })
	if i < 0 {
		return newWindow(int(size))
	}
	win := w.free[i]
	w.free = slices.Delete(w.free, i, i+1)
	return win, nil
}

func (w *windows) put(win []byte) {
	if win == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(win) > maxAhead { // of a size of its own
		freeWindow(win)
		return
	}
	w.free = append(w.free, win)
}

// NewXZReader decodes an xz file, its blocks in parallel. Close ends the
// decoding and must be called. Whoever has begun to read it reads it to its end
// before it begins with another one, or closes it.
func NewXZReader(r io.ReaderAt, size int64) (io.ReadCloser, error) {
	blocks, err := xzBlocks(r, size)
	if err != nil {
		return nil, err
	}
	unused.open()
	return &xzReader{blocks: blocks, width: runtime.GOMAXPROCS(0) + 1, done: make(chan struct{})}, nil
}

type xzReader struct {
	blocks []xzBlock // not started
	queue  []*xzStream
	width  int
	head   int64  // memory reserved for the block that is read now
	window []byte // its window, between two of them
	rest   []byte // decoded, and not read
	err    error
	done   chan struct{}
	ended  sync.WaitGroup
}

// An xzStream is a block that is being decoded.
type xzStream struct {
	pieces chan xzPiece
	window []byte
	ahead  int64 // memory reserved for it
}

type xzPiece struct {
	data []byte // in the window
	err  error  // io.EOF at the block's end
}

func (z *xzReader) Read(p []byte) (int, error) {
	for len(z.rest) == 0 {
		if z.err != nil {
			return 0, z.err
		}
		if z.err = z.start(); z.err != nil {
			return 0, z.err
		}
		if len(z.queue) == 0 {
			z.err = io.EOF
			z.release()
			return 0, io.EOF
		}
		piece := <-z.queue[0].pieces
		z.rest = piece.data
		if piece.err == io.EOF {
			z.finish(z.queue[0])
			z.queue = z.queue[1:]
		} else if piece.err != nil {
			z.err = fmt.Errorf("%w: %w", errXZ, piece.err)
		}
	}
	n := copy(p, z.rest)
	z.rest = z.rest[n:]
	return n, nil
}

// start sets blocks going: the one that is read next always, those behind it
// while memory and processors last.
func (z *xzReader) start() (err error) {
	for len(z.blocks) > 0 && len(z.queue) < z.width {
		b := &z.blocks[0]
		s := &xzStream{}
		if len(z.queue) == 0 {
			b.header()
			size := b.window()
			if z.head == 0 {
				z.head = min(size, allHeads)
				heads.Acquire(context.Background(), z.head) // never fails: no context ends
			}
			if s.window, z.window = z.window, nil; int64(len(s.window)) < size {
				unused.put(s.window)
				if s.window, err = unused.take(size); err != nil {
					return err
				}
			}
		} else {
			size := windowSize(b.size)
			if size > maxAhead || started.Load() >= int64(runtime.GOMAXPROCS(0)) || !ahead.TryAcquire(size) {
				return nil
			}
			if s.window, err = unused.take(size); err != nil {
				ahead.Release(size)
				return err
			}
			b.header()
			s.ahead = size
		}
		// A piece is written over when the window comes round to it. Then it has been read: so many wait, one is being read
		// and one decoded. A block that is in its window whole never waits for a reader.
		room := len(s.window)/xzPart - 2
		if b.size <= int64(len(s.window)) {
			room = int(b.size/xzPart) + 2
		}
		s.pieces = make(chan xzPiece, room)
		z.queue, z.blocks = append(z.queue, s), z.blocks[1:]
		z.ended.Add(1)
		started.Add(1)
		go func() {
			defer z.ended.Done()
			defer started.Add(-1)
			s.decode(b, z.done)
		}()
	}
	return nil
}

// finish takes back what a block had, all of which is read. The window of one that was not ahead is the next one's.
func (z *xzReader) finish(s *xzStream) {
	if s.ahead == 0 {
		z.window = s.window
		return
	}
	unused.put(s.window)
	ahead.Release(s.ahead)
}

// release gives back the memory of what is read now.
func (z *xzReader) release() {
	unused.put(z.window)
	heads.Release(z.head)
	z.window, z.head = nil, 0
}

func (s *xzStream) decode(b *xzBlock, done <-chan struct{}) {
	var d xzDecoder
	defer func() {
		if d != nil {
			d.close()
		}
	}()
	for {
		// Held while computing only, never while waiting: so readers cannot block each other.
		piece := xzPiece{err: acquire(done)}
		if piece.err == nil {
			if d == nil {
				d, piece.err = b.decoder(s.window)
			}
			if piece.err == nil {
				piece.data, piece.err = d.next()
			}
			decoding.Release(1)
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
	// Decoding a part takes milliseconds: waiting needs no way out.
	return decoding.Acquire(context.Background(), 1)
}

func (z *xzReader) Close() error {
	if z.err == errClosed {
		return nil
	}
	close(z.done)
	z.ended.Wait()
	for _, s := range z.queue {
		z.finish(s)
	}
	z.release()
	unused.close()
	z.queue, z.blocks, z.rest, z.err = nil, nil, nil, errClosed
	return nil
}

// parts is a size in whole parts.
func parts(n int64) int64 { return (n + xzPart - 1) / xzPart * xzPart }

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
	whole := []xzBlock{{file: r, end: size, size: 1 << 62}}
	sum := crc32.ChecksumIEEE(footer[4:10])
	if footer[10] != 'Y' || footer[11] != 'Z' || sum != le32(footer[:]) || !bytes.Equal(footer[8:10], header[6:8]) {
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
		blocks = append(blocks, xzBlock{
			file:     r,
			at:       at,
			end:      at + padded,
			unpadded: unpadded,
			size:     decoded,
			flags:    [2]byte(header[6:8]),
		})
		at += padded
	}
	if at != indexAt {
		return whole, nil
	}
	return blocks, nil
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
