package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"xbuild/internal/crates"
	"xbuild/internal/lazyregexp"
)

// rustToolchainFiles are the names under which a Rust project says with which release it is built, the one that counts
// first (The rustup book, "The toolchain file").
var rustToolchainFiles = []string{"rust-toolchain", "rust-toolchain.toml"}

// channel is the name of a release of Rust: 1.85, 1.85.0, stable, nightly-2026-01-31, with a host behind it or none
// (The rustup book, "Toolchain specification").
var channel = lazyregexp.New(`^(stable|beta|nightly|[0-9]+\.[0-9]+(?:\.[0-9]+)?)(-[0-9]{4}-[0-9]{2}-[0-9]{2})?(?:-[a-z0-9_]+(?:-[a-z0-9_]+)+)?$`)

// RustToolchain takes the constraint for toolchain rust from the rust-toolchain.toml of directories of sources, where
// the project names none itself; where there is no such file, from what their Cargo.toml say of rust-version, the
// latest of all. Directories whose files ask for different releases are an error: a project has one.
func (p *Project) RustToolchain(dirs ...string) error {
	if _, named := p.Toolchains["rust"]; named {
		return nil
	}
	shown := func(file string) string {
		if rel, err := filepath.Rel(p.Dir, file); err == nil {
			return filepath.Join(filepath.Dir(p.File), rel) // as seen from where xbuild.toml is seen
		}
		return file
	}
	var found ToolchainRequest
	for _, dir := range dirs {
		r, err := readRustToolchain(dir, shown)
		if err != nil {
			return err
		}
		switch {
		case r.File == "" || r.File == found.File:
		case found.File != "" && r.Constraint != found.Constraint:
			return fmt.Errorf("%s:%d asks for another Rust than %s:%d, and a project has one: name it in %s, [toolchains] rust = \"…\"", r.File, r.Line, found.File, found.Line, p.File)
		default:
			found = r
		}
	}
	if found.File == "" {
		var least crates.Want
		for _, dir := range dirs {
			w, err := crates.Workspace(dir)
			if err != nil {
				return err
			}
			least = least.Later(w)
		}
		if least.Release == "" {
			return nil
		}
		found = ToolchainRequest{Constraint: ">=" + least.Release, File: shown(least.File), Line: least.Line, Least: least.Release}
	}
	found.Hint = fmt.Sprintf("[toolchains] rust = \"…\" in %s is asked before it", p.File)
	if release := strings.TrimLeft(found.Constraint, "=~"); len(release) < len(found.Constraint) {
		// Pinned, in a file that is rustup's: what it was tested with, while later releases compile the same.
		found.Hint = fmt.Sprintf("write rust = \">=%s\" into [toolchains] in %s, which is asked before it: "+
			"a later release mostly compiles what an earlier one did", release, p.File)
	}
	if p.Toolchains == nil {
		p.Toolchains = map[string]ToolchainRequest{}
	}
	p.Toolchains["rust"] = found
	return nil
}

// readRustToolchain reads the toolchain file of a directory: its own or the nearest one upwards, as rustup does. File
// is empty where there is none.
func readRustToolchain(dir string, shown func(file string) string) (ToolchainRequest, error) {
	for ; ; dir = filepath.Dir(dir) {
		for _, name := range rustToolchainFiles {
			file := filepath.Join(dir, name)
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return ToolchainRequest{}, err
			}
			return parseRustToolchain(shown(file), string(data))
		}
		if dir == filepath.Dir(dir) {
			return ToolchainRequest{}, nil
		}
	}
}

// parseRustToolchain reads a toolchain file: TOML, or the channel alone. What it says of components, targets and
// profile is for rustup: every release here has rustc, cargo and rustdoc, and the platforms are the project's.
func parseRustToolchain(file, text string) (ToolchainRequest, error) {
	r := ToolchainRequest{File: file, Line: 1}
	fail := func(format string, args ...any) (ToolchainRequest, error) {
		return ToolchainRequest{}, fmt.Errorf("%s:%d: %s\nhint: write the release, such as channel = \"1.85\", or name one in xbuild.toml, [toolchains] rust = \"…\"", file, r.Line, fmt.Sprintf(format, args...))
	}
	var doc struct {
		Toolchain struct {
			Channel, Path, Profile string
			Components, Targets    []string
		}
	}
	name := strings.TrimSpace(text)
	if strings.ContainsAny(name, "\n=[") {
		if err := Shallow(file, text); err != nil {
			return ToolchainRequest{}, err
		}
		meta, err := toml.Decode(text, &doc)
		if err != nil {
			var parse toml.ParseError
			if errors.As(err, &parse) {
				r.Line = parse.Position.Line
				return fail("%s", parse.Message)
			}
			return fail("%v", err)
		}
		pos := scan(text).key("toolchain")
		if keys := meta.Undecoded(); len(keys) > 0 {
			r.Line = pos.key(keys[0][len(keys[0])-1]).line
			return fail("unknown key %q", keys[0].String())
		}
		if name = doc.Toolchain.Channel; name == "" {
			r.Line = pos.key("path").line
			if doc.Toolchain.Path != "" {
				return fail("path = %q names a toolchain of this machine alone, and xbuild fetches its own", doc.Toolchain.Path)
			}
			return fail("no channel")
		}
		r.Line = pos.key("channel").line
	}
	m := channel.FindStringSubmatch(name)
	switch {
	case m == nil:
		return fail("%q is no release of Rust (want stable, beta, nightly, one of these with a day behind it, or a version such as 1.85 or 1.85.1)", name)
	case !(m[1][0] >= '0' && m[1][0] <= '9'):
		r.Constraint = m[1] + m[2] // a channel, as [toolchains] takes it
	case m[2] != "":
		return fail("%q is a release, and those have no day", name)
	case strings.Count(m[1], ".") == 1:
		r.Constraint = "~" + m[1]
	default:
		r.Constraint = "=" + m[1]
	}
	return r, nil
}
