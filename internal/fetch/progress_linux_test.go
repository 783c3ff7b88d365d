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
