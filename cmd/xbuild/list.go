package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"xbuild/internal/catalog"
	"xbuild/internal/platform"
)

// PlatformsCmd is xbuild platforms.
type PlatformsCmd struct {
	All  bool `short:"a" help:"List the platforms that only Go without cgo builds for too."`
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the platforms.
func (c *PlatformsCmd) Run(g *Globals) error {
	cat, err := catalog.Load()
	if err != nil {
		return err
	}
	list := platform.All()
	if !c.All {
		list = slices.DeleteFunc(list, func(p platform.Platform) bool { return !p.HasSysroot() })
	}
	if c.JSON {
		return printJSON(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PLATFORM\tTRIPLET\tRUST\tGO\tGLIBC\tQEMU CPU")
	for _, p := range list {
		var glibc []string
		for _, r := range cat.Sysroots {
			for _, s := range r.Suites {
				if slices.Contains(s.Architectures, p.Debian) {
					glibc = append(glibc, s.Glibc)
				}
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%s\t%s\n", p.Name, dash(p.Triplet), dash(p.Rust), p.GOOS, p.GOARCH,
			dash(strings.Join(glibc, " ")), dash(p.QEMUCPU))
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ToolchainsCmd is xbuild toolchains.
type ToolchainsCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the toolchains.
func (c *ToolchainsCmd) Run(g *Globals) error {
	cat, err := catalog.Load()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(cat.Toolchains)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOOLCHAIN\tFROM\tWHAT")
	for _, t := range cat.Toolchains {
		var from []string
		for _, s := range t.Sources {
			if s.Own() {
				from = append(from, strings.TrimSpace(s.Suite+" "+s.Slot))
			}
		}
		sources := strings.Join(from, ", ")
		for _, o := range t.Only {
			sources += "; " + o.Platform + ": " + o.Versions
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, sources, t.Summary)
	}
	return w.Flush()
}

// SysrootsCmd is xbuild sysroots.
type SysrootsCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the sysroots.
func (c *SysrootsCmd) Run(g *Globals) error {
	cat, err := catalog.Load()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(cat.Sysroots)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SYSROOT\tSUITE\tGLIBC\tARCHITECTURES")
	for _, r := range cat.Sysroots {
		for _, s := range r.Suites {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, s.Name, dash(s.Glibc),
				strings.Join(append(slices.Clone(s.Architectures), slices.Sorted(maps.Values(s.Targets))...), " "))
		}
	}
	return w.Flush()
}

// RecipesCmd is xbuild recipes.
type RecipesCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the recipes with their options.
func (c *RecipesCmd) Run(g *Globals) error {
	cat, err := catalog.Load()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(cat.Recipes)
	}
	for i, r := range cat.Recipes {
		if i > 0 {
			fmt.Println()
		}
		fmt.Printf("%s: %s\n", r.Name, r.Summary)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, o := range r.Options {
			kind := o.Type
			if len(o.Choices) > 0 {
				kind = strings.Join(o.Choices, "|")
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", o.Name, kind, o.Help)
		}
		w.Flush()
	}
	return nil
}

// VersionCmd is xbuild version.
type VersionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *VersionCmd) Run(g *Globals) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		Host    string `json:"host"`
		Commit  string `json:"commit,omitempty"`
	}{Version: version, Go: runtime.Version(), Host: platform.Host().Name}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	if c.JSON {
		return printJSON(v)
	}
	fmt.Printf("xbuild %s (%s, %s)\n", v.Version, v.Host, v.Go)
	return nil
}
