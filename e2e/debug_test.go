package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What is debugged: its function is found by name, its argument and a global by value, its line in the source, and it
// ends with a code of its own.
const debugged = `#include <stdio.h>
#include <stdlib.h>

int answer = 0x01020304;

__attribute__((noinline)) int twice(int number) {
	answer += number;
	return 2 * number;
}

int main(int argc, char **argv) {
	int result = twice(argc > 1 ? atoi(argv[1]) : 21);
	printf("result %d\n", result);
	if (result == 26)
		abort();
	return result % 256;
}
`

const debuggedTOML = `[target.hello]
recipe = "cc"
source = "src"
sources = ["hello.c"]
cflags = ["-g"]
opt = "0"
`

// TestDebug stops a program of several platforms in a function and looks at it: dynamic, static, 32 bits, big-endian,
// and the host's own.
func TestDebug(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{"src/hello.c": debugged, "xbuild.toml": debuggedTOML, "first.gdb": "break twice\ncontinue\nup\nprint argc\n"})
	platforms := []string{"linux/amd64", "linux/arm64", "linux/arm/v6", "linux/s390x", "linux/riscv64"}
	if full() {
		platforms = eleven
	}
	var args []string
	for _, p := range platforms {
		args = append(args, "-p", p)
	}
	build(t, dir, args...)
	for _, p := range platforms {
		t.Run(p, func(t *testing.T) {
			// By the target's name, from another directory than the source's.
			r := xbuild(t, dir, "debug", "-q", "-p", p, "--batch", "--ex", "break twice", "--ex", "continue", "--ex", "backtrace", "--ex", "print number", "--ex", "print/x answer", "--ex", "list 7,7", "--ex", "continue", "hello", "34")
			for _, want := range []string{`Breakpoint 1, twice \(number=34\) at .*hello\.c:7`, `(?m)^#1 .* in main \(argc=2, `, `(?m)^\$1 = 34$`, `(?m)^\$2 = 0x1020304$`, `(?m)^7\s+answer \+= number;$`, `result 68`, `exited with code 0104`} {
				if !regexp.MustCompile(want).MatchString(r.stdout) {
					t.Errorf("gdb did not print %s", want)
				}
			}
			if r.code != 68 || t.Failed() {
				t.Errorf("want the program's exit code 68: %v", r)
			}
		})
	}

	file := filepath.Join(dir, "dist/linux/s390x/hello")
	t.Run("commands from a file", func(t *testing.T) {
		r := xbuild(t, dir, "debug", "-q", "--batch", "-x", "first.gdb", "--ex", "print answer", file, "34")
		if r.code != 0 || !strings.Contains(r.stdout, "$1 = 2\n") || !strings.Contains(r.stdout, "$2 = 16909060\n") {
			t.Errorf("a program that is still stopped is ended, with code 0: %v", r)
		}
	})
	t.Run("a command that fails", func(t *testing.T) {
		if r := xbuild(t, dir, "debug", "-q", "--batch", "--ex", "brake twice", "--ex", "continue", file); r.code != 1 || !strings.Contains(r.stderr, "brake") || strings.Contains(r.stdout, "result") {
			t.Errorf("want code 1 and no further command: %v", r)
		}
	})
	t.Run("a program that is ended by a signal", func(t *testing.T) {
		if r := xbuild(t, dir, "debug", "-q", "--batch", "--ex", "continue", "--ex", "bt", "--ex", "continue", file, "13"); r.code != 128+6 || !strings.Contains(r.stdout, "SIGABRT") {
			t.Errorf("want 134: %v", r)
		}
	})
	t.Run("quit N", func(t *testing.T) {
		if r := xbuild(t, dir, "debug", "-q", "--batch", "--ex", "quit 9", file); r.code != 9 {
			t.Errorf("want 9: %v", r)
		}
	})
	t.Run("a server elsewhere", func(t *testing.T) { debugRemote(t, dir, file) })
	t.Run("launch.json", func(t *testing.T) { debugLaunch(t, dir, file) })
}

// debugRemote connects to a program that waits at a port, as one of gdbserver does.
func debugRemote(t *testing.T, dir, file string) {
	program, err := program()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var out bytes.Buffer
	server := exec.CommandContext(t.Context(), program, "debug", "--serve", port, file, "50")
	server.Dir, server.Env, server.Stdout, server.Stderr = dir, environ(), &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r := xbuild(t, dir, "debug", "-q", "--remote", "127.0.0.1:"+port, "--batch", "--ex", "break twice", "--ex", "continue", "--ex", "print number", "--ex", "continue", file)
	if r.code != 100 || !strings.Contains(r.stdout, "$1 = 50\n") {
		_ = server.Process.Kill()
		t.Errorf("want 50 and code 100: %v", r)
	}
	err = server.Wait()
	if server.ProcessState.ExitCode() != 100 || !strings.Contains(out.String(), "result 100") {
		t.Errorf("the server: %v\n%s", err, out.String())
	}
}

// debugLaunch does what the editor does by its launch.json: it starts the server, waits for the words that say so,
// gives gdb the commands over its machine interface, connects and sets a breakpoint.
func debugLaunch(t *testing.T, dir, file string) {
	r := xbuild(t, dir, "debug", "-q", "--launch-json", file, "40")
	var launch struct {
		Configurations []struct {
			Type, Request, Program, MIMode                                            string
			MIDebuggerPath, MIDebuggerServerAddress, DebugServerPath, DebugServerArgs string
			ServerStarted                                                             string
			SetupCommands                                                             []struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &launch); err != nil || r.code != 0 || len(launch.Configurations) != 1 {
		t.Fatalf("%v: %v", err, r)
	}
	l := launch.Configurations[0]
	if l.Type != "cppdbg" || l.Request != "launch" || l.MIMode != "gdb" || l.Program != file {
		t.Errorf("%+v", l)
	}
	server := exec.CommandContext(t.Context(), l.DebugServerPath, strings.Fields(l.DebugServerArgs)...)
	server.Dir, server.Env = dir, environ()
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil || !regexp.MustCompile(l.ServerStarted).MatchString(line) {
		t.Fatalf("the server says %q (%v), want %q", line, err, l.ServerStarted)
	}
	var in strings.Builder
	fmt.Fprintf(&in, "-file-exec-and-symbols %q\n", l.Program)
	for _, c := range l.SetupCommands {
		fmt.Fprintf(&in, "-interpreter-exec console %q\n", c.Text)
	}
	fmt.Fprintf(&in, "-target-select remote %s\n-break-insert twice\n-exec-continue\n", l.MIDebuggerServerAddress)
	gdb := exec.CommandContext(t.Context(), l.MIDebuggerPath, "-q", "-nx", "--interpreter=mi")
	gdb.Dir = dir
	stdin, err := gdb.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := gdb.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := gdb.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = gdb.Process.Kill() })
	defer timer.Stop()
	if _, err := stdin.Write([]byte(in.String())); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	found := false
	for lines := bufio.NewScanner(stdout); !found && lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		found = strings.HasPrefix(lines.Text(), `*stopped,reason="breakpoint-hit"`) && strings.Contains(lines.Text(), `name="number",value="40"`) && strings.Contains(lines.Text(), "hello.c")
	}
	if !found {
		t.Errorf("gdb did not stop at the breakpoint:\n%s", said.String())
	}
	_, _ = stdin.Write([]byte("-gdb-exit\n"))
	_ = gdb.Wait()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
