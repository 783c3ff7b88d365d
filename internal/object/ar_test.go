package object

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// arMember writes a member of an archive.
func arMember(b *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, 0, 0, 0, 0o644, len(data))
	b.Write(data)
	if len(data)%2 != 0 {
		b.WriteByte('\n')
	}
}

// gnuArchive is an archive with a table of symbols, of words of four or eight bytes, and a table of long names.
func gnuArchive(wide bool) []byte {
	const longName = "a_name_of_more_than_sixteen.o"
	build := func(first, second uint64) []byte {
		var table []byte
		word := func(v uint64) {
			if wide {
				table = binary.BigEndian.AppendUint64(table, v)
			} else {
				table = binary.BigEndian.AppendUint32(table, uint32(v))
			}
		}
		word(3)
		word(first)
		word(second)
		word(second)
		table = append(table, "one\x00two\x00three\x00"...)
		b := bytes.NewBufferString(arMagic)
		if wide {
			arMember(b, "/SYM64/", table)
		} else {
			arMember(b, "/", table)
		}
		arMember(b, "//", []byte(longName+"/\n"))
		arMember(b, "/0", []byte("odd"))
		arMember(b, "short.o/", []byte("even"))
		return b.Bytes()
	}
	b := build(0, 0)
	return build(uint64(bytes.Index(b, []byte("/0  "))), uint64(bytes.Index(b, []byte("short.o/"))))
}

// listed are an archive's members with their contents.
func listed(t testing.TB, data []byte) (string, error) {
	t.Helper()
	var out []string
	for m, err := range Members(Memory(data)) {
		if err != nil {
			return strings.Join(out, " "), err
		}
		if m.Offset < 0 || m.Size < 0 || m.Offset+m.Size > int64(len(data)) || m.Header < 0 || m.Header >= m.Offset {
			t.Fatalf("a member outside of the archive: %+v of %d", m, len(data))
		}
		out = append(out, fmt.Sprintf("%s=%s", m.Name, data[m.Offset:m.Offset+m.Size]))
	}
	return strings.Join(out, " "), nil
}

func TestMembers(t *testing.T) {
	bsd := bytes.NewBufferString(arMagic)
	arMember(bsd, "#1/20", append([]byte("__.SYMDEF SORTED\x00\x00\x00\x00"), 0, 0, 0, 0))
	arMember(bsd, "#1/20", append([]byte("a_name_of_bsd.o\x00\x00\x00\x00\x00"), "text"...))
	thin := bytes.NewBufferString(thinMagic)
	arMember(thin, "//", []byte("dir/a_name_of_more_than_sixteen.o/\n"))
	fmt.Fprintf(thin, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", "/0", 0, 0, 0, 0o644, 123456)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"GNU":           {gnuArchive(false), "a_name_of_more_than_sixteen.o=odd short.o=even"},
		"GNU, 64 bits":  {gnuArchive(true), "a_name_of_more_than_sixteen.o=odd short.o=even"},
		"BSD":           {bsd.Bytes(), "a_name_of_bsd.o=text"},
		"thin":          {thin.Bytes(), "dir/a_name_of_more_than_sixteen.o="},
		"empty":         {[]byte(arMagic), ""},
		"padded at end": {append(gnuArchive(false), 0, '\n', 0), "a_name_of_more_than_sixteen.o=odd short.o=even"},
	} {
		if got, err := listed(t, c.data); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	whole := gnuArchive(false)
	if _, err := listed(t, whole[:len(whole)-2]); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("an archive that is cut short: %v", err)
	}
}

func TestArchiveIndex(t *testing.T) {
	for _, wide := range []bool{false, true} {
		got := ArchiveIndex(gnuArchive(wide))
		if len(got) != 3 || got["one"] != "a_name_of_more_than_sixteen.o" || got["two"] != "short.o" || got["three"] != "short.o" {
			t.Errorf("%v", got)
		}
	}
	for _, none := range []string{"", "text", arMagic, thinMagic} {
		if got := ArchiveIndex([]byte(none)); len(got) != 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
}
