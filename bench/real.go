package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"xbuild/internal/archive"
)

// A real is somebody's project, and how it is built by hand: a script that is run in a copy of the source for each
// platform in turn, with what `xbuild env` prints for that platform, but for the answers to configure's questions.
type real struct {
	name, kind string
	source     string // a source package of Debian; "" for a crate of crates.io
	crate      string // NAME/VERSION
	target     string // of xbuild.toml
	byHand     string
	goal       string
}

var reals = []real{
	{name: "Lua", kind: "make", source: "lua5.4", goal: "0.9",
		target: "recipe = \"make\"\ntargets = [\"linux\"]\noutputs = [\"src/lua\", \"src/luac\", \"src/liblua.a\"]\nstatic = true\nvars = { MYLDFLAGS = \"-static\" }\n",
		byHand: `make -s -j$JOBS linux CC="$CC" AR="$AR rcu" RANLIB="$RANLIB" MYLDFLAGS=-static`},
	{name: "GNU Hello", kind: "autotools", source: "hello", goal: "0.45",
		target: "recipe = \"autotools\"\noptions = [\"--disable-nls\"]\ninstall = true\n",
		byHand: `./configure --host=$XBUILD_TRIPLET --disable-nls --prefix=/usr && make -s -j$JOBS && make -s install DESTDIR=$PWD/out`},
	{name: "JsonCpp", kind: "CMake with C++", source: "libjsoncpp", goal: "0.9",
		target: "recipe = \"cmake\"\noutputs = [\"bin/jsoncpp_test\"]\ndefines = { JSONCPP_WITH_POST_BUILD_UNITTEST = \"OFF\" }\nstatic = true\n",
		byHand: `cmake -G Ninja -S . -B b -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_EXE_LINKER_FLAGS=-static -DJSONCPP_WITH_POST_BUILD_UNITTEST=OFF && cmake --build b -j$JOBS`},
	{name: "hexyl", kind: "cargo", crate: "hexyl/0.16.0", goal: "0.9",
		target: "recipe = \"rust\"\nlocked = true\n",
		byHand: `cargo build --release --locked -j$JOBS`},
}

// real builds each project for eight platforms, in full, beside the same by hand, a platform after the other.
func (b *bench) real() ([]row, error) {
	var rows []row
	for _, p := range reals {
		fmt.Fprintf(os.Stderr, "bench: %s\n", p.name)
		dir := filepath.Join(b.work, "real", strings.ReplaceAll(p.name, " ", "-"))
		fetch := func() error { return b.fromDebian(p.source, dir) }
		if p.crate != "" {
			fetch = func() error { return b.fromCrates(p.crate, dir) }
		}
		if _, err := os.Stat(dir); err != nil {
			if err := fetch(); err != nil {
				return rows, fmt.Errorf("%s: %w", p.name, errors.Join(err, os.RemoveAll(dir)))
			}
		}
		toml := "[project]\nname = \"real\"\nplatforms = " + eightInTOML + "\n\n[target.real]\n" + p.target
		if err := os.WriteFile(filepath.Join(dir, "xbuild.toml"), []byte(toml), 0o644); err != nil {
			return rows, err
		}
		r, err := b.beside(p.name+" ("+p.kind+"), 8 platforms, full; by hand: the same compilers, platform after platform, -j all cores", p.goal, dir, p.byHand)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", p.name, err)
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// unbuilt removes what xbuild build left in a project.
func unbuilt(dir string) error {
	return errors.Join(os.RemoveAll(filepath.Join(dir, "dist")), os.RemoveAll(filepath.Join(dir, ".xbuild")))
}

// beside measures a project for eight platforms.
func (b *bench) beside(what, goal, dir, byHand string) ([]row, error) {
	if _, err := b.time(dir, nil, b.xbuild, "fetch"); err != nil {
		return nil, err
	}
	if err := b.environments(dir); err != nil {
		return nil, err
	}
	ours := func() (cost, error) {
		if err := unbuilt(dir); err != nil {
			return cost{}, err
		}
		return b.time(dir, nil, b.xbuild, "build", "--no-cache")
	}
	hand := dir + "-by-hand"
	script := "set -eu\n" +
		"JOBS=" + fmt.Sprint(runtime.NumCPU()) + "\n" +
		"for env in " + filepath.Join(dir, "../env") + "/*; do (\n" +
		". $env\n" +
		"unset CONFIG_SITE\n" +
		"cd " + hand + "/${env##*/}\n" +
		byHand + "\n" +
		") done\n"
	theirs := func() (cost, error) {
		if err := os.RemoveAll(hand); err != nil {
			return cost{}, err
		}
		for _, p := range eight() {
			copy := filepath.Join(hand, strings.ReplaceAll(p, "/", "-"))
			if err := os.MkdirAll(hand, 0o755); err != nil {
				return cost{}, err
			}
			if _, err := b.time(dir, nil, "cp", "-a", dir, copy); err != nil {
				return cost{}, err
			}
			if err := unbuilt(copy); err != nil {
				return cost{}, err
			}
		}
		return b.time(dir, nil, "/bin/sh", "-c", script)
	}
	a, h, err := pairs(0, b.rounds, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []row{
		{what + "; wall clock", seconds(median(a, wall)), seconds(median(h, wall)), ratio(a, h, wall), goal},
		{"the same, user + system", seconds(median(a, cpu)), seconds(median(h, cpu)), ratio(a, h, cpu), ""},
	}, nil
}

func eight() []string {
	var names []string
	if err := json.Unmarshal([]byte(eightInTOML), &names); err != nil {
		panic(err) // what is a list in TOML is one in JSON here
	}
	return names
}

// environments writes what `xbuild env` prints for each platform beside the project.
func (b *bench) environments(dir string) error {
	env := filepath.Join(dir, "../env")
	if err := errors.Join(os.RemoveAll(env), os.MkdirAll(env, 0o755)); err != nil {
		return err
	}
	for _, p := range eight() {
		cmd := exec.CommandContext(b.ctx, b.xbuild, "env", "-p", p)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("xbuild env -p %s: %w", p, err)
		}
		if err := os.WriteFile(filepath.Join(env, strings.ReplaceAll(p, "/", "-")), out, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cargo is a project whose dependencies are mostly for the host (proc macros, what they stand on, build scripts),
// beside one cargo that is asked for all platforms.
func (b *bench) cargo() ([]row, error) {
	dir := filepath.Join(b.work, "cargo", "macros")
	if _, err := os.Stat(filepath.Join(dir, "Cargo.lock")); err != nil {
		_, err := b.write("cargo/macros", map[string]string{
			"xbuild.toml": "[project]\nname = \"macros\"\nplatforms = " + eightInTOML +
				"\n\n[target.macros]\nrecipe = \"rust\"\n",
			"Cargo.toml": "[package]\nname = \"macros\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n" +
				"serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\nthiserror = \"2\"\nstrum = { version = \"0.26\", features = [\"derive\"] }\n",
			"build.rs":    "fn main() { println!(\"cargo::rustc-env=MADE=by a build script\"); }\n",
			"src/main.rs": macros,
		})
		if err != nil {
			return nil, err
		}
		if _, err := b.time(dir, nil, "cargo", "generate-lockfile"); err != nil {
			return nil, err
		}
	}
	// One rustc with the standard libraries of all platforms, as rustup would have it; each platform has its own linker.
	const byHand = `set -eu
targets=
for env in ../env/*; do
	before=$(export -p | grep -o '^export CARGO_TARGET_[A-Z0-9_]*_LINKER' | sort || :)
	host= ; unset CARGO_BUILD_TARGET || :
	. $env
	targets="$targets --target $CARGO_BUILD_TARGET"
	root=$(dirname $(dirname $RUSTC))
	if ! [ -d ../rust ]; then cp -aL $root ../rust; fi
	for std in $root/lib/rustlib/*; do [ -e ../rust/lib/rustlib/${std##*/} ] || cp -aL $std ../rust/lib/rustlib/; done
done
`
	if _, err := b.time(dir, nil, b.xbuild, "fetch"); err != nil {
		return nil, err
	}
	if err := b.environments(dir); err != nil {
		return nil, err
	}
	if _, err := b.time(dir, nil, "/bin/sh", "-c", byHand); err != nil {
		return nil, err
	}
	ours := func() (cost, error) {
		if err := unbuilt(dir); err != nil {
			return cost{}, err
		}
		return b.time(dir, nil, b.xbuild, "build", "--no-cache")
	}
	theirs := func() (cost, error) {
		if err := os.RemoveAll(filepath.Join(dir, "target")); err != nil {
			return cost{}, err
		}
		script := byHand + "unset CARGO_BUILD_TARGET\nexport RUSTC=$PWD/../rust/bin/rustc\ncargo build --release --locked -j" + fmt.Sprint(runtime.NumCPU()) + " $targets\n"
		return b.time(dir, nil, "/bin/sh", "-c", script)
	}
	a, h, err := pairs(0, b.rounds, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []row{
		{"a cargo project with proc macros and build scripts, 8 platforms; by hand: one `cargo build --target A --target B …`; wall clock", seconds(median(a, wall)), seconds(median(h, wall)), ratio(a, h, wall), "1.0"},
		{"the same, user + system", seconds(median(a, cpu)), seconds(median(h, cpu)), ratio(a, h, cpu), ""},
	}, nil
}

const macros = `use serde::{Deserialize, Serialize};
use strum::Display;

#[derive(Serialize, Deserialize, Display, Debug)]
enum Kind { One, Two }

#[derive(Serialize, Deserialize, Debug)]
struct Item { kind: Kind, text: String }

#[derive(thiserror::Error, Debug)]
enum Fault {
    #[error("no item: {0}")]
    Json(#[from] serde_json::Error),
}

fn main() -> Result<(), Fault> {
    let item: Item = serde_json::from_str(r#"{"kind":"One","text":"x"}"#)?;
    println!("{} {} {}", item.kind, serde_json::to_string(&item)?, env!("MADE"));
    Ok(())
}
`

var tarball = regexp.MustCompile(`\.orig\.tar\.[a-z0-9]+$`)

// fromDebian fetches and unpacks the upstream source of a source package of Debian trixie.
func (b *bench) fromDebian(name, dir string) error {
	mirror := mirror()
	index := filepath.Join(b.work, "Sources.xz")
	if _, err := os.Stat(index); err != nil {
		url := mirror + "/dists/trixie/main/source/Sources.xz"
		if _, err := b.time(b.work, nil, "curl", "-fsSL", "-o", index, url); err != nil {
			return err
		}
	}
	sources, err := archive.ReadSources(b.ctx, index)
	if err != nil {
		return err
	}
	found, err := sources.Lookup(name)
	if err != nil {
		return err
	}
	for _, f := range found[0].Files {
		if !tarball.MatchString(f.Name) || strings.Contains(f.Name, ".orig-") {
			continue
		}
		return b.unpack(mirror+"/"+found[0].Directory+"/"+f.Name, f.SHA256, dir)
	}
	return fmt.Errorf("source package %s has no .orig.tar", name)
}

// fromCrates does so with a crate, by cargo, which asks the registry that it is configured with and checks the sum.
func (b *bench) fromCrates(crate, dir string) error {
	name, version, _ := strings.Cut(crate, "/")
	asks, err := b.write("real/asks", map[string]string{
		"Cargo.toml": "[package]\nname = \"asks\"\nversion = \"0.1.0\"\n\n[dependencies]\n" + name + " = \"=" + version + "\"\n",
		"src/lib.rs": "",
	})
	if err != nil {
		return err
	}
	if _, err := b.time(asks, nil, "cargo", "vendor", "-q"); err != nil {
		return err
	}
	return os.Rename(filepath.Join(asks, "vendor", name), dir)
}

// unpack fetches a tarball, holds it against its sha256, and unpacks what lies below its one directory.
func (b *bench) unpack(url, sha256, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := b.time(dir, nil, "/bin/sh", "-c", fmt.Sprintf("curl -fsSL -o ../tarball '%s' && echo '%s  ../tarball' | sha256sum -c && tar xf ../tarball --strip-components=1", url, sha256))
	return err
}
