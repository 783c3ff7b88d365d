package npm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
)

const (
	maxPackument = 64 << 20  // npm's own has 3 MB, the largest of the public registry about 30
	maxTarball   = 512 << 20 // a Node has 55 MB
)

// Kind is the kind of archive.
type Kind struct{}

// Unpack puts a package where npm install --global does. Its tarball has all below one directory.
func (Kind) Unpack(ctx context.Context, file string, f lock.File, dir string, opt archive.UnpackOptions) error {
	in := Modules(f.Name)
	return archive.UnpackTarFile(ctx, file, dir, archive.UnpackOptions{
		Keep:    opt.Keep,
		Drop:    opt.Drop,
		Strip:   1,
		MapPath: func(name string) string { return in + "/" + name },
	})
}

// Modules is where a tree has a package.
func Modules(name string) string { return "usr/lib/node_modules/" + name }

// An Archive is read from registries. It is trusted as npm itself trusts it: its document, fetched over TLS, names the
// SHA-512 of the package; from then on the lock's SHA-256 decides. A registry says neither the size nor the SHA-256 of
// a package, so that each one that is chosen is downloaded to be locked.
type Archive struct {
	*origin.Client
	Registries []string // base URLs, the best first

	releases origin.Memo[[]Release]
	mu       sync.Mutex // for npm.json
}

// URLs are where a file can be fetched.
func (a *Archive) URLs(_ context.Context, f lock.File, _ string) ([]string, error) {
	return a.urls(f.Path), nil
}

// Releases are the releases of an npm package, read once.
func (a *Archive) Releases(ctx context.Context, name string) ([]Release, error) {
	return a.releases.Of(name, func() ([]Release, error) {
		if len(a.Registries) == 0 {
			return nil, errors.New("no registry of npm is configured; set XBUILD_NPM_MIRROR or [mirrors] npm")
		}
		data, url, err := a.Of(catalog.NPM).Bytes(ctx, a.Store, a.urls(Path(name)), maxPackument)
		if err != nil {
			return nil, fmt.Errorf("npm package %s: no registry serves its document; name another with XBUILD_NPM_MIRROR, [mirrors] npm or npm's own configuration: %w", name, err)
		}
		releases, err := ParsePackument(name, data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
		return releases, nil
	})
}

func (a *Archive) urls(path string) []string {
	var out []string
	for _, base := range a.Registries {
		out = append(out, base+"/"+path)
	}
	return out
}

// Tarball locks one release of an npm package. Its document names no SHA-256: the tarball is fetched and verified by
// SHA-512, unless that was done before.
func (a *Archive) Tarball(ctx context.Context, name string, r Release) (lock.File, error) {
	sum := hex.EncodeToString(r.SHA512)
	unlock, err := a.Store.Lock(ctx, "npm-"+sum[:32])
	if err != nil {
		return lock.File{}, err
	}
	defer unlock()
	f := lock.File{Name: name, Version: r.Version.String(), Arch: "all", Path: r.Path}
	if known, ok := a.readSums()[sum]; ok {
		f.SHA256, f.Size = known.SHA256, known.Size
		return f, nil
	}
	check := func(file string) error {
		_, err := held(file, r)
		return err
	}
	f.SHA256, f.Size, err = fetch.Checked(
		ctx, a.Store, name+" "+f.Version, a.urls(r.Path), maxTarball, check, a.Of(catalog.NPM))
	if err != nil {
		return f, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sums := a.readSums()
	sums[sum] = tarball{f.SHA256, f.Size}
	data, err := json.Marshal(sums)
	if err != nil {
		return f, err
	}
	tmp := fmt.Sprintf("%s.%d", a.sumsFile(), os.Getpid())
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return f, err
	}
	return f, os.Rename(tmp, a.sumsFile())
}

func held(file string, r Release) (size int64, err error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	h := r.Hash()
	if size, err = io.Copy(h, in); err != nil {
		return 0, err
	}
	return size, h.Check()
}

// A tarball is what was found by a SHA-512.
type tarball struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Which tarball belongs to a SHA-512 is kept in the store, so that one that was verified is not fetched to be locked
// again. The tarball itself is not kept once it is unpacked.
func (a *Archive) sumsFile() string { return filepath.Join(a.Store.Dir(), "npm.json") }

func (a *Archive) readSums() map[string]tarball {
	m := map[string]tarball{}
	data, err := os.ReadFile(a.sumsFile())
	if err == nil && json.Unmarshal(data, &m) != nil {
		return map[string]tarball{} // of an xbuild that wrote other things
	}
	return m
}

// Toolchain locks what the registry has of a toolchain in the range of its source.
func (a *Archive) Toolchain(ctx context.Context, t origin.Toolchain) (e lock.Toolchain, has string, err error) {
	name, within := t.Def.Package, t.Source().Suite
	releases, err := a.Releases(ctx, name)
	if err != nil {
		return e, "", err
	}
	newest, ok, err := Newest(releases, within)
	if err != nil || !ok {
		return e, "", err
	}
	has = newest.Version.String()
	chosen, ok, err := Newest(releases, within, t.Constraint)
	if err != nil || !ok {
		return e, has, err
	}
	f, err := a.Tarball(ctx, name, chosen)
	if err != nil {
		return e, has, err
	}
	return lock.Toolchain{Version: chosen.Version.String(), Files: []lock.File{f}}, has, nil
}

// Sysroot locks the npm package of a sysroot in the newest version of the range that the project names.
func (a *Archive) Sysroot(ctx context.Context, r origin.Sysroot) (lock.Sysroot, error) {
	roots := r.Roots()
	e := lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Archive: catalog.NPM, Roots: roots}
	for _, name := range roots {
		releases, err := a.Releases(ctx, name)
		if err != nil {
			return e, fmt.Errorf("%s: %w", r.Where, err)
		}
		chosen, ok, err := Newest(releases, append([]string{r.Suite}, r.Constraints...)...)
		if err != nil {
			return e, fmt.Errorf("%s: %w", r.Where, err)
		}
		if !ok {
			return e, fmt.Errorf("%s: %w of %s satisfies %q; npm's package %s has %s",
				r.Where, origin.ErrNoVersion, r.Def.Name, r.Suite, name, majors(releases))
		}
		f, err := a.Tarball(ctx, name, chosen)
		if err != nil {
			return e, fmt.Errorf("%s: %w", r.Where, err)
		}
		e.Version = chosen.Version.String()
		e.Files = append(e.Files, f)
	}
	return e, nil
}

// majors lists the newest release of each major version.
func majors(releases []Release) string {
	var out []string
	for i, r := range releases {
		if i+1 == len(releases) || releases[i+1].Version.Major() != r.Version.Major() {
			out = append(out, r.Version.String())
		}
	}
	return strings.Join(out, ", ")
}
