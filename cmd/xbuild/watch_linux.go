package main

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childAttributes make the kernel end the child where this process is killed (prctl(2), PR_SET_PDEATHSIG).
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// allowCore lets this process's children write core files. keep is true where the caller allows them anyhow; why says
// why they cannot be allowed.
func allowCore() (keep bool, why string) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return false, "getrlimit: " + err.Error()
	}
	if limit.Cur > 0 {
		return true, ""
	}
	if limit.Max == 0 {
		return false, "core files are not allowed here (ulimit -H -c is 0)"
	}
	limit.Cur = min(limit.Max, coreLimit)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return false, "setrlimit: " + err.Error()
	}
	return false, ""
}

// foreground reports whether this process is of the terminal's foreground group, which the terminal sends its signals
// to.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// endBy ends this process by a signal, without a core file and without the words that Go's runtime has for some: the
// kernel's default action, not Go's handler.
func endBy(s syscall.Signal) {
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	var action [4]uint64 // struct kernel_sigaction: SIG_DFL, no flags, no restorer, no mask
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	syscall.Kill(os.Getpid(), s)
}
