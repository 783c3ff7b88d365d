package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"xbuild/internal/engine"
)

// watch runs a program and ends this process as the program ends, by the same exit code or the same signal. Where that
// is a crash, it explains it on stderr.
func watch(r engine.Running) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	defer signal.Stop(signals)
	end, err := r.Watch(signals)
	switch {
	case errors.As(err, new(*engine.StartError)):
		fmt.Fprintf(os.Stderr, "xbuild: %v\n", err)
		return exitError(126)
	case errors.As(err, new(*exec.Error)):
		fmt.Fprintf(os.Stderr, "xbuild: %v\n", err)
		return exitError(127) // as a shell says it
	case err != nil:
		return err
	case end.Signal == 0:
		return exited(end.Code, nil)
	}
	if end.Crash != "" {
		report(errors.New(end.Crash))
	}
	endBy(end.Signal)
	return exitError(128 + int(end.Signal)) // where a signal cannot end this process
}
