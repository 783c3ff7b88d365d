package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Dialect is how a compiler is told of platforms and baselines that has no columns of its own in these tables: data
// of its definition.
type Dialect struct {
	// Targets are the compiler's names of platforms, by platform (of a variant that is not named, its base counts) and
	// libc.
	Targets map[string]map[string]string `toml:"targets"`
	// Static is the libc by which programs are linked statically, by the libc that is not linked so.
	Static map[string]string `toml:"static"`
	// Apart are libcs of which the compiler links another implementation than the sysroot's, and why objects of both do
	// not go together.
	Apart map[string]string `toml:"apart"`
	// CPUs are what stands for a level of baseline.toml, by the level.
	CPUs map[string]string `toml:"cpus"`
	// Beyond are features that such a CPU has and the level does not promise: they are taken away where the baseline
	// lacks them.
	Beyond map[string][]string `toml:"beyond"`
	// Feature and Lack are how one more feature is told behind the CPU, and one that is taken away; % its name.
	Feature string `toml:"feature"`
	Lack    string `toml:"lack"`
	// Features are the compiler's names of features, by instruction set: those that differ from baseline.toml's, several
	// words where it has parts of it, and "" for what has none, of which only what it implies is told.
	Features map[string]map[string]string `toml:"features"`
}

// Target is the compiler's name of a platform with a libc.
func (d Dialect) Target(p Platform, libc string) (string, bool) {
	names, ok := d.Targets[p.Name]
	if !ok {
		names = d.Targets[p.Base().Name]
	}
	name, ok := names[libc]
	return name, ok
}

// In spells a baseline: the CPU of the platform's level, or of the least one where a feature of that is taken away, and
// all features beyond it by name. A CPU that the user chose is its features: how code is scheduled for it is not told.
func (b Baseline) In(d Dialect) (string, error) {
	t := baselines()
	name := b.platform.level
	l := t.levels[name]
	a := t.arches[l.arch]
	if has := a.closure(l.features); !subset(has, b.set) {
		if name = l.floor; name == "" {
			name = b.platform.Base().level
		}
		l = t.levels[name]
	}
	cpu, ok := d.CPUs[name]
	if !ok {
		return "", fmt.Errorf("it has no name for %s", name)
	}
	covered := a.closure(l.features, l.machines)
	for _, f := range a.features {
		if !b.set[f.name] || covered[f.name] {
			continue
		}
		cpu += d.words(l.arch, f.name, d.Feature)
	}
	for _, f := range d.Beyond[name] {
		if !b.set[f] {
			cpu += d.words(l.arch, f, d.Lack)
		}
	}
	return cpu, nil
}

// words names a feature, each part of it as the form says.
func (d Dialect) words(arch, feature, form string) string {
	word, differs := d.Features[arch][feature]
	if !differs {
		word = feature
	}
	var out strings.Builder
	for _, w := range strings.Fields(word) {
		out.WriteString(strings.ReplaceAll(form, "%", w))
	}
	return out.String()
}

// closure is all that lists of features imply, with these.
func (a *arch) closure(lists ...[]string) map[string]bool {
	set := map[string]bool{}
	for _, names := range lists {
		a.close(set, names...)
	}
	return set
}

// Check sees to it that every name of the dialect is one of a platform, a level or a feature, and that each platform
// that it names has a CPU. Tests of definitions call it.
func (d Dialect) Check() error {
	t := baselines()
	for _, name := range slices.Sorted(maps.Keys(d.Targets)) {
		p, err := Parse(name)
		if err != nil {
			return err
		}
		if p.Name != name {
			return fmt.Errorf("targets: %q is spelled %q", name, p.Name)
		}
		for _, q := range platforms().all {
			if q.Name != name && q.base != name {
				continue
			}
			if _, ok := d.CPUs[q.level]; !ok {
				return fmt.Errorf("cpus: %s is at level %s, which is not there", q.Name, q.level)
			}
		}
	}
	for _, level := range slices.Sorted(maps.Keys(d.CPUs)) {
		if _, ok := t.levels[level]; !ok {
			return fmt.Errorf("cpus: there is no level %q", level)
		}
	}
	for level, features := range d.Beyond {
		for _, f := range features {
			if a := t.arches[t.levels[level].arch]; a == nil || a.feature[f] == nil {
				return fmt.Errorf("beyond: there is no level %q with a feature %q", level, f)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Features)) {
		a := t.arches[name]
		if a == nil {
			return fmt.Errorf("features: there is no instruction set %q", name)
		}
		for _, f := range slices.Sorted(maps.Keys(d.Features[name])) {
			if a.feature[f] == nil {
				return fmt.Errorf("features: %s has no feature %q", a.name, f)
			}
		}
	}
	return nil
}
