package emulate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Count runs a program under QEMU and counts the instructions that it executes, the C library's and the loader's
// included.
//
// The archive's QEMU is static and has no plugins, so that its log is read: "in_asm" has each block of code once, when
// it is translated, with an instruction a line; "exec" has a line each time that a block runs, and "nochain" keeps QEMU
// from leaving lines out. The sum over all lines is the number of instructions; on programs of seven machines it was
// the same, to the last one, as the number of lines with one instruction a block (-one-insn-per-tb).
func Count(ctx context.Context, argv []string, run func(*exec.Cmd) error) (uint64, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	// The first of a child's extra files is 3 there.
	cmd := command(ctx, append([]string{argv[0], "-d", "in_asm,exec,nochain", "-D", "/dev/fd/3"}, argv[1:]...))
	cmd.ExtraFiles = []*os.File{w}
	enlarge(r)
	type counted struct {
		n   uint64
		err error
	}
	done := make(chan counted, 1)
	go func() {
		n, err := count(lazy{r})
		_, _ = io.Copy(io.Discard, r) // what is wrong with a log must not stop the program
		done <- counted{n, err}
	}()
	err = run(cmd)
	w.Close()
	// What is left to read is in the pipe. A process that the program left behind holds it open.
	_ = r.SetReadDeadline(time.Now().Add(10 * time.Second))
	c := <-done
	if err != nil {
		return 0, err
	}
	return c.n, c.err
}

// lazy waits a little where there is little to read: QEMU writes line by line, and waking a reader for each would cost
// more than the line.
type lazy struct{ io.Reader }

func (l lazy) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if err == nil && n < len(b)/8 {
		time.Sleep(time.Millisecond)
	}
	return n, err
}

// ErrUncounted says that the log of a program does not tell what it executed.
var ErrUncounted = errors.New("the instructions cannot be counted")

// count sums up a log. A block is told by the address that QEMU put its translation at, which the lines of its
// execution name first, and is bound to that when it runs for the first time; where its first instruction lies tells
// which one that is.
func count(log io.Reader) (uint64, error) {
	in := bufio.NewReaderSize(log, 1<<20)
	waiting := map[string]uint64{} // translated and not run yet: instructions, by the address of the first
	type block struct {
		pc string
		n  uint64
	}
	at := map[string]block{} // by the translation's address
	var total uint64
	var first string
	var n uint64
	translated := func() {
		if n > 0 {
			waiting[first] = n
		}
		first, n = "", 0
	}
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			return total, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("%w: QEMU's log has a line of more than %d bytes", ErrUncounted, in.Size())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, fmt.Errorf("%w: the program left another one running", ErrUncounted)
		}
		if err != nil {
			return 0, err
		}
		switch {
		case bytes.HasPrefix(line, []byte("IN:")):
			translated()
		case bytes.HasPrefix(line, []byte("0x")):
			address, rest, ok := bytes.Cut(line[2:], []byte(":"))
			if !ok || continues(rest) {
				break
			}
			if n++; n == 1 {
				first = string(bytes.TrimLeft(address, "0"))
			}
		case bytes.HasPrefix(line, []byte("Trace ")):
			translated()
			where, pc, ok := trace(line)
			if !ok {
				return 0, fmt.Errorf("%w: QEMU's log says %q", ErrUncounted, bytes.TrimSpace(line))
			}
			known, bound := at[string(where)]
			if k, ok := waiting[string(pc)]; ok {
				if bound && known.pc != string(pc) {
					clear(at) // QEMU threw its translations away and uses the place anew
				}
				delete(waiting, string(pc))
				known = block{string(pc), k}
				at[string(where)] = known
			} else if !bound || known.pc != string(pc) {
				// A forked child of QEMU translates into the same places, and its lines come between.
				return 0, fmt.Errorf("%w: QEMU's log has a block at 0x%s that it did not translate, as it has where a program forks", ErrUncounted, pc)
			}
			total += known.n
		}
	}
}

// trace takes "Trace 0: 0x7f5d48000100 [00001001/0000000000400580/00000001/00000200] main" apart: the translation's
// address and the program's.
func trace(line []byte) (where, pc []byte, ok bool) {
	_, rest, ok1 := bytes.Cut(line, []byte(": "))
	where, rest, ok2 := bytes.Cut(rest, []byte(" ["))
	_, rest, ok3 := bytes.Cut(rest, []byte("/"))
	pc, _, ok4 := bytes.Cut(rest, []byte("/"))
	return where, bytes.TrimLeft(pc, "0"), ok1 && ok2 && ok3 && ok4
}

// continues tells the second line of a long instruction, which has bytes alone: its mnemonic stands in the first.
func continues(rest []byte) bool {
	any := false
	for field := range bytes.FieldsSeq(rest) {
		if len(field) != 2 || !hexadecimal(field[0]) || !hexadecimal(field[1]) {
			return false
		}
		any = true
	}
	return any
}

func hexadecimal(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
