//go:build linux && (amd64 || arm64)

package trace

import (
	"os/exec"
	"strings"
	"testing"
)

// lookups looks for 20,000 files that are not there: nearly nothing else is done.
const lookups = `i=0; while [ $i -lt 20000 ]; do test -e /nothing/$((i%500)); i=$((i+1)); done`

func BenchmarkWatched(b *testing.B) {
	sh, _ := exec.LookPath("sh")
	for range b.N {
		r := &Record{Ignore: func(path string) bool { return !strings.HasPrefix(path, "/nothing") }, Reader: func(argv []string, _ string) string { return argv[0] }}
		if err := r.Run(exec.Command(sh, "-c", lookups), ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwatched(b *testing.B) {
	sh, _ := exec.LookPath("sh")
	for range b.N {
		if err := exec.Command(sh, "-c", lookups).Run(); err != nil {
			b.Fatal(err)
		}
	}
}
