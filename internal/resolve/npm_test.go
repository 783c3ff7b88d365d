package resolve

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/origin/npm"
)

// A registry serves packages as an npm registry does.
type registry struct {
	*httptest.Server
	tarballs map[string][]byte   // by path
	versions map[string][]string // by package
	token    string              // wanted where it is not empty

	mu    sync.Mutex
	asked []string
}

func npmOf(a *Archive) *npm.Archive { return a.archive(catalog.NPM).(*npm.Archive) }

func newRegistry(t *testing.T, versions map[string][]string) *registry {
	t.Helper()
	r := &registry{tarballs: map[string][]byte{}, versions: versions}
	for name, list := range versions {
		for _, v := range list {
			data, err := archivetest.Tar([]archivetest.File{{Name: "package/package.json", Body: `{"name": "` + name + `", "version": "` + v + `"}`}})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write(data)
			z.Close()
			r.tarballs["/"+name+"/-/"+name+"-"+v+".tgz"] = b.Bytes()
		}
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, req.URL.Path)
	r.mu.Unlock()
	if r.token != "" && req.Header.Get("Authorization") != "Bearer "+r.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if data, ok := r.tarballs[req.URL.Path]; ok {
		w.Write(data)
		return
	}
	name := strings.TrimPrefix(req.URL.Path, "/")
	list, ok := r.versions[name]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var out []string
	for _, v := range list {
		path := "/" + name + "/-/" + name + "-" + v + ".tgz"
		sum := sha512.Sum512(r.tarballs[path])
		// A mirror's document often names the host of the original.
		out = append(out, fmt.Sprintf(`%q: {"dist": {"tarball": "https://registry.example%s", "integrity": "sha512-%s"}}`, v, path, base64.StdEncoding.EncodeToString(sum[:])))
	}
	fmt.Fprintf(w, `{"name": %q, "versions": {%s}}`, name, strings.Join(out, ","))
}

// tool is a toolchain of npm's whose programs run with a package of the Debian archive.
var tool = &catalog.Toolchain{Name: "tool", Package: "tool-{node}", Packages: []string{"tool-{node}"}, Runtime: []string{"libhello1"},
	Sources: []catalog.Source{{Archive: "npm", Suite: "^2", Runtime: "trixie"}, {Archive: "npm", Suite: "^1", Runtime: "trixie"}}}

// include is a sysroot in the versions that a project names.
var include = &catalog.Sysroot{Name: "include", Archive: "npm", Packages: []string{"include"}}

func TestNPM(t *testing.T) {
	a, _ := open(t, archivetest.New(t))
	r := newRegistry(t, map[string][]string{"tool-x64": {"1.0.0", "2.0.0", "2.10.0", "3.0.0"}, "tool-arm64": {"1.0.0", "2.9.0"}, "include": {"20.1.0", "20.11.0", "22.3.0"}})
	a.NPM = []string{r.URL}
	req := Requests{
		Toolchains: []ToolchainRequest{{Def: tool}},
		Sysroots:   []SysrootRequest{{Def: include, Arch: "all", Suite: "20", Where: "xbuild.toml:3"}, {Def: include, Arch: "all", Suite: "^22", Where: "xbuild.toml:3"}},
	}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"linux/amd64": "2.10.0", "linux/arm64": "2.9.0"} {
		e, ok := FindToolchain(l, req.Toolchains[0], host)
		if !ok || e.Version != want || e.Archive != "npm" || e.Suite != "^2" || e.Date != "20260102T030405Z" {
			t.Errorf("host %s: %+v, want version %s of the first source", host, e, want)
			continue
		}
		def, ok := SourceOf(tool, e)
		if !ok || def.Package != e.Roots[0] {
			t.Errorf("host %s: its source is %+v", host, def)
		}
		var npms, debians int
		for _, f := range e.Files {
			switch f.Archive {
			case "":
				npms++
				data := r.tarballs["/"+f.Path]
				sum := sha256.Sum256(data)
				if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(data)) {
					t.Errorf("host %s: %+v is not the tarball", host, f)
				}
			case "debian":
				debians++
			}
		}
		if npms != 1 || debians == 0 {
			t.Errorf("host %s: %d files of npm and %d of Debian: %+v", host, npms, debians, e.Files)
		}
	}
	for suite, want := range map[string]string{"20": "20.11.0", "^22": "22.3.0"} {
		if e, ok := FindSysroot(l, SysrootRequest{Def: include, Arch: "all", Suite: suite}); !ok || e.Version != want {
			t.Errorf("include %s: %+v, want %s", suite, e, want)
		}
	}
	// A lock that is read again answers the same, and a new process with this store fetches no package again.
	file := t.TempDir() + "/xbuild.lock"
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	back, err := lock.Read(file)
	if err != nil || !back.Equal(l) {
		t.Fatalf("the lock does not survive: %v", err)
	}
	for _, e := range l.Toolchains {
		for _, f := range e.Files {
			if h, ok := a.Store.Hold(f.SHA256); ok {
				h.Drop() // as it is once its tree stands
			}
		}
	}
	r.asked = nil
	b := again(a)
	b.NPM = a.NPM
	if _, err := b.Update(t.Context(), l, req, true, false); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(r.asked, func(p string) bool { return strings.HasSuffix(p, ".tgz") }) {
		t.Errorf("locked anew, what the store has was fetched: %q", r.asked)
	}
}

func TestNPMFaults(t *testing.T) {
	test := archivetest.New(t)
	fresh := func(r *registry) *Archive {
		a, _ := open(t, test)
		a.NPM = []string{r.URL}
		return a
	}
	r := newRegistry(t, map[string][]string{"tool-x64": {"1.0.0"}, "tool-arm64": {"1.0.0"}, "include": {"20.1.0"}})

	_, err := fresh(r).Sysroot(t.Context(), SysrootRequest{Def: include, Arch: "all", Suite: "19", Where: `xbuild.toml:7: target "x"`})
	if !errors.Is(err, origin.ErrNoVersion) || !strings.Contains(err.Error(), `xbuild.toml:7: target "x"`) || !strings.Contains(err.Error(), "20.1.0") {
		t.Errorf("a version that there is not: %v", err)
	}
	_, err = fresh(r).Toolchain(t.Context(), ToolchainRequest{Def: tool, Constraint: "^3", Where: "xbuild.toml:9"}, "linux/amd64")
	if !errors.Is(err, origin.ErrNoVersion) || !strings.Contains(err.Error(), "xbuild.toml:9") || !strings.Contains(err.Error(), "1.0.0 (^1)") {
		t.Errorf("a constraint that nothing satisfies: %v", err)
	}
	if e, err := fresh(r).Toolchain(t.Context(), ToolchainRequest{Def: tool, Constraint: "^1"}, "linux/amd64"); err != nil || e.Suite != "^1" {
		t.Errorf("the second source: %+v %v", e, err)
	}

	changed := newRegistry(t, map[string][]string{"include": {"20.1.0"}})
	a := fresh(changed)
	if _, err := npmOf(a).Releases(t.Context(), "include"); err != nil {
		t.Fatal(err)
	}
	changed.tarballs["/include/-/include-20.1.0.tgz"] = []byte("something else")
	if _, err = a.Sysroot(t.Context(), SysrootRequest{Def: include, Arch: "all", Suite: "20"}); !errors.Is(err, npm.ErrMismatch) {
		t.Errorf("a tarball that is not the document's: %v", err)
	}

	private := newRegistry(t, map[string][]string{"include": {"20.1.0"}})
	private.token = "s3cret"
	if _, err := npmOf(fresh(private)).Releases(t.Context(), "include"); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "XBUILD_NPM_MIRROR") {
		t.Errorf("a registry that wants credentials: %v", err)
	}
	a = fresh(private)
	u, _ := url.Parse(private.URL)
	a.Fetch.Authorization = func(asked *url.URL) string {
		if asked.Host == u.Host {
			return "Bearer s3cret"
		}
		return ""
	}
	if _, err := a.Sysroot(t.Context(), SysrootRequest{Def: include, Arch: "all", Suite: "20"}); err != nil {
		t.Errorf("with credentials: %v", err)
	}

	a, _ = open(t, test)
	if _, err := npmOf(a).Releases(t.Context(), "include"); err == nil || !strings.Contains(err.Error(), "no registry") {
		t.Errorf("without a registry: %v", err)
	}
	a = fresh(r)
	a.Fetch.Offline = true
	var offline *fetch.OfflineError
	if releases, err := npmOf(a).Releases(t.Context(), "include"); err == nil {
		if _, err = npmOf(a).Tarball(t.Context(), "include", releases[0]); !errors.As(err, &offline) {
			t.Errorf("offline: %v", err)
		}
	}
}
