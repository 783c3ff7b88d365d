package archive

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnpackZipLies: an entry that is longer than it says, or says more than its archive warrants, fills no disk.
func TestUnpackZipLies(t *testing.T) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		says  uint64
		flags uint16
		want  string
	}{
		"as it says":  {1 << 20, 0, ""},
		"longer":      {10, 0, ""},
		"by far less": {1 << 40, 0, "does not warrant"},
		"negative":    {1 << 63, 0, "does not warrant"},
		"encrypted":   {1 << 20, 1, "encrypted"},
	} {
		packed.Reset()
		w.Reset(&packed)
		content := bytes.Repeat([]byte{'x'}, 1<<20)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		raw, err := z.CreateRaw(&zip.FileHeader{Name: "x", Method: zip.Deflate, Flags: c.flags, CRC32: crc32.ChecksumIEEE(content), UncompressedSize64: c.says, CompressedSize64: uint64(packed.Len())})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write(packed.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		err = UnpackZip(t.Context(), r, int64(b.Len()), dir, UnpackOptions{}, func(f *zip.File) (io.ReadCloser, error) { return f.Open() })
		info, statErr := os.Stat(filepath.Join(dir, "x"))
		if name == "as it says" {
			if err != nil || statErr != nil || info.Size() != 1<<20 {
				t.Errorf("%s: %v, %v", name, err, statErr)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || statErr == nil {
			t.Errorf("%s: error %v, file %v", name, err, info)
		}
	}
}
