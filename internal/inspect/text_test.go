package inspect

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestText holds what is printed against testdata/NAME.golden.
func TestText(t *testing.T) {
	object := spec{platform: "linux/arm64", kind: elf.ET_REL, undefined: []Symbol{{Name: "printf"}}, exported: []Symbol{{Name: "main"}}}.bytes(t)
	mod := "path\texample.org/hello\nmod\texample.org/hello\tv1.0.0\ndep\texample.org/a\tv1.0.0\nbuild\tGOOS=linux\n"
	armhf := usual("linux/arm/v7")
	armhf.flags, armhf.attributes = 0x400, attributesOf("aeabi", le, 6, 10, 7, 'A', 9, 2, 10, 4, 28, 1)
	library := spec{platform: "linux/riscv64", kind: elf.ET_DYN, soname: "liba.so.1", needed: []string{"libc.so.6"}, rpath: "/opt/a:$ORIGIN", exported: []Symbol{{Name: "a", Version: "A_1"}},
		undefined: []Symbol{{Name: "__libc_start_main", Version: "GLIBC_2.99", Library: "libc.so.6"}}}
	musl := spec{platform: "linux/amd64", kind: elf.ET_DYN, pie: true, interp: "/lib/ld-musl-x86_64.so.1", needed: []string{"libc.musl-x86_64.so.1"}, undefined: []Symbol{{Name: "puts"}}}
	for _, c := range []struct {
		name string
		data []byte
		with string // the platform that it is held against
		l    Limits
	}{
		{"dynamic", usual("linux/amd64").bytes(t), "", Limits{}},
		{"faults", armhf.bytes(t), "linux/arm/v7", Limits{Glibc: "2.31"}},
		{"library", library.bytes(t), "", Limits{}},
		{"musl", musl.bytes(t), "linux/amd64", Limits{}},
		{"static-go", spec{platform: "linux/s390x", kind: elf.ET_EXEC, symbols: true, extra: map[string][]byte{".go.buildinfo": goNote("go1.26.8", mod)}}.bytes(t), "linux/s390x", Limits{Static: true}},
		{"archive", arOf(object, spec{platform: "linux/amd64", kind: elf.ET_REL}.bytes(t), []byte("text")), "linux/arm64", Limits{}},
		{"windows", peFile64(pe.IMAGE_FILE_MACHINE_AMD64, false), "", Limits{}},
		{"macos", machoOf(macho.CpuArm64), "darwin/arm64", Limits{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustRead(t, c.data)
			r.Path = c.name
			if c.with != "" {
				r.Faults = Check(r, parse(t, c.with), c.l)
			}
			var got bytes.Buffer
			if err := r.Text(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, got.Bytes())

			// JSON is the report as it is, and comes back as it was.
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			back := &Report{}
			if err := json.Unmarshal(data, back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(r, back) {
				t.Errorf("JSON gives back another report:\n%+v\n%+v", r, back)
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: go test ./internal/inspect -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("it differs from %s (renew with: go test ./internal/inspect -update); now\n%s", file, got)
	}
}

// TestDiff: what differs is told in the report's words, what only stands elsewhere is not.
func TestDiff(t *testing.T) {
	old := usual("linux/amd64")
	for _, c := range []struct {
		name   string
		change func(*spec)
		want   []Change
	}{
		{"nothing", func(s *spec) {}, nil},
		{"libraries in another order", func(s *spec) { s.needed = []string{"libc.so.6", "libstdc++.so.6"} }, nil},
		{"one library more", func(s *spec) { s.needed = append(s.needed, "libz.so.1") }, []Change{{Fact: "needs", Came: []string{"libz.so.1"}}}},
		{"a newer libc", func(s *spec) {
			s.undefined = append(s.undefined, Symbol{Name: "__isoc23_strtol", Version: "GLIBC_2.38", Library: "libc.so.6"})
		}, []Change{
			{Fact: "needs GLIBC", From: []string{"2.34 for __libc_start_main"}, To: []string{"2.38 for __isoc23_strtol"}},
			{Fact: "wants", Came: []string{"__isoc23_strtol@GLIBC_2.38"}},
		}},
		{"hardening that is gone", func(s *spec) { s.now = false }, []Change{{Fact: "hardening", Gone: []string{"RELRO full", "BIND_NOW yes"}, Came: []string{"RELRO partial", "BIND_NOW no"}}}},
		{"static", func(s *spec) {
			*s = spec{platform: "linux/amd64", kind: elf.ET_EXEC, osabi: elf.ELFOSABI_LINUX, comment: s.comment, notes: s.notes}
		}, []Change{
			{Fact: "kind", From: []string{"executable", "dynamic", "PIE"}, To: []string{"executable", "static"}},
			{Fact: "loader", From: []string{"/lib64/ld-linux-x86-64.so.2"}},
			{Fact: "needs", Gone: []string{"libstdc++.so.6", "libc.so.6"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := usual("linux/amd64")
			c.change(&next)
			got := Diff(mustRead(t, old.bytes(t)), mustRead(t, next.bytes(t)))
			if len(c.want) == 0 && len(got) > 0 {
				t.Errorf("%+v, want nothing", got)
			}
			for _, w := range c.want {
				found := false
				for _, g := range got {
					found = found || reflect.DeepEqual(g, w)
				}
				if !found {
					t.Errorf("no %+v in\n%+v", w, got)
				}
			}
		})
	}
}

// TestDiffMembers: members of archives are compared by name, several of one name in their order.
func TestDiffMembers(t *testing.T) {
	object := func(names ...string) []byte {
		s := spec{platform: "linux/arm64", kind: elf.ET_REL}
		for _, n := range names {
			s.exported = append(s.exported, Symbol{Name: n})
		}
		return s.bytes(t)
	}
	archive := func(members ...any) *Report {
		var b bytes.Buffer
		b.WriteString("!<arch>\n")
		for i := 0; i < len(members); i += 2 {
			arMember(&b, members[i].(string), members[i+1].([]byte))
		}
		return mustRead(t, b.Bytes())
	}
	got := Diff(archive("a.o/", object("a"), "b.o/", object("b"), "b.o/", object("c")), archive("b.o/", object("b"), "a.o/", object("a", "more"), "d.o/", object("d"), "b.o/", object("c")))
	want := []Change{
		{Fact: "kind", From: []string{"archive", "3 members"}, To: []string{"archive", "4 members"}},
		{Member: "a.o", Fact: "exports", Came: []string{"more"}},
		{Member: "d.o", Fact: "member", Came: []string{"d.o"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	var text bytes.Buffer
	if err := DiffText(&text, got); err != nil {
		t.Fatal(err)
	}
	if want := "kind\n  - archive, 3 members\n  + archive, 4 members\na.o: exports\n  + more\nmember\n  + d.o\n"; text.String() != want {
		t.Errorf("printed:\n%s\nwant:\n%s", text.String(), want)
	}
	if err := DiffText(&text, nil); err != nil || !strings.HasSuffix(text.String(), "no difference\n") {
		t.Errorf("no changes: %v\n%s", err, text.String())
	}
}
