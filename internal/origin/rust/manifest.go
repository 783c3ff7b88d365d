// Package rust reads the official distribution of Rust: names of channels, and the channel manifests that say which
// component is which file. Text comes in, components with their SHA-256 go out; it never uses the network and unpacks
// nothing.
//
// The chain of trust is Keyring -> Verify (signature of a manifest) -> Manifest.Component (hash of a component). The
// format is version 2 of rustup's manifests (rust-lang/rustup, src/dist/manifest.rs; The rustup book, "Channels").
package rust

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/ProtonMail/go-crypto/openpgp"

	"xbuild/internal/archive"
	"xbuild/internal/lazyregexp"
)

// Server is where the distribution is served (rustup's RUSTUP_DIST_SERVER names another). Manifests name their files by
// it, whatever server they are read from: rustup and this package put the mirror's URL in its place.
const Server = "https://static.rust-lang.org"

// key.asc is the Rust Language (Tag and Release Signing Key) as Debian's source package rustc has it,
// debian/upstream/signing-key.asc, byte for byte:
//
//	108F66205EAEB0AAA8DD5E1C85AB96E6FA1BE5FE
//
//go:embed key.asc
var key []byte

// Keyring is the key that xbuild trusts to sign a channel manifest.
func Keyring() (openpgp.EntityList, error) {
	return archive.ReadKeyring(key)
}

// Verify says whether a manifest is what a trusted key signed. Name is for the error.
func Verify(keys openpgp.EntityList, name string, manifest, signature []byte) error {
	return archive.VerifyDetached(keys, name, manifest, signature)
}

var (
	// ErrManifest is what a text that is no channel manifest fails with.
	ErrManifest = errors.New("not a channel manifest of Rust")
	// ErrNoComponent says that a manifest has no component of that name.
	ErrNoComponent = errors.New("no such component")
	// ErrNoTarget says that a component is not there for a target.
	ErrNoTarget = errors.New("the component is not there for the target")
)

// A Manifest is the content of a release: which components there are, and their files.
type Manifest struct {
	Date     string // 2026-04-16, of the release
	Version  string // of rustc: 1.95.0, 1.97.0-nightly
	packages map[string]pkg
	renames  map[string]string
}

// A Component is one file of a release.
type Component struct {
	Name, Version string
	Target        string // "*" where it is the same for all
	Path          string // relative to the server
	SHA256        string
}

type document struct {
	Format   string         `toml:"manifest-version"`
	Date     string         `toml:"date"`
	Packages map[string]pkg `toml:"pkg"`
	Renames  map[string]struct {
		To string `toml:"to"`
	} `toml:"renames"`
}

type pkg struct {
	Version string            `toml:"version"`
	Targets map[string]target `toml:"target"`
}

type target struct {
	Available bool   `toml:"available"`
	URL       string `toml:"url"` // .tar.gz
	Hash      string `toml:"hash"`
	XZURL     string `toml:"xz_url"` // .tar.xz, which all releases since 2017 have
	XZHash    string `toml:"xz_hash"`
}

// MaxManifest bounds a manifest; that of 1.95.0 has 0.98 MB.
const MaxManifest = 32 << 20

var (
	day    = lazyregexp.New(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	sha256 = lazyregexp.New(`^[0-9a-f]{64}$`)
	word   = lazyregexp.New(`^[0-9A-Za-z][0-9A-Za-z._+-]*$`)
)

// Parse reads a manifest whose signature is known to be good. What this package does not use may be anything.
func Parse(data []byte) (*Manifest, error) {
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("%w: %d bytes is too long (at most %d)", ErrManifest, len(data), MaxManifest)
	}
	var d document
	if err := toml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if d.Format != "2" {
		return nil, fmt.Errorf("%w of version 2: its manifest-version is %q", ErrManifest, d.Format)
	}
	if !day.MatchString(d.Date) {
		return nil, fmt.Errorf("%w: its date is %q", ErrManifest, d.Date)
	}
	m := &Manifest{Date: d.Date, packages: d.Packages, renames: map[string]string{}}
	for old, r := range d.Renames {
		m.renames[old] = r.To
	}
	m.Version = short(d.Packages["rustc"].Version)
	if !word.MatchString(m.Version) {
		return nil, fmt.Errorf("%w: the version of rustc is %q", ErrManifest, d.Packages["rustc"].Version)
	}
	return m, nil
}

// short is a version without the commit and its date: "1.95.0 (59807616e 2026-04-14)".
func short(version string) string {
	v, _, _ := strings.Cut(version, " ")
	return v
}

// Component finds the file of a component for a target. A component's former name leads to its new one.
func (m *Manifest) Component(name, triple string) (Component, error) {
	p, ok := m.packages[name]
	if to := m.renames[name]; !ok && to != "" {
		name = to
		p, ok = m.packages[name]
	}
	if !ok {
		return Component{}, fmt.Errorf("%w %q in Rust %s of %s", ErrNoComponent, name, m.Version, m.Date)
	}
	t, ok := p.Targets[triple]
	if !ok {
		if t, ok = p.Targets["*"]; ok {
			triple = "*"
		}
	}
	if !ok || !t.Available {
		return Component{}, fmt.Errorf("%w: %s of Rust %s of %s for %s", ErrNoTarget, name, m.Version, m.Date, triple)
	}
	url, hash := t.XZURL, t.XZHash
	if url == "" {
		url, hash = t.URL, t.Hash
	}
	at, ok := strings.CutPrefix(url, Server+"/")
	if !ok || at != path.Clean(at) || strings.HasPrefix(at, "../") || strings.HasPrefix(at, "/") ||
		strings.ContainsAny(at, "?#%\\") {
		return Component{}, fmt.Errorf("%w: %s for %s lies at %q, which is no file of %s", ErrManifest, name,
			triple, url, Server)
	}
	if !sha256.MatchString(hash) {
		return Component{}, fmt.Errorf("%w: %s for %s has the sha256 %q", ErrManifest, name, triple, hash)
	}
	c := Component{Name: name, Version: short(p.Version), Target: triple, Path: at, SHA256: hash}
	if !word.MatchString(c.Version) {
		// Components that are made from another repository may have no version of their own, as rust-src has none in
		// old releases.
		c.Version = m.Version
	}
	return c, nil
}

// Targets are those that a component is there for, sorted.
func (m *Manifest) Targets(name string) []string {
	var out []string
	for _, triple := range slices.Sorted(maps.Keys(m.packages[name].Targets)) {
		if m.packages[name].Targets[triple].Available {
			out = append(out, triple)
		}
	}
	return out
}
