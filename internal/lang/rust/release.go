package rust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"xbuild/internal/crates"
	"xbuild/internal/hint"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/project"
	"xbuild/internal/tomlfile"
)

// releaseFiles are the names under which a Rust project says with which release it is built, the one that counts
// first (The rustup book, "The toolchain file").
var releaseFiles = []string{"rust-toolchain", "rust-toolchain.toml"}

// channel is the name of a release of Rust: 1.85, 1.85.0, stable, nightly-2026-01-31, with a host behind it or none
// (The rustup book, "Toolchain specification").
var channel = lazyregexp.New(`^(stable|beta|nightly|[0-9]+\.[0-9]+(?:\.[0-9]+)?)(-[0-9]{4}-[0-9]{2}-[0-9]{2})?(?:-[a-z0-9_]+(?:-[a-z0-9_]+)+)?$`)

// Release takes the constraint for toolchain rust from the rust-toolchain.toml of directories of sources, where
// the project names none itself; where there is no such file, from what their Cargo.toml say of rust-version, the
// latest of all. Directories whose files ask for different releases are an error: a project has one.
func Release(p *project.Project, dirs ...string) error {
	if _, named := p.Toolchains[toolchain]; named {
		return nil
	}
	shown := func(file string) string {
		if rel, err := filepath.Rel(p.Dir, file); err == nil {
			return filepath.Join(filepath.Dir(p.File), rel) // as seen from where xbuild.toml is seen
		}
		return file
	}
	var found project.ToolchainRequest
	for _, dir := range dirs {
		r, err := readRelease(dir, shown)
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
		found = project.ToolchainRequest{Constraint: ">=" + least.Release, File: shown(least.File), Line: least.Line,
			Least: least.Release}
	}
	found.Hint = fmt.Sprintf("[toolchains] rust = \"…\" in %s is asked before it", p.File)
	if release := strings.TrimLeft(found.Constraint, "=~"); len(release) < len(found.Constraint) {
		// Pinned, in a file that is rustup's: what it was tested with, while later releases compile the same.
		found.Hint = fmt.Sprintf("write rust = \">=%s\" into [toolchains] in %s, which is asked before it: "+
			"a later release mostly compiles what an earlier one did", release, p.File)
	}
	if p.Toolchains == nil {
		p.Toolchains = map[string]project.ToolchainRequest{}
	}
	p.Toolchains[toolchain] = found
	return nil
}

// readRelease reads the toolchain file of a directory: its own or the nearest one upwards, as rustup does. File
// is empty where there is none.
func readRelease(dir string, shown func(file string) string) (project.ToolchainRequest, error) {
	for ; ; dir = filepath.Dir(dir) {
		for _, name := range releaseFiles {
			file := filepath.Join(dir, name)
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return project.ToolchainRequest{}, err
			}
			return parseRelease(shown(file), string(data))
		}
		if dir == filepath.Dir(dir) {
			return project.ToolchainRequest{}, nil
		}
	}
}

// parseRelease reads a toolchain file: TOML, or the channel alone. What it says of components, targets and
// profile is for rustup: every release here has rustc, cargo and rustdoc, and the platforms are the project's.
func parseRelease(file, text string) (project.ToolchainRequest, error) {
	r := project.ToolchainRequest{File: file, Line: 1}
	fail := func(format string, args ...any) (project.ToolchainRequest, error) {
		return project.ToolchainRequest{}, hint.Add(fmt.Errorf("%s:%d: %s", file, r.Line, fmt.Sprintf(format, args...)),
			"write the release, such as channel = \"1.85\", or name one in xbuild.toml, [toolchains] rust = \"…\"")
	}
	var doc struct {
		Toolchain struct {
			Channel, Path, Profile string
			Components, Targets    []string
		}
	}
	name := strings.TrimSpace(text)
	if strings.ContainsAny(name, "\n=[") {
		root, meta, err := tomlfile.Decode(text, &doc)
		if err != nil {
			var nested *tomlfile.NestedError
			if errors.As(err, &nested) {
				return project.ToolchainRequest{}, fmt.Errorf("%s:%d: %w", file, nested.Line, err)
			}
			var parse toml.ParseError
			if errors.As(err, &parse) {
				r.Line = parse.Position.Line
				return fail("%s", parse.Message)
			}
			return fail("%v", err)
		}
		pos := root.Key("toolchain")
		if keys := meta.Undecoded(); len(keys) > 0 {
			r.Line = pos.Key(keys[0][len(keys[0])-1]).Line
			return fail("unknown key %q", keys[0].String())
		}
		if name = doc.Toolchain.Channel; name == "" {
			r.Line = pos.Key("path").Line
			if doc.Toolchain.Path != "" {
				return fail("path = %q names a toolchain of this machine alone, and xbuild fetches its own", doc.Toolchain.Path)
			}
			return fail("no channel")
		}
		r.Line = pos.Key("channel").Line
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
