package execute

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/jobs"
)

// A recorded build is a project as it was built for linux/arm64 with one job at a time (2026-11-30; dav1d 1.0.0, fmt
// 9.1.0, json-c 0.16, Lua 5.4.4, LZ4 1.9.4, PCRE2 10.42, libpng 1.6.39, libuv 1.44.2, XZ Utils 5.4.1, as Debian 12 has
// them, on one core of a busy machine).
type recorded struct {
	Alone float64   `json:"alone"` // seconds of configuring and installing, one step after another
	Jobs  []float64 `json:"jobs"`  // seconds of each job of the build itself, which run side by side
}

// A simulated build is one action with what is left of it.
type simulated struct {
	action  int
	rest    []float64 // of its jobs
	running int       // jobs that go on
	slots   int       // that it has for itself, where it knows no jobserver
	links   bool      // its last job has the memory that it takes
	alone   bool      // it configures
}

// An event is the end of a job.
type event struct {
	at    float64
	build *simulated
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// simulate is how long a plan's actions take on so many cores: the schedule hands them out, each waits for a slot by its
// place in the schedule, and the jobs of all that build take what slots are free, none before another. Where there is a
// memory, the last job of each links what the others made, and takes so much of it.
func simulate(
	actions []*action.Action, of func(*action.Action) recorded, fixed func(*action.Action) bool, took func(*action.Action) float64, cores int, random *rand.Rand,
	memory *jobs.Memory, takes int64,
) (end float64, most int64) {
	s := newSchedule(actions, cores, took)
	free, now := cores, 0.0
	workers := min(cores, len(actions))
	var queue []*simulated // those that were begun and wait for a slot to configure, the first in the schedule first
	var building []*simulated
	var on events
	var used int64
	var linking []*simulated // those whose link waits for memory, the first in the schedule first
	last := func(b *simulated) bool { return memory != nil && len(b.rest) == 1 }
	for {
		for _, b := range building {
			if last(b) && b.running == 0 && !b.links && !slices.Contains(linking, b) {
				linking = append(linking, b)
				slices.SortStableFunc(linking, func(a, b *simulated) int { return cmp.Compare(s.left[b.action], s.left[a.action]) })
			}
		}
		for len(linking) > 0 && memory.Fits(used, takes) {
			linking[0].links = true
			linking = linking[1:]
			used += takes
			most = max(most, used)
		}
		for workers > 0 {
			i, _ := s.ready()
			if i < 0 {
				break
			}
			s.begun[i] = true
			workers--
			queue = append(queue, &simulated{action: i, rest: slices.Clone(of(actions[i]).Jobs), alone: true})
			slices.SortStableFunc(queue, func(a, b *simulated) int { return cmp.Compare(s.left[b.action], s.left[a.action]) })
		}
		for _, b := range building { // its own slots are no one else's
			for b.slots > b.running && len(b.rest) > 0 && (!last(b) || b.links) {
				b.running++
				heap.Push(&on, event{now + b.rest[0], b})
				b.rest = b.rest[1:]
			}
		}
		for free > 0 {
			// Who reads the pipe first is not known: the queue is one of those that do, and each build that has jobs.
			var who []*simulated
			for _, b := range building {
				if len(b.rest) > 0 && b.slots == 0 && (!last(b) || b.links) {
					who = append(who, b)
				}
			}
			n := len(who)
			if len(queue) > 0 {
				n++
			}
			if n == 0 {
				break
			}
			free--
			if k := random.IntN(n); k < len(who) {
				b := who[k]
				b.running++
				heap.Push(&on, event{now + b.rest[0], b})
				b.rest = b.rest[1:]
			} else {
				heap.Push(&on, event{now + of(actions[queue[0].action]).Alone, queue[0]})
				queue = queue[1:]
			}
		}
		if len(on) == 0 {
			return now, most
		}
		e := heap.Pop(&on).(event)
		now = e.at
		b := e.build
		switch {
		case b.alone && fixed(actions[b.action]): // it gets its share of what is free, and keeps it
			b.alone = false
			building = append(building, b)
			busy := 0.0
			for i := range actions {
				if s.begun[i] && !s.ended[i] {
					busy += s.left[i]
				}
			}
			b.slots = min(shareOf(cores, s.left[b.action], busy), free+1)
			free -= b.slots - 1
		case b.alone:
			b.alone = false
			building = append(building, b)
			free++
		case b.slots > 0:
			b.running--
		default:
			b.running--
			free++
		}
		if b.running == 0 && len(b.rest) == 0 {
			free += b.slots
			if b.links {
				used -= takes
			}
			s.ended[b.action] = true
			workers++
			building = slices.DeleteFunc(building, func(o *simulated) bool { return o == b })
		}
	}
}

// TestSimulation: ten targets for eleven platforms, of recorded times, take at most 1.1 times what they have to on 8, 32
// and 128 cores: the longest chain, or all work on all cores. The first build, which knows no times, is looked at too.
func TestSimulation(t *testing.T) {
	data, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var builds map[string]recorded
	if err := json.Unmarshal(data, &builds); err != nil {
		t.Fatal(err)
	}
	if len(builds) != 9 {
		t.Fatalf("%d builds were recorded", len(builds))
	}
	var actions []*action.Action
	made := map[string]*action.Action{}
	add := func(target, of string, platform int, needs ...string) {
		a := &action.Action{Target: target, Recipe: of, OCI: fmt.Sprint(platform)}
		for _, n := range needs {
			a.Needs = append(a.Needs, action.Need{Target: n, Action: made[n+" "+a.OCI]})
		}
		made[target+" "+a.OCI] = a
		actions = append(actions, a)
	}
	for _, target := range []string{"dav1d", "fmt", "jsonc", "lua", "lz4", "pcre2", "png", "uv", "xz"} {
		for platform := range 11 {
			add(target, target, platform)
		}
	}
	for platform := range 11 {
		add("tool", "fmt", platform, "lz4", "xz") // a tenth, which needs two others
	}
	of := func(a *action.Action) recorded { return builds[a.Recipe] }
	ninja := func(a *action.Action) bool { return slices.Contains([]string{"dav1d", "fmt", "jsonc", "uv"}, a.Recipe) }
	seconds := func(a *action.Action) float64 { // on one core
		r := of(a)
		sum := r.Alone
		for _, j := range r.Jobs {
			sum += j
		}
		return sum
	}
	for _, cores := range []int{8, 32, 128} {
		work, path := 0.0, map[*action.Action]float64{}
		longest := 0.0
		for _, a := range actions {
			work += seconds(a)
			before := 0.0
			for _, n := range a.Needs {
				before = max(before, path[n.Action])
			}
			path[a] = before + of(a).Alone + slices.Max(of(a).Jobs)
			longest = max(longest, path[a])
		}
		least := max(longest, work/float64(cores))
		none := func(*action.Action) float64 { return 0 }
		for _, c := range []struct {
			name  string
			took  func(*action.Action) float64
			fixed func(*action.Action) bool
			most  float64
		}{
			{"times of the last build", seconds, func(*action.Action) bool { return false }, 1.1},
			{"no times", none, func(*action.Action) bool { return false }, 1.2},
			{"a ninja without a jobserver", seconds, ninja, 1.1},
			{"the same, no times", none, ninja, 1.4},
		} {
			worst := 0.0
			for seed := range uint64(20) {
				took, _ := simulate(actions, of, c.fixed, c.took, cores, rand.New(rand.NewPCG(seed, 1)), nil, 0)
				worst = max(worst, took/least)
			}
			t.Logf("%3d cores, %s: %.3f of %.0f s", cores, c.name, worst, least)
			if worst > c.most {
				t.Errorf("%d cores, %s: %.3f times the least, want %.1f at most", cores, c.name, worst, c.most)
			}
			if worst < 1 {
				t.Errorf("%d cores: %.3f times the least: that cannot be", cores, worst)
			}
		}
		// Links of 5 s and 3 GB, where there are 2 GB a core, and where there is room for one alone.
		large := func(a *action.Action) recorded {
			r := of(a)
			return recorded{r.Alone, append(slices.Clone(r.Jobs[:len(r.Jobs)-1]), 5)}
		}
		for _, memory := range []int64{2 * int64(cores), 4} {
			work, longest, path := 0.0, 0.0, map[*action.Action]float64{}
			for _, a := range actions {
				r := large(a)
				before := 0.0
				for _, n := range a.Needs {
					before = max(before, path[n.Action])
				}
				path[a] = before + r.Alone + slices.Max(append(r.Jobs[:len(r.Jobs)-1], 0)) + 5
				longest = max(longest, path[a])
				work += r.Alone + 5
				for _, j := range r.Jobs[:len(r.Jobs)-1] {
					work += j
				}
			}
			least := max(longest, work/float64(cores), 5*float64(len(actions))/float64(memory/3))
			worst := 0.0
			for seed := range uint64(5) {
				took, most := simulate(actions, large, func(*action.Action) bool { return false }, seconds, cores, rand.New(rand.NewPCG(seed, 1)), jobs.NewMemory(memory), 3)
				worst = max(worst, took/least)
				if most > memory {
					t.Errorf("%d cores: links take %d GB, and there are %d", cores, most, memory)
				}
			}
			t.Logf("%3d cores, links of 3 GB, %d GB: %.3f of %.0f s", cores, memory, worst, least)
			bound := 1.1
			if memory < 6 {
				bound = 1.3 // the first links are ready late, and the cores wait for the last
			}
			if worst > bound {
				t.Errorf("%d cores, %d GB: %.3f times the least, want %.1f at most", cores, memory, worst, bound)
			}
			if worst < 1 {
				t.Errorf("%d cores, %d GB: %.3f times the least: that cannot be", cores, memory, worst)
			}
		}
	}
}
