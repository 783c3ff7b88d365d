package emulate

import "syscall"

func mountBinfmt(source, dir string) error { return syscall.Mount(source, dir, "binfmt_misc", 0, "") }

func unmountBinfmt(dir string) error { return syscall.Unmount(dir, 0) }
