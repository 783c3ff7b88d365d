package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrDeb is what a file that is no Debian package fails with.
var ErrDeb = errors.New("not a .deb package")

// member finds a tar in a .deb, which is an ar archive of debian-binary,
// control.tar.* and data.tar.* (deb(5)).
func member(deb io.ReaderAt, size int64, want string) (*io.SectionReader, error) {
	const headerSize = 60
	magic := make([]byte, 8)
	if err := readAt(deb, magic, 0); err != nil || string(magic) != "!<arch>\n" {
		return nil, fmt.Errorf("%w: it does not begin as ar does", ErrDeb)
	}
	header := make([]byte, headerSize)
	for at, n := int64(8), 0; at < size; n++ {
		if n > 64 { // a .deb has three members, sometimes a signature
			return nil, fmt.Errorf("%w: it has too many members", ErrDeb)
		}
		if err := readAt(deb, header, at); err != nil {
			return nil, fmt.Errorf("%w: it is cut short", ErrDeb)
		}
		if !bytes.Equal(header[58:], []byte("`\n")) {
			return nil, fmt.Errorf("%w: member %d is damaged", ErrDeb, n+1)
		}
		name := strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
		length, err := strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
		at += headerSize
		if err != nil || length < 0 || length > size-at {
			return nil, fmt.Errorf("%w: member %q has the size %q, but %d bytes are left", ErrDeb, name, strings.TrimSpace(string(header[48:58])), size-at)
		}
		switch {
		case n == 0:
			version := make([]byte, min(length, 16))
			if err := readAt(deb, version, at); err != nil || name != "debian-binary" || !bytes.HasPrefix(version, []byte("2.")) {
				return nil, fmt.Errorf("%w: its first member is %q, want debian-binary with version 2", ErrDeb, name)
			}
		case name == want || strings.HasPrefix(name, want+"."):
			return io.NewSectionReader(deb, at, length), nil
		}
		at += length + length&1
	}
	return nil, fmt.Errorf("%w: it has no %s", ErrDeb, want)
}
