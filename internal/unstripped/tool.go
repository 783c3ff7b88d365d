package unstripped

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Tool does what a view's tool was called for, after it kept what the tool takes away. It becomes the tool, or returns
// the exit code of the last program that it ran.
func Tool(ctx context.Context, dir, tool string, args []string) (int, error) {
	if filepath.Base(tool) == "ld.lld" {
		return link(ctx, dir, tool, args)
	}
	// Of a command line of strip or objcopy every word that names a program is one to keep: which are options, and
	// which
	// of those have a value, need not be known.
	for _, a := range expand(args, 0) {
		if err := Keep(dir, a); err != nil {
			return 0, fmt.Errorf("keep %s for the audit, before %s strips it: %w", a, filepath.Base(tool), err)
		}
	}
	return 0, become(tool, args)
}

func become(tool string, args []string) error {
	return fmt.Errorf("%s: %w", tool, syscall.Exec(tool, append([]string{tool}, args...), os.Environ()))
}

// A wish is what a linker's command line says of symbols.
type wish struct {
	args    []string // those that link with symbols
	output  string
	objcopy []string // the options of llvm-objcopy that take the symbols away; none where the linker need not be stopped
}

// wishOf reads a command line of lld (lld/ELF/Options.td, lld/MinGW/Options.td): long options have one dash or two, but
// for those that begin with an o; of -s and -S the last counts.
func wishOf(args []string) wish {
	w := wish{output: "a.out"}
	var all, locals, windows, other bool
	args = expand(args, 0)
	for i, a := range args {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case slices.Contains(StripAll, a):
			all = true
		case slices.Contains([]string{"-S", "-strip-debug", "--strip-debug"}, a):
			all = false
		case slices.Contains(DiscardAll, a):
			locals = true
		case a == "-m": // i386pe, i386pep, thumb2pe, arm64pe
			windows = strings.HasSuffix(value, "pe") || strings.HasSuffix(value, "pep")
		case a == "-o" || a == "--output":
			w.output = value
		case strings.HasPrefix(a, "--output="):
			w.output = strings.TrimPrefix(a, "--output=")
		case strings.HasPrefix(a, "-o"):
			w.output = a[2:]
		case slices.Contains([]string{"-r", "-relocatable", "--relocatable", "-q", "-emit-relocs", "--emit-relocs"}, a):
			other = true // what comes out is linked again, or needs its symbols: lld says itself what it makes of that
		}
	}
	if windows && w.output == "a.out" {
		w.output = "a.exe"
	}
	switch {
	case other:
	case all && windows:
		w.objcopy = []string{"--strip-all"}
	case all: // as the linker does it: .comment stays
		w.objcopy = []string{"--strip-all-gnu"}
	case locals && !windows:
		w.objcopy = []string{"--discard-all"}
	}
	for _, a := range args {
		switch {
		case all && slices.Contains(StripAll, a):
			a = "-S" // debug information is of no use to the audit
		case !windows && slices.Contains(DiscardAll, a):
			continue
		}
		w.args = append(w.args, a)
	}
	return w
}

// The linker's options that take away what the audit wants. A view's ld calls Tool where it sees one of these words, or
// a response file.
var (
	StripAll   = []string{"-s", "-strip-all", "--strip-all"}
	DiscardAll = []string{"-x", "-discard-all", "--discard-all"}
)

// link links with symbols, keeps what came out, and takes them away as the command line says.
func link(ctx context.Context, dir, lld string, args []string) (int, error) {
	w := wishOf(args)
	if w.objcopy == nil {
		return 0, become(lld, args)
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "@") }) {
		file, err := responseFile(w.args)
		if err != nil {
			return 0, err
		}
		defer os.Remove(file)
		w.args = []string{"@" + file}
	}
	before, _ := os.Stat(w.output)
	if code, err := run(ctx, lld, w.args...); code != 0 || err != nil {
		return code, err
	}
	after, err := os.Stat(w.output)
	if err != nil || before != nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) {
		return 0, nil // lld was asked for its version, say, and linked nothing
	}
	if c, err := read(w.output); errors.Is(err, errOther) || err == nil && c.symbols == 0 {
		return 0, nil // /dev/null, or a raw image
	}
	if err := Keep(dir, w.output); err != nil {
		return 0, fmt.Errorf("keep %s for the audit, before its symbols are taken away: %w", w.output, err)
	}
	return run(ctx, filepath.Join(filepath.Dir(lld), "llvm-objcopy"), append(w.objcopy, w.output)...)
}

func run(ctx context.Context, program string, args ...string) (int, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// responseFile writes a response file: a command line that came in such a file may be longer than the kernel takes.
func responseFile(args []string) (string, error) {
	f, err := os.CreateTemp("", "xbuild-*.rsp")
	if err != nil {
		return "", err
	}
	for _, a := range args {
		fmt.Fprintf(f, "\"%s\"\n", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a))
	}
	return f.Name(), f.Close()
}
