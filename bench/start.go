package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// start is what short commands cost, beside a Go program that prints a line.
func (b *bench) start() ([]row, error) {
	dir, err := b.project()
	if err != nil {
		return nil, err
	}
	source, line := filepath.Join(b.work, "line.go"), filepath.Join(b.work, "line")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"a line\") }\n"), 0o644); err != nil {
		return nil, err
	}
	if _, err := b.time(b.work, nil, "go", "build", "-o", line, source); err != nil {
		return nil, err
	}
	var rows []row
	for _, args := range [][]string{{"version"}, {"flags", "-p", "linux/arm64"}, {"env", "-p", "linux/arm64"}} {
		a, h, err := pairs(2, 40,
			func() (cost, error) { return b.time(dir, nil, append([]string{b.xbuild}, args...)...) },
			func() (cost, error) { return b.time(dir, nil, line) })
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("`xbuild %s`; by hand: a Go program that prints a line; wall clock", args[0])
		rows = append(rows,
			row{what, ms(median(a, wall)), ms(median(h, wall)), difference(a, h, wall), "+ 5 ms"},
			row{"the same, user + system", ms(median(a, cpu)), ms(median(h, cpu)), difference(a, h, cpu), ""})
	}
	return rows, nil
}

// difference is the median of the differences of each pair.
func difference(a, b []cost, of func(cost) time.Duration) string {
	var v []float64
	for i := range a {
		v = append(v, float64(of(a[i])-of(b[i])))
	}
	return "+ " + ms(time.Duration(middle(v)))
}
