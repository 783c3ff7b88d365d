package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"xbuild/internal/engine"
	"xbuild/internal/hint"
	"xbuild/internal/store"
)

// StoreCmd is xbuild store.
type StoreCmd struct {
	Info   StoreInfoCmd   `cmd:"" help:"Say where the store is and what it holds."`
	Verify StoreVerifyCmd `cmd:"" help:"Check every file and tree against its hashes."`
	GC     StoreGCCmd     `cmd:"" name:"gc" help:"Remove what was not used for a time."`
}

// StoreInfoCmd is xbuild store info.
type StoreInfoCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints what the store holds.
func (c *StoreInfoCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	info, err := e.Store().Info()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(info)
	}
	fmt.Printf("directory  %s\nfiles      %d, %.1f MB\ntrees      %d, %.1f MB\ntemporary  %d, %.1f MB\nfree       %.1f MB\n", info.Dir, info.Files.Count, mb(info.Files.Bytes),
		info.Trees.Count, mb(info.Trees.Bytes), info.Temporary.Count, mb(info.Temporary.Bytes), mb(info.Free))
	return nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// StoreVerifyCmd is xbuild store verify.
type StoreVerifyCmd struct {
	Remove bool `help:"Remove what is damaged, so that it is fetched and composed anew."`
}

// Run hashes everything in the store.
func (c *StoreVerifyCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	sum, err := e.Store().Verify(g.ctx, c.Remove, func(p store.Problem) { fmt.Fprintln(os.Stderr, "xbuild:", p) })
	if err != nil {
		return err
	}
	fmt.Printf("%d files and %d trees, %.1f MB: %d damaged\n", sum.Files, sum.Trees, mb(sum.Bytes), sum.Problems)
	if sum.Problems > 0 && !c.Remove {
		return hint.Add(errors.New("the store is damaged"), "run \"xbuild store verify --remove\"")
	}
	return nil
}

// StoreGCCmd is xbuild store gc.
type StoreGCCmd struct {
	OlderThan time.Duration `default:"720h" help:"Remove what was not used for so long (default: 30 days)."`
}

// Run removes what was not used.
func (c *StoreGCCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	got, err := e.Store().GC(g.ctx, nil, c.OlderThan)
	if err != nil {
		return err
	}
	results, err := e.PruneResults(g.ctx, c.OlderThan, 0)
	if err != nil {
		return err
	}
	fmt.Printf("removed %d files, %.1f MB, and %d trees, %.1f MB", got.Files.Count, mb(got.Files.Bytes), got.Trees.Count,
		mb(got.Trees.Bytes))
	if results.Results > 0 {
		fmt.Printf(", and %d kept results, %.1f MB", results.Results, mb(results.Bytes))
	}
	if got.Builds.Count > 0 {
		fmt.Printf(", and %d build directories, %.1f MB", got.Builds.Count, mb(got.Builds.Bytes))
	}
	fmt.Println()
	return nil
}
