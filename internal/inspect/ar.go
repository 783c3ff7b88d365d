package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"xbuild/internal/object"
)

// readArchive reads an ar archive, and each member as a file of its own. Of a thin archive, whose members are files
// elsewhere, the names are read.
func readArchive(s *object.Source, r *Report) error {
	r.Format, r.Kind = Ar, Archive
	thin := object.IsThin(s)
	for m, err := range object.Members(s) {
		if err != nil {
			return err
		}
		report := &Report{Path: m.Name, Size: m.Size}
		r.Members = append(r.Members, report)
		if thin {
			continue
		}
		part, err := s.Part(m.Offset, m.Size)
		if err != nil {
			return err
		}
		if err := readMember(part, report); err != nil && !errors.Is(err, ErrFormat) {
			return fmt.Errorf("member %s: %w", m.Name, err)
		}
	}
	return nil
}

// readMember reads a member of an archive: what other files can be, and Go's objects.
func readMember(s *object.Source, r *Report) error {
	head := s.Head(256)
	// "go object linux arm64 go1.26.8 …" (cmd/internal/objabi.HeaderString).
	if f := strings.Fields(string(head)); len(f) >= 5 && bytes.HasPrefix(head, []byte("go object ")) {
		r.Format, r.Kind, r.OS, r.Arch, r.Go = GoObj, Relocatable, f[2], f[3], &GoBuild{Version: f[4]}
		return nil
	}
	return readObject(s, r)
}
