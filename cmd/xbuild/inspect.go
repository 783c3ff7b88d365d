package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"xbuild/internal/engine"
	"xbuild/internal/inspect"
)

// InspectCmd is xbuild inspect.
type InspectCmd struct {
	Files    []string `arg:"" name:"file" help:"Programs, shared objects, objects or archives: ELF, PE, Mach-O, ar."`
	Platform string   `short:"p" placeholder:"PLATFORM" help:"Hold the files against this platform, a glibc floor as suffix (default: TARGETPLATFORM, else against none)." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
	Diff     bool     `help:"Print what changed from the first file to the second."`
	Scratch  bool     `help:"The files are for an image FROM scratch: one that needs a loader or libraries is a fault."`
	JSON     bool     `name:"json" help:"Print JSON: everything, the names of all symbols too."`
}

// Help is the long help.
func (*InspectCmd) Help() string {
	return "Says what a binary is and what it needs: machine, ABI, loader, libraries, the oldest glibc and the releases that run it, compilers, hardening. With -p it ends with 1 where the platform does not run a file, and says what to write in xbuild.toml. " +
		"In a project, the files are held against its glibc floor and its sysroot for the platform too.\n\n" +
		"Example: xbuild inspect -p linux/arm64.2.31 dist/linux/arm64/hello"
}

// Run inspects.
func (c *InspectCmd) Run(g *Globals) error {
	if c.Diff && len(c.Files) != 2 {
		return engine.RequestError{Err: fmt.Errorf("inspect: --diff takes two files, not %d", len(c.Files))}
	}
	if c.Scratch && c.Platform == "" {
		return engine.RequestError{Err: fmt.Errorf("inspect: --scratch wants -p: the platform of the image")}
	}
	reports := []*inspect.Report{}
	var failed []string
	for _, file := range c.Files {
		r, err := inspect.File(file)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		reports = append(reports, r)
	}
	if c.Diff {
		if len(failed) > 0 {
			return errors.New(strings.Join(failed, "\n"))
		}
		return c.diff(reports[0], reports[1])
	}
	if c.Platform != "" {
		e, err := engine.Open(g.options())
		if err != nil {
			return err
		}
		if err := e.Inspect(g.ctx, reports, c.Platform, c.Scratch); err != nil {
			return err
		}
		if line := c.faults(reports); line != "" {
			failed = append(failed, line)
		}
	}
	if err := c.print(reports); err != nil {
		return err
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "\n"))
	}
	return nil
}

// diff prints what changed from one file to another.
func (c *InspectCmd) diff(old, new *inspect.Report) error {
	changes := inspect.Diff(old, new)
	if c.JSON {
		return printJSON(changes)
	}
	return inspect.DiffText(os.Stdout, changes)
}

// faults counts what does not fit the platform, "" where all fits.
func (c *InspectCmd) faults(reports []*inspect.Report) string {
	n := 0
	for _, r := range reports {
		n += len(inspect.Errors(r.Faults))
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "1 fault against " + c.Platform
	}
	return fmt.Sprintf("%d faults against %s", n, c.Platform)
}

// print puts reports out.
func (c *InspectCmd) print(reports []*inspect.Report) error {
	if c.JSON {
		return printJSON(reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Println()
		}
		if err := r.Text(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}
