package resolve

import (
	"context"
	"errors"
	"fmt"

	"xbuild/internal/lock"
	"xbuild/internal/origin"
)

// inRelease is In for a toolchain of an archive of releases, where the release alone knows the targets: the source is
// what is asked for where the lock has that for the target in the library's place.
func (r PartRequest) inRelease(l *lock.Lock, t lock.Toolchain, k origin.Releases) (SysrootRequest, error) {
	def := r.Def.For(t.Archive)
	if def == nil {
		return SysrootRequest{}, fmt.Errorf("%w %s of %s %s: %s is not in Rust's distribution", origin.ErrNoTarget, r.Target,
			t.Name, t.Version, r.Def.Name)
	}
	library := SysrootRequest{Def: def, Arch: r.Target, Suite: t.Suite, Version: t.Version,
		Release: k.Release(t.Files), Where: r.Where}
	source, hasSource := r.source(library)
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

// source asks for the source of a library of an archive of releases in its place.
func (r PartRequest) source(library SysrootRequest) (SysrootRequest, bool) {
	for _, d := range r.From {
		if def := d.For(library.Def.Archive); def != nil && def.Source != "" {
			library.Def = def
			return library, true
		}
	}
	return library, false
}

// part locks what a part is; where a release has no library for the target, its source.
func (a *Archive) part(ctx context.Context, p PartRequest, r SysrootRequest) (lock.Sysroot, error) {
	e, err := a.Sysroot(ctx, r)
	if _, ok := released(r.Def.Archive); ok && errors.Is(err, origin.ErrNoTarget) && r.Def.Source == "" {
		if source, ok := p.source(r); ok {
			return a.Sysroot(ctx, source)
		}
	}
	return e, err
}
