package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Kinds of idioms.c.
var (
	idiomsCondemned  = []int{101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113}
	idiomsDispatched = []int{150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171}
)

// idiomsPlatforms are those whose QEMU stops the instruction of idioms.c.
var idiomsPlatforms = []string{
	"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le", "linux/loong64",
}

// A way is one of twenty in which compilers are told to make the same program.
type way struct {
	level  string
	shared bool
	lto    bool
}

func (w way) String() string {
	s := w.level
	if w.shared {
		s += " shared"
	}
	if w.lto {
		s += " LTO"
	}
	return s
}

func (w way) flags() string {
	s := w.level
	if w.lto {
		s += " -flto"
	}
	if w.shared {
		s += " -fPIC -shared -DLIBRARY"
	}
	return s
}

var makings = func() (all []way) {
	for _, level := range []string{"-O0", "-O1", "-O2", "-O3", "-Os"} {
		for i := range 4 {
			all = append(all, way{level, i&1 != 0, i&2 != 0})
		}
	}
	return all
}()

// A variation is a kind of program, made in one way.
type variation struct {
	kind int
	way
}

func (v variation) name() string {
	return strings.ReplaceAll(fmt.Sprintf("%d%v", v.kind, v.way), " ", "")
}
func (v variation) asks() bool { return v.kind >= 150 }

// variations are the programs of a platform: all kinds, each in four of the twenty ways, and each way has a fifth of
// the
// kinds. Without XBUILD_E2E=full it is a sixth of the kinds, each in one way; both differ from platform to platform.
func variations(t *testing.T, name string) (list []variation) {
	t.Helper()
	place := slices.Index(idiomsPlatforms, name)
	for i, kind := range slices.Concat(idiomsCondemned, idiomsDispatched) {
		if lacksKind(name, kind) {
			continue
		}
		for j, w := range makings {
			at := (7*i + 3*place + j) % len(makings)
			if full() && at%5 == 0 || !full() && at == 0 && (i+place)%6 == 0 {
				list = append(list, variation{kind, w})
			}
		}
	}
	return list
}

// TestInstructionsOptions builds what idioms.c has in all ways in which compilers are told to make the same program,
// runs each where there is just the baseline, and holds the audit against
// what that shows: what runs on every machine ends with an illegal instruction, and what asks first does not.
func TestInstructionsOptions(t *testing.T) {
	needNetwork(t)
	var rows []tally
	for _, name := range idiomsPlatforms {
		t.Run(name, func(t *testing.T) {
			rows = append(rows, idioms(t, name))
		})
	}
	if *update && full() && !t.Failed() {
		writeTable(t, optionsStart, optionsEnd, rows)
	}
}

func idioms(t *testing.T, name string) tally {
	dir := t.TempDir()
	for _, f := range []string{"idioms.c", "driver.c"} {
		data, err := os.ReadFile(filepath.Join("testdata/instructions", f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := variations(t, name)
	script := "$CC -O1 driver.c -o driver -ldl\n"
	for _, v := range list {
		compiler := "$CC"
		if v.kind == 113 || v.kind == 171 {
			compiler = "$CXX -x c++"
		}
		script += fmt.Sprintf("%s -DKIND=%d %s idioms.c -o %s && $STRIP -o %[4]s.stripped %[4]s\n", compiler, v.kind, v.flags(), v.name())
	}
	if err := os.WriteFile(filepath.Join(dir, "commands"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := xbuild(t, dir, "exec", "-p", name, "--", "sh", "-c", `tr '\n' '\0' <commands | xargs -0 -n 1 -P 2 sh -c`); r.code != 0 {
		t.Fatalf("%v", r)
	}
	dies := map[string]bool{}
	var mu sync.Mutex
	var programs errgroup.Group
	programs.SetLimit(2)
	run := []string{"run", "-q", "--emulate", "-p", name, "driver"}
	for _, v := range list {
		if v.shared {
			run = append(run, "./"+v.name())
			continue
		}
		programs.Go(func() error {
			r := xbuild(t, dir, "run", "-q", "--emulate", "-p", name, v.name())
			mu.Lock()
			defer mu.Unlock()
			dies[v.name()] = r.code != 0
			if r.code == 0 && r.stdout != "41\n" || r.code != 0 && !strings.Contains(r.stderr, "illegal instruction") {
				t.Errorf("%s: %v", v.name(), r)
			}
			return nil
		})
	}
	programs.Wait()
	r := xbuild(t, dir, run...)
	for line := range strings.Lines(r.stdout) {
		var lib string
		var signal, code int
		if _, err := fmt.Sscan(line, &lib, &signal, &code); err != nil || code != 0 || signal != 0 && signal != 4 {
			t.Errorf("%s: %v\n%s", line, err, r.stderr)
		}
		dies[strings.TrimPrefix(lib, "./")] = signal == 4
	}
	base := plainBaseline(t, name)
	row := tally{what: fmt.Sprintf("`%s`", name)}
	for _, v := range list {
		if died, ran := dies[v.name()]; !ran || died == v.asks() {
			t.Errorf("%s was run %v and died %v, want %v: the program is not what it is taken for", v.name(), ran, died, !v.asks())
		}
		for _, strip := range []string{"", ".stripped"} {
			data, err := os.ReadFile(filepath.Join(dir, v.name()+strip))
			if err != nil {
				t.Fatal(err)
			}
			row.count(t, v.name()+strip, data, base, v.asks(), strip != "", "fast")
		}
	}
	t.Logf("%+v", row)
	if row.falseAlarms+row.strippedAlarms > 0 {
		t.Errorf("%d false alarms on programs that ask first, %d on such that were stripped", row.falseAlarms, row.strippedAlarms)
	}
	return row
}

const optionsStart, optionsEnd = "<!-- options: written by go test ./e2e -run TestInstructionsOptions -update -->\n", "<!-- end of the options -->\n"
