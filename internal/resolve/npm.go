package resolve

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

	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/npm"
	"xbuild/internal/platform"
)

const (
	maxPackument = 64 << 20  // npm's own has 3 MB, the largest of the public registry about 30
	maxTarball   = 512 << 20 // a Node has 55 MB
)

type packumentOnce struct {
	once     sync.Once
	releases []npm.Release
	err      error
}

// Releases are the releases of an npm package, read once.
func (a *Archive) Releases(ctx context.Context, name string) ([]npm.Release, error) {
	a.mu.Lock()
	if a.packuments == nil {
		a.packuments = map[string]*packumentOnce{}
	}
	o := a.packuments[name]
	if o == nil {
		o = &packumentOnce{}
		a.packuments[name] = o
	}
	a.mu.Unlock()
	o.once.Do(func() {
		if len(a.NPM) == 0 {
			o.err = errors.New("no registry of npm is configured; set XBUILD_NPM_MIRROR or [mirrors] npm")
			return
		}
		data, url, err := a.Fetch.Bytes(ctx, a.Store, a.urls(npm.Path(name)), maxPackument)
		if err != nil {
			o.err = fmt.Errorf("npm package %s: no registry serves its document; name another with XBUILD_NPM_MIRROR, [mirrors] npm or npm's own configuration: %w", name, err)
			return
		}
		if o.releases, o.err = npm.ParsePackument(name, data); o.err != nil {
			o.err = fmt.Errorf("%s: %w", url, o.err)
		}
	})
	return o.releases, o.err
}

func (a *Archive) urls(path string) []string {
	var out []string
	for _, base := range a.NPM {
		out = append(out, base+"/"+path)
	}
	return out
}

// Tarball locks one release of an npm package. Its document names no SHA-256: the tarball is fetched, unless the store
// has it, and verified by SHA-512.
func (a *Archive) Tarball(ctx context.Context, name string, r npm.Release) (lock.File, error) {
	sum := hex.EncodeToString(r.SHA512)
	unlock, err := a.Store.Lock(ctx, "npm-"+sum[:32])
	if err != nil {
		return lock.File{}, err
	}
	defer unlock()
	f := lock.File{Name: name, Version: r.Version.String(), Arch: "all", Path: r.Path}
	if known, ok := a.Store.File(a.readSums()[sum]); ok {
		if size, err := check(known, r); err == nil {
			f.SHA256, f.Size = filepath.Base(known), size
			return f, nil
		}
	}
	f.SHA256, f.Size, err = fetch.Checked(ctx, a.Store, name+" "+f.Version, a.urls(r.Path), maxTarball, func(file string) error {
		_, err := check(file, r)
		return err
	}, a.Fetch)
	if err != nil {
		return f, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sums := a.readSums()
	sums[sum] = f.SHA256
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

func check(file string, r npm.Release) (size int64, err error) {
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

// Which SHA-256 belongs to the SHA-512 of a tarball is kept in the store, so that one that is there is not fetched to
// be locked again. It is a hint: the file is verified each time.
func (a *Archive) sumsFile() string { return filepath.Join(a.Store.Dir(), "npm.json") }

func (a *Archive) readSums() map[string]string {
	m := map[string]string{}
	data, err := os.ReadFile(a.sumsFile())
	if err == nil && json.Unmarshal(data, &m) != nil {
		return map[string]string{}
	}
	return m
}

// npm locks what the registry has of a toolchain in the range of its source, and the Debian packages that its programs
// run with.
func (a *Archive) npm(ctx context.Context, def *catalog.Toolchain, r ToolchainRequest, host platform.Platform) (e lock.Toolchain, has string, err error) {
	s := def.Sources[0]
	releases, err := a.Releases(ctx, def.Package)
	if err != nil {
		return e, "", err
	}
	newest, ok, err := npm.Newest(releases, s.Suite)
	if err != nil || !ok {
		return e, "", err
	}
	has = newest.Version.String()
	chosen, ok, err := npm.Newest(releases, s.Suite, r.Constraint)
	if err != nil || !ok {
		return e, has, err
	}
	f, err := a.Tarball(ctx, def.Package, chosen)
	if err != nil {
		return e, has, err
	}
	e = lock.Toolchain{Version: chosen.Version.String(), Files: []lock.File{f}}
	if len(def.Runtime) == 0 {
		return e, has, nil
	}
	files, date, err := a.runtime(ctx, def, host)
	if err != nil {
		return e, has, err
	}
	for _, f := range files {
		f.Archive = catalog.Debian
		e.Files = append(e.Files, f)
	}
	e.Date = stamp(date)
	return e, has, nil
}

// npmSysroot locks the npm package of a sysroot in the newest version of the range that the project names.
func (a *Archive) npmSysroot(ctx context.Context, r SysrootRequest) (lock.Sysroot, error) {
	roots := rootsOf(r, catalog.Suite{})
	e := lock.Sysroot{Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Archive: catalog.NPM, Roots: roots}
	for _, name := range roots {
		releases, err := a.Releases(ctx, name)
		if err != nil {
			return e, fmt.Errorf("%s: %w", r.Where, err)
		}
		chosen, ok, err := npm.Newest(releases, append([]string{r.Suite}, r.Constraints...)...)
		if err != nil {
			return e, fmt.Errorf("%s: %w", r.Where, err)
		}
		if !ok {
			return e, fmt.Errorf("%s: %w of %s satisfies %q; npm's package %s has %s", r.Where, ErrNoVersion, r.Def.Name, r.Suite, name, majors(releases))
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
func majors(releases []npm.Release) string {
	var out []string
	for i, r := range releases {
		if i+1 == len(releases) || releases[i+1].Version.Major() != r.Version.Major() {
			out = append(out, r.Version.String())
		}
	}
	return strings.Join(out, ", ")
}
