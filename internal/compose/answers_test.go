package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// asker is a directory with a platform's answers, and one with programs of a host that print their name and
// arguments.
func asker(t *testing.T, name string) (answers, host string) {
	t.Helper()
	p := parse(t, name)
	clang, pkgconf, sysroot := parts(t, "/store", p)
	v := NewView("/store", p, nil, clang, pkgconf, sysroot)
	dir := t.TempDir()
	answers, host = filepath.Join(dir, "answers"), filepath.Join(dir, "host")
	if err := v.writeAnswers(answers); err != nil {
		t.Fatal(err)
	}
	for name := range v.answers() {
		for _, file := range []string{filepath.Join(host, name), filepath.Join(dir, "bin", name)} {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("#!/bin/sh\necho \"host's ${0##*/} $*\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return answers, host
}

// ask runs a command line of the shell with the answers before the host's programs.
func ask(t *testing.T, answers, host, line string, env ...string) string {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Env = append([]string{"PATH=" + answers + ":" + host, "XBUILD_UNAME=makefile"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	return strings.TrimSpace(string(out))
}

// TestMachines: what is about the machine is the platform's, whatever the order and spelling of the options.
func TestMachines(t *testing.T) {
	for name, want := range map[string]string{
		"linux/amd64":    "x86_64|x86_64|64|4096|9223372036854775807||amd64|x86_64-linux-gnu|x86_64-linux-gnu|64 little",
		"linux/amd64/v3": "x86_64|x86_64|64|4096|9223372036854775807||amd64|x86_64-linux-gnu|x86_64-linux-gnu|64 little",
		"linux/386":      "i686|i686|32|4096|2147483647|-D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64|i386|i686-linux-gnu|i386-linux-gnu|32 little",
		"linux/arm64":    "aarch64|aarch64|64|65536|9223372036854775807||arm64|aarch64-linux-gnu|aarch64-linux-gnu|64 little",
		"linux/arm/v5":   "armv5tel|armv5tel|32|4096|2147483647|-D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64|armel|arm-linux-gnueabi|arm-linux-gnueabi|32 little",
		"linux/arm/v6":   "armv6l|armv6l|32|4096|2147483647|-D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64|armel|arm-linux-gnueabi|arm-linux-gnueabi|32 little",
		"linux/arm/v7":   "armv7l|armv7l|32|4096|2147483647|-D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64|armhf|arm-linux-gnueabihf|arm-linux-gnueabihf|32 little",
		"linux/ppc64le":  "ppc64le|ppc64le|64|65536|9223372036854775807||ppc64el|powerpc64le-linux-gnu|powerpc64le-linux-gnu|64 little",
		"linux/s390x":    "s390x|s390x|64|4096|9223372036854775807||s390x|s390x-linux-gnu|s390x-linux-gnu|64 big",
		"linux/riscv64":  "riscv64|riscv64|64|4096|9223372036854775807||riscv64|riscv64-linux-gnu|riscv64-linux-gnu|64 little",
		"linux/mips64le": "mips64|mips64|64|65536|9223372036854775807||mips64el|mips64el-linux-gnuabi64|mips64el-linux-gnuabi64|64 little",
		"linux/loong64":  "loongarch64|loongarch64|64|65536|9223372036854775807||loong64|loongarch64-linux-gnu|loongarch64-linux-gnu|64 little",
		"windows/amd64":  "x86_64|x86_64|32|4096|2147483647||host's dpkg --print-architecture|x86_64-w64-mingw32||host's dpkg-architecture -qDEB_HOST_ARCH_BITS host's dpkg-architecture -q DEB_HOST_ARCH_ENDIAN",
	} {
		answers, host := asker(t, name)
		if parse(t, name).Debian == "" {
			for _, n := range []string{"dpkg", "dpkg-architecture"} {
				if err := os.WriteFile(filepath.Join(host, n), []byte("#!/bin/sh\necho \"host's ${0##*/} $*\"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := ask(t, answers, host, `echo "$(uname -m)|$(arch)|$(getconf LONG_BIT)|$(getconf PAGESIZE)|$(getconf LONG_MAX)|$(getconf LFS_CFLAGS)|$(dpkg --print-architecture)|$(gcc -dumpmachine)|$(g++ -m64 -print-multiarch)|$(dpkg-architecture -qDEB_HOST_ARCH_BITS) $(dpkg-architecture -q DEB_HOST_ARCH_ENDIAN)"`)
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestAsked: the options of uname, what is not about the machine, and for whom it answers.
func TestAsked(t *testing.T) {
	answers, host := asker(t, "linux/arm64")
	windows, other := asker(t, "windows/amd64")
	// A program's name as the kernel knows it is that of its file.
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cmake", "build-script-build", "make"} {
		if err := os.WriteFile(filepath.Join(host, name), sh, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ line, env, want string }{
		{"uname", "", "host's uname"},
		{"uname -s", "", "host's uname -s"},
		{"uname -m", "", "aarch64"}, {"uname -p", "", "aarch64"}, {"uname -i", "", "aarch64"}, {"uname --machine", "", "aarch64"}, {"uname --processor --kernel-name", "", "Linux aarch64"},
		{"uname -m -s", "", "Linux aarch64"}, {"uname -sm", "", "Linux aarch64"}, {"uname -om", "", "aarch64 GNU/Linux"}, {"uname -mpi", "", "aarch64 aarch64 aarch64"},
		{"uname -srm", "", "Linux host's uname -r aarch64"},
		{"uname -a", "", "Linux host's uname -n host's uname -r host's uname -v aarch64 GNU/Linux"}, {"uname --all", "", "Linux host's uname -n host's uname -r host's uname -v aarch64 GNU/Linux"},
		{"uname -r", "", "host's uname -r"}, {"uname --version", "", "host's uname --version"}, {"uname -z", "", "host's uname -z"}, {"uname machine", "", "host's uname machine"},
		{"arch --help", "", "host's arch --help"},
		{"getconf _NPROCESSORS_ONLN", "", "host's getconf _NPROCESSORS_ONLN"}, {"getconf NAME_MAX /", "", "host's getconf NAME_MAX /"}, {"getconf PAGE_SIZE", "", "65536"}, {"getconf ULONG_MAX", "", "18446744073709551615"}, {"getconf LONG_MIN", "", "-9223372036854775808"},
		{"dpkg -l make", "", "host's dpkg -l make"}, {"dpkg-architecture -qDEB_BUILD_ARCH", "", "host's dpkg-architecture -qDEB_BUILD_ARCH"}, {"dpkg-architecture", "", "host's dpkg-architecture -aarm64"},
		{"dpkg-architecture --query DEB_TARGET_GNU_SYSTEM", "", "linux-gnu"}, {"dpkg-architecture -q DEB_HOST_GNU_CPU", "", "aarch64"},
		{"gcc -O2 'a b.c'", "", "host's gcc -O2 a b.c"}, {"aarch64-linux-gnu-g++ -c x.cc", "", "host's aarch64-linux-gnu-g++ -c x.cc"}, {"aarch64-linux-gnu-gcc -dumpmachine", "", "aarch64-linux-gnu"},
		{"uname -m", "XBUILD_UNAME=host", "host's uname -m"}, {"arch", "XBUILD_UNAME=host", "host's arch"}, {"getconf LONG_BIT", "XBUILD_UNAME=host", "host's getconf LONG_BIT"},
		{"dpkg --print-architecture", "XBUILD_UNAME=host", "host's dpkg --print-architecture"},
		{"make -c 'uname -m; :'", "", "aarch64"}, {"cmake -c 'uname -m; :'", "", "host's uname -m"}, {"build-script-build -c 'uname -m; :'", "", "host's uname -m"},
		{"cmake -c 'uname -m; :'", "XBUILD_UNAME=platform", "aarch64"},
		{"cd / && ../$D/uname -m", "D=" + answers, "aarch64"},
	} {
		if got := ask(t, answers, host, c.line, c.env); got != c.want {
			t.Errorf("%s (%s): %q, want %q", c.line, c.env, got, c.want)
		}
	}
	for line, want := range map[string]string{
		"uname": "MINGW64_NT-10.0", "uname -s": "MINGW64_NT-10.0", "uname -o": "Msys", "uname -m": "x86_64", "uname -r": "host's uname -r", "uname -sm": "MINGW64_NT-10.0 x86_64",
	} {
		if got := ask(t, windows, other, line); got != want {
			t.Errorf("windows: %s: %q, want %q", line, got, want)
		}
	}
	// Where the host has no such program there is none.
	if err := os.Remove(filepath.Join(host, "dpkg")); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, answers, host, "dpkg -l"); !strings.HasPrefix(got, "dpkg: not found") {
		t.Errorf("dpkg, which is not there: %q", got)
	}
	// The first question is noted, by whom it was answered.
	note := filepath.Join(t.TempDir(), "asked")
	ask(t, answers, host, "uname -r; uname -s; uname -m; arch", "XBUILD_ASKED="+note)
	ask(t, answers, host, "arch", "XBUILD_ASKED="+note, "XBUILD_UNAME=host")
	for by, want := range map[string]string{"platform": "uname -m\n", "host": "arch \n"} {
		if got, err := os.ReadFile(note + "-" + by); err != nil || string(got) != want {
			t.Errorf("noted of %s: %q, %v; want %q", by, got, err, want)
		}
	}
}

// TestConfigSiteAsksTheBuildMachine: below a script of autoconf the host answers, unless the target says otherwise.
func TestConfigSiteAsksTheBuildMachine(t *testing.T) {
	answers, host := asker(t, "linux/arm64")
	p := parse(t, "linux/arm64")
	clang, pkgconf, sysroot := parts(t, "/store", p)
	site := filepath.Join(t.TempDir(), "config.site")
	if err := os.WriteFile(site, []byte(NewView("/store", p, nil, clang, pkgconf, sysroot).configSite()), 0o644); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]string{"makefile": "host's uname -m", "platform": "aarch64", "host": "host's uname -m"} {
		if got := ask(t, answers, host, ". "+site+"; sh() { /bin/sh \"$@\"; }; sh -c 'uname -m; :'", "CONFIG_SITE="+site, "XBUILD_UNAME="+mode); got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
}

// TestPagesSite: configure scripts that compile in the size of a page are told the platform's largest, and what the
// user says wins.
func TestPagesSite(t *testing.T) {
	for _, p := range platform.All() {
		if !p.HasC() {
			continue
		}
		want := "12 12 4096"
		if len(p.Pages) > 1 {
			want = "16 16 65536"
		}
		clang, pkgconf, sysroot := parts(t, "/store", p)
		v := NewView("/store", p, nil, clang, pkgconf, sysroot)
		for given, want := range map[string]string{"": want, "with_lg_page=14": "  " + strings.Fields(want)[2], "je_cv_lg_page=13": "13 " + strings.Join(strings.Fields(want)[1:], " "), "erofs_cv_max_block_size=1": strings.Join(strings.Fields(want)[:2], " ") + " 1"} {
			out, err := exec.Command("/bin/sh", "-c", "unset with_lg_page je_cv_lg_page je_cv_static_page_shift erofs_cv_max_block_size; "+given+"\n"+v.configSite()+
				`echo "$je_cv_lg_page $je_cv_static_page_shift $erofs_cv_max_block_size"`).CombinedOutput()
			if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != want {
				t.Errorf("%s, %q: %q, %v; want %q", p, given, got, err, want)
			}
		}
	}
}
