// Package bench measures programs of the platforms and shows the figures. A program that the host runs itself is timed;
// one that is emulated is not, for the time says something of QEMU and nothing of the hardware: its instructions are
// counted. The two kinds are never compared with each other.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"xbuild/internal/emulate"
)

// How a figure came about.
const (
	Native   = "native"   // by the host's own processor, in seconds
	Emulated = "emulated" // by QEMU, in instructions
)

// A Program is what is to be measured.
type Program struct {
	Target   string
	Platform string
	Arch     string   // programs of one architecture can be compared with each other
	Features []string // beyond the platform's own
	How      string
	Command  []string // as it is started, the emulator and its arguments included
	CPU      string   // QEMU's model
	Dir      string
}

// Sort puts the variants of a program behind it.
func Sort(programs []Program) {
	type key struct{ target, platform string }
	first := map[key]int{}
	for i, p := range programs {
		if _, ok := first[key{p.Target, p.Platform}]; !ok {
			first[key{p.Target, p.Platform}] = i
		}
	}
	slices.SortStableFunc(programs, func(a, b Program) int {
		return first[key{a.Target, a.Platform}] - first[key{b.Target, b.Platform}]
	})
}

// A Figure is what was measured of a program.
type Figure struct {
	Target   string   `json:"target"`
	Platform string   `json:"platform"`
	Features []string `json:"features,omitempty"`
	How      string   `json:"measured"` // native or emulated
	// Of a native program: seconds, over that many runs after one that does not count.
	Runs int    `json:"runs,omitempty"`
	Wall *Times `json:"wall_seconds,omitempty"`
	User *Times `json:"user_seconds,omitempty"`
	// Of an emulated one: how many instructions of the platform it executed, in one run, on that CPU model.
	Instructions uint64 `json:"instructions,omitempty"`
	CPU          string `json:"cpu,omitempty"`
	// Relative is the figure divided by the first of the same target, architecture and kind.
	Relative float64 `json:"relative,omitempty"`
	Error    string  `json:"error,omitempty"`
	arch     string
}

// Times are those of several runs.
type Times struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
}

// Measure runs a program alone: nothing else should run beside it. What it prints is thrown away.
func Measure(ctx context.Context, p Program, runs int) Figure {
	f := Figure{Target: p.Target, Platform: p.Platform, Features: p.Features, How: p.How, CPU: p.CPU, arch: p.Arch}
	var err error
	if p.How == Emulated {
		f.Instructions, err = emulate.Count(ctx, p.Command, func(cmd *exec.Cmd) error {
			_, _, err := run(cmd, p.Dir)
			return err
		})
	} else {
		var wall, user []float64
		for i := range runs + 1 {
			w, u, rerr := run(exec.CommandContext(ctx, p.Command[0], p.Command[1:]...), p.Dir)
			if err = rerr; err != nil {
				break
			}
			if i > 0 { // the first fills the caches of the system
				wall, user = append(wall, w), append(user, u)
			}
		}
		if err == nil {
			f.Runs, f.Wall, f.User = runs, times(wall), times(user)
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		f.Error = err.Error()
	}
	return f
}

// run runs a command and returns its seconds, by the clock and in user mode.
func run(cmd *exec.Cmd, dir string) (wall, user float64, err error) {
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, io.Discard, &stderr
	start := time.Now()
	err = cmd.Run()
	wall = time.Since(start).Seconds()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		end := fmt.Sprintf("it ended with %s", exit.ProcessState)
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGILL {
			end += ": an instruction that this CPU does not have"
		}
		if said := bytes.TrimSpace(stderr.Bytes()); len(said) > 0 {
			lines := bytes.Split(said, []byte("\n"))
			end += ": " + string(lines[len(lines)-1])
		}
		return 0, 0, errors.New(end)
	}
	if err != nil {
		return 0, 0, err
	}
	return wall, cmd.ProcessState.UserTime().Seconds(), nil
}

func times(seconds []float64) *Times {
	slices.Sort(seconds)
	n := len(seconds)
	return &Times{Min: seconds[0], Median: (seconds[(n-1)/2] + seconds[n/2]) / 2}
}

// value is the number that a figure is compared by: the least seconds of the clock, or the instructions.
func (f Figure) value() float64 {
	if f.Wall != nil {
		return f.Wall.Min
	}
	return float64(f.Instructions)
}

// Relate fills in Relative.
func Relate(figures []Figure) {
	for i := range figures {
		f := &figures[i]
		j := slices.IndexFunc(figures, func(g Figure) bool {
			return g.Target == f.Target && g.arch == f.arch && g.How == f.How && g.Error == ""
		})
		if f.Error == "" && figures[j].value() > 0 {
			f.Relative = f.value() / figures[j].value()
		}
	}
}

// Name is the platform with what was added to it.
func (f Figure) Name() string {
	return strings.Join(append([]string{f.Platform}, f.Features...), " + ")
}

// Write prints figures as a table.
func Write(out io.Writer, figures []Figure) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tPLATFORM\tMEASURED\tWALL MIN\tWALL MEDIAN\tUSER MIN\tINSTRUCTIONS\tRELATIVE\tCPU")
	for _, f := range figures {
		cells := []string{f.Target, f.Name(), f.How, "-", "-", "-", "-", "-", "the host's"}
		switch {
		case f.Error != "":
			cells[2], cells[8] = "failed", "-"
		case f.Wall != nil:
			cells[3], cells[4], cells[5] = seconds(f.Wall.Min), seconds(f.Wall.Median), seconds(f.User.Min)
		default:
			cells[6], cells[8] = grouped(f.Instructions), f.CPU
		}
		if f.Relative > 0 {
			cells[7] = fmt.Sprintf("%.3f", f.Relative)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

func seconds(s float64) string { return fmt.Sprintf("%.4f s", s) }

// grouped writes a number with its thousands apart.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
