// Command bench measures what xbuild costs beside doing the same by hand, as whole processes, and prints a table in
// Markdown. It runs at the root of the repository, on a Linux host with Go, curl, ar, xz and tar, and works on copies
// in a scratch folder; the store is the user's own, but for the fetch.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"xbuild/internal/lock"
	"xbuild/internal/origin/debian"
	"xbuild/internal/platform"
)

const usage = `usage: go run ./bench [-only ` + names + `] [-n ROUNDS] [-work DIR]

Prints a table of medians. With -work, DIR stays, and the next run need not build examples/all again.
`

// names are the measurements.
const names = "start,build,kept,compile,real,cargo,fetch,sizes,memory"

func main() {
	only := flag.String("only", names, "what to measure")
	n := flag.Int("n", 3, "rounds of the long measurements: compile, real, cargo and fetch")
	work := flag.String("work", "", "scratch folder that stays (default: one that goes)")
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, strings.Split(*only, ","), *n, *work); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// A bench is where the measurements work.
type bench struct {
	ctx    context.Context
	rounds int
	work   string // scratch
	root   string // of the repository
	xbuild string
}

// A row is a line of the table.
type row struct{ what, ours, byHand, ratio, goal string }

func run(ctx context.Context, only []string, rounds int, work string) error {
	if rounds < 1 {
		return errors.New("-n must be 1 or more")
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat("examples/all/xbuild.toml"); err != nil {
		return fmt.Errorf("run it at the root of the repository: %w", err)
	}
	if work == "" {
		if work, err = os.MkdirTemp("", "xbuild-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	} else if work, err = filepath.Abs(work); err != nil {
		return err
	}
	b := &bench{ctx: ctx, rounds: rounds, work: work, root: root, xbuild: filepath.Join(work, "xbuild")}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	// As xbuild.toml builds it: static, and without symbols.
	if _, err := b.time(root, []string{"CGO_ENABLED=0"}, "go", "build",
		"-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", b.xbuild, "./cmd/xbuild"); err != nil {
		return err
	}
	type measurement struct {
		name string
		rows func() ([]row, error)
	}
	all := []measurement{
		{"start", b.start}, {"build", b.nothing}, {"kept", b.kept}, {"compile", b.compile}, {"real", b.real},
		{"cargo", b.cargo}, {"fetch", b.fetch}, {"sizes", b.sizes}, {"memory", b.memory},
	}
	for _, name := range only {
		if !slices.ContainsFunc(all, func(m measurement) bool { return m.name == name }) {
			return fmt.Errorf("-only: unknown measurement %q (want one of %s)", name, names)
		}
	}
	fmt.Printf("%s, commit %s, %s/%s, %d cores\n\n",
		time.Now().UTC().Format(time.DateOnly), b.commit(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Println("| what | xbuild | by hand | ratio | goal |\n|-|-|-|-|-|")
	for _, m := range all {
		if !slices.Contains(only, m.name) {
			continue
		}
		rows, err := m.rows()
		for _, r := range rows { // what was measured before an error too
			fmt.Printf("| %s | %s | %s | %s | %s |\n", r.what, r.ours, r.byHand, r.ratio, r.goal)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (b *bench) commit() string {
	out, err := exec.CommandContext(b.ctx, "git", "-C", b.root, "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// A cost is what a process and the children that it waited for took.
type cost struct{ wall, cpu time.Duration }

// time runs a command to its end.
func (b *bench) time(dir string, environ []string, argv ...string) (cost, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said.String())
	}
	return cost{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// turns runs several things in turns, A B A B, so that what else the machine does weighs on all. The first ones warm
// the caches and do not count.
func turns(warm, n int, things ...func() (cost, error)) ([][]cost, error) {
	costs := make([][]cost, len(things))
	for round := range warm + n {
		for i, do := range things {
			c, err := do()
			if err != nil {
				return nil, err
			}
			if round >= warm {
				costs[i] = append(costs[i], c)
			}
		}
	}
	return costs, nil
}

// pairs is turns of two.
func pairs(warm, n int, ours, byHand func() (cost, error)) (a, b []cost, err error) {
	costs, err := turns(warm, n, ours, byHand)
	if err != nil {
		return nil, nil, err
	}
	return costs[0], costs[1], nil
}

func wall(c cost) time.Duration { return c.wall }
func cpu(c cost) time.Duration  { return c.cpu }

func median(costs []cost, of func(cost) time.Duration) time.Duration {
	var v []float64
	for _, c := range costs {
		v = append(v, float64(of(c)))
	}
	return time.Duration(middle(v))
}

// ratio is the median of the ratios of each pair.
func ratio(a, b []cost, of func(cost) time.Duration) string {
	var v []float64
	for i := range a {
		v = append(v, float64(of(a[i]))/float64(of(b[i])))
	}
	return fmt.Sprintf("%.3f", middle(v))
}

func middle(v []float64) float64 {
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func ms(d time.Duration) string      { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// project copies examples/all, so that neither its lock nor its outputs appear in the repository.
func (b *bench) project() (string, error) {
	dir := filepath.Join(b.work, "all")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	tmp := dir + ".tmp"
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return "", err
	}
	for _, part := range []string{"xbuild.toml", "native", "go", "cgo", "rust"} {
		from := filepath.Join(b.root, "examples/all", part)
		st, err := os.Stat(from)
		if err != nil {
			return "", err
		}
		if st.IsDir() {
			err = os.CopyFS(filepath.Join(tmp, part), os.DirFS(from))
		} else {
			var data []byte
			if data, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(filepath.Join(tmp, part), data, 0o644)
			}
		}
		if err != nil {
			return "", err
		}
	}
	return dir, os.Rename(tmp, dir)
}

// kept is xbuild build of what was built elsewhere, beside a copy of dist.
func (b *bench) kept() ([]row, error) {
	dir, err := b.project()
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench: building examples/all first")
	if _, err := b.time(dir, nil, b.xbuild, "build"); err != nil {
		return nil, err
	}
	at, round := "", 0
	elsewhere := func() (cost, error) {
		round++
		at = filepath.Join(b.work, fmt.Sprint("elsewhere-", round), "all")
		if err := os.MkdirAll(at, 0o755); err != nil {
			return cost{}, err
		}
		for _, part := range []string{"xbuild.toml", "xbuild.lock", "native", "go", "cgo", "rust"} {
			if _, err := b.time(dir, nil, "cp", "-r", part, at); err != nil {
				return cost{}, err
			}
		}
		c, err := b.time(at, nil, b.xbuild, "build")
		if err != nil {
			return cost{}, err
		}
		diff := exec.CommandContext(b.ctx, "diff", "-r", filepath.Join(dir, "dist"), filepath.Join(at, "dist"))
		if out, err := diff.CombinedOutput(); err != nil {
			return cost{}, fmt.Errorf("dist differs: %s", out)
		}
		if built, _ := filepath.Glob(filepath.Join(at, ".xbuild/linux/*/*/build")); len(built) > 0 {
			return cost{}, fmt.Errorf("something was built: %s", built[0])
		}
		return c, nil
	}
	copied := func() (cost, error) {
		to := filepath.Join(b.work, fmt.Sprint("copy-", round))
		c, err := b.time(dir, nil, "cp", "-r", "dist", to)
		return c, errors.Join(err, os.RemoveAll(filepath.Dir(at)), os.RemoveAll(to))
	}
	a, h, err := pairs(1, 9, elsewhere, copied)
	if err != nil {
		return nil, err
	}
	return []row{
		{"`xbuild build` in another directory from kept results, 7 targets x 11 platforms, wall clock; by hand: `cp -r dist`", ms(median(a, wall)), ms(median(h, wall)), ratio(a, h, wall), "3"},
		{"the same, user + system", ms(median(a, cpu)), ms(median(h, cpu)), ratio(a, h, cpu), ""},
	}, nil
}

// compile is $CC as make and `xbuild build` call it, beside the toolchain's own clang with the same options on its
// command line.
func (b *bench) compile() ([]row, error) {
	dir, err := b.project()
	if err != nil {
		return nil, err
	}
	list := exec.CommandContext(b.ctx, "go", "mod", "download", "-json", "github.com/mattn/go-sqlite3")
	list.Dir = filepath.Join(b.root, "examples/cgo")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, err
	}
	source := filepath.Join(module.Dir, "sqlite3-binding.c")
	print := exec.CommandContext(b.ctx, b.xbuild, "env", "-p", "linux/arm64", "-f", "json")
	print.Dir = dir
	if out, err = print.Output(); err != nil {
		return nil, fmt.Errorf("xbuild env: %w", err)
	}
	var environ map[string]string
	if err := json.Unmarshal(out, &environ); err != nil {
		return nil, err
	}
	byHand, err := byHandCompiler(environ["CC"])
	if err != nil {
		return nil, err
	}
	object := func(name string) string { return filepath.Join(b.work, name+".o") }
	rest := func(name, file string) []string { return []string{"-O2", "-c", file, "-o", object(name)} }
	empty := filepath.Join(b.work, "empty.c")
	if err := os.WriteFile(empty, []byte("int x;\n"), 0o644); err != nil {
		return nil, err
	}
	ours := append([]string{environ["CC"]}, rest("ours", empty)...)
	theirs := append(slices.Clone(byHand), rest("by-hand", empty)...)
	ea, eh, err := pairs(1, 40,
		func() (cost, error) { return b.time(b.work, nil, ours...) },
		func() (cost, error) { return b.time(b.work, nil, theirs...) })
	if err != nil {
		return nil, err
	}

	ours = append([]string{environ["CC"]}, rest("ours", source)...)
	theirs = append(slices.Clone(byHand), rest("by-hand", source)...)
	// The short ones have warmed the compilers; a long one without use would only cost time.
	a, h, err := pairs(0, b.rounds,
		func() (cost, error) { return b.time(b.work, nil, ours...) },
		func() (cost, error) { return b.time(b.work, nil, theirs...) })
	if err != nil {
		return nil, err
	}
	// A ratio says something only about the same work.
	x, err := os.ReadFile(object("ours"))
	if err != nil {
		return nil, err
	}
	y, err := os.ReadFile(object("by-hand"))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(x, y) {
		return nil, errors.New("the two compilers wrote different objects")
	}
	return []row{
		{
			"`$CC -O2 -c` of SQLite for linux/arm64, user + system",
			seconds(median(a, cpu)), seconds(median(h, cpu)), ratio(a, h, cpu), "1.02",
		},
		{"the same, wall clock", seconds(median(a, wall)), seconds(median(h, wall)), ratio(a, h, wall), "1.02"},
		{"`$CC -O2 -c` of `int x;`, wall clock", ms(median(ea, wall)), ms(median(eh, wall)), ratio(ea, eh, wall), ""},
	}, nil
}

// byHandCompiler is the toolchain's own clang with the options of a view's configuration file, as somebody without
// xbuild would write them.
func byHandCompiler(cc string) ([]string, error) {
	bin := filepath.Dir(cc)
	p, err := platform.Parse("linux/arm64")
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(bin, p.LLVM+".cfg"))
	if err != nil {
		return nil, err
	}
	argv := []string{""}
	for line := range strings.Lines(strings.ReplaceAll(string(config), "<CFGDIR>", bin)) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && name == "--ld-path" {
			argv[0] = filepath.Join(filepath.Dir(value), "clang")
		}
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "-ffile-prefix-map=") || strings.HasPrefix(line, "-Wl,") {
			continue // nobody's habit by hand, and no work in a compile
		}
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(value, "/") {
			line = name + "=" + filepath.Clean(value)
		}
		argv = append(argv, line)
	}
	if argv[0] == "" {
		return nil, fmt.Errorf("no --ld-path in %s.cfg", p.LLVM)
	}
	return argv, nil
}

// mirror is where packages are fetched from, on both sides.
func mirror() string {
	if m, _, _ := strings.Cut(os.Getenv("XBUILD_DEBIAN_MIRROR"), ","); m != "" {
		return strings.TrimRight(m, "/")
	}
	return append(debian.HostMirrors("/"), debian.Public...)[0]
}

// composed are the files of the toolchains and sysroots of a lock that a store has.
func composed(store string, l *lock.Lock) []lock.File {
	var files []lock.File
	add := func(tree string, more []lock.File) {
		if found, _ := filepath.Glob(filepath.Join(store, "trees", tree+"-*.manifest")); len(found) == 0 {
			return
		}
		for _, f := range more {
			if !slices.ContainsFunc(files, func(g lock.File) bool { return g.SHA256 == f.SHA256 }) {
				files = append(files, f)
			}
		}
	}
	for _, t := range l.Toolchains {
		if t.Host == "linux/"+runtime.GOARCH {
			add("toolchain-"+t.Name+"-"+t.Version, t.Files)
		}
	}
	for _, r := range l.Sysroots {
		add("sysroot-"+r.Arch+"-"+r.Suite, r.Files)
	}
	return files
}

// fetch is all that one C target needs, from the mirror into an empty store, beside curl and tar for the same files.
func (b *bench) fetch() ([]row, error) {
	mirror := mirror()
	dir := filepath.Join(b.work, "one")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	const project = "[project]\nname = \"one\"\nplatforms = [\"linux/arm64\"]\n\n[target.one]\nrecipe = \"cc\"\nsources = [\"one.c\"]\n"
	for name, text := range map[string]string{"xbuild.toml": project, "one.c": "int main(void) { return 0; }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if _, err := b.time(dir, nil, b.xbuild, "lock"); err != nil {
		return nil, err
	}
	l, err := lock.Read(filepath.Join(dir, lock.FileName))
	if err != nil {
		return nil, err
	}
	fresh := func(name string) (string, error) {
		path := filepath.Join(b.work, name)
		if err := os.RemoveAll(path); err != nil {
			return "", err
		}
		return path, os.MkdirAll(path, 0o755)
	}
	// The lock also has what other commands and the other kind of host need: by hand gets what xbuild got.
	store, err := fresh("store")
	if err != nil {
		return nil, err
	}
	environ := func(store string) []string {
		return []string{"XBUILD_STORE=" + store, "XBUILD_DEBIAN_MIRROR=" + mirror}
	}
	if _, err := b.time(dir, environ(store), b.xbuild, "fetch", "--locked", "--quiet"); err != nil {
		return nil, err
	}
	files := composed(store, l)
	var size int64
	var config strings.Builder
	for _, f := range files {
		size += f.Size
		fmt.Fprintf(&config, "url = \"%s/%s\"\noutput = \"%s\"\n", mirror, f.Path, f.SHA256+".deb")
	}
	if err := os.WriteFile(filepath.Join(b.work, "curl.config"), []byte(config.String()), 0o644); err != nil {
		return nil, err
	}

	ours := func() (cost, error) {
		store, err := fresh("store")
		if err != nil {
			return cost{}, err
		}
		c, err := b.time(dir, environ(store), b.xbuild, "fetch", "--locked", "--quiet")
		if err != nil {
			return c, err
		}
		// Both have to have fetched the same, or the ratio says nothing.
		if have := composed(store, l); len(have) != len(files) {
			err = fmt.Errorf("xbuild fetched %d files and curl is to fetch %d", len(have), len(files))
		}
		return c, err
	}
	const script = `set -eu
curl --silent --show-error --fail --location --parallel --parallel-max 8 --config ../curl.config
mkdir tree
cat > unpack <<'end'
set -eu
case $(ar t "$1") in
*data.tar.xz*) ar p "$1" data.tar.xz | xz -dc -T0 | tar x -C tree ;;
*data.tar.zst*) ar p "$1" data.tar.zst | zstd -dc | tar x -C tree ;;
*) echo "$1: neither xz nor zstd" >&2; exit 1 ;;
esac
end
ls -S *.deb | xargs -n 1 -P "$(nproc)" sh unpack
`
	byHand := func() (cost, error) {
		path, err := fresh("by-hand")
		if err != nil {
			return cost{}, err
		}
		return b.time(path, nil, "/bin/sh", "-c", script)
	}
	a, h, err := pairs(0, b.rounds, ours, byHand) // the first fetch has warmed the mirror
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("fetch + unpack clang and one sysroot (%d files, %.0f MB)", len(files), float64(size)/1e6)
	return []row{
		{what + ", wall clock", seconds(median(a, wall)), seconds(median(h, wall)), ratio(a, h, wall), "1.1"},
		{"the same, user + system", seconds(median(a, cpu)), seconds(median(h, cpu)), ratio(a, h, cpu), ""},
	}, nil
}
