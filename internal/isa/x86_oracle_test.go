package isa

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestX86Oracle holds lengths and names of x86 instructions against LLVM, on libraries of the machine that it runs on,
// which dispatch to nearly every extension. libcrypto is none of them: it has data between its code, which LLVM reads
// as code.
func TestX86Oracle(t *testing.T) {
	dir := llvm(t)
	var files []string
	for _, g := range []string{"libc.so.6", "libm.so.6", "libstdc++.so.6", "libz.so.1"} {
		m, _ := filepath.Glob("/lib/x86_64-linux-gnu/" + g)
		m2, _ := filepath.Glob("/usr/lib/x86_64-linux-gnu/" + g)
		files = append(files, m...)
		if len(m) == 0 {
			files = append(files, m2...)
		}
	}
	if len(files) == 0 {
		t.Skip("no x86-64 libraries on this machine")
	}
	named := map[string]bool{} // mnemonics that the table has, and none of the baseline's
	for _, maps := range x86Rows() {
		for _, rows := range maps {
			for _, list := range rows {
				for _, r := range list {
					if r.entry.mnemonic != "?" {
						named[r.entry.mnemonic] = true
					}
				}
			}
		}
	}
	for _, m := range []string{"movd", "movq", "cmov", "tzcnt", "movsd", "cmpsd", "lahf", "sahf", "endbr64", "popcnt", "pause"} {
		delete(named, m)
	}
	line := regexp.MustCompile(`^\s*([0-9a-f]+):\s+((?:[0-9a-f]{2} )+)\s*\t(\S+)(.*)$`)
	var count, lengths, missed, misnamed, beyond int
	for _, f := range files {
		out, err := exec.Command(filepath.Join(dir, "llvm-objdump"), "-d", "--x86-asm-syntax=intel", f).Output()
		if err != nil {
			t.Fatal(err)
		}
		var next uint64
		for l := range strings.Lines(string(out)) {
			m := line.FindStringSubmatch(strings.TrimRight(l, "\n"))
			if m == nil || m[3] == "<unknown>" {
				continue
			}
			addr, _ := strconv.ParseUint(m[1], 16, 64)
			var code []byte
			for _, b := range strings.Fields(m[2]) {
				v, _ := strconv.ParseUint(b, 16, 8)
				code = append(code, byte(v))
			}
			if addr < next {
				continue
			}
			n := len(code)
			code = append(code, make([]byte, 16)...)
			c, ok := decodeX86(code, true)
			name := m[3]
			if len(strings.Fields(m[2])) == 1 && (name == "lock" || name == "rep" || name == "repne" || name == "data16" || name == "rex64" || strings.HasPrefix(name, "rex") || len(name) == 2 && name[1] == 's') {
				continue // LLVM shows some prefixes alone
			}
			count++
			if !ok || c.length != n {
				if lengths++; lengths <= 10 {
					t.Errorf("%s %x: % x is %s of %d bytes, decoded as %d bytes (%v)", f, addr, code[:n], name, n, c.length, ok)
				}
				continue
			}
			e := c.entry(x86Rows())
			if e == nil && named[name] {
				if missed++; missed <= 10 {
					t.Errorf("%s %x: % x is %s%s, which the table does not find", f, addr, code[:n], name, m[4])
				}
			}
			if e != nil {
				beyond++
				if e.mnemonic != name && !strings.HasPrefix(name, e.mnemonic) && !strings.HasPrefix(e.mnemonic, "(") && !alias(name, e.mnemonic) {
					if misnamed++; misnamed <= 10 {
						t.Errorf("%s %x: % x is %s, found as %s", f, addr, code[:n], name, e.mnemonic)
					}
				} else if strings.HasPrefix(e.mnemonic, "(") {
					if misnamed++; misnamed <= 10 {
						t.Errorf("%s %x: % x is %s%s, which the table does not know", f, addr, code[:n], name, m[4])
					}
				}
			}
		}
	}
	report(t, fmt.Sprintf("x86: %d instructions of %d libraries, %d of them beyond i686; %d of another length than LLVM's, %d missed, %d found as another", count, len(files), beyond, lengths, missed, misnamed))
}

// alias says that two names are one instruction's: compares with their condition in the name, and those that AT&T's and
// Intel's spellings tell apart.
func alias(llvm, table string) bool {
	cut := func(s string) string {
		for _, p := range []string{"vcmp", "cmp", "vpcmp", "vpcom", "pclmul", "vpclmul", "movd", "vmovd"} {
			if strings.HasPrefix(s, p) {
				return p
			}
		}
		if s == "movq" || s == "vmovq" { // with REX.W
			return strings.TrimSuffix(s, "q") + "d"
		}
		return s
	}
	return cut(llvm) == cut(table)
}
