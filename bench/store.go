package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const eightInTOML = `["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le"]`

// write makes a project of files anew, in a directory of its own.
func (b *bench) write(name string, files map[string]string) (string, error) {
	dir := filepath.Join(b.work, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// occupied is what a directory takes on the disk. What has several names counts once.
func occupied(dir string) (int64, error) {
	seen := map[uint64]bool{}
	var blocks int64
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !seen[st.Ino] {
			seen[st.Ino] = true
			blocks += st.Blocks
		}
		return nil
	})
	return blocks * 512, err
}

// sizes are what a new store takes after a first build.
func (b *bench) sizes() ([]row, error) {
	var rows []row
	for _, c := range []struct{ what, peer, goal, toml, file, text string }{
		{"store after a C program for eight platforms", "apt's cross GCC for seven: 1252 MB; zig for eight: 865 MB", "450 MB",
			"[project]\nname = \"one\"\nplatforms = " + eightInTOML +
				"\n\n[target.one]\nrecipe = \"cc\"\nsources = [\"one.c\"]\n",
			"one.c", "int main(void) { return 0; }\n"},
		{"store after a Rust program for arm64", "", "650 MB",
			"[project]\nname = \"one\"\nplatforms = [\"linux/arm64\"]\n\n[target.one]\nrecipe = \"rust\"\n",
			"src/main.rs", "fn main() {}\n"},
	} {
		dir, err := b.write("sized", map[string]string{"xbuild.toml": c.toml, c.file: c.text, "Cargo.toml": "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"})
		if err != nil {
			return nil, err
		}
		store := filepath.Join(b.work, "sized-store")
		if err := os.RemoveAll(store); err != nil {
			return nil, err
		}
		if _, err := b.time(dir, []string{"XBUILD_STORE=" + store}, b.xbuild, "build"); err != nil {
			return nil, err
		}
		all, err := occupied(store)
		if err != nil {
			return nil, err
		}
		parts := ""
		for _, part := range []string{"files", "trees"} {
			n, err := occupied(filepath.Join(store, part))
			if err != nil {
				return nil, err
			}
			parts += fmt.Sprintf(", %s %s", part, mb(n))
		}
		rows = append(rows, row{c.what + " (in it" + parts[1:] + ")", mb(all), c.peer, "", c.goal})
	}
	return rows, nil
}

func mb(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

// memory is the largest that xbuild itself, and any process of the build, was in memory in a first build of
// examples/all with an empty store.
func (b *bench) memory() ([]row, error) {
	from, err := b.project()
	if err != nil {
		return nil, err
	}
	dir, store := filepath.Join(b.work, "first"), filepath.Join(b.work, "first-store")
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(store), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	for _, part := range []string{"xbuild.toml", "native", "go", "cgo", "rust"} {
		if _, err := b.time(from, nil, "cp", "-r", part, dir); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(b.ctx, b.xbuild, "build", "-q")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "XBUILD_STORE="+store)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	most := map[int]int64{} // bytes, by process
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		select {
		case err := <-ended:
			if err != nil {
				return nil, err
			}
			var alone int64
			for _, n := range most {
				alone = max(alone, n)
			}
			all := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
			return []row{
				{"peak memory of xbuild itself, first build of examples/all for 11 platforms with an empty store", mb(alone), "", "", "150 MB"},
				{"the same of the largest process, compilers too (time -v)", mb(all), "", "", ""},
			}, nil
		default:
			b.peaks(cmd.Process.Pid, most)
		}
	}
}

// peaks notes the largest size so far of a process and of those below it that are xbuild too.
func (b *bench) peaks(pid int, most map[int]int64) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	if exe, err := os.Readlink(proc + "exe"); err != nil || exe != b.xbuild {
		return
	}
	status, _ := os.ReadFile(proc + "status") // nothing of a process that has ended
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				most[pid] = max(most[pid], n*1024)
			}
		}
	}
	tasks, _ := filepath.Glob(proc + "task/*/children")
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				b.peaks(n, most)
			}
		}
	}
}
