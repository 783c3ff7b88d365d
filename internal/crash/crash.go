// Package crash explains why a program ended by a signal: which instruction in which function and source line, whether
// the platform promises it, and what in xbuild.toml would have avoided it. In go the core file that QEMU or the kernel
// left, the program, and the platform's baseline; out comes text. It starts nothing. What it cannot know it says.
package crash

import (
	"debug/elf"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"xbuild/internal/isa"
	"xbuild/internal/platform"
)

// A Subject is a program that a signal ended, and what is known of it.
type Subject struct {
	Signal   syscall.Signal // 0: the one that the core file says
	Core     string         // the core file; "" where there is none
	NoCore   string         // why there is none
	Program  string
	Sysroot  string // where the program's libraries are looked up first; may be empty
	Platform platform.Platform
	Baseline platform.Baseline
	Emulated bool
}

// A Crash is what was found out. A field that is empty is not known.
type Crash struct {
	Signal      string `json:"signal"`
	Program     string `json:"program"`
	Platform    string `json:"platform"`
	At          *Frame `json:"at,omitempty"`
	Instruction string `json:"instruction,omitempty"` // its bytes, in hexadecimal digits
	Mnemonic    string `json:"mnemonic,omitempty"`    // of an instruction beyond the platform's baseline
	Feature     string `json:"feature,omitempty"`     // that it needs and the baseline lacks
	Trap        bool   `json:"trap,omitempty"`        // a compiler's own stop, __builtin_trap
	// return addresses of the program found on its stack, the innermost first; old ones may be among them
	Stack   []Frame  `json:"stack,omitempty"`
	Null    []string `json:"null,omitempty"`    // after SIGSEGV: variables of a pointer's size that hold 0
	Unknown string   `json:"unknown,omitempty"` // why no more is known
	Advice  string   `json:"advice,omitempty"`
}

// A Frame is a place in a program.
type Frame struct {
	Address  uint64 `json:"address"`
	Module   string `json:"module,omitempty"`
	Function string `json:"function,omitempty"`
	Offset   uint64 `json:"offset"` // from the function's start
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
}

func (f Frame) String() string {
	var b strings.Builder
	switch {
	case f.Function != "":
		fmt.Fprintf(&b, "%s+%#x", f.Function, f.Offset)
	case f.Module != "":
		fmt.Fprintf(&b, "a function without a symbol at %#x", f.Address)
	default:
		fmt.Fprintf(&b, "%#x, which is no code of the program or its libraries", f.Address)
	}
	if f.File != "" {
		fmt.Fprintf(&b, " (%s:%d)", f.File, f.Line)
	}
	if f.Module != "" {
		fmt.Fprintf(&b, " in %s", filepath.Base(f.Module))
	}
	return b.String()
}

// names are the signals that end a program because of what it does.
var names = map[syscall.Signal][2]string{
	syscall.SIGILL:  {"SIGILL", "illegal instruction"},
	syscall.SIGSEGV: {"SIGSEGV", "access to memory that is not there or not allowed"},
	syscall.SIGBUS:  {"SIGBUS", "access beyond the end of a mapped file, or to an address that is not aligned"},
	syscall.SIGABRT: {"SIGABRT", "the program ended itself: abort or a failed assertion"},
	syscall.SIGFPE:  {"SIGFPE", "arithmetic: an integer division by zero for one"},
	syscall.SIGTRAP: {"SIGTRAP", "a trap instruction"},
	syscall.SIGSYS:  {"SIGSYS", "a system call that does not exist"},
}

// Is reports whether a signal is a crash, and not an end that somebody else asked for.
func Is(s syscall.Signal) bool { return names[s][0] != "" }

// stackFrames is how many return addresses are shown.
const stackFrames = 10

// Explain finds out what can be found out.
func Explain(s Subject) Crash {
	c := Crash{Program: s.Program, Platform: s.Platform.Name, Unknown: s.NoCore}
	var core *core
	var file io.Closer
	var err error
	if s.Core != "" {
		if core, file, err = openCore(s.Core); err == nil && s.Signal == 0 {
			s.Signal = core.signal
		}
	}
	if c.Signal = names[s.Signal][0]; c.Signal == "" {
		c.Signal = fmt.Sprintf("signal %d", int(s.Signal))
	}
	if s.Core == "" {
		c.Advice = advice(s, c, nil)
		return c
	}
	if err != nil {
		c.Unknown = "its core file cannot be read: " + err.Error()
		c.Advice = advice(s, c, nil)
		return c
	}
	defer file.Close()
	modules := core.modules(s.Program, s.Sysroot)
	defer func() {
		for _, m := range modules {
			m.file.Close()
		}
	}()
	pc := core.pc()
	if core.elf.Machine == elf.EM_S390 && s.Signal != syscall.SIGSEGV && s.Signal != syscall.SIGBUS {
		pc = s390Start(moduleOf(modules, pc-1), pc)
	}
	in := moduleOf(modules, pc)
	at := frame(modules, pc)
	c.At = &at
	// abort and its kin are a system call in the C library: not the instruction but the callers tell.
	if s.Signal != syscall.SIGABRT && s.Signal != syscall.SIGSYS {
		if code := instruction(core, in, pc); code != nil {
			c.Instruction, c.Trap = hexadecimal(core, code), trap(core, code)
			if s.Signal == syscall.SIGILL && core.elf.Machine == s.Platform.Machine && !c.Trap {
				n := 0
				if c.Mnemonic, c.Feature, n = isa.Needs(code, core.thumb(), s.Baseline); n > 0 && n < len(code) {
					c.Instruction = hexadecimal(core, code[:n])
				}
			}
		}
	}
	c.Stack = stack(core, modules, at)
	if s.Signal == syscall.SIGSEGV && in != nil && in == modules[0] {
		c.Null = nullVariables(core, in, modules[1:])
	}
	c.Advice = advice(s, c, modules)
	return c
}

func moduleOf(modules []*module, addr uint64) *module {
	if i := slices.IndexFunc(modules, func(m *module) bool { return m.has(addr) }); i >= 0 {
		return modules[i]
	}
	return nil
}

func frame(modules []*module, addr uint64) Frame {
	f := Frame{Address: addr}
	m := moduleOf(modules, addr)
	if m == nil {
		return f
	}
	f.Module = m.name
	if name, start, ok := m.function(addr); ok {
		f.Function, f.Offset = name, addr-start
	}
	f.File, f.Line = m.line(addr)
	return f
}

// starters are the functions of C libraries that call main or a thread's function: what lies deeper in the stack is of
// no interest.
var starters = []string{"__libc_start_call_main", "__libc_start_main_impl", "__libc_start_main", "_start",
	"start_thread", "libc_start_main_stage2"}

// stack lists what looks like return addresses into the program itself: the link register, and words of the stack that
// point into its code but not to the start of a function. Without an unwinder that is what can be said; old addresses
// may be among them.
func stack(c *core, modules []*module, at Frame) []Frame {
	if len(modules) == 0 {
		return nil
	}
	program := modules[:1]
	var out []Frame
	done := false
	add := func(addr uint64) {
		addr &^= uint64(c.layout.thumb >> 5) // a Thumb return address has bit 0 set
		if addr == 0 || !program[0].has(addr) {
			return
		}
		f := frame(program, addr-1) // in the call, not behind it
		f.Address++
		if slices.Contains(starters, f.Function) {
			done = true
			return
		}
		if f.Function == "" || f.Offset == 0 || f.Function == at.Function || slices.ContainsFunc(out, func(o Frame) bool {
			return o.Function == f.Function && o.Line == f.Line
		}) {
			return
		}
		f.Offset++
		out = append(out, f)
	}
	add(c.reg(c.layout.link))
	w := uint64(c.word())
	for i := uint64(0); i < 4096 && len(out) < stackFrames && !done; i++ {
		v, err := c.readWord(c.reg(c.layout.sp) + i*w)
		if err != nil {
			break
		}
		add(v)
	}
	return out
}

// String is the explanation, a line a thought.
func (c Crash) String() string {
	var b strings.Builder
	program := filepath.Base(c.Program)
	fmt.Fprintf(&b, "%s for %s ended with %s", program, c.Platform, c.Signal)
	for _, n := range names {
		if n[0] == c.Signal {
			fmt.Fprintf(&b, ": %s", n[1])
		}
	}
	b.WriteByte('\n')
	if c.At != nil {
		fmt.Fprintf(&b, "at %v\n", *c.At)
	}
	if c.Instruction != "" {
		fmt.Fprintf(&b, "instruction: %s", c.Instruction)
		if c.Feature != "" {
			fmt.Fprintf(&b, ", %s, which needs %s and %s has not", c.Mnemonic, c.Feature, c.Platform)
		}
		if c.Trap {
			b.WriteString(", a trap that the compiler put there: code that it holds to be unreachable, __builtin_trap, or a sanitizer's check")
		}
		b.WriteByte('\n')
	}
	if len(c.Stack) > 0 {
		b.WriteString("return addresses on the stack, old ones may be among them:\n")
		for _, f := range c.Stack {
			fmt.Fprintf(&b, "    %v\n", f)
		}
	}
	if c.Unknown != "" {
		fmt.Fprintf(&b, "no more is known: %s\n", c.Unknown)
	}
	if c.Advice != "" {
		fmt.Fprintf(&b, "%s\n", c.Advice)
	}
	return b.String()
}

// advice is what to change, as far as the signal tells.
func advice(s Subject, c Crash, modules []*module) string {
	p := s.Platform.Name
	where := "the code in question"
	if c.At != nil && c.At.Function != "" {
		where = c.At.Function
		if c.At.File != "" {
			where += " (" + c.At.File + ")"
		}
	}
	own := c.At == nil || len(modules) == 0 || c.At.Module == "" || c.At.Module == modules[0].name
	switch {
	case c.Trap:
		return ""
	case s.Signal == syscall.SIGILL && s.Emulated:
		text := fmt.Sprintf("The emulated CPU (-cpu %s) has what %s promises and no more (xbuild flags -p %s: %s).",
			s.Baseline.QEMUCPU(), p, p, strings.Join(s.Baseline.CFlags(), " "))
		if own {
			return text + fmt.Sprintf("\nIf every machine that the program is for has the instruction, %s;\nif not, %s was compiled or written beyond it: build it without an -march, -mcpu, -m… or target attribute of its own.", promise(s, c), where)
		}
		return text + fmt.Sprintf("\n%s is a library's: it needs another build of %s, or the platform's cpu or features in xbuild.toml where every machine has the instruction.", where, filepath.Base(c.At.Module))
	case s.Signal == syscall.SIGILL:
		text := fmt.Sprintf("The CPU that it ran on has not the instruction. %s promises %s.", p,
			strings.Join(s.Baseline.CFlags(), " "))
		if c.Feature != "" {
			text += fmt.Sprintf("\nFor machines like that one %s has to be built without an -march, -mcpu, -m… or target attribute of its own.", where)
		}
		return text
	case s.Signal == syscall.SIGSEGV:
		return constAdvice(c.Null)
	case s.Signal == syscall.SIGBUS:
		flag := alignment[s.Platform.Machine]
		if flag == "" {
			return ""
		}
		return fmt.Sprintf("If it is an access that is not aligned: [platform.%q] cflags = [%q] in xbuild.toml makes the compiler load packed data byte by byte;\na pointer cast to a type of stricter alignment has to be changed in the source (-fsanitize=alignment finds it).", p, flag)
	}
	return ""
}

// promise is what to write where a platform is to have the instruction: a feature, or the least of its variants that
// has it.
func promise(s Subject, c Crash) string {
	p := s.Platform
	feature, variant := "[\"…\"] or cpu = \"…\"", ""
	if c.Feature != "" {
		if _, err := p.Baseline("", []string{c.Feature}); err == nil {
			feature = fmt.Sprintf("[%q]", c.Feature)
		}
		for _, q := range platform.All() {
			b, err := q.Baseline("", nil)
			if err != nil || q.OS != p.OS || q.Arch != p.Arch || q.HasC() != p.HasC() {
				continue
			}
			has := b.Features()
			if slices.Contains(has, c.Feature) && !slices.ContainsFunc(s.Baseline.Features(), func(f string) bool {
				return !slices.Contains(has, f)
			}) {
				variant = ", or build for " + q.Name
				break
			}
		}
	}
	return fmt.Sprintf("say so in xbuild.toml: [platform.%q] features = %s%s", p.Name, feature, variant)
}

// alignment is clang's flag, a machine, against accesses that are not aligned (clang 19, -mno-unaligned-access and
// -mstrict-align). The other machines allow them.
var alignment = map[elf.Machine]string{
	elf.EM_ARM:       "-mno-unaligned-access",
	elf.EM_AARCH64:   "-mstrict-align",
	elf.EM_RISCV:     "-mstrict-align",
	elf.EM_LOONGARCH: "-mstrict-align",
}
