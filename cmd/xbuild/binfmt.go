package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"xbuild/internal/emulate"
	"xbuild/internal/platform"
)

// BinfmtCmd is xbuild binfmt.
type BinfmtCmd struct {
	Install BinfmtInstallCmd `cmd:"" help:"Register emulators with the kernel. Needs root."`
	Remove  BinfmtRemoveCmd  `cmd:"" help:"Take xbuild's registrations away. Needs root."`
	Status  BinfmtStatusCmd  `cmd:"" help:"Say what the kernel does with programs of each machine."`
}

// Emulated are the flags that choose emulators.
type Emulated struct {
	Platforms []string `short:"p" name:"platform" placeholder:"PLATFORM" help:"Platforms in any spelling; none means all that have an emulator."`
}

func (c *Emulated) emulators(s *session) ([]emulate.Emulator, error) {
	ps, err := s.platforms(c.Platforms)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		if p.QEMU == "" {
			return nil, usageError{fmt.Errorf("platform %q has no emulator", p.Name)}
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
	return emulate.Emulators(s.Host, all), nil
}

var errNotRoot = errors.New("binfmt_misc is changed by root alone: run it with sudo")

// BinfmtInstallCmd is xbuild binfmt install.
type BinfmtInstallCmd struct{ Emulated }

// Help is the long help.
func (*BinfmtInstallCmd) Help() string {
	return "From then on ./program and \"docker run --platform\" start programs of other machines under the QEMU that xbuild fetched, until \"xbuild binfmt remove\" or the next start of the machine. " +
		"The CPU is then QEMU's default, which promises more than a platform's baseline; QEMU_CPU in the environment names another.\n\n" +
		"Example: sudo xbuild binfmt install -p linux/arm64"
}

// Run registers.
func (c *BinfmtInstallCmd) Run(g *Globals) error {
	s, err := g.open(false)
	if err != nil {
		return err
	}
	list, err := c.emulators(s)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Native && len(c.Platforms) > 0 {
			return usageError{fmt.Errorf("the kernel runs programs of %s itself: an emulator would take them away from it", e.For())}
		}
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	qemu, err := s.toolchain("qemu", s.Host)
	if err != nil {
		return err
	}
	b, mounted, err := emulate.MountBinfmt()
	if err != nil {
		return err
	}
	if mounted {
		s.note("mounted binfmt_misc")
	}
	if on, err := b.Enabled(); err != nil {
		return err
	} else if !on {
		return errors.New("binfmt_misc is switched off as a whole, and others may want it so: echo 1 > /proc/sys/fs/binfmt_misc/status switches it on")
	}
	if err := b.Status(list); err != nil {
		return err
	}
	for _, e := range list {
		if e.Native {
			continue
		}
		changed, err := b.Install(e, qemu.Bin())
		if err != nil {
			return err
		}
		what := "registered"
		if !changed {
			what = "is registered already"
		}
		s.note("%s %s for %s", e.QEMU, what, e.For())
		for _, o := range e.Others {
			s.note("%s, which is not xbuild's, stands behind it and counts again after \"xbuild binfmt remove\"", o.Name)
		}
	}
	return nil
}

// BinfmtRemoveCmd is xbuild binfmt remove.
type BinfmtRemoveCmd struct{ Emulated }

// Help is the long help.
func (*BinfmtRemoveCmd) Help() string {
	return "Only entries that xbuild made (xbuild-…) are removed. Variants of a platform, and the ARMs v5 to v7, share one.\n\nExample: sudo xbuild binfmt remove"
}

// Run removes.
func (c *BinfmtRemoveCmd) Run(g *Globals) error {
	s, err := g.open(false)
	if err != nil {
		return err
	}
	list, err := c.emulators(s)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	b, err := emulate.OpenBinfmt()
	if errors.Is(err, emulate.ErrNoBinfmt) {
		s.note("%v: there is nothing to remove", err)
		return nil
	}
	if err != nil {
		return err
	}
	removed, unmounted, err := b.Remove(list)
	for _, name := range removed {
		s.note("removed %s", name)
	}
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		s.note("nothing of xbuild's was registered")
	}
	if unmounted {
		s.note("unmounted binfmt_misc")
	}
	return nil
}

// BinfmtStatusCmd is xbuild binfmt status.
type BinfmtStatusCmd struct {
	Emulated
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the state of each emulator.
func (c *BinfmtStatusCmd) Run(g *Globals) error {
	s, err := g.open(false)
	if err != nil {
		return err
	}
	list, err := c.emulators(s)
	if err != nil {
		return err
	}
	b, err := emulate.OpenBinfmt()
	switch {
	case errors.Is(err, emulate.ErrNoBinfmt):
		s.note("%v; \"xbuild binfmt install\" mounts it", err)
	case err != nil:
		return err
	default:
		if err := b.Status(list); err != nil {
			return err
		}
		if on, err := b.Enabled(); err != nil {
			return err
		} else if !on {
			s.note("binfmt_misc is switched off as a whole: no entry counts")
		}
	}
	if c.JSON {
		return printJSON(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EMULATOR\tENTRY\tFLAGS\tSTARTS\tPLATFORMS")
	for _, e := range list {
		entry, flags, starts := "none", "-", "-"
		switch {
		case e.Own != nil:
			entry, flags, starts = e.Own.Name, e.Own.Flags, e.Own.Interpreter
			if !e.Own.Enabled {
				entry += " (disabled)"
			}
		case e.Native:
			entry = "the kernel's own"
		case len(e.Others) > 0:
			entry, flags, starts = e.Others[0].Name+" (not xbuild's)", e.Others[0].Flags, e.Others[0].Interpreter
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.QEMU, entry, flags, starts, e.For())
	}
	return w.Flush()
}
