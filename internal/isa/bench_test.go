package isa

import (
	"os"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/platform"
)

// BenchmarkAudit reads the program that ISA_PROGRAM names, for the platform of ISA_PLATFORM, or the test's own.
func BenchmarkAudit(b *testing.B) {
	name, on := os.Getenv("ISA_PROGRAM"), os.Getenv("ISA_PLATFORM")
	if name == "" {
		name, on = os.Args[0], platform.Host().Name
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	p, err := platform.Parse(on)
	if err != nil {
		b.Fatal(err)
	}
	base, err := p.Baseline("", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := Audit(data, base, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(r.Code)
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
