package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/crash"
	"xbuild/internal/emulate"
	"xbuild/internal/engine"
	"xbuild/internal/env"
)

// DebugCmd is xbuild debug.
type DebugCmd struct {
	OnePlatform
	Emulate    bool     `help:"Use QEMU even where the host runs the program itself." env:"XBUILD_EMULATE"`
	Batch      bool     `help:"No prompt: end after the commands, with the program's exit code."`
	Files      []string `short:"x" name:"execute" sep:"none" type:"path" placeholder:"FILE" help:"Run the gdb commands (or Python, *.py) of a file once the program is stopped at its first instruction."`
	Commands   []string `name:"ex" sep:"none" placeholder:"COMMAND" help:"Run a gdb command, after the files."`
	Remote     string   `placeholder:"HOST:PORT" help:"Connect to a gdbserver that has the program, on a machine of the platform."`
	Core       string   `type:"path" placeholder:"FILE" help:"Look at a core file that the program left, here or on a machine of the platform: its end is explained as xbuild run does, then gdb starts."`
	Serve      int      `placeholder:"PORT" help:"Start the program under QEMU and let it wait for any debugger at this port of 127.0.0.1."`
	LaunchJSON bool     `name:"launch-json" help:"Print a launch.json of Visual Studio Code and end."`
	Command    []string `arg:"" passthrough:"" name:"file|target" help:"A program, or a target of xbuild.toml, which is built first, and the program's arguments."`
}

// Help is the long help.
func (*DebugCmd) Help() string {
	return "Under QEMU the CPU is the platform's baseline. The program is stopped at its first instruction: set breakpoints, then \"continue\".\n\n" +
		"Example: xbuild debug -p linux/s390x --batch --ex \"break main\" --ex continue --ex backtrace hello"
}

// Run starts the debugger.
func (c *DebugCmd) Run(g *Globals) error {
	command := behindDashes(c.Command)
	if err := c.check(command); err != nil {
		return engine.RequestError{Err: fmt.Errorf("debug: %w", err)}
	}
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	d, err := e.Debug(g.ctx, engine.DebugRequest{
		Program: command[0], Platform: c.Platform, Native: c.Remote == "" && !c.Emulate && c.Serve == 0, Core: c.Core,
	})
	if err != nil {
		return err
	}
	d.Server = c.Remote
	if c.Core != "" {
		report(errors.New(crash.Explain(d.Subject).String()))
		if c.Batch && len(c.Files)+len(c.Commands) == 0 {
			return nil
		}
	}
	var emulated []string
	if !d.Native && c.Remote == "" && !c.LaunchJSON && c.Core == "" {
		if emulated, err = d.Emulator(g.ctx, command[1:]); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "xbuild-debug-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if c.Serve != 0 {
		return c.serve(g, d, emulated, dir)
	}
	gdb, err := d.Debugger(g.ctx)
	if err != nil {
		return err
	}
	if c.LaunchJSON {
		return c.launch(e.XBuild(), d, gdb, command[1:])
	}
	return c.debug(g, d, gdb, emulated, command[1:], dir)
}

// check says what is wrong with the command line.
func (c *DebugCmd) check(command []string) error {
	switch {
	case len(command) == 0:
		return errors.New("no program")
	case c.Remote != "" && len(command) > 1:
		return errors.New("--remote connects to a program that was started elsewhere: its arguments are given there")
	case c.Core != "" && (len(command) > 1 || c.Remote != "" || c.Serve != 0 || c.LaunchJSON || c.Emulate):
		return errors.New("--core looks at a program that has ended: it takes no arguments, and neither --remote, --serve, --launch-json nor --emulate")
	case c.Remote != "" && c.Serve != 0:
		return errors.New("--remote and --serve exclude each other")
	}
	for flag, files := range map[string][]string{"--core": {c.Core}, "--execute": c.Files} {
		for _, f := range files {
			if _, err := os.Stat(f); f != "" && err != nil {
				return fmt.Errorf("%s: %w", flag, err)
			}
		}
	}
	if c.Remote != "" {
		if _, _, err := net.SplitHostPort(c.Remote); err != nil {
			return fmt.Errorf("--remote: %w", err)
		}
	}
	return nil
}

// serve starts the program and lets it wait for any debugger.
func (c *DebugCmd) serve(g *Globals, d engine.Debuggee, emulated []string, dir string) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Serve)))
	if err != nil {
		return err
	}
	// even with -q: editors wait for it
	fmt.Fprintf(os.Stderr, "xbuild: %s waits for a debugger at %s\n", d.Program.Path, l.Addr())
	socket := filepath.Join(dir, "socket")
	return exited(emulate.Serve(g.ctx, emulate.Waiting(emulated, socket), socket, l))
}

// debug starts gdb, with the program under its emulator where there is one. In dir lies what the two share.
func (c *DebugCmd) debug(g *Globals, d engine.Debuggee, gdb string, emulated, args []string, dir string) error {
	socket := filepath.Join(dir, "socket")
	if emulated != nil {
		d.Server = socket
		emulated = emulate.Waiting(emulated, socket)
	}
	script, err := d.Script(c.Files, c.Commands, c.Batch)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "commands")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return err
	}
	argv := []string{gdb, "-q", "-x", file}
	if c.Batch {
		argv = append(argv, "--batch", "-nx") // a script does the same for everybody, whatever their .gdbinit says
	}
	if d.Native && c.Core == "" {
		argv = append(append(argv, "--args", d.Program.Path), args...)
	}
	// Of gdb's own Python the packages brought the library: the caller's would not fit.
	environ := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PYTHONHOME=") || strings.HasPrefix(kv, "PYTHONPATH=")
	})
	return exited(emulate.Debug(g.ctx, emulated, socket, argv, environ, c.Batch))
}

// exited is what a command returns whose child ended with a code.
func exited(code int, err error) error {
	if err == nil && code != 0 {
		return exitError(code)
	}
	return err
}

// A launchConfiguration is what the C/C++ extension of Visual Studio Code reads
// (code.visualstudio.com/docs/cpp/launch-json-reference).
type launchConfiguration struct {
	Name          string         `json:"name"`
	Type          string         `json:"type"`
	Request       string         `json:"request"`
	Program       string         `json:"program"`
	Args          []string       `json:"args"`
	Cwd           string         `json:"cwd"`
	Environment   []env.Var      `json:"environment"`
	MIMode        string         `json:"MIMode"`
	Debugger      string         `json:"miDebuggerPath"`
	ServerAddress string         `json:"miDebuggerServerAddress,omitempty"`
	ServerPath    string         `json:"debugServerPath,omitempty"`
	ServerArgs    string         `json:"debugServerArgs,omitempty"`
	ServerStarted string         `json:"serverStarted,omitempty"`
	FilterStderr  bool           `json:"filterStderr,omitempty"`
	Setup         []setupCommand `json:"setupCommands"`
}

type setupCommand struct {
	Text string `json:"text"`
}

// launch prints a launch.json. The editor starts the program by "xbuild debug --serve" and connects to it.
func (c *DebugCmd) launch(xbuild string, d engine.Debuggee, gdb string, args []string) error {
	l := launchConfiguration{
		Name: filepath.Base(d.Program.Path) + " (" + d.Platform.Name + ")", Type: "cppdbg", Request: "launch",
		Program: d.Program.Path, Args: append([]string{}, args...),
		Cwd: d.Dir, Environment: []env.Var{}, MIMode: "gdb", Debugger: gdb, ServerAddress: c.Remote,
	}
	if !d.Native && c.Remote == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		l.ServerAddress = listener.Addr().String()
		listener.Close()
		_, port, err := net.SplitHostPort(l.ServerAddress)
		if err != nil {
			return err
		}
		l.ServerPath, l.ServerStarted, l.FilterStderr = xbuild, "waits for a debugger", true
		l.ServerArgs = quoted(append([]string{"debug", "--serve=" + port, "--platform=" + d.Platform.Name, "--",
			d.Program.Path}, args...))
	}
	commands, err := d.Commands()
	if err != nil {
		return err
	}
	for _, text := range commands {
		if !strings.HasPrefix(text, "file ") { // the editor gives the program itself
			l.Setup = append(l.Setup, setupCommand{text})
		}
	}
	return printJSON(map[string]any{"version": "0.2.0", "configurations": []launchConfiguration{l}})
}

// quoted are arguments in one line, as the editor takes them apart.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, arg := range args {
		if strings.ContainsAny(arg, " \t\"\\") || arg == "" {
			arg = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`
		}
		out[i] = arg
	}
	return strings.Join(out, " ")
}
