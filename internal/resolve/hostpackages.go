package resolve

import (
	"context"
	"fmt"
	"slices"

	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// A HostPackagesRequest asks for the packages whose programs run on the host while something is built with a sysroot's
// libraries: those that the lock names beside the sysroot, and others by name. They are locked for every host.
type HostPackagesRequest struct {
	Def      *catalog.Sysroot // whose packages they belong to
	Suite    string
	Of       *SysrootRequest // the sysroot; nil where the packages are asked for by name alone
	Packages []string
	Where    string // what asks, for errors
}

// In returns the request for a host, where the lock holds the sysroot; false where there is nothing to ask for.
func (r HostPackagesRequest) In(l *lock.Lock, host platform.Platform) (SysrootRequest, bool, error) {
	names := slices.Clone(r.Packages)
	if r.Of != nil {
		e, ok := FindSysroot(l, *r.Of)
		if !ok {
			return SysrootRequest{}, false, fmt.Errorf("sysroot for %s is not locked", r.Of.Where)
		}
		names = append(names, e.Programs...)
	}
	slices.Sort(names)
	def := r.Def.OnHost()
	if names = slices.Compact(names); len(names) == 0 || def == nil {
		return SysrootRequest{}, false, nil
	}
	return SysrootRequest{
		Def: def, Arch: host.Debian, Suite: r.Suite, Packages: names,
		Where: fmt.Sprintf("%s: programs for host %s", r.Where, host.Name),
	}, true, nil
}

// Same tells whether another request asks for the same.
func (r HostPackagesRequest) Same(o HostPackagesRequest) bool { return r.key() == o.key() }

func (r HostPackagesRequest) key() string {
	of := ""
	if r.Of != nil {
		of = sysrootKey(*r.Of)
	}
	return fmt.Sprintf("host packages %s %q %s", r.Suite, r.Packages, of)
}

// hostPackages puts what is requested into a lock that has the sysroots already.
func (a *Archive) hostPackages(
	ctx context.Context, old, out *lock.Lock, requests []HostPackagesRequest, update bool, faults *Faults,
) error {
	for _, p := range requests {
		if p.Of != nil && faults.of[sysrootKey(*p.Of)] != nil {
			continue // there is no sysroot that they belong to
		}
		for _, name := range Hosts {
			host, err := platform.Parse(name)
			if err != nil {
				return err
			}
			r, ok, err := p.In(out, host)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			e, ok := FindSysroot(old, r)
			if !ok || update {
				if e, err = a.Sysroot(ctx, r); err != nil {
					if err := faults.put(p.key(), err); err != nil {
						return err
					}
					continue
				}
			}
			out.PutSysroot(e)
		}
	}
	return nil
}
