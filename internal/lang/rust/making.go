package rust

import (
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/project"
)

// environment turns the environment of the platform's C compilers into cargo's.
func environment(m *lang.Making) error {
	c, err := For(m.Tools, m.Platform)
	if err != nil {
		return err
	}
	m.UseHost(c.Host)
	c.Host = m.Host
	if c.Rust.Key != "" {
		m.Set.RustView(c.Rust)
	}
	m.Apart = true
	a := m.Action
	root := m.Tools.Files.Upwards(a.Source, m.Recipe.Root)
	// cargo says itself how much is optimised, C code of crates included, which lies in its registry.
	var maps []string
	for _, p := range paths(m.Environ, root, a.Build) {
		maps = append(maps, "-ffile-prefix-map="+p)
	}
	maps = env.Quoted(append(maps, m.Maps...))
	crates := env.Settings{
		CFlags: append(slices.Clone(maps), m.Config.CFlags...), CXXFlags: append(slices.Clone(maps), m.Config.CXXFlags...),
		Static: m.Settings.Static,
	}
	a.Env = ForCargo(a.Env, m.View, c.Host, crates).Merge(c.Env)
	// The caller's configuration may name a program that starts rustc (The Cargo Book, build.rustc-wrapper): empty
	// ones are none.
	a.Env.Set("RUSTC_WRAPPER", "")
	if !env.Plain(root) {
		a.Env.Set("CC_SHELL_ESCAPED_FLAGS", "1") // the cc crate then reads quotes in CFLAGS
	}
	a.Env.Set("RUSTC_WORKSPACE_WRAPPER", "")
	if needs := m.PkgConfig(); needs != "" { // the crate pkg-config prefers a target's own
		a.Env.Set("PKG_CONFIG_PATH_"+under(m.Platform.Rust), needs)
	}
	a.Path = append(c.Path(), a.Path...)
	m.Vars["rust"] = m.Platform.Rust
	top := root
	if rel, err := filepath.Rel(m.Tools.Project.Dir, root); err == nil && filepath.IsLocal(rel) {
		top = m.Tools.Project.Dir
	}
	flags, err := buildFlags(&m.Tools.Files, a.Source, top, m.Platform.Rust)
	if err != nil {
		return err
	}
	// In front of xbuild's own, where cargo puts those of [target.…]: a linker among them is this machine's.
	flags = append(flags, RustFlags(m.View, c.Baseline, c.Rust.Rust.Version, m.Settings)...)
	for _, prefix := range lang.Linked(a.Needs) {
		flags = append(flags, "-Lnative="+filepath.Join(prefix, "lib"))
	}
	flags = targetFlags(m.Environ, m.Target, flags, root, a.Build)
	m.Vars["rust.flags"], m.Vars["rust.encoded"] = inTOML(flags), strings.Join(flags, "\x1f")
	return nil
}

// settled takes the user's flags out of the environment: they are among rust.flags, and cargo takes the variable in the
// place of all others.
func settled(m *lang.Making) { m.Action.Env.Unset("RUSTFLAGS") }

// byHand are cargo's variables, the linker for build scripts among them.
func byHand(v, host, linker compose.View, s env.Settings) env.Environment {
	if v.Platform.Rust == "" {
		return nil
	}
	e := Cargo(v, host, s)
	if h := host.Platform.Rust; h != v.Platform.Rust {
		e.Set("CARGO_TARGET_"+upper(h)+"_LINKER", linker.CC())
	}
	return e
}

// targetFlags are rustc's flags for a target. What the user gives comes last and wins.
func targetFlags(environ env.Environment, t project.Target, flags []string, source, build string) []string {
	for _, m := range paths(environ, source, build) {
		flags = append(flags, "--remap-path-prefix="+m)
	}
	flags = append(flags, strings.Fields(t.Env["RUSTFLAGS"])...)
	if more, ok := t.Options["rustflags"].([]string); ok {
		flags = append(flags, more...)
	}
	return flags
}

// paths are the directories of this machine that compilers see under cargo, each with what stands for it in the
// artifacts: the last that matches counts.
func paths(environ env.Environment, source, build string) []string {
	home := environ.Lookup("CARGO_HOME")
	if home == "" {
		home = filepath.Join(environ.Lookup("HOME"), ".cargo")
	}
	return []string{home + "=/cargo", source + "=.", build + "=/build"}
}

// inTOML are words as they stand between the quotes of a basic string (toml.io, v1.0).
func inTOML(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(w)
	}
	return out
}
