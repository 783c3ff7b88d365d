package execute

import (
	"sync"

	"xbuild/internal/plan"
)

// A schedule hands out actions: those first that come first in the plan, each after all that it needs.
type schedule struct {
	mu      sync.Mutex
	changed sync.Cond
	actions []*plan.Action
	number  map[*plan.Action]int
	begun   []bool
	ended   []bool
}

func newSchedule(actions []*plan.Action) *schedule {
	s := &schedule{actions: actions, number: map[*plan.Action]int{}}
	s.begun, s.ended = make([]bool, len(actions)), make([]bool, len(actions))
	s.changed.L = &s.mu
	for i, a := range actions {
		s.number[a] = i
	}
	return s
}

// next waits for an action that can begin. ok is false where none is left.
func (s *schedule) next() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		left := false
		for i := range s.actions {
			if s.begun[i] {
				continue
			}
			if left = true; s.ready(i) {
				s.begun[i] = true
				return i, true
			}
		}
		if !left {
			return 0, false
		}
		s.changed.Wait()
	}
}

func (s *schedule) ready(i int) bool {
	for _, n := range s.actions[i].Needs {
		if j, planned := s.number[n.Action]; planned && !s.ended[j] {
			return false
		}
	}
	return true
}

func (s *schedule) end(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[i] = true
	s.changed.Broadcast()
}

// unmade is the need of an action that was not made; nil where all are. results are in the order of the actions.
func (s *schedule) unmade(a *plan.Action, results []Result) error {
	for _, n := range a.Needs {
		if j, planned := s.number[n.Action]; !planned || results[j].Err != nil {
			return &plan.NeedError{Target: n.Target, OCI: n.OCI}
		}
	}
	return nil
}
