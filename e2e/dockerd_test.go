//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xbuild/internal/platform"
)

// An engine is a Docker engine of the test's own, beside any other that the machine has: its data, sockets and
// processes are in a directory and in namespaces that end with the test.
type engine struct {
	client string // a docker program that can build with BuildKit
	host   string // its address
	config string // the client's configuration directory, empty
}

// dockerDir is a directory with a short name, because a socket's path has at most 107 bytes and t.TempDir's is long.
func dockerDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xbuild-docker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the engine's files: %v", err)
		}
	})
	return dir
}

// startEngine starts dockerd and returns when it answers. It skips the test where nobody could start one, and fails it
// where the program is missing.
func startEngine(t *testing.T) *engine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a Docker engine is started by root only")
	}
	dockerd, err := lookPath("dockerd")
	if err != nil {
		t.Fatal("no dockerd: install the package docker.io")
	}
	dir := dockerDir(t)
	logName := filepath.Join(dir, "log")
	log, err := os.Create(logName)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	// The engine is the first process of its PID namespace, so that nothing it started outlives it, and its mounts are
	// in a namespace of their own. Before it starts, /proc becomes that of the namespace, and /etc/docker is covered:
	// the engine reads daemon.json and writes a key there.
	e := &engine{host: "unix://" + filepath.Join(dir, "sock"), config: filepath.Join(dir, "config")}
	cmd := exec.Command("/bin/sh", "-ec", `mount -t proc proc /proc
[ ! -d /etc/docker ] || mount -t tmpfs tmpfs /etc/docker
exec "$@"`, "sh", dockerd,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--host", e.host,
		// The machine's network stays as it is: no bridge, no packet filter.
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--shutdown-timeout=5")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Setsid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// Pdeathsig looks at the thread that started the child, which therefore has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // a signal ends it; the log says more than the status
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		skipRefused(t, "namespaces for the engine", err)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})

	if err := os.Mkdir(e.config, 0o700); err != nil {
		t.Fatal(err)
	}
	e.client = "docker"
	if e.client, err = lookPath("docker"); err != nil {
		t.Fatal("no docker client: install the package docker.io")
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := e.docker(t, time.Minute, "version")
		if err == nil {
			break
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(logName)
			for _, refusal := range []string{"operation not permitted", "permission denied"} {
				if at := bytes.LastIndex(bytes.ToLower(text), []byte(refusal)); at >= 0 {
					t.Skipf("the kernel refuses what a Docker engine needs:\n%s", tail(text))
				}
			}
			t.Fatalf("dockerd ended:\n%s", tail(text))
		default:
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(logName)
			t.Fatalf("dockerd does not answer: %v\n%s\n%s", err, out, tail(text))
		}
	}
	e.findClient(t, dir)
	return e
}

// findClient chooses the first docker program that builds with BuildKit: up to version 22 it is built in, later ones
// need the buildx plugin.
func (e *engine) findClient(t *testing.T, dir string) {
	t.Helper()
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(empty, "Dockerfile"), []byte("FROM scratch\nLABEL empty=yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, bin := range searchPath() {
		e.client = filepath.Join(bin, "docker")
		if _, err := exec.LookPath(e.client); err != nil {
			continue
		}
		out, err := e.docker(t, time.Minute, "build", empty)
		if err == nil {
			return
		}
		faults = append(faults, fmt.Sprintf("%s: %v\n%s", e.client, err, out))
	}
	t.Fatalf("no docker client builds with BuildKit: install docker.io of bookworm, or docker-buildx\n%s", strings.Join(faults, "\n"))
}

// docker runs the client against this engine alone and returns what it said.
func (e *engine) docker(t *testing.T, limit time.Duration, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.client, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DOCKER_") || strings.HasPrefix(v, "BUILDX_") || strings.HasPrefix(v, "BUILDKIT_")
	})
	cmd.Env = append(cmd.Env, "DOCKER_HOST="+e.host, "DOCKER_CONFIG="+e.config, "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("still running after %v", limit)
	}
	return string(out), err
}

// build builds the Dockerfile of that name in a context directory for one platform.
func (e *engine) build(t *testing.T, context, dockerfile, platform, tag string, buildArgs ...string) {
	t.Helper()
	// Steps that fetch have the machine's network, because the engine has no bridge.
	args := []string{"build", "--platform", platform, "--network", "host", "--file", filepath.Join(context, dockerfile), "--tag", tag}
	for _, a := range buildArgs {
		args = append(args, "--build-arg", a)
	}
	if out, err := e.docker(t, 15*time.Minute, append(args, context)...); err != nil {
		t.Fatalf("docker build --platform %s of %s: %v\n%s", platform, dockerfile, err, out)
	}
}

// run runs a program of an image, on the CPU model of the platform's baseline where it is emulated, and returns what it
// printed.
func (e *engine) run(t *testing.T, p platform.Platform, tag, program string) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", ":", "-").Replace(tag + program)
	args := []string{"run", "--rm", "--name", name, "--network", "none", "--platform", p.Docker}
	if p.QEMUCPU != "" {
		args = append(args, "--env", "QEMU_CPU="+p.QEMUCPU)
	}
	out, err := e.docker(t, time.Minute, append(args, tag, program)...)
	if err != nil {
		// A Go program that meets an illegal instruction under QEMU hangs instead of ending.
		_, _ = e.docker(t, time.Minute, "rm", "--force", name)
		t.Fatalf("docker run --platform %s %s %s: %v\n%s", p.Docker, tag, program, err, out)
	}
	return out
}

// importImage makes an image of the host's platform out of a directory.
func (e *engine) importImage(t *testing.T, root, tag string) {
	t.Helper()
	archive := filepath.Join(filepath.Dir(root), "root.tar")
	// debootstrap links proc to the host's when it finds itself in a container, and a container gets all three anew.
	if out, err := exec.Command("tar", "-C", root, "--exclude=./proc", "--exclude=./sys", "--exclude=./dev", "-cf", archive, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	if out, err := e.docker(t, 5*time.Minute, "import", "--platform", platform.Host().Docker, archive, tag); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
}

// registerBinfmt has the kernel start programs of the platforms under the QEMU that xbuild fetched, and undoes that at
// the test's end. What xbuild has registered on this machine already stays.
func registerBinfmt(t *testing.T, dir string, platforms []platform.Platform) {
	t.Helper()
	r := xbuild(t, dir, "binfmt", "status", "--json")
	var list []struct {
		Emulator string
		Native   bool
		Own      any
	}
	if err := json.Unmarshal([]byte(r.stdout), &list); r.code != 0 || err != nil {
		t.Fatalf("xbuild binfmt status: %v %v", err, r)
	}
	missing := map[string]bool{}
	for _, e := range list {
		missing[e.Emulator] = !e.Native && e.Own == nil
	}
	var args []string
	for _, p := range platforms {
		if missing[p.QEMU] {
			args = append(args, "-p", p.Name)
		}
	}
	if args == nil {
		return
	}
	if r := xbuild(t, dir, append([]string{"binfmt", "install"}, args...)...); r.code != 0 {
		if strings.Contains(r.stderr, "operation not permitted") || strings.Contains(r.stderr, "permission denied") || strings.Contains(r.stderr, "this kernel has no binfmt_misc") {
			t.Skipf("xbuild binfmt install: %v", r)
		}
		t.Fatalf("xbuild binfmt install: %v", r)
	}
	t.Cleanup(func() {
		// The test's context has ended by now.
		file, err := program()
		if err != nil {
			t.Error(err)
			return
		}
		cmd := exec.Command(file, append([]string{"binfmt", "remove"}, args...)...)
		cmd.Dir, cmd.Env = os.TempDir(), environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("xbuild binfmt remove: %v\n%s", err, out)
		}
	})
}

// An aptSource is a Debian archive that the machine's apt is configured with.
type aptSource struct{ site, suite string }

func hostArchive(t *testing.T) aptSource {
	t.Helper()
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(ORIGIN) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		t.Fatalf("apt-get indextargets: %v: the stage's base image is made from what apt is configured with", err)
	}
	for line := range strings.Lines(string(out)) {
		// Updates and security have a codename with a dash.
		if f := strings.Fields(line); len(f) == 4 && f[2] == "Debian" && f[3] == "main" && !strings.Contains(f[1], "-") {
			return aptSource{site: f[0], suite: f[1]}
		}
	}
	t.Fatal("apt knows no Debian archive: run apt-get update")
	return aptSource{}
}

// debianImage makes an image like Debian's slim ones, for no registry of images is asked. Its packages are unpacked and
// not configured, which is enough to run a shell. The certificates are the host's, because a proxy between here and the
// world may have one of its own.
func (e *engine) debianImage(t *testing.T, from aptSource, tag string) {
	t.Helper()
	debootstrap, err := lookPath("debootstrap")
	if err != nil {
		t.Fatal("no debootstrap: install the package debootstrap")
	}
	root := filepath.Join(dockerDir(t), "root")
	if out, err := exec.Command(debootstrap, "--foreign", "--variant=minbase", from.suite, root, from.site).CombinedOutput(); err != nil {
		t.Fatalf("debootstrap: %v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(root, "var/cache/apt/archives")); err != nil {
		t.Fatal(err)
	}
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	pem, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatalf("%v: install the package ca-certificates", err)
	}
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(bundle)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, bundle), pem, 0o644); err != nil {
		t.Fatal(err)
	}
	e.importImage(t, root, tag)
}

// searchPath is $PATH and the places of a system's programs, which are not on every user's.
func searchPath() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/bin", "/sbin")
}

func lookPath(program string) (string, error) {
	for _, dir := range searchPath() {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound)
}

// skipRefused skips the test when the kernel refuses, as it does inside most containers, or lacks the feature.
func skipRefused(t *testing.T, what string, err error) {
	t.Helper()
	for _, refusal := range []error{syscall.EPERM, syscall.EACCES, syscall.ENODEV, syscall.ENOSYS} {
		if errors.Is(err, refusal) {
			t.Skipf("%s: %v", what, err)
		}
	}
}

// tail is the end of a log.
func tail(log []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-15):], []byte("\n"))
}
