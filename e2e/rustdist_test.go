package e2e

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/archive"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin/debian"
	"xbuild/internal/origin/rust/rustdisttest"
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
	"xbuild/internal/store"
)

// TestRustDistribution builds with a toolchain of Rust's official distribution as a server of the test has it: the
// archive's own rustc, cargo and standard libraries, packed into components as the Rust project packs them, and named
// by a channel manifest. Its key is the test's, which the program xbuild does not take: it is the test program of
// cmd/xbuild that runs here, in which a test may say what key is trusted. The public server is not asked. The archive's
// 1.97 wants a newer libc than the definition's runtime is.
func TestRustDistribution(t *testing.T) {
	needNetwork(t)
	platforms := map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
	if full() {
		platforms["linux/mips64le"] = "mips64" // no library in the distribution: built from component rust-src, as the Rust project has it without its crates
	}
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
name = "hello"
platforms = ` + quoted(slices.Sorted(maps.Keys(platforms))) + `

[toolchains]
rust = "~1.85"

[target.hello]
recipe = "rust"
`,
		"Cargo.toml":       "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nshout = { path = \"shout\" }\n",
		"src/main.rs":      "fn main() {\n    println!(\"{} from {}\", shout::shout!(hello), std::env::consts::ARCH);\n}\n",
		"shout/Cargo.toml": "[package]\nname = \"shout\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\nproc-macro = true\n",
		// A proc macro is loaded into rustc: by what this one does, rustc and the program for the host fit together.
		"shout/src/lib.rs": "#[proc_macro]\npub fn shout(word: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    format!(\"{:?}\", word.to_string().to_uppercase()).parse().unwrap()\n}\n",
	})
	if r := xbuild(t, dir, "lock", "-q"); r.code != 0 {
		t.Fatalf("xbuild lock: %v", r)
	}
	version, server := rustDistribution(t, filepath.Join(dir, "xbuild.lock"))

	edit(t, filepath.Join(dir, "xbuild.toml"), `"~1.85"`, `{ version = "`+version+`", source = "official" }`)
	if err := os.Remove(filepath.Join(dir, "xbuild.lock")); err != nil {
		t.Fatal(err)
	}
	if r := xbuild(t, dir, "lock", "-q", "--rust-mirror", server.URL); r.code == 0 || !strings.Contains(r.stderr, "signature is not good: signed by") || !strings.Contains(r.stderr, "trusted are 85AB96E6FA1BE5FE") {
		t.Errorf("a manifest that the Rust project did not sign: %v", r)
	}
	program := filepath.Join(t.TempDir(), "xbuild")
	if out, err := exec.Command("go", "test", "-c", "-o", program, "xbuild/cmd/xbuild").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), program, "build", "-q")
	cmd.Dir = dir
	cmd.Env = append(environ(), "XBUILD_RUST_MIRROR="+server.URL, "XBUILD_TEST_RUST_KEYRING="+server.KeyringFile, "XBUILD_TEST_SNAPSHOT="+debian.Snapshot)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("xbuild build: %v\n%s", err, out)
	}
	t.Logf("xbuild build: %.1f s", time.Since(start).Seconds())

	l, err := lock.Read(filepath.Join(dir, "xbuild.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range resolve.Hosts {
		if e, ok := l.Toolchain("rust", host); !ok || e.Archive != "rust" || e.Version != version {
			t.Errorf("locked for host %s: %s %s of %s", host, e.Name, e.Version, e.Archive)
		}
	}
	for platform, arch := range platforms {
		if r := underQEMU(t, dir, platform, built(dir, platform, "hello")); r.code != 0 || r.stdout != "HELLO from "+arch+"\n" {
			t.Errorf("%s: %v", platform, r)
		}
	}
}

// rustDistribution packs the locked toolchain rust of this host, and its standard library for both hosts, into a
// distribution that is served until the test ends.
func rustDistribution(t *testing.T, file string) (version string, server *rustdisttest.Server) {
	t.Helper()
	l, err := lock.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	host := platform.Host()
	rust, ok := l.Toolchain("rust", host.Name)
	if !ok {
		t.Fatalf("rust is not locked for host %s", host.Name)
	}
	// The components of Rust bring no libc; nor do these.
	files := slices.DeleteFunc(slices.Clone(rust.Files), func(f lock.File) bool { return slices.Contains([]string{"libc6", "libgcc-s1", "zlib1g"}, f.Name) })
	debs := map[string][]lock.File{host.Rust: files}
	for _, s := range l.Sysroots {
		if s.Name == "rust-std" && s.Arch != host.Debian {
			other, err := platform.Parse("linux/" + s.Arch)
			if err != nil {
				t.Fatal(err)
			}
			debs[other.Rust] = s.Files
		}
	}
	if len(debs) != 2 {
		t.Fatalf("standard libraries for %d targets, want 2", len(debs))
	}
	st := packages(t, slices.Concat(slices.Collect(maps.Values(debs))...))
	release := rustdisttest.Release{Version: rust.Version, Date: "2025-03-18", Channels: []string{rust.Version, "stable"}}
	for target, files := range debs {
		raw := t.TempDir()
		for _, f := range files {
			path, ok := st.File(f.SHA256)
			if !ok {
				t.Fatalf("%s is not in the store", f.Name)
			}
			if err := archive.UnpackFile(t.Context(), path, raw, archive.UnpackOptions{UsrMerge: true, Keep: []string{"usr/bin/{rustc,rustdoc,cargo}", "usr/lib/**"}}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		}
		std := t.TempDir()
		copyFiles(t, filepath.Join(raw, "usr/lib/rustlib", target), filepath.Join(std, "lib/rustlib", target))
		release.Components = append(release.Components, rustdisttest.Component{Name: "rust-std", Target: target, Dir: std})
		compiler, cargo := t.TempDir(), t.TempDir()
		if target == host.Rust {
			for _, name := range []string{"rustc", "rustdoc"} {
				copyFiles(t, filepath.Join(raw, "usr/bin", name), filepath.Join(compiler, "bin", name))
			}
			copyFiles(t, filepath.Join(raw, "usr/bin/cargo"), filepath.Join(cargo, "bin/cargo"))
			// Debian has libraries in a directory of the machine, the Rust project in lib.
			for _, pattern := range []string{"usr/lib/*.so*", "usr/lib/" + host.Multiarch + "/*.so*"} {
				libs, err := filepath.Glob(filepath.Join(raw, pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, lib := range libs {
					copyFiles(t, lib, filepath.Join(compiler, "lib", filepath.Base(lib)))
				}
			}
		} else {
			// The lock names what the other host would run; nothing here fetches it.
			for _, dir := range []string{compiler, cargo} {
				if err := os.WriteFile(filepath.Join(dir, "README"), []byte("not for this test's host\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		release.Components = append(release.Components, rustdisttest.Component{Name: "rustc", Target: target, Dir: compiler}, rustdisttest.Component{Name: "cargo", Target: target, Dir: cargo})
	}
	for _, s := range l.Sysroots {
		if s.Name != "rust-src" {
			continue
		}
		src, at := t.TempDir(), t.TempDir()
		path, ok := packages(t, s.Files).File(s.Files[0].SHA256)
		if !ok {
			t.Fatalf("%s is not in the store", s.Files[0].Name)
		}
		if err := archive.UnpackTarFile(t.Context(), path, src, archive.UnpackOptions{Strip: 1, Keep: []string{"library/**"}}); err != nil {
			t.Fatal(err)
		}
		copyFiles(t, filepath.Join(src, "library"), filepath.Join(at, "lib/rustlib/src/rust/library"))
		release.Components = append(release.Components, rustdisttest.Component{Name: "rust-src", Target: "*", Dir: at})
	}
	server = rustdisttest.New(t)
	server.Publish(t, release)
	return rust.Version, server
}

// packages fetches packages of the archive into the store, from where xbuild fetches them.
func packages(t *testing.T, files []lock.File) *store.Store {
	t.Helper()
	dir := os.Getenv("XBUILD_E2E_STORE")
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mirrors := append(debian.HostMirrors("/"), debian.Public...)
	if m := os.Getenv("XBUILD_DEBIAN_MIRROR"); m != "" {
		mirrors = strings.Split(m, ",")
	}
	var items []fetch.Item
	for _, f := range files {
		it := fetch.Item{Name: f.Name, SHA256: f.SHA256, Size: f.Size}
		for _, m := range mirrors {
			it.URLs = append(it.URLs, strings.TrimRight(m, "/")+"/"+f.Path)
		}
		items = append(items, it)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if err := fetch.Files(ctx, st, items, fetch.Options{}); err != nil {
		t.Fatal(err)
	}
	return st
}

// copyFiles copies a file, or a tree of them, with the content of what links lead to; those that lead nowhere are left
// out.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(file)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		in, err := os.Open(file)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
		if err != nil {
			return err
		}
		defer out.Close()
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		return out.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}
