package emulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Debugging is what gdb is told of a program.
type Debugging struct {
	Program Program
	Sysroot string   // where the program's libraries and their symbols are; "" says that they are the host's
	Sources []string // directories that its source files are named relative to
	Server  string   // where the program waits, a socket's path or HOST:PORT; "" where gdb starts it itself
	Core    string   // the core file that it left; "" where it is to run
}

// Commands are gdb's commands that set a debugging up, in the order in which they count. gdb takes the architecture
// from the program's header.
func (d Debugging) Commands() ([]string, error) {
	for _, path := range append(slices.Clone(d.Sources), d.Program.Path, d.Sysroot, d.Server, d.Core) {
		if strings.ContainsAny(path, "\n\r") {
			return nil, fmt.Errorf("%q: gdb has no way to write such a name", path)
		}
	}
	var out []string
	if d.Sysroot != "" {
		// The rest of the line as it stands (gdb manual, "Files"); libc6-dbg and its like put their files below
		// usr/lib/debug.
		out = append(out, "set sysroot "+d.Sysroot, "set debug-file-directory "+filepath.Join(d.Sysroot, "usr/lib/debug"))
	}
	// The paths in xbuild's debug information are relative to the source (-ffile-prefix-map). gdb puts each directory
	// in front of those given before.
	for _, dir := range slices.Backward(d.Sources) {
		out = append(out, "directory "+escaped(dir))
	}
	return append(out, "file "+escaped(d.Program.Path)), nil
}

// escaped is a word of a gdb command that takes several.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, " ", `\ `, "\t", "\\\t", `"`, `\"`, "'", `\'`).Replace(path)
}

// batchEnd passes on what became of the program: its exit code, or 128 and the signal's number as a shell says it. A
// program that still runs is ended by gdb.
const batchEnd = `if !$_isvoid($_exitcode)
  quit $_exitcode
end
if !$_isvoid($_exitsignal)
  quit 128 + $_exitsignal
end
`

// Script is gdb's command file: the set-up, the start, then the user's files and commands. An error ends it. In a batch
// the program's exit code follows.
func (d Debugging) Script(files, commands []string, batch bool) (string, error) {
	lines, err := d.Commands()
	if err != nil {
		return "", err
	}
	if d.Core != "" {
		lines = append(lines, "set auto-load libthread-db off", "core-file "+escaped(d.Core))
	} else if d.Server == "" {
		// Stopped at its first instruction, as behind a server. The host's libthread_db is made for the host's C
		// library, gdb here has its own.
		lines = append(lines, "set auto-load libthread-db off", "starti")
	} else {
		lines = append(lines, "target remote "+d.Server)
	}
	for _, f := range files {
		lines = append(lines, "source "+f)
	}
	text := strings.Join(append(lines, commands...), "\n") + "\n"
	if batch {
		text += batchEnd
	}
	return text, nil
}

// Debug runs gdb, and beside it the server that a program waits in, where there is one, until gdb ends; its exit code
// is returned. socket is where the server will listen. Both children end with ctx and with this process. At a prompt,
// an interrupt from the keyboard is for gdb alone, which then stops the program.
func Debug(ctx context.Context, server []string, socket string, gdb, environ []string, batch bool) (int, error) {
	// The kernel sends the parent-death signal when the thread that started a child ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	interrupts := make(chan os.Signal, 1)
	if !batch {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
		defer stop()
		// The server is in the terminal's foreground, because the program may read from it, but must not hear an
		// interrupt. What is ignored here is so in the child.
		signal.Ignore(os.Interrupt)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	var program *os.Process
	if server != nil {
		cmd := command(ctx, server)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		program = cmd.Process
		go func() { ended <- cmd.Wait() }()
		defer func() {
			select {
			case <-ended:
			case <-time.After(time.Second): // gdb left the program running
				cancel()
				<-ended
			}
		}()
		if err := listening(ctx, socket, ended); err != nil {
			ended <- err
			return 0, err
		}
	}
	if !batch {
		signal.Notify(interrupts, os.Interrupt) // gdb, and what it starts, must not find the signal ignored
		defer func() {
			signal.Stop(interrupts)
			close(interrupts)
		}()
		if program != nil {
			go func() {
				// gdb asks for the program to be stopped, but QEMU hears that only once it is. A trap stops it, and gdb
				// does not pass it on.
				for range interrupts {
					_ = program.Signal(syscall.SIGTRAP) // it may have ended meanwhile
				}
			}()
		}
	}
	cmd := command(ctx, gdb)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if batch && server != nil {
		cmd.Stdin = nil // it is the program's
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Serve runs the server that a program waits in, until it ends, and hands the first connection of a listener on to its
// socket: QEMU itself would listen at every address of the machine. The exit code is the program's.
func Serve(ctx context.Context, server []string, socket string, l net.Listener) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(ctx, server)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		l.Close() // nobody will be connected any more
		ended <- err
	}()
	if err := listening(ctx, socket, ended); err != nil {
		_ = cmd.Process.Kill() // it has ended, or is told to
		return 0, err
	}
	if down, err := l.Accept(); err == nil {
		defer down.Close()
		up, err := net.Dial("unix", socket)
		if err != nil {
			return 0, errors.Join(err, cmd.Process.Kill(), <-ended)
		}
		defer up.Close()
		go func() {
			_, _ = io.Copy(up, down) // where the debugger goes, so does QEMU's side
			_ = up.(*net.UnixConn).CloseWrite()
		}()
		go io.Copy(down, up)
	}
	err := <-ended
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal()), nil
	}
	return 0, err
}

// command is a child that is asked to end when ctx does, and made to soon after.
func command(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	diesWithParent(cmd.SysProcAttr)
	return cmd
}

// listening waits until a server has made its socket.
func listening(ctx context.Context, socket string, ended chan error) error {
	for {
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return fmt.Errorf("the emulator ended before gdb could reach the program: %w", orEnded(err))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Waiting is the command of a program under QEMU that waits for a debugger at a socket's path or a port.
func Waiting(argv []string, at string) []string {
	return append([]string{argv[0], "-g", at}, argv[1:]...)
}
