package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"xbuild/internal/env"
	"xbuild/internal/lang/table"
)

// callerEnv is what every build sees of the caller's environment.
func callerEnv(store string) (env.Environment, error) {
	var e env.Environment
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if env.Passed(name) {
			e.Set(name, value)
		}
	}
	// What programs print, and the order in which sort and the shell's globs have names, are another in each of the
	// caller's languages.
	e.Set("LANG", "C.UTF-8")
	e.Set("USER", env.Builder)
	e.Set("LOGNAME", env.Builder)
	e.Set("TERM", "dumb")
	home := os.Getenv("HOME")
	if info, err := os.Stat(home); home != "" && err == nil && info.IsDir() && writable(home) == nil {
		return e, nil
	}
	// The user of a container often has no home, or / for one. What tools keep in it lies in the store then; what they
	// are configured by is read where it is.
	own := filepath.Join(store, "home")
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, fmt.Errorf("HOME (%q) cannot be written, and in its place: %w", home, err)
	}
	e.Set("HOME", own)
	var files []env.Var
	for _, l := range table.Languages {
		files = append(files, l.Home...)
	}
	files = append(files, env.Var{Name: "GIT_CONFIG_GLOBAL", Value: ".gitconfig"}, env.Var{Name: "NETRC", Value: ".netrc"})
	for _, c := range files {
		file := filepath.Join(home, c.Value)
		named := e.Lookup(c.Name) != "" || e.Lookup(strings.ToUpper(c.Name)) != ""
		if _, err := os.Stat(file); err == nil && home != "" && !named {
			e.Set(c.Name, file)
		}
	}
	return e, nil
}

// inFront is an environment with directories in front of PATH.
func inFront(environ []string, path []string) env.Environment {
	var e env.Environment
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		e.Set(name, value)
	}
	e.Set("PATH", strings.Join(append(path, e.Lookup("PATH")), ":"))
	return e
}
