package execute

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"xbuild/internal/action"
	"xbuild/internal/disk"
)

// Steps that took much memory are not started side by side where the machine has not so much: links of large programs
// for eleven platforms are ready at the same time. Of a step that starts others (make, ninja, cargo) the largest of all
// its processes is known. One that is not known takes as much as that of its target for another platform.

// peaksOf is the file with what the steps of an action took, in bytes.
func peaksOf(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "memory") }

// stepOf is a step's name, the same for all platforms.
func stepOf(a *action.Action, s action.Step) string {
	if s.Output == "" {
		return s.Name
	}
	return s.Name + " " + disk.Relative(a.Build, s.Output)
}

func readPeaks(a *action.Action) map[string]int64 {
	peaks := map[string]int64{}
	if data, err := os.ReadFile(peaksOf(a)); err == nil {
		json.Unmarshal(data, &peaks) // what cannot be read is not known
	}
	return peaks
}

// recall reads what steps took the last time: for each the most of all platforms.
func (r *runner) recall(actions []*action.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range actions {
		for step, n := range readPeaks(a) {
			r.peaks[a.Target+"\x00"+step] = max(r.peaks[a.Target+"\x00"+step], n)
		}
	}
}

// peak is what a step may take; 0 where that is not known, or not much.
func (r *runner) peak(a *action.Action, s action.Step) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peaks[a.Target+"\x00"+stepOf(a, s)]
}

// measure notes what the processes of a step took at the most.
func (r *runner) measure(a *action.Action, s action.Step, state *os.ProcessState) {
	used, ok := state.SysUsage().(*syscall.Rusage)
	var own syscall.Rusage
	if !ok || syscall.Getrusage(syscall.RUSAGE_SELF, &own) != nil {
		return
	}
	n := int64(used.Maxrss) << 10
	// What this process has is counted for each that it starts, as they begin as one (vfork(2)).
	if used.Maxrss <= own.Maxrss+own.Maxrss/16 || !r.memory.Much(n) {
		n = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := a.Target + "\x00" + stepOf(a, s)
	if n > r.peaks[key] {
		r.peaks[key] = n // for its other platforms too
	}
	if r.measured[a] == nil {
		r.measured[a] = map[string]int64{}
	}
	r.measured[a][stepOf(a, s)] = n
}

// rememberPeaks notes for later builds what the steps of an action took that ran now. Where that cannot be written, it
// is not known then.
func (r *runner) rememberPeaks(a *action.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	peaks := readPeaks(a)
	for step, n := range r.measured[a] {
		if peaks[step] = n; n == 0 {
			delete(peaks, step)
		}
	}
	if len(peaks) == 0 {
		os.Remove(peaksOf(a))
		return
	}
	if data, err := json.Marshal(peaks); err == nil {
		os.WriteFile(peaksOf(a), data, 0o644)
	}
}
