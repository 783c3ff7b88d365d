package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func file(name, arch string) File {
	sum := sha256.Sum256([]byte(name + arch))
	return File{Name: name, Version: "1.2.3-4+deb13u1", Arch: arch, Path: "pool/main/" + name[:1] + "/" + name + "/" + name + "_1.2.3-4+deb13u1_" + arch + ".deb", Size: 12345, SHA256: hex.EncodeToString(sum[:])}
}

// large is the lock of twelve sysroots and of six toolchains for two hosts.
func large() *Lock {
	var l Lock
	for _, host := range []string{"linux/amd64", "linux/arm64"} {
		for i := range 6 {
			t := Toolchain{Name: fmt.Sprintf("tool%d", i), Version: "19.1.7", Host: host, Constraint: "^19", Archive: "debian", Suite: "trixie", Roots: []string{"clang-19", "lld-19"}}
			for j := range 30 {
				t.Files = append(t.Files, file(fmt.Sprintf("package-%d-%d", i, j), host[6:]))
			}
			l.PutToolchain(t)
		}
	}
	for i := range 12 {
		s := Sysroot{Name: "glibc", Arch: fmt.Sprintf("arch%d", i), Version: "2.41", Archive: "debian", Suite: "trixie", Roots: []string{"libc6-dev"}}
		for j := range 10 {
			s.Files = append(s.Files, file(fmt.Sprintf("lib-%d", j), s.Arch))
		}
		l.PutSysroot(s)
	}
	l.PutExact(Exact{Name: "go", Constraint: ">=1.24", Version: "1.26.1", Sum: "h1:abc="})
	return &l
}

func BenchmarkRead(b *testing.B) {
	path := b.TempDir() + "/" + FileName
	if err := large().Write(path); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Read(path); err != nil {
			b.Fatal(err)
		}
	}
}
