package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/store"
)

// A debs is an archive of packages and what was asked of it.
type debs struct {
	t     *testing.T
	url   string
	mu    sync.Mutex
	bodys map[string][]byte
	asked []string
}

func newDebs(t *testing.T) *debs {
	d := &debs{t: t, bodys: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		d.mu.Lock()
		defer d.mu.Unlock()
		if r.Method == http.MethodGet {
			d.asked = append(d.asked, name)
		}
		w.Write(d.bodys[name])
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// had are the packages that were asked for since, sorted.
func (d *debs) had() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Sorted(slices.Values(d.asked))
	d.asked = nil
	return out
}

func (d *debs) deb(name, script string, files ...archivetest.File) lock.File {
	d.t.Helper()
	body, err := archivetest.Deb(archivetest.Package{Name: name, Files: files, PostInst: script})
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	d.bodys[name] = body
	return lock.File{Name: name, Version: "1.0", Arch: "all", Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), Path: name, Archive: catalog.Debian}
}

func (d *debs) composer(st *store.Store) *Composer {
	return &Composer{Store: st, Fetch: fetch.Options{Retries: -1, Command: "xbuild fetch"}, URLs: func(_ context.Context, f lock.File) ([]string, error) {
		return []string{d.url + "/" + f.Path}, nil
	}}
}

// A package is fetched once for all sysroots, lies in the store once, and is fetched again where the trees that had it
// are gone or damaged.
func TestPackagesAreKeptOnce(t *testing.T) {
	d := newDebs(t)
	libc := d.deb("libc", "", archivetest.File{Name: "./usr/include/stdio.h", Body: "int puts(const char *);\n"}, archivetest.File{Name: "./lib/libc.so.6", Body: "libc"},
		archivetest.File{Name: "./usr/lib/libc.so", Link: "../../lib/libc.so.6"})
	blas := d.deb("blas", "#!/bin/sh\nupdate-alternatives --install /usr/lib/libblas.so libblas.so /usr/lib/blas/libblas.so 10\n",
		archivetest.File{Name: "./usr/lib/blas/libblas.so", Body: "blas"})
	zlib := d.deb("zlib", "", archivetest.File{Name: "./usr/include/zlib.h", Body: "int deflate(void);\n"})
	tool := d.deb("tool", "", archivetest.File{Name: "./usr/bin/tool", Body: "#!/bin/sh\n", Mode: 0o755})

	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	c := d.composer(st)
	def := &catalog.Sysroot{Name: "glibc", Drop: []string{"usr/share/**"}}
	sysroot := func(files ...lock.File) Sysroot {
		return NewSysroot(st.Dir(), def, lock.Sysroot{Name: "glibc", Arch: "arm64", Suite: "trixie", Files: files})
	}
	compose := func(s Sysroot, want ...string) {
		t.Helper()
		if err := c.All(t.Context(), Set{Sysroots: []Sysroot{s}}); err != nil {
			t.Fatal(err)
		}
		if had := d.had(); !slices.Equal(had, want) {
			t.Errorf("fetched %v, want %v", had, want)
		}
		if files, err := os.ReadDir(filepath.Join(st.Dir(), "files")); err != nil || len(files) > 0 {
			t.Errorf("files are kept beside the trees: %v, %v", files, err)
		}
	}
	one, two, three := sysroot(libc, blas), sysroot(libc, blas, zlib), sysroot(blas, zlib)
	compose(one, "blas", "libc")
	compose(two, "zlib")
	compose(three)
	// What was left of a process that was killed before it dropped it goes with the next tree that is made.
	if _, err := st.AddFile(t.Context(), libc.SHA256, libc.Size, func(tmp string) error { return os.WriteFile(tmp, d.bodys["libc"], 0o644) }); err != nil {
		t.Fatal(err)
	}
	if err := c.All(t.Context(), Set{Sysroots: []Sysroot{one, sysroot(zlib)}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := st.File(libc.SHA256); ok {
		t.Error("a package was left beside its tree")
	}
	for _, s := range []Sysroot{one, two, three} {
		if to, err := os.Readlink(filepath.Join(s.Dir, "usr/lib/libblas.so")); err != nil || to != "blas/libblas.so" {
			t.Errorf("the alternative leads to %q, %v", to, err)
		}
	}

	// A sysroot made of what is there is the one that is unpacked.
	fresh, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.composer(fresh).All(t.Context(), Set{Sysroots: []Sysroot{two}}); err != nil {
		t.Fatal(err)
	}
	d.had()
	want, err := os.ReadFile(fresh.TreePath(two.Key) + ".manifest")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(st.TreePath(two.Key) + ".manifest"); err != nil || string(got) != string(want) {
		t.Errorf("%v: of what is there the tree is\n%s\nunpacked\n%s", err, got, want)
	}

	// A toolchain's packages are edited, and are none for another tree.
	toolchain := &catalog.Toolchain{Name: "tool", Programs: map[string]string{"tool": "usr/bin/tool"}, Sources: []catalog.Source{{Suite: "trixie"}}}
	tc, err := NewToolchain(st.Dir(), toolchain, lock.Toolchain{Name: "tool", Version: "1", Host: "linux/amd64", Files: []lock.File{tool}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.All(t.Context(), Set{Toolchains: []Toolchain{tc}}); err != nil {
		t.Fatal(err)
	}
	d.had()
	other := *def
	other.Drop = nil
	compose(NewSysroot(st.Dir(), &other, lock.Sysroot{Name: "glibc", Arch: "arm64", Suite: "trixie", Files: []lock.File{zlib}}), "zlib") // unpacked in another way

	// What all trees share is damaged in all: offline that is an error that says what to do, and online it is fetched.
	if err := os.WriteFile(filepath.Join(one.Dir, "usr/lib/libc.so.6"), []byte("Libc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Verify(t.Context(), true, nil); err != nil {
		t.Fatal(err)
	}
	c.Fetch.Offline = true
	var offline *fetch.OfflineError
	if err := c.All(t.Context(), Set{Sysroots: []Sysroot{one}}); !errors.As(err, &offline) || !strings.Contains(err.Error(), "libc 1.0 all") || strings.Contains(err.Error(), "blas") {
		t.Errorf("offline, without what was damaged: %v", err)
	}
	c.Fetch.Offline = false
	compose(one, "libc")

	// The same where nobody has looked.
	if err := os.WriteFile(filepath.Join(one.Dir, "usr/include/stdio.h"), []byte("int Puts(const char *);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	compose(two, "libc")
	if text, err := os.ReadFile(filepath.Join(two.Dir, "usr/include/stdio.h")); err != nil || string(text) != "int puts(const char *);\n" {
		t.Errorf("the damage came into another tree: %q, %v", text, err)
	}
}

// Several compose at once what has packages in common; none takes from another what that is about to unpack.
func TestPackagesOfSeveral(t *testing.T) {
	d := newDebs(t)
	var files []lock.File
	for i := range 12 {
		name := fmt.Sprintf("p%d", i)
		files = append(files, d.deb(name, "", archivetest.File{Name: "./usr/lib/" + name, Body: strings.Repeat(name, 1000)}))
	}
	dir := filepath.Join(t.TempDir(), "store")
	var wg sync.WaitGroup
	for i := range files {
		wg.Go(func() {
			st, err := store.Open(dir) // as another process
			if err != nil {
				t.Error(err)
				return
			}
			s := NewSysroot(st.Dir(), &catalog.Sysroot{Name: "glibc"}, lock.Sysroot{Name: "glibc", Arch: "arm64", Suite: fmt.Sprint("s", i), Files: slices.Concat(files[i:], files[:i])})
			tc, err := NewToolchain(st.Dir(), &catalog.Toolchain{Name: fmt.Sprint("t", i)}, lock.Toolchain{Name: fmt.Sprint("t", i), Version: "1", Host: "linux/amd64", Files: files[:i]})
			if err != nil {
				t.Error(err)
				return
			}
			if err := d.composer(st).All(t.Context(), Set{Sysroots: []Sysroot{s}, Toolchains: []Toolchain{tc}}); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := st.Verify(t.Context(), false, func(p store.Problem) { t.Error(p) }); err != nil || sum.Files > 0 || sum.Trees != 2*len(files) {
		t.Errorf("the store holds %+v, %v", sum, err)
	}
}
