package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
)

// TestStrippers: the tools that strip ask xbuild to keep what they take while an action runs, and are themselves
// everywhere else, also where a link leads to them.
func TestStrippers(t *testing.T) {
	dir := t.TempDir()
	all, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	v := View{Compiler: Toolchain{Key: "clang", unheeded: []string{"--no-warn-rwx-segments", "--hash-size=*"}, def: all.Compiler()}}
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("xbuild", "#!/bin/sh\necho xbuild \"$@\"\n")
	for name, program := range all.Compiler().Compiler.Strippers {
		put("view/bin/"+name, v.stripper(program))
		put("clang/programs/"+program, "#!/bin/sh\necho "+program+" \"$@\"\n")
	}
	// Whatever is in an argument stays one.
	put("clang/programs/ld.lld", "#!/bin/sh\nprintf 'ld.lld'; printf ' %s' \"$@\"; echo \" $#\"\n")
	out, err := exec.Command(filepath.Join(dir, "view/bin/ld"), "a b", "--hash-size=1", "", "*", `$x"'`).Output()
	if want := "ld.lld a b  * $x\"' 4\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
	put("clang/programs/ld.lld", "#!/bin/sh\necho ld.lld \"$@\"\n")
	if err := os.Symlink("view/bin/ld", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kept       bool // while an action runs
		call, want string
	}{
		{false, "strip -s a", "llvm-strip -s a"},
		{false, "objcopy -S a b", "llvm-objcopy -S a b"},
		{false, "ld -s -o a", "ld.lld -s -o a"},
		{false, "../../linked -s", "ld.lld -s"},
		{true, "strip a", "xbuild unstripped @llvm-strip a"},
		{true, "llvm-objcopy a b", "xbuild unstripped @llvm-objcopy a b"},
		{true, "ld a.o -o a", "ld.lld a.o -o a"},
		{true, "ld", "ld.lld"},
		{true, "ld -soname s -S --strip-debug -o s", "ld.lld -soname s -S --strip-debug -o s"},
		{true, "ld a.o -s -o a", "xbuild unstripped @ld.lld a.o -s -o a"},
		{true, "ld.lld a.o --strip-all", "xbuild unstripped @ld.lld a.o --strip-all"},
		{true, "ld.lld -x a.o", "xbuild unstripped @ld.lld -x a.o"},
		{true, "ld.lld @rsp", "xbuild unstripped @ld.lld @rsp"},
		{false, "ld a.o --no-warn-rwx-segments -o a --hash-size=7 b.o", "ld.lld a.o -o a b.o"},
		{true, "ld --no-warn-rwx-segments", "ld.lld"},
		{true, "ld -s --no-warn-rwx-segments a.o", "xbuild unstripped @ld.lld -s a.o"},
		{false, "ld --no-warn-rwx-segments-at-all -L--hash-size=7", "ld.lld --no-warn-rwx-segments-at-all -L--hash-size=7"},
		{false, "strip --no-warn-rwx-segments", "llvm-strip --no-warn-rwx-segments"},
	} {
		args := strings.Fields(c.call)
		cmd := exec.Command(filepath.Join(dir, "view/bin", args[0]), args[1:]...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "XBUILD=" + filepath.Join(dir, "xbuild")}
		if c.kept {
			cmd.Env = append(cmd.Env, "XBUILD_UNSTRIPPED=/kept")
		}
		out, err := cmd.CombinedOutput()
		got := strings.TrimSpace(strings.ReplaceAll(string(out), filepath.Join(dir, "view/bin")+"/../../clang/programs/", "@"))
		if err != nil || got != c.want {
			t.Errorf("%s (%v): %v, %q, want %q", c.call, c.kept, err, got, c.want)
		}
	}
}
