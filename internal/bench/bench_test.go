package bench

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files anew")

func figures() []Figure {
	list := []Figure{
		{Target: "sort", Platform: "linux/amd64", arch: "amd64", How: Native, Runs: 5, Wall: &Times{0.5, 0.625}, User: &Times{0.4, 0.41}},
		{Target: "sort", Platform: "linux/amd64/v3", arch: "amd64", How: Native, Runs: 5, Wall: &Times{0.25, 0.3}, User: &Times{0.2, 0.21}},
		{Target: "sort", Platform: "linux/arm/v7", arch: "arm", How: Emulated, Instructions: 4752258, CPU: "cortex-a9,neon=off"},
		{Target: "sort", Platform: "linux/arm/v7", Features: []string{"neon", "vfpv4"}, arch: "arm", How: Emulated, Instructions: 1188064, CPU: "cortex-a15"},
		{Target: "sort", Platform: "linux/arm64", arch: "arm64", How: Emulated, CPU: "cortex-a53", Error: "it ended with exit status 1"},
		{Target: "<hash>", Platform: "linux/s390x", arch: "s390x", How: Emulated, Instructions: 12, CPU: "max"},
	}
	Relate(list)
	return list
}

// TestWritten holds the table and the plot against testdata.
func TestWritten(t *testing.T) {
	for file, write := range map[string]func(io.Writer, []Figure) error{"testdata/table.golden": Write, "testdata/plot.svg": Plot} {
		var b strings.Builder
		if err := write(&b, figures()); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: write it with: go test ./internal/bench -update", err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs (renew with: go test ./internal/bench -update); it is now\n%s", file, b.String())
		}
	}
}

// TestPlot: well-formed XML, every bar says how it was measured, and what failed has none.
func TestPlot(t *testing.T) {
	var b strings.Builder
	if err := Plot(&b, figures()); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	bars := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if s, ok := token.(xml.StartElement); ok && s.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 1+5 || strings.Count(b.String(), ", native</text>") != 2 || strings.Count(b.String(), ", emulated</text>") != 3 || strings.Contains(b.String(), "linux/arm64") {
		t.Errorf("%d bars:\n%s", bars-1, b.String())
	}
	for _, none := range [][]Figure{nil, {{Target: "x", Platform: "y", How: Emulated}}} {
		if err := Plot(io.Discard, none); err != nil {
			t.Error(err)
		}
	}
}

// TestRelate: figures are compared within a target, an architecture and a kind, never across.
func TestRelate(t *testing.T) {
	want := []float64{1, 0.5, 1, 0.25, 0, 1}
	for i, f := range figures() {
		if d := f.Relative - want[i]; d > 0.001 || d < -0.001 {
			t.Errorf("%s %s: %g, want %g", f.Target, f.Name(), f.Relative, want[i])
		}
	}
}

func TestSort(t *testing.T) {
	list := []Program{{Target: "a", Platform: "p"}, {Target: "a", Platform: "q"}, {Target: "b", Platform: "p"}, {Target: "a", Platform: "p", CPU: "+"}, {Target: "b", Platform: "p", CPU: "+"}}
	Sort(list)
	var got []string
	for _, p := range list {
		got = append(got, p.Target+p.Platform+p.CPU)
	}
	if s := strings.Join(got, " "); s != "ap ap+ aq bp bp+" {
		t.Error(s)
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Times
	}{{[]float64{3}, Times{3, 3}}, {[]float64{4, 2}, Times{2, 3}}, {[]float64{9, 1, 5}, Times{1, 5}}} {
		if got := times(c.in); *got != c.want {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 18446744073709551615: "18,446,744,073,709,551,615"} {
		if got := grouped(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestMeasure times real programs.
func TestMeasure(t *testing.T) {
	sh := func(script string) Program {
		return Program{Target: "x", How: Native, Command: []string{"/bin/sh", "-c", script}, Dir: t.TempDir()}
	}
	log := t.TempDir() + "/log"
	f := Measure(t.Context(), sh("echo x >> "+log+"; sleep 0.05"), 3)
	data, err := os.ReadFile(log)
	if f.Error != "" || err != nil || string(data) != "x\nx\nx\nx\n" || f.Runs != 3 {
		t.Errorf("%+v, ran %q, want one run more than 3", f, data)
	}
	if f.Wall == nil || f.Wall.Min < 0.05 || f.Wall.Median < f.Wall.Min || f.User.Min > f.Wall.Min || f.Instructions != 0 {
		t.Errorf("%+v %+v", f.Wall, f.User)
	}
	if f := Measure(t.Context(), sh("echo first >&2; echo why >&2; exit 3"), 3); f.Error != "it ended with exit status 3: why" || f.Wall != nil {
		t.Errorf("%+v", f)
	}
	if f := Measure(t.Context(), sh("kill -ILL $$"), 3); !strings.Contains(f.Error, "an instruction that this CPU does not have") {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if f := Measure(ctx, sh("exec sleep 60"), 3); f.Error != context.Canceled.Error() || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("%+v", f)
	}
}
