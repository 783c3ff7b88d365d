// Command hello-go says how it was built and for what, then does some work
// whose result is the same everywhere.
package main

import (
	"fmt"
	"hash/crc32"
	"runtime"
	"runtime/debug"
)

func main() {
	fmt.Printf("hello from go on %s\n", arch())

	sums := make(chan float64)
	go func() { sums <- baselSum() }()
	crc := crc32.ChecksumIEEE(randomBytes(65536))
	sum := <-sums

	if !panicIsRecovered() {
		panic("the index was out of range and nothing happened")
	}
	fmt.Printf("work: crc32 %08x, sum %.6f, goroutine joined, panic recovered\n", crc, sum)
}

// arch spells the architecture as Docker does after "linux/". The ARM version
// is known to the build alone, which leaves it in the binary.
func arch() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOARM" && s.Value != "" {
				return runtime.GOARCH + "/v" + s.Value[:1]
			}
		}
	}
	return runtime.GOARCH
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x % 251)
	}
	return b
}

func baselSum() float64 {
	s := 0.0
	for k := 1.0; k <= 1000; k++ {
		s += 1 / k / k
	}
	return s
}

func panicIsRecovered() (recovered bool) {
	defer func() { recovered = recover() != nil }()
	b := randomBytes(4)
	return b[len(b)] == 0
}
