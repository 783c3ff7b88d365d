package debian

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"xbuild/internal/archive"
	"xbuild/internal/fetch"
	"xbuild/internal/lazyregexp"
)

// aliases are the names by which an archive serves a suite beside its codename. They move at each Debian release: the
// signed Codename decides.
var aliases = []string{"stable", "oldstable", "testing", "oldoldstable"}

// maxRelease bounds an InRelease file; Debian's are under 200 kB.
const maxRelease = 8 << 20

// Index returns the verified package index of a suite and architecture and the date of the Release that names it, read
// once.
func (a *Archive) Index(ctx context.Context, suite, arch string) (*archive.Index, time.Time, error) {
	return a.index(ctx, suite, arch, time.Time{})
}

// index is Index, of Releases before a time where one is given.
func (a *Archive) index(ctx context.Context, suite, arch string, before time.Time) (*archive.Index, time.Time, error) {
	o, err := a.indexes.Of(fmt.Sprintf("%s/%s/%d", suite, arch, before.Unix()), func() (*dated, error) {
		var o dated
		var err error
		o.path, o.date, err = a.file(ctx, suite, before, func(sum string) bool {
			_, ok := a.Store.HasTree(read(sum))
			return ok
		}, func(r *archive.Release) (string, archive.FileHash, error) {
			_, byHash, hash, err := r.Index("main", arch)
			o.sum = hash.SHA256
			return byHash, hash, err
		})
		return &o, err
	})
	if err != nil {
		return nil, o.date, err
	}
	o.mu.Lock()
	if o.index == nil && o.err == nil {
		o.index, o.err = a.packages(ctx, o.path, o.sum)
	}
	ix, err := o.index, o.err
	o.mu.Unlock()
	a.holds(o)
	return ix, o.date, err
}

// holds lets the index go that was asked for longest ago, where there are too many.
func (a *Archive) holds(o *dated) {
	a.mu.Lock()
	a.recent = append(slices.DeleteFunc(a.recent, func(r *dated) bool { return r == o }), o)
	var old *dated
	if len(a.recent) > inMemory {
		old, a.recent = a.recent[0], a.recent[1:]
	}
	a.mu.Unlock()
	if old != nil {
		old.mu.Lock()
		old.index = nil
		old.mu.Unlock()
	}
}

// File fetches a file that a suite's Release names by hash, trying each mirror, and on each the suite's alias where the
// Release of that name cannot be used: a mirror in the midst of an update serves a Release whose indexes it does not
// have yet.
func (a *Archive) File(
	ctx context.Context, suite string,
	pick func(*archive.Release) (path string, hash archive.FileHash, err error),
) (string, time.Time, error) {
	return a.file(ctx, suite, time.Time{}, func(string) bool { return false }, pick)
}

// file is File, of Releases before a time where one is given. What the store has in another form, as has says of a
// SHA-256, has no path and is not fetched.
func (a *Archive) file(
	ctx context.Context, suite string, before time.Time, has func(sum string) bool,
	pick func(*archive.Release) (path string, hash archive.FileHash, err error),
) (string, time.Time, error) {
	keyring := a.Keyring
	if keyring == nil {
		var err error
		if keyring, err = archive.Keyring(); err != nil {
			return "", time.Time{}, err
		}
	}
	newest := a.Seen(suite)
	var faults []error
	type old struct {
		base, name string
		release    *archive.Release
	}
	var olds []old
	use := func(base, name string, r *archive.Release) (string, error) {
		path, hash, err := pick(r)
		if err != nil {
			return "", fmt.Errorf("%s/dists/%s: Release of %s: %w", base, name, r.Date.UTC().Format(time.RFC3339), err)
		}
		if has(hash.SHA256) {
			a.Remember(suite, r.Date)
			return "", nil
		}
		path = "dists/" + name + "/" + path
		item := fetch.Item{
			Name:   suite + " index",
			URLs:   []string{base + "/" + path},
			SHA256: hash.SHA256,
			Size:   hash.Size,
		}
		if err := fetch.Files(ctx, a.Store, []fetch.Item{item}, a.Fetch); err != nil {
			if fetch.Local(err) {
				return "", err
			}
			return "", fmt.Errorf("%s/dists/%s: its Release of %s names %s, which is not to be had (the mirror is in the middle of an update?): %w",
				base, name, r.Date.UTC().Format(time.RFC3339), path, err)
		}
		file, ok := a.Store.File(hash.SHA256)
		if !ok && !has(hash.SHA256) { // another process may have read and dropped it
			return "", fmt.Errorf("index %s vanished from the store", hash.SHA256)
		}
		a.Remember(suite, r.Date)
		return file, nil
	}
	// What is wrong with one mirror is told, and the next is asked. In the end all of it is said anyway.
	fault := func(err error) {
		faults = append(faults, err)
	}
	told := func() {
		for _, err := range faults {
			if before.IsZero() && !errors.Is(err, fetch.ErrNotFound) {
				a.Say("%v; another mirror serves", err)
			}
		}
	}
	for _, base := range a.Mirrors {
		for _, name := range append([]string{suite}, aliases...) {
			if err := ctx.Err(); err != nil {
				return "", time.Time{}, err
			}
			data, url, err := a.Fetch.Bytes(ctx, a.Store, []string{base + "/dists/" + name + "/InRelease"}, maxRelease)
			if fetch.Local(err) {
				return "", time.Time{}, err
			}
			if err != nil {
				fault(err)
				if !errors.Is(err, fetch.ErrNotFound) {
					break // the mirror itself does not answer: another name on it would not either
				}
				continue
			}
			r, err := release(keyring, data)
			if err != nil {
				fault(fmt.Errorf("%s: %w", url, err))
				break // a mirror that is not what it says is asked for nothing else
			}
			if r.Codename != suite {
				if name == suite {
					fault(fmt.Errorf("%s: codename is %q, want %q", url, r.Codename, suite))
					break
				}
				continue
			}
			if err := a.current(base, r); err != nil {
				fault(fmt.Errorf("%s: %w", url, err))
				continue
			}
			if !before.IsZero() && !r.Date.Before(before) {
				continue
			}
			if r.Date.Before(newest) {
				olds = append(olds, old{base, name, r})
				continue
			}
			path, err := use(base, name, r)
			if err == nil {
				told()
				return path, r.Date, nil
			}
			if fetch.Local(err) {
				return "", time.Time{}, err
			}
			fault(err)
		}
	}
	// A Release older than one seen before may be a replayed one: taken only where no newer one can be used, and said.
	for _, o := range olds {
		path, err := use(o.base, o.name, o.release)
		if err == nil {
			if before.IsZero() { // else whoever asks for an older one says why
				a.Say("%s/dists/%s: Release of %s is older than one seen before (%s), and no newer one can be used", o.base, o.name,
					o.release.Date.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
			}
			told()
			return path, o.release.Date, nil
		}
		if fetch.Local(err) {
			return "", time.Time{}, err
		}
		fault(err)
	}
	if len(a.Mirrors) == 0 {
		return "", time.Time{}, errors.New("no mirror of the debian archive is configured; set XBUILD_DEBIAN_MIRROR or [mirrors] debian")
	}
	return "", time.Time{}, fmt.Errorf("suite %s: no mirror serves a usable index; name another with XBUILD_DEBIAN_MIRROR or [mirrors] debian, or try later:\n%w", suite, errors.Join(faults...))
}

// release reads an InRelease that is signed by one of the keys.
func release(keyring openpgp.EntityList, data []byte) (*archive.Release, error) {
	text, err := archive.VerifyInRelease(keyring, data)
	if err != nil {
		return nil, err
	}
	return archive.ParseRelease(text)
}

// day is the date in the address of a mirror that has the archive as it was (…/archive/debian/20260102T030405Z/…).
var day = lazyregexp.New(`/(\d{8}T\d{6}Z)(?:/|$)`)

// current refuses a Release whose time is over (Valid-Until), which hides what came after it, and one whose time has
// not come, beside which all honest ones would look old. On a mirror of a certain day it is that day.
func (a *Archive) current(base string, r *archive.Release) error {
	now := time.Now()
	if r.Date.After(now.Add(24 * time.Hour)) {
		return fmt.Errorf("its Release is of %s, and today is %s: is this machine's clock right?", r.Date.UTC().Format(time.RFC3339), now.UTC().Format(time.DateOnly))
	}
	if m := day.FindStringSubmatch(base); m != nil {
		if at, err := time.Parse("20060102T150405Z", m[1]); err == nil {
			now = at
		}
	}
	if r.ValidUntil.IsZero() || !now.After(r.ValidUntil) {
		return nil
	}
	if slices.Contains(a.Standing, base) {
		return nil
	}
	if a.AllowExpired {
		a.Say("%s: the Release of %s expired on %s", base, r.Codename, r.ValidUntil.UTC().Format(time.RFC3339))
		return nil
	}
	return fmt.Errorf("its Release of %s expired on %s: the mirror is not kept up to date, or somebody withholds newer ones; --allow-expired takes it all the same", r.Date.UTC().Format(time.RFC3339), r.ValidUntil.UTC().Format(time.RFC3339))
}
