package compose

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// TestConfigScripts runs the scripts that a view has for those of a made-up sysroot.
func TestConfigScripts(t *testing.T) {
	p, err := platform.Parse("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	store, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(store, "usr/trees/sysroot")
	v := View{Platform: p, Sysroot: Sysroot{Key: "sysroot", Dir: root}}
	bin := filepath.Join(store, "usr/trees/view/bin")
	for _, dir := range []string{bin, filepath.Join(root, "usr/bin")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"echo-config":  "#!/bin/sh\nprintf '%s\\n' \"$@\"\n",
		"where_config": "#!/bin/sh\necho \"-I$(cd \"$(dirname \"$0\")/..\" && pwd)/include -L/usr/lib/$DEB_HOST_MULTIARCH\"\n",
		"fails-config": "#!/bin/sh\necho usage: /usr/x\necho why >&2\nexit 7\n",
		"empty-config": "#!/bin/sh\n",
		"pkg-config":   "#!/bin/sh\n",
		"elf-config":   "\x7fELF",
		"script":       "#!/bin/sh\n",
	} {
		if err := os.WriteFile(filepath.Join(root, "usr/bin", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "pkg-config"), []byte("the view's own"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := v.configScripts(bin); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"echo-config": true, "aarch64-linux-gnu-echo-config": true, "where_config": true, "elf-config": false, "script": false} {
		if _, err := os.Stat(filepath.Join(bin, name)); (err == nil) != there {
			t.Errorf("%s: %v, want it there: %v", name, err, there)
		}
	}
	if own, err := os.ReadFile(filepath.Join(bin, "pkg-config")); err != nil || string(own) != "the view's own" {
		t.Errorf("pkg-config is %q, %v", own, err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string // {root} stands for the sysroot
		code int
	}{
		{"echo-config", []string{"/usr", "/usr/include/libxml2", "-I/usr/include/a -I/usr/include -L/usr/lib/b -lb"}, "{root}/usr\n{root}/usr/include/libxml2\n-I{root}/usr/include/a -I{root}/usr/include -L{root}/usr/lib/b -lb\n", 0},
		{"echo-config", []string{"-isystem /usr/include -isystem/usr/x", "-Wl,-rpath,/usr/lib -R/usr/lib"}, "-isystem {root}/usr/include -isystem{root}/usr/x\n-Wl,-rpath,{root}/usr/lib -R{root}/usr/lib\n", 0},
		{"echo-config", []string{"BINDIR = /usr/lib/postgresql/17/bin", "'--prefix=/usr' '--with=\"/usr\"'"}, "BINDIR = {root}/usr/lib/postgresql/17/bin\n'--prefix={root}/usr' '--with=\"{root}/usr\"'\n", 0},
		{"echo-config", []string{"/opt/usr/lib -I/opt/usr /usrlocal /etc/usr.conf -lusr x/usr", "a-I/usr/b"}, "/opt/usr/lib -I/opt/usr /usrlocal /etc/usr.conf -lusr x/usr\na-I/usr/b\n", 0},
		{"echo-config", []string{"-I" + root + "/usr/include -I/usr/include " + root + "/usr"}, "-I{root}/usr/include -I{root}/usr/include {root}/usr\n", 0},
		{"where_config", nil, "-I{root}/usr/include -L{root}/usr/lib/aarch64-linux-gnu\n", 0},
		{"aarch64-linux-gnu-where_config", nil, "-I{root}/usr/include -L{root}/usr/lib/aarch64-linux-gnu\n", 0},
		{"fails-config", nil, "usage: {root}/usr/x\n", 7},
		{"empty-config", nil, "", 0},
	} {
		out, err := exec.Command(filepath.Join(bin, c.name), c.args...).Output()
		code := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(c.want, "{root}", root); string(out) != want || code != c.code {
			t.Errorf("%s %q: %d\n%s, want %d\n%s", c.name, c.args, code, out, c.code, want)
		}
	}
}
