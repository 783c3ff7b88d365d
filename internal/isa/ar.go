package isa

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// ArchiveIndex reads the table of symbols of an ar archive (the member /, or /SYM64/): the member of each. It is empty
// for what has none.
func ArchiveIndex(data []byte) map[string]string {
	index := map[string]string{}
	if !bytes.HasPrefix(data, []byte("!<arch>\n")) {
		return index
	}
	name, table, rest := arMember(data[8:])
	size := 4
	switch name {
	case "/":
	case "/SYM64/":
		size = 8
	default:
		return index
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
	var long []byte
	if name, body, _ := arMember(rest); name == "//" {
		long = body
	}
	for i := range n {
		symbol, after, ok := bytes.Cut(names, []byte{0})
		if !ok {
			break
		}
		names = after
		off := number(offsets[i*uint64(size):])
		if off > uint64(len(data)) {
			continue
		}
		member, _, _ := arMember(data[off:])
		if at, isLong := strings.CutPrefix(member, "/"); isLong {
			if k, err := strconv.ParseUint(at, 10, 32); err == nil && k < uint64(len(long)) {
				m, _, _ := bytes.Cut(long[k:min(k+256, uint64(len(long)))], []byte("/\n"))
				member = string(m)
			}
		}
		index[string(symbol)] = strings.TrimSuffix(member, "/")
	}
	return index
}

// arMember is a member's name in its header, its body, and what follows; nothing where there is no member.
func arMember(b []byte) (name string, body, rest []byte) {
	if len(b) < 60 || string(b[58:60]) != "`\n" {
		return "", nil, nil
	}
	size, err := strconv.ParseUint(strings.TrimRight(string(b[48:58]), " "), 10, 63)
	if err != nil || size > uint64(len(b)-60) {
		return "", nil, nil
	}
	return strings.TrimRight(string(b[:16]), " "), b[60 : 60+size], b[min(60+size+size&1, uint64(len(b))):]
}
