package platform

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"xbuild/internal/tomlfile"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64": "linux/amd64", "amd64": "linux/amd64", "x86_64": "linux/amd64", "x64": "linux/amd64",
		"linux/amd64/v1": "linux/amd64", "amd64/v1": "linux/amd64", "x86_64-pc-linux-gnu": "linux/amd64",
		"linux/amd64/v3": "linux/amd64/v3", "linux/amd64v3": "linux/amd64/v3", "linux-amd64-v3": "linux/amd64/v3", "x86-64-v3": "linux/amd64/v3",
		"linux_amd64_v4": "linux/amd64/v4", "LINUX/AMD64": "linux/amd64", " linux/arm64\n": "linux/arm64",
		"linux/386": "linux/386", "i386": "linux/386", "i686": "linux/386", "i686-unknown-linux-gnu": "linux/386", "i386-linux-gnu": "linux/386",
		"linux/arm64/v8": "linux/arm64", "arm64/v8": "linux/arm64", "aarch64": "linux/arm64", "linux/arm64/v8.2": "linux/arm64/v8.2",
		"linux/arm64/v9.0": "linux/arm64/v9", "aarch64-unknown-linux-musl": "linux/arm64", "aarch64-linux-gnu": "linux/arm64",
		"linux/arm": "linux/arm/v7", "arm": "linux/arm/v7", "armhf": "linux/arm/v7", "armv7l": "linux/arm/v7", "armv7-unknown-linux-gnueabihf": "linux/arm/v7",
		"arm-linux-gnueabihf": "linux/arm/v7", "arm-unknown-linux-gnueabihf": "linux/arm/v7",
		"armel": "linux/arm/v5", "arm-linux-gnueabi": "linux/arm/v5", "armv5te-unknown-linux-gnueabi": "linux/arm/v5",
		"linux/arm/v6": "linux/arm/v6", "armv6l": "linux/arm/v6", "arm-unknown-linux-gnueabi": "linux/arm/v6", // Rust's, which is ARMv6
		"ppc64el": "linux/ppc64le", "powerpc64le-unknown-linux-gnu": "linux/ppc64le", "s390x": "linux/s390x",
		"riscv64gc-unknown-linux-gnu": "linux/riscv64", "riscv64-linux-gnu": "linux/riscv64",
		"mips64le": "linux/mips64le", "mips64el": "linux/mips64le", "mips64el-linux-gnuabi64": "linux/mips64le", "mips64el-unknown-linux-muslabi64": "linux/mips64le",
		"loongarch64": "linux/loong64", "loong64": "linux/loong64",
		"windows/amd64": "windows/amd64", "x86_64-w64-mingw32": "windows/amd64", "darwin/arm64": "darwin/arm64", "wasip1/wasm": "wasip1/wasm",
	} {
		p, err := Parse(in)
		if err != nil || p.Name != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, p, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"linux/arm/v9":                    `platform "linux/arm/v9" is unknown; did you mean "linux/arm/v7"? (xbuild platforms lists them)`,
		"linux/am64":                      `platform "linux/am64" is unknown; did you mean "linux/amd64"? (xbuild platforms lists them)`,
		"linux/riscv":                     `platform "linux/riscv" is unknown; did you mean "linux/riscv64"? (xbuild platforms lists them)`,
		"vax":                             `platform "vax" is unknown (xbuild platforms lists them)`,
		"":                                `platform "" is unknown (xbuild platforms lists them)`,
		strings.Repeat("linux/amd64", 40): `platform "` + strings.Repeat("linux/amd64", 40) + `" is unknown (xbuild platforms lists them)`,
	} {
		if _, err := Parse(in); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): %v\nwant: %s", in, err, want)
		}
	}
}

func TestParseFloor(t *testing.T) {
	for in, want := range map[string][2]string{
		"aarch64-linux-gnu.2.17":           {"linux/arm64", "2.17"},
		"aarch64-unknown-linux-gnu.2.28":   {"linux/arm64", "2.28"},
		"linux/arm64.2.31":                 {"linux/arm64", "2.31"},
		"linux/arm64":                      {"linux/arm64", ""},
		"linux/arm64/v8.2":                 {"linux/arm64/v8.2", ""},
		"linux/arm64/v9.2":                 {"linux/arm64/v9.2", ""},
		"linux/arm64/v8.2.2.31":            {"linux/arm64/v8.2", "2.31"},
		"linux/arm64/v8.2.31":              {"linux/arm64", "2.31"}, // v8 and a floor
		"linux/arm/v7.2.36":                {"linux/arm/v7", "2.36"},
		"linux/amd64/v3.2.5":               {"linux/amd64/v3", "2.5"},
		"mips64el-linux-gnuabi64.2.36":     {"linux/mips64le", "2.36"},
		"riscv64gc-unknown-linux-gnu.2.41": {"linux/riscv64", "2.41"},
	} {
		p, floor, err := ParseFloor(in)
		if err != nil || p.Name != want[0] || floor != want[1] {
			t.Errorf("ParseFloor(%q) = %q, %q, %v; want %q", in, p, floor, err, want)
		}
	}
	for in, want := range map[string]string{
		"windows/amd64.2.31":      "has no glibc",
		"aarch64-linux-musl.2.31": "its libc is musl",
		"linux/arm64.3.1":         "is unknown",
		"linux/arm64.2.":          "is unknown",
		"linux/am64.2.31":         `did you mean "linux/amd64"`,
		".2.31":                   "is unknown",
	} {
		if p, floor, err := ParseFloor(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFloor(%q) = %q, %q, %v; want an error with %q", in, p, floor, err, want)
		}
	}
}

// Whatever the table prints can be typed.
func TestEveryColumnParses(t *testing.T) {
	for _, p := range All() {
		for _, s := range append([]string{p.Name, p.Docker}, p.Aliases...) {
			if q, err := Parse(s); err != nil || q.Name != p.Name {
				t.Errorf("%s: Parse(%q) = %q, %v", p, s, q, err)
			}
		}
		// Platforms share triplets (v5 and v6, every variant), and so the column must come back, not the platform.
		for name, column := range map[string]func(Platform) string{
			"triplet": func(p Platform) string { return p.Triplet }, "multiarch": func(p Platform) string { return p.Multiarch },
			"musl": func(p Platform) string { return p.Musl }, "llvm": func(p Platform) string { return p.LLVM },
			"rust": func(p Platform) string { return p.Rust }, "rust_musl": func(p Platform) string { return p.RustMusl },
			"debian": func(p Platform) string { return p.Debian },
			"go":     func(p Platform) string { return p.GOOS + "/" + p.GOARCH },
		} {
			s := column(p)
			if s == "" {
				continue
			}
			if q, err := Parse(s); err != nil || column(q) != s {
				t.Errorf("%s: %s %q is read as %q (%q), %v", p, name, s, q, column(q), err)
			}
		}
	}
}

// What each platform with a C toolchain must have, and what the issue promises to be there.
func TestColumns(t *testing.T) {
	want := strings.Fields(`linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/amd64/v4 linux/386 linux/arm64 linux/arm64/v8.1 linux/arm64/v9
		linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/ppc64le linux/s390x linux/riscv64 linux/mips64le linux/loong64`)
	suites := []string{"bullseye", "bookworm", "trixie", "forky"}
	for _, p := range All() {
		if p.Bits != 32 && p.Bits != 64 || (p.Bits == 64) != (p.Class == elf.ELFCLASS64) {
			t.Errorf("%s: %d bits, %s", p, p.Bits, p.Class)
		}
		if strings.Join([]string{p.OS, p.Arch}, "/") != strings.TrimSuffix(p.Name, "/"+p.Variant) {
			t.Errorf("%s is %s, %s, %s", p, p.OS, p.Arch, p.Variant)
		}
		if !p.HasC() {
			continue
		}
		want = slices.DeleteFunc(want, func(n string) bool { return n == p.Name })
		v := reflect.ValueOf(p)
		for _, f := range strings.Fields("Docker Triplet Multiarch Musl LLVM Rust RustMusl GOOS GOARCH Node Gyp Debian Suites QEMU Machine Interp CMake MesonFamily MesonCPU") {
			if v.FieldByName(f).IsZero() {
				t.Errorf("%s has no %s", p, f)
			}
		}
		i := -1
		for _, s := range p.Suites {
			j := slices.Index(suites, s)
			if j <= i {
				t.Errorf("%s: suites %q are not the oldest first", p, p.Suites)
			}
			i = j
		}
		if p.Base().Multiarch != p.Multiarch {
			t.Errorf("%s does not share the sysroot of %s", p, p.Base())
		}
		if p.QEMUCPU == "" {
			b, err := p.Baseline("", nil)
			if err != nil || b.QEMUReason() == "" {
				t.Errorf("%s: no CPU model, and no reason (%v)", p, err)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no platform with a C toolchain is called %q", want)
	}
	for name, base := range map[string]string{"linux/amd64/v3": "linux/amd64", "linux/arm64/v8.2": "linux/arm64", "linux/arm/v6": "linux/arm/v5", "linux/arm/v7": "linux/arm/v7"} {
		p, err := Parse(name)
		if err != nil || p.Base().Name != base {
			t.Errorf("Base of %s is %s, %v; want %s", name, p.Base(), err, base)
		}
	}
	if p, _ := Parse("linux/arm/v6"); !p.Static {
		t.Error("linux/arm/v6 must be static: no distribution ships armel's loader for ARMv6")
	}
}

func TestHost(t *testing.T) {
	if h := Host(); h.GOOS != runtime.GOOS || h.GOARCH != runtime.GOARCH {
		t.Errorf("Host() = %s on %s/%s", h, runtime.GOOS, runtime.GOARCH)
	}
}

// The tables are not decoded: what is read of them must be what TOML says.
func TestTablesAreTOML(t *testing.T) {
	for name, data := range map[string]string{"platforms.toml": platformsTOML, "baseline.toml": baselineTOML, "cpus.toml": cpusTOML, "macros.toml": macrosTOML} {
		var want map[string]any
		if _, err := toml.Decode(data, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]any{}
		err := sections(data, func(s section) error {
			kind, sub, ok := strings.Cut(s.name, ".")
			if !ok {
				list, _ := got[kind].([]map[string]any)
				got[kind] = append(list, tree(s.Nodes))
				return nil
			}
			if got[kind] == nil {
				got[kind] = map[string]any{}
			}
			got[kind].(map[string]any)[sub] = tree(s.Nodes)
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read otherwise than as TOML:\n%v\n%v", name, got, want)
		}
	}
}

func tree(keys []*tomlfile.Node) map[string]any {
	m := map[string]any{}
	for _, e := range keys {
		switch e.Kind {
		case tomlfile.String:
			m[e.Name] = e.Text
		case tomlfile.Bool:
			m[e.Name] = e.Text == "true"
		case tomlfile.Integer:
			m[e.Name], _ = strconv.ParseInt(e.Text, 0, 64)
		case tomlfile.List:
			list := []any{}
			for _, s := range e.Nodes {
				list = append(list, s.Text)
			}
			m[e.Name] = list
		case tomlfile.Table:
			m[e.Name] = tree(e.Nodes)
		}
	}
	return m
}

func TestTableErrors(t *testing.T) {
	for data, want := range map[string]string{
		"[[platform]]\nname = \"a/b\"\n":                                  "needs name and level",
		"[[platform]]\nname = \"a/b\"\nlevel = \"x\"\ncolour = \"red\"\n": `no "colour"`,
		"[[platform]]\nname = \"a/b\"\nlevel = 3\n":                       "another type",
		"[[platform]]\nname = \"a/b\"\nlevel = \"x\nbits = 3":             "cannot have new lines",
		"name = \"a/b\"\n": "want key = value",
		"[[platform]]\nname = \"a/b/c\"\nlike = \"a/b\"\n":                                                                                 "does not stand above it",
		"[[platform]]\nname = \"a/b\"\nlevel = \"x\"\n[[platform]]\nname = \"a/b\"\nlevel = \"x\"\n":                                       "stands twice",
		"[[platform]]\nname = \"a/b\"\nlevel = \"x\"\naliases = [\"c\"]\n[[platform]]\nname = \"a/d\"\nlevel = \"x\"\naliases = [\"C\"]\n": "already a/b",
		"[[platform]]\nname = \"a/b\"\nlevel = \"x\"\nmachine = \"EM_VAX\"\n":                                                              "EM_VAX",
	} {
		if _, err := load(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", data, err, want)
		}
	}
}

// tool returns the first of names that is there, or skips the test.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("runs %s, and -short is set", names[0])
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	t.Skipf("no %s in PATH", strings.Join(names, " or "))
	return ""
}

func clang(t *testing.T) string { return tool(t, "clang-19", "clang") }

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestGoListsThem(t *testing.T) {
	goes := strings.Fields(output(t, tool(t, "go"), "tool", "dist", "list"))
	have := map[string]bool{}
	for _, p := range All() {
		g := p.GOOS + "/" + p.GOARCH
		if have[g] = true; !slices.Contains(goes, g) {
			t.Errorf("%s: go tool dist list has no %s", p, g)
		}
	}
	for _, g := range goes {
		if !have[g] {
			t.Errorf("Go builds for %s, and platforms.toml has no table for it", g)
		}
	}
}

// TestForMusl: every platform with musl has all that its tools need, and keeps its name.
func TestForMusl(t *testing.T) {
	n := 0
	for _, p := range All() {
		m, ok := p.ForMusl()
		if ok != (p.Musl != "") {
			t.Errorf("%s: musl %q, llvm_musl %q: both or none", p, p.Musl, p.LLVMMusl)
		}
		if !ok {
			continue
		}
		n++
		if m.Name != p.Name || !m.Static || m.Interp != "" || !strings.Contains(m.Triplet, "musl") || !strings.Contains(m.LLVM, "musl") || !strings.Contains(m.Rust, "musl") {
			t.Errorf("%s with musl: %+v", p, m)
		}
		if again, ok := m.ForMusl(); !ok || again.Triplet != m.Triplet || again.Rust != m.Rust {
			t.Errorf("%s: twice is not once: %+v", p, again)
		}
	}
	if n < 10 {
		t.Errorf("%d platforms have musl", n)
	}
	if p, _ := Parse("linux/386"); p.GCC != "i686-linux-gnu" {
		t.Errorf("linux/386: GCC's directory is %q", p.GCC)
	}
}

func TestRustListsThem(t *testing.T) {
	targets := strings.Fields(output(t, tool(t, "rustc"), "--print", "target-list"))
	for _, p := range All() {
		for _, target := range []string{p.Rust, p.RustMusl} {
			if target != "" && !slices.Contains(targets, target) {
				t.Errorf("%s: rustc --print target-list has no %s", p, target)
			}
		}
	}
}

// clang's own spelling is the name of the file that it is configured by; its loader is the one that programs ask for.
func TestClangSpellsThem(t *testing.T) {
	cc := clang(t)
	loader := regexp.MustCompile(`"-dynamic-linker" "([^"]+)"`)
	for _, p := range All() {
		if !p.HasC() {
			continue
		}
		if got := strings.TrimSpace(output(t, cc, "--target="+p.Triplet, "-print-target-triple")); got != p.LLVM {
			t.Errorf("%s: clang calls %s %s, the table %s", p, p.Triplet, got, p.LLVM)
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		args := append([]string{"--target=" + p.Triplet, "-###", "-x", "c", "/dev/null"}, b.CFlags()...)
		if m := loader.FindStringSubmatch(output(t, cc, args...)); m == nil || m[1] != p.Interp {
			t.Errorf("%s: clang's loader is %q, the table's %s", p, m, p.Interp)
		}
	}
}

func TestObjectsAreOfTheMachine(t *testing.T) {
	cc := clang(t)
	for _, p := range All() {
		if !p.HasC() {
			continue
		}
		b, err := p.Baseline("", nil)
		if err != nil {
			t.Fatal(err)
		}
		object := filepath.Join(t.TempDir(), "a.o")
		output(t, cc, append([]string{"--target=" + p.Triplet, "-c", "-o", object, "-x", "c", "/dev/null"}, b.CFlags()...)...)
		f, err := elf.Open(object)
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != p.Machine || f.Class != p.Class || f.Data != p.Data {
			t.Errorf("%s: clang made %s %s %s, the table says %s %s %s", p, f.Machine, f.Class, f.Data, p.Machine, p.Class, p.Data)
		}
		if flags := headerFlags(t, object, p); flags&p.ELFMask != p.ELFFlags {
			t.Errorf("%s: clang made e_flags %#x, the table has %#x under %#x", p, flags, p.ELFFlags, p.ELFMask)
		}
		f.Close()
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range All() {
		f.Add(p.Name)
		f.Add(p.Triplet + ".2.31")
	}
	for _, s := range []string{"", ".", "linux/arm64/v8.2.31", "linux/arm/v9", "\x00", "ſinux/amd64", "K", strings.Repeat("-", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, floor, err := ParseFloor(s)
		if err != nil {
			if p.Name != "" || floor != "" {
				t.Errorf("ParseFloor(%q) has an error and %q %q", s, p, floor)
			}
			return
		}
		if q, err := Parse(p.Name); err != nil || q.Name != p.Name {
			t.Errorf("ParseFloor(%q) = %q, which is not a name: %v", s, p, err)
		}
		if floor != "" && !strings.HasSuffix(strings.TrimSpace(s), "."+floor) {
			t.Errorf("ParseFloor(%q) has floor %q", s, floor)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := load(platformsTOML); err != nil {
			b.Fatal(err)
		}
		if _, err := loadBaselines(baselineTOML); err != nil {
			b.Fatal(err)
		}
	}
}
