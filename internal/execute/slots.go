package execute

import (
	"errors"
	"fmt"
	"runtime"

	"xbuild/internal/jobs"
)

// Slots say with whom a build shares its job slots. The zero value is with nobody.
type Slots struct {
	// Runtime are directories of this machine below which all builds of this user have theirs: the first that will do.
	Runtime   []string
	MakeFlags string // the caller's, by which a make that started this process tells of its own
	Inside    bool   // a command of another build started this process, and has a slot for it
}

// pool is where a build's jobs take their slots: at most so many at once, 0 for as many as cores let run. The pipe lies
// in dir. The note says why other builds do not share them, where they should.
func (s Slots) pool(dir string, most int) (p *jobs.Pool, note string) {
	cores := runtime.GOMAXPROCS(0) // as many as the limits of a container let run at once
	if c := jobs.CallerOf(s.MakeFlags); c != nil {
		if most <= 0 {
			most = max(cores, jobs.Slots(s.MakeFlags))
		}
		return jobs.Below(dir, most, c), ""
	}
	if most <= 0 {
		most = cores
	}
	if len(s.Runtime) == 0 {
		return jobs.New(dir, most), ""
	}
	var faults error
	for _, runtime := range s.Runtime {
		m, err := jobs.NewMachine(runtime, cores)
		if err == nil {
			return jobs.Share(dir, most, m, s.Inside), ""
		}
		faults = errors.Join(faults, err)
	}
	return jobs.New(dir, most), fmt.Sprintf("job slots are not shared with other builds on this machine: %v", faults)
}
