package pypi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/platform"
)

// A Wheel is what the name of a wheel says (PEP 427; the "Binary distribution format" of packaging.python.org).
type Wheel struct {
	Project   string // normalized
	Version   Version
	Build     int // of several builds of a version the highest is meant
	Pythons   []string
	ABIs      []string
	Platforms []string
}

var (
	wheelName   = lazyregexp.New(`^([A-Za-z0-9._]+)-([A-Za-z0-9._!+]+)(?:-([0-9]+)([A-Za-z0-9_.]*))?-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)\.whl$`)
	projectName = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	separators  = lazyregexp.New(`[-_.]+`)
)

// maxName bounds the name of a file.
const maxName = 255

// ValidName tells whether a text can be the name of a project.
func ValidName(name string) bool { return len(name) <= maxName && projectName.MatchString(name) }

// Normalized is the name of a project in the spelling of an index's paths (PEP 503).
func Normalized(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// ParseWheel reads the name of a wheel.
func ParseWheel(name string) (Wheel, error) {
	m := wheelName.FindStringSubmatch(name)
	if m == nil || len(name) > maxName {
		return Wheel{}, fmt.Errorf("%.255q is not the name of a wheel", name)
	}
	v, err := ParseVersion(m[2])
	if err != nil {
		return Wheel{}, fmt.Errorf("wheel %s: %w", name, err)
	}
	w := Wheel{Project: Normalized(m[1]), Version: v, Pythons: strings.Split(m[5], "."), ABIs: strings.Split(m[6], "."),
		Platforms: strings.Split(m[7], ".")}
	if m[3] != "" {
		if w.Build, err = strconv.Atoi(m[3]); err != nil {
			return Wheel{}, fmt.Errorf("wheel %s: its build number is too long", name)
		}
	}
	return w, nil
}

// What a wheel asks of a machine, in the order of choice: a glibc, the older the better; nothing that the name says;
// musl; none, which is a wheel for any machine and holds no program for this one. Xbuild's hosts have one lock, so that
// the wheel is not chosen by the machine that locks.
const (
	rankLinux = (iota + 1) * 1000
	rankMusl
	rankAny
)

var (
	manylinux = lazyregexp.New(`^manylinux_([0-9]{1,2})_([0-9]{1,3})_(.+)$`)
	musllinux = lazyregexp.New(`^musllinux_([0-9]{1,2})_([0-9]{1,3})_(.+)$`)
)

// legacy are the names of manylinux from before PEP 600, which says what glibc each stands for.
var legacy = map[string]int{"manylinux1_": 5, "manylinux2010_": 12, "manylinux2014_": 17}

// Fits tells whether a wheel is for a machine, and how much it asks of that: the less, the better. A wheel for one
// Python's interface in C is none: there is no Python to load it.
func (w Wheel) Fits(host platform.Platform) (rank int, ok bool) {
	if !slices.ContainsFunc(w.Pythons, func(p string) bool {
		return strings.HasPrefix(p, "py3")
	}) || !slices.Contains(w.ABIs, "none") {
		return 0, false
	}
	for _, p := range w.Platforms {
		r, fits := fits(p, host)
		if fits && (!ok || r < rank) {
			rank, ok = r, true
		}
	}
	return rank, ok
}

func fits(tag string, host platform.Platform) (rank int, ok bool) {
	if tag == "any" {
		return rankAny, true
	}
	if host.OS != "linux" || host.Uname == "" {
		return 0, false
	}
	if m := manylinux.FindStringSubmatch(tag); m != nil {
		minor, err := strconv.Atoi(m[2])
		return minor, err == nil && m[1] == "2" && m[3] == host.Uname
	}
	if m := musllinux.FindStringSubmatch(tag); m != nil {
		minor, err := strconv.Atoi(m[2])
		return rankMusl + minor, err == nil && m[1] == "1" && m[3] == host.Uname
	}
	for prefix, minor := range legacy {
		if machine, is := strings.CutPrefix(tag, prefix); is {
			return minor, machine == host.Uname
		}
	}
	return rankLinux, tag == "linux_"+host.Uname
}
