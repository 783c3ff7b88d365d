package archivetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// A File is one entry of a tar: a file unless it is a link or a directory.
type File struct {
	Name     string // as in the tar, usually with "./" before
	Body     string
	Mode     int64 // default 0644, directories 0755
	Dir      bool
	Link     string // symbolic link to it
	HardLink string // hard link to it
	Type     byte   // any other type flag of tar
}

func (p Package) withDefaults() Package {
	if p.Version == "" {
		p.Version = "1.0"
	}
	if p.Arch == "" {
		p.Arch = "all"
	}
	if p.Source == "" {
		p.Source = p.Name
	}
	if p.Compression == "" {
		p.Compression = "xz"
	}
	return p
}

func (p Package) control() string {
	var b strings.Builder
	for _, f := range [][2]string{
		{"Package", p.Name}, {"Source", p.Source}, {"Version", p.Version}, {"Architecture", p.Arch},
		{"Maintainer", "archivetest <archivetest@example.invalid>"},
		{"Multi-Arch", p.MultiArch}, {"Priority", p.Priority}, {"Essential", p.Essential},
		{"Pre-Depends", p.PreDepends}, {"Depends", p.Depends}, {"Provides", p.Provides},
		{"Description", "a package for tests"},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", f[0], f[1])
		}
	}
	return b.String()
}

// Deb makes a .deb.
func Deb(p Package) ([]byte, error) {
	p = p.withDefaults()
	data, err := Tar(p.Files)
	if err != nil {
		return nil, err
	}
	name := "data.tar"
	switch p.Compression {
	case "xz":
		data, err = XZ(data, p.BlockSize)
	case "gz":
		data, err = compress(data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	case "zst":
		data, err = compress(data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	case "none":
	default:
		err = fmt.Errorf("unknown compression %q", p.Compression)
	}
	if err != nil {
		return nil, err
	}
	if p.Compression != "none" {
		name += "." + p.Compression
	}
	files := []File{{Name: "./control", Body: p.control()}}
	if p.PostInst != "" {
		files = append(files, File{Name: "./postinst", Body: p.PostInst, Mode: 0o755})
	}
	control, err := Tar(files)
	if err != nil {
		return nil, err
	}
	return Ar([]File{
		{Name: "debian-binary", Body: "2.0\n"},
		{Name: "control.tar", Body: string(control)},
		{Name: name, Body: string(data)},
	}), nil
}

// Ar makes an ar archive.
func Ar(members []File) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.Name, 0, 0, 0, "100644", len(m.Body), m.Body)
		if len(m.Body)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// Tar makes a tar, with the names as they are, however hostile.
func Tar(files []File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{
			Name:     f.Name,
			Mode:     f.Mode,
			Typeflag: tar.TypeReg,
			Size:     int64(len(f.Body)),
			ModTime:  time.Unix(1700000000, 0),
			Format:   tar.FormatGNU,
		}
		switch {
		case f.Dir:
			h.Typeflag = tar.TypeDir
		case f.Link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		case f.HardLink != "":
			h.Typeflag, h.Linkname = tar.TypeLink, f.HardLink
		case f.Type != 0:
			h.Typeflag = f.Type
		}
		if h.Mode == 0 {
			if h.Mode = 0o644; f.Dir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(f.Body)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// TarXZ makes a .tar.xz, such as an upstream source.
func TarXZ(files []File) ([]byte, error) {
	data, err := Tar(files)
	if err != nil {
		return nil, err
	}
	return XZ(data, 0)
}

// XZ compresses, in blocks of so many bytes; 0 is one block.
func XZ(data []byte, blockSize int64) ([]byte, error) {
	return compress(data, func(w io.Writer) (io.WriteCloser, error) {
		// A dictionary no larger than the data: the writer clears tables of nine times its size, for each small file.
		return xz.WriterConfig{BlockSize: blockSize, DictCap: min(max(len(data), lzma.MinDictCap), 1<<20)}.NewWriter(w)
	})
}

func compress(data []byte, with func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var b bytes.Buffer
	w, err := with(&b)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
