package engine

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/fetch"
	"xbuild/internal/origin/debian"
	"xbuild/internal/origin/npm"
	"xbuild/internal/origin/pypi"
	"xbuild/internal/origin/rust"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// origin is where the files of one kind of archive are read, the best place first: what the caller names is used alone,
// else what the project names, else what the machine is configured with.
func origin(given, project []string, machine func() []string) []string {
	var out []string
	switch {
	case len(given) > 0:
		out = slices.Clone(given)
	case len(project) > 0:
		out = slices.Clone(project)
	default:
		out = machine()
	}
	for i, m := range out {
		out[i] = strings.TrimRight(m, "/")
	}
	return out
}

// registries are where npm packages are read. What npm is configured with is used alone: a company's registry is not to
// be gone around.
func (e *Engine) registries() []string {
	return origin(e.opt.NPMMirrors, e.pl.Project.Mirrors[catalog.NPM], func() []string {
		if e.npm.Registry != "" {
			return []string{e.npm.Registry}
		}
		return []string{npm.Public}
	})
}

// mirrors are where the Debian archive is read.
func (e *Engine) mirrors() []string {
	return origin(e.opt.DebianMirrors, e.pl.Project.Mirrors[catalog.Debian], func() []string {
		return append(debian.HostMirrors("/"), debian.Public...)
	})
}

// rustMirrors are where Rust's official distribution is read. A server that the user chose is used alone, as rustup
// does.
func (e *Engine) rustMirrors() []string {
	return origin(e.opt.RustMirrors, e.pl.Project.Mirrors[catalog.Rust], func() []string {
		if server := os.Getenv("RUSTUP_DIST_SERVER"); server != "" {
			return []string{server}
		}
		return []string{rust.Server}
	})
}

// indexes are where Python packages are read. What pip is configured with is used alone, as npm's registry is.
func (e *Engine) indexes() []string {
	return origin(e.opt.PyPIMirrors, e.pl.Project.Mirrors[catalog.PyPI], func() []string {
		return []string{cmp.Or(e.pip.Index, pypi.Public)}
	})
}

// fetchOptions say how files are fetched. by is the command that brings what is missing, where there is a network.
func (e *Engine) fetchOptions(by string) fetch.Options {
	return fetch.Options{
		Progress: e.opt.Progress.Fetching, Offline: e.opt.Offline, Command: by,
		Authorization: func(u *url.URL) string { return cmp.Or(e.npm.Authorization(u), e.pip.Authorization(u)) },
		Notice:        func(m string) { e.note("%s", m) },
	}
}

// archive is where the lock's entries are looked up.
func (e *Engine) archive(by string) (*resolve.Archive, error) {
	keys, err := e.opt.ArchiveKeys()
	if err != nil {
		return nil, err
	}
	rustKeys, err := e.opt.RustKeys()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	said := map[string]bool{}
	notice := func(m string) {
		mu.Lock()
		defer mu.Unlock()
		if !said[m] {
			said[m] = true
			e.note("%s", m)
		}
	}
	var standing []string
	if debian.HostTakesExpired("/") {
		standing = debian.HostMirrors("/")
	}
	a := e.archives(by)
	a.Standing, a.Keyring, a.RustKeys, a.AllowExpired, a.Notice = standing, keys, rustKeys, e.opt.AllowExpired, notice
	return a, nil
}

// archives are where files of all kinds of archive are fetched.
func (e *Engine) archives(by string) *resolve.Archive {
	return &resolve.Archive{
		Store: e.store, Mirrors: e.mirrors(), Snapshot: e.opt.Snapshot, NPM: e.registries(), Rust: e.rustMirrors(),
		PyPI: e.indexes(), Fetch: e.fetchOptions(by),
	}
}

// holders looks up for hints which package has something, each name once. Where the archive cannot be asked, a hint
// does without.
func (e *Engine) holders(ctx context.Context) func(platform.Platform, string, bool) []string {
	var mu sync.Mutex
	known := map[string][]string{}
	var a *resolve.Archive
	return func(p platform.Platform, name string, program bool) []string {
		if e.opt.Offline || ctx.Err() != nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		def := e.pl.Catalog.Sysroot("gnu")
		suite, arch := def.Prefer[0], p.Debian
		if !program {
			of, chosen, err := e.pl.Suite(p)
			if err != nil || of != def {
				return nil // the archive's libraries are not for it
			}
			suite, arch = chosen.Name, p.Sysroot
		}
		key := fmt.Sprintf("%s %s %s %v", suite, arch, name, program)
		if found, ok := known[key]; ok {
			return found
		}
		var err error
		if a == nil {
			if a, err = e.archive(""); err != nil {
				return nil
			}
			a.Notice, a.Fetch.Notice = nil, nil // the build has told what is wrong with mirrors
		}
		found, err := a.Debian().PackagesWith(ctx, suite, arch, name, program)
		if err != nil {
			e.note("which package has %s could not be looked up: %v", name, err)
		}
		known[key] = found
		return found
	}
}

// composer puts trees into the store, by the files that the lock names.
func (e *Engine) composer(by string) *compose.Composer {
	return &compose.Composer{
		Store: e.store, Fetch: e.fetchOptions(by), URLs: e.archives(by).URLs(e.pl.Lock),
		Note: func(m string) { e.note("%s", m) },
	}
}
