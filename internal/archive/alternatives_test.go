package archive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/archive/archivetest"
)

func TestScriptAlternatives(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"one", "update-alternatives --install /usr/lib/t/libblas.so.3 libblas.so.3-t \\\n  /usr/lib/t/blas/libblas.so.3 10", "10 usr/lib/t/libblas.so.3=usr/lib/t/blas/libblas.so.3"},
		{"slaves", `if [ "$1" = configure ]; then
  /usr/bin/update-alternatives --quiet \
	--install /usr/lib/t/pkgconfig/hdf5.pc hdf5.pc '/usr/lib/t/pkgconfig/hdf5-serial.pc' 20 \
	--slave "/usr/include/h.h" h.h /usr/include/serial/h.h
fi`, "20 usr/lib/t/pkgconfig/hdf5.pc=usr/lib/t/pkgconfig/hdf5-serial.pc usr/include/h.h=usr/include/serial/h.h"},
		{"before the merge of usr", "update-alternatives --install /lib/t/l.so l /lib/t/x/l.so 1", "1 usr/lib/t/l.so=usr/lib/t/x/l.so"},
		{"variables", "pri=75\ndir=/usr/lib/t\nupdate-alternatives --install ${DPKG_ROOT:-}$dir/l.so l \"$dir/x/l.so\" \"$pri\"", "75 usr/lib/t/l.so=usr/lib/t/x/l.so"},
		{"a variable that nothing sets", "update-alternatives --install $dir/l.so l /usr/lib/x/l.so 1", ""},
		{"of a loop", "f=a; for f in b c; do update-alternatives --install /usr/lib/$f l /usr/lib/x/$f 1; done", ""},
		{"a command's output", "d=$(dpkg-architecture)\nupdate-alternatives --install /usr/lib/$d/l.so l /usr/lib/x/l.so 1", ""},
		{"removed", "update-alternatives --remove l /usr/lib/x/l.so", ""},
		{"relative", "update-alternatives --install usr/lib/l.so l /usr/lib/x/l.so 1", ""},
		{"out of the tree", "update-alternatives --install /usr/lib/l.so l /../../etc/passwd 1", "1 usr/lib/l.so=etc/passwd"}, // as the kernel reads it: .. of the root is the root
		{"itself", "update-alternatives --install /usr/lib/l.so l /lib/l.so 1", ""},
		{"no priority", "update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so high", ""},
		{"no shell", "#!/usr/bin/perl\nsystem(\"update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1\") if ($x =~ /(/);", ""},
		{"a process's output", `update-alternatives --install /usr/lib/l.so l <(echo /usr/lib/x/l.so) 1; update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"a process's input", `cat >(update-alternatives --install /a a $(b) 1); update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"a pattern of bash", `x=@(a|b); update-alternatives --install /usr/lib/l.so l $(x) 1; update-alternatives --install /usr/lib/$x l /y 1`, "1 usr/lib/@(a|b)=y"},
		{"an operator of bash", `x=a; update-alternatives --install /usr/lib/${x@Q} l "$(x)" 1; update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"a pattern that is none", `x=a; update-alternatives --install /usr/lib/${x/[[:foo:]]/b} l "$(x)" 1; update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"arithmetic", `update-alternatives --install /usr/lib/$((1/0)) l /x 1; update-alternatives --install /y$[2**-1] l "$(x)" 1; update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"a substring", `x=a; update-alternatives --install /usr/lib/${x:9:-8} l "$(x)" 1; update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1`, "1 usr/lib/l.so=usr/lib/x/l.so"},
		{"a comment", "# update-alternatives --install /usr/lib/l.so l /usr/lib/x/l.so 1", ""},
	} {
		var got []string
		for _, a := range scriptAlternatives([]byte(c.script)) {
			got = append(got, written(a))
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: read %q, want %q", c.name, s, c.want)
		}
	}
}

func written(a Alternative) string {
	s := fmt.Sprint(a.Priority)
	for _, l := range a.Links {
		s += " " + l.Path + "=" + l.Target
	}
	return s
}

// TestAlternatives unpacks packages that offer the same links, as BLAS's do.
func TestAlternatives(t *testing.T) {
	lib := func(name, dir, priority string) archivetest.Package {
		return archivetest.Package{Name: name, Files: []file{{Name: "./usr/lib/" + dir + "/l.so", Body: name}, {Name: "./usr/lib/" + dir + "/l.a", Body: name}},
			PostInst: "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/lib/l.so l.so /usr/lib/" + dir + "/l.so " + priority + " --slave /usr/lib/l.a l.a /usr/lib/" + dir + "/l.a --slave /usr/lib/more/l.pc l.pc /usr/lib/" + dir + "/l.pc\n"}
	}
	reference, better := lib("reference", "ref", "10"), lib("better", "better", "100")
	absent := archivetest.Package{Name: "absent", PostInst: "update-alternatives --install /usr/lib/l.so l.so /usr/lib/absent/l.so 200\n"}
	own := archivetest.Package{Name: "own", Files: []file{{Name: "./usr/lib/l.a", Body: "own"}}}
	better.Files = append(better.Files, file{Name: "./usr/lib/better/l.pc", Body: "pc"})
	escape := archivetest.Package{Name: "escape", Files: []file{{Name: "./usr/lib/x", Body: "x"}}, PostInst: "update-alternatives --install /usr/lib/x/../../../../../out l /usr/lib/x 1\n"}
	for _, c := range []struct {
		name     string
		packages []archivetest.Package
		want     []string // links
	}{
		{"one", []archivetest.Package{reference}, []string{"usr/lib/l.a -> ref/l.a", "usr/lib/l.so -> ref/l.so"}},
		{"the better one", []archivetest.Package{reference, better}, []string{"usr/lib/l.a -> better/l.a", "usr/lib/l.so -> better/l.so", "usr/lib/more/l.pc -> ../better/l.pc"}},
		{"the order is nothing", []archivetest.Package{better, reference}, []string{"usr/lib/l.a -> better/l.a", "usr/lib/l.so -> better/l.so", "usr/lib/more/l.pc -> ../better/l.pc"}},
		{"what is not there", []archivetest.Package{absent, reference}, []string{"usr/lib/l.a -> ref/l.a", "usr/lib/l.so -> ref/l.so"}},
		{"a package's own file", []archivetest.Package{own, reference}, []string{"usr/lib/l.so -> ref/l.so"}},
		{"a path upwards", []archivetest.Package{escape}, []string{"out -> usr/lib/x"}},
	} {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var all []Alternative
		for _, p := range c.packages {
			deb, err := archivetest.Deb(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), dir, UnpackOptions{UsrMerge: true}); err != nil {
				t.Fatal(err)
			}
			list, err := Alternatives(bytes.NewReader(deb), int64(len(deb)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, list...)
		}
		if err := LinkAlternatives(dir, all); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		checkInside(t, outer)
		var got []string
		for line := range strings.Lines(listing(t, dir)) {
			if strings.Contains(line, " -> ") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: links %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzAlternatives(f *testing.F) {
	f.Add([]byte("d=/usr/lib\nupdate-alternatives --install $d/l.so l $d/x/l.so 10 --slave /usr/include/h h /usr/include/x/h"))
	f.Add([]byte("for x in a; do update-alternatives --install /$x x /${x%a}/b $((1+2)); done"))
	f.Add([]byte("update-alternatives --install /a a /a/b 1 --slave /a/b b /a"))
	for _, word := range []string{"<(cat)", ">(cat)", "@(a|b)", "${x@Q}", "${x/[[:a:]]/}", "$[1/0]", "${x:1:-1}", "{1..9}", "${!x}", "$\"a\"", "$'\\x41'", "~root", "${x^^}", "${#x[@]}", "((", "[[ a =~ ( ]]"} {
		f.Add([]byte("x=a\nupdate-alternatives --install /usr/lib/" + word + " l /usr/lib/x/l.so 10"))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.MkdirAll(filepath.Join(dir, "usr/lib/x"), 0o755); err != nil {
			t.Fatal(err)
		}
		all := scriptAlternatives(script)
		for _, a := range all {
			for _, l := range a.Links {
				if !localPath(l.Path) || !localPath(l.Target) {
					t.Errorf("read the link %q to %q", l.Path, l.Target)
				}
			}
		}
		LinkAlternatives(dir, all)
		checkInside(t, outer)
	})
}
