package rust_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"xbuild/internal/archive"
	"xbuild/internal/archive/archivetest"
	"xbuild/internal/origin/rust"
	"xbuild/internal/origin/rust/rustdisttest"
)

// TestKeyring compares the embedded key with the fingerprint that the Rust project publishes, and sees that it can sign
// as of a release's day.
func TestKeyring(t *testing.T) {
	keys, err := rust.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 {
		t.Fatalf("%d keys, want one", len(keys))
	}
	if got := fmt.Sprintf("%X", keys[0].PrimaryKey.Fingerprint); got != "108F66205EAEB0AAA8DD5E1C85AB96E6FA1BE5FE" {
		t.Errorf("the key's fingerprint is %s", got)
	}
	var signing []string
	for _, id := range []uint64{0x85AB96E6FA1BE5FE, 0x5CB4A9347B3B09DC} { // the key itself, and the subkey that signs
		for _, k := range keys.KeysByIdUsage(id, packet.KeyFlagSign) {
			signing = append(signing, k.PublicKey.KeyIdString())
		}
	}
	if !slices.Equal(signing, []string{"85AB96E6FA1BE5FE", "5CB4A9347B3B09DC"}) {
		t.Errorf("keys that can sign: %q", signing)
	}
}

const manifest = `manifest-version = "2"
date = "2026-04-16"
[pkg.rustc]
version = "1.95.0 (59807616e 2026-04-14)"
[pkg.rustc.target.x86_64-unknown-linux-gnu]
available = true
url = "https://static.rust-lang.org/dist/2026-04-16/rustc-1.95.0-x86_64-unknown-linux-gnu.tar.gz"
hash = "1111111111111111111111111111111111111111111111111111111111111111"
xz_url = "https://static.rust-lang.org/dist/2026-04-16/rustc-1.95.0-x86_64-unknown-linux-gnu.tar.xz"
xz_hash = "2222222222222222222222222222222222222222222222222222222222222222"
components = []
[pkg.rustc.target.vax-unknown-netbsd]
available = false
[pkg.cargo]
version = "0.96.0 (f2d3ce0bd 2026-03-21)"
[pkg.cargo.target.x86_64-unknown-linux-gnu]
available = true
url = "https://static.rust-lang.org/dist/2026-04-16/cargo-1.95.0-x86_64-unknown-linux-gnu.tar.gz"
hash = "3333333333333333333333333333333333333333333333333333333333333333"
[pkg.rust-src]
version = ""
[pkg.rust-src.target."*"]
available = true
xz_url = "https://static.rust-lang.org/dist/2026-04-16/rust-src-1.95.0.tar.xz"
xz_hash = "4444444444444444444444444444444444444444444444444444444444444444"
[pkg.clippy-preview]
version = "0.1.95 (59807616e 2026-04-14)"
[pkg.clippy-preview.target.x86_64-unknown-linux-gnu]
available = true
xz_url = "https://static.rust-lang.org/dist/2026-04-16/clippy-1.95.0-x86_64-unknown-linux-gnu.tar.xz"
xz_hash = "5555555555555555555555555555555555555555555555555555555555555555"
[pkg.odd]
version = "1"
[pkg.odd.target.hash]
available = true
xz_url = "https://static.rust-lang.org/dist/odd.tar.xz"
xz_hash = "zz"
[pkg.odd.target.up]
available = true
xz_url = "https://static.rust-lang.org/dist/../../odd.tar.xz"
xz_hash = "5555555555555555555555555555555555555555555555555555555555555555"
[pkg.odd.target.other]
available = true
xz_url = "https://static.rust-lang.org.example/dist/odd.tar.xz"
xz_hash = "5555555555555555555555555555555555555555555555555555555555555555"
[renames.clippy]
to = "clippy-preview"
[renames.gone]
to = "nowhere"
[profiles]
minimal = ["rustc", "cargo", "rust-std", "rust-mingw"]
`

func TestComponent(t *testing.T) {
	m, err := rust.Parse([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if m.Version != "1.95.0" || m.Date != "2026-04-16" {
		t.Errorf("version %q of %q", m.Version, m.Date)
	}
	if got := m.Targets("rustc"); !slices.Equal(got, []string{"x86_64-unknown-linux-gnu"}) {
		t.Errorf("targets of rustc: %q", got)
	}
	const x86 = "x86_64-unknown-linux-gnu"
	for _, c := range []struct {
		name, target string
		want         rust.Component
		fault        error
	}{
		{"rustc", x86, rust.Component{Name: "rustc", Version: "1.95.0", Target: x86, Path: "dist/2026-04-16/rustc-1.95.0-" + x86 + ".tar.xz", SHA256: strings.Repeat("2", 64)}, nil},
		{"cargo", x86, rust.Component{Name: "cargo", Version: "0.96.0", Target: x86, Path: "dist/2026-04-16/cargo-1.95.0-" + x86 + ".tar.gz", SHA256: strings.Repeat("3", 64)}, nil},
		{"rust-src", x86, rust.Component{Name: "rust-src", Version: "1.95.0", Target: "*", Path: "dist/2026-04-16/rust-src-1.95.0.tar.xz", SHA256: strings.Repeat("4", 64)}, nil},
		{"clippy", x86, rust.Component{Name: "clippy-preview", Version: "0.1.95", Target: x86, Path: "dist/2026-04-16/clippy-1.95.0-" + x86 + ".tar.xz", SHA256: strings.Repeat("5", 64)}, nil},
		{"rustc", "vax-unknown-netbsd", rust.Component{}, rust.ErrNoTarget},
		{"rustc", "vax-unknown-linux", rust.Component{}, rust.ErrNoTarget},
		{"rust-std", x86, rust.Component{}, rust.ErrNoComponent},
		{"gone", x86, rust.Component{}, rust.ErrNoComponent},
		{"odd", "hash", rust.Component{}, rust.ErrManifest},
		{"odd", "up", rust.Component{}, rust.ErrManifest},
		{"odd", "other", rust.Component{}, rust.ErrManifest},
	} {
		got, err := m.Component(c.name, c.target)
		if got != c.want || !errors.Is(err, c.fault) {
			t.Errorf("%s for %s: %+v, %v, want %+v, %v", c.name, c.target, got, err, c.want, c.fault)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":            "",
		"no TOML":            "<html>",
		"another version":    strings.Replace(manifest, `manifest-version = "2"`, `manifest-version = "3"`, 1),
		"no date":            strings.Replace(manifest, "2026-04-16", "someday", 1),
		"no rustc":           strings.ReplaceAll(manifest, "[pkg.rustc", "[pkg.none"),
		"an odd version":     strings.Replace(manifest, "1.95.0 (", "../1 (", 1),
		"a number for a URL": strings.Replace(manifest, `hash = "11`, "hash = 5 # ", 1),
		"a long one":         manifest + strings.Repeat("\n", rust.MaxManifest),
	} {
		if m, err := rust.Parse([]byte(text)); !errors.Is(err, rust.ErrManifest) {
			t.Errorf("%s: %+v, error %v", name, m, err)
		}
	}
}

func TestChannels(t *testing.T) {
	for text, want := range map[string]string{
		"stable": "dist/channel-rust-stable.toml", "beta-2026-05-01": "dist/2026-05-01/channel-rust-beta.toml", "nightly": "dist/channel-rust-nightly.toml",
		"nightly-2026-05-20": "dist/2026-05-20/channel-rust-nightly.toml",
		"1.95.0":             "", "nightly-2026-02-30": "", "nightly-": "", "nightly-../..": "", "dev": "", "": "", "Stable": "",
	} {
		c, ok := rust.ParseChannel(text)
		if ok != (want != "") || ok && (c.Path() != want || c.String() != text) {
			t.Errorf("%q: %v, %v (%s), want %q", text, c, ok, c.Path(), want)
		}
	}
	for constraint, want := range map[string]string{
		"": "stable", "1.90.0": "1.90.0", "= 1.90.0": "1.90.0", "1.90": "1.90", "~1.90.2": "stable 1.90 1.90.2", "^1.70": "stable 1.70", ">=1.88, <1.95": "stable 1.88 1.95",
		"1": "stable", "1.x": "stable",
	} {
		var got []string
		for _, c := range rust.Channels(constraint) {
			got = append(got, c.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: looked for in %q, want %q", constraint, got, want)
		}
	}
	for _, c := range []struct {
		channel, version string
		want             bool
	}{
		{"stable", "1.95.0", true}, {"stable", "1.97.0-nightly", false}, {"nightly", "1.97.0-nightly", true}, {"nightly", "1.95.0", false}, {"beta", "1.96.0-beta.2", true},
		{"1.95", "1.95.1", true}, {"1.95", "1.950.0", false}, {"1.95.0", "1.95.0", true}, {"1.95.0", "1.95.1", false},
	} {
		if got := (rust.Channel{Name: c.channel}).Has(c.version); got != c.want {
			t.Errorf("channel %s has %s: %v, want %v", c.channel, c.version, got, c.want)
		}
	}
	for file, want := range map[string]string{"dist/2026-05-20/rustc-nightly.tar.xz": "2026-05-20", "dist/rustc.tar.xz": "", "pool/main/2026-05-20/x.deb": ""} {
		if got := rust.Released(file); got != want {
			t.Errorf("%s is of %q, want %q", file, got, want)
		}
	}
}

// TestVerify: a detached signature holds for the text that it was made of, by a key that is trusted.
func TestVerify(t *testing.T) {
	s := rustdisttest.New(t)
	c := rust.Channel{Name: "stable"}
	s.Sign(t, c, manifest)
	signature := s.Read(t, c.Path()+".asc")
	if err := rust.Verify(s.Keys, "manifest", []byte(manifest), signature); err != nil {
		t.Error(err)
	}
	real, err := rust.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another text":       rust.Verify(s.Keys, "manifest", []byte(manifest+" "), signature),
		"another key":        rust.Verify(real, "manifest", []byte(manifest), signature),
		"no signature":       rust.Verify(s.Keys, "manifest", []byte(manifest), nil),
		"half a signature":   rust.Verify(s.Keys, "manifest", []byte(manifest), signature[:len(signature)/2]),
		"a key as signature": rust.Verify(s.Keys, "manifest", []byte(manifest), armoredKey(t)),
	} {
		if !errors.Is(err, archive.ErrSignature) || !strings.HasPrefix(err.Error(), "manifest: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func armoredKey(t *testing.T) []byte {
	t.Helper()
	return []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxjMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n")
}

// FuzzParse: whatever a manifest says, a component that comes out has a path below the server and a hash.
func FuzzParse(f *testing.F) {
	f.Add([]byte(manifest), "rustc", "x86_64-unknown-linux-gnu")
	f.Add([]byte(manifest), "clippy", "*")
	f.Add([]byte(strings.ReplaceAll(manifest, "/dist/", "/../")), "cargo", "x86_64-unknown-linux-gnu")
	f.Add([]byte("manifest-version = \"2\"\ndate = \"2026-04-16\"\n[pkg.rustc]\nversion=\"1\"\n"), "rustc", "")
	f.Fuzz(func(t *testing.T, data []byte, name, target string) {
		m, err := rust.Parse(data)
		if err != nil {
			return
		}
		m.Targets(name)
		c, err := m.Component(name, target)
		if err != nil {
			return
		}
		if c.Path == "" || strings.HasPrefix(c.Path, "/") || strings.Contains(c.Path, "..") && slices.Contains(strings.Split(c.Path, "/"), "..") || len(c.SHA256) != 64 || c.Version == "" {
			t.Errorf("component %+v", c)
		}
	})
}

// FuzzVerify: no text is good by a signature that nobody made of it.
func FuzzVerify(f *testing.F) {
	key, err := archivetest.NewKey("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	keys := openpgp.EntityList{key}
	f.Add([]byte("text"), []byte("-----BEGIN PGP SIGNATURE-----\n\nwsBz\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, text, signature []byte) {
		if rust.Verify(keys, "text", text, signature) == nil {
			t.Errorf("%q is trusted by %q", text, signature)
		}
	})
}
