//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/platform"
)

// TestBinfmt registers the fetched QEMU with the kernel, starts programs by their bare names, and takes everything away
// again. All of it happens in a user namespace, which has a binfmt_misc of its own from Linux 6.7 on, so that the
// machine's registrations are neither seen nor touched.
func TestBinfmt(t *testing.T) {
	needNetwork(t)
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"linux/arm64\", \"linux/s390x\", \"linux/arm/v6\", \"linux/arm/v7\"]\n[target.hello]\nrecipe = \"cc\"\nsources = [\"hello.c\"]\nstatic = true\n",
		"hello.c":     "#include <stdio.h>\nint main(int argc, char **argv) { printf(\"%s of %d\\n\", argv[0], argc); return 0; }\n",
		"script": `
say() { echo "== $*"; }
say before; "$XBUILD" binfmt status --json
say install; "$XBUILD" binfmt install -p linux/arm64 -p linux/s390x -p linux/arm/v6
printf ':another:E::xbuildtest::/bin/true:' > /proc/sys/fs/binfmt_misc/register
printf ':qemu-riscv64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xf3\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:/bin/false:' > /proc/sys/fs/binfmt_misc/register
say again; "$XBUILD" binfmt install -p linux/arm64
say status; "$XBUILD" binfmt status --json
for p in arm64 s390x arm/v6 arm/v7; do
  say run $p; (exec -a name dist/linux/$p/hello)
done
say old; echo -1 > /proc/sys/fs/binfmt_misc/xbuild-qemu-arm
printf ':xbuild-qemu-arm:M::\\x7fELF\\x01\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x28\\x00::/bin/false:' > /proc/sys/fs/binfmt_misc/register
"$XBUILD" binfmt install -p linux/arm/v5; dist/linux/arm/v7/hello
say native; "$XBUILD" binfmt install -p "$HOST"; echo "code $?"
say remove one; "$XBUILD" binfmt remove -p linux/arm/v7
say remove; "$XBUILD" binfmt remove
say left; ls /proc/sys/fs/binfmt_misc
say gone; dist/linux/arm64/hello; echo "code $?"
echo -1 > /proc/sys/fs/binfmt_misc/another; echo -1 > /proc/sys/fs/binfmt_misc/qemu-riscv64
"$XBUILD" binfmt install -p linux/arm64
say remove the last; "$XBUILD" binfmt remove
say unmounted; ls /proc/sys/fs/binfmt_misc
`,
	})
	build(t, dir)
	// The emulators are fetched before: in the namespace the store's owner may be nobody.
	if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "hello")); r.code != 0 {
		t.Fatalf("%v", r)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/bash", "script")
	cmd.Dir = dir
	cmd.Env = append(environ(), "XBUILD="+file, "HOST="+platform.Host().Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		skipRefused(t, "a user namespace", err)
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "mount binfmt_misc at /proc/sys/fs/binfmt_misc: operation not permitted") {
		t.Skipf("this kernel has one binfmt_misc for all of the machine, where TestDocker registers (user namespaces have their own from Linux 6.7 on):\n%s", out)
	}
	said := map[string]string{}
	for _, part := range strings.Split(string(out), "== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		said[name] = text
	}
	fail := func(name, want string) {
		t.Helper()
		t.Errorf("%s: want %s; the whole was\n%s", name, want, out)
	}
	for name, wants := range map[string][]string{
		"install": {"mounted binfmt_misc", "qemu-aarch64 registered for linux/arm64", "qemu-s390x registered for linux/s390x", "qemu-arm registered for linux/arm/v7, linux/arm/v5, linux/arm/v6"},
		"again":   {"qemu-aarch64 is registered already"},
		// argv[0] is the caller's word: the flag P.
		"run arm64": {"name of 1"}, "run s390x": {"name of 1"}, "run arm/v6": {"name of 1"}, "run arm/v7": {"name of 1"},
		"old":             {"qemu-arm registered", "hello of 1"},
		"native":          {"code 2", "the kernel runs programs of"},
		"remove one":      {"removed xbuild-qemu-arm"},
		"remove":          {"removed xbuild-qemu-aarch64", "removed xbuild-qemu-s390x"},
		"left":            {"another\n", "qemu-riscv64\n"},
		"gone":            {"code 126"},
		"remove the last": {"removed xbuild-qemu-aarch64", "unmounted binfmt_misc"},
	} {
		for _, want := range wants {
			if !strings.Contains(said[name], want) {
				fail(name, want)
			}
		}
	}
	if strings.Contains(said["left"], "xbuild-") || strings.Contains(said["remove one"], "aarch64") || strings.Contains(said["remove"], "unmounted") {
		fail("remove", "no more and no less than asked for removed")
	}
	if said["unmounted"] != "" {
		fail("unmounted", "nothing left at /proc/sys/fs/binfmt_misc")
	}
	type emulator struct {
		Emulator string
		Own      *struct{ Name, Interpreter, Flags string }
		Others   []struct{ Name string }
	}
	read := func(name string) (list []emulator) {
		text := said[name]
		if err := json.Unmarshal([]byte(text[strings.Index(text, "["):]), &list); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		return list
	}
	var own, others []string
	for _, e := range read("status") {
		if e.Own != nil {
			own = append(own, e.Emulator)
			if e.Own.Name != "xbuild-"+e.Emulator || filepath.Base(e.Own.Interpreter) != e.Emulator || !strings.Contains(e.Own.Flags, "F") {
				t.Errorf("status: %+v", e.Own)
			}
		}
		for _, o := range e.Others {
			others = append(others, o.Name)
		}
	}
	if slices.Sort(own); !slices.Equal(own, []string{"qemu-aarch64", "qemu-arm", "qemu-s390x"}) || !slices.Equal(others, []string{"qemu-riscv64"}) {
		t.Errorf("status lists own %q and others %q", own, others)
	}
	for _, e := range read("before") {
		if e.Own != nil || e.Others != nil {
			t.Errorf("before anything was registered: %+v", e)
		}
	}
}
