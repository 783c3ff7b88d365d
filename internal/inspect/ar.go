package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mostMembers is far more than libraries have (Debian's libc.a: 2000, Chromium's largest: 30000).
const mostMembers = 1 << 16

// readArchive reads an ar archive: its members' headers of 60 bytes (ar(5)), and each member as a file of its own. Long
// names are GNU's, in a member "//", or BSD's, in front of the content. Of a thin archive, whose members are files
// elsewhere, the names are read.
func readArchive(s *source, r *Report) error {
	r.Format, r.Kind = Ar, Archive
	magic, err := s.bytes(0, 8, "the head of the archive")
	if err != nil {
		return err
	}
	thin := string(magic) == "!<thin>\n"
	var long []byte
	for off := int64(8); off < s.size; {
		h, err := s.bytes(uint64(off), min(60, uint64(s.size-off)), "a member's header")
		if err != nil {
			return err
		}
		if len(bytes.Trim(h, "\n\x00")) == 0 && len(h) < 60 {
			break // padding at the end
		}
		if len(h) < 60 || string(h[58:60]) != "`\n" {
			return damaged("a damaged ar header at %d", off)
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 64)
		if err != nil || size < 0 {
			return damaged("a damaged ar header at %d: size %q", off, strings.TrimSpace(string(h[48:58])))
		}
		name := strings.TrimRight(string(h[:16]), " ")
		at := off + 60
		special := name == "/" || name == "//" || name == "/SYM64/"
		if thin && !special {
			size = 0 // what is said is the size of the file elsewhere
		}
		if size > s.size-at {
			return damaged("ar member %q at %d has %d bytes, of which %d are there: the archive is cut short", strings.TrimRight(name, "/"), off, size, s.size-at)
		}
		off = at + size + size%2
		switch {
		case name == "//":
			if long, err = s.bytes(uint64(at), uint64(size), "the table of long names"); err != nil {
				return err
			}
			continue
		case special:
			continue
		case strings.HasPrefix(name, "#1/"):
			n, err := strconv.ParseInt(name[3:], 10, 32)
			if err != nil || n < 0 || n > size {
				return damaged("ar member at %d has a name %q that is none", at-60, name)
			}
			text, err := s.bytes(uint64(at), uint64(n), "a member's name")
			if err != nil {
				return err
			}
			name = cString(text)
			at, size = at+n, size-n
			if strings.HasPrefix(name, "__.SYMDEF") {
				continue
			}
		case strings.HasPrefix(name, "/"):
			n, err := strconv.ParseUint(name[1:], 10, 32)
			if err != nil || n >= uint64(len(long)) {
				return damaged("ar member at %d has a name %q that is none", at-60, name)
			}
			text := long[n:]
			if i := bytes.IndexByte(text[:min(len(text), 4096)], '\n'); i >= 0 {
				text = text[:i]
			} else {
				return damaged("the long name of the ar member at %d has no end", at-60)
			}
			name = strings.TrimSuffix(string(text), "/")
		default:
			if name = strings.TrimSuffix(name, "/"); strings.HasPrefix(name, "__.SYMDEF") {
				continue
			}
		}
		if len(r.Members) == mostMembers {
			return damaged("it has more than %d members", mostMembers)
		}
		m := &Report{Path: name, Size: size}
		r.Members = append(r.Members, m)
		if thin {
			continue
		}
		part, err := s.part(at, size)
		if err != nil {
			return err
		}
		switch err := readMember(part, m); {
		case err != nil && !errors.Is(err, ErrFormat):
			return fmt.Errorf("member %s: %w", name, err)
		}
	}
	return nil
}

// readMember reads a member of an archive: what other files can be, and Go's objects.
func readMember(s *source, r *Report) error {
	head := make([]byte, min(s.size, 256))
	if _, err := s.r.ReadAt(head, 0); err != nil && s.size > 0 && len(head) == 0 {
		return err
	}
	// "go object linux arm64 go1.26.8 …" (cmd/internal/objabi.HeaderString).
	if f := strings.Fields(string(head)); len(f) >= 5 && bytes.HasPrefix(head, []byte("go object ")) {
		r.Format, r.Kind, r.OS, r.Arch, r.Go = GoObj, Relocatable, f[2], f[3], &GoBuild{Version: f[4]}
		return nil
	}
	return readObject(s, r)
}
