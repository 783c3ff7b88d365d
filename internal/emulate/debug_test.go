package emulate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestScript(t *testing.T) {
	program := Program{Path: "/my project/dist/hello"}
	for _, c := range []struct {
		name     string
		d        Debugging
		files    []string
		commands []string
		batch    bool
		want     string
	}{
		{"under QEMU", Debugging{Program: program, Sysroot: "/store/sysroot", Sources: []string{"/my project/a", "/b"}, Server: "/tmp/x/socket"}, []string{"/f.gdb"}, []string{"break main", "continue"}, false,
			"set sysroot /store/sysroot\nset debug-file-directory /store/sysroot/usr/lib/debug\ndirectory /b\ndirectory /my\\ project/a\nfile /my\\ project/dist/hello\n" +
				"target remote /tmp/x/socket\nsource /f.gdb\nbreak main\ncontinue\n"},
		{"on the host", Debugging{Program: program}, nil, []string{"continue"}, true,
			"file /my\\ project/dist/hello\nset auto-load libthread-db off\nstarti\ncontinue\n" + batchEnd},
		{"remote", Debugging{Program: program, Sysroot: "/s", Server: "board:2345"}, nil, nil, false,
			"set sysroot /s\nset debug-file-directory /s/usr/lib/debug\nfile /my\\ project/dist/hello\ntarget remote board:2345\n"},
		{"of a core file", Debugging{Program: program, Sysroot: "/s", Core: "/my core"}, nil, []string{"backtrace"}, true,
			"set sysroot /s\nset debug-file-directory /s/usr/lib/debug\nfile /my\\ project/dist/hello\nset auto-load libthread-db off\ncore-file /my\\ core\nbacktrace\n" + batchEnd},
	} {
		if got, err := c.d.Script(c.files, c.commands, c.batch); err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.want)
		}
	}
	for _, d := range []Debugging{{Program: Program{Path: "/a\nshell rm x"}}, {Program: program, Sources: []string{"/a\nb"}}, {Program: program, Server: "a:1\nquit"}} {
		if got, err := d.Script(nil, nil, false); err == nil {
			t.Errorf("a name of two lines: %q", got)
		}
	}
}

func TestWaiting(t *testing.T) {
	if got := Waiting([]string{"/qemu", "-cpu", "max", "/hello", "-g"}, "/s"); !slices.Equal(got, []string{"/qemu", "-g", "/s", "-cpu", "max", "/hello", "-g"}) {
		t.Errorf("%q", got)
	}
}

// TestDebug stands shells in for the emulator and gdb: what is looked at is when each is started and ended.
func TestDebug(t *testing.T) {
	dir := t.TempDir()
	socket, told := filepath.Join(dir, "socket"), filepath.Join(dir, "told")
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script, "sh", socket, told} }
	running := sh(`touch "$1"; trap 'echo ended > "$2"; exit' TERM; while :; do sleep 0.01; done`)
	reset := func() {
		os.Remove(socket)
		os.Remove(told)
	}

	for _, c := range []struct {
		name        string
		server, gdb []string
		code        int
		want        string // in the error
	}{
		{"the code is gdb's", sh(`touch "$1"; sleep 0.2`), sh(`test -e "$1" && exit 3`), 3, ""},
		{"no server", nil, sh(`exit 4`), 4, ""},
		{"a program that gdb leaves running is ended", running, sh(`exit 0`), 0, ""},
		{"the server fails", sh(`exit 7`), sh(`touch "$2"`), 0, "the emulator ended before gdb could reach the program: exit status 7"},
		{"the server ends at once", sh(`exit 0`), sh(`touch "$2"`), 0, "exit status 0"},
		{"no such gdb", running, []string{filepath.Join(dir, "none")}, 0, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reset()
			code, err := Debug(t.Context(), c.server, socket, c.gdb, os.Environ(), true)
			if code != c.code || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("code %d, error %v", code, err)
			}
			_, err = os.Stat(told)
			if ended := err == nil; ended != (len(c.server) > 0 && c.server[2] == running[2]) {
				t.Errorf("the server was told to end, or gdb started without one: %v", ended)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		reset()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		start := time.Now()
		_, err := Debug(ctx, running, socket, sh("exec sleep 60"), os.Environ(), true)
		if !errors.Is(err, context.Canceled) || time.Since(start) > 30*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		if _, err := os.Stat(told); err != nil {
			t.Error("the server was not ended")
		}
	})
}
