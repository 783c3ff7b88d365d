//go:build amd64 || arm64

package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported tries it with a program that is everywhere.
func supported() error {
	file, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	r := &Record{Ignore: func(path string) bool {
		return path != os.DevNull
	}, Reader: func([]string, string) string { return "" }}
	if err := r.Run(exec.Command(file, "-c", ": <"+os.DevNull), ""); err != nil {
		return err
	}
	if len(r.Files()) == 0 {
		return errors.New("the kernel shows none of the files that a program opens")
	}
	return nil
}

func run(cmd *exec.Cmd, r *Record, name string) error {
	started, waited := make(chan error), make(chan struct{})
	watched := make(chan struct{})
	go func() {
		// The thread has the filter for ever, so it ends with this goroutine (runtime.LockOSThread). It stays until the
		// command has ended: its end is what the kernel takes for the parent's death (prctl(2), PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		listener, err := install()
		if err != nil {
			close(watched)
			started <- fmt.Errorf("seccomp: %w", err)
			return
		}
		w := &watch{record: r, name: name, listener: listener, self: uint32(os.Getpid())}
		go func() {
			defer close(watched)
			defer unix.Close(listener)
			w.readers, w.known, w.parents = map[string]string{}, map[int]map[uint64]string{}, map[int]int{}
			// On one processor, where the caller waits anyway (Linux 6.6).
			unix.IoctlSetInt(listener, unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
			w.serve()
		}()
		err = cmd.Start()
		started <- err
		if err == nil {
			<-waited
		}
		w.ended.Store(true)
		unix.Faccessat(unix.AT_FDCWD, "", 0, 0) // it is asked for, and names nothing: w sees that it is to end
	}()
	err := <-started
	if err == nil {
		err = cmd.Wait()
		close(waited)
	}
	<-watched
	return err
}

// A watch answers what a command's filter asks.
type watch struct {
	record   *Record
	name     string // of all readers, where there is one
	listener int
	self     uint32
	ended    atomic.Bool               // the command has
	readers  map[string]string         // by arguments
	known    map[int]map[uint64]string // readers, by process and by where they call from
	parents  map[int]int               // of processes that started others
	buf      [4096]byte
	args     [64 << 10]byte
}

// preload is the first file that the GNU C library's loader looks for (ld.so(8)).
const preload = "/etc/ld.so.preload"

// notif is struct seccomp_notif, response struct seccomp_notif_resp of linux/seccomp.h.
type notif struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    uint32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// serve answers until the command has ended and nothing asks.
func (w *watch) serve() {
	for {
		var n notif
		fd := uintptr(w.listener)
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e == 0 {
			if n.pid != w.self {
				w.call(&n)
			}
			// The kernel goes on with the call (seccomp_unotify(2), SECCOMP_USER_NOTIF_FLAG_CONTINUE): nothing is decided
			// here.
			resp := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
			unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&resp)))
		} // else the one that asked was killed
		if w.ended.Load() {
			fds := []unix.PollFd{{Fd: int32(w.listener), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds, 0); err != unix.EINTR && (n == 0 || fds[0].Revents&unix.POLLIN == 0) {
				return
			}
		}
	}
}

// program is the reader that a process is, by the place in its code that the call comes from. Another program in the
// same process has its code elsewhere: where it lies is chosen at random. The loader of the GNU C library, which begins
// each dynamic program, tells where that is turned off. The program's file is read too.
func (w *watch) program(pid int, ip uint64) string {
	if reader, ok := w.known[pid][ip]; ok {
		return reader
	}
	if len(w.known) > 2000 { // before numbers of processes come again
		clear(w.known)
		clear(w.parents)
	}
	reader := w.ask(pid)
	if w.known[pid] == nil {
		w.known[pid] = map[uint64]string{}
	}
	w.known[pid][ip] = reader
	return reader
}

func (w *watch) ask(pid int) string {
	args := string(readFile(fmt.Sprintf("/proc/%d/cmdline", pid), w.args[:]))
	asker, dir := w.asker(pid), readLink(fmt.Sprintf("/proc/%d/cwd", pid))
	key := asker + "\x00" + dir + "\x00" + args
	if reader, ok := w.readers[key]; ok {
		return reader
	}
	reader := w.name
	if reader == "" {
		reader = w.record.Reader(strings.Split(strings.TrimSuffix(args, "\x00"), "\x00"), dir)
		if asker == "" {
			w.record.started(reader)
		} else {
			reader = Answers(reader, asker)
		}
	}
	w.readers[key] = reader
	if file := readLink(fmt.Sprintf("/proc/%d/exe", pid)); file != "" && !w.record.Ignore(file) {
		w.record.use(file, reader, true, false)
	}
	return reader
}

// asker is the forgetful program, one of those that a process was started by, which reads what it says, or "".
func (w *watch) asker(pid int) string {
	if len(w.record.Forgetful) == 0 || w.name != "" {
		return ""
	}
	for pid != int(w.self) {
		parent, ok := w.parents[pid]
		if !ok {
			parent = w.parentOf(pid)
			w.parents[pid] = parent
		}
		if parent <= 1 {
			return ""
		}
		name := filepath.Base(readLink(fmt.Sprintf("/proc/%d/exe", parent)))
		if slices.Contains(w.record.Forgetful, name) {
			// What runs a rule's commands writes where the program itself does, or to where they say.
			out := readLink(fmt.Sprintf("/proc/%d/fd/1", pid))
			if strings.HasPrefix(out, "pipe:") && out != readLink(fmt.Sprintf("/proc/%d/fd/1", parent)) {
				return name
			}
		}
		pid = parent
	}
	return ""
}

// parentOf is 0 where there is no such process any more.
func (w *watch) parentOf(pid int) int {
	stat := readFile(fmt.Sprintf("/proc/%d/stat", pid), w.buf[:])
	// Its name may hold anything (proc_pid_stat(5)). The state and the parent come behind it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(string(fields[1]))
	return parent
}

// call records one system call, before the kernel does it.
func (w *watch) call(n *notif) {
	calls := native.calls
	if n.arch == narrow.audit {
		calls = narrow.calls
	}
	c, ok := calls[n.nr]
	if !ok {
		return
	}
	pid := int(n.pid)
	if c.kind == list {
		if path := readLink(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(n.args[c.dir]))); path != "" && path[0] == '/' {
			w.used(n, path, true, true)
		}
		return
	}
	path := w.path(pid, c.dir, c.path, n)
	if path == "" {
		return
	}
	flags := uint64(0)
	if c.flags >= 0 {
		flags = n.args[c.flags]
	}
	switch c.kind {
	case look:
		w.used(n, path, false, false)
	case open2:
		var how [8]byte
		if readMemory(pid, uintptr(flags), how[:]) < len(how) {
			return
		}
		w.opened(n, path, binary.LittleEndian.Uint64(how[:]))
	case open:
		w.opened(n, path, flags)
	case rename, link:
		dir := -1
		if c.dir >= 0 {
			dir = 2 // renameat(2), linkat(2)
		}
		if other := w.path(pid, dir, c.also, n); other != "" {
			w.wrote(n, other)
		}
		w.used(n, path, true, false)
		if c.kind == rename {
			w.wrote(n, path)
		}
	case write:
		w.wrote(n, path)
	}
}

func (w *watch) wrote(n *notif, path string) {
	if !w.record.Ignore(path) {
		w.record.wrote(path, w.program(int(n.pid), n.ip))
	}
}

func (w *watch) opened(n *notif, path string, flags uint64) {
	switch {
	case flags&unix.O_ACCMODE == unix.O_RDONLY && flags&(unix.O_CREAT|unix.O_TRUNC) == 0:
		w.used(n, path, true, false)
		return
	case flags&unix.O_ACCMODE == unix.O_RDWR && flags&unix.O_TRUNC == 0:
		w.used(n, path, true, false)
	}
	w.wrote(n, path)
}

func (w *watch) used(n *notif, path string, opened, list bool) {
	switch {
	case path == preload:
		// A program has begun, and may read nothing else.
		delete(w.known, int(n.pid))
		delete(w.parents, int(n.pid))
		w.program(int(n.pid), n.ip)
	case !w.record.Ignore(path):
		w.record.use(path, w.program(int(n.pid), n.ip), opened, list)
	}
}

// path is the absolute path that a call names, or "" where it names none.
func (w *watch) path(pid, dir, arg int, n *notif) string {
	size := readString(pid, uintptr(n.args[arg]), w.buf[:])
	if size <= 0 {
		if size < 0 {
			w.record.lost()
		}
		return ""
	}
	name := string(w.buf[:size])
	if name[0] != '/' {
		from := fmt.Sprintf("/proc/%d/cwd", pid)
		if dir >= 0 && int32(n.args[dir]) != unix.AT_FDCWD {
			from = fmt.Sprintf("/proc/%d/fd/%d", pid, int32(n.args[dir]))
		}
		base := readLink(from)
		if base == "" || base[0] != '/' {
			return ""
		}
		// What goes up first goes up from a directory that is no link.
		for {
			rest, ok := strings.CutPrefix(name, "../")
			if !ok {
				break
			}
			base, name = filepath.Dir(base), rest
		}
		name = base + "/" + name
	}
	if self, ok := strings.CutPrefix(name, "/proc/self/"); ok {
		return "/proc/" + strconv.Itoa(pid) + "/" + self
	}
	if strings.Contains(name, "/..") {
		return name // Record.Files says why
	}
	return filepath.Clean(name)
}

// readString reads a string of another process up to its NUL. It is -1 where that cannot be read, and 0 where there is
// none, which the call itself will find out.
func readString(pid int, addr uintptr, buf []byte) int {
	for n := 0; n < len(buf); {
		// Not across a page, whose neighbour may not be there.
		chunk := buf[n:min(len(buf), n+4096-int((addr+uintptr(n))%4096))]
		got := readMemory(pid, addr+uintptr(n), chunk)
		if got <= 0 {
			return got
		}
		if i := bytes.IndexByte(chunk[:got], 0); i >= 0 {
			return n + i
		}
		n += got
	}
	return 0
}

// readMemory is the number of bytes read: 0 where there is no such memory (EFAULT), or no such process any more, and -1
// where reading it is not allowed.
func readMemory(pid int, addr uintptr, buf []byte) int {
	if addr == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: addr, Len: len(buf)}}, 0)
	switch err {
	case nil:
		return n
	case unix.EFAULT, unix.ESRCH:
		return 0
	}
	return -1
}

// readFile is the beginning of a file, as much as there is room for; what cannot be read is empty. It asks the kernel
// for no more than that: os.ReadFile makes three times as many calls, for each process that a build starts.
func readFile(path string, buf []byte) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	n := 0
	for n < len(buf) {
		got, err := unix.Read(fd, buf[n:])
		if got <= 0 || err != nil {
			break
		}
		n += got
	}
	return buf[:n]
}

func readLink(path string) string {
	var buf [4096]byte
	n, err := unix.Readlink(path, buf[:])
	if err != nil || n <= 0 {
		return ""
	}
	return string(buf[:n])
}
