// Package jobs is one pool of job slots, which the commands that are started and all that these start share: a
// jobserver as GNU make has it (GNU make's manual, "POSIX Jobserver Interaction"). A slot is a byte in a named pipe.
// Who starts a job takes one, and puts it back after; what a command starts beside itself takes others, if it knows of
// the pool.
//
// A pool has slots of its own, or takes them from a source that it shares with others: the machine's, which all builds
// of a user take theirs from, or the jobserver of a make that started this process.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Pool is a number of slots. Its methods may be called from many goroutines.
type Pool struct {
	n    int
	path string   // of the pipe; "" where there is none
	pipe *os.File // for both; reading waits
	raw  int      // the same for reading that does not wait
	own  chan struct{}

	from source // nil where all slots are its own
	base int    // slots that are its own
	look chan struct{}
	done chan struct{}
	told need // what the source was told

	mu      sync.Mutex
	changed sync.Cond
	waiting []*waiter
	held    int  // slots of this process
	reading bool // serve may have one in its hand
	closed  bool

	have  int           // slots that there are: in the pipe, of this process, and of what it started
	alone int           // those of them that are not the source's
	owed  int           // to the source, as soon as they are free
	idle  time.Time     // since when slots of the source are free
	again time.Time     // before which none are taken in case somebody needs them
	wait  time.Duration // what was added to have again
	empty time.Time     // since when somebody waits and there is no slot at all
}

type waiter struct {
	priority float64
	got      chan struct{}
}

// New makes a pool of n slots of its own, whose pipe lies in a directory, which has to be there. Where no pipe can be
// made in it, or dir is "", what commands start cannot take slots of it.
func New(dir string, n int) *Pool {
	p := made(dir, n)
	p.base = p.n
	p.begin()
	return p
}

// Share makes a pool of at most n slots of a machine. What n is more than that has is the pool's own, and so is one
// where inside says that what started this process has taken it. Where none comes for Patience, one is the pool's own.
func Share(dir string, n int, m *Machine, inside bool) *Pool {
	p := made(dir, n)
	p.from, p.base = m, max(0, p.n-m.n)
	if inside {
		p.base = max(p.base, 1)
	}
	p.begin()
	return p
}

// Below makes a pool of at most n slots of the jobserver of a make that has started this process. One is the pool's
// own: make has taken it.
func Below(dir string, n int, c *Caller) *Pool {
	p := made(dir, n)
	p.from, p.base = c, 1
	p.begin()
	return p
}

func made(dir string, n int) *Pool {
	const room = 4096 // of a pipe, on every system
	p := &Pool{n: min(n, room), raw: -1, look: make(chan struct{}, 1), done: make(chan struct{}), told: nothing}
	p.changed.L = &p.mu
	if dir != "" {
		sweep(dir)
		p.open(filepath.Join(dir, fmt.Sprintf("%s%d", prefix, os.Getpid())))
	}
	if p.path == "" {
		p.own = make(chan struct{}, p.n)
	}
	return p
}

func (p *Pool) begin() {
	p.have, p.alone, p.wait = p.base, p.base, shortest
	p.add(p.have)
	go p.serve()
	if p.from != nil {
		go p.share()
	}
}

const prefix = "jobs-"

func (p *Pool) open(path string) {
	for i := range 100 {
		name := fmt.Sprintf("%s-%d", path, i)
		err := syscall.Mkfifo(name, 0o600)
		if errors.Is(err, syscall.EEXIST) {
			continue
		}
		if err != nil {
			return
		}
		pipe, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			os.Remove(name)
			return
		}
		raw, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil {
			pipe.Close()
			os.Remove(name)
			return
		}
		p.path, p.pipe, p.raw = name, pipe, raw
		return
	}
}

// sweep removes the pipes of processes that were killed: nobody reads them.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, path := range left {
		fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if errors.Is(err, syscall.ENXIO) {
			os.Remove(path)
		}
		if err == nil {
			syscall.Close(fd)
		}
	}
}

// Fleeting tells paths that pools make and remove: the pipes of those in a directory, and, below directories of this
// machine, what tells the slots of builds. A slash behind the path makes it the names in a directory.
func Fleeting(dir string, runtime []string, path string) bool {
	if name, ok := strings.CutPrefix(path, dir+"/"); ok && !strings.Contains(name, "/") {
		return name == "" || strings.HasPrefix(name, prefix)
	}
	return slices.ContainsFunc(runtime, func(r string) bool {
		d := machineDir(r)
		return path == d || strings.HasPrefix(path, d+"/")
	})
}

// Path is the pipe's; "" where there is none.
func (p *Pool) Path() string { return p.path }

// Size is the number of slots.
func (p *Pool) Size() int { return p.n }

// Flags are the value of MAKEFLAGS by which make, and what knows its jobserver, take slots from the pool; "" where
// there is no pipe. GNU make knows a named pipe from 4.4 on; Files are for those before.
func (p *Pool) Flags() string {
	if p.path == "" {
		return ""
	}
	return fmt.Sprintf("-j%d --jobserver-auth=fifo:%s", p.n, p.path)
}

// Files opens the pipe for a command that takes it by descriptors: MAKEFLAGS is flags, where the files get the numbers
// from first on. They are closed when the command has been started.
func (p *Pool) Files(first int) (flags string, files []*os.File, err error) {
	if p.path == "" {
		return "", nil, nil
	}
	for _, mode := range []int{os.O_RDWR, os.O_WRONLY} { // for reading alone it would wait for who writes
		f, err := os.OpenFile(p.path, mode, 0)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return "", nil, err
		}
		files = append(files, f)
	}
	return fmt.Sprintf("-j%d --jobserver-auth=%d,%d", p.n, first, first+1), files, nil
}

// Take waits for a slot and takes, where nobody waits for them, more of those that are free: most in all. give puts
// them back. Of those who wait, the one with the highest priority comes first. The error is the context's.
func (p *Pool) Take(ctx context.Context, priority float64, most int) (taken int, give func(), err error) {
	w := &waiter{priority: priority, got: make(chan struct{}, 1)}
	p.mu.Lock()
	i, _ := slices.BinarySearchFunc(p.waiting, priority, func(w *waiter, priority float64) int {
		return cmp.Or(cmp.Compare(priority, w.priority), -1) // behind those of the same
	})
	p.waiting = slices.Insert(p.waiting, i, w)
	p.changed.Signal()
	p.mu.Unlock()
	select {
	case p.look <- struct{}{}:
	default:
	}
	select {
	case <-w.got:
	case <-ctx.Done():
		p.mu.Lock()
		if i := slices.Index(p.waiting, w); i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
			p.mu.Unlock()
			return 0, nil, ctx.Err()
		}
		p.mu.Unlock()
		p.give(1) // it came at the same moment
		return 0, nil, ctx.Err()
	}
	taken = 1
	p.mu.Lock()
	for taken < most && len(p.waiting) == 0 && p.one() {
		taken++
		p.held++
	}
	p.mu.Unlock()
	var once sync.Once
	return taken, func() { once.Do(func() { p.give(taken) }) }, nil
}

// one takes a slot that is free now.
func (p *Pool) one() bool {
	if p.path == "" {
		select {
		case <-p.own:
			return true
		default:
			return false
		}
	}
	var b [1]byte
	n, _ := syscall.Read(p.raw, b[:])
	return n == 1
}

func (p *Pool) add(n int) {
	if p.path == "" {
		for range n {
			p.own <- struct{}{}
		}
		return
	}
	p.pipe.Write(slices.Repeat([]byte{'+'}, n))
}

func (p *Pool) give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held -= n
	p.add(n)
	if p.held > 0 || p.path == "" || p.closed {
		return
	}
	// Nothing runs: slots that are not there were lost by what was killed. One may be on its way to who waits.
	on := 0
	if p.reading {
		on = 1
	}
	p.add(max(p.drain(), p.have-on))
}

// drain takes all slots that are free now.
func (p *Pool) drain() (n int) {
	for p.one() {
		n++
	}
	return n
}

// serve hands slots to those who wait, and back to the source.
func (p *Pool) serve() {
	for {
		p.mu.Lock()
		p.reading = false
		for len(p.waiting) == 0 && p.owed == 0 && !p.closed {
			p.changed.Wait()
		}
		closed := p.closed
		p.reading = true
		p.mu.Unlock()
		if closed {
			return
		}
		if p.path == "" {
			<-p.own
		} else if _, err := p.pipe.Read(make([]byte, 1)); err != nil {
			return
		}
		p.mu.Lock()
		switch {
		case p.closed:
		case p.owed > 0 && p.have > p.alone:
			p.owed--
			p.back(1)
		case len(p.waiting) == 0:
			p.add(1)
		default:
			w := p.waiting[0]
			p.waiting = p.waiting[1:]
			p.held++
			w.got <- struct{}{}
		}
		p.mu.Unlock()
	}
}

// back gives slots to the source that were read.
func (p *Pool) back(n int) {
	for range n {
		p.from.give()
	}
	p.have -= n
}

// Close removes the pipe. No slot is held any more.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	p.changed.Signal()
	if p.from != nil {
		p.from.close()
		close(p.done)
	}
	if p.path != "" {
		p.pipe.Close()
		syscall.Close(p.raw)
		os.Remove(p.path)
	}
}
