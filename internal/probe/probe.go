// Package probe reads what was said of the programs that build systems compile to learn what a platform has: clang's
// own list of what it refused, and the logs of configure scripts, CMake and Meson, which have such a program's name,
// source and command line. It runs nothing.
package probe

import (
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/shell"

	"xbuild/internal/lazyregexp"
)

// A Test is a program that was compiled to learn something and did not compile, as a log tells it.
type Test struct {
	Name    string // what the log says it is for
	Line    int    // of the log, where it speaks of it
	Dir     string // where the compiler ran
	Command []string
	// Of a source that is gone, its text and the word of Command that named it.
	File, Source string
	// Of CMake, whose directories stay: the command that builds it, in Dir, whose last word is ninja's target.
	Ninja []string
	// Meson gives this flag, and takes it back for GCC: there it is no part of the command.
	Added  string
	Output string // what was printed
}

// Formats are the readers of logs by the names that recipes use. A reader gets a log's text and its directory, and
// returns the tests that failed and whose question no later test answered with yes.
var Formats = map[string]func(text, dir string) []Test{"autoconf": Autoconf, "cmake": CMake, "meson": Meson}

var (
	traced   = lazyregexp.New(`^[^\s:|]+:(\d+): (.*)$`)
	conftest = lazyregexp.New(`^conftest\.[A-Za-z]+$`)
)

// Autoconf reads a config.log (Autoconf's manual, "config.log"): lines "configure:LINE: …" say what is checked, the
// command, its status and the result; after a command that failed stands the program, each line behind "| " (before
// release 2.50 behind nothing).
func Autoconf(text, dir string) []Test {
	lines := strings.Split(text, "\n")
	var out, block []Test // block: those of the check that goes on
	checking := ""
	command, output, start := "", []string(nil), 0
	passed := false
	flush := func() {
		if !passed {
			out = append(out, block...)
		}
		block, passed = nil, false
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasSuffix(line, ": failed program was:") {
			source, end := failedProgram(lines, i+1)
			i = end - 1
			words := strings.Fields(command) // the shell has split it so, and never read its quotes
			t := Test{Name: checking, Line: start, Dir: dir, Source: source, Output: strings.Join(output, "\n")}
			for len(words) > 0 && strings.HasSuffix(words[len(words)-1], ">&5") {
				words = words[:len(words)-1]
			}
			for _, w := range words {
				if conftest.MatchString(w) && !strings.HasSuffix(w, ".o") {
					t.File = w
				}
			}
			t.Command = words
			block, passed = append(block, t), false
			continue
		}
		m := traced.FindStringSubmatch(line)
		if m == nil {
			output = append(output, line)
			continue
		}
		switch what := m[2]; {
		case strings.HasPrefix(what, "checking "):
			flush()
			checking = what
		case strings.HasPrefix(what, "result: "):
			passed = passed && what != "result: no" // something else in it was compiled
			flush()
		case strings.HasPrefix(what, "$? = "):
			passed = passed || len(block) > 0 && what == "$? = 0"
		default:
			command, output, start = what, nil, i+1
		}
	}
	flush()
	return out
}

// failedProgram is the program that begins at a line of a config.log, and the line behind it.
func failedProgram(lines []string, from int) (string, int) {
	quoted := from < len(lines) && strings.HasPrefix(lines[from], "|")
	var source []string
	i := from
	for ; i < len(lines); i++ {
		line := lines[i]
		if quoted {
			if !strings.HasPrefix(line, "|") {
				break
			}
			line = strings.TrimPrefix(strings.TrimPrefix(line, "|"), " ")
		} else if traced.MatchString(line) {
			break
		}
		source = append(source, line)
	}
	return strings.Join(source, "\n") + "\n", i
}

var (
	runBuild = lazyregexp.New(`Run Build Command\(s\): ?(.*?)(?: && .*)?$`)
	changed  = lazyregexp.New(`Change Dir: '?([^'\n]+?)'?$`)
	variable = lazyregexp.New(`(?m)^ *variable: "([^"]+)"`)
	checks   = lazyregexp.New(`(?m)^ *checks: *\n *- "([^"\n]+)"`)
	exitCode = lazyregexp.New(`(?m)^ *exitCode: (\d+)`)
)

// CMake reads a CMakeConfigureLog.yaml (cmake-configure-log(7)) or, of releases before 3.26, a CMakeError.log. The
// program itself is in neither: its directory is there where cmake ran with --debug-trycompile.
func CMake(text, _ string) []Test {
	type event struct {
		name, key string
		line      int
		body      string
		failed    bool
	}
	var events []event
	line := 1
	if strings.HasPrefix(text, "\n---") || strings.HasPrefix(text, "---") {
		for _, body := range strings.SplitAfter(text, "\n  -\n") {
			e := event{line: line, body: body}
			line += strings.Count(body, "\n")
			if !strings.Contains(body, "try_compile-v") && !strings.Contains(body, "try_run-v") {
				continue
			}
			if m := variable.FindStringSubmatch(body); m != nil {
				e.key = m[1]
				e.name = m[1]
			}
			if m := checks.FindStringSubmatch(body); m != nil {
				e.name = m[1]
			}
			m := exitCode.FindStringSubmatch(body)
			e.failed = m != nil && m[1] != "0"
			events = append(events, e)
		}
	} else {
		before := ""
		for _, body := range strings.SplitAfter(text, "\nChange Dir: ") {
			at := line
			line += strings.Count(body, "\n")
			if before != "" {
				name, _, _ := strings.Cut(before, " failed with")
				events = append(events, event{name: name, line: at, body: "Change Dir: " + body, failed: true})
			}
			paragraphs := strings.Split(strings.TrimSpace(strings.TrimSuffix(body, "\nChange Dir: ")), "\n")
			before = paragraphs[len(paragraphs)-1]
		}
	}
	var out []Test
	for i, e := range events {
		later := false
		for _, f := range events[i+1:] {
			later = later || e.key != "" && f.key == e.key && !f.failed
		}
		if !e.failed || later {
			continue
		}
		t := Test{Name: e.name, Line: e.line, Output: e.body}
		for _, l := range strings.Split(e.body, "\n") {
			if m := changed.FindStringSubmatch(l); m != nil && t.Dir == "" {
				t.Dir = m[1]
			}
			if m := runBuild.FindStringSubmatch(l); m != nil && t.Ninja == nil {
				t.Ninja = strings.Fields(m[1])
			}
		}
		out = append(out, t)
	}
	return out
}

var mesonCommand = lazyregexp.New("^Command line: `(.*)` -> (\\d+)$")

// Meson reads a meson-log.txt: the code, the command line with its status and what it printed, and behind that what the
// answer was.
func Meson(text, _ string) []Test {
	lines := strings.Split(text, "\n")
	var out []Test
	var t *Test
	var code []string
	in := ""
	for i, line := range lines {
		switch {
		case line == "Running compile:":
			t, code, in = &Test{Line: i + 1}, nil, ""
			continue
		case t == nil:
			continue
		case strings.HasPrefix(line, "Working directory:"):
			t.Dir = strings.TrimSpace(strings.TrimPrefix(line, "Working directory:"))
			continue
		case line == "Code:" && in == "":
			in = "code"
			continue
		case line == "-----------":
			in = "output"
			continue
		}
		if m := mesonCommand.FindStringSubmatch(line); m != nil {
			if m[2] == "0" {
				t = nil
				continue
			}
			t.Source = strings.Join(code, "\n") + "\n"
			if words, err := shell.Fields(m[1], func(string) string { return "" }); err == nil {
				t.Command = words
			}
			for _, w := range t.Command {
				if path.Dir(w) == t.Dir && strings.HasPrefix(path.Base(w), "testfile.") {
					t.File = w
				}
			}
			// mesonbuild/compilers/mixins/clang.py, get_compiler_check_args.
			t.Added = "-Werror=implicit-function-declaration"
			in = "output"
			continue
		}
		switch {
		case in == "code":
			code = append(code, line)
		case strings.HasSuffix(strings.TrimRight(line, " "), ": NO"):
			t.Name = strings.TrimSuffix(strings.TrimRight(line, " "), ": NO")
			out = append(out, *t)
			t = nil
		case t.Command != nil:
			t.Output += line + "\n"
		}
	}
	return out
}

// A Place is where in a source the compiler saw something.
type Place struct {
	File         string // without its directory: it may be a name that a log shortens
	Line, Column int
}

// In tells whether an output has a message of a compilation.
func (r Refusal) In(output string) bool {
	return strings.Contains(output, r.Place.File+":"+strconv.Itoa(r.Line)+":"+strconv.Itoa(r.Column)+": error: "+r.Message)
}
