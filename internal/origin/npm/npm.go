// Package npm reads what an npm registry says of a package and how the machine's npm client is configured to reach a
// registry. Documents go in, versions with their tarballs and hashes come out; it never uses the network.
package npm

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/lazyregexp"
)

// Public is the registry that is used where neither the caller, the project nor npm's own configuration names one: the
// mirror of the public registry that the yarn project runs.
const Public = "https://registry.yarnpkg.com"

// A Release is one version of a package.
type Release struct {
	Version *semver.Version
	Path    string // of the tarball, below the registry
	SHA512  []byte // of the tarball
}

// Path is where the document of a package lies below a registry.
func Path(name string) string { return strings.ReplaceAll(name, "/", "%2f") }

// packageName is what the registry admits (npm's validate-npm-package-name), scoped or not.
var packageName = lazyregexp.New(`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$`)

// ValidName tells whether a text can be the name of a package.
func ValidName(name string) bool { return len(name) <= 214 && packageName.MatchString(name) }

// ErrDocument is what a document that is none of a package fails with.
var ErrDocument = errors.New("not a package document of an npm registry")

// ParsePackument returns the releases that the document of a package lists, oldest first. Pre-releases, releases
// without a SHA-512 and those whose number is no semantic version are left out: nothing here would ever choose one.
func ParsePackument(name string, data []byte) ([]Release, error) {
	var doc struct {
		Name     string `json:"name"`
		Versions map[string]struct {
			Dist struct {
				Tarball   string `json:"tarball"`
				Integrity string `json:"integrity"`
			} `json:"dist"`
		} `json:"versions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if doc.Name != name || !ValidName(name) {
		return nil, fmt.Errorf("%w: it is of %q, want %q", ErrDocument, doc.Name, name)
	}
	var out []Release
	for number, v := range doc.Versions {
		version, err := semver.StrictNewVersion(number)
		if err != nil || version.Prerelease() != "" || version.Metadata() != "" {
			continue
		}
		sum, err := parseIntegrity(v.Dist.Integrity)
		if err != nil {
			continue
		}
		if v.Dist.Tarball == "" {
			return nil, fmt.Errorf("%w: version %s has no tarball", ErrDocument, number)
		}
		file, err := tarballPath(name, number, v.Dist.Tarball)
		if err != nil {
			return nil, fmt.Errorf("version %s of %s: %w", number, name, err)
		}
		out = append(out, Release{Version: version, Path: file, SHA512: sum})
	}
	slices.SortFunc(out, func(a, b Release) int { return a.Version.Compare(b.Version) })
	return out, nil
}

// tarballPath is the path of a tarball below any registry. Registries and their mirrors all serve name/-/file.tgz,
// whichever host the document names; a lock then holds no host.
func tarballPath(name, version, tarball string) (string, error) {
	u, err := url.Parse(tarball)
	if err != nil {
		return "", fmt.Errorf("%w: tarball %q is no URL", ErrDocument, tarball)
	}
	want := name + "/-/" + path.Base(name) + "-" + version + ".tgz"
	if !strings.HasSuffix(u.Path, "/"+want) {
		return "", fmt.Errorf("%w: tarball %q does not end in %s", ErrDocument, tarball, want)
	}
	return want, nil
}

// parseIntegrity returns the SHA-512 of a Subresource Integrity text (w3.org/TR/SRI), which may hold several hashes.
func parseIntegrity(text string) ([]byte, error) {
	for _, word := range strings.Fields(text) {
		b64, ok := strings.CutPrefix(word, "sha512-")
		if !ok {
			continue
		}
		b64, _, _ = strings.Cut(b64, "?")
		sum, err := base64.StdEncoding.DecodeString(b64)
		if err != nil || len(sum) != sha512.Size {
			return nil, fmt.Errorf("integrity %q: not a SHA-512", word)
		}
		return sum, nil
	}
	return nil, fmt.Errorf("integrity %q: no sha512", text)
}

// ErrMismatch is what a tarball that is not the one of the document fails with.
var ErrMismatch = errors.New("tarball is not what the registry's document says")

// Hash is what a tarball is checked with: Check after everything was written to it.
type Hash struct {
	hash.Hash
	want []byte
}

// Hash returns the check of the release's tarball.
func (r Release) Hash() Hash { return Hash{sha512.New(), r.SHA512} }

// Check compares what was written with the document.
func (h Hash) Check() error {
	if got := h.Sum(nil); !slices.Equal(got, h.want) {
		return fmt.Errorf("%w: sha512 is %s, want %s", ErrMismatch, hex.EncodeToString(got), hex.EncodeToString(h.want))
	}
	return nil
}

var _ io.Writer = Hash{}

// Newest returns the newest release that satisfies every constraint; an empty constraint is satisfied by all.
func Newest(releases []Release, constraints ...string) (Release, bool, error) {
	var cs []*semver.Constraints
	for _, text := range constraints {
		if text == "" {
			continue
		}
		c, err := semver.NewConstraint(text)
		if err != nil {
			return Release{}, false, fmt.Errorf("constraint %q: %w", text, err)
		}
		cs = append(cs, c)
	}
	for _, r := range slices.Backward(releases) {
		if !slices.ContainsFunc(cs, func(c *semver.Constraints) bool { return !c.Check(r.Version) }) {
			return r, true, nil
		}
	}
	return Release{}, false, nil
}
