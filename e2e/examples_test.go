package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// TestExamples builds a copy of each example that stands for one recipe, runs it, and holds what it prints against what
// its README says that it prints.
func TestExamples(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct {
		name   string
		slices []string          // the platforms that are built where not all are
		files  map[string]string // program below dist/<platform> -> its place among the README's outputs
	}{
		{"cgo", []string{"linux/arm/v7"}, map[string]string{"moons": "moons"}}, // the longest first
		{"cc", []string{"linux/386", "linux/s390x"}, map[string]string{"wordcount": "wordcount", "linecount": "linecount"}},
		{"make", []string{"linux/arm/v5", "linux/mips64le"}, map[string]string{"bin/zsum": "zsum"}},
		{"cmake", []string{"linux/ppc64le", "linux/riscv64"}, map[string]string{"usr/bin/chunksum": "chunksum"}},
		{"go", []string{"linux/arm/v6", "linux/loong64", "windows/arm64", "darwin/amd64"}, map[string]string{"sortwords": "sortwords"}},
		{"rust", []string{"linux/s390x"}, map[string]string{"sumtool": "sumtool"}},
		{"zig", []string{"linux/s390x"}, map[string]string{"usr/bin/primes": "primes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := example(t, c.name)
			args := []string{}
			if !full() {
				for _, p := range c.slices {
					args = append(args, "-p", p)
				}
			}
			build(t, dir, args...)
			made := artifacts(t, dir)
			if len(made) == 0 {
				t.Fatal("artifacts.json lists nothing")
			}
			expected := outputsOf(t, filepath.Join(dir, "README.md"))
			for name := range made {
				p, err := platform.Parse(name)
				if err != nil {
					t.Fatal(err)
				}
				for file, program := range c.files {
					if p.QEMU == "" {
						starts := map[string]string{"windows": "MZ", "darwin": "\xcf\xfa\xed\xfe", "freebsd": "\x7fELF"}[p.OS]
						if p.OS == "windows" {
							file += ".exe"
						}
						if data, err := os.ReadFile(built(dir, name, file)); err != nil || starts == "" || !bytes.HasPrefix(data, []byte(starts)) {
							t.Errorf("%s for %s is no program of that system: %v", file, name, err)
						}
						inspected(t, built(dir, name, file), p)
						continue
					}
					want, ok := expected[program]
					if !ok {
						t.Fatalf("README.md has no output that starts with %q", program)
					}
					r := underQEMU(t, dir, name, built(dir, name, file))
					first, rest, _ := strings.Cut(r.stdout, "\n")
					wantFirst, wantRest, _ := strings.Cut(want, "\n")
					// The first line ends in the architecture, in the spelling that the README says.
					arch := map[string]string{"go": p.OS + "/" + p.Arch, "cgo": p.OS + "/" + p.Arch}[c.name]
					if arch == "" {
						arch = strings.TrimPrefix(p.Name, "linux/")
					}
					before, _, _ := strings.Cut(wantFirst, " on ")
					if r.code != 0 || first != before+" on "+arch || rest != wantRest {
						t.Errorf("%s for %s: %v\nwant:\n%s on %s\n%s", file, name, r, before, arch, wantRest)
					}
				}
			}
			if c.name == "cc" {
				sharedLibrary(t, dir, made)
			}
		})
	}
}

// sharedLibrary checks the libraries that examples/cc makes beside its programs.
func sharedLibrary(t *testing.T, dir string, made map[string][]string) {
	t.Helper()
	for name := range made {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		isFor(t, built(dir, name, "libfletcher.so"), p)
		data, err := os.ReadFile(built(dir, name, "libwords.a"))
		if err != nil || !bytes.HasPrefix(data, []byte("!<arch>\n")) {
			t.Errorf("libwords.a for %s is no archive: %v", name, err)
		}
	}
}

// artifacts are the paths that dist/artifacts.json lists, by platform.
func artifacts(t *testing.T, dir string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "dist", "artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Platform, Path string }
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	made := map[string][]string{}
	for _, a := range list {
		made[a.Platform] = append(made[a.Platform], a.Path)
	}
	return made
}

var indented = regexp.MustCompile(`(?m)(?:^    .*\n?)+`)

// outputsOf returns the indented blocks of a README that are outputs, by their first word.
func outputsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, block := range indented.FindAllString(string(data), -1) {
		var b strings.Builder
		for line := range strings.Lines(block) {
			b.WriteString(strings.TrimPrefix(line, "    "))
		}
		word, _, _ := strings.Cut(b.String(), " ")
		out[word] = strings.TrimRight(b.String(), "\n") + "\n"
	}
	return out
}
