// Package fetch brings files into the store: a list of URLs and a SHA-256, or another checksum and the function that
// holds it, go in, and a verified file in the store comes out. Several are fetched at once, a passing fault is tried
// again, a cut download is resumed, a bad mirror is followed by the next. It asks servers too how long a file is, and
// whether they have it.
//
// Invariants:
//   - What comes into the store is verified before it has a name there. Bytes and Size alone return what is not
//     verified, for the caller to do it.
//   - go-getter downloads, to a path that is new for each URL and that goes
//     when the URL does not serve. It never unpacks: its decompressors lose
//     links.
//   - There is no limit to the time that a download takes, only to the time
//     without a byte.
//   - Nothing is written to stdout.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"xbuild/internal/store"
)

// An Item is one file to fetch.
type Item struct {
	Name   string   // what messages call it
	URLs   []string // mirrors, the first first: http, https or file
	SHA256 string
	Size   int64 // bytes; 0 if not known
	// Archive is the name of the archive that has it, by which hints tell how another server of it is named; "" for
	// Debian's.
	Archive string
}

// Options say how to fetch. The zero value is what a program wants.
type Options struct {
	Jobs     int           // downloads at once; 0 is 8
	Progress *Progress     // nil says nothing
	Offline  bool          // fetch nothing, name what is missing
	Command  string        // fetches what is missing, where there is a network; by default xbuild fetch
	Retries  int           // further attempts after passing faults, for each URL; 0 is 4, negative none
	Backoff  time.Duration // pause before the first of them, doubled each time; 0 is half a second
	Stall    time.Duration // time without a byte after which a connection is given up; 0 is 30 seconds
	// time of less than 10 kB/s after which the next mirror is asked, where there is one; 0 is a minute
	Slow     time.Duration
	Patience time.Duration // the longest that a server can make one wait (Retry-After); 0 is a minute
	Notice   func(string)  // hears of slow and busy servers; nil: nobody
	// Authorization, where it is set, says what header of that name a URL is asked with; "" for none.
	Authorization func(*url.URL) string
	Archive       string // as in Item, for what Bytes and Checked fetch
	Accept        string // the media types that Bytes asks for; "" for any
}

func (o Options) withDefaults() Options {
	if o.Jobs <= 0 {
		o.Jobs = 8
	}
	if o.Retries == 0 {
		o.Retries = 4
	}
	if o.Backoff == 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.Slow == 0 {
		o.Slow = time.Minute
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	return o
}

// Files makes sure that the store has every item. The first item that cannot
// be had ends it; what was fetched before stays in the store.
func Files(ctx context.Context, st *store.Store, items []Item, opt Options) error {
	opt = opt.withDefaults()
	missing, err := missing(st, items)
	if err != nil || len(missing) == 0 {
		return err
	}
	if opt.Offline {
		return &OfflineError{missing, opt.Command}
	}
	// Large ones first: the end of the batch is then short.
	slices.SortStableFunc(missing, func(a, b Item) int { return int(min(max(b.Size-a.Size, -1), 1)) })

	f := newFetcher(opt)
	defer f.base.CloseIdleConnections()
	batch := opt.Progress.start(missing)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(opt.Jobs)
	for _, it := range missing {
		g.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			return f.item(gctx, st, it, batch)
		})
	}
	err = g.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	batch.end(err)
	return err
}

// missing is what the store does not have, each hash once.
func missing(st *store.Store, items []Item) ([]Item, error) {
	var out []Item
	at := map[string]int{}
	for _, it := range items {
		if i, ok := at[it.SHA256]; ok {
			if i >= 0 {
				urls := slices.Clone(out[i].URLs)
				for _, u := range it.URLs {
					if !slices.Contains(urls, u) {
						urls = append(urls, u)
					}
				}
				out[i].URLs = urls
			}
			continue
		}
		if _, ok := st.File(it.SHA256); ok {
			at[it.SHA256] = -1
			continue
		}
		at[it.SHA256] = len(out)
		out = append(out, it)
	}
	for _, it := range out {
		if len(it.URLs) == 0 {
			return nil, fmt.Errorf("%s is not in the store and has no URL", it.Name)
		}
	}
	return out, nil
}

// Bytes fetches something small of which the hash is not known yet, such as an
// InRelease, from the first URL that has it. More than max bytes are an error.
// errors.Is(err, ErrNotFound) says that some mirror answered that it does not
// exist.
func (o Options) Bytes(ctx context.Context, st *store.Store, urls []string,
	max int64) (data []byte, usedURL string, err error) {
	if len(urls) == 0 {
		return nil, "", errors.New("there is no URL to fetch from")
	}
	opt := Options{Authorization: o.Authorization, Archive: o.Archive, Accept: o.Accept, Notice: o.Notice}.withDefaults()
	opt.Retries = 2
	return newFetcher(opt).bytes(ctx, st, urls, max)
}

// Checked fetches a file of which no SHA-256 is known: check says whether it is the right one, by another checksum.
// What passes comes into the store; its SHA-256 and size come back.
func Checked(ctx context.Context, st *store.Store, name string, urls []string, max int64, check func(file string) error,
	opt Options) (sum string, bytes int64, err error) {
	if opt.Offline {
		return "", 0, &OfflineError{[]Item{{Name: name}}, opt.Command}
	}
	tmp, done, err := st.TempDir(ctx, "fetch")
	if err != nil {
		return "", 0, err
	}
	defer done()
	opt = opt.withDefaults()
	f := newFetcher(opt)
	defer f.base.CloseIdleConnections()
	it := Item{Name: name, URLs: urls}
	batch := opt.Progress.start([]Item{it})
	defer func() { batch.end(err) }()
	track := batch.add(it)
	defer track.end()
	dst := filepath.Join(tmp, "file")
	_, err = f.mirrors(ctx, Item{Name: name, URLs: urls, Archive: opt.Archive}, func(u string, last bool) error {
		if err := f.download(ctx, u, dst, &transfer{max: max, track: track}); err != nil {
			return err
		}
		err := check(dst)
		if err != nil {
			os.Remove(dst)
		}
		return err
	})
	if err != nil {
		return "", 0, err
	}
	in, err := os.Open(dst)
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	h := sha256.New()
	if bytes, err = io.Copy(h, in); err != nil {
		return "", 0, err
	}
	sum = hex.EncodeToString(h.Sum(nil))
	_, err = st.AddFile(ctx, sum, bytes, func(to string) error { return os.Rename(dst, to) })
	if err == nil {
		track.done()
	}
	return sum, bytes, err
}

func (f *fetcher) bytes(ctx context.Context, st *store.Store, urls []string, max int64) ([]byte, string, error) {
	defer f.base.CloseIdleConnections()
	dir, done, err := st.TempDir(ctx, "bytes")
	if err != nil {
		return nil, "", err
	}
	defer done()
	var data []byte
	used, err := f.mirrors(ctx, Item{Name: urls[0], URLs: urls, Archive: f.opt.Archive}, func(u string, last bool) error {
		dst := filepath.Join(dir, "file")
		defer os.Remove(dst)
		if err := f.download(ctx, u, dst, &transfer{max: max, patient: last}); err != nil {
			return err
		}
		file, err := os.Open(dst)
		if err != nil {
			return err
		}
		defer file.Close()
		if data, err = io.ReadAll(io.LimitReader(file, max+1)); err != nil {
			return err
		}
		if int64(len(data)) > max {
			return &tooLargeError{max: max}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return data, used, nil
}

// A fetcher is one batch: its connections and what it learned of hosts.
type fetcher struct {
	opt  Options
	base *http.Transport

	mu   sync.Mutex
	dead map[string]bool // hosts that could not be reached
}

func newFetcher(opt Options) *fetcher {
	return &fetcher{
		opt: opt,
		base: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{Timeout: min(opt.Stall, 15*time.Second),
				KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   opt.Stall,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   opt.Jobs,
			IdleConnTimeout:       time.Minute,
			DisableCompression:    true, // sizes and ranges are those of the file
			ExpectContinueTimeout: time.Second,
		},
		dead: map[string]bool{},
	}
}

func (f *fetcher) item(ctx context.Context, st *store.Store, it Item, b *batch) error {
	t := b.add(it)
	defer t.end()
	_, err := f.mirrors(ctx, it, func(u string, last bool) error {
		for again := false; ; again = true {
			resumed := false
			_, err := st.AddFile(ctx, it.SHA256, it.Size, func(tmp string) error {
				tr := &transfer{size: it.Size, track: t, patient: last}
				err := f.download(ctx, u, tmp, tr)
				resumed = tr.resumed
				return err
			})
			// Two halves of two different files may have been joined.
			var bad *store.MismatchError
			if resumed && !again && errors.As(err, &bad) {
				continue
			}
			return err
		}
	})
	if err == nil {
		t.done()
	}
	return err
}

// mirrors tries one URL after the other, those of unreachable hosts last.
func (f *fetcher) mirrors(ctx context.Context, it Item, get func(u string, last bool) error) (used string, err error) {
	urls := slices.Clone(it.URLs)
	slices.SortStableFunc(urls, func(a, b string) int { return f.rank(a) - f.rank(b) })
	failed := &Error{Name: it.Name, Archive: it.Archive}
	for i, u := range urls {
		err := get(u, i == len(urls)-1)
		if err == nil {
			return u, nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if Local(err) {
			return "", fmt.Errorf("%s: %w", it.Name, err)
		}
		if errors.Is(err, errSlow) {
			f.say("%s: %v: asking the next mirror", redact(u), err)
		}
		failed.Attempts = append(failed.Attempts, Attempt{URL: redact(u), Err: err})
	}
	return "", failed
}

func (f *fetcher) say(format string, args ...any) {
	if f.opt.Notice != nil {
		f.opt.Notice(fmt.Sprintf(format, args...))
	}
}

func (f *fetcher) rank(u string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead[host(u)] {
		return 1
	}
	return 0
}

// download gets one URL, over passing faults. The file at dst is complete as
// far as the server said, and not verified.
func (f *fetcher) download(ctx context.Context, u, dst string, t *transfer) error {
	t.base, t.stall, t.slow, t.authorization, t.accept = f.base, f.opt.Stall, f.opt.Slow, f.opt.Authorization, f.opt.Accept
	pause, left, tries := f.opt.Backoff, f.opt.Retries, 0
	for {
		had := size(dst)
		tries++
		err := t.get(ctx, u, dst)
		if err == nil || ctx.Err() != nil {
			return err
		}
		var status *StatusError
		switch {
		case Local(err):
			return err
		case had > 0 && (errors.Is(err, errNoRange) ||
			errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable):
			// The server cannot resume: from the start, at once.
			if err := os.Remove(dst); err != nil {
				return err
			}
			t.noResume = true
			continue
		case unreachable(err):
			f.mu.Lock()
			f.dead[host(u)] = true
			f.mu.Unlock()
			if left > 1 {
				left = 1 // another mirror is the better hope
			}
		case !passing(err):
			return err
		}
		if size(dst) > had && had > 0 {
			// It moves, if slowly.
			left, pause = f.opt.Retries, f.opt.Backoff
		}
		if left <= 0 {
			if tries > 1 {
				err = fmt.Errorf("%w (tried %d times)", err, tries)
			}
			return err
		}
		left--
		wait := pause
		if errors.As(err, &status) && status.RetryAfter > wait {
			wait = min(status.RetryAfter, f.opt.Patience)
			f.say("%s: %v: it asks to wait %s, trying again in %s", redact(u), err, status.RetryAfter, wait)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		pause *= 2
	}
}

// Local faults are those of this machine: no mirror helps.
func Local(err error) bool {
	var full *store.FullError
	return errors.As(err, &full) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, syscall.EROFS)
}

// unreachable hosts are not worth many attempts.
func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// passing faults are worth another attempt at the same URL.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == http.StatusRequestTimeout || status.Code == http.StatusTooManyRequests
	}
	var timeout net.Error
	return errors.Is(err, errStalled) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrShortWrite) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, errBody) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func size(path string) int64 {
	if st, err := os.Lstat(path); err == nil {
		return st.Size()
	}
	return 0
}

func host(u string) string {
	if p, err := url.Parse(u); err == nil {
		return p.Host
	}
	return ""
}

// redact hides a password in a URL.
func redact(u string) string {
	if p, err := url.Parse(u); err == nil && p.User != nil {
		return p.Redacted()
	}
	return u
}

// clean writes a URL as go-getter needs it: to it a double slash in the path
// is the start of a subdirectory, and the escapes of a file URL are bytes of
// the name.
func clean(u string) (string, error) {
	p, err := url.Parse(u)
	if err != nil {
		return "", err
	}
	switch p.Scheme {
	case "http", "https":
		raw := p.EscapedPath()
		for strings.Contains(raw, "//") {
			raw = strings.ReplaceAll(raw, "//", "/")
		}
		if p.Path, err = url.PathUnescape(raw); err != nil {
			return "", err
		}
		p.RawPath = raw
	case "file":
		p.Path, p.RawPath = filepath.Clean(p.Path), ""
	default:
		return "", fmt.Errorf("%q is no URL that can be fetched (want http, https or file)", u)
	}
	return p.String(), nil
}
