package archive

import (
	"slices"
	"strings"
)

// Programs returns the names of those packages of a closure that somebody who builds with the roots runs programs of:
// what -dev packages depend on and is marked "Multi-Arch: foreign", so that it may be of the machine that builds
// (deb-src-control(5), "Multi-Arch"). What libraries depend on is started when a program runs, not when it is built:
// dbus-daemon. Packages for all architectures are data for the most part, and no closure tells which have scripts.
func Programs(closure []Package, roots []string) []string {
	provided := map[string][]Package{}
	for _, p := range closure {
		provided[p.Name] = append(provided[p.Name], p)
		for _, v := range p.Provides {
			provided[v.Name] = append(provided[v.Name], p)
		}
	}
	foreign := func(p Package) bool { return p.MultiArch == "foreign" && p.Architecture != "all" }
	library := func(p Package) bool { return strings.HasPrefix(p.Name, "lib") && !strings.HasSuffix(p.Name, "-dev") }
	var out []string
	var queue []Package
	seen := map[string]bool{}
	take := func(p Package) {
		if seen[p.Name] {
			return
		}
		seen[p.Name] = true
		queue = append(queue, p)
		if foreign(p) {
			out = append(out, p.Name)
		}
	}
	for _, root := range roots {
		name, _, _ := strings.Cut(root, "=")
		for _, p := range closure {
			if p.Name == name && (foreign(p) || !library(p)) {
				take(p)
			}
		}
	}
	for i := 0; i < len(queue); i++ {
		by := queue[i]
		for _, groups := range [][][]Dependency{by.PreDepends, by.Depends} {
			for _, group := range groups {
				for _, d := range group {
					for _, p := range provided[d.Name] {
						// qmake6, which is for each architecture, has its program in a package of its own.
						if foreign(p) || strings.HasSuffix(p.Name, "-dev") || p.Source == by.Source && !library(p) {
							take(p)
						}
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
