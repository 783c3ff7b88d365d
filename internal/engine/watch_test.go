package engine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWatch: how a program ends is told apart from that it was not started.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	program := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, c := range []struct {
		name, script string
		want         Ended
	}{
		{"well", "exit 0", Ended{}},
		{"with a code", "exit 3", Ended{Code: 3}},
		{"by a signal that is no crash", "kill -TERM $$", Ended{Signal: syscall.SIGTERM}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Running{Args: []string{program("script", "#!/bin/sh\n"+c.script+"\n")}}.Watch(nil)
			if err != nil || got != c.want {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	_, err := Running{Args: []string{filepath.Join(dir, "none")}}.Watch(nil)
	if !errors.As(err, new(*exec.Error)) || errors.As(err, new(*StartError)) {
		t.Errorf("of a program that there is not: %v", err)
	}
	_, err = Running{Args: []string{program("broken", "\x7fELF")}}.Watch(nil)
	if !errors.As(err, new(*StartError)) || !errors.Is(err, syscall.ENOEXEC) {
		t.Errorf("of a program that the system does not start: %v", err)
	}
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGUSR1
	got, err := Running{Args: []string{program("waits", "#!/bin/sh\nexec sleep 60\n")}}.Watch(signals)
	if err != nil || got.Signal != syscall.SIGUSR1 {
		t.Errorf("a signal was handed on: %+v, %v", got, err)
	}
}
