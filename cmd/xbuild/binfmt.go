package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"xbuild/internal/engine"
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
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	return e.InstallEmulators(g.ctx, c.Platforms)
}

// BinfmtRemoveCmd is xbuild binfmt remove.
type BinfmtRemoveCmd struct{ Emulated }

// Help is the long help.
func (*BinfmtRemoveCmd) Help() string {
	return "Only entries that xbuild made (xbuild-…) are removed. Variants of a platform, and the ARMs v5 to v7, share one.\n\nExample: sudo xbuild binfmt remove"
}

// Run removes.
func (c *BinfmtRemoveCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	return e.RemoveEmulators(c.Platforms)
}

// BinfmtStatusCmd is xbuild binfmt status.
type BinfmtStatusCmd struct {
	Emulated
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the state of each emulator.
func (c *BinfmtStatusCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	list, err := e.Emulators(c.Platforms)
	if err != nil {
		return err
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
