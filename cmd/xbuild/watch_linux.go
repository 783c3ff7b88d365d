package main

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endBy ends this process by a signal, without a core file and without the words that Go's runtime has for some: the
// kernel's default action, not Go's handler.
func endBy(s syscall.Signal) {
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	var action [4]uint64 // struct kernel_sigaction: SIG_DFL, no flags, no restorer, no mask
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	syscall.Kill(os.Getpid(), s)
}
