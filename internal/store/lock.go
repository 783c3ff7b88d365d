package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Lock takes the named lock for this goroutine alone, among all processes. It
// waits until the lock is free or ctx ends; OnWait hears of a longer wait for
// another process. The kernel frees the lock of a killed process.
func (s *Store) Lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := checkKey(name); err != nil || name == "use" {
		return nil, fmt.Errorf("%q cannot be a lock's name", name)
	}
	path := s.path("locks", name)
	var l *flock.Flock
	err = s.wait(ctx, name, path, func() (bool, error) {
		l = flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
		return tryLock(l)
	})
	if err != nil {
		return nil, s.explain(err, 0)
	}
	// Only for whom it concerns to read; a failure here loses nothing.
	_ = os.WriteFile(path, []byte(whoami()), 0o644)
	return func() {
		// Removed while held: who waits for the old file sees that it is gone
		// and starts over, so lock files do not pile up.
		_ = os.Remove(path)
		_ = l.Unlock()
	}, nil
}

// Use says that what the store holds is in use until release is called: GC
// waits for that. It waits for a GC that is running.
func (s *Store) Use(ctx context.Context) (release func(), err error) {
	path := s.path("locks", "use")
	l := flock.New(path, flock.SetFlag(os.O_RDONLY)) // works in a read-only store
	if err := s.wait(ctx, "use", path, l.TryRLock); err != nil {
		return nil, s.explain(err, 0)
	}
	return func() { _ = l.Unlock() }, nil
}

// Keep is Use for as long as this process lives, and the program that it becomes by execve(2), and those that this
// starts: they have the lock's descriptor.
func (s *Store) Keep(ctx context.Context) error {
	path := s.path("locks", "use")
	f, err := os.Open(path)
	if err != nil {
		return s.explain(err, 0)
	}
	fd := int(f.Fd())
	err = s.wait(ctx, "use", path, func() (bool, error) {
		err := syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB)
		return err == nil, ignore(err, syscall.EWOULDBLOCK, syscall.EINTR)
	})
	if err != nil {
		f.Close()
		return s.explain(err, 0)
	}
	s.kept = append(s.kept, f) // or it would be closed when nothing holds it
	_, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0)
	return ignore(e, 0)
}

// ignore is an error that is none of these.
func ignore(err error, these ...syscall.Errno) error {
	for _, e := range these {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// Alone waits until no process has the store in Use; none gets it until release is called.
func (s *Store) Alone(ctx context.Context) (release func(), err error) {
	path := s.path("locks", "use")
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	if err := s.wait(ctx, "use", path, l.TryLock); err != nil {
		return nil, s.explain(err, 0)
	}
	return func() { _ = l.Unlock() }, nil
}

// wait asks again and again: a blocking flock could not be cancelled.
func (s *Store) wait(ctx context.Context, name, path string, try func() (bool, error)) error {
	start, said := time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if err := ctxErr(ctx); err != nil {
			return err
		}
		if ok, err := try(); err != nil || ok {
			return err
		}
		if !said && s.OnWait != nil && time.Since(start) >= time.Second {
			holder, _ := os.ReadFile(path)
			if len(holder) == 0 {
				holder = []byte("another process")
			}
			// Trees that are made side by side wait for each other.
			if said = string(holder) != whoami(); said {
				s.OnWait(name, string(holder))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// tryLock locks a file or folder that others may remove or rename: true means
// that the path still leads to what is locked.
func tryLock(l *flock.Flock) (bool, error) {
	ok, err := l.TryLock()
	if err != nil || !ok {
		_ = l.Close()
		return false, err
	}
	mine, err := l.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(l.Path()); err == nil && os.SameFile(mine, there) {
			return true, nil
		}
	}
	_ = l.Close()
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return false, err
}

func whoami() string {
	args := []string{filepath.Base(os.Args[0])}
	if len(os.Args) > 1 {
		args = append(args, os.Args[1])
	}
	return fmt.Sprintf("process %d (%s)", os.Getpid(), strings.Join(args, " "))
}

// goodbye is how long the removal of a temporary folder may take once its user was interrupted.
const goodbye = 50 * time.Millisecond

// TempDir makes a folder in the store's own file system, which done removes.
// Should this process be killed, or ctx end and the folder be large, a later Open removes it.
func (s *Store) TempDir(ctx context.Context, prefix string) (dir string, done func(), err error) {
	for range 100 {
		dir, err := os.MkdirTemp(s.path("tmp"), prefix+"-")
		if err != nil {
			return "", nil, s.explain(err, 0)
		}
		l := flock.New(dir, flock.SetFlag(os.O_RDONLY))
		// A sweep may come between the two; then another folder is tried.
		ok, err := tryLock(l)
		if ok {
			return dir, func() {
				gone := make(chan struct{})
				go func() {
					_ = removeAll(dir)
					close(gone)
				}()
				select {
				case <-gone:
				case <-ctx.Done():
					select {
					case <-gone:
					case <-time.After(goodbye):
					}
				}
				_ = l.Unlock()
			}, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(dir)
			return "", nil, s.explain(err, 0)
		}
	}
	return "", nil, fmt.Errorf("no temporary folder can be kept in %s: something removes them", s.path("tmp"))
}

// sweep removes what in tmp/ and locks/ is not locked: what a killed process left. It is housekeeping: what it cannot
// remove does no harm, and Info counts it.
func (s *Store) sweep() {
	for _, dir := range []string{"tmp", "locks"} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return
		}
		for _, e := range entries {
			path := s.path(dir, e.Name())
			if dir == "locks" && e.Name() == "use" {
				continue // that one stays
			}
			if !e.IsDir() && !e.Type().IsRegular() {
				_ = os.Remove(path) // a link has no lock
				continue
			}
			l := flock.New(path, flock.SetFlag(os.O_RDONLY))
			if ok, _ := tryLock(l); ok {
				_ = removeAll(path)
				_ = l.Unlock()
			}
		}
	}
}
