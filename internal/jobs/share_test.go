package jobs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain: with XBUILD_TEST_BUILD this program is a build, of the jobs that its value tells of.
func TestMain(m *testing.M) {
	if kind := os.Getenv("XBUILD_TEST_BUILD"); kind != "" {
		build(kind)
		return
	}
	os.Exit(m.Run())
}

// build works in this directory, on a machine of three cores, until the file "end" is there. Each job is a file
// while it goes on, by the process that has the slot, and adds how many there are to counts.
func build(kind string) {
	cores, jobs := 3, 8
	m, err := NewMachine(".", cores)
	if err != nil {
		panic(err)
	}
	pipes, err := os.MkdirTemp(".", "pipes-")
	if err != nil {
		panic(err)
	}
	var p *Pool
	switch c := CallerOf(os.Getenv("MAKEFLAGS")); kind {
	case "below make":
		if c == nil {
			panic("make has given no jobserver: " + os.Getenv("MAKEFLAGS"))
		}
		p = Below(pipes, cores, c)
	case "inside":
		p = Share(pipes, cores, m, true)
	default:
		p = Share(pipes, cores, m, false)
	}
	defer p.Close()
	if kind == "make" {
		cmd := exec.Command("make", "-f", "../rules", "--no-print-directory")
		give := take(p)
		cmd.Stderr = os.Stderr
		flags, files, err := p.Files(3)
		if err != nil {
			panic(err)
		}
		cmd.ExtraFiles, cmd.Env = files, append(os.Environ(), "MAKEFLAGS="+flags, "OF="+strconv.Itoa(os.Getpid()))
		if err := cmd.Run(); err != nil {
			panic(err)
		}
		give()
		return
	}
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() {
			for n := 0; !there("end"); n++ {
				give := take(p)
				file := fmt.Sprintf("run-%d-%d", os.Getpid(), i)
				os.WriteFile(file, nil, 0o644)
				note()
				time.Sleep(5 * time.Millisecond)
				os.Remove(file)
				give()
			}
		})
	}
	wg.Wait()
}

func take(p *Pool) (give func()) {
	_, give, err := p.Take(context.Background(), 0, 1)
	if err != nil {
		panic(err)
	}
	return give
}

func there(path string) bool { _, err := os.Lstat(path); return err == nil }

// note adds to counts, for each build that lives, how many of its jobs go on.
func note() {
	of := map[string]int{}
	list, _ := filepath.Glob("run-*")
	for _, f := range list {
		of[strings.Split(f, "-")[1]]++
	}
	line := ""
	for pid, n := range of {
		if id, _ := strconv.Atoi(pid); syscall.Kill(id, 0) == nil {
			line += fmt.Sprintf("%s:%d ", pid, n)
		}
	}
	f, err := os.OpenFile("counts", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	f.WriteString(line + "\n")
	f.Close()
}

// builds are processes that share a machine.
type builds struct {
	t   *testing.T
	dir string
}

func (b builds) start(kind string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Dir, cmd.Stderr = b.dir, os.Stderr
	cmd.Env = append(os.Environ(), "XBUILD_TEST_BUILD="+kind, "MAKEFLAGS=")
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// counted waits until each of the processes has jobs that go on, and returns, of so many looks after that, the most jobs
// at once, of all and of each process.
func (b builds) counted(looks int, pids ...int) (all int, of map[int]int) {
	b.t.Helper()
	of = map[int]int{}
	counts := filepath.Join(b.dir, "counts")
	os.Remove(counts)
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		data, _ := os.ReadFile(counts)
		all, of = 0, map[int]int{}
		lines := strings.Split(string(data), "\n")
		for _, line := range lines {
			sum := 0
			for _, word := range strings.Fields(line) {
				pid, n, _ := strings.Cut(word, ":")
				id, _ := strconv.Atoi(pid)
				count, _ := strconv.Atoi(n)
				of[id] = max(of[id], count)
				sum += count
			}
			all = max(all, sum)
		}
		missing := false
		for _, pid := range pids {
			missing = missing || of[pid] == 0
		}
		if !missing && len(lines) > looks {
			return all, of
		}
	}
	b.t.Fatalf("of the builds %v only %v had jobs", pids, of)
	return 0, nil
}

// TestProcesses: builds that share a machine run no more jobs than it has cores, all of them run some, and the slots of
// one that is killed are the others'.
func TestProcesses(t *testing.T) {
	b := builds{t, t.TempDir()}
	one := b.start("build")
	if all, _ := b.counted(100, one.Process.Pid); all != 3 {
		t.Errorf("a build alone runs %d jobs, want 3", all)
	}
	two := b.start("build")
	b.counted(1, two.Process.Pid)
	if all, of := b.counted(300, one.Process.Pid, two.Process.Pid); all > 3 {
		t.Errorf("two builds run %d jobs, want 3 at most: %v", all, of)
	}
	pids, others := []int{one.Process.Pid, two.Process.Pid}, []*exec.Cmd{two}
	for range 3 { // more than there are slots
		cmd := b.start("build")
		pids, others = append(pids, cmd.Process.Pid), append(others, cmd)
	}
	if all, of := b.counted(300, pids...); all > 3 {
		t.Errorf("five builds run %d jobs, want 3 at most: %v", all, of)
	}
	for _, cmd := range others {
		cmd.Process.Kill()
	}
	for _, cmd := range others {
		cmd.Wait()
	}
	time.Sleep(50 * time.Millisecond)
	if all, of := b.counted(100, pids[0]); all != 3 || of[pids[0]] != 3 {
		t.Errorf("when the others are killed it runs %v, want 3 jobs", of)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, fmt.Sprintf("xbuild-jobs-%d/builds", os.Getuid()))); len(left) != 1 {
		t.Errorf("%d builds are noted, one goes on", len(left))
	}
	inside := b.start("inside")
	if all, of := b.counted(300, pids[0], inside.Process.Pid); all > 4 {
		t.Errorf("with one whose first job is counted elsewhere %d jobs run, want 4 at most: %v", all, of)
	}
	os.WriteFile(filepath.Join(b.dir, "end"), nil, 0o644)
	if err := one.Wait(); err != nil {
		t.Error(err)
	}
}

const counted = `
all: $(shell seq 50)
%:
	@touch run-$(OF)-$@; echo "$(OF):$$(ls | grep -c '^run-$(OF)-') other:$$(ls | grep '^run-' | grep -vc -- '-$(OF)-')" >> counts; sleep 0.03; rm run-$(OF)-$@
`

// TestProcessesWithMake: a make that has all slots hands some to another build.
func TestProcessesWithMake(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make on this machine")
	}
	b := builds{t, filepath.Join(t.TempDir(), "builds")}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "../rules"), []byte(counted), 0o644); err != nil {
		t.Fatal(err)
	}
	one := b.start("make")
	if all, _ := b.counted(10, one.Process.Pid); all != 3 {
		t.Errorf("make alone runs %d jobs, want 3", all)
	}
	start := time.Now()
	two := b.start("make")
	b.counted(1, two.Process.Pid)
	t.Logf("the second began after %v", time.Since(start))
	if all, of := b.counted(20, one.Process.Pid, two.Process.Pid); all > 3 {
		t.Errorf("two makes run %d jobs, want 3 at most: %v", all, of)
	}
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestBelowMake: a build that make starts takes its slots of make's, and gives them back.
func TestBelowMake(t *testing.T) {
	version, err := exec.Command("make", "--version").Output()
	if err != nil {
		t.Skip("there is no make on this machine")
	}
	forms := []string{""}
	if !bytes.HasPrefix(version, []byte("GNU Make 4.3")) && !bytes.HasPrefix(version, []byte("GNU Make 4.2")) {
		forms = []string{"--jobserver-style=pipe", "--jobserver-style=fifo"}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		b := builds{t, t.TempDir()}
		makefile := "all: one two\none two:\n\t+@XBUILD_TEST_BUILD='below make' exec " + self + "\n"
		if err := os.WriteFile(filepath.Join(b.dir, "Makefile"), []byte(makefile), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("make", "-j4", form)
		var out bytes.Buffer
		cmd.Dir, cmd.Stderr, cmd.Stdout = b.dir, &out, &out
		cmd.Env = append(os.Environ(), "MAKEFLAGS=")
		if form == "" {
			cmd.Args = cmd.Args[:2]
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all, of := b.counted(300)
		if all > 4 || len(of) != 2 {
			t.Errorf("%s: two builds below make -j4 run %d jobs: %v", form, all, of)
		}
		os.WriteFile(filepath.Join(b.dir, "end"), nil, 0o644)
		if err := cmd.Wait(); err != nil || out.Len() > 0 { // make says so where slots are not there at its end
			t.Errorf("%s: %v\n%s", form, err, &out)
		}
	}
	for flags, want := range map[string]bool{
		"": false, "-j8": false, "-j8 --jobserver-auth=-2,-2": false, "-j --jobserver-auth=77,78": false,
		"--jobserver-auth=fifo:/nowhere": false, "--jobserver-auth=fifo:/dev/null": false, "--jobserver-auth=0,1": false,
	} {
		if c := CallerOf(flags); (c != nil) != want {
			t.Errorf("%q: %v", flags, c)
		}
	}
	if n := Slots(" -j8 --jobserver-auth=3,4"); n != 8 {
		t.Errorf("%d slots, want 8", n)
	}
}

// TestBesides: who waits too long for a first slot runs one job beside the others, and no more.
func TestBesides(t *testing.T) {
	dir := t.TempDir()
	open := func() *Pool {
		m, err := NewMachine(dir, 2)
		if err != nil {
			t.Fatal(err)
		}
		return Share("", 2, m, false)
	}
	one, two := open(), open()
	defer one.Close()
	defer two.Close()
	n, give, err := one.Take(t.Context(), 0, 2)
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	two.mu.Lock()
	two.waiting = []*waiter{{got: make(chan struct{}, 1)}}
	now := time.Now()
	two.balance(now)
	two.balance(now.Add(Patience - time.Second))
	if two.have != 0 {
		t.Errorf("%d slots before its time", two.have)
	}
	two.balance(now.Add(Patience + time.Second))
	two.balance(now.Add(3 * Patience))
	if two.have != 1 || two.alone != 1 {
		t.Errorf("%d slots, %d of its own: want one", two.have, two.alone)
	}
	two.mu.Unlock()
	give()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		two.mu.Lock()
		alone := two.alone
		two.mu.Unlock()
		if alone == 0 {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("it is still beside the others, although slots are free")
		}
	}
}

// TestMachineRefused: a directory that others can write into is not taken.
func TestMachineRefused(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, fmt.Sprintf("xbuild-jobs-%d", os.Getuid()))
	if err := os.Mkdir(own, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(own, 0o777)
	if _, err := NewMachine(dir, 2); err == nil {
		t.Error("a directory that everybody can write into is taken")
	}
	os.Remove(own)
	os.Symlink(t.TempDir(), own)
	if _, err := NewMachine(dir, 2); err == nil {
		t.Error("a link is taken")
	}
}
