package rust

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
)

// maxSignature bounds a detached signature; one has about a kilobyte.
const maxSignature = 64 << 10

// errNoRelease says that a channel has no manifest on any server.
var errNoRelease = errors.New("no such release of Rust")

// Kind is the kind of archive. It is one of releases: the manifest of a day lies beside that day's files.
type Kind struct{}

// Named tells whether a constraint is the name of a channel, and whether a locked toolchain is of that.
func (k Kind) Named(constraint string, locked lock.Toolchain) (is, named bool) {
	c, ok := ParseChannel(constraint)
	return ok && c.Name == locked.Suite && (c.Date == "" || c.Date == k.Release(locked.Files)), ok
}

// Release returns the date of the release that the files of an entry are of.
func (Kind) Release(files []lock.File) string {
	for _, f := range files {
		if date := Released(f.Path); date != "" {
			return date
		}
	}
	return ""
}

// Unpack puts a component where rustup does. Its files lie two directories below the top, as in
// rustc-1.95.0-x86_64-unknown-linux-gnu/rustc/bin/rustc (rust-lang/rust, src/tools/rust-installer).
func (Kind) Unpack(ctx context.Context, file string, f lock.File, dir string, opt archive.UnpackOptions) error {
	opt.Strip += 2
	return archive.UnpackTarFile(ctx, file, dir, opt)
}

// An Archive is read from servers. A channel's manifest is verified with the embedded key, every component later by the
// hash that the manifest names.
type Archive struct {
	*origin.Client
	Servers []string           // base URLs, the best first
	Keys    openpgp.EntityList // nil: the embedded key

	manifests origin.Memo[*Manifest]
}

// URLs are where a file can be fetched.
func (a *Archive) URLs(_ context.Context, f lock.File, _ string) ([]string, error) {
	return a.urls(f.Path), nil
}

func (a *Archive) urls(path string) []string {
	urls := make([]string, len(a.Servers))
	for i, base := range a.Servers {
		urls[i] = base + "/" + path
	}
	return urls
}

// Toolchain locks what the distribution has of a toolchain in the channel of the definition's source. Where the
// constraint admits nothing there, no files come back, and the version that there is, if one was looked at.
func (a *Archive) Toolchain(ctx context.Context, t origin.Toolchain) (e lock.Toolchain, has string, err error) {
	suite, constraint := t.Source().Suite, t.Constraint
	var channels []Channel
	if c, ok := ParseChannel(constraint); ok {
		if c.Name == suite {
			channels = []Channel{c}
		}
	} else if suite == Stable {
		channels = Channels(constraint)
	}
	for _, c := range channels {
		m, err := a.Manifest(ctx, c)
		if errors.Is(err, errNoRelease) && len(channels) > 1 {
			continue
		}
		if err != nil {
			return e, has, err
		}
		if _, ok := ParseChannel(constraint); !ok {
			ok, err := origin.Admits(constraint, m.Version)
			if err != nil {
				return e, has, err
			}
			if !ok {
				has = m.Version
				continue
			}
		}
		files, err := a.components(ctx, m, t.Def.Packages, t.Host.Rust)
		if err != nil {
			return e, m.Version, err
		}
		a.Say("toolchain %s: Rust %s of the official distribution (%s)", t.Def.Name, m.Version, c.Path())
		return lock.Toolchain{Version: m.Version, Files: files}, m.Version, nil
	}
	return e, has, nil
}

// Sysroot locks the library of a toolchain of Rust's distribution for a target, from the release that the
// toolchain is of.
func (a *Archive) Sysroot(ctx context.Context, r origin.Sysroot) (lock.Sysroot, error) {
	// The manifest of a version stays; those of the channels are kept by date.
	c := Channel{Name: r.Suite, Date: r.Release}
	if r.Suite == Stable {
		c = Channel{Name: r.Version}
	}
	m, err := a.Manifest(ctx, c)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s of %s: %w", r.Def.Name, r.Where, err)
	}
	if m.Version != r.Version || m.Date != r.Release {
		return lock.Sysroot{}, hint.Add(fmt.Errorf("%s of %s: %s is Rust %s of %s now, while %s of %s is locked", r.Def.Name,
			r.Where, c.Path(), m.Version, m.Date, r.Version, r.Release),
			"run \"xbuild lock --update\"")
	}
	names := r.Def.Packages
	if r.Def.Source != "" {
		names = []string{r.Def.Source}
	}
	files, err := a.components(ctx, m, names, r.Arch)
	if errors.Is(err, ErrNoTarget) {
		return lock.Sysroot{}, fmt.Errorf("%s: %w %s of Rust %s of %s; %s lists those that there are", r.Where,
			origin.ErrNoTarget, r.Arch, m.Version, m.Date, c.Path())
	}
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s of %s: %w", r.Def.Name, r.Where, err)
	}
	return lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Version: m.Version, Archive: catalog.Rust,
		Roots: slices.Sorted(slices.Values(r.Def.Packages)), Files: files}, nil
}

// components locks components by name for a target. A manifest has no sizes: the server is asked for them.
func (a *Archive) components(ctx context.Context, m *Manifest, names []string, target string) ([]lock.File, error) {
	files := make([]lock.File, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		g.Go(func() error {
			c, err := m.Component(name, target)
			if err != nil {
				return err
			}
			size, err := a.Size(ctx, fetch.Item{Name: c.Name + " " + c.Version + " " + c.Target, URLs: a.urls(c.Path),
				SHA256: c.SHA256, Archive: catalog.Rust})
			if err != nil {
				return err
			}
			files[i] = lock.File{Name: c.Name, Version: c.Version, Arch: c.Target, Path: c.Path, Size: size, SHA256: c.SHA256}
			return nil
		})
	}
	return files, g.Wait()
}

// Manifest returns the verified manifest of a channel, read once.
func (a *Archive) Manifest(ctx context.Context, c Channel) (*Manifest, error) {
	return a.manifests.Of(c.String(), func() (*Manifest, error) { return a.manifest(ctx, c) })
}

func (a *Archive) manifest(ctx context.Context, c Channel) (*Manifest, error) {
	keys := a.Keys
	if keys == nil {
		var err error
		if keys, err = Keyring(); err != nil {
			return nil, err
		}
	}
	if len(a.Servers) == 0 {
		return nil, errors.New("no server of Rust's distribution is configured; set XBUILD_RUST_MIRROR or [mirrors] rust")
	}
	// An older manifest of a channel than one seen before may be a replayed one: taken only where no newer one can be
	// had, and said, as with a suite's Release.
	name := "rust " + c.Name
	newest := a.Seen(name)
	olds := map[string]*Manifest{}
	var faults []error
	var without []string // servers that have no such manifest
	for _, base := range a.Servers {
		url := base + "/" + c.Path()
		m, err := a.verified(ctx, keys, url)
		if errors.Is(err, archive.ErrSignature) || errors.Is(err, ErrManifest) {
			return nil, err
		}
		if errors.Is(err, fetch.ErrNotFound) {
			without = append(without, url)
			continue
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if c.Date != "" && m.Date != c.Date || !c.Has(m.Version) {
			return nil, fmt.Errorf("%s is that of Rust %s of %s", url, m.Version, m.Date)
		}
		date, err := time.Parse(time.DateOnly, m.Date)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: its date is %q", url, ErrManifest, m.Date)
		}
		if c.Date == "" {
			if date.Before(newest) {
				olds[url] = m
				continue
			}
			a.Remember(name, date)
		}
		return m, nil
	}
	for _, url := range slices.Sorted(maps.Keys(olds)) {
		a.Say("%s of %s is older than one seen before (%s), and no newer one can be had", url, olds[url].Date,
			newest.Format(time.DateOnly))
		return olds[url], nil
	}
	if len(faults) == 0 {
		return nil, fmt.Errorf("%w: %s is not there", errNoRelease, strings.Join(without, " and "))
	}
	return nil, fmt.Errorf("the manifest of Rust %s is not to be had; name another server with XBUILD_RUST_MIRROR or [mirrors] rust: %w", c, errors.Join(faults...))
}

// verified fetches a manifest with the signature beside it.
func (a *Archive) verified(ctx context.Context, keys openpgp.EntityList, url string) (*Manifest, error) {
	text, _, err := a.Of(catalog.Rust).Bytes(ctx, a.Store, []string{url}, MaxManifest)
	if err != nil {
		return nil, err
	}
	signature, _, err := a.Of(catalog.Rust).Bytes(ctx, a.Store, []string{url + ".asc"}, maxSignature)
	if err != nil {
		// Not wrapped: that a signature is not there does not mean that the manifest is not. And without the advice for
		// a file that is locked.
		if unfetched := new(fetch.Error); errors.As(err, &unfetched) {
			err = errors.Join(unfetched.Unwrap()...)
		}
		return nil, fmt.Errorf("%s: a manifest without its signature is not used: %v", url, err)
	}
	if err := Verify(keys, url, text, signature); err != nil {
		return nil, err
	}
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return m, nil
}
