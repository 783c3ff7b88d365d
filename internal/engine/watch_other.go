//go:build !linux

package engine

import "syscall"

func childAttributes() *syscall.SysProcAttr { return nil }

func allowCore() (keep bool, why string) { return true, "core files are read on Linux alone" }

func foreground() bool { return true }
