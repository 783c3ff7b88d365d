package pypi

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/lazyregexp"
)

// A Version is the version of a release (PEP 440, now the "Version specifiers" of packaging.python.org).
type Version struct {
	text    string          // as PEP 440 normalizes it: 1.0rc1, 0.17.0.post0
	base    *semver.Version // the release itself; nil where it has another epoch, or more than three numbers
	special string          // what a pre-release, a post-release, a development release or a local version adds
}

// number is PEP 440's expression (its appendix B) in lower case.
var number = lazyregexp.New(`^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?([0-9]*))?` +
	`(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?` +
	`(?:[-_.]?(dev)[-_.]?([0-9]*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// phases are the spellings of a pre-release.
var phases = map[string]string{"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}

// ParseVersion reads a version in any spelling that PEP 440 admits.
func ParseVersion(text string) (Version, error) {
	m := number.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil || len(text) > 200 {
		return Version{}, fmt.Errorf("%.200q is no version as PEP 440 has them", text)
	}
	var v Version
	if phase := m[3]; phase != "" {
		if p, ok := phases[phase]; ok {
			phase = p
		}
		v.special += phase + numeral(m[4])
	}
	if m[5] != "" {
		v.special += ".post" + numeral(m[5])
	} else if m[6] != "" {
		v.special += ".post" + numeral(m[7])
	}
	if m[8] != "" {
		v.special += ".dev" + numeral(m[9])
	}
	if m[10] != "" {
		v.special += "+" + strings.NewReplacer("-", ".", "_", ".").Replace(m[10])
	}
	parts := strings.Split(m[2], ".")
	for i, p := range parts {
		parts[i] = numeral(p)
	}
	release := strings.Join(parts, ".")
	epoch := numeral(m[1])
	v.text = release + v.special
	if epoch != "0" {
		v.text = epoch + "!" + v.text
		return v, nil
	}
	// A number that is too long for semver is no version that a constraint can name.
	if base, err := semver.NewVersion(release); err == nil && len(parts) <= 3 {
		v.base = base
	}
	return v, nil
}

// numeral is a number without leading zeros; an absent one is 0.
func numeral(digits string) string {
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return digits
}

func (v Version) String() string { return v.text }

// Plain tells whether the version is that of a release that constraints choose among: none before or after one, and no
// more than three numbers.
func (v Version) Plain() bool { return v.base != nil && v.special == "" }

// Equal tells whether two versions are the same release: 1.0 is 1.0.0.
func (v Version) Equal(w Version) bool {
	if v.base == nil || w.base == nil {
		return v.text == w.text
	}
	return v.base.Equal(w.base) && v.special == w.special
}

// exactly reads a constraint that names one version, as 0.16.0 and =0.16.0 do, or 1.0.0-rc1 and 0.17.0-post0, which
// stand for 1.0.0rc1 and 0.17.0.post0: constraints have semver's spelling.
func exactly(constraint string) (Version, bool) {
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "="))
	v, err := ParseVersion(text)
	if err != nil || v.base == nil {
		return Version{}, false
	}
	if v.special == "" {
		_, err := semver.StrictNewVersion(text) // 0.16 is any 0.16.x
		return v, err == nil
	}
	return v, true
}
