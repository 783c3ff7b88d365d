package crates

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"golang.org/x/sync/errgroup"
)

// cratesIO is the source that Cargo.lock names for crates of the public registry, however cargo reaches it; its index
// by the sparse protocol is publicIndex (The Cargo Book, "Registry Index").
const (
	cratesIO    = "registry+https://github.com/rust-lang/crates.io-index"
	publicIndex = "https://index.crates.io/"
)

// A source is a table [source.NAME] of cargo's configuration (The Cargo Book, "Source Replacement").
type source struct {
	ReplaceWith string `toml:"replace-with"`
	Registry    string
	Directory   string
}

// Sources are where cargo, as it is configured, gets crates from.
type Sources struct {
	home    string // CARGO_HOME
	sources map[string]source
	indexes map[string]string // [registries.NAME] index
}

// ReadSources reads cargo's configuration for a directory: in it, in those above, and in CARGO_HOME, the nearest first
// (The Cargo Book, "Configuration").
func ReadSources(getenv func(string) string, dir string) (Sources, error) {
	s := Sources{home: getenv("CARGO_HOME"), sources: map[string]source{}, indexes: map[string]string{}}
	if s.home == "" && getenv("HOME") != "" {
		s.home = filepath.Join(getenv("HOME"), ".cargo")
	}
	var dirs []string
	for at := dir; ; at = filepath.Dir(at) {
		dirs = append(dirs, filepath.Join(at, ".cargo"))
		if at == filepath.Dir(at) {
			break
		}
	}
	if s.home != "" {
		dirs = append(dirs, s.home)
	}
	for _, at := range dirs {
		for _, name := range []string{"config", "config.toml"} { // where there are both, cargo reads the first
			var c struct {
				Source     map[string]source
				Registries map[string]struct{ Index string }
			}
			_, err := toml.DecodeFile(filepath.Join(at, name), &c)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return Sources{}, fmt.Errorf("%s: %w", filepath.Join(at, name), err)
			}
			for n, own := range c.Source {
				if own.Directory != "" && !filepath.IsAbs(own.Directory) {
					own.Directory = filepath.Join(filepath.Dir(at), own.Directory)
				}
				if _, ok := s.sources[n]; !ok {
					s.sources[n] = own
				}
			}
			for n, r := range c.Registries {
				if s.indexes[n] == "" {
					s.indexes[n] = r.Index
				}
			}
			break
		}
	}
	for n := range s.indexes {
		if v := getenv("CARGO_REGISTRIES_" + strings.ToUpper(strings.ReplaceAll(n, "-", "_")) + "_INDEX"); v != "" {
			s.indexes[n] = v
		}
	}
	return s, nil
}

// of returns where cargo gets a crate: a directory with one below it for each crate, or the base URL of an index by the
// sparse protocol. Both are empty where it is something else.
func (s Sources) of(c Crate) (directory, index string) {
	name := ""
	if c.Source == cratesIO {
		name, index = "crates-io", publicIndex
	} else {
		for n, own := range s.sources {
			if own.Registry != "" && strings.TrimPrefix(c.Source, "registry+") == own.Registry {
				name = n
			}
		}
		index = sparse(c.Source)
	}
	for seen := map[string]bool{}; name != "" && !seen[name]; {
		seen[name] = true
		own, ok := s.sources[name]
		switch {
		case !ok && s.indexes[name] != "":
			index = sparse(s.indexes[name])
		case own.Directory != "":
			return own.Directory, ""
		case own.Registry != "" && own.ReplaceWith == "":
			index = sparse(own.Registry)
		}
		name = own.ReplaceWith
	}
	return "", index
}

// sparse is the base URL of an index that is read by the sparse protocol, empty for another.
func sparse(index string) string {
	url, ok := strings.CutPrefix(index, "sparse+")
	if !ok {
		return ""
	}
	return strings.TrimRight(url, "/") + "/"
}

// indexPath is where the index has a crate (The Cargo Book, "Registry Index", "Index files").
func indexPath(name string) string {
	n := strings.ToLower(name)
	switch len(n) {
	case 0:
		return ""
	case 1:
		return "1/" + n
	case 2:
		return "2/" + n
	case 3:
		return "3/" + n[:1] + "/" + n
	}
	return n[:2] + "/" + n[2:4] + "/" + n
}

// Least returns the latest rust-version of crates, and those of which it is not known with the reason. What cargo has
// unpacked, or a vendored directory has, is read there; else get is asked for the crate's file of the registry's index.
// get is called several times at once.
func (s Sources) Least(ctx context.Context, crates []Crate,
	get func(ctx context.Context, url string) ([]byte, error)) (least Want, unknown map[Crate]error, err error) {
	var mu sync.Mutex
	unknown = map[Crate]error{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, c := range crates {
		g.Go(func() error {
			said, err := s.rustVersion(gctx, c, get)
			if gctx.Err() != nil {
				return gctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			switch w := (Want{Release: said, Crate: c.String()}); {
			case err != nil:
				unknown[c] = err
			case !release.MatchString(said):
			case said == least.Release && w.Crate < least.Crate: // the same whichever came first
				least = w
			default:
				least = least.Later(w)
			}
			return nil
		})
	}
	return least, unknown, g.Wait()
}

// rustVersion is what one crate says, empty where it says nothing.
func (s Sources) rustVersion(ctx context.Context, c Crate,
	get func(ctx context.Context, url string) ([]byte, error)) (string, error) {
	directory, index := s.of(c)
	var places []string
	switch {
	case directory != "":
		places = []string{filepath.Join(directory, c.Name+"-"+c.Version), filepath.Join(directory, c.Name)}
	case s.home != "":
		found, err := filepath.Glob(filepath.Join(s.home, "registry/src/*", c.Name+"-"+c.Version))
		if err != nil {
			return "", err
		}
		places = found
	}
	for _, p := range places {
		m, err := read(filepath.Join(p, "Cargo.toml"))
		if err != nil {
			return "", err
		}
		if m != nil && m.Package.Version == c.Version {
			said, _ := m.Package.RustVersion.(string)
			return said, nil
		}
	}
	switch {
	case directory != "":
		return "", fmt.Errorf("%s has it not", directory)
	case strings.HasPrefix(c.Source, "git+"):
		return "", errors.New("it comes from git")
	case index == "":
		return "", errors.New("its registry's index is not one of the sparse protocol")
	}
	data, err := get(ctx, index+indexPath(c.Name))
	if err != nil {
		return "", err
	}
	return indexed(data, c)
}

// indexed is what a file of the index says of a crate: it has one JSON object a line and release.
func indexed(data []byte, c Crate) (string, error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var e struct {
			Vers        string
			RustVersion string `json:"rust_version"`
		}
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return "", fmt.Errorf("the index's file of %s: %w", c.Name, err)
		}
		if e.Vers == c.Version {
			return e.RustVersion, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("the index's file of %s: %w", c.Name, err)
	}
	return "", fmt.Errorf("the index has no %s", c)
}
