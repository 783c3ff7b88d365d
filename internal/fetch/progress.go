package fetch

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Progress is where and how fetching shows how far it is: bars on a terminal,
// else a line at the start and one at the end of each batch. Nothing is shown
// when nothing is fetched. A nil Progress is silent.
type Progress struct {
	w    io.Writer
	bars bool
}

// NewProgress writes to w, as a rule os.Stderr. Quiet is silent.
func NewProgress(w io.Writer, quiet bool) *Progress {
	if quiet {
		return nil
	}
	f, ok := w.(*os.File)
	return &Progress{w: w, bars: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"}
}

// A batch is the progress of one call of Files; nil is silent.
type batch struct {
	p     *Progress
	start time.Time
	files int
	got   atomic.Int64 // bytes that came, those of failed attempts too

	pool  *mpb.Progress // nil without bars
	total *mpb.Bar
}

func (p *Progress) start(items []Item) *batch {
	if p == nil {
		return nil
	}
	var sum int64
	for _, it := range items {
		sum += it.Size
	}
	b := &batch{p: p, start: time.Now(), files: len(items)}
	if !p.bars {
		fmt.Fprintf(p.w, "fetching %s, %s\n", count(len(items)), megabytes(sum))
		return b
	}
	b.pool = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond))
	b.total = b.pool.AddBar(sum, mpb.BarPriority(1<<20), mpb.PrependDecorators(
		decor.Name(fmt.Sprintf("fetching %s ", count(len(items))), decor.WCSyncWidthR),
	), mpb.AppendDecorators(
		decor.CountersKiloByte("% .1f / % .1f"),
		decor.AverageSpeed(decor.SizeB1000(0), "  % .1f"),
	))
	return b
}

func (b *batch) end(err error) {
	if b == nil {
		return
	}
	if b.pool != nil {
		b.total.Abort(true)
		b.pool.Wait()
	}
	if err != nil {
		return // the error says it
	}
	took := time.Since(b.start)
	n := b.got.Load()
	fmt.Fprintf(b.p.w, "fetched %s, %s in %.1f s (%.1f MB/s)\n", count(b.files), megabytes(n), took.Seconds(), float64(n)/1e6/max(took.Seconds(), 0.001))
}

// A track is the progress of one item; nil is silent. One goroutine uses it.
type track struct {
	b     *batch
	bar   *mpb.Bar
	size  int64
	shown int64 // what the bars count of this item
}

func (b *batch) add(it Item) *track {
	if b == nil {
		return nil
	}
	t := &track{b: b, size: it.Size}
	if b.pool != nil {
		t.bar = b.pool.AddBar(it.Size, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(
			decor.Name(shorten(it.Name)+" ", decor.WCSyncWidthR),
		), mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f")))
	}
	return t
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
	if t.bar != nil && n != 0 {
		t.bar.IncrInt64(n)
		t.b.total.IncrInt64(n)
	}
}

// done says that the item is in the store, whoever brought it.
func (t *track) done() {
	if t != nil && t.size > 0 {
		t.move(t.size - t.shown)
	}
}

func (t *track) end() {
	if t != nil && t.bar != nil {
		t.bar.Abort(true)
	}
}

func shorten(name string) string {
	const width = 36
	if r := []rune(name); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return name
}

func count(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
