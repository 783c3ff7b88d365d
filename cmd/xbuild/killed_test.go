package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowProject is a project whose build does what make does: a program that waits for rules, each a process of its own.
// A rule reads v.txt, takes its time, and writes what it made of it by an absolute path. The file stop makes it wait.
func slowProject(t *testing.T, rule string) (dir string, build func(more ...string) *exec.Cmd) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/amd64\"]\n[toolchains]\ngo = { source = \"host\" }\n[target.slow]\nrecipe = \"go\"\nsource = \"src\"\n",
		"src/go.mod":  "module slow\n",
		"src/v.txt":   "old\n",
		// go build -trimpath -p N -o FILE …
		"bin/go":      "#!/bin/sh\nRULE=\"$PWD/../bin/go-rule\" OUT=\"$6\"\nexport RULE OUT\n" + rule + "\nwait\n",
		"bin/go-rule": "#!/bin/sh\nread v <v.txt\nif test -e ../stop; then echo $$ >>../pids; sleep 1; fi\necho \"$v\" >\"$OUT\"\n",
		"stop":        "",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	store := filepath.Join(t.TempDir(), "store")
	return dir, func(more ...string) *exec.Cmd {
		cmd := exec.Command("xbuild", "build")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "XBUILD_STORE="+store, "TARGETPLATFORM=", "XBUILD_PLATFORM=")
		cmd.Env = append(cmd.Env, more...)
		return cmd
	}
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) (out []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stats {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if parent, _ := strconv.Atoi(fields[1]); parent == pid {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, child)
		}
	}
	return out
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

// begin starts a build and waits until its rule runs. The rule's process is rule.
func begin(t *testing.T, dir string, cmd *exec.Cmd) (rule int) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := filepath.Join(dir, "pids")
	waitFor(t, "the rule", func() bool {
		data, _ := os.ReadFile(pids)
		rule, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		return rule != 0
	})
	return rule
}

func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// TestKilled kills builds in the middle of a rule, changes what the rule read, and builds again: what comes out is of
// the new source.
func TestKilled(t *testing.T) {
	heeded(t)
	rules := map[string]string{
		"rule":         `"$RULE" & `,
		"session":      `setsid "$RULE" & `,
		"orphan":       `(setsid "$RULE" & ); test ! -e ../stop || sleep 60 & `,
		"closed files": `(exec 0<&- 1>&- 2>&-; setsid "$RULE") & `,
		"environment":  `env -i OUT="$OUT" PATH="$PATH" "$RULE" & `,
	}
	kills := map[string]func(t *testing.T, cmd *exec.Cmd){
		"waiting": func(t *testing.T, cmd *exec.Cmd) { cmd.Process.Kill() },
		"worker": func(t *testing.T, cmd *exec.Cmd) {
			for _, pid := range children(t, cmd.Process.Pid) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		},
		"both": func(t *testing.T, cmd *exec.Cmd) {
			workers := children(t, cmd.Process.Pid)
			syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP) // so that it does not see the other's end
			for _, pid := range workers {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			cmd.Process.Kill()
		},
		"hangup": func(t *testing.T, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGHUP) },
		"group":  func(t *testing.T, cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) },
	}
	for rule, script := range rules {
		for kill, do := range kills {
			if rule == "environment" && kill == "both" {
				continue // nothing is left that tells whose it is
			}
			if testing.Short() && rule != "rule" && kill != "both" && rule+kill != "orphanwaiting" {
				continue
			}
			for _, trace := range []string{"off", "on"} {
				if testing.Short() && trace == "on" && rule+kill != "rulewaiting" {
					continue
				}
				t.Run(rule+"/"+kill+"/trace "+trace, func(t *testing.T) {
					t.Parallel()
					dir, build := slowProject(t, script)
					cmd := build("XBUILD_TRACE=" + trace)
					cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
					pid := begin(t, dir, cmd)
					do(t, cmd)
					if err := cmd.Wait(); err == nil {
						t.Fatal("the build succeeded: it was to be killed")
					}
					if kill != "both" {
						waitFor(t, "the end of the rule", func() bool { return !running(pid) })
						if out, err := os.ReadFile(filepath.Join(dir, ".xbuild/linux/amd64/slow/build/slow")); err == nil {
							t.Errorf("the rule went on and wrote %q", out)
						}
					}
					if err := errors.Join(os.Remove(filepath.Join(dir, "stop")), os.WriteFile(filepath.Join(dir, "src/v.txt"), []byte("new\n"), 0o644)); err != nil {
						t.Fatal(err)
					}
					for range 2 { // and once more: "up to date" is to be true
						if out, err := build("XBUILD_TRACE=" + trace).CombinedOutput(); err != nil {
							t.Fatalf("the next build: %v\n%s", err, out)
						}
						if running(pid) {
							t.Errorf("the rule of the killed build still runs")
						}
						if got, err := os.ReadFile(filepath.Join(dir, "dist/linux/amd64/slow")); err != nil || string(got) != "new\n" {
							t.Errorf("dist holds %q (%v), want what v.txt holds now", got, err)
						}
						time.Sleep(1100 * time.Millisecond) // as long as the rule takes
					}
				})
			}
		}
	}
}

// TestSignals holds what ends xbuild, and how fast, against what shells and supervisors expect.
func TestSignals(t *testing.T) {
	heeded(t)
	const stubborn = `trap '' TERM INT HUP; "$RULE" & sleep 60 & `
	for _, c := range []struct {
		name    string
		signals []syscall.Signal
		ignored bool // as nohup(1) starts it
		code    int
	}{
		{"SIGINT", []syscall.Signal{syscall.SIGINT}, false, 130},
		{"SIGTERM", []syscall.Signal{syscall.SIGTERM}, false, 143},
		{"SIGHUP", []syscall.Signal{syscall.SIGHUP}, false, 129},
		{"twice", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, false, 130},
		{"nohup", []syscall.Signal{syscall.SIGHUP}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			script := `"$RULE" & `
			if len(c.signals) > 1 {
				script = stubborn
			}
			dir, build := slowProject(t, script)
			cmd := build("XBUILD_TRACE=off")
			if c.ignored {
				cmd.Args = []string{"nohup", "xbuild", "build"}
				var err error
				if cmd.Path, err = exec.LookPath("nohup"); err != nil {
					t.Fatal(err)
				}
			}
			rule := begin(t, dir, cmd)
			start := time.Now()
			for i, s := range c.signals {
				if i > 0 {
					time.Sleep(200 * time.Millisecond)
				}
				cmd.Process.Signal(s)
			}
			err := cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d (%v), want %d", got, err, c.code)
			}
			if took := time.Since(start); len(c.signals) > 1 && took > 2*time.Second {
				t.Errorf("it ended after %v, and the commands have 3 s to heed the first signal: the second is to end it at once", took)
			}
			if running(rule) {
				t.Error("the rule still runs")
			}
		})
	}
}

// heeded makes what is started heed SIGHUP, which it does not where the tests themselves were started by nohup(1): a
// signal that is ignored stays so in a new program, and one that is caught has its default there (execve(2)).
func heeded(t *testing.T) {
	t.Helper()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(c) })
}
