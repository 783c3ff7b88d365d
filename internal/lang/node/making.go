package node

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/node"
	"xbuild/internal/origin/npm"
)

// environment makes the environment node-gyp's, where the recipe builds modules. A module in Rust is built beside
// others: what cargo sees is then kept apart, as what differs from the environment of the C compilers.
func environment(m *lang.Making) error {
	if len(m.Parts) == 0 {
		return nil
	}
	host, err := m.HostView()
	if err != nil {
		return err
	}
	if m.Apart {
		m.Cargo = cargo(m)
	}
	m.Apart = true
	libc, _, err := m.Tools.Suite(m.Platform)
	if err != nil {
		return err
	}
	m.Action.Env, m.Action.Path = Environment(m.C, host, libc.NodeLink), m.Path
	return nil
}

// cargo is what modules in Rust are built with: what that has added to the environment of the C compilers.
func cargo(m *lang.Making) *node.Cargo {
	now, path := m.Action.Env, m.Action.Path
	out := &node.Cargo{
		Target: m.Platform.Rust, Env: map[string]string{"CARGO_ENCODED_RUSTFLAGS": m.Vars["rust.encoded"].(string)},
		Path: path[:len(path)-len(m.Path)],
	}
	for _, v := range now {
		if m.C.Lookup(v.Name) != v.Value {
			out.Env[v.Name] = v.Value
		}
	}
	for _, v := range m.C {
		if !slices.ContainsFunc(now, func(w env.Var) bool { return w.Name == v.Name }) {
			out.Env[v.Name] = ""
		}
	}
	for _, name := range []string{
		"LINK", "CC_target", "CXX_target", "AR_target", "LINK_target", "CC_host", "CXX_host", "AR_host", "LINK_host",
		"RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER",
	} {
		out.Env[name] = ""
	}
	return out
}

// headers are those of the versions of Node that a target names.
func headers(m *lang.Making) []node.Headers {
	var out []node.Headers
	for _, p := range m.Parts {
		out = append(out, node.Headers{Version: p.Version,
			Dir: filepath.Join(p.Dir, npm.Modules(p.Def.Packages[0]), "include/node")})
	}
	return out
}

// work is what the recipe's native modules are built with.
func work(m *lang.Making) (*node.Build, error) {
	p, vars, ts := m.Platform, m.Vars, m.Tools
	if p.Node == "" {
		return nil, fmt.Errorf("there is no Node.js for it")
	}
	libc, _, err := ts.Suite(p)
	if err != nil {
		return nil, err
	}
	b := &node.Build{
		App: vars["kind"] == "app", Headers: headers(m), Arch: p.Node, Gyp: p.Gyp, HostArch: ts.Host.Node, Libc: libc.Node,
		Big: p.Data == elf.ELFDATA2MSB, Narrow: p.Class == elf.ELFCLASS32, Cargo: m.Cargo,
		Where: fmt.Sprintf("[target.%s] of %s", m.Target.Name, ts.Project.File),
	}
	if cxx := m.View.Sysroot.CXX; cxx != nil {
		b.Refuse = cxx.Library.NodeRefuse
	}
	if p.Machine == elf.EM_ARM {
		b.ARM = strings.TrimPrefix(p.Variant, "v")
	}
	b.Binary, _ = vars["binary"].(string)
	b.CMake, _ = vars["cmake"].(bool)
	for name, to := range map[string]*[]string{"gyp": &b.Flags, "skip": &b.Skip, "scripts": &b.Scripts,
		"prebuilt": &b.Prebuilt, "exclude": &b.Exclude} {
		*to, _ = vars[name].([]string)
	}
	w, err := workspace(ts, m.Target)
	if err != nil {
		return nil, err
	}
	if b.Lock, b.Manager = w.Lock, w.Manager; w.Source != "." {
		if b.Workspace, err = filepath.Rel(m.Action.Source, w.Root); err != nil {
			return nil, err
		}
		b.Members = w.Members
	}
	if ts.Project.Toolchains[w.Manager].Source != "host" {
		manager, err := ts.Toolchain(w.Manager, ts.Host)
		if err != nil {
			return nil, err
		}
		b.ManagerVersion = manager.Version
	}
	if b.App && len(b.Headers) != 1 {
		return nil, fmt.Errorf("an application runs on one Node: node names %d versions", len(b.Headers))
	}
	return b, nil
}
