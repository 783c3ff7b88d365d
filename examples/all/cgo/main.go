// Command hello-cgo says how it was built and for what, then does some work in
// C and in Go and holds the results against each other.
package main

/*
#cgo pkg-config: zlib

#include <stdint.h>
#include <zlib.h>

static void fill(unsigned char *p, int n) {
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (unsigned char)(x % 251);
	}
}

static double basel_sum(void) {
	double s = 0;
	for (int k = 1; k <= 1000; k++)
		s += 1.0 / k / k;
	return s;
}
*/
import "C"

import (
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"runtime/debug"
)

func main() {
	fmt.Printf("hello from cgo on %s\n", arch())

	b := make([]byte, 65536)
	p := (*C.uchar)(&b[0])
	C.fill(p, C.int(len(b)))
	inC := uint32(C.crc32(0, (*C.Bytef)(p), C.uInt(len(b))))
	inGo := crc32.ChecksumIEEE(b)
	if inC != inGo {
		fmt.Fprintf(os.Stderr, "crc32 is %08x in C and %08x in Go\n", inC, inGo)
		os.Exit(1)
	}
	fmt.Printf("work: crc32 %08x, sum %.6f, C and Go agree\n", inC, float64(C.basel_sum()))
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
