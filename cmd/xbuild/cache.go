package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"xbuild/internal/engine"
)

// CacheCmd is xbuild cache.
type CacheCmd struct {
	Info   CacheInfoCmd   `cmd:"" help:"Say what is kept."`
	Verify CacheVerifyCmd `cmd:"" help:"Hold every kept file against its digest; what is damaged is removed."`
	Prune  CachePruneCmd  `cmd:"" help:"Remove results by age and size."`
}

// CacheInfoCmd is xbuild cache info.
type CacheInfoCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run counts what is kept.
func (c *CacheInfoCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	info, err := e.Results().Info()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(info)
	}
	fmt.Printf("directory  %s\nresults    %d\nfiles      %d\nsize       %.1f MB\n",
		info.Dir, info.Results, info.Files, mb(info.Bytes))
	return nil
}

// CacheVerifyCmd is xbuild cache verify.
type CacheVerifyCmd struct{}

// Run hashes what is kept.
func (c *CacheVerifyCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	info, damaged, err := e.Results().Verify()
	for _, path := range damaged {
		fmt.Fprintf(os.Stderr,
			"xbuild: %s is damaged, or lacks a file that is (removed; it is built anew when it is wanted)\n", path)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d results with %d files, %.1f MB: %d damaged\n", info.Results, info.Files, mb(info.Bytes), len(damaged))
	return nil
}

// CachePruneCmd is xbuild cache prune.
type CachePruneCmd struct {
	OlderThan time.Duration `default:"720h" help:"Remove what was not used for so long (default: 30 days)."`
	MaxSize   size          `placeholder:"SIZE" help:"Then remove what was used longest ago, until no more than this is left: 500M, 2G."`
}

// Run removes results.
func (c *CachePruneCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	got, err := e.PruneResults(g.ctx, c.OlderThan, int64(c.MaxSize))
	if err != nil {
		return err
	}
	fmt.Printf("removed %d results and %d files, %.1f MB\n", got.Results, got.Files, mb(got.Bytes))
	return nil
}

// A size is a number of bytes.
type size int64

// UnmarshalText reads a number with a unit of a thousand's power, or none.
func (n *size) UnmarshalText(text []byte) error {
	word := strings.TrimSuffix(strings.ToUpper(string(text)), "B")
	unit := int64(1)
	for i, letter := range []string{"K", "M", "G", "T"} {
		if rest, ok := strings.CutSuffix(word, letter); ok {
			word = rest
			for range i + 1 {
				unit *= 1000
			}
			break
		}
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil || f <= 0 || f*float64(unit) > 1<<60 {
		return fmt.Errorf("%q is no size: write a number of bytes, or one with K, M, G or T, as in 500M", text)
	}
	*n = size(f * float64(unit))
	return nil
}
