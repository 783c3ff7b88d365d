package toolset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// Libc is the one that a platform is built for with: its only one, or the project's.
func (ts *Tools) Libc(p platform.Platform) string {
	return cmp.Or(p.Libc, ts.Project.Config(p).Sysroot.Libc, "gnu")
}

// Suite chooses the suite whose packages are the sysroot of a platform.
func (ts *Tools) Suite(p platform.Platform) (*catalog.Sysroot, catalog.Suite, error) {
	cfg := ts.Project.Config(p)
	libc := ts.Libc(p)
	def := ts.Catalog.Sysroot(libc)
	if def == nil {
		return nil, catalog.Suite{}, fmt.Errorf("no sysroot for libc %q", libc)
	}
	if !p.HasSysroot() {
		return nil, catalog.Suite{}, fmt.Errorf("platform %q has no C toolchain or sysroot; it is for Go without cgo alone",
			p.Name)
	}
	has := func(s catalog.Suite) bool { return slices.Contains(s.Architectures, p.Sysroot) }
	var having []string
	for _, s := range def.Suites {
		if has(s) {
			having = append(having, fmt.Sprintf("%s (%s %s)", s.Name, def.Name, cmp.Or(s.Glibc, s.Version)))
		}
	}
	switch {
	case libc != "gnu": // glibc and suite say which glibc
	case cfg.Sysroot.Suite != "":
		s, ok := def.Suite(cfg.Sysroot.Suite)
		if !ok || !has(s) {
			return nil, catalog.Suite{}, fmt.Errorf("suite %q has no packages for %s; there are %s: write them as [platform.%q] suite = …", cfg.Sysroot.Suite, p.Name, strings.Join(having, ", "), p.Name)
		}
		return def, s, nil
	case cfg.Sysroot.Glibc != "":
		floor, err := semver.NewVersion(cfg.Sysroot.Glibc)
		if err != nil {
			return nil, catalog.Suite{}, fmt.Errorf("glibc %q is no version", cfg.Sysroot.Glibc)
		}
		for _, s := range slices.Backward(def.Suites) {
			if v, err := semver.NewVersion(s.Glibc); err == nil && has(s) && !v.GreaterThan(floor) {
				return def, s, nil
			}
		}
		return nil, catalog.Suite{}, fmt.Errorf("no sysroot for %s has glibc %s or older; there are %s: raise the floor for this platform with [platform.%q] glibc = …", p.Name, cfg.Sysroot.Glibc, strings.Join(having, ", "), p.Name)
	}
	for _, name := range def.Prefer {
		if s, ok := def.Suite(name); ok && has(s) {
			return def, s, nil
		}
	}
	var all []string
	for _, s := range def.Suites {
		all = append(all, s.Architectures...)
	}
	return nil, catalog.Suite{}, fmt.Errorf("sysroot %s has no packages for %s; the archive has them for %s", def.Name,
		p.Name, strings.Join(all, ", "))
}

func (ts *Tools) sysrootRequest(p platform.Platform) (resolve.SysrootRequest, error) {
	def, suite, err := ts.Suite(p)
	if err != nil {
		return resolve.SysrootRequest{}, err
	}
	if packages := ts.Project.Config(p).Sysroot.Packages; len(packages) > 0 && def.Libc != "gnu" {
		return resolve.SysrootRequest{}, fmt.Errorf("packages = %q: the archive's libraries are built for glibc and do not link with %s", packages, def.Libc)
	}
	packages := slices.Clone(ts.Project.Config(p).Sysroot.Packages)
	fortran, err := ts.compilesFortran(p)
	if err != nil {
		return resolve.SysrootRequest{}, err
	}
	if library := strings.ReplaceAll(def.Fortran, "{gcc}", suite.GCC); fortran && library != "" &&
		!slices.Contains(packages, library) {
		packages = append(packages, library)
	}
	return resolve.SysrootRequest{Def: def, Arch: p.Sysroot, Suite: suite.Name, Packages: packages, Where: p.Name}, nil
}
