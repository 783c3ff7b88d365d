// Package guard ends every process below an xbuild together with it, however that ends.
//
// A command that builds runs as two processes: the one that the caller started, which waits, and a worker below it,
// which does the work. Both are what orphans fall to (prctl(2), PR_SET_CHILD_SUBREAPER), so each of them finds all that
// the build has started when the other is killed. Where both are killed at once, the next build finds what is left by
// an entry of its environment that no other build's processes have.
package guard

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// variable tells a worker that it is one.
const variable = "XBUILD_WORKER"

// EndBelow kills all processes below this one, and returns when none is left. What is started meanwhile is found too.
func EndBelow() { end(func(all map[int]process) []int { return below(all, os.Getpid()) }) }

// AskBelow asks all processes below this one to end. Those that have left the group of the command that started them
// hear of it by nobody else, and would go on for as long as that command is given.
func AskBelow() {
	for _, pid := range below(processes(), os.Getpid()) {
		syscall.Kill(pid, syscall.SIGTERM)
	}
}

// Busy tells whether a process below this one is alive, and says so too where nobody knows.
func Busy() bool {
	all := processes()
	return all == nil || slices.ContainsFunc(below(all, os.Getpid()), func(pid int) bool { return !all[pid].dead })
}

// EndMarked kills this user's processes that have an entry NAME=VALUE in the environment that they were started with,
// and all below them. They are those of an earlier run: this process must not have started any with it. It returns how
// many it found.
func EndMarked(entry string) int {
	found := map[int]bool{}
	end(func(all map[int]process) (out []int) {
		for pid := range all {
			if pid != os.Getpid() && marked(pid, entry) {
				out = append(out, pid)
				out = append(out, below(all, pid)...)
			}
		}
		for _, pid := range out {
			found[pid] = true
		}
		return out
	})
	return len(found)
}

// patience bounds how long one waits for the death of what has been killed: a process that hangs in the kernel has no
// way to write into anything.
const patience = 10 * time.Second

func end(which func(map[int]process) []int) {
	for start := time.Now(); time.Since(start) < patience; time.Sleep(time.Millisecond) {
		all := processes()
		pids := slices.DeleteFunc(which(all), func(pid int) bool { return all[pid].dead })
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A process is what /proc/PID/stat says.
type process struct {
	parent int
	dead   bool // a zombie, for which only its parent has to do something
}

// processes are all that /proc shows; none where there is no /proc.
func processes() map[int]process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := map[int]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// The name of the program stands in parentheses, and may have some itself (proc_pid_stat(5)).
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err == nil {
			all[pid] = process{parent: parent, dead: fields[0] == "Z" || fields[0] == "X"}
		}
	}
	return all
}

// below are the processes that a process has started, and those that these have.
func below(all map[int]process, top int) []int {
	children := map[int][]int{}
	for pid, p := range all {
		children[p.parent] = append(children[p.parent], pid)
	}
	out := slices.Clone(children[top])
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}

// marked tells whether a process was started with an entry in its environment. What is another user's cannot be read,
// and is none of ours.
func marked(pid int, entry string) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for e := range bytes.SplitSeq(data, []byte{0}) {
		if string(e) == entry {
			return true
		}
	}
	return false
}
