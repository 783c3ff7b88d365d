// Package crates reads what Cargo's files say of the release of Rust that they want: rust-version in the manifests of a
// workspace, and in those of the crates that its Cargo.lock names, which lie on this machine or stand in the index of a
// registry. It reads alone: what it cannot make sense of is for cargo to report, and what has to be downloaded it asks
// its caller for.
package crates

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/semver/v3"
	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/tomlfile"
)

// A Want is the least release of Rust that something asks for.
type Want struct {
	Release string // as it is written: "1.87", "1.87.0"; empty where nothing asks
	File    string // the manifest that says it; empty for a crate
	Line    int    // where in it, from 1
	Crate   string // "NAME VERSION" of a crate of Cargo.lock
}

// release is what rust-version may be: a release without a pre-release (The Cargo Book, "rust-version").
var release = lazyregexp.New(`^[0-9]+\.[0-9]+(?:\.[0-9]+)?$`)

// Later is the one of two wants that asks for more, w where they ask for the same.
func (w Want) Later(o Want) Want {
	if w.Release == "" || o.Release != "" && number(o.Release).GreaterThan(number(w.Release)) {
		return o
	}
	return w
}

// number is a release as a version that can be compared.
func number(release string) *semver.Version {
	v, err := semver.NewVersion(release)
	if err != nil {
		return semver.New(0, 0, 0, "", "")
	}
	return v
}

// dependencies are the tables of a manifest that name other packages (The Cargo Book, "Specifying Dependencies").
type dependencies struct {
	Dependencies map[string]any
	Dev          map[string]any `toml:"dev-dependencies"`
	Build        map[string]any `toml:"build-dependencies"`
}

// A manifest is what is read of a Cargo.toml.
type manifest struct {
	Package struct {
		Name, Version any // of a workspace, tables
		RustVersion   any `toml:"rust-version"`
		Workspace     string
	}
	Workspace *struct {
		Members, Exclude []string
		Package          struct {
			RustVersion string `toml:"rust-version"`
		}
		Dependencies map[string]any
	}
	dependencies
	Target map[string]dependencies

	root *tomlfile.Node
}

// read reads a manifest. One that is not there, or that does not parse, is none: cargo says it better.
func read(file string) (*manifest, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if m.root, _, err = tomlfile.Decode(string(data), &m); err != nil {
		return nil, nil
	}
	return &m, nil
}

// paths are the directories of the packages that a manifest in dir depends on by path, and of a workspace's members.
func (m *manifest) paths(dir string) ([]string, error) {
	var out []string
	tables := []map[string]any{m.Dependencies, m.Dev, m.Build}
	for _, t := range m.Target {
		tables = append(tables, t.Dependencies, t.Dev, t.Build)
	}
	if m.Workspace != nil {
		tables = append(tables, m.Workspace.Dependencies)
		for _, glob := range m.Workspace.Members {
			found, err := doublestar.FilepathGlob(filepath.Join(dir, filepath.FromSlash(glob)))
			if err != nil {
				return nil, nil // a member that is no glob: cargo says it better
			}
			for _, d := range found {
				if i, err := os.Stat(d); err != nil || !i.IsDir() {
					continue // members = ["crates/*"], and a README there
				}
				rel, err := filepath.Rel(dir, d)
				if err != nil {
					return nil, err
				}
				if !slices.Contains(m.Workspace.Exclude, filepath.ToSlash(rel)) {
					out = append(out, d)
				}
			}
		}
	}
	for _, t := range tables {
		for _, value := range t {
			if d, ok := value.(map[string]any); ok {
				if path, ok := d["path"].(string); ok {
					out = append(out, filepath.Join(dir, filepath.FromSlash(path)))
				}
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// Root returns the directory of the workspace that the package in dir is one of, and that has its Cargo.lock: the one
// that the package names, the nearest above that is a workspace, or dir itself (The Cargo Book, "Workspaces"). dir may
// lie below a package. It is empty where there is no manifest.
func Root(dir string) (string, error) {
	var m *manifest
	for {
		var err error
		if m, err = read(filepath.Join(dir, "Cargo.toml")); err != nil {
			return "", err
		}
		if m != nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
		dir = filepath.Dir(dir)
	}
	if m.Workspace != nil {
		return dir, nil
	}
	if m.Package.Workspace != "" {
		return filepath.Join(dir, filepath.FromSlash(m.Package.Workspace)), nil
	}
	for up := filepath.Dir(dir); up != filepath.Dir(up); up = filepath.Dir(up) {
		w, err := read(filepath.Join(up, "Cargo.toml"))
		if err != nil {
			return "", err
		}
		if w == nil || w.Workspace == nil {
			continue
		}
		rel, err := filepath.Rel(up, dir)
		if err != nil {
			return "", err
		}
		rel = filepath.ToSlash(rel)
		if slices.ContainsFunc(w.Workspace.Exclude, func(e string) bool {
			return rel == e || strings.HasPrefix(rel, e+"/")
		}) {
			return dir, nil
		}
		return up, nil
	}
	return dir, nil
}

// Workspace returns what the manifests say that the package in dir is built with: those of its workspace, and of what
// these depend on by path.
func Workspace(dir string) (Want, error) {
	root, err := Root(dir)
	if err != nil || root == "" {
		return Want{}, err
	}
	var least Want
	done := map[string]bool{}
	todo := []string{root, dir}
	for len(todo) > 0 {
		at := filepath.Clean(todo[0])
		todo = todo[1:]
		if done[at] {
			continue
		}
		done[at] = true
		file := filepath.Join(at, "Cargo.toml")
		m, err := read(file)
		if err != nil {
			return Want{}, err
		}
		if m == nil {
			continue
		}
		said := []string{}
		if s, ok := m.Package.RustVersion.(string); ok { // else it is the workspace's
			said = append(said, s)
		}
		if m.Workspace != nil {
			said = append(said, m.Workspace.Package.RustVersion)
		}
		for _, s := range said {
			if release.MatchString(s) {
				least = least.Later(Want{Release: s, File: file, Line: m.line(s)})
			}
		}
		more, err := m.paths(at)
		if err != nil {
			return Want{}, err
		}
		todo = append(todo, more...)
	}
	return least, nil
}

// line is where a manifest says a release.
func (m *manifest) line(said string) int {
	for _, n := range []*tomlfile.Node{m.root.Key("package"), m.root.Key("workspace").Key("package")} {
		if n = n.Get("rust-version"); n != nil && n.Text == said {
			return n.Line
		}
	}
	return 1
}

// A Crate is a package that a Cargo.lock names and that comes from elsewhere.
type Crate struct {
	Name, Version string
	Source        string // "registry+URL", "sparse+URL" or "git+URL#REVISION", as cargo writes it
}

func (c Crate) String() string { return c.Name + " " + c.Version }

// Locked returns the crates that the Cargo.lock of the package in dir names. The second result is false where there is
// no such file.
func Locked(dir string) ([]Crate, bool, error) {
	root, err := Root(dir)
	if err != nil || root == "" {
		return nil, false, err
	}
	var lock struct{ Package []Crate }
	file := filepath.Join(root, "Cargo.lock")
	if _, err := toml.DecodeFile(file, &lock); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
		return nil, false, fmt.Errorf("%s: %w", file, err)
	}
	return slices.DeleteFunc(lock.Package, func(c Crate) bool { return c.Source == "" }), true, nil
}
