package archive

import (
	"strings"
	"testing"
)

func TestPrograms(t *testing.T) {
	foreign := ";Multi-Arch: foreign"
	for _, c := range []struct{ name, index, roots, want string }{
		{
			"what a -dev package depends on", "a-dev 1;Depends: a-bin, liba1\na-bin 1" + foreign + "\nliba1 1",
			"a-dev", "a-bin",
		},
		{
			"through other -dev packages", "a-dev 1;Depends: b-dev\nb-dev 1;Depends: b-bin\nb-bin 1" + foreign,
			"a-dev", "b-bin",
		},
		{
			"what a library starts is none", "a-dev 1;Depends: liba1\nliba1 1;Depends: daemon\ndaemon 1" + foreign,
			"a-dev", "",
		},
		{
			"a program's programs", "a-dev 1;Depends: a-bin\na-bin 1;Depends: tools" + foreign + "\ntools 1" + foreign,
			"a-dev", "a-bin tools",
		},
		{
			"behind another package of the source",
			"q-dev 1;Source: q;Depends: qmake\nqmake 1;Source: q;Depends: qmake-bin\nqmake-bin 1;Source: q" + foreign,
			"q-dev", "qmake-bin",
		},
		{
			"not behind a library of the source",
			"q-dev 1;Source: q;Depends: libq1\nlibq1 1;Source: q;Depends: mime\nmime 1" + foreign, "q-dev", "",
		},
		{"data", "a-dev 1;Depends: a-data\na-data 1;Architecture: all" + foreign, "a-dev", ""},
		{"what is asked for itself", "gen 1" + foreign + "\nliba1 1", "gen liba1", "gen"},
		{"a library that is asked for", "liba1 1;Depends: daemon\ndaemon 1" + foreign, "liba1", ""},
		{"of an alternative", "a-dev 1;Depends: x | a-bin\na-bin 1" + foreign, "a-dev", "a-bin"},
		{"by a name that it provides", "a-dev 1;Depends: gen\na-bin 1;Provides: gen" + foreign, "a-dev", "a-bin"},
		{"same is of the platform", "a-dev 1;Depends: a-tool\na-tool 1;Multi-Arch: same", "a-dev", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.ReplaceAll(packages(c.index), "Architecture: amd64\nMaintainer: somebody\nArchitecture: all",
				"Architecture: all")
			ix, err := ParsePackages(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			closure, err := Resolve(ix, strings.Fields(c.roots), ResolveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Programs(closure, strings.Fields(c.roots)), " "); got != c.want {
				t.Errorf("programs are of %q, want %q", got, c.want)
			}
		})
	}
}
