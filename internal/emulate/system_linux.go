package emulate

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func mountBinfmt(source, dir string) error { return syscall.Mount(source, dir, "binfmt_misc", 0, "") }

func unmountBinfmt(dir string) error { return syscall.Unmount(dir, 0) }

// diesWithParent makes the kernel end the child where this process is killed (prctl(2), PR_SET_PDEATHSIG).
func diesWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// enlarge lets a pipe hold a megabyte, as far as the system allows (fcntl(2), F_SETPIPE_SZ); it works with less.
func enlarge(pipe *os.File) {
	if c, err := pipe.SyscallConn(); err == nil { // Fd would take the deadline away
		_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}
