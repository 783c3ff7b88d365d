package archive

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrConflict is what two wishes that exclude each other fail with.
var ErrConflict = errors.New("versions do not fit together")

// ResolveOptions steer Resolve.
type ResolveOptions struct {
	// Skip holds patterns (path.Match) of package names that are taken for
	// satisfied: neither taken nor followed. What is asked for by name as a
	// root is taken all the same. "BY -> NAME", two patterns, is of what the
	// packages BY ask for alone.
	Skip      []string
	NoDepends bool // the roots alone

	// Suite and Arch are for error messages; Arch also answers "libc6:arm64".
	Suite, Arch string
}

// skips says that a package is left out that another one asks for.
func (o ResolveOptions) skips(by *chosen, name string) (bool, error) {
	for _, pattern := range o.Skip {
		asks, wanted, ok := strings.Cut(pattern, " -> ")
		if !ok {
			asks, wanted = "*", pattern
		}
		mine, err := path.Match(asks, by.Name)
		ok, err2 := path.Match(wanted, name)
		if err := cmp.Or(err, err2); err != nil {
			return false, fmt.Errorf("skip pattern %q: %w", pattern, err)
		}
		if mine && ok {
			return true, nil
		}
	}
	return false, nil
}

func (o ResolveOptions) where() string {
	switch {
	case o.Suite != "" && o.Arch != "":
		return " in " + o.Suite + "/" + o.Arch
	case o.Suite != "" || o.Arch != "":
		return " in " + o.Suite + o.Arch
	}
	return ""
}

// Resolve returns the packages that the roots need: the closure over
// Pre-Depends and Depends, sorted by name. A root is "name" or "name=version".
// Of alternatives, one that is taken already wins, then the leftmost that can
// be had; of providers, the one with the highest priority, then by name.
// Conflicts and Breaks are not looked at: nothing is installed, only unpacked.
func Resolve(ix *Index, roots []string, opt ResolveOptions) ([]Package, error) {
	r := &resolver{ix: ix, opt: opt, taken: map[string]*chosen{}, provided: map[string][]*chosen{}}
	for _, root := range roots {
		if err := r.root(root); err != nil {
			return nil, err
		}
	}
	// The queue grows while it is worked off.
	for i := 0; i < len(r.queue) && !opt.NoDepends; i++ {
		c := r.queue[i]
		for _, groups := range [][][]Dependency{c.PreDepends, c.Depends} {
			for _, group := range groups {
				if err := r.satisfy(c, group); err != nil {
					return nil, err
				}
			}
		}
	}
	packages := make([]Package, len(r.queue))
	for i, c := range r.queue {
		packages[i] = c.Package
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return packages, nil
}

type chosen struct {
	Package
	by *chosen // nil for a root
}

// why says who wanted a package: "clang-19 -> libllvm19".
func (c *chosen) why() string {
	if c == nil {
		return ""
	}
	if c.by == nil {
		return c.Name
	}
	return c.by.why() + " -> " + c.Name
}

type resolver struct {
	ix       *Index
	opt      ResolveOptions
	taken    map[string]*chosen
	provided map[string][]*chosen
	queue    []*chosen
}

func (r *resolver) take(p Package, by *chosen) {
	c := &chosen{p, by}
	r.taken[p.Name] = c
	for _, v := range p.Provides {
		r.provided[v.Name] = append(r.provided[v.Name], c)
	}
	r.queue = append(r.queue, c)
}

func (r *resolver) root(root string) error {
	name, version, exact := strings.Cut(strings.TrimSpace(root), "=")
	found, err := r.ix.versions(name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return r.ix.missing(name, r.opt.where())
	}
	at := 0
	if exact {
		at = slices.IndexFunc(found, func(p Package) bool { return p.Version == version })
		if at < 0 {
			var have []string
			for _, p := range found {
				have = append(have, p.Version)
			}
			return fmt.Errorf("package %q has no version %q%s: %w (it has %s)",
				name, version, r.opt.where(), ErrNoPackage, strings.Join(have, ", "))
		}
	}
	if before := r.taken[name]; before != nil {
		if exact && before.Version != version {
			return fmt.Errorf("package %q is asked for as %s and as %s: %w", name, before.Version, version, ErrConflict)
		}
		return nil
	}
	r.take(found[at], nil)
	return nil
}

// satisfy takes a package for a group of alternatives unless one is there.
func (r *resolver) satisfy(by *chosen, group []Dependency) error {
	for _, d := range group {
		if c := r.taken[d.Name]; c != nil && r.fits(d, c.Package) {
			return nil
		}
		for _, c := range r.provided[d.Name] {
			if provides(c.Package, d) {
				return nil
			}
		}
	}
	for _, d := range group {
		p, skip, err := r.candidate(by, d)
		if err != nil {
			return err
		}
		if skip {
			return nil
		}
		if p != nil {
			r.take(*p, by)
			return nil
		}
	}
	return r.unsatisfied(by, group)
}

// candidate finds what would satisfy one alternative, nil if nothing does.
func (r *resolver) candidate(by *chosen, d Dependency) (p *Package, skip bool, err error) {
	if skip, err = r.opt.skips(by, d.Name); err != nil || skip {
		return nil, skip, err
	}
	found, err := r.ix.versions(d.Name)
	if err != nil {
		return nil, false, err
	}
	for _, p := range found {
		// Two versions of one package cannot be unpacked together.
		if r.fits(d, p) && r.taken[d.Name] == nil {
			return &p, false, nil
		}
	}
	virtual, err := r.ix.providersOf(d.Name)
	if err != nil {
		return nil, false, err
	}
	virtual = slices.DeleteFunc(virtual, func(p Package) bool { return !provides(p, d) || r.taken[p.Name] != nil })
	slices.SortStableFunc(virtual, func(a, b Package) int {
		if c := priority(a) - priority(b); c != 0 {
			return c
		}
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return CompareVersions(b.Version, a.Version)
	})
	if len(virtual) == 0 {
		return nil, false, nil
	}
	skip, err = r.opt.skips(by, virtual[0].Name)
	return &virtual[0], skip, err
}

func priority(p Package) int {
	order := []string{"required", "important", "standard", "optional"}
	if i := slices.Index(order, p.Priority); i >= 0 {
		return i
	}
	return len(order)
}

func (r *resolver) fits(d Dependency, p Package) bool {
	return d.allows(p.Version) && archFits(d, p)
}

// archFits: any and native mean a package of this index, as all of them are of
// one architecture (deb-src-control, "Multi-Arch").
func archFits(d Dependency, p Package) bool {
	return d.Arch == "" || d.Arch == "any" || d.Arch == "native" || d.Arch == p.Architecture
}

func provides(p Package, d Dependency) bool {
	return archFits(d, p) && slices.ContainsFunc(p.Provides, func(v Dependency) bool {
		return v.Name == d.Name && d.allows(v.Version)
	})
}

func (r *resolver) unsatisfied(by *chosen, group []Dependency) error {
	var alternatives, have []string
	wrong := ErrNoPackage
	for _, d := range group {
		alternatives = append(alternatives, d.String())
		if c := r.taken[d.Name]; c != nil {
			have = append(have, fmt.Sprintf("%s %s is taken already, for %s", c.Name, c.Version, c.why()))
			wrong = ErrConflict
			continue
		}
		found, err := r.ix.versions(d.Name)
		if err != nil {
			return err
		}
		for _, p := range found {
			have = append(have, fmt.Sprintf("it has %s %s", p.Name, p.Version))
		}
	}
	note := strings.Join(have, "; ")
	if note == "" {
		near, err := r.ix.near(group[0].Name)
		if err != nil {
			return err
		}
		note = "it has no such package" + near
	}
	return fmt.Errorf("package %q needs %q%s (wanted by %s): %w: %s",
		by.Name, strings.Join(alternatives, " | "), r.opt.where(), by.why(), wrong, note)
}

// missing is the error for a name that the index does not have.
func (ix *Index) missing(name, where string) error {
	providers, err := ix.providersOf(name)
	if err != nil {
		return err
	}
	if len(providers) > 0 {
		var names []string
		for _, p := range providers {
			names = append(names, p.Name)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		more := ""
		if len(names) > 8 {
			more, names = ", …", names[:8]
		}
		return fmt.Errorf("%w %q%s: it is only a name that others provide: ask for %s%s", ErrNoPackage, name, where, strings.Join(names, ", "), more)
	}
	near, err := ix.near(name)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w %q%s%s", ErrNoPackage, name, where, near)
}

// near proposes names: two letters off, or the same but for a version.
func (ix *Index) near(name string) (string, error) {
	names, err := ix.Names()
	if err != nil {
		return "", err
	}
	type scored struct {
		name string
		d    int
	}
	var best []scored
	for _, n := range names {
		d := 3
		if a, b := len(n), len(name); a-b <= 2 && b-a <= 2 {
			d = editDistance(n, name)
		}
		if d > 2 && len(name) >= 3 && strings.HasPrefix(n, name) {
			d = 2
		}
		if d <= 2 && d < len(name) {
			best = append(best, scored{n, d})
		}
	}
	slices.SortFunc(best, func(a, b scored) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return strings.Compare(a.name, b.name)
	})
	if len(best) == 0 {
		return "", nil
	}
	names = nil
	for _, s := range best[:min(len(best), 4)] {
		names = append(names, s.name)
	}
	return "; near it are " + strings.Join(names, ", "), nil
}

// editDistance counts letters to add, drop, change, or swap with a neighbour.
func editDistance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(row[j]+cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			next[j+1] = d
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
