package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"xbuild/internal/object"
)

// ErrDeb is what a file that is no Debian package fails with.
var ErrDeb = errors.New("not a .deb package")

// mostDebMembers is far more than a .deb has: three, sometimes a signature.
const mostDebMembers = 64

// member finds a tar in a .deb, which is an ar archive of debian-binary,
// control.tar.* and data.tar.* (deb(5)).
func member(deb io.ReaderAt, size int64, want string) (*io.SectionReader, error) {
	s := object.NewSource(deb, size)
	if !object.IsArchive(s) || object.IsThin(s) {
		return nil, fmt.Errorf("%w: it does not begin as ar does", ErrDeb)
	}
	n := 0
	for m, err := range object.Members(s) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDeb, err)
		}
		switch n++; {
		case n > mostDebMembers:
			return nil, fmt.Errorf("%w: it has too many members", ErrDeb)
		case n == 1:
			version := make([]byte, min(m.Size, 16))
			err := readAt(deb, version, m.Offset)
			if err != nil || m.Name != "debian-binary" || !bytes.HasPrefix(version, []byte("2.")) {
				return nil, fmt.Errorf("%w: its first member is %q, want debian-binary with version 2", ErrDeb, m.Name)
			}
		case m.Name == want || strings.HasPrefix(m.Name, want+"."):
			return io.NewSectionReader(deb, m.Offset, m.Size), nil
		}
	}
	return nil, fmt.Errorf("%w: it has no %s", ErrDeb, want)
}
