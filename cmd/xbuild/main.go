// Command xbuild builds C, C++, Go, Rust and Node.js projects for every platform on one machine, without emulation.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"xbuild/internal/answer"
	"xbuild/internal/engine"
	"xbuild/internal/execute"
	"xbuild/internal/guard"
	"xbuild/internal/unstripped"
)

// version is set by the linker (-X main.version=…).
var version = "development"

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// CLI is the command line.
type CLI struct {
	Globals

	Build      BuildCmd      `cmd:"" help:"Build targets for platforms into dist/."`
	Test       TestCmd       `cmd:"" help:"Build targets and run their tests on every platform."`
	Run        RunCmd        `cmd:"" help:"Run a program of a platform: by itself where the host can, else under QEMU."`
	Inspect    InspectCmd    `cmd:"" help:"Say what a binary is and needs, and whether a platform runs it."`
	Exec       ExecCmd       `cmd:"" help:"Run a command whose compilers build for a platform."`
	Bench      BenchCmd      `cmd:"" help:"Measure targets: seconds where the host runs them, instructions where QEMU does."`
	Binfmt     BinfmtCmd     `cmd:"" help:"Let the kernel start programs of other machines under QEMU."`
	Debug      DebugCmd      `cmd:"" help:"Debug a program of a platform, under QEMU or on a remote machine."`
	Env        EnvCmd        `cmd:"" help:"Print the environment that makes any build system build for a platform."`
	Flags      FlagsCmd      `cmd:"" help:"Print the compiler flags of a platform's baseline."`
	Lock       LockCmd       `cmd:"" help:"Write xbuild.lock: the exact files behind every toolchain and sysroot in use."`
	Fetch      FetchCmd      `cmd:"" help:"Fetch all that a later build with --offline needs."`
	Plan       PlanCmd       `cmd:"" help:"Print what a build would do, as JSON."`
	Platforms  PlatformsCmd  `cmd:"" help:"List the platforms."`
	Toolchains ToolchainsCmd `cmd:"" help:"List the toolchains."`
	Sysroots   SysrootsCmd   `cmd:"" help:"List the sysroots."`
	Recipes    RecipesCmd    `cmd:"" help:"List the recipes and their options."`
	Store      StoreCmd      `cmd:"" help:"Look after the store of fetched and composed things."`
	Cache      CacheCmd      `cmd:"" help:"Look after the results of builds that the store keeps."`
	Version    VersionCmd    `cmd:"" help:"Print the version."`
}

// An exitError carries the exit code of a child.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	collectLater()
	alone := guard.Worker()
	question, watched := answer.Handed()
	if alone == nil && !watched && len(args) > 0 && args[0] == "build" {
		if answered(args) {
			return 0
		}
	}
	if dir := os.Getenv(unstripped.Variable); dir != "" && len(args) > 1 && args[0] == "unstripped" {
		return stripped(dir, args[1], args[2:]) // no command of a user's: the tools of a build call it
	}
	// A variable that is empty says nothing, as one that is not set: CI systems and Dockerfiles pass on what may have
	// no value.
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if value == "" && (strings.HasPrefix(name, "XBUILD_") || name == "TARGETPLATFORM") {
			os.Unsetenv(name)
		}
	}
	below := alone != nil || watched // who started this process has begun already
	dir, err := enter(args, below)
	if err != nil {
		report(err)
		return exitFailed
	}
	if !below && len(args) > 0 && slices.Contains(working, args[0]) {
		// The worker reads the command line, and says what is wrong with it.
		if code, ok := guard.Work(); ok {
			execute.SweepTemporary(os.TempDir())
			return code
		}
	}
	var cli CLI
	parsed := parseOne(&cli, args)
	if parsed == nil {
		cli = CLI{}
		var code int
		if parsed, code = parse(&cli, args); parsed == nil {
			return code
		}
	}
	cli.Dir, cli.watched = dir, watched
	if alone != nil {
		cli.question = question
	}
	if !below && slices.Contains(working, strings.Fields(parsed.Command())[0]) {
		if code, ok := guard.Work(); ok {
			execute.SweepTemporary(os.TempDir())
			return code
		}
	}
	ctx, stop := interruptible(alone)
	cli.ctx, cli.handOver = ctx, stop
	err = parsed.Run(&cli.Globals)
	stop()
	if alone != nil {
		guard.EndBelow() // what a build leaves running would write into the next one
	}
	return exitCode(ctx, err)
}

// parseOne reads the command line by a model of the one command that it begins with: that of all of them costs what
// most of a short command does. It is nil where that is not all there is to it, as where help is asked for or something
// is wrong: then all commands have a say.
func parseOne(cli *CLI, args []string) *kong.Context {
	if len(args) == 0 || slices.ContainsFunc(args, mayAsk) {
		return nil
	}
	v := reflect.ValueOf(cli).Elem()
	f, ok := v.Type().FieldByNameFunc(func(name string) bool { return strings.ToLower(name) == args[0] })
	if _, command := f.Tag.Lookup("cmd"); !ok || !command {
		return nil
	}
	command := v.FieldByIndex(f.Index).Addr().Interface()
	parser, err := kong.New(&cli.Globals, vars, kong.Name("xbuild"), kong.NoDefaultHelp(),
		kong.DynamicCommand(args[0], "", "", command))
	if err != nil {
		return nil
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil
	}
	return parsed
}

// mayAsk says that an argument may ask for help: --help, or -h alone or among other letters.
func mayAsk(arg string) bool {
	return arg == "--help" || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "h")
}

// parse reads the command line by a model of all commands. Where there is nothing to run, parsed is nil, and code what
// this process ends with.
func parse(cli *CLI, args []string) (parsed *kong.Context, code int) {
	code = -1
	parser, err := newParser(cli,
		kong.Name("xbuild"),
		kong.Description("Builds C, C++, Go, Rust and native Node.js modules for every platform on one machine, without emulation.\n\nxbuild.toml says what to build; docs/xbuild-toml.md is its reference."),
		kong.UsageOnError(),
		kong.Exit(func(c int) { code = c }),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "xbuild:", err)
		return nil, exitFailed
	}
	parsed, err = parser.Parse(args)
	if code >= 0 {
		return nil, code // --help was answered
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "xbuild:", err)
		fmt.Fprintln(os.Stderr, "xbuild: hint: run \"xbuild --help\"")
		return nil, exitUsage
	}
	return parsed, 0
}

// answered answers a command that finds nothing to do, where it did so the last time and nothing has changed since. If
// it cannot, it hands the question on to the worker.
func answered(args []string) bool {
	dir, err := engine.AnswersDir()
	if err != nil {
		return false
	}
	q, err := answer.Ask(dir, args)
	if err != nil {
		return false
	}
	text, ok := q.Given()
	if ok {
		os.Stderr.WriteString(text)
		return true
	}
	q.HandOn()
	return false
}

// exitCode says what a command's error is, and returns the code that this process ends with.
func exitCode(ctx context.Context, err error) int {
	var exit exitError
	var by interrupted
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, new(engine.RequestError)):
		report(err)
		return exitUsage
	case errors.As(context.Cause(ctx), &by):
		fmt.Fprintln(os.Stderr, "xbuild: interrupted")
		return by.code()
	}
	report(err)
	return exitFailed
}

// collectLater puts off the first collection of garbage from 4 MB to 16: most commands are at their end before. From
// the first one on all is as usual.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(400)
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) { debug.SetGCPercent(usual) })
}

// working are the commands that run build systems. They do so in a process of their own (package guard).
var working = []string{"build", "test", "bench", "fetch"}

// interrupted is why a context ended: a signal.
type interrupted struct{ syscall.Signal }

func (i interrupted) Error() string { return "interrupted: " + i.Signal.String() }

func (interrupted) Unwrap() error { return context.Canceled }

// code is the exit code that a shell has for what a signal ends.
func (i interrupted) code() int { return 128 + int(i.Signal) }

// grace is how long this process goes on by itself after a signal: it tidies up mostly in less. What it may compute or
// write for longer, an index that it reads or an archive that it unpacks, is as harmless to end as by kill -9.
const grace = 40 * time.Millisecond

// interruptible returns a context that ends by the first signal that asks this process to end. The process itself ends
// soon after the last of those that it has started: these may take their time. By the second signal, and when the
// process that waits for this one is gone, it ends at once, with all that it has started. stop gives the signals back.
func interruptible(alone <-chan struct{}) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup(1), and what a shell without job control starts in the background
			signal.Notify(signals, s)
		}
	}
	done := make(chan struct{})
	go func() {
		// What has failed because it was ended is told from other failures by the context, which therefore ends first.
		end := func(by interrupted) {
			cancel(by)
			guard.EndBelow()
			time.Sleep(500 * time.Millisecond) // mostly all ends by itself then, and tidies up
			os.Exit(by.code())
		}
		again := false
		var alive time.Time // when something that was started was last seen to run
		var look <-chan time.Time
		var by interrupted
		for {
			select {
			case s := <-signals:
				by = interrupted{s.(syscall.Signal)}
				if again {
					end(by)
				}
				cancel(by)
				if again = true; alone != nil {
					guard.AskBelow()
				}
				alive, look = time.Now(), time.Tick(grace/4)
			case <-look:
				switch {
				case guard.Busy():
					alive = time.Now()
				case time.Since(alive) > grace:
					if term.IsTerminal(int(os.Stderr.Fd())) {
						fmt.Fprint(os.Stderr, "\r\x1b[K") // the line of progress
					}
					os.Exit(exitCode(ctx, by))
				}
			case <-alone:
				end(interrupted{syscall.SIGKILL})
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
	})
}

func newParser(cli *CLI, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append(options, vars)...)
}

var vars = kong.Vars{"formats": "sh,fish,json,dotenv,make"}

// enter goes to the directory that -C names, before anything else is read: every path is then one as seen from there.
// It returns the directory, "" where none is named. A worker is there already: who waits for it went there.
func enter(args []string, worker bool) (string, error) {
	// Reading the command line costs what most of the rest of a short command does: once, where nothing can name one.
	if os.Getenv("XBUILD_DIRECTORY") == "" && !slices.ContainsFunc(args, mayName) {
		return "", nil
	}
	var cli CLI
	parser, err := newParser(&cli, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		return "", err
	}
	parser.Parse(args) // what is wrong with them is said when they are read for good
	if cli.Dir == "" {
		return "", nil
	}
	if worker {
		return os.Getwd()
	}
	if err := os.Chdir(cli.Dir); err != nil {
		return "", fmt.Errorf("-C: %w", err)
	}
	os.Unsetenv("XBUILD_PROJECT") // whose project it names is another's, who started this from a test for one
	// Whoever is started here, and make's $(PWD), asks for it; and one that is relative leads elsewhere now.
	os.Setenv("PWD", cli.Dir)
	if os.Getenv("XBUILD_DIRECTORY") != "" {
		os.Setenv("XBUILD_DIRECTORY", cli.Dir)
	}
	return cli.Dir, nil
}

// mayName says that an argument may be -C, alone or behind other letters, or --directory.
func mayName(arg string) bool {
	short := strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--")
	return strings.HasPrefix(arg, "--d") || short && strings.Contains(arg, "C")
}

// stripped runs a tool of a build that strips, after what it takes away was kept.
func stripped(dir, tool string, args []string) int {
	ctx, stop := interruptible(nil)
	defer stop()
	code, err := unstripped.Tool(ctx, dir, tool, args)
	if err != nil {
		report(err)
		return exitFailed
	}
	return code
}

func report(err error) {
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintln(os.Stderr, "xbuild:", line)
	}
}
