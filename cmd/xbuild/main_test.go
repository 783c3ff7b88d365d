package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"xbuild/internal/archive"
	"xbuild/internal/archive/archivetest"
	"xbuild/internal/execute"
)

var update = flag.Bool("update", false, "write golden files anew")

const noRaceSleep = "atexit_sleep_ms=0"

// TestMain makes this test binary the program "xbuild" of the scripts, one that trusts the key of the test's own
// archive.
func TestMain(m *testing.M) {
	// A program with the race detector sleeps a second at its end unless it is told not to; hundreds are run here.
	os.Setenv("GORACE", noRaceSleep)
	// Most of them wait: for a rule to end, for a process to be gone. -parallel still says another number.
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"xbuild": func() {
		for name, keys := range map[string]*func() (openpgp.EntityList, error){"XBUILD_TEST_KEYRING": &archiveKeys, "XBUILD_TEST_RUST_KEYRING": &rustKeys} {
			if file := os.Getenv(name); file != "" {
				*keys = func() (openpgp.EntityList, error) {
					data, err := os.ReadFile(file)
					if err != nil {
						return nil, err
					}
					return archive.ReadKeyring(data)
				}
			}
		}
		// Never the real one: these tests use no network.
		snapshot = os.Getenv("XBUILD_TEST_SNAPSHOT")
		main()
	}, "readonly": readonly, "computes": computes})
}

// computes SCRIPT runs a shell script, and then goes on for a minute, as a command would that does not look whether it
// was interrupted.
func computes() {
	ctx, stop := interruptible(nil)
	cmd := exec.Command("sh", "-c", os.Args[1])
	cmd.Stdout = os.Stdout
	err := cmd.Run()
	time.Sleep(time.Minute)
	stop()
	os.Exit(exitCode(ctx, err))
}

// TestInterrupt: an interrupted xbuild waits for what it has started, and not for what it does itself.
func TestInterrupt(t *testing.T) {
	for name, script := range map[string]string{
		"alone":   `kill -INT $PPID`,
		"program": `kill -INT $PPID; sleep 1; echo tidy`,
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := exec.Command("computes", script)
			cmd.Stdout, cmd.Stderr = &out, &errs
			start := time.Now()
			cmd.Run()
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it went on for %v", took)
			}
			if code := cmd.ProcessState.ExitCode(); code != 130 || errs.String() != "xbuild: interrupted\n" {
				t.Errorf("exit code %d, %q; want 130, and that it was interrupted", code, errs.String())
			}
			if want := name == "program"; strings.Contains(out.String(), "tidy") != want {
				t.Errorf("the program wrote %q", out.String())
			}
		})
	}
}

// readonly COMMAND… runs a command as a user without privileges in the working directory, which is mounted read-only
// for it.
func readonly() {
	const script = `d=$PWD; mount --bind "$d" "$d" && mount -o remount,bind,ro "$d" && cd "$d" && exec unshare --user --map-user=1000 --map-group=1000 -- "$@"`
	program, err := exec.LookPath("unshare")
	if err == nil {
		err = syscall.Exec(program, append([]string{"unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", script, "sh"}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "readonly:", err)
	os.Exit(125)
}

// condition says whether this machine can do what a script wants: namespaces are a user's own.
func condition(name string) (bool, error) {
	if name != "namespaces" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	cmd := exec.Command("readonly", "true")
	cmd.Dir = os.TempDir()
	return cmd.Run() == nil, nil
}

// TestScripts runs testdata/script, one file a feature.
func TestScripts(t *testing.T) {
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("these tests build with the host's go: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Setup: func(e *testscript.Env) error {
			// Outside of the script's directory, which is often a project whose files are watched.
			aside := t.TempDir()
			home, tmp := filepath.Join(aside, "home"), filepath.Join(aside, "tmp")
			for _, kv := range [][2]string{
				{"HOME", home}, {"TMPDIR", tmp}, {"XBUILD_STORE", filepath.Join(aside, "store")}, {"STORE", filepath.Join(aside, "store")}, {"ASIDE", aside}, {"XBUILD_TEST_SNAPSHOT", "http://127.0.0.1:1/snapshot"},
				{"GOCACHE", strings.TrimSpace(string(goCache))}, {"GOPROXY", "off"}, {"GOTOOLCHAIN", "local"}, {"GOFLAGS", ""}, {"GORACE", noRaceSleep}, {"PLATFORM", "linux/" + runtime.GOARCH},
				// What a script does not set up must not come from the machine's own apt or a mirror of the world.
				{"XBUILD_DEBIAN_MIRROR", "http://127.0.0.1:1/debian"}, {"XBUILD_RUST_MIRROR", "http://127.0.0.1:1/rust"}, {"XBUILD_PYPI_MIRROR", "http://127.0.0.1:1/simple"},
			} {
				e.Setenv(kv[0], kv[1])
			}
			e.Values[archiveKey{}] = &scriptArchive{}
			return errors.Join(os.Mkdir(home, 0o755), os.Mkdir(tmp, 0o755))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"archive": archiveCmd, "exits": exitsCmd, "waitfile": waitfileCmd, "gone": goneCmd, "machine": machineCmd, "artifacts": artifactsCmd, "holds": holdsCmd, "elf": elfCmd, "trap": trapCmd,
		},
	})
}

// exits CODE COMMAND… runs a command that must end with this exit code.
func exitsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	code := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// waitfile FILE waits until a file is there and not empty.
func waitfileCmd(ts *testscript.TestScript, neg bool, args []string) {
	for range 400 {
		if info, err := os.Stat(ts.MkAbs(args[0])); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s did not come", args[0])
}

// gone FILE sees that the process whose id a file holds has ended.
func goneCmd(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	for range 100 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		// One that is dead and that nobody has waited for yet is gone too (proc(5): state Z).
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("process %d still runs", pid)
}

// elf FILE writes the header of a program for linux/amd64, and nothing behind it.
func elfCmd(ts *testscript.TestScript, neg bool, args []string) {
	var b bytes.Buffer
	ts.Check(binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o755))
}

// trap FILE writes a program of this machine that is an illegal instruction and nothing else.
func trapCmd(ts *testscript.TestScript, neg bool, args []string) {
	machine, code := elf.EM_X86_64, []byte{0x0f, 0x0b, 0, 0} // ud2
	if runtime.GOARCH == "arm64" {
		machine, code = elf.EM_AARCH64, []byte{0, 0, 0, 0} // udf
	}
	const at = 0x400000
	var b bytes.Buffer
	ts.Check(binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: at + 120, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}))
	size := uint64(120 + len(code))
	ts.Check(binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: at, Paddr: at, Filesz: size, Memsz: size, Align: 0x10000}))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(b.Bytes(), code...), 0o755))
}

// machine FILE EM_… sees what an ELF file is for.
func machineCmd(ts *testscript.TestScript, neg bool, args []string) {
	f, err := elf.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	if got := f.Machine.String(); got != args[1] {
		ts.Fatalf("%s is for %s, want %s", args[0], got, args[1])
	}
}

// artifacts DIR PATH… sees that DIR/artifacts.json lists these files and no other, in this order, as they lie there.
func artifactsCmd(ts *testscript.TestScript, neg bool, args []string) {
	var list []execute.Artifact
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "artifacts.json"))), &list))
	var got []string
	for _, a := range list {
		got = append(got, a.Path)
		data, err := os.ReadFile(ts.MkAbs(filepath.Join(args[0], a.Path)))
		ts.Check(err)
		sum := sha256.Sum256(data)
		if a.Size != int64(len(data)) || a.SHA256 != hex.EncodeToString(sum[:]) {
			ts.Fatalf("artifacts.json says %d bytes, sha256 %s of %s: it has %d, %x", a.Size, a.SHA256, a.Path, len(data), sum)
		}
	}
	if !slices.Equal(got, args[1:]) {
		ts.Fatalf("artifacts.json lists %q, want %q", got, args[1:])
	}
}

// holds DIR N sees how many files lie directly in a directory.
func holdsCmd(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want, err := strconv.Atoi(args[1]); err != nil || len(names) != want {
		ts.Fatalf("%s holds %d: %q, want %s", args[0], len(names), names, args[1])
	}
}

type archiveKey struct{}

// A scriptArchive is a script's own Debian archive.
type scriptArchive struct {
	*archivetest.Archive
	dir string
}

// archive start | tamper-deb NAME | remove-deb NAME | remove-index SUITE ARCH | tamper-index SUITE ARCH |
// break-signature SUITE | other-key SUITE | date SUITE DATE | snapshot DATE
func archiveCmd(ts *testscript.TestScript, neg bool, args []string) {
	a := ts.Value(archiveKey{}).(*scriptArchive)
	if args[0] == "start" {
		var err error
		a.dir, err = os.MkdirTemp(ts.Getenv("ASIDE"), "archive-")
		ts.Check(err)
		a.Archive, err = archivetest.Build(a.dir, small()...)
		ts.Check(err)
		// The snapshot archive has a directory a date; a script fills it.
		mux := http.NewServeMux()
		mux.Handle("/debian/", http.StripPrefix("/debian", a.Handler()))
		mux.Handle("/snapshot/", http.StripPrefix("/snapshot", http.FileServer(http.Dir(a.dir+"-snapshot"))))
		server := httptest.NewServer(mux)
		ts.Defer(server.Close)
		ts.Setenv("XBUILD_DEBIAN_MIRROR", server.URL+"/debian")
		ts.Setenv("MIRROR", server.URL+"/debian")
		ts.Setenv("XBUILD_TEST_SNAPSHOT", server.URL+"/snapshot")
		ts.Setenv("XBUILD_TEST_KEYRING", a.KeyringFile)
		return
	}
	var err error
	switch args[0] {
	case "tamper-deb":
		err = a.TamperDeb(args[1])
	case "remove-deb":
		err = a.RemoveDeb(args[1])
	case "remove-index":
		err = a.RemoveIndex(args[1], args[2])
	case "tamper-index":
		err = a.TamperIndex(args[1], args[2])
	case "break-signature":
		err = a.BreakSignature(args[1])
	case "other-key":
		err = a.SignWithOtherKey(args[1])
	case "date":
		var d time.Time
		if d, err = time.Parse(time.DateOnly, args[2]); err == nil {
			err = a.SetDate(args[1], d, time.Time{})
		}
	case "snapshot":
		err = os.CopyFS(filepath.Join(a.dir+"-snapshot", args[1]), os.DirFS(a.dir))
	default:
		ts.Fatalf("archive: unknown %q", args[0])
	}
	ts.Check(err)
}

// small is an archive with all that xbuild locks for C, Go and Rust on two architectures. Its programs are scripts that
// say what they are.
func small() []archivetest.Suite {
	script := func(path string) archivetest.File {
		return archivetest.File{Name: "./" + path, Body: "#!/bin/sh\necho \"$(basename \"$0\") of the small archive:\" \"$@\"\n", Mode: 0o755}
	}
	trixie := archivetest.Suite{Name: "trixie", Alias: "trixie", Version: "13.1"}
	forky := archivetest.Suite{Name: "forky", Alias: "testing", Version: "14"}
	bullseye := archivetest.Suite{Name: "bullseye", Version: "11"} // of programs that run while a project is built
	for arch, triplet := range map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"} {
		p := func(name, version, depends string, files ...archivetest.File) archivetest.Package {
			return archivetest.Package{Name: name, Version: version, Arch: arch, Depends: depends, Files: files}
		}
		file := func(path string) archivetest.File {
			return archivetest.File{Name: "./" + path, Body: path + " for " + arch + "\n"}
		}
		lib := "usr/lib/" + triplet + "/"
		trixie.Packages = append(trixie.Packages,
			p("golang-1.24-go", "1.24.4-1", "golang-1.24-src (>= 1.24.4)", script("usr/lib/go-1.24/bin/go"), script("usr/lib/go-1.24/bin/gofmt")),
			p("golang-1.24-src", "1.24.4-1", "", file("usr/share/go-1.24/src/runtime/runtime.go")),
			p("clang-19", "1:19.1.7-3", "libc6, libc6-dev", script("usr/lib/llvm-19/bin/clang")),
			p("lld-19", "1:19.1.7-3", "", script("usr/lib/llvm-19/bin/ld.lld")),
			p("llvm-19", "1:19.1.7-3", "", func() (tools []archivetest.File) {
				for _, t := range []string{"ar", "ranlib", "nm", "objcopy", "strip", "readelf", "size", "strings", "cxxfilt", "dwarfdump", "objdump", "addr2line", "dwp"} {
					tools = append(tools, script("usr/lib/llvm-19/bin/llvm-"+t))
				}
				return tools
			}()...),
			p("pkgconf-bin", "1.8.1-4", "libc6", script("usr/bin/pkgconf")),
			p("libc6", "2.41-12", "", file(lib+"libc.so.6")),
			p("libc6-dev", "2.41-12", "libc6 (= 2.41-12), linux-libc-dev", file("usr/include/stdio.h")),
			p("linux-libc-dev", "6.12.38-1", "", file("usr/include/linux/types.h")),
			p("libgcc-s1", "14.2.0-19", "libc6", file(lib+"libgcc_s.so.1")),
			p("libgcc-14-dev", "14.2.0-19", "libgcc-s1", file("usr/lib/gcc/"+triplet+"/14/libgcc.a")),
			p("libstdc++6", "14.2.0-19", "libc6", file(lib+"libstdc++.so.6")),
			p("libstdc++-14-dev", "14.2.0-19", "libstdc++6, libc6-dev", file("usr/include/c++/14/vector")),
			p("libatomic1", "14.2.0-19", "libc6", file(lib+"libatomic.so.1")),
			p("zlib1g", "1:1.3.1-1", "libc6", file(lib+"libz.so.1")),
			p("zlib1g-dev", "1:1.3.1-1", "zlib1g (= 1:1.3.1-1)", file("usr/include/zlib.h")),
		)
		for suite, version := range map[*archivetest.Suite]string{&trixie: "1.85.1+dfsg1-1", &forky: "1.97.1+dfsg1-1"} {
			suite.Packages = append(suite.Packages, p("rustc", version, "", script("usr/bin/rustc")), p("cargo", version, "", script("usr/bin/cargo")), p("libstd-rust-dev", version, ""))
		}
		qemu := p("qemu-user", "1:11.1.0+ds-1", "")
		for _, m := range []string{"i386", "x86_64", "aarch64", "arm", "mips64el", "ppc64le", "s390x", "riscv64", "loongarch64"} {
			qemu.Files = append(qemu.Files, script("usr/bin/qemu-"+m))
		}
		forky.Packages = append(forky.Packages, qemu,
			p("clang-22", "1:22.1.8-1", "libc6", script("usr/lib/llvm-22/bin/clang")), p("lld-22", "1:22.1.8-1", "", script("usr/lib/llvm-22/bin/ld.lld")),
			p("llvm-22", "1:22.1.8-1", "", script("usr/lib/llvm-22/bin/llvm-ar")), p("libc6", "2.43-7", "", file(lib+"libc.so.6")))
	}
	for _, name := range []string{"libc6", "libc6-dev", "linux-libc-dev", "libgcc-s1", "libgcc-15-dev", "libstdc++6", "libstdc++-15-dev", "libatomic1"} {
		forky.Packages = append(forky.Packages, archivetest.Package{Name: name, Version: "15.1", Arch: "loong64", Files: []archivetest.File{{Name: "./usr/share/" + name, Body: name}}})
	}
	// The host's programs are built with an older C library.
	for _, p := range trixie.Packages {
		for old, name := range map[string]string{"libc6": "libc6", "libc6-dev": "libc6-dev", "linux-libc-dev": "linux-libc-dev", "libgcc-s1": "libgcc-s1", "libgcc-14-dev": "libgcc-10-dev", "libstdc++6": "libstdc++6", "libstdc++-14-dev": "libstdc++-10-dev", "libatomic1": "libatomic1"} {
			if p.Name == old {
				p.Name, p.Version, p.Depends = name, "2.31", ""
				bullseye.Packages = append(bullseye.Packages, p)
			}
		}
	}
	// A mirror has the suite under its codename and under an alias; the two may be out of step.
	stable := trixie
	stable.Path, stable.Alias = "stable", "stable"
	return []archivetest.Suite{bullseye, trixie, stable, forky}
}

// TestHelp holds the help of every command against testdata/help.
func TestHelp(t *testing.T) {
	parser, err := kong.New(&CLI{}, kong.Vars{"formats": ""})
	if err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{}}
	var walk func(n *kong.Node, path []string)
	walk = func(n *kong.Node, path []string) {
		for _, c := range n.Children {
			p := append(slices.Clone(path), c.Name)
			commands = append(commands, p)
			walk(c, p)
		}
	}
	walk(parser.Model.Node, nil)
	golden := map[string]bool{}
	for _, path := range commands {
		name := strings.Join(append([]string{"xbuild"}, path...), "-") + ".txt"
		golden[name] = true
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("xbuild", append(path, "--help")...)
			cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
				return strings.HasPrefix(kv, "XBUILD_") || strings.HasPrefix(kv, "TARGETPLATFORM=") || strings.HasPrefix(kv, "COLUMNS=")
			})
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			got, err := cmd.Output()
			if err != nil || stderr.Len() > 0 {
				t.Fatalf("--help: %v\n%s", err, stderr.Bytes())
			}
			file := filepath.Join("testdata/help", name)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: write it with: go test ./cmd/xbuild -run TestHelp -update", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the help differs from %s (renew it with: go test ./cmd/xbuild -run TestHelp -update); it is now\n%s", file, got)
			}
		})
	}
	files, err := os.ReadDir("testdata/help")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !golden[f.Name()] {
			t.Errorf("testdata/help/%s is of no command: remove it", f.Name())
		}
	}
}

// TestDirectory sees that the script directory.txt has -C with every flag that is a path, and with every command that
// has files or a command for its arguments.
func TestDirectory(t *testing.T) {
	data, err := os.ReadFile("testdata/script/directory.txt")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&CLI{}, kong.Vars{"formats": ""})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	stands := func(words ...string) {
		t.Helper()
		seen++
		if !slices.ContainsFunc(strings.Split(string(data), "\n"), func(line string) bool {
			return strings.Contains(line, "xbuild -C p ") && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(strings.Fields(line), w) })
		}) {
			t.Errorf("testdata/script/directory.txt has no line with -C and %q", words)
		}
	}
	for _, f := range parser.Model.Flags {
		if f.Tag.Type == "path" && f.Name != "directory" {
			stands("--" + f.Name)
		}
	}
	for _, c := range parser.Model.Leaves(true) {
		for _, f := range c.Flags {
			if f.Tag.Type == "path" {
				stands(c.Name, "--"+f.Name)
			}
			if strings.HasPrefix(f.Tag.Type, "existing") {
				t.Errorf("--%s of %s is looked for before -C counts: make it a path, and look in Run", f.Name, c.Name)
			}
		}
		for _, a := range c.Positional {
			if a.Name != "target" { // xbuild.toml's
				stands(c.Name)
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d paths were found: the test does not see the command line", seen)
	}
}

// TestListsAsJSON sees that what --json prints is JSON of the listed things, one document and no more.
func TestListsAsJSON(t *testing.T) {
	for command, want := range map[string]struct {
		key   string
		names []string
	}{
		"platforms":  {"Name", []string{"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le", "linux/loong64"}},
		"toolchains": {"name", []string{"clang", "cmake", "go", "make", "ninja", "pkgconf", "qemu"}},
		"sysroots":   {"name", []string{"glibc"}},
		"recipes":    {"name", []string{"cc", "cmake", "go", "make"}},
	} {
		t.Run(command, func(t *testing.T) {
			out, err := exec.Command("xbuild", command, "--json").Output()
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(bytes.NewReader(out))
			var list []map[string]any
			if err := d.Decode(&list); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Token(); err != io.EOF {
				t.Errorf("something follows the JSON: %v", err)
			}
			var names []string
			for _, x := range list {
				names = append(names, fmt.Sprint(x[want.key]))
			}
			for _, n := range want.names {
				if !slices.Contains(names, n) {
					t.Errorf("xbuild %s --json has no %s %q (there are %s)", command, want.key, n, strings.Join(names, ", "))
				}
			}
		})
	}
}
