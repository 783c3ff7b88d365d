package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"xbuild/internal/crash"
	"xbuild/internal/lazyregexp"
)

// coreLimit bounds the core files that are only written to be explained.
const coreLimit = 1 << 30

// An Ended is how a program ended.
type Ended struct {
	Code   int            // its exit code
	Signal syscall.Signal // that ended it; 0 where none did
	Crash  string         // why, where the signal is that of a crash
}

// A StartError says that the system did not start a program that is there.
type StartError struct {
	Program string
	Err     error
}

func (e *StartError) Error() string { return fmt.Sprintf("%s: %v", e.Program, e.Err) }

// Unwrap returns the system's error.
func (e *StartError) Unwrap() error { return e.Err }

// Watch runs the program with this process's standard streams and hands on the signals that come meanwhile. Where it
// crashes, that is explained: the program leaves a core file for that, which is deleted again unless the caller's own
// limit (ulimit -c) asks for core files. The error is an exec.Error where there is no such program, and a StartError
// where there is.
func (r Running) Watch(signals <-chan os.Signal) (Ended, error) {
	program, err := exec.LookPath(r.Args[0])
	if err != nil {
		return Ended{}, err
	}
	keep, refused := allowCore()
	cmd := exec.Command(program, r.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = childAttributes()
	runtime.LockOSThread() // the parent-death signal comes when the thread that started the child ends
	defer runtime.UnlockOSThread()
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Ended{}, &StartError{program, err}
	}
	ended := make(chan struct{})
	go handOn(signals, cmd.Process, ended)
	err = cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return Ended{}, err
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return Ended{Code: exit.ExitCode()}, nil
	}
	out := Ended{Signal: status.Signal()}
	if crash.Is(out.Signal) {
		out.Crash = explained(r.Subject, out.Signal, cmd.Process.Pid, start, refused)
	}
	if !keep {
		removeCores(cmd.Process.Pid, start)
	}
	return out, nil
}

// handOn hands signals on to a process until it has ended. What the terminal sends goes to the whole foreground group,
// the process included.
func handOn(signals <-chan os.Signal, to *os.Process, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGINT && s != syscall.SIGQUIT || !foreground() {
				to.Signal(s)
			}
		case <-ended:
			return
		}
	}
}

// explained says why a process crashed. refused is why it could leave no core file.
func explained(subject crash.Subject, signal syscall.Signal, pid int, start time.Time, refused string) string {
	subject.Signal, subject.NoCore = signal, refused
	if refused == "" {
		subject.Core, subject.NoCore = findCore(pid, start)
	}
	return crash.Explain(subject).String()
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
			info, err := os.Stat(f)
			if err == nil && info.Mode().IsRegular() && !info.ModTime().Before(start.Add(-time.Second)) {
				out = append(out, f)
			}
		}
	}
	return out
}

var percent = lazyregexp.New(`%.`)

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
		return "", fmt.Sprintf("the kernel hands core files to another program (/proc/sys/kernel/core_pattern is %q); "+
			"under QEMU, with --emulate, the crash can be explained", p)
	}
	return "", "it left no core file: its working directory cannot be written, it changed to another, " +
		"or it is larger than 1 GiB"
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
