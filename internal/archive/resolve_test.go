package archive

import (
	"errors"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name, index, roots, skip, want string
		err                            string // part of it
	}{
		{name: "closure, sorted", index: "z 1;Depends: b\nb 1;Pre-Depends: a\na 1\nunused 1", roots: "z", want: "a b z"},
		{name: "circle", index: "a 1;Depends: b\nb 1;Depends: a", roots: "a", want: "a b"},
		{name: "leftmost alternative", index: "r 1;Depends: a | b\na 1\nb 1", roots: "r", want: "a r"},
		{name: "leftmost that there is", index: "r 1;Depends: x | b\nb 1", roots: "r", want: "b r"},
		{name: "alternative that is a root", index: "r 1;Depends: a | b\na 1\nb 1", roots: "r b", want: "b r"},
		{name: "alternative already taken", index: "r 1;Depends: b, a | b\na 1\nb 1", roots: "r", want: "b r"},
		{name: "version too old for the first", index: "r 1;Depends: a (>= 2) | b\na 1\nb 1", roots: "r", want: "b r"},
		{name: "newest version", index: "a 1.9\na 1.10", roots: "a", want: "a=1.10"},
		{name: "asked-for version", index: "a 1.9\na 1.10", roots: "a=1.9", want: "a=1.9"},
		{name: "older version for a dependency", index: "r 1;Depends: a (<< 2)\na 1\na 2", roots: "r", want: "a=1 r"},
		{name: "epoch and tilde", index: "r 1;Depends: a (>= 1:1.0~rc1), b (<< 2.0)\na 1:1.0~rc2\nb 2.0~beta", roots: "r", want: "a b r"},
		{name: "operators", index: "r 1;Depends: a (= 2), b (<= 2), c (>> 1), d (>= 2)\na 2\nb 2\nc 2\nd 2", roots: "r", want: "a b c d r"},
		{name: "qualifiers", index: "r 1;Depends: a:any, b:native (>= 1), c:amd64\na 1\nb 1\nc 1", roots: "r", want: "a b c r"},
		{name: "foreign qualifier", index: "r 1;Depends: a:i386 | b\na 1\nb 1", roots: "r", want: "b r"},
		{name: "virtual", index: "r 1;Depends: mta\nb 1;Provides: mta\na 1;Provides: mta", roots: "r", want: "a r"},
		{name: "virtual by priority", index: "r 1;Depends: awk\nmawk 1;Provides: awk;Priority: required\ngawk 1;Provides: awk;Priority: optional", roots: "r", want: "mawk r"},
		{name: "virtual already there", index: "r 1;Depends: mta\na 1;Provides: mta\nb 1;Provides: mta", roots: "r b", want: "b r"},
		{name: "versioned provides", index: "r 1;Depends: abi (= 3)\na 9;Provides: abi (= 2)\nb 9;Provides: abi (= 3)", roots: "r", want: "b r"},
		{name: "real before virtual", index: "r 1;Depends: a\nb 1;Provides: a\na 1", roots: "r", want: "a r"},
		{name: "skip", index: "r 1;Depends: perl-base, perl:any | x, a\nperl 1;Depends: nowhere\nx 1\na 1", roots: "r", skip: "perl*", want: "a r"},
		{name: "skip for one that asks", index: "r 1;Depends: gcc-dev\ngcc-dev 1;Depends: gomp1\ngomp1 1", roots: "r", skip: "x*,gcc-* -> gomp*", want: "gcc-dev r"},
		{name: "not for another", index: "r 1;Depends: gcc-dev, vips\ngcc-dev 1;Depends: gomp1\nvips 1;Depends: gomp1\ngomp1 1", roots: "r", skip: "gcc-* -> gomp*", want: "gcc-dev gomp1 r vips"},
		{name: "skip a provider", index: "r 1;Depends: debconf-2.0\ndebconf 1;Provides: debconf-2.0;Depends: nowhere", roots: "r", skip: "debconf", want: "r"},
		{name: "a root is not skipped", index: "perl 1", roots: "perl", skip: "perl*", want: "perl"},
		{name: "a root twice", index: "a 1", roots: "a a=1", want: "a"},

		{name: "missing root", index: "libssl-dev 1", roots: "libsll-dev", err: `no such package "libsll-dev" in trixie/amd64; near it are libssl-dev`},
		{name: "root without its version", index: "clang-19 1\nclang-17 1", roots: "clang", err: "clang-17, clang-19"},
		{name: "virtual root", index: "a 1;Provides: mta", roots: "mta", err: "ask for a"},
		{name: "missing version of a root", index: "a 1\na 2", roots: "a=3", err: "it has 2, 1"},
		{name: "missing dependency", index: "r 1;Depends: m\nm 1;Depends: libfo | y\nlibfoo 1", roots: "r",
			err: `package "m" needs "libfo | y" in trixie/amd64 (wanted by r -> m): no such package: it has no such package; near it are libfoo`},
		{name: "dependency too old", index: "r 1;Depends: a (>= 2)\na 1", roots: "r", err: "it has a 1"},
		{name: "unversioned provides", index: "r 1;Depends: a (>= 2)\nb 3;Provides: a", roots: "r", err: `needs "a (>= 2)"`},
		{name: "two versions at once", index: "r 1;Depends: a, b\nb 1;Depends: a (= 1)\na 1\na 2", roots: "r", err: "a 2 is taken already, for r -> a"},
		{name: "root in two versions", index: "a 1\na 2", roots: "a=1 a=2", err: "versions do not fit together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ix, err := ParsePackages(strings.NewReader(packages(c.index)))
			if err != nil {
				t.Fatal(err)
			}
			pkgs, err := Resolve(ix, strings.Fields(c.roots), ResolveOptions{Skip: strings.FieldsFunc(c.skip, func(r rune) bool { return r == ',' }), Suite: "trixie", Arch: "amd64"})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v %v; want an error with %q", pkgs, err, c.err)
				}
				if !errors.Is(err, ErrNoPackage) && !errors.Is(err, ErrConflict) {
					t.Errorf("%v is neither ErrNoPackage nor ErrConflict", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, want := range strings.Fields(c.want) {
				if i >= len(pkgs) {
					break
				}
				name := pkgs[i].Name
				if strings.Contains(want, "=") {
					name += "=" + pkgs[i].Version
				}
				got = append(got, name)
			}
			if strings.Join(got, " ") != c.want || len(pkgs) != len(got) {
				t.Errorf("got %v and %d packages, want %s", got, len(pkgs), c.want)
			}
		})
	}
}

func TestResolveNoDepends(t *testing.T) {
	ix, err := ParsePackages(strings.NewReader(packages("a 1;Depends: nowhere\nb 1")))
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := Resolve(ix, []string{"b", "a"}, ResolveOptions{NoDepends: true})
	if err != nil || len(pkgs) != 2 || pkgs[0].Name != "a" {
		t.Errorf("got %v, %v", pkgs, err)
	}
}

// The orders that Debian Policy 5.6.12 and deb-version(7) give.
func TestCompareVersions(t *testing.T) {
	for _, order := range []string{
		"1~~ 1~~a 1~ 1 1a 1+ 1.0 1.1 1.9 1.10 1:0.1 2:0",
		"2.36-9 2.36-9+deb12u1 2.36-9+deb12u14 2.41-12+deb13u5",
		"1.0-1 1.0-1+b1 1.0-1.1 1.0-2",
	} {
		versions := strings.Fields(order)
		for i := range versions {
			for j := range versions {
				got := CompareVersions(versions[i], versions[j])
				if got < 0 != (i < j) || got > 0 != (i > j) {
					t.Errorf("%s against %s: %d", versions[i], versions[j], got)
				}
			}
		}
	}
	if CompareVersions("bad", "1") >= 0 || CompareVersions("1", "bad") <= 0 {
		t.Error("a malformed version does not sort before a good one")
	}
	for _, equal := range [][2]string{{"1.0", "1.0-0"}, {"0:1", "1"}, {"1.01", "1.1"}} {
		if c := CompareVersions(equal[0], equal[1]); c != 0 {
			t.Errorf("%s against %s: %d, want 0", equal[0], equal[1], c)
		}
	}
}

func TestParseDependencies(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"a":                             "a",
		"a,b|c , d(>=1) ,":              "a, b | c, d (>= 1)",
		"libc6 (>= 2.36), x:any (<< 2)": "libc6 (>= 2.36), x:any (<< 2)",
		"a (< 1), b (> 1)":              "a (<= 1), b (>= 1)",
	} {
		groups, err := ParseDependencies(in)
		var parts []string
		for _, g := range groups {
			var alternatives []string
			for _, d := range g {
				alternatives = append(alternatives, d.String())
			}
			parts = append(parts, strings.Join(alternatives, " | "))
		}
		if got := strings.Join(parts, ", "); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"a |", "| a", "a (1)", "a (>= )", "a (>= 1", "a b", "a:", "a [amd64]", "../a", "a (!= 1)", "a (>= 1) x"} {
		if groups, err := ParseDependencies(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, groups)
		}
	}
}
