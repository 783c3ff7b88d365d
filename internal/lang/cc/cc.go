// Package cc is C and C++: what compiles for the host while a project is built for a platform. The environment of the
// platform's compilers is package env's.
package cc

import (
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/platform"
)

// Language is C and C++.
var Language = lang.Language{
	Name: "cc", Environment: environment,
	Flags: map[string]func(platform.Baseline, string) []string{"c": flags, "c++": flags},
}

// flags are the flags of C and C++ for a baseline; every release takes them.
func flags(b platform.Baseline, _ string) []string { return b.CFlags() }

// environment says where the host's compilers are, where the recipe needs any and no other language says it.
func environment(m *lang.Making) error {
	if !m.Needs.Host {
		return nil
	}
	host, err := m.HostView()
	if err != nil || m.Apart {
		return err
	}
	m.Action.Env = m.Action.Env.Merge(env.ForBuild(host))
	m.Vars["meson_native"] = host.Meson()
	return nil
}
