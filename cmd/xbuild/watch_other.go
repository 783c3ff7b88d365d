//go:build !linux

package main

import (
	"os"
	"os/signal"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr { return nil }

func allowCore() (keep bool, why string) { return true, "core files are read on Linux alone" }

func foreground() bool { return true }

func endBy(s syscall.Signal) {
	signal.Reset(s)
	syscall.Kill(os.Getpid(), s)
}
