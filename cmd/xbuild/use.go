package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/crash"
	"xbuild/internal/emulate"
	"xbuild/internal/env"
	"xbuild/internal/execute"
	"xbuild/internal/inspect"
	"xbuild/internal/lang/golang"
	"xbuild/internal/lang/node"
	"xbuild/internal/lang/rust"
	"xbuild/internal/lang/table"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// OnePlatform is the flag that chooses one platform.
type OnePlatform struct {
	Platform string `short:"p" placeholder:"PLATFORM" help:"The platform in any spelling, a glibc floor as suffix (default: TARGETPLATFORM, else the host's)." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
}

// environment is what makes any build system build for a platform; path goes in front of PATH. With cargo, what cargo
// needs is in it too; cargoAlone says that nothing else will read it.
func (s *session) environment(p platform.Platform, cargo, cargoAlone bool) (e env.Environment, path []string, err error) {
	s.fetches = "xbuild fetch --exec"
	cfg := s.Project.Config(p)
	b, err := s.Baseline(p)
	if err != nil {
		return nil, nil, err
	}
	var v compose.View
	if p.HasSysroot() {
		if v, err = s.view(p); err != nil {
			return nil, nil, err
		}
		settings := env.Settings{CFlags: cfg.CFlags, CXXFlags: cfg.CXXFlags, LDFlags: cfg.LDFlags, Static: p.Static}
		e = env.ForC(v, settings, s.self)
		for _, kv := range env.ForPages(v.Platform) {
			if own := os.Getenv(kv.Name); own != "" {
				e.Set(kv.Name, own) // the caller knows on which kernels it is to run
			}
		}
		path = append(path, v.Bin())
		if !cargoAlone {
			host, err := s.hostEnvironment(p, v, settings)
			if err != nil {
				return nil, nil, err
			}
			e = e.Merge(host)
		}
		var more []string
		if cargo && p.Rust != "" {
			if e, more, err = s.cargoEnvironment(p, v, settings, e, cargoAlone); err != nil {
				return nil, nil, err
			}
		}
		// Toolchains that the project names are at hand too.
		for name := range s.Project.Toolchains {
			if name == "clang" || name == "pkgconf" || name == "rust" && cargo || s.Project.Toolchains[name].Source == "host" {
				continue
			}
			t, err := s.toolchain(name, p)
			if err != nil {
				return nil, nil, err
			}
			path = append(path, t.Bin())
		}
		slices.Sort(path[1:])
		if cargoAlone {
			path = append(more, path...) // cc and ar without a name in front are the host's there
		} else {
			path = append(path, more...)
		}
	}
	if v.Key != "" {
		path = append(path, v.Absent())
	}
	if p.GOOS != "" {
		e = e.Merge(golang.Environment(p, b))
		if p.HasSysroot() {
			e.Set("CGO_ENABLED", "1")
		} else {
			e.Set("CGO_ENABLED", "0")
		}
	}
	return e.With(cfg.Env), path, nil
}

// hostEnvironment is what compiles for the host beside a platform's view.
func (s *session) hostEnvironment(p platform.Platform, v compose.View, settings env.Settings) (env.Environment, error) {
	req, err := s.RequireHostView(p)
	if err != nil {
		return nil, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return nil, err
	}
	host, err := s.HostView(p)
	if err != nil {
		return nil, err
	}
	plain := host.Plain(s.store.Dir())
	var set compose.Set
	set.View(host)
	set.View(plain)
	return table.ForHost(v, host, plain, settings, os.Getenv("MAKEFLAGS")), s.composer().All(s.ctx, set)
}

// cargoEnvironment adds to a platform's environment what cargo needs, and returns the directories of its programs.
func (s *session) cargoEnvironment(p platform.Platform, v compose.View, settings env.Settings, e env.Environment, alone bool) (env.Environment, []string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	if err := rust.Release(s.Project, dir); err != nil {
		return nil, nil, err
	}
	if !slices.Contains(s.crateDirs, dir) {
		s.crateDirs = append(s.crateDirs, dir)
	}
	req, names, err := s.RequireRecipe("rust", dir, p)
	if err != nil {
		return nil, nil, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return nil, nil, err
	}
	c, err := rust.For(&s.Tools, p)
	if err != nil {
		return nil, nil, err
	}
	var set compose.Set
	set.View(c.Host)
	if c.Rust.Key != "" {
		set.RustView(c.Rust)
	}
	path := c.Path()
	for _, name := range names {
		if name == "rust" || name == "clang" || name == "pkgconf" || s.Project.Toolchains[name].Source == "host" {
			continue
		}
		t, err := s.Toolchain(name, p)
		if err != nil {
			return nil, nil, err
		}
		set.Toolchain(t)
		path = append(path, t.Bin())
		e = e.With(t.Env())
	}
	if alone {
		e = rust.ForCargo(e, v, c.Host, settings)
	}
	e = rust.WithCargo(e, v, c.Host, settings, rust.RustFlags(v, c.Baseline, c.Rust.Rust.Version, settings), s.callerFlags()).Merge(c.Env)
	return e, path, s.composed(set, s.executeOptions(0))
}

// callerFlags are the caller's own flags for rustc.
func (s *session) callerFlags() env.Environment {
	return env.Environment{{Name: "RUSTFLAGS", Value: os.Getenv("RUSTFLAGS")}, {Name: "CARGO_ENCODED_RUSTFLAGS", Value: os.Getenv("CARGO_ENCODED_RUSTFLAGS")}}
}

// usesCargo tells whether a project builds with cargo.
func (s *session) usesCargo() bool {
	_, named := s.Project.Toolchains["rust"]
	return named || slices.ContainsFunc(s.Project.Targets, func(t project.Target) bool { return t.Recipe == "rust" })
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
	s, err := g.open(false)
	if err != nil {
		return err
	}
	p, err := s.one(c.Platform)
	if err != nil {
		return err
	}
	e, path, err := s.environment(p, s.usesCargo(), false)
	if err != nil {
		return err
	}
	if c.Format == "make" {
		e.Unset("MAKEFLAGS") // make's own, once it reads a file; HOSTCC and its like are there by themselves
	}
	text, err := e.Format(c.Format, strings.Join(path, ":"))
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
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return usageError{fmt.Errorf("exec: no command")}
	}
	s, err := g.open(false)
	if err != nil {
		return err
	}
	if err := s.store.Keep(s.ctx); err != nil {
		return err
	}
	p, err := s.one(c.Platform)
	if err != nil {
		return err
	}
	_, cargo := s.Catalog.Toolchain("rust").Programs[command[0]]
	e, path, err := s.environment(p, cargo || s.usesCargo(), cargo)
	if err != nil {
		return err
	}
	if cargo && s.inProject {
		e.Set("XBUILD_PROJECT", s.Project.Dir) // cargo starts the runner in the directory of a package, which may lie outside
	}
	for _, name := range providers(s, command[0]) {
		t, err := s.toolchain(name, p)
		if err != nil {
			return err
		}
		path = append(path, t.Bin())
	}
	os.Setenv("PATH", strings.Join(append(path, os.Getenv("PATH")), ":"))
	for _, name := range env.Astray {
		os.Unsetenv(name)
	}
	if asked := s.Project.Toolchains["go"]; asked.Source != "host" {
		os.Setenv("GOTOOLCHAIN", golang.Release(asked, os.Getenv("GOTOOLCHAIN"))) // as go build of a target has it
	}
	for _, v := range e { // after that: a project may set one of them
		os.Setenv(v.Name, v.Value)
	}
	return replace(command)
}

// providers are the toolchains that bring a program, with those that it works with.
func providers(s *session, program string) []string {
	if strings.Contains(program, "/") {
		return nil
	}
	for _, t := range s.Catalog.Toolchains {
		if _, ok := t.Programs[program]; ok && t.Provides == "" && t.Name != "clang" && t.Name != "pkgconf" && t.Name != "rust" {
			if _, named := s.Project.Toolchains[t.Name]; named {
				return nil // at hand already, or the host's by the user's word
			}
			if t.Name == "cmake" {
				return []string{"cmake", "ninja", "make"}
			}
			return []string{t.Name}
		}
	}
	return nil
}

// replace starts a program in place of this process, so that its exit code and its signals are the caller's.
func replace(argv []string) error {
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
	s, err := g.load(false)
	if err != nil {
		return err
	}
	p, err := s.one(c.Platform)
	if err != nil {
		return err
	}
	cfg := s.Project.Config(p)
	if c.CPU != "" {
		cfg.CPU = c.CPU
	}
	b, err := p.Baseline(cfg.CPU, append(slices.Clone(cfg.Features), c.Features...))
	if err != nil {
		return usageError{err}
	}
	switch c.Lang {
	case "rust":
		release := "" // any, where the lock does not hold one yet
		if rust, err := s.Toolchain("rust", p); err == nil {
			release = rust.Version
		}
		fmt.Println(strings.Join(b.RustFlags(release), " "))
	case "go":
		fmt.Println(strings.Join(b.GoEnv(), "\n"))
	default:
		fmt.Println(strings.Join(b.CFlags(), " "))
	}
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
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if c.Node != "" {
		return c.node(g, command)
	}
	if len(command) == 0 {
		return usageError{fmt.Errorf("run: no program")}
	}
	// Absolute, because a loader takes a name without a slash for a library's.
	path, err := filepath.Abs(command[0])
	if err != nil {
		return err
	}
	program, err := emulate.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(command[0], "/") {
		if path, err = c.built(g, command[0]); err != nil {
			return err
		}
		program, err = emulate.Open(path)
	}
	if errors.Is(err, emulate.ErrNotELF) {
		if err := c.scriptOfNode(path, command[0]); err != nil {
			return err
		}
	}
	if errors.Is(err, emulate.ErrNotELF) && inspect.Script(path) {
		return replace(append([]string{path}, command[1:]...)) // its interpreter is the host's
	}
	if err != nil {
		return err
	}
	if g.Dir == "" && g.ProjectDir == "" {
		g.ProjectDir = projectOf(path)
	}
	s, err := g.open(false)
	if err != nil {
		return err
	}
	if err := s.store.Keep(s.ctx); err != nil {
		return err
	}
	var p platform.Platform
	if c.Platform == "" {
		p, err = program.Platform()
	} else {
		p, err = s.one(c.Platform)
	}
	if err != nil {
		return err
	}
	if !program.Matches(p) {
		return fmt.Errorf("%s is for %v %v %v, not for %s", command[0], program.Machine, program.Class, program.Data, p.Name)
	}
	sysroot := c.Sysroot
	if sysroot == "" && program.Interp != "" && p.HasC() {
		root, err := s.sysroot(p)
		if err != nil {
			return err
		}
		sysroot = root.Dir
	}
	return s.run(p, program, sysroot, command[1:], c.Emulate)
}

// built is the file of a program that the project here has built, by its name.
func (c *RunCmd) built(g *Globals, name string) (string, error) {
	s, err := g.load(false)
	if err != nil {
		return "", err
	}
	if !s.inProject {
		return "", fmt.Errorf("no file %s here, and no %s whose programs it could be one of", name, project.FileName)
	}
	p, err := s.one(c.Platform)
	if err != nil {
		return "", err
	}
	dist := s.Project.DistDir()
	all, err := execute.ReadArtifacts(dist)
	if err != nil {
		return "", err
	}
	var found, others []string
	for _, a := range all {
		switch file := relative(filepath.Join(dist, filepath.FromSlash(a.Path))); {
		case filepath.Base(a.Path) != name:
		case a.Platform == p.Name:
			found = append(found, file)
		default:
			others = append(others, a.Platform)
		}
	}
	switch {
	case len(found) == 1:
		return filepath.Abs(found[0])
	case len(found) > 1:
		return "", fmt.Errorf("no file %s here, and %s has several for %s: name one of %s",
			name, relative(dist), p.Name, strings.Join(found, ", "))
	case len(others) > 0:
		return "", fmt.Errorf("no file %s here, and %s has none for %s, but for %s\n"+
			"hint: xbuild build -p %s builds it, where the target has that platform; -p of run chooses another",
			name, relative(dist), p.Name, strings.Join(others, ", "), p.Name)
	}
	return "", fmt.Errorf("no file %s here, and none of that name in %s\n"+
		"hint: xbuild build -p %s builds what the project has; %s/artifacts.json then lists the files",
		name, relative(dist), p.Name, relative(dist))
}

// scriptOfNode refuses a script of Node.js that is to run on a platform: the host's node would run it with the host's
// process.arch and without the platform's native modules. Tests are told apart: those that are scripts run on the host
// (docs/test.md).
func (c *RunCmd) scriptOfNode(path, name string) error {
	byName := slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(path)) && !inspect.Script(path)
	if !byName && !slices.Contains([]string{"node", "nodejs"}, inspect.Interpreter(path)) {
		return nil
	}
	p := c.Platform
	if folder, ok := emulate.Folder(path, func(platform.Platform) bool { return true }); p == "" && ok {
		p = folder.Name
	}
	if !byName && (p == "" || os.Getenv("XBUILD_DIST") != "") {
		return nil
	}
	with := ""
	if p != "" {
		with = " -p " + p
	}
	return fmt.Errorf("%s is a script of Node.js, and no program of a platform\nhint: xbuild run%s --node 24 %s runs it in the platform's Node.js, of the version that --node says", name, with, name)
}

// projectOf is the folder of the project that a program lies in, for who stands in none: its sysroot has the libraries
// that the program was built with. "" is none.
func projectOf(program string) string {
	if _, err := project.Find("."); err == nil {
		return ""
	}
	file, err := project.Find(filepath.Dir(program))
	if err != nil {
		return ""
	}
	return filepath.Dir(file)
}

// node runs the platform's Node.
func (c *RunCmd) node(g *Globals, args []string) error {
	s, err := g.open(false)
	if err != nil {
		return err
	}
	if err := s.store.Keep(s.ctx); err != nil {
		return err
	}
	p, err := s.one(c.Platform)
	if err != nil {
		return err
	}
	if _, err := semver.NewConstraint(c.Node); err != nil {
		return usageError{fmt.Errorf("--node %q is no version (such as 24, 22.14.0 or ^20.11)", c.Node)}
	}
	in := action.NodeTest{Range: c.Node}
	s.fetches = "xbuild run --node " + c.Node
	req, err := node.Require(&s.Tools, p, in)
	if err != nil {
		return err
	}
	if err := s.resolved(req, false, false); err != nil {
		return err
	}
	n, err := node.Locked(&s.Tools, p, in)
	if err != nil {
		return err
	}
	if err := s.composer().All(s.ctx, compose.Set{Sysroots: []compose.Sysroot{n.Tree, n.Root}}); err != nil {
		return err
	}
	program, err := emulate.Open(n.Program)
	if err != nil {
		return err
	}
	return s.run(p, program, cmp.Or(c.Sysroot, n.Root.Dir), args, c.Emulate)
}

// run runs a program of a platform, or its emulator, in this process's place.
func (s *session) run(p platform.Platform, program emulate.Program, sysroot string, args []string, always bool) error {
	b, err := s.Baseline(p)
	if err != nil {
		return err
	}
	emulated, err := emulate.Choose(s.Host, p, b, always)
	if err != nil {
		return err
	}
	subject := crash.Subject{Program: program.Path, Sysroot: sysroot, Platform: p, Baseline: b, Emulated: emulated}
	if !emulated {
		s.handOver()
		return watch(emulate.Direct(program, sysroot, p, args), subject)
	}
	qemu, err := s.toolchain("qemu", p)
	if err != nil {
		return err
	}
	argv, err := emulate.Emulated(program, qemu.Bin(), sysroot, p, b, args)
	if err != nil {
		return err
	}
	s.handOver()
	return watch(argv, subject)
}

// sysroot locks, fetches and composes a platform's sysroot.
func (s *session) sysroot(p platform.Platform) (compose.Sysroot, error) {
	req, err := s.RequireSysroot(p)
	if err != nil {
		return compose.Sysroot{}, err
	}
	if err := s.resolved(req, false, false); err != nil {
		return compose.Sysroot{}, err
	}
	root, err := s.Sysroot(p)
	if err != nil {
		return root, err
	}
	return root, s.composer().All(s.ctx, compose.Set{Sysroots: []compose.Sysroot{root}})
}

// StoreCmd is xbuild store.
type StoreCmd struct {
	Info   StoreInfoCmd   `cmd:"" help:"Say where the store is and what it holds."`
	Verify StoreVerifyCmd `cmd:"" help:"Check every file and tree against its hashes."`
	GC     StoreGCCmd     `cmd:"" name:"gc" help:"Remove what was not used for a time."`
}
