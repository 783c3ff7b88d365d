package engine

import (
	"context"
	"errors"
	"fmt"
	"os"

	"xbuild/internal/emulate"
	"xbuild/internal/platform"
)

// errNotRoot says that the kernel's registrations are not the caller's to change.
var errNotRoot = errors.New("binfmt_misc is changed by root alone: run it with sudo")

// emulators are those of platforms in any spelling; none named means all that have one.
func (e *Engine) emulators(names []string) ([]emulate.Emulator, error) {
	ps, err := e.platforms(names)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		if p.QEMU == "" {
			return nil, RequestError{fmt.Errorf("platform %q has no emulator", p.Name)}
		}
	}
	// All variants are named, because they come along.
	var all []platform.Platform
	for _, p := range platform.All() {
		for _, asked := range ps {
			if p.QEMU == asked.QEMU {
				all = append(all, p)
				break
			}
		}
		if len(ps) == 0 {
			all = append(all, p)
		}
	}
	return emulate.Emulators(e.pl.Host, all), nil
}

// InstallEmulators registers the emulators of platforms with the kernel; none named means all that have one and that
// the host does not run itself. QEMU is in the store then. Only root may do that; a platform without an emulator, or
// one that the host runs itself, is a RequestError.
func (e *Engine) InstallEmulators(ctx context.Context, platforms []string) error {
	list, err := e.emulators(platforms)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Native && len(platforms) > 0 {
			return RequestError{fmt.Errorf("the kernel runs programs of %s itself: "+
				"an emulator would take them away from it", m.For())}
		}
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	qemu, err := e.emulatorDir(ctx, e.pl.Host)
	if err != nil {
		return err
	}
	b, err := e.mountBinfmt()
	if err != nil {
		return err
	}
	if err := b.Status(list); err != nil {
		return err
	}
	for _, m := range list {
		if m.Native {
			continue
		}
		if err := e.install(b, m, qemu); err != nil {
			return err
		}
	}
	return nil
}

// mountBinfmt mounts what the kernel is told by, where it is not.
func (e *Engine) mountBinfmt() (emulate.Binfmt, error) {
	b, mounted, err := emulate.MountBinfmt()
	if err != nil {
		return b, err
	}
	if mounted {
		e.note("mounted binfmt_misc")
	}
	on, err := b.Enabled()
	if err == nil && !on {
		err = errors.New("binfmt_misc is switched off as a whole, and others may want it so: " +
			"echo 1 > /proc/sys/fs/binfmt_misc/status switches it on")
	}
	return b, err
}

// install registers one emulator, which lies in a directory.
func (e *Engine) install(b emulate.Binfmt, m emulate.Emulator, qemu string) error {
	changed, err := b.Install(m, qemu)
	if err != nil {
		return err
	}
	what := "registered"
	if !changed {
		what = "is registered already"
	}
	e.note("%s %s for %s", m.QEMU, what, m.For())
	for _, o := range m.Others {
		e.note("%s, which is not xbuild's, stands behind it and counts again after \"xbuild binfmt remove\"", o.Name)
	}
	return nil
}

// RemoveEmulators takes xbuild's registrations for platforms away; none named means all. Only root may do that; a
// platform without an emulator is a RequestError.
func (e *Engine) RemoveEmulators(platforms []string) error {
	list, err := e.emulators(platforms)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	b, err := emulate.OpenBinfmt()
	if errors.Is(err, emulate.ErrNoBinfmt) {
		e.note("%v: there is nothing to remove", err)
		return nil
	}
	if err != nil {
		return err
	}
	removed, unmounted, err := b.Remove(list)
	for _, name := range removed {
		e.note("removed %s", name)
	}
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		e.note("nothing of xbuild's was registered")
	}
	if unmounted {
		e.note("unmounted binfmt_misc")
	}
	return nil
}

// Emulators says what the kernel does with programs of each machine, or of those of some platforms. A platform without
// an emulator is a RequestError; that binfmt_misc is not mounted or is switched off is told to Progress.
func (e *Engine) Emulators(platforms []string) ([]emulate.Emulator, error) {
	list, err := e.emulators(platforms)
	if err != nil {
		return nil, err
	}
	b, err := emulate.OpenBinfmt()
	if errors.Is(err, emulate.ErrNoBinfmt) {
		e.note("%v; \"xbuild binfmt install\" mounts it", err)
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	if err := b.Status(list); err != nil {
		return nil, err
	}
	on, err := b.Enabled()
	if err == nil && !on {
		e.note("binfmt_misc is switched off as a whole: no entry counts")
	}
	return list, err
}
