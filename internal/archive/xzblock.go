package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"sync"

	"github.com/mikelolasagasti/xz"
)

// An xzBlock is one block of a file, or a whole file of which the blocks cannot be told.
type xzBlock struct {
	file     io.ReaderAt
	at, end  int64
	flags    [2]byte // of its stream
	unpadded int64   // its size without padding, as the index has it; 0 for a whole file
	size     int64   // decoded, as the index has it; never trusted more than the window's size

	// Once header read it:
	dict int64 // the dictionary, where it is LZMA2 alone; 0 for what the library decodes
	data int64 // where LZMA2 begins
}

// An xzDecoder decodes a block, part by part, into a window.
type xzDecoder interface {
	next() ([]byte, error) // io.EOF comes alone
	close()
}

const (
	lzma2Filter = 0x21
	maxHeader   = 1024
	// smallest is the smallest window: it is more than three parts.
	smallest = 4 * xzPart
)

// header reads the block's header (The .xz File Format, 3.1). What has other filters than LZMA2, or is damaged, is left
// to the library.
func (b *xzBlock) header() {
	if b.unpadded == 0 {
		return
	}
	h := make([]byte, min(maxHeader, b.end-b.at))
	if readAt(b.file, h, b.at) != nil || h[0] == 0 || len(h) < 4*int(h[0])+4 {
		return
	}
	h = h[:4*int(h[0])+4]
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != le32(h[len(body):]) || body[1] != body[1]&0xc0 {
		return // reserved bits, or more than one filter
	}
	rest := body[2:]
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, false
		}
		rest = rest[n:]
		return v, true
	}
	check := checkSize(b.flags[1])
	if body[1]&0x40 != 0 {
		if n, ok := number(); !ok || n != uint64(b.unpadded)-uint64(len(h)+check) {
			return
		}
	}
	if body[1]&0x80 != 0 {
		if n, ok := number(); !ok || n != uint64(b.size) {
			return
		}
	}
	if len(rest) < 3 || rest[0] != lzma2Filter || rest[1] != 1 || rest[2] > 40 {
		return
	}
	if len(bytes.Trim(rest[3:], "\x00")) > 0 || newCheck(b.flags[1]) == nil {
		return
	}
	b.data = b.at + int64(len(h))
	if b.dict = 1<<32 - 1; rest[2] < 40 {
		b.dict = int64(2|rest[2]&1) << (rest[2]/2 + 11)
	}
}

// window is the size of what the block is decoded into, where it is not decoded ahead.
func (b *xzBlock) window() int64 {
	ring := min(max(b.dict+wordsBeyond, smallest), xzDictMax+wordsBeyond)
	return windowSize(min(ring, max(b.size, 1)))
}

// decoder decodes the block into a window that is at least as large as it is to be.
func (b *xzBlock) decoder(win []byte) (xzDecoder, error) {
	if b.dict == 0 {
		return b.library(win)
	}
	if min(b.dict, b.size) > xzDictMax {
		return nil, fmt.Errorf("its dictionary has %d bytes, more than %d", b.dict, xzDictMax)
	}
	d := lzmaDecoders.Get().(*lzmaDecoder)
	d.block, d.check, d.left = b, newCheck(b.flags[1]), b.size
	d.from = io.NewSectionReader(b.file, b.data, b.end-b.data)
	d.buf.Reset(d.from)
	d.lzma.begin(&d.buf, win[:len(win)/xzPart*xzPart])
	return d, nil
}

// An lzmaDecoder decodes a block that is LZMA2 alone.
type lzmaDecoder struct {
	block *xzBlock
	from  *io.SectionReader
	buf   bufio.Reader
	lzma  lzma2
	check hash.Hash
	left  int64
}

// What is compressed is read in chunks, past the buffer: it is for what stands between them.
var lzmaDecoders = sync.Pool{New: func() any { return &lzmaDecoder{buf: *bufio.NewReaderSize(nil, 4<<10)} }}

func (d *lzmaDecoder) close() {
	d.block, d.from = nil, nil
	d.lzma.win = nil
	lzmaDecoders.Put(d)
}

func (d *lzmaDecoder) next() ([]byte, error) {
	if d.left == 0 {
		if err := d.lzma.ended(); err != nil {
			return nil, err
		}
		return nil, d.end()
	}
	n, err := d.lzma.fill(int(min(xzPart, d.left)))
	if err == io.EOF {
		return nil, fmt.Errorf("a block is %d bytes shorter than the index says", d.left)
	}
	if err != nil {
		return nil, err
	}
	d.left -= int64(n)
	data := d.lzma.win[d.lzma.pos-n : d.lzma.pos]
	d.check.Write(data)
	return data, nil
}

// end reads what stands behind LZMA2: padding and the check.
func (d *lzmaDecoder) end() error {
	at, err := d.from.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	at += d.block.data - int64(d.buf.Buffered())
	sum := d.check.Sum(nil)
	if at-d.block.at+int64(len(sum)) != d.block.unpadded {
		return errors.New("a block has another size than the index says")
	}
	tail := make([]byte, d.block.end-at)
	if err := readAt(d.block.file, tail, at); err != nil {
		return err
	}
	padding := tail[:len(tail)-len(sum)]
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return errors.New("a block's padding is not zero")
	}
	if !bytes.Equal(tail[len(padding):], sum) {
		return errors.New("a block has another checksum than its data")
	}
	return io.EOF
}

// checkSize is the size of a check by its type (The .xz File Format, 2.1.1.2).
func checkSize(kind byte) int {
	return [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[kind&15]
}

var crc64Table = crc64.MakeTable(crc64.ECMA)

// newCheck computes a check; nil for types that are not in use.
func newCheck(kind byte) hash.Hash {
	switch kind {
	case 0:
		return none{}
	case 1:
		return little{crc32.NewIEEE()}
	case 4:
		return little{crc64.New(crc64Table)}
	case 10:
		return sha256.New()
	}
	return nil
}

// none is no check.
type none struct{}

func (none) Write(p []byte) (int, error) { return len(p), nil }
func (none) Sum(b []byte) []byte         { return b }
func (none) Reset()                      {}
func (none) Size() int                   { return 0 }
func (none) BlockSize() int              { return 1 }

// little has its sum in xz's order of bytes, the lowest first.
type little struct{ hash.Hash }

func (l little) Sum(b []byte) []byte {
	sum := l.Hash.Sum(nil)
	for i := range sum {
		b = append(b, sum[len(sum)-1-i])
	}
	return b
}

// library decodes what has filters beside LZMA2, such as those for machine code, and files of several streams.
func (b *xzBlock) library(win []byte) (xzDecoder, error) {
	var in io.Reader = io.NewSectionReader(b.file, b.at, b.end-b.at)
	in = bufio.NewReaderSize(in, 64<<10)
	if b.unpadded > 0 {
		// A small stream of its own, with a header and an index made up for it.
		begin := append(append([]byte{}, xzMagic...), b.flags[:]...)
		begin = binary.LittleEndian.AppendUint32(begin, crc32.ChecksumIEEE(b.flags[:]))
		in = io.MultiReader(bytes.NewReader(begin), in, bytes.NewReader(xzTail(b.flags[:], b.unpadded, b.size)))
	}
	z, err := xz.NewReader(in, xzDictMax)
	return &libraryDecoder{from: z, win: win, left: b.size}, err
}

type libraryDecoder struct {
	from *xz.Reader
	win  []byte
	at   int
	left int64
}

func (d *libraryDecoder) close() {}

func (d *libraryDecoder) next() ([]byte, error) {
	if d.left == 0 {
		// The library tells only now that there is more: what would be written over is not read yet.
		n, err := d.from.Read(make([]byte, 1))
		if n > 0 {
			err = errors.New("a block is longer than the index says")
		}
		return nil, err
	}
	if d.at+xzPart > len(d.win) {
		d.at = 0
	}
	part := d.win[d.at:][:min(xzPart, d.left)]
	n, err := io.ReadFull(d.from, part)
	if err == io.ErrUnexpectedEOF { // ReadFull's word for the last, short part
		err = nil
	}
	d.at, d.left = d.at+xzPart, d.left-int64(n)
	return part[:n], err
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
