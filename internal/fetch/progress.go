package fetch

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Progress is where and how fetching shows how far it is: a line that moves on a terminal, else a line at the start and
// one at the end of each batch. Nothing is shown when nothing is fetched. A nil Progress is silent.
type Progress struct {
	w   io.Writer
	tty *os.File // w, where it is a terminal whose lines can be written anew
}

// NewProgress writes to w, as a rule os.Stderr. Quiet is silent.
func NewProgress(w io.Writer, quiet bool) *Progress {
	if quiet {
		return nil
	}
	p := &Progress{w: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.tty = f
	}
	return p
}

// A batch is the progress of one call of Files; nil is silent.
type batch struct {
	p     *Progress
	start time.Time
	files int
	size  int64        // of all files
	got   atomic.Int64 // bytes that came, those of failed attempts too
	shown atomic.Int64 // bytes that are in the store or on the way there

	mu    sync.Mutex
	names []string // of the files that are on the way

	stop, stopped chan struct{} // of the line that moves; nil without one
}

func (p *Progress) start(items []Item) *batch {
	if p == nil {
		return nil
	}
	var sum int64
	for _, it := range items {
		sum += it.Size
	}
	b := &batch{p: p, start: time.Now(), files: len(items), size: sum}
	if p.tty == nil {
		fmt.Fprintf(p.w, "fetching %s, %s\n", count(len(items)), megabytes(sum))
		return b
	}
	b.stop, b.stopped = make(chan struct{}), make(chan struct{})
	go b.draw()
	return b
}

// draw writes the line anew ten times a second, until the batch ends, and takes it away.
func (b *batch) draw() {
	defer close(b.stopped)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		width, _, err := term.GetSize(int(b.p.tty.Fd()))
		if err != nil || width <= 0 {
			width = 80
		}
		// The last column stays free: a terminal may begin a new line once it is written.
		fmt.Fprintf(b.p.tty, "\r%s\x1b[K", b.line(width-1, time.Since(b.start)))
		select {
		case <-b.stop:
			fmt.Fprint(b.p.tty, "\r\x1b[K")
			return
		case <-tick.C:
		}
	}
}

// barWidth is the inside of the bar.
const barWidth = 20

// line is how far a batch is, in so many columns. What there is no room for is left out from the end; the bar is left
// out first where not even the numbers have room.
func (b *batch) line(width int, took time.Duration) string {
	shown := max(0, b.shown.Load())
	head := "fetching " + count(b.files)
	numbers := fmt.Sprintf("  %s / %s", bytesOf(shown), bytesOf(b.size))
	if len(head)+barWidth+3+len(numbers) <= width {
		full := barWidth
		if b.size > 0 {
			full = int(min(shown, b.size) * barWidth / b.size)
		}
		head += "  [" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "]"
	}
	speed := float64(b.got.Load()) / max(took.Seconds(), 0.001)
	text := head + numbers + "  " + bytesOf(int64(speed)) + "/s"
	b.mu.Lock()
	if len(b.names) > 0 {
		text += "  " + strings.Join(b.names, ", ")
	}
	b.mu.Unlock()
	return text[:min(len(text), max(width, 0))]
}

func (b *batch) end(err error) {
	if b == nil {
		return
	}
	if b.stop != nil {
		close(b.stop)
		<-b.stopped
	}
	if err != nil {
		return // the error says it
	}
	took := time.Since(b.start)
	n := b.got.Load()
	fmt.Fprintf(b.p.w, "fetched %s, %s in %.1f s (%.1f MB/s)\n", count(b.files), megabytes(n), took.Seconds(),
		float64(n)/1e6/max(took.Seconds(), 0.001))
}

// A track is the progress of one item; nil is silent. One goroutine uses it.
type track struct {
	b     *batch
	name  string
	size  int64
	shown int64 // what the line counts of this item
}

func (b *batch) add(it Item) *track {
	if b == nil {
		return nil
	}
	t := &track{b: b, name: plain(it.Name), size: it.Size}
	b.mu.Lock()
	b.names = append(b.names, t.name)
	b.mu.Unlock()
	return t
}

// plain is a name in characters that are one column wide and do nothing to a terminal.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
}

// at says that the next byte is the one at that offset: an attempt begins.
func (t *track) at(offset int64) {
	if t == nil {
		return
	}
	t.move(offset - t.shown)
}

func (t *track) add(n int) {
	if t == nil || n == 0 {
		return
	}
	t.b.got.Add(int64(n))
	t.move(int64(n))
}

func (t *track) move(n int64) {
	t.shown += n
	t.b.shown.Add(n)
}

// done says that the item is in the store, whoever brought it.
func (t *track) done() {
	if t != nil && t.size > 0 {
		t.move(t.size - t.shown)
	}
}

func (t *track) end() {
	if t == nil {
		return
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if i := slices.Index(t.b.names, t.name); i >= 0 {
		t.b.names = slices.Delete(t.b.names, i, i+1)
	}
}

func count(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// bytesOf is a number of bytes in the unit that suits it.
func bytesOf(n int64) string {
	x := float64(n) / 1e3
	for _, unit := range []string{"KB", "MB"} {
		if x < 1e3 {
			return fmt.Sprintf("%.1f %s", x, unit)
		}
		x /= 1e3
	}
	return fmt.Sprintf("%.1f GB", x)
}
