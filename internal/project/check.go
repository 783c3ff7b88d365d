package project

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/spelling"
)

var (
	envName     = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	packageName = lazyregexp.New(`^[a-z0-9][a-z0-9+.-]+$`) // Debian Policy, 5.6.7
	targetName  = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	versionText = lazyregexp.New(`[0-9]+(\.([0-9]+|[xX*]))*`)
	prerelease  = lazyregexp.New(`[0-9]-[0-9A-Za-z]`)
)

// checkConstraint says whether a version could satisfy a constraint.
func checkConstraint(text string) error {
	if text == "" {
		return nil
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return fmt.Errorf("%q is not a version constraint (such as %q, %q or %q)", text, "^19", ">=1.24", "~3.25")
	}
	// The versions that satisfy a constraint form intervals, and an interval's
	// lowest version is 0, a version in the text, or the next patch, minor or
	// major one after it. Prereleases have no next one: believe those.
	if prerelease.MatchString(text) {
		return nil
	}
	candidates := []*semver.Version{semver.New(0, 0, 0, "", "")}
	for _, s := range versionText.FindAllString(text, -1) {
		v, err := semver.NewVersion(strings.NewReplacer(".x", ".0", ".X", ".0", ".*", ".0").Replace(s))
		if err != nil {
			continue
		}
		patch, minor, major := v.IncPatch(), v.IncMinor(), v.IncMajor()
		candidates = append(candidates, v, &patch, &minor, &major)
	}
	if !slices.ContainsFunc(candidates, c.Check) {
		return fmt.Errorf("no version can satisfy %q", text)
	}
	return nil
}

// isChannel says whether a version is the name of a channel: "nightly", "nightly-2026-05-20".
func isChannel(text string, channels []string) bool {
	name, date, dated := strings.Cut(text, "-")
	if dated {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return false
		}
	}
	return slices.Contains(channels, name)
}

// checkGlibc says whether a floor is a version that some sysroot is built for,
// or a later one.
func checkGlibc(text string, schema Schema) error {
	if slices.Contains(schema.Suites, text) {
		return fmt.Errorf("glibc wants a version, and %q is a suite; write suite = %q", text, text)
	}
	floor, ok := glibcMinor(text)
	if !ok {
		return fmt.Errorf("glibc %q is not a version of glibc%s", text, meant(text, schema.Glibc, "such as"))
	}
	if len(schema.Glibc) == 0 {
		return nil
	}
	lowest := slices.MinFunc(schema.Glibc, func(a, b string) int {
		x, _ := glibcMinor(a)
		y, _ := glibcMinor(b)
		return x - y
	})
	if x, _ := glibcMinor(lowest); floor < x {
		return fmt.Errorf("no sysroot has a glibc as old as %s; the oldest has %s", text, lowest)
	}
	return nil
}

// glibcMinor is 31 for 2.31. There is no glibc 1 on any platform, and no 3.
func glibcMinor(text string) (int, bool) {
	minor, ok := strings.CutPrefix(text, "2.")
	n, err := strconv.ParseUint(minor, 10, 16)
	return int(n), ok && err == nil && minor == strconv.Itoa(int(n))
}

func checkMirror(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("is not a URL")
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return errors.New("names no host")
		}
	case "file":
		if !strings.HasPrefix(u.Path, "/") {
			return errors.New("wants an absolute path, file:///…")
		}
	default:
		return errors.New("wants a URL that starts with https://, http:// or file://")
	}
	return nil
}

// meant is the end of a message about an unknown word: what was probably meant, and what there is.
func meant(word string, choices []string, verb string) string {
	choices = slices.Sorted(slices.Values(choices))
	text := ""
	if near := spelling.Nearest(word, choices); near != "" {
		text = "; did you mean \"" + near + "\"?"
	}
	if len(choices) == 0 {
		return text
	}
	return text + " (" + verb + " " + strings.Join(choices, ", ") + ")"
}
