package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"xbuild/internal/engine"
	"xbuild/internal/env"
)

// OnePlatform is the flag that chooses one platform.
type OnePlatform struct {
	Platform string `short:"p" placeholder:"PLATFORM" help:"The platform in any spelling, a glibc floor as suffix (default: TARGETPLATFORM, else the host's)." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
}

// EnvCmd is xbuild env.
type EnvCmd struct {
	OnePlatform
	Format string `short:"f" enum:"${formats}" default:"sh" help:"One of ${enum}." env:"XBUILD_FORMAT"`
}

// Help is the long help.
func (*EnvCmd) Help() string {
	return "Example: eval \"$(xbuild env -p linux/arm64)\" && make"
}

// Run prints the environment.
func (c *EnvCmd) Run(g *Globals) error {
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	got, err := e.Env(g.ctx, c.Platform)
	if err != nil {
		return err
	}
	if c.Format == "make" {
		got.Vars.Unset("MAKEFLAGS") // make's own, once it reads a file; HOSTCC and its like are there by themselves
	}
	text, err := got.Vars.Format(c.Format, strings.Join(got.Path, ":"))
	if err != nil {
		return err
	}
	fmt.Print(text)
	return nil
}

// ExecCmd is xbuild exec.
type ExecCmd struct {
	OnePlatform
	Command []string `arg:"" passthrough:"" name:"command" help:"The command and its arguments."`
}

// Help is the long help.
func (*ExecCmd) Help() string {
	return "cc, gcc, clang, c++, ar, ld, pkg-config and their like are the platform's inside, by these names and with the triplet in front. make, cmake, ninja, go and cargo are fetched where they are the command.\n\n" +
		"Example: xbuild exec -p linux/riscv64 -- make CC=cc"
}

// Run replaces this process by the command.
func (c *ExecCmd) Run(g *Globals) error {
	command := behindDashes(c.Command)
	if len(command) == 0 {
		return engine.RequestError{Err: fmt.Errorf("exec: no command")}
	}
	e, err := engine.Open(g.options())
	if err != nil {
		return err
	}
	environ, err := e.Exec(g.ctx, engine.ExecRequest{Platform: c.Platform, Command: command})
	if err != nil {
		return err
	}
	return replace(command, environ)
}

// behindDashes is a command without the "--" that may stand in front of it.
func behindDashes(command []string) []string {
	if len(command) > 0 && command[0] == "--" {
		return command[1:]
	}
	return command
}

// replace starts a program in place of this process, so that its exit code and its signals are the caller's. The
// program is looked for with the environment that it gets; nil is this process's own.
func replace(argv []string, environ env.Environment) error {
	if environ != nil {
		os.Clearenv()
		for _, v := range environ {
			os.Setenv(v.Name, v.Value)
		}
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		fmt.Fprintf(os.Stderr, "xbuild: %v\n", err)
		return exitError(127) // as a shell says it
	}
	err = syscall.Exec(program, argv, os.Environ())
	fmt.Fprintf(os.Stderr, "xbuild: %s: %v\n", program, err)
	return exitError(126)
}

// FlagsCmd is xbuild flags.
type FlagsCmd struct {
	OnePlatform
	Lang     string   `short:"l" enum:"c,c++,rust,go" default:"c" help:"One of ${enum}."`
	CPU      string   `name:"cpu" help:"A CPU of the platform instead of the project's."`
	Features []string `name:"features" help:"Instruction set features beside the project's."`
}

// Run prints the flags.
func (c *FlagsCmd) Run(g *Globals) error {
	e, err := engine.Load(g.options())
	if err != nil {
		return err
	}
	flags, err := e.Flags(engine.FlagsRequest{Platform: c.Platform, Language: c.Lang, CPU: c.CPU, Features: c.Features})
	if err != nil {
		return err
	}
	between := " "
	if c.Lang == "go" {
		between = "\n" // variables
	}
	fmt.Println(strings.Join(flags, between))
	return nil
}

// RunCmd is xbuild run.
type RunCmd struct {
	OnePlatform
	Emulate bool     `help:"Use QEMU even where the host runs the program itself." env:"XBUILD_EMULATE"`
	Node    string   `placeholder:"VERSION" help:"Run Node.js of the platform, fetched in a version such as 24; the command is its arguments."`
	Sysroot string   `type:"path" placeholder:"DIR" help:"Directory of the loader and the libraries that it runs with (default: the platform's sysroot)."`
	Command []string `arg:"" optional:"" passthrough:"" name:"file" help:"The program and its arguments."`
}

// Help is the long help.
func (*RunCmd) Help() string {
	return "Without -p the program's folder says what it is for (dist/linux/arm/v6/hello), or else its header. " +
		"Under QEMU the CPU is the platform's baseline: an instruction that it does not promise is an illegal instruction here. " +
		"A name that is no file here is that of a program in dist.\n\n" +
		"Example: xbuild run -p linux/arm64 dist/linux/arm64/hello\n         xbuild run -p linux/s390x --node 20 index.js"
}

// Run runs the program or its emulator, and ends as that ends. Where a crash ends it, it says why.
func (c *RunCmd) Run(g *Globals) error {
	r, err := engine.Run(g.ctx, g.options(), engine.RunRequest{
		Platform: c.Platform, Emulate: c.Emulate, Node: c.Node, Sysroot: c.Sysroot, Command: behindDashes(c.Command),
	})
	if err != nil {
		return err
	}
	if r.Script {
		return replace(r.Args, nil)
	}
	g.handOver()
	return watch(r)
}
