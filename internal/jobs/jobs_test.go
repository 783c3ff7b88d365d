package jobs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestTake: never more than there are, by priority, and all is there again at the end.
func TestTake(t *testing.T) {
	for name, dir := range map[string]string{"pipe": t.TempDir(), "memory": ""} {
		p := New(dir, 3)
		if (p.Flags() == "") != (name == "memory") {
			t.Errorf("%s: MAKEFLAGS are %q", name, p.Flags())
		}
		var now, peak atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				n, give, err := p.Take(t.Context(), float64(i%5), 1+i%3)
				if err != nil || n < 1 || n > 1+i%3 {
					t.Errorf("%d, %v", n, err)
					return
				}
				at := now.Add(int64(n))
				for old := peak.Load(); at > old && !peak.CompareAndSwap(old, at); old = peak.Load() {
				}
				now.Add(-int64(n))
				give()
				give() // once is enough
			})
		}
		wg.Wait()
		if peak.Load() > 3 {
			t.Errorf("%s: %d at once", name, peak.Load())
		}
		n, give, err := p.Take(t.Context(), 0, 10)
		if n != 3 || err != nil {
			t.Errorf("%s: %d slots are there at the end, %v", name, n, err)
		}
		p.Close()
		give()
		p = New(dir, 1)
		if _, give, err = p.Take(t.Context(), 0, 1); err != nil {
			t.Fatal(err)
		}
		var order []float64
		var mu sync.Mutex
		for i, priority := range []float64{1, 3, 2, 3} {
			wg.Go(func() {
				_, give, err := p.Take(t.Context(), priority, 1)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, priority)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				give()
			})
			for waiting(p) <= i {
				time.Sleep(time.Millisecond)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, _, err := p.Take(ctx, 9, 1)
			done <- err
		}()
		for waiting(p) <= 4 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		give()
		wg.Wait()
		if fmt.Sprint(order) != "[3 3 2 1]" {
			t.Errorf("%s: %v", name, order)
		}
		p.Close()
		p.Close()
	}
}

func waiting(p *Pool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// TestLost: slots that a killed command had are made anew; pipes of killed processes are removed, and no other.
func TestLost(t *testing.T) {
	dir := t.TempDir()
	p := New(dir, 4)
	defer p.Close()
	_, give, err := p.Take(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !p.one() {
			t.Fatal("there is none")
		}
	}
	give()
	if n, give, err := p.Take(t.Context(), 0, 9); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	} else {
		give()
	}
	dead := filepath.Join(dir, prefix+"dead")
	if err := syscall.Mkfifo(dead, 0o600); err != nil {
		t.Fatal(err)
	}
	q := New(dir, 1)
	defer q.Close()
	if _, err := os.Lstat(dead); err == nil {
		t.Error("the pipe of a dead process is still there")
	}
	if _, err := os.Lstat(p.path); err != nil {
		t.Error(err)
	}
}

// TestMake: two makes that run side by side run no more jobs than the pool has slots, by descriptors and, where make is
// new enough, by the pipe's name.
func TestMake(t *testing.T) {
	version, err := exec.Command("make", "--version").Output()
	if err != nil {
		t.Skip("there is no make on this machine")
	}
	forms := []string{"descriptors"}
	if !bytes.HasPrefix(version, []byte("GNU Make 4.3")) && !bytes.HasPrefix(version, []byte("GNU Make 4.2")) {
		forms = append(forms, "pipe")
	}
	for _, form := range forms {
		dir := t.TempDir()
		var text strings.Builder
		text.WriteString("all:")
		for i := range 12 {
			fmt.Fprintf(&text, " j%d", i)
		}
		text.WriteString("\nj%:\n\t@mkdir run-$$PPID-$@; echo run-* | wc -w >> counts; sleep 0.05; rmdir run-$$PPID-$@\n")
		if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		p := New(t.TempDir(), 3)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, give, err := p.Take(t.Context(), 0, 1)
				if err != nil {
					t.Error(err)
					return
				}
				defer give()
				cmd := exec.Command("make", "--no-print-directory")
				flags := p.Flags()
				if form == "descriptors" {
					if flags, cmd.ExtraFiles, err = p.Files(3); err != nil {
						t.Error(err)
						return
					}
				}
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "MAKEFLAGS="+flags)
				out, err := cmd.CombinedOutput()
				for _, f := range cmd.ExtraFiles {
					f.Close()
				}
				if err != nil || len(out) > 0 {
					t.Errorf("%s: %v\n%s", form, err, out)
				}
			})
		}
		wg.Wait()
		counts, err := os.ReadFile(filepath.Join(dir, "counts"))
		if err != nil {
			t.Fatal(err)
		}
		most := ""
		for _, c := range strings.Fields(string(counts)) {
			most = max(most, c)
		}
		if most != "3" {
			t.Errorf("%s: at most %s jobs ran at once, want 3", form, most)
		}
		if n, _, err := p.Take(t.Context(), 0, 9); n != 3 || err != nil {
			t.Errorf("%s: %d slots are there at the end, %v", form, n, err)
		}
		p.Close()
	}
}
