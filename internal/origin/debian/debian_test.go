package debian

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestUpstream(t *testing.T) {
	for debian, want := range map[string]string{
		"1:19.1.7-3+b1":             "19.1.7",
		"1.24.4-1":                  "1.24.4",
		"2:1.24~2":                  "1.24",
		"1:11.1.0+ds-1":             "11.1.0",
		"3.31.6-2":                  "3.31.6",
		"4.4.1-2":                   "4.4.1",
		"1.12.1-1+b1":               "1.12.1",
		"1:22.1.0~++20260101-1~exp": "22.1.0",
		"20.19.2+dfsg-1":            "20.19.2",
		"5":                         "5",
		"1.2.3.4-1":                 "1.2.3",
		"r123":                      "r123",
		"":                          "",
	} {
		if got := Upstream(debian); got != want {
			t.Errorf("Upstream(%q) = %q, want %q", debian, got, want)
		}
	}
}

// TestHostMirrors reads sources in both formats (sources.list(5)); what is no Debian mirror over HTTP is left out.
func TestHostMirrors(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/apt/sources.list": `# deb http://commented.example/debian trixie main
deb http://one.example/debian/ trixie main contrib
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://two.example/debian trixie main
deb [ arch=amd64 ] https://spaced.example/debian trixie main
deb-src http://source.example/debian trixie main
deb http://security.example/debian-security trixie-security main
deb cdrom:[Debian]/ trixie main
deb file:/srv/debian trixie main
deb http://one.example/debian trixie-updates main
deb
deb [broken
`,
		"etc/apt/sources.list.d/more.list": "deb http://three.example/mirror/debian bookworm main\n",
		"etc/apt/sources.list.d/debian.sources": `# Four and five.
Types: deb
URIs: http://four.example/debian https://five.example/debian/
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security

Types: deb
URIs:http://six.example/debian
`,
		"etc/apt/sources.list.d/old.list.save": "deb http://saved.example/debian trixie main\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"http://one.example/debian", "https://two.example/debian", "https://spaced.example/debian",
		"http://four.example/debian", "https://five.example/debian", "http://six.example/debian", "http://three.example/mirror/debian",
	}
	if got := HostMirrors(root); !slices.Equal(got, want) {
		t.Errorf("HostMirrors:\n got %q\nwant %q", got, want)
	}
	if got := HostMirrors(t.TempDir()); got != nil {
		t.Errorf("HostMirrors without apt = %q", got)
	}
}

// TestHostTakesExpired reads what the host's apt is told of Valid-Until.
func TestHostTakesExpired(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                      false,
		"Acquire::Check-Valid-Until \"false\";": true,
		"acquire::check-valid-until no;":        true,
		"Acquire { Retries \"3\"; Check-Valid-Until \"0\"; };":                                                                            true,
		"Acquire { http { Proxy \"http://p:1\"; }; Check-Valid-Until \"off\"; }":                                                          true,
		"Acquire::Check-Valid-Until \"true\";":                                                                                            false,
		"// Acquire::Check-Valid-Until \"false\";\n/* Acquire::Check-Valid-Until \"false\";\n*/\n# Acquire::Check-Valid-Until \"false\";": false,
		"Acquire { http { Check-Valid-Until \"false\"; }; };":                                                                             false,
		"Acquire::Check-Valid-Until \"false\";\nAcquire::Check-Valid-Until \"yes\";\n":                                                    false,
		"}}}; Acquire { \"": false,
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "etc/apt/apt.conf.d")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "90held"), []byte(text), 0o644),
			os.WriteFile(filepath.Join(dir, "99old.bak"), []byte("Acquire::Check-Valid-Until \"false\";"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if got := HostTakesExpired(root); got != want {
			t.Errorf("%s: taken: %v, want %v", text, got, want)
		}
	}
	if HostTakesExpired(t.TempDir()) {
		t.Error("taken without apt")
	}
}
