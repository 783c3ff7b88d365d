package fetch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
)

// Size asks how long a file is, before it is fetched: the first URL whose server says so decides. 0 means that it is there and no server says. What comes is not
// verified: a wrong size is found when the file is fetched.
func Size(ctx context.Context, urls []string) (int64, error) {
	if len(urls) == 0 {
		return 0, errors.New("there is no URL to ask")
	}
	opt := Options{}.withDefaults()
	opt.Retries = 2
	f := newFetcher(opt)
	defer f.base.CloseIdleConnections()
	var n int64
	_, err := f.mirrors(ctx, urls[0], urls, func(u string) error {
		var err error
		n, err = f.head(ctx, u)
		return err
	})
	return n, err
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
	client := &http.Client{Transport: &transfer{base: f.base, stall: f.opt.Stall}}
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
