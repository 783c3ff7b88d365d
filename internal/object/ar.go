package object

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strconv"
	"strings"
)

// The two kinds of ar archives (ar(5)): of a thin one the members are files elsewhere.
const (
	arMagic   = "!<arch>\n"
	thinMagic = "!<thin>\n"
	arHeader  = 60
)

// mostMembers is far more than libraries have (Debian's libc.a: 2000, Chromium's largest: 30000).
const mostMembers = 1 << 16

// A Member is a file in an ar archive.
type Member struct {
	Name         string
	Header       int64 // where its header lies, by which the archive's table of symbols names it
	Offset, Size int64 // of its content; of a thin archive there is none
}

// IsArchive tells an ar archive by its first bytes.
func IsArchive(s *Source) bool { return string(s.Head(len(arMagic))) == arMagic || IsThin(s) }

// IsThin tells an archive whose members are files elsewhere.
func IsThin(s *Source) bool { return string(s.Head(len(thinMagic))) == thinMagic }

// Members goes through an ar archive. Long names are GNU's, in a member "//", or BSD's, in front of the content. The
// tables of names and symbols are no members. An error ends it.
func Members(s *Source) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		n := 0
		for m, err := range entries(s) {
			if err == nil && m.table() {
				continue
			}
			if n++; n > mostMembers && err == nil {
				err = Damaged("it has more than %d members", mostMembers)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// table reports whether a member is one of the archive's own tables.
func (m Member) table() bool {
	return m.Name == "/" || m.Name == "//" || m.Name == "/SYM64/" || strings.HasPrefix(m.Name, "__.SYMDEF")
}

// entries goes through an archive's members and tables.
func entries(s *Source) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		thin := IsThin(s)
		long := "" // the table of long names
		for off := int64(len(arMagic)); off < s.Size; {
			m, ok, err := readMember(s, off, thin)
			if err == nil && !ok {
				return
			}
			if err == nil {
				off = m.Offset + m.Size + m.Size%2
				err = m.rename(s, long)
			}
			if err == nil && m.Name == "//" {
				var table []byte
				table, err = s.Bytes(uint64(m.Offset), uint64(m.Size), "the table of long names")
				long = string(table)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// readMember reads a member's header, with the name as it stands there; false at the padding in which an archive may
// end.
func readMember(s *Source, off int64, thin bool) (m Member, ok bool, err error) {
	h, err := s.Bytes(uint64(off), min(arHeader, uint64(s.Size-off)), "a member's header")
	if err != nil {
		return m, false, err
	}
	if len(bytes.Trim(h, "\n\x00")) == 0 && len(h) < arHeader {
		return m, false, nil
	}
	if len(h) < arHeader || string(h[58:60]) != "`\n" {
		return m, false, Damaged("a damaged ar header at %d", off)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 64)
	if err != nil || size < 0 {
		return m, false, Damaged("a damaged ar header at %d: size %q", off, strings.TrimSpace(string(h[48:58])))
	}
	m = Member{Name: strings.TrimRight(string(h[:16]), " "), Header: off, Offset: off + arHeader, Size: size}
	if thin && !m.table() {
		m.Size = 0 // what is said is the size of the file elsewhere
	}
	if left := s.Size - m.Offset; m.Size > left {
		return m, false, Damaged("ar member %q at %d has %d bytes, of which %d are there: the archive is cut short",
			strings.TrimRight(m.Name, "/"), off, m.Size, left)
	}
	return m, true, nil
}

// rename gives a member the name that its header leads to.
func (m *Member) rename(s *Source, long string) error {
	switch {
	case m.table():
	case strings.HasPrefix(m.Name, "#1/"):
		n, err := strconv.ParseInt(m.Name[3:], 10, 32)
		if err != nil || n < 0 || n > m.Size {
			return Damaged("ar member at %d has a name %q that is none", m.Header, m.Name)
		}
		text, err := s.Bytes(uint64(m.Offset), uint64(n), "a member's name")
		if err != nil {
			return err
		}
		m.Name, m.Offset, m.Size = CString(text), m.Offset+n, m.Size-n
	case strings.HasPrefix(m.Name, "/"):
		n, err := strconv.ParseUint(m.Name[1:], 10, 32)
		if err != nil || n >= uint64(len(long)) {
			return Damaged("ar member at %d has a name %q that is none", m.Header, m.Name)
		}
		text := long[n:]
		i := strings.IndexByte(text[:min(len(text), 4096)], '\n')
		if i < 0 {
			return Damaged("the long name of the ar member at %d has no end", m.Header)
		}
		m.Name = strings.TrimSuffix(text[:i], "/")
	default:
		m.Name = strings.TrimSuffix(m.Name, "/")
	}
	return nil
}

// ArchiveIndex reads the table of symbols of an ar archive (the member /, or /SYM64/): the member of each. It is empty
// for what has none.
func ArchiveIndex(data []byte) map[string]string {
	index := map[string]string{}
	s := Memory(data)
	if string(s.Head(len(arMagic))) != arMagic {
		return index
	}
	var table []byte
	size := 4
	members := map[int64]string{}
	for m, err := range entries(s) {
		if err != nil {
			break
		}
		if m.Name == "/" || m.Name == "/SYM64/" {
			if m.Header != int64(len(arMagic)) {
				continue // it is the first one, or none
			}
			if m.Name == "/SYM64/" {
				size = 8
			}
			table = data[m.Offset : m.Offset+m.Size]
			continue
		}
		if table == nil || len(members) > mostMembers {
			break
		}
		members[m.Header] = m.Name
	}
	number := func(b []byte) uint64 {
		if size == 8 {
			return binary.BigEndian.Uint64(b)
		}
		return uint64(binary.BigEndian.Uint32(b))
	}
	if len(table) < size {
		return index
	}
	n := number(table)
	if n > uint64(len(table)/size) || uint64(len(table)) < (n+1)*uint64(size) {
		return index
	}
	offsets, names := table[size:], table[(n+1)*uint64(size):]
	for i := range n {
		symbol, after, ok := bytes.Cut(names, []byte{0})
		if !ok {
			break
		}
		names = after
		if member, ok := members[int64(number(offsets[i*uint64(size):]))]; ok {
			index[string(symbol)] = member
		}
	}
	return index
}
