// Package origin says what every kind of archive can do: tell which files a toolchain or a sysroot is, where a file of
// the lock can be fetched, and unpack it. Each kind is one package below this one; resolve has the list of them, and
// asks them by these interfaces alone.
package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
)

// A Kind is what is the same of all archives of a kind, and needs none of them to be asked.
type Kind interface {
	// Unpack puts the content of a file into a directory of a tree, where paths of that kind of archive lie in it.
	Unpack(ctx context.Context, file string, f lock.File, dir string, opt archive.UnpackOptions) error
}

// Naming is a kind whose versions can be asked for by other words than constraints: the name of a channel, say.
type Naming interface {
	Kind
	// Named tells whether a constraint is such a word, and whether a locked toolchain is what it names.
	Named(constraint string, locked lock.Toolchain) (is, named bool)
}

// Releases is a kind whose archive is made of releases: all that belongs to a toolchain is of the toolchain's release,
// which alone knows the targets.
type Releases interface {
	Kind
	// Release names the release that files are of; "" where none of them tells.
	Release(files []lock.File) string
}

// An Archive is one archive of a kind, with its mirrors.
type Archive interface {
	// Toolchain chooses a version of a toolchain and locks its files. Where the constraint admits none, no files come
	// back, and a version that there is, if one was looked at.
	Toolchain(ctx context.Context, t Toolchain) (e lock.Toolchain, has string, err error)
	// URLs are where a file of the lock can be fetched, the best first. date is its entry's.
	URLs(ctx context.Context, f lock.File, date string) ([]string, error)
}

// Sysroots is an archive that has sysroots, or libraries of toolchains, too.
type Sysroots interface {
	Archive
	Sysroot(ctx context.Context, r Sysroot) (lock.Sysroot, error)
}

// A Toolchain is what is looked for of a toolchain in one source.
type Toolchain struct {
	Def        *catalog.Toolchain // filled in for the source and the host
	Host       platform.Platform
	Constraint string // the project's
	// Admits tells whether a version satisfies the constraint, and what the definition says of a platform.
	Admits func(version string) (bool, error)
}

// Source is the source that is asked.
func (t Toolchain) Source() catalog.Source { return t.Def.Sources[0] }

// A Sysroot asks for a sysroot.
type Sysroot struct {
	Def      *catalog.Sysroot
	Arch     string // Debian's name
	Suite    string
	Packages []string // beyond the definition's
	Version  string   // exactly this one; "" for any
	// Constraints (semver) are what its version has to satisfy beside what Suite says.
	Constraints []string
	Release     string // of an archive of releases: the one that it is of; "" for any
	Where       string // the platform and what asks for it, for errors
}

// Admits tells whether a version satisfies the request's constraints; one that is no constraint nothing satisfies.
func (r Sysroot) Admits(version string) bool {
	return !slices.ContainsFunc(r.Constraints, func(c string) bool {
		ok, err := Admits(c, version)
		return err != nil || !ok
	})
}

// Roots are the packages that are asked for, sorted.
func (r Sysroot) Roots() []string {
	suite, _ := r.Def.Suite(r.Suite)
	roots := append(r.Def.Roots(suite), r.Packages...)
	slices.Sort(roots)
	return slices.Compact(roots)
}

// SourceArch stands where a source package has no architecture, as in the archive's own index names.
const SourceArch = "source"

var (
	// ErrNoTarget says that the suite of a toolchain has no library for a target.
	ErrNoTarget = errors.New("no library for the target")
	// ErrNoVersion says that no source of a toolchain has a version that the constraint admits.
	ErrNoVersion = errors.New("no such version")
	// ErrNoPackage says that an archive has no package of a name.
	ErrNoPackage = errors.New("no such package")
)

// Admits tells whether a version satisfies a semver constraint; an empty one admits all.
func Admits(constraint, version string) (bool, error) {
	if constraint == "" {
		return true, nil
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false, fmt.Errorf("constraint %q: %w", constraint, err)
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false, fmt.Errorf("version %q: %w", version, err)
	}
	return c.Check(v), nil
}
