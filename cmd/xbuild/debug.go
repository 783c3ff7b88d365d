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
	"xbuild/internal/env"
	"xbuild/internal/inspect"
	"xbuild/internal/plan"
	"xbuild/internal/platform"
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
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	switch {
	case len(command) == 0:
		return usageError{fmt.Errorf("debug: no program")}
	case c.Remote != "" && len(command) > 1:
		return usageError{fmt.Errorf("debug: --remote connects to a program that was started elsewhere: its arguments are given there")}
	case c.Core != "" && (len(command) > 1 || c.Remote != "" || c.Serve != 0 || c.LaunchJSON || c.Emulate):
		return usageError{fmt.Errorf("debug: --core looks at a program that has ended: it takes no arguments, and neither --remote, --serve, --launch-json nor --emulate")}
	case c.Remote != "" && c.Serve != 0:
		return usageError{fmt.Errorf("debug: --remote and --serve exclude each other")}
	}
	for flag, files := range map[string][]string{"--core": {c.Core}, "--execute": c.Files} {
		for _, f := range files {
			if _, err := os.Stat(f); f != "" && err != nil {
				return usageError{fmt.Errorf("debug: %s: %w", flag, err)}
			}
		}
	}
	if c.Remote != "" {
		if _, _, err := net.SplitHostPort(c.Remote); err != nil {
			return usageError{fmt.Errorf("debug: --remote: %w", err)}
		}
	}
	s, err := g.open(false)
	if err != nil {
		return err
	}
	if err := s.store.Keep(s.ctx); err != nil {
		return err
	}
	program, p, sources, err := s.debugged(command[0], c.Platform)
	if err != nil {
		return err
	}
	d := emulate.Debugging{Program: program, Sources: sources, Server: c.Remote}
	native := c.Remote == "" && !c.Emulate && c.Serve == 0 && emulate.Native(s.Host, p)
	if !native && p.HasC() {
		root, err := s.sysroot(p)
		if err != nil {
			return err
		}
		d.Sysroot = root.Dir
	}
	if c.Core != "" {
		d.Core = c.Core
		if _, _, err := crash.Owner(d.Core); err != nil {
			return fmt.Errorf("debug: --core: %w", err)
		}
		b, err := s.Baseline(p)
		if err != nil {
			return err
		}
		report(errors.New(crash.Explain(crash.Subject{Core: d.Core, Program: program.Path, Sysroot: d.Sysroot, Platform: p, Baseline: b}).String()))
		if c.Batch && len(c.Files)+len(c.Commands) == 0 {
			return nil
		}
	}
	var emulated []string
	if !native && c.Remote == "" && !c.LaunchJSON && c.Core == "" {
		b, err := s.Baseline(p)
		if err != nil {
			return err
		}
		qemu, err := s.toolchain("qemu", p)
		if err != nil {
			return err
		}
		if emulated, err = emulate.Emulated(program, qemu.Bin(), d.Sysroot, p, b, command[1:]); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "xbuild-debug-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	if c.Serve != 0 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Serve)))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "xbuild: %s waits for a debugger at %s\n", program.Path, l.Addr()) // even with -q: editors wait for it
		return exited(emulate.Serve(s.ctx, emulate.Waiting(emulated, socket), socket, l))
	}
	gdb, err := s.toolchain("gdb", p)
	if err != nil {
		return err
	}
	if c.LaunchJSON {
		return c.launch(s, p, d, gdb.Program("gdb-multiarch"), native, command[1:])
	}

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
	argv := []string{gdb.Program("gdb-multiarch"), "-q", "-x", file}
	if c.Batch {
		argv = append(argv, "--batch", "-nx") // a script does the same for everybody, whatever their .gdbinit says
	}
	if native && c.Core == "" {
		argv = append(append(argv, "--args", program.Path), command[1:]...)
	}
	// Of gdb's own Python the packages brought the library: the caller's would not fit.
	environ := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PYTHONHOME=") || strings.HasPrefix(kv, "PYTHONPATH=")
	})
	return exited(emulate.Debug(s.ctx, emulated, socket, argv, environ, c.Batch))
}

// exited is what a command returns whose child ended with a code.
func exited(code int, err error) error {
	if err == nil && code != 0 {
		return exitError(code)
	}
	return err
}

// debugged finds the program that a word names, what it is for, and where its sources are. A file wins over a target,
// which is built first.
func (s *session) debugged(word, platformName string) (emulate.Program, platform.Platform, []string, error) {
	fail := func(err error) (emulate.Program, platform.Platform, []string, error) {
		return emulate.Program{}, platform.Platform{}, nil, err
	}
	path := word
	info, err := os.Stat(word)
	if _, ok := s.Project.Target(word); ok && (err != nil || info.IsDir()) {
		p, err := s.one(platformName)
		if err != nil {
			return fail(err)
		}
		if path, err = s.builtProgram(word, p); err != nil {
			return fail(err)
		}
		platformName = p.Name
	}
	if path, err = filepath.Abs(path); err != nil {
		return fail(err)
	}
	program, err := emulate.Open(path)
	if err != nil {
		return fail(err)
	}
	p, err := program.Platform()
	if platformName != "" {
		p, err = s.one(platformName)
	}
	if err != nil {
		return fail(err)
	}
	if !program.Matches(p) {
		return fail(fmt.Errorf("%s is for %v %v %v, not for %s", word, program.Machine, program.Class, program.Data, p.Name))
	}
	var sources []string
	for _, t := range s.Project.Targets {
		if dir := s.Project.SourceDir(t); !slices.Contains(sources, dir) {
			sources = append(sources, dir)
		}
	}
	return program, p, sources, nil
}

// builtProgram builds a target for a platform and returns the one program that it made.
func (s *session) builtProgram(target string, p platform.Platform) (string, error) {
	s.scratchDist()
	pl, err := s.planned(plan.Selection{Targets: []string{target}, Platforms: []platform.Platform{p}})
	if err != nil {
		return "", err
	}
	results, err := s.build(pl, s.executeOptions(0))
	if err != nil {
		return "", err
	}
	var programs []string
	for _, a := range results[0].Artifacts {
		file := filepath.Join(s.Project.DistDir(), filepath.FromSlash(a.Path))
		if r, err := inspect.File(file); err == nil && r.Kind == inspect.Executable {
			programs = append(programs, file)
		}
	}
	if len(programs) == 1 {
		return programs[0], nil
	}
	return "", fmt.Errorf("target %q makes %d programs: name one of the files in %s", target, len(programs), relative(s.Project.DistDir()))
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
func (c *DebugCmd) launch(s *session, p platform.Platform, d emulate.Debugging, gdb string, native bool, args []string) error {
	l := launchConfiguration{
		Name: filepath.Base(d.Program.Path) + " (" + p.Name + ")", Type: "cppdbg", Request: "launch", Program: d.Program.Path, Args: append([]string{}, args...),
		Cwd: s.Project.Dir, Environment: []env.Var{}, MIMode: "gdb", Debugger: gdb, ServerAddress: c.Remote,
	}
	if !native && c.Remote == "" {
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
		l.ServerPath, l.ServerStarted, l.FilterStderr = s.self, "waits for a debugger", true
		for i, arg := range append([]string{"debug", "--serve=" + port, "--platform=" + p.Name, "--", d.Program.Path}, args...) {
			if i > 0 {
				l.ServerArgs += " "
			}
			if strings.ContainsAny(arg, " \t\"\\") || arg == "" {
				arg = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`
			}
			l.ServerArgs += arg
		}
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
