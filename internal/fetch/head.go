package fetch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"xbuild/internal/store"
)

// Size asks how long a file is, before it is fetched: the first URL whose server says so decides. 0 means that it is
// there and no server says. What comes is not verified: a wrong size is found when the file is fetched.
func Size(ctx context.Context, it Item) (int64, error) {
	if len(it.URLs) == 0 {
		return 0, errors.New("there is no URL to ask")
	}
	opt := Options{}.withDefaults()
	opt.Retries = 2
	f := newFetcher(opt)
	defer f.base.CloseIdleConnections()
	var n int64
	_, err := f.mirrors(ctx, Item{Name: it.URLs[0], URLs: it.URLs, Archive: it.Archive}, func(u string, _ bool) error {
		var err error
		n, err = f.head(ctx, u)
		return err
	})
	return n, err
}

// Gone returns the items of which every server that answers says that it does
// not have them. What the store has, and what no server answers for, is not
// gone. Nothing is downloaded: the servers are asked with HEAD.
func Gone(ctx context.Context, st *store.Store, items []Item, opt Options) ([]Item, error) {
	opt = opt.withDefaults()
	missing, err := missing(st, items)
	if err != nil {
		return nil, err
	}
	opt.Jobs *= 4 // answers without a body
	opt.Retries = min(opt.Retries, 2)
	f := newFetcher(opt)
	defer f.base.CloseIdleConnections()
	gone := make([]bool, len(missing))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(opt.Jobs)
	for i, it := range missing {
		g.Go(func() error {
			gone[i] = f.gone(gctx, it.URLs)
			return nil
		})
	}
	g.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var out []Item
	for i, it := range missing {
		if gone[i] {
			out = append(out, it)
		}
	}
	return out, nil
}

func (f *fetcher) gone(ctx context.Context, urls []string) bool {
	gone := false
	for _, u := range urls {
		if f.rank(u) > 0 {
			continue
		}
		_, err := f.head(ctx, u)
		for pause, left := f.opt.Backoff, f.opt.Retries; left > 0 && passing(err) && ctx.Err() == nil; left-- {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause *= 2
			_, err = f.head(ctx, u)
		}
		switch {
		case errors.Is(err, ErrNotFound):
			gone = true
		case unreachable(err):
			f.mu.Lock()
			f.dead[host(u)] = true
			f.mu.Unlock()
		default:
			return false // it is there, or the server does not say
		}
	}
	return gone
}

func (f *fetcher) head(ctx context.Context, u string) (int64, error) {
	p, err := url.Parse(u)
	if err != nil {
		return 0, err
	}
	if p.Scheme == "file" {
		info, err := os.Stat(p.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, &StatusError{Code: http.StatusNotFound}
		}
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &transfer{base: f.base, stall: f.opt.Stall, authorization: f.opt.Authorization}}
	resp, err := client.Do(req)
	if err != nil {
		var in *url.Error
		if errors.As(err, &in) {
			err = in.Err
		}
		return 0, err
	}
	resp.Body.Close()
	return max(resp.ContentLength, 0), nil
}
