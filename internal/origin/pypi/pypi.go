// Package pypi locks toolchains that are wheels of a Python package index (PyPI), reads what pip's configuration says
// of one, and unpacks wheels. Nothing of Python is needed or run: a wheel is a zip, and only what serves without an
// interpreter is taken. What a wheel depends on is not followed.
//
// Trust: as pip's. A project's page, fetched over TLS, names the SHA-256 of each file; from then on the lock's decides.
package pypi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
)

// Public is the index that is used where neither the caller, the project nor pip's own configuration names one.
const Public = "https://pypi.org/simple"

// maxPage bounds a project's page; the largest of PyPI's have about 30 MB.
const maxPage = 128 << 20

// An Archive is read from indexes (PEP 503).
type Archive struct {
	*origin.Client
	Indexes []string // base URLs, the best first

	pages origin.Memo[[]File] // by URL
}

// A release is one version of a project for one machine: the wheel that is best for it.
type release struct {
	File
	rank int
}

// Toolchain locks the newest wheel of a toolchain in the range of its source.
func (a *Archive) Toolchain(ctx context.Context, t origin.Toolchain) (e lock.Toolchain, has string, err error) {
	project := t.Def.Package
	files, err := a.Files(ctx, project)
	if err != nil {
		return e, "", err
	}
	chosen, has, err := choose(files, t)
	if err != nil || chosen == nil {
		return e, has, err
	}
	f := lock.File{Name: project, Version: version(chosen.Version), Arch: "all",
		Path: Normalized(project) + "/" + chosen.Name, Size: chosen.Size, SHA256: chosen.SHA256}
	if chosen.rank < rankAny {
		f.Arch = t.Host.Debian
	}
	if f.Size == 0 {
		if f.Size, err = a.Size(ctx, fetch.Item{Name: f.Name + " " + f.Version + " " + f.Arch, URLs: []string{chosen.URL},
			SHA256: f.SHA256, Archive: catalog.PyPI}); err != nil {
			return e, has, err
		}
	}
	return lock.Toolchain{Version: f.Version, Files: []lock.File{f}}, has, nil
}

// version is a version as constraints have it.
func version(v Version) string {
	if v.Plain() {
		return v.String()
	}
	return v.base.String() + "-" + strings.TrimPrefix(v.special, ".")
}

// choose takes the newest release for the host that the source's range and the project admit; nil where there is none.
// has is the newest in the range. A release before or after a plain one, or one that was yanked, is taken only where
// the constraint names it.
func choose(files []File, t origin.Toolchain) (chosen *release, has string, err error) {
	exact, named := exactly(t.Constraint)
	var all []release
	for _, f := range files {
		rank, ok := f.Fits(t.Host)
		if !ok || f.Version.base == nil || (f.Yanked || !f.Version.Plain()) && !(named && f.Version.Equal(exact)) {
			continue
		}
		if ok, err := origin.Admits(t.Source().Suite, f.Version.base.String()); err != nil || !ok {
			if err != nil {
				return nil, "", err
			}
			continue
		}
		all = append(all, release{f, rank})
	}
	// The newest first; of one version the wheel that asks for the least, of the latest build.
	slices.SortFunc(all, func(x, y release) int {
		return cmp.Or(y.Version.base.Compare(x.Version.base), cmp.Compare(x.rank, y.rank), cmp.Compare(y.Build, x.Build),
			cmp.Compare(x.Name, y.Name))
	})
	for i, r := range all {
		if has == "" && r.Version.Plain() {
			has = r.Version.String()
		}
		if chosen != nil {
			continue
		}
		ok := named && r.Version.Equal(exact)
		if r.Version.Plain() {
			if ok, err = t.Admits(r.Version.String()); err != nil {
				return nil, has, err
			}
		}
		if ok {
			chosen = &all[i]
		}
	}
	return chosen, has, nil
}

// Files are the wheels of a project, from the first index that serves its page.
func (a *Archive) Files(ctx context.Context, project string) ([]File, error) {
	if len(a.Indexes) == 0 {
		return nil, errors.New("no index of Python packages is configured; set XBUILD_PYPI_MIRROR or [mirrors] pypi")
	}
	var faults []error
	for _, index := range a.Indexes {
		files, err := a.page(ctx, index, project)
		if err == nil {
			return files, nil
		}
		if fetch.Local(err) || ctx.Err() != nil {
			return nil, err
		}
		faults = append(faults, err)
	}
	if !slices.ContainsFunc(faults, func(err error) bool { return !errors.Is(err, fetch.ErrNotFound) }) {
		return nil, fmt.Errorf("%w %s in %s", origin.ErrNoPackage, project, strings.Join(a.Indexes, " and "))
	}
	return nil, fmt.Errorf("pypi package %s: no index serves its page; name another with XBUILD_PYPI_MIRROR, [mirrors] pypi or pip's own configuration: %w", project, errors.Join(faults...))
}

func pageURL(index, project string) string { return index + "/" + Normalized(project) + "/" }

func (a *Archive) page(ctx context.Context, index, project string) ([]File, error) {
	at := pageURL(index, project)
	return a.pages.Of(at, func() ([]File, error) {
		opt := a.Of(catalog.PyPI)
		opt.Accept = Accept
		data, _, err := opt.Bytes(ctx, a.Store, []string{at}, maxPage)
		if err != nil {
			return nil, err
		}
		files, err := ParsePage(project, at, data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		return files, nil
	})
}

// URLs are where a file can be fetched. An index has its files wherever it likes, often on another host: the pages of
// the project say where, and the lock stays the same whichever index serves.
func (a *Archive) URLs(ctx context.Context, f lock.File, _ string) ([]string, error) {
	project, name := path.Split(f.Path)
	project = strings.TrimSuffix(project, "/")
	var urls []string
	var faults []error
	for _, index := range a.Indexes {
		if a.Fetch.Offline {
			urls = append(urls, pageURL(index, project)+name) // nothing is fetched from it
			continue
		}
		files, err := a.page(ctx, index, project)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		i := slices.IndexFunc(files, func(x File) bool { return x.SHA256 == f.SHA256 })
		if i < 0 {
			faults = append(faults, fmt.Errorf("%s has no %s with the locked SHA-256", pageURL(index, project), name))
			continue
		}
		urls = append(urls, files[i].URL)
	}
	if len(urls) == 0 && len(faults) > 0 {
		return nil, fmt.Errorf("%s %s: no index tells where it is; name another with XBUILD_PYPI_MIRROR, [mirrors] pypi or pip's own configuration, or run \"xbuild lock --update\": %w",
			f.Name, f.Version, errors.Join(faults...))
	}
	return urls, nil
}
