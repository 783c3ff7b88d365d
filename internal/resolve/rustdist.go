package resolve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/hint"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/rustdist"
)

// maxSignature bounds a detached signature; one has about a kilobyte.
const maxSignature = 64 << 10

// errNoRelease says that a channel has no manifest on any server.
var errNoRelease = errors.New("no such release of Rust")

type manifestOnce struct {
	once     sync.Once
	manifest *rustdist.Manifest
	err      error
}

// admits tells whether a locked toolchain satisfies what is asked for; a constraint may be the name of a channel where
// it came from Rust's distribution.
func (r ToolchainRequest) admits(e lock.Toolchain) (bool, error) {
	c, ok := rustdist.ParseChannel(r.Constraint)
	if !ok || e.Archive != catalog.Rust {
		return r.Admits(e.Version)
	}
	return c.Name == e.Suite && (c.Date == "" || c.Date == releaseOf(e.Files)), nil
}

// releaseOf returns the date of the release that the files of an entry are of: the manifest of a day lies beside them.
func releaseOf(files []lock.File) string {
	for _, f := range files {
		if date := rustdist.Released(f.Path); date != "" {
			return date
		}
	}
	return ""
}

func sameRelease(e lock.Sysroot, date string) bool { return date == "" || releaseOf(e.Files) == date }

// inRustDist is In for a toolchain of Rust's distribution, whose manifest alone knows the targets: the source is what
// is asked for where the lock has that for the target in the library's place.
func (r PartRequest) inRustDist(l *lock.Lock, t lock.Toolchain) (SysrootRequest, error) {
	def := r.Def.For(catalog.Rust)
	if def == nil {
		return SysrootRequest{}, fmt.Errorf("%w %s of %s %s: %s is not in Rust's distribution", ErrNoTarget, r.Target, t.Name, t.Version, r.Def.Name)
	}
	library := SysrootRequest{Def: def, Arch: r.Target, Suite: t.Suite, Version: t.Version, Release: releaseOf(t.Files), Where: r.Where}
	source, hasSource := r.rustSource(library)
	suite, _ := def.Suite(t.Suite)
	if err := r.beyond(t, suite, def); err != nil {
		if hasSource {
			return source, nil
		}
		return SysrootRequest{}, err
	}
	if _, ok := FindSysroot(l, library); !ok && hasSource {
		if _, ok := FindSysroot(l, source); ok {
			return source, nil
		}
	}
	return library, nil
}

// rustSource asks for the source of a library of Rust's distribution in its place.
func (r PartRequest) rustSource(library SysrootRequest) (SysrootRequest, bool) {
	for _, d := range r.From {
		if def := d.For(catalog.Rust); def != nil && def.Source != "" {
			library.Def = def
			return library, true
		}
	}
	return library, false
}

// part locks what a part is; where Rust's distribution has no library for the target, its source.
func (a *Archive) part(ctx context.Context, p PartRequest, r SysrootRequest) (lock.Sysroot, error) {
	e, err := a.Sysroot(ctx, r)
	if errors.Is(err, ErrNoTarget) && r.Def.Archive == catalog.Rust && r.Def.Source == "" {
		if source, ok := p.rustSource(r); ok {
			return a.Sysroot(ctx, source)
		}
	}
	return e, err
}

// lacks says which versions were no choice before something failed.
func lacks(r ToolchainRequest, seen []string) string {
	if len(seen) == 0 {
		return ""
	}
	return fmt.Sprintf(" (none of %s satisfies %s)", strings.Join(seen, ", "), r.wants())
}

// rustDist locks what Rust's distribution has of a toolchain in the channel of the definition's source, and the Debian
// packages that its programs run with. Where the constraint admits nothing there, no files come back, and the version
// that there is, if one was looked at.
func (a *Archive) rustDist(ctx context.Context, def *catalog.Toolchain, r ToolchainRequest, host platform.Platform) (e lock.Toolchain, has string, err error) {
	s, constraint := def.Sources[0], r.Constraint
	var channels []rustdist.Channel
	if c, ok := rustdist.ParseChannel(constraint); ok {
		if c.Name == s.Suite {
			channels = []rustdist.Channel{c}
		}
	} else if s.Suite == rustdist.Stable {
		channels = rustdist.Channels(constraint)
	}
	for _, c := range channels {
		m, err := a.Manifest(ctx, c)
		if errors.Is(err, errNoRelease) && len(channels) > 1 {
			continue
		}
		if err != nil {
			return e, has, err
		}
		if _, ok := rustdist.ParseChannel(constraint); !ok {
			ok, err := Admits(constraint, m.Version)
			if err != nil {
				return e, has, err
			}
			if !ok {
				has = m.Version
				continue
			}
		}
		e, err = a.release(ctx, def, m, host)
		if err == nil {
			a.say("toolchain %s: Rust %s of the official distribution (%s)", def.Name, m.Version, c.Path())
		}
		return e, m.Version, err
	}
	return e, has, nil
}

// release locks the components of a release for a host.
func (a *Archive) release(ctx context.Context, def *catalog.Toolchain, m *rustdist.Manifest, host platform.Platform) (lock.Toolchain, error) {
	e := lock.Toolchain{Version: m.Version}
	var err error
	if e.Files, err = a.components(ctx, m, def.Packages, host.Rust); err != nil {
		return lock.Toolchain{}, err
	}
	files, date, err := a.runtime(ctx, def, host)
	if err != nil {
		return lock.Toolchain{}, fmt.Errorf("libraries that %s %s runs with: %w", def.Name, m.Version, err)
	}
	for _, f := range files {
		f.Archive = catalog.Debian
		e.Files = append(e.Files, f)
	}
	e.Date = stamp(date)
	return e, nil
}

// rustDistPart locks the library of a toolchain of Rust's distribution for a target, from the release that the
// toolchain is of.
func (a *Archive) rustDistPart(ctx context.Context, r SysrootRequest) (lock.Sysroot, error) {
	// The manifest of a version stays; those of the channels are kept by date.
	c := rustdist.Channel{Name: r.Suite, Date: r.Release}
	if r.Suite == rustdist.Stable {
		c = rustdist.Channel{Name: r.Version}
	}
	m, err := a.Manifest(ctx, c)
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s of %s: %w", r.Def.Name, r.Where, err)
	}
	if m.Version != r.Version || m.Date != r.Release {
		return lock.Sysroot{}, hint.Add(fmt.Errorf("%s of %s: %s is Rust %s of %s now, while %s of %s is locked",
			r.Def.Name, r.Where, c.Path(), m.Version, m.Date, r.Version, r.Release),
			"run \"xbuild lock --update\"")
	}
	names := r.Def.Packages
	if r.Def.Source != "" {
		names = []string{r.Def.Source}
	}
	files, err := a.components(ctx, m, names, r.Arch)
	if errors.Is(err, rustdist.ErrNoTarget) {
		return lock.Sysroot{}, fmt.Errorf("%s: %w %s of Rust %s of %s; %s lists those that there are", r.Where, ErrNoTarget, r.Arch, m.Version, m.Date, c.Path())
	}
	if err != nil {
		return lock.Sysroot{}, fmt.Errorf("%s of %s: %w", r.Def.Name, r.Where, err)
	}
	return lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Version: m.Version, Archive: catalog.Rust, Roots: slices.Sorted(slices.Values(r.Def.Packages)), Files: files}, nil
}

// components locks components by name for a target. A manifest has no sizes: the server is asked for them.
func (a *Archive) components(ctx context.Context, m *rustdist.Manifest, names []string, target string) ([]lock.File, error) {
	files := make([]lock.File, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		g.Go(func() error {
			c, err := m.Component(name, target)
			if err != nil {
				return err
			}
			size, err := a.size(ctx, c)
			if err != nil {
				return err
			}
			files[i] = lock.File{Name: c.Name, Version: c.Version, Arch: c.Target, Path: c.Path, Size: size, SHA256: c.SHA256}
			return nil
		})
	}
	return files, g.Wait()
}

// size returns how long a component is: as the store has it, as a server says, else as it is when it was fetched.
func (a *Archive) size(ctx context.Context, c rustdist.Component) (int64, error) {
	stored := func() (int64, error) {
		file, ok := a.Store.File(c.SHA256)
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
	urls := make([]string, len(a.Rust))
	for i, base := range a.Rust {
		urls[i] = base + "/" + c.Path
	}
	n, err := fetch.Size(ctx, urls)
	if n > 0 || errors.Is(err, fetch.ErrNotFound) {
		return n, err
	}
	if err := fetch.Files(ctx, a.Store, []fetch.Item{{Name: c.Name + " " + c.Version + " " + c.Target, URLs: urls, SHA256: c.SHA256}}, a.Fetch); err != nil {
		return 0, err
	}
	return stored()
}

// Manifest returns the verified manifest of a channel, read once.
func (a *Archive) Manifest(ctx context.Context, c rustdist.Channel) (*rustdist.Manifest, error) {
	a.mu.Lock()
	if a.manifests == nil {
		a.manifests = map[string]*manifestOnce{}
	}
	o := a.manifests[c.String()]
	if o == nil {
		o = &manifestOnce{}
		a.manifests[c.String()] = o
	}
	a.mu.Unlock()
	o.once.Do(func() { o.manifest, o.err = a.manifest(ctx, c) })
	return o.manifest, o.err
}

func (a *Archive) manifest(ctx context.Context, c rustdist.Channel) (*rustdist.Manifest, error) {
	keys := a.RustKeys
	if keys == nil {
		var err error
		if keys, err = rustdist.Keyring(); err != nil {
			return nil, err
		}
	}
	if len(a.Rust) == 0 {
		return nil, errors.New("no server of Rust's distribution is configured; set XBUILD_RUST_MIRROR or [mirrors] rust")
	}
	// An older manifest of a channel than one seen before may be a replayed one: taken only where no newer one can be
	// had, and said, as with a suite's Release.
	name := "rust " + c.Name
	newest := a.seen(name)
	olds := map[string]*rustdist.Manifest{}
	var faults []error
	var without []string // servers that have no such manifest
	for _, base := range a.Rust {
		url := base + "/" + c.Path()
		m, err := a.verified(ctx, keys, url)
		if errors.Is(err, archive.ErrSignature) || errors.Is(err, rustdist.ErrManifest) {
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
			return nil, fmt.Errorf("%s: %w: its date is %q", url, rustdist.ErrManifest, m.Date)
		}
		if c.Date == "" {
			if date.Before(newest) {
				olds[url] = m
				continue
			}
			a.remember(name, date)
		}
		return m, nil
	}
	for _, url := range slices.Sorted(maps.Keys(olds)) {
		a.say("%s of %s is older than one seen before (%s), and no newer one can be had", url, olds[url].Date, newest.Format(time.DateOnly))
		return olds[url], nil
	}
	if len(faults) == 0 {
		return nil, fmt.Errorf("%w: %s is not there", errNoRelease, strings.Join(without, " and "))
	}
	return nil, fmt.Errorf("the manifest of Rust %s is not to be had; name another server with XBUILD_RUST_MIRROR or [mirrors] rust: %w", c, errors.Join(faults...))
}

// verified fetches a manifest with the signature beside it.
func (a *Archive) verified(ctx context.Context, keys openpgp.EntityList, url string) (*rustdist.Manifest, error) {
	text, _, err := a.Fetch.Bytes(ctx, a.Store, []string{url}, rustdist.MaxManifest)
	if err != nil {
		return nil, err
	}
	signature, _, err := a.Fetch.Bytes(ctx, a.Store, []string{url + ".asc"}, maxSignature)
	if err != nil {
		// Not wrapped: that a signature is not there does not mean that the manifest is not. And without the advice for
		// a file that is locked.
		if unfetched := new(fetch.Error); errors.As(err, &unfetched) {
			err = errors.Join(unfetched.Unwrap()...)
		}
		return nil, fmt.Errorf("%s: a manifest without its signature is not used: %v", url, err)
	}
	if err := rustdist.Verify(keys, url, text, signature); err != nil {
		return nil, err
	}
	m, err := rustdist.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return m, nil
}

func (a *Archive) say(format string, args ...any) {
	if a.Notice != nil {
		a.Notice(fmt.Sprintf(format, args...))
	}
}
