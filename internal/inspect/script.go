package inspect

import (
	"io"
	"os"
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
