//go:build !linux

package emulate

import (
	"os"
	"syscall"
)

// Other systems have no binfmt_misc.
func mountBinfmt(string, string) error { return syscall.ENODEV }

func unmountBinfmt(string) error { return syscall.ENODEV }

// Only Linux has a parent-death signal.
func diesWithParent(*syscall.SysProcAttr) {}

func enlarge(*os.File) {}
