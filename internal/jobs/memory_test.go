package jobs

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestMemory: never more than there is, what is larger runs alone, and what takes little does not wait.
func TestMemory(t *testing.T) {
	m := NewMemory(1000)
	var now, alone, peak atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		bytes := []int64{900, 400, 300, 2000}[i%4]
		wg.Go(func() {
			give, err := m.Take(t.Context(), float64(i%7), bytes)
			if err != nil {
				t.Error(err)
				return
			}
			at := now.Add(bytes)
			if at > 1000 && at != 2000 {
				alone.Add(1)
			}
			for old := peak.Load(); at > old && !peak.CompareAndSwap(old, at); old = peak.Load() {
			}
			now.Add(-bytes)
			give()
			give() // once is enough
		})
	}
	wg.Wait()
	if alone.Load() > 0 || peak.Load() != 2000 || m.used != 0 {
		t.Errorf("%d times too much, at most %d; %d at the end", alone.Load(), peak.Load(), m.used)
	}
	large, err := m.Take(t.Context(), 0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Take(t.Context(), 0, 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := m.Take(ctx, 9, 800)
		first <- err
	}()
	claims := func(n int) {
		for there := -1; there != n; time.Sleep(time.Millisecond) {
			m.mu.Lock()
			there = len(m.waiting)
			m.mu.Unlock()
		}
	}
	claims(1)
	var order []int64
	for i, bytes := range []int64{600, 700} {
		wg.Go(func() {
			give, err := m.Take(t.Context(), float64(i), bytes)
			if err != nil {
				t.Error(err)
				return
			}
			order = append(order, bytes) // they do not fit beside each other
			give()
		})
		claims(2 + i)
	}
	cancel()
	if err := <-first; err != context.Canceled {
		t.Error(err)
	}
	claims(2)
	large()
	wg.Wait()
	if len(order) != 2 || order[0] != 700 || m.used != 0 {
		t.Errorf("%v, %d at the end", order, m.used)
	}
}

// TestLimit: the lowest of a group's limits and of those above it counts.
func TestLimit(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		groups string
		want   int64
	}{
		"none":        {nil, "0::/\n", math.MaxInt64},
		"version 2":   {map[string]string{"user/build/memory.max": "4096\n", "user/memory.max": "max\n"}, "0::/user/build\n", 4096},
		"above":       {map[string]string{"user/build/memory.max": "4096\n", "user/memory.max": "1024\n"}, "0::/user/build\n", 1024},
		"a container": {map[string]string{"memory.max": "2048\n"}, "0::/../outside/of/it\n", 2048},
		"version 1":   {map[string]string{"memory/docker/x/memory.limit_in_bytes": "512\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, "3:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n", 512},
	} {
		top := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(top, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := limit(top, []byte(c.groups)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if n := Installed(); n < 64<<20 || n == math.MaxInt64 {
		t.Errorf("this machine has %d bytes", n)
	}
}
