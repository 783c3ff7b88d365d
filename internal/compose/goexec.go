package compose

import "fmt"

// goExec is the name and the content of the program by which go run, go test and go generate start what they compiled
// for the platform (go help run, "-exec"): they look for it on PATH where GOOS or GOARCH is not the host's. "" where
// nothing starts it.
func (v View) goExec() (name, text string) {
	p := v.Platform
	if v.Host || p.GOOS == "" || p.QEMU == "" {
		return "", ""
	}
	return "go_" + p.GOOS + "_" + p.GOARCH + "_exec", fmt.Sprintf("#!/bin/sh\nexec \"${XBUILD:-xbuild}\" run -q -p %s -- \"$@\"\n", p.Name)
}
