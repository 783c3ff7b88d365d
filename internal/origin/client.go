package origin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"xbuild/internal/fetch"
	"xbuild/internal/store"
)

// A Client is what the archives of all kinds share: how they fetch, where they keep what they read, and whom they tell.
type Client struct {
	Store  *store.Store
	Fetch  fetch.Options
	Notice func(string) // takes remarks for the user, several at once; nil: nobody

	mu sync.Mutex // for releases.json
}

// Say tells the user something.
func (c *Client) Say(format string, args ...any) {
	if c.Notice != nil {
		c.Notice(fmt.Sprintf(format, args...))
	}
}

// Of says how to fetch from an archive of that name.
func (c *Client) Of(archive string) fetch.Options {
	opt := c.Fetch
	opt.Archive = archive
	return opt
}

// Size returns how long a file is of which an index tells the hash alone: as the store has it, as a server says, else
// as it is when it was fetched.
func (c *Client) Size(ctx context.Context, it fetch.Item) (int64, error) {
	stored := func() (int64, error) {
		file, ok := c.Store.File(it.SHA256)
		if !ok {
			return 0, nil
		}
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	if n, err := stored(); n > 0 || err != nil {
		return n, err
	}
	n, err := fetch.Size(ctx, it)
	if n > 0 || errors.Is(err, fetch.ErrNotFound) {
		return n, err
	}
	if err := fetch.Files(ctx, c.Store, []fetch.Item{it}, c.Fetch); err != nil {
		return 0, err
	}
	return stored()
}

// SeenFile is where the newest release seen of each suite is kept, beside the trees: it is what tells a downgrade.
func (c *Client) SeenFile() string { return filepath.Join(c.Store.Dir(), "releases.json") }

// Seen is the date of the newest release seen of a suite, the zero time for none.
func (c *Client) Seen(suite string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	date := c.readSeen()[suite]
	if date.After(time.Now().Add(24 * time.Hour)) {
		return time.Time{} // of a clock that was wrong
	}
	return date
}

func (c *Client) readSeen() map[string]time.Time {
	m := map[string]time.Time{}
	data, err := os.ReadFile(c.SeenFile())
	if err == nil && json.Unmarshal(data, &m) != nil {
		return map[string]time.Time{}
	}
	return m
}

// Remember keeps that a release was seen.
func (c *Client) Remember(suite string, date time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.readSeen()
	if !date.After(m[suite]) && !m[suite].After(time.Now().Add(24*time.Hour)) {
		return
	}
	m[suite] = date
	data, err := json.Marshal(m)
	if err != nil {
		return
	}
	tmp := fmt.Sprintf("%s.%d", c.SeenFile(), os.Getpid())
	if os.WriteFile(tmp, data, 0o644) == nil {
		os.Rename(tmp, c.SeenFile())
	}
}

// A Memo holds values that are made once, whoever asks first. The zero Memo is empty.
type Memo[T any] struct {
	mu sync.Mutex
	m  map[string]func() (T, error)
}

// Of returns the value of a key, which make makes where it is not there yet. An error is kept too.
func (m *Memo[T]) Of(key string, make func() (T, error)) (T, error) {
	m.mu.Lock()
	if m.m == nil {
		m.m = map[string]func() (T, error){}
	}
	of := m.m[key]
	if of == nil {
		of = sync.OnceValues(make)
		m.m[key] = of
	}
	m.mu.Unlock()
	return of()
}
