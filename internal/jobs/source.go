package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"

	"xbuild/internal/lazyregexp"
)

// A source is where the slots of a pool come from that are not its own.
type source interface {
	take() bool                  // a slot, where one is free now
	give()                       // one that was taken
	tell(mine need)              // the others
	others() (part int, of need) // how many of all slots are this pool's, and what that one needs that lacks the most
	close()                      // gives all that were taken
}

// A need is how much a pool needs slots.
type need byte

const (
	nothing need = '0' + iota
	enough       // it has jobs that run
	more         // and takes what nobody else has a use for
	lacks        // it has less than its part
	none         // it has none at all
)

// A Machine is the slots that all builds of a user on one machine have together. A slot is a file in a directory, and
// who has locked it has the slot: the kernel gives those back that a killed process had (flock(2)). Each build has a
// file too, in which it says what it needs.
type Machine struct {
	dir   string
	n     int
	held  []*flock.Flock
	build *os.File
}

// NewMachine is the slots below a directory of this machine, as many as there are cores. Nothing is taken yet.
func NewMachine(runtime string, cores int) (*Machine, error) {
	dir := machineDir(runtime)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(sys.Uid) != os.Getuid() || info.Mode()&0o077 != 0 {
		return nil, fmt.Errorf("%s is not a directory of this user alone", dir)
	}
	if err := os.Mkdir(filepath.Join(dir, "builds"), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return &Machine{dir: dir, n: cores}, nil
}

func machineDir(runtime string) string {
	return filepath.Join(runtime, fmt.Sprintf("xbuild-jobs-%d", os.Getuid()))
}

func (m *Machine) take() bool {
	if len(m.held) >= m.n {
		return false
	}
	for i := range m.n {
		path := filepath.Join(m.dir, fmt.Sprintf("slot-%d", i))
		slot := flock.New(path, flock.SetPermissions(0o600))
		// A lock of this process does not keep out another one of it: each has opened the file for itself.
		if ok, err := slot.TryLock(); err == nil && ok {
			m.held = append(m.held, slot)
			return true
		}
		slot.Close()
	}
	return false
}

func (m *Machine) give() {
	last := len(m.held) - 1
	m.held[last].Close()
	m.held = m.held[:last]
}

func (m *Machine) tell(mine need) {
	if m.build == nil {
		m.build = m.begin()
	}
	if m.build != nil {
		m.build.WriteAt([]byte{byte(mine)}, 0)
	}
}

func (m *Machine) others() (part int, most need) {
	builds, most := 1, nothing
	dir := filepath.Join(m.dir, "builds")
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if m.build != nil && path == m.build.Name() {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		var is [1]byte
		if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
			os.Remove(path) // it has ended
		} else if n, _ := f.ReadAt(is[:], 0); n == 1 && need(is[0]) > nothing {
			builds++
			most = max(most, need(is[0]))
		}
		f.Close()
	}
	return max(1, m.n/builds), most
}

// begin makes the build's file; nil where that cannot be: others do not know of this build then, and go on as they
// do.
func (m *Machine) begin() *os.File {
	for range 100 {
		f, err := os.CreateTemp(filepath.Join(m.dir, "builds"), "*")
		if err != nil {
			return nil
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if _, err := os.Lstat(f.Name()); err == nil {
				return f
			}
		}
		f.Close() // another build took it for that of one that has ended
	}
	return nil
}

func (m *Machine) close() {
	for len(m.held) > 0 {
		m.give()
	}
	if m.build != nil {
		os.Remove(m.build.Name())
		m.build.Close()
		m.build = nil
	}
}

// A Caller is the jobserver of a make that started this process. Each slot is the byte that was read for it: the same
// has to be written again (GNU make's manual, "POSIX Jobserver Interaction").
type Caller struct {
	read  int
	write *os.File
	held  []byte
}

var (
	auth        = lazyregexp.New(`--jobserver-(?:auth|fds)=(\S+)`)
	descriptors = lazyregexp.New(`^([0-9]+),([0-9]+)$`)
)

// CallerOf is the jobserver that a value of MAKEFLAGS names; nil where it names none, or one that make does not let
// this process have: the rule's line has no + then, and no $(MAKE).
func CallerOf(makeflags string) *Caller {
	all := auth.FindAllStringSubmatch(makeflags, -1)
	if len(all) == 0 {
		return nil
	}
	named := all[len(all)-1][1] // make goes by the last
	in, isPipe := strings.CutPrefix(named, "fifo:")
	out := in
	if d := descriptors.FindStringSubmatch(named); d != nil {
		in, out, isPipe = inherited(d[1], d[2])
	}
	if info, err := os.Stat(in); !isPipe || err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return nil
	}
	// Opened anew: whether reading waits is a matter of all who have a descriptor of the same opening.
	read, err := syscall.Open(in, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	write, err := os.OpenFile(out, os.O_WRONLY, 0)
	if err != nil {
		syscall.Close(read)
		return nil
	}
	return &Caller{read: read, write: write}
}

// inherited are the files of descriptors that make gave to this process, or to the one that waits for it (package
// guard). ok is false where they are not both ends of one pipe, or of one that is this program's own.
func inherited(read, write string) (in, out string, ok bool) {
	of := "/proc/self"
	parent := fmt.Sprintf("/proc/%d", os.Getppid())
	own := ""
	if mine, err := os.Stat("/proc/self/exe"); err == nil {
		if its, err := os.Stat(parent + "/exe"); err == nil && os.SameFile(mine, its) {
			own, _ = os.Readlink("/proc/self/fd/3") // by which the worker sees that the other lives
			of = parent
		}
	}
	in, out = of+"/fd/"+read, of+"/fd/"+write
	pipe, err := os.Readlink(in)
	same, werr := os.Readlink(out)
	return in, out, err == nil && werr == nil && pipe == same && pipe != own && strings.HasPrefix(pipe, "pipe:")
}

func (c *Caller) take() bool {
	var b [1]byte
	if n, _ := syscall.Read(c.read, b[:]); n != 1 {
		return false
	}
	c.held = append(c.held, b[0])
	return true
}

func (c *Caller) give() {
	last := len(c.held) - 1
	c.write.Write(c.held[last:])
	c.held = c.held[:last]
}

func (c *Caller) tell(need) {}

// others: who else takes slots of make is not known, so that what has no use is always given back.
func (c *Caller) others() (part int, most need) { return 1, more }

func (c *Caller) close() {
	for len(c.held) > 0 {
		c.give()
	}
	syscall.Close(c.read)
	c.write.Close()
}

// Slots is the number of jobs that a value of MAKEFLAGS tells of; 0 where it tells none.
func Slots(makeflags string) int {
	for _, word := range strings.Fields(makeflags) {
		if n, err := strconv.Atoi(strings.TrimPrefix(word, "-j")); strings.HasPrefix(word, "-j") && err == nil {
			return n
		}
	}
	return 0
}
