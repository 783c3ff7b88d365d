package plan

import (
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/hint"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// dialects tells the recipe how toolchains with words of their own are told of the platform: {NAME.target} and
// {NAME.cpu}.
func (m *making) dialects() error {
	for _, name := range m.Needs.Toolchains {
		def := m.Catalog.Toolchain(name)
		if def.Dialect == nil {
			continue
		}
		var err error
		// A program for the host has to run on any, and without the loader that those of other recipes get.
		static := m.Vars["static"].(bool) || m.Action.Host
		if m.Vars[name+".target"], m.Vars[name+".cpu"], err = m.spelled(def, m.Target, m.Platform, static); err != nil {
			return err
		}
	}
	return nil
}

// spelled is a platform and its baseline in the words of a toolchain. {glibc} in the name of a target stands for the
// glibc that programs have to run with.
func (pl *Planner) spelled(def *catalog.Toolchain, t project.Target, p platform.Platform,
	static bool) (target, cpu string, err error) {
	libc := pl.Libc(p)
	if own := def.Dialect.Static[libc]; static && own != "" {
		if other := pl.linkedWith(t); other != "" {
			return "", "", hint.Add(fmt.Errorf("%s links statically with %s alone, and %q, which it is linked with, is compiled for %s", def.Name, own, other, libc),
				"write libc = %q in [platform.%q], for both, or static = false in the target", own, p.Name)
		}
		libc = own
	}
	if why := def.Dialect.Apart[libc]; why != "" {
		if other := pl.linkedWith(t); other != "" {
			return "", "", fmt.Errorf("it cannot be linked with %q for %s: %s", other, p.Name, why)
		}
	}
	target, ok := def.Dialect.Target(p, libc)
	if !ok {
		var names []string
		for name, of := range def.Dialect.Targets {
			if of[libc] != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return "", "", fmt.Errorf("toolchain %s does not compile for %s with libc %s; it does for %s", def.Name, p.Name, libc,
			strings.Join(names, ", "))
	}
	if strings.Contains(target, "{glibc}") {
		_, suite, err := pl.Suite(p)
		if err != nil {
			return "", "", err
		}
		target = strings.ReplaceAll(target, "{glibc}", suite.Glibc)
	}
	b, err := pl.Baseline(p)
	if err != nil {
		return "", "", err
	}
	if cpu, err = b.In(*def.Dialect); err != nil {
		return "", "", fmt.Errorf("toolchain %s for %s: %w", def.Name, p.Name, err)
	}
	return target, cpu, nil
}

// linkedWith names a target that a target is linked with, one that it needs or one that needs it; "" where there is
// none.
func (pl *Planner) linkedWith(t project.Target) string {
	for _, n := range t.Needs {
		if !n.Host {
			return n.Target
		}
	}
	for _, other := range pl.Project.Targets {
		if slices.ContainsFunc(other.Needs, func(n project.Need) bool { return !n.Host && n.Target == t.Name }) {
			return other.Name
		}
	}
	return ""
}
