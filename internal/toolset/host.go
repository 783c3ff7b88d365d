package toolset

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"

	"xbuild/internal/compose"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// hostRequest asks for the sysroot of programs that run on a host while a project is built for p. It is an old one,
// because a compiler plug-in is loaded into a compiler whose libc must not be older than it. Where both are the same
// machine in the eyes of a compiler that is told one set of flags for both (cargo's CC_<target>), it is the platform's
// own: objects of one glibc's headers do not link with an older glibc.
func (ts *Tools) hostRequest(host, p platform.Platform) (resolve.SysrootRequest, error) {
	if p.Rust != "" && host.Rust == p.Rust {
		r, err := ts.sysrootRequest(p)
		for _, name := range ts.hostLibraries(p) {
			if !slices.Contains(r.Packages, name) {
				r.Packages = append(slices.Clip(r.Packages), name)
			}
		}
		return r, err
	}
	def := ts.Catalog.Sysroot("gnu")
	suite, ok := def.Suite(def.Host)
	if !ok {
		return resolve.SysrootRequest{}, fmt.Errorf("sysroots/%s.toml: host names the unknown suite %q", def.Name, def.Host)
	}
	return resolve.SysrootRequest{Def: def, Arch: host.Debian, Suite: suite.Name, Packages: ts.hostLibraries(p),
		Where: "host " + host.Name}, nil
}

// AddHost asks for the sysroot of each host that xbuild runs on, so that the lock is the same whoever writes it.
func (ts *Tools) AddHost(req *resolve.Requests, p platform.Platform) error {
	for _, name := range resolve.Hosts {
		host, err := platform.Parse(name)
		if err != nil {
			return err
		}
		r, err := ts.hostRequest(host, p)
		if err != nil {
			return err
		}
		PutSysroot(req, r)
		if source := ts.hostCXX(host, p); source != "" {
			PutSysroot(req, ts.cxxSource(source, r.Where))
		}
		if on, ok := ts.onHost(r, host, p); ok {
			PutHostPackages(req, on)
		}
		if narrow, ok := ts.narrow(host, p); ok {
			if r, err = ts.narrowRequest(host, narrow); err != nil {
				return err
			}
			PutSysroot(req, r)
		}
	}
	return nil
}

// OwnView returns the host's compiler view for targets that are built for the host, because others run them. It has the
// sysroot of the host as a platform, with its packages, where that has glibc, and the C++ library that the target or
// the project names.
func (ts *Tools) OwnView(platform.Platform) (compose.View, error) {
	return ts.hostView(ts.HostAsPlatform(ts.Host), ts.otherCXX(ts.Host))
}

// AddOwn asks for what the view of targets that are built for a host is made of.
func (ts *Tools) AddOwn(req *resolve.Requests, host platform.Platform) error {
	if source := ts.otherCXX(host); source != "" {
		PutSysroot(req, ts.cxxSource(source, host.Name))
	}
	return ts.AddHost(req, ts.HostAsPlatform(host))
}

// otherCXX names the source of the C++ library that programs for a host are built with in the place of the sysroot's,
// "" where that serves.
func (ts *Tools) otherCXX(host platform.Platform) string {
	def := ts.Catalog.Sysroot("gnu")
	if asked := cmp.Or(ts.Stdlib, ts.Project.Config(host).Sysroot.Stdlib); asked == "" || asked == def.Stdlib {
		return ""
	}
	return def.OtherCXX
}

// HostAsPlatform is what a host's compiler view is asked for then.
func (ts *Tools) HostAsPlatform(host platform.Platform) platform.Platform {
	if ts.Libc(host) != "gnu" {
		return platform.Platform{}
	}
	return host
}

// narrow is the 32-bit side of a host, where one is wanted: for a platform of 32 bits, programs that run while a
// project is built may have to have its size of pointers.
func (ts *Tools) narrow(host, p platform.Platform) (platform.Platform, bool) {
	if p.Class != elf.ELFCLASS32 {
		return platform.Platform{}, false
	}
	for _, name := range host.Also {
		if q, err := platform.Parse(name); err == nil && q.Class == elf.ELFCLASS32 {
			return q, true
		}
	}
	return platform.Platform{}, false
}

func (ts *Tools) narrowRequest(host, narrow platform.Platform) (resolve.SysrootRequest, error) {
	def := ts.Catalog.Sysroot("gnu")
	suite, ok := def.Suite(def.Host)
	if !ok {
		return resolve.SysrootRequest{}, fmt.Errorf("sysroots/%s.toml: host names the unknown suite %q", def.Name, def.Host)
	}
	return resolve.SysrootRequest{Def: def, Arch: narrow.Debian, Suite: suite.Name,
		Where: "32-bit programs of host " + host.Name}, nil
}

// RequireHostView says what the lock has to hold for the host's compiler view for building for p.
func (ts *Tools) RequireHostView(p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	def := ts.Catalog.Compiler()
	for _, name := range []string{def.Name, def.Compiler.PkgConfig} {
		if err := ts.AddToolchain(&req, name, p); err != nil {
			return req, err
		}
	}
	return req, ts.AddHost(&req, p)
}

// hostCXX is otherCXX of programs that run while a project is built for p: where one set of flags serves both (see
// hostRequest), one C++ library does.
func (ts *Tools) hostCXX(host, p platform.Platform) string {
	if p.Rust == "" || host.Rust != p.Rust {
		return ""
	}
	return ts.otherCXX(p)
}

// HostView returns the host's compiler view for building for p, as the lock has it. Its compiler is the one that builds
// for p where a project names none, so that a project of one platform fetches one.
func (ts *Tools) HostView(p platform.Platform) (compose.View, error) {
	return ts.hostView(p, ts.hostCXX(ts.Host, p))
}

func (ts *Tools) hostView(p platform.Platform, cxx string) (compose.View, error) {
	b, err := ts.Host.Baseline("", nil)
	if err != nil {
		return compose.View{}, err
	}
	r, err := ts.hostRequest(ts.Host, p)
	if err != nil {
		return compose.View{}, err
	}
	e, ok := resolve.FindSysroot(ts.Lock, r)
	if !ok {
		return compose.View{}, fmt.Errorf("sysroot for %s: %w", r.Where, ErrNotLocked)
	}
	def := ts.Catalog.Compiler()
	compiler, err := ts.Toolchain(def.Name, p)
	if err != nil {
		return compose.View{}, err
	}
	pkgconf, err := ts.Toolchain(def.Compiler.PkgConfig, p)
	if err != nil {
		return compose.View{}, err
	}
	sysroot := compose.NewSysroot(ts.Store, r.Def, e)
	if on, ok := ts.onHost(r, ts.Host, p); ok {
		if sysroot, err = ts.withHostPackages(sysroot, on, ts.Host); err != nil {
			return compose.View{}, err
		}
	}
	if cxx != "" {
		if sysroot, err = ts.built(sysroot, ts.cxxSource(cxx, r.Where)); err != nil {
			return compose.View{}, err
		}
	}
	v := compose.NewHostView(ts.Store, ts.Host, append(b.CFlags(), b.Macros()...), compiler, pkgconf, sysroot)
	if t, ok := ts.besideHost(p); ok {
		v = v.WithHostPackages(ts.Store, t)
	}
	narrow, ok := ts.narrow(ts.Host, p)
	if !ok {
		return v, nil
	}
	if r, err = ts.narrowRequest(ts.Host, narrow); err != nil {
		return v, err
	}
	if e, ok = resolve.FindSysroot(ts.Lock, r); !ok {
		return v, fmt.Errorf("sysroot for %s: %w", r.Where, ErrNotLocked)
	}
	if b, err = narrow.Baseline("", nil); err != nil {
		return v, err
	}
	return v.Narrowly(ts.Store, compose.NewView(ts.Store, narrow, append(b.CFlags(), b.Macros()...), compiler, pkgconf,
		compose.NewSysroot(ts.Store, r.Def, e))), nil
}
