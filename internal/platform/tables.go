package platform

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed baseline.toml
var baselineTOML string

//go:embed cpus.toml
var cpusTOML string

// An arch is an instruction set with its features, in baseline.toml's order.
type arch struct {
	id, name     string
	cpu          string // the flag that takes a cpu
	c            string // how clang is given a feature, % its name
	goVar        string
	goLevels     []choice
	goFeatures   []string
	fpu          []choice
	rustNamesCPU bool
	partsOnly    bool

	features []*feature
	feature  map[string]*feature
	alias    map[string][]string
}

type feature struct {
	name    string
	implies []string
	c, rust []string // nil: the feature's own name; empty: none
	// what rustc has to be told where the feature is not in the set: "NAME RELEASE", from which release on
	rustOff []string
	base    string   // the -march or -mcpu value that has it
	rustCPU string   // and rustc's target-cpu
	on      []string // the only platforms that can have it
}

type level struct {
	arch     string
	features []string
	// the level that features can be taken away down to; empty for that of the platform without its variant
	floor    string
	machines []string // what all of the platform's machines have beside; no flag of clang and rustc asks for it
	c        []string
	float    string // -mfloat-abi
	rustCPU  string
	goVar    string
	goLevels []choice
}

// A choice is a value with the features that it needs, or has.
type choice struct {
	value string
	needs []string
}

func (c choice) in(set map[string]bool) bool {
	return !slices.ContainsFunc(c.needs, func(n string) bool { return !set[n] })
}

type models struct {
	why    string // what to say when none fits
	models []choice
}

type baselineTable struct {
	order  []*arch
	arches map[string]*arch
	levels map[string]level
	qemu   map[string]models // by Platform.Arch
}

type cpuModel struct {
	name     string
	features []string
	without  []string // optional in the core: compilers assume it, devices may lack it
	rust     string   // rustc's name, "none" where it has none
	flags    []string // what clang needs beside the name
	march    string   // RISC-V: the ISA string
	refused  string
}

var baselines = sync.OnceValue(func() *baselineTable {
	t, err := loadBaselines(baselineTOML)
	if err != nil {
		panic("baseline.toml: " + err.Error()) // embedded, and a test loads and checks it
	}
	return t
})

var cpuTable = sync.OnceValue(func() map[string]map[string]cpuModel {
	t, err := loadCPUs(cpusTOML, baselines())
	if err != nil {
		panic("cpus.toml: " + err.Error())
	}
	return t
})

func choices(lines []string) []choice {
	var out []choice
	for _, l := range lines {
		w := strings.Fields(l)
		out = append(out, choice{w[0], w[1:]})
	}
	return out
}

func loadBaselines(data string) (*baselineTable, error) {
	t := &baselineTable{arches: map[string]*arch{}, levels: map[string]level{}, qemu: map[string]models{}}
	var f feature // one for all, because making the map of its fields is most of the work
	fields := map[string]any{"implies": &f.implies, "c": &f.c, "rust": &f.rust, "base": &f.base, "rust_cpu": &f.rustCPU,
		"rust_off": &f.rustOff, "on": &f.on}
	err := sections(data, func(s section) error {
		kind, name, _ := strings.Cut(s.name, ".")
		if kind != "arch" && kind != "level" && kind != "qemu" && t.arches[name] == nil {
			return fmt.Errorf("line %d: [%s] of no arch", s.Line, s.name)
		}
		switch kind {
		case "arch":
			a := &arch{id: name, feature: map[string]*feature{}, alias: map[string][]string{}}
			t.order, t.arches[name] = append(t.order, a), a
			var levels, fpu []string
			err := s.bind(map[string]any{"name": &a.name, "cpu": &a.cpu, "c": &a.c, "go": &a.goVar, "go_levels": &levels,
				"go_features": &a.goFeatures, "fpu": &fpu, "rust_names_cpu": &a.rustNamesCPU, "parts": &a.partsOnly})
			a.goLevels, a.fpu = choices(levels), choices(fpu)
			return err
		case "level":
			var l level
			var levels []string
			err := s.bind(map[string]any{"arch": &l.arch, "features": &l.features, "floor": &l.floor, "machines": &l.machines,
				"c": &l.c, "float": &l.float,
				"rust_cpu": &l.rustCPU, "go": &l.goVar, "go_levels": &levels})
			l.goLevels = choices(levels)
			t.levels[name] = l
			return err
		case "feature":
			a := t.arches[name]
			for _, e := range s.Nodes {
				f = feature{name: e.Name}
				if err := (section{s.name + "." + e.Name, e}).bind(fields); err != nil {
					return err
				}
				own := f
				a.features, a.feature[f.name] = append(a.features, &own), &own
			}
		case "alias":
			for _, e := range s.Nodes {
				list, ok := e.Strings()
				if !ok {
					return fmt.Errorf("line %d: want a list of features", e.Line)
				}
				t.arches[name].alias[e.Name] = list
			}
		case "qemu":
			var m models
			for _, e := range s.Nodes {
				if e.Name == "why" {
					m.why = e.Text
					continue
				}
				list, ok := e.Strings()
				if !ok {
					return fmt.Errorf("line %d: want a list of features", e.Line)
				}
				m.models = append(m.models, choice{e.Name, list})
			}
			t.qemu[name] = m
		default:
			return fmt.Errorf("line %d: no table is called [%s]", s.Line, s.name)
		}
		return nil
	})
	return t, err
}

// check sees to it that every name in the table is one of a feature. A test calls it; starting xbuild does not wait for
// it.
func (t *baselineTable) check() error {
	known := func(a *arch, where string, names ...string) error {
		for _, n := range names {
			if a.feature[n] == nil {
				return fmt.Errorf("%s: %s has no feature %s", where, a.name, n)
			}
		}
		return nil
	}
	for _, a := range t.order {
		for _, f := range a.features {
			if err := known(a, f.name, f.implies...); err != nil {
				return err
			}
		}
		for n, to := range a.alias {
			if err := known(a, n, to...); err != nil {
				return err
			}
		}
		for _, c := range slices.Concat(a.goLevels, a.fpu) {
			if err := known(a, c.value, c.needs...); err != nil {
				return err
			}
		}
		if err := known(a, "go_features", a.goFeatures...); err != nil {
			return err
		}
	}
	for n, l := range t.levels {
		a := t.arches[l.arch]
		if a == nil {
			return fmt.Errorf("level %s is of no arch", n)
		}
		if err := known(a, n, slices.Concat(l.features, l.machines)...); err != nil {
			return err
		}
		if _, ok := t.levels[l.floor]; l.floor != "" && !ok {
			return fmt.Errorf("level %s: floor names no level: %q", n, l.floor)
		}
		for _, c := range l.goLevels {
			if err := known(a, n, c.needs...); err != nil {
				return err
			}
		}
	}
	for _, p := range platforms().all {
		l, ok := t.levels[p.level]
		if !ok {
			return fmt.Errorf("%s is at level %s, which has no table", p, p.level)
		}
		for _, m := range t.qemu[p.Arch].models {
			if err := known(t.arches[l.arch], "qemu "+m.value, m.needs...); err != nil {
				return err
			}
		}
	}
	return nil
}

func loadCPUs(data string, t *baselineTable) (map[string]map[string]cpuModel, error) {
	out := map[string]map[string]cpuModel{}
	err := sections(data, func(s section) error {
		_, id, _ := strings.Cut(s.name, ".")
		a := t.arches[id]
		if a == nil {
			return fmt.Errorf("line %d: [%s] of no arch", s.Line, s.name)
		}
		out[id] = make(map[string]cpuModel, len(s.Nodes))
		for _, e := range s.Nodes {
			c := cpuModel{name: e.Name, rust: e.Name}
			err := (section{s.name + "." + e.Name, e}).bind(map[string]any{"features": &c.features, "without": &c.without,
				"flags": &c.flags, "rust": &c.rust, "march": &c.march, "refused": &c.refused})
			if err != nil {
				return err
			}
			for _, f := range slices.Concat(c.features, c.without) {
				if a.feature[f] == nil {
					return fmt.Errorf("%s: %s has no feature %s", c.name, a.name, f)
				}
			}
			out[id][c.name] = c
		}
		return nil
	})
	return out, err
}
