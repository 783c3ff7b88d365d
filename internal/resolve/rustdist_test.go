package resolve

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"

	"xbuild/internal/archive"
	"xbuild/internal/archive/archivetest"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lock"
	"xbuild/internal/origin"
	"xbuild/internal/origin/rust"
	"xbuild/internal/origin/rust/rustdisttest"
)

const (
	x86   = "x86_64-unknown-linux-gnu"
	arm64 = "aarch64-unknown-linux-gnu"
	musl  = "riscv64gc-unknown-linux-musl"
)

// rustRelease is a release for both hosts, with a standard library for a third target.
func rustRelease(version, date string, channels ...string) rustdisttest.Release {
	r := rustdisttest.Release{Version: version, Date: date, Channels: channels}
	for _, target := range []string{x86, arm64, musl} {
		if target != musl {
			for _, name := range []string{"rustc", "cargo"} {
				r.Components = append(r.Components, rustdisttest.Component{Name: name, Target: target, Files: []archivetest.File{{Name: "bin/" + name, Body: name + version, Mode: 0o755}}})
			}
		}
		r.Components = append(r.Components, rustdisttest.Component{Name: "rust-std", Target: target,
			Files: []archivetest.File{{Name: "lib/rustlib/" + target + "/lib/libstd.rlib", Body: version + date + target}}})
	}
	return r
}

// rustArchives are the suites that toolchains/rust.toml names, in small, and a distribution with a few releases.
func rustArchives(t *testing.T) (*Archive, *rustdisttest.Server, *[]string) {
	t.Helper()
	var suites []archivetest.Suite
	for suite, version := range map[string]string{"trixie": "1.85.1+dfsg1-1", "forky": "1.97.1+dfsg1-1", "bookworm": "1.63.0+dfsg1-2"} {
		s := archivetest.Suite{Name: suite}
		for _, arch := range []string{"amd64", "arm64"} {
			for _, name := range []string{"rustc", "cargo", "libstd-rust-dev", "libc6", "libgcc-s1", "zlib1g"} {
				s.Packages = append(s.Packages, archivetest.Package{Name: name, Version: version, Arch: arch})
			}
		}
		suites = append(suites, s)
	}
	a, notices := open(t, archivetest.New(t, suites...))
	server := rustdisttest.New(t)
	server.Publish(t, rustRelease("1.90.0", "2025-09-18", "1.90.0"))
	server.Publish(t, rustRelease("1.90.1", "2025-10-01", "1.90.1", "1.90"))
	server.Publish(t, rustRelease("1.95.0", "2026-04-16", "1.95.0", "1.95", "stable"))
	server.Publish(t, rustRelease("1.96.0-beta.2", "2026-05-01", "beta"))
	server.Publish(t, rustRelease("1.97.0-nightly", "2026-05-20", "nightly"))
	a.Rust, a.RustKeys = []string{server.URL}, server.Keys
	return a, server, notices
}

func rustDef(t *testing.T, choice string) *catalog.Toolchain {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c.Toolchain("rust").From(choice)
}

// TestRustChoice: the archive's suites come first, the official distribution where none of them has the version, and
// alone where it is asked for.
func TestRustChoice(t *testing.T) {
	a, server, _ := rustArchives(t)
	for _, c := range []struct {
		constraint, choice      string
		archive, suite, version string // version "" for an error
		fault                   string
	}{
		{"", "", "debian", "forky", "1.97.1", ""},
		{"^1.85", "", "debian", "forky", "1.97.1", ""},
		{"~1.85", "", "debian", "trixie", "1.85.1", ""},
		{"<1.85", "", "debian", "bookworm", "1.63.0", ""},
		{">=1.90", "", "debian", "forky", "1.97.1", ""},
		{"stable", "", "debian", "forky", "1.97.1", ""},
		{"1.90.0", "", "rust", "stable", "1.90.0", ""},
		{"=1.90.0", "", "rust", "stable", "1.90.0", ""},
		{"1.90", "", "rust", "stable", "1.90.1", ""},
		{"~1.90.0", "", "rust", "stable", "1.90.1", ""},
		{">=1.90, <1.95", "", "rust", "stable", "1.90.1", ""},
		{"", "official", "rust", "stable", "1.95.0", ""},
		{"stable", "official", "rust", "stable", "1.95.0", ""},
		{"stable-2026-04-16", "", "rust", "stable", "1.95.0", ""},
		{">=1.90", "official", "rust", "stable", "1.95.0", ""},
		{"beta", "", "rust", "beta", "1.96.0-beta.2", ""},
		{"nightly", "", "rust", "nightly", "1.97.0-nightly", ""},
		{"nightly-2026-05-20", "", "rust", "nightly", "1.97.0-nightly", ""},
		{"1.90.0", "archive", "", "", "", "no such version of rust for host linux/amd64 satisfies \"1.90.0\"; there are 1.97.1 (forky), 1.85.1 (trixie), 1.63.0 (bookworm)"},
		{"1.91.0", "", "", "", "", `(none of 1.97.1 (forky), 1.85.1 (trixie), 1.63.0 (bookworm) satisfies "1.91.0"): no such release of Rust: ` + server.URL + `/dist/channel-rust-1.91.0.toml is not there`},
		{">=2", "official", "", "", "", "there are 1.95.0 (stable)"},
		{"nightly-2026-05-21", "", "", "", "", "no such release of Rust: " + server.URL + "/dist/2026-05-21/channel-rust-nightly.toml is not there"},
	} {
		r := ToolchainRequest{Def: rustDef(t, c.choice), Constraint: c.constraint}
		e, err := a.Toolchain(t.Context(), r, "linux/amd64")
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q of %q: error %v, want %q", c.constraint, c.choice, err, c.fault)
			}
			continue
		}
		if err != nil || e.Name != "rust" || e.Archive != c.archive || e.Suite != c.suite || e.Version != c.version || e.Constraint != c.constraint {
			t.Errorf("%q of %q: %v, %s %s of %s %s for %q", c.constraint, c.choice, err, e.Name, e.Version, e.Archive, e.Suite, e.Constraint)
			continue
		}
		// The lock answers what it was written for, and not another day or channel.
		l := &lock.Lock{Version: 1, Toolchains: []lock.Toolchain{e}}
		if _, ok := FindToolchain(l, r, "linux/amd64"); !ok {
			t.Errorf("%q of %q: what was locked does not answer the request", c.constraint, c.choice)
		}
		for _, other := range []string{"beta-2020-01-01", "nightly-2026-05-19", "^1.20.0, <1.21"} {
			if _, ok := FindToolchain(l, ToolchainRequest{Def: r.Def, Constraint: other}, "linux/amd64"); ok {
				t.Errorf("%q of %q: what was locked answers %q too", c.constraint, c.choice, other)
			}
		}
		other := "official"
		if c.archive == "rust" {
			other = "archive"
		}
		if _, ok := FindToolchain(l, ToolchainRequest{Def: rustDef(t, other)}, "linux/amd64"); ok {
			t.Errorf("%q of %q: what was locked answers a request for source %q", c.constraint, c.choice, other)
		}
	}
}

// TestRustParts: the newest release that has a library for every platform is taken; where none has, the newest, and the
// library that it lacks is what is told. The official distribution is not asked for what the archive has a version of.
func TestRustParts(t *testing.T) {
	a, _, _ := rustArchives(t)
	std := func(targets map[string][]string) *catalog.Sysroot {
		d := &catalog.Sysroot{Name: "rust-std", Of: "rust", Packages: []string{"libstd-rust-dev"}, Skip: []string{"*"}}
		for _, suite := range []string{"bookworm", "trixie", "forky"} {
			s := catalog.Suite{Name: suite, Targets: map[string]string{}}
			for target, suites := range targets {
				if slices.Contains(suites, suite) {
					s.Targets[target] = "amd64"
				}
			}
			d.Suites = append(d.Suites, s)
		}
		return d
	}(map[string][]string{"everywhere": {"bookworm", "trixie", "forky"}, "older": {"bookworm", "trixie"}, "oldest": {"bookworm"}})
	for _, c := range []struct {
		constraint string
		targets    []string
		version    string
		lacks      bool // and the library is what is told of
	}{
		{"", []string{"everywhere"}, "1.97.1", false},
		{"", []string{"everywhere", "older"}, "1.85.1", false},
		{">=1.80", []string{"older", "everywhere"}, "1.85.1", false},
		{"", []string{"older", "oldest"}, "1.63.0", false},
		{">=1.80", []string{"oldest"}, "1.97.1", true},
		{"", []string{"nowhere"}, "1.97.1", true},
	} {
		r := ToolchainRequest{Def: rustDef(t, ""), Constraint: c.constraint, Open: true}
		req := Requests{Toolchains: []ToolchainRequest{r}}
		for _, target := range c.targets {
			req.Parts = append(req.Parts, PartRequest{Def: std, Of: r, Target: target, Where: "linux/" + target})
		}
		for _, host := range Hosts {
			e, err := a.Toolchain(t.Context(), r, host, req.Parts...)
			if err != nil || e.Version != c.version {
				t.Errorf("%q for %q on %s: rust %s, %v; want %s", c.constraint, c.targets, host, e.Version, err, c.version)
			}
		}
		l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
		if c.lacks {
			if !errors.Is(err, origin.ErrNoTarget) || !strings.Contains(err.Error(), c.version) {
				t.Errorf("%q for %q: error %v, want one of the library of %s", c.constraint, c.targets, err, c.version)
			}
			continue
		}
		if err != nil || len(l.Sysroots) != len(c.targets) && len(l.Sysroots) != 1 {
			t.Errorf("%q for %q: %v", c.constraint, c.targets, err)
			continue
		}
		// What was chosen stays, with the constraint that it was chosen by, whatever less is asked.
		e, ok := FindToolchain(l, ToolchainRequest{Def: r.Def, Constraint: ">=1.10", Open: true}, Hosts[0])
		want := c.constraint
		if want == "" {
			want = ">=1.10"
		}
		if !ok || e.Version != c.version || e.Constraint != want {
			t.Errorf("%q for %q: found %v, %s for %q", c.constraint, c.targets, ok, e.Version, e.Constraint)
		}
	}
}

// TestRustDist locks a toolchain of the official distribution for both hosts, with the library of a target that no
// suite has, in a lock that can be read back.
func TestRustDist(t *testing.T) {
	a, server, notices := rustArchives(t)
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	of := ToolchainRequest{Def: rustDef(t, ""), Constraint: "nightly-2026-05-20"}
	part := PartRequest{Def: c.Part("rust-std"), Of: of, Target: musl, Where: "linux/riscv64"}
	req := Requests{Toolchains: []ToolchainRequest{of}, Parts: []PartRequest{part}}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for host, target := range map[string]string{"linux/amd64": x86, "linux/arm64": arm64} {
		e, ok := FindToolchain(l, of, host)
		arch := strings.TrimPrefix(host, "linux/")
		want := []string{"cargo/" + target, "libc6/" + arch, "libgcc-s1/" + arch, "rust-std/" + target, "rustc/" + target, "zlib1g/" + arch}
		if !ok || !slices.Equal(names(e.Files), want) || e.Date != "20260102T030405Z" || !slices.Equal(e.Roots, []string{"cargo", "rust-std", "rustc"}) {
			t.Errorf("host %s: %v %+v", host, ok, e)
		}
		for _, f := range e.Files {
			if want := map[bool]string{true: "debian"}[f.Arch == arch]; f.Archive != want {
				t.Errorf("host %s: %s is of archive %q, want %q", host, f.Name, f.Archive, want)
			}
			if f.Name == "rustc" && (f.Path != "dist/2026-05-20/rustc-nightly-"+target+".tar.xz" || f.Size != int64(len(server.Read(t, f.Path))) || f.Version != "1.97.0-nightly") {
				t.Errorf("host %s: %+v", host, f)
			}
		}
	}
	r, err := part.In(l)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := FindSysroot(l, r)
	if !ok || e.Name != "rust-std-official" || e.Version != "1.97.0-nightly" || e.Archive != "rust" || !slices.Equal(names(e.Files), []string{"rust-std/" + musl}) {
		t.Errorf("library: %v %+v", ok, e)
	}
	file := t.TempDir() + "/xbuild.lock"
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	if back, err := lock.Read(file); err != nil || !back.Equal(l) {
		t.Errorf("the lock as it is read again: %v", err)
	}
	if want := []string{"toolchain rust: Rust 1.97.0-nightly of the official distribution (dist/2026-05-20/channel-rust-nightly.toml)"}; !slices.Equal(slices.Compact(slices.Clone(*notices)), want) {
		t.Errorf("said: %q, want %q", *notices, want)
	}

	// The library of another night has the same version, and is another library.
	server.Publish(t, rustRelease("1.97.0-nightly", "2026-05-21", "nightly"))
	r.Release = "2026-05-21"
	if _, ok := FindSysroot(l, r); ok {
		t.Error("the library of another night answers")
	}
	// And a lock that lacks the library gets that of the locked night, whatever the channel is at now.
	e.Files = nil
	l.Sysroots = nil
	l, err = again2(a).Update(t.Context(), l, req, false, false)
	if err != nil || len(l.Sysroots) != 1 || (rust.Kind{}).Release(l.Sysroots[0].Files) != "2026-05-20" {
		t.Errorf("library of a locked toolchain: %v %+v", err, l.Sysroots)
	}

	part.Target = "vax-unknown-linux-gnu"
	_, err = again2(a).Update(t.Context(), l, Requests{Toolchains: req.Toolchains, Parts: []PartRequest{part}}, false, false)
	if !errors.Is(err, origin.ErrNoTarget) || !strings.Contains(err.Error(), "no library for the target vax-unknown-linux-gnu of Rust 1.97.0-nightly of 2026-05-20") {
		t.Errorf("a target that the manifest does not have: error %v", err)
	}
}

// TestRustDistSource: where a release has no library for a target, and where its library asks for more than the
// platform promises, the source is locked in its place.
func TestRustDistSource(t *testing.T) {
	a, server, _ := rustArchives(t)
	release := rustRelease("1.94.0", "2026-03-05", "1.94.0")
	release.Components = append(release.Components, rustdisttest.Component{Name: "rust-src", Target: "*"})
	server.Publish(t, release)
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	of := ToolchainRequest{Def: rustDef(t, "official"), Constraint: "1.94.0"}
	without := PartRequest{Def: c.Part("rust-std"), Of: of, Target: "mips64el-unknown-linux-gnuabi64", Where: "linux/mips64le"}
	without.From = c.Chain(without.Def.From)
	with := without
	with.Target, with.Where = musl, "linux/riscv64"
	req := Requests{Toolchains: []ToolchainRequest{of}, Parts: []PartRequest{without, with}}
	l, err := a.Update(t.Context(), &lock.Lock{Version: 1}, req, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		PartRequest
		def  string
		file string
	}{{without, "rust-src-official", "rust-src/*"}, {with, "rust-std-official", "rust-std/" + musl}} {
		r, err := p.In(l)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := FindSysroot(l, r); !ok || e.Name != p.def || e.Arch != p.Target || !slices.Equal(names(e.Files), []string{p.file}) {
			t.Errorf("%s: %v %+v", p.Where, ok, e)
		}
	}
	again, err := again2(a).Update(t.Context(), l, req, false, false)
	if err != nil || !again.Equal(l) {
		t.Errorf("locked again it is another lock: %v", err)
	}
	beyond := without
	beyond.Target, beyond.Where = "armv7-unknown-linux-gnueabihf", "linux/arm/v7"
	if r, err := beyond.In(l); err != nil || r.Def.Name != "rust-src-official" {
		t.Errorf("linux/arm/v7 without VFPv3: %s, %v", r.Def.Name, err)
	}
	beyond.Promised = []string{"vfpv3"}
	if r, err := beyond.In(l); err != nil || r.Def.Name != "rust-std-official" {
		t.Errorf("linux/arm/v7 with VFPv3: %s, %v", r.Def.Name, err)
	}
}

// again2 is again, with the distribution.
func again2(a *Archive) *Archive {
	n := again(a)
	n.Rust, n.RustKeys = a.Rust, a.RustKeys
	return n
}

// TestRustSize: sizes come from the server, or from the file itself where a server does not tell.
func TestRustSize(t *testing.T) {
	a, server, _ := rustArchives(t)
	var mu sync.Mutex
	got := map[string]int{}
	server.Asked = func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, ".tar.xz") {
			got[r.Method]++
		}
	}
	lockIt := func() lock.Toolchain {
		e, err := again2(a).Toolchain(t.Context(), ToolchainRequest{Def: rustDef(t, "official"), Constraint: "1.90.0"}, "linux/amd64")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	asked := lockIt()
	if got["HEAD"] != 3 || got["GET"] != 0 {
		t.Errorf("asked for components: %v, want 3 HEAD alone", got)
	}
	server.NoLength = true
	clear(got)
	fetched := lockIt()
	if got["GET"] != 3 {
		t.Errorf("asked for components: %v, want 3 GET", got)
	}
	clear(got)
	stored := lockIt()
	if len(got) != 0 {
		t.Errorf("asked for components that are in the store: %v", got)
	}
	for _, e := range []lock.Toolchain{fetched, stored} {
		if !slices.Equal(e.Files, asked.Files) {
			t.Errorf("files %+v, want %+v", e.Files, asked.Files)
		}
	}
}

// TestRustTrust breaks one thing at a time: nothing of such a distribution may be locked.
func TestRustTrust(t *testing.T) {
	const manifest = "dist/channel-rust-1.95.0.toml"
	for name, c := range map[string]struct {
		spoil func(*rustdisttest.Server, *Archive)
		fault string
		is    error
	}{
		"another key": {func(_ *rustdisttest.Server, a *Archive) {
			key, err := archivetest.NewKey("somebody")
			if err != nil {
				t.Fatal(err)
			}
			a.RustKeys = openpgp.EntityList{key}
		}, "of which none is trusted", archive.ErrSignature},
		"the real key does not trust the test's": {func(_ *rustdisttest.Server, a *Archive) { a.RustKeys = nil }, "trusted are 85AB96E6FA1BE5FE", archive.ErrSignature},
		"a changed manifest": {func(s *rustdisttest.Server, _ *Archive) {
			s.Write(t, manifest, bytes.Replace(s.Read(t, manifest), []byte("available = true"), []byte("available = true "), 1))
		}, "did not sign this text", archive.ErrSignature},
		"a signature of another manifest": {func(s *rustdisttest.Server, _ *Archive) {
			s.Write(t, manifest+".asc", s.Read(t, "dist/channel-rust-1.90.0.toml.asc"))
		}, "did not sign this text", archive.ErrSignature},
		"no signature": {func(s *rustdisttest.Server, _ *Archive) { s.Remove(t, manifest+".asc") }, "/dist/channel-rust-1.95.0.toml: a manifest without its signature is not used: 404 Not Found", nil},
		"a page instead of a signature": {func(s *rustdisttest.Server, _ *Archive) {
			s.Write(t, manifest+".asc", []byte("<html>log in</html>"))
		}, "a login page or a proxy", archive.ErrSignature},
		"a manifest of another version": {func(s *rustdisttest.Server, _ *Archive) {
			s.Write(t, manifest, s.Read(t, "dist/channel-rust-1.90.0.toml"))
			s.Write(t, manifest+".asc", s.Read(t, "dist/channel-rust-1.90.0.toml.asc"))
		}, "channel-rust-1.95.0.toml is that of Rust 1.90.0 of 2025-09-18", nil},
		"no cargo for the host": {func(s *rustdisttest.Server, _ *Archive) {
			r := rustRelease("1.95.0", "2026-04-16", "1.95.0")
			for i := range r.Components {
				r.Components[i].Unavailable = r.Components[i].Name == "cargo" && r.Components[i].Target == x86
			}
			s.Publish(t, r)
		}, "cargo of Rust 1.95.0 of 2026-04-16 for x86_64-unknown-linux-gnu", rust.ErrNoTarget},
		"no cargo at all": {func(s *rustdisttest.Server, _ *Archive) {
			r := rustRelease("1.95.0", "2026-04-16", "1.95.0")
			r.Components = slices.DeleteFunc(r.Components, func(c rustdisttest.Component) bool { return c.Name == "cargo" })
			s.Publish(t, r)
		}, `"cargo" in Rust 1.95.0 of 2026-04-16`, rust.ErrNoComponent},
		"a manifest of version 1": {func(s *rustdisttest.Server, _ *Archive) {
			s.Sign(t, rust.Channel{Name: "1.95.0"}, "manifest-version = \"1\"\n")
		}, `its manifest-version is "1"`, rust.ErrManifest},
		"a file of another server": {func(s *rustdisttest.Server, _ *Archive) {
			s.Sign(t, rust.Channel{Name: "1.95.0"}, strings.ReplaceAll(string(s.Read(t, manifest)), rust.Server, "https://elsewhere.example"))
		}, "which is no file of https://static.rust-lang.org", rust.ErrManifest},
		"a component that is gone": {func(s *rustdisttest.Server, _ *Archive) {
			s.Remove(t, "dist/2026-04-16/rustc-1.95.0-"+x86+".tar.xz")
		}, "404", fetch.ErrNotFound},
		"no server": {func(_ *rustdisttest.Server, a *Archive) { a.Rust = nil }, "no server of Rust's distribution is configured", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := open(t, archivetest.New(t)) // nothing is asked of it before the components are found
			server := rustdisttest.New(t)
			server.Publish(t, rustRelease("1.90.0", "2025-09-18", "1.90.0"))
			server.Publish(t, rustRelease("1.95.0", "2026-04-16", "1.95.0"))
			a.Rust, a.RustKeys = []string{server.URL}, server.Keys
			c.spoil(server, a)
			e, err := a.Toolchain(t.Context(), ToolchainRequest{Def: rustDef(t, "official"), Constraint: "1.95.0"}, "linux/amd64")
			if err == nil || !strings.Contains(err.Error(), c.fault) || c.is != nil && !errors.Is(err, c.is) || e.Files != nil {
				t.Errorf("error %v, want %q (%v)", err, c.fault, c.is)
			}
			if err != nil && strings.Contains(err.Error(), "DEBIAN") {
				t.Errorf("advice of another archive: %v", err)
			}
		})
	}
}

// TestRustDowngrade: a mirror that serves an older nightly than one seen before is used only where no other has a newer
// one, and that is said.
func TestRustDowngrade(t *testing.T) {
	a, server, notices := rustArchives(t)
	version := func() string {
		t.Helper()
		m, err := again2(a).archive(catalog.Rust).(*rust.Archive).Manifest(t.Context(), rust.Channel{Name: "nightly"})
		if err != nil {
			t.Fatal(err)
		}
		return m.Date
	}
	if got := version(); got != "2026-05-20" {
		t.Fatalf("nightly of %s", got)
	}
	server.Publish(t, rustRelease("1.97.0-nightly", "2026-05-19", "nightly"))
	if got := version(); got != "2026-05-19" || len(*notices) != 1 || !strings.Contains((*notices)[0], "channel-rust-nightly.toml of 2026-05-19 is older than one seen before (2026-05-20)") {
		t.Errorf("nightly of %s, said %q", got, *notices)
	}
	*notices = nil
	second := rustdisttest.New(t)
	second.Publish(t, rustRelease("1.97.0-nightly", "2026-05-22", "nightly"))
	a.Rust, a.RustKeys = append(a.Rust, second.URL), append(a.RustKeys, second.Keys...)
	if got := version(); got != "2026-05-22" || len(*notices) != 0 {
		t.Errorf("with a second mirror: nightly of %s, said %q", got, *notices)
	}
}
