package guard

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lifeline is the descriptor whose other end the waiting process holds: it is at its end when that is gone.
const lifeline = 3

// self is this program, also where its file was replaced meanwhile.
const self = "/proc/self/exe"

// Worker makes this process a worker where it was started as one, and is nil where it was not. The channel is closed
// when the process that waits is gone. It is called once, before anything reads the environment.
func Worker() (alone <-chan struct{}) {
	is := os.Getenv(variable) != ""
	os.Unsetenv(variable)
	var st unix.Stat_t
	if !is || unix.Fstat(lifeline, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil // somebody's own variable makes no worker
	}
	unix.CloseOnExec(lifeline)
	if unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != nil {
		return nil
	}
	// It is none of the terminal's foreground group, and still writes there (stty(1), tostop).
	signal.Ignore(syscall.SIGTTOU)
	gone := make(chan struct{})
	go func() {
		var one [1]byte
		for {
			if n, err := unix.Read(lifeline, one[:]); n == 0 || err != nil && err != unix.EINTR {
				close(gone)
				return
			}
		}
	}()
	go reap()
	return gone
}

// reap takes leave of orphans that fell to this process and have ended. Its own children have somebody who waits for
// them: what is dead for longer is none of those.
func reap() {
	was := map[int]bool{}
	for range time.Tick(5 * time.Second) {
		is := map[int]bool{}
		for pid, p := range processes() {
			if p.parent != os.Getpid() || !p.dead {
				continue
			}
			if was[pid] {
				syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
			is[pid] = true
		}
		was = is
	}
}

// Work starts a worker with this process's arguments, hands it the signals that come, and returns its exit code, or 128
// and the number of the signal that ended it. When it returns, nothing that the worker started is left. ok is false
// where there can be no worker: then this process has to do the work itself.
func Work() (code int, ok bool) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, false
	}
	defer write.Close()
	if unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != nil {
		read.Close()
		return 0, false
	}
	signals := make(chan os.Signal, 16)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGTSTP, syscall.SIGCONT} {
		if !signal.Ignored(s) { // nohup(1)
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	// A process group of its own: who kills this one by its group leaves the worker to end what it has started.
	worker, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), variable+"=1"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, read},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	read.Close()
	if err != nil {
		return 0, false
	}
	ended := make(chan syscall.WaitStatus, 1)
	go func() {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, 0, nil)
			switch {
			case errors.Is(err, syscall.EINTR):
			case err != nil: // no child is left
				return
			case pid == worker.Pid:
				ended <- status
			}
		}
	}()
	for {
		select {
		case s := <-signals:
			worker.Signal(s)
			if s == syscall.SIGTSTP {
				syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			}
		case status := <-ended:
			EndBelow()
			if status.Signaled() {
				return 128 + int(status.Signal()), true
			}
			return status.ExitStatus(), true
		}
	}
}
