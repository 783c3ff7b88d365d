package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The project of nothing: ten targets, each of a file that includes 230 others, for eleven platforms.
const (
	manyTargets  = 10
	manySources  = 231
	manyBuilt    = manyTargets * 11
	elevenInTOML = `["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le", "linux/loong64"]`
)

// many writes the project, a repository around it, and a build.ninja with an edge for each target and platform that
// reads what xbuild reads for it.
func (b *bench) many() (string, error) {
	dir := filepath.Join(b.work, "many")
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	toml := "[project]\nname = \"many\"\nplatforms = " + elevenInTOML + "\n"
	ninja := "builddir = .ninja\nrule copy\n  command = cp $from $out\n"
	for t := range manyTargets {
		name := fmt.Sprintf("target%d", t)
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return "", err
		}
		toml += fmt.Sprintf("\n[target.%s]\nrecipe = \"cc\"\nsource = \"%s\"\nsources = [\"main.c\"]\n", name, name)
		main, inputs := "", ""
		for s := range manySources - 1 {
			part := fmt.Sprintf("part%d.h", s)
			text := fmt.Appendf(nil, "static int part%d(int n) { return n * %d + %d; }\n", s, s+1, t)
			if err := os.WriteFile(filepath.Join(dir, name, part), text, 0o644); err != nil {
				return "", err
			}
			main += fmt.Sprintf("#include \"%s\"\n", part)
			inputs += " " + name + "/" + part
		}
		main += fmt.Sprintf("int main(int n, char **v) { return part0(part%d(n)); }\n", manySources-2)
		if err := os.WriteFile(filepath.Join(dir, name, "main.c"), []byte(main), 0o644); err != nil {
			return "", err
		}
		for p := range 11 {
			ninja += fmt.Sprintf("build .ninja/%d/%s: copy %s/main.c |%s\n  from = %s/main.c\n", p, name, name, inputs, name)
		}
	}
	for name, text := range map[string]string{
		"xbuild.toml": toml,
		"build.ninja": ninja,
		".gitignore":  "/dist/\n/.xbuild/\n/.ninja/\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	for _, argv := range [][]string{
		{"ninja"},
		{b.xbuild, "build"},
		{"git", "init", "-q"},
		{"git", "add", "."},
		{"git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-qm", "all"},
	} {
		if _, err := b.time(dir, nil, argv...); err != nil {
			return "", errors.Join(err, os.RemoveAll(filepath.Join(dir, ".git")))
		}
	}
	return dir, nil
}

// nothing is xbuild build when all is built, beside git status and ninja -n over the same files.
func (b *bench) nothing() ([]row, error) {
	fmt.Fprintln(os.Stderr, "bench: building ten targets for eleven platforms first")
	dir, err := b.many()
	if err != nil {
		return nil, err
	}
	says := func(want string, argv ...string) error {
		cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			return fmt.Errorf("%s: there was something to do: %s, %v", argv[0], out, err)
		}
		return nil
	}
	for _, c := range [][]string{
		{fmt.Sprintf("0 built, %d up to date", manyBuilt), b.xbuild, "build"},
		{"nothing to commit", "git", "status"},
		{"no work to do", "ninja", "-n"},
	} {
		if err := says(c[0], c[1:]...); err != nil {
			return nil, err
		}
	}
	// Nothing is kept of files that are younger than two seconds, and xbuild itself was compiled just now. The second
	// build in a row that finds nothing to do makes the record that the next ones answer from.
	time.Sleep(3 * time.Second)
	if _, err := b.time(dir, nil, b.xbuild, "build"); err != nil {
		return nil, err
	}
	costs, err := turns(1, 15,
		func() (cost, error) { return b.time(dir, nil, b.xbuild, "build") },
		func() (cost, error) { return b.time(dir, nil, "git", "status", "--porcelain") },
		func() (cost, error) { return b.time(dir, nil, "ninja", "-n") })
	if err != nil {
		return nil, err
	}
	ours, git, ninja := costs[0], costs[1], costs[2]
	what := fmt.Sprintf("`xbuild build`, nothing to do, %d targets x 11 platforms, %d sources", manyTargets, manyTargets*manySources)
	return []row{
		{
			what + "; by hand: `git status`; wall clock",
			ms(median(ours, wall)), ms(median(git, wall)), ratio(ours, git, wall), "1.5 of the faster",
		},
		{
			"by hand: `ninja -n`; wall clock",
			ms(median(ours, wall)), ms(median(ninja, wall)), ratio(ours, ninja, wall), "1.5 of the faster",
		},
		{"`git status`, user + system", ms(median(ours, cpu)), ms(median(git, cpu)), ratio(ours, git, cpu), ""},
		{"`ninja -n`, user + system", ms(median(ours, cpu)), ms(median(ninja, cpu)), ratio(ours, ninja, cpu), ""},
	}, nil
}
