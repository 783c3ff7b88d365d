package crates

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// write makes a directory of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const pkg = "[package]\nname = \"p\"\nversion = \"0.1.0\"\n"

func TestWorkspace(t *testing.T) {
	for _, c := range []struct {
		name, dir string
		files     map[string]string
		want      Want
	}{
		{"a package", "", map[string]string{"Cargo.toml": pkg + "rust-version = \"1.87\"\n"}, Want{Release: "1.87", File: "Cargo.toml", Line: 4}},
		{"three numbers", "", map[string]string{"Cargo.toml": "package.name = \"p\"\npackage.rust-version = '1.70.0'\n"}, Want{Release: "1.70.0", File: "Cargo.toml", Line: 2}},
		{"an inline table", "", map[string]string{"Cargo.toml": "package = { name = \"p\", rust-version = \"1.70\" }\n"}, Want{Release: "1.70", File: "Cargo.toml", Line: 1}},
		{"none", "", map[string]string{"Cargo.toml": pkg}, Want{}},
		{"no Rust", "", map[string]string{"main.c": ""}, Want{}},
		{"no TOML", "", map[string]string{"Cargo.toml": "[package\n"}, Want{}},
		{"no release", "", map[string]string{"Cargo.toml": pkg + "rust-version = \"nightly\"\n"}, Want{}},
		{"the workspace's", "", map[string]string{"Cargo.toml": "[workspace]\nmembers = [\"a\"]\n[workspace.package]\nrust-version = \"1.88\"\n", "a/Cargo.toml": "[package]\nname = \"a\"\nrust-version.workspace = true\nversion.workspace = true\n"},
			Want{Release: "1.88", File: "Cargo.toml", Line: 4}},
		{"a member wants the most", "", map[string]string{"Cargo.toml": "[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nrust-version = \"1.80\"\n",
			"crates/a/Cargo.toml": pkg + "rust-version.workspace = true\n", "crates/b/Cargo.toml": pkg + "rust-version = \"1.90\"\n", "crates/README.md": ""}, Want{Release: "1.90", File: "crates/b/Cargo.toml", Line: 4}},
		{"1.9 is before 1.10", "", map[string]string{"Cargo.toml": "[workspace]\nmembers = [\"a\", \"b\"]\n", "a/Cargo.toml": pkg + "rust-version = \"1.9\"\n", "b/Cargo.toml": pkg + "rust-version = \"1.10\"\n"},
			Want{Release: "1.10", File: "b/Cargo.toml", Line: 4}},
		{"from a member", "a", map[string]string{"Cargo.toml": "[workspace]\nmembers = [\"a\"]\n[workspace.package]\nrust-version = \"1.88\"\n", "a/Cargo.toml": pkg}, Want{Release: "1.88", File: "Cargo.toml", Line: 4}},
		{"from below a package", "src/bin", map[string]string{"Cargo.toml": pkg + "rust-version = \"1.87\"\n", "src/bin/x.rs": ""}, Want{Release: "1.87", File: "Cargo.toml", Line: 4}},
		{"an excluded package is its own", "fuzz", map[string]string{"Cargo.toml": pkg + "rust-version = \"1.95\"\n[workspace]\nexclude = [\"fuzz\"]\n", "fuzz/Cargo.toml": pkg + "rust-version = \"1.81\"\n"},
			Want{Release: "1.81", File: "fuzz/Cargo.toml", Line: 4}},
		{"an excluded member", "", map[string]string{"Cargo.toml": "[workspace]\nmembers = [\"c/*\"]\nexclude = [\"c/x\"]\n", "c/x/Cargo.toml": pkg + "rust-version = \"1.95\"\n", "c/y/Cargo.toml": pkg + "rust-version = \"1.81\"\n"},
			Want{Release: "1.81", File: "c/y/Cargo.toml", Line: 4}},
		{"a package that names its workspace", "a", map[string]string{"w/Cargo.toml": "[workspace]\n[workspace.package]\nrust-version = \"1.83\"\n", "a/Cargo.toml": pkg + "workspace = \"../w\"\n"},
			Want{Release: "1.83", File: "w/Cargo.toml", Line: 3}},
		{"by path, of a platform alone, in a circle", "", map[string]string{"Cargo.toml": pkg + "rust-version = \"1.60\"\n[target.'cfg(windows)'.build-dependencies]\nq = { path = \"q\" }\n",
			"q/Cargo.toml": pkg + "rust-version = \"1.71\"\n[dependencies]\np = { path = \"..\" }\n"}, Want{Release: "1.71", File: "q/Cargo.toml", Line: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, c.files)
			got, err := Workspace(filepath.Join(dir, c.dir))
			if c.want.File != "" {
				c.want.File = filepath.Join(dir, c.want.File)
			}
			if err != nil || got != c.want {
				t.Errorf("%+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

const lockfile = `version = 4

[[package]]
name = "p"
version = "0.1.0"

[[package]]
name = "serde"
version = "1.0.228"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "00"

[[package]]
name = "a"
version = "2.0.0+build"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "own"
version = "0.3.0"
source = "sparse+https://crates.example.org/index/"

[[package]]
name = "forked"
version = "0.1.0"
source = "git+https://git.example.org/forked?branch=main#0123456789"
`

// TestLeast: what crates want is read where cargo unpacked them, in a vendored directory, or in the index that cargo is
// configured with.
func TestLeast(t *testing.T) {
	index := map[string]string{
		"https://index.crates.io/se/rd/serde":           `{"name":"serde","vers":"1.0.227","rust_version":"1.99"}` + "\n" + `{"name":"serde","vers":"1.0.228","rust_version":"1.56"}` + "\n",
		"https://index.crates.io/1/a":                   `{"name":"a","vers":"2.0.0+build","rust_version":"1.87"}`,
		"https://crates.example.org/index/3/o/own":      `{"name":"own","vers":"0.3.0","rust_version":null}`,
		"https://mirror.example.org/crates/se/rd/serde": `{"name":"serde","vers":"1.0.228","rust_version":"1.61"}`,
		"https://mirror.example.org/crates/1/a":         `{"name":"a","vers":"1.0.0","rust_version":"1.99"}`,
	}
	mirrored := "[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"sparse+https://mirror.example.org/crates/\"\n"
	for _, c := range []struct {
		name    string
		files   map[string]string
		env     map[string]string
		want    Want
		asked   int
		unknown map[string]string // crate -> a part of the reason
	}{
		{"the public index", nil, nil, Want{Release: "1.87", Crate: "a 2.0.0+build"}, 3, map[string]string{"forked 0.1.0": "git"}},
		{"what cargo unpacked is not asked for", map[string]string{"home/registry/src/index-0/serde-1.0.228/Cargo.toml": "[package]\nname = \"serde\"\nversion = \"1.0.228\"\nrust-version = \"1.91\"\n",
			"home/registry/src/index-0/own-0.3.0/Cargo.toml": "[package]\nname = \"own\"\nversion = \"0.3.0\"\n"}, nil, Want{Release: "1.91", Crate: "serde 1.0.228"}, 1, map[string]string{"forked 0.1.0": "git"}},
		{"a mirror", map[string]string{"w/.cargo/config.toml": mirrored}, nil, Want{Release: "1.61", Crate: "serde 1.0.228"}, 3,
			map[string]string{"forked 0.1.0": "git", "a 2.0.0+build": "the index has no a 2.0.0+build"}},
		{"a mirror of the user's", map[string]string{"home/config.toml": mirrored}, nil, Want{Release: "1.61", Crate: "serde 1.0.228"}, 3,
			map[string]string{"forked 0.1.0": "git", "a 2.0.0+build": "the index has no a 2.0.0+build"}},
		{"the project's configuration is before the user's", map[string]string{"home/config.toml": mirrored, "w/.cargo/config.toml": "[source.mirror]\nregistry = \"sparse+https://index.crates.io/\"\n"}, nil,
			Want{Release: "1.87", Crate: "a 2.0.0+build"}, 3, map[string]string{"forked 0.1.0": "git"}},
		{"a registry by its name", map[string]string{"w/.cargo/config.toml": "[source.crates-io]\nreplace-with = \"mirror\"\n[registries.mirror]\nindex = \"sparse+https://nowhere.example.org/\"\n"},
			map[string]string{"CARGO_REGISTRIES_MIRROR_INDEX": "sparse+https://mirror.example.org/crates/"}, Want{Release: "1.61", Crate: "serde 1.0.228"}, 3,
			map[string]string{"forked 0.1.0": "git", "a 2.0.0+build": "no a 2.0.0"}},
		{"vendored", map[string]string{".cargo/config.toml": "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"w/vendor\"\n",
			"w/vendor/serde/Cargo.toml": "[package]\nversion = \"1.0.228\"\nrust-version = \"1.93\"\n", "w/vendor/a-2.0.0+build/Cargo.toml": "[package]\nversion = \"2.0.0+build\"\n"}, nil,
			Want{Release: "1.93", Crate: "serde 1.0.228"}, 1, map[string]string{"forked 0.1.0": "git"}},
		{"an index of git", map[string]string{"w/.cargo/config": "[source.crates-io]\nreplace-with = \"g\"\n[source.g]\nregistry = \"https://git.example.org/index\"\n"}, nil, Want{}, 1,
			map[string]string{"forked 0.1.0": "git", "serde 1.0.228": "sparse", "a 2.0.0+build": "sparse"}},
		{"a circle", map[string]string{"w/.cargo/config.toml": "[source.crates-io]\nreplace-with = \"g\"\n[source.g]\nreplace-with = \"crates-io\"\n"}, nil, Want{Release: "1.87", Crate: "a 2.0.0+build"}, 3, map[string]string{"forked 0.1.0": "git"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"w/Cargo.toml": pkg, "w/Cargo.lock": lockfile}
			maps.Copy(files, c.files)
			dir := write(t, files)
			locked, there, err := Locked(filepath.Join(dir, "w"))
			if err != nil || !there || len(locked) != 4 {
				t.Fatalf("%v, %v, %v", locked, there, err)
			}
			s, err := ReadSources(func(name string) string {
				if name == "CARGO_HOME" {
					return filepath.Join(dir, "home")
				}
				return c.env[name]
			}, filepath.Join(dir, "w"))
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var asked []string
			got, unknown, err := s.Least(t.Context(), locked, func(_ context.Context, url string) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, url)
				if text, ok := index[url]; ok {
					return []byte(text), nil
				}
				return nil, errors.New(url + " is not there")
			})
			if err != nil || got != c.want || len(asked) != c.asked {
				t.Errorf("%+v, %v, asked for %q\nwant %+v and %d", got, err, asked, c.want, c.asked)
			}
			var names []string
			for crate, err := range unknown {
				names = append(names, crate.String())
				if want := c.unknown[crate.String()]; want == "" || !strings.Contains(err.Error(), want) {
					t.Errorf("%s is not known: %v, want %q", crate, err, want)
				}
			}
			if len(names) != len(c.unknown) {
				t.Errorf("not known: %q, want %q", names, slices.Sorted(maps.Keys(c.unknown)))
			}
		})
	}
}

func TestLocked(t *testing.T) {
	if _, there, err := Locked(write(t, map[string]string{"Cargo.toml": pkg})); there || err != nil {
		t.Errorf("no Cargo.lock: %v, %v", there, err)
	}
	if _, there, err := Locked(write(t, map[string]string{"Cargo.toml": pkg, "Cargo.lock": "[[package"})); there || err == nil || !strings.Contains(err.Error(), "Cargo.lock: ") {
		t.Errorf("a damaged Cargo.lock: %v, %v", there, err)
	}
}
