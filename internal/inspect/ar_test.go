package inspect

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestArchive(t *testing.T) {
	object := spec{platform: "linux/arm64", kind: elf.ET_REL, undefined: []Symbol{{Name: "printf"}}, exported: []Symbol{{Name: "main"}}}.bytes(t)
	var gnu, bsd, thin bytes.Buffer
	gnu.WriteString("!<arch>\n")
	arMember(&gnu, "/", []byte("\x00\x00\x00\x00"))
	arMember(&gnu, "//", []byte("a_name_of_more_than_sixteen.o/\nanother_name_of_that_kind.o/\n"))
	arMember(&gnu, "/0", object)
	arMember(&gnu, "/31", object)
	arMember(&gnu, "short.o/", object)
	arMember(&gnu, "note.txt/", []byte("odd"))
	bsd.WriteString("!<arch>\n")
	arMember(&bsd, "#1/20", append([]byte("__.SYMDEF SORTED\x00\x00\x00\x00"), 0, 0, 0, 0))
	arMember(&bsd, "#1/20", append([]byte("a_name_of_bsd.o\x00\x00\x00\x00\x00"), object...))
	thin.WriteString("!<thin>\n")
	arMember(&thin, "//", []byte("dir/a_name_of_more_than_sixteen.o/\n"))
	fmt.Fprintf(&thin, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", "/0", 0, 0, 0, "644", 123456)
	goObject := "go object linux arm64 go1.26.8 GOARM64=v8.0 X:none\n"
	for _, c := range []struct {
		name     string
		data     []byte
		names    []string
		platform string
	}{
		{"GNU", gnu.Bytes(), []string{"a_name_of_more_than_sixteen.o", "another_name_of_that_kind.o", "short.o", "note.txt"}, "linux/arm64"},
		{"BSD", bsd.Bytes(), []string{"a_name_of_bsd.o"}, "linux/arm64"},
		{"thin", thin.Bytes(), []string{"dir/a_name_of_more_than_sixteen.o"}, ""},
		{"empty", []byte("!<arch>\n"), nil, ""},
		{"Go's", arOf([]byte(goObject)), []string{"m0.o"}, ""},
	} {
		r := mustRead(t, c.data)
		var got []string
		for _, m := range r.Members {
			got = append(got, m.Path)
		}
		if r.Kind != Archive || !slices.Equal(got, c.names) || r.Platform != c.platform {
			t.Errorf("%s: %s for %q with %q, want %q for %q", c.name, r.Kind, r.Platform, got, c.names, c.platform)
		}
	}
	m := mustRead(t, gnu.Bytes()).Members
	if m[0].Kind != Relocatable || len(m[0].Undefined) != 1 || m[0].Undefined[0].Name != "printf" || len(m[0].Exported) != 1 || m[0].Exported[0].Name != "main" {
		t.Errorf("an object: %+v", m[0])
	}
	if m[3].Format != "" {
		t.Errorf("a text: %+v", m[3])
	}
	if g := mustRead(t, arOf([]byte(goObject))).Members[0]; g.Format != GoObj || g.OS != "linux" || g.Arch != "arm64" || g.Go.Version != "go1.26.8" {
		t.Errorf("Go's object: %+v", g)
	}
}

func TestDamagedArchive(t *testing.T) {
	good := arOf([]byte("some text"), []byte("more"))
	var name, bsd bytes.Buffer
	name.WriteString("!<arch>\n")
	arMember(&name, "/77", []byte("x"))
	bsd.WriteString("!<arch>\n")
	arMember(&bsd, "#1/77", []byte("x"))
	half := spec{platform: "linux/arm64", kind: elf.ET_REL}.bytes(t)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut in a header", good[:30], "a damaged ar header at 8"},
		{"cut in the content", good[:70], `ar member "m0.o" at 8 has 9 bytes, of which 2 are there: the archive is cut short`},
		{"without the mark of a header", bytes.Replace(good, []byte("`\n"), []byte("!!"), 1), "a damaged ar header at 8"},
		{"a size that is none", bytes.Replace(good, []byte("9         `"), []byte("-9        `"), 1), `size "-9"`},
		{"a long name that is not there", name.Bytes(), `name "/77" that is none`},
		{"a longer name than the member", bsd.Bytes(), `name "#1/77" that is none`},
		{"a damaged object", arOf(half[:len(half)-10]), "member m0.o: damaged file: the table of sections"},
	} {
		if _, err := read(t, c.data); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
