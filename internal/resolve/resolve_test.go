package resolve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xbuild/internal/archive"
	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/store"
)

func TestAdmits(t *testing.T) {
	for _, c := range []struct {
		constraint, version string
		want                bool
		fault               string
	}{
		{"", "anything", true, ""},
		{"^19", "19.1.7", true, ""},
		{"^19", "21.0.0", false, ""},
		{">=1.24", "1.24", true, ""},
		{">=1.24, <1.26", "1.26.1", false, ""},
		{"~3.25", "3.25.1", true, ""},
		{"nineteen", "19.1.7", false, `constraint "nineteen"`},
		{"^19", "r123", false, `version "r123"`},
	} {
		got, err := Admits(c.constraint, c.version)
		if got != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("Admits(%q, %q) = %v, %v, want %v, %q", c.constraint, c.version, got, err, c.want, c.fault)
		}
	}
}

// hello is a toolchain of the test archive; its first source has version 1.0.
var hello = &catalog.Toolchain{Name: "hello", Package: "hello", Packages: []string{"hello"}, Sources: []catalog.Source{{Archive: "debian", Suite: "trixie"}}}

var headers = &catalog.Sysroot{Name: "small", Libc: "gnu", Packages: []string{"libhello-dev"}, Suites: []catalog.Suite{{Name: "trixie", Glibc: "2.41", Architectures: []string{"amd64", "arm64"}}}}

func open(t *testing.T, test *archivetest.Archive) (*Archive, *[]string) {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	notices := &[]string{}
	var mu sync.Mutex // toolchains are looked up side by side
	return &Archive{Store: st, Mirrors: []string{test.URL}, Keyring: test.Keys, Fetch: fetch.Options{Retries: -1}, Notice: func(m string) {
		mu.Lock()
		defer mu.Unlock()
		*notices = append(*notices, m)
	}}, notices
}

// again is the same store, read by a new process.
func again(a *Archive) *Archive {
	return &Archive{Store: a.Store, Mirrors: a.Mirrors, Keyring: a.Keyring, Fetch: a.Fetch, Notice: a.Notice}
}

func names(files []lock.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Name+"/"+f.Arch)
	}
	slices.Sort(out)
	return out
}

// TestUpdate locks a toolchain for both hosts and a sysroot, with what each depends on.
func TestUpdate(t *testing.T) {
	a, notices := open(t, archivetest.New(t))
	req := Requests{
		Toolchains: []ToolchainRequest{{Def: hello, Constraint: "^1"}},
		Sysroots:   []SysrootRequest{{Def: headers, Arch: "arm64", Suite: "trixie", Where: "linux/arm64"}},
	}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range Hosts {
		e, ok := FindToolchain(l, req.Toolchains[0], host)
		if !ok {
			t.Errorf("no toolchain for host %s", host)
			continue
		}
		arch := strings.TrimPrefix(host, "linux/")
		if e.Version != "1.0" || e.Suite != "trixie" || e.Date != "20260102T030405Z" || !slices.Equal(e.Roots, []string{"hello"}) {
			t.Errorf("host %s: %+v", host, e)
		}
		if want := []string{"hello-data/all", "hello/" + arch, "libhello1/" + arch}; !slices.Equal(names(e.Files), want) {
			t.Errorf("host %s: files %q, want %q", host, names(e.Files), want)
		}
	}
	e, ok := FindSysroot(l, req.Sysroots[0])
	if !ok || e.Version != "2.41" || !slices.Equal(names(e.Files), []string{"libhello-dev/arm64", "libhello1/arm64"}) {
		t.Errorf("sysroot: %v, %+v", ok, e)
	}
	if len(*notices) > 0 {
		t.Errorf("remarks without a reason: %q", *notices)
	}

	// What is there stays without a mirror; pruning drops what is not asked for.
	off := again(a)
	off.Mirrors = nil
	same, err := off.Update(t.Context(), l, req, false, false)
	if err != nil || !same.Equal(l) {
		t.Errorf("an update of a whole lock: %v, equal %v", err, err == nil && same.Equal(l))
	}
	kept, err := off.Update(t.Context(), l, Requests{Sysroots: req.Sysroots}, false, false)
	if err != nil || len(kept.Toolchains) != 2 {
		t.Errorf("without prune: %v, %d toolchains, want 2", err, len(kept.Toolchains))
	}
	pruned, err := off.Update(t.Context(), l, Requests{Sysroots: req.Sysroots}, false, true)
	if err != nil || len(pruned.Toolchains) != 0 || len(pruned.Sysroots) != 1 {
		t.Errorf("with prune: %v, %+v", err, pruned)
	}
	if len(l.Toolchains) != 2 {
		t.Error("Update changed the lock that it was given")
	}
	if _, err := off.Update(t.Context(), l, req, true, false); err == nil || !strings.Contains(err.Error(), "no mirror of the debian archive is configured") {
		t.Errorf("update without a mirror: error %v", err)
	}
}

// TestIndexOnce: an index is kept in the form that is read, and alone in that; what was read is not fetched again, and
// what is damaged is.
func TestIndexOnce(t *testing.T) {
	test := archivetest.New(t)
	a, _ := open(t, test)
	req := Requests{Sysroots: []SysrootRequest{{Def: headers, Arch: "arm64", Suite: "trixie", Where: "linux/arm64"}}}
	first, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(filepath.Join(a.Store.Dir(), "files")); err != nil || len(files) > 0 {
		t.Errorf("the store has %v, %v beside what was read of the indexes", files, err)
	}
	if err := test.RemoveIndex("trixie", "arm64"); err != nil {
		t.Fatal(err)
	}
	second, err := again(a).Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil || !second.Equal(first) {
		t.Errorf("of what was read: %v, %v, want %v", err, second, first)
	}
	trees, err := filepath.Glob(filepath.Join(a.Store.Dir(), "trees/index-*/own"))
	if err != nil || len(trees) == 0 {
		t.Fatalf("the indexes that were read are %v, %v", trees, err)
	}
	for _, file := range trees {
		if err := os.Truncate(file, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Store.Verify(t.Context(), true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := again(a).Update(t.Context(), &lock.Lock{Version: 1}, req, false, false); !errors.Is(err, fetch.ErrNotFound) {
		t.Errorf("damaged, and not on the mirror: %v", err)
	}
}

// TestPlatformOfItsOwn: a platform that wants other versions than the rest gets them beside, and shares an entry that
// serves both.
func TestPlatformOfItsOwn(t *testing.T) {
	newer := archivetest.Suite{Name: "forky", Alias: "testing", Version: "14", Architectures: []string{"amd64", "arm64"}}
	for _, arch := range newer.Architectures {
		newer.Packages = append(newer.Packages, archivetest.Package{Name: "hello", Version: "2.0-1", Arch: arch, Files: []archivetest.File{{Name: "./usr/bin/hello", Body: "2", Mode: 0o755}}})
	}
	a, _ := open(t, archivetest.New(t, append(archivetest.Default(), newer)...))
	def := *hello
	def.Sources = []catalog.Source{{Archive: "debian", Suite: "trixie"}, {Archive: "debian", Suite: "forky"}}
	only := &catalog.Only{Platform: "linux/loong64", Versions: ">=2", Why: "hello before 2 says goodbye"}
	update := func(old *lock.Lock, anew, prune bool, r ...ToolchainRequest) string {
		t.Helper()
		l, err := again(a).Update(t.Context(), old, Requests{Toolchains: r}, anew, prune)
		if err != nil {
			return err.Error()
		}
		*old = *l
		var out []string
		for _, e := range l.Toolchains {
			if e.Host == Hosts[0] {
				out = append(out, strings.TrimSpace(e.Platform+" "+e.Version))
			}
		}
		if len(l.Toolchains) != 2*len(out) {
			t.Errorf("the hosts have not the same: %+v", l.Toolchains)
		}
		return strings.Join(out, ", ")
	}
	all := func(c string) ToolchainRequest {
		return ToolchainRequest{Def: &def, Constraint: c, Where: "xbuild.toml:7"}
	}
	one := func(c string) ToolchainRequest {
		r := all(c)
		r.Only = only
		return r
	}
	l := &lock.Lock{Version: 1}
	for _, c := range []struct {
		name        string
		anew, prune bool
		requests    []ToolchainRequest
		want        string
	}{
		{"both", false, false, []ToolchainRequest{one(""), all("")}, "1.0, linux/loong64 2.0"},
		{"what is there stays", false, true, []ToolchainRequest{all(""), one("")}, "1.0, linux/loong64 2.0"},
		{"chosen anew", true, false, []ToolchainRequest{all(""), one("")}, "1.0, linux/loong64 2.0"},
		{"a project of the platform alone", false, true, []ToolchainRequest{one("")}, "linux/loong64 2.0"},
		{"the version that the project wants for all serves it too", false, true, []ToolchainRequest{one("^2"), all("^2")}, "2.0"},
		{"and stays where the others go", false, true, []ToolchainRequest{one("^2")}, "linux/loong64 2.0"},
		{"nothing satisfies both", false, true, []ToolchainRequest{all("^1"), one("^1")}, `xbuild.toml:7: no such version of hello for host linux/amd64 satisfies both "^1" and ">=2", which linux/loong64 needs: ` +
			`hello before 2 says goodbye; there are 1.0 (trixie), 2.0 (forky)` + "\n" + `hint: leave linux/loong64 out of platforms, or write hello = "^1 || >=2" in [toolchains]: linux/loong64 alone gets what comes second`},
		{"as the hint says", false, true, []ToolchainRequest{all("^1 || >=2"), one("^1 || >=2")}, "1.0, linux/loong64 2.0"},
	} {
		if got := update(l, c.anew, c.prune, c.requests...); got != c.want {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", c.name, got, c.want)
		}
	}
}

// TestParts locks a library that follows its toolchain: the suite that the toolchain is locked to, and its version or
// none.
func TestParts(t *testing.T) {
	a, _ := open(t, archivetest.New(t))
	std := &catalog.Sysroot{Name: "hello-lib", Of: "hello", Packages: []string{"libhello-dev"}, Skip: []string{"*"},
		Suites: []catalog.Suite{{Name: "trixie", Targets: map[string]string{"aarch64-none": "arm64"}}}}
	of := ToolchainRequest{Def: hello}
	part := PartRequest{Def: std, Of: of, Target: "aarch64-none", Where: "linux/arm64"}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, Requests{Toolchains: []ToolchainRequest{of}, Parts: []PartRequest{part}}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := part.In(l)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := FindSysroot(l, r)
	if !ok || e.Version != "1.0" || e.Suite != "trixie" || !slices.Equal(names(e.Files), []string{"libhello-dev/arm64"}) {
		t.Errorf("part: %v, %+v", ok, e)
	}
	r.Version = "2.0"
	if _, ok := FindSysroot(l, r); ok {
		t.Error("a library of another version answers")
	}
	if _, err := a.Sysroot(t.Context(), r); err == nil || !strings.Contains(err.Error(), `libhello-dev of trixie is 1.0 now, while hello 2.0 is locked`) || !strings.Contains(err.Error(), "xbuild lock --update") {
		t.Errorf("the archive has another version than the toolchain: error %v", err)
	}
	part.Target = "vax-none"
	if _, err := part.In(l); !errors.Is(err, origin.ErrNoTarget) {
		t.Errorf("a target without a library: error %v", err)
	}
	if _, err := part.In(&lock.Lock{Version: 1}); err == nil || errors.Is(err, origin.ErrNoTarget) {
		t.Errorf("a toolchain that is not locked: error %v", err)
	}
}

// TestSource locks the source of a toolchain's library for a target that the suite has no library for.
func TestSource(t *testing.T) {
	a, _ := open(t, archivetest.New(t))
	std := &catalog.Sysroot{Name: "hello-lib", Of: "hello", Suites: []catalog.Suite{{Name: "trixie"}}}
	src := &catalog.Sysroot{Name: "hello-src", Of: "hello", Source: "hello", Suites: []catalog.Suite{{Name: "trixie"}}}
	of := ToolchainRequest{Def: hello}
	part := PartRequest{Def: std, From: []*catalog.Sysroot{src}, Of: of, Target: "vax-none", Where: "linux/vax"}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, Requests{Toolchains: []ToolchainRequest{of}, Parts: []PartRequest{part}}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := part.In(l)
	if err != nil || r.Def != src {
		t.Fatalf("%+v, %v", r, err)
	}
	e, ok := FindSysroot(l, r)
	if !ok || e.Version != "1.0" || e.Arch != "source" || len(e.Files) != 1 || !strings.HasSuffix(e.Files[0].Path, "/hello_1.0.orig.tar.xz") || len(e.Files[0].SHA256) != 64 {
		t.Errorf("source: %v, %+v", ok, e)
	}
	r.Version = "2.0"
	if _, err := a.Sysroot(t.Context(), r); err == nil || !strings.Contains(err.Error(), "source package hello of trixie is 1.0 now, while hello 2.0 is locked") {
		t.Errorf("the archive has another version than the toolchain: error %v", err)
	}
	src.Suites = nil
	if _, err := part.In(l); !errors.Is(err, origin.ErrNoTarget) {
		t.Errorf("a suite whose source the library cannot be built from: error %v", err)
	}
}

// TestBeyond: a library that uses what the platform does not promise is none for it: the next is asked, at last the
// source.
func TestBeyond(t *testing.T) {
	lib := func(name string, beyond ...string) *catalog.Sysroot {
		return &catalog.Sysroot{Name: name, Of: "hello", Suites: []catalog.Suite{{Name: "trixie", Targets: map[string]string{"vax-none": "vax"}, Beyond: map[string][]string{"vax-none": beyond}}}}
	}
	fast, slow, later := lib("fast", "d-float", "g-float"), lib("slow"), lib("later", "d-float >=1.1", "g-float >=0.9, <2")
	tight := &catalog.Sysroot{Name: "tight", Of: "hello", Source: "hello", Suites: []catalog.Suite{{Name: "trixie", Beyond: map[string][]string{"vax-none": {"d-float"}}}}}
	src := &catalog.Sysroot{Name: "src", Of: "hello", Source: "hello", Suites: []catalog.Suite{{Name: "trixie"}}}
	l := &lock.Lock{Toolchains: []lock.Toolchain{{Name: "hello", Version: "1.0", Host: Hosts[0], Archive: "debian", Suite: "trixie", Roots: hello.Packages}}}
	for _, c := range []struct {
		name     string
		promised []string
		chain    []*catalog.Sysroot
		want     *catalog.Sysroot
	}{
		{"all is promised", []string{"d-float", "f-float", "g-float"}, []*catalog.Sysroot{fast, src}, fast},
		{"half is promised", []string{"d-float"}, []*catalog.Sysroot{fast, src}, src},
		{"another library does without", nil, []*catalog.Sysroot{fast, slow, src}, slow},
		{"not all versions use it", []string{"g-float"}, []*catalog.Sysroot{later, src}, later},
		{"this version uses it", []string{"d-float"}, []*catalog.Sysroot{later, src}, src},
		{"no source does without", nil, []*catalog.Sysroot{fast, tight}, nil},
		{"no other, no source", []string{"g-float"}, []*catalog.Sysroot{fast}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			part := PartRequest{Def: c.chain[0], From: c.chain[1:], Of: ToolchainRequest{Def: hello}, Target: "vax-none", Promised: c.promised, Where: "linux/vax"}
			r, err := part.In(l)
			if r.Def != c.want || (err != nil) != (c.want == nil) {
				t.Fatalf("%+v, %v", r, err)
			}
			if want := `uses d-float, which linux/vax does not promise`; err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `[platform."linux/vax"] features = ["d-float"]`)) {
				t.Errorf("error %v, want in it %s", err, want)
			}
		})
	}
}

// TestFind: an entry answers the requests that it was made for, and those that it satisfies all the same.
func TestFind(t *testing.T) {
	l := &lock.Lock{
		Toolchains: []lock.Toolchain{{Name: "hello", Version: "1.0", Host: "linux/amd64", Archive: "debian", Suite: "trixie", Roots: []string{"hello"}}},
		Sysroots:   []lock.Sysroot{{Name: "small", Arch: "arm64", Suite: "trixie", Roots: []string{"libhello-dev", "zlib"}}},
	}
	other := *hello
	other.Packages = []string{"hello", "more"}
	elsewhere := *hello
	elsewhere.Sources = []catalog.Source{{Archive: "debian", Suite: "forky"}}
	for _, c := range []struct {
		name string
		r    ToolchainRequest
		host string
		want bool
	}{
		{"any version", ToolchainRequest{Def: hello}, "linux/amd64", true},
		{"a constraint that it satisfies", ToolchainRequest{Def: hello, Constraint: ">=0.9"}, "linux/amd64", true},
		{"a constraint that it does not satisfy", ToolchainRequest{Def: hello, Constraint: "^2"}, "linux/amd64", false},
		{"another host", ToolchainRequest{Def: hello}, "linux/arm64", false},
		{"a definition with other packages", ToolchainRequest{Def: &other}, "linux/amd64", false},
		{"a definition without the suite", ToolchainRequest{Def: &elsewhere}, "linux/amd64", false},
	} {
		e, ok := FindToolchain(l, c.r, c.host)
		if ok != c.want || ok && e.Constraint != c.r.Constraint {
			t.Errorf("%s: %v, %+v", c.name, ok, e)
		}
	}
	for _, c := range []struct {
		name string
		r    SysrootRequest
		want bool
	}{
		{"the same packages", SysrootRequest{Def: headers, Arch: "arm64", Suite: "trixie", Packages: []string{"zlib"}}, true},
		{"named twice", SysrootRequest{Def: headers, Arch: "arm64", Suite: "trixie", Packages: []string{"zlib", "libhello-dev", "zlib"}}, true},
		{"fewer packages", SysrootRequest{Def: headers, Arch: "arm64", Suite: "trixie"}, false},
		{"another architecture", SysrootRequest{Def: headers, Arch: "amd64", Suite: "trixie", Packages: []string{"zlib"}}, false},
		{"a suite that does not exist", SysrootRequest{Def: headers, Arch: "arm64", Suite: "potato", Packages: []string{"zlib"}}, false},
	} {
		if _, ok := FindSysroot(l, c.r); ok != c.want {
			t.Errorf("%s: %v, want %v", c.name, ok, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	a, _ := open(t, archivetest.New(t))
	ctx := t.Context()
	_, err := a.Toolchain(ctx, ToolchainRequest{Def: hello, Constraint: "^2", Where: "xbuild.toml:3"}, "linux/amd64")
	if want := `xbuild.toml:3: no such version of hello for host linux/amd64 satisfies "^2"; there are 1.0 (trixie)`; !errors.Is(err, origin.ErrNoVersion) || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	gone := *hello
	gone.Packages = []string{"hello", "goodbye"}
	if _, err := a.Toolchain(ctx, ToolchainRequest{Def: &gone}, "linux/amd64"); err == nil || !strings.Contains(err.Error(), "goodbye") || !strings.Contains(err.Error(), "suite trixie") {
		t.Errorf("a package that does not exist: error %v", err)
	}
	if _, err := a.Sysroot(ctx, SysrootRequest{Def: headers, Arch: "arm64", Suite: "trixie", Packages: []string{"libnone-dev"}, Where: "linux/arm64"}); err == nil ||
		!strings.Contains(err.Error(), "linux/arm64") || !strings.Contains(err.Error(), "libnone-dev") {
		t.Errorf("a sysroot's package that does not exist: error %v", err)
	}
	if _, err := a.Sysroot(ctx, SysrootRequest{Def: headers, Arch: "arm64", Suite: "potato", Where: "linux/arm64"}); err == nil || !strings.Contains(err.Error(), `no suite "potato"`) {
		t.Errorf("a suite that does not exist: error %v", err)
	}
	if _, _, err := a.Debian().Index(ctx, "potato", "amd64"); !errors.Is(err, fetch.ErrNotFound) || !strings.Contains(err.Error(), "suite potato: no mirror serves a usable index") {
		t.Errorf("an index of a suite that does not exist: error %v", err)
	}
	if _, _, err := a.Debian().Index(ctx, "trixie", "vax"); err == nil || !strings.Contains(err.Error(), "vax") {
		t.Errorf("an index of an architecture that does not exist: error %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := again(a).Debian().Index(cancelled, "trixie", "amd64"); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: error %v", err)
	}
}

// TestTrust: what is not signed by a key that is trusted, or is not what the Release says, is refused.
func TestTrust(t *testing.T) {
	for name, spoil := range map[string]func(*archivetest.Archive) error{
		"a changed Release": func(x *archivetest.Archive) error { return x.BreakSignature("trixie") },
		"another key":       func(x *archivetest.Archive) error { return x.SignWithOtherKey("trixie") },
	} {
		test := archivetest.New(t)
		if err := spoil(test); err != nil {
			t.Fatal(err)
		}
		a, _ := open(t, test)
		a.Mirrors = append(a.Mirrors, test.URL)
		if _, _, err := a.Debian().Index(t.Context(), "trixie", "amd64"); !errors.Is(err, archive.ErrSignature) || !strings.Contains(err.Error(), test.URL+"/dists/trixie/InRelease") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	test := archivetest.New(t)
	if err := test.TamperIndex("trixie", "amd64"); err != nil {
		t.Fatal(err)
	}
	a, _ := open(t, test)
	_, _, err := a.Debian().Index(t.Context(), "trixie", "amd64")
	var bad *store.MismatchError
	if !errors.As(err, &bad) {
		t.Fatalf("a tampered index: error %v", err)
	}

	// The next mirror has the right one.
	good := archivetest.New(t)
	a.Mirrors, a.Keyring = []string{test.URL, good.URL}, append(slices.Clone(test.Keys), good.Keys...)
	if ix, _, err := again(a).Debian().Index(t.Context(), "trixie", "amd64"); err != nil || ix.Len() == 0 {
		t.Errorf("the next mirror was not asked: %v", err)
	}
}

// TestCodename: a suite's name is what its Release says, not where it lies.
func TestCodename(t *testing.T) {
	test := archivetest.New(t, archivetest.Suite{Name: "forky", Path: "trixie", Alias: "testing", Packages: []archivetest.Package{{Name: "hello"}}})
	a, _ := open(t, test)
	if _, _, err := a.Debian().Index(t.Context(), "trixie", "amd64"); err == nil || !strings.Contains(err.Error(), `codename is "forky", want "trixie"`) {
		t.Errorf("error %v", err)
	}
}

var day = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// twice is a mirror that has trixie under its codename and under stable, apart.
func twice(t *testing.T) *archivetest.Archive {
	suite := func(path string, date time.Time, version string) archivetest.Suite {
		return archivetest.Suite{Name: "trixie", Path: path, Alias: path, Date: date, Architectures: []string{"amd64"}, Packages: []archivetest.Package{{Name: "hello", Version: version, Arch: "amd64"}}}
	}
	return archivetest.New(t, suite("trixie", day.AddDate(0, 0, 7), "2.0"), suite("stable", day, "1.0"))
}

func version(t *testing.T, a *Archive) (string, error) {
	t.Helper()
	ix, _, err := a.Debian().Index(t.Context(), "trixie", "amd64")
	if err != nil {
		return "", err
	}
	p, err := ix.Lookup("hello")
	if err != nil {
		return "", err
	}
	return p[0].Version, nil
}

// TestMirrorInUpdate: indexes that a Release names and a mirror lacks are looked for under the suite's alias, whose
// Release is older but whole.
func TestMirrorInUpdate(t *testing.T) {
	test := twice(t)
	a, notices := open(t, test)
	if err := test.RemoveIndex("trixie", "amd64"); err != nil {
		t.Fatal(err)
	}
	if v, err := version(t, a); err != nil || v != "1.0" {
		t.Errorf("%q, %v, want 1.0 of the alias", v, err)
	}
	if len(*notices) > 0 {
		t.Errorf("nothing newer was seen before, and still: %q", *notices)
	}
	if err := test.RemoveIndex("stable", "amd64"); err != nil {
		t.Fatal(err)
	}
	b, _ := open(t, test)
	_, err := version(t, b)
	if err == nil {
		t.Fatal("an index that is nowhere was read")
	}
	for _, want := range []string{"dists/trixie: its Release of 2026-01-09T00:00:00Z names", "dists/stable: its Release of 2026-01-02T00:00:00Z names", "in the middle of an update"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

// TestMissingPackages: where no mirror has the packages that the newest Release names, an older one whose packages are
// all there is locked, and said.
func TestMissingPackages(t *testing.T) {
	test := twice(t)
	a, notices := open(t, test)
	remove := func(version string) {
		if err := os.Remove(filepath.Join(test.Dir, archivetest.DebPath(archivetest.Package{Name: "hello", Version: version, Arch: "amd64"}))); err != nil {
			t.Fatal(err)
		}
	}
	locked := func(a *Archive) string {
		e, err := a.Toolchain(t.Context(), ToolchainRequest{Def: hello}, "linux/amd64")
		if err != nil {
			t.Fatal(err)
		}
		return e.Files[0].Version + " " + e.Date
	}
	if got := locked(a); got != "2.0 20260109T000000Z" || len(*notices) > 0 {
		t.Fatalf("%q, remarks %q", got, *notices)
	}

	remove("2.0")
	if got := locked(again(a)); got != "1.0 20260102T000000Z" || len(*notices) != 1 ||
		(*notices)[0] != "trixie for amd64: no mirror has hello 2.0 of the Release of 2026-01-09T00:00:00Z (a mirror in the middle of an update?); the Release of 2026-01-02T00:00:00Z serves" {
		t.Errorf("%q, remarks %q", got, *notices)
	}

	// Of a file that lies in the snapshot archive nothing is missing.
	*notices = nil
	b := again(a)
	b.Snapshot = test.URL + "/snapshot"
	file := filepath.Join(test.Dir, "snapshot/20260109T000000Z", archivetest.DebPath(archivetest.Package{Name: "hello", Version: "2.0", Arch: "amd64"}))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := locked(b); got != "2.0 20260109T000000Z" || len(*notices) > 0 {
		t.Errorf("with a snapshot archive: %q, remarks %q", got, *notices)
	}

	// Where the older one's are gone too, the newest's are locked: whoever fetches them is told.
	remove("1.0")
	if got := locked(again(a)); got != "2.0 20260109T000000Z" || len(*notices) != 1 || !strings.HasSuffix((*notices)[0], "and there is no older one with all files") {
		t.Errorf("with no packages at all: %q, remarks %q", got, *notices)
	}
}

// TestDowngrade: a Release that is older than one seen before is used where there is no newer one, and said.
func TestDowngrade(t *testing.T) {
	test := twice(t)
	a, notices := open(t, test)
	if v, err := version(t, a); err != nil || v != "2.0" {
		t.Fatalf("%q, %v, want 2.0", v, err)
	}
	if err := test.SetDate("trixie", day.AddDate(0, 0, 3), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if v, err := version(t, again(a)); err != nil || v != "2.0" || len(*notices) != 1 || !strings.Contains((*notices)[0], "Release of 2026-01-05T00:00:00Z is older than one seen before (2026-01-09T00:00:00Z)") {
		t.Errorf("%q, %v, remarks %q", v, err, *notices)
	}

	// A mirror that is up to date goes before one that is behind.
	*notices = nil
	newer := archivetest.New(t, archivetest.Suite{Name: "trixie", Date: day.AddDate(0, 0, 9), Packages: []archivetest.Package{{Name: "hello", Version: "3.0", Arch: "amd64"}}})
	b := again(a)
	b.Mirrors, b.Keyring = []string{test.URL, newer.URL}, append(slices.Clone(test.Keys), newer.Keys...)
	if v, err := version(t, b); err != nil || v != "3.0" || len(*notices) > 0 {
		t.Errorf("%q, %v, remarks %q, want 3.0 of the second mirror", v, err, *notices)
	}

	// What cannot be read of the memory is as if it had never been.
	if err := os.WriteFile(a.Debian().SeenFile(), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if v, err := version(t, again(a)); err != nil || v != "2.0" || len(*notices) > 0 {
		t.Errorf("with a damaged memory: %q, %v, %q", v, err, *notices)
	}
}

// TestUnreachableMirror: one that does not answer is asked once and passed over.
func TestUnreachableMirror(t *testing.T) {
	test := archivetest.New(t)
	a, _ := open(t, test)
	a.Mirrors = []string{"http://127.0.0.1:1/debian", test.URL}
	if ix, _, err := a.Debian().Index(t.Context(), "trixie", "amd64"); err != nil || ix.Len() == 0 {
		t.Fatal(err)
	}
	b := again(a)
	b.Mirrors = []string{"http://127.0.0.1:1/debian"}
	_, _, err := b.Debian().Index(t.Context(), "trixie", "amd64")
	if err == nil || strings.Contains(err.Error(), "dists/stable") || strings.Count(err.Error(), "hint:") != 1 {
		t.Errorf("error %v", err)
	}
}
