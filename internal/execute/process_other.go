//go:build !linux

package execute

import "syscall"

// diesWithParent does nothing: only Linux has a parent-death signal.
func diesWithParent(*syscall.SysProcAttr) {}
