package archive

import (
	"fmt"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
)

// A Dependency is one alternative of a relation such as "libc6 (>= 2.36)".
type Dependency struct {
	Name    string
	Arch    string // qualifier after the colon: any, native, an architecture, or nothing
	Op      string // "", "<<", "<=", "=", ">=" or ">>"
	Version string
}

func (d Dependency) String() string {
	s := d.Name
	if d.Arch != "" {
		s += ":" + d.Arch
	}
	if d.Op != "" {
		s += " (" + d.Op + " " + d.Version + ")"
	}
	return s
}

// ParseDependencies reads a Depends field: all of the groups, one of each
// group. Syntax: Debian Policy 7.1; "<" and ">" are its old spellings of "<="
// and ">=".
func ParseDependencies(field string) ([][]Dependency, error) {
	var groups [][]Dependency
	for group := range strings.SplitSeq(field, ",") {
		if strings.TrimSpace(group) == "" {
			continue // a trailing comma is allowed
		}
		var alternatives []Dependency
		for one := range strings.SplitSeq(group, "|") {
			d, err := parseDependency(one)
			if err != nil {
				return nil, err
			}
			alternatives = append(alternatives, d)
		}
		groups = append(groups, alternatives)
	}
	return groups, nil
}

func parseDependency(s string) (Dependency, error) {
	bad := func(why string) (Dependency, error) {
		return Dependency{}, fmt.Errorf("dependency %q: %s", strings.TrimSpace(s), why)
	}
	rest := strings.TrimSpace(s)
	var d Dependency
	if strings.Contains(rest, "[") {
		return bad("architecture lists belong to source packages")
	}
	if i := strings.IndexByte(rest, '('); i >= 0 {
		version, ok := strings.CutSuffix(rest[i+1:], ")")
		if !ok {
			return bad("the parenthesis is not closed at its end")
		}
		version = strings.TrimSpace(version)
		n := 0
		for n < len(version) && strings.IndexByte("<>=", version[n]) >= 0 {
			n++
		}
		d.Op, d.Version = version[:n], strings.TrimSpace(version[n:])
		switch d.Op {
		case "<":
			d.Op = "<="
		case ">":
			d.Op = ">="
		case "<<", "<=", "=", ">=", ">>":
		default:
			return bad("the operator is none of << <= = >= >>")
		}
		if !debversion.Valid(d.Version) {
			return bad("the version is malformed")
		}
		rest = strings.TrimSpace(rest[:i])
	}
	d.Name, d.Arch, _ = strings.Cut(rest, ":")
	if !validName(d.Name) {
		return bad("the package name is malformed")
	}
	if strings.Contains(rest, ":") && !validName(d.Arch) {
		return bad("the architecture is malformed")
	}
	return d, nil
}

// validName is lenient (Policy 5.6.7 wants lower case): enough to keep names
// out of trouble in paths and messages.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', 'A' <= c && c <= 'Z':
		case i > 0 && strings.IndexByte("+-._", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// allows tells whether a version satisfies the relation. A relation without a
// version takes any, the empty one of an unversioned Provides included; with
// one, an unversioned Provides never satisfies it (Policy 7.5).
func (d Dependency) allows(version string) bool {
	if d.Op == "" {
		return true
	}
	if version == "" {
		return false
	}
	c := CompareVersions(version, d.Version)
	switch d.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	}
	return c > 0
}

// CompareVersions orders two Debian versions as dpkg does: negative, zero or
// positive. A malformed version sorts before every good one.
func CompareVersions(a, b string) int {
	va, errA := debversion.NewVersion(a)
	vb, errB := debversion.NewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return strings.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return va.Compare(vb)
}
