package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	getter "github.com/hashicorp/go-getter/v2"
)

var (
	errStalled = errors.New("no byte came")
	errNoRange = errors.New("the server does not resume")
	errBody    = errors.New("the connection was cut")
	errSlow    = errors.New("it sends less than 10 kB/s")
)

// A transfer is one URL on its way to one file. To go-getter it is the
// transport, for that is the one place where status, sizes and each byte can
// be seen.
type transfer struct {
	base  http.RoundTripper
	stall time.Duration
	slow  time.Duration // see Options.Slow
	size  int64         // expected; 0 if not known
	max   int64         // allowed; 0 is any
	track *track        // may be nil

	authorization func(*url.URL) string
	accept        string

	patient  bool // there is no other mirror: a slow one is better than none
	resumed  bool // a part was fetched by range
	noResume bool // the server said no to that
}

// get lets go-getter download u to dst. A part of it may lie there; go-getter
// then asks for the rest.
func (t *transfer) get(ctx context.Context, u, dst string) error {
	src, err := clean(u)
	if err != nil {
		return err
	}
	// The HEAD tells go-getter whether the server knows ranges, and is needed
	// for nothing else.
	fresh := size(dst) == 0 || t.noResume
	client := &getter.Client{
		Getters: []getter.Getter{
			&getter.HttpGetter{
				Client:                &http.Client{Transport: t},
				DoNotCheckHeadFirst:   fresh,
				XTerraformGetDisabled: true,
			},
			&getter.FileGetter{},
		},
		Decompressors: map[string]getter.Decompressor{}, // nil would mean all
	}
	t.track.at(0)
	_, err = client.Get(ctx, &getter.Request{Src: src, Dst: dst, GetMode: getter.ModeFile, Copy: true})
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err // the URL is named by whoever reports the attempt
	}
	return err
}

// RoundTrip is http.RoundTripper.
func (t *transfer) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	if t.authorization != nil {
		// Set here and nowhere else: each redirect comes by, and another host gets no credentials but its own.
		if value := t.authorization(req.URL); value != "" && req.Header.Get("Authorization") == "" {
			req = req.Clone(ctx)
			req.Header.Set("Authorization", value)
		}
	}
	if t.accept != "" {
		req = req.Clone(ctx)
		req.Header.Set("Accept", t.accept)
	}
	stalled := fmt.Errorf("%w for %s", errStalled, t.stall)
	timer := time.AfterFunc(t.stall, func() { cancel(stalled) })
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		end()
		return nil, err
	}
	if err := t.check(req, resp); err != nil {
		resp.Body.Close()
		end()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, t: t, ctx: ctx, timer: timer, end: end, at: offset(req)}
	return resp, nil
}

// check refuses an answer before any of it is written.
func (t *transfer) check(req *http.Request, resp *http.Response) error {
	switch {
	case resp.StatusCode >= 400:
		return &StatusError{Code: resp.StatusCode, RetryAfter: retryAfter(resp)}
	case resp.StatusCode >= 300:
		return nil // http.Client follows
	case req.Method != http.MethodGet:
		return nil
	}
	from := offset(req)
	if from > 0 {
		// go-getter would append whatever comes.
		if resp.StatusCode != http.StatusPartialContent ||
			!strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)) {
			return errNoRange
		}
		t.resumed = true
	}
	t.track.at(from)
	if resp.ContentLength < 0 {
		return nil
	}
	if n := from + resp.ContentLength; t.size > 0 && n != t.size {
		return &sizeError{want: t.size, got: n}
	} else if t.max > 0 && n > t.max {
		return &tooLargeError{max: t.max}
	}
	return nil
}

func offset(req *http.Request) int64 {
	s, _ := strings.CutPrefix(req.Header.Get("Range"), "bytes=")
	n, _ := strconv.ParseInt(strings.TrimSuffix(s, "-"), 10, 64)
	return n
}

// retryAfter is how long the server asks to wait: in seconds, or until a time (RFC 9110, 10.2.3).
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at).Round(time.Second), 0)
	}
	return 0
}

// minRate is what a mirror that is not slow sends, in bytes a second.
const minRate = 10_000

// A body counts what comes, and notices when nothing does.
type body struct {
	io.ReadCloser
	t     *transfer
	ctx   context.Context
	timer *time.Timer
	end   func()
	at    int64

	waited time.Duration // for got bytes, since the rate was last looked at
	got    int64
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.t.stall)
	start := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop() // writing to a slow disk is no stall
	b.at += int64(n)
	if b.waited, b.got = b.waited+time.Since(start), b.got+int64(n); b.waited >= b.t.slow && b.t.slow > 0 {
		if float64(b.got) < minRate*b.waited.Seconds() && !b.t.patient && err == nil {
			return n, fmt.Errorf("%w for %s", errSlow, b.t.slow)
		}
		b.waited, b.got = 0, 0
	}
	b.t.track.add(n)
	switch limit := max(b.t.size, b.t.max); {
	case limit > 0 && b.at > limit && b.t.size > 0:
		return n, &sizeError{want: b.t.size, got: b.at, more: true}
	case limit > 0 && b.at > limit:
		return n, &tooLargeError{max: b.t.max}
	}
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			return n, cause
		}
		// net/http has no common type for the ways a connection ends.
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", errBody, err)
		}
	}
	return n, err
}

func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
