package resolve

import (
	"context"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/origin/debian"
	"xbuild/internal/origin/npm"
	"xbuild/internal/origin/pypi"
	"xbuild/internal/origin/rust"
)

// origins are the kinds of archive by the name that definitions and locks have for them. It is the one place that lists
// them.
var origins = map[string]struct {
	kind origin.Kind
	open func(*Archive, *origin.Client) origin.Archive
}{
	catalog.Debian: {debian.Kind{}, func(a *Archive, c *origin.Client) origin.Archive {
		return &debian.Archive{Client: c, Mirrors: a.Mirrors, Snapshot: a.Snapshot, Keyring: a.Keyring,
			AllowExpired: a.AllowExpired, Standing: a.Standing}
	}},
	catalog.NPM: {npm.Kind{}, func(a *Archive, c *origin.Client) origin.Archive {
		return &npm.Archive{Client: c, Registries: a.NPM}
	}},
	catalog.Rust: {rust.Kind{}, func(a *Archive, c *origin.Client) origin.Archive {
		return &rust.Archive{Client: c, Servers: a.Rust, Keys: a.RustKeys}
	}},
	catalog.PyPI: {pypi.Kind{}, func(a *Archive, c *origin.Client) origin.Archive {
		return &pypi.Archive{Client: c, Indexes: a.PyPI}
	}},
}

// Kind returns the kind of archive of that name, nil where there is none.
func Kind(name string) origin.Kind { return origins[name].kind }

// released returns the kind where its archive is made of releases.
func released(name string) (origin.Releases, bool) {
	k, ok := Kind(name).(origin.Releases)
	return k, ok
}

// sameRelease tells whether an entry is of a release of its archive; "" is any.
func sameRelease(e lock.Sysroot, release string) bool {
	k, ok := released(e.Archive)
	return release == "" || ok && k.Release(e.Files) == release
}

// archive returns the archive of a kind, opened once; nil where there is no such kind.
func (a *Archive) archive(name string) origin.Archive {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.opened == nil {
		a.opened = map[string]origin.Archive{}
		a.client = &origin.Client{Store: a.Store, Fetch: a.Fetch, Notice: a.Notice}
	}
	if o := origins[name]; o.open != nil && a.opened[name] == nil {
		a.opened[name] = o.open(a, a.client)
	}
	return a.opened[name]
}

// Debian returns the Debian archive.
func (a *Archive) Debian() *debian.Archive { return a.archive(catalog.Debian).(*debian.Archive) }

// URLs returns where the files of a lock can be fetched, the best first.
func (a *Archive) URLs(l *lock.Lock) func(context.Context, lock.File) ([]string, error) {
	dates := map[string]string{}
	for _, t := range l.Toolchains {
		for _, f := range t.Files {
			dates[f.SHA256] = t.Date
		}
	}
	for _, r := range l.Sysroots {
		for _, f := range r.Files {
			dates[f.SHA256] = r.Date
		}
	}
	return func(ctx context.Context, f lock.File) ([]string, error) {
		from := a.archive(f.Archive)
		if from == nil {
			return nil, nil // of a kind that this xbuild does not know: fetch says that it has no URL
		}
		return from.URLs(ctx, f, dates[f.SHA256])
	}
}
