package compose

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// dynamicProgram is a program of the host that has a loader: /bin/true, or one of its kin.
func dynamicProgram(t testing.TB) (path string, f *elf.File) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs a Linux host")
	}
	for _, path := range []string{"/bin/true", "/usr/bin/true", "/bin/ls", "/bin/sh"} {
		f, err := elf.Open(path)
		if err != nil {
			continue
		}
		t.Cleanup(func() { f.Close() })
		if interp(f) != "" && f.Class == elf.ELFCLASS64 {
			return path, f
		}
	}
	t.Skip("the host has no dynamic program to try it on")
	return "", nil
}

func interp(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			p.ReadAt(b, 0)
			return strings.TrimRight(string(b), "\x00")
		}
	}
	return ""
}

// dynString is an entry of the dynamic section as a loader reads it: through the segments. debug/elf goes by sections,
// which are for linkers and debuggers.
func dynString(f *elf.File, tag elf.DynTag) (string, error) {
	value := func(tag elf.DynTag) (uint64, bool) {
		for _, p := range f.Progs {
			if p.Type == elf.PT_DYNAMIC {
				b := make([]byte, p.Filesz)
				p.ReadAt(b, 0)
				for at := 0; at+16 <= len(b) && f.ByteOrder.Uint64(b[at:]) != 0; at += 16 {
					if elf.DynTag(f.ByteOrder.Uint64(b[at:])) == tag {
						return f.ByteOrder.Uint64(b[at+8:]), true
					}
				}
			}
		}
		return 0, false
	}
	table, _ := value(elf.DT_STRTAB)
	size, _ := value(elf.DT_STRSZ)
	off, ok := value(tag)
	if !ok {
		return "", fmt.Errorf("no %v", tag)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && table >= p.Vaddr && table+size <= p.Vaddr+p.Filesz && off < size {
			b := make([]byte, size)
			if _, err := p.ReadAt(b, int64(table-p.Vaddr)); err != nil {
				return "", err
			}
			s, _, _ := strings.Cut(string(b[off:]), "\x00")
			return s, nil
		}
	}
	return "", fmt.Errorf("%v lies in no segment", tag)
}

// library finds a library of the host as its loader does.
func library(t *testing.T, name, multiarch string) string {
	t.Helper()
	for _, dir := range []string{"/lib/" + multiarch, "/usr/lib/" + multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	t.Skipf("the host's %s is not where this test looks", name)
	return ""
}

func install(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestRelocateTree makes a tree of a program of the host, the host's loader and its libraries, relocates it, moves it
// to its place and runs it there, with an environment that points its loader at rubbish.
func TestRelocateTree(t *testing.T) {
	program, f := dynamicProgram(t)
	multiarch := platform.Host().Multiarch
	tmp, final := filepath.Join(t.TempDir(), "tmp"), filepath.Join(t.TempDir(), "final")
	lib := filepath.Join(tmp, "usr/lib", multiarch)
	install(t, program, filepath.Join(tmp, "usr/bin/program"))
	loader := interp(f)
	install(t, loader, filepath.Join(lib, filepath.Base(loader)))
	done := map[string]bool{filepath.Base(loader): true}
	var libs func(f *elf.File)
	libs = func(f *elf.File) {
		names, err := f.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if done[name] {
				continue
			}
			done[name] = true
			from := library(t, name, multiarch)
			install(t, from, filepath.Join(lib, name))
			g, err := elf.Open(from)
			if err != nil {
				t.Fatal(err)
			}
			libs(g)
			g.Close()
		}
	}
	libs(f)
	// A hard link: what is edited must not change the other name's file in place.
	if err := os.Link(filepath.Join(tmp, "usr/bin/program"), filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
	if err := relocateTree(t.Context(), tmp, final, multiarch, []string{"usr/lib/more"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, final); err != nil {
		t.Fatal(err)
	}

	edited, err := elf.Open(filepath.Join(final, "usr/bin/program"))
	if err != nil {
		t.Fatal(err)
	}
	defer edited.Close()
	if want := filepath.Join(final, "usr/lib", multiarch, filepath.Base(loader)); interp(edited) != want {
		t.Errorf("the loader is %q, want %q", interp(edited), want)
	}
	rpath, err := dynString(edited, elf.DT_RPATH)
	want := final + "/usr/lib/" + multiarch + ":" + final + "/usr/lib/more:" + final + "/usr/lib"
	if err != nil || rpath != want {
		t.Errorf("DT_RPATH is %q, %v, want %q", rpath, err, want)
	}
	before, err := dynString(f, elf.DT_NEEDED)
	if after, aerr := dynString(edited, elf.DT_NEEDED); err != nil || aerr != nil || after != before || after == "" {
		t.Errorf("DT_NEEDED is %q, %v, was %q, %v", after, aerr, before, err)
	}

	rubbish := t.TempDir()
	for name := range done {
		if err := os.WriteFile(filepath.Join(rubbish, name), []byte("no library at all"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(more ...string) string {
		cmd := exec.Command(filepath.Join(final, "usr/bin/program"))
		cmd.Env = append([]string{"LD_LIBRARY_PATH=" + rubbish}, more...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("the relocated program with %q: %v\n%s", cmd.Env, err, out)
		}
		return string(out)
	}
	run()
	// ld.so(8): the loader lists what it loads, and from where.
	for line := range strings.SplitSeq(run("LD_TRACE_LOADED_OBJECTS=1"), "\n") {
		if _, path, ok := strings.Cut(line, " => "); ok && !strings.HasPrefix(path, final+"/") {
			t.Errorf("loaded from outside of the tree: %s", line)
		}
	}

	// Once more is as good as once.
	if err := relocateTree(t.Context(), final, final, multiarch, []string{"usr/lib/more"}, nil); err != nil {
		t.Errorf("a second time: %v", err)
	}
	run()
}

// TestRelocateLibrary: a library's DT_RUNPATH becomes a DT_RPATH, because one with a RUNPATH hides the program's RPATH
// from what it needs.
func TestRelocateLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a C compiler")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler on the host")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("int a(void) { return 7; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		flags []string
		want  map[elf.DynTag]string
	}{
		{"runpath", []string{"-Wl,-rpath,/x", "-Wl,--enable-new-dtags"}, map[elf.DynTag]string{elf.DT_RPATH: "/x"}},
		{"rpath", []string{"-Wl,-rpath,/x", "-Wl,--disable-new-dtags"}, map[elf.DynTag]string{elf.DT_RPATH: "/x"}},
		{"none", nil, map[elf.DynTag]string{}},
	} {
		lib := filepath.Join(dir, c.name+".so")
		if out, err := exec.Command("cc", append([]string{"-shared", "-o", lib, source}, c.flags...)...).CombinedOutput(); err != nil {
			t.Fatalf("cc: %v\n%s", err, out)
		}
		if err := object.Relocate(lib, "/ld.so", "/libs"); err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(lib)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
			got, err := f.DynString(tag)
			if err != nil || strings.Join(got, "") != c.want[tag] {
				t.Errorf("%s: %v is %q, %v, want %q", c.name, tag, got, err, c.want[tag])
			}
		}
		f.Close()
	}
}

// TestRelocateLoaded: a library that programs of other trees load finds what it needs by itself, and comes before what
// LD_LIBRARY_PATH names.
func TestRelocateLoaded(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a C compiler")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler on the host")
	}
	for _, flags := range [][]string{nil, {"-Wl,-rpath,/x", "-Wl,--enable-new-dtags"}, {"-Wl,-rpath,/x", "-Wl,--disable-new-dtags"}} {
		tmp := t.TempDir()
		program := filepath.Join(t.TempDir(), "main") // of no tree
		for name, text := range map[string]string{
			"a.c": "int a(void) { return 7; }\n", "wrong.c": "int a(void) { return 8; }\n", "b.c": "int a(void);\nint b(void) { return a(); }\n",
			"main.c": "int b(void);\nint main(void) { return b(); }\n",
		} {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cc := func(args ...string) {
			t.Helper()
			cmd := exec.Command("cc", args...)
			cmd.Dir = tmp
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("cc %v: %v\n%s", args, err, out)
			}
		}
		for _, dir := range []string{"usr/lib/m", "usr/lib/loaded", "other"} {
			if err := os.MkdirAll(filepath.Join(tmp, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cc("-shared", "-fPIC", "-o", "usr/lib/m/liba.so", "a.c")
		cc("-shared", "-fPIC", "-o", "other/liba.so", "wrong.c")
		cc(append([]string{"-shared", "-fPIC", "-o", "usr/lib/loaded/libb.so", "b.c", "-Lusr/lib/m", "-la"}, flags...)...)
		cc("-o", program, "main.c", "-Wl,--allow-shlib-undefined", "usr/lib/loaded/libb.so")
		run := func() int {
			cmd := exec.Command(program)
			cmd.Dir, cmd.Env = tmp, []string{"LD_LIBRARY_PATH=" + filepath.Join(tmp, "other")}
			cmd.Run()
			return cmd.ProcessState.ExitCode()
		}
		if code := run(); code != 8 {
			t.Fatalf("before, the program ends with %d, want what LD_LIBRARY_PATH leads to", code)
		}
		if err := relocateTree(t.Context(), tmp, tmp, "m", nil, []string{"usr/lib/loaded/*.so"}); err != nil {
			t.Fatal(err)
		}
		if code := run(); code != 7 {
			t.Errorf("linked with %q: the program ends with %d, want the tree's library", flags, code)
		}
	}
}
