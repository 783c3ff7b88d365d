package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"xbuild/internal/archive/archivetest"
)

// sample is text that compresses some, and is nowhere equal to itself.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = append(b, strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(6))...)
		b = append(b, byte(r.IntN(256)))
	}
	return b[:n]
}

// shorter is a size, or a part of it with -short: under the race detector the decoder takes forty times as long.
func shorter(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

func compressXZ(t testing.TB, data []byte, blockSize int64) []byte {
	t.Helper()
	x, err := archivetest.XZ(data, blockSize)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestXZReader(t *testing.T) {
	data := sample(shorter(1 << 20))
	one := compressXZ(t, data, 0)
	many := compressXZ(t, data, int64(shorter(100_000)))
	for _, c := range []struct {
		name   string
		file   []byte
		want   []byte
		blocks int
	}{
		{"one block", one, data, 1},
		{"eleven blocks", many, data, 11},
		{"empty", compressXZ(t, nil, 0), nil, 1},
		{"two streams", append(bytes.Clone(many), one...), append(bytes.Clone(data), data...), 1},
		{"padding", append(bytes.Clone(many), 0, 0, 0, 0), data, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			blocks, err := xzBlocks(bytes.NewReader(c.file), int64(len(c.file)))
			if err != nil {
				t.Fatal(err)
			}
			if len(blocks) != c.blocks {
				t.Errorf("found %d blocks, want %d", len(blocks), c.blocks)
			}
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader,
			} {
				z, err := NewXZReader(bytes.NewReader(c.file), int64(len(c.file)))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(wrap(z))
				if err != nil || !bytes.Equal(got, c.want) {
					t.Errorf("%s: %d bytes, %v; want %d bytes", name, len(got), err, len(c.want))
				}
				if err := z.Close(); err != nil {
					t.Error(err)
				}
				if _, err := z.Read(make([]byte, 1)); err == nil {
					t.Error("read after Close")
				}
			}
		})
	}
}

// Damage shows as an error, or does no harm: the first byte of each LZMA2
// chunk's range coder is ignored by decoders.
func TestXZReaderDamage(t *testing.T) {
	data := sample(30_000)
	good := compressXZ(t, data, 10_000)
	for at := range good {
		if at > shorter(200) && at < len(good)-shorter(200) && at%97 != 0 {
			continue
		}
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if got, err := readXZ(bad); err == nil && !bytes.Equal(got, data) {
			t.Errorf("byte %d changed: read %d wrong bytes and no error", at, len(got))
		}
	}
	for _, n := range []int{0, 5, 12, 31, len(good) / 2, len(good) - 1} {
		if _, err := readXZ(good[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes: no error", n, len(good))
		}
	}
	if _, err := readXZ([]byte(strings.Repeat("no xz here ", 9))); !errors.Is(err, errXZ) {
		t.Errorf("another format: %v", err)
	}
}

func readXZ(file []byte) ([]byte, error) {
	z, err := NewXZReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}

// Many readers share the decoders and the memory; those that nobody reads to
// the end must not hold up the rest, nor keep what they reserved.
func TestXZReadersTogether(t *testing.T) {
	data := sample(shorter(1 << 20))
	file := compressXZ(t, data, int64(shorter(50_000)))
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			z, err := NewXZReader(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Error(err)
				return
			}
			defer z.Close()
			if i%3 == 0 { // gives up early
				io.CopyN(io.Discard, z, int64(i)*1000)
				return
			}
			if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
				t.Errorf("reader %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	if !ahead.TryAcquire(allAhead) {
		t.Error("closed readers keep memory reserved")
	} else {
		ahead.Release(allAhead)
	}
	if !heads.TryAcquire(allHeads) {
		t.Error("closed readers keep memory reserved for what is read now")
	} else {
		heads.Release(allHeads)
	}
	if unused.readers != 0 || unused.free != nil {
		t.Errorf("%d windows are kept for %d readers, when all are closed", len(unused.free), unused.readers)
	}
}

// Without memory to work ahead, a reader still gets on, one block at a time.
func TestXZReaderWithoutMemory(t *testing.T) {
	data := sample(shorter(2 << 20))
	file := compressXZ(t, data, int64(shorter(1<<20)))
	if !ahead.TryAcquire(allAhead) {
		t.Fatal("somebody has it")
	}
	defer ahead.Release(allAhead)
	if got, err := readXZ(file); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestNewReader(t *testing.T) {
	data := sample(100_000)
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(data)
	g.Close()
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(data)
	z.Close()
	for name, file := range map[string][]byte{"xz": compressXZ(t, data, 0), "gzip": gz.Bytes(), "zstd": zst.Bytes(), "plain": data} {
		r, err := NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		r.Close()
	}
	// bzip2 of "hello\n", by bzip2(1): Go has no compressor for it.
	file := []byte("BZh91AY&SY\xc1\xc0\x80\xe2\x00\x00\x01A\x00\x00\x10\x02D\xa0\x000\xcd\x00\xc3F)\x97\x17rE8P\x90\xc1\xc0\x80\xe2")
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "hello\n" {
		t.Errorf("bzip2: %q, %v", got, err)
	}
}
