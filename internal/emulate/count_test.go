package emulate

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Parts of logs as QEMU 11.1 writes them.
const (
	header = "----------------\nIN: main\n"
	three  = header + "0x7fe26c78b280:  d503245f  bti      c\n0x7fe26c78b284:  d280001d  mov      x29, #0\n0x7fe26c78b290:  97ffeeb0  bl       #0x7fe26c786d50\n\n"
	run3   = "Trace 0: 0x7fe260000100 [00001001/00007fe26c78b280/00000001/00000200] main\n"
	// The second line of an instruction of eleven bytes has no mnemonic.
	two  = header + "0x00400000:  48 c7 84 24 88 00 00 00  movq     $0, 0x88(%rsp)\n0x00400008:  00 00 00\n0x0040000c:  c3                       retq     \n\n"
	run2 = "Trace 0: 0x7fe260000240 [00000000/0000000000400000/0000c0b3/00000200] \n"
	one  = header + "0x0000000000500000:  07 fe                    br       %r14\n\n"
	// In the place of the first.
	run1 = "Trace 1: 0x7fe260000100 [00000000/0000000000500000/0000c0b3/00000200] f\n"
)

func TestCountLog(t *testing.T) {
	for _, c := range []struct {
		name, log string
		want      uint64
		fails     bool
	}{
		{"nothing", "", 0, false},
		{"a block that runs three times", three + run3 + run3 + run3, 9, false},
		{"two blocks", three + run3 + two + run2 + run3 + run2, 10, false},
		{"a block that is translated and does not run", three + run3 + two, 3, false},
		{"a block that was cut shorter by a second translation", three + strings.Replace(three, "0x7fe26c78b290:  97ffeeb0  bl       #0x7fe26c786d50\n", "", 1) + run3, 2, false},
		{"two threads translate the same block", three + three + run3 + run3, 6, false},
		{"translations thrown away", three + run3 + two + run2 + one + run1 + two + run2, 8, false},
		{"a block that was never translated", three + run3 + run2, 0, true},
		{"an old block after the throwing away, as of two processes", three + run3 + two + run2 + one + run1 + run2, 0, true},
		{"another block in the same place without a translation", three + run3 + run1, 0, true},
		{"a line that is none", three + "Trace 0: nonsense\n", 0, true},
		{"a line without an end", three + strings.Repeat("x", 2<<20), 0, true},
		{"no disassembler", header + "OBJD-T: 07fe\n\n" + run1, 0, true},
	} {
		got, err := count(strings.NewReader(c.log))
		if got != c.want || errors.Is(err, ErrUncounted) != c.fails || err != nil && !c.fails {
			t.Errorf("%s: %d, %v; want %d", c.name, got, err, c.want)
		}
	}
}

// TestCount: a shell in QEMU's place, which takes the same arguments, writes a log.
func TestCount(t *testing.T) {
	dir := t.TempDir()
	fake, log := dir+"/qemu", dir+"/log"
	script := "#!/bin/sh\n[ \"$*\" = '-d in_asm,exec,nochain -D /dev/fd/3 /hello a' ] || exit 9\ncat " + log + " > /dev/fd/3\nexit 4\n"
	if err := errors.Join(os.WriteFile(fake, []byte(script), 0o755), os.WriteFile(log, []byte(three+run3+run3), 0o644)); err != nil {
		t.Fatal(err)
	}
	code := -1
	n, err := Count(t.Context(), []string{fake, "/hello", "a"}, func(cmd *exec.Cmd) error {
		_ = cmd.Run()
		code = cmd.ProcessState.ExitCode()
		return nil
	})
	if n != 6 || err != nil || code != 4 {
		t.Errorf("%d, %v, exit code %d", n, err, code)
	}
	refused := errors.New("refused")
	if _, err := Count(t.Context(), []string{fake}, func(*exec.Cmd) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

func TestLazy(t *testing.T) {
	start := time.Now()
	n, err := count(lazy{strings.NewReader(three + run3)})
	if n != 3 || err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("%d, %v", n, err)
	}
}

func FuzzCount(f *testing.F) {
	for _, log := range []string{three + run3, two + run2 + run2, one + run1, "IN:\n0x:\nTrace : [/", "0x1: 00\n"} {
		f.Add(log)
	}
	f.Fuzz(func(t *testing.T, log string) {
		n, err := count(strings.NewReader(log))
		// A block has at most a line an instruction, and runs at most as often as there are lines.
		if lines := uint64(strings.Count(log, "\n")); err == nil && n > lines*lines {
			t.Errorf("%d instructions in %d lines", n, lines)
		}
	})
}
