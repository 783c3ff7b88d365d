package inspect

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Script tells a file that names its interpreter in its first line (execve(2), "Interpreter scripts").
func Script(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [2]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == "#!"
}

// Interpreter is the name of the program that a script asks for in its first line, without directories: "node" of
// "#!/usr/bin/env node" and of "#!/usr/bin/node". It is "" where path is no script.
func Interpreter(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n') // as much as the kernel reads (BINPRM_BUF_SIZE)
	if rest, ok := strings.CutPrefix(line, "#!"); ok && (err == nil || err == io.EOF) {
		for _, word := range strings.Fields(rest) {
			if name := filepath.Base(word); name != "env" && !strings.HasPrefix(name, "-") && !strings.Contains(name, "=") {
				return name
			}
		}
	}
	return ""
}
