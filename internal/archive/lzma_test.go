package archive

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// mixed is data of all kinds that a package has: text, what does not compress, long runs, and repeats from far before.
func mixed(n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := sample(n / 4)
	for range n / 8 {
		b = append(b, byte(r.IntN(256)))
	}
	b = append(b, bytes.Repeat([]byte{0}, n/8)...)
	b = append(b, bytes.Repeat([]byte("abcdefghijklmno"), n/8/15)...)
	for len(b) < n {
		from := r.IntN(len(b) - 400)
		b = append(b, b[from:from+2+r.IntN(300)]...)
	}
	return b[:n]
}

// TestXZOptions: whatever xz(1) makes is read as it was, by the decoder that is for it.
func TestXZOptions(t *testing.T) {
	tool, err := exec.LookPath("xz")
	if err != nil {
		t.Skip("no xz on the host")
	}
	data := mixed(shorter(6 << 20))
	for _, c := range []struct {
		options string
		library bool
	}{
		{"-6", false},
		{"-0", false},
		{"-9e", false},
		{"-6 -T2 --block-size=300000", false},
		{"-6 --check=none", false},
		{"-6 --check=crc32", false},
		{"-6 --check=sha256", false},
		{"--lzma2=dict=4KiB", false}, // the window comes round often
		{"--lzma2=dict=1MiB,lc=0,lp=4,pb=4", false},
		{"--lzma2=dict=1100KiB,lc=4,lp=0,pb=0", false},
		{"--lzma2=dict=64KiB,lc=2,lp=1,pb=3,mode=fast,mf=hc4,nice=273", false},
		{"--x86 --lzma2=dict=1MiB", true},
		{"--delta=dist=4 --lzma2=dict=1MiB --block-size=500000", true},
	} {
		t.Run(c.options, func(t *testing.T) {
			cmd := exec.Command(tool, append(strings.Fields(c.options), "-c")...)
			cmd.Stdin = bytes.NewReader(data)
			file, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			blocks := blocksOf(t, file)
			if blocks[0].header(); c.library != (blocks[0].dict == 0) {
				t.Errorf("the dictionary of its own decoder has %d bytes; want the library's: %v", blocks[0].dict, c.library)
			}
			if got, err := readXZ(file); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(data))
			}
		})
	}
}

// FuzzLZMA2: both decoders say the same of any block: its bytes, or that it is damaged.
func FuzzLZMA2(f *testing.F) {
	data := mixed(40_000)
	for _, file := range [][]byte{compressXZ(f, data, 0), compressXZ(f, data[:9000], 3000)} {
		for _, b := range blocksOf(f, file) {
			f.Add(file[b.at:b.at+b.unpadded], b.size)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		if size < 0 || size > 1<<20 {
			return
		}
		block := func() *xzBlock {
			padded := append(bytes.Clone(data), make([]byte, -len(data)&3)...)
			return &xzBlock{file: bytes.NewReader(padded), end: int64(len(padded)), flags: [2]byte{0, 4}, unpadded: int64(len(data)), size: size}
		}
		b := block()
		b.header()
		win := make([]byte, b.window())
		if b.dict == 0 {
			return
		}
		ours, err := decodeAll(b, win, (*xzBlock).decoder)
		theirs, theirErr := decodeAll(block(), make([]byte, len(win)), (*xzBlock).library)
		if err == nil && theirErr == nil && !bytes.Equal(ours, theirs) || err == nil && theirErr != nil {
			t.Errorf("%d bytes, %v; the library has %d, %v", len(ours), err, len(theirs), theirErr)
		}
	})
}

func blocksOf(t testing.TB, file []byte) []xzBlock {
	t.Helper()
	blocks, err := xzBlocks(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

func decodeAll[D xzDecoder](b *xzBlock, win []byte, open func(*xzBlock, []byte) (D, error)) (out []byte, err error) {
	d, err := open(b, win)
	if err != nil {
		return nil, err
	}
	defer d.close()
	for {
		part, err := d.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
}
