package cache

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain: with XBUILD_TEST_KEEP this program keeps the same results in that store over and over.
func TestMain(m *testing.M) {
	if store := os.Getenv("XBUILD_TEST_KEEP"); store != "" {
		keep(store)
		return
	}
	os.Exit(m.Run())
}

// text is what the file of a result holds.
func text(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d ", i), 300000) }

func keep(store string) {
	c := New(store)
	for n := 0; ; n++ {
		file := filepath.Join(os.Getenv("TMPDIR"), fmt.Sprintf("file-%d", os.Getpid()))
		if err := os.WriteFile(file, text(n%3), 0o644); err != nil {
			panic(err)
		}
		sum, size, err := c.Keep(file)
		if err == nil {
			err = c.Put(key, []string{"c a.c", fmt.Sprint("c ", n%5)}, fmt.Sprint("id", n%3), &Result{What: "x", Files: []File{{Name: "x", Sum: sum, Size: size}}})
		}
		if err != nil {
			panic(err)
		}
		if n%7 == 0 { // so that all is kept anew
			c.Prune(0, 1)
		}
	}
}

// TestKilled: of processes that keep the same results and are killed at any moment, what is there is whole, and no other.
func TestKilled(t *testing.T) {
	store, tmp := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rounds := 100
	if testing.Short() {
		rounds = 12
	}
	random := rand.New(rand.NewPCG(17, 1))
	c, there := New(store), 0
	for range rounds {
		var all []*exec.Cmd
		for range 3 {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "XBUILD_TEST_KEEP="+store, "TMPDIR="+tmp)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all = append(all, cmd)
		}
		for _, cmd := range all {
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			cmd.Process.Kill()
		}
		for _, cmd := range all {
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
				t.Fatalf("a process that keeps results ended by itself: %v", err)
			}
		}
		for i := range 3 {
			res := c.Get(key, fmt.Sprint("id", i))
			if res == nil {
				continue
			}
			var b bytes.Buffer
			switch err := c.Restore(res.Files[0].Sum, &b); {
			case errors.Is(err, ErrGone): // pruned
			case err != nil:
				t.Error(err)
			case !bytes.Equal(b.Bytes(), text(i)):
				t.Errorf("result %d has another file: %.20q", i, b.Bytes())
			default:
				there++
			}
		}
	}
	if there == 0 {
		t.Error("in no round a result was there")
	}
	if _, damaged, err := c.Verify(); err != nil || len(damaged) > 0 && filepath.Ext(damaged[0]) != suffixResult {
		t.Errorf("damaged: %q, %v", damaged, err)
	}
}
