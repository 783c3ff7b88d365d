package pypi

import (
	"archive/zip"
	"bytes"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/archive"
	"xbuild/internal/platform"
)

// FuzzPage: whatever a page says, a file that comes out is a wheel of the project, with a hash and an absolute URL.
func FuzzPage(f *testing.F) {
	sum := strings.Repeat("ab", 32)
	f.Add("tool", []byte(`{"meta": {"api-version": "1.1"}, "name": "tool", "files": [{"filename": "tool-1-py3-none-any.whl", "url": "x/tool-1-py3-none-any.whl", "hashes": {"sha256": "`+sum+`"}, "size": 1, "yanked": "why"}]}`))
	f.Add("tool", []byte(`<!DOCTYPE html><html><head><base href="//x/y/"><meta name="pypi:repository-version" content="1.0"></head><a href="tool-1-py3-none-any.whl#sha256=`+sum+`" data-yanked>x</a>`))
	f.Fuzz(func(t *testing.T, project string, page []byte) {
		files, err := ParsePage(project, "https://index.example/simple/tool/", page)
		if err != nil {
			return
		}
		for _, x := range files {
			u, err := url.Parse(x.URL)
			if err != nil || !u.IsAbs() || x.Project != Normalized(project) || len(x.SHA256) != 64 || x.Size < 0 || path.Base(u.Path) != x.Name || strings.ContainsAny(x.Name, "/\\\n") {
				t.Errorf("%+v", x)
			}
		}
	})
}

// FuzzWheel: the name of a wheel is one word of a path, and a version that it has reads the same again.
func FuzzWheel(f *testing.F) {
	f.Add("ziglang-0.16.0-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl")
	f.Add("a.b_c-1!2.0rc1.post2.dev3+local-1-py2.py3-none-any.whl")
	host, err := platform.Parse("linux/amd64")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if v, err := ParseVersion(name); err == nil {
			again, err := ParseVersion(v.String())
			if err != nil || again.String() != v.String() || !again.Equal(v) {
				t.Errorf("%q is %q, and that %q: %v", name, v, again, err)
			}
		}
		exactly(name)
		w, err := ParseWheel(name)
		if err != nil {
			return
		}
		if path.Base(name) != name || len(name) > maxName || !ValidName(strings.Trim(w.Project, "-")) && strings.Trim(w.Project, "-") != "" {
			t.Errorf("%q is %+v", name, w)
		}
		w.Fits(host)
	})
}

// FuzzRecord: a line that comes out has a hash of its algorithm's length, or none.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("x,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"a,b\",,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseRecord(bytes.NewReader(data))
		if err != nil {
			return
		}
		for name, r := range lines {
			if r.size < -1 || r.hash == 0 && r.sum != nil || r.hash != 0 && len(r.sum) != r.hash.Size() {
				t.Errorf("%q: %+v", name, r)
			}
		}
	})
}

// FuzzUnpack: no wheel writes outside of its tree, or more than it says.
func FuzzUnpack(f *testing.F) {
	seed := func(files ...string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range files {
			w, err := z.Create(name)
			if err != nil {
				f.Fatal(err)
			}
			w.Write([]byte("content of " + name))
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	seed("tool-1.dist-info/METADATA", "tool/x", "tool-1.data/scripts/y")
	seed("tool-1.dist-info/METADATA", "../x", "tool-1.data/data/../../../y")
	seed("tool-1.dist-info/RECORD")
	f.Fuzz(func(t *testing.T, data []byte) {
		top := t.TempDir()
		dir := filepath.Join(top, "tree")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		unpack(t.Context(), bytes.NewReader(data), int64(len(data)), dir, archive.UnpackOptions{})
		entries, err := os.ReadDir(top)
		if err != nil || len(entries) != 1 {
			t.Errorf("beside the tree: %v %v", entries, err)
		}
	})
}
