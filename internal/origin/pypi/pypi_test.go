package pypi_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/origin/pypi"
	"xbuild/internal/origin/pypi/pypitest"
	"xbuild/internal/platform"
	"xbuild/internal/store"
)

func host(t *testing.T, name string) platform.Platform {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"0.16.0": "0.16.0", "1.0": "1.0", "V1.0": "1.0", "01.002": "1.2", "1.0alpha1": "1.0a1", "1.0-beta.2": "1.0b2", "1.0.0-rc1": "1.0.0rc1", "1.0c": "1.0rc0",
		"0.17.0.post0": "0.17.0.post0", "0.17.0-post0": "0.17.0.post0", "1.0-1": "1.0.post1", "1.0.dev3747": "1.0.dev3747", "1!2.0": "1!2.0", "1.0+Local-1": "1.0+local.1",
		"1.2.3.4": "1.2.3.4", "1.0a1.post2.dev3": "1.0a1.post2.dev3", "": "", "x": "", "1..0": "", "1.0-": "", "1.0 2": "", "^1": "",
	} {
		v, err := pypi.ParseVersion(text)
		if (err == nil) != (want != "") || v.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, v, err, want)
		}
		if plain := want != "" && strings.Trim(want, "0123456789.") == "" && strings.Count(want, ".") < 3; v.Plain() != plain {
			t.Errorf("%q: plain: %v, want %v", text, v.Plain(), plain)
		}
	}
}

func TestWheelNames(t *testing.T) {
	amd64, arm64 := host(t, "linux/amd64"), host(t, "linux/arm64")
	var last int
	for _, c := range []struct {
		name         string
		amd64, arm64 bool
	}{ // in the order of choice
		{"zig_lang-1-py2.py3-none-manylinux1_x86_64.whl", true, false},
		{"ziglang-0.16.0-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl", true, false},
		{"ziglang-0.16.0-py3-none-manylinux2014_x86_64.whl", true, false},
		{"ziglang-0.16.0-py3-none-manylinux_2_28_x86_64.whl", true, false},
		{"ziglang-0.16.0-py3-none-linux_x86_64.whl", true, false},
		{"ziglang-0.16.0-py3-none-musllinux_1_2_x86_64.whl", true, false},
		{"ziglang-0.16.0-1build-py38-none-any.whl", true, true},
		{"ziglang-0.16.0-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl", false, true},
		{"ziglang-0.16.0-py3-none-manylinux_2_17_i686.whl", false, false},
		{"ziglang-0.16.0-py3-none-manylinux_3_1_x86_64.whl", false, false},
		{"ziglang-0.16.0-py3-none-macosx_12_0_arm64.whl", false, false},
		{"ziglang-0.16.0-py3-none-win_amd64.whl", false, false},
		{"ziglang-0.16.0-cp312-cp312-manylinux_2_17_x86_64.whl", false, false},
		{"ziglang-0.16.0-cp38-abi3-manylinux_2_17_x86_64.whl", false, false},
		{"ziglang-0.16.0-py2-none-any.whl", false, false},
	} {
		w, err := pypi.ParseWheel(c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rank, ok := w.Fits(amd64)
		if _, arm := w.Fits(arm64); ok != c.amd64 || arm != c.arm64 {
			t.Errorf("%s: linux/amd64: %v, linux/arm64: %v", c.name, ok, arm)
		}
		if ok && rank <= last {
			t.Errorf("%s comes before the one above it", c.name)
		}
		if ok {
			last = rank
		}
	}
	for _, bad := range []string{"", "ziglang-0.16.0.tar.gz", "ziglang-0.16.0-py3-none.whl", "../x-1-py3-none-any.whl", "x-one-py3-none-any.whl", "x-1-99999999999999999999-py3-none-any.whl", "x-1-py3-none-any.whl\n"} {
		if w, err := pypi.ParseWheel(bad); err == nil {
			t.Errorf("%q is %+v", bad, w)
		}
	}
}

func tool(within string) *catalog.Toolchain {
	return &catalog.Toolchain{Name: "zig", Package: "Zig.Lang", Packages: []string{"Zig.Lang"}, Sources: []catalog.Source{{Archive: catalog.PyPI, Suite: within}}}
}

// want asks for a toolchain as resolve does.
func want(t *testing.T, def *catalog.Toolchain, on, constraint string) origin.Toolchain {
	t.Helper()
	return origin.Toolchain{Def: def, Host: host(t, on), Constraint: constraint, Admits: func(version string) (bool, error) { return origin.Admits(constraint, version) }}
}

func wheel(t *testing.T, name string) pypitest.Wheel {
	t.Helper()
	return pypitest.New(t, name, pypitest.File{Name: "zig_lang/zig", Body: name, Mode: 0o755})
}

func open(t *testing.T, indexes ...string) *pypi.Archive {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return &pypi.Archive{Client: &origin.Client{Store: st, Fetch: fetch.Options{Retries: -1}}, Indexes: indexes}
}

// TestChoice: a range and a constraint choose among plain releases for the host; others only where they are named.
func TestChoice(t *testing.T) {
	gone := wheel(t, "zig_lang-0.15.9-py3-none-any.whl")
	gone.Yanked = true
	arm := wheel(t, "zig_lang-0.16.1-py3-none-manylinux_2_17_aarch64.whl")
	x := pypitest.Serve(t, map[string][]pypitest.Wheel{"zig-lang": {
		wheel(t, "zig_lang-0.9.1-py3-none-any.whl"), wheel(t, "zig_lang-0.15.2-py3-none-any.whl"), gone,
		wheel(t, "zig_lang-0.16.0-py3-none-any.whl"), wheel(t, "zig_lang-0.16.0-py3-none-manylinux_2_28_x86_64.whl"),
		wheel(t, "zig_lang-0.16.0-1-py3-none-manylinux_2_12_x86_64.whl"), wheel(t, "zig_lang-0.16.0-2-py3-none-manylinux_2_12_x86_64.whl"),
		arm, wheel(t, "zig_lang-0.17.0rc1-py3-none-any.whl"), wheel(t, "zig_lang-0.17.0.post0-py3-none-any.whl"), wheel(t, "zig_lang-1.0.dev1-py3-none-any.whl"),
		wheel(t, "zig_lang-1!0.1-py3-none-any.whl"), wheel(t, "zig_lang-2.0.0.1-py3-none-any.whl"), {Name: "zig_lang-3.0.tar.gz"}, {Name: "other-4.0-py3-none-any.whl"},
	}})
	for _, c := range []struct {
		host, within, constraint string
		version, file, has       string
	}{
		{"linux/amd64", ">=0.1", "", "0.16.0", "zig_lang-0.16.0-2-py3-none-manylinux_2_12_x86_64.whl", "0.16.0"},
		{"linux/arm64", ">=0.1", "", "0.16.1", arm.Name, "0.16.1"},
		{"linux/amd64", "~0.15", "", "0.15.2", "zig_lang-0.15.2-py3-none-any.whl", "0.15.2"},
		{"linux/amd64", ">=0.1", "<0.16", "0.15.2", "zig_lang-0.15.2-py3-none-any.whl", "0.16.0"},
		{"linux/amd64", ">=0.1", "0.9.1", "0.9.1", "zig_lang-0.9.1-py3-none-any.whl", "0.16.0"},
		{"linux/amd64", ">=0.1", "0.15.9", "0.15.9", gone.Name, "0.16.0"},
		{"linux/amd64", ">=0.1", "0.17.0-post0", "0.17.0-post0", "zig_lang-0.17.0.post0-py3-none-any.whl", "0.16.0"},
		{"linux/amd64", ">=0.1", "=0.17.0-rc1", "0.17.0-rc1", "zig_lang-0.17.0rc1-py3-none-any.whl", "0.16.0"},
		{"linux/amd64", "~0.15", "0.17.0-rc1", "", "", "0.15.2"},
		{"linux/amd64", ">=0.1", ">=0.17", "", "", "0.16.0"},
		{"linux/amd64", "^5", "", "", "", ""},
	} {
		a := open(t, x.URL)
		e, has, err := a.Toolchain(t.Context(), want(t, tool(c.within), c.host, c.constraint))
		if err != nil || e.Version != c.version || has != c.has || len(e.Files) > 1 || (len(e.Files) == 1) != (c.file != "") {
			t.Errorf("%s %s %s: %+v, has %q, %v", c.host, c.within, c.constraint, e, has, err)
			continue
		}
		if c.file == "" {
			continue
		}
		f := e.Files[0]
		if f.Path != "zig-lang/"+c.file || f.Size <= 0 || len(f.SHA256) != 64 || strings.Contains(f.Path, x.Files.URL) {
			t.Errorf("%s %s %s: file %+v, want %s", c.host, c.within, c.constraint, f, c.file)
		}
		// What the lock says is what a new process finds, and the file is the one that was chosen.
		urls, err := open(t, x.URL).URLs(t.Context(), f, "")
		if err != nil || len(urls) != 1 || !strings.HasPrefix(urls[0], x.Files.URL) || !strings.HasSuffix(urls[0], "/"+strings.ReplaceAll(c.file, "!", "%21")) {
			t.Errorf("%s: URLs %q, %v", c.file, urls, err)
			continue
		}
		if err := fetch.Files(t.Context(), a.Store, []fetch.Item{{Name: f.Name, URLs: urls, SHA256: f.SHA256, Size: f.Size}}, a.Fetch); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := open(t, x.URL).Toolchain(t.Context(), want(t, tool(">=0.1"), "linux/amd64", "nineteen")); err == nil || !strings.Contains(err.Error(), `constraint "nineteen"`) {
		t.Errorf("a constraint that is none: %v", err)
	}
	only := want(t, tool(">=0.1"), "linux/amd64", "")
	only.Admits = func(version string) (bool, error) { return origin.Admits("<0.16", version) } // what a platform needs
	if e, _, err := open(t, x.URL).Toolchain(t.Context(), only); err != nil || e.Version != "0.15.2" {
		t.Errorf("a platform that needs <0.16: %+v, %v", e, err)
	}
	is, named := pypi.Kind{}.Named("0.17.0-post0", lock.Toolchain{Version: "0.17.0-post0"})
	if other, _ := (pypi.Kind{}).Named("0.17.0-post1", lock.Toolchain{Version: "0.17.0-post0"}); !is || !named || other {
		t.Errorf("a post-release by its name: %v %v, another: %v", is, named, other)
	}
	for _, c := range []string{"", "^0.16", "0.16.0", ">=1.0.0-rc1"} {
		if _, named := (pypi.Kind{}).Named(c, lock.Toolchain{Version: "0.16.0"}); named {
			t.Errorf("%q is taken for a name", c)
		}
	}
}

// TestHTML: an index without JSON serves the same, but for sizes, which the server of the file tells.
func TestHTML(t *testing.T) {
	gone := wheel(t, "zig_lang-0.17.0-py3-none-any.whl")
	gone.Yanked = true
	x := pypitest.Serve(t, map[string][]pypitest.Wheel{"zig-lang": {wheel(t, "zig_lang-0.16.0-py3-none-any.whl"), gone}})
	inJSON, _, err := open(t, x.URL).Toolchain(t.Context(), want(t, tool("*"), "linux/amd64", ""))
	if err != nil {
		t.Fatal(err)
	}
	x.HTML = true
	x.Asked()
	got, _, err := open(t, x.URL).Toolchain(t.Context(), want(t, tool("*"), "linux/amd64", ""))
	if err != nil || len(got.Files) != 1 || got.Files[0] != inJSON.Files[0] {
		t.Errorf("HTML: %+v, %v; JSON: %+v", got, err, inJSON)
	}
	if asked := x.Asked(); len(asked) != 2 || !strings.HasPrefix(asked[1], "HEAD ") {
		t.Errorf("asked %q", asked)
	}
}

func TestFaults(t *testing.T) {
	x := pypitest.Serve(t, map[string][]pypitest.Wheel{"zig-lang": {wheel(t, "zig_lang-0.16.0-py3-none-any.whl")}})
	asked := want(t, tool("*"), "linux/amd64", "")
	if _, _, err := open(t).Toolchain(t.Context(), asked); err == nil || !strings.Contains(err.Error(), "XBUILD_PYPI_MIRROR") {
		t.Errorf("no index: %v", err)
	}
	// One that does not answer is followed by the next.
	e, _, err := open(t, "http://127.0.0.1:1/simple", x.URL).Toolchain(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if urls, err := open(t, "http://127.0.0.1:1/simple", x.URL).URLs(t.Context(), e.Files[0], ""); err != nil || len(urls) != 1 {
		t.Errorf("URLs %q, %v", urls, err)
	}
	if _, _, err := open(t, "http://127.0.0.1:1/simple").Toolchain(t.Context(), asked); err == nil || errors.Is(err, origin.ErrNoPackage) || !strings.Contains(err.Error(), "[mirrors] pypi") {
		t.Errorf("an index that does not answer: %v", err)
	}
	other := tool("*")
	other.Package = "nobody"
	if _, _, err := open(t, x.URL).Toolchain(t.Context(), want(t, other, "linux/amd64", "")); !errors.Is(err, origin.ErrNoPackage) {
		t.Errorf("a project that there is not: %v", err)
	}
	replaced := e.Files[0]
	replaced.SHA256 = strings.Repeat("0", 64)
	if _, err := open(t, x.URL).URLs(t.Context(), replaced, ""); err == nil || !strings.Contains(err.Error(), "xbuild lock --update") {
		t.Errorf("a file that is replaced: %v", err)
	}
	// Offline nothing is asked, and fetch says what is missing.
	x.Asked()
	off := open(t, x.URL)
	off.Fetch.Offline = true
	urls, err := off.URLs(t.Context(), e.Files[0], "")
	var missing *fetch.OfflineError
	if err := fetch.Files(t.Context(), off.Store, []fetch.Item{{Name: "zig", URLs: urls, SHA256: e.Files[0].SHA256}}, off.Fetch); !errors.As(err, &missing) {
		t.Errorf("offline: %v", err)
	}
	if paths := x.Asked(); err != nil || len(paths) > 0 {
		t.Errorf("offline: asked %q, %v", paths, err)
	}
}

func TestPages(t *testing.T) {
	const at = "https://index.example/root/simple/tool/"
	sum := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		page string
		want []string // URLs
		err  bool
	}{
		"JSON":             {`{"meta": {"api-version": "1.0"}, "name": "Tool", "files": [{"filename": "tool-1-py3-none-any.whl", "url": "../../files/tool-1-py3-none-any.whl", "hashes": {"sha256": "` + sum + `"}}]}`, []string{"https://index.example/root/files/tool-1-py3-none-any.whl"}, false},
		"no SHA-256":       {`{"name": "tool", "files": [{"filename": "tool-1-py3-none-any.whl", "url": "tool-1-py3-none-any.whl", "hashes": {"md5": "00"}}]}`, nil, false},
		"of another":       {`{"name": "other", "files": []}`, nil, true},
		"later version":    {`{"meta": {"api-version": "2.0"}, "name": "tool", "files": []}`, nil, true},
		"cut JSON":         {`{"name": "tool", "files": [`, nil, true},
		"another file":     {`{"name": "tool", "files": [{"filename": "tool-1-py3-none-any.whl", "url": "https://x.example/evil.whl", "hashes": {"sha256": "` + sum + `"}}]}`, nil, true},
		"a file elsewhere": {`{"name": "tool", "files": [{"filename": "tool-1-py3-none-any.whl", "url": "ftp://x.example/tool-1-py3-none-any.whl", "hashes": {"sha256": "` + sum + `"}}]}`, nil, true},
		"HTML":             {`<html><body><h1>Links</h1><a href="/f/tool-1-py3-none-any.whl#sha256=` + sum + `">tool-1-py3-none-any.whl</a><A HREF="tool-2-py3-none-any.whl#md5=0">x</A><a href="#top">up</a></body></html>`, []string{"https://index.example/f/tool-1-py3-none-any.whl"}, false},
		"a base":           {`<html><head><base href="https://files.example/"></head><a href="p/tool-1-py3-none-any.whl#sha256=` + sum + `">tool</a>`, []string{"https://files.example/p/tool-1-py3-none-any.whl"}, false},
		"later HTML":       {`<html><meta name="pypi:repository-version" content="2.0"></html>`, nil, true},
		"text":             {`sorry`, nil, true},
		"nothing":          {``, nil, true},
	} {
		files, err := pypi.ParsePage("tool", at, []byte(c.page))
		var got []string
		for _, f := range files {
			got = append(got, f.URL)
		}
		if (err != nil) != c.err || c.err && !errors.Is(err, pypi.ErrPage) || !c.err && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func unpack(t *testing.T, w pypitest.Wheel, opt archive.UnpackOptions) (string, error) {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), w.Name)
	if err := os.WriteFile(file, w.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, pypi.Kind{}.Unpack(t.Context(), file, lock.File{}, dir, opt)
}

// TestUnpack: a wheel lies in the tree as it lies in the zip, and what its .data has where an installer puts it.
func TestUnpack(t *testing.T) {
	w := pypitest.New(t, "tool-1-py3-none-any.whl",
		pypitest.File{Name: "tool/"}, pypitest.File{Name: "tool/run", Body: "run", Mode: 0o700}, pypitest.File{Name: "tool/lib/std.zig", Body: "std"}, pypitest.File{Name: "lib/x.txt", Body: "x"},
		pypitest.File{Name: "tool-1.data/scripts/hello", Body: "#!/bin/sh\n", Mode: 0o755}, pypitest.File{Name: "tool-1.data/data/share/doc", Body: "doc"}, pypitest.File{Name: "tool-1.data/platlib/plat.txt", Body: "plat"},
		pypitest.File{Name: "tool-1.data/headers/tool.h", Body: "h"})
	opt := archive.UnpackOptions{Drop: []string{"tool-1.data/headers/**", "tool/lib/**"}, UsrMerge: true}
	dir, err := unpack(t, w, opt)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"tool/run": 0o755, "lib/x.txt": 0o644, "bin/hello": 0o755, "share/doc": 0o644, "plat.txt": 0o644, "tool-1.dist-info/RECORD": 0o644} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	for _, name := range []string{"tool/lib", "tool-1.data", "usr"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if _, err := unpack(t, w, archive.UnpackOptions{}); !errors.Is(err, pypi.ErrWheel) || !strings.Contains(err.Error(), "tool-1.data/headers/tool.h") {
		t.Errorf("headers: %v", err)
	}
}

func TestUnpackFaults(t *testing.T) {
	file := func(name, body string) pypitest.File { return pypitest.File{Name: name, Body: body} }
	info := "tool-1.dist-info/"
	plain := func(files ...pypitest.File) []byte {
		return pypitest.Zip(t, append(files, file(info+"METADATA", ""))...)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
		text string
	}{
		"no zip":            {[]byte("PK nothing"), pypi.ErrWheel, ""},
		"no dist-info":      {pypitest.Zip(t, file("tool/x", "")), pypi.ErrWheel, "no .dist-info"},
		"two dist-infos":    {plain(file("other-1.dist-info/METADATA", "")), pypi.ErrWheel, "both"},
		"leads out":         {plain(file("../x", "")), archive.ErrEscape, "../x"},
		"absolute":          {plain(file("/etc/x", "")), archive.ErrEscape, "/etc/x"},
		"backslash":         {plain(file(`a\..\x`, "")), nil, "backslash"},
		"out of .data":      {plain(file("tool-1.data/data/../../x", "")), archive.ErrEscape, ""},
		"a link":            {plain(pypitest.File{Name: "x", Body: "/etc/passwd", Mode: os.ModeSymlink | 0o777}), nil, "neither a file nor a directory"},
		"twice":             {plain(file("x", "1"), file("x", "2")), nil, "twice"},
		"twice by mapping":  {plain(file("x", "1"), file("tool-1.data/data/x", "2")), nil, "twice"},
		"not in RECORD":     {pypitest.Zip(t, file("x", ""), file(info+"RECORD", info+"RECORD,,\n")), pypi.ErrWheel, "no hash"},
		"not what RECORD":   {pypitest.Zip(t, file("x", "b"), file(info+"RECORD", "x,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,\n")), pypi.ErrWheel, "not what RECORD says"},
		"not the size":      {pypitest.Zip(t, file("x", ""), file(info+"RECORD", "x,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,1\n")), pypi.ErrWheel, "not what RECORD says"},
		"a weak hash":       {pypitest.Zip(t, file("x", ""), file(info+"RECORD", "x,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n")), pypi.ErrWheel, "none of sha256"},
		"a damaged RECORD":  {pypitest.Zip(t, file("x", ""), file(info+"RECORD", "x\n")), pypi.ErrWheel, "RECORD"},
		"a Python's script": {plain(file("tool-1.data/scripts/x", "#!python\n")), pypi.ErrWheel, "script of Python"},
	} {
		dir, err := unpack(t, pypitest.Wheel{Name: "tool-1-py3-none-any.whl", Data: c.data}, archive.UnpackOptions{})
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(filepath.Dir(dir), "x")); err == nil {
			t.Errorf("%s: a file lies outside of the tree", name)
		}
	}
	if _, err := unpack(t, pypitest.Wheel{Name: "tool-1-py3-none-any.whl", Data: plain(file("x", "1"))}, archive.UnpackOptions{}); err != nil {
		t.Errorf("a wheel without RECORD: %v", err)
	}
}

func TestConfig(t *testing.T) {
	home, root := t.TempDir(), t.TempDir()
	env := map[string]string{"HOME": home}
	write := func(file, text string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	index := func() string {
		t.Helper()
		c, err := pypi.ReadConfig(func(name string) string { return env[name] }, root)
		if err != nil {
			t.Fatal(err)
		}
		return c.Index
	}
	if got := index(); got != "" {
		t.Errorf("nothing is configured: %q", got)
	}
	write(filepath.Join(root, "etc/pip.conf"), "# machine\n[global]\ncert = /x\nindex-url = https://machine.example/simple/\n")
	if got := index(); got != "https://machine.example/simple" {
		t.Errorf("the machine's: %q", got)
	}
	write(filepath.Join(home, ".config/pip/pip.conf"), "[global]\nindex_url: https://user.example/simple\n[install]\nindex-url = https://install.example/simple\n[list]\nindex-url=https://wrong.example\n")
	if got := index(); got != "https://install.example/simple" {
		t.Errorf("the user's: %q", got)
	}
	env["PIP_CONFIG_FILE"] = filepath.Join(home, "own.conf")
	write(env["PIP_CONFIG_FILE"], "[global]\nindex-url = https://own.example/simple\n")
	if got := index(); got != "https://own.example/simple" {
		t.Errorf("PIP_CONFIG_FILE: %q", got)
	}
	env["PIP_CONFIG_FILE"] = os.DevNull
	if got := index(); got != "" {
		t.Errorf("PIP_CONFIG_FILE=/dev/null: %q", got)
	}
	env["PIP_INDEX_URL"] = "https://joe:s3cret@env.example/simple/"
	c, err := pypi.ReadConfig(func(name string) string { return env[name] }, root)
	if err != nil || c.Index != "https://env.example/simple" {
		t.Errorf("PIP_INDEX_URL: %q, %v", c.Index, err)
	}
	for at, want := range map[string]string{"https://env.example/packages/x.whl": "Basic am9lOnMzY3JldA==", "https://other.example/x.whl": ""} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Authorization(u); got != want {
			t.Errorf("%s: %q", at, got)
		}
	}
	env["PIP_INDEX_URL"] = "file:///s3cret"
	if _, err := pypi.ReadConfig(func(name string) string { return env[name] }, root); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("no URL of a server: %v", err)
	}
}
