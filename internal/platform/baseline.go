package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"xbuild/internal/spelling"
)

// A Baseline is the instruction set that a build may use: what the platform promises and what the user adds with a CPU
// and features. It is a set of features; the flags of each compiler follow from it.
type Baseline struct {
	platform Platform
	cpu      string
	set      map[string]bool
	c        []string
	rust     []string
	rustOff  []string // features that rustc is told to leave alone, each with the release from which on it has to be
	env      []string
	qemu     string
	noQEMU   string
}

// Baseline adds the user's CPU ("" for none) and features to what p promises; a feature with a minus in front is taken
// away, and what needs it. The error says what does not fit and what would.
func (p Platform) Baseline(cpu string, features []string) (Baseline, error) {
	t := baselines()
	l := t.levels[p.level]
	a := t.arches[l.arch]
	promised := t.promised(p)
	b := Baseline{platform: p, cpu: cpu, set: maps.Clone(promised)}

	var more, fewer []string
	for _, name := range features {
		if n, minus := strings.CutPrefix(strings.TrimSpace(name), "-"); minus {
			fewer = append(fewer, n)
		} else {
			more = append(more, name)
		}
	}
	asked, err := t.asked(p, a, more)
	if err != nil {
		return Baseline{}, err
	}
	fewer, err = t.asked(p, a, fewer)
	if err != nil {
		return Baseline{}, err
	}
	var c cpuModel
	if cpu != "" {
		if c, err = t.chosen(p, a, cpu); err != nil {
			return Baseline{}, err
		}
		b.set = map[string]bool{}
		a.close(b.set, c.features...)
		if lacks := a.lacks(promised, b.set); len(lacks) > 0 {
			return Baseline{}, fmt.Errorf("cpu %q has no %s, which %s promises%s", cpu, strings.Join(lacks, ", "), p,
				t.variantFor(p, a, b.set))
		}
	}
	has := maps.Clone(b.set) // what the -march or -mcpu already means
	if cpu == "" {
		has = map[string]bool{}
		a.close(has, l.features...)
	}
	a.close(b.set, asked...)
	for _, f := range a.features {
		if b.set[f.name] && !f.allows(p) {
			return Baseline{}, fmt.Errorf("%s, which %s does not promise (%s can have it)", whatNeeds(f, a, asked, cpu), p,
				strings.Join(f.on, ", "))
		}
	}
	if slices.ContainsFunc(fewer, func(f string) bool { return b.set[f] }) {
		// No flag that stands for more than what is left can be given, a cpu's neither: the flags add to the least
		// level, feature by feature.
		of := append(slices.Clone(l.features), c.features...)
		if l, has, err = t.without(p, a, asked, fewer); err != nil {
			return Baseline{}, err
		}
		b.set, promised = maps.Clone(has), maps.Clone(has)
		a.keep(b.set, fewer, of...)
		a.close(b.set, asked...)
		c, b.cpu, asked = cpuModel{}, "", a.rest(has, b.set)
	} else if cpu != "" {
		// A cpu is one -mcpu; what would need another one is a contradiction, unless its parts can be named.
		if asked, err = a.parts(asked, has, cpu); err != nil {
			return Baseline{}, err
		}
	}
	if p.HasSysroot() {
		b.c = a.cFlags(l, c, has, asked, b.set)
	}
	b.rust = a.rustFlags(l, c, promised, asked, b.set)
	for _, f := range a.features {
		if !b.set[f.name] && f.allows(p) {
			b.rustOff = append(b.rustOff, f.rustOff...)
		}
	}
	b.env = a.goEnv(l, b.set)
	b.qemu, b.noQEMU = t.model(p, a, b.set)
	return b, nil
}

// keep adds to set what is left of names without the features that are taken away: what they stand for beside these and
// what needs these.
func (a *arch) keep(set map[string]bool, fewer []string, names ...string) {
	for _, n := range names {
		if slices.Contains(fewer, n) {
			continue
		}
		of := map[string]bool{}
		a.close(of, n)
		if slices.ContainsFunc(fewer, func(f string) bool { return of[f] }) {
			a.keep(set, fewer, a.feature[n].implies...)
			continue
		}
		a.close(set, n)
	}
}

// without returns the least level of p's machine and what it promises, which features can be taken away down to.
func (t *baselineTable) without(p Platform, a *arch, asked, fewer []string) (level, map[string]bool, error) {
	l := t.levels[p.level]
	name := l.floor
	if name == "" {
		name = p.Base().level
	}
	floor := t.levels[name]
	has := map[string]bool{}
	a.close(has, floor.features...)
	a.close(has, floor.machines...)
	for _, f := range fewer {
		if has[f] {
			return level{}, nil, fmt.Errorf("feature %q: %s cannot do without it: all code for the platform is compiled for it, its libraries too", "-"+f, p)
		}
		for _, m := range asked {
			of := map[string]bool{}
			if a.close(of, m); of[f] {
				return level{}, nil, fmt.Errorf("feature %q needs %s, which %q takes away", m, f, "-"+f)
			}
		}
	}
	return floor, has, nil
}

// rest are the features of a set, in the table's order, that a level and the greatest -march above it do not mean
// already.
func (a *arch) rest(has, set map[string]bool) []string {
	best := a.most(has, set)
	covered := maps.Clone(has)
	if best != nil {
		a.close(covered, best.implies...)
	}
	var out []string
	for _, f := range a.features {
		if set[f.name] && !covered[f.name] && (f.base == "" || f == best) {
			out = append(out, f.name)
		}
	}
	return out
}

// Platform is the platform that the baseline is of.
func (b Baseline) Platform() Platform { return b.platform }

// CPU is the user's CPU, empty for none.
func (b Baseline) CPU() string { return b.cpu }

// Features are the names of all that code of this baseline may use, sorted.
func (b Baseline) Features() []string { return slices.Sorted(maps.Keys(b.set)) }

// CFlags are clang's flags, for its configuration file. A platform without a C toolchain has none.
func (b Baseline) CFlags() []string { return slices.Clone(b.c) }

// RustFlags are the flags of a release of rustc, such as 1.85.1; "" stands for any, which takes what one of them needs.
func (b Baseline) RustFlags(release string) []string {
	flags := slices.Clone(b.rust)
	var off []string
	for _, f := range b.rustOff {
		name, from, _ := strings.Cut(f, " ")
		if release == "" || !earlier(release, from) {
			off = append(off, "-"+name)
		}
	}
	if len(off) == 0 {
		return flags
	}
	return append(flags, "-C", "target-feature="+strings.Join(off, ","))
}

// earlier compares the first two numbers of releases. What has none, the name of a channel for instance, is the latest.
func earlier(a, b string) bool {
	var x, y [2]int
	if n, _ := fmt.Sscanf(a, "%d.%d", &x[0], &x[1]); n < 2 {
		return false
	}
	if n, _ := fmt.Sscanf(b, "%d.%d", &y[0], &y[1]); n < 2 {
		return false
	}
	return x[0] < y[0] || x[0] == y[0] && x[1] < y[1]
}

// GoEnv are Go's variables, such as GOARM=7.
func (b Baseline) GoEnv() []string { return slices.Clone(b.env) }

// QEMUCPU is the CPU model with the least beyond the baseline; empty where QEMU has none, and then QEMUReason says why.
func (b Baseline) QEMUCPU() string { return b.qemu }

// QEMUReason says why QEMUCPU is empty.
func (b Baseline) QEMUReason() string { return b.noQEMU }

// asked returns the user's features, aliases resolved, in the table's order: the order given does not change a flag.
func (t *baselineTable) asked(p Platform, a *arch, features []string) ([]string, error) {
	want := map[string]bool{}
	for _, name := range features {
		n := strings.ToLower(strings.TrimSpace(name))
		if names, ok := a.alias[n]; ok {
			for _, n := range names {
				want[n] = true
			}
			continue
		}
		if _, ok := a.feature[n]; !ok {
			return nil, t.noFeature(p, a, name, n)
		}
		want[n] = true
	}
	var asked []string
	for _, f := range a.features {
		if want[f.name] {
			asked = append(asked, f.name)
		}
	}
	return asked, nil
}

func (t *baselineTable) noFeature(p Platform, a *arch, name, n string) error {
	has := t.platformsWhere(func(q Platform, o *arch) bool {
		names := o.alias[n]
		if o.feature[n] != nil {
			names = []string{n}
		}
		set := map[string]bool{}
		o.close(set, names...)
		return len(names) > 0 && o.allow(set, q)
	})
	if len(has) > 0 {
		return fmt.Errorf("feature %q is not one of %s: %s", name, p, haveIt(has))
	}
	if len(a.features) == 0 {
		return fmt.Errorf("feature %q is unknown; %s has none to choose", name, p)
	}
	words := slices.Sorted(maps.Keys(a.alias))
	all := make([]string, 0, len(a.features))
	for _, f := range a.features {
		all = append(all, f.name)
	}
	hint := ""
	if w := spelling.Nearest(n, append(slices.Clone(all), words...)); w != "" {
		hint = fmt.Sprintf("; did you mean %q?", w)
	}
	return fmt.Errorf("feature %q is unknown%s (%s has %s)", name, hint, a.name, strings.Join(all, ", "))
}

// promised are the features of p's own level.
func (t *baselineTable) promised(p Platform) map[string]bool {
	l := t.levels[p.level]
	set := map[string]bool{}
	t.arches[l.arch].close(set, l.features...)
	t.arches[l.arch].close(set, l.machines...)
	return set
}

// platformsWhere lists the platforms with a C toolchain that ok holds for, variants left out.
func (t *baselineTable) platformsWhere(ok func(Platform, *arch) bool) []string {
	var names []string
	for _, p := range platforms().all {
		if p.HasC() && p.base == "" && ok(p, t.arches[t.levels[p.level].arch]) {
			names = append(names, p.Name)
		}
	}
	return names
}

// variantFor names a variant of p that promises no more than a cpu has, as the end of an error; "" where there is none.
func (t *baselineTable) variantFor(p Platform, a *arch, set map[string]bool) string {
	for _, q := range platforms().all {
		if q.base == p.Name && subset(t.promised(q), set) && a.allow(set, q) {
			return "; " + q.Name + " does not"
		}
	}
	return ""
}

func haveIt(names []string) string {
	if len(names) == 1 {
		return names[0] + " has it"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " have it"
}

// chosen is the user's CPU.
func (t *baselineTable) chosen(p Platform, a *arch, name string) (cpuModel, error) {
	cpus := cpuTable()
	if c, ok := cpus[a.id][name]; ok {
		if c.refused != "" {
			return cpuModel{}, fmt.Errorf("cpu %q is refused: %s", name, c.refused)
		}
		return c, nil
	}
	if name == "native" {
		return cpuModel{}, fmt.Errorf("cpu %q is the machine that builds, and not one that %s promises; name the cpu", name,
			p)
	}
	is := t.platformsWhere(func(q Platform, o *arch) bool {
		c, ok := cpus[o.id][name]
		set := map[string]bool{}
		o.close(set, c.features...)
		return ok && subset(t.promised(q), set) && o.allow(set, q)
	})
	if len(is) > 0 {
		return cpuModel{}, fmt.Errorf("cpu %q is not one of %s: %s", name, p, haveIt(is))
	}
	words := slices.Sorted(maps.Keys(cpus[a.id]))
	if len(words) == 0 {
		return cpuModel{}, fmt.Errorf("cpu %q is unknown; %s has none to choose", name, p)
	}
	if w := spelling.Nearest(name, words); w != "" { // up to a hundred names are no help beside the right one
		return cpuModel{}, fmt.Errorf("cpu %q is unknown; did you mean %q?", name, w)
	}
	return cpuModel{}, fmt.Errorf("cpu %q is unknown (%s has %s)", name, a.name, strings.Join(words, ", "))
}

// allows says whether p may have the feature.
func (f *feature) allows(p Platform) bool {
	return len(f.on) == 0 || slices.Contains(f.on, p.Name) || !p.HasC()
}

// lacks lists what of promised is not in set: instructions rather than the levels that they make, where there are some.
func (a *arch) lacks(promised, set map[string]bool) []string {
	var names, levels []string
	for _, f := range a.features {
		switch {
		case !promised[f.name] || set[f.name]:
		case f.base == "":
			names = append(names, f.name)
		default:
			levels = append(levels, f.name)
		}
	}
	if names == nil {
		return levels
	}
	return names
}

// allow says whether p may have the whole set.
func (a *arch) allow(set map[string]bool, p Platform) bool {
	for n := range set {
		if !a.feature[n].allows(p) {
			return false
		}
	}
	return true
}

// whatNeeds names what the user wrote that brings f in.
func whatNeeds(f *feature, a *arch, asked []string, cpu string) string {
	for _, n := range asked {
		set := map[string]bool{}
		a.close(set, n)
		if n == f.name {
			return fmt.Sprintf("feature %q needs more", n)
		}
		if set[f.name] {
			return fmt.Sprintf("feature %q needs %s", n, f.name)
		}
	}
	return fmt.Sprintf("cpu %q has %s", cpu, f.name)
}

// parts replaces features that stand for a whole -march by their parts.
func (a *arch) parts(asked []string, has map[string]bool, cpu string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	var take func(names []string, of string) error
	take = func(names []string, of string) error {
		for _, n := range names {
			if has[n] || seen[n] {
				continue
			}
			seen[n] = true
			f := a.feature[n]
			set := map[string]bool{}
			a.close(set, n)
			whole := false // f or what it needs is a -march
			for m := range set {
				whole = whole || !has[m] && a.feature[m].base != ""
			}
			if !whole {
				out = append(out, n)
				continue
			}
			if len(f.implies) == 0 || !a.partsOnly {
				return fmt.Errorf("feature %q is more than cpu %q has; leave one of them out", of, cpu)
			}
			if err := take(f.implies, of); err != nil {
				return err
			}
		}
		return nil
	}
	for _, n := range asked {
		if has[n] {
			out = append(out, n)
			continue
		}
		if err := take([]string{n}, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// close adds names and all that they imply to set.
func (a *arch) close(set map[string]bool, names ...string) {
	for _, n := range names {
		if set[n] {
			continue
		}
		set[n] = true
		a.close(set, a.feature[n].implies...)
	}
}

// cFlags: one -march or -mcpu, the features that it does not mean already, the floating-point unit.
func (a *arch) cFlags(l level, c cpuModel, has map[string]bool, asked []string, set map[string]bool) []string {
	var suffix, own []string
	best := a.most(has, set)
	if a.partsOnly {
		asked = a.spelled(asked, best)
	}
	for _, n := range asked {
		if has[n] {
			continue
		}
		f := a.feature[n]
		words := f.c
		if words == nil && f.base == "" {
			words = []string{strings.Replace(a.c, "%", n, 1)}
		}
		for _, w := range words {
			if strings.HasPrefix(w, "-") {
				own = join(own, w)
			} else {
				suffix = append(suffix, w)
			}
		}
	}
	flags := slices.Clone(l.c)
	switch {
	case c.name == "":
		flag, value, _ := strings.Cut(flags[0], "=")
		if best != nil {
			value = best.base
		}
		flags[0] = flag + "=" + value + strings.Join(suffix, "")
	case c.march != "" && len(suffix) > 0: // RISC-V's -mcpu takes no suffix
		flags = append([]string{"-march=" + c.march + strings.Join(suffix, ""), "-mtune=" + c.name}, flags[1:]...)
	default:
		for _, n := range c.without { // optional in the core, and not asked for
			if !slices.Contains(asked, n) && a.fpu == nil {
				suffix = append([]string{"+no" + n}, suffix...)
			}
		}
		flags[0] = a.cpu + c.name + strings.Join(suffix, "")
	}
	flags = append(flags, c.flags...)
	if l.float != "" {
		float := l.float
		for _, u := range a.fpu {
			if u.in(set) {
				flags = append(flags, "-mfpu="+u.value)
				if float == "soft" {
					float = "softfp" // the registers, in the same calling convention
				}
				break
			}
		}
		flags = append(flags, "-mfloat-abi="+float)
	}
	return append(flags, own...)
}

// spelled are names and all that they imply, less what best, a -march of its own, stands for.
func (a *arch) spelled(names []string, best *feature) []string {
	all, covered := map[string]bool{}, map[string]bool{}
	a.close(all, names...)
	if best != nil {
		a.close(covered, best.implies...)
	}
	var out []string
	for _, f := range a.features {
		if all[f.name] && !covered[f.name] && (f.base == "" || f == best) {
			out = append(out, f.name)
		}
	}
	return out
}

// most is the feature with a base of its own that means most of what set has beyond has; nil where there is none.
func (a *arch) most(has, set map[string]bool) *feature {
	var best *feature
	size := 0
	for _, f := range a.features {
		if f.base == "" || has[f.name] || !set[f.name] {
			continue
		}
		s := map[string]bool{}
		a.close(s, f.name)
		if len(s) > size {
			best, size = f, len(s)
		}
	}
	return best
}

// join appends flag, or adds its value to that of the same flag: -mbranch-protection=bti+pac-ret.
func join(flags []string, flag string) []string {
	k, v, ok := strings.Cut(flag, "=")
	for i, f := range flags {
		if ok && strings.HasPrefix(f, k+"=") {
			flags[i] = f + "+" + v
			return flags
		}
	}
	return append(flags, flag)
}

// rustFlags: one target-cpu, and by name what it does not mean.
func (a *arch) rustFlags(l level, c cpuModel, promised map[string]bool, asked []string, set map[string]bool) []string {
	promised = maps.Clone(promised)
	var features []string
	seen := map[string]bool{}
	var name func(names []string)
	name = func(names []string) {
		for _, n := range names {
			if seen[n] {
				continue
			}
			seen[n] = true
			f := a.feature[n]
			switch {
			case f.rust == nil:
				features = append(features, "+"+n)
			case len(f.rust) > 0:
				for _, r := range f.rust {
					r, only, ok := strings.Cut(r, " if ")
					if !ok || set[only] {
						features = append(features, "+"+r)
					}
				}
			default:
				for _, i := range f.implies {
					if !promised[i] {
						name([]string{i})
					}
				}
			}
		}
	}
	cpu := l.rustCPU
	if c.name == "" {
		if f := a.most(promised, set); f != nil && f.rustCPU != "" {
			cpu = f.rustCPU
			a.close(promised, f.name)
			asked = slices.DeleteFunc(slices.Clone(asked), func(n string) bool { return n == f.name })
		}
		name(l.features)
	} else {
		if c.rust != none {
			cpu = c.rust
		}
		if c.rust == none || a.rustNamesCPU {
			of := map[string]bool{}
			a.close(of, c.features...)
			for _, f := range a.features {
				if of[f.name] && !promised[f.name] {
					name([]string{f.name})
				}
			}
		}
		for _, n := range c.without {
			if !slices.Contains(asked, n) {
				for _, r := range a.feature[n].rust {
					if !slices.Contains(features, "+"+r) { // what the cpu has anyway
						features = append(features, "-"+r)
					}
				}
			}
		}
	}
	name(asked)
	var flags []string
	if cpu != "" {
		flags = append(flags, "-C", "target-cpu="+cpu)
	}
	seenFlag := map[string]bool{}
	features = slices.DeleteFunc(features, func(f string) bool {
		twice := seenFlag[f]
		seenFlag[f] = true
		return twice
	})
	if len(features) > 0 {
		flags = append(flags, "-C", "target-feature="+strings.Join(features, ","))
	}
	return flags
}

func (a *arch) goEnv(l level, set map[string]bool) []string {
	variable, values := a.goVar, a.goLevels
	if l.goVar != "" {
		variable, values = l.goVar, l.goLevels
	}
	for _, v := range values {
		needed := map[string]bool{}
		a.close(needed, v.needs...)
		if !subset(needed, set) {
			continue
		}
		value := v.value
		for _, f := range a.goFeatures {
			if set[f] && !needed[f] {
				value += "," + f
			}
		}
		return []string{variable + "=" + value}
	}
	return nil
}

// model is the least CPU model of QEMU that has the whole set.
func (t *baselineTable) model(p Platform, a *arch, set map[string]bool) (model, reason string) {
	q, ok := t.qemu[p.Arch]
	switch {
	case p.QEMU == "" || !ok:
		return "", fmt.Sprintf("QEMU runs no programs of %s", p)
	case maps.Equal(t.promised(p), set) && p.QEMUCPU != "":
		return p.QEMUCPU, ""
	}
	for _, m := range q.models {
		has := map[string]bool{}
		a.close(has, m.needs...)
		if subset(set, has) {
			return m.value, ""
		}
	}
	return "", q.why
}

func subset(of, in map[string]bool) bool {
	for n := range of {
		if !in[n] {
			return false
		}
	}
	return true
}
