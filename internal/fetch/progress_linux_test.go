package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, and what it was made to show.
func terminal(t *testing.T) (tty *os.File, shown func() string) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { ptm.Close() })
	if err := unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	read := make(chan struct{})
	go func() { // ends when the last of the terminal is closed
		defer close(read)
		_, _ = out.ReadFrom(ptm)
	}()
	return tty, func() string {
		tty.Close()
		<-read
		return out.String()
	}
}

// TestLine: however narrow a terminal is, the line stays inside of it, and is of one row.
func TestLine(t *testing.T) {
	b := &batch{files: 12, size: 250_000_000}
	b.got.Store(60_000_000)
	b.shown.Store(125_000_000)
	for _, name := range []string{"clang-19_19.1.7-3_amd64.deb", "\x1b[31mred\n", "名前.deb"} {
		b.add(Item{Name: name})
	}
	const full = "fetching 12 files  [==========          ]  125.0 MB / 250.0 MB  30.0 MB/s  clang-19_19.1.7-3_amd64.deb, ?[31mred?, ??.deb"
	for width, want := range map[int]string{
		200: full,
		79:  full[:79],
		60:  "fetching 12 files  125.0 MB / 250.0 MB  30.0 MB/s  clang-19_",
		50:  "fetching 12 files  125.0 MB / 250.0 MB  30.0 MB/s ",
		30:  "fetching 12 files  125.0 MB / ",
		0:   "",
		-1:  "",
	} {
		if got := b.line(width, 2*time.Second); got != want {
			t.Errorf("in %d columns:\n%q, want\n%q", width, got, want)
		}
	}
	empty := &batch{files: 1}
	if got := empty.line(79, 0); got != "fetching 1 file  [====================]  0.0 KB / 0.0 KB  0.0 KB/s" {
		t.Errorf("of nothing: %q", got)
	}
	for n, want := range map[int64]string{0: "0.0 KB", 999: "1.0 KB", 200_000: "200.0 KB", 1_000_000: "1.0 MB", 2_500_000_000: "2.5 GB", 1_500_000_000_000: "1500.0 GB"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestBars(t *testing.T) {
	t.Setenv("TERM", "xterm")
	data := random(500_000)
	slow := func(w http.ResponseWriter, r *http.Request, file []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		_, _ = w.Write(file[:200_000])
		_ = http.NewResponseController(w).Flush()
		time.Sleep(500 * time.Millisecond)
		_, _ = w.Write(file[200_000:])
	}
	t.Run("fetched", func(t *testing.T) {
		s := serve(t, map[string][]byte{"/f": data, "/g": random(10)})
		s.fail("/f", slow)
		tty, shown := terminal(t)
		opt := fast
		opt.Progress = NewProgress(tty, false)
		if err := Files(t.Context(), open(t), []Item{item("libfoo.deb", data, s.URL+"/f"), item("g", random(10), s.URL+"/g")}, opt); err != nil {
			t.Fatal(err)
		}
		out := shown()
		for _, w := range []string{"fetching 2 files", "libfoo.deb", "200.0 KB / 500.0 KB", "fetched 2 files, 0.5 MB"} {
			if !strings.Contains(out, w) {
				t.Errorf("the terminal showed %q, want %q in it", out, w)
			}
		}
	})
	t.Run("failed", func(t *testing.T) { // must end, too
		s := serve(t, map[string][]byte{"/f": data})
		s.fail("/f", slow)
		tty, shown := terminal(t)
		opt := fast
		opt.Progress = NewProgress(tty, false)
		if err := Files(t.Context(), open(t), []Item{item("f", data, s.URL+"/f"), item("none", random(10), s.URL+"/none")}, opt); err == nil {
			t.Error("no error")
		}
		if out := shown(); strings.Contains(out, "fetched") {
			t.Errorf("the terminal showed %q", out)
		}
	})
}
