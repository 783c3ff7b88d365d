package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xbuild/internal/store"
)

// A server serves files, and one fault after the other where it is told to.
type server struct {
	*httptest.Server
	files map[string][]byte

	mu     sync.Mutex
	faults map[string][]fault
	log    []string // "GET /path" or "GET /path bytes=5-"
}

// A fault answers instead of the file.
type fault func(w http.ResponseWriter, r *http.Request, file []byte)

func serve(t testing.TB, files map[string][]byte) *server {
	s := &server{files: files, faults: map[string][]fault{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) fail(path string, f ...fault) { s.faults[path] = append(s.faults[path], f...) }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
	var f fault
	if q := s.faults[r.URL.Path]; len(q) > 0 && r.Method == http.MethodGet {
		f, s.faults[r.URL.Path] = q[0], q[1:]
	}
	s.mu.Unlock()
	file, ok := s.files[r.URL.Path]
	switch {
	case f != nil:
		f(w, r, file)
	case !ok:
		http.NotFound(w, r)
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	}
}

// requests is the log without the connection's HEADs.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.log), func(l string) bool { return strings.HasPrefix(l, "HEAD") })
}

func status(code int) fault {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) { http.Error(w, "no", code) }
}

// cut sends n bytes of what was asked for and breaks the connection.
func cut(n int) fault {
	return func(w http.ResponseWriter, r *http.Request, file []byte) {
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(file)-1, len(file)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(file)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(file[from : from+n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// stall sends n bytes and then nothing until the client goes away.
func stall(n int) fault {
	return func(w http.ResponseWriter, r *http.Request, file []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		_, _ = w.Write(file[:n])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// send answers with something else.
func send(data []byte) fault {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) { _, _ = w.Write(data) }
}

func always(f fault) []fault { return slices.Repeat([]fault{f}, 50) }

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

func item(name string, data []byte, urls ...string) Item {
	h := sha256.Sum256(data)
	return Item{Name: name, URLs: urls, SHA256: hex.EncodeToString(h[:]), Size: int64(len(data))}
}

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// fast is the options of the tests: the pauses of real life are too long.
var fast = Options{Backoff: time.Millisecond}

// have fails unless the store has exactly that, and nothing unfinished.
func have(t *testing.T, st *store.Store, files ...[]byte) {
	t.Helper()
	for _, data := range files {
		it := item("", data)
		p, ok := st.File(it.SHA256)
		if !ok {
			t.Errorf("the store does not have %.10x…", data)
			continue
		}
		if got, err := os.ReadFile(p); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the store has %d bytes (%v), want %d, as they were served", len(got), err, len(data))
		}
	}
	info, err := st.Info()
	if err != nil || info.Files.Count != len(files) || info.Temporary.Count != 0 {
		t.Errorf("the store holds %+v, %v, want %d files and nothing temporary", info, err, len(files))
	}
}

func TestFiles(t *testing.T) {
	st := open(t)
	a, b, c := random(1000), random(300_000), random(7)
	s := serve(t, map[string][]byte{"/a+b~1.deb": a, "/b.tar.xz": b, "/c.zip": c})
	var out bytes.Buffer
	opt := fast
	opt.Progress = NewProgress(&out, false)
	items := []Item{
		item("a", a, s.URL+"//a+b~1.deb"),              // go-getter sees a subdirectory in a double slash
		item("b", b, s.URL+"/b.tar.xz?archive=tar.xz"), // and unpacks what looks like an archive
		item("c", c, s.URL+"/c.zip"),
	}
	if err := Files(t.Context(), st, items, opt); err != nil {
		t.Fatal(err)
	}
	have(t, st, a, b, c)
	if n := len(s.requests()); n != 3 || len(s.log) != 3 {
		t.Errorf("3 files took the requests %v", s.log)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || lines[0] != "fetching 3 files, 0.3 MB" || !strings.HasPrefix(lines[1], "fetched 3 files, 0.3 MB in ") {
		t.Errorf("the messages are %q", lines)
	}

	// Nothing to do: no request, no message.
	out.Reset()
	if err := Files(t.Context(), st, items, opt); err != nil {
		t.Fatal(err)
	}
	if len(s.log) != 3 || out.Len() > 0 {
		t.Errorf("with all in the store there were the requests %v and the messages %q", s.log[3:], out.String())
	}
}

func TestFileURL(t *testing.T) {
	st := open(t)
	data := random(5000)
	p := filepath.Join(t.TempDir(), "libstdc++ 6.deb")
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
	u := "file://" + strings.NewReplacer("+", "%2b", " ", "%20").Replace(p)
	if err := Files(t.Context(), st, []Item{item("a", data, "file:///nowhere", u)}, fast); err != nil {
		t.Fatal(err)
	}
	have(t, st, data)
	if st, err := os.Lstat(p); err != nil || st.Mode() != 0o644 {
		t.Errorf("the source's mode is now %v (%v)", st.Mode(), err)
	}
	if got, _, err := (Options{}).Bytes(t.Context(), open(t), []string{u}, 5000); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Bytes has %d bytes, %v", len(got), err)
	}
}

func TestResume(t *testing.T) {
	data := random(100_000)
	t.Run("cut twice", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", cut(30_000), cut(20_000))
		if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
		if want := []string{"GET /f", "GET /f bytes=30000-", "GET /f bytes=50000-"}; !slices.Equal(s.requests(), want) {
			t.Errorf("the requests were %q, want %q", s.requests(), want)
		}
	})
	t.Run("slow but steady", func(t *testing.T) {
		// More cuts than retries, but each brings something.
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", slices.Repeat([]fault{cut(9_000)}, 11)...)
		if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
	})
	t.Run("the server has no ranges", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", cut(30_000), send(data), send(data))
		if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
		if want := []string{"GET /f", "GET /f bytes=30000-", "GET /f"}; !slices.Equal(s.requests(), want) {
			t.Errorf("the requests were %q, want %q", s.requests(), want)
		}
	})
	t.Run("another file meanwhile", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", func(w http.ResponseWriter, r *http.Request, file []byte) { cut(30_000)(w, r, random(100_000-1)) })
		it := item("f", data, s.URL+"/f")
		it.Size = 0 // else the size tells
		if err := Files(t.Context(), st, []Item{it}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
		if want := []string{"GET /f", "GET /f bytes=30000-", "GET /f"}; !slices.Equal(s.requests(), want) {
			t.Errorf("the requests were %q, want %q", s.requests(), want)
		}
	})
	t.Run("cut for good", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", always(cut(0))...)
		err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, fast)
		if err == nil || !strings.Contains(err.Error(), s.URL+"/f: ") || !strings.Contains(err.Error(), "(tried 5 times)") {
			t.Errorf("error is %v, want the URL and the number of attempts", err)
		}
		have(t, st)
	})
}

func TestWrong(t *testing.T) {
	data, evil := random(1000), random(1001)[:1000]
	for name, c := range map[string]struct {
		served []byte
		size   int64
		want   []string
	}{
		"content":          {evil, 1000, []string{item("", evil).SHA256, item("", data).SHA256, "another file"}},
		"size":             {random(1001), 1000, []string{"1001 bytes, wanted are 1000", "another file"}},
		"content and size": {random(1001), 0, []string{item("", random(1001)).SHA256}},
		"short":            {data[:999], 1000, []string{"999 bytes, wanted are 1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			st, s := open(t), serve(t, map[string][]byte{"/f": c.served, "/good": data})
			it := item("f", data, s.URL+"/f")
			it.Size = c.size
			err := Files(t.Context(), st, []Item{it}, fast)
			for _, w := range append(c.want, s.URL+"/f") {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error is %v, want %q in it", err, w)
				}
			}
			have(t, st)
			if len(s.log) != 1 {
				t.Errorf("a wrong file was asked for again: %q", s.log)
			}
			it.URLs = append(it.URLs, s.URL+"/good")
			if err := Files(t.Context(), st, []Item{it}, fast); err != nil {
				t.Errorf("with a good second mirror: %v", err)
			}
			have(t, st, data)
		})
	}
	t.Run("endless", func(t *testing.T) {
		var sent atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil { // no Content-Length
				n, err := w.Write(evil)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}))
		defer s.Close()
		st := open(t)
		err := Files(t.Context(), st, []Item{item("f", data, s.URL)}, fast)
		if err == nil || !strings.Contains(err.Error(), "more than the 1000 bytes wanted") {
			t.Errorf("error is %v", err)
		}
		have(t, st)
	})
}

func TestMirrors(t *testing.T) {
	data := random(1000)
	empty, s := serve(t, nil), serve(t, map[string][]byte{"/f": data})
	gone := httptest.NewServer(nil)
	gone.Close() // nobody listens there

	t.Run("404, then the second", func(t *testing.T) {
		st := open(t)
		if err := Files(t.Context(), st, []Item{item("f", data, empty.URL+"/f", s.URL+"/f")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
		if len(empty.log) != 1 {
			t.Errorf("the first was asked %q, want once", empty.log)
		}
	})
	t.Run("unreachable, then the second", func(t *testing.T) {
		st := open(t)
		if err := Files(t.Context(), st, []Item{item("f", data, gone.URL+"/f", s.URL+"/f")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
	})
	t.Run("an unreachable host is learned", func(t *testing.T) {
		st := open(t)
		dials := atomic.Int32{}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		f := newFetcher(Options{Backoff: time.Millisecond, Jobs: 1}.withDefaults())
		dial := f.base.DialContext
		f.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == l.Addr().String() {
				dials.Add(1)
			}
			return dial(ctx, network, addr)
		}
		for range 5 {
			if err := f.item(t.Context(), st, item("f", data, "http://"+l.Addr().String()+"/f", s.URL+"/f"), nil); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(mustFile(t, st, data)); err != nil {
				t.Fatal(err)
			}
		}
		if dials.Load() != 2 {
			t.Errorf("the dead host was dialled %d times for 5 files, want 2 (once and once more)", dials.Load())
		}
	})
	t.Run("none", func(t *testing.T) {
		st := open(t)
		err := Files(t.Context(), st, []Item{item("libfoo.deb", data, empty.URL+"/f", gone.URL+"/f")}, fast)
		for _, w := range []string{"libfoo.deb could not be fetched", empty.URL + "/f: 404 Not Found", gone.URL + "/f: ", "connection refused", "\nhint: "} {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error is %v, want %q in it", err, w)
			}
		}
		have(t, st)
	})
	t.Run("404 everywhere", func(t *testing.T) {
		err := Files(t.Context(), open(t), []Item{item("f", data, empty.URL+"/f")}, fast)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "xbuild lock --update") {
			t.Errorf("error is %v, want ErrNotFound and what to do", err)
		}
	})
	t.Run("a password stays hidden", func(t *testing.T) {
		err := Files(t.Context(), open(t), []Item{item("f", data, strings.Replace(empty.URL, "//", "//me:secret@", 1)+"/f")}, fast)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("another scheme", func(t *testing.T) {
		for _, u := range []string{"ftp://host/f", "git::https://host/f", "/etc/passwd", "s3::http://host/f"} {
			if err := Files(t.Context(), open(t), []Item{item("f", data, u)}, fast); err == nil || !strings.Contains(err.Error(), "want http, https or file") {
				t.Errorf("%s: error is %v", u, err)
			}
		}
	})
}

// TestGone: gone is what a server that answers says it has not, and no other has.
func TestGone(t *testing.T) {
	t.Parallel()
	data := random(100)
	s := serve(t, map[string][]byte{"/there": data})
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer broken.Close()
	st := open(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	dead := "http://127.0.0.1:1/x"
	for _, c := range []struct {
		urls []string
		gone bool
	}{
		{[]string{s.URL + "/there"}, false},
		{[]string{s.URL + "/nowhere"}, true},
		{[]string{s.URL + "/nowhere", s.URL + "/there"}, false},
		{[]string{dead, s.URL + "/nowhere"}, true},
		{[]string{s.URL + "/nowhere", dead}, true},
		{[]string{dead}, false},
		{[]string{broken.URL}, false},
		{[]string{"file://" + file}, false},
		{[]string{"file://" + filepath.Join(dir, "g")}, true},
	} {
		got, err := Gone(t.Context(), st, []Item{item("it", data, c.urls...)}, Options{})
		if err != nil || (len(got) == 1) != c.gone {
			t.Errorf("%q: gone %v, %v, want %v", c.urls, got, err, c.gone)
		}
	}
	if err := Files(t.Context(), st, []Item{item("it", data, s.URL+"/there")}, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := Gone(t.Context(), st, []Item{item("it", data, s.URL+"/nowhere")}, Options{}); err != nil || len(got) > 0 {
		t.Errorf("what the store has is gone: %v, %v", got, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Gone(cancelled, open(t), []Item{item("it", data, s.URL+"/there")}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func mustFile(t *testing.T, st *store.Store, data []byte) string {
	t.Helper()
	p, ok := st.File(item("", data).SHA256)
	if !ok {
		t.Fatal("the file is not in the store")
	}
	return p
}

func TestRetry(t *testing.T) {
	data := random(1000)
	for name, c := range map[string]struct {
		faults   []fault
		requests int
		fails    string
	}{
		"503 twice":   {[]fault{status(503), status(503)}, 3, ""},
		"429":         {[]fault{status(429)}, 2, ""},
		"reset":       {[]fault{cut(0)}, 2, ""},
		"503 always":  {always(status(503)), 5, "503 Service Unavailable (tried 5 times)"},
		"403 at once": {always(status(403)), 1, "403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			st, s := open(t), serve(t, map[string][]byte{"/f": data})
			s.fail("/f", c.faults...)
			err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, fast)
			if c.fails == "" {
				if err != nil {
					t.Fatal(err)
				}
				have(t, st, data)
			} else if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error is %v, want %q in it", err, c.fails)
			}
			if n := len(s.requests()); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
	t.Run("no retries", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/f": data})
		s.fail("/f", status(503))
		if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, Options{Retries: -1}); err == nil || len(s.log) != 1 {
			t.Errorf("%v after %q", err, s.log)
		}
	})
}

// TestSlowMirror: a mirror that sends too little is left for the next one, and kept where there is none.
func TestSlowMirror(t *testing.T) {
	t.Parallel()
	data := random(12_000)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		for part := range slices.Chunk(data, 500) { // 5 kB/s
			if _, err := w.Write(part); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}))
	defer slow.Close()
	quick := serve(t, map[string][]byte{"/f": data})
	var said []string
	opt := Options{Slow: 500 * time.Millisecond, Notice: func(m string) { said = append(said, m) }}
	st := open(t)
	start := time.Now()
	if err := Files(t.Context(), st, []Item{item("f", data, slow.URL+"/f", quick.URL+"/f")}, opt); err != nil {
		t.Fatal(err)
	}
	have(t, st, data)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(said) != 1 || !strings.Contains(said[0], slow.URL) || !strings.Contains(said[0], "less than 10 kB/s for 500ms: asking the next mirror") {
		t.Errorf("said %q", said)
	}
	st, said = open(t), nil
	if err := Files(t.Context(), st, []Item{item("f", data, slow.URL+"/f")}, opt); err != nil || len(said) > 0 {
		t.Errorf("alone: %v, said %q", err, said)
	}
}

// TestRetryAfter: a server that asks for patience gets some, and it is said.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	data := random(1000)
	for value, want := range map[string]string{
		"120":        "it asks to wait 2m0s, trying again in 300ms",
		"86400":      "it asks to wait 24h0m0s, trying again in 300ms",
		"4294967295": "trying again in 300ms",
		"0":          "",
		"-5":         "",
		"soon":       "",
		time.Now().Add(10 * time.Hour).UTC().Format(http.TimeFormat): "trying again in 300ms",
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):     "",
	} {
		asked := 0
		busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Write(data)
		}))
		defer busy.Close()
		var said []string
		st := open(t)
		start := time.Now()
		err := Files(t.Context(), st, []Item{item("f", data, busy.URL+"/f")}, Options{Backoff: time.Millisecond, Patience: 300 * time.Millisecond, Notice: func(m string) { said = append(said, m) }})
		if err != nil {
			t.Errorf("%s: %v", value, err)
		}
		if took := time.Since(start); took > 10*time.Second || want != "" && took < 300*time.Millisecond {
			t.Errorf("%s: it took %v", value, took)
		}
		if got := strings.Join(said, " "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: said %q, want %q", value, got, want)
		}
	}
}

func TestStall(t *testing.T) {
	data := random(100_000)
	st, s := open(t), serve(t, map[string][]byte{"/f": data})
	s.fail("/f", stall(40_000), func(w http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() })
	opt := fast
	opt.Stall = 100 * time.Millisecond
	if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, opt); err != nil {
		t.Fatal(err)
	}
	have(t, st, data)
	if want := []string{"GET /f", "GET /f bytes=40000-", "GET /f bytes=40000-"}; !slices.Equal(s.requests(), want) {
		t.Errorf("the requests were %q, want %q", s.requests(), want)
	}

	st, s = open(t), serve(t, map[string][]byte{"/f": data})
	s.fail("/f", always(stall(0))...)
	err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, opt)
	if err == nil || !strings.Contains(err.Error(), "no byte came for 100ms") {
		t.Errorf("error is %v", err)
	}
	have(t, st)

	// Slow is not stalled: all takes longer than the limit, no byte does.
	st, s = open(t), serve(t, map[string][]byte{"/f": data})
	s.fail("/f", func(w http.ResponseWriter, r *http.Request, file []byte) {
		for part := range slices.Chunk(file, 10_000) {
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(60 * time.Millisecond)
		}
	})
	opt.Stall = 500 * time.Millisecond
	if err := Files(t.Context(), st, []Item{item("f", data, s.URL+"/f")}, opt); err != nil {
		t.Fatal(err)
	}
	have(t, st, data)
	if n := len(s.requests()); n != 1 {
		t.Errorf("a slow server was asked %d times", n)
	}
}

func TestSameFileAtOnce(t *testing.T) {
	data := random(50_000)
	slow := func(w http.ResponseWriter, r *http.Request, file []byte) {
		time.Sleep(50 * time.Millisecond)
		_, _ = w.Write(file)
	}
	t.Run("two items", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/a": data, "/b": data})
		s.fail("/a", slow)
		if err := Files(t.Context(), st, []Item{item("a", data, s.URL+"/a"), item("b", data, s.URL+"/b")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
		if len(s.log) != 1 {
			t.Errorf("the requests were %q, want one", s.log)
		}
	})
	t.Run("the second has the better URL", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/b": data})
		if err := Files(t.Context(), st, []Item{item("a", data, s.URL+"/a"), item("b", data, s.URL+"/b")}, fast); err != nil {
			t.Fatal(err)
		}
		have(t, st, data)
	})
	t.Run("two calls", func(t *testing.T) {
		st, s := open(t), serve(t, map[string][]byte{"/a": data})
		s.fail("/a", slow)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := Files(t.Context(), st, []Item{item("a", data, s.URL+"/a")}, fast); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		have(t, st, data)
		if len(s.log) != 1 {
			t.Errorf("the requests were %q, want one", s.log)
		}
	})
}

func TestJobs(t *testing.T) {
	var now, most atomic.Int32
	files := map[string][]byte{}
	var items []Item
	s := serve(t, files)
	for i := range 12 {
		p, data := fmt.Sprintf("/%d", i), random(100+i)
		files[p] = data
		items = append(items, item(p, data, s.URL+p))
		s.fail(p, func(w http.ResponseWriter, r *http.Request, file []byte) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(40 * time.Millisecond)
			now.Add(-1)
			_, _ = w.Write(file)
		})
	}
	opt := fast
	opt.Jobs = 3
	if err := Files(t.Context(), open(t), items, opt); err != nil {
		t.Fatal(err)
	}
	if most.Load() != 3 {
		t.Errorf("%d at once, want 3", most.Load())
	}
}

func TestCancel(t *testing.T) {
	data := random(100_000)
	st, s := open(t), serve(t, map[string][]byte{"/f": data, "/g": random(10)})
	ctx, cancel := context.WithCancel(t.Context())
	s.fail("/f", func(w http.ResponseWriter, r *http.Request, file []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		_, _ = w.Write(file[:50_000])
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	start := time.Now()
	if err := Files(ctx, st, []Item{item("f", data, s.URL+"/f")}, fast); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the cancellation", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("cancelling took %s", took)
	}
	have(t, st)

	// In a pause between attempts, too.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.fail("/f", always(status(503))...)
	if err := Files(ctx, st, []Item{item("f", data, s.URL+"/f")}, Options{Backoff: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the deadline", err)
	}
	have(t, st)
}

func TestOffline(t *testing.T) {
	st, s := open(t), serve(t, map[string][]byte{"/a": random(10)})
	if err := Files(t.Context(), st, []Item{item("a", random(10), s.URL+"/a")}, fast); err != nil {
		t.Fatal(err)
	}
	opt := fast
	opt.Offline = true
	if err := Files(t.Context(), st, []Item{item("a", random(10), s.URL+"/a")}, opt); err != nil {
		t.Errorf("all is in the store, but: %v", err)
	}
	err := Files(t.Context(), st, []Item{item("a", random(10), s.URL+"/a"), item("b.deb", random(2_000_000), s.URL+"/b"), item("c.deb", random(30), s.URL+"/c")}, opt)
	var off *OfflineError
	if !errors.As(err, &off) || len(off.Missing) != 2 {
		t.Fatalf("error is %v, want the two that are missing", err)
	}
	for _, w := range []string{"2 files (2.0 MB)", "b.deb", "c.deb", `"xbuild fetch"`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error is %q, want %q in it", err, w)
		}
	}
	if len(s.log) != 1 {
		t.Errorf("offline there were the requests %q", s.log[1:])
	}
}

func TestFailureEndsTheBatch(t *testing.T) {
	data := random(1000)
	st, s := open(t), serve(t, map[string][]byte{"/good": data, "/hangs": random(5000)})
	s.fail("/hangs", stall(10))
	s.fail("/bad", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		time.Sleep(100 * time.Millisecond) // the others have begun, and the good one has ended
		http.NotFound(w, r)
	})
	var out bytes.Buffer
	opt := fast
	opt.Progress = NewProgress(&out, false)
	err := Files(t.Context(), st, []Item{item("good", data, s.URL+"/good"), item("bad", random(9), s.URL+"/bad"), item("hangs", random(5000), s.URL+"/hangs")}, opt)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "bad could not be fetched") {
		t.Errorf("error is %v", err)
	}
	have(t, st, data) // what was whole is kept
	if strings.Contains(out.String(), "fetched") {
		t.Errorf("a failure was told as %q", out.String())
	}
}

func TestBytes(t *testing.T) {
	data := random(1000)
	empty, s := serve(t, nil), serve(t, map[string][]byte{"/InRelease": data})
	s.fail("/InRelease", status(503))
	f := newFetcher(fast.withDefaults())
	got, used, err := f.bytes(t.Context(), open(t), []string{empty.URL + "/InRelease", s.URL + "/InRelease"}, 1000)
	if err != nil || !bytes.Equal(got, data) || used != s.URL+"/InRelease" {
		t.Errorf("%d bytes from %s, %v", len(got), used, err)
	}
	if _, _, err := (Options{}).Bytes(t.Context(), open(t), []string{empty.URL + "/x"}, 1000); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), empty.URL+"/x") {
		t.Errorf("error is %v, want ErrNotFound and the URL", err)
	}
	if _, _, err := (Options{}).Bytes(t.Context(), open(t), []string{s.URL + "/InRelease"}, 999); err == nil || !strings.Contains(err.Error(), "larger than the 999 bytes allowed") {
		t.Errorf("error is %v", err)
	}
	chunked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			_, _ = w.Write(data)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer chunked.Close()
	if _, _, err := (Options{}).Bytes(t.Context(), open(t), []string{chunked.URL}, 2500); err == nil || !strings.Contains(err.Error(), "larger than the 2500 bytes allowed") {
		t.Errorf("error is %v", err)
	}
	if _, _, err := (Options{}).Bytes(t.Context(), open(t), nil, 1); err == nil {
		t.Error("no URL is no error")
	}
}

// net/http reads the proxy's variables once a process and never uses a proxy
// for this machine, so this needs a process of its own and a foreign host.
func TestProxy(t *testing.T) {
	const u = "http://mirror.example/f"
	if os.Getenv("FETCH_BY_PROXY") != "" {
		data, _, err := (Options{}).Bytes(t.Context(), open(t), []string{u}, 100)
		if err != nil || string(data) != "by proxy" {
			t.Errorf("got %q, %v", data, err)
		}
		return
	}
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		_, _ = io.WriteString(w, "by proxy")
	}))
	defer proxy.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "FETCH_BY_PROXY=1", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if asked.Load() != u {
		t.Errorf("the proxy was asked for %v, want %s", asked.Load(), u)
	}
}

func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	opt := fast
	opt.Progress = NewProgress(&out, true)
	data := random(10)
	s := serve(t, map[string][]byte{"/a": data})
	if err := Files(t.Context(), open(t), []Item{item("a", data, s.URL+"/a")}, opt); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("quiet said %q", out.String())
	}
}

// Small files over a network with a round trip of 20 ms.
func BenchmarkSmallFiles(b *testing.B) {
	files := map[string][]byte{}
	s := serve(b, files)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		s.ServeHTTP(w, r)
	}))
	defer slow.Close()
	var items []Item
	for i := range 64 {
		p, data := fmt.Sprintf("/%d", i), random(10_000+i)
		files[p] = data
		items = append(items, item(p, data, slow.URL+p))
	}
	for _, jobs := range []int{1, 8} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				st := open(b)
				b.StartTimer()
				if err := Files(b.Context(), st, items, Options{Jobs: jobs}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One large file: what store, hash and sync add to a plain download.
func BenchmarkLargeFile(b *testing.B) {
	data := random(64 << 20)
	s := serve(b, map[string][]byte{"/f": data})
	b.Run("fetch", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			b.StopTimer()
			st := open(b)
			b.StartTimer()
			if err := Files(b.Context(), st, []Item{item("f", data, s.URL+"/f")}, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			resp, err := http.Get(s.URL + "/f")
			if err != nil {
				b.Fatal(err)
			}
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			_, err = io.Copy(f, resp.Body)
			if err := errors.Join(err, f.Close(), resp.Body.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAuthorization sends credentials to the host that they are for, and not along with a redirect to another.
func TestAuthorization(t *testing.T) {
	data := random(1000)
	var mu sync.Mutex
	seen := map[string]string{}
	note := func(who string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[who] = r.Header.Get("Authorization")
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("files", r)
		w.Write(data)
	}))
	defer files.Close()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("registry", r)
		http.Redirect(w, r, files.URL+"/file", http.StatusFound)
	}))
	defer registry.Close()
	opt := fast
	opt.Authorization = func(u *url.URL) string {
		if "http://"+u.Host == registry.URL {
			return "Bearer s3cret"
		}
		return ""
	}
	got, _, err := opt.Bytes(t.Context(), open(t), []string{registry.URL + "/file"}, 1000)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if seen["registry"] != "Bearer s3cret" || seen["files"] != "" {
		t.Errorf("the credentials went to %q", seen)
	}
}

// TestChecked keeps what its check accepts, and nothing else.
func TestChecked(t *testing.T) {
	good, bad := random(1000), random(900)
	s := serve(t, map[string][]byte{"/good": good, "/bad": bad})
	is := func(want []byte) func(string) error {
		return func(file string) error {
			data, err := os.ReadFile(file)
			if err == nil && !bytes.Equal(data, want) {
				err = errors.New("another checksum")
			}
			return err
		}
	}
	st := open(t)
	sum, size, err := Checked(t.Context(), st, "good", []string{s.URL + "/bad", s.URL + "/good"}, 2000, is(good), fast)
	if err != nil || size != 1000 {
		t.Fatalf("%s %d %v", sum, size, err)
	}
	have(t, st, good)
	if _, ok := st.File(sum); !ok {
		t.Errorf("the store has no %s", sum)
	}
	if _, _, err := Checked(t.Context(), st, "bad", []string{s.URL + "/bad"}, 2000, is(good), fast); err == nil || !strings.Contains(err.Error(), "another checksum") {
		t.Errorf("a file that the check refuses: %v", err)
	}
	if _, _, err := Checked(t.Context(), st, "large", []string{s.URL + "/good"}, 999, is(good), fast); err == nil || !strings.Contains(err.Error(), "larger than the 999 bytes allowed") {
		t.Errorf("a file that is too large: %v", err)
	}
	opt := fast
	opt.Offline = true
	var offline *OfflineError
	if _, _, err := Checked(t.Context(), st, "good", []string{s.URL + "/good"}, 2000, is(good), opt); !errors.As(err, &offline) {
		t.Errorf("offline: %v", err)
	}
}

// TestMirrorHint: a file that no server has is told of with the setting of its own archive.
func TestMirrorHint(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for archive, want := range map[string]string{"": "XBUILD_DEBIAN_MIRROR, or [mirrors] in", "debian": "XBUILD_DEBIAN_MIRROR, or [mirrors] debian in", "npm": "XBUILD_NPM_MIRROR, or [mirrors] npm in", "pypi": "XBUILD_PYPI_MIRROR, or [mirrors] pypi in"} {
		it := Item{Name: "x", URLs: []string{server.URL + "/x"}, SHA256: strings.Repeat("0", 64), Archive: archive}
		if err := Files(t.Context(), open(t), []Item{it}, Options{Retries: -1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("archive %q: %v, want %s", archive, err, want)
		}
	}
}
