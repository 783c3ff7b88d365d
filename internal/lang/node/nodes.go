package node

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/compose"
	"xbuild/internal/lang"
	"xbuild/internal/node"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
	"xbuild/internal/scan"
	"xbuild/internal/toolset"
)

// workspace finds what the packages of a target are installed by, once.
func workspace(ts *toolset.Tools, t project.Target) (node.Workspace, error) {
	source := ts.Project.SourceDir(t)
	return scan.Once(&ts.Files, "workspace of "+source, func() (node.Workspace, error) {
		return node.FindWorkspace(source)
	})
}

// manager takes the constraint for the package manager's toolchain from the package.json of a target's project, where
// xbuild.toml names none itself.
func manager(ts *toolset.Tools, t project.Target) error {
	w, err := workspace(ts, t)
	if err != nil || w.Version == "" {
		return err
	}
	have, named := ts.Project.Toolchains[w.Manager]
	switch {
	case named && have.File == "": // xbuild.toml's
		return nil
	case named && have.Constraint != w.Version:
		return fmt.Errorf("%s:%d asks for another %s than %s:%d, and a project has one: name it in %s, [toolchains] %s = \"…\"", w.File, w.Line, w.Manager, have.File, have.Line, ts.Project.File, w.Manager)
	}
	tools := maps.Clone(ts.Project.Toolchains)
	if tools == nil {
		tools = map[string]project.ToolchainRequest{}
	}
	tools[w.Manager] = project.ToolchainRequest{Constraint: w.Version, File: w.File, Line: w.Line,
		Hint: fmt.Sprintf("[toolchains] %s = \"…\" in %s is asked before it", w.Manager, ts.Project.File)}
	ts.Project.Toolchains = tools
	return nil
}

// ErrNoNode says that there is no Node for a platform to be had in a version.
const ErrNoNode = lang.NoRuntimeError("there is no Node")

// Request asks for a platform's Node in a version that satisfies constraints, the first of which a project names:
// of npm's packages where they have it, else of the newest Debian suite that does. Which versions there are is in the
// definitions, so that nothing has to be asked to know that there is none.
func Request(ts *toolset.Tools, p platform.Platform, constraints ...string) (resolve.SysrootRequest, error) {
	if libc := ts.Libc(p); libc != "gnu" {
		return resolve.SysrootRequest{}, fmt.Errorf("%w over %s to be had", ErrNoNode, libc)
	}
	where := fmt.Sprintf("Node %s for %s", constraints[0], p.Name)
	admit := func(version string) bool {
		return !slices.ContainsFunc(constraints, func(c string) bool {
			ok, err := resolve.Admits(c, version)
			return err != nil || !ok
		})
	}
	var have []string
	for _, def := range ts.Catalog.Chain(toolchain) {
		for _, b := range def.Builds {
			if b.Platform != p.Base().Name {
				continue
			}
			if len(b.Versions) == 0 || slices.ContainsFunc(b.Versions, admit) {
				return resolve.SysrootRequest{Def: def, Arch: "all", Suite: constraints[0], Packages: []string{b.Package},
					Constraints: constraints[1:], Where: where}, nil
			}
			have = append(have, b.Versions...)
		}
		for _, s := range def.Suites {
			if !slices.Contains(s.Architectures, p.Debian) {
				continue
			}
			if admit(s.Version) {
				return resolve.SysrootRequest{Def: def, Arch: p.Debian, Suite: s.Name,
					Packages: ts.Project.Config(p).Sysroot.Packages, Constraints: constraints, Where: where}, nil
			}
			have = append(have, s.Version)
		}
	}
	if len(have) == 0 {
		return resolve.SysrootRequest{}, fmt.Errorf("%w for %s to be had", ErrNoNode, p.Name)
	}
	slices.SortFunc(have, func(a, b string) int { return semver.MustParse(a).Compare(semver.MustParse(b)) })
	return resolve.SysrootRequest{}, fmt.Errorf("%w %s for %s to be had; there are %s", ErrNoNode,
		strings.Join(constraints, " and "), p.Name, strings.Join(slices.Compact(have), ", "))
}

// Require says what the lock has to hold for a platform's Node, the sysroot that it runs with included. The error
// is ErrNoNode where there is none.
func Require(ts *toolset.Tools, p platform.Platform, t action.NodeTest) (resolve.Requests, error) {
	var req resolve.Requests
	r, err := Request(ts, p, t.Constraints()...)
	if err != nil {
		return req, err
	}
	toolset.PutSysroot(&req, r)
	return req, ts.AddSysroot(&req, p)
}

// Locked returns a platform's Node as the lock has it.
func Locked(ts *toolset.Tools, p platform.Platform, t action.NodeTest) (action.Node, error) {
	r, err := Request(ts, p, t.Constraints()...)
	if err != nil {
		return action.Node{}, err
	}
	e, ok := resolve.FindSysroot(ts.Lock, r)
	if !ok {
		return action.Node{}, fmt.Errorf("%s: %w", r.Where, toolset.ErrNotLocked)
	}
	n := action.Node{Version: e.Version, Tree: compose.NewSysroot(ts.Store, r.Def, e)}
	program := r.Def.Program
	if n.Root = n.Tree; r.Def.Archive == catalog.NPM {
		program = strings.ReplaceAll(program, "{package}", r.Packages[0])
		n.Root, err = ts.Sysroot(p)
	}
	n.Program = filepath.Join(n.Tree.Dir, filepath.FromSlash(program))
	return n, err
}
