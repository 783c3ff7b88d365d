package engine

import (
	"os"
	"syscall"

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
