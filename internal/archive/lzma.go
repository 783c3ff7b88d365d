package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

var errLZMA = errors.New("LZMA data is corrupt")

// An lzma2 decodes LZMA2 (The .xz File Format, 5.3.1): chunks of LZMA, or of bytes as they are. What is decoded stands
// in a window, which is the dictionary too, so that nothing is copied, and one that holds all of a block takes no
// memory beside. Of LZMA (LZMA specification, lzma-specification.txt of the LZMA SDK) the range coder lies in local
// variables, which functions hand to each other: a call and three stores for each bit would take a third of the time
// more.
type lzma2 struct {
	in   *bufio.Reader
	win  []byte // circular
	pos  int    // the place of the next byte in it
	full int    // bytes that matches may refer to, at most the window's size

	left      int  // bytes that the chunk is still to give
	raw       bool // it holds them as they are
	needDict  bool // the dictionary has to be reset before it is used
	needProps bool // so do the properties

	src       source // the chunk, if it is one of LZMA
	p, end    int    // what of it was read, and its size
	rng, code uint32
	state     uint32
	dists     [4]uint32 // of the last matches, less one
	rest      int       // bytes of a match that did not fit before the last stop
	total     uint32    // bytes since the last reset, for the masks

	lc              uint32
	lpMask, posMask uint32

	match    [lzmaStates << 4]uint16
	rep      [lzmaStates]uint16
	repG0    [lzmaStates]uint16
	repG1    [lzmaStates]uint16
	repG2    [lzmaStates]uint16
	rep0Long [lzmaStates << 4]uint16
	slot     [4][64]uint16
	special  [128]uint16
	align    [16]uint16
	matchLen lengths
	repLen   lengths
	literals [16][0x300]uint16
}

// lengths are the probabilities of a match's length.
type lengths struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

const (
	lzmaStates = 12
	// maxSymbol is more than what one symbol takes of the input: whether the chunk has ended is looked at between them.
	maxSymbol = 32
	topValue  = 1 << 24 // the range is made larger below it
	even      = 1 << 10 // a probability of one half
	// A short match is copied in words, which may go so far beyond its end: a window has so many bytes more than the
	// dictionary.
	wordsBeyond = 32
)

// A source is a chunk: at most 64 KiB, and what is read beyond before that is seen.
type source [1<<16 + maxSymbol]byte

// begin makes it decode anew.
func (z *lzma2) begin(in *bufio.Reader, win []byte) {
	z.in, z.win, z.pos, z.full, z.left, z.rest = in, win, 0, 0, 0, 0
	z.needDict, z.needProps = true, true
}

// ended says whether all has been decoded, without a byte more in the window.
func (z *lzma2) ended() error {
	if z.left == 0 {
		if err := z.chunk(); err == io.EOF {
			_, err = z.in.ReadByte() // the one that says so
			return err
		} else if err != nil {
			return err
		}
	}
	return errLZMA
}

// fill decodes n bytes, and fewer where the window or the data ends; io.EOF comes alone.
func (z *lzma2) fill(n int) (int, error) {
	if z.pos == len(z.win) {
		z.pos = 0
	}
	start := z.pos
	end := min(z.pos+n, len(z.win))
	for z.pos < end {
		if z.left == 0 {
			if err := z.chunk(); err == io.EOF && z.pos > start {
				return z.pos - start, nil // the next call finds it too
			} else if err != nil {
				return 0, err
			}
		}
		n := min(end-z.pos, z.left)
		if z.raw {
			if _, err := io.ReadFull(z.in, z.win[z.pos:z.pos+n]); err != nil {
				return 0, cut(err)
			}
			z.pos += n
			z.total += uint32(n)
		} else if !z.symbols(z.pos + n) {
			return 0, errLZMA
		}
		z.full = min(z.full+n, len(z.win))
		if z.left -= n; z.left == 0 && !z.raw {
			if z.rng < topValue {
				z.code = z.code<<8 | uint32(z.src[z.p])
				z.p++
			}
			if z.rest != 0 || z.code != 0 || z.p != z.end {
				return 0, errLZMA
			}
		}
	}
	return z.pos - start, nil
}

// cut is an error of reading what has to be there.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunk begins the next chunk. The byte that ends the data is left where it is, so that it is found again.
func (z *lzma2) chunk() error {
	head, err := z.in.Peek(1)
	if err != nil {
		return cut(err)
	}
	control := head[0]
	if control == 0 {
		return io.EOF
	}
	size := 3
	if control >= 0x80 {
		size = 5
	} else if control > 2 {
		return errLZMA
	}
	if head, err = z.in.Peek(size); err != nil {
		return cut(err)
	}
	z.left = int(binary.BigEndian.Uint16(head[1:])) + 1
	if control >= 0x80 {
		z.left += int(control&0x1f) << 16
		z.end = int(binary.BigEndian.Uint16(head[3:])) + 1
	}
	z.in.Discard(size)
	z.raw = control < 0x80
	reset := control >> 5 & 3 // 1: of the state, 2: of the properties too, 3: of the dictionary too
	if control == 1 || control >= 0xe0 {
		z.full, z.total, z.needDict, z.needProps = 0, 0, false, true
	} else if z.needDict {
		return errLZMA
	}
	if z.raw {
		return nil
	}
	if reset >= 2 {
		props, err := z.in.ReadByte()
		if err != nil {
			return cut(err)
		}
		if !z.props(uint32(props)) {
			return errLZMA
		}
	} else if z.needProps {
		return errLZMA
	}
	if reset >= 1 {
		z.reset()
	}
	if z.end < 5 {
		return errLZMA
	}
	if _, err := io.ReadFull(z.in, z.src[:z.end]); err != nil {
		return cut(err)
	}
	clear(z.src[z.end:min(z.end+maxSymbol, len(z.src))])
	if z.src[0] != 0 {
		return errLZMA
	}
	z.rng, z.code, z.p = 1<<32-1, binary.BigEndian.Uint32(z.src[1:]), 5
	return nil
}

// props sets how many bits of the bytes before, and of the position, a probability depends on.
func (z *lzma2) props(b uint32) bool {
	if b >= 9*5*5 {
		return false
	}
	lc, lp, pb := b%9, b/9%5, b/45
	if lc+lp > 4 {
		return false
	}
	z.lc, z.lpMask, z.posMask, z.needProps = lc, 1<<lp-1, 1<<pb-1, false
	return true
}

// reset forgets what was learned of the data.
func (z *lzma2) reset() {
	z.state, z.dists, z.rest = 0, [4]uint32{}, 0
	evenly(z.match[:])
	evenly(z.rep[:])
	evenly(z.repG0[:])
	evenly(z.repG1[:])
	evenly(z.repG2[:])
	evenly(z.rep0Long[:])
	evenly(z.special[:])
	evenly(z.align[:])
	for i := range z.slot {
		evenly(z.slot[i][:])
	}
	for i := range z.literals {
		evenly(z.literals[i][:])
	}
	for _, l := range []*lengths{&z.matchLen, &z.repLen} {
		l.choice, l.choice2 = even, even
		for i := range l.low {
			evenly(l.low[i][:])
			evenly(l.mid[i][:])
		}
		evenly(l.high[:])
	}
}

// evenly makes ones and zeros equally likely.
func evenly(p []uint16) {
	for i := range p {
		p[i] = even
	}
}

// symbols decodes until the window's place end, which lies in the chunk.
func (z *lzma2) symbols(end int) bool {
	src, win := &z.src, z.win
	rng, code, p := z.rng, z.code, z.p
	pos, state := z.pos, z.state
	full := z.full
	total := z.total
	length := z.rest
	for pos < end {
		if length == 0 {
			if p > z.end {
				return false
			}
			posState := total & z.posMask
			if rng < topValue {
				rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
			}
			at := &z.match[(state<<4|posState)%(lzmaStates<<4)]
			prob := uint32(*at)
			bound := rng >> 11 * prob
			if code < bound {
				rng = bound
				*at = uint16(prob + (2048-prob)>>5)
				var before byte
				if pos > 0 && full > 0 {
					before = win[pos-1]
				} else if full > 0 {
					before = win[len(win)-1]
				}
				probs := &z.literals[((total&z.lpMask)<<z.lc|uint32(before)>>(8-z.lc))&15]
				var sym uint32
				if state < 7 {
					sym, p, rng, code = bitTree(probs[:], 0x100, src, p, rng, code)
				} else {
					from := pos - int(z.dists[0]) - 1
					if from < 0 {
						from += len(win)
					}
					sym, p, rng, code = byteAfter(probs, uint32(win[from]), src, p, rng, code)
				}
				win[pos] = byte(sym)
				pos++
				total++
				full++
				switch {
				case state < 4:
					state = 0
				case state < 10:
					state -= 3
				default:
					state -= 6
				}
				continue
			}
			rng -= bound
			code -= bound
			*at = uint16(prob - prob>>5)

			if rng < topValue {
				rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
			}
			at = &z.rep[state%lzmaStates]
			prob = uint32(*at)
			bound = rng >> 11 * prob
			if code < bound {
				rng = bound
				*at = uint16(prob + (2048-prob)>>5)
				z.dists[3], z.dists[2], z.dists[1] = z.dists[2], z.dists[1], z.dists[0]
				var n uint32
				n, p, rng, code = z.matchLen.decode(posState&15, src, p, rng, code)
				length = int(n)
				if state < 7 {
					state = 7
				} else {
					state = 10
				}
				var slot uint32
				slot, p, rng, code = bitTree(z.slot[min(n-2, 3)][:], 64, src, p, rng, code)
				if slot < 4 {
					z.dists[0] = slot
				} else {
					bits := slot>>1 - 1
					base := (2 | slot&1) << bits
					var low uint32
					if slot < 14 {
						low, p, rng, code = reverse(z.special[base-slot:], bits, src, p, rng, code)
					} else {
						low, p, rng, code = direct(bits-4, src, p, rng, code)
						base += low << 4
						low, p, rng, code = reverse(z.align[:], 4, src, p, rng, code)
					}
					z.dists[0] = base + low
				}
			} else {
				rng -= bound
				code -= bound
				*at = uint16(prob - prob>>5)
				var b bool
				b, p, rng, code = bit(&z.repG0[state%lzmaStates], src, p, rng, code)
				if !b {
					b, p, rng, code = bit(&z.rep0Long[(state<<4|posState)%(lzmaStates<<4)], src, p, rng, code)
					if !b {
						length = 1
					}
				} else {
					var dist uint32
					b, p, rng, code = bit(&z.repG1[state%lzmaStates], src, p, rng, code)
					if !b {
						dist = z.dists[1]
					} else {
						b, p, rng, code = bit(&z.repG2[state%lzmaStates], src, p, rng, code)
						if !b {
							dist = z.dists[2]
						} else {
							dist = z.dists[3]
							z.dists[3] = z.dists[2]
						}
						z.dists[2] = z.dists[1]
					}
					z.dists[1] = z.dists[0]
					z.dists[0] = dist
				}
				next := uint32(9)
				if length == 0 {
					var n uint32
					n, p, rng, code = z.repLen.decode(posState&15, src, p, rng, code)
					length, next = int(n), 8
				}
				if state < 7 {
					state = next
				} else {
					state = 11
				}
			}
		}
		dist := int(z.dists[0]) + 1
		if dist > min(full, len(win)) {
			return false
		}
		n := min(length, end-pos)
		length -= n
		total += uint32(n)
		full += n
		from := pos - dist
		if from < 0 {
			from += len(win)
			for k := min(n, len(win)-from); k > 0; k-- {
				win[pos] = win[from]
				pos++
				from++
				n--
			}
			if n == 0 {
				continue
			}
			from = 0
		}
		if n <= wordsBeyond && dist >= 16 && pos+wordsBeyond <= end && from+wordsBeyond <= len(win) {
			to, of := win[pos:pos+wordsBeyond], win[from:from+wordsBeyond]
			binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(of))
			binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(of[8:]))
			if n > 16 {
				binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(of[16:]))
				binary.LittleEndian.PutUint64(to[24:], binary.LittleEndian.Uint64(of[24:]))
			}
			pos += n
		} else if dist >= n {
			copy(win[pos:pos+n], win[from:from+n])
			pos += n
		} else {
			for to := pos + n; pos < to; pos++ {
				win[pos] = win[pos-dist]
			}
		}
	}
	z.rng, z.code, z.p, z.pos, z.state, z.rest, z.total = rng, code, p, pos, state, length, total
	return p <= z.end
}

// bit decodes one bit, as all functions below do for several.
func bit(at *uint16, src *source, p int, rng, code uint32) (bool, int, uint32, uint32) {
	if rng < topValue {
		rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
	}
	prob := uint32(*at)
	bound := rng >> 11 * prob
	if code < bound {
		*at = uint16(prob + (2048-prob)>>5)
		return false, p, bound, code
	}
	*at = uint16(prob - prob>>5)
	return true, p, rng - bound, code - bound
}

// byteAfter decodes a byte after a match, which is unlike the byte that the match would have had next.
func byteAfter(probs *[0x300]uint16, like uint32, src *source, p int, rng, code uint32) (uint32, int, uint32, uint32) {
	sym, offset := uint32(1), uint32(0x100)
	for sym < 0x100 {
		if rng < topValue {
			rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
		}
		like <<= 1
		b := like & offset
		at := &probs[offset+b+sym]
		prob := uint32(*at)
		bound := rng >> 11 * prob
		if code < bound {
			rng = bound
			*at = uint16(prob + (2048-prob)>>5)
			sym <<= 1
			offset &^= b
		} else {
			rng -= bound
			code -= bound
			*at = uint16(prob - prob>>5)
			sym = sym<<1 | 1
			offset &= b
		}
	}
	return sym, p, rng, code
}

// bitTree decodes a number below size, the highest bit first.
func bitTree(probs []uint16, size uint32, src *source, p int, rng, code uint32) (uint32, int, uint32, uint32) {
	sym := uint32(1)
	probs = probs[:size]
	for sym < uint32(len(probs)) {
		if rng < topValue {
			rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
		}
		prob := uint32(probs[sym])
		bound := rng >> 11 * prob
		if code < bound {
			rng = bound
			probs[sym] = uint16(prob + (2048-prob)>>5)
			sym <<= 1
		} else {
			rng -= bound
			code -= bound
			probs[sym] = uint16(prob - prob>>5)
			sym = sym<<1 | 1
		}
	}
	return sym - size, p, rng, code
}

// reverse decodes a number, the lowest bit first.
func reverse(probs []uint16, bits uint32, src *source, p int, rng, code uint32) (out uint32, _ int, _, _ uint32) {
	sym := uint32(1)
	for i := range bits {
		if rng < topValue {
			rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
		}
		prob := uint32(probs[sym])
		bound := rng >> 11 * prob
		if code < bound {
			rng = bound
			probs[sym] = uint16(prob + (2048-prob)>>5)
			sym <<= 1
		} else {
			rng -= bound
			code -= bound
			probs[sym] = uint16(prob - prob>>5)
			sym = sym<<1 | 1
			out |= 1 << i
		}
	}
	return out, p, rng, code
}

// direct decodes bits that are ones and zeros equally often.
func direct(bits uint32, src *source, p int, rng, code uint32) (out uint32, _ int, _, _ uint32) {
	for range bits {
		if rng < topValue {
			rng, code, p = rng<<8, code<<8|uint32(src[p]), p+1
		}
		rng >>= 1
		code -= rng
		mask := uint32(int32(code) >> 31)
		code += rng & mask
		out = out<<1 + mask + 1
	}
	return out, p, rng, code
}

// decode decodes a length.
func (l *lengths) decode(posState uint32, src *source, p int, rng, code uint32) (uint32, int, uint32, uint32) {
	b, p, rng, code := bit(&l.choice, src, p, rng, code)
	var n uint32
	if !b {
		n, p, rng, code = bitTree(l.low[posState&15][:], 8, src, p, rng, code)
		return n + 2, p, rng, code
	}
	b, p, rng, code = bit(&l.choice2, src, p, rng, code)
	if !b {
		n, p, rng, code = bitTree(l.mid[posState&15][:], 8, src, p, rng, code)
		return n + 10, p, rng, code
	}
	n, p, rng, code = bitTree(l.high[:], 256, src, p, rng, code)
	return n + 18, p, rng, code
}
