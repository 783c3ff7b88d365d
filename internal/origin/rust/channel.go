package rust

import (
	"path"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/lazyregexp"
)

// The channels; a release by its number is one too.
const (
	Stable  = "stable"
	Beta    = "beta"
	Nightly = "nightly"
)

// A Channel names a release as rustup does (The rustup book, "Toolchains"): nightly-2026-05-20, beta, 1.95.0.
type Channel struct {
	Name string // stable, beta, nightly, or a version: 1.95, 1.95.0
	Date string // of the release; "" for the newest
}

// ParseChannel reads the name of a channel, with or without a date. A version, which is a constraint like others, is
// none.
func ParseChannel(text string) (Channel, bool) {
	name, date, dated := strings.Cut(text, "-")
	if name != Stable && name != Beta && name != Nightly {
		return Channel{}, false
	}
	if dated {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return Channel{}, false
		}
	}
	return Channel{Name: name, Date: date}, true
}

func (c Channel) String() string {
	if c.Date != "" {
		return c.Name + "-" + c.Date
	}
	return c.Name
}

// Path is where the channel's manifest lies on a server; its signature lies beside it, with ".asc" behind.
func (c Channel) Path() string { return path.Join("dist", c.Date, "channel-rust-"+c.Name+".toml") }

// Has says whether a version of rustc is one of the channel.
func (c Channel) Has(version string) bool {
	switch c.Name {
	case Beta, Nightly:
		return strings.Contains(version, "-"+c.Name)
	case Stable:
		return !strings.Contains(version, "-")
	}
	return version == c.Name || strings.HasPrefix(version, c.Name+".")
}

var (
	number = lazyregexp.New(`[0-9]+\.[0-9]+(\.[0-9]+)?`)
	series = lazyregexp.New(`^[0-9]+\.[0-9]+$`)
)

// Channels are where releases may be found that a version constraint admits, in the order of choice: the version or
// series that it names, else the newest, then the numbers in the constraint, of which X.Y is the newest of its series.
// A server has no signed list of all releases to choose from.
func Channels(constraint string) []Channel {
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "="))
	if v, err := semver.StrictNewVersion(text); err == nil {
		return []Channel{{Name: v.String()}}
	}
	if series.MatchString(text) {
		return []Channel{{Name: text}}
	}
	out := []Channel{{Name: Stable}}
	for _, n := range number.FindAllString(constraint, -1) {
		if parts := strings.SplitN(n, ".", 3); len(parts) == 3 {
			out = append(out, Channel{Name: parts[0] + "." + parts[1]})
		}
		out = append(out, Channel{Name: n})
	}
	return out
}

var released = lazyregexp.New(`^dist/([0-9]{4}-[0-9]{2}-[0-9]{2})/`)

// Released returns the date of the release that a file of a server belongs to, by its path.
func Released(file string) string {
	m := released.FindStringSubmatch(file)
	if m == nil {
		return ""
	}
	return m[1]
}
