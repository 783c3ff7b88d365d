package jobs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A Memory is what steps have together that are known to take much. Its methods may be called from many goroutines.
type Memory struct {
	total int64

	mu      sync.Mutex
	used    int64
	waiting []*claim // the first in front
}

type claim struct {
	priority float64
	bytes    int64
	got      chan struct{}
}

// NewMemory is so many bytes.
func NewMemory(total int64) *Memory { return &Memory{total: total} }

// Fits tells whether a step may begin where others take so much: what is too large for all of it runs alone.
func (m *Memory) Fits(used, bytes int64) bool { return used == 0 || used+bytes <= m.total }

// Much tells whether it matters that a step takes so much.
func (m *Memory) Much(bytes int64) bool { return bytes > m.total/32 }

// Take waits until there is so much; give puts it back. Of those who wait, the one with the highest priority comes
// first, and none before it. The error is the context's.
func (m *Memory) Take(ctx context.Context, priority float64, bytes int64) (give func(), err error) {
	if !m.Much(bytes) {
		return func() {}, nil
	}
	c := &claim{priority, bytes, make(chan struct{})}
	m.mu.Lock()
	i, _ := slices.BinarySearchFunc(m.waiting, priority, func(c *claim, priority float64) int {
		return cmp.Or(cmp.Compare(priority, c.priority), -1) // behind those of the same
	})
	m.waiting = slices.Insert(m.waiting, i, c)
	m.admit()
	m.mu.Unlock()
	give = sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.used -= bytes
		m.admit()
	})
	select {
	case <-c.got:
		return give, nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	i = slices.Index(m.waiting, c)
	if i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.admit() // it may have been the one that others waited for
	}
	m.mu.Unlock()
	if i < 0 {
		give() // it came at the same moment
	}
	return nil, ctx.Err()
}

func (m *Memory) admit() {
	for len(m.waiting) > 0 && m.Fits(m.used, m.waiting[0].bytes) {
		m.used += m.waiting[0].bytes
		close(m.waiting[0].got)
		m.waiting = m.waiting[1:]
	}
}

// Installed is the memory that the machine has, or what the limits of a container let this process have; where neither
// is known, there is no limit.
func Installed() int64 {
	var info unix.Sysinfo_t
	total := int64(math.MaxInt64)
	if err := unix.Sysinfo(&info); err == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return total
	}
	return min(total, limit("/sys/fs/cgroup", groups))
}

// limit is the lowest limit of memory of the control groups that /proc/self/cgroup names, and of those above them: of
// version 2 in memory.max, of version 1 in memory.limit_in_bytes (cgroups(7)). In a container the names may be those
// outside of it, and what is mounted at top is its own group.
func limit(top string, groups []byte) int64 {
	lowest := int64(math.MaxInt64)
	lines := bufio.NewScanner(bytes.NewReader(groups))
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), ":", 3)
		if len(f) != 3 {
			continue
		}
		dir, file := top, "memory.max"
		if f[0] != "0" {
			if !slices.Contains(strings.Split(f[1], ","), "memory") {
				continue
			}
			dir, file = filepath.Join(top, "memory"), "memory.limit_in_bytes"
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			text, err := os.ReadFile(filepath.Join(dir, group, file))
			if n, perr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && perr == nil && n > 0 {
				lowest = min(lowest, n) // "max" is no number
			}
			if group == "/" {
				break
			}
		}
	}
	return lowest
}
