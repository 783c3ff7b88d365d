package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"xbuild/internal/crash"
)

// coreLimit bounds the core files that are only written to be explained.
const coreLimit = 1 << 30

// watch runs a program and ends this process as the program ends, by the same exit code or the same signal. Where that
// is a crash, it explains it on stderr: the program leaves a core file for that, which is deleted again unless the
// caller's own limit (ulimit -c) asks for core files.
func watch(argv []string, subject crash.Subject) error {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		fmt.Fprintf(os.Stderr, "xbuild: %v\n", err)
		return exitError(127) // as a shell says it
	}
	keep, allowed := allowCore()
	cmd := exec.Command(program, argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = childAttributes()
	// What the terminal sends goes to the whole foreground group, the program included; all else is handed on.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	defer signal.Stop(signals)
	runtime.LockOSThread() // the parent-death signal comes when the thread that started the child ends
	defer runtime.UnlockOSThread()
	start := time.Now()
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "xbuild: %s: %v\n", program, err)
		return exitError(126)
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGINT && s != syscall.SIGQUIT || !foreground() {
					cmd.Process.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return err
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return exitError(exit.ExitCode())
	}
	if crash.Is(status.Signal()) {
		subject.Signal = status.Signal()
		if allowed == "" {
			subject.Core, subject.NoCore = findCore(cmd.Process.Pid, start)
		} else {
			subject.NoCore = allowed
		}
		report(errors.New(crash.Explain(subject).String()))
	}
	if !keep {
		removeCores(cmd.Process.Pid, start)
	}
	endBy(status.Signal())
	return exitError(128 + int(status.Signal())) // where a signal cannot end this process
}

// cores are the core files in the working directory that were written since a time: QEMU's own of what it emulates
// (linux-user/elfload.c), and the kernel's, by the name that core_pattern gives (core(5)).
func cores(start time.Time) []string {
	patterns := []string{"qemu_*.core"}
	if p := corePattern(); p != "" && !strings.HasPrefix(p, "|") {
		patterns = append(patterns, percent.ReplaceAllString(p, "*")+"*")
	}
	var out []string
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			continue // core_pattern is no pattern of ours
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && !info.ModTime().Before(start.Add(-time.Second)) {
				out = append(out, f)
			}
		}
	}
	return out
}

var percent = regexp.MustCompile(`%.`)

func corePattern() string {
	data, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// findCore finds the core file of a process that ended, or says why there is none.
func findCore(pid int, start time.Time) (file, why string) {
	for _, f := range cores(start) {
		if id, _, err := crash.Owner(f); err == nil && id == pid {
			return f, ""
		}
	}
	if p := corePattern(); strings.HasPrefix(p, "|") {
		return "", fmt.Sprintf("the kernel hands core files to another program (/proc/sys/kernel/core_pattern is %q); under QEMU, with --emulate, the crash can be explained", p)
	}
	return "", "it left no core file: its working directory cannot be written, it changed to another, or it is larger than 1 GiB"
}

// removeCores removes the core files of a process, and of those that it started itself: tests of how a program dies
// start many.
func removeCores(pid int, start time.Time) {
	for _, f := range cores(start) {
		if id, parent, err := crash.Owner(f); err == nil && (id == pid || parent == pid) {
			os.Remove(f)
		}
	}
}
