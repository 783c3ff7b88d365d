package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"xbuild/internal/engine"
	"xbuild/internal/execute"
)

// TestCmd is xbuild test.
type TestCmd struct {
	Selecting
	Jobs    int           `short:"j" placeholder:"N" help:"Processes at once (default: one a core)." env:"XBUILD_JOBS"`
	Emulate bool          `help:"Use QEMU even where the host runs the programs itself." env:"XBUILD_EMULATE"`
	Timeout time.Duration `default:"30m" help:"How long the test of one target for one platform may take; 0 for ever." env:"XBUILD_TIMEOUT"`
	JUnit   string        `name:"junit" type:"path" placeholder:"FILE" help:"Write the results as JUnit XML too." env:"XBUILD_JUNIT"`
	JSON    bool          `name:"json" help:"Print the results as JSON instead of a table."`
}

// Help is the long help.
func (*TestCmd) Help() string {
	return "Builds as xbuild build does and runs each target's tests on every platform: as its recipe tests (go test, cargo test, ctest, make check, npm test) or as test = says in xbuild.toml. " +
		"Programs run natively where the host can, else under QEMU with the CPU of the platform's baseline. With equal = true, the output has to be the same on all platforms.\n\n" +
		"Example: xbuild test -p linux/arm64 -p linux/s390x --junit tests.xml"
}

// Run builds and tests.
func (c *TestCmd) Run(g *Globals) error {
	e, err := engine.OpenProject(g.options())
	if err != nil {
		return err
	}
	results, err := e.Test(g.ctx, engine.TestRequest{
		Selection: c.selection(), Jobs: c.Jobs, Emulate: c.Emulate, Timeout: c.Timeout, Broken: report,
	})
	if err != nil {
		return err
	}
	return c.print(g, e.ProjectName(), results)
}

// tested says what became of a test.
func (g *Globals) tested(r execute.TestResult) {
	g.note("%-18s %s: %s in %.1f s", r.Platform, r.Target, r.Result, r.Seconds)
}

// print puts the results out: details of failures on stderr, the table or JSON on stdout. The error says how many
// failed.
func (c *TestCmd) print(g *Globals, project string, results []execute.TestResult) error {
	failed := 0
	for _, r := range results {
		if r.Result == execute.Failed {
			failed++
			fmt.Fprintf(os.Stderr, "\n--- %s for %s: %s\n%s", r.Target, r.Platform, r.Reason, ended(r.Output))
		}
	}
	if failed > 0 {
		fmt.Fprintln(os.Stderr)
	}
	if c.JUnit != "" {
		if err := writeJUnit(c.JUnit, project, results); err != nil {
			return err
		}
	}
	print := table
	if c.JSON {
		print = func(results []execute.TestResult) error { return printJSON(results) }
	}
	if err := print(results); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New(execute.Summary(results))
	}
	g.note("%s", execute.Summary(results))
	return nil
}

// table prints results for people.
func table(results []execute.TestResult) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tPLATFORM\tRESULT\tHOW\tSECONDS")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f", r.Target, r.Platform, r.Result, how(r), r.Seconds)
		if r.Reason != "" {
			fmt.Fprintf(w, "\t%s", r.Reason)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func how(r execute.TestResult) string {
	how := "native"
	switch {
	case r.Result == execute.Skipped && !r.Started:
		how = "-"
	case r.Emulated:
		how = "emulated"
	}
	if r.Node != "" {
		how += ", Node " + r.Node
	}
	return how
}
