// Package pypitest serves wheels as an index of Python packages does, for tests.
package pypitest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// A File is a file of a wheel.
type File struct {
	Name, Body string
	Mode       fs.FileMode // 0o644 for 0
}

// A Wheel is a wheel that an index has.
type Wheel struct {
	Name   string // ziglang-0.16.0-py3-none-any.whl
	Data   []byte
	Yanked bool
}

// New makes a wheel of files, with a RECORD of them.
func New(t testing.TB, name string, files ...File) Wheel {
	t.Helper()
	parts := strings.Split(name, "-")
	record := parts[0] + "-" + parts[1] + ".dist-info/RECORD"
	var lines strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		sum := sha256.Sum256([]byte(f.Body))
		fmt.Fprintf(&lines, "%s,sha256=%s,%d\n", f.Name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.Body))
	}
	lines.WriteString(record + ",,\n")
	return Wheel{Name: name, Data: Zip(t, append(files, File{Name: record, Body: lines.String()})...)}
}

// Zip makes a zip of files.
func Zip(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate}
		h.SetMode(f.Mode)
		if f.Mode == 0 {
			h.SetMode(0o644)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An Index is a server. Its files lie on another host than its pages, as PyPI's do.
type Index struct {
	URL   string // of the pages, without a slash at its end
	Files *httptest.Server
	HTML  bool // has no pages in JSON

	wheels map[string][]Wheel // by project

	mu    sync.Mutex
	asked []string
}

// Serve starts an index with wheels by project.
func Serve(t testing.TB, wheels map[string][]Wheel) *Index {
	t.Helper()
	x := &Index{wheels: wheels}
	pages := httptest.NewServer(http.HandlerFunc(x.page))
	x.Files = httptest.NewServer(http.HandlerFunc(x.file))
	t.Cleanup(pages.Close)
	t.Cleanup(x.Files.Close)
	x.URL = pages.URL + "/simple"
	return x
}

// Asked are the paths that were asked for since the last call.
func (x *Index) Asked() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.asked
	x.asked = nil
	return out
}

func (x *Index) note(r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, r.Method+" "+r.URL.Path)
}

func (x *Index) page(w http.ResponseWriter, r *http.Request) {
	x.note(r)
	project := path.Base(r.URL.Path)
	wheels, ok := x.wheels[project]
	if !ok || r.URL.Path != "/simple/"+project+"/" {
		http.NotFound(w, r)
		return
	}
	url := func(wheel Wheel) (at, sum string) {
		hash := sha256.Sum256(wheel.Data)
		sum = hex.EncodeToString(hash[:])
		return x.Files.URL + "/packages/" + sum[:2] + "/" + wheel.Name, sum
	}
	if x.HTML || !strings.Contains(r.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json") {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.1\">\n  </head>\n  <body>\n")
		for _, wheel := range wheels {
			at, sum := url(wheel)
			yanked := ""
			if wheel.Yanked {
				yanked = ` data-yanked="broken &amp; gone"`
			}
			fmt.Fprintf(w, "<a href=\"%s#sha256=%s\" data-requires-python=\"&gt;=3.5\"%s>%s</a><br>\n", html.EscapeString(at),
				sum, yanked, wheel.Name)
		}
		fmt.Fprint(w, "</body></html>\n")
		return
	}
	type file struct {
		Name   string            `json:"filename"`
		URL    string            `json:"url"`
		Hashes map[string]string `json:"hashes"`
		Size   int               `json:"size"`
		Yanked any               `json:"yanked"`
	}
	var list []file
	for _, wheel := range wheels {
		at, sum := url(wheel)
		f := file{Name: wheel.Name, URL: at, Hashes: map[string]string{"sha256": sum}, Size: len(wheel.Data), Yanked: false}
		if wheel.Yanked {
			f.Yanked = "broken"
		}
		list = append(list, f)
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	json.NewEncoder(w).Encode(map[string]any{"meta": map[string]string{"api-version": "1.1"},
		"name": project, "files": list})
}

func (x *Index) file(w http.ResponseWriter, r *http.Request) {
	x.note(r)
	for _, wheels := range x.wheels {
		for _, wheel := range wheels {
			if path.Base(r.URL.Path) == wheel.Name {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wheel.Data))
				return
			}
		}
	}
	http.NotFound(w, r)
}
