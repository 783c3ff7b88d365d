package answer

import "syscall"

// diesWithParent makes the kernel end the child where this process is killed (prctl(2), PR_SET_PDEATHSIG).
func diesWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
