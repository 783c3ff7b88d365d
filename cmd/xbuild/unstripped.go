package main

import (
	"fmt"
	"os"

	"xbuild/internal/unstripped"
)

// UnstrippedCmd is what a view's strip, objcopy and ld call while an action runs.
type UnstrippedCmd struct {
	Command []string `arg:"" passthrough:"" name:"command" help:"The tool and its arguments."`
}

// Run becomes the tool, after what it takes away was kept.
func (c *UnstrippedCmd) Run(g *Globals) error {
	dir := os.Getenv(unstripped.Variable)
	if dir == "" {
		return usageError{fmt.Errorf("unstripped: only the tools of a build call it, with $%s", unstripped.Variable)}
	}
	code, err := unstripped.Tool(g.ctx, dir, c.Command[0], c.Command[1:])
	if err == nil && code != 0 {
		return exitError(code)
	}
	return err
}
