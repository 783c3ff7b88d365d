package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/disk"
	"xbuild/internal/env"
	"xbuild/internal/inspect"
	"xbuild/internal/probe"
)

// A strictError says that tests of what the platform has failed because clang is stricter than GCC 13 was: the
// program would be built without what they look for.
type strictError struct {
	step  string
	tests []string
	where string
}

func (e *strictError) Error() string {
	const most = 20 // of an old script every test may be one
	tests := e.tests
	if len(tests) > most {
		tests = append(slices.Clone(tests[:most]), fmt.Sprintf("and %d more", len(tests)-most))
	}
	return e.step + ": tests fail for what GCC 13 let pass with a warning, " +
		"and the program would be built as if what they look for were not there:\n  " + strings.Join(tests, "\n  ")
}

func (e *strictError) hint() string {
	return "write lenient = true in " + e.where + ", and its C is configured and compiled as GCC 13 did it; " +
		"or lenient = false, where these tests are to fail"
}

// diagnostics is the file in which clang notes its messages for an action's commands.
func diagnostics(a *action.Action) string {
	return filepath.Join(filepath.Dir(a.State), "diagnostics")
}

// listen makes the compilers of a command note their messages, in whatever build system they run and whatever becomes
// of what they print: LLVM's CC_LOG_DIAGNOSTICS (clang/lib/Driver/Driver.cpp; Clang's options.td,
// "-diagnostic-log-file").
func listen(a *action.Action, e *env.Environment) {
	if a.Strict != nil && (a.Lenient == nil || !*a.Lenient) {
		e.Set("CC_LOG_DIAGNOSTICS", "1")
		e.Set("CC_LOG_DIAGNOSTICS_FILE", diagnostics(a))
	}
}

// strict finds the tests that the steps up to step last compiled, and that failed for nothing but what GCC 13 let pass.
// Each is tried again as GCC 13 would have taken it, from its log where one tells of it. What no log tells of is looked
// for by running a configuring step again, else by the name of the function; but where the steps themselves failed,
// such an error may be why, and is told as any other. The error is a *strictError where a test's answer is another one
// then.
func (r *runner) strict(ctx context.Context, a *action.Action, last int, stepsFailed bool, log *bytes.Buffer) error {
	if a.Strict == nil {
		return nil
	}
	data, err := os.ReadFile(diagnostics(a))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(diagnostics(a)); err != nil {
		return err
	}
	refused, err := probe.Refusals(string(data), a.Strict.Groups)
	if err != nil || len(refused) == 0 {
		return err
	}
	step := a.Steps[last]
	if a.Lenient != nil {
		fmt.Fprintf(log, "xbuild: %s: what GCC 13 let pass with a warning was refused %d times, and lenient = false: %s\n",
			step.Name, len(refused), strings.Join(spoken(refused), ", "))
		return nil
	}
	failed, rest, err := r.logged(ctx, a, refused)
	if err != nil {
		return err
	}
	if len(rest) > 0 && step.Configures {
		ran, lines, err := r.again(ctx, a, last, rest)
		if err != nil {
			return err
		}
		if ran && (stepsFailed || len(lines) > 0) {
			failed = append(append(failed, spoken(rest)...), lines...)
		}
		if ran {
			rest = nil
		}
	}
	if stepsFailed {
		rest = nil
	}
	for _, f := range rest {
		there, err := r.inLibc(ctx, a, f)
		if err != nil {
			return err
		}
		if !there { // nor does GCC find what no library has
			lib := inspect.Defines(a.Sysroot, f.Function())
			if lib == "" {
				continue
			}
			failed = append(failed, fmt.Sprintf("%s of %s (%s:%d)", f, filepath.Base(lib), f.File, f.Line))
			continue
		}
		failed = append(failed, fmt.Sprintf("%s (%s:%d)", f, f.File, f.Line))
	}
	if len(failed) == 0 {
		return nil
	}
	return &strictError{step.Name, dedupe(failed), a.Strict.Where}
}

func spoken(refused []probe.Refusal) []string {
	var out []string
	for _, f := range refused {
		out = append(out, f.String())
	}
	return dedupe(out)
}

func dedupe(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// logged tries the tests again that logs tell of, and returns those that succeed now and the refusals that are of none
// of them, or of one that cannot be tried.
func (r *runner) logged(ctx context.Context, a *action.Action, refused []probe.Refusal) (
	failed []string, rest []probe.Refusal, err error,
) {
	rest = slices.Clone(refused)
	for _, l := range a.Strict.Logs {
		files, err := doublestar.Glob(os.DirFS(a.Build), l.Path, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", l.Path, err)
		}
		for _, name := range files {
			file := filepath.Join(a.Build, name)
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, nil, err
			}
			read := probe.Formats[l.Format](string(data), filepath.Dir(file))
			for _, t := range read {
				i := slices.IndexFunc(rest, func(f probe.Refusal) bool { return f.In(t.Output) })
				if i < 0 {
					continue
				}
				f := rest[i]
				passes, known := r.retry(ctx, a, t, f)
				if ctx.Err() != nil {
					return nil, nil, ctx.Err()
				}
				if !known {
					continue
				}
				rest = slices.Delete(rest, i, i+1)
				if passes {
					failed = append(failed, fmt.Sprintf("%s: %s (%s:%d)", t.Name, f, name, t.Line))
				}
			}
			// What is in the log and was not among the tests was answered by a later one.
			rest = slices.DeleteFunc(rest, func(f probe.Refusal) bool {
				return f.In(string(data)) && !slices.ContainsFunc(read, func(t probe.Test) bool { return f.In(t.Output) })
			})
		}
	}
	return failed, rest, nil
}

// asGCC are the flags with which clang takes C and C++ as GCC 13 did. A name that is not called clang declares too
// where it is one of the C library's, as a test of a declaration has it ("(void) strchr;"), and GCC never: without
// builtins clang is alike.
func asGCC(a *action.Action, refused ...probe.Refusal) []string {
	flags := compose.LenientFlags(a.Strict.Groups)
	named := func(f probe.Refusal) bool { return strings.Contains(f.Message, "library function") }
	if slices.ContainsFunc(refused, named) {
		flags = append(flags, "-fno-builtin")
	}
	return flags
}

// removed is what a compiler says where a test cannot be tried again: a file that it read is not there.
var removed = []string{"no such file or directory", "cannot open "}

// retry compiles a test as GCC 13 would have taken it. It tells whether the test passes now, and whether that is known
// at all.
func (r *runner) retry(ctx context.Context, a *action.Action, t probe.Test, f probe.Refusal) (passes, known bool) {
	tmp, err := os.MkdirTemp(filepath.Dir(a.State), "test-")
	if err != nil {
		return false, false
	}
	defer os.RemoveAll(tmp)
	flags := asGCC(a, f)
	if t.Ninja != nil {
		target := t.Ninja[len(t.Ninja)-1]
		list, err := r.quiet(ctx, a, t.Dir, t.Ninja[0], "-C", t.Dir, "-t", "commands", target)
		if err != nil {
			return false, false
		}
		for _, command := range strings.Split(strings.TrimSpace(list), "\n") {
			if compiler, args, _ := strings.Cut(command, " "); strings.Contains(args, " -c ") {
				command = compiler + " " + strings.Join(flags, " ") + " " + args
			}
			if out, err := r.quiet(ctx, a, t.Dir, "sh", "-c", command); err != nil {
				return false, !lost(out)
			}
		}
		return true, true
	}
	if len(t.Command) == 0 || t.File == "" {
		return false, false
	}
	source := filepath.Join(tmp, filepath.Base(t.File))
	if err := os.WriteFile(source, []byte(t.Source), 0o644); err != nil {
		return false, false
	}
	command := append([]string{t.Command[0]}, flags...)
	args, added := t.Command[1:], t.Added
	for i := 0; i < len(args); i++ {
		switch w := args[i]; {
		case w == "-o":
			i++
		case w == t.File:
			command = append(command, source)
		case w == added:
			added = "" // a second one is the project's
		default:
			command = append(command, w)
		}
	}
	dir := t.Dir
	if _, err := os.Stat(dir); err != nil {
		dir = tmp
	}
	out, err := r.quiet(ctx, a, dir, append(command, "-o", filepath.Join(tmp, "out"))...)
	return err == nil, err == nil || !lost(out)
}

func lost(output string) bool {
	said := func(s string) bool { return strings.Contains(output, s) }
	return slices.ContainsFunc(removed, said) || !said("error:")
}

// quiet runs a command in the environment of an action and returns what it printed.
func (r *runner) quiet(ctx context.Context, a *action.Action, dir string, command ...string) (string, error) {
	c := *a
	c.Strict, c.Apart = nil, true // it is no test of the project's
	var log bytes.Buffer
	err := r.command(ctx, &c, action.Step{Dir: dir, Command: command}, &log)
	_, out, _ := strings.Cut(log.String(), "\n") // the command itself
	return out, err
}

// again runs the steps up to a configuring one in another directory, with a compiler that takes C and C++ as GCC 13
// did. It tells whether they succeed there, and returns the lines that are in what they leave behind and not in what is
// there.
func (r *runner) again(ctx context.Context, a *action.Action, last int, refused []probe.Refusal) (
	ran bool, lines []string, err error,
) {
	dir := filepath.Join(filepath.Dir(a.State), "again")
	if err := disk.RemoveAll(dir); err != nil {
		return false, nil, err
	}
	defer disk.RemoveAll(dir)
	moved := func(s string) string { return strings.ReplaceAll(s, a.Top, dir) }
	c := *a
	c.Strict, c.Apart, c.Env = nil, true, slices.Clone(a.Env)
	for i := range c.Env {
		c.Env[i].Value = moved(c.Env[i].Value)
	}
	// Clang's driver puts what follows a ^ in front of a command's other arguments, where a lenient view has it, and
	// after # it does not say so (Driver.cpp, applyOneOverrideOption).
	override := "#"
	for _, f := range asGCC(a, refused...) {
		override += " ^" + f
	}
	c.Env.Set("CCC_OVERRIDE_OPTIONS", override)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, nil, err
	}
	if a.Copy {
		out := func(path string) bool { return leftOut(a, path) }
		if err := disk.CopyTree(a.Root, dir, out, r.inputs.skip, map[string]string{}); err != nil {
			return false, nil, err
		}
	}
	for _, s := range a.Steps[:last+1] {
		s.Dir, s.WhenMissing, s.Forget = moved(s.Dir), moved(s.WhenMissing), nil
		s.Command, s.Env = slices.Clone(s.Command), slices.Clone(s.Env)
		for i := range s.Command {
			s.Command[i] = moved(s.Command[i])
		}
		var log bytes.Buffer
		if err := r.command(ctx, &c, s, &log); err != nil {
			return false, nil, ctx.Err()
		}
	}
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(file, ".log") {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		now, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		before, err := os.ReadFile(filepath.Join(a.Top, rel))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		now = bytes.ReplaceAll(now, []byte(dir), []byte(a.Top))
		if bytes.Equal(now, before) || bytes.IndexByte(now, 0) >= 0 {
			return nil
		}
		there := strings.Split(string(before), "\n")
		for _, line := range strings.Split(string(now), "\n") {
			if strings.TrimSpace(line) != "" && !slices.Contains(there, line) && len(lines) < 20 {
				lines = append(lines, fmt.Sprintf("%s would have %q", rel, strings.TrimSpace(line)))
			}
		}
		return nil
	})
	return err == nil, lines, err
}

// inLibc tells whether what was refused would have compiled and linked: all but functions that the C library does not
// have.
func (r *runner) inLibc(ctx context.Context, a *action.Action, f probe.Refusal) (bool, error) {
	name := f.Function()
	if name == "" {
		return true, nil
	}
	t := probe.Test{
		Dir: filepath.Dir(a.State), Command: []string{a.Strict.CC, "-w", "name.c", "-lm"},
		File: "name.c", Source: "int main(void) { return " + name + "(); }\n",
	}
	passes, _ := r.retry(ctx, a, t, f)
	return passes, ctx.Err()
}
