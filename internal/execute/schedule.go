package execute

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"xbuild/internal/action"
)

// A schedule hands out actions, each after all that it needs: those first behind which most is left to do, by the times
// that they took before; of the same those that come first in the plan.
type schedule struct {
	mu      sync.Mutex
	changed sync.Cond
	actions []*action.Action
	number  map[*action.Action]int
	left    []float64 // seconds from an action's beginning to the end of the last that needs it, if nothing waits
	begun   []bool
	ended   []bool
	takes   []bool // whether an action can begin with what another platform's compiled for the host
	slots   int
}

// newSchedule is a schedule of a plan's actions, each of which stands behind what it needs. took is how many seconds an
// action took the last time, 0 where that is not known.
func newSchedule(actions []*action.Action, slots int, took func(*action.Action) float64) *schedule {
	s := &schedule{actions: actions, number: map[*action.Action]int{}, slots: slots, takes: make([]bool, len(actions))}
	s.begun, s.ended = make([]bool, len(actions)), make([]bool, len(actions))
	s.changed.L = &s.mu
	for i, a := range actions {
		s.number[a] = i
		_, err := os.Lstat(a.HostPart)
		s.takes[i] = a.HostPart != "" && errors.Is(err, fs.ErrNotExist)
	}
	s.left = guessed(actions, took)
	behind := make([]float64, len(actions))
	for i := len(actions) - 1; i >= 0; i-- { // those that need it have been counted
		s.left[i] += behind[i]
		for _, n := range actions[i].Needs {
			if j, planned := s.number[n.Action]; planned {
				behind[j] = max(behind[j], s.left[i])
			}
		}
	}
	return s
}

// guessed are the seconds that actions take. One that is not known takes as long as its target for other platforms, or
// as any other.
func guessed(actions []*action.Action, took func(*action.Action) float64) []float64 {
	type mean struct{ sum, n float64 }
	out, all, targets := make([]float64, len(actions)), mean{}, map[string]mean{}
	for i, a := range actions {
		if out[i] = took(a); out[i] > 0 {
			m := targets[a.Target]
			targets[a.Target] = mean{m.sum + out[i], m.n + 1}
			all = mean{all.sum + out[i], all.n + 1}
		}
	}
	for i, a := range actions {
		if out[i] > 0 {
			continue
		}
		switch m := targets[a.Target]; {
		case m.n > 0:
			out[i] = m.sum / m.n
		case all.n > 0:
			out[i] = all.sum / all.n
		default:
			out[i] = 1
		}
	}
	return out
}

// took is the file with the seconds that an action took when it was last built from nothing or in part.
func took(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "took") }

func remembered(a *action.Action) float64 {
	data, err := os.ReadFile(took(a))
	if err != nil {
		return 0
	}
	seconds, _ := strconv.ParseFloat(strings.TrimSpace(string(data)), 64) // what cannot be read is not known
	return seconds
}

// remember notes how long an action took. Where that cannot be written, it is not known the next time.
func remember(a *action.Action, d time.Duration) {
	os.WriteFile(took(a), []byte(strconv.FormatFloat(d.Seconds(), 'f', 3, 64)), 0o644)
}

// first is how early each action gets a slot.
func (s *schedule) first() map[*action.Action]float64 {
	out := map[*action.Action]float64{}
	for i, a := range s.actions {
		out[a] = s.left[i]
	}
	return out
}

// next waits for an action that can begin. ok is false where none is left.
func (s *schedule) next() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		i, left := s.ready()
		if i >= 0 {
			s.begun[i] = true
			return i, true
		}
		if !left {
			return 0, false
		}
		s.changed.Wait()
	}
}

// ready is the action that can begin and comes first, -1 where none can; left tells whether there are others.
func (s *schedule) ready() (first int, left bool) {
	first = -1
	for i := range s.actions {
		if s.begun[i] {
			continue
		}
		left = true
		if s.can(i) && (first < 0 || s.left[i] > s.left[first]) {
			first = i
		}
	}
	return first, left
}

func (s *schedule) can(i int) bool {
	for _, n := range s.actions[i].Needs {
		if j, planned := s.number[n.Action]; planned && !s.ended[j] {
			return false
		}
	}
	return !s.takes[i] || !s.compilesForHost(s.actions[i])
}

// atOnce are the slots for each of the platforms that compile the same for the host side by side. They do so where
// slots would be idle otherwise: one cargo keeps few busy as long as all waits for what proc macros stand on.
const atOnce = 4

// compilesForHost tells whether an action's target is being built for others, none of which is built yet, that compile
// for the host what the action can take from them then (hostpart.go). Beside them it would compile all of it once more.
func (s *schedule) compilesForHost(a *action.Action) bool {
	working := 0
	for j, b := range s.actions {
		if b == a || !s.begun[j] || b.Target != a.Target || !sameHostPart(a, b) {
			continue
		}
		if s.ended[j] {
			return false
		}
		working++
	}
	return working >= max(1, s.slots/atOnce)
}

func (s *schedule) end(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[i] = true
	s.changed.Broadcast()
}

// unmade is the need of an action that was not made; nil where all are. results are in the order of the actions.
func (s *schedule) unmade(a *action.Action, results []Result) error {
	for _, n := range a.Needs {
		if j, planned := s.number[n.Action]; !planned || results[j].Err != nil {
			return &action.NeedError{Target: n.Target, OCI: n.OCI}
		}
	}
	return nil
}

// shareOf is how many of so many slots a command gets for itself that knows no jobserver: as many as its action has of
// what is left to do of all that go on, and one at least.
func shareOf(slots int, left, ofAll float64) int {
	if ofAll <= left {
		return slots
	}
	return max(1, int(math.Ceil(float64(slots)*left/ofAll)))
}
