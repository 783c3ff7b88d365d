package archive

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoIndex is what asking for an index that a Release does not name fails with.
var ErrNoIndex = errors.New("no such index")

// A Release is the root of a suite: the signed list of its indexes.
type Release struct {
	Origin, Suite, Codename, Version string
	Date, ValidUntil                 time.Time // ValidUntil is zero where the suite does not end
	Architectures, Components        []string
	ByHash                           bool                // the server has by-hash names
	Files                            map[string]FileHash // by path relative to the Release
}

// ParseRelease reads the text that VerifyInRelease returned.
func ParseRelease(data []byte) (*Release, error) {
	r := &Release{Files: map[string]FileHash{}}
	inHashes := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if !inHashes {
				continue
			}
			f := strings.Fields(line)
			if len(f) != 3 {
				return nil, fmt.Errorf("Release: checksum line %q wants three words", line)
			}
			size, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || size < 0 || !validSHA256(f[0]) {
				return nil, fmt.Errorf("Release: checksum line %q is malformed", line)
			}
			if path.Clean("/" + f[2])[1:] != f[2] {
				return nil, fmt.Errorf("Release: path %q climbs out of the suite", f[2])
			}
			r.Files[f[2]] = FileHash{SHA256: f[0], Size: size}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("Release: line %q is not a field", line)
		}
		value = strings.TrimSpace(value)
		inHashes = false
		var err error
		switch key {
		case "Origin":
			r.Origin = value
		case "Suite":
			r.Suite = value
		case "Codename":
			r.Codename = value
		case "Version":
			r.Version = value
		case "Date":
			r.Date, err = parseDate(value)
		case "Valid-Until":
			r.ValidUntil, err = parseDate(value)
		case "Architectures":
			r.Architectures = strings.Fields(value)
		case "Components":
			r.Components = strings.Fields(value)
		case "Acquire-By-Hash":
			r.ByHash = value == "yes"
		case "SHA256":
			inHashes = true
		}
		if err != nil {
			return nil, fmt.Errorf("Release: %s: %w", key, err)
		}
	}
	if r.Codename == "" && r.Suite == "" {
		return nil, errors.New("Release: neither Suite nor Codename is there")
	}
	if len(r.Files) == 0 {
		return nil, errors.New("Release: it lists no SHA256 checksums")
	}
	return r, nil
}

func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC1123, time.RFC1123Z,
		"Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date", s)
}

// Index finds the list of binary packages of an architecture. Both paths are
// relative to the directory of the Release (dists/<suite>), whatever name that
// suite was fetched by. Fetch byHash: the plain name may already, or still,
// hold another file.
func (r *Release) Index(component, arch string) (plain, byHash string, hash FileHash, err error) {
	plain, byHash, hash, err = r.index(component + "/binary-" + arch + "/Packages")
	if err != nil && len(r.Architectures) > 0 && !slices.Contains(r.Architectures, arch) {
		err = fmt.Errorf("%s has no architecture %q (%w; it has %s)",
			r.name(), arch, ErrNoIndex, strings.Join(r.Architectures, ", "))
	}
	return plain, byHash, hash, err
}

// SourceIndex is Index for the list of source packages.
func (r *Release) SourceIndex(component string) (plain, byHash string, hash FileHash, err error) {
	return r.index(component + "/source/Sources")
}

func (r *Release) index(name string) (plain, byHash string, hash FileHash, err error) {
	for _, ext := range []string{".gz", ".xz", ""} { // gzip is a third longer, and read in a third of the time
		if h, ok := r.Files[name+ext]; ok {
			return name + ext, path.Dir(name) + "/by-hash/SHA256/" + h.SHA256, h, nil
		}
	}
	return "", "", FileHash{}, fmt.Errorf("%s lists no %s: %w", r.name(), name, ErrNoIndex)
}

func (r *Release) name() string {
	if r.Codename == "" {
		return r.Suite
	}
	return r.Codename
}
