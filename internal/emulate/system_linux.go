package emulate

import "syscall"

func mountBinfmt(source, dir string) error { return syscall.Mount(source, dir, "binfmt_misc", 0, "") }

func unmountBinfmt(dir string) error { return syscall.Unmount(dir, 0) }

// diesWithParent makes the kernel end the child where this process is killed (prctl(2), PR_SET_PDEATHSIG).
func diesWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
