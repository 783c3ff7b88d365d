// Package golang is the language Go: its platform and instruction set, cgo's flags, and which release of Go runs.
package golang

import (
	"cmp"
	"context"
	"go/build"
	"os/exec"
	"path/filepath"
	"strings"

	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
)

// Language is Go.
var Language = lang.Language{
	Name: "golang", Ask: ask, Vars: vars, Environment: environment, Word: word, HostRelease: hostRelease, Called: called,
	Targets: targets,
	Flags:   map[string]func(platform.Baseline, string) []string{"go": flags},
}

// toolchain is the name of the toolchain.
const toolchain = "go"

// environment adds the platform, where Go keeps its caches (the store, unless the user says otherwise) and which
// release runs.
func environment(m *lang.Making) error {
	b, err := m.Tools.Baseline(m.Platform)
	if err != nil {
		return err
	}
	e := m.Action.Env.Merge(Environment(m.Platform, b))
	for _, c := range []env.Var{{Name: "GOCACHE", Value: "go-build"}, {Name: "GOMODCACHE", Value: "go-mod"}} {
		if v := m.Environ.Lookup(c.Name); v != "" {
			e.Set(c.Name, v)
		} else {
			e.Set(c.Name, filepath.Join(m.Tools.Store, "cache", c.Value))
		}
	}
	e.Set("GOTOOLCHAIN", Release(m.Tools.Project.Toolchains[toolchain], m.Environ.Lookup("GOTOOLCHAIN")))
	if flags := strings.Join(strings.Fields(e.Lookup("CFLAGS")), " "); flags != "" {
		e.Set("CGO_CFLAGS", "-g "+flags)
		e.Set("CGO_CXXFLAGS", "-g "+e.Lookup("CXXFLAGS"))
		// What is empty, "go env -w" of the caller fills: these are Go's own defaults (go help environment).
		e.Set("CGO_LDFLAGS", cmp.Or(e.Lookup("LDFLAGS"), "-O2 -g"))
		e.Set("CGO_CPPFLAGS", " ")
	}
	m.Action.Env = e
	return nil
}

// Release is the GOTOOLCHAIN (go.dev/doc/toolchain) of what a project asks for, where the caller's is set or "". It
// is never "": the go.env of Debian's Go says "local", with which a go.mod that asks for a later release is an error.
func Release(asked project.ToolchainRequest, set string) string {
	switch exact := toolset.Exact(asked.Constraint); {
	case set != "" && exact == "":
		return set
	case exact != "" && asked.Source != "host":
		return "go" + exact
	}
	return "auto"
}

// word says of the package of a Go file whether files of it are compiled with cgo alone, and whether they are compiled.
func word(word, file string, t project.Target, p platform.Platform) string {
	if word != "cgo" {
		return ""
	}
	on, _ := t.Options["cgo"].(bool)
	switch cgo := hasCgo(filepath.Dir(file), p); {
	case !cgo:
		return "none"
	case on:
		return "compiled"
	}
	return "left out"
}

// hasCgo: the Go package of a directory has files for the platform that are compiled with cgo alone.
func hasCgo(dir string, p platform.Platform) bool {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = p.GOOS, p.GOARCH, true
	pkg, _ := c.ImportDir(dir, 0) // the error is of other files of the package
	return pkg != nil && len(pkg.CgoFiles) > 0
}

// Environment are the variables that choose Go's platform and instruction set.
func Environment(p platform.Platform, b platform.Baseline) env.Environment {
	e := env.Environment{{Name: "GOOS", Value: p.GOOS}, {Name: "GOARCH", Value: p.GOARCH}}
	for _, kv := range b.GoEnv() {
		name, value, _ := strings.Cut(kv, "=")
		e.Set(name, value)
	}
	return e
}

// flags are the variables that choose Go's instruction set; every release reads them.
func flags(b platform.Baseline, _ string) []string { return b.GoEnv() }

// targets are Go's platform and instruction set for a build that is called by hand. cgo is on where the platform has a
// C compiler.
func targets(p platform.Platform, b platform.Baseline) env.Environment {
	if p.GOOS == "" {
		return nil
	}
	e := Environment(p, b)
	if p.HasSysroot() {
		e.Set("CGO_ENABLED", "1")
	} else {
		e.Set("CGO_ENABLED", "0")
	}
	return e
}

// called lets a command's Go be that of a target's build; nothing where the host's is used.
func called(asked project.ToolchainRequest, caller env.Environment) env.Environment {
	if asked.Source == "host" {
		return nil
	}
	const name = "GOTOOLCHAIN"
	return env.Environment{{Name: name, Value: Release(asked, caller.Lookup(name))}}
}

// hostRelease is the release of the host's own Go.
func hostRelease(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "go"), nil
}
