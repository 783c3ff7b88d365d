package archive

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"xbuild/internal/archive/archivetest"
)

// What the benchmarks compare with is run in turns with what is measured, so
// that both see the same machine. XBUILD_BENCH_DEBS=DIR takes real packages.

// binaries is data that xz treats about as it treats compiled code: it shrinks
// to a fifth.
func binaries(n int) []byte {
	exe, err := os.Executable()
	if err == nil {
		if data, err := os.ReadFile(exe); err == nil {
			return bytes.Repeat(data, n/len(data)+1)[:n]
		}
	}
	return sample(n)
}

func benchDebs(b *testing.B) (files []string, unpacked int64) {
	b.Helper()
	if dir := os.Getenv("XBUILD_BENCH_DEBS"); dir != "" {
		files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(files) == 0 {
			b.Fatalf("no .deb in %s, %v", dir, err)
		}
		return files, 0
	}
	xz := tool(b, "xz")
	dir := b.TempDir()
	for i, size := range []int{48 << 20, 8 << 20, 8 << 20} {
		tar, err := archivetest.Tar([]file{{Name: "./lib/" + string(rune('a'+i)), Body: string(binaries(size))}})
		if err != nil {
			b.Fatal(err)
		}
		// xz(1) as dpkg-deb drives it: blocks of 24 MiB.
		cmd := exec.Command(xz, "-c", "-T2", "-6", "--block-size=24MiB")
		cmd.Stdin = bytes.NewReader(tar)
		data, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		deb := filepath.Join(dir, string(rune('a'+i))+".deb")
		if err := os.WriteFile(deb, archivetest.Ar([]file{{Name: "debian-binary", Body: "2.0\n"}, {Name: "data.tar.xz", Body: string(data)}}), 0o644); err != nil {
			b.Fatal(err)
		}
		files, unpacked = append(files, deb), unpacked+int64(size)
	}
	return files, unpacked
}

func tool(b *testing.B, name string) string {
	b.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		b.Skipf("no %s to compare with", name)
	}
	return p
}

// BenchmarkUnpack compares with `ar p DEB data.tar.xz | xz -dc | tar x`, one
// package after the other: the metric is our time over theirs.
func BenchmarkUnpack(b *testing.B) {
	tool(b, "tar")
	tool(b, "ar")
	tool(b, "xz")
	files, _ := benchDebs(b)
	var ours, theirs time.Duration
	for b.Loop() {
		dir := b.TempDir()
		t0 := time.Now()
		errs := make(chan error, len(files))
		slots := make(chan struct{}, runtime.GOMAXPROCS(0)+1)
		for _, f := range files {
			go func() {
				slots <- struct{}{}
				errs <- UnpackFile(b.Context(), f, dir, UnpackOptions{})
				<-slots
			}()
		}
		for range files {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		ours += time.Since(t0)

		dir = b.TempDir()
		t0 = time.Now()
		cmd := exec.Command("sh", "-c", `for f; do ar p "$f" data.tar.xz | xz -dc | tar x --no-same-owner || exit 1; done`, "sh")
		cmd.Args = append(cmd.Args, files...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		theirs += time.Since(t0)
	}
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-of-xz|tar")
}

// BenchmarkXZ compares with `xz -dc`, one thread and two.
func BenchmarkXZ(b *testing.B) {
	xz := tool(b, "xz")
	cmd := exec.Command(xz, "-c", "-T2", "-6", "--block-size=24MiB")
	cmd.Stdin = bytes.NewReader(binaries(72 << 20))
	data, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "x.xz")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(72 << 20)
	var ours, one, two time.Duration
	for b.Loop() {
		t0 := time.Now()
		z, err := NewXZReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, z); err != nil || n != 72<<20 {
			b.Fatal(n, err)
		}
		z.Close()
		ours += time.Since(t0)
		for _, c := range []struct {
			threads string
			total   *time.Duration
		}{{"-T1", &one}, {"-T2", &two}} {
			t0 = time.Now()
			if err := exec.Command(xz, "-dc", c.threads, file).Run(); err != nil {
				b.Fatal(err)
			}
			*c.total += time.Since(t0)
		}
	}
	b.ReportMetric(ours.Seconds()/one.Seconds(), "x-of-xz-T1")
	b.ReportMetric(ours.Seconds()/two.Seconds(), "x-of-xz-T2")
}

// BenchmarkParsePackages reads an index of the size of Debian's amd64 main:
// 69,000 stanzas, about 60 MB.
func BenchmarkParsePackages(b *testing.B) {
	words := strings.Repeat("some words that describe a package to a person who may want it\n ", 4)
	one := packages("libsomething-or-other1 1:2.3.4-5+b6;Source: something (2.3.4-5);Depends: libc6 (>= 2.36), libstdc++6 (>= 13), zlib1g (>= 1:1.1.4), libother1 (= 1:2.3.4-5) | libother-t64;" +
		"Provides: libsomething (= 1);Homepage: https://something.example/;Tag: role::shared-lib, implemented-in::c, works-with::all")
	one = strings.Replace(one, "Description: words", "Description: "+words, 1)
	var index strings.Builder
	for i := range 69_000 {
		index.WriteString(strings.Replace(one, "other1", "other"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i%11), 1))
	}
	text := index.String()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParsePackages(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
